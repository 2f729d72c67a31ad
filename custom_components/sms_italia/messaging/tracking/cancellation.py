"""Cancelling a message before it is sent, wherever it is."""

from collections.abc import Mapping

from ...providers import (
    Cancelling,
    ErrorKind,
    Feature,
    MessageRef,
    NotAcceptedError,
    ProviderError,
    Status,
)
from ..account import Account
from ..delivery import DeliveryContext
from ..errors import Refusal, RequestRefusedError
from ..model import Message, Stage
from ..state.transitions import cancel_refused, cancel_requested, cancelled
from .tracker import Tracker


class Cancellation:
    """Cancels messages in our own hands, and those that wait at a provider.

    That a message is to be cancelled is recorded before its provider is asked: its
    error is CANCELLED from then on, while it is open still. Whatever the answer, a
    report that it was not sent is then what the user wants, and no failed delivery that
    calls for another account.
    """

    def __init__(
        self, context: DeliveryContext, trackers: Mapping[str, Tracker]
    ) -> None:
        """Cancel messages of the attached accounts."""
        self._accounts = context.accounts
        self._trackers = trackers
        self._open = context.open_messages
        self._ledger = context.ledger
        self._clock = context.clock

    def is_possible(self, message: Message) -> bool:
        """Return whether a message can be cancelled, as far as is known here."""
        match message.stage:
            case Stage.WAITING | Stage.HELD:
                return True
            case Stage.ACCEPTED | Stage.IN_DOUBT:
                account = self._accounts.get(message.last_account or "")
                can_ask = account is not None and account.has(Feature.CANCEL)
                return can_ask and self._is_unsent(message)
            case Stage.SUBMITTING | Stage.JOINED | Stage.CLOSED:
                return False

    def _is_unsent(self, message: Message) -> bool:
        """Return whether the provider that has a message did not send it yet."""
        is_early = message.dispatch.is_early(self._clock.now())
        return is_early or message.status is Status.QUEUED

    async def cancel(self, message_id: int) -> Message:
        """Cancel a message; return it as it stands then; see `Messenger.cancel`."""
        message = await self._known(message_id)
        match message.stage:
            case Stage.WAITING | Stage.HELD:
                return await self._close(message)
            case Stage.ACCEPTED | Stage.IN_DOUBT:
                return await self._cancel_there(message)
            case Stage.SUBMITTING | Stage.JOINED | Stage.CLOSED:
                raise RequestRefusedError(Refusal.TOO_LATE_TO_CANCEL)

    async def _cancel_there(self, message: Message) -> Message:
        """Ask the provider that has a message to cancel it."""
        account = self._accounts.get(message.last_account or "")
        tracker = self._trackers.get(message.last_account or "")
        if account is None or tracker is None:
            raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        if not account.has(Feature.CANCEL):
            raise RequestRefusedError(Refusal.CANNOT_CANCEL)
        if message.provider_id is None and message.submission is not None:
            message = await self._find(tracker, message, message.submission)
            if message.stage is Stage.CLOSED and message.error is ErrorKind.CANCELLED:
                return message
        if message.stage is Stage.CLOSED or not self._is_unsent(message):
            raise RequestRefusedError(Refusal.TOO_LATE_TO_CANCEL)
        if message.provider_id is None:
            raise RequestRefusedError(Refusal.CANNOT_CANCEL)
        return await self._ask(account, tracker, message, message.provider_id)

    async def _find(
        self, tracker: Tracker, message: Message, submission: str
    ) -> Message:
        """Look for a message at its provider; return it as it stands then.

        One that never arrived there is closed, and not sent again meanwhile.
        """
        await self._change(cancel_requested(message, self._clock.moment()))
        try:
            await tracker.look_up(submission)
        finally:
            message = await self._known(message.id)
            if message.stage is not Stage.CLOSED:
                message = cancel_refused(message, self._clock.moment())
                await self._change(message)
        return message

    async def _ask(
        self, account: Account, tracker: Tracker, message: Message, provider_id: str
    ) -> Message:
        """Ask to cancel a message that the provider knows by its ID."""
        await self._change(cancel_requested(message, self._clock.moment()))
        try:
            result = await _ask_provider(account, message, provider_id)
        except NotAcceptedError:
            message = await self._known(message.id)
            await self._change(cancel_refused(message, self._clock.moment()))
            raise
        except ProviderError:
            # It may have been cancelled.
            tracker.hurry(message.submission or "")
            raise
        message = await self._known(message.id)
        if message.stage is Stage.CLOSED:
            # A report came meanwhile.
            if message.error is ErrorKind.CANCELLED:
                return message
            raise RequestRefusedError(Refusal.TOO_LATE_TO_CANCEL)
        match result:
            case Cancelling.CANCELLED:
                return await self._close(message)
            case Cancelling.NOT_CANCELLED:
                await self._change(cancel_refused(message, self._clock.moment()))
                tracker.hurry(message.submission or "")
                raise RequestRefusedError(Refusal.TOO_LATE_TO_CANCEL)
            case Cancelling.UNCERTAIN:
                tracker.hurry(message.submission or "")
                return message

    async def _known(self, message_id: int) -> Message:
        """Return a message as it stands now, also if it is closed."""
        message = self._open.get(message_id) or await self._ledger.message(message_id)
        if message is None:
            raise RequestRefusedError(
                Refusal.UNKNOWN_MESSAGE, {"message_id": f"{message_id:016x}"}
            )
        return message

    async def _change(self, message: Message) -> None:
        if message.stage is not Stage.CLOSED:
            await self._open.change([message])

    async def _close(self, message: Message) -> Message:
        """Close a message that will not be sent."""
        closed = cancelled(message, self._clock.moment())
        await self._open.change([closed])
        return closed


async def _ask_provider(
    account: Account, message: Message, provider_id: str
) -> Cancelling:
    """Ask a provider to cancel a message; return what it answers of it."""
    ref = MessageRef(provider_id, message.number)
    answers = await account.client.cancel([ref])
    results = (answer.result for answer in answers if answer.ref == ref)
    return next(results, Cancelling.UNCERTAIN)
