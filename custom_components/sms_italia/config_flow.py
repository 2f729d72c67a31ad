"""Set-up in the UI: making an account and changing it; design.md, section 7."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partialmethod
import logging
from traceback import format_tb
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
    OptionsFlow,
    SubentryFlowContext,
)
from homeassistant.core import callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .account_form import AccountError, AccountForm, account_unique_id
from .const import (
    CONF_PROVIDER,
    DOMAIN,
    SUBENTRY_TYPE_RECIPIENT,
)
from .options_flow import SmsItaliaOptionsFlow
from .providers.client import (
    FieldKind,
    Settings,
    SettingsField,
)
from .providers.errors import NotAcceptedError, ProviderError
from .providers.model import ErrorKind
from .providers.registry import PROVIDERS
from .providers.transport import DEFAULT_TIMEOUTS
from .recipient_flow import RecipientFlow

_LOGGER = logging.getLogger(__name__)

_CREDENTIALS = {FieldKind.USERNAME, FieldKind.SECRET}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """Why credentials were not proved: a form error and the provider's word for it."""

    error: AccountError
    detail: str = ""


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
            AccountForm(provider=provider, fields=provider.fields),
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
                entry,
                unique_id=self.unique_id,
                data=data,
                # Named, the text is ours: core's is not there in every language.
                reason=f"{self.source}_successful",
            )
            if not heard:
                # The update listener reloads only a loaded entry that changed, but
                # the account may be waiting for the provider to let it in again.
                self.hass.config_entries.async_schedule_reload(entry.entry_id)
            return result

        return await self._async_account_step(
            step_id,
            AccountForm(
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
        form: AccountForm,
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
        self, form: AccountForm, settings: Settings
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
            return _Refusal(error=AccountError.CANNOT_CONNECT, detail=err.detail or "-")
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
