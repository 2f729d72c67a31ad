"""SMSviaInternet: the rows of a delivery report.

Facts: docs/development/provider-apis/smsviainternet.md 1.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from ..decoding import Json
from ..errors import OutcomeUnknownError
from ..http_status import Purpose
from ..model import Status
from ..parsing import as_code, as_count, as_number, as_object
from .api import BATCH_ID, QUEUE_ID, Api, Reply, accepted_body

BATCH = "batch:"
"""The prefix of a batch's id, which the rows have under another name."""

LOST = "LOST_NOTIFICATION"
"""The receipt was lost: no other will come."""

PATH = "sms/delivery.json"

PAGE = 1000
_MAX_PAGES = 50
"""Beyond these pages a shipment is not read."""

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "BUFFERED": Status.SENT,
        "DELIVERED": Status.DELIVERED,
        "NOT_DELIVERED": Status.FAILED,
        "SUBSCRIBER_UNKNOWN": Status.FAILED,
        "ERROR": Status.FAILED,
        LOST: Status.UNCERTAIN,
    }
)
"""The words of `delivery_status`; UNKNOWN is no news, like any other word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A delivery row; `status` is None where it says nothing that is known."""

    receiver: str | None
    status: Status | None
    detail: str | None
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of rows, newest first, and whether others follow."""

    rows: Sequence[Row]
    has_next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Reads delivery rows."""

    api: Api

    async def of_shipment(self, provider_id: str) -> list[Row]:
        """Return all rows of a shipment or a batch, page by page, newest first.

        None of one that is not found: whoever says so, it is about the shipment and not
        about the account. Raises ProviderError.
        """
        name, value = QUEUE_ID, provider_id
        if provider_id.startswith(BATCH):
            name, value = BATCH_ID, provider_id.removeprefix(BATCH)
        rows: list[Row] = []
        for _ in range(_MAX_PAGES):
            query = {name: value, "limit": str(PAGE), "offset": str(len(rows))}
            reply = await self.api.get(PATH, query)
            if reply.answer.status == HTTPStatus.NOT_FOUND:
                return []
            page = read_page(reply, len(rows))
            rows += page.rows
            if not page.has_next:
                return rows
        raise OutcomeUnknownError("too_many_pages")


def read_page(reply: Reply, offset: int = 0) -> Page:
    """Return the page of rows that begins at `offset`; raise ProviderError."""
    body = accepted_body(reply, Purpose.QUESTION)
    rows = reply.rows("deliveries")
    if rows is None:
        raise OutcomeUnknownError("no_deliveries")
    return Page(
        rows=[_row(as_object(row)) for row in rows],
        has_next=_has_next(body, len(rows), offset),
    )


def _has_next(body: Mapping[str, Json], length: int, offset: int) -> bool:
    """Return whether rows follow those of a page.

    `count` is the total of all pages. Where it is missing, a full page has a next one.
    """
    if not length:
        return False
    if (total := as_count(body.get("count"))) is not None:
        return offset + length < total
    return length >= min(as_count(body.get("limit")) or PAGE, PAGE)


def _row(row: Mapping[str, Json]) -> Row:
    """Return one delivery row."""
    word = row.get("delivery_status")
    status = None
    if word is None:
        # Accepted, without a receipt yet (inferred).
        status = Status.SENT
    elif isinstance(word, str):
        status = STATUSES.get(word)
    return Row(
        receiver=as_number(row.get("receiver")),
        status=status,
        detail=as_code(row.get("reason_code")) or as_code(word),
        is_last=word == LOST,
    )


_WORST_FIRST = (
    Status.FAILED,
    Status.SENT,
    None,
    Status.UNCERTAIN,
    Status.DELIVERED,
)
"""Which row counts for a message with several, one a part.

A failed part is a failed message; with a missing receipt or an unknown word the
message is not delivered yet.
"""


def decisive(rows: Sequence[Row], parts: int | None) -> Row | None:
    """Return the row that counts for a message of so many parts, None without rows.

    `rows` are newest first. Whether there is one for each part or only one is not
    known: up to as many as parts, the worst counts. More than that are one after
    another, of which the newest counts.
    """
    if parts is not None and len(rows) > parts:
        return rows[0]
    return min(rows, key=lambda row: _WORST_FIRST.index(row.status), default=None)
