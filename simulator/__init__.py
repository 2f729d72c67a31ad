"""The four providers as a local server, for tests, development and the demo."""

from .faults import Fault
from .model import (
    Callback,
    Channel,
    Message,
    Operation,
    Provider,
    Request,
    Status,
    Toggle,
)
from .simulator import Simulator
from .store import Account

__all__ = [
    "Account",
    "Callback",
    "Channel",
    "Fault",
    "Message",
    "Operation",
    "Provider",
    "Request",
    "Simulator",
    "Status",
    "Toggle",
]
