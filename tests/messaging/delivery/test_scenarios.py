"""Alarms while a provider fails: how many arrive, and when, with the real waits."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging import Message, Stage
from custom_components.sms_italia.providers import ErrorKind, NotSent, Status

from ..fake import (
    HANGS,
    MANY,
    ONE,
    PLAIN,
    PRESETS,
    REFERENCE,
    THROTTLED,
    Late,
    Lost,
    Operation,
    Reply,
)
from ..helpers import NUMBER, OTHER, Harness, copy_as_after_a_crash, numbers
from ..virtual import run

UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)
NO_ANSWER = Late(15, Lost.REQUEST)


def alarms(
    harness: Harness, account: str, count: int, every: float, name: str = "allarme"
) -> list[asyncio.Task[Message]]:
    """Ask for messages to different numbers, one after another."""

    async def one(index: int) -> Message:
        await asyncio.sleep(index * every)
        return await harness.one(account, numbers(count)[index], f"{name} {index}")

    return [asyncio.create_task(one(index)) for index in range(count)]


async def in_doubt(harness: Harness) -> int:
    found = await harness.found()
    return sum(one.status is Status.UNCERTAIN for one in found)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_storm_costs_two_doubts_where_the_first_account_hangs(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(MANY).always(HANGS)
        await harness.attach(REFERENCE)
        await harness.attach(MANY, fallback=(REFERENCE,))
        first = alarms(harness, MANY, 9, every=3)
        await asyncio.gather(*first)
        await asyncio.sleep(60)
        assert await in_doubt(harness) == 2
        assert len(harness.accepted(REFERENCE)) == 7
        # Probes have been answered for a while.
        await asyncio.sleep(60)
        await asyncio.gather(*alarms(harness, MANY, 9, every=3, name="secondo"))
        await asyncio.sleep(60)
        assert await in_doubt(harness) == 2
        assert len(harness.accepted(REFERENCE)) == 7 + 9

    run(tmp_path, scenario)


@pytest.mark.parametrize("resends", [False, True])
def test_nothing_is_lost_where_the_user_resends_what_is_in_doubt(
    tmp_path: Path, *, resends: bool
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(MANY).always(HANGS)
        await harness.attach(REFERENCE)
        await harness.attach(MANY, fallback=(REFERENCE,), resend_uncertain=resends)
        await asyncio.gather(*alarms(harness, MANY, 9, every=3))
        await asyncio.sleep(60)
        assert len(harness.accepted(REFERENCE)) == (9 if resends else 7)

    run(tmp_path, scenario)


def test_alone_and_hanging_an_account_costs_one_doubt_a_minute(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(HANGS)
        harness.client(ONE).always(NO_ANSWER, of=Operation.PROBE)
        await harness.attach(ONE)
        first = asyncio.create_task(harness.one(ONE, OTHER))
        await asyncio.sleep(6)
        later = await asyncio.gather(*alarms(harness, ONE, 5, every=3))
        assert {one.status for one in later} == {Status.QUEUED}
        assert harness.requests(ONE) == 1
        await first
        # The line is back.
        await asyncio.sleep(10)
        harness.client(ONE).always(None)
        harness.client(ONE).always(None, of=Operation.PROBE)
        await asyncio.sleep(20)
        assert len(harness.accepted(ONE)) == 5
        assert await in_doubt(harness) == 1

    run(tmp_path, scenario)


def test_what_was_never_tried_goes_anyway_after_a_minute_one_by_one(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(HANGS)
        harness.client(ONE).always(NO_ANSWER, of=Operation.PROBE)
        await harness.attach(ONE)
        await harness.one(ONE, OTHER)
        await asyncio.sleep(60)
        began = now()
        await asyncio.gather(*alarms(harness, ONE, 3, every=0))
        await asyncio.sleep(began + 59 - now())
        assert harness.requests(ONE) == 1
        await asyncio.sleep(2)
        assert harness.requests(ONE) == 2
        await asyncio.sleep(5)
        assert harness.requests(ONE) == 3
        # One is answered: the other follows at once.
        harness.client(ONE).always(None)
        await asyncio.sleep(5)
        assert harness.requests(ONE) == 4
        assert len(harness.accepted(ONE)) == 1

    run(tmp_path, scenario)


@pytest.mark.parametrize("count", [1, 40])
def test_what_fails_in_spite_of_answered_probes_is_tried_ever_more_rarely(
    tmp_path: Path, count: int
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(UNAVAILABLE)
        await harness.attach(ONE)
        await asyncio.gather(*alarms(harness, ONE, count, every=0.5))
        await asyncio.sleep(3000)
        # At 60, 90, 135 ... seconds after the first try, then every 5 minutes; some
        # more were let go by a probe.
        assert harness.requests(ONE) <= 16 * count + 10
        harness.client(ONE).always(None)
        await asyncio.sleep(310)
        assert len(harness.accepted(ONE)) == count

    run(tmp_path, scenario)


def test_all_that_waits_follows_the_first_one_that_leaves(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(UNAVAILABLE)
        harness.client(ONE).always(UNAVAILABLE, of=Operation.PROBE)
        await harness.attach(ONE)
        await asyncio.gather(*alarms(harness, ONE, 40, every=0.5))
        await asyncio.sleep(5)
        requests = harness.requests(ONE)
        harness.client(ONE).always(None)
        harness.client(ONE).always(None, of=Operation.PROBE)
        await asyncio.sleep(20)
        assert len(harness.accepted(ONE)) == 40
        assert harness.requests(ONE) == requests + 40

    run(tmp_path, scenario)


def test_while_sends_hang_each_probe_that_is_answered_lets_one_go(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(Late(3600, Lost.REQUEST))
        await harness.attach(ONE, retry_for=7200)
        first = asyncio.create_task(harness.one(ONE, OTHER))
        await asyncio.sleep(6)
        tasks = alarms(harness, ONE, 4, every=0)
        await asyncio.sleep(1)
        assert harness.requests(ONE) == 2
        await asyncio.sleep(15)
        assert harness.requests(ONE) == 3
        await asyncio.sleep(15)
        assert harness.requests(ONE) == 4
        messages = await asyncio.gather(first, *tasks)
        assert {one.status for one in messages} == {Status.QUEUED}

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("send", "probe"),
    [
        (UNAVAILABLE, UNAVAILABLE),
        (Late(10, UNAVAILABLE), NO_ANSWER),
        (HANGS, NO_ANSWER),
        (Lost.REQUEST, UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("outage", [20, 61, 300, 1800])
def test_what_waits_leaves_within_20_seconds_of_the_lines_return(
    tmp_path: Path, send: Reply, probe: Reply, outage: float
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(send)
        harness.client(ONE).always(probe, of=Operation.PROBE)
        await harness.attach(ONE)
        tasks = alarms(harness, ONE, 5, every=4)
        await asyncio.sleep(outage)
        messages = [await task for task in tasks]
        harness.client(ONE).always(None)
        harness.client(ONE).always(None, of=Operation.PROBE)
        await asyncio.sleep(20)
        for message in messages:
            known = await harness.latest(message)
            assert known.stage is not Stage.WAITING
        doubts = await in_doubt(harness)
        assert len(harness.accepted(ONE)) + doubts == 5
        if isinstance(send, NotSent):
            assert not doubts

    run(tmp_path, scenario)


@pytest.mark.parametrize("probe", [None, NO_ANSWER])
def test_an_account_that_does_not_retry_tries_once_at_once(
    tmp_path: Path, probe: Reply
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(HANGS)
        harness.client(ONE).always(probe, of=Operation.PROBE)
        await harness.attach(ONE, retry_for=0)
        tasks = alarms(harness, ONE, 4, every=7)
        await asyncio.sleep(23)
        assert harness.requests(ONE) == 4
        await asyncio.gather(*tasks)

    run(tmp_path, scenario)


def test_a_failed_name_lookup_makes_no_next_alarm_wait(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(Late(4, UNAVAILABLE))
        await harness.attach(ONE)
        await harness.one(ONE, OTHER)
        harness.client(ONE).always(None)
        began = now()
        message = await harness.one(ONE, NUMBER)
        assert message.stage is Stage.ACCEPTED
        assert now() - began < 0.1

    run(tmp_path, scenario)


def test_a_connection_that_hangs_is_an_unanswered_request(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(Late(10, UNAVAILABLE))
        harness.client(ONE).always(NO_ANSWER, of=Operation.PROBE)
        await harness.attach(ONE)
        first = asyncio.create_task(harness.one(ONE, OTHER))
        await asyncio.sleep(6)
        began = now()
        message = await harness.one(ONE, NUMBER)
        assert message.status is Status.QUEUED
        assert now() - began <= 3
        assert harness.requests(ONE) == 1
        await first
        # Certainly not sent: nobody waits for a probe any more.
        await asyncio.sleep(2)
        assert harness.requests(ONE) == 2

    run(tmp_path, scenario)


def test_an_action_is_answered_after_10_seconds_whatever_the_route_takes(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        keys = (PLAIN, REFERENCE, MANY, ONE)
        for index, key in enumerate(keys):
            harness.client(key).always(Late(4.5, UNAVAILABLE))
            await harness.attach(key, fallback=keys[:index][::-1])
        began = now()
        message = await harness.one(ONE, NUMBER)
        assert now() - began == pytest.approx(10, abs=0.1)
        assert message.status is Status.QUEUED
        kept = await harness.latest(message)
        assert kept.stage is Stage.SUBMITTING
        await asyncio.sleep(10)
        assert harness.requests(PLAIN) == 1

    run(tmp_path, scenario)


def test_a_provider_that_asks_for_an_hour_is_asked_again_after_five_minutes(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        wait = NotSent(kind=ErrorKind.THROTTLED, retry_after=3600)
        harness.client(ONE).reply(wait)
        await harness.attach(REFERENCE)
        await harness.attach(ONE, fallback=(REFERENCE,))
        await harness.attach(MANY, name="alone")
        harness.client("alone").reply(wait)
        assert (await harness.one(ONE)).last_account == REFERENCE
        assert (await harness.one(ONE)).last_account == REFERENCE
        waiting = await harness.one("alone")
        assert waiting.error is ErrorKind.THROTTLED
        await asyncio.sleep(299)
        assert harness.requests(ONE) == harness.requests("alone") == 1
        await asyncio.sleep(2)
        assert len(harness.accepted("alone")) == 1
        assert (await harness.one(ONE)).last_account == ONE

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("kind", "wait"), [(ErrorKind.CREDIT, 300), (ErrorKind.AUTH, None)]
)
def test_what_an_account_refuses_waits_for_credit_or_for_new_credentials(
    tmp_path: Path, kind: ErrorKind, wait: float | None
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(NotSent(kind=kind))
        await harness.attach(ONE)
        messages = [await harness.one(ONE, to) for to in numbers(3)]
        assert {one.status for one in messages} == {Status.QUEUED}
        assert {one.error for one in messages} == {kind}
        harness.client(ONE).always(None)
        await asyncio.sleep(299)
        assert harness.requests(ONE) == 3
        await asyncio.sleep(2)
        assert len(harness.accepted(ONE)) == (3 if wait else 0)
        new = PRESETS[ONE]("new", harness.calls)
        await harness.messenger.attach(replace(harness.account(ONE), client=new))
        await asyncio.sleep(1)
        assert len(harness.accepted(ONE)) + len(new.accepted) == 3

    run(tmp_path, scenario)


def test_while_all_is_healthy_or_nobody_waits_little_is_probed(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        await harness.attach(ONE)
        await harness.one(ONE)
        await asyncio.sleep(600)
        assert not harness.requests(ONE, Operation.PROBE)
        harness.client(ONE).reply(Lost.REQUEST)
        harness.client(ONE).always(UNAVAILABLE, of=Operation.PROBE)
        await harness.one(ONE, OTHER)
        await asyncio.sleep(605)
        assert harness.requests(ONE, Operation.PROBE) == 10
        harness.client(ONE).always(None, of=Operation.PROBE)
        await asyncio.sleep(600)
        assert harness.requests(ONE, Operation.PROBE) == 11

    run(tmp_path, scenario)


# Order, and what goes first


def test_what_waited_leaves_in_its_order_when_the_line_is_back(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(UNAVAILABLE)
        harness.client(ONE).always(UNAVAILABLE, of=Operation.PROBE)
        await harness.attach(ONE)
        texts = [f"allarme {index}" for index in range(6)]
        for text in texts:
            await harness.one(ONE, NUMBER, text)
            await asyncio.sleep(2)
        harness.client(ONE).always(None)
        harness.client(ONE).always(None, of=Operation.PROBE)
        await asyncio.sleep(20)
        assert [text for _, text in harness.arrived(ONE)] == texts

    run(tmp_path, scenario)


def test_untried_messages_to_one_number_keep_their_order(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).reply(Late(2), Late(0.1))
        await harness.attach(ONE)
        tasks = [
            asyncio.create_task(harness.one(ONE, NUMBER, text))
            for text in ("primo", "secondo")
        ]
        await asyncio.sleep(0.1)
        other = await harness.one(ONE, OTHER, "altro")
        assert other.stage is Stage.ACCEPTED
        await asyncio.gather(*tasks)
        assert [text for _, text in harness.arrived(ONE)] == [
            "altro",
            "primo",
            "secondo",
        ]

    run(tmp_path, scenario)


def test_an_open_request_holds_up_the_next_to_its_number_for_5_seconds(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(MANY).always(HANGS)
        await harness.attach(REFERENCE)
        await harness.attach(MANY, fallback=(REFERENCE,))
        first = asyncio.create_task(harness.one(MANY, NUMBER, "primo"))
        await asyncio.sleep(1)
        began = now()
        second = await harness.one(MANY, NUMBER, "secondo")
        assert now() - began == pytest.approx(4, abs=0.1)
        assert second.last_account == REFERENCE
        await first

    run(tmp_path, scenario)


def test_what_waits_for_a_slot_leaves_a_suspect_account_for_a_healthy_one(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(HANGS)
        await harness.attach(REFERENCE)
        await harness.attach(ONE, fallback=(REFERENCE,))
        tasks = alarms(harness, ONE, 40, every=0)
        await asyncio.sleep(5.1)
        assert len(harness.accepted(REFERENCE)) == 8
        await asyncio.gather(*tasks)

    run(tmp_path, scenario)


def test_an_alarm_does_not_wait_for_a_bulk(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(Late(1))
        await harness.attach(ONE, daily_limit=0)
        bulk = asyncio.create_task(harness.send(ONE, *numbers(320), text="novità"))
        await asyncio.sleep(0.5)
        began = now()
        await asyncio.gather(
            harness.one(ONE, OTHER, "allarme"),
            # One to whom the bulk goes last.
            harness.one(ONE, numbers(320)[-1], "allarme"),
        )
        assert now() - began < 3
        await bulk
        texts = [text for to, text in harness.arrived(ONE) if to == numbers(320)[-1]]
        assert texts == ["novità", "allarme"]
        await asyncio.sleep(20)
        assert len(harness.accepted(ONE)) == 322

    run(tmp_path, scenario)


def test_a_bulk_goes_at_the_rate_of_its_provider_and_not_in_bursts(
    tmp_path: Path,
) -> None:
    """The provider takes 30 messages a minute."""

    async def scenario(harness: Harness) -> None:
        taken: list[float] = []

        def limited(_: object) -> Reply:
            minute = [one for one in taken if one > now() - 60]
            if len(minute) >= 30:
                wait = 60 - (now() - minute[0])
                return NotSent(kind=ErrorKind.THROTTLED, retry_after=wait)
            taken.append(now())
            return None

        harness.client(ONE).always(limited)
        await harness.attach(ONE, daily_limit=0)
        await harness.send(ONE, *numbers(300))
        await asyncio.sleep(1800)
        assert len(harness.accepted(ONE)) == 300
        # Ten minutes are the least; refused requests cost the provider little.
        assert taken[-1] - taken[0] < 900
        assert harness.requests(ONE) < 600
        later = [one for one in taken if one > taken[0] + 120]
        gaps = [second - first for first, second in pairwise(later)]
        assert sorted(gaps)[len(gaps) // 2] > 1

    run(tmp_path, scenario)


# The end


def test_stopping_waits_five_seconds_for_what_is_on_the_wire(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(ONE).always(HANGS)
        harness.client(ONE).always(NO_ANSWER, of=Operation.PROBE)
        await harness.attach(ONE)
        tasks = [*alarms(harness, ONE, 40, every=0)]
        await asyncio.sleep(7)
        began = now()
        await harness.messenger.close()
        assert now() - began <= 5.1
        await asyncio.gather(*tasks)
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert not [name for name in names if "sms_italia" in name]

    run(tmp_path, scenario)


# What was never tried, and what must not wait without end


@pytest.mark.parametrize(
    "reply", [NotSent(kind=ErrorKind.THROTTLED, retry_after=300), HANGS]
)
def test_an_alarm_that_was_never_tried_is_tried_before_it_expires(
    tmp_path: Path, reply: Reply
) -> None:
    async def scenario(harness: Harness) -> None:
        harness.client(PLAIN).always(reply)
        harness.client(PLAIN).always(reply, of=Operation.PROBE)
        await harness.attach(PLAIN, retry_for=120)
        await asyncio.gather(*alarms(harness, PLAIN, 40, every=1))
        await asyncio.sleep(300)
        assert {one.attempts > 0 for one in await harness.found()} == {True}

    run(tmp_path, scenario)


def test_a_provider_that_asks_for_no_wait_at_all_is_not_asked_all_the_time(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        throttled = NotSent(kind=ErrorKind.THROTTLED, retry_after=0)
        harness.client(PLAIN).always(throttled)
        await harness.attach(PLAIN)
        await asyncio.gather(*alarms(harness, PLAIN, 20, every=0))
        await asyncio.sleep(60)
        # Each after 1, 3, 7, 15, 31 and 51 seconds.
        assert harness.requests(PLAIN) <= 20 * 7

    run(tmp_path, scenario)


def test_what_waits_for_its_turn_in_a_bulk_expires_in_time(tmp_path: Path) -> None:
    async def scenario(harness: Harness) -> None:
        client = harness.client(PLAIN)
        client.reply(None, NotSent(kind=ErrorKind.THROTTLED, retry_after=240))
        await harness.attach(PLAIN, daily_limit=0, retry_for=600)
        await harness.send(PLAIN, *numbers(60))
        await asyncio.sleep(660)
        stages = {one.stage for one in await harness.found()}
        assert Stage.WAITING not in stages

    run(tmp_path, scenario)


async def wait_for_a_slot_elsewhere(harness: Harness) -> asyncio.Future[Any]:
    """Send "Ladri" by an account that refuses it, while its fallback has much to do.

    Returns what is done when all of it is.
    """
    await harness.attach(PLAIN)
    await harness.attach(ONE, fallback=(PLAIN,), refusing=ErrorKind.RECIPIENT)
    harness.client(PLAIN).always(Late(4))
    before = [
        asyncio.create_task(harness.one(PLAIN, number, "prima"))
        for number in numbers(80)
    ]
    await asyncio.sleep(0.5)
    alarm = asyncio.create_task(harness.one(ONE, NUMBER, "Ladri"))
    await asyncio.sleep(1)
    return asyncio.gather(*before, alarm)


def test_a_refused_alarm_that_waits_for_a_slot_elsewhere_is_sent_after_a_kill(
    tmp_path: Path,
) -> None:
    """Nobody has it: it must not be taken for one on the wire."""

    async def scenario(harness: Harness) -> None:
        sending = await wait_for_a_slot_elsewhere(harness)
        crashed = tmp_path / "crash" / harness.ledger.name
        copy_as_after_a_crash(harness.ledger, crashed)
        await sending
        await harness.messenger.close()
        sent = harness.arrived(PLAIN).count((NUMBER, "Ladri"))

        harness.use(ledger=crashed)
        await harness.attach(PLAIN)
        await harness.attach(ONE, fallback=(PLAIN,))
        await asyncio.sleep(300)
        assert harness.arrived(PLAIN).count((NUMBER, "Ladri")) == sent + 1
        (message,) = await harness.found(text="Ladri")
        assert message.last_account == PLAIN

    run(tmp_path, scenario)


def test_a_refused_alarm_that_waits_for_a_slot_elsewhere_can_be_cancelled(
    tmp_path: Path,
) -> None:
    async def scenario(harness: Harness) -> None:
        sending = await wait_for_a_slot_elsewhere(harness)
        (message,) = await harness.found(text="Ladri")
        await harness.messenger.cancel(message.id)
        await sending
        await asyncio.sleep(60)
        assert (NUMBER, "Ladri") not in harness.arrived(PLAIN)

    run(tmp_path, scenario)


@pytest.mark.parametrize("forward", [3 * 3600, 5 * 3600])
def test_a_clock_set_while_a_message_for_later_is_on_the_wire_moves_its_time_too(
    tmp_path: Path, forward: int
) -> None:
    async def scenario(harness: Harness) -> None:
        await harness.attach(PLAIN)
        await harness.attach(MANY, fallback=(PLAIN,))
        client = harness.client(MANY)
        client.reply(Late(25, UNAVAILABLE))
        client.always(NotSent(kind=ErrorKind.RECIPIENT))
        send_at = harness.time.now() + 4 * 3600
        sending = asyncio.create_task(harness.send(MANY, send_at=send_at))
        await asyncio.sleep(5)
        harness.time.set_forward(forward)
        await asyncio.sleep(5 * 3600)
        await sending
        assert len(harness.accepted(PLAIN)) == 1
        (message,) = await harness.found()
        late = message.updated - send_at
        assert 0 <= late <= max(0, forward - 4 * 3600) + 60

    run(tmp_path, scenario)


# Whatever happens

TROUBLE = st.sampled_from(
    [
        None,
        None,
        UNAVAILABLE,
        THROTTLED,
        Lost.ANSWER,
        HANGS,
        Late(7),
        Late(10, UNAVAILABLE),
    ]
)
PROBES = st.sampled_from([None, UNAVAILABLE, NO_ANSWER])
SPELL = st.tuples(st.floats(1, 200), TROUBLE, TROUBLE, PROBES)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(spells=st.lists(SPELL, min_size=1, max_size=6))
def test_whatever_happens_each_alarm_is_tried_once_answered_and_never_sent_twice(
    tmp_path_factory: pytest.TempPathFactory,
    spells: list[tuple[float, Reply, Reply, Reply]],
) -> None:
    """Every alarm has its end soon after all is well; doubts apart, it arrived."""

    async def scenario(harness: Harness) -> None:
        await harness.attach(REFERENCE)
        await harness.attach(ONE, fallback=(REFERENCE,))
        tasks = alarms(harness, ONE, 12, every=20)
        for seconds, first, second, probe in spells:
            for key, reply in ((ONE, first), (REFERENCE, second)):
                harness.client(key).always(reply)
                harness.client(key).always(probe, of=Operation.PROBE)
            await asyncio.sleep(seconds)
        for key in (ONE, REFERENCE):
            harness.client(key).always(None)
            harness.client(key).always(None, of=Operation.PROBE)
        await asyncio.gather(*tasks)
        await asyncio.sleep(400)
        for message in await harness.found():
            texts = [
                text for key in (ONE, REFERENCE) for _, text in harness.arrived(key)
            ]
            count = texts.count(message.dispatch.text)
            assert count <= 1
            assert message.attempts > 0
            assert count == 1 or message.status is Status.UNCERTAIN

    run(tmp_path_factory.mktemp("ledger"), scenario)
