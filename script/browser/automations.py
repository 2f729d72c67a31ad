"""The editor of automations: the triggers, and the form of a blueprint."""

from dataclasses import dataclass

from homeassistant.util.yaml import load_yaml_dict
from playwright.async_api import expect

from script.home_assistant.client import Client
from script.home_assistant.configuration import ROOT

from .screen import Screen
from .texts import Language

TRIGGERS = (
    "message_delivered",
    "message_not_delivered",
    "message_received",
    "credit_became_low",
    "daily_limit_reached",
)

AUTOMATION = "prova_settimanale"

BLUEPRINTS = {
    Language.ENGLISH: "sms_italia/weekly_test.yaml",
    Language.ITALIAN: "sms_italia/weekly_test_it.yaml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Automations:
    """The steps in the editor."""

    screen: Screen
    client: Client

    async def find_triggers(self) -> None:
        """Search for SMS among all triggers: ours are there, with their names."""
        screen = self.screen
        await screen.open("/config/automation/edit/new")
        await screen.button(screen.labels.add_trigger).click()
        adding = screen.page.locator("add-automation-element-dialog")
        await screen.fill(adding.get_by_role("textbox"), "SMS")
        for key in TRIGGERS:
            name = screen.texts[f"triggers.{key}.name"]
            offered = adding.get_by_text(name, exact=True)
            await expect(offered.first).to_be_visible()
        await screen.screenshots.check()

    async def read_blueprint(self) -> None:
        """Open an automation from a blueprint: its form is in the language."""
        screen = self.screen
        path = BLUEPRINTS[screen.texts.language]
        await self.client.save_automation(
            AUTOMATION,
            {
                "alias": AUTOMATION,
                "use_blueprint": {
                    "path": path,
                    "input": {
                        "recipient": "notify.anna",
                        "notify_entities": ["notify.bruno"],
                    },
                },
            },
        )
        await screen.open(f"/config/automation/edit/{AUTOMATION}")
        form = screen.page.locator("blueprint-automation-editor")
        blueprint = load_yaml_dict(str(ROOT / "blueprints" / "automation" / path))
        for given in blueprint["blueprint"]["input"].values():
            await expect(form).to_contain_text(given["name"])
