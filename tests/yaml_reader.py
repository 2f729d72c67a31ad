"""Reads YAML of the documentation as Home Assistant would."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homeassistant.components.automation.config import (
    async_validate_config_item as validate_automation,
)
from homeassistant.components.script.config import (
    async_validate_config_item as validate_script,
)
from homeassistant.config import async_process_component_config
from homeassistant.core import HomeAssistant, State
from homeassistant.core_config import CORE_CONFIG_SCHEMA
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import async_validate_actions_config
from homeassistant.loader import IntegrationNotFound, async_get_integration
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import voluptuous as vol

from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.notify_action import NOTIFY_FIELDS
from custom_components.sms_italia.services import ACTIONS

_OWN_SCHEMAS = {f"{DOMAIN}.{action.name}": action.schema for action in ACTIONS}

FOREIGN = ("mobile_app_",)
"""The beginnings of actions that exist only with a phone."""

type Yaml = Mapping[str, Any] | list[Any] | str | float | None


def mappings(content: Yaml) -> Iterator[Mapping[str, Any]]:
    """Yield every mapping in some YAML, at any depth, outer ones first."""
    match content:
        case Mapping():
            yield content
            for value in content.values():
                yield from mappings(value)
        case list():
            for item in content:
                yield from mappings(item)
        case _:
            pass


class Reader:
    """Reads YAML as Home Assistant would, and raises an error if it is wrong."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Read it in a running Home Assistant."""
        self._hass = hass

    async def read(self, content: Yaml) -> None:
        """Raise an error unless Home Assistant accepts it and has all it names."""
        match content:
            case list():
                await self._actions(content)
            case Mapping():
                await self._read_mapping(content)
            case _:
                raise AssertionError(f"of no known kind: {content}")

    async def _read_mapping(self, content: Mapping[str, Any]) -> None:
        match content:
            case {"triggers": _} | {"use_blueprint": _}:
                await validate_automation(self._hass, "probe", dict(content))
                await self._calls(content)
            case {"sequence": _}:
                await validate_script(self._hass, "probe", dict(content))
                await self._calls(content)
            case {"action": _}:
                await self._actions([content])
            case {"views": [*views]}:
                for view in views:
                    self.view(view)
            case {"type": str()}:
                self.card(content)
            case _:
                await self._configuration(content)

    async def _actions(self, steps: list[Any]) -> None:
        """Read the actions of an automation or a script."""
        await async_validate_actions_config(self._hass, cv.SCRIPT_SCHEMA(list(steps)))
        await self._calls(steps)

    async def _calls(self, content: Yaml) -> None:
        """Compare all calls with the actions that exist."""
        for step in mappings(content):
            # Without a dot it is a button in a notification on a phone.
            if "." in step.get("action", ""):
                await self._call(step["action"], step)

    async def _call(self, action: str, step: Mapping[str, Any]) -> None:
        """Compare one call with the action that exists."""
        domain, _, name = action.partition(".")
        if name.startswith(FOREIGN):
            return
        assert await async_setup_component(self._hass, domain, {}), action
        service = self._hass.services.async_services_internal()[domain][name]
        # Our actions check their fields themselves.
        own = NOTIFY_FIELDS if domain == "notify" else None
        schema = _OWN_SCHEMAS.get(action, service.schema or own)
        if schema is not None:
            comply(schema, {**step.get("data", {}), **step.get("target", {})})

    async def _configuration(self, content: Mapping[str, Any]) -> None:
        """Read a part of configuration.yaml."""
        for domain, value in content.items():
            if domain == "homeassistant":
                CORE_CONFIG_SCHEMA(value)
                continue
            try:
                integration = await async_get_integration(self._hass, domain)
            except IntegrationNotFound:
                raise AssertionError(f"of no known kind: {content}") from None
            info = await async_process_component_config(
                self._hass, {domain: value}, integration
            )
            for trouble in info.exception_info_list:
                raise trouble.exception
            self._notifiers(value)

    def _notifiers(self, content: Yaml) -> None:
        """Compare the notify actions in a configuration with those that exist."""
        for mapping in mappings(content):
            named = [mapping["action"]] if "action" in mapping else []
            for name in [*named, *mapping.get("notifiers", [])]:
                assert name.startswith(FOREIGN) or self._hass.services.has_service(
                    "notify", name
                ), name

    # Dashboards

    def view(self, view: Mapping[str, Any]) -> None:
        """Read a view of a dashboard."""
        assert view["type"] == "sections"
        for section in view["sections"]:
            self.card(section)

    def card(self, card: Mapping[str, Any]) -> None:
        """Read a card, and the cards in it."""
        assert card["type"] in CARDS, card["type"]
        for badge in card.get("badges", []):
            assert badge["type"] in BADGES, badge["type"]
        for feature in card.get("features", []):
            assert feature["type"] in FEATURES, feature["type"]
        for row in card.get("entities", []):
            assert row.get("type", "button") in ROWS, row["type"]
        for one in card.get("cards", []):
            self.card(one)
        for mapping in mappings({**card, "cards": []}):
            if "perform_action" in mapping:
                domain, _, name = mapping["perform_action"].partition(".")
                assert self._hass.services.has_service(domain, name), mapping
            for key in {"entity", "entity_id"} & mapping.keys():
                self._state(mapping[key])
        self._figures(card)

    def _figures(self, card: Mapping[str, Any]) -> None:
        """Assert that the entities of a card with a graph have numbers."""
        match card:
            case {"type": "gauge", "entity": entity} | {
                "features": [{"type": "trend-graph"}],
                "entity": entity,
            }:
                float(self._state(entity).state)
            case {"type": "statistics-graph", "entities": rows}:
                for row in rows:
                    assert self._state(row["entity"]).attributes["state_class"]
            case _:
                pass

    def _state(self, entity: str) -> State:
        """Return the state of an entity that must exist."""
        state = self._hass.states.get(entity)
        assert state is not None, entity
        return state


