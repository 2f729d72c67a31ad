"""What is asked of the ledger: its queries.

Everything here is blocking, and works on a connection of whoever calls.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
import json
import sqlite3

from ...providers import Picture, Status
from ..clock import ClockReading, Moment
from ..model import DayTotal, Message
from .records import Found, Query, ReceptionRecord, RunRecord, View
from .rows import MESSAGES, Column, euro, messages_of

_RECENT = 10_000
"""Rows that are searched for the newest of something that has no index."""

_FEW = "status IN ('failed', 'expired', 'uncertain')"
"""What an index has that lists few messages: a query finds it by these words."""

_UNDELIVERED = f"({_FEW} AND error IS NOT 'cancelled')"

_OF_FEW = frozenset({Status.FAILED, Status.EXPIRED, Status.UNCERTAIN})

_VIEWS: Mapping[View, str] = {
    View.WAITING: "status = 'queued'",
    View.UNDELIVERED: _UNDELIVERED,
    View.DELIVERED: "status = 'delivered'",
}

_PRICES = 500
"""Messages with a cost that are read for what an account pays."""

_KNOWN_RUNS = """
SELECT * FROM runs WHERE ended IS NULL OR ended >= ?
OR run IN (SELECT max(run) FROM runs GROUP BY escalation) ORDER BY run
"""


_WHOLE = "SELECT * FROM messages JOIN dispatches USING (dispatch)"


def prepare(database: sqlite3.Connection, whole: str = _WHOLE) -> None:
    """Give a connection what the queries need.

    Rows by name, `casefold`, and the view of the messages with their dispatches, which
    are what the SQL `whole` selects.
    """
    database.row_factory = sqlite3.Row
    database.execute(f"CREATE TEMP VIEW {MESSAGES} AS {whole}")
    # SQLite's own lower() knows no accents.
    database.create_function("casefold", 1, str.casefold, deterministic=True)


def read_open(database: sqlite3.Connection) -> tuple[Message, ...]:
    """Return the open messages in any order, with their pictures."""
    pictures = {
        row["dispatch"]: Picture(
            filename=row["filename"],
            content_type=row["content_type"],
            content=row["content"],
        )
        for row in database.execute("SELECT * FROM pictures")
    }
    # One whose dispatch is missing must be noticed, not left out.
    rows = database.execute(
        "SELECT * FROM messages LEFT JOIN dispatches USING (dispatch) "
        "WHERE stage <> 'closed'"
    ).fetchall()
    return tuple(messages_of(rows, pictures))


def read_clock(database: sqlite3.Connection) -> ClockReading | None:
    """Return what the clock showed at the last commit, None if there was none."""
    row = database.execute("SELECT * FROM clock").fetchone()
    if row is None:
        return None
    moment = Moment(steady=float(row["steady"]), wall=float(row["wall"]))
    return ClockReading(clock=row["clock"], moment=moment)


def read_message(database: sqlite3.Connection, message_id: int) -> Message | None:
    """Return a message, open or closed, None if there is none."""
    rows = database.execute(
        f"SELECT * FROM {MESSAGES} WHERE id = ?",  # noqa: S608 - a constant
        (message_id,),
    ).fetchall()
    return next(messages_of(rows), None)


def read_latest(
    database: sqlite3.Connection, account: str, recipient: str | None, now: float
) -> tuple[Message, ...]:
    """Return the messages of the last dispatch of an account, or of a recipient.

    A scheduled one counts from its moment on; `now` is wall time. Without what was
    cancelled.
    """
    whose = "account = :account" if recipient is None else "recipient = :recipient"
    counts = f"{whose} AND error IS NOT 'cancelled'"
    newest = (
        f"SELECT dispatch FROM (SELECT dispatch, due FROM {MESSAGES} WHERE {counts} "  # noqa: S608 - constants
        "AND coalesce(send_at, 0) <= :now "
        "ORDER BY due DESC, dispatch DESC LIMIT 1)"
    )
    rows = database.execute(
        f"SELECT * FROM {MESSAGES} WHERE dispatch = ({newest}) "  # noqa: S608 - constants
        f"AND {counts} ORDER BY id",
        {"account": account, "recipient": recipient, "now": now},
    ).fetchall()
    return tuple(messages_of(rows))


def find(database: sqlite3.Connection, query: Query) -> Found:
    """Return a page of the messages that match, newest first, and how many do."""
    where, values = _where(query)
    # To read a million dispatches as well would take most of the time.
    counted = MESSAGES if _asks_for_dispatch(query) else "messages"
    (total,) = database.execute(
        f"SELECT count(*) FROM {counted} WHERE {where}",  # noqa: S608 - values are bound
        values,
    ).fetchone()
    # SQLite goes through all messages for the first few, unless a plus hides the order.
    order = "+id" if query.status in _OF_FEW else "id"
    rows = database.execute(
        f"SELECT * FROM {MESSAGES} WHERE {where} "  # noqa: S608 - values are bound
        f"ORDER BY {order} DESC LIMIT :limit OFFSET :offset",
        {**values, "limit": query.limit, "offset": query.offset},
    ).fetchall()
    return Found(messages=tuple(messages_of(rows)), total=int(total))


def read_undelivered(
    database: sqlite3.Connection, account: str, except_for: Collection[int], limit: int
) -> Found:
    """Return the newest undelivered messages of an account that nobody has seen.

    `except_for` are IDs of messages that are left out, as is what was sent again: its
    list offers to send it.
    """
    where = (
        f"{_UNDELIVERED} AND status IS NOT seen AND NOT is_resent "  # noqa: S608 - a constant
        "AND joined_in IS NULL AND +account = :account "
        "AND id NOT IN (SELECT value FROM json_each(:except_for))"
    )
    values = {"account": account, "except_for": json.dumps(list(except_for))}
    (total,) = database.execute(
        f"SELECT count(*) FROM {MESSAGES} WHERE {where}",  # noqa: S608 - values are bound
        values,
    ).fetchone()
    rows = database.execute(
        f"SELECT * FROM {MESSAGES} WHERE {where} ORDER BY +id DESC LIMIT :limit",  # noqa: S608 - values are bound
        {**values, "limit": limit},
    ).fetchall()
    return Found(messages=tuple(messages_of(rows)), total=int(total))


def _asks_for_dispatch(query: Query) -> bool:
    """Return whether a query asks for anything that a message's dispatch has."""
    asked = (query.account, query.since, query.until, query.text, query.viewer)
    return any(one is not None for one in asked)


