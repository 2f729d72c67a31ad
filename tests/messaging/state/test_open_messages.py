"""The open messages: forward only, recorded whole, their indexes right."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    LedgerTrouble,
    Query,
    Remembered,
    SubmissionIntent,
)
from custom_components.sms_italia.messaging.model import DayTotal, Message, Stage
from custom_components.sms_italia.messaging.state import (
    Change,
    Event,
    MessagesChanged,
    WaitingChanged,
)
from custom_components.sms_italia.providers import ErrorKind, MessageRef, Status

from ..helpers import NUMBER, OTHER, THIRD, a_dispatch, a_message, until
from .helpers import NOON, AtNoon, Desk

FINAL = [Status.DELIVERED, Status.FAILED, Status.EXPIRED]
ORDER = {Status.QUEUED: 0, Status.SENT: 1, Status.UNCERTAIN: 2} | dict.fromkeys(
    FINAL, 3
)
INTENT = SubmissionIntent(
    reference="uno", dispatch=10_000, account="casa", created=NOON
)


async def recorded(desk: Desk) -> list[Message]:
    """Return what is on disk, oldest first."""
    found = await desk.ledger.find(Query(limit=1000))
    return list(found.messages[::-1])


class Entries:
    """A ledger that only lists what it is to record."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
        """Take the ledger's place for whoever records."""
        self.messages: list[tuple[Message, ...]] = []
        self.submissions: list[SubmissionIntent] = []
        monkeypatch.setattr(desk.ledger, "record", self._record)
        monkeypatch.setattr(desk.ledger, "note", self._note)

    async def _record(self, entry: Entry, _to_send: Collection[int] = ()) -> None:
        if entry:
            self._note(entry)

    def _note(self, entry: Entry) -> None:
        self.messages.append(tuple(entry.messages))
        self.submissions += entry.submissions


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Entries:
    """Return the entries that the desk records, which are not written."""
    return Entries(monkeypatch, desk)


# New messages


async def test_a_new_message_is_known_at_once_and_not_on_disk(
    desk: Desk, entries: Entries
) -> None:
    message = desk.add(parts=3)
    assert desk.open.get(message.id) == message
    assert desk.open.waiting == tuple(desk.open.waiting_for(NUMBER)) == (message,)
    assert not entries.messages


async def test_the_parts_of_new_messages_are_committed_right_after_they_are_added(
    desk: Desk,
) -> None:
    dispatch = a_dispatch(parts=3)
    desk.open.add([a_message(dispatch, index) for index in (1, 2)])
    assert desk.open.committed_parts("casa") == 6
    assert desk.open.committed_parts("riserva") == 0
    assert desk.totals.spent_today("casa") == DayTotal()


async def test_the_first_change_of_a_dispatch_records_all_of_it_in_one_entry(
    desk: Desk, entries: Entries
) -> None:
    dispatch = a_dispatch()
    first, second, closed = (a_message(dispatch, index) for index in (1, 2, 3))
    closed = replace(closed, stage=Stage.CLOSED, status=Status.FAILED)
    desk.open.add([first, second, closed])
    other = a_message(a_dispatch(2))
    desk.open.add([other])
    submitted = replace(first, stage=Stage.SUBMITTING, last_account="casa")
    await desk.open.change([submitted], [INTENT])
    assert entries.messages == [(submitted, second, closed)]
    assert entries.submissions == [INTENT]
    # What is on disk already is not written again.
    longer = replace(second, parts=2)
    desk.open.note([longer])
    assert entries.messages[1:] == [(longer,)]


async def test_a_noted_change_records_the_dispatch_as_well(
    desk: Desk, entries: Entries
) -> None:
    dispatch = a_dispatch()
    first, second = (a_message(dispatch, index) for index in (1, 2))
    desk.open.add([first, second])
    submitted = replace(first, stage=Stage.SUBMITTING)
    desk.open.note([submitted])
    assert entries.messages == [(submitted, second)]


async def test_new_messages_are_recorded_once(desk: Desk, entries: Entries) -> None:
    dispatch = a_dispatch()
    messages = [a_message(dispatch, index) for index in (1, 2)]
    desk.open.add(messages)
    # Whichever of them is named.
    await desk.open.record(messages[:1])
    assert entries.messages == [tuple(messages)]
    await desk.open.record(messages)
    assert len(entries.messages) == 1


async def test_a_new_message_is_on_disk_when_record_returns(desk: Desk) -> None:
    message = await desk.one()
    assert await recorded(desk) == [message]


