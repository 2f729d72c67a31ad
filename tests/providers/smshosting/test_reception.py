"""SMS that came in at Smshosting: what is asked, and what is read of the answer."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from custom_components.sms_italia.providers.decoding import Json
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
)
from custom_components.sms_italia.providers.model import ErrorKind, Incoming
from simulator import Simulator

from ..canned import Canned
from ..helpers import NUMBER, OTHER_NUMBER, client_at, client_of

KEY = "smshosting"
SINCE = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
ROW: dict[str, Json] = {
    "from": NUMBER,
    "text": "ok",
    "receiveDate": "2026-11-28T10:31:00+0100",
    "simId": 71,
}


async def found(
    canned: Canned, session: aiohttp.ClientSession, *pages: Json
) -> list[Incoming]:
    """Return what is read of prepared pages, of an account with its own number."""
    canned.answer([{"id": "71", "sim": "393390000000"}])
    for page in pages:
        canned.answer(page)
    return list(await client_at(KEY, session, canned.url).received(SINCE))


def page(*rows: Json, count: int | None = None) -> dict[str, Json]:
    """Return a page of a search."""
    total = len(rows) if count is None else count
    return {"metadata": {"count": total}, "smsList": list(rows)}


async def test_all_that_came_in_since_a_moment_is_read(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    """Over several pages, each SMS once."""
    for index in range(250):
        simulator.write(KEY, NUMBER, f"Testo {index}")
    since = datetime.now(UTC) - timedelta(hours=1)

    read = await client_of(simulator, KEY, session).received(since)

    assert len({one.key for one in read}) == len(read) == 250
    assert {one.number for one in read} == {NUMBER}
    assert {one.text for one in read} == {f"Testo {index}" for index in range(250)}
    asked = simulator.requests[-3].fields
    assert asked == {"fromDate": f"{since:%Y-%m-%dT%H:%M:%S+0000}", "limit": "100"}


async def test_a_row_is_told_apart_by_line_sender_time_and_text(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    """Two that are the same in all of them share their key, which shows neither."""
    others: list[Json] = [
        {**ROW, "simId": 72},
        {**ROW, "from": OTHER_NUMBER},
        {**ROW, "receiveDate": "2026-11-28T10:31:01+0100"},
        {**ROW, "text": "OK"},
    ]
    read = await found(canned, session, page(ROW, ROW, *others))
    assert read[0] == read[1]
    assert len({one.key for one in read}) == len(others) + 1
    assert read[0].at == datetime(2026, 11, 28, 9, 31, tzinfo=UTC)
    assert NUMBER not in repr(read[0])
    assert "ok" not in repr(read[0])


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("+393401234567", NUMBER),
        ("393401234567", NUMBER),
        pytest.param(393401234567, NUMBER, id="integer"),
        ("Casa", None),
        ("INFO190", None),
        (None, None),
    ],
)
async def test_a_sender_that_is_a_name_is_no_number(
    canned: Canned,
    session: aiohttp.ClientSession,
    sender: Json,
    number: str | None,
) -> None:
    (read,) = await found(canned, session, page({**ROW, "from": sender}))
    assert read.number == number


@pytest.mark.parametrize("date", [None, "2026-11-28T10:31:00", "ieri", 5])
async def test_a_time_that_cannot_be_placed_is_left_open(
    canned: Canned, session: aiohttp.ClientSession, date: Json
) -> None:
    (read,) = await found(canned, session, page({**ROW, "receiveDate": date}))
    assert read.at is None


@pytest.mark.parametrize(
    ("text", "read"),
    [("CASA ok", "ok"), ("casa  ok ", "ok"), ("ok", "ok"), ("casale ok", "casale ok")],
)
async def test_the_key_of_a_shared_number_is_no_part_of_the_text(
    simulator: Simulator, session: aiohttp.ClientSession, text: str, read: str
) -> None:
    """Whether or not the provider takes it off."""
    simulator.set_reception(KEY, "+393390000000", key="CASA")
    simulator.write(KEY, NUMBER, text)
    client = client_of(simulator, KEY, session)
    (one,) = await client.received(datetime.now(UTC) - timedelta(hours=1))
    assert one.text == read


@pytest.mark.parametrize(
    "pages",
    [
        [page(ROW, count=2), page(count=2)],
        [page(ROW, count=2), page(ROW, count=3)],
        [{"smsList": [ROW]}, {"smsList": [ROW]}],
        [{"metadata": {"count": 1}}],
        [{"smsList": "many"}],
    ],
)
async def test_a_list_that_is_not_whole_is_none(
    canned: Canned, session: aiohttp.ClientSession, pages: list[Json]
) -> None:
    """A row that moved to the next page meanwhile would count as a second one."""
    with pytest.raises(OutcomeUnknownError):
        await found(canned, session, *pages)


async def test_without_a_count_the_only_page_is_whole_if_nothing_follows(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    read = await found(canned, session, {"smsList": [ROW]}, {"smsList": []})
    assert len(read) == 1


async def test_an_account_that_may_not_list_its_numbers_searches_all_the_same(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer({"errorMsg": "BAD_REQUEST", "errorCode": 400}, status=400)
    canned.answer(page(ROW))
    (read,) = await client_at(KEY, session, canned.url).received(SINCE)
    assert read.text == "ok"


async def test_wrong_credentials_are_a_refusal(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    client = client_of(simulator, KEY, session)
    simulator.set_credentials(KEY, auth_secret="changed")
    with pytest.raises(NotAcceptedError) as refusal:
        await client.received(SINCE)
    assert refusal.value.kind is ErrorKind.AUTH


async def test_the_keys_of_shared_numbers_are_asked_for_once_an_hour(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    canned.answer([{"id": "71", "sim": "393390000000", "key": "CASA"}])
    canned.answer(page({**ROW, "text": "casa ok"}))
    client = client_at(KEY, session, canned.url)

    texts = [one.text for _ in range(3) for one in await client.received(SINCE)]

    assert texts == ["ok"] * 3
    asked = [seen.path.rpartition("/")[2] for seen in canned.seen]
    assert asked == ["list", "search", "search", "search"]


async def test_without_the_keys_of_shared_numbers_nothing_is_read(
    canned: Canned, session: aiohttp.ClientSession
) -> None:
    """A text with a key before it would be taken for another one."""
    canned.answer(b"", status=500)
    client = client_at(KEY, session, canned.url)

    for _ in range(2):
        with pytest.raises(NotAcceptedError):
            await client.received(SINCE)

    assert len(canned.seen) == 2
