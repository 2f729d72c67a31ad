"""Work that happens later or beside: alarms ring once, tasks end before all does."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from inspect import signature
from typing import override

import pytest

from custom_components.sms_italia.messaging.alarm import Alarm, ClockWatch, Tasks

from .helpers import Time, until

SOON = 0.02
LATER = 3600


class Stopped(Time):
    """A time that moves only by hand."""

    @override
    def now(self) -> float:
        """Return the seconds by which the clock was set."""
        return self.shift

    @override
    def steady(self) -> float:
        """Return the seconds that passed by."""
        return self.passed


class Ringing:
    """An alarm by a clock that stands still, and how often it rang."""

    def __init__(self, look_again: float = LATER) -> None:
        """Start unset."""
        self.time = Stopped()
        self.count = 0
        self.moment: float | None = None
        """What is due then; it is set again as long as it is not."""
        self.alarm = Alarm(self.time.clock(), self._ring, look_again)

    def has_rung(self, times: int = 1) -> bool:
        """Return whether it rang so often, and no more."""
        return self.count == times

    def _ring(self) -> None:
        self.count += 1
        if self.moment is not None and self.moment > self.time.now():
            self.alarm.set(self.moment)


@pytest.fixture
async def ringing() -> AsyncGenerator[Ringing]:
    """Return an alarm that is stopped after the test."""
    ringing = Ringing()
    yield ringing
    ringing.alarm.stop()


async def a_while() -> None:
    """Wait for longer than it takes to ring soon."""
    await asyncio.sleep(SOON * 3)


# Alarms


async def test_an_alarm_rings_once_at_its_moment(ringing: Ringing) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    ringing.alarm.set(SOON)
    await asyncio.sleep(0)
    assert ringing.has_rung(0)
    await until(lambda: ringing.count)
    assert loop.time() - begin >= SOON
    await a_while()
    assert ringing.has_rung()


@pytest.mark.parametrize("moment", [0, -LATER])
async def test_what_is_due_rings_at_once_but_not_within_the_call(
    ringing: Ringing, moment: float
) -> None:
    ringing.alarm.set(moment)
    assert ringing.has_rung(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ringing.has_rung()


@pytest.mark.parametrize("moments", [(SOON, LATER), (LATER, SOON), (SOON, SOON)])
async def test_the_earliest_moment_wins_and_the_alarm_rings_once(
    ringing: Ringing, moments: tuple[float, float]
) -> None:
    for moment in moments:
        ringing.alarm.set(moment)
    await until(lambda: ringing.count)
    await a_while()
    assert ringing.has_rung()


async def test_an_alarm_can_be_set_again_when_it_has_rung(ringing: Ringing) -> None:
    for times in (1, 2, 3):
        ringing.alarm.set(0)
        await a_while()
        assert ringing.has_rung(times)


async def test_whoever_is_rung_too_early_may_set_it_again() -> None:
    """The loop's clock does not count sleep; what was due meanwhile is due at once."""
    ringing = Ringing(look_again=SOON / 4)
    ringing.moment = LATER
    ringing.alarm.set(LATER)
    await until(lambda: ringing.count > 2)
    ringing.time.pass_by(LATER)
    before = ringing.count
    await until(lambda: ringing.count > before)
    # It was due this time, and is not set any more.
    await a_while()
    assert ringing.has_rung(before + 1)


def test_an_alarm_rings_every_minute_by_default() -> None:
    assert signature(Alarm).parameters["look_again"].default == 60


async def test_an_alarm_that_is_stopped_rings_no_more_until_it_is_set(
    ringing: Ringing,
) -> None:
    ringing.alarm.stop()
    ringing.alarm.set(SOON)
    ringing.alarm.stop()
    await a_while()
    assert ringing.has_rung(0)
    ringing.alarm.set(SOON)
    await until(lambda: ringing.count)


# The wall clock


class Watching:
    """A watch that looks all the time, and what it noticed."""

    def __init__(self) -> None:
        """Start at noon."""
        self.time = Stopped()
        self.time.set_forward(12 * LATER)
        self.set_since: list[float] = []
        self.days = 0
        self.watch = ClockWatch(self.time.clock(), pause=SOON / 4)
        self.watch.subscribe(self.set_since.append, self._count)
        self.watch.start()

    def _count(self) -> None:
        self.days += 1


@pytest.fixture
async def watching() -> AsyncGenerator[Watching]:
    """Return a watch that is stopped after the test."""
    watching = Watching()
    yield watching
    watching.watch.stop()


