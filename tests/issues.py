"""What the tests of repair issues and of their flows share."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util, slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.sms_italia.const import (
    CONF_DAILY_LIMIT,
    CONF_FALLBACK,
    CONF_LOW_CREDIT,
    DOMAIN,
)
from simulator import Simulator

from .accounts import Accounts, until
from .internet import Internet, lead_to_https

ANNA = "+393331234567"

PERSON = "persona"
"""The ID of a user who may do everything."""


async def send(
    hass: HomeAssistant,
    account: MockConfigEntry,
    text: str = "Allarme",
    user: str | None = None,
) -> None:
    """Send to one number, and wait for what follows at once.

    `user` is the ID of the person who does it, None for an automation.
    """
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": text, "target": [ANNA]},
        blocking=True,
        context=Context(user_id=user),
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def send_refused(
    hass: HomeAssistant,
    account: MockConfigEntry,
    text: str = "Allarme",
    user: str | None = None,
) -> None:
    """Send what is refused, and wait for what follows at once."""
    with pytest.raises(HomeAssistantError):
        await send(hass, account, text, user)
    # Listeners are notified two rounds of the event loop later.
    await asyncio.sleep(0.01)
    await hass.async_block_till_done(wait_background_tasks=True)


async def an_hour_passes(hass: HomeAssistant, hours: int = 1) -> None:
    """Let the hourly question be asked; `hours` counts from the real time."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=hours, minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the current issues by their keys in the translations."""
    return {
        issue.translation_key or "": issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }


async def text_of(hass: HomeAssistant, key: str, path: str) -> str:
    """Return a text of a current issue as an English user sees it."""
    texts = await async_get_translations(hass, "en", "issues", {DOMAIN})
    return texts[f"component.{DOMAIN}.issues.{key}.{path}"].format(
        **(issues(hass)[key].translation_placeholders or {})
    )


async def shown(
    hass: HomeAssistant, key: str, step: str | None = None
) -> tuple[str, str]:
    """Return the title and the description of an issue.

    The description of one with a fix flow is that of the flow's first step.
    """
    description = "description" if step is None else f"fix_flow.step.{step}.description"
    return await text_of(hass, key, "title"), await text_of(hass, key, description)


async def exceed(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Set up an account with a limit of one part, where a person asks for two."""
    account = await accounts.set_up("smshosting", options={CONF_DAILY_LIMIT: 1})
    await send(hass, account)
    await send_refused(hass, account, "Uno di troppo", PERSON)
    return account


GATEWAY = "httpapi.inviosmart.it"

OWN_HTTPS = "https://www.inviosmart.it/webservice/sms/"
"""The encrypted address that Inviosmart documents."""


async def lead_from_http_to_https(
    hass: HomeAssistant,
    accounts: Accounts,
    internet: Internet,
    fallback: Sequence[str] = (),
) -> MockConfigEntry:
    """Set up an account that works over http, until its server demands https."""
    account = await accounts.set_up(
        "inviosmart",
        title="Casa mia",
        settings={"url": f"http://{GATEWAY}"},
        options={CONF_FALLBACK: list(fallback)},
    )
    assert issues(hass) == {}
    internet.at["http", GATEWAY] = lead_to_https
    return account


async def fail(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator, **options: object
) -> MockConfigEntry:
    """Set up an account, and let a message to its recipient Anna fail later."""
    account = await accounts.set_up(
        "smshosting",
        title="Casa mia",
        recipients={"Anna": [ANNA]},
        options={CONF_LOW_CREDIT: 0, **options},
    )
    await send(hass, account, "Allarme segreto")
    simulator.move(simulator.messages[0].id, "sent")
    simulator.move(simulator.messages[0].id, "failed")
    await until(lambda: "undelivered" in issues(hass))
    return account


def ledger_of(hass: HomeAssistant) -> Path:
    """Return where the ledger's file is."""
    return Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}.db"))


async def damage(hass: HomeAssistant, accounts: Accounts) -> MockConfigEntry:
    """Set up an account over a file that is no ledger."""
    ledger_of(hass).parent.mkdir(exist_ok=True)
    ledger_of(hass).write_bytes(b"Questo non \xe8 un registro. " * 400)
    return await accounts.set_up("smshosting")
