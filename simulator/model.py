"""The data types of the simulator; nothing is shared with the clients it tests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol, Self

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

type Encoding = Literal["query", "form", "json"]
"""Where a request has its fields."""


class Status(StrEnum):
    """The status of a message, before translation into a provider's words."""

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
    """The purpose of a request; a fault can be limited to one of them."""

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
    alias_replaced: Smshosting replaces an alphanumeric sender with a number.
    nested_errors: Transactionale wraps its 400 body in "errors" (off: flat).
    printed_answers: Transactionale answers as its page prints it, with a comma before
      the brace (off: valid JSON).
    one_read_path: Transactionale shows a message only at the path for reading that its
      page documents (off: at that of its answers' `url` too).
    sentences: Inviosmart refuses a send in a sentence (off: with a number before it).
    xml_answers: SMSviaInternet answers in XML whatever the path asks for, as the
      proxy of a reseller may.
    slow_processing: SMSviaInternet carries out an asynchronous send, and Smshosting
      a bulk send, at `Controls.process` (off: immediately).
    """

    WALLETS = "wallets"
    ROW_PER_PART = "row_per_part"
    PUSH_PLAN = "push_plan"
    STRICT_RECIPIENTS = "strict_recipients"
    ALIAS_REPLACED = "alias_replaced"
    NESTED_ERRORS = "nested_errors"
    PRINTED_ANSWERS = "printed_answers"
    ONE_READ_PATH = "one_read_path"
    SENTENCES = "sentences"
    XML_ANSWERS = "xml_answers"
    SLOW_PROCESSING = "slow_processing"


class Channel(StrEnum):
    """How a message reaches the phone."""

    SMS = "sms"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text that a provider accepted for one number.

    `id` is unique in the simulator. `provider_id` is the id by which the client asks
    for the message's status. `reference` is shared by all messages of a call, "" where
    the provider has no such id. `to` is E.164 with "+", `cost` is in euro. `word` is
    answered to the client in place of the provider's usual word for `status`.
    """

    id: str
    provider_id: str
    provider: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One SMS that a phone wrote to the account; `sender` is E.164 or a name."""

    provider: str
    sender: str
    text: str
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it was received, and its answer.

    `path` is without the provider's prefix; `fields` is the query of a GET, else
    the decoded body. `status` is None if nothing was answered (a hang, a cut).
    `answer` keeps the first 64 KiB of the body. `client_port` is that of the connection
    on which it came.
    """

    number: int
    provider: str
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
    client_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One attempt to push a delivery report to the client.

    `payload` is the query, form or JSON that was sent, as `encoding` says; `status` is
    the HTTP status answered, None if there was no answer.
    """

    provider: str
    message_id: str
    method: str
    url: str
    encoding: Encoding
    payload: Mapping[str, Json]
    attempt: int
    status: int | None


class _OfProvider(Protocol):
    @property
    def provider(self) -> str: ...


class Listing[T: _OfProvider](tuple[T, ...]):
    """A snapshot, oldest first, that can be filtered by provider."""

    __slots__ = ()

    def __new__(cls, items: Iterable[T] = ()) -> Self:
        """Take the items as they are."""
        return super().__new__(cls, items)

    def of(self, provider: str) -> Listing[T]:
        """Return only the items of `provider`."""
        return Listing(item for item in self if item.provider == provider)
