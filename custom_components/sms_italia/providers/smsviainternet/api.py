"""SMSviaInternet: credentials, requests, and what an answer says as a whole.

Facts: docs/development/provider-apis/smsviainternet.md 1.1 and 1.3.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
import re
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp
from yarl import URL

from ..decoding import Json, decode_json, salvage_id
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..http_status import Origin, Purpose, doubt_beside_id, refuse_http_error
from ..model import ErrorKind
from ..parsing import as_code, as_decimal, as_identifier, as_object
from ..transport import MAX_ANSWER_BYTES, SHORT_ANSWER_BYTES, Answer, Timeouts, exchange
from ..xml_answers import begins_as_xml, decode_xml, rows_in

_INTERNAL = 999
"""An internal error, which does not prove that nothing was sent."""

REFUSALS: Mapping[int, ErrorKind] = MappingProxyType(
    {
        **dict.fromkeys((1, 2, 3, 4, 5, 6), ErrorKind.AUTH),
        10: ErrorKind.CREDIT,
        11: ErrorKind.TEXT,
        **dict.fromkeys((12, 13, 14, 100), ErrorKind.REFUSED),
        15: ErrorKind.SENDER,
        20: ErrorKind.RECIPIENT,
        # Of sub-accounts and their credit.
        **dict.fromkeys(
            (*range(500, 503), *range(510, 518), *range(520, 524)), ErrorKind.REFUSED
        ),
    }
)
"""The `error` numbers that say why nothing was done; not proved for v2.

Facts: docs/development/provider-apis/smsviainternet.md 1.3.
"""

_NUMBERS = REFUSALS.keys() | {0, _INTERNAL}

QUEUE_ID = "queue_id"
BATCH_ID = "sending_batch_id"
_ROOT = "response"
"""The root element of its XML."""
"""The fields of a shipment's id: in the answer to a send, and to a batch."""

_OWN_FIELDS = frozenset({QUEUE_ID, BATCH_ID, "credit", "deliveries", "wallets"})
"""One of them makes an answer the provider's own.

Facts: docs/development/provider-apis/common.md 9.
"""


def _rome() -> tzinfo:
    """Return the provider's time zone, UTC on a system without it."""
    try:
        return ZoneInfo("Europe/Rome")
    except ZoneInfoNotFoundError, OSError:
        return UTC


_ROME = _rome()
"""Loaded with the module: it reads a file."""


def format_moment(moment: datetime) -> str:
    """Return a time for `send_at`: that of Rome, with its offset.

    The provider parses it as PHP's strtotime and shows times without a zone; that they
    are those of Rome is documented for the older API only. With the offset the time is
    right on any server, and in the hour that autumn repeats; if the offset is dropped,
    Rome is the best guess. Facts: docs/development/provider-apis/smsviainternet.md 1.7.
    """
    return moment.astimezone(_ROME).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The token, and the user and password that some tokens need too."""

    token: str = field(repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every request."""
        return {"X-Api-Token": self.token, "Accept": "application/json"}

    @property
    def fields(self) -> Mapping[str, str]:
        """The parameters of every request."""
        fields = {}
        if self.username:
            fields["username"] = self.username
        if self.password:
            fields["password"] = self.password
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Makes requests to the API at `url`; they raise as `exchange`."""

    session: aiohttp.ClientSession
    url: URL
    timeouts: Timeouts
    login: Login

    async def get(
        self, path: str, query: Mapping[str, str], max_bytes: int = MAX_ANSWER_BYTES
    ) -> Reply:
        """Return the answer at a path of the API."""
        answer = await exchange(
            self.session,
            "GET",
            self.url.joinpath("api/rest/v1", path),
            timeouts=self.timeouts,
            headers=self.login.headers,
            params={**query, **self.login.fields},
            max_bytes=max_bytes,
        )
        return read(answer)

    async def post(
        self,
        path: str,
        message: Mapping[str, Json],
        find_id: Callable[[str], str | None],
    ) -> Reply:
        """Return the answer to a message that is posted to a path of the API."""
        answer = await exchange(
            self.session,
            "POST",
            self.url.joinpath("api/rest/v1", path),
            timeouts=self.timeouts,
            headers=self.login.headers,
            json_body={**self.login.fields, **message},
            max_bytes=SHORT_ANSWER_BYTES,
            find_id=find_id,
        )
        return read(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its object, empty if it is none, and its text."""

    answer: Answer
    text: str = field(repr=False)
    body: Mapping[str, Json] = field(repr=False)
    is_xml: bool = False

    @property
    def error(self) -> int | str | None:
        """The `error`: its number, or its words; 0 is success.

        None if there is none. A value of any other type says nothing.
        """
        value = self.body.get("error")
        if value is None or isinstance(value, bool):
            return None
        number = as_decimal(value)
        if number is not None and number == number.to_integral_value():
            return int(number)
        return value.strip() or None if isinstance(value, str) else None

    @property
    def origin(self) -> Origin:
        """Whose words it is (docs/development/provider-apis/common.md 9).

        By itself, a number is the provider's if its table has it. One that only repeats
        the status is that of a web server: 500 and 502 are in the table too, and would
        prove that nothing was sent. Words are the provider's with 2xx.
        """
        error = self.error
        if isinstance(error, str):
            is_own = self.answer.is_success and any(map(str.isalpha, error))
        else:
            is_own = error in _NUMBERS and error != self.answer.status
        has_field = not _OWN_FIELDS.isdisjoint(self.body)
        return Origin.OWN if is_own or has_field else Origin.FOREIGN

    def shipment_id(self, name: str) -> str | None:
        """Return the id in the field of this name, None without one.

        Also from a text that cannot be decoded, or is no object of the provider's.
        Null, an empty one and zero are no id.
        """
        if name in self.body:
            return _identifier(self.body[name])
        return find_id(self.text, name)

    def rows(self, name: str) -> list[Json] | None:
        """Return the rows under a name, None without a list of them."""
        if self.is_xml:
            return rows_in(self.body, name)
        value = self.body.get(name)
        return value if isinstance(value, list) else None


