"""Withdrawing what an account has not sent yet when it is removed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
import logging

from ...providers import Cancelling, Feature, MessageRef, ProviderError
from ..account import Account
from ..delivery import DeliveryContext
from ..model import Message, Stage
from ..state.transitions import cancelled

_LOGGER = logging.getLogger(__name__)

_HERE = frozenset({Stage.WAITING, Stage.HELD})
_AT_PROVIDER = frozenset({Stage.ACCEPTED, Stage.IN_DOUBT})


class Removal:
    """Cancels what waits of an account that is removed, here and at providers.

    Each message is an event as any cancelled one, and the log says how many they are:
    the ledger forgets them next.
    """

    def __init__(self, context: DeliveryContext) -> None:
        """Withdraw messages of whichever account is removed."""
        self._accounts = context.accounts
        self._open = context.open_messages
        self._clock = context.clock
        self._longest = context.timing.answer

    async def withdraw(self, account: Account) -> None:
        """Cancel what waits of an account, asking providers for a moment at most.

        What an escalation calls is left to it.
        """
        of_account = [one for one in self._open if one.dispatch.account == account.id]
        waiting = [one for one in of_account if one.stage in _HERE]
        await self._close([one for one in waiting if one.dispatch.run is None])
        now = self._clock.now()
        scheduled = [
            one
            for one in of_account
            if one.stage in _AT_PROVIDER and one.dispatch.is_early(now)
        ]
        stopped = await self._stop(account, scheduled)
        await self._close(stopped)
        if waiting or scheduled:
            _LOGGER.warning(
                "%s was removed: of its messages %d that waited are not sent, %d that"
                " were scheduled were cancelled at their provider, and %d may still be"
                " sent by it",
                account.name,
                len(waiting),
                len(stopped),
                len(scheduled) - len(stopped),
            )

    async def _stop(
        self, account: Account, scheduled: Sequence[Message]
    ) -> list[Message]:
        """Ask the providers of messages to cancel them; return those that they did."""
        stopped: list[Message] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(self._longest):
                for id_, some in groupby(sorted(scheduled, key=_holder), _holder):
                    holder = account if id_ == account.id else self._accounts.get(id_)
                    if holder is not None and holder.has(Feature.CANCEL):
                        stopped += await _cancelled_by(holder, list(some))
        return stopped

    async def _close(self, messages: Sequence[Message]) -> None:
        now = self._clock.moment()
        await self._open.change([cancelled(one, now) for one in messages])


def _holder(message: Message) -> str:
    """Return the ID of the account whose provider has a message."""
    return message.last_account or ""


async def _cancelled_by(account: Account, messages: Sequence[Message]) -> list[Message]:
    """Ask an account's provider to cancel messages; return those that it did cancel."""
    refs = {
        MessageRef(one.provider_id, one.number): one
        for one in messages
        if one.provider_id is not None
    }
    try:
        answers = await account.client.cancel(list(refs))
    except ProviderError:
        return []
    return [
        refs[one.ref]
        for one in answers
        if one.result is Cancelling.CANCELLED and one.ref in refs
    ]
