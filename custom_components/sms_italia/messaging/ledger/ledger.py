"""The ledger: every message, every submission and each day's totals, on disk.

SQLite on two threads, one that writes and one that reads. What many callers record at
the same time is committed together; while one commit runs, the next ones gather.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import batched
import logging
from pathlib import Path
import sqlite3

from ..clock import Clock
from ..model import DayTotal, Message
from . import queries
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
    LedgerTrouble,
    LedgerUnreadableError,
    Opened,
    Query,
    Remembered,
)
from .unwritten import Unwritten

_LOGGER = logging.getLogger(__name__)

_WRITE_DELAY = 0.01
"""Seconds until something is written that nobody waits for.

The thread would take the processor's time from an answer that is on its way, and in
a storm the next message comes before that, and is written with it.
"""

_CHUNK = 100
"""Dispatches that are forgotten in one go, so that no send waits for long."""


@dataclass(frozen=True, slots=True)
class _Threads:
    """The ledger's own threads, each for one connection."""

    writing: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "sms_italia_ledger")
    )
    reading: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "sms_italia_ledger_reading")
    )

    def end(self) -> None:
        """End the threads; blocking."""
        self.writing.shutdown()
        self.reading.shutdown()


class Ledger:
    """Keeps messages at `path`; all methods are for the event loop.

    A ledger that cannot be written never stops a send: the trouble is logged and
    reported to `on_trouble` once, and `record` returns as if nothing had happened. What
    could not be written is, as soon as the file can be written again. A file that
    turns out to be damaged is set aside, and a new one begun.
    """

    def __init__(
        self,
        path: Path,
        on_trouble: Callable[[LedgerTrouble], None],
        clock: Clock,
    ) -> None:
        """Use the file at `path`; nothing is opened yet.

        `clock` goes on from where it was at the last commit when the file is opened.
        """
        self._clock = clock
        self._file = LedgerFile(path)
        self._reader = LedgerReader(path)
        self._on_trouble = on_trouble
        self._remember: Callable[[], Remembered] = Remembered
        self._threads: _Threads | None = None
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._unwritten = Unwritten()
        self._work: asyncio.Task[None] | None = None
        self._write_delay: asyncio.TimerHandle | None = None
        self._is_damaged = False
        self._is_failing = False
        self._is_unreadable = False

    def remember_with(self, remember: Callable[[], Remembered]) -> None:
        """Ask `remember` what is open if the file is lost while we run."""
        self._remember = remember

    @property
    def trouble(self) -> LedgerTrouble | None:
        """What is wrong with the ledger at the moment, None if nothing is."""
        if self._is_failing:
            return LedgerTrouble.UNWRITABLE
        is_lost = self._threads is not None and self._file.in_memory
        return LedgerTrouble.IN_MEMORY if is_lost else None

    async def open(self, today: str) -> Opened:
        """Open or create the file and return what is open in it.

        `today` (YYYY-MM-DD) says which day's totals to return, by account.
        """
        self._threads = _Threads()
        opened = await self._write(lambda: self._file.open(today))
        if opened.trouble is not None:
            self._on_trouble(opened.trouble)
        if opened.clock is not None:
            self._clock.resume(opened.clock)
        return self._unwritten.completed(opened, today)

    async def close(self) -> None:
        """Write what is waiting, close the file and end the threads."""
        if self._threads is None:
            return
        await self.flush()
        while self._work is not None and not self._work.done():
            await asyncio.wait([self._work])
        threads, self._threads = self._threads, None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(threads.reading, self._reader.close)
        await loop.run_in_executor(threads.writing, self._file.close)
        await loop.run_in_executor(None, threads.end)

    async def record(self, entry: Entry) -> None:
        """Record an entry; returns when it is on disk."""
        future = self._enqueue(entry)
        self._set_to_work()
        await future

    async def flush(self) -> None:
        """Return when all that was recorded before is on disk."""
        # Entries are committed in order, so that an empty one is a barrier.
        await self.record(Entry())

    def note(self, entry: Entry) -> None:
        """Record an entry with the next one that is recorded, or in a moment."""
        self._enqueue(entry)
        if self._write_delay is None:
            loop = asyncio.get_running_loop()
            self._write_delay = loop.call_later(_WRITE_DELAY, self._set_to_work)

    def _enqueue(self, entry: Entry) -> asyncio.Future[None]:
        """Put an entry behind the others; the future is done when it is on disk."""
        if self._threads is None:
            raise LedgerClosedError
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        return future

    async def find(self, query: Query) -> Found:
        """Return the messages that match, newest first.

        Raises LedgerUnreadableError.
        """
        return await self._read(lambda database: queries.find(database, query))

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
        except sqlite3.Error as err:
            _LOGGER.error("The SMS ledger cannot be written: %s", name_of(err))  # noqa: TRY400 - one line says it

    async def latest(
        self, account: str, recipient: str | None = None
    ) -> tuple[Message, ...]:
        """Return the messages of an account's newest dispatch.

        With a recipient, only its messages, of the newest dispatch that has any.
        Nothing if the ledger cannot be read.
        """
        try:
            return await self._read(
                lambda one: queries.read_latest(one, account, recipient)
            )
        except LedgerUnreadableError:
            return ()

    async def totals_between(
        self, account: str, first: str, last: str
    ) -> dict[str, DayTotal]:
        """Return the totals of an account by day, both ends included.

        Nothing if the ledger cannot be read.
        """
        try:
            return await self._read(
                lambda one: queries.read_totals_between(one, account, first, last)
            )
        except LedgerUnreadableError:
            return {}

    def totals(self, day: str) -> asyncio.Future[dict[str, DayTotal]]:
        """Return the totals of a day, by account, as they are before what comes now.

        They are read after all that is being written, and before all that is recorded
        from now on. The future raises what SQLite does.
        """
        if self._threads is None:
            raise LedgerClosedError
        return asyncio.get_running_loop().run_in_executor(
            self._threads.writing, lambda: queries.read_totals(self._file.database, day)
        )

    async def prices(self, account: str) -> list[tuple[str, Decimal]]:
        """Return what an account paid for a part, newest first: number and euro.

        Up to what listeners were notified of last, which is on its way to the disk.
        Nothing if the ledger cannot be read.
        """
        await self.flush()
        try:
            return await self._read(lambda one: queries.read_prices(one, account))
        except LedgerUnreadableError:
            return []

    async def knows_reference(self, reference: str) -> bool:
        """Return whether a submission may have had this reference that somebody gave.

        True if the ledger cannot be read.
        """
        try:
            return await self._read(lambda one: queries.knows_reference(one, reference))
        except LedgerUnreadableError:
            return True

    async def identity(self, account: str) -> str | None:
        """Return the identity that was kept last of an account, None if none was.

        Nor if the ledger cannot be read.
        """
        try:
            return await self._read(lambda one: queries.read_identity(one, account))
        except LedgerUnreadableError:
            return None

    async def keep_identity(self, account: str, identity: str) -> None:
        """Keep who an account is at its provider."""
        try:
            await self._write(lambda: self._file.keep_identity(account, identity))
        except sqlite3.Error as err:
            _LOGGER.error("The SMS ledger cannot be written: %s", name_of(err))  # noqa: TRY400 - one line says it

    async def keep_clock(self) -> None:
        """Keep what the clock shows, for the next start."""
        reading = self._clock.reading()
        try:
            await self._write(lambda: self._file.keep_clock(reading))
        except sqlite3.Error as err:
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
        except (sqlite3.Error, LedgerUnreadableError) as err:
            await self._report_unforgotten(err)

    async def forget(self, account: str) -> None:
        """Forget all that was ever asked of an account, and what it spent."""
        # What is waiting must not come after it.
        await self.flush()
        self._unwritten.forget(account)
        try:
            await self._forget(
                await self._read(lambda one: queries.dispatches_of(one, account))
            )
            await self._write(lambda: self._file.forget_account(account))
        except (sqlite3.Error, LedgerUnreadableError) as err:
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
        """
        if self._threads is None:
            self._file.hold()
        else:
            # With all that happened before.
            await self.flush()
            await self._write(self._file.hold)

    async def release(self) -> None:
        """Let the main file change again."""
        if self._threads is None:
            self._file.release()
        else:
            await self._write(self._file.release)

    async def _write[R](self, work: Callable[[], R]) -> R:
        """Do blocking work on the thread that writes."""
        if self._threads is None:
            raise LedgerClosedError
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads.writing, work)

    async def _read[R](self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Read something beside the thread that writes.

        Raises LedgerUnreadableError, after a damaged file has been set aside.
        """
        if self._is_at_work or self._waiting:
            # Whoever was just notified of a message finds it as it was then.
            await self.flush()
        while self._is_damaged and self._work is not None:
            await asyncio.wait([self._work])
        if self._threads is None:
            raise LedgerClosedError
        loop = asyncio.get_running_loop()
        try:
            if self._file.in_memory:
                # Such a database has one connection only.
                result = await self._write(lambda: work(self._file.database))
            else:
                result = await loop.run_in_executor(
                    self._threads.reading, self._reader.read, work
                )
        except UNREADABLE as err:
            if not self._is_unreadable:
                _LOGGER.error("The SMS ledger cannot be read: %s", name_of(err))  # noqa: TRY400 - one line says it
            self._is_unreadable = True
            await self._check_damage(err)
            raise LedgerUnreadableError from None
        self._is_unreadable = False
        return result

    async def _check_damage(self, err: Exception) -> None:
        """Set the file aside if an error says that it is damaged."""
        if is_damage(err):
            self._is_damaged = True
            self._set_to_work()
            if self._work is not None:
                await asyncio.wait([self._work])

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
            entries = [entry for entry, _ in batch]
            try:
                if self._is_damaged:
                    await self._begin_anew(entries)
                await self._commit(entries)
                if self._is_damaged:
                    await self._begin_anew(())
            except Exception as err:  # noqa: BLE001 - no send may wait for ever
                # What is missing now is written when the messages change again.
                _LOGGER.error("The SMS ledger failed: %s", name_of(err))  # noqa: TRY400 - its words may quote a text
                self._is_damaged = False
            finally:
                for _, future in batch:
                    if not future.done():
                        future.set_result(None)

    async def _commit(self, entries: Sequence[Entry]) -> None:
        """Commit entries, after what could not be written before."""
        late = self._unwritten.take() if self._unwritten else None
        together = [*([] if late is None else [late]), *entries]
        reading = self._clock.reading()
        errors = await self._write(lambda: self._file.commit(together, reading))
        if late is not None or self._is_failing or any(errors):
            self._take_stock(together, errors)

    def _take_stock(
        self, entries: Sequence[Entry], errors: Sequence[Exception | None]
    ) -> None:
        """Keep the entries that could not be written, and say what is wrong."""
        for entry, err in zip(entries, errors, strict=True):
            if err is None:
                self._unwritten.supersede(entry)
            elif is_of_the_file(err):
                self._unwritten.absorb(entry)
        self._judge([err for err in errors if err is not None])

    def _judge(self, errors: Sequence[Exception]) -> None:
        """Draw from what went wrong in a commit what is wrong with the file."""
        if any(is_damage(err) for err in errors):
            _LOGGER.error("The SMS ledger is damaged: %s", name_of(errors[0]))
            self._is_damaged = True
        elif errors and not self._is_failing:
            _LOGGER.error("The SMS ledger cannot be written: %s", name_of(errors[0]))
            self._on_trouble(LedgerTrouble.UNWRITABLE)
        self._is_failing = bool(errors)

    async def _begin_anew(self, next_entries: Sequence[Entry]) -> None:
        """Set the file aside, and write what is known of it to a new one.

        `next_entries` and those that are waiting come after it. Nothing is read
        meanwhile, so that no connection to the old file is left.
        """
        if self._threads is not None:
            await asyncio.get_running_loop().run_in_executor(
                self._threads.reading, self._reader.close
            )
        trouble = await self._write(self._file.begin_anew)
        to_come = [*next_entries, *(entry for entry, _ in self._waiting)]
        self._unwritten.begin_anew(self._remember(), to_come)
        await self._commit(())
        # If the new file is bad as well, the next entry finds out.
        self._is_damaged = False
        self._on_trouble(trouble)

    async def _report_unforgotten(self, err: Exception) -> None:
        _LOGGER.error("The SMS ledger cannot be tidied up: %s", name_of(err))
        await self._check_damage(err)
