"""Finding out what became of messages: asked rarely, in batches, to the end."""

import asyncio
from decimal import Decimal
from functools import partial
import json
from math import ceil

import pytest

from custom_components.sms_italia.messaging.account import DeliveryReports
from custom_components.sms_italia.messaging.book import CredentialsRefused
from custom_components.sms_italia.messaging.model import Message, Stage
from custom_components.sms_italia.messaging.pacing import Pace
from custom_components.sms_italia.providers.model import Channel, MessageType, Status
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Status as Fate, Toggle

from .helpers import (
    LANDLINE,
    NUMBER,
    OTHER,
    PACE,
    SHORT,
    STILL,
    TEXT,
    House,
    numbers,
    until,
)

HOUR = 3600
DAYS = 86_400
ONCE = Pace(first_poll=0.3, longest_poll=HOUR)
"""Asks soon, and then often enough only for the first moments of a message."""


def fate(house: House, key: str, fate: Fate, word: str | None = None) -> None:
    """Let all messages of a provider have this fate."""
    for message in house.accepted(key):
        house.simulator.move(message.id, fate, word)


def asked_about(house: House, key: str) -> list[set[str | None]]:
    """Return the ids that each status request to a provider asked about."""
    asked: list[set[str | None]] = []
    for request in house.simulator.requests.of(key):
        if request.operation == "status":
            match key:
                case "smsviainternet":
                    ids = request.query["queue_id"]
                case "smshosting":
                    ids = request.query.get("id", "")
                case "transactionale":
                    ids = request.path.rpartition("/")[2]
                case _:
                    ids = request.query["SMSId"]
            asked.append({*ids.split(",")})
    return asked


# To the end


@pytest.mark.parametrize("key", PROVIDERS)
@pytest.mark.parametrize(
    ("is_now", "expected"),
    [(Fate.DELIVERED, Status.DELIVERED), (Fate.FAILED, Status.FAILED)],
)
async def test_the_end_that_a_provider_tells_closes_the_message(
    house: House, key: str, is_now: Fate, expected: Status
) -> None:
    await house.attach(key)
    message = await house.one(key)
    assert message.stage is Stage.TAKEN
    fate(house, key, is_now)
    ended = await house.until_kept(message, status=expected)
    assert ended.stage is Stage.CLOSED
    assert not house.messenger.open_messages(key)


@pytest.mark.parametrize(
    ("key", "word"), [("inviosmart", None), ("transactionale", "expired")]
)
async def test_a_message_that_expired_on_its_way_is_closed_as_such(
    house: House, key: str, word: str | None
) -> None:
    await house.attach(key)
    message = await house.one(key)
    fate(house, key, Fate.EXPIRED, word)
    ended = await house.until_kept(message, status=Status.EXPIRED)
    assert ended.stage is Stage.CLOSED


async def test_a_message_that_is_sent_is_not_at_its_end(house: House) -> None:
    await house.attach("inviosmart")
    message = await house.one("inviosmart")
    fate(house, "inviosmart", Fate.SENT)
    sent = await house.until_kept(message, status=Status.SENT)
    assert sent.stage is Stage.TAKEN
    fate(house, "inviosmart", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)
    assert house.statuses[message.id] == [
        Status.QUEUED,
        Status.SENT,
        Status.DELIVERED,
    ]


async def test_parts_and_cost_that_a_report_tells_replace_ours_and_count_once(
    house: House,
) -> None:
    house.simulator.set_price("inviosmart", "0.057")
    await house.attach("inviosmart")
    message = await house.one("inviosmart", text="x" * 200)
    assert (message.parts, message.cost) == (2, None)
    told = await house.until_kept(message, cost=Decimal("0.114"))
    assert told.parts == 2
    spent = house.messenger.spent_today("inviosmart")
    assert (spent.parts, spent.cost) == (2, Decimal("0.114"))
    fate(house, "inviosmart", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)
    assert house.messenger.spent_today("inviosmart") == spent


async def test_a_message_of_which_one_part_failed_has_failed_and_does_not_flip(
    house: House,
) -> None:
    house.simulator.switch_on("smsviainternet", Toggle.ROW_PER_PART)
    await house.attach("smsviainternet")
    message = await house.one("smsviainternet", text="x" * 400)
    await house.until_kept(message, status=Status.SENT)
    fate(house, "smsviainternet", Fate.FAILED)
    await house.until_kept(message, status=Status.FAILED)
    assert house.statuses[message.id][-1] is Status.FAILED
    assert Status.DELIVERED not in house.statuses[message.id]


