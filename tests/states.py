"""What the tests of entities and actions do: call, send, look at states, restart."""

import json
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.util import slugify
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
)

from custom_components.sms_italia.const import DOMAIN


async def call(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as an automation writes them
    """Call one of our actions and return its response."""
    answer = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    # What is no plain JSON could not be traced, nor used in a template.
    assert json.loads(json.dumps(answer)) == answer
    assert isinstance(answer, dict)
    return dict(answer)


async def send(hass: HomeAssistant, account: MockConfigEntry, *targets: str) -> None:
    """Send through an account's action, and wait for what follows at once."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": "Prova", "target": list(targets)},
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)


def state_of(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity that is there."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.state


def attribute(hass: HomeAssistant, entity_id: str, name: str) -> Any:  # noqa: ANN401 - attributes have any type
    """Return an attribute of an entity that is there."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state.attributes[name]


async def restart(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Set an account up anew after its states went through the disk.

    The test needs the fixture `hass_storage`.
    """
    assert await hass.config_entries.async_unload(account.entry_id)
    await async_mock_restore_state_shutdown_restart(hass)
    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


async def notify(hass: HomeAssistant, action: str, /, **data: Any) -> None:  # noqa: ANN401 - as an automation writes them
    """Call a notify action and wait for it."""
    await hass.services.async_call(
        NOTIFY_DOMAIN, action, data, blocking=True, context=Context()
    )
