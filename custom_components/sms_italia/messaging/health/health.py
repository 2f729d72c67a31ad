"""How each account is: healthy, suspect, or left alone for a while."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from math import inf

from ...providers import Accepted, Cause, ErrorKind, NotSent, Outcome, Uncertain
from ..alarm import Alarm
from ..clock import Clock
from .admission import ANSWERING, SUSPECT, Condition, OpenRequest
from .timing import Timing

_PAUSED = NotSent(kind=ErrorKind.UNAVAILABLE, detail="paused")


class Ending(Enum):
    """How a request to send ended, as far as that says something of the account."""

    ANSWERED = auto()
    UNREACHABLE = auto()
    """It certainly did not reach the provider."""
    DOUBT = auto()
    NOT_ASKED = auto()
    """There was no request: our own client refused it, or it was not made."""


@dataclass(slots=True, eq=False)
class Sending:
    """A request to send, which `began` at this moment of steady time.

    `outcomes` are those of its messages, as far as is known. `was_admitted` says that
    it used up what a probe admitted.
    """

    clock: Clock
    began: float
    was_admitted: bool = False
    outcomes: Sequence[Outcome] = ()

    def begin(self) -> None:
        """Note that the request leaves now: until it ends, it may have been accepted.

        What came before, such as a slow disk, is not the provider's fault.
        """
        self.began = self.clock.now()
        self.outcomes = (Uncertain(detail="interrupted"),)


class AccountHealth:
    """The circuit breaker of one account.

    The account is suspect while a request is unanswered for too long, or if its last
    one did not reach the provider or ended in doubt. Only an answer ends that, to a
    send or to a probe (a harmless question): the time that passes proves nothing.

    A probe shows that the line is there, and not that sends work. So it lets one
    message go, and the answer to that one lets the others go. If two in a row do not
    reach the provider, probes count for nothing for a while, longer each time.
    """

    def __init__(
        self, clock: Clock, timing: Timing, on_change: Callable[[], None]
    ) -> None:
        """Start healthy; `on_change` is called whenever that changes."""
        self._clock = clock
        self._timing = timing
        self._on_change = on_change
        self._alarm = Alarm(clock, self._look)
        self._sendings: list[Sending] = []
        self._answered_at = -inf
        self._suspected: Condition | None = None
        self._suspected_at = -inf
        self._admits_one = False
        self._is_let_down = False
        self._distrust = 0.0
        self._trusts_probes_at = -inf
        self._refused: NotSent | None = None
        self._asked_to_wait: NotSent | None = None
        self._wait = 0.0
        self._doubts: list[float] = []
        self._behind = 0.0
        self._behind_until = -inf
        self.wait_until = -inf
        """When the provider may be asked again, in steady time."""
        self._is_stopped = False
        self._known = self._state()

    @property
    def condition(self) -> Condition:
        """What the account's last requests say of it now."""
        now = self._clock.now()
        suspected = Condition.UNANSWERED if self._hangs(now) else self._suspected
        if self.wait_until > now:
            return Condition.THROTTLED
        if suspected is not None and not self._admits_one:
            return suspected
        if suspected is Condition.UNANSWERED:
            return Condition.ADMITTING
        if self._refused is not None:
            return Condition.REFUSING
        return Condition.BEHIND if self._behind_until > now else Condition.HEALTHY

    @property
    def open_request(self) -> OpenRequest:
        """Whether requests to send are open, and how long the last one is."""
        if not self._sendings:
            return OpenRequest.NONE
        is_young = self._hangs_from(self._sendings[-1]) > self._clock.now()
        return OpenRequest.YOUNG if is_young else OpenRequest.HANGING

    @property
    def is_answering(self) -> bool:
        """Whether the account answers, as far as anybody knows."""
        return self.condition in ANSWERING

    @property
    def is_being_tried(self) -> bool:
        """Whether the answer to a request will soon say if it can be reached."""
        is_young = self.open_request is OpenRequest.YOUNG
        return is_young and self.condition is Condition.UNREACHABLE

    @property
    def refusal(self) -> NotSent:
        """Why a message is not sent now."""
        reasons = {
            Condition.THROTTLED: self._asked_to_wait,
            Condition.REFUSING: self._refused,
        }
        return reasons.get(self.condition) or _PAUSED

    @contextmanager
    def sending(self) -> Iterator[Sending]:
        """Note that a request to send is made, and draw from its end what that says.

        It uses up what a probe admitted.
        """
        sending = Sending(self._clock, self._clock.now(), self._admits_one)
        self._sendings.append(sending)
        self._admits_one = False
        self._look()
        try:
            yield sending
        finally:
            self._sendings.remove(sending)
            self._learn(sending)
            self._look()

    def probed(self, began: float) -> None:
        """Note that a probe which began at this moment was answered.

        It counts only for what it could have met: not for a request that did not hang
        yet, nor for a suspicion that came later. It lets one message go; the account
        is healed at once if the last send was a doubt that hangs no more.
        """
        later = (self._hangs_from(one) for one in self._sendings)
        if began < max([self._suspected_at, self._trusts_probes_at, *later]):
            return
        if self._sendings or self._suspected is Condition.UNREACHABLE:
            self._admits_one = True
        else:
            self._heal()
        self._look()

    def stop(self) -> None:
        """Report no change any more; requests may still end."""
        self._is_stopped = True
        self._alarm.stop()

    def _learn(self, sending: Sending) -> None:
        """Draw from how a request ended what that says of the account.

        Of one that hung before another one was answered, no news comes any more.
        """
        now, ending = self._clock.now(), _ending_of(sending.outcomes)
        is_news = min(now, self._hangs_from(sending)) >= self._answered_at
        match ending:
            case Ending.ANSWERED:
                self._answered_at = now
                self._is_let_down, self._distrust = False, 0.0
                self._heal()
            case Ending.DOUBT:
                self._count_doubt(now)
                if is_news:
                    self._suspect(Condition.UNANSWERED, now)
            case Ending.UNREACHABLE if is_news:
                self._suspect(Condition.UNREACHABLE, now)
                if sending.was_admitted:
                    self._count_let_down(now)
            case Ending.NOT_ASKED if sending.was_admitted:
                self._admits_one = self._suspected is Condition.UNREACHABLE
            case Ending.UNREACHABLE | Ending.NOT_ASKED:
                pass
        self._learn_refusal(ending, sending.outcomes, now)

    def _hangs_from(self, sending: Sending) -> float:
        return sending.began + self._timing.unanswered

    def _hangs(self, now: float) -> bool:
        """Return whether a request hangs, and none was answered since it does."""
        # In a storm this is asked for each of many: by a plain loop.
        unanswered = self._timing.unanswered
        first, last = self._answered_at - unanswered, now - unanswered
        for one in self._sendings:  # noqa: SIM110 - as above
            if first <= one.began <= last:
                return True
        return False

    def _suspect(self, condition: Condition, now: float) -> None:
        self._suspected, self._suspected_at = condition, now
        self._admits_one = False

    def _heal(self) -> None:
        self._suspected = None
        self._admits_one = False

    def _count_doubt(self, now: float) -> None:
        """Stay behind the healthy accounts after two doubts; longer each time."""
        recent = [one for one in self._doubts if one > now - self._timing.doubts]
        self._doubts = [*recent, now]
        if not recent:
            self._behind = 0.0
        elif self._behind_until <= now:
            doubled = self._behind * 2 or self._timing.first_behind
            self._behind = min(doubled, self._timing.doubts)
        self._behind_until = now + self._behind if recent else self._behind_until

    def _count_let_down(self, now: float) -> None:
        """Note that a probe was answered, and the message that it let go was not.

        From the second time on, messages wait for their own moments.
        """
        if self._is_let_down:
            doubled = self._distrust * 2 or self._timing.first_behind
            self._distrust = min(doubled, self._timing.doubts)
            self._trusts_probes_at = now + self._distrust
        self._is_let_down = True

    def _learn_refusal(
        self, ending: Ending, outcomes: Sequence[Outcome], now: float
    ) -> None:
        """Note that the provider refuses the account, or asks to wait."""
        refusals = [one for one in outcomes if isinstance(one, NotSent)]
        throttling = [one for one in refusals if _asks_to_wait(one)]
        if throttling:
            self._wait_for(throttling[0], now)
        if ending is not Ending.ANSWERED:
            return
        if not throttling:
            self._wait = 0.0
        kinds = (ErrorKind.AUTH, ErrorKind.CREDIT)
        refusing = [one for one in refusals if one.kind in kinds]
        is_whole = len(refusing) == len(outcomes)
        self._refused = refusing[0] if is_whole else None

    def _wait_for(self, refusal: NotSent, now: float) -> None:
        """Leave the provider alone for as long as it asks, within bounds."""
        timing = self._timing
        if self.wait_until <= now:
            doubled = max(timing.first_pause, self._wait * 2)
            self._wait = min(doubled, timing.longest_pause)
        wait = self._wait
        if refusal.retry_after is not None:
            least = self._wait * timing.shortest_wait / timing.first_pause
            wait = max(refusal.retry_after, least)
        self.wait_until = max(self.wait_until, now + min(wait, timing.longest_wait))
        self._asked_to_wait = refusal

    def _state(self) -> tuple[Condition, OpenRequest | None]:
        """Return what is reported; open requests matter only where it is suspect."""
        condition = self.condition
        return condition, self.open_request if condition in SUSPECT else None

    def _look(self) -> None:
        """Report a change, and look again when time alone may bring the next one."""
        if self._is_stopped:
            return
        now, state = self._clock.now(), self._state()
        if state != self._known:
            self._known = state
            self._on_change()
        begun = now - self._timing.unanswered
        young = [one.began for one in self._sendings if one.began > begun]
        moments = [min(young) + self._timing.unanswered] if young else []
        if self.wait_until > now:
            moments.append(self.wait_until)
        if moments:
            self._alarm.set(min(moments))


