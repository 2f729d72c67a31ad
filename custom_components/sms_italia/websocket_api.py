"""The websocket commands of the card: pages of messages, and what changes of them.

All else that the card does are actions. The table says who may send each.
"""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from homeassistant.components.websocket_api import (
    ActiveConnection,
    async_register_command,
    async_response,
    websocket_command,
)
from homeassistant.components.websocket_api.const import (
    ERR_HOME_ASSISTANT_ERROR,
    WebSocketCommandHandler,
)
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import VolDictType
from homeassistant.util.json import JsonObjectType
import voluptuous as vol

from .const import DOMAIN
from .errors import history_error, refusal_error
from .messaging import (
    Event,
    Found,
    LedgerUnreadableError,
    Message,
    MessagesChanged,
    Query,
    RequestRefusedError,
    View,
)
from .providers import Feature
from .rights import Allowed, Caller, async_viewer
from .runtime import MESSENGER, SmsItaliaConfigEntry
from .services.history import loaded_messenger, read_message_id
from .services.responses import history_response

ATTR_BEFORE = "before"
ATTR_LIMIT = "limit"
ATTR_VIEW = "view"

PAGE = 50
"""Messages in a page, and in one event, at most."""

CANCELLED = "cancelled"
"""The status of a message that a user cancelled; to the ledger it has failed."""

_SEEN_BY_ALL = ("id", "to", "status", "created", "updated", "send_at", "recipient")
"""Fields that users see who are not administrators; the number is masked."""


async def _list_messages(
    hass: HomeAssistant,
    connection: ActiveConnection,
    msg: dict[str, Any],
    caller: Caller,
) -> None:
    """Answer with a page of `messages`, newest first, and whether there are `more`.

    `before` is the ID of the last message of the page before. `cannot_cancel` are the
    IDs of the accounts whose scheduled messages nobody can cancel.
    """
    try:
        found = await _find(hass, caller, msg)
    except HomeAssistantError as err:
        # Raised, it would be in the log as an error each time.
        connection.send_error(
            msg["id"],
            ERR_HOME_ASSISTANT_ERROR,
            str(err),
            translation_key=err.translation_key,
            translation_domain=err.translation_domain,
            translation_placeholders=err.translation_placeholders,
        )
        return
    connection.send_result(
        msg["id"],
        {
            "messages": [_row(hass, caller, one) for one in found.messages],
            "more": found.total > len(found.messages),
            "cannot_cancel": list(_cannot_cancel(hass)),
        },
    )


def _cannot_cancel(hass: HomeAssistant) -> Iterable[str]:
    """Yield the accounts whose provider keeps what is scheduled, and never stops it."""
    entries: list[SmsItaliaConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    for entry in entries:
        account = entry.runtime_data.account
        if account.has(Feature.SCHEDULE) and not account.has(Feature.CANCEL):
            yield entry.entry_id


async def _find(hass: HomeAssistant, caller: Caller, msg: dict[str, Any]) -> Found:
    """Return the page that a command asks for.

    Raises a translated HomeAssistantError if no account is loaded, or the ledger cannot
    be read.
    """
    before = msg.get(ATTR_BEFORE)
    try:
        query = Query(
            account=msg.get(ATTR_CONFIG_ENTRY_ID),
            view=msg.get(ATTR_VIEW),
            viewer=async_viewer(hass, caller),
            before=None if before is None else read_message_id(before),
            limit=msg[ATTR_LIMIT],
        )
        return await loaded_messenger(hass).ledger.find(query)
    except RequestRefusedError as err:
        raise refusal_error(err) from None
    except LedgerUnreadableError:
        raise history_error() from None


async def _subscribe_messages(
    hass: HomeAssistant,
    connection: ActiveConnection,
    msg: dict[str, Any],
    caller: Caller,
) -> None:
    """Send `messages` as they are new or change, None if they are too many."""

    @callback
    def forward(event: Event) -> None:
        if not isinstance(event, MessagesChanged):
            return
        changed = _seen(hass, caller, event.messages)
        if not changed:
            return
        rows = [_row(hass, caller, one) for one in changed[: PAGE + 1]]
        connection.send_event(
            msg["id"], {"messages": rows if len(rows) <= PAGE else None}
        )

    connection.subscriptions[msg["id"]] = hass.data[MESSENGER].events.listen(
        msg.get(ATTR_CONFIG_ENTRY_ID), forward
    )
    connection.send_result(msg["id"])


def _seen(
    hass: HomeAssistant, caller: Caller, messages: Iterable[Message]
) -> list[Message]:
    """Return the last state of each message that a caller sees."""
    viewer = async_viewer(hass, caller)
    latest = {one.id: one for one in messages}
    return [one for one in latest.values() if viewer is None or viewer.sees(one)]


def _row(hass: HomeAssistant, caller: Caller, message: Message) -> JsonObjectType:
    """Return a message as a caller may see it, and the `actions` that are offered.

    The fields are those of `find_messages`, and whether it was `resent` and anybody
    could cancel it (`can_cancel`). Whoever is no administrator sees name, status and
    times.
    """
    shown = history_response(hass, message, caller)
    if not caller.sees_all:
        shown = {key: shown[key] for key in _SEEN_BY_ALL}
    if message.is_cancelled:
        shown["status"] = CANCELLED
    return {
        **shown,
        "resent": message.is_resent,
        "can_cancel": hass.data[MESSENGER].can_cancel(message),
        "actions": list(_actions(hass, caller, message)),
    }


def _actions(hass: HomeAssistant, caller: Caller, message: Message) -> Iterable[str]:
    """Yield the actions that make sense for a message, and that a caller may call."""
    if not (caller.sees_all or caller.owns(message)):
        return
    if hass.data[MESSENGER].can_cancel(message):
        yield "cancel"
    if message.is_undelivered and not message.is_resent:
        yield "resend"


type _Handler = Callable[
    [HomeAssistant, ActiveConnection, dict[str, Any], Caller],
    Coroutine[object, object, None],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A command or subscription: its type, fields, who may send it, what it does."""

    type: str
    fields: VolDictType
    allowed: Allowed
    handler: _Handler


COMMANDS = (
    _Command(
        type=f"{DOMAIN}/messages/list",
        fields={
            vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
            vol.Optional(ATTR_VIEW): vol.Coerce(View),
            vol.Optional(ATTR_BEFORE): cv.string,
            vol.Optional(ATTR_LIMIT, default=PAGE): vol.All(
                int, vol.Range(min=1, max=PAGE)
            ),
        },
        allowed=Allowed.READERS,
        handler=_list_messages,
    ),
    _Command(
        type=f"{DOMAIN}/messages/subscribe",
        fields={vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string},
        allowed=Allowed.READERS,
        handler=_subscribe_messages,
    ),
)


@callback
def async_setup_websocket(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in COMMANDS:
        async_register_command(hass, guarded(command))


def guarded(command: _Command) -> WebSocketCommandHandler:
    """Return what a command does, for those who may send it."""

    @websocket_command({vol.Required("type"): command.type, **command.fields})
    @async_response
    async def handle(
        hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]
    ) -> None:
        caller = Caller(context=connection.context(msg), user=connection.user)
        caller.require(command.allowed)
        await command.handler(hass, connection, msg, caller)

    return handle
