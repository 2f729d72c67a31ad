"""Offering the messages of a dispatch to one account: requests and their outcomes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched
import logging
import secrets
from typing import Protocol
import uuid

from ..providers.client import Feature
from ..providers.model import (
    Accepted,
    ErrorKind,
    Mode,
    NotSent,
    SendResult,
    Submission,
    Uncertain,
)
from .account import Account
from .attempt import Attempt, came_after_all, in_doubt, outcome_of, submitting, taken
from .book import Book
from .clock import Clock
from .groups import settle_group
from .learning import learn
from .ledger import Query, SubmissionIntent
from .ledger_model import LedgerUnreadableError
from .model import Dispatch, Message, Stage
from .pacing import Rests
from .routing import time_may_cure
from .text import TextEncoding, prepare_text
from .together import results_of

_LOGGER = logging.getLogger(__name__)

_REQUESTS_AT_ONCE = 32
"""Requests on the wire to one account; more would only queue at the provider."""

_REPEATED_WITHIN = 86_400
"""Seconds in which a provider takes the same text for a repeat (design.md, 1)."""


@dataclass(slots=True, kw_only=True)
class Ground:
    """What every way of messages goes over.

    `accounts` are the loaded ones by id; `expected` tells of another one whether it is
    going to be. `on_taken` gets the messages that a provider took; `on_recovery` is
    called when an account that had been failing takes one. `under_way` tells by id of
    each message on its way along the route when that ends.
    """

    accounts: Mapping[str, Account]
    book: Book
    clock: Clock
    rests: Rests
    on_taken: Callable[[Sequence[Message]], None]
    on_recovery: Callable[[], None]
    expected: Callable[[str], bool] = lambda _: False
    under_way: dict[int, asyncio.Event] = field(default_factory=dict)
    _gates: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    def gate(self, account: str) -> asyncio.Semaphore:
        """Return what bounds the requests on the wire to an account."""
        return self._gates.setdefault(account, asyncio.Semaphore(_REQUESTS_AT_ONCE))


class Record(Protocol):
    """Puts messages on record, with the intents to send them."""

    def __call__(
        self, messages: Sequence[Message], *intents: SubmissionIntent
    ) -> Awaitable[None]:
        """Return when it is on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What is offered along a route: messages of a dispatch to these numbers.

    Accounts that failed since `round_began`, a moment of the monotonic clock, are left
    alone; `asked` is the account
    that was asked. `is_open` tells that nobody has cancelled a message meanwhile.
    """

    dispatch: Dispatch
    asked: Account
    numbers: frozenset[str]
    round_began: float
    record: Record
    is_open: Callable[[Message], bool]

    def is_early(self, now: float) -> bool:
        """Tell whether the messages are to go out at a later moment."""
        send_at = self.dispatch.wishes.send_at
        return send_at is not None and now < send_at


class Offer:
    """One account that messages are offered to."""

    def __init__(self, ground: Ground, cargo: Cargo, carrier: Account) -> None:
        """Offer to `carrier`."""
        self._ground = ground
        self._cargo = cargo
        self._carrier = carrier
        self._book = ground.book
        self._dispatch = cargo.dispatch
        self._is_asked = carrier.id == cargo.dispatch.account

    async def make(
        self, attempts: Sequence[Attempt], prepare: Callable[[], Awaitable[None]]
    ) -> list[Attempt]:
        """Offer messages in as few requests as may be; return what was not taken.

        `prepare` is awaited before there are several requests.
        """
        if (refusal := self._why_not()) is not None:
            retry_at = self._rests_until()
            for attempt in attempts:
                attempt.refused(self._carrier.id, refusal, retry_at)
            return list(attempts)
        numbers = [one for one in attempts if one.message.group is None]
        groups = [one for one in attempts if one.message.group is not None]
        size = self._carrier.provider.capabilities.recipients_per_submission
        batches = [
            *batched(numbers, size, strict=False),
            *batched(groups, 1, strict=False),
        ]
        if len(batches) > 1:
            await prepare()
        # One that breaks must not leave the others without anybody to end them.
        answers = await results_of(self._offer(batch) for batch in batches)
        left: list[Attempt] = []
        for batch, answer in zip(batches, answers, strict=True):
            match answer:
                case Exception():
                    left += await self._pick_up(batch, answer)
                case BaseException():
                    raise answer
                case _:
                    left += answer
        return left

    async def _offer(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Offer one batch; return what was not taken."""
        return await self._repeat(await self._submit(attempts, self._dispatch.text))

    async def _pick_up(
        self, attempts: Sequence[Attempt], err: Exception
    ) -> list[Attempt]:
        """Take over a batch in which a fault of ours came up.

        What was on its way out is in doubt; what had its outcome keeps it.
        """
        # The exception itself may carry what must not be logged.
        name = type(err).__name__
        _LOGGER.error("Sending failed: %s", name)
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=name)
        untried = [one for one in attempts if one.message.stage is Stage.WAITING]
        retry_at = self._ground.clock.now() + self._ground.rests.pace.first_rest
        for attempt in untried:
            attempt.refused(self._carrier.id, refusal, retry_at)
        on_the_wire = [
            one
            for one in attempts
            if (known := self._book.get(one.message.id)) is not None
            and known.stage is Stage.SUBMITTING
        ]
        return untried + await self._take_in(
            _all_in_doubt(on_the_wire, name), on_the_wire
        )

    def _why_not(self) -> NotSent | None:
        """Return why the account is not even asked, None if it is."""
        if self._rests_until() is not None:
            return NotSent(kind=ErrorKind.UNAVAILABLE, detail="resting")
        if not self._is_asked and self._dispatch.parts > self._carrier.max_parts:
            return NotSent(kind=ErrorKind.REFUSED, detail="too_many_parts")
        return None

    def _why_not_now(self, attempts: Sequence[Attempt]) -> NotSent | None:
        """Return what came between while the request had to wait, None if nothing."""
        if (
            self._rests_until() is not None
            or self._ground.clock.now() >= self._dispatch.expires
            or self._carrier.id not in self._ground.accounts
        ):
            return NotSent(kind=ErrorKind.UNAVAILABLE)
        if self._is_over_limit(attempts):
            return NotSent(kind=ErrorKind.REFUSED, detail="daily_limit")
        return None

    def _rests_until(self) -> float | None:
        """Return when the account may be asked again, None if it may be now."""
        rests = self._ground.rests
        until = rests.until(self._carrier.id)
        if until is None and rests.has_failed_since(
            self._carrier.id, self._cargo.round_began
        ):
            return self._ground.clock.now()
        return until

    def _is_over_limit(self, attempts: Sequence[Attempt]) -> bool:
        """Tell whether the messages would pass the account's own daily limit.

        At the account that was asked they were counted with the order; only what a
        text became longer since is not.
        """
        limit = self._carrier.options.daily_limit
        if not limit:
            return False
        parts = self._book.committed_parts(self._carrier.id)
        if self._is_asked:
            longer = sum(one.message.parts - self._dispatch.parts for one in attempts)
            return longer > 0 and parts + longer > limit
        for attempt in attempts:
            known = self._book.get(attempt.message.id)
            if (
                known
                and known.stage is Stage.SUBMITTING
                and known.carrier == self._carrier.id
            ):
                # A second attempt there, which is counted already.
                parts -= known.parts
            parts += attempt.message.parts
        return parts > limit

    async def _submit(self, attempts: Sequence[Attempt], text: str) -> list[Attempt]:
        """Make one request; return the messages that the account did not take."""
        async with self._ground.gate(self._carrier.id):
            reference = await self._reference()
            # From here to the entry in the book nothing else runs.
            attempts = [one for one in attempts if self._cargo.is_open(one.message)]
            if not attempts:
                return []
            now = self._ground.clock.now()
            if (refusal := self._why_not_now(attempts)) is not None:
                retry_at = (
                    self._rests_until() or now if time_may_cure(refusal.kind) else None
                )
                for attempt in attempts:
                    attempt.refused(self._carrier.id, refusal, retry_at)
                return list(attempts)
            before = [attempt.message.unanswered for attempt in attempts]
            for attempt in attempts:
                attempt.message = submitting(
                    attempt.message,
                    self._carrier.id,
                    reference,
                    now,
                    has_own_text=text == self._dispatch.text,
                )
            await self._cargo.record(
                [attempt.message for attempt in attempts],
                SubmissionIntent(
                    reference=reference,
                    dispatch=self._dispatch.id,
                    account=self._carrier.id,
                    created=now,
                ),
            )
            result = await self._send(reference, attempts, text)
        result = self._without_own_numbers(result)
        outcomes = [outcome_of(attempt.message, result) for attempt in attempts]
        for attempt, unanswered, outcome in zip(
            attempts, before, outcomes, strict=True
        ):
            if isinstance(outcome, NotSent):
                attempt.message = replace(
                    attempt.message,
                    unanswered=unanswered,
                    parts=self._dispatch.parts,
                )
        if learn(self._book, self._ground.rests, self._carrier, result, outcomes):
            self._ground.on_recovery()
        if (
            result.refusal is not None
            and result.refusal.kind is ErrorKind.RECIPIENT
            and len(attempts) > 1
        ):
            # One bad number got all refused, and nothing was sent: part them.
            half = len(attempts) // 2
            return [
                *await self._submit(attempts[:half], text),
                *await self._submit(attempts[half:], text),
            ]
        return await self._take_in(result, attempts)

    async def _reference(self) -> str:
        """Return a reference that no submission has had.

        That which was wished for, where the provider shows it to the user; a second
        submission has it with something behind it.
        """
        wanted = self._dispatch.wishes.reference
        capabilities = self._carrier.provider.capabilities
        if wanted is None or Feature.CLIENT_REFERENCE not in capabilities.features:
            return uuid.uuid7().hex
        longest = capabilities.reference_length
        if len(wanted) <= longest and not await self._book.knows_reference(wanted):
            return wanted
        mark = f"-{secrets.token_hex(6)}"
        return f"{wanted[: longest - len(mark)]}{mark}"

    async def _send(
        self, reference: str, attempts: Sequence[Attempt], text: str
    ) -> SendResult:
        """Send; whatever goes wrong on our side leaves the messages in doubt."""
        try:
            return await self._carrier.client.send(
                self._submission(reference, attempts, text)
            )
        except asyncio.CancelledError:
            interrupted = _all_in_doubt(attempts, "interrupted")
            await asyncio.shield(self._take_in(interrupted, attempts))
            raise
        except Exception as err:  # noqa: BLE001 - a fault of ours must not lose messages
            # The exception itself may carry what must not be logged.
            _LOGGER.error("A client failed while sending: %s", type(err).__name__)  # noqa: TRY400
            return _all_in_doubt(attempts, type(err).__name__)

    def _submission(
        self, reference: str, attempts: Sequence[Attempt], text: str
    ) -> Submission:
        """Return the request for messages, which are to numbers or to one group."""
        dispatch, wishes = self._dispatch, self._dispatch.wishes
        is_early = self._cargo.is_early(self._ground.clock.now())
        # A fallback without pictures says the text, which is better than nothing.
        features = self._carrier.provider.capabilities.features
        has_picture = self._is_asked or Feature.PICTURE_PUSH in features
        messages = [attempt.message for attempt in attempts]
        return Submission(
            reference=reference,
            recipients=tuple(one.number for one in messages if one.group is None),
            text=text,
            encoding=dispatch.encoding,
            sender=self._carrier.sender_for(wishes.sender),
            callback_url=self._carrier.callback_url(reference),
            send_at=datetime.fromtimestamp(dispatch.due, UTC) if is_early else None,
            channel=wishes.channel,
            picture=wishes.picture if has_picture else None,
            groups=tuple(one.group for one in messages if one.group is not None),
            mode=wishes.mode,
            max_parts=self._cargo.asked.options.max_parts,
        )

    def _without_own_numbers(self, result: SendResult) -> SendResult:
        """Return a result without numbers of a group that have their own message."""
        if not result.group_outcomes:
            return result
        others = {
            number: outcome
            for number, outcome in result.group_outcomes.items()
            if number not in self._cargo.numbers
        }
        return replace(result, group_outcomes=others)

    async def _repeat(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Send what was refused as a duplicate once more, with the time behind it.

        An alarm that repeats must not be lost because it repeats (design.md, 5.8).
        """
        repeated = [one for one in attempts if one.is_duplicate]
        if not repeated or not self._carrier.options.repeat_marker:
            return list(attempts)
        marked = f"{self._dispatch.text} {self._ground.clock.local_time()}"
        prepared = prepare_text(marked, TextEncoding.UNICODE)
        if prepared.parts > min(self._carrier.max_parts, self._cargo.asked.max_parts):
            return list(attempts)
        for attempt in repeated:
            attempt.message = replace(attempt.message, parts=prepared.parts)
        others = [one for one in attempts if not one.is_duplicate]
        return [*others, *await self._submit(repeated, marked)]

    async def _take_in(
        self, result: SendResult, attempts: Sequence[Attempt]
    ) -> list[Attempt]:
        """Record what is settled; return the messages that may go on."""
        now, carrier = self._ground.clock.now(), self._carrier
        settled: list[Message] = []
        left: list[Attempt] = []
        for attempt in attempts:
            message, outcome = attempt.message, outcome_of(attempt.message, result)
            if isinstance(outcome, NotSent) and await self._has_come_before(
                message, outcome
            ):
                settled.append(came_after_all(message, now))
                continue
            match outcome:
                case Accepted() if message.group is None or result.mode is Mode.TEST:
                    settled.append(taken(message, carrier, outcome, result.mode, now))
                case Accepted():
                    members = await settle_group(
                        self._book, carrier, message, result.group_outcomes, now
                    )
                    self._ground.on_taken(members)
                case Uncertain() if self._cargo.asked.options.resend_uncertain:
                    # What an account before this one refused as a repeat is another.
                    attempt.is_duplicate = False
                    attempt.doubt = in_doubt(message, carrier, outcome, now)
                    attempt.message = attempt.doubt
                    left.append(attempt)
                case Uncertain():
                    settled.append(in_doubt(message, carrier, outcome, now))
                case NotSent(kind=kind):
                    retry_at = None
                    if time_may_cure(kind):
                        retry_at = self._ground.rests.until(carrier.id) or now
                    attempt.refused(carrier.id, outcome, retry_at)
                    left.append(attempt)
        if len(settled) == 1:
            # An alert does not wait until it is on disk: if we are killed before, it is
            # in doubt, as it is if that happens before the answer comes.
            self._book.note(settled)
        else:
            await self._book.change(settled)
        self._ground.on_taken(settled)
        return left

    async def _has_come_before(self, message: Message, refusal: NotSent) -> bool:
        """Tell whether a message refused as a repeat had come here before.

        Its text is here already if an earlier request was in doubt, whatever the
        provider said of that one since, unless another message has brought it. Then
        the earlier request can only have been refused as well.
        """
        if (
            refusal.kind is not ErrorKind.DUPLICATE
            or self._carrier.id not in message.unanswered
        ):
            return False
        query = Query(
            number=message.number,
            text=message.dispatch.text,
            since=self._ground.clock.now() - _REPEATED_WITHIN,
        )
        try:
            found = await self._book.find(query)
        except LedgerUnreadableError:
            return True
        return not any(
            one.id != message.id
            and one.provider_id is not None
            and one.carrier == self._carrier.id
            and one.dispatch.text == message.dispatch.text
            and one.dispatch.wishes.sender == message.dispatch.wishes.sender
            for one in found.messages
        )


def _all_in_doubt(attempts: Sequence[Attempt], detail: str) -> SendResult:
    """Return the result that nobody knows of any message what became of it."""
    doubt = Uncertain(detail=detail)
    numbers = [attempt.message.number for attempt in attempts]
    return SendResult(outcomes=dict.fromkeys(numbers, doubt), doubt=doubt)
