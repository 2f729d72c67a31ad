"""The words of the messaging layer: dispatches, messages and what changes."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from ..providers.model import Encoding, ErrorKind, Status
from .numbers import NumberProblem, PhoneNumber
from .text import TextEncoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One number to send to; `recipient` is the id of the recipient it belongs to.

    A number entered for a recipient in the UI may be abroad; one that only
    stands in a call must be in the account's allowed countries.
    """

    number: PhoneNumber
    recipient: str | None = None

    @property
    def given(self) -> str:
        """The number in E.164."""
        return self.number.e164


@dataclass(frozen=True, slots=True, kw_only=True)
class BadTarget:
    """Something given as a number that is none, as it was given."""

    given: str = field(repr=False)
    problem: NumberProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks to be sent: one text to one or many targets."""

    account: str
    targets: tuple[Target | BadTarget, ...]
    text: str = field(repr=False)
    sender: str | None = None
    encoding: TextEncoding | None = None
    """None takes the account's option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One text on its way to one or many numbers; its messages share it.

    `account` is the account that was asked, `route` the accounts to try in order,
    fixed when it was asked. `created` and `expires` are seconds
    since the epoch; nothing of it is sent after `expires`. `parts` is our own
    count for one number.
    """

    id: int
    account: str
    text: str = field(repr=False)
    encoding: Encoding
    parts: int
    sender: str | None
    created: float
    expires: float
    route: tuple[str, ...]


class Stage(StrEnum):
    """Where a message stands in our own hands; finer than its status."""

    WAITING = "waiting"
    """In our outbox: the next attempt is due at `attempt_at`."""
    SUBMITTING = "submitting"
    """A request for it may be on the wire."""
    TAKEN = "taken"
    """A provider took it and answers for it under `provider_id`."""
    DOUBTFUL = "doubtful"
    """It may have left; no provider id is known."""
    CLOSED = "closed"
    """Nothing more will be done or asked about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text to one number, and all that is known of it.

    `carrier` is the account that took it or tried it last, `submission` the
    reference of the request it went out with. `parts` and `cost` (euro) are the
    provider's where told. `updated` and `attempt_at` are seconds since the epoch.
    """

    id: int
    dispatch: Dispatch
    number: str = field(repr=False)
    recipient: str | None
    status: Status
    stage: Stage
    updated: float
    parts: int
    carrier: str | None = None
    submission: str | None = None
    provider_id: str | None = None
    cost: Decimal | None = None
    error: ErrorKind | None = None
    detail: str | None = None
    attempt_at: float | None = None

    @property
    def public_id(self) -> str:
        """The id as users see it."""
        return f"{self.id:016x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotal:
    """What one account spent on one day: parts, and euro where costs were told."""

    parts: int = 0
    cost: Decimal = Decimal(0)
