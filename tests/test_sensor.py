"""The sensors of an account's credit and of its spending."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from syrupy.assertion import SnapshotAssertion

from custom_components.sms_italia.const import CONF_DAILY_LIMIT, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator, Toggle

from .accounts import Accounts, appearance, until
from .days import Midnight
from .states import attribute, call, restart, send, state_of

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


@EACH_PROVIDER
async def test_the_sensors_of_each_provider(
    hass: HomeAssistant,
    accounts: Accounts,
    key: str,
    snapshot: SnapshotAssertion,
) -> None:
    """All that can be seen of them after one message."""
    account = await accounts.set_up(key, entry_id=key, recipients={"Anna": [ANNA]})
    before = dt_util.utcnow()

    await send(hass, account, "Anna")

    shown = {
        entity.entity_id: appearance(hass, entity.entity_id)
        for entity in er.async_entries_for_config_entry(er.async_get(hass), key)
        if entity.domain == SENSOR_DOMAIN
    }
    for entity_id, entity in shown.items():
        # Another one every month.
        entity["attributes"].pop("last_reset", None)
        if "last_delivery_status" in entity_id:
            when = dt_util.parse_datetime(entity["attributes"].pop("time"))
            assert when is not None
            assert before - timedelta(seconds=1) <= when <= dt_util.utcnow()
    assert shown == snapshot


# Credit


async def test_credit_is_asked_every_hour_and_after_each_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Where the provider can be asked."""
    account = await accounts.set_up("inviosmart")
    assert state_of(hass, "sensor.inviosmart_credit") == "112.24"
    assert state_of(hass, "sensor.inviosmart_sms_left") == "1969"

    await send(hass, account, ANNA)
    assert state_of(hass, "sensor.inviosmart_credit") == "112.18"

    simulator.set_credit("inviosmart", "200")
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=61))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.inviosmart_credit") == "200.00"


async def test_credit_comes_with_the_answer_to_a_message(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Where it cannot be asked: unknown before the first message."""
    account = await accounts.set_up("smsviainternet")
    assert state_of(hass, "sensor.smsviainternet_credit") == STATE_UNKNOWN

    await send(hass, account, ANNA)
    assert state_of(hass, "sensor.smsviainternet_credit") == "49.95"

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=61))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smsviainternet_credit") == "49.95"
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smsviainternet_credit") == "49.95"


async def test_credit_is_unknown_once_it_was_not_enough_for_a_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Where only messages report it; the next accepted one does."""
    account = await accounts.set_up("smsviainternet")
    await send(hass, account, ANNA)
    simulator.set_credit("smsviainternet", 0)
    await send(hass, account, ANNA)
    assert state_of(hass, "sensor.smsviainternet_credit") == STATE_UNKNOWN

    simulator.set_credit("smsviainternet", 30)
    await send(hass, account, ANNA)
    assert state_of(hass, "sensor.smsviainternet_credit") == "29.95"


@pytest.mark.usefixtures("hass_storage")
async def test_credit_is_restored_after_a_restart(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """As the number it was, until there is a newer one."""
    account = await accounts.set_up("smsviainternet")
    simulator.set_credit("smsviainternet", "12.395")
    await send(hass, account, ANNA)

    await restart(hass, account)
    assert state_of(hass, "sensor.smsviainternet_credit") == "12.345"

    await send(hass, account, BRUNO)
    assert state_of(hass, "sensor.smsviainternet_credit") == "12.295"


@pytest.mark.usefixtures("hass_storage")
async def test_credit_that_is_asked_beats_the_restored_one(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is what the provider says now; while it says nothing, it is not known."""
    account = await accounts.set_up("smshosting")
    simulator.set_credit("smshosting", 8)

    await restart(hass, account)
    assert state_of(hass, "sensor.smshosting_credit") == "8.00"

    simulator.inject("smshosting", Fault.HTML, operation="credit")
    await restart(hass, account)
    assert state_of(hass, "sensor.smshosting_credit") == STATE_UNAVAILABLE


async def test_credit_is_unavailable_while_the_provider_is(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The status of messages is known all the same."""
    await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.HTML, operation="credit")

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=61))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smshosting_credit") == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.smshosting_sms_left") == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.smshosting_last_delivery_status") == STATE_UNKNOWN

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=122))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smshosting_credit") == "45.50"


