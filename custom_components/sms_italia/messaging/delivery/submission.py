"""What a request to send says: its text and its name."""

from collections.abc import Sequence
from datetime import UTC, datetime
import secrets
import uuid

from ...providers import Feature, Submission
from ..account import Account
from ..compose import prepare_text
from ..model import Dispatch, Message, TextEncoding
from .context import DeliveryContext


async def new_reference(
    context: DeliveryContext, dispatch: Dispatch, account: Account
) -> str:
    """Return a reference that no submission has had.

    The one that was asked for, where the provider shows it to the user; a second
    submission has it with a suffix.
    """
    wanted = dispatch.options.reference
    if wanted is None or not account.has(Feature.CLIENT_REFERENCE):
        return uuid.uuid7().hex
    longest = account.provider.capabilities.reference_length
    is_known = await context.ledger.knows_reference(wanted, dispatch)
    is_open = context.open_messages.of_submission(wanted)
    if len(wanted) <= longest and not is_known and not is_open:
        return wanted
    suffix = f"-{secrets.token_hex(6)}"
    return f"{wanted[: longest - len(suffix)]}{suffix}"


def new_submission(  # noqa: PLR0913 - what a request says
    messages: Sequence[Message],
    reference: str,
    text: str,
    *,
    account: Account,
    requested: Account,
    now: float,
) -> Submission:
    """Return the request to `account` for messages to numbers or to one group.

    `requested` is the account that was asked to send.
    """
    dispatch = messages[0].dispatch
    options = dispatch.options
    send_at = options.send_at if dispatch.is_early(now) else None
    # A fallback without pictures says the text, which is better than nothing.
    has_picture = account.id == requested.id or account.has(Feature.PICTURE_PUSH)
    return Submission(
        reference=reference,
        recipients=tuple(one.number for one in messages if one.group is None),
        text=text,
        encoding=dispatch.encoding,
        sender=account.sender_for(options.sender),
        callback_url=account.callback_url(reference),
        send_at=None if send_at is None else datetime.fromtimestamp(send_at, UTC),
        channel=options.channel,
        picture=options.picture if has_picture else None,
        groups=tuple(one.group for one in messages if one.group is not None),
        mode=options.mode,
        max_parts=requested.options.max_parts,
    )


def marked_text(dispatch: Dispatch, local_time: str, most_parts: int) -> str | None:
    """Return a text with the time behind it, None if that takes too many parts.

    An alarm that repeats must not be lost because it repeats.
    """
    text = f"{dispatch.text} {local_time}"
    return text if parts_of(text) <= most_parts else None


def parts_of(text: str) -> int:
    """Return the parts of a text that is sent as it is."""
    return prepare_text(text, TextEncoding.UNICODE).parts
