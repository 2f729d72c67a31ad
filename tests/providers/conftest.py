"""Fixtures of the tests of the provider clients."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from .canned import Canned


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
