"""Reading Smshosting's Push: prices, reports, pictures, links, what is left."""

from datetime import datetime
from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Cause,
    Channel,
    Credit,
    ErrorKind,
    Invitation,
    MessageRef,
    MessageType,
    PictureRef,
    PushPlan,
    Status,
)
from simulator import Simulator, Toggle

from ..canned import Canned
from ..helpers import (
    NUMBER,
    OTHER_NUMBER,
    PICTURE,
    PNG,
    SENDER,
    TEXT,
    client_at,
    client_of,
    refs_of,
    submission,
)

KEY = "smshosting"


async def test_an_estimate_has_the_fields_of_the_send_and_sends_nothing(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    estimate = await client_of(push, KEY, session).estimate(
        submission(
            NUMBER,
            channel=Channel.PUSH_THEN_SMS,
            picture=PICTURE,
            groups=("7",),
        )
    )

    request = push.requests[-1]
    assert request.path == "/rest/api/push/estimate"
    assert request.fields == {
        "to": NUMBER[1:],
        "group": "7",
        "text": TEXT,
        "onlyPush": "false",
        "smsFrom": SENDER,
        "smsText": TEXT,
        "smsEncoding": "7BIT",
    }
    assert b'name="file"; filename="cortile.png"' in request.body
    assert estimate == Decimal("0.062")
    assert not push.messages


async def test_without_a_plan_an_estimate_is_that_of_the_sms(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    estimate = await client.estimate(submission(channel=Channel.PUSH_THEN_SMS))
    with pytest.raises(NotAcceptedError) as refusal:
        await client.estimate(submission(channel=Channel.PUSH))

    assert estimate == Decimal("0.062")
    assert refusal.value.cause is Cause.NO_PUSH_PLAN


async def test_the_credit_has_the_push_left_while_there_is_a_plan(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    seen = [await client.credit_with_push(None)]
    simulator.switch_on(KEY, Toggle.PUSH_PLAN)
    seen.append(await client.credit_with_push(None))
    simulator.account(KEY).push_left = 0
    seen.append(await client.credit_with_push(None))
    simulator.switch_off(KEY, Toggle.PUSH_PLAN)
    seen.append(await client.credit_with_push(None))

    assert [credit and (credit.push_plan, credit.push_left) for credit in seen] == [
        (PushPlan.NONE, None),
        (PushPlan.ACTIVE, 900),
        (PushPlan.ACTIVE, 0),
        (PushPlan.NONE, None),
    ]
    assert not simulator.messages


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_failed_question_for_the_push_left_does_not_lose_the_credit(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"credit": 3, "msisdn": "393400009999"})
    canned.answer({"errorMsg": "NO_VALID_RECIPIENT"}, status=status)

    credit = await client_at(KEY, session, canned.url).credit_with_push(None)

    assert credit == Credit(balance=Decimal(3), push_plan=PushPlan.UNKNOWN)


async def test_the_report_of_a_push_comes_from_the_search_that_knows_it(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    result = await client.send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH_THEN_SMS)
    )
    refs = refs_of(result)
    for message in push.messages:
        push.move(message.id, "delivered")

    reports = await client.reports(refs)

    assert {(report.ref, report.status, report.type) for report in reports} == {
        (refs[0], Status.DELIVERED, MessageType.PUSH),
        (refs[1], Status.DELIVERED, None),
    }
    assert all(report.at is not None for report in reports)
    assert [request.path[-11:] for request in push.requests[-2:]] == [
        "/sms/search",
        "push/search",
    ]
    assert push.requests[-1].query == {
        "id": refs[0].provider_id,
        "limit": "100",
        "offset": "0",
    }


async def test_a_plan_that_ended_leaves_the_reports_of_sms_alone(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    result = await client.send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH_THEN_SMS)
    )
    push.switch_off(KEY, Toggle.PUSH_PLAN)

    reports = await client.reports(refs_of(result))

    assert [report.ref.recipient for report in reports] == [OTHER_NUMBER]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"errorMsg": "UN_ALTRO"}, 405),
        (b"<html>", 405),
        (b"<html>", 404),
        ({"errorMsg": "BAD_CREDENTIALS"}, 401),
        (b"<html>", 429),
    ],
)
async def test_the_reports_of_sms_hold_whatever_the_search_of_push_answers(
    body: Json | bytes,
    status: int,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"smsList": [{"id": 12, "status": "SENT"}]})
    canned.answer({"smsList": []})
    canned.answer(body, status=status)
    refs = [MessageRef("12", NUMBER), MessageRef("13", OTHER_NUMBER)]

    reports = await client_at(KEY, session, canned.url).reports(refs)

    assert [report.ref for report in reports] == refs[:1]


