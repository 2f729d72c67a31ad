"""Smshosting: the fields of the forms that are posted for SMS and for Push.

Facts: docs/development/provider-apis/smshosting.md 2.2 and 2.3.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from ..model import Channel, Encoding, Mode, Submission
from .text import without_placeholders

_ENCODINGS: Mapping[Encoding, str] = MappingProxyType(
    {Encoding.GSM7: "7BIT", Encoding.UCS2: "UCS2"}
)
"""The text was prepared for one of the two and its parts were counted.

AUTO would let the provider choose another encoding, and so another price than the one
that was counted against the daily limit.
"""


def sms_fields(submission: Submission, sender: str | None) -> dict[str, str]:
    """Return what a send and an estimate of SMS have in common."""
    form = _recipients(submission) | {
        "text": without_placeholders(submission.text, submission.encoding),
        "encoding": _ENCODINGS[submission.encoding],
    }
    if sender is not None:
        form["from"] = sender
    return form


def push_fields(
    submission: Submission, channel: Channel, sender: str | None
) -> dict[str, str]:
    """Return what a send and an estimate of Push have in common."""
    form = _recipients(submission)
    text = without_placeholders(submission.text, submission.encoding)
    if text:
        form["text"] = text
    if channel is Channel.PUSH:
        return {**form, "onlyPush": "true"}
    form |= {
        "onlyPush": "false",
        "smsText": text,
        "smsEncoding": _ENCODINGS[submission.encoding],
    }
    if sender is not None:
        form["smsFrom"] = sender
    return form


def sending_fields(submission: Submission, mode: Mode) -> dict[str, str]:
    """Return what a send has beyond an estimate, of SMS or Push."""
    form = {"transactionId": submission.reference}
    if submission.send_at is not None:
        form["date"] = _moment(submission.send_at)
    if mode is Mode.TEST:
        form["sandbox"] = "true"
    return form


def plain_number(number: str) -> str:
    """Return a number (E.164) as the provider writes it, without "+"."""
    return number.removeprefix("+")


def _recipients(submission: Submission) -> dict[str, str]:
    """Return the fields that name the recipients."""
    form = {}
    if submission.recipients:
        form["to"] = ",".join(map(plain_number, submission.recipients))
    if submission.groups:
        form["group"] = ",".join(submission.groups)
    return form


def _moment(moment: datetime) -> str:
    """Return a time as yyyy-MM-ddTHH:mm:ssZ, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S%z}"
