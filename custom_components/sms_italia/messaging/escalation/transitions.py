"""What happens to a run, one function an event; all of them are pure.

Each takes a run and returns it as it is afterwards. One that has ended changes no more,
but for what is learned of its messages.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ..clock import Moment
from .model import (
    Acknowledgement,
    Availability,
    Call,
    Copy,
    CopyMessage,
    Member,
    Plan,
    Progress,
    Run,
    RunState,
    Until,
)

_NOTE = 3600
"""Seconds in which a note is tried: as long as a message by default."""


def begun(
    plan: Plan,
    texts: Sequence[str],
    run_id: int,
    now: Moment,
    user: str | None = None,
) -> Run:
    """Return a new run for texts, which has called nobody yet.

    `user` is the ID of who asked for all of them, None if nobody alone did.
    """
    return Run(
        id=run_id,
        plan=plan,
        began=now,
        texts=tuple(texts),
        begun_with=len(texts),
        user=user,
    )


def joined(run: Run, text: str, ids: Iterator[int], user: str | None = None) -> Run:
    """Return a run with one more text, which goes to everybody whom it has called.

    Once others than the user who began it have joined, what it sends is nobody's own.
    """
    after = replace(
        run,
        texts=(*run.texts, text),
        user=run.user if user == run.user else None,
    )
    return _with_missing_texts(after, ids)


def merged(run: Run, other: Run, ids: Iterator[int]) -> Run:
    """Return one run in the place of two of one escalation that are both calling.

    It goes on from where the one stands that came further. It has the texts and calls
    of both, and the ID of the newer one. Everybody whom either has called gets what
    only the other one had sent.
    """
    further, behind = sorted((run, other), key=lambda one: (-one.step, one.id))
    # Copies carry texts by their index.
    calls = _moved_texts(behind.calls, len(further.texts))
    after = replace(
        further,
        id=max(run.id, other.id),
        began=min(run.began, other.began, key=lambda moment: moment.steady),
        texts=(*further.texts, *behind.texts),
        calls=_of_both(further.calls, calls),
        user=run.user if run.user == other.user else None,
        merged=(*run.merged, *other.merged, min(run.id, other.id)),
    )
    return _with_missing_texts(after, ids)


def merged_away(run: Run, other: Run, now: float) -> Run:
    """Return the one of two merged runs that goes on in the other: without calls."""
    older = min(run, other, key=lambda one: one.id)
    return replace(abandoned(older, now), calls=())


def _moved_texts(calls: Sequence[Call], by: int) -> tuple[Call, ...]:
    """Return calls whose copies carry texts of an index that is higher by so much."""

    def changed(copy: Copy) -> Copy:
        return replace(copy, texts=tuple(index + by for index in copy.texts))

    return _changed_copies(calls, changed)


def _of_both(calls: Sequence[Call], others: Sequence[Call]) -> tuple[Call, ...]:
    """Return calls with the copies of others, in the last call to the same member.

    Calls to members whom nobody else called come first, so that the last stays last.
    """
    called = {call.member for call in calls}
    apart = [call for call in others if call.member not in called]

    def copies_to(member: Member) -> tuple[Copy, ...]:
        return tuple(
            copy for call in others if call.member == member for copy in call.copies
        )

    return (*apart, *_with_copies_to(calls, copies_to))


def _with_missing_texts(run: Run, ids: Iterator[int]) -> Run:
    """Return a run with a copy of each text that one of the called has not got."""

    def missing(member: Member) -> tuple[Copy, ...]:
        carried = {
            index
            for call in run.calls
            if call.member == member
            for copy in call.copies
            for index in copy.texts
        }
        # Each by itself: together they may be too long.
        return tuple(
            Copy(dispatch=next(ids), texts=(index,), joins=True)
            for index in range(len(run.texts))
            if index not in carried
        )

    return replace(run, calls=_with_copies_to(run.calls, missing))


def _with_copies_to(
    calls: Sequence[Call], copies_to: Callable[[Member], tuple[Copy, ...]]
) -> tuple[Call, ...]:
    """Return calls of which the last one to each member has more copies."""
    last_calls = {call.member: call.step for call in calls}
    return tuple(
        replace(call, copies=(*call.copies, *copies_to(call.member)))
        if last_calls[call.member] == call.step
        else call
        for call in calls
    )


def advanced(
    run: Run,
    now: float,
    availability: Callable[[Run, Member], Availability],
    texts_for: Callable[[Run, Member], Iterable[tuple[int, ...]]],
    ids: Iterator[int],
) -> Run:
    """Return a run after the steps that are due: one call at most, or its end.

    Members who are gone are skipped at once. `texts_for` returns the texts of the run
    by their index, in as many copies as a call of a member needs.
    """
    while run.is_calling and not _is_waited_for(run, now):
        member = run.next_member
        if member is None:
            return run if is_on_its_way(run) else _ended(run, RunState.EXHAUSTED, now)
        match availability(run, member):
            case Availability.READY:
                copies = [
                    Copy(dispatch=next(ids), texts=texts)
                    for texts in texts_for(run, member)
                ]
                return _called(run, member, now, copies)
            case Availability.LATER:
                is_new = run.waits_since is None
                return replace(run, waits_since=now) if is_new else run
            case Availability.GONE:
                run = replace(run, step=run.step + 1, waits_since=None)
    return run


def due(run: Run) -> float | None:
    """Return when (steady time) the wait for the member called last is over.

    None if nobody is waited for.
    """
    call = run.current
    if not run.is_calling or call is None or call.is_over:
        return None
    return call.at + run.plan.wait


def is_on_its_way(run: Run) -> bool:
    """Return whether a call of a run has not left, or something is still to be sent.

    In a storm, what joins would keep it on its way for ever.
    """
    return any(
        copy.is_unsent or (copy.is_queued and not copy.joins) for copy in run.copies
    )


def _is_waited_for(run: Run, now: float) -> bool:
    """Return whether the member called last still has time.

    Not once the next one is due, and waits for an account.
    """
    moment = due(run)
    return run.waits_since is None and moment is not None and now < moment


def _called(run: Run, member: Member, now: float, copies: Sequence[Copy]) -> Run:
    """Return a run that calls its next member."""
    step = run.step + 1
    call = Call(step=step, member=member, at=now, copies=tuple(copies))
    return replace(run, step=step, calls=(*run.calls, call), waits_since=None)


def reported(  # noqa: PLR0913, PLR0917 - what makes up a report
    run: Run, dispatch: int, message_id: int, number: str, news: Progress, at: float
) -> Run:
    """Return a run that knows how far a message came, at a moment of steady time.

    The message is one of the dispatch of a copy, to a number.
    """

    def with_news(copy: Copy) -> Copy:
        if copy.dispatch != dispatch:
            return copy
        accepted = {}
        if news in {Progress.ACCEPTED, Progress.DELIVERED}:
            accepted = {message_id: at}
        message = CopyMessage(number=number, progress=news)
        return replace(
            copy,
            messages={**copy.messages, message_id: message},
            # The first moment counts.
            accepted_at={**accepted, **copy.accepted_at},
        )

    return _with_copies(run, with_news)


def acceptances(run: Run) -> int:
    """Return how many messages of a run's calls were accepted, as far as is known."""
    return sum(len(copy.accepted_at) for call in run.calls for copy in call.copies)


