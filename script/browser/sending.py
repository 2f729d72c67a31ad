"""Sending, and reading the result."""

from dataclasses import dataclass

from playwright.async_api import Locator, expect

from script.development import dashboard
from script.home_assistant.accounts import RECIPIENTS_BY_PROVIDER, SENDER
from script.home_assistant.client import Client
from simulator import PROVIDERS, Message, Operation, Simulator, Status

from . import statistics
from .account_setup import PICTURED, TESTED
from .screen import DELIVERY_SECONDS, MARGIN, Screen, shown
from .screenshots import HEIGHT, WIDTH
from .texts import card_texts

ACCOUNT = "Smshosting"

WIDE, HIGH = 1700, 1500
"""A window that shows the whole dashboard."""

RECIPIENT = RECIPIENTS_BY_PROVIDER[PICTURED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The steps after the accounts are set up."""

    screen: Screen
    simulator: Simulator
    client: Client

    async def send(self) -> None:
        """Send a message to the recipient with the form of notify.send_message."""
        screen = self.screen
        await screen.open("/config/tools/action?service=notify.send_message")
        await self._choose_target()
        message = screen.page.locator("ha-service-control input[required]")
        await screen.fill(message, screen.labels.alarm)
        await screen.click(
            screen.button(screen.labels.perform),
            self._find_delivered,
            "the SMS is on the phone",
            DELIVERY_SECONDS,
        )
        await screen.screenshots.check()
        self._compare_requests()

    async def _choose_target(self) -> None:
        """Choose the recipient's notify entity in the list of targets."""
        screen = self.screen
        await screen.button(screen.labels.add_target).click()
        search = screen.page.locator("ha-picker-combo-box input")
        await screen.fill(search, RECIPIENT.name)
        option = (
            screen.page.get_by_role("option")
            .filter(has_text=RECIPIENT.name)
            .filter(has=screen.page.locator("[data-domain=notify]"))
        )
        target = screen.page.locator("ha-target-picker-item-row")
        await screen.click(
            option,
            shown(target.filter(has_text=RECIPIENT.name)),
            "the recipient is the target",
        )

    async def _find_delivered(self) -> Message | None:
        """Return the message that was delivered; None if it was not."""
        for message in self.simulator.messages.of(PICTURED):
            if (
                message.text == self.screen.labels.alarm
                and message.status is Status.DELIVERED
            ):
                return message
        return None

    def _compare_requests(self) -> None:
        """Compare what the provider received with what was typed."""
        sends = [
            request
            for request in self.simulator.requests.of(PICTURED)
            if request.operation is Operation.SEND
        ]
        if len(sends) != 1:
            raise AssertionError(f"{len(sends)} send requests instead of one")
        (message,) = self.simulator.messages.of(PICTURED)
        seen = (message.to, message.sender)
        expected = (RECIPIENT.number, SENDER)
        if seen != expected:
            raise AssertionError(f"the provider got {seen} instead of {expected}")

    async def read_phone(self) -> None:
        """Read the SMS on the simulator's page of phones."""
        phones = await self.screen.page.context.new_page()
        await phones.goto(self.simulator.address)
        phone = phones.locator("article").filter(has_text=RECIPIENT.number)
        await expect(phone).to_contain_text(self.screen.labels.alarm)
        await phones.close()

    async def read_device(self) -> None:
        """Find credit and delivery status on the account's device page."""
        screen = self.screen
        await screen.open_device(ACCOUNT, ACCOUNT)
        await expect(screen.delivered).to_be_visible(timeout=DELIVERY_SECONDS * 1000)
        await expect(screen.row("credit")).to_contain_text(self._credit(PICTURED))
        await screen.take_device("account-device")

    async def send_tests(self) -> None:
        """Press the test button of the others, and wait for the delivery.

        One of them got its test message from the form.
        """
        screen = self.screen
        for provider in PROVIDERS:
            if provider == PICTURED:
                continue
            recipient = RECIPIENTS_BY_PROVIDER[provider]
            account = screen.texts[f"config.step.user.menu_options.{provider}"]
            await screen.open_device(account, recipient.name)
            if provider == TESTED:
                visible = expect(screen.delivered)
                await visible.to_be_visible(timeout=DELIVERY_SECONDS * 1000)
            else:
                await screen.send_test(shown(screen.delivered), f"{provider} delivers")
            await screen.screenshots.check()
            (message,) = self.simulator.messages.of(provider)
            if message.to != recipient.number:
                raise AssertionError(f"the test went to {message.to}")
        await screen.take_device("recipient-device")

    async def read_dashboard(self) -> None:
        """Read the dashboard of the manual, and the one of all accounts."""
        screen = self.screen
        await dashboard.create(self.client)
        for entity in await self.client.entities():
            if entity["translation_key"] == "spent_month":
                await statistics.import_history(self.client, entity["entity_id"])
        await screen.page.set_viewport_size({"width": WIDE, "height": HIGH})
        await screen.open(f"/{dashboard.PATH}")
        await expect(self._tiles(self._credit(PICTURED)).first).to_be_visible()
        for failure in ("hui-error-card", "hui-warning"):
            await expect(screen.page.locator(failure)).to_have_count(0)
        for graph in await screen.page.locator("hui-statistics-graph-card").all():
            await expect(graph.locator("canvas").first).to_be_visible()
        await self._send_from_dashboard()
        sections = await screen.page.locator("hui-grid-section").all()
        await screen.screenshots.take("dashboard", *sections, margin=MARGIN)
        await screen.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

        await screen.open(f"/{dashboard.PATH}/{dashboard.ALL_ACCOUNTS}")
        await expect(self._tiles(self._delivered)).to_have_count(
            2 * len(PROVIDERS), timeout=DELIVERY_SECONDS * 1000
        )
        for provider in PROVIDERS:
            if provider != "transactionale":
                credit = self._credit(provider)
                await expect(self._tiles(credit).first).to_be_visible()

    async def _send_from_dashboard(self) -> None:
        """Send with the card of the dashboard, and enter another text."""
        card = self.screen.page.locator("sms-italia-messages")
        message, texts = (
            card.locator("#message"),
            card_texts(self.screen.texts.language),
        )
        await card.locator("#recipient").select_option(label=RECIPIENT.name)
        await message.fill(self.screen.labels.greeting)
        await self.screen.click(
            card.get_by_role("button", name=texts["send"], exact=True),
            self._find_greeting,
            "the SMS was sent from the dashboard",
            DELIVERY_SECONDS,
        )
        row = card.locator(".messages li").filter(has_text=self.screen.labels.greeting)
        await expect(row).to_contain_text(
            self._delivered, timeout=DELIVERY_SECONDS * 1000
        )
        await expect(message).to_have_value("")
        await message.fill(self.screen.labels.alarm)
        await expect(card.locator("#estimate")).to_contain_text(texts["onePart"])

    async def _find_greeting(self) -> Message | None:
        """Return the message that was sent from the dashboard."""
        for message in self.simulator.messages:
            if message.text == self.screen.labels.greeting:
                return message
        return None

    def _tiles(self, text: str) -> Locator:
        """Return the tiles of a dashboard that show a text."""
        return self.screen.page.locator("hui-tile-card").filter(has_text=text)

    @property
    def _delivered(self) -> str:
        key = "entity.sensor.last_delivery_status.state.delivered"
        return self.screen.texts[key]

    def _credit(self, provider: str) -> str:
        """Return the credit as the screen shows it."""
        credit = self.simulator.account(provider).credit
        return f"{credit:.2f}".replace(".", self.screen.labels.decimal)
