"""The simulator as a whole: its parts put together and listening."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Self

from aiohttp import web

from .callbacks import Callbacks
from .control import Control
from .courier import Courier
from .desk import Desk
from .exchange import Api
from .faults import Faults
from .inviosmart import Inviosmart
from .lines import Lines
from .model import Message, Provider
from .page import add_page
from .server import MAX_BODY_BYTES, Gateway
from .smshosting import Smshosting
from .smsviainternet import SmsViaInternet
from .store import Store
from .transactionale import Transactionale

_BASE_PATHS = {
    Provider.SMSVIAINTERNET: "/smsviainternet",
    Provider.SMSHOSTING: "/smshosting/rest/api",
    Provider.TRANSACTIONALE: "/transactionale",
    Provider.INVIOSMART: "/inviosmart",
}


class Simulator(Desk):
    """The four providers on one local port, while the context lasts.

    `port` 0 takes a free one. Providers in `line_ports` also have a port of their own
    (0: a free one), which their URL then names and where they can be out of reach: see
    `lines`. With `deliver_after` (seconds) messages move by
    themselves: queued, sent, delivered. Entered again after it was left, it listens
    on the same port and knows what it knew: a line that was down is up again.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        deliver_after: float | None = None,
        line_ports: Mapping[Provider, int] = MappingProxyType({}),
    ) -> None:
        """Prepare everything; nothing listens yet."""
        store, faults = Store(), Faults()
        super().__init__(store, faults)
        self._host = host
        self._port = port
        self.lines = Lines(host, line_ports)
        self._apis: dict[Provider, Api] = {
            api.provider: api
            for api in (
                SmsViaInternet(store),
                Smshosting(store),
                Transactionale(store),
                Inviosmart(store),
            )
        }
        self._gateway = Gateway(store, faults, tuple(self._apis.values()))
        self._callbacks = Callbacks(store.callbacks.append)
        store.on_final = self._report
        self._courier: Courier | None = None
        if deliver_after is not None:
            self._courier = Courier(store, deliver_after)
            store.on_accept = self._courier.take
        self._work: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Start to listen. Raises OSError if the port is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        self._gateway.open()
        self._gateway.add_routes(app)
        Control(self, self.lines).add_routes(app)
        add_page(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
            await self.lines.start(self._runner)
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        if self._courier is not None:
            self._work = asyncio.create_task(self._courier.work())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening, let go of what hangs, end all background work."""
        self._gateway.close()
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work
        await self._callbacks.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.lines.forget()

    @property
    def address(self) -> str:
        """Where the page and the control API are, without a path."""
        return f"http://{self._host}:{self._port}"

    def url(self, provider: str) -> str:
        """Return the base URL to give to the provider's client."""
        key = Provider(provider)
        port = self.lines.ports.get(key, self._port)
        return f"http://{self._host}:{port}{_BASE_PATHS[key]}"

    async def finish_callbacks(self) -> None:
        """Wait until every delivery report that is due was sent."""
        await self._callbacks.finish()

    def _report(self, message: Message) -> None:
        """Push a delivery report, where the provider does that."""
        notification = self._apis[message.provider].notification(message)
        if notification is not None:
            self._callbacks.start(message, notification)
