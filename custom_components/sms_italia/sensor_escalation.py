"""The sensor of an escalation: whether somebody is being called."""

from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from .entity import EscalationEntity
from .escalations import acknowledgement_attributes, async_find_member
from .messaging import Run, RunNews, RunState

ESCALATION = "escalation"
"""The translation key."""
IDLE = "idle"
_SHOWN = (RunState.CALLING, RunState.ACKNOWLEDGED, RunState.EXHAUSTED)


class EscalationSensor(EscalationEntity, SensorEntity):
    """Where the last run of an escalation stands."""

    _key = ESCALATION
    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = [IDLE, *(state.value for state in _SHOWN)]  # noqa: RUF012 - as in the base class

    @override
    async def async_added_to_hass(self) -> None:
        """Show the last run, and follow the runs."""
        await super().async_added_to_hass()
        escalations = self.entry.runtime_data.messenger.escalations
        self.async_on_remove(
            escalations.listeners.listen(self.subentry_id, self._handle_news)
        )
        self._show(escalations.latest(self.subentry_id))

    @callback
    def _handle_news(self, news: RunNews) -> None:
        self._show(news.run)
        self.async_write_ha_state()

    def _show(self, run: Run | None) -> None:
        if run is None or run.state not in _SHOWN:
            self._attr_native_value = IDLE
            self._attr_extra_state_attributes = {}
            return
        call = run.current
        details = async_find_member(self.hass, call.member) if call else None
        self._attr_native_value = run.state
        self._attr_extra_state_attributes = {
            "step": run.step + 1,
            "member": details.name if details else None,
            "started": dt_util.utc_from_timestamp(run.began.wall).isoformat(),
            **acknowledgement_attributes(run.acknowledgement),
        }
