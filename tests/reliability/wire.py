"""A wire to the simulated providers that fails as real ones do, over TLS."""

import asyncio
from contextlib import AsyncExitStack, suppress
from enum import StrEnum
from pathlib import Path
import socket
import ssl
from types import TracebackType
from typing import Self, override

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from simulator import Simulator
from simulator.tls import certify, server_context

HOST = "provider.example"


class Break(StrEnum):
    """Where a wire is broken, as the page of the reliability names it."""

    REFUSED = "The connection is refused"
    SILENT = "The address does not answer"
    NO_TLS = "The connection is made, but not its encryption"
    NO_NAME = "The name of the provider is not found"


class Wire:
    """Leads from clients over TLS to a simulator; it may be broken.

    `session` belongs to the clients, who find `HOST` at the wire's end.
    """

    session: aiohttp.ClientSession

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        """Lead to this simulator; the folder takes the certificate."""
        folder.mkdir(parents=True, exist_ok=True)
        self._simulator = simulator
        self._certificate = certify(folder, [HOST])
        self._names = _Names()
        self._port = 0
        self._server: asyncio.Server | None = None
        self._filled: list[socket.socket] = []
        self._talks: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    def url(self, provider: str) -> str:
        """Return the address of a provider over this wire."""
        far = self._simulator.url(provider).removeprefix(self._simulator.address)
        return f"https://{HOST}:{self._port}{far}"

    async def __aenter__(self) -> Self:
        """Begin unbroken."""
        await self._listen(encrypted=True)
        connector = aiohttp.TCPConnector(
            resolver=self._names,
            use_dns_cache=False,
            ssl=ssl.create_default_context(cafile=str(self._certificate)),
        )
        self.session = await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=connector)
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all talks."""
        await self._stack.aclose()
        self._close()
        for talk in self._talks:
            talk.cancel()
        if self._talks:
            await asyncio.wait(self._talks)

    async def break_at(self, where: Break) -> None:
        """Break the wire."""
        match where:
            case Break.NO_NAME:
                self._names.is_failing = True
            case Break.REFUSED:
                self._close()
            case Break.NO_TLS:
                self._close()
                await self._listen(encrypted=False)
            case Break.SILENT:
                self._close()
                self._fill()

    async def repair(self) -> None:
        """Let connections come through again."""
        self._names.is_failing = False
        self._close()
        await self._listen(encrypted=True)

    async def _listen(self, *, encrypted: bool) -> None:
        self._server = await asyncio.start_server(
            self._talk if encrypted else self._say_nothing,
            "127.0.0.1",
            self._port,
            ssl=server_context(self._certificate) if encrypted else None,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for one in self._filled:
            one.close()
        self._filled.clear()

    def _fill(self) -> None:
        """Listen with a queue that is full, so that further calls get no answer."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._port))
        listening.listen(0)
        self._filled.append(listening)
        for _ in range(4):
            caller = socket.socket()
            caller.settimeout(0)
            with suppress(BlockingIOError):
                caller.connect(("127.0.0.1", self._port))
            self._filled.append(caller)

    async def _say_nothing(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take in what comes until the client gives up."""
        self._own()
        with suppress(OSError):
            await reader.read()
        writer.close()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one connection until either side ends it."""
        self._own()
        host, port = self._simulator.address.removeprefix("http://").split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        ways = [
            asyncio.create_task(_carry(reader, far_writer)),
            asyncio.create_task(_carry(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                end.close()

    def _own(self) -> None:
        """End the task of a connection with the wire."""
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


class _Names(AbstractResolver):
    """Finds every host on this machine, or none."""

    def __init__(self) -> None:
        """Find them."""
        self.is_failing = False

    @override
    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the one address; raises OSError while names are not found."""
        if self.is_failing:
            raise OSError(None, "Name or service not known")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=port,
                family=family,
                proto=0,
                flags=0,
            )
        ]

    @override
    async def close(self) -> None:
        """Close nothing."""
