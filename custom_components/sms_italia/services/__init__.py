"""The actions of the integration.

They are registered when Home Assistant starts, with or without accounts. The table says
who may call each.
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
from homeassistant.exceptions import ServiceValidationError
import voluptuous as vol

from ..const import DOMAIN
from ..fields import read_fields
from ..rights import Allowed, Caller, async_caller
from ..sending import ReportedCall
from .escalation import ACKNOWLEDGE_SCHEMA, async_acknowledge_escalations
from .history import (
    CANCEL_SCHEMA,
    FIND_MESSAGES_SCHEMA,
    RESEND_SCHEMA,
    async_cancel,
    async_find_messages,
    async_resend,
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
    """An action: its fields, who may call it, what it does, and its response."""

    name: str
    schema: vol.Schema
    allowed: Allowed
    handler: Callable[[ServiceCall, Caller], Coroutine[object, object, ServiceResponse]]
    response: SupportsResponse


ACTIONS = (
    _Action(
        name="send_sms",
        schema=SEND_SMS_SCHEMA,
        allowed=Allowed.SENDERS,
        handler=async_send_sms,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="estimate",
        schema=ESTIMATE_SCHEMA,
        allowed=Allowed.SENDERS,
        handler=async_estimate,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="find_messages",
        schema=FIND_MESSAGES_SCHEMA,
        allowed=Allowed.ADMINISTRATORS,
        handler=async_find_messages,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="cancel",
        schema=CANCEL_SCHEMA,
        allowed=Allowed.OWNERS,
        handler=async_cancel,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="acknowledge",
        schema=ACKNOWLEDGE_SCHEMA,
        allowed=Allowed.SENDERS,
        handler=async_acknowledge_escalations,
        response=SupportsResponse.NONE,
    ),
    _Action(
        name="resend",
        schema=RESEND_SCHEMA,
        allowed=Allowed.OWNERS,
        handler=async_resend,
        response=SupportsResponse.OPTIONAL,
    ),
    _Action(
        name="create_push_invitation",
        schema=CREATE_PUSH_INVITATION_SCHEMA,
        allowed=Allowed.ADMINISTRATORS,
        handler=async_create_push_invitation,
        response=SupportsResponse.ONLY,
    ),
    _Action(
        name="get_push_picture",
        schema=GET_PUSH_PICTURE_SCHEMA,
        allowed=Allowed.ADMINISTRATORS,
        handler=async_get_push_picture,
        response=SupportsResponse.OPTIONAL,
    ),
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for action in ACTIONS:
        hass.services.async_register(
            DOMAIN,
            action.name,
            _guarded(action),
            supports_response=action.response,
        )


def _guarded(
    action: _Action,
) -> Callable[[ServiceCall], Coroutine[object, object, ServiceResponse]]:
    """Return what an action does, for those who may call it."""

    async def handle(call: ServiceCall) -> ServiceResponse:
        caller = await async_caller(call.hass, call.context)
        caller.require(action.allowed)
        return await action.handler(_read(action, call), caller)

    return handle


def _read(action: _Action, call: ServiceCall) -> ServiceCall:
    """Return a call with the values of its fields as the action takes them.

    Raises ServiceValidationError for others. That is why it is done here: Home
    Assistant's own check answers in English, and nobody sees it in an automation.
    """
    try:
        data = read_fields(action.schema, call.data)
    except ServiceValidationError as err:
        # What only answers is not missed.
        if action.response is not SupportsResponse.ONLY:
            ReportedCall(call.hass, call.context).end(err)
        raise
    return ServiceCall(
        call.hass, call.domain, call.service, data, call.context, call.return_response
    )
