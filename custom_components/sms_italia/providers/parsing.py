"""Parsers of values in a provider's answer, whatever type they come in.

Each returns None for what is missing or makes no sense, so that a surprise becomes
"not known" and never a wrong claim.
"""

from datetime import UTC, datetime
from decimal import Decimal
import re

from .decoding import Json

_MAGNITUDE = 12
"""A number beyond this power of ten, up or down, is not an amount or a count."""

_MAX_BITS = 64
_MAX_PRICE = 100
"""Euro; no message costs more."""
_MAX_PARTS = 255
"""What concatenation itself allows."""

_PLAIN = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
# Each mark in its one role: `1,112.24` or `1.112,24`.
_GROUPED = re.compile(
    r"(?P<sign>[+-]?)"
    r"(?P<whole>[1-9][0-9]{0,2}(?:(?P<group>[.,])[0-9]{3})(?:(?P=group)[0-9]{3}){0,5})"
    r"(?!(?P=group))[.,](?P<decimals>[0-9]{1,30})"
)
# Two marks of one kind are no decimals: `1,112,345`.
_THOUSANDS = re.compile(
    r"[+-]?[1-9][0-9]{0,2}(?P<group>[.,])[0-9]{3}(?:(?P=group)[0-9]{3}){1,5}"
)
# Not `1,112`, which may be either; no group of thousands is `0,` or `1112,`.
_DECIMAL_COMMA = re.compile(
    r"[+-]?(?:[0-9]{1,30},(?:[0-9]{1,2}|[0-9]{4,30})|(?:0|[0-9]{4,30}),[0-9]{3})"
)
_GROUPED_COUNT = re.compile(
    r"[1-9][0-9]{0,2}(?P<group>[.,])[0-9]{3}(?:(?P=group)[0-9]{3}){0,5}"
)

_CODE = re.compile(r"(?!.*[0-9]{7})[A-Za-z][A-Za-z0-9_]{0,39}|[0-9]{1,6}")
"""What a `detail` may be: too few digits for a phone number, too plain for a text."""


def as_object(value: Json) -> dict[str, Json]:
    """Return a JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return a JSON array, or an empty one."""
    return value if isinstance(value, list) else []


def as_identifier(value: Json) -> str | None:
    """Return an id given as a string or an integer, as a string.

    Half a character, which nothing could store or send, becomes "?".
    """
    match value:
        case bool():
            return None
        case int() if value >= 0:
            # Hostile digits would make str() raise; no id is that long.
            return str(value) if value.bit_length() <= 256 else None  # noqa: PLR2004
        case str() if (stripped := value.strip()) and len(stripped) <= 128:  # noqa: PLR2004
            return stripped.encode("utf-8", "replace").decode()
        case _:
            return None


def as_message_id(value: Json) -> str | None:
    """Return a message's ID, which is a number however it comes."""
    found = as_identifier(value)
    return found if found and found.isascii() and found.isdecimal() else None


def as_code(value: Json) -> str | None:
    """Return a provider's error code, status or field name, fit for a `detail`."""
    code = as_identifier(value)
    return code if code is not None and _CODE.fullmatch(code) else None


def as_number(value: Json) -> str | None:
    """Return a phone number as E.164 with "+", however the provider wrote it.

    Providers give it with or without "+", as a string or an integer.
    """
    number = as_identifier(value)
    if number is None:
        return None
    digits = "".join(re.findall(r"[0-9]", number)).removeprefix("00")
    return f"+{digits}" if digits else None


def as_decimal(value: Json) -> Decimal | None:
    """Return a finite number given as a number or as a text of one, whole.

    A text may group thousands and use either mark for decimals where that is
    unambiguous: `1,112.24`, `1.112,24` and `112,24` are read, `1,112` is not.
    """
    match value:
        case bool():
            return None
        case int() if value.bit_length() > _MAX_BITS:
            return None
        case int() | Decimal():
            number = Decimal(value)
        case str():
            return _decimal_in(value.strip())
        case _:
            return None
    return number if _is_reasonable(number) else None


def _decimal_in(text: str) -> Decimal | None:
    if _PLAIN.fullmatch(text):
        number = Decimal(text)
    elif found := _GROUPED.fullmatch(text):
        sign, whole, decimals = found["sign"], found["whole"], found["decimals"]
        number = Decimal(f"{sign}{re.sub('[.,]', '', whole)}.{decimals}")
    elif _THOUSANDS.fullmatch(text):
        number = Decimal(re.sub("[.,]", "", text))
    elif _DECIMAL_COMMA.fullmatch(text):
        number = Decimal(text.replace(",", "."))
    else:
        return None
    return number if _is_reasonable(number) else None


def _is_reasonable(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) <= _MAGNITUDE


def as_euro(value: Json) -> Decimal | None:
    """Return an amount in euro."""
    return as_decimal(value)


def as_price(value: Json) -> Decimal | None:
    """Return the cost of a message in euro, None beyond reason: below 0, above 100."""
    number = as_decimal(value)
    return number if number is not None and 0 <= number <= _MAX_PRICE else None


def as_parts(value: Json) -> int | None:
    """Return the parts of a message, None beyond reason: below 1, above 255."""
    number = as_count(value)
    return number if number is not None and 1 <= number <= _MAX_PARTS else None


def as_thousandths(value: Json) -> Decimal | None:
    """Return an amount given in thousandths of a euro, in euro."""
    number = as_decimal(value)
    return None if number is None else number / 1000


def as_count(value: Json) -> int | None:
    """Return a count, None if negative (Inviosmart's -9999 is "not known").

    A count has no decimals, so that `19,513` and `19.513` in a text are 19513.
    """
    if isinstance(value, str) and _GROUPED_COUNT.fullmatch(value.strip()):
        value = re.sub("[.,]", "", value.strip())
    number = as_decimal(value)
    if number is None or number < 0 or number != number.to_integral_value():
        return None
    return int(number)


def as_flag(value: Json) -> bool | None:
    """Return a boolean given as one, as 0 or 1, or as the word for it."""
    match value:
        case bool():
            return value
        case int() | str():
            return {"1": True, "true": True, "0": False, "false": False}.get(
                as_identifier(value) or ""
            )
        case _:
            return None


def as_moment(value: Json) -> datetime | None:
    """Return a time in ISO 8601, None without its offset or out of all calendars."""
    if not isinstance(value, str) or len(value) > 40:  # noqa: PLR2004
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return None if moment.utcoffset() is None else moment
