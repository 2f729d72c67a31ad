"""What is peculiar to Inviosmart."""

from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Credit,
    ErrorKind,
    MessageRef,
    NotSent,
    Outcome,
    Report,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Operation, Simulator

from .canned import Canned
from .helpers import NUMBER, client_at, client_of, form_of, only, submission

KEY = "inviosmart"


def test_the_form_the_limits_and_the_features_are_those_of_the_provider() -> None:
    provider = PROVIDERS[KEY]

    assert form_of(KEY) == [
        ("username", "username", "required", "main", None),
        ("password", "secret", "required", "main", None),
        ("sender", "sender", "required", "main", None),
        ("country_prefix", "country_prefix", "required", "main", "39"),
        ("url", "url", "required", "advanced", "http://httpapi.inviosmart.it"),
    ]
    assert provider.identity == ("username",)
    assert provider.capabilities.recipients_per_submission == 1
    assert provider.capabilities.max_parts == 4
    assert provider.capabilities.features == {
        Feature.CREDIT,
        Feature.SMS_LEFT,
        Feature.DELIVERY_POLL,
    }


@pytest.mark.parametrize("sender", ["MyName", "+393401234567"])
def test_a_good_sender_is_allowed(sender: str) -> None:
    assert PROVIDERS[KEY].capabilities.sender.allows(sender)


@pytest.mark.parametrize("sender", ["Città", "+Casa"])
def test_a_bad_sender_is_not_allowed(sender: str) -> None:
    assert not PROVIDERS[KEY].capabilities.sender.allows(sender)


async def test_the_request_is_that_of_the_page(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"OK ID:1234")

    await client_at(KEY, session, canned.url).send(
        submission(text="Hello there. 50% + è", sender="Cantina")
    )

    (seen,) = canned.seen
    assert (seen.method, seen.path) == ("GET", "/sendsms/")
    assert seen.query == {
        "username": "username-Kx8",
        "password": "password-Kx8",
        "destination": NUMBER[1:],
        "sender": "Cantina",
        "message": "Hello there. 50% + è",
    }
    assert "message=Hello%20there.%2050%25%20%2B%20%C3%A8" in seen.raw_query


