"""What is peculiar to Inviosmart."""

from contextlib import suppress
from decimal import Decimal
import re
from time import process_time
from typing import Any

import aiohttp
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.providers import inviosmart
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
from custom_components.sms_italia.providers.transport import Answer
from simulator import Fault, Operation, Simulator, Toggle

from .canned import Canned
from .helpers import (
    LONG,
    NUMBER,
    QUADRATIC,
    client_at,
    client_of,
    form_of,
    only,
    refs_of,
    submission,
)
from .test_http_status import DOUBT, SENDS, Proof

KEY = "inviosmart"


def test_the_form_the_limits_and_the_features_are_those_of_the_provider() -> None:
    provider = PROVIDERS[KEY]

    assert form_of(KEY) == [
        ("username", "username", "required", "main", None),
        ("password", "secret", "required", "main", None),
        ("sender", "sender", "required", "main", None),
        ("country_prefix", "country_prefix", "required", "main", "39"),
        (
            "url",
            "url",
            "required",
            "advanced",
            "https://www.inviosmart.it/webservice/sms/",
        ),
    ]
    assert provider.clear_text_url == "http://httpapi.inviosmart.it"
    assert provider.capabilities.recipients_per_submission == 1
    assert provider.capabilities.max_parts == 4
    assert provider.capabilities.features == {
        Feature.CREDIT,
        Feature.SMS_LEFT,
        Feature.DELIVERY_POLL,
    }


@pytest.mark.parametrize("sender", ["MyName", "Casa 24", "1a", "A!#%&()<>.-"])
def test_a_good_sender_is_allowed(sender: str) -> None:
    assert PROVIDERS[KEY].capabilities.sender.allows(sender)


@pytest.mark.parametrize(
    "sender", ["Città", "+Casa", "393331234567", "+393331234567", "123", "12 34", "..."]
)
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


