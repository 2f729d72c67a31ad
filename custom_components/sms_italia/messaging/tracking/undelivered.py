"""Reporting what was not delivered, so that nothing ends in silence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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

_NOT_LOADED = "an account that is not loaded"


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A message that is uncertain, and when that is reported if it still is.

    One that `is_news` is logged then.
    """

    moment: float
    message: Message
    is_news: bool


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
        self._doubts: dict[int, _Doubt] = {}
        self._alarm = Alarm(context.clock, self._report_doubts)
        self._open.subscribe(
            self._on_changes, Stage.ACCEPTED, Stage.IN_DOUBT, Stage.CLOSED
        )

    async def of(self, account_id: str) -> Found:
        """Return the undelivered messages of an account that nobody has seen.

        Raises LedgerError.
        """
        return await self._ledger.undelivered(account_id, tuple(self._doubts), _MOST)

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
        self._notify(messages)

    def stop(self) -> None:
        """Report no doubt any more; those of open messages are when they are loaded."""
        self._doubts.clear()
        self._alarm.stop()

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
                self._wait_for_end(message, is_loaded=change.before is None)
            elif not self._open.is_watched(message):
                ended.append(message)
        self._report(ended)

    def _wait_for_end(self, message: Message, *, is_loaded: bool) -> None:
        """Report a doubt if it lasts; one that did before the start is no news."""
        moment = message.changed_at + self._patience
        is_news = not is_loaded or moment > self._clock.now()
        self._doubts[message.id] = _Doubt(moment, message, is_news)
        self._alarm.set(moment)

    def _report_doubts(self) -> None:
        """Report the messages that have been uncertain for long enough."""
        now = self._clock.now()
        due = [one for one in self._doubts.values() if one.moment <= now]
        for doubt in due:
            del self._doubts[doubt.message.id]
        lasting = [one for one in due if self._is_uncertain(one.message)]
        self._report([one.message for one in lasting if one.is_news])
        self._notify(one.message for one in lasting if not one.is_news)
        if self._doubts:
            self._alarm.set(min(one.moment for one in self._doubts.values()))

    def _is_uncertain(self, message: Message) -> bool:
        """Return whether a message still is; what is sent again is queued."""
        known = self._open.get(message.id) or message
        return known.status is Status.UNCERTAIN

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

    def _notify(self, messages: Iterable[Message]) -> None:
        for account in dict.fromkeys(one.dispatch.account for one in messages):
            self._events.publish(UndeliveredChanged(account=account))
