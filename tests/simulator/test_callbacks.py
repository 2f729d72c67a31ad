"""The delivery reports that the simulated providers push."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
import json
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
import pytest

from simulator import Simulator

from .caller import NUMBER, Caller, until


@dataclass(slots=True, kw_only=True)
class Hook:
    """The client's webhook: its URL, what it received, what it answers."""

    url: str = ""
    status: int = 204
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    closed: asyncio.Event | None = None


@pytest.fixture
async def hook(socket_enabled: None) -> AsyncGenerator[Hook]:  # noqa: ARG001 - the kit blocks sockets without it
    """Return a webhook that records what it receives."""
    found = Hook()

    async def serve(request: web.Request) -> web.Response:
        body = await request.read()
        found.received.append((request.method, dict(request.query), body))
        if found.closed is not None:
            await found.closed.wait()
        return web.Response(status=found.status)

    app = web.Application()
    app.router.add_route("*", "/hook", serve)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?secret=s3"
    yield found
    await runner.cleanup()


@pytest.mark.parametrize("status", ["delivered", "failed", "expired"])
async def test_transactionale_posts_the_documented_json(
    simulator: Simulator, caller: Caller, hook: Hook, status: str
) -> None:
    """Once, when the status is final."""
    await caller.trx(webhook_url=hook.url)
    message_id = simulator.messages[0].id
    simulator.move(message_id, "sent")
    message = simulator.move(message_id, status)
    await simulator.finish_callbacks()
    ((method, query, body),) = hook.received
    assert message.sent is not None
    assert (method, query) == ("POST", {"secret": "s3"})
    assert json.loads(body) == {
        "sms_id": int(message_id),
        "phone": NUMBER,
        "send_time": message.sent.isoformat(timespec="seconds"),
        "status_time": message.changed.isoformat(timespec="seconds"),
        "status": status,
    }
    (callback,) = simulator.callbacks.of("transactionale")
    assert (callback.status, callback.attempt) == (204, 1)
    assert callback.payload == json.loads(body)


@pytest.mark.parametrize(
    ("rules", "reported"),
    [
        (("always", "off"), ["delivered", "failed"]),
        (("on_error", "always"), ["failed"]),
        (("off", "always"), []),
        (("default", "always"), ["delivered", "failed"]),
        ((None, "on_error"), ["failed"]),
    ],
)
async def test_the_rule_decides_which_reports_are_pushed(
    simulator: Simulator,
    caller: Caller,
    hook: Hook,
    rules: tuple[str | None, str],
    reported: list[str],
) -> None:
    """The rule of the send, or that of the account."""
    account = simulator.account("transactionale")
    rule, account.receive_dlr = rules
    account.webhook_url = hook.url
    for status in ("delivered", "failed"):
        await caller.trx(receive_dlr=rule)
        simulator.move(simulator.messages[-1].id, status)
        await simulator.finish_callbacks()
    assert [json.loads(body)["status"] for _, _, body in hook.received] == reported


async def test_a_server_error_makes_transactionale_send_again(
    simulator: Simulator, caller: Caller, hook: Hook
) -> None:
    """Three times, and then no more."""
    hook.status = 500
    await caller.trx(webhook_url=hook.url)
    simulator.move(simulator.messages[0].id, "delivered")
    await simulator.finish_callbacks()
    assert len(hook.received) == 4
    assert [item.attempt for item in simulator.callbacks] == [1, 2, 3, 4]
    assert {item.status for item in simulator.callbacks} == {500}


async def test_a_client_error_loses_the_report(
    simulator: Simulator, caller: Caller, hook: Hook
) -> None:
    """As documented: an error, but not sent again."""
    hook.status = 404
    await caller.trx(webhook_url=hook.url)
    simulator.move(simulator.messages[0].id, "delivered")
    await simulator.finish_callbacks()
    assert [item.status for item in simulator.callbacks] == [404]


@pytest.mark.parametrize(
    ("status", "word"), [("delivered", "DELIVERED"), ("expired", "NOTDELIVERED")]
)
async def test_smshosting_posts_the_documented_form(
    simulator: Simulator, caller: Caller, hook: Hook, status: str, word: str
) -> None:
    """Once, with the end of a delivery."""
    await caller.smsh(statusCallback=hook.url, transactionId="uno")
    message = simulator.move(simulator.messages[0].id, "sent")
    message = simulator.move(message.id, status)
    await simulator.finish_callbacks()
    ((method, query, body),) = hook.received
    assert (method, query) == ("POST", {"secret": "s3"})
    assert parse_qsl(body.decode(), strict_parsing=True) == [
        ("id", message.id),
        ("transactionId", "uno"),
        ("to", NUMBER),
        ("status", word),
        ("notificationDate", f"{message.changed:%Y-%m-%dT%H:%M:%S%z}"),
    ]


