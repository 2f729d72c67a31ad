"""Smshosting, plain SMS (providers.md, section 2; smshosting-push.txt)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import override

import aiohttp
from yarl import URL

from .client import (
    Capabilities,
    Feature,
    FieldKind,
    Placement,
    Presence,
    Provider,
    ProviderClient,
    Settings,
    SettingsField,
    SwitchOption,
    parse_url,
)
from .errors import NotAcceptedError, OutcomeUnknownError
from .model import (
    Accepted,
    Credit,
    Encoding,
    ErrorKind,
    MessageRef,
    NotSent,
    Outcome,
    Report,
    SendResult,
    Status,
    Submission,
    Uncertain,
)
from .reading import (
    as_code,
    as_count,
    as_euro,
    as_identifier,
    as_list,
    as_number,
    as_object,
    as_price,
)
from .transport import Answer, Json, Timeouts, exchange, refuse_http_error

DEFAULT_URL = "https://api.smshosting.it/rest/api"

_MAX_RECIPIENTS = 999
"""From 1000 on, the provider wants its asynchronous bulk call (providers.md, 2.3)."""
_MAX_PARTS = 7
"""The provider's current page says 7, older ones 5: the server decides."""
_SEARCH_PAGE = 100

_REFUSALS: Mapping[str, ErrorKind] = {
    "BAD_CREDENTIALS": ErrorKind.AUTH,
    "BAD_CREDIT": ErrorKind.CREDIT,
    "NO_CREDIT": ErrorKind.CREDIT,
    "SENDING_DISABLED": ErrorKind.CREDIT,
    "BAD_TO": ErrorKind.RECIPIENT,
    "BAD_MSISDN": ErrorKind.RECIPIENT,
    "NO_VALID_RECIPIENT": ErrorKind.RECIPIENT,
    "BAD_FROM": ErrorKind.SENDER,
    "BAD_TEXT": ErrorKind.TEXT,
    "BAD_TEXT_PLACEHOLDER": ErrorKind.TEXT,
    "DUPLICATE_SMS": ErrorKind.DUPLICATE,
    "BAD_GROUP": ErrorKind.REFUSED,
    "BAD_DATE": ErrorKind.REFUSED,
    "BAD_TRANSACTIONID": ErrorKind.REFUSED,
    "BAD_CALLBACK": ErrorKind.REFUSED,
    "BAD_ENCODING": ErrorKind.REFUSED,
    "BAD_QUALITY": ErrorKind.REFUSED,
    "NO_PARAMS": ErrorKind.REFUSED,
    "BAD_ID": ErrorKind.REFUSED,
    "BAD_STATUS": ErrorKind.REFUSED,
}
"""The `errorMsg` codes of sending and searching (providers.md, 2.3)."""

_GENERIC_ERROR = "GENERIC_ERROR"
"""An internal error, told with HTTP 400: it does not say that nothing was sent."""

_NOT_INSERTED: Mapping[str, ErrorKind] = {
    "BADNUMBERFORMAT": ErrorKind.RECIPIENT,
    "BLACKLIST": ErrorKind.RECIPIENT,
    "DUPLICATESMS": ErrorKind.DUPLICATE,
}
"""The words of `statusDetail` (smshosting-push.txt; BLACKLIST: providers.md, 2.3)."""

_STATUSES: Mapping[str, Status] = {
    "PENDING": Status.QUEUED,
    "SENT": Status.SENT,
    "NOSENT": Status.FAILED,
    "DELIVERED": Status.DELIVERED,
    "NOTDELIVERED": Status.FAILED,
}
"""The words of `status` in a search (smshosting-push.txt)."""

