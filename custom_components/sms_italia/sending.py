"""The one way of every send, from what was asked for to an account."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from functools import partial
import logging
from types import TracebackType
from typing import Any, Self, override

from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolDictType
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .account_setup import default_country, name_key, parse_targets
from .const import DOMAIN, SUBENTRY_TYPE_RECIPIENT
from .errors import defect_error, delivery_error, refusal_error
from .fields import read_fields
from .issues import async_report_refused_call
from .messaging import (
    Account,
    BadTarget,
    Message,
    NumberProblem,
    PhoneNumber,
    Refusal,
    RequestRefusedError,
    SendOptions,
    SendRequest,
    Target,
    TextEncoding,
    check_count,
    mask_number,
    parse_numbers,
    split_numbers,
    storable,
)
from .names import account_title
from .pictures import entity_of, read_picture
from .providers import Channel, Feature, Mode
from .rights import Permitted, async_caller, async_permitted
from .runtime import MESSENGER, SmsItaliaConfigEntry

_LOGGER = logging.getLogger(__name__)

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


def moment(value: object) -> datetime:
    """Return a date and time in UTC; one without a zone is local.

    Raises vol.Invalid for the first and the last year of the calendar too, which do not
    exist in every zone.
    """
    try:
        time = dt_util.as_utc(cv.datetime(value))
    except OverflowError, ValueError:
        raise vol.Invalid("not a date and time") from None
    if not MINYEAR < time.year < MAXYEAR:
        raise vol.Invalid("not a year of the calendar")
    return time


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
    vol.Optional(ATTR_SEND_AT): moment,
    vol.Optional(ATTR_PICTURE): _picture,
    vol.Optional(ATTR_TRANSACTION_ID): vol.All(
        cv.string, storable, vol.Length(max=_MAX_REFERENCE_LENGTH)
    ),
    vol.Optional(ATTR_TEST): cv.boolean,
}
"""Fields of one send beside its text, the same in every action."""

EXTRA_KEYS = tuple(str(marker) for marker in EXTRA_FIELDS)

_EXTRAS_SCHEMA = vol.Schema(EXTRA_FIELDS)

_JUST_NOW = timedelta(minutes=5)
"""How long a `send_at` may be past."""

_MODES: Mapping[bool | None, Mode | None] = {
    None: None,
    True: Mode.TEST,
    False: Mode.LIVE,
}


async def read_options(
    hass: HomeAssistant, extras: Mapping[str, Any], context: Context | None
) -> SendOptions:
    """Return the options of one send; a picture is taken or read now.

    Raises Unauthorized for the picture of an entity that the caller may not see,
    ServiceValidationError for fields that do not match `EXTRA_FIELDS` and for a
    `send_at` that is past, and a translated HomeAssistantError if there is no such
    picture.
    """
    known = _read_extras(extras)
    picture = known.get(ATTR_PICTURE)
    if picture:
        if (entity_id := entity_of(picture)) is not None:
            caller = await async_caller(hass, context)
            caller.require_entities(POLICY_READ, [entity_id])
        picture = await read_picture(hass, picture)
    return SendOptions(
        sender=known.get(ATTR_SENDER),
        encoding=known.get(ATTR_ENCODING),
        send_at=as_timestamp(known.get(ATTR_SEND_AT)),
        channel=known.get(ATTR_CHANNEL),
        mode=_MODES[known.get(ATTR_TEST)],
        groups=tuple(known.get(ATTR_GROUP, ())),
        reference=known.get(ATTR_TRANSACTION_ID),
        picture=picture or None,
    )


def _read_extras(extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as `EXTRA_FIELDS` has them; raises ServiceValidationError."""
    known = read_fields(_EXTRAS_SCHEMA, extras)
    _check_moment(known.get(ATTR_SEND_AT))
    return known


def _check_moment(send_at: datetime | None) -> None:
    """Raise ServiceValidationError for a moment that is past: it was not meant.

    One that has only just passed means now: somebody filled in a form, or an automation
    took its time.
    """
    if send_at is None:
        return
    local = dt_util.as_local(send_at)
    if local < dt_util.now() - _JUST_NOW:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="past_send_at",
            translation_placeholders={ATTR_SEND_AT: f"{local:%Y-%m-%d %H:%M}"},
        )


def ignored_keys(data: Mapping[str, Any]) -> Collection[str]:
    """Return the keys in the data of `notify.<account>` that are not ours."""
    return data.keys() - _SHARED_KEYS


_STRICT_KEYS = frozenset({ATTR_SEND_AT, ATTR_TEST})
"""Fields without which a message would leave at another time, or for real."""

_SHARED_KEYS = frozenset(EXTRA_KEYS) - {ATTR_GROUP}
"""Fields that `notify.<account>` reads; a `group` is the phone app's word there."""


