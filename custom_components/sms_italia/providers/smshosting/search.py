"""Smshosting: the two searches of sent messages.

/sms/search finds SMS. /push/search finds both, but the provider refuses it without a
Push plan, or where it has no Push: then there is none to find. Facts:
docs/development/provider-apis/smshosting.md 2.4 and 2.5.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import batched
from types import MappingProxyType
from urllib.parse import parse_qsl

from ..decoding import Json, decode_text
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..http_status import Purpose
from ..model import (
    Cause,
    ErrorKind,
    MessageRef,
    MessageType,
    PictureRef,
    Report,
    Status,
)
from ..parsing import (
    as_code,
    as_count,
    as_identifier,
    as_message_id,
    as_moment,
    as_number,
    as_object,
    as_price,
)
from ..transport import Answer
from .api import (
    Api,
    accepted_object,
    has_error_code,
    is_unknown_id,
)

PAGE = 100
"""Rows asked for at once, and ids in one question."""
_MAX_PAGES = 100

_SMS = "sms/search"
_PUSH = "push/search"
_SHAPE = frozenset({"smsList", "metadata"})
"""Fields of the documented answer."""

_NO_SUCH_CALL = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "PENDING": Status.QUEUED,
        "SENT": Status.SENT,
        "NOSENT": Status.FAILED,
        "DELIVERED": Status.DELIVERED,
        "NOTDELIVERED": Status.FAILED,
    }
)
"""The words of `status`."""

_DATES: Mapping[Status, str] = MappingProxyType(
    {
        Status.QUEUED: "insertDate",
        Status.SENT: "sentDate",
        Status.DELIVERED: "deliveryDate",
    }
)
"""Where the time of a status is; that of a failure is not reported."""

_CALLED_BACK = frozenset({"DELIVERED", "NOTDELIVERED"})
"""The words of `status` that a callback has."""
_MOST_FIELDS = 32
"""A callback has five."""

type Row = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Searches for messages that were sent."""

    api: Api

    async def of_refs(self, refs: Sequence[MessageRef]) -> list[Report]:
        """Return the reports of messages; raises ProviderError.

        One that the provider does not know is left out, and so is one of the sandbox.
        """
        # Another id would get the whole question refused.
        by_id = {ref.provider_id: ref for ref in refs if ref.provider_id.isdecimal()}
        reports = (report(ref, row) for ref, row in await self._rows_of(by_id))
        return [one for one in reports if one is not None]

    async def of_reference(
        self, reference: str, *, with_push: bool
    ) -> Sequence[Report]:
        """Return the reports of a submission's messages.

        Raises ProviderError, also if a row cannot be parsed or fewer rows come than
        are counted: a missing number would count as proof that it was never taken.
        """
        rows = await self._of_reference(_SMS, reference)
        if with_push:
            try:
                rows += await self._of_reference(_PUSH, reference)
            except NotAcceptedError as err:
                if err.cause is not Cause.NO_PUSH_PLAN:
                    raise
        reports: dict[str, Report] = {}
        # One page at a time: thousands at once would block the event loop.
        for portion in batched(rows, PAGE, strict=False):
            for row in portion:
                number = as_number(row.get("to"))
                provider_id = as_message_id(row.get("id"))
                if number is None or provider_id is None:
                    raise OutcomeUnknownError("unreadable_row")
                one = report(MessageRef(provider_id, number), row)
                if one is None:
                    raise OutcomeUnknownError("unknown_status")
                reports[provider_id] = one
            await asyncio.sleep(0)
        return list(reports.values())

    async def pictures(
        self, refs: Sequence[MessageRef]
    ) -> Mapping[MessageRef, PictureRef]:
        """Return the pictures of messages that have one; raises ProviderError."""
        by_id = {ref.provider_id: ref for ref in refs if ref.provider_id.isdecimal()}
        found: dict[MessageRef, PictureRef] = {}
        for ref, row in await self._of_ids(_PUSH, by_id):
            if (picture := _picture(row)) is not None:
                found[ref] = picture
        return found

    async def _rows_of(
        self, by_id: Mapping[str, MessageRef]
    ) -> list[tuple[MessageRef, Row]]:
        """Return a row for each message, whichever search knows it."""
        try:
            found = await self._of_ids(_SMS, by_id)
        except NotAcceptedError as err:
            if not is_unknown_id(err):
                raise
            found = []
        known = {ref.provider_id for ref, _ in found}
        missing = {key: ref for key, ref in by_id.items() if key not in known}
        if not missing:
            return found
        try:
            return found + await self._of_ids(_PUSH, missing)
        except NotAcceptedError as err:
            # What the first search knows holds, whatever the second one answers.
            if found or err.cause is Cause.NO_PUSH_PLAN or is_unknown_id(err):
                return found
            raise

    async def _of_ids(
        self, path: str, by_id: Mapping[str, MessageRef]
    ) -> list[tuple[MessageRef, Row]]:
        """Return the rows of the messages with these ids, page by page."""
        found: dict[str, tuple[MessageRef, Row]] = {}
        seen = 0
        while by_id and seen < len(by_id):
            rows, _ = await self._page(
                path, {"id": ",".join(by_id), "offset": str(seen)}
            )
            if not rows:
                break
            seen += len(rows)
            for row in rows:
                ref = by_id.get(as_message_id(row.get("id")) or "")
                if ref is not None:
                    found[ref.provider_id] = (ref, row)
        return list(found.values())

    async def _of_reference(self, path: str, reference: str) -> list[Row]:
        """Return all rows of a transaction id, until a page brings nothing new.

        A short page is not taken for the last, since the longest page is not known,
        and as many rows must come as `count` says.
        """
        rows: dict[str, Row] = {}
        for _ in range(_MAX_PAGES):
            known = len(rows)
            page, count = await self._page(
                path, {"transactionId": reference, "offset": str(known)}
            )
            for row in page:
                provider_id = as_message_id(row.get("id"))
                if provider_id is None:
                    raise OutcomeUnknownError("unreadable_row")
                rows[provider_id] = row
            if len(rows) == known:
                if count is not None and known < count:
                    raise OutcomeUnknownError("rows_missing")
                return [row for row in rows.values() if _is_of(row, reference)]
        raise OutcomeUnknownError("too_many_pages")

    async def _page(
        self, path: str, query: Mapping[str, str]
    ) -> tuple[list[Row], int | None]:
        """Return a page of messages and the total, None if not known."""
        answer = await self.api.get(path, {**query, "limit": str(PAGE)})
        if answer.status == HTTPStatus.NOT_FOUND and "id" in query:
            # Of anybody, it says no more than that there is no report.
            return [], None
        try:
            body = accepted_object(answer, Purpose.QUESTION, _SHAPE)
        except NotAcceptedError as err:
            if path == _PUSH and _has_no_such_call(answer, err):
                raise NotAcceptedError(
                    err.kind, err.detail, cause=Cause.NO_PUSH_PLAN
                ) from None
            raise
        rows = body.get("smsList")
        if not isinstance(rows, list):
            raise OutcomeUnknownError("no_list")
        count = as_count(as_object(body.get("metadata")).get("count"))
        return [as_object(row) for row in rows], count


