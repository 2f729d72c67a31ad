"""Runs in the messenger: who is called, when, and what a restart changes."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path
import sqlite3

import pytest

from custom_components.sms_italia.messaging import (
    Member,
    MemberDetails,
    Refusal,
    RequestRefusedError,
    RunEvent,
    RunState,
    Stage,
    Until,
    Way,
)
from custom_components.sms_italia.messaging.escalation.storage import to_record
from custom_components.sms_italia.messaging.ledger import Entry, Ledger
from custom_components.sms_italia.messaging.state import CallRefused, DailyLimitReached
from custom_components.sms_italia.providers import (
    ErrorKind,
    NotSent,
    Status,
)

from ..fake import MANY, ONE, Late, Lost
from ..helpers import copy_as_a_backup, copy_as_after_a_crash, mark_of, numbers
from .scene import (
    ANNA,
    BRUNO,
    CARLA,
    NUMBERS,
    TEXT,
    WAIT,
    Scene,
    plan,
    play,
    readable,
    restart,
    restart_unreadable,
    wait,
)

UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)

# The chain


def test_one_after_another_is_called_until_somebody_acknowledges(
    tmp_path: Path,
) -> None:
    """The first is not delivered, the second does not answer, the third does."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        scene.harness.client(MANY).report(Status.FAILED, NUMBERS[ANNA])
        await wait(20)
        assert scene.called() == ["anna", "bruno"], "at once after the report"
        await wait()
        assert scene.called() == ["anna", "bruno", "carla"]
        await scene.acknowledge("Carla")
        await wait(10 * WAIT)
        assert scene.called() == ["anna", "bruno", "carla"]
        assert scene.run.state is RunState.ACKNOWLEDGED
        assert scene.run.acknowledgement is not None
        assert scene.run.acknowledgement.who == "Carla"
        assert scene.events() == [
            RunEvent.BEGAN,
            RunEvent.CALLED,
            RunEvent.CALLED,
            RunEvent.CALLED,
            RunEvent.ACKNOWLEDGED,
        ]

    play(tmp_path, scenario)


