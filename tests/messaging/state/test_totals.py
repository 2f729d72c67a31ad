"""What accounts spend: counted once, on the right day."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import Entry, Ledger, Spent
from custom_components.sms_italia.messaging.model import DayTotal, Message, Stage
from custom_components.sms_italia.messaging.state import (
    DailyTotals,
    Events,
    TotalsChanged,
)
from custom_components.sms_italia.messaging.state.transitions import failed_over
from custom_components.sms_italia.providers import Status

from ..helpers import OTHER
from .helpers import DAY, NOON, AtNoon, Desk

TODAY = "2026-11-14"


async def in_doubt(desk: Desk, **changes: object) -> Message:
    """Return a message that an account may have sent."""
    sent = await desk.one(stage=Stage.SUBMITTING, last_account="casa", **changes)
    doubt = replace(sent, stage=Stage.IN_DOUBT, status=Status.UNCERTAIN, updated=NOON)
    await desk.open.change([doubt])
    return doubt


async def spend(desk: Desk, day: str, parts: int = 1, cost: str = "0") -> None:
    """Let the ledger know of something spent that is not in memory."""
    spent = Spent(day=day, account="casa", parts=parts, cost=Decimal(cost))
    await desk.ledger.record(Entry(spent=[spent]))


async def until_read(desk: Desk) -> None:
    """Return when the ledger has answered what it was asked."""
    await desk.ledger.totals_between("casa", "2000-01-01", "2000-01-01")


# What counts


async def test_parts_and_cost_count_once_also_when_reports_change_them(
    desk: Desk,
) -> None:
    message = await desk.accepted(parts=1)
    assert desk.totals.spent_today("casa") == DayTotal(parts=1)
    for parts, cost in ((2, "0.10"), (2, "0.10"), (3, "0.05"), (1, "0.05")):
        message = replace(message, parts=parts, cost=Decimal(cost))
        await desk.open.change([message])
        assert desk.totals.spent_today("casa") == DayTotal(
            parts=parts, cost=Decimal(cost)
        )
    totals = await desk.ledger.totals_between("casa", TODAY, TODAY)
    assert totals == {TODAY: DayTotal(parts=1, cost=Decimal("0.05"))}


async def test_what_nobody_accepted_costs_nothing(desk: Desk) -> None:
    message = await desk.one(stage=Stage.SUBMITTING, last_account="casa")
    await desk.open.change([replace(message, stage=Stage.CLOSED, status=Status.FAILED)])
    assert desk.totals.spent_today("casa") == DayTotal()


async def test_what_may_have_been_sent_counts_until_it_is_known_that_it_was_not(
    desk: Desk,
) -> None:
    doubt = await in_doubt(desk, parts=2)
    assert desk.totals.spent_today("casa").parts == 2
    await desk.open.change([replace(doubt, stage=Stage.WAITING, status=Status.QUEUED)])
    assert desk.totals.spent_today("casa").parts == 0


async def test_a_doubt_that_ends_well_is_not_counted_twice(desk: Desk) -> None:
    accepted = replace(
        await in_doubt(desk),
        stage=Stage.ACCEPTED,
        status=Status.SENT,
        provider_id="1",
        cost=Decimal(1),
    )
    await desk.open.change([accepted])
    assert desk.totals.spent_today("casa") == DayTotal(parts=1, cost=Decimal(1))


async def test_a_doubt_that_nothing_can_settle_goes_on_counting(desk: Desk) -> None:
    sent = await desk.one(stage=Stage.SUBMITTING, last_account="casa")
    await desk.open.change(
        [replace(sent, stage=Stage.CLOSED, status=Status.UNCERTAIN, updated=NOON)]
    )
    assert desk.totals.spent_today("casa").parts == 1


async def test_what_was_never_sent_is_taken_back_from_the_day_it_was_counted(
    desk: Desk,
) -> None:
    doubt = await in_doubt(desk)
    desk.time.pass_by(DAY)
    await desk.open.change([replace(doubt, stage=Stage.WAITING, status=Status.QUEUED)])
    assert desk.totals.spent_today("casa").parts == 0
    totals = await desk.ledger.totals_between("casa", TODAY, "2026-11-15")
    assert totals == {TODAY: DayTotal()}


async def test_what_failed_after_it_was_accepted_was_spent_wherever_it_goes_on(
    desk: Desk,
) -> None:
    """With the cost that the report of the failure has."""
    message = await desk.accepted()
    failed = replace(
        message, stage=Stage.CLOSED, status=Status.FAILED, cost=Decimal("0.05")
    )
    waiting = failed_over(failed, desk.clock.moment())
    await desk.open.change([waiting])
    spent = DayTotal(parts=1, cost=Decimal("0.05"))
    assert desk.totals.spent_today("casa") == spent
    await desk.open.change(
        [replace(waiting, stage=Stage.SUBMITTING, last_account="riserva")]
    )
    await desk.open.change(
        [
            replace(
                waiting,
                stage=Stage.ACCEPTED,
                last_account="riserva",
                provider_id="2",
                cost=Decimal("0.07"),
            )
        ]
    )
    assert desk.totals.spent_today("casa") == spent
    elsewhere = DayTotal(parts=1, cost=Decimal("0.07"))
    assert desk.totals.spent_today("riserva") == elsewhere


async def test_what_is_accepted_counts_before_its_id_is_known(desk: Desk) -> None:
    message = await desk.accepted(provider_id=None)
    assert desk.totals.spent_today("casa").parts == 1
    await desk.open.change([replace(message, provider_id="1")])
    assert desk.totals.spent_today("casa").parts == 1


async def test_what_a_report_calls_failed_was_paid_all_the_same(desk: Desk) -> None:
    message = await desk.accepted(cost=Decimal("0.05"))
    failed = replace(message, stage=Stage.CLOSED, status=Status.FAILED)
    await desk.open.change([failed])
    assert desk.totals.spent_today("casa") == DayTotal(parts=1, cost=Decimal("0.05"))


async def test_the_account_that_accepted_it_pays_not_the_one_that_was_asked(
    desk: Desk,
) -> None:
    await desk.accepted(last_account="riserva", parts=2, cost=Decimal("0.2"))
    assert desk.totals.spent_today("riserva") == DayTotal(parts=2, cost=Decimal("0.2"))
    assert desk.totals.spent_today("casa") == DayTotal()


async def test_listeners_are_notified_of_another_sum_and_of_no_other(
    desk: Desk,
) -> None:
    message = await desk.accepted(last_account="riserva")
    assert TotalsChanged(account="riserva") in desk.events
    assert TotalsChanged(account="casa") not in desk.events
    desk.events.clear()
    await desk.open.change([replace(message, status=Status.SENT)])
    assert TotalsChanged(account="riserva") not in desk.events


async def test_what_an_account_spent_is_forgotten_with_it(desk: Desk) -> None:
    await desk.accepted()
    await desk.accepted(last_account="riserva")
    desk.totals.forget("casa")
    assert desk.totals.spent_today("casa") == DayTotal()
    assert desk.totals.known() == {TODAY: {"riserva": DayTotal(parts=1)}}


# Days


async def test_at_midnight_the_totals_begin_anew(desk: Desk) -> None:
    first = await desk.accepted(cost=Decimal("0.1"))
    desk.time.pass_by(DAY / 2 - 1)
    assert desk.totals.spent_today("casa").parts == 1
    desk.time.pass_by(1)
    assert desk.totals.spent_today("casa") == DayTotal()
    await desk.accepted(cost=Decimal("0.3"))
    # A report that comes the day after changes the day it comes.
    await desk.open.change([replace(first, parts=2)])
    assert desk.totals.spent_today("casa") == DayTotal(parts=2, cost=Decimal("0.3"))
    totals = await desk.ledger.totals_between("casa", TODAY, "2026-11-15")
    assert totals == {
        TODAY: DayTotal(parts=1, cost=Decimal("0.1")),
        "2026-11-15": DayTotal(parts=2, cost=Decimal("0.3")),
    }


async def test_a_day_that_the_clock_jumps_to_has_what_the_ledger_knows_of_it(
    desk: Desk,
) -> None:
    """A machine without a battery begins in the past, until it gets the time."""
    await spend(desk, "2026-11-20", 7, "0.7")
    await desk.accepted(parts=1)
    desk.time.pass_by(6 * DAY)
    await desk.accepted(parts=2)
    await until_read(desk)
    assert desk.totals.spent_today("casa") == DayTotal(parts=9, cost=Decimal("0.7"))
    assert TotalsChanged(account="casa") in desk.events
    totals = await desk.ledger.totals_between("casa", "2026-11-20", "2026-11-20")
    assert totals == {"2026-11-20": desk.totals.spent_today("casa")}


async def test_a_clock_that_goes_back_finds_the_totals_as_they_were(desk: Desk) -> None:
    first = await desk.accepted(parts=3)
    for days in (1, -2, 1):
        desk.time.pass_by(days * DAY)
        await desk.accepted(number=OTHER, parts=1)
        await until_read(desk)
    assert desk.totals.spent_today("casa").parts == 4
    await desk.open.change([replace(first, parts=5)])
    assert desk.totals.spent_today("casa").parts == 6
    totals = await desk.ledger.totals_between("casa", "2026-11-01", "2026-11-30")
    assert {day: total.parts for day, total in totals.items()} == {
        "2026-11-13": 1,
        TODAY: 6,
        "2026-11-15": 1,
    }


async def test_a_ledger_that_is_closed_does_not_keep_the_day_from_turning(
    desk: Desk,
) -> None:
    await desk.accepted()
    await desk.ledger.close()
    desk.time.pass_by(DAY)
    assert desk.totals.spent_today("casa") == DayTotal()


async def test_a_clock_that_goes_far_back_finds_the_totals_in_the_ledger(
    desk: Desk,
) -> None:
    for _ in range(20):
        await desk.accepted(number=OTHER)
        desk.time.pass_by(DAY)
    assert len(desk.totals.known()) == 7
    desk.time.pass_by(-20 * DAY)
    await desk.accepted(parts=5)
    await until_read(desk)
    assert desk.totals.spent_today("casa").parts == 6


@pytest.mark.parametrize(
    ("zone", "day", "time"),
    [
        (lambda: timezone(timedelta(hours=13)), "2026-11-15", "01:00:00"),
        (lambda: timezone(timedelta(hours=-12)), TODAY, "00:00:00"),
    ],
)
async def test_midnight_is_where_the_user_lives(
    zone: Callable[[], tzinfo], day: str, time: str
) -> None:
    noon = AtNoon()
    ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
    desk = await Desk(ledger, Clock(wall=noon.now, timezone=zone), noon).load()
    await desk.accepted()
    totals = await desk.ledger.totals_between("casa", "2026-11-01", "2026-11-30")
    assert list(totals) == [day]
    assert desk.clock.local_time() == time
    await ledger.close()


async def test_totals_that_are_loaded_are_todays_also_if_the_object_is_older() -> None:
    noon = AtNoon()
    clock = Clock(wall=noon.now, steady=noon.now)
    ledger = Ledger(Path(":memory:"), lambda _: None, Clock())
    totals = DailyTotals(ledger, clock, Events())
    noon.pass_by(DAY)
    totals.load({"casa": DayTotal(parts=9)})
    assert totals.spent_today("casa").parts == 9


# Averages


async def test_an_average_is_over_the_whole_days_since_the_first_cost(
    desk: Desk,
) -> None:
    assert await desk.totals.average_daily_cost("casa") is None
    await spend(desk, TODAY, cost="7")
    assert await desk.totals.average_daily_cost("casa") is None
    await spend(desk, "2026-11-12", cost="0.30")
    await spend(desk, "2026-11-04", cost="0.70")
    # Parts whose cost is not known do not begin the days.
    await spend(desk, "2026-11-01", parts=9)
    assert await desk.totals.average_daily_cost("casa") == Decimal("0.10")
    assert await desk.totals.average_daily_cost("riserva") is None


async def test_an_average_is_over_thirty_days_at_most(desk: Desk) -> None:
    await spend(desk, "2026-10-14", cost="100")
    assert await desk.totals.average_daily_cost("casa") is None
    await spend(desk, "2026-10-15", cost="3")
    assert await desk.totals.average_daily_cost("casa") == Decimal("0.1")


async def test_the_month_begins_on_its_first_and_has_today_in_it(desk: Desk) -> None:
    """Before the first message it is 0: statistics begin to count from it."""
    assert await desk.totals.spent_this_month("casa") == 0
    await spend(desk, "2026-10-31", cost="5")
    assert await desk.totals.spent_this_month("casa") == 0
    await spend(desk, "2026-11-01", cost="0.5")
    await desk.accepted(cost=Decimal("0.25"))
    assert await desk.totals.spent_this_month("casa") == Decimal("0.75")


async def test_a_cost_is_not_known_where_parts_have_none(desk: Desk) -> None:
    """0 would say that they were free; one cost among them is a sum."""
    await spend(desk, "2026-10-31", cost="5")
    message = await desk.accepted(parts=1)
    assert desk.totals.spent_today("casa").known_cost is None
    assert await desk.totals.spent_this_month("casa") is None
    await desk.accepted(parts=1, number=OTHER, cost=Decimal("0.05"))
    assert desk.totals.spent_today("casa").known_cost == Decimal("0.05")
    assert await desk.totals.spent_this_month("casa") == Decimal("0.05")
    await desk.open.change([replace(message, cost=Decimal("0.06"))])
    assert await desk.totals.spent_this_month("casa") == Decimal("0.11")


async def test_a_first_cost_of_today_is_what_was_spent_this_month(desk: Desk) -> None:
    await desk.accepted(cost=Decimal("0.25"))
    assert await desk.totals.spent_this_month("casa") == Decimal("0.25")


async def test_a_closed_ledger_knows_of_no_cost(desk: Desk) -> None:
    await spend(desk, "2026-11-12", cost="0.30")
    await desk.ledger.close()
    assert await desk.totals.average_daily_cost("casa") is None
    assert await desk.totals.spent_this_month("casa") is None
