"""Everything that users can copy from the pages works, in both languages."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
import json
from pathlib import Path
import re
from textwrap import dedent
from typing import Any, override
from urllib.parse import parse_qs

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.const import EVENT_CALL_SERVICE
from homeassistant.core import HomeAssistant, valid_entity_id
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.sms_italia.const import CONF_RETRY_FOR, DOMAIN
from custom_components.sms_italia.services.responses import MESSAGE_KEYS
from simulator import Simulator

from .accounts import Accounts, arrived, until
from .yaml_reader import FOREIGN, Reader, trouble_with

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INTEGRATION = ROOT / "custom_components" / "sms_italia"
TRANSLATIONS = INTEGRATION / "translations"
MANIFEST: Mapping[str, str] = json.loads((INTEGRATION / "manifest.json").read_text())

ANNA = "+393331234567"
BRUNO = "+393409876543"

LANGUAGES = ("en", "it")
EACH_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


# What is in the pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """YAML that a page shows; `line` is where it begins."""

    page: str
    line: int
    text: str

    @override
    def __str__(self) -> str:
        """Return the page and the line."""
        return f"{self.page}:{self.line}"

    @property
    def content(self) -> Any:  # noqa: ANN401 - any YAML
        """Return what Home Assistant reads in it."""
        return parse_yaml(self.text)


def language_of(page: str) -> str:
    """Return the language that a page is written in."""
    return "it" if page == "README.it.md" or page.startswith("docs/it/") else "en"


def twin_of(page: str) -> str:
    """Return the Italian page that an English one has."""
    if page == "README.md":
        return "README.it.md"
    return page.replace("docs/", "docs/it/")


def read_block(page: str, phrase: str) -> Any:  # noqa: ANN401 - any YAML
    """Return the one YAML block of a page that has a phrase in it."""
    (block,) = (block for block in blocks_of(page) if phrase in block.text)
    return block.content


def blocks_of(page: str) -> list[Block]:
    """Return the YAML of a page, in its order."""
    text = (ROOT / page).read_text("utf-8")
    fence = r"^( *)```ya?ml *\n(.*?)^\1```$"
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            text=dedent(found[2]),
        )
        for found in re.finditer(fence, text, re.MULTILINE | re.DOTALL)
    ]


PAGES = [
    page
    for path in sorted([*ROOT.glob("README*.md"), *DOCS.glob("**/*.md")])
    if blocks_of(page := path.relative_to(ROOT).as_posix())
]


# The Home Assistant that they are tried in


type Make = Callable[[str], Awaitable[None]]
"""Creates something with the names of a language."""


@pytest.fixture
def make_example(hass: HomeAssistant, accounts: Accounts) -> Make:
    """Return a function that creates the account and recipients of the pages."""

    async def make_example(language: str) -> None:
        hass.config.language = language
        await accounts.set_up(
            "smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
        )

    return make_example


OURS = re.compile(
    r"\b(?:binary_sensor|button|event|notify|sensor)\."
    r"(?:smshosting|anna|bruno)(?:_[a-z0-9_]+)?\b"
)
"""The entities and the action of the example."""


@pytest.mark.parametrize("page", PAGES)
async def test_home_assistant_accepts_every_block_of_a_page(
    hass: HomeAssistant, make_example: Make, page: str
) -> None:
    """With the account and recipients of the pages.

    The entities in the sentences must exist too, with their names in the language.
    """
    await make_example(language_of(page))
    actions = hass.services.async_services_for_domain("notify")
    known = {*hass.states.async_entity_ids(), *(f"notify.{name}" for name in actions)}
    troubles = [
        f"{page}: there is no {name}"
        for name in OURS.findall((ROOT / page).read_text("utf-8"))
        if name not in known
    ]
    troubles += [
        f"{block}: {trouble}"
        for block in blocks_of(page)
        if (trouble := await trouble_with(hass, block.text)) is not None
    ]
    assert not troubles, "\n".join(troubles)


async def test_wrong_yaml_is_found(hass: HomeAssistant, make_example: Make) -> None:
    """Otherwise the test above would prove nothing."""
    await make_example("en")
    wrong = {
        "triggers: []\nactions: [{action: notify.send_message}]": "message",
        "triggers: [{trigger: event.sent}]\nactions: []": "event.sent",
        "action: sms_italia.send_sms\ndata: {message: Hi, flash: true}": "flash",
        "action: sms_italia.call_a_taxi": "call_a_taxi",
        "action: sms_italia.estimate\ndata: {title: '{{ 1 }}'}": "message",
        "- delay: soon": "soon",
        "sequence: [{wait_for: it}]": "determine action",
        "alert: {leak: {name: Leak, entity_id: nothing, repeat: 1}}": "nothing",
        "notify: [{platform: group, name: a, services: [{action: pony}]}]": "pony",
        "homeassistant: {latitude: far}": "latitude",
        "telegraph: {}": "no known kind",
        "just a sentence": "no known kind",
        "message: Alarm: 21 °C": "not allowed here",
        "type: custom:mushroom-chips-card": "custom",
        "type: tile\nentity: sensor.nothing": "sensor.nothing",
        "type: tile\nentity: notify.anna\nfeatures: [{type: graph}]": "graph",
        "type: heading\nbadges: [{type: sheriff}]": "sheriff",
        "type: entities\nentities: [{type: oar}]": "oar",
        "type: button\ntap_action: {perform_action: script.no}": "script.no",
        "type: gauge\nentity: sensor.anna_last_delivery_status": "float",
    }
    for text, problem in wrong.items():
        assert problem in str(await trouble_with(hass, text))


# Two languages

TEXTS = frozenset(
    {
        *("action_name", "alias", "done_message", "filename", "heading", "message"),
        *("name", "response_variable", "text", "title"),
    }
)
"""The keys of texts and names, which differ between the languages."""


def skeleton(key: str, content: object) -> object:
    """Return what must be the same in both languages."""
    match content:
        case Mapping():
            return {name: skeleton(name, value) for name, value in content.items()}
        case list():
            return [skeleton(key, item) for item in content]
        case str():
            return bones(key, content)
        case _:
            return content


def bones(key: str, text: str) -> object:
    """Return the part of a text that does not depend on the language."""
    if "{{" in text or "{%" in text:
        # What a template does: neither its texts nor the names of entities.
        return [
            re.sub(r"'[^']*'|\bstates\.\w+\.\w+", "", " ".join(code.split()))
            for code in re.findall(r"\{[{%].*?[}%]\}", text, re.DOTALL)
        ]
    if key in TEXTS:
        return None
    if text.removeprefix("notify.").startswith(FOREIGN):
        return FOREIGN
    if key != "action" and valid_entity_id(text):
        return text.partition(".")[0]
    return text


@pytest.mark.parametrize("page", [page for page in PAGES if language_of(page) == "en"])
def test_both_languages_show_the_same(page: str) -> None:
    """The same blocks in the same order, apart from texts and names."""
    english, italian = blocks_of(page), blocks_of(twin_of(page))

    assert len(english) == len(italian)
    for one, other in zip(english, italian, strict=True):
        shown = skeleton("", one.content), skeleton("", other.content)
        assert shown[0] == shown[1], f"{one} and {other}"


ENGLISH_ONLY = {"docs/performance.md", "docs/reliability.md"}
"""The pages that scripts write."""

OUTLINE = {
    "headings": r"^#+(?= )",
    "points": r"^ *-(?= )",
    "steps": r"^ *\d+\.(?= )",
    "rows": r"^\|",
    "remarks": r"(?:^>.*\n)+",
    "pictures": r"!\[",
    "links": r"(?<!!)\[[^\]]+(?=\]\()",
}
"""What a page is made of, apart from its sentences."""


def outline_of(page: str) -> Mapping[str, object]:
    """Return the levels of a page's headings, and how many there are of the others."""
    text = (ROOT / page).read_text("utf-8")
    prose = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = {
        part: re.findall(pattern, prose, re.MULTILINE)
        for part, pattern in OUTLINE.items()
    }
    counts = {part: len(ones) for part, ones in found.items()}
    return {**counts, "headings": found["headings"]}


