"""One session for all providers, whose connections last as long as a burst."""

import asyncio

from homeassistant.core import HomeAssistant
import pytest
from yarl import URL

from custom_components.sms_italia.account_setup import create_client
from custom_components.sms_italia.http_session import async_get_session
from custom_components.sms_italia.providers import PROVIDERS
from custom_components.sms_italia.providers.transport import exchange

from .providers.canned import Canned


async def test_a_cookie_of_a_provider_is_never_kept(hass: HomeAssistant) -> None:
    """A server that trusts its session would take any password then."""
    session = async_get_session(hass)
    address = URL("https://provider.example/")

    session.cookie_jar.update_cookies({"PHPSESSID": "of-the-first"}, address)

    assert not session.cookie_jar.filter_cookies(address)
    for key, provider in PROVIDERS.items():
        settings = {field.key: "123" for field in provider.fields}
        data = {"provider": key, **settings, "url": str(address)}
        # What the clients use is private to them.
        assert create_client(hass, provider, data, {})._session is session  # noqa: SLF001


@pytest.mark.usefixtures("socket_enabled")
async def test_a_connection_is_closed_after_a_second_without_a_message(
    hass: HomeAssistant,
) -> None:
    session = async_get_session(hass)
    async with Canned() as server:
        server.answer(b"OK")
        for pause in (0, 0.2, 2.1):
            await asyncio.sleep(pause)
            await exchange(session, "POST", URL(server.url))

    first, second, third = (one.client_port for one in server.seen)
    assert first == second != third
