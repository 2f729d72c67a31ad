"""What is known of open messages, and who is notified when it changes."""

from .events import (
    CallRefused,
    CredentialsRefused,
    CreditChanged,
    CreditProved,
    CreditReported,
    DailyLimitReached,
    DayChanged,
    Event,
    Events,
    HttpsRequired,
    MessagesChanged,
    MessagesReceived,
    SendAccepted,
    TotalsChanged,
    UndeliveredChanged,
    WaitingChanged,
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
    "CreditProved",
    "CreditReported",
    "DailyLimitReached",
    "DailyTotals",
    "DayChanged",
    "Event",
    "Events",
    "HttpsRequired",
    "MessagesChanged",
    "MessagesReceived",
    "OpenMessages",
    "SendAccepted",
    "TotalsChanged",
    "UndeliveredChanged",
    "WaitRequested",
    "WaitingChanged",
    "call_guarded",
]
