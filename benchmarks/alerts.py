"""Alerts: one by one, and many at once, beside what people use today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from script.lean.instance import Process
from script.lean.meter import Figures

from .contenders import OURS, Contender
from .figures import Chapter, Goal, Table, Wish, medians, ms, times
from .house import House

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
"""From the least to the most, ours last."""

_LONGEST_HOLD = 0.02
_WARM = 20

_ONE_BY_ONE = """\
Contenders take turns in one process and send the same request. The first time is from
the call of the action until the provider has the whole request, the second until the
caller has its answer. Medians; the ratios are to `rest_command`.

The least for us is measured as well: what a sender cannot do without that may neither
lose nor repeat a text. It writes down that it will send, waits until a power cut cannot
undo that, sends by our client (a connection of its own for each request, which is
bounded, never redirected and never repeated), and notes what became of it.
"""

_AT_ONCE = """\
So many calls of the action at the same time, each to another number. The medians of
several rounds in turns; then, in a round of its own, the longest time for which one
callback held the event loop.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is sent: one by one, at once, and in how many rounds of that."""

    alone: int
    together: int
    rounds: int


async def measure(house: House, amounts: Amounts) -> list[Chapter]:
    """Measure both."""
    return [
        await _one_by_one(house, amounts.alone),
        await _at_once(house, amounts),
    ]


async def _one_by_one(house: House, count: int) -> Chapter:
    async with house.live_anew():
        sent = await house.one_by_one(list(_NAMES), count)
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
    wanted: float,
) -> Goal:
    """Return the goal for a time, as a ratio to a peer's."""
    return Goal(
        name=name,
        value=seconds[contender] / seconds[peer],
        wish=Wish.AT_MOST,
        wanted=wanted,
        floor=seconds[Contender.CAREFUL] / seconds[peer],
    )


async def _at_once(house: House, amounts: Amounts) -> Chapter:
    count = amounts.together
    rates: dict[Contender, list[float]] = {contender: [] for contender in _NAMES}
    # In a new process each time: in a minute it would begin to ask about delivery.
    for _ in range(amounts.rounds):
        async with house.live_anew():
            for contender in _NAMES:
                await _warm_up(house, contender)
                rates[contender].append(count / await house.at_once(contender, count))
    async with house.live_anew() as process:
        held = {
            contender: await _held(house, process, contender, count)
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
                        wish=Wish.AT_LEAST,
                        wanted=wanted,
                        floor=rate[Contender.CAREFUL] / rate[other],
                    )
                    for other, wanted in (
                        (Contender.REST_COMMAND, 0.9),
                        (Contender.REST_NOTIFY, 8),
                    )
                ),
                Goal(
                    name=f"{_NAMES[contender]}: event loop held",
                    value=held[contender] * 1000,
                    wish=Wish.AT_MOST,
                    wanted=_LONGEST_HOLD * 1000,
                    unit="ms",
                ),
            )
        ],
    )


async def _warm_up(house: House, contender: Contender) -> None:
    """Let a contender do what it does once, and have nothing left to do."""
    await house.at_once(contender, _WARM)
    await house.ask("tidy")


async def _held(
    house: House, process: Process, contender: Contender, count: int
) -> float:
    """Return the longest that one callback held the event loop meanwhile."""
    await _warm_up(house, contender)
    house.begin_to_measure(process)
    await house.at_once(contender, count)
    return held(await house.measured(process))


def held(figures: Figures) -> float:
    """Return the longest that one callback held the event loop, in seconds.

    Of the processor's time: by the clock, others on the machine would count as well.
    """
    return max((one["processor"] for one in figures["slowest"]), default=0)


def ratios(chapters: Sequence[Chapter]) -> list[Goal]:
    """Return the goals that are ratios: what another machine can be held to."""
    return [goal for one in chapters for goal in one.goals if not goal.unit]
