"""Recipients are added and changed in the UI."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.const import (
    CONF_NUMBERS,
    DOMAIN,
    SUBENTRY_TYPE_RECIPIENT,
)

from ..accounts import Accounts

ANNA = "+393331234567"


@pytest.fixture
def account(accounts: Accounts) -> MockConfigEntry:
    """Return an account with one recipient, Bruno."""
    return accounts.add("smshosting", recipients={"Bruno": ["+393409876543"]})


async def start(hass: HomeAssistant, account: MockConfigEntry) -> SubentryFlowResult:
    """Open the form of a new recipient."""
    return await hass.config_entries.subentries.async_init(
        (account.entry_id, SUBENTRY_TYPE_RECIPIENT), context={"source": SOURCE_USER}
    )


async def submit(
    hass: HomeAssistant, form: SubentryFlowResult, name: str, *numbers: str
) -> SubentryFlowResult:
    """Fill in the form and send it; let everything that follows happen."""
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"name": name, "numbers": list(numbers)}
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


def recipients_of(account: MockConfigEntry) -> dict[str, list[str]]:
    """Return the numbers of the account's recipients by name."""
    return {
        subentry.title: subentry.data[CONF_NUMBERS]
        for subentry in account.subentries.values()
    }


async def test_a_recipient_is_stored_with_its_numbers_in_e164(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Numbers are understood as people write them; duplicates are dropped."""
    form = await start(hass, account)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert form["errors"] == {}
    assert shown_values(form) == {"numbers": [""]}, "a row to type into"

    result = await submit(
        hass,
        form,
        " Anna ",
        "333 123 4567",
        "",
        "0041 79 123 45 67",
        "+39 333 1234567",
    )

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert recipients_of(account)["Anna"] == [ANNA, "+41791234567"]


async def test_national_numbers_belong_to_the_country_of_home_assistant(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Without one they are Italian."""
    hass.config.country = "CH"
    await submit(hass, await start(hass, account), "Urs", "079 123 45 67")
    hass.config.country = None
    await submit(hass, await start(hass, account), "Anna", "333 123 4567")

    stored = recipients_of(account)
    assert stored["Urs"] == ["+41791234567"]
    assert stored["Anna"] == [ANNA]


@pytest.mark.parametrize(
    ("numbers", "error", "named"),
    [
        (["333 123 4567", "12", "ciao"], "invalid_number", "12, ciao"),
        (["333 123 4567", "899 123456"], "premium_number", "899 123456"),
        (["899 123456", "ciao"], "invalid_number", "ciao"),
        (["33612345678"], "lost_plus", "33612345678"),
        (
            ["899 123456", "41791234567", "40712345678"],
            "lost_plus",
            "41791234567, 40712345678",
        ),
        (["+39 333 1234567 8"], "invalid_number", "+39 333 1234567 8"),
        (["  "], "no_numbers", ""),
        ([], "no_numbers", ""),
    ],
)
async def test_a_bad_number_is_named_and_can_be_put_right(
    hass: HomeAssistant,
    account: MockConfigEntry,
    numbers: list[str],
    error: str,
    named: str,
) -> None:
    """What was typed stays in the form."""
    form = await submit(hass, await start(hass, account), "Anna", *numbers)

    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"numbers": error}
    placeholders = form["description_placeholders"]
    assert placeholders is not None
    assert placeholders["number"] == named
    assert shown_values(form) == {"name": "Anna", "numbers": numbers}
    assert "Anna" not in recipients_of(account)
    await submit(hass, form, "Anna", ANNA)
    assert recipients_of(account)["Anna"] == [ANNA]


@pytest.mark.parametrize(
    ("name", "error"), [("  ", "missing"), ("bruno ", "name_in_use")]
)
async def test_a_recipient_has_a_name_of_its_own(
    hass: HomeAssistant, account: MockConfigEntry, name: str, error: str
) -> None:
    """Actions find recipients by name, whatever its case."""
    form = await submit(hass, await start(hass, account), name, ANNA)

    assert form["errors"] == {"name": error}
    await submit(hass, form, "Anna", ANNA)
    assert recipients_of(account).keys() == {"Anna", "Bruno"}


@pytest.mark.parametrize(
    "name", ["Nicol\u00f2", "Nicolo\u0300", " NICOL\u00d2 ", "nicolo\u0300"]
)
async def test_a_name_is_in_use_in_whatever_spelling(
    hass: HomeAssistant, accounts: Accounts, name: str
) -> None:
    account = accounts.add("smshosting", recipients={"Nicol\u00f2": [ANNA]})
    form = await submit(hass, await start(hass, account), name, ANNA)
    assert form["errors"] == {"name": "name_in_use"}


async def test_recipients_of_two_accounts_may_have_the_same_name(
    hass: HomeAssistant, account: MockConfigEntry, accounts: Accounts
) -> None:
    """Each account has recipients of its own."""
    other = accounts.add("inviosmart")

    await submit(hass, await start(hass, other), "Bruno", ANNA)

    assert recipients_of(other) == {"Bruno": [ANNA]}
    assert recipients_of(account).keys() == {"Bruno"}


async def test_a_recipient_is_changed_in_place(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The form shows what is stored, and the subentry keeps its id."""
    form = await account.start_subentry_reconfigure_flow(hass, "bruno")
    assert form["step_id"] == "reconfigure"
    assert shown_values(form) == {"name": "Bruno", "numbers": ["+393409876543"]}

    form = await submit(hass, form, "Bruno", "12")
    assert form["errors"] == {"numbers": "invalid_number"}
    result = await submit(hass, form, "bruno", "+393409876543", ANNA)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert account.subentries["bruno"].title == "bruno"
    assert recipients_of(account) == {"bruno": ["+393409876543", ANNA]}


async def test_the_form_names_the_account(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """Right after set-up the form stands alone: it says whom it belongs to."""
    form = await start(hass, account)

    placeholders = form["description_placeholders"]
    assert placeholders is not None
    assert placeholders["account"] == account.title
    assert form["handler"] == (account.entry_id, SUBENTRY_TYPE_RECIPIENT)
    assert account.domain == DOMAIN
