"""What every client does with a refusal or a doubt, whoever the provider is."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Never, override

import aiohttp
import pytest
from yarl import URL

from custom_components.sms_italia.providers.client import (
    Capabilities,
    Feature,
    ProviderClient,
)
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
    ProviderError,
)
from custom_components.sms_italia.providers.http_status import (
    REDIRECTED,
    Origin,
    Purpose,
    refuse_http_error,
)
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cause,
    Channel,
    ErrorKind,
    MessageRef,
    NotSent,
    Report,
    SendResult,
    Submission,
    Uncertain,
)
from custom_components.sms_italia.providers.transport import exchange

from .canned import Canned
from .helpers import NUMBER, OTHER_NUMBER, TIMEOUTS, only, submission

ELSEWHERE = {"Location": "http://portale.example/login"}
OWN = b"own"


class Client(ProviderClient):
    """Asks a server whose own format is one word, `own`."""

    capabilities = Capabilities(
        features=frozenset({Feature.ESTIMATE, Feature.CLIENT_REFERENCE}),
        recipients_per_submission=2,
        max_parts=1,
    )

    def __init__(
        self, session: aiohttp.ClientSession, url: str, server: str = ""
    ) -> None:
        """Use the account's `url`, and a server that stands for it."""
        super().__init__(session, URL(url), TIMEOUTS)
        self._server = URL(server or url)

    async def _ask(self, path: str, purpose: Purpose) -> None:
        answer = await exchange(
            self._session, "POST", self._server / path, timeouts=self._timeouts
        )
        origin = Origin.OWN if answer.body == OWN else Origin.FOREIGN
        refuse_http_error(answer, origin, purpose)

    @override
    async def validate(self) -> None:
        await self._ask("validate", Purpose.QUESTION)

    @override
    async def _send(self, submission: Submission) -> SendResult:
        await self._ask("send", Purpose.SEND)
        accepted = Accepted(provider_id="1")
        return SendResult(outcomes=dict.fromkeys(submission.recipients, accepted))

    @override
    async def _reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        await self._ask("reports", Purpose.QUESTION)
        return []

    @override
    async def _lookup(self, reference: str, channel: Channel | None) -> Never:
        await self._ask("lookup", Purpose.QUESTION)
        raise OutcomeUnknownError("no_rows")

    @override
    async def _estimate(self, submission: Submission) -> Decimal:
        await self._ask("estimate", Purpose.QUESTION)
        return Decimal(1)


def paths(canned: Canned) -> list[str]:
    """Return the paths that were asked for."""
    return [seen.path for seen in canned.seen]


async def ask(client: Client, operation: str) -> None:
    """Ask a question."""
    match operation:
        case "reports":
            await client.reports([MessageRef("1", NUMBER)])
        case "lookup":
            await client.lookup("riferimento-1")
        case _:
            await client.estimate(submission())


async def failure_of(client: Client, operation: str) -> ProviderError:
    """Return what a question raises."""
    with pytest.raises(ProviderError) as failure:
        await ask(client, operation)
    return failure.value


CONFIRMATIONS: Mapping[str, tuple[int, bytes, ErrorKind]] = {
    "answered": (200, OWN, ErrorKind.UNAVAILABLE),
    "own_401": (401, OWN, ErrorKind.AUTH),
    "foreign_401": (401, b"<html>", ErrorKind.AUTH),
    "foreign_403": (403, b"<html>", ErrorKind.UNAVAILABLE),
    "own_403": (403, OWN, ErrorKind.UNAVAILABLE),
    "foreign_200": (200, b"<html>", ErrorKind.UNAVAILABLE),
    "own_500": (500, OWN, ErrorKind.UNAVAILABLE),
    "foreign_503": (503, b"", ErrorKind.UNAVAILABLE),
    "throttled": (429, b"", ErrorKind.UNAVAILABLE),
}
"""What the harmless question says, and what a foreign 401 then is."""

confirmations = pytest.mark.parametrize(
    ("status", "body", "kind"), CONFIRMATIONS.values(), ids=CONFIRMATIONS
)


