"""Automations of Home Assistant that note what started them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.sms_italia.const import DOMAIN

_NOTED = "noted"


async def automate(
    hass: HomeAssistant,
    trigger: str,
    target: Mapping[str, object],
    conditions: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, object] | None = None,
) -> Callable[[], list[dict[str, Any]]]:
    """Create an automation from one of our triggers.

    Return what gives the data of each of its runs.
    """
    noted = async_capture_events(hass, _NOTED)
    action = {"event": _NOTED, "event_data": {"trigger": "{{ trigger }}"}}
    automation = {
        "alias": "Prova",
        "mode": "queued",
        "triggers": [
            {
                "trigger": f"{DOMAIN}.{trigger}",
                "target": target,
                "options": options or {},
            }
        ],
        "conditions": list(conditions),
        "actions": [action],
    }
    assert await async_setup_component(
        hass, AUTOMATION_DOMAIN, {AUTOMATION_DOMAIN: [automation]}
    )
    await hass.async_block_till_done()
    return lambda: [event.data["trigger"] for event in noted]
