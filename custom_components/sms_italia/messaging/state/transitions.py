"""What happens to a message, one function an arrow of the state machine.

Each function is pure: it takes a message and returns it as it is afterwards.
`may_follow` says which of these results `OpenMessages` accepts;
docs/development/architecture.md has the diagram.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ...providers import (
    Accepted,
    ErrorKind,
    Feature,
    MessageType,
    Mode,
    NotSent,
    Report,
    Status,
    Uncertain,
)
from ..account import Account
from ..clock import DAY, Moment
from ..model import RESTORED, Dispatch, Message, Stage

FOLLOWING: Mapping[Stage, frozenset[Stage]] = {
    Stage.WAITING: frozenset({Stage.WAITING, Stage.SUBMITTING, Stage.CLOSED}),
    Stage.HELD: frozenset({Stage.WAITING, Stage.JOINED, Stage.CLOSED}),
    Stage.JOINED: frozenset({Stage.JOINED, Stage.CLOSED}),
    Stage.SUBMITTING: frozenset(
        {
            Stage.SUBMITTING,
            Stage.WAITING,
            Stage.ACCEPTED,
            Stage.IN_DOUBT,
            Stage.CLOSED,
        }
    ),
    Stage.ACCEPTED: frozenset({Stage.ACCEPTED, Stage.WAITING, Stage.CLOSED}),
    Stage.IN_DOUBT: frozenset(
        {Stage.IN_DOUBT, Stage.WAITING, Stage.ACCEPTED, Stage.CLOSED}
    ),
    Stage.CLOSED: frozenset(),
}
"""The stages that a message may have next."""

_RANK = {Status.QUEUED: 0, Status.SENT: 1, Status.UNCERTAIN: 2}


def may_follow(old: Message, new: Message) -> bool:
    """Return whether a message may change like this.

    A change from two or more transitions ago is dropped: of two who settle a doubt at
    the same time, the second must not undo what followed the first. Once a provider has
    accepted a message, its status only moves forward: queued, sent, uncertain, then one
    of the final three. It waits again only for a failover, which it has once at each
    account. What is from a backup never waits again.
    """
    if new.revision < old.revision or new.stage not in FOLLOWING[old.stage]:
        return False
    is_back = new.stage is Stage.WAITING
    if is_back and not _may_wait_again(old, new):
        return False
    if old.status.is_final:
        return new.status is old.status
    if old.stage is not Stage.ACCEPTED or is_back or new.status.is_final:
        return True
    return _RANK[new.status] >= _RANK[old.status]


def _may_wait_again(old: Message, new: Message) -> bool:
    """Return whether a message may change to one that waits to be sent."""
    if old.from_backup:
        return False
    is_failover = old.failed_over_from != new.failed_over_from
    return old.stage is not Stage.ACCEPTED or is_failover


def _next(message: Message, **changes: Any) -> Message:  # noqa: ANN401 - as replace
    """Return a message after one more transition."""
    return replace(message, revision=message.revision + 1, **changes)


def _at(message: Message, now: Moment, **changes: Any) -> Message:  # noqa: ANN401 - as replace
    """Return a message after one more transition, which happens now."""
    return replace(
        message,
        revision=message.revision + 1,
        updated=now.wall,
        changed_at=now.steady,
        **changes,
    )


def held(message: Message, until: float) -> Message:
    """Return a new message that is held, to be joined with others at `until`."""
    return _next(message, stage=Stage.HELD, attempt_at=until)


def released(message: Message, now: Moment) -> Message:
    """Return a held message that waits in the outbox: nothing came to join it."""
    return _at(message, now, stage=Stage.WAITING, attempt_at=now.steady)


def joined(message: Message, carrying: Message) -> Message:
    """Return a held message that is sent within another one.

    It shares the status of that one, and has no parts of its own any more.
    """
    return _next(
        message,
        stage=Stage.JOINED,
        joined_in=carrying.id,
        parts=0,
        attempt_at=None,
        updated=carrying.updated,
        changed_at=carrying.changed_at,
    )


def shared(message: Message, carrying: Message) -> Message:
    """Return a joined message with the status of the one that carries it.

    Parts, cost and the provider's ID stay with that one, so that nothing counts twice.
    """
    return _next(
        message,
        status=carrying.status,
        stage=Stage.CLOSED if carrying.stage is Stage.CLOSED else Stage.JOINED,
        last_account=carrying.last_account,
        error=carrying.error,
        detail=carrying.detail,
        type=carrying.type,
        updated=carrying.updated,
        changed_at=carrying.changed_at,
    )


def submitted(
    message: Message, account: Account, reference: str, text: str, now: Moment
) -> Message:
    """Return a message of which a request with this text is about to be made.

    A text that is not its own stays with it. If no answer comes, the account may have
    the text.
    """
    unanswered = message.unanswered
    if account.id not in unanswered:
        unanswered = (*unanswered, account.id)
    return _at(
        message,
        now,
        stage=Stage.SUBMITTING,
        last_account=account.id,
        submission=reference,
        provider_id=None,
        attempt_at=None,
        attempts=message.attempts + 1,
        unanswered=unanswered,
        marked_text=None if text == message.dispatch.text else text,
    )


def accepted(
    message: Message,
    account: Account,
    outcome: Accepted,
    mode: Mode | None,
    now: Moment,
) -> Message:
    """Return a message that an account accepted, or would have in Mode.TEST.

    That one costs nothing, and nobody ever reports about it. One that is due later
    waits at the provider, and stays open where it can be cancelled.
    """
    is_test = mode is Mode.TEST
    has_parts = outcome.type is MessageType.SMS and not is_test
    is_early = message.dispatch.is_early(now.steady)
    can_be_cancelled = is_early and account.has(Feature.CANCEL)
    stays_open = account.tracks_delivery or can_be_cancelled
    return _at(
        message,
        now,
        stage=Stage.ACCEPTED if stays_open and not is_test else Stage.CLOSED,
        status=Status.QUEUED if is_test or is_early else outcome.status,
        provider_id=outcome.provider_id,
        parts=(outcome.parts or message.parts) if has_parts else 0,
        cost=None if is_test else outcome.cost,
        type=outcome.type,
        error=None,
        detail=None,
        unanswered=(),
    )


def uncertain(
    message: Message, account: Account, outcome: Uncertain, now: Moment
) -> Message:
    """Return a message of which nobody knows whether the account accepted it."""
    can_be_settled = not message.dispatch.is_test and account.can_settle(
        outcome.provider_id
    )
    return _at(
        message,
        now,
        stage=Stage.IN_DOUBT if can_be_settled else Stage.CLOSED,
        status=Status.UNCERTAIN,
        provider_id=outcome.provider_id,
        error=None,
        detail=outcome.detail,
    )


def still_in_doubt(message: Message, doubt: Message) -> Message:
    """Return a message in doubt as it was before other accounts refused it."""
    return replace(doubt, revision=message.revision + 1)


def interrupted(message: Message, now: Moment) -> Message:
    """Return a message whose request was on the wire when Home Assistant ended."""
    return _at(
        message,
        now,
        status=Status.UNCERTAIN,
        stage=Stage.IN_DOUBT,
        detail="interrupted",
    )


def restored(message: Message, now: Moment) -> Message:
    """Return a message that was open when a backup was made, which was put back.

    It may have been sent since, by whichever account, and is not sent again. Only of
    what was submitted before can somebody be asked. A joined one follows the message
    that carries it.
    """
    match message.stage:
        case Stage.WAITING | Stage.HELD:
            unsent = replace(
                message, last_account=None, submission=None, attempt_at=None
            )
            return not_repeated(unsent, now)
        case Stage.SUBMITTING:
            return replace(interrupted(message, now), from_backup=True)
        case Stage.ACCEPTED | Stage.IN_DOUBT:
            return _next(message, from_backup=True)
        case Stage.JOINED | Stage.CLOSED:
            return message


def not_repeated(message: Message, now: Moment) -> Message:
    """Return a message from a backup that would be sent again, and is not.

    Another account, or a later request to the same one, may have sent it since.
    """
    return _at(
        message,
        now,
        status=Status.UNCERTAIN,
        stage=Stage.CLOSED,
        error=None,
        detail=RESTORED,
    )


def arrived_before(message: Message, now: Moment) -> Message:
    """Return a message refused as a repeat of the request that had been in doubt.

    So its provider has it, although it had found nothing. Under which ID is not known,
    and no report can be asked for.
    """
    return _at(
        message,
        now,
        stage=Stage.CLOSED,
        status=Status.SENT,
        error=None,
        detail="duplicate_of_doubt",
    )


def refused(
    message: Message, refusal: NotSent, account_id: str | None, now: Moment
) -> Message:
    """Return a message that no account of its route accepts."""
    return _next(
        _with_refusal(message, refusal, account_id, now),
        status=Status.FAILED,
        stage=Stage.CLOSED,
    )


def requeued(
    message: Message,
    refusal: NotSent,
    account_id: str | None,
    attempt_at: float,
    now: Moment,
) -> Message:
    """Return a message that waits for another attempt at `attempt_at`.

    One for later follows the wall clock, which may have been set during its request.
    """
    dispatch = message.dispatch
    if dispatch.is_early(now.steady):
        dispatch = _by_wall_time(dispatch, now)
        attempt_at = min(attempt_at, dispatch.due)
    return _next(
        _with_refusal(message, refusal, account_id, now),
        dispatch=dispatch,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        attempt_at=attempt_at,
    )


def _with_refusal(
    message: Message, refusal: NotSent, account_id: str | None, now: Moment
) -> Message:
    """Return a message with the reason why an account did not accept it."""
    return replace(
        message,
        last_account=account_id or message.last_account,
        submission=None,
        error=refusal.kind,
        detail=refusal.cause or refusal.detail,
        updated=now.wall,
        changed_at=now.steady,
    )


def scheduled(message: Message, now: Moment) -> Message:
    """Return a message that waits here for its own moment."""
    dispatch = _by_wall_time(message.dispatch, now)
    return _at(
        message,
        now,
        dispatch=dispatch,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        submission=None,
        detail="scheduled",
        attempt_at=dispatch.due,
    )


def rescheduled(message: Message, now: Moment) -> Message:
    """Return a message for later after the wall clock was set, which it follows."""
    dispatch = _by_wall_time(message.dispatch, now)
    waits_for_it = message.attempt_at == message.dispatch.due
    attempt_at = dispatch.due if waits_for_it else message.attempt_at
    return _next(message, dispatch=dispatch, attempt_at=attempt_at)


def _by_wall_time(dispatch: Dispatch, now: Moment) -> Dispatch:
    """Return a dispatch for later that is due when the wall clock shows `send_at`.

    At once if it shows more. It expires as long after that as before.
    """
    send_at = dispatch.options.send_at
    if send_at is None:
        return dispatch
    due = now.steady + max(0, send_at - now.wall)
    return replace(dispatch, due=due, expires=dispatch.expires - dispatch.due + due)


def after_start(message: Message, now: Moment) -> Message:
    """Return an open message as it is when the messenger starts.

    One that was never tried gets a try, if it is at most a day old.
    """
    is_untried = not message.attempts and message.stage in {Stage.WAITING, Stage.HELD}
    until = message.dispatch.due + DAY
    if not is_untried or now.steady > until:
        return message
    return _next(message, first_try_until=until)


def never_arrived(message: Message, now: Moment) -> Message:
    """Return a message in doubt that its provider never got: it is sent again."""
    return _at(
        message,
        now,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        submission=None,
        provider_id=None,
        detail=None,
        attempt_at=now.steady,
    )


def expired(message: Message, now: Moment) -> Message:
    """Return a message that waited for too long."""
    return _at(
        message,
        now,
        status=Status.EXPIRED,
        stage=Stage.CLOSED,
        error=message.error or ErrorKind.UNAVAILABLE,
        attempt_at=None,
    )


def cancel_requested(message: Message, now: Moment) -> Message:
    """Return a message that its provider is asked to cancel.

    A report that it was not sent is then what the user wants.
    """
    return _at(message, now, error=ErrorKind.CANCELLED)


def cancel_refused(message: Message, now: Moment) -> Message:
    """Return a message that its provider did not cancel."""
    return _at(message, now, error=None)


def cancelled(message: Message, now: Moment) -> Message:
    """Return a message that the user cancelled: it is not sent."""
    return _at(
        message,
        now,
        status=Status.FAILED,
        stage=Stage.CLOSED,
        error=ErrorKind.CANCELLED,
        detail=None,
        attempt_at=None,
    )


def reported(message: Message, report: Report, now: Moment) -> Message:
    """Return a message with what its provider reports of it.

    A cancellation that was asked for stays its error until it has been sent after all.
    The end has the time that the provider gives it, if it lies after the request.
    """
    type_ = report.type or message.type
    was_sent = report.status in {Status.SENT, Status.DELIVERED, Status.EXPIRED}
    is_over = report.status.is_final or report.is_last
    return _next(
        message,
        provider_id=report.ref.provider_id,
        status=report.status,
        stage=Stage.CLOSED if is_over else Stage.ACCEPTED,
        parts=0 if type_ is MessageType.PUSH else report.parts or message.parts,
        cost=message.cost if report.cost is None else report.cost,
        error=None if was_sent else message.error,
        detail=report.detail,
        type=type_,
        updated=_moment_of(message, report, now.wall) if is_over else now.wall,
        changed_at=now.steady,
    )


def _moment_of(message: Message, report: Report, now: float) -> float:
    """Return when a report's status was reached; its clock is not ours."""
    at = now if report.at is None else report.at.timestamp()
    return min(max(at, message.dispatch.created), now)


