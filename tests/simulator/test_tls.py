"""Providers over https, and connections that are not kept."""

from collections.abc import AsyncIterator
from pathlib import Path
import ssl

import aiohttp
import pytest

from simulator import Simulator
from simulator.tls import certify


@pytest.fixture
async def encrypted(
    socket_enabled: None,  # noqa: ARG001 - loopback sockets
    tmp_path: Path,
) -> AsyncIterator[tuple[Simulator, aiohttp.ClientSession]]:
    """Return providers over https, and a session that trusts them alone."""
    certificate = certify(tmp_path, ["127.0.0.1", "localhost"])
    trust = ssl.create_default_context(cafile=str(certificate))
    async with (
        Simulator(certificate=certificate) as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
    ):
        yield running, session


async def connections(
    simulator: Simulator, session: aiohttp.ClientSession, key: str
) -> int:
    """Ask a provider twice; return on how many connections that came."""
    for _ in range(2):
        async with session.get(f"{simulator.url(key)}/") as answer:
            await answer.read()
    return len({one.client_port for one in simulator.requests.of(key)})


async def test_a_provider_answers_over_https_at_its_address(
    encrypted: tuple[Simulator, aiohttp.ClientSession],
) -> None:
    simulator, session = encrypted

    assert simulator.url("smshosting").startswith("https://127.0.0.1:")
    assert await connections(simulator, session, "smshosting") == 1


async def test_a_provider_closes_each_connection_if_it_keeps_none(
    encrypted: tuple[Simulator, aiohttp.ClientSession],
) -> None:
    simulator, session = encrypted
    simulator.keep_connections(are_kept=False)

    assert await connections(simulator, session, "smshosting") == 2
