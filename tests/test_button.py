"""The button that sends a test message, and what its device shows of it."""

from homeassistant.components.button import DOMAIN as BUTTON_DOMAIN, SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from syrupy.assertion import SnapshotAssertion

from custom_components.sms_italia.const import CONF_DAILY_LIMIT, CONF_RETRY_FOR, DOMAIN
from custom_components.sms_italia.providers import PROVIDERS, Status
from simulator import Simulator

from .accounts import Accounts, appearance, arrived, until
from .states import state_of

ANNA = "+393331234567"
BRUNO = "+393409876543"
BUTTON = "button.anna_send_test_message"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)


async def press(hass: HomeAssistant, button: str = BUTTON) -> None:
    """Press a button and wait for what it does."""
    await hass.services.async_call(
        BUTTON_DOMAIN, SERVICE_PRESS, {ATTR_ENTITY_ID: button}, blocking=True
    )


def status(hass: HomeAssistant) -> str:
    """Return what the device of the recipient says of the last message."""
    entity_id = er.async_get(hass).async_get_entity_id(
        "sensor", DOMAIN, "account_anna_last_delivery_status"
    )
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    return str(state.state)


async def test_a_recipient_has_a_button_on_its_device(
    hass: HomeAssistant, accounts: Accounts, snapshot: SnapshotAssertion
) -> None:
    """Everything of it that a user can see."""
    await accounts.set_up("smshosting", entry_id="me", recipients={"Anna": [ANNA]})

    assert appearance(hass, BUTTON) == snapshot


@EACH_PROVIDER
@pytest.mark.usefixtures("quick")
async def test_the_button_is_answered_by_the_delivery_status(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, key: str
) -> None:
    """Of the recipient on whose device both stand."""
    await accounts.set_up(
        key, entry_id="account", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )

    await press(hass)

    (message,) = simulator.messages
    assert (message.to, message.parts) == (ANNA, 1)
    assert status(hass) in {Status.QUEUED, Status.SENT}
    simulator.move(message.id, "delivered")
    await until(lambda: status(hass) == Status.DELIVERED)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Test message from SMS Italia, sent by Home Assistant at "),
        ("it", "Messaggio di prova di SMS Italia, inviato da Home Assistant alle "),
        ("de", "Test message from SMS Italia, sent by Home Assistant at "),
    ],
)
async def test_the_text_is_in_the_language_of_home_assistant_with_the_time(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    language: str,
    words: str,
) -> None:
    """In English where there is no translation."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    hass.config.language = language
    before = dt_util.now()

    await press(hass)

    ((_, text),) = arrived(simulator)
    moments = [before, dt_util.now()]
    assert text in {f"{words}{moment:%H:%M:%S}." for moment in moments}


async def test_every_number_of_the_recipient_gets_it(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up("inviosmart", recipients={"Anna": [ANNA, BRUNO]})

    await press(hass)

    assert sorted(to for to, _ in arrived(simulator)) == [ANNA, BRUNO]


async def test_a_test_message_that_is_not_sent_gives_the_reason(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """As every other message: the same limits, the same sentences."""
    await accounts.set_up(
        "smshosting",
        options={CONF_DAILY_LIMIT: 1, CONF_RETRY_FOR: 0},
        recipients={"Anna": [ANNA]},
    )
    simulator.set_credit("smshosting", 0)
    with pytest.raises(HomeAssistantError) as no_credit:
        await press(hass)
    simulator.set_credit("smshosting", 5)
    await press(hass)
    with pytest.raises(HomeAssistantError) as no_more_today:
        await press(hass)

    assert no_credit.value.translation_domain == DOMAIN
    assert no_credit.value.translation_key == "not_sent_credit"
    assert no_more_today.value.translation_domain == DOMAIN
    assert no_more_today.value.translation_key == "daily_limit"
    assert len(arrived(simulator)) == 1


async def test_the_button_is_there_in_test_mode_too(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """A button that is missing is looked for; the message proves the account."""
    await accounts.set_up(
        "smshosting", options={"sandbox": True}, recipients={"Anna": [ANNA]}
    )

    button = er.async_get(hass).async_get(BUTTON)
    assert button is not None
    assert not button.disabled


async def test_the_notify_entity_shows_when_a_test_message_was_sent(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """But not one that was refused, nor one to somebody else."""
    await accounts.set_up(
        "smshosting",
        options={CONF_RETRY_FOR: 0},
        recipients={"Anna": [ANNA], "Bruno": [BRUNO]},
    )
    simulator.set_credit("smshosting", 0)
    with pytest.raises(HomeAssistantError):
        await press(hass)
    assert state_of(hass, "notify.anna") == STATE_UNKNOWN

    simulator.set_credit("smshosting", 5)
    await press(hass)

    assert state_of(hass, "notify.anna") != STATE_UNKNOWN
    assert state_of(hass, "notify.bruno") == STATE_UNKNOWN