@pytest.mark.parametrize(
    "page",
    sorted(
        {
            "README.md",
            *(path.relative_to(ROOT).as_posix() for path in DOCS.glob("*.md")),
        }
        - ENGLISH_ONLY
    ),
)
def test_both_languages_have_the_same_outline(page: str) -> None:
    """The same headings, lists, tables and pictures, and as many links."""
    assert outline_of(page) == outline_of(twin_of(page)), f"{page}, {twin_of(page)}"


# Links and labels

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize(
    "page",
    [
        path.relative_to(ROOT).as_posix()
        for path in sorted(
            [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *DOCS.glob("**/*.md")]
        )
    ],
)
def test_every_link_leads_somewhere(page: str) -> None:
    """To a file of the project, and to a heading that it has."""
    here = ROOT / page
    for name, anchor in LINK.findall(here.read_text("utf-8")):
        there = here.parent / name if name else here
        assert there.exists(), name
        assert not anchor or anchor in anchors_of(there), f"{name}#{anchor}"


OWN_PAGE = re.compile(
    re.escape(MANIFEST["documentation"]) + r"/blob/main/([\w./-]+)(?:#([^)\s\"'\\]+))?"
)

LINKING = sorted(
    path
    for path in {
        *ROOT.glob("*.md"),
        *(ROOT / ".github").rglob("*.yml"),
        *(ROOT / "blueprints").rglob("*.yaml"),
        *DOCS.rglob("*.md"),
        *INTEGRATION.rglob("*"),
    }
    if path.suffix in {".js", ".json", ".md", ".py", ".yaml", ".yml"}
    and OWN_PAGE.search(path.read_text("utf-8"))
)
"""The files that name a page of the project by its address at GitHub."""


