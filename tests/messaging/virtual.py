"""A time that passes as soon as there is nothing to do: hours of waits in no time."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from pathlib import Path
import selectors
from typing import Any, override

from custom_components.sms_italia.messaging import Timing

from .helpers import Harness, Time

_NOON = 1_794_657_600.0
_STUCK = 10
"""Real seconds after which a thread is taken to be stuck."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but the loop's own threads; any other wait is over at once."""

    def __init__(self) -> None:
        """Start at zero, without a thread at work."""
        super().__init__()
        self.seconds = 0.0
        self.threads = 0

    @override
    def select(self, timeout: float | None = None) -> list[Any]:
        if self.threads and timeout != 0:
            return super().select(_STUCK)
        if timeout is None:
            raise RuntimeError("nothing will ever happen")
        self.seconds += max(0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing else is to do."""

    def __init__(self) -> None:
        """Start at zero."""
        self._virtual = _Selector()
        super().__init__(self._virtual)

    @override
    def time(self) -> float:
        return self._virtual.seconds

    @override
    def run_in_executor[*Ts, T](
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._virtual.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    @override
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        self._virtual.threads += 1
        await super().shutdown_default_executor(timeout)
        self._virtual.threads -= 1

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._virtual.threads -= 1


class LoopTime(Time):
    """The time of the running loop, from a noon."""

    @override
    def now(self) -> float:
        return _NOON + self.steady() + self.shift - self.passed

    @override
    def steady(self) -> float:
        return asyncio.get_running_loop().time() + self.passed


def run(folder: Path, scenario: Callable[[Harness], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in virtual time, with the real waits of the messaging layer."""

    async def play() -> None:
        harness = Harness.build(folder, LoopTime())
        harness.use(timing=Timing())
        try:
            await scenario(harness)
        finally:
            harness.line.release_answers()
            await harness.messenger.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())
