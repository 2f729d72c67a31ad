"""Alarms while the ledger's disk is full, locked, read-only or hangs."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from decimal import Decimal
import os
from pathlib import Path
import sqlite3
import threading
import time

import pytest

from custom_components.sms_italia.messaging import (
    LedgerSlowError,
    LedgerTrouble,
    Member,
    MemberDetails,
    Message,
    Plan,
    Stage,
)
from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import Entry, Ledger, Opened, Spent
from custom_components.sms_italia.messaging.ledger.file import LedgerFile
from custom_components.sms_italia.messaging.model import DayTotal
from custom_components.sms_italia.providers import ErrorKind, Status

from .disks import Disk, a_disk
from .fake import HANGS, MANY, ONE
from .helpers import (
    NUMBER,
    OTHER,
    THIRD,
    TIMING,
    Harness,
    a_dispatch,
    a_message,
    copy_as_after_a_crash,
    numbers,
    until,
)
from .programs import python

KEY = MANY
AT_ONCE = 20
LIMIT = 3.0
"""Seconds in which an alarm leaves, whatever the disk does."""
CLOSED_WITHIN = 5.0
"""Seconds for a backup, a removal and the end: a container is killed after ten."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a disk of its own."""
    with a_disk(tmp_path) as disk:
        yield disk


@asynccontextmanager
async def a_harness(folder: Path) -> AsyncGenerator[Harness]:
    """Return a messenger on a folder, and close it."""
    harness = Harness.build(folder)
    try:
        yield harness
    finally:
        await harness.messenger.close()


async def send_at_once(harness: Harness, account: str = KEY) -> float:
    """Send many alarms at once; return the seconds until the last was answered."""
    began = time.monotonic()
    alarms = [harness.one(account, to) for to in numbers(AT_ONCE)]
    messages = await asyncio.gather(*alarms)
    assert {one.stage for one in messages} == {Stage.ACCEPTED}
    return time.monotonic() - began


def was_sent(message: Message) -> bool:
    """Return whether a message is known to have been accepted."""
    is_over = message.stage in {Stage.ACCEPTED, Stage.CLOSED}
    return is_over and message.status in {Status.QUEUED, Status.SENT, Status.DELIVERED}


# Full

