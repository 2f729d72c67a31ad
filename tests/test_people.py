"""What people and Home Assistant hand in: numbers, names, texts, and phone data."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
import logging
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.const import CONF_MAX_PARTS, DOMAIN
from custom_components.sms_italia.messaging import mask_number
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Simulator, Toggle

from .accounts import Accounts, arrived, until
from .issues import issues
from .media import CAMERA, set_up_camera
from .states import call, send

ANNA = "+393331234567"
BRUNO = "+393471112233"
STRANGER = "33612345678"


async def alarm(hass: HomeAssistant, data: dict[str, Any], **fields: Any) -> None:  # noqa: ANN401 - as an automation writes them
    """Notify through the account with data that phones understand."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "smshosting",
        {"message": "Allarme", "target": [ANNA], "data": data, **fields},
        blocking=True,
    )


# Numbers


@pytest.mark.parametrize(
    "given",
    [STRANGER, "41791234567", "447976399087", "40712345678", int(STRANGER), [STRANGER]],
    ids=repr,
)
@pytest.mark.parametrize("way", ["send_sms", "estimate", "notify"])
async def test_a_number_that_lost_its_plus_reaches_no_stranger(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    given: object,
    way: str,
) -> None:
    """The sentence says that the plus was lost, and how to keep it."""
    await accounts.set_up("smshosting")
    target = given if isinstance(given, list) else [given]
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "send_sms": partial(call, hass, "send_sms", numbers=given, message="Allarme"),
        "estimate": partial(call, hass, "estimate", numbers=given, message="Allarme"),
        "notify": partial(alarm, hass, {}, target=target),
    }
    with pytest.raises(ServiceValidationError) as caught:
        await ways[way]()
    assert caught.value.translation_key == "lost_plus"
    assert arrived(simulator) == []


async def test_a_number_that_a_template_gives_has_lost_its_plus_as_well(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting")
    hass.states.async_set("input_text.phone", "+33612345678")
    script = {
        "sequence": [
            {
                "action": f"{DOMAIN}.send_sms",
                "data": {
                    "numbers": "{{ states('input_text.phone') }}",
                    "message": "Allarme",
                },
            }
        ]
    }
    assert await async_setup_component(hass, "script", {"script": {"prova": script}})
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call("script", "prova", blocking=True)
    assert caught.value.translation_key == "lost_plus"
    assert arrived(simulator) == []


async def test_a_number_of_an_unquoted_yaml_has_lost_its_plus(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """As a script calls with it: YAML has made a whole number of it."""
    await accounts.set_up("smshosting")
    step = {
        "action": "notify.smshosting",
        "data": {"message": "Allarme", "target": [33612345678]},
    }
    script = {"script": {"prova": {"sequence": [step]}}}
    assert await async_setup_component(hass, "script", script)
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call("script", "prova", blocking=True)
    assert caught.value.translation_key == "lost_plus"
    assert arrived(simulator) == []


@pytest.mark.parametrize("action", ["find_messages", "create_push_invitation"])
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (STRANGER, "lost_plus"),
        ("+39 899 123456", "premium_number"),
        ("333 12345678901", "not_a_number"),
    ],
)
async def test_actions_about_one_number_say_what_is_wrong_with_it(
    hass: HomeAssistant, accounts: Accounts, action: str, number: str, reason: str
) -> None:
    await accounts.set_up("smshosting")
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, action, number=number)
    assert caught.value.translation_key == reason
    assert caught.value.translation_placeholders == {"number": mask_number(number)}


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        (["3331234567.0"], [ANNA]),
        (["+39\ufe0f-333-123-4567"], [ANNA]),
        (["+39\ufe0d-333-123-4567"], [ANNA]),
        ("+39 333 123 4567; +39 347 111 2233", [ANNA, BRUNO]),
        ("+39 333 123 4567, 347 111 2233", [ANNA, BRUNO]),
    ],
)
async def test_numbers_are_read_as_they_were_meant(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    given: object,
    numbers: list[str],
) -> None:
    await accounts.set_up("smshosting")
    await call(hass, "send_sms", numbers=given, message="Allarme")
    assert sorted(to for to, _ in arrived(simulator)) == sorted(numbers)


async def test_a_mobile_with_a_digit_too_many_is_refused(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting")
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "send_sms", numbers=["+39 333 1234567 8"], message="Allarme")
    assert caught.value.translation_key == "invalid_number"
    assert arrived(simulator) == []


# Names


@pytest.mark.parametrize("given", ["Nicol\u00f2", "Nicolo\u0300", " NICOL\u00d2 "])
@pytest.mark.parametrize("stored", ["Nicol\u00f2", "Nicolo\u0300"])
async def test_a_name_is_found_in_either_spelling(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    stored: str,
    given: str,
) -> None:
    account = await accounts.set_up("smshosting", recipients={stored: [ANNA]})
    await send(hass, account, given)
    assert [to for to, _ in arrived(simulator)] == [ANNA]


