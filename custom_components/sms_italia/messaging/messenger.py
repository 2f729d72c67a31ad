"""The facade of the messaging layer, and the owner of all that runs behind it."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from .account import Account, Accounts
from .alarm import ClockWatch
from .clock import Clock
from .compose import (
    DailyLimits,
    create_dispatch,
    estimate_request,
    group_sizes,
    prices_by_country,
    request_again,
)
from .delivery import DeliveryContext, Outbox, StormBrake
from .errors import Refusal, RequestRefusedError
from .escalation import Escalations, FindMember, RunEvent, RunNews
from .health import Timing
from .ledger import Ledger, LedgerTrouble, Opened, Remembered
from .model import Message, SendRequest, Stage, TextEstimate
from .reception import Receptions
from .state import DailyLimitReached, DailyTotals, Events, OpenMessages
from .state.transitions import after_start, interrupted, restored
from .tracking import (
    Cancellation,
    Outages,
    Removal,
    Retention,
    Tracker,
    Undelivered,
    Waiting,
    count_waiting,
)

_HELD = frozenset({Stage.HELD, Stage.JOINED})
"""Stages of the storm brake, at which a message may not be on disk yet."""

_CLOSE_DELAY = 10
"""Seconds that all stays open after the last account, if it is to come back."""

_TO_RECORD = 3
"""Seconds before its answer in which a message that waits is recorded."""


class Messenger:
    """Sends messages for all accounts and follows them to their end.

    Made once; runs from the first `attach` to the last `detach`. `events` notifies the
    rooms, `totals` says what accounts spent, `ledger` finds messages, `undelivered` has
    those that nobody knows of, `escalations` calls until somebody answers.
    """

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        ledger_path: Path,
        clock: Clock,
        timing: Timing,
        on_ledger_trouble: Callable[[LedgerTrouble | None], None],
        *,
        ledger_mark: Path | None = None,
        is_expected: Callable[[str], bool] = lambda _: False,
        find_member: FindMember = lambda _: None,
    ) -> None:
        """Set up the parts; no file is touched and no task runs yet.

        `ledger_mark` is a file that no backup holds: without one, a ledger that comes
        from a backup is taken for our own. `is_expected` returns whether an account
        that is not attached is being loaded, `find_member` what is known of a member of
        an escalation.
        """
        self.events = Events()
        self.ledger = Ledger(ledger_path, on_ledger_trouble, clock, mark=ledger_mark)
        self.totals = DailyTotals(self.ledger, clock, self.events)
        self._clock = clock
        self._timing = timing
        self._accounts = Accounts(is_expected)
        self._open = OpenMessages(self.ledger, clock, self.totals, self.events)
        self._limits = DailyLimits(
            accounts=self._accounts, committed=self._open.committed_parts
        )
        self._context = DeliveryContext(
            accounts=self._accounts,
            open_messages=self._open,
            ledger=self.ledger,
            events=self.events,
            clock=clock,
            timing=timing,
            watch=ClockWatch(clock),
        )
        self._tasks = self._context.tasks
        self._outbox = Outbox(self._context)
        self._storm = StormBrake(self._context, self._outbox)
        self._retention = Retention(self._context)
        self._removal = Removal(self._context)
        self._outages = Outages(self._context)
        self.undelivered = Undelivered(self._context)
        self._trackers: dict[str, Tracker] = {}
        self._cancellation = Cancellation(self._context, self._trackers)
        self._context.health.subscribe(self._on_health)
        self.escalations = Escalations(
            self._context, send=self._call, find_member=find_member
        )
        self._receptions = Receptions(
            self._context,
            is_awaited=self.escalations.is_answer_awaited,
            answered=self.escalations.answered,
        )
        self.escalations.listeners.listen_to_all(self._on_run)
        self.ledger.remember_with(self._remembered)
        self._lock = asyncio.Lock()
        self._closing: asyncio.TimerHandle | None = None
        self._end: asyncio.Task[None] | None = None
        self._resending: set[int] = set()
        self._is_running = False

    async def attach(self, account: Account) -> None:
        """Add an account, or replace it; the first one opens the ledger.

        One that is replaced sends meanwhile.
        """
        async with self._lock:
            self._stop_closing()
            if not self._is_running:
                await self._start()
            known = self._accounts.get(account.id)
            if known is None or known.client is not account.client:
                # Whatever kept it from working may have been fixed.
                self._context.begin_anew_with(account.id)
            self._stop_tracking(account.id)
            self._accounts.attach(account)
            self._trackers[account.id] = Tracker(account, self._context)
            self._storm.attach(account.id)
            self._context.wake(account.id)
            self._outbox.attached(account.id)
            self.escalations.attached()
            self._receptions.attach(account)
            # It may have much to forget, and nothing here waits for that.
            tidying = self._retention.tidy_up(account)
            self._tasks.spawn(tidying, "tidying up", eager=True)

    async def detach(self, account_id: str) -> None:
        """Remove an account; the last one closes the ledger.

        Not at once if it is to come back: what is on the wire can end meanwhile.
        """
        async with self._lock:
            # What is pending is news of this account, not of the one that may follow.
            self.events.flush()
            self._remove(account_id)
            self._context.wake(account_id)
            self.events.keep_missed(account_id)
            if self._accounts:
                return
            if self._is_running and self._accounts.is_expected(account_id):
                self._stop_closing()
                loop = asyncio.get_running_loop()
                self._closing = loop.call_later(_CLOSE_DELAY, self._close_later)
            else:
                await self._stop()

    def _remove(self, account_id: str) -> None:
        self._accounts.detach(account_id)
        self._stop_tracking(account_id)
        self._receptions.detach(account_id)

    def _stop_tracking(self, account_id: str) -> None:
        if (tracker := self._trackers.pop(account_id, None)) is not None:
            tracker.stop()

    def _stop_closing(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _close_later(self) -> None:
        """Stop everything: the last account did not come back."""

        async def end() -> None:
            async with self._lock:
                if not self._accounts:
                    await self._stop()

        # Not among the tasks that stopping waits for.
        self._end = asyncio.create_task(end(), name="sms_italia end")

    async def withdraw(self, account: Account) -> None:
        """Cancel what an account that is being removed has not sent yet.

        Here, and at the providers that can, within `Timing.answer`; `forget` follows.
        """
        async with self._lock:
            self._stop_closing()
            if not self._is_running:
                await self._start()
            self.escalations.forget(account.id)
        # Not under the lock: others come and go while providers are asked.
        await self._removal.withdraw(account)

    async def forget(self, account_id: str, rest: Collection[str]) -> None:
        """Forget a removed account: its messages, its texts and what it spent.

        What it submitted for others can be asked about no more, and is uncertain.
        `rest` are the IDs of all accounts that there are, attached or not: where there
        are none, the ledger's files go too.
        """
        async with self._lock:
            if not self._is_running:
                await self._start()
            self._open.forget(account_id)
            self.escalations.forget(account_id)
            self._receptions.forget(account_id)
            self.totals.forget(account_id)
            self.events.forget(account_id)
            await self._retention.close_at_provider(account_id)
            await self.ledger.forget(account_id)
            if not self._accounts:
                self._stop_closing()
                await self._stop()
                if not rest:
                    await self.ledger.remove()

    async def close(self) -> None:
        """Stop everything, whatever is attached, expected or just being attached."""
        self._accounts.close()
        async with self._lock:
            self._accounts.close()
            self._stop_closing()
            await self._stop()

    async def account(self, account_id: str, until: float) -> Account:
        """Return an account; one that is being loaded is waited for.

        Until a moment of the loop's clock at the latest. Raises RequestRefusedError
        (ACCOUNT_NOT_LOADED).
        """
        return await self._accounts.wait_for(account_id, until)

    def answer_by(self) -> float:
        """Return when an action that begins now is answered at the latest.

        A moment of the loop's clock, `Timing.answer` seconds from now.
        """
        return asyncio.get_running_loop().time() + self._timing.answer

    async def send(
        self, request: SendRequest, answer_by: float | None = None
    ) -> tuple[Message, ...]:
        """Send a request; return its messages as they stand when each was tried.

        Or as they stand at the moment `answer_by`: the sending goes on. An account that
        is being loaded is waited for until then. Raises RequestRefusedError if nothing
        may be sent, before any request to a provider. The sending goes on if the caller
        is cancelled.
        """
        answer_by = self.answer_by() if answer_by is None else answer_by
        account = await self._accounts.wait_for(request.account, answer_by)
        sizes: Mapping[str, int] = {}
        if request.options.groups:
            sizes = await group_sizes(account, answer_by)
            # It may have been replaced meanwhile.
            account = await self._accounts.wait_for(request.account, answer_by)
        messages = self._create(request, account, sizes)
        if request.call is None or request.call.joins:
            # No step of an escalation is delayed.
            messages = self._storm.hold(account, messages)
        if request.repeats is None:
            messages = self._outbox.join(messages)
        with self._open.watch(messages) as latest:
            self._open.add(messages)
            if request.repeats is not None:
                # That one stands on disk: without a trace of this one, a power cut
                # would let it be sent a third time.
                await self._open.record_repeat(messages, request.repeats)
            # Not awaited itself: a caller that is cancelled must not take it along.
            turn = self._outbox.deliver(messages)
            left = answer_by - _TO_RECORD - asyncio.get_running_loop().time()
            try:
                await asyncio.wait([turn], timeout=max(left, 0))
                is_held = any(one.stage in _HELD for one in latest.values())
                if is_held or not _is_over(turn):
                    await self._record_waiting(turn, latest, answer_by)
            except asyncio.CancelledError:
                self.undelivered.answered(latest.values())
                raise
            if _is_over(turn):
                turn.result()
            return tuple(latest.values())

    async def _record_waiting(
        self,
        turn: asyncio.Future[None],
        latest: Mapping[int, Message],
        answer_by: float,
    ) -> None:
        """Record messages that wait, and wait for their turn until `answer_by`.

        They are sent in any case, even if everything stops.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(answer_by):
                await self._open.record(tuple(latest.values()))
        await _until(turn, answer_by)

    def _create(
        self, request: SendRequest, account: Account, sizes: Mapping[str, int]
    ) -> list[Message]:
        """Return the messages of a request, which may be refused.

        The rooms are notified if a daily limit is the reason.
        """
        ids, now = self._open.ids, self._clock.moment()
        try:
            return create_dispatch(request, account, self._limits, sizes, ids, now)
        except RequestRefusedError as err:
            if err.reason is Refusal.DAILY_LIMIT:
                limit = account.options.daily_limit
                self.events.publish(DailyLimitReached(account=account.id, limit=limit))
            raise

    async def resend(
        self,
        message_id: int,
        answer_by: float | None = None,
        permitted: Callable[[SendRequest], SendRequest] = lambda request: request,
    ) -> tuple[Message, ...]:
        """Send a message again, as a new one; return what `send` does.

        `permitted` returns the request as its caller may send it, and raises if the
        caller may not. The old message is no longer listed as undelivered. Raises
        RequestRefusedError as `send` does, or if the message is not known, waits, was
        sent or is being resent already, and LedgerUnreadableError.
        """
        if message_id in self._resending:
            raise RequestRefusedError(Refusal.BEING_RESENT)
        self._resending.add(message_id)
        try:
            return await self._resend(message_id, answer_by, permitted)
        finally:
            self._resending.discard(message_id)

    async def _resend(
        self,
        message_id: int,
        answer_by: float | None,
        permitted: Callable[[SendRequest], SendRequest],
    ) -> tuple[Message, ...]:
        """Send a message again, which is not being resent."""
        message = await self.message(message_id)
        if message is None:
            raise RequestRefusedError(
                Refusal.UNKNOWN_MESSAGE, {"message_id": f"{message_id:016x}"}
            )
        if not message.may_be_resent:
            raise RequestRefusedError(Refusal.NOT_TO_RESEND)
        request = permitted(await request_again(message))
        sent = await self.send(request, answer_by)
        await self.undelivered.mark_seen([message])
        return sent

    async def estimate(
        self, request: SendRequest, answer_by: float | None = None
    ) -> TextEstimate:
        """Return what a request would take, sending nothing.

        At the moment `answer_by` at the latest, without a cost if that is not known by
        then.

        The cost is asked of the provider where it can say, else it is that of the
        last prices paid to the countries of all numbers; without a number and a group
        it is that of one message to the account's own country. Numbers that cannot be
        sent to do not count. Raises RequestRefusedError as `send` does, but not for the
        daily limit, nor if there is no target.
        """
        answer_by = self.answer_by() if answer_by is None else answer_by
        account = await self._accounts.wait_for(request.account, answer_by)
        return await estimate_request(
            account,
            request,
            self._clock.wall(),
            prices=partial(self.prices, account.id),
            answer_by=answer_by,
        )

    async def prices(self, account_id: str) -> Mapping[str, Decimal]:
        """Return what an account last paid for a part: euro by country (ISO 3166)."""
        if not self._is_running:
            return {}
        return await prices_by_country(await self.ledger.prices(account_id))

    async def cancel(self, message_id: int, answer_by: float | None = None) -> Message:
        """Cancel a message that has not been sent; return it as it stands then.

        Where its provider does not say at once, or not by the moment `answer_by`, it is
        open still, with the error CANCELLED. Raises RequestRefusedError if it is not
        known or cannot be cancelled (any more), and ProviderError if its provider did
        not answer.
        """
        if not self._is_running:
            raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        answer_by = self.answer_by() if answer_by is None else answer_by
        task = self._tasks.spawn(self._cancellation.cancel(message_id), "cancel")
        # It goes on without its caller, who alone wants to know why it failed.
        task.add_done_callback(lambda one: one.cancelled() or one.exception())
        await _until(task, answer_by)
        if not task.done() and (message := self._open.get(message_id)) is not None:
            return message
        # What is no longer open is only being recorded.
        await asyncio.wait([task])
        if task.cancelled():
            raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        return task.result()

    def can_cancel(self, message: Message) -> bool:
        """Return whether `cancel` has a chance with a message."""
        return self._cancellation.is_possible(message)

    async def message(self, message_id: int) -> Message | None:
        """Return a message as it stands now, open or closed; None if it is unknown."""
        return self._open.get(message_id) or await self.ledger.message(message_id)

    def open_messages(self, account_id: str) -> list[Message]:
        """Return the messages of an account whose end is not known."""
        return [one for one in self._open if one.dispatch.account == account_id]

    def waiting(self, account_id: str) -> Waiting:
        """Return how many messages of an account wait, and when the next is due."""
        return count_waiting(self.open_messages(account_id), self._clock.moment())

    async def callback(self, account_id: str, submission: str, body: bytes) -> bool:
        """Handle a callback about a submission; return whether it is known."""
        tracker = self._trackers.get(account_id)
        return tracker is not None and await tracker.called_back(submission, body)

    def incoming_hinted(self, account_id: str) -> None:
        """Search for SMS soon: somebody says that one came in at an account."""
        self._receptions.hurry(account_id)

    def started(self) -> None:
        """Note that Home Assistant has started: everybody listens by now."""
        self.escalations.started()
        self._receptions.started()

    def _on_run(self, news: RunNews) -> None:
        if news.event is RunEvent.CALLED:
            self._receptions.hurry_all()

    def _on_health(self, account_id: str) -> None:
        """Let an account's tracker ask about doubts as soon as the account answers."""
        if not self._context.health.of(account_id).is_answering:
            return
        self._outages.answered(account_id)
        if account_id in self._trackers:
            self._trackers[account_id].look_up_doubts()

    async def _start(self) -> None:
        """Open the ledger and take over what was open when it was closed."""
        today = self._clock.today()
        opened = await self.ledger.open(today, partial(self._opened_late, today))
        self._is_running = True
        self.totals.load(opened.totals)
        await self._take_over(opened)
        self._context.watch.start()

    def _opened_late(self, day: str, opened: Opened) -> None:
        """Take over what was open in a ledger that could not be opened at first."""
        if not self._is_running:
            return
        self.totals.add_late(day, opened.totals)
        self._tasks.spawn(self._take_over(opened), "ledger", eager=True)
        for account_id in self._trackers:
            self._storm.attach(account_id)
            self._outbox.attached(account_id)

    async def _take_over(self, opened: Opened) -> None:
        """Take over what was open when the ledger was closed, or copied."""
        now = self._clock.moment()
        self.undelivered.begin(opened, now.steady)
        self._open.load(after_start(one, now) for one in opened.open_messages)
        left = {
            message.id: interrupted(message, now)
            for message in self._open
            if message.stage is Stage.SUBMITTING
            and message.id not in self._context.in_progress
        }
        ids = [one.id for one in opened.open_messages]
        known = [one for id_ in ids if (one := self._open.get(id_)) is not None]
        if opened.is_restored:
            left |= {one.id: restored(one, now) for one in known}
        await self._open.change(list(left.values()))
        # The clock may have been set since the last entry.
        self._retention.reschedule(now.steady)
        await self.escalations.load(opened)
        self._receptions.load(opened)
        # Last: after a kill before this, the next start finds a restored ledger too.
        await self.ledger.renew_mark()

    def _remembered(self) -> Remembered:
        """Return what the ledger should hold, should it have been lost."""
        return replace(self._open.remembered(), runs=self.escalations.records())

    async def _call(self, request: SendRequest) -> None:
        """Send what an escalation asks for, which nobody waits for."""
        self.undelivered.answered(await self.send(request))

    async def _stop(self) -> None:
        """End what runs, give requests on the wire a moment, close the ledger."""
        if not self._is_running:
            return
        self._is_running = False
        self._stop_alarms()
        await self._tasks.end(self._timing.stop)
        # A task that ended may have set its alarm again.
        self._stop_alarms()
        self._trackers.clear()
        await self._open.record(tuple(self._open))
        await self.ledger.close()
        self._open.clear()
        self.escalations.clear()
        self._receptions.clear()

    def _stop_alarms(self) -> None:
        self._context.watch.stop()
        self.escalations.stop()
        self._receptions.stop()
        self._outbox.stop()
        self._context.stop()
        self._storm.stop()
        self.undelivered.stop()
        self._outages.stop()
        for tracker in self._trackers.values():
            tracker.stop()


async def _until(future: asyncio.Future[Any], moment: float) -> None:
    """Return when something is done, at a moment of the loop's clock at the latest."""
    left = moment - asyncio.get_running_loop().time()
    await asyncio.wait([future], timeout=max(left, 0))


def _is_over(future: asyncio.Future[Any]) -> bool:
    """Return whether something is done, and was not cancelled."""
    return future.done() and not future.cancelled()
