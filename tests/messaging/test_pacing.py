"""How long accounts rest and how often providers are asked."""

from typing import override

from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.messaging.pacing import Pace, Rests

from .helpers import Time

PACE = Pace(first_rest=10, longest_rest=100, first_poll=3, longest_poll=60)
JITTER = 1.2


class Stopped(Time):
    """A time that moves only by hand."""

    @override
    def now(self) -> float:
        """Return the seconds that passed by, and by which the clock was set."""
        return self.shift

    @override
    def monotonic(self) -> float:
        """Return the seconds that passed by."""
        return self.passed


@pytest.fixture
def time() -> Stopped:
    return Stopped()


@pytest.fixture
def rests(time: Stopped) -> Rests:
    return Rests(time.clock(), PACE)


def rest_of(rests: Rests, time: Stopped, account: str = "a") -> float:
    until = rests.until(account)
    return 0 if until is None else until - time.now()


def test_an_account_that_never_failed_does_not_rest(rests: Rests) -> None:
    assert rests.until("a") is None


def test_an_account_rests_after_a_failure_and_others_do_not(
    rests: Rests, time: Stopped
) -> None:
    rests.failed("a")
    assert 10 <= rest_of(rests, time) <= 10 * JITTER
    assert rests.until("b") is None


def test_a_rest_is_over_when_its_time_has_come(rests: Rests, time: Stopped) -> None:
    rests.failed("a")
    time.pass_by(rest_of(rests, time) - 0.001)
    assert rests.until("a") is not None
    time.pass_by(0.001)
    assert rests.until("a") is None


def test_rests_double_with_each_failure_in_a_row_and_are_bounded(
    rests: Rests, time: Stopped
) -> None:
    for expected in (10, 20, 40, 80, 100, 100, 100):
        rests.failed("a")
        assert expected <= rest_of(rests, time) <= expected * JITTER
        time.pass_by(rest_of(rests, time))


def test_what_is_forgiven_is_the_failures_and_not_the_wait_that_was_asked_for(
    rests: Rests, time: Stopped
) -> None:
    rests.failed("a")
    rests.forgive("a")
    assert rests.until("a") is None
    rests.failed("a", retry_after=50)
    rests.forgive("a")
    assert rest_of(rests, time) == 50
    # The next failure is the first one again, and what was asked for is kept twice.
    rests.failed("a")
    rests.forgive("a")
    assert rest_of(rests, time) == 50
    rests.worked("a")
    rests.forgive("a")
    assert rests.until("a") is None
    rests.failed("a")
    assert 10 <= rest_of(rests, time) <= 10 * JITTER


def test_failures_without_end_are_counted_without_end(time: Stopped) -> None:
    rests = Rests(time.clock(), Pace(first_rest=0.5, longest_rest=2.5))
    for _ in range(3000):
        rests.failed("a")
        time.pass_by(rest_of(rests, time))
    rests.failed("a")
    assert 2.5 <= rest_of(rests, time) <= 2.5 * JITTER


def test_requests_that_fail_together_are_one_failure(
    rests: Rests, time: Stopped
) -> None:
    for _ in range(32):
        rests.failed("a")
    assert 10 <= rest_of(rests, time) <= 10 * JITTER
    time.pass_by(rest_of(rests, time))
    rests.failed("a")
    assert 20 <= rest_of(rests, time) <= 20 * JITTER


def test_accounts_that_failed_together_do_not_all_come_back_together(
    rests: Rests, time: Stopped
) -> None:
    accounts = [str(number) for number in range(100)]
    for account in accounts:
        rests.failed(account)
    spread = {rest_of(rests, time, account) for account in accounts}
    # A hundred draws in one half of the spread: less than once in 10**29 runs.
    assert max(spread) - min(spread) > 10 * (JITTER - 1) / 2


