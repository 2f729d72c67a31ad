"""Reads what an entity or an action asks for, and sends it through an account."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolDictType
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .account_setup import default_country
from .const import DOMAIN
from .errors import delivery_error, refusal_error
from .messaging.errors import OrderRefusedError, Refusal
from .messaging.model import BadTarget, Message, Order, Target, Wishes
from .messaging.numbers import (
    NumberProblem,
    PhoneNumber,
    mask_number,
    parse_numbers,
)
from .messaging.text import TextEncoding, join_title
from .pictures import read_picture
from .providers.model import Channel, Mode
from .repairs import async_report_daily_limit
from .runtime import MESSENGER, SmsItaliaConfigEntry

ATTR_SENDER = "sender"
ATTR_ENCODING = "encoding"
ATTR_CHANNEL = "channel"
ATTR_GROUP = "group"
ATTR_SEND_AT = "send_at"
ATTR_PICTURE = "picture"
ATTR_TRANSACTION_ID = "transaction_id"
ATTR_TEST = "test"

_MAX_REFERENCE_LENGTH = 60
"""Characters; what the providers with such a field take."""


def _groups(value: object) -> list[str]:
    """Return the IDs of groups from a list or from text separated by commas."""
    given = ",".join(cv.string(one) for one in cv.ensure_list(value)).split(",")
    ids = [one.strip() for one in given if one.strip()]
    if any(len(one.split()) > 1 for one in ids):
        raise vol.Invalid("not the ID of a group")
    return ids


def _picture(value: object) -> str:
    """Return the name of a picture, taken from a media selector's value if need be."""
    if isinstance(value, Mapping):
        value = value.get("media_content_id")
    return cv.string(value)


PRICE_FIELDS: VolDictType = {
    vol.Optional(ATTR_SENDER): cv.string,
    vol.Optional(ATTR_ENCODING): vol.Coerce(TextEncoding),
    vol.Optional(ATTR_CHANNEL): vol.Coerce(Channel),
    vol.Optional(ATTR_GROUP): _groups,
}
"""Fields of one send that its price may depend on."""

EXTRA_FIELDS: VolDictType = {
    **PRICE_FIELDS,
    vol.Optional(ATTR_SEND_AT): cv.datetime,
    vol.Optional(ATTR_PICTURE): _picture,
    vol.Optional(ATTR_TRANSACTION_ID): vol.All(
        cv.string, vol.Length(max=_MAX_REFERENCE_LENGTH)
    ),
    vol.Optional(ATTR_TEST): cv.boolean,
}
"""Fields of one send beside its text, the same in every action."""

EXTRA_KEYS = tuple(str(marker) for marker in EXTRA_FIELDS)

_EXTRAS_SCHEMA = vol.Schema(EXTRA_FIELDS)

