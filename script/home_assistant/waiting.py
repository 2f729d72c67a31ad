"""Waiting for Home Assistant, and the error if it does not do what is expected."""

import asyncio
from collections.abc import Awaitable, Callable


class HomeAssistantError(Exception):
    """Home Assistant refused a request, or did not do something in time."""


async def until[T](
    attempt: Callable[[], Awaitable[T | None]], seconds: float, what: str
) -> T:
    """Repeat the attempt until it returns something, and return that.

    `what` is the sentence that the attempt waits for. Raises HomeAssistantError.
    """
    try:
        async with asyncio.timeout(seconds):
            while (found := await attempt()) is None:  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise HomeAssistantError(f"not within {seconds:.0f} s: {what}") from None
    return found
