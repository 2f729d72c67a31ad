"""The words of escalations: plans, runs, calls and their copies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from ..clock import Moment


class Until(StrEnum):
    """What ends a run, beside that everybody was called."""

    ACKNOWLEDGED = "acknowledged"
    DELIVERED = "delivered"
    """The first delivery to a called number, or an acknowledgement."""


class RunState(StrEnum):
    """Where a run stands."""

    CALLING = "calling"
    ACKNOWLEDGED = "acknowledged"
    EXHAUSTED = "exhausted"
    """Everybody was called, and nobody acknowledged."""
    ABANDONED = "abandoned"
    """Its escalation was removed, it was calling in a backup, or another run has it."""


class Way(StrEnum):
    """How a run was acknowledged."""

    BUTTON = "button"
    ACTION = "action"
    ANSWER = "answer"
    """By an SMS from a called number."""
    DELIVERY = "delivery"
    """By the first delivery, where that is enough."""


class Progress(StrEnum):
    """How far a message of a call came."""

    QUEUED = "queued"
    """It has not left: it waits with us, or its request is open."""
    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"
    """A provider has it."""
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    OVER = "over"
    """It was refused, failed or expired, and there is nothing left to try."""


class Availability(StrEnum):
    """Whether a member can be called now."""

    READY = "ready"
    LATER = "later"
    """The account is not loaded yet, and there is time."""
    GONE = "gone"
    """It was removed or disabled, or was not loaded in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A recipient, by the IDs of its account and its subentry."""

    account: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a user chose for an escalation, as it is when a run begins.

    `wait` and `quiet` are in seconds. `note` is what those who were called are sent
    when somebody acknowledges, `note_of_delivery` when a delivery is enough, None for
    nothing; `{who}` stands for that person.
    """

    id: str
    account: str
    name: str
    members: tuple[Member, ...]
    wait: float
    rounds: int = 1
    until: Until = Until.ACKNOWLEDGED
    quiet: float = 0
    note: str | None = None
    note_of_delivery: str | None = None

    @property
    def steps(self) -> int:
        """How many calls a run makes at most."""
        return len(self.members) * self.rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who acknowledged a run, and how; `member` if it was one of the called.

    A message must have been accepted at `read_until` (steady time) or before to have
    been read by that person.
    """

    way: Way
    who: str
    read_until: float
    member: Member | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyMessage:
    """What is known of one message; `number` is as in `Message`."""

    number: str = field(repr=False)
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One text to all numbers of a member; it carries texts of the run by their index.

    `dispatch` is its ID, chosen before anything is sent. One that `joins` came after
    the call. `messages` has what came of it, by ID; the ledger has them, and not the
    record of the run. That has `accepted_at`: when (steady time) a provider first
    accepted each message, which itself knows only when it last changed. One that
    `may_have_left` counts as sent, although nothing is known of its messages.
    """

    dispatch: int
    texts: tuple[int, ...]
    joins: bool = False
    is_refused: bool = False
    may_have_left: bool = False
    messages: Mapping[int, CopyMessage] = field(default_factory=dict)
    accepted_at: Mapping[int, float] = field(default_factory=dict)

    def was_accepted(self, message_id: int, until: float) -> bool:
        """Return whether a provider accepted a message at `until` or before."""
        return self.accepted_at.get(message_id, inf) <= until

    @property
    def is_unsent(self) -> bool:
        """Whether it is still to be sent.

        Messages that are gone from the ledger may have been accepted before.
        """
        return not (self.messages or self.is_refused or self.is_known_to_have_left)

    @property
    def is_known_to_have_left(self) -> bool:
        """Whether the record of its run says that it left, or may have."""
        return self.may_have_left or bool(self.accepted_at)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to try for any number."""
        return self.is_refused or bool(
            self.messages
            and all(one.progress is Progress.OVER for one in self.messages.values())
        )

    @property
    def is_queued(self) -> bool:
        """Whether a part of it has not left."""
        return self.is_unsent or any(
            one.progress is Progress.QUEUED for one in self.messages.values()
        )

    @property
    def has_left(self) -> bool:
        """Whether it has reached somebody, as far as is known, or may have."""
        return self.is_known_to_have_left or any(
            one.progress in {Progress.ACCEPTED, Progress.DELIVERED, Progress.IN_DOUBT}
            for one in self.messages.values()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One member called in one step, `at` a moment of steady time.

    Its first copies are the call: one, unless its texts need several. What joins the
    run later follows.
    """

    step: int
    member: Member
    at: float
    copies: tuple[Copy, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing of it reached the member, nor ever will.

        What joined later delays no step while it waits.
        """
        return all(
            copy.is_over or (copy.joins and not copy.has_left) for copy in self.copies
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of an escalation; `step` counts from 0, and is -1 before the first call.

    The first `begun_with` of its texts began it, the others joined. `waits_since`
    (steady time) is since when the next member's account is waited for. `notes` are
    what those who were called were sent at the end; `repeats` counts the messages that
    came within the quiet time after it. `user` is the ID of who asked for all of its
    texts, None if several people did, or an automation. `merged` are the IDs of runs
    that go on in this one: messages with such an ID are its own.
    """

    id: int
    plan: Plan
    began: Moment
    texts: tuple[str, ...] = field(repr=False)
    begun_with: int
    state: RunState = RunState.CALLING
    step: int = -1
    calls: tuple[Call, ...] = ()
    waits_since: float | None = None
    ended: float | None = None
    acknowledgement: Acknowledgement | None = None
    notes: tuple[Call, ...] = ()
    repeats: int = 0
    user: str | None = None
    merged: tuple[int, ...] = ()

    @property
    def is_calling(self) -> bool:
        """Whether it goes on."""
        return self.state is RunState.CALLING

    @property
    def current(self) -> Call | None:
        """The call whose member is waited for; None before it, or if it was skipped."""
        last = self.calls[-1] if self.calls else None
        return last if last is not None and last.step == self.step else None

    @property
    def next_member(self) -> Member | None:
        """The member of the next step; None if there is none."""
        following = self.step + 1
        if following >= self.plan.steps:
            return None
        return self.plan.members[following % len(self.plan.members)]

    @property
    def copies(self) -> tuple[Copy, ...]:
        """All copies of all calls."""
        return tuple(copy for call in self.calls for copy in call.copies)

    @property
    def unsent(self) -> tuple[tuple[Call, Copy], ...]:
        """The copies still to be sent: calls only while it is calling, and notes."""
        calls = (*(self.calls if self.is_calling else ()), *self.notes)
        return tuple(
            (call, copy) for call in calls for copy in call.copies if copy.is_unsent
        )

    @property
    def called(self) -> tuple[Member, ...]:
        """Everybody who was called, each once, in the order of the first calls."""
        return tuple(dict.fromkeys(call.member for call in self.calls))
