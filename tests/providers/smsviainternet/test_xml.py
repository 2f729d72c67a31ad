"""SMSviaInternet behind a proxy that speaks XML."""

from decimal import Decimal

import aiohttp
import pytest

from custom_components.sms_italia.providers.model import (
    Accepted,
    Credit,
    ErrorKind,
    MessageRef,
    Mode,
    NotSent,
    Outcome,
    Report,
    Status,
    Uncertain,
)
from simulator import Simulator, Toggle

from ..canned import Canned
from ..helpers import (
    BAD_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    client_at,
    client_of,
    only,
    refs_of,
    submission,
)

KEY = "smsviainternet"
XML = {"Content-Type": "text/xml; charset=utf-8"}
PAGE_EXAMPLE = b"""<response>
<queue_id>15066117504253693</queue_id>
<async>0</async>
<credit>8015</credit>
<sending_sms_count>2</sending_sms_count>
<sending_contacts_count>2</sending_contacts_count>
<sending_cost>200</sending_cost>
</response>"""


def many(count: int) -> list[str]:
    """Return so many good numbers."""
    return [f"+393400{number:06}" for number in range(count)]


async def test_the_page_s_own_xml_gives_the_values_of_its_json(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(PAGE_EXAMPLE, headers=XML)

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    accepted = Accepted(provider_id="15066117504253693", parts=1, cost=Decimal("0.1"))
    assert result.outcomes == {NUMBER: accepted, OTHER_NUMBER: accepted}
    assert result.credit == Decimal("8.015")


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/xml"])
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\xef\xbb\xbf",
        b"\r\n <?xml version='1.0' encoding='UTF-8'?>\n",
        b"<br />\n<b>Warning</b>: Undefined array key <b>[0]</b>\n",
        b"Warning: Undefined array key in /x.php\n",
    ],
)
async def test_xml_is_read_whatever_stands_before_it_and_whatever_it_is_called(
    kind: str, before: bytes, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(
        before + PAGE_EXAMPLE + b"\n<!-- 12 ms -->\n", headers={"Content-Type": kind}
    )

    result = await client_at(KEY, session, canned.url).send(
        submission(NUMBER, OTHER_NUMBER)
    )

    accepted = Accepted(provider_id="15066117504253693", parts=1, cost=Decimal("0.1"))
    assert result.outcomes == {NUMBER: accepted, OTHER_NUMBER: accepted}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"<response><queue_id>7</queue_id><async>1</async></response>",
            Accepted(provider_id="7"),
        ),
        (
            b"<response><queue_id>7</queue_id><error>10</error></response>",
            Uncertain(detail="contacts_not_told", provider_id="7"),
        ),
        (
            b"<response><queue_id/><error>10</error><credit>0</credit></response>",
            NotSent(kind=ErrorKind.CREDIT, detail="10"),
        ),
        (
            b"<response><queue_id/><error>0</error></response>",
            Uncertain(detail="no_queue_id"),
        ),
        (
            b"<response><queue_id>0</queue_id><credit>1</credit></response>",
            Uncertain(detail="no_queue_id"),
        ),
        # Cut off, and not well formed.
        (
            b"<response>\n<queue_id> 7 </queue_id>\n<credit>80",
            Uncertain(detail="foreign_answer", provider_id="7"),
        ),
        (
            b"<response><queue_id>7</queue_id><br></response>",
            Uncertain(detail="foreign_answer", provider_id="7"),
        ),
        (b"<response><queue_id>15066", Uncertain(detail="foreign_answer")),
        (b"<response></response>", Uncertain(detail="foreign_answer")),
        (b"<html><body>OK</body></html>", Uncertain(detail="foreign_answer")),
        # In a page, even the whole answer is not the provider's.
        (
            b"<html><body>" + PAGE_EXAMPLE + b"</body></html>",
            Uncertain(detail="foreign_answer", provider_id="15066117504253693"),
        ),
        (
            b"<html><response><error>10</error></response></html>",
            Uncertain(detail="foreign_answer"),
        ),
    ],
)
async def test_xml_proves_what_json_does(
    body: bytes, expected: Outcome, canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer(body, headers=XML)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == expected


async def test_a_proxy_that_speaks_only_xml_is_understood_in_all(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.XML_ANSWERS)
    simulator.switch_on(KEY, Toggle.WALLETS)
    client = client_of(simulator, KEY, session)

    await client.validate()
    credit = await client.check()
    result = await client.send(submission(NUMBER, BAD_NUMBER, OTHER_NUMBER))
    batch = await client.send(submission(mode=Mode.TEST))
    simulator.move(simulator.messages[0].id, "failed")
    reports = await client.reports(refs_of(result))

    assert credit == Credit(balance=Decimal(50))
    shipment = simulator.messages[0].reference
    accepted = Accepted(provider_id=shipment, parts=1, cost=Decimal("0.05"))
    assert result.outcomes == {
        NUMBER: accepted,
        BAD_NUMBER: NotSent(kind=ErrorKind.RECIPIENT, detail="dropped"),
        OTHER_NUMBER: accepted,
    }
    assert result.credit == Decimal("49.9")
    assert isinstance(only(batch), Accepted)
    assert reports == [
        Report(
            ref=MessageRef(shipment, NUMBER),
            status=Status.FAILED,
            detail="997",
        ),
        Report(ref=MessageRef(shipment, OTHER_NUMBER), status=Status.SENT),
    ]


async def test_an_asynchronous_shipment_is_known_in_xml_too(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.XML_ANSWERS)
    simulator.set_credit(KEY, 1000)

    result = await client_of(simulator, KEY, session).send(submission(*many(501)))

    assert len(refs_of(result)) == 501


async def test_an_error_number_is_read_out_of_xml_too(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.switch_on(KEY, Toggle.XML_ANSWERS)
    simulator.set_credit(KEY, 0)

    outcome = only(await client_of(simulator, KEY, session).send(submission()))

    assert outcome == NotSent(kind=ErrorKind.CREDIT, detail="10")


@pytest.mark.parametrize("status", [400, 403, 404, 429, 503])
@pytest.mark.parametrize(
    "before", ["", '<?xml version="1.0"?>', "<br />\n<b>Warning</b>: x in <b>y</b>\n"]
)
@pytest.mark.parametrize("after", ["", "<cred", "</response", "</response></html>"])
async def test_broken_xml_with_an_id_is_a_doubt_with_it(
    before: str, after: str, status: int, canned: Canned, session: aiohttp.ClientSession
) -> None:
    """As the same answer whole: its own tags make no web page of it."""
    body = f"{before}<response><queue_id>7</queue_id>{after}"
    canned.answer(body.encode(), status=status)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert isinstance(outcome, Uncertain)
    assert outcome.provider_id == "7"


@pytest.mark.parametrize("before", ["<html><body>", "<!doctype html>", "<div>"])
async def test_xml_within_a_page_shows_no_id(
    before: str, canned: Canned, session: aiohttp.ClientSession
) -> None:
    body = f"{before}<response><queue_id>7</queue_id>"
    canned.answer(body.encode(), status=403)

    outcome = only(await client_at(KEY, session, canned.url).send(submission()))

    assert outcome == NotSent(kind=ErrorKind.UNAVAILABLE, detail="http_403")
