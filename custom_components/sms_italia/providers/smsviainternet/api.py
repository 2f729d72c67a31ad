"""SMSviaInternet: credentials, requests and refusals.

Facts: docs/development/provider-apis/smsviainternet.md 1.1 and 1.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import aiohttp
from yarl import URL

from ..decoding import Json
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..http_status import Origin, Purpose, refuse_http_error
from ..model import ErrorKind
from ..parsing import as_code, as_count, as_object
from ..transport import Answer, Timeouts, exchange
from ..xml_answers import decode

REFUSALS: Mapping[int, ErrorKind] = MappingProxyType(
    {
        **dict.fromkeys((1, 2, 3, 4, 5, 6), ErrorKind.AUTH),
        10: ErrorKind.CREDIT,
        11: ErrorKind.TEXT,
        **dict.fromkeys((12, 13, 14, 100), ErrorKind.REFUSED),
        15: ErrorKind.SENDER,
        20: ErrorKind.RECIPIENT,
    }
)
"""The `error` numbers, not proved for v2.

999, an internal error, is left out: it does not prove that nothing was sent. Facts:
docs/development/provider-apis/smsviainternet.md 1.3.
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

    async def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer at a path of the API."""
        return await exchange(
            self.session,
            "GET",
            self.url.joinpath("api/rest/v1", path),
            timeouts=self.timeouts,
            headers=self.login.headers,
            params={**query, **self.login.fields},
        )

    async def post(self, path: str, message: Mapping[str, Json]) -> Mapping[str, Json]:
        """Post a message to a path of the API and return the accepted body.

        Raises as `accepted_body`, too.
        """
        answer = await exchange(
            self.session,
            "POST",
            self.url.joinpath("api/rest/v1", path),
            timeouts=self.timeouts,
            headers=self.login.headers,
            json_body={**self.login.fields, **message},
        )
        return accepted_body(answer)


def accepted_body(answer: Answer) -> Mapping[str, Json]:
    """Return the object of a 2xx answer, JSON or XML; raise the error of any other."""
    try:
        body = as_object(decode(answer))
    except OutcomeUnknownError:
        refuse_http_error(answer, Origin.OWN, Purpose.SEND)
        raise
    code = as_count(body.get("error"))
    kind = None if code is None else REFUSALS.get(code)
    taken = {"queue_id", "sending_batch_id"} & body.keys()
    if kind is not None and answer.status < 500 and not taken:  # noqa: PLR2004 - a 5xx proves nothing
        raise NotAcceptedError(kind, str(code), retry_after=answer.retry_after)
    refuse_http_error(answer, Origin.OWN, Purpose.SEND, as_code(body.get("error")))
    return body