_KILLED = """
import asyncio, sys
from pathlib import Path

from tests.messaging.helpers import Harness, tidied_up, until

async def main():
    harness = Harness.build(Path(sys.argv[1]))
    await harness.attach("many", line=harness.line, bundle_after=0)
    harness.line.down()
    await harness.one("many", "+393331234567", "waits")
    # What that trims is free again.
    await tidied_up()
    print("waits", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    harness.line.up()
    await until(lambda: harness.accepted("many"))
    await harness.one("many", "+393337654321", "sent")
    harness.line.down()
    await harness.one("many", "+393339999999", "queued")
    print(*harness.troubles, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("stays_full", [False, True])
async def test_nothing_is_sent_again_after_a_kill_on_a_full_disk(
    disk: Disk, *, stays_full: bool
) -> None:
    process = await asyncio.create_subprocess_exec(
        *python(_KILLED, disk.folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert await process.stdout.readline() == b"waits\n"
        disk.fill()
        process.stdin.write(b"\n")
        assert await process.stdout.readline() == b"unwritable\n"
    finally:
        process.kill()
        await process.wait()
    if not stays_full:
        disk.empty()
    async with a_harness(disk.folder) as harness:
        account = await harness.attach(KEY)
        await until(lambda: harness.arrived(KEY))
        # Whatever else is sent comes now.
        await asyncio.sleep(0.5)
        assert harness.arrived(KEY) == [(THIRD, "queued")]
        if stays_full:
            disk.empty()
            await harness.messenger.detach(account.id)
            await harness.attach(KEY)
        found = await harness.found()
        assert {one.number for one in found} == {NUMBER, OTHER, THIRD}
        assert all(map(was_sent, found))


async def test_alarms_leave_while_the_disk_is_full_and_are_recorded_later(
    disk: Disk,
) -> None:
    async with a_harness(disk.folder) as harness:
        await harness.attach(KEY)
        disk.fill()
        assert await send_at_once(harness) < LIMIT
        assert harness.troubles == [LedgerTrouble.UNWRITABLE]
        assert not harness.messenger.ledger.forgets
        disk.empty()
        await harness.one(KEY, OTHER)
        assert harness.messenger.ledger.trouble is None
        assert len(await harness.found()) == AT_ONCE + 1


# Locked


async def test_alarms_leave_while_the_ledger_is_locked_and_not_again_after_a_kill(
    harness: Harness, tmp_path: Path
) -> None:
    await harness.attach(KEY, line=harness.line)
    harness.line.down()
    await harness.one(KEY, THIRD)
    left = tmp_path / "left" / "sms.db"
    with closing(sqlite3.connect(harness.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        harness.line.up()
        await until(lambda: harness.arrived(KEY))
        assert await send_at_once(harness) < LIMIT
        assert len(harness.arrived(KEY)) == AT_ONCE + 1
        # What providers answered is written a moment later.
        await harness.messenger.ledger.flush()
        copy_as_after_a_crash(harness.ledger, left)
        other.execute("ROLLBACK")
    assert harness.troubles == [LedgerTrouble.UNWRITABLE]
    await harness.messenger.close()
    harness.use(ledger=left)
    await harness.attach(KEY)
    await asyncio.sleep(0.2)
    assert len(harness.arrived(KEY)) == AT_ONCE + 1
    assert all(map(was_sent, await harness.found()))


async def test_a_ledger_that_is_locked_at_the_start_is_read_and_not_sent_twice(
    harness: Harness,
) -> None:
    await harness.attach(KEY, line=harness.line)
    harness.line.down()
    await harness.one(KEY)
    await harness.messenger.close()
    with closing(sqlite3.connect(harness.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        harness.use()
        await harness.attach(KEY)
        await until(lambda: harness.arrived(KEY))
        await until(lambda: harness.troubles == [LedgerTrouble.UNWRITABLE])
        await harness.messenger.close()
        harness.use()
        await harness.attach(KEY)
        await harness.messenger.close()
        other.execute("ROLLBACK")
    harness.use()
    await harness.attach(KEY)
    (message,) = await harness.found()
    assert was_sent(message)
    assert len(harness.arrived(KEY)) == 1


# Read-only


async def test_what_waits_on_a_disk_that_became_read_only_is_sent(disk: Disk) -> None:
    async with a_harness(disk.folder) as harness:
        await harness.attach(KEY, line=harness.line)
        harness.line.down()
        await harness.one(KEY)
        await harness.messenger.close()
        disk.protect()
        harness.use()
        await harness.attach(KEY)
        await until(lambda: harness.arrived(KEY))
        assert [to for to, _ in harness.arrived(KEY)] == [NUMBER]
        assert await send_at_once(harness) < LIMIT
        assert harness.messenger.ledger.forgets


# Hanging


async def test_alarms_leave_while_the_disk_hangs_and_are_recorded_when_it_answers(
    disk: Disk,
) -> None:
    async with a_harness(disk.folder) as harness:
        await harness.attach(ONE)
        await harness.attach(KEY, fallback=(ONE,), refusing=ErrorKind.CREDIT)
        disk.freeze()
        try:
            # Each asks two accounts, and would wait four times.
            assert await send_at_once(harness) < LIMIT
            # It is known then, and nobody waits.
            assert await send_at_once(harness) < 1
            assert harness.troubles == [LedgerTrouble.UNRECORDED]
            assert harness.messenger.ledger.forgets
        finally:
            disk.thaw()
        await harness.one(ONE, OTHER)
        await until(lambda: harness.messenger.ledger.trouble is None)
        assert len(await harness.found()) == 2 * AT_ONCE + 1


async def test_a_call_and_its_message_wait_for_a_slow_disk_together(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as any alarm: what the record of the run took is not left to it."""
    anna = Member(account=KEY, recipient="anna")
    harness.members[anna] = MemberDetails(name="Anna", numbers=(NUMBER,))
    plan = Plan(id="notte", account=KEY, name="Notte", members=(anna,), wait=600)
    await harness.attach(KEY)
    await harness.one(KEY, OTHER)
    sync = LedgerFile.sync

    def slow(file: LedgerFile) -> None:
        time.sleep(2)
        sync(file)

    with monkeypatch.context() as context:
        context.setattr(LedgerFile, "sync", slow)
        began = time.monotonic()
        await harness.messenger.escalations.call(plan, "Allarme")
        await until(lambda: len(harness.accepted(KEY)) == 2)
        assert 2 < time.monotonic() - began < LIMIT


async def test_an_answer_comes_in_time_if_the_disk_hangs_while_the_request_does(
    disk: Disk,
) -> None:
    async with a_harness(disk.folder) as harness:
        harness.use(timing=replace(TIMING, answer=3.5))
        harness.client(KEY).always(HANGS)
        await harness.attach(KEY)
        began = time.monotonic()
        sending = asyncio.create_task(harness.one(KEY))
        await until(lambda: harness.requests(KEY))
        await harness.messenger.ledger.flush()
        disk.freeze()
        try:
            assert (await sending).status is Status.QUEUED
            assert time.monotonic() - began < 4
        finally:
            disk.thaw()