async def test_a_file_that_is_lost_is_begun_anew_with_all_that_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = AtNoon()
    ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
    ways_to_remember: list[Callable[[], Remembered]] = []
    monkeypatch.setattr(ledger, "remember_with", ways_to_remember.append)
    desk = await Desk(ledger, Clock(wall=time.now, steady=time.now), time).load()
    accepted = await desk.accepted(parts=2)
    new = desk.add()
    (remember,) = ways_to_remember
    assert remember() == Remembered(
        messages=(accepted, new),
        totals={"2026-11-14": {"casa": DayTotal(parts=2)}},
    )
    desk.open.clear()
    await ledger.close()


# Changes


async def test_a_change_that_may_not_follow_is_dropped(desk: Desk) -> None:
    message = await desk.accepted(status=Status.SENT)
    desk.events.clear()
    for stage, status in (
        (Stage.WAITING, Status.QUEUED),
        (Stage.IN_DOUBT, Status.UNCERTAIN),
        (Stage.ACCEPTED, Status.QUEUED),
    ):
        await desk.open.change([replace(message, stage=stage, status=status)])
    assert desk.open.get(message.id) == message
    assert await recorded(desk) == [message]
    assert not desk.events


@pytest.mark.parametrize("final", FINAL)
async def test_nothing_changes_a_closed_message(desk: Desk, final: Status) -> None:
    message = await desk.accepted()
    closed = replace(message, status=final, stage=Stage.CLOSED)
    await desk.open.change([closed])
    for status in Status:
        await desk.open.change([replace(message, status=status)])
    assert desk.open.get(message.id) is None
    assert await recorded(desk) == [closed]


async def test_a_message_is_found_by_what_it_is_known_by_until_it_is_closed(
    desk: Desk,
) -> None:
    message = await desk.accepted(submission="uno")
    ref = MessageRef("1", NUMBER)
    assert desk.open.by_ref("casa", ref) == (message,)
    assert desk.open.by_ref("riserva", ref) == ()
    assert desk.open.by_ref("casa", MessageRef("1", OTHER)) == ()
    assert desk.open.of_submission("uno") == [message]
    await desk.open.change(
        [replace(message, stage=Stage.CLOSED, status=Status.DELIVERED)]
    )
    assert desk.open.by_ref("casa", ref) == ()
    assert desk.open.of_submission("uno") == []


async def test_a_change_of_nothing_records_nothing(
    desk: Desk, entries: Entries
) -> None:
    await desk.open.change([])
    desk.open.note([a_message(a_dispatch())])
    assert not entries.messages


async def test_what_is_in_doubt_may_be_sent_again(desk: Desk) -> None:
    message = await desk.one(
        stage=Stage.IN_DOUBT, status=Status.UNCERTAIN, last_account="casa"
    )
    again = replace(message, status=Status.QUEUED, stage=Stage.WAITING)
    await desk.open.change([again])
    assert desk.open.waiting == (again,)


async def test_what_is_noted_is_known_at_once_and_on_disk_a_moment_later(
    desk: Desk,
) -> None:
    message = await desk.one()
    submitted = replace(message, stage=Stage.SUBMITTING)
    desk.open.note([submitted])
    assert desk.open.get(message.id) == submitted
    assert await recorded(desk) == [submitted]


async def test_parts_on_their_way_to_be_sent_are_committed_already(desk: Desk) -> None:
    await desk.one(parts=2)
    await desk.one(parts=3, stage=Stage.SUBMITTING)
    await desk.one(parts=5, stage=Stage.IN_DOUBT)
    assert desk.open.committed_parts("casa") == 5
    await desk.accepted(parts=7)
    assert desk.open.committed_parts("casa") == 12


async def test_parts_are_committed_at_the_account_that_is_asked_and_the_one_tried(
    desk: Desk,
) -> None:
    message = await desk.one(parts=2)
    submitted = replace(message, stage=Stage.SUBMITTING, last_account="riserva")
    await desk.open.change([submitted])
    assert desk.open.committed_parts("casa") == 2
    assert desk.open.committed_parts("riserva") == 2
    failed = replace(submitted, stage=Stage.CLOSED, status=Status.FAILED)
    await desk.open.change([failed])
    assert desk.open.committed_parts("casa") == 0
    assert desk.open.committed_parts("riserva") == 0


