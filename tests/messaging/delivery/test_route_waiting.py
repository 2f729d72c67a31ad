"""The way along the route: accounts that are not there yet, and times to come."""

import pytest

from custom_components.sms_italia.messaging import Stage
from custom_components.sms_italia.providers import ErrorKind, Status

from ..fake import LANDLINE, MANY, PLAIN, REFERENCE, THROTTLED_FOR_7_SECONDS
from ..helpers import NUMBER, STILL, TEXT, Harness

KEY = MANY
HOUR = 3600


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let no second attempt and no status question come by itself."""
    harness.use(timing=STILL)


async def at_its_time(harness: Harness) -> None:
    """Let an hour go by, and the outbox see it."""
    harness.time.pass_by(HOUR)
    await harness.attach(PLAIN, name="sveglia")


# Accounts that are not loaded


async def test_a_message_waits_for_a_fallback_that_is_going_to_be_loaded(
    harness: Harness,
) -> None:
    harness.expected.add(REFERENCE)
    await harness.attach(KEY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,))
    message = await harness.one(KEY)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert (message.error, message.last_account) == (ErrorKind.AUTH, KEY)
    await harness.attach(REFERENCE)
    taken = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert taken.last_account == REFERENCE
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]


async def test_a_message_waits_for_the_only_account_that_may_still_take_it(
    harness: Harness,
) -> None:
    harness.expected.add(REFERENCE)
    harness.client(PLAIN).refuse(ErrorKind.CREDIT)
    await harness.attach(PLAIN)
    await harness.attach(KEY, refusing=ErrorKind.AUTH, fallback=(PLAIN, REFERENCE))
    message = await harness.one(KEY)
    assert (message.stage, message.error) == (Stage.WAITING, ErrorKind.AUTH)


async def test_an_account_that_does_not_retry_waits_for_no_fallback(
    harness: Harness,
) -> None:
    harness.expected.add(REFERENCE)
    await harness.attach(
        KEY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,), retry_for=0
    )
    message = await harness.one(KEY)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)


async def test_a_number_that_one_account_does_not_reach_waits_for_the_next(
    harness: Harness,
) -> None:
    harness.expected.add(REFERENCE)
    harness.client(REFERENCE).blocked.clear()
    await harness.attach(PLAIN, fallback=(REFERENCE,))
    message = await harness.one(PLAIN, LANDLINE)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    await harness.attach(REFERENCE)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert harness.arrived(REFERENCE) == [(LANDLINE, TEXT)]


# Who refused


async def test_the_account_that_is_named_is_the_one_that_refused(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).refuse(ErrorKind.TEXT)
    await harness.attach(REFERENCE)
    await harness.attach(KEY, refusing=ErrorKind.SENDER, fallback=(REFERENCE,))
    message = await harness.one(KEY)
    assert (message.status, message.submission) == (Status.FAILED, None)
    assert (message.error, message.last_account) == (ErrorKind.SENDER, KEY)
    assert await harness.latest(message) == message


async def test_a_message_that_waits_names_the_account_that_it_waits_for(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN, refusing=ErrorKind.CREDIT)
    await harness.attach(KEY, fallback=(PLAIN,))
    message = await harness.one(KEY, LANDLINE)
    assert message.status is Status.QUEUED
    assert (message.error, message.last_account) == (ErrorKind.CREDIT, PLAIN)


async def test_a_message_that_waits_names_the_account_that_refused_it_first(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(THROTTLED_FOR_7_SECONDS)
    await harness.attach(REFERENCE)
    await harness.attach(KEY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,))
    message = await harness.one(KEY)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert (message.error, message.last_account) == (ErrorKind.AUTH, KEY)


# A time to come


async def test_no_fallback_is_asked_before_the_time_of_an_account_that_cannot_schedule(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    await harness.attach(PLAIN, fallback=(REFERENCE,))
    # Whatever goes over the outbox finds the message not due.
    due = harness.time.now() + HOUR
    (message,) = await harness.send(PLAIN, NUMBER, send_at=due)
    await harness.attach(KEY)
    await at_its_time(harness)
    taken = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert taken.last_account == PLAIN
    assert not harness.requests(REFERENCE)


async def test_an_account_that_can_schedule_is_asked_at_once(harness: Harness) -> None:
    await harness.attach(KEY)
    due = harness.time.now() + HOUR
    (message,) = await harness.send(KEY, NUMBER, send_at=due)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.ACCEPTED)
    (arrived,) = harness.accepted(KEY)
    assert arrived.send_at is not None
    assert arrived.send_at.timestamp() == pytest.approx(due, abs=1)


async def test_a_fallback_that_can_schedule_gets_the_time(harness: Harness) -> None:
    await harness.attach(REFERENCE)
    await harness.attach(KEY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,))
    due = harness.time.now() + HOUR
    (message,) = await harness.send(KEY, NUMBER, send_at=due)
    assert message.last_account == REFERENCE
    (arrived,) = harness.accepted(REFERENCE)
    assert arrived.send_at is not None
    assert arrived.send_at.timestamp() == pytest.approx(due, abs=1)


async def test_a_fallback_that_cannot_schedule_is_not_asked_before_the_time(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN)
    await harness.attach(KEY, refusing=ErrorKind.AUTH, fallback=(PLAIN,))
    due = harness.time.now() + HOUR
    (message,) = await harness.send(KEY, NUMBER, send_at=due)
    assert message.stage is Stage.WAITING
    assert message.attempt_at == pytest.approx(due)
    assert (message.error, message.last_account) == (ErrorKind.AUTH, KEY)
    assert not harness.requests(PLAIN)
    await at_its_time(harness)
    taken = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert taken.last_account == PLAIN
    assert harness.arrived(PLAIN) == [(NUMBER, TEXT)]


async def test_a_time_that_is_nearly_there_is_waited_for_here(harness: Harness) -> None:
    # When the request arrives, the provider might call the time past.
    await harness.attach(REFERENCE)
    due = harness.time.now() + 5
    (message,) = await harness.send(REFERENCE, NUMBER, send_at=due)
    assert message.stage is Stage.WAITING
    assert message.attempt_at == pytest.approx(due)
    assert not harness.requests(REFERENCE)


@pytest.mark.parametrize("key", [REFERENCE, PLAIN])
async def test_a_message_due_later_waits_also_where_nothing_is_retried(
    harness: Harness, key: str
) -> None:
    harness.client(key).reply(THROTTLED_FOR_7_SECONDS)
    await harness.attach(key, retry_for=0)
    due = harness.time.now() + HOUR
    (message,) = await harness.send(key, NUMBER, send_at=due)
    assert message.stage is Stage.WAITING


async def test_a_bad_number_of_a_message_due_later_fails_at_once(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    due = harness.time.now() + HOUR
    bad, good = await harness.send(REFERENCE, LANDLINE, NUMBER, send_at=due)
    assert (bad.status, bad.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert good.stage is Stage.ACCEPTED
