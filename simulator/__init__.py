"""Italian SMS providers as a local server, for tests, development and the demo."""

from .faults import Fault
from .model import Callback, Channel, Message, Operation, Request, Status, Toggle
from .registry import PROVIDERS
from .simulator import Simulator
from .store import Account

__all__ = [
    "PROVIDERS",
    "Account",
    "Callback",
    "Channel",
    "Fault",
    "Message",
    "Operation",
    "Request",
    "Simulator",
    "Status",
    "Toggle",
]
