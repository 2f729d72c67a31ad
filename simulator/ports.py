"""A port of its own for each provider, which can be closed: then it is out of reach."""

from collections.abc import Mapping

from aiohttp import web


class ProviderPorts:
    """The ports of providers on one web server, open or closed one by one."""

    def __init__(self, host: str, numbers: Mapping[str, int]) -> None:
        """Take the port of each provider by its key; 0 takes a free one."""
        self._host = host
        self._numbers = dict(numbers)
        self._runner: web.AppRunner | None = None
        self._sites: dict[str, web.TCPSite] = {}

    @property
    def numbers(self) -> Mapping[str, int]:
        """The port of each provider that has its own; not 0 once it was opened."""
        return self._numbers

    @property
    def opened(self) -> frozenset[str]:
        """The providers that answer on their port."""
        return frozenset(self._sites)

    async def start(self, runner: web.AppRunner) -> None:
        """Open all ports on a web server. Raises OSError if one is taken."""
        self._runner = runner
        for provider in self._numbers:
            await self.open(provider)

    def stop(self) -> None:
        """Forget the web server, which closed all ports when it ended."""
        self._runner = None
        self._sites.clear()

    async def close(self, provider: str) -> None:
        """Refuse connections to a provider, and break those that are open.

        Raises KeyError for a provider without a port of its own.
        """
        port = self._numbers[provider]
        if self._runner is None or (site := self._sites.pop(provider, None)) is None:
            return
        await site.stop()
        server = self._runner.server
        for connection in server.connections if server else ():
            transport = connection.transport
            if transport and transport.get_extra_info("sockname")[1] == port:
                transport.abort()

    async def open(self, provider: str) -> None:
        """Answer at the provider's port, the same one as before.

        Raises KeyError for a provider without a port of its own.
        """
        port = self._numbers[provider]
        if self._runner is None or provider in self._sites:
            return
        site = web.TCPSite(self._runner, self._host, port)
        await site.start()
        self._sites[provider] = site
        self._numbers[provider] = self._runner.addresses[-1][1]
