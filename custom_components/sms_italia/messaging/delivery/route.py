"""The one way of a dispatch's messages to the wire: account after account."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import logging

from ...providers import ErrorKind, Feature, NotSent
from ..account import Account
from ..model import Message
from ..state.transitions import (
    expired,
    refused,
    requeued,
    scheduled,
    still_in_doubt,
)
from .outcomes import Pending
from .retry_rules import accounts_after
from .submitter import DeliveryContext, Submitter

_LOGGER = logging.getLogger(__name__)

_SOON = 120
"""Seconds before its time from which a message is scheduled nowhere, and waits here.

When the request arrives, or by the provider's clock, its time might be past.
"""


class Route:
    """Sends messages of one dispatch: by the account that was asked, then fallbacks."""

    def __init__(
        self,
        context: DeliveryContext,
        messages: Sequence[Message],
        round_began: float = float("inf"),
    ) -> None:
        """Send open messages of a dispatch whose account is attached.

        Accounts that failed since the outbox's round began are left alone until the
        next one: otherwise a message could overtake an older one.
        """
        self._context = context
        self._messages = messages
        self._dispatch = messages[0].dispatch
        self._requested = context.accounts[self._dispatch.account]
        self._round_began = round_began

    async def run(self) -> None:
        """Try each account; what none accepted waits, or has failed."""
        with self._in_progress():
            left = [Pending(message) for message in self._messages]
            try:
                for account_id in self._dispatch.route:
                    movable = [one for one in left if self._may_go_to(account_id, one)]
                    if not movable or self._is_passed_over(account_id, movable):
                        continue
                    account = self._context.accounts[account_id]
                    if self._is_too_early(account):
                        self._wait_for_its_time(movable)
                        break
                    submitter = self._submitter(account)
                    if not submitter.is_asked(movable):
                        continue
                    stuck = [one for one in left if one not in movable]
                    batches = submitter.batches(movable)
                    if len(batches) == 1:
                        left = await submitter.submit(batches[0])
                    else:
                        left = await self._submit_all(submitter, batches)
                    duplicates = [one for one in left if one.may_be_marked]
                    if (text := submitter.repeat_text(duplicates)) is not None:
                        left = [one for one in left if not one.may_be_marked]
                        left += await self._submit_all(
                            submitter, submitter.batches(duplicates), text
                        )
                    left += stuck
            except Exception as err:  # noqa: BLE001 - no message may be left alone
                self._put_off(left, type(err).__name__)
            if left:
                ended = [self._ended(one) for one in left]
                await self._context.open_messages.change(ended)

    @contextmanager
    def _in_progress(self) -> Iterator[None]:
        """Let nobody else send these messages meanwhile."""
        end = asyncio.Event()
        in_progress = self._context.in_progress
        in_progress.update((message.id, end) for message in self._messages)
        try:
            yield
        finally:
            for message in self._messages:
                del in_progress[message.id]
            end.set()

    def _put_off(self, pending: Sequence[Pending], fault: str) -> None:
        """Try again after a fault of ours; its own words may hold what is secret."""
        _LOGGER.error("Sending failed: %s", fault)
        moment = self._context.clock.now() + self._context.timing.first_pause
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=fault)
        for one in pending:
            one.refused(self._dispatch.account, refusal, moment)

    def _submitter(self, account: Account) -> Submitter:
        return Submitter(
            self._context,
            self._dispatch,
            account,
            requested=self._requested,
            numbers=frozenset(message.number for message in self._messages),
            round_began=self._round_began,
        )

    async def _submit_all(
        self,
        submitter: Submitter,
        batches: Sequence[Sequence[Pending]],
        text: str | None = None,
    ) -> list[Pending]:
        """Make several requests at the same time.

        All take their places in the queue for slots now: what is asked for later must
        not overtake them.
        """
        spawn = self._context.tasks.spawn
        answers = await asyncio.gather(
            *(
                spawn(submitter.submit(batch, text), "request", eager=True)
                for batch in batches
            )
        )
        return [one for answer in answers for one in answer]

    def _may_go_to(self, account_id: str, one: Pending) -> bool:
        """Return whether an account may be asked to accept a message.

        A group is one of the account that was asked, and means nothing elsewhere. An
        account before the one where the message was last, which may have sent it, is
        never asked again: to resend what is uncertain is for the accounts behind it.
        """
        if one.is_final:
            return False
        failed_at = one.message.failed_over_from
        if failed_at and account_id not in accounts_after(
            self._dispatch.route, failed_at
        ):
            return False
        if account_id in one.message.unanswered:
            # It may have been sent there, and was resent in spite of that.
            behind = accounts_after(self._dispatch.route, account_id)
            was_resent = one.message.last_account in behind
            if was_resent and self._requested.options.resend_uncertain:
                return False
        is_requested = account_id == self._dispatch.account
        return is_requested or one.message.group is None

    def _is_passed_over(self, account_id: str, pending: Sequence[Pending]) -> bool:
        """Return whether an account is not attached: for good, or until it is."""
        accounts = self._context.accounts
        if account_id in accounts:
            return False
        if accounts.is_expected(account_id):
            now = self._context.clock.now()
            pause = self._context.timing.next_attempt(now - self._dispatch.due)
            refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail="not_loaded")
            for one in pending:
                one.refused(account_id, refusal, now + pause)
        return True

    def _is_too_early(self, account: Account) -> bool:
        """Return whether what an account accepted now would be sent before its time."""
        now = self._context.clock.now()
        if not self._dispatch.is_early(now):
            return False
        return not account.has(Feature.SCHEDULE) or self._dispatch.due - now < _SOON

    def _wait_for_its_time(self, pending: Sequence[Pending]) -> None:
        """Keep messages until the account sends them at once.

        No later account is asked before.
        """
        for one in pending:
            one.is_early = True
            one.retry_not_after(self._dispatch.due)

    def _ended(self, one: Pending) -> Message:
        """Return a message that no account accepted: waiting, expired or failed."""
        if one.doubt is not None:
            return still_in_doubt(one.message, one.doubt)
        now = self._context.clock.moment()
        if one.refusal is None and one.is_early:
            return scheduled(one.message, now)
        refusal = one.refusal or NotSent(kind=ErrorKind.UNAVAILABLE)
        is_early = one.is_early or self._dispatch.is_early(now.steady)
        may_wait = self._requested.options.retry_for or is_early
        if one.retry_at is None or not may_wait:
            return refused(one.message, refusal, one.refused_by, now)
        waiting = requeued(one.message, refusal, one.refused_by, one.retry_at, now)
        return expired(waiting, now) if now.steady >= waiting.expires else waiting
