"""Prints the seconds that it takes to import the integration, in a fresh process.

What Home Assistant has of its own is imported before. `--known` prints that instead:
the modules of Home Assistant that the integration asks for, a line each.
"""

import importlib
from pathlib import Path
import pkgutil
import sys
import time

_OURS = "custom_components.sms_italia"


def _import_ours() -> None:
    """Import every module of the integration, and what is loaded at its start."""
    package = importlib.import_module(_OURS)
    for module in pkgutil.walk_packages(package.__path__, f"{_OURS}."):
        importlib.import_module(module.name)
    importlib.import_module(f"{_OURS}.messaging.numbers").load()


def main() -> None:
    """Import and print."""
    if sys.argv[1:] == ["--known"]:
        _import_ours()
        print(*(name for name in sys.modules if name.startswith("homeassistant.")))
        return
    for name in Path(sys.argv[1]).read_text("utf-8").split():
        importlib.import_module(name)
    begin = time.perf_counter()
    _import_ours()
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
