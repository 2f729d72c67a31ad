"""What the tests of the provider clients share."""

from collections.abc import Mapping

import aiohttp

from custom_components.sms_italia.providers.client import Feature, ProviderClient
from custom_components.sms_italia.providers.model import (
    Encoding,
    Outcome,
    SendResult,
    Submission,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import Timeouts
from simulator import Simulator

KEYS = tuple(PROVIDERS)
WITH_CREDIT = tuple(
    key
    for key, provider in PROVIDERS.items()
    if Feature.CREDIT in provider.capabilities.features
)
SENDER = "Casa"
NUMBER = "+393401234567"
OTHER_NUMBER = "+393407654321"
THIRD_NUMBER = "+393330000111"
BAD_NUMBER = "+390511234"
TEXT = "Finestra aperta in cucina"
TIMEOUTS = Timeouts(connect=5, total=10)
SHORT = Timeouts(connect=5, total=0.5)
"""For a server that does not answer; `total` is what ends the waiting."""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "smsviainternet": {"api_token": "token-Kx81"},
    "smshosting": {"auth_key": "key-Kx82", "auth_secret": "secret-Kx83"},
    "transactionale": {"api_key": "key-Kx84", "sender": SENDER},
    "inviosmart": {
        "username": "user-Kx85",
        "password": "password-Kx86",
        "sender": SENDER,
    },
}
"""Credentials for a server that does not look at them."""


def submission(
    *recipients: str,
    text: str = TEXT,
    sender: str | None = None,
    encoding: Encoding = Encoding.GSM7,
) -> Submission:
    """Return a submission to the recipients, to one if none is given."""
    return Submission(
        reference="riferimento-1",
        recipients=recipients or (NUMBER,),
        text=text,
        encoding=encoding,
        sender=sender,
    )


def only(result: SendResult) -> Outcome:
    """Return the one outcome of a submission to one recipient."""
    (outcome,) = result.outcomes.values()
    return outcome


def client_at(
    key: str,
    session: aiohttp.ClientSession,
    url: str,
    settings: Mapping[str, str] | None = None,
    timeouts: Timeouts = TIMEOUTS,
) -> ProviderClient:
    """Return the provider's client for the API at `url`."""
    return PROVIDERS[key].create(
        session, {**SETTINGS[key], **(settings or {}), "url": url}, timeouts
    )


def client_of(
    simulator: Simulator,
    key: str,
    session: aiohttp.ClientSession,
    timeouts: Timeouts = TIMEOUTS,
    changed: Mapping[str, str] | None = None,
) -> ProviderClient:
    """Return the provider's client for the simulator, with its credentials."""
    settings = {**simulator.credentials(key), "sender": SENDER, **(changed or {})}
    return client_at(key, session, simulator.url(key), settings, timeouts)
