"""Runs as the ledger keeps them."""

from dataclasses import replace
from itertools import count
import json

import pytest

from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.escalation.model import (
    Acknowledgement,
    Availability,
    Member,
    Plan,
    Progress,
    Run,
    Until,
    Way,
)
from custom_components.sms_italia.messaging.escalation.storage import (
    from_record,
    to_record,
)
from custom_components.sms_italia.messaging.escalation.transitions import (
    acknowledged,
    advanced,
    begun,
    joined,
    reported,
)

ANNA = Member(account="casa", recipient="anna")
PLAN = Plan(
    id="notte",
    account="casa",
    name="Notte",
    members=(ANNA, Member(account="ufficio", recipient="bruno")),
    wait=300,
    rounds=2,
    until=Until.DELIVERED,
    quiet=60,
    note="{who} se ne occupa",
    note_of_delivery="arrivato a {who}",
)


def a_run() -> Run:
    """Return a run with all that a run can have."""
    ids = count(1)
    run = begun(PLAN, ["Allarme: è aperta", "fumo"], 7, Moment(steady=1, wall=2), "u")
    run = advanced(run, 1, lambda *_: Availability.READY, lambda *_: [(0,), (1,)], ids)
    run = reported(run, 1, 10, "+393330000001", Progress.ACCEPTED, 1)
    run = joined(run, "acqua", ids, "u")
    by = Acknowledgement(way=Way.ANSWER, who="Anna", read_until=2, member=ANNA)
    return replace(acknowledged(run, by, 3, ids), notes=run.calls, merged=(5, 6))


def test_a_run_comes_back_as_it_was_but_for_its_messages() -> None:
    run = a_run()
    back = from_record(to_record(run))
    messages = {10: run.calls[0].copies[0].messages[10]}
    for calls in (back.calls, back.notes):
        assert not calls[0].copies[0].messages
    first = replace(back.calls[0].copies[0], messages=messages)
    calls = (replace(back.calls[0], copies=(first, *back.calls[0].copies[1:])),)
    assert replace(back, calls=calls, notes=calls) == run


def test_a_record_without_what_newer_releases_write_is_read() -> None:
    record = to_record(a_run())
    state = json.loads(record.state)
    del state["merged"]
    for call in (*state["calls"], *state["notes"]):
        for copy in call["copies"]:
            del copy["accepted_at"]
    run = from_record(replace(record, state=json.dumps(state)))
    assert run.merged == ()
    assert all(not copy.accepted_at for copy in run.copies)


def test_a_run_without_an_end_comes_back_too() -> None:
    run = begun(PLAN, ["fumo"], 7, Moment(steady=1, wall=2))
    assert from_record(to_record(run)) == run


def test_the_record_says_whose_it_is_and_when_it_ended() -> None:
    record = to_record(a_run())
    assert (record.id, record.account, record.escalation) == (7, "casa", "notte")
    assert record.ended == 3
    assert "Allarme" not in repr(record)


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"plan": 1}'])
def test_what_is_no_run_is_refused(state: str) -> None:
    record = replace(to_record(a_run()), state=state)
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_record(record)