def test_each_has_the_whole_wait_and_no_more(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await wait(WAIT - 1)
        assert scene.called() == ["anna"]
        await wait(2)
        assert scene.called() == ["anna", "bruno"]

    play(tmp_path, scenario)


def test_nobody_left_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(rounds=2)
        await wait(6 * WAIT + 1)
        assert scene.called() == ["anna", "bruno", "carla"] * 2
        assert scene.run.state is RunState.EXHAUSTED
        assert scene.events()[-1] is RunEvent.EXHAUSTED

    play(tmp_path, scenario)
    assert "Notte: nobody acknowledged; 3 of 3 members were called" in caplog.text
    assert "+39" not in caplog.text


def test_one_of_two_numbers_that_fails_does_not_end_the_wait(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        second = "+393330000009"
        scene.harness.members[ANNA] = MemberDetails(
            name="Anna", numbers=(NUMBERS[ANNA], second)
        )
        scene.harness.client(MANY).blocked.add(second)
        await scene.call()
        await wait(WAIT - 1)
        assert scene.called() == ["anna"]
        await wait(2)
        assert scene.called() == ["anna", "bruno"]

    play(tmp_path, scenario)


def test_two_escalations_run_beside_each_other(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await scene.call("Allarme: fumo", id="giorno", members=(CARLA, BRUNO))
        await wait(WAIT + 1)
        assert scene.called() == ["anna", "carla", "bruno", "bruno"]
        await scene.acknowledge()
        await wait(10 * WAIT)
        assert len(scene.called()) == 4

    play(tmp_path, scenario)


# Joining


def test_ten_messages_are_one_chain_and_everybody_gets_all(tmp_path: Path) -> None:
    texts = [f"Allarme: {index}" for index in range(10)]

    async def scenario(scene: Scene) -> None:
        for text in texts:
            await scene.call(text)
            await wait(5)
        assert scene.arrived() == [("anna", text) for text in texts]
        await wait(WAIT - 50)
        (name, joined), *rest = scene.arrived()[10:]
        assert (name, rest) == ("bruno", [])
        assert all(text in joined for text in texts)

    play(tmp_path, scenario)


def test_what_joins_goes_at_once_to_everybody_who_was_called(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await wait(WAIT + 1)
        await scene.call("fumo")
        assert scene.arrived()[2:] == [("anna", "fumo"), ("bruno", "fumo")]
        await wait(WAIT - 1)
        assert scene.called()[4:] == ["carla"]

    play(tmp_path, scenario)


def test_a_storm_is_joined_and_keeps_no_run_open(tmp_path: Path) -> None:
    """What is beyond the brake leaves in one text, and is covered like any other."""
    texts = [f"Allarme: {index}" for index in range(6)]

    async def scenario(scene: Scene) -> None:
        for text in texts:
            await scene.call(text, members=(ANNA,))
        assert scene.arrived() == [("anna", text) for text in texts[:3]]
        await wait(61)
        (_, joined) = scene.arrived()[3]
        assert all(text in joined for text in texts[3:])
        first = scene.run.id
        await scene.acknowledge()
        assert scene.run.id == first

    play(tmp_path, scenario, bundle_after=2)


def test_a_storm_delays_no_step(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        for index in range(3):
            await scene.harness.one(MANY, NUMBERS[ANNA], f"chiacchiere {index}")
        await scene.call()
        assert scene.arrived()[-1] == ("anna", TEXT)
        # What joins is beyond the brake.
        await scene.call("fumo")
        assert scene.arrived()[-1] == ("anna", TEXT)
        await wait(31)
        assert scene.arrived()[-2:] == [("anna", "chiacchiere 2"), ("anna", "fumo")]

    play(tmp_path, scenario, bundle_after=2)


def test_who_is_called_late_gets_every_text_whole(tmp_path: Path) -> None:
    texts = [f"Allarme {index}: {'x' * 120}" for index in range(10)]

    async def scenario(scene: Scene) -> None:
        for text in texts:
            await scene.call(text)
        await wait(WAIT)
        copies = [text for name, text in scene.arrived() if name == "bruno"]
        assert len(copies) == 4
        lines = [
            line for copy in copies for line in copy.split("\n") if "Allarme" in line
        ]
        assert lines == texts
        await scene.acknowledge()
        assert scene.run.state is RunState.ACKNOWLEDGED, "every text is covered"

    play(tmp_path, scenario, bundle_after=0, max_parts=3)


def test_what_a_storm_joined_is_withdrawn_with_its_run(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.harness.attach(MANY, line=scene.harness.line, bundle_after=1)
        await scene.call()
        for text in ("fumo", "acqua", "gas"):
            await scene.call(text)
        scene.harness.line.down()
        await wait(31)
        stages = [one.stage for one in await scene.harness.found()]
        assert stages.count(Stage.JOINED) == 2
        before = scene.called()
        await scene.acknowledge()
        scene.harness.line.up()
        await wait(WAIT / 2)
        left = scene.called()[len(before) :]
        # What was not covered begins a new run; nothing else leaves.
        assert left == ["anna"]
        assert scene.arrived()[-1][1] == "2\nacqua\ngas"

    play(tmp_path, scenario)


# Acknowledging


def test_an_acknowledgement_before_the_first_call_left_withdraws_it(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call()
        await scene.acknowledge()
        (message,) = await scene.harness.found()
        assert message.error is ErrorKind.CANCELLED
        scene.harness.client(MANY).always(None)
        await wait(10 * WAIT)
        assert scene.called() == []

    play(tmp_path, scenario)


def test_what_is_acknowledged_before_it_is_on_disk_calls_nobody(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        calling = asyncio.create_task(scene.call())
        await asyncio.sleep(0)
        assert scene.run.is_calling
        await scene.acknowledge()
        await calling
        await wait()
        assert await scene.harness.found() == ()

    play(tmp_path, scenario)


def test_what_waits_for_several_is_withdrawn(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call()
        await wait(2 * WAIT + 1)
        await scene.acknowledge()
        scene.harness.client(MANY).always(None)
        await wait(600)
        assert scene.called() == []
        assert {one.error for one in await scene.harness.found()} == {
            ErrorKind.CANCELLED
        }

    play(tmp_path, scenario)


def test_what_was_on_the_wire_at_the_end_is_not_sent_again(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).reply(Late(5, UNAVAILABLE))
        calling = asyncio.create_task(scene.call())
        await wait(1)
        await scene.acknowledge()
        await calling
        await wait(10)
        (message,) = await scene.harness.found()
        assert message.error is ErrorKind.CANCELLED
        await wait(WAIT)
        assert scene.called() == []

    play(tmp_path, scenario)


def test_after_the_end_no_further_account_is_asked(tmp_path: Path) -> None:
    """Its request was on the wire, and is refused then."""

    async def scenario(scene: Scene) -> None:
        await scene.harness.attach(ONE)
        scene.harness.client(MANY).reply(Late(3, NotSent(kind=ErrorKind.RECIPIENT)))
        await scene.call()
        await wait(1)
        await scene.acknowledge()
        await wait()
        assert (scene.called(), scene.called(ONE)) == ([], [])
        (message,) = await scene.harness.found()
        assert message.status is Status.FAILED

    play(tmp_path, scenario, fallback=(ONE,))


def test_what_waits_of_an_acknowledged_run_does_not_leave_after_a_crash(
    tmp_path: Path,
) -> None:
    """The acknowledgement is on disk, and that the call is cancelled is not."""

    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call()
        left = scene.harness.folder / "left.db"
        copy_as_after_a_crash(scene.harness.ledger, left)
        await scene.acknowledge()
        ended = scene.run
        await scene.harness.messenger.close()
        ledger = Ledger(left, lambda _: None, scene.harness.time.clock())
        await ledger.open("2026-11-14")
        await ledger.record(Entry(runs=[to_record(ended)]))
        await ledger.close()
        scene.harness.client(MANY).always(None)
        scene.harness.use(ledger=left)
        await scene.start()
        await wait()
        assert scene.called() == []

    play(tmp_path, scenario)


def test_what_was_not_accepted_yet_begins_a_new_run(tmp_path: Path) -> None:
    """It may come twice: what is on the wire cannot be held back."""

    async def scenario(scene: Scene) -> None:
        first = await scene.call()
        scene.harness.client(MANY).reply(Late(5))
        await scene.call("fumo")
        await scene.acknowledge()
        assert scene.run.id != first.id
        assert scene.run.texts == ("fumo",)
        await wait(WAIT + 1)
        assert scene.arrived() == [
            ("anna", TEXT),
            ("anna", "fumo"),
            ("anna", "fumo"),
            ("bruno", "fumo"),
        ]

    play(tmp_path, scenario)


def test_what_a_run_sends_is_of_who_began_it_across_a_restart(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        escalations = scene.harness.messenger.escalations
        await escalations.call(plan(), TEXT, "u")
        await wait(1)
        await scene.harness.messenger.close()
        scene.harness.use()
        await scene.start()
        await wait()
        found = await scene.harness.found()
        assert [one.dispatch.user for one in found] == ["u", "u"]

    play(tmp_path, scenario)


def test_what_begins_a_new_run_is_of_who_asked_for_it(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        escalations = scene.harness.messenger.escalations
        first = await escalations.call(plan(), TEXT, "u")
        await wait(1)
        scene.harness.client(MANY).reply(Late(5))
        await escalations.call(plan(), "fumo", "u")
        await scene.acknowledge()
        assert scene.run.id != first.id
        assert scene.run.user == "u"

    play(tmp_path, scenario)


def test_what_joined_and_was_accepted_is_acknowledged_too(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        first = await scene.call()
        await scene.call("fumo")
        await scene.acknowledge()
        assert scene.run.id == first.id
        await scene.call("acqua")
        assert scene.run.id != first.id

    play(tmp_path, scenario)


def test_those_who_were_called_learn_who_acknowledged(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(note="{who} se ne occupa")
        await wait(WAIT + 1)
        await scene.acknowledge("Dario")
        assert scene.arrived()[2:] == [
            ("anna", "Dario se ne occupa"),
            ("bruno", "Dario se ne occupa"),
        ]

    play(tmp_path, scenario)


def test_after_a_delivery_nobody_is_said_to_have_acknowledged(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(
            until=Until.DELIVERED,
            note="{who} ha confermato",
            note_of_delivery="arrivato a {who}",
        )
        await wait(WAIT + 1)
        scene.harness.client(MANY).report(Status.DELIVERED, NUMBERS[BRUNO])
        await wait(60)
        assert scene.arrived()[2:] == [("anna", "arrivato a Bruno")]

    play(tmp_path, scenario)


def test_so_does_who_was_reached_only_after_that(tmp_path: Path) -> None:
    """The call was on the wire when somebody acknowledged."""

    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).reply(Late(5))
        calling = asyncio.create_task(scene.call(note="{who} se ne occupa"))
        await wait(1)
        await scene.acknowledge("Dario")
        await wait(10)
        assert scene.arrived() == [("anna", TEXT), ("anna", "Dario se ne occupa")]
        scene.harness.client(MANY).deliver(NUMBERS[ANNA])
        await wait(WAIT)
        assert len(scene.called()) == 2, "once"
        await calling

    play(tmp_path, scenario)


NOTE = "{who} se ne occupa"


async def acknowledged_while_away(scene: Scene) -> None:
    """Let an account go whose member was called, and somebody acknowledge then."""
    other = await with_other(scene)
    await scene.harness.attach(ONE)
    await scene.call(members=(other,), note=NOTE)
    await scene.harness.messenger.detach(ONE)
    await scene.acknowledge("Dario")
    assert scene.arrived(ONE) == [("anna", TEXT)]


NOTED = [("anna", TEXT), ("anna", "Dario se ne occupa")]


@pytest.mark.parametrize("off", [0, 3000])
def test_a_note_whose_account_was_not_loaded_leaves_when_it_is(
    tmp_path: Path, off: float
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.expected.add(ONE)
        await acknowledged_while_away(scene)
        if off:
            await restart(scene, off)
        await wait(50)
        assert len(scene.arrived(ONE)) == 1
        await scene.harness.attach(ONE)
        await wait(1)
        assert scene.arrived(ONE) == NOTED
        await restart(scene)
        await scene.harness.attach(ONE)
        await wait(WAIT)
        assert scene.arrived(ONE) == NOTED

    play(tmp_path, scenario)


@pytest.mark.parametrize("is_expected", [False, True])
@pytest.mark.parametrize("off", [0, 600])
def test_a_note_is_tried_as_long_as_a_call(
    tmp_path: Path, off: float, *, is_expected: bool
) -> None:
    """While its account is expected, a minute, but after a start at most."""

    async def scenario(scene: Scene) -> None:
        if is_expected:
            scene.harness.expected.add(ONE)
        await wait(120)
        await acknowledged_while_away(scene)
        if off:
            await restart(scene, off)
        await wait(61)
        assert scene.run.unsent == ()
        await scene.harness.attach(ONE)
        await wait(60)
        assert len(scene.arrived(ONE)) == 1

    play(tmp_path, scenario)


def test_a_note_is_no_use_after_an_hour(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.expected.add(ONE)
        await acknowledged_while_away(scene)
        await restart(scene, 3601)
        await scene.harness.attach(ONE)
        await wait(10)
        assert len(scene.arrived(ONE)) == 1

    play(tmp_path, scenario)


def test_who_was_reached_in_the_last_moment_gets_a_note_after_the_start(
    tmp_path: Path,
) -> None:
    """That the call was accepted is on disk, and that there is a note is not."""

    async def scenario(scene: Scene) -> None:
        await scene.call(note=NOTE)
        scene.harness.client(MANY).deliver(NUMBERS[ANNA])
        await wait(60)
        await scene.acknowledge("Dario")
        assert len(scene.arrived()) == 2
        without_note = to_record(replace(scene.run, notes=()))
        await scene.harness.messenger.ledger.record(Entry(runs=[without_note]))
        await restart(scene)
        await wait(5)
        assert scene.arrived()[2:] == [("anna", "Dario se ne occupa")]

    play(tmp_path, scenario)


def test_a_note_of_a_backup_is_not_sent(tmp_path: Path) -> None:
    """It may have been sent after the copy was made."""

    async def scenario(scene: Scene) -> None:
        scene.harness.expected.add(ONE)
        await acknowledged_while_away(scene)
        copied = scene.harness.folder / "restored.db"
        copy_as_a_backup(scene.harness.ledger, copied)
        await scene.harness.messenger.close()
        # The second start finds a ledger that is its own.
        for _ in range(2):
            scene.harness.use(ledger=copied)
            await scene.start()
            await scene.harness.attach(ONE)
            await wait(WAIT)
            assert len(scene.arrived(ONE)) == 1
            await scene.harness.messenger.close()

    play(tmp_path, scenario)


def test_the_same_text_calls_nobody_for_a_while_after_that(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(quiet=600)
        await scene.acknowledge()
        await wait(500)
        await scene.call(quiet=600)
        assert (scene.called(), scene.run.repeats) == (["anna"], 1)
        await scene.call("fumo", quiet=600)
        assert scene.called() == ["anna", "anna"]
        await scene.acknowledge()
        await wait(100)
        await scene.call(quiet=600)
        assert scene.called() == ["anna"] * 3

    play(tmp_path, scenario)


def test_so_it_does_while_another_text_is_calling(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(quiet=600)
        await scene.acknowledge()
        await scene.call("fumo", quiet=600)
        await scene.call(quiet=600)
        assert [text for _, text in scene.arrived()] == [TEXT, "fumo"]

    play(tmp_path, scenario)


def test_a_delivery_is_enough_where_it_was_chosen(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(until=Until.DELIVERED)
        await wait(WAIT + 1)
        scene.harness.client(MANY).deliver(NUMBERS[BRUNO])
        await wait(WAIT)
        assert scene.called() == ["anna", "bruno"]
        by = scene.run.acknowledgement
        assert by is not None
        assert (by.way, by.who, by.member) == (Way.DELIVERY, "Bruno", BRUNO)

    play(tmp_path, scenario)


def test_the_copy_that_a_user_cancelled_counts_as_called(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call()
        (message,) = await scene.harness.found()
        await scene.harness.messenger.cancel(message.id)
        scene.harness.client(MANY).always(None)
        await wait(WAIT - 2)
        assert scene.called() == []
        await wait(3)
        assert scene.called() == ["bruno"]

    play(tmp_path, scenario)


# Faults


def test_it_is_not_exhausted_before_its_calls_have_left(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call()
        await wait(10 * WAIT)
        assert scene.run.is_calling
        scene.harness.client(MANY).always(None)
        await wait(60)
        assert sorted(scene.called()) == ["anna", "bruno", "carla"]
        assert scene.run.state is RunState.EXHAUSTED

    play(tmp_path, scenario)


def test_calls_that_expire_exhaust_it(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call()
        await wait(2 * 3600)
        assert (scene.called(), scene.run.state) == ([], RunState.EXHAUSTED)

    play(tmp_path, scenario)


def test_a_doubt_has_its_wait(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).reply(Lost.REQUEST)
        await scene.call()
        await wait(WAIT - 1)
        assert scene.called() == []
        await wait(5)
        assert scene.called() == ["bruno"]

    play(tmp_path, scenario)


def test_a_call_goes_along_the_route_of_the_members_account(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.harness.attach(ONE)
        scene.harness.client(MANY).refuse(ErrorKind.CREDIT)
        await scene.call()
        await wait(5)
        assert (scene.called(), scene.called(ONE)) == ([], ["anna"])

    play(tmp_path, scenario, fallback=(ONE,))


def test_a_member_of_another_account_that_is_down_has_its_wait(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        other = Member(account=ONE, recipient="anna")
        scene.harness.members[other] = MemberDetails(
            name="Anna", numbers=(NUMBERS[ANNA],)
        )
        await scene.harness.attach(ONE)
        scene.harness.client(ONE).always(UNAVAILABLE)
        await scene.call(members=(other, BRUNO))
        await wait(WAIT - 1)
        assert (scene.called(ONE), scene.called()) == ([], [])
        await wait(2)
        assert scene.called() == ["bruno"]

    play(tmp_path, scenario)


def test_calls_may_need_as_much_again_as_the_daily_limit(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        for index in range(2):
            await scene.harness.one(MANY, text=f"chiacchiere {index}")
        with pytest.raises(RequestRefusedError):
            await scene.harness.one(MANY)
        await scene.call(rounds=2)
        await wait(WAIT + 1)
        assert [text for _, text in scene.harness.arrived(MANY)].count(TEXT) == 2
        reached = DailyLimitReached(account=MANY, limit=2)
        assert reached in scene.harness.events
        await wait(WAIT + 1)
        assert scene.run.state is RunState.EXHAUSTED, "and no more than that"
        assert scene.run.step == 5
        refused = [
            (event.account, event.error.reason)
            for event in scene.harness.events
            if isinstance(event, CallRefused)
        ]
        assert refused == [(MANY, Refusal.DAILY_LIMIT)] * 4, "each is reported"

    play(tmp_path, scenario, daily_limit=2)


def test_a_fallback_may_need_as_much_again_too(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.harness.attach(ONE, daily_limit=1)
        await scene.harness.one(ONE, text="chiacchiere")
        scene.harness.client(MANY).refuse(ErrorKind.CREDIT)
        await scene.call()
        await wait(5)
        assert scene.arrived(ONE) == [("anna", TEXT)]

    play(tmp_path, scenario, fallback=(ONE,))


def test_so_may_the_next_account_after_a_failed_delivery(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.harness.attach(ONE, daily_limit=1)
        await scene.harness.one(ONE, text="chiacchiere")
        await scene.call()
        scene.harness.client(MANY).report(Status.FAILED, NUMBERS[ANNA])
        await wait(20)
        assert scene.arrived(ONE) == [("anna", TEXT)]

    play(tmp_path, scenario, fallback=(ONE,), failover_on_failed_delivery=True)


def test_a_call_goes_before_a_bulk_however_many_numbers_it_has(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        own = numbers(200)
        many = Member(account=ONE, recipient="anna")
        scene.harness.members[many] = MemberDetails(
            name="Anna", numbers=tuple(own[100:120])
        )
        await scene.harness.attach(ONE, daily_limit=0)
        scene.harness.client(ONE).always(Late(2))
        bulk = asyncio.create_task(scene.harness.send(ONE, *own[:100], text="auguri"))
        await wait(0.5)
        await scene.call(members=(many,))
        await wait(4)
        texts = [text for _, text in scene.harness.arrived(ONE)]
        assert texts.count(TEXT) == 20
        assert texts.count("auguri") < 100
        await bulk

    play(tmp_path, scenario)


def test_a_text_that_is_too_long_is_cut_and_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call("Allarme " * 100)
        await scene.call("🔥 fuoco " * 100, id="giorno")
        (_, latin), (_, emoji) = scene.arrived()
        assert latin.startswith("Allarme Allarme")
        assert (latin[-3:], emoji[-1]) == ("...", "…")
        (first, second) = await scene.harness.found()
        assert (first.dispatch.parts, second.dispatch.parts) == (2, 2)

    play(tmp_path, scenario, max_parts=2)
    assert "cut to the 2 parts" in caplog.text


def test_a_text_without_a_word_is_refused(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        with pytest.raises(RequestRefusedError) as refusal:
            await scene.call(" ")
        assert refusal.value.reason is Refusal.EMPTY_TEXT

    play(tmp_path, scenario)


# Members who are not there


def test_a_member_that_was_removed_is_skipped_at_once(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        del scene.harness.members[ANNA]
        await scene.call()
        assert scene.called() == ["bruno"]

    play(tmp_path, scenario)


async def with_other(scene: Scene, *fallback: str) -> Member:
    """Return a member whose account is not attached."""
    other = Member(account=ONE, recipient="anna")
    scene.harness.members[other] = MemberDetails(
        name="Anna", numbers=(NUMBERS[ANNA],), fallback=fallback
    )
    return other


def test_a_member_whose_account_does_not_come_is_skipped_after_a_minute(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        await wait(30)
        await scene.call(members=(other, BRUNO))
        await wait(25)
        assert scene.called() == []
        await wait(10)
        assert scene.called() == ["bruno"]

    play(tmp_path, scenario)


def test_a_member_whose_account_comes_in_time_is_called(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        await scene.call(members=(other, BRUNO))
        await wait(50)
        await scene.harness.attach(ONE)
        await wait(1)
        assert (scene.called(ONE), scene.called()) == (["anna"], [])

    play(tmp_path, scenario)


def test_a_fallback_calls_until_the_members_account_is_there(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene, MANY)
        await scene.call(members=(other, BRUNO))
        assert scene.called() == ["anna"]

    play(tmp_path, scenario)


def test_an_account_that_is_reloaded_has_a_minute_from_the_turn_on(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        scene.harness.expected.add(ONE)
        await wait(3600)
        await scene.call(members=(other, BRUNO))
        await wait(55)
        assert scene.called() == []
        await wait(10)
        assert scene.called() == ["bruno"]

    play(tmp_path, scenario)


def test_what_joins_for_an_account_that_does_not_come_keeps_no_run_open(
    tmp_path: Path,
) -> None:
    """However long it is expected: until the wait is over, and a minute."""

    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        scene.harness.expected.add(ONE)
        await scene.harness.attach(ONE)
        await scene.call(members=(other,))
        await scene.harness.messenger.detach(ONE)
        await scene.call("fumo", members=(other,))
        await wait(WAIT + 50)
        assert scene.run.is_calling
        await wait(20)
        assert scene.run.state is RunState.EXHAUSTED

    play(tmp_path, scenario)


def test_what_joins_while_an_account_is_reloaded_leaves_when_it_is_back(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        scene.harness.expected.add(ONE)
        await scene.harness.attach(ONE)
        await scene.call(members=(other,))
        await wait(WAIT - 10)
        await scene.harness.messenger.detach(ONE)
        await scene.call("fumo", members=(other,))
        await wait(40)
        await scene.harness.attach(ONE)
        await wait(1)
        assert scene.arrived(ONE) == [("anna", TEXT), ("anna", "fumo")]

    play(tmp_path, scenario)


def test_a_run_whose_escalation_is_removed_calls_nobody_more(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await scene.call(id="giorno", members=(CARLA,))
        scene.harness.messenger.escalations.keep(MANY, {"giorno"})
        await wait(WAIT + 1)
        assert scene.called() == ["anna", "carla"]
        assert scene.run.state is RunState.ABANDONED

    play(tmp_path, scenario)


def test_an_account_that_is_removed_keeps_no_run_open(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        await scene.harness.attach(ONE)
        scene.harness.client(ONE).always(UNAVAILABLE)
        await scene.call(members=(other,))
        await wait(WAIT + 1)
        assert scene.run.is_calling
        await scene.harness.messenger.detach(ONE)
        await scene.harness.messenger.forget(ONE, ())
        await wait(1)
        assert scene.run.state is RunState.EXHAUSTED

    play(tmp_path, scenario)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_waits_elsewhere_for_an_account_that_is_removed_is_withdrawn(
    tmp_path: Path, *, is_restarted: bool
) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene)
        await scene.harness.attach(ONE)
        scene.harness.client(ONE).always(UNAVAILABLE)
        await scene.call(members=(other, BRUNO))
        await wait(10)
        if is_restarted:
            await restart(scene)
            await scene.harness.attach(ONE)
        await scene.harness.messenger.detach(MANY)
        await scene.harness.messenger.forget(MANY, (ONE,))
        scene.harness.client(ONE).always(None)
        await wait(10 * WAIT)
        assert (scene.called(ONE), scene.called()) == ([], [])
        (message,) = await scene.harness.found()
        assert message.error is ErrorKind.CANCELLED

    play(tmp_path, scenario)


def test_what_is_on_the_wire_elsewhere_then_goes_no_further(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        other = await with_other(scene, MANY)
        await scene.harness.attach(ONE)
        scene.harness.client(ONE).reply(Late(5, UNAVAILABLE))
        await scene.call(members=(other,))
        await scene.harness.messenger.detach(MANY)
        await scene.harness.messenger.forget(MANY, (ONE,))
        await wait(10 * WAIT)
        assert (scene.called(ONE), scene.called()) == ([], [])
        (message,) = await scene.harness.found()
        assert message.error is ErrorKind.CANCELLED

    play(tmp_path, scenario)


@pytest.mark.parametrize("is_account_gone", [False, True])
def test_what_nobody_was_notified_of_is_forgotten_with_its_escalation(
    tmp_path: Path, *, is_account_gone: bool
) -> None:
    """It holds texts."""

    async def scenario(scene: Scene) -> None:
        messenger = scene.harness.messenger
        await scene.call(id="giorno")
        if is_account_gone:
            await messenger.detach(MANY)
            await messenger.forget(MANY, ())
        else:
            messenger.escalations.keep(MANY, {"notte"})
        assert messenger.escalations.listeners.replay_missed("giorno") == ()

    play(tmp_path, scenario)


# Restarts


@pytest.mark.parametrize("clock", [-86_400, 0])
def test_a_restart_during_the_wait_does_not_begin_it_anew(
    tmp_path: Path, clock: float
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await wait(200)
        await restart(scene)
        scene.harness.time.set_forward(clock)
        await wait(90)
        assert scene.called() == ["anna"]
        await wait(15)
        assert scene.called() == ["anna", "bruno"]

    play(tmp_path, scenario)


def test_after_the_wait_was_over_while_off_the_next_is_called_at_once(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await restart(scene, off=WAIT)
        assert scene.called() == ["anna", "bruno"]

    play(tmp_path, scenario)


def test_what_was_acknowledged_stays_so_after_a_restart(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call(quiet=600)
        await scene.acknowledge()
        await restart(scene)
        await scene.call(quiet=600)
        await wait(WAIT + 1)
        assert scene.called() == ["anna"]
        assert scene.run.state is RunState.ACKNOWLEDGED

    play(tmp_path, scenario)


def test_a_restart_in_which_no_account_is_there_exhausts_nothing(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await scene.harness.messenger.close()
        scene.harness.use()
        await scene.harness.attach(ONE)
        await wait(3 * WAIT)
        await scene.harness.attach(MANY)
        await wait(1)
        assert scene.called() == ["anna", "bruno"]

    play(tmp_path, scenario)


def test_a_run_goes_on_when_its_ledger_can_be_read_only_later(tmp_path: Path) -> None:
    """By our own clock, which is an hour ahead of the one in the ledger."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        scene.harness.time.set_forward(3600)
        await wait(200)
        await scene.harness.messenger.close()
        ledger = scene.harness.ledger
        aside = ledger.with_name("aside")
        ledger.rename(aside)
        ledger.mkdir()
        scene.harness.use()
        await scene.start()
        assert scene.harness.messenger.escalations.latest("notte") is None
        ledger.rmdir()
        aside.rename(ledger)
        await wait(90)
        assert scene.run.is_calling
        assert scene.called() == ["anna"]
        await wait(15)
        assert scene.called() == ["anna", "bruno"]
        await restart(scene)
        await wait(WAIT)
        assert scene.called() == ["anna", "bruno", "carla"]

    play(tmp_path, scenario)


def test_a_run_that_its_ledger_shows_late_goes_on_together_with_a_newer_one(
    tmp_path: Path,
) -> None:
    """Nobody is called twice for the same, by either, and each gets all."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        await wait(WAIT + 1)
        assert scene.called() == ["anna", "bruno"]
        aside = await restart_unreadable(scene)
        await scene.call("fumo")
        assert scene.arrived()[2:] == [("anna", "fumo")]
        newer = scene.run.id
        await readable(scene, aside)
        assert scene.arrived()[3:] == [("bruno", "fumo")]
        (run,) = scene.harness.messenger.escalations.calling()
        assert (run.id, scene.run.id, run.step) == (newer, newer, 1)
        assert scene.events()[-1] is RunEvent.RESUMED
        await wait(WAIT - 60)
        (name, both), *rest = scene.arrived()[4:]
        assert (name, rest) == ("carla", [])
        assert TEXT in both
        assert "fumo" in both
        await restart(scene)
        await wait(WAIT)
        assert len(scene.called()) == 5
        assert scene.run.state is RunState.EXHAUSTED

    play(tmp_path, scenario)


@pytest.mark.parametrize("member", [ANNA, BRUNO])
def test_an_answer_to_either_of_two_runs_that_go_on_together_ends_both(
    tmp_path: Path, member: Member
) -> None:
    """Each of the two has called one of them."""

    async def scenario(scene: Scene) -> None:
        await scene.call(members=(ANNA,))
        scene.harness.client(MANY).deliver(NUMBERS[ANNA])
        await wait(60)
        aside = await restart_unreadable(scene)
        await scene.call("fumo", members=(BRUNO,))
        await wait(60)
        scene.harness.client(MANY).always(UNAVAILABLE)
        await readable(scene, aside)
        await restart(scene)
        escalations = scene.harness.messenger.escalations
        await escalations.answered(NUMBERS[member], "ok", escalations.now())
        scene.harness.client(MANY).always(None)
        await wait(10 * WAIT)
        assert scene.arrived() == [("anna", TEXT), ("bruno", "fumo")]
        assert scene.run.state is RunState.ACKNOWLEDGED

    play(tmp_path, scenario)


def test_who_acknowledged_before_the_ledger_showed_a_run_meant_that_too(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        aside = await restart_unreadable(scene)
        await scene.call("fumo")
        await scene.acknowledge()
        await readable(scene, aside)
        await wait(10 * WAIT)
        assert scene.arrived() == [("anna", TEXT), ("anna", "fumo")]
        assert scene.run.state is RunState.ACKNOWLEDGED
        await restart(scene)
        await wait(10 * WAIT)
        assert len(scene.arrived()) == 2

    play(tmp_path, scenario)


def test_what_joined_late_and_is_not_covered_joins_the_run_that_is_calling(
    tmp_path: Path,
) -> None:
    """Of two acknowledged runs, one of which was unknown, one text was not read."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        scene.harness.client(MANY).always(UNAVAILABLE)
        await scene.call("acqua")
        aside = await restart_unreadable(scene)
        await scene.call("fumo")
        await scene.acknowledge()
        await scene.call("gas")
        await readable(scene, aside)
        (run,) = scene.harness.messenger.escalations.calling()
        assert sorted(run.texts) == ["acqua", "gas"]

    play(tmp_path, scenario)


async def answer(scene: Scene, member: Member, came_after: float) -> None:
    """Let a member answer so many seconds after the last run began."""
    escalations = scene.harness.messenger.escalations
    at = scene.run.began.steady + came_after
    await escalations.answered(NUMBERS[member], "ok", at)


@pytest.mark.parametrize("clock", [-86_400, 0])
def test_an_answer_counts_from_when_its_message_was_accepted_after_a_restart_too(
    tmp_path: Path, clock: float
) -> None:
    """And not from its last report."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        await wait(30)
        scene.harness.client(MANY).deliver(NUMBERS[ANNA])
        await wait(200)
        scene.harness.time.set_forward(clock)
        await restart(scene)
        await answer(scene, ANNA, 19)
        assert scene.run.is_calling
        await answer(scene, ANNA, 25)
        assert scene.run.state is RunState.ACKNOWLEDGED

    play(tmp_path, scenario)


def test_what_was_accepted_and_failed_later_stays_covered_after_a_restart(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await scene.call("fumo")
        scene.harness.accepted(MANY)[1].status = Status.FAILED
        await wait(200)
        await restart(scene)
        await scene.acknowledge()
        assert scene.harness.messenger.escalations.calling() == ()

    play(tmp_path, scenario)


def test_a_run_of_a_backup_that_is_restored_calls_nobody(tmp_path: Path) -> None:
    """It may have gone on, and have ended, after the copy was made."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        copied = scene.harness.folder / "restored.db"
        copy_as_a_backup(scene.harness.ledger, copied)
        await scene.harness.messenger.close()
        scene.harness.use(ledger=copied)
        await scene.start()
        await wait(10 * WAIT)
        assert scene.called() == ["anna"]
        assert scene.run.state is RunState.ABANDONED
        assert scene.events().count(RunEvent.CALLED) == 1, "before the restore"
        await scene.call()
        assert scene.called() == ["anna", "anna"], "the next message begins a run"

    play(tmp_path, scenario)


def test_a_run_of_a_backup_calls_nobody_after_a_kill_while_it_is_taken_over(
    tmp_path: Path,
) -> None:
    """As soon as the ledger is known as our own, the run is over in it."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        copied = scene.harness.folder / "restored.db"
        copy_as_a_backup(scene.harness.ledger, copied)
        await scene.harness.messenger.close()
        scene.harness.use(ledger=copied)
        starting = asyncio.create_task(scene.start())
        while not mark_of(copied).exists():  # noqa: ASYNC110 - at once, not in a while
            await asyncio.sleep(0)
        killed = tmp_path / "killed" / "sms.db"
        copy_as_after_a_crash(copied, killed)
        await starting
        await scene.harness.messenger.close()
        scene.harness.use(ledger=killed)
        await scene.start()
        await wait(10 * WAIT)
        assert scene.called() == ["anna"]

    play(tmp_path, scenario)


def test_a_call_whose_messages_cannot_be_read_counts_as_made(tmp_path: Path) -> None:
    """It is not known whether it was sent: the next one is called after the wait."""

    async def scenario(scene: Scene) -> None:
        await scene.call()
        scene.harness.client(MANY).deliver(NUMBERS[ANNA])
        await wait(200)
        await scene.harness.messenger.close()
        with closing(sqlite3.connect(scene.harness.ledger)) as database:
            database.execute("UPDATE messages SET status = '?' WHERE stage = 'closed'")
            database.commit()
        scene.harness.use()
        await scene.start()
        await wait(90)
        assert scene.called() == ["anna"]
        await wait(15)
        assert scene.called() == ["anna", "bruno"]
        await restart(scene)
        await wait(WAIT)
        assert scene.called() == ["anna", "bruno", "carla"]

    play(tmp_path, scenario)


def test_a_call_that_only_the_journal_knows_is_not_made_again(tmp_path: Path) -> None:
    """The ledger could not be written from before it until after the restart."""

    async def scenario(scene: Scene) -> None:
        await scene.call(members=(BRUNO, ANNA), id="giorno")
        await scene.acknowledge()
        with closing(sqlite3.connect(scene.harness.ledger, isolation_level=None)) as it:
            it.execute("BEGIN IMMEDIATE")
            await scene.call()
            scene.harness.client(MANY).deliver(NUMBERS[ANNA])
            await wait(200)
            await restart(scene)
            assert scene.called() == ["bruno", "anna"]
            it.execute("ROLLBACK")
        await wait(WAIT)
        assert scene.called() == ["bruno", "anna", "bruno"]

    play(tmp_path, scenario)


ORDER = list(NUMBERS.values())


async def crash(scene: Scene) -> tuple[list[str], list[str]]:
    """End without a warning and start again; return who was called before and after.

    The file is copied as it lies on the disk; what follows sees nothing else.
    """
    harness, client = scene.harness, scene.harness.client(MANY)
    left = harness.folder / "left.db"
    copy_as_after_a_crash(harness.ledger, left)
    before = ORDER[: client.requests()]
    client.line.down()
    await harness.messenger.close()
    client.submissions.clear()
    harness.use(ledger=left)
    await scene.start()
    await wait(4 * WAIT)
    after = [number for one in client.submissions for number in one.recipients]
    return before, after


@pytest.mark.parametrize(
    "moment",
    [0.05, 1, 2.5, 299, 299.99, 300, 300.5, 301, 302.5, 450, 600, 600.5, 601, 610],
)
def test_a_crash_at_any_moment_calls_nobody_twice_and_forgets_nobody(
    tmp_path: Path, moment: float
) -> None:
    """Each request takes two seconds, in which it is on the wire."""

    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).always(Late(2))
        calling = asyncio.create_task(scene.call())
        await asyncio.sleep(moment)
        before, after = await crash(scene)
        assert before + after == ORDER
        calling.cancel()

    play(tmp_path, scenario)


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30])
def test_a_crash_while_the_first_is_called_calls_nobody_twice(
    tmp_path: Path, turns: int
) -> None:
    """Turns of the event loop, from the message to the answer of the provider."""

    async def scenario(scene: Scene) -> None:
        calling = asyncio.create_task(
            scene.harness.messenger.escalations.call(plan(), TEXT)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        was_promised = calling.done()
        before, after = await crash(scene)
        if not (before or after or was_promised):
            return
        # What is on disk as submitted may have left: it counts as called.
        doubts = [
            one.number
            for one in await scene.harness.found()
            if one.status is Status.UNCERTAIN and one.number not in before
        ]
        assert before + doubts + after == ORDER

    play(tmp_path, scenario)
