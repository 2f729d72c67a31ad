"""A scripted provider: it keeps what it is sent and answers what a test wants."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import count, repeat
import re
from types import MappingProxyType
from typing import ClassVar, Never, override

import pytest

from custom_components.sms_italia.messaging import TextEncoding
from custom_components.sms_italia.messaging.compose.text import prepare_text
from custom_components.sms_italia.providers import (
    Accepted,
    Cancellation,
    Cancelling,
    Capabilities,
    Cause,
    Channel,
    ErrorKind,
    Feature,
    Incoming,
    MessageRef,
    MessageType,
    Mode,
    NotAcceptedError,
    NotSent,
    Outcome,
    OutcomeUnknownError,
    PictureRule,
    Provider,
    ProviderClient,
    Report,
    SenderRule,
    SendResult,
    Status,
    Submission,
    Uncertain,
    same_for_all,
)

LANDLINE = "+390612345678"
"""A good number that no fake takes: it is not a mobile."""

THROTTLED = NotSent(kind=ErrorKind.THROTTLED)
THROTTLED_FOR_7_SECONDS = NotSent(kind=ErrorKind.THROTTLED, retry_after=7)
NO_ANSWER = "no_answer"
"""The detail of a doubt, in one word."""


class Lost(Enum):
    """What got lost on the way; the client cannot tell one from the other."""

    REQUEST = "request"
    """The provider never got it."""
    ANSWER = "answer"
    """The provider did what it was asked."""


class Operation(StrEnum):
    """What a provider is asked for."""

    SEND = "send"
    STATUS = "status"
    """About messages by their ids, or by the reference of their submission."""
    CANCEL = "cancel"
    PROBE = "probe"
    """The harmless question, which proves the credentials and the line."""
    ESTIMATE = "estimate"
    GROUPS = "groups"
    """For the sizes of the groups."""
    RECEIVE = "receive"
    """For the SMS that came in."""


@dataclass(frozen=True, slots=True)
class Late:
    """A reply that comes some seconds late; meanwhile the request hangs."""

    seconds: float
    reply: Reply = None


HANGS = Late(30, Lost.REQUEST)
"""A request that is given up in the end; the provider never got it."""


type Reply = (
    Outcome
    | Mapping[str, Outcome]
    | SendResult
    | Lost
    | Late
    | Exception
    | Callable[[Submission], Reply]
    | None
)
"""The answer to one request; None is what the fake does by itself.

An outcome holds for all: `NotSent` and `Uncertain` as refusal or doubt of the whole.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that came to an account's provider, and the reply that it met."""

    account: str
    operation: Operation
    text: str | None = None
    reply: Reply = None


@dataclass(slots=True, kw_only=True)
class Arrived:
    """One message that a provider took; `status` and the rest is what it reports."""

    id: str
    reference: str
    to: str
    text: str
    sender: str | None
    send_at: datetime | None
    type: MessageType = MessageType.SMS
    status: Status = Status.QUEUED
    parts: int | None = None
    cost: Decimal | None = None
    at: datetime | None = None
    is_listed: bool = True
    is_cancelled: bool = False

    @property
    def ref(self) -> MessageRef:
        """How the provider knows it."""
        return MessageRef(self.id, self.to)

    @property
    def report(self) -> Report:
        """What the provider says of it."""
        return Report(
            ref=self.ref,
            status=self.status,
            parts=self.parts,
            cost=self.cost,
            at=self.at,
            type=self.type,
        )


class Line:
    """The connection to a provider, which a test can cut, or keep answers back on."""

    def __init__(self) -> None:
        """Start with the line up."""
        self.is_up = True
        self._flow = asyncio.Event()
        self._flow.set()

    def up(self) -> None:
        """Let requests through."""
        self.is_up = True

    def down(self) -> None:
        """Let no request through from now on."""
        self.is_up = False

    def hold_answers(self) -> None:
        """Let requests through, but keep the answers back."""
        self._flow.clear()

    def release_answers(self) -> None:
        """Let the answers go on."""
        self._flow.set()

    async def answers(self) -> None:
        """Return when answers may go on."""
        await self._flow.wait()


