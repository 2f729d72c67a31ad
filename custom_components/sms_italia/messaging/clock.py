"""The time, as the messaging layer reads it.

There are two times. Steady time never jumps and counts sleep: whatever is waited for
or expires is measured by it. Wall time is what people read and set: days, months and
`send_at` follow it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
import time

_QUARTER = 900
"""Seconds that no midnight of any time zone lies within."""

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""The clock of Linux that counts sleep; other systems have none."""


def _seconds_since_boot() -> float:
    """Return seconds since some moment, which no setting of the clock changes."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment by both times.

    `wall` is in seconds since the epoch; so is `steady`, but as if nobody had set the
    clock since.
    """

    steady: float
    wall: float


class Clock:
    """Reads steady time (`now`) and wall time (`wall`)."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = _seconds_since_boot,
        timezone: Callable[[], tzinfo] = lambda: UTC,
    ) -> None:
        """Start with both times the same; `steady` counts seconds from anywhere."""
        self.wall = wall
        self.timezone = timezone
        self._steady = steady
        self._zero = wall() - steady()

    def now(self) -> float:
        """Return the steady time in seconds: what is waited for is compared with it."""
        return self._zero + self._steady()

    def moment(self) -> Moment:
        """Return this moment by both times."""
        return Moment(steady=self.now(), wall=self.wall())

    def local_time(self) -> str:
        """Return the local time as HH:MM:SS."""
        moment = datetime.fromtimestamp(self.wall(), self.timezone())
        return moment.strftime("%H:%M:%S")

    def today(self) -> str:
        """Return the local date as YYYY-MM-DD."""
        return self.day_of(self.wall())

    def day(self, ago: int) -> str:
        """Return the local date so many days ago as YYYY-MM-DD."""
        today = datetime.fromtimestamp(self.wall(), self.timezone()).date()
        return (today - timedelta(days=ago)).isoformat()

    def day_of(self, moment: float) -> str:
        """Return the local date of a moment of wall time as YYYY-MM-DD."""
        return _day_of(int(moment // _QUARTER), self.timezone())


@lru_cache(maxsize=4)
def _day_of(quarter: int, timezone: tzinfo) -> str:
    """Return the local date of a quarter of an hour, counted from the epoch.

    It is asked for with every change of a message.
    """
    return datetime.fromtimestamp(quarter * _QUARTER, timezone).date().isoformat()
