"""The words that every provider client and the messaging layer share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    CANCELLED = "cancelled"
    """Somebody stopped it before it went out."""


class Encoding(StrEnum):
    """How the text of a part is coded on the air."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class Channel(StrEnum):
    """How a submission shall reach its recipients."""

    SMS = "sms"
    PUSH = "push"
    """Only to the provider's app: who does not have it gets nothing."""
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
    `callback_url` is where delivery is to be told (feature DELIVERY_PUSH); it names
    the submission, and whoever knows it can pretend to be the provider.

    The rest needs a feature of the provider, named in brackets; without it the
    submission is refused before any request, with the cause UNSUPPORTED.

    `send_at` (SCHEDULE) is when the provider shall send; a moment that is past is
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
        """Refuse what no provider could be asked for."""
        if not self.recipients and not self.groups:
            raise ValueError("nobody to send to")
        if self.send_at is not None and self.send_at.utcoffset() is None:
            raise ValueError("a moment without its time zone")


class Cause(StrEnum):
    """Why something was refused, where the kind alone does not tell."""

    UNSUPPORTED = "unsupported"
    """The provider has no such thing; it was not even asked."""
    NOT_OFFERED = "not_offered"
    """The provider has it, but not for this account."""
    NO_PUSH_PLAN = "no_push_plan"
    """The account has no Push plan now. Nothing is wrong with the account."""
    PUSH_SPENT = "push_spent"
    """The Push plan has no messages left."""
    NO_PUSH_APP = "no_push_app"
    """The recipient has no app that takes a Push, and only a Push was asked for."""
    PICTURE = "picture"
    """The picture is too big, of a wrong type, or goes with no Push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message and will answer for it under `provider_id`.

    That is None where the provider takes the submission now and tells the ids later,
    asked by our reference (feature CLIENT_REFERENCE).
    `parts` and `cost` (euro) belong to this one message and are None where the
    answer does not tell. In Mode.TEST it would have been taken; no report will ever
    come.
    """

    provider_id: str | None
    status: Status = Status.QUEUED
    parts: int | None = None
    cost: Decimal | None = None
    type: MessageType = MessageType.SMS


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The provider certainly did not take the message.

    `detail` is a short code or field name of the provider, never text, number
    or credential. `retry_after` (seconds) is what the provider asked us to wait.
    """

    kind: ErrorKind
    detail: str | None = None
    retry_after: float | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The message may have left: `detail` says in one word what went wrong.

    `provider_id` is known where the provider took the submission but does not tell
    whether this recipient is in it; delivery reports under that id settle it. Nobody
    vouches for what stands in it, so that it is not shown.
    """

    detail: str
    provider_id: str | None = field(default=None, repr=False)


type Outcome = Accepted | NotSent | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What became of a submission.

    `outcomes` has one entry for each recipient of the submission, `group_outcomes`
    one for each number (E.164) that only its groups brought in, where the answer
    lists them. `credit` (euro) is the balance after sending, where the answer tells
    it. `refusal` is set if the submission was refused as a whole, and `doubt` if it
    is not known of the whole whether it was taken: with groups alone, `outcomes`
    could not say so. `mode` is what was really done; None if no request was made.
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
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The account's balance in euro and, where told, the SMS it still buys.

    `push_left` is how many Push messages its plan still has; only
    `ProviderClient.credit_with_push` asks for the plan.
    """

    balance: Decimal
    sms_left: int | None = None
    push_left: int | None = None
    push_plan: PushPlan = PushPlan.NOT_TOLD


@dataclass(frozen=True, slots=True)
class MessageRef:
    """How a provider knows one of our messages.

    Some providers give one id to a whole submission, hence the recipient
    (E.164 with "+").
    """

    provider_id: str
    recipient: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRef:
    """How the provider knows a picture that went with a Push, and what it calls it."""

    id: str
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a provider says of one message it had accepted.

    `parts` and `cost` (euro) are None where the provider does not tell them. `at` is
    when the message got this status, None where no time, or none with its zone, is
    told. `type` is None where the answer does not tell SMS from Push.
    """

    ref: MessageRef
    status: Status
    parts: int | None = None
    cost: Decimal | None = None
    detail: str | None = None
    at: datetime | None = None
    type: MessageType | None = None
    picture: PictureRef | None = None


class Cancelling(StrEnum):
    """What became of the wish to stop a message."""

    CANCELLED = "cancelled"
    """It will not be sent."""
    NOT_CANCELLED = "not_cancelled"
    """It is too late, or there is no such message."""
    UNCERTAIN = "uncertain"
    """The provider noted the wish; the reports of the message tell the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """The end of the wish to stop one message."""

    ref: MessageRef
    result: Cancelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link that invites a number (E.164) to the app that takes Push messages.

    `url` is as the provider writes it, often without "https://" before it.
    """

    number: str = field(repr=False)
    url: str = field(repr=False)
