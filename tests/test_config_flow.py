"""Accounts are made and changed in the UI, against all providers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
import logging
from typing import Any

import aiohttp
from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
    FlowType,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import voluptuous as vol

from custom_components.sms_italia import config_flow
from custom_components.sms_italia.const import (
    CONF_PROVIDER,
    DOMAIN,
    SECTION_ADVANCED,
    SUBENTRY_TYPE_RECIPIENT,
)
from custom_components.sms_italia.providers import (
    PROVIDERS,
    Placement,
    ProviderClient,
    Settings,
    SettingsField,
    Timeouts,
)
from simulator import Fault, Simulator

from .accounts import (
    PROFILE,
    Accounts,
    arrived,
    as_input,
    secrets_of,
    settings_for,
    until,
)
from .states import send

ANNA = "+393331234567"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)

SENDERS = ("+393331234567", "Città nuova", "A name too long", "!!!")
"""The first two are fine for some providers and not for others."""
ERRORS = {"Città nuova": "sender_characters"}
"""The error of a sender, where it is not "invalid_sender"."""
INVALID_SENDERS = {
    key: [one for one in SENDERS if not provider.capabilities.sender.allows(one)]
    for key, provider in PROVIDERS.items()
}


async def start(hass: HomeAssistant, key: str) -> ConfigFlowResult:
    """Start the flow and choose the provider."""
    menu = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    return await hass.config_entries.flow.async_configure(
        menu["flow_id"], {"next_step_id": key}
    )


async def submit(
    hass: HomeAssistant,
    form: ConfigFlowResult,
    key: str,
    values: Mapping[str, str],
    fields: Sequence[SettingsField] | None = None,
) -> ConfigFlowResult:
    """Fill in the form and send it; let everything that follows happen."""
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], as_input(fields or PROVIDERS[key].fields, values)
    )
    await hass.async_block_till_done()
    return result


def credential_fields(key: str) -> list[SettingsField]:
    """Return the fields that reauthentication asks for."""
    return [*PROVIDERS[key].credentials]


async def start_change(
    hass: HomeAssistant, entry: MockConfigEntry, source: str
) -> ConfigFlowResult:
    """Open the form that changes an account: "reauth" or "reconfigure"."""
    begin = {
        "reauth": entry.start_reauth_flow,
        "reconfigure": entry.start_reconfigure_flow,
    }
    form: ConfigFlowResult = await begin[source](hass)
    return form


def shown_values(form: ConfigFlowResult) -> dict[str, Any]:
    """Return what the fields of a form are filled with, sections included."""
    schema = form["data_schema"]
    assert schema is not None
    return _shown(schema)


def _shown(schema: vol.Schema) -> dict[str, Any]:
    """Return what the fields of a schema are filled with."""
    shown: dict[str, Any] = {}
    for marker, value in schema.schema.items():
        if isinstance(value, section):
            shown |= _shown(value.schema)
        elif marker.description:
            shown[str(marker)] = marker.description["suggested_value"]
    return shown


def is_folded_in(form: ConfigFlowResult) -> bool:
    """Return whether the section of the form is closed."""
    schema = form["data_schema"]
    assert schema is not None
    advanced = schema.schema[SECTION_ADVANCED]
    assert isinstance(advanced, section)
    return advanced.options["collapsed"]


def settings_of(entry: ConfigEntry) -> dict[str, str]:
    """Return what an entry stores of its provider's fields."""
    keys = [field.key for field in PROVIDERS[entry.data[CONF_PROVIDER]].fields]
    return {key: entry.data[key] for key in keys if key in entry.data}


def only_account(hass: HomeAssistant) -> ConfigEntry:
    """Return the one account there is."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    return entry


async def test_the_menu_offers_every_provider(hass: HomeAssistant) -> None:
    """The first step is a choice among them, in the order of the registry."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )

    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "user"
    assert result["menu_options"] == list(PROVIDERS)


