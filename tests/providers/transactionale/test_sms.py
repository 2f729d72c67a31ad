"""Transactionale: SMS, their status, and what an answer proves."""

import asyncio
from datetime import UTC, datetime
import json
import time

import aiohttp
import hypothesis
from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    ErrorKind,
    MessageRef,
    NotSent,
    Outcome,
    Report,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Simulator, Toggle

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    LONG,
    NUMBER,
    OTHER_NUMBER,
    QUADRATIC,
    SETTINGS,
    TEXT,
    client_at,
    client_of,
    form_of,
    only,
    refs_of,
    submission,
)

KEY = "transactionale"
CALLBACK = "https://casa.example/dlr"
PATH = "/platform/api/sms/send"
OLD_PATH = "/api/v1/send"


def described(**changed: Json) -> dict[str, Json]:
    """Return a message as the page shows it."""
    return {
        "id": 123,
        "phone": NUMBER[1:],
        "sender_id": "Casa",
        "body": TEXT,
        "status": "pending",
        "delivery_status": "unknown",
        "country": "IT",
        "is_two_way": False,
        "receive_dlr": "default",
        "url": "https://api.transactionale.com/platform/api/sms/send/123",
        **changed,
    }


def test_the_form_the_limits_and_the_features_are_those_of_the_provider() -> None:
    provider = PROVIDERS[KEY]

    assert form_of(KEY) == [
        ("api_key", "secret", "required", "main", None),
        ("sender", "sender", "required", "main", None),
        ("url", "url", "required", "advanced", "https://api.transactionale.com"),
    ]
    assert provider.capabilities.recipients_per_submission == 1
    assert provider.capabilities.max_parts == 255
    assert provider.capabilities.features == {
        Feature.DELIVERY_POLL,
        Feature.DELIVERY_PUSH,
    }


@pytest.mark.parametrize("sender", ["Casa Mia 2.", "4850123456", "+4850123456"])
def test_a_good_sender_is_allowed(sender: str) -> None:
    assert PROVIDERS[KEY].capabilities.sender.allows(sender)


@pytest.mark.parametrize("sender", ["Casa-Mia", "Casa_Mia", "+Casa", "393401234567"])
def test_a_bad_sender_is_not_allowed(sender: str) -> None:
    assert not PROVIDERS[KEY].capabilities.sender.allows(sender)


