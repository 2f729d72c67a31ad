"""Escalations in a real Home Assistant, with real requests to the providers."""

import asyncio
from collections.abc import Iterator
from typing import Any

from homeassistant.components.button import DOMAIN as BUTTON_DOMAIN, SERVICE_PRESS
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.sms_italia.const import CONF_DAILY_LIMIT, CONF_FALLBACK, DOMAIN
from custom_components.sms_italia.messaging import Stage
from simulator import Simulator

from .accounts import Accounts, arrived, until
from .states import state_of

NUMBERS = {"Anna": "+393331234567", "Bruno": "+393409876543", "Carla": "+393331112223"}
NAMES = {number: name for name, number in NUMBERS.items()}
MEMBERS = [("uno", "anna"), ("uno", "bruno"), ("uno", "carla")]
TEXT = "Allarme: porta aperta"

NOTIFY, SENSOR = "notify.notte", "sensor.notte_escalation"
BUTTON, EVENT = "button.notte_acknowledge", "event.notte_calls"

SOON = 0.02
"""A wait in minutes that a test waits for."""
LATER = 10
"""One that it does not."""

pytestmark = pytest.mark.usefixtures("quick")


async def set_up(
    accounts: Accounts,
    members: list[tuple[str, str]] | None = None,
    *,
    key: str = "smshosting",
    options: dict[str, Any] | None = None,
    **plan: Any,  # noqa: ANN401 - values of several types
) -> MockConfigEntry:
    """Return an account with three recipients and an escalation."""
    return await accounts.set_up(
        key,
        entry_id="uno",
        options=options,
        recipients={name: [number] for name, number in NUMBERS.items()},
        escalations={"Notte": MEMBERS if members is None else members},
        plan={"wait": LATER} | plan,
    )