async def test_an_id_that_one_search_refuses_is_asked_of_the_other(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": "BAD_ID"}, status=400)
    canned.answer({"smsList": [{"id": 12, "status": "SENT", "type": "PUSH"}]})

    (report,) = await client_at(KEY, session, canned.url).reports(
        [MessageRef("12", NUMBER)]
    )

    assert (report.status, report.type) == (Status.SENT, MessageType.PUSH)


@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.PUSH_THEN_SMS])
async def test_a_submission_in_doubt_is_found_among_push_and_sms(
    channel: Channel, push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    await client.send(submission(NUMBER, OTHER_NUMBER, channel=channel))

    found = await client.lookup("riferimento-1", channel)

    assert {report.ref.recipient for report in found} == {
        message.to for message in push.messages
    }


async def test_without_a_plan_a_submission_in_doubt_is_looked_for_among_sms(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session, changed={"channel": "push_then_sms"})
    await client.send(submission())

    assert len(await client.lookup("riferimento-1")) == 1


@pytest.mark.parametrize(
    ("body", "status", "found"),
    [
        # Only the provider itself says that it has no Push.
        ({"errorMsg": "PUSH_UNAVAILABLE"}, 400, 1),
        ({"errorMsg": "UN_ALTRO"}, 404, 1),
        ({"errorMsg": "UN_ALTRO"}, 405, 1),
        ({"errorMsg": "UN_ALTRO"}, 400, None),
        ({"errorMsg": "PUSH_UNAVAILABLE"}, 429, None),
        ({"errorMsg": "BAD_CREDENTIALS"}, 401, None),
        ({"errorMsg": "BAD_CREDENTIALS"}, 404, None),
        ({"errorMsg": "GENERIC_ERROR"}, 404, None),
        ({"errorMsg": ""}, 404, None),
        ({"errorMsg": 404}, 404, None),
        ({"smsList": []}, 404, None),
        ({"message": "Not Found"}, 404, None),
        (b"<html>", 404, None),
        (b"", 404, None),
        (b"", 405, None),
        (b"", 500, None),
        (b"<html>", 200, None),
    ],
)
@pytest.mark.parametrize("channel", [Channel.PUSH, Channel.PUSH_THEN_SMS, None])
async def test_a_search_of_push_that_fails_proves_nothing_unless_there_is_no_push(  # noqa: PLR0913, PLR0917 - a table of cases
    channel: Channel | None,
    body: Json | bytes,
    status: int,
    found: int | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    row: Json = {"id": 1, "to": NUMBER[1:], "status": "SENT"}
    canned.answer({"smsList": [row]})
    canned.answer({"smsList": []})
    canned.answer(body, status=status)
    client = client_at(KEY, session, canned.url)

    if found is None:
        with pytest.raises(ProviderError):
            await client.lookup("riferimento-1", channel)
    else:
        assert len(await client.lookup("riferimento-1", channel)) == found
    assert canned.seen[2].path == "/push/search"


@pytest.mark.parametrize(
    ("reference", "transaction", "is_found"),
    [
        ("riferimento-1", {"transactionId": "riferimento-1"}, True),
        ("123456", {"transactionId": "123456"}, True),
        ("123456", {"transactionId": 123456}, True),
        ("riferimento-1", {"transactionId": None}, True),
        ("riferimento-1", {"transactionId": ""}, True),
        ("riferimento-1", {"transactionId": ["riferimento-1"]}, True),
        ("riferimento-1", {}, True),
        ("riferimento-1", {"transactionId": "riferimento-2"}, False),
        ("riferimento-1", {"transactionId": 1}, False),
    ],
)
@pytest.mark.parametrize("api", ["sms", "push"])
async def test_only_the_id_of_another_transaction_keeps_a_row_out(  # noqa: PLR0913, PLR0917 - a table of cases
    api: str,
    reference: str,
    transaction: dict[str, Json],
    is_found: object,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    row: Json = {"id": 1, "to": NUMBER[1:], "status": "SENT", **transaction}
    if api == "push":
        canned.answer({"smsList": []})
    canned.answer({"smsList": [row]})
    canned.answer({"smsList": []})

    found = await client_at(KEY, session, canned.url).lookup(
        reference, Channel.SMS if api == "sms" else Channel.PUSH
    )

    assert bool(found) == is_found
    assert canned.seen[-1].path == f"/{api}/search"


async def test_a_submission_of_sms_is_looked_for_among_sms_only(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    await client.send(submission())

    assert len(await client.lookup("riferimento-1", Channel.SMS)) == 1
    assert {request.path for request in push.requests} == {
        "/rest/api/sms/send",
        "/rest/api/sms/search",
    }


async def test_the_page_s_own_row_of_a_push_is_read(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    row: dict[str, Json] = {
        "id": 389395385,
        "to": NUMBER[1:],
        "text": "Test Push",
        "status": "SENT",
        "insertDate": "2014-01-13T15:01:35+0100",
        "sentDate": "2014-01-13T15:01:37+0100",
        "deliveryDate": "2014-01-13T15:01:40+0100",
        "transactionId": "72810108d4114097b9edb42b255b273c",
        "multimediaContent": {"id": "Efwchkk3WmI=", "type": "IMAGE"},
    }
    canned.answer(
        {"metadata": {"count": 1, "offset": 0, "limit": 20}, "smsList": [row]}
    )
    client = client_at(KEY, session, canned.url)
    ref = MessageRef("389395385", NUMBER)

    (report,) = await client.reports([ref])

    assert report.picture == PictureRef(id="Efwchkk3WmI=", type="IMAGE")
    assert report.type is MessageType.PUSH
    assert report.at == datetime.fromisoformat("2014-01-13T15:01:37+01:00")
    assert await client.find_pictures([ref]) == {ref: report.picture}


async def test_a_picture_can_be_found_and_read_back(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    result = await client.send(submission(channel=Channel.PUSH, picture=PICTURE))
    (ref,) = refs_of(result)

    found = await client.find_pictures([ref])
    picture = await client.picture(found[ref].id)

    assert picture.content == PNG
    assert picture.content_type == "image/png"
    assert picture.filename.endswith(".png")
    # The id of a picture ends in "=", which must not get lost on the way.
    assert push.requests[-1].path == f"/rest/api/push/multimedia/{found[ref].id}"


@pytest.mark.parametrize("code", ["PUSH_UNAVAILABLE", "NO_PARAMS", "BAD_ID"])
async def test_a_picture_that_is_refused_is_an_error(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).picture("../../user?x=1#y")

    assert refusal.value.detail == code
    assert canned.seen[0].path.startswith("/push/multimedia/")
    assert not canned.seen[0].query


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 200),
        (b"", 200),
        ({"id": 1}, 200),
        (PNG, 500),
        (PNG, 404),
        (PNG + bytes(8 * 1024 * 1024), 200),
    ],
    ids=["page", "empty", "object", "error", "missing", "huge"],
)
async def test_what_is_no_picture_is_not_taken_for_one(
    body: Json | bytes, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)

    with pytest.raises(ProviderError):
        await client_at(KEY, session, canned.url).picture("x")


async def test_an_invitation_is_a_link_for_a_number(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    invitation = await client_of(push, KEY, session).create_invitation(NUMBER)

    request = push.requests[-1]
    assert (request.method, request.path) == ("POST", "/rest/api/push/invitation")
    assert request.fields == {"to": NUMBER[1:]}
    assert invitation.url.startswith("cqui.it/")
    assert invitation.number == NUMBER
    assert invitation.url not in repr(invitation)


@pytest.mark.parametrize("code", ["PUSH_UNAVAILABLE", "NO_PARAMS", "BAD_TO"])
async def test_a_refused_invitation_is_an_error(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).create_invitation(NUMBER)

    assert refusal.value.detail == code


@pytest.mark.parametrize(
    ("to", "url", "good"),
    [
        (NUMBER[1:], "cqui.it/5izKw2", True),
        (None, "https://cqui.it/5izKw2", True),
        (OTHER_NUMBER[1:], "cqui.it/5izKw2", False),
        (NUMBER[1:], "javascript:alert(1)", False),
        (NUMBER[1:], "file:///etc/passwd", False),
        (NUMBER[1:], "cqui.it/a b", False),
        (NUMBER[1:], "", False),
        (NUMBER[1:], 7, False),
    ],
)
async def test_only_a_web_address_for_the_number_is_an_invitation(
    to: Json, url: Json, good: object, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"to": to, "url": url})
    client = client_at(KEY, session, canned.url)

    if good:
        assert await client.create_invitation(NUMBER) == Invitation(
            number=NUMBER, url=str(url)
        )
    else:
        with pytest.raises(OutcomeUnknownError):
            await client.create_invitation(NUMBER)


@pytest.mark.parametrize(
    ("word", "status", "at"),
    [
        ("PENDING", Status.QUEUED, "2014-01-13T14:01:35+00:00"),
        ("SENT", Status.SENT, "2014-01-13T14:01:37+00:00"),
        ("NOSENT", Status.FAILED, None),
        ("DELIVERED", Status.DELIVERED, "2014-01-13T14:01:40+00:00"),
        ("NOTDELIVERED", Status.FAILED, None),
    ],
)
@pytest.mark.parametrize("api", ["sms", "push"])
async def test_each_word_of_a_search_has_its_status_time_and_price(  # noqa: PLR0913, PLR0917 - a table of cases
    word: str,
    status: Status,
    at: str | None,
    api: str,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    if api == "push":
        canned.answer({"smsList": []})
    row: Json = {
        "id": 12,
        "to": NUMBER[1:],
        "status": word,
        "insertDate": "2014-01-13T15:01:35+0100",
        "sentDate": "2014-01-13T15:01:37+0100",
        "deliveryDate": "2014-01-13T15:01:40+0100",
        "price": "0.062",
    }
    canned.answer({"smsList": [row]})

    (report,) = await client_at(KEY, session, canned.url).reports(
        [MessageRef("12", NUMBER)]
    )

    assert canned.seen[-1].path == f"/{api}/search"
    assert (report.status, report.cost) == (status, Decimal("0.062"))
    assert report.at == (at and datetime.fromisoformat(at))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PUSH_UNAVAILABLE", ErrorKind.REFUSED),
        ("BAD_CONTENT_PUSH", ErrorKind.TEXT),
        ("BAD_ENCODING", ErrorKind.REFUSED),
        ("BAD_TEXT", ErrorKind.TEXT),
        ("BAD_FROM", ErrorKind.SENDER),
        ("BAD_GROUP", ErrorKind.REFUSED),
        ("NO_VALID_RECIPIENT", ErrorKind.RECIPIENT),
        ("GENERIC_ERROR", None),
    ],
)
async def test_a_refused_estimate_is_an_error_of_its_kind(
    code: str,
    kind: ErrorKind | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)

    with pytest.raises(ProviderError) as refusal:
        await client_at(KEY, session, canned.url).estimate(
            submission(channel=Channel.PUSH)
        )

    assert refusal.value.detail == code
    assert getattr(refusal.value, "kind", None) is kind


@pytest.mark.parametrize(
    "code", ["NO_PARAMS", "BAD_ID", "BAD_MSISDN", "BAD_DATE", "BAD_STATUS"]
)
async def test_a_refused_search_is_an_error(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).lookup("riferimento-1")

    assert refusal.value.detail == code
    assert len(canned.seen) == 1
