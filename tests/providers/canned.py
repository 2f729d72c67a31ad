"""A server that gives the answers that a test prepares."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
import json
from types import TracebackType
from typing import Self, override
from urllib.parse import parse_qsl

from aiohttp import web

from custom_components.sms_italia.providers.decoding import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came; `query` is decoded, `raw_query` is as it came.

    `client_port` is that of its connection.
    """

    method: str
    path: str
    query: Mapping[str, str]
    raw_query: str
    headers: Mapping[str, str]
    body: str
    client_port: int = 0

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body, strict_parsing=True))

    @property
    def json(self) -> Json:
        """The body as JSON."""
        value: Json = json.loads(self.body)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An answer that waits to be given."""

    status: int
    body: bytes
    headers: Mapping[str, str]


async def seen_of(request: web.Request) -> Seen:
    """Return a request as tests look at it."""
    peer = request.get_extra_info("peername")
    return Seen(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        raw_query=request.rel_url.raw_query_string,
        headers=request.headers,
        body=(await request.read()).decode("utf-8", "replace"),
        client_port=0 if peer is None else peer[1],
    )


class Listener(ABC):
    """A server on a free port of this machine; `url` is its address."""

    def __init__(self) -> None:
        """Listen to nothing yet."""
        self.url = ""
        self._runner: web.AppRunner | None = None

    @abstractmethod
    async def _serve(self, request: web.Request) -> web.Response:
        """Answer a request."""

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()


class Canned(Listener):
    """Gives the prepared answers in turn; the last one for all that come after."""

    def __init__(self) -> None:
        """Start without any answer."""
        super().__init__()
        self.seen: list[Seen] = []
        self._answers: deque[_Answer] = deque()

    def answer(
        self,
        body: Json | bytes = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare one more answer: bytes as they are, anything else as JSON."""
        raw = (
            body
            if isinstance(body, bytes)
            else json.dumps(body, default=float).encode()
        )
        self._answers.append(_Answer(status=status, body=raw, headers=headers or {}))

    def clear(self) -> None:
        """Forget what came and what was prepared."""
        self.seen.clear()
        self._answers.clear()

    @override
    async def _serve(self, request: web.Request) -> web.Response:
        """Note the request and give the next answer."""
        self.seen.append(await seen_of(request))
        answer = self._answers[0]
        if len(self._answers) > 1:
            self._answers.popleft()
        return web.Response(
            status=answer.status, body=answer.body, headers=answer.headers
        )
