"""Fixtures of the tests of the messaging layer."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from .helpers import Harness


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncGenerator[Harness]:
    """Return a messenger without accounts; it is closed after the test."""
    harness = Harness.build(tmp_path)
    yield harness
    harness.line.release_answers()
    await harness.messenger.close()
