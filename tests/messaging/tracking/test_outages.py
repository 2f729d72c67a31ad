"""The log says once that an outage holds up messages, and once that it is over."""

import asyncio
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging.tracking import outages
from custom_components.sms_italia.providers import ErrorKind, NotSent

from ..fake import HANGS, MANY, ONE, THROTTLED, Operation
from ..helpers import NUMBER, OTHER, TEXT, Harness, numbers
from ..virtual import run

BEGUN = (
    "One: messages wait, because neither the account nor a fallback account can be"
    " reached"
)
OVER = "One: messages are sent again"
HOUR = 3600


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of outages."""
    return [one.getMessage() for one in caplog.records if one.name == outages.__name__]


def test_each_outage_is_said_once_when_it_begins_and_once_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(harness: Harness) -> None:
        await harness.attach(ONE, line=harness.line)
        await harness.one(ONE)
        for count in (1, 2):
            harness.line.down()
            for index, to in enumerate(numbers(5)):
                await harness.one(ONE, to, f"{count} {index}")
                await asyncio.sleep(20)
            assert said(caplog) == [BEGUN, OVER] * (count - 1) + [BEGUN]
            harness.line.up()
            await asyncio.sleep(20)
            assert said(caplog) == [BEGUN, OVER] * count
        assert NUMBER not in caplog.text
        assert TEXT not in caplog.text

    run(tmp_path, scenario)


def test_a_provider_that_answers_nothing_is_an_outage_for_what_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(HANGS)
        harness.client(ONE).always(HANGS, of=Operation.PROBE)
        await harness.attach(ONE)
        await asyncio.gather(harness.one(ONE), harness.one(ONE, OTHER))
        await asyncio.sleep(10)
        await harness.one(ONE, OTHER, "Dopo")
        assert said(caplog) == [BEGUN]

    run(tmp_path, scenario)


def test_one_that_ends_when_all_messages_have_expired_is_said_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the next one."""

    async def scenario(harness: Harness) -> None:
        await harness.attach(ONE, line=harness.line)
        harness.line.down()
        await harness.one(ONE)
        await asyncio.sleep(2 * HOUR)
        assert not harness.messenger.open_messages(ONE)
        assert said(caplog) == [BEGUN]
        harness.line.up()
        await asyncio.sleep(2 * harness.timing.idle_probe)
        assert said(caplog) == [BEGUN, OVER]
        harness.line.down()
        await harness.one(ONE)
        assert said(caplog) == [BEGUN, OVER, BEGUN]

    run(tmp_path, scenario)


def test_an_account_whose_fallback_can_be_reached_has_no_outage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(harness: Harness) -> None:
        await harness.attach(MANY)
        await harness.attach(ONE, line=harness.line, fallback=(MANY,))
        harness.line.down()
        await harness.one(ONE)
        await asyncio.sleep(HOUR)
        assert not said(caplog)

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "refusal",
    [THROTTLED, NotSent(kind=ErrorKind.CREDIT), NotSent(kind=ErrorKind.AUTH)],
)
def test_what_waits_for_another_reason_has_a_word_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, refusal: NotSent
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(refusal)
        await harness.attach(ONE)
        await harness.one(ONE)
        await asyncio.sleep(100)
        assert harness.messenger.waiting(ONE).count == 1
        assert not said(caplog)

    run(tmp_path, scenario)


def test_one_that_lasts_is_said_again_after_a_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(harness: Harness) -> None:
        await harness.attach(ONE, line=harness.line)
        harness.line.down()
        await harness.one(ONE)
        await harness.messenger.close()
        harness.use()
        await harness.attach(ONE, line=harness.line)
        await asyncio.sleep(20)
        assert said(caplog) == [BEGUN, BEGUN]

    run(tmp_path, scenario)
