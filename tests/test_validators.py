"""What hassfest and HACS look at: ours is accepted, and what is wrong is not."""

import ast
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
import tomllib
from typing import Any

from homeassistant.const import Platform
from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components import sms_italia

from .validators import (
    BRAND_IMAGES,
    HACS,
    ICONS,
    MANIFEST,
    SERVICES,
    TRANSLATIONS,
    Schema,
    accepts,
    read_json,
)

FOLDER = Path(sms_italia.__file__).parent
REPOSITORY = FOLDER.parents[1]
SOURCES = sorted(FOLDER.rglob("*.py"))

OURS: Mapping[str, tuple[Schema, Any]] = {
    "manifest": (MANIFEST, read_json(FOLDER / "manifest.json")),
    "services": (SERVICES, load_yaml_dict(str(FOLDER / "services.yaml"))),
    "icons": (ICONS, read_json(FOLDER / "icons.json")),
    "en": (TRANSLATIONS, read_json(FOLDER / "translations" / "en.json")),
    "it": (TRANSLATIONS, read_json(FOLDER / "translations" / "it.json")),
    "hacs": (HACS, read_json(REPOSITORY / "hacs.json")),
}
"""Each file with its schema and its content."""

REMOVED = object()


def changed(name: str, path: str, value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return the content of a file of ours with one value set, or removed."""
    content = deepcopy(OURS[name][1])
    *parents, key = path.split("/")
    place = content
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is REMOVED:
        del place[key]
    else:
        place[key] = value
    return content


@pytest.mark.parametrize("name", OURS)
def test_ours_is_accepted(name: str) -> None:
    schema, content = OURS[name]

    schema(content)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("manifest", "version", REMOVED),
        ("manifest", "version", "one"),
        ("manifest", "issue_tracker", REMOVED),
        ("manifest", "iot_class", "cloud"),
        ("manifest", "codeowners", ["sms-italia"]),
        ("manifest", "documentation", "http://example.org"),
        ("manifest", "documentation", "https://www.home-assistant.io/integrations/x"),
        ("manifest", "integration_type", "bridge"),
        # Behind the others, so out of the alphabet; and one that does not exist.
        ("manifest", "import_executor", True),
        ("manifest", "zzz", True),
        ("services", "Send", None),
        ("services", "send_sms/filter", {}),
        ("services", "send_sms/fields/message/selector", {"no_such": None}),
        ("services", "send_sms/fields/message/type", "text"),
        ("services", "send_sms/fields/message/example", None),
        ("services", "send_sms/fields/options/fields/message", {}),
        ("services", "send_sms/fields/options/collapsed", "yes"),
        ("icons", "entity/sensor/credit/default", "fa:wallet"),
        ("icons", "entity/sensor/credit/range/low", "mdi:cash"),
        ("icons", "entity/sensor/credit/colour", "red"),
        ("icons", "entity/sensor/Credit", {}),
        ("icons", "entity/sensor/x", {"default": "mdi:x", "state": {"on": "mdi:x"}}),
        ("icons", "services/send_sms", "mdi:message"),
        ("en", "config/title", "SMS Italia"),
        ("en", "config/step", REMOVED),
        ("en", "config/step/user/text", "x"),
        ("en", "config/step/user/data_description", {"nowhere": "x"}),
        ("en", "options/step/init/sections/x", {"data_description": {"nowhere": "x"}}),
        ("en", "config/error/x", "See https://example.org"),
        ("en", "config/error/x", "See www.example.org"),
        ("en", "config/error/x", "<b>No</b>"),
        ("en", "config/error/x", " No"),
        ("en", "config/error/x", "Not '{name}'"),
        ("en", "config/error/x", "Not {first name}"),
        ("en", "config/error/x", "Not {"),
        ("en", "config/error/x", "See [%key:common::x%]"),
        ("en", "config_subentries/recipient/entry_type", REMOVED),
        ("en", "entity/sensor/credit/state", {"ok": "{credit} left"}),
        ("en", "entity/sensor/credit/state", {"-": "left"}),
        ("en", "exceptions/x", {"text": "No"}),
        ("en", "issues/provider_wait/fix_flow", {"step": {}}),
        ("en", "issues/provider_wait/description", REMOVED),
        ("en", "services/send_sms/description", REMOVED),
        ("en", "nothing", {}),
        ("hacs", "name", REMOVED),
        ("hacs", "name", "SMS for HACS"),
        ("hacs", "country", ["Italia"]),
        ("hacs", "filename", REMOVED),
        ("hacs", "zip_release", "true"),
        ("hacs", "domains", ["sensor"]),
    ],
)
def test_what_is_wrong_is_refused(name: str, path: str, value: object) -> None:
    """Each rule by a file of ours in which one thing is changed."""
    schema, _ = OURS[name]

    assert not accepts(schema, changed(name, path, value))


def test_a_key_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"step": {"title": "One", "title": "Two"}}')

    with pytest.raises(ValueError, match="twice"):
        read_json(file)


def imported_integrations(path: Path) -> Iterator[str]:
    """Yield the integrations of core that a file imports from."""
    core = "homeassistant.components"
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ImportFrom(module=str(module)) if module == core:
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)) if module.startswith(core):
                yield module.split(".")[2]
            case _:
                pass


ALWAYS_THERE = {
    *Platform,
    *("diagnostics", "homeassistant", "llm", "media_source", "repairs"),
    "system_health",
}
"""What may be imported without being declared."""


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(FOLDER))
)
def test_what_is_imported_is_declared(path: Path) -> None:
    """As a dependency, unless it is always there or the file is a platform of it."""
    _, manifest = OURS["manifest"]
    declared = {*manifest["dependencies"], *manifest["after_dependencies"]}

    assert {*imported_integrations(path)} <= declared | ALWAYS_THERE | {path.stem}


def test_no_dependency_is_declared_twice() -> None:
    _, manifest = OURS["manifest"]

    assert not {*manifest["dependencies"]} & {*manifest["after_dependencies"]}


def test_what_is_declared_for_the_ui_is_there() -> None:
    """A flow, and no settings in YAML."""
    _, manifest = OURS["manifest"]
    source = (FOLDER / "__init__.py").read_text()

    assert manifest["config_flow"] is (FOLDER / "config_flow.py").exists()
    assert "\nCONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)\n" in source


def test_the_repository_has_what_hacs_looks_for() -> None:
    """One integration, a page for the store, a licence and the oldest release."""
    _, hacs = OURS["hacs"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    folders = [path for path in FOLDER.parent.iterdir() if path.is_dir()]

    assert [path.name for path in folders if path.name != "__pycache__"] == [
        "sms_italia"
    ]
    assert (REPOSITORY / "README.md").exists()
    assert (REPOSITORY / "LICENSE").read_text().startswith("MIT License")
    assert (
        f"homeassistant=={hacs['homeassistant']}"
        in (project["dependency-groups"]["floor"])
    )


def test_the_brand_has_an_icon_and_only_known_images() -> None:
    found = {path.name for path in (FOLDER / "brand").iterdir()}

    assert "icon.png" in found
    assert found <= BRAND_IMAGES