async def test_what_may_have_been_sent_stays_committed_when_it_is_sent_again(
    desk: Desk,
) -> None:
    sent = await desk.one(stage=Stage.SUBMITTING, last_account="casa", parts=2)
    doubt = replace(sent, stage=Stage.IN_DOUBT, status=Status.UNCERTAIN, updated=NOON)
    await desk.open.change([doubt])
    assert desk.open.committed_parts("casa") == 2
    await desk.open.change([replace(doubt, stage=Stage.WAITING, status=Status.QUEUED)])
    assert desk.open.committed_parts("casa") == 2


# Joining


async def held(desk: Desk, count: int) -> list[Message]:
    """Return messages of a storm to one number, each of a dispatch of its own."""
    return [await desk.one(stage=Stage.HELD, parts=2) for _ in range(count)]


async def test_joined_messages_follow_the_one_that_carries_them(desk: Desk) -> None:
    first, second = await held(desk, 2)
    assert desk.open.held("casa", NUMBER) == (first, second)
    assert desk.open.committed_parts("casa") == 4
    carrying = a_message(a_dispatch(9), parts=3)
    await desk.open.join(carrying, [first, second])
    assert desk.open.held("casa", NUMBER) == ()
    assert desk.open.waiting == (carrying,)
    assert desk.open.committed_parts("casa") == 3
    joined = desk.open.get(first.id)
    assert joined is not None
    assert (joined.stage, joined.joined_in, joined.parts) == (
        Stage.JOINED,
        carrying.id,
        0,
    )
    submitted = replace(carrying, stage=Stage.SUBMITTING, last_account="casa")
    await desk.open.change([submitted])
    done = replace(submitted, stage=Stage.CLOSED, status=Status.DELIVERED)
    await desk.open.change([done])
    assert list(desk.open) == []
    kept = await recorded(desk)
    assert {one.status for one in kept} == {Status.DELIVERED}
    assert {one.stage for one in kept} == {Stage.CLOSED}
    assert desk.totals.spent_today("casa") == DayTotal(parts=3)


async def test_what_joins_is_recorded_in_one_entry_and_only_the_new_one_is_news(
    desk: Desk, entries: Entries
) -> None:
    first, second = await held(desk, 2)
    entries.messages.clear()
    desk.notifier.flush()
    desk.events.clear()
    carrying = a_message(a_dispatch(9))
    await desk.open.join(carrying, [first, second])
    desk.notifier.flush()
    (together,) = entries.messages
    assert [one.id for one in together] == [first.id, second.id, carrying.id]
    (event,) = desk.events
    assert isinstance(event, MessagesChanged)
    assert event.messages == together
    assert event.status_changed == (carrying,)


async def test_a_message_that_joins_before_it_is_recorded_is_recorded_joined(
    desk: Desk,
) -> None:
    dispatch = a_dispatch()
    first, sibling = (
        a_message(dispatch, index, number=number, stage=Stage.HELD)
        for index, number in enumerate((NUMBER, OTHER), 1)
    )
    desk.open.add([first, sibling])
    carrying = a_message(a_dispatch(9))
    await desk.open.join(carrying, [first])
    await desk.open.record([first])
    stages = {one.id: one.stage for one in await recorded(desk)}
    assert stages == {
        first.id: Stage.JOINED,
        sibling.id: Stage.HELD,
        carrying.id: Stage.WAITING,
    }


# Subscribers


class Subscriber:
    """Keeps the changes that it is called with."""

    def __init__(self) -> None:
        """Start with none."""
        self.calls: list[list[Change]] = []

    def __call__(self, changes: Sequence[Change]) -> None:
        """Keep changes."""
        self.calls.append(list(changes))


async def test_subscribers_get_the_changes_at_their_stages_before_they_are_on_disk(
    desk: Desk, entries: Entries
) -> None:
    waiting, ended = Subscriber(), Subscriber()
    desk.open.subscribe(waiting, Stage.WAITING)
    desk.open.subscribe(ended, Stage.ACCEPTED, Stage.CLOSED)
    dispatch = a_dispatch()
    first, second, third = (a_message(dispatch, index) for index in (1, 2, 3))
    third = replace(third, stage=Stage.CLOSED, status=Status.FAILED)
    desk.open.add([first, second, third])
    assert waiting.calls == [[Change(None, first), Change(None, second)]]
    assert ended.calls == [[Change(None, third)]]
    assert not entries.messages
    submitted = [replace(one, stage=Stage.SUBMITTING) for one in (first, second)]
    await desk.open.change(submitted)
    assert len(waiting.calls) == len(ended.calls) == 1
    entries.messages.clear()
    accepted = replace(submitted[0], stage=Stage.ACCEPTED)
    failed = replace(submitted[1], stage=Stage.CLOSED, status=Status.FAILED)
    desk.open.subscribe(
        lambda _: calls_before_disk.append(len(entries.messages)), *Stage
    )
    calls_before_disk: list[int] = []
    await desk.open.change([accepted, failed])
    assert sorted(ended.calls[1:], key=str) == sorted(
        [[Change(submitted[0], accepted)], [Change(submitted[1], failed)]], key=str
    )
    # Once for each stage, and nothing was on its way to the disk.
    assert calls_before_disk == [0, 0]


