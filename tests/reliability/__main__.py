"""Runs the fault matrix and writes docs/reliability.md; run by script/reliability."""

import asyncio
from pathlib import Path
import sys
import tempfile

from .matrix import run
from .page import PAGE, write


def main() -> int:
    """Return the exit code: 1 if a check failed."""
    with tempfile.TemporaryDirectory() as folder:
        matrix = asyncio.run(run(Path(folder)))
    if matrix.faults:
        print(*matrix.faults, sep="\n")  # noqa: T201 - run by script/reliability
        return 1
    write(matrix)
    print(f"Written: {PAGE}")  # noqa: T201 - run by script/reliability
    return 0


if __name__ == "__main__":
    sys.exit(main())
