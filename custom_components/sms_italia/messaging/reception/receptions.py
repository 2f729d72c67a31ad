"""The reception of all accounts that receive, and who is notified of it."""

from collections.abc import Awaitable, Callable
import logging

from ..account import Account
from ..delivery import DeliveryContext
from ..ledger import Entry, Opened
from ..model import ReceivedMessage, Target
from ..state import MessagesReceived
from .model import New, Reception, Search
from .receiver import Callbacks, Receiver
from .storage import from_record, to_record
from .transitions import searched

_LOGGER = logging.getLogger(__name__)

_WRITTEN_EVERY = 3600
"""Seconds after which a reception is written again that has nothing new."""

type Answered = Callable[[str, str, float], Awaitable[None]]
"""Takes the number, the text and the moment (steady time) of an SMS that came in."""


class Receptions:
    """Searches the accounts that receive, and hands on each SMS once.

    An escalation learns of it first, then listeners of `events`. What comes before Home
    Assistant has started is news for them only then, when automations listen. What was
    seen is in memory and in the ledger.
    """

    def __init__(
        self,
        context: DeliveryContext,
        *,
        is_awaited: Callable[[], bool],
        answered: Answered,
    ) -> None:
        """Start without accounts; `is_awaited` returns whether an answer is."""
        self._context = context
        self._callbacks = Callbacks(
            known=self._known, is_awaited=is_awaited, found=self._found
        )
        self._answered = answered
        self._receivers: dict[str, Receiver] = {}
        self._receptions: dict[str, Reception | None] = {}
        self._written: dict[str, float] = {}
        self._held: list[MessagesReceived] | None = []
        self._is_trusted = True

    def load(self, opened: Opened) -> None:
        """Take note of how the ledger was opened.

        What a backup has seen is out of date, and what a ledger has that was opened
        late is by another clock: searches begin with a baseline.
        """
        self._is_trusted = not (opened.is_restored or opened.moved)

    def attach(self, account: Account) -> None:
        """Search an account from now on, or no more, as its options say."""
        receiver = self._receivers.get(account.id)
        if not account.receives:
            self.detach(account.id)
        elif receiver is None:
            self._receivers[account.id] = Receiver(
                account, self._context, self._callbacks
            )
        else:
            receiver.account = account

    def detach(self, account_id: str) -> None:
        """Search an account no more, if it was."""
        if (receiver := self._receivers.pop(account_id, None)) is not None:
            receiver.stop()

    def forget(self, account_id: str) -> None:
        """Forget what an account received."""
        self._receptions.pop(account_id, None)

    def hurry(self, account_id: str) -> None:
        """Search an account soon: it is said that something came in."""
        if (receiver := self._receivers.get(account_id)) is not None:
            receiver.hurry()

    def hurry_all(self) -> None:
        """Search all accounts soon: an answer is awaited from now on."""
        for receiver in self._receivers.values():
            receiver.hurry()

    def started(self) -> None:
        """Notify of what came in while Home Assistant started."""
        held, self._held = self._held, None
        for news in held or ():
            self._context.events.publish(news)

    def stop(self) -> None:
        """Search nothing more; what was seen is in the ledger."""
        for account_id in tuple(self._receivers):
            self.detach(account_id)

    def clear(self) -> None:
        """Forget all; the ledger has it."""
        self._receptions.clear()

    async def _known(self, account_id: str) -> Reception | None:
        """Return what is known of an account after the last search, None if nothing."""
        if account_id not in self._receptions:
            self._receptions[account_id] = await self._stored(account_id)
        return self._receptions[account_id]

    async def _stored(self, account_id: str) -> Reception | None:
        if not self._is_trusted:
            return None
        record = await self._context.ledger.reception(account_id)
        try:
            return None if record is None else from_record(record)
        except (ValueError, TypeError, KeyError) as err:
            _LOGGER.error("A reception cannot be read: %s", type(err).__name__)  # noqa: TRY400 - one line says it
            return None

    async def _found(self, search: Search) -> None:
        """Hand on what is new in a search, then keep that it was seen."""
        after, new = searched(await self._known(search.account), search)
        for one in new:
            if one.number is not None:
                await self._answered(one.number, one.text, one.at)
        if new:
            self._publish(search.account, new)
        self._keep(after)

    def _keep(self, after: Reception) -> None:
        """Keep what was seen, on disk if there is more or it is long ago."""
        before = self._receptions[after.account]
        self._receptions[after.account] = after
        is_old = after.began - self._written.get(after.account, 0) > _WRITTEN_EVERY
        if before is None or _counts(before) != _counts(after) or is_old:
            self._written[after.account] = after.began
            self._context.ledger.note(Entry(receptions=[to_record(after)]))

    def _publish(self, account_id: str, new: list[New]) -> None:
        news = MessagesReceived(
            account=account_id,
            messages=tuple(self._message(account_id, one) for one in new),
        )
        if self._held is None:
            self._context.events.publish(news)
        else:
            self._held.append(news)

    def _message(self, account_id: str, new: New) -> ReceivedMessage:
        account = self._context.accounts.get(account_id)
        return ReceivedMessage(
            number=new.number,
            text=new.text,
            recipient=_recipient_of(account, new.number) if account else None,
        )


def _counts(reception: Reception) -> dict[str, int]:
    return {key: one.count for key, one in reception.seen.items()}


def _recipient_of(account: Account, number: str | None) -> str | None:
    """Return the ID of the recipient with a number, None if there is none."""
    for recipient, targets in account.recipients.items():
        for target in targets:
            if isinstance(target, Target) and target.number.e164 == number:
                return recipient
    return None
