"""The action that acknowledges escalations."""

from collections.abc import Iterable

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from ..const import DOMAIN
from ..escalations import async_acknowledge, async_escalation_entities
from ..messaging import Way
from ..rights import Caller
from ..sending import ReportedCall
from .targets import async_find_targets

ACKNOWLEDGE_SCHEMA = vol.Schema({**cv.ENTITY_SERVICE_FIELDS})


async def async_acknowledge_escalations(
    call: ServiceCall, caller: Caller
) -> ServiceResponse:
    """Acknowledge the runs of the escalations whose entities a call targets.

    Raises ServiceValidationError for an entity that is named and is no escalation's,
    or without any, and Unauthorized for one that the user may not control.
    """
    with ReportedCall(call.hass, call.context):
        for escalation in _targeted_escalations(call, caller):
            await async_acknowledge(call.hass, escalation, Way.ACTION, caller)
    return None


def _targeted_escalations(call: ServiceCall, caller: Caller) -> Iterable[str]:
    """Return the IDs of the escalations that a call targets.

    Raises as `async_acknowledge_escalations`.
    """
    of_escalations = async_escalation_entities(call.hass)
    targeted = async_find_targets(call, caller, of_escalations)
    if strangers := targeted.named - of_escalations.keys():
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_an_escalation",
            translation_placeholders={"entity": min(strangers)},
        )
    escalations = {
        entity_id: escalation
        for entity_id, escalation in of_escalations.items()
        if entity_id in targeted.found
    }
    if not escalations:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_escalation"
        )
    caller.require_entities(POLICY_CONTROL, escalations)
    return dict.fromkeys(escalations.values())
