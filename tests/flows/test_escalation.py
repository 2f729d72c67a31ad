"""Escalations are added and changed in the UI."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.const import DOMAIN, SUBENTRY_TYPE_ESCALATION

from ..accounts import Accounts

ANNA, BRUNO, CARLA = "+393331234567", "+393409876543", "+393331112223"
FORM: dict[str, Any] = {
    "name": "Notte",
    "members": ["notify.carla", "notify.anna"],
    "wait": 10,
    "rounds": 2,
    "until": "delivered",
    "tell_others": True,
    "quiet": 30,
}
MEMBERS = [
    {"config_entry_id": "due", "subentry_id": "carla"},
    {"config_entry_id": "uno", "subentry_id": "anna"},
]


@pytest.fixture
async def account(accounts: Accounts) -> MockConfigEntry:
    """Return an account with two recipients; a third is of another account."""
    one = await accounts.set_up(
        "smshosting", entry_id="uno", recipients={"Anna": [ANNA], "Bruno": [BRUNO]}
    )
    await accounts.set_up("inviosmart", entry_id="due", recipients={"Carla": [CARLA]})
    return one


async def start(hass: HomeAssistant, account: MockConfigEntry) -> SubentryFlowResult:
    """Open the form of a new escalation."""
    return await hass.config_entries.subentries.async_init(
        (account.entry_id, SUBENTRY_TYPE_ESCALATION), context={"source": SOURCE_USER}
    )


async def submit(
    hass: HomeAssistant, form: SubentryFlowResult, **changes: object
) -> SubentryFlowResult:
    """Fill in the form and send it; let everything that follows happen."""
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], FORM | changes
    )
    await hass.async_block_till_done()
    return result


def shown_values(form: SubentryFlowResult) -> dict[str, Any]:
    """Return what the fields of the form are filled with."""
    schema = form["data_schema"]
    assert schema is not None
    return {
        str(marker): marker.description["suggested_value"]
        for marker in schema.schema
        if marker.description
    }


async def test_an_escalation_is_stored_with_its_members_in_order(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Also with those of other accounts; its entities are there at once."""
    form = await start(hass, account)
    assert form["type"] is FlowResultType.FORM
    assert shown_values(form) == {
        "wait": 5,
        "rounds": 1,
        "until": "acknowledged",
        "tell_others": False,
        "quiet": 0,
    }

    result = await submit(hass, form, name=" Notte ")

    assert result["type"] is FlowResultType.CREATE_ENTRY
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    assert escalation.title == "Notte"
    expected = {key: FORM[key] for key in FORM if key != "name"}
    assert dict(escalation.data) == expected | {"members": MEMBERS}
    assert hass.states.get("notify.notte") is not None
    assert hass.states.get("button.notte_acknowledge") is not None


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"name": "  "}, {"name": "missing"}),
        ({"name": "anna"}, {"name": "name_in_use"}),
        ({"members": []}, {"members": "no_members"}),
        ({"members": ["notify.anna"] * 2}, {"members": "member_twice"}),
    ],
)
async def test_what_is_wrong_is_named_and_can_be_put_right(
    hass: HomeAssistant,
    account: MockConfigEntry,
    changes: dict[str, Any],
    errors: dict[str, str],
) -> None:
    """What was typed stays in the form."""
    form = await submit(hass, await start(hass, account), **changes)

    assert form["errors"] == errors
    assert shown_values(form) == FORM | changes
    result = await submit(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "stranger",
    [
        "notify.notte",
        "notify.nobody",
        "sensor.smshosting_credit",
        "9a0c6e7f1d2b4c5a8e3f0b1d2c4a6e8f",
        "Anna",
    ],
)
async def test_only_recipients_can_be_members(
    hass: HomeAssistant, account: MockConfigEntry, stranger: str
) -> None:
    """An escalation has a notify entity too; nothing is left out in silence."""
    await submit(hass, await start(hass, account))

    members = ["notify.carla", stranger, "notify.anna"]
    form = await submit(
        hass, await start(hass, account), name="Giorno", members=members
    )

    assert form["errors"] == {"members": "not_a_recipient"}
    assert form["description_placeholders"] is not None
    assert form["description_placeholders"]["strangers"] == stranger
    assert shown_values(form)["members"] == members
    result = await submit(hass, form, name="Giorno")
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_recipient_that_is_removed_while_the_form_is_open_is_no_member(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    form = await start(hass, account)
    hass.config_entries.async_remove_subentry(account, "anna")
    await hass.async_block_till_done()

    form = await submit(hass, form)

    assert form["errors"] == {"members": "not_a_recipient"}


@pytest.mark.parametrize("members", ["notify.anna", [1], None])
async def test_members_are_a_list_of_texts(
    hass: HomeAssistant, account: MockConfigEntry, members: object
) -> None:
    form = await start(hass, account)
    with pytest.raises(InvalidData):
        await submit(hass, form, members=members)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("wait", 0), ("wait", 1441), ("rounds", 11), ("quiet", -1), ("wait", 2.5)],
)
async def test_a_number_out_of_bounds_is_an_error_of_its_field(
    hass: HomeAssistant, account: MockConfigEntry, key: str, wrong: float
) -> None:
    """In the user's language; nothing typed is lost."""
    form = await submit(hass, await start(hass, account), **{key: wrong})

    assert form["errors"] == {key: f"{key}_range"}
    assert shown_values(form) == FORM | {key: wrong}
    await submit(hass, form)
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    assert escalation.data[key] == FORM[key]


