"""The arithmetic behind docs/performance.md."""

import pytest

from benchmarks.figures import Direction, Goal, kib, medians, ms, times


def goal(
    value: float, direction: Direction = Direction.AT_MOST, floor: float | None = None
) -> Goal:
    """Return a goal of two."""
    return Goal(name="one", value=value, direction=direction, target=2, floor=floor)


@pytest.mark.parametrize(
    ("value", "direction", "is_met"),
    [
        (2, Direction.AT_MOST, True),
        (2.1, Direction.AT_MOST, False),
        (2, Direction.AT_LEAST, True),
        (1.9, Direction.AT_LEAST, False),
    ],
)
def test_a_goal_is_met_up_to_its_figure(
    value: float, direction: Direction, *, is_met: bool
) -> None:
    assert goal(value, direction).is_met is is_met


@pytest.mark.parametrize(
    ("value", "direction", "is_far_off"),
    [
        (2.9, Direction.AT_MOST, False),
        (3, Direction.AT_MOST, True),
        (1.4, Direction.AT_LEAST, False),
        (1.3, Direction.AT_LEAST, True),
    ],
)
def test_a_goal_is_far_off_if_it_is_missed_by_half(
    value: float, direction: Direction, *, is_far_off: bool
) -> None:
    assert goal(value, direction).is_far_off(None) is is_far_off


@pytest.mark.parametrize(
    ("value", "direction", "written", "is_far_off"),
    [
        # The goal is two, and what is written misses it.
        (5.9, Direction.AT_MOST, 4, False),
        (6, Direction.AT_MOST, 4, True),
        (0.7, Direction.AT_LEAST, 1, False),
        (0.66, Direction.AT_LEAST, 1, True),
        # What is written meets the goal by far, and changes nothing.
        (2.9, Direction.AT_MOST, 0.9, False),
        (3, Direction.AT_MOST, 0.9, True),
    ],
)
def test_a_goal_that_was_missed_is_far_off_if_it_is_worse_by_half_than_written(
    value: float, direction: Direction, written: float, *, is_far_off: bool
) -> None:
    assert goal(value, direction).is_far_off(written) is is_far_off


def test_the_median_is_taken_of_each_that_has_a_value() -> None:
    values = {"odd": [3.0, 1.0, 2.0], "even": [1.0, 2.0], "none": []}
    assert medians(list(values), lambda key: values[key]) == {"odd": 2, "even": 1.5}


def test_figures_are_shown_in_a_unit_that_fits() -> None:
    assert [ms(0.00123), ms(1.23)] == ["1.23 ms", "1.2 s"]
    assert [kib(1536), kib(3 << 20)] == ["1.5 KiB", "3.0 MiB"]
    assert times(2) == "2.00 x"
