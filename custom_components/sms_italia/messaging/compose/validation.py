"""What is refused before any request to a provider: texts, senders, options, limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...providers import Channel, Feature, Mode
from ..account import Account
from ..errors import Refusal, RequestRefusedError
from ..model import (
    BadTarget,
    NumberProblem,
    SendOptions,
    Target,
    TooLong,
    shown,
    shown_target,
)
from .text import PreparedText

_MIB = 1024 * 1024

_CHARACTERS = 160
"""Of a text that takes one part."""

_MOST_NUMBERS = 50_000
"""In one call."""

_MOST_NAMED = 10
"""Numbers that a sentence names."""

type RefusedTarget = tuple[Target | BadTarget, Refusal]


def longest_text(account: Account) -> int:
    """Return how many characters of a text are looked at: twice what can be sent.

    It may become shorter: what is invisible disappears.
    """
    return account.max_parts * _CHARACTERS * 2


def check_length(account: Account, text: str, too_long: TooLong) -> None:
    """Raise RequestRefusedError for a text that is much too long, unless it is cut."""
    if too_long is TooLong.REFUSE and len(text) > longest_text(account):
        raise _too_long(account, -(-len(text) // _CHARACTERS))


def check_text(account: Account, prepared: PreparedText) -> None:
    """Raise RequestRefusedError for a text that is empty or needs too many parts."""
    if not prepared.text.strip():
        raise RequestRefusedError(Refusal.EMPTY_TEXT)
    if prepared.parts > account.max_parts:
        raise _too_long(account, prepared.parts)


def _too_long(account: Account, parts: int) -> RequestRefusedError:
    """Return the error of a text of so many parts: only options can be changed."""
    if account.max_parts < account.provider.capabilities.max_parts:
        return RequestRefusedError(
            Refusal.TOO_MANY_PARTS,
            {"parts": str(parts), "max_parts": str(account.max_parts)},
        )
    return RequestRefusedError(
        Refusal.MORE_THAN_PROVIDER_TAKES,
        {
            "parts": str(parts),
            "max_parts": str(account.max_parts),
            "provider": account.provider.name,
        },
    )


def check_sender(account: Account, sender: str | None) -> None:
    """Raise RequestRefusedError for a sender that the account's provider refuses."""
    rule = account.provider.capabilities.sender
    if not sender or rule.allows(sender):
        return
    if characters := rule.refused_characters(sender):
        raise RequestRefusedError(
            Refusal.SENDER_CHARACTERS,
            {
                "sender": shown(sender),
                "characters": shown(" ".join(characters)),
                "provider": account.provider.name,
            },
        )
    raise RequestRefusedError(Refusal.INVALID_SENDER, {"sender": shown(sender)})


