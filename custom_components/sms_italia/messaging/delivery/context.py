"""What delivery and tracking work with."""

import asyncio
from dataclasses import dataclass, field

from ...providers import ErrorKind, NotSent
from ..account import Accounts
from ..alarm import ClockWatch, Tasks
from ..clock import Clock
from ..health import HealthRegistry, Pace, Prober, Timing, Turns
from ..ledger import Ledger
from ..model import Message
from ..state import CredentialsRefused, Events, OpenMessages


@dataclass(slots=True, kw_only=True)
class DeliveryContext:
    """What delivery and tracking work with.

    `in_progress` has, by the ID of each message on its way along a route, the event
    that is set when that ends. `withdrawn` are the IDs of dispatches that no further
    account is asked to send.
    """

    accounts: Accounts
    open_messages: OpenMessages
    ledger: Ledger
    events: Events
    clock: Clock
    timing: Timing
    watch: ClockWatch
    tasks: Tasks = field(default_factory=Tasks)
    in_progress: dict[int, asyncio.Event] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)
    health: HealthRegistry = field(init=False)
    prober: Prober = field(init=False)
    _turns: dict[str, Turns] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with every account healthy, and no request on the wire."""
        self.health = HealthRegistry(self.clock, self.timing)
        self.health.subscribe(self.wake)
        self.prober = Prober(
            accounts=self.accounts,
            health=self.health,
            clock=self.clock,
            timing=self.timing,
            tasks=self.tasks,
            is_waited_for=self._is_waited_for,
            on_credentials_refused=lambda account_id: self.events.publish(
                CredentialsRefused(account=account_id)
            ),
        )

    def turns(self, account_id: str) -> Turns:
        """Return the queue of the requests to an account."""
        if (turns := self._turns.get(account_id)) is None:
            turns = self._turns[account_id] = Turns(self.clock, self.timing)
        return turns

    def begin_anew_with(self, account_id: str) -> None:
        """Forget what was learned of an account that is another one now."""
        self.health.forget(account_id)
        self.turns(account_id).pace = Pace(self.clock)

    def wake(self, account_id: str) -> None:
        """Let what waits for its turn look whether an account is still to be asked."""
        self.turns(account_id).wake()

    def _is_waited_for(self, account_id: str) -> bool:
        """Return whether messages wait that an account may send now."""
        now = self.clock.now()
        return any(
            one.dispatch.due <= now and account_id in one.dispatch.route
            for one in self.open_messages.waiting
        )

    def stop(self) -> None:
        """Probe nothing, and do nothing more by itself."""
        self.prober.stop()
        self.health.stop()
        for turns in self._turns.values():
            turns.stop()
            turns.wake()


@dataclass(slots=True, eq=False)
class Pending:
    """A message on its way along its route, and what happened to it there.

    `asked` are the accounts that had their turn in this attempt. `doubt` is the message
    as an account left it that may have sent it. `refusal` is what `refused_by` (the ID
    of an account) answered, `retry_at` when an account may accept it after all, and
    `waits_for` are the accounts that would be asked at once if they were healthy. One
    that `is_early` waits for its own moment; of one that `is_settled` no other account
    is asked.
    """

    message: Message
    asked: set[str] = field(default_factory=set)
    waits_for: set[str] = field(default_factory=set)
    doubt: Message | None = None
    refusal: NotSent | None = None
    refused_by: str | None = None
    retry_at: float | None = None
    is_settled: bool = False
    is_early: bool = False
    is_duplicate: bool = False
    unanswered_before: tuple[str, ...] = ()

    @property
    def may_be_marked(self) -> bool:
        """Whether it was refused as a repeat, and is sent marked, once."""
        is_open = self.is_duplicate and not self.is_settled
        return is_open and self.message.marked_text is None

    def refused(
        self, account_id: str, refusal: NotSent, retry_at: float | None = None
    ) -> None:
        """Keep the first refusal, and the earliest time an account may accept it.

        One after which that account may still accept it says better why it waits. What
        an account answers to the marked text replaces its refusal of the repeat.
        """
        is_of_marked_text = self.is_duplicate and self.refused_by == account_id
        self.is_duplicate = refusal.kind is ErrorKind.DUPLICATE
        is_first_to_wait = retry_at is not None and self.retry_at is None
        if self.refusal is None or is_first_to_wait or is_of_marked_text:
            self.refusal, self.refused_by = refusal, account_id
        if retry_at is not None:
            self.retry_not_after(retry_at)

    def retry_not_after(self, moment: float) -> None:
        """Try again at this moment, or before if an account may accept it then."""
        self.retry_at = moment if self.retry_at is None else min(self.retry_at, moment)
