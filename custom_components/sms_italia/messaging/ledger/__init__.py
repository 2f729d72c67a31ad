"""Every message, every submission and each day's totals, on disk."""

from .ledger import Ledger
from .records import (
    Entry,
    Found,
    LedgerClosedError,
    LedgerError,
    LedgerSlowError,
    LedgerTrouble,
    LedgerUnreadableError,
    Opened,
    Query,
    ReceptionRecord,
    Remembered,
    RunRecord,
    Spent,
    SubmissionIntent,
    View,
    Viewer,
)

__all__ = [
    "Entry",
    "Found",
    "Ledger",
    "LedgerClosedError",
    "LedgerError",
    "LedgerSlowError",
    "LedgerTrouble",
    "LedgerUnreadableError",
    "Opened",
    "Query",
    "ReceptionRecord",
    "Remembered",
    "RunRecord",
    "Spent",
    "SubmissionIntent",
    "View",
    "Viewer",
]
