"""From a request to a dispatch and its messages, or to the reason of a refusal."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
import logging

from ...providers import Channel, ErrorKind, Status
from ..account import Account
from ..clock import Moment
from ..model import (
    MOST_IN_SMALL,
    Dispatch,
    Message,
    PhoneNumber,
    SendOptions,
    SendRequest,
    Stage,
    Target,
    TextEncoding,
    TooLong,
    group_address,
)
from .numbers import country_of
from .text import PreparedText, cut_text, prepare_text
from .validation import (
    DailyLimits,
    RefusedTarget,
    check_length,
    check_options,
    check_sender,
    check_text,
    longest_text,
    size_groups,
    sort_targets,
)

_LOGGER = logging.getLogger(__name__)

_DEFAULTS = SendOptions()

_FIRST_ATTEMPT = 120
"""Seconds that the only attempt along a route may take, where there is no retrying."""


def create_dispatch(  # noqa: PLR0913, PLR0917 - what a dispatch is made of
    request: SendRequest,
    account: Account,
    limits: DailyLimits,
    sizes: Mapping[str, int],
    ids: Iterator[int],
    now: Moment,
) -> list[Message]:
    """Return the messages of a new dispatch for a request to an account.

    Each number gets one message, and so does each group of the options, which counts by
    its size. `sizes` has those that the provider says. The messages to targets that are
    not sent to are closed. Where the account's daily limit is full, its fallbacks alone
    are tried. Raises RequestRefusedError if nothing of it may be sent.
    """
    options, prepared = check_request(request, account, now.wall)
    good, refused = sort_targets(account, request.targets, options.groups)
    groups = size_groups(account, options.groups, sizes)
    # A group means nothing to another account.
    call = request.call
    run = None if call is None else call.run
    others = [] if groups else account.route[1:]
    count = len(good) + sum(groups.values())
    route = limits.route(account, others, prepared.parts, count, run)
    due = now.steady + ((options.send_at or now.wall) - now.wall)
    dispatch = Dispatch(
        id=next(ids) if call is None else call.dispatch,
        account=account.id,
        text=prepared.text,
        encoding=prepared.encoding,
        parts=prepared.parts,
        created=now.wall,
        due=due,
        expires=due + (account.options.retry_for or _FIRST_ATTEMPT),
        route=route,
        options=options,
        user=request.user,
        # A group's size is known only where a limit asks for it. Calls of escalations
        # go first, however many numbers they have.
        is_bulk=run is None and (count > MOST_IN_SMALL or bool(groups)),
        run=run,
    )
    return [
        *(
            new_message(dispatch, next(ids), one.number.e164, one.recipient, now)
            for one in good
        ),
        *(
            _group_message(dispatch, next(ids), group, size, now)
            for group, size in groups.items()
        ),
        *(refused_message(dispatch, next(ids), one, now) for one in refused),
    ]


async def request_again(message: Message) -> SendRequest:
    """Return the request that sends a message again, with the words that it has."""
    dispatch = message.dispatch
    options = replace(dispatch.options, encoding=TextEncoding.UNICODE, groups=())
    if message.group is not None:
        options = replace(options, groups=(message.group,))
        return SendRequest(
            account=dispatch.account,
            targets=(),
            text=dispatch.text,
            options=options,
            repeats=message,
        )
    # The plans of all countries may have to be loaded.
    country = await asyncio.to_thread(country_of, message.number)
    return SendRequest(
        account=dispatch.account,
        targets=(
            Target(
                number=PhoneNumber(message.number, country),
                recipient=message.recipient,
            ),
        ),
        text=dispatch.text,
        options=options,
        repeats=message,
    )


def new_message(
    dispatch: Dispatch, id_: int, number: str, recipient: str | None, now: Moment
) -> Message:
    """Return a new message of a dispatch, that waits to be sent."""
    return Message(
        id=id_,
        dispatch=dispatch,
        number=number,
        recipient=recipient,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        updated=now.wall,
        changed_at=now.steady,
        parts=dispatch.parts,
        attempt_at=now.steady,
    )


def _group_message(
    dispatch: Dispatch, id_: int, group: str, size: int, now: Moment
) -> Message:
    """Return the new message to a group of so many numbers."""
    message = new_message(dispatch, id_, group_address(group), None, now)
    return replace(message, size=size, parts=dispatch.parts * size)


def refused_message(
    dispatch: Dispatch, id_: int, refused: RefusedTarget, now: Moment
) -> Message:
    """Return the closed message to a target that nothing is sent to."""
    target, refusal = refused
    return replace(
        new_message(dispatch, id_, target.given, None, now),
        status=Status.FAILED,
        stage=Stage.CLOSED,
        error=ErrorKind.RECIPIENT,
        detail=refusal,
        attempt_at=None,
    )


def check_request(
    request: SendRequest, account: Account, now: float
) -> tuple[SendOptions, PreparedText]:
    """Return the options and the text of a request as they would be sent.

    Raises RequestRefusedError if they may not be, whoever they are for.
    """
    options = request.options
    if options != _DEFAULTS:
        options = _normalized(options, now)
        check_sender(account, options.sender)
    if options != _DEFAULTS or account.channel is not Channel.SMS:
        check_options(account, options)
    prepared = _prepared(request, account)
    check_text(account, prepared)
    return options, prepared


def _prepared(request: SendRequest, account: Account) -> PreparedText:
    """Return the text of a request as it would be sent, cut if that is wanted.

    Nothing is done with more of it than could be sent.
    """
    check_length(account, request.text, request.too_long)
    encoding = request.options.encoding or account.options.encoding
    most = longest_text(account)
    is_cut = len(request.text) > most
    text = f"{request.text[:most]}..." if is_cut else request.text
    prepared = prepare_text(text, encoding)
    is_cut = is_cut or prepared.parts > account.max_parts
    if request.too_long is TooLong.REFUSE or not is_cut:
        return prepared
    _LOGGER.warning(
        "%s: a text was cut to the %d parts that the account allows",
        account.name,
        account.max_parts,
    )
    return cut_text(prepared, account.max_parts)


def _normalized(options: SendOptions, now: float) -> SendOptions:
    """Return options without empty values; a moment that is past is now."""
    send_at = options.send_at
    return replace(
        options,
        sender=options.sender or None,
        encoding=None,
        send_at=send_at if send_at is not None and send_at > now else None,
        groups=tuple(dict.fromkeys(options.groups)),
        reference=options.reference or None,
    )