async def test_subscribers_get_what_is_loaded_and_what_is_joined(desk: Desk) -> None:
    everything = Subscriber()
    message = a_message(a_dispatch(5), stage=Stage.HELD)
    stop = desk.open.subscribe(everything, *Stage)
    desk.open.load([message])
    carrying = a_message(a_dispatch(9))
    await desk.open.join(carrying, [message])
    joined = desk.open.get(message.id)
    assert joined is not None
    assert everything.calls[0] == [Change(None, message)]
    assert sorted(everything.calls[1:], key=str) == sorted(
        [[Change(message, joined)], [Change(None, carrying)]], key=str
    )
    stop()
    await desk.one()
    assert len(everything.calls) == 3


async def test_subscribers_get_nothing_of_what_may_not_follow(desk: Desk) -> None:
    message = await desk.accepted()
    everything = Subscriber()
    desk.open.subscribe(everything, *Stage)
    await desk.open.change([replace(message, stage=Stage.WAITING)])
    assert not everything.calls


async def test_a_subscriber_may_stop_while_it_is_called(desk: Desk) -> None:
    def first(_: Sequence[Change]) -> None:
        stop()

    stop = desk.open.subscribe(first, Stage.WAITING)
    second = Subscriber()
    desk.open.subscribe(second, Stage.WAITING)
    for _ in range(2):
        await desk.one()
    assert len(second.calls) == 2


# Listeners


async def test_listeners_are_notified_of_new_messages_and_of_what_changes(
    desk: Desk,
) -> None:
    message = await desk.accepted(status=Status.SENT)
    await desk.open.change([replace(message, status=Status.DELIVERED)])
    desk.notifier.flush()
    assert desk.statuses() == [Status.QUEUED, Status.SENT, Status.DELIVERED]


async def test_a_change_that_nobody_sees_is_no_event(desk: Desk) -> None:
    message = await desk.one()
    desk.notifier.flush()
    desk.events.clear()
    await desk.open.change([replace(message, updated=NOON)])
    desk.notifier.flush()
    assert not desk.events


async def test_that_a_message_waits_no_longer_or_until_later_is_an_event(
    desk: Desk,
) -> None:
    """Though its status is the same."""
    message = await desk.one()
    desk.notifier.flush()
    for change in ({"stage": Stage.SUBMITTING}, {"attempt_at": NOON + 1}):
        desk.events.clear()
        message = replace(message, **change)
        await desk.open.change([message])
        desk.notifier.flush()
        assert desk.events == [WaitingChanged(account="casa")]
        message = replace(message, stage=Stage.WAITING)
        await desk.open.change([message])
        desk.notifier.flush()


async def test_a_new_message_is_notified_of_together_with_what_comes_next(
    desk: Desk,
) -> None:
    message = desk.add(last_account="casa")
    await desk.open.change([replace(message, stage=Stage.SUBMITTING)], [INTENT])
    assert not desk.events
    sent = replace(message, stage=Stage.ACCEPTED, status=Status.SENT)
    await desk.open.change([sent])
    first = next(one for one in desk.events if isinstance(one, MessagesChanged))
    assert first == MessagesChanged(
        account="casa", messages=(message, sent), status_changed=(message, sent)
    )


async def test_a_new_message_is_notified_of_in_a_moment_if_nothing_comes(
    desk: Desk,
) -> None:
    desk.add()
    await until(lambda: desk.statuses() == [Status.QUEUED])


async def test_only_those_with_another_status_have_changed_it(desk: Desk) -> None:
    dispatch = a_dispatch()
    first, second = (a_message(dispatch, index) for index in (1, 2))
    desk.open.add([first, second])
    desk.notifier.flush()
    desk.events.clear()
    sent, longer = replace(first, status=Status.SENT), replace(second, parts=2)
    await desk.open.change([sent, longer])
    assert desk.events == [
        MessagesChanged(account="casa", messages=(sent, longer), status_changed=(sent,))
    ]


