"""The ledger: every message, submission and day's total, on disk.

SQLite on one worker thread. What many callers record at the same time is
committed together: while one commit runs, the next ones gather.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
import logging
from pathlib import Path
import sqlite3
import time

from ..providers.model import Encoding, ErrorKind, Status
from .model import DayTotal, Dispatch, Message, Stage

_LOGGER = logging.getLogger(__name__)

_OUTSIDE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""SQLite's codes for what is wrong around a file that may well be sound."""

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE dispatches (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    text TEXT NOT NULL,
    encoding TEXT NOT NULL,
    parts INTEGER NOT NULL,
    sender TEXT,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    route TEXT NOT NULL,
    size INTEGER NOT NULL
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    dispatch INTEGER NOT NULL,
    number TEXT NOT NULL,
    recipient TEXT,
    status TEXT NOT NULL,
    stage TEXT NOT NULL,
    updated REAL NOT NULL,
    parts INTEGER NOT NULL,
    carrier TEXT,
    submission TEXT,
    provider_id TEXT,
    cost INTEGER,
    error TEXT,
    detail TEXT,
    attempt_at REAL
);
CREATE INDEX open_messages ON messages (id) WHERE stage <> 'closed';
CREATE TABLE submissions (
    reference TEXT PRIMARY KEY,
    dispatch INTEGER NOT NULL,
    account TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE totals (
    day TEXT NOT NULL,
    account TEXT NOT NULL,
    parts INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (day, account)
) WITHOUT ROWID;
"""

_COLUMNS = (
    "id, number, recipient, status, stage, updated, parts, carrier, submission, "
    "provider_id, cost, error, detail, attempt_at"
)
_CHECKPOINT_PAGES = 1000
"""Pages of the write-ahead file after which SQLite tidies it up; its own default."""

_M_COLUMNS = ", ".join(f"m.{column}" for column in _COLUMNS.split(", "))

_RECENT = 10_000
"""Rows that are looked through for the newest dispatch."""

_MICRO = 1_000_000
"""Euro are kept as whole millionths, so that sums stay exact."""

_UNREADABLE = (sqlite3.Error, OSError, TypeError, ValueError, ArithmeticError)
"""What a damaged file raises; SQLite itself does not look at what a column says."""
_UNWRITABLE = (sqlite3.Error, ValueError, OverflowError)
"""What an entry raises that cannot be written, such as one with half a surrogate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionIntent:
    """A request that is about to be made to a provider."""

    reference: str
    dispatch: int
    account: str
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Something to add to a day's total of an account; `day` as YYYY-MM-DD."""

    day: str
    account: str
    parts: int
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is recorded together: all of it or nothing."""

    dispatch: Dispatch | None = None
    added: Sequence[Message] = ()
    changed: Sequence[Message] = ()
    submissions: Sequence[SubmissionIntent] = ()
    spent: Sequence[Spent] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which messages to find; times in seconds since the epoch, newest first."""

    account: str | None = None
    status: Status | None = None
    number: str | None = None
    text: str | None = field(default=None, repr=False)
    since: float | None = None
    until: float | None = None
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of messages, and how many there are in all."""

    messages: tuple[Message, ...]
    total: int


class LedgerTrouble(StrEnum):
    """What is wrong with the ledger; messages are sent all the same."""

    SET_ASIDE = "set_aside"
    """The file was damaged or newer; it was renamed and a new one begun."""
    IN_MEMORY = "in_memory"
    """No file can be written: a restart forgets everything."""
    UNWRITABLE = "unwritable"
    """Writing to the file fails at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the ledger held when it was opened, and what was wrong with it."""

    open_messages: tuple[Message, ...]
    totals: dict[str, DayTotal]
    trouble: LedgerTrouble | None


class NewerVersionError(sqlite3.DatabaseError):
    """A newer release of ours has written the file."""


class LedgerClosedError(Exception):
    """The ledger was used before it was opened or after it was closed."""


class Ledger:
    """Keeps messages at `path`; all methods are for the event loop.

    A ledger that cannot be written never stops a send: the trouble is logged and
    told to `on_trouble` once, and `record` returns as if nothing had happened.
    """

    def __init__(self, path: Path, on_trouble: Callable[[LedgerTrouble], None]) -> None:
        """Remember where the ledger lives; nothing is opened yet."""
        self._path = path
        self._on_trouble = on_trouble
        self._executor: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._committing = False
        self._failing = False
        self._held = False

    async def open(self, today: str) -> Opened:
        """Open or create the file and return what is open in it.

        `today` (YYYY-MM-DD) says which day's totals to return, by account.
        """
        self._executor = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="sms_italia_ledger"
        )
        opened = await self._run(self._open, today)
        if self._held:
            await self._run(self._obey_hold)
        if opened.trouble is not None:
            self._on_trouble(opened.trouble)
        return opened

    async def close(self) -> None:
        """Write what is waiting, close the file and end the worker thread."""
        executor = self._executor
        if executor is None:
            return
        # Entries are committed in order, so an empty one is a barrier.
        await self.record(Entry())
        await self._run(self._close)
        self._executor = None
        await asyncio.get_running_loop().run_in_executor(None, executor.shutdown)

    async def record(self, entry: Entry) -> None:
        """Record an entry; returns when it is on disk."""
        if self._executor is None:
            raise LedgerClosedError
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        self._commit_next()
        await asyncio.shield(future)

    async def find(self, query: Query) -> Found:
        """Return the messages that match, newest first."""
        return await self._run(self._find, query)

    async def latest(
        self, account: str, recipient: str | None = None
    ) -> tuple[Message, ...]:
        """Return the messages of an account's newest dispatch, as far as it is recent.

        With a recipient, only its messages, of the newest dispatch that has any.
        """
        return await self._run(self._latest, account, recipient)

    async def totals_between(
        self, account: str, first: str, last: str
    ) -> dict[str, DayTotal]:
        """Return the totals of an account by day, both ends included."""
        return await self._run(self._totals_between, account, first, last)

    async def trim(self, account: str, before: float) -> None:
        """Forget the closed messages of an account that are older than `before`.

        What cannot be forgotten today is tried again another day.
        """
        try:
            while await self._run(self._trim_some, account, before):
                pass
        except sqlite3.Error as err:
            _LOGGER.error("The SMS ledger cannot be tidied up: %s", _name(err))  # noqa: TRY400 - one line says it

    async def forget(self, account: str) -> None:
        """Forget all that was ever asked of an account, and what it spent."""
        try:
            await self._run(self._forget_account, account)
        except sqlite3.Error as err:
            _LOGGER.error("The SMS ledger cannot forget: %s", _name(err))  # noqa: TRY400 - one line says it

    async def hold(self) -> None:
        """Keep the main file as it is until `release`, so that it can be copied.

        What is recorded meanwhile goes to the write-ahead file beside it, of which
        a copy taken at any moment is good up to its last whole commit. That holds
        for a ledger that is closed and opened again as well.
        """
        self._held = True
        if self._executor is not None:
            await self._run(self._hold)

    async def release(self) -> None:
        """Let the main file change again."""
        self._held = False
        if self._executor is not None:
            await self._run(self._obey_hold)

    async def _run[**P, R](
        self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do blocking work on the ledger's own thread."""
        if self._executor is None:
            raise LedgerClosedError
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: work(*args, **kwargs)
        )

    def _commit_next(self) -> None:
        """Commit all that is waiting, unless a commit is running already."""
        if self._committing or not self._waiting or self._executor is None:
            return
        batch, self._waiting = self._waiting, []
        self._committing = True
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(
            self._executor, self._commit, [entry for entry, _ in batch]
        )

        def done(finished: asyncio.Future[None]) -> None:
            self._committing = False
            error = finished.exception()
            if error is None:
                self._failing = False
            elif not self._failing:
                self._failing = True
                _LOGGER.error("The SMS ledger cannot be written: %s", _name(error))
                self._on_trouble(LedgerTrouble.UNWRITABLE)
            for _, future in batch:
                if not future.done():
                    future.set_result(None)
            self._commit_next()

        work.add_done_callback(done)

    # What follows runs on the worker thread.

    def _open(self, today: str) -> Opened:
        try:
            self._database = self._connect(self._path)
            return self._read(today, None)
        except _UNREADABLE as err:
            _LOGGER.error("The SMS ledger cannot be read: %s", _name(err))  # noqa: TRY400 - one line says it
            trouble = self._begin_anew() if _is_damage(err) else self._forget()
        return self._read(today, trouble)

    def _read(self, today: str, trouble: LedgerTrouble | None) -> Opened:
        """Read what a start needs."""
        return Opened(
            open_messages=self._read_open(),
            totals=self._read_totals(today),
            trouble=trouble,
        )

    def _begin_anew(self) -> LedgerTrouble:
        """Set the file aside and open a new one; in memory if there can be none."""
        if self._database is not None:
            self._close()
        try:
            self._set_aside()
            self._database = self._connect(self._path)
        except (sqlite3.Error, OSError) as err:
            _LOGGER.error("The SMS ledger cannot be begun anew: %s", _name(err))  # noqa: TRY400 - one line says it
            return self._forget()
        return LedgerTrouble.SET_ASIDE

    def _forget(self) -> LedgerTrouble:
        """Keep a ledger in memory, and the file as it is."""
        if self._database is not None:
            self._close()
        self._database = self._connect(Path(":memory:"))
        return LedgerTrouble.IN_MEMORY

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        """Open a ledger and prove that it can be read and written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name != ":memory:":
            # It holds numbers and texts: for nobody else on the machine.
            path.touch(mode=0o600)
            path.chmod(0o600)
        # Nobody else writes to it, so there is nothing to wait for.
        database = sqlite3.connect(
            path, timeout=1, isolation_level=None, check_same_thread=False
        )
        # SQLite's own lower() knows no accents.
        database.create_function("casefold", 1, str.casefold, deterministic=True)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            # FULL: the power that fails is often what the alarm is about.
            database.execute("PRAGMA synchronous = FULL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            _refuse_newer(version)
            if version == 0:
                database.executescript(
                    f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            # The tables are there and those pages that a start reads are sound.
            database.execute(
                "SELECT * FROM messages WHERE stage <> 'closed'"
            ).fetchall()
            database.execute("SELECT * FROM totals LIMIT 1").fetchall()
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _set_aside(self) -> None:
        """Rename the file and what belongs to it."""
        aside = f"{self._path.name}.{int(time.time())}.set_aside"
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(
                    self._path.with_name(aside + suffix)
                )

    def _close(self) -> None:
        self._open_database.close()
        self._database = None

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise LedgerClosedError
        return self._database

    def _commit(self, entries: Sequence[Entry]) -> None:
        """Commit entries together; one that cannot be written stops no other."""
        try:
            with self._transaction() as database:
                for entry in entries:
                    self._write(database, entry)
        except _UNWRITABLE:
            if len(entries) == 1:
                raise
            failed: Exception | None = None
            for entry in entries:
                try:
                    self._commit([entry])
                except _UNWRITABLE as err:
                    failed = err
            if failed is not None:
                raise failed from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done to the database within, or roll it back."""
        database = self._open_database
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    @staticmethod
    def _write(database: sqlite3.Connection, entry: Entry) -> None:
        if (dispatch := entry.dispatch) is not None:
            database.execute(
                "INSERT INTO dispatches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    dispatch.id,
                    dispatch.account,
                    dispatch.text,
                    dispatch.encoding,
                    dispatch.parts,
                    dispatch.sender,
                    dispatch.created,
                    dispatch.expires,
                    " ".join(dispatch.route),
                    len(entry.added),
                ),
            )
        if entry.added:
            database.executemany(
                "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: E501
                (
                    (
                        message.id,
                        message.dispatch.id,
                        message.number,
                        message.recipient,
                        *_changing(message),
                    )
                    for message in entry.added
                ),
            )
        if entry.changed:
            database.executemany(
                "UPDATE messages SET status = ?, stage = ?, updated = ?, parts = ?, "
                "carrier = ?, submission = ?, provider_id = ?, cost = ?, error = ?, "
                "detail = ?, attempt_at = ? WHERE id = ?",
                ((*_changing(message), message.id) for message in entry.changed),
            )
        if entry.submissions:
            database.executemany(
                "INSERT INTO submissions VALUES (?, ?, ?, ?)",
                (
                    (intent.reference, intent.dispatch, intent.account, intent.created)
                    for intent in entry.submissions
                ),
            )
        if entry.spent:
            database.executemany(
                "INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "parts = parts + excluded.parts, cost = cost + excluded.cost",
                (
                    (spent.day, spent.account, spent.parts, int(spent.cost * _MICRO))
                    for spent in entry.spent
                ),
            )

    def _read_open(self) -> tuple[Message, ...]:
        rows = self._open_database.execute(
            f"SELECT dispatch, {_COLUMNS} FROM messages WHERE stage <> 'closed' "  # noqa: S608 - constants
            "ORDER BY id"
        ).fetchall()
        return tuple(self._messages(rows))

    def _messages(self, rows: Sequence[tuple[object, ...]]) -> Iterable[Message]:
        """Make messages of rows that start with the id of their dispatch."""
        dispatches: dict[object, Dispatch] = {}
        for dispatch_id, *columns in rows:
            if dispatch_id not in dispatches:
                dispatches[dispatch_id] = _dispatch(
                    *self._open_database.execute(
                        "SELECT id, account, text, encoding, parts, sender, created, "
                        "expires, route FROM dispatches WHERE id = ?",
                        (dispatch_id,),
                    ).fetchone()
                )
            yield _message(dispatches[dispatch_id], *columns)  # type: ignore[arg-type] # SQLite's columns are as the schema says

    def _read_totals(self, day: str) -> dict[str, DayTotal]:
        return {
            account: DayTotal(parts=parts, cost=Decimal(cost) / _MICRO)
            for account, parts, cost in self._open_database.execute(
                "SELECT account, parts, cost FROM totals WHERE day = ?", (day,)
            )
        }

    def _totals_between(
        self, account: str, first: str, last: str
    ) -> dict[str, DayTotal]:
        return {
            day: DayTotal(parts=parts, cost=Decimal(cost) / _MICRO)
            for day, parts, cost in self._open_database.execute(
                "SELECT day, parts, cost FROM totals "
                "WHERE account = ? AND day BETWEEN ? AND ?",
                (account, first, last),
            )
        }

    def _latest(self, account: str, recipient: str | None) -> tuple[Message, ...]:
        # Only the newest rows are looked through: there is no index for this, since
        # it would have to be written with every message.
        if recipient is None:
            newest = (
                "SELECT max(id) FROM (SELECT id, account FROM dispatches "
                "ORDER BY id DESC LIMIT :recent) WHERE account = :account"
            )
        else:
            newest = (
                "SELECT max(dispatch) FROM (SELECT dispatch, recipient FROM messages "
                "ORDER BY id DESC LIMIT :recent) WHERE recipient = :recipient"
            )
        rows = self._open_database.execute(
            f"SELECT m.dispatch, {_M_COLUMNS} FROM dispatches d "  # noqa: S608 - constants
            "JOIN messages m ON m.id BETWEEN d.id + 1 AND d.id + d.size "
            f"WHERE d.id = ({newest}) "
            "AND (:recipient IS NULL OR m.recipient = :recipient)",
            {"account": account, "recipient": recipient, "recent": _RECENT},
        ).fetchall()
        return tuple(self._messages(rows))

    def _find(self, query: Query) -> Found:
        conditions = {
            "d.account = ?": query.account,
            "m.status = ?": query.status,
            "m.number = ?": query.number,
            "d.created >= ?": query.since,
            "d.created <= ?": query.until,
            "instr(casefold(d.text), ?) > 0": query.text and query.text.casefold(),
        }
        asked = {key: value for key, value in conditions.items() if value is not None}
        where = " AND ".join(asked) or "1"
        source = f"FROM messages m JOIN dispatches d ON d.id = m.dispatch WHERE {where}"
        database = self._open_database
        (total,) = database.execute(
            f"SELECT count(*) {source}",
            tuple(asked.values()),
        ).fetchone()
        rows = database.execute(
            f"SELECT m.dispatch, {_M_COLUMNS} {source} "
            "ORDER BY m.id DESC LIMIT ? OFFSET ?",
            (*asked.values(), query.limit, query.offset),
        ).fetchall()
        return Found(messages=tuple(self._messages(rows)), total=total)

    def _trim_some(self, account: str, before: float) -> bool:
        """Forget some old messages; tell whether there may be more."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT id, size FROM dispatches d WHERE account = ? AND created < ? "
                "AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.stage <> 'closed' "
                "AND m.id BETWEEN d.id + 1 AND d.id + d.size) LIMIT 100",
                (account, before),
            ).fetchall()
            for dispatch, size in rows:
                database.execute(
                    "DELETE FROM messages WHERE id BETWEEN ? AND ?",
                    (dispatch + 1, dispatch + size),
                )
                database.execute("DELETE FROM dispatches WHERE id = ?", (dispatch,))
            if not rows:
                database.execute(
                    "DELETE FROM submissions WHERE account = ? AND created < ?",
                    (account, before),
                )
        return bool(rows)

    def _forget_account(self, account: str) -> None:
        with self._transaction() as database:
            database.execute(
                "DELETE FROM messages WHERE dispatch IN "
                "(SELECT id FROM dispatches WHERE account = ?)",
                (account,),
            )
            for table in ("dispatches", "submissions", "totals"):
                database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - a constant

    def _hold(self) -> None:
        self._obey_hold()
        if self._database is not None:
            # If that fails, the write-ahead file goes on holding what is new.
            with suppress(sqlite3.Error):
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _obey_hold(self) -> None:
        """Let SQLite write to the main file by itself, or not, whichever is wanted."""
        if self._database is not None:
            pages = 0 if self._held else _CHECKPOINT_PAGES
            self._database.execute(f"PRAGMA wal_autocheckpoint = {pages}")
            self._database.setconfig(
                sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, self._held
            )


def _is_damage(err: Exception) -> bool:
    """Tell whether an error lies in the file, and not in the disk or its rights."""
    if isinstance(err, OSError):
        return False
    code = getattr(err, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in _OUTSIDE


def _refuse_newer(version: int) -> None:
    """Raise for a file that a newer release of ours has written."""
    if version > SCHEMA_VERSION:
        raise NewerVersionError


def _name(error: BaseException) -> str:
    """Return the name of an error; its own words may quote a text or a number."""
    return getattr(error, "sqlite_errorname", type(error).__name__)


def _changing(message: Message) -> tuple[object, ...]:
    """Return the columns of a message that change, in the schema's order."""
    return (
        message.status,
        message.stage,
        message.updated,
        message.parts,
        message.carrier,
        message.submission,
        message.provider_id,
        None if message.cost is None else int(message.cost * _MICRO),
        message.error,
        message.detail,
        message.attempt_at,
    )


