"""Very many messages in a short time."""

import asyncio
from collections.abc import Iterator, Sequence
import gc
from http import HTTPStatus
import json
import time
from typing import Any, cast

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

from custom_components.sms_italia.const import DOMAIN
from custom_components.sms_italia.messaging import Query
from custom_components.sms_italia.providers import Status
from custom_components.sms_italia.runtime import MESSENGER
from script.home_assistant.loop_meter import Meter
from simulator import Message, Operation, Simulator
from simulator.callbacks import Callbacks
from tests.accounts import Accounts, until

POSTS_AT_ONCE = 50
# Processor time: by the clock, other processes of the machine would count.
LONGEST_SECONDS = 10
"""In which all callbacks must be answered."""
LONGEST_HOLD_SECONDS = 0.05
"""For which one callback may hold the event loop."""


def numbers(count: int) -> list[str]:
    """Return that many different Italian mobile numbers."""
    return [f"+39333{index:07}" for index in range(count)]


async def send(hass: HomeAssistant, account: MockConfigEntry, count: int) -> list[str]:
    """Send one text to that many numbers in one call; return the statuses."""
    answer = await hass.services.async_call(
        DOMAIN,
        "send_sms",
        {
            "config_entry_id": account.entry_id,
            "numbers": numbers(count),
            "message": "A tutti",
        },
        blocking=True,
        return_response=True,
    )
    assert answer is not None
    messages = cast("list[dict[str, Any]]", answer["messages"])
    return [message["status"] for message in messages]


def sends(simulator: Simulator) -> int:
    """Return how many requests to send were accepted."""
    return sum(
        one.operation is Operation.SEND
        and one.status in {HTTPStatus.OK, HTTPStatus.CREATED}
        for one in simulator.requests
    )


@pytest.fixture(autouse=True)
def _without_debug(hass: HomeAssistant) -> None:
    """Turn off the test kit's debug mode of the loop, which is many times slower."""
    hass.loop.set_debug(False)


@pytest.fixture(autouse=True)
def _without_pushed_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the simulator from pushing reports to the external URL: the test does it."""
    monkeypatch.setattr(Callbacks, "start", lambda *_: None)


@pytest.fixture
def meter() -> Iterator[Meter]:
    """Return a meter of the loop; the garbage collector, which would count, is off."""
    gc.disable()
    yield Meter()
    gc.enable()


async def test_five_thousand_numbers_of_one_call_are_five_requests(
    hass: HomeAssistant, accounts: Accounts, simulator: Simulator
) -> None:
    account = await accounts.set_up("smsviainternet", options={"daily_limit": 0})
    simulator.set_credit("smsviainternet", 1000)

    statuses = await send(hass, account, 5000)

    assert statuses == ["queued"] * 5000
    assert sends(simulator) == 5
    assert sorted(message.to for message in simulator.messages) == numbers(5000)


async def test_of_five_thousand_delivery_callbacks_none_is_lost(
    hass: HomeAssistant,
    accounts: Accounts,
    simulator: Simulator,
    web: TestClient[Any, Any],
    meter: Meter,
) -> None:
    """Transactionale's are reports, Smshosting's come without one: hints to ask.

    They are answered in time, and no callback of the event loop holds it for long.
    """
    for key, count in (("transactionale", 2000), ("smshosting", 3000)):
        simulator.set_credit(key, 1000)
        account = await accounts.set_up(key, options={"daily_limit": 0})
        assert await send(hass, account, count) == ["queued"] * count
    assert len(simulator.messages) == 5000
    for index, message in enumerate(simulator.messages):
        simulator.move(message.id, "failed" if index % 10 == 0 else "delivered")
    asked_before = status_questions(simulator)

    meter.begin()
    begin = time.process_time()
    await post_all(web, simulator.messages)
    seconds = time.process_time() - begin
    messenger = hass.data[MESSENGER]
    await until(lambda: not messenger.open_messages(account.entry_id))
    await hass.async_block_till_done(wait_background_tasks=True)
    slowest = meter.end()

    assert seconds < LONGEST_SECONDS
    assert max(one["processor"] for one in slowest) < LONGEST_HOLD_SECONDS, slowest
    for status, expected in ((Status.DELIVERED, 4500), (Status.FAILED, 500)):
        found = await messenger.ledger.find(Query(status=status, limit=1))
        assert found.total == expected
    # Transactionale's were not asked about, Smshosting's a hundred at a time.
    assert status_questions(simulator, "transactionale") == 0
    assert status_questions(simulator) - asked_before < 100
    assert sends(simulator) == 2000 + 3


def status_questions(simulator: Simulator, *keys: str) -> int:
    """Return how many requests for status were received, by some providers or all."""
    return sum(
        one.operation is Operation.STATUS and (not keys or one.provider in keys)
        for one in simulator.requests
    )


async def post_all(web: TestClient[Any, Any], messages: Sequence[Message]) -> None:
    """Post the callback of each message, as its provider would."""
    gate = asyncio.Semaphore(POSTS_AT_ONCE)

    async def post(message: Message) -> None:
        assert message.callback is not None
        body = {
            "sms_id": int(message.id),
            "phone": message.to[1:],
            "send_time": "2026-11-23T10:00:00+00:00",
            "status_time": "2026-11-23T10:00:01+00:00",
            "status": message.status,
        }
        async with gate:
            response = await web.post(
                URL(message.callback).path_qs,
                data=json.dumps(body) if message.provider == "transactionale" else b"",
            )
            assert response.status == HTTPStatus.OK

    await asyncio.gather(*map(post, messages))
