"""How long accounts are paused, and how often providers are asked."""

from decimal import Decimal
from typing import override

from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.messaging.delivery.health import AccountHealth, Timing
from custom_components.sms_italia.messaging.state import (
    CredentialsRefused,
    CreditChanged,
    CreditReported,
    Event,
    Events,
    HttpsRequired,
)
from custom_components.sms_italia.providers import (
    Accepted,
    Cause,
    ErrorKind,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)

from ..helpers import Time

TIMING = Timing(first_pause=10, longest_pause=100, first_poll=3, longest_poll=60)
JITTER = 1.2


class Stopped(Time):
    """A time that moves only by hand."""

    @override
    def now(self) -> float:
        """Return the seconds that passed by, and by which the clock was set."""
        return self.shift

    @override
    def steady(self) -> float:
        """Return the seconds that passed by."""
        return self.passed


@pytest.fixture
def time() -> Stopped:
    return Stopped()


@pytest.fixture
def health(time: Stopped) -> AccountHealth:
    return AccountHealth(time.clock(), TIMING, Events())


def pause_of(health: AccountHealth, time: Stopped, account: str = "a") -> float:
    until = health.open_until(account)
    return 0 if until is None else until - time.now()


def test_an_account_that_never_failed_is_not_paused(health: AccountHealth) -> None:
    assert health.open_until("a") is None


