"""One request to one account: recorded, made, and its outcomes handed on."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import batched
import logging
import secrets
import uuid

from ...providers import (
    ErrorKind,
    Feature,
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
from ..ledger import Ledger, SubmissionIntent
from ..model import Dispatch, Message, Stage, TextEncoding
from ..state import Events, OpenMessages
from ..state.transitions import requeued, submitted
from .health import AccountHealth, Timing
from .outcomes import Pending, Settlement, outcome_of

_LOGGER = logging.getLogger(__name__)

_REQUESTS_AT_ONCE = 32
"""Requests on the wire to one account; more would only queue at the provider."""


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
        self._round_began = round_began
        self._settlement = Settlement(
            open_messages=context.open_messages,
            ledger=context.ledger,
            clock=context.clock,
            health=context.health,
            account=account,
            requested=requested,
            numbers=numbers,
        )

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
        """Return the messages in as few requests as possible: each has one text.

        Each group has its own.
        """
        numbers: dict[str, list[Pending]] = {}
        groups = [one for one in pending if one.message.group is not None]
        for one in pending:
            if one.message.group is None:
                numbers.setdefault(one.message.text, []).append(one)
        size = self._account.provider.capabilities.recipients_per_submission
        return [
            *(
                batch
                for of_text in numbers.values()
                for batch in batched(of_text, size, strict=False)
            ),
            *batched(groups, 1, strict=False),
        ]

    async def submit(
        self, batch: Sequence[Pending], text: str | None = None
    ) -> list[Pending]:
        """Make one request; return the messages that may go on along their route.

        `text` is another one than that of the messages. Raises nothing but
        CancelledError: after a fault of ours, what was on its way is in doubt.
        """
        text = text or batch[0].message.text
        try:
            async with self._context.slot(self._account.id):
                reference = await self._new_reference()
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
            or now >= max(one.message.expires for one in batch)
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
        now = self._context.clock.moment()
        for one in batch:
            one.unanswered_before = one.message.unanswered
            one.message = submitted(one.message, self._account, reference, text, now)
        return SubmissionIntent(
            reference=reference,
            dispatch=self._dispatch.id,
            account=self._account.id,
            created=now.wall,
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
            send_at=datetime.fromtimestamp(options.send_at, UTC)
            if is_early and options.send_at
            else None,
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
        result = self._settlement.without_own_numbers(result)
        outcomes = [outcome_of(one.message, result) for one in batch]
        for one, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, NotSent):
                one.message = replace(one.message, unanswered=one.unanswered_before)
        self._context.health.learn(self._account.id, result, outcomes)
        whole = result.refusal
        if whole and whole.kind is ErrorKind.RECIPIENT and len(batch) > 1:
            # One bad number got all refused, and nothing was sent: split them.
            half = len(batch) // 2
            return [
                *await self.submit(batch[:half], text),
                *await self.submit(batch[half:], text),
            ]
        return await self._settlement.apply(batch, outcomes, result)

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
        now = self._context.clock.moment()
        await self._open.change(
            [
                requeued(one.message, one.refusal, one.refused_by, now.steady, now)
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
