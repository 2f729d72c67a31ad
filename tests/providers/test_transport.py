"""One HTTP exchange: bounded, never repeated, never redirected, never talkative."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
import gzip
from typing import override

import aiohttp
import pytest
from yarl import URL

from custom_components.sms_italia.providers.decoding import Json, salvage_id
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
)
from custom_components.sms_italia.providers.model import ErrorKind
from custom_components.sms_italia.providers.transport import (
    MAX_ANSWER_BYTES,
    SHORT_ANSWER_BYTES,
    Answer,
    Redirect,
    Timeouts,
    Upload,
    exchange,
)

from .canned import Canned

TIMEOUTS = Timeouts(connect=5, total=10)
SHORT = Timeouts(connect=5, total=0.3)
QUERY = {"password": "pw-Zz9", "message": "segreto"}


@dataclass(slots=True)
class RawServer:
    """A TCP server, and the first line of each request that it read."""

    url: URL
    lines: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[RawServer]:
    """Read a request, write the bytes, hang up; again for each connection."""
    running = RawServer(URL())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        running.lines.append(head.split(b"\r\n")[0])
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        running.url = URL(f"http://127.0.0.1:{port}/")
        yield running


def answer(
    body: bytes = b"", status: int = 200, retry_after: float | None = None
) -> Answer:
    """Return an answer as it was read."""
    return Answer(
        status=status, content_type="text/plain", body=body, retry_after=retry_after
    )


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nOK I",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nOK",
        b"HTTP/1.1 zweihundert OK\r\n\r\n",
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=[
        "nothing",
        "half_a_head",
        "half_a_body",
        "half_a_chunk",
        "no_status",
        "garbage",
        "negative_length",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.usefixtures("socket_enabled")
async def test_a_broken_answer_is_a_doubt_and_the_request_went_out_once(
    method: str, reply: bytes, session: aiohttp.ClientSession
) -> None:
    async with raw_server(reply) as server:
        with pytest.raises(OutcomeUnknownError):
            await exchange(session, method, server.url, timeouts=TIMEOUTS, params=QUERY)

    assert len(server.lines) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.usefixtures("socket_enabled")
async def test_an_answer_that_only_claims_to_be_gzip_is_read_as_no_other_or_a_doubt(
    method: str, session: aiohttp.ClientSession
) -> None:
    """Home Assistant gives aiohttp another zlib, which lets such an answer pass."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    async with raw_server(head + b"abc") as server:
        try:
            read = await exchange(session, method, server.url, timeouts=TIMEOUTS)
        except OutcomeUnknownError:
            read = None

    assert read is None or read.body in {b"", b"abc"}
    assert len(server.lines) == 1


@pytest.mark.usefixtures("socket_enabled")
async def test_no_error_tells_the_query(session: aiohttp.ClientSession) -> None:
    async with raw_server(b"") as server:
        with pytest.raises(OutcomeUnknownError) as doubt:
            await exchange(session, "GET", server.url, timeouts=TIMEOUTS, params=QUERY)
    with pytest.raises(NotAcceptedError) as refusal:
        await exchange(session, "GET", server.url, timeouts=TIMEOUTS, params=QUERY)

    for error in (doubt.value, refusal.value):
        assert "pw-Zz9" not in repr(error) + str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__


@pytest.mark.usefixtures("socket_enabled")
async def test_a_message_cut_on_a_kept_connection_is_a_doubt_and_went_out_once(
    session: aiohttp.ClientSession,
) -> None:
    """The server closes what it kept just as the next message arrives."""
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", b""):
            await reader.readuntil(b"\r\n\r\n")
            bodies.append(await reader.readexactly(5))
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await exchange(session, "POST", url, timeouts=TIMEOUTS, data={"id": "10"})
        with pytest.raises(OutcomeUnknownError):
            await exchange(session, "POST", url, timeouts=TIMEOUTS, data={"id": "20"})

    assert bodies == [b"id=10", b"id=20"]


async def test_a_server_that_never_answers_is_a_doubt_after_the_timeout(
    session: aiohttp.ClientSession,
) -> None:
    read = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        read += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(OutcomeUnknownError):
            await exchange(session, "GET", url, timeouts=SHORT)

    assert read == 1


