"""One way of a dispatch's messages along the route: account after account."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import override

from ..providers.client import Feature
from ..providers.model import ErrorKind, NotSent, Status
from .account import Account
from .attempt import Attempt
from .ledger import SubmissionIntent
from .model import Dispatch, Message, Stage
from .offering import Cargo, Ground, Offer
from .routing import accounts_after

_SOON = 120
"""Seconds before its time from which a message is scheduled nowhere, and waits here.

When the request arrives, or by the provider's clock, its time might be past.
"""


class Passage:
    """The way of messages that are in the book already."""

    def __init__(
        self,
        ground: Ground,
        dispatch: Dispatch,
        messages: Sequence[Message],
        round_began: float = float("inf"),
    ) -> None:
        """Leave accounts alone that failed since the outbox's round began."""
        self._ground = ground
        self._dispatch = dispatch
        self._messages = messages
        self._cargo = Cargo(
            dispatch=dispatch,
            asked=ground.accounts[dispatch.account],
            numbers=frozenset(message.number for message in messages),
            round_began=round_began,
            record=self._record,
            is_open=self._is_open,
        )

    async def run(self) -> None:
        """Go along the route; meanwhile nobody else may send these messages."""
        end = asyncio.Event()
        under_way = self._ground.under_way
        under_way.update((message.id, end) for message in self._messages)
        try:
            await self._try_all()
        finally:
            for message in self._messages:
                del under_way[message.id]
            end.set()

    async def _try_all(self) -> None:
        """Try each account; what none took waits or is given up."""
        left = [Attempt(message) for message in self._messages]
        for account_id in self._dispatch.route:
            movable = [one for one in left if self._may_go_to(account_id, one)]
            if not movable:
                continue
            carrier = self._ground.accounts.get(account_id)
            if carrier is None:
                self._pass_over(account_id, movable)
            elif self._is_too_early(carrier):
                # It will take them then; no later account is to be asked before.
                for attempt in movable:
                    attempt.is_early = True
                    attempt.put_off(self._dispatch.due)
                break
            else:
                stuck = [one for one in left if not self._may_go_to(account_id, one)]
                if stuck:
                    await self._prepare()
                offer = Offer(self._ground, self._cargo, carrier)
                left = stuck + await offer.make(movable, self._prepare)
        if left:
            await self._record([self._end(attempt) for attempt in left])
            self._ground.on_taken([one.doubt for one in left if one.doubt])

    def _may_go_to(self, account_id: str, attempt: Attempt) -> bool:
        """Tell whether an account may be asked to take a message.

        A group is one of the account that was asked, and means nothing elsewhere. An
        account before the one where the message was last, which may have sent it, is
        never asked again: "rather twice than never" is for the accounts behind it.
        """
        if attempt.hopeless or self._may_have_sent(account_id, attempt.message):
            return False
        is_asked = account_id == self._dispatch.account
        return is_asked or attempt.message.group is None

    def _may_have_sent(self, account_id: str, message: Message) -> bool:
        """Tell whether a message was sent on in spite of a doubt at an account."""
        if not self._cargo.asked.options.resend_uncertain:
            return False
        behind = accounts_after(self._dispatch.route, account_id)
        return account_id in message.unanswered and message.carrier in behind

    def _pass_over(self, account_id: str, attempts: Sequence[Attempt]) -> None:
        """Go past an account that is not loaded: for good, or until it is."""
        if not self._ground.expected(account_id):
            return
        now = self._ground.clock.now()
        pause = self._ground.rests.pace.next_attempt(now - self._dispatch.due)
        refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail="not_loaded")
        for attempt in attempts:
            attempt.refused(account_id, refusal, now + pause)

    def _is_too_early(self, carrier: Account) -> bool:
        """Tell whether what an account took now would go out before its time."""
        now = self._ground.clock.now()
        if not self._cargo.is_early(now):
            return False
        can_wait = Feature.SCHEDULE in carrier.provider.capabilities.features
        return not can_wait or self._dispatch.due - now < _SOON

    def _end(self, attempt: Attempt) -> Message:
        """Return a message that no account took: waiting, expired or failed."""
        if attempt.doubt is not None:
            return attempt.doubt
        now = self._ground.clock.now()
        is_early = attempt.is_early or self._cargo.is_early(now)
        message = replace(attempt.message, submission=None, updated=now)
        if attempt.refusal is None and attempt.is_early:
            message = replace(message, detail="scheduled")
        else:
            refusal = attempt.refusal or NotSent(kind=ErrorKind.UNAVAILABLE)
            message = replace(
                message,
                carrier=attempt.refused_by or message.carrier,
                error=refusal.kind,
                detail=refusal.cause or refusal.detail,
            )
        may_wait = self._cargo.asked.options.retry_for or is_early
        if attempt.retry_at is None or not may_wait:
            return replace(message, status=Status.FAILED, stage=Stage.CLOSED)
        if now >= self._dispatch.expires:
            return replace(message, status=Status.EXPIRED, stage=Stage.CLOSED)
        return replace(
            message,
            status=Status.QUEUED,
            stage=Stage.WAITING,
            attempt_at=attempt.retry_at,
        )

    def _is_open(self, message: Message) -> bool:
        """Tell whether a message is still to be sent."""
        return self._ground.book.get(message.id) is not None

    async def _prepare(self) -> None:
        """Make ready for requests that carry only some of the messages each."""

    async def _record(
        self, messages: Sequence[Message], *intents: SubmissionIntent
    ) -> None:
        """Put messages on record."""
        await self._ground.book.change(messages, intents)


class NewPassage(Passage):
    """The first way of a dispatch, which enters it in the book with the first word.

    The usual alert is thus one entry: the message and the intent to send it.
    """

    def __init__(
        self,
        ground: Ground,
        dispatch: Dispatch,
        messages: Sequence[Message],
        closed: Sequence[Message],
    ) -> None:
        """Take messages that are in no book yet; `closed` go nowhere."""
        super().__init__(ground, dispatch, messages)
        self._closed = closed
        self._entered = False

    @override
    def _is_open(self, message: Message) -> bool:
        return not self._entered or super()._is_open(message)

    @override
    async def _prepare(self) -> None:
        if not self._entered:
            await self._record(self._messages)

    @override
    async def _record(
        self, messages: Sequence[Message], *intents: SubmissionIntent
    ) -> None:
        if self._entered:
            await super()._record(messages, *intents)
        else:
            self._entered = True
            await self._ground.book.add(
                self._dispatch, [*messages, *self._closed], intents
            )
