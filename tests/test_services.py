"""The action `send_sms`: its targets, its answer, and how it is described."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
import json
from pathlib import Path
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.helpers.selector import selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components import sms_italia
from custom_components.sms_italia.const import CONF_ENCODING, CONF_FALLBACK, DOMAIN
from custom_components.sms_italia.messaging.text import TextEncoding
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault, Simulator

from .accounts import Accounts, arrived

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)

FOLDER = Path(sms_italia.__file__).parent
TEXTS: dict[str, dict[str, Any]] = {
    language: json.loads((FOLDER / "translations" / f"{language}.json").read_text())
    for language in ("en", "it")
}
TARGETS = {str(marker) for marker in cv.ENTITY_SERVICE_FIELDS}


async def send_sms(hass: HomeAssistant, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - as an automation writes them
    """Call the action and return its answer."""
    answer = await hass.services.async_call(
        DOMAIN, "send_sms", data, blocking=True, return_response=True
    )
    assert answer is not None
    # What is no plain JSON could not be traced, nor used in a template.
    assert json.loads(json.dumps(answer)) == answer
    return dict(answer)


@EACH_PROVIDER
async def test_the_answer_tells_what_became_of_each_message(
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
    }
    credit = account.runtime_data.coordinator.data
    assert answer.keys() == {"messages", "credit"}
    assert answer["credit"] == (None if credit is None else float(credit.balance))


async def test_the_credit_is_that_after_sending_where_the_answer_tells_it(
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
    """What else is in an area is none of our business."""
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
    """Nothing would be sent, and nobody would know."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    area = ar.async_get(hass).async_create("Cantina")

    with pytest.raises(ServiceValidationError) as caught:
        await send_sms(hass, area_id=area.id, message="Ciao")

    assert caught.value.translation_key == "no_targets"


