"""The part of the page for users about outages, as they were measured."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from .changes import (
    ALARMS as OF_CHANGES,
    CHANGES,
    WAITING,
    BackupCourse,
    ChangeCourses,
    Moment,
)
from .ground import AT_ONCE, ClockCourse, DiskCourse, Failure
from .outage import ALARMS, OUTAGES, Course, Courses, Outage

INTRODUCTION = f"""\
## While a provider is out of reach

{ALARMS} alarms, one every 4 seconds, while the outage lasts, and as many two minutes
later; then it ends. Measured with every provider over TLS; the table shows the worst of
the four. An action is answered after 10 seconds at the latest; the sending goes on.

What is "in doubt" may have arrived and is not sent again. With a fallback account, two
alarms at most are: those that were on their way before anybody could know. Without one,
later alarms wait for the account to answer a harmless question, a minute at most; then
each is tried all the same, and may be in doubt as well.
"""

_HEAD = (
    "| Outage | Fallback account | Action answers within | First storm: arrived, in "
    "doubt, waiting | Second storm | Sent after the end within |"
)


_DISKS = f"""\
## While the disk of the message history fails

{AT_ONCE} alarms at once. A message waits 3 seconds at most for the disk, in all.

| The disk | Alarms that arrived | All answered within |
| --- | --- | --- |"""

_CLOCKS = """\
## While somebody sets the clock

9 alarms wait because the provider is out of reach; the clock is set; then the provider
is back.

| The clock | Alarms that arrived | Sent after the return within |
| --- | --- | --- |"""


_CHANGES = f"""\
## While an account is changed or reloaded

{OF_CHANGES} alarms to one recipient within 3 seconds, and {CHANGES} changes meanwhile.
A reload by hand makes the entities of the account unavailable for a moment. Home
Assistant skips such an entity in `notify.send_message`, with success;
`notify.<account>` waits for the account.

| What happens | The action | Alarms that arrived | Sent twice | All answered within |
| --- | --- | --- | --- | --- |"""

_BACKUPS = f"""\
## After a backup is put back

{WAITING} alarms wait in the backup. Nobody can know whether they were sent after it was
made: they are in doubt, and a repair offers to send them again.

| The alarms were | Sent after that | In doubt |
| --- | --- | --- |"""


def section(
    courses: Courses,
    disks: Mapping[Failure, DiskCourse],
    clocks: Mapping[str, ClockCourse],
    changes: ChangeCourses,
    backups: Mapping[Moment, BackupCourse],
) -> str:
    """Return the sections in Markdown."""
    return "\n".join(
        (
            INTRODUCTION,
            *_rows(courses),
            "",
            _DISKS,
            *(
                f"| {failure} | {one.arrived} | {_whole(one.answered)} s |"
                for failure, one in disks.items()
            ),
            "",
            _CLOCKS,
            *(
                f"| {step} | {one.arrived} | {_whole(one.left)} s |"
                for step, one in clocks.items()
            ),
            "",
            _CHANGES,
            *(
                f"| {change} | {way} | {one.arrived} | {one.twice} | "
                f"{_whole(one.answered)} s |"
                for (change, way), one in changes.items()
            ),
            "",
            _BACKUPS,
            *(
                f"| {moment} | {one.sent} | {one.in_doubt} |"
                for moment, one in backups.items()
            ),
            "",
        )
    )


def _rows(courses: Courses) -> Iterator[str]:
    yield _HEAD
    yield f"| {' | '.join(['---'] * 6)} |"
    for outage in OUTAGES:
        for has_fallback in (True, False):
            of_all = [
                course
                for (_, where, with_one), course in courses.items()
                if (where, with_one) == (outage, has_fallback)
            ]
            yield _row(outage, of_all, has_fallback=has_fallback)


def _row(outage: Outage, courses: Sequence[Course], *, has_fallback: bool) -> str:
    """Return the worst of all providers."""
    storms = [one for course in courses for one in (course.first, course.second)]
    cells = [
        str(outage),
        "yes" if has_fallback else "no",
        f"{_whole(max(one.answered for one in storms))} s",
    ]
    for name in ("first", "second"):
        of_name = [getattr(course, name) for course in courses]
        arrived = min(one.arrived for one in of_name)
        in_doubt = max(one.in_doubt for one in of_name)
        cells.append(f"{arrived}, {in_doubt}, {ALARMS - arrived - in_doubt}")
    left = max(course.left for course in courses)
    cells.append("-" if has_fallback else f"{_whole(left)} s")
    return f"| {' | '.join(cells)} |"


def _whole(seconds: float) -> int:
    """Return seconds rounded up, but for the moment that a busy machine takes."""
    return max(1, ceil(seconds - 0.1))
