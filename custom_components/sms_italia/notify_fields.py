"""What the action editor shows of `notify.<account>`: its fields, in plain words.

The texts are ours, in the language of Home Assistant: the frontend looks those of an
action up by its name, which is another for each account.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.notify import (
    ATTR_DATA,
    ATTR_MESSAGE,
    ATTR_TARGET,
    ATTR_TITLE,
)
from homeassistant.const import CONF_DESCRIPTION, CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .messaging import TextEncoding
from .providers import Channel, Feature, Provider

_FIELDS: Mapping[str, Mapping[str, Any]] = {
    ATTR_MESSAGE: {"required": True, "selector": {"text": {"multiline": True}}},
    ATTR_TITLE: {"selector": {"text": {}}},
    ATTR_TARGET: {"selector": {"text": {"multiple": True}}},
}
"""The fields beside the data, without their texts."""

_NEEDS: Mapping[str, Feature] = {
    "test": Feature.TEST_MODE,
    "channel": Feature.PUSH,
    "picture": Feature.PICTURE_PUSH,
    "transaction_id": Feature.CLIENT_REFERENCE,
}
"""The fields of the data that not every provider has."""


async def async_describe(
    hass: HomeAssistant, provider: Provider, action: str
) -> dict[str, Any]:
    """Return the description of an account's action, in Home Assistant's language.

    Its data has the fields that the provider can use.
    """
    language = hass.config.language
    texts: dict[str, str] = {}
    for category in ("common", "services", "selector"):
        texts |= await async_get_translations(hass, language, category, {DOMAIN})
    data = {"selector": {"object": {"fields": _data_fields(provider, texts)}}}
    prefix = f"component.{DOMAIN}.common.notify_action"
    return {
        CONF_NAME: texts[f"{prefix}_name"].format(action=action),
        CONF_DESCRIPTION: texts[f"{prefix}_description"],
        "fields": {
            field: {
                **definition,
                CONF_NAME: texts[f"{prefix}_{field}_name"],
                CONF_DESCRIPTION: texts[f"{prefix}_{field}_description"],
            }
            for field, definition in {**_FIELDS, ATTR_DATA: data}.items()
        },
    }


def _data_fields(provider: Provider, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of the data that the provider can use, with their labels."""
    selectors: Mapping[str, Mapping[str, Any]] = {
        "sender": {"text": {}},
        "encoding": _select("encoding", TextEncoding, texts),
        "send_at": {"datetime": {}},
        "test": {"boolean": {}},
        "channel": _select("channel", Channel, texts),
        "picture": {"media": {"accept": ["*"]}},
        "transaction_id": {"text": {}},
    }
    prefix = f"component.{DOMAIN}.services.send_sms.fields"
    return {
        key: {"label": texts[f"{prefix}.{key}.name"], "selector": selector}
        for key, selector in selectors.items()
        if key not in _NEEDS or _NEEDS[key] in provider.capabilities.features
    }


def _select(
    key: str, values: type[TextEncoding | Channel], texts: Mapping[str, str]
) -> dict[str, Any]:
    """Return the selector of one value of an enum; `key` is that of their texts."""
    prefix = f"component.{DOMAIN}.selector.{key}.options"
    options = [
        {"value": value.value, "label": texts[f"{prefix}.{value}"]} for value in values
    ]
    return {"select": {"options": options}}
