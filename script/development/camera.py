"""A camera that shows one picture, which is drawn here."""

import asyncio
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from script.home_assistant.client import ACCOUNTS, Client
from script.home_assistant.waiting import HomeAssistantError, until

_FILE = "cortile.jpg"
_ENTITY_SECONDS = 30
_SIZE = (320, 200)


async def create(client: Client, folder: Path) -> str:
    """Put the picture into the configuration folder and add a camera for it.

    Returns the camera's entity.
    """
    path = folder / _FILE
    await asyncio.to_thread(path.write_bytes, _yard())
    flow = await client.start_flow(ACCOUNTS, "local_file")
    flow = await client.submit_step(ACCOUNTS, flow["flow_id"], {"file_path": str(path)})
    if flow["type"] != "create_entry":
        raise HomeAssistantError(f"the camera: {flow}")
    entry_id = flow["result"]["entry_id"]

    async def find() -> str | None:
        for entity in await client.entities():
            if entity["config_entry_id"] == entry_id:
                return entity["entity_id"]
        return None

    return await until(find, _ENTITY_SECONDS, "the camera is there")


def _yard() -> bytes:
    """Draw a yard at night with a lamp, a door and a person."""
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
