"""The fault matrix: every provider, every trouble, every question, on real sockets.

`expected_send`, `expected_status` and `expected_check` say what each cell must be.
They follow from the retry rule, not from the code:

- what was certainly not sent, or was refused explicitly, waits and is sent again;
- what may have been sent is uncertain, and never sent again unless the provider itself
  says that it did not arrive;
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
from custom_components.sms_italia.messaging import (
    Account,
    AccountOptions,
    Clock,
    Event,
    Message,
    MessagesChanged,
    Messenger,
    PhoneNumber,
    Query,
    SendRequest,
    Target,
    Timing,
)
from custom_components.sms_italia.providers import (
    PROVIDERS,
    ErrorKind,
    Feature,
    MessageRef,
    NotAcceptedError,
    OutcomeUnknownError,
    Status,
    Timeouts,
)
from simulator import PROVIDERS as SIMULATED, Fault, Operation, Simulator
from simulator.faults import HANGS, RETRY_AFTER_SECONDS

from ..ports import reserved_port

NUMBER = "+393331234567"
TEXT = "Allarme: porta aperta"
SENDER = "Casa"

LONG = Timeouts(connect=20, total=20)
"""Longer than a busy machine takes to answer."""
SHORT = Timeouts(connect=20, total=1)
"""For a provider that hangs."""

TIMING = Timing(
    probe=0.1,
    first_pause=0.1,
    longest_pause=0.2,
    first_poll=0.3,
    longest_poll=0.3,
    never_came=0.5,
)
WATCH_SECONDS = 1.5
"""After the end of a message: long enough to send it or ask about it again."""
CELL_SECONDS = 120
PARALLEL_CELLS = 24
"""Cells that run at the same time."""


class Unreachable(StrEnum):
    """Troubles in which the provider is not reached."""

    NO_CONNECTION = "no_connection"
    """No server listens at the provider's address."""


type Trouble = Fault | Unreachable

TROUBLES: tuple[Trouble, ...] = (*Unreachable, *Fault)


class Result(StrEnum):
    """The result of a question, beside the kinds of refusal."""

    ANSWER = "answer"
    """An answer that could be read."""
    NOTHING = "nothing"
    """No answer, or one that could not be read."""


# The rules.


def _is_worked_on(trouble: Trouble) -> bool:
    """Return whether a valid request with this trouble is carried out."""
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
            | Fault.TO_HTTPS
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


def _proves(trouble: Trouble) -> ErrorKind | Result:
    """Return what is known for certain after a send with this trouble.

    A kind means: certainly not carried out. Whether a send was carried out cannot be
    known after a cut, a hang, a bare 5xx, an unreadable answer, or a redirect to
    another page of the same host. Facts: docs/development/provider-apis/common.md 9.
    """
    match trouble:
        case Unreachable.NO_CONNECTION | Fault.TO_HTTPS:
            return ErrorKind.UNAVAILABLE
        case Fault.THROTTLED | Fault.THROTTLED_BARE:
            return ErrorKind.THROTTLED
        case Fault.BAD_ENCODING:
            # The rest can be read, as in another charset.
            return Result.ANSWER
        case (
            Fault.CUT_BEFORE_ACCEPT
            | Fault.CUT_AFTER_ACCEPT
            | Fault.HANG_BEFORE_ACCEPT
            | Fault.HANG_AFTER_ACCEPT
            | Fault.SERVER_ERROR_EMPTY
            | Fault.SERVER_ERROR_BODY
            | Fault.SERVER_ERROR_AFTER_ACCEPT
            | Fault.HTML
            | Fault.REDIRECT
            | Fault.TRUNCATED_JSON
            | Fault.WRONG_TYPES
            | Fault.HUGE_BODY
            | Fault.DEEP_JSON
        ):
            return Result.NOTHING


def _answers(provider: str, trouble: Trouble) -> ErrorKind | Result:
    """Return what a question with this trouble ends in.

    What is not in the provider's own format says only that it was not reached.
    """
    match trouble:
        case (
            Fault.SERVER_ERROR_EMPTY
            | Fault.SERVER_ERROR_BODY
            | Fault.SERVER_ERROR_AFTER_ACCEPT
            | Fault.HTML
            | Fault.REDIRECT
            | Fault.TRUNCATED_JSON
        ):
            return ErrorKind.UNAVAILABLE
        case Fault.DEEP_JSON if SIMULATED[provider].answers_in_json:
            # Longer than a line about a message may be, but not than its JSON.
            return ErrorKind.UNAVAILABLE
        case Fault.WRONG_TYPES if not SIMULATED[provider].answers_in_json:
            # A line without its numbers; names that JSON has are the provider's own.
            return ErrorKind.UNAVAILABLE
        case _:
            return _proves(trouble)


