"""The delivery event: one for the final status of each message."""

from homeassistant.core import (
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_state_change_event
import pytest

from custom_components.sms_italia.const import CONF_FALLBACK
from custom_components.sms_italia.event import event_type_of
from custom_components.sms_italia.providers import ErrorKind, Status
from simulator import Fault, Simulator

from .accounts import Accounts, until
from .messaging.helpers import a_dispatch, a_message
from .states import call

ANNA = "+393331234567"
BRUNO = "+393409876543"
EVENT = "event.smshosting_delivery"

pytestmark = pytest.mark.usefixtures("quick")


def follow(hass: HomeAssistant) -> list[tuple[str, str | None]]:
    """Return a list that gets the type and the recipient of each event."""
    events: list[tuple[str, str | None]] = []

    @callback
    def hear(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and (kind := state.attributes.get("event_type")):
            events.append((kind, state.attributes["recipient"]))

    async_track_state_change_event(hass, EVENT, hear)
    return events


async def send(hass: HomeAssistant, recipient: str) -> None:
    """Send to a recipient's entity."""
    await hass.services.async_call(
        "notify",
        "send_message",
        {"entity_id": f"notify.{recipient}", "message": "Allarme"},
        blocking=True,
    )


@pytest.mark.parametrize(("status", "kind"), [("delivered",) * 2, ("failed",) * 2])
async def test_the_final_status_of_a_message_fires_one_event(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    status: str,
    kind: str,
) -> None:
    """With the recipient's name and a masked number, and without the text."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    events = follow(hass)
    await send(hass, "anna")
    assert events == []

    simulator.move(simulator.messages[0].id, "sent")
    simulator.move(simulator.messages[0].id, status)
    await until(lambda: events)

    assert events == [(kind, "Anna")]
    state = hass.states.get(EVENT)
    assert state is not None
    assert state.attributes["number"] == "***567"
    assert state.attributes["account"] == "Smshosting"
    assert state.attributes["cost"] == 0.062
    assert "Allarme" not in str(state.attributes)


async def test_an_uncertain_message_fires_an_event(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """And the final status, once the provider was asked."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    events = follow(hass)
    simulator.inject("smshosting", Fault.CUT_AFTER_ACCEPT, operation="send")
    with pytest.raises(HomeAssistantError):
        await send(hass, "anna")
    assert events == [("uncertain", "Anna")]

    simulator.move(simulator.messages[0].id, "delivered")
    await until(lambda: len(events) > 1)
    assert events == [("uncertain", "Anna"), ("delivered", "Anna")]


async def test_a_cancelled_message_fires_an_event_of_its_own(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The user's own doing is no failure."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    simulator.inject("smshosting", Fault.THROTTLED)
    await send(hass, "anna")
    events = follow(hass)
    (message,) = (await call(hass, "find_messages"))["messages"]
    await call(hass, "cancel", message_id=message["id"])
    await until(lambda: events)
    assert events == [("cancelled", "Anna")]


async def test_a_status_changed_while_the_account_was_unloaded_fires_an_event_later(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Another account had taken the message and followed it."""
    other = await accounts.set_up("inviosmart")
    account = await accounts.set_up(
        "smshosting",
        recipients={"Anna": [ANNA], "Bruno": [BRUNO]},
        options={CONF_FALLBACK: [other.entry_id]},
    )
    simulator.inject("smshosting", Fault.THROTTLED)
    await send(hass, "anna")
    assert await hass.config_entries.async_unload(account.entry_id)
    simulator.move(simulator.messages[0].id, "delivered")
    messenger = other.runtime_data.messenger
    await until(lambda: not messenger.open_messages(account.entry_id))
    events = follow(hass)

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert events[-1:] == [("delivered", "Anna")]
    count = len(events)

    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert events[count:] in ([], [("delivered", "Anna")]), "restored, not fired again"


@pytest.mark.parametrize(
    ("status", "event_type"),
    [(Status.FAILED, "cancelled"), (Status.QUEUED, None), (Status.UNCERTAIN, None)],
)
def test_what_its_user_cancelled_is_neither_a_failure_nor_a_doubt(
    status: Status, event_type: str | None
) -> None:
    """Until its provider says that it was not sent, there is no event."""
    message = a_message(a_dispatch(), status=status, error=ErrorKind.CANCELLED)
    assert event_type_of(message) == event_type
