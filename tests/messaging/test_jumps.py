"""A wall clock that is set, at any moment: nothing waits longer or shorter for it.

Hours go by in no time: the event loop of these tests does not wait.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from operator import mul
from pathlib import Path
import random
import selectors
from typing import Any, override

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging import Event, MessagesChanged, Timing
from custom_components.sms_italia.providers import Status

from .fake import ONE, Call, Operation
from .helpers import NUMBER, OTHER, Harness, Time

HOUR = 3600
NOON = 1_794_657_600.0
NOTICED = 30
"""Seconds within which a clock that was set is noticed."""


class NoWait(selectors.DefaultSelector):
    """Lets time go by instead of waiting, unless a thread is at work."""

    def __init__(self) -> None:
        """Start at 0."""
        super().__init__()
        self.now = 0.0
        self.threads = 0

    @override
    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready, or let the time go by in which nothing happens."""
        if self.threads or timeout is None:
            return super().select(None if timeout is None or timeout > 0 else 0)
        ready = super().select(0)
        if not ready:
            self.now += max(0, timeout)
        return ready


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its selector."""

    def __init__(self) -> None:
        """Start at 0."""
        self._fast = NoWait()
        super().__init__(self._fast)

    @override
    def time(self) -> float:
        """Return the seconds that went by."""
        return self._fast.now

    @override
    def run_in_executor[*Ts, R](
        self, executor: Executor | None, func: Callable[[*Ts], R], *args: *Ts
    ) -> asyncio.Future[R]:
        """Let no time go by while a thread is at work."""
        self._fast.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._end_thread)
        return future

    @override
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Let no time go by meanwhile."""
        self._fast.threads += 1
        await super().shutdown_default_executor(timeout)

    def _end_thread(self, _: object) -> None:
        self._fast.threads -= 1


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock is set forward by so many seconds, at a moment of the loop."""

    at: float
    by: float


class JumpingTime(Time):
    """The loop's time, and a wall clock that jumps."""

    def __init__(self, jumps: Sequence[Jump]) -> None:
        """Start at noon."""
        super().__init__()
        self._jumps = jumps

    @override
    def now(self) -> float:
        """Return what the wall clock shows."""
        return self.wall(self.steady())

    @override
    def steady(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def wall(self, moment: float) -> float:
        """Return what the wall clock shows at a moment of the loop."""
        return NOON + moment + sum(one.by for one in self._jumps if one.at <= moment)


class Calls(list[Call]):
    """What providers were asked, and when."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self.times: list[tuple[str, float]] = []

    @override
    def append(self, call: Call) -> None:
        """Add a call that comes now."""
        super().append(call)
        self.times.append((call.operation, asyncio.get_running_loop().time()))


type Course = list[tuple[str, float]]
"""Each request and each change of a status, with the moment of the loop."""
type Scenario = Callable[[Harness], Coroutine[Any, Any, None]]


@cache
def undisturbed(scenario: Scenario) -> Course:
    """Return what a scenario leads to while nobody sets the clock."""
    return course(scenario)


def course(scenario: Scenario, *jumps: Jump) -> Course:
    """Return what a scenario leads to while the wall clock jumps like this."""

    async def go() -> Course:
        harness, calls = Harness.build(Path()), Calls()
        harness.time, harness.calls = JumpingTime(jumps), calls
        harness.use(timing=Timing(), ledger=Path(":memory:"))
        harness.messenger.events.listen(ONE, note)
        try:
            await scenario(harness)
        finally:
            await harness.messenger.close()
        return calls.times + statuses

    statuses: Course = []

    def note(event: Event) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(event, MessagesChanged):
            statuses.extend((one.status, now) for one in event.status_changed)

    # Pauses are spread at random.
    random.seed(1)
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        return runner.run(go())


MOMENTS = st.integers(0, 2 * HOUR).map(float)
STEPS = st.sampled_from((2, 40, 600, HOUR, 3 * HOUR, 24 * HOUR, 9_000 * HOUR))
JUMPS = st.lists(
    st.builds(Jump, at=MOMENTS, by=st.builds(mul, STEPS, st.sampled_from((1, -1)))),
    max_size=4,
)


# Whatever nobody set by the clock


@cache
def outage(end: float) -> Scenario:
    """Return messages that wait for the line, for so long; one is never delivered."""

    async def go(harness: Harness) -> None:
        harness.line.down()
        await harness.attach(ONE, line=harness.line, bundle_after=0)
        for number in (NUMBER, OTHER):
            await harness.one(ONE, number)
        await asyncio.sleep(end)
        harness.line.up()
        await asyncio.sleep(4 * HOUR)

    return go


async def storm(harness: Harness) -> None:
    """Send more to one number than leaves at once."""
    await harness.attach(ONE, bundle_after=2)
    for seconds in (0, 0, 20, 10, 100):
        await asyncio.sleep(seconds)
        await harness.one(ONE, text=f"Allarme {seconds}")
    await asyncio.sleep(HOUR)


@settings(max_examples=25, deadline=None)
@given(jumps=JUMPS, end=st.sampled_from((90, 1800, 2 * HOUR)))
def test_no_jump_makes_what_waits_for_a_line_wait_longer_or_shorter(
    jumps: list[Jump], end: float
) -> None:
    quiet = undisturbed(outage(end))
    assert course(outage(end), *jumps) == quiet
    ends = [moment for status, moment in quiet if status == Status.EXPIRED]
    assert ends == [pytest.approx(HOUR, abs=1)] * (2 if end > HOUR else 0)


@settings(max_examples=10, deadline=None)
@given(jumps=JUMPS)
def test_no_jump_changes_what_a_storm_brake_holds_and_for_how_long(
    jumps: list[Jump],
) -> None:
    assert course(storm, *jumps) == undisturbed(storm)
    texts = sum(what == Operation.SEND for what, _ in undisturbed(storm))
    assert texts == 4


# What is for later


def for_later(send_at: float) -> Scenario:
    """Return a message that is to leave so many seconds after noon."""

    async def go(harness: Harness) -> None:
        await harness.attach(ONE)
        await harness.send(ONE, send_at=NOON + send_at)
        await asyncio.sleep(5 * HOUR)

    return go


@settings(max_examples=50, deadline=None)
@given(jumps=JUMPS, send_at=st.sampled_from((5, HOUR, 4 * HOUR)))
def test_a_message_for_later_leaves_once_when_the_wall_clock_shows_its_time(
    jumps: list[Jump], send_at: float
) -> None:
    time = JumpingTime(jumps)
    shown = [
        moment
        for moment in range(5 * HOUR - NOTICED - 1)
        if all(time.wall(moment + more) >= NOON + send_at for more in range(NOTICED))
    ]
    sent = [
        moment
        for operation, moment in course(for_later(send_at), *jumps)
        if operation == Operation.SEND
    ]
    # It may also leave in the last minute, which nobody looks at.
    assert bool(shown) <= len(sent) <= 1
    for moment in sent:
        assert time.wall(moment) >= NOON + send_at - 0.001
        assert not shown or moment <= shown[0] + NOTICED + 1
