"""The warning that the credit is low."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.binary_sensor import BinarySensorDeviceClass
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import (
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util, slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_restore_state_shutdown_restart,
)

from custom_components.sms_italia.const import CONF_LOW_CREDIT
from simulator import Fault, Simulator

from .accounts import Accounts, appearance

ANNA = "+393331234567"

ASKED = ("smshosting", "inviosmart")
"""The providers that report the credit; SMSviaInternet does so with each send."""

type Restart = Callable[[MockConfigEntry], Awaitable[None]]


@pytest.fixture
def restart(hass: HomeAssistant, hass_storage: dict[str, Any]) -> Restart:
    """Return what sets an account up anew after its states went through the disk."""

    async def restart(account: MockConfigEntry) -> None:
        assert await hass.config_entries.async_unload(account.entry_id)
        await async_mock_restore_state_shutdown_restart(hass)
        assert "core.restore_state" in hass_storage
        assert await hass.config_entries.async_setup(account.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)

    return restart


async def send(hass: HomeAssistant, account: MockConfigEntry, text: str) -> None:
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


def is_low(hass: HomeAssistant, account: MockConfigEntry) -> str:
    """Return the state of an account's warning."""
    state = hass.states.get(f"binary_sensor.{slugify(account.title)}_credit_low")
    assert state is not None
    return state.state


@pytest.mark.parametrize("key", ASKED)
@pytest.mark.parametrize(
    ("credit", "limit", "state"),
    [
        ("45.50", None, STATE_OFF),
        ("4.99", None, STATE_ON),
        ("5.00", None, STATE_OFF),
        ("0", None, STATE_ON),
        ("-1.20", None, STATE_ON),
        ("4.99", 4.98, STATE_OFF),
        ("0.10", 0.1, STATE_OFF),
        ("99.99", 100, STATE_ON),
        ("0", 0, STATE_OFF),
        ("-1.20", 0, STATE_OFF),
    ],
)
async def test_credit_is_low_below_the_limit(  # noqa: PLR0913, PLR0917 - a table
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
    credit: str,
    limit: float | None,
    state: str,
) -> None:
    """Not at it; a balance of 0 is a number; with a limit of 0 it is never low."""
    simulator.set_credit(key, credit)
    options = {} if limit is None else {CONF_LOW_CREDIT: limit}

    account = await accounts.set_up(key, options=options)

    assert is_low(hass, account) == state


async def test_the_warning_is_a_problem_on_the_accounts_device(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting", entry_id="conto", title="Casa mia")

    shown = appearance(hass, "binary_sensor.casa_mia_credit_low")

    assert shown["attributes"]["device_class"] == BinarySensorDeviceClass.PROBLEM
    assert shown["attributes"]["friendly_name"] == "Casa mia Credit low"
    assert shown["unique_id"] == "conto_credit_low"
    assert shown["translation_key"] == "credit_low"
    assert shown["device"]["name"] == "Casa mia"


@pytest.mark.parametrize("key", ASKED)
async def test_the_warning_follows_the_credit(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Down with each message, up with a top-up; while unknown, it stays as it is."""
    simulator.set_credit(key, "5.05")
    account = await accounts.set_up(key)
    assert is_low(hass, account) == STATE_OFF

    await send(hass, account, "Allarme")
    assert is_low(hass, account) == STATE_ON

    simulator.inject(key, Fault.HTML, operation="credit")
    await an_hour_passes(hass)
    assert is_low(hass, account) == STATE_UNAVAILABLE

    simulator.set_credit(key, 50)
    await an_hour_passes(hass, 2)
    assert is_low(hass, account) == STATE_OFF


async def test_where_the_credit_comes_with_a_message_it_is_unknown_before(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    simulator.set_credit("smsviainternet", "5.08")
    account = await accounts.set_up("smsviainternet")
    assert is_low(hass, account) == STATE_UNKNOWN
    await an_hour_passes(hass)
    assert is_low(hass, account) == STATE_UNKNOWN

    await send(hass, account, "Allarme")
    assert is_low(hass, account) == STATE_OFF
    await send(hass, account, "Un altro allarme")
    assert is_low(hass, account) == STATE_ON
    simulator.set_credit("smsviainternet", 50)
    await send(hass, account, "Ricaricato")
    assert is_low(hass, account) == STATE_OFF


@pytest.mark.parametrize("limit", [0, 5])
@pytest.mark.parametrize("key", ["smsviainternet", *ASKED])
async def test_the_credit_is_low_while_it_is_not_enough_for_a_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str, limit: int
) -> None:
    """Whatever the limit; a restart does not change that."""
    account = await accounts.set_up(key, options={CONF_LOW_CREDIT: limit})
    await send(hass, account, "Prova")
    assert is_low(hass, account) == STATE_OFF

    simulator.set_credit(key, 0)
    await send(hass, account, "Allarme")
    assert is_low(hass, account) == STATE_ON
    await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert is_low(hass, account) == STATE_ON

    simulator.set_credit(key, 50)
    await send(hass, account, "Ricaricato")
    await an_hour_passes(hass)
    assert is_low(hass, account) == STATE_OFF


async def test_an_account_whose_credit_is_not_reported_has_no_warning(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("transactionale")
    await send(hass, account, "Allarme")

    entities = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    assert "binary_sensor" not in {entity.domain for entity in entities}


@pytest.mark.parametrize(
    ("credit", "state"), [("4", STATE_ON), ("40", STATE_OFF), (None, STATE_UNKNOWN)]
)
@pytest.mark.parametrize("sensor_disabled", [False, True])
async def test_the_warning_is_restored_after_a_restart(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    restart: Restart,
    credit: str | None,
    state: str,
    sensor_disabled: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The provider cannot be asked; also if the user disabled the sensor of it."""
    account = await accounts.set_up("smsviainternet")
    if credit is not None:
        simulator.set_credit("smsviainternet", credit)
        await send(hass, account, "Allarme")
    if sensor_disabled:
        er.async_get(hass).async_update_entity(
            "sensor.smsviainternet_credit",
            disabled_by=er.RegistryEntryDisabler.USER,
        )

    await restart(account)

    assert is_low(hass, account) == state


async def test_what_the_provider_says_beats_the_restored_warning(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, restart: Restart
) -> None:
    simulator.set_credit("inviosmart", 1)
    account = await accounts.set_up("inviosmart")
    assert is_low(hass, account) == STATE_ON

    simulator.set_credit("inviosmart", 50)
    await restart(account)

    assert is_low(hass, account) == STATE_OFF


@pytest.mark.parametrize(("limit", "state"), [(0, STATE_OFF), (60, STATE_ON)])
async def test_another_limit_counts_at_once(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    limit: float,
    state: str,
) -> None:
    """Also where the credit is only known from the last message."""
    for key in ("smsviainternet", "inviosmart"):
        simulator.set_credit(key, 4 if state == STATE_OFF else 50)
        account = await accounts.set_up(key)
        await send(hass, account, "Allarme")
        assert is_low(hass, account) != state

        hass.config_entries.async_update_entry(
            account, options={CONF_LOW_CREDIT: limit}
        )
        await hass.async_block_till_done(wait_background_tasks=True)

        assert is_low(hass, account) == state
