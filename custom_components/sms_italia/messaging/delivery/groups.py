"""Messages to a group of the provider's phonebook, and to the numbers in it."""

from collections.abc import Mapping
from dataclasses import replace

from ...providers import Accepted, NotSent, Outcome, Uncertain
from ..account import Account
from ..clock import Moment
from ..model import Message
from ..state import OpenMessages
from ..state.transitions import accepted, divided, refused, uncertain


async def settle_group(
    open_messages: OpenMessages,
    account: Account,
    message: Message,
    outcomes: Mapping[str, Outcome],
    now: Moment,
) -> None:
    """Close a message to a group that was accepted, and add one for each number.

    `outcomes` has the numbers that are known to be in the group. The message has the
    parts and the cost of them all.
    """
    ids = open_messages.ids
    options = replace(message.dispatch.options, groups=())
    dispatch = replace(message.dispatch, id=next(ids), options=options)
    members = [
        _settled(
            replace(
                message,
                id=next(ids),
                dispatch=dispatch,
                number=number,
                parts=dispatch.parts,
            ),
            account,
            outcome,
            now,
        )
        for number, outcome in outcomes.items()
    ]
    await open_messages.change([divided(message, members, now)])
    if members:
        open_messages.add(members)
        await open_messages.record(members)


def _settled(
    message: Message, account: Account, outcome: Outcome, now: Moment
) -> Message:
    """Return the message to one number of a group after the group's outcome."""
    match outcome:
        case Accepted():
            return accepted(message, account, outcome, None, now)
        case Uncertain():
            return uncertain(message, account, outcome, now)
        case NotSent():
            return replace(
                refused(message, outcome, account.id, now),
                submission=message.submission,
            )
