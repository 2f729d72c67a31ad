"""How far an SMS travels through our own code from its action to the provider."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
import sys
from types import CodeType, FrameType

from homeassistant.core import HomeAssistant
import pytest

from custom_components import sms_italia
from custom_components.sms_italia.providers import PROVIDERS

from .accounts import Accounts

COMPONENT = Path(sms_italia.__file__).parent

MOST_FRAMES = 10
MOST_FUNCTIONS = 155
"""For any provider; whoever adds one should have a reason.

Some twenty are the health of the account and its queue, two the wait for a slow disk,
three the rights of the caller, one the moment by which the call is answered, two the
sizes of groups and the signature of the reference, two what an escalation may send,
three the commit that is synced beside the request, six the storm brake, two the signs
of a sender, one the outages.
"""

BESIDE = "sms_italia ledger sync"
"""The task that syncs the ledger beside the request, which nothing here waits for."""


@dataclass(slots=True)
class Trip:
    """The functions of ours that ran, and those that wait, up to the wire."""

    functions: list[tuple[str, str]] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    @property
    def distinct(self) -> int:
        """How many functions ran."""
        return len(set(self.functions))

    @property
    def module_changes(self) -> int:
        """How often the next function was in another module."""
        return sum(one[0] != other[0] for one, other in pairwise(self.functions))


def module_of(code: CodeType) -> str | None:
    """Return the file in the component that code is from, None if it is not ours."""
    path = Path(code.co_filename)
    if COMPONENT not in path.parents or code.co_name.startswith("<"):
        return None
    return str(path.relative_to(COMPONENT))


def waiting_frames(wire: FrameType) -> Iterator[str]:
    """Yield our functions that wait for the wire: this task's, then other tasks'."""
    frame: FrameType | None = wire
    while frame is not None:
        if module_of(frame.f_code):
            yield frame.f_code.co_qualname
        frame = frame.f_back
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_name() == BESIDE:
            continue
        waiting: object = task.get_coro()
        while (code := getattr(waiting, "cr_code", None)) is not None:
            if module_of(code):
                yield code.co_qualname
            waiting = getattr(waiting, "cr_await", None)


@contextmanager
def traced(start: str) -> Iterator[Trip]:
    """Record what runs between the function `start` and aiohttp's first request."""
    trip = Trip()

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or trip.frames:
            return
        if code.co_qualname == "ClientSession._request":
            trip.frames = list(waiting_frames(frame))
        elif (module := module_of(code)) and is_on_the_way(code):
            trip.functions.append((module, code.co_qualname))

    def is_on_the_way(code: CodeType) -> bool:
        """Leave out what others do meanwhile: listeners, the ledger's task."""
        task = asyncio.current_task()
        if code.co_qualname == start:
            tasks.append(task)
        return task in tasks or bool(task and task.get_name() == "sms_italia send")

    tasks: list[asyncio.Task[object] | None] = []
    sys.setprofile(profile)
    try:
        yield trip
    finally:
        sys.setprofile(None)


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("key", PROVIDERS)
async def test_an_sms_reaches_the_wire_in_ten_frames(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    await accounts.set_up(key, recipients={"Anna": ["+393331234567"]})
    await hass.async_block_till_done(wait_background_tasks=True)
    (entity_id,) = hass.states.async_entity_ids("notify")

    with traced("RecipientNotifyEntity.async_send_message") as trip:
        await hass.services.async_call(
            "notify",
            "send_message",
            {"entity_id": entity_id, "message": "Allarme"},
            blocking=True,
        )

    print(f"{key}: {trip.distinct} functions, {trip.module_changes} changes of module")  # noqa: T201 - pytest -rP shows it
    assert "RecipientNotifyEntity.async_send_message" in trip.frames
    assert len(trip.frames) <= MOST_FRAMES, trip.frames
    assert trip.distinct <= MOST_FUNCTIONS
