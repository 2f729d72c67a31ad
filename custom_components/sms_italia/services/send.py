"""The actions that send, and the one that estimates what sending costs."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from homeassistant.components.notify import ATTR_MESSAGE, ATTR_TITLE
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util.json import JsonObjectType, JsonValueType
import voluptuous as vol

from ..account_setup import parse_targets
from ..amounts import euro_number
from ..const import DOMAIN
from ..errors import delivery_error, refusal_error
from ..messaging import (
    BadTarget,
    Message,
    Refusal,
    RequestRefusedError,
    SendOptions,
    SendRequest,
    Target,
    group_address,
    join_title,
    mask_number,
    split_numbers,
)
from ..names import account_title, name_of
from ..notify import async_record_notifications
from ..providers import Status
from ..rights import Caller, Permitted, async_permitted
from ..runtime import MESSENGER, SmsItaliaConfigEntry
from ..sending import (
    ATTR_GROUP,
    EXTRA_FIELDS,
    EXTRA_KEYS,
    PRICE_FIELDS,
    SendingCall,
    named_targets,
    read_options,
)
from .accounts import account_of
from .recipients import TargetedRecipients, async_find_recipients
from .responses import MESSAGE_KEYS, message_responses

ATTR_NUMBERS = "numbers"

_TEXT_AND_TARGETS = {
    vol.Required(ATTR_MESSAGE): cv.string,
    vol.Optional(ATTR_TITLE): vol.Any(None, cv.string),
    vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
    vol.Optional(ATTR_NUMBERS, default=list): vol.All(cv.ensure_list, [cv.string]),
    **cv.ENTITY_SERVICE_FIELDS,
}
SEND_SMS_SCHEMA = vol.Schema({**_TEXT_AND_TARGETS, **EXTRA_FIELDS})
ESTIMATE_SCHEMA = vol.Schema({**_TEXT_AND_TARGETS, **PRICE_FIELDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one call sends through one account."""

    entry: SmsItaliaConfigEntry
    request: Permitted


type _Result = Sequence[Message] | HomeAssistantError
"""The messages of a share, or the error that refused it as a whole."""


