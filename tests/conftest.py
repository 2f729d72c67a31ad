"""What all tests share."""

from collections.abc import AsyncGenerator
from functools import partial
import logging
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockUser
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from custom_components import sms_italia
from custom_components.sms_italia import account_setup
from custom_components.sms_italia.flows import account
from custom_components.sms_italia.messaging import Clock, Timing
from simulator import Simulator

from .accounts import Accounts
from .days import Midnight
from .internet import Internet, serve
from .issues import PERSON


def _is_no_slow_step(record: logging.LogRecord) -> bool:
    """Return whether a record is another than asyncio's remark on a slow step.

    On a machine under load any test may have one, also those that count records.
    """
    return record.msg != "Executing %s took %.3f seconds"


logging.getLogger("asyncio").addFilter(_is_no_slow_step)


@pytest.fixture(autouse=True)
def _our_integration(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant find the integration, in tests that have a Home Assistant."""
    if "recorder_mock" in request.fixturenames:
        # It must be there before Home Assistant is.
        request.getfixturevalue("recorder_mock")
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give every Home Assistant a folder of its own: the ledger is a real file."""
    return hass_tmp_config_dir


@pytest.fixture
async def simulator(socket_enabled: None) -> AsyncGenerator[Simulator]:  # noqa: ARG001 - the kit blocks sockets without it
    """Return all providers, listening on a free local port."""
    async with Simulator() as running:
        yield running


@pytest.fixture
def accounts(hass: HomeAssistant, simulator: Simulator) -> Accounts:
    """Return what makes accounts at the simulated providers."""
    return Accounts(hass, simulator)


@pytest.fixture
async def internet(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Internet]:
    """Return the two hosts of Inviosmart, as Home Assistant's session finds them."""
    internet = Internet(simulator, "inviosmart")
    hosts = ("www.inviosmart.it", "httpapi.inviosmart.it", "gateway.example")
    async with serve(internet.serve, tmp_path, hosts) as session:
        for module in (account, account_setup):
            monkeypatch.setattr(module, "async_get_session", lambda _: session)
        yield internet


@pytest.fixture
def midnight(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Midnight:
    """Return what lets the next day begin."""
    midnight = Midnight(hass)
    monkeypatch.setattr(sms_italia, "Clock", partial(Clock, wall=midnight.now))
    return midnight


@pytest.fixture
async def person(hass: HomeAssistant) -> None:
    """Add the user with the ID `PERSON`."""
    MockUser(id=PERSON, is_owner=True).add_to_hass(hass)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses of the messenger, which are seconds at least."""
    timing = partial(
        Timing, probe=0.02, first_pause=0.02, longest_pause=0.02, first_poll=0.05
    )
    monkeypatch.setattr(sms_italia, "Timing", timing)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Keep snapshots where Home Assistant's own tests keep theirs."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)
