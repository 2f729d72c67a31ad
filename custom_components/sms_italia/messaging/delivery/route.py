"""The one way of a dispatch's messages to the wire: account after account."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import logging

from ...providers import ErrorKind, Feature, NotSent
from ..account import Account
from ..health import AccountHealth, Rank
from ..model import Message
from ..state.transitions import (
    expired,
    refused,
    requeued,
    scheduled,
    still_in_doubt,
)
from .context import DeliveryContext, Pending
from .retry_rules import Choice
from .submitter import Submitter

_LOGGER = logging.getLogger(__name__)

_SOON = 120
"""Seconds before its time from which a message is scheduled nowhere, and waits here.

When the request arrives, or by the provider's clock, its time might be past.
"""


class Route:
    """Sends messages of one dispatch: by the account that was asked, then fallbacks."""

    def __init__(self, context: DeliveryContext, messages: Sequence[Message]) -> None:
        """Send open messages of a dispatch whose account is attached."""
        self._context = context
        self.messages = messages
        self._dispatch = messages[0].dispatch
        self._choice = Choice(context, messages)
        self._left: list[Pending] = []
        self._asked: dict[str, AccountHealth] = {}

    def recovered(self) -> list[str]:
        """Return the accounts that may accept now what they did not on the way.

        Each has recovered since, or was attached anew.
        """
        health = self._context.health
        waited_for = {id_ for one in self._left for id_ in one.waits_for}
        return [
            account_id
            for account_id, asked in self._asked.items()
            if health.of(account_id) is not asked
            or (account_id in waited_for and asked.is_answering)
        ]

    async def run(self) -> None:
        """Ask each account in its turn; what none accepted waits, or has failed.

        It may be sent again while that is still being recorded, or what is asked for
        later would overtake it.
        """
        self._left = [Pending(message) for message in self.messages]
        with self._in_progress():
            try:
                while (step := self._choice.next(self._left)) is not None:
                    account_id, pending = step
                    if self._is_waited_for(account_id, pending):
                        break
                    await self._ask(account_id, pending)
                    self._left = [one for one in self._left if not one.is_settled]
            except Exception as err:  # noqa: BLE001 - no message may be left alone
                self._put_off(self._left, type(err).__name__)
            ended = [self._ended(one) for one in self._left]
            change = self._context.open_messages.change(ended)
            recording = self._context.tasks.spawn(change, "record", eager=True)
        await recording

    @contextmanager
    def _in_progress(self) -> Iterator[None]:
        """Let nobody else send these messages meanwhile."""
        end = asyncio.Event()
        in_progress = self._context.in_progress
        in_progress.update((message.id, end) for message in self.messages)
        try:
            yield
        finally:
            for message in self.messages:
                del in_progress[message.id]
            end.set()

    def _put_off(self, pending: Sequence[Pending], fault: str) -> None:
        """Try again after a fault of ours; its own words may hold what is secret."""
        _LOGGER.error("Sending failed: %s", fault)
        moment = self._context.clock.now() + self._context.timing.first_pause
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=fault)
        for one in pending:
            one.refused(self._dispatch.account, refusal, moment)

    async def _ask(self, account_id: str, pending: Sequence[Pending]) -> None:
        """Ask one account to send messages; those that it does not settle go on."""
        for one in pending:
            one.asked.add(account_id)
            one.is_duplicate = False
        self._asked[account_id] = self._context.health.of(account_id)
        account = self._context.accounts.get(account_id)
        if account is None:
            self._pass_over(account_id, pending)
            return
        too_long = [one for one in pending if self._is_too_long(one, account)]
        self._pass_over(account_id, too_long)
        pending = [one for one in pending if one not in too_long]
        if not pending:
            return
        submitter = Submitter(
            self._context,
            self._choice,
            account,
            numbers=frozenset(message.number for message in self.messages),
            rank=Rank.BULK if self._dispatch.is_bulk else Rank.SMALL,
        )
        batches = submitter.batches(pending)
        if len(batches) == 1:
            await submitter.submit(batches[0])
        else:
            await self._submit_all(submitter, batches)
        duplicates = [one for one in pending if one.may_be_marked]
        if (text := submitter.repeat_text(duplicates)) is not None:
            await self._submit_all(submitter, submitter.batches(duplicates), text)

    async def _submit_all(
        self,
        submitter: Submitter,
        batches: Sequence[Sequence[Pending]],
        text: str | None = None,
    ) -> None:
        """Make several requests at the same time.

        All take their places in the queue now: what is asked for later must not
        overtake them.
        """
        spawn = self._context.tasks.spawn
        await asyncio.gather(
            *(
                spawn(submitter.submit(batch, text), "request", eager=True)
                for batch in batches
            )
        )

    def _is_too_long(self, one: Pending, account: Account) -> bool:
        """Return whether a fallback may not send a text of so many parts."""
        is_fallback = account.id != self._dispatch.account
        return is_fallback and one.message.parts > account.max_parts

    def _pass_over(self, account_id: str, pending: Sequence[Pending]) -> None:
        """Go past an account that cannot send; one that is being loaded may later."""
        accounts, now = self._context.accounts, self._context.clock.now()
        if account_id in accounts:
            refusal = NotSent(kind=ErrorKind.REFUSED, detail="too_many_parts")
            retry_at = None
        elif accounts.is_expected(account_id):
            refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail="not_loaded")
            age = now - self._dispatch.due
            retry_at = now + self._context.timing.next_attempt(age)
        else:
            return
        for one in pending:
            one.refused(account_id, refusal, retry_at)

    def _is_waited_for(self, account_id: str, pending: Sequence[Pending]) -> bool:
        """Return whether messages wait here until an account sends them at once.

        What it accepted now would be sent before its time. No later account is asked
        before.
        """
        account = self._context.accounts.get(account_id)
        now = self._context.clock.now()
        if account is None or not self._dispatch.is_early(now):
            return False
        if account.has(Feature.SCHEDULE) and self._dispatch.due - now >= _SOON:
            return False
        for one in pending:
            one.is_early = True
            one.retry_not_after(self._dispatch.due)
        return True

    def _ended(self, one: Pending) -> Message:
        """Return a message that no account accepted: waiting, expired or failed."""
        if one.doubt is not None:
            return still_in_doubt(one.message, one.doubt)
        now = self._context.clock.moment()
        if one.refusal is None and one.is_early:
            return scheduled(one.message, now)
        refusal = one.refusal or NotSent(kind=ErrorKind.UNAVAILABLE)
        is_early = one.is_early or self._dispatch.is_early(now.steady)
        may_wait = self._choice.requested.options.retry_for or is_early
        if one.retry_at is None or not may_wait:
            return refused(one.message, refusal, one.refused_by, now)
        waiting = requeued(one.message, refusal, one.refused_by, one.retry_at, now)
        return expired(waiting, now) if now.steady >= waiting.expires else waiting
