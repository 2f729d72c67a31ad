"""What is refused before any request: design.md, section 5.3 and 8."""

from .account import Account
from .errors import OrderRefusedError, Refusal
from .model import BadTarget, Target
from .numbers import NumberProblem
from .text import PreparedText


def check_text(account: Account, prepared: PreparedText) -> None:
    """Raise OrderRefusedError for a text that is empty or needs too many parts."""
    if not prepared.text.strip():
        raise OrderRefusedError(Refusal.EMPTY_TEXT)
    most = account.provider.capabilities.max_parts
    if account.options.max_parts is not None:
        most = min(most, account.options.max_parts)
    if prepared.parts > most:
        raise OrderRefusedError(
            Refusal.TOO_MANY_PARTS,
            {"parts": str(prepared.parts), "max_parts": str(most)},
        )


def check_sender(account: Account, sender: str | None) -> None:
    """Raise OrderRefusedError for a sender that the account's provider refuses."""
    if sender and not account.provider.capabilities.sender.allows(sender):
        raise OrderRefusedError(Refusal.INVALID_SENDER, {"sender": sender})


def check_limit(account: Account, committed: int, wanted: int) -> None:
    """Raise OrderRefusedError if `wanted` parts more would pass the daily limit."""
    limit = account.options.daily_limit
    if limit and committed + wanted > limit:
        raise OrderRefusedError(
            Refusal.DAILY_LIMIT,
            {
                "limit": str(limit),
                "spent": str(committed),
                "parts": str(wanted),
                "account": account.name,
            },
        )


def why_not_sent_to(account: Account, target: Target | BadTarget) -> Refusal | None:
    """Return why nothing is sent to a target, None if it may be."""
    match target:
        case BadTarget(problem=NumberProblem.PREMIUM):
            return Refusal.PREMIUM_NUMBER
        case BadTarget():
            return Refusal.INVALID_NUMBER
        case Target(recipient=None, number=number) if (
            number.country not in account.options.allowed_countries
        ):
            return Refusal.COUNTRY_NOT_ALLOWED
        case Target():
            return None
