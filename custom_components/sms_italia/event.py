"""The end of each message as an event, for automations and the logbook."""

from collections.abc import Iterable
from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import AccountEntity
from .messaging.book import Event, MessagesChanged
from .messaging.model import Message
from .providers.model import Status
from .runtime import SmsItaliaConfigEntry

PARALLEL_UPDATES = 0

_TYPES = (Status.DELIVERED, Status.FAILED, Status.EXPIRED, Status.UNCERTAIN)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the account's delivery event."""
    async_add_entities([DeliveryEvent(entry)])


class DeliveryEvent(AccountEntity, EventEntity):
    """Tells when a message was delivered, failed, expired, or became uncertain."""

    _attr_event_types = [status.value for status in _TYPES]  # noqa: RUF012 - as in the base class

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Tell of the account's messages."""
        super().__init__(entry, "delivery")

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's messages."""
        await super().async_added_to_hass()
        runtime = self.entry.runtime_data
        self.async_on_remove(runtime.messenger.listen(runtime.account.id, self._hear))
        self._tell(runtime.messenger.attend(runtime.account.id))

    @callback
    def _hear(self, event: Event) -> None:
        if isinstance(event, MessagesChanged):
            self._tell(event.turned)

    def _tell(self, messages: Iterable[Message]) -> None:
        """Tell of each message that came to an end or became uncertain."""
        for message in messages:
            if message.status in _TYPES:
                self._trigger_event(message.status, self._attributes(message))
                self.async_write_ha_state()

    def _attributes(self, message: Message) -> dict[str, str | int | float | None]:
        """Return what is told of a message; neither its text nor its number."""
        recipient = self.entry.subentries.get(message.recipient or "")
        carrier = self.hass.config_entries.async_get_entry(message.carrier or "")
        return {
            "message_id": message.public_id,
            "recipient": recipient.title if recipient else None,
            "number": message.shown_number,
            "account": carrier.title if carrier else None,
            "parts": message.parts,
            "cost": None if message.cost is None else float(message.cost),
            "error": message.error.value if message.error else None,
        }
