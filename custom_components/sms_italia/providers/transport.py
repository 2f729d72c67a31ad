"""One HTTP exchange with a provider: bounded, never repeated, never redirected."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
import json
from urllib.parse import quote, urlencode
from uuid import uuid4

import aiohttp
from aiohttp import hdrs
from yarl import URL

from .decoding import Json, decode_json, decode_text
from .errors import NotAcceptedError, OutcomeUnknownError
from .model import ErrorKind

MAX_ANSWER_BYTES = 1024 * 1024
"""A longer answer is not read to its end; if it is a 2xx, it counts as unreadable."""

SHORT_ANSWER_BYTES = 64 * 1024
"""The same for an answer about one account or one submission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one exchange may take, in seconds; `total` includes `connect`."""

    connect: float = 10
    total: float = 30


DEFAULT_TIMEOUTS = Timeouts()

_SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second; an upload gets as much more time as it takes at this speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that goes with a form, under the `name` of a field.

    `filename` must need no quoting in a header.
    """

    name: str
    filename: str
    content_type: str
    content: bytes = field(repr=False)


class Redirect(StrEnum):
    """Where a 3xx points to if that proves something; no redirect is ever followed."""

    TO_HTTPS = "to_https"
    """To the same host and path, by https: the rule of a front server."""
    ELSEWHERE = "elsewhere"
    """To another host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider's server answered: status, content type and the bounded body.

    `charset` is the one that the content type names.
    """

    status: int
    content_type: str
    body: bytes = field(repr=False)
    charset: str | None = None
    retry_after: float | None = None
    redirect: Redirect | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return self.status // 100 == HTTPStatus.OK // 100

    @property
    def is_server_error(self) -> bool:
        """Whether the status is a 5xx."""
        return self.status // 100 == HTTPStatus.INTERNAL_SERVER_ERROR // 100

    def text(self) -> str:
        """Return the body as text, whatever its charset."""
        return decode_text(self.body, self.charset)

    def json(self) -> Json:
        """Return the body as JSON.

        Raises OutcomeUnknownError if it is not JSON, whatever the content type.
        """
        try:
            return decode_json(self.text())
        except ValueError:
            raise OutcomeUnknownError("unreadable_answer") from None


