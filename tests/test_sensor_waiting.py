"""The sensor of the messages that wait."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.sms_italia.providers import PROVIDERS
from simulator import Simulator

from .accounts import Accounts, until
from .states import attribute, call, send, state_of

ANNA = "+393331234567"


@pytest.mark.parametrize("key", PROVIDERS)
async def test_scheduled_messages_are_counted_with_the_time_of_the_next(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """Whether Home Assistant or the provider keeps them; not when cancelled."""
    await accounts.set_up(key, title="Sms")
    sensor = "sensor.sms_messages_waiting"
    assert state_of(hass, sensor) == "0"
    assert attribute(hass, sensor, "next_time") is None
    soon, later = (
        (dt_util.utcnow() + timedelta(hours=hours)).replace(microsecond=0)
        for hours in (1, 2)
    )
    sent = [
        await call(
            hass,
            "send_sms",
            message=f"Alle {moment}",
            numbers=[ANNA],
            send_at=moment.isoformat(),
        )
        for moment in (later, soon)
    ]
    await until(lambda: state_of(hass, sensor) == "2")
    assert attribute(hass, sensor, "next_time") == soon.isoformat()

    if key in {"smshosting", "transactionale"}:
        message = sent[1]["messages"][0]
        await call(hass, "cancel", message_id=message["id"])
        await until(lambda: state_of(hass, sensor) == "1")
        assert attribute(hass, sensor, "next_time") == later.isoformat()


async def test_what_is_tried_again_is_counted_until_it_is_sent(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting")
    sensor = "sensor.smshosting_messages_waiting"
    simulator.set_credit("smshosting", 0)
    await send(hass, account, ANNA)
    await until(lambda: state_of(hass, sensor) == "1")
    again = dt_util.parse_datetime(attribute(hass, sensor, "next_time"))
    assert again is not None
    assert again > dt_util.utcnow()

    simulator.set_credit("smshosting", 50)
    await account.runtime_data.changes.async_begin_anew()
    await until(lambda: state_of(hass, sensor) == "0")
    assert len(simulator.messages) == 1


async def test_one_that_a_provider_keeps_no_longer_waits_when_it_is_due(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Although nothing more may be known of it."""
    await accounts.set_up("smshosting")
    sensor = "sensor.smshosting_messages_waiting"
    moment = (dt_util.utcnow() + timedelta(seconds=4)).replace(microsecond=0)
    await call(
        hass,
        "send_sms",
        message="Ciao",
        numbers=[ANNA],
        send_at=moment.isoformat(),
    )
    await until(lambda: state_of(hass, sensor) == "1")
    await until(lambda: state_of(hass, sensor) == "0")
