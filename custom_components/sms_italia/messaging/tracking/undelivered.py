"""Reporting what was not delivered, so that nothing ends in silence."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
import logging

from ...providers import Status
from ..alarm import Alarm
from ..delivery import DeliveryContext
from ..ledger import Found
from ..model import Message, Stage
from ..state import Change, UndeliveredChanged

_LOGGER = logging.getLogger(__name__)

_MOST = 1000
"""Messages of an account that are listed at most."""


class Undelivered:
    """Reports messages that were not delivered, and lists those that nobody has seen.

    A message is reported once: by a warning in the log and an `UndeliveredChanged`. One
    that ends while its caller waits is reported only if `answered` says so. The list
    stands in the ledger.
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
        self._doubts: dict[int, tuple[float, Message]] = {}
        self._alarm = Alarm(context.clock, self._report_doubts)
        self._began = context.clock.wall()
        self._given_time: set[int] = set()
        self._open.subscribe(
            self._on_changes, Stage.ACCEPTED, Stage.IN_DOUBT, Stage.CLOSED
        )

    async def of(self, account_id: str) -> Found:
        """Return the undelivered messages of an account that nobody has seen.

        Raises LedgerError.
        """
        found = await self._ledger.undelivered(account_id, tuple(self._doubts), _MOST)
        fresh = [one for one in found.messages if self._is_fresh(one)]
        for one in fresh:
            age = self._clock.wall() - one.updated
            self._given_time.add(one.id)
            self._wait_until(self._clock.now() + self._patience - age, one)
        listed = tuple(one for one in found.messages if one not in fresh)
        return replace(found, messages=listed, total=found.total - len(fresh))

    def _is_fresh(self, message: Message) -> bool:
        """Return whether a doubt of before a restart is to be given more time."""
        if message.id in self._given_time:
            return False
        is_of_before = message.updated <= self._began
        age = self._clock.wall() - message.updated
        is_young = 0 <= age < self._patience
        return message.status is Status.UNCERTAIN and is_of_before and is_young

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
            self._doubts.pop(message.id, None)
        await self._ledger.mark_seen(messages)
        for account in {one.dispatch.account for one in messages}:
            self._events.publish(UndeliveredChanged(account=account))

    def stop(self) -> None:
        """Report no doubt any more; those of open messages are when they are loaded."""
        self._doubts.clear()
        self._alarm.stop()
        self._began = self._clock.wall()

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
                self._wait_until(message.changed_at + self._patience, message)
            elif not self._open.is_watched(message):
                ended.append(message)
        self._report(ended)

    def _wait_until(self, moment: float, message: Message) -> None:
        """Wait for the end of a doubt until this moment of steady time."""
        self._doubts[message.id] = (moment, message)
        self._alarm.set(moment)

    def _report_doubts(self) -> None:
        """Report the messages that have been uncertain for long enough."""
        now = self._clock.now()
        due = [one for moment, one in self._doubts.values() if moment <= now]
        for message in due:
            del self._doubts[message.id]
        self._report([one for one in due if self._is_uncertain(one)])
        if self._doubts:
            self._alarm.set(min(moment for moment, _ in self._doubts.values()))

    def _is_uncertain(self, message: Message) -> bool:
        """Return whether a message still is; what is sent again is queued."""
        known = self._open.get(message.id) or message
        return known.status is Status.UNCERTAIN

    def _report(self, messages: Sequence[Message]) -> None:
        """Log that messages were not delivered, and notify of it."""
        by_account: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_account[message.dispatch.account].append(message)
        for account_id, of_account in by_account.items():
            account = self._accounts.get(account_id)
            for one in of_account:
                _LOGGER.warning(
                    "%s: the message to %s is %s (%s)",
                    account.name if account else account_id,
                    one.shown_number,
                    one.status,
                    one.error or one.detail or "no reason reported",
                )
            self._events.publish(UndeliveredChanged(account=account_id))
