"""Parsers of values in a provider's answer, whatever type they come in.

Each returns None for what is missing or makes no sense, so that a surprise becomes
"not known" and never a wrong claim.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
import re

from .transport import Json

_MAGNITUDE = 12
"""A number beyond this power of ten, up or down, is not an amount or a count."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}|[0-9]{1,6}")
"""What a `detail` may be: too short for a phone number, too plain for a text."""


def as_object(value: Json) -> dict[str, Json]:
    """Return a JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return a JSON array, or an empty one."""
    return value if isinstance(value, list) else []


def as_identifier(value: Json) -> str | None:
    """Return an id given as a string or an integer, as a string."""
    match value:
        case bool():
            return None
        case int() if value >= 0:
            # Hostile digits would make str() raise; no id is that long.
            return str(value) if value.bit_length() <= 256 else None  # noqa: PLR2004
        case str() if (stripped := value.strip()) and len(stripped) <= 128:  # noqa: PLR2004
            return stripped
        case _:
            return None


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
    """Return a finite number given as a number or a string of one."""
    match value:
        case bool():
            return None
        case int() | Decimal():
            number = Decimal(value)
        case str():
            try:
                number = Decimal(value.strip())
            except InvalidOperation:
                return None
        case _:
            return None
    if not number.is_finite() or abs(number.adjusted()) > _MAGNITUDE:
        return None
    return number


def as_euro(value: Json) -> Decimal | None:
    """Return an amount in euro."""
    return as_decimal(value)


def as_price(value: Json) -> Decimal | None:
    """Return the cost of a message, None if negative."""
    number = as_decimal(value)
    return None if number is None or number < 0 else number


def as_thousandths(value: Json) -> Decimal | None:
    """Return an amount given in thousandths of a euro, in euro."""
    number = as_decimal(value)
    return None if number is None else number / 1000


def as_count(value: Json) -> int | None:
    """Return a count, None if negative (Inviosmart's -9999 is "not known")."""
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
    """Return a time in ISO 8601, None without its offset."""
    if not isinstance(value, str) or len(value) > 40:  # noqa: PLR2004
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.utcoffset() is None else moment
