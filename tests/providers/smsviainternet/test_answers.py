"""What each answer of SMSviaInternet, or of somebody else in its place, proves.

The table: docs/development/provider-apis/common.md 9.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
import json
from time import process_time

import aiohttp
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.http_status import Purpose
from custom_components.sms_italia.providers.model import (
    Accepted,
    ErrorKind,
    MessageRef,
    Mode,
    NotSent,
    Uncertain,
)
from custom_components.sms_italia.providers.smsviainternet.api import (
    accepted_body,
    read,
)
from custom_components.sms_italia.providers.transport import Answer

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    LONG,
    NUMBER,
    OTHER_NUMBER,
    QUADRATIC,
    client_at,
    only,
    submission,
)

KEY = "smsviainternet"
QUEUE = "15066049200263637"
PAGE: dict[str, Json] = {
    "queue_id": QUEUE,
    "async": False,
    "credit": 8215,
    "sending_sms_count": 2,
    "sending_contacts_count": 1,
    "sending_cost": 200,
}
"""The example of the page, for one contact."""

ACCEPTED = Accepted(provider_id=QUEUE, parts=2, cost=Decimal("0.2"))
FOREIGN: list[Json | bytes] = [
    b"",
    b"<html><title>Attention Required!</title></html>",
    b"Bad Gateway",
    b"{",
    {},
    [],
    [1],
    {"message": "Forbidden"},
    {"errors": ["no"]},
    {"error": None},
    {"error": True},
    {"error": {}},
]
"""Bodies that are not the provider's, whatever the status."""

FOREIGN_REFUSALS = {
    **dict.fromkeys(
        (*range(400, 431), 431, 444, 451, 499, 511, 521, 523, 525, 526),
        ErrorKind.UNAVAILABLE,
    ),
    **dict.fromkeys((411, 415, 431), ErrorKind.REFUSED),
    **dict.fromkeys((413, 414), ErrorKind.TEXT),
    429: ErrorKind.THROTTLED,
}
"""What a foreign body proves to a send; 401 is asked about."""

DOUBTS = [200, 201, 202, 301, 302, 307, 500, 501, 502, 503, 504, 505, 520, 522]
DOUBTS += [524, 530, 599]
ANY = {
    **dict.fromkeys((408, 421, 425), ErrorKind.UNAVAILABLE),
    **dict.fromkeys((413, 414), ErrorKind.TEXT),
    401: ErrorKind.AUTH,
    429: ErrorKind.THROTTLED,
}
"""Statuses that count whatever the provider's own body says."""


@pytest.mark.parametrize("status", FOREIGN_REFUSALS)
async def test_a_foreign_refusal_is_one_by_its_status_and_never_of_the_login(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    others: list[Json | bytes] = [{"error": "Unauthorized"}, {"error": 404}]
    for body in (*FOREIGN, *others):
        canned.clear()
        canned.answer(body, status=status)
        canned.answer({"deliveries": []})

        outcome = only(await client.send(submission()))

        kind = FOREIGN_REFUSALS[status]
        assert outcome == NotSent(kind=kind, detail=f"http_{status}")
        # The harmless question of a 401 is the only one more.
        assert len(canned.seen) == (2 if status == 401 else 1)


@pytest.mark.parametrize("status", DOUBTS)
async def test_a_foreign_answer_that_proves_nothing_is_a_doubt(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(KEY, session, canned.url)
    is_success = status // 100 == 2
    # A number that only repeats the status, and those of no table.
    numbers: list[Json] = [status, str(status), 42, "42", -1, "9" * 20]
    alone: list[Json | bytes] = [{"error": number} for number in numbers]
    for body in (*FOREIGN, *alone):
        canned.clear()
        canned.answer(body, status=status)

        outcome = only(await client.send(submission()))

        is_cut = body in (b"", b"{")
        detail = "unreadable_answer" if is_cut else "foreign_answer"
        assert outcome == Uncertain(detail=detail if is_success else f"http_{status}")
        assert len(canned.seen) == 1


@pytest.mark.parametrize("body", FOREIGN)
@pytest.mark.parametrize("status", [200, 302, 400, 402, 403, 404, 405, 410, 500, 502])
async def test_a_question_that_somebody_else_answers_was_not_reached(
    body: Json | bytes, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)
    client = client_at(KEY, session, canned.url)

    with pytest.raises(NotAcceptedError) as validated:
        await client.validate()
    with pytest.raises(NotAcceptedError) as checked:
        await client.check()

    assert validated.value.kind is ErrorKind.UNAVAILABLE
    assert checked.value.kind is ErrorKind.UNAVAILABLE
    if status == 404:
        # Nobody knows that shipment.
        assert await client.reports([MessageRef("7", NUMBER)]) == []
    else:
        with pytest.raises(NotAcceptedError) as reported:
            await client.reports([MessageRef("7", NUMBER)])
        assert reported.value.kind is ErrorKind.UNAVAILABLE


async def test_a_foreign_401_is_one_of_the_login_if_the_harmless_question_says_so(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"<h1>No</h1>", status=401)
    canned.answer({"error": 3}, status=401)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=ErrorKind.AUTH, detail="http_401")


KINDS = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6), ErrorKind.AUTH),
    10: ErrorKind.CREDIT,
    11: ErrorKind.TEXT,
    **dict.fromkeys((12, 13, 14, 100, 500, 502, 510, 517, 523), ErrorKind.REFUSED),
    15: ErrorKind.SENDER,
    20: ErrorKind.RECIPIENT,
}


