"""What is new in a search, and what never is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, strategies as st
import pytest

from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.reception.model import (
    New,
    Reception,
    Search,
)
from custom_components.sms_italia.messaging.reception.storage import (
    from_record,
    to_record,
)
from custom_components.sms_italia.messaging.reception.transitions import (
    WINDOW,
    searched,
    window,
)
from custom_components.sms_italia.providers import Incoming

NOON = 1_794_657_600.0
NUMBER = "+393330000001"
DAY = 86_400


def row(text: str, at: float | None = 0) -> Incoming:
    """Return a row; equal texts are equal rows. `at` is in seconds from noon."""
    return Incoming(
        key=text,
        number=NUMBER,
        text=text,
        at=None if at is None else datetime.fromtimestamp(NOON + at, UTC),
    )


def a_search(
    at: float,
    *rows: Incoming,
    known: Reception | None = None,
    ahead: float = 0,
    since: float | None = None,
) -> Search:
    """Return a search at a moment, in seconds from noon; it takes a second.

    The wall clock is `ahead` of the provider's.
    """
    wall = NOON + at + ahead
    return Search(
        account="casa",
        began=Moment(steady=at, wall=wall),
        ended=at + 1,
        since=window(known, wall) if since is None else since,
        rows=rows,
    )


def all_searched(*searches: Sequence[Incoming]) -> list[list[str]]:
    """Return the texts that are new in each of some searches, a minute apart."""
    known: Reception | None = None
    found: list[list[str]] = []
    for index, rows in enumerate(searches):
        known, new = searched(known, a_search(60 * index, *rows, known=known))
        found.append([one.text for one in new])
    return found


def test_the_first_search_only_sets_the_baseline() -> None:
    one, two = row("uno", 1), row("due", 2)
    assert all_searched([one], [one], [two, one]) == [[], [], ["due"]]


def test_equal_rows_are_told_apart_by_their_count() -> None:
    one = row("ok")
    assert all_searched([one], [one, one, one], [one, one, one]) == [
        [],
        ["ok", "ok"],
        [],
    ]


def test_a_row_that_is_missing_once_is_not_new_again() -> None:
    one, two = row("uno"), row("due")
    assert all_searched([one, one], [two], [two, one, one]) == [[], ["due"], []]


def test_what_is_new_comes_in_the_order_in_which_it_came_in() -> None:
    """Whatever the order of the provider."""
    rows = [row("tre", 3), row("uno", 1), row("due", 2)]
    assert all_searched([], rows) == [[], ["uno", "due", "tre"]]


def test_after_a_long_pause_a_search_sets_the_baseline() -> None:
    """Before it, there is more than the window shows."""
    known, _ = searched(None, a_search(0))
    assert [new.text for new in searched(known, a_search(WINDOW, row("uno")))[1]]
    assert searched(known, a_search(WINDOW + 1, row("uno")))[1] == []


def test_a_search_that_goes_back_further_sets_the_baseline() -> None:
    """What it shows of before the window of the last one may be old."""
    known, _ = searched(None, a_search(0, since=NOON))
    assert searched(known, a_search(60, row("uno"), since=NOON - 1))[1] == []
    assert [
        new.text for new in searched(known, a_search(60, row("uno"), since=NOON))[1]
    ]


@pytest.mark.parametrize(("set_back", "is_new"), [(3600, True), (3 * DAY, False)])
def test_a_clock_that_is_set_back_a_little_loses_nothing(
    set_back: float, *, is_new: bool
) -> None:
    known, _ = searched(None, a_search(0, row("uno")))
    search = a_search(60, row("uno"), row("due"), known=known, ahead=-set_back)
    assert bool(searched(known, search)[1]) is is_new


def test_rows_that_no_search_finds_any_more_are_forgotten() -> None:
    known, _ = searched(None, a_search(0, row("uno")))
    for day in range(1, 9):
        known, _ = searched(known, a_search(day * DAY, row("due"), known=known))
        assert ("uno" in known.seen) is (day < 7)
    assert known.seen.keys() == {"due"}


@pytest.mark.parametrize(
    ("at", "ahead", "taken_for"),
    [
        (90.0, 0, 90),
        (90.0, 40, 50),
        (90.0, -40, 121),
        (None, 0, 60),
        (None, 40, 60),
    ],
)
def test_a_time_is_the_providers_but_never_in_the_future(
    at: float | None, ahead: float, taken_for: float
) -> None:
    """Without one, an SMS may have come right after the search before."""
    known, _ = searched(None, a_search(60))
    search = a_search(120, row("ok", at), known=known, ahead=ahead)
    assert searched(known, search)[1] == [New(number=NUMBER, text="ok", at=taken_for)]


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abc"), max_size=4), st.booleans()),
        max_size=8,
    )
)
def test_no_row_is_new_twice_and_none_of_the_baseline_is(
    searches: list[tuple[list[str], bool]],
) -> None:
    """Whatever disappears and comes again, and with restarts between searches."""
    known: Reception | None = None
    new, most = Counter[str](), Counter[str]()
    baseline = Counter[str](searches[0][0]) if searches else Counter[str]()
    for index, (texts, restarts) in enumerate(searches):
        rows = [row(text) for text in texts]
        known, found = searched(known, a_search(60 * index, *rows, known=known))
        if restarts:
            known = from_record(to_record(known))
        new.update(one.text for one in found)
        most |= Counter(texts)
    assert new == most - baseline


def test_a_record_shows_no_number_and_no_text() -> None:
    known, _ = searched(None, a_search(0, replace(row("Segreto"), key="a1")))
    record = to_record(known)
    assert from_record(record) == known
    assert NUMBER not in record.state
    assert "Segreto" not in record.state
