"""The words of the messaging layer: dispatches, messages and what changes."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from ..providers.model import (
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    Picture,
    Status,
)
from .numbers import NumberProblem, PhoneNumber, mask_number
from .text import TextEncoding

_GROUP = "group:"
"""What stands before the id of a provider's group in the place of a number."""


def group_address(group: str) -> str:
    """Return what stands in the place of a number for a group of the provider."""
    return f"{_GROUP}{group}"


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
class Wishes:
    """How a text shall go out beyond who gets it; None leaves it to the account.

    `send_at` (seconds since the epoch) is when, None for at once. `groups` are ids
    of the account's phonebook at its provider, which only that account knows.
    `reference` is a name of the user's own for the submission at the provider.
    """

    sender: str | None = None
    send_at: float | None = None
    channel: Channel | None = None
    mode: Mode | None = None
    groups: tuple[str, ...] = ()
    reference: str | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody asks to be sent: one text to one or many targets.

    With groups among the wishes there may be no target.
    """

    account: str
    targets: tuple[Target | BadTarget, ...]
    text: str = field(repr=False)
    encoding: TextEncoding | None = None
    """None takes the account's option."""
    wishes: Wishes = Wishes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One text on its way to one or many numbers; its messages share it.

    `account` is the account that was asked, `route` the accounts to try in order,
    fixed when it was asked. `created` and `expires` are seconds
    since the epoch; nothing of it is sent after `expires`. `parts` is our own
    count for one number. `wishes.sender` is the sender that was asked for.
    """

    id: int
    account: str
    text: str = field(repr=False)
    encoding: Encoding
    parts: int
    created: float
    expires: float
    route: tuple[str, ...]
    wishes: Wishes = Wishes()

    @property
    def due(self) -> float:
        """When it shall go out, in seconds since the epoch."""
        return max(self.created, self.wishes.send_at or 0)


class Stage(StrEnum):
    """Where a message stands in our own hands; finer than its status."""

    WAITING = "waiting"
    """In our outbox: the next attempt is due at `attempt_at`."""
    HELD = "held"
    """Part of a storm to its number: at `attempt_at` it is joined with others."""
    JOINED = "joined"
    """It goes out within the message `joined_in`, whose fate it shares."""
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
    provider's where told; a Push has no parts. `type` is how it went out, None until
    that is told. `updated` and `attempt_at` are seconds since the epoch. `joined_in`
    is the id of the message that carries it together with others. `unanswered` are the
    accounts that were sent the text and did not say whether they took it; it stays when
    one is found not to have.
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
    type: MessageType | None = None
    joined_in: int | None = None
    unanswered: tuple[str, ...] = ()

    @property
    def group(self) -> str | None:
        """The id of the provider's group that it goes to, None if to a number."""
        is_group = self.number.startswith(_GROUP)
        return self.number.removeprefix(_GROUP) if is_group else None

    @property
    def shown_number(self) -> str:
        """The number as anybody may see it: masked; a group by its id."""
        return mask_number(self.number) if self.group is None else self.number

    @property
    def public_id(self) -> str:
        """The id as users see it."""
        return f"{self.id:016x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotal:
    """What one account spent on one day: parts, and euro where costs were told."""

    parts: int = 0
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEstimate:
    """What a text would come to for all its targets; see `Messenger.estimate`.

    `parts` is for one number; `characters_left` is what the last part still takes.
    `costly_characters` are those that force UCS-2. `cost` (euro, for all targets) is
    None where nobody can tell it.
    """

    text: str = field(repr=False)
    encoding: Encoding
    parts: int
    characters_left: int
    costly_characters: tuple[str, ...]
    cost: Decimal | None = None
