"""The ledger: every message, every submission and each day's totals, on disk.

SQLite on two threads, one that writes and one that reads. What many callers record at
the same time is committed together; while one commit runs, the next ones gather. A
commit survives the end of the process, and a power cut once a third thread has synced
it, for which the next commit does not wait. Nobody waits long for a disk that is slow,
and what cannot be committed goes to the journal.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import batched
import logging
from pathlib import Path
import sqlite3

from ..clock import Clock
from ..model import DayTotal, Dispatch, Message
from . import queries, runs
from .file import (
    UNREADABLE,
    LedgerFile,
    LedgerReader,
    is_damage,
    is_of_the_file,
    name_of,
)
from .records import (
    Entry,
    Found,
    LedgerClosedError,
    LedgerError,
    LedgerSlowError,
    LedgerTrouble,
    LedgerUnreadableError,
    Opened,
    Query,
    ReceptionRecord,
    Remembered,
    RunRecord,
)
from .threads import LONGEST, SOUND, Patience, Worker, in_time, is_done
from .unwritten import Abandoned, Unwritten

_LOGGER = logging.getLogger(__name__)

_WRITE_DELAY = 0.01
"""Seconds until something is written that nobody waits for.

The thread would take the processor's time from an answer that is on its way, and in
a storm the next message comes before that, and is written with it.
"""

_RETRY_DELAY = 15
"""Seconds until a file that cannot be written is tried again without an occasion."""

_IMPATIENT = 0.2
"""Seconds that anything may take while the disk is known not to answer."""

_SEARCH_TIMEOUT = 30
"""Seconds that a search through all messages may take."""

_CHUNK = 100
"""Dispatches that are forgotten in one go, so that no send waits for long."""


@dataclass(frozen=True, slots=True)
class _Threads:
    """The ledger's own threads, each for one connection."""

    writing: Worker = field(default_factory=lambda: Worker("sms_italia_ledger"))
    reading: Worker = field(default_factory=lambda: Worker("sms_italia_ledger_reading"))
    syncing: Worker = field(default_factory=lambda: Worker("sms_italia_ledger_syncing"))

    def end(self) -> None:
        """End the threads, or leave alone those that hang; blocking."""
        for thread in (self.writing, self.reading, self.syncing):
            thread.end()
            thread.join()


@dataclass(frozen=True, slots=True)
class _Recording:
    """An entry, and what is done when it is committed, and when it is on disk.

    For one that is `beside`, somebody goes on before it is on disk.
    """

    entry: Entry
    beside: bool
    committed: asyncio.Future[None]
    synced: asyncio.Future[None]

    def end(self) -> None:
        """Let nobody wait for it any more."""
        for future in (self.committed, self.synced):
            if not future.done():
                future.set_result(None)


