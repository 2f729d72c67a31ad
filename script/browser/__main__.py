"""Drives a real Home Assistant with a real browser; run by script/e2e."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import signal
import sys
import time

import aiohttp
from playwright.async_api import Error, Page, async_playwright, expect

from script.home_assistant.client import Client, wait_until_served
from script.home_assistant.instance import Instance
from script.home_assistant.process import Process
from script.home_assistant.waiting import HomeAssistantError
from simulator import Simulator

from . import evidence
from .card import Card
from .chromium import ARGUMENTS, Chromium, NoChromiumError, find
from .scenario import steps
from .screen import STEP_SECONDS, Screen
from .screenshots import HEIGHT, SCALE, WIDTH, Screenshots
from .texts import LABELS, Language, OwnTexts

RUN_SECONDS = 600
DELIVER_AFTER_SECONDS = 1.0
_IMAGES = Path(__file__).parents[2] / "docs" / "images"
DOCUMENTED = {Language.ENGLISH: _IMAGES, Language.ITALIAN: _IMAGES / "it"}
"""The folders of the pictures in the manual, by its languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The language, the folders of pictures and of traces, and the browser."""

    language: Language
    pictures: Path
    traces: Path
    chromium: Chromium


def main() -> int:
    """Read the arguments; return the exit code."""
    parser = argparse.ArgumentParser(prog="script/e2e")
    parser.add_argument(
        "--pictures", action="store_true", help="put the pictures into docs/images"
    )
    parser.add_argument(
        "--language",
        type=Language,
        choices=list(Language),
        default=Language.ITALIAN,
        help="of the person; it if left out",
    )
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cache: Path = arguments.cache.absolute()
    language: Language = arguments.language
    traces = cache / "e2e"
    shutil.rmtree(traces, ignore_errors=True)
    traces.mkdir(parents=True)
    try:
        chromium = find(cache, _say)
    except NoChromiumError as err:
        _say(f"FAILED: {err}")
        return 1
    _say(f"Chromium: {chromium.origin}")
    run = Run(
        language=language,
        pictures=DOCUMENTED[language] if arguments.pictures else traces,
        traces=traces,
        chromium=chromium,
    )
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        return asyncio.run(_run(run))
    return 130


async def _run(run: Run) -> int:
    """Start everything, do all steps, and stop everything."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    instance = Instance(run.traces / "home")
    instance.create()
    async with (
        Simulator(deliver_after=DELIVER_AFTER_SECONDS) as simulator,
        instance.run() as process,
        _browser_page(run) as page,
    ):
        errors = evidence.listen(page)
        try:
            async with asyncio.timeout(RUN_SECONDS):
                await _walk(run, instance, process, simulator, page)
        except TimeoutError:
            fault = f"not done within {RUN_SECONDS} seconds"
        except (
            AssertionError,
            Error,
            HomeAssistantError,
            KeyError,
            aiohttp.ClientError,
        ) as err:
            fault = f"{type(err).__name__}: {err}"
        else:
            _say(f"all steps done; the pictures are in {run.pictures}")
            return 0
        if process.returncode is not None:
            fault += f"\nHome Assistant ended by itself with {process.returncode}"
        await evidence.save(page, run.traces, errors)
    _say(f"FAILED: {fault}")
    _say("what the providers received:")
    for line in list(evidence.received(simulator)) or ["nothing to send"]:
        _say(f"  {line}")
    _say(f"what the browser showed: failure.png and failure.txt in {run.traces}")
    _say(f"Home Assistant's log: {instance.log}")
    return 1


@asynccontextmanager
async def _browser_page(run: Run) -> AsyncIterator[Page]:
    """Start a browser with an empty profile and open a page; end it afterwards."""
    # Playwright makes a new profile for each start; what Chromium writes elsewhere goes
    # into a home folder of its own.
    home = run.traces / "browser"
    home.mkdir()
    environment: Mapping[str, str] = {
        **os.environ,
        "HOME": str(home),
        **run.chromium.environment,
    }
    expect.set_options(timeout=STEP_SECONDS * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=run.chromium.program,
            args=ARGUMENTS,
            env=dict(environment),
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        try:
            context = await browser.new_context(
                locale=LABELS[run.language].locale,
                timezone_id="Europe/Rome",
                viewport={"width": WIDTH, "height": HEIGHT},
                device_scale_factor=SCALE,
                color_scheme="light",
                reduced_motion="reduce",
            )
            context.set_default_timeout(STEP_SECONDS * 1000)
            yield await context.new_page()
        finally:
            await browser.close()


async def _walk(
    run: Run, instance: Instance, process: Process, simulator: Simulator, page: Page
) -> None:
    """Create the first user, then do the steps."""
    start = time.monotonic()
    url = instance.url

    def progress(what: str) -> None:
        _say(f"[{time.monotonic() - start:5.1f} s] {what}")

    async with aiohttp.ClientSession() as session:
        await wait_until_served(session, url)
        client = await Client.onboard(session, url)
        # Entities are named in the language of the instance.
        await client.command("config/core/update", language=run.language)
        await client.wait_until_running()
        progress("Home Assistant runs")
        screen = Screen(
            page=page,
            url=url,
            screenshots=Screenshots(page=page, folder=run.pictures),
            labels=LABELS[run.language],
            texts=OwnTexts(run.language),
        )
        card = Card(
            screen=screen,
            simulator=simulator,
            client=client,
            session=session,
            instance=instance,
            process=process,
            traces=run.traces,
        )
        for name, step in steps(screen, simulator, client, card):
            await step()
            progress(name)


def _say(what: str) -> None:
    """Print and flush, also into a pipe."""
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
