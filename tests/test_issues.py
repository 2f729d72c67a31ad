"""Repair issues come, and go away by themselves."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
import sqlite3
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import json_bytes
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util, slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_mock_restore_state_shutdown_restart,
)

from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_LOW_CREDIT,
    CONF_RETRY_FOR,
    DOMAIN,
)
from custom_components.sms_italia.issues import (
    async_check_undelivered,
    async_report_refused_call,
)
from custom_components.sms_italia.messaging import Found, WaitRequested
from custom_components.sms_italia.providers import PROVIDERS
from custom_components.sms_italia.runtime import MESSENGER
from custom_components.sms_italia.services import ACTIONS
from custom_components.sms_italia.undelivered import REFUSED_CALLS, RefusedCalls
from simulator import Fault, Simulator

from .accounts import Accounts, arrived, until
from .days import Midnight
from .internet import Internet, hang_up
from .issues import (
    ANNA,
    GATEWAY,
    OWN_HTTPS,
    PERSON,
    an_hour_passes,
    damage,
    exceed,
    fail,
    issues,
    lead_from_http_to_https,
    ledger_of,
    send,
    send_refused,
    shown,
)
from .states import call

pytestmark = pytest.mark.usefixtures("person")

ASKED = ("smshosting", "inviosmart")
"""The providers that report the credit; SMSviaInternet does so with each send."""


# Credit


@pytest.mark.parametrize("key", ASKED)
async def test_low_credit_is_an_issue_until_the_account_is_topped_up(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """With both amounts, and the way to the provider's console."""
    simulator.set_credit(key, "5.02")
    simulator.set_price(key, "0.06")
    account = await accounts.set_up(key, title="Casa mia")
    assert issues(hass) == {}

    await send(hass, account)
    title, description = await shown(hass, "low_credit", "confirm")
    assert title == "Casa mia: the credit is low"
    assert description.startswith(
        "Casa mia has 4.96 euro left, which is less than the 5.00 euro set in"
    )
    issue = issues(hass)["low_credit"]
    assert issue.severity is ir.IssueSeverity.WARNING
    assert f"[provider]({PROVIDERS[key].console_url})" in description
    assert not issue.is_persistent

    # While the provider does not answer, what is known last stays.
    simulator.inject(key, Fault.HTML, operation="credit")
    await an_hour_passes(hass)
    assert "low_credit" in issues(hass)

    simulator.set_credit(key, 30)
    await an_hour_passes(hass, 2)
    assert issues(hass) == {}


async def test_low_credit_that_a_message_reported_ends_with_the_next_one(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The provider reports it with each message only; the amount is the newest one."""
    simulator.set_credit("smsviainternet", "0.10")
    account = await accounts.set_up("smsviainternet", options={CONF_LOW_CREDIT: 0.09})
    assert issues(hass) == {}

    await send(hass, account)
    assert "has 0.05 euro left" in (await shown(hass, "low_credit", "confirm"))[1]
    assert "less than the 0.09 euro" in (await shown(hass, "low_credit", "confirm"))[1]
    await send(hass, account, "Un altro allarme")
    assert "has 0.00 euro left" in (await shown(hass, "low_credit", "confirm"))[1]

    simulator.set_credit("smsviainternet", 50)
    await send(hass, account, "Ricaricato")
    assert issues(hass) == {}


async def test_low_credit_is_an_issue_again_after_a_restart(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_storage: dict[str, Any],
) -> None:
    """It may be long until the next message, which is the first to report it."""
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

    assert "has 3.95 euro left" in (await shown(hass, "low_credit", "confirm"))[1]


@pytest.mark.parametrize("key", ["smsviainternet", *ASKED])
async def test_a_warning_that_is_switched_off_is_withdrawn(
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
        in ((await shown(hass, "low_credit", "confirm"))[1])
    )


@pytest.mark.parametrize(
    ("language", "amounts"), [("en", ["4.20", "5.00"]), ("it", ["4,20", "5,00"])]
)
async def test_amounts_are_written_in_the_language_of_home_assistant(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    language: str,
    amounts: list[str],
) -> None:
    hass.config.language = language
    simulator.set_credit("smshosting", "4.20")
    await accounts.set_up("smshosting")

    placeholders = issues(hass)["low_credit"].translation_placeholders

    assert placeholders is not None
    assert [placeholders["credit"], placeholders["limit"]] == amounts


@pytest.mark.parametrize("key", PROVIDERS)
async def test_a_message_refused_for_want_of_credit_is_an_issue_until_one_is_accepted(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Also where nothing else reports the credit, and where low credit is no issue."""
    account = await accounts.set_up(key, title="Casa", options={CONF_LOW_CREDIT: 0})
    simulator.set_credit(key, 0)
    await send(hass, account)

    assert set(issues(hass)) == {"no_credit"}
    title, description = await shown(hass, "no_credit", "confirm")
    assert title == "Casa: the credit is not enough"
    provider = f"[provider]({PROVIDERS[key].console_url})"
    assert f"Top up at the {provider}, then confirm" in description

    simulator.set_credit(key, 30)
    await send(hass, account, "Ricaricato")
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("key", "credit"), [("smshosting", "4"), ("inviosmart", "4"), ("smshosting", "6")]
)
async def test_a_credit_that_is_not_enough_ends_when_a_sufficient_one_is_reported(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
    credit: str,
) -> None:
    """What rose, but not above the limit, does not prove enough for a message."""
    account = await accounts.set_up(key)
    simulator.set_credit(key, 0)
    await send(hass, account)
    await an_hour_passes(hass)
    assert set(issues(hass)) == {"no_credit"}

    simulator.set_credit(key, credit)
    await an_hour_passes(hass, 2)

    assert set(issues(hass)) == ({"no_credit"} if credit == "4" else set())


