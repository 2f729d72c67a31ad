"""A provider that is out of reach, while the others and the page answer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import aiohttp
import pytest

from simulator import PROVIDERS, Channel, Simulator, Toggle

from .caller import NUMBER, Caller, Json

SMSHOSTING = "smshosting"


@pytest.fixture
async def simulator(socket_enabled: None) -> AsyncGenerator[Simulator]:  # noqa: ARG001 - the kit blocks sockets without it
    """Return providers that have a port each."""
    async with Simulator(provider_ports=dict.fromkeys(PROVIDERS, 0)) as running:
        yield running


async def is_open(caller: Caller, provider: str) -> Json:
    """Return what the control API says of a provider's port."""
    found = await caller.ask("GET", f"{caller.simulator.address}/control/accounts")
    (state,) = (
        row["open"] for row in found.rows("accounts") if row["provider"] == provider
    )
    return state


async def test_each_provider_has_an_address_of_its_own(simulator: Simulator) -> None:
    """Different from that of the page."""
    ports = {*simulator.ports.numbers.values()}

    assert len(ports) == len(PROVIDERS)
    assert all(simulator.address not in simulator.url(key) for key in PROVIDERS)
    assert all(str(port) not in simulator.address for port in ports)


async def test_a_closed_port_refuses_connections(
    simulator: Simulator, caller: Caller
) -> None:
    """A connection that was open is broken; the other providers answer."""
    port = simulator.ports.numbers[SMSHOSTING]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await is_open(caller, SMSHOSTING) is True

    assert (await caller.control("port", provider=SMSHOSTING, open=False)).status == 200

    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()

    with pytest.raises(aiohttp.ClientConnectorError):
        await caller.send(SMSHOSTING, "Qui non risponde")
    assert await is_open(caller, SMSHOSTING) is False
    assert (await caller.send("transactionale")).status == 201
    assert not simulator.requests.of(SMSHOSTING)


async def test_a_port_that_is_opened_again_answers_at_the_same_address(
    simulator: Simulator, caller: Caller
) -> None:
    """However often it is closed and opened."""
    url = simulator.url(SMSHOSTING)
    for state in (False, False, True, True):
        assert (
            await caller.control("port", provider=SMSHOSTING, open=state)
        ).status == 200

    assert simulator.url(SMSHOSTING) == url
    assert (await caller.send(SMSHOSTING)).status == 200


async def test_a_simulator_that_starts_again_has_all_its_ports_open(
    simulator: Simulator, caller: Caller
) -> None:
    """Also one that was closed."""
    url = simulator.url(SMSHOSTING)
    await simulator.ports.close(SMSHOSTING)
    await simulator.__aexit__(None, None, None)
    assert not simulator.ports.opened

    async with simulator:
        assert simulator.url(SMSHOSTING) == url
        assert (await caller.send(SMSHOSTING)).status == 200


async def test_only_a_provider_with_a_port_of_its_own_can_be_closed(
    caller: Caller,
) -> None:
    """Not one that listens with all the others, and not one that does not exist."""
    async with Simulator() as plain:
        without = Caller(plain, caller.session)
        assert await is_open(without, SMSHOSTING) is None
        for provider in (SMSHOSTING, "nessuno"):
            reply = await without.control("port", provider=provider, open=False)
            assert reply.status == 400


async def test_a_picture_is_shown_as_it_came(
    simulator: Simulator, caller: Caller
) -> None:
    """By the id that its message has."""
    simulator.switch_on(SMSHOSTING, Toggle.PUSH_PLAN)
    simulator.account(SMSHOSTING).push_phones.add(f"+{NUMBER}")
    form = aiohttp.FormData({"text": "Guarda", "to": NUMBER})
    form.add_field("file", b"\xff\xd8\xff", filename="a.jpg", content_type="image/jpeg")
    sent = await caller.ask(
        "POST",
        f"{simulator.url(SMSHOSTING)}/push/send",
        data=form,
        headers=caller.login(SMSHOSTING),
    )
    assert sent.status == 200
    (message,) = simulator.messages
    assert message.channel is Channel.PUSH

    where = f"{simulator.address}/control/pictures"
    picture = await caller.ask("GET", f"{where}/{message.extra['picture']}")

    assert (picture.status, picture.body) == (200, b"\xff\xd8\xff")
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert (await caller.ask("GET", f"{where}/niente")).status == 404
