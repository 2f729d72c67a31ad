"""What must hold after a kill and a restart, and what did not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
import re

from script.lean.ledger import Row
from simulator import Fault, Operation, Request, Simulator

from .storm import Call

SIX_WORDS = {"queued", "sent", "delivered", "failed", "expired", "uncertain"}
_FINAL = {"delivered", "failed", "expired"}
_SENT = {"queued", "sent", "delivered"}
_NOT_SENT = {"failed", "expired"}
_OPEN_STAGES = {"waiting", "submitting", "taken"}
"""What may be left open after a while is a doubt only."""

_REFUSALS = {Fault.THROTTLED, Fault.THROTTLED_BARE}
"""Faults that prove that a request was not carried out."""

_TELLS_LATER = "smshosting"
"""Who can say that a request of ours never came, so that it may be sent again."""

_REPEAT_MARKER = re.compile(r" \d\d:\d\d$")
"""What a text gets at its end when it is sent once more to Smshosting."""

type Key = tuple[str, str]
"""A number and a text: no two messages are alike in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known after a settled restart.

    `at_kill` is the ledger as the killed process left it, `now` as it is after all
    has settled; `carriers` are the accounts' providers by their ids.
    """

    calls: Sequence[Call]
    at_kill: Sequence[Row]
    now: Sequence[Row]
    carriers: Mapping[str, str]


def is_settled(rows: Sequence[Row]) -> bool:
    """Tell whether nothing is on its way any more."""
    return not any(row.stage in _OPEN_STAGES for row in rows)


def faults(evidence: Evidence, simulator: Simulator) -> Iterator[str]:
    """Yield a sentence for each thing that must hold and does not."""
    accepted = Counter(_key(message.to, message.text) for message in simulator.messages)
    rows = {_key(row.number, row.text): row for row in evidence.now}
    if len(rows) != len(evidence.now):
        yield "a message is twice in the ledger"
    for key, count in accepted.items():
        if count > 1:
            yield f"accepted {count} times: {key}"
        if key not in rows:
            yield f"accepted, and the ledger does not know it: {key}"
    for key, row in rows.items():
        yield from _row_faults(row, accepted[key])
    yield from _history_faults(evidence)
    yield from _answer_faults(evidence, accepted)
    yield from _repetition_faults(simulator)


def _row_faults(row: Row, accepted: int) -> Iterator[str]:
    """Compare what the ledger says of a message with what the provider took."""
    if row.status not in SIX_WORDS:
        yield f"no word of ours: {row}"
    if row.stage in _OPEN_STAGES:
        yield f"does not come to an end: {row}"
    if row.status in _NOT_SENT and accepted:
        yield f"called {row.status}, and it was accepted: {row}"
    if row.status in _SENT and not accepted:
        yield f"called {row.status}, and it was never accepted: {row}"


def _history_faults(evidence: Evidence) -> Iterator[str]:
    """Compare the ledger with what it was when the process was killed."""
    now = {row.id: row for row in evidence.now}
    for before in evidence.at_kill:
        after = now.get(before.id)
        if after is None:
            yield f"vanished: {before}"
            continue
        if before.status in _FINAL and after.status != before.status:
            yield f"changed after its end: {before} -> {after}"
        may_be_told = evidence.carriers.get(before.carrier or "") == _TELLS_LATER
        if (
            before.stage == "submitting"
            and after.status != "uncertain"
            and not (may_be_told and after.status in _SENT)
        ):
            yield f"was on the wire, so nobody can know: {before} -> {after}"


def _answer_faults(evidence: Evidence, accepted: Counter[Key]) -> Iterator[str]:
    """Compare what the action answered with the ledger."""
    now = {row.id: row for row in evidence.now}
    for call in evidence.calls:
        if call.answer is None:
            continue
        if call.answer.messages is None:
            if call.answer.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                yield f"the action answered {call.answer.status}: {call}"
            continue
        if len(call.answer.messages) != len(call.numbers):
            yield f"not all numbers are in the answer: {call}"
        for message in call.answer.messages:
            row = now.get(int(str(message["id"]), 16))
            key = _key(str(message["to"]), call.text)
            if row is None or _key(row.number, row.text) != key:
                yield f"answered, and not in the ledger: {call}"
            if message["provider_id"] is not None and not accepted[key]:
                yield f"answered with an id, and never accepted: {call}"


def _repetition_faults(simulator: Simulator) -> Iterator[str]:
    """Find what was sent again although it may have left the first time.

    Of Smshosting's it is enough that nothing was accepted twice.
    """
    left: set[Key] = set()
    for request in simulator.requests:
        if (
            request.operation is not Operation.SEND
            or request.provider == _TELLS_LATER
            or request.fault in _REFUSALS
        ):
            continue
        for key in _sent(request):
            if key in left:
                yield f"sent again to {request.provider}: {key}"
            left.add(key)


def _sent(request: Request) -> Iterator[Key]:
    """Yield the numbers and the text that a request was to send."""
    fields = request.fields
    match request.provider:
        case "smsviainternet":
            numbers, text = fields.get("numbers"), fields.get("text")
        case "smshosting":
            numbers, text = fields.get("to"), fields.get("text")
        case "transactionale":
            numbers, text = fields.get("phone"), fields.get("body")
        case "inviosmart":
            numbers, text = fields.get("destination"), fields.get("message")
        case _:
            raise ValueError(request.provider)
    if numbers and text:
        for number in str(numbers).split(","):
            yield _key(f"+{number.removeprefix('+')}", str(text))


def _key(number: str, text: str) -> Key:
    """Return what tells a message from all others."""
    return number, _REPEAT_MARKER.sub("", text)
