"""What the user is told to know or do, and that it goes away by itself."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
import sqlite3
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.repairs import DOMAIN as REPAIRS_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util, slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_restore_state_shutdown_restart,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_LOW_CREDIT,
    DOMAIN,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, arrived, until

ANNA = "+393331234567"
BRUNO = "+393409876543"

ASKED = ("smshosting", "inviosmart")
"""Who can be asked for the credit; SMSviaInternet tells it with each send."""


async def send(
    hass: HomeAssistant, account: MockConfigEntry, text: str = "Allarme"
) -> None:
    """Send to one number, and wait for what follows at once."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": text, "target": [ANNA]},
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def an_hour_passes(hass: HomeAssistant, hours: int = 1) -> None:
    """Let the hourly question be asked; `hours` counts from the real time."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=hours, minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return what the user is told now, by its key in the translations."""
    return {
        issue.translation_key or "": issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }


async def shown(hass: HomeAssistant, key: str) -> tuple[str, str]:
    """Return the title and the description of an issue, as an English user sees it."""
    issue = issues(hass)[key]
    texts = await async_get_translations(hass, "en", "issues", {DOMAIN})
    title, description = (
        texts[f"component.{DOMAIN}.issues.{key}.{part}"].format(
            **(issue.translation_placeholders or {})
        )
        for part in ("title", "description")
    )
    return title, description


# Credit


