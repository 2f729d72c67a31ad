"""Smshosting's Push: what goes over the wire, and what its answers mean."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cause,
    Channel,
    Encoding,
    ErrorKind,
    Estimate,
    Invitation,
    MessageRef,
    MessageType,
    Mode,
    NotSent,
    Picture,
    PictureRef,
    PushPlan,
    Query,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.transport import Json
from simulator import Channel as Way, Simulator, Toggle

from .canned import Canned
from .helpers import (
    BAD_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    SENDER,
    TEXT,
    client_at,
    client_of,
    only,
    submission,
)
from .proofs import proves

KEY = "smshosting"
SEND = "POST /push/send"
ESTIMATE = "POST /push/estimate"
SEARCH = "GET /push/search"
PNG = b"\x89PNG\r\n\x1a\n\x00--\r\n\xff\r\n"
PICTURE = Picture(content=PNG, filename="cortile.png", content_type="image/png")


@pytest.fixture
def push(simulator: Simulator) -> Simulator:
    """Return the providers; one number has the app of Smshosting's Push."""
    simulator.switch_on(KEY, Toggle.PUSH_PLAN)
    simulator.account(KEY).push_phones.add(NUMBER)
    simulator.account(KEY).groups["7"] = (OTHER_NUMBER,)
    return simulator


@proves(KEY, SEND, of="parameter")
async def test_every_field_of_a_push_with_sms_is_on_the_wire(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    tomorrow = datetime(2035, 12, 25, 8, tzinfo=UTC)

    result = await client_of(push, KEY, session).send(
        submission(
            NUMBER,
            OTHER_NUMBER,
            channel=Channel.PUSH_THEN_SMS,
            push_text="🔥 Fumo in cucina",
            send_at=tomorrow,
            picture=PICTURE,
            groups=("7",),
            encoding=Encoding.UCS2,
            callback_url="https://casa.example/dlr",
        )
    )

    request = push.requests[-1]
    assert (request.method, request.path) == ("POST", "/rest/api/push/send")
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert request.fields == {
        "to": f"{NUMBER[1:]},{OTHER_NUMBER[1:]}",
        "group": "7",
        "text": "🔥 Fumo in cucina",
        "onlyPush": "false",
        "date": "2035-12-25T08:00:00+0000",
        "transactionId": "riferimento-1",
        "smsFrom": SENDER,
        "smsText": TEXT,
        "smsEncoding": "UCS2",
    }
    assert b'name="file"; filename="cortile.png"' in request.body
    assert b"Content-Type: image/png\r\n\r\n" + PNG in request.body
    assert {type(outcome) for outcome in result.outcomes.values()} == {Accepted}
    assert {message.scheduled for message in push.messages} == {tomorrow}


@proves(KEY, SEND, "onlyPush", "sandbox", "text")
async def test_a_push_alone_is_a_plain_form_without_the_fields_of_an_sms(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    result = await client_of(push, KEY, session).send(
        submission(channel=Channel.PUSH, mode=Mode.TEST)
    )

    request = push.requests[-1]
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.fields == {
        "to": NUMBER[1:],
        "text": TEXT,
        "onlyPush": "true",
        "transactionId": "riferimento-1",
        "sandbox": "true",
    }
    assert only(result) == Accepted(provider_id="riferimento-1")
    assert result.mode is Mode.TEST
    assert not push.messages


async def test_the_option_of_the_account_is_the_channel_where_none_is_named(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session, changed={"channel": "push"})

    await client.send(submission())
    await client.send(submission(channel=Channel.SMS))

    assert [message.channel for message in push.messages] == [Way.PUSH, Way.SMS]


async def test_a_channel_that_is_none_is_a_value_error(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(ValueError, match="piccione"):
        client_of(push, KEY, session, changed={"channel": "piccione"})


@proves(KEY, SEND, of="answer field")
async def test_each_message_tells_whether_it_is_a_push_or_an_sms(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    result = await client_of(push, KEY, session).send(
        submission(
            NUMBER,
            BAD_NUMBER,
            channel=Channel.PUSH_THEN_SMS,
            groups=("7",),
        )
    )

    by_number = {message.to: message.id for message in push.messages}
    assert result.outcomes == {
        NUMBER: Accepted(provider_id=by_number[NUMBER], type=MessageType.PUSH),
        BAD_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="BADNUMBERFORMAT"),
    }
    assert result.group_outcomes == {
        OTHER_NUMBER: Accepted(provider_id=by_number[OTHER_NUMBER])
    }


@proves(KEY, SEND, "pushInserted", "smsInserted", "smsNotInserted")
async def test_who_has_no_app_is_left_out_of_a_push_alone(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    result = await client_of(push, KEY, session).send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH)
    )

    assert isinstance(result.outcomes[NUMBER], Accepted)
    assert result.outcomes[OTHER_NUMBER] == NotSent(
        kind=ErrorKind.RECIPIENT, detail="no_push_app", cause=Cause.NO_PUSH_APP
    )


@pytest.mark.parametrize(
    "counts",
    [
        {"pushInserted": 2, "smsInserted": 0, "smsNotInserted": 0},
        {"pushInserted": 1, "smsInserted": 0},
        {"pushInserted": "molti", "smsInserted": 0, "smsNotInserted": 0},
    ],
    ids=["one_row_short", "no_count", "absurd_count"],
)
async def test_a_number_missing_from_a_list_that_is_not_whole_is_uncertain(
    counts: dict[str, Json], canned: Canned, session: aiohttp.ClientSession
) -> None:
    row: Json = {"id": 1, "to": NUMBER[1:], "status": "INSERTED", "type": "PUSH"}
    canned.answer({**counts, "sms": [row]})

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH)
    )

    assert result.outcomes[OTHER_NUMBER] == Uncertain(detail="no_result")


