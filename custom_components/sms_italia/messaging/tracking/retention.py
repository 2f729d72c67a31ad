"""Closing messages of which no report will come any more, and forgetting old ones."""

import asyncio

from ..account import Account
from ..clock import DAY
from ..delivery import DeliveryContext
from ..model import Message, Stage
from ..state import DayChanged
from ..state.transitions import given_up, no_longer_tracked, rescheduled

_AT_PROVIDER = frozenset({Stage.ACCEPTED, Stage.IN_DOUBT})


class Retention:
    """Keeps open messages and the ledger true while accounts and days come and go."""

    def __init__(self, context: DeliveryContext) -> None:
        """Close and forget what is no longer needed."""
        self._context = context
        self._open = context.open_messages
        self._ledger = context.ledger
        self._clock = context.clock
        self._timing = context.timing
        context.watch.subscribe(self._on_clock_set, self._on_next_day)

    def reschedule(self, since: float) -> None:
        """Let messages for later, which were so at `since`, follow the wall clock.

        What is on the wire has gone there by the clock as it was.
        """
        now = self._clock.moment()
        self._open.note(
            [
                rescheduled(message, now)
                for message in self._open
                if message.dispatch.is_early(since)
                and message.stage is not Stage.SUBMITTING
            ]
        )

    def _on_clock_set(self, since: float) -> None:
        """Follow the clock, with which the next start compares its own."""
        self.reschedule(since)
        self._context.tasks.spawn(self._ledger.keep_clock(), "clock")

    def _on_next_day(self) -> None:
        """Say so, and do what is due once a day."""
        for account in self._context.accounts.values():
            self._context.events.publish(DayChanged(account=account.id))
            self._context.tasks.spawn(self.tidy_up(account), "tidying up")

    async def close_at_provider(self, account_id: str) -> None:
        """Close what an account submitted, of which no report will ever come.

        What is on the wire is closed when it has its outcome; nobody waits for that.
        """
        await self._close_submitted(account_id)
        if self._on_the_wire(account_id):
            self._context.tasks.spawn(self._close_answered(account_id), "closing")

    async def _close_answered(self, account_id: str) -> None:
        """Close what an account has on the wire when all of it has its outcome."""
        while on_the_wire := self._on_the_wire(account_id):
            await on_the_wire[0].wait()
        await self._close_submitted(account_id)

    def _on_the_wire(self, account_id: str) -> list[asyncio.Event]:
        """Return what is set when the open requests to an account have their end."""
        return [
            end
            for message in self._submitted_by(account_id)
            if message.stage is Stage.SUBMITTING
            and (end := self._context.in_progress.get(message.id)) is not None
        ]

    async def _close_submitted(self, account_id: str) -> None:
        now = self._clock.moment()
        await self._open.change(
            [
                given_up(message, now)
                for message in self._submitted_by(account_id)
                if message.stage in _AT_PROVIDER
            ]
        )

    def _submitted_by(self, account_id: str) -> list[Message]:
        """Return the open messages that an account tried last, or accepted."""
        return [one for one in self._open if one.last_account == account_id]

    async def tidy_up(self, account: Account) -> None:
        """Do what is due once a day for an account.

        Messages of which no report will come any more are closed, old ones forgotten.
        """
        now = self._clock.moment()
        submitted = self._submitted_by(account.id)
        if not account.tracks_delivery:
            # Reports were switched off: what was last known is all there will be.
            await self._open.change(
                [
                    no_longer_tracked(message)
                    for message in submitted
                    if message.stage is Stage.ACCEPTED
                    and message.dispatch.due <= now.steady
                ]
            )
        await self._open.change(
            [
                given_up(message, now)
                for message in submitted
                if self._is_hopeless(account, message, now.steady)
            ]
        )
        before = now.steady - account.options.history_days * DAY
        await self._ledger.trim(account.id, before)
        accounts = (account, *self._context.accounts.values())
        days = max(one.options.history_days for one in accounts)
        await self._ledger.remove_set_aside(now.wall - days * DAY)

    def _is_hopeless(self, account: Account, message: Message, now: float) -> bool:
        """Return whether nothing more will be known of a message at a provider."""
        if message.stage not in _AT_PROVIDER:
            return False
        if now - message.dispatch.due > self._timing.give_up:
            return True
        is_in_doubt = message.stage is Stage.IN_DOUBT
        return is_in_doubt and not account.can_settle(message.provider_id)
