"""One text to very many numbers in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from script.home_assistant.process import Process
from simulator import Operation, Simulator

from . import system
from .alerts import held
from .figures import Chapter, Direction, Goal, Table, kib, ms
from .instance import MeasuredInstance, title

_TEXT = """\
One call of `sms_italia.send_sms` with that many numbers, until its answer; each in a
new Home Assistant with an empty ledger. The memory is the peak of the process during
the call, less what it had before; the answer lists every number.
"""

_LONGEST_HOLD = 0.02
_LARGEST_GROWTH = 60 * 2**20
_WARM = 50
_ROUNDS = 3
"""The median of them is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """The result of one call: seconds, bytes, bytes, requests, seconds.

    `answer` is the part of the growth that is the action's answer.
    """

    provider: str
    count: int
    took: float
    growth: int
    answer: int
    requests: int
    held: float


async def measure(
    instance: MeasuredInstance, simulator: Simulator, amounts: dict[str, Sequence[int]]
) -> Chapter:
    """Send to that many numbers through each provider."""
    calls: list[_Call] = []
    for provider, counts in amounts.items():
        for count in counts:
            rounds: list[_Call] = []
            for _ in range(_ROUNDS):
                async with instance.run_with_empty_ledger() as process:
                    rounds.append(
                        await _call(instance, process, simulator, provider, count)
                    )
            calls.append(sorted(rounds, key=lambda call: call.took)[_ROUNDS // 2])
    return Chapter(
        title="Many numbers in one call",
        text=_TEXT,
        tables=[
            Table(
                columns=[
                    "Provider",
                    "Numbers",
                    "Time",
                    "A number",
                    "Memory",
                    "Answer alone",
                    "Requests",
                    "Event loop held",
                ],
                rows=[
                    [
                        title(call.provider),
                        f"{call.count:,}",
                        ms(call.took),
                        ms(call.took / call.count),
                        kib(call.growth),
                        kib(call.answer),
                        f"{call.requests:,}",
                        ms(call.held),
                    ]
                    for call in calls
                ],
            )
        ],
        goals=[
            *_memory_goals(calls),
            *_growth_goals(calls),
            *_holding_goals(calls),
        ],
    )


async def _call(
    instance: MeasuredInstance,
    process: Process,
    simulator: Simulator,
    provider: str,
    count: int,
) -> _Call:
    await instance.in_one_call(provider, _WARM)
    await instance.call("tidy")
    before = system.memory(process.pid)
    system.forget_peak(process.pid)
    newest = max((one.number for one in simulator.newest_requests(1)), default=0)
    instance.begin_to_measure(process)
    took = await instance.in_one_call(provider, count)
    slowest = await instance.measured(process)
    growth = system.peak_memory(process.pid) - before
    return _Call(
        provider=provider,
        count=count,
        took=took,
        growth=growth,
        answer=await instance.weigh_answer(),
        requests=sum(
            one.operation is Operation.SEND
            and one.number > newest
            and one.status in {HTTPStatus.OK, HTTPStatus.CREATED}
            for one in simulator.requests.of(provider)
        ),
        held=held(slowest),
    )


def _memory_goals(calls: Sequence[_Call]) -> list[Goal]:
    """Return the goals for the largest calls."""
    largest = max(call.count for call in calls)
    return [
        Goal(
            name=f"{title(call.provider)}: memory for {call.count:,} numbers",
            value=call.growth / 2**20,
            direction=Direction.AT_MOST,
            target=_LARGEST_GROWTH / 2**20,
            unit="MiB",
            floor=call.answer / 2**20,
        )
        for call in calls
        if call.count == largest
    ]


def _holding_goals(calls: Sequence[_Call]) -> list[Goal]:
    """Return the goals for the longest that the event loop was held."""
    return [
        Goal(
            name=f"{title(call.provider)}: event loop held by {call.count:,} numbers",
            value=call.held * 1000,
            direction=Direction.AT_MOST,
            target=_LONGEST_HOLD * 1000,
            unit="ms",
        )
        for call in calls
    ]


def _growth_goals(calls: Sequence[_Call]) -> list[Goal]:
    """Return the goals that a number takes no longer among many."""
    goals: list[Goal] = []
    for provider in dict.fromkeys(call.provider for call in calls):
        costs = [call.took / call.count for call in calls if call.provider == provider]
        goals.append(
            Goal(
                name=f"{title(provider)}: time of a number, most numbers to fewest",
                value=costs[-1] / costs[0],
                direction=Direction.AT_MOST,
                target=1.2,
            )
        )
    return goals
