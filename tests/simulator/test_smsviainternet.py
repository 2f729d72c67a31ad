"""The SMSviaInternet side of the simulator."""

import pytest

from simulator import Simulator
from simulator.providers.smsviainternet.values import number_of

from .caller import LANDLINE, NUMBER, OTHER, Caller, Json


async def test_a_send_answers_what_the_page_shows(
    simulator: Simulator, caller: Caller
) -> None:
    """Credit and cost come in thousandths of a euro."""
    reply = await caller.svi(numbers=f"+{NUMBER} +{OTHER}")
    (first, second) = simulator.messages
    assert reply.status == 200
    assert reply.object == {
        "queue_id": first.reference,
        "async": False,
        "credit": 49900,
        "sending_sms_count": 2,
        "sending_contacts_count": 2,
        "sending_cost": 100,
    }
    assert (first.to, second.to) == (f"+{NUMBER}", f"+{OTHER}")
    assert (first.text, first.sender, first.parts) == ("Ciao", "Casa", 1)
    assert first.reference == second.reference == second.provider_id


async def test_the_numbers_of_the_page_are_all_taken(
    simulator: Simulator, caller: Caller
) -> None:
    """The last one is too long for +39 and has its country code."""
    reply = await caller.svi(numbers="+391112223354,+3933344466655,380111222333444")
    assert reply.object["sending_contacts_count"] == 3
    assert [message.to for message in simulator.messages] == [
        "+391112223354",
        "+3933344466655",
        "+380111222333444",
    ]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("3401234567", "+393401234567"),
        ("393401234567", "+393401234567"),
        ("+33612345678", "+33612345678"),
        ("+0039340123456", None),
        ("++393401234567", None),
        ("٣٤٠١٢٣٤٥٦٧", None),
        ("+3934012345678901", None),
        ("", None),
    ],
)
def test_a_number_without_plus_is_italian_if_it_can_be(
    written: str, number: str | None
) -> None:
    """What cannot be a number of a phone is dropped."""
    assert number_of(written) == number


async def test_bad_and_repeated_numbers_are_dropped_without_a_word(
    simulator: Simulator, caller: Caller
) -> None:
    """Only the count of contacts shows it."""
    simulator.account("smsviainternet").blocked.add("+393409999999")
    numbers = f"3401234567,+{NUMBER} +{LANDLINE},12, {NUMBER},+393409999999"
    reply = await caller.svi(numbers=numbers)
    assert reply.object["sending_contacts_count"] == 1
    assert [message.to for message in simulator.messages] == [f"+{NUMBER}"]


async def test_a_single_bad_number_is_still_a_200(
    simulator: Simulator, caller: Caller
) -> None:
    """Nothing is charged."""
    reply = await caller.svi(numbers="12")
    assert (reply.status, reply.object["sending_contacts_count"]) == (200, 0)
    assert not simulator.messages


@pytest.mark.parametrize("value", [True, 1, "yes", "true"])
async def test_an_asynchronous_send_answers_only_three_fields(
    caller: Caller, value: Json
) -> None:
    """Whatever way the boolean is written."""
    reply = await caller.svi(**{"async": value})
    assert set(reply.object) == {"queue_id", "credit", "async"}
    assert reply.object["async"] is True


async def test_the_test_gateway_accepts_and_delivers_nothing(
    simulator: Simulator, caller: Caller
) -> None:
    """Gateway 99 costs nothing either."""
    reply = await caller.svi(gateway=99)
    assert (reply.status, reply.object["sending_cost"]) == (200, 0)
    assert reply.object["credit"] == 50000
    assert not simulator.messages


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"text": ""}, 11),
        ({"text": None}, 11),
        ({"text": "a" * 153 * 100}, 11),
        ({"numbers": ""}, 20),
        ({"numbers": None}, 20),
        ({"numbers": ",".join(["3401234567"] * 5001)}, 20),
        ({"sender": "DodiciLetter"}, 15),
        ({"sender": 7}, 15),
        ({"gateway": "x"}, 14),
        ({"delivery_callback": "nothing"}, 999),
    ],
)
async def test_a_bad_field_is_refused(
    simulator: Simulator, caller: Caller, fields: dict[str, Json], error: int
) -> None:
    """The number is from the older API's table."""
    reply = await caller.svi(**fields)
    assert (reply.status, reply.object) == (400, {"error": error})
    assert not simulator.messages


async def test_a_missing_sender_is_the_one_of_the_panel(
    simulator: Simulator, caller: Caller
) -> None:
    """The sender is optional."""
    await caller.svi(sender=None)
    assert simulator.messages[0].sender == "Simulatore"


