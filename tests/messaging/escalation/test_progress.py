"""How far a message of a call came."""

from dataclasses import replace

import pytest

from custom_components.sms_italia.messaging import Message, Stage
from custom_components.sms_italia.messaging.escalation.model import Progress
from custom_components.sms_italia.messaging.escalation.progress import progress_of
from custom_components.sms_italia.providers import ErrorKind, Status

from ..helpers import a_dispatch, a_message

OPEN = {
    (Stage.WAITING, Status.QUEUED): Progress.QUEUED,
    (Stage.HELD, Status.QUEUED): Progress.QUEUED,
    (Stage.SUBMITTING, Status.QUEUED): Progress.QUEUED,
    (Stage.SUBMITTING, Status.UNCERTAIN): Progress.QUEUED,
    (Stage.IN_DOUBT, Status.UNCERTAIN): Progress.IN_DOUBT,
    (Stage.ACCEPTED, Status.QUEUED): Progress.ACCEPTED,
    (Stage.ACCEPTED, Status.SENT): Progress.ACCEPTED,
    (Stage.ACCEPTED, Status.UNCERTAIN): Progress.ACCEPTED,
}
CLOSED = {
    Status.QUEUED: Progress.ACCEPTED,
    Status.SENT: Progress.ACCEPTED,
    Status.DELIVERED: Progress.DELIVERED,
    Status.UNCERTAIN: Progress.IN_DOUBT,
    Status.FAILED: Progress.OVER,
    Status.EXPIRED: Progress.OVER,
}


def nothing(_: int) -> None:
    """Return no message: none is open."""


def at(stage: Stage, status: Status, error: ErrorKind | None = None) -> Message:
    """Return a message at a stage."""
    return a_message(a_dispatch(), stage=stage, status=status, error=error)


@pytest.mark.parametrize(("stage", "status"), OPEN)
def test_an_open_message_is_as_far_as_its_stage(stage: Stage, status: Status) -> None:
    assert progress_of(at(stage, status), nothing) is OPEN[stage, status]


@pytest.mark.parametrize("status", Status)
def test_a_closed_message_is_as_far_as_its_status(status: Status) -> None:
    assert progress_of(at(Stage.CLOSED, status), nothing) is CLOSED[status]


def test_what_a_user_cancelled_is_not_over() -> None:
    message = at(Stage.CLOSED, Status.FAILED, ErrorKind.CANCELLED)
    assert progress_of(message, nothing) is Progress.CANCELLED


@pytest.mark.parametrize(("stage", "status"), OPEN)
def test_a_joined_message_is_as_far_as_the_one_that_carries_it(
    stage: Stage, status: Status
) -> None:
    carrying = replace(at(stage, status), id=5)
    joined = replace(at(Stage.JOINED, status), joined_in=5)
    assert progress_of(joined, lambda _: carrying) is OPEN[stage, status]


def test_what_a_lost_message_carries_is_queued() -> None:
    joined = replace(at(Stage.JOINED, Status.QUEUED), joined_in=5)
    assert progress_of(joined, nothing) is Progress.QUEUED
