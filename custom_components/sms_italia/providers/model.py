"""The types that the provider clients and the messaging layer share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Status(StrEnum):
    """The status of one message."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"

    @property
    def is_final(self) -> bool:
        """Whether no report can change this status."""
        return self in {Status.DELIVERED, Status.FAILED, Status.EXPIRED}


class ErrorKind(StrEnum):
    """Why a provider did not take a message."""

    AUTH = "auth"
    CREDIT = "credit"
    RECIPIENT = "recipient"
    SENDER = "sender"
    TEXT = "text"
    DUPLICATE = "duplicate"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    """It was stopped before it went out."""


class Encoding(StrEnum):
    """How the text of a part is encoded."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class Channel(StrEnum):
    """How a submission is to reach its recipients."""

    SMS = "sms"
    PUSH = "push"
    """Only to the provider's app; recipients without it get nothing."""
    PUSH_THEN_SMS = "push_then_sms"
    """To the app where there is one, else as an SMS."""


class MessageType(StrEnum):
    """How one message was sent."""

    SMS = "sms"
    PUSH = "push"


class Mode(StrEnum):
    """Whether a submission is sent or only tried out."""

    LIVE = "live"
    TEST = "test"
    """The provider checks it, sends nothing and charges nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture with the name of its file and its content type ("image/jpeg")."""

    content: bytes = field(repr=False)
    filename: str = field(repr=False)
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One request to a provider: one text to one or many recipients.

    `recipients` are E.164 numbers with the leading "+", each only once.
    `reference` is ours (at most 60 characters) and names the submission for
    good: providers that know a client reference can be asked about it.
    `sender` is an alias or a number; None leaves it to the provider's default.
    `callback_url` is where the provider reports delivery (feature DELIVERY_PUSH); it
    names the submission, and whoever knows it can pretend to be the provider.

    The rest needs a feature of the provider, named in brackets; without it the
    submission is refused before any request, with the cause UNSUPPORTED.

    `send_at` (SCHEDULE) is when the provider is to send; one that is past means
    now. `channel` (PUSH) None leaves it to the account's option; PUSH_THEN_SMS is
    plain SMS where there is no Push. `picture` (PICTURE_PUSH) goes with a Push.
    `groups` (GROUPS) are ids of the provider's phonebook; with them `recipients` may be
    empty. `mode` (TEST_MODE) None leaves it to the account's option.

    `max_parts` is the most parts that a message may take; providers without such a
    parameter ignore it. Raises ValueError without a recipient, or if `send_at` has no
    time zone.
    """

    reference: str
    recipients: tuple[str, ...] = field(repr=False)
    text: str = field(repr=False)
    encoding: Encoding
    sender: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    send_at: datetime | None = None
    channel: Channel | None = None
    picture: Picture | None = None
    groups: tuple[str, ...] = ()
    mode: Mode | None = None
    max_parts: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what no provider could be asked for."""
        if not self.recipients and not self.groups:
            raise ValueError("no recipient")
        if self.send_at is not None and self.send_at.utcoffset() is None:
            raise ValueError("a moment without its time zone")


