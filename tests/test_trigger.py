"""The triggers, through automations of a real Home Assistant."""

from functools import partial
import json
from pathlib import Path
from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION_DOMAIN
from homeassistant.components.websocket_api.automation import (
    async_get_triggers_for_target,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.helpers.trigger import (
    async_get_all_descriptions,
    async_validate_trigger_config,
)
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import sms_italia
from custom_components.sms_italia import trigger
from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_LOW_CREDIT,
    CONF_RETRY_FOR,
    DOMAIN,
)
from custom_components.sms_italia.messaging import Timing
from simulator import Fault, Simulator

from .accounts import Accounts, until
from .automations import automate
from .days import Midnight
from .states import call, restart, state_of

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

FOLDER = Path(trigger.__file__).parent
KEYS = {
    "message_delivered",
    "message_not_delivered",
    "message_received",
    "credit_became_low",
    "daily_limit_reached",
    "escalation_exhausted",
}

EVENT = "event.smshosting_delivery"
CREDIT_LOW = "binary_sensor.smshosting_credit_low"

pytestmark = pytest.mark.usefixtures("quick")


async def send(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    *numbers: str,
    **fields: Any,  # noqa: ANN401 - as an automation writes them
) -> list[str]:
    """Send to numbers through an account; return the messages' IDs."""
    answer = await call(
        hass,
        "send_sms",
        config_entry_id=entry.entry_id,
        numbers=list(numbers),
        message="Allarme",
        **fields,
    )
    return [message["id"] for message in answer["messages"]]


def device_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the ID of an entity's device."""
    entity = er.async_get(hass).async_get(entity_id)
    assert entity is not None
    assert entity.device_id is not None
    return entity.device_id


