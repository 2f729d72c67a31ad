"""SMSviaInternet v2 (smsviainternet.txt; providers.md, section 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import override

import aiohttp
from yarl import URL

from .client import (
    Capabilities,
    Feature,
    FieldKind,
    NumberOption,
    Placement,
    Presence,
    Provider,
    ProviderClient,
    Settings,
    SettingsField,
    parse_url,
    same_for_all,
)
from .errors import NotAcceptedError, OutcomeUnknownError, ProviderError
from .model import (
    Accepted,
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
    as_identifier,
    as_number,
    as_object,
    as_price,
    as_thousandths,
)
from .transport import Answer, Json, Timeouts, exchange, refuse_http_error

DEFAULT_URL = "https://v2.smsviainternet.it"
_SEND = "api/rest/v1/sms.json"
_DELIVERY = "api/rest/v1/sms/delivery.json"

_MAX_RECIPIENTS = 5000
_MAX_PARTS = 99
_PAGE = 1000
_MAX_PAGES = 50
"""More delivery rows than this for one shipment are not read."""
_CENTRE = Decimal("0.000001")
"""How exactly a message's share of the shipment's cost is told, in euro."""

_REFUSALS: Mapping[int, ErrorKind] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6), ErrorKind.AUTH),
    10: ErrorKind.CREDIT,
    11: ErrorKind.TEXT,
    **dict.fromkeys((12, 13, 14, 100), ErrorKind.REFUSED),
    15: ErrorKind.SENDER,
    20: ErrorKind.RECIPIENT,
}
"""The `error` numbers (providers.md, 1.3, not proved for v2).

