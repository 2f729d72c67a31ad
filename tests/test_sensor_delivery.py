"""The sensors of the delivery status of the last text."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.sms_italia.const import (
    CONF_DELIVERY_REPORTS,
    CONF_FALLBACK,
    CONF_RETRY_FOR,
)
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, until
from .states import attribute, call, restart, send, state_of

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


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
    """At the timing that users get: after seconds."""
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
@pytest.mark.parametrize("wrong", ["Nessuno", "899 123456", "+41791234567"])
async def test_an_invalid_number_does_not_hide_the_status_of_the_others(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, wrong: str
) -> None:
    """The action's response shows it; a number that the provider refuses is shown."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    sensor = "sensor.smshosting_last_delivery_status"
    await send(hass, account, "Anna", wrong)
    assert state_of(hass, sensor) == "queued"

    simulator.move(simulator.messages[0].id, "delivered")
    await until(lambda: state_of(hass, sensor) == "delivered")
    assert attribute(hass, sensor, "number") == "***567"

    simulator.account("smshosting").blocked.add(CARLA)
    await send(hass, account, "Anna", CARLA)
    assert state_of(hass, sensor) == "failed"
    assert attribute(hass, sensor, "error") == "recipient"


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


async def test_a_message_that_waits_is_shown_with_the_reason(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """And the number masked but for its last digits."""
    account = await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")

    await send(hass, account, ANNA)

    sensor = "sensor.smshosting_last_delivery_status"
    assert state_of(hass, sensor) == "queued"
    assert attribute(hass, sensor, "error") == "throttled"
    assert attribute(hass, sensor, "number") == "***567"
    assert attribute(hass, sensor, "cost") is None


@pytest.mark.parametrize(
    ("fault", "state"),
    [(Fault.THROTTLED, "failed"), (Fault.CUT_AFTER_ACCEPT, "uncertain")],
)
async def test_a_message_that_failed_or_may_have_is_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    fault: Fault,
    state: str,
) -> None:
    """The action failed as well; a doubt has no reason."""
    account = await accounts.set_up("smshosting", options={CONF_RETRY_FOR: 0})
    simulator.inject("smshosting", fault, operation="send")

    with pytest.raises(HomeAssistantError):
        await send(hass, account, ANNA)

    sensor = "sensor.smshosting_last_delivery_status"
    assert state_of(hass, sensor) == state
    reason = "throttled" if state == "failed" else None
    assert attribute(hass, sensor, "error") == reason
    assert attribute(hass, sensor, "number") == "***567"


