"""The ledger's file: opened, written safely, and set aside if damaged.

Everything here is blocking, and for one thread at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
import logging
import math
import os
from pathlib import Path
import secrets
import sqlite3
import time
from urllib.parse import quote

from ..clock import ClockReading
from ..model import Message, Stage
from . import queries, rows
from .records import Entry, LedgerClosedError, LedgerTrouble, Opened
from .schema import APPLICATION_ID, MIGRATIONS, SCHEMA, SCHEMA_VERSION
from .unwritten import Abandoned, Journal, Kept

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
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Those of them that say that another program locks the file."""
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


_MEMORY = Path(":memory:")

_OURS_ALONE = 0o600
"""The mode of all files of the ledger: they hold numbers and texts."""

_LOCK_TIMEOUT = 1
"""Seconds that a commit waits for another program that locks the file."""

_ID = "id"
_MARK = "mark"
_JOURNAL = "journal"
"""The properties of a ledger: its ID, its mark, and the last state of the journal that
it holds."""


_KEYS = {
    "dispatches": "dispatch",
    "messages": "id",
    "pictures": "dispatch",
    "submissions": "dispatch, reference",
}
"""The tables that messages and requests are written to, and their keys."""
_LIKE_IN_THE_FILE = "CREATE TABLE {table} AS SELECT * FROM file.{table} WHERE 0"
_SEEN_IN_THE_FILE = (
    "UPDATE main.messages SET seen = (SELECT seen FROM file.messages AS known "
    "WHERE known.id = main.messages.id)"
)
_WHOLE = (
    "SELECT * FROM main.messages JOIN main.dispatches USING (dispatch) "
    "UNION ALL SELECT * FROM file.messages JOIN file.dispatches USING (dispatch) "
    "WHERE id NOT IN (SELECT id FROM main.messages)"
)
"""Both sides of a join have their rows in one place, where an index finds them."""
_UNITED = (
    "CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} "
    "UNION ALL SELECT * FROM file.{table} "
    "WHERE ({key}) NOT IN (SELECT {key} FROM main.{table})"
)


class UnknownFileError(sqlite3.DatabaseError):
    """The file is not a ledger, or one that a newer release has written."""


