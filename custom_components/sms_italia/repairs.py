"""The flows that fix repair issues, as Home Assistant loads them."""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, override

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowResult,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from .account_setup import read_settings
from .const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_PROVIDER,
    DAILY_LIMIT_MAX,
    DOMAIN,
)
from .flows.account import (
    CredentialsProof,
    CredentialsRefusal,
    async_check_credentials,
    encrypted_addresses,
)
from .flows.selectors import is_valid, unchecked, whole_number
from .issues import (
    ACTION_NAME,
    CLEAR_TEXT_ADDRESS,
    DAILY_LIMIT_REACHED,
    DATA_ACCOUNT,
    FALLBACK_MISSING,
    HTTPS_REQUIRED,
    LOW_CREDIT,
    NO_CREDIT,
    UNDELIVERED,
    async_check_undelivered,
    async_find_undelivered,
)
from .messaging import (
    AccountOptions,
    LedgerError,
    Message,
    RequestRefusedError,
)
from .providers import PROVIDERS, ErrorKind
from .runtime import MESSENGER, SmsItaliaConfigEntry
from .undelivered import REFUSED_CALLS, RefusedByReason, async_list_text

_ANSWER_SECONDS = 10.0
"""How long a dialog waits for a provider's answer."""

type _Input = dict[str, Any] | None


class _FixFlow(RepairsFlow):
    """A flow that fixes an issue of an account."""

    @property
    def _entry(self) -> SmsItaliaConfigEntry | None:
        """Return the account, None if it was removed in the meantime."""
        entry_id = str((self.data or {})[DATA_ACCOUNT])
        return self.hass.config_entries.async_get_entry(entry_id)

    def _abort_removed(self) -> RepairsFlowResult:
        return self.async_abort(reason="account_removed")

    def _update_account(
        self,
        entry: SmsItaliaConfigEntry,
        *,
        data: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RepairsFlowResult:
        """Change the account, and close the issue."""
        self.hass.config_entries.async_update_entry(
            entry,
            data=entry.data if data is None else data,
            options=entry.options if options is None else options,
        )
        return self.async_create_entry(data={})

    def _ignore(self, reason: str) -> RepairsFlowResult:
        """Ignore the issue for as long as it exists."""
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id):
            ir.async_ignore_issue(self.hass, DOMAIN, self.issue_id, ignore=True)
        return self.async_abort(reason=reason)


