"""What a call does whose recipients are not all loaded."""

from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, label_registry as lr
import pytest

from custom_components.sms_italia.const import DOMAIN
from simulator import Simulator

from ..accounts import Accounts, arrived

ANNA = "+393331234567"
BRUNO = "+393409876543"
RESPONDING = pytest.mark.parametrize("action", ["send_sms", "estimate"])


async def call(hass: HomeAssistant, action: str, **data: Any) -> None:  # noqa: ANN401 - as an automation writes them
    """Call an action of ours that is aimed at recipients."""
    await hass.services.async_call(
        DOMAIN,
        action,
        {"message": "Prova", **data},
        blocking=True,
        return_response=True,
    )


async def set_up_both(hass: HomeAssistant, accounts: Accounts) -> None:
    """Set up two accounts, and let the one of Bruno be unloaded."""
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    other = await accounts.set_up("transactionale", recipients={"Bruno": [BRUNO]})
    assert await hass.config_entries.async_unload(other.entry_id)


@RESPONDING
async def test_a_recipient_that_is_not_loaded_is_not_passed_over_in_silence(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, action: str
) -> None:
    await set_up_both(hass, accounts)

    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, action, entity_id="notify.bruno")

    assert caught.value.translation_key == "recipient_not_loaded"
    assert caught.value.translation_placeholders == {"entities": "notify.bruno"}
    assert arrived(simulator) == []


async def test_the_others_of_a_call_get_the_message_all_the_same(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """An alarm reaches whom it can, and the caller learns whom it did not reach."""
    await set_up_both(hass, accounts)

    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "send_sms", entity_id=["notify.bruno", "notify.anna"])

    assert caught.value.translation_key == "recipient_not_loaded"
    assert arrived(simulator) == [(ANNA, "Prova")]


@pytest.mark.parametrize("is_disabled", [False, True])
async def test_a_label_asks_for_all_entities_but_the_disabled_ones(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    is_disabled: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Who disables an entity does not want it to be sent to."""
    await set_up_both(hass, accounts)
    label = lr.async_get(hass).async_create("Famiglia").label_id
    disabled_by = er.RegistryEntryDisabler.USER if is_disabled else None
    registry = er.async_get(hass)
    registry.async_update_entity("notify.anna", labels={label})
    registry.async_update_entity(
        "notify.bruno", labels={label}, disabled_by=disabled_by
    )

    if is_disabled:
        await call(hass, "send_sms", label_id=label)
    else:
        with pytest.raises(HomeAssistantError):
            await call(hass, "send_sms", label_id=label)

    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_an_escalation_is_left_out_of_an_area_with_recipients(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, escalations={"Notte": []}
    )
    label = lr.async_get(hass).async_create("Famiglia").label_id
    for entity_id in ("notify.anna", "notify.notte"):
        er.async_get(hass).async_update_entity(entity_id, labels={label})

    await call(hass, "send_sms", label_id=label)

    assert arrived(simulator) == [(ANNA, "Prova")]


@pytest.mark.parametrize("action", ["send_sms", "estimate"])
@pytest.mark.parametrize("named", ["entity", "with a recipient", "device", "numbers"])
async def test_an_escalation_is_refused_with_the_action_that_sends_to_it(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    action: str,
    named: str,
) -> None:
    """Nothing is sent to the others of the call."""
    await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, escalations={"Notte": []}
    )
    entity = er.async_get(hass).async_get("notify.notte")
    assert entity is not None
    targets: dict[str, dict[str, object]] = {
        "entity": {"entity_id": "notify.notte"},
        "with a recipient": {"entity_id": ["notify.anna", "notify.notte"]},
        "device": {"device_id": entity.device_id},
        "numbers": {"device_id": entity.device_id, "numbers": [ANNA]},
    }

    with pytest.raises(ServiceValidationError, match=r"notify\.send_message") as caught:
        await call(hass, action, **targets[named])

    assert caught.value.translation_key == "escalation_no_recipient"
    assert arrived(simulator) == []


async def test_a_recipient_of_a_disabled_account_is_named(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Home Assistant disables the entities with the account."""
    account = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    await hass.config_entries.async_set_disabled_by(
        account.entry_id, ConfigEntryDisabler.USER
    )

    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "send_sms", entity_id="notify.anna")

    assert caught.value.translation_key == "recipient_not_loaded"
