"""The action `send_sms`: its targets, its extras and its answer; and `estimate`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_ENCODING,
    CONF_FALLBACK,
    CONF_RETRY_FOR,
    DOMAIN,
)
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Simulator, Toggle
from simulator.model import Operation, Request

from ..accounts import Accounts, arrived
from ..issues import issues
from ..media import CAMERA, JPEG, set_up_camera
from ..states import call

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


async def send_sms(hass: HomeAssistant, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as an automation writes them
    """Call the action and return its answer."""
    return await call(hass, "send_sms", **data)


@EACH_PROVIDER
async def test_the_response_shows_each_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """With the fields of every provider alike."""
    account = await accounts.set_up(key, title="Casa mia")

    answer = await send_sms(hass, numbers=["333 123 4567"], message="Ciao")

    (received,) = simulator.messages
    (message,) = answer["messages"]
    assert len(message.pop("id")) == 16
    assert message == {
        "to": ANNA,
        "status": "queued",
        "account": "Casa mia",
        "provider_id": received.provider_id,
        "parts": 1,
        "encoding": "gsm7",
        "cost": 0.05 if key == "smsviainternet" else None,
        "error": None,
        "type": "sms",
        "send_at": None,
        "recipient": None,
    }
    credit = account.runtime_data.coordinator.data
    assert answer.keys() == {"messages", "credit"}
    assert answer["credit"] == (None if credit is None else float(credit.balance))


async def test_the_credit_is_that_after_sending_if_the_provider_reports_it(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """In euro."""
    await accounts.set_up("smsviainternet")

    answer = await send_sms(hass, numbers=[ANNA], message="Ciao")

    assert answer["credit"] == 49.95


async def test_no_answer_is_needed(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A single number and a title, as an automation would write them."""
    await accounts.set_up("smshosting")

    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {"numbers": ANNA, "title": "Casa", "message": "Ciao"},
        blocking=True,
    )

    assert arrived(simulator) == [(ANNA, "Casa\nCiao")]


