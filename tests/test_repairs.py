"""The flows that fix repair issues."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
import re
import sqlite3
from typing import Any

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.repairs import DOMAIN as REPAIRS_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components import sms_italia
from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_LOW_CREDIT,
    CONF_RETRY_FOR,
    DOMAIN,
)
from custom_components.sms_italia.issues import (
    FIXABLE,
    async_report_daily_limit,
    async_report_refused_call,
)
from custom_components.sms_italia.messaging import (
    HttpsRequired,
    Timing,
)
from custom_components.sms_italia.providers import PROVIDERS
from custom_components.sms_italia.repairs import FIX_FLOWS
from custom_components.sms_italia.runtime import MESSENGER
from simulator import Fault, Simulator

from .accounts import Accounts, arrived, until
from .days import Midnight
from .internet import Internet, answer, hang_up
from .issues import (
    ANNA,
    GATEWAY,
    OWN_HTTPS,
    PERSON,
    an_hour_passes,
    damage,
    exceed,
    fail,
    issues,
    lead_from_http_to_https,
    ledger_of,
    send,
    send_refused,
    shown,
    text_of,
)
from .states import call

pytestmark = pytest.mark.usefixtures("person")


class FixDialog:
    """The dialog of an issue with a fix flow, as a person uses it."""

    def __init__(self, hass: HomeAssistant, client: ClientSessionGenerator) -> None:
        """Use the dialogs of this Home Assistant."""
        self._hass = hass
        self._client = client
        self._key = ""
        self._flow = ""
        self._placeholders: set[str] = set()

    async def open(self, key: str) -> dict[str, Any]:
        """Open the dialog of an issue and return its first step."""
        assert await async_setup_component(self._hass, REPAIRS_DOMAIN, {})
        issue = issues(self._hass)[key]
        self._key = key
        self._placeholders = set(issue.translation_placeholders or {})
        return await self._post("", {"handler": DOMAIN, "issue_id": issue.issue_id})

    async def go_on(self, **answer: object) -> dict[str, Any]:
        """Answer the step that is open and return the next one."""
        return await self._post(f"/{self._flow}", answer)

    async def choose(self, option: str) -> dict[str, Any]:
        """Choose from the menu that is open and return the next step."""
        return await self.go_on(next_step_id=option)

    async def _post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        """Post, and see to it that what is shown next has its texts."""
        client = await self._client()
        response = await client.post(f"/api/repairs/issues/fix{path}", json=body)
        assert response.status == HTTPStatus.OK
        step: dict[str, Any] = await response.json()
        await self._hass.async_block_till_done(wait_background_tasks=True)
        self._flow = step["flow_id"]
        texts = await async_get_translations(self._hass, "en", "issues", {DOMAIN})
        for part in _parts(step):
            text = texts[f"component.{DOMAIN}.issues.{self._key}.fix_flow.{part}"]
            known = self._placeholders | set(step.get("description_placeholders") or {})
            assert set(re.findall(r"{(\w+)}", text)) <= known
        return step


def _parts(step: dict[str, Any]) -> list[str]:
    """Return where the texts of a step of a flow stand."""
    match step["type"]:
        case "create_entry":
            return []
        case "abort":
            return [f"abort.{step['reason']}"]
        case "menu":
            here = f"step.{step['step_id']}"
            return [
                f"{here}.title",
                f"{here}.description",
                *(f"{here}.menu_options.{option}" for option in step["menu_options"]),
            ]
        case _:
            here = f"step.{step['step_id']}"
            return [
                f"{here}.title",
                f"{here}.description",
                *(
                    f"{here}.{kind}.{field['name']}"
                    for field in step["data_schema"]
                    for kind in ("data", "data_description")
                ),
            ]


@pytest.fixture
def dialog(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> FixDialog:
    """Return the dialog of an issue."""
    return FixDialog(hass, hass_client)


def test_each_issue_that_can_be_fixed_has_a_flow() -> None:
    assert FIX_FLOWS.keys() == FIXABLE


# Credit


@pytest.mark.parametrize("key", PROVIDERS)
async def test_what_waits_for_credit_is_sent_once_the_top_up_is_confirmed(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    key: str,
) -> None:
    """Not five minutes later; if the credit is still not enough, the dialog says so."""
    account = await accounts.set_up(key)
    simulator.set_credit(key, 0)
    await send(hass, account)
    await dialog.open("no_credit")
    step = await dialog.go_on()
    assert (step["type"], step["reason"]) == ("abort", "still_not_enough")
    assert "no_credit" in issues(hass)
    assert not arrived(simulator)

    simulator.set_credit(key, 30)
    await dialog.open("no_credit")
    step = await dialog.go_on()

    assert step["type"] == "create_entry"
    await until(lambda: arrived(simulator) == [(ANNA, "Allarme")])
    await an_hour_passes(hass)
    assert issues(hass) == {}


async def test_a_credit_that_nothing_waits_for_is_taken_at_its_word(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    """Nothing can be tried: the next message shows it."""
    account = await accounts.set_up("smshosting", options={CONF_RETRY_FOR: 0})
    simulator.set_credit("smshosting", 0)
    await send_refused(hass, account)
    await dialog.open("no_credit")

    step = await dialog.go_on()

    assert step["type"] == "create_entry"
    assert "no_credit" not in issues(hass)


# The daily limit


async def test_the_limit_can_be_raised_in_the_issue(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    """For good, and beside the other options; lower than now is no choice."""
    account = await exceed(hass, accounts)
    options = {**account.options, CONF_LOW_CREDIT: 2.5}
    hass.config_entries.async_update_entry(account, options=options)
    await hass.async_block_till_done(wait_background_tasks=True)

    menu = await dialog.open("daily_limit_reached")
    assert menu["menu_options"] == ["raise_limit", "leave_it"]
    form = await dialog.choose("raise_limit")
    (field,) = form["data_schema"]
    assert field["default"] == 2
    assert field["selector"]["number"]["min"] == 2
    done = await dialog.go_on(daily_limit=3)

    assert done["type"] == "create_entry"
    assert issues(hass) == {}
    assert account.options == {CONF_DAILY_LIMIT: 3, CONF_LOW_CREDIT: 2.5}
    await send(hass, account, "Adesso va")
    assert arrived(simulator)[-1] == (ANNA, "Adesso va")


async def test_a_limit_that_is_no_higher_is_an_error_of_the_form(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog
) -> None:
    """In the user's language; the form stays open."""
    account = await exceed(hass, accounts)
    await dialog.open("daily_limit_reached")
    await dialog.choose("raise_limit")

    form = await dialog.go_on(daily_limit=1)
    assert form["errors"] == {CONF_DAILY_LIMIT: "out_of_range"}
    assert await text_of(hass, "daily_limit_reached", "fix_flow.error.out_of_range")
    await dialog.go_on(daily_limit=3)

    assert account.options[CONF_DAILY_LIMIT] == 3


