"""Recipients of one name in two accounts are told apart wherever one is chosen."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.entity import subentry_device

from .accounts import Accounts

ANNA = "+393331234567"
OTHER = "+393409876543"


def name_in(hass: HomeAssistant, account: MockConfigEntry) -> str | None:
    """Return the name of the device of an account's one recipient or escalation."""
    (subentry,) = account.subentries.values()
    device = dr.async_get(hass).async_get_device_by_identifier(
        subentry_device(account.entry_id, subentry.subentry_id), account.entry_id
    )
    return device.name if device else None


def friendly(hass: HomeAssistant, entity_id: str) -> str:
    """Return the name that lists of entities show."""
    state = hass.states.get(entity_id)
    assert state is not None
    return str(state.attributes["friendly_name"])


async def test_recipients_of_one_name_are_named_with_their_accounts(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """However the name is written; the entity that was there keeps its ID."""
    one = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    assert name_in(hass, one) == "Anna"

    two = await accounts.set_up("inviosmart", recipients={"anna": [OTHER]})
    await hass.async_block_till_done()

    assert (name_in(hass, one), name_in(hass, two)) == (
        "Anna (Smshosting)",
        "anna (Inviosmart)",
    )
    assert friendly(hass, "notify.anna") == "Anna (Smshosting)"
    assert friendly(hass, "notify.anna_inviosmart") == "anna (Inviosmart)"


async def test_an_escalation_and_a_recipient_of_one_name_are_told_apart(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    one = await accounts.set_up("smshosting", recipients={"Notte": [ANNA]})
    two = await accounts.set_up("inviosmart", escalations={"Notte": []})

    assert (name_in(hass, one), name_in(hass, two)) == (
        "Notte (Smshosting)",
        "Notte (Inviosmart)",
    )


@pytest.mark.parametrize(
    ("language", "recipient", "escalation"),
    [
        ("en", "SMS recipient", "SMS escalation"),
        ("it", "Destinatario SMS", "Escalation SMS"),
    ],
)
async def test_a_device_says_what_it_is_in_the_language_of_the_instance(
    hass: HomeAssistant,
    accounts: Accounts,
    language: str,
    recipient: str,
    escalation: str,
) -> None:
    hass.config.language = language
    account = await accounts.set_up(
        "smshosting", recipients={"Anna": [ANNA]}, escalations={"Notte": []}
    )
    registry = dr.async_get(hass)
    devices = dr.async_entries_for_config_entry(registry, account.entry_id)

    assert {device.name: device.model for device in devices} == {
        "Smshosting": None,
        "Anna": recipient,
        "Notte": escalation,
    }


@pytest.mark.parametrize("end", ["renamed", "removed", "account removed"])
async def test_the_plain_name_is_back_when_it_is_the_only_one(
    hass: HomeAssistant, accounts: Accounts, end: str
) -> None:
    one = await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    two = await accounts.set_up("inviosmart", recipients={"Anna": [OTHER]})
    assert name_in(hass, one) == "Anna (Smshosting)"
    (recipient,) = two.subentries.values()

    match end:
        case "renamed":
            hass.config_entries.async_update_subentry(two, recipient, title="Bruno")
        case "removed":
            hass.config_entries.async_remove_subentry(two, recipient.subentry_id)
        case _:
            await hass.config_entries.async_remove(two.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert name_in(hass, one) == "Anna"
    assert friendly(hass, "notify.anna") == "Anna"


async def test_the_title_of_the_account_is_the_one_that_it_has_now(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    await accounts.set_up("smshosting", recipients={"Anna": [ANNA]})
    two = await accounts.set_up("inviosmart", recipients={"Anna": [OTHER]})

    hass.config_entries.async_update_entry(two, title="Mare")
    await hass.async_block_till_done(wait_background_tasks=True)

    assert name_in(hass, two) == "Anna (Mare)"
