"""Keeps the ledger file unchanged while Home Assistant copies it."""

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .const import DOMAIN
from .messaging import LedgerSlowError
from .runtime import MESSENGER


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Write the ledger file, then stop changes to it.

    A copy of a file that changes meanwhile might be of no use.
    """
    try:
        await hass.data[MESSENGER].ledger.hold()
    except LedgerSlowError:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="history_not_copied"
        ) from None


async def async_post_backup(hass: HomeAssistant) -> None:
    """Allow changes to the ledger file again."""
    await hass.data[MESSENGER].ledger.release()
