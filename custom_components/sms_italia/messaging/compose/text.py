"""From the text a person wrote to the text that is sent, and its parts.

The alphabet and the sizes of a part: docs/development/provider-apis/common.md 6.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
import re
from typing import Final
import unicodedata

from ...providers import Encoding
from ..model import TextEncoding, storable


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedText:
    """A text as it will be sent, and what it costs.

    `characters_left` are the septets (GSM-7) or UTF-16 units (UCS-2) that are
    still free in the last part. `costly_characters` are those that make the
    text UCS-2, each once, in order of appearance; an emoji made of several code
    points is one of them. The text stays out of the repr, which may be logged.
    """

    text: str = field(repr=False)
    encoding: Encoding
    parts: int
    characters_left: int
    costly_characters: tuple[str, ...] = field(default=(), repr=False)


# The tables of 3GPP TS 23.038, 6.2.1, sixteen positions a line, with the escape at
# position 0x1B. The extension table goes by the position behind the escape.
BASIC_TABLE: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
EXTENSION_TABLE: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

# Escape, carriage return and form feed are in the tables, but a text never needs them.
_BASIC: Final = frozenset(BASIC_TABLE) - {"\x1b", "\r"}
_EXTENSION: Final = frozenset(EXTENSION_TABLE.values()) - {"\f"}
_GSM7: Final = _BASIC | _EXTENSION
_GSM7_CLASS: Final = "".join(map(re.escape, sorted(_GSM7)))

# Septets that fit: alone, and in each part of several.
_SEPTETS: Final = (160, 153)
_UTF16_UNITS: Final = (70, 67)

_ALL_GSM7: Final = re.compile(f"[{_GSM7_CLASS}]*")
_LINE_END: Final = re.compile("\r\n?|[\v\f\x85]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# One sign as a reader sees it: a keycap, a flag, or one character outside GSM-7 with
# the marks, variation selectors, skin tones, tags and joined emoji that belong to it.
_SIGN: Final = re.compile(
    "[0-9#*]\ufe0f?\u20e3"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    f"|[^{_GSM7_CLASS}]"
    "(?:[\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]"
    "|[\U000e0020-\U000e007f]"
    "|\u200d[^\x00-\xff])*"
)
# Zero-width, directional and other marks that nobody sees: soft hyphen, grapheme
# joiner, U+200B to U+200F, embeddings, isolates, word joiner, variation selectors,
# byte order mark and tags.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
)

_DEGREE: Final = "(?:[°º˚]|⁰(?=[CF]\\b))"
_DEGREE_RULES: Final = (
    (re.compile(f"(?<!\\w)([nN]){_DEGREE}"), r"\1."),
    (re.compile(f"(?<=[0-9]){_DEGREE}(?=\\w)"), " "),
    (re.compile(_DEGREE), ""),
)

# ruff: disable[RUF001] - characters that look like others are the subject here
# Beside the alphabet itself, only what Unicode's own decompositions do not give, or
# give in a way that misleads (a "≠" without its stroke would say the opposite).
_NEAREST: Final = {character: character for character in _GSM7} | {
    character: nearest
    for characters, nearest in (
        ("’‘‚‛′‵ʼʻʹ`´‹›", "'"),
        ("“”„‟«»″‶¨", '"'),
        ("–—‒―‐‑−⁃•‣◦▪●·∙⋅¬¯", "-"),
        ("⁄∕÷", "/"),
        *(("À", "A'"), ("È", "E'"), ("Ì", "I'"), ("Ò", "O'"), ("Ù", "U'")),
        *(("ł", "l"), ("Ł", "L"), ("đð", "d"), ("ĐÐ", "D"), ("ħ", "h"), ("Ħ", "H")),
        *(("þ", "th"), ("Þ", "Th"), ("ŧ", "t"), ("Ŧ", "T"), ("ŋ", "n"), ("Ŋ", "N")),
        *(("œ", "oe"), ("Œ", "OE"), ("ẞ", "SS"), ("ƒ", "f"), ("ı", "i"), ("µμ", "u")),
        *(("×", "x"), ("±", "+/-"), ("≤", "<="), ("≥", ">="), ("≠", "!=")),
        *(("≈∼˜", "~"), ("→", "->"), ("←", "<-"), ("⇒", "=>")),
        *(("©", "(c)"), ("®", "(r)"), ("™", "(tm)"), ("¢", "c"), ("¦", "|")),
        *(("¸", ","), ("¶", ""), ("\ufffd", "?"), ("\u2028\u2029", "\n")),
    )
    for character in characters
}
# ruff: enable[RUF001]


def prepare_text(text: str, encoding: TextEncoding) -> PreparedText:
    """Return the text as it will go out, with its encoding and parts counted.

    In every mode line ends become a line feed, tabs a space, other control
    characters disappear and broken surrogates become U+FFFD (`?` in GSM-7): no
    phone shows the first three and no provider can be sent the last. The text is
    composed (NFC) too: "e" and a combining grave accent are the very same letter
    as "è", but only the composed one is in GSM-7. Beyond that:

    - `unicode` changes nothing. Text that happens to fit GSM-7 goes out as GSM-7.
    - `smart` writes the whole text in GSM-7 if each character outside it has a near
      equivalent and that takes no more parts than UCS-2 would; otherwise it goes
      out as `unicode` would send it. A single emoji makes the message UCS-2, and
      there an "È" costs as much as an "E", so nothing is gained by spoiling it.
    - `gsm7` always gives GSM-7: a sign without an equivalent becomes one `?`.

    Equivalents: capital vowels with a grave accent take an apostrophe, as Italians
    write them ("È" is "E'"); other Latin letters lose the accent; typographic quotes,
    dashes, dots, spaces and symbols become their plain forms; invisible characters
    disappear. A degree sign disappears ("21 °C" is "21 C"), leaves a space between a
    digit and what follows ("21°C" is "21 C") and a full stop after a lone n ("n° 5"
    is "n. 5"). Digits never run together into another number: "10²" is "10^2" and
    "1½" is "1 1/2".
    """
    if _ALL_GSM7.fullmatch(text):
        return _as_gsm7(text)
    text = _clean(text)
    if _ALL_GSM7.fullmatch(text):
        return _as_gsm7(text)
    match encoding:
        case TextEncoding.UNICODE:
            return _as_ucs2(text)
        case TextEncoding.GSM7:
            return _as_gsm7(_replace(text, _question_mark))
        case TextEncoding.SMART:
            plain = _replace(text, _unchanged)
            if not _ALL_GSM7.fullmatch(plain):
                return _as_ucs2(text)
            as_gsm7, as_ucs2 = _as_gsm7(plain), _as_ucs2(text)
            return as_ucs2 if as_ucs2.parts < as_gsm7.parts else as_gsm7


def cut_text(prepared: PreparedText, most_parts: int) -> PreparedText:
    """Return the longest beginning of a text that takes so many parts.

    What is missing is marked at its end.
    """
    if prepared.parts <= most_parts:
        return prepared
    is_gsm7 = prepared.encoding is Encoding.GSM7
    mark, measure = ("...", _as_gsm7) if is_gsm7 else ("…", _as_ucs2)
    fits, too_long = 0, len(prepared.text)
    while too_long - fits > 1:
        length = (fits + too_long) // 2
        if measure(prepared.text[:length] + mark).parts <= most_parts:
            fits = length
        else:
            too_long = length
    return measure(prepared.text[:fits].rstrip() + mark)


def join_title(title: str | None, message: str) -> str:
    """Return the message with the title, if there is one, on a line before it."""
    heading = " ".join((title or "").splitlines()).strip()
    return "\n".join(filter(None, (heading, message)))


def _clean(text: str) -> str:
    """Return the text without what cannot be sent, composed (NFC)."""
    text = _LINE_END.sub("\n", text).replace("\t", " ")
    return unicodedata.normalize("NFC", storable(_CONTROL.sub("", text)))


def _replace(text: str, fallback: Callable[[str], str]) -> str:
    """Return the text with each sign outside GSM-7 replaced by the nearest in it.

    `fallback` answers for the signs that have no equivalent.
    """
    text = text.replace("℃", "°C").replace("℉", "°F")
    for pattern, replacement in _DEGREE_RULES:
        text = pattern.sub(replacement, text)

    def nearest(match: re.Match[str]) -> str:
        sign, start = match[0], match.start()
        found = _nearest(sign, text[start - 1 : start])
        return fallback(sign) if found is None else found

    return _SIGN.sub(nearest, text)


def _unchanged(sign: str) -> str:
    return sign


def _question_mark(sign: str) -> str:
    """Return `?`, or the digit that a keycap shows."""
    return sign[0] if sign[0] in _GSM7 else "?"


def _nearest(sign: str, before: str) -> str | None:
    """Return the GSM-7 text nearest to `sign`, None if there is none.

    `before` is the character that precedes it in the text, if any.
    """
    result = ""
    for character in sign:
        piece = _nearest_to_one(character, before)
        if piece is None:
            return None
        result += piece
        if not unicodedata.combining(character):
            before = character
    return result


def _nearest_to_one(character: str, before: str) -> str | None:
    """Return the GSM-7 text nearest to one character, None if there is none."""
    known = _NEAREST.get(character)
    if known is not None:
        return known
    if _INVISIBLE.match(character):
        return ""
    if unicodedata.combining(character):
        # "x̃" without its tilde is still an x, "≮" without its stroke the opposite.
        return "" if before.isalpha() else None
    compatible = unicodedata.normalize("NFKD", character)
    if compatible == character:
        return None
    nearest = _nearest(compatible, "")
    if nearest and before.isascii() and before.isdigit():
        return _apart(character, nearest)
    return nearest


def _apart(character: str, nearest: str) -> str:
    """Keep what stands for `character` from continuing the number before it."""
    kind = unicodedata.decomposition(character).split(" ")[0]
    if kind == "<super>" and not nearest.isalpha():
        return f"^{nearest}"
    if kind == "<fraction>":
        return f" {nearest}"
    return nearest


def _as_gsm7(text: str) -> PreparedText:
    doubles = sum(map(text.count, _EXTENSION))
    parts, left = _measure(text, doubles, _EXTENSION.__contains__, _SEPTETS)
    return PreparedText(
        text=text, encoding=Encoding.GSM7, parts=parts, characters_left=left
    )


def _as_ucs2(text: str) -> PreparedText:
    doubles = len(text.encode("utf-16-le")) // 2 - len(text)
    parts, left = _measure(text, doubles, "\uffff".__lt__, _UTF16_UNITS)
    return PreparedText(
        text=text,
        encoding=Encoding.UCS2,
        parts=parts,
        characters_left=left,
        costly_characters=tuple(dict.fromkeys(_SIGN.findall(text))),
    )


def _measure(
    text: str,
    doubles: int,
    is_double: Callable[[str], bool],
    sizes: tuple[int, int],
) -> tuple[int, int]:
    """Return the parts of a text and the units left in the last one.

    `doubles` of its characters take two units, which no part may split: then a
    part can end one unit early, so that its parts cannot be had by a division.
    """
    alone, size = sizes
    units = len(text) + doubles
    if units <= alone:
        return 1, alone - units
    if not doubles:
        parts = -(-units // size)
        return parts, parts * size - units
    parts, used = 1, 0
    for character in text:
        width = 2 if is_double(character) else 1
        if used + width > size:
            parts += 1
            used = 0
        used += width
    return parts, size - used
