"""What the actions answer of messages."""

import asyncio
from collections.abc import Sequence
from itertools import batched

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType

from .messaging.model import Message
from .providers.model import Status

_PORTION = 500
"""Messages that are told of before the event loop has its turn."""

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


def message_answer(hass: HomeAssistant, message: Message) -> JsonObjectType:
    """Return a message as the answer of an action shows it.

    `id` is ours, `to` E.164 or the group as "group:7", `account` the title of the one
    that took it or tried it last, `cost` in euro, `type` "sms" or "push" once it is
    known, `send_at` None for what was to go out at once.
    """
    send_at = message.dispatch.wishes.send_at
    in_doubt = message.status is Status.UNCERTAIN
    return {
        "id": message.public_id,
        "to": message.number,
        "status": message.status.value,
        "account": account_of(hass, message),
        "provider_id": None if in_doubt else message.provider_id,
        "parts": message.parts,
        "encoding": message.dispatch.encoding.value,
        "cost": None if message.cost is None else float(message.cost),
        "error": message.error.value if message.error else None,
        "type": message.type.value if message.type else None,
        "send_at": None if send_at is None else _moment(send_at),
    }


async def message_answers(
    hass: HomeAssistant, messages: Sequence[Message]
) -> list[JsonValueType]:
    """Return messages as `message_answer` does; everything else goes on meanwhile."""
    answers: list[JsonValueType] = []
    for portion in batched(messages, _PORTION, strict=False):
        answers += (message_answer(hass, message) for message in portion)
        await asyncio.sleep(0)
    return answers


def account_of(hass: HomeAssistant, message: Message) -> str | None:
    """Return the title of the account that took a message or tried it last.

    None if it was removed.
    """
    entry = hass.config_entries.async_get_entry(
        message.carrier or message.dispatch.account
    )
    return entry.title if entry else None


def found_answer(hass: HomeAssistant, message: Message) -> JsonObjectType:
    """Return a message of the ledger: with its text and its times too."""
    return {
        **message_answer(hass, message),
        "message": message.dispatch.text,
        "created": _moment(message.dispatch.created),
        "updated": _moment(message.updated),
    }


def _moment(seconds: float) -> str:
    """Return a moment in local time, with its offset (ISO 8601)."""
    return dt_util.as_local(dt_util.utc_from_timestamp(seconds)).isoformat()
