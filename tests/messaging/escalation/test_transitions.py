"""What happens to a run, and what never does, whatever comes in whatever order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import batched, count
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.escalation.model import (
    Acknowledgement,
    Availability,
    Call,
    Copy,
    Member,
    Plan,
    Progress,
    Run,
    RunState,
    Until,
    Way,
)
from custom_components.sms_italia.messaging.escalation.storage import (
    from_record,
    to_record,
)
from custom_components.sms_italia.messaging.escalation.transitions import (
    abandoned,
    acknowledged,
    advanced,
    begun,
    delivered_to,
    due,
    is_quiet,
    joined,
    lost,
    merged,
    merged_away,
    refused,
    repeated,
    reported,
    restored,
    uncovered,
    withdrawn,
)

MEMBERS = tuple(
    Member(account="casa", recipient=one) for one in ("anna", "bruno", "carla")
)
ANNA, BRUNO, CARLA = MEMBERS
WAIT = 300.0
PLAN = Plan(id="notte", account="casa", name="Notte", members=MEMBERS, wait=WAIT)
TEXT = "Allarme: porta aperta"
NUMBER = "+393330000001"
NOON = Moment(steady=0, wall=1_794_657_600)


def by(read_until: float = 1e9, member: Member | None = None) -> Acknowledgement:
    """Return somebody's acknowledgement."""
    return Acknowledgement(
        way=Way.BUTTON, who="Anna", read_until=read_until, member=member
    )


@dataclass
class Table:
    """A run and what lies around it: the time, the members, its messages."""

    run: Run
    now: float = 0
    states: dict[Member, Availability] = field(default_factory=dict)
    ids: count[int] = field(default_factory=lambda: count(1))
    known: dict[int, Progress] = field(default_factory=dict)
    in_a_copy: int = 100

    def look(self) -> Run:
        """Make all steps that are due."""
        before = None
        while self.run is not before:
            before = self.run
            self.run = advanced(
                self.run, self.now, self._state, self._texts_for, self.ids
            )
        return self.run

    def _texts_for(self, run: Run, _member: Member) -> list[tuple[int, ...]]:
        """Return all texts of a run, so many in a copy."""
        return list(batched(range(len(run.texts)), self.in_a_copy, strict=False))

    def _state(self, _run: Run, member: Member) -> Availability:
        return self.states.get(member, Availability.READY)

    def wait(self, seconds: float) -> Run:
        """Let time pass."""
        self.now += seconds
        return self.look()

    def report(self, copy: Copy, progress: Progress, message: int = 0) -> Run:
        """Report a message of a copy; each copy has up to two."""
        id_ = copy.dispatch * 10 + message
        self.known[id_] = progress
        self.run = reported(self.run, copy.dispatch, id_, NUMBER, progress, self.now)
        return self.look()

    def called(self) -> list[str]:
        """Return who was called, in order."""
        return [call.member.recipient for call in self.run.calls]

    def last(self) -> Copy:
        """Return the last copy of the last call."""
        return self.run.calls[-1].copies[-1]

    def join(self, text: str = "Allarme: fumo") -> Run:
        """Let a message join."""
        self.run = joined(self.run, text, self.ids)
        return self.look()

    def acknowledge(self, how: Acknowledgement | None = None) -> Run:
        """Let somebody acknowledge."""
        self.run = acknowledged(self.run, how or by(), self.now, self.ids)
        return self.look()


def table(**changes: Any) -> Table:  # noqa: ANN401 - fields of a plan
    """Return a run that has just begun, and called its first member."""
    plan = replace(PLAN, **changes)
    one = Table(begun(plan, [TEXT], 0, NOON))
    one.look()
    return one


# The next is called


def test_the_first_is_called_at_once_and_the_others_after_each_wait() -> None:
    run = table()
    assert run.called() == ["anna"]
    run.report(run.last(), Progress.ACCEPTED)
    run.wait(WAIT - 1)
    assert run.called() == ["anna"]
    run.wait(1)
    assert run.called() == ["anna", "bruno"]
    run.wait(WAIT)
    assert run.called() == ["anna", "bruno", "carla"]