async def test_a_name_is_found_however_many_blanks_it_has(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smshosting", recipients={"Anna  Rossi": [ANNA]})
    await send(hass, account, "anna rossi")
    assert [to for to, _ in arrived(simulator)] == [ANNA]


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ("Nicol\u00f2", [ANNA]),
        ("Nicolo\u0300", [BRUNO]),
        ("NICOL\u00d2", [ANNA, BRUNO]),
    ],
)
async def test_of_two_recipients_with_one_name_the_spelling_decides(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    given: str,
    numbers: list[str],
) -> None:
    """Home Assistant lets people rename them without our form: nobody is left out."""
    account = await accounts.set_up(
        "smshosting", recipients={"Nicol\u00f2": [ANNA], "Nicolo\u0300": [BRUNO]}
    )
    await send(hass, account, given)
    assert sorted(to for to, _ in arrived(simulator)) == numbers


# Bounds


async def test_a_text_that_is_too_long_is_cut_by_notify_and_refused_by_send_sms(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, options={CONF_MAX_PARTS: 1}
    )
    for long in ("x" * 161, "x" * 10_000):
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "send_sms", numbers=[ANNA], message=long)
        assert caught.value.translation_key == "too_many_parts"
    await alarm(hass, {}, message="x" * 10_000)
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {"entity_id": "notify.anna", "message": "\u0416" * 71},
        blocking=True,
    )
    # What is invisible at its beginning leaves nothing out in silence.
    await alarm(hass, {}, message="\u200b" * 300 + "y" * 100)
    texts = [text for _, text in arrived(simulator)]
    assert texts.pop().endswith("...")
    assert texts == ["x" * 157 + "...", "\u0416" * 69 + "\u2026"]
    assert "a text was cut to the 1 parts" in caplog.text


async def test_a_call_with_more_numbers_than_one_may_have_is_refused(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting")
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "send_sms", numbers=["3"] * 50_001, message="Allarme")
    assert caught.value.translation_key == "too_many_numbers"


# Data that is meant for phones


@pytest.mark.parametrize(
    "data",
    [
        {"tag": "porta", "push": {"interruption-level": "critical"}},
        {"tag": "porta", "ttl": 0, "priority": "high", "channel": "alarm_stream"},
        {"group": "alarms"},
        {"channel": ["alarm_stream"]},
        {"sender": None, "send_at": "", "channel": [], "encoding": {}},
        {"sender": "Mittente troppo lungo"},
        {"encoding": "morse"},
        {"picture": "media-source://image/niente"},
        {"transaction_id": "x" * 100},
    ],
    ids="+".join,
)
async def test_data_that_is_not_for_us_stops_no_sms(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, data: dict[str, Any]
) -> None:
    await accounts.set_up("smshosting")
    await alarm(hass, data)
    assert arrived(simulator) == [(ANNA, "Allarme")]
    assert simulator.messages[0].sender == "Casa"


