"""From a request to a dispatch and its messages."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.sms_italia.messaging import (
    BadTarget,
    NumberProblem,
    Refusal,
    RequestRefusedError,
    Stage,
)
from custom_components.sms_italia.providers import (
    ErrorKind,
    OutcomeUnknownError,
    Status,
)

from ..fake import HANGS, MANY, REFERENCE, Operation
from ..helpers import NUMBER, OTHER, STILL, Harness, numbers

KEY = REFERENCE
HOUR = 3600


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let nothing come by itself; there are two groups at the provider."""
    harness.use(timing=STILL)
    groups = harness.client(KEY).groups
    groups["12"] = tuple(numbers(2))
    groups["34"] = tuple(numbers(3)[2:])


async def test_a_group_gets_one_message_that_shows_its_id(harness: Harness) -> None:
    await harness.attach(KEY)
    messages = await harness.send(KEY, OTHER, groups=("12", "34", "12"))
    assert [one.number for one in messages] == [OTHER, "group:12", "group:34"]
    assert [one.group for one in messages] == [None, "12", "34"]
    assert [one.shown_number for one in messages] == ["***321", "group:12", "group:34"]
    assert {one.status for one in messages} == {Status.QUEUED}
    assert sorted(to for to, _ in harness.arrived(KEY)) == sorted([OTHER, *numbers(3)])


async def test_a_number_that_is_given_as_a_group_is_not_shown(harness: Harness) -> None:
    harness.client(KEY).groups[OTHER] = tuple(numbers(2))
    await harness.attach(KEY)
    (message,) = await harness.send(KEY, groups=(OTHER,))
    assert message.shown_number == "group:***321"


async def test_a_request_to_a_group_needs_no_number(harness: Harness) -> None:
    await harness.attach(KEY)
    (message,) = await harness.send(KEY, groups=("12",))
    assert message.number == "group:12"


async def test_bad_numbers_do_not_keep_a_group_from_getting_its_text(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    bad = BadTarget(given="zia", problem=NumberProblem.INVALID)
    group, refused = await harness.send(KEY, bad, groups=("34",))
    assert (group.number, group.status) == ("group:34", Status.QUEUED)
    assert (refused.number, refused.status) == ("zia", Status.FAILED)


@pytest.mark.parametrize(
    ("count", "groups", "is_bulk"),
    [(1, (), False), (10, (), False), (11, (), True), (1, ("12",), True)],
)
async def test_a_call_to_many_numbers_or_to_a_group_is_a_bulk(
    harness: Harness, count: int, groups: tuple[str, ...], *, is_bulk: bool
) -> None:
    await harness.attach(KEY)
    messages = await harness.send(KEY, *numbers(count), groups=groups)
    assert {one.dispatch.is_bulk for one in messages} == {is_bulk}


async def test_a_group_that_waits_is_sent_when_it_can_be(harness: Harness) -> None:
    await harness.attach(KEY, line=harness.line, daily_limit=0)
    harness.line.down()
    (message,) = await harness.send(KEY, groups=("34",))
    assert message.stage is Stage.WAITING
    await harness.messenger.close()
    harness.use()
    harness.line.up()
    await harness.attach(KEY, line=harness.line)
    await harness.until_kept(message, stage=Stage.CLOSED)
    assert [to for to, _ in harness.arrived(KEY)] == numbers(3)[2:]


async def test_a_group_counts_by_its_size_for_the_limit_of_the_day(
    harness: Harness,
) -> None:
    await harness.attach(KEY, daily_limit=3)
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT) as caught:
        await harness.send(KEY, NUMBER, groups=("12", "34"))
    assert caught.value.placeholders["parts"] == "4"
    assert harness.requests(KEY) == 0
    sent = await harness.send(KEY, NUMBER, groups=("12",))
    assert [one.size for one in sent] == [1, 2]


