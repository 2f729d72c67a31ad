"""What may be done after a message was not taken; why.md, the retry rule."""

from collections.abc import Sequence

from ..providers.model import ErrorKind


def another_account_may_cure(kind: ErrorKind) -> bool:
    """Tell whether a message refused for this reason can be sent by another account."""
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


def accounts_after(route: Sequence[str], carrier: str | None) -> tuple[str, ...]:
    """Return the accounts of a route that come after the one that took a message."""
    if carrier not in route:
        return ()
    return tuple(route[route.index(carrier) + 1 :])


def time_may_cure(kind: ErrorKind) -> bool:
    """Tell whether the same account may take the message later."""
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
