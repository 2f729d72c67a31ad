"""A backup of Home Assistant holds a whole ledger, and no message waits for it."""

import asyncio
from contextlib import closing
import os
from pathlib import Path
import shutil
import sqlite3
import tarfile

from homeassistant.components.backup import async_get_manager
from homeassistant.components.backup.manager import BackupManager
from homeassistant.components.backup.models import BackupManagerError
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.setup import async_setup_component
from homeassistant.util import slugify
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sms_italia.const import CONF_DAILY_LIMIT, DOMAIN
from custom_components.sms_italia.runtime import MESSENGER
from simulator import Fault, Simulator

from .accounts import Accounts, arrived
from .states import call

ANNA = "+393331234567"
BRUNO = "+393409876543"

LEDGER = f"{DOMAIN}.db"
NO_LIMIT = {CONF_DAILY_LIMIT: 0}


@pytest.fixture
async def manager(hass: HomeAssistant, accounts: Accounts) -> BackupManager:
    """Return Home Assistant's own manager of backups, which found our hooks."""
    del accounts  # Their simulator lets sockets be opened.
    assert await async_setup_component(hass, "backup", {})
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    manager = async_get_manager(hass)
    assert DOMAIN in manager.platforms
    return manager


def ledger_of(hass: HomeAssistant) -> Path:
    """Return where the ledger's file is."""
    return Path(hass.config.path(STORAGE_DIR, LEDGER))


async def send(hass: HomeAssistant, account: MockConfigEntry, *texts: str) -> None:
    """Send each text to two numbers."""
    for text in texts:
        await hass.services.async_call(
            NOTIFY_DOMAIN,
            slugify(account.title),
            {"message": text, "target": [ANNA, BRUNO]},
            blocking=True,
        )


