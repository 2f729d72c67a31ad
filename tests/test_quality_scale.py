"""Home Assistant's quality scale: what is pledged, and the proof where one is possible.

Each rule that is done is proved here, or by the test that `PROVED_BY` names, or by the
chapter of the manual that `DOCUMENTED_IN` names.
"""

import ast
from collections.abc import Iterator, Mapping
from importlib import import_module, metadata
import json
from pathlib import Path
import struct
import tomllib
from typing import Any

import homeassistant
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components import sms_italia
from custom_components.sms_italia import PLATFORMS, config_flow
from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from custom_components.sms_italia.runtime import AccountRuntime

from .accounts import Accounts

BRONZE = (
    "action-setup",
    "appropriate-polling",
    "brands",
    "common-modules",
    "config-flow",
    "config-flow-test-coverage",
    "dependency-transparency",
    "docs-actions",
    "docs-conditions",
    "docs-high-level-description",
    "docs-installation-instructions",
    "docs-removal-instructions",
    "docs-triggers",
    "entity-event-setup",
    "entity-unique-id",
    "has-entity-name",
    "runtime-data",
    "test-before-configure",
    "test-before-setup",
    "unique-config-entry",
)
SILVER = (
    "action-exceptions",
    "config-entry-unloading",
    "docs-configuration-parameters",
    "docs-installation-parameters",
    "entity-unavailable",
    "integration-owner",
    "log-when-unavailable",
    "parallel-updates",
    "reauthentication-flow",
    "test-coverage",
)
GOLD = (
    "devices",
    "diagnostics",
    "discovery",
    "discovery-update-info",
    "docs-data-update",
    "docs-examples",
    "docs-known-limitations",
    "docs-supported-devices",
    "docs-supported-functions",
    "docs-troubleshooting",
    "docs-use-cases",
    "dynamic-devices",
    "entity-category",
    "entity-device-class",
    "entity-disabled-by-default",
    "entity-translations",
    "exception-translations",
    "icon-translations",
    "reconfiguration-flow",
    "repair-issues",
    "stale-devices",
)
PLATINUM = ("async-dependency", "inject-websession", "strict-typing")

