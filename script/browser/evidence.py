"""What is kept of a run that failed: the page, its errors and what was received."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from playwright.async_api import ConsoleMessage, Error, Page

from simulator import PROVIDERS, Operation, Simulator

_SECONDS = 20


def listen(page: Page) -> list[str]:
    """Return a list to which the errors of the page are added."""
    errors: list[str] = []

    def add(message: ConsoleMessage) -> None:
        # Icons of integrations come from the internet, which is out of reach.
        if message.type == "error" and "/api/brands/" not in message.location["url"]:
            errors.append(message.text)

    page.on("console", add)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


async def save(page: Page, traces: Path, errors: list[str]) -> None:
    """Save what the browser shows now, as a picture and as text."""
    text = [*errors, ""]
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await page.screenshot(path=traces / "failure.png")
            text += [page.url, await page.locator("body").aria_snapshot()]
    (traces / "failure.txt").write_text("\n".join(text), "utf-8")


def received(simulator: Simulator) -> Iterator[str]:
    """Yield a line for each request to send, and one for each SMS of a provider."""
    for provider in PROVIDERS:
        for request in simulator.requests.of(provider):
            if request.operation is Operation.SEND:
                yield f"{provider}: a request to send, answered {request.status}"
        for message in simulator.messages.of(provider):
            yield f"{provider}: {message.text!r} to {message.to}, {message.status}"
