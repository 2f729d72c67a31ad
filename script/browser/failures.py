"""Failures: a password that was changed elsewhere, and a credit that runs out."""

from dataclasses import dataclass
from functools import partial

from playwright.async_api import Locator, expect

from script.home_assistant.accounts import RECIPIENTS_BY_PROVIDER
from script.home_assistant.waiting import until
from simulator import Simulator

from .account_setup import LOW_CREDIT, PICTURED
from .screen import DELIVERY_SECONDS, MARGIN, Screen, shown
from .sending import ACCOUNT

RECIPIENT = RECIPIENTS_BY_PROVIDER[PICTURED].name
NEW_SECRET = "nuovo-segreto"  # noqa: S105 - of the simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The steps that cause a failure, read its message and fix it."""

    screen: Screen
    simulator: Simulator

    async def sign_in_again(self) -> None:
        """Let a test wait; it leaves with the new secret, after a wrong one."""
        screen = self.screen
        before = len(self.simulator.messages.of(PICTURED))
        self.simulator.set_credentials(PICTURED, auth_secret=NEW_SECRET)
        await screen.open_device(ACCOUNT, RECIPIENT)
        queued = screen.texts["entity.sensor.last_delivery_status.state.queued"]
        status = screen.row("last_delivery_status").filter(has_text=queued)
        await screen.send_test(shown(status), "the test waits for the new secret")

        await screen.open_integration()
        await screen.go_on(
            screen.button(screen.labels.reconfigure),
            screen.texts["config.step.reauth_confirm.title"],
        )
        await screen.fill(screen.field("auth_secret"), "sbagliata")
        await screen.submit(screen.texts["config.error.invalid_auth"])
        await screen.fill(screen.field("auth_secret"), NEW_SECRET)
        await screen.submit(screen.texts["config.abort.reauth_successful"])
        await screen.finish(screen.labels.close)
        await expect(screen.button(screen.labels.reconfigure)).to_have_count(0)

        await until(
            partial(self._has_more_than, before),
            DELIVERY_SECONDS,
            "what waited is sent",
        )
        await screen.open_device(ACCOUNT, RECIPIENT)
        delivered = expect(screen.delivered)
        await delivered.to_be_visible(timeout=DELIVERY_SECONDS * 1000)
        await self._send_one()

    async def run_out_of_credit(self) -> None:
        """Find the repair, top up, and let the repair ask for the credit again."""
        screen = self.screen
        self.simulator.set_credit(PICTURED, "4.27")
        await self._send_one()
        await screen.open("/config/repairs")
        await expect(self._repair).to_be_visible(timeout=DELIVERY_SECONDS * 1000)
        euro = f"{float(LOW_CREDIT):.2f}".replace(".", screen.labels.decimal)
        await screen.go_on(self._repair, euro)
        await screen.screenshots.take("low-credit", screen.dialog_box, margin=MARGIN)

        self.simulator.set_credit(PICTURED, "50")
        again = screen.texts["issues.low_credit.fix_flow.step.confirm.submit"]
        await screen.go_on(screen.button(again), screen.labels.repaired)
        await screen.finish(screen.labels.finish)
        await expect(
            screen.page.get_by_text(screen.labels.no_repairs, exact=True)
        ).to_be_visible(timeout=DELIVERY_SECONDS * 1000)

    async def _send_one(self) -> None:
        """Send a test, and wait until the provider has it.

        The device page shows the SMS before it as delivered.
        """
        before = len(self.simulator.messages.of(PICTURED))
        more = partial(self._has_more_than, before)
        await self.screen.send_test(more, "the provider has one more SMS")

    async def _has_more_than(self, before: int) -> bool | None:
        """Return whether the provider has more SMS than before, None if not."""
        return len(self.simulator.messages.of(PICTURED)) > before or None

    @property
    def _repair(self) -> Locator:
        """Return the line of the low credit among the repairs."""
        title = self.screen.texts["issues.low_credit.title"].format(account=ACCOUNT)
        return self.screen.page.get_by_text(title, exact=True)
