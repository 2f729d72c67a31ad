"""The way along the route: accounts that are not there yet, and times to come."""

import asyncio

import pytest

from custom_components.sms_italia.messaging.model import Stage
from custom_components.sms_italia.providers.model import ErrorKind, Status
from simulator import Fault

from .helpers import LANDLINE, NUMBER, STILL, TEXT, House, numbers, until

KEY = "smsviainternet"
WRONG = {"api_token": "wrong"}
HOUR = 3600


@pytest.fixture(autouse=True)
def _still(house: House) -> None:
    """Let no second attempt and no status question come by itself."""
    house.use(pace=STILL)


async def at_its_time(house: House) -> None:
    """Let an hour go by, and the outbox see it."""
    house.time.pass_by(HOUR)
    await house.attach("inviosmart", name="sveglia")


# Accounts that are not loaded


async def test_a_message_waits_for_a_fallback_that_is_going_to_be_loaded(
    house: House,
) -> None:
    house.expected.add("smshosting")
    await house.attach(KEY, settings=WRONG, fallback=("smshosting",))
    message = await house.one(KEY)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert (message.error, message.carrier) == (ErrorKind.AUTH, KEY)
    await house.attach("smshosting")
    taken = await house.until_kept(message, stage=Stage.TAKEN)
    assert taken.carrier == "smshosting"
    assert house.arrived("smshosting") == [(NUMBER, TEXT)]


async def test_a_message_waits_for_the_only_account_that_may_still_take_it(
    house: House,
) -> None:
    house.expected.add("smshosting")
    house.simulator.set_credit("inviosmart", 0)
    await house.attach("inviosmart")
    await house.attach(KEY, settings=WRONG, fallback=("inviosmart", "smshosting"))
    message = await house.one(KEY)
    assert (message.stage, message.error) == (Stage.WAITING, ErrorKind.AUTH)


async def test_an_account_that_does_not_retry_waits_for_no_fallback(
    house: House,
) -> None:
    house.expected.add("smshosting")
    await house.attach(KEY, settings=WRONG, fallback=("smshosting",), retry_for=0)
    message = await house.one(KEY)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)


async def test_what_no_account_can_cure_waits_for_none(house: House) -> None:
    house.expected.add("smshosting")
    await house.attach("inviosmart", fallback=("smshosting",))
    message = await house.one("inviosmart", LANDLINE)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.RECIPIENT)


# Who refused


async def test_the_account_that_is_named_is_the_one_that_refused(
    house: House,
) -> None:
    house.simulator.set_credit("smshosting", 0)
    await house.attach("smshosting")
    await house.attach(KEY, settings=WRONG, fallback=("smshosting",))
    message = await house.one(KEY)
    assert (message.error, message.carrier) == (ErrorKind.AUTH, KEY)
    assert await house.latest(message) == message


async def test_a_fallback_that_knows_a_number_to_be_bad_is_named(
    house: House,
) -> None:
    await house.attach("inviosmart")
    await house.attach(KEY, settings=WRONG, fallback=("inviosmart",))
    message = await house.one(KEY, LANDLINE)
    assert (message.error, message.carrier) == (ErrorKind.RECIPIENT, "inviosmart")


async def test_a_message_that_waits_names_the_account_that_refused_it_first(
    house: House,
) -> None:
    house.simulator.inject("smshosting", Fault.THROTTLED)
    await house.attach("smshosting")
    await house.attach(KEY, settings=WRONG, fallback=("smshosting",))
    message = await house.one(KEY)
    assert message.stage is Stage.WAITING
    assert (message.error, message.carrier) == (ErrorKind.AUTH, KEY)


# A time to come


async def test_an_account_that_cannot_schedule_is_asked_when_it_is_time(
    house: House,
) -> None:
    await house.attach("inviosmart")
    due = house.time.now() + HOUR
    (message,) = await house.send("inviosmart", NUMBER, send_at=due)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert (message.attempt_at, message.error) == (due, None)
    assert not house.requests("inviosmart")
    await at_its_time(house)
    await house.until_kept(message, stage=Stage.TAKEN)
    assert house.arrived("inviosmart") == [(NUMBER, TEXT)]


