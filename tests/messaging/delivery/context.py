"""What delivery works with, put together for a test."""

from custom_components.sms_italia.messaging import Clock, Timing
from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.alarm import ClockWatch
from custom_components.sms_italia.messaging.delivery import DeliveryContext
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.messaging.state import (
    DailyTotals,
    Events,
    OpenMessages,
)


def a_context(
    accounts: Accounts, ledger: Ledger, clock: Clock, timing: Timing
) -> DeliveryContext:
    """Return a context without messages."""
    events = Events()
    totals = DailyTotals(ledger, clock, events)
    return DeliveryContext(
        accounts=accounts,
        open_messages=OpenMessages(ledger, clock, totals, events),
        ledger=ledger,
        events=events,
        clock=clock,
        timing=timing,
        watch=ClockWatch(clock),
    )
