"""The book of open messages: the one place where a message changes.

What changes here goes to the ledger and to whoever listens. The rest of this
layer decides and asks the book; it holds no message of its own.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
import logging
from traceback import format_tb

from ..providers.model import MessageRef, Status
from .clock import Clock
from .ledger import Entry, Ledger, Spent, SubmissionIntent
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

_UNHEARD = 1000
"""Messages of an account that are remembered as turned while nobody attended to it."""

_RANK = {Status.QUEUED: 0, Status.SENT: 1, Status.UNCERTAIN: 2}


def may_follow(old: Message, new: Status) -> bool:
    """Tell whether a status may come after what is known of a message.

    Once a provider has taken it, only forward: queued, sent, uncertain, then one
    of the final three. Before that, or in doubt, nothing is known that a new word
    could contradict.
    """
    match old.stage:
        case Stage.WAITING | Stage.SUBMITTING | Stage.DOUBTFUL:
            return True
        case Stage.TAKEN:
            return new.is_final or _RANK[new] >= _RANK[old.status]
        case Stage.CLOSED:
            return False


def _shown(message: Message) -> tuple[object, ...]:
    """Return what listeners show of a message."""
    return message.status, message.error, message.parts, message.cost


class Book:
    """Open messages by id, the day's totals, and the listeners of each account."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """Write to `ledger`; `load` fills the book from it."""
        self._ledger = ledger
        self._clock = clock
        self._open: dict[int, Message] = {}
        self._by_ref: dict[tuple[str | None, MessageRef], int] = {}
        self._by_submission: dict[str, set[int]] = {}
        self._unsent_parts: Counter[str | None] = Counter()
        self._expected: dict[int, tuple[str, int]] = {}
        self._waiting: dict[int, Message] = {}
        self._waiting_numbers: Counter[str] = Counter()
        self._day = clock.today()
        self._totals: dict[str, DayTotal] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._watched: dict[int, dict[int, Message]] = {}
        self._attended: set[str] = set()
        self._unheard: dict[str, deque[Message]] = {}
        self._next_id = 0

    def load(self, messages: Iterable[Message], totals: dict[str, DayTotal]) -> None:
        """Take over what the ledger held open, and today's totals by account."""
        for message in messages:
            self._enter(message)
        self._day = self._clock.today()
        self._totals = dict(totals)

    def clear(self) -> None:
        """Forget all messages; the ledger has them."""
        for index in (
            self._open,
            self._by_ref,
            self._by_submission,
            self._unsent_parts,
            self._waiting,
            self._waiting_numbers,
        ):
            index.clear()

    def drop(self, account: str) -> None:
        """Forget what was asked of an account; the ledger is not told."""
        for message in self:
            if message.dispatch.account == account:
                self._leave(message)
        self._unheard.pop(account, None)

    def __iter__(self) -> Iterator[Message]:
        """Go over the open messages as they are now, oldest first."""
        return iter(tuple(self._open.values()))

    def get(self, message_id: int) -> Message | None:
        """Return a message that is still open."""
        return self._open.get(message_id)

    def by_ref(self, carrier: str, ref: MessageRef) -> Message | None:
        """Return the open message that a provider knows by this ref."""
        message_id = self._by_ref.get((carrier, ref))
        return None if message_id is None else self._open[message_id]

    def of_submission(self, reference: str) -> list[Message]:
        """Return the open messages of a submission."""
        return [self._open[id_] for id_ in self._by_submission.get(reference, ())]

    @property
    def waiting(self) -> tuple[Message, ...]:
        """The messages in our outbox, oldest first."""
        return tuple(sorted(self._waiting.values(), key=lambda message: message.id))

    def is_waiting(self, number: str) -> bool:
        """Tell whether an older message to this number waits in the outbox."""
        return self._waiting_numbers[number] > 0

    def take_ids(self, count: int) -> range:
        """Return ids in a row that grow with time: milliseconds, then a counter."""
        first = max(self._next_id, int(self._clock.now() * 1000) << 20)
        self._next_id = first + count
        return range(first, self._next_id)

    def spent_today(self, account: str) -> DayTotal:
        """Return what an account spent since midnight."""
        self._turn_day()
        return self._totals.get(account, DayTotal())

    def committed_parts(self, account: str) -> int:
        """Return the parts spent today plus those still on their way out."""
        expected = sum(
            parts for asked, parts in self._expected.values() if asked == account
        )
        return self.spent_today(account).parts + self._unsent_parts[account] + expected

    def expect(self, dispatch: Dispatch, count: int) -> Callable[[], None]:
        """Count the parts of `count` messages of a dispatch until they are added.

        Returns how to end that if they never are.
        """
        self._expected[dispatch.id] = dispatch.account, dispatch.parts * count

        def stop() -> None:
            self._expected.pop(dispatch.id, None)

        return stop

    async def add(
        self,
        dispatch: Dispatch,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> None:
        """Enter new messages of a dispatch; returns when they are on disk."""
        self._expected.pop(dispatch.id, None)
        for message in messages:
            self._enter(message)
        news = tuple(messages)
        self.tell(MessagesChanged(account=dispatch.account, messages=news, turned=news))
        await self._ledger.record(
            Entry(dispatch=dispatch, added=messages, submissions=submissions)
        )

    async def change(
        self,
        messages: Sequence[Message],
        submissions: Sequence[SubmissionIntent] = (),
    ) -> None:
        """Put messages in the place of what was known of them; returns when on disk.

        A message that may not follow what is known is dropped. What a carrier
        told of parts and cost goes into its total of today.
        """
        changed: list[Message] = []
        news: dict[str, list[Message]] = {}
        turned: set[int] = set()
        spent: Counter[str] = Counter()
        costs: dict[str, Decimal] = {}
        for message in messages:
            old = self._open.get(message.id)
            if old is None or not may_follow(old, message.status):
                continue
            self._leave(old)
            self._enter(message)
            changed.append(message)
            if _shown(message) != _shown(old):
                news.setdefault(message.dispatch.account, []).append(message)
            if message.status is not old.status:
                turned.add(message.id)
            if message.carrier is not None and message.provider_id is not None:
                first = old.provider_id is None
                spent[message.carrier] += message.parts - (0 if first else old.parts)
                costs[message.carrier] = (
                    costs.get(message.carrier, Decimal(0))
                    + (message.cost or 0)
                    - (0 if first else old.cost or 0)
                )
        if not changed:
            return
        self._turn_day()
        additions = tuple(
            Spent(day=self._day, account=account, parts=parts, cost=costs[account])
            for account, parts in spent.items()
            if parts or costs[account]
        )
        for addition in additions:
            total = self._totals.get(addition.account, DayTotal())
            self._totals[addition.account] = DayTotal(
                parts=total.parts + addition.parts, cost=total.cost + addition.cost
            )
            self.tell(TotalsChanged(account=addition.account))
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
        await self._ledger.record(
            Entry(changed=changed, submissions=submissions, spent=additions)
        )

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
        """Tell the listeners of the event's account; none can stop what it is about."""
        if isinstance(event, MessagesChanged) and event.account not in self._attended:
            unheard = self._unheard.setdefault(event.account, deque(maxlen=_UNHEARD))
            unheard.extend(event.turned)
        for listener in tuple(self._listeners.get(event.account, ())):
            try:
                listener(event)
            except Exception as err:  # noqa: BLE001 - it is not on disk yet, and must be
                # The exception itself may carry what must not be logged.
                _LOGGER.error(  # noqa: TRY400 - same reason
                    "A listener failed: %s\n%s",
                    type(err).__name__,
                    "".join(format_tb(err.__traceback__)),
                )

    def _turn_day(self) -> None:
        """Begin new totals when the day is another."""
        today = self._clock.today()
        if today != self._day:
            self._day = today
            self._totals = {}

    def _enter(self, message: Message) -> None:
        """Take a message into the indexes that its stage calls for."""
        if (watched := self._watched.get(message.dispatch.id)) is not None:
            watched[message.id] = message
        match message.stage:
            case Stage.CLOSED:
                return
            case Stage.WAITING:
                self._waiting[message.id] = message
                self._waiting_numbers[message.number] += 1
                self._unsent_parts[message.dispatch.account] += message.parts
            case Stage.SUBMITTING:
                for account in {message.dispatch.account, message.carrier}:
                    self._unsent_parts[account] += message.parts
            case Stage.TAKEN | Stage.DOUBTFUL:
                pass
        self._open[message.id] = message
        if message.provider_id is not None:
            ref = MessageRef(message.provider_id, message.number)
            self._by_ref[message.carrier, ref] = message.id
        if message.submission is not None:
            self._by_submission.setdefault(message.submission, set()).add(message.id)

    def _leave(self, message: Message) -> None:
        """Take a message out of all indexes."""
        del self._open[message.id]
        if message.provider_id is not None:
            ref = MessageRef(message.provider_id, message.number)
            self._by_ref.pop((message.carrier, ref), None)
        if message.submission is not None:
            siblings = self._by_submission[message.submission]
            siblings.discard(message.id)
            if not siblings:
                del self._by_submission[message.submission]
        match message.stage:
            case Stage.WAITING:
                del self._waiting[message.id]
                self._waiting_numbers[message.number] -= 1
                if not self._waiting_numbers[message.number]:
                    del self._waiting_numbers[message.number]
                self._unsent_parts[message.dispatch.account] -= message.parts
            case Stage.SUBMITTING:
                for account in {message.dispatch.account, message.carrier}:
                    self._unsent_parts[account] -= message.parts
            case Stage.TAKEN | Stage.DOUBTFUL | Stage.CLOSED:
                pass