async def test_a_number_as_sender_goes_without_its_plus(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await client_of(simulator, KEY, session).send(submission(sender=NUMBER))

    assert [message.sender for message in simulator.messages] == [NUMBER[1:]]


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"OK ID:1234", 200, Accepted(provider_id="1234")),
        (b"  OK ID: 1234 \r\n", 200, Accepted(provider_id="1234")),
        (b"\xef\xbb\xbfOK ID:1234", 200, Accepted(provider_id="1234")),
        (b"OK ID:1234", 201, Accepted(provider_id="1234")),
        (b"OK ID:1234", 500, Uncertain(detail="http_500")),
        (b"OK ID:", 200, Uncertain(detail="unreadable_answer")),
        (b"OK ID:abc", 200, Uncertain(detail="unreadable_answer")),
        (b"OK", 200, Uncertain(detail="unreadable_answer")),
        (b"", 200, Uncertain(detail="unreadable_answer")),
        (b"NOT OK ID:1234", 200, Uncertain(detail="unreadable_answer")),
        ("OK ID:\u0661\u0662".encode(), 200, Uncertain(detail="unreadable_answer")),
        (
            b"<html>Error: 1013 - x</html>",
            200,
            Uncertain(detail="unreadable_answer"),
        ),
        (b"Status: 1000 - Balance:1", 200, Uncertain(detail="unreadable_answer")),
        (b"Status: 1026 - Batch is queued", 200, Uncertain(detail="1026")),
        (b"Status: 1099 - ?", 200, Uncertain(detail="1099")),
        (b"Error: 1010 - gateway", 200, Uncertain(detail="1010")),
        (b"Error: 1019 - row", 200, Uncertain(detail="1019")),
        (b"Error: 1043 - internal", 200, Uncertain(detail="1043")),
        (b"Error: internal", 200, Uncertain(detail="unreadable_answer")),
        (b"Error: 1013 - x", 500, NotSent(kind=ErrorKind.CREDIT, detail="1013")),
        (b"Error: 1013 - x", 400, NotSent(kind=ErrorKind.CREDIT, detail="1013")),
        (b"Error: 1099 - x", 200, NotSent(kind=ErrorKind.REFUSED, detail="1099")),
        (b"Error: 1033 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1033")),
        (b"Error: 1039 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1039")),
        (b"Error: 1040 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1040")),
        (b"Error: 1041 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1041")),
        (b"", 401, NotSent(kind=ErrorKind.AUTH, detail="http_401")),
    ],
)
async def test_only_the_line_itself_decides_the_outcome_of_a_message(
    body: bytes,
    status: int,
    expected: Outcome,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == expected


@pytest.mark.parametrize("word", ["Error", "Status"])
@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((1001, 1002, 1012, 1014, 1038, 1042), ErrorKind.AUTH),
        ((1013, 1018, 1023), ErrorKind.CREDIT),
        ((1003, 1004, 1005, 1017), ErrorKind.RECIPIENT),
        ((1006, 1007, 1008, 1015, 1016, 1021, 1036), ErrorKind.SENDER),
        ((1009, 1024, 1029), ErrorKind.TEXT),
        ((1020, 1025, 1031, 1032), ErrorKind.UNAVAILABLE),
        ((1011, 1022, 1027, 1028), ErrorKind.REFUSED),
    ],
)
async def test_each_number_of_a_refusal_has_its_kind(
    word: str,
    numbers: tuple[int, ...],
    kind: ErrorKind,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    client = client_at(KEY, session, canned.url)
    for number in numbers:
        canned.clear()
        canned.answer(f"{word}: {number} - Qualcosa.".encode())

        outcome = only(await client.send(submission()))

        assert outcome == NotSent(kind=kind, detail=str(number))


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE_ACCEPT, Fault.CUT_AFTER_ACCEPT])
async def test_a_cut_get_reaches_the_wire_once_even_after_a_good_one(
    fault: Fault, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    await client.send(submission())
    simulator.inject(KEY, fault, operation=Operation.SEND)

    outcome = only(await client.send(submission()))

    assert isinstance(outcome, Uncertain)
    assert len(simulator.requests) == 2


@pytest.mark.parametrize(
    ("line", "credit"),
    [
        (
            "Status: 1000 - Balance:112.24|SmsRemainCount:2877",
            Credit(balance=Decimal("112.24"), sms_left=2877),
        ),
        (
            "Status: 1000 - Balance:112.24|SmsRemainCount:-9999",
            Credit(balance=Decimal("112.24")),
        ),
        (
            "Status: 1000 - Balance:5|SmsRemainCount:-1|LCSmsRemainCount:12",
            Credit(balance=Decimal(5)),
        ),
        ("Status: 1000 - Balance:-0.5", Credit(balance=Decimal("-0.5"))),
    ],
)
async def test_the_balance_line_is_read(
    line: str, credit: Credit, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(line.encode())

    assert await client_at(KEY, session, canned.url).credit() == credit
    assert canned.seen[0].path == "/account-balance/"
    assert canned.seen[0].query["countryprefix"] == "39"


async def test_another_country_is_asked_by_its_digits(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"Status: 1000 - Balance:1|SmsRemainCount:2")

    await client_at(KEY, session, canned.url, {"country_prefix": "+378 "}).credit()

    assert canned.seen[0].query["countryprefix"] == "378"


@pytest.mark.parametrize(
    "line",
    [
        "Status: 1000 - Balance:molto|SmsRemainCount:2",
        "Status: 1000 - SmsRemainCount:2",
        "Status: 1001 - Balance:1",
        "Balance:1",
        "OK ID:1",
        "",
    ],
)
async def test_a_line_without_a_balance_is_no_balance_of_zero(
    line: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(line.encode())

    with pytest.raises(ProviderError):
        await client_at(KEY, session, canned.url).credit()


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (1, Status.QUEUED),
        (2, Status.SENT),
        (4, Status.QUEUED),
        (8, Status.FAILED),
        (16, Status.SENT),
        (32, Status.SENT),
        (64, Status.FAILED),
        (128, Status.EXPIRED),
        (256, Status.FAILED),
        (512, Status.FAILED),
        (1024, Status.FAILED),
        (2048, Status.DELIVERED),
    ],
)
async def test_each_number_has_its_status_with_parts_and_cost(
    number: int, status: Status, canned: Canned, session: aiohttp.ClientSession
) -> None:
    line = f"2345:20101212152514:306912345678:20101212152519:{number}:2:0.057"
    canned.answer(line.encode())
    ref = MessageRef("2345", NUMBER)

    reports = await client_at(KEY, session, canned.url).reports([ref])

    assert reports == [
        Report(
            ref=ref,
            status=status,
            parts=2,
            cost=Decimal("0.057"),
            detail=str(number),
        )
    ]
    assert canned.seen[0].path == "/smsstatus/"
    assert canned.seen[0].query["SMSId"] == "2345"


@pytest.mark.parametrize("number", ["3", "4096", "8192", "16384", "32768", "", "x"])
async def test_an_unknown_number_claims_nothing(
    number: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(f"2345:1:2:3:{number}:1:0.057".encode())

    assert not await client_at(KEY, session, canned.url).reports(
        [MessageRef("2345", NUMBER)]
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2345",
        "2345:1:2:3:2048:1",
        "2345:1:2:3:2048:1:0.057:9",
        "2346:1:2:3:2048:1:0.057",
    ],
)
async def test_a_line_of_another_shape_or_message_is_unreadable(
    line: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(line.encode())

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).reports([MessageRef("2345", NUMBER)])


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1012, ErrorKind.AUTH),
        (1027, ErrorKind.REFUSED),
        (1028, ErrorKind.REFUSED),
    ],
)
async def test_a_status_question_can_be_refused(
    number: int, kind: ErrorKind, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(f"Error: {number} - Qualcosa.".encode())

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).reports([MessageRef("1", NUMBER)])

    assert refusal.value.kind is kind


def test_the_page_of_an_account_is_the_provider_s_help_and_no_request_asks_for_it() -> (
    None
):
    assert PROVIDERS[KEY].console_url.endswith("/help")


@pytest.mark.parametrize(
    ("count", "expected"), [("-9999", None), ("-1", None), ("0", 0), ("2877", 2877)]
)
async def test_a_negative_count_is_not_known_and_none_left_is_zero(
    count: str, expected: int | None, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(f"Status: 1000 - Balance:1|SmsRemainCount:{count}".encode())

    assert (await client_at(KEY, session, canned.url).credit()).sms_left == expected


async def test_https_is_used_where_the_address_says_so(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"OK ID:1234")
    url = canned.url.replace("http://", "https://")

    outcome = only(await client_at(KEY, session, url).send(submission()))

    # The server speaks plain http: had that been used, it would have been accepted.
    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.UNAVAILABLE
    assert not canned.seen
