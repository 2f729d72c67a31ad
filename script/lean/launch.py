"""Runs Home Assistant without its frontend and what nobody here uses.

Everything else is the real start, which takes seconds this way. Takes the arguments of
Home Assistant itself. If the environment names a file for it, the event loop is
measured (script/lean/meter.py).
"""

import os
from pathlib import Path
import sys

from homeassistant import bootstrap
from homeassistant.__main__ import main

from .meter import FIGURES_FILE, Meter

_NEEDED = {"logger", "network"}


def _slim_down() -> None:
    """Take out of the defaults what is not needed, in place: some copies are held."""
    bootstrap.DEFAULT_INTEGRATIONS.intersection_update(_NEEDED)
    bootstrap.FRONTEND_INTEGRATIONS.clear()
    # Without its frontend Home Assistant would start in recovery mode.
    bootstrap.CRITICAL_INTEGRATIONS.clear()


if __name__ == "__main__":
    _slim_down()
    if figures := os.environ.get(FIGURES_FILE):
        Meter(Path(figures)).obey_signals()
    sys.exit(main())