class HealthRegistry:
    """The health of each account, which begins anew when the account is attached."""

    def __init__(self, clock: Clock, timing: Timing) -> None:
        """Start with every account healthy."""
        self._clock = clock
        self._timing = timing
        self._accounts: dict[str, AccountHealth] = {}
        self._subscribers: list[Callable[[str], None]] = []

    def subscribe(self, subscriber: Callable[[str], None]) -> None:
        """Call `subscriber` with an account's ID whenever its condition changes."""
        self._subscribers.append(subscriber)

    def of(self, account_id: str) -> AccountHealth:
        """Return the health of an account."""
        if (known := self._accounts.get(account_id)) is None:
            on_change = partial(self._changed, account_id)
            known = AccountHealth(self._clock, self._timing, on_change)
            self._accounts[account_id] = known
        return known

    def _changed(self, account_id: str) -> None:
        """Notify the subscribers at once, but of whatever led to the change."""
        asyncio.get_running_loop().call_soon(self._notify, account_id)

    def _notify(self, account_id: str) -> None:
        for subscriber in self._subscribers:
            subscriber(account_id)

    def forget(self, account_id: str) -> None:
        """Begin anew with an account; what hangs counts no more."""
        if (known := self._accounts.pop(account_id, None)) is not None:
            known.stop()

    def stop(self) -> None:
        """Forget all accounts."""
        for account_id in tuple(self._accounts):
            self.forget(account_id)


def _ending_of(outcomes: Sequence[Outcome]) -> Ending:
    """Return how a request ended whose messages have these outcomes."""
    endings = {_ending(outcome) for outcome in outcomes}
    for ending in (Ending.ANSWERED, Ending.DOUBT, Ending.UNREACHABLE):
        if ending in endings:
            return ending
    return Ending.NOT_ASKED


def _ending(outcome: Outcome) -> Ending:
    match outcome:
        case NotSent(cause=Cause.UNSUPPORTED | Cause.PICTURE):
            return Ending.NOT_ASKED
        case NotSent(kind=ErrorKind.UNAVAILABLE):
            return Ending.UNREACHABLE
        case Uncertain():
            return Ending.DOUBT
        case Accepted() | NotSent():
            return Ending.ANSWERED


def _asks_to_wait(refusal: NotSent) -> bool:
    is_throttled = refusal.kind is ErrorKind.THROTTLED
    return is_throttled or refusal.retry_after is not None
