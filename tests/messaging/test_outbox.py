"""Messages that wait for better times: in order, once, and not for ever."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import override

import pytest

from custom_components.sms_italia.messaging.book import Book
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.messaging.model import Message, Stage
from custom_components.sms_italia.messaging.outbox import Outbox
from custom_components.sms_italia.messaging.pacing import Rests
from custom_components.sms_italia.messaging.router import Router
from custom_components.sms_italia.providers.model import ErrorKind, Status
from simulator import Fault

from .helpers import (
    NUMBER,
    OTHER,
    STILL,
    House,
    a_dispatch,
    a_message,
    copy_as_after_a_crash,
    numbers,
    until,
)

KEY = "smsviainternet"
HOUR = 3600


async def attach_over_line(house: House, key: str = KEY, **options: object) -> None:
    """Attach an account that talks over the line."""
    await house.attach(key, url=house.line.url(key), **options)


async def test_while_the_line_is_down_messages_wait_and_then_arrive_once_in_order(
    house: House,
) -> None:
    await attach_over_line(house)
    house.line.down()
    first = [await house.one(KEY, NUMBER, f"a{index}") for index in range(4)]
    second = [await house.one(KEY, OTHER, f"b{index}") for index in range(4)]
    assert {one.status for one in first + second} == {Status.QUEUED}
    assert {one.error for one in first + second} == {ErrorKind.UNAVAILABLE}
    await house.line.up()
    await until(lambda: len(house.accepted(KEY)) == 8)
    arrived = house.arrived(KEY)
    for number, letter in ((NUMBER, "a"), (OTHER, "b")):
        texts = [text for to, text in arrived if to == number]
        assert texts == [f"{letter}{index}" for index in range(4)]
    for message in first + second:
        kept = await house.until_kept(message, stage=Stage.TAKEN)
        assert kept.error is None
    assert house.requests(KEY) == 8


async def test_a_line_that_fails_again_and_again_loses_and_doubles_nothing(
    house: House,
) -> None:
    await attach_over_line(house)
    house.simulator.inject(KEY, Fault.THROTTLED_BARE, 7, "send")
    messages = [await house.one(KEY, NUMBER, f"a{index}") for index in range(6)]
    await until(lambda: len(house.accepted(KEY)) == 6)
    assert [text for _, text in house.arrived(KEY)] == [f"a{i}" for i in range(6)]
    assert house.requests(KEY) == 7 + 6
    for message in messages:
        await house.until_kept(message, stage=Stage.TAKEN)


async def test_many_numbers_that_wait_go_out_in_one_request_again(
    house: House,
) -> None:
    await attach_over_line(house)
    house.line.down()
    await house.send(KEY, *numbers(100))
    await house.line.up()
    await until(lambda: len(house.accepted(KEY)) == 100)
    assert house.requests(KEY) == 1


async def test_a_new_message_does_not_overtake_one_that_waits(house: House) -> None:
    await attach_over_line(house)
    house.line.down()
    await house.one(KEY, NUMBER, "vecchio")
    await house.line.up()
    await house.one(KEY, NUMBER, "nuovo")
    await until(lambda: len(house.accepted(KEY)) == 2)
    assert [text for _, text in house.arrived(KEY)] == ["vecchio", "nuovo"]


async def test_a_new_message_does_not_overtake_one_that_is_being_tried_again(
    house: House,
) -> None:
    await attach_over_line(house)
    house.line.down()
    await house.one(KEY, NUMBER, "vecchio")
    # The second attempt is refused, but we do not know yet.
    house.simulator.inject(KEY, Fault.THROTTLED_BARE)
    house.line.hold_answers()
    await house.line.up()
    await until(lambda: house.requests(KEY) == 1)
    new = asyncio.create_task(house.one(KEY, NUMBER, "nuovo"))
    other = asyncio.create_task(house.one(KEY, OTHER, "altro"))
    await until(lambda: house.requests(KEY) == 2)
    house.line.release_answers()
    await asyncio.gather(new, other)
    await until(lambda: len(house.accepted(KEY)) == 3)
    assert [text for to, text in house.arrived(KEY) if to == NUMBER] == [
        "vecchio",
        "nuovo",
    ]


async def test_a_message_to_another_number_does_not_wait(house: House) -> None:
    await attach_over_line(house)
    await house.attach("smshosting")
    house.line.down()
    await house.one(KEY, NUMBER)
    message = await house.one("smshosting", OTHER)
    assert message.stage is Stage.TAKEN


async def test_a_message_of_several_numbers_passes_no_older_one_to_any_of_them(
    house: House,
) -> None:
    await attach_over_line(house)
    house.line.down()
    await house.one(KEY, OTHER, "vecchio")
    await house.line.up()
    await house.send(KEY, NUMBER, OTHER, text="nuovo")
    await until(lambda: len(house.accepted(KEY)) == 3)
    assert [text for to, text in house.arrived(KEY) if to == OTHER] == [
        "vecchio",
        "nuovo",
    ]


async def test_a_first_attempt_in_several_requests_is_not_made_twice(
    house: House,
) -> None:
    await attach_over_line(house, "transactionale")
    house.line.hold_answers()
    send = asyncio.create_task(house.send("transactionale", *numbers(40)))
    await until(lambda: house.requests("transactionale"))
    # Another account's arrival makes the outbox go over all that waits.
    await house.attach(KEY)
    house.line.release_answers()
    messages = await send
    assert {one.stage for one in messages} == {Stage.TAKEN}
    assert house.requests("transactionale") == 40
    assert len(house.accepted("transactionale")) == 40


async def test_a_number_that_waits_for_its_first_attempt_is_not_overtaken_either(
    house: House,
) -> None:
    await attach_over_line(house, "transactionale")
    house.line.hold_answers()
    # More than may be on the wire at once: the last ones have not left yet.
    many = numbers(40)
    send = asyncio.create_task(house.send("transactionale", *many, text="vecchio"))
    await until(lambda: house.requests("transactionale") == 32)
    new = asyncio.create_task(house.one("transactionale", many[-1], "nuovo"))
    await until(lambda: len(house.statuses) == 41)
    house.line.release_answers()
    await asyncio.gather(send, new)
    await until(lambda: len(house.accepted("transactionale")) == 41)
    assert [text for to, text in house.arrived("transactionale") if to == many[-1]] == [
        "vecchio",
        "nuovo",
    ]


async def test_what_expires_before_the_line_comes_back_is_never_sent(
    house: House,
) -> None:
    await attach_over_line(house, retry_for=HOUR)
    house.line.down()
    old = await house.one(KEY, NUMBER, "vecchio")
    house.time.pass_by(HOUR - 60)
    new = await house.one(KEY, OTHER, "nuovo")
    house.time.pass_by(61)
    expired = await house.until_kept(old, status=Status.EXPIRED)
    assert expired.stage is Stage.CLOSED
    assert expired.error is ErrorKind.UNAVAILABLE
    await house.line.up()
    await house.until_kept(new, stage=Stage.TAKEN)
    assert house.arrived(KEY) == [(OTHER, "nuovo")]
    assert house.statuses[old.id] == [Status.QUEUED, Status.EXPIRED]


async def test_a_message_expires_also_while_its_account_is_away(house: House) -> None:
    await attach_over_line(house)
    await house.attach("smshosting")
    house.line.down()
    message = await house.one(KEY)
    await house.messenger.detach(KEY)
    house.time.pass_by(HOUR + 1)
    await house.attach("inviosmart")
    expired = await house.until_kept(message, status=Status.EXPIRED)
    assert expired.stage is Stage.CLOSED
    assert not house.simulator.requests.of(KEY)


async def test_what_expires_while_it_waits_for_its_turn_on_the_wire_is_not_sent(
    house: House,
) -> None:
    await attach_over_line(house, "transactionale", retry_for=HOUR)
    house.line.hold_answers()
    send = asyncio.create_task(house.send("transactionale", *numbers(33)))
    await until(lambda: house.requests("transactionale") == 32)
    house.time.pass_by(HOUR + 1)
    house.line.release_answers()
    *_, last = await send
    assert (last.status, last.stage) == (Status.EXPIRED, Stage.CLOSED)
    assert house.requests("transactionale") == 32


async def test_the_wait_that_a_provider_asks_for_is_kept(house: House) -> None:
    house.simulator.inject(KEY, Fault.THROTTLED)
    await house.attach(KEY)
    message = await house.one(KEY)
    assert message.error is ErrorKind.THROTTLED
    assert message.attempt_at is not None
    # The simulator asks for seven seconds; our own rest would be far shorter.
    wait = message.attempt_at - house.time.now()
    assert 6 < wait <= 7
    # A hurry changes nothing while the account rests.
    await house.attach("smshosting")
    await house.one(KEY, OTHER)
    await house.messenger.detach("smshosting")
    assert house.requests(KEY) == 1
    house.time.pass_by(7)
    await house.one(KEY, OTHER)
    await until(lambda: len(house.accepted(KEY)) == 3)
    assert house.requests(KEY) == 4


async def test_a_good_send_takes_along_what_waits(house: House) -> None:
    house.use(pace=STILL)
    await attach_over_line(house, retry_for=10 * HOUR)
    house.line.down()
    await house.one(KEY, NUMBER)
    await house.line.up()
    house.time.pass_by(2 * HOUR)
    assert not house.accepted(KEY)
    await house.one(KEY, OTHER)
    await until(lambda: len(house.accepted(KEY)) == 2)
    assert {to for to, _ in house.arrived(KEY)} == {NUMBER, OTHER}


async def test_an_account_that_turns_out_to_work_takes_along_what_waits_for_it(
    house: House,
) -> None:
    house.use(pace=STILL)
    await attach_over_line(house)
    house.line.hold_answers()
    good = asyncio.create_task(house.one(KEY, OTHER))
    await until(lambda: house.requests(KEY) == 1)
    house.line.down()
    waiting = await house.one(KEY, NUMBER)
    assert waiting.attempt_at is not None
    assert waiting.attempt_at > house.time.now() + HOUR / 2
    await house.line.up()
    house.line.release_answers()
    await good
    await house.until_kept(waiting, stage=Stage.TAKEN)


async def test_waiting_messages_are_picked_up_after_a_restart(house: House) -> None:
    await attach_over_line(house)
    house.line.down()
    messages = [await house.one(KEY, NUMBER, f"a{index}") for index in range(3)]
    await house.messenger.close()
    house.use()
    await house.line.up()
    await attach_over_line(house)
    await until(lambda: len(house.accepted(KEY)) == 3)
    assert [text for _, text in house.arrived(KEY)] == ["a0", "a1", "a2"]
    for message in messages:
        kept = await house.until_kept(message, stage=Stage.TAKEN)
        assert kept.error is None


async def test_what_expired_while_we_were_off_is_not_sent_after_the_restart(
    house: House,
) -> None:
    await attach_over_line(house)
    house.line.down()
    message = await house.one(KEY)
    await house.messenger.close()
    house.time.pass_by(HOUR + 1)
    house.use()
    await house.line.up()
    await attach_over_line(house)
    await house.until_kept(message, status=Status.EXPIRED)
    assert not house.simulator.requests


async def test_an_account_that_comes_back_sends_what_waited_for_it(
    house: House,
) -> None:
    await attach_over_line(house)
    await house.attach("smshosting")
    house.line.down()
    message = await house.one(KEY)
    await house.messenger.detach(KEY)
    await house.line.up()
    await attach_over_line(house)
    await until(lambda: house.accepted(KEY))
    await house.until_kept(message, stage=Stage.TAKEN)


async def test_of_messages_that_wait_each_goes_through_the_first_account_that_can(
    house: House,
) -> None:
    await attach_over_line(house, "smshosting")
    await attach_over_line(house, fallback=("smshosting",))
    house.line.down()
    message = await house.one(KEY)
    assert message.status is Status.QUEUED
    house.simulator.set_credentials(KEY, api_token="another")
    await house.line.up()
    await until(lambda: house.accepted("smshosting"))
    kept = await house.until_kept(message, stage=Stage.TAKEN)
    assert kept.carrier == "smshosting"
    assert not house.accepted(KEY)


@pytest.mark.parametrize("kind", ["credit", "auth"])
async def test_a_message_that_waited_and_is_then_refused_for_good_fails(
    house: House, kind: str
) -> None:
    await attach_over_line(house)
    house.line.down()
    message = await house.one(KEY)
    if kind == "credit":
        house.simulator.set_credit(KEY, 0)
    else:
        house.simulator.set_credentials(KEY, api_token="another")
    await house.line.up()
    failed = await house.until_kept(message, status=Status.FAILED)
    assert (failed.error, failed.stage) == (ErrorKind(kind), Stage.CLOSED)
    assert house.requests(KEY) == 1


# In order, whatever moments the next attempts are set to


class _Tried(Router):
    """Tells what is tried, and calls it taken."""

    @override
    async def deliver(self, messages: Sequence[Message], round_began: float) -> None:
        self.on_taken(messages)
        await self.book.change([replace(one, stage=Stage.TAKEN) for one in messages])


async def test_what_is_tried_takes_along_what_is_before_it_to_the_same_number(
    house: House,
) -> None:
    """Whenever its own next attempt would be; to other numbers nothing moves."""
    clock = house.time.clock()
    ledger = Ledger(house.ledger, house.troubles.append)
    await ledger.open(clock.today())
    book, tried = Book(ledger, clock), list[int]()
    accounts = {"casa": house.account(KEY, name="casa")}
    router = _Tried(
        accounts=accounts,
        book=book,
        clock=clock,
        rests=Rests(clock, STILL),
        on_taken=lambda messages: tried.extend(one.id for one in messages),
        on_recovery=lambda: None,
    )
    tasks: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        tasks.append(asyncio.get_running_loop().create_task(work, name=name))
        return tasks[-1]

    outbox = Outbox(accounts, book, router, clock, spawn)
    now = clock.now()
    moments = {1: now + HOUR, 2: now + HOUR, 3: now, 4: now + HOUR}
    for index, attempt_at in moments.items():
        dispatch = a_dispatch(index, created=now - 10 + index, expires=now + 2 * HOUR)
        number = OTHER if index == 2 else NUMBER
        await book.add(
            dispatch, [a_message(dispatch, number=number, attempt_at=attempt_at)]
        )
    outbox.schedule()
    await until(lambda: tasks and all(task.done() for task in tasks))
    outbox.stop()
    await ledger.close()
    assert tried == [10_001, 30_001]


# At a later time


@pytest.fixture
def later(house: House) -> float:
    """Return a moment an hour from now."""
    return house.time.now() + HOUR


async def test_a_message_for_later_waits_here_if_its_provider_cannot_keep_it(
    house: House, later: float
) -> None:
    key = "transactionale"
    await house.attach(key)
    (message,) = await house.send(key, NUMBER, send_at=later)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert message.error is None
    assert message.attempt_at == message.dispatch.due == later
    # Nothing that makes the outbox look sends it before.
    await house.attach(KEY)
    await house.one(key, OTHER)
    house.time.pass_by(HOUR - 30)
    await house.attach("smshosting")
    assert [to for to, _ in house.arrived(key)] == [OTHER]
    house.time.pass_by(30)
    await house.attach("inviosmart")
    await house.until_kept(message, stage=Stage.TAKEN)
    assert [to for to, _ in house.arrived(key)] == [OTHER, NUMBER]


async def test_a_message_for_later_goes_out_by_itself_when_its_time_has_come(
    house: House,
) -> None:
    await house.attach("transactionale")
    (message,) = await house.send("transactionale", send_at=house.time.now() + 0.2)
    assert message.stage is Stage.WAITING
    await house.until_kept(message, stage=Stage.TAKEN)
    (arrived,) = house.accepted("transactionale")
    assert arrived.created.timestamp() >= message.dispatch.due


async def test_a_moment_that_is_past_is_now(house: House) -> None:
    await house.attach("transactionale")
    past = house.time.now() - HOUR
    (message,) = await house.send("transactionale", send_at=past)
    assert message.stage is Stage.TAKEN
    assert message.dispatch.wishes.send_at is None


async def test_a_message_for_later_is_in_no_ones_way(
    house: House, later: float
) -> None:
    key = "transactionale"
    await attach_over_line(house, key)
    await house.send(key, NUMBER, text="dopo", send_at=later)
    assert (await house.one(key, NUMBER, "adesso")).stage is Stage.TAKEN
    house.line.down()
    await house.one(key, NUMBER, "presto")
    await house.line.up()
    await until(lambda: len(house.accepted(key)) == 2)
    assert [text for _, text in house.arrived(key)] == ["adesso", "presto"]


async def test_once_its_time_has_come_newer_ones_do_not_overtake_it(
    house: House, later: float
) -> None:
    key = "transactionale"
    await attach_over_line(house, key)
    await house.send(key, NUMBER, text="vecchio", send_at=later)
    house.line.down()
    house.time.pass_by(HOUR)
    await house.one(key, NUMBER, "nuovo")
    await house.line.up()
    await until(lambda: len(house.accepted(key)) == 2)
    assert [text for _, text in house.arrived(key)] == ["vecchio", "nuovo"]


async def test_a_message_for_later_is_tried_as_long_after_its_time_as_any_other(
    house: House, later: float
) -> None:
    key = "transactionale"
    await attach_over_line(house, key, retry_for=60)
    house.line.down()
    (message,) = await house.send(key, send_at=later)
    assert message.dispatch.expires == later + 60
    house.time.pass_by(HOUR + 61)
    await house.attach(KEY)
    await house.until_kept(message, status=Status.EXPIRED)
    assert not house.accepted(key)


@pytest.mark.parametrize("ending", ["restart", "crash"])
async def test_a_message_for_later_survives_and_goes_out_once(
    house: House, later: float, ending: str
) -> None:
    key = "transactionale"
    await house.attach(key)
    (message,) = await house.send(key, send_at=later)
    left = house.folder / "left.db"
    copy_as_after_a_crash(house.ledger, left)
    await house.messenger.close()
    house.use(ledger=left if ending == "crash" else house.ledger)
    await house.attach(key)
    kept = await house.latest(message)
    assert (kept.stage, kept.dispatch.due) == (Stage.WAITING, later)
    assert not house.accepted(key)
    house.time.pass_by(HOUR)
    await house.attach(KEY)
    await house.until_kept(message, stage=Stage.TAKEN)
    assert len(house.accepted(key)) == house.requests(key) == 1


@pytest.mark.parametrize("key", [KEY, "smshosting"])
async def test_a_provider_that_can_keep_a_message_for_later_gets_it_at_once(
    house: House, key: str, later: float
) -> None:
    await house.attach(key)
    (message,) = await house.send(key, send_at=later)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.TAKEN)
    (arrived,) = house.accepted(key)
    assert arrived.scheduled is not None
    assert abs(arrived.scheduled.timestamp() - later) < 1


async def test_a_provider_that_cannot_be_reached_gets_it_when_it_can(
    house: House, later: float
) -> None:
    await attach_over_line(house)
    house.line.down()
    (message,) = await house.send(KEY, send_at=later)
    assert message.stage is Stage.WAITING
    await house.line.up()
    await house.until_kept(message, stage=Stage.TAKEN)
    (arrived,) = house.accepted(KEY)
    assert arrived.scheduled is not None
