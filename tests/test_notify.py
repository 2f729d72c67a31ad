"""The notify entity of a recipient, and the notify action of an account."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homeassistant.components.alert import DOMAIN as ALERT_DOMAIN
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from syrupy.assertion import SnapshotAssertion

from custom_components.sms_italia.const import CONF_RETRY_FOR, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, appearance, arrived

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"
RECIPIENTS = {"Anna": [ANNA], "Bruno Bianchi": [BRUNO, CARLA]}

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


async def notify(hass: HomeAssistant, action: str, /, **data: Any) -> None:  # noqa: ANN401 - as an automation writes them
    """Call a notify action and wait for it."""
    await hass.services.async_call(
        NOTIFY_DOMAIN, action, data, blocking=True, context=Context()
    )


class Stranger:
    """Another integration's notify action under a name that an account would have."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Register it, over whatever has the name."""
        self.calls: list[Mapping[str, Any]] = []
        hass.services.async_register(NOTIFY_DOMAIN, "smshosting", self._take)

    async def _take(self, call: ServiceCall) -> None:
        self.calls.append(call.data)


@EACH_PROVIDER
async def test_a_recipient_is_a_notify_entity_on_a_device_of_its_own(
    hass: HomeAssistant,
    accounts: Accounts,
    key: str,
    snapshot: SnapshotAssertion,
) -> None:
    """Everything of it that a user can see."""
    await accounts.set_up(key, entry_id=key, recipients={"Anna": [ANNA]})

    assert appearance(hass, "notify.anna") == snapshot


@EACH_PROVIDER
async def test_send_message_reaches_all_numbers_of_a_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """A title stands on a line of its own; the entity shows when it was."""
    await accounts.set_up(key, recipients=RECIPIENTS)
    before = dt_util.utcnow()

    await notify(
        hass,
        "send_message",
        entity_id="notify.bruno_bianchi",
        title="Casa",
        message="La porta è aperta",
    )

    text = "Casa\nLa porta è aperta"
    assert sorted(arrived(simulator)) == [(CARLA, text), (BRUNO, text)]
    assert {message.provider for message in simulator.messages} == {key}
    state = hass.states.get("notify.bruno_bianchi")
    assert state is not None
    when = dt_util.parse_datetime(state.state)
    assert when is not None
    assert before <= when <= dt_util.utcnow()
    other = hass.states.get("notify.anna")
    assert other is not None
    assert other.state == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("domain", "action", "data"),
    [
        ("notify", "send_message", {"entity_id": "notify.anna", "message": "Prova"}),
        ("button", "press", {"entity_id": "button.anna_send_test_message"}),
    ],
)
async def test_a_recipient_that_is_just_being_removed_is_reported(
    hass: HomeAssistant,
    accounts: Accounts,
    domain: str,
    action: str,
    data: dict[str, str],
) -> None:
    """The account has no numbers of it any more, and its entities are still there."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    runtime = account.runtime_data
    account.runtime_data = replace(
        runtime, account=replace(runtime.account, recipients={})
    )

    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(domain, action, data, blocking=True)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert caught.value.translation_key == "recipient_removed"
    issues = ir.async_get(hass).issues
    assert (DOMAIN, f"undelivered_{account.entry_id}") in issues


async def test_a_recipient_in_another_country_is_sent_to(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The allowed countries bind numbers of a call, not those entered in the UI."""
    urs = "+41791234567"
    await accounts.set_up("smshosting", recipients={"Urs": [urs]})

    await notify(hass, "send_message", entity_id="notify.urs", message="Ciao")
    await notify(hass, "smshosting", target="urs", message="Ciao Urs")
    await notify(hass, "smshosting", target=urs, message="Ciao di nuovo")

    assert [to for to, _ in arrived(simulator)] == [urs, urs, urs]


