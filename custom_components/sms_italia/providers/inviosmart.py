"""Inviosmart (docs/development/provider-apis/inviosmart.md).

All requests are GET with the credentials in the query, so no URL of this client may
reach a log. The API has two addresses: one of them is https, but whether it answers
there for more than a send is not proved. Facts:
docs/development/provider-apis/inviosmart.md 4.2.

Answers are lines of text, in two forms: with a number, or a sentence without one. The
provider's tables of numbers and statuses are lost: those here are of the sibling panel,
not proved for this provider. Facts: docs/development/provider-apis/inviosmart.md 4.1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
import re
from typing import override

import aiohttp
from yarl import URL

from .client import (
    Capabilities,
    Feature,
    FieldKind,
    Provider,
    ProviderClient,
    SenderRule,
    Settings,
    SettingsField,
    parse_url,
    url_field,
)
from .decoding import is_page, is_php_message, lines_of
from .errors import NotAcceptedError, OutcomeUnknownError, ProviderError
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
    Uncertain,
)
from .parsing import as_count, as_euro, as_parts, as_price
from .transport import SHORT_ANSWER_BYTES, Answer, Timeouts, exchange

DEFAULT_URL = "https://www.inviosmart.it/webservice/sms/"
CLEAR_TEXT_URL = "http://httpapi.inviosmart.it"
ITALY = "39"

_MAX_PARTS = 4
"""612 characters: docs/development/provider-apis/inviosmart.md 4.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paths:
    """Where an address takes its three questions."""

    send: str
    status: str
    balance: str


_COMMANDS = _Paths(send="sendsms/", status="smsstatus/", balance="account-balance/")
_SCRIPTS = _Paths(
    send="sendSMSHTTP.php",
    status="getSMSStatus.php",
    balance="getAccountBalance.php",
)
"""The last two have the sibling's names.

Facts: docs/development/provider-apis/inviosmart.md 4.2.
"""

REFUSALS: Mapping[str, ErrorKind] = {
    **dict.fromkeys(("1001", "1002", "1012", "1014", "1038", "1042"), ErrorKind.AUTH),
    **dict.fromkeys(("1013", "1018", "1023"), ErrorKind.CREDIT),
    **dict.fromkeys(("1003", "1004", "1005", "1017"), ErrorKind.RECIPIENT),
    **dict.fromkeys(
        ("1006", "1007", "1008", "1015", "1016", "1021", "1036"), ErrorKind.SENDER
    ),
    **dict.fromkeys(("1009", "1024", "1029"), ErrorKind.TEXT),
    **dict.fromkeys(("1019", "1025", "1031", "1032"), ErrorKind.UNAVAILABLE),
    # 1011 is used for a bad number and for a missing text; 1022 waits until the cost
    # is confirmed, and is not sent.
    **dict.fromkeys(("1011", "1022", "1027", "1028"), ErrorKind.REFUSED),
}
"""The numbers that prove that nothing was sent.

Facts: docs/development/provider-apis/inviosmart.md 4.4.
"""

DOUBTS = frozenset({"1010", "1020", "1026", "1043"})
"""A failed call between two of their machines, a failed charge, a queued batch, an
internal error: none proves that the message had not been handed over.
"""

_SENTENCE_STATUSES = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""The codes, beside 2xx, with which a sentence is the provider's.

A proxy has sentences about a user name too, with a code of its own. Facts:
docs/development/provider-apis/common.md 9.
"""

_SENTENCES: Sequence[tuple[str, ErrorKind | None]] = (
    # The first two do not say that nothing left.
    ("internal error", None),
    ("system error", None),
    ("username", ErrorKind.AUTH),
    ("user name", ErrorKind.AUTH),
    ("password", ErrorKind.AUTH),
    ("credit", ErrorKind.CREDIT),
    ("balance", ErrorKind.CREDIT),
    ("destination", ErrorKind.RECIPIENT),
    ("sender", ErrorKind.SENDER),
)
"""The keywords of refusals without a number; the first one in a sentence counts.

Facts: docs/development/provider-apis/inviosmart.md 4.4.
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

_FIELDS = 7
"""Of a line of status."""

_OK = re.compile(r"\bOK\b", re.IGNORECASE)
_OK_LINE = re.compile(r"OK(?![a-z])", re.IGNORECASE)
_OK_ID = re.compile(
    r"\bOK\s{0,9}ID\s{0,9}:\s{0,9}(?:([0-9]{1,30})(?![0-9a-z_]|[.,:-][0-9]))?",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(Error|Status)\s{0,9}:\s{0,9}([0-9]{4})(?![0-9])", re.IGNORECASE
)
_BALANCE_OK = "1000"

