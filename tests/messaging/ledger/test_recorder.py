"""Recording: what is on disk when, and what damage and kills leave."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
import threading

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerTrouble,
    LedgerUnreadableError,
    Query,
    Remembered,
    Spent,
    SubmissionIntent,
)
from custom_components.sms_italia.messaging.ledger.file import LedgerFile
from custom_components.sms_italia.messaging.ledger.records import Opened
from custom_components.sms_italia.messaging.model import (
    DayTotal,
    Message,
    SendOptions,
    Stage,
)
from custom_components.sms_italia.providers import (
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    Status,
)

from ..helpers import (
    NUMBER,
    TEXT,
    a_dispatch,
    a_message,
    copy_as_a_backup,
    copy_as_after_a_crash,
    until,
)
from ..programs import python
from .helpers import (
    TODAY,
    Shelf,
    asides,
    commits_in,
    log_size,
)

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
        dispatch, stage=Stage.SUBMITTING, last_account="casa", submission="ref"
    )
    intent = SubmissionIntent(
        reference="ref", dispatch=dispatch.id, account="casa", created=1.5
    )
    await shelf.ledger.record(Entry(messages=[message], submissions=[intent]))
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
        stage=Stage.ACCEPTED,
        updated=5.25,
        parts=3,
        last_account="riserva",
        submission="ref",
        provider_id="4300000001",
        cost=Decimal("0.1234"),
        error=ErrorKind.THROTTLED,
        detail="429",
        attempt_at=7.75,
        type=MessageType.SMS,
        joined_in=90_001,
        unanswered=("casa", "riserva"),
        from_backup=True,
        is_resent=True,
    )
    await shelf.ledger.record(
        Entry(
            messages=[outcome],
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


async def test_all_that_is_asked_of_a_dispatch_comes_back(shelf: Shelf) -> None:
    await shelf.open()
    options = SendOptions(
        sender="Casa",
        send_at=9.5,
        channel=Channel.PUSH,
        mode=Mode.TEST,
        groups=("7", "8"),
        reference="fattura-7",
    )
    dispatch = a_dispatch(
        encoding=Encoding.UCS2,
        parts=3,
        route=("casa", "riserva"),
        options=options,
        is_bulk=True,
    )
    message = a_message(dispatch, recipient="mamma")
    await shelf.ledger.record(Entry(messages=[message]))
    assert await shelf.ledger.message(message.id) == message
    opened = await shelf.reopen()
    assert opened.open_messages == (message,)


async def test_messages_of_one_dispatch_come_back_in_the_order_they_were_given(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch()
    messages = [a_message(dispatch, number) for number in range(1, 51)]
    await shelf.ledger.record(Entry(messages=messages))
    opened = await shelf.reopen()
    assert list(opened.open_messages) == messages


async def test_open_messages_come_back_oldest_first(shelf: Shelf) -> None:
    await shelf.open()
    ids = [40, 20, 30, 10]
    for index, id_ in enumerate(ids, 1):
        await shelf.add(index, id=id_)
    opened = await shelf.reopen()
    assert [one.id for one in opened.open_messages] == sorted(ids)


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


# When it is written


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


async def test_an_intent_does_not_wait_for_the_sync_of_what_was_noted(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next alert leaves while the outcome of the last one goes to a slow disk."""
    await shelf.open()
    is_syncing, disk, sync = threading.Event(), threading.Event(), LedgerFile.sync

    def slowly(file: LedgerFile) -> None:
        is_syncing.set()
        disk.wait(5)
        sync(file)

    monkeypatch.setattr(LedgerFile, "sync", slowly)
    shelf.note()
    await asyncio.to_thread(is_syncing.wait, 5)
    message = a_message(a_dispatch(2))
    committed = asyncio.create_task(shelf.ledger.commit(Entry(messages=[message])))
    done = await asyncio.wait([committed], timeout=1)
    disk.set()

    assert done == ({committed}, set())


async def test_what_was_noted_just_now_is_on_disk_when_the_ledger_is_closed(
    shelf: Shelf,
) -> None:
    await shelf.open()
    shelf.note()
    opened = await shelf.reopen()
    assert len(opened.open_messages) == 1


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


