"""What the user should know or do, as repair issues, and what a click can mend."""

from collections.abc import Mapping
from decimal import Decimal
from math import floor
from typing import Any

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowResult,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol
from yarl import URL

from .account_setup import create_client
from .const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_PROVIDER,
    DAILY_LIMIT_MAX,
    DOMAIN,
)
from .flows.selectors import whole_number
from .messaging.account import Account, AccountOptions
from .messaging.ledger import LedgerTrouble
from .providers.errors import ProviderError
from .providers.model import Credit
from .providers.registry import PROVIDERS

LOW_CREDIT = "low_credit"
DAILY_LIMIT_REACHED = "daily_limit_reached"
FALLBACK_MISSING = "fallback_missing"
CLEAR_TEXT_ADDRESS = "clear_text_address"
_OF_AN_ACCOUNT = (
    LOW_CREDIT,
    DAILY_LIMIT_REACHED,
    FALLBACK_MISSING,
    CLEAR_TEXT_ADDRESS,
)


_DATA_ACCOUNT = "account"
"""Whose issue it is, by its entry id, in the data of an issue that can be mended."""

type _Input = dict[str, Any] | None


class _Mending(RepairsFlow):
    """Mends something of an account."""

    @property
    def _entry(self) -> ConfigEntry | None:
        """The account; None once it is removed, and its issues with it."""
        account = str((self.data or {})[_DATA_ACCOUNT])
        return self.hass.config_entries.async_get_entry(account)

    def _gone(self) -> RepairsFlowResult:
        return self.async_abort(reason="account_removed")

    def _done(
        self,
        entry: ConfigEntry,
        *,
        data: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RepairsFlowResult:
        """Change the account, which reloads it; the issue is over."""
        self.hass.config_entries.async_update_entry(
            entry,
            data=entry.data if data is None else data,
            options=entry.options if options is None else options,
        )
        return self.async_create_entry(data={})

    def _ignore(self, reason: str) -> RepairsFlowResult:
        """Show the issue no more for as long as it lasts."""
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id):
            ir.async_ignore_issue(self.hass, DOMAIN, self.issue_id, ignore=True)
        return self.async_abort(reason=reason)


class _DailyLimitMending(_Mending):
    """Raises the limit for good, or leaves it until midnight."""

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
            return self._gone()
        if user_input is not None:
            return self._done(entry, options={**entry.options, **user_input})
        limit = entry.options.get(CONF_DAILY_LIMIT, AccountOptions().daily_limit)
        return self.async_show_form(
            step_id="raise_limit",
            data_schema=vol.Schema(
                {
                    vol.Required(
                        CONF_DAILY_LIMIT, default=min(2 * limit, DAILY_LIMIT_MAX)
                    ): whole_number(min(limit + 1, DAILY_LIMIT_MAX), DAILY_LIMIT_MAX)
                }
            ),
        )

    async def async_step_leave_it(
        self, _user_input: _Input = None
    ) -> RepairsFlowResult:
        """Say no more of it today; midnight takes the issue back."""
        return self._ignore("left_until_midnight")


class _FallbackMending(_Mending):
    """Takes removed accounts out of the list of those that step in."""

    async def async_step_init(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Begin with the question."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: _Input = None) -> RepairsFlowResult:
        """Ask, then store the list without them."""
        if (entry := self._entry) is None:
            return self._gone()
        if user_input is None:
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}))
        there = [
            account
            for account in entry.options.get(CONF_FALLBACK, ())
            if self.hass.config_entries.async_get_entry(account) is not None
        ]
        return self._done(entry, options={**entry.options, CONF_FALLBACK: there})


