"""What the simulator's tests share."""

from collections.abc import AsyncGenerator

import aiohttp
import pytest

from simulator import Simulator

from .caller import Caller


@pytest.fixture
async def caller(simulator: Simulator) -> AsyncGenerator[Caller]:
    """Return a plain HTTP client that knows each provider's valid requests."""
    async with aiohttp.ClientSession() as session:
        yield Caller(simulator, session)
