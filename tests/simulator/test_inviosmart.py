"""The Inviosmart side of the simulator."""

from decimal import Decimal

import pytest

from simulator import Simulator

from .caller import LANDLINE, NUMBER, OTHER, Caller


async def test_a_send_answers_a_line_with_the_id(
    simulator: Simulator, caller: Caller
) -> None:
    """As plain text."""
    reply = await caller.invio(message="Perché no? È l'ora")
    (message,) = simulator.messages
    assert (reply.status, reply.text) == (200, f"OK ID:{message.id}")
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert (message.to, message.text) == (f"+{NUMBER}", "Perché no? È l'ora")
    assert message.cost == Decimal("0.057")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"username": None}, 1001),
        ({"password": None}, 1002),
        ({"password": "no"}, 1012),
        ({"destination": None}, 1003),
        ({"destination": f"+{NUMBER}"}, 1005),
        ({"destination": LANDLINE}, 1005),
        ({"sender": None}, 1008),
        ({"sender": "DodiciLetter"}, 1006),
        ({"sender": "393331234567"}, 1036),
        ({"sender": "1" * 17}, 1036),
        ({"sender": "Città"}, 1021),
        ({"sender": "+1"}, 1021),
        ({"message": None}, 1011),
        ({"message": "a" * 613}, 1029),
    ],
)
async def test_a_bad_field_is_refused_with_its_number(
    simulator: Simulator, caller: Caller, fields: dict[str, str | None], code: int
) -> None:
    """HTTP says 200 all the same."""
    reply = await caller.invio(**fields)
    assert reply.status == 200
    assert reply.text.startswith(f"Error: {code} - ")
    assert not simulator.messages


async def test_612_characters_are_four_parts(
    simulator: Simulator, caller: Caller
) -> None:
    """The longest message there is."""
    await caller.invio(message="a" * 612)
    assert simulator.messages[0].parts == 4


async def test_several_numbers_are_answered_each(
    simulator: Simulator, caller: Caller
) -> None:
    """One bad number does not stop the others."""
    reply = await caller.invio(destination=f"{NUMBER}.12.{OTHER}")
    first, second = simulator.messages
    good, bad, last = reply.text.split("|")
    assert (good, last) == (f"OK ID:{first.id}", f"OK ID:{second.id}")
    assert bad.startswith("Error: 1005")


async def test_without_credit_nothing_is_accepted(
    simulator: Simulator, caller: Caller
) -> None:
    """No credit and too little of it have numbers of their own."""
    simulator.set_credit("inviosmart", 0)
    assert (await caller.invio()).text.startswith("Error: 1013")
    simulator.set_credit("inviosmart", "0.05")
    assert (await caller.invio()).text.startswith("Error: 1018")
    assert not simulator.messages


async def test_a_blocked_number_is_not_supported(
    simulator: Simulator, caller: Caller
) -> None:
    """A number may be right and still not served."""
    simulator.account("inviosmart").blocked.add(f"+{NUMBER}")
    assert (await caller.invio()).text.startswith("Error: 1017")


@pytest.mark.parametrize(
    ("status", "number"),
    [
        ("queued", "1"),
        ("sent", "2"),
        ("delivered", "2048"),
        ("failed", "64"),
        ("expired", "128"),
    ],
)
async def test_the_status_line_has_seven_fields(
    simulator: Simulator, caller: Caller, status: str, number: str
) -> None:
    """Times have no colon."""
    await caller.invio(message="a" * 200)
    message_id = simulator.messages[0].id
    simulator.move(message_id, status)
    reply = await caller.invio("smsstatus/", SMSId=message_id)
    fields = reply.text.split(":")
    assert len(fields) == 7
    assert (fields[0], fields[2], fields[4]) == (message_id, NUMBER, number)
    assert (fields[5], fields[6]) == ("2", "0.114")
    assert len(fields[1]) == len(fields[3]) == 14


async def test_a_bad_status_query_is_refused(
    simulator: Simulator, caller: Caller
) -> None:
    """Also for the message of another provider."""
    await caller.trx()
    other = simulator.messages[0].id
    for query, code in (
        ({}, 1027),
        ({"SMSId": "1"}, 1028),
        ({"SMSId": other}, 1028),
        ({"SMSId": "1", "password": "no"}, 1012),
    ):
        reply = await caller.invio("smsstatus/", **query)
        assert reply.text.startswith(f"Error: {code}")


async def test_the_balance_has_a_count_of_sms_only_for_a_country(
    simulator: Simulator, caller: Caller
) -> None:
    """Without a country the count is -9999."""
    reply = await caller.invio("account-balance/")
    assert reply.text == "Status: 1000 - Balance:112.24|SmsRemainCount:-9999"
    reply = await caller.invio("account-balance/", countryprefix="39")
    assert reply.text == "Status: 1000 - Balance:112.24|SmsRemainCount:1969"
    simulator.set_price("inviosmart", 0)
    reply = await caller.invio("account-balance/", countryprefix="39")
    assert reply.text.endswith("SmsRemainCount:0")


SCRIPTS = "webservice/sms/"


async def test_the_scripts_of_the_other_address_answer_the_same(
    simulator: Simulator, caller: Caller
) -> None:
    """To the arguments of the commands."""
    reply = await caller.invio(
        SCRIPTS + "sendSMSHTTP.php",
        destination=NUMBER,
        sender="Casa",
        message="Ciao",
    )
    (message,) = simulator.messages
    assert reply.text == f"OK ID:{message.id}"
    reply = await caller.invio(SCRIPTS + "getSMSStatus.php", SMSId=message.id)
    assert reply.text.split(":")[0] == message.id
    reply = await caller.invio(SCRIPTS + "getAccountBalance.php", countryprefix="39")
    assert reply.text.startswith("Status: 1000 - Balance:112.18|SmsRemainCount:")


async def test_form_data_is_taken_beside_the_query(
    simulator: Simulator, caller: Caller
) -> None:
    """As the sibling's examples send it."""
    login = simulator.credentials("inviosmart")
    send = {"destination": NUMBER, "sender": "Casa", "message": "Perché no?"}
    url = f"{simulator.url('inviosmart')}/{SCRIPTS}sendSMSHTTP.php"
    whole = await caller.ask("POST", url, data={**login, **send})
    mixed = await caller.ask("POST", url, params=login, data=send)
    first, second = simulator.messages
    assert (whole.text, mixed.text) == (f"OK ID:{first.id}", f"OK ID:{second.id}")
    assert {first.text, second.text} == {"Perché no?"}


async def test_the_help_needs_no_login(simulator: Simulator, caller: Caller) -> None:
    """It names the commands."""
    reply = await caller.ask("GET", f"{simulator.url('inviosmart')}/help")
    assert reply.status == 200
    assert "/sendsms/" in reply.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"destination": "12"}, "Invalid destination or Destination not covered."),
        ({"password": "no"}, "Username and password do not match."),
        ({"sender": "393331234567"}, "Sender not allowed."),
    ],
)
async def test_a_send_can_be_refused_in_sentences(
    simulator: Simulator, caller: Caller, fields: dict[str, str | None], sentence: str
) -> None:
    """As the page shows them; the other questions keep their numbers."""
    simulator.switch_on("inviosmart", "sentences")
    assert (await caller.invio(**fields)).text == sentence
    assert (await caller.invio("smsstatus/")).text.startswith("Error: 1027")
