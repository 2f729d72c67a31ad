"""The form of an escalation."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from homeassistant.config_entries import (
    ConfigSubentry,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
)
import voluptuous as vol

from ..account_setup import normalized_name
from ..const import (
    CONF_MEMBERS,
    CONF_QUIET,
    CONF_ROUNDS,
    CONF_TELL_OTHERS,
    CONF_UNTIL,
    CONF_WAIT,
)
from ..escalations import async_recipient_entities, members_as_data, members_of
from ..messaging import Until
from .selectors import (
    WholeNumber,
    is_name_in_use,
    is_valid,
    unchecked,
    whole_number,
)
from .subentry import SubentryFlow

_DAY = 1440
"""Minutes."""
_MOST_ROUNDS = 10

_DEFAULTS: Mapping[str, Any] = {
    CONF_WAIT: 5,
    CONF_ROUNDS: 1,
    CONF_UNTIL: Until.ACKNOWLEDGED.value,
    CONF_TELL_OTHERS: False,
    CONF_QUIET: 0,
}

_NUMBERS: Mapping[str, WholeNumber] = {
    CONF_WAIT: whole_number(1, _DAY, "minutes"),
    CONF_ROUNDS: whole_number(1, _MOST_ROUNDS),
    CONF_QUIET: whole_number(0, _DAY, "minutes"),
}


class EscalationError(StrEnum):
    """The errors of the escalation form; each has a text in the translations."""

    MISSING = "missing"
    NAME_IN_USE = "name_in_use"
    NO_MEMBERS = "no_members"
    OUT_OF_RANGE = "out_of_range"


class EscalationFlow(SubentryFlow):
    """Add an escalation to an account, or change one."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add an escalation."""
        return self._step("user", None, user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change an escalation."""
        return self._step("reconfigure", self._get_reconfigure_subentry(), user_input)

    def _step(
        self,
        step_id: str,
        escalation: ConfigSubentry | None,
        user_input: dict[str, Any] | None,
    ) -> SubentryFlowResult:
        """Show the form until it is valid; then store it."""
        entities = async_recipient_entities(self.hass)
        if not entities:
            return self.async_abort(reason="no_recipients")
        errors = self._find_errors(user_input, escalation) if user_input else {}
        if user_input and not errors:
            members = [entities[one] for one in user_input[CONF_MEMBERS]]
            title = normalized_name(user_input[CONF_NAME])
            data = {
                **{key: user_input[key] for key in _DEFAULTS},
                **{key: number(user_input[key]) for key, number in _NUMBERS.items()},
                CONF_MEMBERS: members_as_data(dict.fromkeys(members)),
            }
            if escalation is None:
                return self.async_create_entry(title=title, data=data)
            return self._change(escalation, title=title, data=data)
        schema = _schema(list(entities))
        shown = user_input or (self._shown(escalation) if escalation else _DEFAULTS)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders={"account": self._get_entry().title},
        )

    def _find_errors(
        self, user_input: Mapping[str, Any], escalation: ConfigSubentry | None
    ) -> dict[str, str]:
        """Return the errors of what was typed, by field."""
        errors: dict[str, str] = {}
        name = normalized_name(user_input[CONF_NAME])
        if not name:
            errors[CONF_NAME] = EscalationError.MISSING
        elif is_name_in_use(self._get_entry(), name, escalation):
            errors[CONF_NAME] = EscalationError.NAME_IN_USE
        if not user_input[CONF_MEMBERS]:
            errors[CONF_MEMBERS] = EscalationError.NO_MEMBERS
        for key, number in _NUMBERS.items():
            if not is_valid(number, user_input[key]):
                errors[key] = EscalationError.OUT_OF_RANGE
        return errors

    def _shown(self, escalation: ConfigSubentry) -> Mapping[str, Any]:
        """Return the values of an escalation; members that are gone are left out."""
        entities = {
            member: entity_id
            for entity_id, member in async_recipient_entities(self.hass).items()
        }
        return {
            **escalation.data,
            CONF_NAME: escalation.title,
            CONF_MEMBERS: [
                entities[member]
                for member in members_of(escalation)
                if member in entities
            ],
        }


def _schema(entities: list[str]) -> vol.Schema:
    """Return the fields of the form; members are chosen among these entities."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_MEMBERS): EntitySelector(
                EntitySelectorConfig(
                    include_entities=entities, multiple=True, reorder=True
                )
            ),
            vol.Required(CONF_WAIT): unchecked(_NUMBERS[CONF_WAIT]),
            vol.Required(CONF_ROUNDS): unchecked(_NUMBERS[CONF_ROUNDS]),
            vol.Required(CONF_UNTIL): SelectSelector(
                SelectSelectorConfig(
                    options=[until.value for until in Until], translation_key="until"
                )
            ),
            vol.Required(CONF_TELL_OTHERS): BooleanSelector(),
            vol.Required(CONF_QUIET): unchecked(_NUMBERS[CONF_QUIET]),
        }
    )
