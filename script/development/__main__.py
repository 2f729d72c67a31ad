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

from simulator import PROVIDERS, Simulator

from . import accounts, camera, features, folder, house, report, trial
from .features import Features
from .home_assistant import (
    HomeAssistant,
    HomeAssistantError,
    wait_until_it_answers,
)
from .ports import Ports, keep, kept
from .processes import Process, free_port, home_assistant

DELIVER_AFTER_SECONDS = 1.0


def main() -> int:
    """Read the arguments; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="script/develop")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--once", action="store_true", help="end after the trial, in a house of its own"
    )
    what.add_argument(
        "--fresh", action="store_true", help="forget the house and begin anew"
    )
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help="of Home Assistant; else a free one")
    arguments = parser.parse_args()
    port: int | None = arguments.port
    place: Path = arguments.folder
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        if arguments.once:
            with tempfile.TemporaryDirectory() as temporary:
                return asyncio.run(_begin(Path(temporary), port, stay=False))
        with place.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("script/develop runs already; it can run once more with --once")
                return 1
            ports = None if arguments.fresh else kept(place)
            if ports is None:
                return asyncio.run(_begin(place, port, stay=True))
            return asyncio.run(_go_on(place, port, ports))
    return 130 if arguments.once else 0


async def _begin(place: Path, port: int | None, *, stay: bool) -> int:
    """Make a house and try everything out once; keep it running if it shall stay."""
    _obey_termination()
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    folder.make(place, port)
    log = place / folder.LOG_FILE
    code = 1
    async with (
        Simulator(
            deliver_after=DELIVER_AFTER_SECONDS,
            provider_ports=dict.fromkeys(PROVIDERS, 0),
        ) as simulator,
        home_assistant(place) as process,
    ):
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_watch(process))
                code = await _try_out(url, simulator, place)
                if code:
                    _print(await asyncio.to_thread(report.log_lines, log))
                if stay:
                    await asyncio.to_thread(keep, place, port, simulator)
                    _print([*report.addresses(url, simulator), "Ctrl-C ends both."])
                    await watch
                watch.cancel()
        except* (HomeAssistantError, aiohttp.ClientError) as group:
            code = 1
            _print(report.received(simulator))
            _print(await asyncio.to_thread(report.log_lines, log))
            _print(["", *(f"FAILED: {err}" for err in group.exceptions)])
    return code


async def _go_on(place: Path, port: int | None, ports: Ports) -> int:
    """Start the house that was kept, with the providers where it knows them."""
    _obey_termination()
    port = port or ports.home_assistant
    url = f"http://127.0.0.1:{port}"
    folder.set_port(place, port)
    try:
        async with (
            Simulator(
                port=ports.simulator,
                deliver_after=DELIVER_AFTER_SECONDS,
                provider_ports=ports.lines,
            ) as simulator,
            home_assistant(place) as process,
            asyncio.TaskGroup() as group,
        ):
            features.prepare(simulator)
            watch = group.create_task(_watch(process))
            async with aiohttp.ClientSession() as session:
                await wait_until_it_answers(session, url, "/manifest.json")
            _print(
                [
                    "The house of last time; script/develop --fresh makes a new one.",
                    *report.addresses(url, simulator),
                    "Ctrl-C ends both.",
                ]
            )
            await watch
    except* HomeAssistantError as group:
        log = place / folder.LOG_FILE
        _print(await asyncio.to_thread(report.log_lines, log))
        _print(["", *(f"FAILED: {err}" for err in group.exceptions)])
    except* OSError as group:
        _print([f"Cannot listen: {err}" for err in group.exceptions])
    return 1


def _obey_termination() -> None:
    """End in good order when the process is asked to terminate."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _watch(process: Process) -> Never:
    """Raise HomeAssistantError when Home Assistant ends by itself."""
    code = await process.wait()
    raise HomeAssistantError(f"Home Assistant ended by itself with exit code {code}")


async def _try_out(url: str, simulator: Simulator, place: Path) -> int:
    """Set everything up through the UI's ways, send, and tell what came of it."""
    start = time.monotonic()
    log = place / folder.LOG_FILE

    def tell(what: str) -> None:
        _print([f"[{time.monotonic() - start:5.1f} s] {what}"])

    features.prepare(simulator)
    async with aiohttp.ClientSession() as session:
        await wait_until_it_answers(session, url)
        tell("Home Assistant answers")
        instance = await HomeAssistant.onboard(session, url)
        await instance.wait_until_running()
        tell("Home Assistant runs, the first user is made")
        made = [
            await accounts.make(instance, simulator, provider) for provider in PROVIDERS
        ]
        tell("four accounts and their recipients are made")
        alarm = await house.furnish(instance, made)
        eye = await camera.make(instance, place)
        tell("the automation, the dashboard and a camera are made")
        result = await trial.run(instance, simulator, made, alarm)
        tell("the trial is over")
        more = Features(
            home_assistant=instance, simulator=simulator, accounts=made, camera=eye
        )
        await more.try_all()
        tell("a picture, an estimate, a schedule and a failover are tried")
        more.faults.extend(
            trial.log_faults(
                simulator,
                made,
                (*trial.PRIVATE_TEXTS, *features.TEXTS),
                await asyncio.to_thread(log.read_text, "utf-8"),
            )
        )
        _print(report.received(simulator))
        _print(report.shown(made, result))
        _print(["", "== what else was tried", *(f"   {line}" for line in more.told)])
        faults = [*result.faults, *more.faults]
        _print(report.verdict(faults))
        return 1 if faults else 0


def _print(lines: Iterable[str]) -> None:
    """Print at once, whoever reads."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