async def test_each_message_of_a_shipment_has_its_own_end(house: House) -> None:
    await house.attach("smsviainternet")
    first, second, third = await house.send("smsviainternet", *numbers(3))
    arrived = house.accepted("smsviainternet")
    house.simulator.move(arrived[0].id, Fate.DELIVERED)
    house.simulator.move(arrived[2].id, Fate.FAILED)
    await house.until_kept(first, status=Status.DELIVERED)
    await house.until_kept(third, status=Status.FAILED)
    assert house.messenger.open_messages("smsviainternet")[0].id == second.id


async def test_a_word_that_says_nothing_certain_leaves_the_message_open(
    house: House,
) -> None:
    await house.attach("smsviainternet")
    message = await house.one("smsviainternet")
    fate(house, "smsviainternet", Fate.SENT, "LOST_NOTIFICATION")
    await house.until_kept(message, status=Status.UNCERTAIN)
    fate(house, "smsviainternet", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)


# Rarely and in batches


@pytest.mark.parametrize(
    ("key", "count", "sizes"),
    [
        ("smshosting", 250, [100, 100, 50]),
        ("transactionale", 3, [1, 1, 1]),
        ("inviosmart", 3, [1, 1, 1]),
    ],
)
async def test_a_question_is_about_as_many_messages_as_the_provider_takes(
    house: House, key: str, count: int, sizes: list[int]
) -> None:
    house.use(pace=STILL)
    await house.attach(key, daily_limit=0)
    await house.send(key, *numbers(count))
    await house.messenger.close()
    house.use(pace=PACE)
    await house.attach(key)
    await until(lambda: len(asked_about(house, key)) >= len(sizes))
    questions = asked_about(house, key)[: len(sizes)]
    assert sorted(map(len, questions), reverse=True) == sizes
    assert set.union(*questions) == {one.provider_id for one in house.accepted(key)}


async def test_one_question_tells_the_end_of_a_whole_shipment(house: House) -> None:
    house.use(pace=ONCE)
    key = "smsviainternet"
    house.simulator.set_credit(key, 1000)
    await house.attach(key, url=house.line.url(key), daily_limit=0)
    messages = await house.send(key, *numbers(1500))
    house.line.down()
    before = house.requests(key, "status")
    fate(house, key, Fate.DELIVERED)
    await house.line.up()
    await house.until_kept(messages[0], status=Status.DELIVERED)
    await until(lambda: not house.messenger.open_messages(key))
    # Two pages: a page has at most a thousand rows.
    assert house.requests(key, "status") - before == 2


async def test_messages_of_many_orders_are_asked_about_together(
    house: House,
) -> None:
    house.use(pace=STILL)
    await house.attach("smshosting")
    messages = [await house.one("smshosting", to) for to in numbers(10)]
    await house.messenger.close()
    house.use(pace=Pace(first_poll=0.05, longest_poll=0.05))
    await house.attach("smshosting")
    await until(lambda: asked_about(house, "smshosting"))
    assert asked_about(house, "smshosting")[0] == {one.provider_id for one in messages}


async def test_the_older_a_message_the_rarer_it_is_asked_about(house: House) -> None:
    house.use(pace=Pace(first_poll=0.05, longest_poll=HOUR))
    key = "transactionale"
    await house.attach(key)
    await house.one(key, NUMBER)
    await until(lambda: asked_about(house, key))
    house.time.pass_by(10 * HOUR)
    await house.one(key, OTHER)
    old, new = (one.provider_id for one in house.accepted(key))
    before = asked_about(house, key).count({old})
    await until(lambda: asked_about(house, key).count({new}) >= 6)
    # The question that was planned when it was young, and perhaps one on its way.
    assert asked_about(house, key).count({old}) - before <= 2