async def test_a_limit_that_is_left_is_an_issue_again_on_another_day(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog, midnight: Midnight
) -> None:
    """And not before, however many messages are refused today."""
    account = await exceed(hass, accounts)

    await dialog.open("daily_limit_reached")
    left = await dialog.choose("leave_it")
    assert (left["type"], left["reason"]) == ("abort", "left_until_midnight")
    await send_refused(hass, account, "Ancora uno di troppo", PERSON)
    assert issues(hass)["daily_limit_reached"].dismissed_version
    assert account.options == {CONF_DAILY_LIMIT: 1}

    await midnight()
    assert issues(hass) == {}
    await send(hass, account)
    await send_refused(hass, account, "Uno di troppo anche domani", PERSON)
    assert not issues(hass)["daily_limit_reached"].dismissed_version


async def test_a_limit_left_after_midnight_is_nothing_to_leave(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog, midnight: Midnight
) -> None:
    """The dialog may have been open for long."""
    await exceed(hass, accounts)
    await dialog.open("daily_limit_reached")
    await midnight()

    assert (await dialog.choose("leave_it"))["reason"] == "left_until_midnight"
    assert issues(hass) == {}


# Settings


async def test_a_missing_fallback_can_be_removed_from_the_list(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog
) -> None:
    """The others stay in it, in their order."""
    others = [await accounts.set_up(key) for key in ("inviosmart", "smsviainternet")]
    ids = [other.entry_id for other in others]
    account = await accounts.set_up(
        "smshosting",
        options={CONF_FALLBACK: [ids[1], "nessuno", ids[0]], CONF_LOW_CREDIT: 1},
    )

    form = await dialog.open("fallback_missing")
    assert form["step_id"] == "confirm"
    done = await dialog.go_on()

    assert done["type"] == "create_entry"
    assert issues(hass) == {}
    assert account.options == {CONF_FALLBACK: [ids[1], ids[0]], CONF_LOW_CREDIT: 1}
    assert account.runtime_data.account.route == (account.entry_id, ids[1], ids[0])


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("daily_limit_reached", ["raise_limit"]),
        ("fallback_missing", []),
        ("clear_text_address", ["try_https"]),
        ("https_required", []),
    ],
)
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_a_fix_flow_ends_if_its_account_is_removed_meanwhile(
    hass: HomeAssistant,
    accounts: Accounts,
    dialog: FixDialog,
    key: str,
    path: list[str],
) -> None:
    """The dialog may have been open for long."""
    account = await accounts.set_up(
        "smshosting",
        settings={"url": "http://gateway.example"},
        options={CONF_DAILY_LIMIT: 0, CONF_FALLBACK: ["nessuno"]},
    )
    async_report_daily_limit(hass, account, account.runtime_data.account)
    demand = HttpsRequired(account=account.entry_id)
    account.runtime_data.coordinator.handle_event(demand)
    await dialog.open(key)
    await hass.config_entries.async_remove(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    for option in path:
        step = await dialog.choose(option)
    if not path:
        step = await dialog.go_on()

    assert (step["type"], step["reason"]) == ("abort", "account_removed")
    assert issues(hass) == {}


HOST = "gateway.example"


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_can_be_changed_to_https_in_the_issue(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    internet: Internet,
) -> None:
    """When the provider takes the credentials there; no SMS is sent to find out."""
    account = await accounts.set_up("inviosmart", settings={"url": f"http://{HOST}:80"})
    assert list(issues(hass)) == ["clear_text_address"]
    before = account.data
    internet.asked.clear()

    menu = await dialog.open("clear_text_address")
    assert menu["menu_options"] == ["try_https", "keep"]
    done = await dialog.choose("try_https")

    assert done["type"] == "create_entry"
    assert issues(hass) == {}
    assert account.data == {**before, "url": f"https://{HOST}"}
    assert {*internet.asked} == {f"https://{HOST}/account-balance/"}
    assert arrived(simulator) == []


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_without_https_stays_as_it_is(  # noqa: PLR0913 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    internet: Internet,
    *,
    is_known: bool,
) -> None:
    """Without an answer over https, or with one that refuses the account."""
    account = await accounts.set_up("inviosmart", settings={"url": f"http://{HOST}"})
    if is_known:
        internet.at["https", HOST] = hang_up
    else:
        simulator.set_credentials("inviosmart", password="un'altra")
    before = account.data

    await dialog.open("clear_text_address")
    end = await dialog.choose("try_https")

    assert (end["type"], end["reason"]) == ("abort", "no_https")
    reason = "No usable answer" if is_known else "These credentials were refused"
    assert end["description_placeholders"]["reason"].startswith(reason)
    assert account.data == before
    assert not issues(hass)["clear_text_address"].dismissed_version


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_that_is_kept_is_warned_of_once(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog
) -> None:
    """Not again with the next start either."""
    account = await accounts.set_up("inviosmart", settings={"url": f"http://{HOST}"})

    await dialog.open("clear_text_address")
    end = await dialog.choose("keep")
    assert (end["type"], end["reason"]) == ("abort", "kept")
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert issues(hass)["clear_text_address"].dismissed_version
    assert account.data["url"] == f"http://{HOST}"


# An address that demands https


@pytest.mark.parametrize(
    ("host", "url"),
    [(HOST, f"https://{GATEWAY}"), (GATEWAY, OWN_HTTPS)],
    ids=["same_host", "provider_s_own"],
)
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_a_message_waits_for_the_https_that_is_demanded(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    internet: Internet,
    host: str,
    url: str,
) -> None:
    """It leaves as soon as the address is changed.

    If the same host does not answer over https, the provider's other one is taken.
    """
    account = await lead_from_http_to_https(hass, accounts, internet)
    internet.at["https", host] = hang_up

    answered = await call(hass, "send_sms", numbers=[ANNA], message="Allarme")
    await hass.async_block_till_done(wait_background_tasks=True)

    (message,) = answered["messages"]
    assert (message["status"], message["error"]) == ("queued", "unavailable")
    assert "https_required" in issues(hass)
    assert arrived(simulator) == []
    assert not hass.config_entries.flow.async_progress()
    form = await dialog.open("https_required")
    assert form["step_id"] == "confirm"
    before = account.data
    done = await dialog.go_on()
    assert done["type"] == "create_entry"
    assert account.data == {**before, "url": url}
    await until(lambda: arrived(simulator))
    assert arrived(simulator) == [(ANNA, "Allarme")]
    assert issues(hass) == {}


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
async def test_an_address_stays_where_no_encrypted_one_confirms_the_credentials(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog, internet: Internet
) -> None:
    """A web site in place of the API confirms nothing."""
    account = await lead_from_http_to_https(hass, accounts, internet)
    internet.at["https", GATEWAY] = hang_up
    internet.at["https", "www.inviosmart.it"] = answer("<html>Inviosmart</html>")
    await an_hour_passes(hass)
    before = account.data

    await dialog.open("https_required")
    end = await dialog.go_on()

    assert (end["type"], end["reason"]) == ("abort", "no_https")
    assert account.data == before
    assert "https_required" in issues(hass)


# What was not delivered


def lines_of(menu: dict[str, Any]) -> list[str]:
    """Return the lines of the list that a dialog shows, without their times."""
    text = str(menu["description_placeholders"]["list"])
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", text).splitlines()


@pytest.mark.usefixtures("quick")
async def test_a_failed_message_is_an_issue_that_sends_it_again(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    """Only the dialog, which is for administrators, says whose it was and why."""
    await fail(hass, accounts, simulator)
    issue = issues(hass)["undelivered"]
    assert issue.translation_placeholders == {"account": "Casa mia", "count": "1"}
    assert set(issue.data or {}) == {"account"}

    menu = await dialog.open("undelivered")
    assert menu["menu_options"] == ["send_again", "dismiss"]
    assert lines_of(menu) == ["- TIME, Anna, ***567: Failed, NOTDELIVERED (Casa mia)"]
    done = await dialog.choose("send_again")

    assert done["type"] == "create_entry"
    assert issues(hass) == {}
    # The provider takes the same text once a day: the time goes behind it.
    first, again = arrived(simulator)
    assert again[0] == ANNA
    assert again[1].startswith(first[1])


@pytest.mark.usefixtures("quick")
async def test_an_undelivered_message_can_be_dismissed_for_good(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    account = await fail(hass, accounts, simulator)
    await dialog.open("undelivered")
    assert (await dialog.choose("dismiss"))["type"] == "create_entry"
    assert issues(hass) == {}
    assert await hass.config_entries.async_reload(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {}


@pytest.mark.usefixtures("quick")
async def test_what_cannot_be_sent_again_stays_an_issue(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    await fail(hass, accounts, simulator, **{CONF_DAILY_LIMIT: 1})
    await dialog.open("undelivered")
    stays = await dialog.choose("send_again")
    assert (stays["type"], stays["reason"]) == ("abort", "not_all_sent")
    assert "undelivered" in issues(hass)
    assert len(arrived(simulator)) == 1


@pytest.mark.usefixtures("quick")
async def test_two_open_dialogs_send_a_message_again_once(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    hass_client: ClientSessionGenerator,
) -> None:
    await fail(hass, accounts, simulator)
    other = FixDialog(hass, hass_client)
    await other.open("undelivered")
    await dialog.open("undelivered")
    await dialog.choose("send_again")
    await other.choose("send_again")
    assert len(arrived(simulator)) == 2


async def test_a_newer_failure_is_not_hidden_by_dismissing_older_ones(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog
) -> None:
    account = await accounts.set_up("smshosting")
    await send_refused(hass, account, " ")
    await dialog.open("undelivered")
    await send_refused(hass, account, " ")
    stays = await dialog.choose("dismiss")
    assert (stays["type"], stays["reason"]) == ("abort", "more_listed")
    issue = issues(hass)["undelivered"]
    assert (issue.translation_placeholders or {})["count"] == "1"
    await dialog.open("undelivered")
    assert (await dialog.choose("dismiss"))["type"] == "create_entry"
    assert issues(hass) == {}


@pytest.mark.usefixtures("quick")
async def test_the_list_is_for_administrators_alone(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    await fail(hass, accounts, simulator)
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    client = await hass_client(hass_read_only_access_token)
    body = {"handler": DOMAIN, "issue_id": issues(hass)["undelivered"].issue_id}
    answered = await client.post("/api/repairs/issues/fix", json=body)
    assert answered.status == HTTPStatus.UNAUTHORIZED


async def test_equal_refusals_of_an_automation_are_one_issue_with_a_count(
    hass: HomeAssistant,
    accounts: Accounts,
    dialog: FixDialog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They were refused before a message existed."""
    account = await accounts.set_up("smshosting", title="Casa mia")
    for _ in range(2):
        await send_refused(hass, account, " ")
    assert caplog.text.count("Casa mia: a call was refused (empty_text)") == 2
    placeholders = issues(hass)["undelivered"].translation_placeholders
    assert placeholders == {"account": "Casa mia", "count": "2"}

    menu = await dialog.open("undelivered")
    assert menu["menu_options"] == ["dismiss"]
    assert lines_of(menu) == [
        (
            "- 2 calls were refused, the last one at TIME: "
            "There is no text to send. Enter a message."
        )
    ]
    await dialog.choose("dismiss")
    assert issues(hass) == {}


async def test_a_refusal_by_the_provider_that_no_person_sees_is_an_issue(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    account = await accounts.set_up(
        "inviosmart", options={CONF_LOW_CREDIT: 0, CONF_RETRY_FOR: 0}
    )
    simulator.set_credit("inviosmart", 0)
    await send_refused(hass, account)
    menu = await dialog.open("undelivered")
    assert lines_of(menu) == ["- TIME, ***567: Failed, Not enough credit (Inviosmart)"]


@pytest.mark.parametrize(
    ("language", "start", "fallback"),
    [("en", "A call was", "the log says why"), ("it", "Una chiamata", "nel log")],
)
async def test_a_refusal_of_home_assistant_has_its_sentence(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    dialog: FixDialog,
    language: str,
    start: str,
    fallback: str,
) -> None:
    """One without a sentence says where to look."""
    hass.config.language = language
    account = await accounts.set_up("smshosting")
    refusal = ServiceValidationError(
        translation_domain="homeassistant",
        translation_key="service_config_entry_not_found",
        translation_placeholders={"domain": DOMAIN, "entry_id": "perso"},
    )
    async_report_refused_call(hass, account, refusal)
    await hass.async_block_till_done(wait_background_tasks=True)
    (line,) = lines_of(await dialog.open("undelivered"))
    texts = await async_get_translations(
        hass, language, "exceptions", {"homeassistant"}
    )
    key = "component.homeassistant.exceptions.service_config_entry_not_found.message"
    assert line.startswith(f"- {start}")
    assert line.endswith(texts[key].format(domain=DOMAIN, entry_id="perso"))
    await dialog.choose("dismiss")

    async_report_refused_call(hass, account, HomeAssistantError("qualcosa"))
    await hass.async_block_till_done(wait_background_tasks=True)
    (line,) = lines_of(await dialog.open("undelivered"))
    assert line.endswith(fallback)


async def test_a_refused_call_that_names_no_account_is_an_issue_as_well(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog
) -> None:
    await accounts.set_up("smshosting")
    await accounts.set_up("inviosmart")
    with pytest.raises(HomeAssistantError):
        await call(hass, "send_sms", message="Allarme", numbers=[ANNA])
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass)["undelivered"].translation_placeholders == {
        "account": "SMS Italia",
        "count": "1",
    }
    await dialog.open("undelivered")
    await dialog.choose("dismiss")
    assert issues(hass) == {}


# The ledger


async def take_the_folder(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Set up an account where there is no folder for the file, nor can be."""
    ledger_of(hass).parent.write_bytes(b"")
    return await accounts.set_up("smshosting")


async def take_a_table(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Make the ledger of an account unwritable while it runs: each commit needs it."""
    account = await accounts.set_up("smshosting")
    with sqlite3.connect(ledger_of(hass)) as database:
        database.execute("DROP TABLE clock")
    database.close()
    await send(hass, account, "Questo non si scrive")
    return account


@pytest.mark.parametrize(
    ("key", "happen", "is_kept"),
    [
        ("ledger_set_aside", damage, True),
        ("ledger_in_memory", take_the_folder, False),
        ("ledger_unrecorded", take_a_table, False),
    ],
)
async def test_trouble_with_the_ledger_is_an_issue_until_it_is_confirmed(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    key: str,
    happen: Callable[[HomeAssistant, Accounts], Awaitable[MockConfigEntry]],
    *,
    is_kept: bool,
) -> None:
    """Messages are sent all the same; only what is over is an issue after a restart."""
    account = await happen(hass, accounts)
    await send(hass, account)
    assert arrived(simulator)[-1] == (ANNA, "Allarme")

    await until(lambda: issues(hass))
    (issue,) = issues(hass).values()
    assert issue.translation_key == key
    assert issue.severity is ir.IssueSeverity.ERROR
    assert issue.is_fixable
    assert issue.is_persistent is is_kept
    assert await text_of(hass, key, "title")

    form = await dialog.open(key)
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    assert key in issues(hass)
    done = await dialog.go_on()
    assert done["type"] == "create_entry"
    assert issues(hass) == {}


async def test_what_waited_in_a_restored_backup_is_listed_and_can_be_sent(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sent as a new message, which waits as long as its account is throttled."""
    monkeypatch.setattr(sms_italia, "Timing", partial(Timing, report_doubt=0.02))
    account = await accounts.set_up("smshosting")
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")
    await send(hass, account)
    assert await hass.config_entries.async_unload(account.entry_id)
    await hass.data[MESSENGER].close()
    # No backup holds this file.
    mark = Path(hass.config.path(f"{DOMAIN}.db-shm"))
    await hass.async_add_executor_job(mark.unlink)
    assert await hass.config_entries.async_setup(account.entry_id)
    await until(lambda: "undelivered" in issues(hass))
    assert arrived(simulator) == []

    menu = await dialog.open("undelivered")
    assert lines_of(menu) == [
        (
            "- TIME, ***567: Uncertain, "
            "it was open in the backup that was restored (Smshosting)"
        )
    ]
    done = await dialog.choose("send_again")

    assert done["type"] == "create_entry"
    answer = await call(hass, "find_messages")
    statuses = [one["status"] for one in answer["messages"]]
    assert statuses == ["queued", "uncertain"]


async def test_an_escalation_that_nobody_acknowledged_is_an_issue_until_confirmed(
    hass: HomeAssistant, accounts: Accounts, dialog: FixDialog
) -> None:
    """It outlives a restart: somebody must have seen it."""
    await accounts.set_up("smshosting", entry_id="uno", escalations={"Notte": []})
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {"entity_id": "notify.notte", "message": "Allarme"},
        blocking=True,
    )
    await until(lambda: issues(hass))

    (issue,) = issues(hass).values()
    assert (issue.severity, issue.is_persistent) == (ir.IssueSeverity.ERROR, True)
    title, description = await shown(hass, "escalation_exhausted", "confirm")
    assert "Notte" in title
    assert "Smshosting" in description
    form = await dialog.open("escalation_exhausted")
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    assert (await dialog.go_on())["type"] == "create_entry"
    assert issues(hass) == {}


@pytest.mark.parametrize("key", ["smshosting", "inviosmart"])
async def test_low_credit_is_asked_for_again_by_the_repair_s_own_button(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    dialog: FixDialog,
    key: str,
) -> None:
    """At once, and with what came of it: too little, no answer, or enough."""
    simulator.set_credit(key, 4)
    account = await accounts.set_up(key)
    await dialog.open("low_credit")
    too_little = await dialog.go_on()
    simulator.inject(key, Fault.HTML, operation="credit")
    await dialog.open("low_credit")
    no_answer = await dialog.go_on()
    assert [step["reason"] for step in (too_little, no_answer)] == [
        "still_low",
        "not_checked",
    ]
    assert "low_credit" in issues(hass)

    simulator.set_credit(key, 30)
    await dialog.open("low_credit")
    done = await dialog.go_on()

    assert done["type"] == "create_entry"
    assert issues(hass) == {}
    assert account.runtime_data.coordinator.data.balance == 30


async def test_low_credit_of_an_account_that_is_not_loaded_or_gone_cannot_be_asked_for(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, dialog: FixDialog
) -> None:
    simulator.set_credit("smshosting", 4)
    account = await accounts.set_up("smshosting")
    await dialog.open("low_credit")
    assert await hass.config_entries.async_unload(account.entry_id)

    step = await dialog.go_on()

    assert (step["type"], step["reason"]) == ("abort", "not_checked")

    await dialog.open("low_credit")
    assert await hass.config_entries.async_remove(account.entry_id)
    step = await dialog.go_on()
    assert (step["type"], step["reason"]) == ("abort", "account_removed")
