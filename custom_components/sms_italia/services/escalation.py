"""The action that acknowledges escalations."""

from collections.abc import Iterable

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
import voluptuous as vol

from ..const import DOMAIN, SUBENTRY_TYPE_ESCALATION
from ..escalations import async_acknowledge
from ..messaging import Way
from ..rights import Caller
from ..sending import ReportedCall

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
    hass = call.hass
    selected = async_extract_referenced_entity_ids(
        hass, TargetSelection(call.data), primary_entities_only=False
    )
    escalations = {
        entity_id: escalation
        for entity_id in selected.referenced | selected.indirectly_referenced
        if (escalation := _escalation_of(hass, entity_id)) is not None
    }
    if strangers := selected.referenced - escalations.keys():
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_an_escalation",
            translation_placeholders={"entity": min(strangers)},
        )
    if not escalations:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_escalation"
        )
    caller.require_entities(POLICY_CONTROL, escalations)
    return dict.fromkeys(escalations.values())


def _escalation_of(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return the ID of the escalation that an entity belongs to, None if to none."""
    entity = er.async_get(hass).async_get(entity_id)
    if entity is None or entity.platform != DOMAIN:
        return None
    entry = hass.config_entries.async_get_entry(entity.config_entry_id or "")
    subentry_id = entity.config_subentry_id or ""
    subentry = entry.subentries.get(subentry_id) if entry else None
    is_escalation = (
        subentry is not None and subentry.subentry_type == SUBENTRY_TYPE_ESCALATION
    )
    return subentry_id if is_escalation else None
