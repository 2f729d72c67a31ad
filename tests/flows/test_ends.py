"""Every end of every flow is a sentence of ours, in both languages."""

import ast
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigFlowResult,
    SubentryFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.translation import async_get_translations
import pytest

from custom_components.sms_italia import config_flow
from custom_components.sms_italia.const import (
    CONF_FALLBACK,
    DOMAIN,
    SUBENTRY_TYPE_ESCALATION,
    SUBENTRY_TYPE_RECIPIENT,
)
from simulator import Simulator

from ..accounts import Accounts, settings_for
from ..test_config_flow import credential_fields, start, submit

ANNA = "+393331234567"
KEY = "smshosting"
FOLDER = Path(config_flow.__file__).parent
LANGUAGES = ("en", "it")

type Result = ConfigFlowResult | SubentryFlowResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where flows are tried."""

    hass: HomeAssistant
    accounts: Accounts
    simulator: Simulator

    async def account(self, key: str = KEY, **changes: str) -> Result:
        """Add an account."""
        settings = settings_for(self.simulator, key, **changes)
        return await submit(self.hass, await start(self.hass, key), key, settings)

    async def subentry(
        self,
        kind: str,
        values: dict[str, Any],
        options: dict[str, Any] | None = None,
        **subentries: Any,  # noqa: ANN401 - as `Accounts` takes them
    ) -> Result:
        """Add a recipient or an escalation to a new account."""
        account = await self.accounts.set_up(KEY, options=options or {}, **subentries)
        flows = self.hass.config_entries.subentries
        form = await flows.async_init(
            (account.entry_id, kind), context={"source": SOURCE_USER}
        )
        if form["type"] is FlowResultType.FORM:
            form = await flows.async_configure(form["flow_id"], values)
        await self.hass.async_block_till_done(wait_background_tasks=True)
        return form

    async def beside_another(self, values: dict[str, Any]) -> Result:
        """Add a recipient to a new account while there is another."""
        self.accounts.add("inviosmart")
        return await self.subentry(SUBENTRY_TYPE_RECIPIENT, values)

    async def change(self, subentry_id: str, **values: Any) -> Result:  # noqa: ANN401 - as a form has them
        """Change the recipient or the escalation of a new account."""
        account = await self.accounts.set_up(
            KEY, recipients={"Anna": [ANNA]}, escalations={"Notte": []}
        )
        form = await account.start_subentry_reconfigure_flow(self.hass, subentry_id)
        result: Result = await self.hass.config_entries.subentries.async_configure(
            form["flow_id"], values
        )
        await self.hass.async_block_till_done(wait_background_tasks=True)
        return result


RECIPIENT = {"name": "Bruno", "numbers": [ANNA]}
TESTED = RECIPIENT | {"send_test": True}
ESCALATION = {
    "name": "Giorno",
    "members": ["notify.anna"],
    "wait": 5,
    "rounds": 1,
    "until": "acknowledged",
    "tell_others": False,
    "quiet": 0,
}
IN_COMPANY = {CONF_FALLBACK: ["other"]}


async def existing(home: Home) -> Result:
    """Add an account twice."""
    home.accounts.add(KEY)
    return await home.account()


async def signed_in_again(home: Home) -> Result:
    """Confirm the credentials of an account."""
    account = await home.accounts.set_up(KEY)
    form = await account.start_reauth_flow(home.hass)
    settings = settings_for(home.simulator, KEY)
    return await submit(home.hass, form, KEY, settings, credential_fields(KEY))


async def reconfigured(home: Home) -> Result:
    """Change an account."""
    account = await home.accounts.set_up(KEY)
    form = await account.start_reconfigure_flow(home.hass)
    settings = settings_for(home.simulator, KEY, sender="Altro")
    return await submit(home.hass, form, KEY, settings)


async def of_another_customer(home: Home) -> Result:
    """Change an account to the credentials of somebody else."""
    account = home.accounts.add(KEY, settings={"username": "bruno"}, customer="bruno")
    form = await account.start_reconfigure_flow(home.hass)
    return await submit(home.hass, form, KEY, settings_for(home.simulator, KEY))


ENDS: dict[str, Callable[[Home], Awaitable[Result]]] = {
    "config.abort.already_configured": existing,
    "config.abort.reauth_successful": signed_in_again,
    "config.abort.reconfigure_successful": reconfigured,
    "config.abort.unique_id_mismatch": of_another_customer,
    "config_subentries.recipient.create_entry.alone": lambda home: home.subentry(
        SUBENTRY_TYPE_RECIPIENT, RECIPIENT
    ),
    "config_subentries.recipient.create_entry.alone_tested": lambda home: home.subentry(
        SUBENTRY_TYPE_RECIPIENT, TESTED
    ),
    "config_subentries.recipient.create_entry.without_fallback": lambda home: (
        home.beside_another(RECIPIENT)
    ),
    "config_subentries.recipient.create_entry.without_fallback_tested": lambda home: (
        home.beside_another(TESTED)
    ),
    "config_subentries.recipient.create_entry.default": lambda home: home.subentry(
        SUBENTRY_TYPE_RECIPIENT, RECIPIENT, IN_COMPANY
    ),
    "config_subentries.recipient.create_entry.tested": lambda home: home.subentry(
        SUBENTRY_TYPE_RECIPIENT, TESTED, IN_COMPANY
    ),
    "config_subentries.recipient.abort.reconfigure_successful": lambda home: (
        home.change("anna", **RECIPIENT)
    ),
    "config_subentries.recipient.abort.tested": lambda home: home.change(
        "anna", **TESTED
    ),
    "config_subentries.escalation.create_entry.default": lambda home: home.subentry(
        SUBENTRY_TYPE_ESCALATION, ESCALATION, recipients={"Anna": [ANNA]}
    ),
    "config_subentries.escalation.abort.reconfigure_successful": lambda home: (
        home.change("notte", **ESCALATION)
    ),
    "config_subentries.escalation.abort.no_recipients": lambda home: home.subentry(
        SUBENTRY_TYPE_ESCALATION, ESCALATION
    ),
}
"""Where the text of each end is, and how it is reached."""


def text_key(result: Result) -> str:
    """Return the key of what the frontend shows at the end of a flow."""
    if result["type"] is FlowResultType.ABORT:
        return f"abort.{result['reason']}"
    assert result["type"] is FlowResultType.CREATE_ENTRY
    return f"create_entry.{result['description'] or 'default'}"


@pytest.mark.parametrize("path", ENDS)
async def test_each_end_is_a_sentence_of_ours(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, path: str
) -> None:
    """With all its placeholders; one of core's exists in some languages only."""
    home = Home(hass=hass, accounts=accounts, simulator=simulator)

    result = await ENDS[path](home)

    category, _, rest = path.partition(".")
    assert rest.endswith(text_key(result))
    assert result.get("translation_domain") is None
    for language in LANGUAGES:
        texts = await async_get_translations(hass, language, category, {DOMAIN})
        text = texts[f"component.{DOMAIN}.{path}"]
        assert text.format_map(result["description_placeholders"] or {})


