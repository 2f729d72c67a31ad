"""The interface of a provider client, and the description of a provider."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
import re

import aiohttp
from yarl import URL

from .errors import NotAcceptedError, OutcomeUnknownError
from .model import (
    Credit,
    ErrorKind,
    MessageRef,
    Outcome,
    Report,
    SendResult,
    Submission,
)
from .transport import DEFAULT_TIMEOUTS, Timeouts


class Feature(StrEnum):
    """What a provider's API can do beyond sending."""

    CREDIT = "credit"
    """The credit can be asked for."""
    CREDIT_WITH_SEND = "credit_with_send"
    """The answer to a send tells the credit."""
    SMS_LEFT = "sms_left"
    """With the credit comes the number of SMS it still buys."""
    DELIVERY_POLL = "delivery_poll"
    """Delivery can be asked for by id."""
    DELIVERY_PUSH = "delivery_push"
    """Delivery is told to a URL of ours."""
    CLIENT_REFERENCE = "client_reference"
    """A submission can be found again by our own reference."""
    SCHEDULE = "schedule"
    CANCEL = "cancel"
    ESTIMATE = "estimate"
    PICTURE_PUSH = "picture_push"
    TEST_MODE = "test_mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRule:
    """Which senders a provider takes (providers.md, 8).

    `alias` is what an alphanumeric sender must match as a whole; it also needs a
    letter. `number` is what a numeric sender must match.
    """

    alias: re.Pattern[str] = re.compile(r"[^\x00-\x1f]{1,11}")
    number: re.Pattern[str] = re.compile(r"\+?[0-9]{3,16}")

    def allows(self, sender: str) -> bool:
        """Tell whether the provider would take this sender."""
        if self.number.fullmatch(sender):
            return True
        has_letter = any(character.isalpha() for character in sender)
        return has_letter and self.alias.fullmatch(sender) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do, as data."""

    features: frozenset[Feature]
    recipients_per_submission: int
    max_parts: int
    """The most parts the provider takes for one message."""
    refs_per_report_query: int = 1
    """How many messages one status request can ask about."""
    sender: SenderRule = SenderRule()


class FieldKind(StrEnum):
    """What is typed into a field of the set-up form."""

    TEXT = "text"
    USERNAME = "username"
    SECRET = "secret"  # noqa: S105 - a kind of field, no password
    SENDER = "sender"
    URL = "url"
    COUNTRY_PREFIX = "country_prefix"


class Presence(StrEnum):
    """Whether a field of the form must be filled in."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class Placement(StrEnum):
    """Where a field stands: in the form itself or in its folded-in section."""

    MAIN = "main"
    ADVANCED = "advanced"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsField:
    """One field of a provider's set-up form; design.md, section 7."""

    key: str
    kind: FieldKind
    presence: Presence = Presence.REQUIRED
    placement: Placement = Placement.MAIN
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOption:
    """An option of one provider that is on or off."""

    key: str
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOption:
    """An option of one provider that is a whole number within bounds."""

    key: str
    default: int
    minimum: int
    maximum: int


type ProviderOption = SwitchOption | NumberOption

type Settings = Mapping[str, str]
"""The values of a provider's fields and options by key.

Empty optional fields are left out. A switch is "true" or "false", a number its
decimal digits; an option that is left out has its default.
"""


class ProviderClient(ABC):
    """Speaks to one account at one provider.

    Only `send` never raises for anything that the network or the provider does:
    each recipient gets an outcome. All other methods raise ProviderError.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """Talk over `session` to the API at `url`."""
        self._session = session
        self._url = url
        self._timeouts = timeouts

    @abstractmethod
    async def validate(self) -> None:
        """Prove the credentials without sending an SMS.

        Raises NotAcceptedError (kind `auth` when they are wrong), or
        OutcomeUnknownError when the answer proves neither.
        """

    async def credit(self) -> Credit:
        """Ask for the credit (feature CREDIT)."""
        raise NotAcceptedError(ErrorKind.REFUSED, detail="no_credit_endpoint")

    async def send(self, submission: Submission) -> SendResult:
        """Send one text to all recipients of the submission, in one sending request.

        Never raises ProviderError and never sends twice.
        """
        try:
            return await self._send(submission)
        except NotAcceptedError as err:
            return SendResult(
                outcomes=same_for_all(submission, err.outcome), refusal=err.outcome
            )
        except OutcomeUnknownError as err:
            return SendResult(outcomes=same_for_all(submission, err.outcome))

    @abstractmethod
    async def _send(self, submission: Submission) -> SendResult:
        """Send; a ProviderError holds for every recipient."""

    async def lookup(self, reference: str) -> Sequence[Report]:  # noqa: ARG002 - for those that can
        """Find a submission's messages by our reference (feature CLIENT_REFERENCE).

        Empty if the provider never took it. Raises ProviderError.
        """
        raise NotAcceptedError(ErrorKind.REFUSED, detail="no_client_reference")

    def parse_callback(self, body: bytes) -> Report | None:  # noqa: ARG002 - for those that can
        """Return the report in the body of a delivery callback (feature DELIVERY_PUSH).

        None where the provider does not document the body, or it is not readable:
        the callback is then only a hint to ask.
        """
        return None

    @abstractmethod
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Ask what became of accepted messages (feature DELIVERY_POLL).

        At most `refs_per_report_query` refs a call. A message that the provider
        says nothing of is left out of the answer.
        """


def same_for_all(submission: Submission, outcome: Outcome) -> Mapping[str, Outcome]:
    """Return the one outcome for each recipient of the submission."""
    return dict.fromkeys(submission.recipients, outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """All that the rest of the house needs to know of a provider.

    `identity` names the fields that tell one account from another. `options` are
    those that only this provider has. `create` takes the session, the settings and
    the timeouts and returns a client; it raises ValueError if the URL is none.
    """

    key: str
    name: str
    manufacturer: str
    console_url: str
    fields: tuple[SettingsField, ...]
    identity: tuple[str, ...]
    capabilities: Capabilities
    create: Callable[[aiohttp.ClientSession, Settings, Timeouts], ProviderClient]
    options: tuple[ProviderOption, ...] = ()


def parse_url(value: str) -> URL:
    """Return the base URL of an API, without a trailing slash.

    Raises ValueError, which does not repeat the value, unless it is an absolute
    http(s) URL without credentials, query or fragment.
    """
    url = URL(value.strip())
    if (
        url.scheme not in {"http", "https"}
        or not url.host
        or url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
    ):
        raise ValueError("no base address of an API")
    return url.with_path(url.path.rstrip("/"))
