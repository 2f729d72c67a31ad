"""The harmless question to a suspect account: when, and what an answer says."""

import asyncio
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging import (
    CredentialsRefused,
    Stage,
    WaitRequested,
)
from custom_components.sms_italia.providers import (
    ErrorKind,
    NotSent,
    Uncertain,
    UnconfirmedAuthError,
)

from ..fake import HANGS, ONE, Late, Lost, Operation, Reply
from ..helpers import NUMBER, OTHER, Harness, numbers
from ..virtual import run

UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)
AUTH = NotSent(kind=ErrorKind.AUTH)
NO_ANSWER = Late(3600, Lost.REQUEST)


async def waiting(harness: Harness, probe: Reply) -> None:
    """Let a message wait for an account that answers probes like this."""
    harness.client(ONE).reply(UNAVAILABLE)
    harness.client(ONE).always(probe, of=Operation.PROBE)
    await harness.attach(ONE)
    message = await harness.one(ONE)
    assert message.stage is Stage.WAITING


@pytest.mark.parametrize(
    ("probe", "heals"),
    [
        (None, True),
        (AUTH, True),
        (NotSent(kind=ErrorKind.THROTTLED), True),
        (NotSent(kind=ErrorKind.CREDIT), True),
        (UNAVAILABLE, False),
        (UnconfirmedAuthError("http_401"), False),
        (Uncertain(detail="foreign_answer"), False),
        (Lost.REQUEST, False),
        (NO_ANSWER, False),
        (RuntimeError("segreto"), False),
    ],
)
def test_any_answer_in_the_providers_own_words_shows_that_the_line_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, probe: Reply, *, heals: bool
) -> None:
    async def scenario(harness: Harness) -> None:
        await waiting(harness, probe)
        await asyncio.sleep(16)
        assert harness.requests(ONE) == (2 if heals else 1)
        assert (CredentialsRefused(account=ONE) in harness.events) is (probe == AUTH)
        # What does not answer is asked again; what failed ends nothing.
        await asyncio.sleep(30)
        assert harness.requests(ONE, Operation.PROBE) == (1 if heals else 3)

    run(tmp_path, scenario)
    assert "segreto" not in caplog.text


def test_a_probe_that_hangs_keeps_no_next_one_from_finding_the_line_back(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        await waiting(harness, NO_ANSWER)
        await asyncio.sleep(16)
        harness.client(ONE).always(None, of=Operation.PROBE)
        await asyncio.sleep(15)
        assert len(harness.accepted(ONE)) == 1

    run(tmp_path, scenario)


def test_messages_that_come_together_share_one_probe(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).reply(HANGS)
        harness.client(ONE).always(Late(1), of=Operation.PROBE)
        await harness.attach(ONE)
        first = asyncio.create_task(harness.one(ONE, NUMBER))
        await asyncio.sleep(6)
        later = [asyncio.create_task(harness.one(ONE, to)) for to in numbers(5)]
        await asyncio.sleep(0.5)
        assert harness.requests(ONE, Operation.PROBE) == 1
        await asyncio.sleep(1)
        # One goes, is answered, and takes the others along.
        assert len(harness.accepted(ONE)) == 5
        await asyncio.gather(first, *later)

    run(tmp_path, scenario)


def test_an_account_that_is_gone_is_probed_no_more(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        await waiting(harness, UNAVAILABLE)
        await harness.attach(ONE, name="altro")
        await harness.messenger.detach(ONE)
        await asyncio.sleep(120)
        assert not harness.requests(ONE, Operation.PROBE)

    run(tmp_path, scenario)


@pytest.mark.parametrize(("seconds", "is_reported"), [(300.0, False), (301.0, True)])
def test_a_wait_beyond_five_minutes_is_reported(
    tmp_path: Path, seconds: float, *, is_reported: bool
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).reply(
            NotSent(kind=ErrorKind.THROTTLED, retry_after=seconds)
        )
        await harness.attach(ONE)
        await harness.one(ONE, OTHER)
        await asyncio.sleep(1)
        reported = WaitRequested(account=ONE, seconds=seconds) in harness.events
        assert reported is is_reported

    run(tmp_path, scenario)