_PLAIN_SENTENCE = re.compile(r"[A-Za-z][A-Za-z0-9 ,.:;!/'-]{0,199}")
_REFUSING = re.compile(
    r"\b(?:in(?:valid|correct|sufficient|ternal)|un(?:known|supported|authori|able)"
    r"|wrong|bad|miss|empty|expired|exhausted|disabled|blocked|zero|required|denied"
    r"|refused|rejected|fail|mismatch|error|enough|(?:no|not|cannot|too|out)\b)",
    re.IGNORECASE,
)


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
        # Latin characters, never only digits: a phone number is no sender here. Facts:
        # docs/development/provider-apis/inviosmart.md 4.3.
        sender=SenderRule(
            alias=re.compile(r"[ -*,-~]{1,11}"), number=re.compile(r"(?!)")
        ),
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
        has_scripts = url.path.endswith("/webservice/sms")
        self._paths = _SCRIPTS if has_scripts else _COMMANDS

    @override
    async def validate(self) -> None:
        """Ask for the balance; one that cannot be read proves the login as well.

        Raises as ProviderClient.validate.
        """
        await self.check()

    @override
    async def customer(self) -> str | None:
        """Return the user name, which names the customer once it is proved.

        Raises as ProviderClient.validate.
        """
        await self.validate()
        return self._login.username

    @override
    async def check(self) -> Credit | None:
        """Return the balance in euro and how many SMS to the country it buys.

        None if its number cannot be read. Raises ProviderError.
        """
        answer = await self._ask(
            self._paths.balance, {"countryprefix": self._country_prefix}
        )
        fields = read_balance(answer)
        balance = as_euro(fields["balance"])
        if balance is None:
            return None
        return Credit(balance=balance, sms_left=as_count(fields.get("smsremaincount")))

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to the one recipient of the submission."""
        (recipient,) = submission.recipients
        sender = submission.sender or self._sender
        if sender is None or not self.capabilities.sender.allows(sender):
            raise NotAcceptedError(ErrorKind.SENDER, "sender")
        answer = await self._ask(
            self._paths.send,
            {
                "destination": recipient.removeprefix("+"),
                "message": submission.text,
                "sender": sender,
            },
        )
        outcome = read_sent(answer)
        return SendResult(
            outcomes={recipient: outcome},
            doubt=outcome if isinstance(outcome, Uncertain) else None,
        )

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of messages, asked for one by one.

        Raises ProviderError.
        """
        reports: list[Report] = []
        for ref in refs:
            answer = await self._ask(self._paths.status, {"SMSId": ref.provider_id})
            # Whoever says it, it is about the message and not about the account.
            if answer.status == HTTPStatus.NOT_FOUND:
                continue
            message_id, _, _, _, number, parts, charge = read_status(answer)
            if message_id != ref.provider_id:
                raise OutcomeUnknownError("unreadable_answer")
            if (status := STATUSES.get(number)) is not None:
                reports.append(
                    Report(
                        ref=ref,
                        status=status,
                        parts=as_parts(parts),
                        cost=as_price(charge),
                        detail=number,
                    )
                )
        return reports

    async def _ask(self, path: str, params: Mapping[str, str]) -> Answer:
        """Return the answer to a request, whatever it says."""
        return await exchange(
            self._session,
            "GET",
            self._url.joinpath(path),
            timeouts=self._timeouts,
            params={**self._login.fields, **params},
            max_bytes=SHORT_ANSWER_BYTES,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A line of the provider that is not a success; without a `kind` it is a doubt."""

    code: str
    kind: ErrorKind | None


def read_sent(answer: Answer) -> Accepted | Uncertain:
    """Return the outcome of a send: an OK first, whatever else the answer says.

    What has an OK in it is never "not sent": without an ID, beside an error or in a
    page it is a doubt, with the ID if there is one. Raises ProviderError.
    """
    text = answer.text()
    lines = _own_lines(text)
    refusal = _refusal_in(lines, answer.status)
    if answer.is_success and (accepted := _id_in(map(_OK_ID.match, lines))):
        return Accepted(provider_id=accepted)
    marks = [*_OK_ID.finditer(text)]
    if (
        marks
        or any(map(_OK_LINE.match, lines))
        or (refusal is not None and _OK.search(text))
    ):
        status = f"http_{answer.status}"
        return Uncertain(
            detail="unreadable_answer" if answer.is_success else status,
            provider_id=_id_in(marks),
        )
    raise _failure(answer, Purpose.SEND, refusal)


def read_balance(answer: Answer) -> Mapping[str, str]:
    """Return the values of a balance by their names in lower case.

    "balance" is among them. Raises ProviderError.
    """
    lines = _own_lines(answer.text())
    for line in lines:
        found = _NUMBERED.match(line)
        if found is None or found[2] != _BALANCE_OK:
            continue
        refuse_http_error(answer, Origin.OWN, Purpose.QUESTION)
        pairs = [
            pair.partition(":") for pair in line[found.end() :].lstrip(" -").split("|")
        ]
        fields = {name.strip().lower(): value for name, _, value in pairs}
        if "balance" not in fields:
            raise OutcomeUnknownError("unreadable_answer")
        return fields
    raise _failure(answer, Purpose.QUESTION, _refusal_in(lines, answer.status))


def read_status(answer: Answer) -> list[str]:
    """Return the seven fields of a status. Raises ProviderError."""
    lines = _own_lines(answer.text())
    for line in lines:
        fields = [value.strip() for value in line.split(":", _FIELDS)]
        if len(fields) == _FIELDS and fields[0].isdecimal():
            refuse_http_error(answer, Origin.OWN, Purpose.QUESTION)
            return fields
    raise _failure(answer, Purpose.QUESTION, _refusal_in(lines, answer.status))


def _is_success(status: int) -> bool:
    return status // 100 == HTTPStatus.OK // 100


def _own_lines(text: str) -> list[str]:
    """Return the lines in which the provider speaks: the first and the last one.

    Something in between is a warning of PHP or a text that only quotes an answer, such
    as the provider's own help. A page is not its answer.
    """
    if is_page(text):
        return []
    lines = lines_of(text)
    return [*lines[:1], *lines[1:][-1:]]


def _id_in(found: Iterable[re.Match[str] | None]) -> str | None:
    """Return the first ID of a message, None for 0."""
    ids = (match[1] for match in found if match is not None)
    return next((one for one in ids if one is not None and one.strip("0")), None)


def _refusal_in(lines: Sequence[str], status: int) -> _Refusal | None:
    """Return what the provider's lines refuse; a doubt before a refusal."""
    refusals = [*filter(None, map(_by_number, lines))]
    if _is_success(status) or status in _SENTENCE_STATUSES:
        refusals += filter(None, map(_by_keyword, lines))
    return min(refusals, key=lambda one: one.kind is not None, default=None)


def _by_number(line: str) -> _Refusal | None:
    """Return what a line with a number refuses."""
    found = _NUMBERED.match(line)
    if found is None or found[2] == _BALANCE_OK:
        return None
    word, number = found.groups()
    kind = REFUSALS.get(number)
    if kind is None and word.lower() == "error" and number not in DOUBTS:
        kind = ErrorKind.REFUSED
    return _Refusal(code=number, kind=kind)


def _by_keyword(line: str) -> _Refusal | None:
    """Return what a sentence without a number refuses."""
    if (
        _NUMBERED.match(line)
        or _PLAIN_SENTENCE.fullmatch(line) is None
        or is_php_message(line)
        or _REFUSING.search(line) is None
    ):
        return None
    for keyword, kind in _SENTENCES:
        if re.search(rf"\b{keyword}s?\b", line, re.IGNORECASE):
            return _Refusal(code=keyword.replace(" ", "_"), kind=kind)
    return None


def _failure(
    answer: Answer, purpose: Purpose, refusal: _Refusal | None
) -> ProviderError:
    """Return what an answer proves that is not the one that was asked for.

    The HTTP status of an error line is not documented, so the line says why; a status
    that proves something by itself comes before it.
    """
    origin = Origin.FOREIGN if refusal is None else Origin.OWN
    code = None if refusal is None else refusal.code
    try:
        refuse_http_error(answer, origin, purpose, code)
    except NotAcceptedError as err:
        if refusal is None or err.kind is not ErrorKind.REFUSED:
            return err
    except OutcomeUnknownError as err:
        return err
    if refusal is None or refusal.kind is None:
        return OutcomeUnknownError(code)
    return NotAcceptedError(refusal.kind, code, retry_after=answer.retry_after)


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
    console_url="https://www.inviosmart.it",
    fields=(
        SettingsField(key="username", kind=FieldKind.USERNAME),
        SettingsField(key="password", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER),
        SettingsField(
            key="country_prefix", kind=FieldKind.COUNTRY_PREFIX, default=ITALY
        ),
        url_field(DEFAULT_URL),
    ),
    capabilities=InviosmartClient.capabilities,
    create=_create,
    clear_text_url=CLEAR_TEXT_URL,
)
