"""The Transactionale side of the simulator."""

import json

import phonenumbers
import pytest

from simulator import Simulator

from .caller import LANDLINE, NUMBER, Caller, Json

PRINTED = """
    AF AL AG AR AU AT BY BE BA BR BG KH CA CL CN CO HR CU CY CZ KP DK DO EG ER EE FI FR
    GF DE GI GR GP HK HU IS IE IL IT JP JO KR LI LU MO MT MQ MC ME NA NL NZ NO PA PE PH
    PL PT RO RU SM SA RS SK SL ZA ES SE CH TW MK TN TR TC UG UA GB US UY VE YE
"""
"""The countries of the page."""


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
        ("phone", "390511234"),
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
    base = simulator.url("transactionale")
    url = f"{base}/platform/api/sms/send"
    key = simulator.credentials("transactionale")["api_key"]
    for header in ({}, {"Authorization": "no"}, {"Authorization": f"Bearer {key}"}):
        for method, address in (
            ("POST", url),
            ("GET", url),
            ("GET", f"{url}/1"),
            ("GET", f"{base}/api/v1/send/1"),
            ("POST", f"{base}/api/v1/send"),
            ("DELETE", f"{url}/1"),
            ("GET", f"{base}/nothing"),
        ):
            reply = await caller.ask(method, address, headers=header)
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


async def test_a_message_is_read_on_both_paths(
    simulator: Simulator, caller: Caller
) -> None:
    """Or only on that of the page, when switched."""
    await caller.trx()
    message_id = simulator.messages[0].id
    base = simulator.url("transactionale")
    headers = caller.login("transactionale")
    url = f"{base}/api/v1/send/{message_id}"

    both = await caller.trx_get(message_id)
    page = await caller.ask("GET", url, headers=headers)
    simulator.switch_on("transactionale", "one_read_path")
    gone = await caller.trx_get(message_id)

    assert both.object == page.object
    assert (await caller.ask("GET", url, headers=headers)).object == page.object
    assert (gone.status, gone.object["status_code"]) == (404, 404)


async def test_nothing_is_sent_to_the_path_for_reading(
    simulator: Simulator, caller: Caller
) -> None:
    """The first draft of the API was switched off."""
    url = f"{simulator.url('transactionale')}/api/v1/send"
    headers = caller.login("transactionale")
    for address in (url, f"{url}/1"):
        reply = await caller.ask("POST", address, headers=headers, json={})
        assert reply.status in {404, 405}
    assert not simulator.messages


async def test_a_read_without_an_id_is_no_list(
    simulator: Simulator, caller: Caller
) -> None:
    """The page shows it with the key, and no answer."""
    url = f"{simulator.url('transactionale')}/platform/api/sms/send"
    reply = await caller.ask("GET", url, headers=caller.login("transactionale"))
    assert (reply.status, reply.object["status_code"]) == (405, 405)


async def test_answers_can_be_as_the_page_prints_them(
    simulator: Simulator, caller: Caller
) -> None:
    """With a comma that JSON does not have."""
    simulator.switch_on("transactionale", "printed_answers")
    sent = await caller.trx()
    read = await caller.trx_get(simulator.messages[0].id)
    for reply in (sent, read):
        assert reply.text.startswith('{\n    "id": ')
        assert reply.text.endswith(f'/{simulator.messages[0].id}",\n}}')
        assert json.loads(reply.text.replace(",\n}", "}"))["country"] == "IT"
    assert (sent.status, read.status) == (201, 200)


@pytest.mark.parametrize("code", PRINTED.split())
async def test_a_number_of_each_country_of_the_page_is_served(
    code: str, simulator: Simulator, caller: Caller
) -> None:
    """Asked with an example of a number, and answered with the country."""
    example = phonenumbers.example_number_for_type(
        code, phonenumbers.PhoneNumberType.MOBILE
    )
    assert example is not None
    digits = f"{example.country_code}{example.national_number}"
    reply = await caller.trx(phone=digits)
    assert (reply.status, reply.object.get("country")) == (201, code)
    assert simulator.messages[0].to == f"+{digits}"


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("39123123123", "IT"),
        ("39300000000", "IT"),
        ("393000000000", "IT"),
        (LANDLINE, "IT"),
        ("14165550123", "CA"),
        ("12125550123", "US"),
        ("37866661212", "SM"),
    ],
)
async def test_the_numbers_of_the_page_are_not_refused(
    phone: str, country: str, caller: Caller
) -> None:
    """The page says no more of a number than that its country comes first."""
    reply = await caller.trx(phone=phone)
    assert (reply.status, reply.object["country"]) == (201, country)
