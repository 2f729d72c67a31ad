"""How many parts a text has (docs/development/provider-apis/common.md 6)."""

from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")


def is_gsm7(text: str) -> bool:
    """Return whether every character is in the GSM-7 tables."""
    return all(char in _BASIC or char in _EXTENDED for char in text)


def as_gsm7(text: str) -> str:
    """Return the text with a question mark for each character that is not in GSM-7."""
    return "".join(char if is_gsm7(char) else "?" for char in text)


def count_parts(text: str, *, unicode: bool | None = None) -> int:
    """Return how many parts `text` is billed as; an empty text is one part.

    `unicode` forces UCS-2; None finds the encoding from the text. Neither an escape
    pair nor a surrogate pair is split over two parts.
    """
    if unicode or not is_gsm7(text):
        return _fill((len(char.encode("utf-16-be")) // 2 for char in text), 70, 67)
    return _fill((2 if char in _EXTENDED else 1 for char in text), 160, 153)


def _fill(widths: Iterable[int], alone: int, joined: int) -> int:
    """Return the number of parts for characters of these widths, none of them split."""
    total, parts, used = 0, 1, 0
    for width in widths:
        total += width
        if used + width > joined:
            parts, used = parts + 1, 0
        used += width
    return 1 if total <= alone else parts