def _dispatch(  # noqa: PLR0913, PLR0917 - the columns of a row
    id_: int,
    account: str,
    text: str,
    encoding: str,
    parts: int,
    sender: str | None,
    created: float,
    expires: float,
    route: str,
) -> Dispatch:
    return Dispatch(
        id=id_,
        account=account,
        text=text,
        encoding=Encoding(encoding),
        parts=parts,
        sender=sender,
        created=created,
        expires=expires,
        route=tuple(route.split()),
    )


def _message(  # noqa: PLR0913, PLR0917 - the columns of a row
    dispatch: Dispatch,
    id_: int,
    number: str,
    recipient: str | None,
    status: str,
    stage: str,
    updated: float,
    parts: int,
    carrier: str | None,
    submission: str | None,
    provider_id: str | None,
    cost: int | None,
    error: str | None,
    detail: str | None,
    attempt_at: float | None,
) -> Message:
    return Message(
        id=id_,
        dispatch=dispatch,
        number=number,
        recipient=recipient,
        status=Status(status),
        stage=Stage(stage),
        updated=updated,
        parts=parts,
        carrier=carrier,
        submission=submission,
        provider_id=provider_id,
        cost=None if cost is None else Decimal(cost) / _MICRO,
        error=None if error is None else ErrorKind(error),
        detail=detail,
        attempt_at=attempt_at,
    )
