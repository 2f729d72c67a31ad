"""The actions on the message history: find messages, cancel one, send one again."""

import re

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from ..const import DOMAIN
from ..errors import history_error, provider_error, refusal_error
from ..messaging import (
    LedgerUnreadableError,
    Message,
    Messenger,
    Query,
    Refusal,
    RequestRefusedError,
    shown,
    storable,
)
from ..names import account_title, recipients_named
from ..providers import ProviderError, Status
from ..rights import Caller
from ..runtime import MESSENGER
from ..sending import (
    ReportedCall,
    SendingCall,
    as_timestamp,
    moment,
    parse_number,
    raise_unless_accepted,
)
from .accounts import account_of
from .responses import history_response

ATTR_MESSAGE_ID = "message_id"
ATTR_STATUS = "status"
ATTR_RECIPIENT = "recipient"
ATTR_NUMBER = "number"
ATTR_TEXT = "text"
ATTR_SINCE = "since"
ATTR_UNTIL = "until"
ATTR_LIMIT = "limit"
ATTR_OFFSET = "offset"

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 500
_MAX_OFFSET = 1_000_000

FIND_MESSAGES_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(ATTR_STATUS): vol.Coerce(Status),
        vol.Optional(ATTR_RECIPIENT): cv.string,
        vol.Optional(ATTR_NUMBER): cv.string,
        vol.Optional(ATTR_TEXT): cv.string,
        vol.Optional(ATTR_SINCE): moment,
        vol.Optional(ATTR_UNTIL): moment,
        vol.Optional(ATTR_LIMIT, default=_DEFAULT_LIMIT): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=_MAX_LIMIT)
        ),
        vol.Optional(ATTR_OFFSET, default=0): vol.All(
            vol.Coerce(int), vol.Range(min=0, max=_MAX_OFFSET)
        ),
    }
)
CANCEL_SCHEMA = vol.Schema({vol.Required(ATTR_MESSAGE_ID): cv.string})
RESEND_SCHEMA = CANCEL_SCHEMA

_PUBLIC_ID = re.compile(r"[0-7][0-9a-fA-F]{15}")
"""As `Message.public_id` writes it; ids are positive and have 63 bits."""


async def async_find_messages(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Return a page of the history: `messages`, newest first, and their `total`.

    Raises a translated HomeAssistantError for an invalid number, an unknown account or
    recipient, or a ledger that cannot be read.
    """
    hass, data = call.hass, call.data
    number = data.get(ATTR_NUMBER)
    account = account_of(call).entry_id if ATTR_CONFIG_ENTRY_ID in data else None
    query = Query(
        account=account,
        status=data.get(ATTR_STATUS),
        recipients=_recipients(hass, data.get(ATTR_RECIPIENT)),
        number=(await parse_number(hass, number)).e164 if number else None,
        text=storable(data.get(ATTR_TEXT, "")) or None,
        since=as_timestamp(data.get(ATTR_SINCE)),
        until=as_timestamp(data.get(ATTR_UNTIL)),
        limit=data[ATTR_LIMIT],
        offset=data[ATTR_OFFSET],
    )
    try:
        found = await loaded_messenger(hass).ledger.find(query)
    except LedgerUnreadableError:
        raise history_error() from None
    return {
        "messages": [history_response(hass, one, caller) for one in found.messages],
        "total": found.total,
    }


def _recipients(hass: HomeAssistant, name: str | None) -> frozenset[str] | None:
    """Return the IDs of the recipients with a name, None for any recipient or number.

    Raises a translated ServiceValidationError if there is none.
    """
    if not name:
        return None
    if not (recipients := frozenset(recipients_named(hass, name))):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="unknown_recipient",
            translation_placeholders={"recipient": shown(name)},
        )
    return recipients


async def async_cancel(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Cancel a message that waits, here or at its provider; return the message.

    Raises Unauthorized for that of another user, and a translated HomeAssistantError if
    it cannot be cancelled.
    """
    hass = call.hass
    messenger = hass.data[MESSENGER]
    answer_by = messenger.answer_by()
    with ReportedCall(hass, call.context) as reported:
        message = await _own_message(reported, call, caller)
        try:
            message = await messenger.cancel(message.id, answer_by)
        except RequestRefusedError as err:
            raise refusal_error(err) from None
        except ProviderError as err:
            raise provider_error(account_title(hass, message) or "", err) from None
        except LedgerUnreadableError:
            raise history_error() from None
    return history_response(hass, message, caller)


async def async_resend(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Send a message again, as a new one; return `messages`, as they stand then.

    Raises Unauthorized for that of another user, and a translated HomeAssistantError if
    it may not be sent again, or was neither accepted nor queued.
    """
    hass = call.hass
    with SendingCall(hass, call.context) as sending:
        message = await _own_message(sending, call, caller)
        entry = hass.config_entries.async_get_known_entry(message.dispatch.account)
        try:
            messages = await sending.resend(entry, message.id)
        except LedgerUnreadableError:
            raise history_error() from None
        raise_unless_accepted(hass, messages)
    return {"messages": [history_response(hass, one, caller) for one in messages]}


async def _own_message(
    reported: ReportedCall, call: ServiceCall, caller: Caller
) -> Message:
    """Return the message that a call is about; its account is then the call's.

    Raises Unauthorized for what is not the caller's own, and a translated
    HomeAssistantError if it is not known, or the ledger cannot be read.
    """
    given = call.data[ATTR_MESSAGE_ID]
    try:
        message = await loaded_messenger(call.hass).message(read_message_id(given))
    except RequestRefusedError as err:
        raise refusal_error(err) from None
    except LedgerUnreadableError:
        raise history_error() from None
    if message is None:
        raise refusal_error(
            RequestRefusedError(Refusal.UNKNOWN_MESSAGE, {"message_id": given})
        )
    account = message.dispatch.account
    reported.entry = call.hass.config_entries.async_get_entry(account)
    caller.require_owner(message)
    return message


def read_message_id(given: str) -> int:
    """Return the message ID that a user gives in its public form.

    Raises RequestRefusedError for anything else.
    """
    if not _PUBLIC_ID.fullmatch(given):
        raise RequestRefusedError(Refusal.UNKNOWN_MESSAGE, {"message_id": shown(given)})
    return int(given, 16)


def loaded_messenger(hass: HomeAssistant) -> Messenger:
    """Return the messenger.

    Raises a translated HomeAssistantError if no account is loaded: the ledger is closed
    then.
    """
    if not hass.config_entries.async_loaded_entries(DOMAIN):
        raise refusal_error(RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED))
    return hass.data[MESSENGER]
