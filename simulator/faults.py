"""Faults that a test can make a simulated provider have."""

from dataclasses import dataclass, replace
from enum import StrEnum
import json

from .exchange import Answer
from .model import Json, Operation, Provider

HANG_SECONDS = 60
HUGE_BYTES = 8 * 1024 * 1024
DEEP_LEVELS = 100_000
RETRY_AFTER_SECONDS = 7
PAGE = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"


class Fault(StrEnum):
    """What goes wrong; for each, whether the request was worked on before.

    Worked on means that a good send is accepted, stored and charged; a request that
    the provider refuses is refused all the same.
    """

    CUT_BEFORE_ACCEPT = "cut_before_accept"
    """Not worked on: the connection is aborted without an answer."""
    CUT_AFTER_ACCEPT = "cut_after_accept"
    """Worked on, then the connection is aborted without an answer."""
    HANG_BEFORE_ACCEPT = "hang_before_accept"
    """Not worked on: no answer for a minute, or until the client leaves."""
    HANG_AFTER_ACCEPT = "hang_after_accept"
    """Worked on, then no answer for a minute, or until the client leaves."""
    THROTTLED = "throttled"
    """Not worked on: 429, Retry-After 7 seconds."""
    THROTTLED_BARE = "throttled_bare"
    """Not worked on: 429 without Retry-After."""
    SERVER_ERROR_EMPTY = "server_error_empty"
    """Not worked on: 500 with an empty body."""
    SERVER_ERROR_BODY = "server_error_body"
    """Not worked on: 503 with an HTML page."""
    SERVER_ERROR_AFTER_ACCEPT = "server_error_after_accept"
    """Worked on, then 500 with an empty body."""
    HTML = "html"
    """Not worked on: 200 with an HTML page."""
    TRUNCATED_JSON = "truncated_json"
    """Worked on: only the first third of the body, as a complete HTTP answer."""
    WRONG_TYPES = "wrong_types"
    """Worked on: every value has an absurd type; of a text line, letters for digits."""
    HUGE_BODY = "huge_body"
    """Worked on: an answer of 8 MiB, streamed."""
    BAD_ENCODING = "bad_encoding"
    """Worked on: the whole answer is there, with bytes that are not UTF-8."""
    REDIRECT = "redirect"
    """Not worked on: 307 to another address, which would accept the same request."""
    DEEP_JSON = "deep_json"
    """Worked on: the answer is an array nested 100,000 deep."""


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
    }
)
"""The faults that keep the request from being worked on."""

HANGS = frozenset({Fault.HANG_BEFORE_ACCEPT, Fault.HANG_AFTER_ACCEPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault for the next `times` requests, of one operation or (None) of any."""

    fault: Fault
    times: int
    operation: Operation | None


class Faults:
    """The faults that wait for requests, in the order of injection."""

    def __init__(self) -> None:
        """Start without any."""
        self._waiting: dict[Provider, list[Injection]] = {key: [] for key in Provider}

    def inject(self, provider: Provider, injection: Injection) -> None:
        """Add a fault behind those that wait already."""
        self._waiting[provider].append(injection)

    def waiting(self, provider: Provider) -> tuple[Injection, ...]:
        """Return what has not happened yet."""
        return tuple(self._waiting[provider])

    def clear(self) -> None:
        """Forget all that have not happened yet."""
        for waiting in self._waiting.values():
            waiting.clear()

    def take(self, provider: Provider, operation: Operation) -> Fault | None:
        """Return the fault that this request shall have, and use it up."""
        waiting = self._waiting[provider]
        for index, injection in enumerate(waiting):
            if injection.operation in {None, operation}:
                if injection.times > 1:
                    waiting[index] = replace(injection, times=injection.times - 1)
                else:
                    del waiting[index]
                return injection.fault
        return None


def refusal(fault: Fault, elsewhere: str) -> Answer | None:
    """Return the answer of a fault that keeps the request from being worked on.

    `elsewhere` is where a redirect points to. None: there is no answer at all.
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
        case _:
            raise ValueError(fault)
    return Answer(status=status, content_type=content_type, body=body, headers=headers)


def distort(fault: Fault, answer: Answer) -> Answer | None:
    """Return what is left of a good answer; None: there is no answer at all."""
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
            body = json.dumps(_absurd(json.loads(answer.body))).encode()
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


def _absurd(answer: Json) -> Json:
    """Keep the names of an object and give each value a type it never has."""
    if not isinstance(answer, dict):
        return "absurd"
    return {name: _absurd_value(value) for name, value in answer.items()}


def _absurd_value(value: Json) -> Json:
    """Return something of another type."""
    match value:
        case bool():
            return ["absurd"]
        case int() | float():
            return {"absurd": value}
        case str():
            return [value]
        case list():
            return "absurd"
        case dict():
            return 7
        case None:
            return {}
