"""A line to the simulated providers that a test can cut."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from simulator import Simulator


class Line:
    """The wire between the clients and the simulator, which a test can cut."""

    def __init__(self, simulator: Simulator) -> None:
        """Lead to this simulator."""
        self._simulator = simulator
        self._port = 0
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._flow = asyncio.Event()
        self._flow.set()

    def url(self, key: str) -> str:
        """Return the provider's base URL over this line."""
        own = f"http://127.0.0.1:{self._port}"
        return self._simulator.url(key).replace(self._simulator.address, own)

    async def up(self) -> None:
        """Let connections come through."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def down(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def hold_answers(self) -> None:
        """Let requests through, but keep the answers back."""
        self._flow.clear()

    def release_answers(self) -> None:
        """Let the answers go on."""
        self._flow.set()

    async def __aenter__(self) -> Self:
        """Begin with the line up."""
        await self.up()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all talks."""
        self.down()
        for talk in self._talks:
            talk.cancel()
        if self._talks:
            await asyncio.wait(self._talks)

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one connection until either side ends it."""
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        host, port = self._simulator.address.removeprefix("http://").split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        ways = [
            asyncio.create_task(self._carry(reader, far_writer, None)),
            asyncio.create_task(self._carry(far_reader, writer, self._flow)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    @staticmethod
    async def _carry(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gate: asyncio.Event | None,
    ) -> None:
        """Carry bytes one way."""
        with suppress(OSError):
            while data := await reader.read(65_536):
                if gate is not None:
                    await gate.wait()
                writer.write(data)
                await writer.drain()
