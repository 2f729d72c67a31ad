"""The words of the simulator, its own: nothing here is shared with the clients."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None


class Provider(StrEnum):
    """The four providers, by the key that is also their path prefix."""

    SMSVIAINTERNET = "smsviainternet"
    SMSHOSTING = "smshosting"
    TRANSACTIONALE = "transactionale"
    INVIOSMART = "inviosmart"


class Status(StrEnum):
    """What became of a message, before translation into a provider's words."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether a delivery report is due."""
        return self in {Status.DELIVERED, Status.FAILED, Status.EXPIRED}


class Operation(StrEnum):
    """What a request is for; a fault can be limited to one of them."""

    SEND = "send"
    STATUS = "status"
    CREDIT = "credit"
    OTHER = "other"


class Toggle(StrEnum):
    """Behaviour that the documentation leaves open; each is off until switched on.

    wallets: SMSviaInternet answers users/wallets.json (off: 404, as for a plain user).
    row_per_part: SMSviaInternet reports one row for each part, not each number.
    push_plan: the Smshosting account has an active Push plan.
    strict_recipients: Smshosting answers 400 NO_VALID_RECIPIENT when no number of
      a call is well formed (off: each is listed with BADNUMBERFORMAT).
    alias_replaced: Smshosting puts a number in place of an alphanumeric sender.
    nested_errors: Transactionale wraps its 400 body in "errors" (off: flat).
    xml_answers: SMSviaInternet answers in XML whatever was asked for, as a reseller's
      proxy may.
    slow_processing: SMSviaInternet works on an asynchronous shipment, and Smshosting
      on a bulk one, when `Desk.process` says so (off: at once).
    """

    WALLETS = "wallets"
    ROW_PER_PART = "row_per_part"
    PUSH_PLAN = "push_plan"
    STRICT_RECIPIENTS = "strict_recipients"
    ALIAS_REPLACED = "alias_replaced"
    NESTED_ERRORS = "nested_errors"
    XML_ANSWERS = "xml_answers"
    SLOW_PROCESSING = "slow_processing"


class Channel(StrEnum):
    """How a message reaches the phone."""

    SMS = "sms"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text that a provider accepted for one number.

    `id` is unique in the simulator and is the provider's own message id where it
    has one. `reference` is what the whole call shares: the queue_id of
    SMSviaInternet, the transactionId of Smshosting, else "". `to` is E.164 with
    "+", `cost` is in euro. `word` is said to the client in place of the
    provider's usual word for `status`.
    """

    id: str
    provider: Provider
    to: str
    text: str
    sender: str
    parts: int
    cost: Decimal
    created: datetime
    reference: str = ""
    status: Status = Status.QUEUED
    word: str | None = None
    sent: datetime | None = None
    changed: datetime
    scheduled: datetime | None = None
    channel: Channel = Channel.SMS
    callback: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def provider_id(self) -> str:
        """What the client was told to ask about this message."""
        if self.provider is Provider.SMSVIAINTERNET:
            return self.reference
        return self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request received, as it came, and what was answered.

    `path` is without the provider's prefix; `fields` is the query of a GET, else
    the decoded body. `status` is None while nothing was answered (a hang, a cut).
    `answer` keeps the first 64 KiB of the body.
    """

    number: int
    provider: Provider
    operation: Operation
    received: datetime
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    fields: Mapping[str, Json]
    redirected: bool = False
    fault: str | None = None
    status: int | None = None
    answer: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One attempt to tell a client that a message reached a final status.

    `payload` is the query, form or JSON that was sent; `status` is the HTTP status
    answered, None if there was no answer.
    """

    provider: Provider
    message_id: str
    method: str
    url: str
    payload: Mapping[str, Json]
    attempt: int
    status: int | None


class _OfProvider(Protocol):
    @property
    def provider(self) -> Provider: ...


class Listing[T: _OfProvider](tuple[T, ...]):
    """A snapshot, oldest first, that can be narrowed to one provider."""

    __slots__ = ()

    def __new__(cls, items: Iterable[T] = ()) -> Self:
        """Take the items as they are."""
        return super().__new__(cls, items)

    def of(self, provider: str) -> Listing[T]:
        """Return only what belongs to `provider`."""
        return Listing(item for item in self if item.provider == provider)
