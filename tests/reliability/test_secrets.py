"""No credential, number, text or webhook id is where somebody could read it.

All accounts are used, with every fault, while all loggers are at debug level; then all
that was written is searched.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from functools import partial
from http import HTTPStatus
import json
import logging
from pathlib import Path
from traceback import format_exception
from typing import Any, override

from aiohttp.test_utils import TestClient
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    CONF_WEBHOOK_ID,
    EVENT_CALL_SERVICE,
    EVENT_LOGGING_CHANGED,
    MATCH_ALL,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util import slugify
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

from custom_components import sms_italia
from custom_components.sms_italia import account_setup
from custom_components.sms_italia.const import (
    CONF_CALLBACK_KEY,
    CONF_FALLBACK,
    DOMAIN,
)
from custom_components.sms_italia.diagnostics import async_get_config_entry_diagnostics
from custom_components.sms_italia.messaging import Timing, mask_number
from custom_components.sms_italia.providers import (
    PROVIDERS,
    Feature,
    FieldKind,
    Timeouts,
)
from custom_components.sms_italia.runtime import MESSENGER
from simulator import Fault, Simulator
from tests.accounts import Accounts, as_input, secrets_of, settings_for

ANNA = "+393331234567"
BRUNO = "+393409876543"
STRANGER = "+393201112223"
LANDLINE = "+390612345678"
"""A valid number that every provider refuses."""
NUMBERS = (ANNA, BRUNO, STRANGER, LANDLINE)

WORD = "Sciabordio"
"""Is in every text, and nowhere else."""

_CORE_LINES = (
    # The call as it was made, with its text and numbers.
    ("homeassistant.core", f"Bus:Handling <Event {EVENT_CALL_SERVICE}"),
    # A request to a webhook as it was received: its path has the id.
    ("homeassistant.helpers.http", "Serving /api/webhook/"),
    ("homeassistant.components.webhook", "Handling webhook "),
    ("aiohttp.access", "127.0.0.1 ["),
)
"""Lines that Home Assistant itself writes before the integration is called, and that it
cannot prevent: the logger, and the beginning of its lines.
"""


class Watch(logging.Handler):
    """Keeps all that is logged, fired, raised or shown, and where."""

    def __init__(self) -> None:
        """Take every level."""
        super().__init__(logging.NOTSET)
        self.seen: list[tuple[str, str]] = []
        self._formatter = logging.Formatter()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record: its sentence, its arguments and its exception."""
        message = record.getMessage()
        if any(
            record.name == name and message.startswith(begin)
            for name, begin in _CORE_LINES
        ):
            return
        trace = ""
        if record.exc_info:
            trace = self._formatter.formatException(record.exc_info)
        self.keep(f"log of {record.name}", [message, record.args, trace])

    @callback
    def handle_event(self, event: Event[Any]) -> None:
        """Keep an event, except a call with its own data."""
        if event.event_type != EVENT_CALL_SERVICE:
            self.keep(f"event {event.event_type}", event.as_dict())

    def keep(self, where: str, what: object) -> None:
        """Keep anything that somebody could read."""
        self.seen.append((where, repr(what)))

    def keep_error(self, error: BaseException) -> None:
        """Keep an exception as a log would show it."""
        self.keep("exception", [str(error), error, format_exception(error)])

    def found(self, secrets: Sequence[str]) -> set[tuple[str, str]]:
        """Return where a secret was found, and which."""
        return {
            (where, secret)
            for where, text in self.seen
            for secret in secrets
            if secret in text
        }


@pytest.fixture
async def watch(hass: HomeAssistant) -> AsyncIterator[Watch]:
    """Return the watch, with every logger at debug level."""
    watch = Watch()
    loggers = [
        logger
        for logger in logging.root.manager.loggerDict.values()
        if isinstance(logger, logging.Logger)
    ]
    levels = {logger: logger.level for logger in (logging.root, *loggers)}
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    logging.root.addHandler(watch)
    hass.bus.async_listen(MATCH_ALL, watch.handle_event)
    hass.bus.async_fire_internal(EVENT_LOGGING_CHANGED)
    yield watch
    logging.root.removeHandler(watch)
    for logger, level in levels.items():
        logger.setLevel(level)


