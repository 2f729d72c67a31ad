"""The fault matrix, run once in a session, and its tables at the session's end."""

from pathlib import Path

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from tests.web import Server, start_server

from .matrix import Matrix, run
from .page import tables

_MATRIX = pytest.StashKey[Matrix]()


@pytest.fixture
async def matrix(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    socket_enabled: None,  # noqa: ARG001 - the kit blocks sockets without it
) -> Matrix:
    """Return the fault matrix; the first test that needs it runs it."""
    stash = request.config.stash
    if _MATRIX not in stash:
        stash[_MATRIX] = await run(tmp_path)
    return stash[_MATRIX]


@pytest.fixture
async def web(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> Server:
    """Return a client of Home Assistant's web server, with an external https URL."""
    for component in ("webhook", NOTIFY_DOMAIN):
        # Their views must be there before the server is.
        assert await async_setup_component(hass, component, {})
    await async_process_ha_core_config(hass, {"external_url": "https://casa.example"})
    return await start_server(hass, hass_client_no_auth)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the tables, if the matrix was run."""
    if (matrix := config.stash.get(_MATRIX, None)) is not None:
        terminalreporter.section("fault matrix")
        for line in tables(matrix):
            terminalreporter.write_line(line)
