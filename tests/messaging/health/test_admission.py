"""The table of what is done with a message: cell by cell, as the document has it."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import product
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging.health.admission import (
    SUSPECT,
    UP,
    Admission,
    Condition,
    Need,
    OpenRequest,
    admission,
    is_better,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "development" / "architecture.md"
HEAD = (
    "| condition | better account | open request | new | waiting | overdue | only try |"
)

type Cell = tuple[Condition, bool, OpenRequest, Need]


def named[E: StrEnum](cell: str, kind: type[E]) -> list[E]:
    """Return the members that a cell of the document names."""
    return list(kind) if cell == "any" else [kind(name) for name in cell.split(", ")]


def documented() -> Iterator[tuple[Cell, Admission]]:
    """Yield each cell of the document's table with what is done there."""
    lines = iter(DOCUMENT.read_text().splitlines())
    while next(lines) != HEAD:
        pass
    next(lines)
    while (line := next(lines)).startswith("|"):
        condition, better, request, *done = [
            cell.strip() for cell in line.strip("|").split("|")
        ]
        has_better = {"any": [False, True], "yes": [True], "no": [False]}[better]
        for key in product(
            named(condition, Condition), has_better, named(request, OpenRequest)
        ):
            for need, what in zip(Need, done, strict=True):
                yield (*key, need), Admission(what)


CELLS = list(documented())


def test_the_document_has_each_cell_once() -> None:
    keys = [key for key, _ in CELLS]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(product(Condition, (False, True), OpenRequest, Need))


@pytest.mark.parametrize(
    ("cell", "expected"), CELLS, ids=lambda part: str(part).replace("/", "-")
)
def test_what_is_done_with_a_message_is_what_the_document_says(
    cell: Cell, expected: Admission
) -> None:
    condition, has_better, request, need = cell
    assert admission(condition, request, need, has_better=has_better) is expected


def test_what_must_go_now_is_sent_by_some_account_whatever_the_news() -> None:
    """`retry_for: 0` means one try, never none."""
    for condition, request in product(Condition, OpenRequest):
        alone = admission(condition, request, Need.ONLY_TRY, has_better=False)
        assert alone is Admission.SEND


def test_only_healthy_accounts_go_before_one_that_is_behind() -> None:
    assert is_better(Condition.HEALTHY, Condition.BEHIND)
    assert not is_better(Condition.BEHIND, Condition.BEHIND)
    assert not is_better(Condition.BEHIND, Condition.HEALTHY)


@pytest.mark.parametrize(
    "suspect", [*sorted(SUSPECT), Condition.THROTTLED, Condition.REFUSING]
)
@pytest.mark.parametrize("other", Condition)
def test_an_account_that_is_not_suspect_goes_before_one_that_is(
    suspect: Condition, other: Condition
) -> None:
    assert is_better(other, suspect) is (other in UP)
