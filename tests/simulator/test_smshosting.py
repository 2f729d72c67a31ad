"""The Smshosting side of the simulator: sending, estimate, cancel, profile."""

from datetime import timedelta

import pytest

from simulator import Simulator

from .caller import LANDLINE, NUMBER, OTHER, Caller, basic


def tomorrow(simulator: Simulator) -> str:
    """Return a date to send at, as the page writes it."""
    created = simulator.messages[0].created if simulator.messages else None
    assert created is not None
    return f"{created + timedelta(days=1):%Y-%m-%dT%H:%M:%S%z}"


async def test_a_send_answers_for_each_number(
    simulator: Simulator, caller: Caller
) -> None:
    """A bad number does not stop the others."""
    simulator.account("smshosting").blocked.add("+393409999999")
    to = f"{NUMBER},{LANDLINE},+{OTHER},{OTHER},393409999999"
    reply = await caller.smsh(to=to, transactionId="nostro-1")
    first, second = simulator.messages
    assert reply.status == 200
    assert reply.object | {"sms": None} == {
        "from": "Casa",
        "text": "Ciao",
        "transactionId": "nostro-1",
        "smsInserted": 2,
        "smsNotInserted": 3,
        "sms": None,
    }
    listed = [
        (row["to"], row["id"], row["status"], row.get("statusDetail"))
        for row in reply.rows("sms")
    ]
    assert listed == [
        (NUMBER, int(first.id), "INSERTED", None),
        (LANDLINE, None, "NOT_INSERTED", "BADNUMBERFORMAT"),
        (f"+{OTHER}", None, "NOT_INSERTED", "BADNUMBERFORMAT"),
        (OTHER, int(second.id), "INSERTED", None),
        ("393409999999", None, "NOT_INSERTED", "BLACKLIST"),
    ]
    assert first.reference == second.reference == "nostro-1"


async def test_the_same_text_is_refused_for_24_hours(
    simulator: Simulator, caller: Caller
) -> None:
    """By number, sender and text; also twice in one call."""
    reply = await caller.smsh(to=f"{NUMBER},{NUMBER}")
    assert (reply.object["smsInserted"], reply.object["smsNotInserted"]) == (1, 1)
    simulator.advance(timedelta(hours=23, minutes=59))
    reply = await caller.smsh()
    assert reply.rows("sms")[0]["statusDetail"] == "DUPLICATESMS"
    for other in ({"text": "Ciao 2"}, {"from": "Altro"}, {"to": OTHER}):
        assert (await caller.smsh(**other)).object["smsInserted"] == 1
    simulator.advance(timedelta(minutes=1))
    assert (await caller.smsh()).object["smsInserted"] == 1


async def test_without_a_transaction_id_one_is_made(
    simulator: Simulator, caller: Caller
) -> None:
    """And it can be searched for."""
    reply = await caller.smsh()
    assert reply.object["transactionId"] == simulator.messages[0].reference != ""


async def test_the_sandbox_answers_as_ever_and_accepts_nothing(
    simulator: Simulator, caller: Caller
) -> None:
    """A row with an ID, as in the official example."""
    reply = await caller.smsh(to=f"{NUMBER},12", sandbox="true")
    good, bad = reply.rows("sms")
    assert (reply.object["smsInserted"], reply.object["smsNotInserted"]) == (1, 1)
    assert good == {"id": good["id"], "to": NUMBER, "status": "INSERTED"}
    assert isinstance(good["id"], int)
    assert bad["statusDetail"] == "BADNUMBERFORMAT"
    assert not simulator.messages
    assert (await caller.smsh()).object["smsInserted"] == 1


