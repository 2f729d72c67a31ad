"""The actions of the integration."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
import voluptuous as vol

from .actions_history import (
    CANCEL_SCHEMA,
    FIND_MESSAGES_SCHEMA,
    async_cancel,
    async_find_messages,
)
from .actions_push import (
    CREATE_PUSH_INVITATION_SCHEMA,
    GET_PUSH_PICTURE_SCHEMA,
    async_create_push_invitation,
    async_get_push_picture,
)
from .actions_send import (
    ESTIMATE_SCHEMA,
    SEND_SMS_SCHEMA,
    async_estimate,
    async_send_sms,
)
from .const import DOMAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Action:
    """An action: what it takes, what it does, and whether it answers."""

    name: str
    schema: vol.Schema
    work: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    response: SupportsResponse


_ACTIONS = (
    _Action(
        name="send_sms",
        schema=SEND_SMS_SCHEMA,
        work=async_send_sms,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="estimate",
        schema=ESTIMATE_SCHEMA,
        work=async_estimate,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="find_messages",
        schema=FIND_MESSAGES_SCHEMA,
        work=async_find_messages,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="cancel",
        schema=CANCEL_SCHEMA,
        work=async_cancel,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="create_push_invitation",
        schema=CREATE_PUSH_INVITATION_SCHEMA,
        work=async_create_push_invitation,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="get_push_picture",
        schema=GET_PUSH_PICTURE_SCHEMA,
        work=async_get_push_picture,
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
            action.work,
            schema=action.schema,
            supports_response=action.response,
        )
