"""Messages to a group of the provider's phonebook, and to each number in it."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.sms_italia.messaging.model import Message, Stage, group_address
from custom_components.sms_italia.providers.model import (
    Channel,
    ErrorKind,
    MessageType,
    Mode,
    Status,
)
from simulator import Fault, Simulator, Toggle

from .helpers import LANDLINE, NUMBER, OTHER, STILL, TEXT, THIRD, House

KEY = "smshosting"
GROUP = "7"


@pytest.fixture(autouse=True)
def _group(house: House, simulator: Simulator) -> None:
    """Have a group of two numbers; let nothing be tried or asked again by itself."""
    house.use(pace=STILL)
    simulator.account(KEY).groups[GROUP] = (OTHER, THIRD)


def group_of(messages: tuple[Message, ...]) -> Message:
    """Return the one message to the group."""
    (message,) = [one for one in messages if one.group == GROUP]
    return message


async def members(house: House, count: int = 2) -> dict[str, Message]:
    """Return the messages to the numbers of the group when there are so many."""
    async with asyncio.timeout(20):
        while True:
            found = [
                one for one in await house.found() if not one.dispatch.wishes.groups
            ]
            if len(found) >= count:
                return {one.number: one for one in found}


async def test_a_group_goes_alone_in_a_request_of_its_own(house: House) -> None:
    await house.attach(KEY)
    house.simulator.account(KEY).groups["8"] = (LANDLINE, "+393330000001")
    messages = await house.send(KEY, NUMBER, groups=(GROUP, "8"))
    sent = [one.fields for one in house.simulator.requests.of(KEY)]
    assert sorted((str(one.get("to")), str(one.get("group"))) for one in sent) == [
        (NUMBER[1:], "None"),
        ("None", "7"),
        ("None", "8"),
    ]
    assert len({one["transactionId"] for one in sent}) == 3
    assert [one.number for one in messages] == [
        NUMBER,
        group_address("7"),
        group_address("8"),
    ]


async def test_a_group_that_was_taken_has_the_parts_of_all_its_numbers(
    house: House,
) -> None:
    await house.attach(KEY)
    message = group_of(await house.send(KEY, text="x" * 161, groups=(GROUP,)))
    assert (message.status, message.stage) == (Status.QUEUED, Stage.CLOSED)
    assert message.parts == 4
    assert message.provider_id == message.submission
    assert await house.latest(message) == message
    assert house.messenger.spent_today(KEY).parts == 4


async def test_each_number_of_a_group_is_followed_to_its_end(house: House) -> None:
    await house.attach(KEY)
    message = group_of(await house.send(KEY, groups=(GROUP,), sender="Cantina"))
    known = await members(house)
    assert known.keys() == {OTHER, THIRD}
    for arrived in house.accepted(KEY):
        one = known[arrived.to]
        assert (one.stage, one.provider_id) == (Stage.TAKEN, arrived.id)
        assert (one.parts, one.carrier, one.submission) == (1, KEY, message.submission)
        assert one.dispatch.text == TEXT
        assert one.dispatch.wishes == replace(message.dispatch.wishes, groups=())
        house.simulator.move(arrived.id, "delivered")
    assert message.submission is not None
    await house.messenger.callback(KEY, message.submission, b"")
    for one in known.values():
        await house.until_kept(one, status=Status.DELIVERED)
    # The parts were counted with the group.
    assert house.messenger.spent_today(KEY).parts == 2


async def test_a_number_of_a_group_that_was_refused_fails_for_itself(
    house: House,
) -> None:
    house.simulator.account(KEY).blocked.add(THIRD)
    await house.attach(KEY)
    message = group_of(await house.send(KEY, groups=(GROUP,)))
    assert message.parts == 1
    known = await members(house)
    assert known[OTHER].stage is Stage.TAKEN
    assert (known[THIRD].status, known[THIRD].stage) == (Status.FAILED, Stage.CLOSED)
    assert (known[THIRD].error, known[THIRD].detail) == (
        ErrorKind.RECIPIENT,
        "BLACKLIST",
    )


async def test_a_number_that_was_given_and_is_in_the_group_has_one_message(
    house: House,
) -> None:
    await house.attach(KEY)
    messages = await house.send(KEY, OTHER, groups=(GROUP,))
    assert len(messages) == 2
    assert (await members(house, 1)).keys() == {THIRD}
    assert len(await house.found()) == 3


async def test_a_group_whose_numbers_all_had_the_text_gets_it_with_the_time(
    house: House,
) -> None:
    await house.attach(KEY)
    await house.send(KEY, groups=(GROUP,))
    again = group_of(await house.send(KEY, groups=(GROUP,)))
    assert again.error is None
    texts = [text for _, text in house.arrived(KEY)]
    assert texts[:2] == [TEXT, TEXT]
    assert len(texts) == 4
    assert all(text.startswith(f"{TEXT} ") for text in texts[2:])


async def test_a_group_whose_numbers_were_all_refused_failed(house: House) -> None:
    house.simulator.account(KEY).blocked |= {OTHER, THIRD}
    await house.attach(KEY)
    message = group_of(await house.send(KEY, groups=(GROUP,)))
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert house.messenger.spent_today(KEY).parts == 0


async def test_a_group_that_does_not_exist_is_refused_and_goes_nowhere_else(
    house: House,
) -> None:
    await house.attach("smsviainternet")
    await house.attach(KEY, fallback=("smsviainternet",))
    (message,) = await house.send(KEY, groups=("nessuno",))
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.REFUSED)
    assert message.detail == "BAD_GROUP"
    assert not house.requests("smsviainternet")


async def test_the_numbers_of_an_order_go_on_to_a_fallback_without_its_groups(
    house: House,
) -> None:
    house.simulator.set_credit(KEY, 0)
    await house.attach("smsviainternet")
    await house.attach(KEY, fallback=("smsviainternet",))
    number, group = await house.send(KEY, NUMBER, groups=(GROUP,))
    assert number.carrier == "smsviainternet"
    assert (group.status, group.error, group.carrier) == (
        Status.FAILED,
        ErrorKind.CREDIT,
        KEY,
    )
    assert house.arrived("smsviainternet") == [(NUMBER, TEXT)]


async def test_a_group_waits_for_its_account_while_the_numbers_go_on(
    house: House,
) -> None:
    house.simulator.inject(KEY, Fault.THROTTLED)
    await house.attach("smsviainternet")
    await house.attach(KEY, fallback=("smsviainternet",))
    await house.one(KEY, THIRD)
    # It rests from now on.
    number, group = await house.send(KEY, NUMBER, groups=(GROUP,))
    assert (number.stage, number.carrier) == (Stage.TAKEN, "smsviainternet")
    assert group.stage is Stage.WAITING
    assert await house.latest(group) == group
    assert house.requests(KEY) == 1


async def test_a_group_to_be_sent_later_is_scheduled_at_the_provider(
    house: House,
) -> None:
    await house.attach(KEY)
    due = house.time.now() + 3600
    message = group_of(await house.send(KEY, groups=(GROUP,), send_at=due))
    assert (message.status, message.stage) == (Status.QUEUED, Stage.CLOSED)
    assert all(one.scheduled is not None for one in house.accepted(KEY))
    assert {one.status for one in (await members(house)).values()} == {Status.QUEUED}


async def test_a_group_that_is_only_tried_out_counts_nowhere(house: House) -> None:
    await house.attach(KEY)
    message = group_of(await house.send(KEY, groups=(GROUP,), mode=Mode.TEST))
    assert (message.status, message.stage) == (Status.QUEUED, Stage.CLOSED)
    assert (message.parts, message.cost) == (0, None)
    assert len(await house.found()) == 1
    assert house.messenger.spent_today(KEY).parts == 0


async def test_the_push_in_a_group_have_no_parts(house: House) -> None:
    house.simulator.switch_on(KEY, Toggle.PUSH_PLAN)
    house.simulator.account(KEY).push_phones.add(OTHER)
    await house.attach(KEY)
    message = group_of(
        await house.send(KEY, groups=(GROUP,), channel=Channel.PUSH_THEN_SMS)
    )
    assert message.parts == 1
    known = await members(house)
    assert (known[OTHER].type, known[OTHER].parts) == (MessageType.PUSH, 0)
    assert (known[THIRD].type, known[THIRD].parts) == (MessageType.SMS, 1)


async def test_a_group_in_doubt_is_looked_for_and_never_sent_twice(
    house: House,
) -> None:
    house.simulator.inject(KEY, Fault.CUT_AFTER_ACCEPT, 1, "send")
    await house.attach(KEY)
    message = group_of(await house.send(KEY, groups=(GROUP,)))
    assert (message.status, message.stage) == (Status.UNCERTAIN, Stage.DOUBTFUL)
    assert message.submission is not None
    await house.messenger.callback(KEY, message.submission, b"")
    closed = await house.until_kept(message, stage=Stage.CLOSED)
    assert (closed.status, closed.parts) == (Status.QUEUED, 2)
    known = await members(house)
    assert {one.stage for one in known.values()} == {Stage.TAKEN}
    assert known.keys() == {OTHER, THIRD}
    assert house.requests(KEY) == 1
    assert house.messenger.spent_today(KEY).parts == 2