ROOT = Path(sms_italia.__file__).parent
REPOSITORY = ROOT.parents[1]
SOURCES = sorted(ROOT.rglob("*.py"))
ROOMS = sorted(
    path
    for path in SOURCES
    if path.relative_to(ROOT).parts[0] not in {"messaging", "providers"}
)
PROJECT: Mapping[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
MANIFEST: Mapping[str, Any] = json.loads((ROOT / "manifest.json").read_text())
ICONS: Mapping[str, Any] = json.loads((ROOT / "icons.json").read_text())
SCALE = load_yaml_dict(str(ROOT / "quality_scale.yaml"))["rules"]

PROVED_BY = {
    "config-flow": "test_translations.test_every_field_of_an_account_is_described",
    "config-flow-test-coverage": (
        "test_config_flow.test_a_provider_in_trouble_keeps_the_form_open"
    ),
    "dependency-transparency": (
        "test_manifest.test_the_requirements_are_those_that_are_tested"
    ),
    "entity-event-setup": "test_init.test_an_unloaded_account_leaves_nothing_behind",
    "test-before-configure": (
        "test_config_flow.test_wrong_credentials_keep_the_form_open"
    ),
    "unique-config-entry": "test_config_flow.test_the_same_account_is_not_made_twice",
    "action-exceptions": (
        "services/test_send.test_the_action_fails_when_all_accounts_do"
    ),
    "entity-unavailable": (
        "test_sensor.test_credit_is_unavailable_while_the_provider_is"
    ),
    "reauthentication-flow": (
        "test_config_flow.test_new_credentials_let_an_account_in_again"
    ),
    "log-when-unavailable": "test_coordinator.test_a_lost_provider_is_logged_once",
    "diagnostics": "test_diagnostics.test_the_diagnostics_of_each_provider",
    "entity-translations": ("test_manifest.test_every_entity_has_an_icon_and_a_name"),
    "reconfiguration-flow": (
        "test_config_flow.test_an_account_never_becomes_another_customers"
    ),
    "repair-issues": (
        "test_issues.test_low_credit_is_an_issue_until_the_account_is_topped_up"
    ),
    "stale-devices": ("test_changes.test_recipients_come_and_go_with_their_subentries"),
}
"""The tests of other rooms that prove a rule."""

DOCUMENTED_IN = {
    "docs-actions": (
        ("docs/actions.md", "Send SMS", "Estimate", "Find messages", "Cancel"),
        ("docs/it/actions.md", "Inviare un SMS", "Stima", "Cercare messaggi"),
    ),
    "docs-conditions": (
        ("docs/triggers.md", "The conditions"),
        ("docs/it/triggers.md", "Le condizioni"),
    ),
    "docs-configuration-parameters": (
        ("docs/options.md", "Text", "Limits and credit", "When sending fails"),
        (
            "docs/it/options.md",
            "Testo",
            "Limiti e credito",
            "Quando l'invio non riesce",
        ),
    ),
    "docs-data-update": (
        ("docs/entities.md", "When they change"),
        ("docs/it/entities.md", "Quando cambiano"),
    ),
    "docs-examples": (
        ("docs/automations.md", "Blueprints", "When the credit gets low"),
        ("docs/it/automations.md", "Blueprint", "Quando il credito sta per finire"),
    ),
    "docs-high-level-description": (
        ("README.md", "SMS Italia", "What it does"),
        ("README.it.md", "SMS Italia", "Che cosa fa"),
    ),
    "docs-installation-instructions": (
        ("README.md", "Installation", "In the Marketplace", "With HACS", "By hand"),
        ("README.it.md", "Installazione", "Nel Marketplace", "Con HACS", "A mano"),
    ),
    "docs-installation-parameters": (
        ("docs/setup.md", "Senders in Italy", "Recipients"),
        ("docs/it/setup.md", "I mittenti in Italia", "Destinatari"),
    ),
    "docs-known-limitations": (
        ("docs/delivery.md", "Limits"),
        ("docs/it/delivery.md", "Limiti"),
    ),
    "docs-removal-instructions": (
        ("docs/setup.md", "Removal"),
        ("docs/it/setup.md", "Disinstallazione"),
    ),
    "docs-supported-functions": (
        ("docs/entities.md", "The account", "The recipient", "Repairs"),
        ("docs/it/entities.md", "L'account", "Il destinatario", "Riparazioni"),
    ),
    "docs-triggers": (
        ("docs/triggers.md", "The triggers", "The data of a message"),
        ("docs/it/triggers.md", "Le attivazioni", "I dati di un messaggio"),
    ),
    "docs-troubleshooting": (
        ("docs/troubleshooting.md", "When something does not work"),
        ("docs/it/troubleshooting.md", "Quando qualcosa non funziona"),
    ),
    "docs-use-cases": (
        ("docs/automations.md", "When a message did not arrive", "The burglar alarm"),
        ("docs/it/automations.md", "Quando un messaggio non è arrivato", "L'antifurto"),
    ),
}
"""The page and the chapters of each rule about the manual, in both languages."""


PROVED_HERE = {
    "action-setup": "test_actions_are_there_without_an_account",
    "appropriate-polling": "test_a_provider_is_not_asked_too_often",
    "brands": "test_the_brand_has_pictures_of_the_right_size",
    "common-modules": "test_common_modules_have_their_usual_names",
    **dict.fromkeys(
        (
            "entity-category",
            "entity-device-class",
            "entity-unique-id",
            "has-entity-name",
        ),
        "test_every_entity_has_all_it_needs",
    ),
    **dict.fromkeys(
        ("config-entry-unloading", "runtime-data"),
        "test_what_belongs_to_an_account_is_there_while_it_is_loaded",
    ),
    "integration-owner": "test_the_integration_has_an_owner",
    "parallel-updates": "test_each_platform_says_how_many_updates_run_at_once",
    "test-coverage": "test_little_is_left_uncovered",
    "devices": "test_an_account_and_its_recipients_are_devices_that_can_be_read",
    "entity-disabled-by-default": "test_no_entity_needs_to_be_enabled_as_there_are_few",
    "exception-translations": "test_what_a_person_reads_of_an_error_is_translated",
    "icon-translations": "test_icons_show_states_and_ranges",
    **dict.fromkeys(
        ("async-dependency", "inject-websession"),
        "test_nothing_blocks_and_the_session_is_home_assistants",
    ),
    "strict-typing": "test_everything_is_typed_strictly",
}
"""The tests of this module that prove a rule."""

MOST_ENTITIES = {"account": 12, "recipient": 3}
"""How many are few enough to be enabled all; more need another argument."""


# The pledge


def test_every_rule_is_pledged() -> None:
    """All 54, and no other."""
    assert len({*BRONZE, *SILVER, *GOLD, *PLATINUM}) == 54
    assert SCALE.keys() == {*BRONZE, *SILVER, *GOLD, *PLATINUM}


def status_of(rule: str) -> str:
    """Return what is pledged of a rule."""
    pledge = SCALE[rule]
    return str(pledge["status"] if isinstance(pledge, dict) else pledge)


@pytest.mark.parametrize("rule", SCALE)
def test_a_rule_is_done_or_it_is_argued_why_not(rule: str) -> None:
    assert status_of(rule) in {"done", "exempt"}
    if status_of(rule) == "exempt":
        assert len(SCALE[rule]["comment"]) > 20


@pytest.mark.parametrize("precedent", ["mqtt", "esphome"])
def test_a_precedent_is_one(precedent: str) -> None:
    """Core's integrations that an exemption names have the same one."""
    scale = Path(homeassistant.__file__).parent / "components" / precedent
    rules = load_yaml_dict(str(scale / "quality_scale.yaml"))["rules"]

    assert precedent in SCALE["test-before-setup"]["comment"]
    assert rules["test-before-setup"]["status"] == "exempt"


def test_what_is_done_is_proved_somewhere() -> None:
    """By exactly one of the three ways."""
    done = [rule for rule in SCALE if status_of(rule) == "done"]

    assert sorted(done) == sorted([*PROVED_BY, *PROVED_HERE, *DOCUMENTED_IN])


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        *PROVED_BY.items(),
        *((rule, f"test_quality_scale.{name}") for rule, name in PROVED_HERE.items()),
    ],
    ids=[*PROVED_BY, *PROVED_HERE],
)
def test_the_named_proof_exists(rule: str, name: str) -> None:
    """Under that name, in that module."""
    module, _, function = name.partition(".")
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text())

    assert function in {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }, rule


