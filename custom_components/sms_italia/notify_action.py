"""The action `notify.<account>`, which core's `alert` and older automations call.

It exists from the start of the integration until its account is removed, whether or not
the account is loaded: an `alert` that is on at a start finds it. The discovery of the
notify component is not used, since it gives it an account's title as its name.
"""

from collections.abc import Mapping
from datetime import date
import logging
from typing import Any

from homeassistant.components.notify import (
    ATTR_DATA,
    ATTR_MESSAGE,
    ATTR_TARGET,
    ATTR_TITLE,
    DOMAIN as NOTIFY_DOMAIN,
)
from homeassistant.const import ATTR_DOMAIN, ATTR_SERVICE, EVENT_SERVICE_REGISTERED
from homeassistant.core import Context, Event, HomeAssistant, ServiceCall, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_set_service_schema
from homeassistant.util import dt as dt_util, slugify
import voluptuous as vol

from .const import CONF_NOTIFY_ACTION, CONF_PROVIDER, DOMAIN
from .errors import refusal_error
from .fields import read_fields
from .issues import async_check_action_taken, async_report_action_name
from .messaging import (
    BadTarget,
    RequestRefusedError,
    SendRequest,
    Target,
    TooLong,
    join_title,
)
from .notify_fields import async_describe
from .providers import PROVIDERS
from .runtime import MESSENGER, SmsItaliaConfigEntry
from .sending import (
    SendingCall,
    ignored_keys,
    named_targets,
    raise_unless_accepted,
    read_shared_options,
)

_LOGGER = logging.getLogger(__name__)

NOTIFY_FIELDS = vol.Schema(
    {
        vol.Required(ATTR_MESSAGE): cv.string,
        vol.Optional(ATTR_TITLE): vol.Any(None, cv.string),
        vol.Optional(ATTR_TARGET): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional(ATTR_DATA): vol.Any(None, dict),
    }
)
"""The fields of every action of the notify component; empty is as good as left out."""

_OF_NOTIFY = frozenset({"notify", "persistent_notification", "send_message"})
"""The actions of the notify component itself."""

_NOTHING_LEFT = "unknown"
"""What `slugify` makes of a title without a letter or digit."""

_PHONE_COMMANDS = frozenset(
    {
        "clear_badge",
        "clear_notification",
        "delete_alert",
        "end_live_activity",
        "remove_channel",
        "request_location_update",
        "tts",
        "update_complications",
        "update_widgets",
    }
)
"""Those that do not begin with `command_`."""


class AccountAction:
    """The action of an account."""

    def __init__(self, hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
        """Set up the action; it is not registered yet."""
        self._hass = hass
        self.entry = entry
        self._logged_on: date | None = None

    async def async_handle(self, service: ServiceCall) -> None:
        """Send for a call; an account that is being loaded is waited for.

        Raises a translated HomeAssistantError if no message was accepted.
        """
        with SendingCall(self._hass, service.context, self.entry) as call:
            data = read_fields(NOTIFY_FIELDS, service.data)
            if is_phone_command(data[ATTR_MESSAGE]):
                return
            request = await self._request(data, service.context, call.answer_by)
            permitted = await call.permit(self.entry, request)
            messages = await call.send(self.entry, permitted)
            raise_unless_accepted(self._hass, messages)

    async def _request(
        self, data: Mapping[str, Any], context: Context, answer_by: float
    ) -> SendRequest:
        """Return the request of a call with these fields.

        To the targets; without targets, to all recipients. Raises a translated
        HomeAssistantError if the account is not loaded at `answer_by`, a moment of the
        loop's clock.
        """
        hass, entry = self._hass, self.entry
        try:
            account = await hass.data[MESSENGER].account(entry.entry_id, answer_by)
        except RequestRefusedError as err:
            raise refusal_error(err) from None
        extras = data.get(ATTR_DATA) or {}
        self._log_ignored(extras)
        options = await read_shared_options(hass, account, extras, context)
        names = data.get(ATTR_TARGET)
        targets: list[Target | BadTarget] = []
        if names is not None:
            targets = await named_targets(hass, entry, names)
        else:
            for of_recipient in account.recipients.values():
                targets += of_recipient
        return SendRequest(
            account=entry.entry_id,
            targets=tuple(targets),
            text=join_title(data.get(ATTR_TITLE), data[ATTR_MESSAGE]),
            options=options,
            too_long=TooLong.CUT,
        )

    @callback
    def _log_ignored(self, extras: Mapping[str, Any]) -> None:
        """Log once a day that there are keys which are not ours."""
        today = dt_util.now().date()
        if (ignored := ignored_keys(extras)) and self._logged_on != today:
            self._logged_on = today
            _LOGGER.debug(
                "%s: keys for others in the data of a notification: %s",
                self.entry.title,
                ", ".join(sorted(map(str, ignored))),
            )


async def async_register_action(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry
) -> None:
    """Register the action of an account, unless it is registered.

    Its name is chosen once and stays with the account, whatever its title becomes. One
    that something else uses is left to it: then the next free one is chosen, and an
    issue says so. Where something else took the name later, that is for this run alone.
    Must run before the update listener is added, since the name is stored in the entry.
    """
    kept: str | None = entry.data.get(CONF_NOTIFY_ACTION)
    wish = kept or _wish(entry)
    name = _free_name(hass, entry, wish)
    if kept is None:
        if name != wish:
            async_report_action_name(hass, entry, wish=wish, name=name)
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_NOTIFY_ACTION: name}
        )
    else:
        async_check_action_taken(hass, entry, kept=kept, name=name)
    if _owner(hass, name) is entry:
        return
    hass.services.async_register(
        NOTIFY_DOMAIN,
        name,
        AccountAction(hass, entry).async_handle,
    )
    provider = PROVIDERS[entry.data[CONF_PROVIDER]]
    description = await async_describe(hass, provider, name)
    async_set_service_schema(hass, NOTIFY_DOMAIN, name, description)


