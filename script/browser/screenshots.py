"""Screenshots of pages that have finished loading."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
import re

from PIL import Image
from playwright.async_api import FloatRect, Locator, Page, expect

from script.home_assistant.waiting import until

WIDTH = 1200
HEIGHT = 1200
SCALE = 2
"""Pixels of a picture for one of the page: text stays sharp on any screen."""

REST_SECONDS = 20

COLOURS = 128
"""Enough for a flat design; a picture has a third of the bytes."""

MOST_BYTES = 150_000
"""The maximum of a picture, which is downloaded with the repository."""

_RAW = re.compile(r"\b(?:component|ui)\.[a-z_]+\.[\w.]+|\{[a-z_]+\}|Translation error")
"""A translation key, or a placeholder that was not replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screenshots:
    """Takes screenshots of a page into a folder."""

    page: Page
    folder: Path

    async def take(self, name: str, *subjects: Locator, margin: int = 0) -> None:
        """Take a screenshot of the subjects, once nothing moves.

        `margin` is in pixels of the page. Raises AssertionError if a text is missing,
        an error is shown, or the picture is too large.
        """
        await self.check()
        await until(self._is_at_rest, REST_SECONDS, f"the picture {name} is at rest")
        boxes = [box for subject in subjects if (box := await subject.bounding_box())]
        if len(boxes) < len(subjects):
            raise AssertionError(f"not all of the picture {name} is visible")
        picture = await self.page.screenshot(
            clip=self._around(boxes, margin), animations="disabled"
        )
        light = _lighten(picture)
        if len(light) > MOST_BYTES:
            raise AssertionError(f"the picture {name} has {len(light)} bytes")
        (self.folder / f"{name}.png").write_bytes(light)

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

    def _around(self, boxes: Sequence[FloatRect], margin: int) -> FloatRect:
        """Return the smallest part of the page that holds all boxes and a margin."""
        window = self.page.viewport_size or {"width": WIDTH, "height": HEIGHT}
        left = max(0, min(box["x"] for box in boxes) - margin)
        top = max(0, min(box["y"] for box in boxes) - margin)
        right = max(box["x"] + box["width"] for box in boxes) + margin
        bottom = max(box["y"] + box["height"] for box in boxes) + margin
        return {
            "x": left,
            "y": top,
            "width": min(window["width"], right) - left,
            "height": min(window["height"], bottom) - top,
        }


def _lighten(picture: bytes) -> bytes:
    """Return a PNG with few colours in place of a PNG with many."""
    light = BytesIO()
    with Image.open(BytesIO(picture)) as image:
        flat = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        flat.save(light, "PNG", optimize=True)
    return light.getvalue()