async def test_a_port_where_nobody_listens_never_got_the_request(
    dead_url: str, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(NotAcceptedError) as refusal:
        await exchange(session, "POST", URL(dead_url), timeouts=TIMEOUTS)

    assert refusal.value.kind is ErrorKind.UNAVAILABLE


async def test_a_server_without_tls_never_got_the_request(
    session: aiohttp.ClientSession,
) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(NotAcceptedError) as refusal:
            await exchange(session, "GET", url, timeouts=TIMEOUTS)

    assert refusal.value.kind is ErrorKind.UNAVAILABLE
    assert refusal.value.detail == "ClientConnectorSSLError"


async def test_a_name_without_address_never_got_the_request() -> None:
    class NoNames(aiohttp.abc.AbstractResolver):
        """Knows no name at all, as on a day without internet."""

        @override
        async def resolve(
            self, host: str, port: int = 0, family: int = 0
        ) -> list[aiohttp.abc.ResolveResult]:
            raise OSError(None, f"no name {host}:{port} in {family}")

        @override
        async def close(self) -> None:
            """Have nothing to close."""

    connector = aiohttp.TCPConnector(resolver=NoNames())
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(NotAcceptedError) as refusal:
            await exchange(
                session,
                "GET",
                URL("https://esempio.invalid/"),
                timeouts=TIMEOUTS,
                params=QUERY,
            )

    assert refusal.value.kind is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=status, headers={"Location": f"{canned.url}/altrove"})

    read = await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert read.status == status
    assert len(canned.seen) == 1


