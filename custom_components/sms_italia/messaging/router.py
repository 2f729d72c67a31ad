"""Getting the messages of a dispatch taken: account after account, none twice."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched
import logging
from typing import override
import uuid

from ..providers.model import (
    Accepted,
    ErrorKind,
    NotSent,
    Outcome,
    SendResult,
    Status,
    Submission,
    Uncertain,
)
from .account import Account
from .book import Book, CredentialsRefused, CreditChanged, CreditTold
from .clock import Clock
from .ledger import SubmissionIntent
from .model import Dispatch, Message, Stage
from .pacing import Rests
from .routing import another_account_may_cure, time_may_cure
from .text import TextEncoding, prepare_text

_LOGGER = logging.getLogger(__name__)

_REQUESTS_AT_ONCE = 32
"""Requests on the wire to one account; more would only queue at the provider."""


@dataclass(slots=True, kw_only=True)
class Router:
    """Sends along the route: the account that was asked, then its fallbacks.

    `accounts` are the loaded ones by id. `on_taken` gets the messages that a provider
    took; `on_recovery` is called when an account that had been failing takes one.
    `under_way` tells by id of each message on its way along the route when that ends.
    """

    accounts: Mapping[str, Account]
    book: Book
    clock: Clock
    rests: Rests
    on_taken: Callable[[Sequence[Message]], None]
    on_recovery: Callable[[], None]
    under_way: dict[int, asyncio.Event] = field(default_factory=dict)
    _gates: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def deliver_new(
        self, dispatch: Dispatch, messages: Sequence[Message], closed: Sequence[Message]
    ) -> None:
        """Enter a dispatch that is not in the book yet, and send its messages.

        `closed` are those of it that nothing can be done about.
        """
        await _NewPassage(self, dispatch, messages, closed).run()

    async def deliver(self, messages: Sequence[Message], round_began: float) -> None:
        """Send those messages of one dispatch that still wait in the book.

        One that is under way already has its turn first, and may wait no more then.
        An account that rested when the round of the outbox began, or failed since, is
        left alone until the next one: otherwise a message could get past an older one.
        """
        for message in messages:
            if (end := self.under_way.get(message.id)) is not None:
                await end.wait()
        dispatch = messages[0].dispatch
        known = (self.book.get(message.id) for message in messages)
        waiting = [one for one in known if one and one.stage is Stage.WAITING]
        if waiting and dispatch.account in self.accounts:
            await _Passage(self, dispatch, waiting, round_began).run()

    def gate(self, account: str) -> asyncio.Semaphore:
        """Return what bounds the requests on the wire to an account."""
        return self._gates.setdefault(account, asyncio.Semaphore(_REQUESTS_AT_ONCE))


@dataclass(slots=True)
class _Attempt:
    """A message on its way along the route, and what it met there.

    `doubt` is the message as an account left it that may have sent it.
    """

    message: Message
    doubt: Message | None = None
    refusal: NotSent | None = None
    retry_at: float | None = None
    hopeless: bool = False
    is_duplicate: bool = False

    def refused(self, outcome: NotSent, retry_at: float | None = None) -> None:
        """Keep the first refusal, and the earliest time an account may take it.

        A refusal that no account can cure ends the way.
        """
        self.is_duplicate = outcome.kind is ErrorKind.DUPLICATE
        if not another_account_may_cure(outcome.kind):
            self.hopeless = True
            self.refusal, self.retry_at = outcome, None
            return
        self.refusal = self.refusal or outcome
        if retry_at is not None:
            self.retry_at = min(self.retry_at or retry_at, retry_at)


class _Passage:
    """One way of a dispatch's messages along the route."""

    def __init__(
        self,
        router: Router,
        dispatch: Dispatch,
        messages: Sequence[Message],
        round_began: float = float("inf"),
    ) -> None:
        self._router = router
        self._round_began = round_began
        self._book = router.book
        self._dispatch = dispatch
        self._options = router.accounts[dispatch.account].options
        self._messages = messages

    async def run(self) -> None:
        """Go along the route; meanwhile nobody else may send these messages."""
        end = asyncio.Event()
        under_way = self._router.under_way
        under_way.update((message.id, end) for message in self._messages)
        try:
            await self._try_all()
        finally:
            for message in self._messages:
                del under_way[message.id]
            end.set()

    async def _try_all(self) -> None:
        """Try each account; what none took waits or is given up."""
        left = [_Attempt(message) for message in self._messages]
        for carrier in self._route():
            if not left:
                return
            left = await self._try(carrier, left)
        if left:
            await self._record([self._end(attempt) for attempt in left])
            self._router.on_taken([one.doubt for one in left if one.doubt])

    def _route(self) -> Iterator[Account]:
        """Go over the accounts of the route that are loaded, in order."""
        for account_id in self._dispatch.route:
            if (account := self._router.accounts.get(account_id)) is not None:
                yield account

    async def _try(
        self, carrier: Account, attempts: Sequence[_Attempt]
    ) -> list[_Attempt]:
        """Offer the messages to one account; return those that it did not take."""
        movable = [attempt for attempt in attempts if not attempt.hopeless]
        stuck = [attempt for attempt in attempts if attempt.hopeless]
        refusal = self._why_not(carrier)
        if refusal is not None:
            retry_at = self._rests_until(carrier)
            for attempt in movable:
                attempt.refused(refusal, retry_at)
            return [*stuck, *movable]
        batches = list(
            batched(
                movable,
                carrier.provider.capabilities.recipients_per_submission,
                strict=False,
            )
        )
        if len(batches) > 1:
            await self._prepare_batches()
        for left in await asyncio.gather(
            *(self._submit(carrier, batch, self._dispatch.text) for batch in batches)
        ):
            stuck += await self._repeat(carrier, left)
        return stuck

    def _why_not(self, carrier: Account) -> NotSent | None:
        """Return why an account is not even asked, None if it is."""
        if self._rests_until(carrier) is not None:
            return NotSent(kind=ErrorKind.UNAVAILABLE, detail="resting")
        if carrier.id == self._dispatch.account:
            return None
        if self._dispatch.parts > carrier.provider.capabilities.max_parts:
            return NotSent(kind=ErrorKind.REFUSED, detail="too_many_parts")
        return None

    def _rests_until(self, carrier: Account) -> float | None:
        """Return when an account may be asked again, None if it may be now."""
        rests = self._router.rests
        until = rests.until(carrier.id)
        if until is None and rests.has_failed_since(carrier.id, self._round_began):
            return self._router.clock.now()
        return until

    def _is_over_limit(self, carrier: Account, attempts: Sequence[_Attempt]) -> bool:
        """Tell whether the messages would pass a fallback's own daily limit."""
        limit = carrier.options.daily_limit
        if carrier.id == self._dispatch.account or not limit:
            return False
        parts = self._book.committed_parts(carrier.id)
        for attempt in attempts:
            known = self._book.get(attempt.message.id)
            if (
                known
                and known.stage is Stage.SUBMITTING
                and known.carrier == carrier.id
            ):
                # A second attempt there, which is counted already.
                parts -= known.parts
            parts += attempt.message.parts
        return parts > limit

    async def _submit(
        self, carrier: Account, attempts: Sequence[_Attempt], text: str
    ) -> list[_Attempt]:
        """Make one request; return the messages that the account did not take."""
        async with self._router.gate(carrier.id):
            now = self._router.clock.now()
            until = self._rests_until(carrier)
            if (
                until is not None
                or now >= self._dispatch.expires
                or carrier.id not in self._router.accounts
            ):
                for attempt in attempts:
                    attempt.refused(NotSent(kind=ErrorKind.UNAVAILABLE), until or now)
                return list(attempts)
            # From here to the entry in the book nothing else runs.
            if self._is_over_limit(carrier, attempts):
                refusal = NotSent(kind=ErrorKind.REFUSED, detail="daily_limit")
                for attempt in attempts:
                    attempt.refused(refusal)
                return list(attempts)
            reference = uuid.uuid7().hex
            for attempt in attempts:
                attempt.message = replace(
                    attempt.message,
                    stage=Stage.SUBMITTING,
                    carrier=carrier.id,
                    submission=reference,
                    provider_id=None,
                    attempt_at=None,
                    updated=now,
                )
            await self._record(
                [attempt.message for attempt in attempts],
                SubmissionIntent(
                    reference=reference,
                    dispatch=self._dispatch.id,
                    account=carrier.id,
                    created=now,
                ),
            )
            result = await self._send(carrier, reference, attempts, text)
        self._learn(carrier, result)
        if (
            result.refusal is not None
            and result.refusal.kind is ErrorKind.RECIPIENT
            and len(attempts) > 1
        ):
            # One bad number got all refused, and nothing was sent: part them.
            half = len(attempts) // 2
            return [
                *await self._submit(carrier, attempts[:half], text),
                *await self._submit(carrier, attempts[half:], text),
            ]
        return await self._take_in(carrier, result, attempts)

    async def _repeat(
        self, carrier: Account, attempts: Sequence[_Attempt]
    ) -> list[_Attempt]:
        """Send what was refused as a duplicate once more, with the time behind it.

        An alarm that repeats must not be lost because it repeats (design.md, 5.8).
        """
        if not carrier.options.repeat_marker:
            return list(attempts)
        repeated = [one for one in attempts if one.is_duplicate]
        if not repeated:
            return list(attempts)
        marked = f"{self._dispatch.text} {self._router.clock.local_time()}"
        prepared = prepare_text(marked, TextEncoding.UNICODE)
        if prepared.parts > carrier.provider.capabilities.max_parts:
            return list(attempts)
        for attempt in repeated:
            attempt.message = replace(attempt.message, parts=prepared.parts)
        others = [one for one in attempts if not one.is_duplicate]
        return [*others, *await self._submit(carrier, repeated, marked)]

    async def _send(
        self, carrier: Account, reference: str, attempts: Sequence[_Attempt], text: str
    ) -> SendResult:
        """Send; whatever goes wrong on our side leaves the messages in doubt."""
        numbers = tuple(attempt.message.number for attempt in attempts)
        try:
            return await carrier.client.send(
                Submission(
                    reference=reference,
                    recipients=numbers,
                    text=text,
                    encoding=self._dispatch.encoding,
                    sender=carrier.sender_for(self._dispatch.sender),
                    callback_url=carrier.callback_url(reference),
                )
            )
        except asyncio.CancelledError:
            interrupted = dict.fromkeys(numbers, Uncertain(detail="interrupted"))
            await asyncio.shield(
                self._take_in(carrier, SendResult(outcomes=interrupted), attempts)
            )
            raise
        except Exception as err:  # noqa: BLE001 - a fault of ours must not lose messages
            # The exception itself may carry what must not be logged.
            _LOGGER.error("A client failed while sending: %s", type(err).__name__)  # noqa: TRY400
            doubt = Uncertain(detail=type(err).__name__)
            return SendResult(outcomes=dict.fromkeys(numbers, doubt))

    def _learn(self, carrier: Account, result: SendResult) -> None:
        """Draw from an answer what it says of the account itself."""
        rests, tell = self._router.rests, self._book.tell
        if result.credit is not None:
            tell(CreditTold(account=carrier.id, balance=result.credit))
        outcomes = list(result.outcomes.values())
        if any(isinstance(outcome, Accepted) for outcome in outcomes):
            tell(CreditChanged(account=carrier.id))
            if rests.worked(carrier.id):
                self._router.on_recovery()
            return
        if outcomes:
            self._learn_from_failure(carrier, outcomes[0])

    def _learn_from_failure(self, carrier: Account, outcome: Outcome) -> None:
        """Draw from a failed send what it says of the account itself."""
        rests, tell = self._router.rests, self._book.tell
        match outcome:
            case NotSent(kind=ErrorKind.AUTH):
                tell(CredentialsRefused(account=carrier.id))
            case NotSent(kind=kind) if not time_may_cure(kind):
                rests.worked(carrier.id)
                if kind is ErrorKind.CREDIT:
                    tell(CreditChanged(account=carrier.id))
            case NotSent(retry_after=retry_after):
                rests.failed(carrier.id, retry_after)
            case Uncertain():
                rests.failed(carrier.id)
            case Accepted():
                pass

    async def _take_in(
        self, carrier: Account, result: SendResult, attempts: Sequence[_Attempt]
    ) -> list[_Attempt]:
        """Record what is settled; return the messages that may go on."""
        settled: list[Message] = []
        left: list[_Attempt] = []
        for attempt in attempts:
            outcome = result.outcomes.get(
                attempt.message.number, Uncertain(detail="not_in_answer")
            )
            attempt.message = self._after(carrier, attempt.message, outcome)
            match outcome:
                case Accepted():
                    settled.append(attempt.message)
                case Uncertain() if self._options.resend_uncertain:
                    attempt.doubt = attempt.message
                    left.append(attempt)
                case Uncertain():
                    settled.append(attempt.message)
                case NotSent(kind=kind):
                    retry_at = None
                    if time_may_cure(kind):
                        now = self._router.clock.now()
                        retry_at = self._router.rests.until(carrier.id) or now
                    attempt.refused(outcome, retry_at)
                    left.append(attempt)
        if settled:
            await self._book.change(settled)
            self._router.on_taken(settled)
        return left

    def _after(self, carrier: Account, message: Message, outcome: Outcome) -> Message:
        """Return the message with what an outcome says of it."""
        now = self._router.clock.now()
        match outcome:
            case Accepted():
                return replace(
                    message,
                    stage=Stage.TAKEN if carrier.tracks_delivery else Stage.CLOSED,
                    status=outcome.status,
                    provider_id=outcome.provider_id,
                    parts=outcome.parts or message.parts,
                    cost=outcome.cost,
                    error=None,
                    detail=None,
                    updated=now,
                )
            case Uncertain():
                return replace(
                    message,
                    stage=(
                        Stage.DOUBTFUL
                        if carrier.can_settle(outcome.provider_id)
                        else Stage.CLOSED
                    ),
                    status=Status.UNCERTAIN,
                    provider_id=outcome.provider_id,
                    error=None,
                    detail=outcome.detail,
                    updated=now,
                )
            case NotSent():
                return message

    def _end(self, attempt: _Attempt) -> Message:
        """Return a message that no account took: waiting, expired or failed."""
        now = self._router.clock.now()
        if attempt.doubt is not None:
            return attempt.doubt
        refusal = attempt.refusal or NotSent(kind=ErrorKind.UNAVAILABLE)
        message = replace(
            attempt.message,
            submission=None,
            error=refusal.kind,
            detail=refusal.detail,
            updated=now,
        )
        if attempt.retry_at is None or not self._options.retry_for:
            return replace(message, status=Status.FAILED, stage=Stage.CLOSED)
        if now >= self._dispatch.expires:
            return replace(message, status=Status.EXPIRED, stage=Stage.CLOSED)
        return replace(
            message,
            status=Status.QUEUED,
            stage=Stage.WAITING,
            attempt_at=attempt.retry_at,
        )

    async def _prepare_batches(self) -> None:
        """Make ready for requests that carry only some of the messages each."""

    async def _record(
        self, messages: Sequence[Message], *intents: SubmissionIntent
    ) -> None:
        """Put messages on record."""
        await self._book.change(messages, intents)


class _NewPassage(_Passage):
    """The first way of a dispatch, which enters it in the book with the first word.

    The usual alert is thus one entry: the message and the intent to send it.
    """

    def __init__(
        self,
        router: Router,
        dispatch: Dispatch,
        messages: Sequence[Message],
        closed: Sequence[Message],
    ) -> None:
        super().__init__(router, dispatch, messages)
        self._closed = closed
        self._entered = False

    @override
    async def _prepare_batches(self) -> None:
        if not self._entered:
            await self._record(self._messages)

    @override
    async def _record(
        self, messages: Sequence[Message], *intents: SubmissionIntent
    ) -> None:
        if self._entered:
            await super()._record(messages, *intents)
        else:
            self._entered = True
            await self._book.add(self._dispatch, [*messages, *self._closed], intents)
