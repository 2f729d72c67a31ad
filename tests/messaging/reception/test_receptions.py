"""SMS that come in while a messenger runs: when it searches, and what follows."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
import logging
from pathlib import Path
from typing import Any

import pytest

from custom_components.sms_italia.messaging import (
    Member,
    MemberDetails,
    MessagesReceived,
    PhoneNumber,
    Plan,
    Run,
    RunState,
    Target,
    Way,
)
from custom_components.sms_italia.messaging.ledger import Entry, ReceptionRecord
from custom_components.sms_italia.messaging.state import CredentialsRefused
from custom_components.sms_italia.providers import (
    ErrorKind,
    Incoming,
    NotSent,
    Uncertain,
)

from ..fake import MANY, PLAIN, Late, Operation, Reply
from ..helpers import Harness, copy_as_a_backup, copy_as_after_a_crash
from ..virtual import run

ANNA, BRUNO = (Member(account=MANY, recipient=name) for name in ("anna", "bruno"))
NUMBERS = {ANNA: "+393330000001", BRUNO: "+393330000002"}
STRANGER = "+393399999999"
WAIT = 300
PLAN = Plan(id="notte", account=MANY, name="Notte", members=(ANNA, BRUNO), wait=WAIT)


@dataclass
class Scene:
    """A messenger with an account that receives, and an escalation."""

    harness: Harness
    heard: list[MessagesReceived] = field(default_factory=list)

    async def start(self, **options: Any) -> None:  # noqa: ANN401 - options
        """Attach the account; Home Assistant has started."""
        self.harness.members |= {
            member: MemberDetails(name=member.recipient.title(), numbers=(number,))
            for member, number in NUMBERS.items()
        }
        self.harness.messenger.events.listen(MANY, self._note)
        await self.harness.attach(MANY, **{"receive": True} | options)
        self.harness.messenger.started()

    def _note(self, event: object) -> None:
        if isinstance(event, MessagesReceived):
            self.heard.append(event)

    def write(self, number: str | None, text: str, ago: float | None = 0) -> None:
        """Let an SMS come in; `ago` (seconds) is in its time, None for no time."""
        wall = self.harness.time.now()
        at = None if ago is None else datetime.fromtimestamp(wall - ago, UTC)
        incoming = Incoming(key=f"{number}{text}{at}", number=number, text=text, at=at)
        self.harness.client(MANY).incoming.append(incoming)

    def hint(self) -> None:
        """Say that something came in, as anybody can who knows the address."""
        self.harness.messenger.incoming_hinted(MANY)

    async def call(self, text: str = "Allarme") -> Run:
        """Begin a run or join one."""
        found = await self.harness.messenger.escalations.call(PLAN, text)
        await asyncio.sleep(0.1)
        return found

    @property
    def run(self) -> Run:
        """The last run."""
        latest = self.harness.messenger.escalations.latest("notte")
        assert latest is not None
        return latest

    @property
    def searches(self) -> int:
        """How many searches there were."""
        return self.harness.requests(MANY, Operation.RECEIVE)

    def texts(self) -> list[str]:
        """Return the texts that listeners were notified of."""
        return [one.text for news in self.heard for one in news.messages]


type Scenario = Callable[[Scene], Awaitable[None]]


def play(folder: Path, scenario: Scenario, **options: Any) -> None:  # noqa: ANN401 - options of an account
    """Run a scenario in virtual time, 10 seconds after the account was attached."""

    async def scene(harness: Harness) -> None:
        scene = Scene(harness)
        await scene.start(**options)
        await asyncio.sleep(10)
        await scenario(scene)

    run(folder, scene)


# When it searches


@pytest.mark.parametrize(
    ("key", "receive"), [(MANY, False), (PLAIN, True)], ids=["off", "no such provider"]
)
def test_only_an_account_that_receives_is_searched(
    tmp_path: Path, key: str, *, receive: bool
) -> None:
    async def scenario(harness: Harness) -> None:
        await harness.attach(key, receive=receive)
        harness.messenger.incoming_hinted(key)
        await asyncio.sleep(1000)
        assert harness.requests(key, Operation.RECEIVE) == 0

    run(tmp_path, scenario)


def test_it_is_searched_steadily_and_more_often_while_an_answer_is_awaited(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        assert scene.searches == 1
        await asyncio.sleep(600)
        assert scene.searches == 3
        await scene.call()
        assert scene.searches == 4, "at once, before anybody can have answered"
        await asyncio.sleep(60)
        assert scene.searches == 8
        scene.write(NUMBERS[ANNA], "ok")
        await asyncio.sleep(16)
        assert not scene.run.is_calling
        before = scene.searches
        await asyncio.sleep(600)
        assert scene.searches - before in {2, 3}

    play(tmp_path, scenario)


def test_hits_lead_to_at_most_one_search_in_five_seconds(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        before = scene.searches
        for _ in range(200):
            scene.hint()
            await asyncio.sleep(0.1)
        await asyncio.sleep(10)
        assert 4 <= scene.searches - before <= 6

    play(tmp_path, scenario)


def test_what_comes_in_during_a_search_is_found_by_the_next(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.client(MANY).reply(Late(3), of=Operation.RECEIVE)
        scene.hint()
        await asyncio.sleep(1)
        scene.hint()
        await asyncio.sleep(6)
        assert scene.searches == 3

    play(tmp_path, scenario)


def test_an_account_that_is_replaced_takes_up_whether_it_receives(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        for receive, searches in ((False, 1), (True, 2), (True, 2)):
            account = scene.harness.account(MANY, receive=receive)
            await scene.harness.messenger.attach(account)
            await asyncio.sleep(5)
            assert scene.searches == searches

    play(tmp_path, scenario)


# What others learn of it


def test_listeners_get_each_sms_once_with_its_recipient_and_a_masked_number(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        account = scene.harness.account(MANY, receive=True)
        anna = Target(number=PhoneNumber(NUMBERS[ANNA], "IT"), recipient="anna")
        account = replace(account, recipients={"anna": (anna,)})
        await scene.harness.messenger.attach(account)
        scene.write(NUMBERS[ANNA], "Sono a casa")
        scene.write("+393331112223", "Chi è?")
        scene.write(None, "Offerta")
        await asyncio.sleep(700)
        assert scene.texts() == ["Sono a casa", "Chi è?", "Offerta"]
        (news,) = scene.heard
        assert [one.recipient for one in news.messages] == ["anna", None, None]
        shown = [one.shown_number for one in news.messages]
        assert shown == ["***001", "***223", None]
        assert "casa" not in repr(news)

    play(tmp_path, scenario)


def test_what_came_in_while_it_started_is_news_when_everybody_listens(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.harness.messenger.events.flush()
        await scene.harness.messenger.close()
        scene.write(STRANGER, "Ciao")
        scene.harness.use()
        scene.harness.messenger.events.listen(MANY, scene._note)  # noqa: SLF001 - the scene's own
        await scene.harness.attach(MANY, receive=True)
        await asyncio.sleep(5)
        assert scene.texts() == []
        scene.harness.messenger.started()
        await asyncio.sleep(0.1)
        assert scene.texts() == ["Ciao"]

    play(tmp_path, scenario)


# Answers


@pytest.mark.parametrize("by_hint", [True, False])
def test_a_called_member_acknowledges_by_an_answer(
    tmp_path: Path, *, by_hint: bool
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await asyncio.sleep(30)
        scene.write(NUMBERS[ANNA], "Ok!")
        if by_hint:
            scene.hint()
        await asyncio.sleep(6 if by_hint else 16)
        by = scene.run.acknowledgement
        assert by is not None
        assert (by.way, by.who, by.member) == (Way.ANSWER, "Anna", ANNA)
        assert scene.texts() == ["Ok!"], "and it is news as any other"
        await asyncio.sleep(2 * WAIT)
        assert {to for to, _ in scene.harness.arrived(MANY)} == {NUMBERS[ANNA]}

    play(tmp_path, scenario)


def _nothing(_scene: Scene) -> None:
    """Let nothing come in: the hit is forged."""


@pytest.mark.parametrize(
    "comes",
    [
        _nothing,
        lambda scene: scene.write(STRANGER, "ok"),
        lambda scene: scene.write(NUMBERS[BRUNO], "ok"),
        lambda scene: scene.write(None, "ok"),
        lambda scene: scene.write(NUMBERS[ANNA], "Ok, ora sono in riunione"),
        lambda scene: scene.write(NUMBERS[ANNA], "ok", ago=45),
        lambda scene: scene.write(NUMBERS[ANNA], "ok", ago=15),
    ],
    ids=["forged hit", "foreign number", "not called", "a name", "automatic reply",
         "written before the call", "too soon to have read it"],
)  # fmt: skip
def test_nothing_else_acknowledges(
    tmp_path: Path, comes: Callable[[Scene], None]
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await asyncio.sleep(30)
        comes(scene)
        for _ in range(5):
            scene.hint()
            await asyncio.sleep(10)
        assert scene.run.is_calling

    play(tmp_path, scenario)


def test_an_old_row_acknowledges_nothing_although_a_hit_comes(tmp_path: Path) -> None:
    """It was seen before the call, by steady searches."""

    async def scenario(scene: Scene) -> None:
        scene.write(NUMBERS[ANNA], "ok", ago=None)
        await asyncio.sleep(WAIT)
        await scene.call()
        await asyncio.sleep(60)
        scene.hint()
        await asyncio.sleep(10)
        assert scene.run.is_calling
        scene.write(NUMBERS[ANNA], "ok", ago=None)
        await asyncio.sleep(16)
        assert not scene.run.is_calling, "an equal row is another one"

    play(tmp_path, scenario)


def test_without_a_search_from_before_the_call_the_first_one_acknowledges_nothing(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await asyncio.sleep(60)
        scene.write(NUMBERS[ANNA], "ok")
        account = scene.harness.account(MANY, receive=True)
        await scene.harness.messenger.attach(account)
        await asyncio.sleep(20)
        assert scene.searches
        assert scene.run.is_calling
        scene.write(NUMBERS[ANNA], "ok", ago=None)
        await asyncio.sleep(16)
        assert not scene.run.is_calling

    play(tmp_path, scenario, receive=False)


def test_what_an_answer_cannot_have_read_is_called_on(tmp_path: Path) -> None:
    """A message that was accepted less than 20 s before begins a new run."""

    async def scenario(scene: Scene) -> None:
        first = await scene.call("Uno")
        await asyncio.sleep(60)
        await scene.call("Due")
        await asyncio.sleep(10)
        scene.write(NUMBERS[ANNA], "ok")
        scene.hint()
        await asyncio.sleep(6)
        assert scene.run.id != first.id
        assert (scene.run.texts, scene.run.is_calling) == (("Due",), True)

    play(tmp_path, scenario)


def test_an_answer_given_while_nothing_ran_acknowledges_after_the_start(
    tmp_path: Path,
) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await asyncio.sleep(40)
        ledger = tmp_path / "later" / "sms.db"
        copy_as_after_a_crash(scene.harness.ledger, ledger)
        await scene.harness.messenger.close()
        scene.write(NUMBERS[ANNA], "ok")
        await asyncio.sleep(60)
        scene.harness.use(ledger=ledger)
        await scene.start()
        await asyncio.sleep(3)
        assert scene.run.state is RunState.ACKNOWLEDGED
        assert scene.texts() == ["ok"]

    play(tmp_path, scenario)


def test_a_restored_backup_takes_nothing_for_new(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        backup = tmp_path / "backup" / "sms.db"
        copy_as_a_backup(scene.harness.ledger, backup)
        scene.write(STRANGER, "Ciao")
        await asyncio.sleep(WAIT)
        assert scene.texts() == ["Ciao"]
        await scene.harness.messenger.close()
        scene.harness.use(ledger=backup)
        await scene.start()
        killed = tmp_path / "killed" / "sms.db"
        copy_as_after_a_crash(backup, killed)
        await asyncio.sleep(WAIT)
        assert scene.texts() == ["Ciao"]
        await scene.harness.messenger.close()
        # A kill before the first search.
        scene.harness.use(ledger=killed)
        await scene.start()
        await asyncio.sleep(WAIT)
        assert scene.texts() == ["Ciao"]

    play(tmp_path, scenario)


def test_a_reception_that_cannot_be_read_begins_with_a_baseline(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        scene.write(STRANGER, "Ciao")
        record = ReceptionRecord(account=MANY, state="[]")
        await scene.harness.messenger.ledger.record(Entry(receptions=[record]))
        await scene.harness.messenger.close()
        scene.harness.use()
        await scene.start()
        await asyncio.sleep(5)
        assert scene.texts() == []

    play(tmp_path, scenario)


# When it fails


@pytest.mark.parametrize(
    "reply",
    [
        NotSent(kind=ErrorKind.UNAVAILABLE),
        Uncertain(detail="no_list"),
        RuntimeError("a fault of ours"),
    ],
    ids=["unavailable", "no answer", "fault"],
)
def test_a_search_that_failed_loses_nothing(
    tmp_path: Path, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, without what came in."""

    async def scenario(scene: Scene) -> None:
        client = scene.harness.client(MANY)
        client.reply(reply, of=Operation.RECEIVE, times=2)
        scene.write(NUMBERS[ANNA], "Segreto")
        await asyncio.sleep(3 * WAIT + 10)
        assert scene.texts() == ["Segreto"]

    with caplog.at_level(logging.WARNING):
        play(tmp_path, scenario)
    assert 1 <= len(caplog.records) <= 2
    assert "Segreto" not in caplog.text
    assert NUMBERS[ANNA] not in caplog.text


def test_a_provider_that_asks_to_wait_is_left_alone(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.call()
        await asyncio.sleep(20)
        throttled = NotSent(kind=ErrorKind.THROTTLED, retry_after=60)
        scene.harness.client(MANY).reply(throttled, of=Operation.RECEIVE)
        scene.hint()
        await asyncio.sleep(6)
        before = scene.searches
        await asyncio.sleep(50)
        assert scene.searches == before
        await asyncio.sleep(10)
        assert scene.searches == before + 1

    play(tmp_path, scenario)


def test_refused_credentials_are_reported(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        refused = NotSent(kind=ErrorKind.AUTH)
        scene.harness.client(MANY).reply(refused, of=Operation.RECEIVE)
        scene.hint()
        await asyncio.sleep(6)
        kinds = [type(event) for event in scene.harness.events]
        assert kinds.count(CredentialsRefused) == 1

    play(tmp_path, scenario)
