"""What a status code of HTTP proves, by whose words the body is.

A code says why only if the body is in the provider's own format: a page of a firewall,
a proxy or a captive modem is not the provider. The table:
docs/development/provider-apis/common.md 9.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from .decoding import is_page, is_unreadable
from .errors import NotAcceptedError, OutcomeUnknownError, UnconfirmedAuthError
from .model import Cause, ErrorKind
from .transport import Answer, Redirect

REDIRECTED = "redirected"
"""The detail of a doubt: the server pointed to another host, and was not followed."""


class Origin(StrEnum):
    """Whose words the body of an answer is."""

    OWN = "own"
    """The provider's: in its own format."""
    FOREIGN = "foreign"
    """Of a proxy, a firewall, a web server before the provider."""


class Purpose(StrEnum):
    """What a request was for."""

    SEND = "send"
    """Something may have been sent: an answer that proves nothing is a doubt."""
    QUESTION = "question"
    """Harmless: a foreign answer only means that the provider was not reached."""


_BY_CODE: Mapping[int, ErrorKind] = MappingProxyType(
    {
        # The server never got a whole request, or declined to process it: 408 and
        # 421 of RFC 9110, 425 of RFC 8470.
        **dict.fromkeys((408, 421, 425), ErrorKind.UNAVAILABLE),
        **dict.fromkeys((413, 414), ErrorKind.TEXT),
        **dict.fromkeys((411, 415, 431), ErrorKind.REFUSED),
        HTTPStatus.UNAUTHORIZED: ErrorKind.AUTH,
        HTTPStatus.TOO_MANY_REQUESTS: ErrorKind.THROTTLED,
    }
)
"""What these codes prove, whoever answers."""

_NOT_REACHED = frozenset({511, 521, 523, 525, 526})
"""A captive network's code, and Cloudflare's for an origin that it did not reach."""

_ABOUT_THE_REQUEST = frozenset({ErrorKind.TEXT, ErrorKind.REFUSED})
"""What only the provider can say about a question."""

_MOVED = frozenset({301, 302, 307, 308})
"""The request itself is to go to another address; 303 points to another page."""
_CLIENT_ERROR = 4
"""The class of the 4xx."""


def refuse_http_error(
    answer: Answer, origin: Origin, purpose: Purpose, code: str | None = None
) -> None:
    """Raise what a status code proves; return for 2xx in the provider's own format.

    `code` is the provider's own word for the error and goes into the detail; a word
    whose meaning is known is raised before. Raises NotAcceptedError where nothing was
    accepted (UnconfirmedAuthError for a foreign 401, the cause HTTPS_REQUIRED for http
    that leads to https), else OutcomeUnknownError.
    """
    detail = code or f"http_{answer.status}"
    if answer.redirect is Redirect.ELSEWHERE:
        detail = REDIRECTED
    kind = _kind(answer, origin)
    is_not_reached = origin is Origin.FOREIGN and purpose is Purpose.QUESTION
    if is_not_reached and kind in _ABOUT_THE_REQUEST:
        kind = ErrorKind.UNAVAILABLE
    if kind is ErrorKind.AUTH and origin is Origin.FOREIGN:
        raise UnconfirmedAuthError(detail)
    if kind is not None:
        cause = Cause.HTTPS_REQUIRED if _requires_https(answer) else None
        raise NotAcceptedError(
            kind, detail, retry_after=answer.retry_after, cause=cause
        )
    if answer.is_success and origin is Origin.OWN:
        return
    if answer.is_success:
        is_cut = is_unreadable(answer.text())
        detail = "unreadable_answer" if is_cut else "foreign_answer"
    if is_not_reached:
        raise NotAcceptedError(ErrorKind.UNAVAILABLE, detail)
    raise OutcomeUnknownError(detail)


def doubt_beside_id(answer: Answer, origin: Origin, provider_id: str | None) -> None:
    """Raise the doubt about a send whose answer has the ID of a message and no 2xx.

    An ID says that the message was taken: whatever the status, and whether the rest
    can be read or not, that is never "not sent". In a web page nothing is an ID.
    """
    if provider_id is None or answer.is_success:
        return
    text = answer.text()
    # JSON that cannot be read may have a tag too: in the text of the message.
    if origin is Origin.FOREIGN and text.startswith("<") and is_page(text):
        return
    raise OutcomeUnknownError(f"http_{answer.status}", provider_id=provider_id)


def _requires_https(answer: Answer) -> bool:
    """Return whether a front server leads the same request from http to https."""
    return answer.status in _MOVED and answer.redirect is Redirect.TO_HTTPS


def _kind(answer: Answer, origin: Origin) -> ErrorKind | None:
    """Return why nothing was accepted, None if the status does not prove that."""
    status = answer.status
    if _requires_https(answer):
        return ErrorKind.UNAVAILABLE
    if (kind := _BY_CODE.get(status)) is not None:
        return kind
    is_refused = status // 100 == _CLIENT_ERROR
    if origin is Origin.FOREIGN:
        is_refused = is_refused or status in _NOT_REACHED
        return ErrorKind.UNAVAILABLE if is_refused else None
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return ErrorKind.CREDIT
    return ErrorKind.REFUSED if is_refused else None
