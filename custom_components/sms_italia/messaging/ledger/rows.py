"""The rows of the ledger: how messages become rows, and rows messages again.

Everything here is blocking, and works on a connection of whoever calls.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
import sqlite3
from typing import Any

from ...providers import (
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    Picture,
    Status,
)
from ..clock import ClockReading
from ..model import DayTotal, Dispatch, Message, SendOptions, Stage
from .records import Entry, ReceptionRecord, RunRecord, Spent, SubmissionIntent

MESSAGES = "whole_messages"
"""The view that `messages_of` takes the rows of."""

MICRO = 1_000_000
"""Euro are kept as whole millionths, so that sums stay exact."""

type Column = str | int | float | bytes | None
type Row = dict[str, Column]
type ReadRow = sqlite3.Row | Mapping[str, Any]
"""A row as it comes back; columns of several types."""

_DROP_PICTURE = """
DELETE FROM pictures WHERE dispatch = :dispatch AND NOT EXISTS (
    SELECT 1 FROM messages WHERE dispatch = :dispatch AND stage <> 'closed'
)
"""

_END = """
UPDATE messages SET stage = 'closed',
status = CASE status WHEN 'queued' THEN 'uncertain' ELSE status END
WHERE id = ? AND stage <> 'closed'
"""

_KEEP_CLOCK = """
INSERT INTO clock (rowid, clock, steady, wall) VALUES (1, ?, ?, ?)
ON CONFLICT DO UPDATE
SET clock = excluded.clock, steady = excluded.steady, wall = excluded.wall
"""
_WRITE_RUN = """
INSERT INTO runs (run, account, escalation, ended, state) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET ended = excluded.ended, state = excluded.state
"""
_AT_ONCE = (64, 16, 4, 1)
"""Rows of one statement."""
_FIXED = frozenset({"id", "dispatch", "number", "recipient", "size"})
"""Columns of a message that never change: their indexes need not be written again."""


def write(database: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write entries in their order, table by table.

    The messages' dispatches too, as far as they are missing. After each statement
    SQLite has to wait for its turn beside the event loop: of what comes to the same
    row, only the sum or the last state is written, and many rows by one statement.
    """
    messages: dict[int, Message] = {}
    dispatches: dict[int, Dispatch] = {}
    spent: dict[tuple[str, str], DayTotal] = {}
    for entry in entries:
        for message in entry.messages:
            messages[message.id] = message
            dispatches[message.dispatch.id] = message.dispatch
        for one in entry.spent:
            total = spent.get((one.day, one.account), DayTotal())
            spent[one.day, one.account] = total.plus(one.parts, one.cost)
    intents = [intent for entry in entries for intent in entry.submissions]
    _put(database, "dispatches", map(_dispatch_row, dispatches.values()), _reschedule)
    _put(database, "messages", map(_message_row, messages.values()), _replace)
    for entry in entries:
        if entry.ended:
            ended = ((id_,) for id_ in entry.ended if id_ not in messages)
            database.executemany(_END, ended)
    _put(database, "submissions", map(_submission_row, intents))
    _put(database, "totals", map(_spent_row, spent.items()), _add)
    for dispatch in dispatches.values():
        if (picture := dispatch.options.picture) is not None:
            _put(database, "pictures", [_picture_row(dispatch.id, picture)])
            database.execute(_DROP_PICTURE, {"dispatch": dispatch.id})


def _keep(_names: Collection[str]) -> str:
    """Return what to do with a row that is there already, as SQL: nothing."""
    return "NOTHING"


def _replace(names: Collection[str]) -> str:
    """Return how to bring a message up to date, as SQL."""
    new = (f"{name} = excluded.{name}" for name in names if name not in _FIXED)
    return f"UPDATE SET {', '.join(new)}"


def _reschedule(_names: Collection[str]) -> str:
    """Return how to bring a dispatch up to date, as SQL: nothing else ever changes."""
    return (
        "UPDATE SET due = excluded.due, expires = excluded.expires "
        "WHERE due <> excluded.due OR expires <> excluded.expires"
    )


def _add(_names: Collection[str]) -> str:
    """Return how to add to a day's total, as SQL."""
    return "UPDATE SET parts = parts + excluded.parts, cost = cost + excluded.cost"


def _put(
    database: sqlite3.Connection,
    table: str,
    rows: Iterable[Row],
    on_conflict: Callable[[Collection[str]], str] = _keep,
) -> None:
    """Write rows, of which there may be thousands.

    Characters that no file can hold become question marks.
    """
    all_rows = list(rows)
    if not all_rows:
        return
    names = tuple(all_rows[0])
    rule = on_conflict(names)
    try:
        _insert(database, table, names, rule, all_rows)
    except UnicodeEncodeError:
        _insert(database, table, names, rule, list(map(_storable, all_rows)))


