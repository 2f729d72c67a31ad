"""The words that every provider client and the messaging layer share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Status(StrEnum):
    """What is known of one message; no other word is used anywhere."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change this status any more."""
        return self in {Status.DELIVERED, Status.FAILED, Status.EXPIRED}


class ErrorKind(StrEnum):
    """Why a provider certainly did not take a message."""

    AUTH = "auth"
    CREDIT = "credit"
    RECIPIENT = "recipient"
    SENDER = "sender"
    TEXT = "text"
    DUPLICATE = "duplicate"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


class Encoding(StrEnum):
    """How the text of a part is coded on the air."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One request to a provider: one text to one or many recipients.

    `recipients` are E.164 numbers with the leading "+", each only once.
    `reference` is ours (at most 60 characters) and names the submission for
    good: providers that know a client reference can be asked about it.
    `sender` is an alias or a number; None leaves it to the provider's default.
    `callback_url` is where delivery is to be told (feature DELIVERY_PUSH); it names
    the submission, and whoever knows it can pretend to be the provider.
    """

    reference: str
    recipients: tuple[str, ...] = field(repr=False)
    text: str = field(repr=False)
    encoding: Encoding
    sender: str | None = None
    callback_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message and will answer for it under `provider_id`.

    `parts` and `cost` (euro) belong to this one message and are None where the
    answer does not tell.
    """

    provider_id: str
    status: Status = Status.QUEUED
    parts: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The provider certainly did not take the message.

    `detail` is a short code or field name of the provider, never text, number
    or credential. `retry_after` (seconds) is what the provider asked us to wait.
    """

    kind: ErrorKind
    detail: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The message may have left: `detail` says in one word what went wrong.

    `provider_id` is known where the provider took the submission but does not tell
    whether this recipient is in it; delivery reports under that id settle it.
    """

    detail: str
    provider_id: str | None = None


type Outcome = Accepted | NotSent | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What became of a submission.

    `outcomes` has one entry for each recipient of the submission.
    `credit` (euro) is the balance after sending, where the answer tells it.
    `refusal` is set if the submission was refused as a whole, for all its recipients.
    """

    outcomes: Mapping[str, Outcome]
    credit: Decimal | None = None
    refusal: NotSent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The account's balance in euro and, where told, the SMS it still buys."""

    balance: Decimal
    sms_left: int | None = None


@dataclass(frozen=True, slots=True)
class MessageRef:
    """How a provider knows one of our messages.

    Some providers give one id to a whole submission, hence the recipient
    (E.164 with "+").
    """

    provider_id: str
    recipient: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a provider says of one message it had accepted.

    `parts` and `cost` (euro) are None where the provider does not tell them.
    """

    ref: MessageRef
    status: Status
    parts: int | None = None
    cost: Decimal | None = None
    detail: str | None = None
