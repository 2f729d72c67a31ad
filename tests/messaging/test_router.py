"""Which account takes a message, and that no text goes out twice by our doing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import override

import aiohttp
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from yarl import URL

from custom_components.sms_italia.messaging.account import Account
from custom_components.sms_italia.messaging.book import (
    CredentialsRefused,
    CreditChanged,
    CreditTold,
)
from custom_components.sms_italia.messaging.errors import OrderRefusedError, Refusal
from custom_components.sms_italia.messaging.model import Stage
from custom_components.sms_italia.providers.client import ProviderClient, same_for_all
from custom_components.sms_italia.providers.errors import NotAcceptedError
from custom_components.sms_italia.providers.model import (
    Accepted,
    ErrorKind,
    MessageRef,
    Report,
    SendResult,
    Status,
    Submission,
)
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import Timeouts
from simulator import Fault, Simulator, Toggle

from .helpers import (
    LANDLINE,
    NUMBER,
    OTHER,
    SHORT,
    STILL,
    TEXT,
    THIRD,
    House,
    Line,
    numbers,
    until,
)

DOUBTFUL = (
    Fault.CUT_BEFORE_ACCEPT,
    Fault.CUT_AFTER_ACCEPT,
    Fault.HANG_BEFORE_ACCEPT,
    Fault.HANG_AFTER_ACCEPT,
    Fault.SERVER_ERROR_EMPTY,
    Fault.SERVER_ERROR_BODY,
    Fault.SERVER_ERROR_AFTER_ACCEPT,
    Fault.HTML,
    Fault.TRUNCATED_JSON,
    Fault.WRONG_TYPES,
    Fault.HUGE_BODY,
    Fault.BAD_ENCODING,
    Fault.DEEP_JSON,
)
"""The faults after which nobody can know whether the text left."""

REFUSING = (Fault.THROTTLED_BARE, Fault.REDIRECT)
"""The faults that prove that nothing was accepted."""

TAKEN = {Status.QUEUED, Status.SENT}


@pytest.fixture(autouse=True)
def _still(house: House) -> None:
    """Let no second attempt and no status question come by itself."""
    house.use(pace=STILL)


# Batches


@pytest.mark.parametrize(
    ("key", "count", "requests"),
    [
        ("smsviainternet", 5000, 1),
        ("smsviainternet", 5001, 2),
        ("smshosting", 5000, 1),
        ("smshosting", 5001, 2),
        ("transactionale", 3, 3),
        ("inviosmart", 3, 3),
    ],
)
async def test_many_numbers_cost_one_request_for_each_batch_the_provider_takes(
    house: House, key: str, count: int, requests: int
) -> None:
    house.simulator.set_credit(key, 10_000)
    await house.attach(key, daily_limit=0)
    messages = await house.send(key, *numbers(count))
    assert house.requests(key) == requests
    assert len(messages) == len(house.accepted(key)) == count
    assert {one.status for one in messages} <= TAKEN
    assert len({one.submission for one in messages}) == requests


@pytest.mark.parametrize("key", PROVIDERS)
async def test_one_bad_number_does_not_stop_the_others(house: House, key: str) -> None:
    await house.attach(key)
    first, bad, last = await house.send(key, NUMBER, LANDLINE, OTHER)
    assert (bad.status, bad.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert {first.status, last.status} <= TAKEN
    assert sorted(house.arrived(key)) == [(NUMBER, TEXT), (OTHER, TEXT)]


async def test_numbers_of_which_none_is_good_each_fail_for_themselves(
    house: House,
) -> None:
    house.simulator.switch_on("smshosting", Toggle.STRICT_RECIPIENTS)
    await house.attach("smshosting")
    messages = await house.send("smshosting", LANDLINE, "+390212345678", "+39055123456")
    assert {one.error for one in messages} == {ErrorKind.RECIPIENT}
    assert {one.status for one in messages} == {Status.FAILED}


class PickyClient(ProviderClient):
    """A client of a provider that refuses all numbers because of a bad one."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Talk to nobody."""
        super().__init__(session, URL("http://127.0.0.1"))
        self.sent: list[tuple[str, ...]] = []

    @override
    async def validate(self) -> None:
        """Do nothing."""

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Take good numbers only."""
        self.sent.append(submission.recipients)
        if LANDLINE in submission.recipients:
            raise NotAcceptedError(ErrorKind.RECIPIENT)
        taken = Accepted(provider_id=submission.reference)
        return SendResult(outcomes=same_for_all(submission, taken))

    @override
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Know nothing."""
        return []


