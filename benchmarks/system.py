"""What Linux tells of a process from outside."""

from pathlib import Path


def memory(pid: int) -> int:
    """Return the bytes of memory that a process has at the moment."""
    return _figure(pid, "status", "VmRSS") * 1024


def forget_peak(pid: int) -> None:
    """Begin anew to watch for the most memory that a process has at once."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def peak_memory(pid: int) -> int:
    """Return the most bytes of memory that it had since that."""
    return _figure(pid, "status", "VmHWM") * 1024


def handed_over(pid: int) -> int:
    """Return the bytes that a process ever wrote to files; sockets do not count."""
    return _figure(pid, "io", "wchar")


def put_on_disk(pid: int) -> int:
    """Return the bytes of it that went to a disk, in whole blocks."""
    return _figure(pid, "io", "write_bytes")


def _figure(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(name)
