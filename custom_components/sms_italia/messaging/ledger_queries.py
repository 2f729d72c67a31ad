"""What is asked of the ledger: its queries.

Everything here is blocking, and works on a connection of whoever calls.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
import sqlite3

from ..providers.model import Picture, Status
from .ledger_model import Found, Query
from .ledger_rows import MICRO, SELECT, Column, messages_of
from .model import DayTotal, Message
from .numbers import country_of

_IN_TROUBLE = frozenset({Status.FAILED, Status.EXPIRED, Status.UNCERTAIN})

_RECENT = 10_000
"""Rows that are looked through for the newest of something that has no index."""

_PRICES = 500
"""Messages with a cost that are looked through for what an account pays."""


def add_functions(database: sqlite3.Connection) -> None:
    """Give a connection what the queries call."""
    # SQLite's own lower() knows no accents.
    database.create_function("casefold", 1, str.casefold, deterministic=True)


def read_open(database: sqlite3.Connection) -> tuple[Message, ...]:
    """Return the open messages, oldest first, with their pictures."""
    pictures = {
        dispatch: Picture(filename=filename, content_type=type_, content=content)
        for dispatch, filename, type_, content in database.execute(
            "SELECT dispatch, filename, content_type, content FROM pictures"
        )
    }
    # One whose dispatch is missing must be noticed, not left out. The plus makes SQLite
    # sort what the index of open messages names, and not go over all messages in order.
    rows = database.execute(
        f"{SELECT} FROM messages m LEFT JOIN dispatches d ON d.id = m.dispatch "
        "WHERE m.stage <> 'closed' ORDER BY +m.id"
    ).fetchall()
    return tuple(messages_of(rows, pictures))


def read_message(database: sqlite3.Connection, message_id: int) -> Message | None:
    """Return a message, open or closed, None if there is none."""
    rows = database.execute(
        f"{SELECT} FROM messages m JOIN dispatches d ON d.id = m.dispatch "
        "WHERE m.id = ?",
        (message_id,),
    ).fetchall()
    return next(messages_of(rows), None)


def read_latest(
    database: sqlite3.Connection, account: str, recipient: str | None
) -> tuple[Message, ...]:
    """Return the messages of the newest dispatch of an account, or of a recipient."""
    if recipient is None:
        if not _count(database, Query(account=account)):
            # Going over all of a long history would not find more.
            return ()
        newest = (
            "SELECT id FROM dispatches WHERE account = :account "
            "ORDER BY created DESC, id DESC LIMIT 1"
        )
    else:
        newest = "SELECT max(dispatch) FROM messages WHERE recipient = :recipient"
    rows = database.execute(
        f"{SELECT} FROM dispatches d JOIN messages m ON m.dispatch = d.id "
        f"WHERE d.id = ({newest}) "
        "AND (:recipient IS NULL OR m.recipient = :recipient) ORDER BY m.id",
        {"account": account, "recipient": recipient},
    ).fetchall()
    return tuple(messages_of(rows))


def find(database: sqlite3.Connection, query: Query) -> Found:
    """Return a page of the messages that match, and how many do."""
    total = _count(database, query)
    wanted = min(query.limit, total - query.offset)
    if wanted <= 0:
        return Found(messages=(), total=total)
    where, values = _where(query)
    # Asking for no more than there is lets SQLite stop at the last one.
    rows = database.execute(
        f"{SELECT} FROM {_tables(query)} WHERE {where} "
        f"ORDER BY {_order(query)} LIMIT ? OFFSET ?",
        (*values, wanted, query.offset),
    ).fetchall()
    return Found(messages=tuple(messages_of(rows)), total=total)


def _count(database: sqlite3.Connection, query: Query) -> int:
    """Return how many messages match."""
    if not _narrows(query.number, query.text, query.since, query.until):
        sql = (
            "SELECT coalesce(sum(messages), 0) FROM counts "
            "WHERE (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR status = ?2)"
        )
        values: Sequence[Column] = (query.account, query.status)
    else:
        where, values = _where(query)
        tables = _tables(query) if "d." in where else "messages m"
        sql = f"SELECT count(*) FROM {tables} WHERE {where}"  # noqa: S608 - values are bound
    (count,) = database.execute(sql, values).fetchone()
    return int(count)


def _order(query: Query) -> str:
    """Return what the messages are sorted by, newest first: as they are gone over."""
    if not _goes_by_dispatch(query):
        return "m.id DESC"
    if query.text is None or _narrows(query.since, query.until):
        return "d.created DESC, m.id DESC"
    # The id grows with time as well. No two have the same, so that SQLite, when it has
    # enough, does not look through all other texts for more of the same moment.
    return "d.id DESC, m.id DESC"


def _goes_by_dispatch(query: Query) -> bool:
    """Tell whether to go over the dispatches and look at their messages.

    Otherwise over the messages, which is right if most of them match, or few that an
    index of messages knows.
    """
    if query.number is not None:
        return False
    return _narrows(query.text, query.since, query.until) or (
        query.account is not None and query.status is None
    )


def _narrows(*filters: Column) -> bool:
    """Tell whether any of some filters of a query is there."""
    return any(value is not None for value in filters)


def _tables(query: Query) -> str:
    """Return where to look for messages, as SQL."""
    if _goes_by_dispatch(query):
        return "dispatches d CROSS JOIN messages m ON m.dispatch = d.id"
    return "messages m CROSS JOIN dispatches d ON d.id = m.dispatch"


def _where(query: Query) -> tuple[str, list[Column]]:
    """Return what must be true of a message, as SQL, and the values in it."""
    # A text of ASCII alone, which most are, needs no help from Python.
    folded = (
        "CASE WHEN length(d.text) = length(CAST(d.text AS BLOB)) "
        "THEN lower(d.text) ELSE casefold(d.text) END"
    )
    conditions: Mapping[str, Column] = {
        "d.account = ?": query.account,
        "m.status = ?": query.status,
        "m.number = ?": query.number,
        "d.created >= ?": query.since,
        "d.created <= ?": query.until,
        f"instr({folded}, ?) > 0": query.text and query.text.casefold(),
    }
    asked = {key: value for key, value in conditions.items() if value is not None}
    where = list(asked)
    if query.status in _IN_TROUBLE:
        # In the words of the index, without which SQLite does not take it.
        where.append("m.status IN ('failed', 'expired', 'uncertain')")
    return " AND ".join(where) or "1", list(asked.values())


def read_totals(database: sqlite3.Connection, day: str) -> dict[str, DayTotal]:
    """Return what was spent on a day (YYYY-MM-DD), by account."""
    return {
        account: DayTotal(parts=parts, cost=Decimal(cost) / MICRO)
        for account, parts, cost in database.execute(
            "SELECT account, parts, cost FROM totals WHERE day = ?", (day,)
        )
    }


def read_totals_between(
    database: sqlite3.Connection, account: str, first: str, last: str
) -> dict[str, DayTotal]:
    """Return what an account spent by day, both ends included."""
    return {
        day: DayTotal(parts=parts, cost=Decimal(cost) / MICRO)
        for day, parts, cost in database.execute(
            "SELECT day, parts, cost FROM totals "
            "WHERE account = ? AND day BETWEEN ? AND ?",
            (account, first, last),
        )
    }


def read_prices(database: sqlite3.Connection, account: str) -> dict[str, Decimal]:
    """Return what an account paid last for a part, in euro by country.

    Only the newest messages are looked through: there is no index for this, since it
    would have to be written with every message.
    """
    rows = database.execute(
        "SELECT number, parts, cost FROM (SELECT carrier, number, parts, cost "
        "FROM messages ORDER BY id DESC LIMIT ?) "
        "WHERE carrier = ? AND parts > 0 AND cost > 0 AND number LIKE '+%' LIMIT ?",
        (_RECENT, account, _PRICES),
    ).fetchall()
    prices: dict[str, Decimal] = {}
    for number, parts, cost in rows:
        prices.setdefault(country_of(number), Decimal(cost) / MICRO / parts)
    return prices


def read_identity(database: sqlite3.Connection, account: str) -> str | None:
    """Return the identity that was kept last of an account, None if none was."""
    found = database.execute(
        "SELECT identity FROM identities WHERE account = ?", (account,)
    ).fetchone()
    return None if found is None else str(found[0])


def knows_reference(database: sqlite3.Connection, reference: str) -> bool:
    """Tell whether a submission had this reference, which somebody gave a dispatch."""
    found = database.execute(
        "SELECT 1 FROM dispatches d JOIN submissions s "
        "ON s.dispatch = d.id AND s.reference = d.reference WHERE d.reference = ?",
        (reference,),
    ).fetchone()
    return found is not None


def old_dispatches(
    database: sqlite3.Connection, account: str, before: float
) -> list[int]:
    """Return the dispatches of an account older than `before` that have ended."""
    rows = database.execute(
        "SELECT id FROM dispatches d WHERE account = ? AND created < ? AND NOT EXISTS "
        "(SELECT 1 FROM messages WHERE dispatch = d.id AND stage <> 'closed')",
        (account, before),
    )
    return [id_ for (id_,) in rows]


def dispatches_of(database: sqlite3.Connection, account: str) -> list[int]:
    """Return all dispatches of an account."""
    rows = database.execute("SELECT id FROM dispatches WHERE account = ?", (account,))
    return [id_ for (id_,) in rows]
