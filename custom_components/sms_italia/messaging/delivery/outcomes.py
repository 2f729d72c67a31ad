"""What an account answered of the messages of one request, and their next state."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ...providers import (
    Accepted,
    Cause,
    ErrorKind,
    MessageType,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)
from ..account import Account
from ..clock import Moment
from ..ledger import LedgerUnreadableError, Query
from ..model import Message
from ..state import (
    CredentialsRefused,
    CreditChanged,
    CreditProved,
    CreditReported,
    HttpsRequired,
    OpenMessages,
    SendAccepted,
    WaitRequested,
)
from ..state.transitions import accepted, arrived_before, divided, refused, uncertain
from .context import DeliveryContext, Pending
from .retry_rules import Again, same_account_again

_REPEATED_WITHIN = 86_400
"""Seconds in which a provider refuses the same text as a repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Gives the messages of a request to `account` what it answered of each.

    `requested` is the account that was asked to send.
    """

    context: DeliveryContext
    account: Account
    requested: Account

    async def apply(
        self, batch: Sequence[Pending], outcomes: Sequence[Outcome], result: SendResult
    ) -> None:
        """Record what is settled; the other messages may go on along their route.

        What was accepted is recorded before the ledger is asked about duplicates: no
        fault there may change it.
        """
        settled: list[Message] = []
        # One moment for all: what waits is tried again in one request.
        now = self.context.clock.moment()
        for one, outcome in zip(batch, outcomes, strict=True):
            if one.message.group is not None and _is_divided(outcome, result):
                one.is_settled = True
                await settle_group(
                    self.context.open_messages,
                    self.account,
                    one.message,
                    result.group_outcomes,
                    now,
                )
            elif (message := self._settled(one, outcome, result.mode, now)) is not None:
                one.is_settled = True
                settled.append(message)
        await self._record(settled)
        arrived = [one for one in batch if await self._has_arrived_before(one)]
        now = self.context.clock.moment()
        for one in arrived:
            one.is_settled = True
        await self._record([arrived_before(one.message, now) for one in arrived])

    def _settled(
        self, one: Pending, outcome: Outcome, mode: Mode | None, now: Moment
    ) -> Message | None:
        """Return a message that is settled; None for one that may go on."""
        account = self.account
        match outcome:
            case Accepted():
                return accepted(one.message, account, outcome, mode, now)
            case Uncertain() if self.requested.options.resend_uncertain:
                one.doubt = one.message = uncertain(one.message, account, outcome, now)
            case Uncertain():
                return uncertain(one.message, account, outcome, now)
            case NotSent(kind=kind):
                retry_at = self._retry_at(one.message, kind, now.steady)
                one.refused(account.id, outcome, retry_at)
                if same_account_again(kind) in {Again.REACHED, Again.WAIT_OVER}:
                    one.waits_for.add(account.id)
        return None

    def _retry_at(self, message: Message, kind: ErrorKind, now: float) -> float | None:
        """Return when the account is asked again for a message, None for never."""
        timing = self.context.timing
        wait_until = max(now, self.context.health.of(self.account.id).wait_until)
        match same_account_again(kind):
            case Again.NEVER:
                return None
            case Again.SIGNED_IN:
                return message.expires
            case Again.AFTER_A_PAUSE:
                return max(wait_until, now + timing.no_credit)
            case Again.WAIT_OVER:
                return wait_until
            case Again.REACHED:
                asked_at = min(now, message.dispatch.due)
                pause = timing.next_attempt(now - asked_at)
                return max(wait_until, asked_at + timing.send_anyway, now + pause)

    async def _record(self, settled: Sequence[Message]) -> None:
        """Record messages; one alone is on disk a moment later.

        An alert does not wait until it is on disk: if Home Assistant is killed before,
        it is in doubt, as it is if that happens before the answer comes.
        """
        if len(settled) == 1:
            self.context.open_messages.note(settled)
        else:
            await self.context.open_messages.change(settled)

    async def _has_arrived_before(self, one: Pending) -> bool:
        """Return whether a message refused as a repeat had arrived here before.

        Its text is here already if an earlier request was in doubt, whatever the
        provider said of that one since, unless another message has brought it. Then
        the earlier request can only have been refused as well.
        """
        message = one.message
        if (
            not one.is_duplicate
            or one.is_settled
            or self.account.id not in message.unanswered
        ):
            return False
        query = Query(
            number=message.number,
            text=message.dispatch.text,
            since=self.context.clock.wall() - _REPEATED_WITHIN,
        )
        try:
            found = await self.context.ledger.find_on_the_way(query, message.dispatch)
        except LedgerUnreadableError:
            return True
        return not any(
            self._brought_the_text(other, message) for other in found.messages
        )

    def _brought_the_text(self, other: Message, message: Message) -> bool:
        """Return whether another message brought the same text to the account."""
        return (
            other.id != message.id
            and other.provider_id is not None
            and other.last_account == self.account.id
            and other.text == message.text
            and other.dispatch.options.sender == message.dispatch.options.sender
        )


def _is_divided(outcome: Outcome, result: SendResult) -> bool:
    """Return whether an accepted group gets a message for each of its numbers."""
    return isinstance(outcome, Accepted) and result.mode is not Mode.TEST


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


def outcomes_of(batch: Sequence[Pending], result: SendResult) -> list[Outcome]:
    """Return what an answer says of each message of a request."""
    return [outcome_of(one.message, result) for one in batch]


def without_own_numbers(result: SendResult, numbers: Collection[str]) -> SendResult:
    """Return a result without numbers of a group that have their own message."""
    if not result.group_outcomes:
        return result
    others = {
        number: outcome
        for number, outcome in result.group_outcomes.items()
        if number not in numbers
    }
    return replace(result, group_outcomes=others)


def publish_news(
    context: DeliveryContext,
    account: Account,
    result: SendResult,
    outcomes: Sequence[Outcome],
) -> None:
    """Notify of what an answer with these outcomes says of the account.

    One that has another client by now has other credentials than were answered.
    """
    publish, account_id = context.events.publish, account.id
    current = context.accounts.get(account_id)
    is_current = current is not None and current.client is account.client
    if result.credit is not None:
        publish(CreditReported(account=account_id, balance=result.credit))
    taken = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    if taken:
        if is_current:
            publish(SendAccepted(account=account_id))
        if result.mode is not Mode.TEST:
            _publish_charge(context, account_id, taken)
        return
    match outcomes[0]:
        case NotSent(cause=Cause.UNSUPPORTED | Cause.PICTURE):
            # Our own client refused it; the provider was not even asked.
            pass
        case NotSent(kind=ErrorKind.AUTH) if is_current:
            publish(CredentialsRefused(account=account_id))
        case NotSent(kind=ErrorKind.CREDIT):
            publish(CreditChanged(account=account_id))
            publish(CreditProved(account=account_id, is_enough=False))
        case NotSent(cause=Cause.HTTPS_REQUIRED):
            publish(HttpsRequired(account=account_id))
        case NotSent(retry_after=float() as seconds) if (
            is_current and seconds > context.timing.longest_wait
        ):
            publish(WaitRequested(account=account_id, seconds=seconds))
        case _:
            pass


def _publish_charge(
    context: DeliveryContext, account_id: str, taken: Sequence[Accepted]
) -> None:
    """Notify of what accepted messages say of the credit."""
    context.events.publish(CreditChanged(account=account_id))
    # A Push is paid for by its plan.
    if any(one.type is MessageType.SMS for one in taken):
        context.events.publish(CreditProved(account=account_id, is_enough=True))


async def settle_group(
    open_messages: OpenMessages,
    account: Account,
    message: Message,
    outcomes: Mapping[str, Outcome],
    now: Moment,
) -> None:
    """Close a message to a group that was accepted, and add one for each number.

    `outcomes` has the numbers that are known to be in the group. The message has the
    parts and the cost of them all.
    """
    ids = open_messages.ids
    # Those of the text that was sent, which may have the time behind it.
    parts = message.parts // max(message.size, 1) or message.dispatch.parts
    options = replace(message.dispatch.options, groups=())
    dispatch = replace(message.dispatch, id=next(ids), options=options)
    members = [
        _member(
            replace(
                message,
                id=next(ids),
                dispatch=dispatch,
                number=number,
                parts=parts,
                size=1,
            ),
            account,
            outcome,
            now,
        )
        for number, outcome in outcomes.items()
    ]
    if members:
        # Before anything waits: a report of one may come at any moment.
        open_messages.add(members)
    await asyncio.gather(
        open_messages.change([divided(message, members, now)]),
        open_messages.record(members),
    )


def _member(
    message: Message, account: Account, outcome: Outcome, now: Moment
) -> Message:
    """Return the message to one number of a group after the group's outcome."""
    match outcome:
        case Accepted():
            return accepted(message, account, outcome, None, now)
        case Uncertain():
            return uncertain(message, account, outcome, now)
        case NotSent():
            return replace(
                refused(message, outcome, account.id, now),
                submission=message.submission,
            )
