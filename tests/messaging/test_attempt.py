"""What an answer makes of a message, and what a message meets on its way."""

from decimal import Decimal

import pytest

from custom_components.sms_italia.messaging.attempt import (
    Attempt,
    outcome_of,
    submitting,
    taken,
)
from custom_components.sms_italia.messaging.model import Stage, Wishes, group_address
from custom_components.sms_italia.providers.model import (
    Accepted,
    ErrorKind,
    MessageType,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Status,
    Uncertain,
)

from .fake import REFERENCE, THROTTLED
from .helpers import NUMBER, OTHER, Harness, a_dispatch, a_message

TAKEN = Accepted(provider_id="7", status=Status.SENT, parts=2, cost=Decimal("0.1"))
AUTH = NotSent(kind=ErrorKind.AUTH)
CREDIT = NotSent(kind=ErrorKind.CREDIT)
BAD_NUMBER = NotSent(kind=ErrorKind.RECIPIENT)
DUPLICATE = NotSent(kind=ErrorKind.DUPLICATE)
DOUBT = Uncertain(detail="http_500")

MESSAGE = a_message(a_dispatch(), parts=1)
GROUP = a_message(a_dispatch(), number=group_address("7"), submission="ref")


# What a message meets


def test_the_first_refusal_stays_with_the_account_that_gave_it() -> None:
    attempt = Attempt(MESSAGE)
    attempt.refused("casa", AUTH)
    attempt.refused("riserva", CREDIT)
    assert (attempt.refusal, attempt.refused_by) == (AUTH, "casa")


def test_a_refusal_that_nobody_can_cure_takes_the_place_of_the_first() -> None:
    attempt = Attempt(MESSAGE)
    attempt.refused("casa", THROTTLED, 10)
    attempt.refused("riserva", BAD_NUMBER)
    assert (attempt.refusal, attempt.refused_by) == (BAD_NUMBER, "riserva")
    assert attempt.hopeless
    assert attempt.retry_at is None


@pytest.mark.parametrize("moments", [(10, 20), (20, 10), (0, 10)])
def test_a_message_is_tried_again_when_the_first_account_may_take_it(
    moments: tuple[float, float],
) -> None:
    attempt = Attempt(MESSAGE)
    for account, moment in zip(("casa", "riserva"), moments, strict=True):
        attempt.refused(account, THROTTLED, moment)
    assert attempt.retry_at == min(moments)


def test_only_the_last_account_can_have_called_a_message_a_duplicate() -> None:
    attempt = Attempt(MESSAGE)
    attempt.refused("casa", DUPLICATE)
    assert attempt.is_duplicate
    attempt.refused("riserva", AUTH)
    assert not attempt.is_duplicate


# On the wire


def test_an_account_that_is_sent_the_text_may_have_it_until_it_answers() -> None:
    first = submitting(MESSAGE, "casa", "a", 1, has_own_text=True)
    assert (first.stage, first.carrier, first.submission) == (
        Stage.SUBMITTING,
        "casa",
        "a",
    )
    assert first.unanswered == ("casa",)
    second = submitting(first, "riserva", "b", 2, has_own_text=True)
    again = submitting(second, "casa", "c", 3, has_own_text=True)
    assert again.unanswered == ("casa", "riserva")


def test_an_account_that_is_sent_another_text_cannot_have_the_messages_own() -> None:
    assert submitting(MESSAGE, "casa", "a", 1, has_own_text=False).unanswered == ()


# Taken


def test_parts_and_cost_are_those_of_the_provider_and_the_status_is_its_own(
    harness: Harness,
) -> None:
    message = taken(MESSAGE, harness.account(REFERENCE), TAKEN, Mode.LIVE, 5)
    assert (message.stage, message.status) == (Stage.TAKEN, Status.SENT)
    assert (message.parts, message.cost, message.type) == (
        2,
        Decimal("0.1"),
        MessageType.SMS,
    )
    assert (message.provider_id, message.updated) == ("7", 5)


@pytest.mark.parametrize(
    ("now", "status"), [(2_000_000, Status.QUEUED), (2_000_001, Status.SENT)]
)
def test_what_is_scheduled_at_a_provider_was_not_sent_yet(
    harness: Harness, now: float, status: Status
) -> None:
    scheduled = a_message(a_dispatch(wishes=Wishes(send_at=2_000_000.5)))
    message = taken(scheduled, harness.account(REFERENCE), TAKEN, None, now)
    assert message.status is status


def test_what_was_only_tried_out_was_not_sent_and_cost_nothing(
    harness: Harness,
) -> None:
    message = taken(MESSAGE, harness.account(REFERENCE), TAKEN, Mode.TEST, 5)
    assert (message.stage, message.status) == (Stage.CLOSED, Status.QUEUED)
    assert (message.parts, message.cost) == (0, None)


# What an answer says of a message


@pytest.mark.parametrize("outcome", [TAKEN, AUTH, DOUBT])
def test_a_number_has_the_outcome_that_the_answer_gives_it(outcome: Outcome) -> None:
    result = SendResult(outcomes={NUMBER: outcome, OTHER: CREDIT})
    assert outcome_of(MESSAGE, result) == outcome


def test_a_number_of_which_the_answer_says_nothing_is_in_doubt() -> None:
    result = SendResult(outcomes={OTHER: TAKEN})
    assert outcome_of(MESSAGE, result) == Uncertain(detail="not_in_answer")


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (SendResult(outcomes={}, refusal=CREDIT), CREDIT),
        (SendResult(outcomes={}, doubt=DOUBT), DOUBT),
        (SendResult(outcomes={}), Accepted(provider_id="ref")),
        (
            SendResult(outcomes={}, group_outcomes={NUMBER: BAD_NUMBER, OTHER: TAKEN}),
            Accepted(provider_id="ref"),
        ),
        (
            SendResult(outcomes={}, group_outcomes={NUMBER: BAD_NUMBER, OTHER: DOUBT}),
            Accepted(provider_id="ref"),
        ),
        (
            SendResult(
                outcomes={}, group_outcomes={NUMBER: BAD_NUMBER, OTHER: DUPLICATE}
            ),
            DUPLICATE,
        ),
        (
            SendResult(outcomes={}, group_outcomes={NUMBER: BAD_NUMBER, OTHER: CREDIT}),
            BAD_NUMBER,
        ),
    ],
)
def test_a_group_was_taken_unless_all_of_it_was_refused(
    result: SendResult, outcome: Outcome
) -> None:
    assert outcome_of(GROUP, result) == outcome
