"""Reads pictures from cameras, media and folders, and saves them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
import re

from homeassistant.components import image, media_source
from homeassistant.core import HomeAssistant, split_entity_id, valid_entity_id
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .messaging import bounded
from .providers import Picture, picture_type

_CAMERA = "camera"
_LOCAL_MEDIA = "local"

_MAX_BYTES = 16 * 1024 * 1024
"""Bytes; the most that is read of a file. No provider accepts as much."""

_MOST_SHOWN = 255
"""Characters of what names a picture in an error."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)

_SAME: Mapping[str, Collection[str]] = {".jpg": (".jpeg",)}
"""Other suffixes of the same type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPicture:
    """The file of a picture, and its media content ID if it is in a media folder."""

    path: Path
    media_content_id: str | None


async def read_picture(hass: HomeAssistant, given: str) -> Picture:
    """Return the picture that an action names.

    It is the current picture of a `camera` or `image` entity, a media content ID, or a
    path in a folder that Home Assistant allows; a relative path starts in the
    configuration folder.

    Raises a translated HomeAssistantError if there is no such picture. The provider's
    limits are checked later; a file that exceeds all of them is not read to its end.
    """
    if (entity_id := entity_of(given)) is not None:
        content = await _snapshot(hass, entity_id)
        name = f"{split_entity_id(entity_id)[1]}.jpg"
    elif given.startswith(media_source.URI_SCHEME):
        path = await _media_path(hass, given)
        content = await hass.async_add_executor_job(_content, given, path)
        name = path.name
    else:
        path = Path(hass.config.path(given))
        content = await hass.async_add_executor_job(_allowed_content, hass, given, path)
        name = path.name
    return Picture(
        content=content,
        filename=name,
        # Anything else is refused later, with the types that may be sent.
        content_type=picture_type(content) or "application/octet-stream",
    )


async def save_picture(
    hass: HomeAssistant, filename: str, picture: Picture
) -> SavedPicture:
    """Write a picture to a new file, with the picture's extension added if missing.

    A relative name starts in the folder of the local media and cannot leave it; an
    absolute one must be in a folder that Home Assistant allows. No file is overwritten.
    Raises a translated HomeAssistantError.
    """
    return await hass.async_add_executor_job(_write, hass, filename, picture)


def entity_of(given: str) -> str | None:
    """Return the camera or image entity that is named, None if it is not one."""
    for domain in (_CAMERA, image.DOMAIN):
        entity_id = given.removeprefix(f"{media_source.URI_SCHEME}{domain}/")
        if valid_entity_id(entity_id) and split_entity_id(entity_id)[0] == domain:
            return entity_id
    return None


async def _snapshot(hass: HomeAssistant, entity_id: str) -> bytes:
    """Return the current picture of an entity."""
    try:
        match split_entity_id(entity_id)[0]:
            case domain if domain not in hass.config.components:
                pass
            case image.DOMAIN:
                return (await image.async_get_image(hass, entity_id)).content
            case _:
                # It needs a library that only installations with cameras have.
                from homeassistant.components import camera  # noqa: PLC0415 - as above

                return (await camera.async_get_image(hass, entity_id)).content
    except HomeAssistantError:
        pass
    raise HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="picture_unavailable",
        translation_placeholders={"entity": _shown(entity_id)},
    )


async def _media_path(hass: HomeAssistant, given: str) -> Path:
    """Return the file of a media content ID."""
    try:
        media = await media_source.async_resolve_media(hass, given, None)
    except HomeAssistantError, AssertionError:
        # Local media raise AssertionError for a name without a known extension.
        raise _not_found(given) from None
    if media.path is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="picture_not_local",
            translation_placeholders={"picture": _shown(given)},
        )
    return media.path


def _shown(given: str) -> str:
    """Return what names a picture as an error may name it.

    Of an address only its scheme, since a password or a token may stand anywhere in the
    rest, and nothing after a question mark: errors are logged and kept.
    """
    known = given.partition("?")[0]
    if not given.startswith(media_source.URI_SCHEME):
        first = given.partition("/")[0]
        if scheme := _SCHEME.match(given):
            known = scheme[0]
        elif "@" in first or (":" in first and "@" in given):
            # A user at a host, without a scheme.
            known = ""
    return bounded(known if known == given else f"{known}…", _MOST_SHOWN)


def _not_found(given: str) -> ServiceValidationError:
    """Return the error of a picture that does not exist."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="picture_not_found",
        translation_placeholders={"picture": _shown(given)},
    )


def _not_allowed(given: str) -> ServiceValidationError:
    """Return the error of a path outside the allowed folders."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="path_not_allowed",
        translation_placeholders={"path": _shown(given)},
    )


# The functions below access files and must not run in the event loop.


def _content(given: str, path: Path) -> bytes:
    """Return the content of a file, cut one byte past the limit."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return file.read(_MAX_BYTES + 1)
    except OSError:
        pass
    raise _not_found(given)


def _allowed_content(hass: HomeAssistant, given: str, path: Path) -> bytes:
    """Return the content of a file in an allowed folder."""
    try:
        # Check and read the same file, even if a link changes in between.
        path = path.resolve()
    except ValueError:
        raise _not_found(given) from None
    if not hass.config.is_allowed_path(str(path)):
        raise _not_allowed(given)
    return _content(given, path)


def _write(hass: HomeAssistant, filename: str, picture: Picture) -> SavedPicture:
    """Write a picture; see `save_picture`."""
    folders = hass.config.media_dirs
    home = folders.get(_LOCAL_MEDIA) or next(iter(folders.values()), "")
    try:
        name = Path(filename)
        suffix = Path(picture.filename).suffix
        if name.suffix.lower() not in {suffix, *_SAME.get(suffix, ())}:
            name = name.with_name(name.name + suffix)
        folder = Path(home).resolve()
        path = (folder / name).resolve()
        if not (
            hass.config.is_allowed_path(str(path))
            if name.is_absolute()
            else home and path.is_relative_to(folder)
        ):
            raise _not_allowed(filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="file_exists",
                translation_placeholders={"path": _shown(filename)},
            )
        with path.open("xb") as file:
            file.write(picture.content)
    except (OSError, RuntimeError, ValueError) as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="picture_not_saved",
            translation_placeholders={
                "path": _shown(filename),
                "detail": type(err).__name__,
            },
        ) from None
    return SavedPicture(path=path, media_content_id=_media_id(folders, path))


def _media_id(folders: Mapping[str, str], path: Path) -> str | None:
    """Return the media content ID of a file, None if it is in no media folder."""
    for name, folder in folders.items():
        base = Path(folder).resolve()
        if path.is_relative_to(base):
            inside = path.relative_to(base).as_posix()
            return media_source.generate_media_source_id(
                media_source.DOMAIN, f"{name}/{inside}"
            )
    return None