async def test_without_credit_nothing_is_accepted(
    simulator: Simulator, caller: Caller
) -> None:
    """The cost of all parts counts."""
    simulator.set_credit("smsviainternet", "0.099")
    reply = await caller.svi(numbers=f"+{NUMBER},+{OTHER}")
    assert (reply.status, reply.object) == (400, {"error": 10})
    assert (await caller.svi()).object["credit"] == 49


async def test_a_wrong_token_is_refused_everywhere(
    simulator: Simulator, caller: Caller
) -> None:
    """401 also where a plain user would get 404."""
    url = simulator.url("smsviainternet") + "/api/rest/v1/"
    for method, path in (
        ("POST", "sms.json"),
        ("POST", "sms-batch.json"),
        ("GET", "sms/delivery.json"),
        ("GET", "users/wallets.json"),
    ):
        reply = await caller.ask(method, url + path, headers={"X-Api-Token": "no"})
        assert (reply.status, reply.object) == (401, {"error": 3})
        assert (await caller.ask(method, url + path)).object == {"error": 1}


async def test_a_token_can_ask_for_user_and_password(
    simulator: Simulator, caller: Caller
) -> None:
    """Depending on how it was set up in the panel."""
    simulator.set_credentials("smsviainternet", username="anna", password="segreta")
    assert (await caller.svi()).object == {"error": 2}
    assert (await caller.svi(username="anna", password="segreta")).status == 200
    reply = await caller.svi_get(
        "sms/delivery.json", queue_id="1", username="anna", password="segreta"
    )
    assert reply.status == 200


@pytest.mark.parametrize("place", ["query", "body"])
async def test_the_login_may_come_in_the_query_or_the_body(
    simulator: Simulator, caller: Caller, place: str
) -> None:
    """As old clients send it; a reader has only the query."""
    simulator.set_credentials("smsviainternet", username="anna", password="segreta")
    login = simulator.credentials("smsviainternet")
    assert login.keys() == {"api_token", "username", "password"}
    url = f"{simulator.url('smsviainternet')}/api/rest/v1"
    message: dict[str, Json] = {"text": "Ciao", "numbers": f"+{NUMBER}"}
    if place == "query":
        sent = await caller.ask("POST", f"{url}/sms.json", params=login, json=message)
    else:
        sent = await caller.ask("POST", f"{url}/sms.json", json={**message, **login})
    reply = await caller.ask(
        "GET",
        f"{url}/sms/delivery.json",
        params=login | {"queue_id": str(sent.object["queue_id"])},
    )
    wrong = await caller.ask(
        "POST", f"{url}/sms.json", json={**message, **login, "api_token": "no"}
    )
    assert (sent.status, reply.object["count"]) == (200, 1)
    assert (wrong.status, wrong.object) == (401, {"error": 3})


@pytest.mark.parametrize(
    ("status", "word", "reason"),
    [
        ("queued", None, None),
        ("sent", "BUFFERED", None),
        ("delivered", "DELIVERED", None),
        ("failed", "NOT_DELIVERED", "997"),
        ("expired", "NOT_DELIVERED", "998"),
    ],
)
async def test_the_delivery_row_has_the_status(
    simulator: Simulator, caller: Caller, status: str, word: Json, reason: Json
) -> None:
    """One row for each recipient."""
    queue_id = str((await caller.svi()).object["queue_id"])
    simulator.move(simulator.messages[0].id, status)
    reply = await caller.svi_get("sms/delivery.json", queue_id=queue_id)
    (row,) = reply.rows("deliveries")
    assert (row["receiver"], row["queue_id"]) == (f"+{NUMBER}", queue_id)
    assert (row["delivery_status"], row["reason_code"]) == (word, reason)
    assert (row["delivery_date"] is None) is (status in {"queued", "sent"})


async def test_a_rare_status_can_be_answered(
    simulator: Simulator, caller: Caller
) -> None:
    """The word replaces the usual one."""
    queue_id = str((await caller.svi()).object["queue_id"])
    simulator.move(simulator.messages[0].id, "failed", "SUBSCRIBER_UNKNOWN")
    reply = await caller.svi_get("sms/delivery.json", queue_id=queue_id)
    assert reply.rows("deliveries")[0]["delivery_status"] == "SUBSCRIBER_UNKNOWN"


async def test_rows_can_come_for_each_part(
    simulator: Simulator, caller: Caller
) -> None:
    """Of a failed message only the last part did not arrive; it is the newest row."""
    simulator.switch_on("smsviainternet", "row_per_part")
    queue_id = str((await caller.svi(text="a" * 400)).object["queue_id"])
    simulator.move(simulator.messages[0].id, "failed")
    reply = await caller.svi_get("sms/delivery.json", queue_id=queue_id)
    words = [row["delivery_status"] for row in reply.rows("deliveries")]
    assert words == ["NOT_DELIVERED", "DELIVERED", "DELIVERED"]


