"""A provider that nobody reaches, while the others and the page answer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import aiohttp
import pytest

from simulator import Channel, Provider, Simulator, Toggle

from .caller import NUMBER, Caller, Json

SMSHOSTING = Provider.SMSHOSTING


@pytest.fixture
async def simulator(socket_enabled: None) -> AsyncGenerator[Simulator]:  # noqa: ARG001 - the kit blocks sockets without it
    """Return providers that have a line each."""
    async with Simulator(line_ports=dict.fromkeys(Provider, 0)) as running:
        yield running


async def line_of(caller: Caller, provider: Provider) -> Json:
    """Return what the control API says of a provider's line."""
    found = await caller.ask("GET", f"{caller.simulator.address}/control/accounts")
    (up,) = (row["up"] for row in found.rows("accounts") if row["provider"] == provider)
    return up


async def test_each_provider_has_an_address_of_its_own(simulator: Simulator) -> None:
    """And none is the page's."""
    ports = {*simulator.lines.ports.values()}

    assert len(ports) == len(Provider)
    assert all(simulator.address not in simulator.url(key) for key in Provider)
    assert all(str(port) not in simulator.address for port in ports)


async def test_on_a_cut_line_nobody_answers(
    simulator: Simulator, caller: Caller
) -> None:
    """A connection that was open is broken; elsewhere all answer."""
    port = simulator.lines.ports[SMSHOSTING]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await line_of(caller, SMSHOSTING) is True

    assert (await caller.control("line", provider=SMSHOSTING, up=False)).status == 200

    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()

    with pytest.raises(aiohttp.ClientConnectorError):
        await caller.send(SMSHOSTING, "Qui non risponde nessuno")
    assert await line_of(caller, SMSHOSTING) is False
    assert (await caller.send(Provider.TRANSACTIONALE)).status == 201
    assert not simulator.requests.of(SMSHOSTING)


async def test_a_mended_line_answers_at_the_same_address(
    simulator: Simulator, caller: Caller
) -> None:
    """However often one cuts it or mends it."""
    url = simulator.url(SMSHOSTING)
    for up in (False, False, True, True):
        assert (await caller.control("line", provider=SMSHOSTING, up=up)).status == 200

    assert simulator.url(SMSHOSTING) == url
    assert (await caller.send(SMSHOSTING)).status == 200


async def test_a_simulator_that_starts_again_has_its_lines_again(
    simulator: Simulator, caller: Caller
) -> None:
    """A line that was cut is whole."""
    url = simulator.url(SMSHOSTING)
    await simulator.lines.cut(SMSHOSTING)
    await simulator.__aexit__(None, None, None)
    assert not simulator.lines.open

    async with simulator:
        assert simulator.url(SMSHOSTING) == url
        assert (await caller.send(SMSHOSTING)).status == 200


async def test_a_provider_without_a_line_cannot_be_cut(caller: Caller) -> None:
    """Nor one that there is not."""
    async with Simulator() as plain:
        without = Caller(plain, caller.session)
        assert await line_of(without, SMSHOSTING) is None
        for provider in (SMSHOSTING, "nessuno"):
            reply = await without.control("line", provider=provider, up=False)
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