async def test_a_picture_that_cannot_be_sent_stops_no_sms(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Neither one that the channel cannot carry, nor one that is none."""
    await set_up_camera(hass)
    await accounts.set_up("smshosting")
    await alarm(hass, {"channel": "alarm_stream", "picture": CAMERA})
    assert arrived(simulator) == [(ANNA, "Allarme")]


def write(path: Path) -> None:
    """Write a file that is no picture."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("no picture")


async def test_what_is_no_picture_is_left_out_of_a_push(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    simulator.account("smshosting").push_phones.add(ANNA)
    path = Path(hass.config.path("www/niente.jpg"))
    await hass.async_add_executor_job(write, path)
    await accounts.set_up("smshosting")
    await alarm(hass, {"channel": "push", "picture": str(path)})
    assert arrived(simulator) == [(ANNA, "Allarme")]


async def test_keys_for_others_are_logged_once_a_day(
    hass: HomeAssistant,
    accounts: Accounts,
    caplog: pytest.LogCaptureFixture,
    freezer: FrozenDateTimeFactory,
) -> None:
    """By their names alone, at debug level; the app's channels are no warning."""
    caplog.set_level(logging.DEBUG, "custom_components.sms_italia")
    await accounts.set_up("smshosting")
    data = {"tag": "porta", "ttl": 0, "channel": "alarm_stream", "sender": "Casa"}
    for text in ("uno", "due"):
        await alarm(hass, data, message=text)
    assert caplog.text.count("keys for others in the data") == 1
    assert "of a notification: tag, ttl" in caplog.text
    assert "porta" not in caplog.text
    assert "WARNING  custom_components.sms_italia" not in caplog.text
    freezer.tick(timedelta(days=1))
    await alarm(hass, data, message="tre")
    assert caplog.text.count("keys for others in the data") == 2


EDGES = [
    "0001-01-01 00:00:00",
    "0001-12-31 23:59:59",
    "9999-01-02 00:00:00",
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T24:00:00",
    "2026-02-30 08:00:00",
    "2026-01-01T08:00:00+24:00",
]


@pytest.mark.parametrize("time", EDGES)
async def test_a_time_at_the_edge_of_the_calendar_is_refused_and_reported(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, time: str
) -> None:
    """It does not exist in every zone."""
    await hass.config.async_set_time_zone("Europe/Rome")
    await accounts.set_up("smshosting")
    for field in ("since", "until"):
        with pytest.raises(ServiceValidationError):
            await call(hass, "find_messages", **{field: time})
    with pytest.raises(ServiceValidationError):
        await call(hass, "send_sms", numbers=[ANNA], message="Allarme", send_at=time)
    with pytest.raises(ServiceValidationError):
        await alarm(hass, {"send_at": time})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert list(issues(hass)) == ["undelivered"]
    assert arrived(simulator) == []


@pytest.mark.parametrize("zone", ["Europe/Rome", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("key", PROVIDERS)
async def test_the_furthest_times_are_those_of_a_message(
    hass: HomeAssistant, accounts: Accounts, zone: str, key: str
) -> None:
    await hass.config.async_set_time_zone(zone)
    await accounts.set_up(key)
    furthest = "9998-12-30T23:59:59+00:00"
    answer = await call(
        hass, "send_sms", numbers=[ANNA], message="Allarme", send_at=furthest
    )
    assert answer["messages"][0]["status"] != "failed"
    for time in ("0002-01-02T00:00:00+00:00", furthest):
        history = await call(hass, "find_messages", since=time, until=time)
        assert history["total"] == 0


@pytest.mark.parametrize("field", ["message", "title", "transaction_id"])
async def test_half_a_sign_keeps_no_alarm_from_arriving(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    field: str,
) -> None:
    """Templates can give one; neither a provider nor the ledger can have it."""
    await accounts.set_up("smshosting")
    data = {"message": "Allarme", field: "Allarme \ud83d"}
    answer = await call(hass, "send_sms", numbers=[ANNA], **data)
    assert answer["messages"][0]["status"] == "queued"
    assert [to for to, _ in arrived(simulator)] == [ANNA]
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    "data", [{"send_at": "domani"}, {"send_at": "2020-01-01"}, {"test": "forse"}]
)
async def test_a_time_or_a_trial_that_cannot_be_used_is_refused(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, data: dict[str, Any]
) -> None:
    await accounts.set_up("smshosting")
    with pytest.raises(HomeAssistantError):
        await alarm(hass, data)
    assert arrived(simulator) == []


@pytest.mark.parametrize(
    "command",
    [
        "clear_badge",
        "clear_notification",
        "command_screen_on",
        "delete_alert",
        "end_live_activity",
        "remove_channel",
        "request_location_update",
        "TTS",
        "update_complications",
        "update_widgets",
        " Clear_Notification\n",
    ],
)
async def test_a_command_to_a_phone_is_no_sms(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, command: str
) -> None:
    await accounts.set_up("smshosting")
    await alarm(hass, {"tag": "porta"}, message=command)
    assert arrived(simulator) == []


async def test_a_yaml_group_of_us_and_a_phone_delivers_the_sms(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    group = {
        "platform": "group",
        "name": "tutti",
        "services": [{"action": "smshosting"}, {"action": "persistent_notification"}],
    }
    assert await async_setup_component(hass, "notify", {"notify": [group]})
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await hass.async_block_till_done()
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "tutti",
        {
            "message": "Allarme",
            "data": {"tag": "x", "push": {"interruption-level": "critical"}},
        },
        blocking=True,
    )
    await until(lambda: arrived(simulator))
    assert arrived(simulator) == [(ANNA, "Allarme")]


async def test_a_group_helper_delivers_the_sms(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A group of notify entities that was made in the UI."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]})
    group = MockConfigEntry(
        domain="group",
        title="Famiglia",
        options={
            "group_type": "notify",
            "name": "Famiglia",
            "entities": ["notify.anna", "notify.bruno"],
            "hide_members": False,
        },
    )
    group.add_to_hass(hass)
    assert await hass.config_entries.async_setup(group.entry_id)
    await hass.async_block_till_done()
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {"entity_id": "notify.famiglia", "message": "Allarme", "title": "Casa"},
        blocking=True,
    )
    await until(lambda: len(arrived(simulator)) == 2)
    assert {text for _, text in arrived(simulator)} == {"Casa\nAllarme"}


async def test_all_entities_are_all_recipients(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]})
    await call(hass, "send_sms", entity_id="all", message="Allarme")
    assert sorted(to for to, _ in arrived(simulator)) == sorted([ANNA, BRUNO])


@pytest.mark.skipif(
    "exclude" not in map(str, cv.ENTITY_SERVICE_FIELDS),
    reason="this release of Home Assistant excludes no entities",
)
async def test_who_is_excluded_of_all_gets_nothing(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA], "Bruno": [BRUNO]})
    await call(
        hass,
        "send_sms",
        entity_id="all",
        exclude={"entity_id": ["notify.bruno"]},
        message="Allarme",
    )
    assert [to for to, _ in arrived(simulator)] == [ANNA]
