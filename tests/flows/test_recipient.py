"""Recipients are added and changed in the UI."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.const import (
    CONF_FALLBACK,
    CONF_NUMBERS,
    CONF_RETRY_FOR,
    DOMAIN,
    SUBENTRY_TYPE_RECIPIENT,
)
from simulator import Simulator

from ..accounts import Accounts, arrived, until
from ..states import state_of

ANNA = "+393331234567"
BRUNO = "+393409876543"


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
    # With one of its own, core would show its text, in English to everybody.
    assert result.get("translation_domain") is None


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


async def submit_with_test(
    hass: HomeAssistant, form: SubentryFlowResult, name: str, *numbers: str
) -> SubentryFlowResult:
    """Fill in the form, ask for a test message, and send it."""
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"name": name, "numbers": list(numbers), "send_test": True}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def test_a_test_message_asked_for_in_the_form_goes_to_the_new_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Its status sensor and its notify entity know of it, as after the button."""
    account = await accounts.set_up("smshosting")

    result = await submit_with_test(hass, await start(hass, account), "Anna", ANNA)

    assert result["description"] == "alone_tested"
    await until(lambda: arrived(simulator))
    await hass.async_block_till_done(wait_background_tasks=True)
    ((to, text),) = arrived(simulator)
    assert to == ANNA
    assert text.startswith("Test message from SMS Italia")
    assert state_of(hass, "sensor.anna_last_delivery_status") in {"queued", "sent"}
    assert state_of(hass, "notify.anna") != STATE_UNKNOWN


async def test_a_test_message_goes_to_the_numbers_of_a_changed_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Also if the form changed nothing."""
    account = await accounts.set_up("smshosting", recipients={"Bruno": [BRUNO]})

    for numbers in ([ANNA], [ANNA]):
        form = await account.start_subentry_reconfigure_flow(hass, "bruno")
        result = await submit_with_test(hass, form, "Bruno", *numbers)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "tested")
    await until(lambda: len(simulator.messages) > 1)

    assert [to for to, _ in arrived(simulator)] == [ANNA, ANNA]


async def test_no_test_message_is_sent_unless_it_is_asked_for(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Nor by a dialog that is closed after an error."""
    account = await accounts.set_up("smshosting", options={CONF_FALLBACK: ["other"]})

    form = await submit_with_test(hass, await start(hass, account), "Anna", "12")
    hass.config_entries.subentries.async_abort(form["flow_id"])
    result = await submit(hass, await start(hass, account), "Anna", ANNA)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["description"] == "default"
    assert arrived(simulator) == []


async def test_a_test_message_that_is_refused_becomes_a_repair_with_the_reason(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """The recipient is stored all the same, and nobody waits for the answer."""
    account = await accounts.set_up("smshosting", options={CONF_RETRY_FOR: 0})
    simulator.set_credit("smshosting", 0)

    await submit_with_test(hass, await start(hass, account), "Anna", ANNA)

    issue_id = f"undelivered_{account.entry_id}"
    await until(lambda: ir.async_get(hass).async_get_issue(DOMAIN, issue_id))
    assert recipients_of(account) == {"Anna": [ANNA]}


async def test_an_account_that_is_not_loaded_offers_no_test_message(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    assert await hass.config_entries.async_unload(account.entry_id)

    form = await start(hass, account)

    assert form["data_schema"] is not None
    assert set(map(str, form["data_schema"].schema)) == {"name", "numbers"}


@pytest.mark.parametrize(
    ("has_recipient", "fallback", "description"),
    [
        (False, [], "alone"),
        (True, [], "default"),
        (False, ["other"], "default"),
    ],
)
async def test_the_first_recipient_ends_the_set_up_which_says_that_no_fallback_is_there(
    hass: HomeAssistant,
    accounts: Accounts,
    *,
    has_recipient: bool,
    fallback: list[str],
    description: str,
) -> None:
    recipients = {"Bruno": [BRUNO]} if has_recipient else {}
    account = accounts.add(
        "smshosting", options={CONF_FALLBACK: fallback}, recipients=recipients
    )

    result = await submit(hass, await start(hass, account), "Anna", ANNA)

    assert result["description"] == description
    assert result["description_placeholders"] == {"account": account.title}


async def test_a_landline_is_asked_about_before_it_is_stored(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    """The form can be put right, with all that was typed, or confirmed."""
    given = ["06 1234 5678", "333 123 4567"]
    menu = await submit(hass, await start(hass, account), "Anna", *given)
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "landline")
    assert menu["description_placeholders"] == {"number": "+390612345678"}

    form = await choose(hass, menu, "change_numbers")
    assert (form["step_id"], form["errors"]) == ("user", {})
    assert shown_values(form) == {"name": "Anna", "numbers": given}
    result = await choose(
        hass, await submit(hass, form, "Anna", *given), "keep_landline"
    )

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert recipients_of(account)["Anna"] == ["+390612345678", ANNA]


async def test_a_landline_that_the_recipient_has_is_not_asked_about_again(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = accounts.add("smshosting", recipients={"Bruno": ["+390612345678"]})
    form = await account.start_subentry_reconfigure_flow(hass, "bruno")

    result = await submit(hass, form, "Bruno", "+390612345678", ANNA)

    assert result["type"] is FlowResultType.ABORT
    assert recipients_of(account) == {"Bruno": ["+390612345678", ANNA]}


async def choose(
    hass: HomeAssistant, menu: SubentryFlowResult, option: str
) -> SubentryFlowResult:
    """Choose an option of a menu."""
    result = await hass.config_entries.subentries.async_configure(
        menu["flow_id"], {"next_step_id": option}
    )
    await hass.async_block_till_done()
    return result
