"""How phone numbers are understood and refused."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
import subprocess
from threading import get_ident
from typing import override
import unicodedata

from hypothesis import assume, example, given, strategies as st
import phonenumbers
import pytest

from custom_components.sms_italia.messaging.compose.numbers import (
    NumberError,
    country_of,
    is_landline,
    load,
    parse_number,
    parse_numbers,
)
from custom_components.sms_italia.messaging.model import (
    MIN_DIGITS,
    NumberProblem,
    PhoneNumber,
)

from ..programs import python


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Load the numbering plans, as the integration does at set-up."""
    load()


@pytest.mark.parametrize(
    ("value", "e164"),
    [
        # Mobiles of ten and nine digits; those that begin like the country code.
        ("3331234567", "+393331234567"),
        ("333123456", "+39333123456"),
        ("3931234567", "+393931234567"),
        ("3901234567", "+393901234567"),
        ("391234567", "+39391234567"),
        # The country code without a plus.
        ("393331234567", "+393331234567"),
        ("393931234567", "+393931234567"),
        ("39333123456", "+39333123456"),
        ("39391234567", "+39391234567"),
        ("39061234567", "+39061234567"),
        ("390612345678", "+390612345678"),
        # International, in every notation.
        ("+393331234567", "+393331234567"),
        ("00393331234567", "+393331234567"),
        ("0039 333 1234567", "+393331234567"),
        ("(0039) 333-1234567", "+393331234567"),
        ("+0039 333 1234567", "+393331234567"),
        ("(+39) 333.123.45.67", "+393331234567"),
        ("+39 (0)6 1234567", "+39061234567"),
        # Landlines keep their zero.
        ("06 1234567", "+39061234567"),
        ("06/1234567", "+39061234567"),
        ("02-12345678", "+390212345678"),
        ("0341 12345", "+39034112345"),
        ("+39 02 1234", "+39021234"),
        # What people and their apps put in between.
        ("333/1234567", "+393331234567"),
        ("333/123/45/67", "+393331234567"),
        ("[333] 1234567", "+393331234567"),
        ("tel:+39-333-1234567", "+393331234567"),
        ("TEL:3331234567", "+393331234567"),
        ("333\xa0123\u202f4567", "+393331234567"),
        ("\u202a+39 333 1234567\u202c", "+393331234567"),
        ("\u2066\u200e+39\u2011333\u20131234567\u2069\ufeff", "+393331234567"),
        ("  3331234567\n", "+393331234567"),
        # As typed on an East Asian and an Arabic keyboard.
        ("\uff0b39\uff08333\uff091234567", "+393331234567"),
        ("\uff10\uff16\uff0f1234567", "+39061234567"),
        ("\u0663\u0663\u06631234567", "+393331234567"),
        # What is seen as nothing: variation selectors, fillers, controls.
        ("+39\ufe0f-333-123-4567", "+393331234567"),
        ("+39\ufe0d 333\u3164123\x01\u28004567", "+393331234567"),
        # A number to calculate with.
        ("3331234567.0", "+393331234567"),
        ("+393331234567.0", "+393331234567"),
        ("+39 333 123456.0", "+39333123456"),
        ("333 123456.0", "+39333123456"),
        ("tel: 333123456.0", "+39333123456"),
        ("\u200e333123456.0", "+39333123456"),
        ("06 1234567.0", "+39061234567"),
        # Toll free, and the decade 4 mobiles, with their plus.
        ("+39800123456", "+39800123456"),
        ("+39803123", "+39803123"),
        ("+394312345678", "+394312345678"),
        # A range that nobody has opened yet is for the provider to judge.
        ("+397001234567", "+397001234567"),
    ],
)
def test_italian_numbers_are_understood_as_italians_write_them(
    value: str, e164: str
) -> None:
    assert parse_number(value, "IT") == PhoneNumber(e164, "IT")


LINES = st.lists(st.from_regex(r"[0-9]{1,2}", fullmatch=True), min_size=1, max_size=3)


@given(
    st.sampled_from(["06 1234567", "333 123456", "+39 06 12 3 45", "06-12345"]),
    st.sampled_from(["/", "-", " - ", " / ", "\u2013", "\u2212", "\uff0f"]),
    LINES,
)
@example("06 1234567", "-", ["8"])
@example("06 1234567", " - ", ["68"])
@example("333 123456", "-", ["7"])
@example("06 1234567", "/", ["8", "9"])
@example("06-12345", "\u2013", ["6", "78"])
def test_the_shorthand_of_neighbouring_lines_is_no_number(
    line: str, between: str, lines: list[str]
) -> None:
    """It would be the number of somebody else."""
    are_pairs = len(lines) > 1 and {len(one) for one in lines} == {2}
    assume("/" in unicodedata.normalize("NFKC", between) or not are_pairs)
    with pytest.raises(NumberError):
        parse_number(between.join([line, *lines]), "IT")


@pytest.mark.parametrize(
    ("value", "default_country", "e164", "country"),
    [
        ("+41 79 123 45 67", "IT", "+41791234567", "CH"),
        ("0041 79 123 45 67", "IT", "+41791234567", "CH"),
        ("00353/87/1234567", "IT", "+353871234567", "IE"),
        ("+7 912 345-67-89", "IT", "+79123456789", "RU"),
        ("333 123\u201345\u201367", "IT", "+393331234567", "IT"),
        ("079 123 45 67", "CH", "+41791234567", "CH"),
        ("+44 (0)20 7946 0958", "IT", "+442079460958", "GB"),
        ("+1 212 555 2368", "IT", "+12125552368", "US"),
        # 00 is understood in a country that dials 011 too.
        ("0039 333 1234567", "US", "+393331234567", "IT"),
        ("+1 242 365 1234", "IT", "+12423651234", "BS"),
        ("+378 66 66 12 12", "IT", "+37866661212", "SM"),
        ("+39 06 698 12345", "IT", "+390669812345", "VA"),
        # An unknown range counts as the main country of its calling code.
        ("+49 1999 9999 99", "IT", "+491999999999", "DE"),
    ],
)
def test_a_number_has_a_country(
    value: str, default_country: str, e164: str, country: str
) -> None:
    assert parse_number(value, default_country) == PhoneNumber(e164, country)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "+", "00", "tel:", "-", "casa", "Mario Rossi"),
        # Too short or too long to be anybody's.
        *("112", "118", "1", "33312", "+3906", "+39333"),
        *("33312345678901", "+3933312345678901", "9" * 400, "+49 199999999999999"),
        "+683 4002",
        # Letters, extensions, dial codes.
        *("333 CASA 123", "+39 3xx 1234567", "3331234567 int. 5", "3331234567x5"),
        *("3331234567;ext=3", "*#06#", "#31#3331234567", "3331234567,5"),
        # More than one number.
        *("3331234567 3337654321", "3331234567, 3337654321", "3331234567;3337654321"),
        *("3331234567\n3337654321", "333123456\t061234567", "3331234567/3337654321"),
        *("3331234567/68", "06 12345 06 54321 06 12", "+39 06 1234567-68-69"),
        *("+393331234567+393337654321", "++393331234567", "00+393331234567"),
        # Zeros that belong to no number.
        *("+3100000000", "+200000000000", "+44 00 20 7946 095"),
        # An Italian mobile has 9 or 10 digits; one country code is enough.
        *("+3931234567890", "+39 333 1234567 8", "+39 39 333 1234567"),
        "+39 (0)333 12345678",
        *("+49 49 171 1234567", "+41 0041 79 1234567", "+39 0039 333 1234567"),
        # A mobile as it is dialled in other countries is nobody's number in Italy.
        *("03331234567", "+39 0333 1234567", "0039 0347/1234567", "390333 1234567"),
        # Neither a mobile nor a landline, and no plus.
        *("800123456", "803123", "7001234567"),
        # Rounded to two decimals, or in pairs: nobody can tell.
        *("3906123456.00", "+39061234567.00", "333123456.00", "06.12345.00"),
        "3331234567.0.0",
        # No such country; not digits.
        *("+999123456789", "+0123456789", "3331234567²", "½33123456"),
    ],
)
def test_what_is_not_one_number_is_refused(value: str) -> None:
    with pytest.raises(NumberError) as refused:
        parse_number(value, "IT")
    assert refused.value.reason is NumberProblem.INVALID


@pytest.mark.parametrize(
    ("value", "default_country"),
    [
        ("3331234567", ""),
        ("3331234567", "XX"),
        # Without its area code a number can be dialled only from the same town.
        ("2530000", "US"),
    ],
)
def test_a_national_number_needs_the_country_it_is_of(
    value: str, default_country: str
) -> None:
    with pytest.raises(NumberError) as refused:
        parse_number(value, default_country)
    assert refused.value.reason is NumberProblem.INVALID


@pytest.mark.parametrize(
    "value",
    [
        *("899123456", "+39 899 123456", "0039899123456", "892424", "892123456"),
        *("893123456", "894123456", "895123456", "8951234567", "39899123456"),
        *("144123456", "166123456", "163123456", "164123456", "1441234567"),
        # Premium SMS of decade 4.
        *("45501", "48383", "482123456", "+39 4812345", "0878 12345"),
        *("+33 899 123456", "+44 906 123 4567", "+41900123456", "+1 900 555 1234"),
        *("+39848123456", "848123456", "199123456"),
        # Personal and access numbers, pagers, satellites.
        *(
            "+44 7000 000 000",
            "+44 7640 123456",
            "+49 700 12345678",
            "+979 1 2345 6789",
        ),
        *("+8816 1234 5678", "+870 773 111 632", "+883 5100 1234 5678"),
    ],
)
def test_premium_numbers_are_refused(value: str) -> None:
    with pytest.raises(NumberError) as refused:
        parse_number(value, "IT")
    assert refused.value.reason is NumberProblem.PREMIUM


@pytest.mark.parametrize(
    ("value", "default_country"),
    [
        ("33612345678", "IT"),
        ("41791234567", "IT"),
        ("447976399087", "IT"),
        ("40712345678", "IT"),
        ("447976399087.0", "IT"),
        ("393331234567", "FR"),
        ("393331234567", "DE"),
    ],
)
def test_a_bare_number_of_another_country_has_lost_its_plus(
    value: str, default_country: str
) -> None:
    with pytest.raises(NumberError) as refused:
        parse_number(value, default_country)
    assert refused.value.reason is NumberProblem.LOST_PLUS
    whole = f"+{value.removesuffix('.0')}"
    assert parse_number(whole, default_country).e164 == whole


@pytest.mark.parametrize(
    ("value", "e164"),
    [
        ("+49 (0)171 1234567", "+491711234567"),
        ("+44 (0)7976 399087", "+447976399087"),
        ("+39 (0)333 1234567", "+393331234567"),
        ("+39 (0)6 1234567", "+39061234567"),
    ],
)
def test_a_zero_in_brackets_is_read_rightly(value: str, e164: str) -> None:
    assert parse_number(value, "IT").e164 == e164


HOMES = {"IT": "", "DE": "0", "CH": "0", "SM": ""}
"""What is dialled there before the national number."""

ALSO_WHOLE = {"IT": {"AD", "IS"}}
"""Foreign mobiles that without their plus are whole numbers of a country as well."""


def mobile_of(country: str) -> str | None:
    """Return the library's example of a country's mobiles, in E.164."""
    example = phonenumbers.example_number_for_type(
        country, phonenumbers.PhoneNumberType.MOBILE
    )
    if example is None:
        return None
    e164: str = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    return e164


@pytest.mark.parametrize("home", HOMES)
def test_a_foreign_mobile_without_its_plus_goes_to_nobody_else(home: str) -> None:
    """But for those that are whole numbers there as well, which nobody can tell."""
    wrong: set[str] = set()
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        meant = mobile_of(country)
        if meant is None:
            continue
        with suppress(NumberError):
            if parse_number(meant.removeprefix("+"), home).e164 != meant:
                wrong.add(country)
    assert wrong == ALSO_WHOLE.get(home, set())


@pytest.mark.parametrize("home", HOMES)
def test_every_number_of_the_own_country_is_taken_as_people_write_it(home: str) -> None:
    types = phonenumbers.PhoneNumberType
    for kind in (types.MOBILE, types.FIXED_LINE):
        example = phonenumbers.example_number_for_type(home, kind)
        assert example is not None
        formats = phonenumbers.PhoneNumberFormat
        e164 = phonenumbers.format_number(example, formats.E164)
        national = phonenumbers.format_number(example, formats.NATIONAL)
        international = phonenumbers.format_number(example, formats.INTERNATIONAL)
        digits = e164.removeprefix("+")
        written = {
            national,
            national.replace(" ", ""),
            national.replace(" ", "."),
            national.replace(" ", "/", 1),
            international,
            international.replace(" ", "-"),
            f"00{digits}",
            f"tel:{e164}",
            digits,
        }
        assert {parse_number(one, home).e164 for one in written} == {e164}


