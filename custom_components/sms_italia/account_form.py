"""The form of an account, made of its provider's fields; design.md, section 7."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
import json
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import (
    ConfigEntry,
)
from homeassistant.const import CONF_URL
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from .const import (
    SECTION_ADVANCED,
)
from .fields import whole_number
from .providers.client import (
    FieldKind,
    Placement,
    Presence,
    Provider,
    Settings,
    SettingsField,
    parse_url,
)


class AccountError(StrEnum):
    """What can be wrong in the form of an account; each has a text."""

    INVALID_AUTH = "invalid_auth"
    CANNOT_CONNECT = "cannot_connect"
    INVALID_SENDER = "invalid_sender"
    INVALID_URL = "invalid_url"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForm:
    """A form with some fields of a provider.

    When it changes an `account`, `stored` holds the settings so far; secrets among
    them are not shown, and stay if left empty.
    """

    provider: Provider
    fields: tuple[SettingsField, ...]
    stored: Settings = MappingProxyType({})
    account: ConfigEntry | None = None

    def schema(
        self, user_input: Mapping[str, Any] | None, errors: Mapping[str, str]
    ) -> vol.Schema:
        """Return the form, filled with what was typed or else with what is stored."""
        if user_input is None:
            shown: Mapping[str, Any] = {
                field.key: self.stored[field.key]
                for field in self.fields
                if field.kind is not FieldKind.SECRET and field.key in self.stored
            }
        else:
            shown = user_input | user_input.get(SECTION_ADVANCED, {})
        places: dict[Placement, dict[vol.Marker, object]] = {
            place: {
                self._marker(field, shown.get(field.key)): _SELECTORS[field.kind]
                for field in self.fields
                if field.placement is place
            }
            for place in Placement
        }
        schema = places[Placement.MAIN]
        if advanced := places[Placement.ADVANCED]:
            schema[vol.Required(SECTION_ADVANCED)] = section(
                vol.Schema(advanced), {"collapsed": SECTION_ADVANCED not in errors}
            )
        return vol.Schema(schema)

    def _marker(self, field: SettingsField, shown: object) -> vol.Marker:
        """Return the key of a field in the schema."""
        stays = field.kind is FieldKind.SECRET and field.key in self.stored
        marker = (
            vol.Required
            if field.presence is Presence.REQUIRED and not stays
            else vol.Optional
        )
        return marker(
            field.key,
            default=vol.UNDEFINED if field.default is None else field.default,
            description=None if shown is None else {"suggested_value": shown},
        )

    def read(self, user_input: Mapping[str, Any]) -> Settings:
        """Return the account's settings as they would be with this input."""
        typed = user_input | user_input.get(SECTION_ADVANCED, {})
        mine = {field.key for field in self.fields}
        settings = {key: value for key, value in self.stored.items() if key not in mine}
        for field in self.fields:
            value = _as_text(typed.get(field.key))
            if not value and self._keeps(field, typed):
                value = self.stored[field.key]
            if value:
                settings[field.key] = value
        return settings

    def _keeps(self, field: SettingsField, typed: Mapping[str, Any]) -> bool:
        """Tell whether a field left empty keeps the secret that is stored.

        An optional password goes when the user name that stands with it goes.
        """
        if field.kind is not FieldKind.SECRET or field.key not in self.stored:
            return False
        return all(
            _as_text(typed.get(other.key))
            for other in self.fields
            if other.kind is FieldKind.USERNAME and other.placement is field.placement
        )

    def find_errors(self, settings: Settings) -> dict[str, str]:
        """Return what is wrong with the values themselves, by the place of the text.

        An error in the folded-in section stands above it: Home Assistant shows
        none beside the fields of a section.
        """
        errors: dict[str, str] = {}
        for field in self.fields:
            if error := self._find_error(field, settings.get(field.key)):
                place = (
                    field.key if field.placement is Placement.MAIN else SECTION_ADVANCED
                )
                errors[place] = error
        return errors

    def _find_error(
        self, field: SettingsField, value: str | None
    ) -> AccountError | None:
        """Return what is wrong with one value."""
        if value is None:
            return AccountError.MISSING if field.presence is Presence.REQUIRED else None
        if field.kind is FieldKind.SENDER:
            allowed = self.provider.capabilities.sender.allows(value)
            return None if allowed else AccountError.INVALID_SENDER
        if field.kind is FieldKind.URL:
            try:
                parse_url(value)
            except ValueError:
                return AccountError.INVALID_URL
        return None


def _as_text(value: object) -> str:
    """Return a field's value as it is stored; empty if it was left out."""
    return "" if value is None else str(value).strip()


_SELECTORS: Mapping[FieldKind, object] = {
    FieldKind.TEXT: TextSelector(),
    FieldKind.SENDER: TextSelector(),
    FieldKind.USERNAME: TextSelector(TextSelectorConfig(autocomplete="username")),
    FieldKind.SECRET: TextSelector(
        TextSelectorConfig(
            type=TextSelectorType.PASSWORD, autocomplete="current-password"
        )
    ),
    FieldKind.URL: TextSelector(
        TextSelectorConfig(type=TextSelectorType.URL, autocomplete="url")
    ),
    FieldKind.COUNTRY_PREFIX: whole_number(1, 999),
}
"""What each kind of field is typed into."""


def account_unique_id(provider: Provider, settings: Settings) -> str:
    """Return what names an account for good, without telling its credentials."""
    identity = [
        parse_url(settings[CONF_URL]).host,
        *(settings.get(key) for key in provider.identity),
    ]
    digest = sha256(json.dumps(identity).encode()).hexdigest()
    return f"{provider.key}_{digest[:32]}"
