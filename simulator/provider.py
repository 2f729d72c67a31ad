"""What a simulated provider is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .exchange import Answer, Call, DeliveryReport, Endpoint
from .model import Encoding, Incoming, Message
from .store import Account, Store


class Api(Protocol):
    """The HTTP API of one provider."""

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every method and path that it answers."""

    def delivery_report(self, message: Message) -> DeliveryReport | None:
        """Return the report to push for a final status; None if none was asked for."""

    def no_endpoint(self, call: Call, status: int) -> Answer:
        """Return the answer to a path that does not exist or a wrong method.

        `status` is 404 or 405; what refuses the call is raised as RefusedError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCall:
    """A valid request to send; `path` goes after the base URL."""

    method: str
    path: str
    encoding: Encoding
    fields: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFields:
    """The names of the fields of a request to send.

    `numbers` has one number or more, separated by commas. `callback` has the URL for
    the delivery report, None if a request cannot ask for one.
    """

    numbers: str
    text: str
    callback: str | None = None


def bare_error(status: int) -> Answer:
    """Return the answer of a web server without anything of the provider."""
    return Answer(status=status, content_type="text/plain", body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as the registry lists it.

    `key` names it everywhere and is the first part of its path. `base_path` is the
    rest of the base URL that its clients are given. `new_account` makes the account
    that the simulator starts with, `create_api` the endpoints over a store.

    `send_call` makes the plainest request that sends a text to a number (E.164), for
    an account, `reception_push` the call to the client when an SMS comes in, None if
    there is none. `answers_in_json` is False for answers in lines of text, which stay
    readable with invalid bytes after them.
    """

    key: str
    new_account: Callable[[], Account]
    create_api: Callable[[Store], Api]
    send_call: Callable[[Account, str, str], SendCall]
    send_fields: SendFields
    reception_push: Callable[[Account, Incoming], DeliveryReport | None] = (
        lambda _account, _incoming: None
    )
    base_path: str = ""
    answers_in_json: bool = True