class LedgerFile:
    """The connection that writes, and the journal for what it cannot write.

    While it is `held`, SQLite does not change the main file by itself. While it
    `is_missing`, a ledger in memory stands for the file, which could not be opened.
    """

    def __init__(
        self,
        path: Path,
        mark: Path | None = None,
        migrations: Mapping[int, str] = MIGRATIONS,
    ) -> None:
        """Use the file at `path`, and the one at `mark` that no backup holds.

        `migrations` lead from older versions to today's.
        """
        self._path = path
        self._mark = None if mark is None else Mark(mark)
        self._journal = Journal(path.with_suffix(".journal"))
        self._migrations = migrations
        self._database: sqlite3.Connection | None = None
        self._was_read = False
        self._is_from_backup = False
        self.in_memory = False
        self.held = False
        self._is_abandoned = False

    @property
    def database(self) -> sqlite3.Connection:
        """The connection; raises LedgerClosedError if there is none."""
        if self._database is None:
            raise LedgerClosedError
        return self._database

    @property
    def is_missing(self) -> bool:
        """Whether the file could not be opened."""
        return self.in_memory and not _is_memory(self._path)

    def open(self, today: str) -> Opened:
        """Open or create the file and read what a start needs.

        A damaged file is set aside. Where it cannot be written, a ledger in memory
        stands for it; what can be read of it is.
        """
        self._journal = Journal(self._path.with_suffix(".journal"))
        self._was_read = False
        try:
            self._database = self._connect(self._path)
            return self._read(self._database, today)
        except UNREADABLE as err:
            _LOGGER.error("The SMS ledger cannot be read: %s", name_of(err))  # noqa: TRY400 - one line says it
            if _is_outside(err):
                return self._open_without(today, err)
            return Opened(trouble=self.begin_anew())

    def open_again(self, today: str) -> Opened | None:
        """Open the file that could not be opened before; None if it still cannot be.

        What the ledger in memory holds is lost. Nothing is returned twice of what the
        file held.
        """
        try:
            database = self._connect(self._path)
        except UNREADABLE:
            self.in_memory = True
            return None
        self.close()
        self._database = database
        try:
            return Opened() if self._was_read else self._read(database, today)
        except UNREADABLE as err:
            _LOGGER.error("The SMS ledger cannot be read: %s", name_of(err))  # noqa: TRY400 - one line says it
            return Opened(trouble=self.begin_anew())

    def _open_without(self, today: str, err: Exception) -> Opened:
        """Return what can be read of a file that cannot be written for this reason."""
        trouble = self._do_without()
        for way in self._ways_to_read(err):
            uri = f"{_uri(self._path)}?{way}"
            with (
                suppress(*UNREADABLE),
                closing(sqlite3.connect(uri, uri=True, timeout=0)) as database,
            ):
                queries.prepare(database)
                if not self._steps(database):
                    opened = self._read(database, today)
                    return replace(opened, trouble=LedgerTrouble.UNWRITABLE)
        return Opened(trouble=trouble)

    def _ways_to_read(self, err: Exception) -> Iterator[str]:
        """Go over the ways to open the file for reading, as SQLite names them."""
        yield "mode=ro"
        log = self._beside("-wal")
        if _code(err) not in _LOCKED and not (log.exists() and log.stat().st_size):
            # Else SQLite needs to write beside the file, even to read it.
            yield "immutable=1"

    def _read(self, database: sqlite3.Connection, today: str) -> Opened:
        """Return what a ledger holds, and what its journal says that it lacks."""
        self._is_from_backup = self._is_restored(database)
        opened = Opened(
            open_messages=queries.read_open(database),
            totals=queries.read_totals(database, today),
            clock=queries.read_clock(database),
            is_restored=self._is_from_backup,
        )
        self._was_read = True
        if _is_memory(self._path):
            return opened
        kept = self._read_journal(database)
        return opened if kept is None else _with_kept(opened, kept)

    def _read_journal(self, database: sqlite3.Connection) -> Kept | None:
        """Return what a ledger lacks and the journal has; nothing of another ledger."""
        id_ = queries.read_property(database, _ID)
        written = queries.read_property(database, _JOURNAL)
        if id_ is None:
            return None
        kept = self._journal.read(bytes.fromhex(id_), int(written or 0))
        if kept is None:
            with suppress(OSError):
                # What it held may have been committed just before the last end.
                self.sync()
                self._journal.wipe()
        return kept

    def _is_restored(self, database: sqlite3.Connection) -> bool:
        """Return whether the file comes from a backup."""
        token = queries.read_property(database, _MARK)
        return (
            self._mark is not None and token is not None and not self._mark.has(token)
        )

    def renew_mark(self) -> None:
        """Give the file another mark, so that older copies are known as such.

        What a backup knows of receptions is forgotten with that: it is out of date.
        Raises OSError or sqlite3.Error; then the mark before stays good.
        """
        if self._mark is None or self.in_memory or self.held:
            return
        old = queries.read_property(self.database, _MARK)
        new = secrets.token_hex(16)
        self._mark.write(*(() if old is None else (old,)), new)
        with self._transaction() as database:
            rows.keep_property(database, _MARK, new)
            if self._is_from_backup:
                rows.forget_receptions(database)
        self._is_from_backup = False
        self._mark.write(new)

    def begin_anew(self) -> LedgerTrouble:
        """Set the file aside and open a new one; in memory if there can be none."""
        self.close()
        try:
            self._set_aside()
            self._database = self._connect(self._path)
            self._read_journal(self._database)
        except (sqlite3.Error, OSError) as err:
            _LOGGER.error("The SMS ledger cannot be begun anew: %s", name_of(err))  # noqa: TRY400 - one line says it
            return self._do_without()
        return LedgerTrouble.SET_ASIDE

    def _do_without(self) -> LedgerTrouble:
        """Keep a ledger in memory, and the file as it is."""
        self.close()
        self._database = self._connect(_MEMORY)
        return LedgerTrouble.IN_MEMORY

    def _set_aside(self) -> None:
        """Rename the file and what belongs to it."""
        moment = int(time.time())
        while (aside := self._beside(f".{moment}.set_aside")).exists():
            moment += 1
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                # Its mode may have changed since it was opened.
                self._beside(suffix).chmod(_OURS_ALONE)
                self._beside(suffix).rename(aside.with_name(aside.name + suffix))

    def remove_set_aside(self, before: float) -> None:
        """Delete the files that were set aside before a time of the wall clock."""
        for path in self._path.parent.glob(f"{self._path.name}.*.set_aside*"):
            moment = path.name.removeprefix(f"{self._path.name}.").partition(".")[0]
            if moment.isdecimal() and int(moment) < before:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the closed file with all that belongs to it. Raises OSError.

        Nothing while it is held: somebody copies it.
        """
        if self.held:
            return
        self.remove_set_aside(math.inf)
        for suffix in ("", "-wal", "-shm"):
            self._beside(suffix).unlink(missing_ok=True)
        self._journal.remove()
        if self._mark is not None:
            self._mark.remove()

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _connect(self, path: Path) -> sqlite3.Connection:
        """Open a ledger, creating what is missing."""
        self.in_memory = _is_memory(path)
        if not self.in_memory:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=_OURS_ALONE)
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    self._beside(suffix).chmod(_OURS_ALONE)
        database = sqlite3.connect(
            path, timeout=_LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            queries.prepare(database)
            # Before anything in the file changes: it may be somebody else's.
            steps = self._steps(database)
            database.execute(f"PRAGMA page_size = {_PAGE}")
            database.execute("PRAGMA journal_mode = WAL")
            # A commit survives that the process is killed; `sync` waits for the disk.
            database.execute("PRAGMA synchronous = NORMAL")
            # What is forgotten is overwritten.
            database.execute("PRAGMA secure_delete = ON")
            self._obey_hold(database)
            for sql, version in steps:
                _run(database, sql, version)
            if not self.in_memory:
                self._allocate_journal()
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

    def abandon(self) -> None:
        """Begin no commit any more; from any thread."""
        self._is_abandoned = True

    def _check_abandoned(self) -> None:
        if self._is_abandoned:
            raise LedgerClosedError

    def _allocate_journal(self) -> None:
        """Take the room for the journal; without it the ledger works all the same."""
        try:
            self._journal.allocate()
        except OSError as err:
            _LOGGER.warning("The SMS journal cannot be written: %s", name_of(err))

    def commit(
        self,
        entries: Sequence[Entry],
        reading: ClockReading,
        late: Entry | None = None,
        abandoned: Abandoned | None = None,
    ) -> list[Exception | None]:
        """Commit entries together, with what the clock shows.

        One that cannot be written stops no other.

        `late` is what the file lacked before, with all that the journal holds. Returns
        for each entry what kept it from being written, None if nothing did; that of
        `late` comes first, if there is one. What an `abandoned` commit added is in
        `late` as well, and counts once.
        """
        together = [*([] if late is None else [late]), *entries]
        try:
            with self._unsynced_transaction() as database:
                is_there = abandoned is not None and _has(database, abandoned)
                undone = [abandoned.undone()] if abandoned and is_there else []
                rows.write(database, [*together, *undone])
                rows.write_runs(
                    database, (run for entry in together for run in entry.runs)
                )
                rows.write_receptions(
                    database, (one for entry in together for one in entry.receptions)
                )
                if any(together):
                    rows.keep_clock(database, reading)
                if late is not None:
                    written = str(self._journal.sequence)
                    rows.keep_property(database, _JOURNAL, written)
        except _UNWRITABLE as err:
            is_alone = len(together) == 1
            if is_alone or is_damage(err) or _code(err) in _LOCKED:
                return [err] * len(together)
            first = [] if late is None else self.commit((), reading, late, abandoned)
            return first + [self.commit([entry], reading)[0] for entry in entries]
        return [None] * len(together)

    def commit_and_sync(
        self,
        entries: Sequence[Entry],
        reading: ClockReading,
        late: Entry | None = None,
        abandoned: Abandoned | None = None,
    ) -> list[Exception | None]:
        """Commit entries as `commit` does, and sync them if all were written.

        Raises OSError if they are committed, but not on disk.
        """
        errors = self.commit(entries, reading, late, abandoned)
        if not any(errors):
            self.sync()
        return errors

    def sync(self) -> None:
        """Return when no power cut can undo what was committed. Raises OSError.

        For a thread of its own: others may commit meanwhile.
        """
        if self.in_memory:
            return
        try:
            # SQLite locks the other files, whose locks would end with this descriptor.
            log = os.open(self._beside("-wal"), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            # Nothing has been committed yet.
            return
        try:
            os.fsync(log)
        finally:
            os.close(log)

    def keep(self, entry: Entry | None, reading: ClockReading) -> bool:
        """Keep in the journal all that the file lacks; return whether all of it is.

        With what the clock shows. What the journal drops is on disk before.
        """
        if entry is None:
            with suppress(OSError):
                self.sync()
                self._journal.wipe()
            return True
        with suppress(OSError):
            self.sync()
        try:
            return self._journal.write(entry, reading)
        except OSError:
            return False

    def keep_alone(self, entry: Entry | None, reading: ClockReading) -> None:
        """Keep in the journal all that the file lacks, and nothing of before.

        Raises OSError if something of before may be left.
        """
        if entry is None:
            self._journal.wipe()
        else:
            self._journal.write_alone(entry, reading)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done to the database within and sync it, or roll it back."""
        with self._unsynced_transaction() as database:
            yield database
        try:
            self.sync()
        except OSError as err:
            raise sqlite3.OperationalError(name_of(err)) from None

    @contextmanager
    def _unsynced_transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done to the database within, or roll it back."""
        database = self.database
        self._begin(database)
        try:
            yield database
            self._check_abandoned()
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    def keep_clock(self, reading: ClockReading) -> None:
        """Keep what the clock shows."""
        with self._transaction() as database:
            rows.keep_clock(database, reading)

    def _begin(self, database: sqlite3.Connection) -> None:
        """Begin to write; of those who find the file locked, only the first waits."""
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            database.execute("PRAGMA busy_timeout = 0")
            raise
        database.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT * 1000}")

    def mark_seen(self, messages: Sequence[Message]) -> None:
        """Keep that somebody has seen messages with the status that they have here."""
        with self._transaction() as database:
            rows.mark_seen(database, messages)

    def forget_dispatches(self, dispatches: Sequence[int]) -> None:
        """Forget dispatches and all that belongs to them."""
        with self._transaction() as database:
            rows.forget_dispatches(database, dispatches)

    def trim_runs(self, account: str, before: float) -> None:
        """Forget the runs of an account that ended before a moment of steady time."""
        with self._transaction() as database:
            rows.trim_runs(database, account, before)

    def forget_account(self, account: str) -> None:
        """Forget what an account spent, and that it submitted messages of others."""
        with self._transaction() as database:
            rows.forget_account(database, account)

    def clear_log(self) -> None:
        """Empty the write-ahead file of what is forgotten, unless the file is held."""
        if not self.held:
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

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
            with suppress(sqlite3.Error):
                self.clear_log()

    def _obey_hold(self, database: sqlite3.Connection) -> None:
        """Let SQLite write to the main file by itself, or not while it is held."""
        pages = 0 if self.held else _LOG_PAGES
        database.execute(f"PRAGMA wal_autocheckpoint = {pages}")
        database.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, self.held)


class Mark:
    """The file by which a ledger knows that it comes from a backup.

    The ledger holds a random token, and this file, which no backup holds, has the same
    one. The token is changed at every start and after every backup, so that a copy that
    is put back has another one than the file, or there is no file.

    Two while the ledger's token is being changed, so that a crash then is no restore.
    """

    def __init__(self, path: Path) -> None:
        """Use the file at `path`, which is to be left out of backups."""
        self._path = path

    def has(self, token: str) -> bool:
        """Return whether the ledger may have this token; not if nothing is known."""
        try:
            return token in self._path.read_text("ascii").split()
        except OSError, ValueError:
            return False

    def write(self, *tokens: str) -> None:
        """Put tokens in the place of those before, all or nothing. Raises OSError."""
        # A name that backups leave out as well.
        new = self._path.with_name(f"new_{self._path.name}")
        try:
            new.touch(mode=_OURS_ALONE)
            with new.open("w", encoding="ascii") as file:
                file.write("\n".join(tokens))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self) -> None:
        """Delete the file: the ledger is deleted too. Raises OSError."""
        self._path.unlink(missing_ok=True)


class LedgerReader:
    """A connection beside the one that writes, so that no send waits for a search."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; it is opened when something is read."""
        self._path = path
        self._database: sqlite3.Connection | None = None

    def read[R](
        self, work: Callable[[sqlite3.Connection], R], missing: Sequence[Entry] = ()
    ) -> R:
        """Return what `work` reads from a connection.

        As if the messages and requests of entries that are `missing` were written.
        """
        if missing:
            with closing(self._complete(missing)) as database:
                return work(database)
        if self._database is None:
            self._database = sqlite3.connect(
                f"{_uri(self._path)}?mode=ro",
                uri=True,
                timeout=_LOCK_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
            queries.prepare(self._database)
        return work(self._database)

    def _complete(self, missing: Sequence[Entry]) -> sqlite3.Connection:
        """Return a connection to the file in which nothing seems to be missing.

        What is missing is written to tables in memory; views unite them with the file.
        """
        database = sqlite3.connect(
            _MEMORY, uri=True, timeout=_LOCK_TIMEOUT, isolation_level=None
        )
        try:
            # What a query sorts finds no room on a full disk either.
            database.execute("PRAGMA temp_store = MEMORY")
            queries.prepare(database, _WHOLE)
            database.execute("ATTACH ? AS file", (f"{_uri(self._path)}?mode=ro",))
            for table, key in _KEYS.items():
                database.execute(_LIKE_IN_THE_FILE.format(table=table))
                database.execute(f"CREATE UNIQUE INDEX by_{table} ON {table} ({key})")
            for entry in missing:
                with suppress(*_UNWRITABLE):
                    # One that no file can hold hides no other.
                    rows.write(database, [replace(entry, spent=())])
            database.execute(_SEEN_IN_THE_FILE)
            for table, key in _KEYS.items():
                database.execute(_UNITED.format(table=table, key=key))
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._database is not None:
            self._database.close()
            self._database = None


def _with_kept(opened: Opened, kept: Kept) -> Opened:
    """Return what a ledger held, with what its journal kept to be written."""
    submitted = [
        replace(one, stage=Stage.SUBMITTING)
        for one in opened.open_messages
        if one.id in kept.submitted and one.stage in {Stage.WAITING, Stage.HELD}
    ]
    entry = replace(kept.entry, messages=(*kept.entry.messages, *submitted))
    return replace(opened, unwritten=entry, clock=kept.clock)


def _has(database: sqlite3.Connection, abandoned: Abandoned) -> bool:
    """Return whether a ledger's last commit is one that was abandoned."""
    return queries.read_clock(database) == abandoned.reading


def _is_memory(path: Path) -> bool:
    return path == _MEMORY


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


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