async def test_coming_back_does_not_make_questions_more_frequent(
    house: House,
) -> None:
    house.use(pace=Pace(first_poll=0.05, longest_poll=HOUR))
    key = "transactionale"
    await house.attach("smshosting")
    await house.attach(key)
    await house.one(key, NUMBER)
    house.time.pass_by(10 * HOUR)
    for _ in range(5):
        await house.messenger.detach(key)
        await house.attach(key)
    before = len(asked_about(house, key))
    await house.one(key, OTHER)
    old, new = (one.provider_id for one in house.accepted(key))
    await until(lambda: asked_about(house, key).count({new}) >= 6)
    assert asked_about(house, key)[before:].count({old}) <= 1


async def test_a_message_at_its_end_is_not_asked_about(house: House) -> None:
    key = "transactionale"
    await house.attach(key)
    first = await house.one(key, NUMBER)
    fate(house, key, Fate.DELIVERED)
    await house.until_kept(first, status=Status.DELIVERED)
    count = asked_about(house, key).count({first.provider_id})
    second = await house.one(key, OTHER)
    await until(lambda: asked_about(house, key).count({second.provider_id}) >= 3)
    assert asked_about(house, key).count({first.provider_id}) == count


# Troubles


@pytest.mark.parametrize("key", PROVIDERS)
@pytest.mark.parametrize(
    "fault",
    [
        Fault.CUT_BEFORE_ACCEPT,
        Fault.THROTTLED,
        Fault.SERVER_ERROR_EMPTY,
        Fault.HTML,
        Fault.WRONG_TYPES,
    ],
)
async def test_what_goes_wrong_while_asking_loses_nothing(
    house: House, key: str, fault: Fault
) -> None:
    house.simulator.inject(key, fault, 3, "status")
    await house.attach(key)
    message = await house.one(key)
    fate(house, key, Fate.DELIVERED)
    await until(lambda: not house.simulator.waiting_faults(key))
    await house.until_kept(message, status=Status.DELIVERED)
    assert Status.UNCERTAIN not in house.statuses[message.id]


async def test_a_question_without_an_answer_does_not_stop_the_next_one(
    house: House,
) -> None:
    house.simulator.inject("transactionale", Fault.HANG_BEFORE_ACCEPT, 1, "status")
    await house.attach("transactionale", timeouts=SHORT)
    message = await house.one("transactionale")
    fate(house, "transactionale", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)