async def test_a_message_that_is_not_sent_fails_the_action(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The automation learns of it, and the entity does not show it as sent."""
    await accounts.set_up(
        "smshosting", recipients=RECIPIENTS, options={CONF_RETRY_FOR: 0}
    )
    simulator.set_credit("smshosting", 0)

    with pytest.raises(HomeAssistantError) as caught:
        await notify(hass, "send_message", entity_id="notify.anna", message="Ciao")

    assert caught.value.translation_key == "not_sent_credit"
    assert caught.value.translation_placeholders == {
        "account": "Smshosting",
        "detail": "BAD_CREDIT",
    }
    state = hass.states.get("notify.anna")
    assert state is not None
    assert state.state == STATE_UNKNOWN


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


async def test_the_action_comes_and_goes_with_the_account(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Gone when it is unloaded, back after a reload, gone when it is removed."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    entries = hass.config_entries

    assert await entries.async_unload(account.entry_id)
    assert not hass.services.has_service(NOTIFY_DOMAIN, "smshosting")

    assert await entries.async_setup(account.entry_id)
    await notify(hass, "smshosting", message="Prova", target="Anna")
    assert await entries.async_reload(account.entry_id)
    await notify(hass, "smshosting", message="Prova 2", target="Anna")
    assert arrived(simulator) == [(ANNA, "Prova"), (ANNA, "Prova 2")]

    await entries.async_remove(account.entry_id)
    assert not hass.services.has_service(NOTIFY_DOMAIN, "smshosting")


async def test_a_recipient_is_there_although_the_provider_is_not(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Home Assistant skips an entity that is unavailable, with success."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    simulator.inject("smshosting", Fault.SERVER_ERROR_EMPTY, 10, operation="credit")

    await account.runtime_data.coordinator.async_refresh()

    assert not account.runtime_data.coordinator.last_update_success
    state = hass.states.get("notify.anna")
    assert state is not None
    assert state.state == STATE_UNKNOWN


async def test_the_action_is_renamed_with_the_account(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Its name is that of the account."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)

    hass.config_entries.async_update_entry(account, title="Allarme di casa")
    await hass.async_block_till_done()

    assert not hass.services.has_service(NOTIFY_DOMAIN, "smshosting")
    await notify(hass, "allarme_di_casa", message="Prova", target="Anna")
    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_each_account_has_its_action(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Unloading one leaves the other's, also where a name is there twice."""
    first = await accounts.set_up("smshosting", title="SMS")
    second = await accounts.set_up("transactionale", title="SMS")
    third = await accounts.set_up("inviosmart", title="Altro")

    assert await hass.config_entries.async_unload(second.entry_id)
    await notify(hass, "sms", message="Prova", target=ANNA)
    assert await hass.config_entries.async_unload(first.entry_id)
    assert not hass.services.has_service(NOTIFY_DOMAIN, "sms")
    await notify(hass, "altro", message="Prova", target=ANNA)

    providers = [message.provider for message in simulator.messages]
    assert providers == ["smshosting", third.data["provider"]]


async def test_an_action_that_was_there_before_stays_what_it_was(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is neither taken over nor removed, however often the account is loaded."""
    stranger = Stranger(hass)
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)

    await notify(hass, "smshosting", message="1")
    assert await hass.config_entries.async_reload(account.entry_id)
    await notify(hass, "smshosting", message="2")
    assert await hass.config_entries.async_unload(account.entry_id)
    await notify(hass, "smshosting", message="3")

    assert [call["message"] for call in stranger.calls] == ["1", "2", "3"]
    assert arrived(simulator) == []


async def test_an_action_that_came_while_the_account_was_unloaded_stays(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The name was free then: it is the other's now."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    assert await hass.config_entries.async_unload(account.entry_id)
    stranger = Stranger(hass)

    assert await hass.config_entries.async_setup(account.entry_id)
    await notify(hass, "smshosting", message="1")
    assert await hass.config_entries.async_unload(account.entry_id)
    await notify(hass, "smshosting", message="2")

    assert [call["message"] for call in stranger.calls] == ["1", "2"]


async def test_an_action_that_replaced_ours_is_not_removed(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Who registers a name again gets it, and keeps it when the account unloads."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    stranger = Stranger(hass)

    assert await hass.config_entries.async_reload(account.entry_id)
    await notify(hass, "smshosting", message="1")
    assert await hass.config_entries.async_unload(account.entry_id)
    await notify(hass, "smshosting", message="2")

    assert [call["message"] for call in stranger.calls] == ["1", "2"]


async def test_an_action_that_was_removed_before_does_not_disturb_the_unload(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """It is simply there again after a reload."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    hass.services.async_remove(NOTIFY_DOMAIN, "smshosting")

    assert await hass.config_entries.async_reload(account.entry_id)

    assert hass.services.has_service(NOTIFY_DOMAIN, "smshosting")


async def test_alerts_of_home_assistant_are_sent(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Core's `alert` knows only the classic action; both its texts arrive."""
    await accounts.set_up("smshosting", recipients=RECIPIENTS)
    door = {
        "name": "Porta",
        "entity_id": "binary_sensor.door",
        "repeat": 30,
        "title": "Allarme",
        "message": "La porta è aperta",
        "done_message": "La porta è chiusa",
        "notifiers": ["smshosting"],
        "data": {"sender": "Allarme"},
    }
    assert await async_setup_component(
        hass, ALERT_DOMAIN, {ALERT_DOMAIN: {"door": door}}
    )

    hass.states.async_set("binary_sensor.door", STATE_ON)
    await hass.async_block_till_done()
    opened = {(ANNA, "Allarme\nLa porta è aperta")}
    assert opened <= set(arrived(simulator))
    hass.states.async_set("binary_sensor.door", STATE_OFF)
    await hass.async_block_till_done()

    assert len(arrived(simulator)) == 6
    assert (CARLA, "Allarme\nLa porta è chiusa") in arrived(simulator)
    assert {message.sender for message in simulator.messages} == {"Allarme"}


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
