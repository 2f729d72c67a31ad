"""Delivery that is told by the providers, and delivery that is asked for."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
import json
import time

from yarl import URL

from script.development.home_assistant import HomeAssistantError, until
from script.lean.instance import Process
from script.lean.ledger import Row, read
from simulator import Message, Operation, Simulator, Status

from .alerts import held
from .figures import Chapter, Goal, Table, Wish, ms
from .house import REACHABLE, House, title

_TEXT = """\
Delivery of messages that were taken before. Told: so many callbacks at Home Assistant's
webhooks, 50 at a time; Transactionale's are reports, Smshosting's only hints to ask.
Asked: nobody tells, and Home Assistant asks about all of them after a restart. The time
is until all are on record as delivered, from the first callback or question.
"""

_LONGEST_HOLD = 0.05
_AT_ONCE = 50
_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deliveries:
    """What delivery came to: a name, messages, seconds, requests, seconds."""

    name: str
    count: int
    took: float
    questions: int
    held: float


async def measure(
    house: House,
    simulator: Simulator,
    told: dict[str, int],
    asked: dict[str, int],
) -> Chapter:
    """Have so many messages of each provider delivered."""
    results: list[_Deliveries] = []
    for provider, count in told.items():
        async with house.live_anew() as process:
            results.append(await _told(house, process, simulator, provider, count))
    for provider, count in asked.items():
        results.append(await _asked(house, simulator, provider, count))
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
                wish=Wish.AT_MOST,
                wanted=_LONGEST_HOLD * 1000,
                unit="ms",
            )
            for one in results
        ],
    )


async def _told(
    house: House,
    process: Process,
    simulator: Simulator,
    provider: str,
    count: int,
) -> _Deliveries:
    await house.in_one_call(provider, count)
    messages = _deliver(simulator, provider, count)
    await house.ask("tidy")
    begin, began = time.perf_counter(), datetime.now(UTC)
    house.begin_to_measure(process)
    await _post_all(house, messages)
    await _until_delivered(house, count)
    took = time.perf_counter() - begin
    return _Deliveries(
        name=f"Told by {title(provider)}",
        count=count,
        took=took,
        questions=len(_questions(simulator, provider, began)),
        held=held(await house.measured(process)),
    )


async def _asked(
    house: House, simulator: Simulator, provider: str, count: int
) -> _Deliveries:
    async with house.live_anew() as process:
        await house.ask("reach", url=None)
        await house.in_one_call(provider, count)
        await _until_on_record(house, count, lambda row: row.stage == "taken")
        # A polite end would wait for questions that are being asked.
        await process.kill()
    _deliver(simulator, provider, count)
    async with house.live() as process:
        await house.ask("tidy")
        began = datetime.now(UTC)
        house.begin_to_measure(process)
        await _until_delivered(house, count)
        ended = datetime.now(UTC)
        figures = await house.measured(process)
        await house.ask("reach", url=REACHABLE)
    questions = _questions(simulator, provider, began)
    return _Deliveries(
        name=f"Asked of {title(provider)}",
        count=count,
        took=(ended - questions[0]).total_seconds(),
        questions=len(questions),
        held=held(figures),
    )


def _deliver(simulator: Simulator, provider: str, count: int) -> list[Message]:
    """Let the newest messages arrive; return them."""
    return [
        simulator.move(message.id, Status.DELIVERED)
        for message in list(simulator.messages.of(provider))[-count:]
    ]


async def _post_all(house: House, messages: Sequence[Message]) -> None:
    """Post each message's callback as its provider would."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def post(message: Message) -> int:
        body = {
            "sms_id": int(message.id),
            "phone": message.to[1:],
            "send_time": "2026-11-23T10:00:00+00:00",
            "status_time": "2026-11-23T10:00:01+00:00",
            "status": message.status,
        }
        documented = message.provider == "transactionale"
        async with gate:
            return await house.post(
                URL(message.callback or "").path_qs,
                json.dumps(body).encode() if documented else b"",
            )

    statuses = set(await asyncio.gather(*map(post, messages)))
    if statuses != {HTTPStatus.OK}:
        raise HomeAssistantError(f"callbacks were answered with {statuses}")


async def _until_delivered(house: House, count: int) -> None:
    """Wait until the ledger has so many delivered messages."""
    await _until_on_record(house, count, lambda row: row.status == "delivered")


async def _until_on_record(
    house: House, count: int, condition: Callable[[Row], bool]
) -> None:
    """Wait until the ledger has so many messages that are as they should be."""

    async def there() -> bool | None:
        rows = await asyncio.to_thread(read, house.ledger)
        return sum(map(condition, rows)) >= count or None

    await until(there, _SECONDS, "all are on record")


def _questions(simulator: Simulator, provider: str, since: datetime) -> list[datetime]:
    """Return when the provider was asked about messages."""
    return [
        request.received
        for request in simulator.requests.of(provider)
        if request.operation is Operation.STATUS and request.received >= since
    ]
