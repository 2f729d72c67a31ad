"""What the simulated providers take as numbers and senders."""

import pytest

from simulator.addresses import e164, is_alias, is_sender


@pytest.mark.parametrize(
    ("digits", "number"),
    [
        ("393401234567", "+393401234567"),
        ("39340123456", "+39340123456"),
        ("33612345678", "+33612345678"),
        ("390512345678", None),
        ("3401234567890123", None),
        ("39340123", None),
        ("+393401234567", None),
        ("0039340123456", None),
        ("٣٩٣٤٠١٢٣٤٥٦٧", None),
        ("", None),
    ],
)
def test_a_number_has_its_country_code_and_only_digits(
    digits: str, number: str | None
) -> None:
    """Italian numbers must be mobiles."""
    assert e164(digits) == number


@pytest.mark.parametrize(
    ("sender", "good"),
    [
        ("Casa", True),
        ("Casa Mia 1", True),
        ("DodiciLetter", False),
        ("+393401234567", True),
        ("12", False),
        ("12345678901234567", False),
        ("Casa+", False),
    ],
)
def test_a_sender_is_a_short_alias_or_a_number(sender: str, *, good: bool) -> None:
    """Eleven characters at most."""
    assert is_sender(sender) is good


def test_an_alias_has_a_letter() -> None:
    """A sender without one is a number."""
    assert is_alias("Casa1")
    assert not is_alias("12345")
