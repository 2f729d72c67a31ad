"""What each account spends, day by day."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial

from ...providers import Status
from ..clock import Clock
from ..ledger import Ledger, LedgerClosedError, LedgerError, Spent
from ..model import DayTotal, Message, Stage
from .events import Events, TotalsChanged

_DAYS = 7
"""Days whose totals are kept in memory, for a clock that is set right."""

_FORECAST_DAYS = 30
_FIRST_DAY = "0001-01-01"
"""Before anything that a ledger can hold."""


class DailyTotals:
    """The parts and euro that accounts spent, by day (YYYY-MM-DD) and account."""

    def __init__(self, ledger: Ledger, clock: Clock, events: Events) -> None:
        """Start with nothing spent; `load` takes over what the ledger holds."""
        self._ledger = ledger
        self._clock = clock
        self._events = events
        self._day = clock.today()
        self._totals: dict[str, dict[str, DayTotal]] = {self._day: {}}

    def load(self, totals: Mapping[str, DayTotal]) -> None:
        """Take over today's totals by account."""
        self._day = self._clock.today()
        self._totals = {self._day: dict(totals)}

    def add_late(self, day: str, totals: Mapping[str, DayTotal]) -> None:
        """Add a day's totals by account, from a ledger that was opened late."""
        self._add(
            Spent(day=day, account=account, parts=total.parts, cost=total.cost)
            for account, total in totals.items()
        )

    def forget(self, account_id: str) -> None:
        """Forget what an account spent; the ledger goes on having it."""
        for totals in self._totals.values():
            totals.pop(account_id, None)

    def known(self) -> Mapping[str, Mapping[str, DayTotal]]:
        """Return the totals in memory, by day and account."""
        return self._totals

    def spent_today(self, account_id: str) -> DayTotal:
        """Return what an account spent since midnight."""
        self._turn_day()
        return self._totals[self._day].get(account_id, DayTotal())

    def add_changes(self, changes: Iterable[tuple[Message, Message]]) -> list[Spent]:
        """Add what messages cost more or less than before; return what is added.

        What a message may cost goes into the total of today, and is taken back from
        the day it was counted if it was not sent after all.
        """
        self._turn_day()
        sums: dict[tuple[str, str], DayTotal] = {}

        def add(day: str, account: str, parts: int, cost: Decimal) -> None:
            total = sums.get((day, account), DayTotal())
            sums[day, account] = total.plus(parts, cost)

        for old, new in changes:
            before, after = _charged_account(old), _charged_account(new)
            if before is not None and _has_failed_over(old, new):
                # What it cost there was spent, and it may cost more elsewhere.
                add(self._day, before, 0, _cost(new) - _cost(old))
                continue
            # A correction counts today; what turns out not to be spent never did.
            day = self._day if before == after else self._clock.day_of(old.updated)
            if before is not None:
                add(day, before, -old.parts, -_cost(old))
            if after is not None:
                add(self._day, after, new.parts, _cost(new))
        spent = [
            Spent(day=day, account=account, parts=total.parts, cost=total.cost)
            for (day, account), total in sums.items()
            if total.parts or total.cost
        ]
        self._add(spent)
        return spent

    def _add(self, spent: Iterable[Spent]) -> None:
        accounts: dict[str, None] = {}
        for one in spent:
            accounts[one.account] = None
            if (totals := self._totals.get(one.day)) is not None:
                total = totals.get(one.account, DayTotal())
                totals[one.account] = total.plus(one.parts, one.cost)
        for account in accounts:
            self._events.publish(TotalsChanged(account=account))

    async def average_daily_cost(self, account_id: str) -> Decimal | None:
        """Return what an account spends a day on average, in euro.

        Of the last 30 whole days, or of those since its first cost; None if nothing
        was spent in them, or if the ledger cannot be read.
        """
        before = await self._before_today(account_id) or {}
        paid = {day: total.cost for day, total in before.items() if total.cost}
        begin = self._clock.day(_FORECAST_DAYS)
        spent = sum((cost for day, cost in paid.items() if day >= begin), Decimal(0))
        if not spent:
            return None
        first = date.fromisoformat(max(begin, min(paid)))
        today = date.fromisoformat(self._clock.today())
        return spent / (today - first).days

    async def spent_this_month(self, account_id: str) -> Decimal | None:
        """Return what an account spent since the first of the month, in euro.

        None if parts were spent and no cost was reported of any of them, or if the
        ledger cannot be read.
        """
        before = await self._before_today(account_id)
        if before is None:
            return None
        spent = self.spent_today(account_id)
        month = self._clock.today()[: len("2026-11")]
        for day, total in before.items():
            if day.startswith(month):
                spent = spent.plus(total.parts, total.cost)
        return spent.known_cost

    async def _before_today(self, account_id: str) -> Mapping[str, DayTotal] | None:
        """Return by day (YYYY-MM-DD) what an account ever spent before today.

        None if the ledger cannot be read.
        """
        try:
            return await self._ledger.totals_between(
                account_id, _FIRST_DAY, self._clock.day(1)
            )
        except LedgerError:
            return None

    def _turn_day(self) -> None:
        """Begin new totals when the day is another.

        The clock may have been set, so that the ledger knows the day already.
        """
        today = self._clock.today()
        if today == self._day:
            return
        self._day = today
        if today in self._totals:
            return
        for day in sorted(self._totals)[: 1 - _DAYS]:
            del self._totals[day]
        self._totals[today] = {}
        try:
            reading = self._ledger.totals(today)
        except LedgerClosedError:
            return
        reading.add_done_callback(partial(self._add_earlier, today))

    def _add_earlier(
        self, day: str, reading: asyncio.Future[dict[str, DayTotal]]
    ) -> None:
        """Add to a day's totals what the ledger held of it before."""
        if reading.cancelled() or reading.exception() is not None:
            return
        self.add_late(day, reading.result())


def _cost(message: Message) -> Decimal:
    return message.cost or Decimal(0)


def _has_failed_over(old: Message, new: Message) -> bool:
    """Return whether a message goes on, whose delivery failed after it was sent."""
    return new.failed_over_from != old.failed_over_from and new.error is None


def _charged_account(message: Message) -> str | None:
    """Return the account that a message may cost: that which accepted it, or may have.

    What was certainly not accepted, or is to be sent again, costs nothing.
    """
    match message.stage:
        case Stage.ACCEPTED | Stage.IN_DOUBT:
            return message.last_account
        case Stage.CLOSED:
            was_refused = message.status in {Status.FAILED, Status.EXPIRED}
            is_free = was_refused and message.provider_id is None
            return None if is_free else message.last_account
        case Stage.WAITING | Stage.HELD | Stage.JOINED | Stage.SUBMITTING:
            return None
