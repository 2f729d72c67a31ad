"""The event entities of deliveries and escalations."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .amounts import euro_number
from .const import DOMAIN
from .entity import AccountEntity, EscalationEntity, async_add_escalations
from .escalations import acknowledgement_attributes, async_find_member
from .messaging import (
    Event,
    Message,
    MessagesReceived,
    ReceivedMessage,
    RunEvent,
    RunNews,
)
from .names import name_of, recipient_name
from .providers import Status
from .runtime import SmsItaliaConfigEntry

PARALLEL_UPDATES = 0

ENDED = f"{DOMAIN}_ended_{{}}"
"""The dispatcher signal, with an account's ID, that a message came to an end."""

_CANCELLED = "cancelled"
_RECEIVED = "received"
_STATUSES = (Status.DELIVERED, Status.FAILED, Status.EXPIRED, Status.UNCERTAIN)
_RUN_TYPES = (RunEvent.CALLED, RunEvent.ACKNOWLEDGED, RunEvent.EXHAUSTED)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the account's delivery event, and those of its escalations."""
    async_add_entities([DeliveryEvent(entry)])
    _add_received(entry, async_add_entities)
    async_add_escalations(hass, entry, async_add_entities, EscalationEvent)


@callback
def _add_received(
    entry: SmsItaliaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the event of incoming SMS, as soon as the account receives."""
    added = False

    @callback
    def add() -> None:
        nonlocal added
        if not added and entry.runtime_data.account.receives:
            added = True
            async_add_entities([ReceivedEvent(entry)])

    add()
    entry.async_on_unload(entry.runtime_data.coordinator.async_add_listener(add))


class DeliveryEvent(AccountEntity, EventEntity):
    """Fires when a message has a final status, is cancelled, or becomes uncertain."""

    _attr_event_types = [*(status.value for status in _STATUSES), _CANCELLED]  # noqa: RUF012 - as in the base class

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the event entity of an account."""
        super().__init__(entry, "delivery")

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the account's messages, and fire what ended while nobody did."""
        await super().async_added_to_hass()
        signal = ENDED.format(self.entry.entry_id)
        self.async_on_remove(
            async_dispatcher_connect(self.hass, signal, self._handle_end)
        )
        for message in self.entry.runtime_data.messenger.events.replay_missed(
            self.entry.entry_id
        ):
            self._handle_end(message, Context())

    @callback
    def _handle_end(self, message: Message, context: Context) -> None:
        """Fire an event for a message with a final or uncertain status."""
        if (event_type := event_type_of(message)) is not None:
            self.async_set_context(context)
            self._trigger_event(event_type, event_attributes(self.hass, message))
            self.async_write_ha_state()


class ReceivedEvent(AccountEntity, EventEntity):
    """Fires when an SMS comes in, without its text: attributes are recorded."""

    _attr_event_types = [_RECEIVED]  # noqa: RUF012 - as in the base class

    def __init__(self, entry: SmsItaliaConfigEntry) -> None:
        """Set up the event entity of an account."""
        super().__init__(entry, "received")

    @property
    @override
    def available(self) -> bool:
        """Return whether the account receives SMS."""
        return self.entry.runtime_data.account.receives

    @override
    async def async_added_to_hass(self) -> None:
        """Follow what comes in, and whether the account receives."""
        await super().async_added_to_hass()
        self.async_listen(self._handle_event)
        coordinator = self.entry.runtime_data.coordinator
        self.async_on_remove(coordinator.async_add_listener(self.async_write_ha_state))

    @callback
    def _handle_event(self, event: Event) -> None:
        if not isinstance(event, MessagesReceived):
            return
        for message in event.messages:
            self._trigger_event(
                _RECEIVED, received_attributes(self.hass, self.entry.entry_id, message)
            )
            self.async_write_ha_state()


@callback
def received_attributes(
    hass: HomeAssistant, account: str, message: ReceivedMessage
) -> dict[str, str | None]:
    """Return who wrote an SMS that came in: no text, no full number."""
    return {
        "number": message.shown_number,
        "recipient": name_of(hass, account, message.recipient),
    }


@callback
def event_attributes(
    hass: HomeAssistant, message: Message
) -> dict[str, str | int | float | None]:
    """Return the attributes of a message's event: no text, no full number."""
    account = hass.config_entries.async_get_entry(message.last_account or "")
    return {
        "message_id": message.public_id,
        "recipient": recipient_name(hass, message),
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


class EscalationEvent(EscalationEntity, EventEntity):
    """Fires when a member is called, and at the end of a run."""

    _key = "escalation"
    _attr_event_types = [event.value for event in _RUN_TYPES]  # noqa: RUF012 - as in the base class

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the runs, and fire what happened while nobody did."""
        await super().async_added_to_hass()
        listeners = self.entry.runtime_data.messenger.escalations.listeners
        self.async_on_remove(listeners.listen(self.subentry_id, self._handle_news))
        for news in listeners.replay_missed(self.subentry_id):
            self._handle_news(news)

    @callback
    def _handle_news(self, news: RunNews) -> None:
        if news.event not in _RUN_TYPES:
            return
        call = news.run.current
        details = async_find_member(self.hass, call.member) if call else None
        self._trigger_event(
            news.event,
            {
                "step": news.run.step + 1,
                "member": details.name if details else None,
                **acknowledgement_attributes(news.run.acknowledgement),
            },
        )
        self.async_write_ha_state()
