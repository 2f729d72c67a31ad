"""The outbox: messages that no account could accept wait for their next attempt."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from ..alarm import Alarm
from ..model import Message, Stage
from ..state import Change
from ..state.transitions import expired
from .route import Route
from .submitter import DeliveryContext


class Outbox:
    """Delivers new messages, tries waiting ones again, and lets them expire on time.

    Messages to one number are tried in the order in which they were due, whatever
    moments their next attempts are set to; different numbers do not wait for each
    other. What is due later is in nobody's way, and is tried at its own moments only.
    """

    def __init__(self, context: DeliveryContext) -> None:
        """Start idle."""
        self._context = context
        self._accounts = context.accounts
        self._open = context.open_messages
        self._clock = context.clock
        self._tasks = context.tasks
        self._alarm = Alarm(context.clock, self._begin)
        self._round: asyncio.Task[None] | None = None
        self._is_hurried = False
        self._trying: frozenset[str] = frozenset()
        context.open_messages.subscribe(self._on_waiting, Stage.WAITING)
        context.health.subscribe(self.hurry)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Send new messages of a dispatch, but never past an older one to their number.

        Returns when each has had its turn; what is held or closed is recorded.
        """
        known = (self._open.get(message.id) for message in messages)
        ready = [one for one in known if one and self._is_idle(one)]
        dispatch = messages[0].dispatch
        must_wait = (
            dispatch.account not in self._accounts
            or any(one.stage is Stage.HELD for one in messages)
            or any(self._has_older(one) for one in ready)
        )
        if must_wait:
            await self._open.record(messages)
            if ready:
                await self.push()
        elif ready:
            await Route(self._context, ready).run()
            self._see_when_due(ready)

    def _is_idle(self, message: Message) -> bool:
        """Return whether a message waits, and is not on its way along a route."""
        return (
            message.stage is Stage.WAITING
            and message.id not in self._context.in_progress
        )

    def hurry(self) -> None:
        """Try what waits and is due now: an account works again, or was attached."""
        self._is_hurried = True
        self._begin()

    async def push(self) -> None:
        """Try what waits and is due now; returns when each has had its turn."""
        self.hurry()
        while self._round is not None and not self._round.done():
            await asyncio.wait([self._round])

    def stop(self) -> None:
        """Try nothing more by itself; waiting messages stay in the ledger."""
        self._alarm.stop()

    def _has_older(self, message: Message) -> bool:
        """Return whether an older message to the same number waits or is tried.

        What is due later is in nobody's way, and nothing is in its way. One that waits
        for a slot gets it before this one does.
        """
        waiting = self._open.waiting_for(message.number)
        if len(waiting) == 1 and message.number not in self._trying:
            # Only itself, as nearly always.
            return False
        now = self._clock.now()
        if message.dispatch.due > now:
            return False
        return message.number in self._trying or any(
            one.dispatch.id != message.dispatch.id
            and one.dispatch.due <= now
            and one.id not in self._context.in_progress
            for one in waiting
        )

    def _on_waiting(self, changes: Sequence[Change]) -> None:
        """Look at messages when they are due; new ones are delivered at once."""
        moments = [
            self._due(change.after) for change in changes if change.before is not None
        ]
        if moments:
            self._alarm.set(min(moments))

    def _see_when_due(self, messages: Sequence[Message]) -> None:
        """Look at messages, which are in progress no more, when they are due."""
        for message in messages:
            known = self._open.get(message.id)
            if known is not None and known.stage is Stage.WAITING:
                self._alarm.set(self._due(known))

    def _due(self, message: Message) -> float:
        """Return when something must be done with a waiting message."""
        expires = message.expires
        if message.dispatch.account not in self._accounts or not self._is_idle(message):
            return expires
        return min(message.attempt_at or 0, expires)

    def _begin(self) -> None:
        """Start a round unless one is running; that one will see what has changed."""
        if self._round is None or self._round.done():
            self._round = self._tasks.spawn(self._work(), "outbox")

    async def _work(self) -> None:
        """Go over the outbox until nothing in it is due."""
        try:
            await self._work_once()
            while self._is_hurried:
                await self._work_once()
        finally:
            # This task is not done yet, so the alarm is set right after it.
            asyncio.get_running_loop().call_soon(self._set_alarm)

    def _set_alarm(self) -> None:
        """Look again when the first message is due."""
        moments = [self._due(message) for message in self._open.waiting]
        if moments:
            self._alarm.set(min(moments))

    async def _work_once(self) -> None:
        """Let expire what has expired, and deliver what is due."""
        is_hurried, self._is_hurried = self._is_hurried, False
        now = self._clock.moment()
        await self._open.change(
            [
                expired(one, now)
                for one in self._open.waiting
                if now.steady >= one.expires
            ]
        )
        await self._deliver_in_order(self._ready(now.steady, everything=is_hurried))

    def _ready(self, now: float, *, everything: bool) -> list[Message]:
        """Return what is to be tried now, in order.

        Whatever is tried takes along what is before it on the way to its number.
        What is in progress, perhaps in the queue for a slot, delays nothing.
        `everything` that is due is tried, else only what an attempt is set for.
        """
        ready: list[Message] = []
        numbers: set[str] = set()
        waiting = [
            one
            for one in self._open.waiting
            if one.dispatch.account in self._accounts and self._is_idle(one)
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
        began = self._clock.now()
        last: dict[str, asyncio.Task[None]] = {}
        tasks: list[asyncio.Task[None]] = []
        for _, dispatched in groupby(messages, lambda one: one.dispatch.id):
            together = list(dispatched)
            before = {last[one.number] for one in together if one.number in last}
            work = self._deliver_after(before, together, began)
            task = self._tasks.spawn(work, "outbox delivery")
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
        """Deliver messages of one dispatch when older ones have had their turn.

        One that is in progress already has its turn first, and may wait no more then.
        """
        if before:
            await asyncio.wait(before)
        for message in messages:
            if (end := self._context.in_progress.get(message.id)) is not None:
                await end.wait()
        known = (self._open.get(message.id) for message in messages)
        waiting = [one for one in known if one and one.stage is Stage.WAITING]
        if waiting and waiting[0].dispatch.account in self._accounts:
            await Route(self._context, waiting, round_began).run()
            self._see_when_due(waiting)
