"""Changes of an account that sends: none is missed, and no alarm is lost for one."""

import asyncio
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.sms_italia.const import (
    CONF_BUNDLE_AFTER,
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_LOW_CREDIT,
    CONF_NUMBERS,
    DOMAIN,
    SUBENTRY_TYPE_RECIPIENT,
)
from custom_components.sms_italia.messaging import Account
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, arrived, until
from .line import Line

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

ALARMS = 104

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)

type Change = Callable[[], object]


def recipient(name: str, *numbers: str) -> ConfigSubentry:
    """Return a recipient; its id is its name in lower case."""
    return ConfigSubentry(
        subentry_id=name.lower(),
        subentry_type=SUBENTRY_TYPE_RECIPIENT,
        title=name,
        unique_id=None,
        data=MappingProxyType({CONF_NUMBERS: list(numbers)}),
    )


async def send(hass: HomeAssistant, entity_id: str, message: str = "Prova") -> None:
    """Send to a recipient."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {"entity_id": entity_id, "message": message},
        blocking=True,
    )


def state_of(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return the state of an entity, None if it is not there."""
    state = hass.states.get(entity_id)
    return None if state is None else state.state


class Absences:
    """Every moment in which a notify entity was not there to be sent to."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Watch the entities of this Home Assistant."""
        self.seen: list[str] = []
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._see)

    def _see(self, event: Event[EventStateChangedData]) -> None:
        entity_id, state = event.data["entity_id"], event.data["new_state"]
        is_there = state is not None and state.state != STATE_UNAVAILABLE
        if entity_id.startswith("notify.") and not is_there:
            self.seen.append(entity_id)


# Recipients


async def test_recipients_come_and_go_with_their_subentries(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Entities and devices too; those of the others stay as they are."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    absences = Absences(hass)

    hass.config_entries.async_add_subentry(account, recipient("Bruno", BRUNO))
    await hass.async_block_till_done()
    await send(hass, "notify.bruno")
    assert arrived(simulator) == [(BRUNO, "Prova")]
    assert state_of(hass, "sensor.bruno_last_delivery_status") == "queued"
    assert state_of(hass, "button.bruno_send_test_message") is not None
    assert absences.seen == []

    hass.config_entries.async_remove_subentry(account, "anna")
    await hass.async_block_till_done()
    assert absences.seen == ["notify.anna"]
    assert state_of(hass, "sensor.anna_last_delivery_status") is None
    registered = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)
    assert "anna" not in {entity.config_subentry_id for entity in registered}
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert {device.name for device in devices} == {"Smshosting", "Bruno"}


async def test_changed_numbers_are_used_at_once(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The same entity, other numbers."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    hass.config_entries.async_update_subentry(
        account, account.subentries["anna"], data={CONF_NUMBERS: [BRUNO, CARLA]}
    )
    await hass.async_block_till_done()
    await send(hass, "notify.anna")

    assert sorted(arrived(simulator)) == [(CARLA, "Prova"), (BRUNO, "Prova")]


# Options and settings


