"""What requests and probes say of an account, and for how long that counts."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import override

import pytest

from custom_components.sms_italia.messaging import Timing
from custom_components.sms_italia.messaging.health import (
    AccountHealth,
    Condition,
    HealthRegistry,
)
from custom_components.sms_italia.messaging.health.admission import (
    SUSPECT,
    OpenRequest,
)
from custom_components.sms_italia.messaging.health.health import Sending
from custom_components.sms_italia.providers import (
    Accepted,
    Cause,
    ErrorKind,
    NotSent,
    Outcome,
    Uncertain,
)

from ..helpers import Time

TIMING = Timing()
ACCEPTED = Accepted(provider_id="7")
DOUBT = Uncertain(detail="http_500")
UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)
THROTTLED = NotSent(kind=ErrorKind.THROTTLED)
UNFIT = NotSent(kind=ErrorKind.REFUSED, cause=Cause.UNSUPPORTED)
HOUR = 3600


class Stopped(Time):
    """A time that moves only by hand."""

    @override
    def now(self) -> float:
        return self.shift

    @override
    def steady(self) -> float:
        return self.passed


class Line:
    """Requests to one account, made and ended by hand."""

    def __init__(self) -> None:
        """Start healthy."""
        self.time = Stopped()
        self.clock = self.time.clock()
        self.changes: list[Condition] = []
        self.health = AccountHealth(self.clock, TIMING, self._note)
        self._open: dict[Sending, ExitStack] = {}

    def _note(self) -> None:
        self.changes.append(self.health.condition)

    def condition(self) -> Condition:
        """Return the account's condition."""
        return self.health.condition

    def begin(self) -> Sending:
        """Make a request."""
        stack = ExitStack()
        sending = stack.enter_context(self.health.sending())
        sending.begin()
        self._open[sending] = stack
        return sending

    def end(self, sending: Sending, *outcomes: Outcome) -> None:
        """End a request with these outcomes of its messages."""
        sending.outcomes = outcomes
        self._open.pop(sending).close()

    def send(self, *outcomes: Outcome) -> None:
        """Make a request that is answered at once."""
        self.end(self.begin(), *outcomes)

    def probe(self, *, takes: float = 0) -> None:
        """Make a probe that is answered some seconds later."""
        began = self.clock.now()
        self.time.pass_by(takes)
        self.health.probed(began)

    def close(self) -> None:
        """End all."""
        self.health.stop()
        for stack in self._open.values():
            stack.close()


@pytest.fixture
async def line() -> AsyncGenerator[Line]:
    line = Line()
    yield line
    line.close()


REFUSALS = [
    NotSent(kind=kind)
    for kind in ErrorKind
    if kind not in {ErrorKind.UNAVAILABLE, ErrorKind.THROTTLED}
]


@pytest.mark.parametrize("outcome", [ACCEPTED, *REFUSALS])
@pytest.mark.parametrize("before", [ACCEPTED, DOUBT, UNAVAILABLE])
async def test_an_answer_to_a_send_leaves_no_suspicion(
    line: Line, before: Outcome, outcome: Outcome
) -> None:
    line.send(before)
    line.send(outcome)
    assert line.condition() not in SUSPECT


@pytest.mark.parametrize(
    ("outcome", "condition"),
    [(DOUBT, Condition.UNANSWERED), (UNAVAILABLE, Condition.UNREACHABLE)],
)
async def test_a_send_without_an_answer_makes_an_account_suspect_for_good(
    line: Line, outcome: Outcome, condition: Condition
) -> None:
    line.send(outcome)
    assert line.condition() is condition
    line.time.pass_by(30 * 24 * HOUR)
    assert line.condition() is condition


async def test_what_our_own_client_refused_says_nothing(line: Line) -> None:
    line.send(UNFIT)
    assert line.condition() is Condition.HEALTHY
    line.send(DOUBT)
    line.send(UNFIT)
    assert line.condition() is Condition.UNANSWERED


async def test_one_answer_says_more_than_the_doubts_beside_it(line: Line) -> None:
    line.send(DOUBT, ACCEPTED, DOUBT)
    assert line.condition() is Condition.HEALTHY


async def test_a_request_that_hangs_makes_an_account_suspect_until_it_is_answered(
    line: Line,
) -> None:
    sending = line.begin()
    line.time.pass_by(4.9)
    assert (line.condition(), line.health.open_request) == (
        Condition.HEALTHY,
        OpenRequest.YOUNG,
    )
    line.time.pass_by(0.1)
    assert (line.condition(), line.health.open_request) == (
        Condition.UNANSWERED,
        OpenRequest.HANGING,
    )
    line.end(sending, ACCEPTED)
    assert (line.condition(), line.health.open_request) == (
        Condition.HEALTHY,
        OpenRequest.NONE,
    )


