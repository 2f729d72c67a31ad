"""What is refused before any request: design.md, section 5.3 and 8."""

from ..providers.client import Feature
from ..providers.model import Channel, Mode
from .account import Account
from .errors import OrderRefusedError, Refusal
from .model import BadTarget, Target, Wishes
from .numbers import NumberProblem, shown
from .text import PreparedText

_MIB = 1024 * 1024


def check_text(account: Account, prepared: PreparedText) -> None:
    """Raise OrderRefusedError for a text that is empty or needs too many parts."""
    if not prepared.text.strip():
        raise OrderRefusedError(Refusal.EMPTY_TEXT)
    if prepared.parts > account.max_parts:
        raise OrderRefusedError(
            Refusal.TOO_MANY_PARTS,
            {"parts": str(prepared.parts), "max_parts": str(account.max_parts)},
        )


def check_sender(account: Account, sender: str | None) -> None:
    """Raise OrderRefusedError for a sender that the account's provider refuses."""
    if sender and not account.provider.capabilities.sender.allows(sender):
        raise OrderRefusedError(Refusal.INVALID_SENDER, {"sender": shown(sender)})


def check_wishes(account: Account, wishes: Wishes) -> None:
    """Raise OrderRefusedError for a wish that the account's provider cannot fulfil.

    What a fallback cannot do does not count: it is passed over.
    """
    capabilities = account.provider.capabilities
    channel = wishes.channel or account.channel
    length = len(wishes.reference or "")
    needed = {
        "channel": (Feature.PUSH, channel is not Channel.SMS),
        "picture": (Feature.PICTURE_PUSH, wishes.picture is not None),
        "group": (Feature.GROUPS, bool(wishes.groups)),
        "test": (Feature.TEST_MODE, wishes.mode is Mode.TEST),
        "transaction_id": (Feature.CLIENT_REFERENCE, length > 0),
    }
    lacking = [
        field
        for field, (feature, is_wanted) in needed.items()
        if is_wanted and feature not in capabilities.features
    ]
    if length > capabilities.reference_length:
        lacking.append("transaction_id")
    if lacking:
        raise OrderRefusedError(
            Refusal.UNSUPPORTED,
            {"field": lacking[0], "provider": account.provider.name},
        )
    if wishes.picture is not None and channel is Channel.SMS:
        raise OrderRefusedError(Refusal.PICTURE_NEEDS_PUSH)
    rule = capabilities.picture
    if rule is not None and wishes.picture is not None and rule.fault(wishes.picture):
        types = (type_.removeprefix("image/").upper() for type_ in rule.types)
        raise OrderRefusedError(
            Refusal.INVALID_PICTURE,
            {
                "types": ", ".join(sorted(types)),
                "megabytes": str(rule.max_bytes // _MIB),
            },
        )


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