@pytest.mark.parametrize(
    "shown",
    [
        {"status": Status.SENT},
        {"error": ErrorKind.CANCELLED},
        {"parts": 2},
        {"cost": Decimal("0.1")},
    ],
)
async def test_listeners_are_notified_of_all_that_they_show(
    desk: Desk, shown: dict[str, Any]
) -> None:
    message = await desk.one()
    desk.notifier.flush()
    desk.events.clear()
    await desk.open.change([replace(message, **shown)])
    desk.notifier.flush()
    assert [one for one in desk.events if isinstance(one, MessagesChanged)]


async def test_changes_of_several_accounts_are_events_of_their_own(desk: Desk) -> None:
    elsewhere: list[Event] = []
    desk.notifier.listen("mare", elsewhere.append)
    here = a_message(a_dispatch(1))
    there = a_message(a_dispatch(2, account="mare"))
    desk.open.add([here])
    desk.open.add([there])
    desk.notifier.flush()
    desk.events.clear()
    elsewhere.clear()
    changed = [replace(one, status=Status.SENT) for one in (here, there)]
    await desk.open.change(changed)
    for events, one in zip((desk.events, elsewhere), changed, strict=True):
        assert events == [
            MessagesChanged(
                account=one.dispatch.account, messages=(one,), status_changed=(one,)
            )
        ]


async def test_a_listener_that_fails_does_not_keep_a_message_from_the_disk(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Event) -> None:
        raise RuntimeError(NUMBER)

    desk.notifier.listen("casa", fail)
    message = await desk.accepted()
    assert await recorded(desk) == [message]
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text


# Watching


async def test_whoever_watches_a_dispatch_sees_the_latest_of_it_closed_ones_too(
    desk: Desk,
) -> None:
    dispatch = a_dispatch(9)
    first, second, third = (a_message(dispatch, index) for index in (1, 2, 3))
    failed = replace(third, status=Status.FAILED, stage=Stage.CLOSED)
    messages = [first, second, failed]
    with desk.open.watch(messages) as latest:
        assert latest == {one.id: one for one in messages}
        desk.open.add(messages)
        submitted = replace(first, stage=Stage.SUBMITTING, last_account="casa")
        await desk.open.change([submitted])
        assert latest[first.id] == submitted
        sent = replace(submitted, status=Status.SENT, stage=Stage.ACCEPTED)
        await desk.open.change([sent])
        done = replace(sent, status=Status.DELIVERED, stage=Stage.CLOSED)
        await desk.open.change([done])
        await desk.open.change([sent])
        await desk.one(number=OTHER)
        assert latest == {first.id: done, second.id: second, third.id: failed}
    await desk.open.change([replace(second, parts=5)])
    assert latest[second.id] == second


async def test_whoever_watches_sees_what_was_joined_and_follows(desk: Desk) -> None:
    dispatch = a_dispatch(9)
    message = a_message(dispatch, stage=Stage.HELD)
    with desk.open.watch([message]) as latest:
        desk.open.add([message])
        carrying = a_message(a_dispatch(10))
        await desk.open.join(carrying, [message])
        assert latest[message.id].joined_in == carrying.id
        await desk.open.change([replace(carrying, status=Status.SENT)])
        assert latest[message.id].status is Status.SENT
        assert carrying.id not in latest


async def test_messages_with_one_id_are_both_found_by_it(desk: Desk) -> None:
    first = await desk.accepted()
    second = await desk.accepted()
    ref = MessageRef("1", NUMBER)
    assert desk.open.by_ref("casa", ref) == (first, second)
    await desk.open.change(
        [replace(second, stage=Stage.CLOSED, status=Status.DELIVERED)]
    )
    assert desk.open.by_ref("casa", ref) == (first,)


# Forgetting


async def test_after_clearing_nothing_is_left_but_what_was_spent(desk: Desk) -> None:
    await desk.one()
    await desk.accepted()
    desk.add(stage=Stage.HELD)
    desk.open.clear()
    assert list(desk.open) == []
    assert desk.open.waiting == tuple(desk.open.waiting_for(NUMBER)) == ()
    assert desk.open.held("casa", NUMBER) == ()
    assert desk.open.by_ref("casa", MessageRef("1", NUMBER)) == ()
    assert desk.open.committed_parts("casa") == 1