def _has(provider: str, feature: Feature) -> bool:
    """Return whether a provider has a feature."""
    return feature in PROVIDERS[provider].capabilities.features


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCell:
    """A send with a trouble once, and its end.

    `requests` are the sending requests that reached the provider, `accepted` the SMS
    that it accepted. `raises` is whether the action fails.
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
    """Return the expected cell of a send."""
    reached = 0 if trouble is Unreachable.NO_CONNECTION else 1
    accepted = int(_is_worked_on(trouble))
    match _proves(trouble):
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
        case Result.ANSWER:
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
        case Result.NOTHING:
            by_reference = _has(provider, Feature.CLIENT_REFERENCE)
            # The answers of these begin with the ID of the message.
            by_id = trouble is Fault.TRUNCATED_JSON and provider in {
                "smsviainternet",
                "transactionale",
            }
            settled = by_reference or by_id
            return SendCell(
                status=Status.UNCERTAIN,
                error=None,
                raises=True,
                requests=1,
                accepted=accepted,
                final_status=Status.DELIVERED if settled else Status.UNCERTAIN,
                final_requests=2 if by_reference and not accepted else 1,
                final_accepted=1 if by_reference else accepted,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCell:
    """The first question about a delivered message has a trouble.

    `questions` reached the provider until the message was known to be delivered.
    `requests` and `accepted` are about sending.
    """

    result: ErrorKind | Result
    questions: int
    requests: int
    accepted: int
    final_status: Status


def expected_status(provider: str, trouble: Trouble) -> StatusCell:
    """Return the expected cell of a question about a message."""
    result = _answers(provider, trouble)
    reached = 0 if trouble is Unreachable.NO_CONNECTION else 1
    return StatusCell(
        result=result,
        questions=1 if result is Result.ANSWER else reached + 1,
        requests=1,
        accepted=1,
        final_status=Status.DELIVERED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCell:
    """The hourly question about an account, its credit or login, has a trouble.

    `credit` is the result in euro. The next question has no trouble. `accepted` are
    SMS.
    """

    result: ErrorKind | Result
    credit: Decimal | None
    questions: int
    accepted: int
    next_result: ErrorKind | Result
    next_credit: Decimal | None


CREDIT = Decimal("12.34")
LOGIN_PROVED = Decimal(-1)
"""In place of a credit, where a provider has none and only the login is checked."""


def expected_check(provider: str, trouble: Trouble) -> CheckCell:
    """Return the expected cell of the question about an account."""
    result = _answers(provider, trouble)
    if provider == "transactionale" and trouble is Fault.WRONG_TYPES:
        # The names of the missing fields prove the key, whatever their values.
        result = Result.ANSWER
    if trouble in {Fault.HUGE_BODY, Fault.DEEP_JSON}:
        # Longer than an answer about an account may be: only a status other than 2xx,
        # as that of the missing fields, says something.
        is_2xx = provider != "transactionale"
        result = Result.NOTHING if is_2xx else ErrorKind.UNAVAILABLE
    if trouble is Fault.TRUNCATED_JSON and not SIMULATED[provider].answers_in_json:
        # What is left of the line begins as the provider's own.
        result = Result.NOTHING
    credit = CREDIT if _has(provider, Feature.CREDIT) else LOGIN_PROVED
    return CheckCell(
        result=result,
        credit=credit if result is Result.ANSWER else None,
        questions=0 if trouble is Unreachable.NO_CONNECTION else 1,
        accepted=0,
        next_result=Result.ANSWER,
        next_credit=credit,
    )


# The runs.


type Table[Cell] = Mapping[tuple[str, Trouble], Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All cells as they were found.

    `faults` are sentences about checks of all cells that failed.
    """

    sends: Table[SendCell]
    statuses: Table[StatusCell]
    checks: Table[CheckCell]
    faults: Sequence[str]


