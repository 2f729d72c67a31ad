"""What is reckoned of the times that were taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

_CLEARLY_WORSE = 1.5
"""Worse by half: beyond what chance does to a ratio within one run."""

_WITH_ALL_ELSE = 2
"""How many times the least that could do a job all of the job may take."""


class Wish(StrEnum):
    """Which side of its goal a figure should be on."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure and what it should be, both in the `unit` ("" for a ratio).

    `floor` is the same figure of the least that could do the heart of the job, where
    that was measured: where it is beyond the goal already, nobody can meet that.
    """

    name: str
    value: float
    wish: Wish
    wanted: float
    unit: str = ""
    floor: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure is what it should be."""
        return self._excess(self.wanted) <= 1

    @property
    def is_far_off(self) -> bool:
        """Whether it is worse by half than its goal, or than twice its floor."""
        excess = self._excess(self.wanted)
        if self.floor is not None:
            excess = min(excess, self._excess(self.floor) / _WITH_ALL_ELSE)
        return excess >= _CLEARLY_WORSE

    def _excess(self, other: float) -> float:
        """Return how many times worse it is than another figure."""
        match self.wish:
            case Wish.AT_MOST:
                return self.value / other
            case Wish.AT_LEAST:
                return other / self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of what a person reads, under their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One measurement: how it was made, what came out, and what was wanted."""

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
    """Return a time as a person reads it."""
    return f"{seconds * 1000:.2f} ms" if seconds < 1 else f"{seconds:.1f} s"


def times(ratio: float) -> str:
    """Return a ratio as a person reads it."""
    return f"{ratio:.2f} x"


def kib(size: float) -> str:
    """Return a size in bytes as a person reads it."""
    return f"{size / 1024:.1f} KiB" if size < 1 << 20 else f"{size / 2**20:.1f} MiB"
