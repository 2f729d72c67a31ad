"""An account whose provider has two addresses, of which one is not encrypted."""

from http import HTTPStatus

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.sms_italia.const import DOMAIN, SECTION_ADVANCED
from custom_components.sms_italia.flows.account import encrypted_addresses
from custom_components.sms_italia.providers import PROVIDERS
from simulator import Simulator

from ..accounts import Accounts, settings_for
from ..internet import Handler, Internet, answer, hang_up, lead_to_https
from ..test_config_flow import (
    credential_fields,
    is_folded_in,
    settings_of,
    shown_values,
    start,
    submit,
)

KEY = "inviosmart"
SITE = "www.inviosmart.it"
GATEWAY = "httpapi.inviosmart.it"
HTTPS = f"https://{SITE}/webservice/sms/"
HTTP = f"http://{GATEWAY}"
ENCRYPTED = "https", SITE
PLAIN = "http", GATEWAY
ACCEPT = "accept_unencrypted"

pytestmark = pytest.mark.filterwarnings("ignore:A test tried to use socket")

PAGE = "<!DOCTYPE html><html><body><h1>Inviosmart</h1>%s</body></html>"
EXAMPLE = "Status: 1000 - Balance:112.24|SmsRemainCount:2877"


def is_warned(hass: HomeAssistant) -> bool:
    """Return whether there is an issue about an address without encryption."""
    return any(
        issue_id.startswith("clear_text_address")
        for _, issue_id in ir.async_get(hass).issues
    )


def placeholder(form: ConfigFlowResult, name: str) -> str:
    """Return what stands for a placeholder in the texts of a form."""
    return (form["description_placeholders"] or {})[name]


def is_question(result: ConfigFlowResult) -> bool:
    """Return whether a step asks before it uses the unencrypted address."""
    return result["type"] is FlowResultType.MENU and result["step_id"] == "unencrypted"


async def choose(
    hass: HomeAssistant, question: ConfigFlowResult, answer_id: str
) -> ConfigFlowResult:
    """Answer the question; let everything that follows happen."""
    result = await hass.config_entries.flow.async_configure(
        question["flow_id"], {"next_step_id": answer_id}
    )
    await hass.async_block_till_done()
    return result


async def test_the_encrypted_address_is_the_default(
    hass: HomeAssistant, simulator: Simulator, internet: Internet
) -> None:
    """Where the provider tells the balance there, nothing else is asked."""
    settings = settings_for(simulator, KEY, url="")

    result = await submit(hass, await start(hass, KEY), KEY, settings)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["url"] == HTTPS
    assert {*internet.asked} == {f"{HTTPS}getAccountBalance.php"}
    assert not is_warned(hass)


SITES = {
    "site": answer(PAGE % ""),
    "its_page_about_the_api": answer(PAGE % EXAMPLE),
    "login": answer(PAGE % "Wrong username or password"),
    "not_found": answer(PAGE % "", HTTPStatus.NOT_FOUND),
    "firewall": answer(PAGE % "", HTTPStatus.FORBIDDEN),
    "other_login": answer(PAGE % "", HTTPStatus.UNAUTHORIZED),
    "broken": answer("", HTTPStatus.INTERNAL_SERVER_ERROR),
    "no_balance": answer("Status: 1000"),
    "cut": hang_up,
}
"""What may answer at the encrypted address in place of the API."""


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
async def test_where_no_balance_comes_the_other_address_is_offered_with_consent(
    hass: HomeAssistant, simulator: Simulator, internet: Internet, site: Handler
) -> None:
    """A TLS handshake alone proves only a web site."""
    internet.at[ENCRYPTED] = site
    settings = settings_for(simulator, KEY, url="")

    question = await submit(hass, await start(hass, KEY), KEY, settings)

    assert is_question(question)
    assert placeholder(question, "clear_text_url") == HTTP
    assert placeholder(question, "detail")
    assert all(asked.startswith("https://") for asked in internet.asked)
    assert not hass.config_entries.async_entries(DOMAIN)
    result = await choose(hass, question, ACCEPT)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["url"] == HTTP
    assert internet.asked[-1] == f"{HTTP}/account-balance/"
    # The question has said so, and only this address may work.
    assert not is_warned(hass)


async def test_without_consent_nothing_goes_in_clear(
    hass: HomeAssistant, simulator: Simulator, internet: Internet
) -> None:
    """The form holds the encrypted address, and asks again until it answers."""
    internet.at[ENCRYPTED] = hang_up
    settings = settings_for(simulator, KEY, url="")
    form = await start(hass, KEY)

    for _ in range(2):
        question = await submit(hass, form, KEY, settings)
        form = await choose(hass, question, "stay_encrypted")
        assert form["step_id"] == KEY
        assert shown_values(form) == {**settings, "country_prefix": 39, "url": HTTPS}
    del internet.at[ENCRYPTED]
    result = await submit(hass, form, KEY, settings)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert all(asked.startswith("https://") for asked in internet.asked)


async def test_a_password_that_the_provider_refuses_offers_no_other_address(
    hass: HomeAssistant, simulator: Simulator, internet: Internet
) -> None:
    """Its own line proves the address."""
    settings = settings_for(simulator, KEY, url="", password="no")

    form = await submit(hass, await start(hass, KEY), KEY, settings)

    assert form["errors"] == {"base": "invalid_auth"}
    assert is_folded_in(form)
    assert shown_values(form)["url"] == HTTPS
    assert all(asked.startswith("https://") for asked in internet.asked)


