"""What Home Assistant's recorder makes of the sensors."""

from datetime import datetime, timedelta
from decimal import Decimal

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.components.sensor import ATTR_STATE_CLASS
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from custom_components.sms_italia.providers import PROVIDERS
from simulator import Simulator, Toggle

from .accounts import Accounts, until
from .states import attribute, send, state_of

ANNA = "+393331234567"

pytestmark = pytest.mark.usefixtures("recorder_mock", "quick")


def with_a_state_class(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, str]:
    """Return the account's sensors that have statistics, by translation key."""
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        str(one.translation_key): one.entity_id
        for one in registered
        if (state := hass.states.get(one.entity_id)) is not None
        and state.attributes.get(ATTR_STATE_CLASS)
    }


def number(state: str) -> Decimal | None:
    """Return the number that a state is, None if it is not known."""
    return None if state == STATE_UNKNOWN else Decimal(state)


def period(moment: datetime) -> datetime:
    """Return when the five minutes of statistics that a moment is in began."""
    return moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0)


async def figures(
    hass: HomeAssistant, begin: datetime, sensor: str
) -> dict[str, Decimal]:
    """Return what the statistics say of a sensor from a moment until now."""
    await async_wait_recording_done(hass)
    moment = period(begin)
    while moment <= dt_util.utcnow():
        do_adhoc_statistics(hass, start=moment)
        moment += timedelta(minutes=5)
    await async_wait_recording_done(hass)
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        period(begin),
        None,
        {sensor},
        "5minute",
        None,
        {"sum", "state", "mean", "max", "min"},
    )
    last = found[sensor][-1]
    return {
        name: Decimal(str(value)).quantize(Decimal("0.0001"))
        for name, value in last.items()
        if isinstance(value, float) and name not in {"start", "end"}
    }


@pytest.mark.parametrize("key", PROVIDERS)
async def test_statistics_have_the_first_message_as_the_ledger_has_it(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Every sensor with a state class, from no message to the first one."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    options = {"channel": "push_then_sms"} if key == "smshosting" else {}
    simulator.set_credit(key, 50)
    begin = dt_util.utcnow()
    account = await accounts.set_up(key, options=options)
    totals = account.runtime_data.messenger.totals
    sensors = with_a_state_class(hass, account)
    before = {name: state_of(hass, sensor) for name, sensor in sensors.items()}

    await send(hass, account, ANNA)
    simulator.move(simulator.messages[0].id, "delivered")
    messenger = account.runtime_data.messenger
    await until(lambda: not messenger.open_messages(account.entry_id))
    await account.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)

    spent = totals.spent_today(account.entry_id)
    assert spent.parts == 1
    if (month := sensors.get("spent_month")) is not None:
        await until(lambda: number(state_of(hass, month)) == spent.known_cost)
    for name, sensor in sensors.items():
        got, now = await figures(hass, begin, sensor), number(state_of(hass, sensor))
        match name:
            case "parts_today":
                assert (got["sum"], got["state"]) == (spent.parts, spent.parts)
            case "spent_month":
                # Where no price is reported nothing is counted.
                assert (got["sum"], got["state"]) == (spent.cost, spent.cost)
            case "credit":
                assert now is not None
                assert got["state"] == now
                assert got["sum"] == now - (number(before[name]) or now)
            case "sms_left" | "push_left":
                assert now is not None
                assert got["min"] <= now <= got["max"]
            case _:
                pytest.fail(f"{name} has a state class and no statistics here")


async def test_the_prices_are_shown_and_not_recorded(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smsviainternet")
    month = "sensor.smsviainternet_spent_this_month"
    await send(hass, account, ANNA)
    await until(lambda: attribute(hass, month, "prices") == {"IT": 0.05})

    state = hass.states.get(month)
    assert state is not None
    assert state.state_info is not None
    assert "prices" in state.state_info["unrecorded_attributes"]
