"""What is peculiar to Smshosting."""

from base64 import b64encode
from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Credit,
    Encoding,
    ErrorKind,
    MessageRef,
    Mode,
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
    NUMBER,
    OTHER_NUMBER,
    THIRD_NUMBER,
    client_at,
    client_of,
    form_of,
    only,
    refs_of,
    submission,
)

KEY = "smshosting"


def result(
    to: Json = NUMBER[1:],
    status: Json = "INSERTED",
    *,
    identifier: Json = 4300000001,
    detail: Json = None,
) -> dict[str, Json]:
    """Return one row of a send's answer."""
    return {"id": identifier, "to": to, "status": status, "statusDetail": detail}


def sent(*rows: Json) -> dict[str, Json]:
    """Return a send's answer."""
    return {
        "transactionId": "riferimento-1",
        "smsInserted": len(rows),
        "smsNotInserted": 0,
        "sms": list(rows),
    }


def found(*rows: Json, limit: int = 100) -> dict[str, Json]:
    """Return a search's answer."""
    return {
        "metadata": {"count": len(rows), "offset": 0, "limit": limit},
        "smsList": list(rows),
    }


def test_the_form_the_limits_and_the_features_are_those_of_the_provider() -> None:
    provider = PROVIDERS[KEY]

    assert form_of(KEY) == [
        ("auth_key", "username", "required", "main", None),
        ("auth_secret", "secret", "required", "main", None),
        ("sender", "sender", "optional", "main", None),
        ("url", "url", "required", "advanced", "https://api.smshosting.it/rest/api"),
    ]
    assert provider.capabilities.recipients_per_submission == 1000
    assert provider.capabilities.max_parts == 7
    assert provider.capabilities.features == {
        Feature.CREDIT,
        Feature.SMS_LEFT,
        Feature.PUSH_LEFT,
        Feature.DELIVERY_POLL,
        Feature.DELIVERY_PUSH,
        Feature.CLIENT_REFERENCE,
        Feature.SCHEDULE,
        Feature.CANCEL,
        Feature.ESTIMATE,
        Feature.PUSH,
        Feature.PICTURE_PUSH,
        Feature.TEST_MODE,
        Feature.GROUPS,
        Feature.RECEIVE,
    }


@pytest.mark.parametrize(
    ("encoding", "word"), [(Encoding.GSM7, "7BIT"), (Encoding.UCS2, "UCS2")]
)
async def test_the_request_is_a_form_with_the_encoding_of_the_text(
    encoding: Encoding, word: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(result()))

    await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER, sender="Cantina", encoding=encoding)
    )

    (seen,) = canned.seen
    assert (seen.method, seen.path) == ("POST", "/sms/send")
    login = b64encode(b"auth_key-Kx8:auth_secret-Kx8").decode()
    assert seen.headers["Authorization"] == f"Basic {login}"
    assert seen.headers["Accept"] == "application/json"
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert seen.form == {
        "to": f"{NUMBER[1:]},{OTHER_NUMBER[1:]}",
        "text": "Finestra aperta in cucina",
        "from": "Cantina",
        "encoding": word,
        "transactionId": "riferimento-1",
    }


async def test_without_a_sender_the_profile_decides(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(result()))

    await client_at(KEY, session, canned.url).send(submission())

    assert "from" not in canned.seen[0].form


