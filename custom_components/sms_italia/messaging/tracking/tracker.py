"""Finding out the status of the messages that providers accepted."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
import heapq
from itertools import batched
import logging
from math import inf

from ...providers import (
    Accepted,
    ErrorKind,
    Feature,
    MessageRef,
    MessageType,
    NotAcceptedError,
    ProviderError,
    Report,
)
from ..account import Account
from ..alarm import Alarm
from ..clock import DAY, Moment
from ..delivery import DeliveryContext, settle_group
from ..model import MOST_IN_SMALL, Message, Stage
from ..state import Change, CredentialsRefused
from ..state.transitions import (
    cancelled,
    given_up,
    never_arrived,
    not_repeated,
    refused,
    reported,
)
from .failover import Failover

_LOGGER = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 4
"""Status requests on the wire to one account."""

_CHUNK = 100
"""Reports recorded at once."""


class Tracker:
    """Asks one account's provider about its messages: often at first, then ever rarer.

    A message that waits at the provider for its time is first asked about then.
    """

    def __init__(self, account: Account, context: DeliveryContext) -> None:
        """Follow the open messages of the account, and those to come."""
        self._account = account
        self._open = context.open_messages
        self._ledger = context.ledger
        self._events = context.events
        self._clock = context.clock
        self._timing = context.timing
        self._tasks = context.tasks
        self._failover = Failover(context)
        self._due: dict[int, float] = {}
        self._reported_early: set[str] = set()
        self._hinted: dict[str, float] = {}
        self._doubted: dict[str, float] = {}
        self._queue: list[tuple[float, int]] = []
        self._alarm = Alarm(self._clock, self._begin)
        self._round: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._is_answering = True
        self._unsubscribe = self._open.subscribe(
            self._on_changes, Stage.ACCEPTED, Stage.IN_DOUBT
        )
        self._follow(list(self._open))

    def hurry(self, submission: str) -> bool:
        """Ask about a submission's messages now; return whether there are any.

        Only those that went to this account's provider: any other knows nothing of
        them, which would look as if they had never arrived. Each of a thousand messages
        may be reported, but the submission is asked about again after a pause only.
        """
        now = self._clock.now()
        if self._hinted.get(submission, -inf) > now:
            return True
        messages = [
            message
            for message in self._open.of_submission(submission)
            if message.last_account == self._account.id
        ]
        if any(message.stage is Stage.SUBMITTING for message in messages):
            # The report was quicker than the answer to the send.
            self._forget_ended()
            self._reported_early.add(submission)
        if followed := [one for one in messages if self._follows(one)]:
            last = self._hinted.get(submission, -inf)
            moment = max(now, last + self._timing.first_poll)
            self._hinted[submission] = moment
            for message in followed:
                if self._due.get(message.id, inf) > moment:
                    self._set_due(message.id, moment)
            self._set_alarm()
        return bool(messages)

    async def called_back(self, submission: str, body: bytes) -> bool:
        """Handle a callback about a submission; return whether it is known.

        A body that the provider documents is a report of a message or a refusal of all
        of them; any other is a hint to ask. Who knows the address of one submission
        must not change a message of another.
        """
        client, now = self._account.client, self._clock.moment()
        there = [
            message
            for message in self._open.of_submission(submission)
            if message.last_account == self._account.id and _is_in(message, submission)
        ]
        changed: list[Message | None] = []
        if refusal := client.parse_refusal(body, submission):
            unsent = (refused(one, refusal, self._account.id, now) for one in there)
            changed = [self._failover.after(one) for one in unsent]
        elif report := client.parse_report(body):
            about = (one for one in there if _is_about(report, one))
            changed = [self._reported(one, report) for one in about][:1]
        await self._change(changed)
        return any(changed) or self.hurry(submission)

    def look_up_doubts(self) -> None:
        """Ask about all doubts now: the account answers again."""
        now = self._clock.now()
        for message in self._open:
            is_ours = message.last_account == self._account.id
            is_later = self._due.get(message.id, now) > now
            if is_ours and is_later and _is_looked_up(message):
                self._set_due(message.id, now)
        self._set_alarm()

    def _answered(self) -> None:
        """Note that the provider answers; the first time after it did not, ask."""
        if not self._is_answering:
            self._is_answering = True
            self.look_up_doubts()

    def stop(self) -> None:
        """Ask no more; a request that is on the wire is finished."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._unsubscribe()
        self._due.clear()
        self._reported_early.clear()
        self._hinted.clear()
        self._doubted.clear()
        self._queue.clear()
        self._alarm.stop()

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Begin to follow the messages that this account accepted just now, or may.

        Anew, where one waits at the provider for another moment than before.
        """
        self._follow(
            [
                change.after
                for change in changes
                if change.before is None
                or change.before.stage is not change.after.stage
                or change.before.dispatch.due != change.after.dispatch.due
            ]
        )

    def _follow(self, messages: Sequence[Message]) -> None:
        """Begin to ask about the messages that this account's provider knows."""
        now = self._clock.now()
        later: list[Message] = []
        for message in messages:
            if message.last_account != self._account.id or not self._follows(message):
                continue
            if message.stage is Stage.IN_DOUBT and message.submission is not None:
                self._doubted.setdefault(message.submission, message.changed_at)
            if message.submission in self._reported_early:
                self._set_due(message.id, now)
            else:
                later.append(message)
        self._put_off(later, now)
        if self._reported_early:
            self._reported_early.difference_update(one.submission for one in messages)
        self._set_alarm()

    async def _never_came(self, reference: str, message: Message) -> bool:
        """Return whether what is not found now of a submission in doubt never came.

        `message` is one of it. How many they were the ledger knows: some may be closed.
        """
        age = self._clock.now() - self._doubted.get(reference, inf)
        if age < self._timing.never_came or age >= self._timing.never_came_bulk:
            return age >= self._timing.never_came_bulk
        if message.group is not None:
            return False
        # A provider takes in a small one within seconds.
        together = await self._ledger.count_submitted(reference, message.dispatch)
        return together is not None and together <= MOST_IN_SMALL

    def _follows(self, message: Message) -> bool:
        """Return whether the provider is still to be asked about a message."""
        match message.stage:
            case Stage.ACCEPTED:
                # Whether it was cancelled is asked in any case.
                is_cancelled = message.error is ErrorKind.CANCELLED
                return is_cancelled or self._account.tracks_delivery
            case Stage.IN_DOUBT:
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
        self._reported_early = set(self._still_open(self._reported_early))
        for remembered in (self._hinted, self._doubted):
            kept = set(self._still_open(remembered))
            for submission in remembered.keys() - kept:
                del remembered[submission]

    def _still_open(self, submissions: Iterable[str]) -> list[str]:
        return [one for one in submissions if self._open.of_submission(one)]

    def _put_off(self, messages: Sequence[Message], now: float) -> None:
        """Set when to ask about messages next."""
        if not messages:
            return
        is_pushed = self._account.callback_url("") is not None
        for message in messages:
            begin = _asked_from(message)
            age = max(0, now - begin)
            if _is_looked_up(message):
                pause = self._timing.next_look_up(age)
            else:
                # No delivery of a Push is pushed to us.
                is_sms = message.type is not MessageType.PUSH
                pause = self._timing.next_poll(age, is_pushed=is_pushed and is_sms)
            self._set_due(message.id, max(now, begin) + pause)

    def _set_due(self, message_id: int, moment: float) -> None:
        self._due[message_id] = moment
        heapq.heappush(self._queue, (moment, message_id))

    def _set_alarm(self) -> None:
        """Set when to ask next, unless requests are on the wire."""
        is_asking = self._round is not None and not self._round.done()
        if self._queue and not self._is_stopped and not is_asking:
            self._alarm.set(self._queue[0][0])

    def _begin(self) -> None:
        self._round = self._tasks.spawn(self._work(), "tracking")

    async def _work(self) -> None:
        """Ask about all messages that are due."""
        try:
            await self._ask(self._take_due())
        finally:
            # This task is not done yet, so the alarm is set right after it.
            asyncio.get_running_loop().call_soon(self._set_alarm)

    def _take_due(self) -> list[Message]:
        """Return the messages that are due or nearly so, and set their next time.

        Those within a tenth of the first pause come along, so that messages sent
        together are asked about together.
        """
        now = self._clock.now()
        due: list[Message] = []
        while self._queue and self._queue[0][0] <= now + self._timing.first_poll / 10:
            moment, message_id = heapq.heappop(self._queue)
            if self._due.get(message_id) != moment:
                continue
            del self._due[message_id]
            message = self._open.get(message_id)
            if message is not None and self._follows(message):
                due.append(message)
        self._put_off(due, now)
        return due

    async def _ask(self, messages: Sequence[Message]) -> None:
        """Ask about messages, and give up those that are too old."""
        known: list[Message] = []
        submissions: dict[str, list[Message]] = {}
        for message in messages:
            if message.provider_id is not None:
                known.append(message)
            elif message.submission is not None and self._can_look_up:
                submissions.setdefault(message.submission, []).append(message)
        size = self._account.provider.capabilities.refs_per_report_query
        limit = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        await asyncio.gather(
            *(
                self._guarded(self._ask_reports(some), limit)
                for some in batched(known, size, strict=False)
            ),
            *(
                self._guarded(self._look_up(reference, some), limit)
                for reference, some in submissions.items()
            ),
        )
        await self._give_up(messages)
        self._forget_ended()

    async def _guarded(
        self, question: Coroutine[None, None, None], limit: asyncio.Semaphore
    ) -> None:
        """Ask one question; that it fails must not stop the others."""
        account = self._account
        async with limit:
            try:
                await question
                self._answered()
            except ProviderError as err:
                self._is_answering = False
                _LOGGER.debug("%s did not report delivery: %s", account.name, err)
                is_refused = isinstance(err, NotAcceptedError) and (
                    err.kind is ErrorKind.AUTH
                )
                if is_refused and not self._is_stopped:
                    self._events.publish(CredentialsRefused(account=account.id))
            except Exception as err:  # noqa: BLE001 - it must not stop the others
                # The exception itself may carry what must not be logged.
                _LOGGER.error(  # noqa: TRY400 - same reason
                    "Asking about messages failed: %s", type(err).__name__
                )

    @property
    def _can_look_up(self) -> bool:
        """Whether the provider finds a submission by our reference."""
        return self._account.has(Feature.CLIENT_REFERENCE)

    async def _ask_reports(self, messages: Sequence[Message]) -> None:
        """Ask about messages that the provider knows by an ID."""
        refs = [
            MessageRef(message.provider_id, message.number, message.parts or None)
            for message in messages
            if message.provider_id is not None
        ]
        await self._apply(await self._account.client.reports(refs))

    async def look_up(self, submission: str) -> None:
        """Ask now for the IDs of a submission's messages; raises ProviderError."""
        messages = [
            message
            for message in self._open.of_submission(submission)
            if message.provider_id is None
        ]
        if messages and self._can_look_up:
            await self._look_up(submission, messages)

    async def _look_up(self, reference: str, messages: Sequence[Message]) -> None:
        """Find messages of a submission at their provider by our reference.

        Of one in doubt, what arrived is accepted like any other message, and what did
        not by the time that it must have was not sent, and goes back into the outbox
        unless it is from a backup.
        """
        is_missing = await self._never_came(reference, messages[0])
        reports = await self._found_reports(reference, messages[0])
        found = {report.ref.recipient: report for report in reports}
        unsent: list[Message] = []
        for chunk in batched(messages, _CHUNK, strict=False):
            changed: list[Message | None] = []
            for asked in chunk:
                message = self._open.get(asked.id)
                if message is None or not _is_in(message, reference):
                    # Settled meanwhile: it may be on its way again.
                    continue
                if message.group is not None and reports:
                    await self._divide_group(message, reports)
                elif (report := found.get(message.number)) is not None:
                    changed.append(self._reported(message, report))
                elif message.stage is Stage.IN_DOUBT and is_missing:
                    unsent.append(message)
            await self._change(changed)
        # All at once, so that they are sent together again; some may have been settled
        # while the others were recorded.
        now = self._clock.moment()
        await self._open.change(
            [
                _never_arrived(message, now)
                for one in unsent
                if (message := self._open.get(one.id)) is not None
                and message.stage is Stage.IN_DOUBT
                and message.submission == reference
            ]
        )

    async def _found_reports(
        self, reference: str, message: Message
    ) -> Sequence[Report]:
        """Return what the provider finds of a submission, by one of its messages."""
        channel = message.dispatch.options.channel
        # The user may have given the same name to a message of long ago.
        asked_at = min(message.dispatch.due, message.changed_at)
        oldest = self._clock.wall_of(asked_at) - DAY
        return [
            report
            for report in await self._account.client.lookup(reference, channel)
            if report.at is None or report.at.timestamp() >= oldest
        ]

    async def _divide_group(self, message: Message, reports: Sequence[Report]) -> None:
        """Settle a group in doubt: some of its numbers have the text.

        Each that is listed has a message of its own from now on.
        """
        outcomes: Mapping[str, Accepted] = {
            report.ref.recipient: Accepted(
                provider_id=report.ref.provider_id,
                type=report.type or MessageType.SMS,
            )
            for report in reports
        }
        await settle_group(
            self._open, self._account, message, outcomes, self._clock.moment()
        )
        await self._apply(reports)

    async def _apply(self, reports: Sequence[Report]) -> None:
        """Record what the provider reports of messages.

        In chunks, so that a long answer does not hold up everything else.
        """
        for chunk in batched(_first_ends(reports), _CHUNK, strict=False):
            await self._change(
                [
                    self._reported(message, report)
                    for report in chunk
                    for message in self._open.by_ref(self._account.id, report.ref)
                ]
            )

    def _reported(self, message: Message, report: Report) -> Message | None:
        """Return a message as a report leaves it, None if it has to be asked again."""
        return self._failover.after(reported(message, report, self._clock.moment()))

    async def _change(self, messages: Sequence[Message | None]) -> None:
        """Record the messages of which something is new."""
        news = [
            after
            for after in messages
            if after is not None
            and (before := self._open.get(after.id)) is not None
            and replace(after, updated=before.updated, changed_at=before.changed_at)
            != before
        ]
        if news:
            await self._open.change(news)

    async def _give_up(self, messages: Sequence[Message]) -> None:
        """Close what is older than the longest time a report may take.

        The provider never reported the end, so whether it arrived is uncertain.
        """
        now = self._clock.moment()
        await self._open.change(
            [
                given_up(message, now)
                for message in (self._open.get(one.id) for one in messages)
                if message is not None
                and now.steady - message.dispatch.due > self._timing.give_up
            ]
        )


