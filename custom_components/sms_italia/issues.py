"""Repair issues of accounts and of the ledger: what raises and ends them."""

import asyncio
from datetime import datetime
from decimal import Decimal
import logging
from math import ceil, floor

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntryChange
from homeassistant.const import CONF_URL
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey
from yarl import URL

from .const import CONF_PROVIDER, DOMAIN
from .errors import refusal_error
from .escalations import async_incomplete_escalations
from .messaging import (
    Account,
    CallRefused,
    DailyLimitReached,
    DayChanged,
    Event,
    Found,
    LedgerError,
    LedgerTrouble,
    RunEvent,
    RunNews,
    UndeliveredChanged,
    WaitRequested,
)
from .providers import PROVIDERS, parse_url
from .runtime import MESSENGER, SmsItaliaConfigEntry
from .undelivered import REFUSED_CALLS

_LOGGER = logging.getLogger(__name__)

_NO_ACCOUNT = "SMS Italia"
"""The title of what names no account."""

LOW_CREDIT = "low_credit"
NO_CREDIT = "no_credit"
DAILY_LIMIT_REACHED = "daily_limit_reached"
FALLBACK_MISSING = "fallback_missing"
CLEAR_TEXT_ADDRESS = "clear_text_address"
HTTPS_REQUIRED = "https_required"
UNDELIVERED = "undelivered"
PROVIDER_WAIT = "provider_wait"
ACTION_NAME = "action_name"
ACTION_TAKEN = "action_taken"
ESCALATION_INCOMPLETE = "escalation_incomplete"
ESCALATION_EXHAUSTED = "escalation_exhausted"
_ACCOUNT_ISSUES = (
    LOW_CREDIT,
    NO_CREDIT,
    DAILY_LIMIT_REACHED,
    FALLBACK_MISSING,
    CLEAR_TEXT_ADDRESS,
    HTTPS_REQUIRED,
    UNDELIVERED,
    PROVIDER_WAIT,
    ACTION_NAME,
    ACTION_TAKEN,
    ESCALATION_INCOMPLETE,
)

FIXABLE = frozenset(
    {
        ACTION_NAME,
        LOW_CREDIT,
        NO_CREDIT,
        DAILY_LIMIT_REACHED,
        FALLBACK_MISSING,
        CLEAR_TEXT_ADDRESS,
        HTTPS_REQUIRED,
        UNDELIVERED,
    }
)
"""The issues of an account with a flow, which `repairs` has."""

_CHECK: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_check")
"""Held while it is found out what was not delivered."""

DATA_ACCOUNT = "account"
"""The key of the account's entry ID in the data of an issue with a fix flow."""


@callback
def async_report_ledger_trouble(
    hass: HomeAssistant, trouble: LedgerTrouble | None
) -> None:
    """Create the issue of a ledger that is not as it should be; None ends it.

    That a file was set aside stays one until somebody confirms it.
    """
    for other in set(LedgerTrouble) - {LedgerTrouble.SET_ASIDE, trouble}:
        ir.async_delete_issue(hass, DOMAIN, f"ledger_{other}")
    if trouble is None:
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"ledger_{trouble}",
        is_fixable=True,
        is_persistent=trouble is LedgerTrouble.SET_ASIDE,
        severity=ir.IssueSeverity.ERROR,
        translation_key=f"ledger_{trouble}",
    )


async def async_clear_ledger(hass: HomeAssistant) -> None:
    """Delete all that belongs to no account any more: issues and refused calls."""
    for trouble in LedgerTrouble:
        ir.async_delete_issue(hass, DOMAIN, f"ledger_{trouble}")
    await hass.data[REFUSED_CALLS].async_delete()
    await async_check_undelivered(hass, "")


@callback
def async_report_refused_call(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry | None, err: HomeAssistantError
) -> None:
    """Report a call that was refused before a message existed, to whom nobody saw.

    `entry` is None for one that names no account.
    """
    _LOGGER.warning(
        "%s: a call was refused (%s)",
        entry.title if entry else _NO_ACCOUNT,
        err.translation_key or "unknown",
    )
    account = entry.entry_id if entry else ""
    hass.data[REFUSED_CALLS].async_add(account, err)
    hass.async_create_background_task(
        async_check_undelivered(hass, account), f"{DOMAIN} undelivered"
    )