@pytest.mark.parametrize("status", [200, 201, 400, 402, 403, 404, 405, 422, 503, 520])
@pytest.mark.parametrize("beside", [{}, {"queue_id": None, "credit": 0}])
async def test_a_number_of_the_table_without_an_id_says_why_nothing_was_sent(
    status: int,
    beside: dict[str, Json],
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    client = client_at(KEY, session, canned.url)
    for number, kind in KINDS.items():
        for error in (number, str(number), f" {number} "):
            canned.clear()
            canned.answer({"error": error, **beside}, status=status)

            outcome = only(await client.send(submission()))

            assert outcome == NotSent(kind=kind, detail=str(number))
            assert len(canned.seen) == 1


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        # Unknown numbers, and words.
        ({"error": 42, "credit": 1}, 200, NotSent(kind=ErrorKind.REFUSED, detail="42")),
        (
            {"error": -1, "queue_id": None},
            200,
            NotSent(kind=ErrorKind.REFUSED, detail="error"),
        ),
        ({"error": 42}, 400, NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_400")),
        ({"error": 42, "credit": 1}, 503, Uncertain(detail="42")),
        ({"error": "Boh"}, 200, NotSent(kind=ErrorKind.REFUSED, detail="Boh")),
        (
            {"error": "Credito non sufficiente", "error_message": "x"},
            200,
            NotSent(kind=ErrorKind.REFUSED, detail="error"),
        ),
        (
            {"error": "Boh", "credit": 1},
            403,
            NotSent(kind=ErrorKind.REFUSED, detail="Boh"),
        ),
        ({"error": "Boh", "credit": 1}, 503, Uncertain(detail="Boh")),
        # An internal error.
        ({"error": 999}, 200, Uncertain(detail="999")),
        ({"error": "999"}, 500, Uncertain(detail="999")),
        ({"error": "Internal error"}, 200, Uncertain(detail="error")),
        ({"error": 999}, 400, NotSent(kind=ErrorKind.REFUSED, detail="999")),
        # No id.
        ({"error": 0}, 200, Uncertain(detail="no_queue_id")),
        ({"error": 0, "queue_id": None}, 200, Uncertain(detail="no_queue_id")),
        (PAGE | {"queue_id": None}, 200, Uncertain(detail="no_queue_id")),
        (PAGE | {"queue_id": ""}, 200, Uncertain(detail="no_queue_id")),
        (PAGE | {"queue_id": 0}, 200, Uncertain(detail="no_queue_id")),
        (PAGE | {"queue_id": "0"}, 200, Uncertain(detail="no_queue_id")),
        (PAGE | {"queue_id": [QUEUE]}, 200, Uncertain(detail="no_queue_id")),
        ({"credit": 8215}, 400, NotSent(kind=ErrorKind.REFUSED, detail="http_400")),
        ({"credit": 8215}, 500, Uncertain(detail="http_500")),
        # An id.
        (PAGE | {"error": 0}, 200, ACCEPTED),
        (PAGE | {"error": "0"}, 200, ACCEPTED),
        (PAGE | {"error": None}, 201, ACCEPTED),
        (PAGE | {"error": False}, 200, ACCEPTED),
        (PAGE | {"queue_id": int(QUEUE)}, 200, ACCEPTED),
        (PAGE, 400, Uncertain(detail="http_400", provider_id=QUEUE)),
        (PAGE, 500, Uncertain(detail="http_500", provider_id=QUEUE)),
        (PAGE | {"error": 10}, 403, Uncertain(detail="http_403", provider_id=QUEUE)),
        (PAGE | {"error": 10}, 503, Uncertain(detail="http_503", provider_id=QUEUE)),
        (
            PAGE | {"error": "no"},
            200,
            Uncertain(detail="contacts_not_told", provider_id=QUEUE),
        ),
        # An object around it, a list: it cannot be read, but shows an id.
        ({"data": PAGE}, 200, Uncertain(detail="foreign_answer", provider_id=QUEUE)),
        ([PAGE], 200, Uncertain(detail="foreign_answer", provider_id=QUEUE)),
    ],
)
async def test_an_own_answer_is_read_by_its_error_its_id_and_its_status(
    body: Json,
    status: int,
    expected: Accepted | NotSent | Uncertain,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == expected
    assert len(canned.seen) == 1


@pytest.mark.parametrize("body", [{"error": 12}, {"credit": 1}])
@pytest.mark.parametrize("status", ANY)
async def test_some_statuses_count_whoever_answers(
    body: Json, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert isinstance(outcome, NotSent)
    assert outcome.kind is ANY[status]


TEXT = json.dumps(PAGE)
CLEAN = [
    TEXT.encode(),
    b"\xef\xbb\xbf" + TEXT.encode(),
    TEXT.encode("utf-16"),
    TEXT.encode("utf-16-le"),
    f"\r\n\t {TEXT} \r\n\r\n".encode(),
    TEXT.replace("}", ",}").encode(),
    TEXT.replace("}", " ,\r\n }").encode(),
    f"<br/>{TEXT}".encode(),
    f"<br />\n<b>Warning</b>: Undefined array key\n{TEXT}".encode(),
    f"<br />\n<b>Warning</b>: Undefined array key [0] in {{x}}\n{TEXT}".encode(),
    f"Warning: Undefined array key in /x.php on line 3\n{TEXT}".encode(),
    f"<pre>{TEXT}</pre>".encode(),
    TEXT.replace("}", ', "note": "perch\u00e9"}').encode("latin-1"),
]


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/xml", "x/y"])
@pytest.mark.parametrize("body", CLEAN)
async def test_an_answer_is_read_as_if_it_were_clean(
    kind: str, body: bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, headers={"Content-Type": kind})

    result = await client_at(KEY, session, canned.url).send(submission())

    assert only(result) == ACCEPTED
    assert result.credit == Decimal("8.215")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (TEXT[:40].encode(), "unreadable_answer"),
        (TEXT.encode() + b"}", "unreadable_answer"),
        (TEXT.encode() * 2, "unreadable_answer"),
        (b"Buongiorno\n" + TEXT.encode(), "foreign_answer"),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
async def test_what_cannot_be_read_but_shows_an_id_is_a_doubt_with_the_id(
    body: bytes,
    detail: str,
    status: int,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body, status=status)
    client = client_at(KEY, session, canned.url)

    result = await client.send(submission(NUMBER, OTHER_NUMBER))

    doubt = Uncertain(detail=detail if status == 200 else "http_500", provider_id=QUEUE)
    assert result.outcomes == {NUMBER: doubt, OTHER_NUMBER: doubt}
    assert len(canned.seen) == 1


async def test_an_id_in_doubt_is_that_of_a_batch_in_test_mode(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b'{"async":true,"sending_batch_id":"26260000000000001","cre')

    result = await client_at(KEY, session, canned.url).send(submission(mode=Mode.TEST))

    assert only(result) == Uncertain(
        detail="unreadable_answer", provider_id="batch:26260000000000001"
    )


async def test_an_id_that_no_file_can_keep_is_accepted_all_the_same(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(PAGE | {"queue_id": "7\ud800"})

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert isinstance(outcome, Accepted)
    assert outcome.provider_id == "7?"


@pytest.mark.parametrize(
    ("changed", "parts", "cost"),
    [
        ({"sending_sms_count": 255}, 255, "0.2"),
        ({"sending_sms_count": 256}, None, "0.2"),
        ({"sending_sms_count": 10**30}, None, "0.2"),
        ({"sending_sms_count": "2"}, 2, "0.2"),
        ({"sending_cost": 100_000}, 2, "100"),
        ({"sending_cost": 100_001}, 2, None),
        ({"sending_cost": -1}, 2, None),
        ({"sending_cost": "1,112"}, 2, None),
        ({"sending_cost": 10**40}, 2, None),
        ({"sending_cost": None}, 2, None),
        ({"credit": "molto"}, 2, "0.2"),
        ({"credit": 10**40}, 2, "0.2"),
    ],
)
async def test_a_number_beyond_reason_is_not_known_and_changes_nothing_else(
    changed: dict[str, Json],
    parts: int | None,
    cost: str | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(PAGE | changed)

    result = await client_at(KEY, session, canned.url).send(submission())

    assert only(result) == Accepted(
        provider_id=QUEUE, parts=parts, cost=None if cost is None else Decimal(cost)
    )
    is_told = "credit" not in changed
    assert result.credit == (Decimal("8.215") if is_told else None)


@pytest.mark.parametrize(
    "rows",
    [b"<h1>No</h1>", b"", {"deliveries": "x"}, {"error": 3}, {"deliveries": [1, None]}],
)
async def test_a_look_at_the_rows_changes_no_outcome_to_another(
    rows: Json | bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(PAGE)
    canned.answer(rows)

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, BAD_NUMBER)
    )

    doubt = Uncertain(detail="some_dropped", provider_id=QUEUE)
    assert result.outcomes == {NUMBER: doubt, BAD_NUMBER: doubt}


# Anything at all


NUMBERS = (
    st.integers(-2, 1100)
    | st.integers(min_value=10**20, max_value=10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["0", "10", "1.112,24", "1e999", "-0", "", "x", "\ud800", "7"])
)
ODD = NUMBERS | st.none() | st.booleans() | st.lists(NUMBERS, max_size=2)
FIELDS = [
    *("queue_id", "sending_batch_id", "error", "async", "credit"),
    *("sending_contacts_count", "sending_sms_count", "sending_cost"),
    *("count", "limit", "offset"),
]
ROWS = ODD | st.fixed_dictionaries(
    {"receiver": st.sampled_from([NUMBER, NUMBER[1:]]) | ODD},
    optional={"delivery_status": ODD, "reason_code": ODD},
)
WALLETS = ODD | st.fixed_dictionaries({"amount": ODD})
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS, ODD),
        "deliveries": st.lists(ROWS, max_size=4),
        "wallets": st.lists(WALLETS, max_size=2),
    },
)