async def close(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Unload an account, and close the ledger without waiting for its return."""
    assert await hass.config_entries.async_unload(account.entry_id)
    await hass.data[MESSENGER].close()


def copy(ledger: Path, folder: Path) -> Path:
    """Copy a ledger's files as a backup does: one after the other."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = ledger.with_name(LEDGER + suffix)
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    return folder / LEDGER


def texts_in(ledger: Path) -> list[str]:
    """Return the texts in a copy of a ledger, after proof that it is whole."""
    with closing(sqlite3.connect(ledger)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute(
            "SELECT text, count(id) FROM dispatches LEFT JOIN messages "
            "USING (dispatch) GROUP BY dispatch ORDER BY dispatch"
        ).fetchall()
    assert all(count == 2 for _, count in rows)
    return [text for text, _ in rows]


def texts_of(name: str, count: int) -> list[str]:
    """Return different texts."""
    return [f"{name} {number}" for number in range(count)]


async def test_sending_goes_on_while_the_file_is_held(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    manager: BackupManager,
    tmp_path: Path,
) -> None:
    """What a backup copies is whole at any moment, and so is the ledger afterwards."""
    account = await accounts.set_up("smshosting", options=NO_LIMIT)
    ledger = ledger_of(hass)
    before, during, after = (texts_of(name, 3) for name in ("Prima", "Intanto", "Poi"))
    await send(hass, account, *before)

    await manager.async_pre_backup_actions()
    held = ledger.read_bytes()
    for number, text in enumerate(during):
        copied = await hass.async_add_executor_job(
            copy, ledger, tmp_path / f"copy {number}"
        )
        assert texts_in(copied) == before + during[:number]
        await send(hass, account, text)
        assert ledger.read_bytes() == held
    await manager.async_post_backup_actions()

    await send(hass, account, *after)
    assert len(arrived(simulator)) == 2 * 9
    await close(hass, account)
    assert ledger.read_bytes() != held
    assert texts_in(ledger) == before + during + after


async def test_the_main_file_alone_has_all_that_was_before(
    hass: HomeAssistant, accounts: Accounts, manager: BackupManager, tmp_path: Path
) -> None:
    """It is brought up to date before it is held."""
    account = await accounts.set_up("smshosting")
    await send(hass, account, "Prima")

    await manager.async_pre_backup_actions()
    await send(hass, account, "Intanto")
    alone = shutil.copyfile(ledger_of(hass), tmp_path / LEDGER)
    await manager.async_post_backup_actions()

    assert texts_in(alone) == ["Prima"]


async def test_a_backup_has_the_ledger(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    manager: BackupManager,
    tmp_path: Path,
) -> None:
    """A real one, made by its action while messages go out."""
    account = await accounts.set_up("smshosting", options=NO_LIMIT)
    before = texts_of("Prima", 5)
    await send(hass, account, *before)
    done = asyncio.Event()
    during: list[str] = []

    async def go_on_sending() -> None:
        while not done.is_set():
            during.append(f"Intanto {len(during)}")
            await send(hass, account, during[-1])

    async def back_up() -> None:
        await hass.services.async_call("backup", "create", blocking=True)
        done.set()

    await asyncio.gather(go_on_sending(), back_up())

    assert len(arrived(simulator)) == 2 * len(before + during)
    backups, errors = await manager.async_get_backups()
    assert len(backups) == 1
    assert errors == {}
    copied = await hass.async_add_executor_job(
        unpack, Path(hass.config.path("backups")), tmp_path / "restored"
    )
    found = texts_in(copied)
    assert found[:5] == before
    assert found[5:] == during[: len(found) - 5]


async def test_no_backup_is_made_while_the_disk_does_not_answer(
    hass: HomeAssistant, accounts: Accounts, manager: BackupManager
) -> None:
    """A pipe hangs whoever reads it, until somebody writes."""
    account = await accounts.set_up("smshosting", options=NO_LIMIT)
    await close(hass, account)
    journal = ledger_of(hass).with_suffix(".journal")

    def hang() -> None:
        journal.unlink()
        os.mkfifo(journal)

    await hass.async_add_executor_job(hang)
    assert await hass.config_entries.async_setup(account.entry_id)
    with pytest.raises(BackupManagerError, match="the disk does not answer"):
        await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()

    await hass.async_add_executor_job(journal.write_bytes, b"")
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()


async def test_what_waits_in_a_backup_is_in_doubt_when_it_is_restored(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    manager: BackupManager,
    tmp_path: Path,
) -> None:
    """Also where the file that the backup leaves out stayed as it is."""
    account = await accounts.set_up("smshosting", options=NO_LIMIT)
    simulator.inject("smshosting", Fault.THROTTLED, operation="send")
    await send(hass, account, "In attesa")
    await hass.services.async_call("backup", "create", blocking=True)
    assert (await manager.async_get_backups())[0]
    await close(hass, account)
    mark = Path(hass.config.path(f"{DOMAIN}.db-shm"))

    def put_back() -> None:
        restored = unpack(Path(hass.config.path("backups")), tmp_path / "restored")
        assert not (restored.parents[1] / mark.name).exists()
        assert mark.exists()
        shutil.copytree(restored.parent, ledger_of(hass).parent, dirs_exist_ok=True)

    await hass.async_add_executor_job(put_back)

    assert await hass.config_entries.async_setup(account.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert arrived(simulator) == []
    answer = await call(hass, "find_messages")
    assert {one["status"] for one in answer["messages"]} == {"uncertain"}
    assert {one["error"] for one in answer["messages"]} == {None}


def unpack(backups: Path, folder: Path) -> Path:
    """Return the ledger of the backup, as a restored Home Assistant finds it."""
    (archive,) = backups.glob("*.tar")
    with tarfile.open(archive) as outer:
        (name,) = (one for one in outer.getnames() if one.endswith(".tar.gz"))
        inner = outer.extractfile(name)
        assert inner is not None
        with tarfile.open(fileobj=inner) as contents:
            contents.extractall(folder, filter="data")
    return folder / "data" / STORAGE_DIR / LEDGER


async def test_an_account_that_is_reloaded_meanwhile_does_not_wake_the_file(
    hass: HomeAssistant,
    accounts: Accounts,
    manager: BackupManager,
    tmp_path: Path,
) -> None:
    """Even the only one: with it the ledger is closed and opened again."""
    account = await accounts.set_up("smshosting", options=NO_LIMIT)
    ledger = ledger_of(hass)
    await send(hass, account, "Prima")

    await manager.async_pre_backup_actions()
    held = ledger.read_bytes()
    await send(hass, account, "Intanto")
    await close(hass, account)
    assert await hass.config_entries.async_setup(account.entry_id)
    await send(hass, account, "Dopo il nuovo inizio", "x" * 1000)
    assert ledger.read_bytes() == held
    copied = await hass.async_add_executor_job(copy, ledger, tmp_path / "copy")
    # It may be the account's last moment, and the end of the backup comes later.
    await close(hass, account)
    assert ledger.read_bytes() == held
    await manager.async_post_backup_actions()

    everything = ["Prima", "Intanto", "Dopo il nuovo inizio", "x" * 1000]
    assert texts_in(copied) == everything
    assert await hass.config_entries.async_setup(account.entry_id)
    await close(hass, account)
    assert ledger.read_bytes() != held
    assert not ledger.with_name(f"{LEDGER}-wal").exists()
    assert texts_in(ledger) == everything


async def test_trouble_with_the_ledger_does_not_stop_the_backup(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    manager: BackupManager,
) -> None:
    """Everything else in the backup is worth more than our history."""
    account = await accounts.set_up("smshosting")
    await send(hass, account, "Prima")
    log = ledger_of(hass).with_name(f"{LEDGER}-wal")
    assert log.stat().st_size
    log.write_bytes(b"")

    await manager.async_pre_backup_actions()
    await send(hass, account, "Intanto")
    await manager.async_post_backup_actions()

    assert len(arrived(simulator)) == 2 * 2


async def test_without_an_account_there_is_nothing_to_do(
    hass: HomeAssistant, accounts: Accounts, manager: BackupManager
) -> None:
    """Neither before the first one nor after the last one."""
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()
    assert not ledger_of(hass).exists()

    account = await accounts.set_up("smshosting")
    await send(hass, account, "Prima")
    await close(hass, account)
    left = ledger_of(hass).read_bytes()
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()
    assert ledger_of(hass).read_bytes() == left
    assert texts_in(ledger_of(hass)) == ["Prima"]
