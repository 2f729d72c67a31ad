"""What the user should know or do, as repair issues."""

from math import floor

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from yarl import URL

from .const import DOMAIN
from .messaging.account import Account
from .messaging.ledger import LedgerTrouble
from .providers.model import Credit

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


async def async_create_fix_flow(
    _hass: HomeAssistant,
    _issue_id: str,
    _data: dict[str, str | int | float | None] | None,
) -> RepairsFlow:
    """Let an issue be confirmed, which is all there is to do about a ledger's."""
    return ConfirmRepairFlow()


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
    """Tell of fallbacks that are gone, and of an address that is not encrypted."""
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
        credit=f"{floor(credit.balance * 100) / 100:.2f}",
        limit=f"{account.options.low_credit:.2f}",
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
    issue_id = f"{key}_{entry.entry_id}"
    if not is_due:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=key,
        translation_placeholders={"account": entry.title, **placeholders},
        learn_more_url=learn_more_url,
    )