@pytest.mark.parametrize(
    "path", LINKING, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_address_of_a_page_leads_somewhere(path: Path) -> None:
    """Also those in blueprints, in forms for issues, and in the code."""
    for name, anchor in OWN_PAGE.findall(path.read_text("utf-8")):
        assert (ROOT / name).exists(), name
        assert not anchor or anchor in anchors_of(ROOT / name), f"{name}#{anchor}"


MY_LINK = re.compile(r"https://my\.home-assistant\.io/redirect/(\w+)/\?([^)\s]+)")


@pytest.mark.parametrize("page", ["README.md", "README.it.md"])
def test_the_buttons_of_the_readme_lead_to_this_integration(page: str) -> None:
    """To its repository, and then to its set-up."""
    owner, name = MANIFEST["documentation"].split("/")[-2:]

    links = dict(MY_LINK.findall((ROOT / page).read_text("utf-8")))

    assert {redirect: parse_qs(query) for redirect, query in links.items()} == {
        "hacs_repository": {
            "owner": [owner],
            "repository": [name],
            "category": ["integration"],
        },
        "config_flow_start": {"domain": [DOMAIN]},
    }


OPTION = re.compile(r"\| ([^|]+) \(`(\w+)`\) \|")


@EACH_LANGUAGE
def test_options_have_the_labels_of_the_ui(language: str) -> None:
    """All of them, on the page about options."""
    page = "docs/options.md" if language == "en" else "docs/it/options.md"
    texts = json.loads((TRANSLATIONS / f"{language}.json").read_text("utf-8"))
    labels: dict[str, str] = {}
    for section in texts["options"]["step"]["init"]["sections"].values():
        labels |= section["data"]

    found = {
        key: label for label, key in OPTION.findall((ROOT / page).read_text("utf-8"))
    }
    faults = {
        key for key in found.keys() | labels.keys() if found.get(key) != labels.get(key)
    }
    assert not faults, f"{page} and translations/{language}.json differ"


@EACH_LANGUAGE
def test_the_response_of_send_sms_is_shown_as_it_is(language: str) -> None:
    """With the same fields in the same order; its values have a test of their own."""
    page = DOCS / ("actions.md" if language == "en" else "it/actions.md")
    (shown,) = re.findall(
        r"^```json\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    response = json.loads(shown)

    assert list(response) == ["messages", "credit"]
    assert [tuple(message) for message in response["messages"]] == [MESSAGE_KEYS]


# The dashboard


def documented(name: str, language: str) -> Mapping[str, Any]:
    """Return a YAML file of the documentation."""
    folder = DOCS if language == "en" else DOCS / language
    return load_yaml_dict(str(folder / name))


@EACH_LANGUAGE
async def test_the_dashboard_shows_only_existing_entities(
    hass: HomeAssistant,
    make_example: Make,
    language: str,
) -> None:
    """A message is sent first, so that sensors have values."""
    await make_example(language)
    await hass.services.async_call(
        "notify", "smshosting", {"message": "Ciao"}, blocking=True
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    await Reader(hass).read(documented("dashboard.yaml", language))


def test_both_dashboards_are_the_same() -> None:
    english, italian = (
        documented("dashboard.yaml", language) for language in LANGUAGES
    )

    assert skeleton("", english) == skeleton("", italian)


# The examples


EXAMPLES = "docs/automations.md"


@pytest.fixture
def notes(hass: HomeAssistant) -> Callable[[], list[str]]:
    """Return a function that returns the texts of all persistent notifications."""
    calls = async_capture_events(hass, EVENT_CALL_SERVICE)

    def notes() -> list[str]:
        return [
            " ".join(call.data["service_data"]["message"].split())
            for call in calls
            if call.data["domain"] == "persistent_notification"
        ]

    return notes


async def automate(hass: HomeAssistant, *phrases: str) -> None:
    """Create the automations of the page that contain these phrases."""
    assert await async_setup_component(hass, "persistent_notification", {})
    config = {AUTOMATION: [read_block(EXAMPLES, phrase) for phrase in phrases]}
    assert await async_setup_component(hass, AUTOMATION, config)
    await hass.async_block_till_done()


async def run(hass: HomeAssistant, phrase: str) -> None:
    """Run the actions of the page that contain a phrase."""
    assert await async_setup_component(hass, "persistent_notification", {})
    config = {"script": {"example": {"sequence": read_block(EXAMPLES, phrase)}}}
    assert await async_setup_component(hass, "script", config)
    await hass.services.async_call("script", "example", blocking=True)


@pytest.mark.usefixtures("quick")
async def test_a_final_status_triggers_automations(
    hass: HomeAssistant,
    make_example: Make,
    simulator: Simulator,
    notes: Callable[[], list[str]],
) -> None:
    """With the recipient's name, or the number where there is none."""
    await make_example("en")
    assert await async_setup_component(
        hass, "input_boolean", {"input_boolean": {"bruno_knows": {}}}
    )
    await automate(hass, "SMS that did not arrive", "Bruno has the message")

    async def send(target: str, fate: str) -> None:
        await hass.services.async_call(
            "notify",
            "smshosting",
            {"message": "Ciao", "target": [target]},
            blocking=True,
        )
        simulator.move(simulator.messages[-1].id, fate)

    await send("Anna", "delivered")
    await send("+393201112223", "failed")
    await until(notes)
    assert notes() == ["The SMS to ***223 did not arrive."]
    assert hass.states.is_state("input_boolean.bruno_knows", "off")
    await send("Bruno", "delivered")
    await until(lambda: hass.states.is_state("input_boolean.bruno_knows", "on"))


@pytest.mark.parametrize(
    ("fate", "noted"), [("delivered", []), ("failed", ["Anna does not know yet."])]
)
@pytest.mark.usefixtures("quick")
async def test_an_automation_waits_for_the_end_of_the_message_that_it_sent(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    make_example: Make,
    simulator: Simulator,
    notes: Callable[[], list[str]],
    fate: str,
    noted: list[str],
) -> None:
    """An earlier one that ends meanwhile does not count."""
    await make_example("en")
    assert await async_setup_component(hass, "persistent_notification", {})
    config = {AUTOMATION: [read_block("docs/triggers.md", "Anna must know")]}
    assert await async_setup_component(hass, AUTOMATION, config)
    anna = {"entity_id": "notify.anna", "message": "Ciao"}
    await hass.services.async_call("notify", "send_message", anna, blocking=True)

    hass.states.async_set("binary_sensor.laundry_leak", "off")
    hass.states.async_set("binary_sensor.laundry_leak", "on")
    await until(lambda: len(simulator.messages) > 1)
    earlier, alarm = simulator.messages
    simulator.move(earlier.id, "delivered" if noted else "failed")
    await until(lambda: status_of_event(hass) is not None)
    simulator.move(alarm.id, fate)
    await until(lambda: status_of_event(hass) == fate)
    await hass.async_block_till_done()

    assert notes() == noted


def status_of_event(hass: HomeAssistant) -> str | None:
    """Return the type of the account's last event."""
    event = hass.states.get("event.smshosting_delivery")
    assert event is not None
    kind = event.attributes["event_type"]
    assert kind is None or isinstance(kind, str)
    return kind


async def test_low_credit_is_reported(
    hass: HomeAssistant,
    make_example: Make,
    notes: Callable[[], list[str]],
) -> None:
    await make_example("en")
    await automate(hass, "SMS credit under 3 euro")

    hass.states.async_set("sensor.smshosting_credit", "2.95")
    await hass.async_block_till_done()

    assert notes() == ["2.95 euro are left."]


@pytest.mark.parametrize(
    ("without_credit", "reported"),
    [
        ([], []),
        (["inviosmart"], ["+393409876543: failed credit"]),
        (["inviosmart", "smshosting"], ["No SMS was confirmed."]),
    ],
)
async def test_an_sms_that_cannot_be_sent_is_reported_on_the_screen(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    notes: Callable[[], list[str]],
    without_credit: list[str],
    reported: list[str],
) -> None:
    once = {CONF_RETRY_FOR: 0}
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]}, options=once)
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]}, options=once)
    for key in without_credit:
        simulator.set_credit(key, 0)

    await run(hass, "No SMS was confirmed")

    assert notes() == reported


