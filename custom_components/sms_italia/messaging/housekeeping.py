"""Closing messages of which nobody can tell any more, and forgetting old ones."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..providers.model import Status
from .account import Account
from .book import Book
from .clock import Clock
from .ledger import Ledger
from .model import Message, Stage
from .pacing import Pace


class Housekeeper:
    """Keeps the book and the ledger true while accounts and days come and go.

    `under_way` tells by id of each message on its way along a route when that ends.
    """

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        clock: Clock,
        pace: Pace,
        under_way: Mapping[int, asyncio.Event],
    ) -> None:
        """Keep these."""
        self._book = book
        self._ledger = ledger
        self._clock = clock
        self._pace = pace
        self._under_way = under_way

    async def recognise(self, account: Account) -> bool:
        """Tell whether an account that comes is the customer that it was, if any.

        If it is another one, that provider would say of what the account carried that
        it never came, and it would be sent twice: it is closed.
        """
        before = await self._ledger.identity(account.id)
        if before == account.identity:
            return True
        if before is not None:
            await self.give_up_carried(account.id)
        await self._ledger.keep_identity(account.id, account.identity)
        return before is None

    async def give_up_carried(self, account_id: str) -> None:
        """Close what an account carried, of which nothing will ever be told.

        What is on the wire gets its outcome first.
        """
        while on_the_wire := [
            end
            for message in self._book
            if message.carrier == account_id
            and message.stage is Stage.SUBMITTING
            and (end := self._under_way.get(message.id)) is not None
        ]:
            await on_the_wire[0].wait()
        await self._close_as_uncertain(
            [
                message
                for message in self._book
                if message.carrier == account_id
                and message.stage in {Stage.TAKEN, Stage.DOUBTFUL}
            ]
        )

    async def tidy_up(self, account: Account) -> None:
        """Do what is due once a day for an account.

        Messages that nothing can tell of any more are closed, old ones forgotten.
        """
        now = self._clock.now()
        carried = [one for one in self._book if one.carrier == account.id]
        if not account.tracks_delivery:
            # Reports were switched off: what was last known is all there will be.
            await self._book.change(
                [
                    replace(message, stage=Stage.CLOSED)
                    for message in carried
                    if message.stage is Stage.TAKEN and message.dispatch.due <= now
                ]
            )
        await self._close_as_uncertain(
            [
                message
                for message in carried
                if message.stage in {Stage.TAKEN, Stage.DOUBTFUL}
                and (
                    now - message.dispatch.due > self._pace.give_up
                    or (
                        message.stage is Stage.DOUBTFUL
                        and not account.can_settle(message.provider_id)
                    )
                )
            ]
        )
        before = now - account.options.history_days * 86_400
        await self._ledger.trim(account.id, before)

    async def _close_as_uncertain(self, messages: Sequence[Message]) -> None:
        now = self._clock.now()
        await self._book.change(
            [
                replace(
                    message, status=Status.UNCERTAIN, stage=Stage.CLOSED, updated=now
                )
                for message in messages
            ]
        )
