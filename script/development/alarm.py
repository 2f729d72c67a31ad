"""An alarm with its automation and a dashboard, as a user would add them."""

from collections.abc import Sequence
from typing import cast

from script.home_assistant.accounts import Account
from script.home_assistant.client import Client, Fields
from script.home_assistant.waiting import until

from . import dashboard

AUTOMATION = "perdita_acqua_sms"
TITLE = "Casa"
ALARM = "Perdita d’acqua in lavanderia, 21 °C"  # noqa: RUF001 - as typed on a phone
ALARM_SECONDS = 30


async def create(client: Client, accounts: Sequence[Account]) -> str:
    """Create the alarm, its automation and the dashboard.

    Returns the entity that raises the alarm.
    """
    alarm = cast(
        "Fields",
        await client.command(
            "input_boolean/create", name="Perdita d'acqua", icon="mdi:water-alert"
        ),
    )
    alarm_entity = f"input_boolean.{alarm['id']}"
    await client.save_automation(AUTOMATION, _automation(alarm_entity, accounts))
    automation = await _wait_for_automation(client)
    await dashboard.create(client, _trial(alarm_entity, automation))
    return alarm_entity


async def _wait_for_automation(client: Client) -> str:
    """Wait until the automation is on and return its entity."""

    async def find() -> str | None:
        for state in (await client.states()).values():
            if state["attributes"].get("id") == AUTOMATION and state["state"] == "on":
                return state["entity_id"]
        return None

    return await until(find, ALARM_SECONDS, "the automation is on")


def _automation(alarm: str, accounts: Sequence[Account]) -> Fields:
    """Return the automation that sends an SMS to every recipient."""
    return {
        "alias": "Perdita d'acqua: avvisa con un SMS",
        "triggers": [{"trigger": "state", "entity_id": alarm, "to": "on"}],
        "actions": [
            {
                "action": "notify.send_message",
                "target": {
                    "entity_id": [account.entities.notify for account in accounts]
                },
                "data": {"title": TITLE, "message": ALARM},
            }
        ],
    }


def _trial(alarm: str, automation: str) -> Fields:
    """Return the section of the dashboard that raises the alarm."""
    return {
        "type": "grid",
        "cards": [
            dashboard.heading("Prova", "mdi:flask-outline"),
            {"type": "tile", "entity": alarm, "features": [{"type": "toggle"}]},
            {"type": "tile", "entity": automation},
        ],
    }