@confirmations
async def test_a_foreign_401_to_a_send_is_about_the_account_if_validate_says_so(
    status: int,
    body: bytes,
    kind: ErrorKind,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(b"<html>", status=401)
    canned.answer(body, status=status)

    result = await Client(session, canned.url).send(submission(NUMBER, OTHER_NUMBER))

    refusal = NotSent(kind=kind, detail="http_401")
    assert result.outcomes == {NUMBER: refusal, OTHER_NUMBER: refusal}
    assert result.refusal == refusal
    assert result.doubt is None
    assert paths(canned) == ["/send", "/validate"]


@confirmations
@pytest.mark.parametrize("operation", ["reports", "lookup", "estimate"])
async def test_a_foreign_401_to_a_question_is_confirmed_in_the_same_way(  # noqa: PLR0913, PLR0917 - what a case is made of
    operation: str,
    status: int,
    body: bytes,
    kind: ErrorKind,
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(b"<html>", status=401)
    canned.answer(body, status=status)

    failure = await failure_of(Client(session, canned.url), operation)

    assert isinstance(failure, NotAcceptedError)
    assert (failure.kind, failure.cause) == (kind, None)
    assert paths(canned) == [f"/{operation}", "/validate"]


async def test_a_foreign_401_that_no_server_confirms_is_unavailable(
    canned: Canned, dead_url: str, session: aiohttp.ClientSession
) -> None:
    class Unreachable(Client):
        """Cannot ask the harmless question."""

        @override
        async def validate(self) -> None:
            self._server = URL(dead_url)
            await super().validate()

    canned.answer(b"<html>", status=401)

    outcome = only(await Unreachable(session, canned.url).send(submission()))

    assert outcome == NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_401")


@pytest.mark.parametrize("operation", ["reports", "lookup", "estimate"])
async def test_the_provider_s_own_401_needs_no_second_question(
    operation: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(OWN, status=401)

    outcome = only(await Client(session, canned.url).send(submission()))
    failure = await failure_of(Client(session, canned.url), operation)

    assert outcome == NotSent(kind=ErrorKind.AUTH, detail="http_401")
    assert isinstance(failure, NotAcceptedError)
    assert failure.kind is ErrorKind.AUTH
    assert paths(canned) == ["/send", f"/{operation}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_http_that_leads_every_question_elsewhere_is_not_the_provider(
    status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=status, headers=ELSEWHERE)

    result = await Client(session, canned.url).send(submission())

    assert result.refusal == NotSent(kind=ErrorKind.UNAVAILABLE, detail=REDIRECTED)
    assert only(result) == result.refusal
    assert result.doubt is None
    assert paths(canned) == ["/send", "/validate"]


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, OWN, {}),
        (200, b"<html>", {}),
        (302, b"", {"Location": "/login"}),
        (403, b"<html>", ELSEWHERE),
        (401, b"<html>", {}),
        (500, OWN, {}),
        (307, b"", {}),
    ],
    ids=range(7),
)
async def test_http_that_leads_only_a_send_elsewhere_leaves_a_doubt(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    canned: Canned,
    session: aiohttp.ClientSession,
) -> None:
    canned.answer(b"", status=302, headers=ELSEWHERE)
    canned.answer(body, status=status, headers=headers)

    result = await Client(session, canned.url).send(submission())

    assert result.doubt == Uncertain(detail=REDIRECTED)
    assert only(result) == result.doubt
    assert result.refusal is None
    assert paths(canned) == ["/send", "/validate"]


async def test_https_that_leads_elsewhere_leaves_a_doubt_without_a_question(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(b"", status=302, headers=ELSEWHERE)

    result = await Client(session, "https://api.example", canned.url).send(submission())

    assert result.doubt == Uncertain(detail=REDIRECTED)
    assert only(result) == result.doubt
    assert paths(canned) == ["/send"]


async def test_http_that_leads_to_https_took_nothing(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    location = f"{canned.url}/send".replace("http:", "https:")
    canned.answer(b"", status=301, headers={"Location": location})

    outcome = only(await Client(session, canned.url).send(submission()))

    assert outcome == NotSent(
        kind=ErrorKind.UNAVAILABLE, detail="http_301", cause=Cause.HTTPS_REQUIRED
    )
    assert paths(canned) == ["/send"]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/altrove", "{own}/altrove", "//{host}/altrove"])
async def test_nothing_is_ever_followed(
    status: int, location: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    host = canned.url.removeprefix("http://")
    where = location.format(own=canned.url, host=host)
    canned.answer(b"", status=status, headers={"Location": where})
    client = Client(session, canned.url)

    result = await client.send(submission())
    failure = await failure_of(client, "reports")

    assert result.doubt == Uncertain(detail=f"http_{status}")
    assert isinstance(failure, NotAcceptedError)
    assert failure.kind is ErrorKind.UNAVAILABLE
    assert paths(canned) == ["/send", "/reports"]


async def test_a_doubt_keeps_the_id_for_each_recipient(
    session: aiohttp.ClientSession,
) -> None:
    class Cut(Client):
        """Gets an answer that breaks off."""

        @override
        async def _send(self, submission: Submission) -> Never:
            raise OutcomeUnknownError("cut", provider_id="123")

    result = await Cut(session, "https://api.example").send(
        submission(NUMBER, OTHER_NUMBER)
    )

    doubt = Uncertain(detail="cut", provider_id="123")
    assert result.outcomes == {NUMBER: doubt, OTHER_NUMBER: doubt}
    assert result.doubt == doubt


async def test_a_refusal_for_another_reason_is_passed_on_as_it_is(
    session: aiohttp.ClientSession,
) -> None:
    refusal = NotAcceptedError(
        ErrorKind.CREDIT, "10", retry_after=7, cause=Cause.PUSH_SPENT
    )

    class Poor(Client):
        """Has no credit."""

        @override
        async def _send(self, submission: Submission) -> Never:
            raise refusal

    result = await Poor(session, "https://api.example").send(submission())

    assert only(result) == refusal.outcome == result.refusal