def test_success_ends_a_rest_and_the_next_one_is_short_again(
    rests: Rests, time: Stopped
) -> None:
    for _ in range(3):
        rests.failed("a")
        time.pass_by(rest_of(rests, time))
    rests.failed("a")
    assert rests.worked("a")
    assert rests.until("a") is None
    rests.failed("a")
    assert rest_of(rests, time) <= 10 * JITTER


def test_only_an_account_that_had_failed_recovers(rests: Rests) -> None:
    assert not rests.worked("a")
    rests.failed("a")
    assert rests.worked("a")
    assert not rests.worked("a")


def test_an_account_whose_rest_is_over_has_still_to_recover(
    rests: Rests, time: Stopped
) -> None:
    rests.failed("a")
    time.pass_by(1000)
    assert rests.worked("a")


def test_the_wait_that_a_provider_asks_for_is_the_least(
    rests: Rests, time: Stopped
) -> None:
    rests.failed("a", 5000)
    assert rest_of(rests, time) >= 5000
    rests.failed("b", 1)
    assert rest_of(rests, time, "b") >= 10


def test_a_later_failure_does_not_shorten_the_wait_that_was_asked_for(
    rests: Rests, time: Stopped
) -> None:
    rests.failed("a", 5000)
    rests.failed("a")
    assert rest_of(rests, time) >= 5000


def test_a_wait_that_is_asked_for_while_resting_counts(
    rests: Rests, time: Stopped
) -> None:
    rests.failed("a")
    rests.failed("a", 5000)
    assert rest_of(rests, time) >= 5000


def test_polls_grow_rarer_until_they_come_at_the_longest_interval() -> None:
    age, pauses = 0.0, list[float]()
    while age < PACE.longest_poll * 10:
        pauses.append(PACE.next_poll(age))
        age += pauses[-1]
    assert pauses == sorted(pauses)
    assert pauses[0] == PACE.first_poll
    assert pauses[-1] == PACE.longest_poll
    # Logarithmic, then linear: few questions for a long time.
    assert len(pauses) < 25


@given(age=st.floats(0, 1e7))
def test_every_pause_between_polls_is_within_its_bounds(age: float) -> None:
    pause = PACE.next_poll(age)
    assert PACE.first_poll <= pause <= PACE.longest_poll
    assert pause <= max(PACE.first_poll, age)


@given(age=st.floats(-10, 1e7))
def test_what_waits_for_an_account_is_offered_ever_more_rarely(age: float) -> None:
    pause = PACE.next_attempt(age)
    assert PACE.first_rest <= pause <= PACE.longest_rest
    assert pause <= PACE.next_attempt(age + 1)


def test_what_a_provider_works_on_afterwards_has_longer_to_come() -> None:
    assert Pace().never_came_in_bulk == 1800 > Pace().never_came


def test_a_message_is_asked_about_a_bounded_number_of_times_by_default() -> None:
    pace, age, polls = Pace(), 0.0, 0
    while age <= pace.give_up:
        age += pace.next_poll(age)
        polls += 1
    assert 50 < polls < 120


def test_an_account_that_was_let_go_is_left_alone_in_the_round_that_goes_on() -> None:
    time = Stopped()
    rests = Rests(time.clock(), PACE)
    began = time.monotonic()
    time.pass_by(1)
    rests.gone("a")
    rests.forgive("a")
    assert rests.has_failed_since("a", began)
    assert rests.until("a") is None
    time.pass_by(1)
    assert not rests.has_failed_since("a", time.monotonic())


@pytest.mark.parametrize("seconds", [-7200, -5, 5, 7200])
def test_a_rest_is_as_long_as_it_is_whatever_the_clock_is_set_to(
    rests: Rests, time: Stopped, seconds: float
) -> None:
    rests.failed("a", retry_after=50)
    time.set_forward(seconds)
    assert rest_of(rests, time) == pytest.approx(50)
    time.pass_by(50)
    assert rests.until("a") is None
    assert not rests.has_failed_since("a", time.monotonic())
