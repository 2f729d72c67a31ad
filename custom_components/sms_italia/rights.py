"""Who may do what: every action and every way of sending asks here.

A call without a user is made by an automation, which may do everything. Policies are
those of Home Assistant's permissions.
"""

from collections.abc import Collection, Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
import logging
from typing import NewType

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL, POLICY_READ
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import Unauthorized, UnknownUser
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .messaging import Message, SendRequest, Target, Viewer
from .runtime import SmsItaliaConfigEntry

_LOGGER = logging.getLogger(__name__)

Permitted = NewType("Permitted", SendRequest)
"""A request as its caller may make it; only `async_permitted` returns one."""


class Allowed(StrEnum):
    """Who may call an action, or send a command or subscription of the websocket."""

    SENDERS = "senders"
    """Who may control each target; for free numbers, all entities."""
    OWNERS = "owners"
    """Who asked for the message that it is about, and administrators."""
    READERS = "readers"
    """Everybody; each gets only the messages that `async_viewer` lets them see."""
    ADMINISTRATORS = "administrators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call; `user` is None for an automation."""

    context: Context | None
    user: User | None

    @property
    def sees_all(self) -> bool:
        """Whether everything is allowed, and full numbers and texts are shown."""
        return self.user is None or self.user.is_admin

    @callback
    def require(self, allowed: Allowed) -> None:
        """Raise Unauthorized for a user who may not call what names this.

        What senders, owners and readers may do depends on the call, which asks again.
        """
        match allowed:
            case Allowed.ADMINISTRATORS:
                self.require_administrator()
            case Allowed.SENDERS | Allowed.OWNERS | Allowed.READERS:
                pass

    @callback
    def require_administrator(self) -> None:
        """Raise Unauthorized for a user who is not an administrator."""
        if not self.sees_all:
            raise Unauthorized(context=self.context)

    @callback
    def require_owner(self, message: Message) -> None:
        """Raise Unauthorized for a user who neither asked for it nor administers."""
        if not self.owns(message):
            self.require_administrator()

    @callback
    def owns(self, message: Message) -> bool:
        """Return whether a message is the user's own, or everything is."""
        return self.user is None or message.dispatch.user == self.user.id

    @callback
    def require_entities(self, policy: str, entity_ids: Iterable[str]) -> None:
        """Raise Unauthorized for the first entity that the policy does not allow."""
        if self.user is None:
            return
        for entity_id in entity_ids:
            if not self.user.permissions.check_entity(entity_id, policy):
                raise Unauthorized(
                    context=self.context, entity_id=entity_id, permission=policy
                )

    @callback
    def controllable(self, entity_ids: Collection[str]) -> AbstractSet[str]:
        """Return which entities the caller may control.

        Raises Unauthorized if there are some, but none of these.
        """
        if self.user is None:
            return frozenset(entity_ids)
        may = self.user.permissions.check_entity
        found = frozenset(one for one in entity_ids if may(one, POLICY_CONTROL))
        if entity_ids and not found:
            raise Unauthorized(context=self.context, permission=POLICY_CONTROL)
        return found

    @callback
    def require_all_entities(self) -> None:
        """Raise Unauthorized for a user who may not control all entities."""
        if self.user and not self.user.permissions.access_all_entities(POLICY_CONTROL):
            raise Unauthorized(context=self.context, permission=POLICY_CONTROL)


async def async_caller(hass: HomeAssistant, context: Context | None) -> Caller:
    """Return who makes a call; raises UnknownUser."""
    user = None
    if context is not None and context.user_id is not None:
        user = await hass.auth.async_get_user(context.user_id)
        if user is None:
            raise UnknownUser(context=context)
    return Caller(context=context, user=user)


@callback
def async_viewer(hass: HomeAssistant, caller: Caller) -> Viewer | None:
    """Return which messages a caller sees, None for all."""
    user = caller.user
    if user is None or caller.sees_all:
        return None
    return Viewer(
        user=user.id,
        recipients=frozenset(
            recipient
            for entry in hass.config_entries.async_entries(DOMAIN)
            for recipient, entity_id in _notify_entities(hass, entry).items()
            if user.permissions.check_entity(entity_id, POLICY_READ)
        ),
    )


@callback
def async_permitted(
    hass: HomeAssistant,
    caller: Caller,
    entry: SmsItaliaConfigEntry,
    request: SendRequest,
) -> Permitted:
    """Return a request to an account as its caller may make it; raises Unauthorized.

    Another sender becomes the account's own, since the alarm of a script must not fail
    for the rights of who pressed it.
    """
    if caller.user is None:
        return Permitted(request)
    _require_targets(hass, caller, entry, request)
    options = request.options
    if options.groups:
        caller.require_administrator()
    usual = {None, "", entry.data.get("sender")}
    if not caller.sees_all and options.sender not in usual:
        _LOGGER.warning(
            "%s: only administrators choose a sender; the account's own is used",
            entry.title,
        )
        options = replace(options, sender=None)
    return Permitted(replace(request, options=options, user=caller.user.id))


def _require_targets(
    hass: HomeAssistant,
    caller: Caller,
    entry: SmsItaliaConfigEntry,
    request: SendRequest,
) -> None:
    """Raise Unauthorized unless the caller may send to each target.

    For a number that stands in several recipients, to each of them. A recipient without
    a notify entity is like a free number.
    """
    recipients = {
        recipient
        for one in request.targets
        if isinstance(one, Target)
        for recipient in (one.recipient, *one.shared_with)
    }
    entities = _notify_entities(hass, entry)
    if recipients - entities.keys():
        caller.require_all_entities()
    caller.require_entities(
        POLICY_CONTROL,
        (entity_id for one, entity_id in entities.items() if one in recipients),
    )


def _notify_entities(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry
) -> Mapping[str, str]:
    """Return the IDs of the notify entities of an account, by their recipients."""
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        one.config_subentry_id: one.entity_id
        for one in registered
        if one.domain == NOTIFY_DOMAIN and one.config_subentry_id is not None
    }
