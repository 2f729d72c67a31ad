"""The rows of the ledger: how messages become rows, and rows messages again.

Everything here is blocking, and works on a connection of whoever calls.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
import sqlite3

from ..providers.model import (
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    Picture,
    Status,
)
from .ledger_model import Entry, SubmissionIntent
from .model import DayTotal, Dispatch, Message, Stage, Wishes

SELECT = """
SELECT d.id, d.account, d.text, d.encoding, d.parts, d.created, d.expires, d.route,
    d.sender, d.send_at, d.channel, d.mode, d.groups, d.reference,
    m.id, m.number, m.recipient, m.status, m.stage, m.updated, m.parts, m.carrier,
    m.submission, m.provider_id, m.cost, m.error, m.detail, m.attempt_at, m.type,
    m.joined_in, m.unanswered
"""
_DISPATCH_COLUMNS = 14

_PUT_DISPATCH = """
INSERT INTO dispatches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING
"""
_PUT_MESSAGE = """
INSERT INTO messages VALUES
    (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, stage = excluded.stage,
    updated = excluded.updated, parts = excluded.parts, carrier = excluded.carrier,
    submission = excluded.submission, provider_id = excluded.provider_id,
    cost = excluded.cost, error = excluded.error, detail = excluded.detail,
    attempt_at = excluded.attempt_at, type = excluded.type,
    joined_in = excluded.joined_in, unanswered = excluded.unanswered
"""
_PUT_SUBMISSION = """
INSERT INTO submissions VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_PUT_PICTURE = """
INSERT INTO pictures VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_DROP_PICTURE = """
DELETE FROM pictures WHERE dispatch = :id AND NOT EXISTS (
    SELECT 1 FROM messages WHERE dispatch = :id AND stage <> 'closed'
)
"""
_ADD_SPENT = """
INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    parts = parts + excluded.parts, cost = cost + excluded.cost
"""

MICRO = 1_000_000
"""Euro are kept as whole millionths, so that sums stay exact."""

type Column = str | int | float | bytes | None


def write(database: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write entries in their order, table by table.

    The messages' dispatches too, as far as they are missing. Between two rows SQLite
    lets the event loop run, and has to wait for its turn then: of what comes to the
    same row, only the sum or the last word is written.
    """
    messages: dict[int, Message] = {}
    dispatches: dict[int, Dispatch] = {}
    spent: dict[tuple[str, str], DayTotal] = {}
    for entry in entries:
        if entry.dispatch is not None:
            dispatches[entry.dispatch.id] = entry.dispatch
        for message in (*entry.added, *entry.changed):
            messages[message.id] = message
            dispatches[message.dispatch.id] = message.dispatch
        for one in entry.spent:
            total = spent.get((one.day, one.account), DayTotal())
            spent[one.day, one.account] = DayTotal(
                parts=total.parts + one.parts, cost=total.cost + one.cost
            )
    submissions = [intent for entry in entries for intent in entry.submissions]
    _put(database, _PUT_DISPATCH, _dispatch_row, dispatches.values())
    _put(database, _PUT_MESSAGE, _message_row, messages.values())
    _put(database, _PUT_SUBMISSION, _submission_row, submissions)
    _put(database, _ADD_SPENT, _spent_row, spent.items())
    for dispatch in dispatches.values():
        if (picture := dispatch.wishes.picture) is not None:
            _put(database, _PUT_PICTURE, _picture_row, [(dispatch.id, picture)])
            database.execute(_DROP_PICTURE, {"id": dispatch.id})


def _put[T](
    database: sqlite3.Connection,
    sql: str,
    row_of: Callable[[T], tuple[Column, ...]],
    things: Collection[T],
) -> None:
    """Write the rows of things, of which there may be thousands.

    Characters that no file can hold become question marks.
    """
    if not things:
        return
    try:
        database.executemany(sql, map(row_of, things))
    except UnicodeEncodeError:
        database.executemany(
            sql, (tuple(map(_storable, row_of(one))) for one in things)
        )


def _storable(column: Column) -> Column:
    """Return a column without halves of surrogate pairs."""
    if isinstance(column, str):
        return column.encode(errors="replace").decode()
    return column


def _micro(cost: Decimal) -> int:
    return int(cost * MICRO)


def _submission_row(intent: SubmissionIntent) -> tuple[Column, ...]:
    return intent.dispatch, intent.reference, intent.account, intent.created


def _spent_row(spent: tuple[tuple[str, str], DayTotal]) -> tuple[Column, ...]:
    (day, account), total = spent
    return day, account, total.parts, _micro(total.cost)


def _picture_row(of_dispatch: tuple[int, Picture]) -> tuple[Column, ...]:
    dispatch, picture = of_dispatch
    return dispatch, picture.filename, picture.content_type, picture.content


def _dispatch_row(dispatch: Dispatch) -> tuple[Column, ...]:
    wishes = dispatch.wishes
    return (
        dispatch.id,
        dispatch.account,
        dispatch.text,
        dispatch.encoding,
        dispatch.parts,
        dispatch.created,
        dispatch.expires,
        " ".join(dispatch.route),
        wishes.sender,
        wishes.send_at,
        wishes.channel,
        wishes.mode,
        " ".join(wishes.groups) or None,
        wishes.reference,
    )


def _message_row(message: Message) -> tuple[Column, ...]:
    return (
        message.id,
        message.dispatch.id,
        message.number,
        message.recipient,
        message.status,
        message.stage,
        message.updated,
        message.parts,
        message.carrier,
        message.submission,
        message.provider_id,
        None if message.cost is None else _micro(message.cost),
        message.error,
        message.detail,
        message.attempt_at,
        message.type,
        message.joined_in,
        " ".join(message.unanswered) or None,
    )


def forget_dispatches(database: sqlite3.Connection, dispatches: Sequence[int]) -> None:
    """Forget dispatches and all that belongs to them."""
    ids = [(id_,) for id_ in dispatches]
    for table in ("messages", "submissions", "pictures"):
        database.executemany(f"DELETE FROM {table} WHERE dispatch = ?", ids)  # noqa: S608 - a constant
    database.executemany("DELETE FROM dispatches WHERE id = ?", ids)


def forget_account(database: sqlite3.Connection, account: str) -> None:
    """Forget what an account spent, and that it carried messages of others."""
    for table in ("submissions", "totals", "counts", "identities"):
        database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - a constant


def keep_identity(database: sqlite3.Connection, account: str, identity: str) -> None:
    """Keep who an account is at its provider."""
    database.execute(
        "INSERT OR REPLACE INTO identities VALUES (?, ?)", (account, identity)
    )


def messages_of(
    rows: Sequence[tuple[Column, ...]], pictures: Mapping[int, Picture] | None = None
) -> Iterator[Message]:
    """Make messages of rows as `SELECT` has them; those of a dispatch share it."""
    dispatches: dict[Column, Dispatch] = {}
    for row in rows:
        dispatch = dispatches.get(row[0])
        if dispatch is None:
            dispatch = _dispatch(*row[:_DISPATCH_COLUMNS])  # type: ignore[arg-type] # SQLite's columns are as the schema says
            if (picture := (pictures or {}).get(dispatch.id)) is not None:
                wishes = replace(dispatch.wishes, picture=picture)
                dispatch = replace(dispatch, wishes=wishes)
            dispatches[row[0]] = dispatch
        yield _message(dispatch, *row[_DISPATCH_COLUMNS:])  # type: ignore[arg-type] # as above


def _dispatch(  # noqa: PLR0913, PLR0917 - the columns of a row
    id_: int,
    account: str,
    text: str,
    encoding: str,
    parts: int,
    created: float,
    expires: float,
    route: str,
    sender: str | None,
    send_at: float | None,
    channel: str | None,
    mode: str | None,
    groups: str | None,
    reference: str | None,
) -> Dispatch:
    return Dispatch(
        id=id_,
        account=account,
        text=text,
        encoding=Encoding(encoding),
        parts=parts,
        created=created,
        expires=expires,
        route=tuple(route.split()),
        wishes=Wishes(
            sender=sender,
            send_at=send_at,
            channel=None if channel is None else Channel(channel),
            mode=None if mode is None else Mode(mode),
            groups=tuple((groups or "").split()),
            reference=reference,
        ),
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
    type_: str | None,
    joined_in: int | None,
    unanswered: str | None,
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
        cost=None if cost is None else Decimal(cost) / MICRO,
        error=None if error is None else ErrorKind(error),
        detail=detail,
        attempt_at=attempt_at,
        type=None if type_ is None else MessageType(type_),
        joined_in=joined_in,
        unanswered=tuple((unanswered or "").split()),
    )
