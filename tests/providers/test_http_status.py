"""What a status code proves, row by row, written from the table of the facts.

Facts: docs/development/provider-apis/common.md 9.
"""

import pytest

from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    UnconfirmedAuthError,
)
from custom_components.sms_italia.providers.http_status import (
    REDIRECTED,
    Origin,
    Purpose,
    refuse_http_error,
)
from custom_components.sms_italia.providers.model import Cause, ErrorKind
from custom_components.sms_italia.providers.transport import Answer, Redirect

DOUBT = "doubt"
TAKEN = "taken"
"""2xx in the provider's own format: its body decides."""

AUTH = ErrorKind.AUTH
CREDIT = ErrorKind.CREDIT
REFUSED = ErrorKind.REFUSED
TEXT = ErrorKind.TEXT
THROTTLED = ErrorKind.THROTTLED
UNAVAILABLE = ErrorKind.UNAVAILABLE

type Proof = ErrorKind | str

SENDS: dict[int, tuple[Proof, Proof]] = {
    200: (TAKEN, DOUBT),
    201: (TAKEN, DOUBT),
    202: (TAKEN, DOUBT),
    204: (TAKEN, DOUBT),
    206: (TAKEN, DOUBT),
    299: (TAKEN, DOUBT),
    300: (DOUBT, DOUBT),
    301: (DOUBT, DOUBT),
    302: (DOUBT, DOUBT),
    303: (DOUBT, DOUBT),
    304: (DOUBT, DOUBT),
    307: (DOUBT, DOUBT),
    308: (DOUBT, DOUBT),
    400: (REFUSED, UNAVAILABLE),
    401: (AUTH, AUTH),
    402: (CREDIT, UNAVAILABLE),
    403: (REFUSED, UNAVAILABLE),
    404: (REFUSED, UNAVAILABLE),
    405: (REFUSED, UNAVAILABLE),
    406: (REFUSED, UNAVAILABLE),
    407: (REFUSED, UNAVAILABLE),
    408: (UNAVAILABLE, UNAVAILABLE),
    409: (REFUSED, UNAVAILABLE),
    410: (REFUSED, UNAVAILABLE),
    411: (REFUSED, REFUSED),
    412: (REFUSED, UNAVAILABLE),
    413: (TEXT, TEXT),
    414: (TEXT, TEXT),
    415: (REFUSED, REFUSED),
    416: (REFUSED, UNAVAILABLE),
    417: (REFUSED, UNAVAILABLE),
    418: (REFUSED, UNAVAILABLE),
    421: (UNAVAILABLE, UNAVAILABLE),
    422: (REFUSED, UNAVAILABLE),
    423: (REFUSED, UNAVAILABLE),
    425: (UNAVAILABLE, UNAVAILABLE),
    426: (REFUSED, UNAVAILABLE),
    428: (REFUSED, UNAVAILABLE),
    429: (THROTTLED, THROTTLED),
    431: (REFUSED, REFUSED),
    444: (REFUSED, UNAVAILABLE),
    451: (REFUSED, UNAVAILABLE),
    499: (REFUSED, UNAVAILABLE),
    500: (DOUBT, DOUBT),
    501: (DOUBT, DOUBT),
    502: (DOUBT, DOUBT),
    503: (DOUBT, DOUBT),
    504: (DOUBT, DOUBT),
    505: (DOUBT, DOUBT),
    507: (DOUBT, DOUBT),
    511: (DOUBT, UNAVAILABLE),
    520: (DOUBT, DOUBT),
    521: (DOUBT, UNAVAILABLE),
    522: (DOUBT, DOUBT),
    523: (DOUBT, UNAVAILABLE),
    524: (DOUBT, DOUBT),
    525: (DOUBT, UNAVAILABLE),
    526: (DOUBT, UNAVAILABLE),
    527: (DOUBT, DOUBT),
    530: (DOUBT, DOUBT),
    599: (DOUBT, DOUBT),
    600: (DOUBT, DOUBT),
    999: (DOUBT, DOUBT),
}
"""What an answer to a send proves: in the provider's own format, and in another."""

NOT_ONLY_UNREACHED: dict[int, ErrorKind] = {401: AUTH, 429: THROTTLED}
"""What a foreign answer to a question says besides "not reached"."""


def answered(
    status: int, redirect: Redirect | None = None, retry_after: float | None = None
) -> Answer:
    """Return an answer as it was read."""
    return Answer(
        status=status,
        content_type="text/html",
        body=b"<html>",
        redirect=redirect,
        retry_after=retry_after,
    )


def proof(answer: Answer, origin: Origin, purpose: Purpose) -> Proof:
    """Return what an answer proves."""
    try:
        refuse_http_error(answer, origin, purpose)
    except NotAcceptedError as refusal:
        return refusal.kind
    except OutcomeUnknownError:
        return DOUBT
    return TAKEN


