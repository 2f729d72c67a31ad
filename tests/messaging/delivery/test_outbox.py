"""Messages that wait for better times: in order, once, and not for ever."""

import asyncio
from contextlib import closing
from dataclasses import replace
from itertools import batched
import sqlite3
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging import (
    Message,
    Refusal,
    RequestRefusedError,
    Stage,
)
from custom_components.sms_italia.providers import ErrorKind, Mode, NotSent, Status

from ..fake import MANY, ONE, PLAIN, REFERENCE, THROTTLED, THROTTLED_FOR_7_SECONDS, Line
from ..helpers import (
    NUMBER,
    OTHER,
    STILL,
    TEXT,
    THIRD,
    Harness,
    a_request,
    copy_as_after_a_crash,
    numbers,
    until,
)

KEY = MANY
HOUR = 3600


async def attach_over_line(harness: Harness, key: str = KEY, **options: object) -> None:
    """Attach an account that talks over the line."""
    await harness.attach(key, line=harness.line, **options)


async def test_while_the_line_is_down_messages_wait_and_then_arrive_once(
    harness: Harness,
) -> None:
    await attach_over_line(harness)
    harness.line.down()
    first = [await harness.one(KEY, NUMBER, f"a{index}") for index in range(4)]
    second = [await harness.one(KEY, OTHER, f"b{index}") for index in range(4)]
    assert {one.status for one in first + second} == {Status.QUEUED}
    assert {one.error for one in first + second} == {ErrorKind.UNAVAILABLE}
    harness.line.up()
    await until(lambda: len(harness.accepted(KEY)) == 8)
    arrived = harness.arrived(KEY)
    for number, letter in ((NUMBER, "a"), (OTHER, "b")):
        texts = {text for to, text in arrived if to == number}
        assert texts == {f"{letter}{index}" for index in range(4)}
    for message in first + second:
        kept = await harness.until_kept(message, stage=Stage.ACCEPTED)
        assert kept.error is None
    assert harness.requests(KEY) == 8


async def test_a_line_that_fails_again_and_again_loses_and_doubles_nothing(
    harness: Harness,
) -> None:
    await attach_over_line(harness)
    harness.client(KEY).reply(THROTTLED, times=7)
    messages = [await harness.one(KEY, NUMBER, f"a{index}") for index in range(6)]
    await until(lambda: len(harness.accepted(KEY)) == 6)
    assert {text for _, text in harness.arrived(KEY)} == {f"a{i}" for i in range(6)}
    assert harness.requests(KEY) == 7 + 6
    for message in messages:
        await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_many_numbers_that_wait_go_out_in_one_request_again(
    harness: Harness,
) -> None:
    await attach_over_line(harness)
    harness.line.down()
    await harness.send(KEY, *numbers(100))
    harness.line.up()
    await until(lambda: len(harness.accepted(KEY)) == 100)
    assert harness.requests(KEY) == 1


@pytest.mark.parametrize("reply", [None, NotSent(kind=ErrorKind.CREDIT)])
async def test_what_one_request_left_waiting_is_tried_again_at_the_same_moment(
    harness: Harness, reply: NotSent | None
) -> None:
    # Tried when the first of them is due, the others would need a second request.
    harness.use(timing=STILL)
    await attach_over_line(harness)
    harness.client(KEY).always(reply)
    if reply is None:
        harness.line.down()
    waiting = await harness.send(KEY, *numbers(100))
    assert {one.stage for one in waiting} == {Stage.WAITING}
    assert len({one.attempt_at for one in waiting}) == 1


async def test_a_message_that_waits_again_holds_up_no_new_one(harness: Harness) -> None:
    harness.use(timing=STILL)
    await attach_over_line(harness)
    harness.line.down()
    await harness.one(KEY, NUMBER, "vecchio")
    harness.line.up()
    await harness.one(KEY, NUMBER, "nuovo")
    assert harness.arrived(KEY)[0] == (NUMBER, "nuovo")
    # That the account answered takes the old one along.
    await until(lambda: len(harness.accepted(KEY)) == 2)


