"""SMSviaInternet beyond the plain send: large, later, personal, tried out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import NotAcceptedError
from custom_components.sms_italia.providers.model import (
    Accepted,
    Credit,
    Encoding,
    ErrorKind,
    Mode,
    NotSent,
    Outcome,
    Status,
    Uncertain,
)
from simulator import Simulator, Toggle

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    SENDER,
    TEXT,
    client_at,
    client_of,
    only,
    refs_of,
    submission,
)

KEY = "smsviainternet"
WALLETS = "GET /api/rest/v1/users/wallets"
CALLBACK = "https://casa.example/dlr"
WINTER = datetime(2035, 12, 25, 7, 30, tzinfo=UTC)
SUMMER = datetime(2035, 7, 1, 20, 35, 17, tzinfo=UTC)


def many(count: int) -> list[str]:
    """Return so many good numbers."""
    return [f"+393400{number:06}" for number in range(count)]


async def test_every_field_of_a_send_is_on_the_wire(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(KEY, 1000)
    client = client_of(simulator, KEY, session, changed={"gateway": "3"})
    numbers = many(501)

    await client.send(submission(*numbers, send_at=WINTER, callback_url=CALLBACK))

    request = simulator.requests[-1]
    assert (request.method, request.path) == ("POST", "/api/rest/v1/sms.json")
    assert request.fields == {
        "sender": SENDER,
        "gateway": 3,
        "send_at": "2035-12-25T08:30:00+01:00",
        "text": TEXT,
        "numbers": ",".join(numbers),
        "delivery_callback": CALLBACK,
        "async": True,
    }
    assert {message.scheduled for message in simulator.messages} == {WINTER}


async def test_five_hundred_recipients_are_counted_in_the_answer(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(KEY, 1000)

    result = await client_of(simulator, KEY, session).send(submission(*many(500)))

    assert "async" not in simulator.requests[-1].fields
    assert {
        outcome.cost
        for outcome in result.outcomes.values()
        if isinstance(outcome, Accepted)
    } == {Decimal("0.05")}


async def test_an_asynchronous_shipment_is_queued_and_settled_by_its_rows(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(KEY, 1000)
    simulator.switch_on(KEY, Toggle.SLOW_PROCESSING)
    client = client_of(simulator, KEY, session)

    result = await client.send(submission(BAD_NUMBER, *many(500)))
    refs = refs_of(result)
    early = await client.reports(refs)
    simulator.process()
    simulator.move(simulator.messages[0].id, "delivered")
    reports = await client.reports(refs)

    assert len(refs) == 501
    assert {
        outcome.status
        for outcome in result.outcomes.values()
        if isinstance(outcome, Accepted)
    } == {Status.QUEUED}
    assert not early
    # The bad number was dropped: nothing is ever claimed of it again.
    assert [report.ref for report in reports] == refs[1:]
    assert reports[0].status is Status.DELIVERED


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_count_in_an_asynchronous_answer_is_not_believed(
    count: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"queue_id": "7", "async": True, "sending_contacts_count": count})

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == Accepted(provider_id="7")


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (WINTER, "2035-12-25T08:30:00+01:00"),
        (SUMMER, "2035-07-01T22:35:17+02:00"),
        # The hour that comes twice, both times.
        (datetime(2035, 10, 28, 0, 30, tzinfo=UTC), "2035-10-28T02:30:00+02:00"),
        (datetime(2035, 10, 28, 1, 30, tzinfo=UTC), "2035-10-28T02:30:00+01:00"),
    ],
)
async def test_a_moment_is_written_in_the_time_of_rome_with_its_offset(
    moment: datetime,
    written: str,
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    await client_of(simulator, KEY, session).send(submission(send_at=moment))

    assert simulator.requests[-1].fields["send_at"] == written
    assert [message.scheduled for message in simulator.messages] == [moment]


async def test_a_moment_that_is_past_is_now(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=1)

    await client_of(simulator, KEY, session).send(submission(send_at=moment))

    assert "send_at" not in simulator.requests[-1].fields
    assert len(simulator.messages) == 1


@pytest.mark.parametrize(
    ("url", "expected"), [(None, "anna@casa.example"), (CALLBACK, CALLBACK)]
)
async def test_receipts_go_to_the_url_else_to_the_e_mail_address(
    url: str | None,
    expected: str,
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    client = client_of(
        simulator, KEY, session, changed={"delivery_email": "anna@casa.example"}
    )

    outcome = only(await client.send(submission(callback_url=url)))

    assert isinstance(outcome, Accepted)
    assert simulator.requests[-1].fields["delivery_callback"] == expected


async def test_a_test_is_a_batch_and_its_text_a_placeholder(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session, changed={"gateway": "3"})
    text = "Ciao {{anna}} {{text}}, è tardi"

    result = await client.send(
        submission(
            NUMBER,
            OTHER_NUMBER,
            text=text,
            encoding=Encoding.UCS2,
            send_at=WINTER,
            callback_url=CALLBACK,
            mode=Mode.TEST,
            max_parts=3,
        )
    )

    request = simulator.requests[-1]
    assert (request.method, request.path) == ("POST", "/api/rest/v1/sms-batch.json")
    assert request.fields == {
        "sender": SENDER,
        "gateway": 99,
        "send_at": "2035-12-25T08:30:00+01:00",
        "delivery_callback": CALLBACK,
        "text_template": "{{text}}",
        "destinations": [
            {"number": NUMBER, "placeholders": {"text": text}},
            {"number": OTHER_NUMBER, "placeholders": {"text": text}},
        ],
        "async": False,
        "utf8_enabled": True,
        "max_sms_length": 3,
    }
    assert {type(outcome) for outcome in result.outcomes.values()} == {Accepted}
    assert result.mode is Mode.TEST
    assert not simulator.messages
    assert not await client.reports(refs_of(result))


async def test_a_number_dropped_from_a_batch_is_found_by_the_batch_s_rows(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(
        {"sending_batch_id": "7", "sending_contacts_count": 1, "credit": 8215}
    )
    row: Json = {"receiver": NUMBER, "delivery_status": None}
    canned.answer({"limit": 1000, "deliveries": [row]})

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, BAD_NUMBER, mode=Mode.TEST)
    )

    assert result.outcomes == {
        NUMBER: Accepted(provider_id="batch:7"),
        BAD_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="dropped"),
    }
    assert result.credit == Decimal("8.215")
    assert canned.seen[-1].query["sending_batch_id"] == "7"
    assert "queue_id" not in canned.seen[-1].query


async def test_a_batch_of_more_than_a_hundred_is_asynchronous(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    numbers = many(101)
    client = client_of(simulator, KEY, session)

    result = await client.send(submission(*numbers, mode=Mode.TEST))

    assert simulator.requests[-1].fields["async"] is True
    assert len(refs_of(result)) == 101


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": 0}, Uncertain(detail="no_batch_id")),
        ({"error": 0, "sending_batch_id": 0}, Uncertain(detail="no_batch_id")),
        ({"error": 0, "queue_id": "7"}, Uncertain(detail="no_batch_id")),
        # As seen in production: a count although asynchronous.
        (
            {
                "async": True,
                "error": 0,
                "credit": 215000,
                "sending_contacts_count": 1,
                "sending_batch_id": "26260000000000001",
            },
            Accepted(provider_id="batch:26260000000000001"),
        ),
        (
            {"async": True, "sending_contacts_count": 0, "sending_batch_id": "7"},
            NotSent(kind=ErrorKind.RECIPIENT, detail="dropped"),
        ),
        (
            {"sending_batch_id": "7", "error": 999, "sending_contacts_count": 1},
            Uncertain(detail="contacts_not_told", provider_id="batch:7"),
        ),
        (
            {"sending_batch_id": "7", "error": 10, "sending_contacts_count": 1},
            Uncertain(detail="contacts_not_told", provider_id="batch:7"),
        ),
        ({"error": 10}, NotSent(kind=ErrorKind.CREDIT, detail="10")),
        (
            {"sending_batch_id": "7", "error": 0, "sending_contacts_count": 0},
            NotSent(kind=ErrorKind.RECIPIENT, detail="dropped"),
        ),
        (
            {"sending_batch_id": "7", "sending_contacts_count": 1},
            Accepted(provider_id="batch:7"),
        ),
        (
            {"sending_batch_id": "7", "async": 1},
            Accepted(provider_id="batch:7"),
        ),
    ],
)
async def test_the_answer_to_a_batch_is_read_as_carefully(
    body: Json, expected: Outcome, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body)

    outcome = only(
        await client_at(KEY, session, canned.url).send(submission(mode=Mode.TEST))
    )

    assert outcome == expected


async def test_a_live_message_does_not_go_through_the_test_gateway(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session, changed={"gateway": "99"})

    tested = await client.send(submission())
    sent = await client.send(submission(mode=Mode.LIVE))

    assert (tested.mode, sent.mode) == (Mode.TEST, Mode.LIVE)
    assert len(simulator.messages) == 1
    assert simulator.requests[-1].fields["gateway"] == 0


@pytest.mark.parametrize("user", [None, "anna"])
async def test_the_wallet_has_the_credit_in_euro_if_it_may_be_asked_for(
    user: str | None, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.WALLETS)
    simulator.set_credit(KEY, "8.215")
    if user:
        simulator.set_credentials(KEY, username=user, password="pw-Qq1")
    client = client_of(simulator, KEY, session)

    assert await client.check() == Credit(balance=Decimal("8.215"))
    assert simulator.requests[-1].query.get("users") == user
    assert len(simulator.requests) == 1


async def test_an_account_that_may_not_ask_is_still_proved(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    assert await client.check() is None
    assert simulator.requests[-1].path.endswith("/sms/delivery.json")


FORBIDDEN = [b"", b"<h1>No</h1>", {"error": 3}, {"error": 999}, {"error": "No"}]


@pytest.mark.parametrize("status", [401, 403, 404, 405])
@pytest.mark.parametrize("body", FORBIDDEN)
async def test_a_forbidden_wallet_says_nothing_about_the_account(
    status: int, body: Json | bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)
    canned.answer({"deliveries": []})
    client = client_at(KEY, session, canned.url)

    assert await client.check() is None
    assert await client.check() is None

    # It is not asked for again.
    asked = [seen.path.rpartition("/")[2] for seen in canned.seen]
    assert asked == ["wallets.json", "delivery.json", "delivery.json"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<h1>Benvenuti</h1>", 200),
        (b"", 200),
        (b"", 500),
        ({"error": 999}, 500),
        (b"", 503),
        (b"x" * 100_000, 200),
    ],
)
async def test_a_wallet_that_cannot_be_read_now_is_asked_for_again(
    body: Json | bytes, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)
    canned.answer({"deliveries": []})
    canned.answer({"wallets": [{"amount": Decimal("8.215")}]})
    client = client_at(KEY, session, canned.url)

    assert await client.check() is None
    assert await client.check() == Credit(balance=Decimal("8.215"))


async def test_a_provider_that_wants_fewer_questions_is_not_asked_a_second_one(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=429, headers={"Retry-After": "60"})

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).check()

    assert (refusal.value.kind, refusal.value.retry_after) == (ErrorKind.THROTTLED, 60)
    assert len(canned.seen) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_a_firewall_before_everything_is_no_refusal_of_the_wallet(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"<h1>No</h1>", status=status)
    canned.answer(b"<h1>No</h1>", status=403)
    canned.answer({"wallets": [{"amount": Decimal("8.215")}]})
    client = client_at(KEY, session, canned.url)

    with pytest.raises(NotAcceptedError) as refusal:
        await client.check()

    assert refusal.value.kind is ErrorKind.UNAVAILABLE
    assert await client.check() == Credit(balance=Decimal("8.215"))


async def test_a_wrong_token_is_one_for_the_wallet_too(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session, changed={"api_token": "sbagliato"})

    with pytest.raises(NotAcceptedError) as refusal:
        await client.check()

    assert refusal.value.kind is ErrorKind.AUTH


@pytest.mark.parametrize(
    "body",
    [
        {"credit": 8215},
        {"error": 6},
        {"wallets": []},
        {"wallets": [{"amount": 1}, {"amount": 2}]},
        {"wallets": [{"amount": "molto"}]},
        {"wallets": [{"amount": "1,112"}]},
        {"wallets": [7]},
        {"wallets": {"amount": 1}},
    ],
)
async def test_anything_but_one_wallet_is_no_credit(
    body: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body)
    canned.answer({"deliveries": []})
    client = client_at(KEY, session, canned.url)

    assert await client.check() is None
    assert await client.check() is None

    # It is not asked for again.
    assert [seen.path.rpartition("/")[2] for seen in canned.seen] == [
        "wallets.json",
        "delivery.json",
        "delivery.json",
    ]


async def test_a_wallet_may_write_a_large_amount_for_people(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"wallets": [{"amount": "1.112,24", "user": {"id": 7}}]})

    credit = await client_at(KEY, session, canned.url).check()

    assert credit == Credit(balance=Decimal("1112.24"))
