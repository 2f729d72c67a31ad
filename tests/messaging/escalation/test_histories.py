"""What never happens to the runs of a messenger, whatever comes in whatever order."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings, strategies as st

from custom_components.sms_italia.messaging import Member, RunEvent, RunNews, Until
from custom_components.sms_italia.messaging.escalation.transitions import uncovered
from custom_components.sms_italia.providers import ErrorKind, NotSent, Status

from ..fake import MANY, Lost
from ..helpers import copy_as_after_a_crash
from .scene import (
    ANNA,
    BRUNO,
    CARLA,
    NUMBERS,
    WAIT,
    Scene,
    play,
    readable,
    restart,
    restart_unreadable,
    wait,
)

NOTE = "se ne occupa qualcuno"
REPLIES = {
    "takes": None,
    "is away": NotSent(kind=ErrorKind.UNAVAILABLE),
    "refuses": NotSent(kind=ErrorKind.RECIPIENT),
    "is silent": Lost.REQUEST,
    "takes and is silent": Lost.ANSWER,
}
PLANS = st.fixed_dictionaries(
    {
        "members": st.sampled_from([(ANNA, BRUNO, CARLA), (ANNA,), (BRUNO, ANNA)]),
        "rounds": st.integers(1, 2),
        "until": st.sampled_from(Until),
        "note": st.sampled_from([None, NOTE]),
    }
)
HAPPENINGS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 30, WAIT - 1, WAIT, 3 * WAIT])),
    st.tuples(st.just("call")),
    st.tuples(st.just("reply"), st.sampled_from(sorted(REPLIES))),
    st.tuples(
        st.just("report"),
        st.sampled_from(tuple(NUMBERS)),
        st.sampled_from([Status.DELIVERED, Status.FAILED]),
    ),
    st.tuples(st.just("answer"), st.sampled_from(tuple(NUMBERS))),
    st.tuples(st.just("acknowledge")),
    st.tuples(st.just("restart"), st.sampled_from([0, 60, WAIT, 7200])),
    st.tuples(st.just("crash")),
    st.tuples(st.just("hide")),
    st.tuples(st.just("show")),
    st.tuples(st.just("clock"), st.sampled_from([-86_400, -60, 60, 86_400])),
)


@dataclass
class History:
    """A scene to which anything happens, and what was promised meanwhile.

    `covered` are texts that somebody acknowledged, with the number of messages that had
    arrived before. `chains` counts the runs that may call for a text.
    """

    scene: Scene
    plan: dict[str, Any]
    texts: count[int] = field(default_factory=count)
    covered: dict[str, int] = field(default_factory=dict)
    chains: Counter[str] = field(default_factory=Counter)
    aside: Path | None = None
    crashes: count[int] = field(default_factory=count)

    def listen(self) -> None:
        """Follow the runs of the messenger as it is now."""
        listeners = self.scene.harness.messenger.escalations.listeners
        listeners.listen_to_all(self._note)

    def _note(self, news: RunNews) -> None:
        if news.event is not RunEvent.ACKNOWLEDGED:
            return
        left = uncovered(news.run)
        self.chains.update(left)
        for text in set(news.run.texts) - set(left):
            self.covered.setdefault(text, len(self.scene.arrived()))

    async def happen(self, happening: tuple[object, ...]) -> None:
        """Let one thing happen."""
        scene, client = self.scene, self.scene.harness.client(MANY)
        escalations = scene.harness.messenger.escalations
        match happening:
            case ("wait", int() as seconds):
                await wait(seconds)
            case ("call",):
                text = f"Allarme {next(self.texts)}."
                self.chains[text] = 1
                await scene.call(text, **self.plan)
            case ("reply", str() as reply):
                client.always(REPLIES[reply])
            case ("report", Member() as member, Status() as status):
                client.report(status, NUMBERS[member])
                await wait(10)
            case ("answer", Member() as member):
                await escalations.answered(NUMBERS[member], "ok", escalations.now())
            case ("acknowledge",):
                await scene.acknowledge()
            case ("clock", int() as seconds):
                scene.harness.time.set_forward(seconds)
            case _:
                await self._start_again(happening)
        await asyncio.sleep(0.1)

    async def _start_again(self, happening: tuple[object, ...]) -> None:
        """End and start, or show a ledger that was hidden at the start."""
        match happening:
            case ("restart", int() as off):
                await restart(self.scene, off)
            case ("crash",) if self.aside is None:
                await self._crash()
            case ("hide",) if self.aside is None:
                self.aside = await restart_unreadable(self.scene)
            case ("show",) if self.aside is not None:
                await readable(self.scene, self.aside)
                self.aside = None
                return
            case _:
                return
        self.listen()

    async def _crash(self) -> None:
        """Start with what lies on the disk."""
        harness = self.scene.harness
        left = harness.folder / f"left{next(self.crashes)}.db"
        copy_as_after_a_crash(harness.ledger, left)
        line = harness.client(MANY).line
        line.down()
        await harness.messenger.close()
        harness.use(ledger=left)
        await self.scene.start()

    def check(self) -> None:
        """Check what holds at every moment."""
        calling = self.scene.harness.messenger.escalations.calling()
        assert len(calling) <= 1, "one run of the escalation calls at a time"
        arrived = self.scene.arrived()
        for text, before in self.covered.items():
            late = [name for name, sent in arrived[before:] if text in sent]
            assert late == [], "nobody is called after an acknowledgement"
        got = Counter(
            (name, text)
            for name, sent in arrived
            for text in self.chains
            if text in sent
        )
        for (name, text), times in got.items():
            most = self.chains[text] * self.plan["rounds"]
            assert times <= most, f"{name} is called once a round"

    async def end(self) -> None:
        """Let everything come back, and all that waits expire."""
        self.scene.harness.client(MANY).always(None)
        await self.happen(("show",))
        await wait(7200)
        self.check()
        assert self.scene.harness.messenger.escalations.calling() == ()


PLAN = {"members": (ANNA, BRUNO, CARLA), "rounds": 1, "until": Until.ACKNOWLEDGED}
AWAY, BACK, END = ("reply", "is away"), ("reply", "takes"), ("acknowledge",)
OUTAGE = [END, AWAY, ("call",), END, BACK, ("wait", WAIT)]
LATE = [("wait", WAIT), ("hide",), ("call",), ("show",), ("restart", 0), ("wait", WAIT)]


@settings(max_examples=50, deadline=None)
@example(plan=PLAN | {"note": NOTE}, happenings=OUTAGE)
@example(plan=PLAN | {"note": None}, happenings=LATE)
@given(plan=PLANS, happenings=st.lists(HAPPENINGS, max_size=15))
def test_whatever_comes_one_run_calls_nobody_after_the_acknowledgement_and_it_ends(
    plan: dict[str, Any], happenings: list[tuple[object, ...]]
) -> None:
    """Calls, reports, answers, restarts, crashes, outages and a clock that jumps."""

    async def scenario(scene: Scene) -> None:
        history = History(scene, plan)
        history.listen()
        await history.happen(("call",))
        for happening in happenings:
            await history.happen(happening)
            history.check()
        await history.end()

    with TemporaryDirectory() as folder:
        play(Path(folder), scenario)
