"""Memory and disk use of a process, from Linux's /proc."""

from pathlib import Path


def memory(pid: int) -> int:
    """Return the memory of a process in bytes."""
    return _figure(pid, "status", "VmRSS") * 1024


def forget_peak(pid: int) -> None:
    """Reset the peak of a process's memory."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def peak_memory(pid: int) -> int:
    """Return the peak of its memory since then, in bytes."""
    return _figure(pid, "status", "VmHWM") * 1024


def handed_over(pid: int) -> int:
    """Return the bytes that a process wrote to files so far, without sockets."""
    return _figure(pid, "io", "wchar")


def put_on_disk(pid: int) -> int:
    """Return the bytes of them that went to a disk, in whole blocks."""
    return _figure(pid, "io", "write_bytes")


def _figure(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(name)