async def test_a_message_to_another_number_does_not_wait(harness: Harness) -> None:
    await attach_over_line(harness)
    await harness.attach(REFERENCE)
    harness.line.down()
    await harness.one(KEY, NUMBER)
    message = await harness.one(REFERENCE, OTHER)
    assert message.stage is Stage.ACCEPTED


async def test_a_first_attempt_in_several_requests_is_not_made_twice(
    harness: Harness,
) -> None:
    await attach_over_line(harness, ONE)
    harness.line.hold_answers()
    send = asyncio.create_task(harness.send(ONE, *numbers(40)))
    await until(lambda: harness.requests(ONE))
    # Another account's arrival makes the outbox go over all that waits.
    await harness.attach(KEY)
    harness.line.release_answers()
    messages = await send
    assert {one.stage for one in messages} == {Stage.ACCEPTED}
    assert harness.requests(ONE) == 40
    assert len(harness.accepted(ONE)) == 40


async def test_a_number_that_waits_for_its_first_attempt_is_not_overtaken_either(
    harness: Harness,
) -> None:
    await attach_over_line(harness, ONE)
    harness.line.hold_answers()
    # More than may be on the wire at once: the last ones have not left yet.
    many = numbers(40)
    send = asyncio.create_task(harness.send(ONE, *many, text="vecchio"))
    await until(lambda: harness.requests(ONE) == 32)
    new = asyncio.create_task(harness.one(ONE, many[-1], "nuovo"))
    await until(lambda: len(harness.statuses) == 41)
    harness.line.release_answers()
    await asyncio.gather(send, new)
    await until(lambda: len(harness.accepted(ONE)) == 41)
    assert [text for to, text in harness.arrived(ONE) if to == many[-1]] == [
        "vecchio",
        "nuovo",
    ]


async def test_a_later_request_does_not_overtake_one_that_takes_several(
    harness: Harness,
) -> None:
    await harness.attach(ONE)
    await asyncio.gather(
        harness.send(ONE, NUMBER, OTHER, text="vecchio"),
        harness.one(ONE, OTHER, "nuovo"),
    )
    await until(lambda: len(harness.accepted(ONE)) == 3)
    arrived = [text for to, text in harness.arrived(ONE) if to == OTHER]
    assert arrived == ["vecchio", "nuovo"]


