"""The card: served with its version, loaded by the frontend, gone with the accounts."""

import json
from pathlib import Path
import re

from homeassistant.components.frontend import DATA_EXTRA_MODULE_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.sms_italia.card import async_load_card, async_serve_card
from custom_components.sms_italia.const import DOMAIN

from .accounts import Accounts
from .test_manifest import MANIFEST

FOLDER = Path(__file__).parents[1] / "custom_components" / DOMAIN / "frontend"
ADDRESS = f"/{DOMAIN}/card/{MANIFEST['version']}/card.js"
TEXTS = json.loads(
    (FOLDER / "texts.js").read_text("utf-8").partition("export const TEXTS = ")[2][:-2]
)


def loaded(hass: HomeAssistant) -> list[str]:
    """Return the modules of ours that the frontend loads."""
    urls: list[str] = list(hass.data[DATA_EXTRA_MODULE_URL].urls)
    return [url for url in urls if DOMAIN in url]


async def test_the_frontend_loads_the_card_while_there_is_an_account(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """Once for all of them, also for one that is disabled."""
    pytest.importorskip("hass_frontend", reason="not among what tests need")
    assert await async_setup_component(hass, "frontend", {})
    first = await accounts.set_up("smshosting")
    second = await accounts.set_up("inviosmart")
    assert loaded(hass) == [ADDRESS]
    await hass.config_entries.async_unload(first.entry_id)
    await hass.config_entries.async_remove(second.entry_id)
    assert loaded(hass) == [ADDRESS]
    await hass.config_entries.async_remove(first.entry_id)
    assert loaded(hass) == []
    await accounts.set_up("smshosting")
    assert loaded(hass) == [ADDRESS]


async def test_every_file_of_the_card_is_served(
    accounts: Accounts, hass_client: ClientSessionGenerator
) -> None:
    """Browsers may keep them: the next version has another address."""
    await accounts.set_up("smshosting")
    client = await hass_client()
    for file in sorted(FOLDER.iterdir()):
        response = await client.get(ADDRESS.replace("card.js", file.name))
        assert response.status == 200
        assert response.content_type == "text/javascript"
        assert "max-age" in response.headers["Cache-Control"]
        assert await response.text() == file.read_text("utf-8")


async def test_an_account_works_without_the_frontend(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    assert "frontend" not in hass.config.components
    assert await hass.config_entries.async_remove(account.entry_id)


async def test_nothing_is_served_without_a_web_server(hass: HomeAssistant) -> None:
    await async_serve_card(hass)
    hass.config.components.add("frontend")
    async_load_card(hass)


async def test_the_card_knows_our_entities_by_their_keys(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    """An escalation's notify entity is none of a recipient: it begins calls."""
    await accounts.set_up(
        "smshosting",
        entry_id="conto",
        recipients={"Anna": ["+393331234567"]},
        escalations={"Notte": [("conto", "anna")]},
    )
    keys = {
        (entity.domain, entity.translation_key)
        for entity in er.async_get(hass).entities.values()
    }

    code = (FOLDER / "entities.js").read_text("utf-8")
    compared = set(re.findall(r'translation_key === "(\w+)"', code))

    assert compared == {"acknowledge", "call", "credit", "escalation"}
    assert keys >= {
        ("button", "acknowledge"),
        ("notify", "call"),
        ("sensor", "credit"),
        ("sensor", "credit_days_left"),
        ("binary_sensor", "credit_low"),
        ("sensor", "escalation"),
    }


# The files


def placeholders(text: str) -> set[str]:
    """Return what is filled in."""
    return set(re.findall(r"\{(\w+)\}", text))


def test_both_languages_have_the_same_texts() -> None:
    """With the same placeholders."""
    english, italian = TEXTS["en"], TEXTS["it"]
    assert TEXTS.keys() == {"en", "it"}
    assert english.keys() == italian.keys()
    for key, text in english.items():
        assert text.strip()
        assert placeholders(text) == placeholders(italian[key]), key


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    code = "".join(
        path.read_text("utf-8")
        for path in sorted(FOLDER.glob("*.js"))
        if path.name != "texts.js"
    )
    used = set(re.findall(r"""text\(\s*"(\w+)\"""", code))
    assert used == TEXTS["en"].keys()


def test_nothing_is_written_as_html() -> None:
    """Whatever comes from outside is a text; two elements are the frontend's."""
    code = "".join(path.read_text("utf-8") for path in sorted(FOLDER.glob("*.js")))
    writers = "innerHTML|outerHTML|insertAdjacentHTML|document.write|DOMParser|srcdoc"
    assert not re.findall(writers, code)
    assert set(re.findall(r'"((?:ha|hui|mwc|paper)-[\w-]+)"', code)) == {
        "ha-card",
        "ha-icon",
    }