def _has_no_such_call(answer: Answer, err: NotAcceptedError) -> bool:
    """Return whether the provider itself says that it has no such call.

    From somebody else the same status says only that the provider was not reached.
    """
    return (
        answer.status in _NO_SUCH_CALL
        and err.kind is ErrorKind.REFUSED
        and has_error_code(answer)
    )


def _is_of(row: Row, reference: str) -> bool:
    """Return whether a row can be of a transaction: only another ID proves that not."""
    return as_identifier(row.get("transactionId")) in {None, reference}


def report(ref: MessageRef, row: Row) -> Report | None:
    """Return the report in one row of a search, None if its status is unknown."""
    word = row.get("status")
    status = STATUSES.get(word) if isinstance(word, str) else None
    if status is None:
        return None
    picture = _picture(row)
    is_push = picture is not None or row.get("type") == "PUSH"
    return Report(
        ref=ref,
        status=status,
        cost=as_price(row.get("price")),
        detail=as_code(word),
        at=as_moment(row.get(_DATES.get(status, ""))),
        # The page's own example of a Push lacks the mark.
        type=MessageType.PUSH if is_push else None,
        picture=picture,
    )


def parse_callback(body: bytes) -> Report | None:
    """Return the report in the form of a status callback, None if unreadable.

    Facts: docs/development/provider-apis/smshosting.md 2.7.
    """
    try:
        pairs = parse_qsl(decode_text(body), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None
    fields = dict(pairs)
    provider_id = as_message_id(fields.get("id"))
    number = as_number(fields.get("to"))
    word = fields.get("status", "")
    if (
        len(fields) != len(pairs)
        or provider_id is None
        or number is None
        or word not in _CALLED_BACK
    ):
        return None
    # A "+" that was not encoded comes as a space.
    moment = fields.get("notificationDate", "").replace(" ", "+")
    return Report(
        ref=MessageRef(provider_id, number),
        status=STATUSES[word],
        detail=word,
        at=as_moment(moment),
    )


def _picture(row: Row) -> PictureRef | None:
    """Return the picture in a row."""
    content = as_object(row.get("multimediaContent"))
    picture_id = as_identifier(content.get("id"))
    if picture_id is None:
        return None
    return PictureRef(id=picture_id, type=as_code(content.get("type")))
