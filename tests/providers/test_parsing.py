"""Values are read out of answers of any type, or not at all."""

from datetime import UTC, datetime
from decimal import Decimal
import re
import time

from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.parsing import (
    as_code,
    as_count,
    as_decimal,
    as_euro,
    as_flag,
    as_identifier,
    as_list,
    as_moment,
    as_number,
    as_object,
    as_parts,
    as_price,
    as_thousandths,
)

from .helpers import LONG, QUADRATIC

SCALARS: st.SearchStrategy[Json] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.text()
    | st.from_regex(r"[-+ 0-9eE.,_']+", fullmatch=True)
)
JSON: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_no_value_ever_makes_a_reader_raise(value: Json) -> None:
    assert isinstance(as_object(value), dict)
    assert isinstance(as_list(value), list)
    flag = as_flag(value)
    assert flag is None or isinstance(flag, bool)
    moment = as_moment(value)
    assert moment is None or moment.astimezone(UTC).utcoffset() is not None
    identifier = as_identifier(value)
    assert identifier is None or 0 < len(identifier) <= 128
    assert identifier is None or identifier.encode().decode() == identifier
    code = as_code(value)
    assert code is None or len(code) <= 40
    number = as_number(value)
    assert number is None or (number[0] == "+" and number[1:].isdecimal())
    for amount in (as_decimal(value), as_euro(value), as_thousandths(value)):
        assert amount is None or amount.is_finite()
        assert amount is None or len(f"{amount:f}") < 5000
    price = as_price(value)
    assert price is None or 0 <= price <= 100
    parts = as_parts(value)
    assert parts is None or 1 <= parts <= 255
    count = as_count(value)
    assert count is None or 0 <= count < 10**13


@given(st.integers(min_value=0, max_value=10**12))
def test_a_count_may_be_a_number_or_a_string_of_one(count: int) -> None:
    for value in (count, str(count), f" {count} ", Decimal(count), f"{count}.0"):
        assert as_count(value) == count


def italian(text: str) -> str:
    """Return a number with the marks that Italy writes."""
    return text.translate({ord(","): ".", ord("."): ","})


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_an_amount_is_read_however_its_thousands_are_grouped(amount: Decimal) -> None:
    for text in (f"{amount:.2f}", f"{amount:,.2f}"):
        assert as_decimal(text) == amount
        assert as_decimal(italian(text)) == amount
        assert as_decimal(f" {text}\n") == amount


@given(st.integers(min_value=0, max_value=10**12))
def test_a_count_is_read_however_its_thousands_are_grouped(count: int) -> None:
    assert as_count(f"{count:,}") == count
    assert as_count(italian(f"{count:,}")) == count


@given(st.from_regex(r"[+-]?[0-9.,]{1,16}", fullmatch=True))
def test_a_text_of_digits_is_a_number_whole_or_not_at_all(text: str) -> None:
    number = as_decimal(text)
    if number is not None:
        shown = f"{number:f}".lstrip("-").replace(".", "")
        digits = re.sub(r"[^0-9]", "", text)
        assert shown.lstrip("0") == digits.lstrip("0")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,112.24", "1112.24"),
        ("1.112,24", "1112.24"),
        ("1,112,345.6", "1112345.6"),
        ("1.112.345,678", "1112345.678"),
        ("112,24", "112.24"),
        ("0,057", "0.057"),
        ("0,5", "0.5"),
        ("1112,345", "1112.345"),
        ("-1,112.24", "-1112.24"),
        ("+7.5", "7.5"),
        ("1.112", "1.112"),
        ("007", "7"),
        ("1,112", None),
        ("19,513", None),
        ("1,112,345", "1112345"),
        ("1.112.345", "1112345"),
        ("1,11.24", None),
        ("1,1122.24", None),
        ("0,112.24", None),
        ("1.112.24", None),
        ("1,112,24", None),
        ("1 112,24", None),
        ("1'112.24", None),
        ("1,112.", None),
        (",5", None),
        (".5", None),
        ("5.", None),
        ("5,", None),
        ("1,,5", None),
        ("€ 5", None),
        ("5 EUR", None),
        ("1e3", None),
        ("0x10", None),
        ("1_000", None),
        ("--5", None),
        ("\u0661", None),
        ("1" * 31, None),
    ],
)
def test_a_number_is_read_only_where_it_can_mean_one(
    text: str, number: str | None
) -> None:
    assert as_decimal(text) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("19,513", 19513),
        ("19.513", 19513),
        ("1,234,567", 1234567),
        ("2877", 2877),
        ("-9999", None),
        ("19,5", None),
        ("19,513.5", None),
        ("19,51,300", None),
        ("0,513", None),
        (Decimal("19.513"), None),
        (10**13, None),
    ],
)
def test_a_count_has_no_decimals(value: Json, count: int | None) -> None:
    assert as_count(value) == count


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (1, 1),
        ("255", 255),
        (0, None),
        (256, None),
        (1_000_000, None),
        ("1000000", None),
        (-1, None),
        (True, None),
        (Decimal("1.5"), None),
    ],
    ids=range(9),
)
def test_parts_are_as_many_as_a_message_can_have(
    value: Json, parts: int | None
) -> None:
    assert as_parts(value) == parts