async def test_credentials_that_are_refused_while_asking_are_told(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.one("smshosting")
    house.simulator.set_credentials("smshosting", auth_key="another")
    await until(lambda: CredentialsRefused(account="smshosting") in house.events)


async def test_a_message_of_which_nothing_is_ever_told_is_given_up_as_uncertain(
    house: House,
) -> None:
    await house.attach("transactionale")
    message = await house.one("transactionale")
    house.time.pass_by(3 * DAYS + 1)
    given_up = await house.until_kept(message, stage=Stage.CLOSED)
    assert given_up.status is Status.UNCERTAIN
    assert not house.messenger.open_messages("transactionale")


async def test_what_is_told_in_the_last_moment_counts(house: House) -> None:
    house.use(pace=ONCE)
    await house.attach("transactionale")
    message = await house.one("transactionale")
    fate(house, "transactionale", Fate.DELIVERED)
    house.time.pass_by(3 * DAYS + 1)
    ended = await house.until_kept(message, stage=Stage.CLOSED)
    assert ended.status is Status.DELIVERED


async def test_open_messages_are_followed_again_after_a_restart(house: House) -> None:
    house.use(pace=STILL)
    await house.attach("transactionale")
    message = await house.one("transactionale")
    await house.messenger.close()
    house.use(pace=PACE)
    fate(house, "transactionale", Fate.DELIVERED)
    await house.attach("transactionale")
    await house.until_kept(message, status=Status.DELIVERED)


async def test_messages_too_old_at_a_restart_are_given_up_without_a_question(
    house: House,
) -> None:
    house.use(pace=STILL)
    await house.attach("transactionale")
    message = await house.one("transactionale")
    await house.messenger.close()
    house.time.pass_by(3 * DAYS + 1)
    house.use(pace=PACE)
    await house.attach("transactionale")
    kept = await house.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    assert not house.requests("transactionale", "status")


async def test_messages_of_an_account_that_is_away_are_not_asked_about(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.attach("transactionale")
    message = await house.one("transactionale")
    await house.messenger.detach("transactionale")
    before = house.requests("transactionale", "status")
    other = await house.one("smshosting", OTHER)
    fate(house, "smshosting", Fate.DELIVERED)
    await house.until_kept(other, status=Status.DELIVERED)
    assert house.requests("transactionale", "status") == before
    await house.attach("transactionale")
    fate(house, "transactionale", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)


@pytest.mark.parametrize("key", PROVIDERS)
async def test_with_delivery_reports_off_nothing_is_ever_asked(
    house: House, key: str
) -> None:
    await house.attach(key, delivery_reports=DeliveryReports.OFF)
    message = await house.one(key)
    assert message.stage is Stage.CLOSED
    assert message.status in {Status.QUEUED, Status.SENT}
    assert not house.messenger.open_messages(key)
    assert not house.requests(key, "status")


# Doubts


async def test_a_doubt_is_settled_if_the_provider_took_the_message(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT)
    await house.attach("smshosting")
    message = await house.one("smshosting")
    assert message.status is Status.UNCERTAIN
    settled = await house.until_kept(message, stage=Stage.TAKEN)
    assert settled.provider_id == house.accepted("smshosting")[0].id
    assert house.messenger.spent_today("smshosting").parts == 1
    fate(house, "smshosting", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)
    assert len(house.accepted("smshosting")) == house.requests("smshosting") == 1


async def test_a_doubt_about_a_message_that_never_came_sends_it_again_once(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT)
    await house.attach("smshosting")
    message = await house.one("smshosting")
    # That it is not there yet proves nothing: it may still be on its way.
    await until(lambda: house.requests("smshosting", "status") >= 4)
    assert house.requests("smshosting") == 1
    assert (await house.latest(message)).status is Status.UNCERTAIN
    house.time.pass_by(house.pace.never_came)
    taken = await house.until_kept(message, stage=Stage.TAKEN)
    assert taken.status is Status.QUEUED
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]


async def test_an_account_that_may_have_sent_it_is_not_asked_when_a_later_one_did_not(
    house: House,
) -> None:
    """Rather twice than never, but not twice by the same account."""
    house.simulator.inject("smsviainternet", Fault.CUT_AFTER_ACCEPT)
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT, 1, "send")
    await house.attach("smshosting")
    await house.attach(
        "smsviainternet", fallback=("smshosting",), resend_uncertain=True
    )
    message = await house.one("smsviainternet")
    assert (message.status, message.carrier) == (Status.UNCERTAIN, "smshosting")

    await until(lambda: house.requests("smshosting", "status") >= 2)
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(message, stage=Stage.TAKEN)
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]
    assert house.arrived("smsviainternet") == [(NUMBER, TEXT)]


async def test_a_clock_that_is_set_does_not_settle_a_doubt(house: House) -> None:
    """Right after a start without a clock of its own, hours may seem to pass."""
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT)
    await house.attach("smshosting")
    message = await house.one("smshosting")
    house.time.set_forward(house.pace.never_came + 60)
    asked = house.requests("smshosting", "status")
    await until(lambda: house.requests("smshosting", "status") >= asked + 4)
    assert (await house.latest(message)).stage is Stage.DOUBTFUL
    assert house.requests("smshosting") == 1
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(message, stage=Stage.TAKEN)
    assert house.requests("smshosting") == 2


async def test_a_doubt_of_before_a_restart_is_given_its_time_again(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT)
    await house.attach("smshosting")
    message = await house.one("smshosting")
    await house.messenger.close()
    house.time.pass_by(house.pace.never_came)
    house.use()
    await house.attach("smshosting")
    asked = house.requests("smshosting", "status")
    await until(lambda: house.requests("smshosting", "status") >= asked + 4)
    assert (await house.latest(message)).stage is Stage.DOUBTFUL
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(message, stage=Stage.TAKEN)


async def test_a_doubt_stays_one_while_the_provider_does_not_answer(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT, 1, "send")
    house.simulator.inject("smshosting", Fault.SERVER_ERROR_EMPTY, 4, "status")
    await house.attach("smshosting")
    message = await house.one("smshosting")
    house.time.pass_by(house.pace.never_came)
    await until(lambda: len(house.simulator.waiting_faults("smshosting")) == 0)
    assert house.requests("smshosting", "status") >= 4
    await house.until_kept(message, stage=Stage.TAKEN)
    assert len(house.accepted("smshosting")) == 1