@proves(KEY, SEND, of="error")
@proves(KEY, SEND, of="status")
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("BAD_TRANSACTIONID", NotSent(kind=ErrorKind.REFUSED)),
        ("BAD_DATE", NotSent(kind=ErrorKind.REFUSED)),
        ("BAD_CONTENT_PUSH", NotSent(kind=ErrorKind.TEXT)),
        ("BAD_ENCODING", NotSent(kind=ErrorKind.REFUSED)),
        ("BAD_TEXT", NotSent(kind=ErrorKind.TEXT)),
        ("BAD_FROM", NotSent(kind=ErrorKind.SENDER)),
        ("BAD_GROUP", NotSent(kind=ErrorKind.REFUSED)),
        ("BAD_CREDIT", NotSent(kind=ErrorKind.CREDIT)),
        ("NO_PUSH", NotSent(kind=ErrorKind.CREDIT, cause=Cause.PUSH_SPENT)),
        ("NO_VALID_RECIPIENT", NotSent(kind=ErrorKind.RECIPIENT)),
        (
            "PUSH_UNAVAILABLE",
            NotSent(kind=ErrorKind.REFUSED, cause=Cause.NO_PUSH_PLAN),
        ),
        ("GENERIC_ERROR", Uncertain(detail="GENERIC_ERROR")),
    ],
)
async def test_each_code_of_a_refused_push_has_its_kind_and_cause(
    code: str,
    expected: NotSent | Uncertain,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)

    result = await client_at(KEY, session, canned.url).send(
        submission(channel=Channel.PUSH)
    )

    outcome = only(result)
    if isinstance(expected, NotSent):
        assert isinstance(outcome, NotSent)
        assert (outcome.kind, outcome.cause) == (expected.kind, expected.cause)
        assert outcome.detail == code
        assert result.refusal == outcome
    else:
        assert outcome == expected == result.doubt
    assert len(canned.seen) == 1


