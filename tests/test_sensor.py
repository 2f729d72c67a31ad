"""The sensors: credit, and what became of the last message."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util, slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_restore_state_shutdown_restart,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.sms_italia.const import (
    CONF_DELIVERY_REPORTS,
    CONF_FALLBACK,
    CONF_RETRY_FOR,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, appearance, until

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


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


async def send(hass: HomeAssistant, account: MockConfigEntry, *targets: str) -> None:
    """Send through an account's action, and wait for what follows at once."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": "Prova", "target": list(targets)},
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)


def state_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity that is there."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.state


def attribute(hass: HomeAssistant, entity_id: str, name: str) -> Any:  # noqa: ANN401 - attributes have any type
    """Return an attribute of an entity that is there."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.attributes[name]


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


async def test_credit_is_restored_after_a_restart(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, restart: Restart
) -> None:
    """As the number it was, until something newer is told."""
    account = await accounts.set_up("smsviainternet")
    simulator.set_credit("smsviainternet", "12.395")
    await send(hass, account, ANNA)

    await restart(account)
    assert state_of(hass, "sensor.smsviainternet_credit") == "12.345"

    await send(hass, account, BRUNO)
    assert state_of(hass, "sensor.smsviainternet_credit") == "12.295"


async def test_credit_that_is_asked_beats_the_restored_one(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, restart: Restart
) -> None:
    """It is what the provider says now; while it says nothing, it is not known."""
    account = await accounts.set_up("smshosting")
    simulator.set_credit("smshosting", 8)

    await restart(account)
    assert state_of(hass, "sensor.smshosting_credit") == "8.0"

    simulator.inject("smshosting", Fault.HTML, operation="credit")
    await restart(account)
    assert state_of(hass, "sensor.smshosting_credit") == STATE_UNAVAILABLE


async def test_credit_is_unavailable_while_the_provider_is(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """What became of messages is known all the same."""
    await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.HTML, operation="credit")

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=61))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smshosting_credit") == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.smshosting_sms_left") == STATE_UNAVAILABLE
    assert state_of(hass, "sensor.smshosting_last_delivery_status") == STATE_UNKNOWN

    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=122))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "sensor.smshosting_credit") == "45.5"


async def test_an_account_whose_credit_nobody_tells_has_no_credit_sensor(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Transactionale has neither a question nor an answer for it."""
    account = await accounts.set_up("transactionale")

    await send(hass, account, ANNA)

    entities = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    keys = {entity.translation_key for entity in entities}
    assert "last_delivery_status" in keys
    assert not keys & {"credit", "credit_days_left", "credit_low", "sms_left"}


# What became of the last message


@EACH_PROVIDER
@pytest.mark.usefixtures("quick")
async def test_a_message_is_followed_until_it_is_delivered(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
) -> None:
    """By the account's sensor and by the recipient's."""
    account = await accounts.set_up(
        key, title="Sms", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )
    sensors = ("sensor.sms_last_delivery_status", "sensor.anna_last_delivery_status")
    assert [state_of(hass, sensor) for sensor in sensors] == [STATE_UNKNOWN] * 2

    await send(hass, account, "Anna")
    (message,) = simulator.messages
    assert [state_of(hass, sensor) for sensor in sensors] == ["queued"] * 2
    simulator.move(message.id, "sent")
    await until(lambda: state_of(hass, sensors[0]) == "sent")
    simulator.move(message.id, "delivered")
    await until(lambda: state_of(hass, sensors[0]) == "delivered")

    assert state_of(hass, sensors[1]) == "delivered"
    assert state_of(hass, "sensor.bruno_last_delivery_status") == STATE_UNKNOWN


async def test_polling_begins_by_itself(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """At the pace that users get: after seconds."""
    account = await accounts.set_up("smshosting")
    await send(hass, account, ANNA)

    simulator.move(simulator.messages[0].id, "delivered")

    sensor = "sensor.smshosting_last_delivery_status"
    await until(lambda: state_of(hass, sensor) == "delivered")


@pytest.mark.usefixtures("quick")
async def test_of_many_messages_the_one_that_needs_attention_is_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """Delivered only when all are; the recipient's sensor has its own alone."""
    account = await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO, CARLA]}
    )
    sensor, annas, brunos = (
        f"sensor.{name}_last_delivery_status"
        for name in ("smshosting", "anna", "bruno")
    )
    await send(hass, account, "Anna", "Bruno")
    by_number = {message.to: message.id for message in simulator.messages}

    simulator.move(by_number[ANNA], "delivered")
    simulator.move(by_number[BRUNO], "sent")
    await until(lambda: state_of(hass, annas) == "delivered")
    await until(lambda: state_of(hass, brunos) == "queued")
    assert state_of(hass, sensor) == "queued"
    assert attribute(hass, sensor, "number") == "***223"

    simulator.move(by_number[CARLA], "failed")
    await until(lambda: state_of(hass, sensor) == "failed")
    assert state_of(hass, brunos) == "failed"
    simulator.move(by_number[BRUNO], "delivered")
    await hass.async_block_till_done()
    assert state_of(hass, annas) == "delivered"
    assert state_of(hass, sensor) == "failed"


