"""Stopping a message before it goes out: here, at its provider, or not any more."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging import (
    DeliveryReports,
    Message,
    Refusal,
    RequestRefusedError,
    Stage,
    Timing,
)
from custom_components.sms_italia.providers import (
    Accepted,
    Cancelling,
    ErrorKind,
    ProviderError,
    Status,
)

from ..fake import MANY, ONE, REFERENCE, THROTTLED, Late, Lost, Operation, Reply
from ..helpers import (
    NUMBER,
    OTHER,
    STILL,
    TIMING,
    Harness,
    copy_as_after_a_crash,
    numbers,
    until,
)
from ..virtual import run

KEEPS = REFERENCE
"""A provider that keeps messages for later and can stop them."""
CANNOT = MANY
"""One that keeps them and cannot."""
LACKS = ONE
"""One that does neither: such messages wait here."""

HOUR = 3600


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let nothing come by itself."""
    harness.use(timing=STILL)


@pytest.fixture
def later(harness: Harness) -> float:
    """Return a moment an hour from now."""
    return harness.time.now() + HOUR


async def cancel(harness: Harness, message: Message) -> Message:
    """Cancel a message."""
    could = harness.messenger.can_cancel(await harness.latest(message))
    cancelled = await harness.messenger.cancel(message.id)
    assert could
    return cancelled


async def refused(harness: Harness, message: Message) -> Refusal:
    """Return why a message is not cancelled."""
    with pytest.raises(RequestRefusedError) as caught:
        await cancel(harness, message)
    return caught.value.reason


async def is_cancelled(harness: Harness, message: Message) -> bool:
    """Return whether a message is closed as a cancelled one."""
    kept = await harness.latest(message)
    return (kept.status, kept.stage, kept.error) == (
        Status.FAILED,
        Stage.CLOSED,
        ErrorKind.CANCELLED,
    )


# In our own hands


async def test_a_message_that_waits_here_is_never_sent(
    harness: Harness, later: float
) -> None:
    await harness.attach(LACKS)
    (message,) = await harness.send(LACKS, send_at=later)
    cancelled = await cancel(harness, message)
    assert await is_cancelled(harness, message)
    assert await harness.latest(message) == cancelled
    harness.time.pass_by(2 * HOUR)
    await harness.attach(CANNOT)
    assert not harness.calls
    assert harness.statuses[message.id] == [Status.QUEUED, Status.FAILED]


async def test_a_message_that_waits_for_better_times_is_not_sent_when_they_come(
    harness: Harness,
) -> None:
    await harness.attach(LACKS, line=harness.line, fallback=(CANNOT,))
    harness.line.down()
    message = await harness.one(LACKS)
    assert message.stage is Stage.WAITING
    await cancel(harness, message)
    harness.line.up()
    await harness.attach(CANNOT)
    harness.time.pass_by(2 * HOUR)
    await harness.one(LACKS, OTHER)
    assert await is_cancelled(harness, message)
    arrived = [*harness.arrived(LACKS), *harness.arrived(CANNOT)]
    assert [to for to, _ in arrived] == [OTHER]


async def test_one_that_waits_for_its_turn_on_the_wire_is_not_sent(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(LACKS, line=harness.line)
    # More than may be on the wire at once.
    many = numbers(34)
    send = asyncio.create_task(harness.send(LACKS, *many))
    await until(lambda: harness.requests(LACKS) == 32)
    waiting = {one.number: one for one in harness.messenger.open_messages(LACKS)}
    last = waiting[many[-1]]
    await cancel(harness, last)
    on_the_wire = waiting[many[0]]
    assert await refused(harness, on_the_wire) is Refusal.TOO_LATE_TO_CANCEL
    harness.line.release_answers()
    messages = await send
    assert messages[-1].error is ErrorKind.CANCELLED
    assert await is_cancelled(harness, last)
    assert harness.requests(LACKS) == 33


@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.FAILED])
async def test_what_is_at_its_end_or_gone_cannot_be_cancelled(
    harness: Harness, status: Status
) -> None:
    key = KEEPS
    await harness.attach(key)
    message = await harness.one(key)
    harness.client(key).report(status)
    assert message.submission is not None
    await harness.messenger.callback(key, message.submission, b"")
    await until(lambda: harness.statuses[message.id][-1] is not Status.QUEUED)
    assert not harness.messenger.can_cancel(await harness.latest(message))
    assert await refused(harness, message) is Refusal.TOO_LATE_TO_CANCEL
    kept = await harness.latest(message)
    assert kept.error is None


async def test_a_message_that_nobody_knows_cannot_be_cancelled(
    harness: Harness,
) -> None:
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await harness.messenger.cancel(17)
    await harness.attach(LACKS)
    with pytest.raises(RequestRefusedError) as caught:
        await harness.messenger.cancel(0xABC)
    assert caught.value.reason is Refusal.UNKNOWN_MESSAGE
    assert caught.value.placeholders == {"message_id": "0000000000000abc"}


# At the provider


