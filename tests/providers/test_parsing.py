"""Values are read out of answers of any type, or not at all."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

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
    as_price,
    as_thousandths,
)
from custom_components.sms_italia.providers.transport import Json

SCALARS: st.SearchStrategy[Json] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.text()
    | st.from_regex(r"[-+ 0-9eE._]+", fullmatch=True)
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
    assert moment is None or moment.utcoffset() is not None
    identifier = as_identifier(value)
    assert identifier is None or 0 < len(identifier) <= 128
    code = as_code(value)
    assert code is None or len(code) <= 40
    number = as_number(value)
    assert number is None or (number[0] == "+" and number[1:].isdecimal())
    for amount in (as_decimal(value), as_euro(value), as_thousandths(value)):
        assert amount is None or amount.is_finite()
        assert amount is None or len(f"{amount:f}") < 5000
    price = as_price(value)
    assert price is None or price >= 0
    count = as_count(value)
    assert count is None or 0 <= count < 10**13


@given(st.integers(min_value=0, max_value=10**12))
def test_a_count_may_be_a_number_or_a_string_of_one(count: int) -> None:
    for value in (count, str(count), f" {count} ", Decimal(count), f"{count}.0"):
        assert as_count(value) == count


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
        ("ieri", None),
        ("", None),
        ("2" * 50, None),
        (20181120, None),
        (None, None),
    ],
    ids=range(11),
)
def test_a_moment_is_one_only_with_its_zone(
    value: Json, moment: datetime | None
) -> None:
    assert as_moment(value) == moment
