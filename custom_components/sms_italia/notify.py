"""The notify entities of recipients and escalations."""

from collections.abc import Iterable
import logging
from typing import override

from homeassistant.components.notify import (
    DOMAIN as NOTIFY_DOMAIN,
    NotifyEntity,
    NotifyEntityFeature,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    async_get_platforms,
)

from .const import DOMAIN
from .entity import (
    EscalationEntity,
    RecipientEntity,
    async_add_escalations,
    async_add_recipients,
)
from .errors import refusal_error
from .escalations import async_read_plan
from .messaging import (
    Message,
    RequestRefusedError,
    SendRequest,
    TooLong,
    join_title,
)
from .providers import Status
from .runtime import SmsItaliaConfigEntry
from .sending import (
    SendingCall,
    raise_unless_accepted,
)

# The messenger limits the parallel requests; an alert to four people must not wait for
# three timeouts first.
PARALLEL_UPDATES = 0

_LOGGER = logging.getLogger(__name__)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities of recipients and escalations."""
    async_add_recipients(hass, entry, async_add_entities, RecipientNotifyEntity)
    async_add_escalations(hass, entry, async_add_entities, EscalationNotifyEntity)


@callback
def loaded_entities(hass: HomeAssistant) -> dict[str, RecipientNotifyEntity]:
    """Return the notify entities of all recipients by their IDs."""
    return {
        entity_id: entity
        for platform in async_get_platforms(hass, DOMAIN)
        if platform.domain == NOTIFY_DOMAIN
        for entity_id, entity in platform.entities.items()
        if isinstance(entity, RecipientNotifyEntity)
    }


@callback
def async_record_notifications(
    hass: HomeAssistant, messages: Iterable[Message]
) -> None:
    """Update the notify entities of recipients that a message was accepted for."""
    accepted = {
        (message.dispatch.account, message.recipient)
        for message in messages
        if message.recipient is not None
        and message.status in {Status.QUEUED, Status.SENT, Status.DELIVERED}
    }
    if not accepted:
        return
    for entity in loaded_entities(hass).values():
        if (entity.entry.entry_id, entity.subentry_id) in accepted:
            entity.record_notification()


class RecipientNotifyEntity(RecipientEntity, NotifyEntity):
    """The notify entity that sends to all numbers of a recipient."""

    _key = "sms"
    _attr_supported_features = NotifyEntityFeature.TITLE
    _attr_name = None

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Send; raises a translated HomeAssistantError if no message was accepted."""
        with SendingCall(self.hass, self._context, self.entry) as call:
            request = SendRequest(
                account=self.entry.entry_id,
                targets=self.targets,
                text=join_title(title, message) if title else message,
                too_long=TooLong.CUT,
            )
            permitted = await call.permit(self.entry, request)
            messages = await call.send(self.entry, permitted)
            raise_unless_accepted(self.hass, messages)

    @callback
    def record_notification(self) -> None:
        """Record a message that was sent by another action."""
        self._async_record_notification()


class EscalationNotifyEntity(EscalationEntity, NotifyEntity):
    """The notify entity that begins a run of an escalation, or joins it."""

    _key = "call"
    _attr_supported_features = NotifyEntityFeature.TITLE
    _attr_name = None

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Begin to call; raises a translated HomeAssistantError without a text."""
        text = join_title(title, message) if title else message
        user = self._context.user_id if self._context else None
        escalations = self.entry.runtime_data.messenger.escalations
        with SendingCall(self.hass, self._context, self.entry):
            plan = await async_read_plan(self.hass, self.entry, self.subentry_id)
            try:
                await escalations.call(plan, text, user)
            except RequestRefusedError as err:
                raise refusal_error(err) from None
