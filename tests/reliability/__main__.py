"""Tries all faults and outages, writes docs/reliability.md; see script/reliability."""

import asyncio
from collections.abc import Iterator
from itertools import product
from pathlib import Path
import sys
import tempfile

from custom_components.sms_italia.providers import PROVIDERS

from .. import early_homeassistant  # noqa: F401 - before the test kit
from ..messaging.disks import a_disk
from . import times
from .changes import (
    ALARMS,
    WAITING,
    Change,
    ChangeCourses,
    Moment,
    Way,
    try_backup,
    try_changes,
)
from .ground import AT_ONCE, CLOCKS, Failure, try_clock, try_disk
from .matrix import run
from .outage import OUTAGES, Courses, run_all
from .page import PAGE, write

ANSWER_SECONDS = 11
"""In which an action is answered, with a second for a busy machine."""
DISK_SECONDS = 3
LEFT_SECONDS = 21
"""In which all has left after an outage, with a second for a busy machine."""


async def measure(folder: Path) -> int:
    """Try everything and write the page; return the exit code."""
    matrix = await run(folder / "matrix")
    courses = await run_all(folder / "outages", [*product(PROVIDERS, OUTAGES)])
    disks = {}
    for failure in Failure:
        (folder / failure.name).mkdir()
        with a_disk(folder / failure.name) as disk:
            disks[failure] = await try_disk(disk, failure)
    clocks = {
        step: await try_clock(folder / f"clock{seconds}", seconds)
        for step, seconds in CLOCKS.items()
    }
    changes = await try_changes(folder / "changes")
    backups = {
        moment: await try_backup(folder / moment.name, moment) for moment in Moment
    }
    faults = [*matrix.faults, *_faults(courses), *_faults_of_changes(changes)]
    if any(one.sent or one.in_doubt != WAITING for one in backups.values()):
        faults.append(f"backups: {backups}")
    if any(
        one.arrived != AT_ONCE or one.answered > DISK_SECONDS for one in disks.values()
    ):
        faults.append(f"disks: {disks}")
    if any(one.expired or one.left > LEFT_SECONDS for one in clocks.values()):
        faults.append(f"clocks: {clocks}")
    if faults:
        print(*faults, sep="\n")  # noqa: T201 - run by script/reliability
        return 1
    write(matrix, times.section(courses, disks, clocks, changes, backups))
    print(f"Written: {PAGE}")  # noqa: T201 - run by script/reliability
    return 0


def _faults(courses: Courses) -> Iterator[str]:
    """Yield what must not be in the courses of outages."""
    for (provider, outage, _), course in courses.items():
        what = f"{provider}, {outage.name}"
        if course.lost or course.twice:
            yield f"{what}: lost {course.lost}, twice {course.twice}"
        if max(course.first.answered, course.second.answered) > ANSWER_SECONDS:
            yield f"{what}: an action was answered too late"
        if course.left > LEFT_SECONDS:
            yield f"{what}: sent {course.left:.0f} seconds after the outage"


def _faults_of_changes(courses: ChangeCourses) -> Iterator[str]:
    """Yield what must not be in the courses of changes.

    An entity that is unavailable while its account is reloaded is the one gap.
    """
    for (change, way), course in courses.items():
        what = f"{change}, {way}: {course}"
        if course.twice or course.raised or course.answered > ANSWER_SECONDS:
            yield what
        is_gap = (change, way) == (Change.RELOAD, Way.ENTITY)
        if course.arrived != ALARMS and not is_gap:
            yield what


def main() -> int:
    """Return the exit code: 1 if a check failed."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
