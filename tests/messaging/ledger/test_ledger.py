"""What is asked of the ledger, and its upkeep."""

import asyncio
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from math import inf
from pathlib import Path
import sqlite3
import threading
from typing import override

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerClosedError,
    LedgerUnreadableError,
    Query,
    Spent,
    SubmissionIntent,
)
from custom_components.sms_italia.messaging.ledger.threads import LONGEST
from custom_components.sms_italia.messaging.model import (
    SendOptions,
    Stage,
)
from custom_components.sms_italia.providers import (
    Status,
)

from ..helpers import (
    TEXT,
    a_dispatch,
    a_message,
)
from .helpers import (
    PICTURE,
    TODAY,
    Shelf,
    asides,
    full_disk,
    give_a_status_nobody_knows,
)

# What is read


async def test_closed_messages_are_found_but_not_opened_again(shelf: Shelf) -> None:
    await shelf.open()
    message = await shelf.add()
    closed = replace(message, status=Status.FAILED, stage=Stage.CLOSED)
    await shelf.ledger.record(Entry(messages=[closed]))
    opened = await shelf.reopen()
    assert opened.open_messages == ()
    assert (await shelf.ledger.find(Query())).messages == (closed,)


async def test_a_ledger_that_is_not_open_refuses_to_work(shelf: Shelf) -> None:
    with pytest.raises(LedgerClosedError):
        await shelf.ledger.record(Entry())
    with pytest.raises(LedgerClosedError):
        await shelf.ledger.find(Query())
    await shelf.open()
    await shelf.ledger.close()
    with pytest.raises(LedgerClosedError):
        await shelf.ledger.record(Entry())


async def test_what_was_noted_just_now_is_found(shelf: Shelf) -> None:
    await shelf.open()
    shelf.note()
    assert await shelf.ids() == [1]