_REDIRECTION = 3
"""The class of the 3xx."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)


class _InterruptedError(Exception):
    """The connection broke after the request may have left."""


async def _never_repeat(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending an idempotent request again by itself.

    On these two errors it silently repeats a GET once, and for a provider that
    sends by GET the repetition is a second SMS. There is no switch for it; an
    exception of another class gets past the repetition.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as err:
        raise _InterruptedError(type(err).__name__) from None


async def exchange(  # noqa: PLR0913 - the parts of an HTTP request
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    upload: Upload | None = None,
    json_body: Mapping[str, Json] | None = None,
    max_bytes: int = MAX_ANSWER_BYTES,
    find_id: Callable[[str], str | None] | None = None,
) -> Answer:
    """Send one request and read the answer up to `max_bytes`.

    A connection on which a POST was answered is kept for the next request, as long as
    the session keeps it; after a GET it is closed.

    The fields of `data` go as a form, with an `upload` as a multipart one. `find_id`
    returns the ID of a message in what arrived of an answer that broke off or is too
    long. Of a longer answer than `max_bytes` the beginning is returned if the status is
    no 2xx: what that proves does not depend on the rest.

    Raises NotAcceptedError if the request certainly never left: kind `unavailable`
    without address, connection or TLS, `auth` for a credential that no header can
    carry, `refused` for a value that is not Unicode text. Raises OutcomeUnknownError
    if it may have left and no whole answer came back, or one that is too long. The
    original exceptions are dropped on purpose: some of them carry the URL with its
    query.
    """
    url, all_headers, body = _prepare(
        method,
        url,
        headers or {},
        params=params,
        data=data,
        upload=upload,
        json_body=json_body,
    )
    total = timeouts.total
    if upload is not None:
        total += len(upload.content) / _SLOWEST_UPLOAD
    received = bytearray()
    try:
        async with session.request(
            method,
            url,
            headers=all_headers,
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=total, connect=timeouts.connect),
            middlewares=(_never_repeat,),
        ) as response:
            async for chunk in response.content.iter_any():
                received += chunk
                if len(received) > max_bytes:
                    response.close()
                    break
            answer = Answer(
                status=response.status,
                content_type=response.content_type,
                body=bytes(received[:max_bytes]),
                charset=response.charset,
                retry_after=_retry_after(response.headers),
                redirect=_redirect(url, response),
            )
    except (
        aiohttp.ClientConnectorError,
        aiohttp.ConnectionTimeoutError,
        aiohttp.InvalidURL,
    ) as err:
        raise NotAcceptedError(
            ErrorKind.UNAVAILABLE, detail=type(err).__name__
        ) from None
    except _InterruptedError as err:
        raise OutcomeUnknownError(str(err)) from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as err:
        found = find_id(decode_text(bytes(received))) if find_id and received else None
        raise OutcomeUnknownError(type(err).__name__, provider_id=found) from None
    if answer.is_success and len(received) > max_bytes:
        found = find_id(answer.text()) if find_id else None
        raise OutcomeUnknownError("answer_too_long", provider_id=found)
    return answer


def _prepare(  # noqa: PLR0913 - the parts of an HTTP request
    method: str,
    url: URL,
    headers: Mapping[str, str],
    *,
    params: Mapping[str, str] | None,
    data: Mapping[str, str] | None,
    upload: Upload | None,
    json_body: Mapping[str, Json] | None,
) -> tuple[URL, Mapping[str, str], bytes | None]:
    """Return the URL with its query, the headers and the body, all encoded.

    Encoding here and not in aiohttp separates an impossible value from a broken
    connection. A space in the query is %20, as in the providers' examples.
    """
    # Only credentials stand in our headers: one that is not printable was mistyped.
    if not all(value.isprintable() for value in headers.values()):
        raise NotAcceptedError(ErrorKind.AUTH, detail="unprintable_credential")
    # Of a packed answer, aiohttp would not see that it was cut.
    all_headers = {**headers, "Accept-Encoding": "identity"}
    if method == hdrs.METH_GET:
        # Where messages are sent by GET, none finds a connection that was kept.
        all_headers["Connection"] = "close"
    body = None
    try:
        if params is not None:
            query = urlencode(params, quote_via=quote)
            url = URL(f"{url}?{query}", encoded=True)
        if upload is not None:
            body, all_headers["Content-Type"] = _multipart(data or {}, upload)
        elif data is not None:
            body = urlencode(data).encode()
            all_headers["Content-Type"] = "application/x-www-form-urlencoded"
        if json_body is not None:
            body = _ENCODER.encode(json_body).encode()
            all_headers["Content-Type"] = "application/json"
    except UnicodeEncodeError:
        raise NotAcceptedError(ErrorKind.REFUSED, detail="not_unicode") from None
    return url, all_headers, body


def _multipart(data: Mapping[str, str], upload: Upload) -> tuple[bytes, str]:
    """Return a multipart form and its content type.

    Each text names its charset: without it, a server may read Latin-1.
    """
    boundary = uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n".encode()
        for name, value in data.items()
    ]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{upload.name}"; '
        f'filename="{upload.filename}"\r\n'
        f"Content-Type: {upload.content_type}\r\n\r\n".encode(),
        upload.content,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _redirect(url: URL, response: aiohttp.ClientResponse) -> Redirect | None:
    """Return where a 3xx points to, as seen from the request's URL.

    What cannot be parsed is not the request's own host.
    """
    location = response.headers.get("Location")
    if location is None or response.status // 100 != _REDIRECTION:
        return None
    try:
        target = url.join(URL(location))
        # Only here a host that cannot be decoded raises.
        is_same_host = target.host == url.host
    except ValueError:
        return Redirect.ELSEWHERE
    if not is_same_host:
        return Redirect.ELSEWHERE
    to_https = (url.scheme, target.scheme) == ("http", "https")
    is_same_path = target.raw_path == url.raw_path
    return Redirect.TO_HTTPS if to_https and is_same_path else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for, at most a day.

    A moment counts from the server's own time, where it says that: our clock, or its,
    may be wrong.
    """
    header = headers.get("Retry-After", "").strip()
    if header.isascii() and header.isdecimal():
        return min(float(header[:9]), 86_400)
    with suppress(ValueError, TypeError, OverflowError):
        moment = parsedate_to_datetime(header).astimezone(UTC)
        wait = (moment - _now_of(headers)).total_seconds()
        return min(max(wait, 0), 86_400)
    return None


def _now_of(headers: Mapping[str, str]) -> datetime:
    """Return the server's time, ours if it does not say."""
    with suppress(ValueError, TypeError, OverflowError):
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    return datetime.now(UTC)
