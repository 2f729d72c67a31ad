"""Whether an account is asked to send a message now: one table, and no state.

The same table stands in docs/development/architecture.md 6; a test compares them.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import product
from types import MappingProxyType


class Condition(StrEnum):
    """What an account's last requests say of it."""

    HEALTHY = "healthy"
    BEHIND = "behind"
    """It answers, but left two sends in doubt within an hour."""
    ADMITTING = "admitting"
    """Suspect: a probe was answered while a send hangs, so one message may go."""
    UNREACHABLE = "unreachable"
    """Suspect: its last send did not reach the provider."""
    UNANSWERED = "unanswered"
    """Suspect: a send hangs, or the last one ended in doubt."""
    REFUSING = "refusing"
    """It refused the credentials, or has no credit."""
    THROTTLED = "throttled"
    """The provider asked to wait."""


class OpenRequest(StrEnum):
    """The requests to send that an account has not answered."""

    NONE = "none"
    YOUNG = "young"
    """The last one has been open for less than `Timing.unanswered`."""
    HANGING = "hanging"


class Need(StrEnum):
    """How much a message needs to go now."""

    NEW = "new"
    """It has never been submitted."""
    WAITING = "waiting"
    """It has, and waits for its moment or for better news."""
    OVERDUE = "overdue"
    """The moment has come at which it is sent whatever the news."""
    ONLY_TRY = "only try"
    """There is no time to wait: it is sent now or never."""


class Admission(StrEnum):
    """What is done with a message at an account."""

    SEND = "send"
    PROBE = "probe first"
    """Ask the harmless question; send if it is answered, else wait."""
    WAIT = "wait"
    """Do not ask the account in this attempt."""
    LEAVE = "leave"
    """Ask another account of the route first."""


UP = frozenset({Condition.HEALTHY, Condition.BEHIND})
"""The conditions in which an account is no longer suspect."""

ANSWERING = UP | {Condition.ADMITTING}
"""The conditions in which an account answers, as far as anybody knows."""

SUSPECT = frozenset({Condition.ADMITTING, Condition.UNREACHABLE, Condition.UNANSWERED})

type _Cells = Mapping[tuple[Condition, OpenRequest, Need], Admission]

_SEND, _PROBE, _WAIT = Admission.SEND, Admission.PROBE, Admission.WAIT
_YOUNG = (OpenRequest.YOUNG,)
_NOT_YOUNG = (OpenRequest.NONE, OpenRequest.HANGING)
_ANY = tuple(OpenRequest)

# For each need in its order: new, waiting, overdue, only try.
_ROWS = (
    (Condition.HEALTHY, _ANY, (_SEND, _SEND, _SEND, _SEND)),
    (Condition.BEHIND, _ANY, (_SEND, _SEND, _SEND, _SEND)),
    (Condition.ADMITTING, _ANY, (_SEND, _SEND, _SEND, _SEND)),
    (Condition.UNREACHABLE, _YOUNG, (_SEND, _WAIT, _WAIT, _SEND)),
    (Condition.UNREACHABLE, _NOT_YOUNG, (_SEND, _WAIT, _SEND, _SEND)),
    (Condition.UNANSWERED, _YOUNG, (_WAIT, _WAIT, _WAIT, _SEND)),
    (Condition.UNANSWERED, _NOT_YOUNG, (_PROBE, _WAIT, _SEND, _SEND)),
    (Condition.REFUSING, _ANY, (_SEND, _WAIT, _SEND, _SEND)),
    (Condition.THROTTLED, _ANY, (_WAIT, _WAIT, _WAIT, _SEND)),
)


def _cells() -> Iterator[tuple[tuple[Condition, OpenRequest, Need], Admission]]:
    for condition, requests, admissions in _ROWS:
        cells = zip(Need, admissions, strict=True)
        for request, (need, admission) in product(requests, tuple(cells)):
            yield (condition, request, need), admission


_ALONE: _Cells = MappingProxyType(dict(_cells()))


def is_better(other: Condition, condition: Condition) -> bool:
    """Return whether an account in one condition is asked before one in another."""
    if condition is Condition.BEHIND:
        return other is Condition.HEALTHY
    return condition is not Condition.HEALTHY and other in UP


def admission(
    condition: Condition, request: OpenRequest, need: Need, *, has_better: bool
) -> Admission:
    """Return what is done with a message at an account.

    `has_better` says that its route has another account that is better and was not
    asked yet. One that only refuses is asked by new messages in its turn all the same:
    it answers at once, and may have been topped up.
    """
    refuses_new = condition is Condition.REFUSING and need in {Need.NEW, Need.ONLY_TRY}
    if has_better and condition is not Condition.HEALTHY and not refuses_new:
        return Admission.LEAVE
    return _ALONE[condition, request, need]
