"""Smshosting: the text as it goes on the wire, and how many parts it takes.

Facts: docs/development/provider-apis/smshosting.md 2.3 and
docs/development/provider-apis/common.md 6.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ..model import Encoding

_EXTENSION = frozenset("^{}\\[~]|€")
"""Characters of GSM-7 that take two septets."""

_SIZES: Mapping[Encoding, tuple[int, int]] = MappingProxyType(
    {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}
)
"""Units that fit: alone, and in each part of several."""

_LAST_OF_BMP = "\uffff"


def count_parts(text: str, encoding: Encoding) -> int:
    """Return the parts of a text that was prepared for an encoding.

    No part splits a character of two units.
    """
    alone, size = _SIZES[encoding]
    widths = [_width(character, encoding) for character in text]
    if sum(widths) <= alone:
        return 1
    parts, used = 1, 0
    for width in widths:
        if used + width > size:
            parts, used = parts + 1, 0
        used += width
    return parts


def _width(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in _EXTENSION else 1
    return 2 if character > _LAST_OF_BMP else 1


def without_placeholders(text: str, encoding: Encoding) -> str:
    """Return the text without `${`, for which it would be refused.

    `${` is a placeholder there, which a plain text cannot fill: it goes as `$ {`. Where
    the space would make one part more than were counted, it goes as `$(`.
    """
    if "${" not in text:
        return text
    spaced = text.replace("${", "$ {")
    if count_parts(spaced, encoding) > count_parts(text, encoding):
        return text.replace("${", "$(")
    return spaced
