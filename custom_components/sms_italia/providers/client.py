"""The interface of a provider client, and the description of a provider."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import wraps
import re
from typing import Any, ClassVar, Concatenate

import aiohttp
from yarl import URL

from .errors import NotAcceptedError, OutcomeUnknownError, UnconfirmedAuthError
from .http_status import REDIRECTED
from .model import (
    Cancellation,
    Cause,
    Channel,
    Credit,
    ErrorKind,
    Incoming,
    Invitation,
    MessageRef,
    Mode,
    NotSent,
    Outcome,
    Picture,
    PictureRef,
    Report,
    SendResult,
    Submission,
)
from .pictures import PictureRule
from .transport import DEFAULT_TIMEOUTS, Timeouts


class Feature(StrEnum):
    """What a provider's API can do beyond sending."""

    CREDIT = "credit"
    """The credit can be asked for."""
    CREDIT_IF_OFFERED = "credit_if_offered"
    """The credit can be asked for, but not by every account."""
    CREDIT_WITH_SEND = "credit_with_send"
    """The answer to a send has the credit."""
    SMS_LEFT = "sms_left"
    """With the credit comes the number of SMS it still buys."""
    PUSH_LEFT = "push_left"
    """The number of Push messages left can be asked for, if there is a plan."""
    DELIVERY_POLL = "delivery_poll"
    """Delivery can be asked for by id."""
    DELIVERY_PUSH = "delivery_push"
    """The provider calls a URL of ours with the delivery."""
    CLIENT_REFERENCE = "client_reference"
    """A submission can be found again by our own reference."""
    SCHEDULE = "schedule"
    """A submission can be sent at a later moment."""
    CANCEL = "cancel"
    """A scheduled message can be stopped."""
    ESTIMATE = "estimate"
    """The price of a submission can be asked for beforehand."""
    PUSH = "push"
    """Messages can go to the provider's app, and numbers be invited to it."""
    PICTURE_PUSH = "picture_push"
    """A Push can have a picture, which can be read back."""
    TEST_MODE = "test_mode"
    """A submission can be tried out without sending."""
    GROUPS = "groups"
    """Groups of the provider's phonebook can be recipients."""
    RECEIVE = "receive"
    """SMS that came in can be searched for."""


_ALIAS_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    " !\"#$%&'()*+,-./:;<=>?@_¡¿£¥§¤äåæèéìñòöøùüàÄÅÆÇÉÑÖØÜß"
)
"""GSM-7 (3GPP TS 23.038, 6.2.1) without its Greek capitals, which look like ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRule:
    """Which senders a provider takes (docs/development/provider-apis/common.md 8).

    Printable letters of GSM-7, none of which looks like another: nobody sees what else
    stands in a name. `alias` is what an alphanumeric sender must match as well, as must
    each of its characters; it also needs a letter. `number` is what a numeric sender
    must match.
    """

    alias: re.Pattern[str] = re.compile(r".{1,11}")
    number: re.Pattern[str] = re.compile(r"\+?[0-9]{3,16}")

    def allows(self, sender: str) -> bool:
        """Return whether the provider would take this sender."""
        if self.number.fullmatch(sender):
            return True
        is_alias = _has_letter(sender) and not self.refused_characters(sender)
        return is_alias and bool(self.alias.fullmatch(sender))

    def refused_characters(self, sender: str) -> Sequence[str]:
        """Return the characters of a name that the provider does not take.

        None of them if it has no letter: the characters are not what is wrong then.
        """
        if not _has_letter(sender):
            return ()
        return tuple(
            one
            for one in dict.fromkeys(sender)
            if one not in _ALIAS_CHARACTERS or not self.alias.fullmatch(one)
        )


def _has_letter(sender: str) -> bool:
    """Return whether a sender is a name."""
    return any(map(str.isalpha, sender))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do, as data."""

    features: frozenset[Feature]
    recipients_per_submission: int
    max_parts: int
    """The most parts the provider takes for one message."""
    refs_per_report_query: int = 1
    """How many messages one status request can ask about."""
    reference_length: int = 60
    """The longest reference of a submission."""
    sender: SenderRule = SenderRule()
    picture: PictureRule | None = None
    """Which pictures may go with a Push (feature PICTURE_PUSH)."""