async def test_listeners_are_notified_of_the_rest_before_all_is_cleared(
    desk: Desk,
) -> None:
    desk.add()
    desk.open.clear()
    assert desk.statuses() == [Status.QUEUED]


async def test_of_a_forgotten_account_nothing_is_open_or_recorded_later(
    desk: Desk, entries: Entries
) -> None:
    message = desk.add()
    other = a_message(a_dispatch(5, account="mare", route=("mare",)))
    desk.open.add([other])
    desk.open.forget("casa")
    assert list(desk.open) == [other]
    assert desk.open.committed_parts("casa") == 0
    await desk.open.record([message, other])
    await desk.open.change([replace(message, stage=Stage.SUBMITTING)])
    assert entries.messages == [(other,)]


# IDs


async def test_ids_grow_with_time_and_never_come_twice(desk: Desk) -> None:
    ids = [next(desk.open.ids) for _ in range(5003)]
    desk.time.pass_by(0.001)
    ids += [next(desk.open.ids) for _ in range(2)]
    desk.time.pass_by(-3600)
    ids += [next(desk.open.ids) for _ in range(2)]
    assert ids == sorted(set(ids))
    # SQLite's integers end there.
    assert ids[-1] < 2**63


def test_users_see_an_id_that_sorts_as_the_messages_do() -> None:
    first, second = (a_message(a_dispatch(index)) for index in (1, 900_000))
    assert first.public_id < second.public_id
    assert int(second.public_id, 16) == second.id


# Whatever happens in whatever order

MAY_FOLLOW = {
    Stage.WAITING: {Stage.WAITING, Stage.SUBMITTING, Stage.CLOSED},
    Stage.HELD: {Stage.WAITING, Stage.JOINED, Stage.CLOSED},
    Stage.JOINED: {Stage.JOINED, Stage.CLOSED},
    Stage.SUBMITTING: set(Stage) - {Stage.HELD, Stage.JOINED},
    Stage.ACCEPTED: {Stage.ACCEPTED, Stage.CLOSED},
    Stage.IN_DOUBT: {Stage.IN_DOUBT, Stage.WAITING, Stage.ACCEPTED, Stage.CLOSED},
    Stage.CLOSED: set[Stage](),
}


@dataclass(frozen=True, slots=True)
class Adding:
    """A new dispatch: one message for each of the numbers."""

    numbers: tuple[str, ...]
    stage: Stage
    parts: int
    is_recorded: bool


@dataclass(frozen=True, slots=True)
class Changing:
    """Something new about some messages, by their places among all there were."""

    which: tuple[int, ...]
    status: Status
    stage: Stage
    parts: int
    cost: Decimal | None
    account: str
    id_is_known: bool
    is_noted: bool
    age: int
    """How many transitions ago the message was as it is changed."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What is held for a number is sent as one message."""

    number: str


type Step = Adding | Changing | Joining

NUMBERS = st.sampled_from([NUMBER, OTHER, THIRD])
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.builds(
            Adding,
            st.lists(NUMBERS, min_size=1, unique=True).map(tuple),
            st.sampled_from(
                [Stage.WAITING, Stage.HELD, Stage.SUBMITTING, Stage.CLOSED]
            ),
            st.integers(1, 4),
            st.booleans(),
        ),
        st.builds(
            Changing,
            st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True).map(tuple),
            st.sampled_from(Status),
            st.sampled_from(Stage),
            st.integers(1, 4),
            st.none() | st.decimals("0", "1", places=3),
            st.sampled_from(["casa", "riserva"]),
            st.booleans(),
            st.booleans(),
            st.integers(0, 2),
        ),
        st.builds(Joining, NUMBERS),
    ),
    min_size=8,
    max_size=25,
)


