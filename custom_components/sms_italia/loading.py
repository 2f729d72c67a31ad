"""Accounts that are not loaded at the moment, but are going to be."""

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

_LONGEST = 60
"""Seconds that an action waits for accounts that are being loaded."""


@callback
def async_is_expected(hass: HomeAssistant, entry_id: str) -> bool:
    """Tell whether an account is loaded, or is going to be without anybody's help."""
    entry = hass.config_entries.async_get_entry(entry_id)
    if entry is None or entry.disabled_by is not None:
        return False
    match entry.state:
        case ConfigEntryState.NOT_LOADED:
            # While Home Assistant starts, its turn is still to come.
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


async def async_settle_accounts(call: ServiceCall) -> None:
    """Wait for the accounts of a call that are being loaded, perhaps once again.

    A minute at most: those of the entities that it is aimed at, and the one that it
    names, or the only one there is.
    """
    hass = call.hass
    entries = hass.config_entries.async_entries(DOMAIN)
    # Home Assistant holds the lock all through a reload.
    if not any(entry.setup_lock.locked() for entry in entries):
        return
    selected = async_extract_referenced_entity_ids(hass, TargetSelection(call.data))
    registry = er.async_get(hass)
    meant = {
        entity.config_entry_id
        for entity_id in selected.referenced | selected.indirectly_referenced
        if (entity := registry.async_get(entity_id)) is not None
    }
    meant.add(call.data.get(ATTR_CONFIG_ENTRY_ID))
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST):
            for entry in entries:
                is_meant = entry.entry_id in meant or len(entries) == 1
                if is_meant and entry.setup_lock.locked():
                    async with entry.setup_lock:
                        pass
