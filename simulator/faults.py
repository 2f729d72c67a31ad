"""Faults that can be injected into the simulated providers."""

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
import json

from .exchange import Answer
from .model import Json, Operation

HANG_SECONDS = 60
HUGE_BYTES = 8 * 1024 * 1024
DEEP_LEVELS = 100_000
RETRY_AFTER_SECONDS = 7
PAGE = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"


class Fault(StrEnum):
    """What goes wrong; for each, whether the request is carried out before.

    Carried out means that a valid send is accepted, stored and charged; a request
    that the provider refuses is refused all the same.
    """

    CUT_BEFORE_ACCEPT = "cut_before_accept"
    """Not carried out: the connection is aborted without an answer."""
    CUT_AFTER_ACCEPT = "cut_after_accept"
    """Carried out, then the connection is aborted without an answer."""
    HANG_BEFORE_ACCEPT = "hang_before_accept"
    """Not carried out: no answer for a minute, or until the client disconnects."""
    HANG_AFTER_ACCEPT = "hang_after_accept"
    """Carried out, then no answer for a minute, or until the client disconnects."""
    THROTTLED = "throttled"
    """Not carried out: 429, Retry-After 7 seconds."""
    THROTTLED_BARE = "throttled_bare"
    """Not carried out: 429 without Retry-After."""
    SERVER_ERROR_EMPTY = "server_error_empty"
    """Not carried out: 500 with an empty body."""
    SERVER_ERROR_BODY = "server_error_body"
    """Not carried out: 503 with an HTML page."""
    SERVER_ERROR_AFTER_ACCEPT = "server_error_after_accept"
    """Carried out, then 500 with an empty body."""
    HTML = "html"
    """Not carried out: 200 with an HTML page."""
    TRUNCATED_JSON = "truncated_json"
    """Carried out: only the first third of the body, as a complete HTTP answer."""
    WRONG_TYPES = "wrong_types"
    """Carried out: all values have wrong types; text has letters for digits."""
    HUGE_BODY = "huge_body"
    """Carried out: an answer of 8 MiB, streamed."""
    BAD_ENCODING = "bad_encoding"
    """Carried out: the whole answer is there, with bytes that are not UTF-8."""
    REDIRECT = "redirect"
    """Not carried out: 307 to another address, which would accept the same request."""
    TO_HTTPS = "to_https"
    """Not carried out: 301 to the same address by https, where nobody answers."""
    DEEP_JSON = "deep_json"
    """Carried out: the answer is an array nested 100,000 deep."""


BEFORE_ACCEPT = frozenset(
    {
        Fault.CUT_BEFORE_ACCEPT,
        Fault.HANG_BEFORE_ACCEPT,
        Fault.THROTTLED,
        Fault.THROTTLED_BARE,
        Fault.SERVER_ERROR_EMPTY,
        Fault.SERVER_ERROR_BODY,
        Fault.HTML,
        Fault.REDIRECT,
        Fault.TO_HTTPS,
    }
)
"""The faults with which the request is not carried out."""

HANGS = frozenset({Fault.HANG_BEFORE_ACCEPT, Fault.HANG_AFTER_ACCEPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault for the next `times` requests, of one operation or (None) of any."""

    fault: Fault
    times: int
    operation: Operation | None


class Faults:
    """The faults that wait for requests, oldest first."""

    def __init__(self) -> None:
        """Start without any."""
        self._waiting: defaultdict[str, list[Injection]] = defaultdict(list)

    def inject(self, provider: str, injection: Injection) -> None:
        """Add a fault after those that wait already."""
        self._waiting[provider].append(injection)

    def waiting(self, provider: str) -> tuple[Injection, ...]:
        """Return the faults that have not happened yet."""
        return tuple(self._waiting[provider])

    def clear(self) -> None:
        """Forget all that have not happened yet."""
        self._waiting.clear()

    def take(self, provider: str, operation: Operation) -> Fault | None:
        """Return the fault for this request, if any, and count it as used."""
        waiting = self._waiting[provider]
        for index, injection in enumerate(waiting):
            if injection.operation in {None, operation}:
                if injection.times > 1:
                    waiting[index] = replace(injection, times=injection.times - 1)
                else:
                    del waiting[index]
                return injection.fault
        return None


def refusal(fault: Fault, *, elsewhere: str, encrypted: str) -> Answer | None:
    """Return the answer of a fault with which the request is not carried out.

    `elsewhere` and `encrypted` are where redirects point to. None: there is no answer
    at all.
    """
    if fault in {Fault.CUT_BEFORE_ACCEPT, Fault.HANG_BEFORE_ACCEPT}:
        return None
    headers: dict[str, str] = {}
    content_type, body = "text/plain", b""
    match fault:
        case Fault.THROTTLED:
            status = 429
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case Fault.THROTTLED_BARE:
            status = 429
        case Fault.SERVER_ERROR_EMPTY:
            status = 500
        case Fault.SERVER_ERROR_BODY:
            status, content_type, body = 503, "text/html", PAGE
        case Fault.HTML:
            status, content_type, body = 200, "text/html", PAGE
        case Fault.REDIRECT:
            status = 307
            headers = {"Location": elsewhere}
        case Fault.TO_HTTPS:
            status = 301
            headers = {"Location": encrypted}
        case _:
            raise ValueError(fault)
    return Answer(status=status, content_type=content_type, body=body, headers=headers)


def distort(fault: Fault, answer: Answer) -> Answer | None:
    """Return the answer as the fault changes it; None: there is no answer at all."""
    is_json = answer.content_type == "application/json"
    status = answer.status
    match fault:
        case Fault.CUT_AFTER_ACCEPT | Fault.HANG_AFTER_ACCEPT:
            return None
        case Fault.SERVER_ERROR_AFTER_ACCEPT:
            status, body = 500, b""
        case Fault.TRUNCATED_JSON:
            body = answer.body[: len(answer.body) // 3]
        case Fault.WRONG_TYPES if is_json:
            body = json.dumps(_wrong(json.loads(answer.body))).encode()
        case Fault.WRONG_TYPES:
            body = answer.body.translate(bytes.maketrans(b"0123456789", b"abcdefghij"))
        case Fault.HUGE_BODY:
            body = b'{"padding": "' + b"x" * HUGE_BYTES + b'"}'
        case Fault.BAD_ENCODING if is_json and answer.body.startswith(b"{"):
            body = b'{"note": "\xff\xfe\x80", ' + answer.body[1:]
        case Fault.BAD_ENCODING:
            body = answer.body + b" \xff\xfe\x80"
        case Fault.DEEP_JSON:
            body = b"[" * DEEP_LEVELS + b"]" * DEEP_LEVELS
        case _:
            raise ValueError(fault)
    return Answer(
        status=status,
        content_type=answer.content_type,
        body=body,
        headers=answer.headers,
    )


def _wrong(answer: Json) -> Json:
    """Keep the names of an object and give each value a wrong type."""
    if not isinstance(answer, dict):
        return "wrong"
    return {name: _wrong_value(value) for name, value in answer.items()}


def _wrong_value(value: Json) -> Json:
    """Return a value of another type."""
    match value:
        case bool():
            return ["wrong"]
        case int() | float():
            return {"wrong": value}
        case str():
            return [value]
        case list():
            return "wrong"
        case dict():
            return 7
        case None:
            return {}
