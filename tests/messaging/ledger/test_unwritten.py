"""What the file lacks while it cannot be written, and gets later."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import batched
import logging
from math import inf
from pathlib import Path
import random
import secrets
import sqlite3
import threading

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.clock import ClockReading, Moment
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerTrouble,
    Opened,
    Query,
    RunRecord,
    Spent,
    SubmissionIntent,
    View,
)
from custom_components.sms_italia.messaging.ledger.file import LedgerFile
from custom_components.sms_italia.messaging.ledger.unwritten import (
    Journal,
    Kept,
    Unwritten,
)
from custom_components.sms_italia.messaging.model import (
    DayTotal,
    SendOptions,
    Stage,
)
from custom_components.sms_italia.providers import (
    Status,
)

from ..helpers import (
    NUMBER,
    OTHER,
    a_dispatch,
    a_message,
    copy_as_after_a_crash,
)
from .helpers import (
    LONG,
    TODAY,
    Shelf,
    a_pictured,
    full_disk,
    written_to,
)


async def test_a_full_disk_is_reported_once_and_what_it_kept_out_is_written_later(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.open()
    await shelf.add(1)
    with full_disk(64 * 1024):
        for number in range(2, 6):
            await shelf.add(number, text=LONG)
    assert shelf.troubles == [LedgerTrouble.UNRECORDED]
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1
    assert written_to(shelf.path) == [1]
    await shelf.add(6)
    assert written_to(shelf.path) == [6, 5, 4, 3, 2, 1]
    opened = await shelf.reopen()
    assert [one.dispatch.id for one in opened.open_messages] == [
        number * 10_000 for number in range(1, 7)
    ]
    assert opened.trouble is None
    assert shelf.trouble() is None
    with full_disk(16 * 1024):
        await shelf.add(7, text=LONG)
    unrecorded = LedgerTrouble.UNRECORDED
    assert shelf.troubles == [unrecorded, None, unrecorded]
    # Also if it ends while the ledger is closed.
    await shelf.reopen()
    assert shelf.troubles == [unrecorded, None, unrecorded, None]


async def test_the_changes_of_a_message_that_was_not_on_disk_are_not_lost(
    shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.open()
    dispatch = a_dispatch(text=LONG)
    waiting, sent, failed = (a_message(dispatch, place) for place in (1, 2, 3))
    accepted = replace(sent, stage=Stage.ACCEPTED, status=Status.SENT, provider_id="1")
    closed = replace(failed, stage=Stage.CLOSED, status=Status.FAILED)
    intent = SubmissionIntent(
        reference="ref", dispatch=dispatch.id, account="casa", created=1.5
    )
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.05"))
    with full_disk(64 * 1024):
        await shelf.ledger.record(Entry(messages=[waiting, sent, failed]))
        await shelf.ledger.record(Entry(messages=[accepted], submissions=[intent]))
        await shelf.ledger.record(Entry(messages=[closed], spent=[spent]))
        await shelf.ledger.record(Entry(spent=[spent]))
    # An entry that says nothing about them.
    await shelf.ledger.record(Entry())
    left = Shelf(tmp_path / "left.db")
    copy_as_after_a_crash(shelf.path, left.path)
    opened = await left.open()
    assert opened.open_messages == (waiting, accepted)
    assert opened.totals == {"casa": DayTotal(parts=2, cost=Decimal("0.10"))}
    assert (await left.ledger.find(Query())).messages == (closed, accepted, waiting)
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
    assert shelf.troubles == [LedgerTrouble.UNRECORDED]
    assert written_to(shelf.path) == [1]
    accepted = replace(small, stage=Stage.ACCEPTED, status=Status.SENT)
    with full_disk(64 * 1024):
        # The long one still finds no room, and what waits with it neither.
        await shelf.ledger.record(Entry(messages=[accepted]))
    assert written_to(shelf.path) == [3, 1]
    await shelf.ledger.record(Entry())
    found = await shelf.ledger.find(Query())
    assert [one.dispatch.id for one in found.messages] == [30_000, 20_000, 10_000]
    assert found.messages[0] == accepted


OTHER_ORDER = """
ALTER TABLE messages DROP COLUMN size;
ALTER TABLE messages ADD COLUMN size INTEGER NOT NULL DEFAULT 1;
"""

EVERYTHING: Mapping[str, Callable[[Ledger], Awaitable[object]]] = {
    "all": lambda one: one.find(Query()),
    "a page": lambda one: one.find(Query(limit=2, offset=1)),
    "a text": lambda one: one.find(Query(text="ALLARME")),
    "a status": lambda one: one.find(Query(status=Status.FAILED)),
    "a number": lambda one: one.find(Query(account="casa", number=NUMBER)),
    "what waits": lambda one: one.find(Query(view=View.WAITING)),
    "on the way": lambda one: one.find_on_the_way(Query(), a_dispatch(9)),
    "a message": lambda one: one.message(30_001),
    "one that waited": lambda one: one.message(10_001),
    "undelivered": lambda one: one.undelivered("casa", [30_002], 10),
    "the last": lambda one: one.latest("casa", None, inf),
    "a run": lambda one: one.messages_of_runs([7]),
    "a price": lambda one: one.prices("casa"),
    "a reference": lambda one: one.knows_reference("ref", a_dispatch(9)),
    "a request": lambda one: one.count_submitted("ref", a_dispatch(3)),
}
"""All that is asked of messages."""


@pytest.mark.parametrize("asked", EVERYTHING)
async def test_what_is_found_on_a_full_disk_is_what_is_found_later(
    shelf: Shelf, asked: str
) -> None:
    """In a file of an older release, whose columns have another order, too."""
    await shelf.open()
    await shelf.ledger.close()
    with closing(sqlite3.connect(shelf.path)) as database:
        database.executescript(OTHER_ORDER)
    await shelf.open()
    waited = await shelf.add(1, text="Allarme", number=OTHER)
    seen = await shelf.add(2, stage=Stage.CLOSED, status=Status.FAILED)
    await shelf.ledger.mark_seen([seen])
    before = await EVERYTHING[asked](shelf.ledger)
    failed = replace(waited, stage=Stage.CLOSED, status=Status.FAILED)
    options = SendOptions(reference="ref")
    dispatch = a_dispatch(3, text="Allarme lungo", options=options, run=7)
    sent, doubted, lost = (a_message(dispatch, place) for place in (1, 2, 3))
    cost = Decimal("0.05")
    sent = replace(sent, submission="ref", last_account="casa", cost=cost)
    doubted = replace(doubted, status=Status.UNCERTAIN)
    lost = replace(lost, status=Status.EXPIRED, stage=Stage.CLOSED)
    intent = SubmissionIntent(
        reference="ref", dispatch=dispatch.id, account="casa", created=1.5
    )
    with full_disk(1024):
        await shelf.ledger.record(Entry(messages=[failed, replace(seen, parts=3)]))
        await shelf.ledger.record(
            Entry(messages=[sent, doubted, lost], submissions=[intent])
        )
        assert shelf.trouble() is not None
        found = await EVERYTHING[asked](shelf.ledger)
    assert written_to(shelf.path) == [2, 1]
    await shelf.ledger.flush()
    assert written_to(shelf.path) == [3, 3, 3, 2, 1]
    assert found == await EVERYTHING[asked](shelf.ledger) != before


class Hanging(str):
    """A text that the ledger's thread waits for when it writes it."""

    __slots__ = ("may_go_on",)
    may_go_on: threading.Event

    def __conform__(self, _protocol: object) -> str:
        """Return it as SQLite takes it."""
        if threading.current_thread().name == "sms_italia_ledger":
            self.may_go_on.wait()
        return str(self)


