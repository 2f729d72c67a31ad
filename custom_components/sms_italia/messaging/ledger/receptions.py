"""What came in at each account, as far as the ledger knows it.

What a reception consists of is known to `messaging/reception` alone; here it is a text.
All of it is blocking, and works on a connection of whoever calls.
"""

from collections.abc import Iterable
import sqlite3

from .records import ReceptionRecord

RECEPTIONS_SCHEMA = """
CREATE TABLE receptions (
    account TEXT PRIMARY KEY,
    state TEXT NOT NULL
) WITHOUT ROWID;
"""


def write_receptions(
    database: sqlite3.Connection, receptions: Iterable[ReceptionRecord]
) -> None:
    """Write receptions in the place of what was known of them."""
    database.executemany(
        "INSERT OR REPLACE INTO receptions (account, state) VALUES (?, ?)",
        [(one.account, one.state) for one in receptions],
    )


def read_reception(
    database: sqlite3.Connection, account: str
) -> ReceptionRecord | None:
    """Return what is known of an account's reception, None if nothing is."""
    row = database.execute(
        "SELECT state FROM receptions WHERE account = ?", (account,)
    ).fetchone()
    return None if row is None else ReceptionRecord(account=account, state=row["state"])
