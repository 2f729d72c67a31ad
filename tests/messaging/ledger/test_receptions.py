"""What came in at accounts, in the ledger."""

from contextlib import closing
from dataclasses import replace
import sqlite3

from custom_components.sms_italia.messaging.ledger import Entry, ReceptionRecord

from .helpers import Shelf, full_disk

CASA = ReceptionRecord(account="casa", state='{"since": 1}')
LATER = replace(CASA, state='{"since": 2}')
UFFICIO = replace(CASA, account="ufficio")


async def test_a_reception_is_kept_in_the_place_of_what_it_was(shelf: Shelf) -> None:
    await shelf.open()
    assert await shelf.ledger.reception("casa") is None
    await shelf.ledger.record(Entry(receptions=[CASA, UFFICIO]))
    await shelf.ledger.record(Entry(receptions=[LATER]))
    await shelf.reopen()
    assert await shelf.ledger.reception("casa") == LATER
    assert await shelf.ledger.reception("ufficio") == UFFICIO


async def test_one_that_could_not_be_written_is_known_and_written_later(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await shelf.ledger.record(Entry(receptions=[CASA]))
    with full_disk(1):
        await shelf.ledger.record(Entry(receptions=[LATER, UFFICIO]))
        assert await shelf.ledger.reception("casa") == LATER
    newest = replace(CASA, state='{"since": 3}')
    await shelf.ledger.record(Entry(receptions=[newest]))
    await shelf.reopen()
    assert await shelf.ledger.reception("casa") == newest
    assert await shelf.ledger.reception("ufficio") == UFFICIO


async def test_the_reception_of_an_account_that_is_forgotten_goes_with_it(
    shelf: Shelf,
) -> None:
    await shelf.open()
    await shelf.ledger.record(Entry(receptions=[CASA, UFFICIO]))
    with full_disk(1):
        await shelf.ledger.record(Entry(receptions=[LATER]))
    await shelf.ledger.forget("casa")
    await shelf.reopen()
    assert await shelf.ledger.reception("casa") is None
    assert await shelf.ledger.reception("ufficio") == UFFICIO


async def test_a_ledger_that_cannot_be_read_knows_of_none(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.ledger.record(Entry(receptions=[CASA]))
    with closing(sqlite3.connect(shelf.path)) as database:
        database.execute("DROP TABLE receptions")
    assert await shelf.ledger.reception("casa") is None
