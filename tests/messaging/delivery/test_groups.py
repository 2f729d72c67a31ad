"""Messages to a group of the provider's phonebook, and to each number in it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from custom_components.sms_italia.messaging import (
    Message,
    Refusal,
    RequestRefusedError,
    Stage,
    group_address,
)
from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.delivery import settle_group
from custom_components.sms_italia.messaging.ledger import Ledger, Query
from custom_components.sms_italia.messaging.state import Change
from custom_components.sms_italia.providers import (
    Accepted,
    Channel,
    ErrorKind,
    MessageType,
    Mode,
    Status,
)

from ..fake import LANDLINE, MANY, REFERENCE, THROTTLED_FOR_7_SECONDS, Lost
from ..helpers import (
    NUMBER,
    OTHER,
    STILL,
    TEXT,
    THIRD,
    Harness,
    a_dispatch,
    a_message,
)
from .context import a_context

KEY = REFERENCE
GROUP = "7"


@pytest.fixture(autouse=True)
def _group(harness: Harness) -> None:
    """Have a group of two numbers; let nothing be tried or asked again by itself."""
    harness.use(timing=STILL)
    harness.client(KEY).groups[GROUP] = (OTHER, THIRD)


def group_of(messages: tuple[Message, ...]) -> Message:
    """Return the one message to the group."""
    (message,) = [one for one in messages if one.group == GROUP]
    return message


async def members(harness: Harness, count: int = 2) -> dict[str, Message]:
    """Return the messages to the numbers of the group when there are so many."""
    async with asyncio.timeout(20):
        while True:
            found = [
                one for one in await harness.found() if not one.dispatch.options.groups
            ]
            if len(found) >= count:
                return {one.number: one for one in found}


async def test_a_group_goes_alone_in_a_request_of_its_own(harness: Harness) -> None:
    await harness.attach(KEY)
    harness.client(KEY).groups["8"] = (LANDLINE, "+393330000001")
    messages = await harness.send(KEY, NUMBER, groups=(GROUP, "8"))
    sent = harness.client(KEY).submissions
    assert sorted((one.recipients, one.groups) for one in sent) == [
        ((), ("7",)),
        ((), ("8",)),
        ((NUMBER,), ()),
    ]
    assert len({one.reference for one in sent}) == 3
    assert [one.number for one in messages] == [
        NUMBER,
        group_address("7"),
        group_address("8"),
    ]


async def test_a_group_that_was_taken_has_the_parts_of_all_its_numbers(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    message = group_of(await harness.send(KEY, text="x" * 161, groups=(GROUP,)))
    assert (message.status, message.stage) == (Status.QUEUED, Stage.CLOSED)
    assert message.parts == 4
    assert message.provider_id == message.submission
    assert await harness.latest(message) == message
    assert harness.messenger.totals.spent_today(KEY).parts == 4


async def test_each_number_of_a_group_is_followed_to_its_end(harness: Harness) -> None:
    await harness.attach(KEY)
    message = group_of(await harness.send(KEY, groups=(GROUP,), sender="Cantina"))
    known = await members(harness)
    assert known.keys() == {OTHER, THIRD}
    for arrived in harness.accepted(KEY):
        one = known[arrived.to]
        assert (one.stage, one.provider_id) == (Stage.ACCEPTED, arrived.id)
        assert (one.parts, one.last_account, one.submission) == (
            1,
            KEY,
            message.submission,
        )
        assert one.dispatch.text == TEXT
        assert one.dispatch.options == replace(message.dispatch.options, groups=())
        arrived.status = Status.DELIVERED
    assert message.submission is not None
    await harness.messenger.callback(KEY, message.submission, b"")
    for one in known.values():
        await harness.until_kept(one, status=Status.DELIVERED)
    # The parts were counted with the group.
    assert harness.messenger.totals.spent_today(KEY).parts == 2


async def test_the_numbers_are_known_before_their_group_is_closed(
    harness: Harness,
) -> None:
    """A report may come at any moment, and the process may be killed at any."""
    clock = harness.time.clock()
    ledger = Ledger(harness.ledger, harness.troubles.append, clock)
    await ledger.open(clock.today())
    context = a_context(Accounts(lambda _: False), ledger, clock, STILL)
    open_messages = context.open_messages
    group = a_message(a_dispatch(), stage=Stage.SUBMITTING, submission="uno")
    open_messages.add([group])
    known: list[str] = []

    def note(changes: Sequence[Change]) -> None:
        assert [one.after.id for one in changes] == [group.id]
        known.extend(one.number for one in open_messages.of_submission("uno"))

    open_messages.subscribe(note, Stage.CLOSED)
    outcomes = {to: Accepted(provider_id=to) for to in (OTHER, THIRD)}
    account = harness.account(KEY)
    await settle_group(open_messages, account, group, outcomes, clock.moment())
    found = await ledger.find(Query())
    await ledger.close()
    assert known == [OTHER, THIRD]
    assert {one.number for one in found.messages} == {group.number, OTHER, THIRD}


async def test_a_number_of_a_group_that_was_refused_fails_for_itself(
    harness: Harness,
) -> None:
    harness.client(KEY).blocked.add(THIRD)
    await harness.attach(KEY)
    message = group_of(await harness.send(KEY, groups=(GROUP,)))
    assert message.parts == 1
    known = await members(harness)
    assert known[OTHER].stage is Stage.ACCEPTED
    assert (known[THIRD].status, known[THIRD].stage) == (Status.FAILED, Stage.CLOSED)
    assert (known[THIRD].error, known[THIRD].detail) == (
        ErrorKind.RECIPIENT,
        "blocked",
    )


async def test_a_number_that_was_given_and_is_in_the_group_has_one_message(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    messages = await harness.send(KEY, OTHER, groups=(GROUP,))
    assert len(messages) == 2
    assert (await members(harness, 1)).keys() == {THIRD}
    assert len(await harness.found()) == 3


async def test_a_group_whose_numbers_all_had_the_text_gets_it_with_the_time(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.send(KEY, groups=(GROUP,))
    again = group_of(await harness.send(KEY, groups=(GROUP,)))
    assert again.error is None
    texts = [text for _, text in harness.arrived(KEY)]
    assert texts[:2] == [TEXT, TEXT]
    assert len(texts) == 4
    assert all(text.startswith(f"{TEXT} ") for text in texts[2:])


async def test_a_group_in_doubt_counts_by_its_size(harness: Harness) -> None:
    await harness.attach(KEY, daily_limit=2)
    harness.client(KEY).reply(Lost.ANSWER)
    message = group_of(await harness.send(KEY, groups=(GROUP,)))
    assert (message.stage, message.parts) == (Stage.IN_DOUBT, 2)
    assert harness.messenger.totals.spent_today(KEY).parts == 2
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.send(KEY)


@pytest.mark.parametrize(("limit", "count"), [(5, 2), (6, 4)])
async def test_a_group_that_is_repeated_with_the_time_obeys_the_limit(
    harness: Harness, limit: int, count: int
) -> None:
    """The time makes the text longer for each of its numbers."""
    await harness.attach(KEY, daily_limit=limit)
    text = "x" * 155
    await harness.send(KEY, text=text, groups=(GROUP,))
    again = group_of(await harness.send(KEY, text=text, groups=(GROUP,)))
    assert len(harness.arrived(KEY)) == count
    spent = harness.messenger.totals.spent_today(KEY).parts
    assert spent == 2 + (0 if again.error else 4)


async def test_a_group_whose_numbers_were_all_refused_failed(harness: Harness) -> None:
    harness.client(KEY).blocked |= {OTHER, THIRD}
    await harness.attach(KEY)
    message = group_of(await harness.send(KEY, groups=(GROUP,)))
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert harness.messenger.totals.spent_today(KEY).parts == 0


async def test_a_group_that_does_not_exist_is_refused_and_goes_nowhere_else(
    harness: Harness,
) -> None:
    await harness.attach(MANY)
    await harness.attach(KEY, fallback=(MANY,), daily_limit=0)
    (message,) = await harness.send(KEY, groups=("nessuno",))
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.REFUSED)
    assert message.detail == "unknown_group"
    assert not harness.requests(MANY)


async def test_the_numbers_of_a_dispatch_go_on_to_a_fallback_without_its_groups(
    harness: Harness,
) -> None:
    harness.client(KEY).refuse(ErrorKind.CREDIT)
    await harness.attach(MANY)
    await harness.attach(KEY, fallback=(MANY,))
    number, group = await harness.send(KEY, NUMBER, groups=(GROUP,))
    assert number.last_account == MANY
    assert (group.status, group.error, group.last_account) == (
        Status.QUEUED,
        ErrorKind.CREDIT,
        KEY,
    )
    assert harness.arrived(MANY) == [(NUMBER, TEXT)]


async def test_a_group_waits_for_its_account_while_the_numbers_go_on(
    harness: Harness,
) -> None:
    harness.client(KEY).reply(THROTTLED_FOR_7_SECONDS)
    await harness.attach(MANY)
    await harness.attach(KEY, fallback=(MANY,))
    await harness.one(KEY, THIRD)
    # It is paused from now on.
    number, group = await harness.send(KEY, NUMBER, groups=(GROUP,))
    assert (number.stage, number.last_account) == (Stage.ACCEPTED, MANY)
    assert group.stage is Stage.WAITING
    assert await harness.latest(group) == group
    assert harness.requests(KEY) == 1


async def test_a_group_to_be_sent_later_is_scheduled_at_the_provider(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    due = harness.time.now() + 3600
    message = group_of(await harness.send(KEY, groups=(GROUP,), send_at=due))
    assert (message.status, message.stage) == (Status.QUEUED, Stage.CLOSED)
    assert all(one.send_at is not None for one in harness.accepted(KEY))
    assert {one.status for one in (await members(harness)).values()} == {Status.QUEUED}


async def test_a_group_that_is_only_tried_out_counts_nowhere(harness: Harness) -> None:
    await harness.attach(KEY)
    message = group_of(await harness.send(KEY, groups=(GROUP,), mode=Mode.TEST))
    assert (message.status, message.stage) == (Status.QUEUED, Stage.CLOSED)
    assert (message.parts, message.cost) == (0, None)
    assert len(await harness.found()) == 1
    assert harness.messenger.totals.spent_today(KEY).parts == 0


async def test_the_push_in_a_group_have_no_parts(harness: Harness) -> None:
    harness.client(KEY).push_phones.add(OTHER)
    await harness.attach(KEY)
    message = group_of(
        await harness.send(KEY, groups=(GROUP,), channel=Channel.PUSH_THEN_SMS)
    )
    assert message.parts == 1
    known = await members(harness)
    assert (known[OTHER].type, known[OTHER].parts) == (MessageType.PUSH, 0)
    assert (known[THIRD].type, known[THIRD].parts) == (MessageType.SMS, 1)