class FieldKind(StrEnum):
    """What is typed into a field of the set-up form."""

    TEXT = "text"
    USERNAME = "username"
    SECRET = "secret"  # noqa: S105 - a kind of field, no password
    SENDER = "sender"
    URL = "url"
    COUNTRY_PREFIX = "country_prefix"


_CREDENTIALS = frozenset({FieldKind.USERNAME, FieldKind.SECRET})


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
    """One field of a provider's set-up form."""

    key: str
    kind: FieldKind
    presence: Presence = Presence.REQUIRED
    placement: Placement = Placement.MAIN
    default: str | None = None


def url_field(default: str) -> SettingsField:
    """Return the field of an API's address, which few users change."""
    return SettingsField(
        key="url", kind=FieldKind.URL, placement=Placement.ADVANCED, default=default
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceOption:
    """An option of one provider that is one of some words; its setting is the word."""

    key: str
    default: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailOption:
    """An option of one provider that is an e-mail address, or left empty."""

    key: str


type ProviderOption = SwitchOption | NumberOption | ChoiceOption | EmailOption


type Settings = Mapping[str, str]
"""The values of a provider's fields and options by key.

Empty optional fields are left out. A switch is "true" or "false", a number its
decimal digits; an option that is left out has its default.
"""


def confirmed[Client: ProviderClient, **Asked, Answered](
    question: Callable[Concatenate[Client, Asked], Coroutine[Any, Any, Answered]],
) -> Callable[Concatenate[Client, Asked], Coroutine[Any, Any, Answered]]:
    """Return a client's question that blames the credentials only if the login does."""

    @wraps(question)
    async def ask(
        client: Client, /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> Answered:
        try:
            return await question(client, *args, **kwargs)
        except NotAcceptedError as err:
            raise await client.confirm(err) from None

    return ask


class ProviderClient(ABC):
    """A client of one account at one provider.

    Only `send` never raises for anything that the network or the provider does:
    each recipient gets an outcome. All other methods raise ProviderError; those for a
    feature that `capabilities` does not have are refused with the cause UNSUPPORTED.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        features=frozenset(), recipients_per_submission=1, max_parts=255
    )

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        """Use the API at `url` over `session`."""
        self._session = session
        self._url = url
        self._timeouts = timeouts

    @abstractmethod
    async def validate(self) -> None:
        """Prove the credentials without sending an SMS.

        Raises NotAcceptedError (kind `auth` when they are wrong), or
        OutcomeUnknownError when the answer proves neither.
        """

    async def probe(self) -> None:
        """Ask a harmless question, only to see whether the provider answers.

        Raises as `validate`; a refusal in the provider's own words is an answer too.
        """
        await self.validate()

    async def customer(self) -> str | None:
        """Prove the credentials and return whose they are, by the provider's own name.

        The name stays when the credentials are renewed. None if the provider does not
        say it. Raises as `validate`.
        """
        await self.validate()
        return None

    async def check(self) -> Credit | None:
        """Prove the credentials and return the credit (CREDIT, CREDIT_IF_OFFERED).

        None if the account may not ask for it or it cannot be read. Raises as
        `validate`.
        """
        await self.validate()
        return None

    async def credit_with_push(self, number: str | None) -> Credit | None:  # noqa: ARG002 - for those that can
        """Do as `check` and return the Push plan as well (feature PUSH_LEFT).

        That may take one request more. `number` (E.164) is one that the provider may be
        asked with if it does not know the account's own mobile.
        """
        return await self.check()

    async def send(self, submission: Submission) -> SendResult:
        """Send one text to all recipients of the submission, in one sending request.

        A second request is made only after a refusal which proves that the first one
        sent nothing. Never raises ProviderError and never sends twice.
        """
        submission = _timely(submission)
        try:
            self._refuse_unfit(submission)
            return await self._send(submission)
        except NotAcceptedError as err:
            refusal = (await self.confirm(err)).outcome
        except OutcomeUnknownError as err:
            if err.detail != REDIRECTED or not await self._is_redirected():
                doubt = err.outcome
                return SendResult(outcomes=same_for_all(submission, doubt), doubt=doubt)
            # A captive network, which points every question elsewhere.
            refusal = NotSent(kind=ErrorKind.UNAVAILABLE, detail=REDIRECTED)
        return SendResult(outcomes=same_for_all(submission, refusal), refusal=refusal)

    async def confirm(self, err: NotAcceptedError) -> NotAcceptedError:
        """Return a refusal as what it is when the harmless question is asked too.

        A foreign page with 401 is about the account only if that says so as well.
        """
        if not isinstance(err, UnconfirmedAuthError):
            return err
        try:
            await self.validate()
        except NotAcceptedError as answer:
            if answer.kind is ErrorKind.AUTH:
                return NotAcceptedError(ErrorKind.AUTH, err.detail)
        except OutcomeUnknownError:
            pass
        return NotAcceptedError(ErrorKind.UNAVAILABLE, err.detail)

    async def _is_redirected(self) -> bool:
        """Return whether plain http leads elsewhere for the harmless question too."""
        if self._url.scheme != "http":
            return False
        try:
            await self.validate()
        except NotAcceptedError as answer:
            return answer.detail == REDIRECTED
        except OutcomeUnknownError:
            pass
        return False

    def _refuse_unfit(self, submission: Submission) -> None:
        """Raise NotAcceptedError if the submission needs what the provider has not."""
        needed = {
            Feature.SCHEDULE: submission.send_at is not None,
            Feature.PUSH: submission.channel is Channel.PUSH,
            Feature.GROUPS: bool(submission.groups),
            Feature.TEST_MODE: submission.mode is Mode.TEST,
            # Who gets an SMS instead of the Push could not see the picture anyway.
            Feature.PICTURE_PUSH: submission.picture is not None
            and submission.channel is not Channel.PUSH_THEN_SMS,
        }
        for feature, is_needed in needed.items():
            if is_needed and feature not in self.capabilities.features:
                raise unsupported(f"no_{feature}")
        rule = self.capabilities.picture
        if rule is not None and submission.picture is not None:
            fault = rule.fault(submission.picture)
            if fault is not None:
                raise NotAcceptedError(
                    ErrorKind.REFUSED, detail=fault, cause=Cause.PICTURE
                )

    @abstractmethod
    async def _send(self, submission: Submission) -> SendResult:
        """Send; a ProviderError that it raises holds for every recipient."""

    @confirmed
    async def estimate(self, submission: Submission) -> Decimal:
        """Return what a submission would cost in euro (feature ESTIMATE).

        Nothing is sent. Raises ProviderError.
        """
        submission = _timely(submission)
        self._refuse_unfit(submission)
        return await self._estimate(submission)

    async def _estimate(self, submission: Submission) -> Decimal:  # noqa: ARG002 - for those that can
        """Return the cost of a submission that the provider could take."""
        raise unsupported("no_estimate")

    @confirmed
    async def lookup(
        self, reference: str, channel: Channel | None = None
    ) -> Sequence[Report]:
        """Return the reports of a submission, found by our reference.

        Feature CLIENT_REFERENCE. `channel` is that of the submission, None if not
        known. Empty if the provider never took it, or has not worked on it yet. Raises
        ProviderError.
        """
        return await self._lookup(reference, channel)

    async def _lookup(
        self,
        reference: str,  # noqa: ARG002 - for those that can
        channel: Channel | None,  # noqa: ARG002 - for those that can
    ) -> Sequence[Report]:
        """Return the reports of a submission, found by our reference."""
        raise unsupported("no_client_reference")

    async def cancel(self, refs: Sequence[MessageRef]) -> Sequence[Cancellation]:  # noqa: ARG002 - for those that can
        """Stop scheduled messages and return a result for each (feature CANCEL).

        Raises ProviderError; it may be called again.
        """
        raise unsupported("no_cancel")

    async def create_invitation(self, number: str) -> Invitation:  # noqa: ARG002 - for those that can
        """Return a new link that invites a number (E.164) to the app (feature PUSH)."""
        raise unsupported("no_push")

    async def find_pictures(
        self,
        refs: Sequence[MessageRef],  # noqa: ARG002 - for those that can
    ) -> Mapping[MessageRef, PictureRef]:
        """Return the pictures of messages that have one (feature PICTURE_PUSH).

        At most `refs_per_report_query` refs a call. Raises ProviderError.
        """
        raise unsupported("no_picture_push")

    async def picture(self, picture_id: str) -> Picture:  # noqa: ARG002 - for those that can
        """Return a picture that was sent (feature PICTURE_PUSH), up to a bound.

        The content type is what its first bytes prove. Raises ProviderError.
        """
        raise unsupported("no_picture_push")

    async def group_sizes(self) -> Mapping[str, int]:
        """Return how many numbers each group of the phonebook has (feature GROUPS).

        By the group's ID; one whose size cannot be read is left out. Raises
        ProviderError.
        """
        raise unsupported("no_groups")

    async def received(self, since: datetime) -> Sequence[Incoming]:  # noqa: ARG002 - for those that can
        """Return all SMS that came in since a moment (feature RECEIVE).

        It may return older ones too. Raises ProviderError, also if the list is not
        whole.
        """
        raise unsupported("no_reception")

    def parse_report(self, body: bytes) -> Report | None:  # noqa: ARG002 - for those that can
        """Return the report in the body of a delivery callback (feature DELIVERY_PUSH).

        None if the provider does not document the body, or it cannot be read: the
        callback is then only a hint to ask.
        """
        return None

    def parse_refusal(self, body: bytes, reference: str) -> NotSent | None:  # noqa: ARG002 - for those that can
        """Return why nothing of a submission was sent, in the body of a callback.

        None if the body does not say that of the submission with this reference.
        """
        return None

    @confirmed
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of accepted messages (feature DELIVERY_POLL).

        At most `refs_per_report_query` refs a call. A message that the provider does
        not report is left out. Raises ProviderError.
        """
        return await self._reports(refs)

    @abstractmethod
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of accepted messages, as `reports`."""


def unsupported(detail: str) -> NotAcceptedError:
    """Return the refusal of what a provider does not have."""
    return NotAcceptedError(ErrorKind.REFUSED, detail=detail, cause=Cause.UNSUPPORTED)


def _timely(submission: Submission) -> Submission:
    """Return the submission without `send_at` if that is past."""
    if submission.send_at is not None and submission.send_at <= datetime.now(UTC):
        return replace(submission, send_at=None)
    return submission


def same_for_all(submission: Submission, outcome: Outcome) -> Mapping[str, Outcome]:
    """Return the one outcome for each recipient of the submission."""
    return dict.fromkeys(submission.recipients, outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The description of a provider, for the layers above.

    `options` are those that only this provider has. `create` takes the session, the
    settings and the timeouts and returns a client; it raises ValueError if a setting is
    not valid.

    `clear_text_url` is a second address of the API, without encryption: it is offered,
    with consent, where the default of `url` does not prove to be the API.
    """

    key: str
    name: str
    manufacturer: str
    console_url: str
    fields: tuple[SettingsField, ...]
    capabilities: Capabilities
    create: Callable[[aiohttp.ClientSession, Settings, Timeouts], ProviderClient]
    options: tuple[ProviderOption, ...] = ()
    clear_text_url: str | None = None

    @property
    def credentials(self) -> tuple[SettingsField, ...]:
        """The fields by which the provider knows an account."""
        return tuple(field for field in self.fields if field.kind in _CREDENTIALS)


def parse_url(value: str) -> URL:
    """Return the base URL of an API, without a trailing slash.

    Raises ValueError, which does not repeat the value, unless it is an absolute
    http(s) URL without credentials, query or fragment.
    """
    # The text of yarl's own error has the address, with the credentials in it.
    with suppress(ValueError):
        url = URL(value.strip())
        if _is_base(url):
            return url.with_path(url.path.rstrip("/"))
    raise ValueError("not a base address of an API")


def _is_base(url: URL) -> bool:
    """Return whether paths can be joined to a URL; raise ValueError for a bad host."""
    return (
        url.scheme in {"http", "https"}
        and bool(url.host)
        and url.user is None
        and url.password is None
        and not url.query_string
        and not url.fragment
    )
