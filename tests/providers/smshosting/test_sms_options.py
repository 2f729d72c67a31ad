"""Smshosting's SMS beyond the plain send: many, later, cancelled, estimated, found."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cancellation,
    Cancelling,
    Channel,
    Encoding,
    ErrorKind,
    MessageRef,
    Mode,
    NotSent,
    Status,
)
from simulator import Fault, Operation, Simulator

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    SENDER,
    TEXT,
    THIRD_NUMBER,
    client_at,
    client_of,
    only,
    refs_of,
    submission,
)

KEY = "smshosting"
CHRISTMAS = datetime(2035, 12, 25, 8, tzinfo=UTC)
CALLBACK = "https://casa.example/dlr"


def many(count: int) -> list[str]:
    """Return so many good numbers."""
    return [f"+393400{number:06}" for number in range(count)]


def row(number: str = NUMBER, identifier: Json = 1, **changed: Json) -> dict[str, Json]:
    """Return a row of a search or of a cancel."""
    return {"id": identifier, "to": number[1:], "status": "PENDING", **changed}


def found(*rows: Json, count: int | None = None) -> dict[str, Json]:
    """Return a search's answer."""
    return {
        "metadata": {"count": len(rows) if count is None else count},
        "smsList": list(rows),
    }


async def test_every_field_of_a_send_is_on_the_wire(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.account(KEY).groups["7"] = (THIRD_NUMBER,)

    result = await client_of(simulator, KEY, session).send(
        submission(
            NUMBER,
            OTHER_NUMBER,
            groups=("7",),
            encoding=Encoding.UCS2,
            send_at=CHRISTMAS,
            callback_url=CALLBACK,
        )
    )

    request = simulator.requests[-1]
    assert (request.method, request.path) == ("POST", "/rest/api/sms/send")
    assert request.fields == {
        "from": SENDER,
        "to": f"{NUMBER[1:]},{OTHER_NUMBER[1:]}",
        "group": "7",
        "text": TEXT,
        "encoding": "UCS2",
        "date": "2035-12-25T08:00:00+0000",
        "transactionId": "riferimento-1",
        "statusCallback": CALLBACK,
    }
    assert {message.scheduled for message in simulator.messages} == {CHRISTMAS}
    assert list(result.group_outcomes) == [THIRD_NUMBER]
    assert result.mode is Mode.LIVE


async def test_the_members_of_a_group_alone_get_their_outcomes(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.account(KEY).groups["7"] = (NUMBER, OTHER_NUMBER)

    result = await client_of(simulator, KEY, session).send(submission(groups=("7",)))

    assert "to" not in simulator.requests[-1].fields
    assert not result.outcomes
    assert result.group_outcomes == {
        message.to: Accepted(provider_id=message.id) for message in simulator.messages
    }


async def test_a_refusal_or_a_doubt_of_a_group_alone_is_reported(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    refused = await client.send(submission(groups=("9",)))
    simulator.inject(KEY, Fault.CUT_AFTER_ACCEPT, operation=Operation.SEND)
    doubtful = await client.send(submission(groups=("9",)))

    assert refused.refusal == NotSent(kind=ErrorKind.REFUSED, detail="BAD_GROUP")
    assert refused.doubt is None
    assert doubtful.doubt is not None
    assert doubtful.refusal is None


async def test_a_submission_can_be_a_test_and_can_be_none(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    sandbox = client_of(simulator, KEY, session, changed={"sandbox": "true"})

    tested = await client.send(submission(mode=Mode.TEST))
    assert not simulator.messages
    sent = await sandbox.send(submission(mode=Mode.LIVE))

    assert (tested.mode, sent.mode) == (Mode.TEST, Mode.LIVE)
    assert len(simulator.messages) == 1


async def test_a_moment_that_is_past_is_now(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)

    outcome = only(
        await client_of(simulator, KEY, session).send(submission(send_at=yesterday))
    )

    assert isinstance(outcome, Accepted)
    assert "date" not in simulator.requests[-1].fields


async def test_a_thousand_recipients_are_each_answered_for(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(KEY, 1000)
    numbers = [BAD_NUMBER, *many(999)]

    result = await client_of(simulator, KEY, session).send(submission(*numbers))

    assert simulator.requests[-1].path == "/rest/api/sms/send"
    assert result.outcomes == {
        BAD_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="BADNUMBERFORMAT"),
        **{one.to: Accepted(provider_id=one.id) for one in simulator.messages},
    }
    assert len(simulator.messages) == 999


async def test_groups_are_counted_by_their_contacts(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    groups = simulator.account(KEY).groups
    groups["7"] = (NUMBER, OTHER_NUMBER)
    groups["8"] = ()

    assert await client_of(simulator, KEY, session).group_sizes() == {"7": 2, "8": 0}

    request = simulator.requests[-1]
    assert (request.method, request.path) == ("GET", "/rest/api/phonebook/group/list")


async def test_a_group_whose_size_cannot_be_read_is_left_out(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(
        [
            {"id": "7", "contactCount": "12"},
            {"id": 8, "contactCount": -1},
            {"id": 9},
            {"contactCount": 3},
            "10",
        ]
    )

    sizes = await client_at(KEY, session, canned.url).group_sizes()

    assert sizes == {"7": 12}


async def test_a_thousand_recipients_are_one_estimate(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)

    assert await client.estimate(submission(*many(1000))) == Decimal(62)


async def test_an_estimate_of_sms_has_the_fields_of_the_send_and_sends_nothing(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.account(KEY).groups["7"] = (THIRD_NUMBER,)

    estimate = await client_of(simulator, KEY, session).estimate(
        submission(NUMBER, OTHER_NUMBER, groups=("7",), text="a" * 200)
    )

    request = simulator.requests[-1]
    assert (request.method, request.path) == ("POST", "/rest/api/sms/estimate")
    assert request.fields == {
        "from": SENDER,
        "to": f"{NUMBER[1:]},{OTHER_NUMBER[1:]}",
        "group": "7",
        "text": "a" * 200,
        "encoding": "7BIT",
    }
    assert estimate == Decimal("0.372")
    assert not simulator.messages


@pytest.mark.parametrize("cost", ["poco", "1,234", -1, 101, None, [], True])
async def test_an_estimate_without_a_cost_is_no_cost_of_zero(
    cost: Json, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"cost": cost, "userCredit": 3})

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).estimate(submission())


async def test_scheduled_messages_are_cancelled_together(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    result = await client.send(submission(NUMBER, OTHER_NUMBER, send_at=CHRISTMAS))
    first, second = simulator.messages
    simulator.move(second.id, "sent")
    refs = refs_of(result)

    results = await client.cancel(refs)

    assert results == [
        Cancellation(ref=refs[0], result=Cancelling.CANCELLED),
        Cancellation(ref=refs[1], result=Cancelling.NOT_CANCELLED),
    ]
    assert simulator.requests[-1].fields == {"id": f"{first.id},{second.id}"}


async def test_an_unknown_id_does_not_keep_the_others_from_being_cancelled(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    result = await client.send(submission(send_at=CHRISTMAS))
    refs = [*refs_of(result), MessageRef("1", THIRD_NUMBER)]

    results = await client.cancel(refs)

    assert results == [
        Cancellation(ref=refs[0], result=Cancelling.CANCELLED),
        Cancellation(ref=refs[1], result=Cancelling.NOT_CANCELLED),
    ]
    assert [request.fields["id"] for request in simulator.requests[-3:]] == [
        f"{refs[0].provider_id},1",
        refs[0].provider_id,
        "1",
    ]


async def test_very_many_messages_are_cancelled_in_several_requests(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    result = await client.send(submission(*many(145), send_at=CHRISTMAS))

    results = await client.cancel(refs_of(result))

    assert {one.result for one in results} == {Cancelling.CANCELLED}
    assert [one.ref for one in results] == refs_of(result)
    assert {message.word for message in simulator.messages} == {"NOSENT"}
    assert [one.path for one in simulator.requests].count("/rest/api/sms/cancel") == 2


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("NOSENT", Cancelling.CANCELLED),
        ("PENDING", Cancelling.UNCERTAIN),
        ("CANCELLED", Cancelling.UNCERTAIN),
        (None, Cancelling.UNCERTAIN),
        ("SENT", Cancelling.NOT_CANCELLED),
        ("DELIVERED", Cancelling.NOT_CANCELLED),
        ("NOTDELIVERED", Cancelling.NOT_CANCELLED),
    ],
)
async def test_only_a_clear_word_says_that_a_message_was_stopped(
    word: Json, result: Cancelling, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer([row(status=word)])
    ref = MessageRef("1", NUMBER)

    (cancellation,) = await client_at(KEY, session, canned.url).cancel([ref])

    assert cancellation == Cancellation(ref=ref, result=result)


@pytest.mark.parametrize("code", ["NO_PARAMS", "BAD_ID", "BAD_CREDENTIALS"])
async def test_a_refused_cancel_is_an_error_unless_the_id_is_unknown(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorCode": 400, "errorMsg": code}, status=400)
    client = client_at(KEY, session, canned.url)
    ref = MessageRef("1", NUMBER)

    if code == "BAD_ID":
        assert await client.cancel([ref]) == [
            Cancellation(ref=ref, result=Cancelling.NOT_CANCELLED)
        ]
        return
    with pytest.raises(NotAcceptedError) as refusal:
        await client.cancel([ref])
    assert refusal.value.detail == code


@pytest.mark.parametrize(
    "body", [{}, found(row(status="NOSENT")), ["x"], [row(identifier=None)], b"", b"[{"]
)
async def test_an_unreadable_answer_to_a_cancel_claims_nothing(
    body: Json | bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body)

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).cancel([MessageRef("1", NUMBER)])


async def test_a_submission_in_doubt_is_found_by_its_reference(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    simulator.inject(KEY, Fault.CUT_AFTER_ACCEPT, operation=Operation.SEND)
    await client.send(submission(NUMBER, OTHER_NUMBER))
    first, second = simulator.messages
    simulator.move(second.id, "sent")

    reports = await client.lookup("riferimento-1")

    assert [(report.ref, report.status) for report in reports] == [
        (MessageRef(first.id, NUMBER), Status.QUEUED),
        (MessageRef(second.id, OTHER_NUMBER), Status.SENT),
    ]
    assert reports[0].at == first.created.replace(microsecond=0)
    assert simulator.requests[-1].query["transactionId"] == "riferimento-1"
    assert not await client.lookup("mai-visto")


async def test_a_look_up_goes_on_until_a_page_brings_nothing_new(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(found(row(identifier=1), count=3))
    canned.answer(found(row(OTHER_NUMBER, 2), row(THIRD_NUMBER, 3), count=3))
    canned.answer(found(count=3))

    reports = await client_at(KEY, session, canned.url).lookup(
        "riferimento-1", Channel.SMS
    )

    assert [report.ref.provider_id for report in reports] == ["1", "2", "3"]
    assert [seen.query["offset"] for seen in canned.seen] == ["0", "1", "3"]


@pytest.mark.parametrize(
    "page",
    [
        found(row(), count=2),
        found(row(identifier=None)),
        found(row(to=None)),
        found(row(status="NOVEL")),
        found("x"),
        {"smsList": None},
    ],
    ids=["row_missing", "no_id", "no_number", "new_word", "no_row", "no_list"],
)
async def test_a_look_up_that_is_not_whole_proves_nothing(
    page: dict[str, Json], canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(page)

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).lookup("riferimento-1", Channel.SMS)


async def test_a_message_of_another_submission_is_not_taken_for_ours(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(found(row(transactionId="altro"), row(OTHER_NUMBER, 2)))

    reports = await client_at(KEY, session, canned.url).lookup(
        "riferimento-1", Channel.SMS
    )

    assert [report.ref.recipient for report in reports] == [OTHER_NUMBER]


async def test_a_server_that_invents_messages_for_ever_is_given_up(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    for page in range(101):
        canned.answer(found(row(identifier=page)))

    with pytest.raises(OutcomeUnknownError):
        await client_at(KEY, session, canned.url).lookup("riferimento-1", Channel.SMS)

    assert len(canned.seen) == 100


MOBILE, LANDLINE, RECIPIENT = "393400009999", "06123456", NUMBER


@pytest.mark.parametrize(
    ("msisdn", "recipient", "asked"),
    [
        (MOBILE, RECIPIENT, MOBILE),
        (f"+{MOBILE}", RECIPIENT, MOBILE),
        (int(MOBILE), None, MOBILE),
        ("491701234567", RECIPIENT, "491701234567"),
        ("", RECIPIENT, RECIPIENT[1:]),
        (None, RECIPIENT, RECIPIENT[1:]),
        (LANDLINE, RECIPIENT, RECIPIENT[1:]),
        ("390612345678", RECIPIENT, RECIPIENT[1:]),
        ("3400009999", RECIPIENT, RECIPIENT[1:]),
        (["393400009999"], RECIPIENT, RECIPIENT[1:]),
        ("", "+390612345678", None),
        ("", None, None),
        (LANDLINE, None, None),
    ],
)
async def test_the_push_left_is_asked_for_with_the_account_s_mobile_or_a_recipient(
    msisdn: Json,
    recipient: str | None,
    asked: str | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer({"credit": 3, "msisdn": msisdn, "phone": LANDLINE})
    canned.answer({"cost": 0, "pushAvailable": 12})
    client = client_at(KEY, session, canned.url)

    credit = await client.credit_with_push(recipient)

    assert credit is not None
    assert credit.push_left == (asked and 12)
    assert [seen.path for seen in canned.seen] == ["/user", "/push/estimate"][
        : 1 + bool(asked)
    ]
    if asked:
        assert canned.seen[1].form == {
            "to": asked,
            "text": ".",
            "onlyPush": "false",
            "smsText": ".",
        }
    assert MOBILE not in repr(vars(client))
