"""The type and file name of a picture, and which pictures a provider takes."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from types import MappingProxyType

from .model import Picture

_SIGNATURES: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        "image/jpeg": re.compile(rb"\xff\xd8\xff"),
        "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
        "image/gif": re.compile(rb"GIF8[79]a"),
        "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    }
)

_EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "image/jpeg": "jpg",
        "image/png": "png",
        "image/gif": "gif",
        "image/webp": "webp",
    }
)


def picture_type(content: bytes) -> str | None:
    """Return the content type that the first bytes of a picture prove.

    None if it is not a JPEG, PNG, GIF or WebP. A declared type proves nothing.
    """
    for content_type, signature in _SIGNATURES.items():
        if signature.match(content):
            return content_type
    return None


def plain_filename(picture: Picture) -> str:
    """Return a file name for a multipart header, without quoting or a path.

    The extension is that of the content type.
    """
    stem = picture.filename.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_")[:60]
    return f"{stem or 'picture'}.{_EXTENSIONS.get(picture.content_type, 'bin')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRule:
    """Which pictures a provider takes: content types and the most bytes."""

    types: frozenset[str]
    max_bytes: int

    def fault(self, picture: Picture) -> str | None:
        """Return what is wrong with a picture, in one word; None if it may go."""
        if not picture.content:
            return "picture_empty"
        if len(picture.content) > self.max_bytes:
            return "picture_too_big"
        found = picture_type(picture.content)
        if found not in self.types or found != picture.content_type:
            return "picture_type"
        return None
