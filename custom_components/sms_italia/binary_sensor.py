"""The binary sensor of a low credit."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import RestoreEntity
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import CREDIT_FEATURES, AccountCoordinator
from .entity import AccountEntity
from .news import NEWS, CreditBecameLow
from .runtime import SmsItaliaConfigEntry

PARALLEL_UPDATES = 0

CREDIT_LOW = "credit_low"


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensor if the provider reports the credit."""
    if CREDIT_FEATURES & entry.runtime_data.account.provider.capabilities.features:
        async_add_entities([CreditLowSensor(entry)])


class CreditLowSensor(
    AccountEntity,
    CoordinatorEntity[AccountCoordinator],
    BinarySensorEntity,
    RestoreEntity,
):
    """On while the credit is not enough for a message or below the account's limit."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the sensor of an account."""
        AccountEntity.__init__(self, entry, CREDIT_LOW)
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)

    @override
    async def async_added_to_hass(self) -> None:
        """Restore the last known state unless there is a newer one."""
        await super().async_added_to_hass()
        if (last := await self.async_get_last_state()) is not None:
            self._attr_is_on = {STATE_ON: True, STATE_OFF: False}.get(last.state)
        self._update_state()

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._update_state()
        super()._handle_coordinator_update()

    def _update_state(self) -> None:
        is_low = self.coordinator.is_credit_low
        if is_low is None:
            return
        if is_low and self._attr_is_on is False:
            # An automation reads this state and that of the credit: they come first.
            news = CreditBecameLow(account=self.entry.entry_id)
            self.hass.loop.call_soon(async_dispatcher_send, self.hass, NEWS, news)
        self._attr_is_on = is_low
