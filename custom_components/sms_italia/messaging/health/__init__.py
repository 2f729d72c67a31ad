"""Whether and when an account is asked: its health, its probes, its queue."""

from .admission import ANSWERING, Admission, Condition, Need, admission, is_better
from .health import AccountHealth, HealthRegistry
from .prober import Prober
from .timing import Timing
from .turns import MOST_IN_SMALL, Rank, Turn, Turns

__all__ = [
    "ANSWERING",
    "MOST_IN_SMALL",
    "AccountHealth",
    "Admission",
    "Condition",
    "HealthRegistry",
    "Need",
    "Prober",
    "Rank",
    "Timing",
    "Turn",
    "Turns",
    "admission",
    "is_better",
]
