"""The figures as text: on the terminal and in docs/performance.md."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
import os
from pathlib import Path
import platform

from .figures import Chapter, Direction, Goal, Table

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_GOAL_COLUMNS = 5
_MANY = 1000
"""From here on a figure is shown without decimals."""
_FINDINGS = Path(__file__).with_name("findings.md")

_INTRODUCTION = """\
# Performance

This page is written by `script/benchmark`, which measures a real Home Assistant process
that sends to simulated providers in another process, over real connections with TLS.
Peers and SMS Italia take turns in one run. The figures are those of one machine: what
counts elsewhere are the ratios.
"""

_BOUND = """\
The bound, where one was measured, is the same figure of the least that could do the
heart of the job. Nothing can be better than that; each is explained below.
"""


def write(chapters: Sequence[Chapter]) -> None:
    """Write the page."""
    PAGE.write_text(
        "\n".join([*_lines(chapters), _FINDINGS.read_text("utf-8")]), "utf-8"
    )


def written() -> dict[str, float]:
    """Return the measured figures of the goals that the page has, by their names."""
    rows = [line.split(" | ") for line in PAGE.read_text("utf-8").splitlines()]
    return {
        row[0].removeprefix("| "): float(row[2].split()[0].replace(",", ""))
        for row in rows
        if len(row) == _GOAL_COLUMNS and row[1].startswith(tuple(Direction))
    }


def _lines(chapters: Sequence[Chapter]) -> Iterator[str]:
    yield _INTRODUCTION
    yield (
        f"Measured with Home Assistant {version('homeassistant')} and Python "
        f"{platform.python_version()} on {os.cpu_count()} processors "
        f"({platform.machine()}).\n"
    )
    yield from lines(chapters)


def lines(chapters: Sequence[Chapter]) -> Iterator[str]:
    """Yield the goals and the tables, in Markdown."""
    yield "## Goals\n"
    yield _BOUND
    yield from _table(_goals([goal for one in chapters for goal in one.goals]))
    for chapter in chapters:
        yield f"## {chapter.title}\n"
        yield chapter.text
        for table in chapter.tables:
            yield from _table(table)


def _goals(goals: Sequence[Goal]) -> Table:
    return Table(
        columns=["What", "Wanted", "Measured", "Bound", "Met"],
        rows=[
            [
                goal.name,
                f"{goal.direction} {_figure(goal.target, goal.unit)}",
                _figure(goal.value, goal.unit),
                "" if goal.floor is None else _figure(goal.floor, goal.unit),
                "yes" if goal.is_met else "**no**",
            ]
            for goal in goals
        ],
    )


def _figure(value: float, unit: str) -> str:
    shown = f"{value:,.0f}" if value >= _MANY else f"{value:.3g}"
    return f"{shown} {unit or 'x'}"


def _table(table: Table) -> Iterator[str]:
    first, *others = table.columns
    yield f"| {' | '.join([first, *others])} |"
    yield f"| {' | '.join(['---', *('---:' for _ in others)])} |"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
    yield ""