@pytest.mark.parametrize("key", ASKED)
async def test_low_credit_is_told_until_the_account_is_topped_up(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """With both amounts, and the way to the provider's console."""
    simulator.set_credit(key, "5.02")
    simulator.set_price(key, "0.06")
    account = await accounts.set_up(key, title="Casa mia")
    assert issues(hass) == {}

    await send(hass, account)
    title, description = await shown(hass, "low_credit")
    assert title == "Casa mia: the credit is low"
    assert description.startswith(
        "Casa mia has 4.96 euro left, which is less than the 5.00 euro set in"
    )
    issue = issues(hass)["low_credit"]
    assert issue.severity is ir.IssueSeverity.WARNING
    assert issue.learn_more_url == PROVIDERS[key].console_url
    assert not issue.is_fixable
    assert not issue.is_persistent

    # While the provider does not answer, what is known last stays.
    simulator.inject(key, Fault.HTML, operation="credit")
    await an_hour_passes(hass)
    assert "low_credit" in issues(hass)

    simulator.set_credit(key, 30)
    await an_hour_passes(hass, 2)
    assert issues(hass) == {}


async def test_low_credit_that_a_message_told_goes_with_the_next_one(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Where nobody can be asked; with each message the amount is the new one."""
    simulator.set_credit("smsviainternet", "0.10")
    account = await accounts.set_up("smsviainternet", options={CONF_LOW_CREDIT: 0.09})
    assert issues(hass) == {}

    await send(hass, account)
    assert "has 0.05 euro left" in (await shown(hass, "low_credit"))[1]
    assert "less than the 0.09 euro" in (await shown(hass, "low_credit"))[1]
    await send(hass, account, "Un altro allarme")
    assert "has 0.00 euro left" in (await shown(hass, "low_credit"))[1]

    simulator.set_credit("smsviainternet", 50)
    await send(hass, account, "Ricaricato")
    assert issues(hass) == {}


async def test_low_credit_is_told_again_after_a_restart(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_storage: dict[str, Any],
) -> None:
    """Where nobody can be asked, it may be long until the next message tells it."""
    simulator.set_credit("smsviainternet", 4)
    account = await accounts.set_up("smsviainternet")
    await send(hass, account)
    assert await hass.config_entries.async_unload(account.entry_id)
    await async_mock_restore_state_shutdown_restart(hass)
    assert "core.restore_state" in hass_storage
    # Issues that are not kept on disk are gone after a restart.
    ir.async_delete_issue(hass, DOMAIN, issues(hass)["low_credit"].issue_id)

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert "has 3.95 euro left" in (await shown(hass, "low_credit"))[1]


@pytest.mark.parametrize("key", ["smsviainternet", *ASKED])
async def test_whoever_wants_no_warning_is_not_warned_any_more(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    simulator.set_credit(key, 4)
    account = await accounts.set_up(key)
    await send(hass, account)
    assert "low_credit" in issues(hass)

    hass.config_entries.async_update_entry(account, options={CONF_LOW_CREDIT: 0})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}
    simulator.set_credit(key, -1)
    await an_hour_passes(hass)
    assert issues(hass) == {}


async def test_credit_just_below_the_limit_does_not_read_like_the_limit(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    simulator.set_credit("smsviainternet", "5.049")
    account = await accounts.set_up("smsviainternet")

    await send(hass, account)

    assert (
        "has 4.99 euro left, which is less than the 5.00 euro"
        in ((await shown(hass, "low_credit"))[1])
    )


async def test_each_account_has_its_own_warning(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    for key in ASKED:
        simulator.set_credit(key, 1)
        await accounts.set_up(key)

    simulator.set_credit("smshosting", 20)
    await an_hour_passes(hass)

    assert "Inviosmart" in (await shown(hass, "low_credit"))[0]
    assert len(ir.async_get(hass).issues) == 1


# The daily limit


async def test_a_reached_limit_is_told_until_midnight(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Not before a message was refused for it."""
    account = await accounts.set_up(
        "smshosting", title="Casa mia", options={CONF_DAILY_LIMIT: 2}
    )
    await send(hass, account)
    await send(hass, account, "Un altro allarme")
    assert issues(hass) == {}

    with pytest.raises(HomeAssistantError):
        await send(hass, account, "Uno di troppo")
    title, description = await shown(hass, "daily_limit_reached")
    assert title == "Casa mia: the daily limit is reached"
    assert "because Casa mia has used up its 2 parts of today" in description
    assert len(arrived(simulator)) == 2

    midnight = dt_util.start_of_local_day() + timedelta(days=1)
    async_fire_time_changed(hass, midnight - timedelta(seconds=1))
    await hass.async_block_till_done()
    assert "daily_limit_reached" in issues(hass)
    async_fire_time_changed(hass, midnight + timedelta(seconds=6))
    await hass.async_block_till_done()
    assert issues(hass) == {}


# Settings


async def test_a_fallback_that_is_removed_is_told_at_once(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Of the accounts that count on it, until they do no more."""
    fallback = await accounts.set_up("inviosmart")
    account = await accounts.set_up(
        "smshosting", title="Casa mia", options={CONF_FALLBACK: [fallback.entry_id]}
    )
    await accounts.set_up("smsviainternet")
    accounts.add("transactionale", options={CONF_FALLBACK: [fallback.entry_id]})
    assert issues(hass) == {}
    # One that only does not run is still there.
    assert await hass.config_entries.async_unload(fallback.entry_id)
    assert await hass.config_entries.async_reload(account.entry_id)
    assert issues(hass) == {}

    await hass.config_entries.async_remove(fallback.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    title, description = await shown(hass, "fallback_missing")
    assert title == "Casa mia: a fallback account is gone"
    assert "should step in for Casa mia" in description
    assert len(ir.async_get(hass).issues) == 1

    assert await hass.config_entries.async_reload(account.entry_id)
    assert "fallback_missing" in issues(hass)
    hass.config_entries.async_update_entry(account, options={})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("http://gateway.example/sms", True),
        ("HTTP://gateway.example:8080", True),
        ("http://192.168.1.4", True),
        ("http://localhost.example", True),
        ("https://gateway.example/sms", False),
        ("http://127.0.0.1:8080/x", False),
        ("http://LOCALHOST:8080", False),
        ("http://[::1]:8080/", False),
    ],
)
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_in_clear_text_is_told(
    hass: HomeAssistant, accounts: Accounts, url: str, *, is_told: bool
) -> None:
    """Unless it does not leave the machine; and no longer when it is another one."""
    account = await accounts.set_up("inviosmart", title="Casa mia")
    assert issues(hass) == {}
    good = account.data

    hass.config_entries.async_update_entry(account, data={**good, "url": url})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert list(issues(hass)) == ["clear_text_address"] * is_told
    if is_told:
        title, description = await shown(hass, "clear_text_address")
        assert title == "Casa mia: the connection is not encrypted"
        assert "the provider's address of casa mia starts with http" in (
            description.casefold()
        )

    hass.config_entries.async_update_entry(account, data=good)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}


async def test_with_an_account_goes_all_that_was_told_of_it(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """And nothing of the others."""
    for key in ASKED:
        simulator.set_credit(key, 1)
    other = await accounts.set_up("inviosmart", title="Un altro")
    account = await accounts.set_up(
        "smshosting",
        options={CONF_DAILY_LIMIT: 1, CONF_FALLBACK: ["nessuno"]},
    )
    await send(hass, account)
    with pytest.raises(HomeAssistantError):
        await send(hass, account, "Uno di troppo")
    hass.config_entries.async_update_entry(
        account, data={**account.data, "url": "http://gateway.example"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass).keys() == {
        "low_credit",
        "daily_limit_reached",
        "fallback_missing",
        "clear_text_address",
    }

    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    (left,) = ir.async_get(hass).issues.values()
    assert left.issue_id == f"low_credit_{other.entry_id}"


# The ledger


def ledger_of(hass: HomeAssistant) -> Path:
    """Return where the ledger's file is."""
    return Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.db"))


async def damage(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Set up an account over a file that is no ledger."""
    ledger_of(hass).parent.mkdir(exist_ok=True)
    ledger_of(hass).write_bytes(b"Questo non \xe8 un registro. " * 400)
    return await accounts.set_up("smshosting")


async def take_the_folder(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Set up an account where there is no folder for the file, nor can be."""
    ledger_of(hass).parent.write_bytes(b"")
    return await accounts.set_up("smshosting")


async def take_a_table(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Make the ledger of an account unwritable while it runs."""
    account = await accounts.set_up("smshosting")
    with sqlite3.connect(ledger_of(hass)) as database:
        database.execute("DROP TABLE submissions")
    database.close()
    await send(hass, account, "Questo non si scrive")
    return account


@pytest.mark.parametrize(
    ("key", "happen", "is_kept"),
    [
        ("ledger_set_aside", damage, True),
        ("ledger_in_memory", take_the_folder, False),
        ("ledger_unwritable", take_a_table, False),
    ],
)
async def test_trouble_with_the_ledger_is_told_until_it_is_confirmed(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
    key: str,
    happen: Callable[[HomeAssistant, Accounts], Awaitable[MockConfigEntry]],
    *,
    is_kept: bool,
) -> None:
    """Messages are sent all the same; only what is over is told after a restart."""
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    account = await happen(hass, accounts)
    await send(hass, account)
    assert arrived(simulator)[-1] == (ANNA, "Allarme")

    await until(lambda: issues(hass))
    (issue,) = issues(hass).values()
    assert issue.translation_key == key
    assert issue.severity is ir.IssueSeverity.ERROR
    assert issue.is_fixable
    assert issue.is_persistent is is_kept
    texts = await async_get_translations(hass, "en", "issues", {DOMAIN})
    assert texts[f"component.{DOMAIN}.issues.{key}.title"]
    assert texts[f"component.{DOMAIN}.issues.{key}.fix_flow.step.confirm.title"]

    client = await hass_client()
    response = await client.post(
        "/api/repairs/issues/fix",
        json={"handler": DOMAIN, "issue_id": issue.issue_id},
    )
    assert response.status == HTTPStatus.OK
    form = await response.json()
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    assert "low_credit" not in issues(hass)
    assert key in issues(hass)
    response = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
    assert (await response.json())["type"] == "create_entry"
    assert issues(hass) == {}


async def test_trouble_with_the_ledger_outlives_the_account(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The ledger belongs to all of them."""
    account = await damage(hass, accounts)
    assert list(issues(hass)) == ["ledger_set_aside"]
    assert list(ledger_of(hass).parent.glob("*.set_aside"))

    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert list(issues(hass)) == ["ledger_set_aside"]
