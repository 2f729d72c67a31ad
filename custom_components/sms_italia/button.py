"""The buttons of recipients and escalations."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .entity import (
    EscalationEntity,
    RecipientEntity,
    async_add_escalations,
    async_add_recipients,
)
from .escalations import async_acknowledge
from .messaging import SendRequest, Way
from .rights import async_caller
from .runtime import SmsItaliaConfigEntry
from .sending import SendingCall, raise_unless_accepted

# The messenger limits the parallel requests.
PARALLEL_UPDATES = 0

_CONF_SANDBOX = "sandbox"
"""The option of a provider in whose test mode nothing is sent."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of recipients and escalations."""
    async_add_recipients(hass, entry, async_add_entities, SendTestButton)
    async_add_escalations(hass, entry, async_add_entities, AcknowledgeButton)


class SendTestButton(RecipientEntity, ButtonEntity):
    """Sends a test message to all numbers of a recipient.

    The result is the recipient's delivery status, on the same device.
    """

    _key = "send_test"
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(
        self,
        hass: HomeAssistant,
        entry: SmsItaliaConfigEntry,
        subentry: ConfigSubentry,
    ) -> None:
        """Set up the button, disabled by default for an account in test mode."""
        super().__init__(hass, entry, subentry)
        self._attr_entity_registry_enabled_default = not entry.options.get(
            _CONF_SANDBOX, False
        )

    @override
    async def async_press(self) -> None:
        """Send; raises a translated HomeAssistantError if no message was accepted."""
        with SendingCall(self.hass, self._context, self.entry) as call:
            request = SendRequest(
                account=self.entry.entry_id,
                targets=self.targets,
                text=await self._text(),
            )
            permitted = await call.permit(self.entry, request)
            messages = await call.send(self.entry, permitted)
            raise_unless_accepted(self.hass, messages)

    async def _text(self) -> str:
        """Return the text in the language of Home Assistant.

        It contains the time, because providers refuse a text that they have just sent.
        """
        texts = await async_get_translations(
            self.hass, self.hass.config.language, "common", {DOMAIN}
        )
        return texts[f"component.{DOMAIN}.common.test_message"].format(
            time=f"{dt_util.now():%H:%M:%S}"
        )


class AcknowledgeButton(EscalationEntity, ButtonEntity):
    """Acknowledges the run of an escalation; does nothing if nobody is being called."""

    _key = "acknowledge"

    @override
    async def async_press(self) -> None:
        """Acknowledge, in the name of who pressed it."""
        caller = await async_caller(self.hass, self._context)
        await async_acknowledge(self.hass, self.subentry_id, Way.BUTTON, caller)
