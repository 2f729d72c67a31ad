"""Inviosmart (docs/development/provider-apis/inviosmart.md).

All requests are GET with the credentials in the query, so no URL of this client may
reach a log. They are plain http unless the account's address is https: whether the
provider's own host has that is unknown. Facts:
docs/development/provider-apis/inviosmart.md 4.2.

The provider's tables of errors and statuses are lost: those here are of the sibling
panel, not proved for this provider. Facts:
docs/development/provider-apis/inviosmart.md 4.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import re
from typing import override

import aiohttp
from yarl import URL

from .client import (
    Capabilities,
    Feature,
    FieldKind,
    Placement,
    Provider,
    ProviderClient,
    SenderRule,
    Settings,
    SettingsField,
    parse_url,
)
from .errors import NotAcceptedError, OutcomeUnknownError
from .http_status import Origin, Purpose, refuse_http_error
from .model import (
    Accepted,
    Credit,
    ErrorKind,
    MessageRef,
    Report,
    SendResult,
    Status,
    Submission,
)
from .parsing import as_count, as_euro, as_price
from .transport import Answer, Timeouts, exchange

DEFAULT_URL = "http://httpapi.inviosmart.it"
ITALY = "39"

_MAX_PARTS = 4
"""612 characters: docs/development/provider-apis/inviosmart.md 4.3."""

REFUSALS: Mapping[str, ErrorKind] = {
    **dict.fromkeys(("1001", "1002", "1012", "1014", "1038", "1042"), ErrorKind.AUTH),
    **dict.fromkeys(("1013", "1018", "1023"), ErrorKind.CREDIT),
    **dict.fromkeys(("1003", "1004", "1005", "1017"), ErrorKind.RECIPIENT),
    **dict.fromkeys(
        ("1006", "1007", "1008", "1015", "1016", "1021", "1036"), ErrorKind.SENDER
    ),
    **dict.fromkeys(("1009", "1024", "1029"), ErrorKind.TEXT),
    **dict.fromkeys(("1020", "1025", "1031", "1032"), ErrorKind.UNAVAILABLE),
    # 1011 is used for a bad number and for a missing text; 1022 waits until the cost
    # is confirmed, and is not sent.
    **dict.fromkeys(("1011", "1022", "1027", "1028"), ErrorKind.REFUSED),
}
"""The numbers that prove that nothing was sent.

Facts: docs/development/provider-apis/inviosmart.md 4.4.
"""

DOUBTS = ("1010", "1019", "1043")
"""A failed call between two of their machines, an unwritten row, an internal error:
none proves that the message had not been handed over.
"""

STATUSES: Mapping[str, Status] = {
    "1": Status.QUEUED,
    "2": Status.SENT,
    "4": Status.QUEUED,
    "8": Status.FAILED,
    "16": Status.SENT,
    "32": Status.SENT,
    "64": Status.FAILED,
    "128": Status.EXPIRED,
    "256": Status.FAILED,
    "512": Status.FAILED,
    "1024": Status.FAILED,
    "2048": Status.DELIVERED,
}
"""The status numbers, compared as they are: whether they can be combined is unknown.

Facts: docs/development/provider-apis/inviosmart.md 4.5.
"""

_ACCEPTED = re.compile(r"OK ID:\s*([0-9]{1,30})(?![0-9])")
_LINE = re.compile(r"(Error|Status)\s*:\s*([0-9]{1,6})(?![0-9])")
_PAIR = re.compile(r"([A-Za-z]+)\s*:\s*(-?[0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    """The user and password of the panel."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def fields(self) -> Mapping[str, str]:
        """The parameters of every request."""
        return {"username": self.username, "password": self.password}


