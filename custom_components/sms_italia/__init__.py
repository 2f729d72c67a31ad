"""SMS Italia: SMS through four Italian providers."""

from pathlib import Path

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, Platform
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.device_registry import DeviceEntryType
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

from .const import CONF_NUMBERS, CONF_PROVIDER, DOMAIN, SUBENTRY_TYPE_RECIPIENT
from .coordinator import AccountCoordinator
from .messaging.account import Account
from .messaging.clock import Clock
from .messaging.messenger import Messenger
from .messaging.pacing import Pace
from .options import default_country, read_options, read_settings
from .providers.registry import PROVIDERS
from .providers.transport import DEFAULT_TIMEOUTS
from .runtime import MESSENGER, AccountRuntime, SmsItaliaConfigEntry
from .services import async_setup_services

PLATFORMS = [Platform.NOTIFY, Platform.SENSOR]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Make the messenger that all accounts share, and register the actions."""
    messenger = Messenger(
        Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.db")),
        Clock(timezone=dt_util.get_default_time_zone),
        Pace(),
        on_ledger_trouble=lambda _: None,
    )
    hass.data[MESSENGER] = messenger

    async def close(_event: Event) -> None:
        await messenger.close()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, close)
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> bool:
    """Set up an account, whether or not its provider can be reached.

    Nothing is asked of the provider first: an account that waited for it would be
    missing just when the line is down and an alarm has to be kept for later.
    """
    provider = PROVIDERS[entry.data[CONF_PROVIDER]]
    account = Account(
        id=entry.entry_id,
        name=entry.title,
        provider=provider,
        client=provider.create(
            async_get_clientsession(hass),
            read_settings(provider, entry.data, entry.options),
            DEFAULT_TIMEOUTS,
        ),
        sender=entry.data.get("sender"),
        options=read_options(entry.options, default_country(hass)),
        recipients={
            subentry.subentry_id: tuple(subentry.data[CONF_NUMBERS])
            for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT)
        },
    )
    messenger = hass.data[MESSENGER]
    coordinator = AccountCoordinator(hass, entry, account)
    entry.runtime_data = AccountRuntime(
        account=account, messenger=messenger, coordinator=coordinator
    )
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=provider.manufacturer,
        name=entry.title,
        configuration_url=provider.console_url,
    )
    entry.async_on_unload(messenger.listen(entry.entry_id, coordinator.take_in))
    await messenger.attach(account)
    try:
        await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    except BaseException:
        await messenger.detach(entry.entry_id)
        raise
    entry.async_create_background_task(
        hass, coordinator.async_refresh(), f"{DOMAIN} first refresh"
    )
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    return True


async def _async_reload(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Take up changed settings, options or recipients."""
    hass.config_entries.async_schedule_reload(entry.entry_id)


async def async_unload_entry(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> bool:
    """Unload an account; its waiting messages stay in the ledger."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await hass.data[MESSENGER].detach(entry.entry_id)
    return unloaded
