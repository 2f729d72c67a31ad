"""The actions `find_messages`, `cancel` and `resend`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest

from custom_components.sms_italia.const import CONF_FALLBACK, DOMAIN
from custom_components.sms_italia.messaging import LedgerUnreadableError
from simulator import Fault, Simulator

from ..accounts import Accounts, arrived, until
from ..states import call

ANNA = "+393331234567"
BRUNO = "+393409876543"

LATER = "2035-07-01 08:00:00+00:00"


async def send(hass: HomeAssistant, message: str, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Send to Anna by default; return the one message of the response."""
    answer = await call(
        hass, "send_sms", message=message, **{"numbers": [ANNA], **data}
    )
    (sent,) = answer["messages"]
    return dict(sent)


def texts(answer: Mapping[str, Any]) -> list[str]:
    """Return the texts of the messages that were found."""
    return [message["message"] for message in answer["messages"]]


# Finding


async def test_a_message_is_found_with_all_that_is_known_of_it(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """What the answer to the send had, its text and its times in the local zone."""
    await hass.config.async_set_time_zone("Europe/Rome")
    await accounts.set_up("smsviainternet")
    before = dt_util.now() - timedelta(seconds=1)
    sent = await send(hass, "Allarme in cucina")

    answer = await call(hass, "find_messages")

    (found,) = answer["messages"]
    assert answer["total"] == 1
    created, updated = (
        dt_util.parse_datetime(found.pop(key)) for key in ("created", "updated")
    )
    assert created is not None
    assert updated is not None
    assert before < created <= updated <= dt_util.now()
    assert created.utcoffset() == dt_util.now().utcoffset()
    assert found == {**sent, "message": "Allarme in cucina"}


@pytest.fixture
async def history(hass: HomeAssistant, accounts: Accounts, simulator: Simulator) -> str:
    """Leave four messages of two accounts behind; return the id of the second one."""
    await accounts.set_up("smshosting")
    second = await accounts.set_up("inviosmart")
    named = {"config_entry_id": second.entry_id}
    first = hass.config_entries.async_entries(DOMAIN)[0].entry_id
    await send(hass, "Perdita d'acqua", config_entry_id=first)
    await send(hass, "FUMO in cucina", numbers=[BRUNO], config_entry_id=first)
    await send(hass, "Batteria al 50% del robot_1", **named)
    simulator.account("inviosmart").blocked.add(BRUNO)
    with pytest.raises(HomeAssistantError):
        await send(hass, "Fumo finito", numbers=[BRUNO], **named)
    return str(second.entry_id)


ALL = [
    "Fumo finito",
    "Batteria al 50% del robot_1",
    "FUMO in cucina",
    "Perdita d'acqua",
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ALL),
        ({"limit": 2}, ALL[:2]),
        ({"limit": 2, "offset": 1}, ALL[1:3]),
        ({"offset": 9}, []),
        ({"status": "failed"}, ["Fumo finito"]),
        ({"status": "queued"}, ALL[1:]),
        ({"text": "fumo"}, ["Fumo finito", "FUMO in cucina"]),
        ({"text": "%"}, ["Batteria al 50% del robot_1"]),
        ({"text": "t_1"}, ["Batteria al 50% del robot_1"]),
        ({"number": "340 987 6543"}, ["Fumo finito", "FUMO in cucina"]),
        ({"number": "0039 340 9876543"}, ["Fumo finito", "FUMO in cucina"]),
        ({"number": "+39 333 1234567", "text": "acqua"}, ["Perdita d'acqua"]),
        ({"number": "", "text": ""}, ALL),
        ({"since": "2035-01-01 00:00:00"}, []),
        ({"until": "2020-01-01 00:00:00"}, []),
        ({"since": "2020-01-01 00:00:00", "until": "2035-01-01 00:00:00"}, ALL),
    ],
)
@pytest.mark.usefixtures("history")
async def test_what_is_asked_for_narrows_the_search(
    hass: HomeAssistant, query: dict[str, object], found: list[str]
) -> None:
    """Newest first; the total counts what a page leaves out."""
    answer = await call(hass, "find_messages", **query)

    assert texts(answer) == found
    paged = query.keys() & {"limit", "offset"}
    assert answer["total"] == (len(ALL) if paged else len(found))


