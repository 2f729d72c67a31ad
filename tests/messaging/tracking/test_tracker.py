"""The tracker asks about messages rarely, in batches, until each is final."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
import gc
import sqlite3
import weakref

import pytest

from custom_components.sms_italia.messaging import (
    Clock,
    CredentialsRefused,
    DeliveryReports,
    Message,
    RequestRefusedError,
    Stage,
    Timing,
)
from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.tracking.tracker import Tracker
from custom_components.sms_italia.providers import (
    Accepted,
    Channel,
    ErrorKind,
    MessageType,
    NotSent,
    Status,
    Uncertain,
)

from ..delivery.context import a_context
from ..fake import (
    LANDLINE,
    MANY,
    ONE,
    PLAIN,
    REFERENCE,
    THROTTLED,
    Arrived,
    Lost,
    Operation,
    Reply,
    callback_body,
    refusal_body,
)
from ..helpers import NUMBER, OTHER, STILL, TEXT, TIMING, Harness, numbers, until

HOUR = 3600
DAYS = 86_400
ONCE = Timing(first_poll=0.1, longest_poll=HOUR)
"""Asks soon, and then often enough only for the first moments of a message."""


def asked_about(harness: Harness, key: str) -> list[set[str | None]]:
    """Return the ids that each status request to a provider asked about."""
    return [{ref.provider_id for ref in refs} for refs in harness.client(key).asked]


# To the end


@pytest.mark.parametrize("end", [Status.DELIVERED, Status.FAILED, Status.EXPIRED])
async def test_the_end_that_a_provider_reports_closes_the_message(
    harness: Harness, end: Status
) -> None:
    await harness.attach(ONE)
    message = await harness.one(ONE)
    assert message.stage is Stage.ACCEPTED
    harness.client(ONE).report(end)
    ended = await harness.until_kept(message, status=end)
    assert ended.stage is Stage.CLOSED
    assert not harness.messenger.open_messages(ONE)


async def test_a_message_that_is_sent_is_not_at_its_end(harness: Harness) -> None:
    await harness.attach(PLAIN)
    message = await harness.one(PLAIN)
    harness.client(PLAIN).report(Status.SENT)
    sent = await harness.until_kept(message, status=Status.SENT)
    assert sent.stage is Stage.ACCEPTED
    harness.client(PLAIN).report(Status.DELIVERED)
    await harness.until_kept(message, status=Status.DELIVERED)
    assert harness.statuses[message.id] == [
        Status.QUEUED,
        Status.SENT,
        Status.DELIVERED,
    ]


async def test_parts_and_cost_in_a_report_replace_ours_and_count_once(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN)
    message = await harness.one(PLAIN)
    assert (message.parts, message.cost) == (1, None)
    (arrived,) = harness.accepted(PLAIN)
    arrived.parts, arrived.cost = 2, Decimal("0.114")
    kept = await harness.until_kept(message, cost=Decimal("0.114"))
    assert kept.parts == 2
    spent = harness.messenger.totals.spent_today(PLAIN)
    assert (spent.parts, spent.cost) == (2, Decimal("0.114"))
    harness.client(PLAIN).report(Status.DELIVERED)
    await harness.until_kept(message, status=Status.DELIVERED)
    assert harness.messenger.totals.spent_today(PLAIN) == spent


async def test_each_message_of_a_shipment_has_its_own_end(harness: Harness) -> None:
    await harness.attach(MANY)
    first, second, third = await harness.send(MANY, *numbers(3))
    assert first.provider_id == third.provider_id
    harness.client(MANY).report(Status.DELIVERED, first.number)
    harness.client(MANY).report(Status.FAILED, third.number)
    await harness.until_kept(first, status=Status.DELIVERED)
    await harness.until_kept(third, status=Status.FAILED)
    assert harness.messenger.open_messages(MANY)[0].id == second.id


async def test_a_report_that_says_nothing_certain_leaves_the_message_open(
    harness: Harness,
) -> None:
    await harness.attach(MANY)
    message = await harness.one(MANY)
    harness.client(MANY).report(Status.UNCERTAIN)
    await harness.until_kept(message, status=Status.UNCERTAIN)
    harness.client(MANY).report(Status.DELIVERED)
    await harness.until_kept(message, status=Status.DELIVERED)


async def test_a_question_has_the_parts_of_the_message(harness: Harness) -> None:
    await harness.attach(MANY)
    await harness.one(MANY, text="a" * 200)
    await until(lambda: harness.client(MANY).asked)
    assert [ref.parts for ref in harness.client(MANY).asked[0]] == [2]


# Rarely and in batches


@pytest.mark.parametrize(
    ("key", "count", "sizes"),
    [
        (REFERENCE, 20, [10, 10]),
        (MANY, 150, [100, 50]),
        (ONE, 3, [1, 1, 1]),
    ],
)
async def test_a_question_is_about_as_many_messages_as_the_provider_takes(
    harness: Harness, key: str, count: int, sizes: list[int]
) -> None:
    harness.use(timing=STILL)
    await harness.attach(key, daily_limit=0)
    await harness.send(key, *numbers(count))
    await harness.messenger.close()
    harness.use(timing=ONCE)
    await harness.attach(key)
    await until(lambda: len(harness.client(key).asked) >= len(sizes))
    questions = harness.client(key).asked[: len(sizes)]
    assert sorted(map(len, questions), reverse=True) == sizes
    asked = [ref for question in questions for ref in question]
    assert {*asked} == {one.ref for one in harness.accepted(key)}


async def test_one_question_finds_the_end_of_a_whole_submission(
    harness: Harness,
) -> None:
    harness.use(timing=ONCE)
    await harness.attach(MANY)
    messages = await harness.send(MANY, *numbers(100))
    harness.client(MANY).deliver()
    await harness.until_kept(messages[0], status=Status.DELIVERED)
    await until(lambda: not harness.messenger.open_messages(MANY))
    assert harness.requests(MANY, Operation.STATUS) == 1


async def test_messages_of_many_dispatches_are_asked_about_together(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(REFERENCE)
    messages = [await harness.one(REFERENCE, to) for to in numbers(10)]
    await harness.messenger.close()
    harness.use(timing=Timing(first_poll=0.05, longest_poll=0.05))
    await harness.attach(REFERENCE)
    await until(lambda: asked_about(harness, REFERENCE))
    assert asked_about(harness, REFERENCE)[0] == {one.provider_id for one in messages}


async def test_the_older_a_message_the_rarer_it_is_asked_about(
    harness: Harness,
) -> None:
    harness.use(timing=Timing(first_poll=0.01, longest_poll=HOUR))
    key = ONE
    await harness.attach(key)
    await harness.one(key, NUMBER)
    await until(lambda: asked_about(harness, key))
    harness.time.pass_by(10 * HOUR)
    await harness.one(key, OTHER)
    old, new = (one.id for one in harness.accepted(key))
    before = asked_about(harness, key).count({old})
    await until(lambda: asked_about(harness, key).count({new}) >= 6)
    # The question that was planned when it was young, and perhaps one on its way.
    assert asked_about(harness, key).count({old}) - before <= 2


async def test_coming_back_does_not_make_questions_more_frequent(
    harness: Harness,
) -> None:
    harness.use(timing=Timing(first_poll=0.01, longest_poll=HOUR))
    key = ONE
    await harness.attach(REFERENCE)
    await harness.attach(key)
    await harness.one(key, NUMBER)
    harness.time.pass_by(10 * HOUR)
    for _ in range(5):
        await harness.messenger.detach(key)
        await harness.attach(key)
    before = len(asked_about(harness, key))
    await harness.one(key, OTHER)
    old, new = (one.id for one in harness.accepted(key))
    await until(lambda: asked_about(harness, key).count({new}) >= 6)
    assert asked_about(harness, key)[before:].count({old}) <= 1


async def test_a_message_at_its_end_is_not_asked_about(harness: Harness) -> None:
    key = ONE
    await harness.attach(key)
    first = await harness.one(key, NUMBER)
    harness.client(key).report(Status.DELIVERED)
    await harness.until_kept(first, status=Status.DELIVERED)
    count = asked_about(harness, key).count({first.provider_id})
    second = await harness.one(key, OTHER)
    await until(lambda: asked_about(harness, key).count({second.provider_id}) >= 3)
    assert asked_about(harness, key).count({first.provider_id}) == count


# Troubles


@pytest.mark.parametrize(
    "trouble",
    [
        THROTTLED,
        NotSent(kind=ErrorKind.UNAVAILABLE),
        NotSent(kind=ErrorKind.REFUSED),
        Lost.REQUEST,
        RuntimeError(TEXT),
    ],
    ids=["throttled", "unavailable", "refused", "lost", "a fault of ours"],
)
async def test_what_goes_wrong_while_asking_loses_nothing(
    harness: Harness, caplog: pytest.LogCaptureFixture, trouble: Reply
) -> None:
    harness.client(ONE).reply(trouble, of=Operation.STATUS, times=3)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    harness.client(ONE).deliver()
    await until(lambda: not harness.client(ONE).waiting(Operation.STATUS))
    await harness.until_kept(message, status=Status.DELIVERED)
    assert harness.statuses[message.id] == [Status.QUEUED, Status.DELIVERED]
    assert TEXT not in caplog.text


async def test_credentials_that_are_refused_while_asking_are_reported(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    refusal = NotSent(kind=ErrorKind.AUTH)
    harness.client(REFERENCE).reply(refusal, of=Operation.STATUS)
    await until(lambda: CredentialsRefused(account=REFERENCE) in harness.events)


async def test_a_message_of_which_nothing_is_ever_reported_is_given_up_as_uncertain(
    harness: Harness,
) -> None:
    await harness.attach(ONE)
    message = await harness.one(ONE)
    harness.time.pass_by(3 * DAYS + 1)
    given_up = await harness.until_kept(message, stage=Stage.CLOSED)
    assert given_up.status is Status.UNCERTAIN
    assert not harness.messenger.open_messages(ONE)


async def test_what_is_reported_in_the_last_moment_counts(harness: Harness) -> None:
    harness.use(timing=ONCE)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.DELIVERED)
    harness.time.pass_by(3 * DAYS + 1)
    ended = await harness.until_kept(message, stage=Stage.CLOSED)
    assert ended.status is Status.DELIVERED


async def test_open_messages_are_followed_again_after_a_restart(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    await harness.messenger.close()
    harness.use(timing=TIMING)
    harness.client(ONE).report(Status.DELIVERED)
    await harness.attach(ONE)
    await harness.until_kept(message, status=Status.DELIVERED)


async def test_messages_too_old_at_a_restart_are_given_up_without_a_question(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    await harness.messenger.close()
    harness.time.pass_by(3 * DAYS + 1)
    harness.use(timing=TIMING)
    await harness.attach(ONE)
    kept = await harness.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    assert not harness.requests(ONE, Operation.STATUS)


async def test_messages_of_an_account_that_is_away_are_not_asked_about(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    await harness.messenger.detach(ONE)
    before = harness.requests(ONE, Operation.STATUS)
    other = await harness.one(REFERENCE, OTHER)
    harness.client(REFERENCE).report(Status.DELIVERED)
    await harness.until_kept(other, status=Status.DELIVERED)
    assert harness.requests(ONE, Operation.STATUS) == before
    await harness.attach(ONE)
    harness.client(ONE).report(Status.DELIVERED)
    await harness.until_kept(message, status=Status.DELIVERED)


async def test_with_delivery_reports_off_nothing_is_ever_asked(
    harness: Harness,
) -> None:
    key = ONE
    await harness.attach(key, delivery_reports=DeliveryReports.OFF)
    message = await harness.one(key)
    assert message.stage is Stage.CLOSED
    assert message.status in {Status.QUEUED, Status.SENT}
    assert not harness.messenger.open_messages(key)
    assert not harness.requests(key, Operation.STATUS)


# Doubts


async def test_a_doubt_is_settled_if_the_provider_took_the_message(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.ANSWER)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    assert message.status is Status.UNCERTAIN
    settled = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert settled.provider_id == harness.accepted(REFERENCE)[0].id
    assert harness.messenger.totals.spent_today(REFERENCE).parts == 1
    harness.client(REFERENCE).report(Status.DELIVERED)
    await harness.until_kept(message, status=Status.DELIVERED)
    assert len(harness.accepted(REFERENCE)) == harness.requests(REFERENCE) == 1


async def test_a_doubt_about_a_message_that_never_came_sends_it_again_once(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    # That it is not there yet proves nothing: it may still be on its way.
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= 4)
    assert harness.requests(REFERENCE) == 1
    assert (await harness.latest(message)).status is Status.UNCERTAIN
    harness.time.pass_by(harness.timing.never_came)
    taken = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert taken.status is Status.QUEUED
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]


async def test_an_account_that_may_have_sent_it_is_not_asked_when_a_later_one_did_not(
    harness: Harness,
) -> None:
    """Rather twice than never, but not twice by the same account."""
    harness.client(MANY).reply(Lost.ANSWER)
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    await harness.attach(MANY, fallback=(REFERENCE,), resend_uncertain=True)
    message = await harness.one(MANY)
    assert (message.status, message.last_account) == (Status.UNCERTAIN, REFERENCE)

    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= 2)
    harness.time.pass_by(harness.timing.never_came)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]
    assert harness.arrived(MANY) == [(NUMBER, TEXT)]


async def test_a_large_submission_is_given_longer_to_arrive(harness: Harness) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    messages = await harness.send(REFERENCE, *numbers(11))
    harness.time.pass_by(harness.timing.never_came)
    asked = harness.requests(REFERENCE, Operation.STATUS)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= asked + 4)
    assert harness.requests(REFERENCE) == 1
    harness.time.pass_by(harness.timing.never_came_bulk)
    await harness.until_kept(messages[-1], stage=Stage.ACCEPTED)
    assert harness.requests(REFERENCE) == 2


@pytest.mark.parametrize(
    ("age", "pause"),
    [(1, 3), (10, 5), (600, 15), (1800, 15), (3600, 30), (86_400, 720)],
)
def test_a_doubt_is_looked_up_again_soon_however_old_it_is(
    age: float, pause: float
) -> None:
    """The line may come back at any moment."""
    assert Timing().next_look_up(age) == pause


async def test_a_doubt_is_looked_up_as_soon_as_the_account_accepts_again(
    harness: Harness,
) -> None:
    pauses = replace(STILL, first_pause=0.01, longest_pause=0.01, longest_look_up=HOUR)
    harness.use(timing=pauses)
    await harness.attach(REFERENCE)
    harness.client(REFERENCE).reply(Lost.ANSWER)
    message = await harness.one(REFERENCE)
    await asyncio.sleep(0.02)
    assert (await harness.latest(message)).stage is Stage.IN_DOUBT
    await harness.one(REFERENCE, OTHER)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_a_doubt_is_looked_up_as_soon_as_the_account_answers_a_question(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(REFERENCE)
    other = await harness.one(REFERENCE, OTHER)
    harness.client(REFERENCE).reply(Lost.ANSWER)
    message = await harness.one(REFERENCE)
    harness.client(REFERENCE).reply(Lost.REQUEST, of=Operation.STATUS)
    asked = partial(harness.requests, REFERENCE, Operation.STATUS)
    await harness.messenger.callback(REFERENCE, message.submission or "", b"")
    await until(lambda: asked() == 1)
    await asyncio.sleep(0.02)
    assert (await harness.latest(message)).stage is Stage.IN_DOUBT
    await harness.messenger.callback(REFERENCE, other.submission or "", b"")
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_a_clock_that_is_set_does_not_settle_a_doubt(harness: Harness) -> None:
    """Right after a start without a clock of its own, hours may seem to pass."""
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    harness.time.set_forward(harness.timing.never_came + 60)
    asked = harness.requests(REFERENCE, Operation.STATUS)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= asked + 4)
    assert (await harness.latest(message)).stage is Stage.IN_DOUBT
    assert harness.requests(REFERENCE) == 1
    harness.time.pass_by(harness.timing.never_came)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert harness.requests(REFERENCE) == 2


@pytest.mark.parametrize("restart", [False, True])
async def test_neither_a_restart_nor_a_changed_account_gives_a_doubt_its_time_again(
    harness: Harness,
    restart: bool,  # noqa: FBT001 - both ways
) -> None:
    async def come_again() -> None:
        if restart:
            await harness.messenger.close()
            harness.use()
        await harness.attach(REFERENCE)
        asked = harness.requests(REFERENCE, Operation.STATUS)
        await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= asked + 2)

    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    for _ in range(3):
        harness.time.pass_by(harness.timing.never_came / 4)
        await come_again()
    assert (await harness.latest(message)).stage is Stage.IN_DOUBT
    harness.time.pass_by(harness.timing.never_came / 4)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_what_is_left_of_a_large_submission_is_given_as_long_after_a_restart(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    messages = await harness.send(REFERENCE, *numbers(11))
    await harness.messenger.close()
    with closing(sqlite3.connect(harness.ledger)) as database, database:
        database.execute(
            "UPDATE messages SET stage = 'closed' WHERE id <> ?", (messages[0].id,)
        )
    harness.use()
    await harness.attach(REFERENCE)
    harness.time.pass_by(harness.timing.never_came)
    asked = harness.requests(REFERENCE, Operation.STATUS)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= asked + 4)
    assert harness.requests(REFERENCE) == 1
    harness.time.pass_by(harness.timing.never_came_bulk)
    await harness.until_kept(messages[0], stage=Stage.ACCEPTED)


async def test_a_doubt_stays_one_while_the_provider_does_not_answer(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    harness.client(REFERENCE).reply(Lost.REQUEST, of=Operation.STATUS, times=4)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    harness.time.pass_by(harness.timing.never_came)
    await until(lambda: not harness.client(REFERENCE).waiting(Operation.STATUS))
    assert harness.requests(REFERENCE, Operation.STATUS) >= 4
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert len(harness.accepted(REFERENCE)) == 1


async def test_a_doubt_that_is_too_old_for_another_attempt_expires(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE, retry_for=HOUR)
    message = await harness.one(REFERENCE)
    harness.time.pass_by(HOUR + 1)
    await harness.until_kept(message, status=Status.EXPIRED)
    assert not harness.accepted(REFERENCE)


async def test_an_answer_that_comes_late_unsettles_nothing(harness: Harness) -> None:
    """An account that was reloaded asks a second time while the first one waits."""
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE, line=harness.line)
    message = await harness.one(REFERENCE)
    harness.line.hold_answers()
    harness.time.pass_by(harness.timing.never_came)
    asked = harness.requests(REFERENCE, Operation.STATUS)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) > asked)
    await harness.attach(ONE)
    await harness.messenger.detach(REFERENCE)
    await harness.attach(REFERENCE)
    # What came before is not known any more: it is counted anew.
    harness.time.pass_by(harness.timing.never_came)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    harness.line.release_answers()
    await asyncio.sleep(0.05)
    assert (await harness.latest(message)).stage is Stage.ACCEPTED
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]


async def test_a_late_answer_about_an_earlier_request_does_not_settle_a_new_doubt(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST, times=2)
    await harness.attach(REFERENCE, line=harness.line)
    message = await harness.one(REFERENCE)
    harness.line.hold_answers()
    harness.time.pass_by(harness.timing.never_came)
    asked = harness.requests(REFERENCE, Operation.STATUS)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) > asked)
    await harness.attach(ONE)
    await harness.messenger.detach(REFERENCE)
    await harness.attach(REFERENCE)
    harness.time.pass_by(harness.timing.never_came)
    await until(lambda: harness.requests(REFERENCE) == 2)
    await harness.until_not(message, Stage.WAITING, Stage.SUBMITTING)
    harness.line.release_answers()
    await asyncio.sleep(0.05)
    assert (await harness.latest(message)).stage is Stage.IN_DOUBT
    assert harness.requests(REFERENCE) == 2


async def test_a_message_of_long_ago_with_the_same_name_does_not_settle_a_doubt(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    (message,) = await harness.send(REFERENCE, reference="allarme")
    old = Arrived(
        id="7",
        reference="allarme",
        to=NUMBER,
        text="un altro",
        sender=None,
        send_at=None,
        status=Status.DELIVERED,
        at=datetime.fromtimestamp(harness.time.now() - 2 * DAYS, UTC),
    )
    harness.client(REFERENCE).accepted.append(old)
    harness.time.pass_by(harness.timing.never_came)
    taken = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert taken.provider_id != old.id
    assert harness.requests(REFERENCE) == 2


async def test_some_of_a_shipment_in_doubt_came_and_some_did_not(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.ANSWER)
    harness.client(REFERENCE).blocked.add(OTHER)
    await harness.attach(REFERENCE)
    came, blocked = await harness.send(REFERENCE, NUMBER, OTHER)
    await harness.until_kept(came, stage=Stage.ACCEPTED)
    harness.time.pass_by(harness.timing.never_came)
    await harness.until_kept(blocked, status=Status.FAILED)
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]


async def in_doubt(harness: Harness) -> tuple[Message, ...]:
    """Return three messages of a request in doubt, of which the first one arrived."""
    harness.use(timing=replace(TIMING, first_poll=HOUR, longest_poll=HOUR))
    await harness.attach(REFERENCE, line=harness.line, retry_for=DAYS)
    client = harness.client(REFERENCE)
    client.reply(Lost.ANSWER)
    messages = await harness.send(REFERENCE, *numbers(3))
    assert {one.stage for one in messages} == {Stage.IN_DOUBT}
    del client.accepted[1:]
    harness.time.pass_by(HOUR)
    return messages


async def cancel(harness: Harness, message: Message) -> None:
    """Look up a doubt, as cancelling it does."""
    with suppress(RequestRefusedError):
        await harness.messenger.cancel(message.id)


async def reload(harness: Harness, message: Message) -> None:
    """Look up a doubt, as the account that is loaded again does."""
    await harness.attach(REFERENCE, line=harness.line, retry_for=DAYS)
    harness.time.pass_by(HOUR)
    await harness.messenger.callback(REFERENCE, str(message.submission), b"hint")


@pytest.mark.parametrize("second", [cancel, reload])
async def test_of_two_who_look_up_a_doubt_at_once_only_one_sends_what_is_missing(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    second: Callable[[Harness, Message], Coroutine[None, None, None]],
) -> None:
    # A provider that takes the same text twice.
    monkeypatch.setattr(harness.client(REFERENCE), "refuses_repeats", False)
    messages = await in_doubt(harness)
    harness.line.hold_answers()
    await harness.messenger.callback(REFERENCE, str(messages[0].submission), b"hint")
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) == 1)
    other = asyncio.create_task(second(harness, messages[0]))
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) == 2)
    harness.line.release_answers()
    await other
    await until(lambda: len(harness.accepted(REFERENCE)) == 3)
    await asyncio.sleep(0.1)
    assert sorted(one.to for one in harness.accepted(REFERENCE)) == numbers(3)


# Accepted without an ID


async def test_what_is_accepted_without_an_id_is_found_by_its_submission(
    harness: Harness,
) -> None:
    harness.use(timing=Timing(first_poll=0.2, longest_poll=HOUR))
    client = harness.client(REFERENCE)
    client.reply(Accepted(provider_id=None))
    await harness.attach(REFERENCE)
    found, dropped = await harness.send(REFERENCE, NUMBER, OTHER)
    assert {(one.stage, one.status, one.provider_id) for one in (found, dropped)} == {
        (Stage.ACCEPTED, Status.QUEUED, None)
    }
    arrived, lost = client.accepted
    lost.is_listed = False
    known = await harness.until_kept(found, provider_id=arrived.id)
    assert known.stage is Stage.ACCEPTED
    client.deliver()
    await harness.until_kept(found, status=Status.DELIVERED)
    harness.time.pass_by(3 * DAYS + 1)
    await harness.one(REFERENCE, text="un altro")
    given_up = await harness.until_kept(dropped, stage=Stage.CLOSED)
    assert given_up.status is Status.UNCERTAIN
    assert harness.requests(REFERENCE) == 2


async def test_however_many_messages_ask_their_submission_is_looked_for_once(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    harness.client(REFERENCE).reply(Accepted(provider_id=None))
    await harness.attach(REFERENCE)
    first, *_ = await harness.send(REFERENCE, *numbers(20))
    harness.client(REFERENCE).deliver()
    assert first.submission is not None
    await harness.messenger.callback(REFERENCE, first.submission, b"")
    await until(lambda: not harness.messenger.open_messages(REFERENCE))
    assert harness.requests(REFERENCE, Operation.STATUS) == 1


# Groups


@pytest.fixture
def group(harness: Harness) -> list[str]:
    """Return the numbers of the group 12 at the provider."""
    members = numbers(3)
    harness.client(REFERENCE).groups["12"] = tuple(members)
    return members


async def test_a_group_in_doubt_was_taken_if_any_of_its_numbers_is_found(
    harness: Harness, group: list[str]
) -> None:
    harness.client(REFERENCE).reply(Lost.ANSWER)
    await harness.attach(REFERENCE)
    (message,) = await harness.send(REFERENCE, groups=("12",))
    assert (message.number, message.stage) == ("group:12", Stage.IN_DOUBT)
    harness.client(REFERENCE).report(Status.DELIVERED)
    closed = await harness.until_kept(message, stage=Stage.CLOSED)
    assert (closed.status, closed.parts) == (Status.QUEUED, len(group))
    async with asyncio.timeout(20):
        while len(found := await harness.found()) <= len(group):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    assert [one.number for one in found[1:]] == group
    for member in found[1:]:
        await harness.until_kept(member, status=Status.DELIVERED)
    assert harness.requests(REFERENCE) == 1
    assert harness.messenger.totals.spent_today(REFERENCE).parts == len(group)


async def test_a_group_in_doubt_that_never_came_is_sent_again(
    harness: Harness, group: list[str]
) -> None:
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    (message,) = await harness.send(REFERENCE, groups=("12",))
    harness.time.pass_by(harness.timing.never_came_bulk)
    await harness.until_kept(message, stage=Stage.CLOSED)
    assert [to for to, _ in harness.arrived(REFERENCE)] == group
    assert harness.requests(REFERENCE) == 2


# For later


async def test_a_message_that_waits_at_its_provider_is_asked_about_after_its_time(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    (message,) = await harness.send(
        REFERENCE, NUMBER, send_at=harness.time.now() + 10 * DAYS
    )
    other = await harness.one(REFERENCE, OTHER)
    questions: list[set[str | None]] = []

    def asked(one: Message) -> int:
        questions[:] = asked_about(harness, REFERENCE)
        return sum(one.provider_id in ids for ids in questions)

    await until(lambda: asked(other) >= 5)
    assert not asked(message)
    # Its age counts from its time on, and so does the end of the asking.
    harness.time.pass_by(10 * DAYS + 1)
    await until(lambda: asked(message))
    assert (await harness.latest(message)).stage is Stage.ACCEPTED
    harness.time.pass_by(3 * DAYS)
    await harness.until_kept(message, stage=Stage.CLOSED, status=Status.UNCERTAIN)


# By Push


async def test_nothing_calls_back_about_a_push_so_it_is_asked_about(
    harness: Harness,
) -> None:
    harness.use(
        timing=Timing(first_poll=0.01, first_poll_if_pushed=HOUR, longest_poll=HOUR)
    )
    harness.client(REFERENCE).push_phones.add(NUMBER)
    await harness.attach(
        REFERENCE,
        channel=Channel.PUSH_THEN_SMS,
        callback_url="https://casa.example/{}".format,
    )
    push, sms = await harness.send(REFERENCE, NUMBER, OTHER)
    assert (push.type, sms.type) == (MessageType.PUSH, MessageType.SMS)
    harness.client(REFERENCE).report(Status.DELIVERED)
    await harness.until_kept(push, status=Status.DELIVERED)
    assert (await harness.latest(sms)).status is Status.QUEUED


async def test_a_push_in_doubt_is_found_and_has_no_parts(harness: Harness) -> None:
    harness.client(REFERENCE).push_phones.add(NUMBER)
    harness.client(REFERENCE).reply(Lost.ANSWER)
    await harness.attach(REFERENCE)
    (message,) = await harness.send(REFERENCE, channel=Channel.PUSH)
    taken = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert (taken.type, taken.parts) == (MessageType.PUSH, 0)
    assert harness.messenger.totals.spent_today(REFERENCE).parts == 0


# Callbacks


async def called_back(
    harness: Harness, message: Message, status: Status, submission: str | None = None
) -> bool:
    """Call back with a report of a message, at the address of its submission."""
    return await harness.messenger.callback(
        ONE,
        submission or message.submission or "",
        callback_body(message.provider_id, message.number, status),
    )


async def test_a_callback_that_the_provider_documents_is_a_report(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    assert await called_back(harness, message, Status.DELIVERED)
    assert (await harness.latest(message)).status is Status.DELIVERED
    assert not harness.requests(ONE, Operation.STATUS)
    # A repetition is nothing new.
    assert not await called_back(harness, message, Status.FAILED)
    assert (await harness.latest(message)).status is Status.DELIVERED


async def test_a_callback_changes_no_message_of_another_submission(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(ONE)
    one, other = await harness.one(ONE), await harness.one(ONE, OTHER)
    for submission in (other.submission, "unknown"):
        await called_back(harness, one, Status.DELIVERED, submission)
    assert await harness.latest(one) == one
    assert await harness.latest(other) == other


@pytest.mark.parametrize(
    ("reply", "stage"),
    [
        (Accepted(provider_id=None), Stage.ACCEPTED),
        (Lost.ANSWER, Stage.IN_DOUBT),
        ({NUMBER: Uncertain(detail="cut", provider_id="1")}, Stage.IN_DOUBT),
    ],
    ids=["accepted without an ID", "in doubt", "in doubt with an ID"],
)
async def test_a_report_of_its_submission_settles_a_message(
    harness: Harness, reply: Reply, stage: Stage
) -> None:
    harness.use(timing=STILL)
    harness.client(REFERENCE).reply(reply)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    assert message.stage is stage
    body = callback_body("1", NUMBER, Status.DELIVERED)
    assert await harness.messenger.callback(REFERENCE, str(message.submission), body)
    settled = await harness.latest(message)
    assert (settled.status, settled.provider_id) == (Status.DELIVERED, "1")
    assert not harness.requests(REFERENCE, Operation.STATUS)


@pytest.mark.parametrize("reply", [None, Lost.ANSWER], ids=["accepted", "in doubt"])
async def test_a_callback_that_refuses_a_submission_lets_the_route_go_on(
    harness: Harness, reply: Reply | None
) -> None:
    """Nothing of it was sent, so no option is asked."""
    harness.use(timing=STILL)
    if reply is not None:
        harness.client(REFERENCE).reply(reply)
    await harness.attach(REFERENCE, fallback=(ONE,))
    await harness.attach(ONE)
    message = await harness.one(REFERENCE)
    body = refusal_body(str(message.submission), ErrorKind.CREDIT)

    assert not await harness.messenger.callback(REFERENCE, "unknown", body)
    assert await harness.latest(message) == message
    assert await harness.messenger.callback(REFERENCE, str(message.submission), body)

    kept = await harness.until_kept(message, stage=Stage.ACCEPTED, last_account=ONE)
    assert (kept.error, kept.failed_over_from) == (None, REFERENCE)
    assert len(harness.accepted(ONE)) == 1


async def test_any_other_callback_is_a_hint_to_ask(harness: Harness) -> None:
    harness.use(timing=STILL)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.DELIVERED)
    assert message.submission is not None
    assert await harness.messenger.callback(ONE, message.submission, b"")
    await harness.until_kept(message, status=Status.DELIVERED)
    assert harness.requests(ONE, Operation.STATUS) == 1


async def test_a_callback_that_is_quicker_than_the_answer_is_asked_about_then(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    key = ONE
    harness.line.hold_answers()
    references: list[str] = []

    def note(reference: str) -> None:
        references.append(reference)

    await harness.attach(key, line=harness.line, callback_url=note)
    send = asyncio.create_task(harness.one(key))
    await until(lambda: harness.accepted(key))
    harness.client(key).report(Status.DELIVERED)
    assert await harness.messenger.callback(key, references[-1], b"")
    harness.line.release_answers()
    message = await send
    await harness.until_kept(message, status=Status.DELIVERED)


async def test_hints_about_one_submission_are_answered_by_few_questions(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(REFERENCE)
    first, *_ = await harness.send(REFERENCE, *numbers(10))
    assert first.submission is not None
    for index in range(50):
        assert await harness.messenger.callback(REFERENCE, first.submission, b"")
        await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= 1)
        if index == 25:
            await asyncio.sleep(0.1)
    assert harness.requests(REFERENCE, Operation.STATUS) == 1


async def test_a_hint_that_comes_too_soon_after_another_is_not_lost(
    harness: Harness,
) -> None:
    harness.use(timing=Timing(first_poll=0.1, first_poll_if_pushed=HOUR))
    await harness.attach(REFERENCE, callback_url="https://casa.example/{}".format)
    message = await harness.one(REFERENCE)
    assert message.submission is not None
    await harness.messenger.callback(REFERENCE, message.submission, b"")
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) == 1)
    harness.client(REFERENCE).report(Status.DELIVERED)
    await harness.messenger.callback(REFERENCE, message.submission, b"")
    await harness.until_kept(message, status=Status.DELIVERED)
    assert harness.requests(REFERENCE, Operation.STATUS) == 2


async def test_what_was_reported_too_early_is_forgotten_with_its_submission(
    harness: Harness,
) -> None:
    key = ONE
    references: list[str] = []

    def note(reference: str) -> None:
        references.append(reference)

    def is_asked(before: int) -> bool:
        return harness.requests(key) > before

    await harness.attach(key, line=harness.line, callback_url=note)
    for sends in range(5):
        harness.line.hold_answers()
        send = asyncio.create_task(harness.one(key, LANDLINE))
        await until(partial(is_asked, sends))
        assert await harness.messenger.callback(key, references[-1], b"")
        harness.line.release_answers()
        assert (await send).stage is Stage.CLOSED
    (tracker,) = vars(harness.messenger)["_trackers"].values()
    assert len(vars(tracker)["_reported_early"]) <= 1


async def test_a_hint_comes_before_the_question_that_was_planned(
    harness: Harness,
) -> None:
    harness.use(timing=ONCE)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    assert message.submission is not None
    for _ in range(3):
        await harness.messenger.callback(ONE, message.submission, b"")
    await until(lambda: asked_about(harness, ONE))
    harness.client(ONE).report(Status.DELIVERED)
    await harness.until_kept(message, status=Status.DELIVERED)


async def test_a_callback_about_nothing_of_ours_asks_nothing(harness: Harness) -> None:
    harness.use(timing=STILL)
    await harness.attach(ONE)
    await harness.one(ONE)
    assert not await harness.messenger.callback(ONE, "unknown", b"")
    assert not await harness.messenger.callback("unknown", "unknown", b"")
    assert not harness.requests(ONE, Operation.STATUS)


async def test_a_callback_about_another_accounts_message_asks_nothing(
    harness: Harness,
) -> None:
    """This provider does not know it, which would look as if it had never come."""
    harness.use(timing=STILL)
    await harness.attach(ONE)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    assert message.submission is not None
    assert not await harness.messenger.callback(ONE, message.submission, b"")
    assert not harness.requests(ONE, Operation.STATUS)


async def test_where_the_provider_reports_by_itself_asking_is_the_safety_net(
    harness: Harness,
) -> None:
    harness.use(
        timing=Timing(first_poll=0.01, first_poll_if_pushed=HOUR, longest_poll=HOUR)
    )
    address = "https://casa.example/{}"
    await harness.attach(ONE, callback_url=address.format)
    await harness.attach(REFERENCE)
    await harness.one(ONE)
    await harness.one(REFERENCE, OTHER)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) >= 5)
    assert not harness.requests(ONE, Operation.STATUS)
    (submission,) = harness.client(ONE).submissions
    assert submission.callback_url == address.format(submission.reference)


async def test_a_tracker_that_was_stopped_is_forgotten(harness: Harness) -> None:
    """However often an account is loaded again, nothing of its former runs is kept."""
    await harness.attach(REFERENCE)
    account = harness.account(REFERENCE)
    context = a_context(
        Accounts(lambda _: False), harness.messenger.ledger, Clock(), STILL
    )
    tracker = Tracker(account, context)
    former = weakref.ref(tracker)
    tracker.stop()
    del tracker
    gc.collect()
    assert former() is None
