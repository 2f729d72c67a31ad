"""Sets up an instance with an account at each provider, tries them and stays.

Run by script/develop, which says more.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
import fcntl
from pathlib import Path
import signal
import sys
import tempfile
import time
from typing import Never

import aiohttp

from script import publication
from script.home_assistant import accounts, configuration
from script.home_assistant.client import Client, wait_until_served
from script.home_assistant.instance import Instance
from script.home_assistant.process import Process
from script.home_assistant.waiting import HomeAssistantError
from simulator import PROVIDERS, Simulator

from . import alarm, camera, escalation, features, ports, report, trial
from .escalation import Escalation
from .features import Features
from .ports import Ports

DELIVER_AFTER_SECONDS = 1.0

type _Start = Callable[[Instance, Simulator], Awaitable[int]]
"""What is done with a running instance; returns the exit code."""


def main() -> int:
    """Read the arguments; return the exit code."""
    parser = argparse.ArgumentParser(prog="script/develop")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--once", action="store_true", help="a temporary instance; end after the trial"
    )
    what.add_argument(
        "--fresh", action="store_true", help="replace the instance of last time"
    )
    what.add_argument(
        "--empty", action="store_true", help="as --fresh, without accounts and trial"
    )
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help="of Home Assistant; else a free one")
    arguments = parser.parse_args()
    port: int | None = arguments.port
    folder: Path = arguments.folder
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        if arguments.once:
            with tempfile.TemporaryDirectory() as temporary:
                return asyncio.run(_once(Instance(Path(temporary), port)))
        with folder.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("script/develop runs already; --once can run beside it")
                return 1
            known = None if arguments.fresh or arguments.empty else ports.load(folder)
            if known is None:
                start = _onboard if arguments.empty else _try_out
                return asyncio.run(_stay(Instance(folder, port), start))
            instance = Instance(folder, port or known.home_assistant)
            return asyncio.run(_start_again(instance, known))
    return 130 if arguments.once else 0


async def _once(instance: Instance) -> int:
    """Install the zip of a release, try everything, and end."""
    instance.create()
    await asyncio.to_thread(_install_zip, instance.folder)
    return await _run(instance, _try_out)


def _install_zip(configuration: Path) -> None:
    """Build the zip of a release and install it in the place of the source."""
    archive = configuration / publication.zip_name(publication.ROOT)
    publication.build(publication.ROOT, archive)
    publication.install(archive, configuration)


async def _stay(instance: Instance, start: _Start) -> int:
    """Set up an instance by `start`, and keep it running."""

    async def stay(instance: Instance, simulator: Simulator) -> int:
        code = await start(instance, simulator)
        await asyncio.to_thread(ports.save, instance, simulator)
        _print([*report.addresses(instance.url, simulator), "Ctrl-C ends both."])
        await asyncio.Event().wait()
        return code

    instance.create()
    return await _run(instance, stay)


async def _run(instance: Instance, work: _Start) -> int:
    """Run the providers and an instance that was created; return what `work` does."""
    _obey_termination()
    code = 1
    async with (
        Simulator(
            deliver_after=DELIVER_AFTER_SECONDS,
            provider_ports=dict.fromkeys(PROVIDERS, 0),
        ) as simulator,
        instance.run() as process,
    ):
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_watch(process))
                code = await work(instance, simulator)
                watch.cancel()
        except* (HomeAssistantError, aiohttp.ClientError) as group:
            code = 1
            _print(report.received(simulator))
            _print(await asyncio.to_thread(report.log_lines, instance.log))
            _print(["", *(f"FAILED: {err}" for err in group.exceptions)])
    return code


async def _start_again(instance: Instance, known: Ports) -> int:
    """Start the instance of last time, with the providers at the ports it knows."""
    _obey_termination()
    configuration.set_port(instance.folder, instance.port)
    instance.log.unlink(missing_ok=True)
    try:
        async with (
            Simulator(
                port=known.simulator,
                deliver_after=DELIVER_AFTER_SECONDS,
                provider_ports=known.providers,
            ) as simulator,
            instance.run() as process,
            asyncio.TaskGroup() as group,
        ):
            features.prepare(simulator)
            watch = group.create_task(_watch(process))
            async with aiohttp.ClientSession() as session:
                await wait_until_served(session, instance.url, "/manifest.json")
            _print(
                [
                    "The instance of last time; script/develop --fresh replaces it.",
                    *report.addresses(instance.url, simulator),
                    "Ctrl-C ends both.",
                ]
            )
            await watch
    except* HomeAssistantError as group:
        _print(await asyncio.to_thread(report.log_lines, instance.log))
        _print(["", *(f"FAILED: {err}" for err in group.exceptions)])
    except* OSError as group:
        _print([f"Cannot listen: {err}" for err in group.exceptions])
    return 1


def _obey_termination() -> None:
    """Cancel the current task at SIGTERM, so that all is stopped gracefully."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _watch(process: Process) -> Never:
    """Raise HomeAssistantError when Home Assistant ends by itself."""
    code = await process.wait()
    raise HomeAssistantError(f"Home Assistant ended by itself with exit code {code}")


async def _onboard(instance: Instance, simulator: Simulator) -> int:
    """Create the first user, and no account."""
    features.prepare(simulator)
    async with aiohttp.ClientSession() as session:
        await wait_until_served(session, instance.url)
        client = await Client.onboard(session, instance.url)
        await client.wait_until_running()
    return 0


async def _try_out(instance: Instance, simulator: Simulator) -> int:
    """Set up accounts as the UI does, send, and print what was found."""
    start = time.monotonic()

    def progress(what: str) -> None:
        _print([f"[{time.monotonic() - start:5.1f} s] {what}"])

    features.prepare(simulator)
    async with aiohttp.ClientSession() as session:
        await wait_until_served(session, instance.url)
        progress("Home Assistant answers")
        client = await Client.onboard(session, instance.url)
        await client.wait_until_running()
        progress("Home Assistant runs, the first user is created")
        created = [
            await accounts.create(client, simulator, provider) for provider in PROVIDERS
        ]
        progress(f"{len(created)} accounts and their recipients are set up")
        alarm_entity = await alarm.create(client, created)
        camera_entity = await camera.create(client, instance.folder)
        run = Escalation(
            client=client,
            simulator=simulator,
            members=escalation.members_among(created),
            entities=await escalation.create(client, created),
        )
        progress(
            "the automation, the dashboard, a camera and an escalation are created"
        )
        result = await trial.run(client, simulator, created, alarm_entity)
        progress("the trial is over")
        more = Features(
            client=client,
            simulator=simulator,
            accounts=created,
            camera=camera_entity,
        )
        await run.begin()
        await more.try_all()
        progress("a picture, an estimate, a schedule and a failover are tried")
        await run.acknowledge()
        progress(
            "the escalation called one member, then the other, and is acknowledged"
        )
        more.faults.extend(
            trial.log_faults(
                simulator,
                created,
                (*trial.PRIVATE_TEXTS, *features.TEXTS, escalation.TEXT),
                await asyncio.to_thread(instance.log.read_text, "utf-8"),
            )
        )
        _print(report.received(simulator))
        _print(report.shown(created, result))
        notes = [*more.notes, *run.notes]
        _print(["", "== what else was tried", *(f"   {line}" for line in notes)])
        faults = [*result.faults, *more.faults, *run.faults]
        _print(report.verdict(faults))
        if faults:
            _print(await asyncio.to_thread(report.log_lines, instance.log))
        return 1 if faults else 0


def _print(lines: Iterable[str]) -> None:
    """Print and flush, also into a pipe."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