async def test_what_waits_for_a_disk_that_does_not_answer_is_found(
    shelf: Shelf,
) -> None:
    """What is being written, and what comes after it."""
    await shelf.open()
    await shelf.add(1)
    detail = Hanging("unreachable")
    detail.may_go_on = threading.Event()
    await shelf.add(2, detail=detail)
    await shelf.add(3)
    assert shelf.trouble() is LedgerTrouble.UNRECORDED
    assert await shelf.ids() == [3, 2, 1]
    assert written_to(shelf.path) == [1]
    detail.may_go_on.set()


async def test_a_reload_forgets_nothing_while_the_disk_is_full(shelf: Shelf) -> None:
    await shelf.open()
    known = await shelf.add(1)
    waiting = a_message(a_dispatch(2, text=LONG))
    closed = replace(known, stage=Stage.CLOSED, status=Status.DELIVERED)
    spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.05"))
    await shelf.ledger.record(Entry(spent=[spent]))
    with full_disk(64 * 1024):
        await shelf.ledger.record(Entry(messages=[waiting, closed], spent=[spent]))
        opened = await shelf.reopen()
    assert opened.open_messages == (waiting,)
    assert opened.totals == {"casa": DayTotal(parts=2, cost=Decimal("0.10"))}
    await shelf.reopen()
    assert await shelf.reopen() == opened


