"""The web server: one path prefix for each provider, faults in between."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import hdrs, web

from .exchange import Answer, Api, Call, Endpoint, RefusedError, decode_body
from .faults import (
    BEFORE_ACCEPT,
    HANG_SECONDS,
    HANGS,
    Fault,
    Faults,
    distort,
    refusal,
)
from .model import Json, Operation, Provider
from .store import Store

MAX_BODY_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
LEFT_CHECK_SECONDS = 0.05

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Gateway:
    """Hands requests to the providers, notes them, and makes faults happen."""

    def __init__(self, store: Store, faults: Faults, apis: tuple[Api, ...]) -> None:
        """Serve these providers."""
        self._store = store
        self._faults = faults
        self._closing = asyncio.Event()
        self._endpoints: dict[tuple[Provider, str], dict[str, Endpoint]] = {}
        for api in apis:
            for endpoint in api.endpoints():
                key = api.provider, endpoint.path
                self._endpoints.setdefault(key, {})[endpoint.method] = endpoint

    def add_routes(self, app: web.Application) -> None:
        """Serve each provider under its prefix, and where redirects lead."""
        keys = "|".join(Provider)
        for prefix in ("", "/{elsewhere:elsewhere}"):
            for method in _METHODS:
                app.router.add_route(
                    method, f"{prefix}/{{provider:{keys}}}{{path:/.*}}", self._serve
                )

    def open(self) -> None:
        """Let requests hang again."""
        self._closing.clear()

    def close(self) -> None:
        """Let go of the requests that hang."""
        self._closing.set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to a provider."""
        provider = Provider(request.match_info["provider"])
        path = request.match_info["path"]
        endpoints, tail = self._find(provider, path)
        endpoint = endpoints.get(request.method)
        operation = endpoint.operation if endpoint else Operation.OTHER
        call = await _read(request, provider, path, tail)
        fault = self._faults.take(provider, operation)
        number = self._store.record(
            call,
            provider,
            operation,
            redirected="elsewhere" in request.match_info,
            fault=fault,
        )
        if fault in BEFORE_ACCEPT:
            answer = refusal(fault, f"/elsewhere{request.rel_url}")
        else:
            answer = _work(call, endpoints)
            if fault is not None:
                answer = distort(fault, answer)
        if fault in HANGS:
            await self._hang(request)
        if answer is None:
            return _cut(request)
        self._store.record_answer(number, answer)
        if fault is Fault.HUGE_BODY:
            return await _stream(request, answer)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={hdrs.CONTENT_TYPE: answer.content_type, **answer.headers},
        )

    def _find(self, provider: Provider, path: str) -> tuple[dict[str, Endpoint], str]:
        """Return the endpoints of a path by method, and what stands for {id}."""
        if found := self._endpoints.get((provider, path)):
            return found, ""
        head, _, tail = path.rpartition("/")
        return self._endpoints.get((provider, f"{head}/{{id}}"), {}), tail

    async def _hang(self, request: web.Request) -> None:
        """Wait until the client leaves, the server closes or a minute is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                while request.transport and not request.transport.is_closing():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LEFT_CHECK_SECONDS):
                            await self._closing.wait()
                            return


async def _read(request: web.Request, provider: Provider, path: str, tail: str) -> Call:
    """Return the request as a provider's handler sees it."""
    body = await request.read()
    query = {name: request.query[name] for name in request.query}
    fields, files = decode_body(request.headers.get(hdrs.CONTENT_TYPE, ""), body)
    plain: dict[str, Json] = dict(query)
    return Call(
        method=request.method,
        path=path,
        base_url=f"{request.scheme}://{request.host}/{provider}",
        query=query,
        headers=request.headers,
        body=body,
        fields=plain if request.method == "GET" else fields,
        files=files,
        tail=tail,
    )


def _work(call: Call, endpoints: Mapping[str, Endpoint]) -> Answer:
    """Let the provider work on the request; an unknown path or method is refused."""
    endpoint = endpoints.get(call.method)
    if endpoint is None:
        status = 405 if endpoints else 404
        return Answer(status=status, content_type="text/plain", body=b"")
    try:
        return endpoint.handler(call)
    except RefusedError as refused:
        return refused.answer


def _cut(request: web.Request) -> web.Response:
    """Abort the connection; the response returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _stream(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send the body piece by piece; a client may leave in between."""
    response = web.StreamResponse(status=answer.status)
    response.content_type = answer.content_type
    with suppress(ConnectionError):
        await response.prepare(request)
        for start in range(0, len(answer.body), CHUNK_BYTES):
            await response.write(answer.body[start : start + CHUNK_BYTES])
    return response
