"""Saying in the log that messages wait because no account can be reached."""

from collections.abc import Sequence
import logging

from ...providers import ErrorKind
from ..delivery import DeliveryContext
from ..model import Message, Stage
from ..state import Change

_LOGGER = logging.getLogger(__name__)


class Outages:
    """Logs once when an outage begins to hold up messages, and once when it is over.

    It begins when a message waits since no account of its route can be reached, and is
    over when a provider accepts a message, or answers while none waits.
    """

    def __init__(self, context: DeliveryContext) -> None:
        """Follow all messages."""
        self._accounts = context.accounts
        self._open = context.open_messages
        self._lasting: set[str] = set()
        self._open.subscribe(self._on_waiting, Stage.WAITING)
        self._open.subscribe(self._on_accepted, Stage.ACCEPTED, Stage.CLOSED)

    def answered(self, account_id: str) -> None:
        """End the outages whose messages have all expired: an account answers."""
        if not self._lasting:
            return
        held_up = {
            one.dispatch.account for one in self._open.waiting if _is_held_up(one)
        }
        for lasting in self._lasting - held_up:
            account = self._accounts.get(lasting)
            if account is not None and account_id in account.route:
                self._end(lasting)

    def stop(self) -> None:
        """Forget all outages: the next start finds out what lasts."""
        self._lasting.clear()

    def _on_waiting(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.before is not None and _is_held_up(change.after):
                self._begin(change.after.dispatch.account)

    def _on_accepted(self, changes: Sequence[Change]) -> None:
        for change in changes:
            is_answer = change.before and change.before.stage is Stage.SUBMITTING
            if is_answer and not change.after.may_be_resent:
                self._end(change.after.dispatch.account)

    def _begin(self, account_id: str) -> None:
        account = self._accounts.get(account_id)
        if account_id not in self._lasting and account is not None:
            self._lasting.add(account_id)
            _LOGGER.warning(
                "%s: messages wait, because neither the account nor a fallback"
                " account can be reached",
                account.name,
            )

    def _end(self, account_id: str) -> None:
        account = self._accounts.get(account_id)
        if account_id in self._lasting and account is not None:
            self._lasting.discard(account_id)
            _LOGGER.warning("%s: messages are sent again", account.name)


def _is_held_up(message: Message) -> bool:
    """Return whether a message was tried in vain, as no account could be reached.

    One that waits for its turn at the next account is looked at all the time.
    """
    is_put_off = (message.attempt_at or 0) > message.changed_at
    return is_put_off and message.error is ErrorKind.UNAVAILABLE