async def async_send_sms(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Send to numbers and groups through an account, to recipients through theirs.

    Returns, if asked to, `messages` and `credit` (euro; only if one account sent).
    Raises Unauthorized, before anything is sent, if the caller may not send all of it,
    and a translated HomeAssistantError if no account accepted or queued a message, or
    if a recipient's entity is not loaded; all others are sent to before.
    """
    hass = call.hass
    with SendingCall(hass, call.context, _named_entry(call)) as sending:
        recipients = await async_find_recipients(call, caller, sending.answer_by)
        shares = await _shares(call, caller, recipients)
        results = await _submit_all(sending, shares)
        errors = [error for result in results if (error := _error_of(hass, result))]
        if len(errors) == len(results):
            raise errors[0]
    for result in results:
        if not isinstance(result, HomeAssistantError):
            async_record_notifications(hass, result)
    with SendingCall(hass, call.context, _named_entry(call)):
        recipients.raise_for_missing()
    if not call.return_response:
        return None
    messages: list[JsonValueType] = []
    given = await _given_numbers(call, caller)
    for share, result in zip(shares, results, strict=True):
        messages += await _responses(hass, caller, share, result, given)
    return {"messages": messages, "credit": _credit([share.entry for share in shares])}


async def async_estimate(call: ServiceCall, caller: Caller) -> ServiceResponse:
    """Return parts, encoding and cost (euro) of a text without sending it.

    Without a target, the cost is that of one SMS. Raises Unauthorized for a target that
    the caller may not send to, ServiceValidationError for recipients of several
    accounts, each of which has its own options and prices, and a translated
    HomeAssistantError for a recipient whose entity is not loaded.
    """
    messenger = call.hass.data[MESSENGER]
    answer_by = messenger.answer_by()
    recipients = await async_find_recipients(call, caller, answer_by)
    recipients.raise_for_missing()
    targets = await _targets(call, recipients, needs_target=False)
    if len(targets) > 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="several_accounts"
        )
    ((entry, of_account),) = targets
    request = _request(call, entry, of_account, await _options(call))
    request = async_permitted(call.hass, caller, entry, request)
    try:
        estimate = await messenger.estimate(request, answer_by)
    except RequestRefusedError as err:
        raise refusal_error(err) from None
    return {
        "encoding": estimate.encoding.value,
        "parts": estimate.parts,
        "characters_left": estimate.characters_left,
        "costly_characters": list(estimate.costly_characters),
        "text": estimate.text,
        "cost": euro_number(estimate.cost),
    }


async def _options(call: ServiceCall) -> SendOptions:
    """Return the extra fields of a call."""
    extras = {key: call.data[key] for key in EXTRA_KEYS if key in call.data}
    return await read_options(call.hass, extras, call.context)


def _request(
    call: ServiceCall,
    entry: SmsItaliaConfigEntry,
    targets: Sequence[Target | BadTarget],
    options: SendOptions,
) -> SendRequest:
    """Return the request of a call to an account."""
    return SendRequest(
        account=entry.entry_id,
        targets=tuple(targets),
        text=join_title(call.data.get(ATTR_TITLE), call.data[ATTR_MESSAGE]),
        options=options,
    )


async def _shares(
    call: ServiceCall, caller: Caller, recipients: TargetedRecipients
) -> list[_Share]:
    """Return what a call sends through each account; groups are those of one account.

    Raises Unauthorized if the caller may not send all of it, and a translated
    HomeAssistantError for a call without a target, an account that is not loaded, or
    fields that are not valid.
    """
    targets = await _targets(call, recipients, needs_target=True)
    options = await _options(call)
    owner = account_of(call) if options.groups else None
    without_groups = replace(options, groups=())
    return [
        _Share(
            entry=entry,
            request=async_permitted(
                call.hass,
                caller,
                entry,
                _request(
                    call,
                    entry,
                    of_account,
                    options if owner is None or entry is owner else without_groups,
                ),
            ),
        )
        for entry, of_account in targets
    ]


async def _targets(
    call: ServiceCall,
    recipients: TargetedRecipients,
    *,
    needs_target: bool,
) -> list[tuple[SmsItaliaConfigEntry, list[Target | BadTarget]]]:
    """Return the accounts of a call, each with its targets.

    Raises a translated HomeAssistantError for an account that is not loaded and, if
    `needs_target`, for a call without a target.
    """
    hass, numbers = call.hass, call.data[ATTR_NUMBERS]
    targets: dict[str, tuple[SmsItaliaConfigEntry, list[Target | BadTarget]]] = {}
    if (
        numbers
        or call.data.get(ATTR_GROUP)
        or not (needs_target or recipients.entities)
    ):
        entry = account_of(call)
        targets[entry.entry_id] = (entry, await named_targets(hass, entry, numbers))
    for entity in recipients.entities:
        _, of_account = targets.setdefault(entity.entry.entry_id, (entity.entry, []))
        recipients_now = entity.entry.runtime_data.account.recipients
        # It may have been removed just now.
        of_account += recipients_now.get(entity.subentry_id, ())
    if not targets:
        recipients.raise_for_missing()
        raise refusal_error(RequestRefusedError(Refusal.NO_TARGETS))
    return list(targets.values())


def _named_entry(call: ServiceCall) -> SmsItaliaConfigEntry | None:
    """Return the account that a call names, or the only one; None if there is none."""
    try:
        return account_of(call)
    except HomeAssistantError:
        return None


async def _submit_all(sending: SendingCall, shares: Sequence[_Share]) -> list[_Result]:
    """Send all shares at the same time; an account that refuses stops no other."""
    if len(shares) == 1:
        (share,) = shares
        return [await sending.send(share.entry, share.request)]
    results: list[_Result] = []
    for result in await asyncio.gather(
        *(sending.send(share.entry, share.request) for share in shares),
        return_exceptions=True,
    ):
        match result:
            case HomeAssistantError():
                results.append(result)
            case BaseException():
                raise result
            case _:
                results.append(result)
    return results


def _error_of(hass: HomeAssistant, result: _Result) -> HomeAssistantError | None:
    """Return the error of a share if none of its messages was accepted or queued."""
    if isinstance(result, HomeAssistantError):
        return result
    return delivery_error(result, partial(account_title, hass))


async def _given_numbers(call: ServiceCall, caller: Caller) -> Collection[str]:
    """Return the numbers of a call, which its caller knows, in E.164 and as given."""
    numbers: Sequence[str] = call.data[ATTR_NUMBERS]
    if caller.sees_all or not numbers:
        return ()
    pieces = [piece for number in numbers for piece in split_numbers(number)]
    parsed = await parse_targets(call.hass, pieces)
    return {*pieces, *(one.given for one in parsed)}


async def _responses(
    hass: HomeAssistant,
    caller: Caller,
    share: _Share,
    result: _Result,
    given: Collection[str],
) -> list[JsonValueType]:
    """Return what the response shows of a share's messages.

    The numbers that the call has `given` are shown in full to whoever gave them.
    """
    if not isinstance(result, HomeAssistantError):
        return await message_responses(hass, result, caller, given)
    refused = [
        _refused(
            hass,
            share.entry,
            result,
            to=target.given
            if caller.sees_all or target.given in given
            else mask_number(target.given),
            recipient=target.recipient if isinstance(target, Target) else None,
        )
        for target in dict.fromkeys(share.request.targets)
    ]
    groups = map(group_address, share.request.options.groups)
    return [*refused, *(_refused(hass, share.entry, result, to=one) for one in groups)]


def _refused(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    error: HomeAssistantError,
    *,
    to: str,
    recipient: str | None = None,
) -> JsonObjectType:
    """Return what the response shows of a target whose share was refused."""
    return dict.fromkeys(MESSAGE_KEYS) | {
        "to": to,
        "status": Status.FAILED.value,
        "account": entry.title,
        "error": error.translation_key,
        "recipient": name_of(hass, entry.entry_id, recipient),
    }


def _credit(entries: Sequence[SmsItaliaConfigEntry]) -> float | None:
    """Return the known credit (euro) of the only account, None for several."""
    match entries:
        # The account may have been unloaded while it sent.
        case [entry] if entry.state is ConfigEntryState.LOADED:
            credit = entry.runtime_data.coordinator.data
            return None if credit is None else euro_number(credit.balance)
        case _:
            return None
