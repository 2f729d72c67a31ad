"""The conditions, through automations of a real Home Assistant."""

import json
from pathlib import Path

from homeassistant.components.automation import (
    DOMAIN as AUTOMATION_DOMAIN,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.condition import async_get_all_descriptions
from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.sms_italia import condition
from custom_components.sms_italia.const import CONF_LOW_CREDIT, DOMAIN
from simulator import Fault, Simulator

from .accounts import Accounts
from .automations import automate

FOLDER = Path(condition.__file__).parent
KEYS = {"credit_is_low", "escalation_is_running"}


async def run(hass: HomeAssistant) -> None:
    """Run the automation if its conditions hold."""
    await hass.services.async_call(
        AUTOMATION_DOMAIN,
        "trigger",
        {"entity_id": "automation.prova", "skip_condition": False},
        blocking=True,
    )
    await hass.async_block_till_done()


async def test_every_condition_is_listed_with_an_icon_and_texts_in_both_languages(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting")

    descriptions = await async_get_all_descriptions(hass)
    ours = {key for key in descriptions if key.startswith(f"{DOMAIN}.")}

    assert ours == {f"{DOMAIN}.{key}" for key in KEYS}
    assert all(descriptions[key] for key in ours)
    assert load_yaml_dict(str(FOLDER / "conditions.yaml")).keys() == KEYS
    for path in ("icons.json", "translations/en.json", "translations/it.json"):
        texts = json.loads((FOLDER / path).read_text("utf-8"))
        assert texts["conditions"].keys() == KEYS


@pytest.mark.parametrize(
    ("credit", "is_reachable", "times"),
    [("4.99", True, 1), ("5", True, 0), ("4.99", False, 0)],
)
async def test_credit_is_low_below_the_limit(  # noqa: PLR0913 - a table
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    credit: str,
    *,
    is_reachable: bool,
    times: int,
) -> None:
    """The device of the account is its target; what is not known is not low."""
    simulator.set_credit("smshosting", credit)
    entry = await accounts.set_up("smshosting", options={CONF_LOW_CREDIT: 5})
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert device is not None
    is_low = {
        "condition": f"{DOMAIN}.credit_is_low",
        "target": {"device_id": device.id},
    }
    event = {"entity_id": "event.smshosting_delivery"}
    runs = await automate(hass, "message_delivered", event, [is_low])
    if not is_reachable:
        simulator.inject("smshosting", Fault.HTML, times=9, operation="credit")
        await entry.runtime_data.coordinator.async_refresh()

    await run(hass)

    assert len(runs()) == times


async def test_a_binary_sensor_of_something_else_is_no_low_credit(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting", options={CONF_LOW_CREDIT: 5})
    hass.states.async_set("binary_sensor.door", "on")
    is_low = {
        "condition": f"{DOMAIN}.credit_is_low",
        "target": {"entity_id": "binary_sensor.door"},
    }
    event = {"entity_id": "event.smshosting_delivery"}
    runs = await automate(hass, "message_delivered", event, [is_low])

    await run(hass)

    assert runs() == []


@pytest.mark.parametrize(
    ("entity_id", "is_called", "times"),
    [
        ("sensor.notte_escalation", True, 1),
        ("sensor.notte_escalation", False, 0),
        ("sensor.smshosting_last_delivery_status", True, 0),
    ],
)
async def test_an_escalation_is_running_while_it_calls(
    hass: HomeAssistant,
    accounts: Accounts,
    entity_id: str,
    *,
    is_called: bool,
    times: int,
) -> None:
    await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={"Anna": ["+393331234567"]},
        escalations={"Notte": [("uno", "anna")]},
        plan={"wait": 60},
    )
    is_running = {
        "condition": f"{DOMAIN}.escalation_is_running",
        "target": {"entity_id": entity_id},
    }
    event = {"entity_id": "event.smshosting_delivery"}
    runs = await automate(hass, "message_delivered", event, [is_running])
    if is_called:
        await hass.services.async_call(
            "notify",
            "send_message",
            {"entity_id": "notify.notte", "message": "Allarme"},
            blocking=True,
        )
        await hass.async_block_till_done()

    await run(hass)

    assert len(runs()) == times
