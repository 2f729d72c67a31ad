"""One request to one account: recorded, made, and its outcomes applied."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched
import logging
import secrets
import uuid

from ...providers import (
    Accepted,
    ErrorKind,
    Feature,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Submission,
    Uncertain,
)
from ..account import Account, Accounts
from ..alarm import Tasks
from ..clock import Clock
from ..compose import prepare_text
from ..ledger import Ledger, LedgerUnreadableError, Query, SubmissionIntent
from ..model import Dispatch, Message, Stage, TextEncoding
from ..state import Events, OpenMessages
from ..state.transitions import (
    accepted,
    arrived_before,
    requeued,
    submitted,
    uncertain,
)
from .groups import settle_group
from .health import AccountHealth, Timing
from .retry_rules import another_account_may_help, time_may_help

_LOGGER = logging.getLogger(__name__)

_REQUESTS_AT_ONCE = 32
"""Requests on the wire to one account; more would only queue at the provider."""

_REPEATED_WITHIN = 86_400
"""Seconds in which a provider refuses the same text as a repeat."""


@dataclass(slots=True, kw_only=True)
class DeliveryContext:
    """What delivery and tracking work with.

    `in_progress` has, by the ID of each message on its way along a route, the event
    that is set when that ends.
    """

    accounts: Accounts
    open_messages: OpenMessages
    ledger: Ledger
    events: Events
    clock: Clock
    timing: Timing
    health: AccountHealth
    tasks: Tasks
    in_progress: dict[int, asyncio.Event] = field(default_factory=dict)
    _slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    def slot(self, account_id: str) -> asyncio.Semaphore:
        """Return what bounds the requests on the wire to an account."""
        return self._slots.setdefault(account_id, asyncio.Semaphore(_REQUESTS_AT_ONCE))


@dataclass(slots=True)
class Pending:
    """A message on its way along its route, and what happened to it there.

    `doubt` is the message as an account left it that may have sent it. `refusal` is
    what `refused_by` (the ID of an account) answered. After an `is_final` refusal no
    other account is asked. One that `is_early` waits for its own moment.
    """

    message: Message
    doubt: Message | None = None
    refusal: NotSent | None = None
    refused_by: str | None = None
    retry_at: float | None = None
    is_final: bool = False
    is_early: bool = False
    is_duplicate: bool = False
    unanswered_before: tuple[str, ...] = ()

    def refused(
        self, account_id: str, refusal: NotSent, retry_at: float | None = None
    ) -> None:
        """Keep the first refusal, and the earliest time an account may accept it.

        A refusal that no other account can help with is the last one.
        """
        self.is_duplicate = refusal.kind is ErrorKind.DUPLICATE
        if not another_account_may_help(refusal.kind):
            self.is_final = True
            self.refusal, self.refused_by, self.retry_at = refusal, account_id, None
            return
        if self.refusal is None:
            self.refusal, self.refused_by = refusal, account_id
        if retry_at is not None:
            self.retry_not_after(retry_at)

    def retry_not_after(self, moment: float) -> None:
        """Try again at this moment, or before if an account may accept it then."""
        self.retry_at = moment if self.retry_at is None else min(self.retry_at, moment)


class Submitter:
    """Submits messages of one dispatch to one account of its route."""

    def __init__(  # noqa: PLR0913 - what a request depends on
        self,
        context: DeliveryContext,
        dispatch: Dispatch,
        account: Account,
        *,
        requested: Account,
        numbers: frozenset[str],
        round_began: float,
    ) -> None:
        """Submit to `account`, where `requested` is the one that was asked to send.

        `numbers` have messages of their own in the dispatch. An account that failed
        since `round_began` (of the monotonic clock) is left alone.
        """
        self._context = context
        self._open = context.open_messages
        self._dispatch = dispatch
        self._account = account
        self._requested = requested
        self._is_requested = account.id == requested.id
        self._numbers = numbers
        self._round_began = round_began

    def is_asked(self, pending: Sequence[Pending]) -> bool:
        """Return whether the account is asked at all; if not, the messages say why."""
        refusal = None
        if self._paused_until() is not None:
            refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail="paused")
        elif not self._is_requested and self._dispatch.parts > self._account.max_parts:
            refusal = NotSent(kind=ErrorKind.REFUSED, detail="too_many_parts")
        if refusal is None:
            return True
        self._refuse(pending, refusal, self._paused_until())
        return False

    def batches(self, pending: Sequence[Pending]) -> list[tuple[Pending, ...]]:
        """Return the messages in as few requests as possible, each group in its own."""
        numbers = [one for one in pending if one.message.group is None]
        groups = [one for one in pending if one.message.group is not None]
        size = self._account.provider.capabilities.recipients_per_submission
        return [
            *batched(numbers, size, strict=False),
            *batched(groups, 1, strict=False),
        ]

    async def submit(
        self, batch: Sequence[Pending], text: str | None = None
    ) -> list[Pending]:
        """Make one request; return the messages that may go on along their route.

        `text` is another one than that of the dispatch. Raises nothing but
        CancelledError: after a fault of ours, what was on its way is in doubt.
        """
        text = text or self._dispatch.text
        try:
            async with self._context.slot(self._account.id):
                reference = await self._new_reference()
                # It may have been replaced while a slot was waited for.
                self._account = self._attached
                # From here until the intent is recorded nothing else runs.
                batch = [one for one in batch if self._is_current(one.message)]
                if not batch or not self._is_asked_now(batch):
                    return list(batch)
                intent = self._start(batch, reference, text)
                await self._open.change([one.message for one in batch], [intent])
                result = await self._account.client.send(
                    self._submission(reference, batch, text)
                )
            return await self._settle(batch, result, text)
        except asyncio.CancelledError:
            await asyncio.shield(self._release(batch))
            await asyncio.shield(self._doubt(batch, "interrupted"))
            raise
        except Exception as err:  # noqa: BLE001 - a fault of ours must not lose messages
            # The exception itself may carry what must not be logged.
            _LOGGER.error("Sending failed: %s", type(err).__name__)  # noqa: TRY400 - same reason
            return await self._recover(batch, type(err).__name__)

    def repeat_text(self, duplicates: Sequence[Pending]) -> str | None:
        """Return the text to send again where it was refused as a duplicate.

        An alarm that repeats must not be lost because it repeats: the time goes behind
        it. None if there is nothing to repeat, or if it may not be.
        """
        if not duplicates or not self._account.options.repeat_marker:
            return None
        text = f"{self._dispatch.text} {self._context.clock.local_time()}"
        prepared = prepare_text(text, TextEncoding.UNICODE)
        if prepared.parts > min(self._account.max_parts, self._requested.max_parts):
            return None
        for one in duplicates:
            one.message = replace(one.message, parts=prepared.parts)
        return text

    @property
    def _attached(self) -> Account:
        """The account as it is attached now; other credentials may have come."""
        return self._context.accounts.get(self._account.id, self._account)

    def _paused_until(self) -> float | None:
        """Return when the account may be asked again, None if it may be now."""
        health = self._context.health
        until = health.open_until(self._account.id)
        if until is None and health.has_failed_since(
            self._account.id, self._round_began
        ):
            return self._context.clock.now()
        return until

    def _is_asked_now(self, batch: Sequence[Pending]) -> bool:
        """Return whether the account is still asked when a slot is free."""
        now = self._context.clock.now()
        if (
            self._paused_until() is not None
            or now >= self._dispatch.expires
            or self._account.id not in self._context.accounts
        ):
            refusal = NotSent(kind=ErrorKind.UNAVAILABLE)
            self._refuse(batch, refusal, self._paused_until() or now)
            return False
        if self._exceeds_limit(batch):
            refusal = NotSent(kind=ErrorKind.REFUSED, detail="daily_limit")
            self._refuse(batch, refusal, None)
            return False
        return True

    def _refuse(
        self, batch: Iterable[Pending], refusal: NotSent, retry_at: float | None
    ) -> None:
        for one in batch:
            one.refused(self._account.id, refusal, retry_at)

    def _exceeds_limit(self, batch: Sequence[Pending]) -> bool:
        """Return whether the messages would exceed the account's own daily limit.

        At the account that was asked they were counted with the request; only what a
        text became longer since is not.
        """
        limit = self._account.options.daily_limit
        if not limit:
            return False
        parts = self._open.committed_parts(self._account.id)
        if self._is_requested:
            longer = sum(one.message.parts - self._dispatch.parts for one in batch)
            return longer > 0 and parts + longer > limit
        for one in batch:
            known = self._open.get(one.message.id)
            if known and self._is_on_the_wire(known):
                # A second attempt there, which is counted already.
                parts -= known.parts
            parts += one.message.parts
        return parts > limit

    def _is_current(self, message: Message) -> bool:
        """Return whether nobody else has changed a message meanwhile."""
        known = self._open.get(message.id)
        return known is not None and known.revision <= message.revision

    def _is_on_the_wire(self, message: Message) -> bool:
        """Return whether a request to the account is open for a message."""
        return (
            message.stage is Stage.SUBMITTING
            and message.last_account == self._account.id
        )

    async def _new_reference(self) -> str:
        """Return a reference that no submission has had.

        The one that was asked for, where the provider shows it to the user; a second
        submission has it with a suffix.
        """
        wanted = self._dispatch.options.reference
        if wanted is None or not self._account.has(Feature.CLIENT_REFERENCE):
            return uuid.uuid7().hex
        longest = self._account.provider.capabilities.reference_length
        is_known = await self._context.ledger.knows_reference(wanted)
        if (
            len(wanted) <= longest
            and not is_known
            and not self._open.of_submission(wanted)
        ):
            return wanted
        suffix = f"-{secrets.token_hex(6)}"
        return f"{wanted[: longest - len(suffix)]}{suffix}"

    def _start(
        self, batch: Sequence[Pending], reference: str, text: str
    ) -> SubmissionIntent:
        """Mark messages as submitted; return the intent to record with them."""
        now = self._context.clock.now()
        for one in batch:
            one.unanswered_before = one.message.unanswered
            one.message = submitted(one.message, self._account, reference, text, now)
        return SubmissionIntent(
            reference=reference,
            dispatch=self._dispatch.id,
            account=self._account.id,
            created=now,
        )

    def _submission(
        self, reference: str, batch: Sequence[Pending], text: str
    ) -> Submission:
        """Return the request for messages, which are to numbers or to one group."""
        dispatch, options = self._dispatch, self._dispatch.options
        is_early = dispatch.is_early(self._context.clock.now())
        # A fallback without pictures says the text, which is better than nothing.
        has_picture = self._is_requested or self._account.has(Feature.PICTURE_PUSH)
        messages = [one.message for one in batch]
        return Submission(
            reference=reference,
            recipients=tuple(one.number for one in messages if one.group is None),
            text=text,
            encoding=dispatch.encoding,
            sender=self._account.sender_for(options.sender),
            callback_url=self._account.callback_url(reference),
            send_at=datetime.fromtimestamp(dispatch.due, UTC) if is_early else None,
            channel=options.channel,
            picture=options.picture if has_picture else None,
            groups=tuple(one.group for one in messages if one.group is not None),
            mode=options.mode,
            max_parts=self._requested.options.max_parts,
        )

    async def _settle(
        self, batch: Sequence[Pending], result: SendResult, text: str
    ) -> list[Pending]:
        """Apply an answer; return the messages that may go on along their route."""
        result = self._without_own_numbers(result)
        outcomes = [outcome_of(one.message, result) for one in batch]
        for one, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, NotSent):
                one.message = replace(
                    one.message,
                    unanswered=one.unanswered_before,
                    parts=self._dispatch.parts,
                )
        if self._attached is self._account:
            self._context.health.learn(self._account.id, result, outcomes)
        whole = result.refusal
        if whole and whole.kind is ErrorKind.RECIPIENT and len(batch) > 1:
            # One bad number got all refused, and nothing was sent: split them.
            half = len(batch) // 2
            return [
                *await self.submit(batch[:half], text),
                *await self.submit(batch[half:], text),
            ]
        return await self._apply(batch, outcomes, result)

    async def _apply(
        self, batch: Sequence[Pending], outcomes: Sequence[Outcome], result: SendResult
    ) -> list[Pending]:
        """Record what is settled; return the messages that may go on."""
        settled: list[Message] = []
        left: list[Pending] = []
        for one, outcome in zip(batch, outcomes, strict=True):
            if await self._is_repeat_of_doubt(one.message, outcome):
                now = self._context.clock.now()
                settled.append(arrived_before(one.message, now))
            elif one.message.group is not None and self._is_divided(outcome, result):
                await settle_group(
                    self._open,
                    self._account,
                    one.message,
                    result.group_outcomes,
                    self._context.clock.now(),
                )
            elif (message := self._settled(one, outcome, result.mode)) is not None:
                settled.append(message)
            else:
                left.append(one)
        if len(settled) == 1:
            # An alert does not wait until it is on disk: if Home Assistant is killed
            # before, it is in doubt, as it is if that happens before the answer comes.
            self._open.note(settled)
        else:
            await self._open.change(settled)
        return left

    @staticmethod
    def _is_divided(outcome: Outcome, result: SendResult) -> bool:
        """Return whether an accepted group gets a message for each of its numbers."""
        return isinstance(outcome, Accepted) and result.mode is not Mode.TEST

    def _settled(
        self, one: Pending, outcome: Outcome, mode: Mode | None
    ) -> Message | None:
        """Return a message that is settled; None for one that may go on."""
        now, account = self._context.clock.now(), self._account
        match outcome:
            case Accepted():
                return accepted(one.message, account, outcome, mode, now)
            case Uncertain() if self._requested.options.resend_uncertain:
                # What an account before this one refused as a repeat is another.
                one.is_duplicate = False
                one.doubt = one.message = uncertain(one.message, account, outcome, now)
            case Uncertain():
                return uncertain(one.message, account, outcome, now)
            case NotSent(kind=kind):
                retry_at = None
                if time_may_help(kind) or self._attached is not account:
                    retry_at = self._context.health.open_until(account.id) or now
                one.refused(account.id, outcome, retry_at)
        return None

    def _without_own_numbers(self, result: SendResult) -> SendResult:
        """Return a result without numbers of a group that have their own message."""
        if not result.group_outcomes:
            return result
        others = {
            number: outcome
            for number, outcome in result.group_outcomes.items()
            if number not in self._numbers
        }
        return replace(result, group_outcomes=others)

    async def _is_repeat_of_doubt(self, message: Message, outcome: Outcome) -> bool:
        """Return whether a message refused as a repeat had arrived here before.

        Its text is here already if an earlier request was in doubt, whatever the
        provider said of that one since, unless another message has brought it. Then
        the earlier request can only have been refused as well.
        """
        if (
            not isinstance(outcome, NotSent)
            or outcome.kind is not ErrorKind.DUPLICATE
            or self._account.id not in message.unanswered
        ):
            return False
        query = Query(
            number=message.number,
            text=message.dispatch.text,
            since=self._context.clock.now() - _REPEATED_WITHIN,
        )
        try:
            found = await self._context.ledger.find(query)
        except LedgerUnreadableError:
            return True
        return not any(self._brought_the_text(one, message) for one in found.messages)

    def _brought_the_text(self, other: Message, message: Message) -> bool:
        """Return whether another message brought the same text to the account."""
        return (
            other.id != message.id
            and other.provider_id is not None
            and other.last_account == self._account.id
            and other.dispatch.text == message.dispatch.text
            and other.dispatch.options.sender == message.dispatch.options.sender
        )

    async def _recover(self, batch: Sequence[Pending], detail: str) -> list[Pending]:
        """Go on after a fault of ours; return the messages that may go on.

        What was on its way is in doubt; what had its outcome keeps it.
        """
        untried = [one for one in batch if self._is_untried(one)]
        retry_at = self._context.clock.now() + self._context.timing.first_pause
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=detail)
        self._refuse(untried, refusal, retry_at)
        return untried + await self._doubt(batch, detail)

    def _is_untried(self, one: Pending) -> bool:
        """Return whether a message is open, and no request to the account is."""
        known = self._open.get(one.message.id)
        return (
            known is not None
            and known.stage in {Stage.WAITING, Stage.SUBMITTING}
            and not self._is_on_the_wire(known)
        )

    async def _release(self, batch: Sequence[Pending]) -> None:
        """Record that what another account refused before is on no wire."""
        now = self._context.clock.now()
        await self._open.change(
            [
                requeued(one.message, one.refusal, one.refused_by, now, now)
                for one in batch
                if one.refusal is not None and self._is_untried(one)
            ]
        )

    async def _doubt(self, batch: Sequence[Pending], detail: str) -> list[Pending]:
        """Mark what was on its way as in doubt; return the messages that may go on."""
        on_the_wire = [
            one
            for one in batch
            if (known := self._open.get(one.message.id)) is not None
            and self._is_on_the_wire(known)
        ]
        if not on_the_wire:
            return []
        doubt = Uncertain(detail=detail)
        outcomes: Mapping[str, Outcome] = {
            one.message.number: doubt for one in on_the_wire
        }
        result = SendResult(outcomes=outcomes, doubt=doubt)
        return await self._settle(on_the_wire, result, self._dispatch.text)


def outcome_of(message: Message, result: SendResult) -> Outcome:
    """Return what an answer says of a message, which may be one to a group.

    A group of which every number was refused is refused, as a duplicate if any was.
    """
    if message.group is None:
        return result.outcomes.get(message.number, Uncertain(detail="not_in_answer"))
    if (whole := result.refusal or result.doubt) is not None:
        return whole
    listed = list(result.group_outcomes.values())
    refusals = [one for one in listed if isinstance(one, NotSent)]
    if refusals and len(refusals) == len(listed):
        duplicates = (one for one in refusals if one.kind is ErrorKind.DUPLICATE)
        return next(duplicates, refusals[0])
    return Accepted(provider_id=message.submission)
