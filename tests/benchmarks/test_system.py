"""Memory and disk use of a process."""

import os
from pathlib import Path

from benchmarks import system

MIB = 2**20


def test_the_peak_is_that_since_it_was_forgotten() -> None:
    large = bytearray(os.urandom(MIB)) * 32
    del large
    system.forget_peak(os.getpid())
    before = system.memory(os.getpid())
    assert system.peak_memory(os.getpid()) < before + 16 * MIB
    large = bytearray(os.urandom(MIB)) * 32
    del large
    assert system.peak_memory(os.getpid()) > before + 16 * MIB


def test_what_is_written_to_files_is_counted(tmp_path: Path) -> None:
    before = system.handed_over(os.getpid())
    (tmp_path / "file").write_bytes(bytes(12_345))
    assert system.handed_over(os.getpid()) - before >= 12_345
