"""What was not delivered is reported once, and listed until somebody has seen it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
import logging
from pathlib import Path
import sqlite3

import pytest

from custom_components.sms_italia.messaging import (
    BadTarget,
    DoubtLasted,
    LedgerUnreadableError,
    Message,
    MessagesChanged,
    NumberProblem,
    Refusal,
    RequestRefusedError,
    Stage,
    UndeliveredChanged,
)
from custom_components.sms_italia.messaging.tracking import undelivered
from custom_components.sms_italia.providers import ErrorKind, NotSent, Status

from ..fake import LANDLINE, MANY, ONE, PLAIN, REFERENCE, Late, Lost, Operation
from ..helpers import (
    NUMBER,
    OTHER,
    STILL,
    TEXT,
    Harness,
    copy_as_after_a_crash,
    until,
)
from ..virtual import run

QUICK = replace(STILL, first_poll=0.01, longest_poll=0.02, report_doubt=0.1)
"""Asks often, and takes a doubt for one that lasts soon."""

type Ending = Callable[[Harness], Awaitable[Message]]


async def listed(harness: Harness, account: str = ONE) -> list[tuple[str, Status]]:
    """Return number and status of an account's undelivered messages, newest first."""
    found = await harness.messenger.undelivered.of(account)
    assert found.total == len(found.messages)
    return [(one.number, one.status) for one in found.messages]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings in the log of what was not delivered."""
    return [
        one.getMessage()
        for one in caplog.records
        if one.levelno == logging.WARNING and one.name == undelivered.__name__
    ]


def reports(harness: Harness) -> int:
    """Return how often listeners were notified of undelivered messages."""
    return sum(isinstance(one, UndeliveredChanged) for one in harness.events)


async def refused_while_waiting(harness: Harness) -> Message:
    """Let a message fail that had been answered as queued."""
    harness.client(ONE).reply(NotSent(kind=ErrorKind.UNAVAILABLE))
    harness.client(ONE).refuse(ErrorKind.SENDER)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    assert message.status is Status.QUEUED
    await harness.messenger.attach(harness.account(ONE))
    return message


async def expired(harness: Harness) -> Message:
    """Let a message wait for too long."""
    harness.client(ONE).always(NotSent(kind=ErrorKind.UNAVAILABLE))
    await harness.attach(ONE, retry_for=5)
    message = await harness.one(ONE)
    harness.time.pass_by(10)
    await harness.messenger.attach(harness.account(ONE, retry_for=5))
    return message


async def reported_as_failed(harness: Harness) -> Message:
    """Let an accepted message fail."""
    await harness.attach(ONE)
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.FAILED)
    return message


def lasting_doubts(harness: Harness) -> list[str]:
    """Return the IDs of the messages that listeners were notified to be in doubt."""
    return [
        message.public_id
        for event in harness.events
        if isinstance(event, DoubtLasted)
        for message in event.messages
    ]


async def uncertain(harness: Harness) -> Message:
    """Let nobody know whether a message was accepted."""
    harness.client(ONE).reply(Lost.ANSWER)
    await harness.attach(ONE)
    return await harness.one(ONE)


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (refused_while_waiting, Status.FAILED, "sender"),
        (expired, Status.EXPIRED, "unavailable"),
        (reported_as_failed, Status.FAILED, "no reason reported"),
        (uncertain, Status.UNCERTAIN, "no_answer"),
    ],
)
async def test_what_was_not_delivered_is_reported_once_and_listed(
    harness: Harness,
    caplog: pytest.LogCaptureFixture,
    end: Ending,
    status: Status,
    reason: str,
) -> None:
    """With the account, a masked number and the reason, and without the text."""
    harness.use(timing=QUICK)
    message = await end(harness)
    await until(lambda: reports(harness))
    await harness.until_kept(message, status=status)
    assert await listed(harness) == [(NUMBER, status)]
    assert warnings(caplog) == [f"One: the message to ***567 is {status} ({reason})"]
    assert TEXT not in caplog.text


async def test_a_doubt_that_ends_soon_is_not_reported(harness: Harness) -> None:
    harness.use(timing=replace(QUICK, report_doubt=3600))
    harness.client(REFERENCE).reply(Lost.ANSWER)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    assert message.status is Status.UNCERTAIN
    assert await listed(harness, REFERENCE) == []
    harness.client(REFERENCE).deliver()
    await harness.until_kept(message, status=Status.DELIVERED)
    assert await listed(harness, REFERENCE) == []
    assert not reports(harness)
    assert not lasting_doubts(harness)


async def test_a_doubt_that_lasts_is_an_event_once_for_each_message(
    harness: Harness,
) -> None:
    """Of one that a person was refused too; not again after the next start."""
    harness.use(timing=replace(STILL, report_doubt=0.1))
    harness.client(REFERENCE).reply(Lost.REQUEST, times=2)
    await harness.attach(REFERENCE)
    refused, other = await harness.one(REFERENCE), await harness.one(REFERENCE, OTHER)
    harness.messenger.undelivered.refused([refused])
    await until(lambda: len(lasting_doubts(harness)) > 1)
    assert sorted(lasting_doubts(harness)) == sorted(
        [refused.public_id, other.public_id]
    )
    assert await listed(harness, REFERENCE) == [(OTHER, Status.UNCERTAIN)]
    await harness.messenger.close()
    harness.use()
    harness.events.clear()
    await harness.attach(REFERENCE)
    await until(lambda: reports(harness))
    assert not lasting_doubts(harness)


async def test_a_doubt_that_lasts_is_logged_once_and_listed_after_each_start(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.use(timing=replace(STILL, report_doubt=0.1))
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    await until(lambda: reports(harness) == 1)
    for _ in range(2):
        await harness.messenger.close()
        harness.use()
        harness.events.clear()
        await harness.attach(REFERENCE)
        await until(lambda: reports(harness))
        assert await listed(harness, REFERENCE) == [(NUMBER, Status.UNCERTAIN)]
    assert warnings(caplog) == [
        "Reference: the message to ***567 is uncertain (no_answer)"
    ]


async def test_a_doubt_is_logged_after_a_start_if_it_had_not_lasted_before(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.use(timing=STILL)
    harness.client(REFERENCE).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    await harness.messenger.close()
    harness.use(timing=replace(STILL, report_doubt=0.5))
    await harness.attach(REFERENCE)
    await until(lambda: warnings(caplog))
    assert "Reference: " in warnings(caplog)[0]


async def test_what_the_user_cancelled_is_not_reported(harness: Harness) -> None:
    harness.use(timing=STILL)
    harness.client(ONE).always(NotSent(kind=ErrorKind.UNAVAILABLE))
    await harness.attach(ONE)
    message = await harness.one(ONE)
    await harness.messenger.cancel(message.id)
    await harness.until_kept(message, status=Status.FAILED)
    assert await listed(harness) == []
    assert not reports(harness)


async def test_what_fails_while_the_caller_waits_is_reported_if_it_is_not_raised(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.use(timing=STILL)
    await harness.attach(REFERENCE)
    messages = await harness.send(REFERENCE, NUMBER, LANDLINE)
    assert [one.status for one in messages] == [Status.QUEUED, Status.FAILED]
    assert not warnings(caplog)
    harness.messenger.undelivered.answered(messages)
    await until(lambda: reports(harness))
    assert warnings(caplog) == [
        "Reference: the message to ***678 is failed (recipient)"
    ]
    assert await listed(harness, REFERENCE) == [(LANDLINE, Status.FAILED)]


async def test_what_was_refused_to_a_person_is_not_reported_after_a_restart_either(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.use(timing=QUICK)
    await harness.attach(ONE)
    message = await harness.one(ONE, LANDLINE)
    doubt = await uncertain(harness)
    harness.messenger.undelivered.refused([message, doubt])
    await until(lambda: reports(harness))
    assert await listed(harness) == []
    await harness.messenger.close()
    harness.use()
    await harness.attach(ONE)
    await asyncio.sleep(2 * QUICK.report_doubt)
    assert await listed(harness) == []
    assert not warnings(caplog)


async def test_what_a_caller_that_goes_away_does_not_see_is_reported(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(PLAIN)
    harness.client(PLAIN).line.hold_answers()
    bad = BadTarget(given="+39899123456", problem=NumberProblem.PREMIUM)
    sending = asyncio.create_task(harness.send(PLAIN, NUMBER, bad))
    await until(lambda: harness.requests(PLAIN))
    assert not reports(harness)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await until(lambda: reports(harness))
    harness.client(PLAIN).line.release_answers()
    assert await listed(harness, PLAIN) == [("+39899123456", Status.FAILED)]


@pytest.mark.parametrize("account", [ONE, REFERENCE, PLAIN])
async def test_a_doubt_of_before_a_restart_is_not_listed_before_its_time(
    harness: Harness, caplog: pytest.LogCaptureFixture, account: str
) -> None:
    """Also one that nobody can be asked about, which is closed at once."""
    harness.use(timing=replace(STILL, report_doubt=0.5))
    harness.client(account).reply(Lost.ANSWER)
    await harness.attach(account)
    await harness.one(account)
    await harness.messenger.close()
    harness.use()
    await harness.attach(account)
    assert await listed(harness, account) == []
    assert not warnings(caplog)

    await until(lambda: reports(harness))

    assert await listed(harness, account) == [(NUMBER, Status.UNCERTAIN)]
    assert await listed(harness, account) == [(NUMBER, Status.UNCERTAIN)]
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("account", [ONE, REFERENCE])
@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("jump", [0, -3600, 3600])
@pytest.mark.parametrize("off", [10, 120])
@pytest.mark.parametrize("lasted", [20, 100])
def test_a_doubt_is_reported_once_whenever_it_is_interrupted(  # noqa: PLR0913, PLR0917 - every way to be interrupted
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    lasted: float,
    off: float,
    jump: float,
    is_killed: bool,  # noqa: FBT001 - or stopped
    account: str,
) -> None:
    """By an event, in the log and in the list, within a minute of the start."""

    async def scenario(harness: Harness) -> None:
        harness.client(account).reply(Lost.REQUEST)
        harness.client(account).always(Lost.REQUEST, of=Operation.STATUS)
        await harness.attach(account)
        message = await harness.one(account)
        await asyncio.sleep(lasted)
        left = harness.folder / "left" / harness.ledger.name
        left.parent.mkdir()
        copy_as_after_a_crash(harness.ledger, left)
        await harness.messenger.close()
        harness.time.pass_by(off)
        harness.time.set_forward(jump)
        harness.use(ledger=left if is_killed else None)
        await harness.attach(account)
        # As whoever makes the repair does when an account comes.
        await listed(harness, account)
        await asyncio.sleep(61)
        assert lasting_doubts(harness) == [message.public_id]
        assert len(warnings(caplog)) == 1
        assert await listed(harness, account) == [(NUMBER, Status.UNCERTAIN)]

    run(tmp_path, scenario)


async def test_the_list_survives_a_restart_until_it_is_seen(harness: Harness) -> None:
    harness.use(timing=QUICK)
    message = await reported_as_failed(harness)
    await harness.until_kept(message, status=Status.FAILED)
    await harness.messenger.close()
    harness.use()
    await harness.attach(ONE)
    found = await harness.messenger.undelivered.of(ONE)
    assert [one.id for one in found.messages] == [message.id]
    await harness.messenger.undelivered.mark_seen(found.messages)
    await harness.messenger.close()
    harness.use()
    await harness.attach(ONE)
    assert await listed(harness) == []


def set_stage(ledger: Path, stage: str) -> None:
    """Write a stage to all messages of a ledger's file."""
    with closing(sqlite3.connect(ledger)) as database, database:
        database.execute("UPDATE messages SET stage = ?", (stage,))


