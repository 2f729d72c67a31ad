"""Alerts, one by one and many at the same time, beside other ways to send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from script.home_assistant.loop_meter import SlowCallback
from script.home_assistant.process import Process

from .contenders import OURS, Contender
from .figures import Chapter, Direction, Goal, Table, medians, ms, times
from .instance import MeasuredInstance

_NAMES: Mapping[Contender, str] = {
    Contender.BARE: "A bare aiohttp call",
    Contender.BARE_NEW_CONNECTION: "A bare aiohttp call over a new connection",
    Contender.OUR_CLIENT: "Our client alone, 32 requests at a time",
    Contender.CAREFUL: "The same between two notes on disk (the least for us)",
    Contender.REST_COMMAND: "`rest_command`",
    Contender.REST_NOTIFY: "`notify` of the `rest` integration",
    Contender.IDLE_ENTITY: "`notify.send_message` to an entity that does nothing",
    Contender.OUR_ACTION: "**`sms_italia.send_sms`**",
    Contender.OUR_ENTITY: "**`notify.send_message` to a recipient of ours**",
}
"""From the least to the most work, ours last."""

_LONGEST_HOLD = 0.02
_WARM = 20

_ONE_BY_ONE = """\
Contenders take turns in one process and send the same request. The first time is from
the call of the action until the provider has the whole request, the second until the
caller has its answer. Medians; the ratios are to `rest_command`.

The least for us is measured as well: what a sender must do that may neither lose nor
repeat a text. It writes down that it will send, waits until a power cut cannot undo
that, sends by our client (a connection of its own for each request, which is bounded,
never redirected and never repeated), and notes the outcome.
"""

_AT_ONCE = """\
That many calls of the action at the same time, each to another number: the medians of
several rounds in turns; then, in a separate round, the longest time for which one
callback held the event loop.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """The texts sent one by one and at the same time, and the rounds of the latter."""

    alone: int
    together: int
    rounds: int


async def measure(instance: MeasuredInstance, amounts: Amounts) -> list[Chapter]:
    """Measure both."""
    return [
        await _one_by_one(instance, amounts.alone),
        await _at_once(instance, amounts),
    ]


async def _one_by_one(instance: MeasuredInstance, count: int) -> Chapter:
    async with instance.run_with_empty_ledger():
        sent = await instance.one_by_one(list(_NAMES), count)
    arrived = medians(
        list(_NAMES),
        lambda contender: [
            one.arrived
            for one in sent
            if one.contender is contender and one.arrived is not None
        ],
    )
    took = medians(
        list(_NAMES),
        lambda contender: [one.took for one in sent if one.contender is contender],
    )
    return Chapter(
        title=f"One alert, {count} times one by one",
        text=_ONE_BY_ONE,
        tables=[_times_table(arrived, took)],
        goals=[
            goal
            for contender in OURS
            for goal in (
                _ratio(
                    f"{_NAMES[contender]}: request at the provider, to `rest_command`",
                    arrived,
                    contender,
                    Contender.REST_COMMAND,
                    1.25,
                ),
                _ratio(
                    f"{_NAMES[contender]}: answer, to `rest_command`",
                    took,
                    contender,
                    Contender.REST_COMMAND,
                    1.25,
                ),
                _ratio(
                    f"{_NAMES[contender]}: answer, to `notify` of `rest`",
                    took,
                    contender,
                    Contender.REST_NOTIFY,
                    0.5,
                ),
            )
        ],
    )


def _times_table(
    arrived: Mapping[Contender, float], took: Mapping[Contender, float]
) -> Table:
    peer = Contender.REST_COMMAND
    return Table(
        columns=["", "At the provider", "", "Answer", ""],
        rows=[
            [
                name,
                ms(arrived[one]) if one in arrived else "",
                times(arrived[one] / arrived[peer]) if one in arrived else "",
                ms(took[one]),
                times(took[one] / took[peer]),
            ]
            for one, name in _NAMES.items()
        ],
    )


def _ratio(
    name: str,
    seconds: Mapping[Contender, float],
    contender: Contender,
    peer: Contender,
    target: float,
) -> Goal:
    """Return the goal for a time, as a ratio to that of a peer."""
    return Goal(
        name=name,
        value=seconds[contender] / seconds[peer],
        direction=Direction.AT_MOST,
        target=target,
        floor=seconds[Contender.CAREFUL] / seconds[peer],
    )


async def _at_once(instance: MeasuredInstance, amounts: Amounts) -> Chapter:
    count = amounts.together
    rates: dict[Contender, list[float]] = {contender: [] for contender in _NAMES}
    # In a new process each time: after a minute it would begin to poll.
    for _ in range(amounts.rounds):
        async with instance.run_with_empty_ledger():
            for contender in _NAMES:
                await _warm_up(instance, contender)
                rates[contender].append(
                    count / await instance.at_once(contender, count)
                )
    async with instance.run_with_empty_ledger() as process:
        held = {
            contender: await _held(instance, process, contender, count)
            for contender in _NAMES
        }
    rate = medians(list(_NAMES), lambda contender: rates[contender])
    peer = Contender.REST_COMMAND
    return Chapter(
        title=f"{count} alerts at once",
        text=_AT_ONCE,
        tables=[
            Table(
                columns=["", "Alerts a second", "", "Event loop held"],
                rows=[
                    [
                        name,
                        f"{rate[one]:.0f}",
                        times(rate[one] / rate[peer]),
                        ms(held[one]),
                    ]
                    for one, name in _NAMES.items()
                ],
            )
        ],
        goals=[
            goal
            for contender in OURS
            for goal in (
                *(
                    Goal(
                        name=f"{_NAMES[contender]}: rate, to {_NAMES[other]}",
                        value=rate[contender] / rate[other],
                        direction=Direction.AT_LEAST,
                        target=target,
                        floor=rate[Contender.CAREFUL] / rate[other],
                    )
                    for other, target in (
                        (Contender.REST_COMMAND, 0.9),
                        (Contender.REST_NOTIFY, 8),
                    )
                ),
                Goal(
                    name=f"{_NAMES[contender]}: event loop held",
                    value=held[contender] * 1000,
                    direction=Direction.AT_MOST,
                    target=_LONGEST_HOLD * 1000,
                    unit="ms",
                ),
            )
        ],
    )


async def _warm_up(instance: MeasuredInstance, contender: Contender) -> None:
    """Send some texts and finish all work, before anything is measured."""
    await instance.at_once(contender, _WARM)
    await instance.call("tidy")


async def _held(
    instance: MeasuredInstance, process: Process, contender: Contender, count: int
) -> float:
    """Return the longest that one callback held the event loop, in seconds."""
    await _warm_up(instance, contender)
    instance.begin_to_measure(process)
    await instance.at_once(contender, count)
    return held(await instance.measured(process))


def held(slowest: Sequence[SlowCallback]) -> float:
    """Return the longest that one callback held the event loop, in seconds.

    Of the processor's time: by the clock, others on the machine would count as well.
    """
    return max((one["processor"] for one in slowest), default=0)


def ratios(chapters: Sequence[Chapter]) -> list[Goal]:
    """Return the goals that are ratios, which hold on any machine."""
    return [goal for one in chapters for goal in one.goals if not goal.unit]
