"""The configuration folder of an instance."""

import json
from pathlib import Path
import shutil

from .requirements import CONFIGURED

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "sms_italia"

_CONFIGURATION = """\
automation: !include automations.yaml
logger:
  default: warning
  logs:
    custom_components.sms_italia: debug
"""


def documented(name: str, language: str) -> Path:
    """Return a file of the documentation in a language, else in English."""
    english = ROOT / "docs" / name
    translated = english.parent / language / name
    return translated if translated.exists() else english


def create(folder: Path, port: int) -> None:
    """Create the folder, in place of an old one, with a port of this machine only.

    It has the blueprints.
    """
    shutil.rmtree(folder, ignore_errors=True)
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    (folder / "custom_components").mkdir()
    (folder / "custom_components" / INTEGRATION.name).symlink_to(INTEGRATION)
    (folder / "automations.yaml").write_text("[]\n", "utf-8")
    shutil.copytree(ROOT / "blueprints", folder / "blueprints")
    plain = (f"{name}:\n" for name in CONFIGURED if name != "automation")
    write(folder, _CONFIGURATION + "".join(plain))
    set_port(folder, port)
    # That step would set up integrations that call servers on the internet.
    _store(storage, "onboarding", 4, {"done": ["core_config"]})


def write(folder: Path, configuration: str) -> None:
    """Write the YAML configuration."""
    (folder / "configuration.yaml").write_text(configuration, "utf-8")


def set_port(folder: Path, port: int) -> None:
    """Listen on a port of this machine only, from the next start."""
    # In the store: an `http:` section in YAML is deprecated. In the first version of
    # the store, which every release migrates.
    http = {"server_host": ["127.0.0.1"], "server_port": port}
    _store(folder / ".storage", "http", 1, http)


def _store(storage: Path, key: str, version: int, data: dict[str, object]) -> None:
    """Write a file of Home Assistant's storage."""
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content), "utf-8")
