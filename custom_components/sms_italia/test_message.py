"""The test message to a recipient, from its button or from its form."""

from contextlib import suppress

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .entity import targets_of
from .messaging import SendRequest
from .notify import async_record_notifications
from .runtime import SmsItaliaConfigEntry
from .sending import SendingCall, raise_unless_accepted


async def async_send_test(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    recipient: str,
    context: Context | None,
) -> None:
    """Send a test message to all numbers of a recipient, and note it there.

    Raises a translated HomeAssistantError if no message was accepted.
    """
    with SendingCall(hass, context, entry) as call:
        request = SendRequest(
            account=entry.entry_id,
            targets=targets_of(entry, recipient),
            text=await _text(hass),
        )
        permitted = await call.permit(entry, request)
        messages = await call.send(entry, permitted)
        raise_unless_accepted(hass, messages)
    async_record_notifications(hass, messages)


async def async_test_when_stored(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, name: str
) -> None:
    """Send a test message to the recipient that a form has just stored.

    What is refused becomes a repair, since nobody waits for it.
    """
    # The account takes up the recipient under the lock.
    async with entry.setup_lock:
        pass
    stored = [one for one in entry.subentries.values() if one.title == name]
    # The call reports what it is refused.
    with suppress(HomeAssistantError):
        for recipient in stored:
            await async_send_test(hass, entry, recipient.subentry_id, None)


async def _text(hass: HomeAssistant) -> str:
    """Return the text in the language of Home Assistant.

    It contains the time, because providers refuse a text that they have just sent.
    """
    texts = await async_get_translations(hass, hass.config.language, "common", {DOMAIN})
    return texts[f"component.{DOMAIN}.common.test_message"].format(
        time=f"{dt_util.now():%H:%M:%S}"
    )
