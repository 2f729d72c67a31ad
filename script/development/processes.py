"""Home Assistant as a child process that never outlives this one's work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import socket
import sys

from .folder import LOG_FILE
from .requirements import not_built

STOP_SECONDS = 30


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def home_assistant(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run Home Assistant on a configuration folder; stop it at the end.

    It stands in a session of its own, so that Ctrl-C reaches only us and we stop it
    in good order. What it prints goes to the log file in the folder.
    """
    arguments = ["-m", "homeassistant", "--config", str(folder), "--log-no-color"]
    if missing := not_built():
        arguments += ["--skip-pip-packages", ",".join(missing)]
    with (folder / LOG_FILE).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the process: politely, then not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
