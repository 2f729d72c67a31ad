"""What an answer to a send says of the account itself."""

import asyncio
from pathlib import Path

import pytest

from custom_components.sms_italia.messaging.book import (
    Book,
    CredentialsRefused,
    CreditChanged,
    Event,
)
from custom_components.sms_italia.messaging.learning import learn
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.messaging.pacing import Pace, Rests
from custom_components.sms_italia.providers.model import (
    Accepted,
    Cause,
    ErrorKind,
    Mode,
    NotSent,
    Outcome,
    SendResult,
    Uncertain,
)

from .fake import REFERENCE
from .helpers import Harness, Time

KEY = REFERENCE
TAKEN = Accepted(provider_id="7")
REFUSED = NotSent(kind=ErrorKind.REFUSED)
UNASKED = [
    NotSent(kind=ErrorKind.REFUSED, detail="no_push", cause=Cause.UNSUPPORTED),
    NotSent(kind=ErrorKind.REFUSED, detail="picture_size", cause=Cause.PICTURE),
]
"""What our own client refuses without a request."""


class Desk:
    """An account that has failed twice, and what is reported of it."""

    def __init__(self, harness: Harness, folder: Path) -> None:
        """Let its second rest be over."""
        self.account = harness.account(KEY)
        self.time = Time()
        clock = self.time.clock()
        self.book = Book(Ledger(folder / "sms.db", print), clock)
        self.events: list[Event] = []
        self.book.listen(KEY, self.events.append)
        self.rests = Rests(clock, Pace(first_rest=10, longest_rest=1000))
        for _ in range(2):
            self.rests.failed(KEY)
            self.time.pass_by(100)

    async def learn(self, *outcomes: Outcome, mode: Mode | None = None) -> bool:
        """Draw from an answer what it says."""
        result = SendResult(outcomes={}, mode=mode)
        recovered = learn(self.book, self.rests, self.account, result, outcomes)
        # Listeners hear of it in one of the next rounds of the event loop.
        for _ in range(5):
            await asyncio.sleep(0)
        return recovered

    def next_rest(self) -> float:
        """Return how long the account rests after one more failure."""
        self.rests.failed(KEY)
        until = self.rests.until(KEY)
        assert until is not None
        return until - self.time.now()


@pytest.fixture
def desk(harness: Harness, tmp_path: Path) -> Desk:
    return Desk(harness, tmp_path)


@pytest.mark.parametrize("outcome", [TAKEN, REFUSED])
async def test_an_account_that_answers_works(desk: Desk, outcome: Outcome) -> None:
    assert await desk.learn(outcome) is isinstance(outcome, Accepted)
    assert desk.next_rest() < 20


@pytest.mark.parametrize("outcome", UNASKED)
async def test_what_our_own_client_refused_does_not_show_that_an_account_works(
    desk: Desk, outcome: Outcome
) -> None:
    assert not await desk.learn(outcome)
    assert desk.rests.until(KEY) is None
    assert desk.next_rest() >= 40
    assert not desk.events


async def test_one_message_that_was_taken_says_more_than_those_that_were_not(
    desk: Desk,
) -> None:
    assert await desk.learn(REFUSED, Uncertain(detail="no_result"), TAKEN)
    assert CreditChanged(account=KEY) in desk.events


async def test_a_test_changes_no_credit(desk: Desk) -> None:
    assert await desk.learn(TAKEN, mode=Mode.TEST)
    assert not desk.events


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (ErrorKind.AUTH, CredentialsRefused(account=KEY)),
        (ErrorKind.CREDIT, CreditChanged(account=KEY)),
    ],
)
async def test_what_a_refusal_says_of_the_account_is_reported(
    desk: Desk, kind: ErrorKind, event: Event
) -> None:
    await desk.learn(NotSent(kind=kind))
    assert desk.events == [event]


@pytest.mark.parametrize(
    ("outcome", "rest"),
    [
        (Uncertain(detail="http_500"), 40),
        (NotSent(kind=ErrorKind.UNAVAILABLE), 40),
        (NotSent(kind=ErrorKind.THROTTLED, retry_after=900), 900),
    ],
)
async def test_an_account_that_fails_rests(
    desk: Desk, outcome: Outcome, rest: float
) -> None:
    before = desk.time.now()
    assert not await desk.learn(outcome)
    until = desk.rests.until(KEY)
    assert until is not None
    assert until - before >= rest
