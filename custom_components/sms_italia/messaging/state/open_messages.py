"""The open messages: the one place where a message changes.

What changes here goes to the ledger, into the totals, to the listeners and to the
subscribers of its stage. The rest of this layer holds no message of its own.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ...providers import MessageRef
from ..clock import Clock
from ..ledger import Entry, Ledger, Remembered, SubmissionIntent
from ..model import Message, Stage
from .events import Events, MessagesChanged, WaitingChanged, call_guarded
from .totals import DailyTotals
from .transitions import joined, may_follow, shared


@dataclass(frozen=True, slots=True)
class Change:
    """A message as it was and as it is; `before` is None if it is new."""

    before: Message | None
    after: Message


type Subscriber = Callable[[Sequence[Change]], None]


class OpenMessages:
    """Open messages by ID, and by all else that they are looked up by."""

    def __init__(
        self, ledger: Ledger, clock: Clock, totals: DailyTotals, events: Events
    ) -> None:
        """Write to `ledger`; `load` takes over what it holds."""
        self._ledger = ledger
        self._totals = totals
        self._events = events
        self._open: dict[int, Message] = {}
        self._by_ref: _Index[tuple[str | None, str, str]] = _Index()
        self._by_submission: _Index[str] = _Index()
        self._waiting: dict[int, Message] = {}
        self._waiting_by_number: _Index[str] = _Index()
        self._held: _Index[tuple[str, str]] = _Index()
        self._joined: _Index[int | None] = _Index()
        self._unsent_parts: Counter[str | None] = Counter()
        self._unrecorded: dict[int, dict[int, Message]] = {}
        self._watched: dict[int, dict[int, Message]] = {}
        self._subscribers: dict[Stage, list[Subscriber]] = {}
        self.ids = _growing_ids(clock)
        ledger.remember_with(self.remembered)

    def subscribe(self, subscriber: Subscriber, *stages: Stage) -> Callable[[], None]:
        """Call `subscriber` with the changes of messages that are at these stages then.

        At once, before anything is on disk. Returns how to stop it.
        """
        for stage in stages:
            self._subscribers.setdefault(stage, []).append(subscriber)

        def stop() -> None:
            for stage in stages:
                self._subscribers[stage].remove(subscriber)

        return stop

    def load(self, messages: Iterable[Message]) -> None:
        """Take over what the ledger held open."""
        loaded = list(messages)
        for message in loaded:
            self._enter(message)
        self._call_subscribers([Change(None, message) for message in loaded])

    def clear(self) -> None:
        """Forget all messages; the ledger has them, and listeners know."""
        self._events.flush()
        for index in (
            self._open,
            self._by_ref,
            self._by_submission,
            self._waiting,
            self._waiting_by_number,
            self._held,
            self._joined,
            self._unsent_parts,
            self._unrecorded,
        ):
            index.clear()

    def forget(self, account_id: str) -> None:
        """Forget what was asked of an account; the ledger goes on having it."""
        for message in self:
            if message.dispatch.account == account_id:
                self._leave(message)
                self._unrecorded.pop(message.dispatch.id, None)

    def remembered(self) -> Remembered:
        """Return what the ledger should hold, should it have been lost."""
        return Remembered(
            messages=tuple(self._open.values()), totals=self._totals.known()
        )

    def __iter__(self) -> Iterator[Message]:
        """Go over the open messages as they are now, oldest first."""
        return iter(tuple(self._open.values()))

    def get(self, message_id: int) -> Message | None:
        """Return a message that is still open."""
        return self._open.get(message_id)

    def by_ref(self, account_id: str, ref: MessageRef) -> tuple[Message, ...]:
        """Return the open messages that an account's provider knows by this ref.

        It is one, unless the provider gave an ID twice.
        """
        return self._by_ref[account_id, ref.provider_id, ref.recipient]

    def of_submission(self, reference: str) -> list[Message]:
        """Return the open messages of a submission."""
        return list(self._by_submission[reference])

    @property
    def waiting(self) -> tuple[Message, ...]:
        """The messages in the outbox, oldest first."""
        return tuple(sorted(self._waiting.values(), key=lambda message: message.id))

    def waiting_for(self, number: str) -> Collection[Message]:
        """Return the messages in the outbox to a number, in any order."""
        return self._waiting_by_number.unsorted(number)

    def held(self, account_id: str, number: str) -> tuple[Message, ...]:
        """Return what an account holds of a storm to a number, oldest first."""
        return self._held[account_id, number]

    def held_numbers(self, account_id: str) -> set[str]:
        """Return the numbers to which an account holds something of a storm."""
        return {number for account, number in self._held if account == account_id}

    def committed_parts(self, account_id: str) -> int:
        """Return the parts spent today plus those still on their way to be sent."""
        spent = self._totals.spent_today(account_id).parts
        return spent + self._unsent_parts[account_id]

    def add(self, messages: Sequence[Message]) -> None:
        """Add the new messages of a dispatch, in memory at once.

        They are recorded with the first change of any of them, or by `record`. Nothing
        is counted as spent for them until they change.
        """
        dispatch = messages[0].dispatch
        for message in messages:
            self._enter(message)
        unrecorded = self._unrecorded.setdefault(dispatch.id, {})
        unrecorded.update((one.id, one) for one in messages)
        self._events.publish_with_next(
            MessagesChanged(
                account=dispatch.account,
                messages=tuple(messages),
                status_changed=tuple(messages),
            )
        )
        self._call_subscribers([Change(None, message) for message in messages])

    async def record(self, messages: Sequence[Message]) -> None:
        """Record what of the messages' dispatches is new; return when all is on disk.

        Also what was recorded of them before.
        """
        new = self._take_unrecorded(messages)
        self._events.hurry()
        dispatches = {one.dispatch.id for one in messages}
        await self._ledger.record(Entry(messages=tuple(new.values())), dispatches)

    async def record_repeat(
        self, messages: Sequence[Message], repeated: Message
    ) -> None:
        """Record new messages, and that they send another one again.

        At once: a crash does not leave one without the other. One that was open and
        ended meanwhile stays as it ended.
        """
        new = self._take_unrecorded(messages)
        resent = self._mark_resent(repeated)
        self._events.hurry()
        entry = Entry(messages=(*resent, *new.values()))
        await self._ledger.record(entry, {one.dispatch.id for one in messages})

    def _mark_resent(self, repeated: Message) -> tuple[Message, ...]:
        """Note that a message is sent again; return what is to be recorded of it."""
        known = self._open.get(repeated.id)
        if known is None and repeated.stage is not Stage.CLOSED:
            return ()
        resent = replace(known or repeated, is_resent=True)
        if known is not None:
            self._leave(known)
            self._enter(resent)
        self._publish([Change(known or repeated, resent)])
        return (resent,)

    async def change(
        self,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> None:
        """Put messages in the place of what was known of them; return when on disk.

        A message that may not follow what is known is dropped; those that are joined
        in one follow it.
        """
        entry = self._put(messages, submissions)
        if entry is not None:
            await self._ledger.record(entry)

    async def commit(
        self, messages: Sequence[Message], submissions: Sequence[SubmissionIntent]
    ) -> None:
        """Put messages in the place of what was known of them, as `change` does.

        Returns when the process may be killed; they are on disk a moment later.
        """
        entry = self._put(messages, submissions)
        if entry is not None:
            await self._ledger.commit(entry)

    def stands_nowhere(self, messages: Sequence[Message]) -> bool:
        """Return whether nothing of messages has been recorded, nor of their run."""
        return all(
            one.dispatch.id in self._unrecorded and one.dispatch.run is None
            for one in messages
        )

    def note(self, messages: Sequence[Message]) -> None:
        """Put messages in the place of what was known of them, as `change` does.

        They are on disk a moment later: for what nobody has to wait for.
        """
        entry = self._put(messages)
        if entry is not None:
            self._ledger.note(entry)

    async def join(self, carrying: Message, held: Sequence[Message]) -> None:
        """Add a new message that carries held ones; return when all is on disk."""
        changes = [Change(one, joined(one, carrying)) for one in held]
        for message in held:
            self._leave(message)
        changes.append(Change(None, carrying))
        messages = tuple(change.after for change in changes)
        for message in messages:
            self._enter(message)
        self._events.publish(
            MessagesChanged(
                account=carrying.dispatch.account,
                messages=messages,
                status_changed=(carrying,),
            )
        )
        self._call_subscribers(changes)
        await self._ledger.record(Entry(messages=self._to_record(messages)))

    @contextmanager
    def watch(self, messages: Sequence[Message]) -> Iterator[Mapping[int, Message]]:
        """Keep the latest of new messages by ID, closed ones too."""
        latest = {message.id: message for message in messages}
        self._watched |= dict.fromkeys(latest, latest)
        try:
            yield latest
        finally:
            for message_id in latest:
                del self._watched[message_id]

    def is_watched(self, message: Message) -> bool:
        """Return whether a caller waits for the outcome of a message."""
        return message.id in self._watched

    def _put(
        self,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> Entry | None:
        """Change what may change; return what is to be recorded, None if nothing is."""
        changes: list[Change] = []
        for old, message in self._following(messages):
            self._leave(old)
            self._enter(message)
            changes.append(Change(old, message))
        if not changes:
            return None
        changed = [change.after for change in changes]
        spent = self._totals.add_changes(
            (change.before, change.after)
            for change in changes
            if change.before is not None
        )
        entry = Entry(
            messages=self._to_record(changed), submissions=submissions, spent=spent
        )
        self._publish(changes)
        if not submissions:
            self._events.hurry()
        self._call_subscribers(changes)
        return entry

    def _following(
        self, messages: Iterable[Message]
    ) -> Iterator[tuple[Message, Message]]:
        """Go over those that may follow what is known, and that; the joined follow."""
        for message in messages:
            old = self._open.get(message.id)
            if old is None or not may_follow(old, message):
                continue
            # It may have been sent again while this change was computed.
            yield old, replace(message, is_resent=True) if old.is_resent else message
            for one in self._joined[message.id]:
                yield one, shared(one, message)

    def _to_record(self, changed: Sequence[Message]) -> tuple[Message, ...]:
        """Return changed messages, with those of their dispatches not on disk yet."""
        to_record = self._take_unrecorded(changed)
        to_record |= {message.id: message for message in changed}
        return tuple(to_record.values())

    def _take_unrecorded(self, messages: Iterable[Message]) -> dict[int, Message]:
        """Return the messages by ID of the same dispatches that are not on disk yet."""
        unrecorded: dict[int, Message] = {}
        if self._unrecorded:
            for dispatch_id in {message.dispatch.id for message in messages}:
                unrecorded |= self._unrecorded.pop(dispatch_id, {})
        return unrecorded

    def _publish(self, changes: Sequence[Change]) -> None:
        """Notify the listeners of what they show of messages."""
        shown: dict[str, list[Message]] = {}
        status_changed: set[int] = set()
        for change in changes:
            before, after = change.before, change.after
            if before is None or _shown(before) != _shown(after):
                shown.setdefault(after.dispatch.account, []).append(after)
            if before is None or before.status is not after.status:
                status_changed.add(after.id)
        for account, messages in shown.items():
            self._events.publish(
                MessagesChanged(
                    account=account,
                    messages=tuple(messages),
                    status_changed=tuple(
                        one for one in messages if one.id in status_changed
                    ),
                )
            )

        for account in dict.fromkeys(
            change.after.dispatch.account
            for change in changes
            if change.before is not None
            and _waits_until(change.before) != _waits_until(change.after)
        ):
            self._events.publish_with_next(WaitingChanged(account=account))

    def _call_subscribers(self, changes: Sequence[Change]) -> None:
        for stage in dict.fromkeys(change.after.stage for change in changes):
            if subscribers := self._subscribers.get(stage):
                at_stage = [one for one in changes if one.after.stage is stage]
                for subscriber in tuple(subscribers):
                    call_guarded(subscriber, at_stage)

    def _enter(self, message: Message) -> None:
        """Add a message to the indexes that its stage calls for."""
        if (watched := self._watched.get(message.id)) is not None:
            watched[message.id] = message
        match message.stage:
            case Stage.CLOSED:
                return
            case Stage.WAITING:
                self._waiting[message.id] = message
                self._waiting_by_number.add(message.number, message)
            case Stage.HELD:
                self._held.add((message.dispatch.account, message.number), message)
            case Stage.JOINED:
                self._joined.add(message.joined_in, message)
            case Stage.SUBMITTING | Stage.ACCEPTED | Stage.IN_DOUBT:
                pass
        self._open[message.id] = message
        for account in _accounts_to_charge(message):
            self._unsent_parts[account] += message.parts
        if message.provider_id is not None:
            self._by_ref.add(_ref_of(message, message.provider_id), message)
        if message.submission is not None:
            self._by_submission.add(message.submission, message)

    def _leave(self, message: Message) -> None:
        """Remove a message from all indexes."""
        del self._open[message.id]
        for account in _accounts_to_charge(message):
            self._unsent_parts[account] -= message.parts
        if message.provider_id is not None:
            self._by_ref.remove(_ref_of(message, message.provider_id), message)
        if message.submission is not None:
            self._by_submission.remove(message.submission, message)
        match message.stage:
            case Stage.WAITING:
                del self._waiting[message.id]
                self._waiting_by_number.remove(message.number, message)
            case Stage.HELD:
                self._held.remove((message.dispatch.account, message.number), message)
            case Stage.JOINED:
                self._joined.remove(message.joined_in, message)
            case Stage.SUBMITTING | Stage.ACCEPTED | Stage.IN_DOUBT | Stage.CLOSED:
                pass


def _growing_ids(clock: Clock) -> Iterator[int]:
    """Return IDs that grow with steady time: milliseconds, then a counter."""
    last = 0
    while True:
        last = max(last + 1, int(clock.now() * 1000) << 20)
        yield last


def _ref_of(message: Message, provider_id: str) -> tuple[str | None, str, str]:
    """Return what a message's provider knows it by."""
    return message.last_account, provider_id, message.number


