"""The diagnostics of an account, without secrets, numbers and texts."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from yarl import URL

from .const import CONF_CALLBACK_KEY, CONF_NOTIFY_ACTION, CONF_NUMBERS
from .providers import EmailOption, FieldKind
from .runtime import SmsItaliaConfigEntry

_PRIVATE_KINDS = {FieldKind.SECRET, FieldKind.USERNAME, FieldKind.SENDER}


async def async_get_config_entry_diagnostics(
    _hass: HomeAssistant,
    entry: SmsItaliaConfigEntry,
) -> dict[str, Any]:
    """Return the settings, without private ones, and the state of an account."""
    runtime = entry.runtime_data
    account = runtime.account
    private = {
        field.key for field in account.provider.fields if field.kind in _PRIVATE_KINDS
    }
    private |= {
        option.key
        for option in account.provider.options
        if isinstance(option, EmailOption)
    }
    open_messages = runtime.messenger.open_messages(account.id)
    spent = runtime.messenger.totals.spent_today(account.id)
    cost = spent.known_cost
    credit = runtime.coordinator.data
    now = dt_util.utcnow().timestamp()
    return {
        "entry": _entry(entry, private),
        "capabilities": {
            "features": sorted(account.provider.capabilities.features),
            "recipients_per_submission": (
                account.provider.capabilities.recipients_per_submission
            ),
            "max_parts": account.provider.capabilities.max_parts,
        },
        "channel": account.channel.value,
        "credit": None if credit is None else str(credit.balance),
        "push": None
        if credit is None
        else {"plan": credit.push_plan.value, "left": credit.push_left},
        "last_update_success": runtime.coordinator.last_update_success,
        "spent_today": {
            "parts": spent.parts,
            "cost": None if cost is None else str(cost),
        },
        "open_messages": dict(
            Counter(f"{one.stage}/{one.status}" for one in open_messages)
        ),
        "scheduled_messages": sum(
            (one.dispatch.options.send_at or 0) > now for one in open_messages
        ),
        "webhook": {
            "is_reachable": runtime.webhook.is_reachable,
            "heard": runtime.webhook.heard,
            "ignored": runtime.webhook.ignored,
            "unsigned": runtime.webhook.unsigned,
        },
    }


def _entry(entry: SmsItaliaConfigEntry, private: Iterable[str]) -> dict[str, Any]:
    """Return the entry without what is private, and the host alone of its address."""
    shown = async_redact_data(
        entry.as_dict(),
        {
            *private,
            CONF_WEBHOOK_ID,
            CONF_CALLBACK_KEY,
            CONF_NOTIFY_ACTION,
            CONF_NUMBERS,
            "title",
            "unique_id",
        },
    )
    # The path may be that of a proxy, with a key of its own.
    address = str(URL(entry.data[CONF_URL]).origin())
    return {**shown, "data": {**shown["data"], CONF_URL: address}}