@pytest.mark.parametrize("status", SENDS)
def test_a_code_proves_of_a_send_what_the_table_says(status: int) -> None:
    own, foreign = SENDS[status]

    assert proof(answered(status), Origin.OWN, Purpose.SEND) == own
    assert proof(answered(status), Origin.FOREIGN, Purpose.SEND) == foreign


@pytest.mark.parametrize("status", SENDS)
def test_a_foreign_answer_to_a_question_says_that_it_was_not_reached(
    status: int,
) -> None:
    own, _ = SENDS[status]
    foreign = NOT_ONLY_UNREACHED.get(status, UNAVAILABLE)

    assert proof(answered(status), Origin.OWN, Purpose.QUESTION) == own
    assert proof(answered(status), Origin.FOREIGN, Purpose.QUESTION) == foreign


@pytest.mark.parametrize("redirect", [None, *Redirect])
def test_no_code_at_all_makes_a_foreign_answer_more_than_it_can_be(
    redirect: Redirect | None,
) -> None:
    for status in range(200, 1000):
        answer = answered(status, redirect)

        sent = proof(answer, Origin.FOREIGN, Purpose.SEND)
        asked = proof(answer, Origin.FOREIGN, Purpose.QUESTION)

        assert sent != TAKEN
        assert asked not in {TAKEN, DOUBT}
        assert (AUTH in {sent, asked}) == (status == 401)
        if status // 100 == 5 and status not in {511, 521, 523, 525, 526}:
            assert sent == DOUBT


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_https_of_the_same_address_took_nothing(
    status: int, purpose: Purpose, origin: Origin
) -> None:
    with pytest.raises(NotAcceptedError) as refusal:
        refuse_http_error(answered(status, Redirect.TO_HTTPS), origin, purpose)

    assert refusal.value.kind is UNAVAILABLE
    assert refusal.value.cause is Cause.HTTPS_REQUIRED


@pytest.mark.parametrize("redirect", [None, Redirect.ELSEWHERE])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_redirect_leaves_a_send_in_doubt(
    status: int, redirect: Redirect | None
) -> None:
    answer = answered(status, redirect)

    assert proof(answer, Origin.FOREIGN, Purpose.SEND) == DOUBT
    assert proof(answer, Origin.FOREIGN, Purpose.QUESTION) is UNAVAILABLE


def test_a_303_to_https_is_about_another_page() -> None:
    answer = answered(303, Redirect.TO_HTTPS)

    assert proof(answer, Origin.FOREIGN, Purpose.SEND) == DOUBT


@pytest.mark.parametrize(
    ("status", "redirect", "detail"),
    [
        (302, Redirect.ELSEWHERE, REDIRECTED),
        (302, None, "http_302"),
        (201, None, "foreign_answer"),
        (503, None, "http_503"),
    ],
)
def test_the_detail_says_where_it_leads(
    status: int, redirect: Redirect | None, detail: str
) -> None:
    with pytest.raises(OutcomeUnknownError) as doubt:
        refuse_http_error(answered(status, redirect), Origin.FOREIGN, Purpose.SEND)
    with pytest.raises(NotAcceptedError) as refusal:
        refuse_http_error(answered(status, redirect), Origin.FOREIGN, Purpose.QUESTION)

    assert doubt.value.detail == refusal.value.detail == detail


@pytest.mark.parametrize("purpose", Purpose)
def test_only_the_provider_s_own_401_is_confirmed(purpose: Purpose) -> None:
    with pytest.raises(NotAcceptedError) as foreign:
        refuse_http_error(answered(401), Origin.FOREIGN, purpose)
    with pytest.raises(NotAcceptedError) as own:
        refuse_http_error(answered(401), Origin.OWN, purpose)

    assert isinstance(foreign.value, UnconfirmedAuthError)
    assert not isinstance(own.value, UnconfirmedAuthError)


@pytest.mark.parametrize("status", [s for s, (own, _) in SENDS.items() if own != TAKEN])
def test_the_provider_s_own_code_is_the_detail(status: int) -> None:
    with pytest.raises((NotAcceptedError, OutcomeUnknownError)) as failure:
        refuse_http_error(answered(status), Origin.OWN, Purpose.SEND, "BAD_X")

    assert failure.value.detail == "BAD_X"


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_throttled_request_keeps_its_wait(origin: Origin, purpose: Purpose) -> None:
    with pytest.raises(NotAcceptedError) as refusal:
        refuse_http_error(answered(429, retry_after=7), origin, purpose)

    assert refusal.value.retry_after == 7
    assert refusal.value.detail == "http_429"