def refused(run: Run, dispatch: int) -> Run:
    """Return a run of which one copy was refused before anything of it was sent."""

    def with_refusal(copy: Copy) -> Copy:
        return replace(copy, is_refused=True) if copy.dispatch == dispatch else copy

    return _with_copies(run, with_refusal)


def taken_as_sent(run: Run) -> Run:
    """Return a run whose unsent copies may have been sent, and count as such."""
    dispatches = {copy.dispatch for _, copy in run.unsent}

    def changed(copy: Copy) -> Copy:
        is_one = copy.dispatch in dispatches
        return replace(copy, may_have_left=True) if is_one else copy

    return _with_copies(run, changed)


def lost(run: Run, is_lost: Callable[[int], bool]) -> Run:
    """Return a run of which queued messages with some IDs will never be sent."""

    def without_lost(copy: Copy) -> Copy:
        messages = {
            id_: replace(one, progress=Progress.OVER)
            if one.progress is Progress.QUEUED and is_lost(id_)
            else one
            for id_, one in copy.messages.items()
        }
        return replace(copy, messages=messages)

    return _with_copies(run, without_lost)


def _with_copies(run: Run, change: Callable[[Copy], Copy]) -> Run:
    return replace(
        run,
        calls=_changed_copies(run.calls, change),
        notes=_changed_copies(run.notes, change),
    )


def _changed_copies(
    calls: Sequence[Call], change: Callable[[Copy], Copy]
) -> tuple[Call, ...]:
    return tuple(
        replace(call, copies=tuple(change(copy) for copy in call.copies))
        for call in calls
    )


def delivered_to(run: Run) -> Member | None:
    """Return the member whose delivery ends a run, None if none does."""
    if not run.is_calling or run.plan.until is not Until.DELIVERED:
        return None
    for call in run.calls:
        for copy in call.copies:
            if any(
                one.progress is Progress.DELIVERED for one in copy.messages.values()
            ):
                return call.member
    return None