async def test_an_alert_is_sent_by_the_accounts_own_action(
    hass: HomeAssistant, make_example: Make, simulator: Simulator
) -> None:
    await make_example("en")
    config = read_block(EXAMPLES, "laundry_leak:")
    assert await async_setup_component(hass, "alert", config)

    hass.states.async_set("binary_sensor.laundry_leak", "on")
    await hass.async_block_till_done()

    assert {number for number, _ in arrived(simulator)} == {ANNA, BRUNO}
    for _, text in arrived(simulator):
        assert re.fullmatch(r"Home\nWater leak since \d\d:\d\d", text)
    hass.states.async_set("binary_sensor.laundry_leak", "off")
    await hass.async_block_till_done()
    assert arrived(simulator)[-1][1] == "Home\nThe laundry is dry again"


async def test_the_burglar_alarm_names_the_sensors_that_triggered_it(
    hass: HomeAssistant, make_example: Make, simulator: Simulator
) -> None:
    """If the panel has them in its attributes."""
    await make_example("en")
    await automate(hass, "alarm_control_panel.triggered")
    panel = "alarm_control_panel.alarmo"
    for number, name in enumerate(("Porta", "Finestra")):
        hass.states.async_set(f"binary_sensor.s{number}", "on", {"friendly_name": name})

    for sensors in ({"binary_sensor.s0": "on", "binary_sensor.s1": "on"}, None):
        for state in ("armed_away", "triggered"):
            hass.states.async_set(panel, state, {"open_sensors": sensors})
            await hass.async_block_till_done()

    texts = [
        text.partition("\n") for number, text in arrived(simulator) if number == ANNA
    ]
    assert {title for title, _, _ in texts} == {"ALARM"}
    assert [text.split(maxsplit=1)[1] for _, _, text in texts] == [
        "Porta, Finestra",
        "Triggered",
    ]


