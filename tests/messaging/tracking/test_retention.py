"""What is closed because nobody can report on it any more."""

import asyncio
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging import DayChanged, Message, Stage
from custom_components.sms_italia.providers import ErrorKind, NotSent, Status

from ..fake import (
    HANGS,
    ONE,
    PLAIN,
    REFERENCE,
    THROTTLED,
    THROTTLED_FOR_7_SECONDS,
    Lost,
)
from ..helpers import NUMBER, OTHER, STILL, TIMING, Harness, tidied_up, until
from ..virtual import run

KEY = REFERENCE
WATCHED = ONE
DAYS = 86_400


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let nothing come by itself."""
    harness.use(timing=STILL)


async def come_back(harness: Harness, *, restart: bool = False) -> None:
    """Let the account go and come again; ask often from then on."""
    if restart:
        await harness.messenger.close()
        harness.use(timing=TIMING)
    else:
        await harness.messenger.detach(KEY)
    await harness.attach(KEY)


async def in_doubt(harness: Harness) -> Message:
    """Return a message that never came to its provider, which nobody knows."""
    harness.client(KEY).reply(Lost.REQUEST)
    message = await harness.one(KEY, NUMBER)
    assert message.stage is Stage.IN_DOUBT
    return message


# Accounts that come back


async def test_an_account_that_comes_back_is_asked_as_before(harness: Harness) -> None:
    await harness.attach(KEY)
    taken = await harness.one(KEY, OTHER)
    doubtful = await in_doubt(harness)
    await come_back(harness, restart=True)
    harness.accepted(KEY)[0].status = Status.DELIVERED
    await harness.until_kept(taken, status=Status.DELIVERED)
    harness.time.pass_by(harness.timing.never_came)
    await harness.until_kept(doubtful, stage=Stage.ACCEPTED)


@pytest.mark.parametrize("refusal", [THROTTLED, THROTTLED_FOR_7_SECONDS])
async def test_an_account_that_only_failed_is_tried_at_once_when_it_comes_back(
    harness: Harness, refusal: NotSent
) -> None:
    """However long its provider asked to wait."""
    await harness.attach(WATCHED)
    await harness.attach(KEY)
    harness.client(KEY).reply(refusal)
    message = await harness.one(KEY)
    await come_back(harness)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


# Accounts that are gone for good


async def test_what_a_removed_account_has_on_the_wire_for_others_is_uncertain_too(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(KEY, line=harness.line)
    await harness.attach(
        WATCHED, refusing=ErrorKind.AUTH, fallback=(KEY,), daily_limit=0
    )
    send = asyncio.create_task(harness.one(WATCHED))
    await until(lambda: harness.requests(KEY))
    await harness.messenger.detach(KEY)
    forgetting = asyncio.create_task(harness.messenger.forget(KEY, ()))
    await asyncio.sleep(0.05)
    harness.line.release_answers()
    message = await send
    await forgetting
    assert message.last_account == KEY
    kept = await harness.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)


@pytest.mark.parametrize("comes", [True, False])
def test_what_a_removed_account_has_on_the_wire_delays_neither_another_one_nor_the_end(
    tmp_path: Path,
    comes: bool,  # noqa: FBT001 - both ways
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(PLAIN).always(HANGS)
        await harness.attach(PLAIN)
        await harness.attach(
            WATCHED, refusing=ErrorKind.CREDIT, fallback=(PLAIN,), daily_limit=0
        )
        send = asyncio.create_task(harness.one(WATCHED))
        await asyncio.sleep(1)
        await harness.messenger.detach(PLAIN)
        forgetting = asyncio.create_task(harness.messenger.forget(PLAIN, [WATCHED]))
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        if comes:
            await harness.attach(KEY)
        else:
            await harness.messenger.close()
        took = asyncio.get_running_loop().time() - began
        assert took <= (0 if comes else harness.timing.stop)
        await asyncio.gather(send, forgetting)

    run(tmp_path, scenario)


# Another day


async def test_another_day_is_an_event_and_tidies_up(harness: Harness) -> None:
    await harness.attach(KEY)
    await harness.one(KEY)
    harness.time.pass_by(5 * DAYS)
    # Whoever is attached makes the outbox look at the clock.
    await harness.attach(WATCHED)
    await until(lambda: DayChanged(account=KEY) in harness.events)
    await until(lambda: not harness.messenger.open_messages(KEY))


# By age


async def test_what_was_set_aside_is_removed_when_no_account_keeps_messages_so_long(
    harness: Harness,
) -> None:
    now = int(harness.time.now())
    aside = harness.ledger.with_name(f"{harness.ledger.name}.{now}.set_aside")
    await harness.attach(KEY, history_days=3)
    aside.touch()
    account = await harness.attach(WATCHED, history_days=10)
    harness.time.pass_by(5 * DAYS)
    await harness.messenger.attach(account)
    await tidied_up()
    assert aside.exists()
    harness.time.pass_by(6 * DAYS)
    await harness.messenger.attach(account)
    await tidied_up()
    assert not aside.exists()


async def test_a_message_for_later_grows_old_from_its_time_on(harness: Harness) -> None:
    account = await harness.attach(KEY)
    later = harness.time.now() + 10 * DAYS
    (message,) = await harness.send(KEY, send_at=later)
    harness.time.pass_by(12 * DAYS)
    await harness.messenger.attach(account)
    assert (await harness.latest(message)).stage is Stage.ACCEPTED
    harness.time.pass_by(2 * DAYS)
    await harness.messenger.attach(account)
    kept = await harness.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
