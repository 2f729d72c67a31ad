"""The days of a clock, wherever it is, and its two times."""

from dataclasses import replace
from datetime import UTC, datetime
from inspect import signature
import time
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.messaging import Clock, Moment

ZONES = sorted(available_timezones())
BEGIN, END = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1980, 2100))
# In whole milliseconds: what is finer, datetime rounds, perhaps to the next day.
MOMENTS = st.integers(int(BEGIN) * 1000, int(END) * 1000).map(lambda ms: ms / 1000)


@given(zone=st.sampled_from(ZONES), moment=MOMENTS)
def test_the_day_of_a_moment_is_the_local_date(zone: str, moment: float) -> None:
    timezone = ZoneInfo(zone)
    clock = Clock(wall=lambda: moment, timezone=lambda: timezone)
    date = datetime.fromtimestamp(moment, timezone).date().isoformat()
    assert clock.day_of(moment) == date
    assert clock.today() == date


@given(zone=st.sampled_from(ZONES), moment=MOMENTS)
def test_the_last_moment_of_a_day_is_not_yet_the_next_one(
    zone: str, moment: float
) -> None:
    timezone = ZoneInfo(zone)
    clock = Clock(timezone=lambda: timezone)
    local = datetime.fromtimestamp(moment, timezone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for near in (midnight.timestamp() - 0.001, midnight.timestamp()):
        date = datetime.fromtimestamp(near, timezone).date().isoformat()
        assert clock.day_of(near) == date


def test_a_clock_that_moves_to_another_zone_has_another_day() -> None:
    moment = datetime(2026, 11, 26, 23, 30, tzinfo=UTC).timestamp()
    zones = iter([ZoneInfo("UTC"), ZoneInfo("Europe/Rome"), ZoneInfo("UTC")])
    clock = Clock(wall=lambda: moment, timezone=lambda: next(zones))
    assert [clock.today() for _ in range(3)] == [
        "2026-11-26",
        "2026-11-27",
        "2026-11-26",
    ]


@given(zone=st.sampled_from(ZONES), moment=MOMENTS)
def test_a_day_ends_when_its_seconds_are_over(zone: str, moment: float) -> None:
    clock = Clock(wall=lambda: moment, timezone=lambda: ZoneInfo(zone))
    end = moment + clock.seconds_left_today()
    assert clock.day_of(moment) == clock.today() < clock.day_of(end + 1)
    assert clock.day_of(end - 1) <= clock.today()


# Two times


class Hands:
    """What the system's clocks show."""

    def __init__(self, *, wall: float, steady: float) -> None:
        """Show this until a test changes it."""
        self.wall, self.steady = wall, steady

    def clock(self) -> Clock:
        """Return a clock that reads them."""
        return Clock(wall=lambda: self.wall, steady=lambda: self.steady)


def test_steady_time_begins_with_the_wall_clock_and_follows_it_no_more() -> None:
    hands = Hands(wall=1000, steady=7)
    clock = hands.clock()
    assert clock.moment() == Moment(steady=1000, wall=1000)
    hands.wall, hands.steady = 50_000, 8
    assert clock.moment() == Moment(steady=1001, wall=50_000)
    assert clock.now() == 1001
    assert clock.wall_of(1011) == 50_010


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="not Linux")
def test_steady_time_counts_sleep_where_the_system_does() -> None:
    steady = signature(Clock).parameters["steady"].default
    assert (steady.func, steady.args) == (time.clock_gettime, (time.CLOCK_BOOTTIME,))


@pytest.mark.parametrize(("wall", "time_off"), [(5000, 4000), (1000, 0), (10, 0)])
def test_the_clock_of_the_next_start_counts_the_time_off_by_the_wall_clock(
    wall: float, time_off: float
) -> None:
    """Not by one that stands before the last reading."""
    last = replace(
        Hands(wall=1000, steady=0).clock().reading(),
        moment=Moment(steady=3000, wall=1000),
    )
    clock = Hands(wall=wall, steady=500).clock()
    clock.resume(last)
    assert clock.now() == 3000 + time_off
    assert clock.wall() == wall


def test_a_clock_that_reads_its_own_reading_has_not_been_away() -> None:
    hands = Hands(wall=1000, steady=0)
    clock = hands.clock()
    reading = clock.reading()
    hands.wall, hands.steady = 5000, 60
    clock.resume(reading)
    assert clock.now() == 1060
