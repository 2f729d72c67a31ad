"""Real disks that fill up, hang and become read-only: small ones on loop devices."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
import subprocess

import pytest

_SIZE = 8 * 1024 * 1024
_PIECE = 4096


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of its own, mounted at `folder`."""

    folder: Path

    def fill(self) -> None:
        """Leave no room for one more block."""
        with suppress(OSError), (self.folder / "filler").open("ab", 0) as filler:
            while True:
                filler.write(bytes(_PIECE))

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink()

    def freeze(self) -> None:
        """Let every write hang."""
        _run("fsfreeze", "-f", self.folder)

    def thaw(self) -> None:
        """Let the writes that hang go on."""
        _run("fsfreeze", "-u", self.folder)

    def protect(self) -> None:
        """Let nobody write; no file may be open for it."""
        _run("mount", "-o", "remount,ro", self.folder)


@contextmanager
def a_disk(place: Path) -> Iterator[Disk]:
    """Mount a disk; the test is skipped where that is not permitted."""
    image, folder = place / "disk.img", place / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(_SIZE)
    try:
        # With smaller blocks, SQLite's shared memory would have holes on a full disk.
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", image)
        _run("mount", "-o", "loop", image, folder)
    except (OSError, subprocess.CalledProcessError) as err:
        pytest.skip(f"no disk of its own can be mounted here: {err}")
    disk = Disk(folder)
    try:
        yield disk
    finally:
        with suppress(subprocess.CalledProcessError):
            disk.thaw()
        _run("umount", "-l", folder)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - constants
