"""What the page about performance is made of."""

from benchmarks.figures import Chapter, Goal, Table, Wish
from benchmarks.page import lines

CHAPTER = Chapter(
    title="Speed",
    text="How it was measured.\n",
    tables=[Table(columns=["", "Time"], rows=[["We", "1 ms"], ["They", "2 ms"]])],
    goals=[
        Goal(name="Near", value=1, wish=Wish.AT_MOST, wanted=2, floor=0.5),
        Goal(name="Quick", value=9, wish=Wish.AT_MOST, wanted=2, unit="ms"),
    ],
)


def test_the_goals_stand_before_what_was_measured() -> None:
    assert list(lines([CHAPTER])) == [
        "## Goals\n",
        "| What | Wanted | Measured | Least | Met |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| Near | at most 2 x | 1 x | 0.5 x | yes |",
        "| Quick | at most 2 ms | 9 ms |  | **no** |",
        "",
        "## Speed\n",
        "How it was measured.\n",
        "|  | Time |",
        "| --- | ---: |",
        "| We | 1 ms |",
        "| They | 2 ms |",
        "",
    ]
