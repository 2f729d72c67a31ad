"""The runtime data of a config entry."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .coordinator import AccountCoordinator
from .messaging import Account, Messenger
from .webhook import DeliveryWebhook

MESSENGER: HassKey[Messenger] = HassKey(DOMAIN)
"""The messenger of all accounts: they share the ledger and the routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRuntime:
    """A loaded account with what sends for it, and its credit."""

    account: Account
    messenger: Messenger
    coordinator: AccountCoordinator
    webhook: DeliveryWebhook


type SmsItaliaConfigEntry = ConfigEntry[AccountRuntime]
