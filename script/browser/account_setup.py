"""Setting up an account at each provider with its recipient, then the options."""

from dataclasses import dataclass

from playwright.async_api import expect

from script.home_assistant.accounts import RECIPIENTS_BY_PROVIDER, SENDER
from script.home_assistant.client import PASSWORD, USERNAME
from simulator import PROVIDERS, Simulator

from .screen import MARGIN, Screen

PICTURED = "smshosting"
"""The provider whose forms are in the pictures, and whose options are changed."""

TESTED = "transactionale"
"""The provider whose recipient is sent a test message from the form."""

LOW_CREDIT = "10"
"""Euro below which the person wants to be warned."""

_RECIPIENT_FORM = "config_subentries.recipient.step.user"
_RECIPIENT_ENDS = "config_subentries.recipient.create_entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSetup:
    """The steps before the first message."""

    screen: Screen
    simulator: Simulator

    async def log_in(self) -> None:
        """Log in through the form."""
        screen = self.screen
        await screen.open("/")
        await screen.fill(screen.page.locator("input[name=username]"), USERNAME)
        await screen.fill(screen.page.locator("input[name=password]"), PASSWORD)
        # The log-in leads to a new document, not only to a new view.
        await screen.button(screen.labels.log_in).click()
        await expect(screen.page.locator("home-assistant-main")).to_be_visible()

    async def set_up(self, provider: str) -> None:
        """Set up an account at a provider, and its first recipient."""
        await self._choose(provider)
        await self._create_account(provider)
        await self._create_recipient(provider)

    async def _choose(self, provider: str) -> None:
        """Go from the integrations to the menu of providers, and choose one."""
        screen = self.screen
        await screen.open("/config/integrations/dashboard")
        await screen.button(screen.labels.add_integration).click()
        adding = screen.page.locator("dialog-add-integration")
        await screen.fill(adding.get_by_role("textbox"), "SMS Italia")
        step = "config.step.user"
        integration = adding.get_by_text(screen.texts["title"], exact=True)
        await screen.go_on(integration, screen.texts[f"{step}.title"])
        for each in PROVIDERS:
            described = screen.texts[f"{step}.menu_option_descriptions.{each}"]
            await expect(screen.dialog).to_contain_text(described)
        if provider == PICTURED:
            await screen.screenshots.take(
                "provider-menu", screen.dialog_box, margin=MARGIN
            )
        name = screen.texts[f"{step}.menu_options.{provider}"]
        option = screen.dialog.get_by_text(name, exact=True)
        await screen.go_on(option, screen.texts[f"config.step.{provider}.title"])

    async def _create_account(self, provider: str) -> None:
        """Fill the account's form, with a wrong secret first."""
        screen, form = self.screen, f"config.step.{provider}"
        credentials = self.simulator.credentials(provider)
        for name, value in {**credentials, "sender": SENDER}.items():
            await screen.fill(screen.field(name), value)
        if provider == PICTURED:
            await screen.screenshots.take(
                "account-form", screen.dialog_box, margin=MARGIN
            )
        advanced = screen.texts[f"{form}.sections.advanced.name"]
        await screen.dialog.get_by_text(advanced, exact=True).click()
        await screen.fill(screen.field("url"), self.simulator.url(provider))
        *_, secret = credentials
        await screen.fill(screen.field(secret), "sbagliata")
        await screen.submit(screen.texts["config.error.invalid_auth"])
        await screen.screenshots.check()
        await screen.fill(screen.field(secret), credentials[secret])
        await screen.submit(screen.texts[f"{_RECIPIENT_FORM}.title"])

    async def _create_recipient(self, provider: str) -> None:
        """Fill the recipient's form, which opens by itself."""
        screen = self.screen
        recipient = RECIPIENTS_BY_PROVIDER[provider]
        await screen.fill(screen.field("name"), recipient.name)
        numbers = screen.dialog.locator("ha-input-multi")
        await screen.fill(numbers.locator("input"), recipient.typed)
        end = "alone"
        if provider == TESTED:
            await screen.dialog.locator("ha-selector-boolean ha-switch").click()
            end = "alone_tested"
        await screen.screenshots.check()
        first_line, *_ = screen.texts[f"{_RECIPIENT_ENDS}.{end}"].splitlines()
        await screen.submit(first_line)
        await screen.finish(screen.labels.finish)

    async def change_options(self) -> None:
        """Raise the credit below which a warning is shown."""
        screen, step = self.screen, "options.step.init"
        await screen.open_integration()
        name = screen.texts[f"config.step.user.menu_options.{PICTURED}"]
        account = screen.account(name)
        configure = account.get_by_role(
            "button", name=screen.labels.configure, exact=True
        )
        await screen.go_on(configure.first, screen.texts[f"{step}.title"])
        limits = f"{step}.sections.limits"
        await screen.dialog.get_by_text(screen.texts[f"{limits}.name"]).click()
        field = screen.number(screen.texts[f"{limits}.data.low_credit"])
        await expect(field).to_have_value("5")
        await screen.fill(field, LOW_CREDIT)
        await screen.screenshots.take("options", screen.dialog_box, margin=MARGIN)
        await screen.submit(screen.labels.options_saved)
        await screen.finish(screen.labels.finish)
