"""What Home Assistant installs at its first start, read from its own manifests.

script/setup installs it beforehand, so that the start takes seconds and needs no
package registry.
"""

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
import json
from pathlib import Path
import sys
from typing import TypedDict

from homeassistant import bootstrap, components
from homeassistant.auth.mfa_modules import totp
from homeassistant.requirements import DISCOVERY_INTEGRATIONS

CONFIGURED = ("automation", "config", "history", "logbook", "recorder", "script")
"""The integrations that the configuration of an instance names."""

ADDED = ("local_file",)
"""The integrations that script/develop sets up beside ours, through the UI."""

SOURCE_ONLY = ("pyspeex-noise",)
"""Distributions without a wheel, which need a C++ compiler.

Only voice assistants need them; all else starts without.
"""

_CORE = Path(components.__path__[0])
_OURS = Path(__file__).parents[2] / "custom_components" / "sms_italia"


class _Manifest(TypedDict, total=False):
    dependencies: list[str]
    after_dependencies: list[str]
    requirements: list[str]


def _manifests(folders: Iterable[Path]) -> Iterator[_Manifest]:
    """Yield the manifests in the folders, and those of all they depend on."""
    seen = set[Path]()
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        manifest: _Manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        yield manifest
        names = [
            *manifest.get("dependencies", ()),
            *manifest.get("after_dependencies", ()),
            # Home Assistant installs the discovery that an integration can use.
            *(
                finder
                for finder, keys in DISCOVERY_INTEGRATIONS.items()
                if any(key in manifest for key in keys)
            ),
        ]
        waiting += [_CORE / name for name in names]


def requirements() -> list[str]:
    """Return the requirements of all that an instance loads at its start."""
    started = {
        *bootstrap.CORE_INTEGRATIONS,
        *bootstrap.LOGGING_AND_HTTP_DEPS_INTEGRATIONS,
        *bootstrap.FRONTEND_INTEGRATIONS,
        *bootstrap.DEFAULT_INTEGRATIONS,
        *CONFIGURED,
        *ADDED,
    }
    found = {
        requirement
        for manifest in _manifests([_OURS, *(_CORE / name for name in started)])
        for requirement in manifest.get("requirements", ())
    }
    found.update(totp.REQUIREMENTS)  # the one log-in module that is always set up
    return sorted(found)


def has_wheel(requirement: str) -> bool:
    """Return whether the requirement installs without a compiler."""
    return requirement.partition("==")[0] not in SOURCE_ONLY


def not_built() -> list[str]:
    """Return the distributions that could not be built on this machine."""
    return [name for name in SOURCE_ONLY if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    wanted = requirements()
    if "--wheels" in sys.argv:
        wanted = [requirement for requirement in wanted if has_wheel(requirement)]
    print(*wanted, sep="\n")
