"""A camera of the house: it shows one picture, which is made here."""

import asyncio
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from .home_assistant import ACCOUNTS, HomeAssistant, HomeAssistantError, until

_FILE = "cortile.jpg"
_ENTITY_SECONDS = 30
_SIZE = (320, 200)


async def make(home_assistant: HomeAssistant, place: Path) -> str:
    """Put the picture into the configuration folder, and a camera before it.

    Returns the camera's entity.
    """
    path = place / _FILE
    await asyncio.to_thread(path.write_bytes, _yard())
    flow = await home_assistant.start_flow(ACCOUNTS, "local_file")
    flow = await home_assistant.go_on(
        ACCOUNTS, flow["flow_id"], {"file_path": str(path)}
    )
    if flow["type"] != "create_entry":
        raise HomeAssistantError(f"the camera: {flow}")
    entry_id = flow["result"]["entry_id"]

    async def find() -> str | None:
        for entity in await home_assistant.entities():
            if entity["config_entry_id"] == entry_id:
                return entity["entity_id"]
        return None

    return await until(find, _ENTITY_SECONDS, "the camera is there")


def _yard() -> bytes:
    """Draw a yard at night, with a lamp over the door and somebody before it."""
    image = Image.new("RGB", _SIZE, "#16202e")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 140, 320, 200), fill="#2a3326")
    draw.rectangle((170, 40, 320, 150), fill="#4a4038")
    draw.rectangle((220, 80, 260, 150), fill="#2b211a")
    draw.ellipse((230, 56, 250, 72), fill="#ffd98a")
    draw.ellipse((118, 78, 142, 102), fill="#0b0e12")
    draw.polygon([(108, 170), (116, 100), (144, 100), (152, 170)], fill="#0b0e12")
    draw.text((8, 8), "Cortile", fill="#ffffff")
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=80)
    return jpeg.getvalue()
