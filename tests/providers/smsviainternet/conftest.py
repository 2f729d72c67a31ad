"""What the tests of SMSviaInternet share."""

import pytest

from custom_components.sms_italia.providers.smsviainternet import client


@pytest.fixture(autouse=True)
def quick_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses before rows are asked for again."""
    monkeypatch.setattr(client, "_ROW_PAUSES", (0, 0.01, 0.01))
