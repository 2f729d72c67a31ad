"""A message on its way along the route, and what an answer makes of it."""

from dataclasses import dataclass, replace

from ..providers.client import Feature
from ..providers.model import (
    Accepted,
    ErrorKind,
    MessageType,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Status,
    Uncertain,
)
from .account import Account
from .model import Message, Stage
from .routing import another_account_may_cure


@dataclass(slots=True)
class Attempt:
    """A message on its way along the route, and what it met there.

    `doubt` is the message as an account left it that may have sent it. `refusal` is
    what `refused_by` (the id of an account) answered. One that `is_early` waits for the
    moment at which it shall go out.
    """

    message: Message
    doubt: Message | None = None
    refusal: NotSent | None = None
    refused_by: str | None = None
    retry_at: float | None = None
    hopeless: bool = False
    is_early: bool = False
    is_duplicate: bool = False

    def refused(
        self, carrier: str, outcome: NotSent, retry_at: float | None = None
    ) -> None:
        """Keep the first refusal, and the earliest time an account may take it.

        A refusal that no account can cure ends the way.
        """
        self.is_duplicate = outcome.kind is ErrorKind.DUPLICATE
        if not another_account_may_cure(outcome.kind):
            self.hopeless = True
            self.refusal, self.refused_by, self.retry_at = outcome, carrier, None
            return
        if self.refusal is None:
            self.refusal, self.refused_by = outcome, carrier
        if retry_at is not None:
            self.put_off(retry_at)

    def put_off(self, moment: float) -> None:
        """Try again at this moment, or before if an account may take it then."""
        self.retry_at = moment if self.retry_at is None else min(self.retry_at, moment)


def submitting(
    message: Message, carrier: str, reference: str, now: float, *, has_own_text: bool
) -> Message:
    """Return a message as it goes on the wire.

    If no answer comes, the account may have its text, unless that was another one.
    """
    marked = message.unanswered
    if has_own_text and carrier not in marked:
        marked = (*marked, carrier)
    return replace(
        message,
        stage=Stage.SUBMITTING,
        carrier=carrier,
        submission=reference,
        provider_id=None,
        attempt_at=None,
        updated=now,
        unanswered=marked,
    )


def outcome_of(message: Message, result: SendResult) -> Outcome:
    """Return what an answer says of a message, which may be one to a group.

    A group of which every number was refused is refused, as a duplicate if any was.
    """
    if message.group is None:
        doubt = Uncertain(detail="not_in_answer")
        return result.outcomes.get(message.number, doubt)
    if (whole := result.refusal or result.doubt) is not None:
        return whole
    listed = list(result.group_outcomes.values())
    refusals = [one for one in listed if isinstance(one, NotSent)]
    if refusals and len(refusals) == len(listed):
        duplicates = (one for one in refusals if one.kind is ErrorKind.DUPLICATE)
        return next(duplicates, refusals[0])
    return Accepted(provider_id=message.submission)


def taken(
    message: Message, carrier: Account, outcome: Accepted, mode: Mode | None, now: float
) -> Message:
    """Return a message that an account took, or would have taken in Mode.TEST.

    That one costs nothing, and nobody will ever report about it. One that is due later
    waits at the provider, and stays open where it can be stopped.
    """
    is_test = mode is Mode.TEST
    has_parts = outcome.type is MessageType.SMS and not is_test
    send_at = message.dispatch.wishes.send_at
    is_early = send_at is not None and now < send_at
    features = carrier.provider.capabilities.features
    can_be_stopped = is_early and Feature.CANCEL in features
    stays_open = carrier.tracks_delivery or can_be_stopped
    return replace(
        message,
        stage=Stage.TAKEN if stays_open and not is_test else Stage.CLOSED,
        status=Status.QUEUED if is_test or is_early else outcome.status,
        provider_id=outcome.provider_id,
        parts=(outcome.parts or message.parts) if has_parts else 0,
        cost=None if is_test else outcome.cost,
        type=outcome.type,
        error=None,
        detail=None,
        updated=now,
        unanswered=(),
    )


def in_doubt(
    message: Message, carrier: Account, outcome: Uncertain, now: float
) -> Message:
    """Return a message of which nobody knows whether the account took it."""
    can_be_settled = (
        message.dispatch.wishes.mode is not Mode.TEST
        and carrier.can_settle(outcome.provider_id)
    )
    return replace(
        message,
        stage=Stage.DOUBTFUL if can_be_settled else Stage.CLOSED,
        status=Status.UNCERTAIN,
        provider_id=outcome.provider_id,
        error=None,
        detail=outcome.detail,
        updated=now,
    )


def came_after_all(message: Message, now: float) -> Message:
    """Return a message refused as a repeat of the request that had been in doubt.

    Its provider had said that it never came. Nobody can tell whether it was charged.
    """
    return replace(
        message,
        stage=Stage.CLOSED,
        status=Status.UNCERTAIN,
        error=None,
        detail="duplicate_of_doubt",
        updated=now,
    )