async def run(folder: Path) -> Matrix:
    """Fill all cells; the ledgers go to subfolders of `folder`."""
    faults: list[str] = []
    gate = asyncio.Semaphore(PARALLEL_CELLS)
    async with aiohttp.ClientSession() as session:

        async def fill[Cell](
            find: Callable[[Scenario], Coroutine[None, None, Cell]],
            provider: str,
            trouble: Trouble,
        ) -> Cell:
            async with gate:
                with reserved_port() as port:
                    place = folder / find.__name__ / f"{provider}_{trouble}"
                    scenario = Scenario(provider, trouble, place, session, port)
                    async with asyncio.timeout(CELL_SECONDS), scenario:
                        cell = await find(scenario)
                    faults.extend(
                        f"{find.__name__}, {provider}, {trouble}: {fault}"
                        for fault in scenario.faults
                    )
                    return cell

        async def fill_table[Cell](
            find: Callable[[Scenario], Coroutine[None, None, Cell]],
        ) -> Table[Cell]:
            # The cells that wait seven seconds for a throttled provider begin first.
            order = sorted(TROUBLES, key=lambda trouble: trouble is not Fault.THROTTLED)
            keys = [(provider, trouble) for trouble in order for provider in PROVIDERS]
            cells = await asyncio.gather(*(fill(find, *key) for key in keys))
            return dict(zip(keys, cells, strict=True))

        sends, statuses, checks = await asyncio.gather(
            fill_table(send), fill_table(status), fill_table(check)
        )
    return Matrix(sends=sends, statuses=statuses, checks=checks, faults=faults)