async def test_an_account_whose_credit_is_not_reported_has_no_credit_sensor(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Transactionale has neither a question nor an answer for it."""
    account = await accounts.set_up("transactionale")

    await send(hass, account, ANNA)

    entities = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    keys = {entity.translation_key for entity in entities}
    assert "last_delivery_status" in keys
    assert "parts_today" in keys
    assert not keys & {
        "credit",
        "credit_days_left",
        "credit_low",
        "sms_left",
        "push_left",
        # Nor are costs reported: 0 would be a lie.
        "spent_today",
        "spent_month",
    }


async def test_credit_is_asked_for_where_an_account_is_offered_it(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A reseller's token sees the wallet; what a send reports is newer."""
    simulator.switch_on("smsviainternet", Toggle.WALLETS)
    account = await accounts.set_up("smsviainternet")
    assert state_of(hass, "sensor.smsviainternet_credit") == "50.00"

    await send(hass, account, ANNA)
    assert state_of(hass, "sensor.smsviainternet_credit") == "49.95"

    simulator.set_credit("smsviainternet", 80)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=61))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smsviainternet_credit") == "80.00"


@pytest.mark.parametrize(
    ("credit", "shown"),
    [
        ("0", "0.00"),
        ("1.550", "1.55"),
        ("12.3456", "12.3456"),
        ("12.34567", "12.3457"),
        ("-3.2", "-3.20"),
        ("100", "100.00"),
    ],
)
async def test_an_amount_has_its_cents_and_no_tail(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    credit: str,
    shown: str,
) -> None:
    """Tenths of a cent are some providers' money, and are kept."""
    simulator.set_credit("smshosting", credit)

    await accounts.set_up("smshosting")

    assert state_of(hass, "sensor.smshosting_credit") == shown