class Ledger:
    """Keeps messages at `path`; all methods are for the event loop.

    A ledger that cannot be written never stops a send: the trouble is logged and
    reported to `on_trouble` once, None when it is over, and `record` returns as if
    nothing had happened, in a moment at the latest. What could not be written is kept
    in the journal, and written as soon as the file can be. A file that turns out to be
    damaged is set aside, and a new one begun.
    """

    def __init__(
        self,
        path: Path,
        on_trouble: Callable[[LedgerTrouble | None], None],
        clock: Clock,
        *,
        mark: Path | None = None,
    ) -> None:
        """Use the file at `path`; nothing is opened yet.

        `clock` goes on from where it was at the last commit when the file is opened.
        Copies of the file are known as such if `mark` is a file that no backup holds.
        """
        self._path = path
        self._mark = mark
        self._clock = clock
        self._file = LedgerFile(path, mark)
        self._reader = LedgerReader(path)
        self._on_trouble = on_trouble
        self._on_opened: Callable[[Opened], None] = lambda _: None
        self._remember: Callable[[], Remembered] = Remembered
        self._threads: _Threads | None = None
        self._waiting: list[_Recording] = []
        self._unsynced: list[_Recording] = []
        self._unwritten = Unwritten()
        self._patience = Patience()
        self._abandoned: Abandoned | None = None
        self._work: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._write_delay: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._today = ""
        self._known: frozenset[int] = frozenset()
        self._trouble: LedgerTrouble | None = None
        self._is_overdue = False
        self._is_damaged = False
        self._is_unreadable = False

    def remember_with(self, remember: Callable[[], Remembered]) -> None:
        """Ask `remember` what is open if the file is lost while we run."""
        self._remember = remember

    @property
    def trouble(self) -> LedgerTrouble | None:
        """What is wrong with the ledger at the moment, None if nothing is."""
        return self._trouble

    @property
    def forgets(self) -> bool:
        """Whether a restart now would forget what is recorded."""
        return self._trouble in {LedgerTrouble.IN_MEMORY, LedgerTrouble.UNRECORDED}

    async def open(
        self, today: str, on_opened: Callable[[Opened], None] = lambda _: None
    ) -> Opened:
        """Open or create the file and return what is open in it.

        `today` (YYYY-MM-DD) says which day's totals to return, by account. If the disk
        does not answer in time, or the file cannot even be read, what it holds is not
        known yet: it is given to `on_opened` when it is.
        """
        self._threads = _Threads()
        self._today = today
        self._known = self._unwritten.ids
        self._is_overdue = False
        self._on_opened = on_opened
        opening = self._threads.writing.do(partial(self._file.open, today))
        if not await is_done(opening, LONGEST):
            opening.add_done_callback(self._opened_late)
            self._find_overdue()
            return self._unwritten.completed(Opened(), today)
        opened = opening.result()
        if opened.clock is not None:
            self._clock.resume(opened.clock)
        self._unwritten.absorb(self._undone(opened))
        self._take_over(opened)
        return self._unwritten.completed(opened, today)

    def _opened_late(self, opening: asyncio.Future[Opened]) -> None:
        """Hand on what the file holds, which was opened after all."""
        if opening.cancelled() or self._threads is None:
            return
        opened = self._by_our_clock(opening.result())
        self._take_over(opened)
        self._hand_on(opened)

    def _by_our_clock(self, opened: Opened) -> Opened:
        """Return what a file held that was opened late, with its times by our clock.

        It is written like that as well, so that the next start reads it by one clock.
        """
        if opened.clock is None or not (moved := self._clock.ahead_of(opened.clock)):
            return opened
        messages = tuple(one.moved(moved) for one in opened.open_messages)
        self.note(Entry(messages=messages))
        unwritten = opened.unwritten
        if unwritten is not None:
            late = tuple(one.moved(moved) for one in unwritten.messages)
            unwritten = replace(unwritten, messages=late)
        return replace(opened, open_messages=messages, unwritten=unwritten, moved=moved)

    def _hand_on(self, opened: Opened) -> None:
        """Hand on what a file held that was opened late, without what was known."""
        undone = self._undone(opened)
        self._unwritten.absorb(undone)
        earlier = Unwritten()
        earlier.absorb(undone)
        if opened.unwritten is not None and not self._known:
            earlier.absorb(opened.unwritten)
        messages = (one for one in opened.open_messages if one.id not in self._known)
        unknown = replace(opened, open_messages=tuple(messages))
        self._on_opened(earlier.completed(unknown, self._today))

    def _undone(self, opened: Opened) -> Entry:
        """Return what takes back an abandoned commit that a file has after all.

        What it added to totals is still to be written, too.
        """
        abandoned = self._abandoned
        if abandoned is None or opened.clock != abandoned.reading:
            return Entry()
        self._abandoned = None
        return abandoned.undone()

    def _take_over(self, opened: Opened) -> None:
        """See to it that what the file lacks is written, and say what is wrong."""
        if opened.unwritten is not None and not self._known:
            self._unwritten.absorb(opened.unwritten)
        match opened.trouble:
            case None:
                self._recovered()
            case LedgerTrouble.SET_ASIDE as trouble:
                self._recovered()
                self._on_trouble(trouble)
            case trouble:
                self._trouble = trouble
                self._on_trouble(trouble)
        if self._file.is_missing:
            self._try_again()
        elif self._unwritten:
            self.note(Entry())

    async def close(self) -> None:
        """Write what is waiting, close the file and end the threads.

        A disk that does not answer is left alone: what it lacks is written when the
        ledger is opened again.
        """
        if self._threads is None:
            return
        await self.flush()
        await self._end_of_work()
        if self._syncing is not None:
            await asyncio.wait([self._syncing], timeout=self._bounded(LONGEST))
            # A disk that hangs keeps its thread, which is left alone.
            self._syncing.cancel()
        if self._write_delay is not None:
            self._set_to_work()
            await self._end_of_work()
        threads, self._threads = self._threads, None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        # The one that writes is the last to close, and tidies up.
        closing = threads.reading.do(self._reader.close)
        if await is_done(closing, self._bounded(LONGEST)):
            closing = threads.writing.do(self._file.close)
        if not await is_done(closing, self._bounded(LONGEST)):
            closing.cancel()
            await self._abandon()
        await asyncio.get_running_loop().run_in_executor(None, threads.end)

    async def _abandon(self) -> None:
        """Leave alone what a thread that hangs does, and keep what it may not write."""
        for task in (self._work, self._syncing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        for one in self._waiting:
            self._unwritten.absorb(one.entry)
        for one in (*self._waiting, *self._unsynced):
            one.end()
        self._waiting, self._unsynced = [], []
        self._file.abandon()
        self._file = LedgerFile(self._path, self._mark)
        self._reader = LedgerReader(self._path)

    async def record(self, entry: Entry, to_send: Collection[int] = ()) -> None:
        """Record an entry; returns when no power cut can undo it.

        Or when its messages have waited long enough, or those that leave once it is
        recorded, of the dispatches `to_send` (IDs): then it is written later.
        """
        dispatches = {*_dispatches(entry), *to_send}
        await self._wait_for(self._enqueue(entry).synced, dispatches)

    async def commit(self, entry: Entry) -> None:
        """Record an entry; returns when the process may be killed.

        It is on disk a moment later. Or when its messages have waited long enough.
        """
        committed = self._enqueue(entry, beside=True).committed
        await self._wait_for(committed, _dispatches(entry))

    async def _wait_for(
        self, future: asyncio.Future[None], dispatches: Collection[int]
    ) -> None:
        """Wait for what is recorded now, as long as messages of dispatches may."""
        self._set_to_work()
        if self._is_overdue:
            # It is known that the disk does not answer.
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        patience = self._patience
        left = patience.left(dispatches) if patience.was_spent else LONGEST
        if not await is_done(future, left) and left == LONGEST:
            self._find_overdue()
        if (waited := loop.time() - began) > SOUND:
            patience.spend(dispatches, waited)

    def _find_overdue(self) -> None:
        """Say that the disk does not answer, and wait no more until it does."""
        self._is_overdue = True
        self._report(LedgerTrouble.UNRECORDED, "the disk does not answer")

    def _bounded(self, seconds: float) -> float:
        """Return how long something may take, if it may take these seconds at most."""
        return min(seconds, _IMPATIENT) if self._is_overdue else seconds

    async def flush(self) -> None:
        """Return when all that was recorded before is on disk, as `record` does."""
        # Entries are committed in order, so that an empty one is a barrier.
        await self.record(Entry())

    def note(self, entry: Entry) -> None:
        """Record an entry with the next one that is recorded, or in a moment."""
        self._enqueue(entry)
        if self._write_delay is None:
            loop = asyncio.get_running_loop()
            self._write_delay = loop.call_later(_WRITE_DELAY, self._set_to_work)

    def _enqueue(self, entry: Entry, *, beside: bool = False) -> _Recording:
        """Put an entry behind the others."""
        if self._threads is None:
            raise LedgerClosedError
        loop = asyncio.get_running_loop()
        recording = _Recording(
            entry, beside, loop.create_future(), loop.create_future()
        )
        self._waiting.append(recording)
        return recording

    async def find(self, query: Query) -> Found:
        """Return the messages that match, newest first.

        Raises LedgerUnreadableError.
        """
        return await self._read(
            lambda database: queries.find(database, query), _SEARCH_TIMEOUT
        )

    async def find_on_the_way(self, query: Query, waiting: Dispatch) -> Found:
        """Return what `find` does, while messages of a dispatch wait to be sent.

        It takes of their time; raises LedgerUnreadableError if there is none left.
        """
        return await self._read_on_the_way(
            lambda database: queries.find(database, query), waiting
        )

    async def message(self, message_id: int) -> Message | None:
        """Return a message by its id, open or closed; None if there is none.

        Raises LedgerUnreadableError.
        """
        return await self._read(lambda one: queries.read_message(one, message_id))

    async def undelivered(
        self, account: str, except_for: Collection[int], limit: int
    ) -> Found:
        """Return the newest undelivered messages of an account that nobody has seen.

        `except_for` are IDs of messages that are left out. Raises
        LedgerUnreadableError.
        """
        return await self._read(
            lambda one: queries.read_undelivered(one, account, except_for, limit)
        )

    async def mark_seen(self, messages: Sequence[Message]) -> None:
        """Keep that somebody has seen messages with the status that they have here."""
        await self.flush()
        try:
            await self._write(lambda: self._file.mark_seen(messages))
        except (sqlite3.Error, LedgerSlowError) as err:
            _LOGGER.error("The SMS ledger cannot be written: %s", name_of(err))  # noqa: TRY400 - one line says it

    async def runs(self, ended_since: float) -> tuple[RunRecord, ...]:
        """Return the runs that matter after a start; see `read_runs`.

        Nothing if the ledger cannot be read.
        """
        try:
            found = await self._read(lambda one: runs.read_runs(one, ended_since))
        except LedgerUnreadableError:
            found = ()
        return self._unwritten.runs(found)

    async def messages_of_runs(self, ids: Sequence[int]) -> tuple[Message, ...]:
        """Return all messages of some runs, open or closed.

        Raises LedgerUnreadableError.
        """
        return await self._read(lambda one: runs.read_messages_of_runs(one, ids))

    async def reception(self, account: str) -> ReceptionRecord | None:
        """Return what is known of an account's reception.

        None if nothing is, or the ledger cannot be read.
        """
        try:
            found = await self._read(lambda one: queries.read_reception(one, account))
        except LedgerUnreadableError:
            found = None
        return self._unwritten.receptions.get(account, found)

    async def latest(
        self, account: str, recipient: str | None, now: float
    ) -> tuple[Message, ...]:
        """Return the messages of an account's last dispatch.

        With a recipient, only its messages, of the last dispatch that has any. What
        was cancelled does not count, nor what is scheduled for later than `now` (wall
        time). Nothing if the ledger cannot be read.
        """
        try:
            return await self._read(
                lambda one: queries.read_latest(one, account, recipient, now)
            )
        except LedgerUnreadableError:
            return ()

    async def totals_between(
        self, account: str, first: str, last: str
    ) -> dict[str, DayTotal]:
        """Return the totals of an account by day, both ends included.

        Raises LedgerError.
        """
        return await self._read(
            lambda one: queries.read_totals_between(one, account, first, last)
        )

    def totals(self, day: str) -> asyncio.Future[dict[str, DayTotal]]:
        """Return the totals of a day, by account, as they are before what comes now.

        They are read after all that is being written, and before all that is recorded
        from now on. The future raises what SQLite does.
        """
        if self._threads is None:
            raise LedgerClosedError
        return self._threads.writing.do(
            lambda: queries.read_totals(self._file.database, day)
        )

    async def prices(self, account: str) -> list[tuple[str, Decimal]]:
        """Return what an account paid for a part, newest first: number and euro.

        Up to what listeners were notified of last, which is on its way to the disk.
        Nothing if the ledger cannot be read.
        """
        await self.flush()
        try:
            return await self._read(
                lambda one: queries.read_prices(one, account), _SEARCH_TIMEOUT
            )
        except LedgerUnreadableError:
            return []

    async def knows_reference(self, reference: str, waiting: Dispatch) -> bool:
        """Return whether a submission may have had this reference that somebody gave.

        It takes of the time of messages of `waiting`, which wait to be sent. True if
        the ledger cannot be read, or not in time.
        """
        try:
            return await self._read_on_the_way(
                lambda one: queries.knows_reference(one, reference), waiting
            )
        except LedgerUnreadableError:
            return True

    async def count_submitted(self, reference: str, dispatch: Dispatch) -> int | None:
        """Return how many messages of a dispatch were last sent by a submission.

        None if the ledger cannot be read.
        """
        try:
            return await self._read(
                lambda one: queries.count_submitted(one, reference, dispatch.id)
            )
        except LedgerUnreadableError:
            return None

    async def keep_clock(self) -> None:
        """Keep what the clock shows, for the next start."""
        reading = self._clock.reading()
        try:
            await self._write(lambda: self._file.keep_clock(reading))
        except (sqlite3.Error, LedgerSlowError) as err:
            _LOGGER.error("The SMS ledger cannot be written: %s", name_of(err))  # noqa: TRY400 - one line says it

    async def trim(self, account: str, before: float) -> None:
        """Forget the closed messages of an account that were due before `before`.

        What cannot be forgotten today is tried again another day.
        """
        try:
            await self._forget(
                await self._read(
                    lambda one: queries.old_dispatches(one, account, before)
                )
            )
            await self._write(lambda: self._file.trim_runs(account, before))
            await self._write(self._file.clear_log)
        except (sqlite3.Error, LedgerUnreadableError, LedgerSlowError) as err:
            await self._report_unforgotten(err)

    async def remove_set_aside(self, before: float) -> None:
        """Delete what was set aside before a time of the wall clock."""
        try:
            await self._write(partial(self._file.remove_set_aside, before))
        except (OSError, LedgerSlowError) as err:
            await self._report_unforgotten(err)

    async def forget(self, account: str) -> None:
        """Forget all that was ever asked of an account, and what it spent."""
        # What is waiting must not come after it.
        await self.flush()
        self._unwritten.forget(account)
        try:
            keep = partial(self._file.keep_alone, self._unwritten.entry())
            await self._write(partial(keep, self._clock.reading()))
            await self._forget(
                await self._read(lambda one: queries.dispatches_of(one, account))
            )
            await self._write(lambda: self._file.forget_account(account))
            await self._write(self._file.clear_log)
        except (OSError, sqlite3.Error, LedgerUnreadableError, LedgerSlowError) as err:
            await self._report_unforgotten(err)

    async def _forget(self, dispatches: Sequence[int]) -> None:
        """Forget dispatches, some at a time."""
        for some in batched(dispatches, _CHUNK, strict=False):
            await self._write(partial(self._file.forget_dispatches, some))

    async def hold(self) -> None:
        """Keep the main file as it is until `release`, so that it can be copied.

        What is recorded meanwhile goes to the write-ahead file beside it, of which
        a copy taken at any moment is good up to its last whole commit. That holds
        for a ledger that is closed and opened again as well.

        Raises LedgerSlowError if the disk does not answer: a copy may not be whole.
        """
        if self._threads is None:
            self._file.hold()
        else:
            # With all that happened before.
            await self.flush()
            await self._write(self._file.hold, _SEARCH_TIMEOUT)

    async def release(self) -> None:
        """Let the main file change again; copies made before are known as such."""
        if self._threads is None:
            self._file.release()
        else:
            # If the disk does not answer, it is done when it does.
            with suppress(LedgerSlowError):
                await self._write(self._file.release)
            await self.renew_mark()

    async def renew_mark(self) -> None:
        """Let copies that were made before be known as such when they are put back.

        Not while something is missing in the file: of what it holds then, more must
        stay in doubt.
        """
        if self._unwritten or self._is_overdue:
            return
        try:
            await self._write(self._file.renew_mark)
        except (OSError, sqlite3.Error, LedgerSlowError) as err:
            _LOGGER.warning("The SMS ledger cannot be marked: %s", name_of(err))

    async def _write[R](self, work: Callable[[], R], seconds: float = LONGEST) -> R:
        """Do blocking work on the thread that writes.

        Raises LedgerSlowError if it takes more than these seconds; it goes on then.
        """
        if self._threads is None:
            raise LedgerClosedError
        return await in_time(self._threads.writing.do(work), self._bounded(seconds))

    async def _read[R](
        self,
        work: Callable[[sqlite3.Connection], R],
        seconds: float = LONGEST,
    ) -> R:
        """Read something beside the thread that writes.

        Raises LedgerUnreadableError, after a damaged file has been set aside, or if it
        takes more than these seconds.
        """
        if self._is_at_work or self._waiting:
            # Whoever was just notified of a message finds it as it was then.
            await self.flush()
        if self._is_damaged:
            await self._end_of_work()
            if self._is_damaged:
                raise LedgerUnreadableError
        if self._threads is None:
            raise LedgerClosedError
        if self._file.in_memory:
            # Such a database has one connection only.
            reading = self._threads.writing.do(lambda: work(self._file.database))
        else:
            reading = self._threads.reading.do(partial(self._reader.read, work))
        try:
            result = await in_time(reading, self._bounded(seconds))
        except (*UNREADABLE, LedgerError) as err:
            if not self._is_unreadable:
                _LOGGER.error("The SMS ledger cannot be read: %s", name_of(err))  # noqa: TRY400 - one line says it
            self._is_unreadable = True
            await self._check_damage(err)
            raise LedgerUnreadableError from None
        self._is_unreadable = False
        return result

    async def _read_on_the_way[R](
        self, work: Callable[[sqlite3.Connection], R], waiting: Dispatch
    ) -> R:
        """Read something that messages of a dispatch wait for, in what is left to them.

        Raises LedgerUnreadableError as `_read` does, and if that is too short.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._patience.left({waiting.id})):
                return await self._read(work)
        except TimeoutError:
            raise LedgerUnreadableError from None
        finally:
            if (waited := loop.time() - began) > SOUND:
                self._patience.spend({waiting.id}, waited)

    async def _check_damage(self, err: Exception) -> None:
        """Set the file aside if an error says that it is damaged."""
        if is_damage(err):
            self._is_damaged = True
            self._set_to_work()
            await self._end_of_work()

    async def _end_of_work(self) -> None:
        """Return when what is waiting is committed, or in a while."""
        if self._work is not None:
            await asyncio.wait([self._work], timeout=self._bounded(LONGEST))

    @property
    def _is_at_work(self) -> bool:
        return self._work is not None and not self._work.done()

    def _set_to_work(self) -> None:
        """See to it that what is waiting is committed."""
        if self._write_delay is not None:
            self._write_delay.cancel()
            self._write_delay = None
        if not self._is_at_work:
            # It starts in the next round of the loop: what is recorded in this one is
            # committed together.
            self._work = asyncio.get_running_loop().create_task(
                self._do_all(), name="sms_italia ledger"
            )

    async def _do_all(self) -> None:
        """Commit all that is waiting; begin anew when the file is damaged."""
        while self._waiting or self._is_damaged:
            batch, self._waiting = self._waiting, []
            entries = [one.entry for one in batch]
            is_synced = False
            try:
                if self._is_damaged:
                    await self._begin_anew(entries)
                # Where nobody goes on before, the same thread syncs it: one hop less.
                beside = any(one.beside for one in batch)
                is_synced = await self._commit(entries, beside=beside)
                if self._is_damaged:
                    await self._begin_anew(())
            except Exception as err:  # noqa: BLE001 - no send may wait for ever
                # What is missing now is written when the messages change again.
                _LOGGER.error("The SMS ledger failed: %s", name_of(err))  # noqa: TRY400 - its words may quote a text
                self._is_damaged = False
            finally:
                self._committed(batch, is_synced=is_synced)

    def _committed(self, batch: Sequence[_Recording], *, is_synced: bool) -> None:
        """Let those go on who waited for a commit; what is not synced is next."""
        if is_synced:
            for one in batch:
                one.end()
            self._synced()
            return
        for one in batch:
            if not one.committed.done():
                one.committed.set_result(None)
        self._unsynced += batch
        self._set_to_sync()

    def _set_to_sync(self) -> None:
        """See to it that what is committed is on disk."""
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.get_running_loop().create_task(
                self._sync_all(), name="sms_italia ledger sync"
            )

    async def _sync_all(self) -> None:
        """Sync all that is committed; what is committed meanwhile is synced next."""
        while self._unsynced and self._threads is not None:
            batch, self._unsynced = self._unsynced, []
            try:
                await self._threads.syncing.do(self._file.sync)
            except OSError as err:
                self._is_overdue = True
                self._report(LedgerTrouble.UNRECORDED, name_of(err))
            else:
                self._synced()
            finally:
                for one in batch:
                    one.end()

    def _synced(self) -> None:
        """Note that the disk answers; a trouble is over if nothing is unwritten."""
        if self._is_overdue:
            self._is_overdue = False
            # A commit tells whether all is well.
            self.note(Entry())

    async def _commit(self, entries: Sequence[Entry], *, beside: bool = True) -> bool:
        """Commit entries, after what could not be written before.

        Returns whether they are on disk too, which is left undone if somebody goes on
        beside that.
        """
        if self._file.is_missing:
            await self._open_again()
        is_missing = self._file.is_missing
        late = None if is_missing else self._unwritten.take()
        together = [*([] if late is None else [late]), *entries]
        loop = asyncio.get_running_loop()
        began = loop.time()
        reading, abandoned = self._clock.reading(), self._abandoned
        work = self._file.commit if beside else self._file.commit_and_sync
        try:
            errors = await self._at_length(
                partial(work, entries, reading, late, abandoned)
            )
        except asyncio.CancelledError:
            # Whether it was written is not known.
            self._absorb(together)
            spent = [one for entry in together for one in entry.spent]
            self._abandoned = Abandoned(reading=reading, spent=spent)
            raise
        if late is not None and errors[0] is None:
            self._abandoned = None
        if any(errors) and loop.time() - began > LONGEST:
            self._is_overdue = True
        if is_missing:
            self._absorb(entries)
        elif late is not None or self._trouble is not None or any(errors):
            self._take_stock(together, errors)
        else:
            return not beside
        await self._keep_and_judge([err for err in errors if err is not None])
        return False

    async def _at_length[R](self, work: Callable[[], R]) -> R:
        """Do blocking work on the thread that writes, however long it takes."""
        if self._threads is None:
            raise LedgerClosedError
        return await self._threads.writing.do(work)

    def _absorb(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._unwritten.absorb(entry)

    async def _open_again(self) -> None:
        """Open the file that could not be opened, if that is over."""
        opened = await self._at_length(partial(self._file.open_again, self._today))
        if opened is None:
            return
        opened = self._by_our_clock(opened)
        if opened.unwritten is not None and not self._known:
            self._unwritten.absorb(opened.unwritten)
        self._hand_on(opened)

    def _take_stock(
        self, entries: Sequence[Entry], errors: Sequence[Exception | None]
    ) -> None:
        """Keep the entries that could not be written."""
        for entry, err in zip(entries, errors, strict=True):
            if err is None:
                self._unwritten.supersede(entry)
            elif is_of_the_file(err):
                self._unwritten.absorb(entry)

    async def _keep_and_judge(self, errors: Sequence[Exception]) -> None:
        """Keep what could not be written, and say what is wrong."""
        if any(is_damage(err) for err in errors):
            _LOGGER.error("The SMS ledger is damaged: %s", name_of(errors[0]))
            self._is_damaged = True
            return
        entry, reading = self._unwritten.entry(), self._clock.reading()
        is_kept = await self._at_length(partial(self._file.keep, entry, reading))
        if self._file.is_missing and not self._unwritten:
            self._try_again()
            return
        if not errors and not self._file.is_missing:
            if not self._is_overdue:
                self._recovered()
            return
        reason = name_of(errors[0]) if errors else "there is no file"
        if is_kept and all(map(is_of_the_file, errors)):
            self._report(LedgerTrouble.UNWRITABLE, reason)
        elif self._file.is_missing:
            self._report(LedgerTrouble.IN_MEMORY, reason)
        else:
            self._report(LedgerTrouble.UNRECORDED, reason)

    def _report(self, trouble: LedgerTrouble, reason: str) -> None:
        """Log and report a trouble, unless it is known; and try again later."""
        self._try_again()
        if trouble is self._trouble:
            return
        self._trouble = trouble
        _LOGGER.error("The SMS ledger cannot be written: %s", reason)
        self._on_trouble(trouble)

    def _recovered(self) -> None:
        """Report that a trouble is over, if there was one."""
        if self._trouble is not None:
            self._trouble = None
            self._on_trouble(None)

    def _try_again(self) -> None:
        """Commit what is unwritten in a while, if nothing is recorded before."""
        if self._retry is None or self._retry.cancelled():
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(_RETRY_DELAY, self._write_again)

    def _write_again(self) -> None:
        self._retry = None
        if self._threads is not None:
            self.note(Entry())

    async def _begin_anew(self, next_entries: Sequence[Entry]) -> None:
        """Set the file aside, and write what is known of it to a new one.

        `next_entries` and those that are waiting come after it. Nothing is read
        meanwhile, so that no connection to the old file is left.
        """
        if self._threads is not None:
            await self._threads.reading.do(self._reader.close)
        trouble = await self._at_length(self._file.begin_anew)
        to_come = [*next_entries, *(one.entry for one in self._waiting)]
        self._unwritten.begin_anew(self._remember(), to_come)
        if self._file.is_missing:
            await self._fill_memory()
            self._trouble = trouble
        else:
            await self._commit(())
        # If the new file is bad as well, the next entry finds out.
        self._is_damaged = False
        self._on_trouble(trouble)

    async def _fill_memory(self) -> None:
        """Write what is known to the ledger in memory, and try to have a file later."""
        if (entry := self._unwritten.entry()) is not None:
            commit = partial(self._file.commit, [entry], self._clock.reading())
            await self._at_length(commit)
        self._try_again()

    async def _report_unforgotten(self, err: Exception) -> None:
        _LOGGER.error("The SMS ledger cannot be tidied up: %s", name_of(err))
        await self._check_damage(err)


def _dispatches(entry: Entry) -> set[int]:
    """Return the IDs of the dispatches of an entry's messages."""
    return {one.dispatch.id for one in entry.messages}
