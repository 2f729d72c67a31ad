"""A server that gives the answers that a test writes, each to its own question."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
import json
from types import MappingProxyType
from typing import override

from aiohttp import web

from simulator import Operation

from ..providers.canned import Listener, Seen, seen_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer over HTTP."""

    body: str = ""
    status: int = HTTPStatus.OK
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


type Written = Reply | Callable[[Seen], Reply]
"""An answer, or what makes one of the request."""


def as_json(value: object, status: int = HTTPStatus.OK) -> Reply:
    """Return an answer in JSON."""
    return Reply(body=json.dumps(value), status=status)


def as_html(body: str, status: int = HTTPStatus.OK) -> Reply:
    """Return an answer that is called a page, as lines of text are too."""
    return Reply(body=body, status=status, content_type="text/html")


PROVED: Mapping[str, Reply] = MappingProxyType(
    {
        "smsviainternet": as_json(
            {"count": 0, "limit": 1, "offset": 0, "deliveries": []}
        ),
        "smshosting": as_json({"credit": 12, "italysms": 190}),
        "transactionale": as_json({"phone": ["The phone field is required."]}, 400),
        "inviosmart": as_html("Status: 1000 - Balance:112.24|SmsRemainCount:2877"),
    }
)
"""The answer of each provider that proves a login."""

ID = "15066"
NUMBER = "+393480000000"

ACCEPTED: Mapping[str, Reply] = MappingProxyType(
    {
        "smsviainternet": as_json({"queue_id": ID, "async": False, "credit": 8215}),
        "smshosting": as_json(
            {
                "transactionId": "t1",
                "smsInserted": 1,
                "smsNotInserted": 0,
                "sms": [{"to": NUMBER[1:], "status": "INSERTED", "id": int(ID)}],
            }
        ),
        "transactionale": as_json({"id": int(ID), "status": "pending"}, 201),
        "inviosmart": as_html(f"OK ID:{ID}"),
    }
)
"""The answer of each provider that accepts a text to NUMBER."""

DELIVERED: Mapping[str, Reply] = MappingProxyType(
    {
        "smsviainternet": as_json(
            {
                "count": 1,
                "deliveries": [{"receiver": NUMBER, "delivery_status": "DELIVERED"}],
            }
        ),
        "smshosting": as_json(
            {
                "metadata": {"count": 1, "offset": 0, "limit": 100},
                "smsList": [{"id": int(ID), "to": NUMBER[1:], "status": "DELIVERED"}],
            }
        ),
        "transactionale": as_json({"id": int(ID), "delivery_status": "delivered"}),
        "inviosmart": as_html(
            f"{ID}:20261212152514:{NUMBER[1:]}:20261212152519:2048:1:0.057"
        ),
    }
)
"""The answer of each provider that reports it delivered."""

_OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "sms.json": Operation.SEND,
        "delivery.json": Operation.STATUS,
        "wallets.json": Operation.CREDIT,
        "sms/send": Operation.SEND,
        "search": Operation.STATUS,
        "user": Operation.CREDIT,
        "sendsms/": Operation.SEND,
        "smsstatus/": Operation.STATUS,
        "account-balance/": Operation.CREDIT,
    }
)
"""The question at a path, by its end; the path of a message has its ID there."""


def _operation(seen: Seen) -> Operation:
    """Return the question of a request; what proves the login is asked as credit."""
    if seen.body == "{}" or "from_date" in seen.query:
        return Operation.CREDIT
    for end, operation in _OPERATIONS.items():
        if seen.path.endswith(end):
            return operation
    is_message = seen.method == "GET" and "/send/" in seen.path
    return Operation.STATUS if is_message else Operation.OTHER


class Answers(Listener):
    """The answers to each question, and the requests that came.

    Those to one question are given in turn, the last one from then on. Without any, a
    login is good and nothing else is found.
    """

    def __init__(self, key: str) -> None:
        """Answer in the place of a provider."""
        super().__init__()
        self._key = key
        self._seen: list[tuple[Operation, Seen]] = []
        self._written: defaultdict[Operation, deque[Written]] = defaultdict(deque)

    def write(self, operation: Operation, *replies: Written) -> None:
        """Replace the answers to a question."""
        self._written[operation] = deque(replies)

    def asked(self, operation: Operation) -> list[Seen]:
        """Return the requests with a question, oldest first."""
        return [seen for asked, seen in self._seen if asked is operation]

    @override
    async def _serve(self, request: web.Request) -> web.Response:
        """Note a request and answer it."""
        seen = await seen_of(request)
        operation = _operation(seen)
        self._seen.append((operation, seen))
        reply = self._reply(operation, seen)
        return web.Response(
            status=reply.status,
            body=reply.body.encode(),
            headers={"Content-Type": reply.content_type, **reply.headers},
        )

    def _reply(self, operation: Operation, seen: Seen) -> Reply:
        """Return the next answer to a question."""
        written = self._written[operation]
        if not written:
            is_login = operation is Operation.CREDIT and "wallets" not in seen.path
            return PROVED[self._key] if is_login else Reply(status=404)
        reply = written.popleft() if len(written) > 1 else written[0]
        return reply if isinstance(reply, Reply) else reply(seen)
