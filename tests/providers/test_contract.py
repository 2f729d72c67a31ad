"""What holds for every provider: one suite over the simulator, on real sockets."""

from decimal import Decimal
import inspect
import logging
from traceback import format_exception
from typing import Never, cast

import aiohttp
import pytest

from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cause,
    Credit,
    Encoding,
    ErrorKind,
    MessageRef,
    NotSent,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Operation, Simulator
from simulator.faults import BEFORE_ACCEPT, HANGS

from .helpers import (
    BAD_NUMBER,
    KEYS,
    NUMBER,
    OTHER_NUMBER,
    SECRETS,
    SENDER,
    SHORT,
    TIMEOUTS,
    WITH_CREDIT,
    client_at,
    client_of,
    only,
    refs_of,
    secrets_in,
    submission,
)

MANY = tuple(
    key
    for key, provider in PROVIDERS.items()
    if provider.capabilities.recipients_per_submission > 1
)
WITHOUT_CREDIT = [
    key
    for key, provider in PROVIDERS.items()
    if not provider.capabilities.features & {Feature.CREDIT, Feature.CREDIT_IF_OFFERED}
]

every_provider = pytest.mark.parametrize("key", KEYS)
every_fault = pytest.mark.parametrize("fault", list(Fault))


def sends(simulator: Simulator, key: str) -> int:
    """Return how many requests to send reached the provider."""
    return sum(
        request.operation is Operation.SEND for request in simulator.requests.of(key)
    )


