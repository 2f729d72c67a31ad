"""The card: writing, following, cancelling and sending again, across a restart."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
import sqlite3
from statistics import median
from typing import cast

import aiohttp
from playwright.async_api import Locator, Page, ViewportSize, expect

from script.home_assistant.accounts import DOMAIN, RECIPIENTS_BY_PROVIDER, Recipient
from script.home_assistant.client import (
    SUBENTRIES,
    Client,
    Entry,
    wait_until_served,
)
from script.home_assistant.instance import Instance
from script.home_assistant.process import Process
from simulator import Simulator

from .screen import DELIVERY_SECONDS, MARGIN, Screen
from .screenshots import HEIGHT, WIDTH, Screenshots
from .texts import card_texts

PROVIDER = "inviosmart"
"""The one whose simulator refuses a number that is blocked."""

ACCOUNT = "Inviosmart"

RECIPIENT = RECIPIENTS_BY_PROVIDER[PROVIDER]

PATH = "sms-italia-card"

INJECTED = '<img src="x" onerror="window.injected = 1">'
"""A text and a name that must be shown as they are."""

STRANGER = Recipient(name=INJECTED, typed="333 123 4599", number="+393331234599")

USER, USER_PASSWORD = "ospite", "solo-lettura"

MESSAGES = 10_000
PAGE = 50
FIRST_PAINT = 300
"""Milliseconds from the card on the page to its rows, with so many messages."""

_MOST_STOPS = 12
"""The parts of the date are stops of their own."""

PHONE: ViewportSize = {"width": 390, "height": 844}

_MEASURE = """
async ([config, rows]) => {
  const card = document.createElement("sms-italia-messages");
  const { hass } = document.querySelector("home-assistant");
  const start = performance.now();
  card.setConfig(config);
  card.hass = hass;
  document.body.append(card);
  while (card.shadowRoot.querySelectorAll(".messages li").length < rows) {
    await new Promise(requestAnimationFrame);
  }
  const time = performance.now() - start;
  card.remove();
  return time;
}
"""

_KEEP = """
() => {
  const card = document.createElement("sms-italia-messages");
  card.setConfig({});
  card.hass = document.querySelector("home-assistant").hass;
  document.body.append(card);
}
"""

_SHOW_DAYS = """
() => {
  const { hass } = document.querySelector("home-assistant");
  const known = Object.values(hass.entities);
  const { entity_id } = known.find((one) => one.translation_key === "credit_days_left");
  const days = { ...hass.states[entity_id], state: "12" };
  const card = document.createElement("sms-italia-messages");
  card.setConfig({});
  card.hass = { ...hass, states: { ...hass.states, [entity_id]: days } };
  document.body.append(card);
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The steps on a dashboard with the card."""

    screen: Screen
    simulator: Simulator
    client: Client
    instance: Instance
    process: Process
    session: aiohttp.ClientSession
    traces: Path

    async def add(self) -> None:
        """Find the card among all cards, and add it to an empty dashboard."""
        screen, page = self.screen, self.screen.page
        await self.client.command(
            "lovelace/dashboards/create", url_path=PATH, title="Card"
        )
        await self._save()
        await screen.open(f"/{PATH}/0?edit=1")
        await page.locator("hui-grid-section .add").click()
        dialog = page.locator("hui-dialog-create-card")
        await dialog.get_by_role("tab", name=screen.labels.by_card).click()
        await dialog.get_by_role("textbox").first.fill("SMS Italia")
        offered = dialog.locator("hui-card-picker .card")
        name = self.text("cardName")
        await offered.filter(has_text=name).filter(has_not_text="custom:").click()
        editor = page.locator("hui-dialog-edit-card")
        for label in ("formTitle", "formAccount", "formRows", "formView"):
            await expect(editor).to_contain_text(self.text(label))
        switch = editor.get_by_role("switch", name=self.text("formCompose"))
        await switch.press("Space")
        await expect(editor.locator("#message")).to_have_count(0)
        await switch.press("Space")
        await expect(editor.locator("#message")).to_be_visible()
        await self.screen.screenshots.check()
        await editor.get_by_role("button", name=screen.labels.save).click()
        await expect(editor.locator("dialog[open]")).to_have_count(0)

    async def open(self) -> None:
        """Open the dashboard with the card."""
        await self.screen.open(f"/{PATH}")

    async def write(self, text: str) -> None:
        """Write a message by the keyboard, and read what it takes while typing."""
        await self.open()
        await self._type(" ")
        await self._press(self.text("send"))
        await expect(self._error).to_have_text(self.text("noText"))
        await self._type("Ciao 😀")
        await expect(self._error).to_be_hidden()
        await expect(self.element.locator("#estimate")).to_contain_text(
            self.text("onePart")
        )
        await expect(self._warning).to_contain_text("😀")
        await self._type(text)
        await expect(self._warning).to_be_hidden()
        await self._tab_to(self.text("send"))
        await self.screen.page.keyboard.press("Enter")
        await expect(self._row(text)).to_contain_text(
            self._status("delivered"), timeout=DELIVERY_SECONDS * 1000
        )

    async def send_to(self, name: str, text: str) -> None:
        """Send a text to a recipient, or to an escalation."""
        await self._type(text, to=name)
        await self._press(self.text("send"))

    async def hold_phone(self) -> None:
        """Look at the page in a window as small as a phone's from now on."""
        await self.screen.page.set_viewport_size(PHONE)
        await self.open()
        await expect(self._rows.first).to_be_visible()
        await self._expect_fit()

    async def put_phone_away(self) -> None:
        """Look at the page in the window of a desktop again."""
        await self.screen.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    async def _expect_fit(self) -> None:
        """Raise AssertionError if the card is wider than the window."""
        width = await self.element.evaluate(
            "card => card.scrollWidth - card.clientWidth"
        )
        if width > 0:
            raise AssertionError("the card is wider than a phone")

    async def take_seen(self, name: str) -> None:
        """Take a screenshot of the card beside the traces, to look at."""
        seen = Screenshots(page=self.screen.page, folder=self.traces)
        await seen.take(name, self.element)

    async def _tab_to(self, name: str) -> None:
        """Go to a button by the keyboard alone, from what has the focus."""
        button = self.element.get_by_role("button", name=name, exact=True)
        for _ in range(_MOST_STOPS):
            await self.screen.page.keyboard.press("Tab")
            if await button.evaluate("one => one.matches(':focus')"):
                return
        raise AssertionError(f"the keyboard does not reach {name!r}")

    async def cancel(self) -> None:
        """Schedule a message, and cancel it from its row."""
        await self._type(self.screen.labels.scheduled)
        await self.element.locator("#send-at").fill("2036-12-24T22:00")
        await self._press(self.text("schedule"))
        row = self._row(self.screen.labels.scheduled)
        await expect(row).to_contain_text(self._status("queued"))
        await row.get_by_role("button").click()
        await expect(row.get_by_role("button")).to_have_count(0)
        await expect(row).to_contain_text(self._cancelled)

    async def send_again(self, failed: int) -> None:
        """Find a message that failed by the filter, with its reason; send it again.

        `failed` counts the messages that have failed then.
        """
        blocked = self.simulator.account(PROVIDER).blocked
        blocked.add(RECIPIENT.number)
        await self._type(self.screen.labels.alarm)
        await self._press(self.text("send"))
        await expect(self._error).to_be_visible(timeout=DELIVERY_SECONDS * 1000)
        await self._filter("undelivered")
        row = self._row(self.screen.labels.alarm)
        await expect(row).to_contain_text(self._reason("recipient"))
        await expect(self._rows).to_have_count(failed)
        blocked.clear()
        await row.get_by_role("button").click()
        await expect(row).to_contain_text(self.text("sentAgain"))
        await expect(row.get_by_role("button")).to_have_count(0)
        await self._filter("all")
        again = self._row(self.screen.labels.alarm)
        await expect(again).to_contain_text(
            self._status("delivered"), timeout=DELIVERY_SECONDS * 1000
        )
        # The text that was refused is still there.
        await self.element.locator("#message").fill("")

    async def inject(self) -> None:
        """Show a name and a text that look like HTML as they are."""
        found = await self.client.command("config_entries/get", domain=DOMAIN)
        entries = cast("list[Entry]", found)
        (entry,) = (one for one in entries if one["title"] == ACCOUNT)
        handler = (entry["entry_id"], "recipient")
        flow = await self.client.start_flow(SUBENTRIES, handler)
        await self.client.submit_step(
            SUBENTRIES,
            flow["flow_id"],
            {"name": STRANGER.name, "numbers": [STRANGER.typed]},
        )
        option = self.element.locator("#recipient option").filter(has_text=INJECTED)
        await expect(option).to_have_count(1)
        await self.send_to(STRANGER.name, f"Testo {INJECTED}")
        row = self._rows.filter(has_text=f"Testo {INJECTED}")
        await expect(row.locator("strong")).to_have_text(INJECTED)
        await expect(self.element.locator("img")).to_have_count(0)
        if await self.screen.page.evaluate("window.injected") is not None:
            raise AssertionError("a text was read as HTML")

    async def show_days(self) -> None:
        """Show how long the credit lasts.

        As a state of the frontend: it takes days until it is known.
        """
        card = self.screen.page.locator("body > sms-italia-messages")
        await self.screen.page.evaluate(_SHOW_DAYS)
        await expect(card).to_contain_text("· 12")
        await card.evaluate("card => card.remove()")

    async def survive_restart(self) -> None:
        """Restart Home Assistant: the page follows again without a reload.

        The ledger gets many older messages meanwhile.
        """
        page = self.screen.page
        # The frontend may build the card of its dashboard anew, but not this one.
        await page.evaluate(_KEEP)
        await self.process.stop()
        await asyncio.to_thread(
            _fill, self.instance.folder / ".storage" / f"{DOMAIN}.db"
        )
        await self.process.start()
        await wait_until_served(self.session, self.instance.url, "/manifest.json")
        await self.client.wait_until_running()
        states = await self.client.states()
        (entity,) = (
            one["entity_id"]
            for one in states.values()
            if one["entity_id"].startswith("notify.")
            and one["attributes"].get("friendly_name") == RECIPIENT.name
        )
        text = "Dopo il riavvio"
        await self.client.call(
            "notify.send_message", {"message": text}, {"entity_id": entity}
        )
        kept = page.locator("body > sms-italia-messages")
        for card in (kept, self.element.first):
            row = card.locator(".messages li").filter(has_text=text)
            await expect(row).to_contain_text(
                self._status("delivered"), timeout=DELIVERY_SECONDS * 1000
            )
        await kept.evaluate("card => card.remove()")

    async def go_back(self) -> None:
        """Go to older messages and back; the page never has more than fifty."""
        config = {"type": "custom:sms-italia-messages", "rows": PAGE}
        await self._save(config)
        await self.open()
        await expect(self._rows).to_have_count(PAGE)
        newest = await self._rows.first.inner_text()
        await self._press(self.text("older"))
        await expect(self._rows.first).not_to_contain_text("riavvio")
        await expect(self._rows).to_have_count(PAGE)
        await self._press(self.text("newer"))
        await expect(self._rows.first).to_have_text(newest, use_inner_text=True)
        times = [
            await self.screen.page.evaluate(_MEASURE, [config, PAGE]) for _ in range(7)
        ]
        print(f"first paint of {PAGE} rows: {sorted(round(one) for one in times)} ms")
        if median(times) > FIRST_PAINT:
            raise AssertionError(f"the first paint takes {median(times):.0f} ms")

    async def hide_texts(self) -> None:
        """Log in as a user who is not an administrator: no text and no number."""
        await self._create_user()
        browser = self.screen.page.context.browser
        if browser is None:
            raise AssertionError("the page has no browser")
        context = await browser.new_context(locale=self.screen.labels.locale)
        try:
            page = await context.new_page()
            await self._log_in(page)
            await page.goto(f"{self.screen.url}/{PATH}")
            card = page.locator("sms-italia-messages")
            await expect(card.locator(".messages li").first).to_be_visible()
            shown = await card.inner_text()
            greeting = self.screen.labels.greeting
            for hidden in (greeting, "Dopo il riavvio", RECIPIENT.number[-7:]):
                if hidden in shown:
                    raise AssertionError(f"a user reads {hidden!r}")
        finally:
            await context.close()

    async def take_pictures(self) -> None:
        """Take a screenshot for the manual, then a dark one and those of a phone."""
        screen, page = self.screen, self.screen.page
        await self._save({"type": "custom:sms-italia-messages", "rows": 4})
        await screen.open(f"/{PATH}")
        await expect(self._rows).to_have_count(4)
        await self._type(f"{self.screen.labels.greeting} 😀")
        await expect(self._warning).to_be_visible()
        await screen.screenshots.take("card", self.element, margin=MARGIN)
        seen = Screenshots(page=page, folder=self.traces)
        await page.emulate_media(color_scheme="dark")
        await seen.take("card-dark", self.element, margin=MARGIN)
        await page.set_viewport_size(PHONE)
        await seen.take("card-phone-dark", self.element)
        await page.emulate_media(color_scheme="light")
        await seen.take("card-phone", self.element)
        await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    async def _save(self, *cards: Mapping[str, object]) -> None:
        """Save the cards of the dashboard."""
        section = {"type": "grid", "cards": list(cards)}
        view = {"type": "sections", "max_columns": 1, "sections": [section]}
        await self.client.command(
            "lovelace/config/save", url_path=PATH, config={"views": [view]}
        )

    async def _create_user(self) -> None:
        created = await self.client.command(
            "config/auth/create", name=USER, group_ids=["system-users"]
        )
        user = cast("dict[str, dict[str, str]]", created)["user"]
        await self.client.command(
            "config/auth_provider/homeassistant/create",
            user_id=user["id"],
            username=USER,
            password=USER_PASSWORD,
        )

    async def _log_in(self, page: Page) -> None:
        await page.goto(self.screen.url)
        await page.locator("input[name=username]").fill(USER)
        await page.locator("input[name=password]").fill(USER_PASSWORD)
        log_in = self.screen.labels.log_in
        await page.get_by_role("button", name=log_in, exact=True).click()
        await expect(page.locator("home-assistant-main")).to_be_visible()

    async def _type(self, text: str, to: str = RECIPIENT.name) -> None:
        """Choose a recipient by name and type a text."""
        await self.element.locator("#recipient").select_option(label=to)
        await self.element.locator("#message").fill(text)

    async def _press(self, name: str) -> None:
        await self.element.get_by_role("button", name=name, exact=True).click()

    async def _filter(self, key: str) -> None:
        await self._press(self.text(key))

    @property
    def element(self) -> Locator:
        """Return the card on the page."""
        return self.screen.page.locator("sms-italia-messages")

    @property
    def _warning(self) -> Locator:
        return self.element.locator("#estimate + .warning")

    @property
    def _error(self) -> Locator:
        return self.element.locator(".compose .error")

    @property
    def _rows(self) -> Locator:
        return self.element.locator(".messages li")

    def _row(self, text: str) -> Locator:
        """Return the newest row of the recipient with a text."""
        named = self._rows.filter(has_text=RECIPIENT.name)
        return named.filter(has_text=text).first

    def text(self, key: str, **values: str) -> str:
        """Return a text of the card, with its values."""
        return card_texts(self.screen.texts.language)[key].format(**values)

    def _status(self, status: str) -> str:
        return self.screen.texts[f"entity.sensor.last_delivery_status.state.{status}"]

    def _reason(self, error: str) -> str:
        sensor = "entity.sensor.last_delivery_status"
        return self.screen.texts[f"{sensor}.state_attributes.error.state.{error}"]

    @property
    def _cancelled(self) -> str:
        return self._reason("cancelled")


def _fill(path: Path) -> None:
    """Copy a message of the ledger many times, as older ones. Blocking."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TEMP TABLE numbers AS WITH RECURSIVE counted(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < ?) "
            "SELECT i FROM counted",
            (MESSAGES,),
        )
        for table, keys in (
            ("dispatches", {"dispatch": "dispatch - i * 1000"}),
            (
                "messages",
                {"id": "id - i * 1000", "dispatch": "dispatch - i * 1000"},
            ),
        ):
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            columns = ", ".join(names)
            values = ", ".join(keys.get(name, name) for name in names)
            database.execute(
                f"INSERT INTO {table} ({columns}) SELECT {values} FROM "  # noqa: S608 - our own tables
                f"(SELECT * FROM {table} WHERE dispatch = "
                "(SELECT min(dispatch) FROM messages WHERE stage = 'closed')), numbers"
            )