async def test_a_doubt_that_is_too_old_for_another_attempt_expires(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT)
    await house.attach("smshosting", retry_for=HOUR)
    message = await house.one("smshosting")
    house.time.pass_by(HOUR + 1)
    await house.until_kept(message, status=Status.EXPIRED)
    assert not house.accepted("smshosting")


async def test_an_answer_that_comes_late_unsettles_nothing(house: House) -> None:
    """An account that was reloaded asks a second time while the first one waits."""
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT, 1, "send")
    await house.attach("smshosting", url=house.line.url("smshosting"))
    message = await house.one("smshosting")
    house.line.hold_answers()
    house.time.pass_by(house.pace.never_came)
    asked = house.requests("smshosting", "status")
    await until(lambda: house.requests("smshosting", "status") > asked)
    await house.attach("transactionale")
    await house.messenger.detach("smshosting")
    await house.attach("smshosting")
    # What came before is not known any more: it is counted anew.
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(message, stage=Stage.TAKEN)
    house.line.release_answers()
    await asyncio.sleep(0.3)
    assert (await house.latest(message)).stage is Stage.TAKEN
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]


async def test_some_of_a_shipment_in_doubt_came_and_some_did_not(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT)
    house.simulator.account("smshosting").blocked.add(OTHER)
    await house.attach("smshosting")
    came, blocked = await house.send("smshosting", NUMBER, OTHER)
    await house.until_kept(came, stage=Stage.TAKEN)
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(blocked, status=Status.FAILED)
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]


# In bulk


@pytest.fixture
def bulk(house: House) -> list[str]:
    """Return more numbers than the provider answers for one by one."""
    house.simulator.set_credit("smshosting", 1000)
    most = PROVIDERS["smshosting"].capabilities.recipients_told_at_once
    return numbers(most + 2)


async def test_messages_taken_in_bulk_are_found_by_their_submission_and_then_by_ids(
    house: House, bulk: list[str]
) -> None:
    house.use(pace=Pace(first_poll=0.2, longest_poll=HOUR))
    house.simulator.account("smshosting").blocked.add(bulk[-1])
    await house.attach("smshosting", daily_limit=0)
    messages = await house.send("smshosting", *bulk)
    assert {one.status for one in messages} == {Status.QUEUED}
    assert {one.stage for one in messages} == {Stage.TAKEN}
    assert {one.provider_id for one in messages} == {None}
    known = await house.until_kept(
        messages[0], provider_id=house.accepted("smshosting")[0].id
    )
    assert known.stage is Stage.TAKEN
    fate(house, "smshosting", Fate.DELIVERED)
    await house.until_kept(messages[0], status=Status.DELIVERED)
    dropped = messages[-1]
    await until(lambda: len(house.messenger.open_messages("smshosting")) == 1)
    assert (await house.latest(dropped)).status is Status.QUEUED
    house.time.pass_by(3 * DAYS + 1)
    await house.one("smshosting", text="un altro")
    given_up = await house.until_kept(dropped, stage=Stage.CLOSED)
    assert given_up.status is Status.UNCERTAIN
    assert len(house.accepted("smshosting")) == len(bulk)


async def test_however_many_messages_ask_their_submission_is_looked_for_once(
    house: House, bulk: list[str]
) -> None:
    house.use(pace=STILL)
    await house.attach("smshosting", daily_limit=0)
    first, *_ = await house.send("smshosting", *bulk)
    fate(house, "smshosting", Fate.DELIVERED)
    assert first.submission is not None
    await house.messenger.callback("smshosting", first.submission, b"")
    await until(lambda: not house.messenger.open_messages("smshosting"))
    # Pages of a hundred, one that brings nothing new, and one about Push.
    assert house.requests("smshosting", "status") == ceil(len(bulk) / 100) + 2


async def test_what_a_provider_takes_its_time_for_is_not_taken_for_lost(
    house: House, bulk: list[str]
) -> None:
    house.simulator.switch_on("smshosting", Toggle.SLOW_PROCESSING)
    house.simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, 1, "send")
    await house.attach("smshosting", daily_limit=0)
    messages = await house.send("smshosting", *bulk)
    assert {one.stage for one in messages} == {Stage.DOUBTFUL}
    house.time.pass_by(house.pace.never_came)
    asked = house.requests("smshosting", "status")
    await until(lambda: house.requests("smshosting", "status") >= asked + 4)
    assert (await house.latest(messages[0])).stage is Stage.DOUBTFUL
    house.simulator.process()
    await house.until_kept(messages[0], stage=Stage.TAKEN)
    assert house.requests("smshosting") == 1