async def test_a_message_that_waits_at_its_provider_is_stopped_there(
    harness: Harness, later: float
) -> None:
    await harness.attach(LACKS)
    await harness.attach(KEEPS, fallback=(LACKS,), failover_on_failed_delivery=True)
    message, other = await harness.send(KEEPS, NUMBER, OTHER, send_at=later)
    cancelled = await cancel(harness, message)
    assert await harness.latest(message) == cancelled
    assert await is_cancelled(harness, message)
    first, second = harness.accepted(KEEPS)
    assert (first.is_cancelled, second.is_cancelled) == (True, False)
    assert (await harness.latest(other)).stage is Stage.ACCEPTED
    # Nobody wants it to arrive by another way.
    assert not harness.client(LACKS).calls
    assert await refused(harness, message) is Refusal.TOO_LATE_TO_CANCEL


async def test_one_that_went_out_meanwhile_is_not_called_cancelled(
    harness: Harness, later: float
) -> None:
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    harness.client(KEEPS).report(Status.SENT)
    assert await refused(harness, message) is Refusal.TOO_LATE_TO_CANCEL
    # The provider is asked about it.
    sent = await harness.until_kept(message, status=Status.SENT)
    assert (sent.stage, sent.error) == (Stage.ACCEPTED, None)


async def test_one_that_the_provider_does_not_stop_stays_as_it_was(
    harness: Harness, later: float
) -> None:
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    harness.client(KEEPS).cancel_result = Cancelling.NOT_CANCELLED
    assert await refused(harness, message) is Refusal.TOO_LATE_TO_CANCEL
    kept = await harness.latest(message)
    assert (kept.status, kept.stage) == (Status.QUEUED, Stage.ACCEPTED)
    assert kept.error is None


async def test_a_provider_that_cannot_stop_what_it_has_is_not_asked(
    harness: Harness, later: float
) -> None:
    await harness.attach(CANNOT)
    (message,) = await harness.send(CANNOT, send_at=later)
    requests = len(harness.calls)
    assert not harness.messenger.can_cancel(await harness.latest(message))
    assert await refused(harness, message) is Refusal.CANNOT_CANCEL
    assert len(harness.calls) == requests
    assert (await harness.latest(message)).error is None


async def test_a_message_accepted_without_an_id_is_looked_for_first(
    harness: Harness, later: float
) -> None:
    harness.client(KEEPS).reply(Accepted(provider_id=None))
    await harness.attach(KEEPS)
    _, message = await harness.send(KEEPS, NUMBER, OTHER, send_at=later)
    assert message.provider_id is None
    cancelled = await cancel(harness, message)
    assert cancelled.provider_id == harness.accepted(KEEPS)[1].id
    assert await is_cancelled(harness, message)
    (stopped,) = [one for one in harness.accepted(KEEPS) if one.is_cancelled]
    assert stopped.to == message.number


async def test_one_that_the_provider_does_not_list_yet_cannot_be_cancelled(
    harness: Harness, later: float
) -> None:
    harness.client(KEEPS).is_slow = True
    harness.client(KEEPS).reply(Accepted(provider_id=None))
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    assert await refused(harness, message) is Refusal.CANNOT_CANCEL
    harness.client(KEEPS).process()
    assert (await cancel(harness, message)).error is ErrorKind.CANCELLED


@pytest.mark.parametrize("came", [True, False])
async def test_a_scheduled_message_in_doubt_is_stopped_wherever_it_is(
    harness: Harness,
    later: float,
    came: bool,  # noqa: FBT001 - both ways
) -> None:
    # The account works again, so what never arrived would be sent at once.
    harness.use(timing=replace(STILL, first_pause=0.01, longest_pause=0.01))
    harness.client(KEEPS).reply(Lost.ANSWER if came else Lost.REQUEST)
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    assert message.stage is Stage.IN_DOUBT
    harness.time.pass_by(harness.timing.never_came)
    await cancel(harness, message)
    assert await is_cancelled(harness, message)
    assert [one.is_cancelled for one in harness.accepted(KEEPS)] == [True] * came
    assert harness.requests(KEEPS) == 1


async def test_one_of_an_account_that_is_away_cannot_be_cancelled_now(
    harness: Harness, later: float
) -> None:
    await harness.attach(LACKS)
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    await harness.messenger.detach(KEEPS)
    assert not harness.messenger.can_cancel(await harness.latest(message))
    assert await refused(harness, message) is Refusal.ACCOUNT_NOT_LOADED


async def test_without_delivery_reports_it_can_be_stopped_until_its_time(
    harness: Harness, later: float
) -> None:
    account = await harness.attach(KEEPS, delivery_reports=DeliveryReports.OFF)
    first, second = await harness.send(KEEPS, NUMBER, OTHER, send_at=later)
    await harness.messenger.attach(account)
    await cancel(harness, first)
    assert await is_cancelled(harness, first)
    harness.time.pass_by(2 * HOUR)
    await harness.messenger.attach(account)
    assert (await harness.latest(second)).stage is Stage.CLOSED
    assert not harness.requests(KEEPS, Operation.STATUS)


