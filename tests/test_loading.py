"""Which accounts are going to be loaded, if they are not."""

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
import pytest

from custom_components.sms_italia.loading import async_is_expected

from .accounts import Accounts


@pytest.mark.parametrize(
    ("state", "starting", "running"),
    [
        (ConfigEntryState.LOADED, True, True),
        (ConfigEntryState.SETUP_IN_PROGRESS, True, True),
        (ConfigEntryState.SETUP_RETRY, True, True),
        (ConfigEntryState.UNLOAD_IN_PROGRESS, True, True),
        (ConfigEntryState.NOT_LOADED, True, False),
        (ConfigEntryState.SETUP_ERROR, False, False),
        (ConfigEntryState.MIGRATION_ERROR, False, False),
        (ConfigEntryState.FAILED_UNLOAD, False, False),
    ],
)
async def test_an_account_is_expected_unless_somebody_has_to_do_something(
    hass: HomeAssistant,
    accounts: Accounts,
    state: ConfigEntryState,
    starting: bool,  # noqa: FBT001 - a column of the table
    running: bool,  # noqa: FBT001 - a column of the table
) -> None:
    account = accounts.add("smshosting")
    account.mock_state(hass, state)
    for moment, expected in (
        (CoreState.not_running, starting),
        (CoreState.starting, starting),
        (CoreState.running, running),
    ):
        hass.set_state(moment)
        assert async_is_expected(hass, account.entry_id) is expected
    account.mock_state(hass, ConfigEntryState.NOT_LOADED)


async def test_a_disabled_account_is_not_expected(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    await hass.config_entries.async_set_disabled_by(
        account.entry_id, ConfigEntryDisabler.USER
    )
    hass.set_state(CoreState.starting)
    assert not async_is_expected(hass, account.entry_id)
    hass.set_state(CoreState.running)


async def test_an_account_that_does_not_exist_is_not_expected(
    hass: HomeAssistant,
) -> None:
    assert not async_is_expected(hass, "nobody")
