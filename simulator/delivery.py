"""Messages that are delivered automatically, for the demo."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import heapq

from .model import Message, Status
from .store import Store

TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """A status that a message gets at `due`."""

    due: datetime
    message_id: str
    status: Status = field(compare=False)


class AutomaticDelivery:
    """Moves each accepted message to sent, and after `seconds` to delivered."""

    def __init__(self, store: Store, seconds: float) -> None:
        """Move the messages of this store."""
        self._store = store
        self._pause = timedelta(seconds=seconds)
        self._steps: list[_Step] = []

    def schedule(self, message: Message) -> None:
        """Schedule the steps of a message; a deferred one waits for its moment."""
        start = max(message.created, message.scheduled or message.created)
        steps = ((self._pause / 2, Status.SENT), (self._pause, Status.DELIVERED))
        for wait, status in steps:
            heapq.heappush(self._steps, _Step(start + wait, message.id, status))

    async def run(self) -> None:
        """Move messages when they are due, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self._store.now()
            while self._steps and self._steps[0].due <= now:
                step = heapq.heappop(self._steps)
                message = self._store.message(step.message_id)
                if message is not None and not message.status.is_final:
                    self._store.move(step.message_id, step.status)
