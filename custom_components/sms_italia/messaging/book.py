"""The book of open messages: the one place where a message changes.

What changes here goes to the ledger and to whoever listens. The rest of this
layer decides and asks the book; it holds no message of its own.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
import logging
from traceback import format_tb

from ..providers.model import MessageRef, Status
from .clock import Clock
from .ledger import (
    Entry,
    Found,
    Ledger,
    LedgerClosedError,
    Query,
    Remembered,
    Spent,
    SubmissionIntent,
)
from .model import DayTotal, Dispatch, Message, Stage

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesChanged:
    """Messages of one account are new, or more is known of them than before.

    `turned` are those of them that have another status than before.
    """

    account: str
    messages: tuple[Message, ...]
    turned: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsChanged:
    """What an account spent today is another sum."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTold:
    """An answer to a send told the account's balance, in euro."""

    account: str
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditChanged:
    """An account's balance is another than the one that was known."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRefused:
    """A provider refused the account's credentials."""

    account: str


type Event = (
    MessagesChanged | TotalsChanged | CreditTold | CreditChanged | CredentialsRefused
)
type Listener = Callable[[Event], None]

_PATIENCE = 0.01
"""Seconds until listeners are told that a message sets out."""

_UNHEARD = 1000
"""Messages of an account that are remembered as turned while nobody attended to it."""

_DAYS = 7
"""Days whose totals are remembered, for a clock that is put right."""

_RANK = {Status.QUEUED: 0, Status.SENT: 1, Status.UNCERTAIN: 2}


def may_follow(old: Message, new: Message) -> bool:
    """Tell whether a new word about a message may follow what is known of it.

    Once a provider has taken it, only forward: queued, sent, uncertain, then one
    of the final three, and never back to be sent again. Before that, or in doubt,
    nothing is known that a new word could contradict.
    """
    if old.status.is_final and new.status is not old.status:
        return False
    match old.stage:
        case (
            Stage.WAITING
            | Stage.HELD
            | Stage.JOINED
            | Stage.SUBMITTING
            | Stage.DOUBTFUL
        ):
            return True
        case Stage.TAKEN:
            return new.stage in {Stage.TAKEN, Stage.CLOSED} and (
                new.status.is_final or _RANK[new.status] >= _RANK[old.status]
            )
        case Stage.CLOSED:
            return False


def _shown(message: Message) -> tuple[object, ...]:
    """Return what listeners show of a message."""
    return message.status, message.error, message.parts, message.cost


def _together(news: Iterable[Event]) -> Iterable[Event]:
    """Return the news with all of a kind about an account as one; the last one counts.

    Changed messages stay in the order in which they changed.
    """
    by_kind: dict[tuple[type, str], list[Event]] = {}
    for event in news:
        by_kind.setdefault((type(event), event.account), []).append(event)
    return [_as_one(events) for events in by_kind.values()]


def _as_one(events: Sequence[Event]) -> Event:
    """Return events of one kind about an account as one."""
    if len(events) == 1 or not isinstance(events[-1], MessagesChanged):
        return events[-1]
    changes = [event for event in events if isinstance(event, MessagesChanged)]
    return MessagesChanged(
        account=events[-1].account,
        messages=tuple(one for change in changes for one in change.messages),
        turned=tuple(one for change in changes for one in change.turned),
    )


def _sharing(joined: Message, carrying: Message) -> Message:
    """Return a joined message with the fate of the one that carries it.

    Parts, cost and the provider's id stay with that one, so that nothing counts twice.
    """
    return replace(
        joined,
        status=carrying.status,
        stage=Stage.CLOSED if carrying.stage is Stage.CLOSED else Stage.JOINED,
        carrier=carrying.carrier,
        error=carrying.error,
        detail=carrying.detail,
        type=carrying.type,
        updated=carrying.updated,
    )


def _charged_to(message: Message) -> str | None:
    """Return the account that a message may cost: the one that took it, or may have.

    What certainly was not taken, or is to be sent again, costs nothing.
    """
    match message.stage:
        case Stage.TAKEN | Stage.DOUBTFUL:
            return message.carrier
        case Stage.CLOSED:
            was_refused = message.status in {Status.FAILED, Status.EXPIRED}
            is_free = was_refused and message.provider_id is None
            return None if is_free else message.carrier
        case Stage.WAITING | Stage.HELD | Stage.JOINED | Stage.SUBMITTING:
            return None


