"""The outbox: messages that no account could take wait here for their next attempt."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from ..providers.model import ErrorKind, Status
from .account import Account
from .book import Book
from .clock import Clock
from .model import Message, Stage
from .router import Router

_LOOK_AGAIN = 60
"""Seconds after which the clock is looked at again at the latest."""


class Outbox:
    """Tries waiting messages again when they are due, and lets them expire on time.

    Messages to one number have their turns in the order in which they were due,
    whatever moments their next attempts are set to; different numbers do not wait for
    each other. What is due later on is in nobody's way, and is tried at its own moments
    only. `spawn` starts a task that somebody else owns.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        book: Book,
        router: Router,
        clock: Clock,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
    ) -> None:
        """Start idle."""
        self._accounts = accounts
        self._book = book
        self._router = router
        self._clock = clock
        self._spawn = spawn
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None
        self._hurried = False
        self._trying: frozenset[str] = frozenset()

    def holds(self, number: str) -> bool:
        """Tell whether an older message to this number waits or has its turn."""
        if number in self._trying:
            return True
        # Usually nothing waits, and then there is nothing to look through.
        now = self._clock.now()
        return self._book.is_waiting(number) and any(
            one.number == number and one.dispatch.due <= now
            for one in self._book.waiting
        )

    def schedule(self) -> None:
        """Set the timer for whatever is due first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is not None and not self._round.done():
            return
        moments = [self._due(message) for message in self._book.waiting]
        if moments:
            delay = max(0, min(moments) - self._clock.now())
            # The clock may be set, or the machine sleep: it is looked at in between.
            delay = min(delay, _LOOK_AGAIN)
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def hurry(self) -> None:
        """Try what waits and is due now: an account works again, or one was loaded."""
        self._hurried = True
        self._begin()

    async def push(self) -> None:
        """Try what waits and is due now; returns when each has had its turn."""
        self.hurry()
        while self._round is not None and not self._round.done():
            await asyncio.wait([self._round])

    def stop(self) -> None:
        """Forget the timer; waiting messages stay in the ledger."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self, message: Message) -> float:
        """Return when something must be done with a waiting message."""
        expires = message.dispatch.expires
        if message.dispatch.account not in self._accounts:
            return expires
        return min(message.attempt_at or 0, expires)

    def _begin(self) -> None:
        """Start a round unless one is going on; it will see what has changed."""
        if self._round is None or self._round.done():
            self._round = self._spawn(self._work(), "sms_italia outbox")

    async def _work(self) -> None:
        """Go over the outbox until nothing in it is due."""
        try:
            await self._work_once()
            while self._hurried:
                await self._work_once()
        finally:
            # This task is not done yet, so the timer is set right after it.
            asyncio.get_running_loop().call_soon(self.schedule)

    async def _work_once(self) -> None:
        """Let expire what has expired, and deliver what is due."""
        hurried, self._hurried = self._hurried, False
        now = self._clock.now()
        expired = [one for one in self._book.waiting if now >= one.dispatch.expires]
        await self._book.change(
            [
                replace(
                    one,
                    status=Status.EXPIRED,
                    stage=Stage.CLOSED,
                    error=one.error or ErrorKind.UNAVAILABLE,
                    updated=now,
                )
                for one in expired
            ]
        )
        await self._deliver_in_order(self._ready(now, everything=hurried))

    def _ready(self, now: float, *, everything: bool) -> list[Message]:
        """Return what is to have its turn now, in order.

        Whatever is tried takes along what is before it on the way to its number.
        `everything` that is due is tried, else only what an attempt is set for.
        """
        ready: list[Message] = []
        numbers: set[str] = set()
        waiting = [
            one for one in self._book.waiting if one.dispatch.account in self._accounts
        ]
        waiting.sort(key=lambda one: (one.dispatch.due, one.id), reverse=True)
        for message in waiting:
            is_due = message.dispatch.due <= now
            if (message.attempt_at or 0) <= now or (
                is_due and (everything or message.number in numbers)
            ):
                ready.append(message)
                if is_due:
                    numbers.add(message.number)
        return ready[::-1]

    async def _deliver_in_order(self, messages: Sequence[Message]) -> None:
        """Deliver dispatch by dispatch, each number's messages one after another."""
        self._trying = frozenset(one.number for one in messages)
        began = self._clock.monotonic()
        last: dict[str, asyncio.Task[None]] = {}
        tasks: list[asyncio.Task[None]] = []
        for _, dispatched in groupby(messages, lambda one: one.dispatch.id):
            together = list(dispatched)
            before = {last[one.number] for one in together if one.number in last}
            work = self._deliver_after(before, together, began)
            task = self._spawn(work, "sms_italia outbox delivery")
            last.update(dict.fromkeys((one.number for one in together), task))
            tasks.append(task)
        if tasks:
            # One that breaks must not cancel the others, whose requests may be out.
            await asyncio.wait(tasks)
        self._trying = frozenset()

    async def _deliver_after(
        self,
        before: set[asyncio.Task[None]],
        messages: Sequence[Message],
        round_began: float,
    ) -> None:
        """Deliver messages of one dispatch when older ones have had their turn."""
        if before:
            await asyncio.wait(before)
        await self._router.deliver(messages, round_began)
