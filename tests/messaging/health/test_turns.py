"""Whose turn it is: order, priority, slots and the pace of a bulk."""

import asyncio
from contextlib import ExitStack

import pytest

from custom_components.sms_italia.messaging import Clock, Timing
from custom_components.sms_italia.messaging.health import Rank, Turn, Turns
from custom_components.sms_italia.messaging.health.turns import REQUESTS_AT_ONCE, Pace

from ..helpers import NUMBER, OTHER, THIRD, until
from .test_health import Stopped


def granted(turn: Turn) -> bool:
    """Return whether the turn of a request has come."""
    return turn.is_granted


class Queue:
    """The queue of an account; a test decides when requests end."""

    def __init__(self, unanswered: float = 3600) -> None:
        """Start empty."""
        self.turns = Turns(Clock(), Timing(unanswered=unanswered))
        self._stacks: dict[Turn, ExitStack] = {}

    def join(self, *numbers: str, rank: Rank = Rank.SMALL) -> Turn:
        """Queue a request; it begins as soon as its turn has come."""
        stack = ExitStack()
        turn = stack.enter_context(self.turns.join(rank, numbers))
        self._stacks[turn] = stack
        return turn

    def end(self, turn: Turn) -> None:
        """Let a request leave the queue or the wire."""
        self._stacks.pop(turn).close()

    def fill(self) -> list[Turn]:
        """Take all slots."""
        return [self.join() for _ in range(REQUESTS_AT_ONCE)]

    def close(self) -> None:
        """End all."""
        self.turns.stop()
        for stack in self._stacks.values():
            stack.close()


@pytest.fixture
async def queue() -> Queue:
    return Queue()


async def test_requests_to_different_numbers_do_not_wait_for_each_other(
    queue: Queue,
) -> None:
    assert granted(queue.join(NUMBER))
    assert granted(queue.join(OTHER))
    assert granted(queue.join())


async def test_requests_to_one_number_are_made_one_after_another(queue: Queue) -> None:
    first, second, third = [queue.join(NUMBER) for _ in range(3)]
    assert [granted(one) for one in (first, second, third)] == [True, False, False]
    queue.end(first)
    assert [granted(one) for one in (second, third)] == [True, False]
    queue.end(second)
    assert granted(third)


async def test_a_request_to_several_numbers_waits_for_what_is_before_to_any(
    queue: Queue,
) -> None:
    first, second = queue.join(NUMBER), queue.join(OTHER)
    both = queue.join(NUMBER, OTHER, THIRD)
    third = queue.join(THIRD)
    queue.end(first)
    assert not granted(both)
    queue.end(second)
    assert granted(both)
    assert not granted(third)
    queue.end(both)
    assert granted(third)


async def test_one_that_gives_up_its_place_lets_the_next_one_come(queue: Queue) -> None:
    first, second, third = [queue.join(NUMBER) for _ in range(3)]
    queue.end(second)
    queue.end(first)
    assert granted(third)


async def test_a_request_that_hangs_holds_up_nobody() -> None:
    queue = Queue(unanswered=0.02)
    hanging, *_ = turns = [*queue.fill()[1:], queue.join(NUMBER)]
    after, waiting = queue.join(NUMBER), queue.join(OTHER)
    assert not granted(after)
    assert not granted(waiting)
    for turn in turns:
        queue.turns.begin(turn)
    await until(lambda: granted(after) and granted(waiting))
    queue.end(hanging)
    queue.close()


async def test_so_many_requests_are_on_the_wire_at_once(queue: Queue) -> None:
    first, *_ = queue.fill()
    waiting = queue.join(NUMBER)
    assert not granted(waiting)
    queue.end(first)
    assert granted(waiting)


async def test_small_calls_go_before_bulks_whenever_they_come(queue: Queue) -> None:
    slots = queue.fill()
    bulk = [queue.join(number, rank=Rank.BULK) for number in ("1", "2", "3")]
    small = [queue.join(number) for number in ("4", "5")]
    order: list[Turn] = []
    for slot in slots[:5]:
        queue.end(slot)
        order += [one for one in (*bulk, *small) if granted(one) and one not in order]
    assert order == [*small, *bulk]


