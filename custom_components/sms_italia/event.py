"""The event entity of deliveries, for automations and the logbook."""

from collections.abc import Iterable
from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .amounts import euro_number
from .entity import AccountEntity
from .messaging import Event, Message, MessagesChanged
from .providers import Status
from .runtime import SmsItaliaConfigEntry

PARALLEL_UPDATES = 0

_CANCELLED = "cancelled"
_STATUSES = (Status.DELIVERED, Status.FAILED, Status.EXPIRED, Status.UNCERTAIN)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the account's delivery event."""
    async_add_entities([DeliveryEvent(entry)])


class DeliveryEvent(AccountEntity, EventEntity):
    """Fires when a message has a final status, is cancelled, or becomes uncertain."""

    _attr_event_types = [*(status.value for status in _STATUSES), _CANCELLED]  # noqa: RUF012 - as in the base class

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the event entity of an account."""
        super().__init__(entry, "delivery")

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's messages."""
        await super().async_added_to_hass()
        runtime = self.entry.runtime_data
        self.async_on_remove(
            runtime.messenger.events.listen(runtime.account.id, self._handle_event)
        )
        self._trigger_events(runtime.messenger.events.replay_missed(runtime.account.id))

    @callback
    def _handle_event(self, event: Event) -> None:
        if isinstance(event, MessagesChanged):
            self._trigger_events(event.status_changed)

    def _trigger_events(self, messages: Iterable[Message]) -> None:
        """Fire an event for each message with a final or uncertain status."""
        for message in messages:
            if (event_type := event_type_of(message)) is not None:
                self._trigger_event(event_type, event_attributes(self.hass, message))
                self.async_write_ha_state()


@callback
def event_attributes(
    hass: HomeAssistant, message: Message
) -> dict[str, str | int | float | None]:
    """Return the attributes of a message's event: no text, no full number."""
    asked = hass.config_entries.async_get_entry(message.dispatch.account)
    recipient = asked.subentries.get(message.recipient or "") if asked else None
    account = hass.config_entries.async_get_entry(message.last_account or "")
    return {
        "message_id": message.public_id,
        "recipient": recipient.title if recipient else None,
        "number": message.shown_number,
        "account": account.title if account else None,
        "parts": message.parts,
        "cost": euro_number(message.cost),
        "error": message.error.value if message.error else None,
    }


def event_type_of(message: Message) -> str | None:
    """Return the type of the event for a message's status, None if there is none.

    What the user cancelled is no failure, and no doubt.
    """
    if message.is_cancelled:
        return _CANCELLED if message.status.is_final else None
    return message.status.value if message.status in _STATUSES else None
