"""Home Assistant as a child process."""

import asyncio
from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import signal
import socket
import sys

from homeassistant.const import RESTART_EXIT_CODE

from .waiting import HomeAssistantError

STOP_SECONDS = 60


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """Home Assistant in a process of its own, which writes to a log file.

    It has its own session, so that Ctrl-C reaches only the script, which then stops
    it.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        """Take the arguments of Python, the log and variables; nothing is started."""
        self._arguments = arguments
        self._log = log
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs and before its start."""
        return None if self._process is None else self._process.returncode

    @property
    def pid(self) -> int:
        """The process id. Raises HomeAssistantError before the start."""
        return self._started.pid

    async def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **self._environment},
            )

    async def wait(self) -> int:
        """Wait until it ends and return its exit code.

        If it ends to be restarted, as its UI can ask for, it is started again.
        """
        while (code := await self._started.wait()) == RESTART_EXIT_CODE:
            await self.start()
        return code

    async def stop(self) -> None:
        """Stop it gracefully.

        If that takes too long, it is killed and HomeAssistantError is raised.
        """
        if self.returncode is None:
            self._started.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._started.wait()
        except TimeoutError:
            await self.kill()
            raise HomeAssistantError("Home Assistant does not stop") from None

    async def kill(self) -> None:
        """End it by SIGKILL: none of its handlers runs, nothing more is written."""
        if self.returncode is None:
            self._started.kill()
        await self._started.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._started.send_signal(number)

    @property
    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise HomeAssistantError("Home Assistant was not started")
        return self._process