_MODES: Mapping[bool | None, Mode | None] = {
    None: None,
    True: Mode.TEST,
    False: Mode.LIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A text to send; None leaves a choice to the account's options."""

    message: str = field(repr=False)
    title: str | None = field(default=None, repr=False)
    encoding: TextEncoding | None = None
    wishes: Wishes = field(default_factory=Wishes)

    def order(self, account: str, targets: Iterable[Target | BadTarget]) -> Order:
        """Return the request to an account, given by its entry ID."""
        return Order(
            account=account,
            targets=tuple(targets),
            text=join_title(self.title, self.message),
            encoding=self.encoding,
            wishes=self.wishes,
        )


async def read_request(
    hass: HomeAssistant, message: str, title: str | None, extras: Mapping[str, Any]
) -> Request:
    """Return the request with its extra fields; a picture is taken or read now.

    Raises ServiceValidationError for fields that do not match `EXTRA_FIELDS`, and a
    translated HomeAssistantError if there is no such picture.
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
    picture = known.get(ATTR_PICTURE)
    if picture:
        picture = await read_picture(hass, picture)
    return Request(
        message=message,
        title=title,
        encoding=known.get(ATTR_ENCODING),
        wishes=Wishes(
            sender=known.get(ATTR_SENDER),
            send_at=as_timestamp(known.get(ATTR_SEND_AT)),
            channel=known.get(ATTR_CHANNEL),
            mode=_MODES[known.get(ATTR_TEST)],
            groups=tuple(known.get(ATTR_GROUP, ())),
            reference=known.get(ATTR_TRANSACTION_ID),
            picture=picture or None,
        ),
    )


def as_timestamp(time: datetime | None) -> float | None:
    """Return a time in seconds since the epoch; one without a zone is local."""
    return None if time is None else dt_util.as_utc(time).timestamp()


async def parse_number(hass: HomeAssistant, given: str) -> PhoneNumber:
    """Return a phone number that is written in any form.

    Raises ServiceValidationError if it is not valid or a premium-rate number.
    """
    (number,) = await parse_numbers([given], default_country(hass))
    if isinstance(number, PhoneNumber):
        return number
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="not_a_number",
        translation_placeholders={"number": mask_number(given)},
    )


async def recipient_targets(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, recipient: str
) -> list[Target | BadTarget]:
    """Return the targets of a recipient, given by its subentry ID."""
    numbers = entry.runtime_data.account.recipients[recipient]
    return await _targets(hass, [(number, recipient) for number in numbers])


async def named_targets(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, names: Iterable[str]
) -> list[Target | BadTarget]:
    """Return the targets that numbers or names of an account's recipients stand for."""
    account = entry.runtime_data.account
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
    given: list[tuple[str, str | None]] = []
    for name in names:
        if (recipient := by_name.get(name.strip().casefold())) is None:
            given.append((name, None))
        else:
            numbers = account.recipients[recipient]
            given += [(number, recipient) for number in numbers]
    return [
        replace(target, recipient=owners[target.number.e164])
        if isinstance(target, Target)
        and target.recipient is None
        and target.number.e164 in owners
        else target
        for target in await _targets(hass, given)
    ]


async def send(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    request: Request,
    targets: Sequence[Target | BadTarget],
) -> tuple[Message, ...]:
    """Send through an account; return the messages with their first status.

    Raises a translated HomeAssistantError if no message was accepted or queued.
    """
    messages = await submit(hass, entry, request, targets)
    error = delivery_error(messages, partial(account_title, hass))
    if error is not None:
        raise error
    return messages


async def submit(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    request: Request,
    targets: Sequence[Target | BadTarget],
) -> tuple[Message, ...]:
    """Send through an account; return the messages, also if none was accepted.

    Waits for an account that is being reloaded. Raises a translated HomeAssistantError
    if the request is refused as a whole.
    """
    try:
        return await hass.data[MESSENGER].send(request.order(entry.entry_id, targets))
    except OrderRefusedError as err:
        if err.reason is Refusal.DAILY_LIMIT:
            # Only a loaded account has a limit, so its runtime data is there.
            async_report_daily_limit(hass, entry, entry.runtime_data.account)
        raise refusal_error(err) from None


async def _targets(
    hass: HomeAssistant, given: Sequence[tuple[str, str | None]]
) -> list[Target | BadTarget]:
    """Return the targets of numbers as given, each with its recipient, if any."""
    values = [value for value, _ in given]
    parsed = await parse_numbers(values, default_country(hass))
    return [
        BadTarget(given=value, problem=number)
        if isinstance(number, NumberProblem)
        else Target(number=number, recipient=recipient)
        for (value, recipient), number in zip(given, parsed, strict=True)
    ]


def account_title(hass: HomeAssistant, message: Message) -> str | None:
    """Return the title of the account that took a message or tried it last.

    None if it was removed.
    """
    entry = hass.config_entries.async_get_entry(
        message.carrier or message.dispatch.account
    )
    return entry.title if entry else None