def failed_over(failed: Message, now: Moment) -> Message:
    """Return a message that a report closed as failed, on to the accounts behind.

    It has the cost (euro) of the account where it failed until another accepts it.
    """
    return _at(
        failed,
        now,
        status=Status.QUEUED,
        stage=Stage.WAITING,
        failed_over_from=failed.last_account,
        submission=None,
        provider_id=None,
        parts=failed.dispatch.parts,
        type=None,
        attempt_at=now.steady,
    )


def no_longer_tracked(message: Message) -> Message:
    """Return an accepted message whose delivery is not found out any more."""
    return _next(message, stage=Stage.CLOSED)


def given_up(message: Message, now: Moment) -> Message:
    """Return a message of which no report will ever come."""
    return _at(message, now, status=Status.UNCERTAIN, stage=Stage.CLOSED)


def divided(message: Message, members: Iterable[Message], now: Moment) -> Message:
    """Return an accepted message to a group; its numbers have messages of their own.

    It has the parts and the cost (euro) of them all. Members in doubt count too: what
    each costs is counted with the group, and only what changes of it with the member.
    """
    listed = list(members)
    sent = [one for one in listed if one.status is not Status.FAILED]
    costs = [one.cost for one in sent if one.cost is not None]
    return _at(
        message,
        now,
        stage=Stage.CLOSED,
        status=Status.QUEUED,
        provider_id=message.submission,
        parts=sum(one.parts for one in sent) if listed else message.parts,
        cost=sum(costs, Decimal(0)) if costs else None,
        error=None,
        detail=None,
    )
