"""How many messages wait to be sent, and until when."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..clock import Moment
from ..model import Message, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The messages of an account that wait, here or at its provider.

    `next_at` (seconds since the epoch) is when the next of them is due, None if none
    waits for a moment.
    """

    count: int
    next_at: float | None


def count_waiting(messages: Iterable[Message], now: Moment) -> Waiting:
    """Return how many of open messages wait, and when the next of them is due."""
    waiting = [one for one in messages if _is_waiting(one, now)]
    moments = [moment for one in waiting if (moment := _due(one)) is not None]
    if not moments:
        return Waiting(count=len(waiting), next_at=None)
    return Waiting(
        count=len(waiting), next_at=round(now.wall + min(moments) - now.steady)
    )


def _is_waiting(message: Message, now: Moment) -> bool:
    """Return whether a message is not sent yet; a provider may keep a scheduled one."""
    match message.stage:
        case Stage.WAITING | Stage.HELD | Stage.JOINED:
            return True
        case Stage.ACCEPTED:
            return message.dispatch.is_early(now.steady)
        case Stage.SUBMITTING | Stage.IN_DOUBT | Stage.CLOSED:
            return False


def _due(message: Message) -> float | None:
    """Return when a message is due (steady time); a joined one has no time itself."""
    match message.stage:
        case Stage.ACCEPTED:
            return message.dispatch.due
        case _:
            return message.attempt_at
