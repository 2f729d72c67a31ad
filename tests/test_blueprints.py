"""The blueprints, imported and run as a user's automations."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, override
from urllib.parse import quote

from homeassistant import loader
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.image import ImageEntity
from homeassistant.components.notify import NotifyEntity, NotifyEntityFeature
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    restore_state,
)
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_component import DATA_INSTANCES
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_test_home_assistant,
)

from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_DELIVERY_REPORTS,
    DOMAIN,
)
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, arrived, until
from .states import call

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "blueprints" / "automation" / "sms_italia"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
"""All files: each blueprint in English, and in Italian under its name with `_it`."""

REPOSITORY = "https://github.com/sms-italia/sms-italia"

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"
PEOPLE = {"Anna": [ANNA], "Bruno": [BRUNO], "Carla": [CARLA]}
ALL_THREE = ["notify.anna", "notify.bruno", "notify.carla"]

EACH = pytest.mark.parametrize("name", NAMES)
EACH_LANGUAGE = pytest.mark.parametrize("language", ["en", "it"])


def file_name(name: str, language: str) -> str:
    """Return the name of the file that has a blueprint in a language."""
    return name if language == "en" else f"{name}_{language}"


class Telephone(NotifyEntity):
    """An app of another integration on a phone, for notifications by other channels."""

    _attr_should_poll = False
    _attr_supported_features = NotifyEntityFeature.TITLE
    _attr_unique_id = "telephone"
    _attr_name = "Telephone"

    def __init__(self) -> None:
        """Start without messages."""
        self.got: list[tuple[str | None, str]] = []

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        self.got.append((title, message))


async def add_entity(hass: HomeAssistant, domain: str, entity: Entity) -> None:
    """Add an entity to its domain, as an integration would."""
    assert await async_setup_component(hass, domain, {})
    await hass.data[DATA_INSTANCES][domain].async_add_entities([entity])


@pytest.fixture
async def telephone(hass: HomeAssistant) -> Telephone:
    """Return a phone that notify.telephone reaches."""
    telephone = Telephone()
    await add_entity(hass, "notify", telephone)
    return telephone


@pytest.fixture
def imported(hass_config_dir: str) -> None:
    """Copy the blueprints to the folder that an import copies them to."""
    folder = Path(hass_config_dir) / "blueprints" / AUTOMATION / FOLDER.name
    folder.mkdir(parents=True)
    for path in FOLDER.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")


@pytest.fixture
def language() -> str:
    """Return the language of the blueprints; a test may run in each."""
    return "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Automate:
    """Creates an automation from a blueprint in a language."""

    hass: HomeAssistant
    language: str

    async def __call__(self, name: str, inputs: Mapping[str, object]) -> None:
        """Create it, with these inputs."""
        await make_automation(self.hass, file_name(name, self.language), inputs)


async def make_automation(
    hass: HomeAssistant, name: str, inputs: Mapping[str, object]
) -> None:
    """Create an automation from a blueprint, as the UI would."""
    config = {
        "id": "probe",
        "alias": "Probe",
        "use_blueprint": {
            "path": f"{FOLDER.name}/{name}.yaml",
            "input": dict(inputs),
        },
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: [config]})
    await hass.async_block_till_done()
    state = hass.states.get("automation.probe")
    assert state is not None
    assert state.state == "on", state.attributes


@pytest.fixture
async def automate(
    hass: HomeAssistant,
    imported: None,  # noqa: ARG001 - it must be there
    language: str,
) -> AsyncGenerator[Automate]:
    """Return what creates an automation; it is turned off after the test."""
    yield Automate(hass=hass, language=language)
    if hass.state is CoreState.running:
        await rest(hass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a test in both languages uses."""

    hass: HomeAssistant
    accounts: Accounts
    simulator: Simulator
    telephone: Telephone
    automate: Automate

    @property
    def language(self) -> str:
        """Return the language of the blueprints."""
        return self.automate.language