class Cause(StrEnum):
    """Why something was refused, in more detail than the kind."""

    UNSUPPORTED = "unsupported"
    """The provider does not have it; no request was made."""
    NO_PUSH_PLAN = "no_push_plan"
    """The account has no Push plan now; nothing else is wrong with it."""
    PUSH_SPENT = "push_spent"
    """The Push plan has no messages left."""
    NO_PUSH_APP = "no_push_app"
    """The recipient has no app for a Push, and only a Push was asked for."""
    HTTPS_REQUIRED = "https_required"
    """The server leads the request from http to https of the same address."""
    PICTURE = "picture"
    """The picture is too big, has a wrong type, or there is no Push to carry it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message and will answer for it under `provider_id`.

    `provider_id` is None where the answer has none; our reference finds the message
    (feature CLIENT_REFERENCE). `parts` and `cost` (euro) belong to this one message and
    are None if not known. In Mode.TEST the message would have been taken; no report
    will ever come.
    """

    provider_id: str | None
    status: Status = Status.QUEUED
    parts: int | None = None
    cost: Decimal | None = None
    type: MessageType = MessageType.SMS


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The provider did not take the message, which is certain.

    `detail` is a short code or field name of the provider, never text, number
    or credential. `retry_after` (seconds) is what the provider asked us to wait.
    """

    kind: ErrorKind
    detail: str | None = None
    retry_after: float | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The message may have been sent; `detail` is one word for what went wrong.

    `provider_id` is known where the provider took the submission but it is not known
    whether this recipient is in it; delivery reports under that id settle it. It is
    unchecked, so it stays out of the repr.
    """

    detail: str
    provider_id: str | None = field(default=None, repr=False)


type Outcome = Accepted | NotSent | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The outcome of a submission.

    `outcomes` has one entry for each recipient of the submission, `group_outcomes`
    one for each number (E.164) that only its groups brought in, where the answer
    lists them. `credit` (euro) is the balance after sending, None if not known.
    `refusal` is set if the submission was refused as a whole, and `doubt` if it is not
    known whether the whole was taken: with groups alone, `outcomes` is empty. `mode`
    is the mode that was used, None if no request was made.
    """

    outcomes: Mapping[str, Outcome]
    credit: Decimal | None = None
    refusal: NotSent | None = None
    doubt: Uncertain | None = None
    group_outcomes: Mapping[str, Outcome] = field(default_factory=dict, repr=False)
    mode: Mode | None = None


class PushPlan(StrEnum):
    """Whether the account can send Push messages now; it may change at any time."""

    ACTIVE = "active"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The account's balance in euro and, if known, the SMS that it buys.

    `push_left` is how many Push messages the plan still has; only
    `ProviderClient.credit_with_push` asks about the plan.
    """

    balance: Decimal
    sms_left: int | None = None
    push_left: int | None = None
    push_plan: PushPlan = PushPlan.UNKNOWN


@dataclass(frozen=True, slots=True)
class MessageRef:
    """The name of one of our messages at its provider.

    Some providers give one id to a whole submission, hence the recipient
    (E.164 with "+"). `parts` are those of the message, None if not known; they are no
    part of its name, and say how many reports of parts belong together.
    """

    provider_id: str
    recipient: str = field(repr=False)
    parts: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRef:
    """A picture that went with a Push: its id and the provider's word for its type."""

    id: str
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A provider's report about one message that it accepted.

    `parts` and `cost` (euro) are None if not reported. `at` is when the message got
    this status, None if no time with its zone is reported. `type` is None if the
    answer does not distinguish SMS from Push. `is_last` is set where no other report
    will ever come, although the status is not a final one.
    """

    ref: MessageRef
    status: Status
    parts: int | None = None
    cost: Decimal | None = None
    detail: str | None = None
    at: datetime | None = None
    type: MessageType | None = None
    picture: PictureRef | None = None
    is_last: bool = False


class Cancelling(StrEnum):
    """The result of stopping a message."""

    CANCELLED = "cancelled"
    """It will not be sent."""
    NOT_CANCELLED = "not_cancelled"
    """It was too late, or there is no such message."""
    UNCERTAIN = "uncertain"
    """The provider took the request; the reports of the message show the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """The result of stopping one message."""

    ref: MessageRef
    result: Cancelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An SMS that somebody wrote to a number of the account.

    `key` names it; those that look the same to the provider share it. `number` (E.164)
    is None if the sender is a name, `at` if no time with its zone is reported.
    """

    key: str
    number: str | None = field(repr=False)
    text: str = field(repr=False)
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link that invites a number (E.164) to the app that takes Push messages.

    `url` is as the provider writes it, often without "https://" before it.
    """

    number: str = field(repr=False)
    url: str = field(repr=False)
