"""Alerts, one by one and many at the same time, beside other ways to send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from script.home_assistant.loop_meter import SlowCallback
from script.home_assistant.process import Process

from .contenders import RECIPIENTS, Contender
from .figures import Chapter, Direction, Goal, Table, medians, ms, times
from .instance import Connections, MeasuredInstance
from .slow_disk import SYNC

_NAMES: Mapping[Contender, str] = {
    Contender.CAREFUL: "The least for us",
    Contender.REST_COMMAND: "`rest_command`",
    Contender.REST_NOTIFY: "`notify` of the `rest` integration",
    Contender.OUR_ACTION: "**`sms_italia.send_sms`**",
    Contender.OUR_ENTITY: "**`notify.send_message` to a recipient of ours**",
}
"""From the least to the most work, ours last."""

_WITH_ONE_TEXT: Mapping[Contender, str] = {
    Contender.CAREFUL_ONE_TEXT: "The least for us, all with one text",
    Contender.OUR_ACTION_ONE_TEXT: "**`sms_italia.send_sms`**, all with one text",
}

_OURS = (Contender.OUR_ACTION, Contender.OUR_ENTITY)
_PEER = Contender.REST_COMMAND

_LONGEST_HOLD = 0.02
_WARM = 20

_ONE_BY_ONE = """\
Contenders take turns in one process and send the same request. The first time is from
the call of the action until the provider has the whole request, the second until the
caller has its answer. Medians; the ratios are to `rest_command`. Alerts are rare, so
each finds no connection that is open, and begins with a handshake.

The least for us is measured as well: an action that does what a sender must do that may
neither lose nor repeat a text. It writes down that it will send, so that a kill of the
process cannot undo that, sends by our client while the disk is synced, and notes the
outcome.
"""

_KEPT = """\
The same over a connection that is open, as when the alert before was less than a second
ago.
"""

_AT_ONCE = """\
That many calls of the action at the same time, each to another number: the medians of
several rounds in turns; then, in a separate round, the longest time for which one
callback held the event loop. Where all have one text, the provider gets one request.
"""

_SLOW = f"""\
Each sync of the disk takes {ms(SYNC)} longer, as on the SD card of a small computer.
The ratio is to the same on the disk as it is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """The texts sent one by one and at the same time, and the rounds of the latter."""

    alone: int
    together: int
    rounds: int


async def measure(instance: MeasuredInstance, amounts: Amounts) -> list[Chapter]:
    """Measure one alert, many at the same time, and one for several recipients."""
    return [
        await _one_by_one(instance, amounts.alone),
        await _at_once(instance, amounts),
        await _to_recipients(instance, amounts.alone),
    ]


async def measure_kept(instance: MeasuredInstance, count: int) -> Chapter:
    """Measure one alert over a connection that is open."""
    arrived, took = await _medians(
        instance, list(_NAMES), count, connections=Connections.KEPT
    )
    return Chapter(
        title="One alert over an open connection",
        text=_KEPT,
        tables=[_times_table(arrived, took)],
    )


async def measure_slow_disk(
    instance: MeasuredInstance, slow: Mapping[str, str], count: int
) -> Chapter:
    """Measure one alert of ours on a disk that `slow`, an environment, slows down."""
    _, fast = await _medians(instance, _OURS, count)
    usual = instance.environment
    instance.environment = {**usual, **slow}
    try:
        _, took = await _medians(instance, _OURS, count)
    finally:
        instance.environment = usual
    return Chapter(
        title="One alert on a slow disk",
        text=_SLOW,
        tables=[
            Table(
                columns=["", "Answer", "On a slow disk", ""],
                rows=[
                    [
                        _NAMES[one],
                        ms(fast[one]),
                        ms(took[one]),
                        times(took[one] / fast[one]),
                    ]
                    for one in _OURS
                ],
            )
        ],
        goals=[
            Goal(
                name=f"{_NAMES[one]}: answer on a slow disk, to a fast one",
                value=took[one] / fast[one],
                direction=Direction.AT_MOST,
                target=1.2,
            )
            for one in _OURS
        ],
    )


async def _medians(
    instance: MeasuredInstance,
    contenders: Sequence[Contender],
    count: int,
    *,
    connections: Connections = Connections.NEW,
) -> tuple[Mapping[Contender, float], Mapping[Contender, float]]:
    """Return when texts arrived and how long they took, in seconds."""
    async with instance.run_with_empty_ledger():
        sent = await instance.one_by_one(contenders, count, connections=connections)
    return (
        medians(
            contenders, lambda one: [s.arrived for s in sent if s.contender is one]
        ),
        medians(contenders, lambda one: [s.took for s in sent if s.contender is one]),
    )


