"""The dashboard of the documentation, and a second view with all accounts."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from homeassistant.util.yaml import load_yaml_dict

from script.home_assistant.accounts import DOMAIN
from script.home_assistant.client import Client, Entry, Fields, RegisteredEntity
from script.home_assistant.configuration import documented

PATH = "sms-italia"
ALL_ACCOUNTS = "accounts"
"""The path of the second view, under that of the dashboard."""

FILE = "dashboard.yaml"

_ACCOUNT_SENSORS = ("credit", "sms_left", "last_delivery_status")


async def create(client: Client, *sections: Fields) -> None:
    """Create a dashboard in the language of the instance.

    Its first view is the documented one; the second has a section for each account,
    then the sections given.
    """
    config = cast("Fields", await client.command("get_config"))
    view = await _documented_view(documented(FILE, str(config["language"])))
    entries = cast(
        "list[Entry]",
        await client.command("config_entries/get", domain=DOMAIN),
    )
    entries.sort(key=lambda entry: entry["title"].casefold())
    entities = await client.entities()
    await client.command(
        "lovelace/dashboards/create",
        url_path=PATH,
        title="SMS Italia",
        icon="mdi:message-text",
        require_admin=False,
        show_in_sidebar=True,
    )
    accounts = {
        "title": "Account",
        "path": ALL_ACCOUNTS,
        "type": "sections",
        "max_columns": 2,
        "sections": [*(_section(entry, entities) for entry in entries), *sections],
    }
    await client.command(
        "lovelace/config/save", url_path=PATH, config={"views": [view, accounts]}
    )


def heading(text: str, icon: str) -> Fields:
    """Return the heading card of a section."""
    return {"type": "heading", "heading": text, "icon": icon}


async def _documented_view(path: Path) -> Fields:
    """Return the view that a user would paste."""
    config = await asyncio.to_thread(load_yaml_dict, path)
    (view,) = cast("Sequence[Fields]", config["views"])
    return view


def _section(entry: Entry, entities: Sequence[RegisteredEntity]) -> Fields:
    """Return the cards of one account: its sensors, then those of its recipients."""
    mine = [
        entity for entity in entities if entity["config_entry_id"] == entry["entry_id"]
    ]
    cards = [heading(entry["title"], "mdi:message-text")]
    cards += [
        {"type": "tile", "entity": entity["entity_id"], "name": {"type": "entity"}}
        for key in _ACCOUNT_SENSORS
        for entity in mine
        if entity["translation_key"] == key and entity["config_subentry_id"] is None
    ]
    cards += [
        {
            "type": "tile",
            "entity": entity["entity_id"],
            "name": {"type": "device"},
            "icon": "mdi:account",
        }
        for entity in mine
        if entity["translation_key"] == "last_delivery_status"
        and entity["config_subentry_id"] is not None
    ]
    return {"type": "grid", "cards": cards}
