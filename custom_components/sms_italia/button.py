"""The buttons of recipients and escalations."""

from typing import override

from homeassistant.components.button import ButtonEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import (
    EscalationEntity,
    RecipientEntity,
    async_add_escalations,
    async_add_recipients,
)
from .escalations import async_acknowledge
from .messaging import Way
from .rights import async_caller
from .runtime import SmsItaliaConfigEntry
from .test_message import async_send_test

# The messenger limits the parallel requests.
PARALLEL_UPDATES = 0


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

    @override
    async def async_press(self) -> None:
        """Send; raises a translated HomeAssistantError if no message was accepted."""
        await async_send_test(self.hass, self.entry, self.subentry_id, self._context)


class AcknowledgeButton(EscalationEntity, ButtonEntity):
    """Acknowledges the run of an escalation; does nothing if nobody is being called."""

    _key = "acknowledge"

    @override
    async def async_press(self) -> None:
        """Acknowledge, in the name of who pressed it."""
        caller = await async_caller(self.hass, self._context)
        await async_acknowledge(self.hass, self.subentry_id, Way.BUTTON, caller)