def test_a_list_that_cannot_be_read_is_announced_until_it_can(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        message = await reported_as_failed(harness)
        await harness.until_kept(message, status=Status.FAILED)
        before = reports(harness)
        set_stage(harness.ledger, "nowhere")
        for count in (1, 2):
            with pytest.raises(LedgerUnreadableError):
                await listed(harness)
            await asyncio.sleep(60)
            assert reports(harness) == before + count
        set_stage(harness.ledger, Stage.CLOSED)
        assert await listed(harness) == [(NUMBER, Status.FAILED)]
        await asyncio.sleep(60)
        assert reports(harness) == before + 2

    run(tmp_path, scenario)


async def test_a_doubt_that_was_seen_is_listed_again_when_it_failed(
    harness: Harness,
) -> None:
    harness.use(timing=QUICK)
    harness.client(REFERENCE).reply(Lost.ANSWER)
    harness.client(REFERENCE).reply(Lost.REQUEST, of=Operation.STATUS, times=3)
    await harness.attach(REFERENCE)
    message = await harness.one(REFERENCE)
    await harness.messenger.undelivered.mark_seen([message])
    assert await listed(harness, REFERENCE) == []
    harness.client(REFERENCE).report(Status.FAILED)
    await harness.until_kept(message, status=Status.FAILED)
    assert await listed(harness, REFERENCE) == [(NUMBER, Status.FAILED)]


async def test_only_the_status_that_was_seen_is_no_longer_listed(
    harness: Harness,
) -> None:
    """The end may come while a person looks at the doubt."""
    harness.use(timing=QUICK)
    message = await reported_as_failed(harness)
    failed = await harness.until_kept(message, status=Status.FAILED)
    doubt = replace(failed, status=Status.UNCERTAIN)
    await harness.messenger.undelivered.mark_seen([doubt])
    assert await listed(harness) == [(NUMBER, Status.FAILED)]


async def test_joined_messages_are_listed_as_the_one_that_carried_them(
    harness: Harness,
) -> None:
    harness.use(timing=replace(QUICK, hold=600))
    await harness.attach(MANY, bundle_after=1)
    for text in ("Uno", "Due", "Tre"):
        await harness.one(MANY, text=text)
    harness.time.pass_by(600)
    # Whoever is attached looks what is due.
    await harness.messenger.attach(harness.account(MANY, bundle_after=1))
    await until(lambda: len(harness.accepted(MANY)) == 2)
    harness.client(MANY).report(Status.FAILED)
    await until(lambda: not harness.messenger.open_messages(MANY))
    assert await listed(harness, MANY) == [(NUMBER, Status.FAILED)] * 2


async def test_each_account_has_its_own_list(harness: Harness) -> None:
    harness.use(timing=QUICK)
    await harness.attach(REFERENCE)
    message = await reported_as_failed(harness)
    await harness.until_kept(message, status=Status.FAILED)
    assert await listed(harness, REFERENCE) == []


async def test_a_message_sent_again_is_a_new_one_and_no_longer_listed(
    harness: Harness,
) -> None:
    harness.use(timing=QUICK)
    message = await reported_as_failed(harness)
    await harness.until_kept(message, status=Status.FAILED)
    (again,) = await harness.messenger.resend(message.id)
    assert again.id != message.id
    assert again.status is Status.QUEUED
    assert harness.arrived(ONE) == [(NUMBER, TEXT)] * 2
    assert await listed(harness) == []


async def test_that_a_message_is_sent_again_is_known_before_the_answer(
    harness: Harness,
) -> None:
    """On disk too: whoever looks at it then must not send it a third time."""
    harness.use(timing=QUICK)
    message = await reported_as_failed(harness)
    await harness.until_kept(message, status=Status.FAILED)
    harness.client(ONE).reply(Late(1))
    again = asyncio.create_task(harness.messenger.resend(message.id))
    await harness.until_kept(message, is_resent=True)
    assert not again.done()
    published = [
        (one.id, one.status)
        for event in harness.events
        if isinstance(event, MessagesChanged)
        for one in event.messages
        if one.is_resent
    ]
    assert published == [(message.id, Status.FAILED)]
    (sent,) = await again
    assert not sent.is_resent


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.FAILED])
async def test_a_doubt_that_was_sent_again_stays_so_whatever_comes_of_it(
    harness: Harness, status: Status
) -> None:
    """Its failure is not listed: the list would offer to send it a third time."""
    harness.use(timing=QUICK)
    await harness.attach(REFERENCE)
    harness.client(REFERENCE).reply(Lost.ANSWER)
    message = await harness.one(REFERENCE)
    assert message.status is Status.UNCERTAIN
    (again,) = await harness.messenger.resend(message.id)
    harness.client(REFERENCE).report(status)
    await harness.until_kept(message, status=status, is_resent=True)
    await harness.until_kept(again, status=status)
    left = [(again.number, status)] if status is Status.FAILED else []
    assert await listed(harness, REFERENCE) == left


