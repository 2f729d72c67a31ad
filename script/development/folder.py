"""The configuration folder of the development Home Assistant."""

import json
from pathlib import Path
import shutil

from .requirements import CONFIGURED

LOG_FILE = "home-assistant.out"
INTEGRATION = Path(__file__).parents[2] / "custom_components" / "sms_italia"

_CONFIGURATION = """\
automation: !include automations.yaml
logger:
  default: warning
  logs:
    custom_components.sms_italia: debug
"""


def make(folder: Path, port: int) -> None:
    """Make the folder anew, for a Home Assistant on a port of this machine only."""
    shutil.rmtree(folder, ignore_errors=True)
    storage = folder / ".storage"
    storage.mkdir(parents=True)
    (folder / "custom_components").mkdir()
    (folder / "custom_components" / INTEGRATION.name).symlink_to(INTEGRATION)
    (folder / "automations.yaml").write_text("[]\n", "utf-8")
    plain = (f"{name}:\n" for name in CONFIGURED if name != "automation")
    (folder / "configuration.yaml").write_text(_CONFIGURATION + "".join(plain), "utf-8")
    # As its own store: an `http:` section in YAML is deprecated and only on trial.
    # In the first version of the store, which every release migrates.
    _store(storage, "http", 1, {"server_host": ["127.0.0.1"], "server_port": port})
    # That step would set up integrations which call their servers on the internet.
    _store(storage, "onboarding", 4, {"done": ["core_config"]})


def _store(storage: Path, key: str, version: int, data: dict[str, object]) -> None:
    """Write a file as Home Assistant's storage has it."""
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content), "utf-8")