def _shown(message: Message) -> tuple[object, ...]:
    """Return what listeners show of a message."""
    is_closed = message.stage is Stage.CLOSED
    return (
        message.status,
        message.error,
        message.parts,
        message.cost,
        message.is_resent,
        is_closed,
    )


def _waits_until(message: Message) -> float | bool | None:
    """Return until when a message waits to be sent, False if it does not wait."""
    match message.stage:
        case Stage.WAITING | Stage.HELD | Stage.JOINED:
            return message.attempt_at
        case Stage.SUBMITTING | Stage.ACCEPTED | Stage.IN_DOUBT | Stage.CLOSED:
            return False


def _accounts_to_charge(message: Message) -> set[str | None]:
    """Return the accounts whose daily limit a message on its way counts for."""
    match message.stage:
        case Stage.WAITING | Stage.HELD:
            return {message.dispatch.route[0]}
        case Stage.SUBMITTING:
            return {message.dispatch.route[0], message.last_account}
        case Stage.JOINED | Stage.ACCEPTED | Stage.IN_DOUBT | Stage.CLOSED:
            return set()


class _Index[K]:
    """Messages by a key that several of them may share."""

    def __init__(self) -> None:
        self._by_key: dict[K, dict[int, Message]] = {}

    def __iter__(self) -> Iterator[K]:
        """Go over the keys that have messages."""
        return iter(self._by_key)

    def __getitem__(self, key: K) -> tuple[Message, ...]:
        """Return the messages of a key, oldest first."""
        found = self._by_key.get(key)
        if found is None:
            return ()
        return tuple(sorted(found.values(), key=lambda message: message.id))

    def unsorted(self, key: K) -> Collection[Message]:
        """Return the messages of a key as they are, at no cost."""
        return self._by_key.get(key, {}).values()

    def add(self, key: K, message: Message) -> None:
        self._by_key.setdefault(key, {})[message.id] = message

    def remove(self, key: K, message: Message) -> None:
        messages = self._by_key[key]
        del messages[message.id]
        if not messages:
            del self._by_key[key]

    def clear(self) -> None:
        self._by_key.clear()