@pytest.mark.usefixtures("quick")
async def test_an_amount_is_rounded_alike_wherever_it_is_shown(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    simulator.set_price("smshosting", "0.0466667")
    await accounts.set_up("smshosting", title="Sms")

    await call(hass, "send_sms", numbers=[ANNA], message="Ciao")
    simulator.move(simulator.messages[0].id, "delivered")
    event = "event.sms_delivery"
    await until(lambda: state_of(hass, event) != STATE_UNKNOWN)
    await hass.async_block_till_done(wait_background_tasks=True)
    found = await call(hass, "find_messages")
    month = "sensor.sms_spent_this_month"
    await until(lambda: attribute(hass, month, "prices"))
    estimate = await call(hass, "estimate", numbers=[ANNA], message="Ciao")

    assert {
        found["messages"][0]["cost"],
        attribute(hass, event, "cost"),
        estimate["cost"],
        attribute(hass, "sensor.sms_last_delivery_status", "cost"),
        attribute(hass, month, "prices")["IT"],
        float(state_of(hass, month)),
        float(state_of(hass, "sensor.sms_spent_today")),
    } == {0.0467}


# Push

PUSH_LEFT = "sensor.smshosting_push_left"


async def another_hour(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let everything happen that happens every hour."""
    freezer.tick(timedelta(minutes=61))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_the_push_left_is_shown_where_push_is_used_and_there_is_a_plan(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """An account of SMS alone is not asked, and one without a plan has no sensor."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    for key in PROVIDERS:
        await accounts.set_up(key)
    assert hass.states.get(PUSH_LEFT) is None
    assert not [one for one in simulator.requests if "push" in one.path]

    (account,) = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.title == "Smshosting"
    ]
    hass.config_entries.async_update_entry(
        account, options={"channel": "push_then_sms"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert state_of(hass, PUSH_LEFT) == "900"


async def test_without_a_plan_there_is_no_push_sensor_and_no_error(
    hass: HomeAssistant, accounts: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything else works."""
    caplog.clear()
    await accounts.set_up("smshosting", options={"channel": "push"})

    assert hass.states.get(PUSH_LEFT) is None
    assert state_of(hass, "sensor.smshosting_credit") == "45.50"
    assert not [one for one in caplog.records if one.levelname == "ERROR"]


async def test_a_plan_may_come_and_go(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The sensor comes with the first one, and is unavailable without one."""
    account = await accounts.set_up("smshosting", options={"channel": "push"})
    assert hass.states.get(PUSH_LEFT) is None

    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    await another_hour(hass, freezer)
    assert state_of(hass, PUSH_LEFT) == "900"

    simulator.switch_off("smshosting", Toggle.PUSH_PLAN)
    await another_hour(hass, freezer)
    assert state_of(hass, PUSH_LEFT) == STATE_UNAVAILABLE
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, PUSH_LEFT) == STATE_UNAVAILABLE

    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    await another_hour(hass, freezer)
    assert state_of(hass, PUSH_LEFT) == "900"


# What was spent


async def test_what_was_spent_begins_anew_at_midnight(
    hass: HomeAssistant, accounts: Accounts, midnight: Midnight
) -> None:
    """And survives a reload before it."""
    account = await accounts.set_up("smsviainternet")
    figures = "sensor.smsviainternet_parts_today", "sensor.smsviainternet_spent_today"
    assert [float(state_of(hass, figure)) for figure in figures] == [0, 0]

    await send(hass, account, ANNA, BRUNO)
    await send(hass, account, ANNA)
    assert [float(state_of(hass, figure)) for figure in figures] == [3, 0.15]
    assert await hass.config_entries.async_reload(account.entry_id)
    assert [float(state_of(hass, figure)) for figure in figures] == [3, 0.15]

    await midnight()
    assert [float(state_of(hass, figure)) for figure in figures] == [0, 0]
    await send(hass, account, CARLA)
    assert [float(state_of(hass, figure)) for figure in figures] == [1, 0.05]


async def test_what_was_spent_is_unknown_where_no_price_is_reported(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Smshosting reports it only when it is asked about the delivery; 0 if unused."""
    account = await accounts.set_up("smshosting", options={"delivery_reports": "off"})
    today = "sensor.smshosting_spent_today"
    month = "sensor.smshosting_spent_this_month"
    assert [state_of(hass, today), state_of(hass, month)] == ["0.00"] * 2

    await send(hass, account, ANNA)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert state_of(hass, "sensor.smshosting_parts_today") == "1"
    assert state_of(hass, today) == STATE_UNKNOWN
    assert state_of(hass, month) == STATE_UNKNOWN


async def test_what_was_spent_today_follows_a_clock_that_is_set_back(
    hass: HomeAssistant, accounts: Accounts, midnight: Midnight
) -> None:
    account = await accounts.set_up("smsviainternet")
    await send(hass, account, ANNA)
    await midnight()
    assert float(state_of(hass, "sensor.smsviainternet_parts_today")) == 0
    await midnight.set_back(hours=1)
    await until(lambda: float(state_of(hass, "sensor.smsviainternet_parts_today")))


async def test_what_was_spent_this_month_begins_anew_with_the_next(
    hass: HomeAssistant, accounts: Accounts, midnight: Midnight
) -> None:
    """It is 0 before the first message, and in a month without messages."""
    account = await accounts.set_up("smsviainternet")
    month = "sensor.smsviainternet_spent_this_month"
    assert state_of(hass, month) == "0.00"

    await send(hass, account, ANNA, BRUNO)
    assert state_of(hass, month) == "0.10"
    reset = dt_util.parse_datetime(attribute(hass, month, "last_reset"))
    assert reset == dt_util.start_of_local_day().replace(day=1)
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, month) == "0.10"

    days = 0
    while state_of(hass, month) == "0.10" and days < 32:
        await midnight()
        days += 1
    today = dt_util.now()
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    assert days == (next_month.date() - today.date()).days
    assert state_of(hass, month) == "0.00"


async def test_what_is_spent_in_a_storm_is_shown_when_it_has_been_looked_up(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The ledger is not asked each time, but for all of it in the end."""
    account = await accounts.set_up("smsviainternet")
    for _ in range(4):
        await send(hass, account, ANNA)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=2))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smsviainternet_spent_this_month") == "0.20"


async def test_what_is_spent_while_the_ledger_is_read_is_read_afterwards(
    hass: HomeAssistant, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the read takes longer than the pause between two reads."""
    account = await accounts.set_up("smsviainternet")
    totals = account.runtime_data.messenger.totals
    spent_this_month = totals.spent_this_month
    is_read, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(account_id: str) -> Decimal | None:
        spent: Decimal | None = await spent_this_month(account_id)
        is_read.set()
        await may_end.wait()
        return spent

    async def send_one() -> None:
        await hass.services.async_call(
            "notify",
            "smsviainternet",
            {"message": "Prova", "target": [ANNA]},
            blocking=True,
        )

    monkeypatch.setattr(totals, "spent_this_month", slowly)
    await send_one()
    async with asyncio.timeout(5):
        await is_read.wait()
    await send_one()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=2))
    may_end.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smsviainternet_spent_this_month") == "0.05"
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=4))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smsviainternet_spent_this_month") == "0.10"


@pytest.mark.usefixtures("quick")
async def test_what_the_last_part_cost_is_shown_by_country(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """In euro; a message of two parts cost twice as much."""
    account = await accounts.set_up(
        "smsviainternet", options={"allowed_countries": ["IT", "CH"]}
    )
    month = "sensor.smsviainternet_spent_this_month"
    assert attribute(hass, month, "prices") == {}

    await send(hass, account, ANNA)
    simulator.account("smsviainternet").price = Decimal("0.08")
    await send(hass, account, "+41791234567")
    await until(lambda: attribute(hass, month, "prices") == {"CH": 0.08, "IT": 0.05})

    simulator.account("smsviainternet").price = Decimal("0.06")
    await hass.services.async_call(
        "notify",
        "smsviainternet",
        {"message": "x" * 161, "target": [ANNA]},
        blocking=True,
    )
    await until(lambda: attribute(hass, month, "prices") == {"CH": 0.08, "IT": 0.06})


FORECAST = "sensor.smsviainternet_credit_lasts_for"


async def test_how_long_the_credit_lasts_is_known_after_the_first_day(
    hass: HomeAssistant, accounts: Accounts, midnight: Midnight
) -> None:
    """By what each whole day cost, on average; anew each day and with each message."""
    account = await accounts.set_up("smsviainternet")
    assert state_of(hass, FORECAST) == STATE_UNKNOWN
    await send(hass, account, ANNA, BRUNO, CARLA)
    assert state_of(hass, FORECAST) == STATE_UNKNOWN

    async def forecast(days: float) -> None:
        await hass.async_block_till_done(wait_background_tasks=True)
        assert state_of(hass, FORECAST) == f"{days:.1f}"

    await midnight()
    await forecast((50 - 0.15) / 0.15)
    await send(hass, account, CARLA)
    await forecast((50 - 0.2) / 0.15)
    await midnight()
    await forecast((50 - 0.2) / (0.2 / 2))
    await midnight()
    await forecast((50 - 0.2) / (0.2 / 3))
    assert await hass.config_entries.async_reload(account.entry_id)
    await forecast((50 - 0.2) / (0.2 / 3))


@pytest.mark.parametrize("credit", ["0", "-3.20"])
@pytest.mark.usefixtures("quick")
async def test_credit_that_is_used_up_lasts_for_no_day(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    midnight: Midnight,
    credit: str,
) -> None:
    """Nor for less than none where the provider gives some on trust."""
    account = await accounts.set_up("smshosting")
    await send(hass, account, ANNA)
    simulator.move(simulator.messages[0].id, "delivered")
    cost = "sensor.smshosting_spent_today"
    await until(lambda: state_of(hass, cost) != STATE_UNKNOWN)
    simulator.set_credit("smshosting", credit)

    await midnight()
    await account.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)

    assert float(state_of(hass, "sensor.smshosting_credit")) == float(credit)
    assert float(state_of(hass, "sensor.smshosting_credit_lasts_for")) == 0


async def test_a_new_day_has_a_new_limit(
    hass: HomeAssistant, accounts: Accounts, midnight: Midnight
) -> None:
    """The issue of the old one is deleted."""
    account = await accounts.set_up("smshosting", options={CONF_DAILY_LIMIT: 1})
    await send(hass, account, ANNA)
    with pytest.raises(HomeAssistantError):
        await send(hass, account, ANNA)
    account.runtime_data.messenger.events.flush()
    (issue,) = [
        issue
        for issue in ir.async_get(hass).issues.values()
        if issue.translation_key == "daily_limit_reached"
    ]

    await midnight()

    assert ir.async_get(hass).async_get_issue(issue.domain, issue.issue_id) is None
    await send(hass, account, BRUNO)
