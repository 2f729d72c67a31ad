"""Kills a real Home Assistant while it sends, round after round.

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

from script.home_assistant.lean import LeanInstance
from script.home_assistant.ledger import Row, read, read_after_kill, read_runs
from script.home_assistant.waiting import HomeAssistantError, until
from simulator import Simulator

from .burst import Burst, Plan, send_and_kill
from .checks import Evidence, faults, is_settled

DELIVER_AFTER_SECONDS = 0.3
SETTLE_SECONDS = 120
LONGEST_START = 4.0
"""Seconds after which a start that is killed, too, is killed at the latest."""
SHOWN_LOG_LINES = 30


def main() -> int:
    """Read the arguments; return the exit code."""
    parser = argparse.ArgumentParser(prog="script/kill_test")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=200, help="in each round")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(1_000_000),
        help="for the same instants again",
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


async def _run(folder: Path, chance: random.Random, rounds: int, messages: int) -> int:
    """Run the rounds; return 0 if nothing was lost or sent twice, else 1."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with (
        Simulator(deliver_after=DELIVER_AFTER_SECONDS) as simulator,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True)
        ) as session,
    ):
        instance = LeanInstance(folder, session)
        try:
            await instance.prepare(simulator)
            _print(["the accounts are set up"])
            found = await _run_rounds(instance, simulator, chance, rounds, messages)
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


async def _run_rounds(
    instance: LeanInstance,
    simulator: Simulator,
    chance: random.Random,
    rounds: int,
    messages: int,
) -> Sequence[str]:
    """Run the rounds; return the faults of the first that has any.

    The ledger and the providers keep all rounds, and all are checked each time.
    """
    bursts: list[Burst] = []
    for number in range(1, rounds + 1):
        async with instance.run() as process:
            await instance.wait_until_running(process)
            plan = Plan.make(chance, f"Prova {number}", messages)
            burst = await send_and_kill(instance, process, simulator, plan)
        bursts.append(burst)
        at_kill = await asyncio.to_thread(read_after_kill, instance.ledger)
        if chance.random() < 1 / 3:
            # The start itself, and what it resumes, is killed as well.
            async with instance.run() as process:
                await asyncio.sleep(chance.uniform(0, LONGEST_START))
                await process.kill()
        async with instance.run() as process:
            await instance.wait_until_running(process)
            now = await _settled(instance)
            await process.kill()
        evidence = Evidence(
            calls=[call for each in bursts for call in each.calls],
            alarms=[alarm for each in bursts for alarm in each.alarms],
            runs=await asyncio.to_thread(read_runs, instance.ledger),
            at_kill=at_kill,
            now=now,
            providers={
                entry_id: provider for provider, entry_id in instance.accounts.items()
            },
        )
        _print([_line(number, burst, now)])
        found = list(faults(evidence, simulator))
        if aside := [*instance.ledger.parent.glob("*.set_aside*")]:
            found.append(f"a ledger was set aside: {aside}")
        if found:
            return found
    return []


async def _settled(instance: LeanInstance) -> Sequence[Row]:
    """Wait until no message is open, or for the timeout, and return the ledger.

    The escalation is acknowledged, so that it calls nobody else meanwhile.
    """
    rows: Sequence[Row] = ()

    async def settled() -> bool | None:
        nonlocal rows
        if not await instance.acknowledge():
            return None
        rows = await asyncio.to_thread(read, instance.ledger)
        return is_settled(rows) or None

    with suppress(HomeAssistantError):
        await until(settled, SETTLE_SECONDS, "no message is open")
    return rows


def _line(number: int, burst: Burst, now: Sequence[Row]) -> str:
    """Return the printed line of a round."""
    answered = sum(call.answer is not None for call in burst.calls)
    statuses = Counter(row.status for row in now)
    shown = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    return (
        f"round {number}: killed {burst.seconds:.2f} s and {burst.requests} requests "
        f"into {len(burst.calls)} calls, {answered} of them answered, "
        f"and {len(burst.alarms)} to the escalation; "
        f"the ledger in all: {shown}"
    )


def _print(lines: Iterable[str]) -> None:
    """Print and flush, also into a pipe."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
