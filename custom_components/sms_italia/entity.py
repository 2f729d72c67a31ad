"""Base classes of the entities of accounts and recipients."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity

from .const import DOMAIN
from .runtime import SmsItaliaConfigEntry


def unique_id_of(entry: SmsItaliaConfigEntry, key: str) -> str:
    """Return the unique ID of an account's entity."""
    return f"{entry.entry_id}_{key}"


class AccountEntity(Entity):
    """An entity on an account's device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, entry: SmsItaliaConfigEntry, key: str) -> None:
        """Set up an entity of an account; `key` is unique within the account."""
        self.entry = entry
        self._attr_translation_key = key
        self._attr_unique_id = unique_id_of(entry, key)
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)},
        )


class RecipientEntity(Entity):
    """An entity on a recipient's device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
        key: str,
    ) -> None:
        """Set up an entity of a recipient; `key` is unique within the recipient."""
        self.entry = entry
        self.recipient = subentry.subentry_id
        account = entry.runtime_data.account
        self._attr_translation_key = key
        self._attr_unique_id = f"{entry.entry_id}_{subentry.subentry_id}_{key}"
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, f"{entry.entry_id}_{subentry.subentry_id}")},
            manufacturer=account.provider.manufacturer,
            name=subentry.title,
            via_device_id=dr.async_get_device_id_by_identifier(
                hass, (DOMAIN, entry.entry_id), config_entry_id=entry.entry_id
            ),
        )
