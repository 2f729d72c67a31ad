"""Runs in the messenger: who is called, when, and what a restart changes."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from custom_components.sms_italia.messaging import (
    Acknowledgement,
    Member,
    MemberDetails,
    Plan,
    Refusal,
    RequestRefusedError,
    Run,
    RunEvent,
    RunNews,
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
from ..helpers import Harness, copy_as_a_backup, copy_as_after_a_crash, numbers
from ..virtual import run

ANNA, BRUNO, CARLA = (
    Member(account=MANY, recipient=name) for name in ("anna", "bruno", "carla")
)
NUMBERS = {ANNA: "+393330000001", BRUNO: "+393330000002", CARLA: "+393330000003"}
NAMES = {number: member.recipient for member, number in NUMBERS.items()}
WAIT = 300
TEXT = "Allarme: porta aperta"
UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)


def plan(**changes: Any) -> Plan:  # noqa: ANN401 - fields of a plan
    """Return an escalation of an account with three members."""
    values: dict[str, Any] = {
        "id": "notte",
        "account": MANY,
        "name": "Notte",
        "members": (ANNA, BRUNO, CARLA),
        "wait": WAIT,
    }
    return Plan(**(values | changes))


@dataclass
class Scene:
    """A messenger with an account whose recipients are members."""

    harness: Harness
    news: list[RunNews] = field(default_factory=list)

    @classmethod
    async def of(cls, harness: Harness, **options: Any) -> Self:  # noqa: ANN401 - options
        """Set everything up."""
        harness.members |= {
            member: MemberDetails(name=member.recipient.title(), numbers=(number,))
            for member, number in NUMBERS.items()
        }
        scene = cls(harness)
        await scene.start(**options)
        return scene

    async def start(self, **options: Any) -> None:  # noqa: ANN401 - options
        """Attach the account; Home Assistant has started."""
        escalations = self.harness.messenger.escalations
        escalations.listeners.listen("notte", self.news.append)
        await self.harness.attach(MANY, **options)
        escalations.started()

    async def call(self, text: str = TEXT, **changes: Any) -> Run:  # noqa: ANN401 - a plan's
        """Begin a run or join one."""
        run = await self.harness.messenger.escalations.call(plan(**changes), text)
        await asyncio.sleep(0.1)
        return run

    async def acknowledge(self, who: str = "Dario") -> None:
        """Acknowledge what is calling, by the button."""
        escalations = self.harness.messenger.escalations
        by = Acknowledgement(
            way=Way.BUTTON, who=who, read_until=self.harness.time.now()
        )
        for one in escalations.calling():
            await escalations.acknowledge(one, by)
        await asyncio.sleep(0.1)

    @property
    def run(self) -> Run:
        """The last run."""
        latest = self.harness.messenger.escalations.latest("notte")
        assert latest is not None
        return latest

    def arrived(self, account: str = MANY) -> list[tuple[str, str]]:
        """Return who was sent what."""
        return [
            (NAMES[to], text)
            for to, text in self.harness.arrived(account)
            if to in NAMES
        ]

    def called(self, account: str = MANY) -> list[str]:
        """Return who was sent something, in order."""
        return [name for name, _ in self.arrived(account)]

    def events(self) -> list[RunEvent]:
        """Return what the rooms were notified of."""
        return [one.event for one in self.news]


def play(
    folder: Path,
    scenario: Any,  # noqa: ANN401 - a coroutine function
    **options: Any,  # noqa: ANN401 - options of an account
) -> None:
    """Run a scenario in virtual time."""

    async def scene(harness: Harness) -> None:
        await scenario(await Scene.of(harness, **options))

    run(folder, scene)


async def wait(seconds: float = WAIT) -> None:
    """Let time pass."""
    await asyncio.sleep(seconds)


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


# Restarts


async def restart(scene: Scene, off: float = 0, **options: Any) -> None:  # noqa: ANN401 - options
    """Start again after some seconds off."""
    await scene.harness.messenger.close()
    scene.harness.time.pass_by(off)
    scene.harness.use()
    await scene.start(**options)
    await asyncio.sleep(0.1)


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
        await scene.call()
        assert scene.called() == ["anna", "anna"], "the next message begins a run"

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
