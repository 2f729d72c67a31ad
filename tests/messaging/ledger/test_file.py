"""The ledger's file: opened, brought up to date, written, and set aside."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
import shutil
import sqlite3

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerTrouble,
    Query,
    Spent,
    file,
)
from custom_components.sms_italia.messaging.ledger.file import LedgerFile
from custom_components.sms_italia.messaging.ledger.records import Opened
from custom_components.sms_italia.messaging.ledger.schema import (
    MIGRATIONS,
    SCHEMA_VERSION,
)
from custom_components.sms_italia.messaging.model import (
    DayTotal,
    Message,
    Stage,
)
from custom_components.sms_italia.providers import (
    Status,
)

from ..helpers import (
    NUMBER,
    a_dispatch,
    a_message,
    copy_as_a_backup,
    copy_as_after_a_crash,
    mark_of,
    until,
)
from ..programs import python
from .helpers import (
    ENDLESS,
    LONG,
    TODAY,
    Shelf,
    asides,
    cut_log,
    full_disk,
    give_a_status_nobody_knows,
    log_size,
)

# Damage


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff rubbish " * 1000)


def garbage_behind_the_header(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def a_newer_version(path: Path) -> None:
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def a_version_that_no_way_leads_from(path: Path) -> None:
    execute(path, "PRAGMA user_version = 0")


def somebody_elses(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE messages (id INTEGER, hello TEXT)")


def somebody_elses_with_our_tables(path: Path) -> None:
    execute(path, "PRAGMA application_id = 1")


def a_dispatch_missing(path: Path) -> None:
    execute(path, "DELETE FROM dispatches")


def a_number_that_is_a_text(path: Path) -> None:
    execute(path, "UPDATE messages SET cost = 'tanto'")


def a_text_that_is_no_text(path: Path) -> None:
    execute(
        path,
        "UPDATE messages SET number = CAST(CAST(number AS BLOB) || x'ff' AS TEXT)",
    )


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        garbage_behind_the_header,
        truncated,
        a_newer_version,
        a_version_that_no_way_leads_from,
        somebody_elses,
        somebody_elses_with_our_tables,
        give_a_status_nobody_knows,
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
    (aside,) = asides(shelf.path)
    # Whosever it is, nothing in it was changed.
    assert aside.read_bytes() == damaged
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
    await shelf.ledger.close()
    assert in_the_way.read_text() == "no folder"


async def test_a_sound_ledger_that_is_locked_is_not_set_aside(tmp_path: Path) -> None:
    """What keeps it from being opened is not the file's fault."""
    path = tmp_path / "ledger.db"
    troubles: list[LedgerTrouble | None] = []
    first = Ledger(path, troubles.append, Clock())
    await first.open("2026-11-23")
    await first.close()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("PRAGMA locking_mode = EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    lock.execute("CREATE TABLE held (x)")

    second = Ledger(path, troubles.append, Clock())
    await second.open("2026-11-23")
    await second.close()
    lock.close()

    assert troubles == [LedgerTrouble.IN_MEMORY]
    assert not asides(path)


async def test_each_file_that_is_set_aside_has_a_name_of_its_own(shelf: Shelf) -> None:
    for damage in (garbage, truncated, garbage):
        await shelf.open()
        await shelf.ledger.close()
        damage(shelf.path)
    await shelf.open()
    assert len(asides(shelf.path)) == 3


async def test_nobody_else_on_the_machine_may_read_the_file(shelf: Shelf) -> None:
    shelf.path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        shelf.path.with_name(shelf.path.name + suffix).touch(mode=0o644)
    await shelf.open()
    await shelf.add()
    for one in shelf.path.parent.iterdir():
        assert one.stat().st_mode & 0o777 == 0o600


async def test_what_was_set_aside_before_a_time_is_removed(shelf: Shelf) -> None:
    """With all that belongs to it; nothing else is."""
    await shelf.open()
    names = [
        "ledger.db.500.set_aside",
        "ledger.db.500.set_aside-wal",
        "ledger.db.1500.set_aside",
        "ledger.db.old.set_aside",
        "other.db.500.set_aside",
    ]
    for name in names:
        stem, _, rest = name.partition(".db")
        own = shelf.path.name if stem == "ledger" else f"{stem}.db"
        (shelf.path.parent / f"{own}{rest}").touch()
    await shelf.ledger.remove_set_aside(1000)
    left = {one.name for one in shelf.path.parent.glob("*set_aside*")}
    assert left == {
        f"{shelf.path.name}.1500.set_aside",
        f"{shelf.path.name}.old.set_aside",
        "other.db.500.set_aside",
    }


@pytest.mark.parametrize("is_copied", [False, True])
async def test_a_ledger_that_is_removed_leaves_no_file_unless_it_is_copied(
    shelf: Shelf, *, is_copied: bool
) -> None:
    """It can be begun anew at once."""
    await shelf.open()
    message = await shelf.add()
    (shelf.path.parent / f"{shelf.path.name}.500.set_aside").touch()
    files = {one.name for one in shelf.path.parent.iterdir()}
    assert len(files) > 4
    if is_copied:
        await shelf.ledger.hold()
    await shelf.ledger.close()
    await shelf.ledger.remove()

    left = {one.name for one in shelf.path.parent.iterdir()}
    assert (shelf.path.name in left) == is_copied
    assert is_copied or not left
    opened = await shelf.open()
    assert opened.open_messages == ((message,) if is_copied else ())
    assert not opened.is_restored


# An older version

ADD_COLUMN = "ALTER TABLE messages ADD COLUMN unanswered TEXT"
FOR_EVER = """
CREATE TABLE filler (content BLOB);
INSERT INTO filler
WITH RECURSIVE one(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM one)
SELECT zeroblob(4000) FROM one
"""
"""What no disk has room for, and what never ends."""


async def an_older_file(shelf: Shelf) -> tuple[Message, ...]:
    """Make a file of version 0, which lacks a column; return the messages in it.

    And of later ones, which lack the runs of escalations and what came in.
    """
    await shelf.open()
    messages = tuple([await shelf.add(index) for index in range(1, 4)])
    spent = Spent(day=TODAY, account="casa", parts=3, cost=Decimal("0.3"))
    await shelf.ledger.record(Entry(spent=[spent]))
    await shelf.ledger.close()
    execute(
        shelf.path,
        "DROP TABLE receptions",
        "DROP TABLE runs",
        "DROP INDEX dispatches_by_run",
        "DROP INDEX dispatches_by_due",
        "ALTER TABLE dispatches DROP COLUMN run",
        "ALTER TABLE dispatches DROP COLUMN is_bulk",
        "ALTER TABLE messages DROP COLUMN size",
        "ALTER TABLE messages DROP COLUMN from_backup",
        "ALTER TABLE messages DROP COLUMN is_resent",
        "ALTER TABLE messages DROP COLUMN unanswered",
        "PRAGMA user_version = 0",
    )
    return messages


def assert_is_older(path: Path) -> None:
    """Check that a file is of version 0, with all that it had."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA user_version").fetchone() == (0,)
        tables = database.execute("SELECT name FROM sqlite_schema").fetchall()
        rows = database.execute("SELECT * FROM messages").fetchall()
        columns = database.execute("PRAGMA table_info(messages)").fetchall()
    assert ("filler",) not in tables
    assert len(rows) == 3
    assert "unanswered" not in {name for _, name, *_ in columns}


def open_with(path: Path, *steps: str) -> tuple[Opened, int]:
    """Open a file with these steps from version to version; return the version too.

    Those that follow are the real ones.
    """
    steps_by_version = {**MIGRATIONS, **dict(enumerate(steps))}
    ledger = LedgerFile(path, migrations=steps_by_version)
    opened = ledger.open(TODAY)
    (version,) = ledger.database.execute("PRAGMA user_version").fetchone()
    ledger.close()
    return opened, version


async def test_an_older_file_becomes_todays_with_all_that_is_in_it(
    shelf: Shelf,
) -> None:
    messages = await an_older_file(shelf)
    expected = Opened(
        open_messages=messages,
        totals={"casa": DayTotal(parts=3, cost=Decimal("0.3"))},
        trouble=None,
    )
    assert open_with(shelf.path, ADD_COLUMN) == (expected, SCHEMA_VERSION)
    # It is today's from now on, and is written like any other.
    assert await shelf.open() == expected
    await shelf.add(4)
    assert len((await shelf.reopen()).open_messages) == 4
    assert not asides(shelf.path)


async def test_an_older_file_goes_from_version_to_version(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = await an_older_file(shelf)
    monkeypatch.setattr(file, "SCHEMA_VERSION", 3)
    second = f"{MIGRATIONS[1]}; CREATE TABLE second (x)"
    third = f"{MIGRATIONS[3]} ALTER TABLE second ADD COLUMN y"
    opened, version = open_with(shelf.path, ADD_COLUMN, second, third)
    assert (opened.open_messages, version) == (messages, 3)


async def test_a_step_that_fails_leaves_the_version_before_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_older_file(shelf)
    monkeypatch.setattr(file, "SCHEMA_VERSION", 2)
    wrong = "CREATE TABLE second (x); INSERT INTO nowhere VALUES (1)"
    opened, _ = open_with(shelf.path, ADD_COLUMN, wrong)
    assert opened.trouble is LedgerTrouble.SET_ASIDE
    (aside,) = asides(shelf.path)
    with closing(sqlite3.connect(aside)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        rows = database.execute("SELECT unanswered FROM messages").fetchall()
        assert rows == [(None,)] * 3
        tables = database.execute("SELECT name FROM sqlite_schema").fetchall()
        assert ("second",) not in tables


async def test_no_step_is_taken_on_a_way_that_ends_too_early(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_older_file(shelf)
    monkeypatch.setattr(file, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    opened, _ = open_with(shelf.path, ADD_COLUMN)
    assert opened.trouble is LedgerTrouble.SET_ASIDE
    (aside,) = asides(shelf.path)
    assert_is_older(aside)


async def test_a_step_that_the_disk_has_no_room_for_is_taken_another_time(
    shelf: Shelf,
) -> None:
    messages = await an_older_file(shelf)
    with full_disk(256 * 1024):
        opened, _ = open_with(shelf.path, f"{ADD_COLUMN}; {FOR_EVER}")
    assert opened == Opened(
        open_messages=(), totals={}, trouble=LedgerTrouble.IN_MEMORY
    )
    assert not asides(shelf.path)
    assert_is_older(shelf.path)
    opened, _ = open_with(shelf.path, ADD_COLUMN)
    assert opened.open_messages == messages


_MIGRATOR = """
import sys
from pathlib import Path
from custom_components.sms_italia.messaging.ledger.file import LedgerFile
from custom_components.sms_italia.messaging.ledger.schema import MIGRATIONS

_, path, step = sys.argv
LedgerFile(Path(path), migrations={**MIGRATIONS, 0: step}).open("2026-11-14")
"""


async def test_a_process_that_is_killed_during_a_step_leaves_the_version_before_it(
    shelf: Shelf, tmp_path: Path
) -> None:
    messages = await an_older_file(shelf)
    log = Path(f"{shelf.path}-wal")
    process = await asyncio.create_subprocess_exec(
        *python(_MIGRATOR, shelf.path, f"{ADD_COLUMN}; {FOR_EVER}")
    )
    await until(lambda: log.exists() and log.stat().st_size > 100_000)
    process.kill()
    await process.wait()
    left = tmp_path / "left.db"
    copy_as_after_a_crash(shelf.path, left)
    assert_is_older(left)
    opened, _ = open_with(shelf.path, ADD_COLUMN)
    assert opened.open_messages == messages
    assert opened.trouble is None


# Committing


async def test_of_what_is_committed_together_the_last_state_and_the_sum_are_kept(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch()
    message = a_message(dispatch)
    spent = Spent(day=TODAY, account="casa", parts=2, cost=Decimal("0.1"))
    shelf.ledger.note(Entry(messages=[message], spent=[spent, spent]))
    sent = replace(message, stage=Stage.ACCEPTED, status=Status.SENT)
    await shelf.ledger.record(Entry(messages=[sent], spent=[spent]))
    opened = await shelf.reopen()
    assert opened.open_messages == (sent,)
    assert opened.totals == {"casa": DayTotal(parts=6, cost=Decimal("0.3"))}


async def test_an_entry_that_cannot_be_written_leaves_nothing_behind(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.add(1)
    dispatch = a_dispatch(2)
    good, bad = a_message(dispatch, 1), a_message(dispatch, 2, parts=ENDLESS)
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal(1))
    await shelf.ledger.record(Entry(messages=[good, bad], spent=[spent]))
    assert shelf.troubles == [LedgerTrouble.UNRECORDED]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert await shelf.ids() == [1]
    assert not await shelf.ledger.totals_between("casa", TODAY, TODAY)
    await shelf.add(3)
    assert await shelf.ids() == [3, 1]


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
        await shelf.ledger.record(Entry(messages=closed))
        # Closing moves everything out of the log.
        await shelf.reopen()
        await shelf.add(100 + index)
        sizes.append(log_size(shelf.path))
        await shelf.reopen()
    few, many = sizes
    # A page or two more, since the trees are higher.
    assert 0 < few <= many <= few + 3 * 4200


# Being held


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
            await shelf.ledger.record(Entry(messages=added, spent=[spent]))

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


# Being restored from a backup


async def test_a_copy_without_the_mark_is_known_as_restored(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.add(1)
    restored, crashed = (Shelf(tmp_path / name / "sms.db") for name in ("a", "b"))
    copy_as_a_backup(shelf.path, restored.path)
    copy_as_after_a_crash(shelf.path, crashed.path)
    for left, is_restored in ((restored, True), (crashed, False)):
        opened = await left.open()
        assert opened.is_restored is is_restored
        assert len(opened.open_messages) == 1
        # It is our own from here on.
        await left.ledger.renew_mark()
        assert not (await left.reopen()).is_restored
        await left.ledger.close()


async def test_a_crash_while_a_backup_is_made_is_no_restore(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.ledger.hold()
    await shelf.add(1)
    after = Shelf(shelf.path)
    opened = await after.open()
    await after.ledger.close()
    assert not opened.is_restored


async def test_a_backup_that_is_put_back_where_the_mark_stayed_is_a_restore(
    shelf: Shelf, tmp_path: Path
) -> None:
    copied = tmp_path / "copy" / "sms.db"
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.ledger.hold()
    await shelf.add(1)
    copy_as_a_backup(shelf.path, copied)
    await shelf.ledger.release()
    await shelf.ledger.close()
    assert not (await shelf.open()).is_restored
    await shelf.ledger.close()
    shutil.copytree(copied.parent, shelf.path.parent, dirs_exist_ok=True)
    assert (await shelf.open()).is_restored


async def test_a_copy_made_while_nothing_ran_is_a_restore_after_the_next_start(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.ledger.close()
    copied = tmp_path / "copy.db"
    shutil.copyfile(shelf.path, copied)
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.ledger.close()
    shutil.copyfile(copied, shelf.path)
    assert (await shelf.open()).is_restored


async def test_a_mark_that_cannot_be_written_leaves_the_one_before(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.ledger.renew_mark()
    in_the_way = mark_of(shelf.path).with_name(f"new_{mark_of(shelf.path).name}")
    in_the_way.mkdir()
    await shelf.ledger.renew_mark()
    assert "cannot be marked" in caplog.text
    assert not (await shelf.reopen()).is_restored


@contextmanager
def mark_in_the_way(shelf: Shelf) -> Iterator[None]:
    """Let no mark of a ledger be written."""
    mark = mark_of(shelf.path)
    in_the_way = mark.with_name(f"new_{mark.name}")
    in_the_way.mkdir()
    yield
    in_the_way.rmdir()


@contextmanager
def no_room(_: Shelf) -> Iterator[None]:
    """Let the files of a ledger not grow."""
    with full_disk(1024):
        yield


@pytest.mark.parametrize("hindrance", [mark_in_the_way, no_room])
async def test_a_backup_is_a_restore_although_no_mark_could_be_written_after_it(
    shelf: Shelf,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    hindrance: Callable[[Shelf], AbstractContextManager[None]],
) -> None:
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.add(1)
    await shelf.ledger.hold()
    copied = tmp_path / "copy" / "sms.db"
    copy_as_a_backup(shelf.path, copied)
    with hindrance(shelf):
        await shelf.add(2, text=LONG)
        await shelf.ledger.release()
        await shelf.add(3)
    # The next commit makes up for it.
    await shelf.add(4)
    await shelf.ledger.close()
    assert caplog.text.count("cannot be marked") <= 1
    shutil.copytree(copied.parent, shelf.path.parent, dirs_exist_ok=True)
    assert (await shelf.open()).is_restored


async def test_no_commit_marks_a_restored_file_before_it_is_taken_over(
    shelf: Shelf, tmp_path: Path
) -> None:
    """Also if a mark was due when the ledger was closed."""
    await shelf.open()
    await shelf.ledger.renew_mark()
    await shelf.add(1)
    copied = tmp_path / "copy" / "sms.db"
    copy_as_a_backup(shelf.path, copied)
    await shelf.ledger.renew_mark()
    with mark_in_the_way(shelf):
        await shelf.ledger.renew_mark()
        await shelf.ledger.close()
    shutil.copytree(copied.parent, shelf.path.parent, dirs_exist_ok=True)
    for _ in range(2):
        assert (await shelf.open()).is_restored
        await shelf.add(2)
        await shelf.ledger.close()


# Forgetting


def bytes_in(folder: Path) -> bytes:
    """Return all that is in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("is_held", [False, True])
async def test_texts_that_are_forgotten_leave_the_disk(
    shelf: Shelf, *, is_held: bool
) -> None:
    secret = "Il codice del cancello"
    await shelf.open()
    await shelf.add(1, account="via", text=secret)
    await shelf.reopen()
    await shelf.add(2, account="via", text=secret)
    await shelf.add(3)
    assert secret.encode() in bytes_in(shelf.path.parent)
    if is_held:
        await shelf.ledger.hold()
    await shelf.ledger.forget("via")
    if is_held:
        await shelf.ledger.release()
    assert secret.encode() not in bytes_in(shelf.path.parent)
    assert await shelf.ids() == [3]
