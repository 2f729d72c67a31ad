"""What is peculiar to SMSviaInternet."""

from collections.abc import Mapping
from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import OutcomeUnknownError
from custom_components.sms_italia.providers.model import (
    Accepted,
    ErrorKind,
    MessageRef,
    NotSent,
    Report,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Operation, Simulator, Toggle

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    SETTINGS,
    THIRD_NUMBER,
    client_at,
    client_of,
    form_of,
    only,
    refs_of,
    submission,
)

KEY = "smsviainternet"
QUEUE = "15066049200263637"


def sent(**changed: Json) -> dict[str, Json]:
    """Return the answer of the provider's page, for one contact."""
    return {
        "queue_id": QUEUE,
        "async": False,
        "credit": 8215,
        "sending_sms_count": 2,
        "sending_contacts_count": 1,
        "sending_cost": 125,
        **changed,
    }


def rows(*rows: Mapping[str, Json], count: Json = -1) -> dict[str, Json]:
    """Return a page of delivery rows, and of so many in all if there are others."""
    return {
        "count": len(rows) if count == -1 else count,
        "limit": 1000,
        "offset": 0,
        "deliveries": [dict(row) for row in rows],
    }


def row(
    receiver: str = NUMBER, status: Json = "DELIVERED", reason: Json = None
) -> dict[str, Json]:
    """Return a delivery row."""
    return {
        "queue_id": QUEUE,
        "receiver": receiver,
        "delivery_status": status,
        "reason_code": reason,
    }


def test_the_form_the_limits_and_the_features_are_those_of_the_provider() -> None:
    provider = PROVIDERS[KEY]

    assert form_of(KEY) == [
        ("api_token", "secret", "required", "main", None),
        ("sender", "sender", "optional", "main", None),
        ("username", "username", "optional", "advanced", None),
        ("password", "secret", "optional", "advanced", None),
        ("url", "url", "required", "advanced", "https://v2.smsviainternet.it"),
    ]
    assert provider.capabilities.recipients_per_submission == 5000
    assert provider.capabilities.max_parts == 99
    assert provider.capabilities.features == {
        Feature.CREDIT_IF_OFFERED,
        Feature.CREDIT_WITH_SEND,
        Feature.DELIVERY_POLL,
        Feature.DELIVERY_PUSH,
        Feature.SCHEDULE,
        Feature.TEST_MODE,
    }


async def test_the_request_is_that_of_the_page(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(sending_contacts_count=2))

    await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER, sender="Cantina")
    )

    (seen,) = canned.seen
    assert (seen.method, seen.path) == ("POST", "/api/rest/v1/sms.json")
    assert seen.headers["X-Api-Token"] == SETTINGS[KEY]["api_token"]
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.json == {
        "text": "Finestra aperta in cucina",
        "numbers": f"{NUMBER},{OTHER_NUMBER}",
        "sender": "Cantina",
    }


async def test_without_a_sender_the_panel_decides(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent())

    await client_at(KEY, session, canned.url).send(submission())

    assert isinstance(canned.seen[0].json, dict)
    assert "sender" not in canned.seen[0].json


async def test_gateway_and_user_travel_where_the_settings_have_them(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent())
    canned.answer(rows())
    settings = {"gateway": "99", "username": "anna", "password": "pw-Qq1"}
    client = client_at(KEY, session, canned.url, settings)

    await client.send(submission())
    await client.validate()

    message = canned.seen[0].json
    assert isinstance(message, dict)
    assert message["gateway"] == 99
    assert (message["username"], message["password"]) == ("anna", "pw-Qq1")
    assert canned.seen[1].query["username"] == "anna"
    assert canned.seen[1].query["password"] == "pw-Qq1"
    assert canned.seen[1].query["limit"] == "1"


async def test_a_token_that_asks_for_its_user_gets_it(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credentials(KEY, username="anna", password="pw-Qq1")

    await client_of(simulator, KEY, session).validate()


async def test_parts_cost_and_credit_are_read_in_euro(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(sending_contacts_count=2, sending_sms_count=6, sending_cost=375))

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    accepted = Accepted(provider_id=QUEUE, parts=3, cost=Decimal("0.1875"))
    assert result.outcomes == {NUMBER: accepted, OTHER_NUMBER: accepted}
    assert result.credit == Decimal("8.215")


async def test_parts_that_cannot_be_shared_out_are_not_known(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(sending_contacts_count=2, sending_sms_count=3))

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    accepted = result.outcomes[NUMBER]
    assert isinstance(accepted, Accepted)
    assert accepted.parts is None


@pytest.mark.parametrize("is_async", [True, 1])
async def test_an_asynchronous_shipment_is_only_known_to_be_accepted(
    is_async: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"queue_id": QUEUE, "async": is_async, "credit": 8215})

    result = await client_at(KEY, session, canned.url).send(submission())

    assert only(result) == Accepted(provider_id=QUEUE)
    assert result.credit == Decimal("8.215")