def comply(schema: Callable[[object], object], data: dict[str, Any]) -> None:
    """Compare data with the schema of an action; results of templates are not known."""
    while True:
        try:
            schema(data)
        except vol.MultipleInvalid as err:
            first = err.errors[0]
        except vol.Invalid as err:
            first = err
        else:
            return
        key = str(first.path[0]) if first.path else ""
        if "{{" not in str(data.get(key, "")):
            raise AssertionError(f"{first}: {first.path}") from None
        del data[key]


CARDS = frozenset(
    {
        *("alarm-panel", "area", "button", "calendar", "clock", "conditional"),
        *("distribution", "entities", "entity", "entity-filter", "gauge", "glance"),
        *("grid", "heading", "history-graph", "horizontal-stack", "humidifier"),
        *("iframe", "light", "logbook", "map", "markdown", "media-control", "picture"),
        *("picture-elements", "picture-entity", "picture-glance", "plant-status"),
        *("sensor", "statistic", "statistics-graph", "thermostat", "tile"),
        *("todo-list", "vertical-stack", "weather-forecast"),
        "custom:sms-italia-messages",
    }
)
"""The cards that a person would select: those of the frontend, and ours."""

BADGES = frozenset({"entity", "entity-filter"})

ROWS = frozenset(
    {
        *("attribute", "button", "buttons", "call-service", "cast", "conditional"),
        *("divider", "section", "simple-entity", "text", "weblink"),
    }
)
"""The types of rows of an entities card, besides entities."""

FEATURES = frozenset({"bar-gauge", "button", "toggle", "trend-graph"})
"""The features of tile cards that fit our entities."""


async def trouble_with(hass: HomeAssistant, text: str) -> str | None:
    """Return what is wrong with some YAML, or None."""
    try:
        await Reader(hass).read(parse_yaml(text))
    except (
        AssertionError,
        HomeAssistantError,
        LookupError,
        TypeError,
        ValueError,
        vol.Invalid,
    ) as err:
        return repr(err)
    return None
