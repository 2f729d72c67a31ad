"""Providers that are out of reach when messages are sent, and reachable later."""

import asyncio
from collections.abc import Iterator
from functools import partial
import time
from typing import Any, cast

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import sms_italia
from custom_components.sms_italia.const import CONF_RETRY_FOR, DOMAIN
from custom_components.sms_italia.messaging import Clock, Query, Timing
from custom_components.sms_italia.providers import PROVIDERS
from custom_components.sms_italia.runtime import MESSENGER
from simulator import Operation, Simulator
from tests.accounts import Accounts, until

from ..ports import reserved_port

RECIPIENTS = {"Anna": ["+393331234567"], "Bruno": ["+393409876543"]}
TEXTS = [f"Allarme numero {number}" for number in range(10)]
MINUTES = 1
"""The shortest time to keep trying that the options allow."""

EACH_PROVIDER = pytest.mark.parametrize("key", PROVIDERS)

pytestmark = pytest.mark.usefixtures("quick", "socket_enabled")


class Time:
    """The real time, moved forward by `shift` seconds."""

    def __init__(self) -> None:
        """Start with now."""
        self.shift = 0.0

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time() + self.shift


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Return the providers, who are out of reach until the context is entered."""
    with reserved_port() as port:
        yield Simulator(port=port)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Return the time that the messenger of this test uses."""
    clock = Time()
    moved = partial(Clock, wall=clock.now, steady=clock.now)
    monkeypatch.setattr(sms_italia, "Clock", moved)
    # What waits is looked at often: nothing else shows that time went by.
    restless = partial(Timing, probe=0.02, send_anyway=0.02, longest_pause=0.02)
    monkeypatch.setattr(sms_italia, "Timing", partial(restless, first_pause=0.02))
    return clock


@pytest.fixture
async def account(accounts: Accounts, key: str) -> MockConfigEntry:
    """Return an account with two recipients, whose provider is out of reach."""
    return await accounts.set_up(
        key, recipients=RECIPIENTS, options={CONF_RETRY_FOR: MINUTES}
    )


async def send_all(hass: HomeAssistant, account: MockConfigEntry) -> None:
    """Send ten texts to two recipients; each call answers that they are queued."""
    for text in TEXTS:
        answer = await hass.services.async_call(
            DOMAIN,
            "send_sms",
            {
                "config_entry_id": account.entry_id,
                "numbers": [*RECIPIENTS],
                "message": text,
            },
            blocking=True,
            return_response=True,
        )
        assert answer is not None
        messages = cast("list[dict[str, Any]]", answer["messages"])
        assert [message["status"] for message in messages] == ["queued", "queued"]


async def statuses(hass: HomeAssistant) -> list[str]:
    """Return the status of every message in the ledger, newest first."""
    found = await hass.data[MESSENGER].ledger.find(Query(limit=500))
    return [message.status for message in found.messages]


async def until_statuses(hass: HomeAssistant, expected: list[str]) -> None:
    """Wait until the messages in the ledger, newest first, have these statuses."""
    async with asyncio.timeout(60):
        while await statuses(hass) != expected:  # noqa: ASYNC110 - the ledger has no event
            await asyncio.sleep(0.01)


def sends(simulator: Simulator) -> int:
    """Return how many requests to send reached the providers."""
    return sum(one.operation is Operation.SEND for one in simulator.requests)


@EACH_PROVIDER
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_messages_of_an_outage_arrive_once_and_in_order(
    hass: HomeAssistant,
    account: MockConfigEntry,
    simulator: Simulator,
    restarted: bool,  # noqa: FBT001 - both ways are tried
) -> None:
    """Also with a restart in between."""
    await send_all(hass, account)
    if restarted:
        assert await hass.config_entries.async_reload(account.entry_id)
    assert await statuses(hass) == ["queued"] * 20

    async with simulator:
        await until(lambda: len(simulator.messages) >= 20)
        await hass.async_block_till_done(wait_background_tasks=True)
        for (number,) in RECIPIENTS.values():
            arrived = [one.text for one in simulator.messages if one.to == number]
            assert arrived == TEXTS
        assert len(simulator.messages) == 20
        for message in simulator.messages:
            simulator.move(message.id, "delivered")
        await until_statuses(hass, ["delivered"] * 20)


@EACH_PROVIDER
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_messages_that_are_too_late_expire_and_never_arrive(  # noqa: PLR0913, PLR0917 - fixtures
    hass: HomeAssistant,
    clock: Time,
    account: MockConfigEntry,
    simulator: Simulator,
    key: str,
    restarted: bool,  # noqa: FBT001 - both ways are tried
) -> None:
    """Also when their time ends while Home Assistant is off."""
    await send_all(hass, account)
    if restarted:
        assert await hass.config_entries.async_unload(account.entry_id)
        await hass.data[MESSENGER].close()
    # What was never tried gets a try after a start, if it is at most a day old.
    clock.shift = 25 * 3600 if restarted else MINUTES * 60
    if not restarted:
        # An attempt may be running at this moment; it ends before the outage does.
        await until_statuses(hass, ["expired"] * 20)

    async with simulator:
        if restarted:
            assert await hass.config_entries.async_setup(account.entry_id)
            await until_statuses(hass, ["expired"] * 20)
        await hass.async_block_till_done(wait_background_tasks=True)
        before = sends(simulator)
        # A new message is sent, and none of the old ones with it.
        await hass.services.async_call(
            DOMAIN,
            "send_sms",
            {
                "config_entry_id": account.entry_id,
                "numbers": ["Anna"],
                "message": "Di nuovo in linea",
            },
            blocking=True,
        )
        # The account may still pause after its last failed attempt.
        await until(lambda: simulator.messages)
        await hass.async_block_till_done(wait_background_tasks=True)

    assert [message.text for message in simulator.messages] == ["Di nuovo in linea"]
    assert sends(simulator) == before + 1
    assert (await statuses(hass))[1:] == ["expired"] * 20
    event = hass.states.get(f"event.{key}_delivery")
    assert event is not None
    assert event.attributes["event_type"] == "expired"
