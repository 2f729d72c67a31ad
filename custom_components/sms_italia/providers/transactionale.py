"""Transactionale (docs/development/provider-apis/transactionale.md)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
import re
from types import MappingProxyType
from typing import override
from urllib.parse import quote

import aiohttp
from yarl import URL

from .client import (
    Capabilities,
    ChoiceOption,
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
from .decoding import Json
from .errors import NotAcceptedError, OutcomeUnknownError
from .http_status import Origin, Purpose, refuse_http_error
from .model import (
    Accepted,
    ErrorKind,
    MessageRef,
    Report,
    SendResult,
    Status,
    Submission,
)
from .parsing import as_code, as_identifier, as_moment, as_number, as_object
from .transport import Answer, Timeouts, exchange

DEFAULT_URL = "https://api.transactionale.com"
_SEND = "platform/api/sms/send"
"""The path for sending and, with an id after it, for reading.

/api/v1/send, which the provider documents for reading, is left over from an old
address: the `url` of an answer has this path. Facts:
docs/development/provider-apis/transactionale.md 3.2.
"""

FIELDS: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "phone": ErrorKind.RECIPIENT,
        "sender_id": ErrorKind.SENDER,
        "body": ErrorKind.TEXT,
    }
)
"""The kind of a refused field; of several, the first here counts."""

PROGRESS: Mapping[str, Status] = MappingProxyType(
    {"pending": Status.QUEUED, "sent": Status.SENT}
)
"""The words of `status`."""

DELIVERY: Mapping[str, Status] = MappingProxyType(
    {
        "delivered": Status.DELIVERED,
        "failed": Status.FAILED,
        "expired": Status.EXPIRED,
    }
)
"""The words of `delivery_status`, and `expired` of the delivery webhook."""

_MAX_ADDRESSES = 1000
"""How many addresses of messages are kept; the oldest go first."""


class CallbackRule(StrEnum):
    """When the provider calls back about delivery."""

    DEFAULT = "default"
    """As set in the provider's panel."""
    ALWAYS = "always"
    ON_ERROR = "on_error"
    """Only if it was not delivered."""
    OFF = "off"


_AUTO = "auto"
"""The option's default: `always` with a callback URL, else the panel decides."""

_MAX_PARTS = 255
"""The provider documents no limit; this is that of concatenation itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Login:
    """The API key."""

    api_key: str = field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every request; no scheme word stands before the key."""
        return {"Authorization": self.api_key, "Accept": "application/json"}


