"""A message whose delivery failed goes out once more, by the next accounts."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.sms_italia.messaging import Message, Stage
from custom_components.sms_italia.providers import Accepted, ErrorKind, NotSent, Status

from ..fake import LANDLINE, MANY, ONE, REFERENCE, Lost, Operation, callback_body
from ..helpers import NUMBER, STILL, TEXT, Harness, until

HOUR = 3600


async def attach(harness: Harness, *fallback: str, **options: object) -> None:
    """Attach ONE, whose failed deliveries go to other accounts, and those."""
    for key in fallback:
        await harness.attach(key)
    await harness.attach(
        ONE,
        **{"fallback": fallback, "failover_on_failed_delivery": True} | options,
    )


async def test_a_failed_delivery_goes_out_again_as_the_same_message(
    harness: Harness,
) -> None:
    """It is queued again, and nobody sees that it had failed."""
    await attach(harness, REFERENCE)
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.FAILED)
    await until(lambda: harness.accepted(REFERENCE))
    harness.client(REFERENCE).deliver()
    kept = await harness.until_kept(message, status=Status.DELIVERED)
    assert kept.last_account == REFERENCE
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]
    assert len(await harness.found()) == 1
    assert harness.statuses[message.id] == [Status.QUEUED, Status.DELIVERED]


async def test_a_doubt_that_ends_as_a_failed_delivery_goes_out_again_as_well(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(Lost.ANSWER)
    harness.client(REFERENCE).reply(Lost.REQUEST, of=Operation.STATUS)
    await harness.attach(ONE)
    await harness.attach(REFERENCE, fallback=(ONE,), failover_on_failed_delivery=True)
    message = await harness.one(REFERENCE)
    harness.client(REFERENCE).report(Status.FAILED)
    await harness.until_kept(message, last_account=ONE, stage=Stage.ACCEPTED)
    assert harness.arrived(ONE) == [(NUMBER, TEXT)]
    assert len(harness.accepted(REFERENCE)) == 1


async def test_the_second_failure_is_the_end(harness: Harness) -> None:
    """Whatever accounts are left: it costs a message each time."""
    await attach(harness, REFERENCE, MANY)
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.FAILED)
    await until(lambda: harness.accepted(REFERENCE))
    harness.client(REFERENCE).report(Status.FAILED)
    kept = await harness.until_kept(message, status=Status.FAILED)
    assert kept.last_account == REFERENCE
    await asyncio.sleep(0.05)
    assert len(harness.accepted(ONE)) == len(harness.accepted(REFERENCE)) == 1
    assert not harness.accepted(MANY)


async def test_a_failure_that_an_answer_lists_twice_is_one_failover(
    harness: Harness,
) -> None:
    await attach(harness, REFERENCE)
    message = await harness.one(ONE)
    (arrived,) = harness.accepted(ONE)
    harness.client(ONE).accepted.append(replace(arrived))
    harness.client(ONE).report(Status.FAILED)
    await harness.until_kept(message, last_account=REFERENCE, stage=Stage.ACCEPTED)
    assert len(harness.accepted(REFERENCE)) == 1


async def test_of_messages_with_one_id_each_goes_out_again(harness: Harness) -> None:
    harness.use(timing=replace(STILL, first_poll=0.1))
    harness.client(ONE).reply(Accepted(provider_id="7"), times=2)
    await attach(harness, REFERENCE)
    first, second = [await harness.one(ONE, text=text) for text in ("Uno", "Due")]
    harness.client(ONE).report(Status.FAILED)
    for message in (first, second):
        await harness.until_kept(message, last_account=REFERENCE, stage=Stage.ACCEPTED)
    assert sorted(text for _, text in harness.arrived(REFERENCE)) == ["Due", "Uno"]


@pytest.mark.parametrize(
    ("options", "fallback"),
    [
        ({"failover_on_failed_delivery": False}, (REFERENCE,)),
        ({}, ()),
        ({"fallback": ("removed",)}, (REFERENCE,)),
    ],
    ids=["not wanted", "no fallback", "the fallback was removed"],
)
async def test_a_failed_delivery_is_the_end_otherwise(
    harness: Harness, options: dict[str, object], fallback: tuple[str, ...]
) -> None:
    await attach(harness, *fallback, **options)
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.FAILED)
    kept = await harness.until_kept(message, status=Status.FAILED)
    assert kept.error is None
    assert not harness.client(REFERENCE).calls


@pytest.mark.parametrize(
    ("hours", "last_account", "stage"),
    [(1.9, REFERENCE, Stage.ACCEPTED), (2.1, ONE, Stage.CLOSED)],
)
async def test_it_goes_on_until_an_hour_after_it_would_have_expired(
    harness: Harness, hours: float, last_account: str, stage: Stage
) -> None:
    await attach(harness, REFERENCE)
    message = await harness.one(ONE)
    harness.time.pass_by(hours * HOUR)
    harness.client(ONE).report(Status.FAILED)
    await harness.until_kept(message, last_account=last_account, stage=stage)
    await asyncio.sleep(0.05)
    assert len(harness.accepted(REFERENCE)) == (last_account == REFERENCE)


async def test_what_was_cancelled_does_not_go_on(harness: Harness) -> None:
    await harness.attach(ONE)
    await harness.attach(REFERENCE, fallback=(ONE,), failover_on_failed_delivery=True)
    (message,) = await harness.send(
        REFERENCE, NUMBER, send_at=harness.time.now() + HOUR
    )
    await harness.messenger.cancel(message.id)
    kept = await harness.until_kept(message, status=Status.FAILED)
    assert kept.error is ErrorKind.CANCELLED
    await asyncio.sleep(0.05)
    assert not harness.requests(ONE)


async def test_what_is_refused_at_once_is_no_failed_delivery(harness: Harness) -> None:
    """The fallback was asked when it was sent, and is not asked again."""
    await harness.attach(REFERENCE, fallback=(MANY,), failover_on_failed_delivery=True)
    await harness.attach(MANY)
    message = await harness.one(REFERENCE, LANDLINE)
    assert message.status is Status.FAILED
    await asyncio.sleep(0.05)
    assert harness.requests(MANY) == 1


async def test_a_failure_waits_while_the_account_that_was_asked_is_loaded(
    harness: Harness,
) -> None:
    """Whether it goes on is that account's option."""
    harness.client(ONE).reply(NotSent(kind=ErrorKind.SENDER))
    await attach(harness, REFERENCE, MANY)
    message = await harness.one(ONE)
    assert message.last_account == REFERENCE
    harness.expected.add(ONE)
    await harness.messenger.detach(ONE)
    before = harness.requests(REFERENCE, Operation.STATUS)
    harness.client(REFERENCE).report(Status.FAILED)
    await until(lambda: harness.requests(REFERENCE, Operation.STATUS) > before + 2)
    assert (await harness.latest(message)).status is Status.QUEUED
    await attach(harness, REFERENCE, MANY)
    await harness.until_kept(message, last_account=MANY, stage=Stage.ACCEPTED)