async def test_the_request_is_that_of_the_page(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(described(), status=201)

    await client_at(KEY, session, canned.url).send(submission(sender="Cantina"))

    (seen,) = canned.seen
    assert (seen.method, seen.path) == ("POST", PATH)
    assert seen.headers["Authorization"] == SETTINGS[KEY]["api_key"]
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.json == {"phone": NUMBER[1:], "sender_id": "Cantina", "body": TEXT}


async def test_a_number_as_sender_goes_without_its_plus(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(described(), status=201)

    await client_at(KEY, session, canned.url).send(submission(sender="+4850123456"))

    assert isinstance(canned.seen[0].json, dict)
    assert canned.seen[0].json["sender_id"] == "4850123456"


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pending", Status.QUEUED),
        ("sent", Status.SENT),
        ("altro", Status.QUEUED),
        (None, Status.QUEUED),
    ],
)
async def test_any_2xx_with_an_id_is_accepted(
    status: int,
    word: Json,
    expected: Status,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(described(status=word), status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == Accepted(provider_id="123", status=expected)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (described(id=None), 201, Uncertain(detail="no_id")),
        (described(id=True), 201, Uncertain(detail="no_id")),
        (described(id=0), 201, Uncertain(detail="no_id")),
        (described(id=""), 201, Uncertain(detail="no_id")),
        ({"errors": {"phone": ["x"]}}, 200, Uncertain(detail="no_id")),
        ({"errors": "x", "id": None}, 201, Uncertain(detail="no_id")),
        (
            described(errors=["x"]),
            201,
            Uncertain(detail="errors", provider_id="123"),
        ),
        ({"id": 123}, 500, Uncertain(detail="http_500", provider_id="123")),
        ({"id": "123"}, 429, Uncertain(detail="http_429", provider_id="123")),
        # Words, and a number that is not the message's.
        (
            {"id": "forbidden", "message": "No"},
            403,
            NotSent(kind=ErrorKind.REFUSED, detail="http_403"),
        ),
        (
            {"errors": {"phone": ["x"]}, "request": {"id": 5}},
            400,
            NotSent(kind=ErrorKind.RECIPIENT, detail="phone"),
        ),
        ({}, 200, Uncertain(detail="foreign_answer")),
        ([], 200, Uncertain(detail="foreign_answer")),
        (b"", 204, Uncertain(detail="unreadable_answer")),
        (
            b'{"id": 123, "phone": "39',
            201,
            Uncertain(detail="unreadable_answer", provider_id="123"),
        ),
        (
            {"data": {"id": 123, "status": "pending"}},
            201,
            Uncertain(detail="foreign_answer", provider_id="123"),
        ),
        (
            b'<html><script>{"id": "menu", "x": 1}</script></html>',
            200,
            Uncertain(detail="foreign_answer"),
        ),
        (
            {"message": "401 Unauthorized", "status_code": 401},
            401,
            NotSent(kind=ErrorKind.AUTH, detail="http_401"),
        ),
        (
            {"message": "402 Payment Required", "status_code": 402},
            402,
            NotSent(kind=ErrorKind.CREDIT, detail="http_402"),
        ),
        (
            {"message": "403 Forbidden", "status_code": 403},
            403,
            NotSent(kind=ErrorKind.REFUSED, detail="http_403"),
        ),
        ({"errors": "x"}, 400, NotSent(kind=ErrorKind.REFUSED, detail="http_400")),
        (
            {"message": "Forbidden"},
            403,
            NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_403"),
        ),
        (b"", 404, NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_404")),
        (b"<html>", 400, NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_400")),
        (
            {"altro": ["x"]},
            400,
            NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_400"),
        ),
        (
            {"altro": ["phone"]},
            415,
            NotSent(kind=ErrorKind.REFUSED, detail="http_415"),
        ),
        ({"phone": ["x"]}, 500, Uncertain(detail="http_500")),
    ],
)
async def test_an_answer_without_an_acceptance_is_not_one(
    body: Json | bytes,
    status: int,
    expected: Outcome,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == expected


@pytest.mark.parametrize("nested", ["flat", "nested"])
@pytest.mark.parametrize(
    "refused",
    [
        (["phone"], ErrorKind.RECIPIENT, "phone"),
        (["sender_id"], ErrorKind.SENDER, "sender_id"),
        (["body"], ErrorKind.TEXT, "body"),
        (["webhook_url"], ErrorKind.REFUSED, "webhook_url"),
        (["body", "sender_id"], ErrorKind.SENDER, "sender_id,body"),
        (["receive_dlr", "body"], ErrorKind.TEXT, "body,receive_dlr"),
        (
            ["body", "phone", "sender_id"],
            ErrorKind.RECIPIENT,
            "phone,sender_id,body",
        ),
    ],
)
async def test_the_refused_fields_give_the_kind_in_both_shapes(
    nested: str,
    refused: tuple[list[str], ErrorKind, str],
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    fields, kind, detail = refused
    errors: Json = {field: ["Number is too long"] for field in fields}
    canned.answer({"errors": errors} if nested == "nested" else errors, status=400)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=kind, detail=detail)


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        ({"phone": "required"}, ErrorKind.RECIPIENT, "phone"),
        ({"body": {"0": "required"}}, ErrorKind.TEXT, "body"),
        ({"errors": {"phone": "required"}}, ErrorKind.RECIPIENT, "phone"),
        ({"errors": {"phone": [], "body": ["x"]}}, ErrorKind.TEXT, "body"),
        ({"errors": {"sms": {"body": [["x"]]}}}, ErrorKind.TEXT, "body"),
        (
            {"errors": ["The sender id field is required."]},
            ErrorKind.SENDER,
            "sender_id",
        ),
        ({"errors": "The body field is required."}, ErrorKind.TEXT, "body"),
        ({"errors": ["Number is too long"]}, ErrorKind.RECIPIENT, "phone"),
        (
            {"errors": [{"field": "phone", "message": "x"}]},
            ErrorKind.RECIPIENT,
            "phone",
        ),
        ({"errors": {"sms.0.body": ["x"]}}, ErrorKind.TEXT, "body"),
        (
            {"message": "Invalid", "status_code": 422, "errors": {"phone": ["x"]}},
            ErrorKind.RECIPIENT,
            "phone",
        ),
        ({"errors": {"altro": ["x"]}}, ErrorKind.REFUSED, "altro"),
        ({"errors": {f"{TEXT} {NUMBER}": ["x"]}}, ErrorKind.REFUSED, "http_422"),
        ({"errors": [[[[[["x"]]]]]]}, ErrorKind.REFUSED, "http_422"),
    ],
)
async def test_a_validation_error_is_read_in_any_shape(
    body: Json,
    kind: ErrorKind,
    detail: str,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=422)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=kind, detail=detail)