async def test_rows_come_in_pages(caller: Caller) -> None:
    """Newest first; each page has the count of all rows."""
    numbers = ",".join(f"+39340000{n:04d}" for n in range(150))
    queue_id = str((await caller.svi(numbers=numbers)).object["queue_id"])
    path = "sms/delivery.json"
    first = await caller.svi_get(path, queue_id=queue_id)
    rest = await caller.svi_get(path, queue_id=queue_id, offset="100", limit="100")
    assert [first.object["count"], rest.object["count"]] == [150, 150]
    receivers = [r["receiver"] for r in first.rows("deliveries")]
    receivers += [r["receiver"] for r in rest.rows("deliveries")]
    assert [len(first.rows("deliveries")), len(rest.rows("deliveries"))] == [100, 50]
    assert receivers == numbers.split(",")[::-1]


async def test_deliveries_are_found_by_day_and_by_status(
    simulator: Simulator, caller: Caller
) -> None:
    """from_date is a day."""
    await caller.svi()
    await caller.svi(text="Due")
    simulator.move(simulator.messages[0].id, "delivered")
    today = f"{simulator.messages[0].created:%Y-%m-%d}"
    reply = await caller.svi_get(
        "sms/delivery.json", from_date=today, delivery_status="DELIVERED"
    )
    assert reply.object["count"] == 1
    reply = await caller.svi_get("sms/delivery.json", from_date="2999-01-01")
    assert reply.object["count"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"queue_id": "1", "from_date": "2026-01-01"},
        {"from_date": "yesterday"},
        {"queue_id": "1", "limit": "1001"},
        {"queue_id": "1", "offset": "x"},
    ],
)
async def test_a_bad_delivery_query_is_refused(
    caller: Caller, query: dict[str, str]
) -> None:
    """Exactly one of the three filters must be given."""
    assert (await caller.svi_get("sms/delivery.json", **query)).status == 400


async def test_wallets_answer_only_those_who_may_ask(
    simulator: Simulator, caller: Caller
) -> None:
    """The amount is in euro."""
    assert (await caller.svi_get("users/wallets.json")).status == 404
    simulator.switch_on("smsviainternet", "wallets")
    reply = await caller.svi_get("users/wallets.json")
    assert reply.rows("wallets")[0]["amount"] == 50.0
    simulator.switch_off("smsviainternet", "wallets")
    assert (await caller.svi_get("users/wallets.json")).status == 404


async def test_a_batch_fills_in_the_placeholders(
    simulator: Simulator, caller: Caller
) -> None:
    """Destinations have their own words, or the defaults."""
    reply = await caller.ask(
        "POST",
        simulator.url("smsviainternet") + "/api/rest/v1/sms-batch.json",
        headers=caller.login("smsviainternet"),
        json={
            "text_template": "Ciao {{nome}}",
            "default_placeholders": {"nome": "amico"},
            "destinations": [
                {"number": f"+{NUMBER}", "placeholders": {"nome": "Anna"}},
                {"number": f"+{OTHER},12"},
            ],
        },
    )
    assert (reply.status, reply.object["async"]) == (200, True)
    assert reply.object["sending_contacts_count"] == 2
    assert [m.text for m in simulator.messages] == ["Ciao Anna", "Ciao amico"]
    assert reply.object["error"] == 0
    assert "queue_id" not in reply.object
    batch_id = str(reply.object["sending_batch_id"])
    rows = await caller.svi_get("sms/delivery.json", sending_batch_id=batch_id)
    assert rows.object["count"] == 2


@pytest.mark.parametrize("destinations", [[], None, ["x"]])
async def test_a_batch_without_destinations_is_refused(
    simulator: Simulator, caller: Caller, destinations: Json
) -> None:
    """A destination is an object."""
    reply = await caller.ask(
        "POST",
        simulator.url("smsviainternet") + "/api/rest/v1/sms-batch.json",
        headers=caller.login("smsviainternet"),
        json={"text_template": "Ciao", "destinations": destinations},
    )
    assert (reply.status, reply.object) == (400, {"error": 20})


async def test_a_body_that_is_no_json_object_is_refused(
    simulator: Simulator, caller: Caller
) -> None:
    """As if all fields were missing."""
    for body in (b"{", b"[]", b"[" * 100_000):
        reply = await caller.ask(
            "POST",
            simulator.url("smsviainternet") + "/api/rest/v1/sms.json",
            headers=caller.login("smsviainternet")
            | {"Content-Type": "application/json"},
            data=body,
        )
        assert reply.status == 400
