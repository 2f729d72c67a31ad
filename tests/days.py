"""Another day, as a test of a room lets it begin."""

from datetime import datetime, timedelta

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed


class Midnight:
    """Lets the next day begin; `now` is the wall time."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with the real time."""
        self._hass = hass
        self._passed = timedelta()

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return (dt_util.utcnow() + self._passed).timestamp()

    async def __call__(self) -> None:
        """Return when all that is due at the next midnight has been done."""
        begin = self._next()
        self._passed = begin - dt_util.now()
        for seconds in (0, 6):
            async_fire_time_changed(self._hass, begin + timedelta(seconds=seconds))
            await self._hass.async_block_till_done(wait_background_tasks=True)

    async def set_back(self, hours: float) -> None:
        """Set the wall clock back; return when that has been noticed."""
        self._passed -= timedelta(hours=hours)
        async_fire_time_changed(self._hass, dt_util.utcnow() + timedelta(seconds=60))
        await self._hass.async_block_till_done(wait_background_tasks=True)

    def _next(self) -> datetime:
        today = dt_util.now() + self._passed
        return dt_util.start_of_local_day(today + timedelta(days=1))
