"""The words of the messaging layer: requests, dispatches, messages and their stages."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import partial
import re

from ..providers import (
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    Picture,
    Status,
)

_GROUP = "group:"
"""Prefix of a provider's group where a message has a number otherwise."""

MIN_DIGITS = 8
"""Digits of the shortest phone number; below are only service numbers."""

_SHOWN_DIGITS = 3
_DIGITS_OF_A_NUMBER = 6
"""What has as many digits may be somebody's number."""
_MOST_SHOWN = 40
"""Characters; longer than any way to write a number."""
_DIGITS = re.compile(r"\d+")

RESTORED = "restored"
"""The detail of a message that may have been sent since a backup was made."""

MOST_IN_SMALL = 10
"""Numbers of a call, or of a submission, that is no bulk."""

FAILOVER = 3600
"""Seconds after its end in which a message may go on after a failed delivery."""

_UNDELIVERED = frozenset({Status.FAILED, Status.EXPIRED, Status.UNCERTAIN})


class TextEncoding(StrEnum):
    """What the user wants done with a text before it is sent."""

    SMART = "smart"
    GSM7 = "gsm7"
    UNICODE = "unicode"


class NumberProblem(StrEnum):
    """Why a number is not accepted."""

    INVALID = "invalid"
    PREMIUM = "premium"
    """It costs more than a call, or is nobody's phone: premium, pager, satellite."""
    LOST_PLUS = "lost_plus"
    """It stands without its plus, and is one of another country."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number in E.164 with its "+", and the country (ISO 3166, two letters).

    `country` is "" for numbers of no country, such as satellite phones. The number
    stays out of the repr, which may be logged.
    """

    e164: str = field(repr=False)
    country: str


def mask_number(e164: str) -> str:
    """Return the number as logs, attributes and diagnostics may show it: `***567`.

    The mask hides the length too. It can be given any text: one with fewer digits
    than a phone number has is hidden whole.
    """
    digits = "".join(filter(str.isdecimal, e164))
    return f"***{digits[-_SHOWN_DIGITS:] if len(digits) >= MIN_DIGITS else ''}"


def shown(given: str) -> str:
    """Return what was given as an error may name it, such as a sender or an ID.

    Only the last digits are shown of what may be somebody's number, and the beginning
    of what is too long.
    """
    if _may_be_a_number(given):
        return mask_number(given)
    return bounded(given, _MOST_SHOWN)


def shown_target(given: str) -> str:
    """Return what stands for a number or a name as an error may name it.

    As `shown`, but without any digits that are too few for a mask.
    """
    may_be = _may_be_a_number(given)
    return mask_number(given) if may_be else _DIGITS.sub("***", shown(given))


def bounded(text: str, most: int) -> str:
    """Return the first `most` characters of a text as they can be stored."""
    return storable(text if len(text) <= most else f"{text[:most]}…")


def storable(text: str) -> str:
    """Return a text that can be written as UTF-8: broken surrogates become U+FFFD."""
    # There and back joins surrogates that came as two halves and marks single ones.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _may_be_a_number(given: str) -> bool:
    """Return whether a text has as many digits as somebody's number."""
    return sum(map(str.isdecimal, given)) >= _DIGITS_OF_A_NUMBER


def group_address(group: str) -> str:
    """Return what stands in the place of a number for a group of the provider."""
    return f"{_GROUP}{group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One number to send to; `recipient` is the ID of the recipient it belongs to.

    A number entered for a recipient in the UI may be abroad; one that only
    stands in a call must be in the account's allowed countries. `shared_with` are the
    other recipients with the number, where the call has the number and none of them.
    """

    number: PhoneNumber
    recipient: str | None = None
    shared_with: frozenset[str] = frozenset()

    @property
    def given(self) -> str:
        """The number in E.164."""
        return self.number.e164


@dataclass(frozen=True, slots=True, kw_only=True)
class BadTarget:
    """Something given as a number that is not one, as it was given."""

    given: str = field(repr=False)
    problem: NumberProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How a text is sent, beyond its recipients; None leaves it to the account.

    `encoding` is what is done with the text; a dispatch no longer has it. `send_at`
    (seconds since the epoch) is when, None for at once. `groups` are IDs of the
    account's phonebook at its provider, which only that account knows. `reference` is
    the user's own name for the submission at the provider.
    """

    sender: str | None = None
    encoding: TextEncoding | None = None
    send_at: float | None = None
    channel: Channel | None = None
    mode: Mode | None = None
    groups: tuple[str, ...] = ()
    reference: str | None = None
    picture: Picture | None = None