@dataclass(slots=True)
class Model:
    """What must be known, computed in the plainest way."""

    messages: dict[int, Message] = field(default_factory=dict)
    statuses: dict[int, list[Status]] = field(default_factory=dict)

    def add(self, messages: Sequence[Message]) -> None:
        """Add new messages."""
        self.messages |= {one.id: one for one in messages}

    def change(self, messages: Sequence[Message]) -> None:
        """Change what may change; those that are joined in it follow."""
        for new in messages:
            if not self._allows(new):
                continue
            if new.stage == self.messages[new.id].stage == Stage.ACCEPTED:
                self.statuses.setdefault(new.id, []).append(new.status)
            self.messages[new.id] = new
            for one in self.open():
                if one.stage is Stage.JOINED and one.joined_in == new.id:
                    self.messages[one.id] = replace(
                        one,
                        status=new.status,
                        stage=one.stage if new.stage != Stage.CLOSED else new.stage,
                        last_account=new.last_account,
                        updated=new.updated,
                        changed_at=new.changed_at,
                        revision=one.revision + 1,
                    )

    def join(self, carrying: Message) -> list[Message]:
        """Join what is held for a number; return it as it was."""
        found = [
            one
            for one in self.open()
            if one.stage is Stage.HELD and one.number == carrying.number
        ]
        if found:
            self.add(
                [
                    replace(
                        one,
                        stage=Stage.JOINED,
                        joined_in=carrying.id,
                        parts=0,
                        attempt_at=None,
                        updated=carrying.updated,
                        changed_at=carrying.changed_at,
                        revision=one.revision + 1,
                    )
                    for one in found
                ]
            )
            self.add([carrying])
        return found

    def _allows(self, new: Message) -> bool:
        """Return whether a change counts."""
        old = self.messages[new.id]
        if new.revision < old.revision:
            return False
        if old.status in FINAL and new.status is not old.status:
            return False
        is_back = ORDER[new.status] < ORDER[old.status]
        if old.stage is Stage.ACCEPTED and is_back:
            return False
        return new.stage in MAY_FOLLOW[old.stage]

    def open(self) -> list[Message]:
        """Return the open messages, oldest first."""
        return [one for one in self.messages.values() if one.stage != Stage.CLOSED]

    def spent(self, account: str) -> DayTotal:
        """Return what an account must have spent on what it did not get new."""
        mine = [
            one
            for one in self.messages.values()
            if one.last_account == account
            and (
                one.stage in {Stage.ACCEPTED, Stage.IN_DOUBT}
                or (
                    one.stage is Stage.CLOSED
                    and (
                        one.provider_id is not None
                        or one.status not in {Status.FAILED, Status.EXPIRED}
                    )
                )
            )
        ]
        return DayTotal(
            parts=sum(one.parts for one in mine),
            cost=sum((one.cost or Decimal(0) for one in mine), Decimal(0)),
        )

    def unsent(self, account: str) -> int:
        """Return the parts that are on their way to be sent.

        What a fallback tries may come back: both accounts must have room for it.
        """
        return sum(
            one.parts
            for one in self.open()
            if (
                one.stage in {Stage.WAITING, Stage.HELD, Stage.SUBMITTING}
                and account == one.dispatch.account
            )
            or (one.stage is Stage.SUBMITTING and account == one.last_account)
        )


def changed(step: Changing, known: Message) -> Message:
    """Return a message changed; the account that accepted it once goes on paying."""
    account, provider_id, cost = known.last_account, known.provider_id, step.cost
    if provider_id is None and step.stage is not Stage.WAITING:
        account = step.account
        if step.stage in {Stage.ACCEPTED, Stage.IN_DOUBT} and step.id_is_known:
            provider_id = f"id-{known.id}"
    return replace(
        known,
        status=step.status,
        stage=step.stage,
        updated=NOON,
        parts=step.parts,
        cost=known.cost if cost is None or provider_id is None else cost,
        last_account=account,
        provider_id=provider_id,
        submission=f"ref-{known.dispatch.id}",
        revision=known.revision + 1 - step.age,
    )


async def take(desk: Desk, model: Model, index: int, step: Step) -> None:
    """Do a step, and the same with the model."""
    match step:
        case Adding():
            dispatch = a_dispatch(index, parts=step.parts)
            added = [
                a_message(dispatch, place, number=number, stage=step.stage)
                for place, number in enumerate(step.numbers, 1)
            ]
            model.add(added)
            desk.open.add(added)
            if step.is_recorded:
                await desk.open.record(added)
        case Changing():
            everything = list(model.messages.values())
            places = {place % len(everything) for place in step.which if everything}
            known = [everything[place] for place in sorted(places)]
            news = [changed(step, one) for one in known]
            model.change(news)
            if step.is_noted:
                desk.open.note(news)
            else:
                await desk.open.change(news)
        case Joining():
            carrying = a_message(a_dispatch(index), number=step.number)
            if found := model.join(carrying):
                assert list(desk.open.held("casa", step.number)) == found
                await desk.open.join(carrying, found)


