"""What several forms are made of."""

from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
import voluptuous as vol


def whole_number(minimum: int, maximum: int, unit: str | None = None) -> object:
    """Return what a whole number within bounds is typed into."""
    config = NumberSelectorConfig(
        min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX
    )
    if unit is not None:
        config["unit_of_measurement"] = unit
        config["translation_key"] = "unit"
    return vol.All(NumberSelector(config), vol.Coerce(int))
