"""What a ledger holds, read from outside of the process that writes it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
import shutil
import sqlite3
import tempfile

_QUERY = """
SELECT id, number, text, status, stage, last_account
FROM messages JOIN dispatches USING (dispatch) ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One message of the ledger; `last_account` is the id of an account."""

    id: int
    number: str
    text: str
    status: str
    stage: str
    last_account: str | None


def read(path: Path) -> Sequence[Row]:
    """Return all messages, while Home Assistant may be writing. Blocking."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return _rows(database)


def read_after_kill(path: Path) -> Sequence[Row]:
    """Return all messages that a killed process left, from a copy. Blocking.

    Opening the files themselves would repair them.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-wal"):
            if (source := path.with_name(path.name + suffix)).exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        with closing(sqlite3.connect(copy)) as database:
            return _rows(database)


def read_runs(path: Path) -> Sequence[str]:
    """Return all runs of escalations as the ledger keeps them. Blocking."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return [state for (state,) in database.execute("SELECT state FROM runs")]


def _rows(database: sqlite3.Connection) -> Sequence[Row]:
    """Return the messages of an open database."""
    return [
        Row(
            id=id_,
            number=number,
            text=text,
            status=status,
            stage=stage,
            last_account=last_account,
        )
        for id_, number, text, status, stage, last_account in database.execute(_QUERY)
    ]