async def read_shared_options(
    hass: HomeAssistant,
    account: Account,
    data: Mapping[str, Any],
    context: Context | None,
) -> SendOptions:
    """Return the options in the data of `notify.<account>`, which others may share.

    Other members of a notify group need keys of their own, and a phone app knows some
    of ours by another meaning: what cannot be used is left out, with a warning, and the
    message is sent as the account sends. Raises ServiceValidationError for a `send_at`
    or `test` that cannot be read, and for a `send_at` that is past.
    """
    known: dict[str, Any] = {}
    # The channel first: it decides whether a picture can be used.
    for key in sorted(_SHARED_KEYS & data.keys(), key=lambda one: one != ATTR_CHANNEL):
        value = data[key]
        if value is None or value in ("", [], {}):
            continue
        if key == ATTR_CHANNEL and value not in tuple(Channel):
            # The phone app's name for a kind of notification.
            continue
        channel = known.get(ATTR_CHANNEL, account.channel)
        if key in _STRICT_KEYS or _is_usable(account, key, value, channel):
            known[key] = value
        else:
            _LOGGER.warning(
                "%s: '%s' in the data of a notification cannot be used and is left out",
                account.name,
                key,
            )
    try:
        options = await read_options(hass, known, context)
    except Unauthorized:
        raise
    except HomeAssistantError:
        if ATTR_PICTURE not in known or _has_fault(known):
            raise
        _LOGGER.warning(
            "%s: the picture of a notification cannot be read", account.name
        )
        return await read_options(hass, {**known, ATTR_PICTURE: ""}, context)
    rule = account.provider.capabilities.picture
    if options.picture is None or rule is None or not rule.fault(options.picture):
        return options
    _LOGGER.warning("%s: the picture of a notification cannot be sent", account.name)
    return replace(options, picture=None)


def _has_fault(extras: Mapping[str, Any]) -> bool:
    """Return whether fields cannot be read."""
    try:
        _read_extras(extras)
    except ServiceValidationError:
        return True
    return False


def _is_usable(account: Account, key: str, value: object, channel: object) -> bool:
    """Return whether an account can do what a field asks for, by this channel."""
    if _has_fault({key: value}):
        return False
    capabilities = account.provider.capabilities
    match key:
        case "sender":
            return capabilities.sender.allows(str(value))
        case "channel":
            return value == Channel.SMS or account.has(Feature.PUSH)
        case "picture":
            return channel != Channel.SMS and account.has(Feature.PICTURE_PUSH)
        case "transaction_id":
            length = len(str(value))
            is_short = length <= capabilities.reference_length
            return is_short and account.has(Feature.CLIENT_REFERENCE)
        case _:
            return True


def as_timestamp(time: datetime | None) -> float | None:
    """Return a time with a zone in seconds since the epoch."""
    return None if time is None else time.timestamp()


async def parse_number(hass: HomeAssistant, given: str) -> PhoneNumber:
    """Return a phone number that is written in any form.

    Raises ServiceValidationError if it is not valid or a premium-rate number.
    """
    (number,) = await parse_numbers([given], default_country(hass))
    if isinstance(number, PhoneNumber):
        return number
    placeholders = {"number": mask_number(given)}
    match number:
        case NumberProblem.LOST_PLUS:
            raise refusal_error(RequestRefusedError(Refusal.LOST_PLUS, placeholders))
        case NumberProblem.PREMIUM:
            reason = Refusal.PREMIUM_NUMBER
            raise refusal_error(RequestRefusedError(reason, placeholders))
        case NumberProblem.INVALID:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_a_number",
                translation_placeholders=placeholders,
            )


async def named_targets(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, names: Iterable[str]
) -> list[Target | BadTarget]:
    """Return the targets that numbers or names of an account's recipients stand for.

    One text may hold several numbers. A number that stands in several recipients
    belongs to the first of them. Raises ServiceValidationError for too many.
    """
    find = _finder(entry)
    given = [
        piece
        for name in names
        for piece in ([name] if find(name) else split_numbers(name))
    ]
    try:
        check_count(len(given))
    except RequestRefusedError as err:
        raise refusal_error(err) from None
    named = {name: find(name) for name in given}
    numbers = [name for name, targets in named.items() if not targets]
    parsed = dict(zip(numbers, await parse_targets(hass, numbers), strict=True))
    recipients = entry.runtime_data.account.recipients
    owned = _owned(recipients, {one.given for one in parsed.values()})
    found: list[Target | BadTarget] = []
    # One for each that was given, also if it is given twice: an error says its place.
    for name in given:
        found += named[name] or [owned.get(parsed[name].given, parsed[name])]
    return found


def _owned(
    recipients: Mapping[str, Sequence[Target | BadTarget]], numbers: Collection[str]
) -> Mapping[str, Target]:
    """Return which of numbers are of recipients, each as where a call has just it."""
    owners: dict[str, list[Target]] = {}
    for targets in recipients.values():
        for target in targets:
            if isinstance(target, Target) and target.given in numbers:
                owners.setdefault(target.given, []).append(target)
    return {
        number: replace(
            first,
            shared_with=frozenset(
                one.recipient
                for one in others
                if one.recipient is not None and one.recipient != first.recipient
            ),
        )
        for number, (first, *others) in owners.items()
    }


