"""Prints how long it takes to import the integration, in a new process.

As JSON, in seconds: all of it (`took`), the part for making data classes (`classes`),
and the numbering plans of the world (`plans`), which are loaded for the first number
that needs them. The modules of Home Assistant itself are imported before. `--known`
prints these instead, a line each.
"""

from collections.abc import Callable
import dataclasses
import importlib
import json
from pathlib import Path
import pkgutil
import sys
import time

_OURS = "custom_components.sms_italia"


def _import_ours() -> None:
    """Import every module of the integration."""
    package = importlib.import_module(_OURS)
    for module in pkgutil.walk_packages(package.__path__, f"{_OURS}."):
        importlib.import_module(module.name)


def _time_classes() -> Callable[[], float]:
    """Measure how long data classes take to be made from now on."""
    make = dataclasses.dataclass
    took = 0.0

    def timed(cls: type | None = None, /, **options: bool) -> object:
        def made(cls: type) -> type:
            nonlocal took
            begin = time.perf_counter()
            result: type = make(cls, **options)
            took += time.perf_counter() - begin
            return result

        return made if cls is None else made(cls)

    dataclasses.dataclass = timed  # type: ignore[assignment] # stands in for it
    return lambda: took


def main() -> None:
    """Import and print."""
    if sys.argv[1:] == ["--known"]:
        _import_ours()
        names = (name for name in sys.modules if name.startswith("homeassistant."))
        print(*names, sep="\n")
        return
    for name in Path(sys.argv[1]).read_text("utf-8").split():
        importlib.import_module(name)
    classes = _time_classes()
    begin = time.perf_counter()
    _import_ours()
    took = time.perf_counter() - begin
    begin = time.perf_counter()
    importlib.import_module(f"{_OURS}.messaging.compose.numbers").load()
    plans = time.perf_counter() - begin
    print(json.dumps({"took": took, "classes": classes(), "plans": plans}))


if __name__ == "__main__":
    main()