async def test_every_trigger_is_listed_with_an_icon_and_texts_in_both_languages(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting")

    descriptions = await async_get_all_descriptions(hass)
    ours = {key for key in descriptions if key.startswith(f"{DOMAIN}.")}

    assert ours == {f"{DOMAIN}.{key}" for key in KEYS}
    assert all(descriptions[key] for key in ours)
    assert load_yaml_dict(str(FOLDER / "triggers.yaml")).keys() == KEYS
    for path in ("icons.json", "translations/en.json", "translations/it.json"):
        assert json.loads((FOLDER / path).read_text("utf-8"))["triggers"].keys() == KEYS


@pytest.mark.parametrize(
    ("entity_id", "offered"),
    [
        (
            "notify.anna",
            KEYS - {"credit_became_low", "daily_limit_reached", "escalation_exhausted"},
        ),
        (EVENT, KEYS),
    ],
)
async def test_the_editor_offers_the_triggers_of_a_device_by_their_italian_names(
    hass: HomeAssistant, accounts: Accounts, entity_id: str, offered: set[str]
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    found = await async_get_triggers_for_target(
        hass, {"device_id": [device_of(hass, entity_id)]}, expand_group=False
    )
    texts = await async_get_translations(hass, "it", "triggers", {DOMAIN})

    assert {key for key in found if key.startswith(f"{DOMAIN}.")} == {
        f"{DOMAIN}.{key}" for key in offered
    }
    name = texts[f"component.{DOMAIN}.triggers.message_delivered.name"]
    assert name == "SMS consegnato"


@pytest.mark.parametrize(
    ("key", "fate"),
    [("message_delivered", "delivered"), ("message_not_delivered", "failed")],
)
async def test_the_end_of_a_message_triggers_with_all_that_is_known_of_it(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str, fate: str
) -> None:
    """With its ID, the recipient and a masked number, and without the text."""
    entry = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    runs = await automate(hass, key, {"entity_id": "notify.anna"})
    (message_id,) = await send(hass, entry, ANNA)
    assert runs() == []

    simulator.move(simulator.messages[0].id, fate)
    await until(runs)

    (run,) = runs()
    assert {name: run[name] for name in run if name not in {"id", "idx", "alias"}} == {
        "platform": f"{DOMAIN}.{key}",
        "description": "SMS delivered" if fate == "delivered" else "SMS not delivered",
        "status": fate,
        "message_id": message_id,
        "recipient": "Anna",
        "number": "***567",
        "account": "Smshosting",
        "parts": 1,
        "cost": 0.062,
        "error": None if fate == "delivered" else run["error"],
    }
    assert "Allarme" not in str(run)


async def test_an_automation_that_a_message_triggers_reads_its_event(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    entry = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    is_new = f"{{{{ state_attr('{EVENT}', 'message_id') == trigger.message_id }}}}"
    condition = {"condition": "template", "value_template": is_new}
    target = {"entity_id": "notify.anna"}
    runs = await automate(hass, "message_delivered", target, [condition])

    await send(hass, entry, ANNA)
    simulator.move(simulator.messages[0].id, "delivered")
    messenger = entry.runtime_data.messenger
    await until(lambda: not messenger.open_messages(entry.entry_id))
    messenger.events.flush()
    await hass.async_block_till_done()

    assert len(runs()) == 1


async def test_a_refused_and_an_uncertain_message_are_not_delivered(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those that a person was refused: the automation does not know."""
    monkeypatch.setattr(sms_italia, "Timing", partial(Timing, report_doubt=0.05))
    entry = await accounts.set_up("inviosmart", options={CONF_RETRY_FOR: 0})
    runs = await automate(
        hass, "message_not_delivered", {"entity_id": "event.inviosmart_delivery"}
    )

    simulator.set_credit("inviosmart", 0)
    with pytest.raises(HomeAssistantError):
        await send(hass, entry, ANNA)
    await until(runs)
    simulator.set_credit("inviosmart", 50)
    simulator.inject("inviosmart", Fault.CUT_AFTER_ACCEPT, operation="send")
    with pytest.raises(HomeAssistantError):
        await send(hass, entry, ANNA)
    await until(lambda: len(runs()) > 1)

    assert [(run["status"], run["error"]) for run in runs()] == [
        ("failed", "credit"),
        ("uncertain", None),
    ]


async def test_a_doubt_triggers_only_after_it_has_lasted(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """As it is reported elsewhere: most doubts end within a minute."""
    entry = await accounts.set_up("inviosmart", options={CONF_RETRY_FOR: 0})
    event = "event.inviosmart_delivery"
    runs = await automate(hass, "message_not_delivered", {"entity_id": event})

    simulator.inject("inviosmart", Fault.CUT_AFTER_ACCEPT, operation="send")
    with pytest.raises(HomeAssistantError):
        await send(hass, entry, ANNA)
    await until(lambda: hass.states.get(event).attributes["event_type"] == "uncertain")  # type: ignore[union-attr]
    simulator.set_credit("inviosmart", 0)
    with pytest.raises(HomeAssistantError):
        await send(hass, entry, BRUNO)
    await until(runs)

    assert [run["status"] for run in runs()] == ["failed"]


async def test_a_cancelled_message_is_not_one_that_was_not_delivered(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    entry = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    runs = await automate(hass, "message_not_delivered", {"entity_id": EVENT})

    (message_id,) = await send(hass, entry, ANNA, send_at="2100-01-01 00:00:00")
    await call(hass, "cancel", message_id=message_id)
    await until(lambda: hass.states.get(EVENT).attributes["event_type"] == "cancelled")  # type: ignore[union-attr]
    await send(hass, entry, BRUNO)
    simulator.move(simulator.messages[-1].id, "failed")
    await until(runs)

    assert [run["number"] for run in runs()] == ["***543"]


@pytest.mark.parametrize(
    ("target", "triggering"),
    [
        ("recipient", ["Anna"]),
        ("device of the recipient", ["Anna"]),
        ("area of the recipient", ["Anna"]),
        ("account", ["", "Anna", "Bruno"]),
        ("device of the account", ["", "Anna", "Bruno"]),
        ("another account", []),
        ("an entity of something else", []),
    ],
)
async def test_messages_of_the_target_trigger_alone(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    target: str,
    triggering: list[str],
) -> None:
    """An account stands for all its messages, a recipient for those to itself."""
    await accounts.set_up("inviosmart")
    entry = await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )
    anna, account = device_of(hass, "notify.anna"), device_of(hass, EVENT)
    area = ar.async_get(hass).async_create("Cucina")
    dr.async_get(hass).async_update_device(anna, area_id=area.id)
    targets = {
        "recipient": {"entity_id": "notify.anna"},
        "device of the recipient": {"device_id": anna},
        "area of the recipient": {"area_id": area.id},
        "account": {"entity_id": EVENT},
        "device of the account": {"device_id": account},
        "another account": {"entity_id": "event.inviosmart_delivery"},
        "an entity of something else": {"entity_id": "light.kitchen"},
    }
    runs = await automate(hass, "message_delivered", targets[target])

    await send(hass, entry, ANNA, BRUNO, CARLA)
    for message in simulator.messages:
        simulator.move(message.id, "delivered")
    messenger = entry.runtime_data.messenger
    await until(lambda: not messenger.open_messages(entry.entry_id))
    # The news is a moment behind the message.
    messenger.events.flush()
    await hass.async_block_till_done()

    assert sorted(run["recipient"] or "" for run in runs()) == triggering


async def test_an_automation_stays_while_the_account_is_reloaded(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    entry = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    runs = await automate(hass, "message_delivered", {"entity_id": "notify.anna"})

    assert await hass.config_entries.async_reload(entry.entry_id)
    await send(hass, entry, ANNA)
    simulator.move(simulator.messages[0].id, "delivered")
    await until(runs)

    assert [run["recipient"] for run in runs()] == ["Anna"]


async def test_an_automation_that_is_turned_off_is_not_triggered(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    entry = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    runs = await automate(hass, "message_delivered", {"entity_id": "notify.anna"})
    await hass.services.async_call(
        AUTOMATION_DOMAIN, "turn_off", {"entity_id": "automation.prova"}, blocking=True
    )

    await send(hass, entry, ANNA)
    simulator.move(simulator.messages[0].id, "delivered")
    await until(lambda: state_of(hass, EVENT) != "unknown")
    await hass.async_block_till_done()

    assert runs() == []


async def test_a_trigger_needs_a_target_and_has_no_options(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting")
    for config in ({}, {"target": {"entity_id": EVENT}, "options": {"text": True}}):
        with pytest.raises(Exception, match=r"target|text"):
            await trigger.MessageDelivered.async_validate_config(hass, config)


async def test_credit_triggers_when_it_becomes_low_but_not_while_it_is(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Nor when the provider could not be asked meanwhile."""
    simulator.set_credit("smshosting", 50)
    entry = await accounts.set_up("smshosting", options={CONF_LOW_CREDIT: 5})
    runs = await automate(hass, "credit_became_low", {"entity_id": CREDIT_LOW})
    refresh = entry.runtime_data.coordinator.async_refresh

    simulator.set_credit("smshosting", "4.90")
    await refresh()
    simulator.inject("smshosting", Fault.HTML, operation="credit")
    await refresh()
    assert state_of(hass, CREDIT_LOW) == "unavailable"
    simulator.set_credit("smshosting", "4.80")
    await refresh()
    await hass.async_block_till_done()
    assert state_of(hass, CREDIT_LOW) == "on"

    assert [run["account"] for run in runs()] == ["Smshosting"]


async def test_an_automation_that_credit_triggers_reads_the_new_states(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It need not wait for the sensors."""
    simulator.set_credit("smshosting", 50)
    entry = await accounts.set_up("smshosting", options={CONF_LOW_CREDIT: 5})
    new = "{{ states('sensor.smshosting_credit') | float == 4.9 }}"
    runs = await automate(
        hass,
        "credit_became_low",
        {"entity_id": CREDIT_LOW},
        [
            {
                "condition": "sms_italia.credit_is_low",
                "target": {"entity_id": CREDIT_LOW},
            },
            {"condition": "template", "value_template": new},
        ],
    )

    simulator.set_credit("smshosting", "4.90")
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()

    assert len(runs()) == 1


async def test_credit_that_became_low_while_it_was_unknown_triggers(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    simulator.set_credit("smshosting", 50)
    entry = await accounts.set_up("smshosting", options={CONF_LOW_CREDIT: 5})
    device = device_of(hass, CREDIT_LOW)
    runs = await automate(hass, "credit_became_low", {"device_id": device})
    refresh = entry.runtime_data.coordinator.async_refresh

    simulator.inject("smshosting", Fault.HTML, operation="credit")
    await refresh()
    simulator.set_credit("smshosting", 1)
    await refresh()
    await hass.async_block_till_done()

    assert len(runs()) == 1


@pytest.mark.parametrize(("before", "times"), [(50, 1), (4, 0)])
@pytest.mark.usefixtures("hass_storage")
async def test_credit_that_is_low_after_a_restart_triggers_if_it_was_not_before(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    before: int,
    times: int,
) -> None:
    simulator.set_credit("smshosting", before)
    entry = await accounts.set_up("smshosting", options={CONF_LOW_CREDIT: 5})
    runs = await automate(hass, "credit_became_low", {"entity_id": CREDIT_LOW})

    simulator.set_credit("smshosting", 3)
    await restart(hass, entry)

    assert len(runs()) == times


async def test_the_daily_limit_triggers_once_a_day_and_once_for_each_limit(
    hass: HomeAssistant, accounts: Accounts, midnight: Midnight
) -> None:
    entry = await accounts.set_up("smshosting", options={CONF_DAILY_LIMIT: 1})
    runs = await automate(hass, "daily_limit_reached", {"entity_id": EVENT})

    async def refuse() -> None:
        with pytest.raises(HomeAssistantError):
            await send(hass, entry, ANNA, BRUNO, CARLA)
        await hass.async_block_till_done()

    await refuse()
    await until(runs)
    await refuse()
    assert [(run["account"], run["limit"]) for run in runs()] == [("Smshosting", 1)]

    hass.config_entries.async_update_entry(entry, options={CONF_DAILY_LIMIT: 2})
    await hass.async_block_till_done(wait_background_tasks=True)
    await refuse()
    await until(lambda: [run["limit"] for run in runs()] == [1, 2])

    await midnight()
    await refuse()
    await until(lambda: [run["limit"] for run in runs()] == [1, 2, 2])


@pytest.mark.parametrize("target", ["entity", "device"])
async def test_calls_of_an_escalation_are_messages_of_it_too(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, target: str
) -> None:
    """Through whichever account, also when a new run has begun; no other messages."""
    other = await accounts.set_up(
        "inviosmart", entry_id="due", recipients={"Bruno": [BRUNO]}
    )
    entry = await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={"Anna": [ANNA]},
        escalations={"Notte": [("due", "bruno")], "Giorno": [("uno", "anna")]},
        plan={"wait": 10},
    )
    notte = {
        "entity": {"entity_id": "notify.notte"},
        "device": {"device_id": device_of(hass, "notify.notte")},
    }
    runs = await automate(hass, "message_delivered", notte[target])

    for count, name in enumerate(("notte", "notte", "giorno"), start=1):
        await hass.services.async_call(
            "notify",
            "send_message",
            {"entity_id": f"notify.{name}", "message": "Allarme"},
            blocking=True,
        )
        await until(lambda count=count: len(simulator.messages) == count)  # type: ignore[misc]
        await hass.services.async_call(
            "button",
            "press",
            {"entity_id": f"button.{name}_acknowledge"},
            blocking=True,
        )
    await send(hass, other, BRUNO)
    for message in simulator.messages:
        simulator.move(message.id, "delivered")
    messenger = entry.runtime_data.messenger
    await until(lambda: not messenger.open_messages(other.entry_id))
    await until(lambda: not messenger.open_messages(entry.entry_id))
    messenger.events.flush()
    await hass.async_block_till_done()

    assert [run["recipient"] for run in runs()] == ["Bruno", "Bruno"]


_ALLOWED = {
    "message_delivered": {"account", "recipient", "escalation"},
    "message_not_delivered": {"account", "recipient", "escalation"},
    "message_received": {"account", "recipient"},
    "credit_became_low": {"account"},
    "daily_limit_reached": {"account"},
    "escalation_exhausted": {"account", "escalation"},
}


@pytest.mark.parametrize("key", sorted(KEYS))
async def test_a_target_that_would_never_trigger_is_refused_with_a_sentence(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """By its entity and by its device."""
    await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={"Anna": [ANNA]},
        escalations={"Notte": [("uno", "anna")]},
    )
    entities = {
        ("account", "Smshosting"): EVENT,
        ("recipient", "Anna"): "notify.anna",
        ("escalation", "Notte"): "event.notte_calls",
    }
    for (kind, device), entity_id in entities.items():
        for name, target in (
            (entity_id, {"entity_id": entity_id}),
            (device, {"device_id": device_of(hass, entity_id)}),
        ):
            config = {"platform": f"{DOMAIN}.{key}", "target": target}
            error = None
            try:
                await async_validate_trigger_config(hass, [config])
            except ServiceValidationError as err:
                error = str(err)
            if kind in _ALLOWED[key]:
                assert error is None
            else:
                assert error is not None
                assert error.startswith(f"“{name}” is a")
                assert f"never triggers for a{'n' * (kind == 'escalation')}" in error


@pytest.mark.parametrize(
    ("entity_id", "times"),
    [
        ("event.notte_calls", 1),
        (EVENT, 1),
        ("event.casa_delivery", 0),
        ("event.giorno_calls", 0),
    ],
    ids=["escalation", "account", "another_account", "another_escalation"],
)
async def test_an_escalation_with_nobody_left_triggers_for_itself_and_its_account(
    hass: HomeAssistant, accounts: Accounts, entity_id: str, times: int
) -> None:
    await accounts.set_up("inviosmart", title="Casa")
    member = ("uno", "anna")
    entry = await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={"Anna": [ANNA]},
        escalations={"Notte": [member], "Giorno": [member]},
        plan={"wait": 0.001},
    )
    assert hass.states.get(entity_id) is not None
    runs = await automate(hass, "escalation_exhausted", {"entity_id": entity_id})

    await hass.services.async_call(
        "notify",
        "send_message",
        {"entity_id": "notify.notte", "message": "Allarme"},
        blocking=True,
    )
    await until(lambda: state_of(hass, "sensor.notte_escalation") == "exhausted")
    await hass.async_block_till_done()

    data = {"account": entry.title, "escalation": "Notte"}
    assert [data.items() <= run.items() for run in runs()] == [True] * times