async def test_changed_options_are_used_at_once(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The next message keeps to them."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await send(hass, "notify.anna")

    hass.config_entries.async_update_entry(account, options={CONF_DAILY_LIMIT: 1})
    await hass.async_block_till_done()
    with pytest.raises(HomeAssistantError) as caught:
        await send(hass, "notify.anna")

    assert caught.value.translation_key == "daily_limit"
    assert len(arrived(simulator)) == 1


async def test_a_new_fallback_is_asked_at_once(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    other = await accounts.set_up("transactionale")
    simulator.inject("smshosting", Fault.THROTTLED_BARE, operation="send")

    hass.config_entries.async_update_entry(
        account, options={CONF_FALLBACK: [other.entry_id]}
    )
    await hass.async_block_till_done()
    await send(hass, "notify.anna")

    (message,) = simulator.messages
    assert message.provider == "transactionale"


async def test_entities_and_issues_go_by_the_new_options(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The limit of a low credit, and a fallback that does not exist."""
    account = await accounts.set_up("smshosting")
    simulator.set_credit("smshosting", 7)
    await account.runtime_data.coordinator.async_refresh()
    assert state_of(hass, "binary_sensor.smshosting_credit_low") == "off"

    hass.config_entries.async_update_entry(
        account, options={CONF_LOW_CREDIT: 10, CONF_FALLBACK: ["nobody"]}
    )
    await hass.async_block_till_done()

    assert state_of(hass, "binary_sensor.smshosting_credit_low") == "on"
    issues = {key for _, key in ir.async_get(hass).issues}
    for name in ("low_credit", "fallback_missing"):
        assert f"{name}_{account.entry_id}" in issues


async def test_what_waits_is_sent_at_once_when_the_address_is_put_right(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It does not wait for the pause that the failure began."""
    async with Line(simulator) as line:
        account = await accounts.set_up(
            "smshosting",
            settings={"url": line.url("smshosting")},
            recipients={"Anna": [ANNA]},
        )
        line.down()
        await send(hass, "notify.anna")
        assert arrived(simulator) == []

        data = {**account.data, "url": simulator.url("smshosting")}
        hass.config_entries.async_update_entry(account, data=data)

        await until(lambda: arrived(simulator) == [(ANNA, "Prova")])


async def test_settings_that_could_not_be_taken_up_are_not_taken_for_known(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next change brings them along."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    new = {KEYS["smshosting"]: "chiave-nuova-0123456789"}
    simulator.set_credentials("smshosting", **new)

    async def breaks_off(_: Account) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(account.runtime_data.messenger, "attach", breaks_off)
        hass.config_entries.async_update_entry(account, data={**account.data, **new})
        await hass.async_block_till_done()
    hass.config_entries.async_update_entry(account, title="Casa")
    await hass.async_block_till_done()

    await send(hass, "notify.anna")
    assert arrived(simulator) == [(ANNA, "Prova")]


# Titles


async def test_devices_follow_the_titles(
    hass: HomeAssistant,
    accounts: Accounts,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Those of the account and of its recipients, and the name of the webhook."""
    await hass.config.async_update(external_url="https://casa.example")
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    assert await async_setup_component(hass, "websocket_api", {})

    hass.config_entries.async_update_entry(account, title="Casa al mare")
    hass.config_entries.async_update_subentry(
        account, account.subentries["anna"], title="Nonna"
    )
    await hass.async_block_till_done()

    devices = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert {device.name for device in devices} == {"Casa al mare", "Nonna"}
    state = hass.states.get("notify.anna")
    assert state is not None
    assert state.name == "Nonna"
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "webhook/list"})
    (webhook,) = (await client.receive_json())["result"]
    assert webhook["name"] == "Casa al mare"


# Changes while alarms go out


KEYS = {
    "smsviainternet": "api_token",
    "smshosting": "auth_secret",
    "transactionale": "api_key",
    "inviosmart": "password",
}
"""What each provider's user may change there."""


def changes_of(
    hass: HomeAssistant,
    account: MockConfigEntry,
    simulator: Simulator,
    urls: Sequence[str],
) -> list[Change]:
    """Return all that a user may change, each as a change and its reverse."""
    entries, provider = hass.config_entries, account.data["provider"]
    fields = PROVIDERS[provider].fields

    def settings(**changed: str) -> Change:
        return lambda: entries.async_update_entry(
            account, data={**account.data, **changed}
        )

    def new_key(value: str) -> Change:
        def change() -> None:
            # The provider refuses the old one from now on.
            simulator.set_credentials(provider, **{KEYS[provider]: value})
            settings(**{KEYS[provider]: value})()

        return change

    def options(**changed: Any) -> Change:  # noqa: ANN401 - options have several types
        return lambda: entries.async_update_entry(account, options=changed)

    def title(new: str) -> Change:
        return lambda: entries.async_update_entry(account, title=new)

    def rename_anna(new: str) -> Change:
        return lambda: entries.async_update_subentry(
            account, account.subentries["anna"], title=new
        )

    changes = [
        options(daily_limit=500, retry_for=30, bundle_after=0),
        settings(url=urls[0], sender="Nonna"),
        lambda: entries.async_add_subentry(account, recipient("Bruno", BRUNO)),
        title("Casa"),
        rename_anna("Anna Rossi"),
        new_key("chiave-nuova-0123456789"),
        options(daily_limit=0, delivery_reports="poll", bundle_after=0),
        settings(url=urls[1], sender="Casa"),
        lambda: entries.async_remove_subentry(account, "bruno"),
        title("Casa mia"),
        rename_anna("Anna"),
        new_key("chiave-vecchia-0123456789"),
    ]
    if any(field.key == "api_token" for field in fields):
        # These credentials are accepted, but need not be there.
        changes.insert(4, settings(username="casa", password="segreta"))
    return changes


@EACH_PROVIDER
async def test_no_alarm_is_lost_or_sent_twice_while_everything_changes(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Nor is the entity that it goes to missing for a moment."""
    async with Line(simulator) as line:
        account = await accounts.set_up(
            key,
            recipients={"Anna": [ANNA]},
            options={CONF_DAILY_LIMIT: 0, CONF_BUNDLE_AFTER: 0},
        )
        absences = Absences(hass)
        changes = changes_of(
            hass, account, simulator, [line.url(key), simulator.url(key)]
        )
        alarms = [f"Allarme {index}" for index in range(ALARMS)]
        sending: list[asyncio.Task[None]] = []
        for index, alarm in enumerate(alarms):
            sending.append(hass.async_create_task(send(hass, "notify.anna", alarm)))
            if index % 3 == 0:
                changes[index // 3 % len(changes)]()
            await asyncio.sleep(0.003)
        await asyncio.gather(*sending)
        await hass.async_block_till_done(wait_background_tasks=True)
        await until(lambda: len(arrived(simulator)) >= ALARMS)

    assert sorted(text for _, text in arrived(simulator)) == sorted(alarms)
    assert not hass.config_entries.flow.async_progress()
    assert [one for one in absences.seen if one != "notify.bruno"] == []
    assert account.state is ConfigEntryState.LOADED


@EACH_PROVIDER
async def test_messages_to_one_number_keep_their_order_while_the_credentials_change(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """The first one is refused with the old ones when the new ones are there."""
    async with Line(simulator) as line:
        account = await accounts.set_up(
            key, settings={"url": line.url(key)}, recipients={"Anna": [ANNA]}
        )
        await hass.async_block_till_done(wait_background_tasks=True)
        requests = len(simulator.requests)
        line.hold_answers()
        alarms = [f"Allarme {index}" for index in range(3)]
        new = {KEYS[key]: "chiave-nuova-0123456789"}
        simulator.set_credentials(key, **new)
        sending: list[asyncio.Task[None]] = []
        for alarm in alarms:
            sending.append(hass.async_create_task(send(hass, "notify.anna", alarm)))
            await asyncio.sleep(0.001)
        await until(lambda: len(simulator.requests) > requests)

        before = account.runtime_data.account
        hass.config_entries.async_update_entry(account, data={**account.data, **new})
        await until(lambda: account.runtime_data.account is not before)
        line.release_answers()
        await asyncio.gather(*sending)

    assert [text for _, text in arrived(simulator)] == alarms
    assert not hass.config_entries.flow.async_progress()


async def test_twenty_changes_at_once_are_few_tasks_and_the_last_counts(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    before = asyncio.all_tasks()

    for limit in (*range(100, 119), 1):
        options = {CONF_DAILY_LIMIT: limit}
        hass.config_entries.async_update_entry(account, options=options)
    tasks = [
        task
        for task in asyncio.all_tasks() - before
        if "update listener" in task.get_name()
    ]
    await hass.async_block_till_done()

    assert len(tasks) <= 2
    await send(hass, "notify.anna")
    with pytest.raises(HomeAssistantError):
        await send(hass, "notify.anna")
    assert len(arrived(simulator)) == 1


# Changes while the account is loaded or unloaded


def slowed(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, step: str
) -> asyncio.Event:
    """Let a step of Home Assistant with an account end only at this event."""
    ready, work = asyncio.Event(), getattr(hass.config_entries, step)

    async def slowly(*args: Any) -> object:  # noqa: ANN401 - as the real one
        result = await work(*args)
        await ready.wait()
        return result

    monkeypatch.setattr(hass.config_entries, step, slowly)
    return ready


async def test_a_change_in_the_middle_of_the_set_up_is_not_missed(
    hass: HomeAssistant, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow opens the form of the first recipient then."""
    account = accounts.add("smshosting")
    ready = slowed(hass, monkeypatch, "async_forward_entry_setups")
    setting_up = hass.async_create_task(
        hass.config_entries.async_setup(account.entry_id)
    )
    await until(lambda: state_of(hass, "sensor.smshosting_parts_today") is not None)

    hass.config_entries.async_add_subentry(account, recipient("Anna", ANNA))
    ready.set()
    assert await setting_up
    await hass.async_block_till_done()

    assert state_of(hass, "notify.anna") is not None


async def test_a_change_in_the_middle_of_an_unload_keeps_nothing_loaded(
    hass: HomeAssistant, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    messenger = account.runtime_data.messenger
    ready = slowed(hass, monkeypatch, "async_unload_platforms")
    unloading = hass.async_create_task(
        hass.config_entries.async_unload(account.entry_id)
    )
    await until(lambda: account.state is ConfigEntryState.UNLOAD_IN_PROGRESS)

    hass.config_entries.async_update_entry(account, options={CONF_DAILY_LIMIT: 1})
    ready.set()
    assert await unloading
    await hass.async_block_till_done()

    assert account.state is ConfigEntryState.NOT_LOADED
    assert await messenger.prices(account.entry_id) == {}
    assert hass.config_entries.async_loaded_entries(DOMAIN) == []