async def test_a_picture_that_was_not_on_disk_comes_late(shelf: Shelf) -> None:
    await shelf.open()
    messages = a_pictured()
    with full_disk(4096):
        await shelf.ledger.record(Entry(messages=messages))
    await shelf.ledger.record(Entry())
    opened = await shelf.reopen()
    assert list(opened.open_messages) == messages


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


def test_closed_messages_that_cannot_be_written_are_not_kept_without_end() -> None:
    unwritten = Unwritten()
    for index in range(1, 71):
        dispatch = a_dispatch(index)
        closed = [
            a_message(dispatch, place, stage=Stage.CLOSED) for place in range(1, 101)
        ]
        intent = SubmissionIntent(
            reference=f"{index}", dispatch=dispatch.id, account="casa", created=1.0
        )
        unwritten.absorb(
            Entry(messages=[*closed, a_message(dispatch, 101)], submissions=[intent])
        )
    entry = unwritten.take()
    assert entry is not None
    stages = Counter(message.stage for message in entry.messages)
    assert stages == {Stage.WAITING: 70, Stage.CLOSED: 5000}
    # Of the closed ones, the newest.
    assert {one.dispatch.id for one in entry.messages if one.stage is Stage.CLOSED} == {
        index * 10_000 for index in range(21, 71)
    }
    # The file may hold that the others wait.
    assert entry.ended == {
        index * 10_000 + place for index in range(1, 21) for place in range(1, 101)
    }
    assert len(entry.submissions) == 70
    assert unwritten.take() is None


async def crashed(shelf: Shelf) -> Opened:
    """Return what a start holds after a kill on the full disk."""
    left = Shelf(shelf.path.with_name("left.db"))
    copy_as_after_a_crash(shelf.path, left.path)
    with full_disk(1024):
        opened = await left.open()
    await left.ledger.close()
    return opened


async def reloaded(shelf: Shelf) -> Opened:
    """Return what the same process holds when it opens the ledger again."""
    with full_disk(1024):
        return await shelf.reopen()


async def recovered(shelf: Shelf) -> Opened:
    """Return what a start holds after the disk has recovered."""
    await shelf.ledger.flush()
    await shelf.ledger.close()
    return await Shelf(shelf.path).open()


@pytest.mark.parametrize("start", [crashed, reloaded, recovered])
async def test_what_ended_on_a_full_disk_waits_in_no_ledger_however_many_they_are(
    shelf: Shelf, start: Callable[[Shelf], Awaitable[Opened]]
) -> None:
    await shelf.open()
    dispatch = a_dispatch(1)
    waiting = [a_message(dispatch, place) for place in range(1, 6001)]
    await shelf.ledger.record(Entry(messages=waiting))
    with full_disk(1024):
        for some in batched(waiting, 1000, strict=True):
            ended = [
                replace(one, stage=Stage.CLOSED, status=Status.DELIVERED)
                for one in some
            ]
            await shelf.ledger.record(Entry(messages=ended))
    opened = await start(shelf)
    assert not [one for one in opened.open_messages if one.stage is Stage.WAITING]


