"""Runs Home Assistant without the frontend and other integrations that are not used.

All else is the real start, which takes seconds this way. Takes the arguments of Home
Assistant itself. If the environment names a file for it, the event loop is measured
(loop_meter.py).
"""

import os
from pathlib import Path
import sys

from homeassistant import bootstrap
from homeassistant.__main__ import main

from .loop_meter import RESULT_FILE, Meter

_NEEDED = {"logger", "network"}


def _remove_integrations() -> None:
    """Remove integrations from the defaults, in place: other modules hold the sets."""
    bootstrap.DEFAULT_INTEGRATIONS.intersection_update(_NEEDED)
    bootstrap.FRONTEND_INTEGRATIONS.clear()
    # Without its frontend Home Assistant would start in recovery mode.
    bootstrap.CRITICAL_INTEGRATIONS.clear()


if __name__ == "__main__":
    _remove_integrations()
    if result := os.environ.get(RESULT_FILE):
        Meter().obey_signals(Path(result))
    sys.exit(main())