# Bronze


async def test_actions_are_there_without_an_account(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """And stay when the last one is unloaded: a call then fails in words."""
    assert await async_setup_component(hass, DOMAIN, {})
    actions = {*hass.services.async_services_for_domain(DOMAIN)}
    assert actions >= {"send_sms"}

    account = await accounts.set_up("smshosting")
    assert await hass.config_entries.async_unload(account.entry_id)

    assert {*hass.services.async_services_for_domain(DOMAIN)} == actions


@pytest.mark.parametrize("key", PROVIDERS)
async def test_a_provider_is_not_asked_too_often(accounts: Accounts, key: str) -> None:
    """The credit does not change by itself: an hour is soon enough."""
    account = await accounts.set_up(key)

    interval = account.runtime_data.coordinator.update_interval
    assert interval is not None
    assert interval.total_seconds() >= 1800


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("icon.png", 256),
        ("icon@2x.png", 512),
        ("dark_icon.png", 256),
        ("dark_icon@2x.png", 512),
    ],
)
def test_the_brand_has_pictures_of_the_right_size(name: str, size: int) -> None:
    """Read from the head of the PNG file."""
    head = (ROOT / "brand" / name).read_bytes()[:24]

    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:]) == (size, size)


@pytest.mark.parametrize("module", ["coordinator", "entity"])
def test_common_modules_have_their_usual_names(module: str) -> None:
    assert ROOT / f"{module}.py" in ROOMS


