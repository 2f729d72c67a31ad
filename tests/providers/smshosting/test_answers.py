"""What each answer of a server proves: docs/development/provider-apis/common.md 9."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import json
import time

import aiohttp
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.sms_italia.providers.client import ProviderClient
from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    ProviderError,
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
    Outcome,
    Report,
    Uncertain,
)
from custom_components.sms_italia.providers.smshosting.api import (
    GENERIC_ERROR,
    REFUSALS,
)
from simulator import Simulator

from ..canned import Canned
from ..helpers import (
    LONG,
    NUMBER,
    OTHER_NUMBER,
    QUADRATIC,
    client_at,
    client_of,
    only,
    submission,
)

KEY = "smshosting"
REF = MessageRef("389310742", NUMBER)
PAGE = b"<html><title>Attention Required!</title></html>"
BARE = b""
GATEWAY: Json = {"message": "Forbidden"}
OWN: Json = {"errorMsg": "NEVER_HEARD_OF", "errorCode": 400}

TAKEN: dict[str, Json] = {
    "from": "Casa",
    "text": 'Prova con "id":"1", virgole ,} e ,]',
    "transactionId": "riferimento-1",
    "smsInserted": 1,
    "smsNotInserted": 0,
    "sms": [{"id": 389310742, "to": NUMBER[1:], "status": "INSERTED"}],
}
ACCEPTED = Accepted(provider_id="389310742")
DOUBT, SENT = "doubt", "sent"
AUTH, CREDIT, REFUSED, TEXT, THROTTLED, UNAVAILABLE = (
    ErrorKind.AUTH,
    ErrorKind.CREDIT,
    ErrorKind.REFUSED,
    ErrorKind.TEXT,
    ErrorKind.THROTTLED,
    ErrorKind.UNAVAILABLE,
)

# A status, what its own body and what a foreign one proves about a send. A foreign 401
# is followed by the harmless question, which says the same here.
STATUSES: Mapping[int, tuple[str, str]] = {
    200: (DOUBT, DOUBT),
    202: (DOUBT, DOUBT),
    204: (DOUBT, DOUBT),
    301: (DOUBT, DOUBT),
    302: (DOUBT, DOUBT),
    400: (REFUSED, UNAVAILABLE),
    401: (AUTH, AUTH),
    402: (CREDIT, UNAVAILABLE),
    403: (REFUSED, UNAVAILABLE),
    404: (REFUSED, UNAVAILABLE),
    405: (REFUSED, UNAVAILABLE),
    406: (REFUSED, UNAVAILABLE),
    407: (REFUSED, UNAVAILABLE),
    408: (UNAVAILABLE, UNAVAILABLE),
    409: (REFUSED, UNAVAILABLE),
    410: (REFUSED, UNAVAILABLE),
    411: (REFUSED, REFUSED),
    413: (TEXT, TEXT),
    414: (TEXT, TEXT),
    415: (REFUSED, REFUSED),
    421: (UNAVAILABLE, UNAVAILABLE),
    422: (REFUSED, UNAVAILABLE),
    425: (UNAVAILABLE, UNAVAILABLE),
    429: (THROTTLED, THROTTLED),
    431: (REFUSED, REFUSED),
    451: (REFUSED, UNAVAILABLE),
    500: (DOUBT, DOUBT),
    501: (DOUBT, DOUBT),
    502: (DOUBT, DOUBT),
    503: (DOUBT, DOUBT),
    504: (DOUBT, DOUBT),
    511: (DOUBT, UNAVAILABLE),
    520: (DOUBT, DOUBT),
    521: (DOUBT, UNAVAILABLE),
    522: (DOUBT, DOUBT),
    523: (DOUBT, UNAVAILABLE),
    524: (DOUBT, DOUBT),
    525: (DOUBT, UNAVAILABLE),
    526: (DOUBT, UNAVAILABLE),
}
FOREIGN: Mapping[str, Json | bytes] = {
    "page": PAGE,
    "bare": BARE,
    "gateway": GATEWAY,
    "list": [],
    "cut": b'{"errorMsg":',
}
BODIES: Mapping[str, Json | bytes] = {"own": OWN, **FOREIGN}


def proof_of(outcome: Outcome) -> str:
    """Return what an outcome says: sent, a doubt, or the kind of a refusal."""
    match outcome:
        case Accepted():
            return SENT
        case NotSent(kind=kind):
            return kind
        case Uncertain():
            return DOUBT


def is_own(name: str, status: int) -> bool:
    """Return whether a body is the provider's; that of a 204 does not arrive."""
    return name == "own" and status != 204


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH, Channel.PUSH_THEN_SMS])
async def test_a_status_proves_of_a_send_what_its_words_allow(
    name: str, channel: Channel, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    wrong: dict[int, str] = {}
    for status, (own, foreign) in STATUSES.items():
        canned.clear()
        canned.answer(BODIES[name], status=status)

        proved = proof_of(only(await client.send(submission(channel=channel))))

        if proved != (own if is_own(name, status) else foreign):
            wrong[status] = proved
        sends = [seen for seen in canned.seen if seen.path.endswith("/send")]
        assert len(sends) == 1
    assert not wrong


WHOEVER_ANSWERS = (301, 302, 307, 401, 408, 413, 414, 421, 425, 429)
"""Statuses that say all by themselves."""


@pytest.mark.parametrize("code", [*REFUSALS, GENERIC_ERROR])
async def test_a_status_that_counts_whoever_answers_comes_before_the_code(
    code: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    wrong: dict[int, str] = {}
    for status in WHOEVER_ANSWERS:
        canned.clear()
        canned.answer({"errorMsg": code}, status=status)
        expected = STATUSES.get(status, (DOUBT, DOUBT))[0]

        proved = proof_of(only(await client.send(submission())))

        if proved != expected:
            wrong[status] = proved
    assert not wrong


@pytest.mark.parametrize("status", [200, 400, 402, 403, 404, 405, 406, 409, 410, 422])
async def test_the_code_says_why_a_request_was_refused(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    wrong: dict[str, str] = {}
    for code, kind in REFUSALS.items():
        canned.clear()
        canned.answer({"errorMsg": code}, status=status)

        proved = proof_of(only(await client.send(submission())))

        if proved != kind:
            wrong[code] = proved
    assert not wrong


@pytest.mark.parametrize("status", [401, 408, 429])
async def test_a_status_about_something_else_says_nothing_about_an_id(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    canned.answer({"errorMsg": "BAD_ID"}, status=status)

    for question in (client.reports([REF]), client.cancel([REF])):
        with pytest.raises(NotAcceptedError) as refusal:
            await question
        assert refusal.value.kind == STATUSES[status][0]


type Question = Callable[[ProviderClient], Awaitable[object]]
QUESTIONS: Mapping[str, Question] = {
    "validate": lambda client: client.validate(),
    "check": lambda client: client.check(),
    "credit_with_push": lambda client: client.credit_with_push(NUMBER),
    "estimate": lambda client: client.estimate(submission()),
    "reports": lambda client: client.reports([REF]),
    "lookup": lambda client: client.lookup("riferimento-1", Channel.SMS),
    "invitation": lambda client: client.create_invitation(NUMBER),
    "picture": lambda client: client.picture("x"),
    "group_sizes": lambda client: client.group_sizes(),
}


def expected_of_question(status: int, *, own: bool) -> ErrorKind | None:
    """Return the kind of error of a harmless question, None for a doubt."""
    proved = STATUSES[status][0 if own else 1]
    if not own and proved not in {AUTH, THROTTLED}:
        return UNAVAILABLE
    return None if proved == DOUBT else ErrorKind(proved)


async def error_of(question: Awaitable[object]) -> ErrorKind | None:
    """Return the kind of a question's error, None for a doubt."""
    with pytest.raises(ProviderError) as error:
        await question
    failure = error.value
    return failure.kind if isinstance(failure, NotAcceptedError) else None


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", BODIES)
async def test_a_question_that_a_stranger_answers_did_not_reach_the_provider(
    question: str, name: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    wrong: dict[int, ErrorKind | None] = {}
    for status in STATUSES:
        canned.clear()
        canned.answer(BODIES[name], status=status)
        if question == "reports" and status == 404:
            # Whoever says so: no report about that ID, and nothing about the account.
            assert await client.reports([REF]) == []
            continue
        is_list = (question, name) == ("group_sizes", "list") and status != 204
        if is_list and status in {200, 202}:
            # The provider's own form: there is no group.
            assert await client.group_sizes() == {}
            continue

        kind = await error_of(QUESTIONS[question](client))

        own = is_list or is_own(name, status)
        if kind != expected_of_question(status, own=own):
            wrong[status] = kind
    assert not wrong


@pytest.mark.parametrize("name", BODIES)
async def test_an_answer_to_a_cancel_is_no_proof_unless_it_is_one(
    name: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    wrong: dict[int, ErrorKind | None] = {}
    for status, proofs in STATUSES.items():
        canned.clear()
        canned.answer(BODIES[name], status=status)
        if name == "list" and status in {200, 202}:
            (late,) = await client.cancel([REF])
            assert late.result is Cancelling.NOT_CANCELLED
            continue

        kind = await error_of(client.cancel([REF]))

        # A bare list is the provider's own form here.
        own = name in {"own", "list"} and status != 204
        proved = proofs[0 if own else 1]
        if kind != (None if proved == DOUBT else proved):
            wrong[status] = kind
    assert not wrong


@pytest.mark.parametrize(
    ("credit", "kind"),
    [
        ({"credit": 3}, UNAVAILABLE),
        ({"errorMsg": "BAD_CREDENTIALS"}, AUTH),
    ],
)
async def test_a_foreign_401_is_about_the_login_only_if_the_profile_says_so(
    credit: Json, kind: ErrorKind, canned: Canned, session: aiohttp.ClientSession
) -> None:
    status = 401 if kind is AUTH else 200
    for question in ("send", "reports"):
        canned.clear()
        canned.answer(PAGE, status=401)
        canned.answer(credit, status=status)
        client = client_at(KEY, session, canned.url)

        if question == "send":
            found = proof_of(only(await client.send(submission())))
        else:
            with pytest.raises(NotAcceptedError) as refusal:
                await client.reports([REF])
            found = refusal.value.kind

        assert found == kind
        assert canned.seen[-1].path == "/user"


CLEAN = json.dumps(TAKEN).encode()


@pytest.mark.parametrize(
    "body",
    [
        CLEAN,
        b"\xef\xbb\xbf" + CLEAN,
        b"\r\n \r\n" + CLEAN + b"\r\n",
        b"<br />\n<b>Warning</b>: Undefined array key [3]\n" + CLEAN,
        b"<br/>" + CLEAN + b"<br/>",
        CLEAN.replace(b"}]}", b"},],}"),
        json.dumps(TAKEN).encode("utf-16"),
        json.dumps({**TAKEN, "text": "Perché"}, ensure_ascii=False).encode("latin-1"),
        json.dumps(
            {**TAKEN, "sms": [{"id": "389310742", "to": NUMBER, "status": "INSERTED"}]}
        ).encode(),
    ],
    ids=[
        "clean",
        "bom",
        "spaces",
        "warning",
        "tags",
        "commas",
        "utf16",
        "latin",
        "str",
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/html", "image/png"])
async def test_an_acceptance_is_read_as_if_it_were_clean(
    body: bytes, content_type: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, headers={"Content-Type": content_type})

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == ACCEPTED


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (CLEAN[: CLEAN.index(b', "status": "INSERTED"')], 200),
        (CLEAN + b" e altro", 200),
        (b"[" + CLEAN + b"]", 200),
        (CLEAN, 500),
        (CLEAN[:-2], 503),
        (CLEAN[:-2], 400),
        (CLEAN + b" " * 1024 * 1024, 200),
    ],
    ids=["cut", "more", "list", "own_500", "cut_503", "cut_400", "too_long"],
)
async def test_an_id_in_an_answer_that_proves_nothing_is_kept(
    body: bytes, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)
    client = client_at(KEY, session, canned.url)

    result = await client.send(submission())
    two = await client.send(submission(NUMBER, OTHER_NUMBER))
    group = await client.send(submission(groups=("7",)))

    outcome = only(result)
    assert isinstance(outcome, Uncertain)
    assert outcome.provider_id == REF.provider_id
    assert result.doubt == outcome
    assert {proof_of(one) for one in two.outcomes.values()} == {DOUBT}
    # Whose it is cannot be known.
    assert two.doubt is not None
    assert two.doubt.provider_id is None
    assert group.doubt is not None
    assert group.doubt.provider_id is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "req-81", "message": "internal"',
        b'{"id": 81, "message": "internal", ',
        CLEAN[: CLEAN.index(b'"sms": ')],
        CLEAN.replace(b"389310742", b"null") + b"x",
    ],
)
async def test_an_id_of_something_else_is_not_taken_for_the_message_s(
    body: bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert isinstance(outcome, Uncertain)
    assert outcome.provider_id is None


# The provider's own examples, with other numbers


async def test_the_official_answer_to_a_cancel_is_read(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    row: Json = {
        "id": 389451366,
        "to": "393480000000",
        "text": "Prova",
        "from": "Casa",
        "status": "NOSENT",
        "insertDate": "2026-01-16T13:46:11+0100",
        "transactionId": "1389876345449",
        "price": 0,
    }
    canned.answer([row])
    canned.answer([])
    client = client_at(KEY, session, canned.url)
    ref = MessageRef("389451366", "+393480000000")

    stopped, late = await client.cancel([ref]), await client.cancel([ref])

    assert stopped == [Cancellation(ref=ref, result=Cancelling.CANCELLED)]
    assert late == [Cancellation(ref=ref, result=Cancelling.NOT_CANCELLED)]
    assert [(seen.path, seen.form) for seen in canned.seen] == [
        ("/sms/cancel", {"id": "389451366"})
    ] * 2


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.TEST])
async def test_a_row_that_was_inserted_without_an_id_is_accepted(
    mode: Mode, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(
        {
            "transactionId": "t1",
            "smsInserted": 1,
            "smsNotInserted": 0,
            "sms": [{"to": NUMBER[1:], "status": "INSERTED", "id": None}],
        }
    )

    result = await client_at(KEY, session, canned.url).send(submission(mode=mode))

    assert only(result) == Accepted(provider_id=None)


async def test_the_sandbox_may_list_nothing(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    body: dict[str, Json] = {"smsInserted": 0, "smsNotInserted": 0, "sms": []}
    canned.answer(body)
    canned.answer(body)
    canned.answer({**body, "errorMsg": "NEVER_HEARD_OF"})
    client = client_at(KEY, session, canned.url)

    tried = await client.send(submission(mode=Mode.TEST))
    sent = await client.send(submission())
    failed = await client.send(submission(mode=Mode.TEST))

    assert only(tried) == Accepted(provider_id=None)
    assert only(sent) == only(failed) == Uncertain(detail="no_result")


async def test_the_rows_win_over_the_counters(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({**TAKEN, "smsInserted": 0, "smsNotInserted": 1})

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == ACCEPTED


async def test_a_message_without_an_id_is_found_by_its_transaction(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    await client.send(submission())

    (report,) = await client.lookup("riferimento-1", Channel.SMS)

    assert report.ref == MessageRef(simulator.messages[0].id, NUMBER)


# Placeholders


@pytest.mark.parametrize(
    ("text", "encoding", "sent"),
    [
        ("${nome}", Encoding.GSM7, "$ {nome}"),
        ("5${ e ${", Encoding.GSM7, "5$ { e $ {"),
        ("$${x}", Encoding.GSM7, "$$ {x}"),
        ("È ${nome}", Encoding.UCS2, "È $ {nome}"),
        ("$ {nome} {} $", Encoding.GSM7, "$ {nome} {} $"),
        ("a" * 157 + "${", Encoding.GSM7, "a" * 157 + "$("),
        ("a" * 156 + "${", Encoding.GSM7, "a" * 156 + "$ {"),
        ("è" * 68 + "${", Encoding.UCS2, "è" * 68 + "$("),
        ("a" * (153 * 7 - 3) + "${", Encoding.GSM7, "a" * (153 * 7 - 3) + "$("),
        ("a" * 152 + "€" + "b" * 150 + "${", Encoding.GSM7, None),
    ],
)
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH])
async def test_a_text_with_a_placeholder_is_sent_and_takes_no_more_parts(  # noqa: PLR0913, PLR0917 - a table of cases
    text: str,
    encoding: Encoding,
    sent: str | None,
    channel: Channel,
    push: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    client = client_of(push, KEY, session)
    one = submission(text=text, encoding=encoding, channel=channel)

    outcome = only(await client.send(one))
    await client.estimate(one)

    (message,) = push.messages
    assert isinstance(outcome, Accepted)
    assert "${" not in message.text
    assert sent is None or message.text == sent
    assert push.requests[-1].fields["text"] == message.text
    alone, size = (160, 153) if encoding is Encoding.GSM7 else (70, 67)
    units = len(text) + (text.count("{") if encoding is Encoding.GSM7 else 0)
    if channel is Channel.SMS and sent is not None:
        assert message.parts == (1 if units <= alone else -(-units // size))


# Status callbacks

CALLBACK = (
    b"id=389310742&transactionId=REF&to=393401234567&status=DELIVERED"
    b"&notificationDate=2026-11-27T15%3A01%3A35%2B0100"
)


class _NoSession:
    """Parsing needs no connection."""


def parse(body: bytes) -> Report | None:
    """Return the report in the body of a callback."""
    client = client_at(KEY, _NoSession(), "http://127.0.0.1")  # type: ignore[arg-type]
    return client.parse_report(body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b""),
        (b"to=", b"to=%2B"),
        (b"%2B0100", b"+0100"),
        (b"id=", b"altro=1&id="),
        (b"id=", b"\xef\xbb\xbfid="),
        (b"0100", b"0100\r\n"),
    ],
)
def test_the_documented_callback_is_a_report(old: bytes, new: bytes) -> None:
    report = parse(CALLBACK.replace(old, new, 1))

    assert report is not None
    assert (report.ref, report.status, report.detail) == (
        REF,
        "delivered",
        "DELIVERED",
    )
    assert report.at is not None
    assert report.at.isoformat() == "2026-11-27T15:01:35+01:00"


def refusal(body: bytes, reference: str = "REF") -> NotSent | None:
    """Return the refusal in the body of a bulk's callback."""
    client = client_at(KEY, _NoSession(), "http://127.0.0.1")  # type: ignore[arg-type]
    return client.parse_refusal(body, reference)


BULK = b'{"status":"ERROR","errorMsg":"%s","transactionId":"REF"}'


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (b"NO_CREDIT", ErrorKind.CREDIT),
        (b"BAD_TEXT_PLACEHOLDER", ErrorKind.TEXT),
        (b"NO_VALID_RECIPIENT", ErrorKind.RECIPIENT),
        (b"GENERIC_ERROR", ErrorKind.REFUSED),
    ],
)
def test_the_error_of_a_bulk_says_that_nothing_of_it_was_sent(
    code: bytes, kind: ErrorKind
) -> None:
    assert refusal(BULK % code) == NotSent(kind=kind, detail=code.decode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        CALLBACK,
        BULK % b"",
        (BULK % b"NO_CREDIT").replace(b"REF", b"ALTRO"),
        (BULK % b"NO_CREDIT").replace(b"ERROR", b"COMPLETED"),
    ],
)
def test_any_other_body_refuses_nothing(body: bytes) -> None:
    assert refusal(body) is None


def test_a_callback_of_a_failure_has_its_time() -> None:
    report = parse(CALLBACK.replace(b"DELIVERED", b"NOTDELIVERED"))

    assert report is not None
    assert (report.status, report.detail) == ("failed", "NOTDELIVERED")
    assert report.at is not None


@pytest.mark.parametrize("moment", [b"", b"ieri", b"2026-11-27T15:01:35", b"9" * 5000])
def test_a_callback_without_a_time_that_can_be_read_is_a_report(moment: bytes) -> None:
    report = parse(CALLBACK.partition(b"&notif")[0] + b"&notificationDate=" + moment)

    assert report is not None
    assert report.at is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        CALLBACK.replace(b"id=389310742", b"id="),
        CALLBACK.replace(b"id=389310742", b"id=%ED%A0%80"),
        CALLBACK.replace(b"to=393401234567", b"to=x"),
        CALLBACK.replace(b"DELIVERED", b"NOSENT"),
        CALLBACK.replace(b"DELIVERED", b"SENT"),
        CALLBACK.replace(b"DELIVERED", b"delivered"),
        CALLBACK.replace(b"DELIVERED", b"INSERTED"),
        CALLBACK + b"&status=NOTDELIVERED",
        CALLBACK + b"&id=1",
        b"a=1&" * 40 + CALLBACK,
        b'{"status":"ERROR","errorMsg":"NO_CREDIT","transactionId":"REF"}',
        b'{"id":389310742,"to":"393401234567","status":"DELIVERED"}',
        PAGE,
    ],
)
def test_a_callback_in_another_form_is_only_a_hint_to_ask(body: bytes) -> None:
    assert parse(body) is None


# Whatever comes


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
@settings(max_examples=300, deadline=None)
def test_no_callback_makes_the_reader_fall_over(body: bytes) -> None:
    for candidate in (body, CALLBACK + body, body + CALLBACK, CALLBACK + b"&x=" + body):
        report = parse(candidate)
        assert report is None or report.ref.provider_id.isdecimal()


WARNINGS = st.sampled_from(
    [b"", b"\xef\xbb\xbf", b"\r\n", b"<br/>", b"<br />\n<b>Notice</b>: {x} in [y]\n"]
)
EXTRAS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in {*TAKEN, "errorMsg"}),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    ),
    max_size=4,
)


