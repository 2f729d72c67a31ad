"""The one decoder of all answers: tolerant in form, strict in meaning.

Read as if clean: a byte order mark, another charset, whitespace, a PHP warning or a
`<br/>` before the answer, a comma before a closing brace or bracket. All of it takes
linear time. Facts: docs/development/provider-apis/common.md 9.
"""

import codecs
from decimal import Decimal
import json
import re
from typing import Never

type Json = bool | int | Decimal | str | list[Json] | dict[str, Json] | None
"""A decoded JSON value; numbers with a point come as Decimal, never as float."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BLANK = " \t\r\n\f\v\x00\xa0\ufeff"
"""What may stand around an answer; each file of a script can begin with a mark."""

_CHARSET = re.compile(
    r"utf-?8|us-?ascii|ascii|latin-?1|iso-?8859-?[0-9]{1,2}|windows-125[0-9]|cp125[0-9]"
)
"""Charsets that a server's word is taken for.

Others can decode to something else than the text, or take quadratic time; UTF-16 and
UTF-32 show in the bytes.
"""

_TAG = re.compile(r"<[^<>]{0,1000}>")
_PHP_MESSAGE = re.compile(
    r"(?:PHP )?(?:Warning|Notice|Deprecated|Strict Standards|Parse error"
    r"|(?:Catchable |Recoverable )?Fatal error)\b",
    re.IGNORECASE,
)
"""How PHP begins a message in plain text."""
_PAGE = re.compile(
    r"<(?!/?(?:br|b|p|pre|i|font|table|tr|td|th|strong|em|hr)\b)[/!?]?[a-z]",
    re.IGNORECASE,
)
"""A tag that PHP does not print around a message."""
_START = re.compile(
    r"(?<=[>\n])[ \t\r\ufeff]{0,1000}(?=\{\s{0,1000}[\"}]|\[\s{0,1000}[\[{\]\"])"
)
"""Where an answer may begin behind messages, which have brackets of their own."""

_NO_ID = frozenset({"null", "0", "true", "false"})

# A string as a whole, so that no comma in it is taken for one of JSON's own. One that
# never ends is taken to the end, at once: so it is looked at only one time.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRING_OR_COMMA = re.compile(rf"{_STRING}|,(?=[ \t\r\n]{{0,1000}}[}}\]])", re.DOTALL)


def _refuse_constant(name: str) -> Never:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise ValueError(name)


# Made once: the functions of the json module would make one for each answer.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def decode_text(body: bytes, charset: str | None = None) -> str:
    """Return a body as text, without a byte order mark and surrounding blanks.

    What is valid UTF-8 is that. `charset` is what the server says for the rest; where
    that is wrong or missing, it is Latin-1, in which every byte is a character.
    """
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(encoding, "replace").strip(_BLANK)
    named = charset if charset and _CHARSET.fullmatch(charset.lower()) else None
    for encoding in filter(None, (_guess(body), "utf-8", named)):
        try:
            return body.decode(encoding).strip(_BLANK)
        except LookupError, ValueError:
            continue
    return body.decode("latin-1").strip(_BLANK)


def _guess(body: bytes) -> str | None:
    """Return the encoding of JSON in UTF-16 or UTF-32 without a mark, else None."""
    guessed = json.detect_encoding(body)
    return guessed if guessed.startswith(("utf-16", "utf-32")) else None


def decode_json(text: str) -> Json:
    """Return the JSON value in a text; raise ValueError if there is not exactly one."""
    found = _START.search(text) if _begins_with_messages(text) else None
    start = found.end() if found else 0
    answer = text[start:]
    for variant in (answer, _without_trailing_commas(answer)):
        try:
            value, end = _DECODER.raw_decode(variant)
        except ValueError, ArithmeticError, RecursionError:
            continue
        if may_surround(text[:start], variant[end:]):
            result: Json = value
            return result
    raise ValueError("no JSON")


def is_unreadable(text: str) -> bool:
    """Return whether a text is empty, or begins as JSON and is none: it was cut off."""
    if is_page(text):
        return False
    found = _START.search(text) if _begins_with_messages(text) else None
    answer = text[found.end() :] if found else text
    if answer and not answer.startswith(("{", "[")):
        return False
    try:
        decode_json(text)
    except ValueError:
        return True
    return False


def is_page(text: str) -> bool:
    """Return whether a text is a web page, in which nothing is an answer."""
    return _PAGE.search(text) is not None


def is_php_message(text: str) -> bool:
    """Return whether a text begins as a message of PHP in plain text."""
    return _PHP_MESSAGE.match(text) is not None


def may_surround(before: str, after: str) -> bool:
    """Return whether what stands before and after an answer leaves it one.

    A script's messages may stand before it, and tags on both sides; no part of a page.
    """
    before = before.strip(_BLANK)
    return (
        (not before or _begins_with_messages(before))
        and not _TAG.sub("", after).strip(_BLANK)
        and not is_page(before)
        and not is_page(after)
    )


def _begins_with_messages(text: str) -> bool:
    return text.startswith("<") or is_php_message(text)


def _without_trailing_commas(text: str) -> str:
    return _STRING_OR_COMMA.sub(lambda match: "" if match[0] == "," else match[0], text)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that are not empty, with tags taken for line ends."""
    lines = _TAG.sub("\n", text).splitlines()
    return [line.strip() for line in lines if line.strip()]


def salvage_id(text: str, name: str) -> str | None:
    """Return the value of the field of this name in what cannot be decoded.

    Something of an answer that was cut off: an ID that arrived is kept.
    """
    gap = r"\s{0,20}"
    pattern = rf'"{re.escape(name)}"{gap}:{gap}"?(\w[\w-]{{0,63}})"?{gap}[,}}]'
    found = re.search(pattern, text, re.ASCII)
    value = found[1] if found else None
    return None if value in _NO_ID else value