@pytest.mark.parametrize("sender", [NUMBER, NUMBER[1:], "12345"])
@pytest.mark.parametrize("place", ["account", "message"])
async def test_a_sender_without_a_letter_is_refused_before_any_request(
    place: str, sender: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    settings = {"sender": sender} if place == "account" else {}
    wanted = sender if place == "message" else None
    client = client_at(KEY, session, canned.url, settings)

    outcome = only(await client.send(submission(sender=wanted)))

    assert outcome == NotSent(kind=ErrorKind.SENDER, detail="sender")
    assert not canned.seen


@pytest.mark.parametrize(
    ("address", "paths"),
    [
        ("", ("/sendsms/", "/smsstatus/", "/account-balance/")),
        ("/api", ("/api/sendsms/", "/api/smsstatus/", "/api/account-balance/")),
        (
            "/webservice/sms/",
            (
                "/webservice/sms/sendSMSHTTP.php",
                "/webservice/sms/getSMSStatus.php",
                "/webservice/sms/getAccountBalance.php",
            ),
        ),
        (
            "/proxy/webservice/sms",
            (
                "/proxy/webservice/sms/sendSMSHTTP.php",
                "/proxy/webservice/sms/getSMSStatus.php",
                "/proxy/webservice/sms/getAccountBalance.php",
            ),
        ),
    ],
)
async def test_each_address_has_its_own_paths(
    address: str,
    paths: tuple[str, ...],
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    client = client_at(KEY, session, canned.url + address)
    canned.answer(b"OK ID:7")
    canned.answer(b"7:1:2:3:2048:1:0.057")
    canned.answer(b"Status: 1000 - Balance:1|SmsRemainCount:2")

    assert only(await client.send(submission())) == Accepted(provider_id="7")
    assert len(await client.reports([MessageRef("7", NUMBER)])) == 1
    await client.validate()

    assert tuple(seen.path for seen in canned.seen) == paths


@pytest.mark.parametrize("folder", ["", "/webservice/sms/"])
async def test_the_simulated_provider_answers_at_both_addresses(
    folder: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    login = simulator.credentials(KEY)
    client = client_at(KEY, session, simulator.url(KEY) + folder, login)

    await client.validate()
    (ref,) = refs_of(await client.send(submission()))

    (report,) = await client.reports([ref])
    assert (report.status, report.parts) == (Status.QUEUED, 1)


PHP_WARNING = (
    b'<br />\n<b>Warning</b>:  Undefined array key "sender" in'
    b" <b>/var/www/sendsms.php</b> on line <b>12</b><br />\n"
)
PLAIN_WARNING = b'\nWarning: Undefined array key "password" in /sms.php on line 12\n'
HELP = (
    b"Usage\n/sendsms/?username=&password=\nfor example:\nOK ID:1234\n"
    b"Error: 1001 - No username given.\nStatus: 1000 - Balance:112.24|SmsRemainCount:1"
    b"\n2345:1:2:3:2048:1:0.057\nBye"
)
PAGE = b"<!DOCTYPE html><html><head><title>SMS</title></head><body><h1>%s</h1></body>"
UNREADABLE = Uncertain(detail="unreadable_answer")
FOREIGN = Uncertain(detail="foreign_answer")
WITH_ID = Uncertain(detail="unreadable_answer", provider_id="1234")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"OK ID:1234", 200, Accepted(provider_id="1234")),
        (b"ok id:1234", 200, Accepted(provider_id="1234")),
        (b"Ok Id : 1234\r\n", 200, Accepted(provider_id="1234")),
        (b"  OK ID: 1234 \r\n", 200, Accepted(provider_id="1234")),
        (b"\xef\xbb\xbfOK ID:1234", 200, Accepted(provider_id="1234")),
        ("OK ID:1234".encode("utf-16"), 200, Accepted(provider_id="1234")),
        (b"OK ID:1234<br/>", 200, Accepted(provider_id="1234")),
        (b"<br/>OK ID:1234", 200, Accepted(provider_id="1234")),
        (b"<p>OK ID:1234</p>", 200, Accepted(provider_id="1234")),
        (b"OK ID:1234.", 200, Accepted(provider_id="1234")),
        (b"OK ID:1234|OK ID:1235", 200, Accepted(provider_id="1234")),
        (PHP_WARNING + b"OK ID:1234", 200, Accepted(provider_id="1234")),
        (PLAIN_WARNING + b"OK ID:1234", 200, Accepted(provider_id="1234")),
        (b"OK ID:1234" + PHP_WARNING, 200, Accepted(provider_id="1234")),
        (b"OK ID:1234", 201, Accepted(provider_id="1234")),
        # An OK with something else is never "not sent", whatever the status.
        (b"OK ID:1234\nError: 1013 - x", 200, Accepted(provider_id="1234")),
        (b"Error: 1013 - x\nOK ID:1234", 200, Accepted(provider_id="1234")),
        (b"Error: 1013 - x (OK ID:1234)", 200, WITH_ID),
        (b"Error: 1013 - all else is ok", 200, UNREADABLE),
        (b"Invalid destination, the rest OK", 200, UNREADABLE),
        (b"OK ID:1234", 500, Uncertain(detail="http_500", provider_id="1234")),
        (b"OK ID:1234", 403, Uncertain(detail="http_403", provider_id="1234")),
        (b"OK ID:1234", 429, Uncertain(detail="http_429", provider_id="1234")),
        (b"OK", 403, Uncertain(detail="http_403")),
        (b"NOT OK ID:1234", 200, WITH_ID),
        (PAGE % b"OK ID:1234", 200, WITH_ID),
        (PAGE % b"OK ID:1234", 403, Uncertain(detail="http_403", provider_id="1234")),
        (HELP, 200, WITH_ID),
        # Without a whole ID.
        (b"OK ID:", 200, UNREADABLE),
        (b"OK ID:0", 200, UNREADABLE),
        (b"OK ID:abc", 200, UNREADABLE),
        (b"OK ID:12ab", 200, UNREADABLE),
        (b"OK ID:1,234", 200, UNREADABLE),
        (b"OK ID:" + b"1" * 31, 200, UNREADABLE),
        (b"OK", 200, UNREADABLE),
        (b"OK I", 200, UNREADABLE),
        ("OK ID:\u0661\u0662".encode(), 200, UNREADABLE),
        # Not in the provider's own format.
        (b"", 200, UNREADABLE),
        (b"", 204, UNREADABLE),
        (b"Okay", 200, FOREIGN),
        (b"{}", 200, FOREIGN),
        (b"<html>Error: 1013 - x</html>", 200, FOREIGN),
        (PAGE % b"Invalid username or password", 200, FOREIGN),
        (b"<form>Password: <input></form>", 200, FOREIGN),
        (b"Status: 1000 - Balance:1", 200, FOREIGN),
        (b"Error: 404 - Not found", 200, FOREIGN),
        (b"error code: 1020", 200, FOREIGN),
        (PLAIN_WARNING, 200, FOREIGN),
        (b"Access denied for user 'x'@'y' (using password: YES)", 200, FOREIGN),
        (b"Load balancer error", 200, FOREIGN),
        (b"Enter your username and password", 200, FOREIGN),
        (b"a" * 60_000, 200, FOREIGN),
        (b"a" * 70_000, 200, Uncertain(detail="answer_too_long")),
        # Lines with a number.
        (b"Status: 1026 - Batch is queued", 200, Uncertain(detail="1026")),
        (b"Status: 1099 - ?", 200, Uncertain(detail="1099")),
        (b"Error: 1010 - gateway", 200, Uncertain(detail="1010")),
        (b"Error: 1020 - charging", 200, Uncertain(detail="1020")),
        (b"Error: 1026 - Batch is queued", 200, Uncertain(detail="1026")),
        (b"Error: 1026 - Batch is queued", 400, Uncertain(detail="1026")),
        (b"Error: 1043 - internal", 200, Uncertain(detail="1043")),
        (b"Error: 1043 - internal", 400, Uncertain(detail="1043")),
        (b"Error: 1013 - x", 500, Uncertain(detail="1013")),
        (b"Error: 1013 - x\nError: 1010 - y", 200, Uncertain(detail="1010")),
        (b"Error: 1013 - x", 400, NotSent(kind=ErrorKind.CREDIT, detail="1013")),
        (b"Error: 1013 - x", 403, NotSent(kind=ErrorKind.CREDIT, detail="1013")),
        (b"Error: 1013 - x", 429, NotSent(kind=ErrorKind.THROTTLED, detail="1013")),
        (b"error:1013", 200, NotSent(kind=ErrorKind.CREDIT, detail="1013")),
        (b"<br/>ERROR : 1013-x", 200, NotSent(kind=ErrorKind.CREDIT, detail="1013")),
        (
            PHP_WARNING + b"Error: 1013 - x",
            200,
            NotSent(kind=ErrorKind.CREDIT, detail="1013"),
        ),
        (b"Error: 1019 - row", 200, NotSent(kind=ErrorKind.UNAVAILABLE, detail="1019")),
        (b"Error: 1099 - x", 200, NotSent(kind=ErrorKind.REFUSED, detail="1099")),
        (b"Error: 1033 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1033")),
        (b"Error: 1039 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1039")),
        (b"Error: 1040 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1040")),
        (b"Error: 1041 - HLR", 200, NotSent(kind=ErrorKind.REFUSED, detail="1041")),
        # Sentences without one; the first three stand on the page.
        (b"Internal Error.", 200, Uncertain(detail="internal_error")),
        (b"System error. Please retry.", 200, Uncertain(detail="system_error")),
        (
            b"Invalid destination or Destination not covered.",
            200,
            NotSent(kind=ErrorKind.RECIPIENT, detail="destination"),
        ),
        (
            b"<br/>INVALID DESTINATION or destination not covered.\r\n",
            200,
            NotSent(kind=ErrorKind.RECIPIENT, detail="destination"),
        ),
        (
            PHP_WARNING + b"Invalid destination or Destination not covered.",
            200,
            NotSent(kind=ErrorKind.RECIPIENT, detail="destination"),
        ),
        (
            b"Wrong username or password.",
            200,
            NotSent(kind=ErrorKind.AUTH, detail="username"),
        ),
        (
            b"Error: the password is wrong",
            200,
            NotSent(kind=ErrorKind.AUTH, detail="password"),
        ),
        (
            b"You don't have enough credits for this destination.",
            200,
            NotSent(kind=ErrorKind.CREDIT, detail="credit"),
        ),
        (
            b"Insufficient balance",
            200,
            NotSent(kind=ErrorKind.CREDIT, detail="balance"),
        ),
        (b"Invalid sender.", 200, NotSent(kind=ErrorKind.SENDER, detail="sender")),
        # A status code of somebody else.
        (b"", 401, NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_401")),
        (b"", 403, NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_403")),
        (
            b"<html><title>Attention Required!</title></html>",
            403,
            NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_403"),
        ),
        (
            PAGE % b"Wrong username or password",
            403,
            NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_403"),
        ),
        (
            b"<html>Web server is down</html>",
            521,
            NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_521"),
        ),
        (b"", 414, NotSent(kind=ErrorKind.TEXT, detail="http_414")),
        (b"", 500, Uncertain(detail="http_500")),
    ],
)
async def test_only_the_provider_s_own_line_decides_the_outcome_of_a_message(
    body: bytes,
    status: int,
    expected: Outcome,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=status, headers={"Content-Type": "text/html"})
    # For a question after a foreign 401, which proves nothing either.
    canned.answer(b"", status=403)

    result = await client_at(KEY, session, canned.url).send(submission())

    assert only(result) == expected
    assert [seen.path for seen in canned.seen].count("/sendsms/") == 1
    assert result.doubt == (expected if isinstance(expected, Uncertain) else None)
    assert result.refusal == (expected if isinstance(expected, NotSent) else None)


