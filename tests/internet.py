"""The internet on this machine: hosts that answer over http and over https."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
import socket
import ssl
from typing import override

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from simulator import Simulator
from simulator.tls import certify, server_context

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Internet:
    """Hosts at which a simulated provider answers.

    `at` has what answers instead, by scheme and host. `asked` are the URLs of all
    requests, without their queries.
    """

    def __init__(self, simulator: Simulator, key: str) -> None:
        """Let this provider answer everywhere."""
        self.at: dict[tuple[str, str], Handler] = {}
        self.asked: list[str] = []
        self._url = simulator.url(key)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to any host."""
        self.asked.append(f"{request.scheme}://{request.host}{request.path}")
        handler = self.at.get((request.scheme, request.host), self._pass_on)
        return await handler(request)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        """Answer as the simulated provider."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}{request.raw_path}") as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())


def answer(text: str, status: int = 200) -> Handler:
    """Return a handler that answers this page."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type="text/html")

    return handle


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Cut the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def lead_to_https(request: web.Request) -> web.StreamResponse:
    """Answer as a front server that serves https only."""
    location = f"https://{request.host}{request.raw_path}"
    return web.Response(status=301, headers={"Location": location})


@asynccontextmanager
async def serve(
    handler: Handler, folder: Path, hosts: Sequence[str]
) -> AsyncIterator[aiohttp.ClientSession]:
    """Answer for all hosts over http, and for `hosts` over https.

    Yields a session that finds them here; `folder` takes the certificate.
    """
    certificate = certify(folder, hosts)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    plain, encrypted = TestServer(app), TestServer(app, scheme="https")
    await plain.start_server()
    await encrypted.start_server(ssl=server_context(certificate))
    assert plain.port is not None
    assert encrypted.port is not None
    connector = aiohttp.TCPConnector(
        resolver=_Here({80: plain.port, 443: encrypted.port}),
        ssl=ssl.create_default_context(cafile=str(certificate)),
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session
    await encrypted.close()
    await plain.close()


class _Here(AbstractResolver):
    """Finds every host on this machine."""

    def __init__(self, ports: Mapping[int, int]) -> None:
        """Find what is asked for at these ports at those."""
        self._ports = ports

    @override
    async def resolve(
        self,
        host: str,
        port: int = 80,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the one address."""
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._ports[port],
                family=family,
                proto=0,
                flags=0,
            )
        ]

    @override
    async def close(self) -> None:
        """Close nothing."""