async def test_smshosting_calls_with_who_wrote_and_what(
    simulator: Simulator, hook: Hook
) -> None:
    """Without the key of a shared number, a time, an ID or a signature."""
    simulator.set_reception("smshosting", "+393390000000", url=hook.url, key="CASA")
    simulator.write("smshosting", f"+{NUMBER}", "CASA ok")
    await simulator.finish_callbacks()
    ((method, query, _),) = hook.received
    assert method == "GET"
    assert query == {"secret": "s3", "number": NUMBER, "text": "ok"}


async def test_smshosting_calls_nobody_about_a_cancelled_message(
    simulator: Simulator, caller: Caller, hook: Hook
) -> None:
    """Of NOSENT no callback ever comes."""
    await caller.smsh(statusCallback=hook.url)
    simulator.move(simulator.messages[0].id, "failed", "NOSENT")
    await simulator.finish_callbacks()
    assert not hook.received


async def test_a_bulk_of_smshosting_is_listed_for_its_own_callback(
    simulator: Simulator, caller: Caller, hook: Hook
) -> None:
    """In JSON, once it has been worked on."""
    simulator.switch_on("smshosting", "slow_processing")
    fields = {"text": "Ciao", "to": f"{NUMBER},12", "from": "Casa"}
    fields |= {"transactionId": "molti", "transactionCallback": hook.url}
    await caller.smsh("sms/sendbulk", **fields)
    simulator.process()
    await simulator.finish_callbacks()
    ((method, query, body),) = hook.received
    assert (method, query) == ("POST", {"secret": "s3"})
    bad = {"id": None, "to": "12", "status": "NOT_INSERTED"}
    assert json.loads(body) == {
        "status": "COMPLETED",
        "from": "Casa",
        "text": "Ciao",
        "transactionId": "molti",
        "smsInserted": 1,
        "smsNotInserted": 1,
        "sms": [
            {"id": int(simulator.messages[0].id), "to": NUMBER, "status": "INSERTED"},
            {**bad, "statusDetail": "BADNUMBERFORMAT"},
        ],
    }
    (callback,) = simulator.callbacks
    assert (callback.provider, callback.message_id) == ("smshosting", "")


@pytest.mark.parametrize(
    ("text", "code"), [("Ciao", "NO_CREDIT"), ("${nome}", "BAD_TEXT_PLACEHOLDER")]
)
async def test_a_refused_bulk_of_smshosting_says_why(
    simulator: Simulator, caller: Caller, hook: Hook, text: str, code: str
) -> None:
    """Nothing of it was sent."""
    simulator.set_credit("smshosting", 0)
    fields = {"text": text, "to": NUMBER, "transactionId": "molti"}
    await caller.smsh("sms/sendbulk", **fields, transactionCallback=hook.url)
    await simulator.finish_callbacks()
    ((_, _, body),) = hook.received
    assert json.loads(body) == {
        "status": "ERROR",
        "errorMsg": code,
        "transactionId": "molti",
    }
    assert not simulator.messages


async def test_smsviainternet_calls_with_a_query(
    simulator: Simulator, caller: Caller, hook: Hook
) -> None:
    """The caller's own query stays."""
    await caller.svi(delivery_callback=hook.url)
    simulator.move(simulator.messages[0].id, "delivered")
    await simulator.finish_callbacks()
    ((method, query, body),) = hook.received
    assert (method, body, query["secret"]) == ("GET", b"", "s3")
    assert query["queue_id"] == simulator.messages[0].reference
    assert (query["receiver"], query["delivery_status"]) == (f"+{NUMBER}", "DELIVERED")


async def test_an_email_address_is_accepted_and_not_called(
    simulator: Simulator, caller: Caller
) -> None:
    """The page allows one."""
    reply = await caller.svi(delivery_callback="anna@example.com")
    assert reply.status == 200
    simulator.move(simulator.messages[0].id, "delivered")
    await simulator.finish_callbacks()
    assert not simulator.callbacks


async def test_who_asked_for_no_report_gets_none(
    simulator: Simulator, caller: Caller
) -> None:
    """Inviosmart never calls back."""
    for provider in ("smsviainternet", "smshosting", "transactionale", "inviosmart"):
        await caller.send(provider)
    for message in simulator.messages:
        simulator.move(message.id, "delivered")
    await simulator.finish_callbacks()
    assert not simulator.callbacks


async def test_an_address_that_does_not_answer_is_noted(
    simulator: Simulator, caller: Caller
) -> None:
    """Without an answer there is no status."""
    await caller.trx(webhook_url="http://127.0.0.1:1/hook")
    simulator.move(simulator.messages[0].id, "delivered")
    await simulator.finish_callbacks()
    assert [item.status for item in simulator.callbacks] == [None]


async def test_a_report_under_way_ends_with_the_simulator(hook: Hook) -> None:
    """No task stays behind, which the test kit would notice."""
    hook.closed = asyncio.Event()
    async with Simulator() as simulator, aiohttp.ClientSession() as session:
        await Caller(simulator, session).trx(webhook_url=hook.url)
        simulator.move(simulator.messages[0].id, "delivered")
        await until(lambda: bool(hook.received))
    hook.closed.set()
    assert not simulator.callbacks
