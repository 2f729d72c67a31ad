"""The fields of our actions: every value that they do not take is refused in words."""

from collections.abc import Mapping
from typing import Any

from homeassistant.const import (
    ATTR_AREA_ID,
    ATTR_CONFIG_ENTRY_ID,
    ATTR_DEVICE_ID,
    ATTR_ENTITY_ID,
    ATTR_FLOOR_ID,
    ATTR_LABEL_ID,
)
from homeassistant.exceptions import ServiceValidationError
import voluptuous as vol

from .const import DOMAIN
from .messaging import TextEncoding, shown
from .providers import Channel, Status

EXAMPLES: Mapping[str, str] = {
    "message": '"Allarme: 21 °C"',
    "title": "Casa",
    "target": '"+39 333 1234567"',
    "data": "sender: Casa",
    "numbers": '"+39 333 1234567"',
    "number": '"+39 333 1234567"',
    "sender": "Casa",
    "encoding": " / ".join(TextEncoding),
    "channel": " / ".join(Channel),
    "status": " / ".join(Status),
    "group": "7",
    "send_at": '"2030-12-24 08:00:00"',
    "since": '"2030-12-24 08:00:00"',
    "until": '"2030-12-24 08:00:00"',
    "test": "true / false",
    "picture": "camera.cortile",
    "transaction_id": "allarme-42",
    "recipient": "Anna",
    "text": "allarme",
    "limit": "1 / 50 / 500",
    "offset": "0 / 50",
    "message_id": "0a1b2c3d4e5f6071",
    "picture_id": "0a1b2c3d",
    "filename": "/media/cortile.jpg",
    ATTR_CONFIG_ENTRY_ID: "01K3F0Q8VJ9Z7W4M2T6R5N1XYC",
    ATTR_ENTITY_ID: "notify.anna",
    ATTR_DEVICE_ID: "8f14e45fceea167a5a36dedd4bea2543",
    ATTR_AREA_ID: "cortile",
    ATTR_FLOOR_ID: "piano_terra",
    ATTR_LABEL_ID: "allarmi",
    # Newer releases only.
    "exclude": "entity_id: notify.anna",
}
"""What each field takes, as one writes it in YAML; words apart by a slash."""


def read_fields(schema: vol.Schema, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a call's fields, as a schema has them.

    Raises ServiceValidationError that names a field which is missing, unknown, or has a
    value that cannot be used; never with the value, which may be private.
    """
    try:
        values: dict[str, Any] = schema(dict(data))
    # Python's own errors too: a validator is given whatever a template results in.
    except vol.Invalid, ValueError, TypeError, OverflowError:
        raise _refusal_of(schema, data) from None
    return values


def _refusal_of(schema: vol.Schema, data: Mapping[str, Any]) -> ServiceValidationError:
    """Return why the values of a call's fields are refused, naming the first one."""
    markers = {str(marker): marker for marker in schema.schema}
    for key in data:
        if key not in markers:
            return _error("unknown_field", shown(str(key)), fields=", ".join(markers))
    for key, marker in markers.items():
        if isinstance(marker, vol.Required) and key not in data:
            return _error("missing_field", key, example=_example(key))
    refused = next(
        key
        for key, marker in markers.items()
        if key in data
        and not _takes(vol.Schema({marker: schema.schema[marker]}), key, data[key])
    )
    return _error("invalid_field", refused, example=_example(refused))


def _takes(schema: vol.Schema, key: str, value: object) -> bool:
    """Return whether a field takes a value."""
    try:
        schema({key: value})
    except vol.Invalid, ValueError, TypeError, OverflowError:
        return False
    return True


def _example(key: str) -> str:
    """Return the example of a field; a newer release may have fields of a target."""
    return EXAMPLES.get(key, "-")


def _error(key: str, field: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"field": field, **placeholders},
    )
