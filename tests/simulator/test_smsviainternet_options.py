"""The SMSviaInternet side of the simulator: later, in a batch, in XML, worked on."""

from datetime import UTC, datetime

import pytest

from simulator import Simulator
from simulator.providers.smsviainternet.values import moment_of

from .caller import NUMBER, OTHER, Caller, Json, Reply

KEY = "smsviainternet"


async def batch(caller: Caller, **fields: Json) -> Reply:
    """Send two personal texts."""
    return await caller.ask(
        "POST",
        f"{caller.simulator.url(KEY)}/api/rest/v1/sms-batch.json",
        headers=caller.login(KEY),
        json={
            "text_template": "{{text}}",
            "destinations": [
                {"number": f"+{NUMBER}", "placeholders": {"text": "È tardi"}},
                {"number": f"+{OTHER}", "placeholders": {"text": "a" * 161}},
            ],
            **fields,
        },
    )


@pytest.mark.parametrize(
    ("send_at", "moment"),
    [
        ("2035-12-31 13:45:00", datetime(2035, 12, 31, 12, 45, tzinfo=UTC)),
        ("2035-07-01T22:35:17.02", datetime(2035, 7, 1, 20, 35, 17, 20_000, UTC)),
        ("2035-07-01T22:35:17+02:00", datetime(2035, 7, 1, 20, 35, 17, tzinfo=UTC)),
        ("first tuesday july 2035", datetime(2035, 7, 2, 22, tzinfo=UTC)),
        ("last wed of april 2035", datetime(2035, 4, 24, 22, tzinfo=UTC)),
        ("now", None),
        ("", None),
        # The page's own examples, long past: at once.
        ("2015-12-31 13:45:00", None),
        ("2016-07-01T22:35:17.02", None),
        ("first tuesday july 2017", None),
        ("last wed of april 2015", None),
    ],
)
async def test_a_send_can_be_scheduled(
    simulator: Simulator, caller: Caller, send_at: str, moment: datetime | None
) -> None:
    """In the formats of the page; without an offset it is the time of Rome."""
    await caller.svi(send_at=send_at)
    assert [message.scheduled for message in simulator.messages] == [moment]
    assert [message.status for message in simulator.messages] == ["queued"]


@pytest.mark.parametrize(
    ("send_at", "moment"),
    [
        ("tomorrow", datetime(2026, 10, 24, 22, tzinfo=UTC)),
        ("+2 hours", datetime(2026, 10, 24, 23, 59, tzinfo=UTC)),
        ("next week", datetime(2026, 10, 31, 21, 59, tzinfo=UTC)),
        ("+90 min", datetime(2026, 10, 24, 23, 29, tzinfo=UTC)),
    ],
)
def test_a_moment_in_words_counts_from_now(send_at: str, moment: datetime) -> None:
    """In Rome, a minute before midnight."""
    assert moment_of(send_at, datetime(2026, 10, 24, 21, 59, tzinfo=UTC)) == moment


@pytest.mark.parametrize(
    "send_at", ["tomorrow", "+2 hours", "next week", "Last Wed of April 2035"]
)
async def test_the_words_of_the_page_schedule_a_send(
    simulator: Simulator, caller: Caller, send_at: str
) -> None:
    """It waits at the provider."""
    assert (await caller.svi(send_at=send_at)).status == 200
    (message,) = simulator.messages
    assert message.scheduled is not None
    assert message.scheduled > datetime.now(UTC)


@pytest.mark.parametrize(
    "send_at",
    [
        "someday",
        "2035-13-01 00:00:00",
        "fifth tuesday july 2035",
        "last wed july 0000",
        "last fri dec 9999",
    ],
)
async def test_a_bad_moment_is_refused(
    simulator: Simulator, caller: Caller, send_at: str
) -> None:
    """With the number of the older API."""
    reply = await caller.svi(send_at=send_at)
    assert (reply.status, reply.object) == (400, {"error": 12})
    assert not simulator.messages


async def test_a_batch_leaves_out_what_its_options_exclude(
    simulator: Simulator, caller: Caller
) -> None:
    """Too many parts, or characters beyond GSM-7."""
    reply = await batch(caller, max_sms_length=1)
    assert reply.object["sending_contacts_count"] == 1
    await batch(caller, utf8_enabled=False)
    assert [message.to for message in simulator.messages] == [f"+{NUMBER}", f"+{OTHER}"]


async def test_a_batch_whose_longest_text_is_no_number_is_refused(
    simulator: Simulator, caller: Caller
) -> None:
    """In the form of every refusal."""
    reply = await batch(caller, max_sms_length="due")
    assert (reply.status, reply.object) == (400, {"error": 999})
    assert not simulator.messages


async def test_an_asynchronous_send_can_be_carried_out_later(
    simulator: Simulator, caller: Caller
) -> None:
    """What cannot be paid by then is not sent, and no answer says so."""
    simulator.switch_on(KEY, "slow_processing")
    await caller.svi(**{"async": True})
    counts = [len(simulator.messages)]
    simulator.process()
    counts.append(len(simulator.messages))
    assert counts == [0, 1]
    await caller.svi()
    assert len(simulator.messages) == 2
    simulator.set_credit(KEY, 0)
    reply = await caller.svi(**{"async": True})
    assert reply.status == 200
    assert (await caller.control("process")).status == 200
    assert len(simulator.messages) == 2


@pytest.mark.parametrize("way", ["extension", "toggle"])
async def test_answers_come_in_xml(
    simulator: Simulator, caller: Caller, way: str
) -> None:
    """As on the page; with the extension, or behind a proxy that knows nothing else."""
    if way == "toggle":
        simulator.switch_on(KEY, "xml_answers")
    extension = "xml" if way == "extension" else "json"
    reply = await caller.ask(
        "POST",
        f"{simulator.url(KEY)}/api/rest/v1/sms.{extension}",
        headers=caller.login(KEY),
        json={"text": "Ciao", "numbers": f"+{NUMBER},+{OTHER}"},
    )
    queue_id = simulator.messages[0].reference
    assert reply.headers["Content-Type"] == "application/xml"
    assert reply.text == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f"<response><queue_id>{queue_id}</queue_id><async>0</async>"
        "<credit>49900</credit><sending_sms_count>2</sending_sms_count>"
        "<sending_contacts_count>2</sending_contacts_count>"
        "<sending_cost>100</sending_cost></response>"
    )


async def test_rows_and_errors_come_in_xml_too(
    simulator: Simulator, caller: Caller
) -> None:
    """A null is an empty element, and each row one of its own."""
    await caller.svi(sender="A&B")
    queue_id = simulator.messages[0].reference
    reply = await caller.svi_get("sms/delivery.xml", queue_id=queue_id)
    assert "<deliveries><delivery><user_id>70421</user_id>" in reply.text
    assert "<sender>A&amp;B</sender>" in reply.text
    assert "<delivery_status></delivery_status>" in reply.text
    reply = await caller.svi_get("sms/delivery.xml")
    assert reply.status == 400
    assert "<response><error>100</error></response>" in reply.text


async def test_the_wallet_is_that_of_the_user_who_is_named(
    simulator: Simulator, caller: Caller
) -> None:
    """Another user has no wallet here."""
    simulator.switch_on(KEY, "wallets")
    assert len((await caller.svi_get("users/wallets.json")).rows("wallets")) == 1
    reply = await caller.svi_get("users/wallets.json", users="altro")
    assert reply.rows("wallets") == []
