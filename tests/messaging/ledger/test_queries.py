"""What is found in the ledger, and what is not."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import product
from math import inf
from pathlib import Path
import sqlite3

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.compose import prices_by_country
from custom_components.sms_italia.messaging.ledger import (
    Entry,
    Ledger,
    Query,
    Spent,
    SubmissionIntent,
    View,
    Viewer,
    queries,
)
from custom_components.sms_italia.messaging.model import (
    DayTotal,
    Message,
    SendOptions,
    Stage,
    group_address,
)
from custom_components.sms_italia.providers import ErrorKind, Status

from ..helpers import (
    NUMBER,
    OTHER,
    a_dispatch,
    a_message,
)
from .helpers import (
    TODAY,
    Shelf,
    a_pictured,
    pictures_in,
)


async def test_messages_are_found_newest_first_page_by_page(shelf: Shelf) -> None:
    await shelf.open()
    for number in range(1, 8):
        await shelf.add(number)
    pages = [
        await shelf.ledger.find(Query(limit=3, offset=offset)) for offset in (0, 3, 6)
    ]
    assert [page.total for page in pages] == [7, 7, 7]
    assert [
        [message.dispatch.id // 10_000 for message in page.messages] for page in pages
    ] == [[7, 6, 5], [4, 3, 2], [1]]
    beyond = await shelf.ledger.find(Query(offset=7))
    assert (beyond.messages, beyond.total) == ((), 7)


async def test_the_total_counts_only_what_matches(shelf: Shelf) -> None:
    await shelf.open()
    for number in range(1, 8):
        await shelf.add(number, account="casa" if number % 2 else "ufficio")
    found = await shelf.ledger.find(Query(account="casa", limit=1))
    assert (len(found.messages), found.total) == (1, 4)


async def test_each_filter_narrows_and_all_of_them_together(shelf: Shelf) -> None:
    await shelf.open()
    await shelf.add(1, text="Porta aperta", created=100.0)
    await shelf.add(2, text="Porta chiusa", created=200.0, number=OTHER)
    await shelf.add(3, text="Finestra", created=300.0, status=Status.FAILED)
    await shelf.add(4, text="Porta", created=400.0, account="ufficio")
    assert await shelf.ids(text="porta") == [4, 2, 1]
    assert await shelf.ids(account="casa") == [3, 2, 1]
    assert await shelf.ids(number=OTHER) == [2]
    assert await shelf.ids(status=Status.FAILED) == [3]
    assert await shelf.ids(since=200.0) == [4, 3, 2]
    assert await shelf.ids(until=200.0) == [2, 1]
    assert await shelf.ids(since=150.0, until=350.0) == [3, 2]
    assert await shelf.ids(
        text="PORTA",
        account="casa",
        number=OTHER,
        status=Status.QUEUED,
        since=200.0,
        until=200.0,
    ) == [2]
    assert await shelf.ids(text="porta", status=Status.FAILED) == []


async def test_what_is_older_than_a_message_is_found_by_its_id(shelf: Shelf) -> None:
    await shelf.open()
    messages = [await shelf.add(number) for number in range(1, 5)]
    assert await shelf.ids(before=messages[2].id, limit=1) == [2]
    assert await shelf.ids(before=messages[0].id) == []


async def test_a_view_has_the_messages_that_people_look_for_together(
    shelf: Shelf,
) -> None:
    """A cancelled one is in none."""
    await shelf.open()
    for number, status in enumerate(Status, 1):
        await shelf.add(number, status=status)
    await shelf.add(9, status=Status.FAILED, error=ErrorKind.CANCELLED)
    await shelf.add(10, status=Status.FAILED, error=ErrorKind.CREDIT)
    of = {status: number for number, status in enumerate(Status, 1)}
    lost = {of[Status.FAILED], of[Status.EXPIRED], of[Status.UNCERTAIN], 10}
    assert await shelf.ids(view=View.WAITING) == [of[Status.QUEUED]]
    assert await shelf.ids(view=View.DELIVERED) == [of[Status.DELIVERED]]
    assert await shelf.ids(view=View.UNDELIVERED) == sorted(lost, reverse=True)


@pytest.mark.parametrize("user", ["eva", "x' OR '1'='1"])
async def test_a_viewer_finds_what_the_viewer_sees_and_nothing_else(
    shelf: Shelf, user: str
) -> None:
    """The question to the ledger and the one to a message have one answer."""
    await shelf.open()
    messages = [
        await shelf.add(number, user=sender, recipient=recipient)
        for number, (sender, recipient) in enumerate(
            product((None, "eva", "ugo"), (None, "anna", "bruno")), 1
        )
    ]
    viewer = Viewer(user=user, recipients=frozenset({"anna", "\"'"}))
    seen = [one.dispatch.id // 10_000 for one in messages if viewer.sees(one)]
    assert await shelf.ids(viewer=viewer) == sorted(seen, reverse=True)
    assert seen == ([2, 4, 5, 6, 8] if user == "eva" else [2, 5, 8])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%", [1]),
        ("_", [2]),
        ("'", [3]),
        ('"', [4]),
        ("\\", [5]),
        ("100%", [1]),
        ("x' OR '1'='1", []),
        ("'; DROP TABLE messages; --", []),
        ("*", []),
        ("", [6, 5, 4, 3, 2, 1]),
    ],
)
async def test_every_character_of_a_text_that_is_looked_for_is_only_a_character(
    shelf: Shelf, text: str, expected: list[int]
) -> None:
    await shelf.open()
    texts = ("100% umido", "a_b", "l'allarme", 'detto "ciao"', "c:\\casa", "niente")
    for number, one in enumerate(texts, 1):
        await shelf.add(number, text=one)
    assert await shelf.ids(text=text) == expected


@pytest.mark.parametrize(
    ("kept", "looked_for"),
    [
        ("PERCHÉ SÌ", "PERCHÉ"),
        ("PERCHÉ SÌ", "perché sì"),
        ("è scattato", "È"),
        ("Straße", "STRASSE"),
        ("ΣΟΦΟΣ", "σοφος"),
    ],
)
async def test_a_text_is_found_in_capitals_and_in_small_letters_with_accents_too(
    shelf: Shelf, kept: str, looked_for: str
) -> None:
    await shelf.open()
    await shelf.add(1, text=kept)
    assert await shelf.ids(text=looked_for) == [1]


async def test_a_message_is_found_by_its_id_open_or_closed(shelf: Shelf) -> None:
    await shelf.open()
    first = await shelf.add(1)
    second = await shelf.add(2, stage=Stage.CLOSED, status=Status.FAILED)
    assert await shelf.ledger.message(first.id) == first
    assert await shelf.ledger.message(second.id) == second
    third = 30_001
    assert await shelf.ledger.message(third) is None
    added = asyncio.create_task(shelf.add(3))
    await asyncio.sleep(0)
    # What is on its way to the disk is found as well.
    found = await shelf.ledger.message(third)
    assert found == await added


async def test_the_newest_dispatch_of_an_account_and_of_a_recipient_is_found(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch(1)
    mother = a_message(dispatch, 1, recipient="mamma")
    father = a_message(dispatch, 2, recipient="papà", number=OTHER)
    await shelf.ledger.record(Entry(messages=[mother, father]))
    newer = await shelf.add(2, recipient="mamma")
    other = await shelf.add(3, account="ufficio")
    assert await shelf.ledger.latest("casa", None, inf) == (newer,)
    assert await shelf.ledger.latest("casa", "mamma", inf) == (newer,)
    assert await shelf.ledger.latest("casa", "papà", inf) == (father,)
    assert await shelf.ledger.latest("ufficio", None, inf) == (other,)
    assert await shelf.ledger.latest("nessuno", None, inf) == ()


@pytest.mark.parametrize("recipient", [None, "mamma"])
async def test_the_last_dispatch_is_none_that_was_cancelled_or_is_due_later(
    shelf: Shelf, recipient: str | None
) -> None:
    """A scheduled one is the last from its moment on, whatever was asked for since."""
    await shelf.open()
    moment = 1_001_000.0
    later = a_dispatch(1, options=SendOptions(send_at=moment), due=moment)
    scheduled = a_message(later, recipient="mamma")
    await shelf.ledger.record(Entry(messages=[scheduled]))
    before = await shelf.add(2, recipient="mamma")
    dispatch = a_dispatch(3)
    cancelled = a_message(dispatch, 1, recipient="mamma", error=ErrorKind.CANCELLED)
    await shelf.ledger.record(Entry(messages=[cancelled]))

    latest = partial(shelf.ledger.latest, "casa", recipient)
    assert await latest(moment - 1) == (before,)
    assert await latest(moment) == (scheduled,)

    other = a_message(dispatch, 2, recipient="mamma", number=OTHER)
    await shelf.ledger.record(Entry(messages=[other]))
    assert await latest(moment - 1) == (other,)


async def test_a_reference_that_somebody_gave_is_known_once_it_was_used(
    shelf: Shelf,
) -> None:
    await shelf.open()
    dispatch = a_dispatch(options=SendOptions(reference="fattura-7"))
    await shelf.ledger.record(Entry(messages=[a_message(dispatch)]))
    assert not await shelf.ledger.knows_reference("fattura-7", dispatch)
    intent = SubmissionIntent(
        reference="fattura-7", dispatch=dispatch.id, account="casa", created=1.0
    )
    await shelf.ledger.record(Entry(submissions=[intent]))
    assert await shelf.ledger.knows_reference("fattura-7", dispatch)
    assert not await shelf.ledger.knows_reference("fattura-8", dispatch)


async def test_prices_are_what_was_paid_for_a_part_newest_first(
    shelf: Shelf,
) -> None:
    await shelf.open()
    rows: list[dict[str, object]] = [
        {"parts": 1, "cost": Decimal("0.05")},
        {"parts": 3, "cost": Decimal("0.18")},
        {"parts": 2, "cost": None},
        {"parts": 0, "cost": Decimal(0)},
        {"parts": 2, "cost": Decimal("0.24"), "number": "+33612345678"},
        {"parts": 1, "cost": Decimal("0.09"), "last_account": "riserva"},
        {"parts": 1, "cost": Decimal(7), "number": group_address("12")},
    ]
    for index, row in enumerate(rows, 1):
        await shelf.add(index, **{"last_account": "casa"} | row)
    prices = await shelf.ledger.prices("casa")
    assert prices == [
        ("+33612345678", Decimal("0.12")),
        (NUMBER, Decimal("0.06")),
        (NUMBER, Decimal("0.05")),
    ]
    assert await prices_by_country(prices) == {
        "IT": Decimal("0.06"),
        "FR": Decimal("0.12"),
    }
    assert await shelf.ledger.prices("riserva") == [(NUMBER, Decimal("0.09"))]
    assert await shelf.ledger.prices("nessuno") == []


# Pictures


async def test_a_picture_comes_back_with_open_messages_only(shelf: Shelf) -> None:
    await shelf.open()
    messages = a_pictured()
    await shelf.ledger.record(Entry(messages=messages))
    opened = await shelf.reopen()
    assert list(opened.open_messages) == messages
    bare = replace(messages[0].dispatch.options, picture=None)
    found = await shelf.ledger.find(Query())
    shown = await shelf.ledger.message(messages[0].id)
    assert shown is not None
    for one in (*found.messages, *await shelf.ledger.latest("casa", None, inf), shown):
        assert one.dispatch.options == bare


async def test_a_picture_is_forgotten_with_the_last_of_its_messages(
    shelf: Shelf,
) -> None:
    await shelf.open()
    first, second = a_pictured()
    await shelf.ledger.record(Entry(messages=[first, second]))
    assert pictures_in(shelf.path) == 1
    for message, left in ((first, 1), (second, 0)):
        closed = replace(message, stage=Stage.CLOSED, status=Status.DELIVERED)
        await shelf.ledger.record(Entry(messages=[closed]))
        assert pictures_in(shelf.path) == left


async def test_a_picture_that_nobody_gets_is_not_kept(shelf: Shelf) -> None:
    await shelf.open()
    refused = [replace(one, stage=Stage.CLOSED) for one in a_pictured()]
    await shelf.ledger.record(Entry(messages=refused))
    assert pictures_in(shelf.path) == 0


# Totals


async def test_totals_are_kept_by_day_and_account(shelf: Shelf) -> None:
    await shelf.open()
    rows = [
        ("2026-11-12", "casa", 1, "0.1"),
        ("2026-11-13", "casa", 2, "0.2"),
        ("2026-11-13", "casa", -1, "-0.05"),
        ("2026-11-13", "ufficio", 5, "0.5"),
        (TODAY, "casa", 7, "0.7"),
    ]
    for day, account, parts, cost in rows:
        spent = Spent(day=day, account=account, parts=parts, cost=Decimal(cost))
        await shelf.ledger.record(Entry(spent=[spent]))
    assert await shelf.ledger.totals_between("casa", "2026-11-13", TODAY) == {
        "2026-11-13": DayTotal(parts=1, cost=Decimal("0.15")),
        TODAY: DayTotal(parts=7, cost=Decimal("0.7")),
    }
    assert await shelf.ledger.totals_between("nessuno", "2000-01-01", TODAY) == {}
    opened = await shelf.reopen()
    assert opened.totals == {"casa": DayTotal(parts=7, cost=Decimal("0.7"))}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.decimals(-1000, 1000, places=6, allow_nan=False, allow_infinity=False),
        min_size=1,
        max_size=40,
    )
)
def test_money_adds_up_to_the_last_millionth(costs: list[Decimal]) -> None:
    async def sum_up() -> Decimal:
        ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
        await ledger.open(TODAY)
        for cost in costs:
            spent = Spent(day=TODAY, account="casa", parts=1, cost=cost)
            await ledger.record(Entry(spent=[spent]))
        totals = await ledger.totals_between("casa", TODAY, TODAY)
        await ledger.close()
        return totals[TODAY].cost

    with asyncio.Runner() as runner:
        assert runner.run(sum_up()) == sum(costs)


@pytest.mark.parametrize("cost", ["0.057", "0.000001", "12345678.9", "0", "1E+3"])
async def test_a_cost_comes_back_as_it_was_recorded(shelf: Shelf, cost: str) -> None:
    await shelf.open()
    await shelf.add(1, cost=Decimal(cost))
    (message,) = (await shelf.reopen()).open_messages
    assert message.cost == Decimal(cost)


# The same as by looking at every message

_ACCOUNTS = st.sampled_from(["casa", "ufficio"])
_TEXTS = st.sampled_from(["Porta", "PORTÀ aperta", "fumo"])
_QUERIES = st.builds(
    Query,
    account=st.none() | _ACCOUNTS,
    status=st.none() | st.sampled_from(Status),
    number=st.none() | st.sampled_from([NUMBER, OTHER]),
    text=st.none() | st.sampled_from(["portà", "O", ""]),
    since=st.none() | st.integers(0, 12).map(float),
    until=st.none() | st.integers(0, 12).map(float),
    limit=st.integers(1, 5),
    offset=st.integers(0, 5),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A new dispatch, and the statuses of its messages."""

    account: str
    text: str
    created: float
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Another status of some messages."""

    every: int
    status: Status
    stage: Stage


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Forgetting what is old."""

    account: str
    before: float


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Forgetting an account."""

    account: str


type Deed = Sent | Changed | Trimmed | Forgotten

_DEEDS: st.SearchStrategy[list[Deed]] = st.lists(
    st.one_of(
        st.builds(
            Sent,
            _ACCOUNTS,
            _TEXTS,
            st.integers(1, 10).map(float),
            st.lists(st.sampled_from(Status), min_size=1, max_size=3).map(tuple),
        ),
        st.builds(
            Changed,
            st.integers(1, 3),
            st.sampled_from(Status),
            st.sampled_from([Stage.ACCEPTED, Stage.CLOSED]),
        ),
        st.builds(Trimmed, _ACCOUNTS, st.integers(1, 10).map(float)),
        st.builds(Forgotten, _ACCOUNTS),
    ),
    max_size=12,
)


def _matches(query: Query, message: Message) -> bool:
    """Return whether a message is one of those that are looked for."""
    dispatch = message.dispatch
    return (
        query.account in {None, dispatch.account}
        and query.status in {None, message.status}
        and query.number in {None, message.number}
        and (query.text or "").casefold() in dispatch.text.casefold()
        and (query.since is None or dispatch.created >= query.since)
        and (query.until is None or dispatch.created <= query.until)
    )


async def _do(ledger: Ledger, kept: dict[int, Message], index: int, deed: Deed) -> None:
    """Do something with a ledger, and the same with what it must hold."""
    match deed:
        case Sent():
            dispatch = a_dispatch(
                index, account=deed.account, text=deed.text, created=deed.created
            )
            added = [
                a_message(
                    dispatch,
                    place,
                    status=status,
                    number=NUMBER if place % 2 else OTHER,
                    stage=Stage.CLOSED if place % 2 else Stage.ACCEPTED,
                )
                for place, status in enumerate(deed.statuses, 1)
            ]
            kept |= {message.id: message for message in added}
            await ledger.record(Entry(messages=added))
        case Changed():
            changed = [
                replace(message, status=deed.status, stage=deed.stage)
                for message in list(kept.values())[:: deed.every]
            ]
            kept |= {message.id: message for message in changed}
            await ledger.record(Entry(messages=changed))
        case Trimmed():
            is_open = {
                message.dispatch.id
                for message in kept.values()
                if message.stage is not Stage.CLOSED
            }
            for message in list(kept.values()):
                dispatch = message.dispatch
                if (
                    dispatch.account == deed.account
                    and dispatch.created < deed.before
                    and dispatch.id not in is_open
                ):
                    del kept[message.id]
            await ledger.trim(deed.account, deed.before)
        case Forgotten():
            for message in list(kept.values()):
                if message.dispatch.account == deed.account:
                    del kept[message.id]
            await ledger.forget(deed.account)


@settings(max_examples=150, deadline=None)
@given(_DEEDS, st.lists(_QUERIES, max_size=5))
def test_a_search_finds_and_counts_what_a_look_at_every_message_does(
    deeds: list[Deed], queries: list[Query]
) -> None:
    async def go_through() -> None:
        ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
        await ledger.open(TODAY)
        kept: dict[int, Message] = {}
        for index, deed in enumerate(deeds, 1):
            await _do(ledger, kept, index, deed)
        everything = [Query(limit=1000), *(Query(status=one) for one in Status)]
        for query in [*everything, *queries]:
            found = await ledger.find(query)
            matching = {one.id: one for one in kept.values() if _matches(query, one)}
            assert found.total == len(matching)
            page = [one.id for one in found.messages]
            assert all(one == matching[one.id] for one in found.messages)
            newest_first = sorted(matching, reverse=True)
            assert page == newest_first[query.offset : query.offset + query.limit]
        await ledger.close()

    with asyncio.Runner() as runner:
        runner.run(go_through())


# With a long history


def steps(path: Path, ask: Callable[[sqlite3.Connection], object]) -> int:
    """Return how many hundreds of its instructions SQLite takes for a question."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with closing(sqlite3.connect(path)) as database:
        queries.prepare(database)
        database.set_progress_handler(step, 100)
        ask(database)
    return count


