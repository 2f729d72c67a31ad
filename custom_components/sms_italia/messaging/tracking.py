"""Finding out what became of the messages that providers took."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
import heapq
from itertools import batched
import logging
from math import inf

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

_PORTION = 100
"""Reports put on record at once."""


class Tracker:
    """Asks one account's provider about its messages: often at first, then ever rarer.

    `spawn` starts a task that somebody else owns. `on_unsent` is called when messages
    in doubt turn out never to have come, `on_failed` with those that a report called
    failed.
    """

    def __init__(  # noqa: PLR0913 - what it is told and whom it tells
        self,
        account: Account,
        book: Book,
        clock: Clock,
        pace: Pace,
        *,
        spawn: Callable[[Coroutine[None, None, None], str], asyncio.Task[None]],
        on_unsent: Callable[[], None],
        on_failed: Callable[[Sequence[Message]], None],
    ) -> None:
        """Start with nothing to ask about."""
        self._account = account
        self._book = book
        self._clock = clock
        self._pace = pace
        self._spawn = spawn
        self._on_unsent = on_unsent
        self._on_failed = on_failed
        self._due: dict[int, float] = {}
        self._told_early: set[str] = set()
        self._queue: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None

    def follow(self, messages: Sequence[Message]) -> None:
        """Begin to ask about the messages that this account's provider knows."""
        now = self._clock.now()
        for message in messages:
            if message.carrier != self._account.id or not self._follows(message):
                continue
            if message.submission in self._told_early:
                self._set_due(message.id, now)
            else:
                self._put_off(message, now)
        self._told_early.difference_update(one.submission for one in messages)
        self._set_timer()

    def hurry(self, submission: str) -> bool:
        """Ask about a submission's messages now; tell whether there are any.

        Only those that went to this account's provider: any other knows nothing of
        them, which would look as if they had never come.
        """
        now = self._clock.now()
        messages = [
            message
            for message in self._book.of_submission(submission)
            if message.carrier == self._account.id
        ]
        for message in messages:
            if message.stage is Stage.SUBMITTING:
                # The callback was quicker than the answer to the send.
                self._told_early.add(submission)
            elif self._due.get(message.id, inf) > now:
                # Each of a thousand messages may be told of: once due is enough.
                self._set_due(message.id, now)
        self._set_timer()
        return bool(messages)

    def stop(self) -> None:
        """Ask no more; a question that is on the wire is finished."""
        self._due.clear()
        self._told_early.clear()
        self._queue.clear()
        self._set_timer()

    def _follows(self, message: Message) -> bool:
        """Tell whether the provider is still to be asked about a message."""
        match message.stage:
            case Stage.TAKEN:
                return self._account.tracks_delivery
            case Stage.DOUBTFUL:
                return True
            case Stage.WAITING | Stage.SUBMITTING | Stage.CLOSED:
                return False

    def _put_off(self, message: Message, now: float) -> None:
        """Set when to ask about a message next."""
        told = self._account.callback_url("") is not None
        pause = self._pace.next_poll(now - message.dispatch.created, told=told)
        self._set_due(message.id, now + pause)

    def _set_due(self, message_id: int, moment: float) -> None:
        self._due[message_id] = moment
        heapq.heappush(self._queue, (moment, message_id))

    def _set_timer(self) -> None:
        """Set the timer for the next question, unless some are being asked."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and (self._round is None or self._round.done()):
            delay = max(0, self._queue[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        self._round = self._spawn(self._work(), "sms_italia tracking")

    async def _work(self) -> None:
        """Ask about all messages that are due."""
        try:
            await self._ask(self._take_due())
        finally:
            # This task is not done yet, so the timer is set right after it.
            asyncio.get_running_loop().call_soon(self._set_timer)

    def _take_due(self) -> list[Message]:
        """Take the messages that are due or nearly so, and set their next time.

        Those within a tenth of the first pause come along, so that messages sent
        together are asked about together.
        """
        now = self._clock.now()
        taken: list[Message] = []
        while self._queue and self._queue[0][0] <= now + self._pace.first_poll / 10:
            moment, message_id = heapq.heappop(self._queue)
            if self._due.get(message_id) != moment:
                continue
            del self._due[message_id]
            message = self._book.get(message_id)
            if message is not None and self._follows(message):
                taken.append(message)
        for message in taken:
            self._put_off(message, now)
        return taken

    async def _ask(self, messages: Sequence[Message]) -> None:
        """Ask about messages, and give up those that are too old."""
        account = self._account
        gate = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

        async def ask(question: Coroutine[None, None, None]) -> None:
            async with gate:
                try:
                    await question
                except ProviderError as err:
                    _LOGGER.debug("%s did not tell delivery: %s", account.name, err)
                    if isinstance(err, NotAcceptedError) and err.kind is ErrorKind.AUTH:
                        self._book.tell(CredentialsRefused(account=account.id))
                except Exception as err:  # noqa: BLE001 - it must not stop the others
                    # The exception itself may carry what must not be logged.
                    _LOGGER.error(  # noqa: TRY400 - same reason
                        "Asking about messages failed: %s", type(err).__name__
                    )

        known = [one for one in messages if one.provider_id is not None]
        size = account.provider.capabilities.refs_per_report_query
        submissions: dict[str, list[Message]] = {}
        for message in messages:
            if message.provider_id is None and message.submission is not None:
                submissions.setdefault(message.submission, []).append(message)
        await asyncio.gather(
            *(
                ask(self._ask_reports(some))
                for some in batched(known, size, strict=False)
            ),
            *(
                ask(self._settle(reference, some))
                for reference, some in submissions.items()
            ),
        )
        await self._give_up(messages)

    async def _ask_reports(self, messages: Sequence[Message]) -> None:
        """Ask about messages that the provider knows by an id."""
        refs = [
            MessageRef(message.provider_id, message.number)
            for message in messages
            if message.provider_id is not None
        ]
        await self.take_in(await self._account.client.reports(refs))

    async def _settle(self, reference: str, messages: Sequence[Message]) -> None:
        """Find out whether a submission in doubt ever came to its provider.

        What came is taken like any other message. What did not come by the time
        that it must have was not sent, and goes back on its way.
        """
        asked_at = self._clock.now()
        found = {
            report.ref.recipient: report
            for report in await self._account.client.lookup(reference)
        }
        settled: list[Message] = []
        for asked in messages:
            message = self._book.get(asked.id)
            if (
                message is None
                or message.stage is not Stage.DOUBTFUL
                or message.submission != reference
            ):
                # Somebody else settled it meanwhile: it may be on its way again.
                continue
            report = found.get(message.number)
            if report is not None:
                taken = replace(message, provider_id=report.ref.provider_id)
                settled.append(self._after(taken, report))
            elif asked_at - message.updated >= self._pace.never_came:
                settled.append(
                    replace(
                        message,
                        status=Status.QUEUED,
                        stage=Stage.WAITING,
                        submission=None,
                        detail=None,
                        attempt_at=asked_at,
                        updated=asked_at,
                    )
                )
        if settled:
            await self._book.change(settled)
            self._on_failed([one for one in settled if one.status is Status.FAILED])
            self._on_unsent()

    async def take_in(self, reports: Sequence[Report]) -> int:
        """Put what the provider says of messages on record; tell how many it knew.

        In portions, so that a long answer does not hold up everything else.
        """
        known = 0
        for portion in batched(reports, _PORTION, strict=False):
            changed: list[Message] = []
            for report in portion:
                message = self._book.by_ref(self._account.id, report.ref)
                if message is None:
                    continue
                known += 1
                after = self._after(message, report)
                if replace(after, updated=message.updated) != message:
                    changed.append(after)
            if changed:
                await self._book.change(changed)
                self._on_failed([one for one in changed if one.status is Status.FAILED])
        return known

    def _after(self, message: Message, report: Report) -> Message:
        """Return a message with what a report says of it."""
        return replace(
            message,
            status=report.status,
            stage=Stage.CLOSED if report.status.is_final else Stage.TAKEN,
            parts=report.parts or message.parts,
            cost=message.cost if report.cost is None else report.cost,
            detail=report.detail,
            updated=self._clock.now(),
        )

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
