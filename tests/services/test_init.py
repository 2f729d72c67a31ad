"""How the actions are described: with all their fields, texts and icons."""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest
import voluptuous as vol

from custom_components import sms_italia
from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.messaging import TextEncoding
from custom_components.sms_italia.providers import Channel, Status
from custom_components.sms_italia.services import ACTIONS

FOLDER = Path(sms_italia.__file__).parent
TEXTS: dict[str, dict[str, Any]] = {
    language: json.loads((FOLDER / "translations" / f"{language}.json").read_text())
    for language in ("en", "it")
}
TARGETS = {str(marker) for marker in cv.ENTITY_SERVICE_FIELDS}
CHOICES = {"encoding": TextEncoding, "channel": Channel, "status": Status}


def fields_of(description: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the fields of an action by name, those in sections too."""
    for name, field in description.get("fields", {}).items():
        if "fields" in field:
            yield from fields_of(field)
        else:
            yield name, field


def sections_of(description: Mapping[str, Any]) -> set[str]:
    """Return the names of an action's sections."""
    fields = description.get("fields", {})
    return {name for name, field in fields.items() if "fields" in field}


@pytest.fixture
def described() -> dict[str, Any]:
    """Return what services.yaml says of our actions."""
    return load_yaml_dict(str(FOLDER / "services.yaml"))


async def test_every_action_is_described_with_all_its_fields(
    hass: HomeAssistant, described: Mapping[str, Any]
) -> None:
    """Neither more nor fewer than its schema takes."""
    assert await async_setup_component(hass, DOMAIN, {})
    actions = hass.services.async_services_for_domain(DOMAIN)

    assert actions.keys() == described.keys()
    for action in ACTIONS:
        name = action.name
        markers = {str(marker): marker for marker in action.schema.schema}
        fields = dict(fields_of(described[name]))
        assert fields.keys() == markers.keys() - TARGETS, name
        if markers.keys() & TARGETS:
            # An escalation is acknowledged by itself, recipients may be in groups.
            owners = [DOMAIN] if name == "acknowledge" else [DOMAIN, "group"]
            assert described[name]["target"]["entity"] == [
                {"integration": owner, "domain": NOTIFY_DOMAIN} for owner in owners
            ]
        for key, field in fields.items():
            must = isinstance(markers[key], vol.Required)
            assert field.get("required", False) is must, key


async def test_what_only_answers_is_never_called_in_vain(
    hass: HomeAssistant,
) -> None:
    """The others may be called for what they do alone."""
    assert await async_setup_component(hass, DOMAIN, {})

    answers = {
        name: action.supports_response
        for name, action in hass.services.async_services_for_domain(DOMAIN).items()
    }

    assert answers == {
        "acknowledge": SupportsResponse.NONE,
        "send_sms": SupportsResponse.OPTIONAL,
        "cancel": SupportsResponse.OPTIONAL,
        "resend": SupportsResponse.OPTIONAL,
        "get_push_picture": SupportsResponse.OPTIONAL,
        "estimate": SupportsResponse.ONLY,
        "find_messages": SupportsResponse.ONLY,
        "create_push_invitation": SupportsResponse.ONLY,
    }


def test_every_field_has_a_selector_that_home_assistant_knows(
    described: Mapping[str, Any],
) -> None:
    """And one that offers what the action takes."""
    for description in described.values():
        for name, field in fields_of(description):
            selector(field["selector"])
            if (words := CHOICES.get(name)) is not None:
                choices = field["selector"]["select"]["options"]
                assert set(choices) == {word.value for word in words}


@pytest.mark.parametrize("language", TEXTS)
def test_every_action_and_field_has_its_texts(
    described: Mapping[str, Any], language: str
) -> None:
    """A name and a description each; sections have a name."""
    texts = TEXTS[language]["services"]

    assert texts.keys() == described.keys()
    for name, description in described.items():
        action = texts[name]
        assert action["name"]
        assert action["description"]
        fields = dict(fields_of(description))
        assert action.get("fields", {}).keys() == fields.keys()
        for text in action.get("fields", {}).values():
            assert text["name"]
            assert text["description"]
        assert action.get("sections", {}).keys() == sections_of(description)
        for field in fields.values():
            select = field["selector"].get("select")
            if select is not None:
                choices = TEXTS[language]["selector"][select["translation_key"]]
                assert choices["options"].keys() == set(select["options"])