def as_xml(value: Mapping[str, object]) -> bytes:
    """Return an object as the provider would write it in XML, lists aside."""
    inside = "".join(f"<{name}>{item}</{name}>" for name, item in value.items())
    return f"<response>{inside}</response>".encode(errors="replace")


BODIES = (
    OBJECTS.map(json.dumps).map(str.encode)
    | OBJECTS.map(as_xml)
    | OBJECTS.map(lambda value: json.dumps(value)[:-3].encode())
    | st.binary(max_size=60)
    | st.text(alphabet='<>/{}[]",:; queue_id0response', max_size=80).map(str.encode)
)
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 404, 429, 500, 521])


@pytest.mark.usefixtures("socket_enabled")
def test_no_reader_raises_anything_but_its_error() -> None:
    with asyncio.Runner() as runner:
        canned = runner.run(Canned().__aenter__())

        async def ask(body: bytes, status: int) -> None:
            async with aiohttp.ClientSession() as session:
                client = client_at(KEY, session, canned.url)
                for mode in (Mode.LIVE, Mode.TEST):
                    canned.clear()
                    canned.answer(body, status=status)
                    result = await client.send(
                        submission(NUMBER, OTHER_NUMBER, mode=mode)
                    )
                    posted = [seen for seen in canned.seen if seen.method == "POST"]
                    assert len(posted) == 1
                    for outcome in result.outcomes.values():
                        if isinstance(outcome, Accepted):
                            assert status // 100 == 2
                            assert outcome.provider_id
                            outcome.provider_id.encode()
                with suppress(ProviderError):
                    await client.reports([MessageRef("7", NUMBER, 1)])
                with suppress(ProviderError):
                    await client.validate()
                with suppress(ProviderError):
                    await client.check()

        @settings(
            max_examples=150,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(body=BODIES, status=STATUSES)
        def check(body: bytes, status: int) -> None:
            runner.run(ask(body, status))

        check()
        runner.run(canned.__aexit__(None, None, None))


@given(
    extra=OBJECTS,
    before=st.sampled_from([b"", b"\xef\xbb\xbf", b"<br/>\n", b"\r\n"]),
)
@settings(max_examples=200, deadline=None)
def test_an_accepted_answer_stays_one_whatever_else_it_has(
    extra: dict[str, Json], before: bytes
) -> None:
    body = {**extra, "queue_id": QUEUE, "error": 0}
    answer = Answer(
        status=200,
        content_type="application/json",
        body=before + json.dumps(body).encode(),
    )

    reply = read(answer)
    assert accepted_body(reply, Purpose.SEND)["queue_id"] == QUEUE
    assert reply.shipment_id("queue_id") == QUEUE


UNITS = [
    *("a", "0", " ", "\n", ",", "[", "]", "{", "}", "<", ">", '"', "\\", "é", "\ud800"),
    *('"queue_id":', '"queue_id": "', "<queue_id>", "<queue_id> ", "</queue_id>"),
    *("<response>", "</response>", "<response", "<a>", "<a/>", "<!--", "&#1;", "&a;"),
    *("<queue_id>a", '{"a":', '{"error":1,', '"error":"', "[{}],", "1,", ",}", '\\"'),
]


@pytest.mark.parametrize("start", ["", "<", "{", '{"queue_id":"', "<response>"])
@pytest.mark.parametrize("unit", UNITS)
def test_a_long_answer_of_anything_is_read_in_linear_time(
    start: str, unit: str
) -> None:
    text = start + unit * (LONG // len(unit))
    answer = Answer(
        status=200,
        content_type="text/html",
        body=text.encode(errors="replace"),
    )

    began = process_time()
    reply = read(answer)
    reply.shipment_id("queue_id")
    with suppress(NotAcceptedError, OutcomeUnknownError):
        accepted_body(reply, Purpose.QUESTION)

    assert process_time() - began < QUADRATIC


@pytest.mark.parametrize("tail", [b"", b" " * 70_000])
@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.TEST])
@pytest.mark.parametrize("shows", ["json", "xml", "nothing"])
async def test_an_id_that_arrived_before_the_answer_broke_off_is_kept(
    tail: bytes, mode: Mode, shows: str, session: aiohttp.ClientSession
) -> None:
    name = "sending_batch_id" if mode is Mode.TEST else "queue_id"
    head = {
        "json": f'{{"async": true, "{name}": "7", "cre',
        "xml": f"<response><{name}>7</{name}><cre",
        "nothing": f'{{"async": true, "{name}": "',
    }[shows]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
        writer.write(head.encode() + tail)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = client_at(KEY, session, f"http://127.0.0.1:{port}")
        outcome = only(await client.send(submission(mode=mode)))

    assert isinstance(outcome, Uncertain)
    kept = "batch:7" if mode is Mode.TEST else "7"
    assert outcome.provider_id == (None if shows == "nothing" else kept)
