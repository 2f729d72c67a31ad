"""The pages of the frontend: how to open them, and where their elements are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from script.home_assistant.waiting import until

from .screenshots import Screenshots
from .texts import Labels, OwnTexts

STEP_SECONDS = 30
DELIVERY_SECONDS = 120

MARGIN = 24
"""Around a screenshot's subject, in pixels of the page."""

_READ_TEXTS = """
elements => elements.map(
  element => (element.innerText || element.shadowRoot?.textContent || "").trim()
)
"""

type Outcome[T] = Callable[[], Awaitable[T | None]]
"""Returns what a click leads to; None as long as it has not happened."""


def shown(element: Locator) -> Outcome[int]:
    """Return the outcome that an element is on the page."""

    async def count() -> int | None:
        return await element.count() or None

    return count


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

    async def fill(self, field: Locator, text: str) -> None:
        """Click into a field and fill it.

        The click waits until nothing covers the field. A list or dialog keeps the focus
        until it is closed, and would get the text.
        """
        await field.click()
        await field.fill(text)
        await expect(field).to_have_value(text)

    async def click[T](
        self,
        element: Locator,
        outcome: Outcome[T],
        what: str,
        seconds: int = STEP_SECONDS,
    ) -> T:
        """Click, wait for the outcome on the same page, and return it.

        `what` is the sentence of the outcome. Raises AssertionError with the text of a
        new error that is shown instead, and HomeAssistantError if nothing happens in
        time.
        """
        # The error of the last attempt is shown until the answer to this one.
        known = await self._errors()
        await element.click()

        async def ended() -> T | None:
            # The errors first: one of them can be the outcome.
            new = [error for error in await self._errors() if error not in known]
            found = await outcome()
            if new and found is None:
                raise AssertionError(f"{new[0]!r} is shown; expected: {what}")
            return found

        return await until(ended, seconds, what)

    async def _errors(self) -> list[str]:
        """Return the texts of all errors on the page."""
        errors = self.page.locator("ha-alert[alert-type=error], ha-toast")
        texts: list[str] = await errors.evaluate_all(_READ_TEXTS)
        return texts

    async def go_on(self, element: Locator, text: str) -> None:
        """Click what leads the dialog to a text."""
        reached = self.dialog.filter(has_text=text)
        await self.click(element, shown(reached), f"the dialog shows {text!r}")

    async def submit(self, text: str) -> None:
        """Submit the form of the dialog, which then shows a text."""
        await self.go_on(self.button(self.labels.submit), text)

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

    @property
    def delivered(self) -> Locator:
        """Return the line of the device page that shows its last SMS as delivered."""
        delivered = self.texts["entity.sensor.last_delivery_status.state.delivered"]
        return self.row("last_delivery_status").filter(has_text=delivered)

    async def send_test[T](self, outcome: Outcome[T], what: str) -> T:
        """Press the button of the recipient whose device page is open.

        Raises what `click` raises.
        """
        press = self.button(self.labels.press)
        return await self.click(press, outcome, what, DELIVERY_SECONDS)
