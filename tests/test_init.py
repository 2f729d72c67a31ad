"""An account's life: set up, reloaded, unloaded, removed, and kept discreet."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
import json
import logging
from pathlib import Path
import threading
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.const import (
    EVENT_CALL_SERVICE,
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    MATCH_ALL,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components import sms_italia
from custom_components.sms_italia import account_setup
from custom_components.sms_italia.const import (
    CONF_BUNDLE_AFTER,
    CONF_PROVIDER,
    DOMAIN,
)
from custom_components.sms_italia.messaging import (
    PhoneNumber,
    Query,
    SendRequest,
    Target,
    Timing,
    messenger,
)
from custom_components.sms_italia.providers import PROVIDERS, FieldKind
from custom_components.sms_italia.runtime import MESSENGER
from custom_components.sms_italia.sending import SendingCall
from simulator import Fault, Simulator

from .accounts import Accounts, arrived, as_input, settings_for, until
from .line import Line
from .ports import reserved_port

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

HEADINGS = {"en": "2 messages:", "it": "2 messaggi:"}
EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


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


def reauth_flows(hass: HomeAssistant, account: MockConfigEntry) -> int:
    """Return how many flows ask for the account's credentials."""
    return sum(
        flow["context"].get("entry_id") == account.entry_id
        for flow in hass.config_entries.flow.async_progress()
        if flow["context"]["source"] == SOURCE_REAUTH
    )


# Set-up


@EACH_PROVIDER
async def test_an_account_is_a_service_device(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """With the name of the account and the way to the provider's console."""
    account = await accounts.set_up(key, title="Casa mia")

    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)
    assert account.state is ConfigEntryState.LOADED
    assert device.name == "Casa mia"
    assert device.entry_type is dr.DeviceEntryType.SERVICE
    assert device.manufacturer == PROVIDERS[key].manufacturer
    assert device.configuration_url == PROVIDERS[key].console_url
    assert device.via_device_id is None


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port that no other process gets meanwhile."""
    with reserved_port() as reserved:
        yield reserved


@EACH_PROVIDER
@pytest.mark.usefixtures("quick")
async def test_a_message_waits_for_a_provider_that_is_down(
    hass: HomeAssistant, accounts: Accounts, port: int, key: str
) -> None:
    """The account is there all the same, and the message goes out by itself."""
    async with Simulator(port=port) as provider:
        settings = settings_for(provider, key)
    account = await accounts.set_up(
        key, settings=settings, recipients={"Anna": [ANNA]}, title="Sms"
    )
    assert account.state is ConfigEntryState.LOADED
    assert state_of(hass, "notify.anna") == STATE_UNKNOWN
    if "sensor.sms_credit" in hass.states.async_entity_ids():
        assert state_of(hass, "sensor.sms_credit") == STATE_UNAVAILABLE

    await send(hass, "notify.anna", "Allarme")
    assert state_of(hass, "sensor.anna_last_delivery_status") == "queued"
    async with Simulator(port=port) as provider:
        await until(lambda: arrived(provider) == [(ANNA, "Allarme")])
        await until(
            lambda: (
                (state := hass.states.get("sensor.anna_last_delivery_status"))
                and state.attributes["error"] is None
            )
        )
        assert await hass.config_entries.async_unload(account.entry_id)

    assert len(arrived(provider)) == 1


async def test_a_message_waits_while_its_account_is_unloaded(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
) -> None:
    """The ledger has it until the account is loaded again."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    simulator.inject("smshosting", Fault.THROTTLED_BARE, operation="send")
    await send(hass, "notify.anna", "Allarme")
    assert arrived(simulator) == []

    assert await hass.config_entries.async_unload(account.entry_id)
    assert await hass.config_entries.async_setup(account.entry_id)

    await until(lambda: arrived(simulator) == [(ANNA, "Allarme")])


