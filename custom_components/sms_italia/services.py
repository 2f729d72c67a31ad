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
from homeassistant.util.json import JsonObjectType, JsonValueType
import voluptuous as vol

from .const import DOMAIN
from .errors import delivery_error, order_error
from .messaging.errors import OrderRefusedError, Refusal
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
    submit,
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
    entities = _notify_entities(call)
    orders = _orders(call, entities)
    results = await asyncio.gather(
        *(submit(hass, entry, request, targets) for entry, targets in orders.values()),
        return_exceptions=True,
    )
    messages: list[Message] = []
    answers: list[JsonValueType] = []
    errors: list[HomeAssistantError] = []
    for (entry, targets), result in zip(orders.values(), results, strict=True):
        match result:
            case HomeAssistantError():
                errors.append(result)
                answers += [_refused(entry, one, result) for one in targets]
            case BaseException():
                raise result
            case _:
                messages += result
                answers += [_answer(hass, message) for message in result]
                if (error := delivery_error(entry.title, result)) is not None:
                    errors.append(error)
    if len(errors) == len(results):
        raise errors[0]
    taken = {
        (message.dispatch.account, message.recipient)
        for message in messages
        if message.status in {Status.QUEUED, Status.SENT, Status.DELIVERED}
    }
    for entity in entities:
        if (entity.entry.entry_id, entity.recipient) in taken:
            entity.record_notification()
    return {
        "messages": answers,
        "credit": _credit([entry for entry, _ in orders.values()]),
    }


def _orders(call: ServiceCall, entities: Iterable[RecipientNotifyEntity]) -> _Orders:
    """Return what a call asks of each account.

    Raises a translated HomeAssistantError if it asks nothing, or of no loaded account.
    """
    hass, numbers = call.hass, call.data[ATTR_NUMBERS]
    orders: _Orders = {}
    if numbers:
        entry: SmsItaliaConfigEntry = async_get_config_entry(
            hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
        )
        orders[entry.entry_id] = (entry, named_targets(hass, entry, numbers))
    for entity in entities:
        _, targets = orders.setdefault(entity.entry.entry_id, (entity.entry, []))
        targets += recipient_targets(hass, entity.entry, entity.recipient)
    if not orders:
        raise order_error(OrderRefusedError(Refusal.NO_TARGETS))
    return orders


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


def _refused(
    entry: SmsItaliaConfigEntry, target: Target | BadTarget, error: HomeAssistantError
) -> JsonObjectType:
    """Return what an answer shows of a target whose order was refused as a whole."""
    return {
        "id": None,
        "to": target.given,
        "status": Status.FAILED.value,
        "account": entry.title,
        "provider_id": None,
        "parts": None,
        "encoding": None,
        "cost": None,
        "error": error.translation_key,
    }


def _credit(entries: Iterable[SmsItaliaConfigEntry]) -> float | None:
    """Return the credit in euro that is known of the only account, else None."""
    known = [entry.runtime_data.coordinator.data for entry in entries]
    credit = known[0] if len(known) == 1 else None
    return None if credit is None else float(credit.balance)