def numbers_of(country: str) -> st.SearchStrategy[phonenumbers.PhoneNumber]:
    """Return valid mobiles and landlines of a country, by its numbering plan."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country)
    assert plan is not None
    patterns = {
        kind.national_number_pattern
        for kind in (plan.mobile, plan.fixed_line)
        if kind is not None and kind.national_number_pattern is not None
    }
    nationals = [
        st.from_regex(one, fullmatch=True, alphabet="0123456789")
        for one in sorted(patterns)
    ]
    found: st.SearchStrategy[phonenumbers.PhoneNumber] = (
        st.one_of(nationals)
        .map(lambda national: phonenumbers.parse(f"+{plan.country_code}{national}"))
        .filter(partial(is_valid_in, country))
    )
    return found


def is_valid_in(country: str, number: phonenumbers.PhoneNumber) -> bool:
    """Return whether a mobile or landline is one of a country."""
    types = phonenumbers.PhoneNumberType
    usual = {types.MOBILE, types.FIXED_LINE, types.FIXED_LINE_OR_MOBILE}
    national = phonenumbers.national_significant_number(number)
    return (
        phonenumbers.is_valid_number_for_region(number, country)
        and phonenumbers.number_type(number) in usual
        and MIN_DIGITS <= len(bare_of(number)) <= 15
        # The decade 4 needs its plus, or it would rather be Austrian; landlines that
        # the library takes for possible have a digit more than any that exists.
        and not (country == "IT" and (national[0] == "4" or len(national) > 11))
    )


def e164_of(number: phonenumbers.PhoneNumber) -> str:
    """Return a number in E.164."""
    e164: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164


def bare_of(number: phonenumbers.PhoneNumber) -> str:
    """Return a number in E.164 without its plus."""
    return e164_of(number).removeprefix("+")


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("between", ["", " ", ".", "-", "/", "\u00a0"], ids=ascii)
@given(data=st.data())
def test_any_number_of_the_own_country_is_taken_in_its_usual_spellings(
    home: str, between: str, data: st.DataObject
) -> None:
    number = data.draw(numbers_of(home))
    code = str(number.country_code)
    national = phonenumbers.national_significant_number(number)
    is_landline = (
        phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE
    )
    # Rather a mobile that has its country code twice.
    assume(not (is_landline and national.startswith(code)))
    # As long as a mobile that begins with 39, it is one.
    is_clear = code != "39" or len(national) > 8
    cut = data.draw(st.integers(min_value=2, max_value=len(national) - 3))
    grouped = f"{national[:cut]}{between}{national[cut:]}"
    written = {
        f"{HOMES[home]}{grouped}",
        f"+{code}{between}{grouped}",
        f"00{code}{between}{grouped}",
        *((f"{code}{between}{grouped}",) if is_clear else ()),
    }
    assert {parse_number(one, home).e164 for one in written} == {e164_of(number)}


@pytest.mark.parametrize("home", HOMES)
@given(data=st.data())
def test_any_foreign_number_without_its_plus_goes_to_nobody_abroad_by_mistake(
    home: str, data: st.DataObject
) -> None:
    """It is refused, or the one that was meant, or a whole one of the own country."""
    country = data.draw(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
    number = data.draw(numbers_of(country))
    meant = e164_of(number)
    bare = meant.removeprefix("+")
    try:
        taken = parse_number(bare, home)
    except NumberError:
        return
    read = phonenumbers.parse(taken.e164)
    national = phonenumbers.national_significant_number(read)
    whole = {f"{HOMES[home]}{national}", bare_of(read)}
    is_own = read.country_code == phonenumbers.country_code_for_region(home)
    assert taken.e164 == meant or (is_own and bare in whole)


@given(
    st.from_regex(r"3[0-9]{8,9}|0[1-9][0-9]{4,8}", fullmatch=True),
    st.sampled_from(("", "39", "+39", "0039")),
    st.sampled_from(("", " ", "-", ".")),
)
def test_an_italian_mobile_or_landline_is_taken_in_every_spelling(
    national: str, prefix: str, between: str
) -> None:
    # As long as a mobile that begins with 39, it is one.
    assume(prefix != "39" or len(national) > 8)
    written = f"{prefix}{between}{national[:3]}{between}{national[3:]}"
    assert parse_number(written, "IT").e164 == f"+39{national}"


@given(st.from_regex(r"\+393[0-9]{8,9}", fullmatch=True))
def test_the_library_agrees_on_italian_mobiles_which_it_is_not_asked_about(
    value: str,
) -> None:
    number = phonenumbers.parse(value)
    assert phonenumbers.is_possible_number(number)
    assert phonenumbers.number_type(number) != phonenumbers.PhoneNumberType.PREMIUM_RATE
    assert phonenumbers.region_code_for_number(number) in {"IT", None}
    assert parse_number(value, "FR") == PhoneNumber(value, "IT")
    assert country_of(value) == "IT"


@given(st.from_regex(r"(\+|00)?[0-9 ./-]{6,16}", fullmatch=True))
@example("+3100000000")
def test_a_number_in_e164_stays_what_it_is(value: str) -> None:
    try:
        number = parse_number(value, "IT")
    except NumberError:
        return
    assert 8 <= len(number.e164) - 1 <= 15
    assert number.e164.startswith("+")
    for default_country in ("IT", "US", ""):
        assert parse_number(number.e164, default_country) == number


@pytest.mark.parametrize("times", [1, 40])
async def test_many_values_are_understood_as_each_is(times: int) -> None:
    values = ["333 1234567", "casa", "899123456", "+41 79 123 45 67"] * times
    assert (
        await parse_numbers(values, "IT")
        == [
            PhoneNumber("+393331234567", "IT"),
            NumberProblem.INVALID,
            NumberProblem.PREMIUM,
            PhoneNumber("+41791234567", "CH"),
        ]
        * times
    )


class Noting(list[str]):
    """Values that note who goes over them."""

    thread: int | None = None

    @override
    def __iter__(self) -> Iterator[str]:
        self.thread = get_ident()
        return super().__iter__()


@pytest.mark.parametrize(("count", "is_here"), [(1, True), (5000, False)])
async def test_many_values_do_not_hold_up_the_event_loop(
    count: int, *, is_here: bool
) -> None:
    values = Noting(f"+39333{index:07}" for index in range(count))
    assert len(await parse_numbers(values, "IT")) == count
    assert (values.thread == get_ident()) is is_here


@pytest.mark.parametrize(
    ("e164", "country"),
    [
        ("+393331234567", "IT"),
        ("+390669812345", "VA"),
        ("+491999999999", "DE"),
        ("+881612345678", ""),
        ("casa", ""),
        ("", ""),
        ("group:7", ""),
    ],
)
def test_a_number_on_record_has_a_country(e164: str, country: str) -> None:
    assert country_of(e164) == country


@given(st.text())
def test_any_text_is_a_number_or_is_refused(value: str) -> None:
    with suppress(NumberError):
        assert parse_number(value, "IT").e164[1:].isdecimal()


@pytest.mark.parametrize("value", ["899123456", "333 123 4567 89012345", "casa12345"])
def test_a_refusal_shows_at_most_three_digits(value: str) -> None:
    with pytest.raises(NumberError) as refused:
        parse_number(value, "IT")
    assert sum(map(str.isdigit, str(refused.value))) <= 3
    assert value not in repr(refused.value)


def test_a_number_does_not_show_its_digits_in_its_repr() -> None:
    assert "4567" not in repr(parse_number("3331234567", "IT"))


def test_nothing_is_read_from_disk_once_the_plans_are_loaded() -> None:
    """Numbers of every country are parsed on the event loop."""
    examples = [
        phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in phonenumbers.PhoneNumberType.values()
        if (example := phonenumbers.example_number_for_type(region, kind))
    ]
    assert len(examples) > 1000
    program = """
        import sys
        from custom_components.sms_italia.messaging.compose import numbers

        assert "phonenumbers" not in sys.modules, "importing the module is not cheap"
        numbers.load()
        examples = sys.stdin.read().split()
        touched = []

        def watch(event, arguments):
            if event in {"open", "import", "os.listdir", "os.scandir"}:
                touched.append((event, arguments[0]))

        sys.addaudithook(watch)
        for number in examples:
            try:
                numbers.parse_number(number, "IT")
            except numbers.NumberError:
                pass  # premium, or too short for us: refused after every look-up
        assert not touched, touched[:9]
    """
    finished = subprocess.run(  # noqa: S603 - our own program
        python(program),
        input="\n".join(examples),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def test_the_library_is_loaded_off_the_event_loop_and_only_when_it_is_needed() -> None:
    program = """
        import asyncio
        import sys
        from threading import get_ident
        from custom_components.sms_italia.messaging.compose.numbers import parse_numbers

        threads = set()

        def watch(event, arguments):
            if event == "import" and arguments[0].startswith("phonenumbers"):
                threads.add(get_ident())

        async def main():
            sys.addaudithook(watch)
            for values in (["+393331234567"], ["+393331234567"] * 1000):
                await parse_numbers(values, "IT")
            assert "phonenumbers" not in sys.modules
            for _ in range(2):
                (number,) = await parse_numbers(["+41 79 123 45 67"], "IT")
                assert (number.e164, number.country) == ("+41791234567", "CH")
            assert threads and get_ident() not in threads

        asyncio.run(main())
    """
    finished = subprocess.run(  # noqa: S603 - our own program
        python(program),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize(
    ("e164", "expected"),
    [
        ("+393331234567", False),
        ("+390612345678", True),
        ("+41443321234", True),
        ("+41791234567", False),
        # In North America nobody can tell one from the other.
        ("+12125551234", False),
        ("", False),
        ("ciao", False),
    ],
)
def test_a_landline_is_known_where_numbers_tell(e164: str, *, expected: bool) -> None:
    assert is_landline(e164) is expected