@pytest.mark.parametrize(
    "progress",
    [
        Progress.QUEUED,
        Progress.IN_DOUBT,
        Progress.ACCEPTED,
        Progress.DELIVERED,
        Progress.CANCELLED,
    ],
)
def test_what_may_reach_somebody_has_its_wait(progress: Progress) -> None:
    run = table()
    run.report(run.last(), progress)
    assert run.called() == ["anna"]
    assert due(run.run) == WAIT


def test_the_next_is_called_at_once_when_nothing_is_left_to_try() -> None:
    run = table()
    run.report(run.last(), Progress.OVER)
    assert run.called() == ["anna", "bruno"]
    run.run = refused(run.run, run.last().dispatch)
    run.look()
    assert run.called() == ["anna", "bruno", "carla"]


def test_one_number_that_works_is_enough() -> None:
    run = table()
    run.report(run.last(), Progress.QUEUED, message=1)
    run.report(run.last(), Progress.OVER)
    assert run.called() == ["anna"]
    run.report(run.last(), Progress.OVER, message=1)
    assert run.called() == ["anna", "bruno"]


def test_news_of_members_called_before_change_no_step() -> None:
    run = table()
    first = run.last()
    run.wait(WAIT)
    run.report(run.last(), Progress.ACCEPTED)
    run.report(first, Progress.OVER)
    assert run.called() == ["anna", "bruno"]


def test_each_is_called_once_a_round() -> None:
    run = table(rounds=2)
    for _ in range(10):
        run.report(run.last(), Progress.ACCEPTED)
        run.wait(WAIT)
    assert run.called() == ["anna", "bruno", "carla"] * 2
    assert run.run.state is RunState.EXHAUSTED


# Members who cannot be called


def test_who_is_gone_is_skipped_at_once() -> None:
    run = Table(begun(PLAN, [TEXT], 0, NOON), states={ANNA: Availability.GONE})
    run.look()
    assert run.called() == ["bruno"]
    assert run.run.step == 1


def test_whose_account_is_not_loaded_yet_is_waited_for() -> None:
    run = Table(begun(PLAN, [TEXT], 0, NOON), states={ANNA: Availability.LATER})
    run.look()
    run.wait(10)
    assert (run.called(), run.run.waits_since) == ([], 0)
    run.states[ANNA] = Availability.READY
    run.look()
    assert (run.called(), run.run.waits_since) == (["anna"], None)


def test_a_run_without_anybody_to_call_is_exhausted() -> None:
    run = Table(begun(PLAN, [TEXT], 0, NOON))
    run.states = dict.fromkeys(MEMBERS, Availability.GONE)
    assert run.look().state is RunState.EXHAUSTED


# Joining


def test_what_joins_goes_to_everybody_called_and_later_to_the_others() -> None:
    run = table()
    run.report(run.last(), Progress.ACCEPTED)
    run.wait(WAIT)
    run.join()
    assert [[copy.texts for copy in call.copies] for call in run.run.calls] == [
        [(0,), (1,)],
        [(0,), (1,)],
    ]
    run.report(run.run.calls[1].copies[0], Progress.ACCEPTED)
    run.wait(WAIT)
    assert run.last().texts == (0, 1)


def test_a_call_takes_as_many_copies_as_its_texts_need_and_is_over_with_the_last() -> (
    None
):
    run = table()
    run.in_a_copy = 2
    run.report(run.last(), Progress.ACCEPTED)
    run.join()
    run.join()
    run.wait(WAIT)
    first, second = run.run.calls[1].copies
    assert (first.texts, second.texts) == ((0, 1), (2,))
    run.report(first, Progress.OVER)
    assert run.called() == ["anna", "bruno"]
    run.report(second, Progress.OVER)
    assert run.called() == ["anna", "bruno", "carla"]


@pytest.mark.parametrize("progress", [None, Progress.QUEUED])
def test_what_joins_and_waits_gives_a_refused_call_no_time(
    progress: Progress | None,
) -> None:
    run = table()
    run.join()
    call, copy = run.run.calls[0].copies
    if progress is not None:
        run.report(copy, progress)
    run.report(call, Progress.OVER)
    assert run.called() == ["anna", "bruno"]


