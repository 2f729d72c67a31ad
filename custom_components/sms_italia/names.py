"""The names that people gave to accounts and recipients."""

from collections.abc import Iterable

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant

from .account_setup import name_key
from .const import DOMAIN, SUBENTRY_TYPE_RECIPIENT
from .messaging import Message
from .runtime import SmsItaliaConfigEntry


def account_title(hass: HomeAssistant, message: Message) -> str | None:
    """Return the title of the account that took a message or tried it last.

    None if it was removed.
    """
    return title_of(hass, message.last_account or message.dispatch.account)


def asked_title(hass: HomeAssistant, message: Message) -> str | None:
    """Return the title of the account that was asked, if a fallback stepped in.

    None if none did, or if the account was removed.
    """
    asked = message.dispatch.account
    return None if message.last_account in {None, asked} else title_of(hass, asked)


def title_of(hass: HomeAssistant, account: str) -> str | None:
    """Return the title of an account, None if it was removed."""
    entry = hass.config_entries.async_get_entry(account)
    return entry.title if entry else None


def recipient_name(hass: HomeAssistant, message: Message) -> str | None:
    """Return the name of a message's recipient.

    None for a free number, and for a recipient that was removed.
    """
    return name_of(hass, message.dispatch.account, message.recipient)


def name_of(hass: HomeAssistant, account: str, recipient: str | None) -> str | None:
    """Return the name of a recipient of an account, None if there is none."""
    entry = hass.config_entries.async_get_entry(account)
    subentry = entry.subentries.get(recipient or "") if entry else None
    return subentry.title if subentry else None


def device_name(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, subentry: ConfigSubentry
) -> str:
    """Return the name of the device of a recipient or an escalation.

    With its account's title if another account has one of the same name: whoever
    chooses an entity sees nothing else to tell them apart.
    """
    key = name_key(subentry.title)
    others = (one for one in hass.config_entries.async_entries(DOMAIN) if one != entry)
    titles = (one.title for other in others for one in other.subentries.values())
    is_shared = key in map(name_key, titles)
    return _name_with_account(entry, subentry) if is_shared else subentry.title


def _name_with_account(entry: SmsItaliaConfigEntry, subentry: ConfigSubentry) -> str:
    return f"{subentry.title} ({entry.title})"


def recipients_named(hass: HomeAssistant, name: str) -> Iterable[str]:
    """Return the IDs of the recipients of all accounts that have a name.

    Its own, alone or with the account's title, as its device may have it: automations
    read that.
    """
    key = name_key(name)
    return [
        subentry.subentry_id
        for entry in hass.config_entries.async_entries(DOMAIN)
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT)
        if key in map(name_key, (subentry.title, _name_with_account(entry, subentry)))
    ]
