"""SMSviaInternet: the rows of a delivery report.

Facts: docs/development/provider-apis/smsviainternet.md 1.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..decoding import Json
from ..errors import OutcomeUnknownError
from ..model import Status
from ..parsing import as_code, as_count, as_number, as_object
from ..xml_answers import rows_of
from .api import Api, accepted_body

BATCH = "batch:"
"""The prefix of a batch's id, which the rows have under another name."""

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
        "LOST_NOTIFICATION": Status.UNCERTAIN,
        "UNKNOWN": Status.UNCERTAIN,
    }
)
"""The words of `delivery_status`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A delivery row; `status` is None for an unknown word."""

    receiver: str | None
    status: Status | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Reads delivery rows."""

    api: Api

    async def of_shipment(self, provider_id: str) -> list[Row]:
        """Return all rows of a shipment or a batch, page by page.

        Raises ProviderError.
        """
        name, value = "queue_id", provider_id
        if provider_id.startswith(BATCH):
            name, value = "sending_batch_id", provider_id.removeprefix(BATCH)
        rows: list[Row] = []
        for _ in range(_MAX_PAGES):
            page, limit = await self.page(
                {name: value, "limit": str(PAGE), "offset": str(len(rows))}
            )
            rows += page
            if len(page) < limit:
                return rows
        raise OutcomeUnknownError("too_many_pages")

    async def page(self, query: Mapping[str, str]) -> tuple[list[Row], int]:
        """Return a page of rows and the most that it could have had."""
        answer = await self.api.get("sms/delivery.json", query)
        body = accepted_body(answer)
        rows = rows_of(answer, body, "deliveries")
        if rows is None:
            raise OutcomeUnknownError("no_deliveries")
        limit = min(as_count(body.get("limit")) or PAGE, PAGE)
        return [_row(as_object(row)) for row in rows], limit


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
    )


_WORST_FIRST = (
    Status.FAILED,
    None,
    Status.SENT,
    Status.UNCERTAIN,
    Status.DELIVERED,
)
"""Which row counts for a message with several, one a part.

A failed part is a failed message; with an unknown word or a missing receipt the
message is not delivered yet.
"""


def worst(rows: Sequence[Row]) -> Row | None:
    """Return the row that counts for the message, None without rows."""
    return min(rows, key=lambda row: _WORST_FIRST.index(row.status), default=None)