def find_id(text: str, name: str) -> str | None:
    """Return the id in the field of this name of a text that cannot be decoded."""
    element = re.search(
        rf"<{name}>\s{{0,20}}([0-9A-Za-z_-]{{1,64}})\s{{0,20}}</{name}>", text
    )
    return _identifier(element[1] if element else salvage_id(text, name))


def read(answer: Answer) -> Reply:
    """Return what an answer says, whatever content type it has.

    Servers name another one, and write warnings before the answer. XML is what stands
    in the element `response`; anything else is read as JSON.
    """
    text = answer.text()
    with suppress(ValueError):
        return Reply(answer=answer, text=text, body=as_object(decode_json(text)))
    with suppress(ValueError):
        body = as_object(decode_xml(text, _ROOT))
        return Reply(answer=answer, text=text, body=body, is_xml=True)
    return Reply(answer=answer, text=text, body={})


def accepted_body(reply: Reply, purpose: Purpose) -> Mapping[str, Json]:
    """Return the object of a 2xx answer; raise the error of any other.

    An `error` beside the id of a shipment is not raised: that answer says both that
    something was taken and that it was not. Raises NotAcceptedError and
    OutcomeUnknownError.
    """
    answer, body, error = reply.answer, reply.body, reply.error
    if purpose is Purpose.SEND:
        # Broken XML has tags, and is no page for that.
        is_document = begins_as_xml(reply.text, _ROOT)
        origin = Origin.OWN if is_document else reply.origin
        for name in (QUEUE_ID, BATCH_ID):
            doubt_beside_id(answer, origin, reply.shipment_id(name))
    if reply.origin is Origin.FOREIGN:
        refuse_http_error(answer, Origin.FOREIGN, purpose)
    has_shipment = any(_identifier(body.get(name)) for name in (QUEUE_ID, BATCH_ID))
    code = (as_code(str(error)) or "error") if error else None
    kind = _kind(error) if error and not has_shipment else None
    try:
        refuse_http_error(answer, Origin.OWN, purpose, code)
    except NotAcceptedError as err:
        if err.kind not in {ErrorKind.REFUSED, ErrorKind.CREDIT}:
            raise
        raise NotAcceptedError(
            kind or err.kind, err.detail, retry_after=err.retry_after
        ) from None
    except OutcomeUnknownError:
        if error not in REFUSALS or kind is None or not answer.is_server_error:
            raise
    if kind is not None:
        raise NotAcceptedError(kind, code, retry_after=answer.retry_after)
    if error and not has_shipment:
        raise OutcomeUnknownError(code)
    return body


def _kind(error: int | str) -> ErrorKind | None:
    """Return why nothing was sent, None for an internal error: it does not prove it."""
    if isinstance(error, int):
        unknown = None if error == _INTERNAL else ErrorKind.REFUSED
        return REFUSALS.get(error, unknown)
    return None if "intern" in error.lower() else ErrorKind.REFUSED


def _identifier(value: Json) -> str | None:
    """Return an id as text, None for null, an empty one and zero."""
    found = as_identifier(value)
    return found if found and found.strip("0") else None