async def test_no_fallback_is_asked_before_the_time_of_an_account_that_cannot_schedule(
    house: House,
) -> None:
    await house.attach("smshosting")
    await house.attach("inviosmart", fallback=("smshosting",))
    # Whatever goes over the outbox finds the message not due.
    due = house.time.now() + HOUR
    (message,) = await house.send("inviosmart", NUMBER, send_at=due)
    await house.attach(KEY)
    await at_its_time(house)
    taken = await house.until_kept(message, stage=Stage.TAKEN)
    assert taken.carrier == "inviosmart"
    assert not house.requests("smshosting")


@pytest.mark.parametrize("key", ["smsviainternet", "smshosting"])
async def test_an_account_that_can_schedule_is_asked_at_once(
    house: House, key: str
) -> None:
    await house.attach(key)
    due = house.time.now() + HOUR
    (message,) = await house.send(key, NUMBER, send_at=due)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.TAKEN)
    (arrived,) = house.accepted(key)
    assert arrived.scheduled is not None
    assert arrived.scheduled.timestamp() == pytest.approx(due, abs=1)


async def test_a_fallback_that_can_schedule_gets_the_time(house: House) -> None:
    await house.attach("smshosting")
    await house.attach(KEY, settings=WRONG, fallback=("smshosting",))
    due = house.time.now() + HOUR
    (message,) = await house.send(KEY, NUMBER, send_at=due)
    assert message.carrier == "smshosting"
    (arrived,) = house.accepted("smshosting")
    assert arrived.scheduled is not None
    assert arrived.scheduled.timestamp() == pytest.approx(due, abs=1)


async def test_a_fallback_that_cannot_schedule_is_not_asked_before_the_time(
    house: House,
) -> None:
    await house.attach("inviosmart")
    await house.attach(KEY, settings=WRONG, fallback=("inviosmart",))
    due = house.time.now() + HOUR
    (message,) = await house.send(KEY, NUMBER, send_at=due)
    assert (message.stage, message.attempt_at) == (Stage.WAITING, due)
    assert (message.error, message.carrier) == (ErrorKind.AUTH, KEY)
    assert not house.requests("inviosmart")
    await at_its_time(house)
    taken = await house.until_kept(message, stage=Stage.TAKEN)
    assert taken.carrier == "inviosmart"
    assert house.arrived("inviosmart") == [(NUMBER, TEXT)]


async def test_a_time_that_is_nearly_there_is_waited_for_here(house: House) -> None:
    # When the request arrives, the provider might call the time past.
    await house.attach("smshosting")
    due = house.time.now() + 5
    (message,) = await house.send("smshosting", NUMBER, send_at=due)
    assert (message.stage, message.attempt_at) == (Stage.WAITING, due)
    assert not house.requests("smshosting")


@pytest.mark.parametrize("key", ["smshosting", "inviosmart"])
async def test_a_message_due_later_waits_also_where_nothing_is_retried(
    house: House, key: str
) -> None:
    house.simulator.inject(key, Fault.THROTTLED)
    await house.attach(key, retry_for=0)
    due = house.time.now() + HOUR
    (message,) = await house.send(key, NUMBER, send_at=due)
    assert message.stage is Stage.WAITING


async def test_a_bad_number_of_a_message_due_later_fails_at_once(
    house: House,
) -> None:
    await house.attach("inviosmart")
    await house.attach("smshosting", fallback=("inviosmart",))
    due = house.time.now() + HOUR
    bad, good = await house.send("smshosting", LANDLINE, NUMBER, send_at=due)
    assert (bad.status, bad.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert good.stage is Stage.TAKEN


# What somebody stopped


async def test_a_message_that_is_cancelled_before_its_turn_does_not_go_out(
    house: House,
) -> None:
    key = "transactionale"
    house.line.hold_answers()
    await house.attach(key, url=house.line.url(key))
    send = asyncio.create_task(house.send(key, *numbers(34)))
    await until(lambda: house.requests(key) == 32)
    late, _ = [
        one for one in house.messenger.open_messages(key) if one.stage is Stage.WAITING
    ]
    await house.messenger.cancel(late.id)
    house.line.release_answers()
    messages = await send
    (cancelled,) = [one for one in messages if one.stage is Stage.CLOSED]
    assert (cancelled.number, cancelled.error) == (late.number, ErrorKind.CANCELLED)
    assert late.number not in dict(house.arrived(key))
    assert len(house.accepted(key)) == house.requests(key) == 33