_ENCODINGS: Mapping[Encoding, str] = {Encoding.GSM7: "7BIT", Encoding.UCS2: "UCS2"}
"""The text was already prepared for one of the two and its parts were counted.

AUTO would let the provider find another encoding, and another price, than the one
that was told and held against the daily limit.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    """The two halves of the Basic credentials."""

    key: str = field(repr=False)
    secret: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        """Return the headers of every request.

        Raises NotAcceptedError (kind `auth`) for a key that Basic cannot carry.
        """
        try:
            basic = aiohttp.encode_basic_auth(self.key, self.secret)
        except ValueError:
            raise NotAcceptedError(ErrorKind.AUTH, detail="no_basic_key") from None
        return {"Authorization": basic, "Accept": "application/json"}


class SmshostingClient(ProviderClient):
    """Speaks to one Smshosting account."""

    def __init__(  # noqa: PLR0913 - an account's settings
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts,
        *,
        login: _Login,
        sender: str | None,
        sandbox: bool,
    ) -> None:
        """Use the profile's own sender if it is None; `sandbox` sends nothing."""
        super().__init__(session, url, timeouts)
        self._login = login
        self._sender = sender
        self._sandbox = sandbox

    @override
    async def validate(self) -> None:
        """Ask for the profile, the documented test of credentials.

        Raises as ProviderClient.validate.
        """
        await self.credit()

    @override
    async def credit(self) -> Credit:
        """Return the credit in euro and how many SMS to Italy it buys.

        Raises ProviderError. The profile has personal data too; none of it is kept.
        """
        user = _accepted_body(await self._get("user"))
        balance = as_euro(user.get("credit"))
        if balance is None:
            raise OutcomeUnknownError("no_credit")
        return Credit(balance=balance, sms_left=as_count(user.get("italysms")))

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to up to 999 numbers; the answer has a result for each of them."""
        form = {
            "to": ",".join(
                recipient.removeprefix("+") for recipient in submission.recipients
            ),
            "text": submission.text,
            "encoding": _ENCODINGS[submission.encoding],
            "transactionId": submission.reference,
        }
        if sender := submission.sender or self._sender:
            form["from"] = sender
        if self._sandbox:
            form["sandbox"] = "true"
        if submission.callback_url is not None:
            form["statusCallback"] = submission.callback_url
        answer = await exchange(
            self._session,
            "POST",
            self._url.joinpath("sms/send"),
            timeouts=self._timeouts,
            headers=self._login.headers(),
            data=form,
        )
        body = _accepted_body(answer)
        # In the sandbox a number may have no result at all (providers.md, 2.3).
        untold: Outcome = (
            Accepted(provider_id=submission.reference)
            if self._sandbox
            else Uncertain(detail="no_result")
        )
        results: dict[str | None, Outcome] = {}
        for item in as_list(body.get("sms")):
            row = as_object(item)
            number = as_number(row.get("to"))
            # Were a number listed twice, an accepted message must not be overlooked.
            if not isinstance(results.get(number), Accepted):
                results[number] = _result(row)
        return SendResult(
            outcomes={
                recipient: results.get(recipient, untold)
                for recipient in submission.recipients
            }
        )

    @override
    async def lookup(self, reference: str) -> Sequence[Report]:
        """Search for the messages of a submission by its transaction id.

        Raises ProviderError, also if a row cannot be understood: silence about a
        number would be read as proof that it was never taken.
        """
        reports: dict[str, Report] = {}
        while True:
            known = len(reports)
            for row in await self._search(
                {"transactionId": reference, "offset": str(known)}
            ):
                number = as_number(row.get("to"))
                provider_id = as_identifier(row.get("id"))
                if number is None or provider_id is None:
                    raise OutcomeUnknownError("unreadable_row")
                report = _report(MessageRef(provider_id, number), row)
                if report is None:
                    raise OutcomeUnknownError("unknown_status")
                reports[provider_id] = report
            if len(reports) == known:
                return list(reports.values())

    @override
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Search for up to 100 messages by their ids.

        Raises ProviderError. Only numbers are asked for: one id that is none, such
        as that of a sandbox message, would get the whole question refused.
        """
        by_id = {ref.provider_id: ref for ref in refs if ref.provider_id.isdecimal()}
        reports: dict[str, Report] = {}
        seen = 0
        while by_id and seen < len(by_id):
            page = await self._search({"id": ",".join(by_id), "offset": str(seen)})
            if not page:
                break
            seen += len(page)
            for row in page:
                ref = by_id.get(as_identifier(row.get("id")) or "")
                if ref is not None and (report := _report(ref, row)) is not None:
                    reports[ref.provider_id] = report
        return list(reports.values())

    async def _search(self, query: Mapping[str, str]) -> list[Mapping[str, Json]]:
        """Return one page of the messages that a search finds."""
        answer = await self._get("sms/search", {**query, "limit": str(_SEARCH_PAGE)})
        rows = _accepted_body(answer).get("smsList")
        if not isinstance(rows, list):
            raise OutcomeUnknownError("no_list")
        return [as_object(row) for row in rows]

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read from the API."""
        return await exchange(
            self._session,
            "GET",
            self._url.joinpath(path),
            timeouts=self._timeouts,
            headers=self._login.headers(),
            params=params,
        )


def _accepted_body(answer: Answer) -> Mapping[str, Json]:
    """Return the JSON object of a 2xx answer; raise what any other answer says."""
    try:
        body = as_object(answer.json())
    except OutcomeUnknownError:
        refuse_http_error(answer)
        raise
    message = body.get("errorMsg")
    codes = (
        [code.strip() for code in message.split(",")]
        if isinstance(message, str)
        else []
    )
    if answer.status < 500:  # noqa: PLR2004 - a 5xx proves nothing
        for code in codes:
            if code in _REFUSALS:
                raise NotAcceptedError(
                    _REFUSALS[code], code, retry_after=answer.retry_after
                )
        if _GENERIC_ERROR in codes:
            raise OutcomeUnknownError(_GENERIC_ERROR)
    refuse_http_error(answer, as_code(codes[0]) if codes else None)
    return body


def _result(row: Mapping[str, Json]) -> Outcome:
    """Return the outcome that one row of a send's answer tells."""
    match row.get("status"):
        case "INSERTED":
            provider_id = as_identifier(row.get("id"))
            if provider_id is None:
                return Uncertain(detail="no_id")
            return Accepted(provider_id=provider_id)
        case "NOT_INSERTED":
            detail = as_code(row.get("statusDetail"))
            kind = _NOT_INSERTED.get(detail or "", ErrorKind.REFUSED)
            return NotSent(kind=kind, detail=detail)
        case _:
            return Uncertain(detail="unknown_result")