async def test_the_reference_names_the_submission_at_the_provider(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await client_of(simulator, KEY, session).send(submission())

    assert simulator.messages[0].reference == "riferimento-1"


async def test_in_the_sandbox_nothing_is_sent_and_nothing_is_an_error(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session, changed={"sandbox": "true"})

    result = await client.send(submission())

    assert isinstance(only(result), Accepted)
    assert result.mode is Mode.TEST
    assert simulator.requests[-1].fields["sandbox"] == "true"
    assert not simulator.messages


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (result(), Accepted(provider_id="4300000001")),
        (result(identifier="77"), Accepted(provider_id="77")),
        (result(to=int(NUMBER[1:])), Accepted(provider_id="4300000001")),
        (result(to=NUMBER), Accepted(provider_id="4300000001")),
        (result(identifier=None), Accepted(provider_id=None)),
        (result(identifier=True), Accepted(provider_id=None)),
        (result(identifier=""), Accepted(provider_id=None)),
        (result(identifier=" 7 "), Accepted(provider_id="7")),
        (result(identifier=-7), Accepted(provider_id=None)),
        (result(identifier=[7]), Accepted(provider_id=None)),
        (result(identifier="\ud800"), Accepted(provider_id=None)),
        (result(identifier="٣"), Accepted(provider_id=None)),
        (result(identifier=2**300), Accepted(provider_id=None)),
        (result(status="PENDING"), Uncertain(detail="unknown_result")),
        (result(status=None), Uncertain(detail="unknown_result")),
        (result(to=THIRD_NUMBER[1:]), Uncertain(detail="no_result")),
        (result(to=None), Uncertain(detail="no_result")),
        ("INSERTED", Uncertain(detail="no_result")),
        (
            result(status="NOT_INSERTED", detail="BADNUMBERFORMAT"),
            NotSent(kind=ErrorKind.RECIPIENT, detail="BADNUMBERFORMAT"),
        ),
        (
            result(status="NOT_INSERTED", detail="BLACKLIST"),
            NotSent(kind=ErrorKind.RECIPIENT, detail="BLACKLIST"),
        ),
        (
            result(status="NOT_INSERTED", detail="DUPLICATESMS"),
            NotSent(kind=ErrorKind.DUPLICATE, detail="DUPLICATESMS"),
        ),
        (
            result(status="NOT_INSERTED", detail="ALTRO"),
            NotSent(kind=ErrorKind.REFUSED, detail="ALTRO"),
        ),
        (
            result(status="NOT_INSERTED", identifier=None),
            NotSent(kind=ErrorKind.REFUSED),
        ),
    ],
)
async def test_the_row_of_a_number_decides_and_not_http_200(
    row: Json, expected: Outcome, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(row))

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == expected


async def test_each_number_has_its_own_result(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.account(KEY).blocked.add(OTHER_NUMBER)
    client = client_of(simulator, KEY, session)
    await client.send(submission(THIRD_NUMBER))

    result = await client.send(
        submission(NUMBER, BAD_NUMBER, OTHER_NUMBER, THIRD_NUMBER)
    )

    assert result.outcomes == {
        NUMBER: Accepted(provider_id=simulator.messages[-1].id),
        BAD_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="BADNUMBERFORMAT"),
        OTHER_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="BLACKLIST"),
        THIRD_NUMBER: NotSent(kind=ErrorKind.DUPLICATE, detail="DUPLICATESMS"),
    }


async def test_an_accepted_row_is_not_overlooked_for_a_second_one(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(sent(result(), result(status="NOT_INSERTED", detail="DUPLICATESMS")))

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == Accepted(provider_id="4300000001")


async def test_only_bad_numbers_may_also_be_one_refusal(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.STRICT_RECIPIENTS)

    outcome = only(
        await client_of(simulator, KEY, session).send(submission(BAD_NUMBER))
    )

    assert outcome == NotSent(kind=ErrorKind.RECIPIENT, detail="NO_VALID_RECIPIENT")


@pytest.mark.parametrize(
    ("codes", "kind", "detail"),
    [
        ("BAD_CREDENTIALS", ErrorKind.AUTH, None),
        ("BAD_CREDIT", ErrorKind.CREDIT, None),
        ("NO_CREDIT", ErrorKind.CREDIT, None),
        ("SENDING_DISABLED", ErrorKind.CREDIT, None),
        ("BAD_TO", ErrorKind.RECIPIENT, None),
        ("BAD_MSISDN", ErrorKind.RECIPIENT, None),
        ("NO_VALID_RECIPIENT", ErrorKind.RECIPIENT, None),
        ("BAD_FROM", ErrorKind.SENDER, None),
        ("BAD_TEXT", ErrorKind.TEXT, None),
        ("BAD_TEXT_PLACEHOLDER", ErrorKind.TEXT, None),
        ("DUPLICATE_SMS", ErrorKind.DUPLICATE, None),
        ("BAD_GROUP", ErrorKind.REFUSED, None),
        ("BAD_DATE", ErrorKind.REFUSED, None),
        ("BAD_TRANSACTIONID", ErrorKind.REFUSED, None),
        ("BAD_CALLBACK", ErrorKind.REFUSED, None),
        ("BAD_ENCODING", ErrorKind.REFUSED, None),
        ("BAD_QUALITY", ErrorKind.REFUSED, None),
        ("NEVER_HEARD_OF", ErrorKind.REFUSED, None),
        ("BAD_FROM,BAD_TEXT", ErrorKind.SENDER, "BAD_FROM"),
        ("NEVER_HEARD_OF, NO_CREDIT", ErrorKind.CREDIT, "NO_CREDIT"),
        ("GENERIC_ERROR,BAD_TO", ErrorKind.RECIPIENT, "BAD_TO"),
        ("Il numero è 393401234567", ErrorKind.REFUSED, "http_400"),
        (7, ErrorKind.REFUSED, "http_400"),
    ],
)
async def test_each_code_of_a_refusal_has_its_kind(
    codes: Json,
    kind: ErrorKind,
    detail: str | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": codes}, status=400)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=kind, detail=detail or str(codes))


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        ("GENERIC_ERROR", 400, "GENERIC_ERROR"),
        ("GENERIC_ERROR", 200, "GENERIC_ERROR"),
        ("GENERIC_ERROR", 500, "GENERIC_ERROR"),
        ("GENERIC_ERROR", 503, "GENERIC_ERROR"),
        ("NO_CREDIT", 500, "NO_CREDIT"),
        ("NEVER_HEARD_OF", 200, "NEVER_HEARD_OF"),
        (None, 200, "no_result"),
        (None, 500, "http_500"),
    ],
)
async def test_an_internal_error_does_not_say_that_nothing_was_sent(
    code: Json,
    status: int,
    detail: str,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"errorCode": status, "errorMsg": code}, status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == Uncertain(detail=detail)


