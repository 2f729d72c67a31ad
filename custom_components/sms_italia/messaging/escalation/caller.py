"""Whether members can be called, and the one request that calls one."""

from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
import logging
from math import inf

from ..compose import has_room
from ..delivery import DeliveryContext
from ..errors import Refusal, RequestRefusedError
from ..model import SendRequest
from ..state import CallRefused, DailyLimitReached
from .calls import FindMember, account_for, request_of, texts_of_call
from .model import Availability, Copy, Member, Run

_LOGGER = logging.getLogger(__name__)

_LOADING = 60
"""Seconds that an account has to be loaded after Home Assistant has started."""


class CallResult(StrEnum):
    """What came of the request that calls a member."""

    SENT = "sent"
    """What happens to its messages is news of `OpenMessages`."""
    REFUSED = "refused"
    """As a whole, for good."""
    NOT_YET = "not_yet"
    """No account is there; it can be tried again."""


type Send = Callable[[SendRequest], Awaitable[None]]


class Caller:
    """Sends copies to members, each once, by the one way of every send."""

    def __init__(
        self, context: DeliveryContext, send: Send, find_member: FindMember
    ) -> None:
        """Start while Home Assistant starts; nothing is on its way."""
        self._accounts = context.accounts
        self._open = context.open_messages
        self._events = context.events
        self._clock = context.clock
        self._send = send
        self._find_member = find_member
        self._in_flight: set[int] = set()
        self._started_at: float | None = None

    def started(self) -> None:
        """Note that Home Assistant has started."""
        self._started_at = self._clock.now()

    def name_of(self, member: Member) -> str:
        """Return the name of a member, "" if it was removed."""
        details = self._find_member(member)
        return details.name if details else ""

    def availability(self, run: Run, member: Member) -> Availability:
        """Return whether a member can be called now, whose turn it is."""
        turn = self._clock.now() if run.waits_since is None else run.waits_since
        return self._availability(member, turn)

    def _availability(self, member: Member, turn: float) -> Availability:
        """Return whether a member can be sent something that was due at a moment."""
        details = self._find_member(member)
        if details is None:
            return Availability.GONE
        if account_for(member, details, self._accounts) is not None:
            return Availability.READY
        is_late = self._clock.now() >= self._loaded_until(member, turn)
        return Availability.GONE if is_late else Availability.LATER

    def texts_for(self, run: Run, member: Member) -> Iterator[tuple[int, ...]]:
        """Go over the texts of a run, by index, as the copies of a call carry them."""
        details = self._find_member(member)
        if details is None:
            return
        account = account_for(member, details, self._accounts)
        if account is not None:
            yield from texts_of_call(run, account, self._accounts)

    def can_send(self, member: Member, copy: Copy) -> bool:
        """Return whether a copy is to be sent, and an account is there for it."""
        if not copy.is_unsent or copy.dispatch in self._in_flight:
            return False
        details = self._find_member(member)
        return (
            details is not None
            and account_for(member, details, self._accounts) is not None
        )

    def cannot_send(self, run: Run, member: Member, copy: Copy) -> bool:
        """Return whether nobody can send a copy any more.

        Its account has time until the run's last wait is over, and a minute.
        """
        if not copy.is_unsent or copy.dispatch in self._in_flight:
            return False
        turn = max(call.at for call in run.calls) + run.plan.wait
        if run.ended is not None:
            turn = run.ended
        return self._availability(member, turn) is Availability.GONE

    async def call(self, run: Run, member: Member, copy: Copy) -> CallResult:
        """Send a copy to a member; return what came of the request."""
        details = self._find_member(member)
        if details is None:
            return CallResult.NOT_YET
        account = account_for(member, details, self._accounts)
        if account is None:
            return CallResult.NOT_YET
        self._in_flight.add(copy.dispatch)
        try:
            await self._send(request_of(run, copy, account, member, details))
        except RequestRefusedError as err:
            return self._refused(account.id, err)
        except Exception as err:  # noqa: BLE001 - a fault of ours must not stop a run
            # The exception itself may carry what must not be logged.
            _LOGGER.error("Calling failed: %s", type(err).__name__)  # noqa: TRY400 - same reason
            return CallResult.REFUSED
        finally:
            self._in_flight.discard(copy.dispatch)
        if not has_room(account, self._open.committed_parts(account.id), 0):
            limit = account.options.daily_limit
            self._events.publish(DailyLimitReached(account=account.id, limit=limit))
        return CallResult.SENT

    def _refused(self, account_id: str, err: RequestRefusedError) -> CallResult:
        """Return what a refusal means: an account may be loaded again."""
        if err.reason is Refusal.ACCOUNT_NOT_LOADED:
            return CallResult.NOT_YET
        self._events.publish(CallRefused(account=account_id, error=err))
        return CallResult.REFUSED

    def _loaded_until(self, member: Member, turn: float) -> float:
        """Return until when (steady time) a member's account is waited for.

        One that is being reloaded has a minute from its turn on.
        """
        if self._started_at is None:
            return inf
        is_expected = self._accounts.is_expected(member.account)
        since = max(self._started_at, turn) if is_expected else self._started_at
        return since + _LOADING
