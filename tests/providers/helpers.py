"""What the tests of the provider clients share."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, Unpack

import aiohttp

from custom_components.sms_italia.providers.client import (
    Feature,
    FieldKind,
    Presence,
    ProviderClient,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Channel,
    Encoding,
    MessageRef,
    Mode,
    Outcome,
    Picture,
    SendResult,
    Submission,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import Timeouts
from simulator import PROVIDERS as SIMULATED, Simulator

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
PNG = b"\x89PNG\r\n\x1a\n\x00--\r\n\xff\r\n"
"""What a multipart form could trip over, in what passes for a picture."""
PICTURE = Picture(content=PNG, filename="cortile.png", content_type="image/png")
TIMEOUTS = Timeouts(connect=5, total=10)
SHORT = Timeouts(connect=5, total=0.5)
"""For a server that does not answer; `total` is what ends the waiting."""

LONG = 256 * 1024
"""Bytes of an answer that would take minutes if each of them cost another pass."""
QUADRATIC = 1
"""Seconds of the processor: far more than such an answer takes that is read in one
pass, and far less than one of which each character costs another pass.
"""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    key: {
        **{name: f"{name}-Kx8" for name in SIMULATED[key].new_account().credentials},
        **{
            field.key: SENDER
            for field in provider.fields
            if field.kind is FieldKind.SENDER and field.presence is Presence.REQUIRED
        },
    }
    for key, provider in PROVIDERS.items()
}
"""Credentials for a server that does not look at them."""

SECRETS = [
    (key, name) for key in KEYS for name in SIMULATED[key].new_account().credentials
]
"""Each credential that the simulated providers check."""


def form_of(key: str) -> list[tuple[str | None, ...]]:
    """Return key, kind, presence, placement and default of each field of the form."""
    return [
        (field.key, field.kind, field.presence, field.placement, field.default)
        for field in PROVIDERS[key].fields
    ]


def secrets_in(shown: str, simulator: Simulator, key: str) -> list[str]:
    """Return the credentials, texts and numbers that stand in what was shown."""
    secrets = [*simulator.credentials(key).values(), TEXT, NUMBER[1:]]
    return [secret for secret in secrets if secret in shown]


class Details(TypedDict, total=False):
    """What a submission may have beyond its recipients."""

    reference: str
    text: str
    encoding: Encoding
    sender: str | None
    callback_url: str | None
    send_at: datetime | None
    channel: Channel | None
    picture: Picture | None
    groups: tuple[str, ...]
    mode: Mode | None
    max_parts: int | None


def submission(*recipients: str, **details: Unpack[Details]) -> Submission:
    """Return a submission to the recipients, to one if none is named."""
    named: Details = {
        "reference": "riferimento-1",
        "text": TEXT,
        "encoding": Encoding.GSM7,
        **details,
    }
    someone = recipients or (() if "groups" in details else (NUMBER,))
    return Submission(recipients=someone, **named)


def only(result: SendResult) -> Outcome:
    """Return the one outcome of a submission to one recipient."""
    (outcome,) = result.outcomes.values()
    return outcome


def refs_of(result: SendResult) -> list[MessageRef]:
    """Return the provider's names for the messages of a result, as far as known."""
    return [
        MessageRef(outcome.provider_id, number)
        for number, outcome in result.outcomes.items()
        if isinstance(outcome, Accepted) and outcome.provider_id is not None
    ]


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
