"""Many messages at the same time, and a kill while they are sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
import random

from script.home_assistant.lean import Answer, LeanInstance
from script.home_assistant.process import Process
from simulator import PROVIDERS, Fault, Operation, Simulator

LONGEST_SECONDS = 10
"""Seconds after which the process is killed, whatever has happened."""

_NUMBERS = tuple(f"+3933312346{index:02}" for index in range(8))
"""Few, so that messages to one number have to wait for each other."""

_FAULTS = (
    Fault.HANG_AFTER_ACCEPT,
    Fault.HANG_BEFORE_ACCEPT,
    Fault.CUT_AFTER_ACCEPT,
    Fault.CUT_BEFORE_ACCEPT,
    Fault.SERVER_ERROR_AFTER_ACCEPT,
    Fault.THROTTLED_BARE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the action, and its answer; None if there was none."""

    provider: str
    numbers: Sequence[str]
    text: str
    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The calls, and the requests that the providers had received at the kill.

    `alarms` are the texts to the escalation that were answered.
    """

    calls: Sequence[Call]
    alarms: Sequence[str]
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault that a provider has once, after so many requests."""

    after: int
    provider: str
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReload:
    """An account that the user reloads, after so many requests."""

    after: int
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The calls, the faults, the reloads, and the moment of the kill.

    That is after so many requests to the providers and a pause in seconds. The `alarm`
    goes to the escalation.
    """

    alarm: str
    calls: Sequence[tuple[str, Sequence[str], str]]
    faults: Sequence[PlannedFault]
    reloads: Sequence[PlannedReload]
    requests: int
    pause: float

    @classmethod
    def make(cls, chance: random.Random, name: str, calls: int) -> Plan:
        """Return a random plan; the texts begin with its name."""
        providers = list(PROVIDERS)
        return cls(
            alarm=f"{name}.allarme",
            calls=[
                (
                    # Providers take turns; some calls have two numbers.
                    providers[index % len(providers)],
                    chance.sample(_NUMBERS, chance.choice((1, 1, 1, 1, 2))),
                    f"{name}.{index}",
                )
                for index in range(calls)
            ],
            faults=[
                PlannedFault(
                    after=chance.randrange(calls),
                    provider=provider,
                    fault=chance.choice(_FAULTS),
                )
                for provider in providers
                for _ in range(chance.choice((0, 0, 1, 2)))
            ],
            reloads=[
                PlannedReload(
                    after=chance.randrange(calls), provider=chance.choice(providers)
                )
                for _ in range(chance.choice((0, 1, 2, 3)))
            ],
            requests=chance.randrange(calls * 2),
            pause=chance.uniform(0, 0.05),
        )


async def send_and_kill(
    instance: LeanInstance, process: Process, simulator: Simulator, plan: Plan
) -> Burst:
    """Send everything at the same time through all accounts, and kill the process."""
    begin = asyncio.get_running_loop().time()
    first = _last_request(simulator)
    faults = sorted(plan.faults, key=lambda fault: fault.after)
    reloads = sorted(plan.reloads, key=lambda reload: reload.after)

    async def call(provider: str, numbers: Sequence[str], text: str) -> Call:
        answer = await instance.send(provider, numbers, text)
        return Call(provider=provider, numbers=numbers, text=text, answer=answer)

    async with asyncio.TaskGroup() as group:
        alarm = group.create_task(instance.alarm(plan.alarm))
        calls = [group.create_task(call(*planned)) for planned in plan.calls]
        while (
            (requests := _last_request(simulator) - first) < plan.requests
            and asyncio.get_running_loop().time() - begin < LONGEST_SECONDS
            and not all(task.done() for task in calls)
        ):
            while faults and faults[0].after <= requests:
                planned = faults.pop(0)
                simulator.inject(
                    planned.provider, planned.fault, operation=Operation.SEND
                )
            while reloads and reloads[0].after <= requests:
                group.create_task(instance.reload(reloads.pop(0).provider))
            await asyncio.sleep(0.001)
        await asyncio.sleep(plan.pause)
        await process.kill()
    return Burst(
        calls=[task.result() for task in calls],
        alarms=[plan.alarm] if alarm.result() else [],
        requests=_last_request(simulator) - first,
        seconds=asyncio.get_running_loop().time() - begin,
    )


def _last_request(simulator: Simulator) -> int:
    """Return how many requests the providers have received."""
    return max((request.number for request in simulator.newest_requests(1)), default=0)
