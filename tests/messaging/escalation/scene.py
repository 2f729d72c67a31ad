"""A messenger with an account whose recipients are members of an escalation."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from custom_components.sms_italia.messaging import (
    Acknowledgement,
    Member,
    MemberDetails,
    Plan,
    Run,
    RunEvent,
    RunNews,
    Way,
)

from ..fake import MANY
from ..helpers import Harness
from ..virtual import run

ANNA, BRUNO, CARLA = (
    Member(account=MANY, recipient=name) for name in ("anna", "bruno", "carla")
)
NUMBERS = {ANNA: "+393330000001", BRUNO: "+393330000002", CARLA: "+393330000003"}
NAMES = {number: member.recipient for member, number in NUMBERS.items()}
WAIT = 300
TEXT = "Allarme: porta aperta"


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
            await escalations.acknowledge(one.plan.id, by)
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


async def restart(scene: Scene, off: float = 0, **options: Any) -> None:  # noqa: ANN401 - options
    """Start again after some seconds off."""
    await scene.harness.messenger.close()
    scene.harness.time.pass_by(off)
    scene.harness.use()
    await scene.start(**options)
    await asyncio.sleep(0.1)


def hide(ledger: Path) -> Path:
    """Let a ledger's file not be found; return where it is."""
    aside = ledger.with_name("aside")
    ledger.rename(aside)
    ledger.mkdir()
    return aside


async def restart_unreadable(scene: Scene) -> Path:
    """Start again with a ledger that cannot be opened; return where its file is."""
    await scene.harness.messenger.close()
    aside = hide(scene.harness.ledger)
    scene.harness.use()
    await scene.start()
    return aside


async def readable(scene: Scene, aside: Path) -> None:
    """Let the ledger be opened, which is tried again within a minute."""
    show(aside, scene.harness.ledger)
    await wait(60)


def show(aside: Path, ledger: Path) -> None:
    """Put a ledger's file back."""
    ledger.rmdir()
    aside.rename(ledger)