def _where(query: Query) -> tuple[str, dict[str, Column]]:
    """Return what must be true of a message, as SQL, and the values in it."""
    conditions: Mapping[str, tuple[str, Column]] = {
        # The plus keeps SQLite from sorting all messages of an account.
        "account": ("+account = :account", query.account),
        "status": ("status = :status", query.status),
        "number": ("number = :number", query.number),
        "before": ("id < :before", query.before),
        "since": ("created >= :since", query.since),
        "until": ("created <= :until", query.until),
        "among": (
            "recipient IN (SELECT value FROM json_each(:among))",
            None if query.recipients is None else json.dumps(sorted(query.recipients)),
        ),
        "text": (
            "instr(casefold(text), :text) > 0",
            query.text and query.text.casefold(),
        ),
    }
    asked = {
        name: (condition, value)
        for name, (condition, value) in conditions.items()
        if value is not None
    }
    where = [condition for condition, _ in asked.values()]
    values: dict[str, Column] = {name: value for name, (_, value) in asked.items()}
    if query.status in _OF_FEW:
        where.append(_FEW)
    if query.view is not None:
        where.append(_VIEWS[query.view])
    if query.viewer is not None:
        where.append(
            "(user = :user OR recipient IN (SELECT value FROM json_each(:recipients)))"
        )
        values["user"] = query.viewer.user
        values["recipients"] = json.dumps(sorted(query.viewer.recipients))
    return " AND ".join(where) or "1", values