@pytest.mark.parametrize(
    ("location", "redirect"),
    [
        (None, None),
        ("", None),
        ("/altrove", None),
        ("http://127.0.0.1/invio/", None),
        ("https://127.0.0.1/invio/", Redirect.TO_HTTPS),
        ("HTTPS://127.0.0.1:443/invio/?testo=ciao#x", Redirect.TO_HTTPS),
        ("https://127.0.0.1/login", None),
        ("https://127.0.0.1/", None),
        ("//127.0.0.1/invio/", None),
        ("//portale.example/invio/", Redirect.ELSEWHERE),
        ("https://portale.example/invio/", Redirect.ELSEWHERE),
        ("http://portale.example/", Redirect.ELSEWHERE),
        ("mailto:a@b", Redirect.ELSEWHERE),
        ("http://[", Redirect.ELSEWHERE),
        ("http://a:99999/", Redirect.ELSEWHERE),
        ("http://xn--a/", Redirect.ELSEWHERE),
        ("//xn--/invio/", Redirect.ELSEWHERE),
    ],
)
async def test_where_an_answer_points_to_is_seen(
    location: str | None,
    redirect: Redirect | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(
        b"", status=301, headers={} if location is None else {"Location": location}
    )

    read = await exchange(session, "GET", URL(canned.url) / "invio/", params=QUERY)

    assert read.redirect is redirect
    assert len(canned.seen) == 1


@pytest.mark.parametrize("status", [200, 201, 400, 401, 404, 500, 503])
@pytest.mark.parametrize("location", ["http://portale.example/", "http://xn--a/"])
async def test_only_a_3xx_points_anywhere(
    status: int, location: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=status, headers={"Location": location})

    read = await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert (read.status, read.redirect) == (status, None)


async def test_a_redirect_in_bytes_that_are_no_text_leads_elsewhere(
    session: aiohttp.ClientSession,
) -> None:
    reply = b"HTTP/1.1 301 M\r\nContent-Length: 0\r\nLocation: http://\xff\xfe/\r\n\r\n"
    async with raw_server(reply) as server:
        read = await exchange(session, "GET", server.url, timeouts=TIMEOUTS)

    assert read.redirect is Redirect.ELSEWHERE


def find_id(text: str) -> str | None:
    """Return the ID of a message."""
    return salvage_id(text, "id")


@pytest.mark.parametrize(
    ("head", "body", "found"),
    [
        (b"Content-Length: 99", b'{"id": 123, "pho', "123"),
        (b"Content-Length: 99", b'{"id": 12', None),
        (b"Content-Length: 99", b"", None),
        (b"Transfer-Encoding: chunked", b'10\r\n{"id": 123, "pho\r\n', "123"),
        (b"Transfer-Encoding: chunked", b'30\r\n{"id": 123, "pho', "123"),
        (b"Transfer-Encoding: chunked", b"zz\r\n", None),
    ],
    ids=range(6),
)
async def test_an_id_that_arrived_before_a_cut_is_kept(
    head: bytes, body: bytes, found: str | None, session: aiohttp.ClientSession
) -> None:
    reply = b"HTTP/1.1 201 Created\r\n" + head + b"\r\n\r\n" + body
    async with raw_server(reply) as server:
        with pytest.raises(OutcomeUnknownError) as doubt:
            await exchange(session, "POST", server.url, find_id=find_id)
        with pytest.raises(OutcomeUnknownError) as without:
            await exchange(session, "POST", server.url)

    assert doubt.value.provider_id == found
    assert doubt.value.outcome.provider_id == found
    assert without.value.provider_id is None
    assert "123" not in repr(doubt.value) + str(doubt.value)


async def test_an_id_that_arrived_before_the_waiting_ended_is_kept(
    session: aiohttp.ClientSession,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 201 OK\r\nContent-Length: 99\r\n\r\n{"id": 123, ')
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(OutcomeUnknownError) as doubt:
            await exchange(session, "POST", url, timeouts=SHORT, find_id=find_id)

    assert doubt.value.provider_id == "123"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("body", [b"x" * 70_000, b'{"id": 7, "x": "' * 5000])
async def test_of_a_long_answer_that_is_no_success_the_beginning_is_enough(
    status: int, body: bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, status=status, headers={"Retry-After": "7"})

    read = await exchange(
        session,
        "POST",
        URL(canned.url),
        timeouts=TIMEOUTS,
        max_bytes=SHORT_ANSWER_BYTES,
        find_id=find_id,
    )

    assert (read.status, read.retry_after) == (status, 7)
    assert read.body == body[:SHORT_ANSWER_BYTES]


@pytest.mark.parametrize("status", [200, 201])
async def test_an_id_in_a_long_answer_of_success_is_kept(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b'{"id": 123, "x": "' + b"x" * SHORT_ANSWER_BYTES, status=status)

    with pytest.raises(OutcomeUnknownError) as doubt:
        await exchange(
            session,
            "POST",
            URL(canned.url),
            max_bytes=SHORT_ANSWER_BYTES,
            find_id=find_id,
        )

    assert doubt.value.detail == "answer_too_long"
    assert doubt.value.provider_id == "123"


async def test_an_answer_is_read_up_to_its_bound_and_not_further(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"a" * MAX_ANSWER_BYTES)
    canned.answer(b"a" * (MAX_ANSWER_BYTES + 1))

    whole = await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)
    with pytest.raises(OutcomeUnknownError) as doubt:
        await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert len(whole.body) == MAX_ANSWER_BYTES
    assert doubt.value.detail == "answer_too_long"


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_bounded_too(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    bomb = gzip.compress(b"a" * 50 * MAX_ANSWER_BYTES)
    canned.answer(bomb, headers={"Content-Encoding": "gzip"})

    with pytest.raises(OutcomeUnknownError) as doubt:
        await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert len(bomb) < MAX_ANSWER_BYTES
    assert doubt.value.detail == "answer_too_long"


async def test_query_form_and_json_travel_as_utf_8(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"")
    text = "È + 50% & più? €=😀\n"

    for method in ("GET", "POST", "PUT"):
        await exchange(
            session,
            method,
            URL(canned.url) / "percorso",
            timeouts=TIMEOUTS,
            params={"testo": text} if method == "GET" else None,
            data={"testo": text} if method == "POST" else None,
            json_body={"testo": text} if method == "PUT" else None,
        )

    assert canned.seen[0].query == {"testo": text}
    assert canned.seen[1].form == {"testo": text}
    assert canned.seen[2].json == {"testo": text}


async def test_no_answer_is_asked_for_packed_where_a_cut_would_not_show(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"OK")

    await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert canned.seen[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("part", ["params", "data", "json_body"])
async def test_half_a_character_is_refused_before_anything_leaves(
    part: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    values = {"testo": "\ud83d"}

    with pytest.raises(NotAcceptedError) as refusal:
        await exchange(
            session,
            "POST",
            URL(canned.url),
            timeouts=TIMEOUTS,
            params=values if part == "params" else None,
            data=values if part == "data" else None,
            json_body=dict(values) if part == "json_body" else None,
        )

    assert refusal.value.kind is ErrorKind.REFUSED
    assert not canned.seen


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y", "\x00", "\ud83d"])
async def test_a_credential_that_no_header_can_carry_is_a_wrong_one(
    value: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(NotAcceptedError) as refusal:
        await exchange(
            session,
            "GET",
            URL(canned.url),
            timeouts=TIMEOUTS,
            headers={"X-Api-Token": value},
        )

    assert refusal.value.kind is ErrorKind.AUTH
    assert not canned.seen


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("99999999999999", 86_400),
        ("-1", None),
        ("presto", None),
        ("", None),
        ("\u0667", None),
        ("Wed, 99 Foo 2020 00:00:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ],
)
async def test_a_wait_is_read_in_seconds_and_bounded(
    header: str,
    seconds: float | None,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(b"", status=429, headers={"Retry-After": header})

    read = await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert read.retry_after == seconds


@pytest.mark.parametrize("ahead", [timedelta(days=-4000), timedelta(hours=1)])
async def test_a_moment_to_come_counts_from_the_time_of_the_server(
    ahead: timedelta, canned: Canned, session: aiohttp.ClientSession
) -> None:
    """Its clock may be wrong, and so may ours."""
    now = datetime.now(UTC) + ahead
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(seconds=90), usegmt=True),
    }
    canned.answer(b"", status=429, headers=headers)

    read = await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert read.retry_after == 90


async def test_a_wait_may_be_a_moment_to_come(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    canned.answer(b"", status=429, headers={"Retry-After": format_datetime(moment)})

    read = await exchange(session, "GET", URL(canned.url), timeouts=TIMEOUTS)

    assert read.retry_after is not None
    assert 3000 < read.retry_after <= 3600


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1.10}', {"a": Decimal("1.10")}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": "è"}'.encode("utf-16"), {"a": "è"}),
        (b" null ", None),
        (b'"\\ud83d"', "\ud83d"),
        (b'{"a": 1,}', {"a": 1}),
        (b'"\xe8"', "è"),
    ],
)
def test_json_is_read_whatever_its_encoding(body: bytes, value: Json) -> None:
    assert answer(body).json() == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": 1',
        b'{"a": NaN}',
        b"[Infinity]",
        b"\x80abc",
        b"[" * 100_000,
        b"9" * 10_000,
        b"1e99999999999999999999",
    ],
    ids=[
        "nothing",
        "html",
        "cut",
        "nan",
        "infinity",
        "no_text",
        "deep",
        "long_number",
        "huge_exponent",
    ],
)
def test_what_is_no_json_is_unreadable_and_nothing_else(body: bytes) -> None:
    with pytest.raises(OutcomeUnknownError):
        answer(body).json()


