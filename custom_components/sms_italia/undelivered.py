"""Calls that were refused without a person who saw it, and how both lists read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
import logging
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .messaging import Message, bounded
from .names import account_title, recipient_name

_LOGGER = logging.getLogger(__name__)

_VERSION = 1
_SAVE_DELAY = 1
"""Seconds; an `alert` that repeats is refused again and again."""

_MOST_LINES = 20

_MOST_CHARACTERS = 1000
"""Of a word in the sentence of a refusal; ten names of recipients are shorter."""

_RESTORED = f"component.{DOMAIN}.common.restored"

_NOT_REPORTED = f"component.{DOMAIN}.common.reason_not_reported"
_IN_LOG = f"component.{DOMAIN}.common.reason_in_log"
_CALL_REFUSED = f"component.{DOMAIN}.common.call_refused"
_CALLS_REFUSED = f"component.{DOMAIN}.common.calls_refused"

_NO_REASON = "unknown"
"""The reason of an error that has no sentence of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """Equal calls that were refused.

    `placeholders`, `at` (seconds since the epoch) and `domain`, the integration that
    has the sentence, are those of the last one.
    """

    count: int
    placeholders: Mapping[str, str]
    at: float
    domain: str = DOMAIN


type RefusedByReason = Mapping[str, RefusedCall]
"""Refused calls by the translation key of their error."""


class RefusedCalls:
    """The refused calls of each account that nobody has seen, kept on disk.

    Those that name no account are kept under "".
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Start without any; `async_load` takes over what is on disk."""
        self._store: Store[dict[str, dict[str, dict[str, Any]]]] = Store(
            hass, _VERSION, f"{DOMAIN}.refused_calls", private=True
        )
        self._calls: dict[str, dict[str, RefusedCall]] = {}

    async def async_load(self) -> None:
        """Take over what was kept before a restart."""
        kept = await self._store.async_load() or {}
        self._calls = {
            account: {reason: RefusedCall(**call) for reason, call in calls.items()}
            for account, calls in kept.items()
        }

    def of(self, account: str) -> RefusedByReason:
        """Return the refused calls of an account."""
        return dict(self._calls.get(account, {}))

    @callback
    def async_add(self, account: str, err: HomeAssistantError) -> None:
        """Count a call that an account refused."""
        reason = err.translation_key or _NO_REASON
        calls = self._calls.setdefault(account, {})
        known = calls.get(reason)
        calls[reason] = RefusedCall(
            count=1 + (known.count if known else 0),
            placeholders={
                # Other integrations write these too, and one text that is no UTF-8
                # would keep all calls from being stored.
                name: bounded(str(value), _MOST_CHARACTERS)
                for name, value in (err.translation_placeholders or {}).items()
            },
            at=dt_util.utcnow().timestamp(),
            domain=err.translation_domain or DOMAIN,
        )
        self._async_save()

    @callback
    def async_remove(self, account: str, seen: RefusedByReason) -> None:
        """Forget refused calls that somebody has seen; later ones stay."""
        left: dict[str, RefusedCall] = {}
        for reason, call in self.of(account).items():
            count = call.count - (seen[reason].count if reason in seen else 0)
            if count > 0:
                left[reason] = replace(call, count=count)
        self._calls[account] = left
        self._async_save()

    @callback
    def async_forget(self, account: str) -> None:
        """Forget the refused calls of an account that is removed."""
        if self._calls.pop(account, None) is not None:
            self._async_save()

    async def async_delete(self) -> None:
        """Forget everything, and delete the file."""
        self._calls.clear()
        await self._store.async_remove()

    @callback
    def _async_save(self) -> None:
        self._store.async_delay_save(self._as_data, _SAVE_DELAY)

    def _as_data(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {
            account: {reason: asdict(call) for reason, call in calls.items()}
            for account, calls in self._calls.items()
            if calls
        }


REFUSED_CALLS: HassKey[RefusedCalls] = HassKey(f"{DOMAIN}_refused_calls")


async def async_list_text(
    hass: HomeAssistant, messages: Sequence[Message], refused: RefusedByReason
) -> str:
    """Return undelivered messages and refused calls as a list, a line each.

    It names recipients and reasons: for administrators alone.
    """
    language = hass.config.language
    words = {
        **await async_get_translations(hass, language, "entity", {DOMAIN}),
        **await async_get_translations(hass, language, "common", {DOMAIN}),
    }
    domains = {call.domain for call in refused.values()}
    sentences = await async_get_translations(hass, language, "exceptions", domains)
    lines = [
        words[_CALL_REFUSED if call.count == 1 else _CALLS_REFUSED].format(
            count=call.count,
            time=_time(call.at),
            reason=_sentence(sentences, reason, call) or words[_IN_LOG],
        )
        for reason, call in refused.items()
    ]
    lines += [_line(hass, words, message) for message in messages]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… (+{len(lines) - _MOST_LINES})"]
    return "\n".join(f"- {line}" for line in lines)


def _sentence(sentences: Mapping[str, str], reason: str, call: RefusedCall) -> str:
    """Return the sentence of a refusal, "" where there is none.

    One of another release may have other placeholders.
    """
    sentence = sentences.get(f"component.{call.domain}.exceptions.{reason}.message", "")
    return sentence.format_map(defaultdict(lambda: "…", call.placeholders))


def _line(hass: HomeAssistant, words: Mapping[str, str], message: Message) -> str:
    """Return when a message was sent and to whom, its status, reason and account."""
    recipient, number = recipient_name(hass, message), message.shown_number
    whom = f"{recipient}, {number}" if recipient else number
    prefix = f"component.{DOMAIN}.entity.event.delivery.state_attributes"
    status = words[f"{prefix}.event_type.state.{message.status}"]
    reason = message.detail or words[_NOT_REPORTED]
    if message.error is not None:
        reason = words[f"{prefix}.error.state.{message.error}"]
    elif message.is_restored:
        reason = words[_RESTORED]
    account = account_title(hass, message) or "-"
    return f"{_time(message.updated)}, {whom}: {status}, {reason} ({account})"


def _time(moment: float) -> str:
    """Return a moment (seconds since the epoch) as date and time in local time."""
    local = dt_util.as_local(dt_util.utc_from_timestamp(moment))
    return f"{local:%Y-%m-%d %H:%M}"
