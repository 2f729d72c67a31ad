"""The options of an account are changed in the UI and read back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import NumberSelector
import probatio
import pytest
import voluptuous as vol

from custom_components.sms_italia.account_setup import (
    default_country,
    read_channel,
    read_options,
)
from custom_components.sms_italia.const import (
    SECTION_LIMITS,
    SECTION_PROVIDER,
    SECTION_RELIABILITY,
    SECTION_REPORTS,
    SECTION_TEXT,
)
from custom_components.sms_italia.flows.options import options_fields
from custom_components.sms_italia.flows.selectors import WholeNumber
from custom_components.sms_italia.messaging import (
    AccountOptions,
    DeliveryReports,
    TextEncoding,
)
from custom_components.sms_italia.providers import PROVIDERS, Channel

from ..accounts import Accounts

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)

CHOSEN: dict[str, dict[str, Any]] = {
    SECTION_TEXT: {"encoding": "gsm7", "max_parts": 3.0},
    SECTION_LIMITS: {
        "daily_limit": 20.0,
        "allowed_countries": ["it", "ch"],
        "low_credit": 7.5,
    },
    SECTION_RELIABILITY: {
        "retry_for": 30.0,
        "resend_uncertain": True,
        "failover_on_failed_delivery": True,
        "bundle_after": 5.0,
    },
    SECTION_REPORTS: {"delivery_reports": "poll", "history_days": 90.0},
}


async def start(hass: HomeAssistant, account: ConfigEntry) -> ConfigFlowResult:
    """Open the options of the account."""
    return await hass.config_entries.options.async_init(account.entry_id)


async def submit(
    hass: HomeAssistant, form: ConfigFlowResult, values: Mapping[str, Any]
) -> ConfigFlowResult:
    """Send the form; let everything that follows happen."""
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], dict(values)
    )
    await hass.async_block_till_done()
    return result


def fields_of(form: ConfigFlowResult) -> dict[str, dict[str, Any]]:
    """Return what each section's fields are filled with at first; None is empty."""
    schema = form["data_schema"]
    assert schema is not None
    filled: dict[str, dict[str, Any]] = {}
    for name, content in schema.schema.items():
        assert isinstance(content, section)
        filled[str(name)] = {
            str(marker): marker.description["suggested_value"]
            if marker.description
            else marker.default()
            if callable(marker.default)
            else None
            for marker in content.schema.schema
        }
    return filled


def sections_open(form: ConfigFlowResult) -> set[str]:
    """Return the sections that are not folded in."""
    schema = form["data_schema"]
    assert schema is not None
    return {
        str(name)
        for name, content in schema.schema.items()
        if not content.options["collapsed"]
    }


