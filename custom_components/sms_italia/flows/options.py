"""The form of an account's options."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.data_entry_flow import section
from homeassistant.generated.countries import COUNTRIES
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import voluptuous as vol

from ..account_setup import default_country
from ..const import (
    CONF_ALLOWED_COUNTRIES,
    CONF_BUNDLE_AFTER,
    CONF_DAILY_LIMIT,
    CONF_DELIVERY_REPORTS,
    CONF_ENCODING,
    CONF_FAILOVER_ON_FAILED_DELIVERY,
    CONF_FALLBACK,
    CONF_HISTORY_DAYS,
    CONF_LOW_CREDIT,
    CONF_MAX_PARTS,
    CONF_PROVIDER,
    CONF_RECEIVE,
    CONF_RESEND_UNCERTAIN,
    CONF_RETRY_FOR,
    DAILY_LIMIT_MAX,
    DOMAIN,
    SECTION_LIMITS,
    SECTION_PROVIDER,
    SECTION_RELIABILITY,
    SECTION_REPORTS,
    SECTION_TEXT,
)
from ..coordinator import CREDIT_FEATURES
from ..messaging import AccountOptions, DeliveryReports, TextEncoding
from ..providers import (
    PROVIDERS,
    ChoiceOption,
    EmailOption,
    Feature,
    NumberOption,
    Provider,
    ProviderOption,
    SwitchOption,
)
from .selectors import EmailSelector, is_valid, range_error, unchecked, whole_number

_COUNTRIES = sorted(country.lower() for country in COUNTRIES | {"XK"})
"""In lower case, as keys of translations must be; Kosovo has no ISO code yet."""

_DEFAULTS = AccountOptions()

type _Fields = dict[vol.Marker, object]


class OptionsError(StrEnum):
    """The errors of the options form besides those of numbers; each has a text."""

    INVALID_EMAIL = "invalid_email"


class SmsItaliaOptionsFlow(OptionsFlow):
    """Change how an account sends."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show all options in one form of sections; store them flat."""
        if user_input is None:
            return self._show_form()
        options: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name, fields in self._sections().items():
            # A field of text that was cleared is left out.
            given = {key: one for key, one in user_input[name].items() if one != ""}
            if error := _find_error(fields, given):
                errors[name] = error
            else:
                options |= vol.Schema(fields)(given)
        if errors:
            return self._show_form(user_input, errors)
        options[CONF_ALLOWED_COUNTRIES] = [
            country.upper() for country in options[CONF_ALLOWED_COUNTRIES]
        ]
        return self.async_create_entry(data=options)

    @property
    def _provider(self) -> Provider:
        return PROVIDERS[self.config_entry.data[CONF_PROVIDER]]

    def _sections(self) -> dict[str, _Fields]:
        """Return the fields by section; those without a field are left out."""
        country = default_country(self.hass)
        sections = options_fields(self._provider, country, self._others())
        return {name: fields for name, fields in sections.items() if fields}

    def _others(self) -> dict[str, str]:
        """Return the titles of the other accounts by entry ID."""
        return {
            entry.entry_id: entry.title
            for entry in self.hass.config_entries.async_entries(DOMAIN)
            if entry is not self.config_entry
        }

    def _show_form(
        self,
        shown: Mapping[str, Any] | None = None,
        errors: Mapping[str, str] = MappingProxyType({}),
    ) -> ConfigFlowResult:
        """Show the form with the stored options, or else as it was filled in.

        The sections with an error are open: Home Assistant shows no errors beside the
        fields of a section, so that the section itself has it.
        """
        sections = self._sections()
        schema = vol.Schema(
            {
                vol.Required(name): section(
                    vol.Schema({key: unchecked(one) for key, one in fields.items()}),
                    {"collapsed": name not in errors},
                )
                for name, fields in sections.items()
            }
        )
        if shown is None:
            shown = dict.fromkeys(sections, self._stored(self._others()))
        provider = self._provider
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=dict(errors),
            description_placeholders={
                "account": self.config_entry.title,
                "provider": provider.name,
                "max_parts": str(provider.capabilities.max_parts),
                "receive_url": self._receive_url(),
            },
        )

    def _receive_url(self) -> str:
        """Return the address for incoming SMS, a dash while there is none."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return "-"
        return self.config_entry.runtime_data.webhook.receive_url or "-"

    def _stored(self, accounts: Mapping[str, str]) -> dict[str, Any]:
        """Return the stored options as the form shows them."""
        stored = dict(self.config_entry.options)
        if CONF_ALLOWED_COUNTRIES in stored:
            stored[CONF_ALLOWED_COUNTRIES] = [
                country.lower() for country in stored[CONF_ALLOWED_COUNTRIES]
            ]
        if CONF_FALLBACK in stored:
            # An account may have been removed since.
            stored[CONF_FALLBACK] = [
                account for account in stored[CONF_FALLBACK] if account in accounts
            ]
        return stored


def options_fields(
    provider: Provider, country: str, accounts: Mapping[str, str]
) -> dict[str, _Fields]:
    """Return the fields of the options form by section.

    `country` is the one allowed by default; `accounts` are the titles of the other
    accounts by entry ID. Options without an effect are left out.
    """
    return {
        SECTION_TEXT: _text_fields(provider),
        SECTION_LIMITS: _limit_fields(provider, country),
        SECTION_RELIABILITY: _reliability_fields(accounts),
        SECTION_REPORTS: _report_fields(provider),
        SECTION_PROVIDER: dict(map(_option_field, provider.options)),
    }


def _text_fields(provider: Provider) -> _Fields:
    """Return the fields about the text of messages."""
    return {
        vol.Required(CONF_ENCODING, default=_DEFAULTS.encoding.value): _select(
            CONF_ENCODING, [encoding.value for encoding in TextEncoding]
        ),
        vol.Optional(CONF_MAX_PARTS): whole_number(1, provider.capabilities.max_parts),
    }


def _limit_fields(provider: Provider, country: str) -> _Fields:
    """Return the fields about limits, and about credit where it is known."""
    fields: _Fields = {
        vol.Required(CONF_DAILY_LIMIT, default=_DEFAULTS.daily_limit): whole_number(
            0, DAILY_LIMIT_MAX
        ),
        vol.Required(CONF_ALLOWED_COUNTRIES, default=[country.lower()]): SelectSelector(
            SelectSelectorConfig(
                options=_COUNTRIES,
                multiple=True,
                sort=True,
                translation_key="country",
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
    }
    if provider.capabilities.features & CREDIT_FEATURES:
        fields[vol.Required(CONF_LOW_CREDIT, default=float(_DEFAULTS.low_credit))] = (
            NumberSelector(
                NumberSelectorConfig(
                    min=0,
                    max=100_000,
                    step=0.01,
                    unit_of_measurement="€",
                    mode=NumberSelectorMode.BOX,
                )
            )
        )
    return fields


def _reliability_fields(accounts: Mapping[str, str]) -> _Fields:
    """Return the fields about failures; those of fallbacks need another account."""
    fields: _Fields = {
        vol.Required(CONF_RETRY_FOR, default=int(_DEFAULTS.retry_for) // 60): (
            whole_number(0, 1440, "minutes")
        ),
    }
    if accounts:
        fields |= {
            vol.Required(CONF_FALLBACK, default=[]): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=account, label=title)
                        for account, title in accounts.items()
                    ],
                    multiple=True,
                    mode=SelectSelectorMode.DROPDOWN,
                )
            ),
            vol.Required(
                CONF_RESEND_UNCERTAIN, default=_DEFAULTS.resend_uncertain
            ): BooleanSelector(),
            vol.Required(
                CONF_FAILOVER_ON_FAILED_DELIVERY,
                default=_DEFAULTS.failover_on_failed_delivery,
            ): BooleanSelector(),
        }
    fields[vol.Required(CONF_BUNDLE_AFTER, default=_DEFAULTS.bundle_after)] = (
        whole_number(0, 1000)
    )
    return fields


def _report_fields(provider: Provider) -> _Fields:
    """Return the fields about delivery reports, incoming SMS and the history."""
    fields: _Fields = {
        vol.Required(
            CONF_DELIVERY_REPORTS, default=_DEFAULTS.delivery_reports.value
        ): _select(CONF_DELIVERY_REPORTS, [choice.value for choice in DeliveryReports]),
    }
    if Feature.RECEIVE in provider.capabilities.features:
        fields[vol.Required(CONF_RECEIVE, default=_DEFAULTS.receive)] = (
            BooleanSelector()
        )
    fields[vol.Required(CONF_HISTORY_DAYS, default=_DEFAULTS.history_days)] = (
        whole_number(1, 3650, "days")
    )
    return fields


def _select(key: str, options: Sequence[str]) -> object:
    """Return the selector of one of the options; `key` is that of their texts."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options, translation_key=key, mode=SelectSelectorMode.DROPDOWN
        )
    )


def _option_field(option: ProviderOption) -> tuple[vol.Marker, object]:
    """Return the field of an option of a provider."""
    match option:
        case SwitchOption(key=key, default=default):
            return vol.Required(key, default=default), BooleanSelector()
        case NumberOption(key=key, default=default, minimum=minimum, maximum=maximum):
            return vol.Required(key, default=default), whole_number(minimum, maximum)
        case ChoiceOption(key=key, default=default, choices=choices):
            return vol.Required(key, default=default), _select(key, list(choices))
        case EmailOption(key=key):
            return vol.Optional(key), EmailSelector()


def _find_error(fields: _Fields, given: Mapping[str, Any]) -> str | None:
    """Return the first error of a section, which has room for one."""
    for marker, field in fields.items():
        if str(marker) not in given:
            continue
        match field:
            case NumberSelector() if not is_valid(field, given[str(marker)]):
                return range_error(str(marker))
            case EmailSelector() if not is_valid(field, given[str(marker)]):
                return OptionsError.INVALID_EMAIL
            case _:
                pass
    return None
