"""Kills a real Home Assistant while it sends, again and again.

Run by script/kill_test, which says more.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
import random
import signal
import sys
import tempfile

import aiohttp

from script.development.home_assistant import HomeAssistantError, until
from script.development.processes import free_port
from script.lean.instance import Instance
from script.lean.ledger import Row, read, read_after_kill
from simulator import Simulator

from .storm import Plan, Storm, raise_storm
from .verdict import Evidence, faults, is_settled

DELIVER_AFTER_SECONDS = 0.3
SETTLE_SECONDS = 120
LONGEST_FIRST_LIFE = 4.0
"""A start that is killed, too, is killed within so many seconds."""
SHOWN_LOG_LINES = 30


def main() -> int:
    """Read the arguments; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="script/kill_test")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=200, help="in each round")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(1_000_000),
        help="to have the same instants again",
    )
    arguments = parser.parse_args()
    _print([f"seed {arguments.seed}"])
    chance = random.Random(arguments.seed)  # noqa: S311 - no secret
    with (
        suppress(KeyboardInterrupt, asyncio.CancelledError),
        tempfile.TemporaryDirectory() as folder,
    ):
        return asyncio.run(
            _run(Path(folder), chance, arguments.rounds, arguments.messages)
        )
    return 130


async def _run(place: Path, chance: random.Random, rounds: int, messages: int) -> int:
    """Kill so many times; return 0 if nothing was lost or sent twice, else 1."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with (
        Simulator(deliver_after=DELIVER_AFTER_SECONDS) as simulator,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True)
        ) as session,
    ):
        instance = Instance(place, free_port(), session)
        try:
            await instance.prepare(simulator)
            _print(["four accounts are made"])
            found = await _kill_again_and_again(
                instance, simulator, chance, rounds, messages
            )
        except (HomeAssistantError, aiohttp.ClientError) as err:
            found = [str(err)]
        if found:
            lines = await asyncio.to_thread(instance.log.read_text, "utf-8", "replace")
            _print(["", "== the end of Home Assistant's log"])
            _print(lines.splitlines()[-SHOWN_LOG_LINES:])
            _print(["", *(f"FAILED: {fault}" for fault in found)])
            return 1
    _print([f"{rounds} kills: nothing lost, nothing sent twice."])
    return 0


async def _kill_again_and_again(
    instance: Instance,
    simulator: Simulator,
    chance: random.Random,
    rounds: int,
    messages: int,
) -> Sequence[str]:
    """Live from kill to kill; return what is wrong as soon as something is.

    The ledger and the providers remember all rounds, and all are looked at each time.
    """
    storms: list[Storm] = []
    for number in range(1, rounds + 1):
        async with instance.process() as process:
            await instance.wait_until_running(process)
            plan = Plan.make(chance, f"Prova {number}", messages)
            storm = await raise_storm(instance, process, simulator, plan)
        storms.append(storm)
        at_kill = await asyncio.to_thread(read_after_kill, instance.ledger)
        if chance.random() < 1 / 3:
            # The start itself, and what it takes up again, is killed as well.
            async with instance.process():
                await asyncio.sleep(chance.uniform(0, LONGEST_FIRST_LIFE))
        async with instance.process() as process:
            await instance.wait_until_running(process)
            now = await _settled(instance)
        evidence = Evidence(
            calls=[call for each in storms for call in each.calls],
            at_kill=at_kill,
            now=now,
            carriers={
                entry_id: provider for provider, entry_id in instance.accounts.items()
            },
        )
        _print([_line(number, storm, now)])
        found = list(faults(evidence, simulator))
        if aside := [*instance.ledger.parent.glob("*.set_aside*")]:
            found.append(f"a ledger was set aside: {aside}")
        if found:
            return found
    return []


async def _settled(instance: Instance) -> Sequence[Row]:
    """Wait until nothing is on its way, and return the ledger; what it is if never."""
    rows: Sequence[Row] = ()

    async def settled() -> bool | None:
        nonlocal rows
        rows = await asyncio.to_thread(read, instance.ledger)
        return is_settled(rows) or None

    with suppress(HomeAssistantError):
        await until(settled, SETTLE_SECONDS, "all messages have come to an end")
    return rows


def _line(number: int, storm: Storm, now: Sequence[Row]) -> str:
    """Return what is told of a round."""
    answered = sum(call.answer is not None for call in storm.calls)
    statuses = Counter(row.status for row in now)
    shown = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    return (
        f"round {number}: killed {storm.seconds:.2f} s and {storm.requests} requests "
        f"into {len(storm.calls)} calls, {answered} of them answered; "
        f"the ledger in all: {shown}"
    )


def _print(lines: Iterable[str]) -> None:
    """Print at once, whoever reads."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