async def test_a_new_account_goes_on_to_its_first_recipient(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    """Its own end is never shown."""
    home = Home(hass=hass, accounts=accounts, simulator=simulator)

    result = await home.account()

    assert "next_flow" in result


def texts_of_ends(language: str) -> set[str]:
    """Return where the texts of ends are."""
    path = FOLDER / "translations" / f"{language}.json"
    texts = json.loads(path.read_text("utf-8"))
    sections = {"config": texts["config"]} | {
        f"config_subentries.{name}": section
        for name, section in texts["config_subentries"].items()
    }
    return {
        f"{name}.{end}.{key}"
        for name, section in sections.items()
        for end in ("abort", "create_entry")
        for key in section.get(end, ())
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_of_an_end_is_reached(language: str) -> None:
    assert texts_of_ends(language) == ENDS.keys()


def calls_in(path: Path) -> Iterator[ast.Call]:
    """Return the calls in a module."""
    tree = ast.parse(path.read_text("utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_no_flow_ends_with_the_text_of_core() -> None:
    """Which it does if it gives no reason; repairs have an end of their own."""
    modules = [*FOLDER.glob("*.py"), *FOLDER.glob("flows/*.py")]
    unnamed = [
        f"{path.name}:{call.lineno}"
        for path in modules
        for call in calls_in(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr.startswith("async_update_")
        and call.func.attr.endswith("_abort")
        and not any(keyword.arg == "reason" for keyword in call.keywords)
    ]
    assert not unnamed