def test_what_joins_gives_nobody_time_once_the_next_is_due() -> None:
    run = table()
    run.states[BRUNO] = Availability.LATER
    run.report(run.last(), Progress.OVER)
    run.join()
    run.report(run.last(), Progress.ACCEPTED)
    run.states[BRUNO] = Availability.READY
    run.look()
    assert run.called() == ["anna", "bruno"]


def test_what_joins_and_waits_keeps_no_run_from_its_end() -> None:
    run = table(members=(ANNA,))
    run.report(run.last(), Progress.ACCEPTED)
    run.join()
    run.report(run.last(), Progress.QUEUED)
    assert run.wait(WAIT).state is RunState.EXHAUSTED


def test_a_copy_that_was_accepted_is_not_sent_again_when_its_messages_are_gone() -> (
    None
):
    run = table()
    run.report(run.last(), Progress.ACCEPTED)
    back = from_record(to_record(run.run))
    assert not back.calls[0].copies[0].messages
    assert back.unsent == ()
    assert restored(back, 10_000).calls[0].at == run.run.calls[0].at


def test_what_joins_delays_no_step() -> None:
    run = table()
    run.report(run.last(), Progress.ACCEPTED)
    run.wait(WAIT - 1)
    run.join()
    run.wait(1)
    assert run.called() == ["anna", "bruno"]


def test_in_the_second_round_what_joins_goes_to_each_once() -> None:
    run = table(rounds=2, members=(ANNA,))
    run.report(run.last(), Progress.ACCEPTED)
    run.wait(WAIT)
    run.join()
    assert [len(call.copies) for call in run.run.calls] == [1, 2]


# The end


def test_it_is_not_exhausted_while_a_call_has_not_left() -> None:
    run = table(members=(ANNA, BRUNO))
    run.report(run.last(), Progress.QUEUED)
    first = run.last()
    run.wait(WAIT)
    run.report(run.last(), Progress.QUEUED)
    assert run.wait(10 * WAIT).state is RunState.CALLING
    run.report(run.last(), Progress.ACCEPTED)
    assert run.run.state is RunState.CALLING
    assert run.report(first, Progress.ACCEPTED).state is RunState.EXHAUSTED


def test_what_will_never_be_sent_keeps_no_run_open() -> None:
    run = table(members=(ANNA,))
    run.report(run.last(), Progress.QUEUED)
    run.wait(WAIT)
    run.run = lost(run.run, lambda _: False)
    assert run.look().is_calling
    run.run = lost(run.run, lambda _: True)
    assert run.look().state is RunState.EXHAUSTED


def test_an_acknowledgement_covers_what_began_and_what_was_accepted() -> None:
    run = table()
    run.join("fumo")
    run.report(run.last(), Progress.ACCEPTED)
    run.join("acqua")
    run.report(run.last(), Progress.QUEUED)
    assert run.acknowledge().state is RunState.ACKNOWLEDGED
    assert uncovered(run.run) == ("acqua",)


def test_what_was_accepted_after_it_was_read_is_not_covered() -> None:
    run = table()
    run.join("fumo")
    run.now = 100
    run.report(run.last(), Progress.ACCEPTED)
    run.acknowledge(by(read_until=99))
    assert uncovered(run.run) == ("fumo",)


def test_a_message_that_was_accepted_stays_covered_when_it_fails() -> None:
    run = table()
    run.join("fumo")
    run.report(run.last(), Progress.ACCEPTED)
    run.report(run.last(), Progress.OVER)
    run.acknowledge()
    assert uncovered(run.run) == ()


def test_what_began_a_run_together_is_covered_together() -> None:
    run = Table(begun(PLAN, ["fumo", "acqua"], 0, NOON))
    run.look()
    assert run.last().texts == (0, 1)
    run.acknowledge()
    assert uncovered(run.run) == ()


def test_an_acknowledged_run_withdraws_its_calls_but_not_its_notes() -> None:
    run = table(note="{who} se ne occupa")
    run.report(run.last(), Progress.ACCEPTED)
    run.join()
    assert withdrawn(run.run) == set()
    run.acknowledge()
    assert withdrawn(run.run) == {copy.dispatch for copy in run.run.copies}
    assert run.run.notes[0].copies[0].dispatch not in withdrawn(run.run)
    assert withdrawn(abandoned(table().run, 1)) == {1}