@pytest.mark.parametrize("place", [0, 3, 9])
async def test_one_bad_number_that_gets_all_refused_is_found(
    house: House, session: aiohttp.ClientSession, place: int
) -> None:
    picky = PickyClient(session)
    good = house.account("smsviainternet")
    await house.messenger.attach(replace(good, client=picky))
    to = numbers(9)
    to.insert(place, LANDLINE)
    messages = await house.send("smsviainternet", *to)
    assert [one.number for one in messages if one.status is Status.FAILED] == [LANDLINE]
    taken = [
        number for batch in picky.sent if LANDLINE not in batch for number in batch
    ]
    assert sorted(taken) == numbers(9)
    # Halves of halves, not one by one.
    assert len(picky.sent) <= 9


async def test_a_number_given_twice_gets_one_message(house: House) -> None:
    await house.attach("smsviainternet")
    messages = await house.send("smsviainternet", NUMBER, OTHER, NUMBER)
    assert [one.number for one in messages] == [NUMBER, OTHER]
    assert len(house.accepted("smsviainternet")) == 2


# Refusals


REFUSED_BY: dict[ErrorKind, dict[str, object]] = {
    ErrorKind.AUTH: {"settings": {"auth_key": "wrong"}},
    ErrorKind.SENDER: {"sender": "Casa*"},
    ErrorKind.DUPLICATE: {"repeat_marker": False},
}
"""The settings of an account whose messages are refused for a reason."""


OF_A_PROVIDER = [kind for kind in ErrorKind if kind is not ErrorKind.CANCELLED]
"""The reasons for which a provider refuses a message."""


async def refuse(house: House, kind: ErrorKind) -> Account:
    """Attach an account whose next message is refused for this reason."""
    key = "transactionale" if kind is ErrorKind.TEXT else "smshosting"
    simulated = house.simulator.account(key)
    url = house.simulator.url(key)
    match kind:
        case ErrorKind.CREDIT:
            simulated.credit = Decimal(0)
        case ErrorKind.RECIPIENT:
            simulated.blocked.add(NUMBER)
        case ErrorKind.THROTTLED:
            house.simulator.inject(key, Fault.THROTTLED)
        case ErrorKind.UNAVAILABLE:
            house.line.down()
            url = house.line.url(key)
        case ErrorKind.REFUSED:
            url = f"{url}/nowhere"
        case _:
            pass
    account = await house.attach(
        key, url=url, fallback=("smsviainternet",), **REFUSED_BY.get(kind, {})
    )
    if kind is ErrorKind.DUPLICATE:
        await house.one(key)
    return account


def text_for(kind: ErrorKind) -> str:
    """Return a text; a long one where the text itself is to be refused."""
    return "x" * 153 * 11 if kind is ErrorKind.TEXT else TEXT


@pytest.mark.parametrize("kind", OF_A_PROVIDER)
async def test_what_an_account_refuses_fails_for_that_reason_or_waits(
    house: House, kind: ErrorKind
) -> None:
    account = await refuse(house, kind)
    message = await house.one(account.id, text=text_for(kind))
    waits = kind in {ErrorKind.THROTTLED, ErrorKind.UNAVAILABLE}
    assert message.status is (Status.QUEUED if waits else Status.FAILED)
    assert message.error is kind
    assert await house.latest(message) == message


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.THROTTLED, ErrorKind.THROTTLED),
        (Fault.REDIRECT, ErrorKind.UNAVAILABLE),
    ],
)
async def test_an_account_that_does_not_retry_fails_at_once(
    house: House, fault: Fault, kind: ErrorKind
) -> None:
    house.simulator.inject("smsviainternet", fault)
    await house.attach("smsviainternet", retry_for=0)
    message = await house.one("smsviainternet")
    assert (message.status, message.error) == (Status.FAILED, kind)


