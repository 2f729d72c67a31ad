"""The actions on the message history: find messages, cancel one."""

import re

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_get_config_entry
import voluptuous as vol

from ..const import DOMAIN
from ..errors import history_error, provider_error, refusal_error
from ..messaging import (
    LedgerUnreadableError,
    Messenger,
    Query,
    Refusal,
    RequestRefusedError,
)
from ..providers import ProviderError, Status
from ..rights import Caller
from ..runtime import MESSENGER
from ..sending import account_title, as_timestamp, parse_number
from .responses import history_response

ATTR_MESSAGE_ID = "message_id"
ATTR_STATUS = "status"
ATTR_NUMBER = "number"
ATTR_TEXT = "text"
ATTR_SINCE = "since"
ATTR_UNTIL = "until"
ATTR_LIMIT = "limit"
ATTR_OFFSET = "offset"

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 500

FIND_MESSAGES_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(ATTR_STATUS): vol.Coerce(Status),
        vol.Optional(ATTR_NUMBER): cv.string,
        vol.Optional(ATTR_TEXT): cv.string,
        vol.Optional(ATTR_SINCE): cv.datetime,
        vol.Optional(ATTR_UNTIL): cv.datetime,
        vol.Optional(ATTR_LIMIT, default=_DEFAULT_LIMIT): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=_MAX_LIMIT)
        ),
        vol.Optional(ATTR_OFFSET, default=0): vol.All(
            vol.Coerce(int), vol.Range(min=0)
        ),
    }
)
CANCEL_SCHEMA = vol.Schema({vol.Required(ATTR_MESSAGE_ID): cv.string})

_PUBLIC_ID = re.compile(r"[0-7][0-9a-fA-F]{15}")
"""As `Message.public_id` writes it; ids are positive and have 63 bits."""


async def async_find_messages(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Return a page of the history: `messages`, newest first, and their `total`.

    Raises a translated HomeAssistantError for an invalid number, an unknown account, or
    a ledger that cannot be read.
    """
    hass, data = call.hass, call.data
    number, account = data.get(ATTR_NUMBER), data.get(ATTR_CONFIG_ENTRY_ID)
    if account is not None:
        account = async_get_config_entry(hass, DOMAIN, account).entry_id
    query = Query(
        account=account,
        status=data.get(ATTR_STATUS),
        number=(await parse_number(hass, number)).e164 if number else None,
        text=data.get(ATTR_TEXT) or None,
        since=as_timestamp(data.get(ATTR_SINCE)),
        until=as_timestamp(data.get(ATTR_UNTIL)),
        limit=data[ATTR_LIMIT],
        offset=data[ATTR_OFFSET],
    )
    try:
        found = await _messenger(hass).ledger.find(query)
    except LedgerUnreadableError:
        raise history_error() from None
    return {
        "messages": [history_response(hass, one, caller) for one in found.messages],
        "total": found.total,
    }


async def async_cancel(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Cancel a message that waits, here or at its provider; return the message.

    Raises Unauthorized for that of another user, and a translated HomeAssistantError if
    it cannot be cancelled.
    """
    hass, messenger = call.hass, _messenger(call.hass)
    account = ""
    try:
        message_id = read_message_id(call.data[ATTR_MESSAGE_ID])
        if (message := await messenger.message(message_id)) is not None:
            caller.require_owner(message)
            account = account_title(hass, message) or ""
        message = await messenger.cancel(message_id)
    except RequestRefusedError as err:
        raise refusal_error(err) from None
    except ProviderError as err:
        raise provider_error(account, err) from None
    except LedgerUnreadableError:
        raise history_error() from None
    return history_response(hass, message, caller)


def read_message_id(given: str) -> int:
    """Return the message ID that a user gives in its public form.

    Raises RequestRefusedError for anything else.
    """
    if not _PUBLIC_ID.fullmatch(given):
        raise RequestRefusedError(Refusal.UNKNOWN_MESSAGE, {"message_id": given})
    return int(given, 16)


def _messenger(hass: HomeAssistant) -> Messenger:
    """Return the messenger.

    Raises a translated HomeAssistantError if no account is loaded: the ledger is closed
    then.
    """
    if not hass.config_entries.async_loaded_entries(DOMAIN):
        raise refusal_error(RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED))
    return hass.data[MESSENGER]
