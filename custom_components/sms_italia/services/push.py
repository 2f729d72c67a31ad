"""The actions for providers with an app: invite to it, get a picture back."""

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from ..const import DOMAIN
from ..errors import history_error, provider_error, refusal_error
from ..messaging import LedgerUnreadableError, Refusal, RequestRefusedError
from ..pictures import save_picture
from ..providers import Feature, MessageRef, ProviderClient, ProviderError
from ..rights import Caller
from ..runtime import SmsItaliaConfigEntry
from ..sending import parse_number
from .accounts import account_of
from .history import ATTR_MESSAGE_ID, ATTR_NUMBER, read_message_id

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
        vol.Optional(ATTR_MESSAGE_ID): cv.string,
        vol.Optional(ATTR_PICTURE_ID): cv.string,
        vol.Required(ATTR_FILENAME): cv.string,
    }
)


async def async_create_push_invitation(
    call: ServiceCall, _caller: Caller
) -> ServiceResponse:
    """Return the `url` that invites a number to the provider's app.

    The url is as the provider writes it, often without "https://".
    """
    number = await parse_number(call.hass, call.data[ATTR_NUMBER])
    entry, client = _client(call, Feature.PUSH)
    try:
        invitation = await client.create_invitation(number.e164)
    except ProviderError as err:
        raise provider_error(entry.title, err) from None
    return {"url": invitation.url}


async def async_get_push_picture(call: ServiceCall, _caller: Caller) -> ServiceResponse:
    """Save the picture of a Push; return its `path` and its `media_content_id`.

    The latter is None if the file is not in a media folder.
    """
    entry, client = _client(call, Feature.PICTURE_PUSH)
    message_id: str = call.data.get(ATTR_MESSAGE_ID, "")
    picture_id: str = call.data.get(ATTR_PICTURE_ID, "")
    if bool(message_id) is bool(picture_id):
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="which_picture"
        )
    try:
        if message_id:
            picture_id = await _picture_of(entry, client, message_id)
        picture = await client.picture(picture_id)
    except RequestRefusedError as err:
        raise refusal_error(err) from None
    except ProviderError as err:
        raise provider_error(entry.title, err) from None
    except LedgerUnreadableError:
        raise history_error() from None
    saved = await save_picture(call.hass, call.data[ATTR_FILENAME], picture)
    return {"path": str(saved.path), "media_content_id": saved.media_content_id}


def _client(
    call: ServiceCall, feature: Feature
) -> tuple[SmsItaliaConfigEntry, ProviderClient]:
    """Return the account that a call names, and its client.

    Raises ServiceValidationError if there is no such account or its provider lacks the
    feature.
    """
    entry = account_of(call)
    account = entry.runtime_data.account
    if feature not in account.provider.capabilities.features:
        raise refusal_error(
            RequestRefusedError(
                Refusal.UNSUPPORTED,
                {"field": "push", "provider": account.provider.name},
            )
        )
    return entry, account.client


async def _picture_of(
    entry: SmsItaliaConfigEntry, client: ProviderClient, given: str
) -> str:
    """Return the provider's ID of the picture that went with a message.

    Raises RequestRefusedError if the account did not send the message, ProviderError if
    the provider does not answer, and ServiceValidationError if there is no picture.
    """
    message = await entry.runtime_data.messenger.message(read_message_id(given))
    if (
        message is None
        or message.last_account != entry.entry_id
        or message.provider_id is None
    ):
        raise RequestRefusedError(Refusal.UNKNOWN_MESSAGE, {"message_id": given})
    ref = MessageRef(message.provider_id, message.number)
    found = (await client.find_pictures([ref])).get(ref)
    if found is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_picture",
            translation_placeholders={"message_id": given},
        )
    return found.id
