"""The one way in for every send, and the owner of all that runs behind it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

from ..providers.model import ErrorKind, Status
from .account import Account
from .book import Book, Listener
from .bundling import Bundler
from .cancelling import Canceller
from .clock import Clock
from .errors import OrderRefusedError, Refusal
from .estimating import estimate_order
from .housekeeping import Housekeeper
from .ledger import Entry, Found, Ledger, LedgerTrouble, Query
from .model import DayTotal, Dispatch, Message, Order, Stage, TextEstimate
from .orders import draw_up
from .outbox import Outbox
from .pacing import Pace, Rests
from .router import Router
from .routing import accounts_after
from .tracking import Tracker

_FORECAST_DAYS = 30
_FIRST_DAY = "0001-01-01"
"""Before anything that a ledger can hold."""

_GRACE = 40
"""Seconds that requests on the wire get to end when everything stops.

Longer than a client's timeouts: cancelling a request leaves its messages uncertain.
"""

_ABSENCE = 60
"""Seconds that an order waits for an account that is being loaded again."""

_LOOK_AGAIN = 0.5
"""Seconds until it is looked whether such an account is still to be expected."""

_LINGER = 10
"""Seconds that all stays open for the last account, if it is to come back."""


class Messenger:
    """Sends messages for all accounts and follows them to their end.

    Made once; runs from the first `attach` to the last `detach`.
    """

    def __init__(
        self,
        ledger_path: Path,
        clock: Clock,
        pace: Pace,
        on_ledger_trouble: Callable[[LedgerTrouble], None],
        *,
        expected: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Set up the parts; no file is touched and no task runs yet.

        `expected` tells of an account that is not attached whether it will be: it is
        being loaded, perhaps once again.
        """
        self._accounts: dict[str, Account] = {}
        self._clock = clock
        self._ledger = Ledger(ledger_path, on_ledger_trouble)
        self._book = Book(self._ledger, clock)
        self._expected = expected
        self._tasks: set[asyncio.Task[object]] = set()
        self._lock = asyncio.Lock()
        self._arrival = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._closed = False
        self._rests = Rests(clock, pace)
        self._router = Router(
            accounts=self._accounts,
            book=self._book,
            clock=clock,
            rests=self._rests,
            on_taken=self._on_taken,
            on_recovery=self._on_recovery,
            expected=expected,
        )
        self._outbox = Outbox(
            self._accounts, self._book, self._router, clock, self._spawn
        )
        self._bundler = Bundler(
            self._accounts,
            self._book,
            clock,
            pace.storm,
            spawn=self._spawn,
            on_waiting=self._outbox.schedule,
        )
        self._pace = pace
        self._trackers: dict[str, Tracker] = {}
        self._canceller = Canceller(
            self._accounts, self._trackers, self._book, self._ledger, clock
        )
        self._housekeeper = Housekeeper(
            self._book, self._ledger, clock, pace, self._router.under_way
        )
        self._running = False

    async def attach(self, account: Account) -> None:
        """Take an account in; the first one opens the ledger.

        If its identity is another than it was, what it carried before can be asked
        about no more, and is uncertain.
        """
        async with self._lock:
            self._closed = False
            self._stop_lingering()
            if not self._running:
                await self._start()
            self._let_go(account.id)
            if await self._housekeeper.recognise(account):
                # Whatever kept it from working may have been put right.
                self._rests.forgive(account.id)
            else:
                self._rests.worked(account.id)
            self._accounts[account.id] = account
            await self.tidy_up(account.id)
            tracker = self._trackers[account.id] = Tracker(
                account,
                self._book,
                self._clock,
                self._pace,
                spawn=self._spawn,
                on_unsent=self._outbox.hurry,
                on_failed=self._on_failed,
            )
            tracker.follow(tuple(self._book))
            self._bundler.follow(tuple(self._book))
            self._outbox.hurry()
            self._wake()

    async def detach(self, account_id: str) -> None:
        """Let an account go; the last one closes the ledger.

        Not at once if it is to come back: what is on the wire can end meanwhile.
        """
        async with self._lock:
            self._let_go(account_id)
            self._rests.gone(account_id)
            self._book.leave(account_id)
            if self._accounts:
                return
            if self._running and self._expected(account_id):
                self._stop_lingering()
                loop = asyncio.get_running_loop()
                self._linger = loop.call_later(_LINGER, self._end)
            else:
                await self._stop()

    def _let_go(self, account_id: str) -> None:
        self._accounts.pop(account_id, None)
        if (tracker := self._trackers.pop(account_id, None)) is not None:
            tracker.stop()

    def _stop_lingering(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def _end(self) -> None:
        """Stop everything: the last account did not come back."""

        async def end() -> None:
            async with self._lock:
                if not self._accounts:
                    await self._stop()

        # Not among the tasks that stopping waits for.
        loop = asyncio.get_running_loop()
        self._ending = loop.create_task(end(), name="sms_italia end")

    async def forget(self, account_id: str) -> None:
        """Forget a removed account: its messages, its texts and what it spent.

        What it carried for others can be asked about no more, and is uncertain.
        """
        async with self._lock:
            if not self._running:
                await self._start()
            self._book.drop(account_id)
            await self._housekeeper.give_up_carried(account_id)
            await self._ledger.forget(account_id)
            if not self._accounts:
                self._stop_lingering()
                await self._stop()

    async def close(self) -> None:
        """Stop everything, whatever is still attached or expected."""
        self._closed = True
        self._wake()
        async with self._lock:
            self._stop_lingering()
            self._accounts.clear()
            await self._stop()

    def listen(self, account_id: str, listener: Listener) -> Callable[[], None]:
        """Tell `listener` what happens to an account; returns how to stop it."""
        return self._book.listen(account_id, listener)

    def attend(self, account_id: str) -> tuple[Message, ...]:
        """Return the messages that got another status while nobody attended to it.

        For the one listener that must not miss any; ends when the account is detached.
        """
        return self._book.attend(account_id)

    async def send(self, order: Order) -> tuple[Message, ...]:
        """Send an order; return its messages as they stand when it was tried.

        One to an account that is being loaded waits for it, a minute at most. Raises
        OrderRefusedError if nothing of it may be sent, before any request. Once on
        record, the sending goes on if the caller is cancelled.
        """
        account = await self._loaded(order.account)
        draft = draw_up(order, account, self._book, self._clock.now())
        dispatch = draft.dispatch
        messages = self._bundler.hold(account, draft.messages)
        with self._book.watch(dispatch) as latest:
            stop = self._book.expect(dispatch, len(messages))
            # Not awaited itself: a caller that is cancelled must not take it along.
            task = self._own(
                asyncio.get_running_loop().create_task(
                    self._deliver(dispatch, messages, draft.closed),
                    name="sms_italia send",
                    eager_start=True,
                )
            )
            task.add_done_callback(lambda _: stop())
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        if not latest:
            # Everything was stopped before the order was on record.
            raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        return tuple(latest[one.id] for one in (*messages, *draft.closed))

    async def estimate(self, order: Order) -> TextEstimate:
        """Return what an order would come to, sending nothing.

        The cost is asked of the provider where it can tell, else it is that of the
        last prices paid to the countries of all numbers; without a number and a group
        it is that of one message to the account's own country. Numbers that cannot be
        sent to do not count. Raises OrderRefusedError as `send` does, but not for the
        limit of the day, nor if there is no target.
        """
        account = await self._loaded(order.account)
        return await estimate_order(
            account,
            order,
            self._clock.now(),
            partial(self.prices, account.id),
        )

    async def cancel(self, message_id: int) -> Message:
        """Stop a message that has not gone out; return it as it stands then.

        Where its provider only noted the wish, it is open still, with the error
        CANCELLED. Raises OrderRefusedError if it is not known or cannot be stopped
        (any more), and ProviderError if its provider did not answer.
        """
        if not self._running:
            raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        task = self._spawn(self._canceller.cancel(message_id), "sms_italia cancel")
        await asyncio.wait([task])
        if task.cancelled():
            raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        return task.result()

    async def latest(
        self, account_id: str, recipient: str | None = None
    ) -> tuple[Message, ...]:
        """Return the messages of the newest dispatch of an account or a recipient."""
        return await self._ledger.latest(account_id, recipient)

    async def message(self, message_id: int) -> Message | None:
        """Return a message as it stands now, open or closed; None if it is unknown."""
        return self._book.get(message_id) or await self._ledger.message(message_id)

    async def find(self, query: Query) -> Found:
        """Return messages from the ledger, newest first."""
        return await self._ledger.find(query)

    async def _deliver(
        self, dispatch: Dispatch, messages: Sequence[Message], closed: Sequence[Message]
    ) -> None:
        """Send new messages, but never past an older one to the same number."""
        if any(message.stage is Stage.HELD for message in messages):
            await self._book.add(dispatch, [*messages, *closed])
            self._bundler.follow(messages)
            if any(message.stage is Stage.WAITING for message in messages):
                await self._outbox.push()
        elif dispatch.due <= self._clock.now() and any(
            self._outbox.holds(message.number) for message in messages
        ):
            await self._book.add(dispatch, [*messages, *closed])
            await self._outbox.push()
        else:
            await self._router.deliver_new(dispatch, messages, closed)
            self._outbox.schedule()

    def spent_today(self, account_id: str) -> DayTotal:
        """Return what an account spent since midnight."""
        return self._book.spent_today(account_id)

    async def daily_cost(self, account_id: str) -> Decimal | None:
        """Return what an account spends a day on average, in euro.

        Of the last 30 whole days, or of those since its first cost; None if nothing
        was spent in them.
        """
        paid = await self._paid_before_today(account_id)
        begin = self._clock.day(_FORECAST_DAYS)
        spent = sum((cost for day, cost in paid.items() if day >= begin), Decimal(0))
        if not spent:
            return None
        first = date.fromisoformat(max(begin, min(paid)))
        today = date.fromisoformat(self._clock.today())
        return spent / (today - first).days

    async def spent_month(self, account_id: str) -> Decimal | None:
        """Return what an account spent since the first of the month, in euro.

        None if no cost was ever told.
        """
        paid = await self._paid_before_today(account_id)
        today = self.spent_today(account_id).cost
        if not paid and not today:
            return None
        month = self._clock.today()[: len("2026-11")]
        before = (cost for day, cost in paid.items() if day.startswith(month))
        return sum(before, today)

    async def prices(self, account_id: str) -> Mapping[str, Decimal]:
        """Return what an account last paid for a part, in euro by country.

        Up to what listeners were told last, which is on its way to the disk.
        """
        if self._running:
            await self._ledger.record(Entry())
        return await self._ledger.prices(account_id) if self._running else {}

    async def _paid_before_today(self, account_id: str) -> dict[str, Decimal]:
        """Return by day (YYYY-MM-DD) what an account ever paid before today."""
        if not self._running:
            return {}
        totals = await self._ledger.totals_between(
            account_id, _FIRST_DAY, self._clock.day(1)
        )
        return {day: total.cost for day, total in totals.items() if total.cost}

    def open_messages(self, account_id: str) -> list[Message]:
        """Return the messages of an account whose end is not known."""
        return [one for one in self._book if one.dispatch.account == account_id]

    @property
    def ledger_trouble(self) -> LedgerTrouble | None:
        """What is wrong with the ledger at the moment."""
        return self._ledger.trouble

    async def hold_ledger(self) -> None:
        """Keep the ledger's file as it is, for a backup to copy; sending goes on."""
        await self._ledger.hold()

    async def release_ledger(self) -> None:
        """Let the ledger's file change again."""
        await self._ledger.release()

    async def callback(self, account_id: str, submission: str, body: bytes) -> bool:
        """Take in a delivery callback about a submission; tell whether we know it.

        A body that the provider documents is a report; any other is a hint to ask.
        """
        account = self._accounts.get(account_id)
        tracker = self._trackers.get(account_id)
        if account is None or tracker is None:
            return False
        report = account.client.parse_report(body)
        if report is not None and await tracker.take_in([report]):
            return True
        return tracker.hurry(submission)

    async def tidy_up(self, account_id: str) -> None:
        """Do what is due once a day, if the account is attached.

        Messages that nothing can tell of any more are closed, old ones forgotten.
        """
        account = self._accounts.get(account_id)
        if account is not None:
            await self._housekeeper.tidy_up(account)

    def _on_taken(self, messages: Sequence[Message]) -> None:
        """Follow messages to their end."""
        carriers = dict.fromkeys(message.carrier for message in messages)
        for carrier in carriers:
            if (tracker := self._trackers.get(carrier or "")) is not None:
                tracker.follow(messages)

    def _on_recovery(self) -> None:
        self._outbox.hurry()

    def _on_failed(self, messages: Sequence[Message]) -> None:
        """Send again through the next accounts what a report called failed.

        Not what somebody wished to cancel.
        """
        for message in messages:
            route = accounts_after(message.dispatch.route, message.carrier)
            if route and message.error is not ErrorKind.CANCELLED:
                self._spawn(self._fail_over(message, route), "sms_italia failover")

    async def _fail_over(self, message: Message, route: Sequence[str]) -> None:
        """Send a failed message through the accounts of a route, if that is wanted.

        The account that was asked says so; it may be in the midst of a reload.
        """
        try:
            account = await self._loaded(message.dispatch.account)
        except OrderRefusedError:
            return
        now = self._clock.now()
        is_wanted = account.options.failover_on_failed_delivery
        if not is_wanted or now >= message.dispatch.expires:
            return
        first, second = self._book.take_ids(2)
        dispatch = replace(message.dispatch, id=first, route=tuple(route))
        again = Message(
            id=second,
            dispatch=dispatch,
            number=message.number,
            recipient=message.recipient,
            status=Status.QUEUED,
            stage=Stage.WAITING,
            updated=now,
            parts=dispatch.parts,
            attempt_at=now,
        )
        await self._deliver(dispatch, [again], ())

    async def _loaded(self, account_id: str) -> Account:
        """Return an account, if need be when it is there again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _ABSENCE
        while (account := self._accounts.get(account_id)) is None:
            if self._closed or loop.time() >= until or not self._expected(account_id):
                raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN):
                    await self._arrival.wait()
        return account

    def _wake(self) -> None:
        """Let those that wait for an account look again."""
        self._arrival.set()
        self._arrival = asyncio.Event()

    async def _start(self) -> None:
        """Open the ledger and take over what was open when it was closed."""
        opened = await self._ledger.open(self._clock.today())
        self._running = True
        self._book.load(opened.open_messages, opened.totals)
        await self._book.change(
            [
                replace(
                    message,
                    status=Status.UNCERTAIN,
                    stage=Stage.DOUBTFUL,
                    detail="interrupted",
                    updated=self._clock.now(),
                )
                for message in self._book
                if message.stage is Stage.SUBMITTING
            ]
        )

    async def _stop(self) -> None:
        """End what runs, give requests on the wire a moment, close the ledger."""
        if not self._running:
            return
        self._running = False
        self._stop_timers()
        while self._tasks:
            # A task may start another one in its last moment.
            _, late = await asyncio.wait(tuple(self._tasks), timeout=_GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        # A task that ended may have set its timer again.
        self._stop_timers()
        self._trackers.clear()
        await self._ledger.close()
        self._book.clear()

    def _stop_timers(self) -> None:
        self._outbox.stop()
        self._bundler.stop()
        for tracker in self._trackers.values():
            tracker.stop()

    def _spawn[R](self, work: Coroutine[None, None, R], name: str) -> asyncio.Task[R]:
        """Start a task that ends with us."""
        return self._own(asyncio.get_running_loop().create_task(work, name=name))

    def _own[R](self, task: asyncio.Task[R]) -> asyncio.Task[R]:
        """Wait for a task before we stop."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