def test_a_run_that_nobody_acknowledged_withdraws_nothing() -> None:
    run = table(members=(ANNA,))
    run.report(run.last(), Progress.ACCEPTED)
    assert run.wait(WAIT).state is RunState.EXHAUSTED
    assert withdrawn(run.run) == set()


def test_a_second_acknowledgement_changes_nothing() -> None:
    run = table()
    first = run.acknowledge()
    assert run.acknowledge(by(read_until=0)) is first


def test_those_who_were_reached_get_a_note() -> None:
    run = table(note="{who} se ne occupa")
    run.report(run.last(), Progress.DELIVERED)
    run.wait(WAIT)
    run.report(run.last(), Progress.IN_DOUBT)
    run.wait(WAIT)
    run.report(run.last(), Progress.QUEUED)
    run.acknowledge(by(member=ANNA))
    assert [note.member for note in run.run.notes] == [BRUNO]


def test_a_delivery_ends_only_a_run_that_waits_for_it() -> None:
    acknowledged_only, delivered = table(), table(until=Until.DELIVERED)
    for run in (acknowledged_only, delivered):
        run.report(run.last(), Progress.ACCEPTED)
        assert delivered_to(run.run) is None
        run.report(run.last(), Progress.DELIVERED)
    assert delivered_to(acknowledged_only.run) is None
    assert delivered_to(delivered.run) == ANNA


def test_the_same_text_is_quiet_for_a_while_after_it_was_acknowledged() -> None:
    run = table(quiet=60)
    assert not is_quiet(run.run, TEXT, 0)
    run.join("fumo")
    run.acknowledge()
    assert is_quiet(run.run, TEXT, 59)
    assert not is_quiet(run.run, TEXT, 60)
    assert not is_quiet(run.run, "acqua", 0)
    assert not is_quiet(run.run, "fumo", 0), "nobody had it"
    assert repeated(run.run).repeats == 1


def test_what_nobody_acknowledged_is_not_quiet() -> None:
    run = table(quiet=60, members=(ANNA,))
    run.report(run.last(), Progress.ACCEPTED)
    assert run.wait(WAIT).state is RunState.EXHAUSTED
    assert not is_quiet(run.run, TEXT, WAIT)


# Restarts


def test_a_restart_during_the_wait_does_not_begin_it_anew() -> None:
    run = table()
    run.report(run.last(), Progress.ACCEPTED)
    run.now = 200
    run.run = restored(run.run, run.now)
    assert due(run.run) == WAIT


def test_a_call_that_was_never_made_has_its_whole_wait() -> None:
    run = table()
    run.run = restored(run.run, 200)
    assert due(run.run) == 200 + WAIT


# Two runs of one escalation


def run_at(step: int, run_id: int, *texts: str, **changes: Any) -> Run:  # noqa: ANN401 - fields of a plan
    """Return a run that made its steps up to one (from 0), or none (-1)."""
    began = Moment(steady=run_id, wall=0)
    run = Table(begun(replace(PLAN, **changes), texts, run_id, began))
    run.ids = count(run_id * 100)
    for index in range(step + 1):
        run.wait(WAIT if index else 0)
    return run.run


def texts_by_member(run: Run) -> dict[str, list[int]]:
    """Return the texts that each member was sent, with those sent twice."""
    texts: dict[str, list[int]] = {}
    for call in run.calls:
        for copy in call.copies:
            texts.setdefault(call.member.recipient, []).extend(copy.texts)
    return {name: sorted(sent) for name, sent in texts.items()}


@pytest.mark.parametrize("older", [-1, 0, 1, 2])
@pytest.mark.parametrize("newer", [-1, 0, 1, 2])
def test_two_runs_go_on_as_one_in_which_everybody_called_has_each_text_once(
    older: int, newer: int
) -> None:
    first, second = run_at(older, 1, TEXT), run_at(newer, 2, "fumo", "acqua")
    for one, other in ((first, second), (second, first)):
        run = merged(one, other, count(900))
        assert sorted(run.texts) == sorted((TEXT, "fumo", "acqua"))
        called = MEMBERS[: max(older, newer) + 1]
        assert texts_by_member(run) == {one.recipient: [0, 1, 2] for one in called}
        assert (run.id, run.merged, run.began.steady) == (2, (1,), 1)
        assert run.step == max(older, newer)
        further = first if older >= newer else second
        assert due(run) == due(further)
        assert run.plan == PLAN
        assert merged_away(one, other, 5).id == 1
        assert not merged_away(one, other, 5).is_calling
        assert withdrawn(merged_away(one, other, 5)) == frozenset()