async def test_the_messages_of_one_account_can_be_found(
    hass: HomeAssistant, history: str
) -> None:
    """It is the one that was asked to send them."""
    answer = await call(hass, "find_messages", config_entry_id=history)

    assert texts(answer) == ALL[:2]


@pytest.mark.parametrize("name", ["Anna", " anna "])
async def test_the_messages_to_a_recipient_can_be_found_by_its_name(
    hass: HomeAssistant, accounts: Accounts, name: str
) -> None:
    """In all accounts that have one, whatever its numbers are; answers name it."""
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA, BRUNO]})
    second = await accounts.set_up("inviosmart", recipients={"Anna": [BRUNO]})
    named = {"config_entry_id": first.entry_id}
    await call(hass, "send_sms", message="Uno", numbers=["Anna"], **named)
    await send(hass, "Due", numbers=["Anna"], config_entry_id=second.entry_id)
    free = await send(hass, "Tre", numbers=["+393471112223"], **named)

    found = await call(hass, "find_messages", recipient=name)
    of_one = await call(hass, "find_messages", recipient=name, **named)

    assert texts(found) == ["Due", "Uno", "Uno"]
    assert [one["recipient"] for one in found["messages"]] == ["Anna"] * 3
    assert texts(of_one) == ["Uno", "Uno"]
    assert free["recipient"] is None


@pytest.mark.usefixtures("history")
async def test_a_search_for_a_recipient_that_no_account_has_is_refused(
    hass: HomeAssistant,
) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "find_messages", recipient="Carla")
    assert refused.value.translation_key == "unknown_recipient"
    everything = await call(hass, "find_messages", recipient="")
    assert texts(everything) == ALL