@pytest.fixture
def home(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    telephone: Telephone,
    automate: Automate,
) -> Home:
    """Return a Home Assistant with the blueprints in a language, and a phone."""
    return Home(
        hass=hass,
        accounts=accounts,
        simulator=simulator,
        telephone=telephone,
        automate=automate,
    )


async def rest(hass: HomeAssistant) -> None:
    """Stop the automation, which would outlive the test."""
    await act(hass, "automation.turn_off", "automation.probe")


async def change(hass: HomeAssistant, entity: str, *states: str) -> None:
    """Set an entity of another integration to one state after the other."""
    for state in states:
        hass.states.async_set(entity, state, {"friendly_name": "Lavanderia"})
        await hass.async_block_till_done(wait_background_tasks=True)


async def act(hass: HomeAssistant, action: str, entity: str) -> None:
    """Call an action of an entity, and wait for everything it starts at once."""
    domain, _, service = action.partition(".")
    await hass.services.async_call(
        domain, service, {"entity_id": entity}, blocking=True
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def act_with(
    hass: HomeAssistant, action: str, entity: str, **data: object
) -> None:
    """Call an action of an entity with data."""
    domain, _, service = action.partition(".")
    await hass.services.async_call(
        domain, service, {"entity_id": entity, **data}, blocking=True
    )


def status(hass: HomeAssistant, person: str) -> str:
    """Return the status of the last message to a person."""
    state = hass.states.get(f"sensor.{person}_last_delivery_status")
    assert state is not None
    return state.state


async def reach(hass: HomeAssistant, time: str) -> None:
    """Move the time to the next occurrence of an hour and minute."""
    hour, minute = map(int, time.split(":"))
    now = dt_util.now()
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if then <= now:
        then += timedelta(days=1)
    async_fire_time_changed(hass, then)
    await hass.async_block_till_done(wait_background_tasks=True)


# What every blueprint has


def inputs_of(blueprint: Blueprint) -> dict[str, dict[str, Any]]:
    """Return the inputs, and the sections, of a blueprint by name."""
    given: dict[str, dict[str, Any]] = blueprint.data["blueprint"]["input"]
    return given | blueprint.inputs


@pytest.fixture
def blueprint(name: str) -> Blueprint:
    """Return a blueprint as Home Assistant reads it."""
    return Blueprint(
        load_yaml_dict(str(FOLDER / f"{name}.yaml")),
        path=f"{FOLDER.name}/{name}.yaml",
        expected_domain=AUTOMATION,
        schema=AUTOMATION_BLUEPRINT_SCHEMA,
    )


@EACH
async def test_a_blueprint_says_what_it_needs(blueprint: Blueprint) -> None:
    """The oldest release runs it; each input has a name and a selector."""
    assert blueprint.validate() is None
    assert blueprint.metadata["homeassistant"]["min_version"] == "2026.9.0"
    assert blueprint.metadata["description"]
    inputs = inputs_of(blueprint)
    assert inputs
    for name, given in inputs.items():
        assert given["name"], name
        assert "input" in given or "selector" in given, name


@EACH
async def test_every_input_is_used(name: str, blueprint: Blueprint) -> None:
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    for key in blueprint.inputs:
        assert f"!input {key}\n" in text, key


@EACH
async def test_a_blueprint_is_imported_with_one_click(
    name: str, blueprint: Blueprint
) -> None:
    """The page in its language, and the blueprint itself, have its address."""
    path = (FOLDER / f"{name}.yaml").relative_to(ROOT)
    source = f"{REPOSITORY}/blob/main/{path.as_posix()}"
    page = "docs/it/automations.md" if name.endswith("_it") else "docs/automations.md"

    assert blueprint.metadata["source_url"] == source
    link = (
        "https://my.home-assistant.io/redirect/blueprint_import/"
        f"?blueprint_url={quote(source, safe='')}"
    )
    assert f"]({link})" in (ROOT / page).read_text("utf-8")


# Two languages

SHOWN = frozenset({"name", "description", "source_url", "label"})
"""The keys of what only the form shows."""

SENT = frozenset({"title", "message", "test_message", "unreported_message"})
"""The inputs whose defaults are texts that are sent."""


def logic_of(content: object, key: str = "") -> object:
    """Return a blueprint without the texts that the languages have."""
    match content:
        case Mapping():
            return {
                name: logic_of(value, name)
                for name, value in content.items()
                if name not in SHOWN and not (key in SENT and name == "default")
            }
        case list():
            return [logic_of(item, key) for item in content]
        case _:
            return content


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("_it")])
def test_a_blueprint_does_the_same_in_both_languages(name: str) -> None:
    """Its texts differ, all else is equal, in the same order."""
    english, italian = (
        load_yaml_dict(str(FOLDER / f"{file_name(name, language)}.yaml"))
        for language in ("en", "it")
    )

    assert repr(logic_of(english)) == repr(logic_of(italian))
    assert english["blueprint"]["name"] != italian["blueprint"]["name"]