@pytest.mark.parametrize("count", [501, 1])
@pytest.mark.parametrize("told", [{}, {"async": False}, {"async": None}])
async def test_an_answer_with_only_an_id_and_the_credit_is_an_asynchronous_one(
    count: int,
    told: dict[str, Json],
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"queue_id": QUEUE, "credit": 8215, **told})
    numbers = [f"+393400{number:06}" for number in range(count)]

    result = await client_at(KEY, session, canned.url).send(submission(*numbers))

    assert {*result.outcomes.values()} == {Accepted(provider_id=QUEUE)}
    assert len(canned.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        sent(sending_contacts_count="molti"),
        sent(sending_contacts_count=-1),
        sent(sending_contacts_count=5),
        sent(error=999),
    ],
)
async def test_a_count_that_makes_no_sense_is_uncertain_but_can_be_followed(
    answer: dict[str, Json], canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(answer)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == Uncertain(detail="contacts_not_told", provider_id=QUEUE)
    assert len(canned.seen) == 1


async def test_no_contact_at_all_means_that_every_number_was_dropped(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(sending_contacts_count=0, sending_sms_count=0))

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    dropped = NotSent(kind=ErrorKind.RECIPIENT, detail="dropped")
    assert result.outcomes == {NUMBER: dropped, OTHER_NUMBER: dropped}
    assert len(canned.seen) == 1


async def test_delivery_rows_show_which_number_was_dropped(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(sending_contacts_count=2, sending_sms_count=2, sending_cost=100))
    canned.answer(rows(row(NUMBER, None), row(THIRD_NUMBER, None)))

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, BAD_NUMBER, THIRD_NUMBER)
    )

    accepted = Accepted(provider_id=QUEUE, parts=1, cost=Decimal("0.05"))
    assert result.outcomes == {
        NUMBER: accepted,
        BAD_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="dropped"),
        THIRD_NUMBER: accepted,
    }
    assert [seen.method for seen in canned.seen] == ["POST", "GET"]
    assert canned.seen[1].query["queue_id"] == QUEUE


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (rows(row(NUMBER, None)), 200),
        (rows(row(NUMBER, None), row(NUMBER, None)), 200),
        (rows(row(NUMBER, None), row("+4412345678", None)), 200),
    ],
    ids=["row_missing", "row_twice", "row_of_a_stranger"],
)
async def test_a_number_without_a_row_is_uncertain_while_rows_are_missing(
    page: dict[str, Json],
    status: int,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(sent(sending_contacts_count=2))
    canned.answer(page, status=status)

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER, THIRD_NUMBER)
    )

    doubt = Uncertain(detail="some_dropped", provider_id=QUEUE)
    assert isinstance(result.outcomes[NUMBER], Accepted)
    assert result.outcomes[OTHER_NUMBER] == doubt
    assert result.outcomes[THIRD_NUMBER] == doubt


@pytest.mark.parametrize("times", [1, 2])
async def test_rows_that_are_late_or_cannot_be_read_are_asked_for_again(
    times: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    """How soon the provider lists a shipment is not known."""
    canned.answer(sent(sending_contacts_count=1))
    canned.answer(b"", status=500)
    for _ in range(times - 1):
        canned.answer(rows())
    canned.answer(rows(row(NUMBER, None)))

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, BAD_NUMBER)
    )

    assert isinstance(result.outcomes[NUMBER], Accepted)
    assert isinstance(result.outcomes[BAD_NUMBER], NotSent)
    assert [seen.method for seen in canned.seen] == ["POST", *["GET"] * (times + 1)]


