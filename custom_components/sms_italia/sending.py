"""From what a person or an automation asks to an order: the one path of every send."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from .const import DOMAIN
from .errors import delivery_error, order_error
from .messaging.errors import OrderRefusedError, Refusal
from .messaging.model import BadTarget, Message, Order, Target
from .messaging.numbers import NumberError, parse_number
from .messaging.text import TextEncoding, join_title
from .options import default_country
from .repairs import async_tell_daily_limit
from .runtime import SmsItaliaConfigEntry

ATTR_SENDER = "sender"
ATTR_ENCODING = "encoding"

EXTRAS: VolDictType = {
    vol.Optional(ATTR_SENDER): cv.string,
    vol.Optional(ATTR_ENCODING): vol.Coerce(TextEncoding),
}
"""What may be chosen for one send beside its text: the same in every action."""

EXTRA_KEYS = (ATTR_SENDER, ATTR_ENCODING)

_EXTRAS_SCHEMA = vol.Schema(EXTRAS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A text as it was asked for; None leaves a choice to the account's options."""

    message: str = field(repr=False)
    title: str | None = field(default=None, repr=False)
    sender: str | None = None
    encoding: TextEncoding | None = None


def read_request(message: str, title: str | None, extras: Mapping[str, Any]) -> Request:
    """Return the request with its extras.

    Raises ServiceValidationError for extras that are none of `EXTRAS`.
    """
    try:
        known = _EXTRAS_SCHEMA(dict(extras))
    except vol.Invalid as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="invalid_extras",
            translation_placeholders={
                "field": ".".join(str(part) for part in err.path) or "data",
                "fields": ", ".join(EXTRA_KEYS),
            },
        ) from None
    return Request(message=message, title=title, **known)


def recipient_targets(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, recipient: str
) -> list[Target | BadTarget]:
    """Return the targets of a recipient, by the id of its subentry."""
    return [
        _target(number, recipient, default_country(hass))
        for number in entry.runtime_data.account.recipients[recipient]
    ]


def named_targets(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, names: Iterable[str]
) -> list[Target | BadTarget]:
    """Return the targets that numbers, or names of an account's recipients, mean."""
    account = entry.runtime_data.account
    country = default_country(hass)
    by_name = {
        subentry.title.casefold(): subentry.subentry_id
        for subentry in entry.subentries.values()
        if subentry.subentry_id in account.recipients
    }
    owners = {
        number: recipient
        for recipient, numbers in account.recipients.items()
        for number in numbers
    }
    targets: list[Target | BadTarget] = []
    for name in names:
        if (recipient := by_name.get(name.strip().casefold())) is not None:
            targets += recipient_targets(hass, entry, recipient)
            continue
        target = _target(name, None, country)
        if isinstance(target, Target):
            owner = owners.get(target.number.e164)
            target = Target(number=target.number, recipient=owner)
        targets.append(target)
    return targets


async def send(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    request: Request,
    targets: Sequence[Target | BadTarget],
) -> tuple[Message, ...]:
    """Send through an account; return the messages as they stand then.

    Raises a translated HomeAssistantError if nothing was taken.
    """
    messages = await submit(hass, entry, request, targets)
    if (error := delivery_error(entry.title, messages)) is not None:
        raise error
    return messages


async def submit(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    request: Request,
    targets: Sequence[Target | BadTarget],
) -> tuple[Message, ...]:
    """Send through an account; return the messages, also if none was taken.

    Raises a translated HomeAssistantError if nothing may be sent at all.
    """
    runtime = entry.runtime_data
    try:
        return await runtime.messenger.send(
            Order(
                account=runtime.account.id,
                targets=tuple(targets),
                text=join_title(request.title, request.message),
                sender=request.sender,
                encoding=request.encoding,
            )
        )
    except OrderRefusedError as err:
        if err.reason is Refusal.DAILY_LIMIT:
            async_tell_daily_limit(hass, entry, runtime.account)
        raise order_error(err) from None


def _target(given: str, recipient: str | None, country: str) -> Target | BadTarget:
    """Return what a number as given means."""
    try:
        return Target(number=parse_number(given, country), recipient=recipient)
    except NumberError as err:
        return BadTarget(given=given, problem=err.reason)
