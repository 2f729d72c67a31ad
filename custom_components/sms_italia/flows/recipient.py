"""The form of a recipient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from homeassistant.config_entries import (
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from ..account_setup import default_country, normalized_name
from ..const import CONF_NUMBERS
from ..messaging import NumberProblem, PhoneNumber, parse_numbers, split_numbers
from .selectors import is_name_in_use


class RecipientError(StrEnum):
    """The errors of the recipient form; each has a text in the translations."""

    MISSING = "missing"
    NAME_IN_USE = "name_in_use"
    NO_NUMBERS = "no_numbers"
    INVALID_NUMBER = "invalid_number"
    PREMIUM_NUMBER = "premium_number"
    LOST_PLUS = "lost_plus"


class RecipientFlow(ConfigSubentryFlow):
    """Add a recipient to an account, or change one."""

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add a recipient."""
        return await self._async_recipient_step("user", None, user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a recipient's name or numbers."""
        return await self._async_recipient_step(
            "reconfigure", self._get_reconfigure_subentry(), user_input
        )

    async def _async_recipient_step(
        self,
        step_id: str,
        recipient: ConfigSubentry | None,
        user_input: dict[str, Any] | None,
    ) -> SubentryFlowResult:
        """Show the form until name and numbers are valid; then store them."""
        errors: dict[str, str] = {}
        refused: Sequence[str] = ()
        shown = user_input
        if user_input is not None:
            name = normalized_name(user_input[CONF_NAME])
            given = user_input[CONF_NUMBERS]
            pieces = [piece for value in given for piece in split_numbers(value)]
            parsed = await _async_parse(self.hass, pieces)
            refused = parsed.refused
            if name_error := self._find_name_error(name, recipient):
                errors[CONF_NAME] = name_error
            if parsed.error:
                errors[CONF_NUMBERS] = parsed.error
            if not errors:
                data = {CONF_NUMBERS: list(parsed.valid)}
                if recipient is None:
                    return self.async_create_entry(title=name, data=data)
                return self.async_update_and_abort(
                    self._get_entry(),
                    recipient,
                    title=name,
                    data=data,
                )
        elif recipient is not None:
            shown = {
                CONF_NAME: recipient.title,
                CONF_NUMBERS: recipient.data[CONF_NUMBERS],
            }
        else:
            # An empty row to type into; without it there is only a button to add one.
            shown = {CONF_NUMBERS: [""]}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(_RECIPIENT_SCHEMA, shown),
            errors=errors,
            description_placeholders={
                "account": self._get_entry().title,
                "number": ", ".join(refused),
            },
        )

    def _find_name_error(
        self, name: str, recipient: ConfigSubentry | None
    ) -> RecipientError | None:
        """Return the error of a name, which must be unique within the account."""
        if not name:
            return RecipientError.MISSING
        is_in_use = is_name_in_use(self._get_entry(), name, recipient)
        return RecipientError.NAME_IN_USE if is_in_use else None


_RECIPIENT_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Required(CONF_NUMBERS): TextSelector(
            TextSelectorConfig(type=TextSelectorType.TEL, multiple=True)
        ),
    }
)


_ERRORS: Mapping[NumberProblem, RecipientError] = {
    NumberProblem.INVALID: RecipientError.INVALID_NUMBER,
    NumberProblem.LOST_PLUS: RecipientError.LOST_PLUS,
    NumberProblem.PREMIUM: RecipientError.PREMIUM_NUMBER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """Parsed numbers: the valid ones (E.164), or an error and the refused ones."""

    valid: Sequence[str] = ()
    refused: Sequence[str] = ()
    error: RecipientError | None = None


async def _async_parse(hass: HomeAssistant, given: Iterable[str]) -> _Numbers:
    """Parse the numbers of a recipient."""
    values = list(given)
    valid: dict[str, None] = {}
    refused: dict[NumberProblem, list[str]] = {}
    parsed = await parse_numbers(values, default_country(hass))
    for value, number in zip(values, parsed, strict=True):
        match number:
            case PhoneNumber(e164=e164):
                valid[e164] = None
            case NumberProblem() as problem:
                refused.setdefault(problem, []).append(value)
    for problem, error in _ERRORS.items():
        if problem in refused:
            return _Numbers(refused=refused[problem], error=error)
    if not valid:
        return _Numbers(error=RecipientError.NO_NUMBERS)
    return _Numbers(valid=tuple(valid))