async def test_what_never_came_in_bulk_is_sent_again_after_a_longer_time(
    house: House, bulk: list[str]
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT, 1, "send")
    await house.attach("smshosting", daily_limit=0)
    messages = await house.send("smshosting", *bulk)
    house.time.pass_by(house.pace.never_came_in_bulk)
    await house.until_kept(messages[0], stage=Stage.TAKEN)
    assert house.requests("smshosting") == 2
    assert [to for to, _ in house.arrived("smshosting")] == bulk


# Groups


@pytest.fixture
def group(house: House) -> list[str]:
    """Return the numbers of the group 12 at the provider."""
    members = numbers(3)
    house.simulator.account("smshosting").groups["12"] = tuple(members)
    return members


async def test_a_group_in_doubt_was_taken_if_any_of_its_numbers_is_found(
    house: House, group: list[str]
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, 1, "send")
    await house.attach("smshosting")
    (message,) = await house.send("smshosting", groups=("12",))
    assert (message.number, message.stage) == ("group:12", Stage.DOUBTFUL)
    fate(house, "smshosting", Fate.DELIVERED)
    closed = await house.until_kept(message, stage=Stage.CLOSED)
    assert closed.status is Status.QUEUED
    async with asyncio.timeout(20):
        while len(found := await house.found()) <= len(group):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    assert [one.number for one in found[1:]] == group
    for member in found[1:]:
        await house.until_kept(member, status=Status.DELIVERED)
    assert house.requests("smshosting") == 1
    assert house.messenger.spent_today("smshosting").parts == len(group)


async def test_a_group_in_doubt_that_never_came_is_sent_again(
    house: House, group: list[str]
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_BEFORE_ACCEPT, 1, "send")
    await house.attach("smshosting")
    (message,) = await house.send("smshosting", groups=("12",))
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(message, stage=Stage.CLOSED)
    assert [to for to, _ in house.arrived("smshosting")] == group
    assert house.requests("smshosting") == 2


# For later


async def test_a_message_that_waits_at_its_provider_is_asked_about_after_its_time(
    house: House,
) -> None:
    await house.attach("smshosting")
    (message,) = await house.send(
        "smshosting", NUMBER, send_at=house.time.now() + 10 * DAYS
    )
    other = await house.one("smshosting", OTHER)
    questions: list[set[str | None]] = []

    def asked(one: Message) -> int:
        questions[:] = asked_about(house, "smshosting")
        return sum(one.provider_id in ids for ids in questions)

    await until(lambda: asked(other) >= 5)
    assert not asked(message)
    # Its age counts from its time on, and so does the end of the asking.
    house.time.pass_by(10 * DAYS + 1)
    await until(lambda: asked(message))
    assert (await house.latest(message)).stage is Stage.TAKEN
    house.time.pass_by(3 * DAYS)
    await house.until_kept(message, stage=Stage.CLOSED, status=Status.UNCERTAIN)


# By Push


async def test_nothing_calls_back_about_a_push_so_it_is_asked_about(
    house: House,
) -> None:
    house.use(pace=Pace(first_poll=0.05, first_poll_if_told=HOUR, longest_poll=HOUR))
    house.simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    house.simulator.account("smshosting").push_phones.add(NUMBER)
    await house.attach(
        "smshosting",
        settings={"channel": "push_then_sms"},
        callback_url="http://127.0.0.1:9/{}".format,
    )
    push, sms = await house.send("smshosting", NUMBER, OTHER)
    assert (push.type, sms.type) == (MessageType.PUSH, MessageType.SMS)
    fate(house, "smshosting", Fate.DELIVERED)
    await house.until_kept(push, status=Status.DELIVERED)
    assert (await house.latest(sms)).status is Status.QUEUED


