"""What a power cut leaves: nothing is sent twice by it, and no promise is lost."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
import shutil
import sqlite3
import threading
import time

import pytest

from custom_components.sms_italia.messaging import Message, Stage
from custom_components.sms_italia.messaging.ledger.file import LedgerFile
from custom_components.sms_italia.messaging.ledger.unwritten import Journal
from custom_components.sms_italia.providers import ErrorKind, NotSent, Status

from .fake import MANY, ONE, PLAIN, REFERENCE, Lost
from .helpers import Harness, mark_of, numbers, until
from .ledger.helpers import Shelf

UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)
REPLIES = (UNAVAILABLE, NotSent(kind=ErrorKind.THROTTLED), Lost.ANSWER)
MESSAGES = 12


@dataclass(slots=True)
class Disk:
    """What of a ledger's files no power cut can undo.

    As pessimistic as can be: of the write-ahead file, what was there before a sync
    began; of the rest, what it was at the end of the last sync.
    """

    folder: Path
    syncs: int = 0
    synced: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, ledger: Path, length: int) -> None:
        """Keep the files as they are, of the write-ahead file so many bytes.

        Or as many as another thread has synced meanwhile.
        """
        with self.lock:
            kept = self.folder / f"{self.syncs + 1}.db"
            kept.parent.mkdir(exist_ok=True)
            shutil.copyfile(ledger, kept)
            log = Path(f"{ledger}-wal")
            content = log.read_bytes() if log.exists() else b""
            is_begun_anew = len(content) < self.synced
            self.synced = length if is_begun_anew else max(length, self.synced)
            if self.synced:
                Path(f"{kept}-wal").write_bytes(content[: self.synced])
            self.syncs += 1

    def cut(self, ledger: Path) -> Path:
        """Return the ledger as it is after a power cut now.

        The mark and the journal are synced with each change.
        """
        left = self.folder / f"{self.syncs}.db"
        if mark_of(ledger).exists():
            shutil.copyfile(mark_of(ledger), mark_of(left))
        journal = ledger.with_suffix(".journal")
        if journal.exists():
            shutil.copyfile(journal, left.with_suffix(".journal"))
        return left


@contextmanager
def watched(
    monkeypatch: pytest.MonkeyPatch, disk: Disk, ledger: Path
) -> Iterator[None]:
    """Keep what each sync of a ledger has put on the disk."""
    sync = LedgerFile.sync

    def kept(file: LedgerFile) -> None:
        length = Path(f"{ledger}-wal").stat().st_size
        # As slow as an SD card: most requests leave before the sync that follows them.
        time.sleep(0.03)
        sync(file)
        disk.keep(ledger, length)

    with monkeypatch.context() as context:
        context.setattr(LedgerFile, "sync", kept)
        yield


async def attach_all(harness: Harness) -> None:
    """Attach accounts with fallbacks, behind one line."""
    for key, fallback in ((PLAIN, ()), (MANY, (PLAIN,)), (REFERENCE, (MANY, PLAIN))):
        await harness.attach(key, line=harness.line, fallback=fallback)
    await harness.attach(ONE, line=harness.line)


def waiting(harness: Harness) -> list[Message]:
    """Return what waits to be sent."""
    return [
        one
        for key in harness.clients
        for one in harness.messenger.open_messages(key)
        if one.stage in {Stage.WAITING, Stage.SUBMITTING}
    ]


@pytest.mark.parametrize("seed", range(16))
async def test_a_power_cut_sends_nothing_twice_and_loses_no_promise(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At any moment: all is sent at most once, what was answered as queued at least."""
    random = Random(seed)  # noqa: S311 - only repeatable
    disk = Disk(tmp_path / "left")
    promised = set[str]()

    async def send(index: int) -> None:
        await asyncio.sleep(random.random() / 10)
        account = random.choice((PLAIN, MANY, REFERENCE, ONE))
        to = numbers(MESSAGES)[index]
        message = await harness.one(account, to, text=f"Allarme {index}")
        if message.status is Status.QUEUED and message.stage is Stage.WAITING:
            promised.add(message.text)

    with watched(monkeypatch, disk, harness.ledger):
        await attach_all(harness)
        for client in harness.clients.values():
            client.reply(*random.choices(REPLIES, k=4))
        sending = [asyncio.create_task(send(index)) for index in range(MESSAGES)]
        await asyncio.sleep(random.random() / 8)
        # The power fails: nothing is sent, written or answered any more.
        left, kept = disk.cut(harness.ledger), frozenset(promised)
        harness.line.down()
    await asyncio.gather(*sending)
    await harness.messenger.close()

    harness.line.up()
    harness.use(ledger=left)
    await attach_all(harness)
    await until(lambda: not waiting(harness))

    arrived = Counter(
        text for key in harness.clients for _, text in harness.arrived(key)
    )
    # Of what was on its way again, nobody knows: it is uncertain, and reported.
    doubts = {one.text for one in await harness.found(status=Status.UNCERTAIN)}
    assert kept <= arrived.keys() | doubts
    assert [text for text, times in arrived.items() if times > 1] == []


async def test_a_power_cut_after_a_start_is_no_restored_backup(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark of the file is changed at each start, and what waits is still sent."""
    harness.line.down()
    await harness.attach(PLAIN, line=harness.line)
    message = await harness.one(PLAIN)
    await harness.messenger.close()
    disk = Disk(tmp_path / "left")
    disk.keep(harness.ledger, 0)
    harness.use()

    with watched(monkeypatch, disk, harness.ledger):
        await harness.attach(PLAIN, line=harness.line)
        left = disk.cut(harness.ledger)
    await harness.messenger.close()

    harness.line.up()
    harness.use(ledger=left)
    await harness.attach(PLAIN, line=harness.line)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_what_the_journal_drops_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written at first is on disk before the journal forgets it."""
    shelf = Shelf(tmp_path / "storage" / "sms.db")
    await shelf.open()
    disk = Disk(tmp_path / "left")
    dropped: list[Path] = []
    wipe = Journal.wipe

    def cut(journal: Journal) -> None:
        wipe(journal)
        dropped.append(disk.cut(shelf.path))

    with watched(monkeypatch, disk, shelf.path), monkeypatch.context() as context:
        context.setattr(Journal, "wipe", cut)
        await shelf.add(1)
        with closing(sqlite3.connect(shelf.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await shelf.add(2)
            other.execute("ROLLBACK")
        await shelf.add(3)
    await shelf.ledger.close()

    left = Shelf(dropped[-1])
    opened = await left.open()
    await left.ledger.close()
    assert {one.dispatch.id for one in opened.open_messages} >= {10_000, 20_000}


async def test_what_is_held_beside_others_is_on_disk_when_it_is_answered(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the others, of the same dispatch, leave before a sync."""
    disk = Disk(tmp_path / "left")
    with watched(monkeypatch, disk, harness.ledger):
        await harness.attach(MANY, bundle_after=1)
        await harness.one(MANY, text="Il primo")
        held, _ = await asyncio.gather(
            harness.one(MANY), harness.one(MANY, numbers(1)[0])
        )
        left = disk.cut(harness.ledger)
    assert held.stage is Stage.HELD
    await harness.messenger.close()

    harness.use(ledger=left)
    await harness.attach(MANY, bundle_after=1)
    assert held.id in {one.id for one in await harness.found()}
