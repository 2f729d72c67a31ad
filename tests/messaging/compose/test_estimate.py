"""What a text would come to: asked where it can be, else from what was paid."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from custom_components.sms_italia.messaging import (
    BadTarget,
    NumberProblem,
    PhoneNumber,
    Refusal,
    RequestRefusedError,
    SendRequest,
    Target,
    TextEncoding,
    TextEstimate,
)
from custom_components.sms_italia.messaging.compose.estimate import estimate_request
from custom_components.sms_italia.providers import Channel, Encoding

from ..fake import HANGS, MANY, REFERENCE, THROTTLED, Late, Lost, Operation, Reply
from ..helpers import NUMBER, OTHER, Harness, a_request, numbers
from ..virtual import run

ASKED = REFERENCE
"""The provider that can be asked for a price beforehand."""
PAID = MANY
PRICES = {"IT": Decimal("0.05"), "FR": Decimal("0.08")}
ABROAD = "+33612345678"
SATELLITE = Target(number=PhoneNumber("+881612345678", ""), recipient="anna")
ALL = frozenset({"IT", "FR"})


async def estimated(
    harness: Harness,
    send_request: SendRequest,
    **options: Any,  # noqa: ANN401 - as in `Harness.account`
) -> TextEstimate:
    """Return the estimate of a request, where these prices were paid."""

    async def prices() -> Mapping[str, Decimal]:
        return PRICES

    return await estimate_request(
        harness.account(send_request.account, **options),
        send_request,
        harness.time.now(),
        prices=prices,
        answer_by=harness.messenger.answer_by(),
    )


# The text


async def test_the_text_is_shown_as_a_send_would_send_it(harness: Harness) -> None:
    key = PAID
    await harness.attach(key)
    estimate = await harness.messenger.estimate(
        a_request(key, NUMBER, text="21 °C “ok”")
    )
    assert estimate.text == '21 C "ok"'
    assert (estimate.encoding, estimate.parts) == (Encoding.GSM7, 1)
    assert estimate.characters_left == 160 - len(estimate.text)
    assert estimate.costly_characters == ()
    assert not harness.accepted(key)
    await harness.one(key, text="21 °C “ok”")
    assert harness.arrived(key) == [(NUMBER, estimate.text)]


async def test_the_characters_that_cost_are_those_that_go_out(harness: Harness) -> None:
    text = "È caduta 🔥 linea"
    smart = await estimated(harness, a_request(PAID, NUMBER, text=text))
    assert (smart.text, smart.encoding) == (text, Encoding.UCS2)
    assert smart.costly_characters == ("È", "🔥")
    plain = a_request(PAID, NUMBER, text=text, encoding=TextEncoding.GSM7)
    forced = await estimated(harness, plain)
    assert forced.text == "E' caduta ? linea"
    assert forced.costly_characters == ()


async def test_the_encoding_of_the_account_is_the_default(harness: Harness) -> None:
    send_request = a_request(PAID, NUMBER, text="21 °C")
    estimate = await estimated(harness, send_request, encoding=TextEncoding.UNICODE)
    assert (estimate.text, estimate.encoding) == ("21 °C", Encoding.UCS2)
    assert estimate.costly_characters == ("°",)


# What is refused


@pytest.mark.parametrize(
    ("send_request", "reason"),
    [
        (a_request(ASKED, NUMBER, text=" "), Refusal.EMPTY_TEXT),
        (a_request(ASKED, NUMBER, text="x" * 200), Refusal.TOO_MANY_PARTS),
        (a_request(ASKED, NUMBER, sender="Much too long"), Refusal.INVALID_SENDER),
        (a_request(PAID, NUMBER, channel=Channel.PUSH), Refusal.UNSUPPORTED),
        (a_request(ASKED, ABROAD), Refusal.COUNTRY_NOT_ALLOWED),
    ],
    ids=lambda value: value.name if isinstance(value, Refusal) else "",
)
async def test_what_a_send_would_refuse_is_refused(
    harness: Harness, send_request: SendRequest, reason: Refusal
) -> None:
    await harness.attach(send_request.account, max_parts=1)
    with pytest.raises(RequestRefusedError, match=reason):
        await harness.messenger.estimate(send_request)
    assert not harness.calls


async def test_the_limit_of_the_day_refuses_no_question(harness: Harness) -> None:
    await harness.attach(ASKED, daily_limit=1)
    await harness.one(ASKED)
    estimate = await harness.messenger.estimate(a_request(ASKED, NUMBER, OTHER))
    assert estimate.parts == 1


async def test_an_account_that_is_not_there_estimates_nothing(harness: Harness) -> None:
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await harness.messenger.estimate(a_request(ASKED, NUMBER))


async def test_numbers_that_cannot_be_sent_to_do_not_count(harness: Harness) -> None:
    bad = BadTarget(given="niente", problem=NumberProblem.INVALID)
    estimate = await estimated(harness, a_request(PAID, NUMBER, bad, ABROAD, NUMBER))
    assert estimate.cost == Decimal("0.05")


# The cost, where it can be asked for


async def test_the_provider_is_asked_with_all_that_it_is_sent(harness: Harness) -> None:
    harness.client(ASKED).price = Decimal("0.07")
    await harness.attach(ASKED)
    send_request = a_request(ASKED, NUMBER, OTHER, text="x" * 161, sender="Caldaia")
    estimate = await harness.messenger.estimate(send_request)
    assert (estimate.parts, estimate.cost) == (2, Decimal("0.28"))
    (submission,) = harness.client(ASKED).estimated
    assert submission.recipients == (NUMBER, OTHER)
    assert submission.sender == "Caldaia"
    assert submission.text == "x" * 161
    assert submission.encoding is Encoding.GSM7


async def test_many_numbers_are_as_few_questions_as_can_be(
    harness: Harness,
) -> None:
    harness.client(ASKED).price = Decimal("0.07")
    send_request = a_request(ASKED, *numbers(51))
    assert (await estimated(harness, send_request)).cost == Decimal("3.57")
    assert harness.requests(ASKED, Operation.ESTIMATE) == 2


async def test_groups_are_asked_about_once_with_the_first_numbers(
    harness: Harness,
) -> None:
    harness.client(ASKED).price = Decimal("0.07")
    await estimated(harness, a_request(ASKED, *numbers(51), groups=("7",)))
    asked = harness.client(ASKED).estimated
    assert [(len(one.recipients), one.groups) for one in asked] == [
        (50, ("7",)),
        (1, ()),
    ]


@pytest.mark.parametrize("reply", [THROTTLED, Lost.REQUEST, None])
async def test_what_the_provider_does_not_report_is_taken_from_what_was_paid(
    harness: Harness, reply: Reply
) -> None:
    harness.client(ASKED).reply(reply, of=Operation.ESTIMATE)
    send_request = a_request(ASKED, NUMBER, text="x" * 161)
    estimate = await estimated(harness, send_request)
    assert estimate.cost == Decimal("0.10")
    assert harness.requests(ASKED, Operation.ESTIMATE) == 1


@pytest.mark.parametrize("slow", [HANGS, Late(4)])
def test_a_provider_that_is_slow_delays_no_answer(tmp_path: Path, slow: Reply) -> None:
    """Neither with one request nor with several: the last prices say what it costs."""

    async def scenario(harness: Harness) -> None:
        harness.client(ASKED).always(slow, of=Operation.ESTIMATE)
        loop = asyncio.get_running_loop()
        began = loop.time()
        estimate = await estimated(harness, a_request(ASKED, *numbers(150)))
        assert loop.time() - began <= harness.timing.answer
        assert estimate.cost == Decimal("7.50")

    run(tmp_path, scenario)


# The cost, from what was paid


async def test_each_number_costs_what_was_last_paid_in_its_country(
    harness: Harness,
) -> None:
    send_request = a_request(PAID, NUMBER, OTHER, ABROAD, text="x" * 161)
    estimate = await estimated(harness, send_request, allowed_countries=ALL)
    assert estimate.cost == Decimal("0.36")
    assert not harness.client(PAID).calls


async def test_a_country_never_sent_to_has_no_price(harness: Harness) -> None:
    estimate = await estimated(harness, a_request(PAID, NUMBER, SATELLITE))
    assert estimate.cost is None


@pytest.mark.parametrize(
    ("allowed", "cost"), [({"IT"}, "0.05"), ({"FR"}, "0.08"), ({"FR", "IT"}, "0.05")]
)
@pytest.mark.parametrize("key", [PAID, ASKED])
async def test_without_a_number_it_is_the_cost_of_one_at_home(
    harness: Harness, key: str, allowed: set[str], cost: str
) -> None:
    options = {"allowed_countries": frozenset(allowed)}
    estimate = await estimated(harness, a_request(key), **options)
    assert estimate.cost == Decimal(cost)
    assert not harness.client(key).calls


async def test_what_was_paid_for_sms_says_nothing_of_a_push_or_a_group(
    harness: Harness,
) -> None:
    harness.client(ASKED).reply(Lost.REQUEST, of=Operation.ESTIMATE, times=2)
    for options in ({"channel": Channel.PUSH}, {"groups": ("7",)}):
        send_request = a_request(ASKED, NUMBER, **options)
        assert (await estimated(harness, send_request)).cost is None


async def test_what_was_paid_is_known_of_the_messages_that_went_out(
    harness: Harness,
) -> None:
    harness.client(PAID).price = Decimal("0.06")
    await harness.attach(PAID)
    send_request = a_request(PAID, NUMBER, OTHER)
    assert (await harness.messenger.estimate(send_request)).cost is None
    await harness.one(PAID, text="x" * 200)
    assert (await harness.messenger.estimate(send_request)).cost == Decimal("0.12")
