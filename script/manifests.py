"""Checks of the files that Home Assistant and HACS read, for script/lint.

The rules of hassfest and of the HACS action, as far as they can be checked here.
"""

from collections import Counter
import json
from pathlib import Path
import subprocess
import sys
import tomllib

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

ROOT = Path(__file__).parents[1]
HACS_KEYS = {
    "content_in_root",
    "country",
    "filename",
    "hacs",
    "hide_default_branch",
    "homeassistant",
    "name",
    "persistent_directory",
    "zip_release",
}


def _without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Return the pairs as an object; ValueError if a key is there twice."""
    twice = [
        key for key, count in Counter(key for key, _ in pairs).items() if count > 1
    ]
    if twice:
        raise ValueError(f"{', '.join(twice)} is there twice")
    return dict(pairs)


def _read(path: str) -> dict[str, Json]:
    text = (ROOT / path).read_text("utf-8")
    value: Json = json.loads(text, object_pairs_hook=_without_duplicates)
    if not isinstance(value, dict):
        raise TypeError("is not an object")
    return value


def _json_faults() -> list[str]:
    """Return a sentence for each JSON file that cannot be read."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.json"],  # noqa: S607 - the developer's own git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    faults = []
    for path in listed.stdout.splitlines():
        try:
            _read(path)
        except (ValueError, TypeError) as err:
            faults.append(f"{path}: {err}")
    return faults


def _store_faults() -> list[str]:
    """Return a sentence for each rule that is broken."""
    manifest = _read("custom_components/sms_italia/manifest.json")
    hacs = _read("hacs.json")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    faults = []
    first = ["domain", "name"]
    if list(manifest) != first + sorted(manifest.keys() - first):
        faults.append("manifest.json: keys must be domain, name, then alphabetical")
    if manifest["version"] != project["project"]["version"]:
        faults.append("manifest.json: another version than pyproject.toml")
    groups = project["dependency-groups"]
    if manifest["requirements"] != groups["runtime"]:
        faults.append("manifest.json: other requirements than the group runtime")
    if f"homeassistant=={hacs['homeassistant']}" not in groups["floor"]:
        faults.append("hacs.json: another Home Assistant than the group floor")
    if unknown := hacs.keys() - HACS_KEYS:
        faults.append(f"hacs.json: HACS does not know {', '.join(sorted(unknown))}")
    return faults


def main() -> int:
    """Print what is wrong; return the exit code."""
    faults = _json_faults() or _store_faults()
    print(*(faults or ["manifests: all rules are met"]), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