async def test_a_disk_that_hangs_does_not_hold_up_the_end(disk: Disk) -> None:
    async with a_harness(disk.folder) as harness:
        await harness.attach(KEY)
        disk.freeze()
        try:
            await harness.one(KEY)
            began = time.monotonic()
            await harness.messenger.close()
            assert time.monotonic() - began < LIMIT
        finally:
            disk.thaw()
        # In the same process nothing is forgotten.
        await harness.attach(KEY)
        await harness.messenger.ledger.flush()
        (message,) = await harness.found()
        assert was_sent(message)


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_commit_that_hung_at_the_end_counts_once(
    disk: Disk,
    is_late: bool,  # noqa: FBT001 - the disk answers before the next start, or after it
) -> None:
    day = "2026-11-14"
    late: list[Opened] = []
    ledger = Ledger(disk.folder / "sms.db", lambda _: None, Clock())
    await ledger.open(day)
    spent = Spent(day=day, account=KEY, parts=1, cost=Decimal("0.1"))
    disk.freeze()
    try:
        await ledger.record(Entry(messages=[a_message(a_dispatch())], spent=[spent]))
        await ledger.close()
        if is_late:
            opened = await ledger.open(day, late.append)
            assert opened.totals[KEY].parts == 1
    finally:
        disk.thaw()
    if is_late:
        await until(lambda: late)
        assert late[0].totals.get(KEY, DayTotal()).parts == 0
    else:
        await until_no_thread_is_left()
        opened = await ledger.open(day)
        assert opened.totals[KEY].parts == 1
    async with asyncio.timeout(10):
        while not (found := await ledger.totals_between(KEY, day, day)):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    assert found[day].parts == 1
    await ledger.close()
    assert (await ledger.open(day)).totals[KEY].parts == 1
    await ledger.close()
    await until_no_thread_is_left()


async def until_no_thread_is_left() -> None:
    """Return when those that hung have ended as well."""
    threads = threading.enumerate
    await until(lambda: not any("sms_italia" in one.name for one in threads()))


async def test_no_step_of_a_backup_or_a_removal_waits_for_a_disk_that_hangs(
    disk: Disk,
) -> None:
    async with a_harness(disk.folder) as harness:
        await harness.attach(ONE)
        await harness.attach(KEY)
        ledger = harness.messenger.ledger
        disk.freeze()
        try:
            await harness.one(KEY)
            began = time.monotonic()
            with pytest.raises(LedgerSlowError):
                await ledger.hold()
            await ledger.release()
            await harness.messenger.detach(ONE)
            forgetting = asyncio.create_task(harness.messenger.forget(ONE, ()))
            await asyncio.sleep(0)
            await harness.messenger.close()
            assert time.monotonic() - began < CLOSED_WITHIN
            await forgetting
        finally:
            disk.thaw()
        await until_no_thread_is_left()


async def test_a_backup_copies_what_it_began_with_although_the_disk_hangs_meanwhile(
    disk: Disk,
) -> None:
    """And although the ledger is closed and opened again."""

    async def reload() -> None:
        await harness.messenger.detach(KEY)
        await harness.attach(KEY)

    async with a_harness(disk.folder) as harness:
        await harness.attach(KEY)
        await harness.one(KEY)
        await harness.messenger.ledger.hold()
        held = harness.ledger.read_bytes()
        disk.freeze()
        try:
            await harness.one(KEY, OTHER)
            await harness.messenger.detach(KEY)
        finally:
            disk.thaw()
        await until_no_thread_is_left()
        await harness.attach(KEY)
        await harness.one(KEY, THIRD)
        await reload()
        assert harness.ledger.read_bytes() == held
        await harness.messenger.ledger.release()
        await reload()
        assert harness.ledger.read_bytes() != held
        assert len(await harness.found()) == 3


async def test_an_account_comes_while_the_disk_hangs_and_gets_what_waits_later(
    harness: Harness,
) -> None:
    """A pipe hangs whoever reads it, until somebody writes."""
    await harness.attach(KEY, line=harness.line)
    harness.line.down()
    await harness.one(KEY)
    await harness.messenger.close()
    journal = harness.ledger.with_suffix(".journal")
    journal.unlink()
    os.mkfifo(journal)
    harness.use()
    harness.troubles.clear()
    began = time.monotonic()
    await harness.attach(KEY)
    assert time.monotonic() - began < 2 * LIMIT
    assert await send_at_once(harness) < LIMIT
    assert harness.troubles == [LedgerTrouble.UNRECORDED]
    assert len(harness.arrived(KEY)) == AT_ONCE
    await asyncio.to_thread(journal.write_bytes, b"")
    await until(lambda: len(harness.arrived(KEY)) > AT_ONCE)
    assert harness.arrived(KEY)[-1][0] == NUMBER
    async with asyncio.timeout(10):
        while len(await harness.found()) <= AT_ONCE:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


_ENDING = """
import asyncio, sys
from pathlib import Path

from tests.messaging.helpers import Harness

async def main():
    harness = Harness.build(Path(sys.argv[1]))
    await harness.attach("many")
    await harness.one("many")
    await harness.messenger.close()
    print("closed", flush=True)

asyncio.run(main())
"""


async def test_python_ends_although_a_thread_of_the_ledger_hangs(
    tmp_path: Path,
) -> None:
    (tmp_path / "storage").mkdir()
    os.mkfifo(tmp_path / "storage" / "sms.journal")
    process = await asyncio.create_subprocess_exec(
        *python(_ENDING, tmp_path), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, output) == (0, b"closed\n")