@EACH_PROVIDER
async def test_good_credentials_make_an_account(
    hass: HomeAssistant, simulator: Simulator, key: str
) -> None:
    """The settings are stored flat, and the recipient's form is next."""
    settings = settings_for(simulator, key)
    form = await start(hass, key)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == key
    assert form["errors"] == {}
    assert is_folded_in(form)

    result = await submit(hass, form, key, settings)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == PROVIDERS[key].name
    assert result["data"] == {CONF_PROVIDER: key, **settings}
    entry = only_account(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id is not None
    secrets = simulator.credentials(key).values()
    assert not any(value in entry.unique_id for value in (PROFILE, *secrets))
    flow_type, flow_id = result["next_flow"]
    assert flow_type is FlowType.CONFIG_SUBENTRIES_FLOW
    next_form = hass.config_entries.subentries.async_get(flow_id)
    assert next_form["handler"] == (entry.entry_id, SUBENTRY_TYPE_RECIPIENT)
    assert next_form["step_id"] == "user"


@EACH_PROVIDER
async def test_no_sms_is_sent_to_prove_credentials(
    hass: HomeAssistant, simulator: Simulator, key: str
) -> None:
    """Set-up costs nothing."""
    await submit(hass, await start(hass, key), key, settings_for(simulator, key))

    assert simulator.requests
    assert not simulator.messages


@EACH_PROVIDER
async def test_blanks_around_values_are_dropped(
    hass: HomeAssistant, simulator: Simulator, key: str
) -> None:
    """What was copied with a blank still works."""
    settings = settings_for(simulator, key)
    blanks = {name: f" {value}\t" for name, value in settings.items()}

    result = await submit(hass, await start(hass, key), key, blanks)

    assert result["data"] == {CONF_PROVIDER: key, **settings}


async def test_optional_fields_may_stay_empty(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """Without a sender the provider uses its default."""
    settings = settings_for(simulator, "smshosting", sender="")

    form = await start(hass, "smshosting")
    result = await submit(hass, form, "smshosting", {**settings, "sender": ""})

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "sender" not in result["data"]


async def test_a_token_with_login_is_proved_with_it(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """User name and password in the section reach the provider."""
    simulator.set_credentials("smsviainternet", username="anna", password="segreta")
    settings = settings_for(simulator, "smsviainternet")
    without = settings_for(simulator, "smsviainternet", username="", password="")
    form = await start(hass, "smsviainternet")

    refused = await submit(hass, form, "smsviainternet", without)
    result = await submit(hass, refused, "smsviainternet", settings)

    assert refused["errors"] == {"base": "invalid_auth"}
    assert result["data"]["username"] == "anna"
    assert result["data"]["password"] == "segreta"


@EACH_PROVIDER
async def test_wrong_credentials_keep_the_form_open(
    hass: HomeAssistant, simulator: Simulator, key: str
) -> None:
    """After the correction the account is made."""
    settings = settings_for(simulator, key)
    wrong = dict.fromkeys(secrets_of(key), "wrong")

    form = await submit(hass, await start(hass, key), key, {**settings, **wrong})

    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == key
    assert form["errors"] == {"base": "invalid_auth"}
    # The address, which is none of the provider's, may be what is wrong.
    assert not is_folded_in(form)
    result = await submit(hass, form, key, settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@EACH_PROVIDER
@pytest.mark.parametrize(
    "fault",
    [
        Fault.CUT_BEFORE_ACCEPT,
        Fault.THROTTLED,
        Fault.SERVER_ERROR_EMPTY,
        Fault.SERVER_ERROR_BODY,
        Fault.HTML,
        Fault.REDIRECT,
        Fault.HUGE_BODY,
    ],
)
async def test_a_provider_in_trouble_keeps_the_form_open(
    hass: HomeAssistant, simulator: Simulator, key: str, fault: Fault
) -> None:
    """The error says in a word what went wrong; later the account is made."""
    simulator.inject(key, fault)
    settings = settings_for(simulator, key)

    form = await submit(hass, await start(hass, key), key, settings)

    assert form["errors"] == {"base": "cannot_connect"}
    placeholders = form["description_placeholders"]
    assert placeholders is not None
    assert placeholders["detail"]
    assert shown_values(form)["url"] == settings["url"]
    result = await submit(hass, form, key, settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@EACH_PROVIDER
async def test_an_address_without_a_server_keeps_the_form_open(
    hass: HomeAssistant, simulator: Simulator, unused_tcp_port: int, key: str
) -> None:
    """A wrong address can be put right."""
    settings = settings_for(simulator, key)
    unreachable = {**settings, "url": f"http://127.0.0.1:{unused_tcp_port}"}

    form = await submit(hass, await start(hass, key), key, unreachable)

    assert form["errors"] == {"base": "cannot_connect"}
    result = await submit(hass, form, key, settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_server_that_is_no_provider_cannot_be_connected(
    hass: HomeAssistant, simulator: Simulator
) -> None:
    """A refusal that is not about credentials does not blame them."""
    settings = settings_for(simulator, "smshosting")
    elsewhere = {**settings, "url": f"{simulator.address}/smshosting/nowhere"}

    form = await submit(hass, await start(hass, "smshosting"), "smshosting", elsewhere)

    assert form["errors"] == {"base": "cannot_connect"}
    result = await submit(hass, form, "smshosting", settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_defect_is_logged_without_credentials(
    hass: HomeAssistant,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says where it happened, but not the text of the exception."""
    settings = settings_for(simulator, "transactionale")

    def create(
        session: aiohttp.ClientSession, settings: Settings, timeouts: Timeouts
    ) -> ProviderClient:
        client = PROVIDERS["transactionale"].create(session, settings, timeouts)

        async def validate() -> None:
            raise RuntimeError(settings["api_key"])

        monkeypatch.setattr(client, "validate", validate)
        return client

    broken = replace(PROVIDERS["transactionale"], create=create)
    form = await start(hass, "transactionale")
    with monkeypatch.context() as context:
        context.setattr(config_flow, "PROVIDERS", {"transactionale": broken})
        form = await submit(hass, form, "transactionale", settings)

    assert form["errors"] == {"base": "unknown"}
    assert "RuntimeError" in caplog.text
    assert "in validate" in caplog.text
    assert settings["api_key"] not in caplog.text
    result = await submit(hass, form, "transactionale", settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@EACH_PROVIDER
async def test_a_sender_that_the_provider_does_not_take_is_refused(
    hass: HomeAssistant, simulator: Simulator, key: str
) -> None:
    """The error is at the field, and the provider is not even asked."""
    settings = settings_for(simulator, key)
    form = await start(hass, key)
    assert INVALID_SENDERS[key]

    for sender in INVALID_SENDERS[key]:
        form = await submit(hass, form, key, {**settings, "sender": sender})
        assert form["errors"] == {"sender": ERRORS.get(sender, "invalid_sender")}

    assert not simulator.requests
    result = await submit(hass, form, key, settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://anna:segreta@api.example.com",
        "https://api.example.com?key=1",
        "https://api.example.com:port",
    ],
)
async def test_an_invalid_address_is_refused(
    hass: HomeAssistant, simulator: Simulator, url: str
) -> None:
    """The error stands at the section, which is unfolded."""
    key = "smshosting"
    settings = settings_for(simulator, key)
    form = await start(hass, key)

    form = await submit(hass, form, key, {**settings, "url": url})

    assert form["errors"] == {SECTION_ADVANCED: "invalid_url"}
    assert not is_folded_in(form)
    assert not simulator.requests
    result = await submit(hass, form, key, settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@EACH_PROVIDER
async def test_a_blank_is_no_credential(
    hass: HomeAssistant, simulator: Simulator, key: str
) -> None:
    """A required field with only a blank in it is asked for again."""
    settings = settings_for(simulator, key)
    blank = dict.fromkeys(secrets_of(key), " ")

    form = await submit(hass, await start(hass, key), key, {**settings, **blank})

    assert form["errors"] == dict.fromkeys(secrets_of(key), "missing")
    result = await submit(hass, form, key, settings)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@EACH_PROVIDER
async def test_the_same_account_is_not_made_twice(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """Another sender does not make it another account."""
    accounts.add(key)

    settings = settings_for(simulator, key, sender="Altro")
    result = await submit(hass, await start(hass, key), key, settings)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert only_account(hass).data["sender"] == "Casa"


@EACH_PROVIDER
async def test_a_second_account_has_a_title_of_its_own(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """Its notify action is named after it."""
    name = PROVIDERS[key].name
    for title, word in ((name, "another"), (f"{name} 2", "yet another")):
        others = {field.key: word for field in PROVIDERS[key].credentials}
        accounts.add(key, settings=others, title=title, customer=word)

    settings = settings_for(simulator, key)
    result = await submit(hass, await start(hass, key), key, settings)

    assert result["title"] == f"{name} 3"


@EACH_PROVIDER
async def test_new_credentials_let_an_account_in_again(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """Reauthentication asks only for credentials and shows no secret."""
    entry = await accounts.set_up(key)
    old = settings_of(entry)
    new = {name: f"new-{name}" for name in secrets_of(key)}
    simulator.set_credentials(key, **new)
    fields = credential_fields(key)

    form = await entry.start_reauth_flow(hass)
    assert form["step_id"] == "reauth_confirm"
    assert not old.keys() & shown_values(form).keys() & set(secrets_of(key))
    stored = settings_for(simulator, key)
    refused = await submit(hass, form, key, {**stored, **old}, fields)
    assert refused["errors"] == {"base": "invalid_auth"}
    result = await submit(hass, refused, key, stored, fields)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert result.get("translation_domain") is None  # the text is ours
    assert settings_of(entry) == {**old, **new}
    assert entry.state is ConfigEntryState.LOADED


@EACH_PROVIDER
async def test_an_account_keeps_its_id_when_its_credentials_are_renewed(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """It is the same account, which is not made a second time."""
    entry = accounts.add(key)
    before = entry.unique_id
    renewed = [name for name in simulator.credentials(key) if name != "username"]
    simulator.set_credentials(key, **{name: f"new-{name}" for name in renewed})
    settings = settings_for(simulator, key)

    form = await entry.start_reauth_flow(hass)
    changed = await submit(hass, form, key, settings, credential_fields(key))
    second = await submit(hass, await start(hass, key), key, settings)

    assert changed["reason"] == "reauth_successful"
    assert settings_of(entry) == settings
    assert entry.unique_id == before
    assert second["reason"] == "already_configured"


@pytest.mark.parametrize("key", ["smshosting", "inviosmart"])
async def test_a_customer_is_one_account_whatever_the_credentials(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """Where the provider names it; what is there is not changed by the way."""
    old = {name: f"old-{name}" for name in secrets_of(key)}
    entry = accounts.add(key, settings=old)

    settings = settings_for(simulator, key)
    result = await submit(hass, await start(hass, key), key, settings)

    assert result["reason"] == "already_configured"
    assert settings_of(entry).items() >= old.items()


async def test_one_token_with_two_logins_is_two_accounts(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts
) -> None:
    """A reseller has one token for all its customers."""
    key = "smsviainternet"
    accounts.add(key, settings={"username": "bruno", "password": "segreta"})

    settings = settings_for(simulator, key, username="anna", password="segreta")
    result = await submit(hass, await start(hass, key), key, settings)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].unique_id


@EACH_PROVIDER
async def test_an_account_that_was_only_locked_comes_back_unchanged(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """With secrets left empty the stored ones are tried, and what waits is sent."""
    entry = await accounts.set_up(key, title="Casa")
    data = settings_of(entry)
    fields = credential_fields(key)
    shown = {
        name: value
        for name, value in settings_for(simulator, key).items()
        if name not in secrets_of(key)
    }
    simulator.inject(key, Fault.THROTTLED_BARE, operation="send")
    await send(hass, entry, ANNA)
    assert arrived(simulator) == []

    form = await entry.start_reauth_flow(hass)
    result = await submit(hass, form, key, shown, fields)

    assert result["reason"] == "reauth_successful"
    assert settings_of(entry) == data
    await until(lambda: arrived(simulator) == [(ANNA, "Prova")])


async def test_credentials_that_are_accepted_end_the_question_for_them(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts
) -> None:
    """Those of the settings' form too."""
    entry = await accounts.set_up("smshosting")
    await entry.start_reauth_flow(hass)

    form = await entry.start_reconfigure_flow(hass)
    settings = settings_for(simulator, "smshosting")
    await submit(hass, form, "smshosting", settings)

    assert hass.config_entries.flow.async_progress() == []
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("key", ["smshosting", "inviosmart"])
@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_an_account_never_becomes_another_customers(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, source: str, key: str
) -> None:
    """Nobody could be asked for the status of its messages."""
    entry = accounts.add(key, settings={"username": "bruno"}, customer="bruno")
    data = dict(entry.data)

    form = await start_change(hass, entry, source)
    fields = credential_fields(key) if source == "reauth" else None
    result = await submit(hass, form, key, settings_for(simulator, key), fields)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "unique_id_mismatch"
    assert dict(entry.data) == data


@pytest.mark.parametrize("key", ["smsviainternet", "transactionale"])
@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_two_accounts_never_have_the_same_credentials(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, source: str, key: str
) -> None:
    """They would spend one credit without knowing."""
    entry = accounts.add(key, settings=dict.fromkeys(secrets_of(key), "old"))
    accounts.add(key)
    data = dict(entry.data)

    form = await start_change(hass, entry, source)
    fields = credential_fields(key) if source == "reauth" else None
    result = await submit(hass, form, key, settings_for(simulator, key), fields)

    assert result["reason"] == "already_configured"
    assert dict(entry.data) == data


@EACH_PROVIDER
async def test_settings_change_without_typing_the_secret_again(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """Reconfiguration shows everything but the secrets."""
    entry = await accounts.set_up(key)
    old = settings_of(entry)

    form = await entry.start_reconfigure_flow(hass)
    assert form["step_id"] == "reconfigure"
    assert is_folded_in(form)
    shown = shown_values(form)
    assert shown.keys() == old.keys() - set(secrets_of(key))
    result = await submit(hass, form, key, {**shown, "sender": "Allarme"})

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert result.get("translation_domain") is None  # the text is ours
    assert settings_of(entry) == {**old, "sender": "Allarme"}
    assert entry.state is ConfigEntryState.LOADED


@EACH_PROVIDER
async def test_a_reconfiguration_that_fails_can_be_put_right(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts, key: str
) -> None:
    """Nothing is stored before everything is good."""
    entry = accounts.add(key)
    old = settings_of(entry)
    settings = settings_for(simulator, key)
    wrong = dict.fromkeys(secrets_of(key), "wrong")

    form = await entry.start_reconfigure_flow(hass)
    invalid = INVALID_SENDERS[key][0]
    form = await submit(hass, form, key, {**settings, "sender": invalid})
    assert "sender" in (form["errors"] or {})
    form = await submit(hass, form, key, {**settings, "url": "nowhere"})
    assert form["errors"] == {SECTION_ADVANCED: "invalid_url"}
    form = await submit(hass, form, key, {**settings, **wrong})
    assert form["errors"] == {"base": "invalid_auth"}
    simulator.inject(key, Fault.SERVER_ERROR_EMPTY)
    form = await submit(hass, form, key, settings)
    assert form["errors"] == {"base": "cannot_connect"}
    assert settings_of(entry) == old
    result = await submit(hass, form, key, {**settings, "sender": "Allarme"})

    assert result["reason"] == "reconfigure_successful"
    assert settings_of(entry) == {**old, "sender": "Allarme"}


async def test_what_others_keep_in_the_entry_stays(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts
) -> None:
    """The form changes the provider's fields and nothing else."""
    entry = accounts.add("smshosting")
    data = {**entry.data, "webhook": "kept"}
    hass.config_entries.async_update_entry(entry, data=data)

    form = await entry.start_reconfigure_flow(hass)
    settings = settings_for(simulator, "smshosting", sender="")
    await submit(hass, form, "smshosting", settings)

    assert entry.data["webhook"] == "kept"
    assert entry.data[CONF_PROVIDER] == "smshosting"
    assert "sender" not in entry.data


async def test_an_optional_password_goes_with_its_user_name(
    hass: HomeAssistant, simulator: Simulator, accounts: Accounts
) -> None:
    """It stays while the user name stays, and is forgotten when that is cleared."""
    login = {"username": "anna", "password": "segreta"}
    entry = accounts.add("smsviainternet", settings=login)
    settings = settings_for(simulator, "smsviainternet")

    form = await entry.start_reconfigure_flow(hass)
    await submit(hass, form, "smsviainternet", {**settings, "username": "anna"})
    assert entry.data.items() >= login.items()
    form = await entry.start_reconfigure_flow(hass)
    await submit(hass, form, "smsviainternet", {**settings, "username": ""})

    assert not entry.data.keys() & login.keys()


@EACH_PROVIDER
async def test_the_frontend_can_show_every_form(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    simulator: Simulator,
    accounts: Accounts,
    key: str,
) -> None:
    """An account is made over the web API that the frontend uses."""
    # Routes can be added only before the web server starts.
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(hass, "config", {})
    accounts.add("smshosting" if key != "smshosting" else "inviosmart")
    client = await hass_client()
    api = "/api/config/config_entries"

    async def post(path: str, data: Mapping[str, object]) -> dict[str, Any]:
        response = await client.post(f"{api}/{path}", json=data)
        assert response.status == HTTPStatus.OK
        answer: dict[str, Any] = await response.json()
        return answer

    menu = await post("flow", {"handler": DOMAIN})
    form = await post(f"flow/{menu['flow_id']}", {"next_step_id": key})
    assert [field["name"] for field in form["data_schema"]] == [
        *(field.key for field in main_fields(key)),
        SECTION_ADVANCED,
    ]
    settings = settings_for(simulator, key)
    made = await post(
        f"flow/{form['flow_id']}", as_input(PROVIDERS[key].fields, settings)
    )
    assert made["next_flow"][0] == "config_subentries_flow"
    entry_id = made["result"]["entry_id"]
    options = await post("options/flow", {"handler": entry_id})
    assert {field["type"] for field in options["data_schema"]} == {"expandable"}
    recipient = await post(
        "subentries/flow", {"handler": [entry_id, SUBENTRY_TYPE_RECIPIENT]}
    )
    fields = [field["name"] for field in recipient["data_schema"]]
    assert fields == ["name", "numbers", "send_test"]


def main_fields(key: str) -> list[SettingsField]:
    """Return the fields that stand in the form itself."""
    return [
        field for field in PROVIDERS[key].fields if field.placement is Placement.MAIN
    ]


@EACH_PROVIDER
async def test_credentials_are_in_no_log_line(
    hass: HomeAssistant,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    key: str,
) -> None:
    """Not even while everything is logged and the provider fails."""
    caplog.set_level(logging.DEBUG)
    simulator.inject(key, Fault.CUT_AFTER_ACCEPT)
    settings = settings_for(simulator, key)

    form = await submit(hass, await start(hass, key), key, settings)
    await submit(hass, form, key, settings)

    assert not any(settings[name] in caplog.text for name in secrets_of(key))
