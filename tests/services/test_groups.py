"""Groups of notify entities, as users make them, are sent to by `send_sms`."""

from typing import Any

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
from homeassistant.helpers import entity_registry as er, label_registry as lr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.sms_italia.const import DOMAIN
from simulator import Simulator

from ..accounts import Accounts, arrived

ANNA = "+393331234567"
BRUNO = "+393409876543"


async def send(
    hass: HomeAssistant,
    user: User | None = None,
    **data: Any,  # noqa: ANN401 - as an automation writes them
) -> None:
    """Call the action, as an automation or as a user."""
    await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {"message": "Prova", **data},
        blocking=True,
        context=Context(user_id=user.id if user else None),
    )


async def group(hass: HomeAssistant, title: str, *members: str) -> MockConfigEntry:
    """Make a group of notify entities, as its helper does."""
    entry = MockConfigEntry(
        domain="group",
        title=title,
        options={
            "group_type": "notify",
            "name": title,
            "entities": list(members),
            "hide_members": False,
        },
        version=1,
        minor_version=1,
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture(autouse=True)
async def _account(accounts: Accounts) -> None:
    await accounts.set_up(
        "smshosting",
        recipients={"Anna": [ANNA], "Bruno": [BRUNO]},
        escalations={"Notte": []},
    )


async def test_every_member_of_a_group_gets_the_message_once(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """Also of groups within groups, and one that is named beside its group."""
    await group(hass, "Casa", "notify.bruno", "notify.anna")
    await group(hass, "Tutti", "notify.casa", "notify.anna", "notify.tutti")

    await send(hass, entity_id=["notify.tutti", "notify.bruno"])

    assert sorted(arrived(simulator)) == [(ANNA, "Prova"), (BRUNO, "Prova")]


async def test_a_member_may_be_stored_by_its_id_in_the_registry(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """So that it can be renamed."""
    anna = er.async_get(hass).async_get("notify.anna")
    assert anna is not None
    await group(hass, "Casa", anna.id)
    er.async_get(hass).async_update_entity(
        "notify.anna", new_entity_id="notify.la_anna"
    )

    await send(hass, entity_id="notify.casa")

    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_a_group_is_sent_to_while_it_is_not_loaded(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    entry = await group(hass, "Casa", "notify.anna")
    assert await hass.config_entries.async_unload(entry.entry_id)

    await send(hass, entity_id="notify.casa")

    assert arrived(simulator) == [(ANNA, "Prova")]


@pytest.mark.parametrize(
    "stranger", ["notify.telegram", "notify.notte", "sensor.smshosting_credit"]
)
async def test_a_member_that_is_no_recipient_is_named_with_its_group(
    hass: HomeAssistant, simulator: Simulator, stranger: str
) -> None:
    """Nothing is sent: core's own action sends to such a group."""
    await group(hass, "Casa", "notify.anna", stranger)
    await group(hass, "Tutti", "notify.casa")

    with pytest.raises(ServiceValidationError) as caught:
        await send(hass, entity_id="notify.tutti")

    assert caught.value.translation_key == "group_with_stranger"
    assert caught.value.translation_placeholders == {
        "entity": stranger,
        "group": "notify.casa",
    }
    assert arrived(simulator) == []


async def test_a_group_behind_a_label_stands_for_those_members_that_are_ours(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """As everything else that a label has."""
    await group(hass, "Casa", "notify.anna", "notify.telegram")
    label = lr.async_get(hass).async_create("Famiglia").label_id
    er.async_get(hass).async_update_entity("notify.casa", labels={label})

    await send(hass, label_id=label)

    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_a_disabled_member_is_missing_and_the_others_get_the_message(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    await group(hass, "Casa", "notify.anna", "notify.bruno")
    er.async_get(hass).async_update_entity(
        "notify.bruno", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()

    with pytest.raises(HomeAssistantError) as caught:
        await send(hass, entity_id="notify.casa")

    assert caught.value.translation_placeholders == {"entities": "notify.bruno"}
    assert arrived(simulator) == [(ANNA, "Prova")]


async def test_a_disabled_group_is_no_recipient(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    await group(hass, "Casa", "notify.anna")
    er.async_get(hass).async_update_entity(
        "notify.casa", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()

    with pytest.raises(ServiceValidationError) as caught:
        await send(hass, entity_id="notify.casa")

    assert caught.value.translation_key == "not_a_recipient"
    assert arrived(simulator) == []


@pytest.mark.parametrize(
    ("may_control", "is_allowed"),
    [
        (["notify.casa", "notify.anna", "notify.bruno"], True),
        (["notify.anna", "notify.bruno"], False),
        (["notify.casa", "notify.anna"], False),
        (["notify.casa"], False),
    ],
)
async def test_a_user_needs_the_right_to_the_group_and_to_each_member(
    hass: HomeAssistant,
    simulator: Simulator,
    may_control: list[str],
    *,
    is_allowed: bool,
) -> None:
    await group(hass, "Casa", "notify.anna", "notify.bruno")
    user = MockUser(name="guest").add_to_hass(hass)
    rights = {entity_id: {POLICY_CONTROL: True} for entity_id in may_control}
    user.mock_policy({"entities": {"entity_ids": rights}})

    if is_allowed:
        await send(hass, user, entity_id="notify.casa")
    else:
        with pytest.raises(Unauthorized):
            await send(hass, user, entity_id="notify.casa")

    assert len(arrived(simulator)) == (2 if is_allowed else 0)
