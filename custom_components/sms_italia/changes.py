"""Takes up what changes about a loaded account."""

from dataclasses import replace

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .account_setup import create_account, read_settings
from .const import CONF_PROVIDER, SUBENTRY_TYPE_ESCALATION
from .entity import async_name_devices
from .issues import async_check_settings
from .providers import PROVIDERS, Settings
from .runtime import SmsItaliaConfigEntry


class AccountChanges:
    """Takes up the changed settings, options, recipients and title of an account.

    The account stays loaded: Home Assistant skips an entity that is missing, with
    success, and an alarm to it would be lost.
    """

    def __init__(self, hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
        """Set up what takes up the changes of an account."""
        self._hass = hass
        self._entry = entry
        self._is_due = False
        self._settings: Settings | None = self._read_settings()

    async def async_take_up(self) -> None:
        """Take up how the account is now; of many changes, the last ones count."""
        if self._is_due:
            return
        self._is_due = True
        # Home Assistant holds the lock while it sets up, unloads or removes an account.
        async with self._entry.setup_lock:
            self._is_due = False
            if self._entry.state is ConfigEntryState.LOADED:
                await self._take_up()

    async def async_begin_anew(self) -> None:
        """Take up the account with a new client: what kept it from sending is over.

        What waits for it is tried at once.
        """
        self._settings = None
        await self.async_take_up()

    async def _take_up(self) -> None:
        """Replace the loaded account by what its entry says now."""
        hass, entry, runtime = self._hass, self._entry, self._entry.runtime_data
        settings = self._read_settings()
        # What is known of the client's requests holds as long as the client does.
        client = runtime.account.client if settings == self._settings else None
        account = await create_account(hass, entry, runtime.webhook, client)
        await runtime.messenger.attach(account)
        self._settings = settings
        escalations = entry.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
        runtime.messenger.escalations.keep(
            entry.entry_id, {one.subentry_id for one in escalations}
        )
        entry.runtime_data = replace(runtime, account=account)
        async_name_devices(hass, entry)
        runtime.webhook.async_follow_entry()
        async_check_settings(hass, entry, account)
        runtime.coordinator.async_take_up(account)

    def _read_settings(self) -> Settings:
        """Return the settings of the account's client."""
        provider = PROVIDERS[self._entry.data[CONF_PROVIDER]]
        return read_settings(provider, self._entry.data, self._entry.options)
