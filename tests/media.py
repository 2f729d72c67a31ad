"""Cameras, images and media folders of a Home Assistant under test."""

from datetime import datetime
from pathlib import Path
from typing import override

from homeassistant.components.camera import Camera
from homeassistant.components.image import ImageEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import setup_test_component_platform

PNG = b"\x89PNG\r\n\x1a\n\x00--\r\n\xff\r\n"
JPEG = b"\xff\xd8\xff\xe0" + b"Cortile" * 20

CAMERA = "camera.cortile"
IMAGE = "image.planimetria"


class _Camera(Camera):
    """A camera that sees one thing, or nothing at all."""

    _attr_name = "Cortile"

    def __init__(self, content: bytes | None) -> None:
        """See this."""
        super().__init__()
        self._content = content

    @override
    async def async_camera_image(
        self, width: int | None = None, height: int | None = None
    ) -> bytes | None:
        """Return what is seen."""
        return self._content


class _Image(ImageEntity):
    """A drawn image."""

    _attr_name = "Planimetria"
    _attr_content_type = "image/png"

    def __init__(self, hass: HomeAssistant, content: bytes | None) -> None:
        """Show this."""
        super().__init__(hass)
        self._content = content

    @property
    @override
    def image_last_updated(self) -> datetime:
        """Return when it was drawn."""
        return dt_util.utcnow()

    @override
    async def async_image(self) -> bytes | None:
        """Return the image."""
        return self._content


async def set_up_camera(hass: HomeAssistant, content: bytes | None = JPEG) -> None:
    """Add the camera `CAMERA`, which sees this."""
    await _set_up(hass, "camera", _Camera(content))


async def set_up_image(hass: HomeAssistant, content: bytes | None = PNG) -> None:
    """Add the image `IMAGE`, which is this."""
    await _set_up(hass, "image", _Image(hass, content))


async def set_up_media(hass: HomeAssistant) -> Path:
    """Let Home Assistant have its local media; return their folder."""
    folder = Path(hass.config.path("media"))
    await hass.async_add_executor_job(folder.mkdir)
    hass.config.media_dirs = {"local": str(folder)}
    hass.config.allowlist_external_dirs = {str(folder), hass.config.path("www")}
    assert await async_setup_component(hass, "media_source", {})
    return folder


async def _set_up(hass: HomeAssistant, domain: str, entity: Entity) -> None:
    setup_test_component_platform(hass, domain, [entity])
    assert await async_setup_component(hass, domain, {domain: {"platform": "test"}})
    await hass.async_block_till_done()
