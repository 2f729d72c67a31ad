"""The HTTP session of all requests to providers."""

import aiohttp
from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import (
    DATA_RESOLVER,
    SERVER_SOFTWARE,
    HomeAssistantTCPConnector,
    async_get_clientsession,
)
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.ssl import SSL_ALPN_HTTP11, SSLCipherList, client_context

from .const import DOMAIN

_SESSION: HassKey[aiohttp.ClientSession] = HassKey(f"{DOMAIN}_session")

_KEPT = 1.0
"""Seconds that a connection is kept after an answer, for the messages of a burst.

The younger it is, the less likely the server closes it just as a text goes out on it,
which would leave that text in doubt.
"""

_LONGEST_HEADER = 64 * 1024
"""Bytes; what Home Assistant's own sessions take."""


@callback
def async_get_session(hass: HomeAssistant) -> aiohttp.ClientSession:
    """Return the session of all requests to providers, which keeps no cookie.

    Otherwise a server that trusts its session would take one account for another, and
    a wrong password for a right one. It lasts as long as Home Assistant: what is on the
    wire when an account is reloaded still gets its answer. Its connections are its own:
    those of Home Assistant's sessions are kept for longer.
    """
    if (session := hass.data.get(_SESSION)) is None:
        session = hass.data[_SESSION] = _create_session(hass)

        async def close(_event: Event) -> None:
            await session.close()

        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, close)
    return session


def _create_session(hass: HomeAssistant) -> aiohttp.ClientSession:
    # It makes the resolver, which all sessions share.
    async_get_clientsession(hass)
    connector = HomeAssistantTCPConnector(
        ssl=client_context(SSLCipherList.PYTHON_DEFAULT, SSL_ALPN_HTTP11),
        resolver=hass.data[DATA_RESOLVER],
        # How many requests are open at a time is decided before they get here.
        limit=0,
        keepalive_timeout=_KEPT,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": SERVER_SOFTWARE},
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )
