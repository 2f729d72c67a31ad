"""From a phone number as people write it to E.164.

Facts: docs/development/provider-apis/common.md 7. The library behind it is loaded when
the first number comes that is not an Italian mobile in E.164: often none ever comes.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
import re
from typing import TYPE_CHECKING, Final
import unicodedata

from ..model import MIN_DIGITS, NumberProblem, PhoneNumber, mask_number

if TYPE_CHECKING:
    import phonenumbers

# ITU-T E.164 (docs/development/provider-apis/common.md 7).
_MAX_DIGITS: Final = 15
# Longer than any way to write a number.
_MOST_CHARACTERS: Final = 40
# Parsing one takes some 50 µs: more than so many would hold up the event loop.
_AT_ONCE: Final = 50

# The second of each, and some separators, are as typed on an East Asian keyboard.
_PLUS_SIGNS: Final = frozenset("+\uff0b")
_SLASHES: Final = frozenset("/\uff0f")
_MINUS_SIGNS: Final = frozenset("\u2212")
_SEPARATORS: Final = frozenset(".()[]\uff08\uff09\uff0e")
# What nobody sees: spaces, controls, the direction marks that contact apps wrap a
# number in, what changes the look of the character before, and fillers.
_SEPARATING_CATEGORIES: Final = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc", "Mn", "Me"})
_DASHES: Final = "Pd"
_FILLERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# "06 1234567/8" and "06 1234567-68" are how two neighbouring lines are written, not one
# number. "345-67-89" is one: pairs with dashes are how many countries group digits.
_SHORTHAND: Final = re.compile(
    r".*[0-9]{5}(?!(?:-[0-9]{2}){2,}$)(?:[/-][0-9]{1,2})+",
)
# What parts several numbers in one text.
_BETWEEN_NUMBERS: Final = re.compile(r"[,;\n]")
# A number that was taken for one to calculate with: "3331234567.0".
_CALCULATED: Final = re.compile(r"(.*[0-9])\.0")
# The same more than once or with two decimals, if it is not a pair of digits.
_DECIMALS: Final = (".0", ".00")
# "+49 (0)171 ...": the zero is dialled only without the country code, but in Italy.
_TRUNK_ZERO: Final = re.compile(r"\(\s*0\s*\)")

# Premium series of the Italian numbering plan by their prefixes: the library knows
# only the lengths in use today, and money is at stake. In decade 4, the premium
# SMS numbers, ten digits are mobiles.
_ITALIAN_PREMIUM: Final = re.compile("144|16[346]|89[23459]|4[0-9]{0,8}$")
_ITALIAN_CODE: Final = 39
# Whole Italian numbers: new series of mobiles are in use before the library knows them.
_ITALIAN_NATIONAL: Final = re.compile("3[0-9]{8,9}|0[0-9]{5,10}")
_ITALIAN_MOBILE_SERIES: Final = "3"
# A landline of eleven digits, or a mobile as it is dialled in other countries.
_ZERO_AND_MOBILE: Final = re.compile("03[0-9]{9}")
# What most countries dial before a national number.
_TRUNK_PREFIX: Final = "0"

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


def split_numbers(value: str) -> list[str]:
    """Return the pieces of a text that may hold several numbers."""
    pieces = (piece.strip() for piece in _BETWEEN_NUMBERS.split(value))
    return [piece for piece in pieces if piece]


def parse_number(value: str, default_country: str) -> PhoneNumber:
    """Return the one number that `value` means.

    Understood are international numbers with "+" or "00", "tel:", and spaces, dots,
    dashes, brackets, slashes and invisible marks between the digits. Home Assistant
    strips the plus of a number in templates, in YAML and in its editor, so a bare one
    must be a whole number of `default_country` (ISO 3166, two letters), as it is
    dialled there or behind the country code.

    The length must be possible in the number's country; whether the range is in use
    is left to the provider, since new ranges open before the library knows them.

    Raises `NumberError`: `PREMIUM` for premium, shared-cost, personal, pager and
    satellite numbers, `LOST_PLUS` for a bare number that is one of another country,
    `INVALID` for all else (letters, extensions, several numbers in one string, short
    service numbers). Blocking, until `load` was called.
    """
    if _ITALIAN_MOBILE.fullmatch(value):
        return PhoneNumber(value, "IT")

    import phonenumbers  # noqa: PLC0415 - slow: not with the module, but here

    try:
        number = _read(_dialled(value), default_country, value)
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
        or _is_no_italian(number)
    ):
        raise NumberError(NumberProblem.INVALID, value)
    if _is_never_sent_to(number):
        raise NumberError(NumberProblem.PREMIUM, value)
    return PhoneNumber(e164, _country(number))


def _read(dialled: str, default_country: str, value: str) -> phonenumbers.PhoneNumber:
    """Return the number of what is dialled. Raises NumberError or as the library."""
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    if dialled.startswith("+"):
        number = phonenumbers.parse(dialled)
        if _has_code_twice(number, dialled):
            raise NumberError(NumberProblem.INVALID, value)
        if not _TRUNK_ZERO.search(value):
            return number
        without = phonenumbers.parse(_dialled(_TRUNK_ZERO.sub("", value)))
        whole = [one for one in (number, without) if phonenumbers.is_valid_number(one)]
        if not whole or (len(whole) > 1 and number != without):
            raise NumberError(NumberProblem.INVALID, value)
        return whole[0]
    candidates = list(_bare(dialled, default_country))
    for one in candidates:
        if _is_whole(one, default_country, dialled):
            return one
    if _is_foreign(dialled, default_country):
        raise NumberError(NumberProblem.LOST_PLUS, value)
    is_premium = any(map(_is_never_sent_to, candidates))
    problem = NumberProblem.PREMIUM if is_premium else NumberProblem.INVALID
    raise NumberError(problem, value)


def _has_code_twice(number: phonenumbers.PhoneNumber, dialled: str) -> bool:
    """Return whether a number is rather one that has its country code twice.

    It is another one without the first: not even the whole is valid, or it would be a
    landline where the other is a mobile.
    """
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    code = str(number.country_code)
    rest = dialled.removeprefix(f"+{code}").removeprefix("00")
    if not rest.startswith(code):
        return False
    try:
        other = phonenumbers.parse(f"+{rest}")
    except phonenumbers.NumberParseException:
        return False
    types = phonenumbers.PhoneNumberType
    is_mobile = phonenumbers.number_type(other) == types.MOBILE
    is_landline = phonenumbers.number_type(number) == types.FIXED_LINE
    if phonenumbers.is_valid_number(number):
        return is_mobile and is_landline
    return bool(phonenumbers.is_valid_number(other))


def _is_foreign(dialled: str, default_country: str) -> bool:
    """Return whether a bare number is one of another country behind its code."""
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    try:
        number = phonenumbers.parse(f"+{dialled}")
    except phonenumbers.NumberParseException:
        return False
    home = phonenumbers.country_code_for_region(default_country)
    return number.country_code != home and phonenumbers.is_valid_number(number)


def _bare(dialled: str, default_country: str) -> Iterator[phonenumbers.PhoneNumber]:
    """Go over what a bare number may be in a country: as dialled there, or in full."""
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    yield phonenumbers.parse(dialled, default_country)
    code = phonenumbers.country_code_for_region(default_country)
    if dialled.startswith(str(code)):
        yield phonenumbers.parse(f"+{dialled}")


def _is_whole(
    number: phonenumbers.PhoneNumber, default_country: str, dialled: str
) -> bool:
    """Return whether a bare number is a whole one of a country, by type and length.

    Where national numbers are dialled with a zero, it must stand there.
    """
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    national = phonenumbers.national_significant_number(number)
    prefix = phonenumbers.ndd_prefix_for_region(default_country, strip_non_digits=True)
    forms = {f"{number.country_code}{national}", f"{prefix or ''}{national}"}
    if prefix != _TRUNK_PREFIX:
        forms.add(national)
    if dialled not in forms:
        return False
    if phonenumbers.country_code_for_region(default_country) == _ITALIAN_CODE:
        return _ITALIAN_NATIONAL.fullmatch(national) is not None
    return bool(phonenumbers.is_valid_number_for_region(number, default_country))


def _is_no_italian(number: phonenumbers.PhoneNumber) -> bool:
    """Return whether an Italian mobile has too many digits, or a zero before it."""
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    if number.country_code != _ITALIAN_CODE:
        return False
    national = phonenumbers.national_significant_number(number)
    if _ZERO_AND_MOBILE.fullmatch(national):
        return not phonenumbers.is_valid_number(number)
    return (
        national.startswith(_ITALIAN_MOBILE_SERIES)
        and _ITALIAN_NATIONAL.fullmatch(national) is None
    )


def _is_never_sent_to(number: phonenumbers.PhoneNumber) -> bool:
    """Return whether a number costs more than a call, or is nobody's phone.

    Satellite phones and the like have a country code, but no country.
    """
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    types = phonenumbers.PhoneNumberType
    refused = {
        types.PREMIUM_RATE,
        types.SHARED_COST,
        types.PERSONAL_NUMBER,
        types.UAN,
        types.PAGER,
        types.VOICEMAIL,
    }
    national = phonenumbers.national_significant_number(number)
    is_italian = number.country_code == _ITALIAN_CODE
    country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return (
        phonenumbers.number_type(number) in refused
        or country == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
        or (is_italian and _ITALIAN_PREMIUM.match(national) is not None)
    )


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
    if len(value) > _MOST_CHARACTERS:
        return NumberProblem.INVALID
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


def is_landline(e164: str) -> bool:
    """Return whether a number in E.164 is a landline, which few networks take SMS for.

    Raises nothing: any other text is none. Blocking, as `parse_number`.
    """
    if _ITALIAN_MOBILE.fullmatch(e164):
        return False

    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return False
    is_fixed = phonenumbers.PhoneNumberType.FIXED_LINE
    return bool(phonenumbers.number_type(number) == is_fixed)


def _country(number: phonenumbers.PhoneNumber) -> str:
    import phonenumbers  # noqa: PLC0415 - as in `parse_number`

    # Where the library does not know the range, the calling code's main country: the
    # small countries that share a code with another are known by their prefixes.
    country: str = phonenumbers.region_code_for_number(
        number
    ) or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return "" if country == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else country


def _dialled(value: str) -> str:
    """Return the digits of `value`, after "+" where it is written as international.

    Raises `NumberError` if anything but one number stands in it.
    """
    written = value.strip()
    if written[:4].lower() == "tel:":
        written = written[4:]
    # A dot parts groups of digits, but the last of them is never a zero alone.
    dotted = "".join(one if one == "." else _kept(one, value) for one in written)
    if calculated := _CALCULATED.fullmatch(dotted):
        dotted = calculated[1]
    if dotted.endswith(_DECIMALS):
        raise NumberError(NumberProblem.INVALID, value)
    kept = dotted.replace(".", "")
    if _SHORTHAND.fullmatch(kept):
        raise NumberError(NumberProblem.INVALID, value)
    digits = kept.replace("/", "").replace("-", "")
    international = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+").removeprefix("00")
    if not digits.isdecimal():
        raise NumberError(NumberProblem.INVALID, value)
    return f"+{digits}" if international else digits


def _kept(character: str, value: str) -> str:
    """Return what a character of a written number means: itself, or nothing.

    Of digits, plus signs, slashes and dashes the ASCII ones.

    Raises `NumberError` for one that has no place in a number.
    """
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in _PLUS_SIGNS:
        return "+"
    if character in _SLASHES:
        return "/"
    category = unicodedata.category(character)
    if character in _MINUS_SIGNS or category == _DASHES:
        return "-"
    if (
        character in _SEPARATORS
        or character in _FILLERS
        or category in _SEPARATING_CATEGORIES
    ):
        return ""
    raise NumberError(NumberProblem.INVALID, value)