def test_every_blueprint_has_both_languages() -> None:
    assert {name for name in NAMES if name.endswith("_it")} == {
        f"{name}_it" for name in NAMES if not name.endswith("_it")
    }


@EACH
async def test_a_way_to_notify_must_be_chosen(blueprint: Blueprint, name: str) -> None:
    """Whom it sends to has no default: an automation without it is not accepted."""
    ways = {"notify_entities", "recipients", "escalation"} & blueprint.inputs.keys()

    assert ways, name
    for way in ways:
        assert "default" not in blueprint.inputs[way], way


@EACH
async def test_of_our_notify_entities_those_of_one_kind_are_offered(
    hass: HomeAssistant, accounts: Accounts, blueprint: Blueprint
) -> None:
    """Of recipients, or of escalations: no blueprint works with both."""
    await accounts.set_up(
        "smshosting",
        entry_id="conto",
        recipients={"Anna": [ANNA]},
        escalations={"Notte": [("conto", "anna")]},
    )
    models = {
        name: model_of(hass, entity_id)
        for name, entity_id in (
            ("recipient", "notify.anna"),
            ("recipients", "notify.anna"),
            ("escalation", "notify.notte"),
        )
    }
    for name, given in blueprint.inputs.items():
        for filter_ in filters_of(given):
            if filter_["integration"] == DOMAIN and "notify" in filter_["domain"]:
                device = {"integration": DOMAIN, "model": models[name]}
                assert filter_["device"] == device