def check_options(account: Account, options: SendOptions) -> None:
    """Raise RequestRefusedError for an option that the account's provider lacks.

    What a fallback cannot do does not count: it is passed over.
    """
    if (field := _lacking(account, options)) is not None:
        raise RequestRefusedError(
            Refusal.UNSUPPORTED, {"field": field, "provider": account.provider.name}
        )
    if options.picture is None:
        return
    if (options.channel or account.channel) is Channel.SMS:
        raise RequestRefusedError(Refusal.PICTURE_NEEDS_PUSH)
    rule = account.provider.capabilities.picture
    if rule is not None and rule.fault(options.picture):
        types = (type_.removeprefix("image/").upper() for type_ in rule.types)
        raise RequestRefusedError(
            Refusal.INVALID_PICTURE,
            {
                "types": ", ".join(sorted(types)),
                "megabytes": str(rule.max_bytes // _MIB),
            },
        )


def _lacking(account: Account, options: SendOptions) -> str | None:
    """Return the first field of `send_sms` that the provider lacks, None if none."""
    channel = options.channel or account.channel
    length = len(options.reference or "")
    needed = {
        "channel": (Feature.PUSH, channel is not Channel.SMS),
        "picture": (Feature.PICTURE_PUSH, options.picture is not None),
        "group": (Feature.GROUPS, bool(options.groups)),
        "test": (Feature.TEST_MODE, options.mode is Mode.TEST),
        "transaction_id": (Feature.CLIENT_REFERENCE, length > 0),
    }
    for field, (feature, is_needed) in needed.items():
        if is_needed and not account.has(feature):
            return field
    is_too_long = length > account.provider.capabilities.reference_length
    return "transaction_id" if is_too_long else None


def daily_limit(account: Account, run: int | None) -> int:
    """Return the parts that an account may send in a day, 0 for any number.

    Messages of an escalation's run may exceed the user's limit by as much again: else
    nobody could be called at the end of a chatty day.
    """
    limit = account.options.daily_limit
    return limit if run is None else 2 * limit


def has_room(
    account: Account, committed: int, wanted: int, run: int | None = None
) -> bool:
    """Return whether `wanted` parts more are within an account's daily limit."""
    limit = daily_limit(account, run)
    return not limit or committed + wanted <= limit


def check_limit(
    account: Account, committed: int, wanted: int, run: int | None = None
) -> None:
    """Raise RequestRefusedError if `wanted` parts more exceed the daily limit."""
    if not has_room(account, committed, wanted, run):
        raise RequestRefusedError(
            Refusal.DAILY_LIMIT,
            {
                "limit": str(daily_limit(account, run)),
                "spent": str(committed),
                "parts": str(wanted),
                "account": account.name,
            },
        )


def size_groups(
    account: Account, groups: Sequence[str], sizes: Mapping[str, int]
) -> Mapping[str, int]:
    """Return how many numbers each group counts for, by its ID.

    One whose size is not known counts for one, unless a daily limit is set: then it
    raises RequestRefusedError.
    """
    for group in groups:
        if group not in sizes and account.options.daily_limit:
            raise RequestRefusedError(
                Refusal.GROUP_SIZE_UNKNOWN,
                {"group": shown(group), "account": account.name},
            )
    return {group: sizes.get(group, 1) for group in groups}


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLimits:
    """What the attached accounts may still send today.

    `committed` returns the parts that an account spent and is about to spend.
    """

    accounts: Mapping[str, Account]
    committed: Callable[[str], int]

    def route(
        self,
        account: Account,
        others: Sequence[str],
        parts: int,
        count: int,
        run: int | None = None,
    ) -> tuple[str, ...]:
        """Return the accounts to try for `count` messages of so many parts, in order.

        Without the one that is asked if its limit is full; `run` is the escalation's
        run that the messages belong to. Raises RequestRefusedError if none of `others`,
        its fallbacks, may send them either.
        """
        wanted = parts * count
        if has_room(account, self.committed(account.id), wanted, run):
            return account.route
        attached = (self.accounts[one] for one in others if one in self.accounts)
        if not any(
            parts <= one.max_parts
            and has_room(one, self.committed(one.id), wanted, run)
            for one in attached
        ):
            check_limit(account, self.committed(account.id), wanted, run)
        return tuple(others)


def sort_targets(
    account: Account,
    targets: Sequence[Target | BadTarget],
    groups: Sequence[str],
) -> tuple[list[Target], list[RefusedTarget]]:
    """Return the targets that may be sent to, each number once, and the refused ones.

    A number belongs to the recipient that the call has, and else to the first with it.
    Raises RequestRefusedError if there are none and no group, with the first reason.
    """
    good: dict[str, Target] = {}
    refused: dict[str, RefusedTarget] = {}
    places: dict[str, int] = {}
    for place, target in enumerate(targets, 1):
        refusal = _refusal_of(account, target)
        if refusal is not None:
            refused.setdefault(target.given, (target, refusal))
            places.setdefault(target.given, place)
        elif isinstance(target, Target):
            known = good.setdefault(target.number.e164, target)
            if known.shared_with and not target.shared_with:
                good[target.number.e164] = target
    if not good and not groups:
        raise _nobody(refused, places)
    for number in good:
        refused.pop(number, None)
    return list(good.values()), list(refused.values())


def check_count(count: int) -> None:
    """Raise RequestRefusedError for more numbers than one call may have."""
    if count > _MOST_NUMBERS:
        raise RequestRefusedError(
            Refusal.TOO_MANY_NUMBERS,
            {"count": str(count), "most": str(_MOST_NUMBERS)},
        )


def _nobody(
    refused: Mapping[str, RefusedTarget], places: Mapping[str, int]
) -> RequestRefusedError:
    """Return why there is nobody to send to.

    Of several numbers, each is named by its place in the call and its last digits.
    """
    if not refused:
        return RequestRefusedError(Refusal.NO_TARGETS)
    target, refusal = next(iter(refused.values()))
    named = [
        f"{places[given]}. {shown_target(given)}"
        for given, (_, reason) in refused.items()
        if reason is refusal
    ]
    if len(named) > _MOST_NAMED:
        named = [*named[:_MOST_NAMED], "…"]
    only = shown_target(target.given)
    placeholders = {"number": only if len(refused) == 1 else ", ".join(named)}
    if isinstance(target, Target):
        placeholders["country"] = target.number.country
    return RequestRefusedError(refusal, placeholders)


def _refusal_of(account: Account, target: Target | BadTarget) -> Refusal | None:
    """Return why nothing is sent to a target, None if it may be."""
    match target:
        case BadTarget(problem=NumberProblem.PREMIUM):
            return Refusal.PREMIUM_NUMBER
        case BadTarget(problem=NumberProblem.LOST_PLUS):
            return Refusal.LOST_PLUS
        case BadTarget():
            return Refusal.INVALID_NUMBER
        case Target(recipient=None, number=number) if (
            number.country not in account.options.allowed_countries
        ):
            return Refusal.COUNTRY_NOT_ALLOWED
        case Target():
            return None
