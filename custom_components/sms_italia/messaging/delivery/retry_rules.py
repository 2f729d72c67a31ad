"""Which account is asked next for a message, and when the same one again.

Whatever certainly was not sent goes on along its route: another account may reach the
number, and may take the text.

The other cases are decided where they come up: `Settlement._settled` and
`Choice._may_go` (uncertain), `Tracker._look_up` (never arrived), `failover.py`
(reported as failed), `Submitter.repeat_text` (duplicate). All rules and their reasons:
docs/development/decisions.md 1.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from ...providers import ErrorKind
from ..account import Account
from ..health import Admission, Condition, Need, admission, is_better
from ..model import Message
from .context import DeliveryContext, Pending


class Again(StrEnum):
    """When the same account is asked again for a message that it refused."""

    NEVER = "never"
    SIGNED_IN = "after reauthentication"
    AFTER_A_PAUSE = "every 5 minutes"
    WAIT_OVER = "when its wait is over"
    REACHED = "when it answers"


def same_account_again(kind: ErrorKind) -> Again:
    """Return when the same account may accept a message refused for this reason."""
    match kind:
        case ErrorKind.AUTH:
            return Again.SIGNED_IN
        case ErrorKind.CREDIT:
            return Again.AFTER_A_PAUSE
        case ErrorKind.THROTTLED:
            return Again.WAIT_OVER
        case ErrorKind.UNAVAILABLE:
            return Again.REACHED
        case (
            ErrorKind.RECIPIENT
            | ErrorKind.SENDER
            | ErrorKind.TEXT
            | ErrorKind.DUPLICATE
            | ErrorKind.REFUSED
            | ErrorKind.CANCELLED
        ):
            return Again.NEVER


def accounts_after(route: Sequence[str], account_id: str | None) -> tuple[str, ...]:
    """Return the accounts of a route that come after the one that got a message."""
    if account_id not in route:
        return ()
    return tuple(route[route.index(account_id) + 1 :])


_BY_URGENCY = (Need.ONLY_TRY, Need.OVERDUE, Need.NEW, Need.WAITING)


class Choice:
    """Decides for messages of a dispatch, by the health of the accounts."""

    def __init__(self, context: DeliveryContext, messages: Iterable[Message]) -> None:
        """Decide for open messages of a dispatch whose account is attached."""
        messages = tuple(messages)
        self._context = context
        self.dispatch = messages[0].dispatch
        self.requested: Account = context.accounts[self.dispatch.account]
        needs = {self._need(message) for message in messages}
        self._most_needed = next(one for one in _BY_URGENCY if one in needs)

    def next(self, left: Sequence[Pending]) -> tuple[str, list[Pending]] | None:
        """Return the account to ask now, and for which messages; None at the end."""
        for account_id in self.dispatch.route:
            pending = [one for one in left if self._may_go(account_id, one)]
            if pending and self.admission(account_id, pending) is not Admission.LEAVE:
                return account_id, pending
        return None

    def admission(self, account_id: str, pending: Sequence[Pending]) -> Admission:
        """Return what is done with messages at an account now."""
        health = self._context.health.of(account_id)
        condition = health.condition
        if condition is Condition.HEALTHY:
            return Admission.SEND
        return admission(
            condition,
            health.open_request,
            self._most_needed,
            has_better=self._has_better(account_id, condition, pending),
        )

    def retry_at(self, account_id: str, message: Message, now: float) -> float:
        """Return when a message is tried again that an account is not asked for now."""
        timing = self._context.timing
        health = self._context.health.of(account_id)
        if health.condition is Condition.THROTTLED:
            return health.wait_until
        asked_at = min(now, self.dispatch.due)
        moment = message.attempt_at or now + timing.next_attempt(now - asked_at)
        if message.attempts == 0:
            moment = asked_at + timing.send_anyway
        return moment if moment > now else now + timing.unanswered

    def _need(self, message: Message) -> Need:
        """Return how much a message needs to go now."""
        now, timing = self._context.clock.now(), self._context.timing
        due = self.dispatch.due
        if message.attempts:
            is_overdue = (message.attempt_at or now) <= now
            return Need.OVERDUE if is_overdue else Need.WAITING
        has_time = self.requested.options.retry_for > timing.send_anyway
        is_last_chance = now >= message.expires - timing.last_chance
        if due <= now and (is_last_chance or not has_time):
            return Need.ONLY_TRY
        is_overdue = now >= due + timing.send_anyway
        return Need.OVERDUE if is_overdue else Need.NEW

    def _has_better(
        self, account_id: str, condition: Condition, pending: Sequence[Pending]
    ) -> bool:
        """Return whether another account of the route is to be asked before."""
        return any(
            other != account_id
            and other in self._context.accounts
            and is_better(self._context.health.of(other).condition, condition)
            and any(self._may_go(other, one) for one in pending)
            for other in self.dispatch.route
        )

    def _may_go(self, account_id: str, one: Pending) -> bool:
        """Return whether an account may be asked to accept a message.

        A group is one of the account that was asked, and means nothing elsewhere. An
        account before the one where the message was last, which may have sent it, is
        never asked again: to resend what is uncertain is for the accounts behind it.
        """
        if one.is_settled or account_id in one.asked:
            return False
        failed_at = one.message.failed_over_from
        if failed_at and account_id not in accounts_after(
            self.dispatch.route, failed_at
        ):
            return False
        if account_id in one.message.unanswered:
            # It may have been sent there, and was resent in spite of that.
            behind = accounts_after(self.dispatch.route, account_id)
            was_resent = one.message.last_account in behind
            if was_resent and self.requested.options.resend_uncertain:
                return False
        is_requested = account_id == self.dispatch.account
        return is_requested or one.message.group is None
