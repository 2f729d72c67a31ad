"""The ledger: every message, every submission and each day's totals, on disk.

SQLite on two threads, one that writes and one that reads. `Recorder` has how entries
get there; here is what is asked of them, and their upkeep.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from itertools import batched
import logging
import sqlite3

from ..model import DayTotal, Dispatch, Message
from . import queries
from .file import UNREADABLE, is_damage, name_of
from .recorder import Recorder
from .records import (
    Found,
    LedgerClosedError,
    LedgerError,
    LedgerSlowError,
    LedgerUnreadableError,
    Query,
    ReceptionRecord,
    RunRecord,
)
from .threads import LONGEST, SOUND, Worker, in_time

_LOGGER = logging.getLogger(__name__)

_SEARCH_TIMEOUT = 30
"""Seconds that a search through all messages may take."""

_CHUNK = 100
"""Dispatches that are forgotten in one go, so that no send waits for long."""


class Ledger(Recorder):
    """Keeps messages; all methods are for the event loop."""

    _is_unreadable = False

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
            found = await self._read(lambda one: queries.read_runs(one, ended_since))
        except LedgerUnreadableError:
            found = ()
        return self._unwritten.runs(found)

    async def messages_of_runs(self, ids: Sequence[int]) -> tuple[Message, ...]:
        """Return all messages of some runs, open or closed.

        Raises LedgerUnreadableError.
        """
        return await self._read(lambda one: queries.read_messages_of_runs(one, ids))

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

    async def remove(self) -> None:
        """Delete the files of the ledger, which is closed: nobody needs it any more.

        What cannot be deleted stays, with nothing in it.
        """
        thread = Worker("sms_italia_ledger_removing")
        try:
            await in_time(thread.do(self._file.remove), self._bounded(LONGEST))
        except (OSError, LedgerSlowError) as err:
            _LOGGER.warning("The SMS ledger cannot be deleted: %s", name_of(err))
        finally:
            thread.end()
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

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
        self._is_held = True
        if self._threads is None:
            self._file.hold()
        else:
            # With all that happened before.
            await self.flush()
            await self._write(self._file.hold, _SEARCH_TIMEOUT)

    async def release(self) -> None:
        """Let the main file change again; copies made before are known as such."""
        self._is_held = False
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
        stay in doubt. It is due until it is done.
        """
        self._is_mark_due = True
        await self.flush()
        await self._end_of_work()

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

        With what was recorded of messages and could not be written yet. Raises
        LedgerUnreadableError, after a damaged file has been set aside, or if it takes
        more than these seconds.
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
            read = partial(self._reader.read, work, self._missing())
            reading = self._threads.reading.do(read)
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

    async def _report_unforgotten(self, err: Exception) -> None:
        _LOGGER.error("The SMS ledger cannot be tidied up: %s", name_of(err))
        await self._check_damage(err)
