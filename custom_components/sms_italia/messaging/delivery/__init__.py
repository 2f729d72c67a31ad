"""Getting messages accepted: the only place that sends."""

from .context import DeliveryContext
from .outbox import Outbox
from .outcomes import settle_group
from .retry_rules import accounts_after
from .storm import StormBrake

__all__ = [
    "DeliveryContext",
    "Outbox",
    "StormBrake",
    "accounts_after",
    "settle_group",
]
