"""Stopping a message before it goes out, wherever it is."""

from collections.abc import Mapping
from dataclasses import replace

from ..providers.client import Feature
from ..providers.errors import NotAcceptedError, ProviderError
from ..providers.model import Cancelling, ErrorKind, MessageRef, Status
from .account import Account
from .book import Book
from .clock import Clock
from .errors import OrderRefusedError, Refusal
from .ledger import Ledger
from .model import Message, Stage
from .tracking import Tracker


class Canceller:
    """Stops messages in our own hands, and those that wait at a provider.

    That somebody wishes to stop a message is on record before its provider is asked:
    its error is CANCELLED from then on, while it is open still. Whatever the answer,
    a report that it was not sent is then what was wanted, and no failed delivery that
    calls for another account.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        trackers: Mapping[str, Tracker],
        book: Book,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        """Stop messages of these accounts."""
        self._accounts = accounts
        self._trackers = trackers
        self._book = book
        self._ledger = ledger
        self._clock = clock

    async def cancel(self, message_id: int) -> Message:
        """Stop a message; return it as it stands then; see `Messenger.cancel`."""
        message = await self._known(message_id)
        match message.stage:
            case Stage.WAITING | Stage.HELD:
                return await self._close(message)
            case Stage.TAKEN | Stage.DOUBTFUL:
                return await self._cancel_there(message)
            case Stage.SUBMITTING | Stage.JOINED | Stage.CLOSED:
                raise OrderRefusedError(Refusal.TOO_LATE_TO_CANCEL)

    async def _cancel_there(self, message: Message) -> Message:
        """Ask the provider that has a message to stop it."""
        account = self._accounts.get(message.carrier or "")
        tracker = self._trackers.get(message.carrier or "")
        if account is None or tracker is None:
            raise OrderRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        if Feature.CANCEL not in account.provider.capabilities.features:
            raise OrderRefusedError(Refusal.CANNOT_CANCEL)
        if message.provider_id is None and message.submission is not None:
            await tracker.look_up(message.submission)
            message = await self._known(message.id)
            if message.stage is Stage.WAITING:
                # It never came there.
                return await self._close(message)
        is_early = self._clock.now() < message.dispatch.due
        if message.stage is Stage.CLOSED or not (
            is_early or message.status is Status.QUEUED
        ):
            raise OrderRefusedError(Refusal.TOO_LATE_TO_CANCEL)
        if message.provider_id is None:
            raise OrderRefusedError(Refusal.CANNOT_CANCEL)
        return await self._ask(account, tracker, message, message.provider_id)

    async def _ask(
        self, account: Account, tracker: Tracker, message: Message, provider_id: str
    ) -> Message:
        """Ask for a message that the provider knows by its id."""
        ref = MessageRef(provider_id, message.number)
        await self._mark(message, ErrorKind.CANCELLED)
        result = Cancelling.UNCERTAIN
        try:
            for answer in await account.client.cancel([ref]):
                if answer.ref == ref:
                    result = answer.result
        except NotAcceptedError:
            await self._mark(await self._known(message.id), None)
            raise
        except ProviderError:
            # It may have been carried out.
            tracker.hurry(message.submission or "")
            raise
        message = await self._known(message.id)
        if message.stage is Stage.CLOSED:
            # A report came meanwhile.
            if message.error is ErrorKind.CANCELLED:
                return message
            raise OrderRefusedError(Refusal.TOO_LATE_TO_CANCEL)
        match result:
            case Cancelling.CANCELLED:
                return await self._close(message)
            case Cancelling.NOT_CANCELLED:
                await self._mark(message, None)
                tracker.hurry(message.submission or "")
                raise OrderRefusedError(Refusal.TOO_LATE_TO_CANCEL)
            case Cancelling.UNCERTAIN:
                tracker.hurry(message.submission or "")
                return message

    async def _known(self, message_id: int) -> Message:
        """Return a message as it stands now, also if it is closed."""
        message = self._book.get(message_id) or await self._ledger.message(message_id)
        if message is None:
            raise OrderRefusedError(
                Refusal.UNKNOWN_MESSAGE, {"message_id": f"{message_id:016x}"}
            )
        return message

    async def _mark(self, message: Message, error: ErrorKind | None) -> None:
        """Put on record that a message is to be cancelled, or no more."""
        if message.stage is not Stage.CLOSED:
            now = self._clock.now()
            await self._book.change([replace(message, error=error, updated=now)])

    async def _close(self, message: Message) -> Message:
        """Close a message that will not be sent."""
        closed = replace(
            message,
            status=Status.FAILED,
            stage=Stage.CLOSED,
            error=ErrorKind.CANCELLED,
            detail=None,
            attempt_at=None,
            updated=self._clock.now(),
        )
        await self._book.change([closed])
        return closed