def acknowledged(run: Run, by: Acknowledgement, now: float, ids: Iterator[int]) -> Run:
    """Return a run that somebody acknowledged; those who were called may get a note."""
    if not run.is_calling:
        return run
    run = replace(_ended(run, RunState.ACKNOWLEDGED, now), acknowledgement=by)
    return noted(run, now, ids)


def noted(run: Run, now: float, ids: Iterator[int]) -> Run:
    """Return an acknowledged run with a note to everybody reached who has none.

    A call that was on the wire at the end may reach its member later.
    """
    by = run.acknowledgement
    if by is None or run.plan.note is None:
        return run
    have_one = {by.member, *(note.member for note in run.notes)}
    notes = [
        Call(
            step=run.step,
            member=member,
            at=now,
            copies=(Copy(dispatch=next(ids), texts=()),),
        )
        for member in _reached(run)
        if member not in have_one
    ]
    return replace(run, notes=(*run.notes, *notes)) if notes else run


def late_notes(run: Run, now: float) -> tuple[int, ...]:
    """Return the dispatches of unsent notes that are no use any more."""
    return tuple(
        copy.dispatch
        for note, copy in run.unsent
        if note in run.notes and now >= note.at + _NOTE
    )


def _reached(run: Run) -> tuple[Member, ...]:
    """Return everybody for whom a call has left, each once."""
    return tuple(
        dict.fromkeys(
            call.member
            for call in run.calls
            if any(copy.has_left for copy in call.copies)
        )
    )


def abandoned(run: Run, now: float) -> Run:
    """Return a run that calls nobody any more, and that nobody acknowledged."""
    return _ended(run, RunState.ABANDONED, now)


def _ended(run: Run, state: RunState, now: float) -> Run:
    return replace(run, state=state, ended=now, waits_since=None)


def uncovered(run: Run) -> tuple[str, ...]:
    """Return the texts that an acknowledgement does not cover.

    It covers those that began the run, and each that a provider had accepted for a
    called number before that person read it.
    """
    by = run.acknowledgement
    if by is None:
        return ()
    covered = {
        index
        for copy in run.copies
        if any(copy.was_accepted(id_, by.read_until) for id_ in copy.accepted_at)
        for index in copy.texts
    }
    return tuple(
        text
        for index, text in enumerate(run.texts)
        if index >= run.begun_with and index not in covered
    )


def withdrawn(run: Run) -> frozenset[int]:
    """Return the dispatches of a run that are to be sent no more: it has ended."""
    if run.state not in {RunState.ACKNOWLEDGED, RunState.ABANDONED}:
        return frozenset()
    return frozenset(copy.dispatch for copy in run.copies)


def is_quiet(run: Run, text: str, now: float) -> bool:
    """Return whether a text is a repeat of what was acknowledged a moment ago."""
    return (
        run.state is RunState.ACKNOWLEDGED
        and run.ended is not None
        and now < run.ended + run.plan.quiet
        and text in run.texts
        and text not in uncovered(run)
    )


def repeated(run: Run) -> Run:
    """Return an acknowledged run of which a text came once more."""
    return replace(run, repeats=run.repeats + 1)


def restored(run: Run, now: float) -> Run:
    """Return a run after a start, when what is known of its messages was reported.

    A call of which nothing was sent is made now, and has its whole wait.
    """
    calls = tuple(
        replace(call, at=now)
        if all(copy.is_unsent for copy in call.copies if not copy.joins)
        else call
        for call in run.calls
    )
    return replace(run, calls=calls)


def moved(run: Run, seconds: float) -> Run:
    """Return a run with all its moments of steady time moved."""
    by = run.acknowledgement
    return replace(
        run,
        began=replace(run.began, steady=run.began.steady + seconds),
        calls=_moved_calls(run.calls, seconds),
        notes=_moved_calls(run.notes, seconds),
        waits_since=None if run.waits_since is None else run.waits_since + seconds,
        ended=None if run.ended is None else run.ended + seconds,
        acknowledgement=by and replace(by, read_until=by.read_until + seconds),
    )


def _moved_calls(calls: Sequence[Call], seconds: float) -> tuple[Call, ...]:
    def changed(copy: Copy) -> Copy:
        moments = {id_: at + seconds for id_, at in copy.accepted_at.items()}
        return replace(copy, accepted_at=moments)

    return tuple(
        replace(call, at=call.at + seconds) for call in _changed_copies(calls, changed)
    )