@every_provider
async def test_right_credentials_are_proved_without_a_message(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await client_of(simulator, key, session).validate()

    assert len(simulator.requests.of(key)) == 1
    assert not simulator.messages


@every_provider
async def test_messages_of_a_burst_share_a_connection_unless_they_go_by_get(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    """On a kept connection, aiohttp would send a GET again by itself."""
    client = client_of(simulator, key, session)

    for text in ("uno", "due", "tre"):
        await client.send(submission(text=text))

    sent = [
        one for one in simulator.requests.of(key) if one.operation is Operation.SEND
    ]
    connections = {one.client_port for one in sent}
    assert len(connections) == (3 if sent[0].method == "GET" else 1)


@every_provider
async def test_renewed_credentials_are_still_the_same_customers(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    """All but the customer's name, where that is one of them."""
    before = await client_of(simulator, key, session).customer()
    renewed = {
        name: f"new-{name}"
        for name, value in simulator.credentials(key).items()
        if value != before
    }
    simulator.set_credentials(key, **renewed)

    assert await client_of(simulator, key, session).customer() == before


@pytest.mark.parametrize(("key", "secret"), SECRETS)
async def test_every_call_reports_a_wrong_credential_as_such(
    key: str, secret: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, key, session, changed={secret: "sbagliato"})
    ref = MessageRef("123", NUMBER)

    with pytest.raises(NotAcceptedError) as refusal:
        await client.customer()
    outcome = only(await client.send(submission()))
    with pytest.raises(NotAcceptedError) as report_refusal:
        await client.reports([ref])

    assert refusal.value.kind is ErrorKind.AUTH
    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.AUTH
    assert report_refusal.value.kind is ErrorKind.AUTH


@every_provider
async def test_a_port_where_nobody_listens_is_unavailable_and_not_uncertain(
    key: str, dead_url: str, session: aiohttp.ClientSession
) -> None:
    client = client_at(key, session, dead_url)

    with pytest.raises(NotAcceptedError) as refusal:
        await client.validate()
    outcome = only(await client.send(submission()))

    assert refusal.value.kind is ErrorKind.UNAVAILABLE
    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.UNAVAILABLE


@every_provider
async def test_a_message_arrives_as_it_was_given(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    text = "È l'ora: 21 °C & 50% + {ok}; a=b\nriga?"

    outcome = only(
        await client_of(simulator, key, session).send(
            submission(text=text, sender="Cantina", encoding=Encoding.UCS2)
        )
    )

    (message,) = simulator.messages
    assert isinstance(outcome, Accepted)
    assert outcome.provider_id == message.provider_id
    assert (message.to, message.text, message.sender) == (NUMBER, text, "Cantina")
    assert sends(simulator, key) == 1


class _Stopped(Exception):  # noqa: N818 - not an error
    """The request has come to aiohttp."""


@every_provider
async def test_a_plain_sms_is_four_calls_from_send_to_aiohttp(key: str) -> None:
    frames: list[str] = []

    class Session:
        """Takes the request and looks who made it."""

        def request(self, *_args: object, **_kwargs: object) -> Never:
            """Note the frames of the component on the way here."""
            frame = inspect.currentframe()
            while frame is not None:
                if "sms_italia" in frame.f_globals.get("__name__", ""):
                    frames.append(frame.f_code.co_name)
                frame = frame.f_back
            raise _Stopped

    client = client_at(key, cast("aiohttp.ClientSession", Session()), "http://a.it")

    with pytest.raises(_Stopped):
        await client.send(submission())

    assert len(frames) == 4
    assert (frames[0], frames[-2:]) == ("exchange", ["_send", "send"])


@every_provider
async def test_the_sender_of_the_account_is_used_where_a_message_names_none(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    await client_of(simulator, key, session).send(submission())

    assert [message.sender for message in simulator.messages] == [SENDER]


@pytest.mark.parametrize("key", MANY)
async def test_many_recipients_are_one_request(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    numbers = [f"+3934000{number:05}" for number in range(300)]

    result = await client_of(simulator, key, session).send(submission(*numbers))

    assert list(result.outcomes) == numbers
    assert {type(outcome) for outcome in result.outcomes.values()} == {Accepted}
    assert [message.to for message in simulator.messages] == numbers
    assert len(simulator.requests.of(key)) == 1


@pytest.mark.parametrize("key", MANY)
async def test_one_bad_number_does_not_stop_the_others(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    result = await client_of(simulator, key, session).send(
        submission(NUMBER, BAD_NUMBER, OTHER_NUMBER)
    )

    assert isinstance(result.outcomes[NUMBER], Accepted)
    assert isinstance(result.outcomes[OTHER_NUMBER], Accepted)
    refused = result.outcomes[BAD_NUMBER]
    assert isinstance(refused, NotSent)
    assert refused.kind is ErrorKind.RECIPIENT
    assert [message.to for message in simulator.messages] == [NUMBER, OTHER_NUMBER]
    assert sends(simulator, key) == 1


@every_provider
async def test_a_bad_number_is_not_sent(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    outcome = only(
        await client_of(simulator, key, session).send(submission(BAD_NUMBER))
    )

    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.RECIPIENT
    assert not simulator.messages


@every_provider
async def test_without_credit_nothing_is_sent(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(key, 0)

    outcome = only(await client_of(simulator, key, session).send(submission()))

    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.CREDIT
    assert not simulator.messages


@every_provider
async def test_a_sender_of_twelve_letters_is_refused_as_a_sender(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    outcome = only(
        await client_of(simulator, key, session).send(submission(sender="DodiciLetter"))
    )

    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.SENDER
    assert not simulator.messages


@every_provider
async def test_a_text_beyond_the_most_parts_is_refused_as_a_text(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    too_long = "a" * (153 * PROVIDERS[key].capabilities.max_parts + 1)

    outcome = only(
        await client_of(simulator, key, session).send(submission(text=too_long))
    )

    assert isinstance(outcome, NotSent)
    assert outcome.kind is ErrorKind.TEXT
    assert not simulator.messages


@every_provider
@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ("queued", {Status.QUEUED, Status.SENT}),
        ("sent", {Status.SENT}),
        ("delivered", {Status.DELIVERED}),
        ("failed", {Status.FAILED}),
        ("expired", {Status.FAILED, Status.EXPIRED}),
    ],
)
async def test_a_report_follows_the_message(
    key: str,
    moved: str,
    expected: set[Status],
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    client = client_of(simulator, key, session)
    (ref,) = refs_of(await client.send(submission()))
    (message,) = simulator.messages
    simulator.move(message.id, moved)

    (report,) = await client.reports([ref])

    assert report.ref == ref
    assert report.status in expected


@every_provider
async def test_a_message_that_the_provider_does_not_know_is_left_out_or_refused(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, key, session)
    await client.send(submission())

    try:
        reports = await client.reports([MessageRef("999", NUMBER)])
    except NotAcceptedError as refusal:
        assert refusal.kind is ErrorKind.REFUSED  # noqa: PT017 - one of two good ends
        reports = []

    assert not reports


@pytest.mark.parametrize("key", WITH_CREDIT)
async def test_the_credit_is_in_euro_with_the_sms_left(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(key, "7.35")
    simulator.set_price(key, "0.05")

    credit = await client_of(simulator, key, session).check()

    assert credit == Credit(balance=Decimal("7.35"), sms_left=147)
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("key", WITHOUT_CREDIT)
async def test_where_no_credit_can_be_asked_for_a_check_proves_the_login(
    key: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, key, session)

    assert await client.check() is None
    assert await client.credit_with_push(NUMBER) is None
    simulator.set_credentials(key, **dict.fromkeys(simulator.credentials(key), "new"))
    with pytest.raises(NotAcceptedError) as refusal:
        await client.check()

    assert refusal.value.kind is ErrorKind.AUTH


def expected_outcome(fault: Fault) -> NotSent | type[Accepted | Uncertain]:
    """Return what a send must end in when the provider has the fault."""
    match fault:
        case Fault.THROTTLED:
            return NotSent(kind=ErrorKind.THROTTLED, detail="http_429", retry_after=7)
        case Fault.THROTTLED_BARE:
            return NotSent(kind=ErrorKind.THROTTLED, detail="http_429")
        case Fault.TO_HTTPS:
            return NotSent(
                kind=ErrorKind.UNAVAILABLE,
                detail="http_301",
                cause=Cause.HTTPS_REQUIRED,
            )
        case Fault.BAD_ENCODING:
            return Accepted
        case _:
            return Uncertain


@every_provider
@every_fault
async def test_a_send_through_a_fault_ends_in_what_is_known_and_is_sent_once(
    key: str,
    fault: Fault,
    simulator: Simulator,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.inject(key, fault, operation=Operation.SEND)
    client = client_of(
        simulator, key, session, timeouts=SHORT if fault in HANGS else TIMEOUTS
    )

    outcome = only(await client.send(submission()))

    expected = expected_outcome(fault)
    if isinstance(expected, NotSent):
        assert outcome == expected
    else:
        assert isinstance(outcome, expected)
    assert sends(simulator, key) == 1
    assert len(simulator.messages) == (0 if fault in BEFORE_ACCEPT else 1)
    if isinstance(outcome, NotSent):
        assert not simulator.messages
    assert not secrets_in(repr(outcome) + caplog.text, simulator, key)


@every_provider
@every_fault
async def test_a_report_through_a_fault_claims_nothing_that_is_not_so(
    key: str, fault: Fault, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    refs = refs_of(await client_of(simulator, key, session).send(submission()))
    simulator.inject(key, fault, times=9, operation=Operation.STATUS)
    client = client_of(
        simulator, key, session, timeouts=SHORT if fault in HANGS else TIMEOUTS
    )

    try:
        reports = await client.reports(refs)
    except ProviderError:
        reports = []

    assert {report.status for report in reports} <= {Status.QUEUED, Status.SENT}
    assert len(simulator.messages) == 1


@pytest.mark.parametrize("key", WITH_CREDIT)
@every_fault
async def test_a_credit_through_a_fault_is_right_or_an_error(
    key: str, fault: Fault, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.set_credit(key, "7.35")
    simulator.inject(key, fault, operation=Operation.CREDIT)
    client = client_of(
        simulator, key, session, timeouts=SHORT if fault in HANGS else TIMEOUTS
    )

    try:
        credit = await client.check()
    except ProviderError:
        return

    assert credit is None or credit.balance == Decimal("7.35")


STILL_ANSWERS = {Fault.BAD_ENCODING, Fault.WRONG_TYPES}
"""Faults that change the provider's own answer.

Bytes that are no UTF-8 leave the rest readable, and where the names of fields prove the
key, the types of their values do not matter.
"""


@every_provider
@every_fault
async def test_credentials_are_never_proved_by_a_fault(
    key: str,
    fault: Fault,
    simulator: Simulator,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.inject(key, fault)
    client = client_of(
        simulator, key, session, timeouts=SHORT if fault in HANGS else TIMEOUTS
    )

    failure: ProviderError | None = None
    try:
        await client.validate()
    except (NotAcceptedError, OutcomeUnknownError) as err:
        failure = err

    if failure is None:
        assert fault in STILL_ANSWERS
        return
    assert fault is not Fault.BAD_ENCODING
    assert not isinstance(failure, NotAcceptedError) or (
        failure.kind is not ErrorKind.AUTH
    )
    shown = "".join(format_exception(failure)) + repr(failure)
    assert not secrets_in(shown + caplog.text, simulator, key)


@pytest.mark.parametrize(("key", "secret"), SECRETS)
@every_fault
async def test_a_wrong_credential_is_never_proved_by_a_fault(
    key: str,
    secret: str,
    fault: Fault,
    simulator: Simulator,
    session: aiohttp.ClientSession,
) -> None:
    simulator.inject(key, fault)
    client = client_of(
        simulator,
        key,
        session,
        timeouts=SHORT if fault in HANGS else TIMEOUTS,
        changed={secret: "sbagliato"},
    )

    with pytest.raises((NotAcceptedError, OutcomeUnknownError)):
        await client.validate()
