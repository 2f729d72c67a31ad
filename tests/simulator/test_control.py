"""The control API of the simulator."""

import pytest

from simulator import Simulator

from .caller import Caller, Json, Reply


async def show(caller: Caller, path: str) -> Reply:
    """Read from the control API."""
    return await caller.ask("GET", f"{caller.simulator.address}/control/{path}")


async def test_messages_are_shown_newest_first(
    simulator: Simulator, caller: Caller
) -> None:
    """All of them, of one provider, or a few."""
    await caller.trx(body="Uno")
    await caller.trx(body="Due")
    await caller.invio(message="Tre")
    for path, texts in (
        ("messages", ["Tre", "Due", "Uno"]),
        ("messages?limit=1", ["Tre"]),
        ("messages?provider=transactionale", ["Due", "Uno"]),
        ("messages?provider=transactionale&limit=1", ["Due"]),
    ):
        rows = (await show(caller, path)).rows("messages")
        assert [row["text"] for row in rows] == texts
    row = (await show(caller, "messages")).rows("messages")[2]
    message = simulator.messages[0]
    assert (row["id"], row["to"], row["status"]) == (message.id, message.to, "queued")
    assert (row["parts"], row["cost"]) == (1, "0.060")


async def test_accounts_are_shown_with_what_a_form_asks_for(
    simulator: Simulator, caller: Caller
) -> None:
    """The address and the credentials that are valid now."""
    simulator.set_credentials("inviosmart", password="changed")

    rows = (await show(caller, "accounts")).rows("accounts")

    assert [row["provider"] for row in rows] == [*simulator.provider_keys]
    for row in rows:
        provider = str(row["provider"])
        assert row["url"] == simulator.url(provider)
        assert row["credentials"] == simulator.credentials(provider)


async def test_requests_are_shown_with_their_answers(caller: Caller) -> None:
    """And the fields as they were decoded."""
    await caller.smsh()
    await caller.trx()
    newest, oldest = (await show(caller, "requests")).rows("requests")
    assert (newest["provider"], oldest["provider"]) == ("transactionale", "smshosting")
    assert oldest["fields"] == {"text": "Ciao", "to": "393401234567", "from": "Casa"}
    assert (oldest["status"], oldest["method"]) == (200, "POST")
    rows = (await show(caller, "requests?provider=smshosting")).rows("requests")
    assert rows == [oldest]


async def test_callbacks_are_shown(simulator: Simulator, caller: Caller) -> None:
    """With what was sent, where."""
    await caller.trx(webhook_url="http://127.0.0.1:1/x")
    simulator.move(simulator.messages[0].id, "failed")
    await simulator.finish_callbacks()
    for path, count in (("callbacks", 1), ("callbacks?provider=inviosmart", 0)):
        assert len((await show(caller, path)).rows("callbacks")) == count
    (row,) = (await show(caller, "callbacks")).rows("callbacks")
    assert (row["url"], row["status"]) == ("http://127.0.0.1:1/x", None)


async def test_what_does_not_exist_cannot_be_listed(caller: Caller) -> None:
    """400 for an unknown provider or a limit that is not a number."""
    assert (await show(caller, "messages?provider=x")).status == 400
    assert (await show(caller, "messages?limit=x")).status == 400
    assert (await show(caller, "messages?limit=-1")).status == 400


async def test_a_script_can_change_everything(
    simulator: Simulator, caller: Caller
) -> None:
    """Status, faults, credit, credentials, behaviour; and forget everything."""
    await caller.svi()
    message_id = simulator.messages[0].id
    steps: list[tuple[str, dict[str, Json]]] = [
        ("move", {"id": message_id, "status": "failed", "word": "ERROR"}),
        ("credit", {"provider": "inviosmart", "euro": 1.5}),
        ("credentials", {"provider": "transactionale", "api_key": "nuova"}),
        ("toggle", {"provider": "smshosting", "toggle": "push_plan", "on": True}),
        ("toggle", {"provider": "smsviainternet", "toggle": "wallets", "on": False}),
        (
            "fault",
            {"provider": "smshosting", "fault": "html", "times": 2, "operation": ""},
        ),
        ("fault", {"provider": "smshosting", "fault": "cut_after_accept"}),
        ("fault", {"provider": "smshosting", "fault": "html", "operation": "send"}),
    ]
    for name, body in steps:
        reply = await caller.control(name, **body)
        assert (reply.status, reply.object) == (200, {"ok": True}), name
    message = simulator.messages[0]
    assert (str(message.status), message.word) == ("failed", "ERROR")
    assert simulator.credentials("transactionale") == {"api_key": "nuova"}
    accounts = (await show(caller, "accounts")).rows("accounts")
    credit = {str(row["provider"]): row["credit"] for row in accounts}
    assert credit["inviosmart"] == "1.5"
    assert accounts[1]["toggles"] == ["push_plan"]
    assert accounts[1]["faults"] == [
        {"fault": "html", "times": 2, "operation": None},
        {"fault": "cut_after_accept", "times": 1, "operation": None},
        {"fault": "html", "times": 1, "operation": "send"},
    ]
    # Faults end alone, and with everything else.
    assert (await caller.control("clear_faults")).status == 200
    assert not simulator.waiting_faults("smshosting")
    assert simulator.credentials("transactionale") == {"api_key": "nuova"}
    assert simulator.messages
    simulator.inject("smshosting", "html")
    assert (await caller.control("reset")).status == 200
    assert not simulator.messages
    assert not simulator.waiting_faults("smshosting")
    assert simulator.credentials("transactionale") != {"api_key": "nuova"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("move", {"id": "1", "status": "sent"}),
        ("move", {"status": "sent"}),
        ("move", {"id": 1, "status": "sent"}),
        ("fault", {"provider": "smshosting", "fault": "tired"}),
        ("fault", {"provider": "smshosting", "fault": "html", "times": 0}),
        ("fault", {"provider": "smshosting", "fault": "html", "times": "x"}),
        ("credit", {"provider": "smshosting", "euro": "x"}),
        ("credit", {"provider": "smshosting", "euro": "NaN"}),
        ("credit", {"provider": "nobody", "euro": 1}),
        ("toggle", {"provider": "smshosting", "toggle": "x", "on": True}),
    ],
)
async def test_a_bad_request_is_refused(
    caller: Caller, name: str, body: dict[str, Json]
) -> None:
    """With 400 and the reason."""
    reply = await caller.control(name, **body)
    assert reply.status == 400
    assert "error" in reply.object


async def test_a_foreign_page_cannot_post(simulator: Simulator, caller: Caller) -> None:
    """A browser sends no application/json across sites without asking."""
    await caller.svi()
    url = f"{simulator.address}/control/reset"
    plain = {"Content-Type": "text/plain"}
    assert (await caller.ask("POST", url, data=b"{}", headers=plain)).status == 415
    assert (await caller.ask("POST", url, json=[])).status == 400
    assert len(simulator.messages) == 1
