"""An escalation: set up, begun, going on to the second person, acknowledged."""

from dataclasses import dataclass

from playwright.async_api import Locator, expect

from script.home_assistant.accounts import RECIPIENTS_BY_PROVIDER
from simulator import Simulator

from .account_setup import PICTURED
from .card import Card
from .screen import MARGIN, STEP_SECONDS, Screen, shown

ACCOUNT = "Smshosting"

MEMBERS = (
    RECIPIENTS_BY_PROVIDER["smsviainternet"],
    RECIPIENTS_BY_PROVIDER[PICTURED],
)
"""Recipients of two accounts, in the order in which they are called."""

WAIT = "1"
"""Minutes that each member has, the fewest that the form takes."""

WAIT_SECONDS = 90

_FORM = "config_subentries.escalation.step.user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """The steps of one run."""

    screen: Screen
    simulator: Simulator
    card: Card

    async def set_up(self) -> None:
        """Add the escalation to an account, from its menu."""
        screen = self.screen
        await screen.open_integration()
        account = screen.account(ACCOUNT)
        await account.locator("ha-dropdown > [slot=trigger]").first.click()
        add = account.locator("ha-dropdown-item[value=subentry_escalation]").first
        await screen.go_on(add, screen.texts[f"{_FORM}.title"])
        await screen.fill(screen.field("name"), screen.labels.escalation)
        for member in MEMBERS:
            await self._choose(member.name)
        wait = screen.number(screen.texts[f"{_FORM}.data.wait"])
        await screen.fill(wait, WAIT)
        await screen.screenshots.take(
            "escalation-form", screen.dialog_box, margin=MARGIN
        )
        await screen.submit(screen.labels.escalation)
        await screen.finish(screen.labels.finish)

    async def _choose(self, name: str) -> None:
        """Choose a recipient as the next member."""
        screen = self.screen
        members = screen.dialog.locator("ha-selector-entity")
        await members.get_by_role("button").last.click()
        await screen.fill(screen.page.locator("ha-picker-combo-box input"), name)
        option = screen.page.get_by_role("option").filter(has_text=name).first
        chosen = members.get_by_role("button", name=name, exact=True)
        await screen.click(option, shown(chosen), f"{name} is a member")

    async def begin(self) -> None:
        """Send to it with the card: the first member is called."""
        await self.card.open()
        await self.card.send_to(self.screen.labels.escalation, self.screen.labels.smoke)
        called = self.card.text("called", name=self.screen.labels.escalation)
        await expect(self.card.element).to_contain_text(called)
        await self._expect_step(1, STEP_SECONDS)

    async def acknowledge(self) -> None:
        """Wait for the second member, and acknowledge in the card."""
        await self.card.open()
        await self._expect_step(2, WAIT_SECONDS)
        await self.card.take_seen("card-escalation")
        name = self.card.text("acknowledge")
        await self._running.get_by_role("button", name=name, exact=True).click()
        await expect(self._running).to_have_count(0)
        called = [
            message.to
            for message in self.simulator.messages
            if message.text == self.screen.labels.smoke
        ]
        if called != [member.number for member in MEMBERS]:
            raise AssertionError(f"{called} were called")

    async def read_device(self) -> None:
        """Find on its device page, in the sensor and the event, that it is over."""
        screen = self.screen
        await screen.open_device(ACCOUNT, screen.labels.escalation)
        state = screen.texts["entity.sensor.escalation.state.acknowledged"]
        for platform in ("sensor", "event"):
            row = screen.row("escalation", platform)
            await expect(row.filter(has_text=state)).to_have_count(1)
        await screen.take_device("escalation-device")

    async def _expect_step(self, step: int, seconds: int) -> None:
        """Find the step and the member who is being called in the card."""
        line = self.card.text(
            "callingMember",
            name=self.screen.labels.escalation,
            state=self.screen.texts["entity.sensor.escalation.state.calling"],
            step=str(step),
            member=MEMBERS[step - 1].name,
        )
        await expect(self._running).to_contain_text(line, timeout=seconds * 1000)

    @property
    def _running(self) -> Locator:
        """Return the line of the card with the escalation that is calling."""
        return self.card.element.locator(".escalations li")
