"""How long the callbacks of an event loop hold it, measured from inside the process."""

import asyncio
from collections.abc import Callable
import json
from pathlib import Path
import signal
import time
from typing import TypedDict

RESULT_FILE = "SMS_ITALIA_LOOP_RESULT"
"""The environment variable with the file for the result, as JSON."""

BEGIN = signal.SIGUSR1
END = signal.SIGUSR2

_TOP = 5


class SlowCallback(TypedDict):
    """A callback and how long it held the loop, in seconds.

    `processor` is the processor time of the thread; `clock` includes waiting, also for
    other processes of the machine.
    """

    callback: str
    processor: float
    clock: float


class Meter:
    """Times every callback of the running event loop between `begin` and `end`."""

    def __init__(self) -> None:
        """Measure nothing yet."""
        self._slowest: list[SlowCallback] = []
        self._run: Callable[[asyncio.Handle], None] = vars(asyncio.Handle)["_run"]

    def obey_signals(self, file: Path) -> None:
        """Begin and end at signals of the process; write the result to the file."""

        def end(*_signal: object) -> None:
            file.write_text(json.dumps(self.end()), "utf-8")

        signal.signal(BEGIN, lambda *_signal: self.begin())
        signal.signal(END, end)

    def begin(self) -> None:
        """Begin to measure."""
        self._slowest = []

        def timed(handle: asyncio.Handle) -> None:
            callback = getattr(handle, "_callback", None)
            processor, clock = time.thread_time(), time.perf_counter()
            self._run(handle)
            self._record(
                callback,
                time.thread_time() - processor,
                time.perf_counter() - clock,
            )

        _replace_run(timed)

    def end(self) -> list[SlowCallback]:
        """End to measure and return the slowest callbacks, the slowest first."""
        _replace_run(self._run)
        return self._slowest

    def _record(self, callback: object, processor: float, clock: float) -> None:
        slowest = self._slowest
        if len(slowest) < _TOP or processor > slowest[-1]["processor"]:
            slowest.append(
                SlowCallback(callback=_name(callback), processor=processor, clock=clock)
            )
            slowest.sort(key=lambda one: one["processor"], reverse=True)
            del slowest[_TOP:]


def _name(callback: object) -> str:
    """Return a readable name of a callback: of a task, its coroutine."""
    task = getattr(callback, "__self__", None)
    return (
        f"task {task.get_coro()}" if isinstance(task, asyncio.Task) else f"{callback}"
    )


def _replace_run(run: Callable[[asyncio.Handle], None]) -> None:
    """Have every handle of every loop run this way: asyncio has no hook for it.

    The name is private to asyncio, so it is set as a string.
    """
    setattr(asyncio.Handle, "_run", run)  # noqa: B010 - see above
