"""The fault matrix: every provider, every trouble, every question, on real sockets.

`expected_send`, `expected_status` and `expected_check` say what each cell must be.
They follow from the rule when a text may be sent again, and not from the code:

- what certainly never left, or was refused in so many words, is kept and sent again;
- what may have left is uncertain, and never sent again unless the provider itself
  says that it never came;
- an answer that can be read counts, whatever else is wrong with it.

`run` fills all cells from real runs of the real clients, messenger and ledger.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from custom_components.sms_italia.errors import delivery_error
from custom_components.sms_italia.messaging.account import Account, AccountOptions
from custom_components.sms_italia.messaging.book import Event, MessagesChanged
from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.ledger import Query
from custom_components.sms_italia.messaging.messenger import Messenger
from custom_components.sms_italia.messaging.model import Message, Order, Target
from custom_components.sms_italia.messaging.numbers import PhoneNumber
from custom_components.sms_italia.messaging.pacing import Pace
from custom_components.sms_italia.providers.client import Feature
from custom_components.sms_italia.providers.errors import (
    NotAcceptedError,
    OutcomeUnknownError,
)
from custom_components.sms_italia.providers.model import ErrorKind, MessageRef, Status
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import Timeouts
from simulator import Fault, Operation, Simulator
from simulator.faults import HANGS, RETRY_AFTER_SECONDS

from .ports import reserved_port

NUMBER = "+393331234567"
TEXT = "Allarme: porta aperta"
SENDER = "Casa"

PATIENT = Timeouts(connect=20, total=20)
"""Longer than a busy machine takes to answer."""
SHORT = Timeouts(connect=20, total=1)
"""For a provider that hangs."""

PACE = Pace(
    first_rest=0.1, longest_rest=0.2, first_poll=0.3, longest_poll=0.3, never_came=0.5
)
LINGER = 1.5
"""Seconds after its end in which a message would be sent or asked about again."""
PATIENCE = 120
AT_ONCE = 24
"""Cells that run at the same time."""


class Unreachable(StrEnum):
    """What can go wrong before a provider is reached at all."""

    NO_CONNECTION = "no_connection"
    """Nobody listens at the provider's address."""


type Trouble = Fault | Unreachable

TROUBLES: tuple[Trouble, ...] = (*Unreachable, *Fault)


class Told(StrEnum):
    """What the answer to a question told, beside the kinds of refusal."""

    ANSWER = "answer"
    """It could be read."""
    NOTHING = "nothing"
    """Nothing that could be read."""


# What must be: the rules.


def _is_worked_on(trouble: Trouble) -> bool:
    """Tell whether a good request with this trouble is carried out (simulator)."""
    match trouble:
        case (
            Unreachable.NO_CONNECTION
            | Fault.CUT_BEFORE_ACCEPT
            | Fault.HANG_BEFORE_ACCEPT
            | Fault.THROTTLED
            | Fault.THROTTLED_BARE
            | Fault.SERVER_ERROR_EMPTY
            | Fault.SERVER_ERROR_BODY
            | Fault.HTML
            | Fault.REDIRECT
        ):
            return False
        case (
            Fault.CUT_AFTER_ACCEPT
            | Fault.HANG_AFTER_ACCEPT
            | Fault.SERVER_ERROR_AFTER_ACCEPT
            | Fault.TRUNCATED_JSON
            | Fault.WRONG_TYPES
            | Fault.HUGE_BODY
            | Fault.BAD_ENCODING
            | Fault.DEEP_JSON
        ):
            return True


def _proves(provider: str, trouble: Trouble) -> ErrorKind | Told:
    """Tell what a client can know for certain after a request with this trouble.

    A kind: certainly not carried out. Both sides of a cut or a hang, and both sides
    of a bare 5xx, look alike from here, and so do all unreadable answers.
    """
    match trouble:
        case Unreachable.NO_CONNECTION:
            return ErrorKind.UNAVAILABLE
        case Fault.THROTTLED | Fault.THROTTLED_BARE:
            return ErrorKind.THROTTLED
        case Fault.REDIRECT:
            # It asks to repeat the request elsewhere, so it did nothing itself. No
            # send follows it.
            return ErrorKind.UNAVAILABLE
        case Fault.BAD_ENCODING if provider == "inviosmart":
            # A line of text is read whole before the bytes that are none. JSON with
            # such bytes is no JSON.
            return Told.ANSWER
        case (
            Fault.CUT_BEFORE_ACCEPT
            | Fault.CUT_AFTER_ACCEPT
            | Fault.HANG_BEFORE_ACCEPT
            | Fault.HANG_AFTER_ACCEPT
            | Fault.SERVER_ERROR_EMPTY
            | Fault.SERVER_ERROR_BODY
            | Fault.SERVER_ERROR_AFTER_ACCEPT
            | Fault.HTML
            | Fault.TRUNCATED_JSON
            | Fault.WRONG_TYPES
            | Fault.HUGE_BODY
            | Fault.BAD_ENCODING
            | Fault.DEEP_JSON
        ):
            return Told.NOTHING