class Usage:
    """Uses the accounts in all ways."""

    def __init__(
        self,
        hass: HomeAssistant,
        simulator: Simulator,
        web: TestClient[Any, Any],
        watch: Watch,
        entries: Sequence[MockConfigEntry],
    ) -> None:
        """Use accounts that are set up."""
        self.hass = hass
        self.simulator = simulator
        self.web = web
        self.watch = watch
        self.entries = dict(zip(PROVIDERS, entries, strict=True))
        self._texts = 0

    def text(self) -> str:
        """Return a text that was not sent before."""
        self._texts += 1
        return f"{WORD} {self._texts}"

    async def call(self, domain: str, action: str, data: dict[str, Any]) -> None:
        """Call an action, and keep what it raises."""
        try:
            await self.hass.services.async_call(domain, action, data, blocking=True)
        except HomeAssistantError as err:
            self.watch.keep_error(err)
        await self.settle()

    async def settle(self) -> None:
        """Finish pending work, and keep what is shown then."""
        await self.hass.async_block_till_done(wait_background_tasks=True)
        for state in self.hass.states.async_all():
            self.watch.keep(f"state of {state.entity_id}", state.as_dict())
        for issue in ir.async_get(self.hass).issues.values():
            self.watch.keep("issue", issue)
        for entry in self.entries.values():
            if entry.state is ConfigEntryState.LOADED:
                self.watch.keep(
                    "diagnostics",
                    await async_get_config_entry_diagnostics(self.hass, entry),
                )

    async def send(self, key: str, *to: str) -> None:
        """Send through an account by send_sms."""
        await self.call(
            DOMAIN,
            "send_sms",
            {
                "config_entry_id": self.entries[key].entry_id,
                "numbers": list(to),
                "message": self.text(),
                "title": WORD,
            },
        )

    async def send_in_all_ways(self, key: str) -> None:
        """Send by the recipient's entity, by the account's action, and by send_sms."""
        await self.call(
            NOTIFY_DOMAIN,
            "send_message",
            {
                "entity_id": f"notify.anna_{key}",
                "message": self.text(),
                "title": WORD,
            },
        )
        await self.call(
            NOTIFY_DOMAIN,
            slugify(self.entries[key].title),
            {"message": self.text(), "target": [f"Anna {key}", STRANGER, LANDLINE]},
        )
        await self.send(key, BRUNO)
        await self.send(key, LANDLINE)

    async def use_with_every_fault(self, key: str) -> None:
        """Send, and ask about the account, with every fault of a provider."""
        for fault in Fault:
            self.simulator.inject(key, fault, operation="send")
            await self.send(key, BRUNO, STRANGER)
            self.simulator.inject(key, fault)
            await self.entries[key].runtime_data.coordinator.async_refresh()
        async with asyncio.timeout(120):
            while self.simulator.waiting_faults(key):
                await self.send(key, BRUNO)
                # A probe lets the account be asked again.
                await asyncio.sleep(0.02)

    async def push_reports(self) -> None:
        """Report deliveries as the providers do, and post garbage to the webhooks."""
        for key in PROVIDERS:
            for message in self.simulator.messages.of(key):
                if not message.status.is_final:
                    self.simulator.move(message.id, "delivered")
        await self.simulator.finish_callbacks()
        for report in self.simulator.callbacks:
            await self.post(report.url, json.dumps(dict(report.payload)).encode())
        for key, entry in self.entries.items():
            if Feature.DELIVERY_PUSH not in PROVIDERS[key].capabilities.features:
                continue
            url = f"/api/webhook/{entry.data[CONF_WEBHOOK_ID]}"
            signed = entry.runtime_data.webhook.callback_url(WORD)
            for body in (
                b"",
                b"\xff\xfe" + WORD.encode(),
                json.dumps({"text": WORD, "phone": ANNA, "sms_id": [1]}).encode(),
                b"[" * 50_000,
                WORD.encode() * 10_000,
            ):
                await self.post(url, body)
                await self.post(f"{url}?submission={WORD}", body)
                await self.post(signed, body)
        await self.settle()

    async def post(self, url: str, body: bytes) -> None:
        """Post to a webhook of the integration, by its path."""
        response = await self.web.post(URL(url).path_qs, data=body)
        assert response.status == HTTPStatus.OK

    async def change_the_credentials(self, key: str) -> list[str]:
        """Change the provider's credentials; after a send enter wrong and valid ones.

        Returns what was entered.
        """
        fields = [
            field
            for field in PROVIDERS[key].fields
            if field.kind in {FieldKind.USERNAME, FieldKind.SECRET}
        ]
        new = {name: f"nuovo-{name}-{key}" for name in secrets_of(key)}
        wrong = {name: f"sbagliato-{name}-{key}" for name in new}
        self.simulator.set_credentials(key, **new)
        await self.send(key, BRUNO)
        flows = self.hass.config_entries.flow
        (flow,) = flows.async_progress_by_handler(DOMAIN)
        stored = settings_for(self.simulator, key)
        for typed in (wrong, new):
            await flows.async_configure(
                flow["flow_id"], as_input(fields, {**stored, **typed})
            )
            await self.settle()
        assert not flows.async_progress_by_handler(DOMAIN)
        return [*new.values(), *wrong.values()]