def _insert(
    database: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    rule: str,
    rows: Sequence[Row],
) -> None:
    """Insert rows by statements for many at once.

    At the end of each statement SQLite waits for its turn beside the event loop. Their
    sizes are few, so that none is compiled twice.
    """
    row = f"({', '.join('?' * len(names))})"
    begin = 0
    for size in _AT_ONCE:
        while len(rows) - begin >= size:
            some = rows[begin : begin + size]
            database.execute(
                f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608 - constants
                f"VALUES {', '.join([row] * size)} ON CONFLICT DO {rule}",
                [one[name] for one in some for name in names],
            )
            begin += size


def _storable(row: Row) -> Row:
    """Return a row without halves of surrogate pairs."""
    return {
        name: value.encode(errors="replace").decode()
        if isinstance(value, str)
        else value
        for name, value in row.items()
    }


def _micro(cost: Decimal) -> int:
    return int(cost * MICRO)


def euro(micro: int) -> Decimal:
    """Return an amount as the ledger keeps it, in euro."""
    return Decimal(micro) / MICRO


def _submission_row(intent: SubmissionIntent) -> Row:
    return {
        "dispatch": intent.dispatch,
        "reference": intent.reference,
        "account": intent.account,
        "created": intent.created,
    }


def _spent_row(spent: tuple[tuple[str, str], DayTotal]) -> Row:
    (day, account), total = spent
    return {
        "day": day,
        "account": account,
        "parts": total.parts,
        "cost": _micro(total.cost),
    }


def _picture_row(dispatch: int, picture: Picture) -> Row:
    return {
        "dispatch": dispatch,
        "filename": picture.filename,
        "content_type": picture.content_type,
        "content": picture.content,
    }


def _dispatch_row(dispatch: Dispatch) -> Row:
    options = dispatch.options
    return {
        "dispatch": dispatch.id,
        "account": dispatch.account,
        "text": dispatch.text,
        "encoding": dispatch.encoding,
        "text_parts": dispatch.parts,
        "created": dispatch.created,
        "due": dispatch.due,
        "expires": dispatch.expires,
        "route": " ".join(dispatch.route),
        "sender": options.sender,
        "send_at": options.send_at,
        "channel": options.channel,
        "mode": options.mode,
        "groups": " ".join(options.groups) or None,
        "reference": options.reference,
        "user": dispatch.user,
        "is_bulk": dispatch.is_bulk,
        "run": dispatch.run,
    }


def _message_row(message: Message) -> Row:
    return {
        "id": message.id,
        "dispatch": message.dispatch.id,
        "number": message.number,
        "recipient": message.recipient,
        "status": message.status,
        "stage": message.stage,
        "updated": message.updated,
        "changed_at": message.changed_at,
        "parts": message.parts,
        "attempts": message.attempts,
        "last_account": message.last_account,
        "submission": message.submission,
        "provider_id": message.provider_id,
        "cost": None if message.cost is None else _micro(message.cost),
        "error": message.error,
        "detail": message.detail,
        "attempt_at": message.attempt_at,
        "type": message.type,
        "joined_in": message.joined_in,
        "size": message.size,
        "unanswered": " ".join(message.unanswered) or None,
        "failed_over_from": message.failed_over_from,
        "from_backup": message.from_backup,
        "marked_text": message.marked_text,
        "is_resent": message.is_resent,
    }


def forget_dispatches(database: sqlite3.Connection, dispatches: Sequence[int]) -> None:
    """Forget dispatches and all that belongs to them."""
    ids = [(id_,) for id_ in dispatches]
    for table in ("messages", "submissions", "pictures", "dispatches"):
        database.executemany(f"DELETE FROM {table} WHERE dispatch = ?", ids)  # noqa: S608 - a constant


def forget_account(database: sqlite3.Connection, account: str) -> None:
    """Forget what an account spent and received, and what it submitted for others."""
    for table in ("submissions", "totals", "runs", "receptions"):
        database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - a constant


def write_runs(database: sqlite3.Connection, runs: Iterable[RunRecord]) -> None:
    """Write runs in the place of what was known of them."""
    database.executemany(
        _WRITE_RUN,
        [(one.id, one.account, one.escalation, one.ended, one.state) for one in runs],
    )


def trim_runs(database: sqlite3.Connection, account: str, before: float) -> None:
    """Forget the runs of an account that ended before a moment of steady time."""
    database.execute(
        "DELETE FROM runs WHERE account = ? AND ended < ?", (account, before)
    )


def write_receptions(
    database: sqlite3.Connection, receptions: Iterable[ReceptionRecord]
) -> None:
    """Write receptions in the place of what was known of them."""
    database.executemany(
        "INSERT OR REPLACE INTO receptions (account, state) VALUES (?, ?)",
        [(one.account, one.state) for one in receptions],
    )


