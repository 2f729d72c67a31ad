"""Set-up in the UI: accounts, recipients and options; design.md, section 7."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partialmethod
from hashlib import sha256
import json
import logging
from traceback import format_tb
from types import MappingProxyType
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentry,
    ConfigSubentryFlow,
    FlowType,
    OptionsFlow,
    SubentryFlowContext,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME, CONF_URL, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import section
from homeassistant.generated.countries import COUNTRIES
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from .const import (
    CONF_ALLOWED_COUNTRIES,
    CONF_DAILY_LIMIT,
    CONF_DELIVERY_REPORTS,
    CONF_ENCODING,
    CONF_FAILOVER_ON_FAILED_DELIVERY,
    CONF_FALLBACK,
    CONF_HISTORY_DAYS,
    CONF_LOW_CREDIT,
    CONF_MAX_PARTS,
    CONF_NUMBERS,
    CONF_PROVIDER,
    CONF_RESEND_UNCERTAIN,
    CONF_RETRY_FOR,
    DOMAIN,
    SECTION_ADVANCED,
    SECTION_LIMITS,
    SECTION_PROVIDER,
    SECTION_RELIABILITY,
    SECTION_REPORTS,
    SECTION_TEXT,
    SUBENTRY_TYPE_RECIPIENT,
)
from .messaging import numbers
from .messaging.account import AccountOptions, DeliveryReports
from .messaging.text import TextEncoding
from .options import default_country
from .providers.client import (
    Feature,
    FieldKind,
    Placement,
    Presence,
    Provider,
    ProviderOption,
    Settings,
    SettingsField,
    SwitchOption,
    parse_url,
)
from .providers.errors import NotAcceptedError, ProviderError
from .providers.model import ErrorKind
from .providers.registry import PROVIDERS
from .providers.transport import DEFAULT_TIMEOUTS

_LOGGER = logging.getLogger(__name__)

_CREDENTIALS = {FieldKind.USERNAME, FieldKind.SECRET}

_COUNTRIES = sorted(country.lower() for country in COUNTRIES | {"XK"})
"""In lower case, as keys of translations must be; Kosovo has no ISO code yet."""


class AccountError(StrEnum):
    """What can be wrong in the form of an account; each has a text."""

    INVALID_AUTH = "invalid_auth"
    CANNOT_CONNECT = "cannot_connect"
    INVALID_SENDER = "invalid_sender"
    INVALID_URL = "invalid_url"
    MISSING = "missing"
    UNKNOWN = "unknown"


class RecipientError(StrEnum):
    """What can be wrong in the form of a recipient; each has a text."""

    MISSING = "missing"
    NAME_IN_USE = "name_in_use"
    NO_NUMBERS = "no_numbers"
    INVALID_NUMBER = "invalid_number"
    PREMIUM_NUMBER = "premium_number"


class SmsItaliaConfigFlow(ConfigFlow, domain=DOMAIN):
    """Make an account, or change one.

    The registry gives the menu its options; the step that an option leads to has
    the provider's key for its id and is put on this class below.
    """

    VERSION = 1
    MINOR_VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow that changes the account's options."""
        return SmsItaliaOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the one type of subentry: a recipient."""
        return {SUBENTRY_TYPE_RECIPIENT: RecipientFlow}

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose the provider."""
        return self.async_show_menu(step_id="user", menu_options=list(PROVIDERS))

    async def async_connect(
        self, provider_key: str, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Make a new account at a provider."""
        provider = PROVIDERS[provider_key]

        def create(settings: Settings) -> ConfigFlowResult:
            return self.async_create_entry(
                title=self._free_title(provider.name),
                data={CONF_PROVIDER: provider.key, **settings},
            )

        return await self._async_account_step(
            provider_key,
            _AccountForm(provider=provider, fields=provider.fields),
            user_input,
            create,
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Go on with the form of the account's first recipient."""
        recipient = await self.hass.config_entries.subentries.async_init(
            (result["result"].entry_id, SUBENTRY_TYPE_RECIPIENT),
            context=SubentryFlowContext(source=SOURCE_USER),
        )
        result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, recipient["flow_id"])
        return result

    async def async_step_reauth(
        self,
        entry_data: Mapping[str, Any],  # noqa: ARG002 - the entry itself has it
    ) -> ConfigFlowResult:
        """Ask for the credentials again: the provider refused them."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change the credentials of an account."""
        entry = self._get_reauth_entry()
        provider = PROVIDERS[entry.data[CONF_PROVIDER]]
        return await self._async_change_step(
            "reauth_confirm",
            entry,
            [field for field in provider.fields if field.kind in _CREDENTIALS],
            user_input,
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change any setting of an account."""
        entry = self._get_reconfigure_entry()
        provider = PROVIDERS[entry.data[CONF_PROVIDER]]
        return await self._async_change_step(
            "reconfigure", entry, provider.fields, user_input
        )

    async def _async_change_step(
        self,
        step_id: str,
        entry: ConfigEntry,
        fields: Sequence[SettingsField],
        user_input: dict[str, Any] | None,
    ) -> ConfigFlowResult:
        """Change the given fields of an account that is there."""
        provider = PROVIDERS[entry.data[CONF_PROVIDER]]
        keys = {field.key for field in provider.fields}

        def change(settings: Settings) -> ConfigFlowResult:
            # Beside the settings stands what others keep in the entry.
            rest = {key: value for key, value in entry.data.items() if key not in keys}
            data = {**rest, **settings}
            heard = entry.update_listeners and data != entry.data
            result = self.async_update_and_abort(
                entry, unique_id=self.unique_id, data=data
            )
            if not heard:
                # The update listener reloads only a loaded entry that changed, but
                # the account may be waiting for the provider to let it in again.
                self.hass.config_entries.async_schedule_reload(entry.entry_id)
            return result

        return await self._async_account_step(
            step_id,
            _AccountForm(
                provider=provider,
                fields=tuple(fields),
                stored={key: entry.data[key] for key in keys & entry.data.keys()},
                account=entry,
            ),
            user_input,
            change,
        )

    async def _async_account_step(
        self,
        step_id: str,
        form: _AccountForm,
        user_input: dict[str, Any] | None,
        finish: Callable[[Settings], ConfigFlowResult],
    ) -> ConfigFlowResult:
        """Show the form until its values are good and proved; then finish."""
        errors: dict[str, str] = {}
        detail = ""
        if user_input is not None:
            settings = form.read(user_input)
            errors = form.find_errors(settings)
            if not errors and (refusal := await self._async_prove(form, settings)):
                errors = {"base": refusal.error}
                detail = refusal.detail
            if not errors:
                owner = await self.async_set_unique_id(
                    account_unique_id(form.provider, settings), raise_on_progress=False
                )
                if owner is not None and owner is not form.account:
                    return self.async_abort(reason="already_configured")
                return finish(settings)
        return self.async_show_form(
            step_id=step_id,
            data_schema=form.schema(user_input, errors),
            errors=errors,
            description_placeholders={
                "account": form.account.title if form.account else form.provider.name,
                "provider": form.provider.name,
                "console_url": form.provider.console_url,
                "detail": detail,
            },
        )

    async def _async_prove(
        self, form: _AccountForm, settings: Settings
    ) -> _Refusal | None:
        """Ask the provider whether it knows these credentials; None if it does."""
        client = form.provider.create(
            async_get_clientsession(self.hass), settings, DEFAULT_TIMEOUTS
        )
        try:
            await client.validate()
        except NotAcceptedError as err:
            if err.kind is ErrorKind.AUTH:
                return _Refusal(error=AccountError.INVALID_AUTH)
            return _Refusal(
                error=AccountError.CANNOT_CONNECT, detail=err.detail or err.kind
            )
        except ProviderError as err:
            return _Refusal(error=AccountError.CANNOT_CONNECT, detail=err.detail or "")
        except Exception as err:  # noqa: BLE001 - whatever it is, the form stays open
            # Without the exception's text, which may hold credentials.
            _LOGGER.error(  # noqa: TRY400 - same reason
                "Unexpected %s while checking credentials of %s\n%s",
                type(err).__name__,
                form.provider.name,
                "".join(format_tb(err.__traceback__)),
            )
            return _Refusal(error=AccountError.UNKNOWN)
        return None

    def _free_title(self, name: str) -> str:
        """Return the name, numbered if another account has it already."""
        taken = {entry.title for entry in self._async_current_entries()}
        title = name
        number = 1
        while title in taken:
            number += 1
            title = f"{name} {number}"
        return title


for _key in PROVIDERS:
    setattr(
        SmsItaliaConfigFlow,
        f"async_step_{_key}",
        partialmethod(SmsItaliaConfigFlow.async_connect, _key),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """Why credentials were not proved: a form error and the provider's word for it."""

    error: AccountError
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _AccountForm:
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


def _whole_number(minimum: int, maximum: int, unit: str | None = None) -> object:
    """Return what a whole number within bounds is typed into."""
    config = NumberSelectorConfig(
        min=minimum, max=maximum, step=1, mode=NumberSelectorMode.BOX
    )
    if unit is not None:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


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
    FieldKind.COUNTRY_PREFIX: _whole_number(1, 999),
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
        """Show the form until name and numbers are good; then store them."""
        errors: dict[str, str] = {}
        bad: Sequence[str] = ()
        shown = user_input
        if user_input is not None:
            name = user_input[CONF_NAME].strip()
            given = [value.strip() for value in user_input[CONF_NUMBERS]]
            parsed = await _async_parse(self.hass, [value for value in given if value])
            bad = parsed.bad
            if name_error := self._find_name_error(name, recipient):
                errors[CONF_NAME] = name_error
            if parsed.error:
                errors[CONF_NUMBERS] = parsed.error
            if not errors:
                data = {CONF_NUMBERS: list(parsed.good)}
                if recipient is None:
                    return self.async_create_entry(title=name, data=data)
                return self.async_update_and_abort(
                    self._get_entry(), recipient, title=name, data=data
                )
        elif recipient is not None:
            shown = {
                CONF_NAME: recipient.title,
                CONF_NUMBERS: recipient.data[CONF_NUMBERS],
            }
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(_RECIPIENT_SCHEMA, shown),
            errors=errors,
            description_placeholders={
                "account": self._get_entry().title,
                "number": ", ".join(bad),
            },
        )

    def _find_name_error(
        self, name: str, recipient: ConfigSubentry | None
    ) -> RecipientError | None:
        """Return what is wrong with a name: the account's recipients go by theirs."""
        if not name:
            return RecipientError.MISSING
        others = {
            other.title.casefold()
            for other in self._get_entry().subentries.values()
            if other is not recipient
        }
        return RecipientError.NAME_IN_USE if name.casefold() in others else None


