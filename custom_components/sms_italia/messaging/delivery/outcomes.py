"""What an account answered of the messages of one request, and their next state."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...providers import (
    Accepted,
    ErrorKind,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)
from ..account import Account
from ..clock import Clock, Moment
from ..ledger import Ledger, LedgerUnreadableError, Query
from ..model import Message
from ..state import OpenMessages
from ..state.transitions import accepted, arrived_before, divided, refused, uncertain
from .health import AccountHealth
from .retry_rules import another_account_may_help, time_may_help

_REPEATED_WITHIN = 86_400
"""Seconds in which a provider refuses the same text as a repeat."""


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

    @property
    def may_be_marked(self) -> bool:
        """Return whether it was refused as a repeat, and is sent marked, once."""
        return self.is_duplicate and self.message.marked_text is None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Gives the messages of a request to `account` what it answered of each.

    `requested` is the account that was asked to send. `numbers` have messages of their
    own in the dispatch.
    """

    open_messages: OpenMessages
    ledger: Ledger
    clock: Clock
    health: AccountHealth
    account: Account
    requested: Account
    numbers: frozenset[str]

    async def apply(
        self, batch: Sequence[Pending], outcomes: Sequence[Outcome], result: SendResult
    ) -> list[Pending]:
        """Record what is settled; return the messages that may go on.

        What was accepted is recorded before the ledger is asked about duplicates: no
        fault there may change it.
        """
        settled: list[Message] = []
        left: list[Pending] = []
        for one, outcome in zip(batch, outcomes, strict=True):
            if one.message.group is not None and _is_divided(outcome, result):
                await settle_group(
                    self.open_messages,
                    self.account,
                    one.message,
                    result.group_outcomes,
                    self.clock.moment(),
                )
            elif (message := self._settled(one, outcome, result.mode)) is not None:
                settled.append(message)
            else:
                left.append(one)
        await self._record(settled)
        arrived = [one for one in left if await self._has_arrived_before(one)]
        now = self.clock.moment()
        await self._record([arrived_before(one.message, now) for one in arrived])
        return [one for one in left if one not in arrived]

    def without_own_numbers(self, result: SendResult) -> SendResult:
        """Return a result without numbers of a group that have their own message."""
        if not result.group_outcomes:
            return result
        others = {
            number: outcome
            for number, outcome in result.group_outcomes.items()
            if number not in self.numbers
        }
        return replace(result, group_outcomes=others)

    def _settled(
        self, one: Pending, outcome: Outcome, mode: Mode | None
    ) -> Message | None:
        """Return a message that is settled; None for one that may go on."""
        now, account = self.clock.moment(), self.account
        match outcome:
            case Accepted():
                return accepted(one.message, account, outcome, mode, now)
            case Uncertain() if self.requested.options.resend_uncertain:
                # What an account before this one refused as a repeat is another.
                one.is_duplicate = False
                one.doubt = one.message = uncertain(one.message, account, outcome, now)
            case Uncertain():
                return uncertain(one.message, account, outcome, now)
            case NotSent(kind=kind):
                retry_at = None
                if time_may_help(kind):
                    retry_at = self.health.open_until(account.id) or now.steady
                one.refused(account.id, outcome, retry_at)
        return None

    async def _record(self, settled: Sequence[Message]) -> None:
        """Record messages; one alone is on disk a moment later.

        An alert does not wait until it is on disk: if Home Assistant is killed before,
        it is in doubt, as it is if that happens before the answer comes.
        """
        if len(settled) == 1:
            self.open_messages.note(settled)
        else:
            await self.open_messages.change(settled)

    async def _has_arrived_before(self, one: Pending) -> bool:
        """Return whether a message refused as a repeat had arrived here before.

        Its text is here already if an earlier request was in doubt, whatever the
        provider said of that one since, unless another message has brought it. Then
        the earlier request can only have been refused as well.
        """
        message = one.message
        if not one.is_duplicate or self.account.id not in message.unanswered:
            return False
        query = Query(
            number=message.number,
            text=message.dispatch.text,
            since=self.clock.wall() - _REPEATED_WITHIN,
        )
        try:
            found = await self.ledger.find(query)
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
    options = replace(message.dispatch.options, groups=())
    dispatch = replace(message.dispatch, id=next(ids), options=options)
    members = [
        _member(
            replace(
                message,
                id=next(ids),
                dispatch=dispatch,
                number=number,
                parts=dispatch.parts,
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
