"""The messaging layer: accounts, messages, and the way of one to the other's phone.

The rooms of Home Assistant import from here alone.
"""

from .account import Account, AccountOptions, DeliveryReports
from .clock import Clock, Moment
from .compose import (
    NumberError,
    check_count,
    country_of,
    join_title,
    parse_number,
    parse_numbers,
    shown,
    split_numbers,
)
from .errors import Refusal, RequestRefusedError
from .health import Timing
from .ledger import Found, LedgerError, LedgerTrouble, LedgerUnreadableError, Query
from .messenger import Messenger
from .model import (
    BadTarget,
    DayTotal,
    Dispatch,
    Message,
    NumberProblem,
    PhoneNumber,
    SendOptions,
    SendRequest,
    Stage,
    Target,
    TextEncoding,
    TextEstimate,
    TooLong,
    group_address,
    mask_number,
)
from .state import (
    CredentialsRefused,
    CreditChanged,
    CreditReported,
    DailyLimitReached,
    DayChanged,
    Event,
    HttpsRequired,
    MessagesChanged,
    TotalsChanged,
    UndeliveredChanged,
    WaitRequested,
)

__all__ = [
    "Account",
    "AccountOptions",
    "BadTarget",
    "Clock",
    "CredentialsRefused",
    "CreditChanged",
    "CreditReported",
    "DailyLimitReached",
    "DayChanged",
    "DayTotal",
    "DeliveryReports",
    "Dispatch",
    "Event",
    "Found",
    "HttpsRequired",
    "LedgerError",
    "LedgerTrouble",
    "LedgerUnreadableError",
    "Message",
    "MessagesChanged",
    "Messenger",
    "Moment",
    "NumberError",
    "NumberProblem",
    "PhoneNumber",
    "Query",
    "Refusal",
    "RequestRefusedError",
    "SendOptions",
    "SendRequest",
    "Stage",
    "Target",
    "TextEncoding",
    "TextEstimate",
    "Timing",
    "TooLong",
    "TotalsChanged",
    "UndeliveredChanged",
    "WaitRequested",
    "check_count",
    "country_of",
    "group_address",
    "join_title",
    "mask_number",
    "parse_number",
    "parse_numbers",
    "shown",
    "split_numbers",
]