def test_copies_keep_their_text_when_two_runs_go_on_as_one() -> None:
    first, second = run_at(0, 1, TEXT), run_at(2, 2, "fumo")
    before = {
        copy.dispatch: [one.texts[index] for index in copy.texts]
        for one in (first, second)
        for copy in one.copies
    }
    run = merged(first, second, count(900))
    after = {
        copy.dispatch: [run.texts[index] for index in copy.texts] for copy in run.copies
    }
    assert before.items() <= after.items()


def test_who_was_called_by_one_of_two_runs_alone_stays_called() -> None:
    """The members may have changed in between, or one was skipped."""
    first = run_at(1, 1, TEXT, members=(CARLA, ANNA))
    second = run_at(1, 2, "fumo", members=(ANNA, BRUNO))
    run = merged(first, second, count(900))
    assert texts_by_member(run) == {
        "carla": [0, 1],
        "anna": [0, 1],
        "bruno": [0, 1],
    }
    assert run.current is not None
    assert run.current.member == ANNA, "of the older one, which came as far"
    assert run.next_member is None


@pytest.mark.parametrize("users", [("u", "u"), ("u", None), ("u", "v")])
def test_a_merged_run_is_of_a_user_who_asked_for_both(
    users: tuple[str | None, str | None],
) -> None:
    first, second = (
        begun(PLAN, [TEXT], index, NOON, one) for index, one in enumerate(users)
    )
    user = users[0] if users[0] == users[1] else None
    assert merged(first, second, count(900)).user == user


# Whatever comes

PROGRESS = st.sampled_from(Progress)
PLANS = st.builds(
    replace,
    st.just(PLAN),
    members=st.sampled_from([MEMBERS, MEMBERS[:1], MEMBERS[:2]]),
    rounds=st.integers(1, 3),
    until=st.sampled_from(Until),
    note=st.sampled_from([None, "{who}"]),
)
NEWS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.5, 60.0, WAIT, 10 * WAIT])),
    st.tuples(st.just("report"), st.integers(0, 9), st.integers(0, 1), PROGRESS),
    st.tuples(st.just("refuse"), st.integers(0, 9)),
    st.tuples(st.just("join")),
    st.tuples(st.just("restart"), st.sampled_from([0.0, 60.0, 10 * WAIT])),
    st.tuples(
        st.just("member"), st.sampled_from(MEMBERS), st.sampled_from(Availability)
    ),
    st.tuples(st.just("acknowledge"), st.sampled_from([0.0, 1e9])),
)

FINAL = {Progress.DELIVERED, Progress.CANCELLED, Progress.OVER}


def restart(run: Table, off: float) -> None:
    """Take the run from its record, and report what the ledger has of its messages."""
    run.now += off
    stored = from_record(to_record(run.run))
    for copy in stored.copies:
        for message in range(2):
            id_ = copy.dispatch * 10 + message
            if (known := run.known.get(id_)) is not None:
                stored = reported(stored, copy.dispatch, id_, NUMBER, known, run.now)
    run.run = restored(stored, run.now) if stored.is_calling else stored
    run.look()


def report_if_open(
    run: Table, copies: Sequence[Copy], message: int, progress: Progress
) -> None:
    """Report a message of copies that were sent, if it has not ended."""
    for copy in copies:
        is_final = run.known.get(copy.dispatch * 10 + message) in FINAL
        if not is_final and not copy.is_refused:
            run.report(copy, progress, message)


def join_if_calling(run: Table) -> None:
    """Let a message join, if the run goes on."""
    if run.run.is_calling:
        run.join()


def refuse(run: Table, copies: Sequence[Copy]) -> None:
    """Refuse copies that were not sent."""
    for copy in copies:
        if copy.is_unsent:
            run.run = refused(run.run, copy.dispatch)
            run.look()


