"""The flow that adds an account and changes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
    OptionsFlow,
    SubentryFlowContext,
)
from homeassistant.const import CONF_URL
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.util.uuid import random_uuid_hex

from .const import (
    CONF_PROVIDER,
    DOMAIN,
    SUBENTRY_TYPE_ESCALATION,
    SUBENTRY_TYPE_RECIPIENT,
)
from .flows.account import (
    AccountError,
    AccountForm,
    CredentialsProof,
    CredentialsRefusal,
    account_unique_id,
    async_check_credentials,
    have_same_credentials,
)
from .flows.escalation import EscalationFlow
from .flows.options import SmsItaliaOptionsFlow
from .flows.recipient import RecipientFlow
from .providers import PROVIDERS, Settings, SettingsField
from .runtime import SmsItaliaConfigEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class _AccountStep:
    """A step with an account's form, and what follows once its values are accepted."""

    step_id: str
    form: AccountForm
    finish: Callable[[Settings], ConfigFlowResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClearTextOffer:
    """A form that was filled in, and the settings with the unencrypted address.

    `detail` is why the encrypted address was not usable, in the provider's wording.
    """

    step: _AccountStep
    user_input: dict[str, Any]
    settings: Settings
    detail: str


class SmsItaliaConfigFlow(ConfigFlow, domain=DOMAIN):
    """Add an account, or change one.

    The steps that the menu leads to have the keys of the providers as their IDs.
    """

    VERSION = 1
    MINOR_VERSION = 1

    _offer: _ClearTextOffer

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: SmsItaliaConfigEntry) -> OptionsFlow:
        """Return the flow that changes the account's options."""
        return SmsItaliaOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: SmsItaliaConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the types of subentries: recipients and escalations."""
        return {
            SUBENTRY_TYPE_RECIPIENT: RecipientFlow,
            SUBENTRY_TYPE_ESCALATION: EscalationFlow,
        }

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose the provider."""
        return self.async_show_menu(step_id="user", menu_options=list(PROVIDERS))

    async def async_step_smsviainternet(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add an account at SMSviaInternet."""
        return await self._async_provider_step("smsviainternet", user_input)

    async def async_step_smshosting(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add an account at Smshosting."""
        return await self._async_provider_step("smshosting", user_input)

    async def async_step_transactionale(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add an account at Transactionale."""
        return await self._async_provider_step("transactionale", user_input)

    async def async_step_inviosmart(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add an account at Inviosmart."""
        return await self._async_provider_step("inviosmart", user_input)

    async def _async_provider_step(
        self, provider_key: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Add an account at a provider."""
        provider = PROVIDERS[provider_key]

        def create(settings: Settings) -> ConfigFlowResult:
            return self.async_create_entry(
                title=self._free_title(provider.name),
                data={CONF_PROVIDER: provider.key, **settings},
            )

        form = AccountForm(provider=provider, fields=provider.fields)
        step = _AccountStep(step_id=provider_key, form=form, finish=create)
        return await self._async_account_step(step, user_input)

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Continue with the form of the account's first recipient."""
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
        """Ask for the credentials again: they were refused."""
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
            provider.credentials,
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
        entry: SmsItaliaConfigEntry,
        fields: Sequence[SettingsField],
        user_input: dict[str, Any] | None,
    ) -> ConfigFlowResult:
        """Change some fields of an existing account."""
        provider = PROVIDERS[entry.data[CONF_PROVIDER]]
        keys = {field.key for field in provider.fields}

        def change(settings: Settings) -> ConfigFlowResult:
            # The entry holds more than the settings, such as the webhook's ID.
            rest = {key: value for key, value in entry.data.items() if key not in keys}
            data = {**rest, **settings}
            is_changed = data != entry.data
            result = self.async_update_and_abort(
                entry,
                data=data,
                # Core's own texts do not exist in every language.
                reason=f"{self.source}_successful",
            )
            self._async_accepted(entry, is_changed=is_changed)
            return result

        form = AccountForm(
            provider=provider,
            fields=tuple(fields),
            stored={key: entry.data[key] for key in keys & entry.data.keys()},
            account=entry,
        )
        step = _AccountStep(step_id=step_id, form=form, finish=change)
        return await self._async_account_step(step, user_input)

    @callback
    def _async_accepted(self, entry: SmsItaliaConfigEntry, *, is_changed: bool) -> None:
        """Let an account go on whose provider has accepted the credentials."""
        if entry.state is ConfigEntryState.LOADED and not is_changed:
            # There is no change to take up, but messages may wait for this.
            self.hass.async_create_task(entry.runtime_data.changes.async_begin_anew())
        for flow in entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            if flow["flow_id"] != self.flow_id:
                self.hass.config_entries.flow.async_abort(flow["flow_id"])

    async def _async_account_step(
        self, step: _AccountStep, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form until its values are valid and accepted; then finish."""
        if user_input is None:
            return self._show_account_form(step)
        settings = step.form.read(user_input)
        if errors := step.form.find_errors(settings):
            return self._show_account_form(step, user_input, errors)
        answer = await async_check_credentials(self.hass, step.form.provider, settings)
        if isinstance(answer, CredentialsProof):
            return await self._async_accept(step, settings, answer)
        if offer := step.form.clear_text_offer(settings, answer):
            self._offer = _ClearTextOffer(
                step=step,
                user_input=user_input,
                settings={**settings, CONF_URL: offer},
                detail=answer.detail,
            )
            return await self.async_step_unencrypted()
        return self._show_account_form(
            step, user_input, {step.form.place_of(answer.error): answer.error}, answer
        )

    async def async_step_unencrypted(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether the provider may be reached without encryption."""
        offer = self._offer
        return self.async_show_menu(
            step_id="unencrypted",
            menu_options=["stay_encrypted", "accept_unencrypted"],
            description_placeholders={
                "provider": offer.step.form.provider.name,
                "clear_text_url": offer.settings[CONF_URL],
                "detail": offer.detail,
            },
        )

    async def async_step_stay_encrypted(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the form again as it was filled in."""
        return self._show_account_form(self._offer.step, self._offer.user_input)

    async def async_step_accept_unencrypted(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Check the credentials at the other address; if that fails, take it back."""
        offer = self._offer
        answer = await async_check_credentials(
            self.hass, offer.step.form.provider, offer.settings
        )
        if isinstance(answer, CredentialsProof):
            return await self._async_accept(offer.step, offer.settings, answer)
        error = answer.error
        if error is AccountError.HTTPS_REQUIRED:
            # The form shows the encrypted address again, which this is not about.
            error = AccountError.CANNOT_CONNECT
        return self._show_account_form(
            offer.step, offer.user_input, {"base": error}, answer
        )

    async def _async_accept(
        self, step: _AccountStep, settings: Settings, proof: CredentialsProof
    ) -> ConfigFlowResult:
        """Finish with settings that the provider has accepted."""
        await self._async_identify(step.form, settings, proof.customer)
        return step.finish(settings)

    def _show_account_form(
        self,
        step: _AccountStep,
        user_input: dict[str, Any] | None = None,
        errors: dict[str, str] | None = None,
        refusal: CredentialsRefusal | None = None,
    ) -> ConfigFlowResult:
        """Show the form, filled with the user's input or else as it is stored."""
        form = step.form
        return self.async_show_form(
            step_id=step.step_id,
            data_schema=form.schema(user_input, errors or {}),
            errors=errors or {},
            description_placeholders={
                "account": form.account.title if form.account else form.provider.name,
                "provider": form.provider.name,
                "console_url": form.provider.console_url,
                "detail": refusal.detail if refusal else "",
                "characters": form.refused_characters(user_input or {}),
            },
        )

    async def _async_identify(
        self, form: AccountForm, settings: Settings, customer: str | None
    ) -> None:
        """Set the unique ID; abort if the account is there, or another than it was.

        Where the provider does not name its customer, the ID is made once and stays,
        and the same credentials are the same account.
        """
        account = form.account
        if customer is not None:
            unique_id = account_unique_id(form.provider, customer)
        else:
            self._abort_if_credentials_configured(form, settings)
            unique_id = (account and account.unique_id) or random_uuid_hex()
        # The flow of an account that is asked for its credentials has the same one.
        await self.async_set_unique_id(unique_id, raise_on_progress=False)
        if account is None:
            self._abort_if_unique_id_configured()
        else:
            self._abort_if_unique_id_mismatch()

    def _abort_if_credentials_configured(
        self, form: AccountForm, settings: Settings
    ) -> None:
        """Abort if another account has these credentials."""
        key = form.provider.key
        for entry in self._async_current_entries(include_ignore=False):
            if (
                entry is not form.account
                and entry.data[CONF_PROVIDER] == key
                and have_same_credentials(form.provider, settings, entry.data)
            ):
                raise AbortFlow("already_configured")

    def _free_title(self, name: str) -> str:
        """Return the name, numbered if another account has it already."""
        taken = {entry.title for entry in self._async_current_entries()}
        title = name
        number = 1
        while title in taken:
            number += 1
            title = f"{name} {number}"
        return title
