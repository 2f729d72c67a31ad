"""Recording entries: committed, synced, and kept elsewhere where that is impossible.

On a thread that writes. What many callers record at the same time is committed
together; while one commit runs, the next ones gather. A commit survives the end of the
process, and a power cut once it is synced: by a third thread, for which the next commit
does not wait, or by the same one where somebody waits for that and nobody for less.
Nobody waits long for a disk that is slow, and what cannot be committed goes to the
journal.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
import logging
from pathlib import Path
import sqlite3

from ..clock import Clock
from .file import LedgerFile, LedgerReader, is_damage, is_of_the_file, name_of
from .records import Entry, LedgerClosedError, LedgerTrouble, Opened, Remembered
from .threads import LONGEST, SOUND, Patience, Worker, is_done
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


class _Awaited(Enum):
    """What somebody waits for before going on."""

    NOTHING = auto()
    COMMIT = auto()
    SYNC = auto()


@dataclass(frozen=True, slots=True)
class _Recording:
    """An entry, and what is done when it is committed, and when it is on disk.

    `awaited` is which of the two somebody waits for.
    """

    entry: Entry
    awaited: _Awaited
    committed: asyncio.Future[None]
    synced: asyncio.Future[None]

    def end(self) -> None:
        """Let nobody wait for it any more."""
        for future in (self.committed, self.synced):
            if not future.done():
                future.set_result(None)


class Recorder:
    """Records entries in the ledger at `path`; all is for the event loop.

    One that cannot be written never stops a send: the trouble is logged and
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
        self._in_commit: Sequence[Entry] = ()
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
        self._is_held = False
        self._is_mark_due = False
        self._mark_error: str | None = None

    def _missing(self) -> list[Entry]:
        """Return what was recorded and the file may lack, oldest first.

        Nothing while all is well: then a barrier is enough.
        """
        is_well = self._trouble is None and not self._is_overdue
        unwritten = self._unwritten.entry()
        if is_well and unwritten is None:
            return []
        late = [] if unwritten is None else [unwritten]
        return [*late, *self._in_commit, *(one.entry for one in self._waiting)]

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
        # Not before all that follows from how it was opened is on disk.
        self._is_mark_due = False
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
        # As in `open`.
        self._is_mark_due = False
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
        # A backup may be copying it.
        self._file.held = self._is_held
        self._reader = LedgerReader(self._path)

    async def record(self, entry: Entry, to_send: Collection[int] = ()) -> None:
        """Record an entry; returns when no power cut can undo it.

        Or when its messages have waited long enough, or those that leave once it is
        recorded, of the dispatches `to_send` (IDs): then it is written later.
        """
        dispatches = {*_dispatches(entry), *to_send}
        await self._wait_for(self._enqueue(entry, _Awaited.SYNC).synced, dispatches)

    async def commit(self, entry: Entry) -> None:
        """Record an entry; returns when the process may be killed.

        It is on disk a moment later. Or when its messages have waited long enough.
        """
        committed = self._enqueue(entry, _Awaited.COMMIT).committed
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
        self._enqueue(entry, _Awaited.NOTHING)
        if self._write_delay is None:
            loop = asyncio.get_running_loop()
            self._write_delay = loop.call_later(_WRITE_DELAY, self._set_to_work)

    def _enqueue(self, entry: Entry, awaited: _Awaited) -> _Recording:
        """Put an entry behind the others."""
        if self._threads is None:
            raise LedgerClosedError
        loop = asyncio.get_running_loop()
        recording = _Recording(
            entry, awaited, loop.create_future(), loop.create_future()
        )
        self._waiting.append(recording)
        return recording

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
                awaited = {one.awaited for one in batch}
                # Where nobody goes on before, the same thread syncs it: one hop less.
                beside = _Awaited.COMMIT in awaited or _Awaited.SYNC not in awaited
                is_synced = await self._commit(entries, beside=beside)
                if self._is_damaged:
                    await self._begin_anew(())
            except Exception as err:  # noqa: BLE001 - no send may wait for ever
                # What is missing now is written when the messages change again.
                _LOGGER.error("The SMS ledger failed: %s", name_of(err))  # noqa: TRY400 - its words may quote a text
                self._is_damaged = False
            finally:
                self._committed(batch, is_synced=is_synced)
            await self._renew_due_mark()

    async def _renew_due_mark(self) -> None:
        """Give the file another mark if that is due and all that was recorded is there.

        What fails is tried again after the next commit, at the latest in a while.
        """
        is_troubled = self._is_overdue or self._is_damaged or self._file.is_missing
        is_complete = not (self._waiting or self._unwritten or is_troubled)
        if not self._is_mark_due or self._is_held or not is_complete:
            return
        try:
            await self._at_length(self._file.renew_mark)
        except (OSError, sqlite3.Error) as err:
            self._report_mark(name_of(err))
            self._try_again()
        else:
            self._is_mark_due = False
            self._mark_error = None

    def _report_mark(self, error: str) -> None:
        """Log why the file has no new mark, unless that is known."""
        if error != self._mark_error:
            _LOGGER.warning("The SMS ledger cannot be marked: %s", error)
        self._mark_error = error

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
        self._in_commit = together
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
        finally:
            self._in_commit = ()
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
            self._is_mark_due = True
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


def _dispatches(entry: Entry) -> set[int]:
    """Return the IDs of the dispatches of an entry's messages."""
    return {one.dispatch.id for one in entry.messages}
