"""What an answer to a send says of the account itself."""

from collections.abc import Sequence

from ..providers.model import (
    Accepted,
    Cause,
    ErrorKind,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)
from .account import Account
from .book import Book, CredentialsRefused, CreditChanged, CreditTold
from .pacing import Rests
from .routing import time_may_cure


def learn(
    book: Book,
    rests: Rests,
    carrier: Account,
    result: SendResult,
    outcomes: Sequence[Outcome],
) -> bool:
    """Draw from an answer with these outcomes what it says of the account.

    Tells whether it works again after it had been failing.
    """
    if result.credit is not None:
        book.tell(CreditTold(account=carrier.id, balance=result.credit))
    if any(isinstance(outcome, Accepted) for outcome in outcomes):
        if result.mode is not Mode.TEST:
            book.tell(CreditChanged(account=carrier.id))
        return rests.worked(carrier.id)
    _learn_from_failure(book, rests, carrier, outcomes[0])
    return False


def _learn_from_failure(
    book: Book, rests: Rests, carrier: Account, outcome: Outcome
) -> None:
    """Draw from a send of which nothing was taken what it says of the account."""
    match outcome:
        case NotSent(cause=Cause.UNSUPPORTED | Cause.PICTURE):
            # Our own client refused it; the provider was not even asked.
            pass
        case NotSent(kind=ErrorKind.AUTH):
            book.tell(CredentialsRefused(account=carrier.id))
        case NotSent(kind=kind) if not time_may_cure(kind):
            rests.worked(carrier.id)
            if kind is ErrorKind.CREDIT:
                book.tell(CreditChanged(account=carrier.id))
        case NotSent(retry_after=retry_after):
            rests.failed(carrier.id, retry_after)
        case Uncertain():
            rests.failed(carrier.id)
        case Accepted():
            pass
