"""The one way in for every send, and the owner of all that runs behind it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from ..providers.model import ErrorKind, Status
from . import numbers
from .account import Account
from .book import Book, Listener
from .clock import Clock
from .errors import OrderRefusedError, Refusal
from .guards import check_limit, check_sender, check_text, why_not_sent_to
from .ledger import Found, Ledger, LedgerTrouble, Query
from .model import BadTarget, DayTotal, Dispatch, Message, Order, Stage, Target
from .outbox import Outbox
from .pacing import Pace, Rests
from .router import Router
from .routing import accounts_after
from .text import prepare_text
from .tracking import Tracker

_FIRST_PASSAGE = 120
"""Seconds that the only way along a route may take, where there is no retrying."""

_FORECAST_DAYS = 30

_DIGITS_OF_A_NUMBER = 6
"""What has as many digits may be somebody's number."""

_GRACE = 40
"""Seconds that requests on the wire get to end when everything stops.

Longer than a client's timeouts: cancelling a request leaves its messages uncertain.
"""


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
    ) -> None:
        """Set up the parts; no file is touched and no task runs yet."""
        self._accounts: dict[str, Account] = {}
        self._clock = clock
        self._ledger = Ledger(ledger_path, on_ledger_trouble)
        self._book = Book(self._ledger, clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._rests = Rests(clock, pace)
        self._router = Router(
            accounts=self._accounts,
            book=self._book,
            clock=clock,
            rests=self._rests,
            on_taken=self._on_taken,
            on_recovery=self._on_recovery,
        )
        self._outbox = Outbox(
            self._accounts, self._book, self._router, clock, self._spawn
        )
        self._pace = pace
        self._trackers: dict[str, Tracker] = {}
        self._running = False

    async def attach(self, account: Account) -> None:
        """Take an account in; the first one opens the ledger."""
        async with self._lock:
            if not self._running:
                await self._start()
            self._accounts[account.id] = account
            # Whatever kept it from working may have been put right.
            self._rests.worked(account.id)
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
            self._outbox.hurry()

    async def detach(self, account_id: str) -> None:
        """Let an account go; the last one closes the ledger."""
        async with self._lock:
            self._accounts.pop(account_id, None)
            self._book.leave(account_id)
            if (tracker := self._trackers.pop(account_id, None)) is not None:
                tracker.stop()
            if not self._accounts:
                await self._stop()

    async def forget(self, account_id: str) -> None:
        """Forget a removed account: its messages, its texts and what it spent.

        What it carried for others can be asked about no more, and is uncertain.
        """
        async with self._lock:
            was_running = self._running
            if not was_running:
                await self._start()
            self._book.drop(account_id)
            now = self._clock.now()
            await self._book.change(
                [
                    replace(
                        message,
                        status=Status.UNCERTAIN,
                        stage=Stage.CLOSED,
                        updated=now,
                    )
                    for message in self._book
                    if message.carrier == account_id
                    and message.stage in {Stage.TAKEN, Stage.DOUBTFUL}
                ]
            )
            await self._ledger.forget(account_id)
            if not was_running:
                await self._stop()

    async def close(self) -> None:
        """Stop everything, whatever is still attached."""
        async with self._lock:
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

        Raises OrderRefusedError if nothing of it may be sent, before any request.
        The sending goes on if the caller is cancelled.
        """
        account = self._account(order.account)
        check_sender(account, order.sender)
        prepared = prepare_text(order.text, order.encoding or account.options.encoding)
        check_text(account, prepared)
        good, refused = _sort(account, order.targets)
        check_limit(
            account,
            self._book.committed_parts(account.id),
            prepared.parts * len(good),
        )
        now = self._clock.now()
        first, *ids = self._book.take_ids(1 + len(good) + len(refused))
        dispatch = Dispatch(
            id=first,
            account=account.id,
            text=prepared.text,
            encoding=prepared.encoding,
            parts=prepared.parts,
            sender=order.sender or None,
            created=now,
            expires=now + (account.options.retry_for or _FIRST_PASSAGE),
            route=account.route,
        )
        message = Message(
            id=first,
            dispatch=dispatch,
            number="",
            recipient=None,
            status=Status.QUEUED,
            stage=Stage.WAITING,
            updated=now,
            parts=prepared.parts,
            attempt_at=now,
        )
        messages = [
            replace(
                message, id=id_, number=target.number.e164, recipient=target.recipient
            )
            for id_, target in zip(ids, good, strict=False)
        ]
        closed = [
            replace(
                message,
                id=id_,
                number=target.given,
                status=Status.FAILED,
                stage=Stage.CLOSED,
                error=ErrorKind.RECIPIENT,
                detail=refusal,
                attempt_at=None,
            )
            for id_, (target, refusal) in zip(ids[len(good) :], refused, strict=True)
        ]
        with self._book.watch(dispatch) as latest:
            # Not awaited itself: a caller that is cancelled must not take it along.
            task = self._spawn(
                self._deliver(dispatch, messages, closed), "sms_italia send"
            )
            stop = self._book.expect(dispatch, len(good))
            task.add_done_callback(lambda _: stop())
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        if not latest:
            # Everything was stopped before the order was on record.
            raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        return tuple(latest[id_] for id_ in ids)

    async def latest(
        self, account_id: str, recipient: str | None = None
    ) -> tuple[Message, ...]:
        """Return the messages of the newest dispatch of an account or a recipient."""
        return await self._ledger.latest(account_id, recipient)

    async def find(self, query: Query) -> Found:
        """Return messages from the ledger, newest first."""
        return await self._ledger.find(query)

    async def _deliver(
        self, dispatch: Dispatch, messages: Sequence[Message], closed: Sequence[Message]
    ) -> None:
        """Send new messages, but never past an older one to the same number."""
        if dispatch.account not in self._accounts or any(
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

        Of the last 30 whole days, or of those since its first cost; None before one.
        """
        if not self._running:
            return None
        totals = await self._ledger.totals_between(
            account_id, self._clock.day(_FORECAST_DAYS), self._clock.day(1)
        )
        spent = sum((total.cost for total in totals.values()), Decimal(0))
        if not spent:
            return None
        first = date.fromisoformat(min(totals))
        today = date.fromisoformat(self._clock.today())
        return spent / (today - first).days

    def open_messages(self, account_id: str) -> list[Message]:
        """Return the messages of an account whose end is not known."""
        return [one for one in self._book if one.dispatch.account == account_id]

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
        report = account.client.parse_callback(body)
        if report is not None and await tracker.take_in([report]):
            return True
        return tracker.hurry(submission)

    async def tidy_up(self, account_id: str) -> None:
        """Do what is due once a day, if the account is attached.

        Messages that nothing can tell of any more are closed, old ones forgotten.
        """
        account = self._accounts.get(account_id)
        if account is None:
            return
        now = self._clock.now()
        if not account.tracks_delivery:
            # Reports were switched off: what was last known is all there will be.
            await self._book.change(
                [
                    replace(message, stage=Stage.CLOSED)
                    for message in self._book
                    if message.carrier == account.id and message.stage is Stage.TAKEN
                ]
            )
        await self._book.change(
            [
                replace(
                    message, status=Status.UNCERTAIN, stage=Stage.CLOSED, updated=now
                )
                for message in self._book
                if message.carrier == account.id
                and message.stage in {Stage.TAKEN, Stage.DOUBTFUL}
                and (
                    now - message.dispatch.created > self._pace.give_up
                    or (
                        message.stage is Stage.DOUBTFUL
                        and not account.can_settle(message.provider_id)
                    )
                )
            ]
        )
        before = now - account.options.history_days * 86_400
        await self._ledger.trim(account.id, before)

    def _on_taken(self, messages: Sequence[Message]) -> None:
        """Follow messages to their end."""
        for tracker in self._trackers.values():
            tracker.follow(messages)

    def _on_recovery(self) -> None:
        self._outbox.hurry()

    def _on_failed(self, messages: Sequence[Message]) -> None:
        """Send again through the next accounts what a report called failed."""
        now = self._clock.now()
        for message in messages:
            account = self._accounts.get(message.dispatch.account)
            route = accounts_after(message.dispatch.route, message.carrier)
            if (
                account is not None
                and account.options.failover_on_failed_delivery
                and route
                and now < message.dispatch.expires
            ):
                first, second = self._book.take_ids(2)
                dispatch = replace(message.dispatch, id=first, route=route)
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
                self._spawn(self._deliver(dispatch, [again], ()), "sms_italia failover")

    def _account(self, account_id: str) -> Account:
        """Return a loaded account."""
        account = self._accounts.get(account_id)
        if account is None:
            raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        return account

    async def _start(self) -> None:
        """Open the ledger and take over what was open when it was closed."""
        await asyncio.get_running_loop().run_in_executor(None, numbers.load)
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
        for tracker in self._trackers.values():
            tracker.stop()

    def _spawn(
        self, work: Coroutine[None, None, None], name: str
    ) -> asyncio.Task[None]:
        """Start a task that ends with us."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _sort(
    account: Account, targets: Sequence[Target | BadTarget]
) -> tuple[list[Target], list[tuple[Target | BadTarget, Refusal]]]:
    """Part the targets that may be sent to, each number once, from those that not.

    Raises OrderRefusedError if there are none, with the first reason.
    """
    good: dict[str, Target] = {}
    refused: dict[str, tuple[Target | BadTarget, Refusal]] = {}
    for target in targets:
        refusal = why_not_sent_to(account, target)
        if refusal is not None:
            refused.setdefault(target.given, (target, refusal))
        elif isinstance(target, Target):
            good.setdefault(target.number.e164, target)
    if good:
        for number in good:
            refused.pop(number, None)
        return list(good.values()), list(refused.values())
    for target, refusal in refused.values():
        placeholders = {"number": _told(target)}
        if isinstance(target, Target):
            placeholders["country"] = target.number.country
        raise OrderRefusedError(refusal, placeholders)
    raise OrderRefusedError(Refusal.NO_TARGETS)


def _told(target: Target | BadTarget) -> str:
    """Return a target as an error may name it: a number shows its last digits only."""
    digits = sum(character.isdecimal() for character in target.given)
    if digits < _DIGITS_OF_A_NUMBER:
        return target.given
    return numbers.mask_number(target.given)