async def test_a_reminder_waits_until_its_time_and_can_be_cancelled(
    hass: HomeAssistant,
    make_example: Make,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    # The messenger goes by the real time, which is before tomorrow's evening.
    evening = dt_util.now() + timedelta(days=1)
    freezer.move_to(evening.replace(hour=18, minute=0, second=0))
    await make_example("en")
    for domain, name in (("input_text", "reminder_sms"), ("input_boolean", "bins_out")):
        assert await async_setup_component(hass, domain, {domain: {name: {}}})
    await automate(hass, "Remind Bruno of the bins", "The bins are out")

    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    (message,) = simulator.messages
    assert message.scheduled is not None
    assert dt_util.as_local(message.scheduled).strftime("%H:%M") == "21:30"
    freezer.tick(60)
    await hass.services.async_call(
        "input_boolean",
        "turn_on",
        {"entity_id": "input_boolean.bins_out"},
        blocking=True,
    )
    await hass.async_block_till_done()

    assert status_of_event(hass) == "cancelled"
    await hass.services.async_call(
        AUTOMATION, "turn_off", {"entity_id": "all"}, blocking=True
    )


@pytest.mark.parametrize(
    "text",
    ["Bora " * 9, "Bora " * 90, "Neve ❄ " * 30],
    ids=["short", "long", "long and not plain"],
)
async def test_a_long_text_is_shortened_to_one_part(
    hass: HomeAssistant, make_example: Make, simulator: Simulator, text: str
) -> None:
    await make_example("en")
    hass.states.async_set("sensor.weather_warning", "on", {"text": text})

    await run(hass, "sms_italia.estimate")

    (message,) = simulator.messages
    assert message.parts == 1
    assert message.text.startswith(text[:40])
