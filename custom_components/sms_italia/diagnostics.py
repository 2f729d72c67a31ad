"""The diagnostics of an account, without secrets, numbers and texts."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from yarl import URL

from .const import (
    CONF_CALLBACK_KEY,
    CONF_NOTIFY_ACTION,
    CONF_NUMBERS,
    SUBENTRY_TYPE_ESCALATION,
)
from .messaging import Run
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
    latest = runtime.messenger.escalations.latest
    runs = (
        latest(one.subentry_id)
        for one in entry.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    )
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
        "last_runs": [_run_as_data(run) for run in runs if run is not None],
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


def _run_as_data(run: Run) -> dict[str, Any]:
    """Return where an escalation's run stands, without its texts and any name.

    Members are shown by the ID of their subentry, times in seconds since it began.
    """
    by = run.acknowledgement
    return {
        "escalation": run.plan.id,
        "state": run.state.value,
        "texts": len(run.texts),
        "waits_for_account": run.waits_since is not None,
        "acknowledged_with": by.way.value if by else None,
        "calls": [
            {
                "step": call.step + 1,
                "member": call.member.recipient,
                "seconds": round(call.at - run.began.steady),
                "refused": sum(copy.is_refused for copy in call.copies),
                "messages": dict(
                    Counter(
                        one.progress.value
                        for copy in call.copies
                        for one in copy.messages.values()
                    )
                ),
            }
            for call in run.calls
        ],
    }