@pytest.mark.parametrize("why", ["no_plan", "plan_spent"])
async def test_without_a_push_to_be_had_push_then_sms_is_an_sms_for_all(
    why: str, push: Simulator, session: aiohttp.ClientSession
) -> None:
    if why == "no_plan":
        push.switch_off(KEY, Toggle.PUSH_PLAN)
    else:
        push.account(KEY).push_left = 0
    client = client_of(push, KEY, session)

    result = await client.send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH_THEN_SMS, picture=PICTURE)
    )

    assert {type(outcome) for outcome in result.outcomes.values()} == {Accepted}
    assert {message.channel for message in push.messages} == {Way.SMS}
    assert [request.path.rpartition("/api/")[2] for request in push.requests] == [
        "push/send",
        "sms/send",
    ]


async def test_a_push_that_failed_otherwise_is_not_sent_again_as_an_sms(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=500)

    outcome = only(
        await client_at(KEY, session, canned.url).send(
            submission(channel=Channel.PUSH_THEN_SMS)
        )
    )

    assert outcome == Uncertain(detail="http_500")
    assert len(canned.seen) == 1


@pytest.mark.parametrize(
    ("picture", "detail"),
    [
        (Picture(content=b"", filename="a.png", content_type="image/png"), "empty"),
        (Picture(content=PNG, filename="a.jpg", content_type="image/jpeg"), "type"),
        (
            Picture(content=b"RIFF1234WEBP", filename="a", content_type="image/webp"),
            "type",
        ),
        (Picture(content=b"%PDF-1.7", filename="a", content_type="image/png"), "type"),
        (
            Picture(
                content=PNG + bytes(2 * 1024 * 1024),
                filename="a.png",
                content_type="image/png",
            ),
            "too_big",
        ),
    ],
)
async def test_a_picture_is_checked_before_anything_leaves(
    picture: Picture, detail: str, push: Simulator, session: aiohttp.ClientSession
) -> None:
    outcome = only(
        await client_of(push, KEY, session).send(
            submission(channel=Channel.PUSH, picture=picture)
        )
    )

    assert outcome == NotSent(
        kind=ErrorKind.REFUSED, detail=f"picture_{detail}", cause=Cause.PICTURE
    )
    assert not push.requests


