"""The days of a clock, wherever it is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, strategies as st

from custom_components.sms_italia.messaging import Clock

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
