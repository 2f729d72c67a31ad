"""Measures, prints, and writes docs/performance.md. Run by script/benchmark."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import suppress
import os
from pathlib import Path
import sys
import tempfile
import time

import aiohttp

from script.development.home_assistant import HomeAssistantError
from simulator import PROVIDERS, Simulator

from . import alerts, crowds, delivery, history, page, starting
from .alerts import Amounts
from .figures import Chapter
from .house import House

_CACHE = "SMS_ITALIA_CACHE"
"""The name in the environment of the project's folder for what is made anew."""

_SHORT = Amounts(alone=100, together=500, rounds=3)
_FULL = Amounts(alone=300, together=500, rounds=7)

_CROWDS: dict[str, Sequence[int]] = {
    "smsviainternet": (500, 5000, 50_000),
    "smshosting": (500, 5000, 50_000),
    "transactionale": (500, 5000),
    "inviosmart": (500, 5000),
}
_HISTORIES = (0, 10_000, 1_000_000)
_TOLD = {"transactionale": 5000, "smshosting": 5000}
_ASKED = dict.fromkeys(PROVIDERS, 10_000)
_ACCOUNTS = 20
_ROUNDS = 9


def main() -> int:
    """Read the arguments; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="script/benchmark")
    parser.add_argument(
        "--short",
        action="store_true",
        help="only the alerts; print, and fail if a ratio is far off",
    )
    arguments = parser.parse_args()
    with (
        suppress(KeyboardInterrupt, asyncio.CancelledError),
        # On a disk, where a commit costs what it does elsewhere.
        tempfile.TemporaryDirectory(dir=os.environ.get(_CACHE)) as folder,
    ):
        return asyncio.run(_run(Path(folder), short=arguments.short))
    return 130


async def _run(place: Path, *, short: bool) -> int:
    """Measure; return 0 unless a ratio is far from its goal."""
    async with (
        Simulator() as simulator,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as session,
    ):
        house = await House.build(place / "house", session, simulator)
        try:
            if short:
                return await _check(house)
            chapters = await _measure_all(house, place, simulator)
        except HomeAssistantError as err:
            log = await asyncio.to_thread(house.log.read_text, "utf-8", "replace")
            print(log[-5000:], f"FAILED: {err}", sep="\n")
            return 1
    page.write(chapters)
    print(*page.lines(chapters), f"Written: {page.PAGE}", sep="\n")
    return 0


async def _check(house: House) -> int:
    """Measure alerts only, and only what holds on any machine: the ratios."""
    chapters = await alerts.measure(house, _SHORT)
    print(*page.lines(chapters), sep="\n")
    far_off = [goal.name for goal in alerts.ratios(chapters) if goal.is_far_off]
    if far_off:
        print(*(f"FAILED: far from its goal: {name}" for name in far_off), sep="\n")
        return 1
    print("OK: no ratio is worse by half than its goal, or three times its bound.")
    return 0


async def _measure_all(
    house: House, place: Path, simulator: Simulator
) -> list[Chapter]:
    begin = time.monotonic()

    def tell(what: str) -> None:
        print(f"[{time.monotonic() - begin:3.0f} s] {what}", flush=True)

    tell("alerts")
    chapters = await alerts.measure(house, _FULL)
    tell("many numbers in one call")
    chapters.append(await crowds.measure(house, simulator, _CROWDS))
    tell("a long history")
    chapters.append(await history.measure(house, place, _HISTORIES, _ROUNDS))
    tell("start and rest")
    chapters.append(await starting.measure(house, place, _ACCOUNTS, _ROUNDS))
    tell("delivery")
    chapters.append(await delivery.measure(house, simulator, _TOLD, _ASKED))
    tell("done")
    return chapters


if __name__ == "__main__":
    sys.exit(main())