async def test_a_credit_that_is_not_enough_is_an_issue_after_a_restart(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Until the provider accepts a message: nothing else can tell."""
    account = await accounts.set_up("transactionale", options={CONF_RETRY_FOR: 0})
    simulator.set_credit("transactionale", 0)
    await send_refused(hass, account)
    assert issues(hass)["no_credit"].is_persistent

    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert "no_credit" in issues(hass)

    simulator.set_credit("transactionale", 5)
    await send(hass, account, "Ricaricato")
    assert "no_credit" not in issues(hass)


async def test_each_account_has_its_own_warning(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    for key in ASKED:
        simulator.set_credit(key, 1)
        await accounts.set_up(key)

    simulator.set_credit("smshosting", 20)
    await an_hour_passes(hass)

    assert "Inviosmart" in (await shown(hass, "low_credit", "confirm"))[0]
    assert len(ir.async_get(hass).issues) == 1


# The daily limit


async def test_a_reached_limit_is_an_issue_until_midnight(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, midnight: Midnight
) -> None:
    """Not before a message was refused for it."""
    account = await accounts.set_up(
        "smshosting", title="Casa mia", options={CONF_DAILY_LIMIT: 2}
    )
    await send(hass, account)
    await send(hass, account, "Un altro allarme")
    assert issues(hass) == {}

    await send_refused(hass, account, "Uno di troppo", PERSON)
    title, description = await shown(hass, "daily_limit_reached", "init")
    assert title == "Casa mia: the daily limit is reached"
    assert "would exceed the daily limit of Casa mia, in parts: 2" in description
    assert len(arrived(simulator)) == 2

    assert "daily_limit_reached" in issues(hass)
    await midnight()
    assert issues(hass) == {}


async def test_raising_the_limit_in_the_options_ends_the_issue(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Not so if something else changed; then it has the new title."""
    account = await exceed(hass, accounts)

    assert await hass.config_entries.async_reload(account.entry_id)
    assert "daily_limit_reached" in issues(hass)
    hass.config_entries.async_update_entry(account, title="Casa mia")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (await shown(hass, "daily_limit_reached", "init"))[0].startswith("Casa mia:")
    hass.config_entries.async_update_entry(account, options={CONF_DAILY_LIMIT: 10})
    await hass.async_block_till_done(wait_background_tasks=True)

    assert issues(hass) == {}


# Settings


async def test_a_removed_fallback_is_an_issue_at_once(
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
    title, description = await shown(hass, "fallback_missing", "confirm")
    assert title == "Casa mia: a fallback account is missing"
    assert description.startswith("A fallback account of Casa mia was removed.")
    assert len(ir.async_get(hass).issues) == 1

    assert await hass.config_entries.async_reload(account.entry_id)
    assert "fallback_missing" in issues(hass)
    hass.config_entries.async_update_entry(account, options={})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}


async def test_the_issue_of_a_provider_that_asks_to_wait_ends_with_the_last_wait(
    hass: HomeAssistant, accounts: Accounts, freezer: FrozenDateTimeFactory
) -> None:
    account = await accounts.set_up("smshosting")
    events = account.runtime_data.messenger.events
    for seconds in (600, 3601):
        events.publish(WaitRequested(account=account.entry_id, seconds=seconds))
        await hass.async_block_till_done()
    for pause, is_there in ((3600, True), (2, False)):
        issue = issues(hass).get("provider_wait")
        assert issue is not None
        assert issue.translation_placeholders == {
            "account": account.title,
            "minutes": "61",
        }
        freezer.tick(pause)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
        assert ("provider_wait" in issues(hass)) is is_there


async def test_the_issue_of_a_provider_that_asks_to_wait_ends_with_new_credentials(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """What was asked of the old ones does not bind the account any more."""
    account = await accounts.set_up("smshosting")
    events = account.runtime_data.messenger.events
    events.publish(WaitRequested(account=account.entry_id, seconds=3600))
    await hass.async_block_till_done()
    hass.config_entries.async_update_entry(account, title="Casa")
    await hass.async_block_till_done()
    assert "provider_wait" in issues(hass)

    new = {"auth_secret": "chiave-nuova-0123456789"}
    simulator.set_credentials("smshosting", **new)
    hass.config_entries.async_update_entry(account, data={**account.data, **new})
    await hass.async_block_till_done()
    assert "provider_wait" not in issues(hass)


@pytest.mark.parametrize(
    ("url", "is_issue"),
    [
        ("http://gateway.example/sms", True),
        ("HTTP://gateway.example:8080", True),
        ("http://192.168.1.4", True),
        ("http://localhost.example", True),
        # The form says that nothing is encrypted there before it offers the address.
        ("http://httpapi.inviosmart.it", False),
        ("http://httpapi.inviosmart.it/", False),
        ("http://httpapi.inviosmart.it:8080", True),
        ("https://gateway.example/sms", False),
        ("http://127.0.0.1:8080/x", False),
        ("http://LOCALHOST:8080", False),
        ("http://[::1]:8080/", False),
    ],
)
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_in_clear_text_is_an_issue(
    hass: HomeAssistant, accounts: Accounts, url: str, *, is_issue: bool
) -> None:
    """Unless it does not leave the machine; and no longer when it is another one."""
    account = await accounts.set_up("inviosmart", title="Casa mia")
    assert issues(hass) == {}
    good = account.data

    hass.config_entries.async_update_entry(account, data={**good, "url": url})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert list(issues(hass)) == ["clear_text_address"] * is_issue
    if is_issue:
        title, description = await shown(hass, "clear_text_address", "init")
        assert title == "Casa mia: the connection is not encrypted"
        assert "the provider's address of casa mia starts with http" in (
            description.casefold()
        )

    hass.config_entries.async_update_entry(account, data=good)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}


# An address that demands https


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_a_message_goes_on_along_its_route_where_https_is_demanded(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, internet: Internet
) -> None:
    fallback = await accounts.set_up("smshosting")
    account = await lead_from_http_to_https(
        hass, accounts, internet, [fallback.entry_id]
    )

    await send(hass, account)

    assert [message.provider for message in simulator.messages] == ["smshosting"]
    assert "https_required" in issues(hass)


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_that_demands_https_is_an_issue_before_any_message(
    hass: HomeAssistant, accounts: Accounts, internet: Internet
) -> None:
    """The hourly question is enough; it ends when that is answered over http again."""
    await lead_from_http_to_https(hass, accounts, internet)

    await an_hour_passes(hass)
    title, description = await shown(hass, "https_required", "confirm")
    assert title == "Casa mia: the provider requires https"
    assert description.startswith("The server of Casa mia no longer accepts messages")

    internet.at["http", GATEWAY] = hang_up
    await an_hour_passes(hass, 2)
    assert "https_required" in issues(hass)
    del internet.at["http", GATEWAY]
    await an_hour_passes(hass, 4)
    assert issues(hass) == {}


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_the_demand_for_https_ends_with_another_address(
    hass: HomeAssistant, accounts: Accounts, internet: Internet
) -> None:
    """Whoever enters it."""
    account = await lead_from_http_to_https(hass, accounts, internet)
    await an_hour_passes(hass)
    assert "https_required" in issues(hass)

    hass.config_entries.async_update_entry(
        account, data={**account.data, "url": OWN_HTTPS}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert issues(hass) == {}


async def test_with_an_account_go_all_its_issues(
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
    await send_refused(hass, account, "Uno di troppo")
    hass.config_entries.async_update_entry(
        account, data={**account.data, "url": "http://gateway.example"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass).keys() == {
        "low_credit",
        "daily_limit_reached",
        "fallback_missing",
        "clear_text_address",
        "undelivered",
    }

    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    (left,) = ir.async_get(hass).issues.values()
    assert left.issue_id == f"low_credit_{other.entry_id}"


# What was not delivered


@pytest.mark.usefixtures("quick")
async def test_what_was_not_delivered_is_an_issue_again_after_a_restart(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await fail(hass, accounts, simulator)
    assert await hass.config_entries.async_unload(account.entry_id)
    ir.async_delete_issue(hass, DOMAIN, issues(hass)["undelivered"].issue_id)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert "undelivered" in issues(hass)


@pytest.mark.usefixtures("quick")
async def test_what_was_not_delivered_stays_an_issue_while_the_history_is_unreadable(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It counts more calls that were refused as soon as it can be read."""
    account = await fail(hass, accounts, simulator)
    await hass.data[MESSENGER].ledger.flush()
    set_stage(hass, "nowhere")
    await send_refused(hass, account, " ")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert placeholders_of(hass)["count"] == "1"
    set_stage(hass, "closed")
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=60))
    await until(lambda: placeholders_of(hass)["count"] == "2")


def set_stage(hass: HomeAssistant, stage: str) -> None:
    """Write a stage to all messages in the ledger's file."""
    with closing(sqlite3.connect(ledger_of(hass))) as database, database:
        database.execute("UPDATE messages SET stage = ?", (stage,))


def placeholders_of(hass: HomeAssistant) -> dict[str, str]:
    """Return what the issue of undelivered messages says."""
    return issues(hass)["undelivered"].translation_placeholders or {}


async def test_refused_calls_that_name_no_account_are_an_issue_after_a_restart(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    refused = {"empty_text": {"count": 2, "placeholders": {}, "at": 1_700_000_000}}
    hass_storage[f"{DOMAIN}.refused_calls"] = {"version": 1, "data": {"": refused}}
    assert await async_setup_component(hass, DOMAIN, {})
    placeholders = issues(hass)["undelivered"].translation_placeholders
    assert placeholders == {"account": "SMS Italia", "count": "2"}


async def test_an_earlier_look_that_ends_later_takes_no_issue_back(
    hass: HomeAssistant, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger reads in threads, which may overtake one another."""
    account = await accounts.set_up("smshosting")
    listed = hass.data[MESSENGER].undelivered
    find, has_read, go_on = listed.of, asyncio.Event(), asyncio.Event()

    async def find_slowly(account_id: str) -> Found:
        found = await find(account_id)
        if not has_read.is_set():
            has_read.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(listed, "of", find_slowly)
    early = hass.async_create_task(async_check_undelivered(hass, account.entry_id))
    await has_read.wait()
    err = HomeAssistantError(translation_domain=DOMAIN, translation_key="no_credit")
    async_report_refused_call(hass, account, err)
    # Long enough for the later look to end first, if it could.
    await asyncio.sleep(0.2)
    go_on.set()
    await early
    await hass.async_block_till_done(wait_background_tasks=True)

    assert "undelivered" in issues(hass)


async def test_a_refusal_that_a_person_sees_is_no_issue(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Neither before a message exists, nor when the provider refuses it.

    That the credit is not enough concerns everybody.
    """
    account = await accounts.set_up(
        "inviosmart", options={CONF_LOW_CREDIT: 0, CONF_RETRY_FOR: 0}
    )
    await send_refused(hass, account, " ", user=PERSON)
    simulator.set_credit("inviosmart", 0)
    await send_refused(hass, account, user=PERSON)
    assert list(issues(hass)) == ["no_credit"]


async def test_what_a_person_is_not_refused_is_an_issue(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Of several numbers one was accepted, so that the call is no error."""
    account = await accounts.set_up("smshosting")
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": "Allarme", "target": [ANNA, "899123456"]},
        blocking=True,
        context=Context(user_id=PERSON),
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    placeholders = issues(hass)["undelivered"].translation_placeholders
    assert placeholders == {"account": "Smshosting", "count": "1"}


ONLY_ANSWER = {
    "estimate",
    "find_messages",
    "get_push_picture",
    "create_push_invitation",
}
"""Actions that change nothing: who calls them uses the answer."""

REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "send_sms": ({"message": " ", "numbers": [ANNA]}, "empty_text"),
    "cancel": ({"message_id": "no ID"}, "unknown_message"),
    "resend": ({"message_id": "0" * 16}, "unknown_message"),
    "acknowledge": ({"entity_id": "notify.anna"}, "not_an_escalation"),
}
"""What each of the other actions refuses, and why."""


def test_every_action_that_changes_something_is_tried() -> None:
    assert REFUSED.keys() | ONLY_ANSWER == {action.name for action in ACTIONS}


@pytest.mark.parametrize("action", REFUSED)
@pytest.mark.parametrize("user", [None, PERSON], ids=["automation", "person"])
async def test_a_refusal_of_any_action_that_no_person_sees_is_an_issue(
    hass: HomeAssistant,
    accounts: Accounts,
    caplog: pytest.LogCaptureFixture,
    action: str,
    user: str | None,
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    data, reason = REFUSED[action]
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            DOMAIN,
            action,
            data,
            blocking=True,
            context=Context(user_id=user),
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert caught.value.translation_key == reason
    is_reported = user is None
    assert list(issues(hass)) == (["undelivered"] if is_reported else [])
    assert (f"a call was refused ({reason})" in caplog.text) is is_reported


@pytest.mark.parametrize("action", ["cancel", "resend"])
async def test_a_refusal_about_a_message_is_an_issue_of_its_account(
    hass: HomeAssistant, accounts: Accounts, action: str
) -> None:
    """A message that arrived can be neither cancelled nor sent again."""
    account = await accounts.set_up("smshosting", title="Casa mia")
    await accounts.set_up("inviosmart")
    answer = await call(
        hass,
        "send_sms",
        message="Allarme",
        numbers=[ANNA],
        config_entry_id=account.entry_id,
    )
    with pytest.raises(HomeAssistantError):
        await call(hass, action, message_id=answer["messages"][0]["id"])
    await hass.async_block_till_done(wait_background_tasks=True)
    placeholders = issues(hass)["undelivered"].translation_placeholders
    assert placeholders == {"account": "Casa mia", "count": "1"}


async def test_refused_calls_are_kept_over_a_restart(
    hass: HomeAssistant, accounts: Accounts, hass_storage: dict[str, Any]
) -> None:
    account = await accounts.set_up("smshosting")
    await send_refused(hass, account, " ")
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=2))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert f"{DOMAIN}.refused_calls" in hass_storage
    again = RefusedCalls(hass)
    await again.async_load()
    assert again.of(account.entry_id) == hass.data[REFUSED_CALLS].of(account.entry_id)
    assert again.of(account.entry_id)["empty_text"].count == 1


@pytest.mark.parametrize(
    "data",
    [
        {"config_entry_id": "\ud83d"},
        {"config_entry_id": "x" * 100_000},
        {"numbers": ["\ud83d"]},
        {"numbers": ["x" * 100_000]},
        {"sender": "\ud83d"},
        {"picture": "\ud83d", "channel": "push"},
    ],
    ids=lambda one: ascii(one)[:40],
)
async def test_whatever_was_refused_is_kept_and_in_few_words(
    hass: HomeAssistant,
    accounts: Accounts,
    hass_storage: dict[str, Any],
    data: dict[str, Any],
) -> None:
    """Templates can give half a sign, which no file can hold."""
    await accounts.set_up("smshosting")
    with pytest.raises(HomeAssistantError):
        await hass.services.async_call(
            DOMAIN, "send_sms", {"message": "k", "numbers": ANNA, **data}, blocking=True
        )
    await hass.async_block_till_done(wait_background_tasks=True)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=2))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert 0 < len(json_bytes(hass_storage[f"{DOMAIN}.refused_calls"])) < 2000


async def test_an_ignored_issue_comes_back_when_there_is_more(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    await send_refused(hass, account, " ")
    issue_id = issues(hass)["undelivered"].issue_id
    ir.async_ignore_issue(hass, DOMAIN, issue_id, ignore=True)
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass)["undelivered"].dismissed_version
    await send_refused(hass, account, " ")
    assert not issues(hass)["undelivered"].dismissed_version


# The ledger


async def test_trouble_with_the_ledger_that_ends_is_no_issue_any_more(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    with closing(sqlite3.connect(ledger_of(hass), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await send(hass, account, "Uno")
        await until(lambda: list(issues(hass)) == ["ledger_unwritable"])
        other.execute("ROLLBACK")
    await send(hass, account, "Due")
    await until(lambda: not issues(hass))


async def test_what_was_set_aside_goes_with_the_last_account(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The ledger belongs to all of them, also to those that are not loaded."""
    account = await damage(hass, accounts)
    other = await accounts.set_up("inviosmart")
    assert await hass.config_entries.async_unload(other.entry_id)
    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert list(issues(hass)) == ["ledger_set_aside"]
    assert list(ledger_of(hass).parent.glob("*.set_aside"))

    await hass.config_entries.async_remove(other.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}
    assert not list(ledger_of(hass).parent.glob("*.set_aside*"))
