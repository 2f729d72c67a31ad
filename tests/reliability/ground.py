"""Alarms while the disk fails, and while somebody sets the clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
import sqlite3
import time

import aiohttp

from custom_components.sms_italia.messaging import (
    Account,
    AccountOptions,
    Clock,
    Messenger,
    PhoneNumber,
    SendRequest,
    Target,
    Timing,
)
from custom_components.sms_italia.providers import PROVIDERS, Status, Timeouts
from simulator import Simulator

from ..messaging.disks import Disk

AT_ONCE = 20
PROVIDER = "transactionale"
_DAY = 86_400


class Failure(StrEnum):
    """What is wrong with the disk that holds the ledger."""

    NONE = "nothing"
    LOCKED = "another program locks the file"
    FULL = "full"
    HANGS = "does not answer"
    READ_ONLY = "read-only since the start"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskCourse:
    """20 alarms at once: how many arrived, and when the last was answered (seconds)."""

    arrived: int
    answered: float


async def try_disk(disk: Disk, failure: Failure) -> DiskCourse:
    """Send alarms while a disk fails."""
    if failure is Failure.READ_ONLY:
        async with _messenger(disk.folder, Clock()):
            pass
        await asyncio.to_thread(disk.protect)
    async with (
        Simulator() as simulator,
        _messenger(disk.folder, Clock(), simulator) as messenger,
    ):
        with _failing(disk, failure):
            began = time.monotonic()
            await asyncio.gather(*(_send(messenger, one) for one in range(AT_ONCE)))
            answered = time.monotonic() - began
        return DiskCourse(arrived=len(simulator.messages), answered=answered)


@contextmanager
def _failing(disk: Disk, failure: Failure) -> Iterator[None]:
    """Let a disk fail meanwhile."""
    with ExitStack() as stack:
        match failure:
            case Failure.LOCKED:
                connect = sqlite3.connect(disk.folder / "sms.db", isolation_level=None)
                other = stack.enter_context(closing(connect))
                other.execute("BEGIN IMMEDIATE")
            case Failure.FULL:
                disk.fill()
                stack.callback(disk.empty)
            case Failure.HANGS:
                disk.freeze()
                stack.callback(disk.thaw)
            case Failure.NONE | Failure.READ_ONLY:
                pass
        yield


CLOCKS: Mapping[str, float] = {
    "set forward by a day": _DAY,
    "set back by a day": -_DAY,
    "set forward by ten years": 3650 * _DAY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCourse:
    """9 alarms wait for the line; `left` is how long after its return they did."""

    arrived: int
    expired: int
    left: float


async def try_clock(folder: Path, step: float) -> ClockCourse:
    """Let alarms wait, set the clock by `step` seconds, and let the line return."""
    shift = 0.0
    clock = Clock(wall=lambda: time.time() + shift)
    simulator = Simulator()
    async with simulator:
        # The port is known now, and refuses connections again.
        pass
    async with _messenger(folder, clock, simulator) as messenger:
        await asyncio.gather(*(_send(messenger, one) for one in range(9)))
        shift = step
        await asyncio.sleep(31)
        async with simulator:
            began = time.monotonic()
            await _until(lambda: len(simulator.messages) >= 9)
            left = time.monotonic() - began
            await asyncio.sleep(1)
            expired = [
                one
                for one in messenger.open_messages("casa")
                if one.status is Status.EXPIRED
            ]
            return ClockCourse(
                arrived=len(simulator.messages), expired=len(expired), left=left
            )


@asynccontextmanager
async def _messenger(
    folder: Path, clock: Clock, simulator: Simulator | None = None
) -> AsyncIterator[Messenger]:
    """Run a messenger with an account on the ledger of a folder."""
    messenger = Messenger(folder / "sms.db", clock, Timing(), lambda _: None)
    simulator = simulator or Simulator()
    async with aiohttp.ClientSession() as session:
        settings = {
            **simulator.credentials(PROVIDER),
            "url": simulator.url(PROVIDER),
            "sender": "Casa",
        }
        provider = PROVIDERS[PROVIDER]
        account = Account(
            id="casa",
            name="Casa",
            provider=provider,
            client=provider.create(session, settings, Timeouts()),
            sender="Casa",
            options=AccountOptions(daily_limit=0),
            recipients={},
        )
        await messenger.attach(account)
        try:
            yield messenger
        finally:
            await messenger.close()


async def _send(messenger: Messenger, index: int) -> None:
    number = PhoneNumber(f"+3933312345{index:02}", "IT")
    await messenger.send(
        SendRequest(account="casa", targets=(Target(number=number),), text="Allarme")
    )


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - the simulator has no event
            await asyncio.sleep(0.02)