# When the provider's answer says little


async def test_a_refused_cancellation_leaves_the_message_as_it_was(
    harness: Harness, later: float
) -> None:
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    harness.client(KEEPS).reply(THROTTLED, of=Operation.CANCEL)
    with pytest.raises(ProviderError):
        await cancel(harness, message)
    kept = await harness.latest(message)
    assert (kept.stage, kept.error) == (Stage.ACCEPTED, None)
    assert (await cancel(harness, message)).error is ErrorKind.CANCELLED


@pytest.mark.parametrize("ending", ["report", "crash"])
async def test_a_cancellation_without_an_answer_counts_when_it_turns_out_to_be_granted(
    harness: Harness, later: float, ending: str
) -> None:
    """It fails, but for a reason that no other account may cure."""
    options = {"fallback": (LACKS,), "failover_on_failed_delivery": True}
    harness.client(KEEPS).reply(Lost.ANSWER, of=Operation.CANCEL)
    await harness.attach(LACKS)
    await harness.attach(KEEPS, line=harness.line, **options)
    (message,) = await harness.send(KEEPS, send_at=later)
    harness.line.hold_answers()
    cancelling = asyncio.create_task(cancel(harness, message))
    await until(lambda: harness.accepted(KEEPS)[0].is_cancelled)
    left = harness.folder / "left.db"
    copy_as_after_a_crash(harness.ledger, left)
    harness.line.release_answers()
    with pytest.raises(ProviderError):
        await cancelling
    if ending == "crash":
        await harness.messenger.close()
        harness.use(timing=TIMING, ledger=left)
        await harness.attach(LACKS)
        await harness.attach(KEEPS, **options)
    await harness.until_kept(message, stage=Stage.CLOSED)
    assert await is_cancelled(harness, message)
    assert len(await harness.found()) == 1
    assert not harness.client(LACKS).calls


async def test_one_that_goes_out_in_spite_of_a_cancellation_is_not_cancelled(
    harness: Harness, later: float
) -> None:
    harness.client(KEEPS).reply(Lost.REQUEST, of=Operation.CANCEL)
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    with pytest.raises(ProviderError):
        await cancel(harness, message)
    assert (await harness.latest(message)).error is ErrorKind.CANCELLED
    harness.client(KEEPS).report(Status.DELIVERED)
    await harness.messenger.close()
    harness.use(timing=TIMING)
    await harness.attach(KEEPS)
    delivered = await harness.until_kept(message, status=Status.DELIVERED)
    assert delivered.error is None


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Status.FAILED, (Status.FAILED, ErrorKind.CANCELLED)),
        (Status.DELIVERED, (Status.DELIVERED, None)),
    ],
)
async def test_a_cancellation_that_was_only_noted_is_asked_about_soon(
    harness: Harness, later: float, status: Status, end: tuple[Status, ErrorKind | None]
) -> None:
    harness.use(timing=Timing(first_poll=0.05, longest_poll=HOUR))
    await harness.attach(KEEPS)
    (message,) = await harness.send(KEEPS, send_at=later)
    assert message.stage is Stage.ACCEPTED
    harness.client(KEEPS).cancel_result = Cancelling.UNCERTAIN
    noted = await cancel(harness, message)
    assert (noted.status, noted.stage) == (Status.QUEUED, Stage.ACCEPTED)
    assert noted.error is ErrorKind.CANCELLED
    harness.client(KEEPS).report(status)
    ended = await harness.until_kept(message, stage=Stage.CLOSED)
    assert (ended.status, ended.error) == end


@pytest.mark.parametrize("is_found", [True, False])
@pytest.mark.parametrize("reply", [Lost.REQUEST, Lost.ANSWER, None])
def test_a_provider_that_is_slow_delays_no_answer_and_is_asked_to_the_end(
    tmp_path: Path,
    is_found: bool,  # noqa: FBT001 - whether its ID is known, or looked for first
    reply: Reply,
) -> None:
    async def scenario(harness: Harness) -> None:
        if not is_found:
            harness.client(KEEPS).reply(Accepted(provider_id=None))
            harness.client(KEEPS).always(Late(20), of=Operation.STATUS)
        await harness.attach(KEEPS)
        (message,) = await harness.send(KEEPS, send_at=harness.time.now() + HOUR)
        harness.client(KEEPS).reply(Late(20, reply), of=Operation.CANCEL)
        loop = asyncio.get_running_loop()
        began = loop.time()
        noted = await harness.messenger.cancel(message.id)
        assert loop.time() - began == harness.timing.answer
        assert (noted.status, noted.error) == (Status.QUEUED, ErrorKind.CANCELLED)
        await asyncio.sleep(2 * HOUR)
        (there,) = harness.accepted(KEEPS)
        assert there.is_cancelled is (reply is not Lost.REQUEST)
        assert await is_cancelled(harness, message) is there.is_cancelled

    run(tmp_path, scenario)