@pytest.mark.usefixtures("quick")
async def test_parts_and_cost_are_those_that_the_provider_reports(
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
    """The account that was asked to send shows the status, and reports reach it."""
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


@pytest.mark.usefixtures("quick", "hass_storage")
async def test_the_last_status_is_restored_after_a_restart(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
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

    await restart(hass, account)

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


@pytest.mark.usefixtures("quick")
async def test_what_happened_while_an_account_was_unloaded_is_shown(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The other account that took the message followed it; the ledger knows."""
    other = await accounts.set_up("inviosmart")
    account = await accounts.set_up(
        "smshosting",
        recipients={"Anna": [ANNA]},
        options={CONF_FALLBACK: [other.entry_id]},
    )
    simulator.inject("smshosting", Fault.THROTTLED)
    await send(hass, account, "Anna")
    assert await hass.config_entries.async_unload(account.entry_id)
    simulator.move(simulator.messages[0].id, "delivered")
    messenger = other.runtime_data.messenger
    await until(lambda: not messenger.open_messages(account.entry_id))

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert state_of(hass, "sensor.anna_last_delivery_status") == "delivered"
    assert state_of(hass, "sensor.smshosting_last_delivery_status") == "delivered"


# Messages for later


def in_an_hour() -> str:
    """Return a moment as an automation writes it, in local time."""
    return (dt_util.now() + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")


async def send_later(hass: HomeAssistant, message: str) -> str:
    """Send to Anna in an hour; return the id of the message."""
    answer = await call(
        hass, "send_sms", numbers=[ANNA], message=message, send_at=in_an_hour()
    )
    (sent,) = answer["messages"]
    return str(sent["id"])


async def cancel(hass: HomeAssistant, message_id: str) -> None:
    """Cancel a message, and wait for what follows at once."""
    await call(hass, "cancel", message_id=message_id)
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("key", ["smshosting", "inviosmart"])
async def test_a_message_for_later_counts_from_its_moment_on(
    hass: HomeAssistant, accounts: Accounts, freezer: FrozenDateTimeFactory, key: str
) -> None:
    """Whether the provider holds it or we do; until then the one before it does."""
    account = await accounts.set_up(key, title="Sms")
    sensor = "sensor.sms_last_delivery_status"

    await send_later(hass, "Domani")
    assert state_of(hass, sensor) == STATE_UNKNOWN
    await send(hass, account, BRUNO)
    assert attribute(hass, sensor, "number") == "***543"
    assert attribute(hass, sensor, "send_at") is None

    freezer.tick(timedelta(hours=1, seconds=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done(wait_background_tasks=True)

    assert attribute(hass, sensor, "number") == "***567"
    send_at = dt_util.parse_datetime(attribute(hass, sensor, "send_at"))
    assert send_at is not None
    assert timedelta() <= dt_util.utcnow() - send_at < timedelta(minutes=1)


@pytest.mark.usefixtures("hass_storage")
async def test_a_message_whose_moment_comes_after_a_restart_counts_from_it_on(
    hass: HomeAssistant, accounts: Accounts, freezer: FrozenDateTimeFactory
) -> None:
    account = await accounts.set_up("smshosting")
    sensor = "sensor.smshosting_last_delivery_status"
    await send_later(hass, "Domani")
    await send(hass, account, BRUNO)
    await restart(hass, account)
    assert attribute(hass, sensor, "number") == "***543"

    freezer.tick(timedelta(hours=1, seconds=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done(wait_background_tasks=True)

    assert attribute(hass, sensor, "number") == "***567"


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.usefixtures("quick", "hass_storage")
async def test_a_cancelled_message_leaves_the_status_of_the_one_before(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    *,
    is_restarted: bool,
) -> None:
    """Although it had counted already, since it could not be sent."""
    account = await accounts.set_up("inviosmart", recipients={"Anna": [ANNA]})
    sensors = (
        "sensor.inviosmart_last_delivery_status",
        "sensor.anna_last_delivery_status",
    )
    await send(hass, account, "Anna")
    simulator.move(simulator.messages[0].id, "delivered")
    await until(lambda: state_of(hass, sensors[1]) == "delivered")
    simulator.set_credit("inviosmart", 0)
    answer = await call(hass, "send_sms", numbers=[ANNA], message="Un altro")
    assert {attribute(hass, sensor, "error") for sensor in sensors} == {"credit"}

    await cancel(hass, answer["messages"][0]["id"])
    if is_restarted:
        await restart(hass, account)

    assert {state_of(hass, sensor) for sensor in sensors} == {"delivered"}
    assert {attribute(hass, sensor, "error") for sensor in sensors} == {None}


async def test_without_another_message_a_cancelled_one_leaves_the_status_unknown(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("inviosmart")
    sensor = "sensor.inviosmart_last_delivery_status"
    simulator.set_credit("inviosmart", 0)
    answer = await call(hass, "send_sms", numbers=[ANNA], message="Ciao")
    assert state_of(hass, sensor) == "queued"

    await cancel(hass, answer["messages"][0]["id"])

    state = hass.states.get(sensor)
    assert state is not None
    assert state.state == STATE_UNKNOWN
    assert "number" not in state.attributes


async def test_of_many_messages_a_cancelled_one_does_not_count(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("inviosmart")
    sensor = "sensor.inviosmart_last_delivery_status"
    simulator.set_credit("inviosmart", 0)
    answer = await call(hass, "send_sms", numbers=[ANNA, BRUNO], message="Ciao")
    first, second = (message["id"] for message in answer["messages"])

    await cancel(hass, first)

    assert attribute(hass, sensor, "number") == "***543"
    await cancel(hass, second)
    assert state_of(hass, sensor) == STATE_UNKNOWN


async def test_a_message_for_later_that_is_cancelled_never_counts(
    hass: HomeAssistant, accounts: Accounts, freezer: FrozenDateTimeFactory
) -> None:
    account = await accounts.set_up("smshosting")
    sensor = "sensor.smshosting_last_delivery_status"
    await send(hass, account, BRUNO)
    await cancel(hass, await send_later(hass, "Domani"))
    assert attribute(hass, sensor, "number") == "***543"

    freezer.tick(timedelta(hours=1, seconds=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done(wait_background_tasks=True)

    assert attribute(hass, sensor, "number") == "***543"
