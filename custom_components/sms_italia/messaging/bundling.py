"""The storm brake: many messages to one number within a minute go out as one text.

Nothing is dropped. The ledger holds every message with its own text; those that are
joined share the fate of the message that carries them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
import heapq

from ..providers.model import Channel, ErrorKind, Mode, Status
from .account import Account
from .book import Book
from .clock import Clock
from .model import Dispatch, Message, Stage, Wishes
from .text import PreparedText, TextEncoding, prepare_text

_MOST_PARTS = 3
"""Parts of joined messages where the account's options set no bound."""

_WIDTHS = (160, 80, 40)
"""Characters of a line, tried in turn until all lines fit."""
_NARROWEST = 20
"""Even in the one part of a text with emoji, a line of so many has room."""

_CUT = "..."


class Bundler:
    """Holds the messages of a storm back, and lets them out joined.

    A storm is more than `bundle_after` messages of an account to one number within
    `window` seconds. What comes beyond is held, and goes out joined `window` seconds
    after the first of it. What is held stands in the book; how many came stands in
    memory alone, so that a restart begins to count anew. `on_waiting` is called when
    messages were put into the outbox; `spawn` starts a task that somebody else owns.
    """

    def __init__(  # noqa: PLR0913 - what it is told and whom it tells
        self,
        accounts: Mapping[str, Account],
        book: Book,
        clock: Clock,
        window: float,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        on_waiting: Callable[[], None],
    ) -> None:
        """Start with no message counted."""
        self._accounts = accounts
        self._book = book
        self._clock = clock
        self._window = window
        self._spawn = spawn
        self._on_waiting = on_waiting
        self._arrivals: dict[tuple[str, str], deque[float]] = {}
        self._queue: list[tuple[float, str, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, account: Account, messages: Sequence[Message]) -> list[Message]:
        """Count the new messages of a dispatch; return them, those of a storm held.

        To be entered in the book at once, followed by `follow`.
        """
        most = account.options.bundle_after
        if not most:
            return list(messages)
        return [
            self._held(message)
            if _can_be_joined(account, message.dispatch.wishes)
            and self._is_storm((account.id, message.number), most)
            else message
            for message in messages
        ]

    def follow(self, messages: Sequence[Message]) -> None:
        """Let those of the messages that are held out when their time comes."""
        held = {
            (message.dispatch.account, message.number)
            for message in messages
            if message.stage is Stage.HELD
        }
        for key in held:
            self._put_off(*key)
        self._set_timer()

    async def push(self) -> None:
        """Let out what is due; returns when it is in the outbox."""
        now = self._clock.now()
        due: set[tuple[str, str]] = set()
        while self._queue and self._is_due(self._queue[0][0], now):
            _, account, number = heapq.heappop(self._queue)
            due.add((account, number))
        # Together, so that the ledger can commit them together.
        try:
            await asyncio.gather(*(self._let_out(*key) for key in due))
        finally:
            self._on_waiting()
            self._set_timer()

    def stop(self) -> None:
        """Forget what is due and what was counted; the book has what is held."""
        self._arrivals.clear()
        self._queue.clear()
        self._set_timer()

    def _is_storm(self, key: tuple[str, str], most: int) -> bool:
        """Count a message to a number; tell whether it is one too many."""
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
        return is_storm or bool(self._book.held(*key))

    def _is_recent(self, moment: float, now: float) -> bool:
        """Tell whether a moment is within the window; the clock may have been set."""
        return 0 <= now - moment < self._window

    def _held(self, message: Message) -> Message:
        """Return a new message as one that is held until its number's are let out."""
        now = self._clock.now()
        others = self._book.held(message.dispatch.account, message.number)
        moment = now + min(self._window, (message.dispatch.expires - now) / 2)
        return replace(
            message,
            stage=Stage.HELD,
            attempt_at=min([moment, *(one.attempt_at or 0 for one in others)]),
        )

    def _put_off(self, account: str, number: str) -> None:
        """Set when something must be done with what is held for a number."""
        held = self._book.held(account, number)
        if held:
            moments = [one.dispatch.expires for one in held]
            if account in self._accounts:
                moments += (one.attempt_at or 0 for one in held)
            heapq.heappush(self._queue, (min(moments), account, number))

    def _set_timer(self) -> None:
        """Set the timer for whatever is due first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue:
            delay = max(0, self._queue[0][0] - self._clock.now())
            # Looked at within a window in any case: the clock may be set.
            self._timer = asyncio.get_running_loop().call_later(
                min(delay, self._window), self._begin
            )

    def _begin(self) -> None:
        self._spawn(self.push(), "sms_italia bundle")

    def _is_due(self, moment: float, now: float) -> bool:
        """Tell whether a moment has come, which never is more than a window away.

        Otherwise the clock was set back, and what is held would be held too long.
        """
        return not now < moment <= now + self._window

    async def _let_out(self, account_id: str, number: str) -> None:
        """Send what is held for a number, if it is due, or let it expire."""
        await self._expire(self._book.held(account_id, number))
        held = self._book.held(account_id, number)
        account = self._accounts.get(account_id)
        now = self._clock.now()
        if account is None or not any(
            self._is_due(one.attempt_at or 0, now) for one in held
        ):
            self._put_off(account_id, number)
        elif len(held) == 1:
            # Nothing came after it: it goes out as it is.
            await self._book.change(
                [replace(held[0], stage=Stage.WAITING, attempt_at=now, updated=now)]
            )
        else:
            await self._join(account, held)

    async def _expire(self, held: Sequence[Message]) -> None:
        """Close what may not be sent any more."""
        now = self._clock.now()
        await self._book.change(
            [
                replace(
                    one,
                    status=Status.EXPIRED,
                    stage=Stage.CLOSED,
                    error=ErrorKind.UNAVAILABLE,
                    attempt_at=None,
                    updated=now,
                )
                for one in held
                if now >= one.dispatch.expires
            ]
        )

    async def _join(self, account: Account, held: Sequence[Message]) -> None:
        """Put held messages to one number, oldest first, into one new message.

        It takes no more parts than they would have: what they count of the day's limit
        is enough for it.
        """
        now = self._clock.now()
        newest = held[-1]
        prepared = join_texts(
            account.bundle_heading(len(held)),
            [one.dispatch.text for one in held],
            min(
                account.max_parts,
                account.options.max_parts or _MOST_PARTS,
                sum(one.parts for one in held),
            ),
        )
        first, second = self._book.take_ids(2)
        dispatch = Dispatch(
            id=first,
            account=account.id,
            text=prepared.text,
            encoding=prepared.encoding,
            parts=prepared.parts,
            created=now,
            expires=min(one.dispatch.expires for one in held),
            route=newest.dispatch.route,
            wishes=_joined_wishes([one.dispatch.wishes for one in held]),
        )
        message = Message(
            id=second,
            dispatch=dispatch,
            number=newest.number,
            recipient=newest.recipient,
            status=Status.QUEUED,
            stage=Stage.WAITING,
            updated=now,
            parts=prepared.parts,
            attempt_at=now,
        )
        await self._book.join(message, held)


def join_texts(heading: str, texts: Sequence[str], most_parts: int) -> PreparedText:
    """Return one text of at most `most_parts` parts that tells of several.

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


def _can_be_joined(account: Account, wishes: Wishes) -> bool:
    """Tell whether a message may go out together with others.

    One of a moment, a channel, a group or a name of its own is meant to go out itself.
    """
    return (
        wishes.send_at is None
        and (wishes.channel or account.channel) is Channel.SMS
        and wishes.mode is not Mode.TEST
        and wishes.picture is None
        and wishes.reference is None
        and not wishes.groups
    )


def _joined_wishes(all_wishes: Sequence[Wishes]) -> Wishes:
    """Return the wishes for joined messages: the newest sender, what any insists on.

    What an account's options would only try out, or send as a Push, does no harm in
    the SMS that another one asked for.
    """
    return Wishes(
        sender=all_wishes[-1].sender,
        channel=next((one.channel for one in all_wishes if one.channel), None),
        mode=next((one.mode for one in all_wishes if one.mode), None),
    )