async def _one_by_one(instance: MeasuredInstance, count: int) -> Chapter:
    arrived, took = await _medians(instance, list(_NAMES), count)
    return Chapter(
        title=f"One alert, {count} times one by one",
        text=_ONE_BY_ONE,
        tables=[_times_table(arrived, took)],
        goals=[
            goal
            for contender in _OURS
            for goal in (
                _ratio("request at the provider", arrived, contender, 1.8),
                _ratio("answer", took, contender, 2),
            )
        ],
    )


def _times_table(
    arrived: Mapping[Contender, float], took: Mapping[Contender, float]
) -> Table:
    return Table(
        columns=["", "At the provider", "", "Answer", ""],
        rows=[
            [
                name,
                ms(arrived[one]),
                times(arrived[one] / arrived[_PEER]),
                ms(took[one]),
                times(took[one] / took[_PEER]),
            ]
            for one, name in _NAMES.items()
        ],
    )


def _ratio(
    what: str, seconds: Mapping[Contender, float], contender: Contender, target: float
) -> Goal:
    """Return the goal for a time, as a ratio to that of `rest_command`."""
    return Goal(
        name=f"{_NAMES[contender]}: {what}, to {_NAMES[_PEER]}",
        value=seconds[contender] / seconds[_PEER],
        direction=Direction.AT_MOST,
        target=target,
        floor=seconds[Contender.CAREFUL] / seconds[_PEER],
    )


async def _at_once(instance: MeasuredInstance, amounts: Amounts) -> Chapter:
    count = amounts.together
    names = {**_NAMES, **_WITH_ONE_TEXT}
    rates: dict[Contender, list[float]] = {contender: [] for contender in names}
    # In a new process each time: after a minute it would begin to poll.
    for _ in range(amounts.rounds):
        async with instance.run_with_empty_ledger():
            for contender in names:
                await _warm_up(instance, contender)
                rates[contender].append(
                    count / await instance.at_once(contender, count)
                )
    async with instance.run_with_empty_ledger() as process:
        held = {
            contender: await _held(instance, process, contender, count)
            for contender in names
        }
    rate = medians(list(names), lambda contender: rates[contender])
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
                        times(rate[one] / rate[_PEER]),
                        ms(held[one]),
                    ]
                    for one, name in names.items()
                ],
            )
        ],
        goals=[*_rate_goals(names, rate), *_holding_goals(names, held)],
    )


def _rate_goals(
    names: Mapping[Contender, str], rate: Mapping[Contender, float]
) -> list[Goal]:
    """Return the goals for alerts a second, as ratios to those of peers."""
    wanted = [
        (one, least, peer, target)
        for one, least, targets in (
            *((one, Contender.CAREFUL, (0.8, 4)) for one in _OURS),
            (Contender.OUR_ACTION_ONE_TEXT, Contender.CAREFUL_ONE_TEXT, (3, 8)),
        )
        for peer, target in zip((_PEER, Contender.REST_NOTIFY), targets, strict=True)
    ]
    return [
        Goal(
            name=f"{names[one]}: rate, to {names[peer]}",
            value=rate[one] / rate[peer],
            direction=Direction.AT_LEAST,
            target=target,
            floor=rate[least] / rate[peer],
        )
        for one, least, peer, target in wanted
    ]


def _holding_goals(
    names: Mapping[Contender, str], held: Mapping[Contender, float]
) -> list[Goal]:
    """Return the goals for the longest that the event loop was held."""
    return [
        Goal(
            name=f"{names[one]}: event loop held",
            value=held[one] * 1000,
            direction=Direction.AT_MOST,
            target=_LONGEST_HOLD * 1000,
            unit="ms",
        )
        for one in (*_OURS, Contender.OUR_ACTION_ONE_TEXT)
    ]


async def _to_recipients(instance: MeasuredInstance, count: int) -> Chapter:
    async with instance.run_with_empty_ledger():
        answer = await instance.to_recipients(count)
    one, several = median(answer["one"]), median(answer["several"])
    return Chapter(
        title=f"One action for {RECIPIENTS} recipients",
        text="`notify.send_message`, until its answer; each action is one request.\n",
        tables=[
            Table(
                columns=["Recipients", "Answer", ""],
                rows=[
                    ["1", ms(one), times(1)],
                    [f"{RECIPIENTS}", ms(several), times(several / one)],
                ],
            )
        ],
        goals=[
            Goal(
                name=f"{RECIPIENTS} recipients in one action, to one",
                value=several / one,
                direction=Direction.AT_MOST,
                target=1.5,
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
