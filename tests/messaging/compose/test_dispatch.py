"""From a request to a dispatch and its messages."""

import pytest

from custom_components.sms_italia.messaging import (
    BadTarget,
    NumberProblem,
    Refusal,
    RequestRefusedError,
    Stage,
)
from custom_components.sms_italia.providers import Status

from ..fake import REFERENCE
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
    await harness.attach(KEY, line=harness.line)
    harness.line.down()
    (message,) = await harness.send(KEY, groups=("34",))
    assert message.stage is Stage.WAITING
    await harness.messenger.close()
    harness.use()
    harness.line.up()
    await harness.attach(KEY, line=harness.line)
    await harness.until_kept(message, stage=Stage.CLOSED)
    assert [to for to, _ in harness.arrived(KEY)] == numbers(3)[2:]


async def test_a_group_counts_as_one_number_for_the_limit_of_the_day(
    harness: Harness,
) -> None:
    await harness.attach(KEY, daily_limit=2)
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.send(KEY, NUMBER, groups=("12", "34"))
    await harness.send(KEY, NUMBER, groups=("34",))


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