def model_of(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return the model of an entity's device."""
    entity = er.async_get(hass).async_get(entity_id)
    assert entity is not None
    assert entity.device_id is not None
    device = dr.async_get(hass).async_get(entity.device_id)
    assert isinstance(device, dr.DeviceEntry)
    return device.model


def filters_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the filters of an input for entities of an integration."""
    selector = given["selector"].get("entity") or {}
    return [one for one in selector.get("filter", ()) if "integration" in one]


# Low credit

LOW_CREDIT: Mapping[str, object] = {
    "credit_low": "binary_sensor.casa_mia_credit_low",
    "credit": "sensor.casa_mia_credit",
    "notify_entities": ["notify.telephone"],
}

LOW: Mapping[str, tuple[str, str]] = {
    "en": (
        "SMS credit",
        (
            "The SMS credit of Casa mia is low: €4.20. "
            "Top it up, so that alarms still go out."
        ),
    ),
    "it": (
        "Credito SMS",
        (
            "Il credito SMS di Casa mia è basso: 4,20 €. "
            "Ricaricalo, perché gli allarmi partano ancora."
        ),
    ),
}


async def ask_credit(hass: HomeAssistant, hours: int) -> None:
    """Let accounts ask for their credit; `hours` counts from the real time."""
    time = timedelta(hours=hours, minutes=1)
    async_fire_time_changed(hass, dt_util.utcnow() + time)
    await hass.async_block_till_done(wait_background_tasks=True)


@EACH_LANGUAGE
async def test_low_credit_is_reported_by_another_channel(home: Home) -> None:
    """With the credit left; once, and again each morning until the top-up."""
    hass, simulator = home.hass, home.simulator
    # Not within the hour after which the credit is asked for.
    time = (dt_util.now() - timedelta(minutes=30)).strftime("%H:%M")
    simulator.set_credit("smshosting", 50)
    await home.accounts.set_up("smshosting", title="Casa mia")
    await home.automate("low_credit", {**LOW_CREDIT, "time": f"{time}:00"})
    simulator.set_credit("smshosting", "4.2")
    await ask_credit(hass, 1)
    low = LOW[home.language]
    assert home.telephone.got == [low]

    await reach(hass, time)
    assert home.telephone.got == [low, low]

    simulator.set_credit("smshosting", 54)
    await ask_credit(hass, 25)
    await reach(hass, time)
    assert home.telephone.got == [low, low]


async def test_an_outage_is_not_reported_as_low_credit(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    telephone: Telephone,
    automate: Automate,
) -> None:
    simulator.set_credit("smshosting", 50)
    await accounts.set_up("smshosting", title="Casa mia")
    await automate("low_credit", LOW_CREDIT)

    simulator.inject("smshosting", Fault.HTML, operation="credit")
    await ask_credit(hass, 1)
    await reach(hass, "09:00")

    assert telephone.got == []


# The weekly test

WEEKLY: Mapping[str, object] = {
    "recipient": "notify.anna",
    "notify_entities": ["notify.telephone"],
}

TEST: Mapping[str, str] = {
    "en": "Weekly test: the SMS alarms work.",
    "it": "Prova settimanale: gli allarmi via SMS funzionano.",
}

NOT_DELIVERED: Mapping[str, tuple[str, str]] = {
    "en": (
        "SMS test not confirmed",
        (
            "The test message to Anna was not delivered. Alarms may not arrive: look "
            "at the last messages and the repairs of SMS Italia."
        ),
    ),
    "it": (
        "Prova SMS senza conferma",
        (
            "Il messaggio di prova per Anna non è stato consegnato. Gli allarmi "
            "potrebbero non arrivare: guarda gli ultimi messaggi e le riparazioni di "
            "SMS Italia."
        ),
    ),
}

UNREPORTED: Mapping[str, tuple[str, str]] = {
    "en": (
        "SMS test not confirmed",
        (
            "The test message to Anna was sent, but its delivery was not reported. If "
            "this happens every week, look at the option Delivery reports of the "
            "account: without reports, this test proves nothing."
        ),
    ),
    "it": (
        "Prova SMS senza conferma",
        (
            "Il messaggio di prova per Anna è stato inviato, ma la sua consegna non è "
            "stata comunicata. Se succede ogni settimana, guarda l'opzione Rapporti di "
            "consegna dell'account: senza rapporti questa prova non dimostra nulla."
        ),
    ),
}

REPORTED: Mapping[str, Mapping[str, tuple[str, str]] | None] = {
    "delivered": None,
    "failed": NOT_DELIVERED,
    "sent": UNREPORTED,
}
"""What is notified of a test that came to this at the deadline."""


@dataclass(frozen=True, slots=True)
class Tomorrow:
    """A minute at whose begin a test is sent; its deadline is in the middle.

    Messages are created at the real time, which is after the same time of today.
    """

    minute: datetime

    @property
    def inputs(self) -> Mapping[str, object]:
        """Return the inputs of the weekly test for this day."""
        return {
            "day": self.minute.strftime("%a").lower(),
            "time": self.minute.strftime("%H:%M:00"),
            "deadline": self.minute.strftime("%H:%M:30"),
        }

    async def come(self, hass: HomeAssistant, second: int, days: int = 0) -> None:
        """Move the time to a second of the minute, on this day or days after it."""
        then = self.minute.replace(second=second, microsecond=0) + timedelta(days=days)
        async_fire_time_changed(hass, then)
        await hass.async_block_till_done(wait_background_tasks=True)


@pytest.fixture
def tomorrow() -> Tomorrow:
    """Return tomorrow, at a minute that is over today."""
    return Tomorrow(dt_util.now() + timedelta(days=1, minutes=-1))


@pytest.mark.usefixtures("quick")
@EACH_LANGUAGE
@pytest.mark.parametrize("fate", REPORTED)
async def test_a_test_that_is_not_delivered_in_time_is_reported(
    home: Home, tomorrow: Tomorrow, fate: str
) -> None:
    """By another channel; a delivered one is not. On one day of the week only."""
    hass, simulator = home.hass, home.simulator
    await home.accounts.set_up("smshosting", recipients=PEOPLE)
    await home.automate("weekly_test", {**WEEKLY, **tomorrow.inputs})

    await tomorrow.come(hass, 0)
    (message,) = simulator.messages
    assert (message.to, message.text) == (ANNA, TEST[home.language])
    simulator.move(message.id, fate)
    await until(lambda: status(hass, "anna") == fate)
    assert home.telephone.got == []

    await tomorrow.come(hass, 30)
    texts = REPORTED[fate]
    reported = [] if texts is None else [texts[home.language]]
    assert home.telephone.got == reported

    await tomorrow.come(hass, 0, days=1)
    await tomorrow.come(hass, 30, days=1)
    assert len(simulator.messages) == 1
    assert home.telephone.got == reported


@pytest.mark.parametrize("key", PROVIDERS)
async def test_an_account_that_reports_no_deliveries_is_no_silent_success(
    home: Home, tomorrow: Tomorrow, key: str
) -> None:
    """Nor is it a failure."""
    hass = home.hass
    options = {CONF_DELIVERY_REPORTS: "off"}
    await home.accounts.set_up(key, recipients=PEOPLE, options=options)
    await home.automate("weekly_test", {**WEEKLY, **tomorrow.inputs})

    await tomorrow.come(hass, 0)
    assert len(home.simulator.messages) == 1
    await tomorrow.come(hass, 30)

    assert home.telephone.got == [UNREPORTED[home.language]]


async def test_a_test_that_waits_for_its_provider_is_reported(
    home: Home, tomorrow: Tomorrow
) -> None:
    """It was not sent, and no report is missing."""
    await home.accounts.set_up("smshosting", recipients=PEOPLE)
    await home.automate("weekly_test", {**WEEKLY, **tomorrow.inputs})
    home.simulator.inject("smshosting", Fault.THROTTLED, times=9)

    await tomorrow.come(home.hass, 0)
    assert status(home.hass, "anna") == "queued"
    await tomorrow.come(home.hass, 30)

    assert home.telephone.got == [NOT_DELIVERED["en"]]


async def test_a_test_that_cannot_be_sent_is_reported(
    hass: HomeAssistant,
    accounts: Accounts,
    telephone: Telephone,
    automate: Automate,
    tomorrow: Tomorrow,
) -> None:
    """As when the account is not loaded."""
    await accounts.set_up("smshosting", entry_id="conto", recipients=PEOPLE)
    await automate("weekly_test", {**WEEKLY, **tomorrow.inputs})
    await hass.config_entries.async_unload("conto")

    await tomorrow.come(hass, 0)
    await tomorrow.come(hass, 30)

    assert telephone.got == [NOT_DELIVERED["en"]]


# An alarm that escalates


@EACH_LANGUAGE
async def test_an_alarm_calls_the_first_member_and_a_second_one_joins(
    home: Home,
) -> None:
    """A sensor that comes back from being unavailable is no alarm."""
    hass, simulator = home.hass, home.simulator
    await home.accounts.set_up(
        "inviosmart",
        entry_id="conto",
        recipients=PEOPLE,
        escalations={"Notte": [("conto", "anna"), ("conto", "bruno")]},
    )
    await home.automate(
        "escalating_alarm",
        {
            "alert_entities": ["binary_sensor.leak", "binary_sensor.smoke"],
            "escalation": "notify.notte",
            "message": "Alarm: {{ alert_name }}",
        },
    )

    await change(hass, "binary_sensor.leak", "off", "on")
    await until(lambda: len(arrived(simulator)) == 1)
    await change(hass, "binary_sensor.leak", "unavailable", "on")
    await change(hass, "binary_sensor.smoke", "off", "on")
    await until(lambda: len(arrived(simulator)) == 2)

    assert arrived(simulator) == [(ANNA, "Alarm: Lavanderia")] * 2


# An alarm with a picture


async def wait(hass: HomeAssistant, minutes: float) -> None:
    """Let time pass, counted from the real time."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=minutes))
    await hass.async_block_till_done(wait_background_tasks=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a restart loads again: an account and an automation from a blueprint."""

    provider: str
    name: str
    inputs: Mapping[str, object]


async def stop(hass: HomeAssistant) -> None:
    """Stop Home Assistant; the one of the test kit stores no state when it stops.

    So what is there afterwards is what a power cut would have left.
    """
    await rest(hass)
    await hass.config_entries.async_unload("conto")
    await hass.async_stop(force=True)


@asynccontextmanager
async def restarted(
    before: HomeAssistant, simulator: Simulator, probe: Probe, **sensors: str
) -> AsyncGenerator[HomeAssistant]:
    """Start Home Assistant on what was stored, with sensors in these states."""
    async with async_test_home_assistant(
        config_dir=before.config.config_dir, initial_state=CoreState.not_running
    ) as hass:
        hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
        # States are restored by the entity IDs in the registry.
        er.async_get(hass).entities.update(er.async_get(before).entities)
        await restore_state.async_get(hass).async_load()
        for sensor, state in sensors.items():
            hass.states.async_set(
                f"binary_sensor.{sensor}", state, {"friendly_name": "Lavanderia"}
            )
        await Accounts(hass, simulator).set_up(
            probe.provider, entry_id="conto", recipients=PEOPLE
        )
        await make_automation(hass, probe.name, probe.inputs)
        await hass.async_start()
        await hass.async_block_till_done(wait_background_tasks=True)
        yield hass
        await stop(hass)


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944"
    "4154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


class Courtyard(ImageEntity):
    """An image entity of another integration whose picture never changes."""

    _attr_content_type = "image/png"
    _attr_name = "Courtyard"
    _attr_unique_id = "courtyard"

    @override
    async def async_image(self) -> bytes:
        return PIXEL


PICTURE_ALARM: Mapping[str, object] = {
    "alert_entities": ["binary_sensor.door"],
    "camera": "image.courtyard",
    "recipients": ["notify.anna", "notify.bruno"],
    "minutes": 2,
}


@pytest.fixture
async def courtyard(hass: HomeAssistant, simulator: Simulator) -> None:
    """Create an image entity; Anna's and Bruno's phones have the app."""
    simulator.switch_on("smshosting", "push_plan")
    simulator.account("smshosting").push_phones |= {ANNA, BRUNO}
    await add_entity(hass, "image", Courtyard(hass))


def sent(simulator: Simulator) -> list[tuple[str, str]]:
    """Return the recipient and the channel of each message."""
    names = {numbers[0]: name for name, numbers in PEOPLE.items()}
    return [(names[message.to], message.channel) for message in simulator.messages]


def open_door(hass: HomeAssistant) -> None:
    """Trigger the alarm, without waiting for the automation, which waits itself."""
    for state in ("off", "on"):
        hass.states.async_set(
            "binary_sensor.door", state, {"friendly_name": "Cancello"}
        )


BY_PUSH = [("Anna", "push"), ("Bruno", "push")]


ALARM: Mapping[str, str] = {"en": "Alarm: Cancello", "it": "Allarme: Cancello"}


@pytest.mark.usefixtures("quick", "courtyard")
@EACH_LANGUAGE
async def test_an_sms_follows_where_the_push_is_not_delivered(home: Home) -> None:
    """When the time for the delivery is over; a second alarm before that is ignored."""
    hass, simulator = home.hass, home.simulator
    await home.accounts.set_up("smshosting", recipients=PEOPLE)
    await home.automate("picture_alarm", PICTURE_ALARM)

    open_door(hass)
    await until(lambda: sent(simulator) == BY_PUSH)
    anna, bruno = simulator.messages
    assert anna.text == ALARM[home.language]
    assert any(PIXEL in request.body for request in simulator.requests)
    simulator.move(anna.id, "delivered")
    await until(lambda: status(hass, "anna") == "delivered")
    open_door(hass)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=2.1))
    await hass.async_block_till_done(wait_background_tasks=True)

    assert sent(simulator) == [*BY_PUSH, ("Bruno", "sms")]
    *_, sms = simulator.messages
    assert sms.text == bruno.text


@pytest.mark.usefixtures("quick", "courtyard")
async def test_the_end_of_another_message_is_not_that_of_the_alarm(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    automate: Automate,
) -> None:
    """The alarm follows its own messages by their ids, not the recipient's last one."""
    await accounts.set_up("smshosting", recipients=PEOPLE)
    await automate("picture_alarm", {**PICTURE_ALARM, "recipients": ["notify.anna"]})

    open_door(hass)
    await until(lambda: sent(simulator) == [("Anna", "push")])
    await act_with(hass, "notify.send_message", "notify.anna", message="Alarm: Ciao")
    simulator.move(simulator.messages[1].id, "failed")
    await until(lambda: status(hass, "anna") == "failed")
    assert sent(simulator) == [("Anna", "push"), ("Anna", "sms")]

    simulator.move(simulator.messages[0].id, "expired")
    await until(lambda: len(simulator.messages) > 2)
    push, _, sms = simulator.messages
    assert (sms.channel, sms.text) == ("sms", push.text)


@pytest.mark.usefixtures("quick", "courtyard")
@pytest.mark.parametrize("fate", ["delivered", "failed"])
async def test_the_alarm_ends_when_every_push_has_a_final_status(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    automate: Automate,
    fate: str,
) -> None:
    """Long before the time is over; a failed one is followed by an SMS at once."""
    await accounts.set_up("smshosting", recipients=PEOPLE)
    await automate("picture_alarm", PICTURE_ALARM)

    open_door(hass)
    await until(lambda: sent(simulator) == BY_PUSH)
    for push in simulator.messages:
        simulator.move(push.id, fate)
    await hass.async_block_till_done(wait_background_tasks=True)

    by_sms = [(name, "sms") for name, _ in BY_PUSH if fate == "failed"]
    assert sorted(sent(simulator)) == sorted(BY_PUSH + by_sms)


@pytest.mark.usefixtures("quick", "courtyard")
@pytest.mark.parametrize("camera", ["image.courtyard", "camera.gone"])
async def test_people_without_push_get_an_sms_at_once(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    automate: Automate,
    camera: str,
) -> None:
    """Without the app, at another provider, or if there is no picture."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Carla": [CARLA]})
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})
    await automate(
        "picture_alarm", {**PICTURE_ALARM, "recipients": ALL_THREE, "camera": camera}
    )

    open_door(hass)
    await until(lambda: len(simulator.messages) == 3)

    anna = "sms" if camera == "camera.gone" else "push"
    assert sent(simulator) == [("Anna", anna), ("Bruno", "sms"), ("Carla", "sms")]
    for message in simulator.messages:
        simulator.move(message.id, "delivered")
    names = ("anna", "bruno", "carla")
    await until(lambda: {status(hass, name) for name in names} == {"delivered"})
    await wait(hass, 2.1)
    assert len(simulator.messages) == 3


@pytest.mark.usefixtures("courtyard")
async def test_an_sms_follows_a_push_that_a_restart_interrupted(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    automate: Automate,
) -> None:
    """Once: the message history shows that it was sent."""
    await accounts.set_up("smshosting", entry_id="conto", recipients=PEOPLE)
    await automate("picture_alarm", PICTURE_ALARM)
    open_door(hass)
    await until(lambda: sent(simulator) == BY_PUSH)
    await stop(hass)

    by_sms = [(name, "sms") for name, _ in BY_PUSH]
    probe = Probe(provider="smshosting", name="picture_alarm", inputs=PICTURE_ALARM)
    for _ in range(2):
        async with restarted(hass, simulator, probe):
            assert sorted(sent(simulator)) == sorted(BY_PUSH + by_sms)


# The daily digest

DIGEST: Mapping[str, object] = {
    "notify_entities": ["notify.telephone"],
    "credit_sensors": ["sensor.casa_mia_credit", "sensor.inviosmart_credit"],
}


OF_THE_DAY: Mapping[str, tuple[str, str]] = {
    "en": (
        "SMS of the day",
        (
            "SMS: 4. Delivered: 1, not delivered: 2, uncertain: 0, on their way: 1.\n"
            "Spent: €0.24\n"
            "Casa mia: €45.31\n"
            "Inviosmart: €112.18"
        ),
    ),
    "it": (
        "SMS del giorno",
        (
            "SMS: 4. Consegnati: 1, non consegnati: 2, incerti: 0, in viaggio: 1.\n"
            "Spesa: 0,24 €\n"
            "Casa mia: 45,31 €\n"
            "Inviosmart: 112,18 €"
        ),
    ),
}


@pytest.mark.usefixtures("quick")
@EACH_LANGUAGE
async def test_the_digest_counts_the_messages_of_the_day(home: Home) -> None:
    """Of all accounts, with their cost and the credit left; not what was cancelled."""
    hass, simulator = home.hass, home.simulator
    await home.accounts.set_up("smshosting", title="Casa mia", recipients=PEOPLE)
    await home.accounts.set_up("inviosmart", recipients={"Dario": ["+393331112223"]})
    await home.automate("daily_digest", DIGEST)
    fates = {
        "anna": "delivered",
        "bruno": "failed",
        "carla": "sent",
        "dario": "expired",
    }
    for person in fates:
        await act_with(hass, "notify.send_message", f"notify.{person}", message="Ciao")
    for message, fate in zip(simulator.messages, fates.values(), strict=True):
        simulator.move(message.id, fate)
    for person, fate in fates.items():
        await until(lambda: status(hass, person) == fate)  # noqa: B023 - awaited here
    later = {"message": "Ciao", "send_at": "2100-01-01 00:00:00"}
    answer = await call(hass, "send_sms", entity_id="notify.dario", **later)
    await call(hass, "cancel", message_id=answer["messages"][0]["id"])
    # Not by letting an hour pass: it may pass the time of the digest.
    for entry in hass.config_entries.async_loaded_entries("sms_italia"):
        await entry.runtime_data.coordinator.async_refresh()

    await reach(hass, "20:00")

    assert home.telephone.got == [OF_THE_DAY[home.language]]


@pytest.mark.parametrize("only_if_sent", [True, False])
async def test_a_day_without_messages_has_a_digest_only_if_that_is_selected(
    hass: HomeAssistant,
    accounts: Accounts,
    telephone: Telephone,
    automate: Automate,
    only_if_sent: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await accounts.set_up("transactionale")
    await automate(
        "daily_digest",
        {
            "notify_entities": ["notify.telephone"],
            "time": "07:00:00",
            "only_if_sent": only_if_sent,
        },
    )

    await reach(hass, "07:00")

    text = (
        "SMS: 0. Delivered: 0, not delivered: 0, uncertain: 0, on their way: 0.\n"
        "Spent: €0.00"
    )
    assert telephone.got == ([] if only_if_sent else [("SMS of the day", text)])


async def test_more_messages_than_one_response_contains_are_all_counted(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    telephone: Telephone,
    automate: Automate,
) -> None:
    simulator.set_credit("smshosting", 1000)
    await accounts.set_up("smshosting", options={CONF_DAILY_LIMIT: 0})
    await automate("daily_digest", {**DIGEST, "message": "{{ total }} {{ waiting }}"})
    await hass.services.async_call(
        "sms_italia",
        "send_sms",
        {
            "numbers": [f"+39333{number:07}" for number in range(1003)],
            "message": "Ciao",
        },
        blocking=True,
    )

    await reach(hass, "20:00")

    assert telephone.got == [("SMS of the day", "1003 1003")]
