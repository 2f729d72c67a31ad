"""Getting messages accepted: the one door to the wire."""

from .health import AccountHealth, Timing
from .outbox import Outbox
from .outcomes import settle_group
from .retry_rules import accounts_after
from .storm import StormBrake
from .submitter import DeliveryContext

__all__ = [
    "AccountHealth",
    "DeliveryContext",
    "Outbox",
    "StormBrake",
    "Timing",
    "accounts_after",
    "settle_group",
]
