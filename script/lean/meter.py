"""How long the callbacks of an event loop hold it, measured from within."""

import asyncio
from collections.abc import Callable
import json
from pathlib import Path
import signal
import time
from typing import TypedDict

FIGURES_FILE = "SMS_ITALIA_LOOP_FIGURES"
"""The name in the environment of the file that figures are written to."""

BEGIN = signal.SIGUSR1
END = signal.SIGUSR2

_TOP = 5
_HEARTBEAT_SECONDS = 0.005


class SlowCallback(TypedDict):
    """A callback and how long it held the loop, in seconds.

    `processor` is what it took itself; `clock` has in it what other processes took of
    the machine meanwhile, and what it waited for.
    """

    callback: str
    processor: float
    clock: float


class Figures(TypedDict):
    """What was measured: the slowest callbacks first.

    `late` is by how much a heartbeat came too late at most, in seconds: many short
    callbacks in a row make it late, too.
    """

    callbacks: int
    late: float
    slowest: list[SlowCallback]


class Meter:
    """Times every callback of the running event loop between two signals."""

    def __init__(self, file: Path) -> None:
        """Write the figures to this file."""
        self._file = file
        self._figures = Figures(callbacks=0, late=0, slowest=[])
        self._heartbeat: asyncio.Task[None] | None = None

    def obey_signals(self) -> None:
        """Begin and end when the process is told to."""
        run: Callable[[asyncio.Handle], None] = vars(asyncio.Handle)["_run"]

        def timed(handle: asyncio.Handle) -> None:
            callback = getattr(handle, "_callback", None)
            processor, clock = time.thread_time(), time.perf_counter()
            run(handle)
            self._note(
                callback,
                time.thread_time() - processor,
                time.perf_counter() - clock,
            )

        def begin(*_signal: object) -> None:
            self._figures = Figures(callbacks=0, late=0, slowest=[])
            _replace_run(timed)
            self._heartbeat = asyncio.get_running_loop().create_task(self._beat())

        def end(*_signal: object) -> None:
            _replace_run(run)
            if self._heartbeat is not None:
                self._heartbeat.cancel()
            self._file.write_text(json.dumps(self._figures), "utf-8")

        signal.signal(BEGIN, begin)
        signal.signal(END, end)

    def _note(self, callback: object, processor: float, clock: float) -> None:
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
        """Notice for ever how late the loop is."""
        while True:
            due = time.perf_counter() + _HEARTBEAT_SECONDS
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            late = time.perf_counter() - due
            self._figures["late"] = max(self._figures["late"], late)


def _name(callback: object) -> str:
    """Return what a person knows a callback by: of a task, its coroutine."""
    task = getattr(callback, "__self__", None)
    return (
        f"task {task.get_coro()}" if isinstance(task, asyncio.Task) else f"{callback}"
    )


def _replace_run(run: Callable[[asyncio.Handle], None]) -> None:
    """Have every handle of every loop run this way: there is no other place to look.

    The name is private to asyncio, so it is set as a string.
    """
    setattr(asyncio.Handle, "_run", run)  # noqa: B010 - see above
