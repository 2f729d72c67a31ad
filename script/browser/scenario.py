"""What the person does in the browser, step by step, and what must come of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from script.development.accounts import RECIPIENTS_BY_PROVIDER, SENDER
from script.development.home_assistant import (
    PASSWORD,
    USERNAME,
    HomeAssistant,
    until,
)
from simulator import Message, Operation, Provider, Simulator, Status

from . import dashboard
from .album import Album
from .words import OwnTexts, Words

PROVIDER = Provider.SMSHOSTING
ACCOUNT = "Smshosting"

STEP_SECONDS = 30
DELIVERY_SECONDS = 120

MARGIN = 24
"""Around what is pictured, in pixels of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that the steps need; `others` is how many more accounts there are."""

    page: Page
    url: str
    home_assistant: HomeAssistant
    simulator: Simulator
    album: Album
    words: Words
    texts: OwnTexts
    others: int

    @property
    def steps(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """Return the steps in their order, each with what it does."""
        return (
            ("log in", self.log_in),
            ("choose the provider", self.choose_provider),
            ("make the account", self.make_account),
            ("make the first recipient", self.make_recipient),
            ("send from the actions page", self.send),
            ("read the SMS on the phone", self.read_phone),
            ("read the account's device page", self.read_device),
            ("read the dashboard", self.read_dashboard),
        )

    async def log_in(self) -> None:
        """Log in through the form."""
        await self.page.goto(self.url)
        await self.page.locator("input[name=username]").fill(USERNAME)
        await self.page.locator("input[name=password]").fill(PASSWORD)
        await self._button(self.words.log_in).click()
        await expect(self.page.locator("home-assistant-main")).to_be_visible()

    async def choose_provider(self) -> None:
        """Go from the settings to the menu of providers."""
        await self.page.locator("#sidebar-config").click()
        await self.page.locator("[href='/config/integrations']").first.click()
        await self._button(self.words.add_integration).click()
        adding = self.page.locator("dialog-add-integration")
        await adding.get_by_role("textbox").fill("SMS Italia")
        await adding.get_by_text(self.texts["title"], exact=True).click()
        await expect(self._dialog).to_contain_text(self.texts["config.step.user.title"])
        for provider in Provider:
            key = f"config.step.user.menu_option_descriptions.{provider}"
            await expect(self._dialog).to_contain_text(self.texts[key])
        await self.album.take("provider-menu", self._dialog_box, margin=MARGIN)
        await self._dialog.get_by_text(ACCOUNT, exact=True).click()

    async def make_account(self) -> None:
        """Fill the account's form, with a wrong secret first."""
        form = f"config.step.{PROVIDER}"
        await expect(self._dialog).to_contain_text(self.texts[f"{form}.title"])
        credentials = self.simulator.credentials(PROVIDER)
        for name, value in {**credentials, "sender": SENDER}.items():
            await self._field(name).fill(value)
        await self.album.take("account-form", self._dialog_box, margin=MARGIN)
        advanced = self.texts[f"{form}.sections.advanced.name"]
        await self._dialog.get_by_text(advanced, exact=True).click()
        await self._field("url").fill(self.simulator.url(PROVIDER))
        await self._field("auth_secret").fill("wrong")
        await self._button(self.words.submit).click()
        await expect(self._dialog).to_contain_text(
            self.texts["config.error.invalid_auth"]
        )
        await self.album.check()
        await self._field("auth_secret").fill(credentials["auth_secret"])
        await self._button(self.words.submit).click()

    async def make_recipient(self) -> None:
        """Fill the recipient's form, which opens by itself."""
        form = "config_subentries.recipient.step.user"
        await expect(self._dialog).to_contain_text(self.texts[f"{form}.title"])
        await self._field("name").fill(self.words.recipient)
        numbers = self._dialog.locator("ha-input-multi")
        await numbers.locator("input").fill(RECIPIENTS_BY_PROVIDER[PROVIDER].typed)
        await self.album.check()
        await self._button(self.words.submit).click()
        await expect(self._dialog).to_contain_text(self.words.recipient)
        await self._button(self.words.finish).click()
        await expect(self._dialog_box).to_be_hidden()

    async def send(self) -> None:
        """Send a message to the recipient with the form of notify.send_message."""
        await self.page.goto(
            f"{self.url}/config/tools/action?service=notify.send_message"
        )
        await self._button(self.words.add_target).click()
        await self.page.keyboard.type(self.words.recipient)
        await (
            self.page.get_by_role("option")
            .filter(has_text=self.words.recipient)
            .filter(has=self.page.locator("[data-domain=notify]"))
            .click()
        )
        message = self.page.locator("ha-service-control input[required]")
        await message.fill(self.words.alarm)
        await self._button(self.words.perform).click()
        await until(self._find_delivered, DELIVERY_SECONDS, "the SMS is on the phone")
        await self.album.check()
        self._compare_requests()

    async def _find_delivered(self) -> Message | None:
        """Return the message that the phone got."""
        for message in self.simulator.messages.of(PROVIDER):
            if message.text == self.words.alarm and message.status is Status.DELIVERED:
                return message
        return None

    def _compare_requests(self) -> None:
        """Compare what reached the provider with what was typed."""
        sends = [
            request
            for request in self.simulator.requests.of(PROVIDER)
            if request.operation is Operation.SEND
        ]
        if len(sends) != 1:
            raise AssertionError(f"{len(sends)} send requests instead of one")
        (message,) = self.simulator.messages.of(PROVIDER)
        seen = (message.to, message.sender)
        expected = (RECIPIENTS_BY_PROVIDER[PROVIDER].number, SENDER)
        if seen != expected:
            raise AssertionError(f"the provider got {seen} instead of {expected}")

    async def read_phone(self) -> None:
        """Read the SMS on the simulator's page of phones."""
        phones = await self.page.context.new_page()
        await phones.goto(self.simulator.address)
        phone = phones.locator("article").filter(
            has_text=RECIPIENTS_BY_PROVIDER[PROVIDER].number
        )
        await expect(phone).to_contain_text(self.words.alarm)
        await phones.close()

    async def read_device(self) -> None:
        """Find credit and delivery status on the account's device page."""
        await self.page.goto(f"{self.url}/config/integrations/dashboard")
        await (
            self.page.locator("ha-integration-card")
            .filter(has_text=self.texts["title"])
            .click()
        )
        account = self.page.locator("ha-config-entry-row").filter(has_text=ACCOUNT)
        await (
            account.locator("ha-config-entry-device-row")
            .filter(has_text=ACCOUNT)
            .first.click()
        )
        credit = self.simulator.account(PROVIDER).credit
        shown = f"{credit:.2f}".replace(".", self.words.decimal)
        delivered = self.texts["entity.sensor.last_delivery_status.state.delivered"]
        await expect(self._row("last_delivery_status")).to_contain_text(
            delivered, timeout=DELIVERY_SECONDS * 1000
        )
        await expect(self._row("credit")).to_contain_text(shown)
        page = self.page.locator("ha-config-device-page")
        await self.album.take(
            "account-device",
            page.locator(".toolbar"),
            page.locator("hass-subpage > .container"),
        )

    async def read_dashboard(self) -> None:
        """Find every account's and recipient's last delivery on a dashboard."""
        await dashboard.make(self.home_assistant)
        await self.page.goto(f"{self.url}/{dashboard.PATH}")
        delivered = self.texts["entity.sensor.last_delivery_status.state.delivered"]
        tiles = self.page.locator("hui-tile-card").filter(has_text=delivered)
        await expect(tiles).to_have_count(
            2 * (self.others + 1), timeout=DELIVERY_SECONDS * 1000
        )
        sections = await self.page.locator("hui-grid-section").all()
        await self.album.take("dashboard", *sections, margin=MARGIN)

    @property
    def _dialog(self) -> Locator:
        """Return the dialog of a set-up flow."""
        return self.page.locator("dialog-data-entry-flow")

    @property
    def _dialog_box(self) -> Locator:
        """Return the box on the screen that the dialog is."""
        return self._dialog.locator("dialog[open]")

    def _field(self, name: str) -> Locator:
        """Return a field of the dialog by its key."""
        return self._dialog.locator(f"input[name={name}]")

    def _button(self, text: str) -> Locator:
        """Return the button with exactly this text."""
        return self.page.get_by_role("button", name=text, exact=True)

    def _row(self, key: str) -> Locator:
        """Return the line of a sensor on a device page, by its translation key."""
        name = self.texts[f"entity.sensor.{key}.name"]
        return self.page.locator("hui-generic-entity-row").filter(
            has=self.page.get_by_text(name, exact=True)
        )