async def test_a_refusal_under_http_200_is_a_refusal(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 401, "errorMsg": "BAD_CREDENTIALS"})

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=ErrorKind.AUTH, detail="BAD_CREDENTIALS")


@pytest.mark.parametrize("code", ["BAD_TO", "NO_CREDIT", "GENERIC_ERROR"])
async def test_an_error_beside_a_message_that_was_taken_refuses_only_the_others(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({**sent(result()), "errorMsg": code})

    answer = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    assert answer.outcomes == {
        NUMBER: Accepted(provider_id="4300000001"),
        OTHER_NUMBER: Uncertain(detail="no_result"),
    }
    assert answer.refusal is None


@pytest.mark.parametrize("rows", [[], [result(), result(status="NOT_INSERTED")]])
@pytest.mark.parametrize("code", [None, "NO_CREDIT"])
@pytest.mark.parametrize("status", [302, 400, 429, 500])
async def test_messages_that_were_taken_are_in_doubt_with_a_code_of_no_success(
    status: int,
    code: str | None,
    rows: list[dict[str, Json]],
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    body: Json = {**sent(*rows), "smsInserted": 1, "errorMsg": code}
    canned.answer(body, status=status)

    answer = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    doubt = Uncertain(detail=f"http_{status}")
    assert answer.outcomes == {NUMBER: doubt, OTHER_NUMBER: doubt}
    assert answer.doubt == doubt


@pytest.mark.parametrize("count", ["smsInserted", "pushInserted"])
async def test_an_error_beside_a_count_of_taken_messages_leaves_a_doubt(
    count: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorMsg": "BAD_TO", count: 1})

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == Uncertain(detail="no_result")


@pytest.mark.parametrize("count", [0, -1, True, "no", None])
async def test_an_error_beside_rows_that_were_refused_is_one_of_the_whole(
    count: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    row = result(status="NOT_INSERTED", detail="BLACKLIST")
    canned.answer({**sent(row), "smsInserted": count, "errorMsg": "NO_CREDIT"})

    answer = await client_at(KEY, session, canned.url).send(submission())

    assert answer.refusal == NotSent(kind=ErrorKind.CREDIT, detail="NO_CREDIT")


async def test_a_key_with_a_colon_is_a_wrong_key(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url, {"auth_key": "a:b"})

    with pytest.raises(NotAcceptedError) as refusal:
        await client.validate()

    assert refusal.value.kind is ErrorKind.AUTH
    assert not canned.seen


@pytest.mark.parametrize(
    ("user", "credit"),
    [
        (
            {"credit": 15.484, "italysms": 249},
            Credit(balance=Decimal("15.484"), sms_left=249),
        ),
        (
            {"credit": "15.484", "italysms": "249"},
            Credit(balance=Decimal("15.484"), sms_left=249),
        ),
        ({"credit": 0}, Credit(balance=Decimal(0))),
        ({"credit": 3, "italysms": "tanti"}, Credit(balance=Decimal(3))),
    ],
)
async def test_the_profile_has_the_credit_in_any_type(
    user: Json, credit: Credit, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(user)

    assert await client_at(KEY, session, canned.url).check() == credit
    assert canned.seen[0].path == "/user"


@pytest.mark.parametrize("credit", [None, "molto", "1,234", [], True, 10**20])
async def test_a_credit_that_cannot_be_read_is_not_known_and_proves_the_login(
    credit: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"credit": credit, "italysms": 7})
    client = client_at(KEY, session, canned.url)

    await client.validate()
    assert await client.check() is None
    assert await client.credit_with_push(NUMBER) is None
    assert {seen.path for seen in canned.seen} == {"/user"}


@pytest.mark.parametrize(
    ("amount", "balance"),
    [("1.112,24", "1112.24"), ("1,112.24", "1112.24"), ("112,24", "112.24")],
)
async def test_a_large_credit_is_read_whole(
    amount: str, balance: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"credit": amount, "italysms": "19,513"})

    credit = await client_at(KEY, session, canned.url).check()

    assert credit == Credit(balance=Decimal(balance), sms_left=19513)


async def test_a_profile_of_which_nothing_can_be_read_proves_no_login(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"credit": {"wrong": 3}, "italysms": None, "senderAlias": []})

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).validate()


@pytest.mark.parametrize(
    ("username", "customer"),
    [("anna", "anna"), (4711, "4711"), ("", None), (None, None), (["anna"], None)],
)
async def test_the_customer_is_the_user_name_of_the_profile(
    username: Json,
    customer: str | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    """None where it cannot be read: the login is proved all the same."""
    canned.answer({"credit": 3, "username": username})

    assert await client_at(KEY, session, canned.url).customer() == customer


@pytest.mark.parametrize("user", [{}, [], 7, {"message": "Forbidden"}])
async def test_what_is_no_profile_proves_nothing(
    user: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(user)
    client = client_at(KEY, session, canned.url)

    for question in (client.validate, client.customer, client.check):
        with pytest.raises(NotAcceptedError) as refusal:
            await question()
        assert refusal.value.kind is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", Status.QUEUED),
        ("SENT", Status.SENT),
        ("NOSENT", Status.FAILED),
        ("DELIVERED", Status.DELIVERED),
        ("NOTDELIVERED", Status.FAILED),
    ],
)
async def test_each_word_has_its_status_and_the_price_comes_along(
    word: str, status: Status, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(found({"id": 12, "status": word, "price": Decimal("0.062")}))
    ref = MessageRef("12", NUMBER)

    reports = await client_at(KEY, session, canned.url).reports([ref])

    assert reports == [
        Report(ref=ref, status=status, cost=Decimal("0.062"), detail=word)
    ]


@pytest.mark.parametrize("word", ["INSERTED", "delivered", None, 1, True, [], {}])
async def test_an_unknown_word_claims_nothing(
    word: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(found({"id": 12, "status": word}))

    assert not await client_at(KEY, session, canned.url).reports(
        [MessageRef("12", NUMBER)]
    )


async def test_a_hundred_messages_are_one_search(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    numbers = [f"+3934000{number:05}" for number in range(100)]
    result = await client.send(submission(*numbers))
    simulator.move(simulator.messages[41].id, "delivered")
    refs = refs_of(result)
    asked_before = len(simulator.requests)

    reports = await client.reports(refs)

    assert [report.ref for report in reports] == refs
    assert [
        report.ref.recipient for report in reports if report.status is Status.DELIVERED
    ] == [numbers[41]]
    assert len(simulator.requests) == asked_before + 1


async def test_a_search_goes_on_where_a_page_ended(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(found({"id": 1, "status": "SENT"}, limit=1))
    canned.answer(found({"id": "2", "status": "SENT"}, limit=1))

    reports = await client_at(KEY, session, canned.url).reports(
        [MessageRef("1", NUMBER), MessageRef("2", OTHER_NUMBER)]
    )

    assert [report.ref.provider_id for report in reports] == ["1", "2"]
    assert [seen.query["offset"] for seen in canned.seen] == ["0", "1"]
    assert canned.seen[0].query["id"] == "1,2"


async def test_a_message_of_another_sender_is_ignored(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(found({"id": 99, "status": "DELIVERED"}))

    assert not await client_at(KEY, session, canned.url).reports(
        [MessageRef("1", NUMBER)]
    )