async def test_a_message_that_is_being_sent_again_is_not_sent_a_third_time(
    harness: Harness,
) -> None:
    """The first request may be answered many seconds later."""
    harness.use(timing=QUICK)
    message = await reported_as_failed(harness)
    await harness.until_kept(message, status=Status.FAILED)
    resend = harness.messenger.resend
    results = await asyncio.gather(
        resend(message.id), resend(message.id), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, RequestRefusedError)]
    assert [one.reason for one in refused] == [Refusal.BEING_RESENT]
    assert harness.arrived(ONE) == [(NUMBER, TEXT)] * 2


@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED])
async def test_a_message_that_was_sent_is_not_sent_again(
    harness: Harness, status: Status
) -> None:
    harness.use(timing=QUICK)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    harness.client(ONE).report(status)
    await harness.until_kept(message, status=status)
    with pytest.raises(RequestRefusedError) as caught:
        await harness.messenger.resend(message.id)
    assert caught.value.reason is Refusal.NOT_TO_RESEND
    assert harness.arrived(ONE) == [(NUMBER, TEXT)]


async def test_what_is_refused_when_it_is_sent_again_stays_listed(
    harness: Harness,
) -> None:
    harness.use(timing=QUICK)
    await harness.attach(ONE, daily_limit=1)
    message = await harness.one(ONE, OTHER)
    harness.client(ONE).report(Status.FAILED)
    await harness.until_kept(message, status=Status.FAILED)
    with pytest.raises(RequestRefusedError):
        await harness.messenger.resend(message.id)
    assert await listed(harness) == [(OTHER, Status.FAILED)]
