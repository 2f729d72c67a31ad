"""The simulator as a whole: addresses, requests, credit, automatic delivery."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import aiohttp
import pytest

from simulator import PROVIDERS, Operation, Simulator, Status

from .caller import NUMBER, Caller, until


async def test_each_provider_has_a_base_address(simulator: Simulator) -> None:
    """Under a path of its own."""
    assert simulator.address.startswith("http://127.0.0.1:")
    for key, provider in PROVIDERS.items():
        path = simulator.url(key).removeprefix(simulator.address)
        assert path == f"/{key}{provider.base_path}"
    assert simulator.url("smshosting").endswith("/smshosting/rest/api")
    with pytest.raises(ValueError, match="nobody"):
        simulator.url("nobody")


async def test_a_port_that_is_taken_is_an_error(simulator: Simulator) -> None:
    """And nothing keeps running."""
    port = int(simulator.address.rpartition(":")[2])
    with pytest.raises(OSError, match=str(port)):
        async with Simulator(port=port):
            pass


async def test_a_request_is_kept_as_it_was_received(
    simulator: Simulator, caller: Caller
) -> None:
    """Method, path, query, headers, body, fields, and the answer."""
    reply = await caller.trx(body="Così")
    await caller.invio("account-balance/", countryprefix="39")
    first, second = simulator.requests
    assert (first.provider, first.operation) == (
        "transactionale",
        Operation.SEND,
    )
    assert (first.method, first.path) == ("POST", "/platform/api/sms/send")
    key = simulator.credentials("transactionale")["api_key"]
    assert first.headers["authorization"] == key
    assert first.fields == {"phone": NUMBER, "sender_id": "Casa", "body": "Così"}
    assert b"Cos" in first.body
    assert (first.status, first.answer) == (201, reply.body)
    assert (second.operation, second.body) == (Operation.CREDIT, b"")
    assert second.query == second.fields
    assert second.query["countryprefix"] == "39"
    assert simulator.requests.of("inviosmart") == (second,)


async def test_every_accepted_message_is_charged(
    simulator: Simulator, caller: Caller
) -> None:
    """By parts, at the price that was set."""
    for provider in PROVIDERS:
        simulator.set_credit(provider, 10)
        simulator.set_price(provider, "0.1")
        await caller.send(provider, "a" * 161)
        assert simulator.account(provider).credit == Decimal("9.8")
        (message,) = simulator.messages.of(provider)
        assert (message.parts, message.cost) == (2, Decimal("0.2"))


async def test_changed_credentials_are_refused_until_used(
    simulator: Simulator, caller: Caller
) -> None:
    """As when a key is revoked."""
    old = caller.login("transactionale")
    simulator.set_credentials("transactionale", api_key="nuova")
    url = simulator.url("transactionale") + "/platform/api/sms/send/1"
    assert (await caller.ask("GET", url, headers=old)).status == 401
    new = caller.login("transactionale")
    assert (await caller.ask("GET", url, headers=new)).status == 404


async def test_a_message_that_does_not_exist_cannot_be_moved(
    simulator: Simulator,
) -> None:
    """Nor to a status that does not exist."""
    with pytest.raises(KeyError):
        simulator.move("1", "sent")
    with pytest.raises(ValueError, match="eaten"):
        simulator.move("1", "eaten")


async def test_messages_can_be_delivered_automatically(socket_enabled: None) -> None:  # noqa: ARG001 - the kit blocks sockets without it
    """First sent, then delivered; a scheduled one not before its time."""
    async with (
        Simulator(deliver_after=0.3) as simulator,
        aiohttp.ClientSession() as session,
    ):
        caller = Caller(simulator, session)
        await caller.smsh()
        date = simulator.messages[0].created + timedelta(days=1)
        await caller.smsh(text="Domani", date=f"{date:%Y-%m-%dT%H:%M:%S%z}")
        now, later = (message.id for message in simulator.messages)
        seen: list[Status] = []

        def is_delivered() -> bool:
            status = next(m.status for m in simulator.messages if m.id == now)
            if status not in seen:
                seen.append(status)
            return status is Status.DELIVERED

        await until(is_delivered)
        assert seen == [Status.QUEUED, Status.SENT, Status.DELIVERED]
        assert simulator.messages[1].status is Status.QUEUED
        simulator.advance(timedelta(days=1, seconds=10))
        await until(lambda: simulator.messages[1].status is Status.DELIVERED)
        assert simulator.messages[1].id == later


async def test_a_send_to_five_thousand_numbers_is_accepted(
    simulator: Simulator, caller: Caller
) -> None:
    """5000 numbers, each a message."""
    simulator.set_credit("smsviainternet", 1000)
    numbers = ",".join(f"+3934{n:08d}" for n in range(5000))
    reply = await caller.svi(numbers=numbers)
    assert reply.object["sending_contacts_count"] == 5000
    assert len(simulator.messages) == 5000


async def test_a_simulator_that_starts_again_has_all_that_was_received(
    socket_enabled: None,  # noqa: ARG001 - the kit blocks sockets without it
) -> None:
    """On the same port; and faults make requests hang as before."""
    simulator = Simulator()
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        caller = Caller(simulator, session)
        async with simulator:
            address = simulator.address
            await caller.trx()
        with pytest.raises(aiohttp.ClientConnectorError):
            await caller.trx()
        async with simulator:
            assert simulator.address == address
            simulator.inject("transactionale", "hang_after_accept")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await caller.trx(body="Un altro")
        assert [message.text for message in simulator.messages] == ["Ciao", "Un altro"]
