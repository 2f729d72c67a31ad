"""What an account has not sent yet is cancelled when the account is removed."""

import asyncio
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging import Event, MessagesChanged, Stage
from custom_components.sms_italia.providers import ErrorKind

from ..escalation.scene import WAIT, Scene, play
from ..fake import HANGS, MANY, ONE, REFERENCE, THROTTLED, Lost, Operation, Reply
from ..helpers import NUMBER, OTHER, STILL, THIRD, Harness
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


async def remove(
    harness: Harness, account: str, *, is_loaded: bool = True
) -> list[str]:
    """Remove an account, which may be disabled; return the numbers cancelled by it."""
    events: list[Event] = []
    harness.messenger.events.listen(None, events.append)
    if is_loaded:
        await harness.messenger.detach(account)
    removed = harness.account(account, line=harness.client(account).line)
    await harness.messenger.withdraw(removed)
    await harness.messenger.forget(account, ())
    return [
        one.number
        for event in events
        if isinstance(event, MessagesChanged)
        for one in event.status_changed
        if one.stage is Stage.CLOSED and one.error is ErrorKind.CANCELLED
    ]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of removed accounts."""
    lines = [one.getMessage() for one in caplog.records]
    return [one for one in lines if "was removed" in one]


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_what_waits_and_what_is_scheduled_is_cancelled_and_said_in_one_line(
    harness: Harness,
    caplog: pytest.LogCaptureFixture,
    is_loaded: bool,  # noqa: FBT001 - or disabled since
) -> None:
    await harness.attach(LACKS)
    await harness.attach(KEEPS)
    later = harness.time.now() + HOUR
    await harness.send(KEEPS, NUMBER, OTHER, send_at=later)
    harness.client(KEEPS).reply(THROTTLED)
    await harness.one(KEEPS, THIRD)
    if not is_loaded:
        await harness.messenger.close()
        harness.use()
    numbers = await remove(harness, KEEPS, is_loaded=is_loaded)
    assert sorted(numbers) == sorted([NUMBER, OTHER, THIRD])
    assert [one.is_cancelled for one in harness.accepted(KEEPS)] == [True, True]
    assert harness.requests(KEEPS, Operation.CANCEL) == 1
    (line,) = said(caplog)
    assert line.startswith("Reference was removed: of its messages 1 that waited")
    assert "2 that were scheduled were cancelled" in line
    assert "0 may still be sent" in line


@pytest.mark.parametrize("reply", [THROTTLED, Lost.REQUEST])
async def test_what_a_provider_does_not_cancel_may_still_be_sent(
    harness: Harness, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    await harness.attach(LACKS)
    await harness.attach(KEEPS)
    await harness.send(KEEPS, send_at=harness.time.now() + HOUR)
    harness.client(KEEPS).reply(reply, of=Operation.CANCEL)
    assert not await remove(harness, KEEPS)
    assert "and 1 may still be sent by it" in said(caplog)[0]


async def test_a_provider_that_cannot_cancel_is_not_asked(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    await harness.attach(CANNOT)
    await harness.send(CANNOT, send_at=harness.time.now() + HOUR)
    await remove(harness, CANNOT)
    assert not harness.requests(CANNOT, Operation.CANCEL)
    assert "and 1 may still be sent by it" in said(caplog)[0]


async def test_what_a_fallback_keeps_is_cancelled_there(harness: Harness) -> None:
    await harness.attach(KEEPS)
    await harness.attach(CANNOT, fallback=(KEEPS,), refusing=ErrorKind.CREDIT)
    await harness.send(CANNOT, send_at=harness.time.now() + HOUR)
    await remove(harness, CANNOT)
    assert [one.is_cancelled for one in harness.accepted(KEEPS)] == [True]


async def test_what_an_account_keeps_for_another_one_is_not_cancelled(
    harness: Harness,
) -> None:
    await harness.attach(KEEPS)
    await harness.attach(CANNOT, fallback=(KEEPS,), refusing=ErrorKind.CREDIT)
    await harness.send(CANNOT, send_at=harness.time.now() + HOUR)
    await remove(harness, KEEPS)
    assert [one.is_cancelled for one in harness.accepted(KEEPS)] == [False]


async def test_of_an_account_that_has_sent_all_nothing_is_said(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    await harness.attach(KEEPS)
    await harness.one(KEEPS)
    await remove(harness, KEEPS)
    assert not harness.requests(KEEPS, Operation.CANCEL)
    assert not said(caplog)


def test_no_escalation_of_the_account_calls_anybody_while_its_provider_is_asked(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        harness = scene.harness
        await harness.attach(KEEPS)
        await harness.send(KEEPS, send_at=harness.time.now() + HOUR)
        harness.client(KEEPS).always(HANGS, of=Operation.CANCEL)
        await scene.call(account=KEEPS)
        await asyncio.sleep(WAIT - harness.timing.answer / 2)
        await remove(harness, KEEPS)
        await asyncio.sleep(WAIT)
        assert scene.called() == ["anna"]

    play(tmp_path, scenario)


def test_a_provider_that_does_not_answer_is_asked_for_ten_seconds(
    tmp_path: Path,
) -> None:
    """Another account comes meanwhile."""

    async def scenario(harness: Harness) -> None:
        await harness.attach(KEEPS)
        await harness.send(KEEPS, send_at=harness.time.now() + HOUR)
        harness.client(KEEPS).always(HANGS, of=Operation.CANCEL)
        loop = asyncio.get_running_loop()
        began = loop.time()
        removing = asyncio.create_task(remove(harness, KEEPS))
        await asyncio.sleep(1)
        await harness.attach(LACKS)
        assert loop.time() - began < 2
        await removing
        assert loop.time() - began == pytest.approx(harness.timing.answer, abs=0.1)

    run(tmp_path, scenario)
