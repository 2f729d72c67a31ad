"""What only some providers have: refused by the others, and safe where it is."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
import logging
from traceback import format_exception

import aiohttp
import pytest

from custom_components.sms_italia.providers.client import Feature, ProviderClient
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cause,
    Channel,
    ErrorKind,
    MessageRef,
    Mode,
    Status,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Simulator
from simulator.faults import HANGS

from .helpers import (
    KEYS,
    NUMBER,
    PICTURE,
    SECRETS,
    SHORT,
    TIMEOUTS,
    WITH_CREDIT,
    Details,
    client_of,
    only,
    secrets_in,
    submission,
)

LATER = datetime(2035, 12, 25, 8, tzinfo=UTC)
NEEDS: dict[Feature, Details] = {
    Feature.SCHEDULE: {"send_at": LATER},
    Feature.PUSH: {"channel": Channel.PUSH},
    Feature.PICTURE_PUSH: {"picture": PICTURE},
    Feature.GROUPS: {"groups": ("7",)},
    Feature.TEST_MODE: {"mode": Mode.TEST},
}
"""What a submission must not have where the feature is missing."""


def without(feature: Feature) -> list[str]:
    """Return the providers that do not have a feature."""
    return [
        key
        for key, provider in PROVIDERS.items()
        if feature not in provider.capabilities.features
    ]


@pytest.mark.parametrize(
    ("feature", "key"),
    [(feature, key) for feature in NEEDS for key in without(feature)],
)
async def test_what_a_provider_does_not_have_is_refused_before_any_request(
    feature: Feature, key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    wanted = submission(NUMBER, **NEEDS[feature])
    client = client_of(simulator, key, session)

    result = await client.send(wanted)
    with pytest.raises(NotAcceptedError) as refusal:
        await client.estimate(wanted)

    assert only(result) == result.refusal
    assert result.refusal is not None
    assert result.refusal.kind is ErrorKind.REFUSED
    assert result.refusal.cause is Cause.UNSUPPORTED is refusal.value.cause
    assert result.mode is None
    assert not simulator.requests


CALLS: dict[str, tuple[Feature, Callable[[ProviderClient], Awaitable[object]]]] = {
    "lookup": (
        Feature.CLIENT_REFERENCE,
        lambda client: client.lookup("riferimento-1", Channel.PUSH),
    ),
    "estimate": (Feature.ESTIMATE, lambda client: client.estimate(submission())),
    "cancel": (
        Feature.CANCEL,
        lambda client: client.cancel([MessageRef("1", NUMBER)]),
    ),
    "create_invitation": (
        Feature.PUSH,
        lambda client: client.create_invitation(NUMBER),
    ),
    "group_sizes": (Feature.GROUPS, lambda client: client.group_sizes()),
    "received": (Feature.RECEIVE, lambda client: client.received(LATER)),
    "picture": (Feature.PICTURE_PUSH, lambda client: client.picture("1")),
    "find_pictures": (
        Feature.PICTURE_PUSH,
        lambda client: client.find_pictures([MessageRef("1", NUMBER)]),
    ),
}
HAVE, LACK = (
    [
        (name, key)
        for name, (feature, _) in CALLS.items()
        for key in KEYS
        if (key in without(feature)) is lacking
    ]
    for lacking in (False, True)
)


@pytest.mark.parametrize(("name", "key"), LACK)
async def test_a_call_that_a_provider_does_not_have_is_refused_as_unsupported(
    name: str, key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    _, call = CALLS[name]

    with pytest.raises(NotAcceptedError) as refusal:
        await call(client_of(simulator, key, session))

    assert refusal.value.cause is Cause.UNSUPPORTED
    assert not simulator.requests


@pytest.mark.parametrize(("name", "key"), HAVE)
@pytest.mark.parametrize("fault", list(Fault))
async def test_a_call_through_a_fault_ends_in_an_answer_or_a_provider_error(  # noqa: PLR0913, PLR0917 - what a case is made of
    name: str,
    key: str,
    fault: Fault,
    simulator: Simulator,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.switch_on(key, "push_plan")
    simulator.inject(key, fault, times=9)
    _, call = CALLS[name]
    client = client_of(
        simulator, key, session, timeouts=SHORT if fault in HANGS else TIMEOUTS
    )

    shown = ""
    try:
        await call(client)
    except ProviderError as failure:
        shown = "".join(format_exception(failure)) + repr(failure)

    assert not simulator.messages
    assert not secrets_in(shown + caplog.text, simulator, key)


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key not in without(Feature.SCHEDULE)]
)
async def test_a_scheduled_message_waits_for_its_moment_at_the_provider(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    outcome = only(
        await client_of(simulator, key, session).send(submission(send_at=LATER))
    )

    (message,) = simulator.messages
    assert isinstance(outcome, Accepted)
    assert outcome.status is Status.QUEUED
    assert message.scheduled == LATER


@pytest.mark.parametrize("key", without(Feature.PUSH))
async def test_push_then_sms_is_an_sms_where_there_is_no_push(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    outcome = only(
        await client_of(simulator, key, session).send(
            submission(channel=Channel.PUSH_THEN_SMS, picture=PICTURE)
        )
    )

    assert isinstance(outcome, Accepted)
    assert len(simulator.messages) == 1


@pytest.mark.parametrize("key", KEYS)
async def test_a_check_proves_the_credentials_and_returns_the_credit_if_it_can(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(key, "7.35")
    client = client_of(simulator, key, session)

    credit = await client.check()

    assert (credit is not None) == (key in WITH_CREDIT)
    assert credit is None or credit.balance == Decimal("7.35")
    assert simulator.requests
    assert not simulator.messages


@pytest.mark.parametrize(("key", "secret"), SECRETS)
async def test_a_check_reports_a_wrong_credential(
    key: str, secret: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, key, session, changed={secret: "sbagliato"})

    with pytest.raises(NotAcceptedError) as refusal:
        await client.check()

    assert refusal.value.kind is ErrorKind.AUTH
