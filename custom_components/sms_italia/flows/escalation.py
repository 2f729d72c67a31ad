"""The form of an escalation."""

from collections.abc import Mapping, Sequence
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
from ..messaging import Member, Until
from .selectors import (
    WholeNumber,
    is_name_in_use,
    is_valid,
    range_error,
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
    """The errors of the escalation form besides those of numbers; each has a text."""

    MISSING = "missing"
    MEMBER_GONE = "member_gone"
    MEMBER_TWICE = "member_twice"
    NAME_IN_USE = "name_in_use"
    NOT_A_RECIPIENT = "not_a_recipient"
    NO_MEMBERS = "no_members"


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
        if user_input:
            errors = self._find_errors(user_input, escalation, entities)
        else:
            errors = _find_gone(escalation, entities)
        if user_input and not errors:
            members = [entities[one] for one in user_input[CONF_MEMBERS]]
            title = normalized_name(user_input[CONF_NAME])
            data = {
                **{key: user_input[key] for key in _DEFAULTS},
                **{key: number(user_input[key]) for key, number in _NUMBERS.items()},
                CONF_MEMBERS: members_as_data(members),
            }
            if escalation is None:
                return self.async_create_entry(title=title, data=data)
            return self._change(escalation, title=title, data=data)
        schema = _schema(list(entities))
        stored = _shown(escalation, entities) if escalation else _DEFAULTS
        shown = user_input or stored
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders={
                "account": self._get_entry().title,
                "strangers": ", ".join(_strangers(shown, entities)),
            },
        )

    def _find_errors(
        self,
        user_input: Mapping[str, Any],
        escalation: ConfigSubentry | None,
        entities: Mapping[str, Member],
    ) -> dict[str, str]:
        """Return the errors of what was typed, by field."""
        errors: dict[str, str] = {}
        name = normalized_name(user_input[CONF_NAME])
        if not name:
            errors[CONF_NAME] = EscalationError.MISSING
        elif is_name_in_use(self._get_entry(), name, escalation):
            errors[CONF_NAME] = EscalationError.NAME_IN_USE
        if (error := _member_error(user_input, entities)) is not None:
            errors[CONF_MEMBERS] = error
        for key, number in _NUMBERS.items():
            if not is_valid(number, user_input[key]):
                errors[key] = range_error(key)
        return errors


def _member_error(
    values: Mapping[str, Any], entities: Mapping[str, Member]
) -> EscalationError | None:
    """Return the error of the members of a form, None if they can be stored."""
    members = values[CONF_MEMBERS]
    if not members:
        return EscalationError.NO_MEMBERS
    if _strangers(values, entities):
        return EscalationError.NOT_A_RECIPIENT
    return EscalationError.MEMBER_TWICE if len(set(members)) < len(members) else None


def _strangers(
    values: Mapping[str, Any], entities: Mapping[str, Member]
) -> Sequence[str]:
    """Return the members of a form that are no notify entities of recipients."""
    return [one for one in values.get(CONF_MEMBERS, ()) if one not in entities]


def _find_gone(
    escalation: ConfigSubentry | None, entities: Mapping[str, Member]
) -> dict[str, str]:
    """Return the error of a stored member that the form cannot show, if any."""
    members = members_of(escalation) if escalation else ()
    is_complete = set(members) <= set(entities.values())
    return {} if is_complete else {CONF_MEMBERS: EscalationError.MEMBER_GONE}


def _shown(
    escalation: ConfigSubentry, entities: Mapping[str, Member]
) -> Mapping[str, Any]:
    """Return the values of an escalation, without members that have no entity."""
    ids = {member: entity_id for entity_id, member in entities.items()}
    members = members_of(escalation)
    return {
        **escalation.data,
        CONF_NAME: escalation.title,
        CONF_MEMBERS: [ids[member] for member in members if member in ids],
    }


def _schema(entities: list[str]) -> vol.Schema:
    """Return the fields of the form; members are chosen among these entities."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_MEMBERS): unchecked(
                EntitySelector(
                    EntitySelectorConfig(
                        include_entities=entities, multiple=True, reorder=True
                    )
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
