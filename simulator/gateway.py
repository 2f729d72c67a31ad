"""The HTTP side: one path prefix for each provider, with faults injected."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import hdrs, web

from .exchange import Answer, Call, Endpoint, RefusedError, decode_body
from .faults import (
    BEFORE_ACCEPT,
    HANG_SECONDS,
    HANGS,
    Fault,
    Faults,
    distort,
    refusal,
)
from .model import Json, Operation
from .provider import Api
from .store import Store

MAX_BODY_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
LEFT_CHECK_SECONDS = 0.05

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Gateway:
    """Passes requests to the providers, records them, and injects faults."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        apis: Mapping[str, Api],
    ) -> None:
        """Serve these providers, by their keys."""
        self.keeps_connections = True
        self._store = store
        self._faults = faults
        self._closing = asyncio.Event()
        self._apis = apis
        self._endpoints: dict[tuple[str, str], dict[str, Endpoint]] = {}
        for provider, api in apis.items():
            for endpoint in api.endpoints():
                key = provider, endpoint.path
                self._endpoints.setdefault(key, {})[endpoint.method] = endpoint

    def add_routes(self, app: web.Application) -> None:
        """Serve each provider under its prefix, and where redirects lead."""
        keys = "|".join(self._apis)
        for prefix in ("", "/{elsewhere:elsewhere}"):
            for method in _METHODS:
                app.router.add_route(
                    method, f"{prefix}/{{provider:{keys}}}{{path:/.*}}", self._serve
                )

    def open(self) -> None:
        """Allow faults to make requests hang."""
        self._closing.clear()

    def close(self) -> None:
        """End the requests that hang."""
        self._closing.set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to a provider."""
        provider = request.match_info["provider"]
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
            answer = refusal(
                fault,
                elsewhere=f"/elsewhere{request.rel_url}",
                encrypted=f"https://{request.host}{request.rel_url}",
            )
        else:
            answer = _handle(call, endpoints, self._apis[provider])
            if fault is not None:
                answer = distort(fault, answer)
        if fault in HANGS:
            await self._hang(request)
        if answer is None:
            return _cut(request)
        self._store.record_answer(number, answer)
        if fault is Fault.HUGE_BODY:
            return await _stream(request, answer)
        response = web.Response(
            status=answer.status,
            body=answer.body,
            headers={hdrs.CONTENT_TYPE: answer.content_type, **answer.headers},
        )
        if not self.keeps_connections:
            response.force_close()
        return response

    def _find(self, provider: str, path: str) -> tuple[dict[str, Endpoint], str]:
        """Return the endpoints of a path by method, and the value of {id}."""
        if found := self._endpoints.get((provider, path)):
            return found, ""
        head, _, tail = path.rpartition("/")
        return self._endpoints.get((provider, f"{head}/{{id}}"), {}), tail

    async def _hang(self, request: web.Request) -> None:
        """Wait until the client disconnects, the server closes or a minute is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                while request.transport and not request.transport.is_closing():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LEFT_CHECK_SECONDS):
                            await self._closing.wait()
                            return


async def _read(request: web.Request, provider: str, path: str, tail: str) -> Call:
    """Return the request as a provider's handler gets it."""
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
        client_port=_client_port(request),
    )


def _client_port(request: web.Request) -> int:
    """Return the client's port, 0 if the connection is gone."""
    peer = None if request.transport is None else request.get_extra_info("peername")
    return 0 if peer is None else peer[1]


def _handle(call: Call, endpoints: Mapping[str, Endpoint], api: Api) -> Answer:
    """Return the provider's answer; 404 or 405 for an unknown path or method."""
    endpoint = endpoints.get(call.method)
    try:
        if endpoint is None:
            return api.no_endpoint(call, 405 if endpoints else 404)
        return endpoint.handler(call)
    except RefusedError as refused:
        return refused.answer


def _cut(request: web.Request) -> web.Response:
    """Abort the connection; the response that is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _stream(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send the body in pieces; the client may disconnect in between."""
    response = web.StreamResponse(status=answer.status)
    response.content_type = answer.content_type
    with suppress(ConnectionError):
        await response.prepare(request)
        for start in range(0, len(answer.body), CHUNK_BYTES):
            await response.write(answer.body[start : start + CHUNK_BYTES])
    return response