@pytest.mark.parametrize("key", PROVIDERS)
async def test_every_entity_has_all_it_needs(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """A unique id, a name that is translated, a device, and its place there."""
    account = await accounts.set_up(key, recipients={"Anna": ["+393331234567"]})
    registry = er.async_get(hass)
    entities = er.async_entries_for_config_entry(registry, account.entry_id)

    assert {entity.domain for entity in entities} <= set(PLATFORMS)
    assert len({entity.unique_id for entity in entities}) == len(entities)
    for entity in entities:
        owner = entity.config_subentry_id
        prefix = f"{account.entry_id}_{owner}_" if owner else f"{account.entry_id}_"
        assert entity.unique_id == f"{prefix}{entity.translation_key}"
        # The registry has both names beside it already.
        assert entity.translation_key not in {entity.domain, entity.platform}
        assert entity.has_entity_name
        assert entity.translation_key
        assert entity.device_id
    # What can be had for the asking: a test, which is no part of everyday life.
    categories = {entity.translation_key: entity.entity_category for entity in entities}
    assert categories["send_test"] == "diagnostic"
    assert categories["last_delivery_status"] is None
    classes = {
        (entity.translation_key, entity.original_device_class) for entity in entities
    }
    assert ("last_delivery_status", "enum") in classes
    if "credit" in categories:
        assert {("credit", "monetary"), ("credit_low", "problem")} <= classes


@pytest.mark.parametrize("key", PROVIDERS)
async def test_no_entity_needs_to_be_enabled_as_there_are_few(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """Otherwise the less popular ones would have to be disabled at first."""
    account = await accounts.set_up(key, recipients={"Anna": ["+393331234567"]})
    entities = er.async_entries_for_config_entry(er.async_get(hass), account.entry_id)

    assert not [entity.entity_id for entity in entities if entity.disabled_by]
    of_recipient = [entity for entity in entities if entity.config_subentry_id]
    assert len(of_recipient) <= MOST_ENTITIES["recipient"]
    assert len(entities) - len(of_recipient) <= MOST_ENTITIES["account"]


@pytest.mark.parametrize("key", PROVIDERS)
async def test_an_account_and_its_recipients_are_devices_that_can_be_read(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """Whose they are, and where they are managed."""
    account = await accounts.set_up(key, recipients={"Anna": ["+393331234567"]})
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), account.entry_id)

    service, recipient = sorted(devices, key=lambda device: bool(device.via_device_id))
    assert service.name == account.title
    assert service.configuration_url == PROVIDERS[key].console_url
    assert recipient.name == "Anna"
    assert recipient.via_device_id == service.id
    assert service.manufacturer == PROVIDERS[key].manufacturer
    # A person is not the provider's.
    assert (recipient.manufacturer, recipient.model) == (None, "SMS recipient")
    for device in devices:
        assert device.entry_type is dr.DeviceEntryType.SERVICE


@pytest.mark.parametrize("key", PROVIDERS)
async def test_what_belongs_to_an_account_is_there_while_it_is_loaded(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """All of it as typed runtime data, all of it gone afterwards."""
    account = await accounts.set_up(key, recipients={"Anna": ["+393331234567"]})
    assert isinstance(account.runtime_data, AccountRuntime)

    assert await hass.config_entries.async_unload(account.entry_id)
    await hass.async_block_till_done()

    assert account.state is ConfigEntryState.NOT_LOADED
    states = [
        state.state
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), account.entry_id
        )
        if (state := hass.states.get(entity.entity_id)) is not None
    ]
    assert states
    assert set(states) == {STATE_UNAVAILABLE}


# Silver


