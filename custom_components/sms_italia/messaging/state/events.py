"""What the rooms are notified of, account by account."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
import logging
from traceback import format_tb

from ..errors import RequestRefusedError
from ..model import Message, ReceivedMessage

_LOGGER = logging.getLogger(__name__)

_NOTIFY_DELAY = 0.01
"""Seconds until listeners are notified of new messages.

They are about to change again, and should not wait for listeners on their way.
"""

_MISSED = 1000
"""Messages of an account that are kept for a listener that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesChanged:
    """Messages of one account are new, or more is known of them than before.

    `status_changed` are those of them that have another status than before.
    """

    account: str
    messages: tuple[Message, ...]
    status_changed: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesReceived:
    """SMS came in at an account, oldest first."""

    account: str
    messages: tuple[ReceivedMessage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsChanged:
    """What an account spent today is another sum."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditReported:
    """An answer to a send reported the account's balance, in euro."""

    account: str
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditChanged:
    """An account's balance is no longer the one that was known."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditProved:
    """An answer to a send proved whether an account's credit is enough."""

    account: str
    is_enough: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAccepted:
    """A provider accepted a message with the account's present settings."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRefused:
    """A provider refused the account's credentials."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsRequired:
    """The server at an account's address takes messages over https only."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayChanged:
    """It is another day for an account: midnight came, or the wall clock was set."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingChanged:
    """A message of an account waits, waits no longer, or waits until another moment."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredChanged:
    """Messages of an account were not delivered, or somebody has seen that."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtLasted:
    """Messages of an account became uncertain, and after a minute still are."""

    account: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLimitReached:
    """An account refused messages beyond its daily limit, in parts."""

    account: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefused:
    """A call of an escalation was refused before a message existed."""

    account: str
    error: RequestRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRequested:
    """A provider asks an account to wait for longer than messages wait for it."""

    account: str
    seconds: float


type Event = (
    MessagesChanged
    | MessagesReceived
    | TotalsChanged
    | CreditReported
    | CreditChanged
    | CreditProved
    | SendAccepted
    | CredentialsRefused
    | HttpsRequired
    | WaitRequested
    | DayChanged
    | UndeliveredChanged
    | DoubtLasted
    | WaitingChanged
    | DailyLimitReached
    | CallRefused
)
type Listener = Callable[[Event], None]


class Events:
    """Notifies the listeners of each account, a moment after something happened.

    What is recorded in the same round of the event loop sets out for the disk first,
    so that listeners cost no time on the way of a message.
    """

    def __init__(self) -> None:
        """Start without listeners."""
        self._listeners: dict[str | None, list[Listener]] = {}
        self._pending: list[Event] = []
        self._is_due = False
        self._delay: asyncio.TimerHandle | None = None
        self._attended: set[str] = set()
        self._missed: dict[str, deque[Message]] = {}

    def listen(self, account_id: str | None, listener: Listener) -> Callable[[], None]:
        """Notify `listener` of an account's events; return how to stop it.

        None stands for all accounts, also those that come later.
        """
        listeners = self._listeners.setdefault(account_id, [])
        listeners.append(listener)

        def stop() -> None:
            listeners.remove(listener)

        return stop

    def replay_missed(self, account_id: str) -> tuple[Message, ...]:
        """Return the messages whose status changed while an account was detached.

        For the one listener that must not miss any; nothing is kept any more, until
        `keep_missed`.
        """
        self._attended.add(account_id)
        return tuple(self._missed.pop(account_id, ()))

    def keep_missed(self, account_id: str) -> None:
        """Keep the messages of an account whose status changes, for a later replay."""
        self._attended.discard(account_id)

    def forget(self, account_id: str) -> None:
        """Forget what an account missed."""
        self._missed.pop(account_id, None)

    def publish(self, event: Event) -> None:
        """Notify the listeners of the event's account, soon."""
        self._pending.append(event)
        self.hurry()

    def hurry(self) -> None:
        """Notify of what is pending soon, without waiting for a next event."""
        if self._pending and not self._is_due:
            self._is_due = True
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self.flush)

    def publish_with_next(self, event: Event) -> None:
        """Notify the listeners together with the next event, or in a moment."""
        self._pending.append(event)
        if self._delay is None:
            loop = asyncio.get_running_loop()
            self._delay = loop.call_later(_NOTIFY_DELAY, self.flush)

    def flush(self) -> None:
        """Notify of all that is pending; in a storm, of many messages at once."""
        self._is_due = False
        if self._delay is not None:
            self._delay.cancel()
            self._delay = None
        pending, self._pending = self._pending, []
        for event in _merged(pending):
            self._notify(event)

    def _notify(self, event: Event) -> None:
        if isinstance(event, MessagesChanged) and event.account not in self._attended:
            missed = self._missed.setdefault(event.account, deque(maxlen=_MISSED))
            missed.extend(event.status_changed)
        for account in (event.account, None):
            for listener in tuple(self._listeners.get(account, ())):
                call_guarded(listener, event)


def call_guarded[T](listener: Callable[[T], None], news: T) -> None:
    """Call a listener; that it fails must stop neither the others nor the record."""
    try:
        listener(news)
    except Exception as err:  # noqa: BLE001 - as above
        # The exception itself may carry what must not be logged.
        _LOGGER.error(  # noqa: TRY400 - same reason
            "A listener failed: %s\n%s",
            type(err).__name__,
            "".join(format_tb(err.__traceback__)),
        )


def _merged(events: Iterable[Event]) -> list[Event]:
    """Return the events with all of a kind about an account as one.

    Messages stay in the order in which they changed or came in; of any other kind the
    last event counts.
    """
    by_kind: dict[tuple[type, str], list[Event]] = {}
    for event in events:
        by_kind.setdefault((type(event), event.account), []).append(event)
    return [_as_one(same) for same in by_kind.values()]


def _as_one(events: Sequence[Event]) -> Event:
    """Return events of one kind about an account as one."""
    if len(events) == 1:
        return events[0]
    match events[-1]:
        case MessagesChanged(account=account):
            changes = [one for one in events if isinstance(one, MessagesChanged)]
            return MessagesChanged(
                account=account,
                messages=tuple(one for change in changes for one in change.messages),
                status_changed=tuple(
                    one for change in changes for one in change.status_changed
                ),
            )
        case MessagesReceived(account=account):
            news = [one for one in events if isinstance(one, MessagesReceived)]
            return MessagesReceived(
                account=account,
                messages=tuple(message for one in news for message in one.messages),
            )
        case DoubtLasted(account=account):
            doubts = [one for one in events if isinstance(one, DoubtLasted)]
            return DoubtLasted(
                account=account,
                messages=tuple(message for one in doubts for message in one.messages),
            )
        case last:
            return last
