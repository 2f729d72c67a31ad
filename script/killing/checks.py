"""The checks after a kill and a restart."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
import re

from custom_components.sms_italia.providers import PROVIDERS, Feature
from script.home_assistant.ledger import Row
from simulator import (
    PROVIDERS as SIMULATED,
    Fault,
    Operation,
    Request,
    Simulator,
)

from .burst import Call

STATUSES = {"queued", "sent", "delivered", "failed", "expired", "uncertain"}
_FINAL = {"delivered", "failed", "expired"}
_SENT = {"queued", "sent", "delivered"}
_NOT_SENT = {"failed", "expired"}
_OPEN_STAGES = {"waiting", "submitting", "accepted"}
"""Stages that no message may keep."""

_REFUSALS = {Fault.THROTTLED, Fault.THROTTLED_BARE}
"""Faults that prove that a request was not carried out."""

_CAN_BE_ASKED = {
    key
    for key, provider in PROVIDERS.items()
    if Feature.CLIENT_REFERENCE in provider.capabilities.features
}
"""The providers that can be asked whether a request arrived."""

_REPEAT_MARKER = re.compile(r" \d\d:\d\d:\d\d$")
"""The end of a text that is sent once more to one of those."""

type Key = tuple[str, str]
"""A number and a text: no two messages have the same ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known after a restart.

    `at_kill` is the ledger as the killed process left it, `now` the ledger when no
    message is open any more; `providers` are by the ids of their accounts. `alarms` are
    the texts to the escalation that were answered, `runs` its runs.
    """

    calls: Sequence[Call]
    alarms: Sequence[str]
    runs: Sequence[str]
    at_kill: Sequence[Row]
    now: Sequence[Row]
    providers: Mapping[str, str]


def is_settled(rows: Sequence[Row]) -> bool:
    """Return whether no message is open any more."""
    return not any(row.stage in _OPEN_STAGES for row in rows)


def faults(evidence: Evidence, simulator: Simulator) -> Iterator[str]:
    """Yield a sentence for each check that fails."""
    accepted = Counter(_key(message.to, message.text) for message in simulator.messages)
    rows = {_key(row.number, row.text): row for row in evidence.now}
    if len(rows) != len(evidence.now):
        yield "a message is twice in the ledger"
    for key, count in accepted.items():
        if count > 1:
            yield f"accepted {count} times: {key}"
        if key not in rows:
            yield f"accepted, and not in the ledger: {key}"
    for key, row in rows.items():
        yield from _row_faults(row, accepted[key])
    yield from _history_faults(evidence)
    yield from _answer_faults(evidence, accepted)
    yield from _repetition_faults(simulator)
    for alarm in evidence.alarms:
        if not any(alarm in run for run in evidence.runs):
            yield f"answered, and in no run of the escalation: {alarm}"


def _row_faults(row: Row, accepted: int) -> Iterator[str]:
    """Compare a message of the ledger with what the provider accepted."""
    if row.status not in STATUSES:
        yield f"not one of our statuses: {row}"
    if row.stage in _OPEN_STAGES:
        yield f"stays open: {row}"
    if row.status in _NOT_SENT and accepted:
        yield f"is {row.status}, and it was accepted: {row}"
    if row.status in _SENT and not accepted:
        yield f"is {row.status}, and it was never accepted: {row}"


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
        can_be_asked = (
            evidence.providers.get(before.last_account or "") in _CAN_BE_ASKED
        )
        if (
            before.stage == "submitting"
            and after.status != "uncertain"
            and not (can_be_asked and after.status in _SENT)
        ):
            yield f"was being submitted, so the outcome is unknown: {before} -> {after}"


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
    """Find what was sent again although it may have been sent the first time.

    For a provider that can be asked it is enough that nothing was accepted twice.
    """
    left: set[Key] = set()
    for request in simulator.requests:
        if (
            request.operation is not Operation.SEND
            or request.provider in _CAN_BE_ASKED
            or request.fault in _REFUSALS
        ):
            continue
        for key in _sent(request):
            if key in left:
                yield f"sent again to {request.provider}: {key}"
            left.add(key)


def _sent(request: Request) -> Iterator[Key]:
    """Yield the numbers and the text of a request to send."""
    names = SIMULATED[request.provider].send_fields
    numbers, text = request.fields.get(names.numbers), request.fields.get(names.text)
    if numbers and text:
        for number in str(numbers).split(","):
            yield _key(f"+{number.removeprefix('+')}", str(text))


def _key(number: str, text: str) -> Key:
    """Return what identifies a message."""
    return number, _REPEAT_MARKER.sub("", text)
