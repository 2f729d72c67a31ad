"""Tells when an account's credit is low."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
)
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import RestoreEntity
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import CREDIT_FEATURES, AccountCoordinator
from .entity import AccountEntity
from .runtime import SmsItaliaConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the warning where the credit is known."""
    if CREDIT_FEATURES & entry.runtime_data.account.provider.capabilities.features:
        async_add_entities([CreditLowSensor(entry)])


class CreditLowSensor(
    AccountEntity,
    CoordinatorEntity[AccountCoordinator],
    BinarySensorEntity,
    RestoreEntity,
):
    """On while the credit is under the account's limit."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Watch the account's credit."""
        AccountEntity.__init__(self, entry, "credit_low")
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)

    @override
    async def async_added_to_hass(self) -> None:
        """Begin with what was known, until something newer is told."""
        await super().async_added_to_hass()
        if (last := await self.async_get_last_state()) is not None:
            self._attr_is_on = {STATE_ON: True, STATE_OFF: False}.get(last.state)
        self._take()

    @override
    @callback
    def _handle_coordinator_update(self) -> None:
        self._take()
        super()._handle_coordinator_update()

    def _take(self) -> None:
        if (is_low := self.coordinator.is_credit_low) is not None:
            self._attr_is_on = is_low