async def test_an_account_that_cannot_be_set_up_leaves_nothing_running(
    hass: HomeAssistant,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a defect it can be set up again."""
    monkeypatch.setattr(messenger, "_CLOSE_DELAY", 0)
    account = accounts.add("smshosting", recipients={"Anna": [ANNA]})
    runtime: list[Any] = []

    async def fail(*args: object) -> bool:
        runtime.append(args)
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(hass.config_entries, "async_forward_entry_setups", fail)
        assert not await hass.config_entries.async_setup(account.entry_id)

    assert runtime
    assert account.state is ConfigEntryState.SETUP_ERROR
    await until(lambda: not ledger_is_open(hass))
    assert await hass.config_entries.async_reload(account.entry_id)
    assert hass.services.has_service(NOTIFY_DOMAIN, "smshosting")


# Credentials


@EACH_PROVIDER
async def test_wrong_credentials_are_noticed_by_the_hourly_question(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """The account stays loaded, and the user is asked to sign in again."""
    account = accounts.add(key)
    secret = next(
        field.key for field in PROVIDERS[key].fields if field.kind is FieldKind.SECRET
    )
    simulator.set_credentials(key, **{secret: "another-secret"})

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert account.state is ConfigEntryState.LOADED
    assert reauth_flows(hass, account) == 1


@EACH_PROVIDER
async def test_wrong_credentials_are_noticed_by_a_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """It waits until somebody has signed in again, in the flow that is there then."""
    account = await accounts.set_up(key, recipients={"Anna": [ANNA]})
    secret = next(
        field.key for field in PROVIDERS[key].fields if field.kind is FieldKind.SECRET
    )
    simulator.set_credentials(key, **{secret: "another-secret"})
    assert reauth_flows(hass, account) == 0

    await send(hass, "notify.anna")
    await hass.async_block_till_done()

    assert state_of(hass, "sensor.anna_last_delivery_status") == "queued"
    assert reauth_flows(hass, account) == 1


# Joined messages


@pytest.mark.parametrize("language", HEADINGS)
async def test_a_storm_is_one_text_in_the_language_of_home_assistant(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
) -> None:
    """What comes beyond the option is joined a moment later."""
    monkeypatch.setattr(sms_italia, "Timing", partial(Timing, hold=0.5))
    hass.config.language = language
    account = await accounts.set_up(
        "inviosmart", recipients={"Anna": [ANNA]}, options={CONF_BUNDLE_AFTER: 1}
    )
    await asyncio.gather(*(send(hass, "notify.anna", text) for text in "abc"))

    await until(lambda: len(arrived(simulator)) == 2)
    assert arrived(simulator) == [(ANNA, "a"), (ANNA, f"{HEADINGS[language]}\nb\nc")]
    assert await hass.config_entries.async_unload(account.entry_id)


# In the middle of a reload


async def test_a_message_in_the_middle_of_a_reload_waits_for_its_end(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The action is still there when the account has been let go already."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    messenger, ready = hass.data[MESSENGER], asyncio.Event()
    detach = messenger.detach

    async def slowly(account_id: str) -> None:
        await detach(account_id)
        await ready.wait()

    monkeypatch.setattr(messenger, "detach", slowly)
    reload = hass.async_create_task(hass.config_entries.async_reload(account.entry_id))
    await until(lambda: account.state is ConfigEntryState.UNLOAD_IN_PROGRESS)
    sending = hass.async_create_task(
        hass.services.async_call(
            NOTIFY_DOMAIN, "smshosting", {"message": "Prova"}, blocking=True
        )
    )
    await asyncio.sleep(0.05)
    assert not sending.done()
    ready.set()
    await reload
    await sending

    assert arrived(simulator) == [(ANNA, "Prova")]


@pytest.mark.parametrize(
    "aim",
    [
        {"entity_id": "notify.bruno"},
        {"numbers": [BRUNO]},
        {"numbers": [BRUNO], "config_entry_id": "casa"},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("moment", ["unload", "set-up"])
async def test_the_action_waits_for_the_accounts_it_is_aimed_at(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    aim: dict[str, Any],
    moment: str,
) -> None:
    """Whose entities are not there in the meantime."""
    account = await accounts.set_up(
        "smshosting", entry_id="casa", recipients={"Bruno": [BRUNO]}
    )
    ready = asyncio.Event()
    work = {
        "unload": hass.config_entries.async_unload_platforms,
        "set-up": hass.config_entries.async_forward_entry_setups,
    }[moment]

    async def slowly(*args: Any) -> object:  # noqa: ANN401 - as the real ones
        result = await work(*args)
        await ready.wait()
        return result

    monkeypatch.setattr(hass.config_entries, work.__name__, slowly)
    reload = hass.async_create_task(hass.config_entries.async_reload(account.entry_id))
    await until(lambda: account.state is not ConfigEntryState.LOADED)
    send_sms = hass.async_create_task(
        hass.services.async_call(
            DOMAIN, "send_sms", {"message": "Prova", **aim}, blocking=True
        )
    )
    await asyncio.sleep(0.05)
    assert not send_sms.done()
    ready.set()
    await reload
    await send_sms

    assert arrived(simulator) == [(BRUNO, "Prova")]


async def test_a_reload_and_a_provider_that_hangs_delay_no_answer_together(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither takes the time for itself that the answer may take in all."""
    monkeypatch.setattr(sms_italia, "Timing", partial(Timing, answer=2))
    account = await accounts.set_up("smshosting", recipients={"Bruno": [BRUNO]})
    forward = hass.config_entries.async_forward_entry_setups

    async def slowly(*args: Any) -> None:  # noqa: ANN401 - as the real one
        await forward(*args)
        await asyncio.sleep(1.5)

    monkeypatch.setattr(hass.config_entries, forward.__name__, slowly)
    simulator.inject("smshosting", Fault.HANG_BEFORE_ACCEPT, operation="send")
    began = hass.loop.time()
    reload = hass.async_create_task(hass.config_entries.async_reload(account.entry_id))
    await until(lambda: account.state is not ConfigEntryState.LOADED)
    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {"message": "Prova", "entity_id": "notify.bruno"},
        blocking=True,
    )

    assert hass.loop.time() - began < 3
    assert state_of(hass, "sensor.bruno_last_delivery_status") == "queued"
    await reload
    assert await hass.config_entries.async_unload(account.entry_id)


