"""From a call to its request: to whom, by which account, in what words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..account import Account, Accounts
from ..compose import JoinedText, join_texts, prepare_text
from ..model import (
    BadTarget,
    PhoneNumber,
    RunCall,
    SendRequest,
    Target,
    TooLong,
)
from .model import Copy, Member, Run, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDetails:
    """What is known of a member whether or not its account is loaded.

    `numbers` are in E.164, `fallback` the IDs of accounts that stand in for its own.
    """

    name: str
    numbers: tuple[str, ...]
    fallback: tuple[str, ...] = ()


type FindMember = Callable[[Member], MemberDetails | None]
"""Returns None for one that was removed, or whose account is disabled."""


def account_for(
    member: Member, details: MemberDetails, accounts: Accounts
) -> Account | None:
    """Return the account that calls a member: its own, or a fallback until it is there.

    None if none of them is attached.
    """
    attached = (accounts.get(one) for one in (member.account, *details.fallback))
    return next((one for one in attached if one is not None), None)


def request_of(
    run: Run, copy: Copy, account: Account, member: Member, details: MemberDetails
) -> SendRequest:
    """Return the request that sends a copy to a member; a note if it has no text."""
    return SendRequest(
        account=account.id,
        targets=_targets(account, member, details),
        text=_text(run, copy, account),
        too_long=TooLong.CUT,
        user=run.user,
        call=RunCall(run=run.id, dispatch=copy.dispatch, joins=copy.joins),
    )


def _targets(
    account: Account, member: Member, details: MemberDetails
) -> tuple[Target | BadTarget, ...]:
    """Return the numbers of a member as the account has them, if it is its own."""
    known = account.recipients.get(member.recipient)
    return known or tuple(
        Target(number=PhoneNumber(number, ""), recipient=member.recipient)
        for number in details.numbers
    )


def texts_of_call(
    run: Run, account: Account, accounts: Accounts
) -> Iterator[tuple[int, ...]]:
    """Go over the texts of a run, by index, in as many copies as they need.

    Each of them can be sent by every account of the route.
    """
    begin = 0
    for joined in _joined(run.texts, account, accounts.max_parts_along(account.route)):
        yield tuple(range(begin, begin + joined.count))
        begin += joined.count


def _text(run: Run, copy: Copy, account: Account) -> str:
    """Return the texts of a copy as one, the note of its run if it has none."""
    texts = [run.texts[index] for index in copy.texts]
    if len(texts) > 1:
        # Another account than the one it was made for may take less: it is cut there.
        joined = _joined(texts, account, account.max_parts)
        return "\n".join(one.prepared.text for one in joined)
    return texts[0] if texts else _note(run)


def _joined(texts: Sequence[str], account: Account, most: int) -> Iterator[JoinedText]:
    prepared = [_prepared(text, account) for text in texts]
    return join_texts(prepared, account.bundle_heading, most)


def _prepared(text: str, account: Account) -> str:
    return prepare_text(text, account.options.encoding).text


def _note(run: Run) -> str:
    by, plan = run.acknowledgement, run.plan
    is_delivery = by is not None and by.way is Way.DELIVERY
    note = plan.note_of_delivery if is_delivery else plan.note
    return (note or "").replace("{who}", by.who if by else "")