def test_an_account_is_paused_after_a_failure_and_others_are_not(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a")
    assert 10 <= pause_of(health, time) <= 10 * JITTER
    assert health.open_until("b") is None


def test_a_pause_is_over_when_its_time_has_come(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a")
    time.pass_by(pause_of(health, time) - 0.001)
    assert health.open_until("a") is not None
    time.pass_by(0.001)
    assert health.open_until("a") is None


def test_pauses_double_with_each_failure_in_a_row_and_are_bounded(
    health: AccountHealth, time: Stopped
) -> None:
    for expected in (10, 20, 40, 80, 100, 100, 100):
        health.failed("a")
        assert expected <= pause_of(health, time) <= expected * JITTER
        time.pass_by(pause_of(health, time))


def test_failures_are_forgiven_but_not_the_wait_that_was_asked_for(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a")
    health.forgive("a")
    assert health.open_until("a") is None
    health.failed("a", retry_after=50)
    health.forgive("a")
    assert pause_of(health, time) == 50
    # The next failure is the first one again, and what was asked for is kept twice.
    health.failed("a")
    health.forgive("a")
    assert pause_of(health, time) == 50
    health.worked("a")
    health.forgive("a")
    assert health.open_until("a") is None
    health.failed("a")
    assert 10 <= pause_of(health, time) <= 10 * JITTER


def test_failures_without_end_are_counted_without_end(time: Stopped) -> None:
    health = AccountHealth(
        time.clock(), Timing(first_pause=0.5, longest_pause=2.5), Events()
    )
    for _ in range(3000):
        health.failed("a")
        time.pass_by(pause_of(health, time))
    health.failed("a")
    assert 2.5 <= pause_of(health, time) <= 2.5 * JITTER


def test_requests_that_fail_together_are_one_failure(
    health: AccountHealth, time: Stopped
) -> None:
    for _ in range(32):
        health.failed("a")
    assert 10 <= pause_of(health, time) <= 10 * JITTER
    time.pass_by(pause_of(health, time))
    health.failed("a")
    assert 20 <= pause_of(health, time) <= 20 * JITTER


def test_accounts_that_failed_together_do_not_all_come_back_together(
    health: AccountHealth, time: Stopped
) -> None:
    accounts = [str(number) for number in range(100)]
    for account in accounts:
        health.failed(account)
    spread = {pause_of(health, time, account) for account in accounts}
    # A hundred draws in one half of the spread: less than once in 10**29 runs.
    assert max(spread) - min(spread) > 10 * (JITTER - 1) / 2


def test_success_ends_a_pause_and_the_next_one_is_short_again(
    health: AccountHealth, time: Stopped
) -> None:
    for _ in range(3):
        health.failed("a")
        time.pass_by(pause_of(health, time))
    health.failed("a")
    assert health.worked("a")
    assert health.open_until("a") is None
    health.failed("a")
    assert pause_of(health, time) <= 10 * JITTER


def test_only_an_account_that_had_failed_recovers(health: AccountHealth) -> None:
    assert not health.worked("a")
    health.failed("a")
    assert health.worked("a")
    assert not health.worked("a")


def test_an_account_whose_pause_is_over_has_still_to_recover(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a")
    time.pass_by(1000)
    assert health.worked("a")


def test_the_wait_that_a_provider_asks_for_is_the_least(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a", 5000)
    assert pause_of(health, time) >= 5000
    health.failed("b", 1)
    assert pause_of(health, time, "b") >= 10


def test_a_later_failure_does_not_shorten_the_wait_that_was_asked_for(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a", 5000)
    health.failed("a")
    assert pause_of(health, time) >= 5000


def test_a_wait_that_is_asked_for_during_a_pause_counts(
    health: AccountHealth, time: Stopped
) -> None:
    health.failed("a")
    health.failed("a", 5000)
    assert pause_of(health, time) >= 5000


def test_polls_become_rarer_until_they_come_at_the_longest_interval() -> None:
    age, pauses = 0.0, list[float]()
    while age < TIMING.longest_poll * 10:
        pauses.append(TIMING.next_poll(age))
        age += pauses[-1]
    assert pauses == sorted(pauses)
    assert pauses[0] == TIMING.first_poll
    assert pauses[-1] == TIMING.longest_poll
    # Logarithmic, then linear: few questions for a long time.
    assert len(pauses) < 25


@given(age=st.floats(0, 1e7))
def test_every_pause_between_polls_is_within_its_bounds(age: float) -> None:
    pause = TIMING.next_poll(age)
    assert TIMING.first_poll <= pause <= TIMING.longest_poll
    assert pause <= max(TIMING.first_poll, age)


@given(age=st.floats(-10, 1e7))
def test_what_waits_for_an_account_is_tried_ever_more_rarely(age: float) -> None:
    pause = TIMING.next_attempt(age)
    assert TIMING.first_pause <= pause <= TIMING.longest_pause
    assert pause <= TIMING.next_attempt(age + 1)


def test_nothing_that_a_provider_does_not_find_is_missing_before_two_minutes() -> None:
    assert Timing().never_came == 120


def test_a_message_is_asked_about_a_bounded_number_of_times_by_default() -> None:
    timing, age, polls = Timing(), 0.0, 0
    while age <= timing.give_up:
        age += timing.next_poll(age)
        polls += 1
    assert 50 < polls < 120


def test_a_detached_account_is_left_alone_in_the_round_that_goes_on() -> None:
    time = Stopped()
    health = AccountHealth(time.clock(), TIMING, Events())
    began = time.now()
    time.pass_by(1)
    health.detached("a")
    health.forgive("a")
    assert health.has_failed_since("a", began)
    assert health.open_until("a") is None
    time.pass_by(1)
    assert not health.has_failed_since("a", time.now())


@pytest.mark.parametrize("seconds", [-7200, -5, 5, 7200])
def test_a_pause_is_as_long_as_it_is_whatever_the_clock_is_set_to(
    health: AccountHealth, time: Stopped, seconds: float
) -> None:
    health.failed("a", retry_after=50)
    time.set_forward(seconds)
    assert health.open_until("a") == pytest.approx(50)
    time.pass_by(50)
    assert health.open_until("a") is None
    assert not health.has_failed_since("a", 50)


# What an answer to a send says of the account


ACCEPTED = Accepted(provider_id="7")
REFUSED = NotSent(kind=ErrorKind.REFUSED)
HTTPS_REQUIRED = NotSent(kind=ErrorKind.UNAVAILABLE, cause=Cause.HTTPS_REQUIRED)
NOT_ASKED = [
    NotSent(kind=ErrorKind.REFUSED, detail="no_push", cause=Cause.UNSUPPORTED),
    NotSent(kind=ErrorKind.REFUSED, detail="picture_size", cause=Cause.PICTURE),
]
"""What our own client refuses without a request."""


class Answers:
    """Answers to sends by an account that has failed twice; its last pause is over."""

    def __init__(self) -> None:
        """Record the events and the recoveries that follow."""
        self.time = Stopped()
        self.events: list[Event] = []
        self.recoveries = 0
        self._notifier = Events()
        self._notifier.listen("a", self.events.append)
        self.health = AccountHealth(
            self.time.clock(),
            Timing(first_pause=10, longest_pause=1000),
            self._notifier,
        )
        self.health.subscribe(self._recovered)
        for _ in range(2):
            self.health.failed("a")
            self.time.pass_by(100)

    def _recovered(self) -> None:
        self.recoveries += 1

    def learn(
        self, *outcomes: Outcome, mode: Mode | None = None, credit: str | None = None
    ) -> None:
        """Draw from an answer what it says."""
        balance = None if credit is None else Decimal(credit)
        result = SendResult(outcomes={}, mode=mode, credit=balance)
        self.health.learn("a", result, outcomes)
        self._notifier.flush()

    def next_pause(self) -> float:
        """Return how long the account is paused after one more failure."""
        self.health.failed("a")
        return pause_of(self.health, self.time)


@pytest.fixture
async def answers() -> Answers:
    """Return what needs a running event loop."""
    return Answers()


@pytest.mark.parametrize("outcome", [ACCEPTED, REFUSED])
async def test_an_account_that_answers_works(
    answers: Answers, outcome: Outcome
) -> None:
    answers.learn(outcome)
    assert answers.recoveries == isinstance(outcome, Accepted)
    assert answers.next_pause() < 20


async def test_only_the_first_accepted_message_after_failures_is_a_recovery(
    answers: Answers,
) -> None:
    answers.learn(ACCEPTED)
    answers.learn(ACCEPTED)
    assert answers.recoveries == 1


@pytest.mark.parametrize("outcome", NOT_ASKED)
async def test_what_our_own_client_refused_does_not_show_that_an_account_works(
    answers: Answers, outcome: Outcome
) -> None:
    answers.learn(outcome)
    assert not answers.recoveries
    assert answers.health.open_until("a") is None
    assert answers.next_pause() >= 40
    assert not answers.events


async def test_one_accepted_message_says_more_than_those_that_were_not(
    answers: Answers,
) -> None:
    answers.learn(REFUSED, Uncertain(detail="no_result"), ACCEPTED)
    assert answers.events == [CreditChanged(account="a")]


async def test_a_test_changes_no_credit(answers: Answers) -> None:
    answers.learn(ACCEPTED, mode=Mode.TEST)
    assert answers.recoveries == 1
    assert not answers.events


@pytest.mark.parametrize("outcome", [ACCEPTED, REFUSED])
async def test_a_balance_in_the_answer_is_reported(
    answers: Answers, outcome: Outcome
) -> None:
    answers.learn(outcome, mode=Mode.TEST, credit="7.5")
    assert answers.events == [CreditReported(account="a", balance=Decimal("7.5"))]


@pytest.mark.parametrize(
    ("refusal", "event"),
    [
        (NotSent(kind=ErrorKind.AUTH), CredentialsRefused(account="a")),
        (NotSent(kind=ErrorKind.CREDIT), CreditChanged(account="a")),
        (HTTPS_REQUIRED, HttpsRequired(account="a")),
    ],
)
async def test_what_a_refusal_says_of_the_account_is_reported(
    answers: Answers, refusal: NotSent, event: Event
) -> None:
    answers.learn(refusal)
    assert answers.events == [event]


@pytest.mark.parametrize(
    ("outcome", "pause"),
    [
        (Uncertain(detail="http_500"), 40),
        (NotSent(kind=ErrorKind.UNAVAILABLE), 40),
        (HTTPS_REQUIRED, 40),
        (NotSent(kind=ErrorKind.THROTTLED, retry_after=900), 900),
    ],
)
async def test_an_account_that_fails_is_paused(
    answers: Answers, outcome: Outcome, pause: float
) -> None:
    answers.learn(outcome)
    assert not answers.recoveries
    assert pause_of(answers.health, answers.time) >= pause
