"""The runtime data of a config entry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntry
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .coordinator import AccountCoordinator
from .messaging import Account, Messenger
from .webhook import DeliveryWebhook

if TYPE_CHECKING:
    from .changes import AccountChanges

MESSENGER: HassKey[Messenger] = HassKey(DOMAIN)
"""The messenger of all accounts: they share the ledger and the routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRuntime:
    """A loaded account with what sends for it, and its credit.

    Replaced when the account changes, so that it is not to be kept.
    """

    account: Account
    messenger: Messenger
    coordinator: AccountCoordinator
    webhook: DeliveryWebhook
    changes: AccountChanges


type SmsItaliaConfigEntry = ConfigEntry[AccountRuntime]