def _counting(message: Message) -> set[str | None]:
    """Return the accounts whose limit of the day a message on its way counts for."""
    match message.stage:
        case Stage.WAITING | Stage.HELD:
            return {message.dispatch.account}
        case Stage.SUBMITTING:
            return {message.dispatch.account, message.carrier}
        case Stage.JOINED | Stage.TAKEN | Stage.DOUBTFUL | Stage.CLOSED:
            return set()


class _Groups[K]:
    """Messages by a key that several of them may share."""

    def __init__(self) -> None:
        self._groups: dict[K, dict[int, Message]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._groups

    def __getitem__(self, key: K) -> tuple[Message, ...]:
        """Return the messages of a key, oldest first."""
        group = self._groups.get(key, {}).values()
        return tuple(sorted(group, key=lambda message: message.id))

    def add(self, key: K, message: Message) -> None:
        self._groups.setdefault(key, {})[message.id] = message

    def remove(self, key: K, message: Message) -> None:
        group = self._groups[key]
        del group[message.id]
        if not group:
            del self._groups[key]

    def clear(self) -> None:
        self._groups.clear()


class _Spending:
    """What is added to the totals, summed up by day and account."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], DayTotal] = {}

    def add(self, day: str, account: str, parts: int, cost: Decimal) -> None:
        total = self._totals.get((day, account), DayTotal())
        self._totals[day, account] = DayTotal(
            parts=total.parts + parts, cost=total.cost + cost
        )

    def total(self) -> tuple[Spent, ...]:
        """Return what is not nothing."""
        return tuple(
            Spent(day=day, account=account, parts=total.parts, cost=total.cost)
            for (day, account), total in self._totals.items()
            if total.parts or total.cost
        )


class Book:
    """Open messages by id, the day's totals, and the listeners of each account."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """Write to `ledger`; `load` fills the book from it."""
        self._ledger = ledger
        self._clock = clock
        self._open: dict[int, Message] = {}
        self._by_ref: dict[tuple[str | None, str, str], int] = {}
        self._by_submission: _Groups[str] = _Groups()
        self._unsent_parts: Counter[str | None] = Counter()
        self._expected: dict[int, int] = {}
        self._expected_parts: Counter[str] = Counter()
        self._waiting: dict[int, Message] = {}
        self._waiting_numbers: _Groups[str] = _Groups()
        self._held: _Groups[tuple[str, str]] = _Groups()
        self._joined: _Groups[int | None] = _Groups()
        self._day = clock.today()
        self._totals: dict[str, dict[str, DayTotal]] = {self._day: {}}
        self._listeners: dict[str, list[Listener]] = {}
        self._news: list[Event] = []
        self._is_telling = False
        self._patience: asyncio.TimerHandle | None = None
        self._watched: dict[int, dict[int, Message]] = {}
        self._attended: set[str] = set()
        self._unheard: dict[str, deque[Message]] = {}
        self._next_id = 0
        ledger.remember_with(self._remember)

    def load(self, messages: Iterable[Message], totals: dict[str, DayTotal]) -> None:
        """Take over what the ledger held open, and today's totals by account."""
        for message in messages:
            self._enter(message)
        self._day = self._clock.today()
        self._totals = {self._day: dict(totals)}

    def _remember(self) -> Remembered:
        """Return what the ledger should hold, should it have been lost."""
        return Remembered(messages=tuple(self._open.values()), totals=self._totals)

    def clear(self) -> None:
        """Forget all messages; the ledger has them, and listeners know."""
        self._tell_all()
        for index in (
            self._open,
            self._by_ref,
            self._by_submission,
            self._unsent_parts,
            self._waiting,
            self._waiting_numbers,
            self._held,
            self._joined,
        ):
            index.clear()

    def drop(self, account: str) -> None:
        """Forget what was asked of an account; the ledger is not told."""
        for message in self:
            if message.dispatch.account == account:
                self._leave(message)
        for totals in self._totals.values():
            totals.pop(account, None)
        self._unheard.pop(account, None)

    def __iter__(self) -> Iterator[Message]:
        """Go over the open messages as they are now, oldest first."""
        return iter(tuple(self._open.values()))

    def get(self, message_id: int) -> Message | None:
        """Return a message that is still open."""
        return self._open.get(message_id)

    def by_ref(self, carrier: str, ref: MessageRef) -> Message | None:
        """Return the open message that a provider knows by this ref."""
        message_id = self._by_ref.get((carrier, ref.provider_id, ref.recipient))
        return None if message_id is None else self._open[message_id]

    def of_submission(self, reference: str) -> list[Message]:
        """Return the open messages of a submission."""
        return list(self._by_submission[reference])

    async def knows_reference(self, reference: str) -> bool:
        """Tell whether a submission may have had this reference already.

        When it returns, nothing has come between: it is still so.
        """
        known = await self._ledger.knows_reference(reference)
        return known or bool(self.of_submission(reference))

    async def find(self, query: Query) -> Found:
        """Return messages from the ledger, newest first."""
        return await self._ledger.find(query)

    @property
    def waiting(self) -> tuple[Message, ...]:
        """The messages in our outbox, oldest first."""
        return tuple(sorted(self._waiting.values(), key=lambda message: message.id))

    def is_waiting(self, number: str) -> bool:
        """Tell whether an older message to this number waits in the outbox."""
        return number in self._waiting_numbers

    def held(self, account: str, number: str) -> tuple[Message, ...]:
        """Return what an account holds of a storm to a number, oldest first."""
        return self._held[account, number]

    def take_ids(self, count: int) -> range:
        """Return ids in a row that grow with time: milliseconds, then a counter."""
        first = max(self._next_id, int(self._clock.now() * 1000) << 20)
        self._next_id = first + count
        return range(first, self._next_id)

    def spent_today(self, account: str) -> DayTotal:
        """Return what an account spent since midnight."""
        self._turn_day()
        return self._totals[self._day].get(account, DayTotal())

    def committed_parts(self, account: str) -> int:
        """Return the parts spent today plus those still on their way out."""
        return (
            self.spent_today(account).parts
            + self._unsent_parts[account]
            + self._expected_parts[account]
        )

    def expect(self, dispatch: Dispatch, count: int) -> Callable[[], None]:
        """Count the parts of `count` messages of a dispatch until they are added.

        Returns how to end that if they never are.
        """
        self._expected[dispatch.id] = dispatch.parts * count
        self._expected_parts[dispatch.account] += dispatch.parts * count
        return partial(self._expect_no_more, dispatch)

    def _expect_no_more(self, dispatch: Dispatch) -> None:
        """Stop to count the parts of a dispatch as expected, if it was."""
        self._expected_parts[dispatch.account] -= self._expected.pop(dispatch.id, 0)

    async def add(
        self,
        dispatch: Dispatch,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> None:
        """Enter new messages of a dispatch; returns when they are on disk.

        Nothing is counted for them until they change.
        """
        self._expect_no_more(dispatch)
        for message in messages:
            self._enter(message)
        news = tuple(messages)
        event = MessagesChanged(account=dispatch.account, messages=news, turned=news)
        if submissions:
            self._tell_with_next(event)
        else:
            self.tell(event)
        await self._ledger.record(
            Entry(dispatch=dispatch, added=messages, submissions=submissions)
        )

    async def join(self, carrying: Message, held: Sequence[Message]) -> None:
        """Enter a new message that carries held ones; returns when all is on disk.

        They share its fate from now on, and have no parts of their own any more.
        """
        joined = [
            replace(
                message,
                stage=Stage.JOINED,
                joined_in=carrying.id,
                parts=0,
                attempt_at=None,
                updated=carrying.updated,
            )
            for message in held
        ]
        for message in held:
            self._leave(message)
        for message in (carrying, *joined):
            self._enter(message)
        dispatch = carrying.dispatch
        self.tell(
            MessagesChanged(
                account=dispatch.account,
                messages=(*joined, carrying),
                turned=(carrying,),
            )
        )
        await self._ledger.record(
            Entry(dispatch=dispatch, added=[carrying], changed=joined)
        )

    async def change(
        self,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> None:
        """Put messages in the place of what was known of them; returns when on disk.

        A message that may not follow what is known is dropped; those that are joined
        in one follow it. What it may cost its carrier goes into the total of today, and
        is taken back from the day it was counted if it was not sent after all.
        """
        entry = self._put(messages, submissions)
        if entry is not None:
            await self._ledger.record(entry)

    def note(self, messages: Sequence[Message]) -> None:
        """Put messages in the place of what was known of them, as `change` does.

        They are on disk a moment later: for what nobody has to wait for.
        """
        entry = self._put(messages)
        if entry is not None:
            self._ledger.note(entry)

    def _put(
        self,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> Entry | None:
        """Change what may change; return what is to be recorded, None if nothing is."""
        changed: list[Message] = []
        news: dict[str, list[Message]] = {}
        turned: set[int] = set()
        spending = _Spending()
        self._turn_day()
        for old, message in self._following(messages):
            self._leave(old)
            self._enter(message)
            changed.append(message)
            if _shown(message) != _shown(old):
                news.setdefault(message.dispatch.account, []).append(message)
            if message.status is not old.status:
                turned.add(message.id)
            self._count(spending, old, message)
        if not changed:
            return None
        spent = spending.total()
        self._spend(spent)
        for account, messages_of_account in news.items():
            self.tell(
                MessagesChanged(
                    account=account,
                    messages=tuple(messages_of_account),
                    turned=tuple(
                        one for one in messages_of_account if one.id in turned
                    ),
                )
            )
        return Entry(changed=changed, submissions=submissions, spent=spent)

    def _count(self, spending: _Spending, old: Message, new: Message) -> None:
        """Add to what is spent what a message costs more than before, or less."""
        before, after = _charged_to(old), _charged_to(new)
        # What is corrected counts today; what turns out not to be spent never did.
        day = self._day if before == after else self._clock.day_of(old.updated)
        if before is not None:
            spending.add(day, before, -old.parts, -(old.cost or Decimal(0)))
        if after is not None:
            spending.add(self._day, after, new.parts, new.cost or Decimal(0))

    def _spend(self, spent: Sequence[Spent]) -> None:
        """Add to the totals."""
        for one in spent:
            if (totals := self._totals.get(one.day)) is not None:
                total = totals.get(one.account, DayTotal())
                totals[one.account] = DayTotal(
                    parts=total.parts + one.parts, cost=total.cost + one.cost
                )
        for account in dict.fromkeys(one.account for one in spent):
            self.tell(TotalsChanged(account=account))

    def _following(
        self, messages: Iterable[Message]
    ) -> Iterator[tuple[Message, Message]]:
        """Go over those that may follow what is known, and that; the joined follow."""
        for message in messages:
            old = self._open.get(message.id)
            if old is None or not may_follow(old, message):
                continue
            yield old, message
            for joined in self._joined[message.id]:
                yield joined, _sharing(joined, message)

    @contextmanager
    def watch(self, dispatch: Dispatch) -> Iterator[Mapping[int, Message]]:
        """Keep the latest of a dispatch's messages by id, closed ones too."""
        self._watched[dispatch.id] = {}
        try:
            yield self._watched[dispatch.id]
        finally:
            del self._watched[dispatch.id]

    def listen(self, account: str, listener: Listener) -> Callable[[], None]:
        """Tell `listener` what happens to an account; returns how to stop it."""
        listeners = self._listeners.setdefault(account, [])
        listeners.append(listener)

        def stop() -> None:
            listeners.remove(listener)

        return stop

    def attend(self, account: str) -> tuple[Message, ...]:
        """Return the messages of an account that turned while nobody attended to it.

        From now on somebody does, until `leave`.
        """
        self._attended.add(account)
        return tuple(self._unheard.pop(account, ()))

    def leave(self, account: str) -> None:
        """Begin to remember which messages of an account turn."""
        self._attended.discard(account)

    def tell(self, event: Event) -> None:
        """Tell the listeners of the event's account, soon; none can stop what it is of.

        What is recorded in this round of the event loop sets out for the disk first, so
        that what listeners do costs no time on the way of a message.
        """
        self._news.append(event)
        if not self._is_telling:
            self._is_telling = True
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._tell_all)

    def _tell_with_next(self, event: Event) -> None:
        """Tell the listeners together with what comes next, or in a moment.

        A message on its way to the wire should not have to wait for them.
        """
        self._news.append(event)
        if self._patience is None:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(_PATIENCE, self._tell_all)

    def _tell_all(self) -> None:
        """Tell all that there is to tell: in a storm, of many messages at once."""
        self._is_telling = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        news, self._news = self._news, []
        for event in _together(news):
            self._tell_now(event)

    def _tell_now(self, event: Event) -> None:
        if isinstance(event, MessagesChanged) and event.account not in self._attended:
            unheard = self._unheard.setdefault(event.account, deque(maxlen=_UNHEARD))
            unheard.extend(event.turned)
        for listener in tuple(self._listeners.get(event.account, ())):
            try:
                listener(event)
            except Exception as err:  # noqa: BLE001 - it must not keep it from the others
                # The exception itself may carry what must not be logged.
                _LOGGER.error(  # noqa: TRY400 - same reason
                    "A listener failed: %s\n%s",
                    type(err).__name__,
                    "".join(format_tb(err.__traceback__)),
                )

    def _turn_day(self) -> None:
        """Begin new totals when the day is another.

        The clock may have been put right, so that the ledger knows the day already.
        """
        today = self._clock.today()
        if today == self._day:
            return
        self._day = today
        if today in self._totals:
            return
        for day in sorted(self._totals)[: 1 - _DAYS]:
            del self._totals[day]
        self._totals[today] = {}
        try:
            asked = self._ledger.totals(today)
        except LedgerClosedError:
            return
        asked.add_done_callback(partial(self._take_totals, today))

    def _take_totals(self, day: str, told: asyncio.Future[dict[str, DayTotal]]) -> None:
        """Add to a day's totals what the ledger held of it before."""
        if told.cancelled() or told.exception() is not None:
            return
        self._spend(
            [
                Spent(day=day, account=account, parts=total.parts, cost=total.cost)
                for account, total in told.result().items()
            ]
        )

    def _enter(self, message: Message) -> None:
        """Take a message into the indexes that its stage calls for."""
        if (watched := self._watched.get(message.dispatch.id)) is not None:
            watched[message.id] = message
        match message.stage:
            case Stage.CLOSED:
                return
            case Stage.WAITING:
                self._waiting[message.id] = message
                self._waiting_numbers.add(message.number, message)
            case Stage.HELD:
                self._held.add((message.dispatch.account, message.number), message)
            case Stage.JOINED:
                self._joined.add(message.joined_in, message)
            case Stage.SUBMITTING | Stage.TAKEN | Stage.DOUBTFUL:
                pass
        self._open[message.id] = message
        for account in _counting(message):
            self._unsent_parts[account] += message.parts
        if message.provider_id is not None:
            self._by_ref[message.carrier, message.provider_id, message.number] = (
                message.id
            )
        if message.submission is not None:
            self._by_submission.add(message.submission, message)

    def _leave(self, message: Message) -> None:
        """Take a message out of all indexes."""
        del self._open[message.id]
        for account in _counting(message):
            self._unsent_parts[account] -= message.parts
        if message.provider_id is not None:
            self._by_ref.pop(
                (message.carrier, message.provider_id, message.number), None
            )
        if message.submission is not None:
            self._by_submission.remove(message.submission, message)
        match message.stage:
            case Stage.WAITING:
                del self._waiting[message.id]
                self._waiting_numbers.remove(message.number, message)
            case Stage.HELD:
                self._held.remove((message.dispatch.account, message.number), message)
            case Stage.JOINED:
                self._joined.remove(message.joined_in, message)
            case Stage.SUBMITTING | Stage.TAKEN | Stage.DOUBTFUL | Stage.CLOSED:
                pass
