"""The account of a config entry is made of its data and options."""

import pytest

from custom_components.sms_italia.account_setup import read_settings
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