async def async_check_undelivered(hass: HomeAssistant, account: str) -> None:
    """Create or delete the issue of what an account did not deliver.

    One that was ignored comes back when there is more than before. It says how much
    there is and no more, since everybody can read it. While the ledger cannot be read,
    there is as much as before.
    """
    # The ledger may answer a later question first: the last check must be the last.
    async with hass.data.setdefault(_CHECK, asyncio.Lock()):
        await _check_undelivered(hass, account)


async def _check_undelivered(hass: HomeAssistant, account: str) -> None:
    issue_id = f"{UNDELIVERED}_{account}"
    found = await _async_count_undelivered(hass, account)
    known = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    before = int(((known and known.translation_placeholders) or {}).get("count", 0))
    refused = hass.data[REFUSED_CALLS].of(account)
    calls = sum(call.count for call in refused.values())
    count = max(before, calls) if found is None else calls + found
    if not count:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    if known is not None and before < count:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
    entry = hass.config_entries.async_get_entry(account)
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={DATA_ACCOUNT: account},
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=UNDELIVERED,
        translation_placeholders={
            "account": entry.title if entry else _NO_ACCOUNT,
            "count": str(count),
        },
    )


async def _async_count_undelivered(hass: HomeAssistant, account: str) -> int | None:
    """Return how much an account did not deliver; None if that cannot be read.

    Of no account (""), there are no messages.
    """
    if not account:
        return 0
    try:
        return (await hass.data[MESSENGER].undelivered.of(account)).total
    except LedgerError:
        return None


async def async_find_undelivered(hass: HomeAssistant, account: str) -> Found:
    """Return the undelivered messages of an account; none if they cannot be read."""
    try:
        return await hass.data[MESSENGER].undelivered.of(account)
    except LedgerError:
        return Found(messages=(), total=0)


