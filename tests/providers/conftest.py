"""Fixtures of the tests of the provider clients."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from simulator import Simulator, Toggle

from .canned import Canned
from .helpers import NUMBER, OTHER_NUMBER


@pytest.fixture
async def session(socket_enabled: None) -> AsyncIterator[aiohttp.ClientSession]:  # noqa: ARG001 - loopback sockets
    """Return a client session, as Home Assistant would inject one."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def canned(socket_enabled: None) -> AsyncIterator[Canned]:  # noqa: ARG001 - loopback sockets
    """Return a server that answers what the test prepares."""
    async with Canned() as canned:
        yield canned


@pytest.fixture
async def dead_url(socket_enabled: None) -> str:  # noqa: ARG001 - loopback sockets
    """Return an address where nobody listens any more."""
    async with Canned() as canned:
        return canned.url


@pytest.fixture
def push(simulator: Simulator) -> Simulator:
    """Return the providers; one number has the app of Smshosting's Push."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add(NUMBER)
    simulator.account("smshosting").groups["7"] = (OTHER_NUMBER,)
    return simulator