@pytest.mark.parametrize(
    ("value", "price"),
    [("0", "0"), ("100", "100"), ("100.01", None), ("-0.01", None), ("0,057", "0.057")],
)
def test_a_price_is_one_that_a_message_can_have(value: Json, price: str | None) -> None:
    assert as_price(value) == (None if price is None else Decimal(price))


@pytest.mark.parametrize(
    "pattern", ["1", "1,", "1.", "123,", ",", "-", "+39", " ", "a", "0,5", "1,112.24"]
)
def test_a_long_text_of_digits_takes_linear_time(pattern: str) -> None:
    text = pattern * (LONG // len(pattern))
    begun = time.process_time()
    for parse in (
        as_identifier,
        as_code,
        as_number,
        as_decimal,
        as_price,
        as_parts,
        as_count,
        as_flag,
        as_moment,
    ):
        parse(text)
    assert time.process_time() - begun < QUADRATIC


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_an_id_may_be_a_number_or_a_string_of_one(identifier: int) -> None:
    assert as_identifier(identifier) == as_identifier(str(identifier))
    assert as_identifier(identifier) == str(identifier)


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=3))
def test_a_thousandth_is_a_thousandth_of_a_euro(euro: Decimal) -> None:
    assert as_thousandths(euro * 1000) == euro
    assert as_euro(str(euro)) == euro


@pytest.mark.parametrize(
    "value",
    [True, False, None, [], {}, "", " ", "-9999", -1, "1.5", Decimal("0.5"), "NaN"],
)
def test_what_is_not_a_count_is_none(value: Json) -> None:
    assert as_count(value) is None


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        [1],
        {"a": 1},
        "",
        "molto",
        "NaN",
        "-Infinity",
        Decimal("sNaN"),
        10**13,
        "1e13",
        "1e-400000",
        "0e-400000",
        10**4000,
    ],
)
def test_what_is_not_an_amount_is_none(value: Json) -> None:
    assert as_decimal(value) is None


def test_a_debt_is_an_amount_but_no_price() -> None:
    assert as_euro("-0.5") == Decimal("-0.5")
    assert as_price("-0.5") is None
    assert as_price("0.057") == Decimal("0.057")


@pytest.mark.parametrize("value", [True, -1, None, "", "  ", "x" * 129, 2**256, []])
def test_what_is_not_an_id_is_none(value: Json) -> None:
    assert as_identifier(value) is None


def test_half_a_character_in_an_id_can_be_kept_and_sent() -> None:
    assert as_identifier("a\ud83d") == "a?"
    assert as_number("\ud83d") is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("BAD_CREDIT", "BAD_CREDIT"),
        (997, "997"),
        ("0997", "0997"),
        ("+393401234567", None),
        ("393401234567", None),
        ("Il testo", None),
        ("a" * 41, None),
        (None, None),
    ],
)
def test_a_code_is_never_a_number_or_a_text(value: Json, code: str | None) -> None:
    assert as_code(value) == code


@pytest.mark.parametrize(
    "value",
    [
        "+393401234567",
        "393401234567",
        pytest.param(393401234567, id="integer"),
        "00393401234567",
        " +39 340 123-4567 ",
    ],
)
def test_a_number_is_the_same_however_it_is_written(value: Json) -> None:
    assert as_number(value) == "+393401234567"


@pytest.mark.parametrize("value", [None, "", "casa", True, [], "00"])
def test_what_has_no_digit_is_no_number(value: Json) -> None:
    assert as_number(value) is None


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("1", True),
        ("0", False),
        ("true", True),
        ("false", False),
        ("yes", None),
        ("", None),
        (2, None),
        (None, None),
        ([], None),
    ],
    ids=range(13),
)
def test_a_flag_is_read_as_json_and_as_xml_write_it(value: Json, flag: Json) -> None:
    assert as_flag(value) is flag


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2014-01-13T15:01:35+0100", datetime(2014, 1, 13, 14, 1, 35, tzinfo=UTC)),
        ("2018-11-20T11:02:31+00:00", datetime(2018, 11, 20, 11, 2, 31, tzinfo=UTC)),
        ("2018-11-20T11:02:31Z", datetime(2018, 11, 20, 11, 2, 31, tzinfo=UTC)),
        ("2018-11-20T11:02:31", None),
        ("2018-11-20", None),
        ("0001-01-01T00:00:00+99:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("ieri", None),
        ("", None),
        ("2" * 50, None),
        (20181120, None),
        (None, None),
    ],
    ids=range(13),
)
def test_a_moment_is_one_only_with_its_zone(
    value: Json, moment: datetime | None
) -> None:
    assert as_moment(value) == moment


@pytest.mark.parametrize(
    "value", ["SEGRETO_393331234502", "a1234567", "393331234", "x" * 41, "two words"]
)
def test_what_may_hold_a_number_or_a_text_is_no_code(value: str) -> None:
    assert as_code(value) is None


@pytest.mark.parametrize("value", ["NO_CREDIT", "E123456", "402"])
def test_a_short_plain_word_or_number_is_a_code(value: str) -> None:
    assert as_code(value) == value
