"""The ledger's threads, and how long anybody waits for what they do."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, override
import weakref

from .records import LedgerSlowError

LONGEST = 2.5
"""Seconds that the waits of one message may take together.

With what it does between them, an alarm is on its way within 3 seconds.
"""
SOUND = 0.05
"""Seconds of a wait that does not count: a sound disk takes less."""

_DISPATCHES = 1000
"""Dispatches that are remembered; the oldest of them have long been tried."""

type _Work = Callable[[], None]

_JOIN_TIMEOUT = 1
"""Seconds that a thread with nothing left to do gets to end."""


class Worker(Executor):
    """A thread that does blocking work, one piece after another.

    A daemon: at its exit Python waits for the threads of an executor, and one that
    waits for a disk that hangs never ends.
    """

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        # The thread refers to its queue alone, and ends if its owner forgot to end it.
        self._thread = Thread(target=_run, args=[self._work], name=name, daemon=True)
        self._thread.start()
        weakref.finalize(self, self._work.put, None)

    def do[R](self, work: Callable[[], R]) -> asyncio.Future[R]:
        """Do some work after all that was given before; return what has its result."""
        return asyncio.get_running_loop().run_in_executor(self, work)

    @override
    def submit[**P, R](
        self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        """Do as `do`, for an event loop."""
        future = Future[R]()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(*args, **kwargs))
            except BaseException as err:  # noqa: BLE001 - it belongs to who gave the work
                future.set_exception(err)

        self._work.put(run)
        return future

    def end(self) -> None:
        """Let the thread end after the work that it was given."""
        self._work.put(None)

    def join(self) -> None:
        """Return when the thread has ended, or in a moment; blocking."""
        self._thread.join(_JOIN_TIMEOUT)


def _run(queue: SimpleQueue[_Work | None]) -> None:
    while (work := queue.get()) is not None:
        work()


class Patience:
    """What is left of the time that messages may wait, by their dispatches.

    It is whole for all of them until it `was_spent`, as on a sound disk it never is.
    """

    def __init__(self) -> None:
        """Start with nobody having waited."""
        self._waited: dict[int, float] = {}
        self.was_spent = False

    def left(self, dispatches: Collection[int]) -> float:
        """Return the seconds that something may still take that messages wait for."""
        waited = (self._waited.get(id_, 0) for id_ in dispatches)
        return max(0, LONGEST - max(waited, default=0))

    def spend(self, dispatches: Collection[int], seconds: float) -> None:
        """Take a wait off what is left to messages."""
        self.was_spent = True
        for id_ in dispatches:
            self._waited[id_] = self._waited.pop(id_, 0) + seconds
        while len(self._waited) > _DISPATCHES:
            del self._waited[next(iter(self._waited))]


async def is_done(future: asyncio.Future[Any], seconds: float) -> bool:
    """Return whether something is done in time; it goes on if it is not."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not future.done() and (left := end - loop.time()) > 0:
        await asyncio.wait([future], timeout=left)
    return future.done()


async def in_time[R](future: asyncio.Future[R], seconds: float) -> R:
    """Return the result of something; raises LedgerSlowError if it takes too long."""
    if not await is_done(future, seconds):
        raise LedgerSlowError
    return future.result()
