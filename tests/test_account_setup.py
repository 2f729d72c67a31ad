"""The account of a config entry is made of its data and options."""

from homeassistant.core import HomeAssistant
import pytest
from yarl import URL

from custom_components.sms_italia.account_setup import (
    async_get_session,
    create_client,
    read_settings,
)
from custom_components.sms_italia.providers import PROVIDERS


@pytest.mark.parametrize(
    ("key", "options", "expected"),
    [
        ("smshosting", {"sandbox": True}, {"sandbox": "true"}),
        ("smshosting", {"sandbox": False}, {"sandbox": "false"}),
        ("smsviainternet", {"gateway": 99}, {"gateway": "99"}),
        ("smshosting", {"channel": "push"}, {"channel": "push"}),
        ("transactionale", {"receive_dlr": "off"}, {"receive_dlr": "off"}),
        ("smsviainternet", {"delivery_email": "a@b.it"}, {"delivery_email": "a@b.it"}),
        ("inviosmart", {"sandbox": True, "daily_limit": 3}, {}),
    ],
)
def test_a_client_gets_its_fields_and_its_own_options(
    key: str, options: dict[str, object], expected: dict[str, str]
) -> None:
    """Nothing of Home Assistant's comes with them."""
    settings = {field.key: f"{field.key} value" for field in PROVIDERS[key].fields}
    data = {"provider": key, **settings}

    assert read_settings(PROVIDERS[key], data, options) == {**settings, **expected}
    assert read_settings(PROVIDERS[key], data, {}) == settings


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
