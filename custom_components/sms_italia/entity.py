"""Base classes of the entities of accounts, recipients and escalations."""

from collections.abc import Callable, Iterable

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN, SUBENTRY_TYPE_ESCALATION, SUBENTRY_TYPE_RECIPIENT
from .messaging import BadTarget, Event, Target
from .names import device_name
from .runtime import SmsItaliaConfigEntry


def unique_id_of(entry: SmsItaliaConfigEntry, key: str) -> str:
    """Return the unique ID of an account's entity."""
    return f"{entry.entry_id}_{key}"


def account_device(entry_id: str) -> tuple[str, str]:
    """Return the identifier of an account's device."""
    return DOMAIN, entry_id


def subentry_device(entry_id: str, subentry_id: str) -> tuple[str, str]:
    """Return the identifier of a recipient's or an escalation's device."""
    return DOMAIN, f"{entry_id}_{subentry_id}"


@callback
def async_name_devices(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Create the account's device; give it and those of subentries their names."""
    provider = entry.runtime_data.account.provider
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={account_device(entry.entry_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=provider.manufacturer,
        name=entry.title,
        configuration_url=provider.console_url,
    )
    async_name_subentries(hass)


@callback
def async_name_subentries(hass: HomeAssistant) -> None:
    """Give the devices of all recipients and escalations their names.

    Of all accounts: what one of them is called may change the names in another.
    """
    registry = dr.async_get(hass)
    for entry in hass.config_entries.async_entries(DOMAIN):
        for subentry in entry.subentries.values():
            device = registry.async_get_device_by_identifier(
                subentry_device(entry.entry_id, subentry.subentry_id), entry.entry_id
            )
            if device is not None:
                name = device_name(hass, entry, subentry)
                registry.async_update_device(device.id, name=name)


type _Create = Callable[[HomeAssistant, SmsItaliaConfigEntry, ConfigSubentry], Entity]


@callback
def async_add_recipients(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: _Create,
) -> None:
    """Add an entity for each recipient, and for each that comes later."""

    def ready() -> Iterable[ConfigSubentry]:
        # One that came just now is not in the account yet.
        recipients = entry.runtime_data.account.recipients
        subentries = entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT)
        return [one for one in subentries if one.subentry_id in recipients]

    _async_add_each(hass, entry, async_add_entities, create, ready)


@callback
def async_add_escalations(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: _Create,
) -> None:
    """Add an entity for each escalation, and for each that comes later."""

    def ready() -> Iterable[ConfigSubentry]:
        return entry.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)

    _async_add_each(hass, entry, async_add_entities, create, ready)


@callback
def _async_add_each(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: _Create,
    ready: Callable[[], Iterable[ConfigSubentry]],
) -> None:
    """Add an entity for each subentry that is ready now or later.

    Home Assistant removes those of subentries that go.
    """
    added: set[str] = set()

    @callback
    def add_new() -> None:
        for subentry in ready():
            subentry_id = subentry.subentry_id
            if subentry_id not in added:
                added.add(subentry_id)
                async_add_entities(
                    [create(hass, entry, subentry)], config_subentry_id=subentry_id
                )

    add_new()
    entry.async_on_unload(entry.runtime_data.coordinator.async_add_listener(add_new))


def targets_of(
    entry: SmsItaliaConfigEntry, recipient: str
) -> tuple[Target | BadTarget, ...]:
    """Return the numbers of a recipient of a loaded account.

    Raises a translated HomeAssistantError if it is just being removed.
    """
    targets = entry.runtime_data.account.recipients.get(recipient)
    if targets is None:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="recipient_removed"
        )
    return targets


def _model_of(hass: HomeAssistant, subentry: ConfigSubentry) -> str | None:
    """Return what the device of a subentry is, in the language of the instance.

    Home Assistant translates names of devices only. The texts were loaded when the
    account was set up; None if the language has changed this moment.
    """
    texts = async_get_cached_translations(hass, hass.config.language, "common", DOMAIN)
    return texts.get(f"component.{DOMAIN}.common.model_{subentry.subentry_type}")


class EntryEntity(Entity):
    """An entity of an account, on whichever device."""

    entry: SmsItaliaConfigEntry
    _attr_has_entity_name = True
    _attr_should_poll = False

    @callback
    def async_listen(self, listener: Callable[[Event], None]) -> None:
        """Notify of the account's events until the entity is removed."""
        events = self.entry.runtime_data.messenger.events
        self.async_on_remove(events.listen(self.entry.entry_id, listener))


class AccountEntity(EntryEntity):
    """An entity on an account's device."""

    def __init__(self, entry: SmsItaliaConfigEntry, key: str) -> None:
        """Set up an entity of an account; `key` is unique within the account."""
        self.entry = entry
        self._attr_translation_key = key
        self._attr_unique_id = unique_id_of(entry, key)
        self._attr_device_info = DeviceInfo(
            identifiers={account_device(entry.entry_id)},
        )


class SubentryEntity(EntryEntity):
    """An entity on the device of a recipient or of an escalation.

    `_key` is unique within the subentry.
    """

    _key: str

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
    ) -> None:
        """Set up an entity of a subentry."""
        self.entry = entry
        self.subentry_id = subentry.subentry_id
        self._attr_translation_key = self._key
        device = subentry_device(entry.entry_id, subentry.subentry_id)
        self._attr_unique_id = f"{device[1]}_{self._key}"
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={device},
            model=_model_of(hass, subentry),
            name=device_name(hass, entry, subentry),
            via_device_id=dr.async_get_device_id_by_identifier(
                hass, account_device(entry.entry_id), config_entry_id=entry.entry_id
            ),
        )


class RecipientEntity(SubentryEntity):
    """An entity on a recipient's device."""

    @property
    def targets(self) -> tuple[Target | BadTarget, ...]:
        """The numbers of the recipient.

        Raises a translated HomeAssistantError if it is just being removed.
        """
        return targets_of(self.entry, self.subentry_id)


class EscalationEntity(SubentryEntity):
    """An entity on an escalation's device."""
