"""The action that acknowledges escalations."""

from typing import Any

from homeassistant.auth.permissions.models import PermissionLookup
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.sms_italia.const import DOMAIN

from ..accounts import Accounts
from ..states import state_of

ANNA = "+393331234567"
NIGHT, DAY = "sensor.notte_escalation", "sensor.giorno_escalation"


async def acknowledge(
    hass: HomeAssistant,
    context: Context | None = None,
    **target: Any,  # noqa: ANN401 - as an automation writes it
) -> None:
    """Call the action."""
    await hass.services.async_call(
        DOMAIN, "acknowledge", target, blocking=True, context=context
    )


@pytest.fixture(autouse=True)
async def _calling(hass: HomeAssistant, accounts: Accounts) -> None:
    """Let two escalations of an account call."""
    await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={"Anna": [ANNA]},
        escalations={"Notte": [("uno", "anna")], "Giorno": [("uno", "anna")]},
    )
    for entity_id in ("notify.notte", "notify.giorno"):
        await hass.services.async_call(
            NOTIFY_DOMAIN,
            "send_message",
            {ATTR_ENTITY_ID: entity_id, "message": "Allarme"},
            blocking=True,
        )
    assert states(hass) == ["calling", "calling"]


def states(hass: HomeAssistant) -> list[str]:
    """Return the states of both escalations."""
    return [state_of(hass, NIGHT), state_of(hass, DAY)]


@pytest.mark.parametrize(
    "entity_id",
    ["notify.notte", "button.notte_acknowledge", NIGHT, "event.notte_calls"],
)
async def test_any_entity_of_an_escalation_stands_for_it(
    hass: HomeAssistant, entity_id: str
) -> None:
    """An automation acknowledges in the name of Home Assistant."""
    await acknowledge(hass, entity_id=entity_id)

    assert states(hass) == ["acknowledged", "calling"]
    state = hass.states.get(NIGHT)
    assert state is not None
    assert state.attributes["acknowledged_by"] == "Home Assistant"
    assert state.attributes["acknowledged_with"] == "action"


async def test_a_device_stands_for_its_escalation(hass: HomeAssistant) -> None:
    """And an area for all that are in it, whatever else is."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    for entity_id in ("notify.notte", "notify.giorno", "notify.anna"):
        entity = entities.async_get(entity_id)
        assert entity is not None
        assert entity.device_id is not None
        devices.async_update_device(entity.device_id, area_id="casa")
    night = entities.async_get(NIGHT)
    assert night is not None

    await acknowledge(hass, device_id=night.device_id)
    assert states(hass) == ["acknowledged", "calling"]
    await acknowledge(hass, area_id="casa")
    assert states(hass) == ["acknowledged", "acknowledged"]


async def test_all_entities_are_all_escalations(hass: HomeAssistant) -> None:
    await acknowledge(hass, entity_id="all")
    assert states(hass) == ["acknowledged", "acknowledged"]


async def test_all_escalations_are_those_that_the_user_may_control(
    hass: HomeAssistant, hass_read_only_user: MockUser
) -> None:
    """As Home Assistant understands it for its own actions."""
    context = Context(user_id=hass_read_only_user.id)
    with pytest.raises(Unauthorized):
        await acknowledge(hass, context, entity_id="all")
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {NIGHT: True}}})
    hass_read_only_user.perm_lookup = PermissionLookup(
        er.async_get(hass), dr.async_get(hass)
    )

    await acknowledge(hass, context, entity_id="all")

    assert states(hass) == ["acknowledged", "calling"]


async def test_once_more_changes_nothing(hass: HomeAssistant) -> None:
    await acknowledge(hass, entity_id=NIGHT)
    before = hass.states.get(NIGHT)

    await acknowledge(hass, entity_id=NIGHT)

    assert hass.states.get(NIGHT) == before


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ({"entity_id": ["notify.notte", "notify.anna"]}, "not_an_escalation"),
        ({"entity_id": "sun.sun"}, "not_an_escalation"),
        ({"area_id": "cantina"}, "no_escalation"),
        ({}, "no_escalation"),
    ],
)
async def test_what_is_no_escalation_is_named(
    hass: HomeAssistant, target: dict[str, Any], key: str
) -> None:
    """And nothing is acknowledged."""
    with pytest.raises(ServiceValidationError) as error:
        await acknowledge(hass, **target)

    assert error.value.translation_key == key
    assert states(hass) == ["calling", "calling"]


async def test_a_user_needs_the_right_to_control_the_entity(
    hass: HomeAssistant, hass_read_only_user: MockUser
) -> None:
    context = Context(user_id=hass_read_only_user.id)
    with pytest.raises(Unauthorized):
        await acknowledge(hass, context, entity_id=NIGHT)
    with pytest.raises(UnknownUser):
        await acknowledge(hass, Context(user_id="nobody"), entity_id=NIGHT)
    assert states(hass) == ["calling", "calling"]

    hass_read_only_user.mock_policy({"entities": {"entity_ids": {NIGHT: True}}})
    hass_read_only_user.perm_lookup = PermissionLookup(
        er.async_get(hass), dr.async_get(hass)
    )
    await acknowledge(hass, context, entity_id=NIGHT)
    assert states(hass) == ["acknowledged", "calling"]