async def test_sender_and_encoding_can_be_chosen(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """They come before the account's options."""
    await accounts.set_up("smshosting", options={CONF_ENCODING: "unicode"})

    plain = await send_sms(hass, numbers=[ANNA], message="Ciao Perù „5“")
    chosen = await send_sms(
        hass,
        numbers=[ANNA],
        message="Ciao Perù „5“",
        sender="Allarme",
        encoding="smart",
    )

    assert [plain["messages"][0]["encoding"], chosen["messages"][0]["encoding"]] == [
        "ucs2",
        "gsm7",
    ]
    first, second = simulator.messages
    assert (first.sender, first.text) == ("Casa", "Ciao Perù „5“")
    assert (second.sender, second.text) == ("Allarme", 'Ciao Perù "5"')


async def test_recipients_are_sent_to_by_their_own_accounts(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Several accounts in one call, and numbers through the account that is named."""
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    second = await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})

    answer = await send_sms(
        hass,
        entity_id=["notify.bruno", "notify.anna"],
        numbers=[CARLA, "Bruno"],
        config_entry_id=second.entry_id,
        message="Ciao",
    )

    assert {(message.to, str(message.provider)) for message in simulator.messages} == {
        (ANNA, "smshosting"),
        (BRUNO, "inviosmart"),
        (CARLA, "inviosmart"),
    }
    assert {(message["to"], message["account"]) for message in answer["messages"]} == {
        (ANNA, first.title),
        (BRUNO, second.title),
        (CARLA, second.title),
    }
    assert answer["credit"] is None
    for entity_id in ("notify.anna", "notify.bruno"):
        state = hass.states.get(entity_id)
        assert state is not None
        assert state.state != STATE_UNKNOWN


@pytest.mark.parametrize(
    "kind", ["entity_id", "device_id", "area_id", "floor_id", "label_id"]
)
async def test_recipients_can_be_chosen_by_all_that_groups_them(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, kind: str
) -> None:
    """Anything else in an area is ignored."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]})
    floor = fr.async_get(hass).async_create("Piano terra")
    area = ar.async_get(hass).async_create("Studio", floor_id=floor.floor_id)
    label = lr.async_get(hass).async_create("Famiglia")
    anna = er.async_get(hass).async_get("notify.anna")
    assert anna is not None
    assert anna.device_id is not None
    dr.async_get(hass).async_update_device(
        anna.device_id, area_id=area.id, labels={label.label_id}
    )
    light = er.async_get(hass).async_get_or_create("light", "demo", "1")
    er.async_get(hass).async_update_entity(
        light.entity_id, area_id=area.id, labels={label.label_id}
    )
    target = {
        "entity_id": anna.entity_id,
        "device_id": anna.device_id,
        "area_id": area.id,
        "floor_id": floor.floor_id,
        "label_id": label.label_id,
    }[kind]

    await send_sms(hass, message="Ciao", **{kind: target})

    assert arrived(simulator) == [(ANNA, "Ciao")]


async def test_an_area_without_recipients_is_refused(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Nothing would be sent, and no one would notice."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    area = ar.async_get(hass).async_create("Cantina")

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, area_id=area.id, message="Ciao")

    assert caught.value.translation_key == "no_targets"


async def test_an_entity_that_is_no_recipient_is_named(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """One of our sensors, or a foreign notify entity; nothing is sent."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    for entity_id in ("sensor.smshosting_credit", "notify.telegram"):
        with pytest.raises(ServiceValidationError) as caught:
            await send_sms(hass, entity_id=["notify.anna", entity_id], message="Ciao")

        assert caught.value.translation_key == "not_a_recipient"
        assert caught.value.translation_placeholders == {"entity": entity_id}
    assert arrived(simulator) == []


async def test_a_bad_number_is_in_the_response(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The others go out, and the answer keeps the order of neither losing any."""
    await accounts.set_up("smshosting")
    simulator.account("smshosting").blocked.add(CARLA)

    answer = await send_sms(
        hass, numbers=["899 123456", ANNA, "Nessuno", CARLA], message="Ciao"
    )

    found = {
        message["to"]: (message["status"], message["error"])
        for message in answer["messages"]
    }
    assert found == {
        ANNA: ("queued", None),
        CARLA: ("failed", "recipient"),
        "Nessuno": ("failed", "recipient"),
        "899 123456": ("failed", "recipient"),
    }


async def test_bad_numbers_are_named_by_their_places_in_the_call(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Also after one that is given twice."""
    await accounts.set_up("smshosting")
    given = ["Zio", "Zio", "12, Zio; 13"]

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=given, message="Ciao")

    assert caught.value.translation_key == "invalid_number"
    placeholders = {"number": "1. Zio, 3. ***, 5. ***"}
    assert caught.value.translation_placeholders == placeholders


async def test_a_bad_number_of_any_length_is_kept_in_few_words(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """In the answer and in the history."""
    await accounts.set_up("smshosting")
    given = [ANNA, "x" * 2_000_000, "Zia \ud83d"]
    answer = await send_sms(hass, numbers=given, message="Ciao")
    history = await call(hass, "find_messages")
    for shown in (answer, history):
        to = {message["to"] for message in shown["messages"]}
        assert to == {ANNA, "x" * 100 + "…", "Zia �"}


async def test_an_account_that_fails_does_not_stop_the_others(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The answer has all; only the entities of those taken show a message."""
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, options={CONF_RETRY_FOR: 0}
    )
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})
    simulator.set_credit("smshosting", 0)

    answer = await send_sms(
        hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao"
    )

    assert [
        (message["to"], message["status"], message["account"], message["error"])
        for message in answer["messages"]
    ] == [
        (ANNA, "failed", "Smshosting", "credit"),
        (BRUNO, "queued", "Inviosmart", None),
    ]
    anna, bruno = hass.states.get("notify.anna"), hass.states.get("notify.bruno")
    assert anna is not None
    assert bruno is not None
    assert bruno.state != STATE_UNKNOWN
    assert anna.state == STATE_UNKNOWN


async def test_an_account_that_refuses_all_is_in_the_answer_too(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Before any request: here its daily limit is too low."""
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, options={"daily_limit": 1}
    )
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})

    answer = await send_sms(
        hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao " * 40
    )

    refused, accepted = answer["messages"]
    assert refused == {
        "id": None,
        "to": ANNA,
        "status": "failed",
        "account": "Smshosting",
        "provider_id": None,
        "parts": None,
        "encoding": None,
        "cost": None,
        "error": "daily_limit",
        "type": None,
        "send_at": None,
        "recipient": "Anna",
    }
    assert refused.keys() == accepted.keys()
    assert (accepted["to"], accepted["status"]) == (BRUNO, "queued")
    assert (accepted["account"], accepted["error"]) == ("Inviosmart", None)
    assert accepted["recipient"] == "Bruno"


async def test_a_recipient_whose_number_is_refused_shows_no_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Although another recipient of the same account got it."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]})
    simulator.account("smshosting").blocked.add(ANNA)

    await send_sms(hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao")

    anna, bruno = hass.states.get("notify.anna"), hass.states.get("notify.bruno")
    assert anna is not None
    assert bruno is not None
    assert bruno.state != STATE_UNKNOWN
    assert anna.state == STATE_UNKNOWN


async def test_the_action_fails_when_all_accounts_do(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """With the reason of the first."""
    once = {CONF_RETRY_FOR: 0}
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]}, options=once)
    await accounts.set_up("transactionale", recipients={"Bruno": [BRUNO]}, options=once)
    simulator.set_credit("smshosting", 0)
    simulator.set_credentials("transactionale", api_key="another")

    with pytest.raises(HomeAssistantError) as caught:
        await send_sms(hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao")

    assert caught.value.translation_key in {"not_sent_credit", "not_sent_auth"}
    assert arrived(simulator) == []


async def test_the_response_names_the_account_that_sent_the_message(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A fallback, when the account that was asked could not."""
    second = await accounts.set_up("inviosmart")
    first = await accounts.set_up(
        "smshosting", options={CONF_FALLBACK: [second.entry_id]}
    )
    simulator.set_credit("smshosting", Decimal(0))

    answer = await send_sms(
        hass, numbers=[ANNA], config_entry_id=first.entry_id, message="Ciao"
    )

    (message,) = answer["messages"]
    assert (message["status"], message["account"]) == ("queued", "Inviosmart")


async def test_a_message_that_a_restart_would_forget_says_so(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Where no file can be written; what a provider accepted needs none."""
    in_the_way = Path(hass.config.path(STORAGE_DIR))
    await hass.async_add_executor_job(in_the_way.write_bytes, b"")
    await accounts.set_up("smshosting")

    accepted = await send_sms(hass, numbers=[BRUNO], message="Ciao")
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")
    waiting = await send_sms(hass, numbers=[ANNA], message="Ciao")

    shown = [
        (one["status"], one["error"])
        for one in accepted["messages"] + waiting["messages"]
    ]
    assert shown == [("queued", None), ("queued", "unrecorded")]


async def test_a_queued_message_is_no_failure(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It waits in the outbox: the answer says so, with the reason."""
    await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")

    answer = await send_sms(hass, numbers=[ANNA], message="Ciao")

    (message,) = answer["messages"]
    assert message["status"] == "queued"
    assert message["error"] == "throttled"
    assert message["provider_id"] is None
    assert message["account"] == "Smshosting"


async def test_with_several_accounts_one_must_be_named(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """With one it need not be; a wrong or unloaded one is refused."""
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=[ANNA], message="Ciao")
    assert caught.value.translation_key == "no_account"

    first = await accounts.set_up("smshosting")
    await accounts.set_up("inviosmart")
    stranger = MockConfigEntry(domain="other")
    stranger.add_to_hass(hass)
    unloaded = accounts.add("transactionale")
    wrong: list[tuple[dict[str, str], str]] = [
        ({}, "which_account"),
        ({"config_entry_id": "nothing"}, "unknown_account"),
        ({"config_entry_id": stranger.entry_id}, "unknown_account"),
        ({"config_entry_id": unloaded.entry_id}, "account_not_loaded"),
    ]
    for choice, reason in wrong:
        with pytest.raises(HomeAssistantError) as refused:
            await send_sms(hass, numbers=[ANNA], message="Ciao", **choice)
        assert refused.value.translation_key == reason
        assert str(refused.value) != reason

    answer = await send_sms(
        hass, numbers=[ANNA], message="Ciao", config_entry_id=first.entry_id
    )
    assert answer["messages"][0]["account"] == first.title


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "missing_field"),
        ({"message": "Ciao", "encoding": "klingon"}, "invalid_field"),
        ({"message": "Ciao", "flash": True}, "unknown_field"),
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    data: Mapping[str, object],
    reason: str,
) -> None:
    """By its schema, before anything else."""
    await accounts.set_up("smshosting")

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=[ANNA], **data)

    assert caught.value.translation_key == reason
    assert arrived(simulator) == []


