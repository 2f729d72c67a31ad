"""The account that a call of an action names."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError

from ..const import DOMAIN
from ..errors import refusal_error
from ..messaging import Refusal, RequestRefusedError, shown
from ..runtime import SmsItaliaConfigEntry


def account_of(call: ServiceCall) -> SmsItaliaConfigEntry:
    """Return the account that a call names, or the only one.

    Raises a translated HomeAssistantError if there is none, or it is not loaded.
    """
    given: str | None = call.data.get(ATTR_CONFIG_ENTRY_ID)
    entry = _only(call.hass) if given is None else _named(call.hass, given)
    if entry.state is not ConfigEntryState.LOADED:
        raise refusal_error(RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED))
    return entry


def _named(hass: HomeAssistant, given: str) -> SmsItaliaConfigEntry:
    entry = hass.config_entries.async_get_entry(given)
    if entry is not None and entry.domain == DOMAIN:
        return entry
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="unknown_account",
        translation_placeholders={ATTR_CONFIG_ENTRY_ID: shown(given)},
    )


def _only(hass: HomeAssistant) -> SmsItaliaConfigEntry:
    match hass.config_entries.async_entries(DOMAIN, include_disabled=False):
        case [entry]:
            return entry
        case []:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="no_account"
            )
        case several:
            titles = ", ".join(entry.title for entry in several)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="which_account",
                translation_placeholders={"accounts": titles},
            )