async def test_what_is_being_recorded_is_not_overtaken(harness: Harness) -> None:
    """It waits as soon as that is known here, whatever the disk does."""
    harness.use(timing=replace(STILL, unanswered=0.05, first_probe=0.02))
    await attach_over_line(harness, ONE)
    harness.line.hold_answers()
    hanging = asyncio.create_task(harness.one(ONE, OTHER))
    await until(lambda: harness.requests(ONE) == 1)
    await asyncio.sleep(0.1)
    with closing(sqlite3.connect(harness.ledger)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        first = asyncio.create_task(harness.one(ONE, NUMBER, "vecchio"))
        await asyncio.sleep(0.1)
        harness.line.release_answers()
        await until(lambda: len(harness.accepted(ONE)) == 1)
        second = asyncio.create_task(harness.one(ONE, NUMBER, "nuovo"))
        await asyncio.sleep(0.1)
    await asyncio.gather(hanging, first, second)
    await until(lambda: len(harness.accepted(ONE)) == 3)
    arrived = [text for to, text in harness.arrived(ONE) if to == NUMBER]
    assert arrived == ["vecchio", "nuovo"]


async def fill_the_slots(harness: Harness) -> tuple[Line, list[asyncio.Task[Message]]]:
    """Let the last of 33 messages wait for one of the 32 slots of an account."""
    line = Line()
    line.hold_answers()
    await harness.attach(REFERENCE, name="hung", line=line)
    sends = [
        asyncio.create_task(harness.one("hung", to, f"{TEXT} {to}"))
        for to in numbers(33)
    ]
    await until(lambda: harness.requests("hung") == 32)
    return line, sends


async def test_what_is_left_of_a_bulk_lets_small_calls_go_before(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    account = harness.account(ONE, line=harness.line)
    await harness.messenger.attach(account)
    harness.line.down()
    *most, left = await harness.send(ONE, *numbers(12), text="a tutti")
    for message in most:
        await harness.messenger.cancel(message.id)
    harness.line.up()
    harness.line.hold_answers()
    filling = [
        asyncio.create_task(harness.one(ONE, f"{number}9")) for number in numbers(32)
    ]
    await until(lambda: harness.requests(ONE) == 32)
    # What waited for the account is tried again.
    await harness.messenger.attach(
        replace(account, client=harness.client("other", ONE))
    )
    small = asyncio.create_task(harness.one(ONE, NUMBER))
    await until(lambda: len(harness.messenger.open_messages(ONE)) == 34)
    harness.line.release_answers()
    await asyncio.gather(*filling, small)
    await until(lambda: len(harness.accepted("other")) == 2)
    assert [to for to, _ in harness.arrived("other")] == [NUMBER, left.number]


async def test_an_account_that_hangs_holds_up_no_other_accounts_outbox(
    harness: Harness,
) -> None:
    hung, sends = await fill_the_slots(harness)
    await attach_over_line(harness)
    harness.line.down()
    message = await harness.one(KEY, OTHER)
    assert message.status is Status.QUEUED
    harness.line.up()
    await until(lambda: harness.accepted(KEY))
    assert not any(send.done() for send in sends)
    hung.release_answers()
    await asyncio.gather(*sends)


async def test_an_account_that_hangs_holds_up_no_new_message_through_another(
    harness: Harness,
) -> None:
    """Even one to a number to which a message waits for a slot."""
    hung, sends = await fill_the_slots(harness)
    await harness.attach(KEY)
    new = asyncio.create_task(harness.one(KEY, numbers(33)[-1]))
    await until(lambda: harness.accepted(KEY))
    assert not any(send.done() for send in sends)
    hung.release_answers()
    await asyncio.gather(*sends, new)


async def test_what_expires_before_the_line_comes_back_is_never_sent(
    harness: Harness,
) -> None:
    await attach_over_line(harness, retry_for=HOUR)
    harness.line.down()
    old = await harness.one(KEY, NUMBER, "vecchio")
    harness.time.pass_by(HOUR - 60)
    new = await harness.one(KEY, OTHER, "nuovo")
    harness.time.pass_by(61)
    expired = await harness.until_kept(old, status=Status.EXPIRED)
    assert expired.stage is Stage.CLOSED
    assert expired.error is ErrorKind.UNAVAILABLE
    harness.line.up()
    await harness.until_kept(new, stage=Stage.ACCEPTED)
    assert harness.arrived(KEY) == [(OTHER, "nuovo")]
    assert harness.statuses[old.id] == [Status.QUEUED, Status.EXPIRED]


async def test_a_message_expires_also_while_its_account_is_away(
    harness: Harness,
) -> None:
    await attach_over_line(harness)
    await harness.attach(REFERENCE)
    harness.line.down()
    message = await harness.one(KEY)
    await harness.messenger.detach(KEY)
    harness.time.pass_by(HOUR + 1)
    await harness.attach(PLAIN)
    expired = await harness.until_kept(message, status=Status.EXPIRED)
    assert expired.stage is Stage.CLOSED
    assert not harness.client(KEY).calls


async def test_what_expires_while_it_waits_for_its_turn_on_the_wire_is_not_sent(
    harness: Harness,
) -> None:
    await attach_over_line(harness, ONE, retry_for=HOUR)
    harness.line.hold_answers()
    send = asyncio.create_task(harness.send(ONE, *numbers(33)))
    await until(lambda: harness.requests(ONE) == 32)
    harness.time.pass_by(HOUR + 1)
    harness.line.release_answers()
    *_, last = await send
    assert (last.status, last.stage) == (Status.EXPIRED, Stage.CLOSED)
    assert last.detail == "no_turn"
    assert harness.requests(ONE) == 32


async def test_the_wait_that_a_provider_asks_for_is_kept(harness: Harness) -> None:
    harness.client(KEY).reply(THROTTLED_FOR_7_SECONDS)
    await harness.attach(KEY)
    message = await harness.one(KEY)
    assert message.error is ErrorKind.THROTTLED
    assert message.attempt_at is not None
    # Our own rest would be far shorter.
    wait = message.attempt_at - harness.time.now()
    assert 6 < wait <= 7
    # A hurry changes nothing while the account is paused.
    await harness.attach(REFERENCE)
    await harness.one(KEY, OTHER)
    await harness.messenger.detach(REFERENCE)
    assert harness.requests(KEY) == 1
    harness.time.pass_by(7)
    await harness.one(KEY, OTHER)
    await until(lambda: len(harness.accepted(KEY)) == 3)
    assert harness.requests(KEY) == 4


async def test_a_good_send_takes_along_what_waits(harness: Harness) -> None:
    harness.use(timing=STILL)
    await attach_over_line(harness, retry_for=10 * HOUR)
    harness.line.down()
    await harness.one(KEY, NUMBER)
    harness.line.up()
    harness.time.pass_by(2 * HOUR)
    assert not harness.accepted(KEY)
    await harness.one(KEY, OTHER)
    await until(lambda: len(harness.accepted(KEY)) == 2)
    assert {to for to, _ in harness.arrived(KEY)} == {NUMBER, OTHER}


async def test_an_account_that_turns_out_to_work_takes_along_what_waits_for_it(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await attach_over_line(harness)
    harness.line.hold_answers()
    good = asyncio.create_task(harness.one(KEY, OTHER))
    await until(lambda: harness.requests(KEY) == 1)
    harness.line.down()
    waiting = await harness.one(KEY, NUMBER)
    assert waiting.attempt_at is not None
    assert waiting.attempt_at > harness.time.now() + HOUR / 2
    harness.line.up()
    harness.line.release_answers()
    await good
    await harness.until_kept(waiting, stage=Stage.ACCEPTED)


async def test_waiting_messages_are_picked_up_after_a_restart(harness: Harness) -> None:
    await attach_over_line(harness)
    harness.line.down()
    messages = [await harness.one(KEY, NUMBER, f"a{index}") for index in range(3)]
    await harness.messenger.close()
    harness.use()
    harness.line.up()
    await attach_over_line(harness)
    await until(lambda: len(harness.accepted(KEY)) == 3)
    assert [text for _, text in harness.arrived(KEY)] == ["a0", "a1", "a2"]
    for message in messages:
        kept = await harness.until_kept(message, stage=Stage.ACCEPTED)
        assert kept.error is None


async def test_what_expired_while_we_were_off_is_not_sent_after_the_restart(
    harness: Harness,
) -> None:
    await attach_over_line(harness)
    harness.line.down()
    message = await harness.one(KEY)
    await harness.messenger.close()
    harness.time.pass_by(HOUR + 1)
    harness.use()
    harness.line.up()
    await attach_over_line(harness)
    await harness.until_kept(message, status=Status.EXPIRED)
    assert not harness.calls


async def test_an_account_that_comes_back_sends_what_waited_for_it(
    harness: Harness,
) -> None:
    await attach_over_line(harness)
    await harness.attach(REFERENCE)
    harness.line.down()
    message = await harness.one(KEY)
    await harness.messenger.detach(KEY)
    harness.line.up()
    await attach_over_line(harness)
    await until(lambda: harness.accepted(KEY))
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_of_messages_that_wait_each_goes_through_the_first_account_that_can(
    harness: Harness,
) -> None:
    await attach_over_line(harness, REFERENCE)
    await attach_over_line(harness, fallback=(REFERENCE,))
    harness.line.down()
    message = await harness.one(KEY)
    assert message.status is Status.QUEUED
    harness.client(KEY).refuse(ErrorKind.AUTH)
    harness.line.up()
    await until(lambda: harness.accepted(REFERENCE))
    kept = await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert kept.last_account == REFERENCE
    assert not harness.accepted(KEY)


@pytest.mark.parametrize("kind", [ErrorKind.SENDER, ErrorKind.RECIPIENT])
async def test_a_message_that_waited_and_is_then_refused_for_good_fails(
    harness: Harness, kind: ErrorKind
) -> None:
    await attach_over_line(harness)
    harness.line.down()
    message = await harness.one(KEY)
    harness.client(KEY).refuse(kind)
    harness.line.up()
    failed = await harness.until_kept(message, status=Status.FAILED)
    assert (failed.error, failed.stage) == (kind, Stage.CLOSED)
    assert harness.requests(KEY) == 1


# At a later time


@pytest.fixture
def later(harness: Harness) -> float:
    """Return a moment an hour from now."""
    return harness.time.now() + HOUR


async def test_a_message_for_later_waits_here_if_its_provider_cannot_keep_it(
    harness: Harness, later: float
) -> None:
    key = ONE
    await harness.attach(key)
    (message,) = await harness.send(key, NUMBER, send_at=later)
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert message.error is None
    assert message.attempt_at == message.dispatch.due == pytest.approx(later)
    # Nothing that makes the outbox look sends it before.
    await harness.attach(KEY)
    await harness.one(key, OTHER)
    harness.time.pass_by(HOUR - 30)
    await harness.attach(REFERENCE)
    assert [to for to, _ in harness.arrived(key)] == [OTHER]
    harness.time.pass_by(30)
    await harness.attach(PLAIN)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert [to for to, _ in harness.arrived(key)] == [OTHER, NUMBER]


async def test_a_message_for_later_goes_out_by_itself_when_its_time_has_come(
    harness: Harness,
) -> None:
    await harness.attach(ONE)
    (message,) = await harness.send(ONE, send_at=harness.time.now() + 0.2)
    assert message.stage is Stage.WAITING
    await until(lambda: harness.accepted(ONE))
    assert harness.time.now() >= (message.dispatch.options.send_at or 0)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_a_message_for_later_is_in_no_ones_way(
    harness: Harness, later: float
) -> None:
    key = ONE
    await attach_over_line(harness, key)
    await harness.send(key, NUMBER, text="dopo", send_at=later)
    assert (await harness.one(key, NUMBER, "adesso")).stage is Stage.ACCEPTED
    harness.line.down()
    await harness.one(key, NUMBER, "presto")
    harness.line.up()
    await until(lambda: len(harness.accepted(key)) == 2)
    assert [text for _, text in harness.arrived(key)] == ["adesso", "presto"]


async def test_a_message_for_later_goes_when_its_time_has_come_and_another_one_does(
    harness: Harness, later: float
) -> None:
    key = ONE
    await attach_over_line(harness, key)
    await harness.send(key, NUMBER, text="vecchio", send_at=later)
    harness.line.down()
    harness.time.pass_by(HOUR)
    await harness.one(key, NUMBER, "nuovo")
    harness.line.up()
    await until(lambda: len(harness.accepted(key)) == 2)
    assert {text for _, text in harness.arrived(key)} == {"vecchio", "nuovo"}


async def test_a_message_for_later_is_tried_as_long_after_its_time_as_any_other(
    harness: Harness, later: float
) -> None:
    key = ONE
    await attach_over_line(harness, key, retry_for=60)
    harness.line.down()
    (message,) = await harness.send(key, send_at=later)
    assert message.dispatch.expires == pytest.approx(later + 60)
    harness.time.pass_by(HOUR + 61)
    await harness.attach(KEY)
    await harness.until_kept(message, status=Status.EXPIRED)
    assert not harness.accepted(key)


@pytest.mark.parametrize("ending", ["restart", "crash"])
async def test_a_message_for_later_survives_and_goes_out_once(
    harness: Harness, later: float, ending: str
) -> None:
    key = ONE
    await harness.attach(key)
    (message,) = await harness.send(key, send_at=later)
    left = harness.folder / "left.db"
    copy_as_after_a_crash(harness.ledger, left)
    await harness.messenger.close()
    harness.use(ledger=left if ending == "crash" else harness.ledger)
    await harness.attach(key)
    kept = await harness.latest(message)
    assert kept.stage is Stage.WAITING
    assert kept.dispatch.due == pytest.approx(later)
    assert not harness.accepted(key)
    harness.time.pass_by(HOUR)
    await harness.attach(KEY)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert len(harness.accepted(key)) == harness.requests(key) == 1


async def test_a_provider_that_cannot_be_reached_gets_it_when_it_can(
    harness: Harness, later: float
) -> None:
    await attach_over_line(harness)
    harness.line.down()
    (message,) = await harness.send(KEY, send_at=later)
    assert message.stage is Stage.WAITING
    harness.line.up()
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    (arrived,) = harness.accepted(KEY)
    assert arrived.send_at is not None


async def test_calls_of_one_turn_with_the_same_text_are_one_request(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    sent = await asyncio.gather(*(harness.one(KEY, one) for one in numbers(10)))
    assert harness.requests(KEY) == 1
    assert [one.number for one in sent] == numbers(10)
    assert {one.stage for one in sent} == {Stage.ACCEPTED}
    assert [one.number for one in await harness.found()] == numbers(10)


@pytest.mark.parametrize(
    "others",
    [
        {"text": "un altro testo"},
        {"sender": "Altro"},
        {"send_at": 4_000_000_000.0},
        {"mode": Mode.TEST},
        {"reference": "mio"},
    ],
    ids=lambda fields: str(next(iter(fields))),
)
async def test_calls_with_other_wishes_have_requests_of_their_own(
    harness: Harness, others: dict[str, Any]
) -> None:
    await harness.attach(REFERENCE)
    await asyncio.gather(
        harness.send(REFERENCE, NUMBER), harness.send(REFERENCE, OTHER, **others)
    )
    assert harness.requests(REFERENCE) == 2


async def test_calls_of_other_users_have_requests_of_their_own(
    harness: Harness,
) -> None:
    """What is one's own can be cancelled and seen by its user."""
    await harness.attach(KEY)
    await asyncio.gather(
        *(
            harness.messenger.send(replace(a_request(KEY, number), user=user))
            for number, user in ((NUMBER, None), (OTHER, "anna"))
        )
    )
    assert harness.requests(KEY) == 2


async def test_a_provider_that_takes_one_number_gets_a_request_for_each(
    harness: Harness,
) -> None:
    await harness.attach(ONE)
    await asyncio.gather(*(harness.one(ONE, one) for one in numbers(10)))
    assert harness.requests(ONE) == 10


async def test_no_more_go_together_than_the_provider_takes(harness: Harness) -> None:
    await harness.attach(KEY, daily_limit=0)
    await asyncio.gather(
        *(harness.send(KEY, *some) for some in batched(numbers(250), 10, strict=True))
    )
    assert harness.requests(KEY) == 3
    assert len(harness.accepted(KEY)) == 250


async def test_a_refused_number_is_that_of_its_own_caller(harness: Harness) -> None:
    await harness.attach(REFERENCE)
    harness.client(REFERENCE).blocked.add(OTHER)
    good, bad, third = await asyncio.gather(
        *(harness.one(REFERENCE, one) for one in (NUMBER, OTHER, THIRD))
    )
    assert (good.status, bad.status, third.status) == (
        Status.QUEUED,
        Status.FAILED,
        Status.QUEUED,
    )
    assert bad.error is ErrorKind.RECIPIENT


async def test_a_full_daily_limit_refuses_only_the_calls_that_exceed_it(
    harness: Harness,
) -> None:
    await harness.attach(KEY, daily_limit=4)
    results = await asyncio.gather(
        *(harness.one(KEY, one) for one in numbers(6)), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, RequestRefusedError)]
    assert [one.reason for one in refused] == [Refusal.DAILY_LIMIT] * 2
    assert len(harness.accepted(KEY)) == 4
    assert harness.requests(KEY) == 1


async def test_a_credit_that_is_enough_for_some_is_used_for_them(
    harness: Harness,
) -> None:
    """As if their calls had not left together."""
    await harness.attach(KEY)
    credit = NotSent(kind=ErrorKind.CREDIT)
    harness.client(KEY).reply(credit, credit)
    await asyncio.gather(*(harness.one(KEY, one) for one in numbers(4)))
    assert sorted(to for to, _ in harness.arrived(KEY)) == numbers(4)
    assert harness.requests(KEY) == 5


async def test_without_any_credit_few_requests_find_it_out(harness: Harness) -> None:
    await harness.attach(KEY)
    harness.client(KEY).refuse(ErrorKind.CREDIT)
    sent = await asyncio.gather(*(harness.one(KEY, one) for one in numbers(64)))
    assert {one.error for one in sent} == {ErrorKind.CREDIT}
    assert harness.requests(KEY) == 7


async def test_what_stands_on_disk_is_joined_with_nothing(harness: Harness) -> None:
    """Its request would not be synced before, and a power cut would send it twice."""
    await harness.attach(REFERENCE)
    harness.client(REFERENCE).reply(NotSent(kind=ErrorKind.RECIPIENT))
    failed = await harness.one(REFERENCE)
    again = asyncio.create_task(harness.messenger.resend(failed.id))
    new: list[asyncio.Task[Message]] = []
    for number in numbers(50):
        new.append(asyncio.create_task(harness.one(REFERENCE, number)))
        await asyncio.sleep(0)
    (repeat,) = await again
    await asyncio.gather(*new)
    others = {one.dispatch.id for one in map(asyncio.Task.result, new)}
    assert repeat.dispatch.id not in others


async def test_a_caller_that_is_cancelled_takes_nobody_along(harness: Harness) -> None:
    await harness.attach(KEY)
    calls = [asyncio.create_task(harness.one(KEY, one)) for one in numbers(3)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.wait(calls)
    await until(lambda: len(harness.accepted(KEY)) == 3)
    assert calls[0].cancelled()
    assert harness.requests(KEY) == 1


@settings(max_examples=60, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.lists(st.sampled_from(numbers(4)), min_size=1, max_size=3, unique=True),
            st.sampled_from("xy"),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_calls_of_one_turn_arrive_once_each_and_in_order_at_every_number(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[list[str], str]]
) -> None:
    async def send_all() -> list[tuple[str, str]]:
        harness = Harness.build(tmp_path_factory.mktemp("ledger"))
        await harness.attach(KEY, bundle_after=0)
        await asyncio.gather(*(harness.send(KEY, *to, text=text) for to, text in calls))
        await harness.messenger.close()
        return harness.arrived(KEY)

    arrived = asyncio.run(send_all())

    for number in numbers(4):
        wanted = [text for to, text in calls if number in to]
        assert [text for to, text in arrived if to == number] == wanted


async def test_what_is_just_leaving_is_not_started_by_anything_else(
    harness: Harness,
) -> None:
    """Its caller would be answered before its request was made."""
    await harness.attach(KEY)
    sending = asyncio.gather(*(harness.one(KEY, one) for one in numbers(3)))
    await asyncio.sleep(0)
    # As when the account is attached again just then.
    harness.messenger._outbox.attached(KEY)  # noqa: SLF001
    sent = await sending
    assert {one.stage for one in sent} == {Stage.ACCEPTED}
    assert harness.requests(KEY) == 1


async def test_very_many_numbers_arrive_once_each_in_pieces(harness: Harness) -> None:
    await harness.attach(KEY, daily_limit=0)
    sent = await harness.send(KEY, *numbers(1_234))
    assert {one.stage for one in sent} == {Stage.ACCEPTED}
    assert sorted(to for to, _ in harness.arrived(KEY)) == numbers(1_234)


async def test_a_message_that_is_asked_for_between_two_pieces_overtakes_none(
    harness: Harness,
) -> None:
    await harness.attach(KEY, daily_limit=0)
    many = asyncio.create_task(harness.send(KEY, *numbers(1_600), text="prima"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    last = numbers(1_600)[-1]
    later = await harness.one(KEY, last, "dopo")
    await many
    assert later.stage is Stage.ACCEPTED
    texts = [text for to, text in harness.arrived(KEY) if to == last]
    assert texts == ["prima", "dopo"]
