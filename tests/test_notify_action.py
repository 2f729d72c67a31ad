"""The action `notify.<account>`."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant import loader
from homeassistant.components.alert import DOMAIN as ALERT_DOMAIN
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.repairs import DOMAIN as REPAIRS_DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import CoreState, HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.selector import selector
from homeassistant.helpers.service import async_get_cached_service_description
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_test_home_assistant,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.sms_italia.const import CONF_NOTIFY_ACTION, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, arrived
from .states import notify

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"
RECIPIENTS = {"Anna": [ANNA], "Bruno Bianchi": [BRUNO, CARLA]}

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


class Stranger:
    """Another integration's notify action under a name that an account would have."""

    def __init__(self, hass: HomeAssistant, name: str = "smshosting") -> None:
        """Register it, over whatever has the name."""
        self.calls: list[Mapping[str, Any]] = []
        hass.services.async_register(NOTIFY_DOMAIN, name, self._take)

    async def _take(self, call: ServiceCall) -> None:
        self.calls.append(call.data)


def has_action(hass: HomeAssistant, name: str) -> bool:
    """Return whether there is a notify action."""
    return hass.services.has_service(NOTIFY_DOMAIN, name)


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        ("333 123 4567", [ANNA]),
        ([ANNA, "0039 340 9876543"], [ANNA, BRUNO]),
        ("Anna", [ANNA]),
        ([" anna ", "BRUNO BIANCHI"], [ANNA, BRUNO, CARLA]),
        (["Anna", ANNA, "3331234567"], [ANNA]),
        (["+39 366 7654321", "Anna"], ["+393667654321", ANNA]),
        (None, [ANNA, BRUNO, CARLA]),
    ],
)
async def test_targets_are_numbers_or_names_of_recipients(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    target: object,
    reached: list[str],
) -> None:
    """Each number gets the text once; without a target all recipients do."""
    await accounts.set_up("smsviainternet", recipients=RECIPIENTS)
    data = {} if target is None else {"target": target}

    await notify(hass, "smsviainternet", message="Prova", **data)

    assert sorted(arrived(simulator)) == sorted((to, "Prova") for to in reached)


