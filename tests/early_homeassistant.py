"""Lets the test kit run on a Home Assistant release that is newer than the kit.

pytest loads this first (`-p tests.early_homeassistant`, see script/test), only on the
newest release. Two things stand in the kit's way there:

- it imports httpx before homeassistant, which since 2026.11 wants to be first, so that
  its replacement of httpx is in place;
- it takes `_clear_logger_overwrites` from `homeassistant.components.logger`, which
  moved to the `helpers` module beside it.

Delete this file, and its mention in script/test, when the kit is out for the pinned
release: then the kit's own imports work.
"""

from homeassistant.components import logger
from homeassistant.components.logger import helpers

# The name is set by string: it is private, and it exists on the newest release only.
_MOVED = "_clear_logger_overwrites"

setattr(logger, _MOVED, getattr(helpers, _MOVED))