async def test_a_field_named_like_a_text_does_not_get_into_the_detail(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({f"{TEXT} {NUMBER}": ["x"], "phone": ["x"]}, status=400)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=ErrorKind.RECIPIENT, detail="phone")


async def test_the_nested_shape_of_the_simulator_is_read_too(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.NESTED_ERRORS)
    client = client_of(simulator, KEY, session)

    await client.validate()
    outcome = only(await client.send(submission(BAD_NUMBER)))

    assert outcome == NotSent(kind=ErrorKind.RECIPIENT, detail="phone")


PRINTED = b"""{
    "id": 123,
    "phone": "39300000000",
    "sender_id": "MyShop",
    "body": "Il mio SMS!",
    "status": "pending",
    "delivery_status": "unknown",
    "country": "IT",
    "is_two_way": false,
    "webhook_url": "https://www.myshop.com/webhook/sms",
    "receive_dlr": "default",
    "url": "https://api.transactionale.com/platform/api/sms/send/123",
}
"""
"""An answer as the page prints it, for a send (201) and for a read (200)."""


async def test_the_printed_answers_are_read_with_their_comma(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    recipient = "+39300000000"
    canned.answer(PRINTED, status=201)
    canned.answer(PRINTED)

    outcome = only(await client.send(submission(recipient)))
    reports = await client.reports([MessageRef("123", recipient)])

    assert outcome == Accepted(provider_id="123", status=Status.QUEUED)
    assert reports == [Report(ref=MessageRef("123", recipient), status=Status.QUEUED)]


async def test_a_message_is_followed_where_the_page_says_and_as_it_prints(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.PRINTED_ANSWERS)
    simulator.switch_on(KEY, Toggle.ONE_READ_PATH)
    client = client_of(simulator, KEY, session)
    result = await client.send(submission())
    simulator.move(simulator.messages[0].id, "delivered")

    for _ in range(2):
        (report,) = await client.reports(refs_of(result))
        assert report.status is Status.DELIVERED

    assert [request.path.rpartition("/")[0] for request in simulator.requests] == [
        PATH.removesuffix("/send"),
        PATH,
        OLD_PATH,
        OLD_PATH,
    ]


@pytest.mark.parametrize(
    "url",
    [
        "//api.transactionale.com/x/123",
        "//",
        "http://[",
        "http://",
        "https://a:99999/",
        "mailto:a@b",
        "\ud83d",
        "https://\ud83d/",
        "x" * 20_000,
        "",
        None,
        7,
        ["https://api.transactionale.com"],
    ],
    ids=range(13),
)
@pytest.mark.parametrize(
    "provider_id", [123, "124", "\ud83d", "a/b", "..", "x" * 128], ids=range(6)
)
async def test_what_is_kept_of_an_answer_never_changes_its_outcome(
    url: Json, provider_id: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(described(url=url, id=provider_id), status=201)
    client = client_at(KEY, session, canned.url)

    outcome = only(await client.send(submission()))

    assert isinstance(outcome, Accepted)
    assert outcome.provider_id is not None
    outcome.provider_id.encode()
    canned.clear()
    canned.answer(described(id=provider_id, delivery_status="delivered"))
    (report,) = await client.reports([MessageRef(outcome.provider_id, NUMBER)])
    assert report.status is Status.DELIVERED
    assert canned.seen[0].path.startswith(f"{PATH}/")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 404),
        ({"message": "404 Not Found"}, 404),
        (b"<html>", 200),
        ({}, 200),
        (described(), 201),
        (b"", 405),
        ({"altro": ["x"]}, 400),
        ({"errors": "x"}, 400),
        ({"errors": {"altro": ["x"]}}, 422),
        # Sentences of a gateway, and the name of a field that is no key of an error.
        ({"details": ["Request body is not valid"]}, 400),
        ({"errors": {"path": ["not a number"]}}, 400),
        ({"errors": ["The body field is required."]}, 400),
        ({"errors": "The phone field is required."}, 422),
        ({"errors": [{"field": "phone", "message": "required"}]}, 422),
        ({"errors": {"path": {"phone": ["x"]}}}, 400),
        ({"errors": {"phone": []}}, 400),
        ({"phone": None}, 400),
        ({"message": "phone", "status_code": 400}, 400),
        ({"phone": ["x"]}, 409),
        ({"phone": ["x"]}, 200),
        ({"message": "403 Forbidden", "status_code": 403}, 403),
        ({"message": "Bad Request", "status_code": 400}, 400),
    ],
)
async def test_only_the_list_of_missing_fields_proves_the_key(
    body: Json | bytes,
    status: int,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=status)

    with pytest.raises(ProviderError) as failure:
        await client_at(KEY, session, canned.url).validate()

    assert not (
        isinstance(failure.value, NotAcceptedError)
        and failure.value.kind is ErrorKind.AUTH
    )


