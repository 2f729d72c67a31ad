"""Diagnostics: what helps to find a fault, and nothing that is private."""

from collections.abc import Mapping
import json

from homeassistant.components.diagnostics import DOMAIN as DIAGNOSTICS_DOMAIN
from homeassistant.components.notify import DOMAIN as NOTIFY_DOMAIN
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import slugify
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import props
from yarl import URL

from custom_components.sms_italia.const import (
    CONF_CALLBACK_KEY,
    CONF_FALLBACK,
    CONF_RETRY_FOR,
    DOMAIN,
)
from custom_components.sms_italia.providers import PROVIDERS, EmailOption
from simulator import Fault, Simulator, Toggle

from .accounts import Accounts, until

ANNA = "+393331234567"
BRUNO = "+393409876543"
TITLE = "Casa Rossi"
RECIPIENT = "Nonna Carla"
SENDER = "Cascinotta"
TEXT = "Sciabordio"
HOME = "https://casarossi.example"
MAIL = "nonna@casarossi.example"

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)

pytestmark = pytest.mark.usefixtures("quick")


async def send(hass: HomeAssistant, account: MockConfigEntry, *targets: str) -> None:
    """Send to some numbers, and wait for what follows at once."""
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        slugify(account.title),
        {"message": f"{TEXT} {len(targets)}", "target": list(targets)},
        blocking=True,
    )
    await hass.async_block_till_done(wait_background_tasks=True)


async def set_up(
    hass: HomeAssistant,
    accounts: Accounts,
    key: str,
    options: Mapping[str, object] | None = None,
) -> MockConfigEntry:
    """Set up an account whose private values are found nowhere else."""
    for component in (NOTIFY_DOMAIN, DIAGNOSTICS_DOMAIN):
        # Their views must be there before the server is.
        assert await async_setup_component(hass, component, {})
    await hass.config.async_update(external_url=HOME)
    return await accounts.set_up(
        key,
        entry_id=f"entry_{key}",
        title=TITLE,
        settings={"sender": SENDER},
        options=options,
        recipients={RECIPIENT: [ANNA]},
    )


@EACH_PROVIDER
async def test_the_diagnostics_of_each_provider(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
    key: str,
    snapshot: SnapshotAssertion,
) -> None:
    """After two messages, of which one arrived."""
    account = await set_up(hass, accounts, key, {CONF_FALLBACK: ["entry_altro"]})
    await send(hass, account, ANNA, BRUNO)
    simulator.move(simulator.messages[0].id, "delivered")
    messenger = account.runtime_data.messenger
    callback_url = account.runtime_data.account.callback_url
    if callback_url("") is not None:
        client = await hass_client()
        message = messenger.open_messages(account.entry_id)[0]
        assert message.submission is not None
        for reference in (message.submission, "ignota"):
            await client.get(URL(callback_url(reference) or "").path_qs)
        await client.get(f"/api/webhook/{account.data[CONF_WEBHOOK_ID]}")
    await until(lambda: len(messenger.open_messages(account.entry_id)) == 1)
    if key in {"smsviainternet", "smshosting", "inviosmart"}:
        # They report what a message cost, at the latest when they are asked.
        cost = sum(message.cost for message in simulator.messages)
        await until(lambda: messenger.totals.spent_today(account.entry_id).cost == cost)
    await account.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)

    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, account)

    assert diagnostics == snapshot(exclude=props("created_at", "modified_at", "url"))
    address = URL(simulator.url(key))
    assert address.path != "/"
    assert diagnostics["entry"]["data"]["url"] == str(address.origin())


@EACH_PROVIDER
async def test_nothing_private_is_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
    key: str,
) -> None:
    """Neither credentials nor numbers, texts, names, senders, the webhook's id."""
    mail = {
        option.key: MAIL
        for option in PROVIDERS[key].options
        if isinstance(option, EmailOption)
    }
    account = await set_up(hass, accounts, key, {CONF_RETRY_FOR: 60, **mail})
    await send(hass, account, ANNA)
    simulator.inject(key, Fault.THROTTLED, operation="send")
    await send(hass, account, BRUNO, ANNA)
    assert account.runtime_data.messenger.open_messages(account.entry_id)

    diagnostics = json.dumps(
        await get_diagnostics_for_config_entry(hass, hass_client, account),
        ensure_ascii=False,
    )

    private = {
        *simulator.credentials(key).values(),
        *(number.removeprefix("+39") for number in (ANNA, BRUNO)),
        TEXT,
        TITLE,
        RECIPIENT,
        SENDER,
        *(
            account.data[name]
            for name in (CONF_WEBHOOK_ID, CONF_CALLBACK_KEY)
            if name in account.data
        ),
        account.unique_id,
        HOME,
        MAIL,
    }
    assert {word for word in private if str(word) in diagnostics} == set()
    assert f"entry_{key}" in diagnostics


async def test_a_push_plan_and_scheduled_messages_are_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
) -> None:
    """In figures."""
    simulator.switch_on("smshosting", Toggle.PUSH_PLAN)
    account = await set_up(hass, accounts, "smshosting", {"channel": "push_then_sms"})
    for send_at in (None, "2035-07-01 08:00:00"):
        await hass.services.async_call(
            DOMAIN,
            "send_sms",
            {"numbers": [ANNA], "message": TEXT}
            | ({} if send_at is None else {"send_at": send_at}),
            blocking=True,
        )

    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, account)

    assert isinstance(diagnostics, dict)
    assert diagnostics["channel"] == "push_then_sms"
    assert diagnostics["push"] == {"plan": "active", "left": 900}
    assert diagnostics["open_messages"] == {"accepted/queued": 2}
    assert diagnostics["scheduled_messages"] == 1


async def test_the_last_run_of_each_escalation_is_shown_without_names_and_texts(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
) -> None:
    assert await async_setup_component(hass, DIAGNOSTICS_DOMAIN, {})
    account = await accounts.set_up(
        "smshosting",
        entry_id="uno",
        recipients={RECIPIENT: [ANNA, BRUNO]},
        escalations={"Ronda": [("uno", RECIPIENT.lower())], "Giorno": []},
    )
    await hass.services.async_call(
        NOTIFY_DOMAIN,
        "send_message",
        {"entity_id": "notify.ronda", "message": TEXT},
        blocking=True,
    )
    await until(lambda: len(simulator.messages) == 2)
    await hass.services.async_call(
        DOMAIN, "acknowledge", {"entity_id": "notify.ronda"}, blocking=True
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, account)

    assert isinstance(diagnostics, dict)
    assert diagnostics["last_runs"] == [
        {
            "escalation": "ronda",
            "state": "acknowledged",
            "texts": 1,
            "waits_for_account": False,
            "acknowledged_with": "action",
            "calls": [
                {
                    "step": 1,
                    "member": RECIPIENT.lower(),
                    "seconds": 0,
                    "refused": 0,
                    "messages": {"accepted": 2},
                }
            ],
        }
    ]
    shown = json.dumps(diagnostics)
    private = {"Ronda", RECIPIENT, TEXT, ANNA[3:], BRUNO[3:]}
    assert {word for word in private if word in shown} == set()


async def test_a_failed_update_is_shown(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    hass_client: ClientSessionGenerator,
) -> None:
    simulator.inject("smshosting", Fault.HTML, times=9, operation="credit")
    account = await set_up(hass, accounts, "smshosting")

    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, account)

    assert isinstance(diagnostics, dict)
    assert diagnostics["credit"] is None
    assert diagnostics["last_update_success"] is False
    assert diagnostics["open_messages"] == {}
