"""Only the provider's own word counts: all providers, whatever a server answers.

First each status code with own and foreign bodies, by the table of
docs/development/provider-apis/common.md 9; then the oddities of real servers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum, auto
import gzip
import json
import zlib

import aiohttp
import pytest

from custom_components.sms_italia.providers.client import ProviderClient
from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    ErrorKind,
    MessageRef,
    NotSent,
    Outcome,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.transport import Timeouts

from .canned import Canned
from .helpers import KEYS, NUMBER, TEXT, client_at, only, submission
from .test_http_status import DOUBT, NOT_ONLY_UNREACHED, SENDS, TAKEN, Proof

PAGE_TYPE = {"Content-Type": "text/html"}
ID = "123"
MIB = 1024 * 1024
REF = MessageRef(ID, NUMBER)
PAGE = b"<html><head><title>Accesso negato</title></head><body>id: 123</body></html>"


def as_body(value: Json) -> bytes:
    """Return a value as a server writes it, text in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a provider says in its own format.

    `accepted` answers a send. `delivered` and `pending` answer the question about the
    message, `error` anything: it is the provider's, and its code says no more than the
    status code. `proved` answers the harmless question, with HTTP `proved_status`.
    """

    accepted: bytes
    delivered: bytes
    pending: bytes
    error: bytes
    proved: bytes
    proved_status: int = 200


def _row(status: str | None) -> Json:
    return {
        "count": 1,
        "limit": 1000,
        "offset": 0,
        "deliveries": [
            {
                "queue_id": ID,
                "sender": "È già",
                "receiver": NUMBER,
                "delivery_date": None,
                "delivery_status": status,
                "reason_code": None,
            }
        ],
    }


def _found(status: str) -> Json:
    return {
        "metadata": {"count": 1, "offset": 0, "limit": 100},
        "smsList": [
            {
                "id": int(ID),
                "to": NUMBER[1:],
                "text": "È già",
                "status": status,
                "transactionId": "riferimento-1",
                "insertDate": "2026-01-16T13:46:11+0100",
            }
        ],
    }


def _message(delivery: str) -> Json:
    return {
        "id": int(ID),
        "phone": NUMBER[1:],
        "sender_id": "Casa",
        "body": "È già",
        "status": "pending",
        "delivery_status": delivery,
        "country": "IT",
        "url": "https://api.transactionale.com/platform/api/sms/send/123",
    }


WORDS: Mapping[str, Words] = {
    "smsviainternet": Words(
        accepted=as_body(
            {
                "queue_id": ID,
                "async": False,
                "credit": 8215,
                "sending_sms_count": 1,
                "sending_contacts_count": 1,
                "sending_cost": 100,
                "nota": "È già",
            }
        ),
        delivered=as_body(_row("DELIVERED")),
        pending=as_body(_row(None)),
        error=as_body({"credit": 8215}),
        proved=as_body(_row(None)),
    ),
    "smshosting": Words(
        accepted=as_body(
            {
                "from": "Casa",
                "text": "È già",
                "transactionId": "riferimento-1",
                "smsInserted": 1,
                "smsNotInserted": 0,
                "sms": [{"id": int(ID), "to": NUMBER[1:], "status": "INSERTED"}],
            }
        ),
        delivered=as_body(_found("DELIVERED")),
        pending=as_body(_found("PENDING")),
        error=as_body({"errorMsg": "UN_ALTRO", "errorCode": 400}),
        proved=as_body({"name": "È", "credit": 12, "italysms": 100}),
    ),
    "transactionale": Words(
        accepted=as_body(_message("unknown")),
        delivered=as_body(_message("delivered")),
        pending=as_body(_message("unknown")),
        error=as_body({"message": "No", "status_code": 400}),
        proved=as_body({"phone": ["The phone field is required."]}),
        proved_status=400,
    ),
    "inviosmart": Words(
        accepted=b"OK ID:123",
        delivered=f"{ID}:20261212152514:{NUMBER[1:]}:20261212152519:2048:1:0.057".encode(),
        pending=f"{ID}:20261212152514:{NUMBER[1:]}:20261212152519:2:1:0.057".encode(),
        error=b"Error: 1028 - No valid parameters",
        proved=b"Status: 1000 - Balance:112.24|SmsRemainCount:2877",
    ),
}

FOREIGN: Mapping[str, bytes] = {
    "nothing": b"",
    "page": PAGE,
    "text": b"403 Forbidden",
    "object": b"{}",
    "message": b'{"message": "Forbidden"}',
    "error": b'{"error": "Unauthorized", "success": false}',
    "list": b"[]",
    "number": b"123",
}

BY_LINE_OR_ROW = {"inviosmart", "smshosting"}
"""Providers that say of each message whether they took it."""

every_provider = pytest.mark.parametrize("key", KEYS)
every_foreign = pytest.mark.parametrize("name", FOREIGN)


def codes_of_foreign(key: str, name: str) -> list[int]:
    """Return the codes with which a body is not the provider's."""
    # With a code of success, an error in words is SMSviaInternet's.
    words = key == "smsviainternet" and name == "error"
    return [status for status in SENDS if not (words and status // 100 == 2)]


def proof_of(outcome: Outcome) -> Proof:
    """Return what an outcome says."""
    match outcome:
        case Accepted():
            return TAKEN
        case NotSent(kind=kind):
            return kind
        case Uncertain():
            return DOUBT


async def proof_of_question(client: ProviderClient, operation: str) -> Proof | int:
    """Return what a question ends in, or how many reports it brings."""
    try:
        match operation:
            case "reports":
                return len(await client.reports([REF]))
            case "validate":
                await client.validate()
            case _:
                await client.check()
    except NotAcceptedError as refusal:
        return refusal.kind
    except OutcomeUnknownError:
        return DOUBT
    return TAKEN


def sends(canned: Canned) -> int:
    """Return how many requests had the text."""
    first, *_ = TEXT.split()
    return sum(first in seen.body + seen.raw_query for seen in canned.seen)


def allowed_of_own(key: str, status: int) -> set[Proof]:
    """Return what the provider's own error may prove with a status code."""
    own, _ = SENDS[status]
    if own == TAKEN:
        # Without an ID and with an error: a doubt, or a refusal by its code.
        return {DOUBT, ErrorKind.REFUSED}
    if key == "inviosmart" and isinstance(own, ErrorKind):
        # No code is documented for a line, which has a number of its own.
        return {own, ErrorKind.REFUSED}
    return {own}


@every_foreign
@every_provider
async def test_a_foreign_answer_to_a_send_proves_what_the_table_says(
    key: str, name: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    wrong: dict[int, tuple[Proof, Proof]] = {}
    for status in codes_of_foreign(key, name):
        _, expected = SENDS[status]
        canned.clear()
        canned.answer(
            FOREIGN[name], status=status, headers={"Content-Type": "text/html"}
        )

        found = proof_of(only(await client.send(submission())))

        if found != expected:
            wrong[status] = found, expected
        assert sends(canned) == 1
        assert len(canned.seen) == (2 if status == 401 else 1)
    assert wrong == {}


@every_provider
async def test_the_provider_s_own_error_to_a_send_proves_what_the_table_says(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    wrong: dict[int, Proof] = {}
    for status in SENDS:
        if status in {204, 304}:
            continue
        canned.clear()
        canned.answer(WORDS[key].error, status=status)

        found = proof_of(only(await client.send(submission())))

        if found not in allowed_of_own(key, status):
            wrong[status] = found
        assert len(canned.seen) == sends(canned) == 1
    assert wrong == {}


@every_provider
async def test_an_accepted_message_is_that_with_any_code_of_success_and_else_a_doubt(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    wrong: dict[int, Outcome] = {}
    for status in SENDS:
        if status in {204, 304}:
            continue
        canned.clear()
        canned.answer(WORDS[key].accepted, status=status)

        outcome = only(await client.send(submission()))

        match outcome:
            case Accepted(provider_id="123") if status // 100 == 2:
                pass
            case Uncertain(provider_id="123") if status // 100 != 2:
                pass
            case _:
                wrong[status] = outcome
    assert wrong == {}


UNREADABLE: Mapping[str, Callable[[bytes], bytes]] = {
    "cut": lambda body: body[:-2],
    "more": lambda body: body + b"}",
    "twice": lambda body: body + body,
    "with_a_tag": lambda body: body + b' "<soglia>"',
    "too_long": lambda body: body[:-1] + b" " * MIB,
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("key", sorted({*KEYS} - {"inviosmart"}))
async def test_what_cannot_be_read_but_shows_an_id_is_a_doubt_with_it(
    key: str, name: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    """With any code; of lines, an OK is all that is read."""
    client = client_at(key, session, canned.url)
    wrong: dict[int, Outcome] = {}
    for status in SENDS:
        if status in {204, 304}:
            continue
        canned.clear()
        canned.answer(UNREADABLE[name](WORDS[key].accepted), status=status)

        outcome = only(await client.send(submission()))

        if not isinstance(outcome, Uncertain) or outcome.provider_id != ID:
            wrong[status] = outcome
    assert wrong == {}


@every_provider
async def test_what_looks_like_an_id_in_a_page_is_none(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    like = b"" if key == "inviosmart" else WORDS[key].accepted
    page = b"<!doctype html><script>x = " + like + b"</script>"
    wrong: dict[int, Proof] = {}
    for status, (_, expected) in SENDS.items():
        canned.clear()
        canned.answer(page, status=status, headers=PAGE_TYPE)

        found = proof_of(only(await client.send(submission())))

        if found != expected:
            wrong[status] = found
    assert wrong == {}


@every_provider
async def test_a_page_over_every_bound_proves_what_a_short_one_does(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    for status in (302, 400, 401, 403, 404, 413, 429, 500, 503, 521):
        canned.clear()
        canned.answer(PAGE + b"x" * MIB, status=status, headers=PAGE_TYPE)

        sent = proof_of(only(await client.send(submission())))
        asked = await proof_of_question(client, "validate")

        assert sent == SENDS[status][1], status
        assert asked == NOT_ONLY_UNREACHED.get(status, ErrorKind.UNAVAILABLE), status


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "unreadable_answer"),
        (b'{"deliveries": [{"qu', "unreadable_answer"),
        (PAGE, "foreign_answer"),
        (b'{"message": "Forbidden"}', "foreign_answer"),
    ],
)
@every_provider
async def test_a_login_check_says_whether_another_answered_or_nobody_could_be_read(
    key: str,
    body: bytes,
    detail: str,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(body)

    with pytest.raises(ProviderError) as failure:
        await client_at(key, session, canned.url).validate()

    assert failure.value.detail == detail


@pytest.mark.parametrize("operation", ["reports", "validate", "check"])
@every_foreign
@every_provider
async def test_a_foreign_answer_to_a_question_says_that_it_was_not_reached(
    key: str,
    name: str,
    operation: str,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    client = client_at(key, session, canned.url)
    wrong: dict[int, tuple[object, object]] = {}
    for status in codes_of_foreign(key, name):
        canned.clear()
        canned.answer(
            FOREIGN[name], status=status, headers={"Content-Type": "text/html"}
        )
        expected = NOT_ONLY_UNREACHED.get(status, ErrorKind.UNAVAILABLE)
        # To a question about one ID, a 404 of anybody says "no report".
        no_report = operation == "reports" and status == 404

        found = await proof_of_question(client, operation)

        if found != (0 if no_report else expected):
            wrong[status] = found, expected
    assert wrong == {}


@pytest.mark.parametrize("operation", ["reports", "validate", "check"])
@every_provider
async def test_the_provider_s_own_error_never_answers_a_question(
    key: str, operation: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    wrong: dict[int, object] = {}
    for status, (own, _) in SENDS.items():
        if status in {204, 304} or own == TAKEN:
            continue
        canned.clear()
        canned.answer(WORDS[key].error, status=status)

        found = await proof_of_question(client, operation)

        allowed: set[Proof | int] = {*allowed_of_own(key, status)}
        if operation == "reports":
            # One that is refused about a message does not stop the others.
            allowed.add(0)
        if found not in allowed:
            wrong[status] = found
        assert (found is ErrorKind.AUTH) <= (status == 401)
    assert wrong == {}


@every_provider
async def test_the_provider_s_own_answers_are_read(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, canned.url)
    words = WORDS[key]
    canned.answer(words.proved, status=words.proved_status)
    await client.validate()
    for body, expected in (
        (words.delivered, {Status.DELIVERED}),
        (words.pending, {Status.QUEUED, Status.SENT}),
    ):
        canned.clear()
        canned.answer(body)
        (report,) = await client.reports([REF])
        assert report.ref == REF
        assert report.status in expected


# The oddities of servers.


class Reading(Enum):
    """What an answer with an oddity may be read as."""

    AS_CLEAN = auto()
    """As if it were clean: this must be so."""
    CLEAN_OR_DOUBT = auto()
    DOUBT = auto()
    THROTTLED = auto()


type Wire = Callable[[bytes, int], bytes]
"""Makes what goes over the wire, of a body and a status code."""

HEAD = b"HTTP/1.1 %d X\r\n"
JSON_TYPE = b"Content-Type: application/json\r\n"


def reply(
    status: int,
    body: bytes,
    head: bytes = JSON_TYPE,
    length: int | None = None,
) -> bytes:
    """Return an answer; `length` is that in its head, if not the true one."""
    size = len(body) if length is None else length
    return HEAD % status + head + b"Content-Length: %d\r\n\r\n" % size + body


def chunked(body: bytes, size: int, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a body in chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    lines = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return JSON_TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + lines + end


def with_head(head: bytes) -> Wire:
    """Return an answer with these lines in its head."""
    return lambda body, status: reply(status, body, head)


def around(before: bytes = b"", after: bytes = b"", head: bytes = JSON_TYPE) -> Wire:
    """Return an answer with something around its body."""
    return lambda body, status: reply(status, before + body + after, head)


def recoded(encoding: str, head: bytes = JSON_TYPE) -> Wire:
    """Return an answer in another encoding."""
    return lambda body, status: reply(status, body.decode().encode(encoding), head)


def packed(pack: Callable[[bytes], bytes], name: bytes, cut: int = 0) -> Wire:
    """Return a packed answer, without its last `cut` bytes."""

    def wire(body: bytes, status: int) -> bytes:
        content = pack(body)
        head = JSON_TYPE + b"Content-Encoding: " + name + b"\r\n"
        return reply(status, content[: len(content) - cut], head)

    return wire


def cut(tenths: int) -> Wire:
    """Return an answer whose connection breaks after some tenths of the body."""
    return lambda body, status: reply(
        status, body[: len(body) * tenths // 10], length=len(body)
    )


def instead(status: int, body: bytes = b"", head: bytes = b"") -> Wire:
    """Return another answer, whatever the provider's was."""
    return lambda _body, _status: reply(status, body, head)


def at(moment: datetime) -> bytes:
    """Return a Retry-After header with a date."""
    return f"Retry-After: {format_datetime(moment, usegmt=True)}\r\n".encode()


CLEAN, EITHER = Reading.AS_CLEAN, Reading.CLEAN_OR_DOUBT
BROKEN, LATER = Reading.DOUBT, Reading.THROTTLED
WARNING = (
    b"<br />\n<b>Warning</b>: Undefined array key in <b>/x.php</b>[1] on line 3<br />\n"
)
COOKIES = b"Set-Cookie: PHPSESSID=a; path=/\r\nSet-Cookie: b=c\r\n"
SOON = datetime.now(UTC) + timedelta(hours=1)
BEFORE = datetime(2015, 10, 21, tzinfo=UTC)

ODDITIES: Mapping[str, tuple[Reading, Wire]] = {
    "clean": (CLEAN, lambda body, status: reply(status, body)),
    # How it travels.
    "gzip": (CLEAN, packed(gzip.compress, b"gzip")),
    "deflate": (CLEAN, packed(zlib.compress, b"deflate")),
    # aiohttp does not see it: what is cut is as if the server itself had cut it.
    "gzip_cut": (EITHER, packed(gzip.compress, b"gzip", cut=20)),
    "gzip_claimed": (EITHER, packed(bytes, b"gzip")),
    "chunked": (CLEAN, lambda body, status: HEAD % status + chunked(body, 1000)),
    "chunk_by_byte": (CLEAN, lambda body, status: HEAD % status + chunked(body, 1)),
    "chunk_trailers": (
        CLEAN,
        lambda body, status: HEAD % status + chunked(body, 9, b"0\r\nX-A: b\r\n\r\n"),
    ),
    "chunks_without_end": (
        BROKEN,
        lambda body, status: HEAD % status + chunked(body, 9, b""),
    ),
    "chunk_of_no_size": (
        BROKEN,
        lambda body, status: HEAD % status + chunked(body, 9, b"zz\r\n"),
    ),
    "no_length": (
        CLEAN,
        lambda body, status: HEAD % status + JSON_TYPE + b"\r\n" + body,
    ),
    "length_too_long": (
        BROKEN,
        lambda body, status: reply(status, body, length=len(body) + 9),
    ),
    "length_too_short": (
        EITHER,
        lambda body, status: reply(status, body + b"\r\n\r\n", length=len(body)),
    ),
    "http_1_0": (
        CLEAN,
        lambda body, status: b"HTTP/1.0 %d OK\r\n\r\n" % status + body,
    ),
    "no_reason": (
        CLEAN,
        lambda body, status: b"HTTP/1.1 %d\r\n\r\n" % status + body,
    ),
    "line_ends_of_unix": (
        EITHER,
        lambda body, status: b"HTTP/1.1 %d OK\n\n" % status + body,
    ),
    "continue_before": (
        CLEAN,
        lambda body, status: b"HTTP/1.1 100 Continue\r\n\r\n" + reply(status, body),
    ),
    "hints_before": (
        EITHER,
        lambda body, status: b"HTTP/1.1 103 Early Hints\r\n\r\n" + reply(status, body),
    ),
    # What the head says.
    "no_type": (CLEAN, with_head(b"")),
    "type_of_pages": (CLEAN, with_head(b"Content-Type: text/html\r\n")),
    "type_of_pictures": (CLEAN, with_head(b"Content-Type: image/png\r\n")),
    "type_of_nothing": (CLEAN, with_head(b"Content-Type: ;;=\r\n")),
    "lower_case": (CLEAN, with_head(b"content-type: application/json\r\n")),
    "two_types": (CLEAN, with_head(JSON_TYPE + b"Content-Type: text/plain\r\n")),
    "two_lengths": (EITHER, with_head(b"Content-Length: 1\r\n")),
    "unknown_charset": (CLEAN, with_head(b"Content-Type: text/html; charset=x\r\n")),
    "wrong_charset": (CLEAN, with_head(b"Content-Type: a/b; charset=utf-16\r\n")),
    "evil_charset": (CLEAN, with_head(b"Content-Type: a/b; charset=utf-7\r\n")),
    "cookies": (CLEAN, with_head(JSON_TYPE + COOKIES)),
    "location": (CLEAN, with_head(JSON_TYPE + b"Location: http://a.example/\r\n")),
    "retry_after": (CLEAN, with_head(JSON_TYPE + at(SOON))),
    "long_head": (EITHER, with_head(b"X-A: " + b"a" * 20_000 + b"\r\n")),
    "head_in_latin_1": (CLEAN, with_head(b"X-A: \xe8\r\n")),
    # How it is written.
    "bom": (CLEAN, around(b"\xef\xbb\xbf")),
    "bom_after_a_line": (CLEAN, around(b"\r\n\xef\xbb\xbf")),
    "utf_16": (CLEAN, recoded("utf-16")),
    "utf_16_without_a_mark": (CLEAN, recoded("utf-16-le")),
    "utf_32": (CLEAN, recoded("utf-32")),
    "latin_1": (CLEAN, recoded("latin-1")),
    "latin_1_as_utf_8": (
        CLEAN,
        recoded("latin-1", b"Content-Type: text/html; charset=utf-8\r\n"),
    ),
    "utf_8_as_latin_1": (
        CLEAN,
        with_head(b"Content-Type: text/html; charset=iso-8859-1\r\n"),
    ),
    "blanks_around": (CLEAN, around(b"\r\n \t", b" \r\n\r\n")),
    "zeros_after": (CLEAN, around(after=b"\x00\x00")),
    "line_break_before": (CLEAN, around(b"<br/>")),
    "line_break_after": (CLEAN, around(after=b"<br />\n")),
    "comment_after": (CLEAN, around(after=b"\n<!-- 0.02 s -->\n")),
    "warning_before": (CLEAN, around(WARNING)),
    "warnings_before": (CLEAN, around(WARNING * 3)),
    "plain_warning_before": (
        CLEAN,
        around(b"\nWarning: foo(): bar in /x.php on line 3\n"),
    ),
    "garbage_after": (EITHER, around(after=b"\n\xff\xfe\x80 altro")),
    "warning_after": (EITHER, around(after=WARNING)),
    "page_around": (
        EITHER,
        around(b"<html><body>", b"</body></html>", b"Content-Type: text/html\r\n"),
    ),
    "twice": (EITHER, lambda body, status: reply(status, body + body)),
    # Only the beginning of it is read.
    "too_long": (BROKEN, around(b" " * 2 * MIB)),
    # What is not the provider's.
    "nothing_200": (BROKEN, instead(200)),
    "nothing_202": (BROKEN, instead(202)),
    "nothing_204": (BROKEN, instead(204)),
    "page_200": (BROKEN, instead(200, PAGE)),
    "page_with_data": (
        BROKEN,
        instead(
            200,
            b"<!doctype html><script type='application/json'>\n"
            b'{"id": 9, "queue_id": "9", "sms": [], "delivery_status": "delivered"}'
            b"\n</script>",
        ),
    ),
    "redirect": (BROKEN, instead(302, b"", b"Location: /login\r\n")),
    "page_503": (BROKEN, instead(503, PAGE, at(SOON))),
    "throttled": (LATER, instead(429, b"{}", b"Retry-After: 86400\r\n")),
    "throttled_to_a_date": (LATER, instead(429, PAGE, at(SOON))),
    "throttled_to_a_past_date": (LATER, instead(429, b"", at(BEFORE))),
    "throttled_twice": (LATER, instead(429, b"", at(SOON) + b"Retry-After: 7\r\n")),
    "throttled_to_nonsense": (LATER, instead(429, b"", b"Retry-After: presto\r\n")),
    **{f"cut_{tenths}": (BROKEN, cut(tenths)) for tenths in range(10)},
}
"""Each oddity: what it may be read as, and what goes over the wire."""

every_oddity = pytest.mark.parametrize(
    ("reading", "wire"), ODDITIES.values(), ids=ODDITIES
)
PATIENT = Timeouts(connect=5, total=5)


@dataclass(slots=True)
class Server:
    """A server that gives one answer, and the requests that it read."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)

    @property
    def sends(self) -> int:
        """How many requests had the text."""
        first, *_ = TEXT.encode().split()
        return sum(first in request for request in self.requests)


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[Server]:
    """Read a request, write the bytes, hang up; again for each connection."""
    running = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line
        )
        body = await reader.readexactly(int(lines.get(b"content-length", 0)))
        running.requests.append(head + body)
        writer.write(answer)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield running


def with_comma(body: bytes) -> bytes:
    """Return JSON with a comma before each bracket that closes; else the body."""
    return body if b"OK" in body or b":" in body[:4] else body.replace(b"}", b",}")


@every_oddity
@every_provider
async def test_a_send_with_an_oddity_goes_out_once_and_is_never_falsely_accepted(
    key: str, reading: Reading, wire: Wire, session: aiohttp.ClientSession
) -> None:
    async with serving(wire(WORDS[key].accepted, 200)) as server:
        client = client_at(key, session, server.url, timeouts=PATIENT)
        outcome = only(await client.send(submission()))

    assert server.sends == 1
    match reading:
        case Reading.AS_CLEAN:
            assert isinstance(outcome, Accepted)
            assert outcome.provider_id == ID
        case Reading.CLEAN_OR_DOUBT:
            assert isinstance(outcome, Accepted | Uncertain)
            assert outcome.provider_id in {None, ID}
        case Reading.DOUBT:
            assert isinstance(outcome, Uncertain)
        case Reading.THROTTLED:
            assert isinstance(outcome, NotSent)
            assert outcome.kind is ErrorKind.THROTTLED
            assert outcome.retry_after is None or 0 <= outcome.retry_after <= 86_400
    if reading is not Reading.DOUBT:
        assert len(server.requests) == 1


@every_oddity
@every_provider
async def test_a_report_with_an_oddity_is_never_falsely_delivered(
    key: str, reading: Reading, wire: Wire, session: aiohttp.ClientSession
) -> None:
    statuses: list[set[Status]] = []
    for body in (WORDS[key].delivered, WORDS[key].pending):
        async with serving(wire(body, 200)) as server:
            client = client_at(key, session, server.url, timeouts=PATIENT)
            try:
                reports = await client.reports([REF])
            except ProviderError:
                reports = []
        assert {report.ref for report in reports} <= {REF}
        statuses.append({report.status for report in reports})

    delivered, pending = statuses
    assert pending <= {Status.QUEUED, Status.SENT}
    assert delivered <= {Status.DELIVERED}
    if reading is Reading.AS_CLEAN:
        assert delivered
        assert pending
    if reading in {Reading.DOUBT, Reading.THROTTLED}:
        assert not delivered | pending


@every_oddity
@every_provider
async def test_a_login_is_never_falsely_proved_by_an_oddity(
    key: str, reading: Reading, wire: Wire, session: aiohttp.ClientSession
) -> None:
    words = WORDS[key]
    async with serving(wire(words.proved, words.proved_status)) as server:
        client = client_at(key, session, server.url, timeouts=PATIENT)
        found = await proof_of_question(client, "validate")

    assert len(server.requests) == 1
    match reading:
        case Reading.AS_CLEAN:
            assert found == TAKEN
        case Reading.CLEAN_OR_DOUBT:
            assert found in {TAKEN, DOUBT, ErrorKind.UNAVAILABLE}
        case Reading.DOUBT:
            assert found in {DOUBT, ErrorKind.UNAVAILABLE}
        case Reading.THROTTLED:
            assert found is ErrorKind.THROTTLED


@pytest.mark.parametrize("tenths", range(10))
@every_provider
async def test_an_answer_that_the_server_itself_cuts_is_never_not_sent(
    key: str, tenths: int, session: aiohttp.ClientSession
) -> None:
    """With the length of what is left: no client could see a line cut in its number."""
    whole = WORDS[key].accepted
    async with serving(reply(200, whole[: len(whole) * tenths // 10])) as server:
        client = client_at(key, session, server.url, timeouts=PATIENT)
        outcome = only(await client.send(submission()))

    assert server.sends == 1
    assert isinstance(outcome, Accepted | Uncertain)
    assert outcome.provider_id is None or ID.startswith(outcome.provider_id)
    if key != "inviosmart":
        assert isinstance(outcome, Uncertain)


@pytest.mark.parametrize("wire", [cut(9), around(after=b" " * 2 * MIB)], ids=range(2))
@every_provider
async def test_an_id_that_arrived_before_an_answer_broke_off_is_kept(
    key: str, wire: Wire, session: aiohttp.ClientSession
) -> None:
    """Not a number at the end of a line, and not where our reference finds it."""
    async with serving(wire(WORDS[key].accepted, 201)) as server:
        client = client_at(key, session, server.url, timeouts=PATIENT)
        outcome = only(await client.send(submission()))

    assert isinstance(outcome, Uncertain)
    assert outcome.provider_id in {None, ID}
    if key not in BY_LINE_OR_ROW:
        assert outcome.provider_id == ID


@every_provider
async def test_commas_before_brackets_change_nothing(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    words = WORDS[key]
    client = client_at(key, session, canned.url)
    canned.answer(with_comma(words.accepted), status=201)
    canned.answer(with_comma(words.delivered))
    canned.answer(with_comma(words.proved), status=words.proved_status)

    outcome = only(await client.send(submission()))
    (report,) = await client.reports([REF])
    await client.validate()

    assert isinstance(outcome, Accepted)
    assert report.status is Status.DELIVERED
