"""The system information: counts and states, nothing private."""

from typing import Any

from homeassistant.components.system_health import (
    SystemHealthRegistration,
    async_check_can_reach_url,
)
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from yarl import URL

from .const import CONF_FALLBACK, CONF_PROVIDER, DOMAIN
from .issues import is_clear_text
from .providers import Status
from .runtime import MESSENGER, SmsItaliaConfigEntry


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register the information, and the page of the integration."""
    register.async_register_info(_info, f"/config/integrations/integration/{DOMAIN}")


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the counts of all accounts, and whether their providers answer."""
    messenger = hass.data[MESSENGER]
    entries = hass.config_entries.async_entries(DOMAIN)
    loaded: list[SmsItaliaConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    trouble = messenger.ledger.trouble
    hosts: dict[str, set[URL]] = {}
    for entry in entries:
        url = URL(entry.data[CONF_URL]).origin()
        hosts.setdefault(entry.data[CONF_PROVIDER], set()).add(url)
    return {
        "accounts": len(entries),
        "accounts_loaded": len(loaded),
        "accounts_without_fallback": sum(
            not entry.options.get(CONF_FALLBACK) for entry in entries
        ),
        "accounts_not_encrypted": sum(map(is_clear_text, entries)),
        "messages_queued": sum(
            message.status is Status.QUEUED
            for entry in loaded
            for message in messenger.open_messages(entry.entry_id)
        ),
        "ledger": "ok" if trouble is None else {"type": "failed", "error": trouble},
        "webhook_reachable": any(
            entry.runtime_data.webhook.is_reachable for entry in loaded
        ),
        **{
            f"reach_{provider}": _reach(hass, urls)
            for provider, urls in sorted(hosts.items())
        },
    }


async def _reach(hass: HomeAssistant, urls: set[URL]) -> str | dict[str, str]:
    """Return "ok" if all addresses answer, with any status, else the error."""
    for url in sorted(urls):
        answer = await async_check_can_reach_url(hass, str(url))
        if answer != "ok":
            return answer
    return "ok"
