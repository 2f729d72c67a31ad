"""The storm brake: many messages to one number within a minute are sent as few texts.

Nothing is dropped. The ledger holds every message with its own text; those that are
joined share the status of the message that carries them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
import heapq
from itertools import islice, takewhile

from ...providers import Channel, Mode
from ..account import Account
from ..alarm import Alarm
from ..compose import PreparedText, join_texts, new_message
from ..model import Dispatch, Message, SendOptions, Stage
from ..state import Change
from ..state.transitions import expired, held, released
from .context import DeliveryContext
from .outbox import Outbox

type _Arrivals = dict[str, tuple[float, ...]]
"""When messages came to each number, the number of the last one last (steady time)."""


class StormBrake:
    """Holds the messages of a storm back, and releases them joined.

    A storm is more than `bundle_after` messages of an account to one number within
    `Timing.storm` seconds. What comes beyond is held, and is sent joined `Timing.hold`
    seconds after the first of it. How many came stands in memory alone, so that a
    restart begins to count anew.
    """

    def __init__(self, context: DeliveryContext, outbox: Outbox) -> None:
        """Start with no message counted."""
        self._accounts = context.accounts
        self._open = context.open_messages
        self._clock = context.clock
        self._window = context.timing.storm
        self._hold = context.timing.hold
        self._withdrawn = context.withdrawn
        self._tasks = context.tasks
        self._outbox = outbox
        self._arrivals: dict[str, _Arrivals] = {}
        self._queue: list[tuple[float, str, str]] = []
        self._alarm = Alarm(context.clock, self._begin, self._hold)
        self._open.subscribe(self._on_held, Stage.HELD)

    def hold(self, account: Account, messages: list[Message]) -> list[Message]:
        """Count the new messages of a dispatch; return them, those of a storm held.

        To be added to the open messages at once.
        """
        most = account.options.bundle_after
        if not most or not _can_be_joined(account, messages[0].dispatch.options):
            return messages
        now = self._clock.now()
        arrivals = self._recent_arrivals(account.id, now, 2 * len(messages))
        holding = self._open.held_numbers(account.id)
        return [
            self._held(one)
            if one.stage is Stage.WAITING
            and (
                self._is_beyond(arrivals, one.number, most, now)
                or one.number in holding
            )
            else one
            for one in messages
        ]

    async def push(self) -> None:
        """Release what is due; returns when it is in the outbox."""
        now = self._clock.now()
        due: set[tuple[str, str]] = set()
        while self._queue and self._queue[0][0] <= now:
            _, account, number = heapq.heappop(self._queue)
            due.add((account, number))
        # Together, so that the ledger can commit them together.
        try:
            await asyncio.gather(*(self._release(*key) for key in due))
        finally:
            # What is held still could not be released.
            for key in due:
                self._put_off(*key, not_before=now + self._hold)
            self._set_alarm()

    def stop(self) -> None:
        """Forget what is due and what was counted; what is held stays open."""
        self._arrivals.clear()
        self._queue.clear()
        self._alarm.stop()

    def _on_held(self, changes: Sequence[Change]) -> None:
        """Release messages when their time comes."""
        for key in {
            (change.after.dispatch.account, change.after.number) for change in changes
        }:
            self._put_off(*key)
        self._set_alarm()

    def attach(self, account_id: str) -> None:
        """Look at what is held by an account that is there again."""
        for message in self._open:
            if message.stage is Stage.HELD and message.dispatch.account == account_id:
                self._put_off(account_id, message.number)
        self._set_alarm()

    def _recent_arrivals(self, account_id: str, now: float, most: int) -> _Arrivals:
        """Return when messages of an account came lately, by number.

        So many numbers at most are forgotten: more than come, so that none stays for
        good, and no message has to wait for very many.
        """
        arrivals = self._arrivals.setdefault(account_id, {})
        for number in list(islice(arrivals, most)):
            if now - arrivals[number][-1] < self._window:
                break
            del arrivals[number]
        return arrivals

    def _is_beyond(
        self, arrivals: _Arrivals, number: str, most: int, now: float
    ) -> bool:
        """Count a message to a number; return whether it is one too many."""
        # The number that was written to last is the last one of the dictionary.
        recent = arrivals.pop(number, ())
        while recent and now - recent[0] >= self._window:
            recent = recent[1:]
        arrivals[number] = (*recent, now)[-most:]
        return len(recent) >= most

    def _held(self, message: Message) -> Message:
        """Return a new message as one that is held until its number's are released."""
        now = self._clock.now()
        others = self._open.held(message.dispatch.account, message.number)
        moment = now + min(self._hold, (message.expires - now) / 2)
        return held(message, min([moment, *(one.attempt_at or 0 for one in others)]))

    def _put_off(self, account: str, number: str, not_before: float = 0) -> None:
        """Set when something must be done with what is held for a number."""
        waiting = self._open.held(account, number)
        if waiting:
            moments = [one.expires for one in waiting]
            if account in self._accounts:
                moments += (max(one.attempt_at or 0, not_before) for one in waiting)
            heapq.heappush(self._queue, (min(moments), account, number))

    def _set_alarm(self) -> None:
        if self._queue:
            self._alarm.set(self._queue[0][0])

    def _begin(self) -> None:
        self._tasks.spawn(self.push(), "storm")

    async def _release(self, account_id: str, number: str) -> None:
        """Send what is held for a number, if it is due, or let it expire."""
        await self._expire(self._open.held(account_id, number))
        now = self._clock.now()
        if any(
            (one.attempt_at or 0) <= now for one in self._wanted(account_id, number)
        ):
            while (account := self._accounts.get(account_id)) and (
                waiting := self._wanted(account_id, number)
            ):
                await self._release_first(account, waiting)

    def _wanted(self, account_id: str, number: str) -> list[Message]:
        """Return what is held for a number and not withdrawn, oldest first."""
        return [
            one
            for one in self._open.held(account_id, number)
            if one.dispatch.id not in self._withdrawn
        ]

    async def _release_first(
        self, account: Account, waiting: Sequence[Message]
    ) -> None:
        """Send the next text for held messages; the calls of a run have their own.

        It must be able to be withdrawn with them.
        """
        run = waiting[0].dispatch.run
        alike = list(takewhile(lambda one: one.dispatch.run == run, waiting))
        texts = [one.dispatch.text for one in alike]
        # A fallback must be able to take it too.
        most = self._accounts.max_parts_along(account.route)
        text = next(join_texts(texts, account.bundle_heading, most))
        if text.count == 1:
            now = self._clock.moment()
            await self._open.change([released(waiting[0], now)])
            return
        messages = alike[: text.count]
        carrying = self._carrying(account, messages, text.prepared)
        await self._open.join(carrying, messages)
        self._outbox.deliver([carrying])

    async def _expire(self, messages: Sequence[Message]) -> None:
        """Close what may not be sent any more."""
        now = self._clock.moment()
        await self._open.change(
            [expired(one, now) for one in messages if now.steady >= one.expires]
        )

    def _carrying(
        self, account: Account, messages: Sequence[Message], prepared: PreparedText
    ) -> Message:
        """Return the new message that carries held ones to one number, oldest first.

        Its text takes no more parts than they would have: what they count of the daily
        limit is enough for it.
        """
        now = self._clock.moment()
        newest = messages[-1]
        ids = self._open.ids
        dispatch = Dispatch(
            id=next(ids),
            account=account.id,
            text=prepared.text,
            encoding=prepared.encoding,
            parts=prepared.parts,
            created=now.wall,
            due=now.steady,
            expires=min(one.dispatch.expires for one in messages),
            route=newest.dispatch.route,
            options=_joined_options([one.dispatch.options for one in messages]),
            run=newest.dispatch.run,
        )
        carrying = new_message(
            dispatch, next(ids), newest.number, newest.recipient, now
        )
        first_tries = [one.first_try_until for one in messages if one.first_try_until]
        return replace(carrying, first_try_until=min(first_tries, default=None))


def _can_be_joined(account: Account, options: SendOptions) -> bool:
    """Return whether a message may be sent together with others.

    One with a moment, a channel, a group or a reference of its own is meant to be sent
    itself.
    """
    return (
        options.send_at is None
        and (options.channel or account.channel) is Channel.SMS
        and options.mode is not Mode.TEST
        and options.picture is None
        and options.reference is None
        and not options.groups
    )


def _joined_options(all_options: Sequence[SendOptions]) -> SendOptions:
    """Return the options of joined messages: the newest sender, what any asks for."""
    return SendOptions(
        sender=all_options[-1].sender,
        channel=next((one.channel for one in all_options if one.channel), None),
        mode=next((one.mode for one in all_options if one.mode), None),
    )