SENTENCES = {
    b"Wrong username or password.": ErrorKind.AUTH,
    b"Proxy authentication failed: invalid user name": ErrorKind.AUTH,
    b"You don't have enough credits": ErrorKind.CREDIT,
    b"Invalid destination or Destination not covered.": ErrorKind.RECIPIENT,
    b"Invalid sender.": ErrorKind.SENDER,
    b"Internal Error.": DOUBT,
    b"System error. Please retry.": DOUBT,
}


@pytest.mark.parametrize("status", [one for one in SENDS if one not in {204, 304}])
async def test_a_sentence_is_the_provider_s_with_2xx_400_and_422_only(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    _, foreign = SENDS[status]
    is_own = status // 100 == 2 or status in {400, 422}
    client = client_at(KEY, session, canned.url)
    wrong: dict[bytes, Proof] = {}
    for sentence, kind in SENTENCES.items():
        canned.clear()
        canned.answer(sentence, status=status)
        # For the question after a foreign 401, which blames the login here.
        canned.answer(b"Error: 1012 - x")

        outcome = only(await client.send(submission()))

        proved = outcome.kind if isinstance(outcome, NotSent) else DOUBT
        if proved != (kind if is_own else foreign):
            wrong[sentence] = proved
        assert not isinstance(outcome, Accepted)
    assert not wrong


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"Error: 1012 - x", ErrorKind.AUTH),
        (b"Status: 1000 - Balance:1", ErrorKind.UNAVAILABLE),
        (b"<html></html>", ErrorKind.UNAVAILABLE),
    ],
)
async def test_a_page_with_401_is_about_the_login_only_if_the_balance_says_so(
    answer: bytes, kind: ErrorKind, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"<html></html>", status=401)
    canned.answer(answer)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=kind, detail="http_401")
    assert [seen.path for seen in canned.seen] == ["/sendsms/", "/account-balance/"]


