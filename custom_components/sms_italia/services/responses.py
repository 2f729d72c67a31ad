"""Messages as the responses of actions show them."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import batched

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType

from ..amounts import euro_number
from ..messaging import Message, Stage
from ..names import account_title, recipient_name
from ..providers import Status
from ..rights import Caller
from ..runtime import MESSENGER

_BATCH = 500
"""Messages that are converted before the event loop gets its turn."""


def _provider_id(_: HomeAssistant, message: Message) -> str | None:
    """Return the provider's ID, None while the message is uncertain."""
    return None if message.status is Status.UNCERTAIN else message.provider_id


def _send_at(_: HomeAssistant, message: Message) -> str | None:
    """Return when a scheduled message is due, None for one that is sent at once."""
    send_at = message.dispatch.options.send_at
    return None if send_at is None else _local_time(send_at)


_HERE = frozenset({Stage.WAITING, Stage.HELD, Stage.JOINED, Stage.SUBMITTING})
"""Stages of a message that no provider has accepted."""


def _error(hass: HomeAssistant, message: Message) -> str | None:
    """Return why a message was refused last, or that a restart would forget it."""
    if message.stage in _HERE and hass.data[MESSENGER].ledger.forgets:
        return "unrecorded"
    return message.error.value if message.error else None


_FIELDS: Mapping[str, Callable[[HomeAssistant, Message], JsonValueType]] = {
    "id": lambda _, message: message.public_id,
    "to": lambda _, message: message.number,
    "status": lambda _, message: message.status.value,
    "account": account_title,
    "provider_id": _provider_id,
    "parts": lambda _, message: message.parts,
    "encoding": lambda _, message: message.dispatch.encoding.value,
    "cost": lambda _, message: euro_number(message.cost),
    "error": _error,
    "type": lambda _, message: message.type.value if message.type else None,
    "send_at": _send_at,
    "recipient": recipient_name,
}
"""The fields of a message in a response, and how each is read from it."""

MESSAGE_KEYS = tuple(_FIELDS)


def message_response(hass: HomeAssistant, message: Message) -> JsonObjectType:
    """Return a message as a response shows it.

    `id` is ours, `to` is E.164 or the group as "group:7", `account` the title of the
    account that took it or tried it last, `cost` in euro, `type` "sms" or "push" once
    it is known, `send_at` None for what was to go out at once, `recipient` a name, None
    for a free number.
    """
    return {key: read(hass, message) for key, read in _FIELDS.items()}


async def message_responses(
    hass: HomeAssistant,
    messages: Sequence[Message],
    caller: Caller,
    given: Collection[str],
) -> list[JsonValueType]:
    """Return each message as its caller may see it, without blocking the loop.

    `given` are numbers that the caller knows.
    """
    responses: list[JsonValueType] = []
    for batch in batched(messages, _BATCH, strict=False):
        responses += (
            message_response(hass, message) | _masked(message, caller, given)
            for message in batch
        )
        await asyncio.sleep(0)
    return responses


def history_response(
    hass: HomeAssistant, message: Message, caller: Caller
) -> JsonObjectType:
    """Return a message of the history: its text and its times as well."""
    return {
        **message_response(hass, message),
        "message": message.text if caller.sees_all else None,
        "created": _local_time(message.dispatch.created),
        "updated": _local_time(message.updated),
        **_masked(message, caller),
    }


def _masked(
    message: Message, caller: Caller, given: Collection[str] = ()
) -> JsonObjectType:
    """Return the masked number for a caller who may not see it."""
    if caller.sees_all or message.number in given:
        return {}
    return {"to": message.shown_number}


def _local_time(seconds: float) -> str:
    """Return a time in seconds since the epoch as local time (ISO 8601)."""
    return dt_util.as_local(dt_util.utc_from_timestamp(seconds)).isoformat()
