"""From an order to a dispatch and its messages, or to the reason why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..providers.model import ErrorKind, Status
from .account import Account
from .book import Book
from .errors import OrderRefusedError, Refusal
from .guards import (
    check_limit,
    check_sender,
    check_text,
    check_wishes,
    why_not_sent_to,
)
from .model import (
    BadTarget,
    Dispatch,
    Message,
    Order,
    Stage,
    Target,
    Wishes,
    group_address,
)
from .numbers import shown
from .text import PreparedText, prepare_text

_NONE = Wishes()

_FIRST_PASSAGE = 120
"""Seconds that the only way along a route may take, where there is no retrying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A new dispatch: the messages to send, and those that cannot be, closed."""

    dispatch: Dispatch
    messages: tuple[Message, ...]
    closed: tuple[Message, ...]


def draw_up(order: Order, account: Account, book: Book, now: float) -> Draft:
    """Return what becomes of an order to an account.

    Each number gets one message, and so does each group of the wishes, of which nobody
    here knows how many numbers it has. Raises OrderRefusedError if nothing of it may be
    sent.
    """
    wishes, prepared = check_order(order, account, now)
    good, refused = sort_targets(account, order.targets, wishes.groups)
    addresses = [(target.given, target.recipient) for target in good]
    addresses += [(group_address(group), None) for group in wishes.groups]
    check_limit(
        account, book.committed_parts(account.id), prepared.parts * len(addresses)
    )
    first, *ids = book.take_ids(1 + len(addresses) + len(refused))
    due = wishes.send_at or now
    dispatch = Dispatch(
        id=first,
        account=account.id,
        text=prepared.text,
        encoding=prepared.encoding,
        parts=prepared.parts,
        created=now,
        expires=due + (account.options.retry_for or _FIRST_PASSAGE),
        route=account.route,
        wishes=wishes,
    )
    return Draft(
        dispatch=dispatch,
        messages=tuple(
            Message(
                id=id_,
                dispatch=dispatch,
                number=number,
                recipient=recipient,
                status=Status.QUEUED,
                stage=Stage.WAITING,
                updated=now,
                parts=prepared.parts,
                attempt_at=now,
            )
            for id_, (number, recipient) in zip(ids, addresses, strict=False)
        ),
        closed=tuple(
            Message(
                id=id_,
                dispatch=dispatch,
                number=target.given,
                recipient=None,
                status=Status.FAILED,
                stage=Stage.CLOSED,
                updated=now,
                parts=prepared.parts,
                error=ErrorKind.RECIPIENT,
                detail=refusal,
            )
            for id_, (target, refusal) in zip(
                ids[len(addresses) :], refused, strict=True
            )
        ),
    )


def check_order(
    order: Order, account: Account, now: float
) -> tuple[Wishes, PreparedText]:
    """Return the wishes and the text of an order as they would go out.

    Raises OrderRefusedError if they may not, whoever they are for.
    """
    wishes = _plain(order.wishes, now)
    check_sender(account, wishes.sender)
    check_wishes(account, wishes)
    prepared = prepare_text(order.text, order.encoding or account.options.encoding)
    check_text(account, prepared)
    return wishes, prepared


def _plain(wishes: Wishes, now: float) -> Wishes:
    """Return wishes without what is none: a moment that is past is now."""
    if wishes == _NONE:
        return wishes
    send_at = wishes.send_at
    return replace(
        wishes,
        sender=wishes.sender or None,
        send_at=send_at if send_at is not None and send_at > now else None,
        groups=tuple(dict.fromkeys(wishes.groups)),
        reference=wishes.reference or None,
    )


def sort_targets(
    account: Account,
    targets: Sequence[Target | BadTarget],
    groups: Sequence[str],
) -> tuple[list[Target], list[tuple[Target | BadTarget, Refusal]]]:
    """Part the targets that may be sent to, each number once, from those that not.

    Raises OrderRefusedError if there are none and no group, with the first reason.
    """
    good: dict[str, Target] = {}
    refused: dict[str, tuple[Target | BadTarget, Refusal]] = {}
    for target in targets:
        refusal = why_not_sent_to(account, target)
        if refusal is not None:
            refused.setdefault(target.given, (target, refusal))
        elif isinstance(target, Target):
            good.setdefault(target.number.e164, target)
    if good or groups:
        for number in good:
            refused.pop(number, None)
        return list(good.values()), list(refused.values())
    for target, refusal in refused.values():
        placeholders = {"number": shown(target.given)}
        if isinstance(target, Target):
            placeholders["country"] = target.number.country
        raise OrderRefusedError(refusal, placeholders)
    raise OrderRefusedError(Refusal.NO_TARGETS)