class TooLong(StrEnum):
    """What is done with a text that takes more parts than the account allows."""

    REFUSE = "refuse"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCall:
    """That a request is a call of an escalation's run; `dispatch` is the ID to use.

    The run is on disk with it before: after a start, what was not sent is known. One
    that `joins` sends a text that came after its member was called: unlike a step, it
    may be held by the storm brake.
    """

    run: int
    dispatch: int
    joins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """What somebody asks an account to send: one text to one or many targets.

    With groups among the options there may be no target. `user` is the ID of who asks,
    None for an automation. `repeats` is the message that it sends again.
    """

    account: str
    targets: tuple[Target | BadTarget, ...]
    text: str = field(repr=False)
    options: SendOptions = SendOptions()
    too_long: TooLong = TooLong.REFUSE
    user: str | None = None
    call: RunCall | None = None
    repeats: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One text on its way to one or many numbers; its messages share it.

    `account` is the account that was asked, `route` the accounts to try in order,
    fixed when it was asked. `created` is wall time, for people; `due` and `expires` are
    steady time: nothing of it is sent before `due` or after `expires`. `parts` is our
    own count for one number. `options.sender` is the sender that was asked for, `user`
    the ID of who asked, None for an automation. One that `is_bulk` lets others go
    before it. `run` is the ID of the escalation's run that it belongs to.
    """

    id: int
    account: str
    text: str = field(repr=False)
    encoding: Encoding
    parts: int
    created: float
    due: float
    expires: float
    route: tuple[str, ...]
    options: SendOptions = SendOptions()
    user: str | None = None
    is_bulk: bool = False
    run: int | None = None

    @property
    def is_test(self) -> bool:
        """Whether the provider is asked to check it only, and to send nothing."""
        return self.options.mode is Mode.TEST

    def is_early(self, now: float) -> bool:
        """Return whether it is to be sent at a later moment of steady time."""
        return now < self.due


class Stage(StrEnum):
    """Where a message stands in our own processing; finer than its status."""

    WAITING = "waiting"
    """In the outbox: the next attempt is due at `attempt_at`."""
    HELD = "held"
    """Part of a storm to its number: at `attempt_at` it is joined with others."""
    JOINED = "joined"
    """Sent within the message `joined_in`, whose status it shares."""
    SUBMITTING = "submitting"
    """A request for it may be on the wire."""
    ACCEPTED = "accepted"
    """A provider accepted it and reports about it under `provider_id`."""
    IN_DOUBT = "in_doubt"
    """A request for it ended without a clear answer: it may have been sent."""
    CLOSED = "closed"
    """Nothing more is done or asked about it."""


def _moved(seconds: float, moment: float | None) -> float | None:
    return None if moment is None else moment + seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text to one number, and all that is known of it.

    `last_account` is the account that accepted it or tried it last, `submission` the
    reference of the request that carried it. `parts` and `cost` (euro) are the
    provider's where reported; a Push has no parts. `type` is how it was sent, None
    until that is known. `updated` (wall time) and `changed_at` (steady time) are when
    it last changed, `attempt_at` (steady time) when it is looked at next. `attempts`
    counts the submissions that it was part of. `first_try_until` (steady time) is set
    where one that was never tried gets a try after a start, though it has expired.
    `joined_in` is the ID of the message that carries it together with others. `size` is
    how many numbers its group had when it was asked for, 1 for a number.
    `unanswered` are the accounts that were sent the text and did not say whether they
    accepted it; an account stays in it when it turns out not to have.
    `marked_text` is what is sent of it since its own text was refused as a repeat.
    `failed_over_from` is the account after which it goes on, since its delivery failed
    there. One that is `from_backup` was open in a backup that was put back: it may have
    been sent again since, and is not now. One that `is_resent` was sent again as a new
    message. `revision` counts its transitions: a change computed from an older state is
    dropped.
    """

    id: int
    dispatch: Dispatch
    number: str = field(repr=False)
    recipient: str | None
    status: Status
    stage: Stage
    updated: float
    changed_at: float
    parts: int
    attempts: int = 0
    last_account: str | None = None
    submission: str | None = None
    provider_id: str | None = None
    cost: Decimal | None = None
    error: ErrorKind | None = None
    detail: str | None = None
    attempt_at: float | None = None
    type: MessageType | None = None
    joined_in: int | None = None
    size: int = 1
    unanswered: tuple[str, ...] = ()
    failed_over_from: str | None = None
    from_backup: bool = False
    is_resent: bool = False
    marked_text: str | None = field(default=None, repr=False)
    first_try_until: float | None = field(default=None, compare=False)
    revision: int = field(default=0, compare=False, repr=False)

    def moved(self, seconds: float) -> Message:
        """Return the message with its steady times counted by another clock."""
        optional = partial(_moved, seconds)
        return replace(
            self,
            dispatch=replace(
                self.dispatch,
                due=self.dispatch.due + seconds,
                expires=self.dispatch.expires + seconds,
            ),
            changed_at=self.changed_at + seconds,
            attempt_at=optional(self.attempt_at),
            first_try_until=optional(self.first_try_until),
        )

    @property
    def group(self) -> str | None:
        """The ID of the provider's group that it is sent to, None if to a number."""
        is_group = self.number.startswith(_GROUP)
        return self.number.removeprefix(_GROUP) if is_group else None

    @property
    def shown_number(self) -> str:
        """The number as anybody may see it: masked; a group by its ID.

        The ID as well if it may be a number, which somebody gave by mistake.
        """
        if self.group is None:
            return mask_number(self.number)
        return group_address(shown(self.group))

    @property
    def text(self) -> str:
        """The text that is sent."""
        return self.marked_text or self.dispatch.text

    @property
    def expires(self) -> float:
        """The steady time after which it is not sent any more."""
        if self.failed_over_from is not None:
            return self.dispatch.expires + FAILOVER
        if self.attempts or self.first_try_until is None:
            return self.dispatch.expires
        return max(self.dispatch.expires, self.first_try_until)

    @property
    def is_restored(self) -> bool:
        """Whether it was open in a backup that was put back, and may have been sent."""
        return self.detail == RESTORED

    @property
    def may_be_resent(self) -> bool:
        """Whether sending it again does not repeat what was sent or still waits."""
        return self.status in _UNDELIVERED

    @property
    def is_cancelled(self) -> bool:
        """Whether its user cancelled it, as far as is known: that is no failure."""
        return self.error is ErrorKind.CANCELLED

    @property
    def is_undelivered(self) -> bool:
        """Whether somebody must know that it did not, or may not, arrive.

        Of joined messages it is the one that carries them.
        """
        return (
            self.status in _UNDELIVERED
            and not self.is_cancelled
            and self.joined_in is None
        )

    @property
    def public_id(self) -> str:
        """The ID as users see it."""
        return f"{self.id:016x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """An SMS that somebody wrote to an account; its text is for listeners alone.

    `number` (E.164) is None if the sender is a name, `recipient` the ID of the
    account's recipient who has that number.
    """

    number: str | None = field(repr=False)
    text: str = field(repr=False)
    recipient: str | None

    @property
    def shown_number(self) -> str | None:
        """The number as logs and attributes may show it."""
        return None if self.number is None else mask_number(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotal:
    """What one account spent in a day or a month: parts, and euro where reported."""

    parts: int = 0
    cost: Decimal = Decimal(0)

    @property
    def known_cost(self) -> Decimal | None:
        """The cost, None if parts were spent and no cost was reported of any."""
        return None if self.parts and not self.cost else self.cost

    def plus(self, parts: int, cost: Decimal) -> DayTotal:
        """Return the total with these parts and this cost (euro) added."""
        return DayTotal(parts=self.parts + parts, cost=self.cost + cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEstimate:
    """What a text would take for all its targets; see `Messenger.estimate`.

    `parts` is for one number; `characters_left` is what the last part still takes.
    `costly_characters` are those that force UCS-2. `cost` (euro, for all targets) is
    None where it is not known.
    """

    text: str = field(repr=False)
    encoding: Encoding
    parts: int
    characters_left: int
    costly_characters: tuple[str, ...]
    cost: Decimal | None = None
