"""Work that happens later or beside: alarms and tasks, each with an owner."""

import asyncio
from collections.abc import Callable, Coroutine

from .clock import Clock

_LOOK_AGAIN = 60
"""Seconds after which the clock is read again at the latest.

It may have been set, or the machine may have slept.
"""


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
        """Ring at this moment (seconds since the epoch), if not set to ring before."""
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
