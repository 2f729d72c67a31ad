"""Finding out what became of the messages that providers took."""

import asyncio
from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import replace
import heapq
from itertools import batched
import logging
from math import inf

from ..providers.client import Feature
from ..providers.errors import NotAcceptedError, ProviderError
from ..providers.model import (
    Accepted,
    ErrorKind,
    MessageRef,
    MessageType,
    Report,
    Status,
)
from .account import Account
from .book import Book, CredentialsRefused
from .clock import Clock
from .groups import settle_group
from .model import Message, Stage
from .pacing import Pace

_LOGGER = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 4
"""Status requests on the wire to one account."""

_PORTION = 100
"""Reports put on record at once."""

_DAY = 86_400

_LOOK_AGAIN = 60
"""Seconds after which the clock is looked at again at the latest: it may be set."""


class Tracker:
    """Asks one account's provider about its messages: often at first, then ever rarer.

    A message that waits at the provider for its time is first asked about then.
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
        self._hinted: dict[str, float] = {}
        self._doubted: dict[str, float] = {}
        self._queue: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None
        self._is_stopped = False

    def follow(self, messages: Sequence[Message]) -> None:
        """Begin to ask about the messages that this account's provider knows."""
        now = self._clock.now()
        followed = [
            message
            for message in messages
            if message.carrier == self._account.id and self._follows(message)
        ]
        later: list[Message] = []
        for message in followed:
            if message.stage is Stage.DOUBTFUL and message.submission is not None:
                self._doubted.setdefault(message.submission, self._clock.monotonic())
            if message.submission in self._told_early:
                self._set_due(message.id, now)
            else:
                later.append(message)
        self._put_off(later, now)
        if self._told_early:
            self._told_early.difference_update(one.submission for one in messages)
        self._set_timer()

    def hurry(self, submission: str) -> bool:
        """Ask about a submission's messages now; tell whether there are any.

        Only those that went to this account's provider: any other knows nothing of
        them, which would look as if they had never come. Each of a thousand messages
        may be told of, but the submission is asked about again after a pause only.
        """
        now = self._clock.now()
        if self._hinted.get(submission, -inf) > now:
            return True
        messages = [
            message
            for message in self._book.of_submission(submission)
            if message.carrier == self._account.id
        ]
        if any(message.stage is Stage.SUBMITTING for message in messages):
            # The callback was quicker than the answer to the send.
            self._forget_ended()
            self._told_early.add(submission)
        if followed := [one for one in messages if self._follows(one)]:
            last = self._hinted.get(submission, -inf)
            moment = max(now, last + self._pace.first_poll)
            self._hinted[submission] = moment
            for message in followed:
                if self._due.get(message.id, inf) > moment:
                    self._set_due(message.id, moment)
            self._set_timer()
        return bool(messages)

    def stop(self) -> None:
        """Ask no more; a question that is on the wire is finished."""
        self._is_stopped = True
        self._due.clear()
        self._told_early.clear()
        self._hinted.clear()
        self._doubted.clear()
        self._queue.clear()
        self._set_timer()

    def _follows(self, message: Message) -> bool:
        """Tell whether the provider is still to be asked about a message."""
        match message.stage:
            case Stage.TAKEN:
                # Whether a wish to cancel was granted is asked in any case.
                wanted = message.error is ErrorKind.CANCELLED
                return wanted or self._account.tracks_delivery
            case Stage.DOUBTFUL:
                return True
            case (
                Stage.WAITING
                | Stage.HELD
                | Stage.JOINED
                | Stage.SUBMITTING
                | Stage.CLOSED
            ):
                return False

    def _forget_ended(self) -> None:
        """Forget what is remembered of submissions that have no open message."""
        self._told_early = set(self._still_open(self._told_early))
        for remembered in (self._hinted, self._doubted):
            kept = set(self._still_open(remembered))
            for submission in remembered.keys() - kept:
                del remembered[submission]

    def _still_open(self, submissions: Iterable[str]) -> list[str]:
        return [one for one in submissions if self._book.of_submission(one)]

    def _put_off(self, messages: Sequence[Message], now: float) -> None:
        """Set when to ask about messages next."""
        if not messages:
            return
        calls_back = self._account.callback_url("") is not None
        for message in messages:
            # Nothing calls back about a Push.
            told = calls_back and message.type is not MessageType.PUSH
            begin = _asked_from(message)
            pause = self._pace.next_poll(max(0, now - begin), told=told)
            self._set_due(message.id, max(now, begin) + pause)

    def _set_due(self, message_id: int, moment: float) -> None:
        self._due[message_id] = moment
        heapq.heappush(self._queue, (moment, message_id))

    def _set_timer(self) -> None:
        """Set the timer for the next question, unless some are being asked."""
        is_asking = self._round is not None and not self._round.done()
        if self._is_stopped or is_asking or not self._queue:
            self._clear_timer()
            return
        delay = max(0, self._queue[0][0] - self._clock.now())
        loop = asyncio.get_running_loop()
        moment = loop.time() + min(delay, _LOOK_AGAIN)
        if self._timer is not None and self._timer.when() <= moment:
            # In a storm it is nearly always another message that is due first.
            return
        self._clear_timer()
        self._timer = loop.call_at(moment, self._begin)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._timer = None
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
        self._put_off(taken, now)
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

        known: list[Message] = []
        submissions: dict[str, list[Message]] = {}
        for message in messages:
            if message.provider_id is not None:
                known.append(message)
            elif message.submission is not None and self._can_look_up:
                submissions.setdefault(message.submission, []).append(message)
        size = account.provider.capabilities.refs_per_report_query
        await asyncio.gather(
            *(
                ask(self._ask_reports(some))
                for some in batched(known, size, strict=False)
            ),
            *(
                ask(self._look_up(reference, some))
                for reference, some in submissions.items()
            ),
        )
        await self._give_up(messages)
        self._forget_ended()

    @property
    def _can_look_up(self) -> bool:
        """Whether the provider finds a submission by our reference."""
        features = self._account.provider.capabilities.features
        return Feature.CLIENT_REFERENCE in features

    async def _ask_reports(self, messages: Sequence[Message]) -> None:
        """Ask about messages that the provider knows by an id."""
        refs = [
            MessageRef(message.provider_id, message.number)
            for message in messages
            if message.provider_id is not None
        ]
        await self.take_in(await self._account.client.reports(refs))

    async def look_up(self, submission: str) -> None:
        """Ask now for the ids of a submission's messages; raises ProviderError."""
        messages = [
            message
            for message in self._book.of_submission(submission)
            if message.provider_id is None
        ]
        if messages and self._can_look_up:
            await self._look_up(submission, messages)

    async def _look_up(self, reference: str, messages: Sequence[Message]) -> None:
        """Find messages of a submission at their provider by our reference.

        Of one in doubt, what came is taken like any other message, and what did not
        come by the time that it must have was not sent, and goes back on its way.
        """
        channel = messages[0].dispatch.wishes.channel
        doubted = self._doubted.get(reference, inf)
        elapsed = self._clock.monotonic() - doubted
        # The user may have given the same name to a message of long ago.
        oldest = messages[0].dispatch.created - _DAY
        reports = [
            report
            for report in await self._account.client.lookup(reference, channel)
            if report.at is None or report.at.timestamp() >= oldest
        ]
        found = {report.ref.recipient: report for report in reports}
        never_came = elapsed >= self._pause_for(reference, found.keys())
        for portion in batched(messages, _PORTION, strict=False):
            changed: list[Message] = []
            for asked in portion:
                message = self._book.get(asked.id)
                if (
                    message is None
                    or message.stage not in {Stage.TAKEN, Stage.DOUBTFUL}
                    or message.submission != reference
                ):
                    # Somebody else settled it meanwhile: it may be on its way again.
                    continue
                if message.group is not None and reports:
                    await self._take_in_group(message, reports)
                    continue
                after = self._found(message, found)
                if after is None and message.stage is Stage.DOUBTFUL and never_came:
                    after = _unsent(message, self._clock.now())
                if after is not None:
                    changed.append(after)
            await self._put_on_record(changed)
        if any(
            (message := self._book.get(asked.id)) is not None
            and message.stage is Stage.WAITING
            for asked in messages
        ):
            # All at once, so that they go out together again.
            self._on_unsent()

    def _pause_for(self, reference: str, found: Collection[str]) -> float:
        """Return the seconds after which a submission that is not there never came."""
        told_at_once = self._account.provider.capabilities.recipients_told_at_once
        known = {one.number for one in self._book.of_submission(reference)}
        if len(known.union(found)) > told_at_once:
            return self._pace.never_came_in_bulk
        return self._pace.never_came

    def _found(self, message: Message, found: Mapping[str, Report]) -> Message | None:
        """Return a message with what was found of it, None if that is nothing."""
        report = found.get(message.number)
        if report is None:
            return None
        known = replace(message, provider_id=report.ref.provider_id)
        return self._after(known, report)

    async def _take_in_group(self, message: Message, reports: Sequence[Report]) -> None:
        """Settle a group in doubt: some of its numbers have the text.

        Each that is listed has a message of its own from now on.
        """
        outcomes = {
            report.ref.recipient: Accepted(
                provider_id=report.ref.provider_id,
                type=report.type or MessageType.SMS,
            )
            for report in reports
        }
        members = await settle_group(
            self._book, self._account, message, outcomes, self._clock.now()
        )
        self.follow(members)
        await self.take_in(reports)

    async def _put_on_record(self, changed: Sequence[Message]) -> None:
        """Record what is new; pass on what a report called failed."""
        news = [
            after
            for after in changed
            if (before := self._book.get(after.id)) is not None
            and replace(after, updated=before.updated) != before
        ]
        if not news:
            return
        await self._book.change(news)
        self._on_failed([one for one in news if one.status is Status.FAILED])

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
                changed.append(self._after(message, report))
            await self._put_on_record(changed)
        return known

    def _after(self, message: Message, report: Report) -> Message:
        """Return a message with what a report says of it."""
        type_ = report.type or message.type
        parts = report.parts or message.parts
        return replace(
            message,
            status=report.status,
            stage=Stage.CLOSED if report.status.is_final else Stage.TAKEN,
            parts=0 if type_ is MessageType.PUSH else parts,
            cost=message.cost if report.cost is None else report.cost,
            error=_error_after(message, report.status),
            detail=report.detail,
            type=type_,
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
                and now - message.dispatch.due > self._pace.give_up
            ]
        )


def _asked_from(message: Message) -> float:
    """Return the moment from which on a message is asked about."""
    if message.stage is Stage.DOUBTFUL or message.error is ErrorKind.CANCELLED:
        return message.updated
    # What waited in our outbox is as young as on the day it was taken.
    return max(message.dispatch.due, message.updated)


def _unsent(message: Message, now: float) -> Message:
    """Return a message in doubt that never came to its provider."""
    return replace(
        message,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        submission=None,
        provider_id=None,
        detail=None,
        attempt_at=now,
        updated=now,
    )


def _error_after(message: Message, status: Status) -> ErrorKind | None:
    """Return the error of a message that a provider took, after a report.

    It is set while somebody wishes to cancel it, until it has gone out after all.
    """
    if status in {Status.SENT, Status.DELIVERED, Status.EXPIRED}:
        return None
    return message.error
