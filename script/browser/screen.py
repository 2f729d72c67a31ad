"""The pages of the frontend: how to open them, and where their elements are."""

from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from .screenshots import Screenshots
from .texts import Labels, OwnTexts

STEP_SECONDS = 30
DELIVERY_SECONDS = 120

MARGIN = 24
"""Around a screenshot's subject, in pixels of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A page of Home Assistant's frontend, at `url`."""

    page: Page
    url: str
    screenshots: Screenshots
    labels: Labels
    texts: OwnTexts

    async def open(self, path: str) -> None:
        """Open a page of the frontend by its path."""
        await self.page.goto(f"{self.url}{path}")

    async def open_integration(self) -> None:
        """Open the page with all accounts."""
        await self.open("/config/integrations/integration/sms_italia")

    async def open_device(self, account: str, device: str) -> None:
        """Open the page of an account's device, or of one of its recipients."""
        await self.open_integration()
        await (
            self.account(account)
            .locator("ha-config-entry-device-row")
            .filter(has_text=device)
            .first.click()
        )
        await expect(self.page.locator("ha-config-device-page")).to_be_visible()

    def account(self, title: str) -> Locator:
        """Return the part of the integration's page that belongs to an account."""
        row = self.page.locator("ha-config-entry-row")
        return row.filter(has_text=title).first

    async def take_device(self, name: str) -> None:
        """Take a screenshot of the device page that is open."""
        page = self.page.locator("ha-config-device-page")
        await self.screenshots.take(
            name,
            page.locator(".toolbar"),
            page.locator("hass-subpage > .container"),
        )

    @property
    def dialog(self) -> Locator:
        """Return the dialog of a set-up flow."""
        return self.page.locator("dialog-data-entry-flow")

    @property
    def dialog_box(self) -> Locator:
        """Return the box on the screen that the dialog is."""
        return self.dialog.locator("dialog[open]")

    def field(self, name: str) -> Locator:
        """Return a field of the dialog by its key."""
        return self.dialog.locator(f"input[name={name}]")

    def number(self, label: str) -> Locator:
        """Return a number's field of the dialog by its label."""
        field = self.dialog.locator("ha-selector-number").filter(has_text=label)
        return field.locator("input")

    def button(self, text: str) -> Locator:
        """Return the button with exactly this text."""
        return self.page.get_by_role("button", name=text, exact=True)

    async def submit(self) -> None:
        """Submit the form of the dialog."""
        await self.button(self.labels.submit).click()

    async def finish(self, button: str) -> None:
        """Close the dialog at its end by a button."""
        await self.dialog.get_by_role("button", name=button, exact=True).last.click()
        await expect(self.dialog_box).to_be_hidden()

    def row(self, key: str, platform: str = "sensor") -> Locator:
        """Return the line of an entity on a device page, by its translation key."""
        name = self.texts[f"entity.{platform}.{key}.name"]
        return self.page.locator("hui-generic-entity-row").filter(
            has=self.page.get_by_text(name, exact=True)
        )

    async def expect_delivered(self) -> None:
        """Wait until the device page shows its last message as delivered."""
        delivered = self.texts["entity.sensor.last_delivery_status.state.delivered"]
        await expect(self.row("last_delivery_status")).to_contain_text(
            delivered, timeout=DELIVERY_SECONDS * 1000
        )

    async def send_test(self) -> None:
        """Press the button of the recipient whose device page is open."""
        await self.button(self.labels.press).click()
