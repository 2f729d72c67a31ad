"""From a request to a dispatch and its messages, or to the reason of a refusal."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from ...providers import Channel, ErrorKind, Status
from ..account import Account
from ..model import (
    Dispatch,
    Message,
    PhoneNumber,
    SendOptions,
    SendRequest,
    Stage,
    Target,
    TextEncoding,
    group_address,
)
from .numbers import country_of
from .text import PreparedText, prepare_text
from .validation import (
    RefusedTarget,
    check_limit,
    check_options,
    check_sender,
    check_text,
    sort_targets,
)

_DEFAULTS = SendOptions()

_FIRST_ATTEMPT = 120
"""Seconds that the only attempt along a route may take, where there is no retrying."""


def create_dispatch(
    request: SendRequest,
    account: Account,
    committed_parts: int,
    ids: Iterator[int],
    now: float,
) -> list[Message]:
    """Return the messages of a new dispatch for a request to an account.

    Each number gets one message, and so does each group of the options, of which
    nobody here knows how many numbers it has. The messages to targets that are not
    sent to are closed. `committed_parts` are what the account spent today and is about
    to spend. Raises RequestRefusedError if nothing of it may be sent.
    """
    options, prepared = check_request(request, account, now)
    good, refused = sort_targets(account, request.targets, options.groups)
    addresses = [(target.number.e164, target.recipient) for target in good]
    addresses += [(group_address(group), None) for group in options.groups]
    check_limit(account, committed_parts, prepared.parts * len(addresses))
    dispatch = Dispatch(
        id=next(ids),
        account=account.id,
        text=prepared.text,
        encoding=prepared.encoding,
        parts=prepared.parts,
        created=now,
        expires=(options.send_at or now)
        + (account.options.retry_for or _FIRST_ATTEMPT),
        route=account.route,
        options=options,
    )
    return [
        *(
            new_message(dispatch, next(ids), number, recipient)
            for number, recipient in addresses
        ),
        *(refused_message(dispatch, next(ids), one) for one in refused),
    ]


async def request_again(message: Message) -> SendRequest:
    """Return the request that sends a message again, with the words that it has."""
    dispatch = message.dispatch
    options = replace(dispatch.options, encoding=TextEncoding.UNICODE, groups=())
    if message.group is not None:
        options = replace(options, groups=(message.group,))
        return SendRequest(
            account=dispatch.account, targets=(), text=dispatch.text, options=options
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
    )


def new_message(
    dispatch: Dispatch, id_: int, number: str, recipient: str | None
) -> Message:
    """Return a message of a new dispatch that waits to be sent."""
    return Message(
        id=id_,
        dispatch=dispatch,
        number=number,
        recipient=recipient,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        updated=dispatch.created,
        parts=dispatch.parts,
        attempt_at=dispatch.created,
    )


def refused_message(dispatch: Dispatch, id_: int, refused: RefusedTarget) -> Message:
    """Return the closed message to a target that nothing is sent to."""
    target, refusal = refused
    return replace(
        new_message(dispatch, id_, target.given, None),
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
    encoding = request.options.encoding or account.options.encoding
    prepared = prepare_text(request.text, encoding)
    check_text(account, prepared)
    return options, prepared


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
