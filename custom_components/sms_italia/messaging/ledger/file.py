"""The ledger's file: opened, written safely, and set aside if damaged.

Everything here is blocking, and for one thread at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
import logging
from pathlib import Path
import sqlite3
import time
from urllib.parse import quote

from ..clock import ClockReading
from ..model import Message
from . import queries, rows
from .records import Entry, LedgerClosedError, LedgerTrouble, Opened
from .schema import APPLICATION_ID, MIGRATIONS, SCHEMA, SCHEMA_VERSION

_LOGGER = logging.getLogger(__name__)

_OUTSIDE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""SQLite's codes for what is wrong around a file that may well be sound."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Its codes for a file that is not a database, or no longer."""

UNREADABLE = (sqlite3.Error, OSError, TypeError, ValueError, ArithmeticError)
"""What a damaged file raises; SQLite itself does not check what a column holds."""
_UNWRITABLE = (sqlite3.Error, ValueError, ArithmeticError)
"""What an entry raises that cannot be written, such as one with endless parts."""

_PAGE = 512
"""Bytes of a page; each that a message touches is written whole.

Measured by script/benchmark.
"""
_LOG_PAGES = 4 * 1024 * 1024 // _PAGE
"""Pages of the write-ahead file after which SQLite tidies it up."""


class UnknownFileError(sqlite3.DatabaseError):
    """The file is not a ledger, or one that a newer release has written."""


class LedgerFile:
    """The connection that writes.

    While it is `held`, SQLite does not change the main file by itself.
    """

    def __init__(self, path: Path, migrations: Mapping[int, str] = MIGRATIONS) -> None:
        """Use the file at `path`; `migrations` lead from older versions to today's."""
        self._path = path
        self._migrations = migrations
        self._database: sqlite3.Connection | None = None
        self.in_memory = False
        self.held = False

    @property
    def database(self) -> sqlite3.Connection:
        """The connection; raises LedgerClosedError if there is none."""
        if self._database is None:
            raise LedgerClosedError
        return self._database

    def open(self, today: str) -> Opened:
        """Open or create the file and read what a start needs.

        A damaged file is set aside; where no file can be used, a ledger in memory
        takes its place.
        """
        try:
            self._database = self._connect(self._path)
            return self._read(today, None)
        except UNREADABLE as err:
            _LOGGER.error("The SMS ledger cannot be read: %s", name_of(err))  # noqa: TRY400 - one line says it
            trouble = self._do_without() if _is_outside(err) else self.begin_anew()
        return self._read(today, trouble)

    def _read(self, today: str, trouble: LedgerTrouble | None) -> Opened:
        return Opened(
            open_messages=queries.read_open(self.database),
            totals=queries.read_totals(self.database, today),
            clock=queries.read_clock(self.database),
            trouble=trouble,
        )

    def begin_anew(self) -> LedgerTrouble:
        """Set the file aside and open a new one; in memory if there can be none."""
        self.close()
        try:
            self._set_aside()
            self._database = self._connect(self._path)
        except (sqlite3.Error, OSError) as err:
            _LOGGER.error("The SMS ledger cannot be begun anew: %s", name_of(err))  # noqa: TRY400 - one line says it
            return self._do_without()
        return LedgerTrouble.SET_ASIDE

    def _do_without(self) -> LedgerTrouble:
        """Keep a ledger in memory, and the file as it is."""
        self.close()
        self._database = self._connect(Path(":memory:"))
        return LedgerTrouble.IN_MEMORY

    def _set_aside(self) -> None:
        """Rename the file and what belongs to it."""
        moment = int(time.time())
        while (aside := self._beside(f".{moment}.set_aside")).exists():
            moment += 1
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._beside(suffix).rename(aside.with_name(aside.name + suffix))

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open a ledger, creating what is missing."""
        self.in_memory = path.name == ":memory:"
        if not self.in_memory:
            path.parent.mkdir(parents=True, exist_ok=True)
            # It holds numbers and texts: for nobody else on the machine.
            path.touch(mode=0o600)
            path.chmod(0o600)
        # Nobody else writes to it, so there is nothing to wait for.
        database = sqlite3.connect(
            path, timeout=1, isolation_level=None, check_same_thread=False
        )
        try:
            queries.prepare(database)
            # Before anything in the file changes: it may be somebody else's.
            steps = self._steps(database)
            database.execute(f"PRAGMA page_size = {_PAGE}")
            database.execute("PRAGMA journal_mode = WAL")
            # FULL: the power that fails is often what the alarm is about.
            database.execute("PRAGMA synchronous = FULL")
            self._obey_hold(database)
            for sql, version in steps:
                _run(database, sql, version)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _steps(self, database: sqlite3.Connection) -> list[tuple[str, int]]:
        """Return the SQL of each step to today's tables, and the version it leads to.

        Raises UnknownFileError if there is no known way.
        """
        (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not tables:
            return [(SCHEMA, SCHEMA_VERSION)]
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        older = range(version, SCHEMA_VERSION)
        if (
            owner != APPLICATION_ID
            or version > SCHEMA_VERSION
            or not self._migrations.keys() >= set(older)
        ):
            raise UnknownFileError
        return [(self._migrations[one], one + 1) for one in older]

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def commit(
        self, entries: Sequence[Entry], reading: ClockReading
    ) -> list[Exception | None]:
        """Commit entries together, with what the clock shows.

        One that cannot be written stops no other.

        Returns for each what kept it from being written, None if nothing did.
        """
        try:
            with self._transaction() as database:
                rows.write(database, entries)
                if any(entries):
                    rows.keep_clock(database, reading)
        except _UNWRITABLE as err:
            if len(entries) == 1 or is_damage(err):
                return [err] * len(entries)
            return [self.commit([entry], reading)[0] for entry in entries]
        return [None] * len(entries)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done to the database within, or roll it back."""
        database = self.database
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    def keep_clock(self, reading: ClockReading) -> None:
        """Keep what the clock shows."""
        with self._transaction() as database:
            rows.keep_clock(database, reading)

    def keep_identity(self, account: str, identity: str) -> None:
        """Keep who an account is at its provider."""
        with self._transaction() as database:
            rows.keep_identity(database, account, identity)

    def mark_seen(self, messages: Sequence[Message]) -> None:
        """Keep that somebody has seen messages with the status that they have here."""
        with self._transaction() as database:
            rows.mark_seen(database, messages)

    def forget_dispatches(self, dispatches: Sequence[int]) -> None:
        """Forget dispatches and all that belongs to them."""
        with self._transaction() as database:
            rows.forget_dispatches(database, dispatches)

    def forget_account(self, account: str) -> None:
        """Forget what an account spent, and that it submitted messages of others."""
        with self._transaction() as database:
            rows.forget_account(database, account)

    def hold(self) -> None:
        """Bring the main file up to date and leave it alone from now on."""
        self.held = True
        if self._database is not None:
            self._obey_hold(self._database)
            # If that fails, the write-ahead file goes on holding what is new.
            with suppress(sqlite3.Error):
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def release(self) -> None:
        """Let the main file change again."""
        self.held = False
        if self._database is not None:
            self._obey_hold(self._database)

    def _obey_hold(self, database: sqlite3.Connection) -> None:
        """Let SQLite write to the main file by itself, or not while it is held."""
        pages = 0 if self.held else _LOG_PAGES
        database.execute(f"PRAGMA wal_autocheckpoint = {pages}")
        database.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, self.held)


