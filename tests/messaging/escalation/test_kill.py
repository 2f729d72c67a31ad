"""A run in a process that is killed (SIGKILL) at random moments and started again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
import random
import time

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.escalation.model import RunState
from custom_components.sms_italia.messaging.escalation.storage import from_record
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.providers import Status

from ..helpers import mark_of, python

ORDER = ("+393330000001", "+393330000002", "+393330000003")
WAIT = 1.0
KILLS = 10
EARLIEST, LATEST = 0.05, 0.9
"""Seconds in which a call may come too early, and too late."""
FOR_EVER = 1e12

_CALLER = """
import asyncio, sys, time
from pathlib import Path
from custom_components.sms_italia.messaging import Member, MemberDetails, Plan
from tests.messaging.fake import MANY, Late
from tests.messaging.helpers import Harness, Time

ledger, record, wait, *numbers = sys.argv[1:]
real = Time()
real.set_forward(time.time() - real.now())

def take(submission):
    with Path(record).open("a") as file:
        for number in submission.recipients:
            file.write(f"{number} {time.time()}\\n")
    return Late(0.1)

async def main():
    harness = Harness.build(Path(ledger).parent, real)
    harness.use(ledger=Path(ledger))
    harness.members |= {
        Member(account=MANY, recipient=number): MemberDetails(
            name=number, numbers=(number,)
        )
        for number in numbers
    }
    plan = Plan(
        id="notte", account=MANY, name="Notte", members=tuple(harness.members),
        wait=float(wait), rounds=3,
    )
    harness.client(MANY).always(take)
    await harness.attach(MANY)
    escalations = harness.messenger.escalations
    escalations.started()
    if escalations.latest("notte") is None:
        await escalations.call(plan, "Allarme")
    print("calling", flush=True)
    while escalations.latest("notte").is_calling:
        await asyncio.sleep(0.01)
    await harness.messenger.close()

asyncio.run(main())
"""


@dataclass(frozen=True)
class Session:
    """From when to when (seconds since the epoch) a caller ran."""

    began: float
    ended: float = inf

    def until(self, due: float) -> float | None:
        """Return until when something due is to be done in it, None if it need not."""
        until = max(due, self.began) + LATEST
        return until if until <= self.ended else None


async def play(ledger: Path, record: Path, killed_after: float | None) -> Session:
    """Run the caller, killed so long after it goes on, if it has not ended."""
    caller = await asyncio.create_subprocess_exec(
        *python(_CALLER, ledger, record, WAIT, *ORDER), stdout=asyncio.subprocess.PIPE
    )
    assert caller.stdout is not None
    assert await caller.stdout.readline() == b"calling\n"
    began = time.time()
    try:
        async with asyncio.timeout(killed_after):
            assert await caller.wait() == 0
            return Session(began)
    except TimeoutError:
        ended = time.time()
        caller.kill()
        await caller.wait()
        return Session(began, ended)


async def killed_again_and_again(
    ledger: Path, record: Path, chance: random.Random
) -> list[Session]:
    """Run the caller until it ends by itself, and return its sessions."""
    sessions: list[Session] = []
    while not sessions or sessions[-1].ended < inf:
        is_enough = len(sessions) == KILLS
        after = None if is_enough else chance.uniform(0, WAIT)
        sessions.append(await play(ledger, record, after))
    return sessions


def latest(due: float, sessions: Sequence[Session]) -> float:
    """Return until when something due at a moment is to be done.

    Once the caller runs for long enough.
    """
    return min(moment for one in sessions if (moment := one.until(due)) is not None)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_run_that_is_killed_again_and_again_calls_each_once_a_round_in_time(
    tmp_path: Path, seed: int
) -> None:
    """The wait goes on while nothing runs; the call follows it, or the next start."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    ledger, record = tmp_path / "sms.db", tmp_path / "calls"
    sessions = await killed_again_and_again(ledger, record, chance)

    lines = [line.split() for line in record.read_text("ascii").splitlines()]
    arrived = [(number, float(moment)) for number, moment in lines]
    shelf = Ledger(ledger, lambda _: None, Clock(), mark=mark_of(ledger))
    await shelf.open("2026-11-14")
    (run,) = map(from_record, await shelf.runs(FOR_EVER))
    messages = await shelf.messages_of_runs([run.id])
    await shelf.close()

    assert run.state is RunState.EXHAUSTED
    assert [one.number for one in messages] == list(ORDER * 3)
    assert [call.member.recipient for call in run.calls] == list(ORDER * 3)
    to_wall = run.began.wall - run.began.steady
    moments = [call.at + to_wall for call in run.calls]
    for before, after in pairwise(moments):
        assert before + WAIT - EARLIEST <= after <= latest(before + WAIT, sessions)
    assert run.ended is not None
    assert run.ended + to_wall <= latest(moments[-1] + WAIT, sessions)

    # What was on its way to the wire when it was killed may have left or not.
    for message, moment in zip(messages, moments, strict=True):
        if arrived and arrived[0][0] == message.number:
            _, at = arrived.pop(0)
            assert moment <= at <= latest(moment, sessions)
        else:
            assert message.status is Status.UNCERTAIN
    assert arrived == [], "nobody is called again"
