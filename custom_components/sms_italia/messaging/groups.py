"""Messages to a group of the provider's phonebook, and to the numbers in it."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from ..providers.model import Accepted, NotSent, Outcome, Status, Uncertain
from .account import Account
from .attempt import in_doubt, taken
from .book import Book
from .model import Message, Stage


async def settle_group(
    book: Book,
    carrier: Account,
    message: Message,
    outcomes: Mapping[str, Outcome],
    now: float,
) -> list[Message]:
    """Close a message to a group that was taken, and enter one for each number of it.

    `outcomes` has the numbers that are known to be in the group. The message has the
    parts and the cost of them all. Returns those whose fate is to be found out.
    """
    first, *ids = book.take_ids(1 + len(outcomes))
    wishes = replace(message.dispatch.wishes, groups=())
    dispatch = replace(message.dispatch, id=first, wishes=wishes)
    members = [
        _after(
            replace(
                message,
                id=id_,
                dispatch=dispatch,
                number=number,
                parts=dispatch.parts,
            ),
            carrier,
            outcome,
            now,
        )
        for id_, (number, outcome) in zip(ids, outcomes.items(), strict=True)
    ]
    # Those in doubt too: what each costs is counted with the group, and only what
    # changes of it with the member.
    sent = [one for one in members if one.status is not Status.FAILED]
    costs = [one.cost for one in sent if one.cost is not None]
    closed = replace(
        message,
        stage=Stage.CLOSED,
        status=Status.QUEUED,
        provider_id=message.submission,
        parts=sum(one.parts for one in sent) if members else message.parts,
        cost=sum(costs, Decimal(0)) if costs else None,
        error=None,
        detail=None,
        updated=now,
    )
    await book.change([closed])
    if members:
        await book.add(dispatch, members)
    return [one for one in members if one.stage is not Stage.CLOSED]


def _after(message: Message, carrier: Account, outcome: Outcome, now: float) -> Message:
    """Return the message to one number of a group after the group's outcome."""
    match outcome:
        case Accepted():
            return taken(message, carrier, outcome, None, now)
        case Uncertain():
            return in_doubt(message, carrier, outcome, now)
        case NotSent(kind=kind, detail=detail, cause=cause):
            return replace(
                message,
                stage=Stage.CLOSED,
                status=Status.FAILED,
                error=kind,
                detail=cause or detail,
                updated=now,
            )