@pytest.mark.parametrize("kind", OF_A_PROVIDER)
async def test_another_account_takes_what_it_can_cure(
    house: House, kind: ErrorKind
) -> None:
    await house.attach("smsviainternet")
    account = await refuse(house, kind)
    message = await house.one(account.id, text=text_for(kind))
    if kind in {ErrorKind.RECIPIENT, ErrorKind.TEXT}:
        assert message.status is Status.FAILED
        assert message.carrier == account.id
        assert not house.simulator.requests.of("smsviainternet")
    else:
        assert message.status in TAKEN
        assert message.carrier == "smsviainternet"
        assert message.error is None
        assert message.dispatch.account == account.id
        assert house.arrived("smsviainternet") == [(NUMBER, TEXT)]


async def test_fallbacks_are_tried_in_their_order_until_one_takes_it(
    house: House,
) -> None:
    for key, wrong in (
        ("smsviainternet", {"api_token": "wrong"}),
        ("smshosting", {"auth_key": "wrong"}),
    ):
        await house.attach(key, settings=wrong)
    await house.attach("inviosmart")
    await house.attach(
        "transactionale",
        settings={"api_key": "wrong"},
        fallback=("smshosting", "smsviainternet", "inviosmart"),
    )
    message = await house.one("transactionale")
    assert message.carrier == "inviosmart"
    assert [one.provider for one in house.simulator.requests] == [
        "transactionale",
        "smshosting",
        "smsviainternet",
        "inviosmart",
    ]


async def test_the_first_refusal_is_the_one_that_is_told(house: House) -> None:
    house.simulator.set_credit("smshosting", 0)
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=("smshosting",)
    )
    message = await house.one("smsviainternet")
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)
    assert message.submission is None


async def test_a_number_that_a_fallback_knows_to_be_bad_goes_no_further(
    house: House,
) -> None:
    await house.attach("inviosmart")
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet",
        settings={"api_token": "wrong"},
        fallback=("smshosting", "inviosmart"),
    )
    bad, good = await house.send("smsviainternet", LANDLINE, NUMBER)
    assert (bad.status, bad.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert good.carrier == "smshosting"
    assert not house.simulator.requests.of("inviosmart")


@pytest.mark.parametrize("fallback", [(), ("altro",), ("smsviainternet",)])
async def test_a_fallback_that_is_not_there_is_passed_over(
    house: House, fallback: tuple[str, ...]
) -> None:
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=fallback
    )
    message = await house.one("smsviainternet")
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)
    assert house.requests("smsviainternet") == 1


async def test_a_message_waits_if_any_account_of_the_route_may_take_it_later(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.THROTTLED)
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=("smshosting",)
    )
    message = await house.one("smsviainternet")
    assert (message.status, message.error) == (Status.QUEUED, ErrorKind.AUTH)


async def test_a_text_too_long_for_a_fallback_does_not_go_there(house: House) -> None:
    await house.attach("inviosmart")
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=("inviosmart",)
    )
    message = await house.one("smsviainternet", text="x" * 153 * 5)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)
    assert not house.simulator.requests.of("inviosmart")


async def test_a_fallback_over_its_own_daily_limit_is_passed_over(
    house: House,
) -> None:
    await house.attach("smshosting", daily_limit=2)
    await house.attach("inviosmart")
    await house.attach(
        "smsviainternet",
        settings={"api_token": "wrong"},
        fallback=("smshosting", "inviosmart"),
    )
    await house.send("smshosting", OTHER, THIRD)
    message = await house.one("smsviainternet")
    assert message.carrier == "inviosmart"
    assert len(house.accepted("smshosting")) == 2


