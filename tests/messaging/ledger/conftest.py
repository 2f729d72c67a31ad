"""Fixtures of the tests of the ledger."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from .helpers import Shelf


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncGenerator[Shelf]:
    """Return a shelf that is not open yet; it is closed after the test."""
    shelf = Shelf(tmp_path / "storage" / "sms.db")
    yield shelf
    await shelf.ledger.close()
