"""The notify entity of a recipient."""

from dataclasses import replace

from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from syrupy.assertion import SnapshotAssertion

from custom_components.sms_italia.const import CONF_RETRY_FOR, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Fault, Operation, Simulator

from .accounts import Accounts, appearance, arrived
from .states import notify

ANNA = "+393331234567"
BRUNO = "+393409876543"
CARLA = "+393201112223"
LANDLINE = "+390511234"
RECIPIENTS = {"Anna": [ANNA], "Bruno Bianchi": [BRUNO, CARLA]}

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


@EACH_PROVIDER
async def test_a_recipient_is_a_notify_entity_on_a_device_of_its_own(
    hass: HomeAssistant,
    accounts: Accounts,
    key: str,
    snapshot: SnapshotAssertion,
) -> None:
    """Everything of it that a user can see."""
    await accounts.set_up(key, entry_id=key, recipients={"Anna": [ANNA]})

    assert appearance(hass, "notify.anna") == snapshot


@EACH_PROVIDER
async def test_send_message_reaches_all_numbers_of_a_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """A title stands on a line of its own; the entity shows when it was."""
    await accounts.set_up(key, recipients=RECIPIENTS)
    before = dt_util.utcnow()

    await notify(
        hass,
        "send_message",
        entity_id="notify.bruno_bianchi",
        title="Casa",
        message="La porta è aperta",
    )

    text = "Casa\nLa porta è aperta"
    assert sorted(arrived(simulator)) == [(CARLA, text), (BRUNO, text)]
    assert {message.provider for message in simulator.messages} == {key}
    state = hass.states.get("notify.bruno_bianchi")
    assert state is not None
    when = dt_util.parse_datetime(state.state)
    assert when is not None
    assert before <= when <= dt_util.utcnow()
    other = hass.states.get("notify.anna")
    assert other is not None
    assert other.state == STATE_UNKNOWN


@pytest.mark.parametrize(
    ("domain", "action", "data"),
    [
        ("notify", "send_message", {"entity_id": "notify.anna", "message": "Prova"}),
        ("button", "press", {"entity_id": "button.anna_send_test_message"}),
    ],
)
async def test_a_recipient_that_is_just_being_removed_is_reported(
    hass: HomeAssistant,
    accounts: Accounts,
    domain: str,
    action: str,
    data: dict[str, str],
) -> None:
    """The account has no numbers of it any more, and its entities are still there."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    runtime = account.runtime_data
    account.runtime_data = replace(
        runtime, account=replace(runtime.account, recipients={})
    )

    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(domain, action, data, blocking=True)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert caught.value.translation_key == "recipient_removed"
    issues = ir.async_get(hass).issues
    assert (DOMAIN, f"undelivered_{account.entry_id}") in issues


async def test_a_recipient_in_another_country_is_sent_to(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The allowed countries bind numbers of a call, not those entered in the UI."""
    urs = "+41791234567"
    await accounts.set_up("smshosting", recipients={"Urs": [urs]})

    await notify(hass, "send_message", entity_id="notify.urs", message="Ciao")
    await notify(hass, "smshosting", target="urs", message="Ciao Urs")
    await notify(hass, "smshosting", target=urs, message="Ciao di nuovo")

    assert [to for to, _ in arrived(simulator)] == [urs, urs, urs]


async def test_a_message_that_is_not_sent_fails_the_action(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The automation learns of it, and the entity does not show it as sent."""
    await accounts.set_up(
        "smshosting", recipients=RECIPIENTS, options={CONF_RETRY_FOR: 0}
    )
    simulator.set_credit("smshosting", 0)

    with pytest.raises(HomeAssistantError) as caught:
        await notify(hass, "send_message", entity_id="notify.anna", message="Ciao")

    assert caught.value.translation_key == "not_sent_credit"
    assert caught.value.translation_placeholders == {
        "account": "Smshosting",
        "detail": "BAD_CREDIT",
    }
    state = hass.states.get("notify.anna")
    assert state is not None
    assert state.state == STATE_UNKNOWN


async def test_a_recipient_is_there_although_the_provider_is_not(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Home Assistant skips an entity that is unavailable, with success."""
    account = await accounts.set_up("smshosting", recipients=RECIPIENTS)
    simulator.inject("smshosting", Fault.SERVER_ERROR_EMPTY, 10, operation="credit")

    await account.runtime_data.coordinator.async_refresh()

    assert not account.runtime_data.coordinator.last_update_success
    state = hass.states.get("notify.anna")
    assert state is not None
    assert state.state == STATE_UNKNOWN


@EACH_PROVIDER
async def test_ten_recipients_in_one_action_are_as_few_requests_as_the_provider_takes(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Each entity has its own answer: that of a number that is dropped is a refusal."""
    good = {f"Persona {index}": f"+39333000000{index}" for index in range(9)}
    recipients = {name: [number] for name, number in good.items()}
    await accounts.set_up(key, recipients={**recipients, "Fisso": [LANDLINE]})
    before = len(simulator.requests.of(key))

    with pytest.raises(HomeAssistantError):
        await notify(
            hass,
            "send_message",
            entity_id=hass.states.async_entity_ids("notify"),
            message="Evacuare l'edificio",
        )

    requests = simulator.requests.of(key)[before:]
    sent = [one for one in requests if one.operation is Operation.SEND]
    takes = PROVIDERS[key].capabilities.recipients_per_submission
    assert len(sent) == (1 if takes > 1 else 10)
    assert sorted(to for to, _ in arrived(simulator)) == sorted(good.values())
    statuses = {
        name: hass.states.get(
            f"sensor.{name.lower().replace(' ', '_')}_last_delivery_status"
        )
        for name in (*good, "Fisso")
    }
    assert {
        name: state.state for name, state in statuses.items() if state is not None
    } == {**dict.fromkeys(good, "queued"), "Fisso": "failed"}
