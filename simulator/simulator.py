"""The simulator as a whole: its parts put together and listening."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from aiohttp import web

from .callbacks import Callbacks
from .control_api import ControlApi
from .controls import Controls
from .delivery import AutomaticDelivery
from .exchange import DeliveryReport
from .faults import Faults
from .gateway import MAX_BODY_BYTES, Gateway
from .model import Incoming, Message
from .page import add_page
from .ports import ProviderPorts
from .provider import Provider
from .registry import PROVIDERS
from .store import Store
from .tls import server_context


class Simulator(Controls):
    """All `providers` on one local port, while the context lasts.

    `port` 0 takes a free one. Providers in `provider_ports` also listen on a port of
    their own (0: a free one), which their URL then names and which can be closed: see
    `ports`. With `deliver_after` (seconds) messages are delivered automatically:
    queued, sent, delivered. With a `certificate` (see `tls`) the one port answers over
    https. Entered again, the simulator listens on the same port and
    keeps what it received; a provider's port that was closed is open again.
    """

    def __init__(  # noqa: PLR0913 - how it listens and what it does by itself
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        deliver_after: float | None = None,
        certificate: Path | None = None,
        provider_ports: Mapping[str, int] = MappingProxyType({}),
        providers: Mapping[str, Provider] = PROVIDERS,
    ) -> None:
        """Prepare everything; nothing listens yet."""
        store = Store({key: one.new_account for key, one in providers.items()})
        faults = Faults()
        super().__init__(store, faults)
        self._host = host
        self._port = port
        self._certificate = certificate
        self._providers = providers
        self.ports = ProviderPorts(host, provider_ports)
        self._apis = {key: one.create_api(store) for key, one in providers.items()}
        self._gateway = Gateway(store, faults, self._apis)
        self._callbacks = Callbacks(store.callbacks.append)
        store.on_final = self._push_report
        store.on_report = self._push_bulk_report
        store.on_incoming = self._push_incoming
        self._delivery: AutomaticDelivery | None = None
        if deliver_after is not None:
            self._delivery = AutomaticDelivery(store, deliver_after)
            store.on_accept = self._delivery.schedule
        self._delivery_task: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Start to listen. Raises OSError if the port is taken."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        self._gateway.open()
        self._gateway.add_routes(app)
        ControlApi(self, self.ports, self.url).add_routes(app)
        add_page(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            context = server_context(self._certificate) if self._certificate else None
            await web.TCPSite(
                self._runner, self._host, self._port, ssl_context=context
            ).start()
            await self.ports.start(self._runner)
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        if self._delivery is not None:
            self._delivery_task = asyncio.create_task(self._delivery.run())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening, release requests that hang, end all background work."""
        self._gateway.close()
        if self._delivery_task is not None:
            self._delivery_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._delivery_task
        await self._callbacks.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.ports.stop()

    @property
    def address(self) -> str:
        """Where the page and the control API are, without a path."""
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://{self._host}:{self._port}"

    def url(self, provider: str) -> str:
        """Return the base URL to give to the provider's client.

        Raises ValueError for a provider that does not exist.
        """
        key = self.known(provider)
        path = f"/{key}{self._providers[key].base_path}"
        if (port := self.ports.numbers.get(key)) is not None:
            return f"http://{self._host}:{port}{path}"
        return f"{self.address}{path}"

    def keep_connections(self, *, are_kept: bool) -> None:
        """Leave connections open after an answer, or close each, from now on."""
        self._gateway.keeps_connections = are_kept

    async def finish_callbacks(self) -> None:
        """Wait until every delivery report that is due was sent."""
        await self._callbacks.finish()

    def _push_report(self, message: Message) -> None:
        """Push a delivery report, where the provider does that."""
        report = self._apis[message.provider].delivery_report(message)
        if report is not None:
            self._callbacks.start(message.provider, message.id, report)

    def _push_incoming(self, incoming: Incoming) -> None:
        """Push an SMS that came in, where the account has an address for that."""
        provider = incoming.provider
        report = self._providers[provider].reception_push(
            self.account(provider), incoming
        )
        if report is not None:
            self._callbacks.start(provider, "", report)

    def _push_bulk_report(self, provider: str, report: DeliveryReport) -> None:
        """Push a report about many messages, which has the ID of none."""
        self._callbacks.start(provider, "", report)