class _DailyLimitFixFlow(_FixFlow):
    """Raises the daily limit, or ignores the issue until midnight."""

    async def async_step_init(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Let the user choose."""
        return self.async_show_menu(
            step_id="init", menu_options=["raise_limit", "leave_it"]
        )

    async def async_step_raise_limit(
        self, user_input: _Input = None
    ) -> RepairsFlowResult:
        """Ask for the new limit and store it as the option."""
        if (entry := self._entry) is None:
            return self._abort_removed()
        limit = entry.options.get(CONF_DAILY_LIMIT, AccountOptions().daily_limit)
        lowest = min(limit + 1, DAILY_LIMIT_MAX)
        field = whole_number(lowest, DAILY_LIMIT_MAX)
        errors: dict[str, str] = {}
        if user_input is not None:
            if is_valid(field, user_input[CONF_DAILY_LIMIT]):
                raised = {CONF_DAILY_LIMIT: field(user_input[CONF_DAILY_LIMIT])}
                return self._update_account(entry, options={**entry.options, **raised})
            errors[CONF_DAILY_LIMIT] = "out_of_range"
        proposed = min(2 * limit, DAILY_LIMIT_MAX)
        marker = vol.Required(CONF_DAILY_LIMIT, default=proposed)
        return self.async_show_form(
            step_id="raise_limit",
            data_schema=vol.Schema({marker: unchecked(field)}),
            errors=errors,
        )

    async def async_step_leave_it(
        self, _user_input: _Input = None
    ) -> RepairsFlowResult:
        """Ignore the issue; it is deleted at midnight."""
        return self._ignore("left_until_midnight")


class _ConfirmedFixFlow(_FixFlow):
    """A flow that does one thing once somebody has confirmed it."""

    async def async_step_init(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Go to the confirmation."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: _Input = None) -> RepairsFlowResult:
        """Ask for confirmation, then do it."""
        if (entry := self._entry) is None:
            return self._abort_removed()
        if user_input is None:
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}))
        return await self._async_fix(entry)

    @abstractmethod
    async def _async_fix(self, entry: SmsItaliaConfigEntry) -> RepairsFlowResult:
        """Do what the flow is for."""


class _LowCreditFixFlow(_ConfirmedFixFlow):
    """Asks the provider for the credit again, after a top-up."""

    @override
    async def _async_fix(self, entry: SmsItaliaConfigEntry) -> RepairsFlowResult:
        """Ask, and close the issue if the credit is enough."""
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_checked")
        coordinator = entry.runtime_data.coordinator
        await coordinator.async_refresh()
        if not coordinator.last_update_success:
            return self.async_abort(reason="not_checked")
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id):
            return self.async_abort(reason="still_low")
        return self.async_create_entry(data={})


class _NoCreditFixFlow(_ConfirmedFixFlow):
    """Sends what waits for an account that was topped up."""

    @override
    async def _async_fix(self, entry: SmsItaliaConfigEntry) -> RepairsFlowResult:
        """Try what waits; if the credit is still not enough, the issue stays."""
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_create_entry(data={})
        coordinator = entry.runtime_data.coordinator
        coordinator.note_credit(is_enough=True)
        await entry.runtime_data.changes.async_begin_anew()
        await self._async_wait_for_answer(entry)
        if coordinator.lacks_credit:
            return self.async_abort(reason="still_not_enough")
        return self.async_create_entry(data={})

    async def _async_wait_for_answer(self, entry: SmsItaliaConfigEntry) -> None:
        """Wait a while for the provider's answer to what waits for credit."""
        coordinator = entry.runtime_data.coordinator
        answered = asyncio.Event()

        @callback
        def look() -> None:
            if coordinator.lacks_credit or not self._waits_for_credit(entry):
                answered.set()

        stop = coordinator.async_add_listener(look)
        look()
        try:
            await asyncio.wait_for(answered.wait(), _ANSWER_SECONDS)
        except TimeoutError:
            pass
        finally:
            stop()

    def _waits_for_credit(self, entry: SmsItaliaConfigEntry) -> bool:
        """Return whether a message waits that an account had no credit for."""
        messenger = self.hass.data[MESSENGER]
        return any(
            message.error is ErrorKind.CREDIT and message.last_account == entry.entry_id
            for account in self.hass.config_entries.async_loaded_entries(DOMAIN)
            for message in messenger.open_messages(account.entry_id)
        )


class _FallbackFixFlow(_ConfirmedFixFlow):
    """Takes removed accounts out of the list of fallback accounts."""

    @override
    async def _async_fix(self, entry: SmsItaliaConfigEntry) -> RepairsFlowResult:
        """Store the list without them."""
        existing = [
            account
            for account in entry.options.get(CONF_FALLBACK, ())
            if self.hass.config_entries.async_get_entry(account) is not None
        ]
        return self._update_account(
            entry, options={**entry.options, CONF_FALLBACK: existing}
        )


class _HttpsFixFlow(_FixFlow):
    """A flow that changes the address to https if the credentials are valid there."""

    async def _async_change_to_https(
        self, entry: SmsItaliaConfigEntry
    ) -> RepairsFlowResult:
        """Store the first encrypted address that confirms the credentials."""
        provider = PROVIDERS[entry.data[CONF_PROVIDER]]
        refusal: CredentialsRefusal | None = None
        for url in encrypted_addresses(provider, entry.data[CONF_URL]):
            data = {**entry.data, CONF_URL: url}
            settings = read_settings(provider, data, entry.options)
            answer = await async_check_credentials(self.hass, provider, settings)
            if isinstance(answer, CredentialsProof):
                return self._update_account(entry, data=data)
            refusal = answer
        return self.async_abort(
            reason="no_https",
            description_placeholders={"reason": await self._reason(refusal)},
        )

    async def _reason(self, refusal: CredentialsRefusal | None) -> str:
        """Return why the credentials were not confirmed, as the account's form says."""
        if refusal is None:
            return "-"
        language = self.hass.config.language
        texts = await async_get_translations(self.hass, language, "config", {DOMAIN})
        text = texts[f"component.{DOMAIN}.config.error.{refusal.error}"]
        return text.format(detail=refusal.detail)


class _HttpsRequiredFixFlow(_ConfirmedFixFlow, _HttpsFixFlow):
    """Changes the address to https, as the server at it demands."""

    @override
    async def _async_fix(self, entry: SmsItaliaConfigEntry) -> RepairsFlowResult:
        """Change the address."""
        return await self._async_change_to_https(entry)


class _ClearTextFixFlow(_HttpsFixFlow):
    """Changes the address to https, or keeps it."""

    async def async_step_init(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Let the user choose."""
        return self.async_show_menu(step_id="init", menu_options=["try_https", "keep"])

    async def async_step_try_https(
        self, _user_input: _Input = None
    ) -> RepairsFlowResult:
        """Change the address."""
        if (entry := self._entry) is None:
            return self._abort_removed()
        return await self._async_change_to_https(entry)

    async def async_step_keep(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Ignore the issue for good."""
        return self._ignore("kept")


class _UndeliveredFixFlow(_FixFlow):
    """Lists what was not delivered; sends it again, or dismisses it."""

    def __init__(self) -> None:
        """Start with nothing listed."""
        self._messages: Sequence[Message] = ()
        self._refused: RefusedByReason = {}

    @property
    def _account(self) -> str:
        return str((self.data or {})[DATA_ACCOUNT])

    async def async_step_init(self, _user_input: _Input = None) -> RepairsFlowResult:
        """List the messages and let the user choose."""
        self._messages = (
            await async_find_undelivered(self.hass, self._account)
        ).messages
        self._refused = self.hass.data[REFUSED_CALLS].of(self._account)
        listed = await async_list_text(self.hass, self._messages, self._refused)
        return self.async_show_menu(
            step_id="init",
            menu_options=["send_again", "dismiss"] if self._messages else ["dismiss"],
            description_placeholders={"list": listed},
        )

    async def async_step_send_again(
        self, _user_input: _Input = None
    ) -> RepairsFlowResult:
        """Send the messages again, as new ones; what is refused stays listed.

        What somebody has seen since is not sent: it may have been sent again there.
        """
        self._forget_refused()
        messenger = self.hass.data[MESSENGER]
        found = await async_find_undelivered(self.hass, self._account)
        left = {message.id for message in found.messages}
        results = await asyncio.gather(
            *(messenger.resend(one.id) for one in self._messages if one.id in left),
            return_exceptions=True,
        )
        for result in results:
            match result:
                case RequestRefusedError() | LedgerError():
                    pass
                case BaseException():
                    raise result
                case _:
                    messenger.undelivered.answered(result)
        return await self._end("not_all_sent")

    async def async_step_dismiss(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Take what was listed off the list."""
        self._forget_refused()
        await self.hass.data[MESSENGER].undelivered.mark_seen(self._messages)
        return await self._end("more_listed")

    async def _end(self, reason_to_stay: str) -> RepairsFlowResult:
        """Close the issue, unless something is listed still, or since."""
        await async_check_undelivered(self.hass, self._account)
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id):
            return self.async_abort(reason=reason_to_stay)
        return self.async_create_entry(data={})

    def _forget_refused(self) -> None:
        self.hass.data[REFUSED_CALLS].async_remove(self._account, self._refused)


FIX_FLOWS: Mapping[str, type[RepairsFlow]] = {
    ACTION_NAME: ConfirmRepairFlow,
    LOW_CREDIT: _LowCreditFixFlow,
    NO_CREDIT: _NoCreditFixFlow,
    DAILY_LIMIT_REACHED: _DailyLimitFixFlow,
    FALLBACK_MISSING: _FallbackFixFlow,
    CLEAR_TEXT_ADDRESS: _ClearTextFixFlow,
    HTTPS_REQUIRED: _HttpsRequiredFixFlow,
    UNDELIVERED: _UndeliveredFixFlow,
}


async def async_create_fix_flow(
    _hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return the flow that fixes an issue; most of the ledger are only confirmed."""
    if data is None:
        return ConfirmRepairFlow()
    return FIX_FLOWS[issue_id.removesuffix(f"_{data[DATA_ACCOUNT]}")]()
