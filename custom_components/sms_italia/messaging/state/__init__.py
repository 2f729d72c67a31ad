"""What is known of open messages, and who is notified when it changes."""

from .events import (
    CredentialsRefused,
    CreditChanged,
    CreditReported,
    DailyLimitReached,
    DayChanged,
    Event,
    Events,
    HttpsRequired,
    MessagesChanged,
    TotalsChanged,
    UndeliveredChanged,
    WaitRequested,
)
from .open_messages import Change, OpenMessages
from .totals import DailyTotals

__all__ = [
    "Change",
    "CredentialsRefused",
    "CreditChanged",
    "CreditReported",
    "DailyLimitReached",
    "DailyTotals",
    "DayChanged",
    "Event",
    "Events",
    "HttpsRequired",
    "MessagesChanged",
    "OpenMessages",
    "TotalsChanged",
    "UndeliveredChanged",
    "WaitRequested",
]
