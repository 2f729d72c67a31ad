"""Runs that go on: each step recorded, then made, across restarts."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
import logging

from ..alarm import Alarm
from ..delivery import DeliveryContext
from ..errors import Refusal, RequestRefusedError
from ..ledger import Entry, LedgerUnreadableError, Opened, RunRecord
from ..model import Message, Stage
from ..state import Change
from ..state.transitions import cancelled
from .answers import answering, says_yes
from .caller import Caller, Send
from .calls import FindMember
from .model import Acknowledgement, Call, Copy, Member, Plan, Run, Way
from .news import RunEvent, RunListeners, news_of
from .progress import progress_of
from .storage import from_record, to_record
from .transitions import (
    abandoned,
    acknowledged,
    advanced,
    begun,
    delivered_to,
    due,
    is_quiet,
    joined,
    lost,
    moved,
    noted,
    refused,
    repeated,
    reported,
    restored,
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
    says of them.
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
        return self._runs.get(run.id, run)

    async def acknowledge(self, run: Run, by: Acknowledgement) -> None:
        """End a run that is calling; what it does not cover begins a new one.

        Returns when that is on disk; does nothing if the run has ended.
        """
        if (end := self._acknowledged(run, by)) is not None:
            await asyncio.wait([end])

    async def answered(self, number: str, text: str, at: float) -> None:
        """Acknowledge the runs that an SMS answers, if it says so.

        Those that called its number early enough to have been read before the SMS came
        in, at `at` (steady time).
        """
        if not says_yes(text):
            return
        read_until = at - self._timing.read
        for run in self.calling():
            if (member := answering(run, number, read_until)) is not None:
                by = Acknowledgement(
                    way=Way.ANSWER,
                    who=self._caller.name_of(member),
                    read_until=read_until,
                    member=member,
                )
                await self.acknowledge(run, by)

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
        run = self._runs.get(run_id)
        return None if run is None else run.plan

    def calling(self) -> tuple[Run, ...]:
        """Return all runs that are calling, oldest first."""
        return tuple(run for run in self._runs.values() if run.is_calling)

    def keep(self, account_id: str, escalations: Collection[str]) -> None:
        """Abandon the runs of an account's escalations that are none of these."""
        now = self._clock.now()
        for run in self.calling():
            if run.plan.account == account_id and run.plan.id not in escalations:
                self._put(abandoned(run, now))

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
        ended_since = self._clock.now() - opened.moved - _REMEMBERED
        records = await self._ledger.runs(ended_since)
        runs = _runs_of(one for one in records if one.id not in self._runs)
        messages = await self._messages_of(runs)
        now = self._clock.now()
        runs = {id_: moved(run, opened.moved) for id_, run in runs.items()}
        for message in messages:
            latest = self._open.get(message.id) or message.moved(opened.moved)
            run_id = message.dispatch.run or 0
            runs[run_id] = self._reported(runs[run_id], latest)
        self._runs = runs | self._runs
        go_on = abandoned if opened.is_restored else restored
        calling = [go_on(run, now) for run in runs.values() if run.is_calling]
        if calling:
            self._put(*calling)
        for run in runs.values():
            self._withdraw(run)

    def attached(self) -> None:
        """Look whether an account is there that was waited for."""
        self._look()

    def records(self) -> tuple[RunRecord, ...]:
        """Return the runs that are calling, as the ledger keeps them."""
        return tuple(to_record(run) for run in self.calling())

    def forget(self, account_id: str) -> None:
        """Forget the runs of an account, and what it was to send for others."""
        self._runs = {
            id_: run
            for id_, run in self._runs.items()
            if run.plan.account != account_id
        }
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
        self._withdrawn.clear()

    # Steps

    def _with_text(self, plan: Plan, text: str, user: str | None) -> Run:
        """Return the run that a text begins, joins or repeats."""
        now = self._clock.moment()
        of_plan = [run for run in self._runs.values() if run.plan.id == plan.id]
        for run in of_plan:
            if run.is_calling:
                return joined(run, text, self._open.ids, user)
        for run in of_plan:
            if is_quiet(run, text, now.steady):
                return repeated(run)
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

    def _acknowledged(self, run: Run, by: Acknowledgement) -> asyncio.Task[None] | None:
        """End a run; return the task that ends when that is on disk."""
        latest = self._runs.get(run.id)
        if latest is None or not latest.is_calling:
            return None
        now = self._clock.moment()
        end = acknowledged(latest, by, now.steady, self._open.ids)
        left = uncovered(end)
        if not left:
            return self._put(end)
        new = begun(end.plan, left, next(self._open.ids), now, end.user)
        return self._put(end, self._advanced(new))

    def _look(self) -> None:
        """Make all steps that are due, and set the alarm for the next one."""
        if not self._is_running:
            return
        for run in self.calling():
            self._step(run)
        self._set_alarm()

    def _step(self, run: Run) -> None:
        """Make the step of a run that is due, and send what could not be before."""
        if (member := delivered_to(run)) is not None:
            self._acknowledged(run, self._by_delivery(member))
            return
        after = self._without_gone(self._advanced(run))
        if after is not run or any(
            self._caller.can_send(call.member, copy)
            for call in after.calls
            for copy in call.copies
        ):
            self._put(after)

    def _without_gone(self, run: Run) -> Run:
        """Return a run without copies that nobody can send any more."""
        for call in run.calls:
            for copy in call.copies:
                if self._caller.cannot_send(run, call.member, copy):
                    run = self._advanced(refused(run, copy.dispatch))
        return run

    def _put(self, *runs: Run) -> asyncio.Task[None]:
        """Replace what is known of runs; return the task that records and does it."""
        for run in runs:
            before = self._runs.get(run.id)
            self._runs[run.id] = run
            self._withdraw(run)
            for news in news_of(before, run):
                if news.event is RunEvent.EXHAUSTED:
                    _LOGGER.warning(
                        "%s: nobody acknowledged; %d of %d members were called",
                        run.plan.name,
                        len(run.called),
                        len(run.plan.members),
                    )
                self.listeners.notify(news)
        self._forget_old()
        self._set_alarm()
        ids = [run.id for run in runs]
        return self._tasks.spawn(self._carry_out(ids), "escalation")

    async def _carry_out(self, ids: Sequence[int]) -> None:
        """Record runs as they are now, then send what they ask for."""
        runs = [self._runs[id_] for id_ in ids if id_ in self._runs]
        copies = [
            (run.id, call, copy)
            for run in runs
            for call in (*run.calls, *run.notes)
            for copy in call.copies
        ]
        await self._ledger.record(
            Entry(runs=[to_record(run) for run in runs]),
            to_send={copy.dispatch for _, _, copy in copies if copy.is_unsent},
        )
        for run_id, call, copy in copies:
            self._request_later(run_id, call, copy)

    def _request_later(self, run_id: int, call: Call, copy: Copy) -> None:
        """Send a copy that is on disk, unless it was sent or the run has ended."""
        run = self._runs.get(run_id)
        if run is None or not (run.is_calling or call in run.notes):
            return
        known = {one.dispatch: one for one in run.copies}.get(copy.dispatch, copy)
        if self._caller.can_send(call.member, known):
            self._tasks.spawn(self._request(run, call.member, copy), "call", eager=True)

    async def _request(self, run: Run, member: Member, copy: Copy) -> None:
        """Send a copy; one that is refused as a whole has nothing left to try."""
        if await self._caller.is_refused(run, member, copy):
            latest = self._runs.get(run.id)
            if latest is not None:
                self._put(self._advanced(refused(latest, copy.dispatch)))

    # News of messages

    def _on_changes(self, changes: Sequence[Change]) -> None:
        """Follow the messages of the runs."""
        changed: dict[int, None] = {}
        for change in changes:
            run = self._runs.get(change.after.dispatch.run or 0)
            if run is not None:
                self._runs[run.id] = self._reported(run, change.after)
                changed[run.id] = None
        for run_id in changed:
            self._follow(self._runs[run_id])

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
        # What was on the wire at the end waits again, or has reached its member.
        self._withdraw(run)
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

    def _withdraw(self, run: Run) -> None:
        """Let nothing more be sent of a run that has ended, and cancel what waits.

        A moment later: what is being recorded of a message must not come after that.
        """
        dispatches = self._with_carrying(withdrawn(run))
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
        for run in self.calling():
            moment = due(run)
            if moment is not None and moment > now:
                self._alarm.set(moment)
            elif run.waits_since is not None or any(
                copy.is_unsent for copy in run.copies
            ):
                self._alarm.set(now + _LOOK_AGAIN)

    async def _messages_of(self, ids: Collection[int]) -> Sequence[Message]:
        """Return the messages of runs, or the open ones if there is no reading them."""
        try:
            return await self._ledger.messages_of_runs(list(ids))
        except LedgerUnreadableError:
            return [one for one in self._open if one.dispatch.run in ids]

    def _forget_old(self) -> None:
        """Forget runs that ended long ago, but for the last one of each escalation."""
        before = self._clock.now() - _REMEMBERED
        last = {run.plan.id: run.id for run in self._runs.values()}
        self._runs = {
            id_: run
            for id_, run in self._runs.items()
            if run.ended is None or run.ended > before or last[run.plan.id] == id_
        }


def _runs_of(records: Iterable[RunRecord]) -> dict[int, Run]:
    """Return the runs of records by their IDs, without those that cannot be read."""
    runs = {}
    for record in records:
        try:
            runs[record.id] = from_record(record)
        except (ValueError, TypeError, KeyError) as err:
            _LOGGER.error("A run cannot be read: %s", type(err).__name__)  # noqa: TRY400 - its words may quote a text
    return runs
