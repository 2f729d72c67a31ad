"""Whether and when an account is asked: its health, its probes, its queue."""

from .admission import Admission, Condition, Need, admission, is_better
from .health import AccountHealth, HealthRegistry
from .prober import Prober
from .timing import Timing
from .turns import Pace, Rank, Turn, Turns

__all__ = [
    "AccountHealth",
    "Admission",
    "Condition",
    "HealthRegistry",
    "Need",
    "Pace",
    "Prober",
    "Rank",
    "Timing",
    "Turn",
    "Turns",
    "admission",
    "is_better",
]