async def test_of_too_many_that_ended_the_oldest_are_uncertain_when_they_are_written(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await shelf.add(1)
    await shelf.add(2, stage=Stage.ACCEPTED, status=Status.SENT)
    closed = await shelf.add(3, stage=Stage.CLOSED, status=Status.DELIVERED)
    again = await shelf.add(4, stage=Stage.ACCEPTED)
    ids = [10_001, 20_001, closed.id, again.id, 90_001]
    delivered = replace(again, stage=Stage.CLOSED, status=Status.DELIVERED)
    await shelf.ledger.record(Entry(messages=[delivered], ended=ids))
    found = (await shelf.ledger.find(Query())).messages
    assert [(one.stage, one.status) for one in reversed(found)] == [
        (Stage.CLOSED, Status.UNCERTAIN),
        (Stage.CLOSED, Status.SENT),
        (Stage.CLOSED, Status.DELIVERED),
        (Stage.CLOSED, Status.DELIVERED),
    ]


def test_what_an_entry_on_disk_knows_more_of_is_not_written_again() -> None:
    unwritten = Unwritten()
    first, second = (a_message(a_dispatch(index)) for index in (1, 2))
    unwritten.absorb(Entry(messages=[first, second]))
    longer = replace(first, parts=2)
    unwritten.supersede(Entry(messages=[longer]))
    entry = unwritten.take()
    assert entry is not None
    assert entry.messages == (second,)


def test_of_a_message_that_was_not_written_the_last_state_is_kept() -> None:
    unwritten = Unwritten()
    first, second = (a_message(a_dispatch(index)) for index in (1, 2))
    longer = replace(first, parts=2)
    for message in (first, second, longer):
        spent = Spent(day=TODAY, account="casa", parts=1, cost=Decimal("0.1"))
        unwritten.absorb(Entry(messages=[message], spent=[spent]))
    entry = unwritten.take()
    assert entry is not None
    assert entry.messages == (second, longer)
    assert entry.spent == (
        Spent(day=TODAY, account="casa", parts=3, cost=Decimal("0.3")),
    )


# The journal

OWNER = bytes(range(16))


def an_entry(index: int, **changes: object) -> Entry:
    """Return an entry with a message, a submission, a sum and a run."""
    dispatch = a_dispatch(index, text="Perché no? \ud800")
    return Entry(
        messages=(a_message(dispatch, **changes),),
        submissions=(
            SubmissionIntent(
                reference=f"r{index}", dispatch=dispatch.id, account="casa", created=1.5
            ),
        ),
        spent=(Spent(day=TODAY, account="casa", parts=2, cost=Decimal("0.1")),),
        runs=(
            RunRecord(
                id=index, account="casa", escalation="notte", ended=None, state="{}"
            ),
        ),
    )


READING = ClockReading(clock="before", moment=Moment(steady=1.5, wall=2.5))

FIRST, SECOND = an_entry(1), an_entry(2, stage=Stage.CLOSED, status=Status.FAILED)


def kept_in(path: Path, owner: bytes = OWNER, written: int = 0) -> Kept | None:
    """Return what a journal gives to a ledger."""
    return Journal(path).read(owner, written)


def a_journal(path: Path, *entries: Entry) -> Journal:
    """Return a journal that was given these states."""
    journal = Journal(path)
    assert journal.read(OWNER, 0) is None
    assert all(journal.write(entry, READING) for entry in entries)
    return journal


def test_the_journal_gives_back_its_last_state(tmp_path: Path) -> None:
    path = tmp_path / "sms.journal"
    journal = a_journal(path, FIRST, SECOND)
    kept = Kept(entry=SECOND, submitted=frozenset(), clock=READING)
    assert kept_in(path) == kept
    assert kept_in(path, written=journal.sequence - 1) == kept
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_journal_gives_nothing_that_is_written_wiped_or_anothers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sms.journal"
    journal = a_journal(path, FIRST, SECOND)
    assert kept_in(path, written=journal.sequence) is None
    assert kept_in(path, owner=bytes(16)) is None
    journal.wipe()
    assert kept_in(path) is None
    assert not any(path.read_bytes())


def test_of_what_is_forgotten_nothing_is_left_in_the_journal(tmp_path: Path) -> None:
    """Neither in the other slot nor behind what is shorter than it was."""
    path = tmp_path / "sms.journal"
    texts = (secrets.token_hex(5000) for _ in range(4))
    dispatches = (a_dispatch(index, text=text) for index, text in enumerate(texts, 1))
    long = [Entry(messages=(a_message(one),)) for one in dispatches]
    journal = a_journal(path, *long)
    journal.write_alone(FIRST, READING)
    clean = tmp_path / "clean.journal"
    other = a_journal(clean)
    other.sequence = journal.sequence - 1
    other.write(FIRST, READING)
    assert path.read_bytes() == clean.read_bytes()


def test_numbers_of_states_go_on_after_those_that_the_ledger_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sms.journal"
    journal = Journal(path)
    journal.read(OWNER, 7)
    journal.write(FIRST, READING)
    assert journal.sequence == 8
    assert kept_in(path, written=7) is not None


@dataclass(frozen=True, slots=True)
class Torn:
    """A journal after its first state and after its second, and where they differ."""

    path: Path
    before: bytes
    after: bytes
    differing: Sequence[int]
    used: Sequence[int]


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Torn:
    """Return a journal with two states."""
    path = tmp_path_factory.mktemp("torn") / "sms.journal"
    journal = a_journal(path, FIRST)
    before = path.read_bytes()
    journal.write(SECOND, READING)
    after = path.read_bytes()
    return Torn(
        path,
        before,
        after,
        [at for at, byte in enumerate(after) if byte != before[at]],
        [at for at, byte in enumerate(after) if byte],
    )


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_of_a_journal_that_is_torn_at_any_byte_a_whole_state_is_left(
    torn: Torn, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(torn.differing[0], torn.differing[-1]), "cut")
    torn.path.write_bytes(torn.after[:cut] + torn.before[cut:])
    kept = kept_in(torn.path)
    assert kept is not None
    assert kept.entry == FIRST


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_journal_with_any_byte_spoilt_gives_a_whole_state_or_none(
    torn: Torn, data: st.DataObject
) -> None:
    spoilt = bytearray(torn.after)
    spoilt[data.draw(st.sampled_from(torn.used), "place")] ^= data.draw(
        st.integers(1, 255), "bits"
    )
    torn.path.write_bytes(spoilt[: data.draw(st.integers(0, len(spoilt)), "length")])
    kept = kept_in(torn.path)
    assert kept is None or kept.entry in {FIRST, SECOND}


def test_what_does_not_fit_the_journal_is_kept_by_its_id_if_it_was_submitted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sms.journal"
    journal = a_journal(path)
    noise = random.Random(7)  # noqa: S311 - no secret
    waiting, sent = (
        tuple(
            a_message(a_dispatch(index, text=noise.randbytes(700).hex()), stage=stage)
            for index in range(first, first + 400)
        )
        for first, stage in ((1, Stage.WAITING), (1000, Stage.CLOSED))
    )
    entry = Entry(messages=waiting + sent, runs=FIRST.runs)
    assert not journal.write(entry, READING)
    kept = kept_in(path)
    assert kept is not None
    assert kept.entry.runs == FIRST.runs
    assert kept.submitted == {one.id for one in sent}
    assert 0 < len(kept.entry.messages) < 400
    assert kept.entry.messages == waiting[: len(kept.entry.messages)]


async def test_what_the_journal_knows_by_its_id_is_not_taken_to_wait(
    shelf: Shelf,
) -> None:
    await shelf.open()
    waits = await shelf.add(1)
    was_sent = await shelf.add(2)
    await shelf.ledger.close()
    ledger = LedgerFile(shelf.path)
    ledger.open(TODAY)
    noise = random.Random(7).randbytes(300_000).hex()  # noqa: S311 - no secret
    too_long = a_message(a_dispatch(3, text=noise), stage=Stage.ACCEPTED)
    accepted = replace(was_sent, stage=Stage.ACCEPTED)
    assert not ledger.keep(Entry(messages=[too_long, accepted]), READING)
    ledger.close()
    opened = await shelf.open()
    assert opened.open_messages == (
        waits,
        replace(was_sent, stage=Stage.SUBMITTING),
    )
    # It is written once, and the journal is empty then.
    assert (await shelf.reopen()).open_messages == opened.open_messages
    assert not any(shelf.path.with_suffix(".journal").read_bytes())


async def test_what_the_journal_kept_is_written_once(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.ledger.close()
    ledger = LedgerFile(shelf.path)
    ledger.open(TODAY)
    assert ledger.keep(FIRST, READING)
    ledger.close()
    journal = shelf.path.with_suffix(".journal")
    before = journal.read_bytes()
    for _ in range(2):
        opened = await shelf.open()
        assert opened.totals == {"casa": DayTotal(parts=2, cost=Decimal("0.1"))}
        await shelf.ledger.close()
        # As if the disk had lost that it was wiped.
        journal.write_bytes(before)
