"""The form of an account, made of its provider's fields, and the credential check."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
import logging
from traceback import format_tb
from types import MappingProxyType
from typing import Any

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from ..const import SECTION_ADVANCED
from ..http_session import async_get_session
from ..providers import (
    DEFAULT_TIMEOUTS,
    Cause,
    ErrorKind,
    FieldKind,
    NotAcceptedError,
    Placement,
    Presence,
    Provider,
    ProviderError,
    Settings,
    SettingsField,
    UnconfirmedAuthError,
    parse_url,
)
from ..runtime import SmsItaliaConfigEntry
from .selectors import is_valid, unchecked, whole_number

_LOGGER = logging.getLogger(__name__)


class AccountError(StrEnum):
    """The errors of the account form; each has a text in the translations."""

    INVALID_AUTH = "invalid_auth"
    CANNOT_CONNECT = "cannot_connect"
    INVALID_SENDER = "invalid_sender"
    SENDER_CHARACTERS = "sender_characters"
    INVALID_PREFIX = "invalid_prefix"
    INVALID_URL = "invalid_url"
    HTTPS_REQUIRED = "https_required"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForm:
    """A form with some fields of a provider.

    If it changes an `account`, `stored` holds the current settings. Secrets among them
    are not shown, and a secret that is left empty keeps its value.
    """

    provider: Provider
    fields: tuple[SettingsField, ...]
    stored: Settings = MappingProxyType({})
    account: SmsItaliaConfigEntry | None = None

    def schema(
        self, user_input: Mapping[str, Any] | None, errors: Mapping[str, str]
    ) -> vol.Schema:
        """Return the form, filled with the user's input or else the stored settings."""
        if user_input is None:
            shown: Mapping[str, Any] = {
                field.key: self.stored[field.key]
                for field in self.fields
                if field.kind is not FieldKind.SECRET and field.key in self.stored
            }
        else:
            shown = user_input | user_input.get(SECTION_ADVANCED, {})
        schemas: dict[Placement, dict[vol.Marker, object]] = {
            placement: {
                self._marker(field, shown.get(field.key)): _SELECTORS[field.kind]
                for field in self.fields
                if field.placement is placement
            }
            for placement in Placement
        }
        schema = schemas[Placement.MAIN]
        if advanced := schemas[Placement.ADVANCED]:
            is_open = SECTION_ADVANCED in errors or (
                bool(errors) and self._has_advanced(shown)
            )
            schema[vol.Required(SECTION_ADVANCED)] = section(
                vol.Schema(advanced), {"collapsed": not is_open}
            )
        return vol.Schema(schema)

    def _has_advanced(self, shown: Mapping[str, Any]) -> bool:
        """Return whether an advanced value was entered, which may be the wrong one."""
        return any(
            _as_text(shown.get(field.key)) not in {"", field.default}
            for field in self.fields
            if field.placement is Placement.ADVANCED
        )

    def place_of(self, error: AccountError) -> str:
        """Return the key of an error of the credential check: what is to be changed."""
        asks_for_url = any(field.key == CONF_URL for field in self.fields)
        is_of_url = error is AccountError.HTTPS_REQUIRED and asks_for_url
        return SECTION_ADVANCED if is_of_url else "base"

    def _marker(self, field: SettingsField, shown: object) -> vol.Marker:
        """Return the key of a field in the schema."""
        has_value = field.kind is FieldKind.SECRET and field.key in self.stored
        marker = (
            vol.Required
            if field.presence is Presence.REQUIRED and not has_value
            else vol.Optional
        )
        return marker(
            field.key,
            default=vol.UNDEFINED if field.default is None else field.default,
            description=None if shown is None else {"suggested_value": shown},
        )

    def read(self, user_input: Mapping[str, Any]) -> Settings:
        """Return the account's settings with this input applied."""
        values = user_input | user_input.get(SECTION_ADVANCED, {})
        shown = {field.key for field in self.fields}
        settings = {
            key: value for key, value in self.stored.items() if key not in shown
        }
        for field in self.fields:
            value = _as_text(values.get(field.key))
            if field.kind is FieldKind.COUNTRY_PREFIX:
                # The frontend may send a number as 39.0.
                value = value.removesuffix(".0")
            if not value and self._keeps_secret(field, values):
                value = self.stored[field.key]
            if value:
                settings[field.key] = value
        return settings

    def _keeps_secret(self, field: SettingsField, values: Mapping[str, Any]) -> bool:
        """Return whether an empty field keeps its stored secret.

        An optional password is removed together with its username.
        """
        if field.kind is not FieldKind.SECRET or field.key not in self.stored:
            return False
        return all(
            _as_text(values.get(other.key))
            for other in self.fields
            if other.kind is FieldKind.USERNAME and other.placement is field.placement
        )

    def clear_text_offer(
        self, settings: Settings, refusal: CredentialsRefusal
    ) -> str | None:
        """Return the address to offer if the default one did not prove to be the API.

        None if there is no other, if the form does not ask for an address, or if the
        account has the default one already: it was proved then.
        """
        offer = self.provider.clear_text_url
        is_asked = any(field.key == CONF_URL for field in self.fields)
        if offer is None or not is_asked or refusal.is_of_api:
            return None
        default = parse_url(default_url(self.provider))
        stored = self.stored.get(CONF_URL)
        was_proved = stored is not None and parse_url(stored) == default
        is_default = parse_url(settings[CONF_URL]) == default
        return offer if is_default and not was_proved else None

    def find_errors(self, settings: Settings) -> dict[str, str]:
        """Return the errors of the values by field.

        The key of an error in the section is the section: Home Assistant shows no
        errors beside the fields of a section.
        """
        errors: dict[str, str] = {}
        for field in self.fields:
            if error := self._find_error(field, settings.get(field.key)):
                is_main = field.placement is Placement.MAIN
                errors[field.key if is_main else SECTION_ADVANCED] = error
        return errors

    def _find_error(
        self, field: SettingsField, value: str | None
    ) -> AccountError | None:
        """Return the error of one value."""
        if value is None:
            return AccountError.MISSING if field.presence is Presence.REQUIRED else None
        if field.kind is FieldKind.SENDER:
            return self._find_sender_error(value)
        if field.kind is FieldKind.COUNTRY_PREFIX:
            is_prefix = is_valid(_COUNTRY_PREFIX, value)
            return None if is_prefix else AccountError.INVALID_PREFIX
        if field.kind is FieldKind.URL:
            try:
                parse_url(value)
            except ValueError:
                return AccountError.INVALID_URL
        return None

    def _find_sender_error(self, sender: str) -> AccountError | None:
        """Return the error of a sender."""
        rule = self.provider.capabilities.sender
        if rule.allows(sender):
            return None
        if rule.refused_characters(sender):
            return AccountError.SENDER_CHARACTERS
        return AccountError.INVALID_SENDER

    def refused_characters(self, user_input: Mapping[str, Any]) -> str:
        """Return what the provider does not take in the sender that was entered."""
        rule = self.provider.capabilities.sender
        return " ".join(
            character
            for field in self.fields
            if field.kind is FieldKind.SENDER
            for character in rule.refused_characters(
                _as_text(user_input.get(field.key))
            )
        )


