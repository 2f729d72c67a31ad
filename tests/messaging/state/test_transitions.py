"""Every transition at every stage: where it leads, and what it changes."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
import inspect
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.sms_italia.messaging import (
    Dispatch,
    Moment,
    Refusal,
)
from custom_components.sms_italia.messaging.compose.dispatch import (
    new_message,
    refused_message,
)
from custom_components.sms_italia.messaging.model import (
    BadTarget,
    Message,
    NumberProblem,
    SendOptions,
    Stage,
)
from custom_components.sms_italia.messaging.state import transitions
from custom_components.sms_italia.messaging.state.transitions import may_follow
from custom_components.sms_italia.providers import (
    Accepted,
    Cause,
    ErrorKind,
    Feature,
    MessageRef,
    MessageType,
    Mode,
    NotSent,
    Report,
    Status,
    Uncertain,
)

from ..helpers import NUMBER, TEXT, a_dispatch, a_message
from .helpers import an_account

NOW = Moment(steady=1_500_000.0, wall=2_000_000.0)
CHANGED = {"updated": NOW.wall, "changed_at": NOW.steady}
CREATED = a_dispatch().created
DUE = 3_000_000.0
"""When a message that is scheduled is due."""

TRACKED = an_account(Feature.DELIVERY_POLL)
UNTRACKED = an_account()
WITH_REFERENCE = an_account(Feature.CLIENT_REFERENCE)

SENT = Accepted(provider_id="8", status=Status.SENT, parts=3, cost=Decimal("0.3"))
DOUBT = Uncertain(detail="http_500")
DOUBT_WITH_ID = Uncertain(detail="http_500", provider_id="8")
REFUSAL = NotSent(kind=ErrorKind.CREDIT, detail="no_credit")

DISPATCH = a_dispatch()
CARRYING = a_message(
    a_dispatch(2),
    stage=Stage.SUBMITTING,
    status=Status.UNCERTAIN,
    last_account="riserva",
    submission="carrying",
    provider_id="9",
    parts=4,
    cost=Decimal("0.4"),
    error=ErrorKind.THROTTLED,
    detail="429",
    type=MessageType.SMS,
    updated=7.0,
    changed_at=8.0,
)
DELIVERED = replace(CARRYING, stage=Stage.CLOSED, status=Status.DELIVERED, error=None)
MEMBER = a_message(a_dispatch(3), parts=2, cost=Decimal("0.2"))


def a_report(status: Status, **details: Any) -> Report:  # noqa: ANN401 - fields of several types
    """Return a report about a message that its provider knows as 8."""
    return Report(ref=MessageRef("8", NUMBER), status=status, **details)


DIAGRAM = (
    (Path(__file__).parents[3] / "docs/development/architecture.md")
    .read_text()
    .partition("```mermaid\nstateDiagram-v2\n")[2]
    .partition("```")[0]
)

EVENTS: Mapping[str, Callable[[Message], Message]] = {
    "held": lambda one: transitions.held(one, 60),
    "released": lambda one: transitions.released(one, NOW),
    "joined": lambda one: transitions.joined(one, CARRYING),
    "shared": lambda one: transitions.shared(one, CARRYING),
    "shared at the end": lambda one: transitions.shared(one, DELIVERED),
    "submitted": lambda one: transitions.submitted(one, TRACKED, "ref", TEXT, NOW),
    "accepted": lambda one: transitions.accepted(one, TRACKED, SENT, None, NOW),
    "accepted, not tracked": (
        lambda one: transitions.accepted(one, UNTRACKED, SENT, None, NOW)
    ),
    "uncertain": lambda one: transitions.uncertain(one, WITH_REFERENCE, DOUBT, NOW),
    "uncertain for ever": lambda one: transitions.uncertain(one, TRACKED, DOUBT, NOW),
    "still_in_doubt": lambda one: transitions.still_in_doubt(one, at(Stage.IN_DOUBT)),
    "interrupted": lambda one: transitions.interrupted(one, NOW),
    "restored": lambda one: transitions.restored(one, NOW),
    "not_repeated": lambda one: transitions.not_repeated(one, NOW),
    "arrived_before": lambda one: transitions.arrived_before(one, NOW),
    "refused": lambda one: transitions.refused(one, REFUSAL, "mare", NOW),
    "requeued": lambda one: transitions.requeued(one, REFUSAL, "mare", 9.0, NOW),
    "scheduled": lambda one: transitions.scheduled(one, NOW),
    "rescheduled": lambda one: transitions.rescheduled(one, NOW),
    "after_start": lambda one: transitions.after_start(one, NOW),
    "never_arrived": lambda one: transitions.never_arrived(one, NOW),
    "expired": lambda one: transitions.expired(one, NOW),
    "cancel_requested": lambda one: transitions.cancel_requested(one, NOW),
    "cancel_refused": lambda one: transitions.cancel_refused(one, NOW),
    "cancelled": lambda one: transitions.cancelled(one, NOW),
    "reported": lambda one: transitions.reported(one, a_report(Status.SENT), NOW),
    "reported at the end": (
        lambda one: transitions.reported(one, a_report(Status.DELIVERED), NOW)
    ),
    "reported for the last time": (
        lambda one: transitions.reported(
            one, a_report(Status.UNCERTAIN, is_last=True), NOW
        )
    ),
    "failed_over": lambda one: transitions.failed_over(one, NOW),
    "no_longer_tracked": transitions.no_longer_tracked,
    "given_up": lambda one: transitions.given_up(one, NOW),
    "divided": lambda one: transitions.divided(one, [MEMBER], NOW),
}
"""Everything that may happen to a message; the first word is the function."""

# What follows at each stage, in the order of the enumeration; "-" is refused.
#                    waiting     held     joined  submitting  accepted  in_doubt closed
TABLE = """
held                 -           -        -       -           -         -         -
released             waiting     waiting  -       waiting     -         waiting   -
joined               -           joined   joined  -           -         -         -
shared               -           joined   joined  -           -         -         -
shared at the end    closed      closed   closed  closed      closed    closed    -
submitted            submitting  -        -       submitting  -         -         -
accepted             -           -        -       accepted    accepted  accepted  -
accepted, not tracked closed     closed   closed  closed      closed    closed    -
uncertain            -           -        -       in_doubt    -         in_doubt  -
uncertain for ever   closed      closed   closed  closed      closed    closed    -
still_in_doubt       -           -        -       in_doubt    -         in_doubt  -
interrupted          -           -        -       in_doubt    -         in_doubt  -
restored             closed      closed   joined  in_doubt    accepted  in_doubt  -
not_repeated         closed      closed   closed  closed      closed    closed    -
arrived_before       closed      closed   closed  closed      closed    closed    -
refused              closed      closed   closed  closed      closed    closed    -
requeued             waiting     waiting  -       waiting     -         waiting   -
scheduled            waiting     waiting  -       waiting     -         waiting   -
rescheduled          waiting     -        joined  submitting  accepted  in_doubt  -
after_start          waiting     -        joined  submitting  accepted  in_doubt  -
never_arrived        waiting     waiting  -       waiting     -         waiting   -
expired              closed      closed   closed  closed      closed    closed    -
cancel_requested     waiting     -        joined  submitting  accepted  in_doubt  -
cancel_refused       waiting     -        joined  submitting  accepted  in_doubt  -
cancelled            closed      closed   closed  closed      closed    closed    -
reported             -           -        -       accepted    accepted  accepted  -
reported at the end  closed      closed   closed  closed      closed    closed    -
reported for the last time closed closed  closed  closed      closed    closed    -
failed_over          waiting     waiting  -       waiting     waiting   waiting   -
no_longer_tracked    closed      closed   closed  closed      closed    closed    -
given_up             closed      closed   closed  closed      closed    closed    -
divided              closed      closed   closed  closed      -         closed    -
"""

EXPECTED = {
    " ".join(words[: -len(Stage)]): words[-len(Stage) :]
    for words in map(str.split, TABLE.strip().splitlines())
}


def at(stage: Stage) -> Message:
    """Return a message at a stage, with the status that it usually has there."""
    status = {
        Stage.ACCEPTED: Status.SENT,
        Stage.IN_DOUBT: Status.UNCERTAIN,
        Stage.CLOSED: Status.UNCERTAIN,
    }.get(stage, Status.QUEUED)
    return a_message(
        DISPATCH,
        stage=stage,
        status=status,
        last_account="riserva",
        submission="before",
        provider_id="7",
        parts=2,
        cost=Decimal("0.2"),
        error=ErrorKind.THROTTLED,
        detail="before",
        attempt_at=5.0,
        type=MessageType.PUSH,
        unanswered=("riserva",),
    )


def changes(before: Message, after: Message) -> dict[str, object]:
    """Return the fields that are different, with their new values."""
    assert after.revision == before.revision + 1
    return {
        one.name: getattr(after, one.name)
        for one in fields(Message)
        if one.compare and getattr(before, one.name) != getattr(after, one.name)
    }


def function_of(event: str) -> str:
    """Return the name of the function that an event calls."""
    return event.partition(",")[0].partition(" ")[0]


def test_every_transition_is_in_the_table() -> None:
    public = {
        name
        for name, function in inspect.getmembers(transitions, inspect.isfunction)
        if function.__module__ == transitions.__name__ and not name.startswith("_")
    }
    assert set(map(function_of, EVENTS)) == public - {"may_follow"}
    assert EXPECTED.keys() == EVENTS.keys()


def result(event: str, stage: Stage) -> str:
    """Return the stage that an event leads to from another one, "-" if nowhere."""
    before = at(stage)
    after = EVENTS[event](before)
    return str(after.stage) if may_follow(before, after) else "-"


@pytest.mark.parametrize("event", EVENTS)
def test_a_transition_leads_where_the_table_says_or_is_refused(event: str) -> None:
    assert [result(event, stage) for stage in Stage] == EXPECTED[event]


# The diagram

ARROWS: tuple[tuple[str, str, str], ...] = tuple(
    (match["begin"], match["end"], match["names"] or "")
    for match in re.finditer(
        r"^    (?P<begin>\S+) --> (?P<end>[^\s:]+)(?:: (?P<names>.+))?$",
        DIAGRAM,
        re.MULTILINE,
    )
)


def test_the_diagram_has_the_arrows_of_the_code_and_every_line_is_one() -> None:
    assert len(ARROWS) == len(DIAGRAM.splitlines())
    drawn = [arrow[:2] for arrow in ARROWS if "[*]" not in arrow]
    assert sorted(drawn) == sorted(
        (begin, end)
        for begin, following in transitions.FOLLOWING.items()
        for end in following
    )
    assert [arrow for arrow in ARROWS if "[*]" in arrow] == [
        ("[*]", "waiting", "new_message"),
        ("[*]", "held", "held"),
        ("[*]", "closed", "refused_message"),
        ("closed", "[*]", ""),
    ]
    new = new_message(DISPATCH, 1, NUMBER, None, NOW)
    assert new.stage is Stage.WAITING
    assert EVENTS["held"](new).stage is Stage.HELD
    target = BadTarget(given="zia", problem=NumberProblem.INVALID)
    refused = refused_message(DISPATCH, 1, (target, Refusal.INVALID_NUMBER), NOW)
    assert refused.stage is Stage.CLOSED


def test_the_names_in_the_diagram_are_of_functions_that_lead_along_the_arrow() -> None:
    leading = {
        (stage, end, function_of(event))
        for event, ends in EXPECTED.items()
        for stage, end in zip(Stage, ends, strict=True)
    }
    drawn = {
        (begin, end, name)
        for begin, end, names in ARROWS
        for name in names.split(", ")
        if "[*]" not in {begin, end}
    }
    assert drawn <= leading
    assert {name for *_, name in drawn} | {"held"} == set(map(function_of, EVENTS))


# The status


@pytest.mark.parametrize(
    ("old", "allowed"),
    [
        (Status.QUEUED, set(Status)),
        (Status.SENT, set(Status) - {Status.QUEUED}),
        (Status.UNCERTAIN, set(Status) - {Status.QUEUED, Status.SENT}),
    ],
)
@pytest.mark.parametrize("new", Status)
def test_once_accepted_a_status_never_moves_back(
    old: Status, allowed: set[Status], new: Status
) -> None:
    before = replace(at(Stage.ACCEPTED), status=old)
    for stage in (Stage.ACCEPTED, Stage.CLOSED):
        after = replace(before, status=new, stage=stage)
        assert may_follow(before, after) is (new in allowed)


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", Status)
def test_once_accepted_a_message_waits_again_for_a_failover_alone(
    old: Status, new: Status
) -> None:
    before = replace(at(Stage.ACCEPTED), status=old)
    after = replace(before, status=new, stage=Stage.WAITING)
    assert not may_follow(before, after)
    on_to_the_next = replace(after, failed_over_from=before.last_account)
    assert may_follow(before, on_to_the_next) is (not old.is_final or new is old)


@pytest.mark.parametrize("stage", [one for one in Stage if one is not Stage.CLOSED])
def test_a_final_status_stays_at_every_stage(stage: Stage) -> None:
    for old in (Status.DELIVERED, Status.FAILED, Status.EXPIRED):
        before = replace(at(stage), status=old)
        closed = replace(before, stage=Stage.CLOSED)
        follow = {
            one for one in Status if may_follow(before, replace(closed, status=one))
        }
        assert follow == {old}


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.SUBMITTING, Stage.IN_DOUBT])
@pytest.mark.parametrize("new", Status)
def test_until_it_is_accepted_a_message_may_have_any_status_next(
    stage: Stage, new: Status
) -> None:
    before = replace(at(stage), status=Status.UNCERTAIN)
    assert may_follow(before, replace(before, status=new))


@pytest.mark.parametrize("old", Status)
def test_nothing_follows_the_end(old: Status) -> None:
    before = replace(at(Stage.CLOSED), status=old)
    assert not any(
        may_follow(before, replace(before, status=status, stage=stage))
        for status in Status
        for stage in Stage
    )


# What each changes; all else stays as it is


def test_a_held_message_waits_for_the_moment_it_is_joined() -> None:
    before = at(Stage.WAITING)
    assert changes(before, EVENTS["held"](before)) == {
        "stage": Stage.HELD,
        "attempt_at": 60,
    }


def test_a_released_message_is_due_at_once() -> None:
    before = at(Stage.HELD)
    assert changes(before, EVENTS["released"](before)) == {
        "stage": Stage.WAITING,
        "attempt_at": NOW.steady,
        **CHANGED,
    }


def test_a_joined_message_has_no_parts_of_its_own() -> None:
    before = at(Stage.HELD)
    assert changes(before, EVENTS["joined"](before)) == {
        "stage": Stage.JOINED,
        "joined_in": CARRYING.id,
        "parts": 0,
        "attempt_at": None,
        "updated": CARRYING.updated,
        "changed_at": CARRYING.changed_at,
    }


def test_a_joined_message_shares_all_but_what_would_count_twice() -> None:
    before = replace(EVENTS["joined"](at(Stage.HELD)), last_account=None)
    shared = EVENTS["shared"](before)
    assert changes(before, shared) == {
        "status": Status.UNCERTAIN,
        "last_account": "riserva",
        "detail": "429",
        "type": MessageType.SMS,
    }
    assert changes(shared, EVENTS["shared at the end"](shared)) == {
        "status": Status.DELIVERED,
        "stage": Stage.CLOSED,
        "error": None,
    }


def test_a_submitted_message_belongs_to_the_request_and_to_none_before() -> None:
    before = at(Stage.WAITING)
    assert changes(before, EVENTS["submitted"](before)) == {
        "stage": Stage.SUBMITTING,
        "last_account": "casa",
        "submission": "ref",
        "provider_id": None,
        "attempt_at": None,
        "attempts": 1,
        **CHANGED,
        "unanswered": ("riserva", "casa"),
    }


def test_an_account_that_gets_the_text_again_is_unanswered_once() -> None:
    first = EVENTS["submitted"](at(Stage.WAITING))
    again = transitions.submitted(first, TRACKED, "again", TEXT, NOW)
    assert again.unanswered == first.unanswered
    assert again.submission == "again"


def test_a_text_that_is_not_its_own_stays_with_a_message() -> None:
    before = at(Stage.WAITING)
    marked = transitions.submitted(before, TRACKED, "ref", f"{TEXT} 12:00:00", NOW)
    assert marked.text == f"{TEXT} 12:00:00"
    again = transitions.submitted(marked, TRACKED, "again", marked.text, NOW)
    assert again.text == marked.text


def test_an_accepted_message_has_the_parts_and_the_cost_of_its_provider() -> None:
    before = at(Stage.SUBMITTING)
    assert changes(before, EVENTS["accepted"](before)) == {
        "stage": Stage.ACCEPTED,
        "status": Status.SENT,
        "provider_id": "8",
        "parts": 3,
        "cost": Decimal("0.3"),
        "type": MessageType.SMS,
        "error": None,
        "detail": None,
        **CHANGED,
        "unanswered": (),
    }


def test_parts_that_no_provider_reports_are_our_own_and_a_cost_is_not_known() -> None:
    bare = Accepted(provider_id=None)
    message = transitions.accepted(at(Stage.SUBMITTING), TRACKED, bare, None, NOW)
    assert (message.status, message.provider_id) == (Status.QUEUED, None)
    assert (message.parts, message.cost) == (2, None)


def test_a_push_has_no_parts() -> None:
    push = replace(SENT, type=MessageType.PUSH)
    message = transitions.accepted(at(Stage.SUBMITTING), TRACKED, push, None, NOW)
    assert (message.parts, message.cost) == (0, Decimal("0.3"))
    assert message.type is MessageType.PUSH


def test_a_test_was_not_sent_and_cost_nothing() -> None:
    before = at(Stage.SUBMITTING)
    message = transitions.accepted(before, TRACKED, SENT, Mode.TEST, NOW)
    assert (message.stage, message.status) == (Stage.CLOSED, Status.QUEUED)
    assert (message.parts, message.cost) == (0, None)


@pytest.mark.parametrize(
    ("now", "features", "stage", "status"),
    [
        (DUE - 1, {Feature.DELIVERY_POLL}, Stage.ACCEPTED, Status.QUEUED),
        (DUE, {Feature.DELIVERY_POLL}, Stage.ACCEPTED, Status.SENT),
        # It stays open as long as it can be cancelled, also where nobody reports.
        (DUE - 1, {Feature.CANCEL}, Stage.ACCEPTED, Status.QUEUED),
        (DUE, {Feature.CANCEL}, Stage.CLOSED, Status.SENT),
        (DUE - 1, set(), Stage.CLOSED, Status.QUEUED),
    ],
)
def test_what_is_scheduled_at_a_provider_was_not_sent_yet(
    now: float, features: set[Feature], stage: Stage, status: Status
) -> None:
    scheduled = replace(
        at(Stage.SUBMITTING),
        dispatch=replace(DISPATCH, due=DUE),
    )
    message = transitions.accepted(
        scheduled, an_account(*features), SENT, Mode.LIVE, replace(NOW, steady=now)
    )
    assert (message.stage, message.status) == (stage, status)


def test_an_uncertain_message_keeps_its_parts_and_who_may_have_it() -> None:
    before = replace(at(Stage.SUBMITTING), provider_id=None)
    after = transitions.uncertain(before, WITH_REFERENCE, DOUBT_WITH_ID, NOW)
    assert changes(before, after) == {
        "stage": Stage.IN_DOUBT,
        "status": Status.UNCERTAIN,
        "provider_id": "8",
        "error": None,
        "detail": "http_500",
        **CHANGED,
    }


@pytest.mark.parametrize(
    ("features", "outcome", "stage"),
    [
        ({Feature.CLIENT_REFERENCE}, DOUBT, Stage.IN_DOUBT),
        ({Feature.DELIVERY_POLL}, DOUBT_WITH_ID, Stage.IN_DOUBT),
        ({Feature.DELIVERY_POLL}, DOUBT, Stage.CLOSED),
        (set(), DOUBT_WITH_ID, Stage.CLOSED),
    ],
)
def test_a_doubt_is_open_as_long_as_the_provider_can_settle_it(
    features: set[Feature], outcome: Uncertain, stage: Stage
) -> None:
    account = an_account(*features)
    message = transitions.uncertain(at(Stage.SUBMITTING), account, outcome, NOW)
    assert message.stage is stage
    assert message.status is Status.UNCERTAIN


def test_a_doubt_about_a_test_is_closed() -> None:
    test = replace(
        at(Stage.SUBMITTING),
        dispatch=replace(DISPATCH, options=SendOptions(mode=Mode.TEST)),
    )
    assert EVENTS["uncertain"](test).stage is Stage.CLOSED


def test_a_message_still_in_doubt_is_as_it_was_before_others_refused_it() -> None:
    doubt = at(Stage.IN_DOUBT)
    again = transitions.submitted(doubt, TRACKED, "later", TEXT, NOW)
    last = transitions.submitted(again, TRACKED, "last", TEXT, NOW)
    still = transitions.still_in_doubt(last, doubt)
    assert still == doubt
    assert may_follow(last, still)
    assert not may_follow(last, doubt)


def test_of_two_who_settle_a_doubt_the_second_undoes_nothing_that_followed() -> None:
    doubt = at(Stage.IN_DOUBT)
    again = transitions.never_arrived(doubt, NOW)
    sent = transitions.submitted(again, TRACKED, "again", TEXT, NOW)
    assert may_follow(again, transitions.never_arrived(doubt, NOW))
    assert not may_follow(sent, transitions.never_arrived(doubt, NOW))


def test_an_interrupted_message_is_in_doubt_and_says_why() -> None:
    before = at(Stage.SUBMITTING)
    assert changes(before, EVENTS["interrupted"](before)) == {
        "status": Status.UNCERTAIN,
        "stage": Stage.IN_DOUBT,
        "detail": "interrupted",
        **CHANGED,
    }


def test_a_restored_message_that_waited_is_uncertain_for_ever() -> None:
    for stage in (Stage.WAITING, Stage.HELD):
        before = at(stage)
        assert changes(before, transitions.restored(before, NOW)) == {
            "stage": Stage.CLOSED,
            "status": Status.UNCERTAIN,
            "last_account": None,
            "submission": None,
            "error": None,
            "detail": "restored",
            "attempt_at": None,
            **CHANGED,
        }


@pytest.mark.parametrize("stage", [Stage.SUBMITTING, Stage.ACCEPTED, Stage.IN_DOUBT])
def test_a_restored_message_that_was_submitted_never_waits_again(stage: Stage) -> None:
    before = transitions.restored(at(stage), NOW)
    leading_back = {
        event
        for event in EVENTS
        if EVENTS[event](before).stage is Stage.WAITING
        and may_follow(before, EVENTS[event](before))
    }
    assert leading_back == set()
    assert may_follow(before, EVENTS["reported at the end"](before))


def test_what_is_not_repeated_keeps_the_account_that_it_may_have_cost() -> None:
    before = at(Stage.IN_DOUBT)
    assert changes(before, EVENTS["not_repeated"](before)) == {
        "stage": Stage.CLOSED,
        "error": None,
        "detail": "restored",
        **CHANGED,
    }


def test_a_repeat_of_what_arrived_before_is_sent_and_no_error() -> None:
    before = at(Stage.SUBMITTING)
    assert changes(before, EVENTS["arrived_before"](before)) == {
        "stage": Stage.CLOSED,
        "status": Status.SENT,
        "error": None,
        "detail": "duplicate_of_doubt",
        **CHANGED,
    }


def test_a_refused_message_says_who_refused_it_and_why() -> None:
    before = at(Stage.SUBMITTING)
    assert changes(before, EVENTS["refused"](before)) == {
        "status": Status.FAILED,
        "stage": Stage.CLOSED,
        "last_account": "mare",
        "submission": None,
        "error": ErrorKind.CREDIT,
        "detail": "no_credit",
        **CHANGED,
    }


def test_a_requeued_message_says_why_and_when_it_is_tried_again() -> None:
    before = at(Stage.SUBMITTING)
    assert changes(before, EVENTS["requeued"](before)) == {
        "stage": Stage.WAITING,
        "last_account": "mare",
        "submission": None,
        "error": ErrorKind.CREDIT,
        "detail": "no_credit",
        "attempt_at": 9.0,
        **CHANGED,
    }


def test_our_own_cause_says_more_than_the_providers_detail() -> None:
    refusal = replace(REFUSAL, cause=Cause.PICTURE)
    before = at(Stage.SUBMITTING)
    assert transitions.refused(before, refusal, None, NOW).detail == Cause.PICTURE
    waiting = transitions.requeued(before, refusal, None, 9.0, NOW)
    assert waiting.detail == Cause.PICTURE


def test_a_refusal_of_no_account_leaves_the_last_one() -> None:
    before = at(Stage.SUBMITTING)
    assert transitions.refused(before, REFUSAL, None, NOW).last_account == "riserva"


def test_a_scheduled_message_waits_here_for_its_moment() -> None:
    before = replace(at(Stage.WAITING), dispatch=for_later(60))
    assert changes(before, EVENTS["scheduled"](before)) == {
        "dispatch": replace(
            before.dispatch, due=NOW.steady + 60, expires=NOW.steady + 90
        ),
        "submission": None,
        "detail": "scheduled",
        "attempt_at": NOW.steady + 60,
        **CHANGED,
    }


def for_later(seconds: float) -> Dispatch:
    """Return a dispatch for so many seconds after NOW, by a clock that was wrong."""
    options = SendOptions(send_at=NOW.wall + seconds)
    return replace(DISPATCH, options=options, due=DUE, expires=DUE + 30)


@pytest.mark.parametrize(("seconds", "due"), [(60, 60), (0, 0), (-60, 0)])
@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.ACCEPTED, Stage.IN_DOUBT])
def test_a_message_for_later_follows_the_clock_that_was_set(
    stage: Stage, seconds: float, due: float
) -> None:
    dispatch = for_later(seconds)
    before = replace(at(stage), dispatch=dispatch, attempt_at=DUE)
    assert changes(before, EVENTS["rescheduled"](before)) == {
        "dispatch": replace(
            dispatch, due=NOW.steady + due, expires=NOW.steady + due + 30
        ),
        "attempt_at": NOW.steady + due,
    }


def test_what_waits_for_something_else_than_its_time_goes_on_waiting_for_that() -> None:
    before = replace(at(Stage.WAITING), dispatch=for_later(60), attempt_at=7.0)
    assert EVENTS["rescheduled"](before).attempt_at == 7.0


DAY = 86_400


@pytest.mark.parametrize(
    ("stage", "attempts", "age", "expires"),
    [
        (Stage.WAITING, 0, DAY, DAY),
        (Stage.HELD, 0, DAY, DAY),
        (Stage.WAITING, 0, DAY + 1, 30),
        (Stage.WAITING, 1, 60, 30),
        (Stage.ACCEPTED, 0, 60, 30),
    ],
)
def test_what_was_never_tried_gets_a_try_after_a_start_if_it_is_a_day_old_at_most(
    stage: Stage, attempts: int, age: float, expires: float
) -> None:
    due = NOW.steady - age
    dispatch = replace(DISPATCH, due=due, expires=due + 30)
    before = replace(at(stage), dispatch=dispatch, attempts=attempts)
    assert EVENTS["after_start"](before).expires == due + expires


def test_the_try_after_a_start_is_one() -> None:
    due = NOW.steady - 60
    dispatch = replace(DISPATCH, due=due, expires=due + 30)
    after = EVENTS["after_start"](replace(at(Stage.WAITING), dispatch=dispatch))
    assert EVENTS["submitted"](after).expires == dispatch.expires


def test_a_try_after_a_start_makes_no_message_expire_before_its_time() -> None:
    dispatch = replace(DISPATCH, due=NOW.steady, expires=NOW.steady + 2 * DAY)
    after = EVENTS["after_start"](replace(at(Stage.WAITING), dispatch=dispatch))
    assert after.expires == dispatch.expires


def test_a_message_that_never_arrived_is_sent_again_at_once() -> None:
    before = at(Stage.IN_DOUBT)
    assert changes(before, EVENTS["never_arrived"](before)) == {
        "status": Status.QUEUED,
        "stage": Stage.WAITING,
        "submission": None,
        "provider_id": None,
        "detail": None,
        "attempt_at": NOW.steady,
        **CHANGED,
    }


def test_a_message_that_failed_over_waits_for_the_accounts_behind() -> None:
    """With the cost of the first one, until another accepts it."""
    before = at(Stage.CLOSED)
    assert changes(before, EVENTS["failed_over"](before)) == {
        "status": Status.QUEUED,
        "stage": Stage.WAITING,
        "failed_over_from": "riserva",
        "submission": None,
        "provider_id": None,
        "parts": DISPATCH.parts,
        "type": None,
        "attempt_at": NOW.steady,
        **CHANGED,
    }


def test_an_accepted_message_waits_again_for_a_failover_alone() -> None:
    before = at(Stage.ACCEPTED)
    waiting = replace(before, stage=Stage.WAITING, status=Status.QUEUED)
    assert not may_follow(before, waiting)
    again = replace(waiting, failed_over_from="riserva")
    assert may_follow(before, again)
    assert not may_follow(replace(before, failed_over_from="riserva"), again)


def test_an_expired_message_keeps_the_error_that_it_waited_for() -> None:
    before = at(Stage.WAITING)
    assert changes(before, EVENTS["expired"](before)) == {
        "status": Status.EXPIRED,
        "stage": Stage.CLOSED,
        "attempt_at": None,
        **CHANGED,
    }
    untried = replace(before, error=None)
    assert EVENTS["expired"](untried).error is ErrorKind.UNAVAILABLE


def test_a_request_to_cancel_is_an_error_until_it_is_refused() -> None:
    before = at(Stage.ACCEPTED)
    requested = EVENTS["cancel_requested"](before)
    assert changes(before, requested) == {"error": ErrorKind.CANCELLED, **CHANGED}
    refused = transitions.cancel_refused(requested, NOW)
    assert changes(requested, refused) == {"error": None}


def test_a_cancelled_message_has_failed_and_keeps_what_it_cost() -> None:
    before = at(Stage.ACCEPTED)
    assert changes(before, EVENTS["cancelled"](before)) == {
        "status": Status.FAILED,
        "stage": Stage.CLOSED,
        "error": ErrorKind.CANCELLED,
        "detail": None,
        "attempt_at": None,
        **CHANGED,
    }


def test_a_report_says_status_parts_cost_and_type() -> None:
    before = at(Stage.ACCEPTED)
    report = a_report(
        Status.DELIVERED,
        parts=3,
        cost=Decimal("0.3"),
        detail="ok",
        type=MessageType.SMS,
    )
    assert changes(before, transitions.reported(before, report, NOW)) == {
        "provider_id": "8",
        "status": Status.DELIVERED,
        "stage": Stage.CLOSED,
        "parts": 3,
        "cost": Decimal("0.3"),
        "error": None,
        "detail": "ok",
        "type": MessageType.SMS,
        **CHANGED,
    }


@pytest.mark.parametrize(
    ("reported_at", "updated"),
    [
        (NOW.wall - 1, NOW.wall - 1),
        (NOW.wall + 60, NOW.wall),
        (0, CREATED),
        (None, NOW.wall),
    ],
)
def test_an_end_has_the_time_that_the_provider_gives_it(
    reported_at: float | None, updated: float
) -> None:
    """Within what is possible: its clock is not ours."""
    before = at(Stage.ACCEPTED)
    end = Report(
        ref=MessageRef("8", before.number),
        status=Status.DELIVERED,
        at=None if reported_at is None else datetime.fromtimestamp(reported_at, UTC),
    )
    assert transitions.reported(before, end, NOW).updated == updated
    sent = replace(end, status=Status.SENT)
    assert transitions.reported(before, sent, NOW).updated == NOW.wall


def test_what_a_report_does_not_say_stays_known() -> None:
    before = replace(at(Stage.ACCEPTED), type=MessageType.SMS)
    assert changes(before, EVENTS["reported"](before)) == {
        "provider_id": "8",
        "error": None,
        "detail": None,
        **CHANGED,
    }


@pytest.mark.parametrize("known", [None, MessageType.PUSH])
def test_a_message_reported_as_push_has_no_parts(known: MessageType | None) -> None:
    before = replace(at(Stage.ACCEPTED), type=known)
    reported_type = None if known else MessageType.PUSH
    report = a_report(Status.SENT, parts=3, type=reported_type)
    message = transitions.reported(before, report, NOW)
    assert (message.parts, message.type) == (0, MessageType.PUSH)


@pytest.mark.parametrize("status", Status)
def test_a_cancellation_is_the_error_until_the_message_was_sent_after_all(
    status: Status,
) -> None:
    before = EVENTS["cancel_requested"](at(Stage.ACCEPTED))
    message = transitions.reported(before, a_report(status), NOW)
    was_sent = status in {Status.SENT, Status.DELIVERED, Status.EXPIRED}
    assert message.error is (None if was_sent else ErrorKind.CANCELLED)


def test_a_message_no_longer_tracked_stays_what_was_last_known() -> None:
    before = at(Stage.ACCEPTED)
    assert changes(before, EVENTS["no_longer_tracked"](before)) == {
        "stage": Stage.CLOSED
    }


def test_a_message_given_up_is_uncertain() -> None:
    before = at(Stage.ACCEPTED)
    assert changes(before, EVENTS["given_up"](before)) == {
        "status": Status.UNCERTAIN,
        "stage": Stage.CLOSED,
        **CHANGED,
    }


def test_a_divided_group_has_the_parts_and_the_cost_of_what_was_sent() -> None:
    members = [
        MEMBER,
        replace(MEMBER, cost=None, status=Status.UNCERTAIN),
        replace(MEMBER, status=Status.FAILED),
    ]
    before = replace(at(Stage.IN_DOUBT), submission="ref")
    assert changes(before, transitions.divided(before, members, NOW)) == {
        "stage": Stage.CLOSED,
        "status": Status.QUEUED,
        "provider_id": "ref",
        "parts": 4,
        "error": None,
        "detail": None,
        **CHANGED,
    }
    assert transitions.divided(before, members, NOW).cost == Decimal("0.2")


def test_a_group_whose_numbers_nobody_knows_keeps_its_parts_and_has_no_cost() -> None:
    message = transitions.divided(at(Stage.SUBMITTING), [], NOW)
    assert (message.parts, message.cost) == (2, None)
    unpaid = [replace(MEMBER, cost=None)]
    message = transitions.divided(at(Stage.SUBMITTING), unpaid, NOW)
    assert (message.parts, message.cost) == (2, None)