def read_totals(database: sqlite3.Connection, day: str) -> dict[str, DayTotal]:
    """Return what was spent on a day (YYYY-MM-DD), by account."""
    rows = database.execute("SELECT * FROM totals WHERE day = ?", (day,))
    return {row["account"]: _total(row) for row in rows}


def read_totals_between(
    database: sqlite3.Connection, account: str, first: str, last: str
) -> dict[str, DayTotal]:
    """Return what an account spent by day, both ends included."""
    rows = database.execute(
        "SELECT * FROM totals WHERE account = ? AND day BETWEEN ? AND ?",
        (account, first, last),
    )
    return {row["day"]: _total(row) for row in rows}


def _total(row: sqlite3.Row) -> DayTotal:
    return DayTotal(parts=row["parts"], cost=euro(row["cost"]))


def read_prices(
    database: sqlite3.Connection, account: str
) -> list[tuple[str, Decimal]]:
    """Return what an account paid for a part, newest first: number and euro.

    Only the newest messages are read: there is no index for this, since it would have
    to be written with every message.
    """
    rows = database.execute(
        "SELECT number, parts, cost FROM (SELECT last_account, number, parts, cost "
        "FROM messages ORDER BY id DESC LIMIT ?) "
        "WHERE last_account = ? AND parts > 0 AND cost > 0 AND number LIKE '+%' "
        "LIMIT ?",
        (_RECENT, account, _PRICES),
    ).fetchall()
    return [(number, euro(cost) / parts) for number, parts, cost in rows]


def read_property(database: sqlite3.Connection, name: str) -> str | None:
    """Return something about the ledger itself, None if it is not known."""
    found = database.execute(
        "SELECT value FROM properties WHERE name = ?", (name,)
    ).fetchone()
    return None if found is None else str(found[0])


def knows_reference(database: sqlite3.Connection, reference: str) -> bool:
    """Return whether a submission had this reference that somebody gave a dispatch."""
    found = database.execute(
        "SELECT 1 FROM dispatches d JOIN submissions s "
        "ON s.dispatch = d.dispatch AND s.reference = d.reference "
        "WHERE d.reference = ?",
        (reference,),
    ).fetchone()
    return found is not None


def count_submitted(database: sqlite3.Connection, reference: str, dispatch: int) -> int:
    """Return how many messages of a dispatch were last sent by a submission."""
    (count,) = database.execute(
        "SELECT count(*) FROM messages WHERE dispatch = ? AND submission = ?",
        (dispatch, reference),
    ).fetchone()
    return int(count)


def old_dispatches(
    database: sqlite3.Connection, account: str, before: float
) -> list[int]:
    """Return the dispatches of an account that have ended.

    Only those that were due before `before` (steady time).
    """
    rows = database.execute(
        "SELECT dispatch FROM dispatches d WHERE account = ? AND due < ? "
        "AND NOT EXISTS (SELECT 1 FROM messages "
        "WHERE dispatch = d.dispatch AND stage <> 'closed')",
        (account, before),
    )
    return [dispatch for (dispatch,) in rows]


def dispatches_of(database: sqlite3.Connection, account: str) -> list[int]:
    """Return all dispatches of an account."""
    rows = database.execute(
        "SELECT dispatch FROM dispatches WHERE account = ?", (account,)
    )
    return [dispatch for (dispatch,) in rows]


def read_reception(
    database: sqlite3.Connection, account: str
) -> ReceptionRecord | None:
    """Return what is known of an account's reception, None if nothing is."""
    row = database.execute(
        "SELECT state FROM receptions WHERE account = ?", (account,)
    ).fetchone()
    return None if row is None else ReceptionRecord(account=account, state=row["state"])


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
        for row in database.execute(_KNOWN_RUNS, (ended_since,))
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
