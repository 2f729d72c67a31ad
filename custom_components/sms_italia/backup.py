"""Keeps the ledger's file still while Home Assistant copies it."""

from homeassistant.core import HomeAssistant

from .runtime import MESSENGER


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Bring the ledger's file up to date, and let it rest."""
    await hass.data[MESSENGER].hold_ledger()


async def async_post_backup(hass: HomeAssistant) -> None:
    """Let the ledger's file change again."""
    await hass.data[MESSENGER].release_ledger()
