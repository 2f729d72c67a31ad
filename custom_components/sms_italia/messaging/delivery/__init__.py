"""Getting messages accepted: the only place that sends."""

from .failover import Failover
from .health import AccountHealth, Timing
from .outbox import Outbox
from .outcomes import settle_group
from .storm import StormBrake
from .submitter import DeliveryContext

__all__ = [
    "AccountHealth",
    "DeliveryContext",
    "Failover",
    "Outbox",
    "StormBrake",
    "Timing",
    "settle_group",
]