async def send(
    hass: HomeAssistant,
    text: str = TEXT,
    to: str = NOTIFY,
    context: Context | None = None,
) -> None:
    """Send to an escalation."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {ATTR_ENTITY_ID: to, "message": text},
        blocking=True,
        context=context,
    )


async def press(hass: HomeAssistant, context: Context | None = None) -> None:
    """Acknowledge with the button."""
    await hass.services.async_call(
        BUTTON_DOMAIN,
        SERVICE_PRESS,
        {ATTR_ENTITY_ID: BUTTON},
        blocking=True,
        context=context,
    )


def called(simulator: Simulator) -> list[str]:
    """Return who was sent something, in order."""
    return [NAMES[to] for to, _ in arrived(simulator)]


async def until_called(simulator: Simulator, *names: str) -> None:
    """Wait until these were called, and nobody else."""
    await until(lambda: len(called(simulator)) >= len(names))
    assert called(simulator) == list(names)


def attributes(hass: HomeAssistant, entity_id: str = SENSOR) -> dict[str, Any]:
    """Return the attributes of a state."""
    state = hass.states.get(entity_id)
    assert state is not None
    return dict(state.attributes)


@pytest.fixture
def fired(hass: HomeAssistant) -> Iterator[list[tuple[str, Any]]]:
    """Return what the event entity fired: the type and the member."""
    events: list[tuple[str, Any]] = []

    def note(event: Event[Any]) -> None:
        new = event.data["new_state"]
        if event.data["entity_id"] == EVENT and new and new.state != "unknown":
            events.append((new.attributes["event_type"], new.attributes["member"]))

    stop = hass.bus.async_listen("state_changed", note)
    yield events
    stop()


def issues(hass: HomeAssistant) -> list[str]:
    """Return the keys of our repairs."""
    return [
        str(issue.translation_key)
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    ]


# The chain


async def test_the_next_is_called_until_somebody_acknowledges(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    fired: list[tuple[str, Any]],
) -> None:
    """The first is not delivered, the second does not answer, the third does."""
    await set_up(accounts, wait=SOON * 2)
    assert state_of(hass, SENSOR) == "idle"

    await send(hass)
    await until_called(simulator, "Anna")
    assert state_of(hass, SENSOR) == "calling"
    assert attributes(hass)["member"] == "Anna"
    simulator.move(simulator.messages[0].id, "failed")
    await until_called(simulator, "Anna", "Bruno")
    await until_called(simulator, "Anna", "Bruno", "Carla")
    await press(hass)
    await asyncio.sleep(SOON * 60 * 3)

    assert called(simulator) == ["Anna", "Bruno", "Carla"]
    assert state_of(hass, SENSOR) == "acknowledged"
    shown = attributes(hass)
    assert (shown["step"], shown["member"]) == (3, "Carla")
    assert (shown["acknowledged_by"], shown["acknowledged_with"]) == (
        "Home Assistant",
        "button",
    )
    assert fired == [
        ("called", "Anna"),
        ("called", "Bruno"),
        ("called", "Carla"),
        ("acknowledged", "Carla"),
    ]
    assert issues(hass) == ["undelivered"], "what failed is listed all the same"


async def test_what_an_escalation_sends_is_the_own_of_who_asked_for_it(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_admin_user: MockUser,
) -> None:
    account = await set_up(accounts)
    await send(hass, context=Context(user_id=hass_admin_user.id))
    await until_called(simulator, "Anna")
    messenger = account.runtime_data.messenger
    (message,) = messenger.open_messages(account.entry_id)
    assert message.dispatch.user == hass_admin_user.id


async def test_who_pressed_the_button_is_named(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_admin_user: MockUser,
) -> None:
    hass_admin_user.name = "Dario"
    await set_up(accounts, tell_others=True)
    await send(hass)
    await until_called(simulator, "Anna")

    await press(hass, Context(user_id=hass_admin_user.id))

    assert attributes(hass)["acknowledged_by"] == "Dario"
    await until_called(simulator, "Anna", "Anna")
    assert arrived(simulator)[1][1] == ("Notte: Dario has acknowledged.")


async def test_the_title_stands_before_the_text(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await set_up(accounts)

    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {ATTR_ENTITY_ID: NOTIFY, "title": "Casa", "message": TEXT},
        blocking=True,
    )

    await until(lambda: arrived(simulator))
    assert arrived(simulator) == [(NUMBERS["Anna"], f"Casa\n{TEXT}")]


async def test_a_text_without_a_word_is_refused(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await set_up(accounts)

    with pytest.raises(ServiceValidationError) as error:
        await send(hass, " ")

    assert error.value.translation_key == "empty_text"
    assert state_of(hass, SENSOR) == "idle"


async def test_nobody_who_acknowledged_is_a_repair_until_somebody_does(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    fired: list[tuple[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(accounts, MEMBERS[:1], wait=SOON)

    await send(hass)
    # The sensor may show it a moment before the others who are notified.
    await until(lambda: fired[-1:] == [("exhausted", "Anna")])
    await until(lambda: issues(hass))

    assert state_of(hass, SENSOR) == "exhausted"
    assert called(simulator) == ["Anna"]
    assert issues(hass) == ["escalation_exhausted"]
    (issue,) = ir.async_get(hass).issues.values()
    assert issue.is_fixable
    shown = str(issue.translation_placeholders) + str(issue.data)
    assert "Anna" not in shown
    assert "nobody acknowledged" in caplog.text
    assert NUMBERS["Anna"] not in caplog.text
    await send(hass, "Allarme: fumo")
    await press(hass)
    await hass.async_block_till_done()
    assert issues(hass) == []


async def test_ten_messages_are_one_chain(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Everybody who is called gets all of them."""
    await set_up(accounts, MEMBERS[:2], wait=SOON * 2, rounds=1)
    texts = [f"Allarme {index}" for index in range(10)]

    for text in texts:
        await send(hass, text)
    await until(lambda: "Bruno" in called(simulator))

    to_anna = [text for to, text in arrived(simulator) if to == NUMBERS["Anna"]]
    ((_, to_bruno),) = arrived(simulator)[10:]
    assert sorted(to_anna) == sorted(texts)
    assert all(text in to_bruno for text in texts)


