"""Base classes of the entities of accounts and recipients."""

from collections.abc import Callable

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN, SUBENTRY_TYPE_RECIPIENT
from .runtime import SmsItaliaConfigEntry


def unique_id_of(entry: SmsItaliaConfigEntry, key: str) -> str:
    """Return the unique ID of an account's entity."""
    return f"{entry.entry_id}_{key}"


def _recipient_key(entry: SmsItaliaConfigEntry, subentry: ConfigSubentry) -> str:
    """Return the identifier of a recipient's device."""
    return f"{entry.entry_id}_{subentry.subentry_id}"


@callback
def async_name_devices(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Create the account's device; give it and those of recipients their titles."""
    registry = dr.async_get(hass)
    provider = entry.runtime_data.account.provider
    registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=provider.manufacturer,
        name=entry.title,
        configuration_url=provider.console_url,
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT):
        device = registry.async_get_device_by_identifier(
            (DOMAIN, _recipient_key(entry, subentry)), entry.entry_id
        )
        if device is not None:
            registry.async_update_device(device.id, name=subentry.title)


@callback
def async_add_recipients(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: Callable[[HomeAssistant, SmsItaliaConfigEntry, ConfigSubentry], Entity],
) -> None:
    """Add an entity for each recipient, and for each that comes later.

    Home Assistant removes those of recipients that go.
    """
    added: set[str] = set()

    @callback
    def add_new() -> None:
        recipients = entry.runtime_data.account.recipients
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT):
            subentry_id = subentry.subentry_id
            # One that came just now is not in the account yet.
            if subentry_id in recipients and subentry_id not in added:
                added.add(subentry_id)
                async_add_entities(
                    [create(hass, entry, subentry)], config_subentry_id=subentry_id
                )

    add_new()
    entry.async_on_unload(entry.runtime_data.coordinator.async_add_listener(add_new))


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
        self._attr_translation_key = key
        self._attr_unique_id = f"{_recipient_key(entry, subentry)}_{key}"
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, _recipient_key(entry, subentry))},
            model="SMS recipient",
            name=subentry.title,
            via_device_id=dr.async_get_device_id_by_identifier(
                hass, (DOMAIN, entry.entry_id), config_entry_id=entry.entry_id
            ),
        )
