"""Which accounts will be loaded without action by the user."""

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
import pytest

from custom_components.sms_italia.reloads import async_will_be_loaded

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
async def test_an_account_will_be_loaded_unless_the_user_has_to_act(
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
        assert async_will_be_loaded(hass, account.entry_id) is expected
    account.mock_state(hass, ConfigEntryState.NOT_LOADED)


async def test_a_disabled_account_will_not_be_loaded(
    hass: HomeAssistant, accounts: Accounts
) -> None:
    account = await accounts.set_up("smshosting")
    await hass.config_entries.async_set_disabled_by(
        account.entry_id, ConfigEntryDisabler.USER
    )
    hass.set_state(CoreState.starting)
    assert not async_will_be_loaded(hass, account.entry_id)
    hass.set_state(CoreState.running)


async def test_an_account_that_does_not_exist_will_not_be_loaded(
    hass: HomeAssistant,
) -> None:
    assert not async_will_be_loaded(hass, "nobody")
