"""The sensor of an escalation, and what its device shows."""

from homeassistant.core import HomeAssistant
import pytest
from syrupy.assertion import SnapshotAssertion

from .accounts import Accounts, appearance


@pytest.mark.parametrize(
    "entity_id",
    [
        "notify.notte",
        "button.notte_acknowledge",
        "sensor.notte_escalation",
        "event.notte_calls",
    ],
)
async def test_an_escalation_has_four_entities_on_its_device(
    hass: HomeAssistant,
    accounts: Accounts,
    entity_id: str,
    snapshot: SnapshotAssertion,
) -> None:
    """Everything of them that a user can see."""
    await accounts.set_up("smshosting", entry_id="me", escalations={"Notte": []})

    assert appearance(hass, entity_id) == snapshot
