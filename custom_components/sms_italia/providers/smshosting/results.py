"""Smshosting: the outcome of a send for each number.

Facts: docs/development/provider-apis/smshosting.md 2.3.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..decoding import Json, decode_json, decode_text, salvage_id
from ..errors import OutcomeUnknownError
from ..http_status import Purpose
from ..model import (
    Accepted,
    Cause,
    Channel,
    ErrorKind,
    MessageType,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Submission,
    Uncertain,
)
from ..parsing import (
    as_code,
    as_count,
    as_identifier,
    as_list,
    as_message_id,
    as_number,
    as_object,
)
from ..transport import Answer
from .api import REFUSALS, accepted_object

NOT_INSERTED: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "BADNUMBERFORMAT": ErrorKind.RECIPIENT,
        "BLACKLIST": ErrorKind.RECIPIENT,
        "DUPLICATESMS": ErrorKind.DUPLICATE,
    }
)
"""The words of `statusDetail`."""

_SHAPE = frozenset(
    {"sms", "smsInserted", "smsNotInserted", "pushInserted", "transactionId"}
)
"""Fields of the documented answer."""

_LEFT_OUT = NotSent(
    kind=ErrorKind.RECIPIENT, detail="no_push_app", cause=Cause.NO_PUSH_APP
)
"""A number without the app has no row, if only a Push was asked for."""


def parse_bulk_callback(body: bytes, reference: str) -> NotSent | None:
    """Return the error in the callback of a bulk with this reference, else None.

    It means that no SMS was sent, whatever the code. Facts:
    docs/development/provider-apis/smshosting.md 2.7.
    """
    try:
        fields = as_object(decode_json(decode_text(body)))
    except ValueError:
        return None
    code = as_code(fields.get("errorMsg"))
    is_its = as_identifier(fields.get("transactionId")) == reference
    if fields.get("status") != "ERROR" or code is None or not is_its:
        return None
    return NotSent(kind=REFUSALS.get(code, ErrorKind.REFUSED), detail=code)


def read_send(
    submission: Submission, answer: Answer, channel: Channel, mode: Mode
) -> SendResult:
    """Return the result of a send by SMS or Push; raise ProviderError for the whole.

    HTTP 200 proves nothing: the row of a number does. What cannot be read but shows the
    ID of a message is a doubt, which its reports settle if it was the only one.
    """
    try:
        body = accepted_object(answer, Purpose.SEND, _SHAPE, find_id)
    except OutcomeUnknownError as err:
        provider_id = id_finder(submission)(answer.text())
        raise OutcomeUnknownError(err.detail, provider_id=provider_id) from None
    return _parse_send(submission, body, channel, mode)


def id_finder(submission: Submission) -> Callable[[str], str | None]:
    """Return what finds the ID in an answer that cannot be read.

    Of several messages it finds none: whose it is cannot be known.
    """
    is_one = len(submission.recipients) == 1 and not submission.groups
    return find_id if is_one else lambda _text: None


def find_id(text: str) -> str | None:
    """Return the ID of a message in what was to be the answer to a send."""
    if not any(f'"{name}"' in text for name in _SHAPE):
        return None
    return as_message_id(salvage_id(text, "id"))


def _parse_send(
    submission: Submission, body: Mapping[str, Json], channel: Channel, mode: Mode
) -> SendResult:
    """Return the result of a send that was not refused as a whole.

    A number without a row is uncertain, with two exceptions: in the sandbox a number
    may have no row, and with `onlyPush` a list with as many rows as the counts is
    whole, so a missing number was left out.
    """
    rows = [as_object(item) for item in as_list(body.get("sms"))]
    without_row: Outcome = Uncertain(detail="no_result")
    if mode is Mode.TEST and "errorMsg" not in body:
        without_row = Accepted(provider_id=None)
    elif channel is Channel.PUSH and _is_whole(body, rows):
        without_row = _LEFT_OUT
    results: dict[str, Outcome] = {}
    for row in rows:
        number = as_number(row.get("to"))
        # Were a number listed twice, an accepted message must not be overlooked.
        if number is not None and not isinstance(results.get(number), Accepted):
            results[number] = _result(row)
    outcomes = {
        recipient: results.get(recipient, without_row)
        for recipient in submission.recipients
    }
    return SendResult(
        outcomes=outcomes,
        group_outcomes={
            number: outcome
            for number, outcome in results.items()
            if submission.groups and number not in outcomes
        },
        mode=mode,
    )


def _is_whole(body: Mapping[str, Json], rows: list[dict[str, Json]]) -> bool:
    """Return whether the list has as many rows as the counts of the answer."""
    counts = [
        as_count(body.get(name))
        for name in ("smsInserted", "smsNotInserted", "pushInserted")
    ]
    known = [count for count in counts if count is not None]
    return len(known) == len(counts) and sum(known) == len(rows)


def _result(row: Mapping[str, Json]) -> Outcome:
    """Return the outcome in one row of a send's answer."""
    match row.get("status"):
        case "INSERTED":
            # One without an ID is found by the submission's transaction ID.
            return Accepted(
                provider_id=as_message_id(row.get("id")), type=message_type(row)
            )
        case "NOT_INSERTED":
            detail = as_code(row.get("statusDetail"))
            kind = NOT_INSERTED.get(detail or "", ErrorKind.REFUSED)
            return NotSent(kind=kind, detail=detail)
        case _:
            return Uncertain(detail="unknown_result")


def message_type(row: Mapping[str, Json]) -> MessageType:
    """Return the type of a row's message; only a Push is marked."""
    return MessageType.PUSH if row.get("type") == "PUSH" else MessageType.SMS