def _finder(
    entry: SmsItaliaConfigEntry,
) -> Callable[[str], Sequence[Target | BadTarget]]:
    """Return what returns the targets of an account's recipients with a name.

    Two recipients may have one name in two spellings, since Home Assistant lets people
    rename them without our form. Then the spelling decides; a third one means both.
    """
    recipients = entry.runtime_data.account.recipients
    by_title: dict[str, list[Target | BadTarget]] = {}
    by_key: dict[str, list[Target | BadTarget]] = {}
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT):
        targets = recipients.get(subentry.subentry_id, ())
        by_title.setdefault(subentry.title, []).extend(targets)
        by_key.setdefault(name_key(subentry.title), []).extend(targets)

    def find(name: str) -> Sequence[Target | BadTarget]:
        # Not another one's numbers, where those of this one were not taken up yet.
        return by_title.get(name, by_key.get(name_key(name), ()))

    return find


@dataclass(slots=True)
class ReportedCall:
    """One call that changes something: no refusal of it ends in silence.

    What is raised to a person is known to that person; what nobody sees is reported
    when the call ends. `context` is that of the call; `entry` is the account that it is
    about, None as long as that is not known. `is_spoken` is a call of a voice
    assistant: a person waits for the answer, though it may have no user.
    """

    hass: HomeAssistant
    context: Context | None
    entry: SmsItaliaConfigEntry | None = None
    is_spoken: bool = field(default=False, kw_only=True)

    @property
    def has_person(self) -> bool:
        """Whether a person gets the answer."""
        has_user = self.context is not None and self.context.user_id is not None
        return has_user or self.is_spoken

    def __enter__(self) -> Self:
        """Return the call."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        err: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Report what the caller does not know; raises nothing."""
        match err:
            case HomeAssistantError():
                self.end(err)
            case Exception():
                self.end(defect_error())
            case _:
                self.end(None)

    def end(self, refusal: HomeAssistantError | None) -> None:
        """Report the error that is raised to the caller, if no person sees it."""
        if refusal is not None and not self.has_person:
            async_report_refused_call(self.hass, self.entry, refusal)


@dataclass(slots=True)
class SendingCall(ReportedCall):
    """One call that sends: what it does not deliver is reported too.

    It is answered at the moment `answer_by` of the loop's clock at the latest.
    """

    answer_by: float = field(init=False)
    _messages: list[Message] = field(default_factory=list, init=False)
    _refused: list[tuple[SmsItaliaConfigEntry, HomeAssistantError]] = field(
        default_factory=list, init=False
    )

    def __post_init__(self) -> None:
        """Begin the time in which it is answered."""
        self.answer_by = self.hass.data[MESSENGER].answer_by()

    @override
    def end(self, refusal: HomeAssistantError | None) -> None:
        """Report what was refused or not delivered, unless a person saw it."""
        undelivered = self.hass.data[MESSENGER].undelivered
        if refusal is not None and self.has_person:
            undelivered.refused(self._messages)
            return
        undelivered.answered(self._messages)
        for entry, error in self._refused:
            async_report_refused_call(self.hass, entry, error)
        if refusal is not None and not self._messages and not self._refused:
            async_report_refused_call(self.hass, self.entry, refusal)

    async def permit(
        self, entry: SmsItaliaConfigEntry, request: SendRequest
    ) -> Permitted:
        """Return a request as its caller may make it; raises Unauthorized."""
        caller = await async_caller(self.hass, self.context)
        return async_permitted(self.hass, caller, entry, request)

    async def send(
        self, entry: SmsItaliaConfigEntry, request: Permitted
    ) -> tuple[Message, ...]:
        """Send through an account; return the messages, also if none was accepted.

        Waits for an account that is being reloaded. Raises a translated
        HomeAssistantError if the request is refused as a whole.
        """
        try:
            messages = await self.hass.data[MESSENGER].send(request, self.answer_by)
        except RequestRefusedError as err:
            raise self._refusal(entry, err) from None
        self._messages += messages
        return messages

    async def resend(
        self, entry: SmsItaliaConfigEntry, message_id: int
    ) -> tuple[Message, ...]:
        """Send a message of an account again; return what `send` does.

        Raises what `permit` and `send` do, and LedgerUnreadableError.
        """
        caller = await async_caller(self.hass, self.context)
        permitted = partial(async_permitted, self.hass, caller, entry)
        try:
            messages = await self.hass.data[MESSENGER].resend(
                message_id, self.answer_by, permitted
            )
        except RequestRefusedError as err:
            raise self._refusal(entry, err) from None
        self._messages += messages
        return messages

    def _refusal(
        self, entry: SmsItaliaConfigEntry, err: RequestRefusedError
    ) -> HomeAssistantError:
        """Note that an account refused a request; return the translated error."""
        refusal = refusal_error(err)
        self._refused.append((entry, refusal))
        return refusal


def raise_unless_accepted(hass: HomeAssistant, messages: Sequence[Message]) -> None:
    """Raise a translated HomeAssistantError if no message was accepted or queued."""
    error = delivery_error(messages, partial(account_title, hass))
    if error is not None:
        raise error
