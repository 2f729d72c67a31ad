"""Work that happens later or beside: alarms and tasks, each with an owner."""

import asyncio
from collections.abc import Callable, Coroutine

from .clock import Clock

_LOOK_AGAIN = 60
"""Seconds after which steady time is read again at the latest.

The event loop's own clock does not count sleep.
"""


_WATCH = 30
"""Seconds between two looks at the wall clock."""
_STEP = 1
"""Seconds of a difference that somebody has set, and no inaccuracy."""


class Alarm:
    """Calls `ring` once, at the moment that it is set to or shortly before.

    Whoever is rung looks what is due, and sets the alarm again for what is not.
    """

    def __init__(
        self,
        clock: Clock,
        ring: Callable[[], None],
        look_again: float = _LOOK_AGAIN,
    ) -> None:
        """Start unset; the clock is read again every `look_again` seconds."""
        self._clock = clock
        self._ring = ring
        self._look_again = look_again
        self._timer: asyncio.TimerHandle | None = None

    def set(self, moment: float) -> None:
        """Ring at this moment of steady time, if not set to ring before."""
        delay = min(max(0, moment - self._clock.now()), self._look_again)
        loop = asyncio.get_running_loop()
        at = loop.time() + delay
        if self._timer is not None:
            # In a storm it is nearly always another message that is due first.
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._go_off)

    def stop(self) -> None:
        """Ring no more until it is set again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self) -> None:
        self._timer = None
        self._ring()


class ClockWatch:
    """Notices that it is another day, and that the wall clock was set.

    The latter within half a minute.
    """

    def __init__(self, clock: Clock, pause: float = _WATCH) -> None:
        """Watch nothing before `start`; look every `pause` seconds from then on."""
        self._pause = pause
        self._clock = clock
        self._alarm = Alarm(clock, self._ring)
        self._when_set: list[Callable[[float], None]] = []
        self._when_next_day: list[Callable[[], None]] = []
        self._offset = 0.0
        self._last_look = 0.0
        self._day = ""

    def subscribe(
        self, when_set: Callable[[float], None], when_next_day: Callable[[], None]
    ) -> None:
        """Call `when_set` when the wall clock was set, `when_next_day` on another day.

        The first with the steady time of the last look before that.
        """
        self._when_set.append(when_set)
        self._when_next_day.append(when_next_day)

    def start(self) -> None:
        """Watch from now on."""
        now = self._clock.moment()
        self._offset = now.wall - now.steady
        self._last_look = now.steady
        self._day = self._clock.today()
        self._set_alarm()

    def look(self) -> None:
        """Look at the wall clock now."""
        now, last_look = self._clock.moment(), self._last_look
        self._last_look = now.steady
        offset, day = now.wall - now.steady, self._clock.today()
        # Less than a step is left to add up to one.
        if abs(offset - self._offset) > _STEP:
            self._offset = offset
            for when_set in self._when_set:
                when_set(last_look)
        if day != self._day:
            self._day = day
            for when_next_day in self._when_next_day:
                when_next_day()

    def stop(self) -> None:
        """Watch no more."""
        self._alarm.stop()

    def _ring(self) -> None:
        self.look()
        self._set_alarm()

    def _set_alarm(self) -> None:
        pause = min(self._pause, self._clock.seconds_left_today())
        self._alarm.set(self._clock.now() + pause)


class Tasks:
    """The running tasks of the messaging layer, which end before it does."""

    def __init__(self) -> None:
        """Start with none."""
        self._running: set[asyncio.Task[object]] = set()

    def spawn[R](
        self, work: Coroutine[None, None, R], name: str, *, eager: bool = False
    ) -> asyncio.Task[R]:
        """Start a task; an `eager` one runs up to its first wait at once."""
        task = asyncio.get_running_loop().create_task(
            work, name=f"sms_italia {name}", eager_start=eager
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def end(self, timeout: float) -> None:  # noqa: ASYNC109 - not of the caller
        """Return when all have ended; those that take too long are cancelled."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while self._running:
            # A task may start another one in its last moment.
            left = max(0, until - loop.time())
            _, late = await asyncio.wait(tuple(self._running), timeout=left)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
