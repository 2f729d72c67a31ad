"""The form of a recipient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntryState,
    ConfigSubentry,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.typing import VolDictType
import voluptuous as vol

from ..account_setup import default_country, normalized_name
from ..const import CONF_FALLBACK, CONF_NUMBERS, DOMAIN, SUBENTRY_TYPE_RECIPIENT
from ..messaging import (
    NumberProblem,
    PhoneNumber,
    is_landline,
    parse_numbers,
    split_numbers,
)
from ..test_message import async_test_when_stored
from .selectors import is_name_in_use
from .subentry import SubentryFlow

_CONF_SEND_TEST = "send_test"

type _Input = dict[str, Any] | None


class RecipientError(StrEnum):
    """The errors of the recipient form; each has a text in the translations."""

    MISSING = "missing"
    NAME_IN_USE = "name_in_use"
    NO_NUMBERS = "no_numbers"
    INVALID_NUMBER = "invalid_number"
    PREMIUM_NUMBER = "premium_number"
    LOST_PLUS = "lost_plus"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipient:
    """A recipient as the form has it, with numbers in E.164."""

    name: str
    numbers: Sequence[str]
    sends_test: bool


class RecipientFlow(SubentryFlow):
    """Add a recipient to an account, or change one."""

    _filled: _Input = None
    _recipient: _Recipient
    _tested: str | None = None

    async def async_step_user(self, user_input: _Input = None) -> SubentryFlowResult:
        """Add a recipient."""
        return await self._async_form(user_input)

    async def async_step_reconfigure(
        self, user_input: _Input = None
    ) -> SubentryFlowResult:
        """Change a recipient's name or numbers."""
        return await self._async_form(user_input)

    async def _async_form(self, user_input: _Input) -> SubentryFlowResult:
        """Show the form until name and numbers are valid; then store them."""
        if user_input is None:
            return self._show_form(self._shown_at_first())
        name = normalized_name(user_input[CONF_NAME])
        given = user_input[CONF_NUMBERS]
        pieces = [piece for value in given for piece in split_numbers(value)]
        parsed = await _async_parse(self.hass, pieces)
        errors: dict[str, str] = {}
        if name_error := self._find_name_error(name):
            errors[CONF_NAME] = name_error
        if parsed.error:
            errors[CONF_NUMBERS] = parsed.error
        if errors:
            return self._show_form(user_input, errors, parsed.refused)
        self._filled = user_input
        self._recipient = _Recipient(
            name=name,
            numbers=parsed.valid,
            sends_test=user_input.get(_CONF_SEND_TEST, False),
        )
        if self._new_landlines():
            return await self.async_step_landline()
        return self._finish()

    async def async_step_landline(
        self, _user_input: _Input = None
    ) -> SubentryFlowResult:
        """Ask whether numbers that are landlines are meant."""
        return self.async_show_menu(
            step_id="landline",
            menu_options=["change_numbers", "keep_landline"],
            description_placeholders={"number": ", ".join(self._new_landlines())},
        )

    async def async_step_change_numbers(
        self, _user_input: _Input = None
    ) -> SubentryFlowResult:
        """Show the form again as it was filled in."""
        return self._show_form(self._filled)

    async def async_step_keep_landline(
        self, _user_input: _Input = None
    ) -> SubentryFlowResult:
        """Store the recipient with its landline."""
        return self._finish()

    @override
    @callback
    def async_remove(self) -> None:
        """Send the test message, if one was asked for: the recipient is stored now."""
        if self._tested is not None:
            self.hass.async_create_task(
                async_test_when_stored(self.hass, self._get_entry(), self._tested)
            )

    @property
    def _changed(self) -> ConfigSubentry | None:
        """The recipient that is changed, None for a new one."""
        is_new = self.source == SOURCE_USER
        return None if is_new else self._get_reconfigure_subentry()

    def _shown_at_first(self) -> _Input:
        if (recipient := self._changed) is None:
            # An empty row to type into; without it there is only a button to add one.
            return {CONF_NUMBERS: [""]}
        return {
            CONF_NAME: recipient.title,
            CONF_NUMBERS: recipient.data[CONF_NUMBERS],
        }

    def _show_form(
        self,
        shown: _Input,
        errors: dict[str, str] | None = None,
        refused: Sequence[str] = (),
    ) -> SubentryFlowResult:
        entry = self._get_entry()
        schema = _RECIPIENT_SCHEMA
        if entry.state is ConfigEntryState.LOADED:
            schema = schema.extend(_TEST_FIELD)
        return self.async_show_form(
            step_id=self.source,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors or {},
            description_placeholders={
                "account": entry.title,
                "number": ", ".join(refused),
            },
        )

    def _finish(self) -> SubentryFlowResult:
        """Store the recipient; the test message is sent when it is stored."""
        recipient = self._recipient
        data = {CONF_NUMBERS: list(recipient.numbers)}
        if recipient.sends_test:
            self._tested = recipient.name
        if (changed := self._changed) is None:
            return self.async_create_entry(
                title=recipient.name,
                data=data,
                description=self._added(),
                description_placeholders={"account": self._get_entry().title},
            )
        return self._change(
            changed,
            title=recipient.name,
            data=data,
            reason="tested" if recipient.sends_test else "reconfigure_successful",
        )

    def _added(self) -> str:
        """Return the key of the text after a new recipient.

        With the first one, the set-up of the account is complete: the text says what to
        do if no other account can step in.
        """
        is_tested = self._recipient.sends_test
        if (advice := self._advice()) is None:
            return "tested" if is_tested else "default"
        return f"{advice}_tested" if is_tested else advice

    def _advice(self) -> str | None:
        """Return the key of what to do about fallback accounts, None for nothing."""
        entry = self._get_entry()
        is_first = not any(entry.get_subentries_of_type(SUBENTRY_TYPE_RECIPIENT))
        if not is_first or entry.options.get(CONF_FALLBACK):
            return None
        accounts = self.hass.config_entries.async_entries(DOMAIN)
        return "alone" if len(accounts) == 1 else "without_fallback"

    def _new_landlines(self) -> list[str]:
        """Return the landlines that the recipient did not have."""
        changed = self._changed
        known = changed.data[CONF_NUMBERS] if changed else ()
        numbers = self._recipient.numbers
        return [one for one in numbers if one not in known and is_landline(one)]

    def _find_name_error(self, name: str) -> RecipientError | None:
        """Return the error of a name, which must be unique within the account."""
        if not name:
            return RecipientError.MISSING
        is_in_use = is_name_in_use(self._get_entry(), name, self._changed)
        return RecipientError.NAME_IN_USE if is_in_use else None


_RECIPIENT_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Required(CONF_NUMBERS): TextSelector(
            TextSelectorConfig(type=TextSelectorType.TEL, multiple=True)
        ),
    }
)

_TEST_FIELD: VolDictType = {
    vol.Optional(_CONF_SEND_TEST, default=False): BooleanSelector()
}
"""The field of an account that can send."""


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
