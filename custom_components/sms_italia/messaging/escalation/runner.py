"""Runs that go on: each step recorded, then made, across restarts."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
import logging

from ..alarm import Alarm
from ..delivery import DeliveryContext
from ..errors import Refusal, RequestRefusedError
from ..ledger import Entry, LedgerUnreadableError, Opened, RunRecord
from ..model import Message, Stage
from ..state import Change
from ..state.transitions import cancelled
from .answers import answering, says_yes
from .caller import Caller, CallResult, Send
from .calls import FindMember
from .model import Acknowledgement, Copy, Member, Plan, Run, Way
from .news import RunEvent, RunListeners, RunNews, news_of
from .progress import progress_of
from .storage import from_record, to_record
from .transitions import (
    abandoned,
    acceptances,
    acknowledged,
    advanced,
    begun,
    delivered_to,
    due,
    is_quiet,
    joined,
    late_notes,
    lost,
    merged,
    merged_away,
    moved,
    noted,
    refused,
    repeated,
    reported,
    restored,
    taken_as_sent,
    uncovered,
    withdrawn,
)

_LOGGER = logging.getLogger(__name__)

_LOOK_AGAIN = 1
"""Seconds until it is checked again whether an account that is waited for is there."""

_REMEMBERED = 86_400
"""Seconds that a run is remembered after its end; no quiet time is longer."""


class Escalations:
    """Calls the members of escalations, one after another, until somebody answers.

    A run lives here in memory and in the ledger. Each step is on disk before it is
    made, together with the ID of its dispatch: after a start, a dispatch that the
    ledger does not know was never sent. Messages are followed by what `OpenMessages`
    says of them. An escalation has one calling run at most: a message joins it, and of
    two that a start finds, one goes on in the other.
    """

    def __init__(
        self,
        context: DeliveryContext,
        *,
        send: Send,
        find_member: FindMember,
    ) -> None:
        """Start without runs; `send` is that of the messenger."""
        self.listeners = RunListeners()
        self._open = context.open_messages
        self._ledger = context.ledger
        self._clock = context.clock
        self._tasks = context.tasks
        self._withdrawn = context.withdrawn
        self._timing = context.timing
        self._caller = Caller(context, send, find_member)
        self._alarm = Alarm(context.clock, self._look)
        self._runs: dict[int, Run] = {}
        self._merged_into: dict[int, int] = {}
        self._is_running = False
        self._open.subscribe(self._on_changes, *Stage)

    # What the rooms ask

    async def call(self, plan: Plan, text: str, user: str | None = None) -> Run:
        """Begin a run with a text, or join the one that is calling; return the run.

        `user` is the ID of who asks for it, None for an automation.
        When it is on disk; the first call follows. What repeats a text that was
        acknowledged within the quiet time is only recorded. Raises RequestRefusedError.
        """
        if not self._is_running:
            raise RequestRefusedError(Refusal.ACCOUNT_NOT_LOADED)
        if not text.strip():
            raise RequestRefusedError(Refusal.EMPTY_TEXT)
        run = self._advanced(self._with_text(plan, text, user))
        await asyncio.wait([self._put(run)])
        return self._run(run.id) or run

    async def acknowledge(self, escalation: str, by: Acknowledgement) -> None:
        """End what an escalation (an ID) calls for; what is not covered begins a run.

        Returns when that is on disk; does nothing if nobody is being called.
        """
        runs = [run for run in self.calling() if run.plan.id == escalation]
        if runs:
            await asyncio.wait([self._put(*self._after(run, by)) for run in runs])

    async def answered(self, number: str, text: str, at: float) -> None:
        """Acknowledge the runs that an SMS answers, if it says so.

        Those that called its number early enough to have been read before the SMS came
        in, at `at` (steady time).
        """
        if not says_yes(text):
            return
        read_until = at - self._timing.read
        ends = []
        for run in self.calling():
            if (member := answering(run, number, read_until)) is not None:
                by = Acknowledgement(
                    way=Way.ANSWER,
                    who=self._caller.name_of(member),
                    read_until=read_until,
                    member=member,
                )
                ends.append(self._put(*self._after(run, by)))
        if ends:
            await asyncio.wait(ends)

    def is_answer_awaited(self) -> bool:
        """Return whether somebody was called who may answer."""
        return any(run.calls for run in self.calling())

    def now(self) -> float:
        """Return the steady time, in which runs are measured."""
        return self._clock.now()

    def latest(self, escalation: str) -> Run | None:
        """Return the last run of an escalation, None if there was none lately."""
        runs = (run for run in self._runs.values() if run.plan.id == escalation)
        return max(runs, key=lambda run: run.id, default=None)

    def plan_of(self, run_id: int) -> Plan | None:
        """Return the plan of a run by its ID, None if that was not lately."""
        run = self._run(run_id)
        return None if run is None else run.plan

    def calling(self) -> tuple[Run, ...]:
        """Return all runs that are calling, oldest first."""
        return tuple(run for run in self._runs.values() if run.is_calling)

    def keep(self, account_id: str, escalations: Collection[str]) -> None:
        """Abandon the runs of an account's escalations that are none of these."""
        now = self._clock.now()
        for run in tuple(self._runs.values()):
            if run.plan.account != account_id or run.plan.id in escalations:
                continue
            if run.is_calling:
                self._put(abandoned(run, now))
            self.listeners.forget_missed(run.plan.id)

    def started(self) -> None:
        """Note that Home Assistant has started: accounts have a minute left."""
        self._caller.started()
        self._look()

    # What the messenger says

    async def load(self, opened: Opened) -> None:
        """Go on with what the ledger holds, which may have been opened late.

        What was calling in a backup calls nobody: it may have gone on after the copy.
        """
        self._is_running = True
        runs = await self._read_runs(opened)
        now = self._clock.now()
        ended = {id_: run for id_, run in runs.items() if not run.is_calling}
        self._runs = ended | self._runs
        for run in ended.values():
            self._resume_ended(run, opened)
        for run in runs.values():
            if run.is_calling and opened.is_restored:
                self._put(abandoned(run, now))
            elif run.is_calling:
                self._resume(restored(run, now))
        if self._is_running:
            # A ledger that opens late finds all accounts attached.
            self._alarm.set(now + _LOOK_AGAIN)

    async def _read_runs(self, opened: Opened) -> dict[int, Run]:
        """Return the runs of the ledger by ID, but for those that are known here.

        With what is known of their messages, by our clock. What may have been sent
        without a trace counts as sent: in a backup, or where messages cannot be read.
        """
        ended_since = self._clock.now() - opened.moved - _REMEMBERED
        records = await self._ledger.runs(ended_since)
        runs = {
            run.id: moved(run, opened.moved)
            for run in _runs_of(one for one in records if one.id not in self._runs)
        }
        self._merged_into |= {
            id_: run.id for run in runs.values() for id_ in run.merged
        }
        messages = await self._messages_of({*runs, *self._merged_into}, opened)
        for message in self._open if messages is None else messages:
            run_id = message.dispatch.run or 0
            of_message = runs.get(self._merged_into.get(run_id, run_id))
            if of_message is not None:
                latest = self._open.get(message.id) or message
                runs[of_message.id] = self._reported(of_message, latest)
        if messages is None or opened.is_restored:
            runs = {id_: taken_as_sent(run) for id_, run in runs.items()}
        return runs

    async def _messages_of(
        self, runs: Collection[int], opened: Opened
    ) -> Sequence[Message] | None:
        """Return the messages of runs by our clock; None if there is no reading them.

        Those that its file lacks, too.
        """
        try:
            found = await self._ledger.messages_of_runs(list(runs))
        except LedgerUnreadableError:
            return None
        unwritten = opened.unwritten.messages if opened.unwritten else ()
        return [*(one.moved(opened.moved) for one in found), *unwritten]

    def attached(self) -> None:
        """Look whether an account is there that was waited for."""
        self._look()

    def records(self) -> tuple[RunRecord, ...]:
        """Return the runs that are calling, as the ledger keeps them."""
        return tuple(to_record(run) for run in self.calling())

    def forget(self, account_id: str) -> None:
        """Forget the runs of an account, and what it was to send for others.

        What other accounts were to send for them is withdrawn.
        """
        now = self._clock.now()
        for run in tuple(self._runs.values()):
            if run.plan.account == account_id:
                # It is not recorded: the ledger forgets it too.
                self._withdraw(withdrawn(abandoned(run, now)))
                self.listeners.forget_missed(run.plan.id)
                del self._runs[run.id]
        for run in self.calling():
            self._runs[run.id] = lost(run, lambda one: self._open.get(one) is None)
        self._look()

    def stop(self) -> None:
        """Make no step by itself; the runs are in the ledger."""
        self._is_running = False
        self._alarm.stop()

    def clear(self) -> None:
        """Forget all runs; the ledger has them."""
        self._runs.clear()
        self._merged_into.clear()
        self._withdrawn.clear()

    # Steps

    def _with_text(self, plan: Plan, text: str, user: str | None) -> Run:
        """Return the run that a text begins, joins or repeats."""
        now = self._clock.moment()
        of_plan = [run for run in self._runs.values() if run.plan.id == plan.id]
        for run in of_plan:
            if is_quiet(run, text, now.steady):
                return repeated(run)
        for run in of_plan:
            if run.is_calling:
                return joined(run, text, self._open.ids, user)
        return begun(plan, [text], next(self._open.ids), now, user)

    def _advanced(self, run: Run) -> Run:
        """Return a run after the step that is due, if one is."""
        caller = self._caller
        return advanced(
            run,
            self._clock.now(),
            caller.availability,
            caller.texts_for,
            self._open.ids,
        )

    def _after(self, run: Run, by: Acknowledgement) -> tuple[Run, ...]:
        """Return a run that is acknowledged, and one of what that does not cover."""
        now = self._clock.moment()
        end = acknowledged(run, by, now.steady, self._open.ids)
        left = uncovered(end)
        if not left:
            return (end,)
        new = begun(end.plan, left, next(self._open.ids), now, end.user)
        return end, self._advanced(new)

    def _resume(self, run: Run) -> None:
        """Go on with a run that the ledger had calling, perhaps in another one.

        Whoever acknowledged its escalation before the ledger could be read meant this
        run too: it was calling all the time.
        """
        # It is no news.
        self._runs[run.id] = run
        by = self._acknowledgement_since(run)
        self._put(*(self._after(run, by) if by is not None else (run,)))
        latest = self._run(run.id)
        if latest is not None and latest.is_calling:
            self.listeners.notify(RunNews(event=RunEvent.RESUMED, run=latest))

    def _resume_ended(self, run: Run, opened: Opened) -> None:
        """Do what is left to do of a run that has ended."""
        self._withdraw(withdrawn(run))
        # What was on the wire may have reached its member.
        after = noted(run, self._clock.now(), self._open.ids)
        if opened.is_restored:
            # It may have been sent after the copy was made: no later start sends it.
            self._put(taken_as_sent(after))
        elif after is not run:
            self._put(after)

    def _acknowledgement_since(self, run: Run) -> Acknowledgement | None:
        """Return how somebody acknowledged the escalation of a run since it began.

        An answer and a delivery are about a message, and mean no other run.
        """
        for one in self._runs.values():
            by, ended = one.acknowledgement, one.ended
            if (
                one.plan.id == run.plan.id
                and by is not None
                and by.way in {Way.BUTTON, Way.ACTION}
                and ended is not None
                and ended > run.began.steady
            ):
                return by
        return None

    def _run(self, run_id: int | None) -> Run | None:
        """Return the run with an ID, or the one in which that goes on."""
        id_ = run_id or 0
        return self._runs.get(self._merged_into.get(id_, id_))

    def _look(self) -> None:
        """Make all steps that are due, and set the alarm for the next one."""
        if not self._is_running:
            return
        for run in tuple(self._runs.values()):
            if run.is_calling or run.unsent:
                self._step(run)
        self._set_alarm()

    def _step(self, run: Run) -> None:
        """Make the step of a run that is due, and send what could not be before."""
        if (member := delivered_to(run)) is not None:
            self._put(*self._after(run, self._by_delivery(member)))
            return
        after = self._without_gone(self._advanced(run))
        if after is not run or any(
            self._caller.can_send(call.member, copy) for call, copy in after.unsent
        ):
            self._put(after)

    def _without_gone(self, run: Run) -> Run:
        """Return a run without copies that come too late, or that nobody can send."""
        for dispatch in late_notes(run, self._clock.now()):
            run = refused(run, dispatch)
        for call, copy in run.unsent:
            if self._caller.cannot_send(run, call.member, copy):
                run = self._advanced(refused(run, copy.dispatch))
        return run

    def _put(self, *runs: Run) -> asyncio.Task[None]:
        """Replace what is known of runs; return the task that records and does it."""
        changed = [one for run in runs for one in self._replace(run)]
        self._forget_old()
        self._set_alarm()
        ids = [run.id for run in changed]
        return self._tasks.spawn(self._carry_out(ids), "escalation")

    def _replace(self, run: Run) -> tuple[Run, ...]:
        """Replace what is known of a run; return what has changed by it."""
        changed = self._merged(run)
        for one in changed:
            before = self._runs.get(one.id)
            self._runs[one.id] = one
            self._merged_into |= dict.fromkeys(one.merged, one.id)
            self._withdraw(withdrawn(one))
            self._notify(before, one)
        return changed

    def _merged(self, run: Run) -> tuple[Run, ...]:
        """Return a run, merged with one that its escalation has calling already."""
        for other in self.calling():
            is_other = other.plan.id == run.plan.id and other.id != run.id
            if is_other and run.is_calling:
                left = merged_away(run, other, self._clock.now())
                return left, merged(run, other, self._open.ids)
        return (run,)

    def _notify(self, before: Run | None, run: Run) -> None:
        """Notify others of a change of a run."""
        for news in news_of(before, run):
            if news.event is RunEvent.EXHAUSTED:
                _LOGGER.warning(
                    "%s: nobody acknowledged; %d of %d members were called",
                    run.plan.name,
                    sum(one in run.called for one in run.plan.members),
                    len(run.plan.members),
                )
            self.listeners.notify(news)

    async def _carry_out(self, ids: Sequence[int]) -> None:
        """Record runs as they are now, then send what they ask for."""
        runs = [self._runs[id_] for id_ in ids if id_ in self._runs]
        recorded = {copy.dispatch: run.id for run in runs for _, copy in run.unsent}
        await self._ledger.record(
            Entry(runs=[to_record(run) for run in runs]), to_send=recorded
        )
        for dispatch, run_id in recorded.items():
            self._send_recorded(run_id, dispatch)

    def _send_recorded(self, run_id: int, dispatch: int) -> None:
        """Send a copy that is on disk, unless it was sent or is not to be any more."""
        run = self._run(run_id)
        if run is None:
            return
        for call, copy in run.unsent:
            if copy.dispatch == dispatch and self._caller.can_send(call.member, copy):
                calling = self._call(run, call.member, copy)
                self._tasks.spawn(calling, "call", eager=True)

    async def _call(self, run: Run, member: Member, copy: Copy) -> None:
        """Send a copy; one that is refused as a whole has nothing left to try."""
        if await self._caller.call(run, member, copy) is CallResult.REFUSED:
            latest = self._run(run.id)
            if latest is not None:
                self._put(self._advanced(refused(latest, copy.dispatch)))

    # News of messages

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Follow the messages of the runs."""
        if not (self._runs or self._withdrawn):
            return
        # What was on the wire at the end may wait again.
        changed = frozenset(change.after.dispatch.id for change in changes)
        self._withdraw(changed & self._withdrawn)
        before: dict[int, Run] = {}
        for change in changes:
            run = self._run(change.after.dispatch.run)
            if run is not None:
                before.setdefault(run.id, run)
                self._runs[run.id] = self._reported(run, change.after)
        for run_id, run in before.items():
            after = self._runs[run_id]
            if acceptances(after) != acceptances(run):
                # The rows of messages only say when they last changed.
                self._ledger.note(Entry(runs=[to_record(after)]))
            self._follow(after)

    def _reported(self, run: Run, message: Message) -> Run:
        """Return a run that knows of a message as it is now."""
        return reported(
            run,
            message.dispatch.id,
            message.id,
            message.number,
            progress_of(message, self._open.get),
            message.changed_at,
        )

    def _follow(self, run: Run) -> None:
        """Do what the news of a run's messages call for."""
        if not self._is_running:
            return
        if run.is_calling:
            self._step(run)
            return
        # What was on the wire at the end may have reached its member.
        after = noted(run, self._clock.now(), self._open.ids)
        if after is not run:
            self._put(after)

    def _by_delivery(self, member: Member) -> Acknowledgement:
        return Acknowledgement(
            way=Way.DELIVERY,
            who=self._caller.name_of(member),
            read_until=self._clock.now(),
            member=member,
        )

    def _withdraw(self, dispatches: frozenset[int]) -> None:
        """Let nothing more be sent of dispatches, and cancel what waits.

        A moment later: what is being recorded of a message must not come after that.
        """
        dispatches = self._with_carrying(dispatches)
        self._withdrawn |= dispatches
        if self._waiting(dispatches):
            self._tasks.spawn(self._cancel_waiting(dispatches), "withdrawal")

    def _with_carrying(self, dispatches: frozenset[int]) -> frozenset[int]:
        """Return dispatches, with those of the messages that carry theirs."""
        if not dispatches:
            return dispatches
        carrying = [
            self._open.get(one.joined_in or 0)
            for one in self._open
            if one.stage is Stage.JOINED and one.dispatch.id in dispatches
        ]
        return dispatches | {one.dispatch.id for one in carrying if one}

    async def _cancel_waiting(self, dispatches: Collection[int]) -> None:
        now = self._clock.moment()
        await self._open.change(
            [cancelled(one, now) for one in self._waiting(dispatches)]
        )

    def _waiting(self, dispatches: Collection[int]) -> list[Message]:
        """Return the messages of dispatches that wait with us."""
        if not dispatches:
            return []
        return [
            one
            for one in self._open
            if one.dispatch.id in dispatches
            and one.stage in {Stage.WAITING, Stage.HELD}
        ]

    def _set_alarm(self) -> None:
        if not self._is_running:
            return
        now = self._clock.now()
        for run in self._runs.values():
            moment = due(run)
            if moment is not None and moment > now:
                self._alarm.set(moment)
            elif run.waits_since is not None or run.unsent:
                self._alarm.set(now + _LOOK_AGAIN)

    def _forget_old(self) -> None:
        """Forget runs that ended long ago, but for the last one of each escalation."""
        before = self._clock.now() - _REMEMBERED
        last = {self._runs[id_].plan.id: id_ for id_ in sorted(self._runs)}
        self._runs = {
            id_: run
            for id_, run in self._runs.items()
            if run.ended is None or run.ended > before or last[run.plan.id] == id_
        }


def _runs_of(records: Iterable[RunRecord]) -> Iterator[Run]:
    """Go over the runs of records, without those that cannot be read."""
    for record in records:
        try:
            yield from_record(record)
        except (ValueError, TypeError, KeyError) as err:
            _LOGGER.error("A run cannot be read: %s", type(err).__name__)  # noqa: TRY400 - its words may quote a text
