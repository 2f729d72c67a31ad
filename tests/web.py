"""Home Assistant's web server, as tests use it."""

from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

type Server = TestClient[Any, Any]


async def start_server(hass: HomeAssistant, start: ClientSessionGenerator) -> Server:
    """Start the web server, and return a client of it.

    As Home Assistant itself does, so that integrations set up later add their views.
    """
    hass.http.app.router.freeze = lambda: None  # type: ignore[method-assign]
    server: Server = await start()
    return server
