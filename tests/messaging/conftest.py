"""Fixtures of the tests of the messaging layer."""

from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from simulator import Simulator

from .helpers import House, Line


@pytest.fixture
async def session(socket_enabled: None) -> AsyncGenerator[aiohttp.ClientSession]:  # noqa: ARG001 - loopback sockets
    """Return a client session, as Home Assistant would inject one."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def line(simulator: Simulator) -> AsyncGenerator[Line]:
    """Return a line to the simulator that can be cut."""
    async with Line(simulator) as line:
        yield line


@pytest.fixture
async def house(
    tmp_path: Path,
    session: aiohttp.ClientSession,
    simulator: Simulator,
    line: Line,
) -> AsyncGenerator[House]:
    """Return a messenger without accounts; it is closed after the test."""
    house = House.build(tmp_path, session, simulator, line)
    yield house
    line.release_answers()
    await house.messenger.close()
