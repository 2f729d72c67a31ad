"""The cost of the integration at the start of Home Assistant, and while idle."""

import asyncio
from collections.abc import Mapping
import json
from pathlib import Path
from statistics import median
import sys
from typing import cast

from script.home_assistant.process import Process
from script.home_assistant.waiting import HomeAssistantError

from . import system
from .figures import Chapter, Direction, Goal, Table, kib, ms
from .instance import MEASURED_PROVIDER, MeasuredInstance

_TEXT = """\
The import is that of every module of the integration, in a new process that has
imported all that they need of Home Assistant; the numbering plans are loaded for the
first number that is not an Italian mobile. The set-up is that of accounts which were
unloaded, one alone (which opens the ledger) and many at the same time; it asks no
provider. The memory is the growth of the process by that many accounts, for each.
"""

_LONGEST_IMPORT = 0.05
_LONGEST_SET_UP = 0.01
_MOST_MEMORY = 2**20


async def measure(
    instance: MeasuredInstance, place: Path, accounts: int, rounds: int
) -> Chapter:
    """Measure an import, set-ups, and that many accounts."""
    imports = await _imports(place, rounds)
    took, classes, plans = (
        median(one[what] for one in imports) for what in ("took", "classes", "plans")
    )
    async with instance.run_with_empty_ledger() as process:
        one = instance.accounts[MEASURED_PROVIDER]
        alone = [await instance.seconds("set_up", entries=[one]) for _ in range(rounds)]
        many, growth = await _multiply(instance, process, one, accounts)
        together = [
            await instance.seconds("set_up", entries=many) for _ in range(rounds)
        ]
    each = [median(together) / accounts, growth / accounts]
    return Chapter(
        title="Start and rest",
        text=_TEXT,
        tables=[
            Table(
                columns=["", ""],
                rows=[
                    ["Import", ms(took)],
                    ["of that, making data classes", ms(classes)],
                    ["Numbering plans of the world, in a thread", ms(plans)],
                    ["Set-up of one account", ms(median(alone))],
                    [f"Set-up of {accounts} accounts", ms(median(together))],
                    ["Set-up of each of them", ms(each[0])],
                    ["Memory of an idle account", kib(each[1])],
                ],
            )
        ],
        goals=[
            _goal("Import", took, _LONGEST_IMPORT),
            _goal("Set-up of one account", median(alone), _LONGEST_SET_UP),
            _goal(f"Set-up of each of {accounts} accounts", each[0], _LONGEST_SET_UP),
            Goal(
                name="Memory of an idle account",
                value=each[1] / 2**20,
                direction=Direction.AT_MOST,
                target=_MOST_MEMORY / 2**20,
                unit="MiB",
            ),
        ],
    )


def _goal(name: str, seconds: float, target: float) -> Goal:
    return Goal(
        name=name,
        value=seconds * 1000,
        direction=Direction.AT_MOST,
        target=target * 1000,
        unit="ms",
    )


async def _multiply(
    instance: MeasuredInstance, process: Process, like: str, accounts: int
) -> tuple[list[str], int]:
    """Add accounts; return them, and the growth of the process in bytes."""
    await instance.call("tidy")
    before = system.memory(process.pid)
    answer = await instance.call("multiply", entry=like, count=accounts)
    await instance.call("tidy")
    return cast("list[str]", answer["entries"]), system.memory(process.pid) - before


async def _imports(place: Path, rounds: int) -> list[Mapping[str, float]]:
    """Import the integration in new processes; return what each of them prints."""
    known = place / "known.txt"
    known.write_text(await _python("--known"), "utf-8")
    await _python(str(known))  # the first one may have to compile
    return [
        cast("Mapping[str, float]", json.loads(await _python(str(known))))
        for _ in range(rounds)
    ]


async def _python(argument: str) -> str:
    """Run the import in a process of its own and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.importing",
        argument,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise HomeAssistantError("the integration cannot be imported")
    return printed.decode()
