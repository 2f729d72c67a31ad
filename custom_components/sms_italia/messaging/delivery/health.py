"""Which accounts can be asked to send, and how long everything waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import random

from ...providers import (
    Accepted,
    Cause,
    ErrorKind,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)
from ..clock import Clock
from ..state import (
    CredentialsRefused,
    CreditChanged,
    CreditReported,
    Events,
    HttpsRequired,
)
from .retry_rules import time_may_help

_MOST_DOUBLINGS = 30
"""Far beyond any longest pause; without a bound the numbers grow for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds between attempts and between status requests.

    `first_pause` doubles with each failure in a row up to `longest_pause`, and is
    spread by up to a fifth so that accounts do not come back in step. A status
    request comes after `first_poll`, then whenever half a message's age has passed
    again, at least every `longest_poll`, until `give_up`. A submission in doubt is
    looked up every `longest_look_up` at least, as long as its provider does not answer;
    rarer after half an hour. One that a provider does not know `never_came` seconds
    after it ended (`never_came_bulk` for a large one) never arrived. What is still
    uncertain after `report_doubt` is reported to the user.
    Messages to one number within `storm` are counted together; what is too much is
    held as long.
    """

    first_pause: float = 15
    longest_pause: float = 300
    first_poll: float = 3
    first_poll_if_pushed: float = 60
    longest_poll: float = 3600
    longest_look_up: float = 15
    never_came: float = 120
    never_came_bulk: float = 1800
    report_doubt: float = 60
    give_up: float = 72 * 3600
    storm: float = 60

    def next_poll(self, age: float, *, is_pushed: bool = False) -> float:
        """Return the seconds to wait before asking about a message of this age.

        `is_pushed` says that the provider reports by itself: polling is the safety net.
        """
        first = self.first_poll_if_pushed if is_pushed else self.first_poll
        return min(max(age / 2, first), self.longest_poll)

    def next_look_up(self, age: float) -> float:
        """Return the seconds to wait before looking up a doubt of this age."""
        longest = max(self.longest_look_up, age / 120)
        return min(max(age / 2, self.first_poll), longest, self.longest_poll)

    def next_attempt(self, age: float) -> float:
        """Return the seconds until a message of this age is tried again.

        For what no failed request says: an account of its route is not loaded yet.
        """
        return min(max(age / 2, self.first_pause), self.longest_pause)


class AccountHealth:
    """The circuit breaker of each account: open for a while after a failure.

    While it is open nothing is tried with the account: in a storm of alerts only the
    first one waits for its timeout.
    """

    def __init__(self, clock: Clock, timing: Timing, events: Events) -> None:
        """Start with every account healthy."""
        self._timing = timing
        self._clock = clock
        self._events = events
        self._open_until: dict[str, float] = {}
        self._asked_until: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._failed_at: dict[str, float] = {}
        self._when_recovered: list[Callable[[], None]] = []

    def subscribe(self, when_recovered: Callable[[], None]) -> None:
        """Call `when_recovered` when an account accepts a message after failures."""
        self._when_recovered.append(when_recovered)

    def open_until(self, account_id: str) -> float | None:
        """Return when (steady time) an account may be asked again, None if now."""
        until = self._open_until.get(account_id)
        return until if until is not None and until > self._clock.now() else None

    def has_failed_since(self, account_id: str, moment: float) -> bool:
        """Return whether an account was paused at this moment, or failed later.

        Or was detached later. The moment is one of steady time.
        """
        never = float("-inf")
        return (
            self._failed_at.get(account_id, never) >= moment
            or self._open_until.get(account_id, never) > moment
        )

    def failed(self, account_id: str, retry_after: float | None = None) -> None:
        """Pause an account; `retry_after` (seconds) is the least that it asked for.

        What fails during a pause was on the wire before: a storm is one failure.
        """
        now = self._clock.now()
        self._failed_at[account_id] = now
        if self._open_until.get(account_id, now) <= now:
            failures = self._failures.get(account_id, 0)
            self._failures[account_id] = failures + 1
            doubled = self._timing.first_pause * 2 ** min(failures, _MOST_DOUBLINGS)
            pause = min(doubled, self._timing.longest_pause)
            self._open_until[account_id] = now + pause * random.uniform(1, 1.2)  # noqa: S311 - spreads attempts, no secret
        if retry_after is not None:
            asked = max(self._asked_until.get(account_id, now), now + retry_after)
            self._asked_until[account_id] = asked
            self._open_until[account_id] = max(
                self._open_until[account_id], now + retry_after
            )

    def detached(self, account_id: str) -> None:
        """Note that an account was detached, for `has_failed_since`.

        It may be there again before the round of the outbox ends in which a message
        could not be sent for that.
        """
        self._failed_at[account_id] = self._clock.now()

    def worked(self, account_id: str) -> bool:
        """End an account's pause; return whether it had been failing."""
        self._open_until.pop(account_id, None)
        self._asked_until.pop(account_id, None)
        return self._failures.pop(account_id, None) is not None

    def forgive(self, account_id: str) -> None:
        """Forget an account's failures, but not how long its provider asked to wait."""
        asked = self._asked_until.get(account_id)
        self.worked(account_id)
        if asked is not None:
            self._asked_until[account_id] = self._open_until[account_id] = asked

    def learn(
        self, account_id: str, result: SendResult, outcomes: Sequence[Outcome]
    ) -> None:
        """Draw from an answer with these outcomes what it says of the account."""
        if result.credit is not None:
            self._events.publish(
                CreditReported(account=account_id, balance=result.credit)
            )
        if not any(isinstance(outcome, Accepted) for outcome in outcomes):
            self._learn_from_failure(account_id, outcomes[0])
            return
        if result.mode is not Mode.TEST:
            self._events.publish(CreditChanged(account=account_id))
        if self.worked(account_id):
            for when_recovered in self._when_recovered:
                when_recovered()

    def _learn_from_failure(self, account_id: str, outcome: Outcome) -> None:
        """Draw from an answer that accepted nothing what it says of the account."""
        match outcome:
            case NotSent(cause=Cause.UNSUPPORTED | Cause.PICTURE):
                # Our own client refused it; the provider was not even asked.
                pass
            case NotSent(kind=ErrorKind.AUTH):
                self._events.publish(CredentialsRefused(account=account_id))
            case NotSent(kind=kind) if not time_may_help(kind):
                self.worked(account_id)
                if kind is ErrorKind.CREDIT:
                    self._events.publish(CreditChanged(account=account_id))
            case NotSent(retry_after=retry_after, cause=cause):
                if cause is Cause.HTTPS_REQUIRED:
                    self._events.publish(HttpsRequired(account=account_id))
                self.failed(account_id, retry_after)
            case Uncertain():
                self.failed(account_id)
            case Accepted():
                pass
