"""Reporting what was not delivered, so that nothing ends in silence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
import logging
from math import inf

from ...providers import Status
from ..alarm import Alarm
from ..delivery import DeliveryContext
from ..ledger import Found, LedgerUnreadableError, Opened
from ..model import Message, Stage
from ..state import Change, DoubtLasted, UndeliveredChanged

_LOGGER = logging.getLogger(__name__)

_MOST = 1000
"""Messages of an account that are listed at most."""

_ASK_AGAIN = 15
"""Seconds until a list that could not be read is to be read again."""

_NOT_LOADED = "an account that is not loaded"


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A message that is uncertain, and when that is reported if it still is.

    One that `is_news` is an event then, and is logged unless it `is_seen`.
    """

    moment: float
    message: Message
    is_news: bool
    is_seen: bool = False


class Undelivered:
    """Reports messages that were not delivered, and lists those that nobody has seen.

    A message is reported once: by a warning in the log and an `UndeliveredChanged`. One
    that ends while its caller waits is reported only if `answered` says so. The list
    stands in the ledger. One that cannot be read is announced again in a while.
    """

    def __init__(self, context: DeliveryContext) -> None:
        """Follow all messages."""
        self._accounts = context.accounts
        self._open = context.open_messages
        self._ledger = context.ledger
        self._events = context.events
        self._clock = context.clock
        self._tasks = context.tasks
        self._patience = context.timing.report_doubt
        self._doubts: dict[int, _Doubt] = {}
        self._alarm = Alarm(context.clock, self._report_doubts)
        self._began = self._reported_until = -inf
        self._given_time: set[int] = set()
        self._unread: set[str] = set()
        self._ask_again = Alarm(context.clock, self._notify_unread)
        self._open.subscribe(
            self._on_changes, Stage.ACCEPTED, Stage.IN_DOUBT, Stage.CLOSED
        )

    def begin(self, opened: Opened, now: float) -> None:
        """Report from now on (steady time), and what was not before the last end.

        That is what had not lasted for a minute at the last moment in the ledger.
        """
        self._began = now
        if opened.clock is not None:
            self._reported_until = opened.clock.moment.steady + opened.moved
        self._given_time.clear()

    async def of(self, account_id: str) -> Found:
        """Return the undelivered messages of an account that nobody has seen.

        Raises LedgerError. If the ledger cannot be read, listeners are notified later.
        """
        try:
            found = await self._ledger.undelivered(
                account_id, tuple(self._doubts), _MOST
            )
        except LedgerUnreadableError:
            self._unread.add(account_id)
            self._ask_again.set(self._clock.now() + _ASK_AGAIN)
            raise
        fresh = [one for one in found.messages if self._is_fresh(one)]
        for one in fresh:
            self._given_time.add(one.id)
            self._wait_until(self._doubt_of_before(one))
        listed = tuple(one for one in found.messages if one not in fresh)
        return replace(found, messages=listed, total=found.total - len(fresh))

    def _is_fresh(self, message: Message) -> bool:
        """Return whether a doubt of before the start is still to be reported."""
        is_new = message.changed_at >= self._began or message.id in self._given_time
        is_doubt = message.status is Status.UNCERTAIN
        return is_doubt and not is_new and self._doubt_of_before(message).is_news

    def _doubt_of_before(self, message: Message) -> _Doubt:
        """Return a doubt of before the start, which is no news if it lasted then.

        One whose minute ended while nothing ran gets another: by then everybody
        listens.
        """
        moment = message.changed_at + self._patience
        if moment <= self._reported_until:
            return _Doubt(moment, message, is_news=False)
        if moment <= self._began:
            moment = self._began + self._patience
        return _Doubt(moment, message, is_news=True)

    def answered(self, messages: Iterable[Message]) -> None:
        """Report what ended while its caller waited, who was not refused it."""
        self._report(
            [one for one in messages if one.is_undelivered and one.status.is_final]
        )

    def refused(self, messages: Iterable[Message]) -> None:
        """Report nothing of messages that were refused to a person."""
        seen = [one for one in messages if one.is_undelivered]
        if seen:
            self._tasks.spawn(self.mark_seen(seen), "seen")

    async def mark_seen(self, messages: Sequence[Message]) -> None:
        """Take messages off the list: somebody has seen them as they are here.

        One that has another status meanwhile stays listed.
        """
        if not messages:
            return
        for message in messages:
            if doubt := self._doubts.get(message.id):
                self._doubts[message.id] = replace(doubt, is_seen=True)
        await self._ledger.mark_seen(messages)
        self._notify(messages)

    def stop(self) -> None:
        """Report no doubt any more; those of open messages are when they are loaded."""
        self._doubts.clear()
        self._alarm.stop()
        self._ask_again.stop()
        self._unread.clear()

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Report messages that ended; begin to wait for the end of a doubt."""
        ended: list[Message] = []
        for change in changes:
            message = change.after
            if change.before is not None and change.before.status is message.status:
                continue
            self._doubts.pop(message.id, None)
            if not message.is_undelivered:
                continue
            if message.status is Status.UNCERTAIN:
                self._wait_until(self._doubt(change))
            elif not self._open.is_watched(message):
                ended.append(message)
        self._report(ended)

    def _doubt(self, change: Change) -> _Doubt:
        """Return a doubt that is reported if it lasts."""
        if change.before is None:
            self._given_time.add(change.after.id)
            return self._doubt_of_before(change.after)
        moment = change.after.changed_at + self._patience
        return _Doubt(moment, change.after, is_news=True)

    def _wait_until(self, doubt: _Doubt) -> None:
        """Wait for the end of a doubt until its moment."""
        self._doubts[doubt.message.id] = doubt
        self._alarm.set(doubt.moment)

    def _report_doubts(self) -> None:
        """Report the messages that have been uncertain for long enough."""
        now = self._clock.now()
        due = [one for one in self._doubts.values() if one.moment <= now]
        for doubt in due:
            del self._doubts[doubt.message.id]
        lasting = [one for one in due if self._is_uncertain(one.message)]
        if lasting:
            # The next start is to know that they were reported.
            self._tasks.spawn(self._ledger.keep_clock(), "clock")
        self._announce([one.message for one in lasting if one.is_news])
        unseen = [one for one in lasting if not one.is_seen]
        self._report([one.message for one in unseen if one.is_news])
        self._notify(one.message for one in unseen if not one.is_news)
        if self._doubts:
            self._alarm.set(min(one.moment for one in self._doubts.values()))

    def _is_uncertain(self, message: Message) -> bool:
        """Return whether a message still is; what is sent again is queued."""
        known = self._open.get(message.id) or message
        return known.status is Status.UNCERTAIN

    def _announce(self, messages: Sequence[Message]) -> None:
        """Notify of messages that have been uncertain for long enough, as they are."""
        of_accounts: dict[str, list[Message]] = {}
        for one in messages:
            known = self._open.get(one.id) or one
            of_accounts.setdefault(known.dispatch.account, []).append(known)
        for account, doubts in of_accounts.items():
            event = DoubtLasted(account=account, messages=tuple(doubts))
            self._events.publish(event)

    def _report(self, messages: Sequence[Message]) -> None:
        """Log that messages were not delivered, and notify of it."""
        for one in messages:
            account = self._accounts.get(one.dispatch.account)
            _LOGGER.warning(
                "%s: the message to %s is %s (%s)",
                account.name if account else _NOT_LOADED,
                one.shown_number,
                one.status,
                one.error or one.detail or "no reason reported",
            )
        self._notify(messages)

    def _notify_unread(self) -> None:
        """Notify of the lists that could not be read: they may be readable by now."""
        accounts, self._unread = self._unread, set()
        for account in accounts:
            self._events.publish(UndeliveredChanged(account=account))

    def _notify(self, messages: Iterable[Message]) -> None:
        for account in dict.fromkeys(one.dispatch.account for one in messages):
            self._events.publish(UndeliveredChanged(account=account))
