"""The runs of escalations in the ledger.

What a run consists of is known to `messaging/escalation` alone; here it is a text. All
of it is blocking, and works on a connection of whoever calls.
"""

from collections.abc import Iterable, Sequence
import json
import sqlite3

from ..model import Message
from .records import RunRecord
from .rows import MESSAGES, messages_of

RUNS_SCHEMA = """
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    escalation TEXT NOT NULL,
    ended REAL,
    state TEXT NOT NULL
);
CREATE INDEX runs_by_escalation ON runs (escalation, run);
CREATE INDEX dispatches_by_run ON dispatches (run) WHERE run IS NOT NULL;
"""

_WRITE = """
INSERT INTO runs (run, account, escalation, ended, state) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET ended = excluded.ended, state = excluded.state
"""
_KNOWN = """
SELECT * FROM runs WHERE ended IS NULL OR ended >= ?
OR run IN (SELECT max(run) FROM runs GROUP BY escalation) ORDER BY run
"""


def write_runs(database: sqlite3.Connection, runs: Iterable[RunRecord]) -> None:
    """Write runs in the place of what was known of them."""
    database.executemany(
        _WRITE,
        [(one.id, one.account, one.escalation, one.ended, one.state) for one in runs],
    )


def read_runs(
    database: sqlite3.Connection, ended_since: float
) -> tuple[RunRecord, ...]:
    """Return the runs that matter after a start, oldest first.

    Those that have not ended or that ended since a moment of steady time, and the last
    one of each escalation.
    """
    return tuple(
        RunRecord(
            id=row["run"],
            account=row["account"],
            escalation=row["escalation"],
            ended=row["ended"],
            state=row["state"],
        )
        for row in database.execute(_KNOWN, (ended_since,))
    )


def read_messages_of_runs(
    database: sqlite3.Connection, runs: Sequence[int]
) -> tuple[Message, ...]:
    """Return all messages of some runs, open or closed."""
    rows = database.execute(
        f"SELECT * FROM {MESSAGES} "  # noqa: S608 - a constant
        "WHERE run IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(list(runs)),),
    ).fetchall()
    return tuple(messages_of(rows))


def trim_runs(database: sqlite3.Connection, account: str, before: float) -> None:
    """Forget the runs of an account that ended before a moment of steady time."""
    database.execute(
        "DELETE FROM runs WHERE account = ? AND ended < ?", (account, before)
    )
