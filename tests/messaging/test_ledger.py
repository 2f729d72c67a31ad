"""The ledger on a real disk: what it keeps, through crashes and damage too."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
import logging
from pathlib import Path
import resource
import sqlite3
import struct
import sys
import textwrap
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.ledger import (
    SCHEMA_VERSION,
    Entry,
    Ledger,
    LedgerClosedError,
    LedgerTrouble,
    Opened,
    Query,
    Spent,
    SubmissionIntent,
)
from custom_components.sms_italia.messaging.model import DayTotal, Message, Stage
from custom_components.sms_italia.providers.model import Encoding, ErrorKind, Status

from .helpers import (
    NUMBER,
    OTHER,
    a_dispatch,
    a_message,
    copy_as_after_a_crash,
)

TODAY = "2026-11-14"


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

    async def add(self, index: int = 1, /, **changes: Any) -> Message:  # noqa: ANN401 - fields of a message
        """Record a dispatch of one message; some of the changes are the dispatch's."""
        of_dispatch = {
            name: changes.pop(name)
            for name in ("text", "account", "created")
            if name in changes
        }
        dispatch = a_dispatch(index, **of_dispatch)
        message = a_message(dispatch, **changes)
        await self.ledger.record(Entry(dispatch=dispatch, added=[message]))
        return message

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


async def test_records_made_at_the_same_time_are_committed_together(
    shelf: Shelf,
) -> None:
    await shelf.open()
    before = commits_in(shelf.path)
    await shelf.add(1)
    assert commits_in(shelf.path) == before + 1
    await asyncio.gather(*(shelf.add(number) for number in range(2, 202)))
    assert len(await shelf.ids(limit=500)) == 201
    # The first one goes alone; while it does, all the others gather.
    assert commits_in(shelf.path) == before + 3


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
    good = a_message(dispatch, 1)
    twice = a_message(dispatch, 2)
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal(1))
    await shelf.ledger.record(
        Entry(dispatch=dispatch, added=[good, twice, twice], spent=[spent])
    )
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert await shelf.ids() == [1]
    assert not await shelf.ledger.totals_between("casa", TODAY, TODAY)


@pytest.mark.parametrize("text", ["\ud800", "zia \udcff"])
async def test_what_sqlite_cannot_hold_does_not_stop_what_comes_after(
    shelf: Shelf, text: str
) -> None:
    await shelf.open()
    await shelf.add(1, number=text)
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE]
    await shelf.add(2)
    await shelf.ledger.trim("casa", 0)
    opened = await shelf.reopen()
    assert [message.dispatch.id for message in opened.open_messages] == [20_000]


async def test_what_cannot_be_written_takes_nothing_along_that_came_with_it(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await asyncio.gather(
        *(
            shelf.add(number, number="\ud800" if number == 3 else NUMBER)
            for number in range(1, 7)
        )
    )
    assert await shelf.ids() == [6, 5, 4, 2, 1]


async def test_a_full_disk_is_told_once_and_forgotten_when_there_is_room_again(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.add(1)
    with full_disk(64 * 1024):
        for number in range(2, 6):
            await shelf.add(number, text="x" * 200_000)
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE]
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1
    await shelf.add(6)
    opened = await shelf.reopen()
    assert [one.dispatch.id for one in opened.open_messages] == [10_000, 60_000]
    assert opened.trouble is None
    with full_disk(16 * 1024):
        await shelf.add(7, text="x" * 200_000)
    assert shelf.troubles == [LedgerTrouble.UNWRITABLE] * 2


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
import asyncio, sys, types

root, path = sys.argv[1:]
sys.path.insert(0, root)
# The integration's own package would load the whole of Home Assistant.
package = types.ModuleType("custom_components.sms_italia")
package.__path__ = [f"{root}/custom_components/sms_italia"]
sys.modules[package.__name__] = package

from dataclasses import replace
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
            sender=None, created=1.0, expires=2.0, route=("casa",),
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
    ledger = Ledger(Path(path), print)
    await ledger.open("2026-11-14")
    await asyncio.gather(*(write(ledger, writer) for writer in range(4)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40, 90])
async def test_a_process_that_is_killed_leaves_only_whole_entries(
    tmp_path: Path, acknowledged: int
) -> None:
    shelf = Shelf(tmp_path / "sms.db")
    root = Path(__file__).parents[2]
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(_WRITER),
        str(root),
        str(shelf.path),
        stdout=asyncio.subprocess.PIPE,
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