async def test_nothing_private_is_written_anywhere(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    web: TestClient[Any, Any],
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The test kit's debug mode of the loop takes most of the time, and logs nothing.
    hass.loop.set_debug(False)
    timing = partial(
        Timing,
        probe=0.02,
        idle_probe=0.02,
        send_anyway=0.02,
        no_credit=0.02,
        first_behind=0,
        first_pause=0,
        longest_pause=0,
        first_poll=0.05,
        longest_look_up=0.05,
        never_came=0.2,
    )
    monkeypatch.setattr(sms_italia, "Timing", timing)
    monkeypatch.setattr(
        account_setup, "DEFAULT_TIMEOUTS", Timeouts(connect=5, total=0.3)
    )
    secrets = [
        value for key in PROVIDERS for value in simulator.credentials(key).values()
    ]
    login = simulator.credentials("smshosting")
    secrets.append(
        b64encode(f"{login['auth_key']}:{login['auth_secret']}".encode()).decode()
    )
    entries = [
        await accounts.set_up(
            key,
            entry_id=key,
            recipients={f"Anna {key}": [ANNA]},
            options={
                "daily_limit": 0,
                "bundle_after": 0,
                CONF_FALLBACK: [other for other in PROVIDERS if other != key][:1],
            },
        )
        for key in PROVIDERS
    ]
    usage = Usage(hass, simulator, web, watch, entries)

    for key in PROVIDERS:
        await usage.send_in_all_ways(key)
        await usage.use_with_every_fault(key)
        simulator.set_credit(key, 0)
        await usage.send(key, BRUNO)
        simulator.set_credit(key, 50)
    await usage.push_reports()
    for key in PROVIDERS:
        secrets += await usage.change_the_credentials(key)
        await hass.config_entries.async_reload(key)
        await usage.send(key, BRUNO)

    # A ledger that cannot be read, at a new start.
    for key in PROVIDERS:
        await hass.config_entries.async_unload(key)
    ledger = Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.db"))
    await hass.async_add_executor_job(ledger.write_bytes, WORD.encode() * 1000)
    for key in PROVIDERS:
        await hass.config_entries.async_setup(key)
    await usage.send_in_all_ways("smshosting")
    for key in PROVIDERS:
        data = usage.entries[key].data
        names = {CONF_WEBHOOK_ID, CONF_CALLBACK_KEY} & data.keys()
        secrets += [data[name] for name in names]
        await hass.config_entries.async_remove(key)
        await usage.settle()
    await hass.data[MESSENGER].close()

    secrets += [WORD, *(number.removeprefix("+39") for number in NUMBERS)]
    assert watch.found(secrets) == set()
    # All of it happened, and the watch saw it.
    assert {message.provider for message in simulator.messages} == {*PROVIDERS}
    assert watch.found([mask_number(ANNA), mask_number(BRUNO)])
    assert any(where == "issue" for where, _ in watch.seen)
    assert any(where == "exception" for where, _ in watch.seen)
    assert any("messaging" in where for where, _ in watch.seen)


async def test_the_watch_finds_a_secret_everywhere(
    hass: HomeAssistant, watch: Watch
) -> None:
    """In a sentence, in an argument, in an exception behind it, in an event."""
    logger = logging.getLogger("custom_components.sms_italia.providers")
    logger.debug("in the sentence: uno")
    logger.debug("in an argument: %.1s", "due")
    try:
        int("tre")
    except ValueError:
        logger.exception("behind it")
    watch.keep_error(HomeAssistantError("quattro"))
    hass.bus.async_fire("sms_italia_prova", {"text": "cinque"})

    words = ["uno", "due", "tre", "quattro", "cinque"]
    assert {secret for _, secret in watch.found(words)} == {*words}