async def test_many_messages_at_once_do_not_push_a_fallback_over_its_daily_limit(
    house: House,
) -> None:
    await house.attach("smshosting", daily_limit=5)
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=("smshosting",)
    )
    messages = await asyncio.gather(
        *(house.one("smsviainternet", to) for to in numbers(12))
    )
    taken = [one for one in messages if one.carrier == "smshosting" and not one.error]
    assert len(house.accepted("smshosting")) == len(taken) == 5


async def test_a_repeat_at_a_fallback_counts_once_for_its_daily_limit(
    house: House,
) -> None:
    await house.attach("smshosting", daily_limit=2)
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=("smshosting",)
    )
    await house.one("smshosting")
    message = await house.one("smsviainternet")
    assert message.carrier == "smshosting"
    assert message.status in TAKEN
    assert house.messenger.spent_today("smshosting").parts == 2


@pytest.mark.parametrize(
    ("wanted", "used"), [("Città", "Casa"), ("Ufficio", "Ufficio"), (None, "Casa")]
)
async def test_a_fallback_uses_its_own_sender_where_the_wanted_one_is_not_allowed(
    house: House, wanted: str | None, used: str
) -> None:
    await house.attach("inviosmart")
    await house.attach(
        "smsviainternet", settings={"api_token": "wrong"}, fallback=("inviosmart",)
    )
    await house.send("smsviainternet", NUMBER, sender=wanted)
    assert [one.sender for one in house.accepted("inviosmart")] == [used]


async def test_parts_and_cost_are_the_providers_where_it_tells_them(
    house: House,
) -> None:
    house.simulator.set_price("smsviainternet", "0.041")
    await house.attach("smsviainternet")
    message = await house.one("smsviainternet", text="€" * 81)
    assert (message.parts, str(message.cost)) == (2, "0.082000")
    assert house.messenger.spent_today("smsviainternet").parts == 2


# What an answer tells of the account


async def test_refused_credentials_are_told(house: House) -> None:
    await house.attach("smsviainternet", settings={"api_token": "wrong"})
    await house.one("smsviainternet")
    assert CredentialsRefused(account="smsviainternet") in house.events


async def test_the_credit_that_an_answer_tells_is_told(house: House) -> None:
    await house.attach("smsviainternet")
    await house.one("smsviainternet")
    (told,) = [one for one in house.events if isinstance(one, CreditTold)]
    assert told.balance == house.simulator.account("smsviainternet").credit
    assert CreditChanged(account="smsviainternet") in house.events


async def test_nothing_is_told_of_credit_when_nothing_was_taken(house: House) -> None:
    house.simulator.inject("smshosting", Fault.THROTTLED)
    await house.attach("smshosting")
    await house.one("smshosting")
    assert CreditChanged(account="smshosting") not in house.events


async def test_a_refusal_for_want_of_credit_says_that_the_credit_is_another(
    house: House,
) -> None:
    house.simulator.set_credit("smshosting", 0)
    await house.attach("smshosting")
    await house.one("smshosting")
    assert CreditChanged(account="smshosting") in house.events


# Doubt


@pytest.mark.parametrize("fault", DOUBTFUL)
async def test_after_a_doubt_nothing_is_sent_again_anywhere(
    house: House, fault: Fault
) -> None:
    house.simulator.inject("smsviainternet", fault)
    await house.attach("smshosting")
    await house.attach("smsviainternet", fallback=("smshosting",), timeouts=SHORT)
    message = await house.one("smsviainternet")
    assert message.status is Status.UNCERTAIN
    assert message.error is None
    assert message.detail
    assert house.requests("smsviainternet") == 1
    assert not house.simulator.requests.of("smshosting")
    assert await house.latest(message) == message