async def test_an_entity_that_is_no_recipient_is_named(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """A sensor of ours, or a notify entity of somebody else; nothing is sent."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})

    for entity_id in ("sensor.smshosting_credit", "notify.telegram"):
        with pytest.raises(ServiceValidationError) as caught:
            await send_sms(hass, entity_id=["notify.anna", entity_id], message="Ciao")

        assert caught.value.translation_key == "not_a_recipient"
        assert caught.value.translation_placeholders == {"entity": entity_id}
    assert arrived(simulator) == []


async def test_a_bad_number_is_told_in_the_answer(
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


async def test_an_account_that_fails_does_not_stop_the_others(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The answer has all; only the entities of those taken show a message."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
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

    assert [
        (message["to"], message["status"], message["account"], message["error"])
        for message in answer["messages"]
    ] == [
        (ANNA, "failed", "Smshosting", "daily_limit"),
        (BRUNO, "queued", "Inviosmart", None),
    ]


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
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await accounts.set_up("transactionale", recipients={"Bruno": [BRUNO]})
    simulator.set_credit("smshosting", 0)
    simulator.set_credentials("transactionale", api_key="another")

    with pytest.raises(HomeAssistantError) as caught:
        await send_sms(hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao")

    assert caught.value.translation_key in {"not_sent_credit", "not_sent_auth"}
    assert arrived(simulator) == []


async def test_the_answer_names_the_account_that_carried_the_message(
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
    assert caught.value.translation_domain == "homeassistant"

    first = await accounts.set_up("smshosting")
    await accounts.set_up("inviosmart")
    stranger = MockConfigEntry(domain="other")
    stranger.add_to_hass(hass)
    unloaded = accounts.add("transactionale")
    wrong: list[dict[str, str]] = [
        {},
        {"config_entry_id": "nothing"},
        {"config_entry_id": stranger.entry_id},
        {"config_entry_id": unloaded.entry_id},
    ]
    for choice in wrong:
        with pytest.raises(ServiceValidationError) as caught:
            await send_sms(hass, numbers=[ANNA], message="Ciao", **choice)
        assert caught.value.translation_domain == "homeassistant", choice
        assert str(caught.value) != caught.value.translation_key

    answer = await send_sms(
        hass, numbers=[ANNA], message="Ciao", config_entry_id=first.entry_id
    )
    assert answer["messages"][0]["account"] == first.title


@pytest.mark.parametrize(
    "data",
    [
        {"numbers": [ANNA]},
        {"numbers": [ANNA], "message": "Ciao", "encoding": "klingon"},
        {"numbers": [ANNA], "message": "Ciao", "flash": True},
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    data: Mapping[str, object],
) -> None:
    """By its schema, before anything else."""
    await accounts.set_up("smshosting")

    with pytest.raises(vol.Invalid):
        await send_sms(hass, **data)

    assert arrived(simulator) == []


async def test_a_fault_of_ours_is_not_hidden(
    hass: HomeAssistant,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is no error for people goes up as it is, also with several accounts."""
    first = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await accounts.set_up("inviosmart", recipients={"Bruno": [BRUNO]})
    monkeypatch.setattr(first.runtime_data.messenger, "send", None)

    with pytest.raises(TypeError):
        await send_sms(hass, entity_id=["notify.anna", "notify.bruno"], message="Ciao")


# How the actions are described


def fields_of(description: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the fields of an action by name, those in sections too."""
    for name, field in description["fields"].items():
        if "fields" in field:
            yield from fields_of(field)
        else:
            yield name, field


def sections_of(description: Mapping[str, Any]) -> set[str]:
    """Return the names of an action's sections."""
    return {name for name, field in description["fields"].items() if "fields" in field}


@pytest.fixture
def described() -> dict[str, Any]:
    """Return what services.yaml says of our actions."""
    return load_yaml_dict(str(FOLDER / "services.yaml"))


async def test_every_action_is_described_with_all_its_fields(
    hass: HomeAssistant, described: Mapping[str, Any]
) -> None:
    """Neither more nor fewer than its schema takes."""
    assert await async_setup_component(hass, DOMAIN, {})
    actions = hass.services.async_services_for_domain(DOMAIN)

    assert actions.keys() == described.keys()
    for name, action in actions.items():
        assert isinstance(action.schema, vol.Schema)
        markers = {str(marker): marker for marker in action.schema.schema}
        fields = dict(fields_of(described[name]))
        assert fields.keys() == markers.keys() - TARGETS, name
        if markers.keys() & TARGETS:
            assert described[name]["target"]["entity"] == [
                {"integration": DOMAIN, "domain": NOTIFY_DOMAIN}
            ]
        for key, field in fields.items():
            must = isinstance(markers[key], vol.Required)
            assert field.get("required", False) is must, key


def test_every_field_has_a_selector_that_home_assistant_knows(
    described: Mapping[str, Any],
) -> None:
    """And one that offers what the action takes."""
    for description in described.values():
        for name, field in fields_of(description):
            selector(field["selector"])
            if name == "encoding":
                choices = field["selector"]["select"]["options"]
                assert choices == [encoding.value for encoding in TextEncoding]


@pytest.mark.parametrize("language", TEXTS)
def test_every_action_and_field_has_its_texts(
    described: Mapping[str, Any], language: str
) -> None:
    """A name and a description each; sections have a name."""
    texts = TEXTS[language]["services"]

    assert texts.keys() == described.keys()
    for name, description in described.items():
        action = texts[name]
        assert action["name"]
        assert action["description"]
        fields = dict(fields_of(description))
        assert action["fields"].keys() == fields.keys()
        for text in action["fields"].values():
            assert text["name"]
            assert text["description"]
        assert action.get("sections", {}).keys() == sections_of(description)
        for field in fields.values():
            select = field["selector"].get("select")
            if select is not None:
                choices = TEXTS[language]["selector"][select["translation_key"]]
                assert choices["options"].keys() == set(select["options"])
