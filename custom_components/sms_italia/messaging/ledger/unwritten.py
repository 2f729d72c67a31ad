"""What the ledger's file lacks while it cannot be written."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from ..model import DayTotal, Message, Stage
from .records import Entry, Opened, Remembered, Spent, SubmissionIntent

_KEPT = 5000
"""Closed messages and requests that are kept at most; all that is open is kept."""


class Unwritten:
    """Entries that failed, merged to one with the last state of everything."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._messages: dict[int, Message] = {}
        self._submissions: dict[str, SubmissionIntent] = {}
        self._spent: dict[tuple[str, str], DayTotal] = {}

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self._messages or self._submissions or self._spent)

    def absorb(self, entry: Entry) -> None:
        """Keep an entry that could not be written."""
        for message in entry.messages:
            # Behind the others: the oldest are dropped first.
            self._messages.pop(message.id, None)
            self._messages[message.id] = message
        self._submissions |= {one.reference: one for one in entry.submissions}
        for spent in entry.spent:
            self._add(spent.day, spent.account, spent.parts, spent.cost)
        closed = [
            id_ for id_, one in self._messages.items() if one.stage is Stage.CLOSED
        ]
        for id_ in closed[: -_KEPT or None]:
            del self._messages[id_]
        for reference in tuple(self._submissions)[:-_KEPT]:
            del self._submissions[reference]

    def _add(self, day: str, account: str, parts: int, cost: Decimal) -> None:
        total = self._spent.get((day, account), DayTotal())
        self._spent[day, account] = total.plus(parts, cost)

    def supersede(self, entry: Entry) -> None:
        """Drop the messages of which an entry on disk knows more."""
        for message in entry.messages:
            self._messages.pop(message.id, None)

    def take(self) -> Entry | None:
        """Return all there is, to be written, and keep nothing; None if empty."""
        if not self:
            return None
        entry = Entry(
            messages=tuple(self._messages.values()),
            submissions=tuple(self._submissions.values()),
            spent=tuple(
                Spent(day=day, account=account, parts=total.parts, cost=total.cost)
                for (day, account), total in self._spent.items()
            ),
        )
        self._messages, self._submissions, self._spent = {}, {}, {}
        return entry

    def forget(self, account: str) -> None:
        """Drop all that was asked of an account, and what it spent."""
        self._messages = {
            id_: one
            for id_, one in self._messages.items()
            if one.dispatch.account != account
        }
        self._submissions = {
            reference: one
            for reference, one in self._submissions.items()
            if one.account != account
        }
        self._spent = {
            key: one for key, one in self._spent.items() if key[1] != account
        }

    def begin_anew(self, remembered: Remembered, waiting: Iterable[Entry]) -> None:
        """Take over all that a new file must hold, but for entries still to come."""
        self._messages |= {message.id: message for message in remembered.messages}
        for day, totals in remembered.totals.items():
            for account, total in totals.items():
                self._spent[day, account] = total
        for entry in waiting:
            for spent in entry.spent:
                if spent.day in remembered.totals:
                    self._add(spent.day, spent.account, -spent.parts, -spent.cost)

    def completed(self, opened: Opened, today: str) -> Opened:
        """Return what the file held when it was opened, with what it should hold."""
        messages = {message.id: message for message in opened.open_messages}
        messages |= self._messages
        totals = dict(opened.totals)
        for (day, account), spent in self._spent.items():
            if day == today:
                total = totals.get(account, DayTotal())
                totals[account] = total.plus(spent.parts, spent.cost)
        return replace(
            opened,
            open_messages=tuple(
                messages[id_]
                for id_ in sorted(messages)
                if messages[id_].stage is not Stage.CLOSED
            ),
            totals=totals,
        )
