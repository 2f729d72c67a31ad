"""Delivery by callbacks of the providers, and by polling them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
import json
import time
from urllib.parse import urlencode

from yarl import URL

from script.home_assistant.ledger import Row, read
from script.home_assistant.process import Process
from script.home_assistant.waiting import HomeAssistantError, until
from simulator import Message, Operation, Simulator, Status

from .alerts import held
from .figures import Chapter, Direction, Goal, Table, ms
from .instance import REACHABLE, MeasuredInstance, title

_TEXT = """\
Delivery of messages that were accepted before. By callbacks: one for each message at
Home Assistant's webhooks, 50 at a time. By polling: there are no callbacks, and Home
Assistant asks about all of them after a restart. The time is until all are recorded as
delivered, from the first callback or question.
"""

_LONGEST_HOLD = 0.02
_AT_ONCE = 50
_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deliveries:
    """The result: name, messages, seconds, requests, seconds."""

    name: str
    count: int
    took: float
    questions: int
    held: float


async def measure(
    instance: MeasuredInstance,
    simulator: Simulator,
    callbacks: dict[str, int],
    polled: dict[str, int],
) -> Chapter:
    """Measure the delivery of that many messages of each provider."""
    results: list[_Deliveries] = []
    for provider, count in callbacks.items():
        async with instance.run_with_empty_ledger() as process:
            results.append(
                await _by_callbacks(instance, process, simulator, provider, count)
            )
    for provider, count in polled.items():
        results.append(await _by_polling(instance, simulator, provider, count))
    return Chapter(
        title="Delivery",
        text=_TEXT,
        tables=[
            Table(
                columns=["", "Messages", "Time", "Questions", "Event loop held"],
                rows=[
                    [
                        one.name,
                        f"{one.count:,}",
                        ms(one.took),
                        f"{one.questions:,}",
                        ms(one.held),
                    ]
                    for one in results
                ],
            )
        ],
        goals=[
            Goal(
                name=f"{one.name}: event loop held",
                value=one.held * 1000,
                direction=Direction.AT_MOST,
                target=_LONGEST_HOLD * 1000,
                unit="ms",
            )
            for one in results
        ],
    )


async def _by_callbacks(
    instance: MeasuredInstance,
    process: Process,
    simulator: Simulator,
    provider: str,
    count: int,
) -> _Deliveries:
    await instance.in_one_call(provider, count)
    messages = _deliver(simulator, provider, count)
    await instance.call("tidy")
    begin, began = time.perf_counter(), datetime.now(UTC)
    instance.begin_to_measure(process)
    await _post_all(instance, messages)
    await _until_delivered(instance, count)
    took = time.perf_counter() - begin
    return _Deliveries(
        name=f"Callbacks of {title(provider)}",
        count=count,
        took=took,
        questions=len(_questions(simulator, provider, began)),
        held=held(await instance.measured(process)),
    )


async def _by_polling(
    instance: MeasuredInstance, simulator: Simulator, provider: str, count: int
) -> _Deliveries:
    async with instance.run_with_empty_ledger() as process:
        await instance.call("reach", url=None)
        await instance.in_one_call(provider, count)
        await _until_on_record(instance, count, lambda row: row.stage == "accepted")
        # A graceful stop would wait for questions that are open.
        await process.kill()
    _deliver(simulator, provider, count)
    async with instance.run_measured() as process:
        await instance.call("tidy")
        began = datetime.now(UTC)
        instance.begin_to_measure(process)
        await _until_delivered(instance, count)
        ended = datetime.now(UTC)
        slowest = await instance.measured(process)
        await instance.call("reach", url=REACHABLE)
    questions = _questions(simulator, provider, began)
    return _Deliveries(
        name=f"Polling of {title(provider)}",
        count=count,
        took=(ended - questions[0]).total_seconds(),
        questions=len(questions),
        held=held(slowest),
    )


def _deliver(simulator: Simulator, provider: str, count: int) -> list[Message]:
    """Mark the newest messages as delivered; return them."""
    return [
        simulator.move(message.id, Status.DELIVERED)
        for message in list(simulator.messages.of(provider))[-count:]
    ]


async def _post_all(instance: MeasuredInstance, messages: Sequence[Message]) -> None:
    """Post each message's callback as its provider would."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def post(message: Message) -> int:
        body = _CALLBACKS[message.provider](message)
        async with gate:
            return await instance.post(
                URL(message.callback or "").path_qs, body.encode()
            )

    statuses = set(await asyncio.gather(*map(post, messages)))
    if statuses != {HTTPStatus.OK}:
        raise HomeAssistantError(f"callbacks were answered with {statuses}")


def _transactionale_callback(message: Message) -> str:
    """Return a callback (docs/development/provider-apis/transactionale.md 3.6)."""
    return json.dumps(
        {
            "sms_id": int(message.id),
            "phone": message.to[1:],
            "send_time": "2026-11-23T10:00:00+00:00",
            "status_time": "2026-11-23T10:00:01+00:00",
            "status": message.status,
        }
    )


def _smshosting_callback(message: Message) -> str:
    """Return a callback (docs/development/provider-apis/smshosting.md 2.7)."""
    return urlencode(
        {
            "id": message.id,
            "transactionId": message.reference or "",
            "to": message.to[1:],
            "status": "DELIVERED",
            "notificationDate": "2026-11-23T10:00:01+0000",
        }
    )


_CALLBACKS: Mapping[str, Callable[[Message], str]] = {
    "transactionale": _transactionale_callback,
    "smshosting": _smshosting_callback,
}


async def _until_delivered(instance: MeasuredInstance, count: int) -> None:
    """Wait until the ledger has that many delivered messages."""
    await _until_on_record(instance, count, lambda row: row.status == "delivered")


async def _until_on_record(
    instance: MeasuredInstance, count: int, condition: Callable[[Row], bool]
) -> None:
    """Wait until the ledger has that many messages that meet the condition."""

    async def there() -> bool | None:
        rows = await asyncio.to_thread(read, instance.ledger)
        return sum(map(condition, rows)) >= count or None

    await until(there, _SECONDS, "all are on record")


def _questions(simulator: Simulator, provider: str, since: datetime) -> list[datetime]:
    """Return the times of the requests for status."""
    return [
        request.received
        for request in simulator.requests.of(provider)
        if request.operation is Operation.STATUS and request.received >= since
    ]
