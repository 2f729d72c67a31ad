"""The SMS Italia integration: SMS through four Italian providers."""

from functools import partial
from pathlib import Path

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

from .account_setup import create_account
from .card import async_load_card, async_serve_card, async_unload_card
from .changes import AccountChanges
from .const import DOMAIN
from .coordinator import AccountCoordinator
from .entity import async_name_devices, async_name_subentries
from .escalations import async_find_member
from .issues import (
    async_check_settings,
    async_check_undelivered,
    async_clear_account,
    async_clear_ledger,
    async_report_ledger_trouble,
    async_report_run,
    async_watch_account,
)
from .message_event import async_fire_messages
from .messaging import Clock, Messenger, Timing
from .news import NEWS
from .notify_action import (
    async_register_action,
    async_remove_action,
    async_watch_actions,
)
from .reloads import async_will_be_loaded
from .runtime import MESSENGER, AccountRuntime, SmsItaliaConfigEntry
from .services import async_setup_services
from .undelivered import REFUSED_CALLS, RefusedCalls
from .webhook import DeliveryWebhook, async_remove_cloudhook
from .websocket_api import async_setup_websocket

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NOTIFY,
    Platform.SENSOR,
]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Create the messenger that all accounts share, the actions and the card."""
    messenger = Messenger(
        Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.db")),
        Clock(timezone=dt_util.get_default_time_zone),
        Timing(),
        on_ledger_trouble=partial(async_report_ledger_trouble, hass),
        # Neither Home Assistant nor its Supervisor backs such a file up.
        ledger_mark=Path(hass.config.path(f"{DOMAIN}.db-shm")),
        is_expected=partial(async_will_be_loaded, hass),
        find_member=partial(async_find_member, hass),
    )
    messenger.escalations.listeners.listen_to_all(partial(async_report_run, hass))
    send_news = partial(async_dispatcher_send, hass, NEWS)
    messenger.escalations.listeners.listen_to_all(send_news)
    # The event entities first: an automation may read them.
    messenger.events.listen(None, partial(async_fire_messages, hass))
    messenger.events.listen(None, send_news)
    hass.data[MESSENGER] = messenger
    hass.data[REFUSED_CALLS] = refused_calls = RefusedCalls(hass)
    await refused_calls.async_load()

    # Those of the accounts are checked when these are set up.
    await async_check_undelivered(hass, "")

    async def close(_event: Event) -> None:
        await messenger.close()

    @callback
    def started(_hass: HomeAssistant) -> None:
        messenger.started()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_FINAL_WRITE, close)
    async_at_started(hass, started)
    async_setup_services(hass)
    async_setup_websocket(hass)
    await async_serve_card(hass)
    for entry in hass.config_entries.async_entries(DOMAIN):
        await async_register_action(hass, entry)
    async_watch_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> bool:
    """Set up an account, whether or not its provider can be reached.

    The first request comes after the set-up: an account that waited for its provider
    would be missing while the connection is down and an alarm must be queued.
    """
    messenger = hass.data[MESSENGER]
    await async_register_action(hass, entry)
    webhook = DeliveryWebhook(hass, entry, messenger)
    webhook.async_setup()
    changes = AccountChanges(hass, entry)

    async def take_up_changes(
        _hass: HomeAssistant, _entry: SmsItaliaConfigEntry
    ) -> None:
        await changes.async_take_up()

    # Now, so that no change is missed while the account is set up.
    entry.async_on_unload(entry.add_update_listener(take_up_changes))
    account = await create_account(hass, entry, webhook)
    coordinator = AccountCoordinator(hass, entry, account)
    entry.runtime_data = AccountRuntime(
        account=account,
        messenger=messenger,
        coordinator=coordinator,
        webhook=webhook,
        changes=changes,
    )
    async_name_devices(hass, entry)
    entry.async_on_unload(
        messenger.events.listen(entry.entry_id, coordinator.handle_event)
    )
    await messenger.attach(account)
    try:
        await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    except BaseException:
        await messenger.detach(entry.entry_id)
        raise
    async_watch_account(hass, entry)
    async_load_card(hass)
    entry.async_create_background_task(
        hass, coordinator.async_refresh(), f"{DOMAIN} first refresh"
    )
    return True


async def async_unload_entry(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> bool:
    """Unload an account; its waiting messages stay in the ledger.

    The escalations of one that is disabled call nobody more: nothing is left to
    acknowledge them with.
    """
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        messenger = hass.data[MESSENGER]
        if entry.disabled_by is not None:
            messenger.escalations.keep(entry.entry_id, ())
        await messenger.detach(entry.entry_id)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Remove an account's action, issues, address in the cloud and messages.

    What it has not sent yet is cancelled, at its provider too.
    """
    async_remove_action(hass, entry)
    async_unload_card(hass)
    async_clear_account(hass, entry)
    for other in hass.config_entries.async_loaded_entries(DOMAIN):
        # The removed account may have been a fallback of this one.
        async_check_settings(hass, other, other.runtime_data.account)
    async_name_subentries(hass)
    await async_remove_cloudhook(hass, entry)
    rest = [one.entry_id for one in hass.config_entries.async_entries(DOMAIN)]
    if not rest:
        await async_clear_ledger(hass)
    messenger = hass.data[MESSENGER]
    webhook = DeliveryWebhook(hass, entry, messenger)
    try:
        await messenger.withdraw(await create_account(hass, entry, webhook))
    finally:
        # Also if there is no making an account of what is stored.
        await messenger.forget(entry.entry_id, rest)
