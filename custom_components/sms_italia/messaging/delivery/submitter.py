"""One request to one account: recorded, made, and its outcomes applied."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import batched
import logging

from ...providers import (
    Accepted,
    ErrorKind,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)
from ..account import Account
from ..compose import daily_limit
from ..health import AccountHealth, Admission, Condition, Rank, Turn
from ..ledger import SubmissionIntent
from ..model import Message, Stage
from ..state.transitions import requeued, submitted
from .context import DeliveryContext, Pending
from .outcomes import Settlement, outcomes_of, publish_news, without_own_numbers
from .retry_rules import Choice
from .submission import marked_text, new_reference, new_submission, parts_of

_LOGGER = logging.getLogger(__name__)


class Submitter:
    """Submits messages of one dispatch to one account of its route."""

    def __init__(
        self,
        context: DeliveryContext,
        choice: Choice,
        account: Account,
        *,
        numbers: frozenset[str],
        rank: Rank,
    ) -> None:
        """Submit to `account`; `numbers` have messages of their own in the dispatch."""
        self._context = context
        self._choice = choice
        self._dispatch = choice.dispatch
        self._requested = choice.requested
        self._account = account
        self._numbers = numbers
        self._rank = rank
        self._open = context.open_messages
        self._turns = context.turns(account.id)

    @property
    def _health(self) -> AccountHealth:
        """The health of the account, which begins anew with other credentials."""
        return self._context.health.of(self._account.id)

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

    def repeat_text(self, duplicates: Sequence[Pending]) -> str | None:
        """Return the text to send again where it was refused as a duplicate.

        None if there is nothing to repeat, or if it may not be.
        """
        if not duplicates or not self._account.options.repeat_marker:
            return None
        most = min(self._account.max_parts, self._requested.max_parts)
        text = marked_text(self._dispatch, self._context.clock.local_time(), most)
        if text is not None:
            for one in duplicates:
                parts = parts_of(text) * one.message.size
                one.message = replace(one.message, parts=parts)
        return text

    async def submit(self, batch: Sequence[Pending], text: str | None = None) -> None:
        """Make one request for messages when it is their turn, and settle them.

        `text` is another one than that of the messages. Raises nothing but
        CancelledError: after a fault of ours, what was on its way is in doubt.
        """
        text = text or batch[0].message.text
        try:
            with self._turns.join(self._rank, _lines(batch)) as turn:
                while await self._is_admitted(turn, batch):
                    account = self._account
                    health = self._context.health.of(account.id)
                    with health.sending() as sending:
                        reference = await new_reference(
                            self._context, self._dispatch, account
                        )
                        # From here until the intent is recorded nothing else runs.
                        batch = self._wanted(batch)
                        if not batch:
                            return
                        intent = self._start(batch, reference, text)
                        messages = [one.message for one in batch]
                        await self._record(messages, intent, turn)
                        sending.begin()
                        self._turns.begin(turn)
                        result = await account.client.send(
                            new_submission(
                                messages,
                                reference,
                                text,
                                account=account,
                                requested=self._requested,
                                now=self._context.clock.now(),
                            )
                        )
                        result = without_own_numbers(result, self._numbers)
                        sending.outcomes = outcomes_of(batch, result)
                    if not result.refusal or not self._is_outdated(account, result):
                        break
                    # Before it is the turn of others, which must not overtake these.
                    for one in batch:
                        before = one.unanswered_before
                        one.message = replace(one.message, unanswered=before)
                else:
                    return
            await self._settle(batch, result, text, account)
        except asyncio.CancelledError:
            await asyncio.shield(self._release(batch))
            await asyncio.shield(self._doubt(batch, "interrupted"))
            raise
        except Exception as err:  # noqa: BLE001 - a fault of ours must not lose messages
            # The exception itself may carry what must not be logged.
            _LOGGER.error("Sending failed: %s", type(err).__name__)  # noqa: TRY400 - same reason
            await self._recover(batch, type(err).__name__)

    async def _record(
        self, messages: Sequence[Message], intent: SubmissionIntent, turn: Turn
    ) -> None:
        """Record messages as submitted, before the request.

        The first submission of messages that stand nowhere is on disk a moment later:
        if the power fails until then, nothing of them is left that could be sent again.
        """
        if turn.came_at_once and self._open.stands_nowhere(messages):
            await self._open.commit(messages, [intent])
        else:
            await self._open.change(messages, [intent])

    def _is_outdated(self, account: Account, result: SendResult) -> bool:
        """Return whether credentials were refused that have been replaced meanwhile."""
        current = self._context.accounts.get(account.id)
        if current is None or current.client is account.client:
            return False
        return result.refusal is not None and result.refusal.kind is ErrorKind.AUTH

    async def _is_admitted(self, turn: Turn, batch: Sequence[Pending]) -> bool:
        """Return whether the account is asked; if so, it is the messages' turn."""
        is_probed = False
        while self._is_worth_it(batch):
            match self._choice.admission(self._account.id, batch):
                case Admission.SEND if turn.is_granted:
                    return True
                case Admission.SEND | Admission.PROBE if refused := self._refused(
                    batch
                ):
                    # It may wait for long: after a kill, it must not seem to be on the
                    # wire to the account that refused it.
                    await self._release(refused)
                case Admission.SEND:
                    await turn.next_news()
                case Admission.WAIT if self._health.is_being_tried:
                    # Its answer lets this one go in its order, or makes it wait.
                    await turn.next_news()
                case Admission.PROBE if not is_probed:
                    is_probed, turn.came_at_once = True, False
                    await self._context.prober.probe(self._account.id)
                case Admission.LEAVE:
                    for one in batch:
                        one.asked.discard(self._account.id)
                    return False
                case Admission.PROBE | Admission.WAIT:
                    self._put_off(batch)
                    return False
        return False

    def _is_worth_it(self, batch: Sequence[Pending]) -> bool:
        """Return whether messages can still be sent here; if not, they say why."""
        account = self._context.accounts.get(self._account.id)
        if account is None:
            self._keep_waiting(batch, "not_loaded")
            return False
        # It may have been replaced while they waited for their turn.
        self._account = account
        now = self._context.clock.now()
        late = [one for one in batch if now >= one.message.expires]
        self._keep_waiting(late, "no_turn")
        return len(late) < len(batch)

    def _keep_waiting(self, batch: Sequence[Pending], detail: str) -> None:
        """Let messages wait if there is time left; if not, they expire."""
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=detail)
        now = self._context.clock.now()
        for one in batch:
            one.refused(self._account.id, refusal, now)

    def _put_off(self, batch: Sequence[Pending]) -> None:
        """Let messages wait for the account, which is not asked now."""
        account_id, now = self._account.id, self._context.clock.now()
        for one in batch:
            retry_at = self._choice.retry_at(account_id, one.message, now)
            one.refused(account_id, self._health.refusal, retry_at)
            one.waits_for.add(account_id)

    def _wanted(self, batch: Sequence[Pending]) -> list[Pending]:
        """Return what is neither changed nor late, as far as the limit allows it."""
        wanted: list[Pending] = []
        now = self._context.clock.now()
        for one in batch:
            known = self._open.get(one.message.id)
            if self._dispatch.id in self._context.withdrawn:
                continue
            if known is None or known.revision > one.message.revision:
                one.is_settled = True
            elif now >= one.message.expires:
                self._keep_waiting([one], "no_turn")
            else:
                wanted.append(one)
        return self._within_limit(wanted)

    def _within_limit(self, batch: Sequence[Pending]) -> list[Pending]:
        """Return those for which the account's own daily limit has room, in order.

        The others are refused.
        """
        limit = daily_limit(self._account, self._dispatch.run)
        if not limit:
            return list(batch)
        room = limit - self._open.committed_parts(self._account.id)
        within: list[Pending] = []
        for one in batch:
            parts = self._uncounted_parts(one)
            if parts <= max(room, 0):
                room -= parts
                within.append(one)
            else:
                refusal = NotSent(kind=ErrorKind.REFUSED, detail="daily_limit")
                one.refused(self._account.id, refusal)
        return within

    def _uncounted_parts(self, one: Pending) -> int:
        """Return the parts of a message that the account's limit does not count yet.

        At the first account of the route, only what a text became longer since its
        request; of a second attempt elsewhere, only what the first had not.
        """
        if self._account.id == self._dispatch.route[0]:
            return one.message.parts - self._dispatch.parts * one.message.size
        known = self._on_the_wire(one)
        return one.message.parts - (0 if known is None else known.parts)

    def _on_the_wire(self, one: Pending) -> Message | None:
        """Return a message of which a request to the account is open."""
        known = self._open.get(one.message.id)
        is_there = (
            known is not None
            and known.stage is Stage.SUBMITTING
            and known.last_account == self._account.id
        )
        return known if is_there else None

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

    async def _settle(
        self,
        batch: Sequence[Pending],
        result: SendResult,
        text: str,
        account: Account,
    ) -> None:
        """Apply the answer of `account`; what is not settled may go on."""
        outcomes = outcomes_of(batch, result)
        publish_news(self._context, account, result, outcomes)
        _log(account, outcomes)
        self._learn_pace(outcomes)
        for one, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, NotSent):
                one.message = replace(one.message, unanswered=one.unanswered_before)
        if len(batch) > 1 and self._is_split(result.refusal):
            # Nothing was sent: some of them may be accepted without the others.
            half = len(batch) // 2
            await self.submit(batch[:half], text)
            if self._has_nothing_left(batch[:half], result.refusal):
                batch, outcomes = batch[half:], outcomes[half:]
            else:
                await self.submit(batch[half:], text)
                return
        settlement = Settlement(
            context=self._context, account=account, requested=self._requested
        )
        await settlement.apply(batch, outcomes, result)

    def _is_split(self, whole: NotSent | None) -> bool:
        """Return whether a refused request is made again in two halves.

        One bad number may have got all refused. So may a credit that is enough for
        some: calls that left together must not spoil each other.
        """
        if whole is None:
            return False
        is_small = self._rank is Rank.SMALL
        return whole.kind is ErrorKind.RECIPIENT or (
            whole.kind is ErrorKind.CREDIT and is_small
        )

    def _has_nothing_left(self, half: Sequence[Pending], whole: NotSent | None) -> bool:
        """Return whether a credit was not enough for any message of a half."""
        is_credit = whole is not None and whole.kind is ErrorKind.CREDIT
        return is_credit and not any(one.is_settled for one in half)

    def _learn_pace(self, outcomes: Sequence[Outcome]) -> None:
        """Draw from an answer how fast the provider accepts a bulk."""
        if any(isinstance(outcome, Accepted) for outcome in outcomes):
            self._turns.pace.accepted()
        elif self._health.condition is Condition.THROTTLED:
            self._turns.pace.throttled(self._health.wait_until)

    async def _recover(self, batch: Sequence[Pending], detail: str) -> None:
        """Go on after a fault of ours.

        What was on its way is in doubt; what had its outcome keeps it.
        """
        retry_at = self._context.clock.now() + self._context.timing.first_pause
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=detail)
        for one in batch:
            if self._is_untried(one):
                one.refused(self._account.id, refusal, retry_at)
        await self._doubt(batch, detail)

    def _is_untried(self, one: Pending) -> bool:
        """Return whether a message is open, and no request to the account is."""
        known = self._open.get(one.message.id)
        return (
            known is not None
            and known.stage in {Stage.WAITING, Stage.SUBMITTING}
            and self._on_the_wire(one) is None
        )

    def _refused(self, batch: Sequence[Pending]) -> list[Pending]:
        """Return what is on record as on the wire to an account that refused it."""
        return [
            one
            for one in batch
            if one.message.stage is Stage.SUBMITTING
            and one.refusal is not None
            and one.doubt is None
            and self._is_untried(one)
        ]

    async def _release(self, batch: Sequence[Pending]) -> None:
        """Record that what another account refused before is on no wire."""
        now = self._context.clock.moment()
        released: list[Message] = []
        for one in batch:
            if one.refusal is not None and self._is_untried(one):
                one.message = requeued(
                    one.message, one.refusal, one.refused_by, now.steady, now
                )
                released.append(one.message)
        await self._open.change(released)

    async def _doubt(self, batch: Sequence[Pending], detail: str) -> None:
        """Mark what was on its way as in doubt."""
        on_the_wire = [one for one in batch if self._on_the_wire(one) is not None]
        if not on_the_wire:
            return
        doubt = Uncertain(detail=detail)
        outcomes = {one.message.number: doubt for one in on_the_wire}
        result = SendResult(outcomes=outcomes, doubt=doubt)
        await self._settle(on_the_wire, result, self._dispatch.text, self._account)


def _log(account: Account, outcomes: Sequence[Outcome]) -> None:
    """Log why messages were not accepted, or may have been: each reason once."""
    for outcome in dict.fromkeys(outcomes):
        match outcome:
            case NotSent(kind=kind, detail=detail):
                _LOGGER.debug("%s: not sent: %s (%s)", account.name, kind, detail)
            case Uncertain(detail=detail):
                _LOGGER.debug("%s: uncertain (%s)", account.name, detail)
            case Accepted():
                pass


def _lines(batch: Sequence[Pending]) -> list[str]:
    """Return what messages wait in line for: their numbers.

    What was submitted before has a line of its own: it holds up nothing new.
    """
    return [
        f"again {one.message.number}" if one.message.attempts else one.message.number
        for one in batch
    ]