async def test_rows_that_cannot_be_read_leave_all_uncertain_but_followed(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    simulator.inject(KEY, Fault.CUT_AFTER_ACCEPT, operation=Operation.STATUS, times=3)

    result = await client.send(submission(NUMBER, BAD_NUMBER, OTHER_NUMBER))

    queue_id = simulator.messages[0].reference
    doubt = Uncertain(detail="some_dropped", provider_id=queue_id)
    assert set(result.outcomes.values()) == {doubt}
    assert len(simulator.messages) == 2
    reports = await client.reports(
        [MessageRef(queue_id, number) for number in result.outcomes]
    )
    assert {report.ref.recipient for report in reports} == {NUMBER, OTHER_NUMBER}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((number, ErrorKind.AUTH) for number in (1, 2, 3, 4, 5, 6)),
        (10, ErrorKind.CREDIT),
        pytest.param("10", ErrorKind.CREDIT, id="a_string"),
        (11, ErrorKind.TEXT),
        (12, ErrorKind.REFUSED),
        (13, ErrorKind.REFUSED),
        (14, ErrorKind.REFUSED),
        (15, ErrorKind.SENDER),
        (20, ErrorKind.RECIPIENT),
        (100, ErrorKind.REFUSED),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_an_error_number_names_the_kind_with_either_http_status(
    error: Json,
    kind: ErrorKind,
    status: int,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"error": error}, status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=kind, detail=str(error))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        (None, Status.SENT),
        ("BUFFERED", Status.SENT),
        ("DELIVERED", Status.DELIVERED),
        ("NOT_DELIVERED", Status.FAILED),
        ("SUBSCRIBER_UNKNOWN", Status.FAILED),
        ("ERROR", Status.FAILED),
        ("LOST_NOTIFICATION", Status.UNCERTAIN),
    ],
)
async def test_each_word_has_its_status(
    word: str | None,
    status: Status,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(rows(row(status=word)))

    (report,) = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER)]
    )

    assert report == Report(
        ref=MessageRef(QUEUE, NUMBER),
        status=status,
        detail=word,
        # No other receipt comes for a lost one.
        is_last=word == "LOST_NOTIFICATION",
    )


@pytest.mark.parametrize(
    "word", ["UNKNOWN", "NEVER_HEARD_OF", "delivered", "", 7, True, {}, []]
)
async def test_an_unknown_word_claims_nothing(
    word: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(rows(row(status=word)))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER)]
    )

    assert not reports


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["DELIVERED", "NOT_DELIVERED", None], Status.FAILED),
        (["NOVEL", "NOT_DELIVERED"], Status.FAILED),
        (["DELIVERED", "UNKNOWN", "BUFFERED"], Status.SENT),
        (["DELIVERED", "LOST_NOTIFICATION"], Status.UNCERTAIN),
        (["LOST_NOTIFICATION", None], Status.SENT),
        (["DELIVERED", "DELIVERED"], Status.DELIVERED),
        (["DELIVERED", "NOVEL"], None),
    ],
)
@pytest.mark.parametrize("parts", [3, 4, None])
async def test_the_worst_part_speaks_for_a_message_with_no_more_rows_than_parts(
    words: list[Json],
    status: Status | None,
    parts: int | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(rows(*(row(status=word) for word in words)))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER, parts)]
    )

    assert [report.status for report in reports] == ([status] if status else [])


@pytest.mark.parametrize(
    ("words", "parts", "status"),
    [
        (["DELIVERED", "BUFFERED"], 1, Status.DELIVERED),
        (["DELIVERED", "NOT_DELIVERED", None], 2, Status.DELIVERED),
        (["NOT_DELIVERED", "BUFFERED", "BUFFERED"], 1, Status.FAILED),
        (["LOST_NOTIFICATION", "BUFFERED"], 1, Status.UNCERTAIN),
        (["UNKNOWN", "BUFFERED"], 1, None),
    ],
)
async def test_the_newest_of_more_rows_than_parts_speaks_for_the_message(
    words: list[Json],
    parts: int,
    status: Status | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    others = [row(OTHER_NUMBER, "NOT_DELIVERED"), row(THIRD_NUMBER, None)]
    canned.answer(rows(others[0], *(row(status=word) for word in words), others[1]))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER, parts)]
    )

    assert [report.status for report in reports] == ([status] if status else [])


async def test_a_failure_carries_the_reason_code(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(rows(row(status="NOT_DELIVERED", reason="997")))

    (report,) = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER)]
    )

    assert report.detail == "997"


async def test_a_long_message_with_one_row_a_part_fails_with_its_last_part(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.ROW_PER_PART)
    client = client_of(simulator, KEY, session)
    result = await client.send(submission(text="a" * 400))
    outcome = only(result)
    assert isinstance(outcome, Accepted)
    assert outcome.parts == 3
    simulator.move(simulator.messages[0].id, "failed")

    (report,) = await client.reports(refs_of(result))

    assert report.status is Status.FAILED


