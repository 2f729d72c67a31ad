"""A run in a process that is killed (SIGKILL) at random moments and started again."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
import random

import pytest

from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.escalation.model import RunState
from custom_components.sms_italia.messaging.escalation.storage import from_record
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.providers import Status

from ..helpers import mark_of, python

ORDER = ("+393330000001", "+393330000002", "+393330000003")
WAIT = 0.5
KILLS = 10
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
        wait=float(wait), rounds=2,
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


async def play(ledger: Path, record: Path, killed_after: float | None) -> bool:
    """Run the caller, killed so long after it goes on; return whether it ended."""
    caller = await asyncio.create_subprocess_exec(
        *python(_CALLER, ledger, record, WAIT, *ORDER), stdout=asyncio.subprocess.PIPE
    )
    assert caller.stdout is not None
    assert await caller.stdout.readline() == b"calling\n"
    try:
        async with asyncio.timeout(killed_after):
            return await caller.wait() == 0
    except TimeoutError:
        caller.kill()
        await caller.wait()
        return False


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_run_that_is_killed_again_and_again_calls_each_once_a_round(
    tmp_path: Path, seed: int
) -> None:
    """The wait goes on while nothing runs, and no call comes before it is over."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    ledger, record = tmp_path / "sms.db", tmp_path / "calls"
    for _ in range(KILLS):
        if await play(ledger, record, chance.uniform(0, 0.8 * WAIT)):
            break
    else:
        assert await play(ledger, record, None)

    calls = [line.split() for line in record.read_text("ascii").splitlines()]
    called = [number for number, _ in calls]
    shelf = Ledger(ledger, lambda _: None, Clock(), mark=mark_of(ledger))
    await shelf.open("2026-11-14")
    (run,) = map(from_record, await shelf.runs(FOR_EVER))
    messages = await shelf.messages_of_runs([run.id])
    await shelf.close()

    assert run.state is RunState.EXHAUSTED
    assert [one.number for one in messages] == list(ORDER * 2)
    # What was on its way to the wire when it was killed may have left or not.
    doubts = Counter(one.number for one in messages if one.status is Status.UNCERTAIN)
    missing = Counter(ORDER * 2) - Counter(called)
    assert missing <= doubts
    assert len(called) + missing.total() == len(ORDER * 2), "nobody is called again"
    assert all(
        float(after) - float(before) > WAIT / 2
        for (_, before), (_, after) in pairwise(calls)
    )
