"""Finding out what became of the messages that providers took."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
import heapq
from itertools import batched
import logging

from ..providers.errors import NotAcceptedError, ProviderError
from ..providers.model import ErrorKind, MessageRef, Report, Status
from .account import Account
from .book import Book, CredentialsRefused
from .clock import Clock
from .model import Message, Stage
from .pacing import Pace

_LOGGER = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 4
"""Status requests on the wire to one account."""


class Tracker:
    """Asks the providers about messages they took: often at first, then ever rarer.

    `spawn` starts a task that somebody else owns.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        book: Book,
        clock: Clock,
        pace: Pace,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
    ) -> None:
        """Start with nothing to ask about."""
        self._accounts = accounts
        self._book = book
        self._clock = clock
        self._pace = pace
        self._spawn = spawn
        self._due: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None

    def follow(self, messages: Sequence[Message]) -> None:
        """Begin to ask about the messages whose provider can be asked about them."""
        now = self._clock.now()
        for message in messages:
            if not _is_followed(message):
                continue
            age = now - message.dispatch.created
            heapq.heappush(self._due, (now + self._pace.next_poll(age), message.id))
        self.schedule()

    def schedule(self) -> None:
        """Set the timer for the next question."""
        self.stop()
        if self._due and (self._round is None or self._round.done()):
            delay = max(0, self._due[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._round = self._spawn(self._work(), "sms_italia tracking")

    async def _work(self) -> None:
        """Ask about all messages that are due, account by account."""
        try:
            by_carrier: dict[str, list[Message]] = {}
            for message in self._take_due():
                if message.carrier is not None:
                    by_carrier.setdefault(message.carrier, []).append(message)
            async with asyncio.TaskGroup() as group:
                for carrier, messages in by_carrier.items():
                    if (account := self._accounts.get(carrier)) is not None:
                        group.create_task(self._ask(account, messages))
        finally:
            # This task is not done yet, so the timer is set right after it.
            asyncio.get_running_loop().call_soon(self.schedule)

    def _take_due(self) -> list[Message]:
        """Take the messages that are due or nearly so, and set their next time.

        Those within a tenth of the longest first pause come along, so that
        messages sent together are asked about together.
        """
        now = self._clock.now()
        taken: dict[int, Message] = {}
        while self._due and self._due[0][0] <= now + self._pace.first_poll / 10:
            _, message_id = heapq.heappop(self._due)
            message = self._book.get(message_id)
            if message is not None and _is_followed(message):
                taken[message_id] = message
        for message in taken.values():
            age = now - message.dispatch.created
            heapq.heappush(self._due, (now + self._pace.next_poll(age), message.id))
        return list(taken.values())

    async def _ask(self, account: Account, messages: Sequence[Message]) -> None:
        """Ask one account about its messages, and give up those that are too old."""
        gate = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

        async def ask_some(some: Sequence[Message]) -> None:
            async with gate:
                try:
                    reports = await account.client.reports(
                        [_ref(message) for message in some]
                    )
                except ProviderError as err:
                    _LOGGER.debug("%s did not tell delivery: %s", account.name, err)
                    if isinstance(err, NotAcceptedError) and err.kind is ErrorKind.AUTH:
                        self._book.tell(CredentialsRefused(account=account.id))
                    return
            await self.take_in(account.id, reports)

        size = account.provider.capabilities.refs_per_report_query
        await asyncio.gather(
            *(ask_some(some) for some in batched(messages, size, strict=False))
        )
        await self._give_up(messages)

    async def take_in(self, carrier: str, reports: Sequence[Report]) -> None:
        """Put what a provider says of messages on record."""
        now = self._clock.now()
        changed: list[Message] = []
        for report in reports:
            message = self._book.by_ref(carrier, report.ref)
            if message is None:
                continue
            after = replace(
                message,
                status=report.status,
                stage=Stage.CLOSED if report.status.is_final else Stage.TAKEN,
                parts=report.parts or message.parts,
                cost=message.cost if report.cost is None else report.cost,
                detail=report.detail,
                updated=now,
            )
            if replace(after, updated=message.updated) != message:
                changed.append(after)
        if changed:
            await self._book.change(changed)

    async def _give_up(self, messages: Sequence[Message]) -> None:
        """Close what is older than the longest time a report may take.

        The provider never told the end, so whether it arrived is uncertain.
        """
        now = self._clock.now()
        await self._book.change(
            [
                replace(
                    message, status=Status.UNCERTAIN, stage=Stage.CLOSED, updated=now
                )
                for message in (self._book.get(one.id) for one in messages)
                if message is not None
                and now - message.dispatch.created > self._pace.give_up
            ]
        )


def _is_followed(message: Message) -> bool:
    """Tell whether a message is still open under an id of its provider's."""
    return message.stage is not Stage.CLOSED and message.provider_id is not None


def _ref(message: Message) -> MessageRef:
    """Return how its provider knows a message that was taken."""
    return MessageRef(message.provider_id or "", message.number)
