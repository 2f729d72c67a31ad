"""Sending by Smshosting's Push: what goes over the wire, and what comes back."""

from datetime import UTC, datetime

import aiohttp
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cause,
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    NotSent,
    Outcome,
    Picture,
    Uncertain,
)
from simulator import Channel as Way, Simulator, Toggle

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    PICTURE,
    PNG,
    SENDER,
    TEXT,
    client_at,
    client_of,
    only,
    submission,
)

KEY = "smshosting"


async def test_every_field_of_a_push_with_sms_is_on_the_wire(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    tomorrow = datetime(2035, 12, 25, 8, tzinfo=UTC)

    result = await client_of(push, KEY, session).send(
        submission(
            NUMBER,
            OTHER_NUMBER,
            channel=Channel.PUSH_THEN_SMS,
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
        "text": TEXT,
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
    assert isinstance(only(result), Accepted)
    assert result.mode is Mode.TEST
    assert not push.messages


async def test_the_option_of_the_account_is_the_channel_where_none_is_named(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(push, KEY, session, changed={"channel": "push"})

    await client.send(submission())
    await client.send(submission(channel=Channel.SMS))

    assert [message.channel for message in push.messages] == [Way.PUSH, Way.SMS]


async def test_an_unknown_channel_is_a_value_error(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(ValueError, match="piccione"):
        client_of(push, KEY, session, changed={"channel": "piccione"})


async def test_each_message_is_marked_as_push_or_sms(
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


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Accepted(provider_id="7", type=MessageType.PUSH)),
        ({"type": None}, Accepted(provider_id="7")),
        ({"id": None}, Accepted(provider_id=None, type=MessageType.PUSH)),
        ({"status": "ALTRO"}, Uncertain(detail="unknown_result")),
        (
            {"status": "NOT_INSERTED", "statusDetail": "BADNUMBERFORMAT"},
            NotSent(kind=ErrorKind.RECIPIENT, detail="BADNUMBERFORMAT"),
        ),
        (
            {"status": "NOT_INSERTED", "statusDetail": "DUPLICATESMS"},
            NotSent(kind=ErrorKind.DUPLICATE, detail="DUPLICATESMS"),
        ),
    ],
)
async def test_the_row_of_a_number_decides_the_outcome_of_its_push(
    changed: dict[str, Json],
    expected: Outcome,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    row = {"id": 7, "to": NUMBER[1:], "status": "INSERTED", "type": "PUSH", **changed}
    canned.answer({"sms": [row]})

    outcome = only(
        await client_at(KEY, session, canned.url).send(submission(channel=Channel.PUSH))
    )

    assert outcome == expected


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


@pytest.mark.parametrize(
    ("text", "encoding", "paths"),
    [
        ("a" * 153 * 5, Encoding.GSM7, ["push/send"]),
        ("a" * 153 * 5 + "a", Encoding.GSM7, ["sms/send"]),
        ("È" * 67 * 5, Encoding.UCS2, ["push/send"]),
        ("È" * 67 * 5 + "a", Encoding.UCS2, ["sms/send"]),
        ("a" * (153 * 5 - 3) + "${", Encoding.GSM7, ["push/send"]),
    ],
)
async def test_what_is_too_long_for_the_sms_beside_a_push_is_an_sms_for_all(
    text: str,
    encoding: Encoding,
    paths: list[str],
    push: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    client = client_of(push, KEY, session)
    wanted = submission(
        NUMBER,
        OTHER_NUMBER,
        text=text,
        encoding=encoding,
        channel=Channel.PUSH_THEN_SMS,
        picture=PICTURE,
    )

    result = await client.send(wanted)
    sent = [request.path.rpartition("/api/")[2] for request in push.requests]
    await client.estimate(wanted)

    assert {type(outcome) for outcome in result.outcomes.values()} == {Accepted}
    assert sent == paths
    assert push.requests[-1].path.endswith(paths[0].replace("send", "estimate"))


async def test_a_push_alone_may_be_longer_than_the_sms_beside_one(
    push: Simulator, session: aiohttp.ClientSession
) -> None:
    await client_of(push, KEY, session).send(
        submission(text="a" * 1000, channel=Channel.PUSH)
    )

    assert [message.channel for message in push.messages] == [Way.PUSH]


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
