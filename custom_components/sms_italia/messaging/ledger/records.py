"""What the ledger records and answers, and what can be wrong with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from ...providers import Status
from ..clock import ClockReading
from ..model import DayTotal, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionIntent:
    """A request that is about to be made to a provider."""

    reference: str
    dispatch: int
    account: str
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Something to add to a day's total of an account; `day` as YYYY-MM-DD."""

    day: str
    account: str
    parts: int
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run: of which escalation of which account, and when (steady time) it ended.

    `state` is the whole run as text.
    """

    id: int
    account: str
    escalation: str
    ended: float | None
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionRecord:
    """What is known of the SMS that came in at an account, as text."""

    account: str
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is recorded together: all of it or nothing.

    Each message stands whole, so that it is kept even if what was recorded of it
    before is not on disk. Those that `ended` stand by their IDs: how is not known.
    """

    messages: Sequence[Message] = ()
    ended: Collection[int] = ()
    submissions: Sequence[SubmissionIntent] = ()
    spent: Sequence[Spent] = ()
    runs: Sequence[RunRecord] = ()
    receptions: Sequence[ReceptionRecord] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to record."""
        return bool(
            self.messages
            or self.ended
            or self.submissions
            or self.spent
            or self.runs
            or self.receptions
        )


class View(StrEnum):
    """Messages that people look for together."""

    WAITING = "waiting"
    """Not sent yet, and those that are scheduled."""
    UNDELIVERED = "undelivered"
    """Failed, expired or uncertain, but not cancelled."""
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A user who sees only what they sent, and what was sent to some recipients.

    `user` and `recipients` are IDs.
    """

    user: str
    recipients: frozenset[str]

    def sees(self, message: Message) -> bool:
        """Return whether a message is among what the user sees."""
        return (
            message.dispatch.user == self.user or message.recipient in self.recipients
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which messages to find; times in seconds since the epoch, newest first.

    `before` is the ID of a message; those found are older. `recipients` are IDs.
    """

    account: str | None = None
    status: Status | None = None
    view: View | None = None
    viewer: Viewer | None = None
    before: int | None = None
    recipients: frozenset[str] | None = None
    number: str | None = None
    text: str | None = field(default=None, repr=False)
    since: float | None = None
    until: float | None = None
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of messages, and how many there are in all."""

    messages: tuple[Message, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a new ledger begins with when the old one is lost while running.

    `totals` are those that are known, by day (YYYY-MM-DD) and account.
    """

    messages: tuple[Message, ...] = ()
    totals: Mapping[str, Mapping[str, DayTotal]] = field(default_factory=dict)
    runs: tuple[RunRecord, ...] = ()


class LedgerTrouble(StrEnum):
    """What is wrong with the ledger; messages are sent all the same."""

    SET_ASIDE = "set_aside"
    """The file was damaged or newer; it was renamed and a new one begun."""
    IN_MEMORY = "in_memory"
    """No file can be opened: a restart forgets everything."""
    UNWRITABLE = "unwritable"
    """Writing to the file fails at the moment; the journal has what it lacks."""
    UNRECORDED = "unrecorded"
    """Nothing can be written, or the disk does not answer.

    After a restart, what waited may be sent again or be lost.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the ledger held when it was opened, and what was wrong with it.

    `clock` is the reading of the last commit, None if there was none. `unwritten` is
    what its file lacks and the journal had. One that `is_restored` comes from a backup:
    what is open in it may have been sent after the copy was made. Its times were
    `moved` by so many seconds, to be by our clock.
    """

    open_messages: tuple[Message, ...] = ()
    totals: dict[str, DayTotal] = field(default_factory=dict)
    trouble: LedgerTrouble | None = None
    clock: ClockReading | None = field(default=None, compare=False)
    unwritten: Entry | None = None
    is_restored: bool = False
    moved: float = 0


class LedgerError(Exception):
    """The ledger cannot answer."""


class LedgerClosedError(LedgerError):
    """The ledger was used before it was opened or after it was closed."""


class LedgerUnreadableError(LedgerError):
    """The ledger's file cannot be read at the moment; nothing is known of its rows."""


class LedgerSlowError(LedgerError):
    """The disk does not answer; what was asked for may still be done."""