@pytest.mark.usefixtures("quick")
async def test_a_report_of_an_older_message_does_not_hide_the_last_one(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """The older one goes on to be followed, but the sensor is about the last."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await send(hass, account, "Anna")
    await send(hass, account, BRUNO)
    older, _ = simulator.messages

    simulator.move(older.id, "failed")

    annas = "sensor.anna_last_delivery_status"
    await until(lambda: state_of(hass, annas) == "failed")
    sensor = "sensor.smshosting_last_delivery_status"
    assert state_of(hass, sensor) == "queued"
    assert attribute(hass, sensor, "number") == "***543"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.THROTTLED, "throttled"), (Fault.REDIRECT, "unavailable")],
)
async def test_a_message_that_waits_is_shown_with_the_reason(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    fault: Fault,
    error: str,
) -> None:
    """And the number masked but for its last digits."""
    account = await accounts.set_up("smshosting")
    simulator.inject("smshosting", fault, operation="send")

    await send(hass, account, ANNA)

    sensor = "sensor.smshosting_last_delivery_status"
    assert state_of(hass, sensor) == "queued"
    assert attribute(hass, sensor, "error") == error
    assert attribute(hass, sensor, "number") == "***567"
    assert attribute(hass, sensor, "cost") is None


@pytest.mark.parametrize(
    ("fault", "state", "error"),
    [
        (Fault.REDIRECT, "failed", "unavailable"),
        (Fault.CUT_AFTER_ACCEPT, "uncertain", None),
    ],
)
async def test_a_message_that_failed_or_may_have_is_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    fault: Fault,
    state: str,
    error: str | None,
) -> None:
    """The action failed as well."""
    account = await accounts.set_up("smshosting", options={CONF_RETRY_FOR: 0})
    simulator.inject("smshosting", fault, operation="send")

    with pytest.raises(HomeAssistantError):
        await send(hass, account, ANNA)

    sensor = "sensor.smshosting_last_delivery_status"
    assert state_of(hass, sensor) == state
    assert attribute(hass, sensor, "error") == error
    assert attribute(hass, sensor, "number") == "***567"


@pytest.mark.usefixtures("quick")
async def test_what_the_provider_tells_of_parts_and_cost_is_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """At once or with the report; in euro."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    sensor = "sensor.anna_last_delivery_status"

    await hass.services.async_call(
        NOTIFY_DOMAIN, "smshosting", {"message": "x" * 161}, blocking=True
    )
    assert attribute(hass, sensor, "parts") == 2
    await until(lambda: attribute(hass, sensor, "cost") == 0.124)

    assert account.runtime_data.account.name == "Smshosting"
    assert simulator.messages[0].parts == 2


@pytest.mark.usefixtures("quick")
async def test_a_message_that_another_account_sent_stays_with_the_first(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """Whoever was asked to send shows what became of it, and reports reach it."""
    second = await accounts.set_up("inviosmart")
    first = await accounts.set_up(
        "smshosting", options={CONF_FALLBACK: [second.entry_id]}
    )
    simulator.set_credit("smshosting", 0)

    await send(hass, first, ANNA)
    (message,) = simulator.messages.of("inviosmart")
    simulator.move(message.id, "delivered")

    sensor = "sensor.smshosting_last_delivery_status"
    await until(lambda: state_of(hass, sensor) == "delivered")
    other = "sensor.inviosmart_last_delivery_status"
    assert state_of(hass, other) == STATE_UNKNOWN
    assert state_of(hass, "sensor.inviosmart_credit") == "112.18"


@pytest.mark.usefixtures("quick")
async def test_no_report_is_asked_for_when_they_are_off(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """The last word is then that the provider has it."""
    account = await accounts.set_up(
        "smshosting", options={CONF_DELIVERY_REPORTS: "off"}
    )
    await send(hass, account, ANNA)

    assert state_of(hass, "sensor.smshosting_last_delivery_status") == "queued"
    assert account.runtime_data.account.tracks_delivery is False
    assert "status" not in {request.operation for request in simulator.requests}


@pytest.mark.usefixtures("quick")
async def test_the_last_status_is_restored_after_a_restart(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    restart: Restart,
) -> None:
    """With its attributes; where there was none it stays unknown."""
    account = await accounts.set_up(
        "smsviainternet", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )
    await send(hass, account, "Anna")
    simulator.move(simulator.messages[0].id, "delivered")
    sensor = "sensor.anna_last_delivery_status"
    await until(lambda: state_of(hass, sensor) == "delivered")
    before = hass.states.get(sensor)

    await restart(account)

    after = hass.states.get(sensor)
    assert before is not None
    assert after is not None
    assert after.state == before.state
    assert after.attributes == before.attributes
    assert after.attributes["cost"] == 0.05
    assert state_of(hass, "sensor.bruno_last_delivery_status") == STATE_UNKNOWN


@pytest.mark.usefixtures("quick")
async def test_a_message_is_followed_over_a_reload(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """The status is shown again at once, and the report still comes."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await send(hass, account, "Anna")
    assert await hass.config_entries.async_unload(account.entry_id)
    sensor = "sensor.anna_last_delivery_status"
    assert state_of(hass, sensor) == STATE_UNAVAILABLE
    simulator.move(simulator.messages[0].id, "delivered")

    assert await hass.config_entries.async_setup(account.entry_id)

    assert state_of(hass, sensor) in {"queued", "delivered"}
    await until(lambda: state_of(hass, sensor) == "delivered")
