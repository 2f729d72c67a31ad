"""The actions that send, and the one that tells what sending would come to."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from homeassistant.components.notify import (
    ATTR_MESSAGE,
    ATTR_TITLE,
    DOMAIN as NOTIFY_DOMAIN,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
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

from .answers import MESSAGE_KEYS, account_of, message_answers
from .const import DOMAIN
from .errors import delivery_error, order_error
from .loading import async_settle_accounts
from .messaging.errors import OrderRefusedError, Refusal
from .messaging.model import BadTarget, Message, Target, group_address
from .messaging.together import results_of
from .notify import RecipientNotifyEntity
from .providers.model import Status
from .runtime import SmsItaliaConfigEntry
from .sending import (
    ATTR_GROUP,
    EXTRA_KEYS,
    EXTRAS,
    PRICED,
    Request,
    named_targets,
    read_request,
    recipient_targets,
    submit,
)

ATTR_NUMBERS = "numbers"

_TEXT_AND_TARGETS = {
    vol.Required(ATTR_MESSAGE): cv.string,
    vol.Optional(ATTR_TITLE): cv.string,
    vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
    vol.Optional(ATTR_NUMBERS, default=list): vol.All(cv.ensure_list, [cv.string]),
    **cv.ENTITY_SERVICE_FIELDS,
}
SEND_SMS_SCHEMA = vol.Schema({**_TEXT_AND_TARGETS, **EXTRAS})
ESTIMATE_SCHEMA = vol.Schema({**_TEXT_AND_TARGETS, **PRICED})

type _Orders = dict[str, tuple[SmsItaliaConfigEntry, list[Target | BadTarget]]]
"""The account and the targets of each order, by the account's entry id."""


async def async_send_sms(call: ServiceCall) -> ServiceResponse:
    """Send to numbers and groups through an account, and to recipients through theirs.

    Answers, if asked to, with `messages` and `credit` (euro, of the account if there is
    one only).
    Raises a translated HomeAssistantError if nothing was taken anywhere.
    """
    hass = call.hass
    await async_settle_accounts(call)
    entities = _notify_entities(call)
    orders = await _orders(call, entities)
    whole = await _request(call)
    requests = [_request_for(call, entry, whole) for entry, _ in orders.values()]
    results = await results_of(
        submit(hass, entry, request, targets)
        for (entry, targets), request in zip(orders.values(), requests, strict=True)
    )
    messages: list[Message] = []
    answers: list[JsonValueType] = []
    errors: list[HomeAssistantError] = []
    for (entry, targets), request, result in zip(
        orders.values(), requests, results, strict=True
    ):
        match result:
            case HomeAssistantError():
                errors.append(result)
                given = [target.given for target in targets]
                given += map(group_address, request.wishes.groups)
                answers += [_refused(entry, one, result) for one in given]
            case BaseException():
                raise result
            case _:
                messages += result
                if call.return_response:
                    answers += await message_answers(hass, result)
                error = delivery_error(result, partial(account_of, hass))
                if error is not None:
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
    if not call.return_response:
        return None
    return {
        "messages": answers,
        "credit": _credit([entry for entry, _ in orders.values()]),
    }


async def async_estimate(call: ServiceCall) -> ServiceResponse:
    """Tell what a text would come to, without sending it.

    Without a target it is the price of one SMS to nobody in particular. Raises
    ServiceValidationError for recipients of several accounts: each has its own options
    and prices.
    """
    orders = await _orders(call, _notify_entities(call), allow_none=True)
    if len(orders) > 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="several_accounts"
        )
    ((entry, targets),) = orders.values()
    request = await _request(call)
    runtime = entry.runtime_data
    try:
        estimate = await runtime.messenger.estimate(
            request.order(runtime.account.id, targets)
        )
    except OrderRefusedError as err:
        raise order_error(err) from None
    return {
        "encoding": estimate.encoding.value,
        "parts": estimate.parts,
        "characters_left": estimate.characters_left,
        "costly_characters": list(estimate.costly_characters),
        "text": estimate.text,
        "cost": None if estimate.cost is None else float(estimate.cost),
    }


async def _request(call: ServiceCall) -> Request:
    """Return the text of a call and how it shall go out."""
    extras = {key: call.data[key] for key in EXTRA_KEYS if key in call.data}
    message, title = call.data[ATTR_MESSAGE], call.data.get(ATTR_TITLE)
    return await read_request(call.hass, message, title, extras)


async def _orders(
    call: ServiceCall,
    entities: Iterable[RecipientNotifyEntity],
    *,
    allow_none: bool = False,
) -> _Orders:
    """Return what a call asks of each account.

    Raises a translated HomeAssistantError if it asks nothing, unless `allow_none`, or
    of no loaded account.
    """
    hass, numbers = call.hass, call.data[ATTR_NUMBERS]
    orders: _Orders = {}
    entities = list(entities)
    if numbers or call.data.get(ATTR_GROUP) or (allow_none and not entities):
        entry = _entry(call)
        orders[entry.entry_id] = (entry, await named_targets(hass, entry, numbers))
    for entity in entities:
        _, targets = orders.setdefault(entity.entry.entry_id, (entity.entry, []))
        targets += await recipient_targets(hass, entity.entry, entity.recipient)
    if not orders:
        raise order_error(OrderRefusedError(Refusal.NO_TARGETS))
    return orders


def _entry(call: ServiceCall) -> SmsItaliaConfigEntry:
    """Return the account that a call names, or the only one."""
    entry: SmsItaliaConfigEntry = async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    return entry


def _request_for(
    call: ServiceCall, entry: SmsItaliaConfigEntry, request: Request
) -> Request:
    """Return a request as it goes to an account; groups belong to the one named."""
    if not request.wishes.groups or entry is _entry(call):
        return request
    return replace(request, wishes=replace(request.wishes, groups=()))


def _notify_entities(call: ServiceCall) -> list[RecipientNotifyEntity]:
    """Return the recipients' entities that a call is aimed at.

    Raises ServiceValidationError for an entity that was named and is none of them.
    """
    selection = TargetSelection(call.data)
    if not selection.has_any_target:
        return []
    selected = async_extract_referenced_entity_ids(call.hass, selection)
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


def _refused(
    entry: SmsItaliaConfigEntry, given: str, error: HomeAssistantError
) -> JsonObjectType:
    """Return what an answer shows of a target whose order was refused as a whole."""
    return dict.fromkeys(MESSAGE_KEYS) | {
        "to": given,
        "status": Status.FAILED.value,
        "account": entry.title,
        "error": error.translation_key,
    }


def _credit(entries: Iterable[SmsItaliaConfigEntry]) -> float | None:
    """Return the credit in euro that is known of the only account, else None."""
    match list(entries):
        # It may have been let go while it sent.
        case [entry] if entry.state is ConfigEntryState.LOADED:
            credit = entry.runtime_data.coordinator.data
            return None if credit is None else float(credit.balance)
        case _:
            return None
