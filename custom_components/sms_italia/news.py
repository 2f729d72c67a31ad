"""What the triggers of automations are notified of, whatever account it is about.

A trigger may be attached before there is an account, and stays while one is reloaded.
"""

from dataclasses import dataclass

from homeassistant.util.signal_type import SignalType

from .const import DOMAIN
from .messaging import Event, RunNews


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBecameLow:
    """An account's credit is below its limit, and was not before."""

    account: str


type News = Event | CreditBecameLow | RunNews

NEWS: SignalType[News] = SignalType(f"{DOMAIN}_news")