def forget_receptions(database: sqlite3.Connection) -> None:
    """Forget what came in at all accounts."""
    database.execute("DELETE FROM receptions")


def mark_seen(database: sqlite3.Connection, messages: Iterable[Message]) -> None:
    """Keep that somebody has seen messages with the status that they have here."""
    database.executemany(
        "UPDATE messages SET seen = ? WHERE id = ?",
        [(one.status, one.id) for one in messages],
    )


def keep_clock(database: sqlite3.Connection, reading: ClockReading) -> None:
    """Keep what the clock shows, in the place of what it showed before."""
    moment = reading.moment
    database.execute(_KEEP_CLOCK, (reading.clock, moment.steady, moment.wall))


def messages_of(
    rows: Collection[ReadRow], pictures: Mapping[int, Picture] | None = None
) -> Iterator[Message]:
    """Return the messages of rows of `MESSAGES`; those of a dispatch share it."""
    dispatches: dict[int, Dispatch] = {}
    for row in rows:
        id_ = row["dispatch"]
        if id_ not in dispatches:
            dispatches[id_] = _dispatch(row, (pictures or {}).get(id_))
        yield _message(row, dispatches[id_])


def _dispatch(row: ReadRow, picture: Picture | None) -> Dispatch:
    channel, mode = row["channel"], row["mode"]
    return Dispatch(
        id=row["dispatch"],
        account=row["account"],
        text=row["text"],
        encoding=Encoding(row["encoding"]),
        parts=row["text_parts"],
        created=row["created"],
        due=row["due"],
        expires=row["expires"],
        route=tuple(row["route"].split()),
        run=row["run"],
        options=SendOptions(
            sender=row["sender"],
            send_at=row["send_at"],
            channel=None if channel is None else Channel(channel),
            mode=None if mode is None else Mode(mode),
            groups=tuple((row["groups"] or "").split()),
            reference=row["reference"],
            picture=picture,
        ),
        user=row["user"],
        is_bulk=bool(row["is_bulk"]),
    )


def _message(row: ReadRow, dispatch: Dispatch) -> Message:
    cost, error, type_ = row["cost"], row["error"], row["type"]
    return Message(
        id=row["id"],
        dispatch=dispatch,
        number=row["number"],
        recipient=row["recipient"],
        status=Status(row["status"]),
        stage=Stage(row["stage"]),
        updated=row["updated"],
        changed_at=row["changed_at"],
        parts=row["parts"],
        attempts=row["attempts"],
        last_account=row["last_account"],
        submission=row["submission"],
        provider_id=row["provider_id"],
        cost=None if cost is None else euro(cost),
        error=None if error is None else ErrorKind(error),
        detail=row["detail"],
        attempt_at=row["attempt_at"],
        type=None if type_ is None else MessageType(type_),
        joined_in=row["joined_in"],
        size=row["size"],
        unanswered=tuple((row["unanswered"] or "").split()),
        failed_over_from=row["failed_over_from"],
        from_backup=bool(row["from_backup"]),
        marked_text=row["marked_text"],
        is_resent=bool(row["is_resent"]),
    )


def entry_rows(entry: Entry) -> dict[str, list[Row]]:
    """Return an entry as rows by kind, which JSON can hold; pictures are left out."""
    spent = (
        ((one.day, one.account), DayTotal(parts=one.parts, cost=one.cost))
        for one in entry.spent
    )
    return {
        "messages": [
            _dispatch_row(one.dispatch) | _message_row(one) for one in entry.messages
        ],
        "submissions": [_submission_row(one) for one in entry.submissions],
        "spent": [_spent_row(one) for one in spent],
        "runs": [asdict(run) for run in entry.runs],
        "receptions": [asdict(one) for one in entry.receptions],
    }


def entry_of(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Entry:
    """Return the entry that `entry_rows` made rows of.

    Raises KeyError, TypeError or ValueError if they are not such rows.
    """
    return Entry(
        messages=tuple(messages_of(rows["messages"])),
        submissions=tuple(SubmissionIntent(**row) for row in rows["submissions"]),
        spent=tuple(
            Spent(
                day=row["day"],
                account=row["account"],
                parts=row["parts"],
                cost=euro(row["cost"]),
            )
            for row in rows["spent"]
        ),
        runs=tuple(RunRecord(**row) for row in rows["runs"]),
        # An older release wrote none.
        receptions=tuple(ReceptionRecord(**row) for row in rows.get("receptions", ())),
    )


def keep_property(database: sqlite3.Connection, name: str, value: str) -> None:
    """Keep something about the ledger itself."""
    database.execute("INSERT OR REPLACE INTO properties VALUES (?, ?)", (name, value))