async def test_a_push_in_doubt_is_found_and_has_no_parts(house: House) -> None:
    house.simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    house.simulator.account("smshosting").push_phones.add(NUMBER)
    house.simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, 1, "send")
    await house.attach("smshosting")
    (message,) = await house.send("smshosting", channel=Channel.PUSH)
    taken = await house.until_kept(message, stage=Stage.TAKEN)
    assert (taken.type, taken.parts) == (MessageType.PUSH, 0)
    assert house.messenger.spent_today("smshosting").parts == 0


# Being told


async def told(house: House, message: Message, status: str) -> bool:
    """Call back as Transactionale does, about one message."""
    body = {
        "sms_id": int(message.provider_id or 0),
        "phone": message.number[1:],
        "send_time": "2026-11-14T12:00:00+00:00",
        "status_time": "2026-11-14T12:00:01+00:00",
        "status": status,
    }
    return await house.messenger.callback(
        "transactionale", message.submission or "", json.dumps(body).encode()
    )


async def test_a_callback_that_the_provider_documents_is_a_report(
    house: House,
) -> None:
    house.use(pace=STILL)
    await house.attach("transactionale")
    message = await house.one("transactionale")
    assert await told(house, message, "delivered")
    assert (await house.latest(message)).status is Status.DELIVERED
    assert not house.requests("transactionale", "status")
    # A repetition is nothing new.
    assert not await told(house, message, "failed")
    assert (await house.latest(message)).status is Status.DELIVERED


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b'{"sms_id": 1}'])
async def test_any_other_callback_is_a_hint_to_ask(house: House, body: bytes) -> None:
    house.use(pace=STILL)
    await house.attach("transactionale")
    message = await house.one("transactionale")
    fate(house, "transactionale", Fate.DELIVERED)
    assert message.submission is not None
    assert await house.messenger.callback("transactionale", message.submission, body)
    await house.until_kept(message, status=Status.DELIVERED)
    assert house.requests("transactionale", "status") == 1


async def test_a_callback_that_is_quicker_than_the_answer_is_asked_about_then(
    house: House,
) -> None:
    house.use(pace=STILL)
    key = "transactionale"
    house.line.hold_answers()
    references: list[str] = []

    def note(reference: str) -> None:
        references.append(reference)

    await house.attach(key, url=house.line.url(key), callback_url=note)
    send = asyncio.create_task(house.one(key))
    await until(lambda: house.accepted(key))
    fate(house, key, Fate.DELIVERED)
    assert await house.messenger.callback(key, references[-1], b"")
    house.line.release_answers()
    message = await send
    await house.until_kept(message, status=Status.DELIVERED)


async def test_hints_about_one_submission_are_answered_by_few_questions(
    house: House,
) -> None:
    house.use(pace=STILL)
    await house.attach("smshosting")
    first, *_ = await house.send("smshosting", *numbers(50))
    assert first.submission is not None
    for index in range(50):
        assert await house.messenger.callback("smshosting", first.submission, b"")
        await until(lambda: house.requests("smshosting", "status") >= 1)
        if index == 25:
            await asyncio.sleep(0.1)
    assert house.requests("smshosting", "status") == 1


async def test_a_hint_that_comes_too_soon_after_another_is_not_lost(
    house: House,
) -> None:
    house.use(pace=Pace(first_poll=0.3, first_poll_if_told=HOUR))
    await house.attach("smshosting", callback_url="http://127.0.0.1:9/{}".format)
    message = await house.one("smshosting")
    assert message.submission is not None
    await house.messenger.callback("smshosting", message.submission, b"")
    await until(lambda: house.requests("smshosting", "status") == 1)
    fate(house, "smshosting", Fate.DELIVERED)
    await house.messenger.callback("smshosting", message.submission, b"")
    await house.until_kept(message, status=Status.DELIVERED)
    assert house.requests("smshosting", "status") == 2


async def test_what_was_told_too_early_is_forgotten_with_its_submission(
    house: House,
) -> None:
    key = "transactionale"
    references: list[str] = []

    def note(reference: str) -> None:
        references.append(reference)

    def is_asked(before: int) -> bool:
        return house.requests(key) > before

    await house.attach(key, url=house.line.url(key), callback_url=note)
    for sends in range(5):
        house.line.hold_answers()
        send = asyncio.create_task(house.one(key, LANDLINE))
        await until(partial(is_asked, sends))
        assert await house.messenger.callback(key, references[-1], b"")
        house.line.release_answers()
        assert (await send).stage is Stage.CLOSED
    (tracker,) = vars(house.messenger)["_trackers"].values()
    assert len(vars(tracker)["_told_early"]) <= 1


