"""Things done at the same time: each ends for itself."""

import asyncio

import pytest

from custom_components.sms_italia.messaging.together import results_of


async def _returned(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def _raised(error: Exception) -> str:
    await asyncio.sleep(0)
    raise error


async def test_nothing_to_do_has_no_results() -> None:
    assert await results_of([]) == []


async def test_one_alone_tells_what_it_returned_or_raised() -> None:
    error = ValueError()
    assert await results_of([_returned("a")]) == ["a"]
    assert await results_of([_raised(error)]) == [error]


async def test_one_alone_has_no_task_of_its_own() -> None:
    task = asyncio.current_task()

    async def whose() -> bool:
        return asyncio.current_task() is task

    assert await results_of([whose()]) == [True]


async def test_one_that_breaks_stops_no_other() -> None:
    error = ValueError()
    works = [_returned("a"), _raised(error), _returned("b")]
    assert await results_of(works) == ["a", error, "b"]


@pytest.mark.parametrize("count", [1, 3])
async def test_whoever_is_cancelled_takes_all_of_them_along(count: int) -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    task = asyncio.create_task(results_of(map(work, range(count))))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert sorted(ended) == list(range(count))
