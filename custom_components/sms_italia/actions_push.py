"""The actions for a provider with an app of its own: invite to it, read it back."""

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_get_config_entry
import voluptuous as vol

from .actions_history import (
    ATTR_MESSAGE_ID,
    ATTR_NUMBER,
    read_message_id,
    unreadable_history,
)
from .const import DOMAIN
from .errors import order_error, provider_error
from .messaging.errors import OrderRefusedError, Refusal
from .messaging.ledger_model import LedgerUnreadableError
from .pictures import save_picture
from .providers.client import Feature, ProviderClient
from .providers.errors import ProviderError
from .providers.model import MessageRef
from .runtime import SmsItaliaConfigEntry
from .sending import parse_given

ATTR_PICTURE_ID = "picture_id"
ATTR_FILENAME = "filename"

CREATE_PUSH_INVITATION_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Required(ATTR_NUMBER): cv.string,
    }
)
GET_PUSH_PICTURE_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Exclusive(ATTR_MESSAGE_ID, "picture"): cv.string,
        vol.Exclusive(ATTR_PICTURE_ID, "picture"): cv.string,
        vol.Required(ATTR_FILENAME): cv.string,
    }
)


async def async_create_push_invitation(call: ServiceCall) -> ServiceResponse:
    """Answer with the `url` that invites a number to the provider's app.

    It is as the provider writes it, often without "https://" before it.
    """
    number = await parse_given(call.hass, call.data[ATTR_NUMBER])
    entry, client = _client(call, Feature.PUSH)
    try:
        invitation = await client.create_invitation(number.e164)
    except ProviderError as err:
        raise provider_error(entry.title, err) from None
    return {"url": invitation.url}


async def async_get_push_picture(call: ServiceCall) -> ServiceResponse:
    """Write the picture of a Push to a file; answer with its `path`.

    And with its `media_content_id`, None if it is not in a media folder.
    """
    entry, client = _client(call, Feature.PICTURE_PUSH)
    if not call.data.keys() & {ATTR_MESSAGE_ID, ATTR_PICTURE_ID}:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="which_picture"
        )
    try:
        picture_id = call.data.get(ATTR_PICTURE_ID) or await _picture_of(
            entry, client, call.data[ATTR_MESSAGE_ID]
        )
        picture = await client.picture(picture_id)
    except OrderRefusedError as err:
        raise order_error(err) from None
    except ProviderError as err:
        raise provider_error(entry.title, err) from None
    except LedgerUnreadableError:
        raise unreadable_history() from None
    saved = await save_picture(call.hass, call.data[ATTR_FILENAME], picture)
    return {"path": str(saved.path), "media_content_id": saved.media_content_id}


def _client(
    call: ServiceCall, feature: Feature
) -> tuple[SmsItaliaConfigEntry, ProviderClient]:
    """Return the account of a call, and its client, which has a feature.

    Raises ServiceValidationError if there is no such account, or the feature is not.
    """
    entry: SmsItaliaConfigEntry = async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    account = entry.runtime_data.account
    if feature not in account.provider.capabilities.features:
        raise order_error(
            OrderRefusedError(
                Refusal.UNSUPPORTED,
                {"field": "push", "provider": account.provider.name},
            )
        )
    return entry, account.client


async def _picture_of(
    entry: SmsItaliaConfigEntry, client: ProviderClient, given: str
) -> str:
    """Return the provider's id of the picture that went with a message of ours.

    Raises OrderRefusedError if the account knows no such message, ProviderError if its
    provider does not tell, and ServiceValidationError if there was no picture.
    """
    message = await entry.runtime_data.messenger.message(read_message_id(given))
    if (
        message is None
        or message.carrier != entry.entry_id
        or message.provider_id is None
    ):
        raise OrderRefusedError(Refusal.UNKNOWN_MESSAGE, {"message_id": given})
    ref = MessageRef(message.provider_id, message.number)
    found = (await client.find_pictures([ref])).get(ref)
    if found is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_picture",
            translation_placeholders={"message_id": given},
        )
    return found.id