@pytest.mark.parametrize("seconds", [-LATER, -2, 2, LATER])
async def test_a_clock_that_is_set_is_noticed_once_with_the_look_before(
    watching: Watching, seconds: float
) -> None:
    begin = 12 * LATER
    watching.time.pass_by(5)
    await a_while()
    watching.time.set_forward(seconds)
    await until(lambda: watching.set_since)
    await a_while()
    assert watching.set_since == [begin + 5]
    assert not watching.days


async def test_time_that_goes_by_and_the_drift_of_a_clock_are_no_setting(
    watching: Watching,
) -> None:
    watching.time.pass_by(LATER)
    watching.time.set_forward(0.9)
    await a_while()
    assert not watching.set_since


async def test_small_steps_add_up(watching: Watching) -> None:
    watching.time.set_forward(0.9)
    watching.watch.look()
    watching.time.set_forward(0.9)
    watching.watch.look()
    assert len(watching.set_since) == 1


async def test_another_day_is_noticed_however_it_came(watching: Watching) -> None:
    watching.time.pass_by(12 * LATER)
    await until(lambda: watching.days == 1)
    watching.time.set_forward(-LATER)
    await until(lambda: watching.days == 2)
    await a_while()
    assert watching.days == 2


async def test_a_watch_that_is_stopped_notices_nothing_until_it_is_started(
    watching: Watching,
) -> None:
    """Then it compares with the clock as it is."""
    watching.watch.stop()
    watching.time.set_forward(24 * LATER)
    await a_while()
    watching.watch.start()
    await a_while()
    assert not watching.set_since
    assert not watching.days


def test_a_clock_that_is_set_is_noticed_within_a_minute_by_default() -> None:
    assert signature(ClockWatch).parameters["pause"].default <= 60


async def test_midnight_is_noticed_when_it_comes() -> None:
    time = Stopped()
    time.set_forward(24 * LATER - SOON)
    watch, days = ClockWatch(time.clock(), pause=LATER), list[bool]()
    watch.subscribe(lambda _: None, lambda: days.append(True))
    watch.start()
    time.pass_by(SOON)
    await until(lambda: days)
    watch.stop()


# Tasks


async def test_a_task_returns_what_it_does_and_says_whose_it_is() -> None:
    async def answer() -> int:
        return 7

    task = Tasks().spawn(answer(), "send")
    assert task.get_name() == "sms_italia send"
    assert await task == 7


@pytest.mark.parametrize("eager", [True, False])
async def test_an_eager_task_runs_up_to_its_first_wait_at_once(*, eager: bool) -> None:
    began: list[bool] = []

    async def work() -> None:
        began.append(True)
        await asyncio.sleep(0)

    tasks = Tasks()
    task = tasks.spawn(work(), "work", eager=eager)
    assert bool(began) is eager
    await tasks.end(1)
    assert task.done()
    assert began


async def test_without_tasks_the_end_is_at_once() -> None:
    async with asyncio.timeout(1):
        await Tasks().end(LATER)


async def test_the_end_waits_for_what_runs_and_for_what_that_starts() -> None:
    tasks = Tasks()
    done: list[int] = []

    async def work(left: int) -> None:
        await asyncio.sleep(SOON / 4)
        if left:
            tasks.spawn(work(left - 1), "next")
        done.append(left)

    tasks.spawn(work(2), "first")
    await tasks.end(LATER)
    assert done == [2, 1, 0]


async def test_what_takes_too_long_is_cancelled_and_may_still_clean_up() -> None:
    tasks = Tasks()
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # For longer than the others got to end.
            await asyncio.sleep(SOON * 2)
            cleaned.append(True)

    slow, quick = tasks.spawn(work(), "slow"), tasks.spawn(asyncio.sleep(0), "quick")
    await tasks.end(SOON)
    assert slow.cancelled()
    assert cleaned
    assert not quick.cancelled()


async def _fails() -> None:
    raise ValueError


async def _is_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("work", [_fails, _is_cancelled])
async def test_a_task_that_breaks_keeps_nobody_from_the_end(
    work: Callable[[], Awaitable[None]],
) -> None:
    async def break_down() -> None:
        await work()

    tasks = Tasks()
    broken = tasks.spawn(break_down(), "broken")
    other = tasks.spawn(asyncio.sleep(SOON / 4, "other"), "other")
    await tasks.end(LATER)
    assert await other == "other"
    with pytest.raises((ValueError, asyncio.CancelledError)):
        await broken
