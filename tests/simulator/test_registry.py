"""A new provider is its description and nothing else: the rest comes by itself."""

import ast
from collections.abc import AsyncGenerator, Iterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from simulator import PROVIDERS, Operation, Simulator, Status

from . import fifth
from .caller import Caller, until

FOLDER = Path(__file__).parents[2] / "simulator"
NUMBER = "+393401234567"


@pytest.fixture
async def simulator(socket_enabled: None) -> AsyncGenerator[Simulator]:  # noqa: ARG001 - the kit blocks sockets without it
    """Return the providers and one more, each with a port of its own."""
    providers = {**PROVIDERS, fifth.KEY: fifth.PROVIDER}
    ports = dict.fromkeys(providers, 0)
    async with Simulator(providers=providers, provider_ports=ports) as running:
        yield running


async def send(caller: Caller, **fields: str) -> str:
    """Send a message through the new provider and return its id."""
    reply = await caller.ask(
        "POST",
        f"{caller.simulator.url(fifth.KEY)}/send",
        json={"to": NUMBER, "text": "Ciao", **fields},
    )
    assert reply.status == 200
    return str(reply.object["id"])


async def test_a_new_provider_accepts_charges_and_reports(
    simulator: Simulator, caller: Caller
) -> None:
    message_id = await send(caller, callback="http://127.0.0.1:1/x")
    assert simulator.credentials(fifth.KEY) == {"key": "fifth-key"}
    assert simulator.account(fifth.KEY).credit == Decimal("1.5")

    simulator.move(message_id, Status.DELIVERED)
    await simulator.finish_callbacks()

    (message,) = simulator.messages.of(fifth.KEY)
    assert (message.to, message.text, message.provider_id) == (
        NUMBER,
        "Ciao",
        message_id,
    )
    asked = await caller.ask("GET", f"{simulator.url(fifth.KEY)}/messages/{message_id}")
    assert asked.object == {"status": "delivered"}
    (report,) = simulator.callbacks.of(fifth.KEY)
    assert report.payload == {"status": "delivered"}
    operations = [request.operation for request in simulator.requests.of(fifth.KEY)]
    assert operations == [Operation.SEND, Operation.STATUS]


async def test_a_new_provider_has_the_faults_and_a_port_that_closes(
    simulator: Simulator, caller: Caller
) -> None:
    simulator.inject(fifth.KEY, "throttled", operation="send")
    url = f"{simulator.url(fifth.KEY)}/send"
    assert (await caller.ask("POST", url)).status == 429
    assert not simulator.messages

    await simulator.ports.close(fifth.KEY)
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.ask("POST", url)
    await simulator.ports.open(fifth.KEY)
    await send(caller)


async def test_a_new_provider_is_in_the_control_api_and_renewed_by_a_reset(
    simulator: Simulator, caller: Caller
) -> None:
    await send(caller)
    control = f"{simulator.address}/control"
    accounts = await caller.ask("GET", f"{control}/accounts")
    assert [row["provider"] for row in accounts.rows("accounts")] == [
        *PROVIDERS,
        fifth.KEY,
    ]
    found = await caller.ask("GET", f"{control}/messages?provider={fifth.KEY}")
    assert len(found.rows("messages")) == 1

    simulator.reset()

    assert simulator.account(fifth.KEY).credit == Decimal(2)
    assert not simulator.messages.of(fifth.KEY)


async def test_messages_of_a_new_provider_are_delivered_automatically(
    socket_enabled: None,  # noqa: ARG001 - the kit blocks sockets without it
) -> None:
    providers = {fifth.KEY: fifth.PROVIDER}
    async with (
        Simulator(providers=providers, deliver_after=0.1) as simulator,
        aiohttp.ClientSession() as session,
    ):
        await send(Caller(simulator, session))
        await until(lambda: simulator.messages[0].status is Status.DELIVERED)
        with pytest.raises(ValueError, match="smshosting"):
            simulator.url("smshosting")


def shared_modules() -> Iterator[Path]:
    """Yield the modules that all providers share."""
    for path in FOLDER.glob("*.py"):
        if path.name != "registry.py":
            yield path


@pytest.mark.parametrize("path", shared_modules(), ids=lambda path: path.stem)
def test_only_the_registry_names_a_provider(path: Path) -> None:
    """In code; a docstring may."""
    names = {
        *(
            node.value
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant)
        ),
        *(
            alias.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ),
    }
    assert not names & {*PROVIDERS}
