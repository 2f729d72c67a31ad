"""Smshosting: credentials, requests and refusals.

Facts: docs/development/provider-apis/smshosting.md 2.1 and 2.3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import aiohttp
from yarl import URL

from ..decoding import Json
from ..errors import NotAcceptedError, OutcomeUnknownError
from ..http_status import Origin, Purpose, doubt_beside_id, refuse_http_error
from ..model import Cause, ErrorKind
from ..parsing import as_code, as_count, as_list, as_object
from ..transport import MAX_ANSWER_BYTES, Answer, Timeouts, Upload, exchange

REFUSALS: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "BAD_CREDENTIALS": ErrorKind.AUTH,
        "BAD_CREDIT": ErrorKind.CREDIT,
        "NO_CREDIT": ErrorKind.CREDIT,
        "SENDING_DISABLED": ErrorKind.CREDIT,
        "NO_PUSH": ErrorKind.CREDIT,
        "BAD_TO": ErrorKind.RECIPIENT,
        "BAD_MSISDN": ErrorKind.RECIPIENT,
        "NO_VALID_RECIPIENT": ErrorKind.RECIPIENT,
        "BAD_FROM": ErrorKind.SENDER,
        "BAD_TEXT": ErrorKind.TEXT,
        "BAD_TEXT_PLACEHOLDER": ErrorKind.TEXT,
        "BAD_CONTENT_PUSH": ErrorKind.TEXT,
        "DUPLICATE_SMS": ErrorKind.DUPLICATE,
        "PUSH_UNAVAILABLE": ErrorKind.REFUSED,
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
)
"""The `errorMsg` codes: docs/development/provider-apis/smshosting.md 2.3."""

GENERIC_ERROR = "GENERIC_ERROR"
"""An internal error, with HTTP 400 or 500: it does not prove that nothing was sent."""

_BY_CODE = frozenset({ErrorKind.REFUSED, ErrorKind.CREDIT})
"""What a status says that leaves the reason to the code."""

CAUSES: Mapping[str, Cause] = MappingProxyType(
    {"PUSH_UNAVAILABLE": Cause.NO_PUSH_PLAN, "NO_PUSH": Cause.PUSH_SPENT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The user and password of HTTP Basic."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Makes requests to the API at `url`; they raise as `exchange`."""

    session: aiohttp.ClientSession
    url: URL
    timeouts: Timeouts
    login: Login

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """Return the answer at a path, which must be encoded already."""
        return await exchange(
            self.session,
            "GET",
            self.url.joinpath(path, encoded=True),
            timeouts=self.timeouts,
            headers=self.login.headers(),
            params=params,
            max_bytes=max_bytes,
        )

    async def post(
        self,
        path: str,
        form: Mapping[str, str],
        upload: Upload | None = None,
        *,
        max_bytes: int = MAX_ANSWER_BYTES,
        find_id: Callable[[str], str | None] | None = None,
    ) -> Answer:
        """Post a form, a multipart one with a file, and return the answer."""
        return await exchange(
            self.session,
            "POST",
            self.url.joinpath(path),
            timeouts=self.timeouts,
            headers=self.login.headers(),
            data=form,
            upload=upload,
            max_bytes=max_bytes,
            find_id=find_id,
        )


def accepted_object(
    answer: Answer,
    purpose: Purpose,
    shape: frozenset[str],
    find_id: Callable[[str], str | None] | None = None,
) -> dict[str, Json]:
    """Return the JSON object of a 2xx answer; raise the error of any other.

    The provider's own is an object with `errorMsg` or with a field of `shape`, which
    are those of the documented success. Raises as `refuse_http_error`. An error beside
    messages that were taken does not hold for all of them: with a 2xx their rows
    decide, with any other status it is a doubt. So is the ID of a message that
    `find_id` finds in what is not the provider's own.
    """
    body = as_object(_decoded(answer))
    has_shape = not shape.isdisjoint(body)
    origin = Origin.OWN if has_shape or "errorMsg" in body else Origin.FOREIGN
    if purpose is Purpose.SEND and _has_accepted_any(body):
        if answer.is_success:
            return body
        raise OutcomeUnknownError(f"http_{answer.status}")
    if find_id and origin is Origin.FOREIGN:
        doubt_beside_id(answer, origin, find_id(answer.text()))
    code = _refuse(answer, body, origin, purpose)
    if not has_shape:
        raise OutcomeUnknownError(code or "no_result")
    return body


def accepted_list(answer: Answer, purpose: Purpose) -> list[Json]:
    """Return the bare JSON list of a 2xx answer; raise the error of any other."""
    value = _decoded(answer)
    body = as_object(value)
    is_own = isinstance(value, list) or "errorMsg" in body
    code = _refuse(answer, body, Origin.OWN if is_own else Origin.FOREIGN, purpose)
    if not isinstance(value, list):
        raise OutcomeUnknownError(code or "no_list")
    return value


def _decoded(answer: Answer) -> Json:
    """Return the JSON value of an answer, None if it is not JSON."""
    try:
        return answer.json()
    except OutcomeUnknownError:
        return None


def _refuse(
    answer: Answer, body: Mapping[str, Json], origin: Origin, purpose: Purpose
) -> str | None:
    """Raise the error of an answer; return the code of a 2xx that has one.

    What the status proves whoever answers comes before the code, which says why a
    request was refused.
    """
    codes = _error_codes(body)
    first = as_code(codes[0]) if codes else None
    try:
        refuse_http_error(answer, origin, purpose, first)
    except NotAcceptedError as err:
        if err.kind in _BY_CODE:
            _refuse_by_code(codes, answer.retry_after)
        raise
    _refuse_by_code(codes, answer.retry_after)
    return first


def _error_codes(body: Mapping[str, Json]) -> list[str]:
    """Return the codes in `errorMsg`, which can list several."""
    message = body.get("errorMsg")
    words = message.split(",") if isinstance(message, str) else []
    return [word.strip() for word in words if word.strip()]


def _refuse_by_code(codes: Sequence[str], retry_after: float | None) -> None:
    """Raise what the first known code says; return if there is none."""
    for code in codes:
        if code in REFUSALS:
            raise NotAcceptedError(
                REFUSALS[code], code, retry_after=retry_after, cause=CAUSES.get(code)
            )
    if GENERIC_ERROR in codes:
        raise OutcomeUnknownError(GENERIC_ERROR)


def has_error_code(answer: Answer) -> bool:
    """Return whether an answer has a code of the provider's own."""
    return bool(_error_codes(as_object(_decoded(answer))))


def is_unknown_id(err: NotAcceptedError) -> bool:
    """Return whether a refusal says that the provider does not know an ID."""
    return err.kind is ErrorKind.REFUSED and err.detail == "BAD_ID"


def _has_accepted_any(body: Mapping[str, Json]) -> bool:
    """Return whether an answer has a message that was taken."""
    rows = [as_object(item) for item in as_list(body.get("sms"))]
    counts = [as_count(body.get(name)) for name in ("smsInserted", "pushInserted")]
    return any(row.get("status") == "INSERTED" for row in rows) or any(counts)
