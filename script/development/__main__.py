"""Sets up a Home Assistant with four accounts, sends through them and stays.

Run by script/develop, which says more.
"""

import argparse
import asyncio
from collections.abc import Iterable
from contextlib import suppress
import fcntl
from pathlib import Path
import signal
import sys
import tempfile
import time
from typing import Never

import aiohttp

from simulator import Provider, Simulator

from . import accounts, folder, house, report, trial
from .home_assistant import (
    HomeAssistant,
    HomeAssistantError,
    wait_until_it_answers,
)
from .processes import free_port, home_assistant

DELIVER_AFTER_SECONDS = 1.0


def main() -> int:
    """Read the arguments; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="script/develop")
    parser.add_argument("--once", action="store_true", help="end after the trial")
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help="of Home Assistant; else a free one")
    arguments = parser.parse_args()
    port: int = arguments.port or free_port()
    place: Path = arguments.folder
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        if not arguments.once:
            with place.with_suffix(".lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    print(
                        "script/develop runs already; it can run once more with --once"
                    )
                    return 1
                return asyncio.run(_develop(place, port, stay=True))
        with tempfile.TemporaryDirectory() as temporary:
            return asyncio.run(_develop(Path(temporary), port, stay=False))
    return 130 if arguments.once else 0


async def _develop(place: Path, port: int, *, stay: bool) -> int:
    """Do everything once, and keep it running if it shall stay."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    url = f"http://127.0.0.1:{port}"
    folder.make(place, port)
    log = place / folder.LOG_FILE
    code = 1
    async with (
        Simulator(deliver_after=DELIVER_AFTER_SECONDS) as simulator,
        home_assistant(place) as process,
    ):
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_watch(process))
                code = await _try_out(url, simulator, log)
                if code:
                    _print(await asyncio.to_thread(report.log_lines, log))
                if stay:
                    _print([*report.addresses(url, simulator), "Ctrl-C ends both."])
                    await watch
                watch.cancel()
        except* (HomeAssistantError, aiohttp.ClientError) as group:
            code = 1
            _print(report.received(simulator))
            _print(await asyncio.to_thread(report.log_lines, log))
            _print(["", *(f"FAILED: {err}" for err in group.exceptions)])
    return code


async def _watch(process: asyncio.subprocess.Process) -> Never:
    """Raise HomeAssistantError when Home Assistant ends by itself."""
    code = await process.wait()
    raise HomeAssistantError(f"Home Assistant ended by itself with exit code {code}")


async def _try_out(url: str, simulator: Simulator, log: Path) -> int:
    """Set everything up through the UI's ways, send, and tell what came of it."""
    start = time.monotonic()

    def tell(what: str) -> None:
        _print([f"[{time.monotonic() - start:5.1f} s] {what}"])

    async with aiohttp.ClientSession() as session:
        await wait_until_it_answers(session, url)
        tell("Home Assistant answers")
        instance = await HomeAssistant.onboard(session, url)
        await instance.wait_until_running()
        tell("Home Assistant runs, the first user is made")
        made = [
            await accounts.make(instance, simulator, provider) for provider in Provider
        ]
        tell("four accounts and their recipients are made")
        alarm = await house.furnish(instance, made)
        tell("the automation and the dashboard are made")
        result = await trial.run(instance, simulator, made, alarm, log)
        tell("the trial is over")
        _print(report.received(simulator))
        _print(report.shown(made, result))
        _print(report.verdict(result))
        return 1 if result.faults else 0


def _print(lines: Iterable[str]) -> None:
    """Print at once, whoever reads."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