def compare(desk: Desk, model: Model) -> None:
    """Compare all that is known with the model."""
    everything = model.open()
    assert sorted(one.id for one in desk.open) == [one.id for one in everything]
    for one in model.messages.values():
        is_open = one.stage is not Stage.CLOSED
        assert desk.open.get(one.id) == (one if is_open else None)
        ref = MessageRef(f"id-{one.id}", one.number)
        for account in ("casa", "riserva"):
            known = is_open and one.provider_id and one.last_account == account
            assert desk.open.by_ref(account, ref) == ((one,) if known else ())
        reference = f"ref-{one.dispatch.id}"
        assert desk.open.of_submission(reference) == [
            other for other in everything if other.submission == reference
        ]
    waiting = [one for one in everything if one.stage is Stage.WAITING]
    assert list(desk.open.waiting) == waiting
    for number in (NUMBER, OTHER, THIRD):
        mine = [one for one in waiting if one.number == number]
        assert sorted(desk.open.waiting_for(number), key=lambda one: one.id) == mine
        assert list(desk.open.held("casa", number)) == [
            one
            for one in everything
            if one.stage is Stage.HELD and one.number == number
        ]
    for account in ("casa", "riserva"):
        spent = desk.totals.spent_today(account)
        committed = desk.open.committed_parts(account)
        assert committed == spent.parts + model.unsent(account)


async def go_through(steps: list[Step]) -> None:
    """Do the steps and compare with the model after each, the ledger at the end."""
    time, model = AtNoon(), Model()
    troubles: list[LedgerTrouble | None] = []
    ledger = Ledger(Path(":memory:"), troubles.append, Clock())
    desk = await Desk(ledger, Clock(wall=time.now, steady=time.now), time).load()
    try:
        for index, step in enumerate(steps, 1):
            await take(desk, model, index, step)
            compare(desk, model)
        for seen in model.statuses.values():
            assert [ORDER[one] for one in seen] == sorted(ORDER[one] for one in seen)
        await desk.open.record(list(model.messages.values()))
        assert await recorded(desk) == list(model.messages.values())
        today = desk.clock.today()
        for account in ("casa", "riserva"):
            totals = await ledger.totals_between(account, today, today)
            assert totals.get(today, DayTotal()) == model.spent(account)
            assert desk.totals.spent_today(account) == model.spent(account)
    finally:
        await ledger.close()
    assert not troubles


def _of_the_first(status: Status, stage: Stage) -> Changing:
    """Return a change of the first message alone."""
    return Changing(
        which=(0,),
        status=status,
        stage=stage,
        parts=1,
        cost=None,
        account="casa",
        id_is_known=False,
        is_noted=False,
        age=0,
    )


@settings(max_examples=150, deadline=None)
@given(STEPS)
@example(
    [
        Adding((NUMBER,), Stage.SUBMITTING, 1, is_recorded=False),
        _of_the_first(Status.QUEUED, Stage.ACCEPTED),
        _of_the_first(Status.DELIVERED, Stage.WAITING),
    ]
).via("an accepted message that waited again, by a report of its delivery")
@example(
    [
        Adding((NUMBER,), Stage.SUBMITTING, 1, is_recorded=False),
        _of_the_first(Status.EXPIRED, Stage.ACCEPTED),
        _of_the_first(Status.EXPIRED, Stage.WAITING),
    ]
).via("an accepted message that waited again after its end")
def test_memory_ledger_and_totals_agree_after_any_steps(steps: list[Step]) -> None:
    with asyncio.Runner() as runner:
        runner.run(go_through(steps))


@settings(max_examples=30, deadline=None)
@given(
    st.permutations(
        [Status.QUEUED, Status.SENT, Status.SENT, Status.UNCERTAIN, Status.DELIVERED]
    )
)
def test_reports_in_any_order_end_the_same(reports: list[Status]) -> None:
    async def report_all() -> list[Status]:
        time = AtNoon()
        ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
        desk = await Desk(ledger, Clock(wall=time.now, steady=time.now), time).load()
        message = await desk.accepted(status=Status.QUEUED)
        desk.notifier.flush()
        desk.events.clear()
        for status in reports:
            stage = Stage.CLOSED if status.is_final else Stage.ACCEPTED
            await desk.open.change([replace(message, status=status, stage=stage)])
        (kept,) = await recorded(desk)
        assert kept.status is Status.DELIVERED
        desk.notifier.flush()
        await ledger.close()
        return desk.statuses()

    with asyncio.Runner() as runner:
        statuses = runner.run(report_all())
    assert statuses[-1:] == [Status.DELIVERED]
    assert [ORDER[one] for one in statuses] == sorted(ORDER[one] for one in statuses)
