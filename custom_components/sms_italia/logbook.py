"""The sentences of the logbook: one for each message that came to an end."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ICON,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN
from .message_event import ATTR_FALLBACK_FOR, ATTR_STATUS, EVENT_MESSAGE
from .providers import Status

_CANCELLED = "cancelled"

_REASON = f"component.{DOMAIN}.entity.event.delivery.state_attributes.error.state"

_ICONS = {
    Status.DELIVERED: "mdi:message-check-outline",
    Status.SENT: "mdi:message-arrow-right-outline",
    Status.FAILED: "mdi:message-alert-outline",
    Status.EXPIRED: "mdi:message-off-outline",
    Status.UNCERTAIN: "mdi:message-question-outline",
    _CANCELLED: "mdi:message-minus-outline",
}


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, str]]], None],
) -> None:
    """Describe the events of messages, in the language of Home Assistant."""

    @callback
    def describe(event: Event) -> dict[str, str]:
        """Return to whom a message was sent, and its end with the reason."""
        texts = _Texts(hass)
        data = event.data
        return {
            LOGBOOK_ENTRY_NAME: texts.common(
                "name", whom=data["recipient"] or data["number"]
            ),
            LOGBOOK_ENTRY_MESSAGE: _sentence(texts, data),
            LOGBOOK_ENTRY_ICON: _ICONS[data[ATTR_STATUS]],
        }

    async_describe_event(DOMAIN, EVENT_MESSAGE, describe)


class _Texts:
    """Our texts in the language of Home Assistant, which are loaded with us."""

    def __init__(self, hass: HomeAssistant) -> None:
        language = hass.config.language
        self._common = async_get_cached_translations(hass, language, "common", DOMAIN)
        self._entity = async_get_cached_translations(hass, language, "entity", DOMAIN)

    def common(self, name: str, **placeholders: str) -> str:
        """Return a text of the logbook."""
        text = self._common[f"component.{DOMAIN}.common.logbook_{name}"]
        return text.format(**placeholders)

    def reason(self, error: str) -> str:
        """Return why a message was not delivered, as the end of a sentence."""
        reason = self._entity[f"{_REASON}.{error}"]
        return reason[0].lower() + reason[1:]


def _sentence(texts: _Texts, data: Mapping[str, Any]) -> str:
    """Return a message's end, with the reason and the fallback account if any."""
    sentence = texts.common(data[ATTR_STATUS])
    if (error := data["error"]) is not None and error != _CANCELLED:
        reason = texts.reason(error)
        sentence = texts.common("with_reason", end=sentence, reason=reason)
    if (asked := data[ATTR_FALLBACK_FOR]) is not None:
        account = data["account"] or "-"
        sentence = texts.common(
            "with_fallback", sentence=sentence, account=account, asked=asked
        )
    return sentence
