"""What is known of open messages, and who is notified when it changes."""

from .events import (
    CallRefused,
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
    call_guarded,
)
from .open_messages import Change, OpenMessages
from .totals import DailyTotals

__all__ = [
    "CallRefused",
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
    "call_guarded",
]
