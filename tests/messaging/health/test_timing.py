"""How often providers are asked, and when what waits is tried again."""

from hypothesis import given, strategies as st

from custom_components.sms_italia.messaging import Timing

TIMING = Timing(first_pause=10, longest_pause=100, first_poll=3, longest_poll=60)


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


def test_a_message_is_asked_about_a_bounded_number_of_times_by_default() -> None:
    timing, age, polls = Timing(), 0.0, 0
    while age <= timing.give_up:
        age += timing.next_poll(age)
        polls += 1
    assert 50 < polls < 120
