"""The actions of the integration.

They are registered when Home Assistant starts, with or without accounts. Everybody who
may call actions may call these; each one names what it refuses.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
import voluptuous as vol

from ..const import DOMAIN
from .history import (
    CANCEL_SCHEMA,
    FIND_MESSAGES_SCHEMA,
    async_cancel,
    async_find_messages,
)
from .push import (
    CREATE_PUSH_INVITATION_SCHEMA,
    GET_PUSH_PICTURE_SCHEMA,
    async_create_push_invitation,
    async_get_push_picture,
)
from .send import (
    ESTIMATE_SCHEMA,
    SEND_SMS_SCHEMA,
    async_estimate,
    async_send_sms,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    """An action: its fields, what it does, and whether it returns a response."""

    name: str
    schema: vol.Schema
    handler: Callable[[ServiceCall], Coroutine[object, object, ServiceResponse]]
    response: SupportsResponse


_ACTIONS = (
    _Action(
        name="send_sms",
        schema=SEND_SMS_SCHEMA,
        handler=async_send_sms,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="estimate",
        schema=ESTIMATE_SCHEMA,
        handler=async_estimate,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="find_messages",
        schema=FIND_MESSAGES_SCHEMA,
        handler=async_find_messages,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="cancel",
        schema=CANCEL_SCHEMA,
        handler=async_cancel,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="create_push_invitation",
        schema=CREATE_PUSH_INVITATION_SCHEMA,
        handler=async_create_push_invitation,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="get_push_picture",
        schema=GET_PUSH_PICTURE_SCHEMA,
        handler=async_get_push_picture,
        response=SupportsResponse.OPTIONAL,
    ),
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for action in _ACTIONS:
        hass.services.async_register(
            DOMAIN,
            action.name,
            action.handler,
            schema=action.schema,
            supports_response=action.response,
        )
