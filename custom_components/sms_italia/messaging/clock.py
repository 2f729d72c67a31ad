"""The time, as the messaging layer reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
import time

_QUARTER = 900
"""Seconds that no midnight of any time zone lies within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Reads the time; `now` is in seconds since the epoch.

    `monotonic` counts seconds from anywhere, and does not jump when the time is set.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    timezone: Callable[[], tzinfo] = lambda: UTC

    def local_time(self) -> str:
        """Return the local time as HH:MM."""
        moment = datetime.fromtimestamp(self.now(), self.timezone())
        return moment.strftime("%H:%M")

    def today(self) -> str:
        """Return the local date as YYYY-MM-DD."""
        return _day_of(int(self.now() // _QUARTER), self.timezone())

    def day(self, ago: int) -> str:
        """Return the local date so many days ago as YYYY-MM-DD."""
        today = datetime.fromtimestamp(self.now(), self.timezone()).date()
        return (today - timedelta(days=ago)).isoformat()

    def day_of(self, moment: float) -> str:
        """Return the local date of a moment as YYYY-MM-DD."""
        return _day_of(int(moment // _QUARTER), self.timezone())


@lru_cache(maxsize=4)
def _day_of(quarter: int, timezone: tzinfo) -> str:
    """Return the local date of a quarter of an hour, counted from the epoch.

    It is asked for with every change of a message.
    """
    return datetime.fromtimestamp(quarter * _QUARTER, timezone).date().isoformat()
