"""After a message was accepted: its delivery, its cancellation, its end."""

from .cancellation import Cancellation
from .failover import Failover
from .retention import Retention
from .tracker import Tracker

__all__ = ["Cancellation", "Failover", "Retention", "Tracker"]
