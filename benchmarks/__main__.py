"""Measures, prints, and writes docs/performance.md; run by script/benchmark."""

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

from custom_components.sms_italia.providers import PROVIDERS
from script.home_assistant.waiting import HomeAssistantError
from simulator import Simulator
from simulator.tls import certify

from . import alerts, crowds, delivery, history, page, slow_disk, starting
from .alerts import Amounts
from .figures import Chapter
from .instance import MeasuredInstance

_CACHE = "SMS_ITALIA_CACHE"
"""The environment variable with the cache folder."""

_SHORT = Amounts(alone=100, together=500, rounds=5)
_FULL = Amounts(alone=300, together=500, rounds=7)

_CROWDS: dict[str, Sequence[int]] = {
    key: (500, 5000, 50_000)
    if provider.capabilities.recipients_per_submission > 1
    else (500, 5000)
    for key, provider in PROVIDERS.items()
}
_HISTORIES = (0, 10_000, 1_000_000)
_CALLBACKS = {"transactionale": 5000, "smshosting": 5000}
_POLLED = dict.fromkeys(PROVIDERS, 10_000)
_ACCOUNTS = 20
_ROUNDS = 9


def main() -> int:
    """Read the arguments; return the exit code."""
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
    certificate = await asyncio.to_thread(certify, place, ["127.0.0.1"])
    async with (
        Simulator(certificate=certificate) as simulator,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as session,
    ):
        instance = await MeasuredInstance.build(
            place / "instance", session, simulator, certificate
        )
        try:
            if short:
                return await _check(instance)
            chapters = await _measure_all(instance, place, simulator)
        except HomeAssistantError as err:
            log = await asyncio.to_thread(instance.log.read_text, "utf-8", "replace")
            print(log[-5000:], f"FAILED: {err}", sep="\n")
            return 1
    page.write(chapters)
    print(*page.lines(chapters), f"Written: {page.PAGE}", sep="\n")
    return 0


async def _check(instance: MeasuredInstance) -> int:
    """Measure alerts only, and only what holds on any machine: the ratios."""
    chapters = await alerts.measure(instance, _SHORT)
    print(*page.lines(chapters), sep="\n")
    written = page.written()
    far_off = [
        goal.name
        for goal in alerts.ratios(chapters)
        if goal.is_far_off(written.get(goal.name))
    ]
    if far_off:
        print(*(f"FAILED: far from its goal: {name}" for name in far_off), sep="\n")
        return 1
    print("OK: no ratio is worse by half than its goal, and than what is written.")
    return 0


async def _measure_all(
    instance: MeasuredInstance, place: Path, simulator: Simulator
) -> list[Chapter]:
    begin = time.monotonic()

    def progress(what: str) -> None:
        print(f"[{time.monotonic() - begin:3.0f} s] {what}", flush=True)

    progress("start and rest")
    # Before the alerts, which give the account a hundred recipients.
    starts = await starting.measure(instance, place, _ACCOUNTS, _ROUNDS)
    progress("alerts")
    chapters = await alerts.measure(instance, _FULL)
    chapters.append(await alerts.measure_kept(instance, _FULL.alone))
    progress("a slow disk")
    slow = await slow_disk.environment(place)
    chapters.append(await alerts.measure_slow_disk(instance, slow, _FULL.alone))
    progress("many numbers in one call")
    chapters.append(await crowds.measure(instance, simulator, _CROWDS))
    progress("a long history")
    chapters.append(await history.measure(instance, place, _HISTORIES, _ROUNDS))
    chapters.append(starts)
    progress("delivery")
    chapters.append(await delivery.measure(instance, simulator, _CALLBACKS, _POLLED))
    progress("done")
    return chapters


if __name__ == "__main__":
    sys.exit(main())
