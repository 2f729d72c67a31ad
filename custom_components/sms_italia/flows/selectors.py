"""Selectors that several forms use."""

from typing import Any, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.helpers.selector import (
    EntitySelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from ..account_setup import name_key
from ..runtime import SmsItaliaConfigEntry


class WholeNumber(NumberSelector):
    """A selector and validator of a whole number; raises vol.Invalid for others."""

    @override
    def __call__(self, data: object) -> int:
        """Return the number if it is whole and within bounds."""
        value: float = super().__call__(data)
        if not value.is_integer():
            raise vol.Invalid("not a whole number")
        return int(value)


class EmailSelector(TextSelector):
    """A selector of one email address; raises vol.Invalid for anything else."""

    def __init__(self) -> None:
        """Show a field of the type "email"."""
        super().__init__(TextSelectorConfig(type=TextSelectorType.EMAIL))

    @override
    def __call__(self, data: object) -> str:
        """Return the address if it is one."""
        address: str = vol.Email()(super().__call__(data))
        return address


class AnyNumber(NumberSelector):
    """A field of a number that the step checks itself.

    What a selector refuses closes the dialog's form with a sentence in English.
    """

    @override
    def __call__(self, data: object) -> Any:
        """Return what was entered."""
        return data


class AnyEntities(EntitySelector):
    """A field of several entities that the step checks itself."""

    @override
    def __call__(self, data: object) -> list[str]:
        """Return what was entered; raises vol.Invalid unless it is a list of texts."""
        entered: list[str] = vol.Schema([str])(data)
        return entered


def unchecked(field: object) -> object:
    """Return the same field, without what the step checks itself."""
    match field:
        case NumberSelector(config=config):
            return AnyNumber(config)
        case EmailSelector(config=config):
            return TextSelector(config)
        case EntitySelector(config=config):
            return AnyEntities(config)
        case _:
            return field


def is_valid(field: NumberSelector | EmailSelector, value: object) -> bool:
    """Return whether a field takes a value."""
    try:
        field(value)
    except vol.Invalid:
        return False
    return True


def range_error(key: str) -> str:
    """Return the error of a field's number; its text says what the field takes."""
    return f"{key}_range"


def whole_number(minimum: int, maximum: int, unit: str | None = None) -> WholeNumber:
    """Return the selector and validator of a whole number within bounds.

    `unit` is a key of the translations, "days" or "minutes".
    """
    config = NumberSelectorConfig(
        min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX
    )
    if unit is not None:
        config["unit_of_measurement"] = unit
        config["translation_key"] = "unit"
    return WholeNumber(config)


def is_name_in_use(
    entry: SmsItaliaConfigEntry, name: str, own: ConfigSubentry | None
) -> bool:
    """Return whether another recipient or escalation of an account has a name."""
    others = [one.title for one in entry.subentries.values() if one is not own]
    return name_key(name) in map(name_key, others)