async def test_a_message_sent_by_a_fallback_belongs_to_the_account_that_was_asked(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """And names the one that sent it."""
    second = await accounts.set_up("inviosmart")
    first = await accounts.set_up(
        "smshosting", options={CONF_FALLBACK: [second.entry_id]}
    )
    simulator.set_credit("smshosting", 0)
    await send(hass, "Ciao", config_entry_id=first.entry_id)

    asked = await call(hass, "find_messages", config_entry_id=first.entry_id)
    other = await call(hass, "find_messages", config_entry_id=second.entry_id)

    assert [one["account"] for one in asked["messages"]] == ["Inviosmart"]
    assert other == {"messages": [], "total": 0}


async def test_a_message_in_doubt_has_no_id_of_the_provider(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """What the provider may have said is not reliable."""
    await accounts.set_up("transactionale")
    simulator.inject("transactionale", Fault.CUT_AFTER_ACCEPT, operation="send")
    with pytest.raises(HomeAssistantError):
        await send(hass, "Ciao")

    answer = await call(hass, "find_messages", status="uncertain")

    assert [(one["provider_id"], one["type"]) for one in answer["messages"]] == [
        (None, None)
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 501},
        {"offset": -1},
        {"offset": 1_000_001},
        {"offset": 10**30},
        {"offset": float("inf")},
        {"limit": float("nan")},
        {"status": "persa"},
        {"since": "ieri"},
        {"colour": "blue"},
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(
    hass: HomeAssistant, accounts: Accounts, query: dict[str, object]
) -> None:
    """By its schema."""
    await accounts.set_up("smshosting")

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "find_messages", **query)
    assert (caught.value.translation_placeholders or {})["field"] in query


async def test_there_is_nothing_behind_the_end(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting")
    await send(hass, "Uno")
    answer = await call(hass, "find_messages", offset=1_000_000)
    assert (answer["messages"], answer["total"]) == ([], 1)


async def test_an_invalid_number_is_named_masked(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Finding nothing would hide the mistake, and a log is no place for a number."""
    await accounts.set_up("smshosting")

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "find_messages", number="333 12345678901")

    assert caught.value.translation_key == "not_a_number"
    assert caught.value.translation_placeholders == {"number": "***901"}


async def test_without_a_loaded_account_nothing_can_be_found_or_stopped(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The history is closed then; an unknown account is named."""
    assert await async_setup_component(hass, DOMAIN, {})
    for action, data in (
        ("find_messages", {}),
        ("cancel", {"message_id": "0" * 16}),
        ("resend", {"message_id": "0" * 16}),
    ):
        with pytest.raises(HomeAssistantError) as caught:
            await call(hass, action, **data)
        assert caught.value.translation_key == "account_not_loaded"

    await accounts.set_up("smshosting")
    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "find_messages", config_entry_id="nothing")
    assert refused.value.translation_key == "unknown_account"


async def test_a_text_with_half_a_sign_is_found(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """It was sent with U+FFFD in its place, and is looked for so."""
    await accounts.set_up("smshosting")
    await send(hass, "Rotto \ud83d qui", encoding="unicode")
    await send(hass, "Intero")
    answer = await call(hass, "find_messages", text="rotto \ud83d")
    assert texts(answer) == ["Rotto � qui"]


# Stopping


async def test_a_message_that_we_hold_is_stopped(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Its status is failed; the event says that it was cancelled."""
    await accounts.set_up("inviosmart")
    sent = await send(hass, "Domani", send_at=LATER)

    answer = await call(hass, "cancel", message_id=sent["id"].upper())

    found = await call(hass, "find_messages")
    assert found["messages"] == [answer]
    assert (answer["id"], answer["message"]) == (sent["id"], "Domani")
    assert (answer["status"], answer["error"]) == ("failed", "cancelled")
    event = hass.states.get("event.inviosmart_delivery")
    assert event is not None
    assert event.attributes["event_type"] == "cancelled"
    assert event.attributes["error"] == "cancelled"
    assert len(simulator.messages) == 0


async def test_a_message_that_its_provider_holds_is_stopped_there(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """No answer is needed."""
    await accounts.set_up("smshosting")
    sent = await send(hass, "Domani", send_at=LATER)
    assert sent["provider_id"] == simulator.messages[0].provider_id
    # The request of the credit that follows must not come between.
    await hass.async_block_till_done(wait_background_tasks=True)

    await hass.services.async_call(
        DOMAIN, "cancel", {"message_id": sent["id"]}, blocking=True
    )

    request = simulator.requests[-1]
    assert (request.method, request.path) == ("POST", "/rest/api/sms/cancel")
    assert request.fields == {"id": sent["provider_id"]}
    found = await call(hass, "find_messages")
    assert [(one["status"], one["error"]) for one in found["messages"]] == [
        ("failed", "cancelled")
    ]


@pytest.mark.parametrize(
    ("key", "reason"),
    [("smsviainternet", "cannot_cancel"), ("smshosting", "too_late_to_cancel")],
)
@pytest.mark.usefixtures("quick")
async def test_a_message_that_cannot_be_stopped_says_why(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    key: str,
    reason: str,
) -> None:
    """Its provider knows no such thing, or it has arrived already."""
    await accounts.set_up(key, title="Sms")
    sent = await send(hass, "Adesso")
    if reason == "too_late_to_cancel":
        simulator.move(simulator.messages[0].id, "delivered")
        event = "event.sms_delivery"
        await until(lambda: str(getattr(hass.states.get(event), "state", "")) > "2")

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "cancel", message_id=sent["id"])

    assert caught.value.translation_key == reason


async def test_a_provider_that_does_not_answer_is_named(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is not known then whether it was cancelled."""
    await accounts.set_up("smshosting", title="Casa mia")
    sent = await send(hass, "Domani", send_at=LATER)
    # The request of the credit that follows must not meet the fault.
    await hass.async_block_till_done(wait_background_tasks=True)
    simulator.inject("smshosting", Fault.HTML)

    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "cancel", message_id=sent["id"])

    assert caught.value.translation_key == "provider_unclear"
    placeholders = caught.value.translation_placeholders or {}
    assert placeholders["account"] == "Casa mia"


@pytest.mark.parametrize(
    "message_id", ["0" * 16, "7fffffffffffffff", "ffffffffffffffff", "12", "", "perso"]
)
async def test_a_message_that_is_not_known_is_named(
    hass: HomeAssistant, accounts: Accounts, message_id: str
) -> None:
    """Whether the id is well formed or not."""
    await accounts.set_up("smshosting")

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "cancel", message_id=message_id)

    assert caught.value.translation_key == "unknown_message"
    assert caught.value.translation_placeholders == {"message_id": message_id}


# Sending again


async def test_a_message_that_failed_is_sent_again_as_a_new_one(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The old one stays as it is, and is on the list of undelivered ones no more."""
    account = await accounts.set_up("inviosmart")
    simulator.account("inviosmart").blocked.add(ANNA)
    with pytest.raises(HomeAssistantError):
        await send(hass, "Allarme")
    (old,) = (await call(hass, "find_messages"))["messages"]
    simulator.account("inviosmart").blocked.clear()

    (again,) = (await call(hass, "resend", message_id=old["id"]))["messages"]

    assert again["id"] != old["id"]
    assert (again["message"], again["to"]) == ("Allarme", ANNA)
    assert arrived(simulator) == [(ANNA, "Allarme")]
    found = await call(hass, "find_messages", status="failed")
    assert [one["id"] for one in found["messages"]] == [old["id"]]
    undelivered = account.runtime_data.messenger.undelivered
    assert (await undelivered.of(account.entry_id)).total == 0


async def test_a_message_that_is_not_accepted_again_is_an_error(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """With the reason of the new attempt."""
    await accounts.set_up("inviosmart")
    simulator.account("inviosmart").blocked.add(ANNA)
    with pytest.raises(HomeAssistantError):
        await send(hass, "Allarme")
    (old,) = (await call(hass, "find_messages"))["messages"]

    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "resend", message_id=old["id"])

    assert caught.value.translation_key == "not_sent_recipient"


@pytest.mark.parametrize(
    ("message_id", "reason"),
    [("0" * 16, "unknown_message"), ("perso", "unknown_message"), ("", "waits")],
)
async def test_a_message_that_cannot_be_sent_again_says_why(
    hass: HomeAssistant, accounts: Accounts, message_id: str, reason: str
) -> None:
    """It is not known, or it waits."""
    await accounts.set_up("inviosmart")
    waiting = await send(hass, "Domani", send_at=LATER)
    if reason == "waits":
        message_id, reason = waiting["id"], "not_to_resend"

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "resend", message_id=message_id)

    assert caught.value.translation_key == reason


# A history that cannot be read


async def test_a_history_that_cannot_be_read_is_an_error(
    hass: HomeAssistant, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says where to look."""
    account = await accounts.set_up("smshosting")

    async def find(*_args: object) -> None:
        raise LedgerUnreadableError

    ledger = account.runtime_data.messenger.ledger
    for method in ("find", "message"):
        monkeypatch.setattr(ledger, method, find)

    for action, data in (
        ("find_messages", {}),
        ("cancel", {"message_id": "0" * 16}),
        ("resend", {"message_id": "0" * 16}),
        ("get_push_picture", {"message_id": "0" * 16, "filename": "x"}),
    ):
        with pytest.raises(HomeAssistantError) as caught:
            await call(hass, action, **data)
        assert caught.value.translation_key == "history_unreadable", action


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("cancel", {"message_id": ANNA}),
        ("resend", {"message_id": ANNA}),
        ("find_messages", {"recipient": ANNA}),
    ],
)
async def test_a_number_in_a_wrong_place_is_not_shown_in_full(
    hass: HomeAssistant, accounts: Accounts, action: str, data: dict[str, str]
) -> None:
    """Home Assistant writes the errors of actions to its log."""
    await accounts.set_up("smshosting")
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, action, **data)
    assert list((caught.value.translation_placeholders or {}).values()) == ["***567"]


async def test_the_messages_to_one_of_two_recipients_of_a_name_are_found_by_its_device(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Automations read the device's name, which has the account's title then."""
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    second = await accounts.set_up("inviosmart", recipients={"Anna ": [BRUNO]})
    for account, number in ((first, ANNA), (second, BRUNO)):
        await send(
            hass, account.title, config_entry_id=account.entry_id, numbers=[number]
        )

    found = await call(hass, "find_messages", recipient=f"Anna ({first.title})")

    assert texts(found) == [first.title]