async def test_what_waits_is_withdrawn_when_somebody_acknowledges(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await set_up(accounts)
    simulator.set_credit("smshosting", 0)
    await send(hass)
    await until_refused(hass)

    await press(hass)
    simulator.set_credit("smshosting", 5)
    await asyncio.sleep(0.3)

    assert arrived(simulator) == []
    assert state_of(hass, SENSOR) == "acknowledged"


async def until_refused(hass: HomeAssistant) -> None:
    """Wait until a message was refused, and waits for another attempt."""
    (account, *_) = hass.config_entries.async_entries(DOMAIN)
    messenger = account.runtime_data.messenger
    await until(
        lambda: any(
            one.stage is Stage.WAITING and one.attempts
            for one in messenger.open_messages("uno")
        )
    )


# Accounts and members


async def test_a_member_of_another_account_is_called_by_that(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up(
        "inviosmart", entry_id="due", recipients={"Dora": [NUMBERS["Carla"]]}
    )
    await set_up(accounts, [("due", "dora")])

    await send(hass)
    await until_called(simulator, "Carla")

    assert simulator.messages[0].provider == "inviosmart"


async def test_who_was_removed_or_disabled_is_skipped_and_is_a_repair(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """From then on, and not only when it should have been called."""
    other = await accounts.set_up(
        "inviosmart", entry_id="due", recipients={"Dora": [NUMBERS["Anna"]]}
    )
    account = await set_up(accounts, [("due", "dora"), *MEMBERS[1:]])
    assert issues(hass) == []

    await hass.config_entries.async_set_disabled_by(
        other.entry_id, ConfigEntryDisabler.USER
    )
    await hass.async_block_till_done()
    assert issues(hass) == ["escalation_incomplete"]
    hass.config_entries.async_remove_subentry(account, "bruno")
    await hass.async_block_till_done()
    await send(hass)
    await until_called(simulator, "Carla")
    await hass.config_entries.async_set_disabled_by(other.entry_id, None)
    await hass.async_block_till_done()

    assert issues(hass) == ["escalation_incomplete"], "Bruno is still gone"


async def test_the_entity_of_a_member_may_be_disabled(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await set_up(accounts)
    er.async_get(hass).async_update_entity(
        "notify.anna", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()

    await send(hass)

    await until_called(simulator, "Anna")


async def test_a_fallback_calls_while_the_members_account_is_not_loaded(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    other = await accounts.set_up(
        "inviosmart",
        entry_id="due",
        options={CONF_FALLBACK: ["uno"]},
        recipients={"Dora": [NUMBERS["Carla"]]},
    )
    await set_up(accounts, [("due", "dora")])
    await hass.config_entries.async_unload(other.entry_id)

    await send(hass)
    await until_called(simulator, "Carla")

    assert simulator.messages[0].provider == "smshosting"


async def test_a_run_goes_on_over_a_reload_and_begins_no_wait_anew(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await set_up(accounts, wait=SOON * 2)
    await send(hass)
    await until_called(simulator, "Anna")
    began = hass.loop.time()

    for _ in range(3):
        await hass.config_entries.async_reload(account.entry_id)
        assert state_of(hass, SENSOR) == "calling"
    await until_called(simulator, "Anna", "Bruno")

    assert hass.loop.time() - began < SOON * 2 * 60 + 2
    await press(hass)
    assert state_of(hass, SENSOR) == "acknowledged"
    await hass.config_entries.async_reload(account.entry_id)
    assert state_of(hass, SENSOR) == "acknowledged"


async def test_two_escalations_run_beside_each_other(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={name: [number] for name, number in NUMBERS.items()},
        escalations={"Notte": MEMBERS[:1], "Giorno": MEMBERS[1:2]},
        plan={"wait": LATER},
    )
    await send(hass)
    await send(hass, to="notify.giorno")
    await until_called(simulator, "Anna", "Bruno")

    await press(hass)

    assert state_of(hass, SENSOR) == "acknowledged"
    assert state_of(hass, "sensor.giorno_escalation") == "calling"


async def test_an_escalation_may_use_as_much_again_as_the_daily_limit(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The repair of the limit says so."""
    await set_up(accounts, options={CONF_DAILY_LIMIT: 1}, wait=SOON)
    await send(hass, to="notify.carla")
    assert issues(hass) == []

    await send(hass)
    await until(lambda: state_of(hass, SENSOR) == "exhausted")

    assert called(simulator) == ["Carla", "Anna"]
    # The list of what was not delivered is made in the background.
    await until(lambda: len(issues(hass)) >= 3)
    assert sorted(issues(hass)) == [
        "daily_limit_reached",
        "escalation_exhausted",
        "undelivered",
    ]


async def test_a_run_ends_when_its_escalation_is_removed(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await set_up(accounts, MEMBERS[:2], wait=SOON)
    await send(hass)
    await until_called(simulator, "Anna")

    hass.config_entries.async_remove_subentry(account, "notte")
    await hass.async_block_till_done()
    await asyncio.sleep(SOON * 60 * 2)

    assert called(simulator) == ["Anna"]
    assert issues(hass) == []


async def test_a_run_ends_when_its_account_is_disabled(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Also what another account was to send: nobody could acknowledge it."""
    await accounts.set_up(
        "inviosmart", entry_id="due", recipients={"Dora": [NUMBERS["Carla"]]}
    )
    account = await set_up(accounts, [MEMBERS[0], ("due", "dora")], wait=SOON)
    await send(hass)
    await until_called(simulator, "Anna")

    await hass.config_entries.async_set_disabled_by(
        account.entry_id, ConfigEntryDisabler.USER
    )
    await asyncio.sleep(SOON * 60 * 2)
    assert called(simulator) == ["Anna"]
    await hass.config_entries.async_set_disabled_by(account.entry_id, None)
    await hass.async_block_till_done()

    assert state_of(hass, SENSOR) == "idle"
    assert called(simulator) == ["Anna"]


async def test_nothing_is_left_of_an_account_that_is_removed(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await set_up(accounts, MEMBERS[:1], wait=SOON)
    await send(hass)
    await until(lambda: state_of(hass, SENSOR) == "exhausted")

    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done()

    assert issues(hass) == []
    assert hass.states.get(SENSOR) is None
