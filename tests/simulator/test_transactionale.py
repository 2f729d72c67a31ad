"""The Transactionale side of the simulator."""

import pytest

from simulator import Simulator

from .caller import LANDLINE, NUMBER, Caller, Json


async def test_a_send_answers_what_the_page_shows(
    simulator: Simulator, caller: Caller
) -> None:
    """The address of the message is part of the answer."""
    reply = await caller.trx(receive_dlr="off")
    (message,) = simulator.messages
    base = simulator.url("transactionale")
    assert reply.status == 201
    assert reply.object == {
        "id": int(message.id),
        "phone": NUMBER,
        "sender_id": "Casa",
        "body": "Ciao",
        "status": "pending",
        "delivery_status": "unknown",
        "country": "IT",
        "is_two_way": False,
        "webhook_url": None,
        "receive_dlr": "off",
        "url": f"{base}/platform/api/sms/send/{message.id}",
    }
    assert (message.to, message.text, message.sender) == (f"+{NUMBER}", "Ciao", "Casa")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("queued", ("pending", "unknown")),
        ("sent", ("sent", "unknown")),
        ("delivered", ("sent", "delivered")),
        ("failed", ("sent", "failed")),
        ("expired", ("sent", "failed")),
    ],
)
async def test_a_message_has_its_status(
    simulator: Simulator, caller: Caller, status: str, words: tuple[str, str]
) -> None:
    """In two fields."""
    await caller.trx()
    message_id = simulator.messages[0].id
    simulator.move(message_id, status)
    reply = await caller.trx_get(message_id)
    assert (reply.object["status"], reply.object["delivery_status"]) == words


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", None),
        ("phone", ""),
        ("phone", 393401234567),
        ("phone", f"+{NUMBER}"),
        ("phone", "3" * 16),
        ("phone", LANDLINE),
        ("phone", "99812345678"),
        ("sender_id", None),
        ("sender_id", "DodiciLetter"),
        ("sender_id", "Casa+"),
        ("body", None),
        ("body", "a" * 1531),
        ("webhook_url", "nowhere"),
        ("receive_dlr", "sometimes"),
    ],
)
async def test_a_bad_field_is_refused_by_name(
    simulator: Simulator, caller: Caller, field: str, value: Json
) -> None:
    """Flat by default, under "errors" when switched."""
    reply = await caller.trx(**{field: value})
    assert reply.status == 400
    assert list(reply.object) == [field]
    simulator.switch_on("transactionale", "nested_errors")
    assert (await caller.trx(**{field: value})).object == {"errors": reply.object}
    assert not simulator.messages


async def test_a_blocked_number_is_refused(
    simulator: Simulator, caller: Caller
) -> None:
    """Well formed or not."""
    simulator.account("transactionale").blocked.add(f"+{NUMBER}")
    assert list((await caller.trx()).object) == ["phone"]


async def test_a_wrong_key_is_refused_as_the_page_shows(
    simulator: Simulator, caller: Caller
) -> None:
    """A scheme word before the key is wrong too."""
    url = simulator.url("transactionale") + "/platform/api/sms/send"
    key = simulator.credentials("transactionale")["api_key"]
    for header in ({}, {"Authorization": "no"}, {"Authorization": f"Bearer {key}"}):
        for method, path in (("POST", ""), ("GET", "/1")):
            reply = await caller.ask(method, url + path, headers=header)
            assert reply.status == 401
            assert reply.object == {"message": "401 Unauthorized", "status_code": 401}


async def test_an_unknown_id_is_not_found(simulator: Simulator, caller: Caller) -> None:
    """So is a message of another provider."""
    await caller.svi()
    for message_id in ("0", simulator.messages[0].id):
        assert (await caller.trx_get(message_id)).status == 404


async def test_without_credit_nothing_is_accepted(
    simulator: Simulator, caller: Caller
) -> None:
    """The real refusal is unknown; here it is 402."""
    simulator.set_credit("transactionale", 0)
    assert (await caller.trx()).status == 402
    assert not simulator.messages


async def test_the_old_path_and_the_list_do_not_exist(
    simulator: Simulator, caller: Caller
) -> None:
    """The first draft of the API was switched off."""
    base = simulator.url("transactionale")
    headers = caller.login("transactionale")
    old = await caller.ask("GET", f"{base}/api/v1/send/1", headers=headers)
    listing = await caller.ask("GET", f"{base}/platform/api/sms/send", headers=headers)
    assert (old.status, listing.status) == (404, 405)