@pytest.mark.parametrize(
    "to",
    [
        "[{msisdn:'%s',nome:'Anna'},{msisdn:'%s', nome: 'Bea'}]",
        '[{"msisdn": "%s", "nome": "Anna"}, {"msisdn": "%s", "nome": "Bea"}]',
        '[{"msisdn": %s, "nome": "Ann\\u0061"}, {"msisdn": %s, "nome": "Bea"}]',
    ],
    ids=["as_on_the_page", "json", "json_with_escapes"],
)
async def test_an_array_of_numbers_fills_the_placeholders(
    simulator: Simulator, caller: Caller, to: str
) -> None:
    """With the properties of each number."""
    reply = await caller.smsh(to=to % (NUMBER, OTHER), text="Ciao ${nome}!")
    assert reply.object["smsInserted"] == 2
    assert [(one.to, one.text) for one in simulator.messages] == [
        (f"+{NUMBER}", "Ciao Anna!"),
        (f"+{OTHER}", "Ciao Bea!"),
    ]


@pytest.mark.parametrize("to", [NUMBER, f"[{{msisdn:'{NUMBER}'}}]"])
@pytest.mark.parametrize("text", ["Ciao ${nome}", "${", "costa 5 ${ circa"])
async def test_a_placeholder_that_nothing_fills_is_refused(
    simulator: Simulator, caller: Caller, to: str, text: str
) -> None:
    """So a plain text must not have one."""
    reply = await caller.smsh(to=to, text=text)
    assert reply.object["errorMsg"] == "BAD_TEXT_PLACEHOLDER"
    assert not simulator.messages
    reply = await caller.smsh(to=to, text=text.replace("${", "$ {"))
    assert reply.object["smsInserted"] == 1


async def test_a_call_takes_a_thousand_numbers(
    simulator: Simulator, caller: Caller
) -> None:
    """More go in bulk."""
    simulator.set_price("smshosting", 0)
    numbers = [f"39340{number:07}" for number in range(1001)]
    most, many = ",".join(numbers[1:]), ",".join(numbers)
    assert (await caller.smsh(to=most)).object["smsInserted"] == 1000
    assert (await caller.smsh("sms/estimate", text="Ciao", to=most)).status == 200
    for path in ("sms/send", "sms/estimate"):
        assert (await caller.smsh(path, text="Altro", to=many)).status == 400
    assert (await caller.smsh("sms/sendbulk", text="Altro", to=many)).status == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": ""}, "BAD_TEXT"),
        ({"text": "a" * 153 * 8}, "BAD_TEXT"),
        ({"to": ""}, "NO_VALID_RECIPIENT"),
        ({"group": "9"}, "BAD_GROUP"),
        ({"from": "DodiciLetter"}, "BAD_FROM"),
        ({"encoding": "8BIT"}, "BAD_ENCODING"),
        ({"date": "2030-01-01 08:00:00"}, "BAD_DATE"),
        ({"date": "2030-13-01T08:00:00+0200"}, "BAD_DATE"),
        ({"date": "2014-12-25T08:00:00+0200"}, "BAD_DATE"),
        ({"transactionId": "x" * 61}, "BAD_TRANSACTIONID"),
        ({"statusCallback": "nowhere"}, "BAD_CALLBACK"),
    ],
)
async def test_a_bad_field_is_refused_with_its_code(
    simulator: Simulator, caller: Caller, fields: dict[str, str], code: str
) -> None:
    """The body has the number and the code."""
    reply = await caller.smsh(**fields)
    assert reply.status == 400
    assert reply.object == {"errorCode": 400, "errorMsg": code}
    assert not simulator.messages


async def test_a_call_with_only_bad_numbers_can_be_refused_as_a_whole(
    simulator: Simulator, caller: Caller
) -> None:
    """The documentation leaves open which."""
    assert (await caller.smsh(to="12")).status == 200
    simulator.switch_on("smshosting", "strict_recipients")
    reply = await caller.smsh(to="12")
    assert reply.object["errorMsg"] == "NO_VALID_RECIPIENT"


async def test_a_group_stands_for_its_numbers(
    simulator: Simulator, caller: Caller
) -> None:
    """Together with `to`."""
    simulator.account("smshosting").groups["1"] = (f"+{OTHER}",)
    reply = await caller.smsh(group="1")
    assert [row["to"] for row in reply.rows("sms")] == [NUMBER, OTHER]


