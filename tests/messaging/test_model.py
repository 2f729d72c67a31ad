"""What is shown of numbers, names and IDs that people write."""

from hypothesis import example, given, strategies as st
import pytest

from custom_components.sms_italia.messaging.model import (
    bounded,
    mask_number,
    shown,
    shown_target,
    storable,
)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("+393331234567", "***567"),
        ("+39333123456", "***456"),
        ("333 12 34 567", "***567"),
        ("", "***"),
        ("118", "***"),
        ("Mario 123", "***"),
    ],
)
def test_a_mask_shows_the_last_three_digits_and_not_the_length(
    value: str, masked: str
) -> None:
    assert mask_number(value) == masked


@given(st.text())
def test_a_mask_never_reveals_more_than_three_digits(value: str) -> None:
    masked = mask_number(value)
    assert masked[:3] == "***"
    assert len(masked) in {3, 6}
    assert sum(map(str.isdigit, value)) == 0 or masked != value


@pytest.mark.parametrize(
    ("given", "as_target", "as_text"),
    [
        ("Casa", "Casa", "Casa"),
        ("Zia 2", "Zia ***", "Zia 2"),
        ("12345", "***", "12345"),
        ("tel:12345", "tel:***", "tel:12345"),
        ("\u0661\u0662\u0663", "***", "\u0661\u0662\u0663"),
        ("123456", "***", "***"),
        ("+39 333 1234567", "***567", "***567"),
        ("x" * 41, "x" * 40 + "…", "x" * 40 + "…"),
    ],
)
def test_an_error_names_what_was_given_without_a_whole_number(
    given: str, as_target: str, as_text: str
) -> None:
    """In the place of a number no digits at all are shown of a short one."""
    assert (shown_target(given), shown(given)) == (as_target, as_text)


@given(st.text())
@example("1" * 5)
@example("1 " * 5 + "x" * 10_000)
def test_what_stands_for_a_target_is_short_and_no_number(value: str) -> None:
    named = shown_target(value)
    assert len(named) <= 60
    assert sum(map(str.isdecimal, named)) <= 3
    assert not any(map(str.isdecimal, named)) or named.startswith("***")


@given(st.text(st.characters()), st.integers(min_value=0, max_value=50))
@example("\ud83d", 1)
@example("\ud83d\ude00", 1)
def test_what_is_bounded_is_short_and_can_be_stored(text: str, most: int) -> None:
    cut = bounded(text, most)
    assert len(cut) <= most + 1
    assert cut.encode().decode() == cut
    assert len(text) > most or cut == storable(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [("è 🚨\n", "è 🚨\n"), ("\ud83d\ude00", "😀"), ("a\ud83db", "a�b")],
)
def test_broken_signs_alone_change_when_a_text_is_stored(
    text: str, stored: str
) -> None:
    assert storable(text) == stored