@pytest.mark.parametrize(
    "body",
    [
        {"phone": ["The phone field is required."]},
        {"errors": {"phone": ["The phone field is required."]}},
        {"phone": "required"},
        {"errors": {"body": "required", "altro": ["x"]}},
        b'<br />\n<b>Warning</b>: x\n{"phone": ["required"],}',
    ],
)
@pytest.mark.parametrize("status", [400, 422])
async def test_the_key_is_proved_by_a_message_that_cannot_be_sent(
    body: Json | bytes, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)

    await client_at(KEY, session, canned.url).validate()

    assert [seen.json for seen in canned.seen] == [{}]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"message": "401 Unauthorized", "status_code": 401}, ErrorKind.AUTH),
        (b"<html>", ErrorKind.AUTH),
        ({}, ErrorKind.AUTH),
    ],
)
async def test_a_key_is_wrong_by_401_alone(
    body: Json | bytes,
    kind: ErrorKind,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=401)

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).validate()

    assert refusal.value.kind is kind


@pytest.mark.parametrize(
    ("delivery", "progress", "status"),
    [
        ("delivered", "sent", Status.DELIVERED),
        ("failed", "sent", Status.FAILED),
        ("expired", "sent", Status.EXPIRED),
        ("unknown", "pending", Status.QUEUED),
        ("unknown", "sent", Status.SENT),
        ("unknown", "altro", None),
        ("altro", "sent", None),
        (None, "sent", None),
        (7, "sent", None),
        ("unknown", {}, None),
    ],
)
async def test_the_two_status_words_are_read_together(
    delivery: Json,
    progress: Json,
    status: Status | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(described(delivery_status=delivery, status=progress))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef("123", NUMBER)]
    )

    assert [report.status for report in reports] == ([status] if status else [])
    assert [(seen.method, seen.path) for seen in canned.seen] == [
        ("GET", f"{PATH}/123")
    ]


