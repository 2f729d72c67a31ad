"""The book of open messages: forward only, counted once, its indexes right."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, override

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.book import (
    Book,
    CreditChanged,
    CreditTold,
    Event,
    MessagesChanged,
    TotalsChanged,
    may_follow,
)
from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    Query,
    Spent,
    SubmissionIntent,
)
from custom_components.sms_italia.messaging.model import (
    DayTotal,
    Message,
    Stage,
)
from custom_components.sms_italia.providers.model import MessageRef, Status

from .helpers import NUMBER, OTHER, THIRD, Time, a_dispatch, a_message, until

NOON = 1_794_657_600.0  # 2026-11-14 12:00 UTC
DAY = 86_400
FINAL = [Status.DELIVERED, Status.FAILED, Status.EXPIRED]
ORDER = {Status.QUEUED: 0, Status.SENT: 1, Status.UNCERTAIN: 2} | dict.fromkeys(
    FINAL, 3
)


INTENT = SubmissionIntent(
    reference="uno", dispatch=10_000, account="casa", created=NOON
)


async def told() -> None:
    """Wait until what was told was heard: after what is recorded has set out."""
    for _ in range(3):
        await asyncio.sleep(0)


class AtNoon(Time):
    """A time that stands at noon until a test moves it."""

    @override
    def now(self) -> float:
        """Return the seconds since the epoch."""
        return NOON + self.shift


@dataclass(slots=True)
class Desk:
    """A book with a real ledger in memory."""

    time: AtNoon = field(default_factory=AtNoon)
    zone: Callable[[], tzinfo] = Clock().timezone
    events: list[Event] = field(default_factory=list)
    clock: Clock = field(init=False)
    ledger: Ledger = field(init=False)
    book: Book = field(init=False)

    def __post_init__(self) -> None:
        """Make the book."""
        self.clock = Clock(now=self.time.now, timezone=self.zone)
        self.ledger = Ledger(Path(":memory:"), lambda _: None)
        self.book = Book(self.ledger, self.clock)
        for account in ("casa", "riserva"):
            self.book.listen(account, self.events.append)

    async def open(self) -> Desk:
        """Open the ledger."""
        opened = await self.ledger.open(self.clock.today())
        self.book.load(opened.open_messages, opened.totals)
        return self

    async def one(self, **changes: object) -> Message:
        """Enter a new dispatch of one message and return it."""
        dispatch = a_dispatch(sum(1 for _ in self.book) + 1)
        message = a_message(dispatch, **changes)
        await self.book.add(dispatch, [message])
        return message

    async def taken(self, **changes: object) -> Message:
        """Enter a message that a provider took."""
        message = await self.one(stage=Stage.SUBMITTING, carrier="casa")
        values: dict[str, Any] = {
            "stage": Stage.TAKEN,
            "provider_id": "1",
            "attempt_at": None,
            "updated": self.clock.now(),
        }
        message = replace(message, **(values | changes))
        await self.book.change([message])
        return message

    def told(self) -> list[Status]:
        """Return the statuses that listeners were told of, in order."""
        return [
            message.status
            for event in self.events
            if isinstance(event, MessagesChanged)
            for message in event.messages
        ]


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    """Return an open desk."""
    desk = await Desk().open()
    yield desk
    await desk.ledger.close()


# The forward-only rule


@pytest.mark.parametrize("old", [Status.QUEUED, Status.SENT, Status.UNCERTAIN])
@pytest.mark.parametrize("new", Status)
async def test_what_a_provider_took_only_moves_forward(
    desk: Desk, old: Status, new: Status
) -> None:
    message = await desk.taken(status=old)
    await desk.book.change([replace(message, status=new)])
    known = desk.book.get(message.id)
    assert known is not None
    assert known.status is (new if ORDER[new] >= ORDER[old] else old)


@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("new", Status)
async def test_nothing_changes_a_closed_message(
    desk: Desk, final: Status, new: Status
) -> None:
    message = await desk.taken()
    closed = replace(message, status=final, stage=Stage.CLOSED)
    await desk.book.change([closed])
    await desk.book.change([replace(message, status=new)])
    assert desk.book.get(message.id) is None
    assert (await desk.ledger.find(Query())).messages == (closed,)


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.SUBMITTING, Stage.DOUBTFUL])
@pytest.mark.parametrize("new", Status)
async def test_before_a_provider_took_it_nothing_contradicts_a_new_word(
    desk: Desk, stage: Stage, new: Status
) -> None:
    message = await desk.one(stage=stage, status=Status.UNCERTAIN)
    await desk.book.change([replace(message, status=new)])
    known = desk.book.get(message.id)
    assert known is not None
    assert known.status is new


def test_nothing_may_follow_the_end() -> None:
    closed = a_message(a_dispatch(), stage=Stage.CLOSED, status=Status.UNCERTAIN)
    assert not any(
        may_follow(closed, replace(closed, status=status, stage=stage))
        for status in Status
        for stage in Stage
    )


@pytest.mark.parametrize("stage", sorted(set(Stage) - {Stage.TAKEN, Stage.CLOSED}))
async def test_what_a_provider_took_is_never_sent_again(
    desk: Desk, stage: Stage
) -> None:
    message = await desk.taken()
    await desk.book.change([replace(message, status=Status.QUEUED, stage=stage)])
    assert desk.book.get(message.id) == message
    assert (await desk.ledger.find(Query())).messages == (message,)


async def test_what_is_in_doubt_may_be_sent_again(desk: Desk) -> None:
    message = await desk.one(
        stage=Stage.DOUBTFUL, status=Status.UNCERTAIN, carrier="casa"
    )
    again = replace(message, status=Status.QUEUED, stage=Stage.WAITING)
    await desk.book.change([again])
    assert desk.book.waiting == (again,)


def test_users_see_an_id_that_sorts_as_the_messages_do() -> None:
    first, second = (a_message(a_dispatch(index)) for index in (1, 900_000))
    assert first.public_id < second.public_id
    assert int(second.public_id, 16) == second.id


# What is told


async def test_listeners_hear_of_new_messages_and_of_what_changes(desk: Desk) -> None:
    message = await desk.taken(status=Status.SENT)
    await desk.book.change([replace(message, status=Status.DELIVERED)])
    assert desk.told() == [Status.QUEUED, Status.SENT, Status.DELIVERED]


async def test_a_change_that_nobody_sees_is_not_told(desk: Desk) -> None:
    message = await desk.one()
    told = len(desk.told())
    await desk.book.change([replace(message, stage=Stage.SUBMITTING, updated=NOON)])
    assert len(desk.told()) == told


async def test_a_message_that_sets_out_is_told_with_what_comes_next(
    desk: Desk,
) -> None:
    dispatch = a_dispatch()
    message = a_message(dispatch, stage=Stage.SUBMITTING, carrier="casa")
    await desk.book.add(dispatch, [message], [INTENT])
    assert not desk.events
    sent = replace(message, stage=Stage.TAKEN, status=Status.SENT)
    desk.book.note([sent])
    await told()
    first, *_ = desk.events
    assert first == MessagesChanged(
        account="casa", messages=(message, sent), turned=(message, sent)
    )


async def test_a_message_that_sets_out_is_told_in_a_moment_if_nothing_comes(
    desk: Desk,
) -> None:
    dispatch = a_dispatch()
    message = a_message(dispatch, stage=Stage.SUBMITTING, carrier="casa")
    await desk.book.add(dispatch, [message], [INTENT])
    await until(lambda: desk.told() == [Status.QUEUED])


async def test_what_was_not_told_yet_is_told_when_the_book_is_cleared(
    desk: Desk,
) -> None:
    dispatch = a_dispatch()
    message = a_message(dispatch, stage=Stage.SUBMITTING, carrier="casa")
    await desk.book.add(dispatch, [message], [INTENT])
    desk.book.clear()
    assert desk.told() == [Status.QUEUED]


async def test_only_those_whose_status_is_another_have_turned(desk: Desk) -> None:
    dispatch = a_dispatch()
    first, second = (a_message(dispatch, index) for index in (1, 2))
    await desk.book.add(dispatch, [first, second])
    desk.events.clear()
    sent, longer = replace(first, status=Status.SENT), replace(second, parts=2)
    await desk.book.change([sent, longer])
    assert desk.events == [
        MessagesChanged(account="casa", messages=(sent, longer), turned=(sent,))
    ]


async def test_a_listener_that_stopped_hears_no_more(desk: Desk) -> None:
    heard: list[Event] = []
    stop = desk.book.listen("casa", heard.append)
    event = CreditChanged(account="casa")
    desk.book.tell(event)
    await told()
    stop()
    desk.book.tell(event)
    await told()
    assert heard == [event]


async def test_a_listener_may_stop_while_it_is_told(desk: Desk) -> None:
    heard: list[str] = []

    def first(_: Event) -> None:
        heard.append("first")
        stop()

    stop = desk.book.listen("casa", first)
    desk.book.listen("casa", lambda _: heard.append("second"))
    desk.book.tell(CreditChanged(account="casa"))
    await told()
    desk.book.tell(CreditChanged(account="casa"))
    await told()
    assert heard == ["first", "second", "second"]


async def test_what_happens_at_the_same_time_is_told_together(desk: Desk) -> None:
    """Each account hears of its own, and of many messages at once, in their order."""
    dispatch = a_dispatch()
    first, second = (a_message(dispatch, index) for index in (1, 2))
    other = replace(a_dispatch(), id=100, account="mare")
    third = a_message(other, 3)
    elsewhere: list[Event] = []
    desk.book.listen("mare", elsewhere.append)
    await asyncio.gather(
        desk.book.add(dispatch, [first, second]), desk.book.add(other, [third])
    )
    desk.events.clear()
    sent = [replace(one, status=Status.SENT) for one in (first, second)]
    longer = replace(sent[0], parts=2)
    await asyncio.gather(*(desk.book.change([one]) for one in (*sent, longer)))
    desk.book.tell(CreditTold(account="casa", balance=Decimal(2)))
    desk.book.tell(CreditTold(account="casa", balance=Decimal(1)))
    await told()
    assert desk.events == [
        MessagesChanged(account="casa", messages=(*sent, longer), turned=tuple(sent)),
        CreditTold(account="casa", balance=Decimal(1)),
    ]
    assert elsewhere == [
        MessagesChanged(account="mare", messages=(third,), turned=(third,))
    ]


async def test_a_listener_that_fails_stops_neither_the_others_nor_the_record(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    def fail(_: Event) -> None:
        raise RuntimeError(NUMBER)

    desk.book.listen("casa", fail)
    desk.book.listen("casa", heard.append)
    message = await desk.taken()
    assert any(isinstance(event, MessagesChanged) for event in heard)
    found = await desk.ledger.find(Query())
    assert found.messages == (message,)
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text


async def test_listeners_hear_of_their_own_account_only(desk: Desk) -> None:
    heard: list[Event] = []
    desk.book.listen("riserva", heard.append)
    await desk.taken()
    assert not any(isinstance(event, MessagesChanged) for event in heard)


# Watching


async def test_whoever_watches_a_dispatch_sees_the_latest_of_it_closed_ones_too(
    desk: Desk,
) -> None:
    dispatch = a_dispatch()
    first, second, third = (a_message(dispatch, index) for index in (1, 2, 3))
    with desk.book.watch(dispatch) as latest:
        assert latest == {}
        failed = replace(third, status=Status.FAILED, stage=Stage.CLOSED)
        await desk.book.add(dispatch, [first, second, failed])
        sent = replace(first, status=Status.SENT, stage=Stage.TAKEN, carrier="casa")
        await desk.book.change([sent])
        done = replace(sent, status=Status.DELIVERED, stage=Stage.CLOSED)
        await desk.book.change([done])
        await desk.book.change([sent])
        await desk.one(number=OTHER)
        assert latest == {first.id: done, second.id: second, third.id: failed}


# Totals


async def test_parts_and_cost_count_once_also_when_reports_change_them(
    desk: Desk,
) -> None:
    message = await desk.taken(parts=1)
    assert desk.book.spent_today("casa") == DayTotal(parts=1)
    for parts, cost in ((2, "0.10"), (2, "0.10"), (3, "0.05"), (1, "0.05")):
        message = replace(message, parts=parts, cost=Decimal(cost))
        await desk.book.change([message])
        assert desk.book.spent_today("casa") == DayTotal(
            parts=parts, cost=Decimal(cost)
        )
    today = desk.clock.today()
    totals = await desk.ledger.totals_between("casa", today, today)
    assert totals == {today: DayTotal(parts=1, cost=Decimal("0.05"))}


async def test_what_nobody_took_costs_nothing(desk: Desk) -> None:
    message = await desk.one(stage=Stage.SUBMITTING, carrier="casa")
    await desk.book.change([replace(message, stage=Stage.CLOSED, status=Status.FAILED)])
    assert desk.book.spent_today("casa") == DayTotal()
    assert desk.book.committed_parts("casa") == 0


async def test_what_may_have_left_counts_until_it_is_known_that_it_did_not(
    desk: Desk,
) -> None:
    sent = await desk.one(stage=Stage.SUBMITTING, carrier="casa", parts=2)
    doubt = replace(sent, stage=Stage.DOUBTFUL, status=Status.UNCERTAIN, updated=NOON)
    await desk.book.change([doubt])
    assert desk.book.spent_today("casa").parts == 2
    assert desk.book.committed_parts("casa") == 2
    again = replace(doubt, stage=Stage.WAITING, status=Status.QUEUED)
    await desk.book.change([again])
    assert desk.book.spent_today("casa").parts == 0
    # It is on its way out again.
    assert desk.book.committed_parts("casa") == 2


async def test_a_doubt_that_ends_well_is_not_counted_twice(desk: Desk) -> None:
    sent = await desk.one(stage=Stage.SUBMITTING, carrier="casa")
    doubt = replace(sent, stage=Stage.DOUBTFUL, status=Status.UNCERTAIN, updated=NOON)
    await desk.book.change([doubt])
    taken = replace(
        doubt, stage=Stage.TAKEN, status=Status.SENT, provider_id="1", cost=Decimal(1)
    )
    await desk.book.change([taken])
    assert desk.book.spent_today("casa") == DayTotal(parts=1, cost=Decimal(1))


async def test_a_doubt_that_nothing_can_settle_goes_on_counting(desk: Desk) -> None:
    sent = await desk.one(stage=Stage.SUBMITTING, carrier="casa")
    await desk.book.change(
        [replace(sent, stage=Stage.CLOSED, status=Status.UNCERTAIN, updated=NOON)]
    )
    assert desk.book.spent_today("casa").parts == 1


async def test_what_never_left_is_taken_back_from_the_day_it_was_counted(
    desk: Desk,
) -> None:
    sent = await desk.one(stage=Stage.SUBMITTING, carrier="casa")
    doubt = replace(sent, stage=Stage.DOUBTFUL, status=Status.UNCERTAIN, updated=NOON)
    await desk.book.change([doubt])
    desk.time.pass_by(DAY)
    await desk.book.change([replace(doubt, stage=Stage.WAITING, status=Status.QUEUED)])
    assert desk.book.spent_today("casa").parts == 0
    totals = await desk.ledger.totals_between("casa", "2026-11-14", "2026-11-15")
    assert totals == {"2026-11-14": DayTotal()}


async def test_what_is_taken_counts_before_its_id_is_told(desk: Desk) -> None:
    message = await desk.taken(provider_id=None)
    assert desk.book.spent_today("casa").parts == 1
    await desk.book.change([replace(message, provider_id="1")])
    assert desk.book.spent_today("casa").parts == 1


async def test_what_a_report_calls_failed_was_paid_all_the_same(desk: Desk) -> None:
    message = await desk.taken(cost=Decimal("0.05"))
    failed = replace(message, stage=Stage.CLOSED, status=Status.FAILED)
    await desk.book.change([failed])
    assert desk.book.spent_today("casa") == DayTotal(parts=1, cost=Decimal("0.05"))


async def test_the_account_that_took_it_pays_not_the_one_that_was_asked(
    desk: Desk,
) -> None:
    await desk.taken(carrier="riserva", parts=2, cost=Decimal("0.2"))
    assert desk.book.spent_today("riserva") == DayTotal(parts=2, cost=Decimal("0.2"))
    assert desk.book.spent_today("casa") == DayTotal()


async def test_parts_on_their_way_out_are_committed_already(desk: Desk) -> None:
    await desk.one(parts=2)
    await desk.one(parts=3, stage=Stage.SUBMITTING)
    await desk.one(parts=5, stage=Stage.DOUBTFUL)
    assert desk.book.committed_parts("casa") == 5
    await desk.taken(parts=7)
    assert desk.book.committed_parts("casa") == 12


async def test_parts_that_are_expected_are_committed_until_they_are_entered(
    desk: Desk,
) -> None:
    dispatch = a_dispatch(parts=3)
    desk.book.expect(dispatch, 2)
    assert desk.book.committed_parts("casa") == 6
    assert desk.book.committed_parts("riserva") == 0
    await desk.book.add(dispatch, [a_message(dispatch, index) for index in (1, 2)])
    assert desk.book.committed_parts("casa") == 6


async def test_parts_that_never_come_are_not_committed(desk: Desk) -> None:
    stop = desk.book.expect(a_dispatch(), 2)
    stop()
    assert desk.book.committed_parts("casa") == 0
    stop()


async def test_at_midnight_the_totals_begin_anew(desk: Desk) -> None:
    first = await desk.taken(cost=Decimal("0.1"))
    desk.time.pass_by(DAY / 2 - 1)
    assert desk.book.spent_today("casa").parts == 1
    desk.time.pass_by(1)
    assert desk.book.spent_today("casa") == DayTotal()
    await desk.taken(cost=Decimal("0.3"))
    # A report that comes the day after changes the day it comes.
    await desk.book.change([replace(first, parts=2)])
    assert desk.book.spent_today("casa") == DayTotal(parts=2, cost=Decimal("0.3"))
    totals = await desk.ledger.totals_between("casa", "2026-11-14", "2026-11-15")
    assert totals == {
        "2026-11-14": DayTotal(parts=1, cost=Decimal("0.1")),
        "2026-11-15": DayTotal(parts=2, cost=Decimal("0.3")),
    }


async def until_told(desk: Desk) -> None:
    """Return when the ledger has answered what it was asked."""
    await desk.ledger.totals_between("casa", "2000-01-01", "2000-01-01")


async def test_a_day_that_the_clock_jumps_to_has_what_the_ledger_knows_of_it(
    desk: Desk,
) -> None:
    """A machine without a battery begins in the past, until it is told the time."""
    spent = Spent(day="2026-11-20", account="casa", parts=7, cost=Decimal("0.7"))
    await desk.ledger.record(Entry(spent=[spent]))
    await desk.taken(parts=1)
    desk.time.pass_by(6 * DAY)
    await desk.taken(parts=2)
    await until_told(desk)
    assert desk.book.spent_today("casa") == DayTotal(parts=9, cost=Decimal("0.7"))
    assert TotalsChanged(account="casa") in desk.events
    totals = await desk.ledger.totals_between("casa", "2026-11-20", "2026-11-20")
    assert totals == {"2026-11-20": desk.book.spent_today("casa")}


async def test_a_clock_that_goes_back_finds_the_totals_as_they_were(desk: Desk) -> None:
    first = await desk.taken(parts=3)
    for days in (1, -2, 1):
        desk.time.pass_by(days * DAY)
        await desk.taken(number=OTHER, parts=1)
        await until_told(desk)
    assert desk.book.spent_today("casa").parts == 4
    await desk.book.change([replace(first, parts=5)])
    assert desk.book.spent_today("casa").parts == 6
    totals = await desk.ledger.totals_between("casa", "2026-11-01", "2026-11-30")
    assert {day: total.parts for day, total in totals.items()} == {
        "2026-11-13": 1,
        "2026-11-14": 6,
        "2026-11-15": 1,
    }


async def test_a_ledger_that_is_closed_does_not_keep_the_day_from_turning(
    desk: Desk,
) -> None:
    await desk.taken()
    await desk.ledger.close()
    desk.time.pass_by(DAY)
    assert desk.book.spent_today("casa") == DayTotal()


async def test_a_clock_that_goes_far_back_finds_the_totals_in_the_ledger(
    desk: Desk,
) -> None:
    for _ in range(20):
        await desk.taken(number=OTHER)
        desk.time.pass_by(DAY)
    desk.time.pass_by(-20 * DAY)
    await desk.taken(parts=5)
    await until_told(desk)
    assert desk.book.spent_today("casa").parts == 6


async def test_midnight_is_where_the_user_lives() -> None:
    desk = await Desk(zone=lambda: timezone(timedelta(hours=13))).open()
    await desk.taken()
    totals = await desk.ledger.totals_between("casa", "2026-11-01", "2026-11-30")
    assert list(totals) == ["2026-11-15"]
    assert desk.clock.local_time() == "01:00"
    await desk.ledger.close()


async def test_totals_that_are_loaded_are_todays_also_if_the_book_is_older() -> None:
    desk = Desk()
    desk.time.pass_by(DAY)
    await desk.open()
    desk.book.load([], {"casa": DayTotal(parts=9)})
    assert desk.book.spent_today("casa").parts == 9
    await desk.ledger.close()


# Ids


async def test_ids_grow_with_time_and_never_come_twice(desk: Desk) -> None:
    ids = [*desk.book.take_ids(3), *desk.book.take_ids(5000)]
    desk.time.pass_by(0.001)
    ids += desk.book.take_ids(2)
    desk.time.pass_by(-3600)
    ids += desk.book.take_ids(2)
    assert ids == sorted(set(ids))
    # SQLite's integers end there.
    assert ids[-1] < 2**63


async def test_after_forgetting_everything_nothing_is_left(desk: Desk) -> None:
    await desk.one()
    await desk.taken()
    desk.book.clear()
    assert list(desk.book) == []
    assert desk.book.waiting == ()
    assert not desk.book.is_waiting(NUMBER)
    assert desk.book.by_ref("casa", MessageRef("1", NUMBER)) is None
    assert desk.book.committed_parts("casa") == 1


# Whatever happens in whatever order


@dataclass(frozen=True, slots=True)
class Adding:
    """A new dispatch: one message for each of the numbers."""

    numbers: tuple[str, ...]
    stage: Stage
    parts: int


@dataclass(frozen=True, slots=True)
class Changing:
    """New words about some messages, by their position among all there were."""

    which: tuple[int, ...]
    status: Status
    stage: Stage
    parts: int
    cost: Decimal | None
    carrier: str
    id_is_told: bool


type Step = Adding | Changing

STEPS = st.lists(
    st.one_of(
        st.builds(
            Adding,
            st.lists(
                st.sampled_from([NUMBER, OTHER, THIRD]), min_size=1, unique=True
            ).map(tuple),
            st.sampled_from([Stage.WAITING, Stage.SUBMITTING, Stage.CLOSED]),
            st.integers(1, 4),
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
        ),
    ),
    min_size=1,
    max_size=25,
)


@dataclass(slots=True)
class Model:
    """What the book must know, reckoned in the plainest way."""

    messages: dict[int, Message] = field(default_factory=dict)

    def takes(self, new: Message) -> bool:
        """Tell whether a new word about a message counts."""
        old = self.messages[new.id]
        if old.status in FINAL and new.status is not old.status:
            return False
        match old.stage:
            case Stage.CLOSED:
                return False
            case Stage.TAKEN:
                return (
                    new.stage in {Stage.TAKEN, Stage.CLOSED}
                    and ORDER[new.status] >= ORDER[old.status]
                )
            case _:
                return True

    def open(self) -> list[Message]:
        """Return the open messages, oldest first."""
        return [one for one in self.messages.values() if one.stage != Stage.CLOSED]

    def spent(self, account: str) -> DayTotal:
        """Return what an account must have spent."""
        mine = [
            one
            for one in self.messages.values()
            if one.carrier == account
            and (
                one.stage in {Stage.TAKEN, Stage.DOUBTFUL}
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


def changed(step: Changing, known: Message) -> Message:
    """Return a message with the new words; what took it once goes on paying."""
    carrier, provider_id, cost = known.carrier, known.provider_id, step.cost
    if provider_id is None and step.stage is not Stage.WAITING:
        carrier = step.carrier
        if step.stage in {Stage.TAKEN, Stage.DOUBTFUL} and step.id_is_told:
            provider_id = f"id-{known.id}"
    return replace(
        known,
        status=step.status,
        stage=step.stage,
        updated=NOON,
        parts=step.parts,
        cost=known.cost if cost is None or provider_id is None else cost,
        carrier=carrier,
        provider_id=provider_id,
        submission=f"ref-{known.dispatch.id}",
    )


async def _go_through(steps: list[Step]) -> None:
    """Do the steps and compare the book with the model after each."""
    desk = await Desk().open()
    try:
        await _do_all(desk, Model(), steps)
    finally:
        await desk.ledger.close()


async def _do_all(desk: Desk, model: Model, steps: list[Step]) -> None:
    statuses: dict[int, list[Status]] = {}
    for index, step in enumerate(steps, 1):
        match step:
            case Adding():
                dispatch = a_dispatch(index, parts=step.parts)
                added = [
                    a_message(dispatch, place, number=number, stage=step.stage)
                    for place, number in enumerate(step.numbers, 1)
                ]
                model.messages |= {one.id: one for one in added}
                await desk.book.add(dispatch, added)
            case Changing():
                known = [
                    one
                    for place, one in enumerate(model.messages.values())
                    if place in step.which
                ]
                news = [changed(step, one) for one in known]
                for one in news:
                    if model.takes(one):
                        if one.stage == model.messages[one.id].stage == Stage.TAKEN:
                            statuses.setdefault(one.id, []).append(one.status)
                        model.messages[one.id] = one
                await desk.book.change(news)
        _compare(desk, model)
    for seen in statuses.values():
        assert [ORDER[one] for one in seen] == sorted(ORDER[one] for one in seen)
    kept = await desk.ledger.find(Query(limit=1000))
    assert {one.id: one for one in kept.messages} == model.messages
    today = desk.clock.today()
    for account in ("casa", "riserva"):
        totals = await desk.ledger.totals_between(account, today, today)
        assert totals.get(today, DayTotal()) == model.spent(account)


def _compare(desk: Desk, model: Model) -> None:
    """Compare all that the book knows with the model."""
    book, everything = desk.book, model.open()
    assert sorted(one.id for one in book) == [one.id for one in everything]
    for one in model.messages.values():
        is_open = one.stage is not Stage.CLOSED
        assert book.get(one.id) == (one if is_open else None)
        ref = MessageRef(f"id-{one.id}", one.number)
        for account in ("casa", "riserva"):
            known = is_open and one.provider_id and one.carrier == account
            assert book.by_ref(account, ref) == (one if known else None)
        siblings = [
            other
            for other in everything
            if other.submission == f"ref-{one.dispatch.id}"
        ]
        found = book.of_submission(f"ref-{one.dispatch.id}")
        assert sorted(found, key=_id) == siblings
    waiting = [one for one in everything if one.stage is Stage.WAITING]
    assert list(book.waiting) == waiting
    for number in (NUMBER, OTHER, THIRD):
        assert book.is_waiting(number) == any(one.number == number for one in waiting)
    for account in ("casa", "riserva"):
        spent = model.spent(account)
        # What a fallback tries may come back: both accounts must have room for it.
        on_the_way = [
            one.parts
            for one in everything
            if (
                one.stage in {Stage.WAITING, Stage.HELD, Stage.SUBMITTING}
                and account == one.dispatch.account
            )
            or (one.stage is Stage.SUBMITTING and account == one.carrier)
        ]
        assert book.spent_today(account) == spent
        assert book.committed_parts(account) == spent.parts + sum(on_the_way)


def _id(message: Message) -> int:
    return message.id


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_book_ledger_and_totals_agree_after_any_steps(steps: list[Step]) -> None:
    with asyncio.Runner() as runner:
        runner.run(_go_through(steps))


@settings(max_examples=30, deadline=None)
@given(
    st.permutations(
        [Status.QUEUED, Status.SENT, Status.SENT, Status.UNCERTAIN, Status.DELIVERED]
    )
)
def test_reports_in_any_order_end_the_same(reports: list[Status]) -> None:
    async def report_all() -> list[Status]:
        desk = await Desk().open()
        message = await desk.taken(status=Status.QUEUED)
        desk.events.clear()
        for status in reports:
            stage = Stage.CLOSED if status.is_final else Stage.TAKEN
            await desk.book.change([replace(message, status=status, stage=stage)])
        (kept,) = (await desk.ledger.find(Query())).messages
        assert kept.status is Status.DELIVERED
        await desk.ledger.close()
        return desk.told()

    with asyncio.Runner() as runner:
        told = runner.run(report_all())
    assert [ORDER[one] for one in told] == sorted(ORDER[one] for one in told)