class TransactionaleClient(ProviderClient):
    """A client of one Transactionale account."""

    capabilities = Capabilities(
        features=frozenset({Feature.DELIVERY_POLL, Feature.DELIVERY_PUSH}),
        recipients_per_submission=1,
        max_parts=_MAX_PARTS,
        # Letters, digits, dot and spaces, 11 at most, of a number too; no "+".
        sender=SenderRule(
            alias=re.compile(r"(?:[^\W_]|[. ]){1,11}"),
            number=re.compile(r"\+?[0-9]{3,11}"),
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
        callback_rule: CallbackRule | None,
    ) -> None:
        """Use `sender` for submissions without one.

        Without a callback rule, `always` goes with each callback URL.
        """
        super().__init__(session, url, timeouts)
        self._login = login
        self._sender = sender
        self._callback_rule = callback_rule
        self._addresses: OrderedDict[str, URL] = OrderedDict()

    @override
    async def validate(self) -> None:
        """Prove the key by a message without phone, sender and text.

        A wrong key is answered with 401, a right one with the list of missing fields.
        The answer to a GET with a right key is not documented, and a 404 could come
        from a wrong address. Nothing can be sent without a number and a text. Facts:
        docs/development/provider-apis/transactionale.md 3.4.

        Raises as ProviderClient.validate.
        """
        answer = await self._post({})
        if _refused_fields(answer) & FIELDS.keys():
            return
        refuse_http_error(answer, Origin.OWN, Purpose.SEND)
        raise OutcomeUnknownError("key_not_proved")

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to the one recipient of the submission."""
        (recipient,) = submission.recipients
        message: dict[str, Json] = {
            "phone": recipient.removeprefix("+"),
            "body": submission.text,
        }
        if sender := submission.sender or self._sender:
            message["sender_id"] = sender.removeprefix("+")
        if submission.callback_url is not None:
            message["webhook_url"] = submission.callback_url
            if self._callback_rule is None:
                message["receive_dlr"] = CallbackRule.ALWAYS.value
        if self._callback_rule is not None:
            message["receive_dlr"] = self._callback_rule.value
        body = _accepted_body(await self._post(message))
        provider_id = as_identifier(body.get("id"))
        if provider_id is None:
            raise OutcomeUnknownError("no_id")
        self._remember(provider_id, body)
        status = _progress(body) or Status.QUEUED
        accepted = Accepted(provider_id=provider_id, status=status)
        return SendResult(outcomes={recipient: accepted})

    def _remember(self, provider_id: str, body: Mapping[str, Json]) -> None:
        """Keep the address of a message if it is on the account's own host.

        The key travels with the request: another host, port or scheme must not get it.
        The usual address is not kept, since it can be built again.
        """
        value = body.get("url")
        if not isinstance(value, str):
            return
        try:
            url = URL(value)
        except ValueError:
            return
        is_own = url.absolute and url.origin() == self._url.origin()
        if not is_own or url.user is not None or url == self._usual(provider_id):
            return
        self._addresses[provider_id] = url
        if len(self._addresses) > _MAX_ADDRESSES:
            self._addresses.popitem(last=False)

    def _usual(self, provider_id: str) -> URL:
        """Return the usual address of a message."""
        return self._url.joinpath(_SEND).joinpath(
            quote(provider_id, safe=""), encoded=True
        )

    @override
    def parse_report(self, body: bytes) -> Report | None:
        """Return the report in the body of a delivery webhook, None if unreadable.

        Facts: docs/development/provider-apis/transactionale.md 3.6.
        """
        answer = Answer(status=HTTPStatus.OK, content_type="", body=body)
        try:
            payload = as_object(answer.json())
        except OutcomeUnknownError:
            return None
        provider_id = as_identifier(payload.get("sms_id"))
        number = as_number(payload.get("phone"))
        word = payload.get("status")
        status = DELIVERY.get(word) if isinstance(word, str) else None
        if provider_id is None or number is None or status is None:
            return None
        return Report(
            ref=MessageRef(provider_id, number),
            status=status,
            at=as_moment(payload.get("status_time")),
        )

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Return the status of messages, asked for one by one.

        A message that is not found is left out. Raises ProviderError.
        """
        reports: list[Report] = []
        for ref in refs:
            answer = await exchange(
                self._session,
                "GET",
                self._addresses.get(ref.provider_id) or self._usual(ref.provider_id),
                timeouts=self._timeouts,
                headers=self._login.headers,
            )
            if answer.status == HTTPStatus.NOT_FOUND:
                continue
            body = _accepted_body(answer)
            status = _status(body)
            if status is None or as_identifier(body.get("id")) != ref.provider_id:
                continue
            reports.append(Report(ref=ref, status=status))
        return reports

    async def _post(self, message: Mapping[str, Json]) -> Answer:
        """Return the answer to a message."""
        return await exchange(
            self._session,
            "POST",
            self._url.joinpath(_SEND),
            timeouts=self._timeouts,
            headers=self._login.headers,
            json_body=message,
        )


def _accepted_body(answer: Answer) -> Mapping[str, Json]:
    """Return the JSON object of a 2xx answer; raise the error of any other."""
    if refused := _refused_fields(answer):
        kinds = [kind for name, kind in FIELDS.items() if name in refused]
        names = [name for name in FIELDS if name in refused]
        names += sorted(refused - FIELDS.keys())
        raise NotAcceptedError(
            kinds[0] if kinds else ErrorKind.REFUSED, detail=",".join(names[:5])
        )
    refuse_http_error(answer, Origin.OWN, Purpose.SEND)
    return as_object(answer.json())


def _refused_fields(answer: Answer) -> frozenset[str]:
    """Return the fields that a validation error names, in either of its shapes.

    The provider documents both `{"errors": {field: [...]}}` and `{field: [...]}`.
    """
    if answer.status not in {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }:
        return frozenset()
    try:
        body = as_object(answer.json())
    except OutcomeUnknownError:
        return frozenset()
    match body.get("errors"):
        case dict() as nested:
            names = list(nested)
        case _:
            names = [name for name, value in body.items() if isinstance(value, list)]
    return frozenset(filter(None, map(as_code, names)))


def _progress(body: Mapping[str, Json]) -> Status | None:
    """Return the progress in `status`, None if unknown."""
    word = body.get("status")
    return PROGRESS.get(word) if isinstance(word, str) else None


def _status(body: Mapping[str, Json]) -> Status | None:
    """Return the status in the two words of a message, None if unknown."""
    match body.get("delivery_status"):
        case "unknown":
            return _progress(body)
        case str() as word:
            return DELIVERY.get(word)
        case _:
            return None


def _create(
    session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
) -> ProviderClient:
    """Return a client; raise ValueError if `url` or `receive_dlr` is not valid."""
    rule = settings.get("receive_dlr", _AUTO)
    return TransactionaleClient(
        session,
        parse_url(settings.get("url", DEFAULT_URL)),
        timeouts,
        login=_Login(api_key=settings["api_key"]),
        sender=settings.get("sender"),
        callback_rule=None if rule == _AUTO else CallbackRule(rule),
    )


PROVIDER = Provider(
    key="transactionale",
    name="Transactionale",
    manufacturer="Transactionale",
    console_url="https://www.transactionale.com",
    fields=(
        SettingsField(key="api_key", kind=FieldKind.SECRET),
        SettingsField(key="sender", kind=FieldKind.SENDER),
        SettingsField(
            key="url",
            kind=FieldKind.URL,
            placement=Placement.ADVANCED,
            default=DEFAULT_URL,
        ),
    ),
    identity=("api_key",),
    capabilities=TransactionaleClient.capabilities,
    create=_create,
    options=(
        ChoiceOption(key="receive_dlr", default=_AUTO, choices=(_AUTO, *CallbackRule)),
    ),
)
