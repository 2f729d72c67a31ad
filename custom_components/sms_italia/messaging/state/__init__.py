"""What is known of open messages, and who is notified when it changes."""

from .events import (
    CredentialsRefused,
    CreditChanged,
    CreditReported,
    Event,
    Events,
    HttpsRequired,
    MessagesChanged,
    TotalsChanged,
    UndeliveredChanged,
)
from .open_messages import Change, OpenMessages
from .totals import DailyTotals

__all__ = [
    "Change",
    "CredentialsRefused",
    "CreditChanged",
    "CreditReported",
    "DailyTotals",
    "Event",
    "Events",
    "HttpsRequired",
    "MessagesChanged",
    "OpenMessages",
    "TotalsChanged",
    "UndeliveredChanged",
]
