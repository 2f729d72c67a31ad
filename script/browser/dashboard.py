"""The dashboard of the picture: core cards, a section for each account."""

from collections.abc import Sequence
from typing import cast

from script.development.accounts import DOMAIN
from script.development.home_assistant import (
    Entry,
    Fields,
    HomeAssistant,
    RegisteredEntity,
)

PATH = "sms-italia"

_ACCOUNT_SENSORS = ("credit", "sms_left", "last_delivery_status")


async def make(home_assistant: HomeAssistant) -> None:
    """Make a dashboard of all accounts and recipients that are there."""
    entries = cast(
        "list[Entry]",
        await home_assistant.command("config_entries/get", domain=DOMAIN),
    )
    entities = await home_assistant.entities()
    await home_assistant.command(
        "lovelace/dashboards/create",
        url_path=PATH,
        title="SMS Italia",
        icon="mdi:message-text",
        require_admin=False,
        show_in_sidebar=True,
    )
    entries.sort(key=lambda entry: entry["title"].casefold())
    sections = [_section(entry, entities) for entry in entries]
    view = {"type": "sections", "max_columns": 2, "sections": sections}
    await home_assistant.command(
        "lovelace/config/save", url_path=PATH, config={"views": [view]}
    )


def _section(entry: Entry, entities: Sequence[RegisteredEntity]) -> Fields:
    """Return the cards of one account: its sensors, then those of its recipients."""
    mine = [
        entity for entity in entities if entity["config_entry_id"] == entry["entry_id"]
    ]
    cards: list[Fields] = [
        {"type": "heading", "heading": entry["title"], "icon": "mdi:message-text"}
    ]
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
