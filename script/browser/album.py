"""The pictures: what a person would see, at rest, without anything unfinished."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re

from playwright.async_api import FloatRect, Locator, Page, expect

from script.development.home_assistant import until

WIDTH = 1200
HEIGHT = 1200
SCALE = 2
"""Pixels of a picture for one of the page: text stays sharp on any screen."""

REST_SECONDS = 20

_RAW = re.compile(r"\b(?:component|ui)\.[a-z_]+\.[\w.]+|\{[a-z_]+\}|Translation error")
"""A translation's key, or a placeholder, that no text took the place of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """Takes pictures of a page into a folder."""

    page: Page
    folder: Path

    async def take(self, name: str, *subjects: Locator, margin: int = 0) -> None:
        """Picture the part of the page that holds the subjects, once nothing moves.

        `margin` is in pixels of the page. Raises AssertionError if a text is missing
        or an error is shown.
        """
        await self.check()
        await until(self._is_at_rest, REST_SECONDS, f"the picture {name} is at rest")
        boxes = [box for subject in subjects if (box := await subject.bounding_box())]
        if len(boxes) < len(subjects):
            raise AssertionError(f"not all of the picture {name} is visible")
        picture = await self.page.screenshot(
            clip=_around(boxes, margin), animations="disabled"
        )
        (self.folder / f"{name}.png").write_bytes(picture)

    async def check(self) -> None:
        """Look for raw keys and error toasts on the page; raises AssertionError."""
        await expect(self.page.locator("ha-toast")).to_have_count(0)
        text = await self.page.locator("body").aria_snapshot()
        if raw := _RAW.search(text):
            raise AssertionError(f"the screen shows {raw.group()!r}")

    async def _is_at_rest(self) -> bool | None:
        before = await self.page.screenshot()
        await self.page.wait_for_function("document.fonts.status === 'loaded'")
        return before == await self.page.screenshot() or None


def _around(boxes: Sequence[FloatRect], margin: int) -> FloatRect:
    """Return the smallest part of the page that holds all boxes and a margin."""
    left = max(0, min(box["x"] for box in boxes) - margin)
    top = max(0, min(box["y"] for box in boxes) - margin)
    right = min(WIDTH, max(box["x"] + box["width"] for box in boxes) + margin)
    bottom = min(HEIGHT, max(box["y"] + box["height"] for box in boxes) + margin)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}
