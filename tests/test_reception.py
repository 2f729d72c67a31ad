"""SMS that come in, in a real Home Assistant: option, hit, event, trigger, answer."""

from functools import partial

from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components import sms_italia
from custom_components.sms_italia.const import CONF_DELIVERY_REPORTS, CONF_RECEIVE
from custom_components.sms_italia.messaging import Timing
from simulator import Simulator

from .accounts import Accounts, until
from .automations import automate
from .states import state_of

ANNA = "+393331234567"
EVENT = "event.smshosting_received"
HOME = "https://casa.example"
TEXT = "Sono a casa"


@pytest.fixture(autouse=True)
def quick_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search at once, and take what was accepted for read at once."""
    timing = partial(Timing, first_receive=0, hint=0, read=-1, first_poll=0.05)
    monkeypatch.setattr(sms_italia, "Timing", timing)


def searches(simulator: Simulator) -> int:
    """Return how many searches there were."""
    return sum("received/search" in one.path for one in simulator.requests)


async def set_up(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> MockConfigEntry:
    """Return an account that receives, after its first search."""
    await hass.config.async_update(external_url=HOME)
    assert await async_setup_component(hass, "webhook", {})
    entry = await accounts.set_up(
        "smshosting",
        entry_id="uno",
        options={CONF_RECEIVE: True, CONF_DELIVERY_REPORTS: "poll"},
        recipients={"Anna": [ANNA]},
        escalations={"Notte": [("uno", "anna")]},
    )
    await until(lambda: searches(simulator))
    await hass.async_block_till_done(wait_background_tasks=True)
    return entry


async def hit(
    entry: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator, **query: str
) -> None:
    """Call the webhook, as the provider does when an SMS comes in."""
    client = await hass_client_no_auth()
    path = f"/api/webhook/{entry.data[CONF_WEBHOOK_ID]}"
    response = await client.get(path, params=query)
    assert response.status == 200


async def test_a_hit_has_what_came_in_searched_and_shown_without_text(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    entry = await set_up(hass, accounts, simulator)
    runs = await automate(hass, "message_received", {"entity_id": "notify.anna"})
    webhook = entry.runtime_data.webhook
    assert webhook.receive_url == f"{HOME}/api/webhook/{entry.data[CONF_WEBHOOK_ID]}"
    assert webhook.callback_url("uno") is None, "delivery is polled"
    simulator.write("smshosting", ANNA, TEXT)

    await hit(entry, hass_client_no_auth, number=ANNA[1:], text=TEXT)
    await until(runs)

    state = hass.states.get(EVENT)
    assert state is not None
    shown = state.attributes
    assert shown["event_type"] == "received"
    assert (shown["number"], shown["recipient"]) == ("***567", "Anna")
    (run,) = runs()
    assert (run["number"], run["recipient"]) == ("***567", "Anna")
    assert TEXT not in str(dict(shown)) + str(run)
    assert ANNA[1:] not in str(dict(shown)) + str(run)
    assert entry.data[CONF_WEBHOOK_ID] not in str(dict(shown)) + str(run)


async def test_the_text_is_given_by_an_option_of_the_trigger(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    entry = await set_up(hass, accounts, simulator)
    runs = await automate(
        hass,
        "message_received",
        {"entity_id": EVENT},
        options={"include_text": True},
    )
    simulator.write("smshosting", ANNA, TEXT)
    await hit(entry, hass_client_no_auth, number="0")
    await until(runs)
    assert [run["text"] for run in runs()] == [TEXT]


async def test_an_answer_acknowledges_and_a_forged_hit_does_not(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    entry = await set_up(hass, accounts, simulator)
    await hass.services.async_call(
        "notify",
        "send_message",
        {"entity_id": "notify.notte", "message": "Allarme"},
        blocking=True,
    )
    await until(lambda: simulator.messages)
    before = searches(simulator)
    await hit(entry, hass_client_no_auth, number=ANNA[1:], text="ok")
    await until(lambda: searches(simulator) > before)
    await hass.async_block_till_done()
    assert state_of(hass, "sensor.notte_escalation") == "calling"

    simulator.write("smshosting", ANNA, "Ok!")
    await hit(entry, hass_client_no_auth, number=ANNA[1:], text="ok")
    await until(lambda: state_of(hass, "sensor.notte_escalation") == "acknowledged")
    state = hass.states.get("sensor.notte_escalation")
    assert state is not None
    assert state.attributes["acknowledged_by"] == "Anna"
    assert state.attributes["acknowledged_with"] == "answer"


async def test_the_entity_comes_with_the_option_and_is_unavailable_without(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    entry = await accounts.set_up("smshosting")
    assert hass.states.get(EVENT) is None
    hass.config_entries.async_update_entry(entry, options={CONF_RECEIVE: True})
    await until(lambda: hass.states.get(EVENT))
    assert state_of(hass, EVENT) == "unknown"
    hass.config_entries.async_update_entry(entry, options={CONF_RECEIVE: False})
    await until(lambda: state_of(hass, EVENT) == "unavailable")
    assert entry.runtime_data.webhook.receive_url is None
