"""The time, as the messaging layer reads it.

There are two times. Steady time never jumps and counts sleep: whatever is waited for
or expires is measured by it. Wall time is what people read and set: days, months and
`send_at` follow it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time as dt_time, timedelta, tzinfo
from functools import lru_cache, partial
import time
import uuid

DAY = 86_400
"""Seconds."""

_QUARTER = 900
"""Seconds that no midnight of any time zone lies within."""

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_STEADY = (
    time.monotonic if _BOOTTIME is None else partial(time.clock_gettime, _BOOTTIME)
)
"""Counts seconds, sleep too where the system has a clock for that (Linux has)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment by both times.

    `wall` is in seconds since the epoch; so is `steady`, but as if nobody had ever set
    the clock.
    """

    steady: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """A moment, and the ID of the clock that showed it: each start has its own."""

    clock: str
    moment: Moment


class Clock:
    """Reads steady time (`now`) and wall time (`wall`).

    Only over a restart is steady time taken from the wall clock: see `resume`.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = _STEADY,
        timezone: Callable[[], tzinfo] = lambda: UTC,
    ) -> None:
        """Start with both times the same; `steady` counts seconds from anywhere."""
        self._id = uuid.uuid4().hex
        self.wall = wall
        self.timezone = timezone
        self._steady = steady
        self._zero = wall() - steady()

    def now(self) -> float:
        """Return the steady time in seconds: what is waited for is compared with it."""
        return self._zero + self._steady()

    def moment(self) -> Moment:
        """Return this moment by both times."""
        return Moment(steady=self._zero + self._steady(), wall=self.wall())

    def reading(self) -> ClockReading:
        """Return what the clock shows, for the clock of the next start."""
        return ClockReading(clock=self._id, moment=self.moment())

    def resume(self, last: ClockReading) -> None:
        """Go on from what the last clock showed.

        The time off is what the wall clock says. One that stands before the last
        reading knows nothing of it, and then no time has passed.
        """
        self._zero -= self.ahead_of(last)

    def ahead_of(self, last: ClockReading) -> float:
        """Return the seconds that steady time is ahead of that of another clock.

        That is the one that would `resume` from what the other one showed last.
        """
        if last.clock == self._id:
            return 0
        time_off = max(0, self.wall() - last.moment.wall)
        return self.now() - last.moment.steady - time_off

    def wall_of(self, steady: float) -> float:
        """Return a moment of steady time as the wall clock counts it now."""
        return steady - self.now() + self.wall()

    def local_time(self) -> str:
        """Return the local time as HH:MM:SS."""
        moment = datetime.fromtimestamp(self.wall(), self.timezone())
        return moment.strftime("%H:%M:%S")

    def today(self) -> str:
        """Return the local date as YYYY-MM-DD."""
        return _day_of(int(self.wall() // _QUARTER), self.timezone())

    def seconds_left_today(self) -> float:
        """Return the seconds until the local date changes."""
        now = self.wall()
        timezone = self.timezone()
        tomorrow = datetime.fromtimestamp(now, timezone).date() + timedelta(days=1)
        midnight = datetime.combine(tomorrow, dt_time.min, timezone)
        return midnight.timestamp() - now

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