async def test_what_is_ready_to_be_sent_when_a_reload_begins_waits_for_its_end(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A picture takes time to be read, and there is no account any more then."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    anna = Target(number=PhoneNumber(ANNA, "IT"), recipient="anna")
    ready = asyncio.Event()

    async def slowly(*args: Any) -> dict[str, str]:  # noqa: ANN401 - as the real one
        await ready.wait()
        return await async_get_translations(*args)

    monkeypatch.setattr(account_setup, "async_get_translations", slowly)
    reload = hass.async_create_task(hass.config_entries.async_reload(account.entry_id))
    await until(lambda: account.state is ConfigEntryState.SETUP_IN_PROGRESS)
    request = SendRequest(account=account.entry_id, targets=(anna,), text="Prova")
    call = SendingCall(hass, None, account)
    sending = hass.async_create_task(
        call.send(account, await call.permit(account, request))
    )
    await asyncio.sleep(0.05)
    assert not sending.done()
    ready.set()
    await reload
    await sending

    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_what_is_on_the_wire_is_not_waited_for_by_a_reload(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It gets its outcome all the same, and the ledger stays open for it."""
    async with Line(simulator) as line:
        account = await accounts.set_up(
            "smshosting",
            settings={"url": line.url("smshosting")},
            recipients={"Anna": [ANNA]},
        )
        line.hold_answers()
        sending = hass.async_create_task(send(hass, "notify.anna"))
        await until(lambda: simulator.messages)
        assert await hass.config_entries.async_reload(account.entry_id)
        assert not sending.done()
        line.release_answers()
        await sending

    assert state_of(hass, "sensor.anna_last_delivery_status") == "queued"
    assert len(arrived(simulator)) == 1


async def test_an_account_that_is_not_coming_back_is_not_waited_for(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    await hass.config_entries.async_set_disabled_by(
        account.entry_id, ConfigEntryDisabler.USER
    )
    assert not ledger_is_open(hass)
    with pytest.raises(ServiceValidationError):
        await hass.services.async_call(
            DOMAIN,
            "send_sms",
            {"message": "Prova", "numbers": [ANNA], "config_entry_id": "smshosting"},
            blocking=True,
        )


# Other credentials of the same account


async def reconfigure(
    hass: HomeAssistant, account: MockConfigEntry, settings: Mapping[str, str]
) -> None:
    """Change an account in the UI."""
    flow = await account.start_reconfigure_flow(hass)
    fields = PROVIDERS[account.data[CONF_PROVIDER]].fields
    done = await hass.config_entries.flow.async_configure(
        flow["flow_id"], as_input(fields, settings)
    )
    assert done["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize(
    "changes",
    [{"auth_key": "new-key"}, {"auth_secret": "new-secret"}, {"sender": "Nonna"}],
    ids=["key", "secret", "sender"],
)
@pytest.mark.usefixtures("quick")
async def test_an_account_goes_on_with_its_messages_when_its_key_is_renewed(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    changes: dict[str, str],
) -> None:
    """The provider knows them still, so that a doubt can be settled."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, operation="send")
    simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT, 100, operation="status")
    with pytest.raises(HomeAssistantError):
        await send(hass, "notify.anna")
    (doubtful,) = hass.data[MESSENGER].open_messages(account.entry_id)

    credentials = {key: changes[key] for key in changes if key.startswith("auth")}
    simulator.set_credentials("smshosting", **credentials)
    await reconfigure(hass, account, settings_for(simulator, "smshosting", **changes))
    still_open = hass.data[MESSENGER].open_messages(account.entry_id)
    simulator.clear_faults()
    await until(
        lambda: state_of(hass, "sensor.anna_last_delivery_status") != "uncertain"
    )

    assert [one.id for one in still_open] == [doubtful.id]
    assert len(arrived(simulator)) == 1


# Unloading


def ledger_is_open(hass: HomeAssistant) -> bool:
    """Return whether the ledger is open: SQLite's log exists only then."""
    return Path(hass.config.path(".storage", f"{DOMAIN}.db-wal")).exists()


def what_runs(hass: HomeAssistant) -> dict[str, Any]:
    """Return what an account could leave behind."""
    loop = hass.loop
    return {
        "tasks": [
            task
            for task in map(repr, asyncio.all_tasks(loop))
            if DOMAIN in task and __name__ not in task
        ],
        "timers": sorted(
            repr(handle)
            for handle in get_scheduled_timer_handles(loop)
            if not handle.cancelled() and "sms_italia" in repr(handle)
        ),
        "threads": {
            thread.name
            for thread in threading.enumerate()
            if thread.name.startswith(DOMAIN)
        },
        "listeners": {
            event: count
            for event, count in hass.bus.async_listeners().items()
            # Home Assistant's own files, which wait to be written, come and go.
            if event != EVENT_HOMEASSISTANT_FINAL_WRITE
        },
        "actions": hass.services.async_services()[NOTIFY_DOMAIN].keys(),
        "ledger": ledger_is_open(hass),
        "states": set(hass.states.async_entity_ids()),
    }


async def test_an_unloaded_account_leaves_nothing_behind(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """No task, timer, thread, listener or action, and the ledger is closed."""
    # What Home Assistant keeps of the first set-up is there from then on.
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await hass.config_entries.async_remove(first.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    before = what_runs(hass)
    assert not before["ledger"]
    assert not before["timers"]

    everything = [
        await accounts.set_up(key, title=key, recipients={key: [ANNA, BRUNO]})
        for key in PROVIDERS
    ]
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")
    for key in PROVIDERS:
        await send(hass, f"notify.{key}")
    during = what_runs(hass)
    assert during["ledger"]
    assert during["timers"]
    assert during["threads"]
    for account in everything:
        assert await hass.config_entries.async_reload(account.entry_id)
        await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert what_runs(hass) == before
    assert hass.config_entries.async_entries(DOMAIN) == []
    assert not er.async_get(hass).entities.get_entries_for_config_entry_id(
        first.entry_id
    )


async def test_the_ledger_is_closed_when_home_assistant_stops(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Accounts are not unloaded then; what was sent is on disk."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await send(hass, "notify.anna")
    assert ledger_is_open(hass)

    hass.bus.async_fire_internal(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()

    assert not ledger_is_open(hass)
    assert len(arrived(simulator)) == 1


async def test_an_account_that_cannot_be_unloaded_goes_on_sending(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Home Assistant then keeps its entities, which must not be without an account."""
    account = await accounts.set_up("transactionale", recipients={"Anna": [ANNA]})

    async def refuse(*_: object) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(hass.config_entries, "async_unload_platforms", refuse)
        assert not await sms_italia.async_unload_entry(hass, account)
    await send(hass, "notify.anna")

    assert arrived(simulator) == [(ANNA, "Prova")]


# What stays private


SECRET_TEXT = "Segretissimo"
FAULTS = (
    Fault.CUT_BEFORE_ACCEPT,
    Fault.CUT_AFTER_ACCEPT,
    Fault.SERVER_ERROR_BODY,
    Fault.HTML,
    Fault.TRUNCATED_JSON,
    Fault.WRONG_TYPES,
    Fault.BAD_ENCODING,
    Fault.DEEP_JSON,
    Fault.REDIRECT,
    Fault.THROTTLED_BARE,
)


class Diary:
    """All that Home Assistant shows, stores and logs while accounts have a bad day."""

    def __init__(
        self,
        hass: HomeAssistant,
        simulator: Simulator,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Listen to every event, and log all there is to log."""
        self._hass = hass
        self._simulator = simulator
        self._caplog = caplog
        self._seen: list[str] = []
        caplog.set_level(logging.DEBUG)
        hass.bus.async_listen(MATCH_ALL, self._see)

    def _see(self, event: Event) -> None:
        # Home Assistant itself repeats what an action was called with.
        if event.event_type != EVENT_CALL_SERVICE:
            self._seen.append(_as_text(event.as_dict()))

    async def send(self, action: str, *targets: str) -> None:
        """Send a text of its own; note the error if it fails."""
        text = f"{SECRET_TEXT} {len(self._simulator.requests)}"
        data: dict[str, object] = {"message": text}
        if targets:
            data["target"] = list(targets)
        try:
            await self._hass.services.async_call(
                NOTIFY_DOMAIN, action, data, blocking=True
            )
        except HomeAssistantError as err:
            self._seen.append(f"{err!r} {err} {err.translation_placeholders}")
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that was begun, and the accounts rest."""
        await self._hass.async_block_till_done(wait_background_tasks=True)
        await asyncio.sleep(0.03)

    def records(self) -> dict[str, list[str]]:
        """Return everything, by where it stands."""
        hass = self._hass
        return {
            "events and errors": self._seen,
            "states": [_as_text(one.as_dict()) for one in hass.states.async_all()],
            "entities": [repr(one) for one in er.async_get(hass).entities.values()],
            "issues": [repr(one) for one in ir.async_get(hass).issues.values()],
            "log": [
                f"{record.getMessage()} {record.exc_info} {record.exc_text}"
                for record in self._caplog.records
                # As above: Home Assistant logs the call at this level.
                if EVENT_CALL_SERVICE not in record.getMessage()
            ],
        }


def _as_text(value: object) -> str:
    """Return a value in full."""
    return json.dumps(value, default=repr, ensure_ascii=False)


async def have_a_bad_day(
    diary: Diary, simulator: Simulator, account: MockConfigEntry
) -> None:
    """Let everything happen to an account that can."""
    key = account.title
    await diary.send(key)
    await diary.send(key, BRUNO, CARLA)
    simulator.move(simulator.messages.of(key)[-1].id, "delivered")
    simulator.account(key).blocked.add(CARLA)
    await diary.send(key, CARLA)
    for fault in FAULTS:
        simulator.inject(key, fault, operation="send")
        await diary.send(key)
        simulator.inject(key, fault, operation="credit")
        simulator.inject(key, fault, operation="status")
        await account.runtime_data.coordinator.async_refresh()
        await diary.settle()
    simulator.set_credit(key, 0)
    await diary.send(key)
    wrong = dict.fromkeys(simulator.credentials(key), "another-secret")
    simulator.set_credentials(key, **wrong)
    await diary.send(key)
    await account.runtime_data.coordinator.async_refresh()
    await diary.settle()


@pytest.mark.usefixtures("quick")
async def test_nothing_private_is_shown_or_logged(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither credentials nor numbers nor texts, whatever goes wrong."""
    private = {SECRET_TEXT, *(number[3:] for number in (ANNA, BRUNO, CARLA))}
    for key in PROVIDERS:
        private.update(simulator.credentials(key).values())
    diary = Diary(hass, simulator, caplog)

    for key in PROVIDERS:
        account = await accounts.set_up(key, title=key, recipients={f"R {key}": [ANNA]})
        await have_a_bad_day(diary, simulator, account)
        assert reauth_flows(hass, account) == 1
        assert await hass.config_entries.async_reload(account.entry_id)
        await diary.settle()

    assert {message.provider for message in simulator.messages} == set(PROVIDERS)
    assert any(sms_italia.__name__ in record.name for record in caplog.records)
    for where, records in diary.records().items():
        assert records, where
        for record in records:
            assert not [word for word in private if word in record], (where, record)


async def test_a_removed_account_leaves_no_message_behind(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Neither its texts and numbers nor what it spent; other accounts keep theirs."""
    kept = await accounts.set_up("inviosmart")
    removed = await accounts.set_up("smsviainternet")
    messenger = kept.runtime_data.messenger
    for account in (kept, removed):
        await hass.services.async_call(
            "sms_italia",
            "send_sms",
            {
                "config_entry_id": account.entry_id,
                "numbers": ["+393331234567"],
                "message": "Prova",
            },
            blocking=True,
        )

    await hass.config_entries.async_remove(removed.entry_id)
    await hass.async_block_till_done()

    found = await messenger.ledger.find(Query())
    assert [one.dispatch.account for one in found.messages] == [kept.entry_id]
    assert messenger.open_messages(removed.entry_id) == []
    assert messenger.totals.spent_today(kept.entry_id).parts == 1

    assert len(await hass.async_add_executor_job(files_of, hass)) >= 4


async def test_an_account_that_cannot_be_made_any_more_leaves_no_message_behind(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Its provider is one that only another release knows."""
    kept = await accounts.set_up("inviosmart")
    removed = await accounts.set_up("smsviainternet")
    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {
            "config_entry_id": removed.entry_id,
            "numbers": ["+393331234567"],
            "message": "Prova",
        },
        blocking=True,
    )
    await hass.config_entries.async_unload(removed.entry_id)
    hass.config_entries.async_update_entry(
        removed, data={**removed.data, CONF_PROVIDER: "altro"}
    )

    await hass.config_entries.async_remove(removed.entry_id)
    await hass.async_block_till_done()

    found = await kept.runtime_data.messenger.ledger.find(Query())
    assert found.messages == ()


async def test_with_the_last_account_goes_every_file(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Those of a call that was refused without an account, too."""
    entries = [await accounts.set_up(key) for key in ("inviosmart", "smsviainternet")]
    with pytest.raises(HomeAssistantError):
        await hass.services.async_call(
            DOMAIN, "send_sms", {"message": "Prova", "numbers": [ANNA]}, blocking=True
        )
    before = await hass.async_add_executor_job(files_of, hass)
    for entry in entries:
        await hass.config_entries.async_remove(entry.entry_id)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=10))
    await hass.async_block_till_done(wait_background_tasks=True)

    assert {"sms_italia.db", "sms_italia.db-shm", "sms_italia.journal"} <= before
    assert await hass.async_add_executor_job(files_of, hass) == set()


def files_of(hass: HomeAssistant) -> set[str]:
    """Return the names of our files in the folder of the configuration and below."""
    folder = Path(hass.config.config_dir)
    return {one.name for one in folder.rglob("*sms_italia*") if one.is_file()}


@pytest.mark.parametrize("is_disabled", [False, True])
async def test_what_a_removed_account_scheduled_is_cancelled_at_its_provider(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    is_disabled: bool,  # noqa: FBT001 - or loaded
) -> None:
    """And an event on the bus."""
    await accounts.set_up("inviosmart")
    removed = await accounts.set_up("smshosting")
    ended: list[Event] = []
    hass.bus.async_listen("sms_italia_message", ended.append)
    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {
            "config_entry_id": removed.entry_id,
            "numbers": ["+393331234567"],
            "message": "Domani",
            "send_at": dt_util.now() + timedelta(hours=1),
        },
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    if is_disabled:
        await hass.config_entries.async_set_disabled_by(
            removed.entry_id, ConfigEntryDisabler.USER
        )

    await hass.config_entries.async_remove(removed.entry_id)
    await hass.async_block_till_done()

    request = simulator.requests[-1]
    assert request.path == "/rest/api/sms/cancel"
    assert request.fields == {"id": simulator.messages[0].provider_id}
    assert [one.data["status"] for one in ended] == ["cancelled"]
    assert "1 that were scheduled were cancelled" in caplog.text
