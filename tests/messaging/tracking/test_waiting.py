"""How many messages wait, and when the next of them is due."""

import pytest

from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.model import Stage
from custom_components.sms_italia.messaging.tracking.waiting import (
    Waiting,
    count_waiting,
)

from ..helpers import a_dispatch, a_message

NOW = Moment(steady=2_000_000, wall=1_700_000_000)
LATER = a_dispatch(due=NOW.steady + 3600)


@pytest.mark.parametrize(
    ("stage", "waits", "waits_until_due"),
    [
        (Stage.WAITING, True, True),
        (Stage.HELD, True, True),
        (Stage.JOINED, True, True),
        (Stage.ACCEPTED, False, True),
        (Stage.SUBMITTING, False, False),
        (Stage.IN_DOUBT, False, False),
        (Stage.CLOSED, False, False),
    ],
)
def test_what_was_not_sent_yet_waits(
    stage: Stage, *, waits: bool, waits_until_due: bool
) -> None:
    """A provider may have accepted a scheduled one."""
    message, scheduled = (
        a_message(dispatch, stage=stage) for dispatch in (a_dispatch(), LATER)
    )
    assert count_waiting([message], NOW).count == waits
    assert count_waiting([scheduled], NOW).count == waits_until_due


def test_the_next_one_is_that_of_the_earliest_moment_by_the_wall_clock() -> None:
    """Whether it is tried again or scheduled; a joined one has no moment."""
    again = a_message(a_dispatch(1), attempt_at=NOW.steady + 60)
    joined = a_message(a_dispatch(2), stage=Stage.JOINED, attempt_at=None)
    scheduled = a_message(LATER, stage=Stage.ACCEPTED, attempt_at=NOW.steady + 5)

    assert count_waiting([scheduled, joined, again], NOW) == Waiting(
        count=3, next_at=NOW.wall + 60
    )
    assert count_waiting([scheduled], NOW).next_at == NOW.wall + 3600
    assert count_waiting([joined], NOW) == Waiting(count=1, next_at=None)
    assert count_waiting([], NOW) == Waiting(count=0, next_at=None)
