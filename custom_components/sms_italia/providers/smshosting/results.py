"""Smshosting: the outcome of a send for each number.

Facts: docs/development/provider-apis/smshosting.md 2.3.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ..client import same_for_all
from ..decoding import Json
from ..errors import OutcomeUnknownError
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
    Status,
    Submission,
    Uncertain,
)
from ..parsing import as_code, as_count, as_identifier, as_list, as_number, as_object

NOT_INSERTED: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "BADNUMBERFORMAT": ErrorKind.RECIPIENT,
        "BLACKLIST": ErrorKind.RECIPIENT,
        "DUPLICATESMS": ErrorKind.DUPLICATE,
    }
)
"""The words of `statusDetail`."""

_LEFT_OUT = NotSent(
    kind=ErrorKind.RECIPIENT, detail="no_push_app", cause=Cause.NO_PUSH_APP
)
"""A number without the app has no row, if only a Push was asked for."""


def parse_send(
    submission: Submission, body: Mapping[str, Json], channel: Channel, mode: Mode
) -> SendResult:
    """Return the result of a send.

    HTTP 200 proves nothing: the row of a number does. A number without one is
    uncertain, with two exceptions: in the sandbox a number may have no row, and with
    `onlyPush` a list with as many rows as the counts is whole, so a missing number was
    left out.
    """
    rows = [as_object(item) for item in as_list(body.get("sms"))]
    without_row: Outcome = Uncertain(detail="no_result")
    if mode is Mode.TEST:
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


def parse_bulk_send(
    submission: Submission, body: Mapping[str, Json], mode: Mode
) -> SendResult:
    """Return the result of a bulk send, whose answer lists no number.

    All numbers are queued at the provider; their ids are found later by the
    submission's transaction id. A number that the provider drops is never found.
    """
    if as_identifier(body.get("transactionId")) != submission.reference:
        raise OutcomeUnknownError("no_transaction")
    accepted = Accepted(provider_id=None, status=Status.QUEUED)
    return SendResult(outcomes=same_for_all(submission, accepted), mode=mode)


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
            provider_id = as_identifier(row.get("id"))
            if provider_id is None:
                return Uncertain(detail="no_id")
            return Accepted(provider_id=provider_id, type=message_type(row))
        case "NOT_INSERTED":
            detail = as_code(row.get("statusDetail"))
            kind = NOT_INSERTED.get(detail or "", ErrorKind.REFUSED)
            return NotSent(kind=kind, detail=detail)
        case _:
            return Uncertain(detail="unknown_result")


def message_type(row: Mapping[str, Json]) -> MessageType:
    """Return the type of a row's message; only a Push is marked."""
    return MessageType.PUSH if row.get("type") == "PUSH" else MessageType.SMS
