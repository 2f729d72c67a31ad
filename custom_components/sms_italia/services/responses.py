"""Messages as the responses of actions show them."""

import asyncio
from collections.abc import Sequence
from itertools import batched

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType

from ..messaging import Message
from ..providers import Status
from ..sending import account_title

_BATCH = 500
"""Messages that are converted before the event loop gets its turn."""

MESSAGE_KEYS = (
    "id",
    "to",
    "status",
    "account",
    "provider_id",
    "parts",
    "encoding",
    "cost",
    "error",
    "type",
    "send_at",
)


def message_response(hass: HomeAssistant, message: Message) -> JsonObjectType:
    """Return a message as a response shows it.

    `id` is ours, `to` is E.164 or the group as "group:7", `account` the title of the
    account that took it or tried it last, `cost` in euro, `type` "sms" or "push" once
    it is known, `send_at` None for what was to go out at once.
    """
    send_at = message.dispatch.options.send_at
    in_doubt = message.status is Status.UNCERTAIN
    return {
        "id": message.public_id,
        "to": message.number,
        "status": message.status.value,
        "account": account_title(hass, message),
        "provider_id": None if in_doubt else message.provider_id,
        "parts": message.parts,
        "encoding": message.dispatch.encoding.value,
        "cost": None if message.cost is None else float(message.cost),
        "error": message.error.value if message.error else None,
        "type": message.type.value if message.type else None,
        "send_at": None if send_at is None else _local_time(send_at),
    }


async def message_responses(
    hass: HomeAssistant, messages: Sequence[Message]
) -> list[JsonValueType]:
    """Return each message as `message_response` does, without blocking the loop."""
    responses: list[JsonValueType] = []
    for batch in batched(messages, _BATCH, strict=False):
        responses += (message_response(hass, message) for message in batch)
        await asyncio.sleep(0)
    return responses


def history_response(hass: HomeAssistant, message: Message) -> JsonObjectType:
    """Return a message of the history: its text and its times as well."""
    return {
        **message_response(hass, message),
        "message": message.dispatch.text,
        "created": _local_time(message.dispatch.created),
        "updated": _local_time(message.updated),
    }


def _local_time(seconds: float) -> str:
    """Return a time in seconds since the epoch as local time (ISO 8601)."""
    return dt_util.as_local(dt_util.utc_from_timestamp(seconds)).isoformat()