async def test_a_group_counts_its_numbers_times_the_parts_of_the_text(
    harness: Harness,
) -> None:
    await harness.attach(KEY, daily_limit=3)
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.send(KEY, text="x" * 161, groups=("12",))
    await harness.send(KEY, text="x" * 161, groups=("34",))


async def test_a_group_that_waits_keeps_its_room_under_the_limit(
    harness: Harness,
) -> None:
    """Over a restart as well."""
    await harness.attach(KEY, daily_limit=2)
    harness.client(KEY).refuse(ErrorKind.CREDIT)
    (message,) = await harness.send(KEY, groups=("12",))
    assert (message.stage, message.parts, message.size) == (Stage.WAITING, 2, 2)
    for is_restarted in (False, True):
        if is_restarted:
            await harness.messenger.close()
            harness.use()
            await harness.attach(KEY, daily_limit=2)
        with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
            await harness.send(KEY)


@pytest.mark.parametrize("group", ["12", "99"])
async def test_a_group_of_unknown_size_is_refused_where_a_limit_is_set(
    harness: Harness, group: str
) -> None:
    """Because the provider does not answer, or does not know it."""
    await harness.attach(KEY, name="casa", daily_limit=200)
    client = harness.client("casa", KEY)
    client.groups["12"] = tuple(numbers(2))
    if group == "12":
        client.reply(OutcomeUnknownError("cut"), of=Operation.GROUPS)
    with pytest.raises(RequestRefusedError) as caught:
        await harness.send("casa", NUMBER, groups=(group,))
    assert caught.value.reason is Refusal.GROUP_SIZE_UNKNOWN
    assert caught.value.placeholders == {"group": group, "account": "Casa"}
    assert harness.requests("casa") == 0


async def test_a_question_for_sizes_takes_no_longer_than_the_answer_may(
    harness: Harness,
) -> None:
    harness.use(timing=replace(STILL, answer=0.05))
    await harness.attach(KEY, daily_limit=200)
    harness.client(KEY).reply(HANGS, of=Operation.GROUPS)
    async with asyncio.timeout(5):
        with pytest.raises(RequestRefusedError, match=Refusal.GROUP_SIZE_UNKNOWN):
            await harness.send(KEY, groups=("12",))


async def test_without_a_limit_no_size_is_asked_for(harness: Harness) -> None:
    await harness.attach(KEY, daily_limit=0)
    (message,) = await harness.send(KEY, groups=("12",))
    assert message.status is Status.QUEUED
    assert harness.requests(KEY, Operation.GROUPS) == 0


async def test_numbers_alone_ask_for_no_size(harness: Harness) -> None:
    await harness.attach(KEY, daily_limit=200)
    await harness.send(KEY, NUMBER)
    assert harness.requests(KEY, Operation.GROUPS) == 0


async def test_a_provider_without_groups_is_not_asked_for_their_size(
    harness: Harness,
) -> None:
    await harness.attach(MANY, daily_limit=200)
    with pytest.raises(RequestRefusedError, match=Refusal.UNSUPPORTED):
        await harness.send(MANY, groups=("12",))
    assert harness.requests(MANY, Operation.GROUPS) == 0


async def test_the_time_to_retry_begins_when_the_message_is_due(
    harness: Harness,
) -> None:
    await harness.attach(KEY, retry_for=60)
    later = harness.time.now() + HOUR
    (message,) = await harness.send(KEY, send_at=later)
    assert message.dispatch.due == pytest.approx(later)
    assert message.dispatch.expires == pytest.approx(later + 60)
    assert message.dispatch.options.send_at == later


async def test_options_that_are_empty_are_left_out(harness: Harness) -> None:
    await harness.attach(KEY)
    (message,) = await harness.send(KEY, sender="", reference="", send_at=1.0)
    options = message.dispatch.options
    assert (options.sender, options.reference, options.send_at) == (None, None, None)
    assert message.dispatch.due == pytest.approx(message.dispatch.created)