async def test_messages_of_one_shipment_are_one_question(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    result = await client.send(submission(NUMBER, OTHER_NUMBER))
    simulator.move(simulator.messages[1].id, "delivered")
    asked_before = len(simulator.requests)

    reports = await client.reports(refs_of(result))

    assert {report.ref.recipient: report.status for report in reports} == {
        NUMBER: Status.SENT,
        OTHER_NUMBER: Status.DELIVERED,
    }
    assert len(simulator.requests) == asked_before + 1


async def test_a_shipment_of_more_than_a_page_is_read_whole(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(KEY, 1000)
    numbers = [f"+393400{number:06}" for number in range(2001)]
    client = client_of(simulator, KEY, session)
    result = await client.send(submission(*numbers))
    simulator.move(simulator.messages[-1].id, "delivered")
    queue_id = simulator.messages[0].reference
    asked_before = len(simulator.requests)

    reports = await client.reports(
        [MessageRef(queue_id, number) for number in result.outcomes]
    )

    assert len(reports) == 2001
    assert reports[-1].status is Status.DELIVERED
    assert len(simulator.requests) == asked_before + 3


async def test_rows_are_read_as_the_provider_documents_them(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    """Two of 19, the newest first, in the form of the documentation."""
    newest: dict[str, Json] = {
        "user_id": "70421",
        "queue_id": QUEUE,
        "sender": "Casa",
        "receiver": OTHER_NUMBER,
        "delivery_date": "2026-12-04 16:32:00",
        "delivery_status": "NOT_DELIVERED",
        "reason_code": "997",
    }
    older = newest | {
        "receiver": NUMBER,
        "delivery_date": "2026-12-04 14:25:03",
        "delivery_status": "DELIVERED",
        "reason_code": None,
    }
    page: dict[str, Json] = {"count": 19, "limit": 2, "offset": 0}
    canned.answer(page | {"deliveries": [newest, older]})
    canned.answer(page | {"offset": 2, "deliveries": [older] * 17})
    refs = [MessageRef(QUEUE, number, 1) for number in (NUMBER, OTHER_NUMBER)]

    reports = await client_at(KEY, session, canned.url).reports(refs)

    assert reports == [
        Report(ref=refs[0], status=Status.DELIVERED, detail="DELIVERED"),
        Report(ref=refs[1], status=Status.FAILED, detail="997"),
    ]
    assert len(canned.seen) == 2


async def test_the_pages_end_with_the_count_of_all_rows(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(rows(row(OTHER_NUMBER), row(THIRD_NUMBER), count=3))
    canned.answer(rows(row(NUMBER), count="3"))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER)]
    )

    assert [report.status for report in reports] == [Status.DELIVERED]
    assert [seen.query["offset"] for seen in canned.seen] == ["0", "2"]


async def test_without_a_count_a_full_page_is_followed_by_another(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(rows(row(OTHER_NUMBER), count=None) | {"limit": 1})
    canned.answer(rows(row(NUMBER), count="molte"))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER)]
    )

    assert [report.status for report in reports] == [Status.DELIVERED]
    assert len(canned.seen) == 2


async def test_a_count_of_rows_that_never_come_ends_with_an_empty_page(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(rows(row(NUMBER), count=10**9))
    canned.answer(rows(count=10**9))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef(QUEUE, NUMBER)]
    )

    assert len(reports) == 1
    assert len(canned.seen) == 2


async def test_a_server_that_repeats_one_page_for_ever_is_given_up(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(rows(row(NUMBER), count=10**9))

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).reports([MessageRef(QUEUE, NUMBER)])

    assert len(canned.seen) == 50


@pytest.mark.parametrize(
    "body",
    [
        *({"error": number} for number in (0, 5, 10, 20, 42, 100, 999)),
        {"error": 5, "credit": 1},
        rows(row(NUMBER)),
        b"<h1>Not Found</h1>",
        b"",
    ],
)
async def test_a_shipment_that_nobody_knows_does_not_stop_the_others(
    body: Json | bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=404)
    canned.answer(rows(row(NUMBER)))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef("1", NUMBER), MessageRef("2", NUMBER)]
    )

    assert [report.ref for report in reports] == [MessageRef("2", NUMBER)]