_CAN_TELL_LATER = frozenset({"smshosting"})
"""Who can be asked whether a request of ours ever came (smshosting-push.txt)."""

_HAS_CREDIT = frozenset({"smshosting", "inviosmart"})
"""Who can be asked for the credit (providers.md); of the others the login is proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCell:
    """A send that met a trouble once, and what came of it in the end.

    `requests` are the sending requests that reached the provider, `accepted` the SMS
    that it took. `raises` says whether the caller gets an error.
    """

    status: Status
    error: ErrorKind | None
    raises: bool
    requests: int
    accepted: int
    final_status: Status
    final_requests: int
    final_accepted: int


def expected_send(provider: str, trouble: Trouble) -> SendCell:
    """Return what must come of a send."""
    reached = 0 if trouble is Unreachable.NO_CONNECTION else 1
    accepted = int(_is_worked_on(trouble))
    match _proves(provider, trouble):
        case ErrorKind() as kind:
            return SendCell(
                status=Status.QUEUED,
                error=kind,
                raises=False,
                requests=reached,
                accepted=0,
                final_status=Status.DELIVERED,
                final_requests=reached + 1,
                final_accepted=1,
            )
        case Told.ANSWER:
            return SendCell(
                status=Status.QUEUED,
                error=None,
                raises=False,
                requests=1,
                accepted=1,
                final_status=Status.DELIVERED,
                final_requests=1,
                final_accepted=1,
            )
        case Told.NOTHING:
            settled = provider in _CAN_TELL_LATER
            return SendCell(
                status=Status.UNCERTAIN,
                error=None,
                raises=True,
                requests=1,
                accepted=accepted,
                final_status=Status.DELIVERED if settled else Status.UNCERTAIN,
                final_requests=2 if settled and not accepted else 1,
                final_accepted=1 if settled else accepted,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCell:
    """The first question about a delivered message met a trouble.

    `questions` came to the provider until the message was known to be delivered.
    `requests` and `accepted` are about sending.
    """

    told: ErrorKind | Told
    questions: int
    requests: int
    accepted: int
    final_status: Status


def expected_status(provider: str, trouble: Trouble) -> StatusCell:
    """Return what must come of a question about a message."""
    told = _proves(provider, trouble)
    reached = 0 if trouble is Unreachable.NO_CONNECTION else 1
    return StatusCell(
        told=told,
        questions=1 if told is Told.ANSWER else reached + 1,
        requests=1,
        accepted=1,
        final_status=Status.DELIVERED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCell:
    """The hourly question about an account met a trouble: its credit, or its login.

    `credit` is what the question told, in euro. The next question is asked without
    trouble. `accepted` are SMS.
    """

    told: ErrorKind | Told
    credit: Decimal | None
    questions: int
    accepted: int
    next_told: ErrorKind | Told
    next_credit: Decimal | None


CREDIT = Decimal("12.34")
LOGIN_PROVED = Decimal(-1)
"""In place of a credit, where a provider tells none and the login alone is proved."""


def expected_check(provider: str, trouble: Trouble) -> CheckCell:
    """Return what must come of the question about an account."""
    told = _proves(provider, trouble)
    if (
        provider == "transactionale"
        and told is Told.NOTHING
        and trouble
        in {
            Fault.TRUNCATED_JSON,
            Fault.WRONG_TYPES,
            Fault.BAD_ENCODING,
            Fault.DEEP_JSON,
        }
    ):
        # The login is proved by the errors of a request without a number and a text,
        # which are answered with HTTP 400: a refusal, also when it cannot be read.
        told = ErrorKind.REFUSED
    credit = CREDIT if provider in _HAS_CREDIT else LOGIN_PROVED
    return CheckCell(
        told=told,
        credit=credit if told is Told.ANSWER else None,
        questions=0 if trouble is Unreachable.NO_CONNECTION else 1,
        accepted=0,
        next_told=Told.ANSWER,
        next_credit=credit,
    )


# What is: the runs.


type Table[Cell] = Mapping[tuple[str, Trouble], Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All cells as they were found.

    `faults` are sentences about what must hold in every cell and did not.
    """

    sends: Table[SendCell]
    statuses: Table[StatusCell]
    checks: Table[CheckCell]
    faults: Sequence[str]