class InviosmartClient(ProviderClient):
    """A client of one Inviosmart account."""

    capabilities = Capabilities(
        features=frozenset({Feature.CREDIT, Feature.SMS_LEFT, Feature.DELIVERY_POLL}),
        recipients_per_submission=1,
        max_parts=_MAX_PARTS,
        # Latin characters; "+" only before a number, and not on the wire.
        sender=SenderRule(alias=re.compile(r"[ -*,-~]{1,11}")),
    )

    def __init__(  # noqa: PLR0913 - an account's settings
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts,
        *,
        login: _Login,
        sender: str | None,
        country_prefix: str,
    ) -> None:
        """Ask for the SMS left to the country of `country_prefix` (digits)."""
        super().__init__(session, url, timeouts)
        self._login = login
        self._sender = sender
        self._country_prefix = country_prefix

    @override
    async def validate(self) -> None:
        """Ask for the balance. Raises as ProviderClient.validate."""
        await self.credit()

    @override
    async def credit(self) -> Credit:
        """Return the balance in euro and how many SMS to the country it buys.

        Raises ProviderError.
        """
        text = await self._ask(
            "account-balance/", {"countryprefix": self._country_prefix}
        )
        fields = dict(_PAIR.findall(text))
        balance = as_euro(fields.get("Balance"))
        if fields.get("Status") != "1000" or balance is None:
            raise OutcomeUnknownError("unreadable_answer")
        return Credit(balance=balance, sms_left=as_count(fields.get("SmsRemainCount")))

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to the one recipient of the submission.

        Status 1026, "queued", comes without an id, so that the message could never be
        followed: it is uncertain. So is every answer in another format.
        """
        (recipient,) = submission.recipients
        message = {
            "destination": recipient.removeprefix("+"),
            "message": submission.text,
        }
        if sender := submission.sender or self._sender:
            message["sender"] = sender.removeprefix("+")
        accepted = _ACCEPTED.match(await self._ask("sendsms/", message))
        if accepted is None:
            raise OutcomeUnknownError("unreadable_answer")
        return SendResult(outcomes={recipient: Accepted(provider_id=accepted[1])})

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of messages, asked for one by one.

        Raises ProviderError.
        """
        reports: list[Report] = []
        for ref in refs:
            text = await self._ask("smsstatus/", {"SMSId": ref.provider_id})
            match [value.strip() for value in text.split(":")]:
                case [ref.provider_id, _, _, _, number, parts, charge]:
                    status = STATUSES.get(number)
                case _:
                    raise OutcomeUnknownError("unreadable_answer")
            if status is not None:
                reports.append(
                    Report(
                        ref=ref,
                        status=status,
                        parts=as_count(parts) or None,
                        cost=as_price(charge),
                        detail=number,
                    )
                )
        return reports

    async def _ask(self, path: str, params: Mapping[str, str]) -> str:
        """Return the line that answers a request; raise the error of an error line."""
        answer = await exchange(
            self._session,
            "GET",
            self._url.joinpath(path),
            timeouts=self._timeouts,
            params={**self._login.fields, **params},
        )
        return _accepted_text(answer)


def _accepted_text(answer: Answer) -> str:
    """Return the text of a 2xx answer that is not an error line.

    The HTTP status of an error line is not documented: the line counts.
    """
    text = answer.text().removeprefix("\ufeff").strip()
    if line := _LINE.match(text):
        word, number = line.groups()
        if kind := REFUSALS.get(number):
            raise NotAcceptedError(kind, number, retry_after=answer.retry_after)
        if number in DOUBTS:
            raise OutcomeUnknownError(number)
        if word == "Error":
            raise NotAcceptedError(ErrorKind.REFUSED, number)
        if number != "1000":
            raise OutcomeUnknownError(number)
    refuse_http_error(answer, Origin.OWN, Purpose.SEND)
    return text


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; raise ValueError if `url` is not valid."""
    return InviosmartClient(
        session,
        parse_url(settings.get("url", DEFAULT_URL)),
        timeouts,
        login=_Login(username=settings["username"], password=settings["password"]),
        sender=settings.get("sender"),
        country_prefix=settings.get("country_prefix", ITALY).strip().lstrip("+"),
    )


PROVIDER = Provider(
    key="inviosmart",
    name="Inviosmart",
    manufacturer="Inviosmart",
    console_url="http://httpapi.inviosmart.it/help",
    fields=(
        SettingsField(key="username", kind=FieldKind.USERNAME),
        SettingsField(key="password", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER),
        SettingsField(
            key="country_prefix", kind=FieldKind.COUNTRY_PREFIX, default=ITALY
        ),
        SettingsField(
            key="url",
            kind=FieldKind.URL,
            placement=Placement.ADVANCED,
            default=DEFAULT_URL,
        ),
    ),
    identity=("username",),
    capabilities=InviosmartClient.capabilities,
    create=_create,
)
