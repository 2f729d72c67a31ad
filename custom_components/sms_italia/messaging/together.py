"""Doing things at the same time, none of which may stop the others."""

import asyncio
from collections.abc import Coroutine, Iterable


async def results_of[T](
    works: Iterable[Coroutine[None, None, T]],
) -> list[T | BaseException]:
    """Return for each work what it returns, or the exception that it raises.

    One alone, as in the usual alert, needs no task of its own.
    """
    works = list(works)
    if len(works) != 1:
        return await asyncio.gather(*works, return_exceptions=True)
    try:
        return [await works[0]]
    except Exception as err:  # noqa: BLE001 - whoever asked looks at it
        return [err]
