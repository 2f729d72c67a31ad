"""Keeps the ledger file unchanged while Home Assistant copies it."""

from homeassistant.core import HomeAssistant

from .runtime import MESSENGER


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Write the ledger file, then stop changes to it."""
    await hass.data[MESSENGER].ledger.hold()


async def async_post_backup(hass: HomeAssistant) -> None:
    """Allow changes to the ledger file again."""
    await hass.data[MESSENGER].ledger.release()
