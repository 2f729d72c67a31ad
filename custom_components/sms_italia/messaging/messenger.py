"""The facade of the messaging layer, and the owner of all that runs behind it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

from .account import Account, Accounts
from .alarm import Tasks
from .clock import Clock
from .compose import (
    create_dispatch,
    estimate_request,
    prices_by_country,
    request_again,
)
from .delivery import (
    AccountHealth,
    DeliveryContext,
    Failover,
    Outbox,
    StormBrake,
    Timing,
)
from .errors import Refusal, RequestRefusedError
from .ledger import Entry, Ledger, LedgerTrouble, Opened
from .model import Message, SendRequest, Stage, TextEstimate
from .state import DailyTotals, Events, OpenMessages
from .state.transitions import RESTORED, given_up, interrupted, restored, shared
from .tracking import Cancellation, Retention, Tracker

_SHUTDOWN_TIMEOUT = 40
"""Seconds that requests on the wire get to end when everything stops.

Longer than a client's timeouts: cancelling a request leaves its messages uncertain.
"""

_CLOSE_DELAY = 10
"""Seconds that all stays open after the last account, if it is to come back."""


class Messenger:
    """Sends messages for all accounts and follows them to their end.

    Made once; runs from the first `attach` to the last `detach`. `events` notifies the
    rooms, `totals` says what accounts spent, `ledger` finds messages.
    """

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        ledger_path: Path,
        clock: Clock,
        timing: Timing,
        on_ledger_trouble: Callable[[LedgerTrouble], None],
        *,
        ledger_mark: Path | None = None,
        is_expected: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Set up the parts; no file is touched and no task runs yet.

        `ledger_mark` is a file that no backup holds: without one, a ledger that comes
        from a backup is taken for our own. `is_expected` returns whether an account
        that is not attached is being loaded.
        """
        self.events = Events()
        self.ledger = Ledger(ledger_path, on_ledger_trouble, mark=ledger_mark)
        self._on_ledger_trouble = on_ledger_trouble
        self.totals = DailyTotals(self.ledger, clock, self.events)
        self._clock = clock
        self._accounts = Accounts(is_expected)
        self._open = OpenMessages(self.ledger, clock, self.totals, self.events)
        self._health = AccountHealth(clock, timing, self.events)
        self._tasks = Tasks()
        self._context = DeliveryContext(
            accounts=self._accounts,
            open_messages=self._open,
            ledger=self.ledger,
            events=self.events,
            clock=clock,
            timing=timing,
            health=self._health,
            tasks=self._tasks,
        )
        self._outbox = Outbox(self._context)
        self._storm = StormBrake(self._context, self._outbox)
        self._failover = Failover(self._context, self._outbox)
        self._retention = Retention(self._context)
        self._trackers: dict[str, Tracker] = {}
        self._cancellation = Cancellation(self._context, self._trackers)
        self._lock = asyncio.Lock()
        self._closing: asyncio.TimerHandle | None = None
        self._end: asyncio.Task[None] | None = None
        self._is_running = False

    async def attach(self, account: Account) -> None:
        """Add an account; the first one opens the ledger.

        If its identity is another than it was, what it submitted before can be asked
        about no more, and is uncertain.
        """
        async with self._lock:
            self._stop_closing()
            if not self._is_running:
                await self._start()
            self._remove(account.id)
            if await self._retention.recognize(account):
                # Whatever kept it from working may have been fixed.
                self._health.forgive(account.id)
            else:
                self._health.worked(account.id)
            self._accounts.attach(account)
            await self.tidy_up(account.id)
            self._trackers[account.id] = Tracker(account, self._context)
            self._storm.attach(account.id)
            self._outbox.hurry()

    async def detach(self, account_id: str) -> None:
        """Remove an account; the last one closes the ledger.

        Not at once if it is to come back: what is on the wire can end meanwhile.
        """
        async with self._lock:
            self._remove(account_id)
            self._health.detached(account_id)
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

    async def forget(self, account_id: str) -> None:
        """Forget a removed account: its messages, its texts and what it spent.

        What it submitted for others can be asked about no more, and is uncertain.
        """
        async with self._lock:
            if not self._is_running:
                await self._start()
            self._open.forget(account_id)
            self.totals.forget(account_id)
            self.events.forget(account_id)
            await self._retention.close_at_provider(account_id)
            await self.ledger.forget(account_id)
            if not self._accounts:
                self._stop_closing()
                await self._stop()

    async def close(self) -> None:
        """Stop everything, whatever is attached, expected or just being attached."""
        self._accounts.close()
        async with self._lock:
            self._accounts.close()
            self._stop_closing()
            await self._stop()

    async def send(self, request: SendRequest) -> tuple[Message, ...]:
        """Send a request; return its messages as they stand when each was tried.

        One to an account that is being loaded waits for it, a minute at most. Raises
        RequestRefusedError if nothing of it may be sent, before any request to a
        provider. The sending goes on if the caller is cancelled.
        """
        account = await self._accounts.wait_for(request.account)
        messages = create_dispatch(
            request,
            account,
            self._open.committed_parts(account.id),
            self._open.ids,
            self._clock.now(),
        )
        if account.options.bundle_after:
            messages = self._storm.hold(account, messages)
        with self._open.watch(messages) as latest:
            self._open.add(messages)
            # Not awaited itself: a caller that is cancelled must not take it along.
            task = self._tasks.spawn(self._outbox.deliver(messages), "send", eager=True)
            await asyncio.wait([task])
            if task.cancelled():
                # Everything stops; what waited for its turn is sent after the restart.
                await self._open.record(messages)
            else:
                task.result()
            return tuple(latest.values())

    async def resend_restored(self) -> bool:
        """Send what waited in a backup that was put back, as new messages.

        Return whether all of it is; what is refused stays as it is.
        """
        again = [(one, await request_again(one)) for one in self._undecided()]
        return all(await asyncio.gather(*(self._resend(*one) for one in again)))

    async def _resend(self, message: Message, request: SendRequest) -> bool:
        """Send a message in doubt as a new one; return whether it is, and is closed."""
        try:
            await self.send(request)
        except RequestRefusedError:
            return False
        await self._open.change([given_up(message, self._clock.now())])
        return True

    async def leave_restored(self) -> None:
        """Close what waited in a backup that was put back; it stays uncertain."""
        now = self._clock.now()
        await self._open.change([given_up(one, now) for one in self._undecided()])

    async def estimate(self, request: SendRequest) -> TextEstimate:
        """Return what a request would take, sending nothing.

        The cost is asked of the provider where it can say, else it is that of the
        last prices paid to the countries of all numbers; without a number and a group
        it is that of one message to the account's own country. Numbers that cannot be
        sent to do not count. Raises RequestRefusedError as `send` does, but not for the
        daily limit, nor if there is no target.
        """
        account = await self._accounts.wait_for(request.account)
        prices = partial(self.prices, account.id)
        return await estimate_request(account, request, self._clock.now(), prices)

    async def prices(self, account_id: str) -> Mapping[str, Decimal]:
        """Return what an account last paid for a part: euro by country (ISO 3166)."""
        if not self._is_running:
            return {}
        return await prices_by_country(await self.ledger.prices(account_id))

    async def cancel(self, message_id: int) -> Message:
        """Cancel a message that has not been sent; return it as it stands then.

        Where its provider does not say at once, it is open still, with the error
        CANCELLED. Raises RequestRefusedError if it is not known or cannot be cancelled
        (any more), and ProviderError if its provider did not answer.
        """
        if not self._is_running:
            raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        task = self._tasks.spawn(self._cancellation.cancel(message_id), "cancel")
        await asyncio.wait([task])
        if task.cancelled():
            raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        return task.result()

    async def message(self, message_id: int) -> Message | None:
        """Return a message as it stands now, open or closed; None if it is unknown."""
        return self._open.get(message_id) or await self.ledger.message(message_id)

    def open_messages(self, account_id: str) -> list[Message]:
        """Return the messages of an account whose end is not known."""
        return [one for one in self._open if one.dispatch.account == account_id]

    async def callback(self, account_id: str, submission: str, body: bytes) -> bool:
        """Handle a delivery callback about a submission; return whether it is known.

        A body that the provider documents is a report; any other is a hint to ask.
        """
        account = self._accounts.get(account_id)
        tracker = self._trackers.get(account_id)
        if account is None or tracker is None:
            return False
        report = account.client.parse_report(body)
        if report is not None and await tracker.called_back(submission, report):
            return True
        return tracker.hurry(submission)

    async def tidy_up(self, account_id: str) -> None:
        """Do what is due once a day, if the account is attached.

        Messages of which no report will come any more are closed, old ones forgotten.
        """
        account = self._accounts.get(account_id)
        if account is not None:
            await self._retention.tidy_up(account)

    async def _start(self) -> None:
        """Open the ledger and take over what was open when it was closed."""
        today = self._clock.today()
        opened = await self.ledger.open(today, partial(self._opened_late, today))
        self._is_running = True
        self.totals.load(opened.totals)
        await self._take_over(opened)

    def _opened_late(self, day: str, opened: Opened) -> None:
        """Take over what was open in a ledger that could not be opened at first."""
        if not self._is_running:
            return
        self.totals.add_late(day, opened.totals)
        self._tasks.spawn(self._take_over(opened), "ledger", eager=True)
        for account_id in self._trackers:
            self._storm.attach(account_id)
        self._outbox.hurry()

    async def _take_over(self, opened: Opened) -> None:
        """Take over what was open when the ledger was closed, or copied."""
        now = self._clock.now()
        in_doubt = _restored(opened.open_messages, now) if opened.is_restored else {}
        self._open.load(in_doubt.get(one.id, one) for one in opened.open_messages)
        await self._open.change(
            [
                interrupted(message, now)
                for message in self._open
                if message.stage is Stage.SUBMITTING
                and message.id not in self._context.in_progress
            ]
        )
        if in_doubt:
            await self.ledger.record(Entry(messages=tuple(in_doubt.values())))
        await self.ledger.renew_mark()
        if self._undecided():
            self._on_ledger_trouble(LedgerTrouble.RESTORED)

    def _undecided(self) -> list[Message]:
        """Return what waited in a backup that was put back, and still is in doubt."""
        return [
            one
            for one in self._open
            if one.detail == RESTORED and one.stage is Stage.IN_DOUBT
        ]

    async def _stop(self) -> None:
        """End what runs, give requests on the wire a moment, close the ledger."""
        if not self._is_running:
            return
        self._is_running = False
        self._stop_alarms()
        await self._tasks.end(_SHUTDOWN_TIMEOUT)
        # A task that ended may have set its alarm again.
        self._stop_alarms()
        self._trackers.clear()
        await self._open.record(tuple(self._open))
        await self.ledger.close()
        self._open.clear()

    def _stop_alarms(self) -> None:
        self._outbox.stop()
        self._storm.stop()
        for tracker in self._trackers.values():
            tracker.stop()


def _restored(messages: Sequence[Message], now: float) -> dict[int, Message]:
    """Return by ID what waits in a backup that was put back, as it is from now on."""
    waiting = {Stage.WAITING, Stage.HELD}
    in_doubt = {one.id: restored(one, now) for one in messages if one.stage in waiting}
    joined = {
        one.id: shared(one, carrying)
        for one in messages
        if one.joined_in is not None and (carrying := in_doubt.get(one.joined_in))
    }
    return in_doubt | joined
