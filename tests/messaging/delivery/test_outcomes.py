"""What happens to a message on its way along its route, and what an answer says."""

from dataclasses import replace
from decimal import Decimal

import pytest

from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.delivery.context import Pending
from custom_components.sms_italia.messaging.delivery.outcomes import (
    Settlement,
    outcome_of,
)
from custom_components.sms_italia.messaging.ledger import Ledger, LedgerClosedError
from custom_components.sms_italia.messaging.model import Stage, group_address
from custom_components.sms_italia.providers import (
    Accepted,
    ErrorKind,
    NotSent,
    Outcome,
    SendResult,
    Status,
    Uncertain,
)

from ..fake import REFERENCE
from ..helpers import NUMBER, OTHER, STILL, Harness, a_dispatch, a_message
from .context import a_context

ACCEPTED = Accepted(provider_id="7", status=Status.SENT, parts=2, cost=Decimal("0.1"))
AUTH = NotSent(kind=ErrorKind.AUTH)
CREDIT = NotSent(kind=ErrorKind.CREDIT)
BAD_NUMBER = NotSent(kind=ErrorKind.RECIPIENT)
DUPLICATE = NotSent(kind=ErrorKind.DUPLICATE)
THROTTLED = NotSent(kind=ErrorKind.THROTTLED)
DOUBT = Uncertain(detail="http_500")

MESSAGE = a_message(a_dispatch())
GROUP = a_message(a_dispatch(), number=group_address("7"), submission="ref")


def test_the_first_refusal_stays_with_the_account_that_gave_it() -> None:
    pending = Pending(MESSAGE)
    pending.refused("casa", AUTH)
    pending.refused("riserva", CREDIT)
    assert (pending.refusal, pending.refused_by) == (AUTH, "casa")


def test_a_message_that_may_still_be_accepted_says_what_it_waits_for() -> None:
    pending = Pending(MESSAGE)
    pending.refused("casa", BAD_NUMBER)
    pending.refused("riserva", THROTTLED, 10)
    pending.refused("terzo", AUTH, 5)
    assert (pending.refusal, pending.refused_by) == (THROTTLED, "riserva")
    assert pending.retry_at == 5


@pytest.mark.parametrize("moments", [(10, 20), (20, 10), (0, 10)])
def test_a_message_is_tried_again_when_the_first_account_may_accept_it(
    moments: tuple[float, float],
) -> None:
    pending = Pending(MESSAGE)
    for account, moment in zip(("casa", "riserva"), moments, strict=True):
        pending.refused(account, THROTTLED, moment)
    assert pending.retry_at == min(moments)


def test_only_the_last_account_can_have_called_a_message_a_duplicate() -> None:
    pending = Pending(MESSAGE)
    pending.refused("casa", DUPLICATE)
    assert pending.is_duplicate
    pending.refused("riserva", AUTH)
    assert not pending.is_duplicate


@pytest.mark.parametrize("kind", ErrorKind)
def test_what_is_said_of_the_marked_text_replaces_the_refusal_of_the_repeat(
    kind: ErrorKind,
) -> None:
    """Of the same account; a refusal of another one was not for the repeat."""
    pending, answer = Pending(MESSAGE), NotSent(kind=kind)
    pending.refused("casa", DUPLICATE)
    pending.refused("casa", answer)
    assert (pending.refusal, pending.refused_by) == (answer, "casa")

    pending = Pending(MESSAGE)
    pending.refused("casa", DUPLICATE)
    pending.refused("riserva", answer)
    assert (pending.refusal, pending.refused_by) == (DUPLICATE, "casa")


@pytest.mark.parametrize("outcome", [ACCEPTED, AUTH, DOUBT])
def test_a_number_has_the_outcome_that_the_answer_gives_it(outcome: Outcome) -> None:
    result = SendResult(outcomes={NUMBER: outcome, OTHER: CREDIT})
    assert outcome_of(MESSAGE, result) == outcome


def test_a_number_of_which_the_answer_says_nothing_is_in_doubt() -> None:
    result = SendResult(outcomes={OTHER: ACCEPTED})
    assert outcome_of(MESSAGE, result) == Uncertain(detail="not_in_answer")


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (SendResult(outcomes={}, refusal=CREDIT), CREDIT),
        (SendResult(outcomes={}, doubt=DOUBT), DOUBT),
        (SendResult(outcomes={}), Accepted(provider_id="ref")),
        (
            SendResult(
                outcomes={}, group_outcomes={NUMBER: BAD_NUMBER, OTHER: ACCEPTED}
            ),
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
def test_a_group_is_accepted_unless_all_of_it_is_refused(
    result: SendResult, outcome: Outcome
) -> None:
    assert outcome_of(GROUP, result) == outcome


async def test_no_fault_of_the_ledger_changes_what_was_accepted(
    harness: Harness,
) -> None:
    """It is asked whether a duplicate arrived before, and may be closed by then."""
    clock = harness.time.clock()
    ledger = Ledger(harness.ledger, harness.troubles.append, clock)
    await ledger.open(clock.today())
    context = a_context(Accounts(lambda _: False), ledger, clock, STILL)
    account = harness.account(REFERENCE, name="casa")
    closed = Ledger(harness.folder / "closed.db", harness.troubles.append, clock)
    settlement = Settlement(
        context=replace(context, ledger=closed),
        account=account,
        requested=account,
    )
    on_the_wire = {"stage": Stage.SUBMITTING, "unanswered": ("casa",)}
    repeat, new = messages = [
        a_message(a_dispatch(), index, number=number, **on_the_wire)
        for index, number in ((1, NUMBER), (2, OTHER))
    ]
    context.open_messages.add(messages)
    outcomes = (DUPLICATE, ACCEPTED)
    result = SendResult(outcomes=dict(zip((NUMBER, OTHER), outcomes, strict=True)))
    with pytest.raises(LedgerClosedError):
        await settlement.apply([Pending(repeat), Pending(new)], outcomes, result)
    known = context.open_messages.get(new.id)
    await ledger.close()
    assert known is not None
    assert (known.stage, known.provider_id) == (Stage.ACCEPTED, "7")
