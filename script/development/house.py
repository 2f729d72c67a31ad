"""What a house would add to the accounts: an alarm, its automation, a dashboard."""

from collections.abc import Sequence
from typing import cast

from . import dashboard
from .accounts import Account
from .home_assistant import Fields, HomeAssistant, until

AUTOMATION = "perdita_acqua_sms"
TITLE = "Casa"
ALARM = "Perdita d’acqua in lavanderia, 21 °C"  # noqa: RUF001 - as typed on a phone
ALARM_SECONDS = 30


async def furnish(home_assistant: HomeAssistant, accounts: Sequence[Account]) -> str:
    """Make the water alarm, its automation and the dashboard.

    Returns the entity that sets the alarm off.
    """
    alarm = cast(
        "Fields",
        await home_assistant.command(
            "input_boolean/create", name="Perdita d'acqua", icon="mdi:water-alert"
        ),
    )
    alarm_entity = f"input_boolean.{alarm['id']}"
    await home_assistant.save_automation(
        AUTOMATION, _automation(alarm_entity, accounts)
    )
    automation = await _wait_for_automation(home_assistant)
    await dashboard.make(home_assistant, _trial(alarm_entity, automation))
    return alarm_entity


async def _wait_for_automation(home_assistant: HomeAssistant) -> str:
    """Wait until the automation listens and return its entity."""

    async def find() -> str | None:
        for state in (await home_assistant.states()).values():
            if state["attributes"].get("id") == AUTOMATION and state["state"] == "on":
                return state["entity_id"]
        return None

    return await until(find, ALARM_SECONDS, "the automation is on")


def _automation(alarm: str, accounts: Sequence[Account]) -> Fields:
    """Return the automation that tells every recipient of the alarm."""
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
    """Return the section of the dashboard that sets the alarm off."""
    return {
        "type": "grid",
        "cards": [
            dashboard.heading("Prova", "mdi:flask-outline"),
            {"type": "tile", "entity": alarm, "features": [{"type": "toggle"}]},
            {"type": "tile", "entity": automation},
        ],
    }