async def test_what_is_often_asked_takes_no_longer_in_a_long_history(
    tmp_path: Path,
) -> None:
    """By the work that SQLite does, not by the time that it takes."""
    asked: dict[str, Callable[[sqlite3.Connection], object]] = {
        "latest": lambda one: queries.read_latest(one, "casa", None, inf),
        "of_recipient": lambda one: queries.read_latest(one, "casa", "anna", inf),
        "undelivered": lambda one: queries.read_undelivered(one, "casa", (), 20),
        "open": queries.read_open,
        "failed": lambda one: queries.find(one, Query(status=Status.FAILED)),
        "by_number": lambda one: queries.find(one, Query(number=OTHER)),
    }
    work: dict[int, dict[str, int]] = {}
    for size in (600, 3_000):
        shelf = Shelf(tmp_path / f"{size}.db")
        await shelf.open()
        done = {"stage": Stage.CLOSED, "status": Status.DELIVERED}
        await shelf.add(1, number=OTHER, recipient="anna", **done)
        await shelf.add(2, stage=Stage.CLOSED, status=Status.FAILED)
        await asyncio.gather(
            *(
                shelf.add(index, cost=Decimal("0.05"), **done)
                for index in range(3, size)
            )
        )
        await shelf.ledger.close()
        work[size] = {name: steps(shelf.path, ask) for name, ask in asked.items()}
    few, many = work.values()
    assert {name: many[name] <= few[name] * 1.5 + 5 for name in asked} == dict.fromkeys(
        asked, True
    )
