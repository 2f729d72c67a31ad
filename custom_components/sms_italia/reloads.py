"""Accounts that are being loaded or reloaded."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant, callback

from .runtime import SmsItaliaConfigEntry


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


async def async_wait_for_reloads(
    entries: Iterable[SmsItaliaConfigEntry], until: float
) -> None:
    """Wait for those accounts that are being reloaded.

    Until a moment of the loop's clock at the latest.
    """
    waited_for = [one for one in entries if one.state is not ConfigEntryState.LOADED]
    if not waited_for:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            for entry in waited_for:
                # Home Assistant holds the lock during the whole reload.
                async with entry.setup_lock:
                    pass