@pytest.mark.usefixtures("socket_enabled")
def test_no_acceptance_becomes_anything_else() -> None:
    with asyncio.Runner() as runner:
        canned = runner.run(Canned().__aenter__())
        session = runner.run(new_session())

        @settings(
            max_examples=80,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(
            before=WARNINGS,
            extras=EXTRAS,
            row=EXTRAS,
            identifier=st.sampled_from([389310742, "389310742", None, True, "\ud800"]),
            error=st.sampled_from([{}, {"errorMsg": "NO_CREDIT"}, {"errorMsg": 7}]),
            comma=st.booleans(),
        )
        def check(  # noqa: PLR0913, PLR0917 - what an answer is made of
            before: bytes,
            extras: dict[str, Json],
            row: dict[str, Json],
            identifier: Json,
            error: dict[str, Json],
            comma: bool,  # noqa: FBT001 - drawn
        ) -> None:
            taken = {"to": NUMBER[1:], "status": "INSERTED", "id": identifier}
            names = {*taken, "type", "statusDetail"}
            more = {name: value for name, value in row.items() if name not in names}
            body = json.dumps({**extras, **TAKEN, **error, "sms": [{**more, **taken}]})
            if comma:
                body = f"{body[:-1]},}}"
            canned.clear()
            canned.answer(before + body.encode())
            result = runner.run(client_at(KEY, session, canned.url).send(submission()))
            outcome = only(result)
            assert isinstance(outcome, Accepted)
            assert outcome.provider_id in {REF.provider_id, None}
            str(outcome.provider_id).encode()

        check()
        runner.run(session.close())
        runner.run(canned.__aexit__(None, None, None))


async def new_session() -> aiohttp.ClientSession:
    """Return a session of the running loop."""
    return aiohttp.ClientSession()


FILLERS = [
    b"{",
    b"[",
    b'"',
    b"\\",
    b"<",
    b"1",
    b",",
    b".",
    b" ",
    b"a",
    b"&",
    b"%",
    b"=",
]
FILLERS += [b'{"a":', b'"id":"', b"a=1&", b"<a", b",}", b"\\\\"]


@pytest.mark.parametrize("filler", FILLERS)
def test_a_long_callback_is_read_in_linear_time(filler: bytes) -> None:
    body = filler * (LONG // len(filler))
    start = time.process_time()
    for candidate in (body, CALLBACK + body, b"id=" + body, b"to=" + body):
        parse(candidate)
    assert time.process_time() - start < QUADRATIC


@pytest.mark.parametrize("filler", FILLERS)
async def test_a_long_answer_is_read_in_linear_time(
    filler: bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    for start in (b"", b"<", b'{"sms":[', b'{"transactionId":"', b'{"url":"'):
        canned.clear()
        canned.answer(start + filler * (LONG // len(filler)))
        for name in (
            "send",
            "check",
            "estimate",
            "lookup",
            "invitation",
            "group_sizes",
        ):
            began = time.process_time()
            if name == "send":
                outcome = only(await client.send(submission()))
                assert proof_of(outcome) == DOUBT
            else:
                await error_of(QUESTIONS[name](client))
            assert time.process_time() - began < QUADRATIC
