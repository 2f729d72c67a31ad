"""A line of its own for each provider, which can be cut: then nobody answers there."""

from collections.abc import Mapping

from aiohttp import web

from .model import Provider


class Lines:
    """The ports of the providers on one web server, open or closed one by one."""

    def __init__(self, host: str, ports: Mapping[Provider, int]) -> None:
        """Know the port of each provider; 0 takes a free one."""
        self._host = host
        self._ports = dict(ports)
        self._runner: web.AppRunner | None = None
        self._sites: dict[Provider, web.TCPSite] = {}

    @property
    def ports(self) -> Mapping[Provider, int]:
        """The port of each provider that has a line; not 0 once it was opened."""
        return self._ports

    @property
    def open(self) -> frozenset[Provider]:
        """The providers that answer on their line."""
        return frozenset(self._sites)

    async def start(self, runner: web.AppRunner) -> None:
        """Open all lines on a web server. Raises OSError if a port is taken."""
        self._runner = runner
        for provider in self._ports:
            await self.mend(provider)

    def forget(self) -> None:
        """Know of no open line any more, after the web server ended."""
        self._runner = None
        self._sites.clear()

    async def cut(self, provider: Provider) -> None:
        """Refuse connections to a provider, and break those that are open.

        Raises KeyError for a provider without a line of its own.
        """
        port = self._ports[provider]
        if self._runner is None or (site := self._sites.pop(provider, None)) is None:
            return
        await site.stop()
        server = self._runner.server
        for connection in server.connections if server else ():
            transport = connection.transport
            if transport and transport.get_extra_info("sockname")[1] == port:
                transport.abort()

    async def mend(self, provider: Provider) -> None:
        """Answer again at the same port.

        Raises KeyError for a provider without a line of its own.
        """
        port = self._ports[provider]
        if self._runner is None or provider in self._sites:
            return
        site = web.TCPSite(self._runner, self._host, port)
        await site.start()
        self._sites[provider] = site
        self._ports[provider] = self._runner.addresses[-1][1]
