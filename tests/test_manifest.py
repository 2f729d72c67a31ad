"""What Home Assistant reads of the integration before it runs it."""

from collections.abc import Mapping
import json
from pathlib import Path
import tomllib
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.loader import async_get_integration
from homeassistant.setup import async_setup_component
import pytest

from custom_components import sms_italia
from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.providers import PROVIDERS, Status
from simulator import Simulator, Toggle

from .accounts import Accounts

FOLDER = Path(sms_italia.__file__).parent
REPOSITORY = FOLDER.parent.parent
MANIFEST: Mapping[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
ICONS: Mapping[str, Any] = json.loads((FOLDER / "icons.json").read_text())
PROJECT: Mapping[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
TEXTS: Mapping[str, Any] = json.loads((FOLDER / "translations" / "en.json").read_text())


def test_the_keys_stand_in_the_order_that_is_asked_for() -> None:
    """Domain and name first, then by the alphabet; all that a custom one needs."""
    first, second, *others = MANIFEST

    assert (first, second) == ("domain", "name")
    assert others == sorted(others)
    assert set(MANIFEST) == {
        "after_dependencies",
        "codeowners",
        "config_flow",
        "dependencies",
        "documentation",
        "domain",
        "integration_type",
        "iot_class",
        "issue_tracker",
        "name",
        "requirements",
        "version",
    }


def test_the_values_are_those_of_the_integration() -> None:
    """The domain is the folder's, and the addresses are the project's."""
    assert MANIFEST["domain"] == DOMAIN == FOLDER.name
    assert MANIFEST["name"] == TEXTS["title"] == "SMS Italia"
    assert MANIFEST["integration_type"] == "service"
    assert MANIFEST["config_flow"] is True
    assert MANIFEST["documentation"].startswith("https://github.com/")
    assert MANIFEST["issue_tracker"] == f"{MANIFEST['documentation']}/issues"
    assert MANIFEST["codeowners"]
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])


def test_the_version_is_that_of_the_project() -> None:
    """In a form that Home Assistant can compare."""
    assert MANIFEST["version"] == PROJECT["project"]["version"]
    assert AwesomeVersion(MANIFEST["version"]).strategy is AwesomeVersionStrategy.SEMVER


def test_the_requirements_are_those_that_are_tested() -> None:
    """The same exact versions."""
    assert MANIFEST["requirements"] == PROJECT["dependency-groups"]["runtime"]
    assert all("==" in requirement for requirement in MANIFEST["requirements"])


async def test_home_assistant_accepts_it(hass: HomeAssistant) -> None:
    """It finds it, reads it the same way, and can set it up without an account."""
    integration = await async_get_integration(hass, DOMAIN)

    assert integration.file_path == FOLDER
    assert not integration.is_built_in
    assert integration.version == MANIFEST["version"]
    assert integration.iot_class == MANIFEST["iot_class"]
    assert integration.requirements == MANIFEST["requirements"]
    assert await async_setup_component(hass, DOMAIN, {})


async def test_every_action_has_an_icon(hass: HomeAssistant) -> None:
    """And none that is not there."""
    assert await async_setup_component(hass, DOMAIN, {})

    actions = hass.services.async_services_for_domain(DOMAIN)

    assert ICONS["services"].keys() == actions.keys()
    assert all(icon.keys() == {"service"} for icon in ICONS["services"].values())


@pytest.mark.parametrize("part", ["icons", "names"])
async def test_every_entity_has_an_icon_and_a_name(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, part: str
) -> None:
    """Those of all providers together, and none that is not there."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    keys: set[tuple[str, str | None]] = set()
    for key in PROVIDERS:
        account = await accounts.set_up(
            key,
            options={"channel": "push", "receive": True},
            recipients={key: ["+393331234567"]},
            escalations={"Notte": []},
        )
        keys |= {
            (entity.domain, entity.translation_key)
            for entity in er.async_entries_for_config_entry(
                er.async_get(hass), account.entry_id
            )
        }

    # A notify entity bears the name of the recipient or the escalation.
    nameless = {("notify", "sms"), ("notify", "call")} if part == "names" else set()
    tree = (ICONS if part == "icons" else TEXTS)["entity"]
    found = {(domain, key) for domain, keys in tree.items() for key in keys}
    assert found == keys - nameless


def test_every_status_has_an_icon_and_a_word() -> None:
    """The six, and no other."""
    for tree in (ICONS, TEXTS):
        states = tree["entity"]["sensor"]["last_delivery_status"]["state"]
        assert states.keys() == set(Status)
