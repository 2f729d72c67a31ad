"""What is closed because nobody can tell of it any more."""

import asyncio
from contextlib import closing
import sqlite3

import pytest

from custom_components.sms_italia.messaging.model import Message, Stage
from custom_components.sms_italia.providers.model import ErrorKind, Status
from simulator import Fault

from .helpers import NUMBER, OTHER, PACE, STILL, House, until

KEY = "smshosting"
WATCHED = "transactionale"
DAYS = 86_400


@pytest.fixture(autouse=True)
def _still(house: House) -> None:
    """Let nothing come by itself."""
    house.use(pace=STILL)


async def come_back(house: House, identity: str, *, restart: bool = False) -> None:
    """Let the account go and come again with this identity; ask often from then on."""
    if restart:
        await house.messenger.close()
        house.use(pace=PACE)
    else:
        await house.messenger.detach(KEY)
    await house.attach(KEY, identity=identity)


async def in_doubt(house: House) -> Message:
    """Return a message that never came to its provider, which nobody knows."""
    house.simulator.inject(KEY, Fault.CUT_BEFORE_ACCEPT, 1, "send")
    message = await house.one(KEY, NUMBER)
    assert message.stage is Stage.DOUBTFUL
    return message


# Another customer at the same provider


@pytest.mark.parametrize("restart", [False, True])
async def test_another_customer_is_not_asked_what_became_of_the_first_ones_messages(
    house: House,
    restart: bool,  # noqa: FBT001 - both ways
) -> None:
    """It would say that it does not know them, and they would be sent twice."""
    await house.attach(WATCHED)
    await house.attach(KEY, identity="anna")
    taken = await house.one(KEY, OTHER)
    doubtful = await in_doubt(house)
    assert taken.stage is Stage.TAKEN
    await come_back(house, "bruno", restart=restart)
    for message in (doubtful, taken):
        kept = await house.latest(message)
        assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    house.time.pass_by(house.pace.never_came)
    # Whom to ask is known for the new ones.
    new = await house.one(KEY, text="nuovo")
    house.simulator.move(house.accepted(KEY)[-1].id, "delivered")
    if restart:
        await house.until_kept(new, status=Status.DELIVERED)
    assert [to for to, _ in house.arrived(KEY)] == [OTHER, NUMBER]
    assert house.requests(KEY) == 3


async def test_the_same_customer_is_asked_as_before(house: House) -> None:
    await house.attach(KEY, identity="anna")
    taken = await house.one(KEY, OTHER)
    doubtful = await in_doubt(house)
    await come_back(house, "anna", restart=True)
    house.simulator.move(house.accepted(KEY)[0].id, "delivered")
    await house.until_kept(taken, status=Status.DELIVERED)
    house.time.pass_by(house.pace.never_came)
    await house.until_kept(doubtful, stage=Stage.TAKEN)


async def test_the_first_identity_that_is_known_closes_nothing(house: House) -> None:
    await house.attach(KEY)
    taken = await house.one(KEY)
    await house.messenger.close()
    with closing(sqlite3.connect(house.ledger)) as database, database:
        database.execute("DELETE FROM identities")
    house.use()
    await house.attach(KEY, identity="anna")
    assert (await house.latest(taken)).stage is Stage.TAKEN


async def test_what_is_on_the_wire_gets_its_outcome_before_another_customer_comes(
    house: House,
) -> None:
    house.line.hold_answers()
    await house.attach(WATCHED)
    await house.attach(KEY, identity="anna", url=house.line.url(KEY))
    send = asyncio.create_task(house.one(KEY))
    await until(lambda: house.requests(KEY))
    coming = asyncio.create_task(come_back(house, "bruno"))
    await asyncio.sleep(0.1)
    assert not coming.done()
    house.line.release_answers()
    message = await send
    await coming
    assert message.provider_id is not None
    kept = await house.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    assert not house.requests(KEY, "status")


async def test_another_customer_need_not_wait_as_the_first_one_was_asked_to(
    house: House,
) -> None:
    await house.attach(WATCHED)
    await house.attach(KEY, identity="anna")
    house.simulator.inject(KEY, Fault.THROTTLED, 1, "send")
    message = await house.one(KEY)
    assert message.error is ErrorKind.THROTTLED
    await come_back(house, "bruno")
    await house.until_kept(message, stage=Stage.TAKEN)


async def test_the_same_customer_waits_as_long_as_the_provider_asked(
    house: House,
) -> None:
    """A new option must not bring more requests on somebody who wants fewer."""
    await house.attach(WATCHED)
    await house.attach(KEY)
    house.simulator.inject(KEY, Fault.THROTTLED, 1, "send")
    message = await house.one(KEY)
    await come_back(house, "")
    await house.one(KEY, OTHER)
    assert house.requests(KEY) == 1
    house.time.pass_by(7)
    await house.one(KEY, text="un altro")
    await house.until_kept(message, stage=Stage.TAKEN)


async def test_an_account_that_only_failed_is_tried_at_once_when_it_comes_back(
    house: House,
) -> None:
    await house.attach(WATCHED)
    await house.attach(KEY)
    house.simulator.inject(KEY, Fault.THROTTLED_BARE, 1, "send")
    message = await house.one(KEY)
    await come_back(house, "")
    await house.until_kept(message, stage=Stage.TAKEN)


# Accounts that are gone for good


async def test_what_a_removed_account_has_on_the_wire_for_others_is_uncertain_too(
    house: House,
) -> None:
    house.line.hold_answers()
    await house.attach(KEY, url=house.line.url(KEY))
    await house.attach(
        WATCHED, settings={"api_key": "wrong"}, fallback=(KEY,), daily_limit=0
    )
    send = asyncio.create_task(house.one(WATCHED))
    await until(lambda: house.requests(KEY))
    await house.messenger.detach(KEY)
    forgetting = asyncio.create_task(house.messenger.forget(KEY))
    await asyncio.sleep(0.05)
    house.line.release_answers()
    message = await send
    await forgetting
    assert message.carrier == KEY
    kept = await house.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)


# By age


async def test_a_message_for_later_grows_old_from_its_time_on(house: House) -> None:
    await house.attach(KEY)
    later = house.time.now() + 10 * DAYS
    (message,) = await house.send(KEY, send_at=later)
    house.time.pass_by(12 * DAYS)
    await house.messenger.tidy_up(KEY)
    assert (await house.latest(message)).stage is Stage.TAKEN
    house.time.pass_by(2 * DAYS)
    await house.messenger.tidy_up(KEY)
    kept = await house.latest(message)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
