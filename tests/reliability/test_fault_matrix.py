"""Every provider, every trouble, every question: as the retry rule requires."""

from collections.abc import Callable

import pytest

from simulator import PROVIDERS

from .matrix import (
    TROUBLES,
    Matrix,
    Table,
    Trouble,
    expected_check,
    expected_send,
    expected_status,
)
from .page import PAGE, page

# The matrix takes a while: one process runs it once for all of them.
pytestmark = pytest.mark.xdist_group("fault_matrix")


def differences[Cell](
    table: Table[Cell], expected: Callable[[str, Trouble], Cell]
) -> dict[str, tuple[Cell, Cell]]:
    """Return the cells that differ: what was found, what is expected."""
    keys = [(provider, trouble) for provider in PROVIDERS for trouble in TROUBLES]
    assert table.keys() == {*keys}
    return {
        f"{provider}, {trouble}": (table[provider, trouble], must_be)
        for provider, trouble in keys
        if table[provider, trouble] != (must_be := expected(provider, trouble))
    }


async def test_a_send_with_any_trouble_ends_as_the_retry_rule_requires(
    matrix: Matrix,
) -> None:
    assert differences(matrix.sends, expected_send) == {}


async def test_a_question_about_a_message_survives_any_trouble(matrix: Matrix) -> None:
    assert differences(matrix.statuses, expected_status) == {}


async def test_a_question_about_an_account_survives_any_trouble(
    matrix: Matrix,
) -> None:
    assert differences(matrix.checks, expected_check) == {}


async def test_nothing_is_sent_twice_lost_silently_or_given_a_wrong_status(
    matrix: Matrix,
) -> None:
    assert list(matrix.faults) == []


async def test_the_page_for_users_shows_what_was_found(matrix: Matrix) -> None:
    """script/reliability writes it, with what it measured of outages at its end."""
    assert PAGE.read_text("utf-8").startswith(page(matrix))