_RECIPIENT_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Required(CONF_NUMBERS): TextSelector(
            TextSelectorConfig(type=TextSelectorType.TEL, multiple=True)
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """Numbers as typed, read: the good ones in E.164, or an error and the bad ones."""

    good: Sequence[str] = ()
    bad: Sequence[str] = ()
    error: RecipientError | None = None


async def _async_parse(hass: HomeAssistant, given: Iterable[str]) -> _Numbers:
    """Read the numbers of a recipient."""
    await hass.async_add_executor_job(numbers.load)
    country = default_country(hass)
    good: dict[str, None] = {}
    invalid: list[str] = []
    premium: list[str] = []
    for value in given:
        try:
            good[numbers.parse_number(value, country).e164] = None
        except numbers.NumberError as err:
            bad = premium if err.reason is numbers.NumberProblem.PREMIUM else invalid
            bad.append(value)
    if invalid:
        return _Numbers(bad=invalid, error=RecipientError.INVALID_NUMBER)
    if premium:
        return _Numbers(bad=premium, error=RecipientError.PREMIUM_NUMBER)
    if not good:
        return _Numbers(error=RecipientError.NO_NUMBERS)
    return _Numbers(good=tuple(good))


class SmsItaliaOptionsFlow(OptionsFlow):
    """Change how an account sends."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show all options in one form of sections; store them flat."""
        if user_input is not None:
            options = {
                key: value
                for values in user_input.values()
                for key, value in values.items()
            }
            options[CONF_ALLOWED_COUNTRIES] = [
                country.upper() for country in options[CONF_ALLOWED_COUNTRIES]
            ]
            return self.async_create_entry(data=options)

        provider = PROVIDERS[self.config_entry.data[CONF_PROVIDER]]
        accounts = {
            entry.entry_id: entry.title
            for entry in self.hass.config_entries.async_entries(DOMAIN)
            if entry is not self.config_entry
        }
        sections = options_fields(provider, default_country(self.hass), accounts)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(
                    {
                        vol.Required(name): section(
                            vol.Schema(fields), {"collapsed": True}
                        )
                        for name, fields in sections.items()
                        if fields
                    }
                ),
                dict.fromkeys(sections, self._stored(accounts)),
            ),
            description_placeholders={
                "account": self.config_entry.title,
                "provider": provider.name,
                "max_parts": str(provider.capabilities.max_parts),
            },
        )

    def _stored(self, accounts: Mapping[str, str]) -> dict[str, Any]:
        """Return the options as the form shows them."""
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
) -> dict[str, dict[vol.Marker, object]]:
    """Return the fields of the options form by section.

    `country` is the one allowed by default; `accounts` are the titles of the other
    accounts by entry id. Left out is what would have no effect.
    """
    default = AccountOptions()
    limits: dict[vol.Marker, object] = {
        vol.Required(CONF_DAILY_LIMIT, default=default.daily_limit): _whole_number(
            0, 100_000
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
    if provider.capabilities.features & {Feature.CREDIT, Feature.CREDIT_WITH_SEND}:
        limits[vol.Required(CONF_LOW_CREDIT, default=float(default.low_credit))] = (
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
    reliability: dict[vol.Marker, object] = {
        vol.Required(CONF_RETRY_FOR, default=int(default.retry_for) // 60): (
            _whole_number(0, 1440, UnitOfTime.MINUTES)
        ),
    }
    if accounts:
        reliability |= {
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
                CONF_RESEND_UNCERTAIN, default=default.resend_uncertain
            ): BooleanSelector(),
            vol.Required(
                CONF_FAILOVER_ON_FAILED_DELIVERY,
                default=default.failover_on_failed_delivery,
            ): BooleanSelector(),
        }
    return {
        SECTION_TEXT: {
            vol.Required(CONF_ENCODING, default=default.encoding.value): _select(
                CONF_ENCODING, [encoding.value for encoding in TextEncoding]
            ),
            vol.Optional(CONF_MAX_PARTS): _whole_number(
                1, provider.capabilities.max_parts
            ),
        },
        SECTION_LIMITS: limits,
        SECTION_RELIABILITY: reliability,
        SECTION_REPORTS: {
            vol.Required(
                CONF_DELIVERY_REPORTS, default=default.delivery_reports.value
            ): _select(
                CONF_DELIVERY_REPORTS, [choice.value for choice in DeliveryReports]
            ),
            vol.Required(CONF_HISTORY_DAYS, default=default.history_days): (
                _whole_number(1, 3650, UnitOfTime.DAYS)
            ),
        },
        SECTION_PROVIDER: {
            vol.Required(option.key, default=option.default): _option_selector(option)
            for option in provider.options
        },
    }


def _select(key: str, options: Sequence[str]) -> object:
    """Return a choice of one of the options, whose texts stand under the key."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options, translation_key=key, mode=SelectSelectorMode.DROPDOWN
        )
    )


def _option_selector(option: ProviderOption) -> object:
    """Return what an option of a provider is set with."""
    if isinstance(option, SwitchOption):
        return BooleanSelector()
    return _whole_number(option.minimum, option.maximum)