@pytest.mark.parametrize(
    "gateway", [answer("", HTTPStatus.INTERNAL_SERVER_ERROR), lead_to_https, hang_up]
)
async def test_after_trouble_at_the_other_address_the_form_is_as_it_was(
    hass: HomeAssistant, simulator: Simulator, internet: Internet, gateway: Handler
) -> None:
    """The next attempt is encrypted, and asks again."""
    internet.at[ENCRYPTED] = hang_up
    internet.at[PLAIN] = gateway
    settings = settings_for(simulator, KEY, url="")

    question = await submit(hass, await start(hass, KEY), KEY, settings)
    form = await choose(hass, question, ACCEPT)

    assert form["errors"] == {"base": "cannot_connect"}
    assert shown_values(form)["url"] == HTTPS
    assert is_question(await submit(hass, form, KEY, settings))


async def test_an_address_that_demands_https_is_refused_with_that_word(
    hass: HomeAssistant, simulator: Simulator, internet: Internet
) -> None:
    """Nothing else is asked; with https the account is made."""
    internet.at[PLAIN] = lead_to_https
    settings = settings_for(simulator, KEY, url=HTTP)

    form = await submit(hass, await start(hass, KEY), KEY, settings)
    assert form["errors"] == {SECTION_ADVANCED: "https_required"}
    assert not is_folded_in(form)
    assert {*internet.asked} == {f"{HTTP}/account-balance/"}
    result = await submit(
        hass, form, KEY, {**settings, "url": HTTP.replace("http:", "https:")}
    )

    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("url", "encrypted"),
    [
        ("http://gateway.example", ["https://gateway.example"]),
        ("HTTP://gateway.example:80/sms/", ["https://gateway.example/sms"]),
        ("http://gateway.example:8080", ["https://gateway.example:8080"]),
        ("https://gateway.example/sms", ["https://gateway.example/sms"]),
        ("http://httpapi.inviosmart.it/", [f"https://{GATEWAY}", HTTPS]),
    ],
)
def test_the_same_address_is_tried_with_https_before_the_provider_s_own(
    url: str, encrypted: list[str]
) -> None:
    assert encrypted_addresses(PROVIDERS[KEY], url) == encrypted


async def test_both_addresses_are_one_account(
    hass: HomeAssistant, simulator: Simulator, internet: Internet, accounts: Accounts
) -> None:
    """It is not made twice, and keeps its ID when it changes to the other one."""
    entry = await accounts.set_up(KEY, settings={"url": HTTP})
    before = entry.unique_id
    settings = settings_for(simulator, KEY, url="")

    second = await submit(hass, await start(hass, KEY), KEY, settings)
    form = await entry.start_reconfigure_flow(hass)
    changed = await submit(hass, form, KEY, {**settings, "url": HTTPS})

    assert second["reason"] == "already_configured"
    assert changed["reason"] == "reconfigure_successful"
    assert entry.data["url"] == HTTPS
    assert entry.unique_id == before
    assert internet.asked[-1].startswith("https://")


async def test_a_change_to_https_that_fails_asks_about_the_address_as_it_was(
    hass: HomeAssistant, simulator: Simulator, internet: Internet, accounts: Accounts
) -> None:
    """Nothing is stored before."""
    internet.at[ENCRYPTED] = answer(PAGE % "")
    entry = await accounts.set_up(KEY, settings={"url": HTTP})
    settings = settings_for(simulator, KEY, url=HTTPS)

    form = await entry.start_reconfigure_flow(hass)
    question = await submit(hass, form, KEY, settings)

    assert is_question(question)
    assert placeholder(question, "clear_text_url") == HTTP
    assert settings_of(entry)["url"] == HTTP


async def test_an_account_with_https_is_never_led_away_from_it(
    hass: HomeAssistant, simulator: Simulator, internet: Internet, accounts: Accounts
) -> None:
    """Trouble at an address that was proved once is only trouble."""
    entry = await accounts.set_up(KEY, settings={"url": HTTPS})
    internet.at[ENCRYPTED] = hang_up
    settings = settings_for(simulator, KEY, url=HTTPS)

    form = await submit(hass, await entry.start_reconfigure_flow(hass), KEY, settings)
    assert form["errors"] == {"base": "cannot_connect"}
    fields = credential_fields(KEY)
    form = await submit(
        hass, await entry.start_reauth_flow(hass), KEY, settings, fields
    )
    assert form["errors"] == {"base": "cannot_connect"}

    assert all(asked.startswith("https://") for asked in internet.asked)


@pytest.mark.parametrize("prefix", ["0", "1000", "3.9"])
async def test_a_country_prefix_that_is_none_is_refused_in_the_form(
    hass: HomeAssistant, simulator: Simulator, prefix: str
) -> None:
    """Not by the selector, whose sentence is in English."""
    settings = settings_for(simulator, KEY) | {"country_prefix": prefix}

    form = await submit(hass, await start(hass, KEY), KEY, settings)
    assert form["errors"] == {"country_prefix": "invalid_prefix"}
    result = await submit(hass, form, KEY, {**settings, "country_prefix": "39.0"})

    assert result["data"]["country_prefix"] == "39"


async def test_what_a_sender_must_not_have_is_named(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """Else a name of eleven characters would break no rule of the sentence."""
    settings = settings_for(simulator, KEY, sender="Più è 1")

    form = await submit(hass, await start(hass, KEY), KEY, settings)

    assert form["errors"] == {"sender": "sender_characters"}
    assert placeholder(form, "characters") == "ù è"


@pytest.mark.parametrize("sender", ["393331234567", "+393331234567", "12345"])
async def test_a_sender_without_a_letter_is_refused_in_the_form(
    hass: HomeAssistant, simulator: Simulator, sender: str
) -> None:
    """Before the provider is asked anything."""
    settings = settings_for(simulator, KEY, sender=sender)

    form = await submit(hass, await start(hass, KEY), KEY, settings)

    assert form["errors"] == {"sender": "invalid_sender"}
    assert not simulator.requests
