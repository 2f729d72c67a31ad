"""What hassfest and the HACS action accept of a custom integration, as schemas.

Both run as actions in .github/workflows/validate.yml; these say the same before a push.
A service on the internet cannot be discovered: the keys of discovery are left out.
"""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import re
import string
from typing import Any
from urllib.parse import urlsplit

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant.helpers import config_validation as cv, selector
import voluptuous as vol

type Schema = Callable[[Any], Any]

_TRANSLATION_KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
_QUOTED_PLACEHOLDER = re.compile(r"'\{\w+\}'")
_REFERENCE = re.compile(r"\[%|%\]")
_ADDRESS = re.compile(r"(?:[a-z]{2,6}://|www\.)[a-z0-9]", re.IGNORECASE)

_VERSION_FORMS = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]


def accepts(schema: Schema, value: object) -> bool:
    """Return whether a value meets a schema."""
    try:
        schema(value)
    except vol.Invalid:
        return False
    return True


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """Return the content of a JSON file; ValueError if an object has a key twice."""
    return json.loads(path.read_text("utf-8"), object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as an object; ValueError if a key is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key is there twice: {[key for key, _ in pairs]}")
    return found


def _must(message: str, test: Callable[[Any], bool]) -> Schema:
    """Return a validator that refuses a value that fails the test."""

    def validate(value: Any) -> Any:  # noqa: ANN401 - as voluptuous calls it
        if not test(value):
            raise vol.Invalid(message)
        return value

    return validate


# The manifest


def _is_version(value: str) -> bool:
    return AwesomeVersion(value).strategy in _VERSION_FORMS


def _is_page(value: str) -> bool:
    """Return whether an address is encrypted, and not among those of core."""
    parts = urlsplit(value)
    return parts.scheme == "https" and parts.netloc != "www.home-assistant.io"


def _in_sequence(manifest: Mapping[str, Any]) -> bool:
    first = ["domain", "name"]
    return list(manifest) == first + sorted(manifest.keys() - first)


MANIFEST: Schema = vol.All(
    vol.Schema(
        {
            vol.Required("domain"): cv.slug,
            vol.Required("name"): str,
            vol.Required("codeowners"): [vol.All(str, vol.Match(r"@\S+$"))],
            vol.Required("documentation"): vol.All(str, _must("address", _is_page)),
            vol.Required("iot_class"): vol.In(
                [
                    "assumed_state",
                    "calculated",
                    "cloud_polling",
                    "cloud_push",
                    "local_polling",
                    "local_push",
                ]
            ),
            # HACS asks for these two.
            vol.Required("issue_tracker"): vol.All(str, _must("address", _is_page)),
            vol.Required("version"): vol.All(str, _must("version", _is_version)),
            vol.Optional("after_dependencies"): [str],
            vol.Optional("config_flow"): bool,
            vol.Optional("dependencies"): [str],
            vol.Optional("import_executor"): bool,
            vol.Optional("integration_type"): vol.In(
                ["device", "entity", "hardware", "helper", "hub", "service", "system"]
            ),
            vol.Optional("loggers"): [str],
            vol.Optional("requirements"): [str],
            vol.Optional("single_config_entry"): bool,
        }
    ),
    _must("domain, name, then by the alphabet", _in_sequence),
)


# services.yaml

_WORDS = {vol.Optional("name"): str, vol.Optional("description"): str}
_GIVEN = _must("no value", lambda value: value is not None)
_FIELD = vol.Schema(
    {
        **_WORDS,
        vol.Optional("example"): _GIVEN,
        vol.Optional("default"): _GIVEN,
        vol.Optional("required"): bool,
        vol.Optional("advanced"): bool,
        vol.Optional("selector"): selector.validate_selector,
    }
)
_SECTION = vol.Schema(
    {**_WORDS, vol.Optional("collapsed"): bool, vol.Required("fields"): {str: _FIELD}}
)


def _fields_are_unique(fields: Mapping[str, Any]) -> bool:
    """Return whether no name is used twice, in whatever sections."""
    names = [
        name for key, field in fields.items() for name in field.get("fields", [key])
    ]
    return len(names) == len({*names})


SERVICES: Schema = vol.Schema(
    {
        cv.slug: vol.Any(
            None,
            vol.Schema(
                {
                    **_WORDS,
                    vol.Optional("target"): vol.Any(
                        None, selector.TargetSelector.CONFIG_SCHEMA
                    ),
                    vol.Optional("fields"): vol.All(
                        {str: vol.Any(_FIELD, _SECTION)},
                        _must("a field is there twice", _fields_are_unique),
                    ),
                }
            ),
        )
    }
)


# icons.json


def _by_key(value: Schema | dict[Any, Any]) -> dict[Any, Any]:
    """Return the schema of an object whose keys are translation keys."""
    return {vol.All(str, vol.Match(_TRANSLATION_KEY)): value}


def _is_number(value: str) -> bool:
    return accepts(vol.Coerce(float), value)


def _states_differ(icons: Mapping[str, Any]) -> bool:
    """Return whether no state repeats the default icon."""
    return icons.get("default") not in icons.get("state", {}).values()


_ICON = vol.All(cv.string_with_no_html, vol.Match(r"mdi:[a-z0-9-]+$"))
_STATES = {vol.Optional("default"): _ICON, vol.Optional("state"): _by_key(_ICON)}
_DIFFERENT = _must("a state has the default icon", _states_differ)

ICONS: Schema = vol.Schema(
    {
        vol.Optional("entity"): {
            cv.slug: _by_key(
                vol.All(
                    {
                        **_STATES,
                        vol.Optional("range"): {
                            vol.All(str, _must("number", _is_number)): _ICON
                        },
                        vol.Optional("state_attributes"): _by_key(
                            vol.All(_STATES, _DIFFERENT)
                        ),
                    },
                    _DIFFERENT,
                )
            )
        },
        vol.Optional("services"): _by_key(
            {vol.Required("service"): _ICON, vol.Optional("sections"): _by_key(_ICON)}
        ),
        vol.Optional("triggers"): _by_key({vol.Required("trigger"): _ICON}),
        vol.Optional("conditions"): _by_key({vol.Required("condition"): _ICON}),
    }
)


# translations


def _placeholders(text: str) -> list[str]:
    """Return the names in braces. Raises vol.Invalid if a brace stands alone."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError as err:
        raise vol.Invalid("a brace stands alone") from err


_PLAIN = vol.All(
    cv.string_with_no_html,
    _must("spaces around it", lambda text: text == text.strip()),
    _must("an address", lambda text: not _ADDRESS.search(text)),
    _must("a reference", lambda text: not _REFERENCE.search(text)),
    _must("a quoted placeholder", lambda text: not _QUOTED_PLACEHOLDER.search(text)),
)
_TEXT = vol.All(
    _PLAIN,
    _must(
        "a placeholder that is no name",
        lambda text: all(name.isidentifier() for name in _placeholders(text)),
    ),
)
_WORD = vol.All(_PLAIN, _must("a placeholder", lambda text: not _placeholders(text)))
_TEXTS = {str: _TEXT}
_DATA = {
    vol.Optional("data"): _TEXTS,
    vol.Optional("data_description"): _TEXTS,
    vol.Optional("description"): _TEXT,
}


def _describes_its_data(step: Mapping[str, Any]) -> bool:
    return {*step.get("data_description", ())} <= {*step.get("data", ())}


_DESCRIBED = _must("a description without its field", _describes_its_data)
_FLOW = {
    vol.Required("step"): {
        str: vol.All(
            {
                **_DATA,
                vol.Optional("title"): _TEXT,
                vol.Optional("menu_options"): _TEXTS,
                vol.Optional("menu_option_descriptions"): _TEXTS,
                vol.Optional("submit"): _TEXT,
                vol.Optional("sections"): {
                    str: vol.All({**_DATA, vol.Optional("name"): _TEXT}, _DESCRIBED)
                },
            },
            _DESCRIBED,
        )
    },
    vol.Optional("flow_title"): _TEXT,
    **{
        vol.Optional(part): _TEXTS
        for part in ("error", "abort", "progress", "create_entry")
    },
}
_ISSUE = vol.All(
    {
        vol.Required("title"): _TEXT,
        vol.Optional("description"): _TEXT,
        vol.Optional("fix_flow"): _FLOW,
    },
    _must(
        "either a description or a flow that repairs it",
        lambda issue: ("description" in issue) != ("fix_flow" in issue),
    ),
)
_DESCRIBED_FIELD = {
    vol.Required("name"): str,
    vol.Required("description"): _TEXT,
    vol.Optional("example"): _TEXT,
}
_CALLED = _by_key(
    {
        vol.Required("name"): _TEXT,
        vol.Required("description"): _TEXT,
        vol.Optional("fields"): _by_key(_DESCRIBED_FIELD),
        vol.Optional("sections"): _by_key(
            {vol.Required("name"): str, vol.Optional("description"): _TEXT}
        ),
    }
)
"""Actions, triggers and conditions."""

TRANSLATIONS: Schema = vol.Schema(
    {
        vol.Optional("title"): _TEXT,
        vol.Optional("common"): {cv.slug: _TEXT},
        vol.Optional("config"): _FLOW,
        vol.Optional("config_subentries"): {
            cv.slug: {
                **_FLOW,
                vol.Required("entry_type"): _TEXT,
                vol.Required("initiate_flow"): {
                    vol.Required("user"): _TEXT,
                    str: _TEXT,
                },
            }
        },
        vol.Optional("device"): _by_key({vol.Optional("name"): _TEXT}),
        vol.Optional("entity"): {
            cv.slug: _by_key(
                {
                    vol.Optional("name"): _TEXT,
                    vol.Optional("state"): _by_key(_WORD),
                    vol.Optional("state_attributes"): _by_key(
                        {
                            vol.Optional("name"): _WORD,
                            vol.Optional("state"): _by_key(_WORD),
                        }
                    ),
                    vol.Optional("unit_of_measurement"): _WORD,
                }
            )
        },
        vol.Optional("exceptions"): {cv.slug: {vol.Required("message"): _TEXT}},
        vol.Optional("issues"): {str: _ISSUE},
        vol.Optional("options"): _FLOW,
        vol.Optional("selector"): {
            cv.slug: {
                vol.Optional("options"): _by_key(_TEXT),
                vol.Optional("unit_of_measurement"): _by_key(_TEXT),
            }
        },
        vol.Optional("services"): _CALLED,
        vol.Optional("triggers"): _CALLED,
        vol.Optional("conditions"): _CALLED,
        vol.Optional("system_health"): {vol.Optional("info"): _by_key(_TEXT)},
    }
)


# hacs.json and the brand

HACS: Schema = vol.All(
    vol.Schema(
        {
            vol.Required("name"): vol.All(
                str, _must("HACS in the name", lambda name: "hacs" not in name.lower())
            ),
            vol.Optional("content_in_root"): bool,
            vol.Optional("country"): [vol.All(str, vol.Match(r"[A-Z]{2}$"))],
            vol.Optional("filename"): str,
            vol.Optional("hacs"): str,
            vol.Optional("hide_default_branch"): bool,
            vol.Optional("homeassistant"): str,
            vol.Optional("persistent_directory"): str,
            vol.Optional("zip_release"): bool,
        }
    ),
    _must(
        "a zip needs a name",
        lambda hacs: not hacs.get("zip_release") or "filename" in hacs,
    ),
)

BRAND_IMAGES = frozenset(
    f"{theme}{kind}{size}.png"
    for theme in ("", "dark_")
    for kind in ("icon", "logo")
    for size in ("", "@2x")
)
"""The names of images that Home Assistant serves out of the folder `brand`."""
