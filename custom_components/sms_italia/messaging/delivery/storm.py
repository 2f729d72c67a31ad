"""The storm brake: many messages to one number within a minute are sent as one text.

Nothing is dropped. The ledger holds every message with its own text; those that are
joined share the status of the message that carries them.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
import heapq

from ...providers import Channel, Mode
from ..account import Account
from ..alarm import Alarm
from ..compose import PreparedText, new_message, prepare_text
from ..model import Dispatch, Message, SendOptions, Stage, TextEncoding
from ..state import Change
from ..state.transitions import expired, held, released
from .context import DeliveryContext
from .outbox import Outbox

_MOST_PARTS = 3
"""Parts of joined messages where the account's options set no bound."""

_WIDTHS = (160, 80, 40)
"""Characters of a line, tried in turn until all lines fit."""
_NARROWEST = 20
"""Even in the one part of a text with emoji, a line of so many has room."""

_CUT = "..."


class StormBrake:
    """Holds the messages of a storm back, and releases them joined.

    A storm is more than `bundle_after` messages of an account to one number within
    `Timing.storm` seconds. What comes beyond is held, and is sent joined the same time
    after the first of it. How many came stands in memory alone, so that a restart
    begins to count anew.
    """

    def __init__(self, context: DeliveryContext, outbox: Outbox) -> None:
        """Start with no message counted."""
        self._accounts = context.accounts
        self._open = context.open_messages
        self._clock = context.clock
        self._window = context.timing.storm
        self._tasks = context.tasks
        self._outbox = outbox
        self._arrivals: dict[tuple[str, str], deque[float]] = {}
        self._queue: list[tuple[float, str, str]] = []
        self._alarm = Alarm(context.clock, self._begin, self._window)
        self._open.subscribe(self._on_held, Stage.HELD)

    def hold(self, account: Account, messages: Sequence[Message]) -> list[Message]:
        """Count the new messages of a dispatch; return them, those of a storm held.

        To be added to the open messages at once.
        """
        most = account.options.bundle_after
        return [
            self._held(message)
            if message.stage is Stage.WAITING
            and _can_be_joined(account, message.dispatch.options)
            and self._is_storm((account.id, message.number), most)
            else message
            for message in messages
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
                self._put_off(*key, not_before=now + self._window)
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

    def _is_storm(self, key: tuple[str, str], most: int) -> bool:
        """Count a message to a number; return whether it is one too many."""
        now = self._clock.now()
        arrivals = self._arrivals.pop(key, deque())
        while arrivals and not self._is_recent(arrivals[0], now):
            arrivals.popleft()
        is_storm = len(arrivals) >= most
        arrivals.append(now)
        while len(arrivals) > most:
            arrivals.popleft()
        # The number that was written to last is the last one of the dictionary.
        self._arrivals[key] = arrivals
        while not self._is_recent(
            self._arrivals[first := next(iter(self._arrivals))][-1], now
        ):
            del self._arrivals[first]
        return is_storm or bool(self._open.held(*key))

    def _is_recent(self, moment: float, now: float) -> bool:
        """Return whether a moment is within the window."""
        return now - moment < self._window

    def _held(self, message: Message) -> Message:
        """Return a new message as one that is held until its number's are released."""
        now = self._clock.now()
        others = self._open.held(message.dispatch.account, message.number)
        moment = now + min(self._window, (message.expires - now) / 2)
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
        waiting = self._open.held(account_id, number)
        account = self._accounts.get(account_id)
        now = self._clock.moment()
        if account is None or not any(
            (one.attempt_at or 0) <= now.steady for one in waiting
        ):
            return
        if len(waiting) == 1:
            # Nothing came after it: it is sent as it is.
            await self._open.change([released(waiting[0], now)])
        else:
            carrying = self._joined(account, waiting)
            await self._open.join(carrying, waiting)
            self._outbox.deliver([carrying])

    async def _expire(self, messages: Sequence[Message]) -> None:
        """Close what may not be sent any more."""
        now = self._clock.moment()
        await self._open.change(
            [expired(one, now) for one in messages if now.steady >= one.expires]
        )

    def _joined(self, account: Account, messages: Sequence[Message]) -> Message:
        """Return the new message that carries held ones to one number, oldest first.

        It takes no more parts than they would have: what they count of the daily limit
        is enough for it.
        """
        now = self._clock.moment()
        newest = messages[-1]
        prepared = join_texts(
            account.bundle_heading(len(messages)),
            [one.dispatch.text for one in messages],
            min(
                account.max_parts,
                account.options.max_parts or _MOST_PARTS,
                sum(one.parts for one in messages),
            ),
        )
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
            run=next((one.dispatch.run for one in messages if one.dispatch.run), None),
        )
        carrying = new_message(
            dispatch, next(ids), newest.number, newest.recipient, now
        )
        first_tries = [one.first_try_until for one in messages if one.first_try_until]
        return replace(carrying, first_try_until=min(first_tries, default=None))


def join_texts(heading: str, texts: Sequence[str], most_parts: int) -> PreparedText:
    """Return one text of at most `most_parts` parts that stands for several.

    Below the heading each text has a line, cut where they would not all fit; where
    even short lines do not, the last line counts the texts that have none ("+7").
    """
    for width in _WIDTHS:
        prepared, count = _fill(heading, texts, width, most_parts)
        if count == len(texts):
            return prepared
    if not count:
        prepared, _ = _fill(heading, texts, _NARROWEST, most_parts)
    return prepared


def _fill(
    heading: str, texts: Sequence[str], width: int, most_parts: int
) -> tuple[PreparedText, int]:
    """Return the heading with as many lines below it as fit, and how many those are."""
    filled = prepare_text(heading, TextEncoding.UNICODE)
    lines: list[str] = []
    for text in texts:
        lines.append(_line(text, width))
        left = len(texts) - len(lines)
        rest = [f"+{left}"] if left else []
        longer = prepare_text("\n".join([heading, *lines, *rest]), TextEncoding.UNICODE)
        if longer.parts > most_parts:
            return filled, len(lines) - 1
        filled = longer
    return filled, len(lines)


def _line(text: str, width: int) -> str:
    """Return a text on one line of at most `width` characters."""
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    return line[: width - len(_CUT)].rstrip() + _CUT


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
