"""The page about performance."""

from pathlib import Path

from benchmarks.figures import Chapter, Direction, Goal, Table
from benchmarks.page import PAGE, lines, written

CHAPTER = Chapter(
    title="Speed",
    text="How it was measured.\n",
    tables=[Table(columns=["", "Time"], rows=[["We", "1 ms"], ["They", "2 ms"]])],
    goals=[
        Goal(name="Near", value=1, direction=Direction.AT_MOST, target=2, floor=0.5),
        Goal(name="Quick", value=9, direction=Direction.AT_MOST, target=2, unit="ms"),
        Goal(name="Flat", value=2345.6, direction=Direction.AT_MOST, target=1.2),
    ],
)


def test_the_goals_come_before_the_measurements() -> None:
    first, bound, *others = lines([CHAPTER])
    assert first == "## Goals\n"
    assert "bound" in bound
    assert others == [
        "| What | Wanted | Measured | Bound | Met |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| Near | at most 2 x | 1 x | 0.5 x | yes |",
        "| Quick | at most 2 ms | 9 ms |  | **no** |",
        "| Flat | at most 1.2 x | 2,346 x |  | **no** |",
        "",
        "## Speed\n",
        "How it was measured.\n",
        "|  | Time |",
        "| --- | ---: |",
        "| We | 1 ms |",
        "| They | 2 ms |",
        "",
    ]


def test_the_page_ends_with_the_findings() -> None:
    findings = Path("benchmarks/findings.md").read_text("utf-8")
    assert PAGE.read_text("utf-8").endswith(findings)


def test_the_figures_that_are_written_are_those_of_the_goals_of_alerts() -> None:
    """They are what a short measurement is compared with."""
    figures = written()
    name = "**`sms_italia.send_sms`**: rate, to `rest_command`"
    assert 0 < figures[name] < 10
    assert all(value > 0 for value in figures.values())