async def run(folder: Path) -> Matrix:
    """Fill all cells; the ledgers go to subfolders of `folder`."""
    faults: list[str] = []
    gate = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def fill[Cell](
            find: Callable[[House], Coroutine[None, None, Cell]],
            provider: str,
            trouble: Trouble,
        ) -> Cell:
            async with gate:
                with reserved_port() as port:
                    place = folder / find.__name__ / f"{provider}_{trouble}"
                    house = House(provider, trouble, place, session, port)
                    async with asyncio.timeout(PATIENCE), house:
                        cell = await find(house)
                    faults.extend(
                        f"{find.__name__}, {provider}, {trouble}: {fault}"
                        for fault in house.faults
                    )
                    return cell

        async def fill_table[Cell](
            find: Callable[[House], Coroutine[None, None, Cell]],
        ) -> Table[Cell]:
            # What waits seven seconds for a throttled provider begins first.
            order = sorted(TROUBLES, key=lambda trouble: trouble is not Fault.THROTTLED)
            keys = [(provider, trouble) for trouble in order for provider in PROVIDERS]
            cells = await asyncio.gather(*(fill(find, *key) for key in keys))
            return dict(zip(keys, cells, strict=True))

        sends, statuses, checks = await asyncio.gather(
            fill_table(send), fill_table(status), fill_table(check)
        )
    return Matrix(sends=sends, statuses=statuses, checks=checks, faults=faults)


class House:
    """One account at one simulated provider; the line is up while the context lasts.

    `faults` gather what must hold in every cell and did not.
    """

    def __init__(
        self,
        provider: str,
        trouble: Trouble,
        folder: Path,
        session: aiohttp.ClientSession,
        port: int,
    ) -> None:
        """Prepare everything; nothing listens and nothing runs yet."""
        self.provider = provider
        self.trouble = trouble
        self.simulator = Simulator(port=port)
        description = PROVIDERS[provider]
        settings = {
            **self.simulator.credentials(provider),
            "url": self.simulator.url(provider),
            "sender": SENDER,
        }
        timeouts = SHORT if trouble in HANGS else PATIENT
        self.account = Account(
            id="casa",
            name="Casa",
            provider=description,
            client=description.create(session, settings, timeouts),
            sender=SENDER,
            options=AccountOptions(),
            recipients={},
        )
        self.faults: list[str] = []
        self.told: list[Status] = []
        self._folder = folder
        self._line = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Have the line up."""
        await self._line.enter_async_context(self.simulator)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Have the line down."""
        await self._line.aclose()

    async def meet_trouble(self, operation: Operation | None) -> None:
        """Have the trouble at the next question of this kind."""
        match self.trouble:
            case Unreachable.NO_CONNECTION:
                await self._line.aclose()
            case Fault() as fault:
                self.simulator.inject(self.provider, fault, operation=operation)

    async def end_trouble(self) -> None:
        """Have the line up again if it was the trouble; a fault happens only once."""
        if self.trouble is Unreachable.NO_CONNECTION:
            await self._line.enter_async_context(self.simulator)

    @asynccontextmanager
    async def messenger(self) -> AsyncIterator[Messenger]:
        """Run a messenger on the house's ledger."""
        messenger = Messenger(
            self._folder / "sms.db",
            Clock(),
            PACE,
            lambda trouble: self.faults.append(f"the ledger: {trouble}"),
        )
        stop_listening = messenger.listen(self.account.id, self._hear)
        await messenger.attach(self.account)
        try:
            yield messenger
        finally:
            await messenger.close()
            stop_listening()

    def _hear(self, event: Event) -> None:
        if isinstance(event, MessagesChanged):
            self.told += [message.status for message in event.turned]

    def requests(self, operation: Operation) -> int:
        """Return how many requests of a kind reached the provider."""
        return sum(one.operation is operation for one in self.simulator.requests)

    @property
    def accepted(self) -> int:
        """How many SMS the provider accepted."""
        return len(self.simulator.messages)

    def demand(self, condition: object, sentence: str) -> None:
        """Note a fault unless the condition is true."""
        if not condition:
            self.faults.append(sentence)


ORDER = Order(
    account="casa",
    targets=(Target(number=PhoneNumber(NUMBER, "IT")),),
    text=TEXT,
)