def test_the_integration_has_an_owner() -> None:
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    assert MANIFEST["codeowners"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_says_how_many_updates_run_at_once(platform: str) -> None:
    module = import_module(f"{sms_italia.__name__}.{platform}")

    assert isinstance(module.PARALLEL_UPDATES, int)


def test_each_provider_has_a_step_of_its_own() -> None:
    """The menu leads to it; it stands in the class, where a reader looks for it."""
    steps = {
        name.removeprefix("async_step_")
        for name in vars(config_flow.SmsItaliaConfigFlow)
        if name.startswith("async_step_")
    }

    consent = {"unencrypted", "stay_encrypted", "accept_unencrypted"}
    changes = {"reauth", "reauth_confirm", "reconfigure"}
    assert steps == {"user", *consent, *changes, *PROVIDERS}


def test_little_is_left_uncovered() -> None:
    """The test run itself fails below the mark, in branches as well as in lines."""
    coverage = PROJECT["tool"]["coverage"]

    assert coverage["run"]["branch"] is True
    assert "custom_components/sms_italia" in coverage["run"]["source"]
    assert coverage["report"]["fail_under"] >= 95


# Gold


TRANSLATED = {
    "HomeAssistantError",
    "ServiceValidationError",
    "UpdateFailed",
    "ConfigEntryAuthFailed",
    "ConfigEntryError",
    "ConfigEntryNotReady",
}
"""The exceptions whose text a person reads."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call in a file with the name of what is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case (
                ast.Call(func=ast.Name(id=name))
                | ast.Call(func=ast.Attribute(attr=name))
            ):
                yield name, node
            case _:
                pass


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_person_reads_of_an_error_is_translated(path: Path) -> None:
    """No sentence stands in the code."""
    for name, call in calls(path):
        if name in TRANSLATED:
            keywords = {keyword.arg for keyword in call.keywords}
            assert not call.args
            assert keywords >= {"translation_domain", "translation_key"}


def test_icons_show_states_and_ranges() -> None:
    """Each another than when nothing is known; ranges from low to high."""
    for entities in ICONS["entity"].values():
        for icons in entities.values():
            assert icons["default"] not in icons.get("state", {}).values()
            limits = list(icons.get("range", {}))
            assert limits == sorted(limits, key=float)
    sensors = ICONS["entity"]["sensor"]
    assert sensors["credit"]["range"].keys() >= {"0"}
    assert sensors["last_delivery_status"]["state"]


# Platinum


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_blocks_and_the_session_is_home_assistants(path: Path) -> None:
    """No library that waits in the event loop, no session but Home Assistant's.

    One that keeps no cookies is made by its helper, as the rule says.
    """
    tree = ast.parse(path.read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }

    assert not imported & {"requests", "urllib3", "httpx", "socket", "subprocess"}
    # One session has connections of its own, with what Home Assistant's have.
    makes_sessions = "ClientSession" in {name for name, _ in calls(path)}
    assert makes_sessions == (path.name == "http_session.py")


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_type_of_the_runtime_data_is_known_everywhere(path: Path) -> None:
    """A config entry without it is named only where the typed one is made of it."""
    names = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "homeassistant.config_entries"
        for alias in node.names
    }

    assert ("ConfigEntry" in names) == (path == ROOT / "runtime.py")


@pytest.mark.parametrize("requirement", MANIFEST["requirements"])
def test_each_requirement_is_typed(requirement: str) -> None:
    """By itself, so that mypy need not pass over it."""
    files = metadata.files(requirement.partition("==")[0]) or []
    packages = {path.parent.name for path in files if path.name == "py.typed"}
    ignored = {
        module.removesuffix(".*")
        for override in PROJECT["tool"]["mypy"]["overrides"]
        if override.get("ignore_missing_imports")
        for module in override["module"]
    }

    assert packages
    assert not packages & ignored


def test_everything_is_typed_strictly() -> None:
    """And says so to code that imports it."""
    assert (ROOT / "py.typed").exists()
    mypy = PROJECT["tool"]["mypy"]
    assert mypy["strict"] is True
    assert "custom_components" in mypy["files"]
    assert "ignore-without-code" in mypy["enable_error_code"]


# The manual


@pytest.mark.parametrize("rule", DOCUMENTED_IN)
def test_the_manual_has_the_chapters(rule: str) -> None:
    """In English and in Italian, with something in each."""
    for page, *chapters in DOCUMENTED_IN[rule]:
        lines = (REPOSITORY / page).read_text("utf-8").splitlines()
        heads = {
            line.lstrip("#").strip(): number
            for number, line in enumerate(lines)
            if line.startswith("#")
        }
        assert heads.keys() >= {*chapters}
        assert all(any(lines[heads[chapter] + 1 :][:3]) for chapter in chapters)


@pytest.mark.parametrize("key", PROVIDERS)
@pytest.mark.parametrize("page", ["docs/setup.md", "docs/it/setup.md"])
def test_each_provider_has_a_chapter_about_setting_it_up(page: str, key: str) -> None:
    text = (REPOSITORY / page).read_text("utf-8")

    assert f"\n## {PROVIDERS[key].name}\n" in text


@pytest.mark.parametrize("page", ["docs/entities.md", "docs/it/entities.md"])
def test_every_entity_is_in_the_manual(page: str) -> None:
    """By the name that it has in the UI of that language."""
    language = "it" if "/it/" in page else "en"
    texts = json.loads((ROOT / "translations" / f"{language}.json").read_text("utf-8"))
    text = (REPOSITORY / page).read_text("utf-8")

    for entities in texts["entity"].values():
        for entity in entities.values():
            assert entity["name"] in text


@pytest.mark.parametrize("page", ["docs/actions.md", "docs/it/actions.md"])
async def test_every_action_is_in_the_manual(hass: HomeAssistant, page: str) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    text = (REPOSITORY / page).read_text("utf-8")

    for action in hass.services.async_services_for_domain(DOMAIN):
        assert f"{DOMAIN}.{action}" in text