class FakeClient(ProviderClient):
    """One account at a provider that lives in this process and keeps its messages.

    It takes each number with an id of its own, except the numbers in `blocked` and
    what `reply` and `refuse` script. `groups` are the provider's phonebook,
    `push_phones` the numbers with its app, `incoming` what somebody wrote to it.
    `price` (euro) is for a part, `balance` the credit. A provider that `is_slow` lists
    what it took only after `process`; one with a `cancel_result` answers each
    cancellation with it and stops nothing.
    """

    has_one_id: ClassVar[bool] = False
    """All messages of a submission have the same id."""
    refuses_repeats: ClassVar[bool] = False
    """The same text of the same sender to the same number is refused."""

    def __init__(self, account: str, calls: list[Call]) -> None:
        """Add to `calls` all that is asked; there is no session and no network."""
        self.account = account
        self.line = Line()
        self.submissions: list[Submission] = []
        self.accepted: list[Arrived] = []
        self.asked: list[tuple[MessageRef, ...]] = []
        self.looked_up: list[tuple[str, Channel | None]] = []
        self.estimated: list[Submission] = []
        self.blocked = {LANDLINE}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.push_phones: set[str] = set()
        self.incoming: list[Incoming] = []
        self.searched_since: list[datetime] = []
        self.price: Decimal | None = None
        self.balance = Decimal(10)
        self.channel = Channel.SMS
        self.mode = Mode.LIVE
        self.is_slow = False
        self.cancel_result: Cancelling | None = None
        self._calls = calls
        self._always: dict[Operation, Reply] = {}
        self._replies: dict[Operation, deque[Reply]] = {
            operation: deque() for operation in Operation
        }
        self._ids = count(1)
        self._seen: set[tuple[str, str, str | None]] = set()

    # What a test says

    def reply(
        self, *replies: Reply, of: Operation = Operation.SEND, times: int = 1
    ) -> None:
        """Give the next requests these replies, each so many times."""
        for reply in replies:
            self._replies[of].extend(repeat(reply, times))

    def always(self, reply: Reply, of: Operation = Operation.SEND) -> None:
        """Give this reply to each request of a kind that has no other one."""
        self._always[of] = reply

    def refuse(self, kind: ErrorKind) -> None:
        """Refuse each sending request."""
        self.always(NotSent(kind=kind, detail=f"fake_{kind}"))

    def waiting(self, of: Operation) -> int:
        """Return how many replies no request has met yet."""
        return len(self._replies[of])

    def report(self, status: Status, *numbers: str) -> None:
        """Report this status of what was taken, or of that to these numbers."""
        for one in self.accepted:
            if not numbers or one.to in numbers:
                one.status = status

    def deliver(self, *numbers: str) -> None:
        """Report what was taken as delivered, or that to these numbers."""
        self.report(Status.DELIVERED, *numbers)

    def process(self) -> None:
        """List what a slow provider has taken."""
        for one in self.accepted:
            one.is_listed = True

    def forget(self) -> None:
        """Forget all messages."""
        self.accepted.clear()
        self._seen.clear()

    @property
    def calls(self) -> list[Call]:
        """What came to this account's provider, oldest first."""
        return [one for one in self._calls if one.account == self.account]

    def requests(self, of: Operation = Operation.SEND) -> int:
        """Return how many requests of a kind came."""
        return sum(one.operation is of for one in self.calls)

    # What the messaging layer asks

    @override
    async def validate(self) -> None:
        """Answer the harmless question: the credentials are right."""
        async with self._request(Operation.PROBE) as reply:
            _raised(reply)

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Take the messages, unless the reply is another one."""
        async with self._request(Operation.SEND, submission) as reply:
            self.submissions.append(submission)
            given = reply(submission) if callable(reply) else reply
            result = self._result(submission, _raised(given))
            self._keep(submission, result)
            if given is Lost.ANSWER:
                raise OutcomeUnknownError(NO_ANSWER)
            return result

    @override
    async def _estimate(self, submission: Submission) -> Decimal:
        """Return the price of all parts; refused where there is none."""
        async with self._request(Operation.ESTIMATE, submission) as reply:
            self.estimated.append(submission)
            _raised(reply)
            cost = self._cost(submission)
            if cost is None:
                raise OutcomeUnknownError("no_price")
            return cost * len(submission.recipients)

    @override
    async def group_sizes(self) -> Mapping[str, int]:
        """Return how many numbers each group has."""
        async with self._request(Operation.GROUPS) as reply:
            _raised(reply)
            return {group: len(numbers) for group, numbers in self.groups.items()}

    @override
    async def received(self, since: datetime) -> Sequence[Incoming]:
        """Return what came in; the window does not count."""
        async with self._request(Operation.RECEIVE) as reply:
            self.searched_since.append(since)
            found = tuple(self.incoming)
            _raised(reply)
            return found

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Report the messages that are listed."""
        async with self._request(Operation.STATUS) as reply:
            self.asked.append(tuple(refs))
            _raised(reply)
            return [
                one.report for one in self.accepted if one.is_listed and one.ref in refs
            ]

    @override
    async def _lookup(
        self, reference: str, channel: Channel | None
    ) -> Sequence[Report]:
        """Report the messages of a submission that are listed."""
        async with self._request(Operation.STATUS) as reply:
            self.looked_up.append((reference, channel))
            _raised(reply)
            return [
                one.report
                for one in self.accepted
                if one.is_listed and one.reference == reference
            ]

    @override
    async def cancel(self, refs: Sequence[MessageRef]) -> Sequence[Cancellation]:
        """Stop the messages that have not gone out."""
        async with self._request(Operation.CANCEL) as reply:
            if reply is not Lost.ANSWER:
                _raised(reply)
            if self.cancel_result is not None:
                return [
                    Cancellation(ref=ref, result=self.cancel_result) for ref in refs
                ]
            stopped: dict[MessageRef, Cancelling] = {}
            for one in self.accepted:
                if one.ref in refs and one.status is Status.QUEUED:
                    one.status, one.is_cancelled = Status.FAILED, True
                    stopped[one.ref] = Cancelling.CANCELLED
            if reply is Lost.ANSWER:
                raise OutcomeUnknownError(NO_ANSWER)
            return [
                Cancellation(ref=ref, result=stopped.get(ref, Cancelling.NOT_CANCELLED))
                for ref in refs
            ]

    @override
    def parse_report(self, body: bytes) -> Report | None:
        """Return the report in a body that `callback_body` made."""
        match body.decode("utf-8", "replace").split():
            case ["report", provider_id, number, status]:
                return Report(
                    ref=MessageRef(provider_id, number), status=Status(status)
                )
            case _:
                return None

    @override
    def parse_refusal(self, body: bytes, reference: str) -> NotSent | None:
        """Return the refusal in a body that `refusal_body` made."""
        match body.decode("utf-8", "replace").split():
            case ["refused", refused, kind] if refused == reference:
                return NotSent(kind=ErrorKind(kind))
            case _:
                return None

    # How it comes to an answer

    @asynccontextmanager
    async def _request(
        self, operation: Operation, submission: Submission | None = None
    ) -> AsyncGenerator[Reply]:
        """Carry a request and its answer, and yield the reply that it meets."""
        line = self.line
        # Others run while it is on its way.
        await asyncio.sleep(0)
        if not line.is_up:
            raise NotAcceptedError(ErrorKind.UNAVAILABLE, detail="line_down")
        waiting = self._replies[operation]
        reply = waiting.popleft() if waiting else self._always.get(operation)
        text = submission.text if submission else None
        self._calls.append(Call(self.account, operation, text, reply))
        if isinstance(reply, Late):
            await asyncio.sleep(reply.seconds)
            reply = reply.reply
        try:
            yield reply
        finally:
            await asyncio.sleep(0)
            await line.answers()

    def _result(self, submission: Submission, reply: Reply) -> SendResult:
        """Return the answer to a request that was taken, if only in part."""
        match reply:
            case SendResult():
                return reply
            case Accepted():
                return SendResult(
                    outcomes=same_for_all(submission, reply),
                    mode=self._mode(submission),
                )
            case Mapping():
                return SendResult(outcomes=reply, mode=self._mode(submission))
            case _:
                return self._take(submission)

    def _take(self, submission: Submission) -> SendResult:
        """Return the answer of a provider to which nothing special happens."""
        unknown = set(submission.groups) - self.groups.keys()
        if unknown:
            raise NotAcceptedError(ErrorKind.REFUSED, detail="unknown_group")
        shared = str(next(self._ids)) if self.has_one_id else None
        outcomes = {
            number: self._outcome(submission, number, shared)
            for number in submission.recipients
        }
        members = {
            number: self._outcome(submission, number, shared)
            for group in submission.groups
            for number in self.groups[group]
            if number not in outcomes
        }
        only = next(iter(outcomes.values()), None)
        if self.capabilities.recipients_per_submission == 1 and isinstance(
            only, NotSent
        ):
            _raised(only)
        tells_credit = Feature.CREDIT_WITH_SEND in self.capabilities.features
        return SendResult(
            outcomes=outcomes,
            group_outcomes=members,
            credit=self.balance if tells_credit else None,
            mode=self._mode(submission),
        )

    def _outcome(
        self, submission: Submission, number: str, shared_id: str | None
    ) -> Outcome:
        """Return the outcome of one number."""
        channel = submission.channel or self.channel
        if number in self.blocked:
            return NotSent(kind=ErrorKind.RECIPIENT, detail="blocked")
        if channel is Channel.PUSH and number not in self.push_phones:
            return NotSent(kind=ErrorKind.RECIPIENT, cause=Cause.NO_PUSH_APP)
        if self.refuses_repeats and _repeated(submission, number) in self._seen:
            return NotSent(kind=ErrorKind.DUPLICATE)
        is_push = channel is not Channel.SMS and number in self.push_phones
        return Accepted(
            provider_id=shared_id or str(next(self._ids)),
            cost=None if is_push else self._cost(submission),
            type=MessageType.PUSH if is_push else MessageType.SMS,
        )

    def _keep(self, submission: Submission, result: SendResult) -> None:
        """Keep what was taken."""
        if result.mode is Mode.TEST:
            return
        for number, outcome in {**result.outcomes, **result.group_outcomes}.items():
            if isinstance(outcome, Accepted):
                self._seen.add(_repeated(submission, number))
                self.accepted.append(
                    Arrived(
                        id=outcome.provider_id or str(next(self._ids)),
                        reference=submission.reference,
                        to=number,
                        text=submission.text,
                        sender=submission.sender,
                        send_at=submission.send_at,
                        type=outcome.type,
                        is_listed=not self.is_slow,
                    )
                )

    def _mode(self, submission: Submission) -> Mode:
        return submission.mode or self.mode

    def _cost(self, submission: Submission) -> Decimal | None:
        """Return what one SMS of a submission costs."""
        if self.price is None:
            return None
        return self.price * prepare_text(submission.text, TextEncoding.UNICODE).parts