class LedgerReader:
    """A connection beside the one that writes, so that no send waits for a search."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; it is opened when something is read."""
        self._path = path
        self._database: sqlite3.Connection | None = None

    def read[R](self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Return what `work` reads from the connection."""
        if self._database is None:
            uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
            self._database = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False
            )
            queries.prepare(self._database)
        return work(self._database)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._database is not None:
            self._database.close()
            self._database = None


def _is_outside(err: Exception) -> bool:
    """Return whether an error lies in the disk or its rights, and not in the file."""
    return isinstance(err, OSError) or _code(err) in _OUTSIDE


def is_damage(err: BaseException) -> bool:
    """Return whether an error says that the file is damaged."""
    return _code(err) in _DAMAGE


def is_of_the_file(err: BaseException) -> bool:
    """Return whether an error lies in the file or around it, not in what is written.

    Such an entry can be written when that is over.
    """
    return _code(err) in _OUTSIDE | _DAMAGE


def _code(err: BaseException) -> int | None:
    """Return SQLite's primary code of an error, None if it has none."""
    code = getattr(err, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _run(database: sqlite3.Connection, sql: str, version: int) -> None:
    """Make the tables those of a version, or leave them as they are."""
    try:
        database.executescript(
            f"BEGIN; {sql}; PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {version}; COMMIT;"
        )
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def name_of(error: BaseException) -> str:
    """Return the name of an error; its message may quote a text or a number."""
    return getattr(error, "sqlite_errorname", type(error).__name__)
