"""After a message was accepted: its delivery, its cancellation, its end."""

from .cancellation import Cancellation
from .outages import Outages
from .removal import Removal
from .retention import Retention
from .tracker import Tracker
from .undelivered import Undelivered
from .waiting import Waiting, count_waiting

__all__ = [
    "Cancellation",
    "Outages",
    "Removal",
    "Retention",
    "Tracker",
    "Undelivered",
    "Waiting",
    "count_waiting",
]
