"""What is closed because nobody can report on it any more."""

import asyncio
from contextlib import closing
import sqlite3

import pytest

from custom_components.sms_italia.messaging import DayChanged, Message, Stage
from custom_components.sms_italia.providers import ErrorKind, NotSent, Status

from ..fake import ONE, REFERENCE, THROTTLED, THROTTLED_FOR_7_SECONDS, Lost, Operation
from ..helpers import NUMBER, OTHER, STILL, TIMING, Harness, until

KEY = REFERENCE
WATCHED = ONE
DAYS = 86_400


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let nothing come by itself."""
    harness.use(timing=STILL)


async def come_back(harness: Harness, identity: str, *, restart: bool = False) -> None:
    """Let the account go and come again with this identity; ask often from then on."""
    if restart:
        await harness.messenger.close()
        harness.use(timing=TIMING)
    else:
        await harness.messenger.detach(KEY)
    await harness.attach(KEY, identity=identity)


async def in_doubt(harness: Harness) -> Message:
    """Return a message that never came to its provider, which nobody knows."""
    harness.client(KEY).reply(Lost.REQUEST)
    message = await harness.one(KEY, NUMBER)
    assert message.stage is Stage.IN_DOUBT
    return message


# Another customer at the same provider


@pytest.mark.parametrize("restart", [False, True])
async def test_another_customer_is_not_asked_what_became_of_the_first_ones_messages(
    harness: Harness,
    restart: bool,  # noqa: FBT001 - both ways
) -> None:
    """It would say that it does not know them, and they would be sent twice."""
    await harness.attach(WATCHED)
    await harness.attach(KEY, identity="anna")
    taken = await harness.one(KEY, OTHER)
    doubtful = await in_doubt(harness)
    assert taken.stage is Stage.ACCEPTED
    await come_back(harness, "bruno", restart=restart)
    for message in (doubtful, taken):
        kept = await harness.latest(message)
        assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    harness.time.pass_by(harness.timing.never_came)
    # Whom to ask is known for the new ones.
    new = await harness.one(KEY, text="nuovo")
    harness.accepted(KEY)[-1].status = Status.DELIVERED
    if restart:
        await harness.until_kept(new, status=Status.DELIVERED)
    assert [to for to, _ in harness.arrived(KEY)] == [OTHER, NUMBER]
    assert harness.requests(KEY) == 3


async def test_the_same_customer_is_asked_as_before(harness: Harness) -> None:
    await harness.attach(KEY, identity="anna")
    taken = await harness.one(KEY, OTHER)
    doubtful = await in_doubt(harness)
    await come_back(harness, "anna", restart=True)
    harness.accepted(KEY)[0].status = Status.DELIVERED
    await harness.until_kept(taken, status=Status.DELIVERED)
    harness.time.pass_by(harness.timing.never_came)
    await harness.until_kept(doubtful, stage=Stage.ACCEPTED)


async def test_the_first_identity_that_is_known_closes_nothing(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    taken = await harness.one(KEY)
    await harness.messenger.close()
    with closing(sqlite3.connect(harness.ledger)) as database, database:
        database.execute("DELETE FROM identities")
    harness.use()
    await harness.attach(KEY, identity="anna")
    assert (await harness.latest(taken)).stage is Stage.ACCEPTED


async def test_what_is_on_the_wire_gets_its_outcome_before_another_customer_comes(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(WATCHED)
    await harness.attach(KEY, identity="anna", line=harness.line)
    send = asyncio.create_task(harness.one(KEY))
    await until(lambda: harness.requests(KEY))
    coming = asyncio.create_task(come_back(harness, "bruno"))
    await asyncio.sleep(0.1)
    assert not coming.done()
    harness.line.release_answers()
    message = await send
    await coming
    assert message.provider_id is not None
    kept = await harness.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    assert not harness.requests(KEY, Operation.STATUS)


@pytest.mark.parametrize("customer", ["anna", "bruno"])
async def test_an_account_that_comes_back_need_not_wait_as_it_was_asked_to(
    harness: Harness, customer: str
) -> None:
    await harness.attach(WATCHED)
    await harness.attach(KEY, identity="anna")
    harness.client(KEY).reply(THROTTLED_FOR_7_SECONDS)
    message = await harness.one(KEY)
    assert message.error is ErrorKind.THROTTLED
    await come_back(harness, customer)
    await harness.until_kept(message, stage=Stage.ACCEPTED)


@pytest.mark.parametrize("refusal", [THROTTLED, THROTTLED_FOR_7_SECONDS])
async def test_an_account_that_only_failed_is_tried_at_once_when_it_comes_back(
    harness: Harness, refusal: NotSent
) -> None:
    """However long its provider asked to wait."""
    await harness.attach(WATCHED)
    await harness.attach(KEY)
    harness.client(KEY).reply(refusal)
    message = await harness.one(KEY)
    await come_back(harness, "")
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
    kept = await harness.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)


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
    assert aside.exists()
    harness.time.pass_by(6 * DAYS)
    await harness.messenger.attach(account)
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