@pytest.mark.parametrize("fault", DOUBTFUL)
async def test_rather_twice_than_never_sends_once_more_through_the_fallback(
    house: House, fault: Fault
) -> None:
    house.simulator.inject("smsviainternet", fault)
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet",
        fallback=("smshosting",),
        resend_uncertain=True,
        timeouts=SHORT,
    )
    message = await house.one("smsviainternet")
    assert message.status in TAKEN
    assert message.carrier == "smshosting"
    assert house.requests("smsviainternet") == 1
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]


async def test_a_doubt_stays_one_if_no_other_account_takes_the_message(
    house: House,
) -> None:
    house.simulator.inject("smsviainternet", Fault.CUT_AFTER_ACCEPT)
    house.simulator.set_credit("smshosting", 0)
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet", fallback=("smshosting",), resend_uncertain=True
    )
    message = await house.one("smsviainternet")
    assert message.status is Status.UNCERTAIN
    assert message.carrier == "smsviainternet"
    assert await house.latest(message) == message
    assert not house.messenger.open_messages("smsviainternet")


async def test_what_one_account_may_have_taken_is_not_put_on_anothers_bill(
    house: House,
) -> None:
    # The shipment was taken, but which of its numbers were is not told.
    house.simulator.inject("smsviainternet", Fault.SERVER_ERROR_EMPTY, 1, "status")
    house.simulator.set_credit("smshosting", 0)
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet", fallback=("smshosting",), resend_uncertain=True
    )
    first, second = await house.send("smsviainternet", NUMBER, LANDLINE)
    assert {first.status, second.status} == {Status.UNCERTAIN}
    assert {first.carrier, second.carrier} == {"smsviainternet"}
    assert house.messenger.spent_today("smshosting").parts == 0


async def test_a_message_in_doubt_does_not_hold_back_the_others_of_its_order(
    house: House,
) -> None:
    house.simulator.inject("transactionale", Fault.CUT_AFTER_ACCEPT)
    await house.attach("transactionale")
    messages = await house.send("transactionale", *numbers(4))
    statuses = sorted(one.status for one in messages)
    # The account rests after the cut, but what was on the wire already arrives.
    assert statuses.count(Status.UNCERTAIN) == 1
    assert len(house.accepted("transactionale")) == 4


class BrokenClient(ProviderClient):
    """A client with a fault of its own."""

    @override
    async def validate(self) -> None:
        """Do nothing."""

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Break, or answer nothing if the text says so."""
        if submission.text == "nulla":
            return SendResult(outcomes={})
        raise RuntimeError(submission.text)

    @override
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Know nothing."""
        return []


