"""What a start makes of the time off, whatever the wall clock showed meanwhile."""

import asyncio

import pytest

from custom_components.sms_italia.messaging import Message, Stage
from custom_components.sms_italia.providers import Status

from .fake import ONE, THROTTLED_FOR_7_SECONDS
from .helpers import STILL, Harness, until

HOUR = 3600
DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let nothing be tried again by itself."""
    harness.use(timing=STILL)


async def waiting(harness: Harness) -> Message:
    """Return a message that was tried, and waits for the line."""
    harness.line.down()
    await harness.attach(ONE, line=harness.line)
    message = await harness.one(ONE)
    assert (message.stage, message.attempts) == (Stage.WAITING, 1)
    return message


async def untried(harness: Harness) -> Message:
    """Return a message that waits, because the provider has just asked to wait."""
    await harness.attach(ONE, line=harness.line)
    harness.client(ONE).reply(THROTTLED_FOR_7_SECONDS)
    await harness.one(ONE)
    harness.line.down()
    message = await harness.one(ONE, text="Allarme: acqua in cantina")
    assert (message.stage, message.attempts) == (Stage.WAITING, 0)
    return message


async def restart(harness: Harness, *, off: float = 60, clock: float = 0) -> None:
    """Start again after some seconds off, with the clock set forward meanwhile."""
    await harness.messenger.close()
    harness.time.pass_by(off)
    harness.time.set_forward(clock)
    harness.use()
    await harness.attach(ONE, line=harness.line)


async def still_waits(harness: Harness, message: Message) -> None:
    """Return when a message waits, after the outbox has looked at it."""
    await notice(harness)
    await asyncio.sleep(0.05)
    await harness.until_kept(message, stage=Stage.WAITING)


async def notice(harness: Harness) -> None:
    """Let it be noticed that the clock was set."""
    await harness.attach(ONE, name="orologio")


async def test_the_time_off_counts(harness: Harness) -> None:
    message = await waiting(harness)
    await restart(harness, off=HOUR - 60)
    await still_waits(harness, message)
    await restart(harness, off=61)
    await harness.until_kept(message, status=Status.EXPIRED)


async def test_a_clock_before_the_last_entry_knows_of_no_time_off(
    harness: Harness,
) -> None:
    """And a network time that comes later expires nothing either."""
    message = await waiting(harness)
    await restart(harness, off=2 * HOUR, clock=-3 * HOUR)
    await still_waits(harness, message)
    harness.time.set_forward(3 * HOUR)
    await still_waits(harness, message)
    harness.time.pass_by(HOUR)
    await notice(harness)
    await harness.until_kept(message, status=Status.EXPIRED)


async def test_entries_of_before_a_correction_do_not_count_in_the_comparison(
    harness: Harness,
) -> None:
    """The clock was a year ahead when the message came, and that was seen."""
    harness.time.set_forward(365 * DAY)
    message = await waiting(harness)
    harness.time.set_forward(-365 * DAY)
    await notice(harness)
    await restart(harness, off=2 * HOUR)
    await harness.until_kept(message, status=Status.EXPIRED)


async def test_a_clock_set_back_and_a_start_in_one_go_lose_no_message(
    harness: Harness,
) -> None:
    message = await waiting(harness)
    await restart(harness, off=60, clock=-365 * DAY)
    await still_waits(harness, message)
    harness.line.up()
    await restart(harness)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_what_was_never_tried_gets_one_try_after_a_start(
    harness: Harness,
) -> None:
    message = await untried(harness)
    await restart(harness, off=5 * HOUR)
    kept = await harness.until_kept(message, status=Status.EXPIRED)
    assert kept.attempts == 1


async def test_what_was_never_tried_for_more_than_a_day_expires(
    harness: Harness,
) -> None:
    message = await untried(harness)
    harness.line.up()
    await restart(harness, off=DAY)
    await harness.until_kept(message, status=Status.EXPIRED)
    assert not harness.accepted(ONE)


async def test_ids_grow_over_a_start_with_a_clock_that_was_set_back(
    harness: Harness,
) -> None:
    before = await waiting(harness)
    await restart(harness, clock=-DAY)
    assert (await harness.one(ONE)).id > before.id


@pytest.mark.parametrize("clock", [-HOUR, 0, HOUR])
async def test_a_message_for_later_follows_the_clock_of_the_start(
    harness: Harness, clock: float
) -> None:
    await harness.attach(ONE)
    later = harness.time.now() + 3 * HOUR
    (message,) = await harness.send(ONE, send_at=later)
    await restart(harness, clock=clock)
    left = later - harness.time.now()
    harness.time.pass_by(left - 1)
    await still_waits(harness, message)
    harness.time.pass_by(1)
    await notice(harness)
    await until(lambda: harness.accepted(ONE))