class _ClearTextMending(_Mending):
    """Turns to https where the provider answers there, or keeps the address."""

    async def async_step_init(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Let the user choose."""
        return self.async_show_menu(step_id="init", menu_options=["try_https", "keep"])

    async def async_step_try_https(
        self, _user_input: _Input = None
    ) -> RepairsFlowResult:
        """Prove the credentials at the encrypted address; store it if they are good."""
        if (entry := self._entry) is None:
            return self._gone()
        url = URL(entry.data[CONF_URL]).with_scheme("https")
        data = {**entry.data, CONF_URL: str(url)}
        provider = PROVIDERS[entry.data[CONF_PROVIDER]]
        client = create_client(self.hass, provider, data, entry.options)
        try:
            await client.validate()
        except ProviderError:
            return self.async_abort(reason="no_https")
        return self._done(entry, data=data)

    async def async_step_keep(self, _user_input: _Input = None) -> RepairsFlowResult:
        """Warn of it no more."""
        return self._ignore("kept")


_MENDINGS: Mapping[str, type[_Mending]] = {
    DAILY_LIMIT_REACHED: _DailyLimitMending,
    FALLBACK_MISSING: _FallbackMending,
    CLEAR_TEXT_ADDRESS: _ClearTextMending,
}


async def async_create_fix_flow(
    _hass: HomeAssistant,
    issue_id: str,
    data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Return what mends an issue; a ledger's can only be confirmed."""
    if data is None:
        return ConfirmRepairFlow()
    return _MENDINGS[issue_id.removesuffix(f"_{data[_DATA_ACCOUNT]}")]()


@callback
def async_tell_ledger_trouble(hass: HomeAssistant, trouble: LedgerTrouble) -> None:
    """Tell that the ledger was set aside or cannot be written."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"ledger_{trouble}",
        is_fixable=True,
        is_persistent=trouble is LedgerTrouble.SET_ASIDE,
        severity=ir.IssueSeverity.ERROR,
        translation_key=f"ledger_{trouble}",
    )


@callback
def async_check_settings(
    hass: HomeAssistant, entry: ConfigEntry, account: Account
) -> None:
    """Tell of fallbacks that are gone, and of an address that is not encrypted.

    What was told of a daily limit that is another one now is taken back.
    """
    told = ir.async_get(hass).async_get_issue(
        DOMAIN, _issue_id(DAILY_LIMIT_REACHED, entry)
    )
    limit = {"limit": str(account.options.daily_limit)}
    if told and not limit.items() <= (told.translation_placeholders or {}).items():
        async_forget_daily_limit(hass, entry)
    missing = [
        fallback
        for fallback in account.options.fallback
        if hass.config_entries.async_get_entry(fallback) is None
    ]
    _set_issue(hass, entry, FALLBACK_MISSING, is_due=bool(missing))
    _set_issue(
        hass,
        entry,
        CLEAR_TEXT_ADDRESS,
        is_due=_is_clear_text(URL(entry.data[CONF_URL])),
    )


@callback
def async_check_credit(
    hass: HomeAssistant, entry: ConfigEntry, account: Account, credit: Credit | None
) -> None:
    """Tell when the credit is low, and take it back after a top-up."""
    if credit is None:
        return
    _set_issue(
        hass,
        entry,
        LOW_CREDIT,
        is_due=account.is_low(credit.balance),
        learn_more_url=account.provider.console_url,
        # Rounded down, so that it does not read like the limit that it is below.
        credit=_as_euro(hass, floor(credit.balance * 100) / 100),
        limit=_as_euro(hass, account.options.low_credit),
    )


@callback
def async_tell_daily_limit(
    hass: HomeAssistant, entry: ConfigEntry, account: Account
) -> None:
    """Tell that messages were refused because of the daily limit."""
    _set_issue(
        hass,
        entry,
        DAILY_LIMIT_REACHED,
        is_due=True,
        limit=str(account.options.daily_limit),
    )


@callback
def async_forget_daily_limit(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back, on a new day, what was told of the daily limit."""
    _set_issue(hass, entry, DAILY_LIMIT_REACHED, is_due=False)


@callback
def async_forget_account(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back all issues of an account that is removed."""
    for key in _OF_AN_ACCOUNT:
        _set_issue(hass, entry, key, is_due=False)


def _issue_id(key: str, entry: ConfigEntry) -> str:
    """Return the id of an account's issue."""
    return f"{key}_{entry.entry_id}"


def _as_euro(hass: HomeAssistant, amount: float | Decimal) -> str:
    """Return an amount as it is written in the language of Home Assistant."""
    text = f"{amount:.2f}"
    return text.replace(".", ",") if hass.config.language == "it" else text


def _is_clear_text(url: URL) -> bool:
    """Tell whether what goes to an address can be read on its way there."""
    return url.scheme == "http" and url.host not in {"localhost", "127.0.0.1", "::1"}


def _set_issue(
    hass: HomeAssistant,
    entry: ConfigEntry,
    key: str,
    *,
    is_due: bool,
    learn_more_url: str | None = None,
    **placeholders: str,
) -> None:
    """Create or take back an account's issue."""
    issue_id = _issue_id(key, entry)
    if not is_due:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={_DATA_ACCOUNT: entry.entry_id} if key in _MENDINGS else None,
        is_fixable=key in _MENDINGS,
        severity=ir.IssueSeverity.WARNING,
        translation_key=key,
        translation_placeholders={"account": entry.title, **placeholders},
        learn_more_url=learn_more_url,
    )
