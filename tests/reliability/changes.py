"""Alarms while an account changes or is reloaded, and after a backup is put back."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, product
from pathlib import Path
import shutil
import time
from types import MappingProxyType

from homeassistant import loader
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import frame
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.sms_italia.const import (
    CONF_BUNDLE_AFTER,
    CONF_DAILY_LIMIT,
    CONF_NUMBERS,
    DOMAIN,
    SUBENTRY_TYPE_RECIPIENT,
)
from custom_components.sms_italia.messaging import Query
from custom_components.sms_italia.providers import Status
from custom_components.sms_italia.runtime import MESSENGER
from simulator import Simulator

from ..accounts import Accounts

ALARMS = 104
CHANGES = 5
PROVIDER = "smshosting"

_GAP = 0.03
"""Seconds between two alarms."""
_EVERY = ALARMS // CHANGES
_LONGEST = 10
"""Seconds in which all has arrived that will."""
_ANNA = "+393331234567"
_KEY = "auth_secret"
_LEDGER = "sms_italia.db"


class Change(StrEnum):
    """What a user does with an account that sends."""

    OPTIONS = "other options"
    RECIPIENTS = "a recipient is added or removed"
    KEY = "the key is renewed"
    RELOAD = "the account is reloaded by hand"


class Way(StrEnum):
    """The action that an alarm is sent with."""

    ACTION = "`notify.<account>`"
    ENTITY = "`notify.send_message`"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCourse:
    """104 alarms while an account changes five times.

    `raised` counts the actions that failed, `answered` is the longest time (seconds)
    that one took.
    """

    arrived: int
    twice: int
    raised: int
    answered: float


type ChangeCourses = Mapping[tuple[Change, Way], ChangeCourse]


async def try_changes(folder: Path) -> ChangeCourses:
    """Try each change, with each way to send."""
    courses = {}
    for change, way in product(Change, Way):
        place = folder / f"{change.name}_{way.name}"
        courses[change, way] = await _try_change(place, change, way)
    return courses


async def _try_change(folder: Path, change: Change, way: Way) -> ChangeCourse:
    """Send alarms while an account changes."""
    async with Simulator() as simulator, _home(folder) as hass:
        account = await _account(hass, simulator)
        steps = _steps(hass, account, simulator, change)
        raised, took = 0, list[float]()

        async def alarm(index: int) -> None:
            nonlocal raised
            await asyncio.sleep(index * _GAP)
            began = time.monotonic()
            try:
                await _send(hass, way, f"Allarme {index}")
            except HomeAssistantError:
                raised += 1
            took.append(time.monotonic() - began)

        async def changes() -> None:
            for _ in range(CHANGES):
                await asyncio.sleep(_EVERY * _GAP)
                next(steps)
                await hass.async_block_till_done()

        await asyncio.gather(changes(), *map(alarm, range(ALARMS)))
        await _settle(simulator)
        texts = [one.text for one in simulator.messages if one.to == _ANNA]
        return ChangeCourse(
            arrived=len({*texts}),
            twice=len(texts) - len({*texts}),
            raised=raised,
            answered=max(took),
        )


def _steps(
    hass: HomeAssistant, account: MockConfigEntry, simulator: Simulator, change: Change
) -> Iterator[None]:
    """Change an account at each step, for ever."""
    entries = hass.config_entries
    bruno = ConfigSubentry(
        subentry_id="bruno",
        subentry_type=SUBENTRY_TYPE_RECIPIENT,
        title="Bruno",
        unique_id=None,
        data=MappingProxyType({CONF_NUMBERS: ["+393409876543"]}),
    )
    for is_odd in cycle((True, False)):
        match change:
            case Change.OPTIONS:
                options = {**account.options, CONF_DAILY_LIMIT: 5000 * is_odd}
                entries.async_update_entry(account, options=options)
            case Change.RECIPIENTS if is_odd:
                entries.async_add_subentry(account, bruno)
            case Change.RECIPIENTS:
                entries.async_remove_subentry(account, bruno.subentry_id)
            case Change.KEY:
                new = {_KEY: f"chiave-nuova-{is_odd}-0123456789"}
                # The provider refuses the old one from now on.
                simulator.set_credentials(PROVIDER, **new)
                entries.async_update_entry(account, data={**account.data, **new})
            case Change.RELOAD:
                entries.async_schedule_reload(account.entry_id)
        yield


class Moment(StrEnum):
    """What happened to messages that waited when a backup was made."""

    SENT = "sent after the backup was made"
    WAITING = "still waiting when the backup was put back"


WAITING = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCourse:
    """9 alarms that wait in a backup which is put back.

    `sent` counts those that left after that; the others are `in_doubt`.
    """

    sent: int
    in_doubt: int


async def try_backup(folder: Path, moment: Moment) -> BackupCourse:
    """Put a backup back in which alarms wait; the provider is there."""
    async with Simulator() as simulator:
        copy = folder / "copy"
        async with _home(folder / "home") as hass:
            line = simulator.url(PROVIDER)
            account = await _account(hass, simulator, url="http://127.0.0.1:1")
            for index in range(WAITING):
                await _send(hass, Way.ACTION, f"Allarme {index}")
            await hass.data[MESSENGER].ledger.flush()
            _copy(folder / "home", copy)
            if moment is Moment.SENT:
                data = {**account.data, "url": line}
                hass.config_entries.async_update_entry(account, data=data)
                await _settle(simulator, WAITING)
        before = len(simulator.messages)
        new = folder / "new"
        _copy(copy, new)
        async with _home(new) as hass:
            await _account(hass, simulator, entry_id=account.entry_id)
            await _settle(simulator, before + 1)
            query = Query(status=Status.UNCERTAIN)
            found = await hass.data[MESSENGER].ledger.find(query)
        sent = len(simulator.messages) - before
        return BackupCourse(sent=sent, in_doubt=found.total)


def _copy(source: Path, to: Path) -> None:
    """Copy a ledger as a backup of Home Assistant does: without its mark."""
    (to / ".storage").mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal"):
        file = source / ".storage" / f"{_LEDGER}{suffix}"
        if file.exists():
            shutil.copyfile(file, to / ".storage" / file.name)


@asynccontextmanager
async def _home(folder: Path) -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant that finds the integration."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with async_test_home_assistant(config_dir=str(folder)) as hass:
        frame.async_setup(hass)
        hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
        try:
            yield hass
        finally:
            for entry in hass.config_entries.async_entries(DOMAIN):
                await hass.config_entries.async_unload(entry.entry_id)
            await hass.async_stop(force=True)


async def _account(
    hass: HomeAssistant,
    simulator: Simulator,
    *,
    url: str | None = None,
    entry_id: str | None = None,
) -> MockConfigEntry:
    """Set up an account with a recipient, and without limits."""
    return await Accounts(hass, simulator).set_up(
        PROVIDER,
        entry_id=entry_id,
        settings={} if url is None else {"url": url},
        recipients={"Anna": [_ANNA]},
        options={CONF_DAILY_LIMIT: 0, CONF_BUNDLE_AFTER: 0},
    )


async def _send(hass: HomeAssistant, way: Way, text: str) -> None:
    """Send to the recipient."""
    match way:
        case Way.ACTION:
            action, target = PROVIDER, dict[str, str]()
        case Way.ENTITY:
            action, target = "send_message", {"entity_id": "notify.anna"}
    await hass.services.async_call(
        NOTIFY_DOMAIN, action, {"message": text, **target}, blocking=True
    )


async def _settle(simulator: Simulator, count: int = ALARMS) -> None:
    """Return when so much has arrived, or when it would have."""
    end = time.monotonic() + _LONGEST
    while len(simulator.messages) < count and time.monotonic() < end:  # noqa: ASYNC110 - the simulator has no event
        await asyncio.sleep(0.02)