@EACH_PROVIDER
async def test_a_bad_target_does_not_stop_the_others(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Whether we see that it is bad or the provider does."""
    account = await accounts.set_up(key, title="SMS", recipients=RECIPIENTS)
    blocked = "+393667654321"
    simulator.account(key).blocked.add(blocked)

    await notify(
        hass,
        "sms",
        message="Prova",
        target=["Nessuno", blocked, "Anna", "899 123456", "+1 202 555 0123", BRUNO],
    )

    assert sorted(arrived(simulator)) == [(ANNA, "Prova"), (BRUNO, "Prova")]
    unique_id = f"{account.entry_id}_last_delivery_status"
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, unique_id)
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == "failed"
    assert state.attributes["error"] == "recipient"


@pytest.mark.parametrize(
    ("target", "placeholders"),
    [
        (["Nessuno"], {"number": "Nessuno"}),
        (["899 123456", "Nessuno"], {"number": "1. ***456"}),
        (["+1 202 555 0123"], {"number": "***123", "country": "US"}),
        ([], {}),
    ],
    ids=["invalid_number", "premium_number", "country_not_allowed", "no_targets"],
)
async def test_targets_that_are_all_bad_are_named(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    accounts: Accounts,
    target: list[str],
    placeholders: Mapping[str, str],
) -> None:
    """The error says which and why; it is that of the case's name."""
    await accounts.set_up("smshosting", recipients=RECIPIENTS)

    with pytest.raises(ServiceValidationError) as caught:
        await notify(hass, "smshosting", message="Prova", target=target)

    assert caught.value.translation_key == request.node.callspec.id
    assert caught.value.translation_placeholders == placeholders


async def test_an_account_without_recipients_needs_a_target(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """It says what to do."""
    await accounts.set_up("smshosting")

    with pytest.raises(ServiceValidationError) as caught:
        await notify(hass, "smshosting", message="Prova")

    assert caught.value.translation_key == "no_targets"


async def test_data_chooses_sender_and_encoding(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """For this one message."""
    await accounts.set_up("smshosting", recipients=RECIPIENTS)

    await notify(
        hass,
        "smshosting",
        target="Anna",
        message="Città: 5 €",
        title="Casa",
        data={"sender": "Allarme", "encoding": "unicode"},
    )
    await notify(
        hass,
        "smshosting",
        target="Anna",
        message="Ciao 👋",
        data={"encoding": "gsm7"},
    )

    first, second = simulator.messages
    assert (first.sender, first.text) == ("Allarme", "Casa\nCittà: 5 €")
    assert (second.sender, second.text) == ("Casa", "Ciao ?")


async def test_a_message_in_doubt_says_so(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It may have left: the error does not call it failed, and it is not repeated."""
    await accounts.set_up("transactionale", recipients=RECIPIENTS)
    simulator.inject("transactionale", Fault.CUT_AFTER_ACCEPT, operation="send")

    with pytest.raises(HomeAssistantError) as caught:
        await notify(hass, "transactionale", message="Prova", target="Anna")

    assert caught.value.translation_key == "outcome_uncertain"
    assert arrived(simulator) == [(ANNA, "Prova")]
    state = hass.states.get("sensor.anna_last_delivery_status")
    assert state is not None
    assert state.state == "uncertain"


# Its name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Casa mia", "casa_mia"),
        ("Perché no?", "perche_no"),
        ("🚨🔥", "smshosting"),
        ("---", "smshosting"),
        ("Notify", "notify_2"),
        ("Send message", "send_message_2"),
    ],
)
async def test_the_name_comes_from_the_title(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, title: str, name: str
) -> None:
    """From the provider's where the title has no letter; never one of the component."""
    await accounts.set_up("smshosting", title=title)

    await notify(hass, name, message="Prova", target=ANNA)

    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_the_name_stays_whatever_the_title_becomes(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting", title="Casa")
    hass.config_entries.async_update_entry(account, title="Mare")
    await hass.async_block_till_done()
    assert await hass.config_entries.async_reload(account.entry_id)

    await notify(hass, "casa", message="Prova", target=ANNA)

    assert not has_action(hass, "mare")
    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_accounts_that_get_one_title_keep_their_actions(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    first = await accounts.set_up("smshosting", title="Casa")
    second = await accounts.set_up("transactionale", title="Mare")
    for account in (second, first):
        hass.config_entries.async_update_entry(account, title="SMS")
        await hass.async_block_till_done()
        assert await hass.config_entries.async_reload(account.entry_id)

    await notify(hass, "casa", message="Uno", target=ANNA)
    await notify(hass, "mare", message="Due", target=ANNA)

    providers = [message.provider for message in simulator.messages]
    assert providers == ["smshosting", "transactionale"]


async def test_accounts_of_one_title_keep_their_actions_when_home_assistant_starts(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Whichever of them comes first."""
    for key, name in (("transactionale", "mare"), ("smshosting", "casa")):
        account = accounts.add(key, title="SMS")
        data = {**account.data, CONF_NOTIFY_ACTION: name}
        hass.config_entries.async_update_entry(account, data=data)
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done(wait_background_tasks=True)

    await notify(hass, "casa", message="Uno", target=ANNA)
    await notify(hass, "mare", message="Due", target=ANNA)

    providers = [message.provider for message in simulator.messages]
    assert providers == ["smshosting", "transactionale"]
    assert not has_action(hass, "sms")


async def test_a_name_is_never_that_of_another_account(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
) -> None:
    """The second one that wants it gets a number, and an issue says so."""
    first = await accounts.set_up("smshosting", title="Casa")
    second = await accounts.set_up("transactionale", title="Casa")
    issue_id = f"action_name_{second.entry_id}"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.is_persistent
    assert issue.translation_placeholders == {
        "account": "Casa",
        "wish": "notify.casa",
        "action": "notify.casa_2",
    }

    await notify(hass, "casa", message="Uno", target=ANNA)
    await hass.config_entries.async_remove(first.entry_id)
    await notify(hass, "casa_2", message="Due", target=ANNA)
    assert await hass.config_entries.async_reload(second.entry_id)
    await notify(hass, "casa_2", message="Tre", target=ANNA)

    assert not has_action(hass, "casa")
    providers = [message.provider for message in simulator.messages]
    assert providers == ["smshosting", "transactionale", "transactionale"]
    # The issue is closed by hand.
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    client = await hass_client()
    url = "/api/repairs/issues/fix"
    response = await client.post(url, json={"handler": DOMAIN, "issue_id": issue_id})
    flow = (await response.json())["flow_id"]
    await client.post(f"{url}/{flow}", json={})
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_the_name_of_an_account_that_is_not_loaded_is_kept_for_it(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    first = await accounts.set_up("smshosting", title="Casa")
    assert await hass.config_entries.async_set_disabled_by(
        first.entry_id, ConfigEntryDisabler.USER
    )
    hass.services.async_remove(NOTIFY_DOMAIN, "casa")

    second = await accounts.set_up("transactionale", title="Casa")

    assert second.data[CONF_NOTIFY_ACTION] == "casa_2"


async def test_an_action_that_was_there_before_stays_what_it_was(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is neither taken over nor removed; an issue says what ours is called."""
    stranger = Stranger(hass)
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)

    await notify(hass, "smshosting", message="1")
    assert await hass.config_entries.async_reload(account.entry_id)
    await notify(hass, "smshosting_2", message="2", target="Anna")
    issue = ir.async_get(hass).async_get_issue(
        DOMAIN, f"action_name_{account.entry_id}"
    )
    assert issue is not None
    assert (issue.translation_placeholders or {})["action"] == "notify.smshosting_2"
    await hass.config_entries.async_remove(account.entry_id)
    await notify(hass, "smshosting", message="3")

    assert [call["message"] for call in stranger.calls] == ["1", "3"]
    assert arrived(simulator) == [(ANNA, "2")]


async def test_a_name_with_a_number_stays_when_the_wished_one_is_free(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """After a restart in which the other integration comes later, or never again."""
    Stranger(hass)
    account = await accounts.set_up("smshosting")
    hass.services.async_remove(NOTIFY_DOMAIN, "smshosting")
    hass.services.async_remove(NOTIFY_DOMAIN, "smshosting_2")

    assert await hass.config_entries.async_reload(account.entry_id)

    assert account.data[CONF_NOTIFY_ACTION] == "smshosting_2"
    assert has_action(hass, "smshosting_2")
    assert not has_action(hass, "smshosting")


def taken_issue(hass: HomeAssistant, entry_id: str) -> Mapping[str, str] | None:
    """Return the placeholders of the issue of a name that was taken, None without."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"action_taken_{entry_id}")
    return issue.translation_placeholders if issue else None


async def test_an_action_that_replaced_ours_stays(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Ours gets another name at once, which a reload does not change."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    stranger = Stranger(hass)
    await hass.async_block_till_done()

    await notify(hass, "smshosting_2", message="1", target="Anna")
    assert await hass.config_entries.async_reload(account.entry_id)
    await notify(hass, "smshosting", message="2")
    await notify(hass, "smshosting_2", message="3", target="Anna")
    assert not has_action(hass, "smshosting_3")
    assert taken_issue(hass, account.entry_id) == {
        "account": "Smshosting",
        "kept": "notify.smshosting",
        "action": "notify.smshosting_2",
    }
    await hass.config_entries.async_remove(account.entry_id)
    await notify(hass, "smshosting", message="4")

    assert not has_action(hass, "smshosting_2")
    assert taken_issue(hass, account.entry_id) is None
    assert [call["message"] for call in stranger.calls] == ["2", "4"]
    assert arrived(simulator) == [(ANNA, "1"), (ANNA, "3")]


async def test_the_own_name_comes_back_when_nothing_else_has_it(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is the account's for ever; the other name may stay until the next start."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    Stranger(hass)
    await hass.async_block_till_done()
    assert account.data[CONF_NOTIFY_ACTION] == "smshosting"
    hass.services.async_remove(NOTIFY_DOMAIN, "smshosting")

    assert await hass.config_entries.async_reload(account.entry_id)
    await notify(hass, "smshosting", message="1", target="Anna")

    assert taken_issue(hass, account.entry_id) is None
    assert arrived(simulator) == [(ANNA, "1")]


# When it is there


async def test_it_is_there_until_the_account_is_removed(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """While the account is not loaded, it says so."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    assert await hass.config_entries.async_unload(account.entry_id)
    with pytest.raises(HomeAssistantError) as caught:
        await notify(hass, "smshosting", message="Prova", target="Anna")
    assert caught.value.translation_key == "account_not_loaded"

    assert await hass.config_entries.async_setup(account.entry_id)
    await notify(hass, "smshosting", message="Prova", target="Anna")
    assert arrived(simulator) == [(ANNA, "Prova")]

    await hass.config_entries.async_remove(account.entry_id)
    assert not has_action(hass, "smshosting")


async def test_it_waits_for_an_account_that_a_start_will_load(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.set_state(CoreState.starting)

    call = hass.async_create_task(
        notify(hass, "smshosting", message="Prova", target="Anna")
    )
    assert await hass.config_entries.async_setup(account.entry_id)
    await call

    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_it_is_described_in_the_language_of_the_system(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """With the fields that it has, for the editor of actions."""
    hass.config.language = "it"
    await accounts.set_up("smshosting", title="Casa")

    action = async_get_cached_service_description(hass, NOTIFY_DOMAIN, "casa")

    assert action is not None
    assert action["name"] == "Invia un SMS con casa"
    assert list(action["fields"]) == ["message", "title", "target", "data"]
    assert all(field["description"] for field in action["fields"].values())
    for field in action["fields"].values():
        selector(field["selector"])
    data = action["fields"]["data"]["selector"]["object"]["fields"]
    assert data["sender"]["label"] == "Mittente"
    assert data["encoding"]["selector"]["select"]["options"][2] == {
        "value": "unicode",
        "label": "Così com'è scritto: non cambia nulla",
    }


@pytest.mark.parametrize("key", PROVIDERS)
async def test_its_data_has_the_fields_that_the_account_can_use(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    await accounts.set_up(key, title="Casa")

    action = async_get_cached_service_description(hass, NOTIFY_DOMAIN, "casa")

    assert action is not None
    data = action["fields"]["data"]["selector"]["object"]["fields"]
    of_all = ["sender", "encoding", "send_at"]
    further = {
        "smshosting": ["test", "channel", "picture", "transaction_id"],
        "smsviainternet": ["test"],
    }
    assert list(data) == [*of_all, *further.get(key, [])]


# Core's alert


def door_alert(**changes: object) -> dict[str, Any]:
    """Return the configuration of an alert about a door."""
    return {
        ALERT_DOMAIN: {
            "door": {
                "name": "Porta",
                "entity_id": "binary_sensor.door",
                "repeat": 30,
                "title": "Allarme",
                "message": "La porta è aperta",
                "done_message": "La porta è chiusa",
                "notifiers": ["smshosting"],
                "data": {"sender": "Allarme"},
                **changes,
            }
        }
    }


async def close_the_door(hass: HomeAssistant) -> None:
    """End the alert."""
    hass.states.async_set("binary_sensor.door", STATE_OFF)
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_alerts_of_home_assistant_are_sent(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Core's `alert` knows only this action; both its texts arrive."""
    await accounts.set_up("smshosting", recipients=RECIPIENTS)
    assert await async_setup_component(hass, ALERT_DOMAIN, door_alert())

    hass.states.async_set("binary_sensor.door", STATE_ON)
    await hass.async_block_till_done()
    opened = {(ANNA, "Allarme\nLa porta è aperta")}
    assert opened <= set(arrived(simulator))
    await close_the_door(hass)

    assert len(arrived(simulator)) == 6
    assert (CARLA, "Allarme\nLa porta è chiusa") in arrived(simulator)
    assert {message.sender for message in simulator.messages} == {"Allarme"}


async def test_an_alert_with_data_for_phones_sends_its_sms_and_no_command(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    alert = door_alert(
        done_message="clear_notification",
        data={"tag": "porta", "ttl": 0, "priority": "high"},
    )
    assert await async_setup_component(hass, ALERT_DOMAIN, alert)
    hass.states.async_set("binary_sensor.door", STATE_ON)
    await hass.async_block_till_done()

    await close_the_door(hass)

    assert arrived(simulator) == [(ANNA, "Allarme\nLa porta è aperta")]


async def test_an_alert_that_is_on_at_a_start_arrives_with_its_first_call(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The account is loaded after it."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    assert await hass.config_entries.async_unload(account.entry_id)
    hass.set_state(CoreState.starting)
    assert await async_setup_component(hass, ALERT_DOMAIN, door_alert())

    hass.states.async_set("binary_sensor.door", STATE_ON)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done()

    assert arrived(simulator) == [(ANNA, "Allarme\nLa porta è aperta")]
    await close_the_door(hass)


async def test_an_alert_that_starts_before_the_integration_arrives_with_its_next_call(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The order of a start cannot be promised: recipes repeat after a minute."""
    alert = door_alert(repeat=[1, 10], data={})
    assert await async_setup_component(hass, ALERT_DOMAIN, alert)
    hass.states.async_set("binary_sensor.door", STATE_ON)
    await hass.async_block_till_done()

    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    assert arrived(simulator) == []
    freezer.tick(timedelta(minutes=1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert arrived(simulator) == [(ANNA, "Allarme\nLa porta è aperta")]
    await close_the_door(hass)


RESTARTS = 2 * (
    ((ALERT_DOMAIN, DOMAIN),),
    ((DOMAIN, ALERT_DOMAIN),),
    ((ALERT_DOMAIN,), (DOMAIN,)),
    ((DOMAIN,), (ALERT_DOMAIN,)),
)
"""What is set up at each start: together, or one after the other."""


@asynccontextmanager
async def started(
    before: HomeAssistant,
    simulator: Simulator,
    alert: Mapping[str, Any],
    order: Sequence[Collection[str]],
) -> AsyncGenerator[HomeAssistant]:
    """Start Home Assistant on what was stored, while the door opens.

    `order` has the domains that are set up one after the other, some of them together.
    """
    async with async_test_home_assistant(
        config_dir=before.config.config_dir, initial_state=CoreState.not_running
    ) as hass:
        hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
        Accounts(hass, simulator).add(
            "smshosting", entry_id="conto", recipients={"Anna": [ANNA]}
        )

        async def set_up(domain: str) -> None:
            assert await async_setup_component(hass, domain, dict(alert))
            if domain == ALERT_DOMAIN:
                # Older releases do not look at a door that was open before.
                hass.states.async_set("binary_sensor.door", STATE_ON)

        for together in order:
            await asyncio.gather(*map(set_up, together))
        await hass.async_start()
        await hass.async_block_till_done(wait_background_tasks=True)
        yield hass
        # The alert's timer would outlive the test.
        hass.states.async_set("binary_sensor.door", STATE_OFF)
        await hass.async_block_till_done()
        await stop(hass)


async def stop(hass: HomeAssistant) -> None:
    """Stop Home Assistant and its account."""
    assert await hass.config_entries.async_unload("conto")
    await hass.async_stop(force=True)


async def test_an_alert_that_is_on_arrives_after_every_restart(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """With its first call, or with its next where the alert came before us."""
    await accounts.set_up("smshosting", entry_id="conto", recipients={"Anna": [ANNA]})
    await stop(hass)
    texts: list[str] = []
    later: list[int] = []
    for order in RESTARTS:
        # Smshosting refuses a text that it has just sent.
        text = f"La porta è aperta ({len(texts)})"
        alert = door_alert(
            repeat=[1, 10], title="", message=text, done_message="clear_notification"
        )
        async with started(hass, simulator, alert, order) as again:
            if len(simulator.messages) == len(texts):
                later.append(len(texts))
                minute = dt_util.utcnow() + timedelta(minutes=1, seconds=1)
                async_fire_time_changed(again, minute)
                await again.async_block_till_done(wait_background_tasks=True)
            texts.append(text)
            assert [one.text for one in simulator.messages] == texts, order
    ours_first = [i for i, order in enumerate(RESTARTS) if order[0] == (DOMAIN,)]
    assert not set(ours_first) & set(later)
