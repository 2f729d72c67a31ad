"""Measures how long a real Home Assistant's event loop is held under load.

Run by script/load_test, which says more.
"""

import argparse
import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
import json
from pathlib import Path
import sys
import tempfile
import time

import aiohttp
from yarl import URL

from script.development.home_assistant import HomeAssistantError, until
from script.development.processes import free_port
from script.lean.instance import Instance, Process
from script.lean.ledger import read
from script.lean.meter import Figures
from simulator import Message, Operation, Simulator

LONGEST_SECONDS = 0.05
"""What no callback may take of the event loop while delivery callbacks come in."""

CALLBACKS = {"transactionale": 2500, "smshosting": 2500}
CALLBACK_SECONDS = 10
"""The time in which they are posted."""

MANY = 5000
POSTS_AT_ONCE = 50
SETTLE_SECONDS = 120


def main() -> int:
    """Return the exit code."""
    argparse.ArgumentParser(prog="script/load_test").parse_args()
    with (
        suppress(KeyboardInterrupt, asyncio.CancelledError),
        tempfile.TemporaryDirectory() as folder,
    ):
        return asyncio.run(_run(Path(folder)))
    return 130


async def _run(place: Path) -> int:
    """Load a Home Assistant; return 0 if nothing is wrong, else 1."""
    connector = aiohttp.TCPConnector(limit=POSTS_AT_ONCE)
    async with (
        Simulator() as simulator,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        instance = Instance(place, free_port(), session)
        await instance.prepare(simulator, external_url="https://casa.example")
        async with instance.process() as process:
            await instance.wait_until_running(process)
            faults = [
                *await _send_to_many(instance, process, simulator),
                *await _call_back(instance, process, simulator),
            ]
            await process.stop()
    _print(["", *(f"FAILED: {fault}" for fault in faults)])
    return 1 if faults else 0


async def _send_to_many(
    instance: Instance, process: Process, simulator: Simulator
) -> Sequence[str]:
    """Send one text to very many numbers in one call; return what is wrong."""
    instance.begin_to_measure(process)
    begin = time.perf_counter()
    answer = await instance.send("smsviainternet", list(_numbers(MANY)), "A tutti")
    _print([f"One call with {MANY} numbers: {time.perf_counter() - begin:.2f} s"])
    _print(_shown(await instance.measured(process)))
    requests = sum(
        one.operation is Operation.SEND and one.status == HTTPStatus.OK
        for one in simulator.requests.of("smsviainternet")
    )
    if answer is None or answer.messages is None or len(answer.messages) != MANY:
        return [f"the action did not answer for {MANY} numbers"]
    return [] if requests == 1 else [f"{requests} requests instead of one"]


async def _call_back(
    instance: Instance, process: Process, simulator: Simulator
) -> Sequence[str]:
    """Post very many delivery callbacks; return what is wrong."""
    for provider, count in CALLBACKS.items():
        await instance.send(provider, list(_numbers(count)), "A ciascuno")
    messages = [
        simulator.move(one.id, "delivered")
        for key in CALLBACKS
        for one in simulator.messages.of(key)
    ]
    instance.begin_to_measure(process)
    begin = time.perf_counter()
    statuses = await _post_all(instance, messages)
    seconds = time.perf_counter() - begin
    done = await _all_are_delivered(instance, len(messages))
    total = time.perf_counter() - begin
    figures = await instance.measured(process)
    _print(
        [
            "",
            f"{len(messages)} delivery callbacks: posted within {seconds:.1f} s",
            f"  all messages are on record as delivered after {total:.1f} s",
            *_shown(figures),
        ]
    )
    faults = []
    if len(messages) != sum(CALLBACKS.values()):
        faults.append(f"only {len(messages)} messages were accepted")
    if statuses != {HTTPStatus.OK}:
        faults.append(f"callbacks were answered with {statuses}")
    if not done:
        faults.append("delivery callbacks were lost")
    if seconds > CALLBACK_SECONDS:
        faults.append(f"it took more than {CALLBACK_SECONDS} s to post them")
    # On a machine that is busy with others the clock says nothing of us.
    if max(one["processor"] for one in figures["slowest"]) > LONGEST_SECONDS:
        faults.append(f"a callback held the loop for over {LONGEST_SECONDS * 1000} ms")
    return faults


async def _post_all(instance: Instance, messages: Sequence[Message]) -> set[int]:
    """Post each message's callback as its provider would; return the answers."""

    async def post(message: Message) -> int:
        body = {
            "sms_id": int(message.id),
            "phone": message.to[1:],
            "send_time": "2026-11-23T10:00:00+00:00",
            "status_time": "2026-11-23T10:00:01+00:00",
            "status": message.status,
        }
        documented = message.provider == "transactionale"
        return await instance.post(
            URL(message.callback or "").path_qs,
            json.dumps(body).encode() if documented else b"",
        )

    return set(await asyncio.gather(*map(post, messages)))


async def _all_are_delivered(instance: Instance, count: int) -> bool:
    """Wait until the ledger has so many delivered messages; tell whether it came."""

    async def delivered() -> bool | None:
        rows = await asyncio.to_thread(read, instance.ledger)
        return sum(row.status == "delivered" for row in rows) >= count or None

    try:
        return await until(delivered, SETTLE_SECONDS, "all are delivered")
    except HomeAssistantError:
        return False


def _numbers(count: int) -> Iterator[str]:
    """Yield different Italian mobile numbers."""
    for index in range(count):
        yield f"+39333{index:07}"


def _shown(figures: Figures) -> Iterator[str]:
    """Yield what a person reads of the figures."""
    late = figures["late"] * 1000
    yield (
        f"  {figures['callbacks']} callbacks of the event loop; "
        f"a heartbeat was at most {late:.0f} ms late"
    )
    yield "  the loop was held longest by, in ms (processor, clock):"
    for one in figures["slowest"]:
        yield (
            f"  {one['processor'] * 1000:8.1f} {one['clock'] * 1000:8.1f}  "
            f"{one['callback'][:160]}"
        )


def _print(lines: Iterable[str]) -> None:
    """Print at once, whoever reads."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
