"""The conditions of automations."""

from typing import ClassVar, override

from homeassistant.components.binary_sensor import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .binary_sensor import CREDIT_LOW
from .const import DOMAIN
from .messaging import RunState
from .sensor_escalation import ESCALATION


class _StateCondition(EntityStateConditionBase):
    """Holds while one of our entities of a kind among the target has a state."""

    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return those of the entities that are of the kind."""
        registry = er.async_get(self._hass)
        return {
            entity_id
            for entity_id in super().entity_filter(entities)
            if (entity := registry.async_get(entity_id)) is not None
            and entity.platform == DOMAIN
            and entity.translation_key == self._key
        }


class CreditIsLow(_StateCondition):
    """Holds while the credit of an account among the target is below its limit."""

    _key = CREDIT_LOW
    _domain_specs = {BINARY_SENSOR_DOMAIN: DomainSpec()}  # noqa: RUF012 - as in the base class
    _states = {STATE_ON}  # noqa: RUF012 - as in the base class


class EscalationIsRunning(_StateCondition):
    """Holds while an escalation among the target calls somebody."""

    _key = ESCALATION
    _domain_specs = {SENSOR_DOMAIN: DomainSpec()}  # noqa: RUF012 - as in the base class
    _states = {RunState.CALLING.value}  # noqa: RUF012 - as in the base class


_CONDITIONS: dict[str, type[Condition]] = {
    "credit_is_low": CreditIsLow,
    "escalation_is_running": EscalationIsRunning,
}


async def async_get_conditions(_hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions by their keys."""
    return _CONDITIONS
