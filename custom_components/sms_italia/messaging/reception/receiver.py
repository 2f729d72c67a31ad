"""Searching for the SMS of an account: steadily, more often while one is awaited."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
import logging
from math import inf

from ...providers import ErrorKind, NotAcceptedError, ProviderError
from ..account import Account
from ..alarm import Alarm
from ..delivery import DeliveryContext
from ..state import CredentialsRefused
from .model import Reception, Search
from .transitions import window

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What a receiver asks its owner, and what it hands over."""

    known: Callable[[str], Awaitable[Reception | None]]
    is_awaited: Callable[[], bool]
    found: Callable[[Search], Awaitable[None]]


class Receiver:
    """Searches one account; what was found is given to `Callbacks.found`.

    One search at a time, and each at least `Timing.hint` after the one before.
    """

    def __init__(
        self, account: Account, context: DeliveryContext, callbacks: Callbacks
    ) -> None:
        """Search in a moment for the first time."""
        self.account = account
        self._clock = context.clock
        self._timing = context.timing
        self._tasks = context.tasks
        self._events = context.events
        self._callbacks = callbacks
        self._alarm = Alarm(context.clock, self._look)
        self._search: asyncio.Task[None] | None = None
        self._began = -inf
        self._due = context.clock.now() + context.timing.first_receive
        self._is_failing = False
        self._is_stopped = False
        self._alarm.set(self._due)

    def hurry(self) -> None:
        """Search as soon as it may, once more if a search is under way."""
        moment = max(self._clock.now(), self._began + self._timing.hint)
        self._due = min(self._due, moment)
        if not self._is_stopped:
            self._alarm.set(self._due)

    def stop(self) -> None:
        """Search no more; what is found by now is left for later."""
        self._is_stopped = True
        self._alarm.stop()

    def _look(self) -> None:
        """Begin a search if it is due."""
        if self._is_stopped or (self._search and not self._search.done()):
            return
        now = self._clock.now()
        if now < self._due:
            self._alarm.set(self._due)
            return
        self._began, self._due = now, inf
        self._search = self._tasks.spawn(self._run(), "reception")

    async def _run(self) -> None:
        """Search once, and set the alarm for the next time."""
        pause = 0.0
        try:
            await self._ask()
            self._is_failing = False
        except ProviderError as err:
            pause = self._failed(err)
        except Exception as err:  # noqa: BLE001 - the next search may succeed
            # The exception itself may carry what must not be logged.
            _LOGGER.error("Receiving failed: %s", type(err).__name__)  # noqa: TRY400 - same reason
        awaited = self._callbacks.is_awaited()
        usual = self._timing.receive_awaited if awaited else self._timing.receive
        earliest = self._began + self._timing.hint
        self._due = max(min(self._due, self._began + usual), earliest)
        self._due = max(self._due, self._clock.now() + pause)
        self._search = None
        if not self._is_stopped:
            self._alarm.set(self._due)

    async def _ask(self) -> None:
        """Search, and hand over what was found."""
        account, began = self.account, self._clock.moment()
        since = window(await self._callbacks.known(account.id), began.wall)
        rows = await account.client.received(datetime.fromtimestamp(since, UTC))
        if self._is_stopped:
            return
        await self._callbacks.found(
            Search(
                account=account.id,
                began=began,
                ended=self._clock.now(),
                since=since,
                rows=rows,
            )
        )

    def _failed(self, err: ProviderError) -> float:
        """Report a search that failed; return how long (seconds) to wait at least."""
        name = self.account.name
        if not self._is_failing:
            _LOGGER.warning("%s: incoming SMS cannot be read: %s", name, err)
        self._is_failing = True
        if not isinstance(err, NotAcceptedError):
            return 0
        if err.kind is ErrorKind.AUTH and not self._is_stopped:
            self._events.publish(CredentialsRefused(account=self.account.id))
        return min(err.retry_after or 0, self._timing.longest_wait)
