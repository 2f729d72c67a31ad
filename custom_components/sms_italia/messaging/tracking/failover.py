"""After an account had accepted a message: once more, by the next accounts."""

from collections.abc import Sequence
from dataclasses import replace

from ...providers import ErrorKind, Status
from ..compose import has_room, new_message
from ..delivery import DeliveryContext, Outbox, accounts_after
from ..errors import RequestRefusedError
from ..model import Message, Stage
from ..state import Change


class Failover:
    """Sends again what a provider did not send after all.

    And what a report called failed, if the user chose that.
    """

    def __init__(self, context: DeliveryContext, outbox: Outbox) -> None:
        """Follow the messages that are closed."""
        self._context = context
        self._outbox = outbox
        context.open_messages.subscribe(self._on_closed, Stage.CLOSED)

    def _on_closed(self, changes: Sequence[Change]) -> None:
        """Begin for each that a provider had accepted; not for what was cancelled."""
        for change in changes:
            message = change.after
            route = accounts_after(message.dispatch.route, message.last_account)
            if _has_failed_there(change) and route:
                self._context.tasks.spawn(self._send_again(message, route), "failover")

    async def _send_again(self, message: Message, route: Sequence[str]) -> None:
        """Send a failed message as a new one, by the accounts of a route."""
        try:
            account = await self._context.accounts.wait_for(message.dispatch.account)
        except RequestRefusedError:
            return
        now = self._context.clock.moment()
        # An error is a refusal: nothing left.
        is_refused = message.error is not None
        is_wanted = is_refused or account.options.failover_on_failed_delivery
        route = [one for one in route if self._has_room(one, message.dispatch.parts)]
        if not is_wanted or not route or now.steady >= message.dispatch.expires:
            return
        ids = self._context.open_messages.ids
        dispatch = replace(message.dispatch, id=next(ids), route=tuple(route))
        again = new_message(dispatch, next(ids), message.number, message.recipient, now)
        self._context.open_messages.add([again])
        self._outbox.deliver([again])

    def _has_room(self, account_id: str, parts: int) -> bool:
        """Return whether an account may send so many parts more today."""
        account = self._context.accounts.get(account_id)
        committed = self._context.open_messages.committed_parts(account_id)
        return account is None or has_room(account, committed, parts)


def _has_failed_there(change: Change) -> bool:
    """Return whether a provider had accepted a message, or may have, and it failed."""
    before, after = change.before, change.after
    return (
        before is not None
        and before.stage in {Stage.ACCEPTED, Stage.IN_DOUBT}
        and after.status is Status.FAILED
        and after.error is not ErrorKind.CANCELLED
    )