async def test_a_picture_cannot_go_by_sms(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    outcome = only(
        await client_of(push, KEY, session).send(submission(picture=PICTURE))
    )

    assert isinstance(outcome, NotSent)
    assert outcome.cause is Cause.PICTURE
    assert not push.requests


@proves(KEY, ESTIMATE)
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
    assert estimate == Estimate(
        cost=Decimal("0.062"),
        credit=Decimal("45.5"),
        sms_count=1,
        push_count=1,
        push_left=900,
    )
    assert not push.messages


async def test_without_a_plan_an_estimate_is_that_of_the_sms(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    estimate = await client.estimate(submission(channel=Channel.PUSH_THEN_SMS))
    with pytest.raises(NotAcceptedError) as refusal:
        await client.estimate(submission(channel=Channel.PUSH))

    assert estimate == Estimate(
        cost=Decimal("0.062"), credit=Decimal("45.5"), sms_count=1
    )
    assert refusal.value.cause is Cause.NO_PUSH_PLAN


@proves(KEY, ESTIMATE, "pushAvailable")
async def test_the_credit_tells_the_push_left_and_when_the_plan_comes_and_goes(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    told = [await client.credit()]
    simulator.switch_on(KEY, Toggle.PUSH_PLAN)
    told.append(await client.credit())
    simulator.account(KEY).push_left = 0
    told.append(await client.credit())
    simulator.switch_off(KEY, Toggle.PUSH_PLAN)
    told.append(await client.check() or told[1])

    assert [(credit.push_plan, credit.push_left) for credit in told] == [
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

    credit = await client_at(KEY, session, canned.url).credit()

    assert credit.balance == 3
    assert (credit.push_plan, credit.push_left) == (PushPlan.NOT_TOLD, None)


@proves(KEY, SEARCH, "id", "limit", "offset", "smsList[].type")
async def test_the_report_of_a_push_comes_from_the_search_that_knows_it(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    result = await client.send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH_THEN_SMS)
    )
    refs = [
        MessageRef(outcome.provider_id, number)
        for number, outcome in result.outcomes.items()
        if isinstance(outcome, Accepted)
    ]
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


@proves(KEY, SEARCH, "PUSH_UNAVAILABLE")
async def test_a_plan_that_ended_leaves_the_reports_of_sms_alone(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    result = await client.send(
        submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH_THEN_SMS)
    )
    push.switch_off(KEY, Toggle.PUSH_PLAN)

    reports = await client.reports(
        [
            MessageRef(outcome.provider_id, number)
            for number, outcome in result.outcomes.items()
            if isinstance(outcome, Accepted)
        ]
    )

    assert [report.ref.recipient for report in reports] == [OTHER_NUMBER]


@proves(KEY, SEARCH, "BAD_ID")
async def test_an_id_that_one_search_refuses_is_asked_of_the_other(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": "BAD_ID"}, status=400)
    canned.answer({"smsList": [{"id": 12, "status": "SENT", "type": "PUSH"}]})

    (report,) = await client_at(KEY, session, canned.url).reports(
        [MessageRef("12", NUMBER)]
    )

    assert (report.status, report.type) == (Status.SENT, MessageType.PUSH)


@proves(KEY, SEARCH, "transactionId", "metadata.count", "smsList[].transactionId")
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


@proves(KEY, SEARCH, of="answer field")
@proves(KEY, SEARCH, of="status")
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


@proves(KEY, "GET /push/multimedia/{id}")
@proves(KEY, SEARCH, "smsList[].multimediaContent.id")
async def test_a_picture_can_be_found_and_read_back(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    outcome = only(await client.send(submission(channel=Channel.PUSH, picture=PICTURE)))
    assert isinstance(outcome, Accepted)
    ref = MessageRef(outcome.provider_id, NUMBER)

    found = await client.find_pictures([ref])
    picture = await client.picture(found[ref].id)

    assert picture.content == PNG
    assert picture.content_type == "image/png"
    assert picture.filename.endswith(".png")
    # The id of a picture ends in "=", which must not get lost on the way.
    assert push.requests[-1].path == f"/rest/api/push/multimedia/{found[ref].id}"


@proves(KEY, "GET /push/multimedia/{id}", of="error")
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


@proves(KEY, "POST /push/invitation")
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
@proves(KEY, "POST /push/invitation", of="error")
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


@proves(KEY, SEARCH, of="parameter")
async def test_a_search_has_every_filter_of_the_page(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session)
    await client.send(submission(NUMBER, OTHER_NUMBER, channel=Channel.PUSH_THEN_SMS))
    now = push.messages[0].created

    found = await client.search(
        Query(
            number=NUMBER,
            since=now - timedelta(hours=1),
            until=now + timedelta(hours=1),
            status="PENDING",
            limit=5,
        )
    )
    rest = await client.search(Query(number=NUMBER, offset=1))

    (report,) = found.reports
    assert (report.ref.recipient, report.type) == (NUMBER, MessageType.PUSH)
    assert (found.total, rest.reports, rest.total) == (1, (), 1)
    assert push.requests[-2].query == {
        "msisdn": NUMBER[1:],
        "fromDate": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}+0000",
        "toDate": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}+0000",
        "status": "PENDING",
        "offset": "0",
        "limit": "5",
    }
    assert push.requests[-1].query["offset"] == "1"


@proves(KEY, "GET /sms/search", of="parameter")
async def test_without_a_plan_the_search_is_that_of_sms(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    await client.send(submission())

    found = await client.search(Query(number=NUMBER))

    assert [report.ref.recipient for report in found.reports] == [NUMBER]
    assert simulator.requests[-1].path == "/rest/api/sms/search"


@proves(KEY, SEARCH, of="error")
@proves(KEY, "GET /sms/search", of="error")
@pytest.mark.parametrize(
    "code", ["NO_PARAMS", "BAD_ID", "BAD_MSISDN", "BAD_DATE", "BAD_STATUS"]
)
async def test_a_refused_search_is_an_error(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)

    with pytest.raises(NotAcceptedError) as refusal:
        await client_at(KEY, session, canned.url).search(Query(status="X"))

    assert refusal.value.detail == code
    assert len(canned.seen) == 1
