"""What a simulated provider is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .exchange import DeliveryReport, Endpoint
from .model import Message
from .store import Account, Store


class Api(Protocol):
    """The HTTP API of one provider."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return the report to push for a final status; None if none was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as the registry lists it.

    `key` names it everywhere and is the first part of its path. `base_path` is the
    rest of the base URL that its clients are given. `new_account` makes the account
    that the simulator starts with, `create_api` the endpoints over a store.
    """

    key: str
    new_account: Callable[[], Account]
    create_api: Callable[[Store], Api]
    base_path: str = ""
