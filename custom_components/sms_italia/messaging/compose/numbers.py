"""From a phone number as people write it to E.164.

Facts: docs/development/provider-apis/common.md 7. The library behind it is loaded when
the first number comes that is not an Italian mobile in E.164: often none ever comes.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
import re
from typing import TYPE_CHECKING, Final
import unicodedata

from ..model import MIN_DIGITS, NumberProblem, PhoneNumber, mask_number

if TYPE_CHECKING:
    import phonenumbers

# ITU-T E.164 (docs/development/provider-apis/common.md 7).
_MAX_DIGITS: Final = 15
# What has as many digits may be somebody's number.
_DIGITS_OF_A_NUMBER: Final = 6
# Parsing one takes some 50 µs: more than so many would hold up the event loop.
_AT_ONCE: Final = 50

# The second of each, and some separators, are as typed on an East Asian keyboard.
_PLUS_SIGNS: Final = frozenset("+\uff0b")
_SLASHES: Final = frozenset("/\uff0f")
_SEPARATORS: Final = frozenset(".()[]\u2212\uff08\uff09\uff0e")
# Spaces, dashes, and the direction marks that contact apps wrap a number in.
_SEPARATING_CATEGORIES: Final = frozenset({"Zs", "Pd", "Cf"})
# "06 1234567/8" is how two neighbouring lines are written, not one number.
_SHORTHAND: Final = re.compile(r"[0-9]{5}/[0-9]{1,2}")

# Premium series of the Italian numbering plan by their prefixes: the library knows
# only the lengths in use today, and money is at stake. In decade 4, the premium
# SMS numbers, ten digits are mobiles.
_ITALIAN_PREMIUM: Final = re.compile("144|16[346]|89[23459]|4[0-9]{0,8}$")
_ITALIAN_CODE: Final = 39

# Nearly all numbers. The library gives the same result for each of them in thirty
# times the time, which counts with thousands of numbers and with an old ledger.
_ITALIAN_MOBILE: Final = re.compile(r"\+393[0-9]{8,9}")


class NumberError(ValueError):
    """A number that no SMS is sent to; the error shows at most its last digits."""

    def __init__(self, reason: NumberProblem, value: str) -> None:
        """Keep the reason, but of `value` only the mask."""
        super().__init__(f"{reason} phone number {mask_number(value)}")
        self.reason = reason


@cache
def load() -> None:
    """Load the library and the numbering plans of all countries. Blocking.

    `parse_number` touches no file then: the library would otherwise read a plan the
    first time it meets a country. Loading all 254 plans instead of one is affordable:
    measured on two cloud cores, the library takes 15 ms and 0.8 MiB, all plans
    another 35 ms and 1.4 MiB (three times as long before Python has compiled them).
    """
    import phonenumbers  # noqa: PLC0415 - slow: not with the module, but here

    phonenumbers.PhoneMetadata.load_all()


def parse_number(value: str, default_country: str) -> PhoneNumber:
    """Return the one number that `value` means.

    Understood are national numbers of `default_country` (ISO 3166, two letters),
    international ones with "+" or "00", those of the default country without either
    ("393331234567"; by length, "3931234567" is a national number), "tel:", and spaces,
    dots, dashes, brackets, slashes and invisible marks between the digits.

    The length must be possible in the number's country; whether the range is in use
    is left to the provider, since new ranges open before the library knows them.

    Raises `NumberError`: `PREMIUM` for premium-rate numbers, `INVALID` for all else
    (letters, extensions, several numbers in one string, short service numbers).
    Blocking, until `load` was called.
    """
    if _ITALIAN_MOBILE.fullmatch(value):
        return PhoneNumber(value, "IT")

    import phonenumbers  # noqa: PLC0415 - slow: not with the module, but here

    try:
        number = phonenumbers.parse(_dialled(value), default_country)
    except phonenumbers.NumberParseException:
        raise NumberError(NumberProblem.INVALID, value) from None
    possible = phonenumbers.is_possible_number_with_reason(number)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if (
        # A local number, without its area, is "possible" too, but for another reason.
        possible != phonenumbers.ValidationResult.IS_POSSIBLE
        or not MIN_DIGITS <= len(e164) - 1 <= _MAX_DIGITS
        # Of several zeros before a national number one is taken for the trunk prefix:
        # no number begins so, and read again it would be yet another one.
        or phonenumbers.parse(e164) != number
    ):
        raise NumberError(NumberProblem.INVALID, value)
    calling_code = number.country_code or 0
    kind = phonenumbers.number_type(number)
    if kind == phonenumbers.PhoneNumberType.PREMIUM_RATE or (
        calling_code == _ITALIAN_CODE
        and _ITALIAN_PREMIUM.match(phonenumbers.national_significant_number(number))
    ):
        raise NumberError(NumberProblem.PREMIUM, value)
    return PhoneNumber(e164, _country(number))


async def parse_numbers(
    values: Sequence[str], default_country: str
) -> list[PhoneNumber | NumberProblem]:
    """Return for each value the number that it means, or why it is not accepted.

    As `parse_number`, but off the event loop if they are many, or if the library has
    to be loaded first.
    """

    def needs_no_loading() -> bool:
        is_loaded = load.cache_info().currsize > 0
        return is_loaded or all(map(_ITALIAN_MOBILE.fullmatch, values))

    def parse_all() -> list[PhoneNumber | NumberProblem]:
        if not needs_no_loading():
            load()
        return [_number_or_problem(value, default_country) for value in values]

    if len(values) <= _AT_ONCE and needs_no_loading():
        return parse_all()
    return await asyncio.get_running_loop().run_in_executor(None, parse_all)


def _number_or_problem(value: str, default_country: str) -> PhoneNumber | NumberProblem:
    try:
        return parse_number(value, default_country)
    except NumberError as err:
        return err.reason


def country_of(e164: str) -> str:
    """Return the country (ISO 3166, two letters) of a number in E.164, "" for none.

    Raises nothing: any other text has no country. Blocking, as `parse_number`.
    """
    if _ITALIAN_MOBILE.fullmatch(e164):
        return "IT"

    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ""
    return _country(number)


def _country(number: phonenumbers.PhoneNumber) -> str:
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    # Where the library does not know the range, the calling code's main country: the
    # small countries that share a code with another are known by their prefixes.
    country: str = phonenumbers.region_code_for_number(
        number
    ) or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return "" if country == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else country


def shown(given: str) -> str:
    """Return what was given as an error may name it.

    Only the last digits are shown of what may be somebody's number.
    """
    digits = sum(character.isdecimal() for character in given)
    return mask_number(given) if digits >= _DIGITS_OF_A_NUMBER else given


def _dialled(value: str) -> str:
    """Return the digits of `value`, after "+" where it is written as international.

    Raises `NumberError` if anything but one number stands in it.
    """
    written = value.strip()
    if written[:4].lower() == "tel:":
        written = written[4:]
    kept = "".join(_kept(character, value) for character in written)
    if _SHORTHAND.search(kept):
        raise NumberError(NumberProblem.INVALID, value)
    digits = kept.replace("/", "")
    international = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+").removeprefix("00")
    if not digits.isdecimal():
        raise NumberError(NumberProblem.INVALID, value)
    return f"+{digits}" if international else digits


def _kept(character: str, value: str) -> str:
    """Return what a character of a written number means: a digit, "+", "/" or nothing.

    Raises `NumberError` for one that has no place in a number.
    """
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in _PLUS_SIGNS:
        return "+"
    if character in _SLASHES:
        return "/"
    if (
        character in _SEPARATORS
        or unicodedata.category(character) in _SEPARATING_CATEGORIES
    ):
        return ""
    raise NumberError(NumberProblem.INVALID, value)