async def test_a_barrier_writes_nothing(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.add()
    before = log_size(shelf.path)
    await shelf.ledger.flush()
    assert log_size(shelf.path) == before


# Damage found while it is open


def spoil(path: Path) -> None:
    """Destroy the pages of a database that its open connections have not read."""
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))


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


async def test_nobody_else_on_the_machine_may_read_what_is_set_aside(
    shelf: Shelf,
) -> None:
    await a_spoilt(shelf)
    for suffix in ("", "-wal", "-shm"):
        shelf.path.with_name(shelf.path.name + suffix).chmod(0o644)
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.find(Query(text="y"))
    modes = {
        one.stat().st_mode & 0o777 for one in shelf.path.parent.glob("*set_aside*")
    }
    assert modes == {0o600}


async def test_a_backup_of_a_file_that_was_begun_anew_is_known_as_restored(
    shelf: Shelf, tmp_path: Path
) -> None:
    await a_spoilt(shelf)
    with pytest.raises(LedgerUnreadableError):
        await shelf.ledger.find(Query(text="y"))
    copied = Shelf(tmp_path / "copy" / "sms.db")
    copy_as_a_backup(shelf.path, copied.path)
    assert (await copied.open()).is_restored
    await copied.ledger.close()


async def test_damage_that_a_message_meets_is_set_aside_and_the_message_kept(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await a_spoilt(shelf)
    done = replace(first, stage=Stage.CLOSED, status=Status.DELIVERED)
    # What is remembered is as new as what was just recorded.
    totals = {TODAY: {"casa": DayTotal(parts=9, cost=Decimal("0.9"))}}
    shelf.ledger.remember_with(lambda: Remembered(messages=(second,), totals=totals))
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.1"))
    await asyncio.gather(
        shelf.ledger.record(Entry(messages=[done], spent=[spent])),
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

    def break_down(_trouble: LedgerTrouble | None) -> None:
        raise RuntimeError(TEXT)

    def remember() -> Remembered:
        meanwhile.append(asyncio.create_task(broken.add(50)))
        return Remembered()

    broken = Shelf(tmp_path / "sms.db")
    broken.ledger = Ledger(broken.path, break_down, Clock())
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


# Being killed

_WRITER = """
import asyncio, sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry, Ledger, Spent, SubmissionIntent
)
from custom_components.sms_italia.messaging.model import Dispatch, Message, Stage
from custom_components.sms_italia.providers import Encoding, Status

async def write(ledger, writer):
    for count in range(100_000):
        id_ = (writer * 100_000 + count + 1) * 10
        dispatch = Dispatch(
            id=id_, account="casa", text="x" * 3000, encoding=Encoding.GSM7, parts=1,
            created=1.0, due=1.0, expires=2.0, route=("casa",),
        )
        messages = [
            Message(
                id=id_ + n, dispatch=dispatch, number="+393331234567", recipient=None,
                status=Status.QUEUED, stage=Stage.SUBMITTING, updated=1.0,
                changed_at=1.0, parts=1, last_account="casa", submission=str(id_),
            )
            for n in (1, 2, 3)
        ]
        intent = SubmissionIntent(
            reference=str(id_), dispatch=id_, account="casa", created=1.0
        )
        await ledger.record(
            Entry(messages=messages, submissions=[intent])
        )
        accepted = [
            replace(one, stage=Stage.ACCEPTED, provider_id=str(one.id))
            for one in messages
        ]
        spent = Spent(day="2026-11-14", account="casa", parts=3, cost=Decimal("0.3"))
        await ledger.record(Entry(messages=accepted, spent=[spent]))
        print(id_, flush=True)

async def main():
    ledger = Ledger(Path(sys.argv[1]), print, Clock())
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
    accepted = {id_ for id_, together in stages.items() if together == {Stage.ACCEPTED}}
    assert done <= accepted
    assert opened.totals["casa"] == DayTotal(
        parts=3 * len(accepted), cost=Decimal("0.3") * len(accepted)
    )
    await shelf.ledger.close()