@pytest.mark.parametrize("word", ["Error", "Status"])
@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((1001, 1002, 1012, 1014, 1038, 1042), ErrorKind.AUTH),
        ((1013, 1018, 1023), ErrorKind.CREDIT),
        ((1003, 1004, 1005, 1017), ErrorKind.RECIPIENT),
        ((1006, 1007, 1008, 1015, 1016, 1021, 1036), ErrorKind.SENDER),
        ((1009, 1024, 1029), ErrorKind.TEXT),
        ((1019, 1025, 1031, 1032), ErrorKind.UNAVAILABLE),
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
        (
            "status:1000-balance: 1,112.24 | smsremaincount: 19,513",
            Credit(balance=Decimal("1112.24"), sms_left=19513),
        ),
        (
            "Status: 1000 - Balance:1.112,24|SmsRemainCount:19.513",
            Credit(balance=Decimal("1112.24"), sms_left=19513),
        ),
        (
            "Status: 1000 - Balance:112,24|SmsRemainCount:molti",
            Credit(balance=Decimal("112.24")),
        ),
        (
            "<br/>Status: 1000 - Balance:112.24|SmsRemainCount:2877<br/>",
            Credit(balance=Decimal("112.24"), sms_left=2877),
        ),
        (
            PHP_WARNING.decode() + "Status: 1000 - Balance:112.24|SmsRemainCount:2877",
            Credit(balance=Decimal("112.24"), sms_left=2877),
        ),
    ],
)
async def test_the_balance_line_is_read(
    line: str, credit: Credit, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(line.encode())

    assert await client_at(KEY, session, canned.url).check() == credit
    assert canned.seen[0].path == "/account-balance/"
    assert canned.seen[0].query["countryprefix"] == "39"


async def test_another_country_is_asked_by_its_digits(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"Status: 1000 - Balance:1|SmsRemainCount:2")

    await client_at(KEY, session, canned.url, {"country_prefix": "+378 "}).check()

    assert canned.seen[0].query["countryprefix"] == "378"


@pytest.mark.parametrize("amount", ["molto", "1,112", "", "1" * 40, "nan", "1 EUR"])
async def test_a_balance_that_cannot_be_read_is_not_told_and_proves_the_login(
    amount: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(f"Status: 1000 - Balance:{amount}|SmsRemainCount:2".encode())
    client = client_at(KEY, session, canned.url)

    await client.validate()
    assert await client.check() is None


@pytest.mark.parametrize(
    "line",
    [
        "Status: 1000 - SmsRemainCount:2",
        "Status: 1000 - Ba",
        "Status: 1001 - Balance:1",
        "Balance:1",
        "OK ID:1",
        "",
        "a" * 24_000,
        HELP.decode(),
        (PAGE % b"Status: 1000 - Balance:112.24|SmsRemainCount:2877").decode(),
    ],
)
async def test_what_is_not_a_balance_proves_neither_login_nor_credit(
    line: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(line.encode())
    client = client_at(KEY, session, canned.url)

    for ask in (client.validate, client.check):
        with pytest.raises(ProviderError):
            await ask()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html><title>Attention Required!</title></html>", 403),
        (PAGE % b"Wrong username or password", 200),
        (b"", 200),
        (b"", 404),
        (b"", 500),
        (b"Service unavailable", 503),
    ],
)
async def test_a_question_that_somebody_else_answers_was_not_reached(
    body: bytes, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)
    client = client_at(KEY, session, canned.url)

    with pytest.raises(NotAcceptedError) as refusal:
        await client.validate()
    assert refusal.value.kind is ErrorKind.UNAVAILABLE
    try:
        assert not await client.reports([MessageRef("7", NUMBER)])
    except NotAcceptedError as err:
        assert err.kind is ErrorKind.UNAVAILABLE  # noqa: PT017 - one of two good ends
        assert status != 404
    else:
        assert status == 404


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
    ("line", "parts", "cost"),
    [
        ("2345:1:2:3:2048:1000000:0.057", None, Decimal("0.057")),
        ("2345:1:2:3:2048:256:0.057", None, Decimal("0.057")),
        ("2345:1:2:3:2048:0:0.057", None, Decimal("0.057")),
        ("2345:1:2:3:2048:2:100.01", 2, None),
        ("2345:1:2:3:2048:2:-1", 2, None),
        ("2345:1:2:3:2048:2:1e999999", 2, None),
        ("2345:1:2:3:2048:2:0,057", 2, Decimal("0.057")),
        (" 2345 : 1 : 2 : 3 : 2048 : 2 : 0.057 ", 2, Decimal("0.057")),
        ("<br/>2345:1:2:3:2048:2:0.057", 2, Decimal("0.057")),
    ],
)
async def test_numbers_beyond_reason_are_not_told_and_the_status_counts(
    line: str,
    parts: int | None,
    cost: Decimal | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(line.encode())

    (report,) = await client_at(KEY, session, canned.url).reports(
        [MessageRef("2345", NUMBER)]
    )

    assert report.status is Status.DELIVERED
    assert (report.parts, report.cost) == (parts, cost)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2345",
        "2345:1:2:3:2048:1",
        "2345:1:2:3:2048:1:0.057:9",
        "2346:1:2:3:2048:1:0.057",
        "a:b:c:d:2048:f:g",
        (PAGE % b"2345:1:2:3:2048:1:0.057").decode(),
        HELP.decode(),
    ],
)
async def test_a_line_of_another_shape_or_message_is_no_report(
    line: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(line.encode())

    with pytest.raises(ProviderError) as err:
        await client_at(KEY, session, canned.url).reports([MessageRef("2345", NUMBER)])

    is_own = line.startswith("2346")
    assert isinstance(err.value, OutcomeUnknownError) == is_own


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


def test_the_page_of_an_account_is_where_one_can_log_in_and_top_up() -> None:
    assert PROVIDERS[KEY].console_url == "https://www.inviosmart.it"


@pytest.mark.parametrize(
    ("count", "expected"), [("-9999", None), ("-1", None), ("0", 0), ("2877", 2877)]
)
async def test_a_negative_count_is_not_known_and_none_left_is_zero(
    count: str, expected: int | None, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(f"Status: 1000 - Balance:1|SmsRemainCount:{count}".encode())

    credit = await client_at(KEY, session, canned.url).check()

    assert credit == Credit(balance=Decimal(1), sms_left=expected)


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


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ({"changed": {"password": "no"}}, ErrorKind.AUTH),
        ({"number": "+390511234"}, ErrorKind.RECIPIENT),
    ],
)
async def test_a_refusal_in_a_sentence_has_its_kind(
    details: dict[str, Any],
    kind: ErrorKind,
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    simulator.switch_on(KEY, Toggle.SENTENCES)
    client = client_of(simulator, KEY, session, changed=details.get("changed"))

    outcome = only(await client.send(submission(details.get("number", NUMBER))))

    assert isinstance(outcome, NotSent)
    assert outcome.kind is kind
    assert not simulator.messages


READERS = [
    b"a",
    b"OK ",
    b"OK ID:",
    b"OK ID:1",
    b" ",
    b"\t",
    b"1",
    b":",
    b"|",
    b"<",
    b"<a",
    b"<br ",
    b"<br/>",
    b"</",
    b"Error: ",
    b"Error:1013",
    b"Status: 1000 ",
    b"Status: 1000 - Balance:1",
    b"not ",
    b"username ",
    b"\n",
    b"\xff",
    b"1,112",
]


@pytest.mark.parametrize("unit", READERS)
@pytest.mark.parametrize(
    "head", [b"", b"OK ID:", b"Status: 1000 - Balance:", b"Error:"]
)
def test_a_long_answer_of_anything_is_read_in_linear_time(
    head: bytes, unit: bytes
) -> None:
    body = head + unit * (LONG // len(unit))
    answer = Answer(status=200, content_type="text/html", body=body)

    for read in (inviosmart.read_sent, inviosmart.read_balance, inviosmart.read_status):
        before = process_time()
        with suppress(ProviderError):
            read(answer)
        assert process_time() - before < QUADRATIC


WORDS = st.sampled_from(
    [
        *("OK", "ok", "ID", "id", ":", "OK ID:7", "-", "|", ".", "0", "7", "\n"),
        *("Error: 1013", "Status: 1000", "1043", "2048", "Balance:", "1,112.24"),
        *("Invalid", "destination", "username", "credit", "sender", "error"),
        *("<br/>", "<html>", "</html>"),
    ]
)
ANSWERS = st.builds(
    Answer,
    status=st.sampled_from([200, 201, 302, 400, 401, 403, 404, 429, 500, 521]),
    content_type=st.just("text/html"),
    body=st.lists(WORDS | st.text(max_size=3), max_size=14).map(
        lambda words: " ".join(words).encode("utf-8", "surrogatepass")
    )
    | st.binary(max_size=60),
)


@settings(max_examples=500, deadline=None)
@given(answer=ANSWERS)
def test_no_reader_raises_anything_but_its_documented_error(answer: Answer) -> None:
    for read in (inviosmart.read_balance, inviosmart.read_status):
        with suppress(ProviderError):
            read(answer)
    has_ok = re.search(r"\bok *id *:", answer.text(), re.IGNORECASE)

    refusal: ProviderError | None = None
    try:
        outcome = inviosmart.read_sent(answer)
    except ProviderError as err:
        refusal = err
    else:
        assert has_ok or re.search(r"\bok\b", answer.text(), re.IGNORECASE)
        assert isinstance(outcome, Uncertain) or answer.status // 100 == 2

    assert not (has_ok and refusal)


@settings(max_examples=200, deadline=None)
@given(
    number=st.integers(min_value=1, max_value=10**30 - 1),
    before=st.sampled_from(["", "\ufeff", " \r\n", "<br/>", PHP_WARNING.decode()]),
    after=st.sampled_from(["", "\r\n", "<br />", "|OK ID:9", " \udcff"]),
    mark=st.sampled_from(["OK ID:", "ok id:", "Ok  Id :  ", "OKID:"]),
)
def test_an_accepted_answer_is_never_anything_else(
    number: int, before: str, after: str, mark: str
) -> None:
    text = f"{before}{mark}{number}{after}"
    body = text.encode("utf-8", "surrogatepass")

    outcome = inviosmart.read_sent(
        Answer(status=200, content_type="text/html", body=body)
    )

    assert outcome == Accepted(provider_id=str(number))
