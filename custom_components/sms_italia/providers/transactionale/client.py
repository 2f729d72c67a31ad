"""Transactionale (docs/development/provider-apis/transactionale.md)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
import re
from types import MappingProxyType
from typing import override
from urllib.parse import quote

import aiohttp
from yarl import URL

from ..client import (
    Capabilities,
    ChoiceOption,
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
from ..decoding import Json
from ..errors import OutcomeUnknownError
from ..http_status import Origin, Purpose, doubt_beside_id, refuse_http_error
from ..model import (
    Accepted,
    MessageRef,
    Report,
    SendResult,
    Status,
    Submission,
)
from ..parsing import as_identifier, as_message_id, as_moment, as_number, as_object
from ..transport import SHORT_ANSWER_BYTES, Answer, Timeouts, exchange
from .api import Login, Reply, find_id, read, refuse

DEFAULT_URL = "https://api.transactionale.com"
_SEND = "platform/api/sms/send"
"""The path for sending and, with an id after it, for reading."""
_READ = "api/v1/send"
"""The path for reading that the provider's page documents; nothing is sent to it.

It may be left over from an old address: the `url` of an answer has the other. Facts:
docs/development/provider-apis/transactionale.md 3.2.
"""

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

_MAX_ANSWER_BYTES = 256 * 1024
"""An answer about a message repeats its text: 255 parts, up to 6 bytes a character."""

_INVALID = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""The codes of a validation error; 422 is inferred."""


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
        login: Login,
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
        self._read_path = _SEND

    @override
    async def validate(self) -> None:
        """Prove the key by a message without phone, sender and text.

        A wrong key is answered with 401, a right one with the list of missing fields.
        The answer to a GET with a right key is not documented, and a 404 could come
        from a wrong address. Nothing can be sent without a number and a text. Only the
        name of a field as a key proves that the provider read the message: a gateway
        has sentences about a body or a number too. Facts:
        docs/development/provider-apis/common.md 5.

        Raises as ProviderClient.validate.
        """
        answer = await self._post({}, SHORT_ANSWER_BYTES)
        reply = read(answer)
        if answer.status in _INVALID and reply.names_a_field:
            return
        refuse_http_error(answer, reply.origin, Purpose.QUESTION)
        raise OutcomeUnknownError("key_not_proved")

    @override
    async def probe(self) -> None:
        """Read where messages are sent to; whatever is answered there will do.

        It makes no message, not even a wrong one. Facts:
        docs/development/provider-apis/common.md 5.
        """
        answer = await exchange(
            self._session,
            "GET",
            self._url.joinpath(_SEND),
            timeouts=self._timeouts,
            headers=self._login.headers,
            max_bytes=_MAX_ANSWER_BYTES,
        )
        reply = read(answer)
        is_own = reply.origin is Origin.OWN
        if is_own and answer.status != HTTPStatus.UNAUTHORIZED:
            return
        refuse_http_error(answer, reply.origin, Purpose.QUESTION)
        raise OutcomeUnknownError("foreign_answer")

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Send to the one recipient of the submission.

        In doubt with the ID if the answer has one beside errors, or cannot be read.
        """
        (recipient,) = submission.recipients
        answer = await self._post(self._message(submission), _MAX_ANSWER_BYTES)
        reply = read(answer)
        provider_id = reply.provider_id
        # A word is an error's, not a message's.
        doubt_beside_id(answer, reply.origin, as_message_id(provider_id))
        try:
            refuse(answer, reply, Purpose.SEND)
        except OutcomeUnknownError as err:
            raise OutcomeUnknownError(err.detail, provider_id=provider_id) from None
        if provider_id is None:
            raise OutcomeUnknownError("no_id")
        if reply.body.get("errors"):
            raise OutcomeUnknownError("errors", provider_id=provider_id)
        accepted = Accepted(
            provider_id=provider_id, status=_progress(reply.body) or Status.QUEUED
        )
        self._remember(provider_id, reply.body)
        return SendResult(outcomes={recipient: accepted})

    def _message(self, submission: Submission) -> Mapping[str, Json]:
        """Return the message of a submission."""
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
        return message

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
            is_own = url.origin() == self._url.origin() and url.user is None
        except ValueError:
            return
        if not is_own or url in self._usual(provider_id).values():
            return
        self._addresses[provider_id] = url
        if len(self._addresses) > _MAX_ADDRESSES:
            self._addresses.popitem(last=False)

    def _usual(self, provider_id: str) -> Mapping[str, URL]:
        """Return the usual addresses of a message by path, the one that works first."""
        # A dot alone would lead out of the path.
        name = quote(provider_id, safe="").replace(".", "%2E")
        return {
            path: self._url.joinpath(path).joinpath(name, encoded=True)
            for path in sorted((_SEND, _READ), key=self._read_path.__ne__)
        }

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
            reply = await self._ask(ref.provider_id)
            if reply is None or as_identifier(reply.body.get("id")) != ref.provider_id:
                continue
            status = _status(reply.body)
            is_of_another = as_number(reply.body.get("phone")) not in {
                None,
                ref.recipient,
            }
            if status is None or is_of_another:
                continue
            reports.append(Report(ref=ref, status=status))
        return reports

    async def _ask(self, provider_id: str) -> Reply | None:
        """Return the answer about a message, None if the provider does not know it.

        Which of the two paths lives is not known: where one answers 404, the other is
        asked, and the one that works is asked first from then on.
        """
        addresses = self._usual(provider_id)
        if given := self._addresses.get(provider_id):
            addresses = {"": given, **addresses}
        for path, url in addresses.items():
            answer = await exchange(
                self._session,
                "GET",
                url,
                timeouts=self._timeouts,
                headers=self._login.headers,
                max_bytes=_MAX_ANSWER_BYTES,
            )
            if answer.status == HTTPStatus.NOT_FOUND:
                continue
            reply = read(answer)
            refuse(answer, reply, Purpose.QUESTION)
            self._read_path = path or self._read_path
            return reply
        return None

    async def _post(self, message: Mapping[str, Json], max_bytes: int) -> Answer:
        """Return the answer to a message."""
        return await exchange(
            self._session,
            "POST",
            self._url.joinpath(_SEND),
            timeouts=self._timeouts,
            headers=self._login.headers,
            json_body=message,
            max_bytes=max_bytes,
            find_id=find_id,
        )


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
        login=Login(api_key=settings["api_key"]),
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
        url_field(DEFAULT_URL),
    ),
    capabilities=TransactionaleClient.capabilities,
    create=_create,
    options=(
        ChoiceOption(key="receive_dlr", default=_AUTO, choices=(_AUTO, *CallbackRule)),
    ),
)
