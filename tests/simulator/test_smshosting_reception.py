"""The Smshosting side of the simulator: SMS that come in."""

from datetime import timedelta

from simulator import Simulator

from .caller import NUMBER, OTHER, Caller, Json

KEY = "smshosting"
RECEPTION = "+393390000000"


async def test_an_account_receives_once_it_has_a_number(
    simulator: Simulator, caller: Caller
) -> None:
    """A shared one has a key."""
    assert (await caller.smsh_get("sms/received/sim/list")).items == []
    simulator.set_reception(KEY, RECEPTION, key="CASA")
    (row,) = (await caller.smsh_get("sms/received/sim/list")).items
    assert isinstance(row, dict)
    assert (row["sim"], row["key"]) == (RECEPTION[1:], "CASA")


async def test_what_came_in_is_listed_newest_first_by_page_and_filter(
    simulator: Simulator, caller: Caller
) -> None:
    for text in ("Uno", "Due", "Tre"):
        simulator.write(KEY, f"+{NUMBER}", text)
        simulator.advance(timedelta(hours=1))
    simulator.write(KEY, f"+{OTHER}", "Altro")
    simulator.write("transactionale", f"+{NUMBER}", "Non qui")

    page = await caller.smsh_get(
        "sms/received/search", **{"from": NUMBER, "limit": "2", "offset": "1"}
    )

    assert page.object["metadata"] == {"count": 3, "offset": 1, "limit": 2}
    rows = page.rows("smsList")
    assert [row["text"] for row in rows] == ["Due", "Uno"]
    assert rows[0]["from"] == f"+{NUMBER}"
    since = str(rows[0]["receiveDate"])
    found = await caller.smsh_get("sms/received/search", fromDate=since)
    assert [row["text"] for row in found.rows("smsList")] == ["Altro", "Tre", "Due"]
    until = await caller.smsh_get("sms/received/search", toDate=since)
    assert [row["text"] for row in until.rows("smsList")] == ["Due", "Uno"]


async def test_a_search_without_a_filter_is_refused(caller: Caller) -> None:
    reply = await caller.smsh_get("sms/received/search", limit="5")
    assert (reply.status, reply.object["errorMsg"]) == (400, "NO_PARAMS")


async def test_a_phone_answers_through_the_control_api(
    simulator: Simulator, caller: Caller
) -> None:
    """As it does from the page."""
    control = f"{simulator.address}/control"
    calls: dict[str, dict[str, Json]] = {
        "reception": {"provider": KEY, "number": RECEPTION},
        "write": {"provider": KEY, "number": f"+{NUMBER}", "text": "ok"},
    }
    for name, body in calls.items():
        reply = await caller.ask("POST", f"{control}/{name}", json=body)
        assert reply.object == {"ok": True}
    found = await caller.smsh_get("sms/received/search", **{"from": NUMBER})
    assert [row["text"] for row in found.rows("smsList")] == ["ok"]