async def send(house: House) -> SendCell:
    """Send one message into the trouble and follow it to its end, and beyond."""
    async with house.messenger() as messenger:
        await house.meet_trouble(Operation.SEND)
        (message,) = await messenger.send(ORDER)
        raises = delivery_error([message], lambda _: house.account.name) is not None
        requests, accepted = house.requests(Operation.SEND), house.accepted
        await house.end_trouble()
        await _follow(house, messenger)
        end = await _on_record(messenger)
        await asyncio.sleep(LINGER)
    async with house.messenger() as messenger:
        await asyncio.sleep(LINGER)
        house.demand(
            await _on_record(messenger) == end, "a restart changed what was final"
        )
    cell = SendCell(
        status=message.status,
        error=message.error,
        raises=raises,
        requests=requests,
        accepted=accepted,
        final_status=end.status,
        final_requests=house.requests(Operation.SEND),
        final_accepted=house.accepted,
    )
    house.demand(house.accepted <= 1, "sent twice")
    house.demand(
        house.accepted or end.status is not Status.DELIVERED, "lost, and not told"
    )
    house.demand(
        not house.accepted or not {Status.FAILED, Status.EXPIRED} & {*house.told},
        "called failed or expired, and it was sent",
    )
    house.demand(house.told[-1] is end.status, "the end was not told")
    house.demand(
        not any(status.is_final for status in house.told[:-1]), "told on after its end"
    )
    house.demand(
        not any(request.redirected for request in house.simulator.requests),
        "a redirect was followed",
    )
    if house.trouble is Fault.THROTTLED:
        first, second = (request.received for request in house.simulator.requests[:2])
        house.demand(
            second - first >= timedelta(seconds=RETRY_AFTER_SECONDS),
            "the provider asked for more time",
        )
    return cell


async def status(house: House) -> StatusCell:
    """Send one message well, and ask into the trouble what became of it."""
    async with house.messenger() as messenger:
        (message,) = await messenger.send(ORDER)
        house.simulator.move(house.simulator.messages[0].id, "delivered")
        await house.meet_trouble(Operation.STATUS)
        if house.trouble is Unreachable.NO_CONNECTION:
            await asyncio.sleep(LINGER)
        await house.end_trouble()
        await _follow(house, messenger)
        end = await _on_record(messenger)
    questions = house.requests(Operation.STATUS)
    assert message.provider_id is not None
    ref = MessageRef(message.provider_id, NUMBER)
    await house.meet_trouble(Operation.STATUS)
    told, _ = await _ask(house.account.client.reports([ref]))
    await house.end_trouble()
    house.demand(
        house.told == [Status.QUEUED, Status.DELIVERED], "told what was not so"
    )
    return StatusCell(
        told=told,
        questions=questions,
        requests=house.requests(Operation.SEND),
        accepted=house.accepted,
        final_status=end.status,
    )


async def check(house: House) -> CheckCell:
    """Ask for the credit, or prove the login, into the trouble."""
    house.simulator.set_credit(house.provider, CREDIT)
    client = house.account.client

    async def question() -> Sequence[Decimal]:
        if Feature.CREDIT in house.account.provider.capabilities.features:
            return [(await client.credit()).balance]
        await client.validate()
        return [LOGIN_PROVED]

    await house.meet_trouble(None)
    told, credit = await _ask(question())
    questions = len(house.simulator.requests)
    await house.end_trouble()
    next_told, next_credit = await _ask(question())
    return CheckCell(
        told=told,
        credit=credit[0] if credit else None,
        questions=questions,
        accepted=house.accepted,
        next_told=next_told,
        next_credit=next_credit[0] if next_credit else None,
    )


async def _follow(house: House, messenger: Messenger) -> None:
    """Let what was accepted arrive, and wait until nothing is open any more."""
    while messenger.open_messages(house.account.id):
        for message in house.simulator.messages:
            if not message.status.is_final:
                house.simulator.move(message.id, "delivered")
        await asyncio.sleep(0.02)


async def _on_record(messenger: Messenger) -> Message:
    """Return the one message as the ledger has it."""
    (message,) = (await messenger.find(Query())).messages
    return message


async def _ask[Answer](
    question: Coroutine[None, None, Sequence[Answer]],
) -> tuple[ErrorKind | Told, Sequence[Answer]]:
    """Return what a question told, and the answer if there was one."""
    try:
        answer = await question
    except NotAcceptedError as err:
        return err.kind, ()
    except OutcomeUnknownError:
        return Told.NOTHING, ()
    return (Told.ANSWER if answer else Told.NOTHING), answer
