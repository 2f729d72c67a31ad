"""The system information: what it shows, and that nothing of it is private."""

from contextlib import closing
import json
from pathlib import Path
import sqlite3
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.system_health import DOMAIN as SYSTEM_HEALTH_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.sms_italia.const import CONF_FALLBACK, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts

ANNA = "+393331234567"


class Page:
    """What a person sees on the page."""

    def __init__(self, hass: HomeAssistant, client: WebSocketGenerator) -> None:
        """Look from here."""
        self._hass = hass
        self._client = client

    async def read(self) -> dict[str, Any]:
        """Return the final values by their keys."""
        assert await async_setup_component(self._hass, SYSTEM_HEALTH_DOMAIN, {})
        client = await self._client(self._hass)
        await client.send_json_auto_id({"type": "system_health/info"})
        assert (await client.receive_json())["success"]
        info: dict[str, Any] = {}
        while (event := (await client.receive_json())["event"])["type"] != "finish":
            if event["type"] == "initial":
                assert event["data"][DOMAIN]["manage_url"].endswith(DOMAIN)
                info = event["data"][DOMAIN]["info"]
            elif event["domain"] == DOMAIN:
                assert event["success"]
                info[event["key"]] = event["data"]
        return info


async def send(hass: HomeAssistant, text: str) -> None:
    """Send to one number through the account."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "smshosting",
        {"message": text, "target": [ANNA]},
        blocking=True,
    )


@pytest.fixture
def page(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> Page:
    """Return the page."""
    return Page(hass, hass_ws_client)


async def test_every_account_and_provider_is_shown(
    hass: HomeAssistant, accounts: Accounts, page: Page
) -> None:
    """Each line with its text, and no line without one."""
    for key in PROVIDERS:
        await accounts.set_up(key)
    accounts.add("smshosting", settings={"auth_key": "un'altra"})

    info = await page.read()

    assert info == {
        "accounts": len(PROVIDERS) + 1,
        "accounts_loaded": len(PROVIDERS),
        "accounts_without_fallback": len(PROVIDERS) + 1,
        "accounts_not_encrypted": 0,
        "messages_queued": 0,
        "ledger": "ok",
        "webhook_reachable": False,
        **{f"reach_{key}": "ok" for key in PROVIDERS},
    }
    for language in ("en", "it"):
        texts = await async_get_translations(hass, language, "system_health", {DOMAIN})
        assert {f"component.{DOMAIN}.system_health.info.{key}" for key in info} == {
            *texts
        }


async def test_without_an_account_there_is_little_to_show(
    hass: HomeAssistant, page: Page
) -> None:
    assert await async_setup_component(hass, DOMAIN, {})

    assert await page.read() == {
        "accounts": 0,
        "accounts_loaded": 0,
        "accounts_without_fallback": 0,
        "accounts_not_encrypted": 0,
        "messages_queued": 0,
        "ledger": "ok",
        "webhook_reachable": False,
    }


async def test_a_message_that_waits_for_the_line_is_counted(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, page: Page
) -> None:
    await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")
    await send(hass, "Allarme")

    assert (await page.read())["messages_queued"] == 1


async def test_a_provider_that_is_out_of_reach_is_shown(
    accounts: Accounts, unused_tcp_port: int, page: Page
) -> None:
    """Of two accounts at one provider it is enough that one is."""
    await accounts.set_up("inviosmart")
    await accounts.set_up(
        "inviosmart",
        title="Un altro",
        settings={"url": f"http://127.0.0.1:{unused_tcp_port}"},
    )
    await accounts.set_up("smshosting")

    info = await page.read()

    assert info["reach_inviosmart"] == {"type": "failed", "error": "unreachable"}
    assert info["reach_smshosting"] == "ok"


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_accounts_are_counted_that_stand_alone_or_send_without_encryption(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    other = await accounts.set_up("smshosting")
    await accounts.set_up("transactionale", options={CONF_FALLBACK: [other.entry_id]})
    await accounts.set_up(
        "inviosmart", settings={"url": "http://httpapi.inviosmart.it"}
    )
    assert await async_setup_component(hass, SYSTEM_HEALTH_DOMAIN, {})
    await hass.async_block_till_done()

    info = await get_system_health_info(hass, DOMAIN)

    assert info["accounts_without_fallback"] == 2
    assert info["accounts_not_encrypted"] == 1
    for key, value in info.items():
        # What the page would wait for.
        if key.startswith("reach_"):
            value.close()


async def test_whether_providers_can_call_us_is_shown(
    hass: HomeAssistant, accounts: Accounts, page: Page
) -> None:
    hass.config.external_url = "https://casa.example"
    await accounts.set_up("transactionale")

    assert (await page.read())["webhook_reachable"] is True


def ledger_of(hass: HomeAssistant) -> Path:
    """Return where the ledger's file is."""
    return Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.db"))


async def test_trouble_with_the_ledger_is_shown_as_long_as_it_lasts(
    hass: HomeAssistant, accounts: Accounts, page: Page
) -> None:
    await accounts.set_up("smshosting")
    with closing(sqlite3.connect(ledger_of(hass), isolation_level=None)) as other:
        # Another writer locks the file.
        other.execute("BEGIN IMMEDIATE")
        await send(hass, "Questo non si scrive")
        ledger = (await page.read())["ledger"]
        other.execute("ROLLBACK")
    assert ledger == {"type": "failed", "error": "unwritable"}

    await send(hass, "Questo si scrive")
    assert (await page.read())["ledger"] == "ok"


async def test_a_ledger_in_memory_is_shown(
    hass: HomeAssistant, accounts: Accounts, page: Page
) -> None:
    """Where there is no folder for the file, nor can be."""
    ledger_of(hass).parent.write_bytes(b"")
    await accounts.set_up("smshosting")

    assert (await page.read())["ledger"] == {"type": "failed", "error": "in_memory"}


async def test_nothing_private_is_shown(
    accounts: Accounts, simulator: Simulator, page: Page
) -> None:
    """It is made to be copied into a public report."""
    for key in PROVIDERS:
        await accounts.set_up(key, title=f"Casa {key}", recipients={"Anna": [ANNA]})

    info = json.dumps(await page.read())

    assert "Casa" not in info
    assert "Anna" not in info
    assert ANNA[3:] not in info
    assert "127.0.0.1" not in info
    for key in PROVIDERS:
        assert not any(secret in info for secret in simulator.credentials(key).values())
