"""Whatever a server answers, a client gives an outcome and never falls over."""

import asyncio
from contextlib import suppress
import json
import time

import aiohttp
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import ProviderError
from custom_components.sms_italia.providers.model import (
    Accepted,
    Channel,
    MessageRef,
    Mode,
    NotSent,
    Status,
    Uncertain,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import (
    MAX_ANSWER_BYTES,
    SHORT_ANSWER_BYTES,
)

from .canned import Canned
from .helpers import (
    KEYS,
    NUMBER,
    OTHER_NUMBER,
    PICTURE,
    client_at,
    submission,
)

NAMES = st.sampled_from(
    [
        "queue_id",
        "async",
        "credit",
        "sending_sms_count",
        "sending_contacts_count",
        "sending_cost",
        "error",
        "deliveries",
        "limit",
        "receiver",
        "delivery_status",
        "reason_code",
        "sms",
        "smsList",
        "id",
        "to",
        "status",
        "statusDetail",
        "price",
        "errorMsg",
        "errors",
        "phone",
        "body",
        "italysms",
        "sending_batch_id",
        "transactionId",
        "pushInserted",
        "smsInserted",
        "smsNotInserted",
        "type",
        "multimediaContent",
        "metadata",
        "count",
        "cost",
        "pushAvailable",
        "msisdn",
        "url",
        "wallets",
        "amount",
    ]
)
WORDS = st.sampled_from(
    [NUMBER, NUMBER[1:], "7", "INSERTED", "DELIVERED", "delivered", "sent", "x" * 300]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-2, max_value=2**300)
    | st.floats()
    | WORDS
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8)
    ),
    max_leaves=12,
)
LINES = st.from_regex(
    r"(OK ID|Status|Error|Balance|7)[: ]{0,2}[0-9]{0,5}"
    r"([ :|-]{0,3}[A-Za-z0-9.-]{0,6}){0,7}",
    fullmatch=True,
)
TAGS = NAMES | st.sampled_from(["response", "delivery", "wallets", "amount"])
MARKUP = st.recursive(
    st.tuples(TAGS, SCALARS).map(lambda pair: f"<{pair[0]}>{pair[1]}</{pair[0]}>"),
    lambda inner: st.tuples(TAGS, st.lists(inner, max_size=6)).map(
        lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0]}>"
    ),
    max_leaves=12,
)
BODIES = (
    MARKUP.map(str.encode)
    | st.dictionaries(NAMES, VALUES, max_size=12).map(json.dumps).map(str.encode)
    | VALUES.map(json.dumps).map(str.encode)
    | LINES.map(str.encode)
    | st.binary(max_size=40)
)
TYPES = st.sampled_from(
    ["application/json", "application/xml", "text/html", "image/png"]
)
CODES = st.sampled_from([200, 200, 200, 201, 400, 401, 404, 422, 429, 500])


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.usefixtures("socket_enabled")
def test_any_answer_gives_outcomes_and_no_other_exception(key: str) -> None:
    with asyncio.Runner() as runner:
        canned, session = runner.run(start())

        @settings(
            max_examples=100,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(body=BODIES, status=CODES, content_type=TYPES)
        def check(body: bytes, status: int, content_type: str) -> None:
            canned.clear()
            canned.answer(body, status=status, headers={"Content-Type": content_type})
            runner.run(ask_everything(key, canned, session))

        check()
        runner.run(stop(canned, session))


async def start() -> tuple[Canned, aiohttp.ClientSession]:
    """Return a listening server and a session."""
    return await Canned().__aenter__(), aiohttp.ClientSession()


async def stop(canned: Canned, session: aiohttp.ClientSession) -> None:
    """Close what `start` opened."""
    await session.close()
    await canned.__aexit__(None, None, None)


async def ask_everything(
    key: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    """Call all that a client has, and check that each answer is one of its kind."""
    client = client_at(key, session, canned.url)
    capabilities = PROVIDERS[key].capabilities
    many = capabilities.recipients_per_submission > 1
    finds = Feature.CLIENT_REFERENCE in capabilities.features
    recipients = (NUMBER, OTHER_NUMBER) if many else (NUMBER,)

    result = await client.send(submission(*recipients))
    pushed = await client.send(
        submission(*recipients, channel=Channel.PUSH_THEN_SMS, picture=PICTURE)
    )
    tried = await client.send(submission(*recipients, mode=Mode.TEST))

    for answered in (result, pushed, tried):
        assert tuple(answered.outcomes) == recipients
        for outcome in answered.outcomes.values():
            match outcome:
                case Accepted(provider_id=provider_id):
                    # In test mode, the sandbox may give no id; who finds a submission
                    # by our reference needs none.
                    assert provider_id or finds or answered is tried
                case NotSent() | Uncertain():
                    assert NUMBER[1:] not in repr(outcome)
    with suppress(ProviderError):
        reports = await client.reports([MessageRef("7", NUMBER)])
        assert {report.ref for report in reports} <= {MessageRef("7", NUMBER)}
        assert all(isinstance(report.status, Status) for report in reports)
    with suppress(ProviderError):
        credit = await client.credit_with_push(NUMBER)
        assert credit is None or credit.balance.is_finite()
    with suppress(ProviderError):
        assert await client.estimate(submission(*recipients)) >= 0
    ref = MessageRef("7", NUMBER)
    with suppress(ProviderError):
        assert [one.ref for one in await client.cancel([ref])] == [ref]
    with suppress(ProviderError):
        assert set(await client.find_pictures([ref])) <= {ref}
    with suppress(ProviderError):
        assert (await client.picture("7")).content_type.startswith("image/")
    with suppress(ProviderError):
        assert (await client.create_invitation(NUMBER)).number == NUMBER
    with suppress(ProviderError):
        await client.lookup("riferimento-1", Channel.PUSH)


ROW: Json = {
    "id": 7,
    "to": NUMBER[1:],
    "status": "DELIVERED",
    "receiver": NUMBER,
    "delivery_status": "DELIVERED",
}
REPEATED: dict[str, str | list[Json]] = {
    "letter": "a",
    "comma": "BAD_X,",
    "digit": "1",
    "word": ["phone"],
    "empty": [{}],
    "nested": [[["x"]]],
    "row": [ROW],
}
"""What a long value is made of."""

QUADRATIC_IN_ALL = 10
"""Seconds of the processor for all questions, each with an answer up to its bound."""


def long_value(name: str, size: int) -> Json:
    """Return a value of about so many bytes in JSON."""
    if name == "keys":
        return {f"k{number}": ["x"] for number in range(size // 18)}
    value = REPEATED[name]
    length = len(value) if isinstance(value, str) else len(json.dumps(value))
    return value * (size // length)


@pytest.mark.parametrize("name", [*REPEATED, "keys"])
@pytest.mark.parametrize(
    ("key", "field", "status", "size"),
    [
        ("smsviainternet", "deliveries", 200, MAX_ANSWER_BYTES),
        ("smsviainternet", "wallets", 200, SHORT_ANSWER_BYTES),
        ("smsviainternet", "error", 400, SHORT_ANSWER_BYTES),
        ("smshosting", "sms", 200, MAX_ANSWER_BYTES),
        ("smshosting", "smsList", 200, MAX_ANSWER_BYTES),
        ("smshosting", "errorMsg", 400, MAX_ANSWER_BYTES),
        ("smshosting", "credit", 200, SHORT_ANSWER_BYTES),
        ("transactionale", "errors", 400, 4 * SHORT_ANSWER_BYTES),
        ("transactionale", "phone", 400, 4 * SHORT_ANSWER_BYTES),
        ("transactionale", "id", 200, 4 * SHORT_ANSWER_BYTES),
    ],
)
async def test_a_well_formed_answer_up_to_its_bound_is_read_in_linear_time(  # noqa: PLR0913, PLR0917 - what it is made of
    key: str,
    field: str,
    status: int,
    size: int,
    name: str,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    """What cannot be decoded never reaches the readers behind the decoder."""
    body = json.dumps({field: long_value(name, size - 200), "count": 0}).encode()
    assert size * 3 // 4 < len(body) <= size
    canned.answer(body, status=status)
    client = client_at(key, session, canned.url)

    begun = time.process_time()
    await ask_everything(key, canned, session)
    client.parse_report(body)
    client.parse_refusal(body, "riferimento-1")

    assert time.process_time() - begun < QUADRATIC_IN_ALL


async def test_an_id_that_is_a_number_is_not_shown_in_a_doubt(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"queue_id": NUMBER[1:], "sending_contacts_count": "x"})

    result = await client_at("smsviainternet", session, canned.url).send(submission())

    assert isinstance(result.outcomes[NUMBER], Uncertain)
    assert NUMBER[1:] not in repr(result.outcomes[NUMBER])


def test_the_generated_bodies_reach_the_happy_path() -> None:
    """Keep the property above from passing on refusals alone."""
    reached: set[Json] = set()

    @settings(max_examples=500, deadline=None, derandomize=True)
    @given(body=BODIES)
    def collect(body: bytes) -> None:
        if b'"queue_id": "' in body and b'"sending_contacts_count": ' in body:
            reached.add("shipment")
        if body.startswith(b"OK ID:"):
            reached.add("line")

    collect()
    assert reached == {"shipment", "line"}