async def test_a_defect_is_neither_hidden_nor_unreported(
    hass: HomeAssistant,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is no error for people goes up as it is, also with several accounts.

    To an automation's alarm it is one more SMS that nobody gets.
    """
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})
    monkeypatch.setattr(first.runtime_data.messenger, "send", None)

    with pytest.raises(TypeError):
        await send_sms(hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert list(issues(hass)) == ["undelivered"]
    assert "a call was refused (defect)" in caplog.text


# What may be chosen for one send


def sends(simulator: Simulator) -> list[Request]:
    """Return the requests that were to send something."""
    return [one for one in simulator.requests if one.operation is Operation.SEND]


@pytest.fixture
def push(simulator: Simulator) -> Simulator:
    """Return the providers; Anna has the app of Smshosting's Push."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add(ANNA)
    simulator.account("smshosting").groups["7"] = (CARLA,)
    return simulator


@pytest.mark.parametrize("way", ["send_sms", "notify"])
async def test_all_that_can_be_chosen_reaches_the_provider(
    hass: HomeAssistant, accounts: Accounts, push: Simulator, way: str
) -> None:
    """By our own action, and by the classic one as its data."""
    await set_up_camera(hass)
    await accounts.set_up("smshosting")
    extras: dict[str, Any] = {
        "sender": "Allarme",
        "encoding": "unicode",
        "send_at": "2035-12-25 08:00:00+02:00",
        "channel": "push_then_sms",
        "picture": {
            "media_content_id": f"media-source://camera/{CAMERA}",
            "media_content_type": "application/vnd.apple.mpegurl",
            "metadata": {"title": "Cortile"},
        },
        "group": "7",
        "transaction_id": "incendio-42",
    }
    text = "Fumo in cucina: 80 °C"

    if way == "notify":
        await hass.services.async_call(
            "notify",
            "smshosting",
            {"message": text, "target": [ANNA], "data": extras},
            blocking=True,
        )
    else:
        answer = await send_sms(hass, numbers=[ANNA], message=text, **extras)
        shown = {one["to"]: one for one in answer["messages"]}
        assert shown.keys() == {ANNA, "group:7"}
        assert {one["status"] for one in shown.values()} == {"queued"}
        assert shown[ANNA]["type"] == "push"
        assert shown[ANNA]["send_at"] == "2035-12-24T22:00:00-08:00"

    wires = sends(push)
    assert {one.path for one in wires} == {"/rest/api/push/send"}
    for one in wires:
        assert one.headers["Content-Type"].startswith("multipart/form-data")
        assert b"Content-Type: image/jpeg\r\n\r\n" + JPEG in one.body
        fields = dict(one.fields)
        assert ("to" in fields) is not ("group" in fields)
        assert fields.pop("to", "393331234567") == "393331234567"
        assert fields.pop("group", "7") == "7"
        assert str(fields.pop("transactionId")).startswith("incendio-42")
        assert fields == {
            "text": text,
            "onlyPush": "false",
            "date": "2035-12-25T06:00:00+0000",
            "smsFrom": "Allarme",
            "smsText": text,
            "smsEncoding": "UCS2",
        }
    # A group is the phone app's word in the data of the classic one.
    members = set() if way == "notify" else {CARLA}
    assert {message.to for message in push.messages} == {ANNA} | members


@pytest.mark.parametrize(
    ("test", "option", "sandbox"),
    [
        (True, False, "true"),
        (False, True, None),
        (None, True, "true"),
        (None, False, None),
    ],
)
async def test_a_message_can_be_tried_out_or_not(  # noqa: PLR0913, PLR0917 - a table
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    test: bool | None,  # noqa: FBT001 - a parameter of the table above
    option: bool,  # noqa: FBT001 - as above
    sandbox: str | None,
) -> None:
    """What the call says comes before the account's option."""
    await accounts.set_up("smshosting", options={"sandbox": option})
    extras = {} if test is None else {"test": test}

    answer = await send_sms(hass, numbers=[ANNA], message="Ciao", **extras)

    (request,) = sends(simulator)
    assert request.fields.get("sandbox") == sandbox
    assert len(simulator.messages) == (0 if sandbox else 1)
    assert answer["messages"][0]["status"] == "queued"


async def test_a_time_without_a_zone_is_local(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """As the time of the selector is; here the provider waits."""
    await hass.config.async_set_time_zone("Europe/Rome")
    await accounts.set_up("smsviainternet")

    answer = await send_sms(
        hass, numbers=[ANNA], message="Buongiorno", send_at="2035-07-01 08:00:00"
    )

    (message,) = answer["messages"]
    assert message["send_at"] == "2035-07-01T08:00:00+02:00"
    assert message["status"] == "queued"
    (sent,) = simulator.messages
    assert sent.scheduled == datetime(2035, 7, 1, 6, tzinfo=UTC)


async def test_where_the_provider_cannot_wait_we_do(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """It is queued with its time, and nothing is on the wire."""
    await accounts.set_up("inviosmart")

    answer = await send_sms(
        hass, numbers=[ANNA], message="Domani", send_at="2035-07-01 08:00:00+00:00"
    )

    (message,) = answer["messages"]
    assert (message["status"], message["provider_id"]) == ("queued", None)
    assert message["send_at"] == "2035-07-01T01:00:00-07:00"
    assert sends(simulator) == []


@pytest.mark.parametrize("moment", ["2020-01-01", "2026-11-28", "2026-11-28 11:54:59"])
async def test_a_moment_in_the_past_is_refused(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
    moment: str,
) -> None:
    """It was not meant: a date alone is its midnight."""
    await hass.config.async_set_time_zone("Europe/Rome")
    freezer.move_to("2026-11-28 11:00:00+00:00")
    await accounts.set_up("inviosmart")

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=[ANNA], message="Ieri", send_at=moment)

    assert caught.value.translation_key == "past_send_at"
    assert moment[:10] in (caught.value.translation_placeholders or {})["send_at"]
    assert arrived(simulator) == []


async def test_a_moment_that_has_only_just_passed_is_now(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A form was filled in with the minute that was."""
    await hass.config.async_set_time_zone("Europe/Rome")
    freezer.move_to("2026-11-28 11:00:30+00:00")
    await accounts.set_up("inviosmart")

    answer = await send_sms(
        hass, numbers=[ANNA], message="Ora", send_at="2026-11-28 11:56:00"
    )

    assert answer["messages"][0]["send_at"] is None
    assert arrived(simulator) == [(ANNA, "Ora")]


@pytest.mark.parametrize(
    ("key", "extras", "field"),
    [
        ("inviosmart", {"channel": "push"}, "channel"),
        ("smsviainternet", {"group": ["7"]}, "group"),
        ("transactionale", {"test": True}, "test"),
        ("inviosmart", {"transaction_id": "x"}, "transaction_id"),
        ("inviosmart", {"picture": CAMERA}, "picture"),
    ],
)
async def test_what_the_provider_cannot_do_is_refused(  # noqa: PLR0913, PLR0917 - a table
    hass: HomeAssistant,
    accounts: Accounts,
    push: Simulator,
    key: str,
    extras: dict[str, object],
    field: str,
) -> None:
    """By the name that the field has here."""
    await set_up_camera(hass)
    await accounts.set_up(key)
    asked = len(push.requests)

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=[ANNA], message="Ciao", **extras)

    assert caught.value.translation_key == "unsupported"
    placeholders = caught.value.translation_placeholders
    assert placeholders == {"field": field, "provider": PROVIDERS[key].name}
    assert len(push.requests) == asked


async def test_a_picture_does_not_go_by_sms(
    hass: HomeAssistant, accounts: Accounts, push: Simulator
) -> None:
    """The provider can send it; the sentence says how."""
    await set_up_camera(hass)
    await accounts.set_up("smshosting")
    asked = len(push.requests)

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=[ANNA], message="Ciao", picture=CAMERA)

    assert caught.value.translation_key == "picture_needs_push"
    assert len(push.requests) == asked


@pytest.mark.parametrize(
    "content",
    [b"GIF88a", b"RIFF1234WEBP", JPEG + bytes(2 * 1024 * 1024)],
    ids=["none", "webp", "too big"],
)
async def test_a_picture_that_the_provider_does_not_take_is_never_uploaded(
    hass: HomeAssistant, accounts: Accounts, push: Simulator, content: bytes
) -> None:
    """Neither one of a wrong type nor one that is too big."""
    await set_up_camera(hass, content)
    await accounts.set_up("smshosting")

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(
            hass, numbers=[ANNA], message="Ciao", channel="push", picture=CAMERA
        )

    assert caught.value.translation_key == "invalid_picture"
    assert sends(push) == []


async def test_a_picture_that_is_not_there_stops_everything(
    hass: HomeAssistant, accounts: Accounts, push: Simulator
) -> None:
    """Who wants it with the text must know that it is missing."""
    await accounts.set_up("smshosting")

    with pytest.raises(HomeAssistantError) as caught:
        await send_sms(
            hass, numbers=[ANNA], message="Ciao", channel="push", picture=CAMERA
        )

    assert caught.value.translation_key == "picture_unavailable"
    assert sends(push) == []


@pytest.mark.parametrize("group", ["7,8", ["7", 8], [" 7 ", "8"]])
async def test_groups_need_no_number(
    hass: HomeAssistant, accounts: Accounts, push: Simulator, group: object
) -> None:
    """Several between commas or in a list; each has its line in the answer."""
    push.account("smshosting").groups["8"] = (BRUNO,)
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    answer = await send_sms(hass, message="Ciao", group=group)

    assert {(message.to, message.text) for message in push.messages} == {
        (CARLA, "Ciao"),
        (BRUNO, "Ciao"),
    }
    assert {one["status"] for one in answer["messages"]} == {"queued"}


async def test_groups_are_those_of_the_account_that_is_named(
    hass: HomeAssistant, accounts: Accounts, push: Simulator
) -> None:
    """Recipients of another account get the text without them."""
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})

    answer = await send_sms(
        hass,
        entity_id="notify.bruno",
        message="Ciao",
        group=["7"],
        config_entry_id=first.entry_id,
    )

    assert {(message.to, str(message.provider)) for message in push.messages} == {
        (CARLA, "smshosting"),
        (BRUNO, "inviosmart"),
    }
    assert {one["to"] for one in answer["messages"]} == {"group:7", BRUNO}


@pytest.mark.parametrize(
    ("group", "error"), [("7", "daily_limit"), ("8", "group_size_unknown")]
)
async def test_a_group_that_exceeds_the_daily_limit_or_has_no_size_is_refused(
    hass: HomeAssistant, accounts: Accounts, push: Simulator, group: str, error: str
) -> None:
    """Of 500 numbers where 200 parts a day are allowed; nothing leaves."""
    push.account("smshosting").groups["7"] = tuple(
        f"+39333{index:07}" for index in range(500)
    )
    await accounts.set_up("smshosting", options={CONF_DAILY_LIMIT: 200})

    with pytest.raises(HomeAssistantError) as caught:
        await send_sms(hass, message="Ciao", group=group)

    assert caught.value.translation_key == error
    assert sends(push) == []


async def test_all_that_an_account_refuses_is_in_the_answer_once(
    hass: HomeAssistant, accounts: Accounts, push: Simulator
) -> None:
    """With the reason, a group as well as a number."""
    first = await accounts.set_up("smshosting", options={"daily_limit": 1})
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})

    answer = await send_sms(
        hass,
        entity_id="notify.bruno",
        numbers=[CARLA, CARLA],
        message="Ciao " * 40,
        group=["7"],
        config_entry_id=first.entry_id,
    )

    assert [(one["to"], one["status"], one["error"]) for one in answer["messages"]] == [
        (CARLA, "failed", "daily_limit"),
        ("group:7", "failed", "daily_limit"),
        (BRUNO, "queued", None),
    ]
    assert [message.to for message in push.messages] == [BRUNO]


@pytest.mark.parametrize(
    ("extras", "field"),
    [
        ({"channel": "piccione"}, "channel"),
        ({"send_at": "presto"}, "send_at"),
        ({"transaction_id": "x" * 61}, "transaction_id"),
        ({"group": "il mio gruppo"}, "group"),
        ({"picture": {"media_content_type": "image/png"}}, "picture"),
        ({"picture": [CAMERA]}, "picture"),
        ({"test": "forse"}, "test"),
    ],
)
async def test_a_value_that_makes_no_sense_is_refused(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    extras: dict[str, object],
    field: str,
) -> None:
    """By the action's schema."""
    await accounts.set_up("smshosting")
    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, numbers=[ANNA], message="Ciao", **extras)
    assert (caught.value.translation_placeholders or {})["field"] == field
    assert arrived(simulator) == []


@pytest.mark.parametrize("field", ["sender", "picture", "group", "transaction_id"])
async def test_a_field_that_is_empty_is_as_good_as_left_out(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, field: str
) -> None:
    """A blueprint passes on fields that were not filled in."""
    await accounts.set_up("smshosting")

    await send_sms(hass, numbers=[ANNA], message="Ciao", **{field: ""})

    assert arrived(simulator) == [(ANNA, "Ciao")]


# What it would come to


async def test_an_estimate_shows_the_text_as_it_would_go_out(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """With its parts, what is left, what costs, and the provider's own price."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    smart = await call(
        hass,
        "estimate",
        title="Casa",
        message="È tardi: 21 °C",
        entity_id="notify.anna",
        numbers=[BRUNO],
    )
    as_written = await call(
        hass, "estimate", message="È tardi", numbers=[BRUNO], encoding="unicode"
    )

    assert smart == {
        "encoding": "gsm7",
        "parts": 1,
        "characters_left": 160 - len("Casa\nE' tardi: 21 C"),
        "costly_characters": [],
        "text": "Casa\nE' tardi: 21 C",
        "cost": 0.124,
    }
    assert as_written["text"] == "È tardi"
    assert as_written["costly_characters"] == ["È"]
    assert (as_written["encoding"], as_written["characters_left"]) == ("ucs2", 63)
    assert as_written["cost"] == 0.062
    assert sends(simulator) == []


async def test_an_estimate_needs_no_number(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """The cost is that of the last message, null before the first."""
    account = await accounts.set_up("smsviainternet")
    assert (await call(hass, "estimate", message="x" * 161))["cost"] is None
    await send_sms(hass, numbers=[ANNA], message="Ciao")

    estimate = await call(
        hass,
        "estimate",
        message="x" * 161,
        config_entry_id=account.entry_id,
        numbers=[],
    )

    assert (estimate["parts"], estimate["encoding"]) == (2, "gsm7")
    assert estimate["cost"] == 0.1


async def test_an_estimate_is_of_one_account(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Each has its own prices and options."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    second = await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})

    for data in (
        {"entity_id": ["notify.anna", "notify.bruno"]},
        {
            "entity_id": "notify.anna",
            "numbers": [CARLA],
            "config_entry_id": second.entry_id,
        },
    ):
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "estimate", message="Ciao", **data)
        assert caught.value.translation_key == "several_accounts"


async def test_an_estimate_of_what_would_be_refused_is_refused(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """With the same reason."""
    await accounts.set_up("smshosting", options={"max_parts": 1})

    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "estimate", message="x" * 161)

    assert caught.value.translation_key == "too_many_parts"