async def test_what_cannot_be_read_is_logged_once_and_nothing_is_found(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    bad = await shelf.add(1, stage=Stage.CLOSED)
    await shelf.add(2, account="ufficio")
    give_a_status_nobody_knows(shelf.path)
    for _ in range(3):
        with pytest.raises(LedgerUnreadableError):
            await shelf.ledger.find(Query())
        with pytest.raises(LedgerUnreadableError):
            await shelf.ledger.message(bad.id)
        assert await shelf.ledger.latest("casa", None, inf) == ()
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    # One bad row is no reason to lose all the others.
    assert not shelf.troubles
    assert not asides(shelf.path)
    with closing(sqlite3.connect(shelf.path, isolation_level=None)) as database:
        database.execute("UPDATE messages SET status = 'queued'")
    assert await shelf.ledger.message(bad.id) == bad
    give_a_status_nobody_knows(shelf.path)
    assert await shelf.ledger.latest("casa", None, inf) == ()
    assert [one.levelname for one in caplog.records] == ["ERROR"] * 2


class Slow(str):
    """A text for which a search has to wait."""

    __slots__ = ("may_go_on",)
    may_go_on: threading.Event

    @override
    def casefold(self) -> str:
        self.may_go_on.wait()
        return super().casefold()


async def test_what_is_read_for_a_message_takes_no_more_than_its_time(
    shelf: Shelf,
) -> None:
    await shelf.open()
    text = Slow(TEXT)
    text.may_go_on = threading.Event()
    dispatch = (await shelf.add()).dispatch
    search = asyncio.create_task(shelf.ledger.find(Query(text=text)))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        assert await shelf.ledger.knows_reference("ref", dispatch)
        with pytest.raises(LedgerUnreadableError):
            await shelf.ledger.find_on_the_way(Query(), dispatch)
    assert loop.time() - began < LONGEST + 0.4
    text.may_go_on.set()
    assert (await search).total == 1
    assert not await shelf.ledger.knows_reference("ref", a_dispatch(2))
    assert (await shelf.ledger.find_on_the_way(Query(), a_dispatch(2))).total == 1


async def test_a_table_that_is_gone_leaves_everybody_with_nothing(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.add(1)
    with closing(sqlite3.connect(shelf.path)) as database:
        for table in ("totals", "messages", "dispatches"):
            database.execute(f"DROP TABLE {table}")
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.totals_between("casa", TODAY, TODAY)
    assert await shelf.ledger.prices("casa") == []
    assert await shelf.ledger.latest("casa", None, inf) == ()
    # It is safer not to use a reference again that may be known.
    assert await shelf.ledger.knows_reference("ref", a_dispatch())
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.find(Query())
    with pytest.raises(sqlite3.Error):
        await shelf.ledger.totals(TODAY)
    await shelf.ledger.trim("casa", 2e9)
    await shelf.ledger.forget("casa")


# Trimming


async def test_trimming_forgets_old_closed_messages_of_the_account_only(
    shelf: Shelf,
) -> None:
    await shelf.open()
    done = {"stage": Stage.CLOSED, "status": Status.DELIVERED}
    await shelf.add(1, created=100.0, **done)
    await shelf.add(2, created=100.0, account="ufficio", **done)
    await shelf.add(3, created=100.0)
    await shelf.add(4, created=200.0, **done)
    await shelf.add(5, created=300.0, **done)
    await shelf.ledger.trim("casa", 200.0)
    assert await shelf.ids() == [5, 4, 3, 2]


async def test_a_dispatch_with_one_open_message_is_kept_whole(shelf: Shelf) -> None:
    await shelf.open()
    dispatch = a_dispatch(created=100.0)
    messages = [
        a_message(dispatch, 1, stage=Stage.CLOSED),
        a_message(dispatch, 2, stage=Stage.ACCEPTED),
    ]
    await shelf.ledger.record(Entry(messages=messages))
    await shelf.ledger.trim("casa", 1000.0)
    assert await shelf.ids() == [1, 1]
    closed = replace(messages[1], stage=Stage.CLOSED)
    await shelf.ledger.record(Entry(messages=[closed]))
    await shelf.ledger.trim("casa", 1000.0)
    assert await shelf.ids() == []


async def test_trimming_forgets_more_than_it_takes_in_one_go(shelf: Shelf) -> None:
    await shelf.open()
    await asyncio.gather(
        *(shelf.add(number, stage=Stage.CLOSED) for number in range(1, 351))
    )
    await shelf.ledger.trim("casa", 2e9)
    assert (await shelf.ledger.find(Query())).total == 0


async def test_messages_are_recorded_while_the_ledger_is_trimmed(shelf: Shelf) -> None:
    await shelf.open()
    await asyncio.gather(
        *(shelf.add(number, stage=Stage.CLOSED) for number in range(1, 301))
    )
    await asyncio.gather(
        shelf.ledger.trim("casa", 2e9),
        *(shelf.add(number) for number in range(301, 331)),
    )
    assert await shelf.ids(limit=500) == list(range(330, 300, -1))
    assert not shelf.troubles


async def test_trimming_on_a_full_disk_leaves_the_ledger_working(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    for number in range(1, 5):
        await shelf.add(number, text="x" * 50_000, stage=Stage.CLOSED)
    await shelf.reopen()
    with full_disk(4096):
        await shelf.ledger.trim("casa", 2e9)
    assert "cannot be tidied up" in caplog.text
    await shelf.add(5)
    assert not shelf.troubles
    await shelf.ledger.trim("casa", 2e9)
    assert await shelf.ids() == [5]


# Forgetting


async def test_of_an_account_that_is_forgotten_nothing_is_left_anywhere(
    shelf: Shelf,
) -> None:
    await shelf.open()
    entries = []
    for index, account in enumerate(["via", "casa"] * 150, 1):
        dispatch = a_dispatch(
            index,
            account=account,
            options=SendOptions(picture=PICTURE, reference=f"r{index}"),
        )
        intent = SubmissionIntent(
            reference=f"r{index}", dispatch=dispatch.id, account=account, created=1.0
        )
        spent = Spent(day=TODAY, account=account, parts=1, cost=Decimal("0.1"))
        entries.append(
            Entry(
                messages=[a_message(dispatch)],
                submissions=[intent],
                spent=[spent],
            )
        )
    records = [asyncio.create_task(shelf.ledger.record(one)) for one in entries]
    await asyncio.sleep(0)
    # What is still on its way to the disk is forgotten as well.
    await shelf.ledger.forget("via")
    await asyncio.gather(*records)
    assert {one.dispatch.account for one in (await shelf.reopen()).open_messages} == {
        "casa"
    }
    await shelf.ledger.close()
    with closing(sqlite3.connect(shelf.path)) as database:
        tables = [
            name
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        ]
        left = {
            table: database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - from the schema
            for table in tables
        }
    assert {table: len(rows) for table, rows in left.items()} == {
        "dispatches": 150,
        "messages": 150,
        "pictures": 150,
        "submissions": 150,
        "totals": 1,
        "clock": 1,
        "properties": 1,
        "runs": 0,
        "receptions": 0,
    }
    assert "via" not in str(left)


# The clock


class Shown:
    """A clock that stands, and shows what a test wants."""

    def __init__(self, wall: float) -> None:
        """Show this wall time."""
        self.wall = wall

    def ledger(self, path: Path) -> tuple[Ledger, Clock]:
        """Return a ledger as of a new start, and its clock."""
        clock = Clock(wall=lambda: self.wall, steady=lambda: 0)
        return Ledger(path, lambda _: None, clock), clock


async def test_steady_time_goes_on_from_the_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "sms.db"
    first, _ = Shown(wall=1000).ledger(path)
    await first.open(TODAY)
    await first.record(Entry(messages=[a_message(a_dispatch())]))
    await first.close()
    second, clock = Shown(wall=400).ledger(path)
    await second.open(TODAY)
    assert clock.now() == 1000
    await second.record(Entry(messages=[a_message(a_dispatch(2))]))
    await second.close()
    third, clock = Shown(wall=460).ledger(path)
    await third.open(TODAY)
    assert clock.now() == 1060
    await third.close()


async def test_a_clock_that_was_set_right_is_kept_without_an_entry(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sms.db"
    shown = Shown(wall=9000)
    first, _ = shown.ledger(path)
    await first.open(TODAY)
    await first.record(Entry(messages=[a_message(a_dispatch())]))
    shown.wall = 1000
    await first.keep_clock()
    await first.close()
    second, clock = Shown(wall=1060).ledger(path)
    await second.open(TODAY)
    assert clock.now() == 9060
    await second.close()


async def test_a_clock_that_cannot_be_kept_is_a_line_in_the_log(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    with full_disk(512):
        await shelf.ledger.keep_clock()
    assert "cannot be written" in caplog.text


async def test_a_dispatch_for_another_moment_is_kept_so(shelf: Shelf) -> None:
    await shelf.open()
    message = await shelf.add()
    later = replace(message.dispatch, due=5.0, expires=6.0)
    await shelf.ledger.record(Entry(messages=[replace(message, dispatch=later)]))
    (kept,) = (await shelf.reopen()).open_messages
    assert kept.dispatch == later