async def waiting_for_fallback(harness: Harness) -> Message:
    """Return a message that failed over to an account that cannot be reached."""
    harness.client(REFERENCE).line.down()
    await attach(harness, REFERENCE)
    harness.client(REFERENCE).line.down()
    message = await harness.one(ONE)
    harness.client(ONE).report(Status.FAILED)
    return await harness.until_kept(message, failed_over_from=ONE)


async def test_a_restart_after_the_report_loses_neither_it_nor_the_failover(
    harness: Harness,
) -> None:
    """Both are in one entry: the accounts before the failed one are not asked again."""
    message = await waiting_for_fallback(harness)
    await harness.messenger.close()
    harness.use()
    await attach(harness, REFERENCE)
    await harness.until_kept(message, last_account=REFERENCE, stage=Stage.ACCEPTED)
    assert len(harness.accepted(ONE)) == len(harness.accepted(REFERENCE)) == 1


async def test_a_report_that_came_while_we_were_off_is_found_by_asking(
    harness: Harness,
) -> None:
    await attach(harness, REFERENCE)
    message = await harness.one(ONE)
    await harness.messenger.close()
    harness.client(ONE).report(Status.FAILED)
    harness.use()
    await attach(harness, REFERENCE)
    await harness.until_kept(message, last_account=REFERENCE, stage=Stage.ACCEPTED)


async def test_a_callback_about_the_request_that_failed_changes_nothing_more(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await attach(harness, REFERENCE)
    message = await harness.one(ONE)
    assert message.submission is not None
    call = harness.messenger.callback
    failed = callback_body(message.provider_id, NUMBER, Status.FAILED)
    assert await call(ONE, message.submission, failed)
    await harness.until_kept(message, last_account=REFERENCE, stage=Stage.ACCEPTED)
    delivered = callback_body(message.provider_id, NUMBER, Status.DELIVERED)
    assert not await call(ONE, message.submission, delivered)
    assert (await harness.latest(message)).status is Status.QUEUED
    assert len(harness.accepted(REFERENCE)) == 1