def _report(ref: MessageRef, row: Mapping[str, Json]) -> Report | None:
    """Return the report that one row of a search tells, if we know its word."""
    word = row.get("status")
    status = _STATUSES.get(word) if isinstance(word, str) else None
    if status is None:
        return None
    return Report(
        ref=ref, status=status, cost=as_price(row.get("price")), detail=as_code(word)
    )


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; with the option `sandbox` on nothing is really sent.

    Raises ValueError if the URL is none.
    """
    return SmshostingClient(
        session,
        parse_url(settings.get("url", DEFAULT_URL)),
        timeouts,
        login=_Login(key=settings["auth_key"], secret=settings["auth_secret"]),
        sender=settings.get("sender"),
        sandbox=settings.get("sandbox") == "true",
    )


PROVIDER = Provider(
    key="smshosting",
    name="Smshosting",
    manufacturer="Smshosting",
    console_url="https://www.smshosting.it",
    fields=(
        SettingsField(key="auth_key", kind=FieldKind.USERNAME),
        SettingsField(key="auth_secret", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER, presence=Presence.OPTIONAL),
        SettingsField(
            key="url",
            kind=FieldKind.URL,
            placement=Placement.ADVANCED,
            default=DEFAULT_URL,
        ),
    ),
    identity=("auth_key",),
    capabilities=Capabilities(
        features=frozenset(
            {
                Feature.CREDIT,
                Feature.SMS_LEFT,
                Feature.DELIVERY_POLL,
                Feature.DELIVERY_PUSH,
                Feature.CLIENT_REFERENCE,
            }
        ),
        recipients_per_submission=_MAX_RECIPIENTS,
        max_parts=_MAX_PARTS,
        refs_per_report_query=_SEARCH_PAGE,
    ),
    create=_create,
    options=(
        SwitchOption(key="sandbox", default=False),
        # Carried out by the messaging layer, where it is an account's option.
        SwitchOption(key="repeat_marker", default=True),
    ),
)