def callback_body(provider_id: str | None, number: str, status: Status) -> bytes:
    """Return the body of a callback that is a report."""
    return f"report {provider_id} {number} {status}".encode()


def refusal_body(reference: str, kind: ErrorKind) -> bytes:
    """Return the body of a callback that refuses a whole submission."""
    return f"refused {reference} {kind}".encode()


def _repeated(submission: Submission, number: str) -> tuple[str, str, str | None]:
    """Return what makes a message the same as another one."""
    return number, submission.text, submission.sender


def _raised(reply: Reply) -> Reply:
    """Raise what a reply holds of the whole request; return any other one."""
    match reply:
        case NotSent():
            raise NotAcceptedError(
                reply.kind,
                reply.detail,
                retry_after=reply.retry_after,
                cause=reply.cause,
            )
        case Uncertain(detail=detail):
            raise OutcomeUnknownError(detail)
        case Lost.REQUEST:
            raise OutcomeUnknownError(NO_ANSWER)
        case Exception():
            raise reply
        case _:
            return reply


class ManyClient(FakeClient):
    """Many numbers a request; it keeps messages for later, and tells the credit."""

    has_one_id = True
    capabilities = Capabilities(
        features=frozenset(
            {
                Feature.CREDIT_WITH_SEND,
                Feature.DELIVERY_POLL,
                Feature.DELIVERY_PUSH,
                Feature.RECEIVE,
                Feature.SCHEDULE,
                Feature.TEST_MODE,
            }
        ),
        recipients_per_submission=100,
        refs_per_report_query=100,
        max_parts=10,
    )


