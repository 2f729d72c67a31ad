"""Goals, tables and units of what was measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

_CLEARLY_WORSE = 1.5
"""Worse by half: more than the noise of a ratio within one run."""


class Direction(StrEnum):
    """Which side of its goal a figure should be on."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure and its target, both in the `unit` ("" for a ratio).

    `floor` is the same figure of the least work that could do the job, if that was
    measured: where it already misses the target, the target cannot be met.
    """

    name: str
    value: float
    direction: Direction
    target: float
    unit: str = ""
    floor: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure meets its target."""
        return self._excess(self.target) <= 1

    def is_far_off(self, written: float | None) -> bool:
        """Return whether it is worse by half than its target, and than what is written.

        That is the figure of the last full measurement, which may miss the target.
        """
        excess = self._excess(self.target)
        if written is not None:
            excess = min(excess, self._excess(written))
        return excess >= _CLEARLY_WORSE

    def _excess(self, other: float) -> float:
        """Return how many times worse it is than another figure."""
        match self.direction:
            case Direction.AT_MOST:
                return self.value / other
            case Direction.AT_LEAST:
                return other / self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One measurement: how it was made, its results, and its goals."""

    title: str
    text: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = ()


def medians[K](
    keys: Sequence[K], values: Callable[[K], Sequence[float]]
) -> dict[K, float]:
    """Return the median for each key that has any values."""
    return {key: median(found) for key in keys if (found := values(key))}


def ms(seconds: float) -> str:
    """Return a time in a readable unit."""
    return f"{seconds * 1000:.2f} ms" if seconds < 1 else f"{seconds:.1f} s"


def times(ratio: float) -> str:
    """Return a ratio as text."""
    return f"{ratio:.2f} x"


def kib(size: float) -> str:
    """Return a size in bytes in a readable unit."""
    return f"{size / 1024:.1f} KiB" if size < 1 << 20 else f"{size / 2**20:.1f} MiB"