999, an internal error, is not here: it does not say that nothing was sent.
"""

_STATUSES: Mapping[str, Status] = {
    "BUFFERED": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "NOT_DELIVERED": Status.FAILED,
    "SUBSCRIBER_UNKNOWN": Status.FAILED,
    "ERROR": Status.FAILED,
    "LOST_NOTIFICATION": Status.UNCERTAIN,
    "UNKNOWN": Status.UNCERTAIN,
}
"""The words of `delivery_status` (providers.md, 1.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    """The token, and the user that some tokens need as well (providers.md, 1.1)."""

    token: str = field(repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes into the header of every request."""
        return {"X-Api-Token": self.token, "Accept": "application/json"}

    @property
    def fields(self) -> Mapping[str, str]:
        """What goes among the parameters of every request."""
        fields = {}
        if self.username:
            fields["username"] = self.username
        if self.password:
            fields["password"] = self.password
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What one delivery row says; `status` is None for a word we do not know."""

    receiver: str | None
    status: Status | None
    detail: str | None


class SmsViaInternetClient(ProviderClient):
    """Speaks to one SMSviaInternet account."""

    def __init__(  # noqa: PLR0913 - an account's settings
        self,
        session: aiohttp.ClientSession,
        url: URL,
        timeouts: Timeouts,
        *,
        login: _Login,
        sender: str | None,
        gateway: int | None,
    ) -> None:
        """Use the panel's own sender and gateway where they are None."""
        super().__init__(session, url, timeouts)
        self._login = login
        self._sender = sender
        self._gateway = gateway

    @override
    async def validate(self) -> None:
        """Ask for one delivery row of today, which needs the token and costs nothing.

        Raises as ProviderClient.validate. That the answer proves the token is
        inferred (providers.md, 5).
        """
        today = datetime.now(UTC).date().isoformat()
        await self._deliveries_page({"from_date": today, "limit": "1"})

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to up to 5000 numbers; the answer counts them but names none.

        If some were dropped, the delivery rows tell which. Where they do not tell
        either, those recipients are uncertain under the shipment's id.
        """
        message: dict[str, Json] = {
            **self._login.fields,
            "text": submission.text,
            "numbers": ",".join(submission.recipients),
        }
        if sender := submission.sender or self._sender:
            message["sender"] = sender
        if self._gateway is not None:
            message["gateway"] = self._gateway
        if submission.callback_url is not None:
            message["delivery_callback"] = submission.callback_url
        answer = await exchange(
            self._session,
            "POST",
            self._url.joinpath(_SEND),
            timeouts=self._timeouts,
            headers=self._login.headers,
            json_body=message,
        )
        body = _accepted_body(answer)
        queue_id = as_identifier(body.get("queue_id"))
        if queue_id is None:
            raise OutcomeUnknownError("no_queue_id")
        return SendResult(
            outcomes=await self._outcomes(submission, queue_id, body),
            credit=as_thousandths(body.get("credit")),
        )

    async def _outcomes(
        self, submission: Submission, queue_id: str, body: Mapping[str, Json]
    ) -> Mapping[str, Outcome]:
        """Tell what the counts of an answer say of each recipient."""
        asked = len(submission.recipients)
        contacts = as_count(body.get("sending_contacts_count"))
        if as_count(body.get("error")):
            # An id and an error at once: it cannot be both.
            contacts = None
        elif contacts is None and body.get("async") in (True, 1):
            # Of an asynchronous shipment only the id and the credit are told.
            return same_for_all(submission, Accepted(provider_id=queue_id))
        if contacts is None or contacts > asked:
            doubt = Uncertain(detail="contacts_not_told", provider_id=queue_id)
            return same_for_all(submission, doubt)
        if contacts == 0:
            return same_for_all(submission, _DROPPED)
        accepted = _share(body, contacts, queue_id)
        if contacts == asked:
            return same_for_all(submission, accepted)
        listed = await self._listed(submission, queue_id)
        missing: Outcome = (
            _DROPPED
            if len(listed) == contacts
            else Uncertain(detail="some_dropped", provider_id=queue_id)
        )
        return {
            recipient: accepted if recipient in listed else missing
            for recipient in submission.recipients
        }

    async def _listed(self, submission: Submission, queue_id: str) -> frozenset[str]:
        """Return the recipients that the shipment's delivery rows name."""
        try:
            rows = await self._deliveries(queue_id)
        except ProviderError:
            return frozenset()
        named = {row.receiver for row in rows}
        return frozenset(filter(named.__contains__, submission.recipients))

    @override
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Ask once for each shipment among the refs, however many messages it has.

        A shipment that the provider refuses to tell of does not stop the others.
        """
        shipments: dict[str, list[MessageRef]] = {}
        for ref in refs:
            shipments.setdefault(ref.provider_id, []).append(ref)
        reports: list[Report] = []
        for queue_id, members in shipments.items():
            try:
                rows = await self._deliveries(queue_id)
            except NotAcceptedError as err:
                if err.kind is ErrorKind.REFUSED:
                    continue
                raise
            by_receiver: dict[str | None, list[_Row]] = {}
            for row in rows:
                by_receiver.setdefault(row.receiver, []).append(row)
            for ref in members:
                worst = _worst(by_receiver.get(ref.recipient, []))
                if worst is not None and worst.status is not None:
                    reports.append(
                        Report(ref=ref, status=worst.status, detail=worst.detail)
                    )
        return reports

    async def _deliveries(self, queue_id: str) -> list[_Row]:
        """Return all delivery rows of a shipment, page by page."""
        rows: list[_Row] = []
        for _ in range(_MAX_PAGES):
            page, limit = await self._deliveries_page(
                {"queue_id": queue_id, "limit": str(_PAGE), "offset": str(len(rows))}
            )
            rows += page
            if len(page) < limit:
                return rows
        raise OutcomeUnknownError("too_many_pages")

    async def _deliveries_page(
        self, query: Mapping[str, str]
    ) -> tuple[list[_Row], int]:
        """Return one page of delivery rows and how many it could have had."""
        answer = await exchange(
            self._session,
            "GET",
            self._url.joinpath(_DELIVERY),
            timeouts=self._timeouts,
            headers=self._login.headers,
            params={**query, **self._login.fields},
        )
        body = _accepted_body(answer)
        rows = body.get("deliveries")
        if not isinstance(rows, list):
            raise OutcomeUnknownError("no_deliveries")
        limit = min(as_count(body.get("limit")) or _PAGE, _PAGE)
        return [_row(as_object(row)) for row in rows], limit


_DROPPED = NotSent(kind=ErrorKind.RECIPIENT, detail="dropped")
"""Invalid numbers are dropped without a word (smsviainternet.txt, `numbers`)."""


def _accepted_body(answer: Answer) -> Mapping[str, Json]:
    """Return the JSON object of a 2xx answer; raise what any other answer says."""
    body: Mapping[str, Json] = {}
    try:
        body = as_object(answer.json())
    except OutcomeUnknownError:
        refuse_http_error(answer)
        raise
    code = as_count(body.get("error"))
    kind = None if code is None else _REFUSALS.get(code)
    if kind is not None and answer.status < 500 and "queue_id" not in body:  # noqa: PLR2004 - a 5xx proves nothing
        raise NotAcceptedError(kind, str(code), retry_after=answer.retry_after)
    refuse_http_error(answer, as_code(body.get("error")))
    return body


def _share(body: Mapping[str, Json], contacts: int, queue_id: str) -> Accepted:
    """Return what one of the accepted contacts is of the whole shipment."""
    parts = as_count(body.get("sending_sms_count"))
    price = as_price(body.get("sending_cost"))
    return Accepted(
        provider_id=queue_id,
        parts=parts // contacts if parts and parts % contacts == 0 else None,
        cost=None if price is None else (price / 1000 / contacts).quantize(_CENTRE),
    )


def _row(row: Mapping[str, Json]) -> _Row:
    """Read one delivery row."""
    word = row.get("delivery_status")
    status = None
    if word is None:
        # Accepted, and no receipt yet (inferred, providers.md, 1.4).
        status = Status.SENT
    elif isinstance(word, str):
        status = _STATUSES.get(word)
    return _Row(
        receiver=as_number(row.get("receiver")),
        status=status,
        detail=as_code(row.get("reason_code")) or as_code(word),
    )


_WORST_FIRST = (
    Status.FAILED,
    None,
    Status.SENT,
    Status.UNCERTAIN,
    Status.DELIVERED,
)
"""Which row speaks for a message that has several, one for each part.

A failed part is a failed message; an unknown word or a receipt still to come keeps
the message from being called delivered.
"""


def _worst(rows: Sequence[_Row]) -> _Row | None:
    """Return the row that speaks for the message, or None without rows."""
    return min(rows, key=lambda row: _WORST_FIRST.index(row.status), default=None)


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; besides the fields below, `settings` may have `gateway`.

    Raises ValueError if the URL is none or the gateway is no integer.
    """
    gateway = settings.get("gateway")
    return SmsViaInternetClient(
        session,
        parse_url(settings.get("url", DEFAULT_URL)),
        timeouts,
        login=_Login(
            token=settings["api_token"],
            username=settings.get("username"),
            password=settings.get("password"),
        ),
        sender=settings.get("sender"),
        gateway=int(gateway) if gateway else None,
    )


PROVIDER = Provider(
    key="smsviainternet",
    name="SMSviaInternet",
    manufacturer="Netfun Italia",
    console_url="https://v2.smsviainternet.it",
    fields=(
        SettingsField(key="api_token", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER, presence=Presence.OPTIONAL),
        SettingsField(
            key="username",
            kind=FieldKind.USERNAME,
            presence=Presence.OPTIONAL,
            placement=Placement.ADVANCED,
        ),
        SettingsField(
            key="password",
            kind=FieldKind.SECRET,
            presence=Presence.OPTIONAL,
            placement=Placement.ADVANCED,
        ),
        SettingsField(
            key="url",
            kind=FieldKind.URL,
            placement=Placement.ADVANCED,
            default=DEFAULT_URL,
        ),
    ),
    identity=("api_token", "username"),
    capabilities=Capabilities(
        features=frozenset(
            {
                Feature.CREDIT_WITH_SEND,
                Feature.DELIVERY_POLL,
                Feature.DELIVERY_PUSH,
            }
        ),
        recipients_per_submission=_MAX_RECIPIENTS,
        max_parts=_MAX_PARTS,
        refs_per_report_query=_MAX_RECIPIENTS,
    ),
    create=_create,
    options=(NumberOption(key="gateway", default=0, minimum=0, maximum=9999),),
)
