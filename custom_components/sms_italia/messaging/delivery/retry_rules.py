"""When a message that was refused may be sent again.

The other cases are decided where they come up: `Settlement._settled` and
`Route._may_go_to` (uncertain), `Tracker._look_up` (never arrived), `failover.py`
(reported as failed), `Submitter.repeat_text` (duplicate). All rules and their reasons:
docs/development/decisions.md 1.
"""

from collections.abc import Sequence

from ...providers import ErrorKind


def another_account_may_help(kind: ErrorKind) -> bool:
    """Return whether another account may accept a message refused for this reason."""
    match kind:
        case ErrorKind.RECIPIENT | ErrorKind.TEXT | ErrorKind.CANCELLED:
            return False
        case (
            ErrorKind.AUTH
            | ErrorKind.CREDIT
            | ErrorKind.SENDER
            | ErrorKind.DUPLICATE
            | ErrorKind.THROTTLED
            | ErrorKind.UNAVAILABLE
            | ErrorKind.REFUSED
        ):
            return True


def time_may_help(kind: ErrorKind) -> bool:
    """Return whether the same account may accept the message later."""
    match kind:
        case ErrorKind.THROTTLED | ErrorKind.UNAVAILABLE:
            return True
        case (
            ErrorKind.AUTH
            | ErrorKind.CREDIT
            | ErrorKind.RECIPIENT
            | ErrorKind.SENDER
            | ErrorKind.TEXT
            | ErrorKind.DUPLICATE
            | ErrorKind.REFUSED
            | ErrorKind.CANCELLED
        ):
            return False


def accounts_after(route: Sequence[str], account_id: str | None) -> tuple[str, ...]:
    """Return the accounts of a route that come after the one that got a message."""
    if account_id not in route:
        return ()
    return tuple(route[route.index(account_id) + 1 :])