async def test_a_connection_that_hung_and_failed_is_no_unanswered_send_any_more(
    line: Line,
) -> None:
    sending = line.begin()
    line.time.pass_by(10)
    assert line.condition() is Condition.UNANSWERED
    line.end(sending, UNAVAILABLE)
    assert line.condition() is Condition.UNREACHABLE


async def test_a_doubt_about_what_hung_before_the_last_answer_is_no_news(
    line: Line,
) -> None:
    hanging = line.begin()
    line.time.pass_by(6)
    line.send(ACCEPTED)
    assert line.condition() is Condition.HEALTHY
    line.time.pass_by(24)
    line.end(hanging, DOUBT)
    assert line.condition() is Condition.HEALTHY


async def test_an_answer_does_not_excuse_what_hangs_only_later(line: Line) -> None:
    line.begin()
    line.time.pass_by(1)
    line.send(ACCEPTED)
    line.time.pass_by(4)
    assert line.condition() is Condition.UNANSWERED


# Probes


@pytest.mark.parametrize("outcome", [DOUBT, UNAVAILABLE])
async def test_a_probe_that_is_answered_heals(line: Line, outcome: Outcome) -> None:
    line.send(outcome)
    line.time.pass_by(1)
    line.probe(takes=3)
    assert line.condition() is Condition.HEALTHY


async def test_a_probe_that_began_before_the_suspicion_heals_nothing(
    line: Line,
) -> None:
    began = line.clock.now()
    line.time.pass_by(1)
    line.send(DOUBT)
    line.health.probed(began)
    assert line.condition() is Condition.UNANSWERED


@pytest.mark.parametrize(
    ("age", "condition"),
    [
        (0, Condition.UNANSWERED),
        (4.9, Condition.UNANSWERED),
        (5, Condition.ADMITTING),
        (20, Condition.ADMITTING),
    ],
)
async def test_a_probe_lets_one_message_go_once_the_last_request_hangs(
    line: Line, age: float, condition: Condition
) -> None:
    line.begin()
    line.time.pass_by(6)
    line.begin()
    line.time.pass_by(age)
    line.probe(takes=1)
    assert line.condition() is condition


async def test_the_one_message_uses_up_what_the_probe_admitted(line: Line) -> None:
    line.begin()
    line.time.pass_by(6)
    line.probe()
    canary = line.begin()
    assert line.condition() is Condition.UNANSWERED
    line.end(canary, ACCEPTED)
    assert line.condition() is Condition.HEALTHY


async def test_a_new_doubt_takes_back_what_a_probe_admitted(line: Line) -> None:
    first, _ = line.begin(), line.begin()
    line.time.pass_by(6)
    line.probe()
    assert line.condition() is Condition.ADMITTING
    line.end(first, DOUBT)
    assert line.condition() is Condition.UNANSWERED


# A provider that answers probes, and takes nothing


async def test_of_what_could_not_be_sent_a_probe_lets_one_go_before_the_others(
    line: Line,
) -> None:
    line.send(UNAVAILABLE)
    line.probe()
    canary = line.begin()
    assert (line.condition(), line.health.open_request) == (
        Condition.UNREACHABLE,
        OpenRequest.YOUNG,
    )
    line.end(canary, ACCEPTED)
    assert line.condition() is Condition.HEALTHY


async def test_what_was_not_sent_at_all_leaves_the_way_to_the_next_one(
    line: Line,
) -> None:
    line.send(UNAVAILABLE)
    line.probe()
    line.send(UNFIT)
    assert line.condition() is Condition.HEALTHY
    line.end(line.begin(), UNAVAILABLE)
    line.send(UNFIT)
    assert line.condition() is Condition.UNREACHABLE


def let_down(line: Line) -> None:
    """Let a probe be answered, and the message that it lets go fail."""
    line.probe()
    line.send(UNAVAILABLE)
    line.time.pass_by(1)


async def test_probes_count_for_nothing_while_sends_fail_in_spite_of_them(
    line: Line,
) -> None:
    line.send(UNAVAILABLE)
    line.time.pass_by(1)
    let_down(line)
    for minutes in (5, 10, 20, 40, 60, 60):
        let_down(line)
        line.time.pass_by(60 * minutes - 2)
        line.probe()
        assert line.condition() is Condition.UNREACHABLE
        line.time.pass_by(1)
        line.probe()
        assert line.condition() is Condition.HEALTHY


async def test_one_answer_to_a_send_makes_probes_count_again(line: Line) -> None:
    line.send(UNAVAILABLE)
    line.time.pass_by(1)
    for _ in range(9):
        let_down(line)
        line.send(ACCEPTED)
        line.send(UNAVAILABLE)
        line.time.pass_by(1)
        line.probe()
        assert line.condition() is Condition.HEALTHY


# Two doubts


async def test_after_two_doubts_within_an_hour_it_stays_behind_for_five_minutes(
    line: Line,
) -> None:
    for _ in range(2):
        line.send(DOUBT)
        line.time.pass_by(1)
        line.probe()
    assert line.condition() is Condition.BEHIND
    line.time.pass_by(298)
    assert line.condition() is Condition.BEHIND
    line.time.pass_by(1)
    assert line.condition() is Condition.HEALTHY