class RepeatingClient(BrokenClient):
    """A client of a provider that has seen everything before."""

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Take nothing."""
        raise NotAcceptedError(ErrorKind.DUPLICATE)


@pytest.mark.parametrize("text", ["nulla", "segreto"])
async def test_a_fault_of_ours_while_sending_leaves_a_doubt_and_no_text_in_the_log(
    house: House,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    good = await house.attach("smsviainternet")
    client = BrokenClient(session, URL("http://127.0.0.1"))
    broken = replace(good, id="rotto", client=client)
    await house.messenger.attach(broken)
    message = await house.one("rotto", text=text)
    assert message.status is Status.UNCERTAIN
    assert text not in caplog.text
    assert NUMBER not in caplog.text


async def test_a_sending_that_is_cancelled_leaves_a_doubt(house: House) -> None:
    house.line.hold_answers()
    await house.attach("smsviainternet", url=house.line.url("smsviainternet"))
    send = asyncio.create_task(house.one("smsviainternet"))
    await until(lambda: house.requests("smsviainternet"))
    (work,) = [
        task for task in asyncio.all_tasks() if task.get_name() == "sms_italia send"
    ]
    work.cancel()
    message = await send
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    assert await house.latest(message) == message


# Rest


async def test_an_account_that_rests_is_not_asked(house: House) -> None:
    house.simulator.inject("smsviainternet", Fault.THROTTLED_BARE)
    await house.attach("smsviainternet")
    messages = [await house.one("smsviainternet", to) for to in numbers(10)]
    assert {one.status for one in messages} == {Status.QUEUED}
    assert house.requests("smsviainternet") == 1


async def test_while_an_account_rests_its_fallback_is_asked_at_once(
    house: House,
) -> None:
    house.simulator.inject("smsviainternet", Fault.CUT_BEFORE_ACCEPT)
    await house.attach("smshosting")
    await house.attach("smsviainternet", fallback=("smshosting",))
    await house.one("smsviainternet")
    messages = [await house.one("smsviainternet", to) for to in numbers(10)]
    assert {one.carrier for one in messages} == {"smshosting"}
    assert house.requests("smsviainternet") == 1
    assert len(house.accepted("smshosting")) == 10


async def test_in_a_storm_few_requests_find_out_that_an_account_is_down(
    house: House,
) -> None:
    house.simulator.inject("smsviainternet", Fault.THROTTLED_BARE, 1000)
    await house.attach("smshosting", daily_limit=0)
    await house.attach("smsviainternet", fallback=("smshosting",), daily_limit=0)
    messages = await asyncio.gather(
        *(house.one("smsviainternet", to) for to in numbers(100))
    )
    assert {one.carrier for one in messages} == {"smshosting"}
    assert len(house.accepted("smshosting")) == 100
    assert house.requests("smsviainternet") <= 32


async def test_a_refusal_of_one_message_lets_no_account_rest(house: House) -> None:
    await house.attach("inviosmart")
    await house.one("inviosmart", LANDLINE)
    message = await house.one("inviosmart")
    assert message.status in TAKEN


# The daily limit


async def test_the_daily_limit_refuses_before_any_request(house: House) -> None:
    await house.attach("smsviainternet", daily_limit=3)
    await house.send("smsviainternet", NUMBER, OTHER)
    with pytest.raises(OrderRefusedError) as caught:
        await house.send("smsviainternet", NUMBER, OTHER)
    assert caught.value.reason is Refusal.DAILY_LIMIT
    assert caught.value.placeholders["spent"] == "2"
    assert house.requests("smsviainternet") == 1
    await house.one("smsviainternet", THIRD)
    assert len(house.accepted("smsviainternet")) == 3


@pytest.mark.parametrize("key", ["smsviainternet", "transactionale"])
async def test_many_orders_at_once_do_not_pass_the_daily_limit(
    house: House, key: str
) -> None:
    await house.attach(key, daily_limit=5)
    results = await asyncio.gather(
        *(house.one(key, to) for to in numbers(50)), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, OrderRefusedError)]
    assert {one.reason for one in refused} == {Refusal.DAILY_LIMIT}
    assert len(refused) == 45
    assert len(house.accepted(key)) == house.requests(key) == 5


async def test_messages_that_wait_count_for_the_daily_limit(house: House) -> None:
    house.line.down()
    await house.attach(
        "smsviainternet", url=house.line.url("smsviainternet"), daily_limit=2
    )
    await house.send("smsviainternet", NUMBER, OTHER)
    with pytest.raises(OrderRefusedError, match=Refusal.DAILY_LIMIT):
        await house.one("smsviainternet", THIRD)


async def test_messages_that_failed_do_not_count_for_the_daily_limit(
    house: House,
) -> None:
    await house.attach("inviosmart", daily_limit=1)
    for _ in range(3):
        await house.one("inviosmart", LANDLINE)
    assert (await house.one("inviosmart")).status in TAKEN


async def test_the_day_after_the_daily_limit_is_new(house: House) -> None:
    await house.attach("smsviainternet", daily_limit=1)
    await house.one("smsviainternet")
    house.time.pass_by(86_400)
    assert (await house.one("smsviainternet")).status in TAKEN


# Repeats


async def test_an_alarm_that_repeats_goes_out_again_with_the_time_behind_it(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.one("smshosting")
    message = await house.one("smshosting")
    assert message.status in TAKEN
    assert await house.latest(message) == message
    (_, first), (_, second) = house.arrived("smshosting")
    assert first == TEXT
    assert second.startswith(f"{TEXT} ")
    assert len(second) == len(TEXT) + len(" 14:05")


async def test_only_the_repeats_of_an_order_get_the_time_behind_them(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.one("smshosting", NUMBER)
    await house.send("smshosting", NUMBER, OTHER)
    texts = dict(house.arrived("smshosting")[1:])
    assert texts[OTHER] == TEXT
    assert texts[NUMBER] != TEXT
    assert house.requests("smshosting") == 3


async def test_a_repeat_that_is_refused_again_fails(
    house: House, session: aiohttp.ClientSession
) -> None:
    good = house.account("smshosting")
    await house.messenger.attach(
        replace(good, client=RepeatingClient(session, URL("http://127.0.0.1")))
    )
    message = await house.one("smshosting")
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.DUPLICATE)


async def test_a_repeat_that_would_be_too_long_with_the_time_fails(
    house: House,
) -> None:
    await house.attach("smshosting")
    text = "x" * 153 * 7
    await house.one("smshosting", text=text)
    message = await house.one("smshosting", text=text)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.DUPLICATE)
    assert house.requests("smshosting") == 2


async def test_a_repeat_that_takes_one_more_part_is_counted_as_such(
    house: House,
) -> None:
    await house.attach("smshosting")
    text = "x" * 158
    await house.one("smshosting", text=text)
    message = await house.one("smshosting", text=text)
    assert message.parts == 2
    assert house.messenger.spent_today("smshosting").parts == 3


# Whatever goes wrong

KEYS = ("smsviainternet", "smshosting", "transactionale")
FAULTS = st.lists(
    st.sampled_from([None, *DOUBTFUL, *REFUSING, *REFUSING]), min_size=1, max_size=5
)


def carries(fields: object, text: str) -> bool:
    """Tell whether a request's fields have this text."""
    return isinstance(fields, dict) and text in fields.values()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(faults=st.fixed_dictionaries(dict.fromkeys(KEYS, FAULTS)))
