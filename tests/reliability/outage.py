"""Alarms while a provider cannot be reached or hangs, and after that."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from custom_components.sms_italia.messaging import (
    Account,
    AccountOptions,
    Clock,
    Messenger,
    PhoneNumber,
    Query,
    SendRequest,
    Target,
    Timing,
)
from custom_components.sms_italia.providers import PROVIDERS, Status, Timeouts
from simulator import Fault, Operation, Simulator

from .wire import Break, Wire


class Hang(StrEnum):
    """What a provider does not answer, though it is reached."""

    ALL = "The provider takes requests, and answers none"
    SENDS = "The provider answers everything but what is sent"


type Outage = Break | Hang

OUTAGES: tuple[Outage, ...] = (*Break, *Hang)

ALARMS = 9
"""In a storm, to as many numbers."""
_GAP = 4
"""Seconds between two alarms."""
_SETTLED = 30
"""Seconds after the last alarm: every request has ended, none is made after all."""
PAUSE = 90
"""Further seconds to the next storm, and to the end of the outage."""
_LONGEST = 120
"""Seconds after the end of an outage in which all must have left."""
_UNLIMITED = 1_000_000
_NAMES = ("Primo", "Secondo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """How nine alarms stood half a minute after the last of them.

    The others waited. `answered` is the longest time (seconds) that an action took.
    """

    arrived: int
    in_doubt: int
    answered: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """An outage of the account that is asked, with two storms.

    `left` is the time (seconds) from its end until what had waited was sent. `lost` has
    what neither arrived nor is in doubt then, `twice` what arrived more than once.
    """

    first: Storm
    second: Storm
    left: float
    lost: Sequence[str]
    twice: Sequence[str]


def faster(speed: float) -> tuple[Timing, Timeouts]:
    """Return all waits and timeouts, divided by `speed`."""
    timing, timeouts = Timing(), Timeouts()
    return (
        Timing(
            **{one.name: getattr(timing, one.name) / speed for one in fields(Timing)}
        ),
        Timeouts(connect=timeouts.connect / speed, total=timeouts.total / speed),
    )


class Trial:
    """An outage of an account at one provider, with or without a fallback account.

    The real messenger and clients, a real ledger file, real connections over TLS.
    """

    def __init__(
        self,
        provider: str,
        outage: Outage,
        folder: Path,
        *,
        fallback: str | None = None,
        speed: float,
    ) -> None:
        """Prepare everything; `speed` shortens all times alike."""
        folder.mkdir(parents=True, exist_ok=True)
        self._provider = provider
        self._outage = outage
        self._fallback = fallback
        self._folder = folder
        self._speed = speed
        self._simulator = Simulator()
        self._wire = Wire(self._simulator, folder)
        timing, self._timeouts = faster(speed)
        self._messenger = Messenger(folder / "sms.db", Clock(), timing, lambda _: None)

    async def run(self) -> Course:
        """Go through the outage, and end it."""
        async with self._simulator, self._wire:
            await self._attach()
            await self._begin()
            first, second = [await self._storm(name) for name in _NAMES]
            await self._end()
            left = await self._left()
            arrived, missing = self._arrived(), await self._missing()
            await self._messenger.close()
        twice = {one for one in arrived if arrived.count(one) > 1}
        return Course(
            first=first,
            second=second,
            left=left,
            lost=[f"{text} {number}" for text, number in sorted(missing)],
            twice=[f"{text} {number}" for text, number in sorted(twice)],
        )

    async def _attach(self) -> None:
        """Attach the accounts, each over a wire or line of its own."""
        accounts = {"casa": (self._provider, self._wire.url(self._provider))}
        if self._fallback is not None:
            url = self._simulator.url(self._fallback)
            accounts["riserva"] = (self._fallback, url)
        for id_, (key, url) in accounts.items():
            settings = {
                **self._simulator.credentials(key),
                "url": url,
                "sender": "Casa",
            }
            route = tuple(accounts)[1:] if id_ == "casa" else ()
            await self._messenger.attach(
                Account(
                    id=id_,
                    name=id_,
                    provider=PROVIDERS[key],
                    client=PROVIDERS[key].create(
                        self._wire.session, settings, self._timeouts
                    ),
                    sender="Casa",
                    options=AccountOptions(fallback=route),
                    recipients={},
                )
            )

    async def _begin(self) -> None:
        """Begin the outage."""
        match self._outage:
            case Break():
                await self._wire.break_at(self._outage)
            case Hang():
                self._simulator.inject(
                    self._provider,
                    Fault.HANG_BEFORE_ACCEPT,
                    operation=_HANGING[self._outage],
                    times=_UNLIMITED,
                )

    async def _end(self) -> None:
        """End the outage."""
        match self._outage:
            case Break():
                await self._wire.repair()
            case Hang():
                self._simulator.clear_faults()

    async def _storm(self, name: str) -> Storm:
        """Send alarms one after another, and let some time pass."""

        async def alarm(index: int) -> float:
            await self._pass(index * _GAP)
            began = _now()
            await self._messenger.send(
                SendRequest(
                    account="casa",
                    targets=(Target(number=PhoneNumber(_number(index), "IT")),),
                    text=_text(name),
                )
            )
            return (_now() - began) * self._speed

        answered = max(await asyncio.gather(*map(alarm, range(ALARMS))))
        await self._pass(_SETTLED)
        storm = Storm(
            arrived=len({one for one in self._arrived() if one[0] == _text(name)}),
            in_doubt=len(
                [one for one in await self._in_doubt() if one[0] == _text(name)]
            ),
            answered=answered,
        )
        await self._pass(PAUSE)
        return storm

    async def _left(self) -> float:
        """Wait until nothing waits any more; return how long it took (seconds)."""
        began = _now()
        end = began + _LONGEST / self._speed
        while self._waiting() and _now() < end:  # noqa: ASYNC110 - the messenger has no event
            await asyncio.sleep(0.01)
        return (_now() - began) * self._speed

    def _waiting(self) -> bool:
        """Return whether a message was not sent yet."""
        return any(
            one.provider_id is None and one.status is Status.QUEUED
            for one in self._messenger.open_messages("casa")
        )

    async def _missing(self) -> set[tuple[str, str]]:
        """Return what neither arrived nor is in doubt."""
        asked = {
            (_text(name), _number(index)) for name in _NAMES for index in range(ALARMS)
        }
        return asked - {*self._arrived()} - await self._in_doubt()

    async def _in_doubt(self) -> set[tuple[str, str]]:
        """Return the texts and numbers of what is in doubt."""
        query = Query(status=Status.UNCERTAIN, limit=500)
        found = await self._messenger.ledger.find(query)
        return {(one.text, one.number) for one in found.messages}

    def _arrived(self) -> list[tuple[str, str]]:
        """Return the texts and numbers of what a provider accepted."""
        return [(one.text, one.to) for one in self._simulator.messages]

    async def _pass(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


_HANGING: Mapping[Hang, Operation | None] = {
    Hang.ALL: None,
    Hang.SENDS: Operation.SEND,
}


def _text(name: str) -> str:
    return f"{name} allarme"


def _number(index: int) -> str:
    return f"+39333123456{index}"


def _now() -> float:
    return asyncio.get_running_loop().time()


type Courses = Mapping[tuple[str, Outage, bool], Course]
"""The courses by provider, outage, and whether there was a fallback account."""


async def run_all(
    folder: Path,
    cases: Sequence[tuple[str, Outage]],
    *,
    speed: float = 1,
) -> Courses:
    """Run each case with and without a fallback account, all at the same time.

    `speed` shortens all times alike.
    """

    async def one(provider: str, outage: Outage, *, has_fallback: bool) -> Course:
        others = [key for key in PROVIDERS if key != provider]
        place = folder / f"{provider}_{outage.name}_{has_fallback}"
        fallback = others[0] if has_fallback else None
        trial = Trial(provider, outage, place, fallback=fallback, speed=speed)
        return await trial.run()

    keys = [(*case, has_fallback) for case in cases for has_fallback in (True, False)]
    found = await asyncio.gather(
        *(
            one(provider, outage, has_fallback=has_fallback)
            for provider, outage, has_fallback in keys
        )
    )
    return dict(zip(keys, found, strict=True))