def _never_arrived(message: Message, now: Moment) -> Message:
    """Return a message in doubt that its provider never got.

    One to be cancelled is not sent again, nor one from a backup.
    """
    if message.from_backup:
        return not_repeated(message, now)
    if message.error is ErrorKind.CANCELLED:
        return cancelled(message, now)
    return never_arrived(message, now)


def _first_ends(reports: Iterable[Report]) -> list[Report]:
    """Return one report for each message: the first final one, else the last.

    An answer may list a message twice, which must not count as two reports.
    """
    chosen: dict[MessageRef, Report] = {}
    for report in reports:
        known = chosen.get(report.ref)
        if known is None or not known.status.is_final:
            chosen[report.ref] = report
    return list(chosen.values())


def _is_about(report: Report, message: Message) -> bool:
    """Return whether a report is about a message of the submission that it came for.

    Within it the number is enough for one whose ID is not known. While the request is
    open, what the answer says of it comes first.
    """
    is_there = message.stage in {Stage.ACCEPTED, Stage.IN_DOUBT}
    is_known = message.provider_id in {None, report.ref.provider_id}
    return is_there and is_known and message.number == report.ref.recipient


def _is_looked_up(message: Message) -> bool:
    """Return whether a message is in doubt, and found by our reference alone."""
    return message.stage is Stage.IN_DOUBT and message.provider_id is None


def _is_in(message: Message, reference: str) -> bool:
    """Return whether a message is still one of a submission at its provider.

    While the request is open, what the answer says of it comes first.
    """
    is_there = message.stage in {Stage.ACCEPTED, Stage.IN_DOUBT}
    return is_there and message.submission == reference


def _asked_from(message: Message) -> float:
    """Return the moment from which on a message is asked about."""
    if message.stage is Stage.IN_DOUBT or message.error is ErrorKind.CANCELLED:
        return message.changed_at
    # What waited in our outbox is as young as on the day it was accepted.
    return max(message.dispatch.due, message.changed_at)