@pytest.mark.usefixtures("socket_enabled")
def test_whatever_goes_wrong_no_text_is_taken_twice_or_sent_after_a_doubt(
    tmp_path_factory: pytest.TempPathFactory, faults: dict[str, list[Fault | None]]
) -> None:
    with asyncio.Runner() as runner:
        runner.run(_go_through(tmp_path_factory.mktemp("house"), faults))


async def _go_through(folder: Path, faults: dict[str, list[Fault | None]]) -> None:
    """Send some texts while everything breaks, wait for all, and look back."""
    async with (
        Simulator() as simulator,
        aiohttp.ClientSession() as session,
        Line(simulator) as line,
    ):
        house = House.build(folder, session, simulator, line)
        quick = Timeouts(connect=1, total=0.2)
        for key, fallback in (
            ("smsviainternet", ("smshosting", "transactionale")),
            ("smshosting", ("transactionale",)),
            ("transactionale", ()),
        ):
            await house.attach(key, fallback=fallback, timeouts=quick)
        texts = [f"Allarme {index}" for index in range(5)]
        for key, planned in faults.items():
            for fault in planned:
                if fault is not None:
                    simulator.inject(key, fault, 1, "send")
        for index, text in enumerate(texts):
            await house.one(KEYS[index % 2], numbers(2)[index % 2], text=text)
        for message in await house.found():
            await house.until_not(message, Stage.WAITING, Stage.SUBMITTING)
        await house.messenger.close()
        for text in texts:
            assert sum(one.text == text for one in simulator.messages) <= 1
            sends = [
                one
                for one in simulator.requests
                if one.operation == "send" and carries(one.fields, text)
            ]
            assert sends
            assert not any(one.fault in DOUBTFUL for one in sends[:-1])
