"""Home Assistant as a child process that never outlives this one's work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import socket
import sys

from homeassistant.const import RESTART_EXIT_CODE

from .folder import LOG_FILE
from .requirements import not_built

STOP_SECONDS = 30


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """Home Assistant on a configuration folder; started again when it asks for it.

    It stands in a session of its own, so that Ctrl-C reaches only us and we stop it
    in good order. What it prints goes to the log file in the folder.
    """

    def __init__(self, folder: Path) -> None:
        """Run on this folder; nothing is started yet."""
        self._log = folder / LOG_FILE
        self._arguments = [
            "-m",
            "homeassistant",
            "--config",
            str(folder),
            "--log-no-color",
        ]
        if missing := not_built():
            self._arguments += ["--skip-pip-packages", ",".join(missing)]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def returncode(self) -> int | None:
        """With what it ended, None if it runs or was never started."""
        return None if self._process is None else self._process.returncode

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
            )

    async def wait(self) -> int:
        """Keep it running until it ends for good; return its exit code.

        A restart from its UI is an end too: who runs it is asked to start it again.
        """
        while self._process is not None:
            code = await self._process.wait()
            if code != RESTART_EXIT_CODE:
                return code
            await self.start()
        return 0

    async def stop(self) -> None:
        """End it: politely, then not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def home_assistant(folder: Path) -> AsyncIterator[Process]:
    """Run Home Assistant on a configuration folder; stop it at the end."""
    (folder / LOG_FILE).unlink(missing_ok=True)
    process = Process(folder)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