async def test_doubts_an_hour_apart_are_two_single_ones(line: Line) -> None:
    for _ in range(3):
        line.send(DOUBT)
        line.time.pass_by(1)
        line.probe()
        assert line.condition() is Condition.HEALTHY
        line.time.pass_by(HOUR)


async def test_it_stays_behind_twice_as_long_each_time_up_to_an_hour(
    line: Line,
) -> None:
    line.send(DOUBT)
    for minutes in (5, 10, 20, 40, 60):
        line.send(DOUBT)
        line.time.pass_by(1)
        line.probe()
        line.time.pass_by(60 * minutes - 2)
        assert line.condition() is Condition.BEHIND
        line.time.pass_by(1)
        assert line.condition() is Condition.HEALTHY


async def test_doubts_of_one_storm_are_counted_as_one_time(line: Line) -> None:
    for sending in [line.begin() for _ in range(9)]:
        line.end(sending, DOUBT)
    line.time.pass_by(1)
    line.probe()
    line.time.pass_by(299)
    assert line.condition() is Condition.HEALTHY


# A provider that asks to wait, or refuses


@pytest.mark.parametrize(
    ("retry_after", "wait"), [(0, 1), (7, 7), (300, 300), (3600, 300), (None, 15)]
)
async def test_a_provider_that_asks_to_wait_is_left_alone_five_minutes_at_most(
    line: Line, retry_after: float | None, wait: float
) -> None:
    line.send(NotSent(kind=ErrorKind.THROTTLED, retry_after=retry_after))
    line.time.pass_by(wait - 0.1)
    assert line.condition() is Condition.THROTTLED
    assert line.health.refusal.kind is ErrorKind.THROTTLED
    line.time.pass_by(0.2)
    assert line.condition() is Condition.HEALTHY


async def test_without_a_time_to_wait_each_wait_is_twice_the_last_one(
    line: Line,
) -> None:
    for wait in (15, 30, 60, 120, 240, 300, 300):
        line.send(THROTTLED)
        # What was on the wire with it asks for no longer wait.
        line.send(THROTTLED)
        assert line.health.wait_until - line.clock.now() == wait
        line.time.pass_by(wait)
    line.send(ACCEPTED)
    line.send(THROTTLED)
    assert line.health.wait_until - line.clock.now() == 15


async def test_a_later_answer_does_not_shorten_the_wait_that_was_asked_for(
    line: Line,
) -> None:
    line.send(NotSent(kind=ErrorKind.THROTTLED, retry_after=200))
    line.send(NotSent(kind=ErrorKind.THROTTLED, retry_after=2))
    line.send(ACCEPTED)
    assert line.health.wait_until - line.clock.now() == 200


async def test_an_unreachable_account_that_asks_to_wait_is_suspect_afterwards(
    line: Line,
) -> None:
    line.send(NotSent(kind=ErrorKind.UNAVAILABLE, retry_after=50))
    assert line.condition() is Condition.THROTTLED
    line.time.pass_by(50)
    assert line.condition() is Condition.UNREACHABLE


@pytest.mark.parametrize("kind", [ErrorKind.AUTH, ErrorKind.CREDIT])
async def test_an_account_refuses_until_it_answers_otherwise(
    line: Line, kind: ErrorKind
) -> None:
    line.send(NotSent(kind=kind))
    assert line.condition() is Condition.REFUSING
    assert line.health.refusal.kind is kind
    line.time.pass_by(HOUR)
    assert line.condition() is Condition.REFUSING
    line.send(ACCEPTED)
    assert line.condition() is Condition.HEALTHY


# Who is notified


async def test_a_change_is_reported_once(line: Line) -> None:
    line.send(ACCEPTED)
    line.send(UNAVAILABLE)
    line.send(UNAVAILABLE)
    line.time.pass_by(1)
    line.probe()
    assert line.changes[-1] is Condition.HEALTHY
    assert set(line.changes) == {Condition.UNREACHABLE, Condition.HEALTHY}
    line.send(ACCEPTED)
    reported = len(line.changes)
    for _ in range(5):
        line.send(ACCEPTED)
    assert len(line.changes) == reported


async def test_an_account_that_is_forgotten_begins_anew() -> None:
    registry = HealthRegistry(Stopped().clock(), TIMING)
    old = registry.of("a")
    with old.sending() as sending:
        sending.outcomes = (DOUBT,)
    assert registry.of("a").condition is Condition.UNANSWERED
    registry.forget("a")
    assert registry.of("a") is not old
    assert registry.of("a").condition is Condition.HEALTHY
    with old.sending() as sending:
        sending.outcomes = (DOUBT,)
    assert registry.of("a").condition is Condition.HEALTHY
    registry.stop()
