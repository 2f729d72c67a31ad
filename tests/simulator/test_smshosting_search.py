"""The Smshosting side of the simulator: search."""

from datetime import timedelta

import pytest

from simulator import Simulator

from .caller import NUMBER, OTHER, Caller


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("queued", "PENDING"),
        ("sent", "SENT"),
        ("delivered", "DELIVERED"),
        ("failed", "NOTDELIVERED"),
        ("expired", "NOTDELIVERED"),
    ],
)
async def test_a_message_is_found_by_its_id(
    simulator: Simulator, caller: Caller, status: str, word: str
) -> None:
    """Dates that are not known yet are absent."""
    await caller.smsh(transactionId="uno")
    message_id = simulator.messages[0].id
    simulator.move(message_id, status)
    reply = await caller.smsh_get("sms/search", id=message_id)
    assert reply.object["metadata"] == {"count": 1, "offset": 0, "limit": 20}
    (row,) = reply.rows("smsList")
    assert (row["id"], row["to"], row["text"]) == (int(message_id), NUMBER, "Ciao")
    assert (row["from"], row["transactionId"], row["price"]) == ("Casa", "uno", 0.062)
    assert row["status"] == word
    assert ("sentDate" in row) is (status != "queued")
    assert ("deliveryDate" in row) is (status == "delivered")


async def test_several_ids_are_asked_at_once(
    simulator: Simulator, caller: Caller
) -> None:
    """An id that does not exist, or is another provider's, is left out."""
    await caller.smsh(to=f"{NUMBER},{OTHER}")
    await caller.trx()
    ids = [message.id for message in simulator.messages]
    reply = await caller.smsh_get("sms/search", id=",".join([*ids, "1"]))
    assert [row["id"] for row in reply.rows("smsList")] == [int(ids[0]), int(ids[1])]


async def test_every_filter_narrows(simulator: Simulator, caller: Caller) -> None:
    """Transaction id, number, status and dates."""
    await caller.smsh(to=f"{NUMBER},{OTHER}", transactionId="uno")
    simulator.advance(timedelta(hours=1))
    await caller.smsh(text="Due", transactionId="due")
    first, second, third = (message.id for message in simulator.messages)
    simulator.move(second, "delivered")
    later = simulator.messages[2].created
    date = f"{later - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S%z}"
    for query, expected in (
        ({"transactionId": "uno"}, [first, second]),
        ({"transactionId": "tre"}, []),
        ({"msisdn": NUMBER}, [first, third]),
        ({"msisdn": NUMBER, "transactionId": "uno"}, [first]),
        ({"status": "DELIVERED"}, [second]),
        ({"fromDate": date}, [third]),
        ({"status": "PENDING", "toDate": date}, [first]),
    ):
        reply = await caller.smsh_get("sms/search", **query)
        found = [str(row["id"]) for row in reply.rows("smsList")]
        assert found == expected, query


async def test_the_list_comes_in_pages(caller: Caller) -> None:
    """Twenty, if no limit is given."""
    numbers = ",".join(f"39340000{n:04d}" for n in range(25))
    await caller.smsh(to=numbers, transactionId="molti")
    first = await caller.smsh_get("sms/search", transactionId="molti")
    rest = await caller.smsh_get("sms/search", transactionId="molti", offset="20")
    assert [len(first.rows("smsList")), len(rest.rows("smsList"))] == [20, 5]
    assert rest.object["metadata"] == {"count": 25, "offset": 20, "limit": 20}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "NO_PARAMS"),
        ({"toDate": "2026-01-01T00:00:00+0100"}, "NO_PARAMS"),
        ({"id": "x"}, "BAD_ID"),
        ({"msisdn": "x"}, "BAD_MSISDN"),
        ({"status": "GONE"}, "BAD_STATUS"),
        ({"fromDate": "2026-01-01T00:00:00 0100"}, "BAD_DATE"),
        ({"id": "1", "limit": "x"}, "GENERIC_ERROR"),
    ],
)
async def test_a_bad_query_is_refused(
    caller: Caller, query: dict[str, str], code: str
) -> None:
    """With the documented code, where there is one."""
    reply = await caller.smsh_get("sms/search", **query)
    assert reply.object == {"errorCode": 400, "errorMsg": code}
