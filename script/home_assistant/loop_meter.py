"""How long the callbacks of an event loop hold it, measured from inside the process."""

import asyncio
from collections.abc import Callable
import json
from pathlib import Path
import signal
import time
from typing import TypedDict

FIGURES_FILE = "SMS_ITALIA_LOOP_FIGURES"
"""The environment variable with the name of the file that figures are written to."""

BEGIN = signal.SIGUSR1
END = signal.SIGUSR2

_TOP = 5
_HEARTBEAT_SECONDS = 0.005


class SlowCallback(TypedDict):
    """A callback and how long it held the loop, in seconds.

    `processor` is the processor time of the thread; `clock` includes waiting, also for
    other processes of the machine.
    """

    callback: str
    processor: float
    clock: float


class Figures(TypedDict):
    """What was measured: the slowest callbacks first.

    `late` is the longest delay of a heartbeat in seconds: many short callbacks in a
    row delay it, too.
    """

    callbacks: int
    late: float
    slowest: list[SlowCallback]


class Meter:
    """Times every callback of the running event loop between `begin` and `end`."""

    def __init__(self) -> None:
        """Measure nothing yet."""
        self._figures = Figures(callbacks=0, late=0, slowest=[])
        self._heartbeat: asyncio.Task[None] | None = None
        self._run: Callable[[asyncio.Handle], None] = vars(asyncio.Handle)["_run"]

    def obey_signals(self, file: Path) -> None:
        """Begin and end at signals of the process; write the figures to the file."""

        def end(*_signal: object) -> None:
            file.write_text(json.dumps(self.end()), "utf-8")

        signal.signal(BEGIN, lambda *_signal: self.begin())
        signal.signal(END, end)

    def begin(self) -> None:
        """Begin to measure."""
        self._figures = Figures(callbacks=0, late=0, slowest=[])

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
        self._heartbeat = asyncio.get_running_loop().create_task(self._beat())

    def end(self) -> Figures:
        """End to measure and return the figures."""
        _replace_run(self._run)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        return self._figures

    def _record(self, callback: object, processor: float, clock: float) -> None:
        figures = self._figures
        figures["callbacks"] += 1
        slowest = figures["slowest"]
        if len(slowest) < _TOP or clock > slowest[-1]["clock"]:
            slowest.append(
                SlowCallback(callback=_name(callback), processor=processor, clock=clock)
            )
            slowest.sort(key=lambda one: one["clock"], reverse=True)
            del slowest[_TOP:]

    async def _beat(self) -> None:
        """Measure the delay of a heartbeat, until cancelled."""
        while True:
            due = time.perf_counter() + _HEARTBEAT_SECONDS
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            late = time.perf_counter() - due
            self._figures["late"] = max(self._figures["late"], late)


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
