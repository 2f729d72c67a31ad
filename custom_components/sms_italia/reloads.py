"""Accounts that are being loaded or reloaded."""

import asyncio
from contextlib import suppress

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import CoreState, HomeAssistant, ServiceCall, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)

from .const import DOMAIN

_RELOAD_TIMEOUT = 60
"""Seconds that an action waits for accounts that are being loaded."""


@callback
def async_will_be_loaded(hass: HomeAssistant, entry_id: str) -> bool:
    """Return whether an account is loaded, or will be without action by the user."""
    entry = hass.config_entries.async_get_entry(entry_id)
    if entry is None or entry.disabled_by is not None:
        return False
    match entry.state:
        case ConfigEntryState.NOT_LOADED:
            # Home Assistant loads it later in its start.
            return hass.state in {CoreState.not_running, CoreState.starting}
        case (
            ConfigEntryState.LOADED
            | ConfigEntryState.SETUP_IN_PROGRESS
            | ConfigEntryState.SETUP_RETRY
            | ConfigEntryState.UNLOAD_IN_PROGRESS
        ):
            return True
        case _:
            return False


async def async_wait_for_reloads(call: ServiceCall) -> None:
    """Wait for the accounts of a call that are being loaded, at most a minute.

    They are those of the entities that the call targets, and the one that it names, or
    the only one.
    """
    hass = call.hass
    entries = hass.config_entries.async_entries(DOMAIN)
    # Home Assistant holds the lock during the whole reload.
    if not any(entry.setup_lock.locked() for entry in entries):
        return
    selected = async_extract_referenced_entity_ids(hass, TargetSelection(call.data))
    registry = er.async_get(hass)
    needed = {
        entity.config_entry_id
        for entity_id in selected.referenced | selected.indirectly_referenced
        if (entity := registry.async_get(entity_id)) is not None
    }
    needed.add(call.data.get(ATTR_CONFIG_ENTRY_ID))
    with suppress(TimeoutError):
        async with asyncio.timeout(_RELOAD_TIMEOUT):
            for entry in entries:
                is_needed = entry.entry_id in needed or len(entries) == 1
                if is_needed and entry.setup_lock.locked():
                    async with entry.setup_lock:
                        pass
