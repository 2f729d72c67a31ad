"""Stopping a message before it goes out: here, at its provider, or not any more."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from custom_components.sms_italia.messaging.account import DeliveryReports
from custom_components.sms_italia.messaging.errors import OrderRefusedError, Refusal
from custom_components.sms_italia.messaging.model import Message, Stage
from custom_components.sms_italia.messaging.pacing import Pace
from custom_components.sms_italia.providers.errors import ProviderError
from custom_components.sms_italia.providers.model import ErrorKind, Status
from custom_components.sms_italia.providers.transport import Json
from simulator import Fault, Status as Fate, Toggle
from tests.providers.canned import Canned

from .helpers import (
    NUMBER,
    OTHER,
    PACE,
    SHORT,
    STILL,
    House,
    copy_as_after_a_crash,
    numbers,
    until,
)

KEEPS = "smshosting"
"""A provider that keeps messages for later and can stop them."""
CANNOT = "smsviainternet"
"""One that keeps them and cannot."""
LACKS = "transactionale"
"""One that does neither: such messages wait here."""

HOUR = 3600


@pytest.fixture(autouse=True)
def _still(house: House) -> None:
    """Let nothing come by itself."""
    house.use(pace=STILL)


@pytest.fixture
def later(house: House) -> float:
    """Return a moment an hour from now."""
    return house.time.now() + HOUR


@pytest.fixture
async def canned(socket_enabled: None) -> AsyncGenerator[Canned]:  # noqa: ARG001 - loopback sockets
    """Return a provider that says what the test tells it to."""
    async with Canned() as canned:
        yield canned


async def cancel(house: House, message: Message) -> Message:
    """Cancel a message."""
    return await house.messenger.cancel(message.id)


async def refused(house: House, message: Message) -> Refusal:
    """Return why a message is not cancelled."""
    with pytest.raises(OrderRefusedError) as caught:
        await cancel(house, message)
    return caught.value.reason


async def is_cancelled(house: House, message: Message) -> bool:
    """Tell whether a message is closed as a cancelled one."""
    kept = await house.latest(message)
    return (kept.status, kept.stage, kept.error) == (
        Status.FAILED,
        Stage.CLOSED,
        ErrorKind.CANCELLED,
    )


# In our own hands


async def test_a_message_that_waits_here_is_never_sent(
    house: House, later: float
) -> None:
    await house.attach(LACKS)
    (message,) = await house.send(LACKS, send_at=later)
    cancelled = await cancel(house, message)
    assert await is_cancelled(house, message)
    assert await house.latest(message) == cancelled
    house.time.pass_by(2 * HOUR)
    await house.attach(CANNOT)
    assert not house.simulator.requests
    assert house.statuses[message.id] == [Status.QUEUED, Status.FAILED]


async def test_a_message_that_waits_for_better_times_is_not_sent_when_they_come(
    house: House,
) -> None:
    await house.attach(LACKS, url=house.line.url(LACKS), fallback=(CANNOT,))
    house.line.down()
    message = await house.one(LACKS)
    assert message.stage is Stage.WAITING
    await cancel(house, message)
    await house.line.up()
    await house.attach(CANNOT)
    house.time.pass_by(2 * HOUR)
    await house.one(LACKS, OTHER)
    assert await is_cancelled(house, message)
    assert [to for to, _ in house.arrived(LACKS)] == [OTHER]
    assert not house.accepted(CANNOT)


async def test_one_that_waits_for_its_turn_on_the_wire_is_not_sent(
    house: House,
) -> None:
    house.line.hold_answers()
    await house.attach(LACKS, url=house.line.url(LACKS))
    # More than may be on the wire at once.
    many = numbers(34)
    send = asyncio.create_task(house.send(LACKS, *many))
    await until(lambda: house.requests(LACKS) == 32)
    waiting = {one.number: one for one in house.messenger.open_messages(LACKS)}
    last = waiting[many[-1]]
    await cancel(house, last)
    on_the_wire = waiting[many[0]]
    assert await refused(house, on_the_wire) is Refusal.TOO_LATE_TO_CANCEL
    house.line.release_answers()
    messages = await send
    assert messages[-1].error is ErrorKind.CANCELLED
    assert await is_cancelled(house, last)
    assert house.requests(LACKS) == 33


async def test_a_message_of_a_storm_that_is_held_back_is_not_joined(
    house: House,
) -> None:
    await house.attach(LACKS, bundle_after=1)
    await house.one(LACKS, text="uno")
    held = [await house.one(LACKS, text=text) for text in ("due", "tre", "quattro")]
    assert {one.stage for one in held} == {Stage.HELD}
    await cancel(house, held[1])
    house.time.pass_by(2 * HOUR)
    assert await is_cancelled(house, held[1])
    kept = await house.latest(held[0])
    assert kept.error is None


@pytest.mark.parametrize("ending", ["taken", "closed", "failed"])
async def test_what_is_at_its_end_or_gone_cannot_be_cancelled(
    house: House, ending: str
) -> None:
    key = KEEPS
    await house.attach(key)
    message = await house.one(key)
    (arrived,) = house.accepted(key)
    house.simulator.move(
        arrived.id, {"taken": "sent", "closed": "delivered"}.get(ending, "failed")
    )
    assert message.submission is not None
    await house.messenger.callback(key, message.submission, b"")
    await until(lambda: house.statuses[message.id][-1] is not Status.QUEUED)
    assert await refused(house, message) is Refusal.TOO_LATE_TO_CANCEL
    kept = await house.latest(message)
    assert kept.error is None


async def test_a_message_that_nobody_knows_cannot_be_cancelled(house: House) -> None:
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await house.messenger.cancel(17)
    await house.attach(LACKS)
    with pytest.raises(OrderRefusedError) as caught:
        await house.messenger.cancel(0xABC)
    assert caught.value.reason is Refusal.UNKNOWN_MESSAGE
    assert caught.value.placeholders == {"message_id": "0000000000000abc"}


# At the provider


async def test_a_message_that_waits_at_its_provider_is_stopped_there(
    house: House, later: float
) -> None:
    await house.attach(LACKS)
    await house.attach(KEEPS, fallback=(LACKS,), failover_on_failed_delivery=True)
    message, other = await house.send(KEEPS, NUMBER, OTHER, send_at=later)
    cancelled = await cancel(house, message)
    assert await house.latest(message) == cancelled
    assert await is_cancelled(house, message)
    first, second = house.accepted(KEEPS)
    assert (first.word, second.word) == ("NOSENT", None)
    assert (await house.latest(other)).stage is Stage.TAKEN
    # Nobody wants it to arrive by another way.
    assert not house.simulator.requests.of(LACKS)
    assert await refused(house, message) is Refusal.TOO_LATE_TO_CANCEL


async def test_one_that_went_out_meanwhile_is_not_called_cancelled(
    house: House, later: float
) -> None:
    await house.attach(KEEPS)
    (message,) = await house.send(KEEPS, send_at=later)
    house.simulator.move(house.accepted(KEEPS)[0].id, Fate.SENT)
    assert await refused(house, message) is Refusal.TOO_LATE_TO_CANCEL
    # The provider is asked what became of it.
    sent = await house.until_kept(message, status=Status.SENT)
    assert (sent.stage, sent.error) == (Stage.TAKEN, None)


async def test_a_provider_that_cannot_stop_what_it_has_is_not_asked(
    house: House, later: float
) -> None:
    await house.attach(CANNOT)
    (message,) = await house.send(CANNOT, send_at=later)
    requests = len(house.simulator.requests)
    assert await refused(house, message) is Refusal.CANNOT_CANCEL
    assert len(house.simulator.requests) == requests
    assert (await house.latest(message)).error is None


async def test_a_message_taken_in_bulk_is_looked_for_first(
    house: House, later: float
) -> None:
    house.simulator.set_credit(KEEPS, 1000)
    await house.attach(KEEPS, daily_limit=0)
    messages = await house.send(KEEPS, *numbers(1001), send_at=later)
    assert messages[7].provider_id is None
    cancelled = await cancel(house, messages[7])
    assert cancelled.provider_id == house.accepted(KEEPS)[7].id
    assert await is_cancelled(house, messages[7])
    (stopped,) = [one for one in house.accepted(KEEPS) if one.word == "NOSENT"]
    assert stopped.to == messages[7].number


async def test_one_that_the_provider_has_not_worked_on_yet_cannot_be_cancelled(
    house: House, later: float
) -> None:
    house.simulator.set_credit(KEEPS, 1000)
    house.simulator.switch_on(KEEPS, Toggle.SLOW_PROCESSING)
    await house.attach(KEEPS, daily_limit=0)
    message, *_ = await house.send(KEEPS, *numbers(1001), send_at=later)
    assert await refused(house, message) is Refusal.CANNOT_CANCEL
    house.simulator.process()
    assert (await cancel(house, message)).error is ErrorKind.CANCELLED


@pytest.mark.parametrize("came", [True, False])
async def test_a_scheduled_message_in_doubt_is_stopped_wherever_it_is(
    house: House,
    later: float,
    came: bool,  # noqa: FBT001 - both ways
) -> None:
    fault = Fault.CUT_AFTER_ACCEPT if came else Fault.CUT_BEFORE_ACCEPT
    house.simulator.inject(KEEPS, fault, 1, "send")
    await house.attach(KEEPS)
    (message,) = await house.send(KEEPS, send_at=later)
    assert message.stage is Stage.DOUBTFUL
    house.time.pass_by(house.pace.never_came)
    await cancel(house, message)
    assert await is_cancelled(house, message)
    assert [one.word for one in house.accepted(KEEPS)] == ["NOSENT"] * came
    assert house.requests(KEEPS) == 1


async def test_one_of_an_account_that_is_away_cannot_be_cancelled_now(
    house: House, later: float
) -> None:
    await house.attach(LACKS)
    await house.attach(KEEPS)
    (message,) = await house.send(KEEPS, send_at=later)
    await house.messenger.detach(KEEPS)
    assert await refused(house, message) is Refusal.ACCOUNT_NOT_LOADED


async def test_without_delivery_reports_it_can_be_stopped_until_its_time(
    house: House, later: float
) -> None:
    await house.attach(KEEPS, delivery_reports=DeliveryReports.OFF)
    first, second = await house.send(KEEPS, NUMBER, OTHER, send_at=later)
    await house.messenger.tidy_up(KEEPS)
    await cancel(house, first)
    assert await is_cancelled(house, first)
    house.time.pass_by(2 * HOUR)
    await house.messenger.tidy_up(KEEPS)
    assert (await house.latest(second)).stage is Stage.CLOSED
    assert not house.requests(KEEPS, "status")


# When the provider's answer says little


async def test_a_refusal_of_the_wish_leaves_the_message_as_it_was(
    house: House, later: float
) -> None:
    await house.attach(KEEPS)
    (message,) = await house.send(KEEPS, send_at=later)
    house.simulator.inject(KEEPS, Fault.THROTTLED_BARE, 1, "other")
    with pytest.raises(ProviderError):
        await cancel(house, message)
    kept = await house.latest(message)
    assert (kept.stage, kept.error) == (Stage.TAKEN, None)
    assert (await cancel(house, message)).error is ErrorKind.CANCELLED


@pytest.mark.parametrize("ending", ["report", "crash"])
async def test_a_wish_without_an_answer_counts_when_it_turns_out_to_be_granted(
    house: House, later: float, ending: str
) -> None:
    """It fails, but for a reason that no other account shall cure."""
    options = {"fallback": (LACKS,), "failover_on_failed_delivery": True}
    house.simulator.inject(KEEPS, Fault.HANG_AFTER_ACCEPT, 1, "other")
    await house.attach(LACKS)
    await house.attach(KEEPS, timeouts=SHORT, **options)
    (message,) = await house.send(KEEPS, send_at=later)
    cancelling = asyncio.create_task(cancel(house, message))
    await until(lambda: house.accepted(KEEPS)[0].word == "NOSENT")
    left = house.folder / "left.db"
    copy_as_after_a_crash(house.ledger, left)
    with pytest.raises(ProviderError):
        await cancelling
    if ending == "crash":
        await house.messenger.close()
        house.use(pace=PACE, ledger=left)
        await house.attach(LACKS)
        await house.attach(KEEPS, **options)
    await house.until_kept(message, stage=Stage.CLOSED)
    assert await is_cancelled(house, message)
    assert not house.simulator.requests.of(LACKS)


async def test_one_that_goes_out_in_spite_of_the_wish_is_no_cancelled_one(
    house: House, later: float
) -> None:
    house.simulator.inject(KEEPS, Fault.CUT_BEFORE_ACCEPT, 1, "other")
    await house.attach(KEEPS)
    (message,) = await house.send(KEEPS, send_at=later)
    with pytest.raises(ProviderError):
        await cancel(house, message)
    assert (await house.latest(message)).error is ErrorKind.CANCELLED
    house.simulator.move(house.accepted(KEEPS)[0].id, Fate.DELIVERED)
    await house.messenger.close()
    house.use(pace=PACE)
    await house.attach(KEEPS)
    delivered = await house.until_kept(message, status=Status.DELIVERED)
    assert delivered.error is None


ROW: dict[str, Json] = {"id": 7, "to": NUMBER[1:], "transactionId": "vacanze"}


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("NOSENT", (Status.FAILED, ErrorKind.CANCELLED)),
        ("DELIVERED", (Status.DELIVERED, None)),
    ],
)
async def test_a_wish_that_was_only_noted_is_asked_about_soon(
    house: House,
    canned: Canned,
    later: float,
    word: str,
    end: tuple[Status, ErrorKind | None],
) -> None:
    house.use(pace=Pace(first_poll=0.05, longest_poll=HOUR))
    await house.attach(KEEPS, url=canned.url)
    canned.answer({"smsInserted": 1, "sms": [ROW | {"status": "INSERTED"}]})
    (message,) = await house.send(KEEPS, send_at=later)
    assert message.stage is Stage.TAKEN
    canned.clear()
    canned.answer({"smsList": [ROW | {"status": "PENDING"}]})
    noted = await cancel(house, message)
    assert (noted.status, noted.stage) == (Status.QUEUED, Stage.TAKEN)
    assert noted.error is ErrorKind.CANCELLED
    canned.clear()
    canned.answer({"metadata": {"count": 1}, "smsList": [ROW | {"status": word}]})
    ended = await house.until_kept(message, stage=Stage.CLOSED)
    assert (ended.status, ended.error) == end
