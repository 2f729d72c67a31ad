"""Getting messages accepted: the one door to the wire."""

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