class _WaitIssue:
    """The issue of a provider that asks an account to wait for long."""

    def __init__(self, hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
        """Start without one."""
        self._hass = hass
        self._entry = entry
        self._client = entry.runtime_data.account.client
        self._cancel: CALLBACK_TYPE | None = None

    @callback
    def async_check(self) -> None:
        """Delete the issue if the account has another client than was to wait."""
        client = self._entry.runtime_data.account.client
        if client is not self._client:
            self._client = client
            self.async_delete()

    @callback
    def async_create(self, seconds: float) -> None:
        """Create the issue until so many seconds are over."""
        self.async_delete()
        minutes = str(ceil(seconds / 60))
        _set_issue(self._hass, self._entry, PROVIDER_WAIT, is_due=True, minutes=minutes)
        self._cancel = async_call_later(self._hass, seconds, self._end)

    @callback
    def async_delete(self) -> None:
        """Delete the issue."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        _set_issue(self._hass, self._entry, PROVIDER_WAIT, is_due=False)

    @callback
    def _end(self, _now: datetime) -> None:
        self._cancel = None
        self.async_delete()


@callback
def async_watch_account(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Keep the issues of a loaded account up to date until it is unloaded."""
    coordinator = entry.runtime_data.coordinator
    async_check_settings(hass, entry, entry.runtime_data.account)

    @callback
    def check_credit() -> None:
        async_check_credit(hass, entry)

    @callback
    def check_https() -> None:
        is_due = coordinator.requires_https
        _set_issue(hass, entry, HTTPS_REQUIRED, is_due=is_due)

    if ir.async_get(hass).async_get_issue(DOMAIN, _issue_id(NO_CREDIT, entry)):
        coordinator.note_credit(is_enough=False)
    # The restored credit came before the listener.
    check_credit()
    # The address of before a reload may have been another one.
    check_https()

    wait_issue = _WaitIssue(hass, entry)
    entry.async_on_unload(wait_issue.async_delete)

    @callback
    def handle_event(event: Event) -> None:
        match event:
            case DayChanged():
                async_clear_daily_limit(hass, entry)
            case DailyLimitReached():
                async_report_daily_limit(hass, entry, entry.runtime_data.account)
            case CallRefused(error=err):
                async_report_refused_call(hass, entry, refusal_error(err))
            case UndeliveredChanged():
                _check_undelivered_later(hass, entry)
            case WaitRequested(seconds=seconds):
                wait_issue.async_create(seconds)
            case _:
                pass

    # What came while nobody listened stands in the ledger.
    _check_undelivered_later(hass, entry)
    entry.async_on_unload(coordinator.async_add_listener(check_credit))
    entry.async_on_unload(coordinator.async_add_listener(check_https))
    entry.async_on_unload(_watch_members(hass, entry))
    entry.async_on_unload(coordinator.async_add_listener(wait_issue.async_check))
    entry.async_on_unload(
        entry.runtime_data.messenger.events.listen(entry.entry_id, handle_event)
    )


@callback
def _check_undelivered_later(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    entry.async_create_background_task(
        hass, async_check_undelivered(hass, entry.entry_id), f"{DOMAIN} undelivered"
    )


@callback
def _watch_members(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> CALLBACK_TYPE:
    """Check an account's escalations when any account changes; return how to stop."""

    @callback
    def check(_change: ConfigEntryChange, changed: SmsItaliaConfigEntry) -> None:
        if changed.domain == DOMAIN:
            async_check_escalations(hass, entry)

    return async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, check)


@callback
def async_check_settings(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, account: Account
) -> None:
    """Create or delete the issues of an account's settings.

    They are a fallback account that was removed and an address that is not encrypted.
    The issue of a daily limit is deleted if the limit has changed.
    """
    issue = ir.async_get(hass).async_get_issue(
        DOMAIN, _issue_id(DAILY_LIMIT_REACHED, entry)
    )
    limit = {"limit": str(account.options.daily_limit)}
    if issue and not limit.items() <= (issue.translation_placeholders or {}).items():
        async_clear_daily_limit(hass, entry)
    elif issue:
        # The account may have another title.
        async_report_daily_limit(hass, entry, account)
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
        is_due=is_clear_text(entry) and not _is_agreed(entry),
    )
    async_check_escalations(hass, entry)


@callback
def async_check_escalations(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Create or delete the issues of an account's escalations.

    One lacks members that were removed, or whose account was removed or disabled.
    Those of escalations that are gone are deleted.
    """
    incomplete = async_incomplete_escalations(hass, entry)
    _set_issue(
        hass,
        entry,
        ESCALATION_INCOMPLETE,
        is_due=bool(incomplete),
        escalations=", ".join(incomplete),
    )
    prefix = f"{_issue_id(ESCALATION_EXHAUSTED, entry)}_"
    for domain, issue_id in tuple(ir.async_get(hass).issues):
        escalation = issue_id.removeprefix(prefix)
        if (
            domain == DOMAIN
            and issue_id.startswith(prefix)
            and escalation not in entry.subentries
        ):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_report_run(hass: HomeAssistant, news: RunNews) -> None:
    """Create the issue of an escalation that nobody acknowledged.

    It is deleted when the next run is acknowledged, or by the user.
    """
    plan = news.run.plan
    entry = hass.config_entries.async_get_entry(plan.account)
    if entry is None:
        return
    issue_id = f"{_issue_id(ESCALATION_EXHAUSTED, entry)}_{plan.id}"
    match news.event:
        case RunEvent.EXHAUSTED:
            # One that was ignored is about another run.
            ir.async_delete_issue(hass, DOMAIN, issue_id)
            ir.async_create_issue(
                hass,
                DOMAIN,
                issue_id,
                is_fixable=True,
                is_persistent=True,
                severity=ir.IssueSeverity.ERROR,
                translation_key=ESCALATION_EXHAUSTED,
                translation_placeholders={
                    "account": entry.title,
                    "escalation": plan.name,
                    "time": f"{dt_util.now():%Y-%m-%d %H:%M}",
                },
            )
        case RunEvent.ACKNOWLEDGED:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
        case RunEvent.BEGAN | RunEvent.CALLED | RunEvent.RESUMED:
            pass


@callback
def async_check_credit(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Create the issue of a credit that is low or not enough, or delete it."""
    account, coordinator = entry.runtime_data.account, entry.runtime_data.coordinator
    _set_issue(
        hass,
        entry,
        NO_CREDIT,
        is_due=bool(coordinator.lacks_credit),
        console_url=account.provider.console_url,
    )
    if coordinator.lacks_credit:
        _set_issue(hass, entry, LOW_CREDIT, is_due=False)
        return
    if (credit := coordinator.data) is None:
        return
    _set_issue(
        hass,
        entry,
        LOW_CREDIT,
        is_due=account.is_low(credit.balance),
        console_url=account.provider.console_url,
        # Rounded down, so that it does not look equal to the limit.
        credit=_as_euro(hass, floor(credit.balance * 100) / 100),
        limit=_as_euro(hass, account.options.low_credit),
    )


@callback
def async_report_daily_limit(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, account: Account
) -> None:
    """Create the issue of messages that the daily limit refused."""
    _set_issue(
        hass,
        entry,
        DAILY_LIMIT_REACHED,
        is_due=True,
        limit=str(account.options.daily_limit),
    )


@callback
def async_clear_daily_limit(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Delete the issue of the daily limit."""
    _set_issue(hass, entry, DAILY_LIMIT_REACHED, is_due=False)


@callback
def async_report_action_name(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, *, wish: str, name: str
) -> None:
    """Create the issue of an action whose name something else has."""
    _set_issue(
        hass,
        entry,
        ACTION_NAME,
        is_due=True,
        wish=f"notify.{wish}",
        action=f"notify.{name}",
    )


@callback
def async_check_action_taken(
    hass: HomeAssistant, entry: SmsItaliaConfigEntry, *, kept: str, name: str
) -> None:
    """Create or delete the issue of an account's action whose name was taken.

    `kept` is the account's own name of it, `name` the one that it has in this run.
    """
    _set_issue(
        hass,
        entry,
        ACTION_TAKEN,
        is_due=name != kept,
        kept=f"notify.{kept}",
        action=f"notify.{name}",
    )


@callback
def async_clear_account(hass: HomeAssistant, entry: SmsItaliaConfigEntry) -> None:
    """Delete all issues of an account that is removed."""
    for key in _ACCOUNT_ISSUES:
        _set_issue(hass, entry, key, is_due=False)
    hass.data[REFUSED_CALLS].async_forget(entry.entry_id)
    for subentry_id in entry.subentries:
        issue_id = f"{_issue_id(ESCALATION_EXHAUSTED, entry)}_{subentry_id}"
        ir.async_delete_issue(hass, DOMAIN, issue_id)


def _issue_id(key: str, entry: SmsItaliaConfigEntry) -> str:
    """Return the ID of an account's issue."""
    return f"{key}_{entry.entry_id}"


def _as_euro(hass: HomeAssistant, amount: float | Decimal) -> str:
    """Return an amount in the format of Home Assistant's language."""
    text = f"{amount:.2f}"
    return text.replace(".", ",") if hass.config.language == "it" else text


def _is_agreed(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether the address is the one that the form offered for agreement."""
    offered = PROVIDERS[entry.data[CONF_PROVIDER]].clear_text_url
    return offered is not None and parse_url(entry.data[CONF_URL]) == parse_url(offered)


def is_clear_text(entry: SmsItaliaConfigEntry) -> bool:
    """Return whether an account's requests leave this machine unencrypted."""
    url = URL(entry.data[CONF_URL])
    return url.scheme == "http" and url.host not in {"localhost", "127.0.0.1", "::1"}


def _set_issue(
    hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
    key: str,
    *,
    is_due: bool,
    **placeholders: str,
) -> None:
    """Create or delete an account's issue."""
    issue_id = _issue_id(key, entry)
    if not is_due:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    # Only the next message can show that it is over.
    is_refused = key == NO_CREDIT
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={DATA_ACCOUNT: entry.entry_id} if key in FIXABLE else None,
        is_fixable=key in FIXABLE,
        is_persistent=is_refused or key == ACTION_NAME,
        severity=ir.IssueSeverity.ERROR if is_refused else ir.IssueSeverity.WARNING,
        translation_key=key,
        translation_placeholders={"account": entry.title, **placeholders},
    )
