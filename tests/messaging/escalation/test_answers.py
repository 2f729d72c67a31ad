"""Which SMS acknowledge a run."""

from itertools import count

import pytest

from custom_components.sms_italia.messaging import Member, Plan, Run
from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.escalation.answers import (
    answering,
    says_yes,
)
from custom_components.sms_italia.messaging.escalation.model import (
    Availability,
    Progress,
)
from custom_components.sms_italia.messaging.escalation.transitions import (
    advanced,
    begun,
    reported,
)

ANNA = Member(account="casa", recipient="anna")
PLAN = Plan(id="notte", account="casa", name="Notte", members=(ANNA,), wait=300)
NUMBER, OTHER = "+393330000001", "+393330000002"


@pytest.mark.parametrize(
    "text",
    ["ok", "OK!", " Ok. ", "O.K.", "sì", "SÌ", "si\u0300", "si'", "Ricevuto", "yes!",
     "Ok, ricevuto!", "ok 👍"],
)  # fmt: skip
def test_a_yes_is_understood_in_any_case_and_punctuation(text: str) -> None:
    assert says_yes(text)


@pytest.mark.parametrize(
    "text",
    ["", "?", "👍", "no", "Ok, ma non posso", "Sono in riunione, rispondo dopo",
     "Messaggio ricevuto, risponderemo al più presto", "okay", "not ok", "siamo fuori"],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    """An automatic reply must not silence an alarm."""
    assert not says_yes(text)


def a_run(*messages: tuple[str, Progress, float]) -> Run:
    """Return a run that called its member; reports have number, news and moment."""
    run = begun(PLAN, ["Allarme"], 1, Moment(steady=0, wall=0))
    run = advanced(run, 0, lambda *_: Availability.READY, lambda *_: [(0,)], count(1))
    for index, (number, progress, at) in enumerate(messages):
        run = reported(run, 1, index, number, progress, at)
    return run


@pytest.mark.parametrize(
    ("run", "answers"),
    [
        (a_run(), False),
        (a_run((NUMBER, Progress.QUEUED, 0)), False),
        (a_run((NUMBER, Progress.IN_DOUBT, 0)), False),
        (a_run((NUMBER, Progress.OVER, 0)), False),
        (a_run((NUMBER, Progress.ACCEPTED, 10)), True),
        (a_run((NUMBER, Progress.DELIVERED, 10)), True),
        (a_run((NUMBER, Progress.ACCEPTED, 11)), False),
        (a_run((OTHER, Progress.ACCEPTED, 10)), False),
        (a_run((OTHER, Progress.OVER, 1), (NUMBER, Progress.ACCEPTED, 5)), True),
    ],
    ids=["nothing known", "queued", "in doubt", "over", "accepted", "delivered",
         "too late", "another number", "the second number"],
)  # fmt: skip
def test_only_a_number_answers_that_had_a_message_in_time(
    run: Run, *, answers: bool
) -> None:
    assert answering(run, NUMBER, 10) == (ANNA if answers else None)
