"""The runs of escalations in the ledger."""

from contextlib import closing
from dataclasses import replace
import sqlite3

import pytest

from custom_components.sms_italia.messaging.ledger import (
    Entry,
    LedgerTrouble,
    LedgerUnreadableError,
    Remembered,
    RunRecord,
)
from custom_components.sms_italia.messaging.ledger.unwritten import Unwritten
from custom_components.sms_italia.messaging.model import Stage
from custom_components.sms_italia.providers import Status

from .helpers import Shelf, full_disk

RUN = RunRecord(id=1, account="casa", escalation="notte", ended=None, state="{}")
FOR_EVER = 1e12


async def ids(shelf: Shelf, ended_since: float = FOR_EVER) -> list[int]:
    """Return the runs that matter after a start."""
    return [run.id for run in await shelf.ledger.runs(ended_since)]


async def test_a_run_is_kept_in_the_place_of_what_it_was(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.ledger.record(Entry(runs=[RUN]))
    ended = replace(RUN, ended=5.0, state='{"state": "acknowledged"}')
    await shelf.ledger.record(Entry(runs=[ended]))
    await shelf.reopen()
    assert await shelf.ledger.runs(FOR_EVER) == (ended,)


async def test_open_runs_recent_ones_and_the_last_of_each_matter(shelf: Shelf) -> None:
    await shelf.open()
    runs = [
        replace(RUN, id=1, ended=10.0),
        replace(RUN, id=2),
        replace(RUN, id=3, ended=100.0),
        replace(RUN, id=4, ended=10.0),
        replace(RUN, id=5, ended=10.0, escalation="giorno"),
    ]
    await shelf.ledger.record(Entry(runs=runs))
    assert await ids(shelf) == [2, 4, 5]
    assert await ids(shelf, ended_since=50) == [2, 3, 4, 5]


async def test_the_messages_of_runs_are_found_open_or_closed(shelf: Shelf) -> None:
    await shelf.open()
    done = {"stage": Stage.CLOSED, "status": Status.DELIVERED}
    first = await shelf.add(1, run=7)
    second = await shelf.add(2, run=8, **done)
    await shelf.add(3, run=9)
    await shelf.add(4)
    found = await shelf.ledger.messages_of_runs([7, 8])
    assert [one.id for one in found] == [first.id, second.id]
    assert [one.dispatch.run for one in found] == [7, 8]


async def test_old_runs_are_forgotten_but_not_one_that_goes_on(shelf: Shelf) -> None:
    await shelf.open()
    runs = [
        replace(RUN, id=1, ended=10.0),
        replace(RUN, id=2),
        replace(RUN, id=3, ended=100.0),
        replace(RUN, id=4, ended=10.0, account="ufficio"),
    ]
    await shelf.ledger.record(Entry(runs=runs))
    await shelf.ledger.trim("casa", 50)
    assert await ids(shelf, ended_since=0) == [2, 3, 4]
    await shelf.ledger.forget("casa")
    assert await ids(shelf, ended_since=0) == [4]


async def test_a_ledger_that_cannot_be_read_holds_no_run(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.ledger.record(Entry(runs=[RUN]))
    await shelf.add(1, run=1)
    with closing(sqlite3.connect(shelf.path)) as database:
        database.execute("DROP TABLE runs")
        database.execute("DROP TABLE messages")
    assert await shelf.ledger.runs(FOR_EVER) == ()
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.messages_of_runs([1])


async def test_a_run_that_could_not_be_written_is_when_the_file_can_be(
    shelf: Shelf,
) -> None:
    """And is known meanwhile."""
    await shelf.open()
    await shelf.ledger.record(Entry(runs=[replace(RUN, id=3)]))
    with full_disk(1):
        await shelf.ledger.record(Entry(runs=[RUN, replace(RUN, id=2)]))
        assert shelf.troubles == [LedgerTrouble.UNRECORDED]
        assert await ids(shelf) == [1, 2, 3]
    await shelf.ledger.record(Entry(runs=[replace(RUN, id=2, ended=5.0)]))
    await shelf.reopen()
    assert await ids(shelf) == [1, 3]


def test_a_new_file_holds_the_runs_that_are_remembered() -> None:
    unwritten = Unwritten()
    unwritten.begin_anew(Remembered(runs=(RUN,)), ())
    unwritten.forget("ufficio")
    assert unwritten.runs(()) == (RUN,)
    entry = unwritten.take()
    assert entry is not None
    assert entry.runs == (RUN,)
    assert not unwritten


def test_the_runs_of_an_account_that_is_forgotten_are_not_written() -> None:
    unwritten = Unwritten()
    unwritten.absorb(Entry(runs=[RUN]))
    unwritten.forget("casa")
    assert not unwritten