async def test_what_is_before_a_small_call_to_its_number_goes_before_bulks_too(
    queue: Queue,
) -> None:
    slots = queue.fill()
    others = [queue.join(number, rank=Rank.BULK) for number in ("1", "2")]
    first = queue.join(NUMBER, rank=Rank.BULK)
    second = queue.join(NUMBER, OTHER, rank=Rank.BULK)
    small = queue.join(OTHER)
    queue.end(slots[0])
    for turn in (first, second, small):
        assert granted(turn)
        assert not any(granted(one) for one in others)
        queue.end(turn)
    assert others[0].is_granted


async def test_who_waits_gets_the_news_of_the_account(queue: Queue) -> None:
    queue.fill()
    waiting = queue.join(NUMBER)
    assert not waiting.news.is_set()
    queue.turns.wake()
    assert waiting.news.is_set()
    assert not granted(waiting)


# The pace of a bulk


def test_a_bulk_goes_at_the_rate_that_the_provider_showed() -> None:
    time = Stopped()
    pace = Pace(time.clock())
    for _ in range(10):
        pace.begin()
        assert pace.pause <= 0
        pace.accepted()
    # Ten in a minute, which the provider counts from the first.
    pace.throttled(until=60)
    time.pass_by(60)
    pace.begin()
    assert pace.pause == pytest.approx(6)


def test_time_without_a_bulk_is_no_part_of_its_rate() -> None:
    time = Stopped()
    pace = Pace(time.clock())
    pace.begin()
    pace.accepted()
    time.pass_by(86_400)
    for _ in range(10):
        pace.begin()
        pace.accepted()
        time.pass_by(1)
    pace.throttled(until=86_400 + 12)
    time.pass_by(2)
    pace.begin()
    assert pace.pause == pytest.approx(1.2)


def test_a_bulk_becomes_faster_while_the_provider_accepts_it() -> None:
    time = Stopped()
    pace = Pace(time.clock())
    pace.begin()
    pace.accepted()
    pace.throttled(until=10)
    time.pass_by(10)
    for _ in range(35):
        pace.accepted()
    pace.begin()
    assert pace.pause == pytest.approx(5, rel=0.05)


def test_answers_that_come_together_throttle_once() -> None:
    time = Stopped()
    pace = Pace(time.clock())
    pace.begin()
    pace.accepted()
    for _ in range(3):
        pace.throttled(until=10)
    pace.begin()
    assert pace.pause == pytest.approx(10)


@pytest.mark.parametrize("late", [0, 1, 31])
@pytest.mark.parametrize("after", [0, 15, 40])
def test_late_answers_do_not_change_the_rate_that_the_provider_showed(
    late: int, after: float
) -> None:
    time = Stopped()
    pace = Pace(time.clock())
    pace.begin()
    for _ in range(10):
        pace.accepted()
    pace.throttled(until=30)
    time.pass_by(after)
    for _ in range(late):
        pace.accepted()
    pace.throttled(until=after + 30.01)
    time.pass_by(100)
    pace.begin()
    assert pace.pause >= 3 * (0.5 if after > 30 else 1)


async def test_small_calls_do_not_wait_for_the_pace_of_a_bulk(queue: Queue) -> None:
    first = queue.join(NUMBER, rank=Rank.BULK)
    queue.turns.pace.accepted()
    queue.turns.pace.throttled(until=Clock().now() + 3600)
    queue.end(first)
    queue.end(queue.join(NUMBER, rank=Rank.BULK))
    bulk = queue.join(NUMBER, rank=Rank.BULK)
    assert not granted(bulk)
    assert granted(queue.join(OTHER))
    queue.close()


async def test_the_next_request_of_a_bulk_comes_by_itself(queue: Queue) -> None:
    clock = Clock()
    queue.turns.pace = Pace(clock)
    queue.end(queue.join(NUMBER, rank=Rank.BULK))
    queue.turns.pace.accepted()
    queue.turns.pace.throttled(until=clock.now() + 0.05)
    queue.end(queue.join(NUMBER, rank=Rank.BULK))
    bulk = queue.join(NUMBER, rank=Rank.BULK)
    assert not granted(bulk)
    await asyncio.wait_for(bulk.news.wait(), 5)
    assert granted(bulk)
