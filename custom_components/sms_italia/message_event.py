"""The event on the bus for each message that came to an end: the logbook reads it."""

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_send

from .const import DOMAIN
from .entity import account_device, subentry_device
from .event import ENDED, event_attributes, event_type_of
from .messaging import Event, Message, MessagesChanged, Stage
from .names import asked_title
from .providers import Status

EVENT_MESSAGE = f"{DOMAIN}_message"

ATTR_STATUS = "status"
ATTR_FALLBACK_FOR = "fallback_for"
"""The account that was asked, if a fallback account stepped in."""


@callback
def async_fire_messages(hass: HomeAssistant, event: Event) -> None:
    """Fire an event for each message that came to an end, or became uncertain.

    The event entity of the account follows in the same context: the logbook then names
    the message in its line, too.
    """
    if not isinstance(event, MessagesChanged):
        return
    for message in event.status_changed:
        if (status := event_type_of(message)) is not None:
            context = _fire(hass, message, status)
            signal = ENDED.format(message.dispatch.account)
            async_dispatcher_send(hass, signal, message, context)
    for message in event.messages:
        if _is_unreported(message):
            _fire(hass, message, Status.SENT)


@callback
def _fire(hass: HomeAssistant, message: Message, status: str) -> Context:
    """Fire the event of a message's end; return its context.

    No text and no full number are in it. Its device is the recipient's; that of the
    account for a free number.
    """
    context = Context()
    hass.bus.async_fire(
        EVENT_MESSAGE,
        {
            ATTR_STATUS: status,
            **event_attributes(hass, message),
            ATTR_FALLBACK_FOR: asked_title(hass, message),
            ATTR_DEVICE_ID: _device_id(hass, message),
        },
        context=context,
    )
    return context


def _is_unreported(message: Message) -> bool:
    """Return whether a message was sent and nothing more is found out about it."""
    is_sent = message.status in {Status.QUEUED, Status.SENT}
    return is_sent and message.stage is Stage.CLOSED and not message.dispatch.is_test


@callback
def _device_id(hass: HomeAssistant, message: Message) -> str | None:
    """Return the ID of the device that a message is shown with.

    That of a recipient who was removed is gone, and the account's may be, too.
    """
    account = message.dispatch.account
    identifiers = [account_device(account)]
    if message.recipient is not None:
        identifiers.insert(0, subentry_device(account, message.recipient))
    registry = dr.async_get(hass)
    devices = (
        registry.async_get_device_by_identifier(one, account) for one in identifiers
    )
    return next((one.id for one in devices if one is not None), None)