async def test_a_hint_comes_before_the_question_that_was_planned(
    house: House,
) -> None:
    house.use(pace=ONCE)
    await house.attach("transactionale")
    message = await house.one("transactionale")
    assert message.submission is not None
    for _ in range(3):
        await house.messenger.callback("transactionale", message.submission, b"")
    await until(lambda: asked_about(house, "transactionale"))
    fate(house, "transactionale", Fate.DELIVERED)
    await house.until_kept(message, status=Status.DELIVERED)


async def test_a_callback_about_nothing_of_ours_asks_nothing(house: House) -> None:
    house.use(pace=STILL)
    await house.attach("transactionale")
    await house.one("transactionale")
    assert not await house.messenger.callback("transactionale", "unknown", b"")
    assert not await house.messenger.callback("unknown", "unknown", b"")
    assert not house.requests("transactionale", "status")


async def test_where_the_provider_tells_by_itself_asking_is_the_safety_net(
    house: House,
) -> None:
    house.use(pace=Pace(first_poll=0.05, first_poll_if_told=HOUR, longest_poll=HOUR))
    address = "http://127.0.0.1:9/{}"
    await house.attach("transactionale", callback_url=address.format)
    await house.attach("smshosting")
    await house.one("transactionale")
    await house.one("smshosting", OTHER)
    await until(lambda: house.requests("smshosting", "status") >= 5)
    assert not house.requests("transactionale", "status")
    (request,) = house.simulator.requests.of("transactionale")
    assert str(request.fields["webhook_url"]).startswith(address.format(""))


# After a failed delivery


async def test_a_failed_delivery_goes_out_again_through_the_fallback_if_wanted(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.attach(
        "transactionale",
        fallback=("smshosting",),
        failover_on_failed_delivery=True,
    )
    message = await house.one("transactionale")
    fate(house, "transactionale", Fate.FAILED)
    await until(lambda: house.accepted("smshosting"))
    await house.until_kept(message, status=Status.FAILED)
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]
    fate(house, "smshosting", Fate.FAILED)
    await until(lambda: not house.messenger.open_messages("transactionale"))
    _, again = await house.found()
    kept = await house.until_kept(again, status=Status.FAILED)
    assert kept.carrier == "smshosting"
    assert len(house.simulator.messages) == 2


async def test_a_doubt_that_ends_as_a_failed_delivery_goes_out_again_as_well(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, 1, "send")
    house.simulator.inject("smshosting", Fault.SERVER_ERROR_EMPTY, 1, "status")
    await house.attach("transactionale")
    await house.attach(
        "smshosting", fallback=("transactionale",), failover_on_failed_delivery=True
    )
    message = await house.one("smshosting")
    fate(house, "smshosting", Fate.FAILED)
    await house.until_kept(message, status=Status.FAILED)
    await until(lambda: house.accepted("transactionale"))
    assert house.arrived("transactionale") == [(NUMBER, TEXT)]
    assert len(house.accepted("smshosting")) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"failover_on_failed_delivery": False, "fallback": ("smshosting",)},
        {"failover_on_failed_delivery": True, "fallback": ()},
    ],
)
async def test_a_failed_delivery_is_the_end_otherwise(
    house: House, options: dict[str, object]
) -> None:
    await house.attach("smshosting")
    await house.attach("transactionale", **options)
    message = await house.one("transactionale")
    fate(house, "transactionale", Fate.FAILED)
    await house.until_kept(message, status=Status.FAILED)
    assert len(await house.found()) == 1
    assert not house.simulator.requests.of("smshosting")


async def test_a_failed_delivery_that_is_told_too_late_is_the_end(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.attach(
        "transactionale",
        fallback=("smshosting",),
        failover_on_failed_delivery=True,
    )
    message = await house.one("transactionale")
    house.time.pass_by(2 * HOUR)
    fate(house, "transactionale", Fate.FAILED)
    await house.until_kept(message, status=Status.FAILED)
    assert len(await house.found()) == 1
    assert not house.simulator.requests.of("smshosting")