class ReferenceClient(FakeClient):
    """It finds submissions by our reference, and has whatever else a provider has."""

    refuses_repeats = True
    capabilities = Capabilities(
        features=frozenset(
            {
                Feature.DELIVERY_POLL,
                Feature.DELIVERY_PUSH,
                Feature.CLIENT_REFERENCE,
                Feature.SCHEDULE,
                Feature.CANCEL,
                Feature.ESTIMATE,
                Feature.PUSH,
                Feature.PICTURE_PUSH,
                Feature.TEST_MODE,
                Feature.GROUPS,
            }
        ),
        recipients_per_submission=50,
        refs_per_report_query=10,
        max_parts=7,
        picture=PictureRule(
            types=frozenset({"image/jpeg", "image/png", "image/gif"}),
            max_bytes=2 * 1024 * 1024,
        ),
    )


class OneClient(FakeClient):
    """One number a request; it reports deliveries by itself."""

    capabilities = Capabilities(
        features=frozenset({Feature.DELIVERY_POLL, Feature.DELIVERY_PUSH}),
        recipients_per_submission=1,
        max_parts=10,
    )


class PlainClient(FakeClient):
    """It sends to one number, and can be asked about the message; nothing else."""

    capabilities = Capabilities(
        features=frozenset({Feature.DELIVERY_POLL}),
        recipients_per_submission=1,
        max_parts=4,
        sender=SenderRule(alias=re.compile(r"[ -~]{1,11}")),
    )


MANY = "many"
REFERENCE = "reference"
ONE = "one"
PLAIN = "plain"

PRESETS: Mapping[str, type[FakeClient]] = MappingProxyType(
    {
        MANY: ManyClient,
        REFERENCE: ReferenceClient,
        ONE: OneClient,
        PLAIN: PlainClient,
    }
)
"""The fake providers by key."""


def fake_provider(key: str) -> Provider:
    """Return the description of a fake provider."""
    return Provider(
        key=key,
        name=key.title(),
        manufacturer="Fake",
        console_url="https://provider.example",
        fields=(),
        capabilities=PRESETS[key].capabilities,
        create=no_client,
    )


def no_client(*_: object) -> Never:
    """Fail: a test hands the client of an account over, it is never made."""
    pytest.fail("a client was made")
