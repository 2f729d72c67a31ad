"""Fixtures of the tests of the state of messages."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import Ledger

from .helpers import AtNoon, Desk


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    """Return an open desk."""
    time = AtNoon()
    ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
    desk = await Desk(ledger, Clock(wall=time.now, steady=time.now), time).load()
    yield desk
    # As at the end of everything: what is pending is notified of.
    desk.open.clear()
    await ledger.close()