def test_the_body_stays_out_of_the_representation() -> None:
    assert "segreto" not in repr(answer(b"segreto"))


def test_text_survives_bytes_that_are_none() -> None:
    assert answer(b"OK \xff").text() == "OK ÿ"


async def test_the_charset_of_the_server_counts_for_its_bytes(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"\x80", headers={"Content-Type": 'text/html; charset="cp1252"'})

    read = await exchange(session, "GET", URL(canned.url))

    assert read.text() == "€"
    assert read.content_type == "text/html"


@pytest.mark.parametrize(
    "content_type", ["", ";", "a", "text/html; charset", "text/html; charset=; x", "/"]
)
async def test_a_content_type_that_is_none_does_no_harm(
    content_type: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b'{"a": 1}', headers={"Content-Type": content_type})

    read = await exchange(session, "GET", URL(canned.url))

    assert read.json() == {"a": 1}


async def test_an_upload_goes_as_a_form_whose_texts_name_their_charset(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({})
    upload = Upload(
        name="file", filename="a.png", content_type="image/png", content=b"\x89PNG\r\n"
    )

    await exchange(
        session,
        "POST",
        URL(canned.url),
        timeouts=TIMEOUTS,
        data={"text": "È già\r\n--tardi"},
        upload=upload,
    )

    (seen,) = canned.seen
    boundary = seen.headers["Content-Type"].partition("boundary=")[2]
    _, text, file, end = seen.body.split(f"--{boundary}")
    assert text == (
        '\r\nContent-Disposition: form-data; name="text"\r\n'
        "Content-Type: text/plain; charset=utf-8\r\n\r\nÈ già\r\n--tardi\r\n"
    )
    assert file.startswith(
        '\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    assert end == "--\r\n"


async def test_an_upload_has_more_time_the_bigger_it_is(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    """With no time at all but that which its size gives."""
    canned.answer({})
    none_left = Timeouts(connect=5, total=0.000_001)
    upload = Upload(
        name="file", filename="a", content_type="image/png", content=bytes(640 * 1024)
    )

    received = await exchange(
        session, "POST", URL(canned.url), timeouts=none_left, data={}, upload=upload
    )

    assert received.status == 200


async def test_the_bound_of_an_answer_can_be_another(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"x" * 100)

    received = await exchange(session, "GET", URL(canned.url), max_bytes=100)
    with pytest.raises(OutcomeUnknownError) as failure:
        await exchange(session, "GET", URL(canned.url), max_bytes=99)

    assert len(received.body) == 100
    assert failure.value.detail == "answer_too_long"
