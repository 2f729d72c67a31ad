"""How the simulator counts parts."""

import pytest

from simulator.parts import as_gsm7, count_parts, is_gsm7


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 159 + "€", 2),
        ("È" * 70, 1),
        ("È" * 71, 2),
        ("È" * 134, 2),
        ("È" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_a_text_is_billed_as_so_many_parts(text: str, parts: int) -> None:
    """The limits are 160 and 153 septets, 70 and 67 units."""
    assert count_parts(text) == parts


def test_an_escape_pair_is_not_split_over_two_parts() -> None:
    """One septet is lost where the pair would straddle the limit, twice."""
    assert count_parts("a" * 152 + "€" + "a" * 152) == 3
    assert count_parts("a" * 153 + "€" + "a" * 151) == 2


def test_a_surrogate_pair_is_not_split_over_two_parts() -> None:
    """67 units hold 33 emoji, not 33 and a half."""
    assert count_parts("😀" * 66) == 2
    assert count_parts("😀" * 67) == 3


def test_ucs2_can_be_forced() -> None:
    """The text alone would fit one GSM-7 part."""
    assert count_parts("a" * 100, unicode=True) == 2


def test_what_gsm7_does_not_have_becomes_a_question_mark() -> None:
    """Small accents are in the table, capital ones are not."""
    assert as_gsm7("perché È €") == "perché ? €"
    assert is_gsm7("àèéìòù[]{}€")
    assert not is_gsm7("°")