class Scenario:
    """One account at one simulated provider, which listens while the context lasts.

    `faults` are the checks that failed.
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
        timeouts = SHORT if trouble in HANGS else LONG
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
        self.reported: list[Status] = []
        self._folder = folder
        self._listening = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Let the provider listen."""
        await self._listening.enter_async_context(self.simulator)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the provider be out of reach."""
        await self._listening.aclose()

    async def begin_trouble(self, operation: Operation | None) -> None:
        """Cause the trouble at the next request of this kind."""
        match self.trouble:
            case Unreachable.NO_CONNECTION:
                await self._listening.aclose()
            case Fault() as fault:
                self.simulator.inject(self.provider, fault, operation=operation)

    async def end_trouble(self) -> None:
        """Let the provider listen again; a fault happens only once anyway."""
        if self.trouble is Unreachable.NO_CONNECTION:
            await self._listening.enter_async_context(self.simulator)

    @asynccontextmanager
    async def messenger(self) -> AsyncIterator[Messenger]:
        """Run a messenger on the ledger."""
        messenger = Messenger(
            self._folder / "sms.db",
            Clock(),
            TIMING,
            lambda trouble: self.faults.append(f"the ledger: {trouble}"),
        )
        stop_listening = messenger.events.listen(self.account.id, self._handle_event)
        await messenger.attach(self.account)
        try:
            yield messenger
        finally:
            await messenger.close()
            stop_listening()

    def _handle_event(self, event: Event) -> None:
        if isinstance(event, MessagesChanged):
            self.reported += [message.status for message in event.status_changed]

    def requests(self, operation: Operation) -> int:
        """Return how many requests of a kind reached the provider."""
        return sum(one.operation is operation for one in self.simulator.requests)

    @property
    def accepted(self) -> int:
        """How many SMS the provider accepted."""
        return len(self.simulator.messages)

    def require(self, condition: object, sentence: str) -> None:
        """Add a fault unless the condition is true."""
        if not condition:
            self.faults.append(sentence)


ORDER = SendRequest(
    account="casa",
    targets=(Target(number=PhoneNumber(NUMBER, "IT")),),
    text=TEXT,
)


async def send(scenario: Scenario) -> SendCell:
    """Send one message with the trouble and follow it to its end, and beyond."""
    async with scenario.messenger() as messenger:
        await scenario.begin_trouble(Operation.SEND)
        (message,) = await messenger.send(ORDER)
        raises = delivery_error([message], lambda _: scenario.account.name) is not None
        requests, accepted = scenario.requests(Operation.SEND), scenario.accepted
        await scenario.end_trouble()
        await _follow(scenario, messenger)
        end = await _on_record(messenger)
        await asyncio.sleep(WATCH_SECONDS)
    async with scenario.messenger() as messenger:
        await asyncio.sleep(WATCH_SECONDS)
        scenario.require(
            await _on_record(messenger) == end, "a restart changed a final status"
        )
    cell = SendCell(
        status=message.status,
        error=message.error,
        raises=raises,
        requests=requests,
        accepted=accepted,
        final_status=end.status,
        final_requests=scenario.requests(Operation.SEND),
        final_accepted=scenario.accepted,
    )
    reported = scenario.reported
    scenario.require(scenario.accepted <= 1, "sent twice")
    scenario.require(
        scenario.accepted or end.status is not Status.DELIVERED,
        "lost, and called delivered",
    )
    scenario.require(
        not scenario.accepted or not {Status.FAILED, Status.EXPIRED} & {*reported},
        "called failed or expired, and it was sent",
    )
    scenario.require(reported[-1] is end.status, "the end was not reported")
    scenario.require(
        not any(status.is_final for status in reported[:-1]),
        "reported after its end",
    )
    scenario.require(
        not any(request.redirected for request in scenario.simulator.requests),
        "a redirect was followed",
    )
    if scenario.trouble is Fault.THROTTLED:
        first, second = (
            request.received for request in scenario.simulator.requests[:2]
        )
        scenario.require(
            second - first >= timedelta(seconds=RETRY_AFTER_SECONDS),
            "the provider asked for more time",
        )
    return cell


async def status(scenario: Scenario) -> StatusCell:
    """Send one message, and ask for its status with the trouble."""
    async with scenario.messenger() as messenger:
        (message,) = await messenger.send(ORDER)
        scenario.simulator.move(scenario.simulator.messages[0].id, "delivered")
        await scenario.begin_trouble(Operation.STATUS)
        if scenario.trouble is Unreachable.NO_CONNECTION:
            await asyncio.sleep(WATCH_SECONDS)
        await scenario.end_trouble()
        await _follow(scenario, messenger)
        end = await _on_record(messenger)
    questions = scenario.requests(Operation.STATUS)
    assert message.provider_id is not None
    ref = MessageRef(message.provider_id, NUMBER)
    await scenario.begin_trouble(Operation.STATUS)
    result, _ = await _ask(scenario.account.client.reports([ref]))
    await scenario.end_trouble()
    scenario.require(
        scenario.reported == [Status.QUEUED, Status.DELIVERED],
        "a wrong status was reported",
    )
    return StatusCell(
        result=result,
        questions=questions,
        requests=scenario.requests(Operation.SEND),
        accepted=scenario.accepted,
        final_status=end.status,
    )


async def check(scenario: Scenario) -> CheckCell:
    """Ask for the credit, or check the login, with the trouble."""
    scenario.simulator.set_credit(scenario.provider, CREDIT)
    client = scenario.account.client

    async def question() -> Sequence[Decimal]:
        if Feature.CREDIT in scenario.account.provider.capabilities.features:
            credit = await client.check()
            return [] if credit is None else [credit.balance]
        await client.validate()
        return [LOGIN_PROVED]

    await scenario.begin_trouble(None)
    result, credit = await _ask(question())
    questions = len(scenario.simulator.requests)
    await scenario.end_trouble()
    next_result, next_credit = await _ask(question())
    return CheckCell(
        result=result,
        credit=credit[0] if credit else None,
        questions=questions,
        accepted=scenario.accepted,
        next_result=next_result,
        next_credit=next_credit[0] if next_credit else None,
    )


async def _follow(scenario: Scenario, messenger: Messenger) -> None:
    """Deliver what was accepted, and wait until no message is open any more."""
    while messenger.open_messages(scenario.account.id):
        for message in scenario.simulator.messages:
            if not message.status.is_final:
                scenario.simulator.move(message.id, "delivered")
        await asyncio.sleep(0.02)


async def _on_record(messenger: Messenger) -> Message:
    """Return the one message from the ledger."""
    (message,) = (await messenger.ledger.find(Query())).messages
    return message


async def _ask[Answer](
    question: Coroutine[None, None, Sequence[Answer]],
) -> tuple[ErrorKind | Result, Sequence[Answer]]:
    """Return the result of a question, and the answer if there was one."""
    try:
        answer = await question
    except NotAcceptedError as err:
        return err.kind, ()
    except OutcomeUnknownError:
        return Result.NOTHING, ()
    return (Result.ANSWER if answer else Result.NOTHING), answer