@EACH_PROVIDER
async def test_untouched_options_are_the_defaults(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """Saving the form as it comes up changes nothing of how an account sends."""
    account = accounts.add(key)
    before = read_options(account.options, default_country(hass))
    form = await start(hass, account)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "init"
    assert sections_open(form) == set()

    values = {
        name: {field: value for field, value in fields.items() if value is not None}
        for name, fields in fields_of(form).items()
    }
    result = await submit(hass, form, values)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert read_options(account.options, default_country(hass)) == before
    assert before == AccountOptions()


async def test_every_choice_reaches_the_account(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Options are stored flat and typed, and read back in the units of the engine."""
    other = accounts.add("inviosmart")
    account = accounts.add("smshosting")
    form = await start(hass, account)

    await submit(
        hass,
        form,
        {
            **CHOSEN,
            SECTION_RELIABILITY: {
                **CHOSEN[SECTION_RELIABILITY],
                "fallback": [other.entry_id],
            },
            SECTION_REPORTS: {**CHOSEN[SECTION_REPORTS], "receive": True},
            SECTION_PROVIDER: {
                "sandbox": True,
                "repeat_marker": False,
                "channel": "push_then_sms",
            },
        },
    )

    assert account.options == {
        "encoding": "gsm7",
        "max_parts": 3,
        "daily_limit": 20,
        "allowed_countries": ["IT", "CH"],
        "low_credit": 7.5,
        "retry_for": 30,
        "fallback": [other.entry_id],
        "resend_uncertain": True,
        "failover_on_failed_delivery": True,
        "bundle_after": 5,
        "delivery_reports": "poll",
        "history_days": 90,
        "receive": True,
        "sandbox": True,
        "repeat_marker": False,
        "channel": "push_then_sms",
    }
    assert read_channel(account.options) is Channel.PUSH_THEN_SMS
    assert type(account.options["daily_limit"]) is int
    assert read_options(account.options, "IT") == AccountOptions(
        encoding=TextEncoding.GSM7,
        max_parts=3,
        daily_limit=20,
        allowed_countries=frozenset({"IT", "CH"}),
        fallback=(other.entry_id,),
        resend_uncertain=True,
        failover_on_failed_delivery=True,
        retry_for=1800,
        delivery_reports=DeliveryReports.POLL,
        low_credit=Decimal("7.5"),
        history_days=90,
        receive=True,
        repeat_marker=False,
        bundle_after=5,
    )


async def test_the_form_shows_what_is_stored(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Opening and saving again changes nothing."""
    accounts.add("inviosmart")
    account = accounts.add("smsviainternet")
    own = {"gateway": 99.0, "delivery_email": "casa@example.org"}
    values = {**CHOSEN, SECTION_PROVIDER: own}
    await submit(hass, await start(hass, account), values)
    stored = dict(account.options)

    form = await start(hass, account)
    assert fields_of(form) == {
        **values,
        SECTION_RELIABILITY: {**CHOSEN[SECTION_RELIABILITY], "fallback": []},
    }
    await submit(hass, form, fields_of(form))

    assert account.options == stored


async def test_the_longest_message_can_be_left_to_the_provider_again(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """An empty field takes the stored value away."""
    account = accounts.add("inviosmart", options={"max_parts": 2})
    form = await start(hass, account)
    assert fields_of(form)[SECTION_TEXT]["max_parts"] == 2

    values = fields_of(form)
    del values[SECTION_TEXT]["max_parts"]
    await submit(hass, form, values)

    assert read_options(account.options, "IT").max_parts is None


@EACH_PROVIDER
async def test_no_longer_message_than_the_provider_accepts_can_be_chosen(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """The section says so, and nothing typed is lost."""
    account = accounts.add(key)
    form = await start(hass, account)
    values = {
        name: {field: value for field, value in fields.items() if value is not None}
        for name, fields in fields_of(form).items()
    }
    most = PROVIDERS[key].capabilities.max_parts

    values[SECTION_TEXT]["max_parts"] = most + 1
    form = await submit(hass, form, values)
    assert form["errors"] == {SECTION_TEXT: "max_parts_range"}
    assert sections_open(form) == {SECTION_TEXT}
    assert fields_of(form)[SECTION_TEXT]["max_parts"] == most + 1
    values[SECTION_TEXT]["max_parts"] = most
    await submit(hass, form, values)

    assert account.options["max_parts"] == most


def _wrong(field: NumberSelector) -> list[float]:
    """Return numbers that a field does not take."""
    too_much = field.config["max"] + 1
    return [too_much, 2.5] if isinstance(field, WholeNumber) else [too_much]


@EACH_PROVIDER
async def test_each_number_out_of_bounds_is_an_error_of_its_section(
    hass: HomeAssistant, accounts: Accounts, key: str
) -> None:
    """Never a sentence of the validator, which is in English."""
    account = accounts.add(key)
    form = await start(hass, account)
    values = {
        name: {field: value for field, value in fields.items() if value is not None}
        for name, fields in fields_of(form).items()
    }
    tried = 0
    for name, fields in options_fields(PROVIDERS[key], "IT", {}).items():
        for marker, field in fields.items():
            if isinstance(field, NumberSelector):
                tried += 1
                for wrong in _wrong(field):
                    one = values[name] | {str(marker): wrong}
                    form = await submit(hass, form, {**values, name: one})
                    assert form["errors"] == {name: f"{marker}_range"}

    assert tried > 3
    assert not account.options


@pytest.mark.parametrize(
    "wrong", ["casa", "https://casa.example/dlr", "a@b.it, c@d.it"]
)
async def test_an_email_address_that_is_none_is_an_error_of_its_section(
    hass: HomeAssistant, accounts: Accounts, wrong: str
) -> None:
    """It would go to the provider with every message. Nothing typed is lost."""
    account = accounts.add("smsviainternet", options={"delivery_email": "a@b.it"})
    form = await start(hass, account)
    values = fields_of(form)
    assert values[SECTION_PROVIDER]["delivery_email"] == "a@b.it"
    del values[SECTION_TEXT]["max_parts"]
    values[SECTION_PROVIDER]["delivery_email"] = wrong
    values[SECTION_LIMITS]["daily_limit"] = 7

    form = await submit(hass, form, values)

    assert form["errors"] == {SECTION_PROVIDER: "invalid_email"}
    assert sections_open(form) == {SECTION_PROVIDER}
    shown = fields_of(form)
    assert shown[SECTION_PROVIDER]["delivery_email"] == wrong
    assert shown[SECTION_LIMITS]["daily_limit"] == 7
    values[SECTION_PROVIDER]["delivery_email"] = "c@d.it"
    await submit(hass, form, values)
    assert account.options["delivery_email"] == "c@d.it"


@pytest.mark.parametrize("empty", [{}, {"delivery_email": ""}])
async def test_an_email_address_that_is_cleared_is_forgotten(
    hass: HomeAssistant, accounts: Accounts, empty: dict[str, str]
) -> None:
    account = accounts.add("smsviainternet", options={"delivery_email": "a@b.it"})
    form = await start(hass, account)
    values = fields_of(form)
    del values[SECTION_TEXT]["max_parts"]
    del values[SECTION_PROVIDER]["delivery_email"]

    await submit(
        hass, form, {**values, SECTION_PROVIDER: values[SECTION_PROVIDER] | empty}
    )

    assert "delivery_email" not in account.options


@EACH_PROVIDER
def test_the_frontend_can_draw_every_field(key: str) -> None:
    """Each becomes a selector, none more than one."""
    for fields in options_fields(PROVIDERS[key], "IT", {"id": "Altro"}).values():
        drawn = probatio.to_field_list(
            vol.Schema(fields), custom_serializer=cv.custom_serializer
        )
        assert isinstance(drawn, list)
        assert [len(field["selector"]) for field in drawn] == [1] * len(fields)


async def test_only_other_accounts_can_step_in(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """One that was removed is not shown any more; the rest keeps its order."""
    first = accounts.add("inviosmart")
    second = accounts.add("transactionale")
    order = ["removed", second.entry_id, first.entry_id]
    account = accounts.add("smshosting", options={"fallback": order})

    form = await start(hass, account)

    assert fields_of(form)[SECTION_RELIABILITY]["fallback"] == order[1:]
    schema = form["data_schema"]
    assert schema is not None
    selector = schema.schema[SECTION_RELIABILITY].schema.schema["fallback"]
    assert selector.config["options"] == [
        {"value": first.entry_id, "label": "Inviosmart"},
        {"value": second.entry_id, "label": "Transactionale"},
    ]


async def test_a_lone_account_is_not_asked_what_needs_another(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """No option is offered that has no effect."""
    form = await start(hass, accounts.add("smshosting"))

    assert fields_of(form)[SECTION_RELIABILITY].keys() == {"retry_for", "bundle_after"}


@pytest.mark.parametrize(
    ("key", "has_credit", "own"),
    [
        ("smsviainternet", True, {"gateway": 0, "delivery_email": None}),
        (
            "smshosting",
            True,
            {"sandbox": False, "repeat_marker": True, "channel": "sms"},
        ),
        ("transactionale", False, {"receive_dlr": "auto"}),
        ("inviosmart", True, None),
    ],
)
async def test_each_provider_has_the_options_it_can_carry_out(
    hass: HomeAssistant,
    accounts: Accounts,
    key: str,
    has_credit: bool,  # noqa: FBT001 - a parameter of the table above
    own: dict[str, object] | None,
) -> None:
    """Without a credit there is no low credit; own options have their section."""
    filled = fields_of(await start(hass, accounts.add(key)))

    assert ("low_credit" in filled[SECTION_LIMITS]) is has_credit
    assert filled.get(SECTION_PROVIDER) == own


async def test_the_country_of_home_assistant_is_allowed_at_first(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Without one it is Italy."""
    hass.config.country = "CH"
    account = accounts.add("smshosting")

    form = await start(hass, account)

    assert fields_of(form)[SECTION_LIMITS]["allowed_countries"] == ["ch"]
    options = read_options(account.options, default_country(hass))
    assert options.allowed_countries == {"CH"}
    hass.config.country = None
    assert default_country(hass) == "IT"
