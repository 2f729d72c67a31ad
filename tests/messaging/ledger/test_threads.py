"""The ledger's threads, and the patience of messages."""

import threading

import pytest

from custom_components.sms_italia.messaging.ledger import LedgerSlowError
from custom_components.sms_italia.messaging.ledger.threads import (
    LONGEST,
    Patience,
    Worker,
    in_time,
    is_done,
)

FIRST, SECOND = {1}, {2}


async def test_work_is_done_in_its_order_and_a_failure_stops_none() -> None:
    worker = Worker("a worker")
    done: list[int] = []

    def fail() -> None:
        raise KeyError

    first = worker.do(lambda: done.append(1))
    failing = worker.do(fail)
    last = worker.do(lambda: done.append(2))
    await last
    assert done == [1, 2]
    await first
    with pytest.raises(KeyError):
        await failing
    worker.end()
    worker.join()
    assert "a worker" not in {one.name for one in threading.enumerate()}


async def test_who_waits_for_a_thread_that_hangs_goes_on_and_so_does_the_work() -> None:
    worker, lock = Worker("a worker"), threading.Event()
    hanging = worker.do(lock.wait)
    behind = worker.do(lambda: 7)
    assert not await is_done(behind, 0.01)
    with pytest.raises(LedgerSlowError):
        await in_time(behind, 0.01)
    lock.set()
    assert await hanging
    assert await in_time(behind, 5) == 7
    worker.end()
    worker.join()


async def test_work_that_nobody_waits_for_any_more_is_not_begun() -> None:
    worker, lock = Worker("a worker"), threading.Event()
    worker.do(lock.wait)
    dropped = worker.do(lambda: pytest.fail("it was begun"))
    dropped.cancel()
    lock.set()
    await worker.do(lambda: None)
    worker.end()
    worker.join()
    assert dropped.cancelled()


def test_the_waits_of_one_message_are_bounded_together() -> None:
    patience = Patience()
    assert patience.left(FIRST) == LONGEST
    patience.spend(FIRST, 1)
    patience.spend(FIRST, 1)
    assert patience.left(FIRST) == LONGEST - 2
    assert patience.left(SECOND) == LONGEST
    # Who waits together waits no longer than the one that waited most.
    assert patience.left(FIRST | SECOND) == LONGEST - 2
    patience.spend(FIRST, 10)
    assert patience.left(FIRST) == 0


def test_what_waited_is_not_remembered_without_end() -> None:
    patience = Patience()
    patience.spend(FIRST, 1)
    for index in range(2, 1003):
        patience.spend({index}, 1)
    assert patience.left(FIRST) == LONGEST
    assert patience.left({1002}) == LONGEST - 1
