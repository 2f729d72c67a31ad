"""After an account had accepted a message: the same one, by the next accounts."""

from ...providers import ErrorKind, Status
from ..delivery import DeliveryContext, accounts_after
from ..model import FAILOVER, Message
from ..state.transitions import failed_over, not_repeated


class Failover:
    """Decides whether a message that an account had accepted goes on along its route.

    What the provider refused after all does; what a report called failed does once, if
    the user chose that. Until an hour after it would have expired:
    docs/development/decisions.md 1.
    """

    def __init__(self, context: DeliveryContext) -> None:
        """Look at the attached accounts."""
        self._accounts = context.accounts
        self._clock = context.clock

    def after(self, failed: Message) -> Message | None:
        """Return a message that a report or a refusal closed: perhaps queued again.

        None if that cannot be decided yet: the account that was asked is being loaded.
        What the user cancelled stays as it is. What is from a backup may have gone on
        since.
        """
        # An error is a refusal: nothing was sent, so going on costs nothing.
        is_refused = failed.error is not None
        is_over = (
            failed.status is not Status.FAILED
            or failed.error is ErrorKind.CANCELLED
            or (failed.failed_over_from is not None and not is_refused)
        )
        if is_over or not self._is_in_time(failed) or not self._has_next(failed):
            return failed
        account = self._accounts.get(failed.dispatch.account)
        if account is None:
            is_expected = self._accounts.is_expected(failed.dispatch.account)
            return None if is_expected else failed
        if not is_refused and not account.options.failover_on_failed_delivery:
            return failed
        if failed.from_backup:
            return not_repeated(failed, self._clock.moment())
        return failed_over(failed, self._clock.moment())

    def _is_in_time(self, message: Message) -> bool:
        return self._clock.now() < message.dispatch.expires + FAILOVER

    def _has_next(self, message: Message) -> bool:
        """Return whether an account of the route comes after the one that failed."""
        return any(
            account in self._accounts or self._accounts.is_expected(account)
            for account in accounts_after(message.dispatch.route, message.last_account)
        )
