"""What several forms are made of."""

from typing import override

from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
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


class EmailSelector(TextSelector):
    """What an e-mail address is typed into; raises vol.Invalid for anything else.

    A validator beside the selector would do as well, were there one for addresses
    that a form can be made of.
    """

    def __init__(self) -> None:
        """Take one address."""
        super().__init__(TextSelectorConfig(type=TextSelectorType.EMAIL))

    @override
    def __call__(self, data: object) -> str:
        """Return what was typed in, if it is an address."""
        address: str = vol.Email()(super().__call__(data))
        return address