@callback
def async_remove_action(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Remove the action of an account that is removed, under each name it had."""
    for name in list(hass.services.async_services_for_domain(NOTIFY_DOMAIN)):
        if _owner(hass, name) is entry:
            hass.services.async_remove(NOTIFY_DOMAIN, name)


@callback
def async_watch_actions(hass: HomeAssistant) -> None:
    """Register the action of an account again if something else takes its name."""

    async def check(event: Event[dict[str, Any]]) -> None:
        if event.data[ATTR_DOMAIN] != NOTIFY_DOMAIN:
            return
        for entry in hass.config_entries.async_entries(DOMAIN):
            if entry.data.get(CONF_NOTIFY_ACTION) == event.data[ATTR_SERVICE]:
                await async_register_action(hass, entry)

    hass.bus.async_listen(EVENT_SERVICE_REGISTERED, check)


def is_phone_command(message: str) -> bool:
    """Return whether a message is one to the companion app, and no text for people.

    In any letter case: nobody means such a word as a text.
    https://companion.home-assistant.io/docs/notifications/notification-commands and
    its pages about text-to-speech and live activities.
    """
    word = message.strip().casefold()
    is_command = word.startswith("command_") and len(word.split()) == 1
    return word in _PHONE_COMMANDS or is_command


def _wish(entry: SmsItaliaConfigEntry) -> str:
    """Return the name that an account's title asks for, else its provider's."""
    name = slugify(entry.title)
    return name if name and name != _NOTHING_LEFT else str(entry.data[CONF_PROVIDER])


def _free_name(hass: HomeAssistant, entry: SmsItaliaConfigEntry, wish: str) -> str:
    """Return the name itself, or with the lowest number that nothing else uses."""
    services = hass.services.async_services_for_domain(NOTIFY_DOMAIN)
    taken = _OF_NOTIFY | {name for name in services if _owner(hass, name) is not entry}
    taken |= {
        other.data.get(CONF_NOTIFY_ACTION, "")
        for other in hass.config_entries.async_entries(DOMAIN)
        if other is not entry
    }
    name, number = wish, 1
    while name in taken:
        number += 1
        name = f"{wish}_{number}"
    return name


@callback
def _owner(hass: HomeAssistant, name: str) -> SmsItaliaConfigEntry | None:
    """Return the account whose action has a name, None if it is not one of ours."""
    action = hass.services.async_services_for_domain(NOTIFY_DOMAIN).get(name)
    handler = getattr(action.job.target, "__self__", None) if action else None
    return handler.entry if isinstance(handler, AccountAction) else None