async def test_without_a_recipient_there_is_nothing_to_choose(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")

    form = await start(hass, account)

    assert (form["type"], form["reason"]) == (FlowResultType.ABORT, "no_recipients")


async def test_an_escalation_is_changed_without_a_reload(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Whatever the entities of its members are called or do meanwhile."""
    await submit(hass, await start(hass, account))
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    registry = er.async_get(hass)
    registry.async_update_entity("notify.carla", new_entity_id="notify.la_carla")
    registry.async_update_entity(
        "notify.anna", disabled_by=er.RegistryEntryDisabler.USER
    )

    form = await account.start_subentry_reconfigure_flow(hass, escalation.subentry_id)

    changed = FORM | {"members": ["notify.la_carla", "notify.anna"]}
    assert shown_values(form) == changed
    changed |= {"name": "Sempre", "wait": 1}
    result = await submit(hass, form, **changed)
    assert (result["type"], result["reason"]) == (
        FlowResultType.ABORT,
        "reconfigure_successful",
    )
    # With one of its own, core would show its text, in English to everybody.
    assert result.get("translation_domain") is None
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    assert (escalation.title, escalation.data["wait"]) == ("Sempre", 1)
    assert escalation.data["members"] == MEMBERS
    state = hass.states.get("notify.notte")
    assert state is not None
    assert state.attributes["friendly_name"] == "Sempre"


async def test_the_form_says_that_a_member_was_removed(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """It is left out by saving the form, and not before."""
    await submit(hass, await start(hass, account))
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    other = hass.config_entries.async_get_entry("due")
    assert other is not None
    hass.config_entries.async_remove_subentry(other, "carla")
    await hass.async_block_till_done()

    form = await account.start_subentry_reconfigure_flow(hass, escalation.subentry_id)

    assert shown_values(form)["members"] == ["notify.anna"]
    assert form["errors"] == {"members": "member_gone"}
    await submit(hass, form, members=["notify.anna"])
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)
    assert escalation.data["members"] == MEMBERS[1:]


async def test_the_entities_go_with_the_escalation(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    await submit(hass, await start(hass, account))
    (escalation,) = account.get_subentries_of_type(SUBENTRY_TYPE_ESCALATION)

    hass.config_entries.async_remove_subentry(account, escalation.subentry_id)
    await hass.async_block_till_done()

    assert hass.states.get("notify.notte") is None
    assert not [
        one
        for one in er.async_get(hass).entities.values()
        if one.platform == DOMAIN and one.entity_id.endswith("notte")
    ]
