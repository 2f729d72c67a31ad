"""Selectors that several forms use."""

from homeassistant.config_entries import ConfigSubentry
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
import voluptuous as vol

from ..account_setup import name_key
from ..runtime import SmsItaliaConfigEntry


def whole_number(minimum: int, maximum: int, unit: str | None = None) -> object:
    """Return the selector and validator of a whole number within bounds.

    `unit` is a key of the translations, "days" or "minutes".
    """
    config = NumberSelectorConfig(
        min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX
    )
    if unit is not None:
        config["unit_of_measurement"] = unit
        config["translation_key"] = "unit"
    return vol.All(NumberSelector(config), vol.Coerce(int))


def is_name_in_use(
    entry: SmsItaliaConfigEntry, name: str, own: ConfigSubentry | None
) -> bool:
    """Return whether another recipient or escalation of an account has a name."""
    others = [one.title for one in entry.subentries.values() if one is not own]
    return name_key(name) in map(name_key, others)
