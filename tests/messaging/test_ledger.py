"""The ledger on a real disk: what it keeps, through crashes and damage too."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
import logging
from pathlib import Path
import resource
import sqlite3
import struct
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerClosedError,
    LedgerTrouble,
    LedgerUnreadableError,
    Opened,
    Query,
    Remembered,
    Spent,
    SubmissionIntent,
)
from custom_components.sms_italia.messaging.ledger_backlog import Backlog
from custom_components.sms_italia.messaging.ledger_schema import SCHEMA_VERSION
from custom_components.sms_italia.messaging.model import (
    DayTotal,
    Message,
    Stage,
    Wishes,
    group_address,
)
from custom_components.sms_italia.messaging.numbers import load
from custom_components.sms_italia.providers.model import (
    Channel,
    Encoding,
    ErrorKind,
    Picture,
    Status,
)

from .helpers import (
    NUMBER,
    OTHER,
    TEXT,
    a_dispatch,
    a_message,
    copy_as_after_a_crash,
    python,
    until,
)

TODAY = "2026-11-14"
LONG = "x" * 200_000
"""A text that finds no room where a short one does."""
ENDLESS = 2**70
"""More parts than SQLite can count."""


class Shelf:
    """A ledger on disk, and the troubles that it told."""

    def __init__(self, path: Path) -> None:
        """Keep it at this path."""
        self.path = path
        self.troubles: list[LedgerTrouble] = []
        self.ledger = Ledger(path, self.troubles.append)

    async def open(self) -> Opened:
        """Open the ledger."""
        return await self.ledger.open(TODAY)

    async def reopen(self) -> Opened:
        """Close the ledger and open it anew."""
        await self.ledger.close()
        return await self.open()

    def trouble(self) -> LedgerTrouble | None:
        """Return what the ledger says is wrong with it."""
        return self.ledger.trouble

    async def add(self, index: int = 1, /, **changes: Any) -> Message:  # noqa: ANN401 - fields of a message
        """Record a dispatch of one message; some of the changes are the dispatch's."""
        of_dispatch = {
            name: changes.pop(name)
            for name in ("text", "account", "created", "wishes")
            if name in changes
        }
        dispatch = a_dispatch(index, **of_dispatch)
        message = a_message(dispatch, **changes)
        await self.ledger.record(Entry(dispatch=dispatch, added=[message]))
        return message

    def note(self, index: int = 1, /) -> None:
        """Note a dispatch of one message, and do not wait for it."""
        dispatch = a_dispatch(index)
        self.ledger.note(Entry(dispatch=dispatch, added=[a_message(dispatch)]))

    async def ids(self, **query: Any) -> list[int]:  # noqa: ANN401 - fields of a query
        """Return the numbers of the dispatches that are found, in order."""
        found = await self.ledger.find(Query(**query))
        return [message.dispatch.id // 10_000 for message in found.messages]


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncGenerator[Shelf]:
    """Return a shelf that is not open yet; it is closed after the test."""
    shelf = Shelf(tmp_path / "storage" / "sms.db")
    yield shelf
    await shelf.ledger.close()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def commits_in(path: Path) -> int:
    """Return how many commits SQLite's log of a database holds (its fileformat2)."""
    log = Path(f"{path}-wal").read_bytes()
    page_size, salt = struct.unpack_from(">I4xQ", log, 8)
    count = 0
    for start in range(32, len(log), 24 + page_size):
        _, size_after_commit, frame_salt = struct.unpack_from(">IIQ", log, start)
        count += bool(size_after_commit) and frame_salt == salt
    return count


def log_size(path: Path) -> int:
    """Return the bytes in SQLite's log of a database."""
    return Path(f"{path}-wal").stat().st_size


def cut_log(path: Path, count: int) -> None:
    """Take away the last bytes of SQLite's log of a database."""
    log = Path(f"{path}-wal")
    log.write_bytes(log.read_bytes()[:-count])


# What is kept


async def test_a_ledger_that_was_never_there_is_begun(shelf: Shelf) -> None:
    opened = await shelf.open()
    assert opened == Opened(open_messages=(), totals={}, trouble=None)
    assert shelf.path.is_file()
    assert not shelf.troubles


async def test_the_intent_is_on_disk_when_record_returns(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    dispatch = a_dispatch(text="È scattato l'antifurto 🚨", encoding=Encoding.UCS2)
    message = a_message(
        dispatch, stage=Stage.SUBMITTING, carrier="casa", submission="ref"
    )
    intent = SubmissionIntent(
        reference="ref", dispatch=dispatch.id, account="casa", created=1.5
    )
    await shelf.ledger.record(
        Entry(dispatch=dispatch, added=[message], submissions=[intent])
    )
    left = Shelf(tmp_path / "left.db")
    copy_as_after_a_crash(shelf.path, left.path)
    opened = await left.open()
    assert opened.open_messages == (message,)
    await left.ledger.close()


async def test_the_outcome_is_on_disk_when_record_returns(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    message = await shelf.add()
    outcome = replace(
        message,
        recipient="mamma",
        status=Status.SENT,
        stage=Stage.TAKEN,
        updated=5.25,
        parts=3,
        carrier="riserva",
        submission="ref",
        provider_id="4300000001",
        cost=Decimal("0.1234"),
        error=ErrorKind.THROTTLED,
        detail="429",
        attempt_at=7.75,
    )
    await shelf.ledger.record(
        Entry(
            changed=[outcome],
            spent=[Spent(day=TODAY, account="riserva", parts=3, cost=Decimal("0.1"))],
        )
    )
    left = Shelf(tmp_path / "left.db")
    copy_as_after_a_crash(shelf.path, left.path)
    opened = await left.open()
    # Whom it was for does not change with the outcome.
    assert opened.open_messages == (replace(outcome, recipient=None),)
    assert opened.totals == {"riserva": DayTotal(parts=3, cost=Decimal("0.1"))}
    await left.ledger.close()


async def test_closed_messages_are_found_but_not_opened_again(shelf: Shelf) -> None:
    await shelf.open()
    message = await shelf.add()
    closed = replace(message, status=Status.FAILED, stage=Stage.CLOSED)
    await shelf.ledger.record(Entry(changed=[closed]))
    opened = await shelf.reopen()
    assert opened.open_messages == ()
    assert (await shelf.ledger.find(Query())).messages == (closed,)


async def test_messages_of_one_dispatch_come_back_in_the_order_they_were_given(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch()
    messages = [a_message(dispatch, number) for number in range(1, 51)]
    await shelf.ledger.record(Entry(dispatch=dispatch, added=messages))
    opened = await shelf.reopen()
    assert list(opened.open_messages) == messages


async def test_a_ledger_that_is_not_open_refuses_to_work(shelf: Shelf) -> None:
    with pytest.raises(LedgerClosedError):
        await shelf.ledger.record(Entry())
    with pytest.raises(LedgerClosedError):
        await shelf.ledger.find(Query())
    await shelf.open()
    await shelf.ledger.close()
    with pytest.raises(LedgerClosedError):
        await shelf.ledger.record(Entry())


async def test_closing_writes_what_is_waiting(shelf: Shelf) -> None:
    await shelf.open()
    records = [asyncio.create_task(shelf.add(number)) for number in range(1, 31)]
    await asyncio.sleep(0)
    await shelf.ledger.close()
    await asyncio.gather(*records)
    opened = await shelf.open()
    assert len(opened.open_messages) == 30


async def test_a_caller_that_is_cancelled_does_not_take_its_record_along(
    shelf: Shelf,
) -> None:
    await shelf.open()
    record = asyncio.create_task(shelf.add())
    await asyncio.sleep(0)
    record.cancel()
    with pytest.raises(asyncio.CancelledError):
        await record
    opened = await shelf.reopen()
    assert len(opened.open_messages) == 1


# How it is written


async def test_what_is_noted_goes_to_the_disk_with_what_is_recorded_next(
    shelf: Shelf,
) -> None:
    await shelf.open()
    before = commits_in(shelf.path)
    shelf.note(1)
    await shelf.add(2)
    assert commits_in(shelf.path) == before + 1
    assert await shelf.ids() == [2, 1]


async def test_what_is_noted_goes_to_the_disk_in_a_moment_if_nothing_follows(
    shelf: Shelf,
) -> None:
    await shelf.open()
    before = commits_in(shelf.path)
    shelf.note(1)
    shelf.note(2)
    await until(lambda: commits_in(shelf.path) == before + 1)
    assert await shelf.ids() == [2, 1]


async def test_what_was_noted_just_now_is_found(shelf: Shelf) -> None:
    await shelf.open()
    shelf.note()
    assert await shelf.ids() == [1]


async def test_what_was_noted_just_now_is_on_disk_when_the_ledger_is_closed(
    shelf: Shelf,
) -> None:
    await shelf.open()
    shelf.note()
    opened = await shelf.reopen()
    assert len(opened.open_messages) == 1


async def test_of_what_is_committed_together_the_last_word_and_the_sum_are_kept(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch()
    message = a_message(dispatch)
    spent = Spent(day=TODAY, account="casa", parts=2, cost=Decimal("0.1"))
    shelf.ledger.note(Entry(dispatch=dispatch, added=[message], spent=[spent, spent]))
    sent = replace(message, stage=Stage.TAKEN, status=Status.SENT)
    await shelf.ledger.record(Entry(changed=[sent], spent=[spent]))
    opened = await shelf.reopen()
    assert opened.open_messages == (sent,)
    assert opened.totals == {"casa": DayTotal(parts=6, cost=Decimal("0.3"))}


async def test_records_made_at_the_same_time_are_committed_together(
    shelf: Shelf,
) -> None:
    await shelf.open()
    before = commits_in(shelf.path)
    await shelf.add(1)
    assert commits_in(shelf.path) == before + 1
    await asyncio.gather(*(shelf.add(number) for number in range(2, 202)))
    assert len(await shelf.ids(limit=500)) == 201
    assert commits_in(shelf.path) == before + 2


async def test_what_is_written_for_a_message_does_not_grow_with_the_history(
    shelf: Shelf,
) -> None:
    sizes = []
    await shelf.open()
    for index, before in enumerate((10, 4000), 1):
        dispatch = a_dispatch(index, account="storia")
        closed = [
            a_message(dispatch, place, stage=Stage.CLOSED, status=Status.DELIVERED)
            for place in range(1, before + 1)
        ]
        await shelf.ledger.record(Entry(dispatch=dispatch, added=closed))
        # Closing moves everything out of the log.
        await shelf.reopen()
        await shelf.add(100 + index)
        sizes.append(log_size(shelf.path))
        await shelf.reopen()
    few, many = sizes
    # A page or two more, since the trees are higher.
    assert 0 < few <= many <= few + 3 * 4200


async def test_an_entry_that_cannot_be_written_leaves_nothing_behind(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.add(1)
    dispatch = a_dispatch(2)
    good, bad = a_message(dispatch, 1), a_message(dispatch, 2, parts=ENDLESS)
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal(1))
    await shelf.ledger.record(
        Entry(dispatch=dispatch, added=[good, bad], spent=[spent])
    )
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert await shelf.ids() == [1]
    assert not await shelf.ledger.totals_between("casa", TODAY, TODAY)
    await shelf.add(3)
    assert await shelf.ids() == [3, 1]


@pytest.mark.parametrize(
    ("text", "kept"), [("\ud800", "?"), ("zia \udcff è qui 🚨", "zia ? è qui 🚨")]
)
async def test_what_no_file_can_hold_of_a_text_is_kept_as_question_marks(
    shelf: Shelf, text: str, kept: str
) -> None:
    await shelf.open()
    await shelf.add(1, number=text, detail=text, provider_id=text)
    await shelf.add(2, text=text)
    assert not shelf.troubles
    second, first = (await shelf.ledger.find(Query())).messages
    assert (first.number, first.detail, first.provider_id) == (kept, kept, kept)
    assert second.dispatch.text == kept


async def test_what_cannot_be_written_takes_nothing_along_that_came_with_it(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await asyncio.gather(
        *(
            shelf.add(number, parts=ENDLESS if number == 3 else 1)
            for number in range(1, 7)
        )
    )
    assert await shelf.ids() == [6, 5, 4, 2, 1]


async def test_a_full_disk_is_told_once_and_what_it_kept_out_is_written_later(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.add(1)
    with full_disk(64 * 1024):
        for number in range(2, 6):
            await shelf.add(number, text=LONG)
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE]
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1
    assert await shelf.ids() == [1]
    await shelf.add(6)
    assert await shelf.ids() == [6, 5, 4, 3, 2, 1]
    opened = await shelf.reopen()
    assert [one.dispatch.id for one in opened.open_messages] == [
        number * 10_000 for number in range(1, 7)
    ]
    assert opened.trouble is None
    assert shelf.trouble() is None
    with full_disk(16 * 1024):
        await shelf.add(7, text=LONG)
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE] * 2
    assert shelf.trouble() is LedgerTrouble.UNWRITABLE


async def test_what_became_of_a_message_that_was_not_on_disk_is_not_lost(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    dispatch = a_dispatch(text=LONG)
    waiting, sent, failed = (a_message(dispatch, place) for place in (1, 2, 3))
    taken = replace(sent, stage=Stage.TAKEN, status=Status.SENT, provider_id="1")
    closed = replace(failed, stage=Stage.CLOSED, status=Status.FAILED)
    intent = SubmissionIntent(
        reference="ref", dispatch=dispatch.id, account="casa", created=1.5
    )
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.05"))
    with full_disk(64 * 1024):
        await shelf.ledger.record(
            Entry(dispatch=dispatch, added=[waiting, sent, failed])
        )
        await shelf.ledger.record(Entry(changed=[taken], submissions=[intent]))
        await shelf.ledger.record(Entry(changed=[closed], spent=[spent]))
        await shelf.ledger.record(Entry(spent=[spent]))
    # An entry that says nothing about them.
    await shelf.ledger.record(Entry())
    left = Shelf(tmp_path / "left.db")
    copy_as_after_a_crash(shelf.path, left.path)
    opened = await left.open()
    assert opened.open_messages == (waiting, taken)
    assert opened.totals == {"casa": DayTotal(parts=2, cost=Decimal("0.10"))}
    assert (await left.ledger.find(Query())).messages == (closed, taken, waiting)
    await left.ledger.close()
    with closing(sqlite3.connect(left.path)) as database:
        assert database.execute("SELECT reference FROM submissions").fetchall() == [
            ("ref",)
        ]


async def test_what_is_written_late_does_not_undo_what_came_after_it(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await shelf.add(1)
    await shelf.reopen()
    with full_disk(1024):
        await shelf.add(2, text=LONG)
        small = await shelf.add(3)
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE]
    assert await shelf.ids() == [1]
    taken = replace(small, stage=Stage.TAKEN, status=Status.SENT)
    with full_disk(64 * 1024):
        # The long one still finds no room, and what waits with it neither.
        await shelf.ledger.record(Entry(changed=[taken]))
    assert await shelf.ids() == [3, 1]
    await shelf.ledger.record(Entry())
    found = await shelf.ledger.find(Query())
    assert [one.dispatch.id for one in found.messages] == [30_000, 20_000, 10_000]
    assert found.messages[0] == taken


async def test_a_reload_forgets_nothing_while_the_disk_is_full(shelf: Shelf) -> None:
    await shelf.open()
    known = await shelf.add(1)
    waiting = a_message(a_dispatch(2, text=LONG))
    closed = replace(known, stage=Stage.CLOSED, status=Status.DELIVERED)
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.05"))
    await shelf.ledger.record(Entry(spent=[spent]))
    with full_disk(64 * 1024):
        await shelf.ledger.record(
            Entry(
                dispatch=waiting.dispatch,
                added=[waiting],
                changed=[closed],
                spent=[spent],
            )
        )
        opened = await shelf.reopen()
    assert opened.open_messages == (waiting,)
    assert opened.totals == {"casa": DayTotal(parts=2, cost=Decimal("0.10"))}
    await shelf.reopen()
    assert await shelf.reopen() == opened


def test_closed_messages_that_cannot_be_written_are_not_kept_without_end() -> None:
    backlog = Backlog()
    for index in range(1, 71):
        dispatch = a_dispatch(index)
        closed = [
            a_message(dispatch, place, stage=Stage.CLOSED) for place in range(1, 101)
        ]
        intent = SubmissionIntent(
            reference=f"{index}", dispatch=dispatch.id, account="casa", created=1.0
        )
        backlog.absorb(
            Entry(
                dispatch=dispatch,
                added=[*closed, a_message(dispatch, 101)],
                submissions=[intent],
            )
        )
    entry = backlog.take()
    assert entry is not None
    stages = Counter(message.stage for message in entry.changed)
    assert stages == {Stage.WAITING: 70, Stage.CLOSED: 5000}
    # Of the closed ones, the newest.
    assert {one.dispatch.id for one in entry.changed if one.stage is Stage.CLOSED} == {
        index * 10_000 for index in range(21, 71)
    }
    assert len(entry.submissions) == 70
    assert backlog.take() is None


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


# Damage


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff rubbish " * 1000)


def garbage_behind_the_header(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def a_newer_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()


def somebody_elses(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE messages (id INTEGER, hello TEXT)")
    database.close()


def a_word_nobody_knows(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET status = 'qveved'")
    database.close()


def a_dispatch_missing(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM dispatches")
    database.close()


def a_number_that_is_a_text(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET cost = 'tanto'")
    database.close()


def a_text_that_is_no_text(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE messages SET number = CAST(CAST(number AS BLOB) || x'ff' AS TEXT)"
        )
    database.close()


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        garbage_behind_the_header,
        truncated,
        a_newer_version,
        somebody_elses,
        a_word_nobody_knows,
        a_dispatch_missing,
        a_number_that_is_a_text,
        a_text_that_is_no_text,
    ],
)
async def test_a_file_that_cannot_be_used_is_set_aside_and_a_new_one_begun(
    shelf: Shelf, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.add(1, text="x" * 20_000)
    await shelf.ledger.close()
    damage(shelf.path)
    damaged = shelf.path.read_bytes()
    opened = await shelf.open()
    assert opened == Opened(
        open_messages=(), totals={}, trouble=LedgerTrouble.SET_ASIDE
    )
    assert shelf.troubles == [LedgerTrouble.SET_ASIDE]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert NUMBER not in caplog.text
    (aside,) = [
        path
        for path in shelf.path.parent.iterdir()
        if "set_aside" in path.name and not path.name.endswith(("-wal", "-shm"))
    ]
    assert len(aside.read_bytes()) == len(damaged)
    await shelf.add(2)
    opened = await shelf.reopen()
    assert [message.dispatch.id for message in opened.open_messages] == [20_000]
    assert shelf.troubles == [LedgerTrouble.SET_ASIDE]


async def test_half_a_commit_in_the_log_is_as_if_it_had_not_been(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    await shelf.add(1)
    await shelf.add(2)
    left = Shelf(tmp_path / "left.db")
    copy_as_after_a_crash(shelf.path, left.path)
    cut_log(left.path, 100)
    opened = await left.open()
    assert opened.trouble is None
    assert [message.dispatch.id for message in opened.open_messages] == [10_000]
    await left.ledger.close()


async def test_without_a_folder_to_write_to_the_ledger_is_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "storage"
    in_the_way.write_text("no folder")
    shelf = Shelf(in_the_way / "sms.db")
    opened = await shelf.open()
    assert opened.trouble is LedgerTrouble.IN_MEMORY
    assert shelf.troubles == [LedgerTrouble.IN_MEMORY]
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    await shelf.add(1)
    assert await shelf.ids() == [1]
    opened = await shelf.reopen()
    assert opened.open_messages == ()
    await shelf.ledger.close()
    assert in_the_way.read_text() == "no folder"


# Damage found while it is open


def spoil(path: Path) -> None:
    """Destroy the pages of a database that its open connections have not read."""
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))


def asides(path: Path) -> list[Path]:
    """Return the databases that were set aside."""
    return [one for one in path.parent.iterdir() if one.name.endswith(".set_aside")]


async def a_spoilt(shelf: Shelf) -> tuple[Message, Message]:
    """Open a ledger with much in it, and destroy it; return what is still open."""
    await shelf.open()
    for index in range(1, 40):
        await shelf.add(index, text="x" * 2000, stage=Stage.CLOSED)
    first, second = await shelf.add(40), await shelf.add(41, account="ufficio")
    await shelf.reopen()
    remembered = Remembered(
        messages=(first, second),
        totals={TODAY: {"casa": DayTotal(parts=7, cost=Decimal("0.7"))}},
    )
    shelf.ledger.remember_with(lambda: remembered)
    spoil(shelf.path)
    return first, second


async def test_damage_that_a_search_finds_is_set_aside_and_what_is_open_kept(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await a_spoilt(shelf)
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.find(Query(text="y"))
    assert shelf.troubles == [LedgerTrouble.SET_ASIDE]
    assert len(asides(shelf.path)) == 1
    assert NUMBER not in caplog.text
    assert (await shelf.ledger.find(Query())).messages == (second, first)
    third = await shelf.add(42)
    opened = await shelf.reopen()
    assert opened == Opened(
        open_messages=(first, second, third),
        totals={"casa": DayTotal(parts=7, cost=Decimal("0.7"))},
        trouble=None,
    )
    assert len(asides(shelf.path)) == 1


async def test_damage_that_a_message_meets_is_set_aside_and_the_message_kept(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await a_spoilt(shelf)
    done = replace(first, stage=Stage.CLOSED, status=Status.DELIVERED)
    # What the book tells is as new as what it has just recorded.
    totals = {TODAY: {"casa": DayTotal(parts=9, cost=Decimal("0.9"))}}
    shelf.ledger.remember_with(lambda: Remembered(messages=(second,), totals=totals))
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.1"))
    await asyncio.gather(
        shelf.ledger.record(Entry(changed=[done], spent=[spent])),
        shelf.add(50),
    )
    assert shelf.troubles == [LedgerTrouble.SET_ASIDE]
    assert len(asides(shelf.path)) == 1
    assert caplog.text.count("SQLITE_CORRUPT") == 1
    assert await shelf.ids() == [50, 41, 40]
    opened = await shelf.reopen()
    assert [one.dispatch.id for one in opened.open_messages] == [410_000, 500_000]
    assert opened.totals == totals[TODAY]


async def test_what_is_recorded_while_damage_is_set_aside_counts_once(
    shelf: Shelf,
) -> None:
    await a_spoilt(shelf)
    count = 0

    def remember() -> Remembered:
        return Remembered(totals={TODAY: {"casa": DayTotal(parts=count)}})

    async def spend() -> None:
        nonlocal count
        count += 1
        spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal(0))
        await shelf.ledger.record(Entry(spent=[spent]))

    shelf.ledger.remember_with(remember)
    search = asyncio.create_task(shelf.ledger.find(Query(text="y")))
    spending: list[asyncio.Task[None]] = []
    while not (search.done() and len(spending) > 20):
        spending.append(asyncio.create_task(spend()))
        # Not without bound: that would only keep the search from its end.
        await asyncio.sleep(0 if len(spending) < 100 else 0.001)
    assert isinstance(search.exception(), LedgerUnreadableError)
    await asyncio.gather(*spending)
    assert shelf.troubles == [LedgerTrouble.SET_ASIDE]
    opened = await shelf.reopen()
    assert opened.totals == {"casa": DayTotal(parts=len(spending))}


async def test_a_fault_of_ours_while_damage_is_set_aside_keeps_nobody_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither whoever met the damage, nor what is recorded meanwhile."""
    meanwhile: list[asyncio.Task[Message]] = []

    def break_down(_trouble: LedgerTrouble) -> None:
        raise RuntimeError(TEXT)

    def remember() -> Remembered:
        meanwhile.append(asyncio.create_task(broken.add(50)))
        return Remembered()

    broken = Shelf(tmp_path / "sms.db")
    broken.ledger = Ledger(broken.path, break_down)
    await a_spoilt(broken)
    broken.ledger.remember_with(remember)
    async with asyncio.timeout(5):
        with pytest.raises(LedgerUnreadableError):
            await broken.ledger.find(Query(text="y"))
        await asyncio.gather(*meanwhile)
        assert await broken.ids() == [50]
    assert "RuntimeError" in caplog.text
    assert TEXT not in caplog.text
    await broken.ledger.close()


async def test_where_damage_cannot_be_set_aside_the_ledger_goes_on_in_memory(
    shelf: Shelf,
) -> None:
    first, second = await a_spoilt(shelf)
    away = shelf.path.parent.with_name("away")
    shelf.path.parent.rename(away)
    shelf.path.parent.write_text("in the way")
    third = await shelf.add(50)
    assert shelf.troubles == [LedgerTrouble.IN_MEMORY]
    assert shelf.trouble() is LedgerTrouble.IN_MEMORY
    assert (await shelf.ledger.find(Query())).messages == (third, second, first)


async def test_what_cannot_be_read_is_told_once_and_asked_for_in_vain(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    bad = await shelf.add(1, stage=Stage.CLOSED)
    await shelf.add(2, account="ufficio")
    a_word_nobody_knows(shelf.path)
    for _ in range(3):
        with pytest.raises(LedgerUnreadableError):
            await shelf.ledger.find(Query())
        with pytest.raises(LedgerUnreadableError):
            await shelf.ledger.message(bad.id)
        assert await shelf.ledger.latest("casa") == ()
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    # One bad row is no reason to lose all the others.
    assert not shelf.troubles
    assert not asides(shelf.path)
    with closing(sqlite3.connect(shelf.path, isolation_level=None)) as database:
        database.execute("UPDATE messages SET status = 'queued'")
    assert await shelf.ledger.message(bad.id) == bad
    a_word_nobody_knows(shelf.path)
    assert await shelf.ledger.latest("casa") == ()
    assert [one.levelname for one in caplog.records] == ["ERROR"] * 2


async def test_a_table_that_is_gone_leaves_everybody_with_nothing(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.add(1)
    with closing(sqlite3.connect(shelf.path)) as database:
        for table in ("totals", "messages", "dispatches"):
            database.execute(f"DROP TABLE {table}")
    assert await shelf.ledger.totals_between("casa", TODAY, TODAY) == {}
    assert await shelf.ledger.prices("casa") == {}
    assert await shelf.ledger.latest("casa") == ()
    # It is safer not to use a reference again that may be known.
    assert await shelf.ledger.knows_reference("ref")
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.find(Query())
    with pytest.raises(sqlite3.Error):
        await shelf.ledger.totals(TODAY)
    await shelf.ledger.trim("casa", 2e9)
    await shelf.ledger.forget("casa")


# Finding


async def test_messages_are_found_newest_first_page_by_page(shelf: Shelf) -> None:
    await shelf.open()
    for number in range(1, 8):
        await shelf.add(number)
    pages = [
        await shelf.ledger.find(Query(limit=3, offset=offset)) for offset in (0, 3, 6)
    ]
    assert [page.total for page in pages] == [7, 7, 7]
    assert [
        [message.dispatch.id // 10_000 for message in page.messages] for page in pages
    ] == [[7, 6, 5], [4, 3, 2], [1]]
    beyond = await shelf.ledger.find(Query(offset=7))
    assert (beyond.messages, beyond.total) == ((), 7)


async def test_the_total_counts_only_what_matches(shelf: Shelf) -> None:
    await shelf.open()
    for number in range(1, 8):
        await shelf.add(number, account="casa" if number % 2 else "ufficio")
    found = await shelf.ledger.find(Query(account="casa", limit=1))
    assert (len(found.messages), found.total) == (1, 4)


async def test_each_filter_narrows_and_all_of_them_together(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.add(1, text="Porta aperta", created=100.0)
    await shelf.add(2, text="Porta chiusa", created=200.0, number=OTHER)
    await shelf.add(3, text="Finestra", created=300.0, status=Status.FAILED)
    await shelf.add(4, text="Porta", created=400.0, account="ufficio")
    assert await shelf.ids(text="porta") == [4, 2, 1]
    assert await shelf.ids(account="casa") == [3, 2, 1]
    assert await shelf.ids(number=OTHER) == [2]
    assert await shelf.ids(status=Status.FAILED) == [3]
    assert await shelf.ids(since=200.0) == [4, 3, 2]
    assert await shelf.ids(until=200.0) == [2, 1]
    assert await shelf.ids(since=150.0, until=350.0) == [3, 2]
    assert await shelf.ids(
        text="PORTA",
        account="casa",
        number=OTHER,
        status=Status.QUEUED,
        since=200.0,
        until=200.0,
    ) == [2]
    assert await shelf.ids(text="porta", status=Status.FAILED) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%", [1]),
        ("_", [2]),
        ("'", [3]),
        ('"', [4]),
        ("\\", [5]),
        ("100%", [1]),
        ("x' OR '1'='1", []),
        ("'; DROP TABLE messages; --", []),
        ("*", []),
        ("", [6, 5, 4, 3, 2, 1]),
    ],
)
async def test_every_character_of_a_text_that_is_looked_for_is_only_a_character(
    shelf: Shelf, text: str, expected: list[int]
) -> None:
    await shelf.open()
    texts = ("100% umido", "a_b", "l'allarme", 'detto "ciao"', "c:\\casa", "niente")
    for number, one in enumerate(texts, 1):
        await shelf.add(number, text=one)
    assert await shelf.ids(text=text) == expected


@pytest.mark.parametrize(
    ("kept", "looked_for"),
    [
        ("PERCHÉ SÌ", "PERCHÉ"),
        ("PERCHÉ SÌ", "perché sì"),
        ("è scattato", "È"),
        ("Straße", "STRASSE"),
        ("ΣΟΦΟΣ", "σοφος"),
    ],
)
async def test_a_text_is_found_in_capitals_and_in_small_letters_with_accents_too(
    shelf: Shelf, kept: str, looked_for: str
) -> None:
    await shelf.open()
    await shelf.add(1, text=kept)
    assert await shelf.ids(text=looked_for) == [1]


async def test_a_message_is_found_by_its_id_open_or_closed(shelf: Shelf) -> None:
    await shelf.open()
    first = await shelf.add(1)
    second = await shelf.add(2, stage=Stage.CLOSED, status=Status.FAILED)
    assert await shelf.ledger.message(first.id) == first
    assert await shelf.ledger.message(second.id) == second
    third = 30_001
    assert await shelf.ledger.message(third) is None
    added = asyncio.create_task(shelf.add(3))
    await asyncio.sleep(0)
    # What was told already is found, on disk or not.
    found = await shelf.ledger.message(third)
    assert found == await added


async def test_the_newest_dispatch_of_an_account_and_of_a_recipient_is_found(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch(1)
    mother = a_message(dispatch, 1, recipient="mamma")
    father = a_message(dispatch, 2, recipient="papà", number=OTHER)
    await shelf.ledger.record(Entry(dispatch=dispatch, added=[mother, father]))
    newer = await shelf.add(2, recipient="mamma")
    other = await shelf.add(3, account="ufficio")
    assert await shelf.ledger.latest("casa") == (newer,)
    assert await shelf.ledger.latest("casa", "mamma") == (newer,)
    assert await shelf.ledger.latest("casa", "papà") == (father,)
    assert await shelf.ledger.latest("ufficio") == (other,)
    assert await shelf.ledger.latest("nessuno") == ()


async def test_a_reference_that_somebody_gave_is_known_once_it_was_used(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch(wishes=Wishes(reference="fattura-7"))
    await shelf.ledger.record(Entry(dispatch=dispatch, added=[a_message(dispatch)]))
    assert not await shelf.ledger.knows_reference("fattura-7")
    intent = SubmissionIntent(
        reference="fattura-7", dispatch=dispatch.id, account="casa", created=1.0
    )
    await shelf.ledger.record(Entry(submissions=[intent]))
    assert await shelf.ledger.knows_reference("fattura-7")
    assert not await shelf.ledger.knows_reference("fattura-8")


async def test_prices_are_what_was_paid_last_for_a_part_by_country(
    shelf: Shelf,
) -> None:
    await shelf.open()
    load()
    rows: list[dict[str, object]] = [
        {"parts": 1, "cost": Decimal("0.05")},
        {"parts": 3, "cost": Decimal("0.18")},
        {"parts": 2, "cost": None},
        {"parts": 0, "cost": Decimal(0)},
        {"parts": 2, "cost": Decimal("0.24"), "number": "+33612345678"},
        {"parts": 1, "cost": Decimal("0.09"), "carrier": "riserva"},
        {"parts": 1, "cost": Decimal(7), "number": group_address("12")},
    ]
    for index, row in enumerate(rows, 1):
        await shelf.add(index, **{"carrier": "casa"} | row)
    assert await shelf.ledger.prices("casa") == {
        "IT": Decimal("0.06"),
        "FR": Decimal("0.12"),
    }
    assert await shelf.ledger.prices("riserva") == {"IT": Decimal("0.09")}
    assert await shelf.ledger.prices("nessuno") == {}


# The same as by looking at every message

_ACCOUNTS = st.sampled_from(["casa", "ufficio"])
_TEXTS = st.sampled_from(["Porta", "PORTÀ aperta", "fumo"])
_QUERIES = st.builds(
    Query,
    account=st.none() | _ACCOUNTS,
    status=st.none() | st.sampled_from(Status),
    number=st.none() | st.sampled_from([NUMBER, OTHER]),
    text=st.none() | st.sampled_from(["portà", "O", ""]),
    since=st.none() | st.integers(0, 12).map(float),
    until=st.none() | st.integers(0, 12).map(float),
    limit=st.integers(1, 5),
    offset=st.integers(0, 5),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A new dispatch, and the statuses of its messages."""

    account: str
    text: str
    created: float
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Another status of some messages."""

    every: int
    status: Status
    stage: Stage


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Forgetting what is old."""

    account: str
    before: float


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Forgetting an account."""

    account: str


type Deed = Sent | Told | Trimmed | Forgotten

_DEEDS: st.SearchStrategy[list[Deed]] = st.lists(
    st.one_of(
        st.builds(
            Sent,
            _ACCOUNTS,
            _TEXTS,
            st.integers(1, 10).map(float),
            st.lists(st.sampled_from(Status), min_size=1, max_size=3).map(tuple),
        ),
        st.builds(
            Told,
            st.integers(1, 3),
            st.sampled_from(Status),
            st.sampled_from([Stage.TAKEN, Stage.CLOSED]),
        ),
        st.builds(Trimmed, _ACCOUNTS, st.integers(1, 10).map(float)),
        st.builds(Forgotten, _ACCOUNTS),
    ),
    max_size=12,
)


def _matches(query: Query, message: Message) -> bool:
    """Tell whether a message is one of those that are looked for."""
    dispatch = message.dispatch
    return (
        query.account in {None, dispatch.account}
        and query.status in {None, message.status}
        and query.number in {None, message.number}
        and (query.text or "").casefold() in dispatch.text.casefold()
        and (query.since is None or dispatch.created >= query.since)
        and (query.until is None or dispatch.created <= query.until)
    )


async def _do(ledger: Ledger, kept: dict[int, Message], index: int, deed: Deed) -> None:
    """Do something with a ledger, and the same with what it must hold."""
    match deed:
        case Sent():
            dispatch = a_dispatch(
                index, account=deed.account, text=deed.text, created=deed.created
            )
            added = [
                a_message(
                    dispatch,
                    place,
                    status=status,
                    number=NUMBER if place % 2 else OTHER,
                    stage=Stage.CLOSED if place % 2 else Stage.TAKEN,
                )
                for place, status in enumerate(deed.statuses, 1)
            ]
            kept |= {message.id: message for message in added}
            await ledger.record(Entry(dispatch=dispatch, added=added))
        case Told():
            changed = [
                replace(message, status=deed.status, stage=deed.stage)
                for message in list(kept.values())[:: deed.every]
            ]
            kept |= {message.id: message for message in changed}
            await ledger.record(Entry(changed=changed))
        case Trimmed():
            is_open = {
                message.dispatch.id
                for message in kept.values()
                if message.stage is not Stage.CLOSED
            }
            for message in list(kept.values()):
                dispatch = message.dispatch
                if (
                    dispatch.account == deed.account
                    and dispatch.created < deed.before
                    and dispatch.id not in is_open
                ):
                    del kept[message.id]
            await ledger.trim(deed.account, deed.before)
        case Forgotten():
            for message in list(kept.values()):
                if message.dispatch.account == deed.account:
                    del kept[message.id]
            await ledger.forget(deed.account)


@settings(max_examples=150, deadline=None)
@given(_DEEDS, st.lists(_QUERIES, max_size=5))
def test_a_search_finds_and_counts_what_a_look_at_every_message_does(
    deeds: list[Deed], queries: list[Query]
) -> None:
    async def go_through() -> None:
        ledger = Ledger(Path(":memory:"), lambda _: None)
        await ledger.open(TODAY)
        kept: dict[int, Message] = {}
        for index, deed in enumerate(deeds, 1):
            await _do(ledger, kept, index, deed)
        everything = [Query(limit=1000), *(Query(status=one) for one in Status)]
        for query in [*everything, *queries]:
            found = await ledger.find(query)
            matching = {one.id: one for one in kept.values() if _matches(query, one)}
            assert found.total == len(matching)
            page = [one.id for one in found.messages]
            assert len(page) == min(query.limit, max(0, len(matching) - query.offset))
            assert all(one == matching[one.id] for one in found.messages)
            by_id = sorted(matching, reverse=True)
            by_time = sorted(
                matching, key=lambda id_: (matching[id_].dispatch.created, id_)
            )[::-1]
            here = slice(query.offset, query.offset + query.limit)
            assert page in (by_id[here], by_time[here])
        await ledger.close()

    with asyncio.Runner() as runner:
        runner.run(go_through())


# Pictures

PICTURE = Picture(
    content=b"\xff\xd8" + bytes(5000),
    filename="ingresso.jpg",
    content_type="image/jpeg",
)


def pictures_in(path: Path) -> int:
    """Return how many pictures a ledger holds."""
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM pictures").fetchone()
    assert isinstance(count, int)
    return count


def a_pictured(index: int = 1) -> list[Message]:
    """Return two messages of a dispatch with a picture."""
    wishes = Wishes(picture=PICTURE, channel=Channel.PUSH, send_at=9.5, groups=("a",))
    dispatch = a_dispatch(index, wishes=wishes)
    return [a_message(dispatch, place) for place in (1, 2)]


async def test_a_picture_comes_back_with_open_messages_only(shelf: Shelf) -> None:
    await shelf.open()
    messages = a_pictured()
    await shelf.ledger.record(Entry(dispatch=messages[0].dispatch, added=messages))
    opened = await shelf.reopen()
    assert list(opened.open_messages) == messages
    bare = replace(messages[0].dispatch.wishes, picture=None)
    found = await shelf.ledger.find(Query())
    shown = await shelf.ledger.message(messages[0].id)
    assert shown is not None
    for one in (*found.messages, *await shelf.ledger.latest("casa"), shown):
        assert one.dispatch.wishes == bare


async def test_a_picture_is_forgotten_with_the_last_of_its_messages(
    shelf: Shelf,
) -> None:
    await shelf.open()
    first, second = a_pictured()
    await shelf.ledger.record(Entry(dispatch=first.dispatch, added=[first, second]))
    assert pictures_in(shelf.path) == 1
    for message, left in ((first, 1), (second, 0)):
        closed = replace(message, stage=Stage.CLOSED, status=Status.DELIVERED)
        await shelf.ledger.record(Entry(changed=[closed]))
        assert pictures_in(shelf.path) == left


async def test_a_picture_that_nobody_gets_is_not_kept(shelf: Shelf) -> None:
    await shelf.open()
    refused = [replace(one, stage=Stage.CLOSED) for one in a_pictured()]
    await shelf.ledger.record(Entry(dispatch=refused[0].dispatch, added=refused))
    assert pictures_in(shelf.path) == 0


async def test_a_picture_that_was_not_on_disk_comes_late(shelf: Shelf) -> None:
    await shelf.open()
    messages = a_pictured()
    with full_disk(4096):
        await shelf.ledger.record(Entry(dispatch=messages[0].dispatch, added=messages))
    await shelf.ledger.record(Entry())
    opened = await shelf.reopen()
    assert list(opened.open_messages) == messages


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
        a_message(dispatch, 2, stage=Stage.TAKEN),
    ]
    await shelf.ledger.record(Entry(dispatch=dispatch, added=messages))
    await shelf.ledger.trim("casa", 1000.0)
    assert await shelf.ids() == [1, 1]
    closed = replace(messages[1], stage=Stage.CLOSED)
    await shelf.ledger.record(Entry(changed=[closed]))
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
            wishes=Wishes(picture=PICTURE, reference=f"r{index}"),
        )
        intent = SubmissionIntent(
            reference=f"r{index}", dispatch=dispatch.id, account=account, created=1.0
        )
        spent = Spent(day=TODAY, account=account, parts=1, cost=Decimal("0.1"))
        entries.append(
            Entry(
                dispatch=dispatch,
                added=[a_message(dispatch)],
                submissions=[intent],
                spent=[spent],
            )
        )
    await shelf.ledger.keep_identity("via", "user")
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
        "identities": 0,
        "counts": 1,
    }
    assert "via" not in str(left)


async def test_an_account_that_is_forgotten_does_not_come_back_when_the_disk_does(
    shelf: Shelf,
) -> None:
    await shelf.open()
    spent = Spent(day=TODAY, account="via", parts=1, cost=Decimal(1))
    with full_disk(4096):
        await shelf.add(1, account="via", text=LONG)
        await shelf.ledger.record(Entry(spent=[spent]))
        late = asyncio.create_task(shelf.add(2, account="via", text=LONG))
        await asyncio.sleep(0)
        await shelf.ledger.forget("via")
        await late
    await shelf.add(3)
    assert await shelf.ids() == [3]
    assert not await shelf.ledger.totals_between("via", TODAY, TODAY)


# Being backed up


async def test_while_held_the_file_does_not_change_and_the_log_has_all_that_is_new(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    await shelf.add(1)
    await shelf.ledger.hold()
    held = shelf.path.read_bytes()
    left = Shelf(tmp_path / "left.db")
    left.path.write_bytes(held)
    # Far more than what SQLite lets gather in its log otherwise.
    for index in range(2, 42):
        await shelf.add(index, text="x" * 200_000)
    assert shelf.path.read_bytes() == held
    copy_as_after_a_crash(shelf.path, left.path)
    opened = await left.open()
    assert opened.trouble is None
    assert len(opened.open_messages) == 41
    await left.ledger.close()
    await shelf.ledger.release()
    await shelf.add(42)
    assert shelf.path.read_bytes() != held
    assert len((await shelf.reopen()).open_messages) == 42


async def test_a_ledger_that_is_held_stays_so_when_it_is_opened_again(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await shelf.add(1)
    await shelf.ledger.hold()
    held = shelf.path.read_bytes()
    await shelf.add(2)
    await shelf.reopen()
    await shelf.add(3)
    await shelf.ledger.close()
    assert shelf.path.read_bytes() == held
    await shelf.ledger.release()
    assert len((await shelf.open()).open_messages) == 3
    await shelf.ledger.close()
    assert shelf.path.read_bytes() != held


async def test_a_copy_made_while_messages_come_is_whole(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()

    async def write(start: int) -> None:
        for number in range(start, start + 20):
            dispatch = a_dispatch(number)
            spent = Spent(day=TODAY, account="casa", parts=3, cost=Decimal("0.3"))
            added = [a_message(dispatch, index) for index in (1, 2, 3)]
            await shelf.ledger.record(
                Entry(dispatch=dispatch, added=added, spent=[spent])
            )

    paths = [tmp_path / f"copy{number}.db" for number in range(5)]

    async def copy() -> None:
        for path in paths:
            await shelf.ledger.hold()
            await asyncio.to_thread(copy_as_after_a_crash, shelf.path, path)
            await shelf.ledger.release()

    await asyncio.gather(copy(), *(write(1000 * n) for n in range(1, 6)))
    for path in paths:
        copied = Shelf(path)
        opened = await copied.open()
        assert opened.trouble is None
        assert len(opened.open_messages) % 3 == 0
        parts = opened.totals.get("casa", DayTotal()).parts
        assert parts == len(opened.open_messages)
        await copied.ledger.close()
    assert len((await shelf.reopen()).open_messages) == 300


# Totals


async def test_totals_are_kept_by_day_and_account(shelf: Shelf) -> None:
    await shelf.open()
    rows = [
        ("2026-11-12", "casa", 1, "0.1"),
        ("2026-11-13", "casa", 2, "0.2"),
        ("2026-11-13", "casa", -1, "-0.05"),
        ("2026-11-13", "ufficio", 5, "0.5"),
        (TODAY, "casa", 7, "0.7"),
    ]
    for day, account, parts, cost in rows:
        spent = Spent(day=day, account=account, parts=parts, cost=Decimal(cost))
        await shelf.ledger.record(Entry(spent=[spent]))
    assert await shelf.ledger.totals_between("casa", "2026-11-13", TODAY) == {
        "2026-11-13": DayTotal(parts=1, cost=Decimal("0.15")),
        TODAY: DayTotal(parts=7, cost=Decimal("0.7")),
    }
    assert await shelf.ledger.totals_between("nessuno", "2000-01-01", TODAY) == {}
    opened = await shelf.reopen()
    assert opened.totals == {"casa": DayTotal(parts=7, cost=Decimal("0.7"))}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.decimals(-1000, 1000, places=6, allow_nan=False, allow_infinity=False),
        min_size=1,
        max_size=40,
    )
)
def test_money_adds_up_to_the_last_millionth(costs: list[Decimal]) -> None:
    async def sum_up() -> Decimal:
        ledger = Ledger(Path(":memory:"), lambda _: None)
        await ledger.open(TODAY)
        for cost in costs:
            spent = Spent(day=TODAY, account="casa", parts=1, cost=cost)
            await ledger.record(Entry(spent=[spent]))
        totals = await ledger.totals_between("casa", TODAY, TODAY)
        await ledger.close()
        return totals[TODAY].cost

    with asyncio.Runner() as runner:
        assert runner.run(sum_up()) == sum(costs)


@pytest.mark.parametrize("cost", ["0.057", "0.000001", "12345678.9", "0", "1E+3"])
async def test_a_cost_comes_back_as_it_was_told(shelf: Shelf, cost: str) -> None:
    await shelf.open()
    await shelf.add(1, cost=Decimal(cost))
    (message,) = (await shelf.reopen()).open_messages
    assert message.cost == Decimal(cost)


# Being killed

_WRITER = """
import asyncio, sys
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from custom_components.sms_italia.messaging.ledger import (
    Entry, Ledger, Spent, SubmissionIntent
)
from custom_components.sms_italia.messaging.model import Dispatch, Message, Stage
from custom_components.sms_italia.providers.model import Encoding, Status

async def write(ledger, writer):
    for count in range(100_000):
        id_ = (writer * 100_000 + count + 1) * 10
        dispatch = Dispatch(
            id=id_, account="casa", text="x" * 3000, encoding=Encoding.GSM7, parts=1,
            created=1.0, expires=2.0, route=("casa",),
        )
        messages = [
            Message(
                id=id_ + n, dispatch=dispatch, number="+393331234567", recipient=None,
                status=Status.QUEUED, stage=Stage.SUBMITTING, updated=1.0, parts=1,
                carrier="casa", submission=str(id_),
            )
            for n in (1, 2, 3)
        ]
        intent = SubmissionIntent(
            reference=str(id_), dispatch=id_, account="casa", created=1.0
        )
        await ledger.record(
            Entry(dispatch=dispatch, added=messages, submissions=[intent])
        )
        taken = [
            replace(one, stage=Stage.TAKEN, provider_id=str(one.id)) for one in messages
        ]
        spent = Spent(day="2026-11-14", account="casa", parts=3, cost=Decimal("0.3"))
        await ledger.record(Entry(changed=taken, spent=[spent]))
        print(id_, flush=True)

async def main():
    ledger = Ledger(Path(sys.argv[1]), print)
    await ledger.open("2026-11-14")
    await asyncio.gather(*(write(ledger, writer) for writer in range(4)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40, 90])
async def test_a_process_that_is_killed_leaves_only_whole_entries(
    tmp_path: Path, acknowledged: int
) -> None:
    shelf = Shelf(tmp_path / "sms.db")
    writer = await asyncio.create_subprocess_exec(
        *python(_WRITER, shelf.path), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    done = set[int]()
    while len(done) < acknowledged:
        done.add(int(await writer.stdout.readline()))
    writer.kill()
    rest, _ = await writer.communicate()
    # The last line may have been cut.
    done |= {int(line) for line in rest.splitlines(keepends=True) if line[-1:] == b"\n"}

    opened = await shelf.open()
    assert opened.trouble is None
    by_dispatch: dict[int, list[Message]] = {}
    for message in opened.open_messages:
        by_dispatch.setdefault(message.dispatch.id, []).append(message)
    assert {len(messages) for messages in by_dispatch.values()} == {3}
    stages = {
        id_: {message.stage for message in messages}
        for id_, messages in by_dispatch.items()
    }
    assert all(len(together) == 1 for together in stages.values())
    taken = {id_ for id_, together in stages.items() if together == {Stage.TAKEN}}
    assert done <= taken
    assert opened.totals["casa"] == DayTotal(
        parts=3 * len(taken), cost=Decimal("0.3") * len(taken)
    )
    await shelf.ledger.close()


async def test_a_sound_ledger_that_is_locked_is_not_set_aside(tmp_path: Path) -> None:
    """What keeps it from being opened is not the file's fault."""
    path = tmp_path / "ledger.db"
    troubles: list[LedgerTrouble] = []
    first = Ledger(path, troubles.append)
    await first.open("2026-11-23")
    await first.close()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    lock.execute("CREATE TABLE held (x)")

    second = Ledger(path, troubles.append)
    await second.open("2026-11-23")
    await second.close()
    lock.close()

    assert troubles == [LedgerTrouble.IN_MEMORY]
    assert not list(tmp_path.glob("*.set_aside"))  # noqa: ASYNC240 - a test may
