"""The card for dashboards: serves its files, and lets the frontend load them.

Both are left out where Home Assistant runs without its web server or its frontend.
"""

from pathlib import Path

from homeassistant.components.frontend import add_extra_js_url, remove_extra_js_url
from homeassistant.components.http import StaticPathConfig
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_FOLDER = Path(__file__).parent / "frontend"
_MODULE = "card.js"

_ADDRESS: HassKey[str] = HassKey(f"{DOMAIN}_card")
"""Where the card's module is served; not known without a web server."""


async def async_serve_card(hass: HomeAssistant) -> None:
    """Serve the card's files until Home Assistant stops: core has no way to end it.

    The version is in the address, so that an update is loaded in spite of caches.
    """
    if "http" not in hass.config.components:
        return
    integration = await async_get_integration(hass, DOMAIN)
    address = f"/{DOMAIN}/card/{integration.version}"
    await hass.http.async_register_static_paths(
        [StaticPathConfig(address, str(_FOLDER), cache_headers=True)]
    )
    hass.data[_ADDRESS] = f"{address}/{_MODULE}"


@callback
def async_load_card(hass: HomeAssistant) -> None:
    """Let every page of the frontend load the card."""
    if _is_served(hass):
        add_extra_js_url(hass, hass.data[_ADDRESS])


@callback
def async_unload_card(hass: HomeAssistant) -> None:
    """Let no page load the card any more once there is no account."""
    if _is_served(hass) and not hass.config_entries.async_entries(DOMAIN):
        remove_extra_js_url(hass, hass.data[_ADDRESS])


def _is_served(hass: HomeAssistant) -> bool:
    return _ADDRESS in hass.data and "frontend" in hass.config.components
