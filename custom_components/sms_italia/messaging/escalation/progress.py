"""How far a message of a call came, read from the message."""

from collections.abc import Callable

from ...providers import ErrorKind, Status
from ..model import Message, Stage
from .model import Progress


def progress_of(message: Message, known: Callable[[int], Message | None]) -> Progress:
    """Return how far a message came; `known` returns open messages by their ID."""
    match message.stage:
        case Stage.WAITING | Stage.HELD | Stage.SUBMITTING:
            return Progress.QUEUED
        case Stage.JOINED:
            # It is where the message is that carries it.
            carrying = known(message.joined_in or 0)
            return Progress.QUEUED if carrying is None else progress_of(carrying, known)
        case Stage.ACCEPTED:
            is_delivered = message.status is Status.DELIVERED
            return Progress.DELIVERED if is_delivered else Progress.ACCEPTED
        case Stage.IN_DOUBT:
            return Progress.IN_DOUBT
        case Stage.CLOSED:
            return _end_of(message)


def _end_of(message: Message) -> Progress:
    """Return how far a message came of which nothing more will be known."""
    match message.status:
        case Status.QUEUED | Status.SENT:
            return Progress.ACCEPTED
        case Status.DELIVERED:
            return Progress.DELIVERED
        case Status.UNCERTAIN:
            return Progress.IN_DOUBT
        case Status.FAILED | Status.EXPIRED:
            is_cancelled = message.error is ErrorKind.CANCELLED
            return Progress.CANCELLED if is_cancelled else Progress.OVER