async def test_an_alias_can_be_replaced_by_a_number(
    simulator: Simulator, caller: Caller
) -> None:
    """As happens to one that is not registered."""
    simulator.switch_on("smshosting", "alias_replaced")
    await caller.smsh()
    assert simulator.messages[0].sender.startswith("+39")


async def test_the_encoding_decides_text_and_parts(
    simulator: Simulator, caller: Caller
) -> None:
    """The default is 7BIT, which loses what GSM-7 does not have."""
    await caller.smsh(text="È " + "a" * 90)
    await caller.smsh(text="È " + "b" * 90, encoding="AUTO")
    await caller.smsh(text="a" * 90, encoding="UCS2")
    found = [(message.text[0], message.parts) for message in simulator.messages]
    assert found == [("?", 1), ("È", 2), ("a", 2)]


async def test_without_credit_nothing_is_accepted(
    simulator: Simulator, caller: Caller
) -> None:
    """Not even the part that the credit would buy."""
    simulator.set_credit("smshosting", "0.1")
    reply = await caller.smsh(to=f"{NUMBER},{OTHER}")
    assert reply.object == {"errorCode": 400, "errorMsg": "BAD_CREDIT"}
    assert (await caller.smsh()).object["smsInserted"] == 1


async def test_wrong_credentials_are_refused_everywhere(
    simulator: Simulator, caller: Caller
) -> None:
    """As the documentation shows it."""
    secret = simulator.credentials("smshosting")["auth_secret"]
    key = simulator.credentials("smshosting")["auth_key"]
    base = simulator.url("smshosting")
    wrong: tuple[dict[str, str], ...] = (
        {},
        basic(key, "no"),
        basic("no", secret),
        {"Authorization": "Basic %%%"},
        {"Authorization": key},
    )
    for headers in wrong:
        for method, path in (
            ("POST", "sms/send"),
            ("POST", "sms/sendbulk"),
            ("POST", "sms/estimate"),
            ("POST", "sms/cancel"),
            ("GET", "sms/search"),
            ("GET", "user"),
            ("POST", "push/send"),
        ):
            reply = await caller.ask(method, f"{base}/{path}", headers=headers)
            assert reply.status == 401
            assert reply.object == {"errorCode": 401, "errorMsg": "BAD_CREDENTIALS"}


async def test_a_wrong_method_or_path_is_refused_in_the_form_of_every_error(
    caller: Caller,
) -> None:
    """405 and 404."""
    for path, status in (("sms/send", 405), ("sms/nothing", 404)):
        reply = await caller.smsh_get(path)
        assert reply.status == reply.object["errorCode"] == status
        assert isinstance(reply.object["errorMsg"], str)


async def test_a_wrong_login_is_told_how_to_log_in(caller: Caller) -> None:
    """By the header of Basic."""
    url = caller.simulator.url("smshosting")
    reply = await caller.ask("GET", f"{url}/user")
    assert reply.headers["WWW-Authenticate"].startswith("Basic realm=")


async def test_answers_come_in_xml_if_asked_for(caller: Caller) -> None:
    """Errors and bare lists too."""
    base = caller.simulator.url("smshosting")
    xml = {"Accept": "application/xml"}
    for path, status, inside in (
        ("user", 200, b"<credit>45.5</credit>"),
        ("alias/list", 200, b"<status>VERIFIED</status>"),
        ("sms/search", 400, b"<errorMsg>NO_PARAMS</errorMsg>"),
        ("nothing", 404, b"<errorCode>404</errorCode>"),
    ):
        headers = {**caller.login("smshosting"), **xml}
        reply = await caller.ask("GET", f"{base}/{path}", headers=headers)
        assert reply.status == status
        assert reply.headers["Content-Type"] == "application/xml"
        assert inside in reply.body


async def test_lists_are_bare(simulator: Simulator, caller: Caller) -> None:
    """Aliases, groups with their sizes, numbers that receive."""
    simulator.account("smshosting").groups["7"] = (f"+{NUMBER}", f"+{OTHER}")
    found = [
        (await caller.smsh_get(path)).items
        for path in ("alias/list", "phonebook/group/list", "sms/received/sim/list")
    ]
    ((alias,), *_) = found
    assert isinstance(alias, dict)
    assert (alias["alias"], alias["status"]) == ("Simulatore", "VERIFIED")
    assert found[1:] == [
        [{"id": 7, "name": "Gruppo 7", "contactCount": 2}],
        [],
    ]