def happen(run: Table, news: tuple[object, ...]) -> None:
    """Let one thing happen, as far as it can."""
    copies = run.run.copies
    match news:
        case ("wait", float() as seconds):
            run.wait(seconds)
        case ("report", int() as index, int() as message, Progress() as progress):
            report_if_open(run, copies[index : index + 1], message, progress)
        case ("refuse", int() as index):
            refuse(run, copies[index : index + 1])
        case ("join",):
            join_if_calling(run)
        case ("restart", float() as off):
            restart(run, off)
        case ("member", Member() as member, Availability() as state):
            run.states[member] = state
            run.look()
        case ("acknowledge", float() as read_until):
            run.acknowledge(by(read_until))
        case _:
            raise AssertionError(news)


def check(run: Run, before: Run) -> None:
    """Check what holds at every moment."""
    steps = [call.step for call in run.calls]
    assert steps == sorted(set(steps)), "each step is made once"
    for call in run.calls:
        assert call.member == run.plan.members[call.step % len(run.plan.members)]
    if not before.is_calling:
        assert len(run.calls) == len(before.calls), "nobody is called after the end"
        assert run.state is before.state
    carried = [copy.dispatch for copy in run.copies]
    assert len(carried) == len(set(carried)), "each dispatch is sent once"
    if run.state is RunState.EXHAUSTED:
        assert before.state is RunState.EXHAUSTED or not any(
            copy.is_queued for copy in run.copies
        )


def check_step(before: Run, after: Run, now: float) -> None:
    """Check that nobody was called while the one before still had time."""
    new: tuple[Call, ...] = after.calls[len(before.calls) :]
    for earlier, call in zip(
        (*after.calls[len(before.calls) - 1 :],), new, strict=False
    ):
        if earlier is not call and before.calls:
            assert earlier.is_over or now >= earlier.at + after.plan.wait
            assert call.at == now


def all_carry_every_text(run: Run) -> bool:
    """Return whether everybody who was called gets all texts."""
    for member in run.called:
        texts = {
            index
            for call in run.calls
            if call.member == member
            for copy in call.copies
            for index in copy.texts
        }
        if texts != set(range(len(run.texts))):
            return False
    return True


def finish(run: Table) -> Run:
    """Let all that waits come to an end, as expiry and time do."""
    for member, state in tuple(run.states.items()):
        if state is Availability.LATER:
            run.states[member] = Availability.GONE
    for _ in range(run.run.plan.steps + 1):
        for copy in run.run.copies:
            if copy.is_unsent:
                run.run = refused(run.run, copy.dispatch)
            for id_, one in copy.messages.items():
                if one.progress is Progress.QUEUED:
                    run.report(copy, Progress.OVER, id_ % 10)
        run.wait(WAIT)
    return run.run


@settings(max_examples=300, deadline=None)
@given(plan=PLANS, happenings=st.lists(NEWS, max_size=30))
def test_whatever_comes_each_is_called_once_a_round_nobody_after_the_end_and_it_ends(
    plan: Plan, happenings: list[tuple[object, ...]]
) -> None:
    """Reports, answers, joins, restarts and accounts that come and go, in any order."""
    run = Table(begun(plan, [TEXT], 0, NOON))
    run.look()
    for news in happenings:
        before = run.run
        happen(run, news)
        check(run.run, before)
        check_step(before, run.run, run.now)
        assert all_carry_every_text(run.run)
    assert not finish(run).is_calling


@given(wall=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5))
def test_the_wall_clock_changes_no_step(wall: list[float]) -> None:
    """A run keeps it for people alone."""
    called = []
    for moment in wall:
        run = Table(begun(PLAN, [TEXT], 0, Moment(steady=0, wall=moment)))
        run.look()
        run.report(run.last(), Progress.ACCEPTED)
        run.wait(WAIT)
        called.append((run.called(), due(run.run)))
    assert all(one == called[0] for one in called)


@pytest.mark.parametrize("began", ["u", None])
@pytest.mark.parametrize("joins", ["u", "v", None])
def test_a_run_is_of_a_user_who_asked_for_all_of_its_texts(
    began: str | None, joins: str | None
) -> None:
    run = begun(PLAN, [TEXT], 0, NOON, began)
    assert run.user == began
    after = joined(run, "fumo", count(1), joins)
    assert after.user == (began if began == joins else None)
    assert joined(after, "acqua", count(1), began).user == after.user
