"""A disk on which each sync takes long, as on the SD card of a small computer."""

import asyncio
from pathlib import Path

from script.home_assistant.waiting import HomeAssistantError

SYNC = 0.05
"""Seconds that each sync takes longer."""

_SOURCE = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int slowly(const char *name, int fd) {
    struct timespec pause = {0, %d};
    nanosleep(&pause, 0);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
"""


async def environment(folder: Path) -> dict[str, str]:
    """Return what slows the syncs of a process down; it is compiled in a folder.

    Raises HomeAssistantError without a C compiler.
    """
    source, library = folder / "slow_disk.c", folder / "slow_disk.so"
    await asyncio.to_thread(source.write_text, _SOURCE % (SYNC * 1e9))
    try:
        compiler = await asyncio.create_subprocess_exec(
            "cc", "-shared", "-fPIC", "-o", library, source, "-ldl"
        )
    except FileNotFoundError as err:
        raise HomeAssistantError("a slow disk takes a C compiler, cc") from err
    if await compiler.wait():
        raise HomeAssistantError("the slow disk cannot be compiled")
    return {"LD_PRELOAD": str(library)}