async def test_a_bulk_send_does_not_list_the_numbers(
    simulator: Simulator, caller: Caller
) -> None:
    """Only sender, text and transaction id."""
    reply = await caller.smsh(
        "sms/sendbulk", text="Ciao", to=f"{NUMBER},12,{OTHER}", transactionId="molti"
    )
    assert reply.object == {
        "from": "Simulatore",
        "text": "Ciao",
        "transactionId": "molti",
    }
    assert len(simulator.messages) == 2
    await caller.smsh("sms/sendbulk", text="Prova", to=NUMBER, sandbox="true")
    assert len(simulator.messages) == 2


async def test_a_bulk_send_can_be_worked_on_later(
    simulator: Simulator, caller: Caller
) -> None:
    """What cannot be paid by then is not sent, and no answer says so."""
    simulator.switch_on("smshosting", "slow_processing")
    await caller.smsh("sms/sendbulk", text="Ciao", to=NUMBER)
    assert not simulator.messages
    simulator.process()
    assert len(simulator.messages) == 1
    simulator.set_credit("smshosting", 0)
    reply = await caller.smsh("sms/sendbulk", text="Ciao", to=OTHER)
    simulator.process()
    assert reply.status == 200
    assert len(simulator.messages) == 1


async def test_both_callbacks_of_a_bulk_send_must_be_addresses(caller: Caller) -> None:
    """Else it is refused as a whole."""
    for name in ("statusCallback", "transactionCallback"):
        fields = {"text": "Ciao", "to": NUMBER, name: "nowhere"}
        reply = await caller.smsh("sms/sendbulk", **fields)
        assert reply.object["errorMsg"] == "BAD_CALLBACK"


async def test_an_estimate_sends_nothing(simulator: Simulator, caller: Caller) -> None:
    """It returns cost, credit and count."""
    fields = {"text": "a" * 200, "to": f"{NUMBER},12,{OTHER}"}
    reply = await caller.smsh("sms/estimate", **fields)
    assert reply.object == {"cost": 0.248, "userCredit": 45.5, "smsCount": 4}
    assert not simulator.messages


async def test_only_a_scheduled_message_can_be_cancelled(
    simulator: Simulator, caller: Caller
) -> None:
    """Its price is refunded."""
    await caller.smsh()
    date = tomorrow(simulator)
    await caller.smsh(text="Domani", date=date, transactionId="domani")
    waiting = simulator.messages[1]
    reply = await caller.smsh("sms/cancel", id=simulator.messages[0].id)
    assert reply.items == []
    ids = ",".join(message.id for message in simulator.messages)
    (row,) = (await caller.smsh("sms/cancel", id=ids)).items
    assert isinstance(row, dict)
    assert (row["id"], row["status"]) == (int(waiting.id), "NOSENT")
    assert row["price"] == 0
    assert "sentDate" not in row
    reply = await caller.smsh("sms/cancel", transactionId="domani")
    assert reply.items == []
    assert (await caller.smsh_get("user")).object["credit"] == 45.438


@pytest.mark.parametrize(
    ("fields", "code"), [({}, "NO_PARAMS"), ({"id": "1"}, "BAD_ID")]
)
async def test_a_bad_cancel_is_refused(
    caller: Caller, fields: dict[str, str], code: str
) -> None:
    """One of the two ids must be given and exist."""
    reply = await caller.smsh("sms/cancel", **fields)
    assert reply.object == {"errorCode": 400, "errorMsg": code}


async def test_the_profile_has_the_credit(simulator: Simulator, caller: Caller) -> None:
    """In euro and in SMS to Italy."""
    reply = await caller.smsh_get("user")
    assert (reply.object["credit"], reply.object["italysms"]) == (45.5, 733)
    simulator.set_price("smshosting", 0)
    assert (await caller.smsh_get("user")).object["italysms"] == 0
