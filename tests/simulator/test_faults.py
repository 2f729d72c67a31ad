"""The faults of the simulator: each works as described, for every provider."""

import asyncio
from collections.abc import AsyncGenerator
import json

import aiohttp
import pytest

from simulator import PROVIDERS, Fault, Simulator
from simulator.faults import BEFORE_ACCEPT, HUGE_BYTES, PAGE

from .caller import Caller, until

JSON_PROVIDERS = [key for key, one in PROVIDERS.items() if one.answers_in_json]
HANGS = [Fault.HANG_BEFORE_ACCEPT, Fault.HANG_AFTER_ACCEPT]
CUTS = [Fault.CUT_BEFORE_ACCEPT, Fault.CUT_AFTER_ACCEPT]

every_provider = pytest.mark.parametrize("provider", PROVIDERS)


class _CutError(Exception):
    """The connection was cut."""


async def _never_repeat(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Turn a cut into an error that aiohttp does not repeat the request for."""
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise _CutError from error


@pytest.fixture
async def careful(simulator: Simulator) -> AsyncGenerator[Caller]:
    """Return a caller that never sends a request twice by itself."""
    async with aiohttp.ClientSession(middlewares=(_never_repeat,)) as session:
        yield Caller(simulator, session)


@every_provider
@pytest.mark.parametrize(
    "fault", [fault for fault in Fault if fault is not Fault.REDIRECT]
)
async def test_the_message_is_accepted_or_not_as_documented(
    simulator: Simulator, careful: Caller, provider: str, fault: Fault
) -> None:
    """One send goes wrong, the next one is fine; of a redirect see below."""
    account = simulator.account(provider)
    credit = account.credit
    simulator.inject(provider, fault, operation="send")
    task = asyncio.create_task(careful.send(provider))
    await until(lambda: bool(simulator.requests))
    if fault in HANGS:
        task.cancel()
    await asyncio.wait([task])
    accepted = 0 if fault in BEFORE_ACCEPT else 1
    assert len(simulator.messages) == accepted
    assert account.credit == credit - account.price * accepted
    assert [request.fault for request in simulator.requests] == [fault]
    if fault in CUTS:
        assert isinstance(task.exception(), _CutError)
    await careful.send(provider, "Un altro")
    assert len(simulator.messages) == accepted + 1
    assert simulator.requests[-1].fault is None


@pytest.mark.parametrize("provider", JSON_PROVIDERS)
@pytest.mark.parametrize("fault", CUTS)
async def test_a_cut_gives_no_answer(
    simulator: Simulator, caller: Caller, provider: str, fault: Fault
) -> None:
    """The client sees its connection broken."""
    simulator.inject(provider, fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.send(provider)
    assert simulator.requests[0].status is None


async def test_a_get_that_is_cut_is_repeated_by_a_careless_client(
    simulator: Simulator, caller: Caller
) -> None:
    """The trap that the simulator must be able to show: two SMS for one call."""
    simulator.inject("inviosmart", Fault.CUT_AFTER_ACCEPT)
    await caller.send("inviosmart")
    assert len(simulator.messages) == len(simulator.requests) == 2


@every_provider
@pytest.mark.parametrize("fault", HANGS)
async def test_a_hang_lasts_until_the_client_leaves(
    simulator: Simulator, caller: Caller, provider: str, fault: Fault
) -> None:
    """Nothing is answered meanwhile, and others are served."""
    simulator.inject(provider, fault)
    task = asyncio.create_task(caller.send(provider))
    await until(lambda: bool(simulator.requests))
    assert (await caller.send(provider, "Un altro")).status in {200, 201}
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert simulator.requests[0].status is None


async def test_a_hang_ends_when_the_simulator_closes(socket_enabled: None) -> None:  # noqa: ARG001 - the kit blocks sockets without it
    """The client's connection breaks immediately."""
    async with aiohttp.ClientSession() as session:
        async with Simulator() as simulator:
            simulator.inject("transactionale", Fault.HANG_AFTER_ACCEPT)
            caller = Caller(simulator, session)
            task = asyncio.create_task(caller.trx())
            await until(lambda: bool(simulator.messages))
        with pytest.raises(aiohttp.ClientConnectionError):
            await task


@every_provider
@pytest.mark.parametrize(
    ("fault", "shape"),
    [
        (Fault.THROTTLED, (429, "text/plain", "7")),
        (Fault.THROTTLED_BARE, (429, "text/plain", None)),
        (Fault.SERVER_ERROR_EMPTY, (500, "text/plain", None)),
        (Fault.SERVER_ERROR_BODY, (503, "text/html", None)),
        (Fault.HTML, (200, "text/html", None)),
    ],
)
async def test_an_error_answer_has_its_shape(
    simulator: Simulator,
    caller: Caller,
    provider: str,
    fault: Fault,
    shape: tuple[int, str, str | None],
) -> None:
    """Status, content type and Retry-After; a body where it is a page."""
    simulator.inject(provider, fault)
    reply = await caller.send(provider)
    headers = reply.headers
    found = (reply.status, headers["Content-Type"], headers.get("Retry-After"))
    assert found == shape
    assert reply.body == (PAGE if shape[1] == "text/html" else b"")
    assert simulator.requests[0].status == shape[0]


@every_provider
async def test_a_server_error_can_hide_an_accepted_message(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """The answer looks just like that of a server that did nothing."""
    simulator.inject(provider, Fault.SERVER_ERROR_AFTER_ACCEPT)
    reply = await caller.send(provider)
    assert (reply.status, reply.body) == (500, b"")


@every_provider
async def test_a_truncated_answer_cannot_be_read(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """It is complete for HTTP, but says nothing."""
    simulator.inject(provider, Fault.TRUNCATED_JSON)
    reply = await caller.send(provider)
    assert reply.status in {200, 201}
    assert int(reply.headers["Content-Length"]) == len(reply.body) > 0
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


async def test_a_truncated_line_has_no_id(simulator: Simulator, caller: Caller) -> None:
    """Half an id would look like another message's."""
    simulator.inject("inviosmart", Fault.TRUNCATED_JSON)
    assert (await caller.invio()).text == "OK ID"


@pytest.mark.parametrize("provider", JSON_PROVIDERS)
async def test_wrong_types_spare_no_value(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """The names are the right ones."""
    right = (await caller.send(provider)).object
    simulator.inject(provider, Fault.WRONG_TYPES)
    wrong = (await caller.send(provider, "Un altro")).object
    assert wrong.keys() == right.keys()
    for name, value in right.items():
        assert type(wrong[name]) is not type(value), name


async def test_wrong_types_of_a_line_are_letters_for_digits(
    simulator: Simulator, caller: Caller
) -> None:
    """There are no types in a line of text."""
    simulator.inject("inviosmart", Fault.WRONG_TYPES)
    reply = await caller.invio()
    assert reply.text.startswith("OK ID:")
    assert reply.text.removeprefix("OK ID:").isalpha()


@every_provider
async def test_a_huge_body_is_streamed(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """Its length is not announced; a client may stop reading."""
    simulator.inject(provider, Fault.HUGE_BODY)
    reply = await caller.send(provider)
    assert len(reply.body) > HUGE_BYTES
    assert "Content-Length" not in reply.headers
    assert len(simulator.requests[0].answer) < HUGE_BYTES / 100


async def test_a_client_may_stop_reading_a_huge_body(
    simulator: Simulator, caller: Caller
) -> None:
    """The server survives that."""
    simulator.inject("smshosting", Fault.HUGE_BODY)
    url = simulator.url("smshosting") + "/user"
    async with caller.session.get(url) as response:
        assert len(await response.content.read(10)) == 10
        response.close()
    assert (await caller.smsh_get("user")).status == 200


@every_provider
async def test_bad_encoding_is_no_utf8(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """The rest of the answer is whole."""
    simulator.inject(provider, Fault.BAD_ENCODING)
    reply = await caller.send(provider)
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode()
    assert simulator.messages[0].provider_id.encode() in reply.body


@every_provider
async def test_a_client_that_follows_a_redirect_sends(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """The other address works like the first."""
    simulator.inject(provider, Fault.REDIRECT)
    reply = await caller.send(provider)
    assert reply.status in {200, 201}
    first, second = simulator.requests
    assert (first.status, first.redirected) == (307, False)
    assert (second.path, second.redirected) == (first.path, True)
    assert len(simulator.messages) == 1


@every_provider
async def test_deep_json_is_too_deep(
    simulator: Simulator, caller: Caller, provider: str
) -> None:
    """A parser that recurses gives up."""
    simulator.inject(provider, Fault.DEEP_JSON)
    reply = await caller.send(provider)
    with pytest.raises(RecursionError):
        json.loads(reply.body)


async def test_a_fault_waits_for_its_operation(
    simulator: Simulator, caller: Caller
) -> None:
    """Others pass, in the order of injection."""
    simulator.inject("smshosting", Fault.SERVER_ERROR_BODY, operation="credit")
    simulator.inject("smshosting", Fault.THROTTLED, times=2)
    statuses = [
        (await caller.smsh_get("sms/search", id="1")).status,
        (await caller.smsh_get("user")).status,
        (await caller.smsh()).status,
        (await caller.smsh()).status,
        (await caller.trx()).status,
    ]
    assert statuses == [429, 503, 429, 200, 201]
    assert not simulator.waiting_faults("smshosting")


async def test_a_fault_that_does_not_exist_is_an_error(simulator: Simulator) -> None:
    """So is one that happens no time."""
    with pytest.raises(ValueError, match="tired"):
        simulator.inject("smshosting", "tired")
    with pytest.raises(ValueError, match="0"):
        simulator.inject("smshosting", Fault.HTML, times=0)
