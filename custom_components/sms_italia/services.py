"""The actions of the integration."""

import asyncio
from collections.abc import Iterable

from homeassistant.components.notify import (
    ATTR_MESSAGE,
    ATTR_TITLE,
    DOMAIN as NOTIFY_DOMAIN,
)
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.helpers.service import async_get_config_entry
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.util.json import JsonObjectType
import voluptuous as vol

from .const import DOMAIN
from .messaging.model import BadTarget, Message, Target
from .notify import RecipientNotifyEntity
from .providers.model import Status
from .runtime import SmsItaliaConfigEntry
from .sending import (
    EXTRA_KEYS,
    EXTRAS,
    named_targets,
    read_request,
    recipient_targets,
    send,
)

SERVICE_SEND_SMS = "send_sms"
ATTR_CONFIG_ENTRY_ID = "config_entry_id"
ATTR_NUMBERS = "numbers"

_SEND_SMS_SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_MESSAGE): cv.string,
        vol.Optional(ATTR_TITLE): cv.string,
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(ATTR_NUMBERS, default=list): vol.All(cv.ensure_list, [cv.string]),
        **EXTRAS,
        **cv.ENTITY_SERVICE_FIELDS,
    }
)

type _Orders = dict[str, tuple[SmsItaliaConfigEntry, list[Target | BadTarget]]]
"""The account and the targets of each order, by the account's entry id."""


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN,
        SERVICE_SEND_SMS,
        _async_send_sms,
        schema=_SEND_SMS_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )


async def _async_send_sms(call: ServiceCall) -> ServiceResponse:
    """Send to numbers through an account, and to recipients through theirs.

    Answers with `messages` and `credit` (euro, of the account if there is one only).
    Raises a translated HomeAssistantError if nothing was taken anywhere.
    """
    hass = call.hass
    extras = {key: call.data[key] for key in EXTRA_KEYS if key in call.data}
    request = read_request(call.data[ATTR_MESSAGE], call.data.get(ATTR_TITLE), extras)
    orders: _Orders = {}
    entities = _notify_entities(call)
    if call.data[ATTR_NUMBERS] or not entities:
        entry: SmsItaliaConfigEntry = async_get_config_entry(
            hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
        )
        targets = named_targets(hass, entry, call.data[ATTR_NUMBERS])
        orders[entry.entry_id] = (entry, targets)
    for entity in entities:
        _, targets = orders.setdefault(entity.entry.entry_id, (entity.entry, []))
        targets += recipient_targets(hass, entity.entry, entity.recipient)

    results = await asyncio.gather(
        *(send(hass, entry, request, targets) for entry, targets in orders.values()),
        return_exceptions=True,
    )
    messages: list[Message] = []
    for result in results:
        match result:
            case HomeAssistantError() if len(results) > 1:
                pass
            case BaseException():
                raise result
            case _:
                messages += result
    if not messages:
        raise next(one for one in results if isinstance(one, HomeAssistantError))
    taken = {
        (message.dispatch.account, message.recipient)
        for message in messages
        if message.status in {Status.QUEUED, Status.SENT, Status.DELIVERED}
    }
    for entity in entities:
        if (entity.entry.entry_id, entity.recipient) in taken:
            entity.record_notification()
    return {
        "messages": [_answer(hass, message) for message in messages],
        "credit": _credit([entry for entry, _ in orders.values()]),
    }


def _notify_entities(call: ServiceCall) -> list[RecipientNotifyEntity]:
    """Return the recipients' entities that a call is aimed at.

    Raises ServiceValidationError for an entity that was named and is none of them.
    """
    selected = async_extract_referenced_entity_ids(
        call.hass, TargetSelection(call.data)
    )
    ours = {
        entity_id: entity
        for platform in async_get_platforms(call.hass, DOMAIN)
        if platform.domain == NOTIFY_DOMAIN
        for entity_id, entity in platform.entities.items()
        if isinstance(entity, RecipientNotifyEntity)
    }
    for entity_id in sorted(selected.referenced):
        if entity_id not in ours:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_a_recipient",
                translation_placeholders={"entity": entity_id},
            )
    wanted = selected.referenced | selected.indirectly_referenced
    return [entity for entity_id, entity in ours.items() if entity_id in wanted]


def _answer(hass: HomeAssistant, message: Message) -> JsonObjectType:
    """Return a message as the answer of an action shows it."""
    carrier = hass.config_entries.async_get_entry(
        message.carrier or message.dispatch.account
    )
    return {
        "id": message.public_id,
        "to": message.number,
        "status": message.status.value,
        "account": carrier.title if carrier else None,
        "provider_id": message.provider_id,
        "parts": message.parts,
        "encoding": message.dispatch.encoding.value,
        "cost": None if message.cost is None else float(message.cost),
        "error": message.error.value if message.error else None,
    }


def _credit(entries: Iterable[SmsItaliaConfigEntry]) -> float | None:
    """Return the credit in euro that is known of the only account, else None."""
    known = [entry.runtime_data.coordinator.data for entry in entries]
    credit = known[0] if len(known) == 1 else None
    return None if credit is None else float(credit.balance)
