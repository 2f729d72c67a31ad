"""How long things wait: accounts that failed, and messages whose fate is open."""

from dataclasses import dataclass
import random

from .clock import Clock

_MOST_DOUBLINGS = 30
"""Far beyond any longest rest; without a bound the numbers grow for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between attempts and between status questions.

    `first_rest` doubles with each failure in a row up to `longest_rest`, and is
    spread by up to a fifth so that accounts do not come back in step. A status
    question comes after `first_poll`, then whenever half a message's age has gone
    by again, at least every `longest_poll`, until `give_up`. A submission that a
    provider does not know `never_came` seconds after it was made never came there;
    one that the provider works on after it has answered, `never_came_in_bulk`.
    Messages to one number within `storm` are counted together; what is too much is
    held as long.
    """

    first_rest: float = 15
    longest_rest: float = 300
    first_poll: float = 3
    first_poll_if_told: float = 60
    longest_poll: float = 3600
    never_came: float = 120
    never_came_in_bulk: float = 1800
    give_up: float = 72 * 3600
    storm: float = 60

    def next_poll(self, age: float, *, told: bool = False) -> float:
        """Return the seconds to wait before asking about a message of this age.

        `told` says that the provider is to tell by itself: asking is the safety net.
        """
        first = self.first_poll_if_told if told else self.first_poll
        return min(max(age / 2, first), self.longest_poll)

    def next_attempt(self, age: float) -> float:
        """Return the seconds until a message of this age is offered again.

        For what no failed request says: an account of its way is not there yet.
        """
        return min(max(age / 2, self.first_rest), self.longest_rest)


class Rests:
    """Which accounts rest after a failure, and until when.

    While an account rests nothing is tried with it: in a storm of alerts only the
    first one waits for its timeout. All is reckoned by the monotonic clock: a rest is
    no longer because the time was set.
    """

    def __init__(self, clock: Clock, pace: Pace) -> None:
        """Start with no account resting."""
        self.pace = pace
        self._clock = clock
        self._until: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._failed_at: dict[str, float] = {}

    def until(self, account: str) -> float | None:
        """Return the time until which an account rests, None if it does not.

        In seconds since the epoch, by what the clock shows now.
        """
        left = self._left(account)
        return None if left is None else self._clock.now() + left

    def _left(self, account: str) -> float | None:
        """Return for how many seconds an account rests, None if it does not."""
        left = self._until.get(account, 0) - self._clock.monotonic()
        return left if left > 0 else None

    def has_failed_since(self, account: str, moment: float) -> bool:
        """Tell whether an account rested at this moment, or failed or was gone later.

        The moment is one of the monotonic clock.
        """
        never = float("-inf")
        return (
            self._failed_at.get(account, never) >= moment
            or self._until.get(account, never) > moment
        )

    def failed(self, account: str, retry_after: float | None = None) -> None:
        """Let an account rest; `retry_after` is the least that it asked for.

        What fails while it rests was on the wire before: a storm is one failure.
        """
        now = self._clock.monotonic()
        self._failed_at[account] = now
        if self._left(account) is None:
            failures = self._failures.get(account, 0)
            self._failures[account] = failures + 1
            doubled = self.pace.first_rest * 2 ** min(failures, _MOST_DOUBLINGS)
            rest = min(doubled, self.pace.longest_rest)
            self._until[account] = now + rest * random.uniform(1, 1.2)  # noqa: S311 - spreads attempts, no secret
        if retry_after is not None:
            asked = self._asked.get(account, now)
            self._asked[account] = max(asked, now + retry_after)
            self._until[account] = max(self._until[account], now + retry_after)

    def gone(self, account: str) -> None:
        """Note that an account was let go, as `has_failed_since` tells.

        It may be there again before the round of the outbox ends in which a message
        could not go out for that.
        """
        self._failed_at[account] = self._clock.monotonic()

    def worked(self, account: str) -> bool:
        """End an account's rest; tell whether it had been failing."""
        self._until.pop(account, None)
        self._asked.pop(account, None)
        return self._failures.pop(account, None) is not None

    def forgive(self, account: str) -> None:
        """Forget an account's failures, but not how long its provider asked to wait."""
        asked = self._asked.get(account)
        self.worked(account)
        if asked is not None:
            self._asked[account] = self._until[account] = asked