def _as_text(value: object) -> str:
    """Return a field's value as it is stored, "" for one that was left out."""
    return "" if value is None else str(value).strip()


_COUNTRY_PREFIX = whole_number(1, 999)

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
    FieldKind.COUNTRY_PREFIX: unchecked(_COUNTRY_PREFIX),
}
"""The selector of each kind of field."""


def account_unique_id(provider: Provider, customer: str) -> str:
    """Return the unique ID of a customer's account, which does not reveal the name.

    Neither keys nor the address are part of it: they change, and the account stays.
    """
    digest = sha256(customer.encode()).hexdigest()
    return f"{provider.key}_{digest[:32]}"


def have_same_credentials(provider: Provider, one: Settings, other: Settings) -> bool:
    """Return whether two accounts at a provider have the same credentials."""
    keys = [field.key for field in provider.credentials]
    return all(one.get(key) == other.get(key) for key in keys)


def default_url(provider: Provider) -> str:
    """Return the address that a new account has unless another is entered."""
    defaults = (
        field.default for field in provider.fields if field.kind is FieldKind.URL
    )
    return next(defaults) or ""


def encrypted_addresses(provider: Provider, url: str) -> list[str]:
    """Return where an API at an http address may answer over https.

    First the same address: a server that demands https leads there. Then the default
    one, if `url` is the provider's other address.
    """
    address = parse_url(url)
    port = None if address.is_default_port() else address.port
    same = str(address.with_scheme("https").with_port(port))
    other = provider.clear_text_url
    if other is None or address != parse_url(other):
        return [same]
    return [same, default_url(provider)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsProof:
    """The provider accepted the credentials, which are those of `customer`.

    None if the provider does not name its customers.
    """

    customer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRefusal:
    """Why the credentials could not be checked or are not valid.

    `detail` is the provider's wording. `is_of_api` is False if nothing proved that the
    API was reached at all.
    """

    error: AccountError
    detail: str = ""
    is_of_api: bool = False


async def async_check_credentials(
    hass: HomeAssistant, provider: Provider, settings: Settings
) -> CredentialsProof | CredentialsRefusal:
    """Ask the provider whether the credentials are valid, and whose they are."""
    client = provider.create(async_get_session(hass), settings, DEFAULT_TIMEOUTS)
    try:
        return CredentialsProof(customer=await client.customer())
    except NotAcceptedError as err:
        if err.kind is ErrorKind.AUTH:
            return CredentialsRefusal(
                error=AccountError.INVALID_AUTH,
                detail=err.detail or err.kind,
                is_of_api=not isinstance(err, UnconfirmedAuthError),
            )
        error = AccountError.CANNOT_CONNECT
        if err.cause is Cause.HTTPS_REQUIRED:
            error = AccountError.HTTPS_REQUIRED
        return CredentialsRefusal(error=error, detail=err.detail or err.kind)
    except ProviderError as err:
        return CredentialsRefusal(
            error=AccountError.CANNOT_CONNECT, detail=err.detail or "-"
        )
    except Exception as err:  # noqa: BLE001 - a defect must not close the form
        # Without the exception's text, which may contain credentials.
        _LOGGER.error(  # noqa: TRY400 - same reason
            "Unexpected %s while checking credentials of %s\n%s",
            type(err).__name__,
            provider.name,
            "".join(format_tb(err.__traceback__)),
        )
        return CredentialsRefusal(error=AccountError.UNKNOWN, is_of_api=True)