async def test_an_answer_about_another_message_claims_nothing(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(described(id=124, delivery_status="delivered"))

    assert not await client_at(KEY, session, canned.url).reports(
        [MessageRef("123", NUMBER)]
    )


async def test_an_answer_about_another_number_claims_nothing(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(described(phone=OTHER_NUMBER[1:], delivery_status="delivered"))

    assert not await client_at(KEY, session, canned.url).reports(
        [MessageRef("123", NUMBER)]
    )


async def test_the_path_of_the_page_is_tried_after_a_404_and_then_asked_first(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    canned.answer(b"<html>", status=404)
    canned.answer(described())
    canned.answer(described(id=124))
    canned.answer(b"", status=404)
    canned.answer(described(id=125))
    canned.answer(described(id=126))

    for number in (123, 124, 125, 126):
        (report,) = await client.reports([MessageRef(str(number), NUMBER)])
        assert report.status is Status.QUEUED

    assert [seen.path for seen in canned.seen] == [
        f"{PATH}/123",
        f"{OLD_PATH}/123",
        f"{OLD_PATH}/124",
        f"{OLD_PATH}/125",
        f"{PATH}/125",
        f"{PATH}/126",
    ]
    assert {seen.method for seen in canned.seen} == {"GET"}


async def test_each_client_remembers_its_own_path(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=404)
    canned.answer(described())
    await client_at(KEY, session, canned.url).reports([MessageRef("123", NUMBER)])

    await client_at(KEY, session, canned.url).reports([MessageRef("123", NUMBER)])

    assert canned.seen[-1].path == f"{PATH}/123"


@pytest.mark.parametrize("body", [b"<html>", {"message": "x", "status_code": 404}])
async def test_a_message_that_both_paths_do_not_know_is_left_out(
    body: Json | bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    canned.answer(body, status=404)

    assert not await client.reports([MessageRef("123", NUMBER)])

    assert [seen.path for seen in canned.seen] == [f"{PATH}/123", f"{OLD_PATH}/123"]


@pytest.mark.parametrize("status", [403, 405, 500, 200])
async def test_a_foreign_answer_on_the_second_path_is_not_remembered(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    canned.answer(b"", status=404)
    canned.answer(b"<html>", status=status)
    canned.answer(described())

    with pytest.raises(NotAcceptedError) as failure:
        await client.reports([MessageRef("123", NUMBER)])
    await client.reports([MessageRef("123", NUMBER)])

    assert failure.value.kind is ErrorKind.UNAVAILABLE
    assert canned.seen[-1].path == f"{PATH}/123"


async def test_an_id_cannot_lead_out_of_the_path(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=404)

    await client_at(KEY, session, canned.url).reports(
        [MessageRef("../../x?y=1#z", NUMBER)]
    )

    assert canned.seen[0].path.startswith(f"{PATH}/")
    assert not canned.seen[0].query


@pytest.mark.parametrize(
    ("option", "with_address", "expected"),
    [
        ({}, CALLBACK, "always"),
        ({}, None, None),
        ({"receive_dlr": "auto"}, CALLBACK, "always"),
        ({"receive_dlr": "auto"}, None, None),
        ({"receive_dlr": "default"}, CALLBACK, "default"),
        ({"receive_dlr": "off"}, CALLBACK, "off"),
        ({"receive_dlr": "off"}, None, "off"),
        ({"receive_dlr": "on_error"}, None, "on_error"),
    ],
)
async def test_the_account_s_rule_says_when_to_be_called_back(
    option: dict[str, str],
    with_address: str | None,
    expected: str | None,
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    client = client_of(simulator, KEY, session, changed=option)

    await client.send(submission(callback_url=with_address))

    fields = simulator.requests[-1].fields
    assert fields.get("receive_dlr") == expected
    assert fields.get("webhook_url") == with_address


@pytest.mark.parametrize(
    ("rule", "called_after"),
    [
        ("default", set[str]()),
        ("always", {"delivered", "failed"}),
        ("on_error", {"failed"}),
        ("off", set[str]()),
    ],
)
@pytest.mark.parametrize("end", ["delivered", "failed"])
async def test_each_rule_calls_back_as_the_page_says(
    rule: str,
    called_after: set[str],
    end: str,
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    simulator.account(KEY).receive_dlr = "off"
    simulator.account(KEY).webhook_url = "http://127.0.0.1:1/dlr"
    client = client_of(simulator, KEY, session, changed={"receive_dlr": rule})
    await client.send(submission())

    simulator.move(simulator.messages[0].id, end)
    await simulator.finish_callbacks()

    assert bool(simulator.callbacks) == (end in called_after)


async def test_an_unknown_rule_is_a_value_error(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(ValueError, match="sometimes"):
        client_of(simulator, KEY, session, changed={"receive_dlr": "sometimes"})


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("{own}/altra/strada/123?x=1", "/altra/strada/123"),
        (f"{{own}}{PATH}/123", f"{PATH}/123"),
        ("http://127.0.0.1:1/altra/123", f"{PATH}/123"),
        ("http://anna:pw@127.0.0.1/altra", f"{PATH}/123"),
        ("https://api.transactionale.com/altra/123", f"{PATH}/123"),
        ("/altra/123", f"{PATH}/123"),
        ("http://[", f"{PATH}/123"),
        (7, f"{PATH}/123"),
        (None, f"{PATH}/123"),
    ],
)
async def test_the_address_of_an_answer_is_followed_only_on_the_account_s_own_host(
    given: Json, asked: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    url = given.format(own=canned.url) if isinstance(given, str) else given
    canned.answer(described(url=url), status=201)
    canned.answer(described(delivery_status="delivered"))
    client = client_at(KEY, session, canned.url)
    await client.send(submission())

    (report,) = await client.reports([MessageRef("123", NUMBER)])

    assert report.status is Status.DELIVERED
    assert canned.seen[1].path == asked


@pytest.mark.parametrize("word", ["delivered", "failed", "expired"])
async def test_the_page_s_own_callback_is_read(
    word: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    body = json.dumps(
        {
            "sms_id": 123,
            "phone": NUMBER[1:],
            "send_time": "2018-11-20T11:02:29+00:00",
            "status_time": "2018-11-20T11:02:31+00:00",
            "status": word,
        }
    )

    report = client_at(KEY, session, canned.url).parse_report(body.encode())

    assert report == Report(
        ref=MessageRef("123", NUMBER),
        status=Status(word),
        at=datetime(2018, 11, 20, 11, 2, 31, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "moment", ["2018-11-20T11:02:31", "ieri", "", 7, None, "2018-13-40T99:00:00Z"]
)
async def test_a_time_without_its_zone_is_no_time(
    moment: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    body = {
        "sms_id": 123,
        "phone": NUMBER[1:],
        "status": "delivered",
        "status_time": moment,
    }

    report = client_at(KEY, session, canned.url).parse_report(json.dumps(body).encode())

    assert report is not None
    assert report.at is None


OTHERS = st.dictionaries(
    st.sampled_from(
        ["phone", "status", "delivery_status", "url", "country", "message", "data"]
    ),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8)
        | st.sampled_from(["//a/b", "http://[", "\ud83d", "sent", "errors"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


@pytest.mark.usefixtures("socket_enabled")
def test_nothing_beside_the_id_makes_an_accepted_message_anything_else() -> None:
    with asyncio.Runner() as runner:
        canned = runner.run(Canned().__aenter__())
        session = runner.run(open_session())

        @hypothesis.settings(max_examples=100, deadline=None)
        @given(others=OTHERS, status=st.sampled_from([200, 201, 202]))
        def check(others: dict[str, Json], status: int) -> None:
            canned.clear()
            canned.answer(json.dumps({**others, "id": 123}).encode(), status=status)
            client = client_at(KEY, session, canned.url)
            outcome = only(runner.run(client.send(submission())))
            assert isinstance(outcome, Accepted)
            assert outcome.provider_id == "123"

        check()
        runner.run(session.close())
        runner.run(canned.__aexit__(None, None, None))


async def open_session() -> aiohttp.ClientSession:
    """Return a session, which must be made in a running loop."""
    return aiohttp.ClientSession()


@pytest.mark.parametrize(
    "pattern",
    [
        b'{"id":',
        b'{"errors":',
        b'{"errors": ["phone", ',
        b'{"phone": [',
        b'"id": "7", ',
        b'"id"\n',
        b"7",
        b"{",
        b"[",
        b",",
        b"<",
        b"\\",
        b'"',
        b"phone ",
        b"\xff",
        b"\x00",
    ],
)
@pytest.mark.parametrize("start", [b"", b"<br/>\n", b'{"errors": "', b'{"sms_id": ['])
async def test_a_long_answer_of_anything_is_read_in_linear_time(
    pattern: bytes, start: bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    body = start + (pattern * (LONG // len(pattern)))[: 200 * 1024]
    canned.answer(body, status=400)

    begun = time.process_time()
    outcome = only(await client.send(submission()))
    client.parse_report(start + pattern * (LONG // len(pattern)))
    passed = time.process_time() - begun

    assert not isinstance(outcome, Accepted)
    assert passed < QUADRATIC


# The probe


@pytest.mark.parametrize(
    ("status", "body", "answers"),
    [
        (200, {"message": "OK", "status_code": 200}, True),
        (404, {"message": "Not Found", "status_code": 404}, True),
        (500, {"message": "Error", "status_code": 500}, True),
        (200, {}, False),
        (404, {"message": "Forbidden"}, False),
        (502, {}, False),
    ],
)
async def test_a_probe_makes_no_message_and_takes_any_answer_of_the_providers_own(
    canned: Canned,
    session: aiohttp.ClientSession,
    status: int,
    body: dict[str, Json],
    *,
    answers: bool,
) -> None:
    canned.answer(body, status=status)
    client = client_at(KEY, session, canned.url)
    if answers:
        await client.probe()
    else:
        with pytest.raises(ProviderError) as caught:
            await client.probe()
        kind = getattr(caught.value, "kind", ErrorKind.UNAVAILABLE)
        assert kind is ErrorKind.UNAVAILABLE
    (seen,) = canned.seen
    assert seen.method == "GET"


async def test_a_probe_with_a_wrong_key_says_so(
    session: aiohttp.ClientSession, simulator: Simulator
) -> None:
    client = client_of(simulator, KEY, session)
    await client.probe()
    simulator.set_credentials(KEY, api_key="another")
    with pytest.raises(NotAcceptedError) as caught:
        await client.probe()
    assert caught.value.kind is ErrorKind.AUTH
