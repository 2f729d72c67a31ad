"""One account is offered messages: what goes over the wire, and what comes of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import override

import aiohttp
import pytest
from yarl import URL

from custom_components.sms_italia.messaging.account import Account
from custom_components.sms_italia.messaging.book import CreditChanged
from custom_components.sms_italia.messaging.model import DayTotal, Message, Stage
from custom_components.sms_italia.providers.client import ProviderClient
from custom_components.sms_italia.providers.errors import NotAcceptedError
from custom_components.sms_italia.providers.model import (
    Channel,
    Encoding,
    ErrorKind,
    MessageRef,
    MessageType,
    Mode,
    Picture,
    Report,
    SendResult,
    Status,
    Submission,
)
from simulator import Fault, Simulator, Toggle

from .helpers import (
    NUMBER,
    OTHER,
    STILL,
    TEXT,
    House,
    copy_as_after_a_crash,
    numbers,
    until,
)

KEY = "smsviainternet"
SMSH = "smshosting"
WRONG = {"api_token": "wrong"}
TAKEN = {Status.QUEUED, Status.SENT}
PICTURE = Picture(
    content=b"\x89PNG\r\n\x1a\n", filename="cortile.png", content_type="image/png"
)


@pytest.fixture(autouse=True)
def _still(house: House) -> None:
    """Let no second attempt and no status question come by itself."""
    house.use(pace=STILL)


@pytest.fixture
def push(simulator: Simulator) -> Simulator:
    """Return the providers; one number has the app of Smshosting's Push."""
    simulator.switch_on(SMSH, Toggle.PUSH_PLAN)
    simulator.account(SMSH).push_phones.add(NUMBER)
    return simulator


def sent_fields(house: House, key: str = SMSH) -> list[dict[str, object]]:
    """Return the fields of each request to send, oldest first."""
    return [
        dict(one.fields)
        for one in house.simulator.requests.of(key)
        if one.operation == "send"
    ]


# What was wished for


async def test_every_wish_that_a_provider_knows_is_on_the_wire(
    house: House, push: Simulator
) -> None:
    await house.attach(SMSH, max_parts=3)
    due = datetime(2035, 12, 25, 8, tzinfo=UTC)
    await house.send(
        SMSH,
        NUMBER,
        sender="Cantina",
        send_at=due.timestamp(),
        channel=Channel.PUSH_THEN_SMS,
        mode=Mode.TEST,
        reference="allarme-7",
        picture=PICTURE,
    )
    (request,) = push.requests.of(SMSH)
    assert request.path == "/rest/api/push/send"
    assert request.fields == {
        "to": NUMBER[1:],
        "text": TEXT,
        "onlyPush": "false",
        "smsText": TEXT,
        "smsEncoding": "7BIT",
        "smsFrom": "Cantina",
        "transactionId": "allarme-7",
        "date": "2035-12-25T08:00:00+0000",
        "sandbox": "true",
    }
    assert PICTURE.content in request.body


class ListeningClient(ProviderClient):
    """A client that keeps what it is given to send, and refuses it."""

    def __init__(self, session: aiohttp.ClientSession, refusal: ErrorKind) -> None:
        """Talk to nobody."""
        super().__init__(session, URL("http://127.0.0.1"))
        self.given: list[Submission] = []
        self._refusal = refusal

    @override
    async def validate(self) -> None:
        """Do nothing."""

    @override
    async def _send(self, submission: Submission) -> SendResult:
        """Take nothing."""
        self.given.append(submission)
        raise NotAcceptedError(self._refusal)

    @override
    async def reports(self, refs: Sequence[MessageRef]) -> Sequence[Report]:
        """Know nothing."""
        return []


@pytest.mark.parametrize("most", [2, None])
async def test_the_most_parts_are_those_of_the_account_that_was_asked(
    house: House, session: aiohttp.ClientSession, most: int | None
) -> None:
    client = ListeningClient(session, ErrorKind.CREDIT)
    fallback = replace(house.account(KEY, max_parts=5), client=client)
    await house.messenger.attach(fallback)
    await house.attach(
        SMSH, max_parts=most, settings={"auth_key": "wrong"}, fallback=(KEY,)
    )
    await house.one(SMSH)
    assert [one.max_parts for one in client.given] == [most]


async def test_a_time_that_was_past_is_not_told(house: House) -> None:
    await house.attach(SMSH)
    await house.send(SMSH, NUMBER, send_at=house.time.now() - 60)
    assert "date" not in sent_fields(house)[0]


# References


async def test_the_users_reference_names_the_first_submission_only(
    house: House,
) -> None:
    await house.attach(SMSH)
    (first,) = await house.send(SMSH, NUMBER, reference="allarme")
    (second,) = await house.send(SMSH, OTHER, reference="allarme")
    assert first.submission == "allarme"
    assert second.submission is not None
    name, _, mark = second.submission.partition("-")
    assert name == "allarme"
    assert len(bytes.fromhex(mark)) == 6
    assert [one.reference for one in house.accepted(SMSH)] == [
        first.submission,
        second.submission,
    ]


async def test_a_reference_is_known_after_a_restart(house: House) -> None:
    await house.attach(SMSH)
    await house.send(SMSH, NUMBER, reference="allarme")
    await house.messenger.close()
    house.use()
    await house.attach(SMSH)
    (again,) = await house.send(SMSH, OTHER, reference="allarme")
    assert again.submission not in {None, "allarme"}


async def test_many_submissions_at_once_each_have_their_own_reference(
    house: House,
) -> None:
    await house.attach(SMSH)
    await asyncio.gather(
        *(house.send(SMSH, to, reference="allarme") for to in numbers(20))
    )
    references = [one.reference for one in house.accepted(SMSH)]
    assert len(set(references)) == len(references) == 20
    assert references.count("allarme") == 1


async def test_a_second_request_of_an_order_does_not_have_its_reference_again(
    house: House,
) -> None:
    await house.attach(SMSH)
    await house.one(SMSH)
    await house.send(SMSH, NUMBER, reference="allarme")
    _, refused, repeated = (one["transactionId"] for one in sent_fields(house))
    assert refused == "allarme"
    assert str(repeated).startswith("allarme-")


async def test_a_long_reference_is_cut_so_that_its_end_still_tells_it_apart(
    house: House,
) -> None:
    await house.attach(SMSH)
    for to in (NUMBER, OTHER):
        await house.send(SMSH, to, reference="x" * 60)
    first, second = (str(one["transactionId"]) for one in sent_fields(house))
    assert first == "x" * 60
    assert len(second) == 60
    assert second.startswith("x" * 47 + "-")


async def test_a_provider_that_shows_no_reference_gets_none_of_the_users(
    house: House,
) -> None:
    await house.attach(KEY)
    await house.attach(
        SMSH,
        settings={"auth_key": "wrong"},
        fallback=(KEY,),
        callback_url=lambda reference: f"https://casa.example/{reference}",
    )
    (message,) = await house.send(SMSH, NUMBER, reference="allarme")
    assert message.carrier == KEY
    assert "allarme" not in str(message.submission)


# Tests


@pytest.mark.parametrize(
    ("key", "settings", "mode"),
    [
        (SMSH, {}, Mode.TEST),
        (SMSH, {"sandbox": "true"}, None),
        (KEY, {}, Mode.TEST),
    ],
)
async def test_what_is_only_tried_out_counts_nowhere_and_is_asked_about_by_nobody(
    house: House, key: str, settings: dict[str, str], mode: Mode | None
) -> None:
    await house.attach(key, settings=settings)
    messages = await house.send(key, NUMBER, OTHER, mode=mode)
    for one in messages:
        assert (one.status, one.stage) == (Status.QUEUED, Stage.CLOSED)
        assert (one.parts, one.cost, one.error) == (0, None, None)
        assert await house.latest(one) == one
    assert house.requests(key) == 1
    assert not house.accepted(key)
    assert house.messenger.spent_today(key) == DayTotal()
    assert CreditChanged(account=key) not in house.events


async def test_a_test_without_an_answer_is_not_looked_for(house: House) -> None:
    house.simulator.inject(SMSH, Fault.CUT_BEFORE_ACCEPT)
    await house.attach(SMSH)
    (message,) = await house.send(SMSH, NUMBER, mode=Mode.TEST)
    assert (message.status, message.stage) == (Status.UNCERTAIN, Stage.CLOSED)


async def test_a_fallback_without_a_test_mode_sends_nothing(house: House) -> None:
    await house.attach("inviosmart")
    await house.attach(SMSH, settings={"auth_key": "wrong"}, fallback=("inviosmart",))
    (message,) = await house.send(SMSH, NUMBER, mode=Mode.TEST)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)
    assert not house.requests("inviosmart")


# Push


async def test_how_a_message_went_out_is_known_and_a_push_has_no_parts(
    house: House, push: Simulator
) -> None:
    await house.attach(SMSH)
    first, second = await house.send(SMSH, NUMBER, OTHER, channel=Channel.PUSH_THEN_SMS)
    assert (first.type, first.parts) == (MessageType.PUSH, 0)
    assert (second.type, second.parts) == (MessageType.SMS, 1)
    assert await house.latest(first) == first
    assert house.messenger.spent_today(SMSH).parts == 1
    assert {one.to: one.channel for one in push.messages} == {
        NUMBER: "push",
        OTHER: "sms",
    }


async def test_a_fallback_without_push_sends_the_text_without_the_picture(
    house: House,
) -> None:
    await house.attach(KEY)
    await house.attach(SMSH, settings={"auth_key": "wrong"}, fallback=(KEY,))
    account = house.account(SMSH, settings={"auth_key": "wrong"}, fallback=(KEY,))
    await house.messenger.attach(replace(account, channel=Channel.PUSH_THEN_SMS))
    (message,) = await house.send(SMSH, NUMBER, picture=PICTURE)
    assert (message.carrier, message.type) == (KEY, MessageType.SMS)
    assert house.arrived(KEY) == [(NUMBER, TEXT)]


async def test_a_push_alone_goes_past_a_fallback_that_has_none(
    house: House,
) -> None:
    await house.attach(KEY)
    await house.attach(SMSH, fallback=(KEY,))
    (message,) = await house.send(SMSH, NUMBER, channel=Channel.PUSH)
    assert (message.status, message.carrier) == (Status.FAILED, SMSH)
    assert (message.error, message.detail) == (ErrorKind.REFUSED, "no_push_plan")
    assert not house.requests(KEY)


async def test_a_number_without_the_app_says_so(
    house: House,
    push: Simulator,  # noqa: ARG001 - the account has a plan
) -> None:
    await house.attach(SMSH)
    first, second = await house.send(SMSH, NUMBER, OTHER, channel=Channel.PUSH)
    assert first.stage is Stage.TAKEN
    assert (second.error, second.detail) == (ErrorKind.RECIPIENT, "no_push_app")


# A bulk, whose ids are told later


async def test_what_a_provider_takes_without_telling_its_id_counts_and_is_followed(
    house: House,
) -> None:
    house.simulator.set_credit(SMSH, 1000)
    await house.attach(SMSH, daily_limit=1001)
    messages = await house.send(SMSH, *numbers(1000))
    assert {(one.stage, one.status) for one in messages} == {
        (Stage.TAKEN, Status.QUEUED)
    }
    assert {one.provider_id for one in messages} == {None}
    assert len({one.submission for one in messages}) == 1
    assert house.messenger.spent_today(SMSH).parts == 1000


# Doubts that were settled


@pytest.fixture
def _believing(house: House) -> None:
    """Believe a provider that a request in doubt never came; ask only if told to."""
    house.use(pace=replace(STILL, first_rest=0.01, longest_rest=0.05, never_came=0))


async def doubt(house: House, **options: object) -> tuple[Account, Message]:
    """Attach an account and send; the request does not arrive in time."""
    house.simulator.inject(SMSH, Fault.CUT_BEFORE_ACCEPT, 1, "send")
    account = await house.attach(SMSH, **options)
    message = await house.one(SMSH)
    assert message.stage is Stage.DOUBTFUL
    return account, message


async def settle(house: House, message: Message) -> None:
    """Have the provider asked about a message in doubt; it knows of none."""
    assert message.submission is not None
    assert await house.messenger.callback(SMSH, message.submission, b"")


async def arrive_late(account: Account) -> None:
    """Let a request arrive after all, which the provider's search does not find."""
    await account.client.send(
        Submission(
            reference="in-ritardo",
            recipients=(NUMBER,),
            text=TEXT,
            encoding=Encoding.GSM7,
        )
    )


@pytest.mark.usefixtures("_believing")
async def test_a_duplicate_of_a_request_in_doubt_is_not_sent_with_the_time_behind_it(
    house: House,
) -> None:
    await house.attach(KEY)
    account, message = await doubt(house, fallback=(KEY,))
    await arrive_late(account)
    await settle(house, message)
    kept = await house.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.detail) == (Status.UNCERTAIN, "duplicate_of_doubt")
    assert kept.error is None
    assert [text for _, text in house.arrived(SMSH)] == [TEXT]
    assert not house.requests(KEY)


@pytest.mark.usefixtures("_believing")
async def test_a_doubt_is_remembered_through_a_restart_and_a_refusal(
    house: House,
) -> None:
    account, message = await doubt(house)
    await arrive_late(account)
    await house.messenger.close()
    house.use()
    house.simulator.inject(SMSH, Fault.THROTTLED_BARE, 1, "send")
    await house.attach(SMSH)
    await settle(house, message)
    kept = await house.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.detail) == (Status.UNCERTAIN, "duplicate_of_doubt")
    assert [text for _, text in house.arrived(SMSH)] == [TEXT]
    assert house.requests(SMSH) == 4


@pytest.mark.usefixtures("_believing")
async def test_a_request_that_a_crash_cut_off_may_have_come_as_well(
    house: House,
) -> None:
    house.line.hold_answers()
    account = await house.attach(SMSH, url=house.line.url(SMSH))
    send = asyncio.create_task(house.one(SMSH))
    await until(lambda: house.accepted(SMSH))
    crashed = house.folder / "crashed.db"
    copy_as_after_a_crash(house.ledger, crashed)
    house.line.release_answers()
    message = await send
    await house.messenger.close()
    # The provider's search does not find what came so late.
    (known,) = house.accepted(SMSH)
    house.simulator.reset()
    await arrive_late(account)
    house.use(ledger=crashed)
    await house.attach(SMSH)
    await settle(house, message)
    kept = await house.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.detail) == (Status.UNCERTAIN, "duplicate_of_doubt")
    assert [text for _, text in house.arrived(SMSH)] == [known.text]


@pytest.mark.usefixtures("_believing")
async def test_an_alarm_that_repeats_is_repeated_after_a_doubt_too(
    house: House,
) -> None:
    # The text is there from the first alarm: the second can only have been refused.
    await house.attach(SMSH)
    await house.one(SMSH)
    _, second = await doubt(house)
    await settle(house, second)
    taken = await house.until_kept(second, stage=Stage.TAKEN)
    assert taken.error is None
    (_, text), (_, again) = house.arrived(SMSH)
    assert text == TEXT
    assert again.startswith(f"{TEXT} ")


@pytest.mark.usefixtures("_believing")
async def test_an_alarm_of_another_sender_is_no_reason_for_a_duplicate(
    house: House,
) -> None:
    await house.attach(SMSH)
    await house.send(SMSH, NUMBER, sender="Cantina")
    account, second = await doubt(house)
    await arrive_late(account)
    await settle(house, second)
    kept = await house.until_kept(second, stage=Stage.CLOSED)
    assert kept.detail == "duplicate_of_doubt"


@pytest.mark.usefixtures("_believing")
async def test_a_doubt_about_a_repeat_says_nothing_of_its_plain_text(
    house: House,
) -> None:
    # The plain text came by another way, and what was lost is the one with the time.
    account = await house.attach(SMSH, url=house.line.url(SMSH))
    await arrive_late(account)
    house.line.hold_answers()
    send = asyncio.create_task(house.one(SMSH))
    await until(lambda: house.requests(SMSH) == 2)
    house.simulator.inject(SMSH, Fault.CUT_BEFORE_ACCEPT, 1, "send")
    house.line.release_answers()
    message = await send
    assert (message.stage, house.requests(SMSH)) == (Stage.DOUBTFUL, 3)
    await settle(house, message)
    await house.until_kept(message, stage=Stage.TAKEN)
    (_, text), (_, again) = house.arrived(SMSH)
    assert text == TEXT
    assert again.startswith(f"{TEXT} ")


# Repeats and the limits


async def test_a_repeat_is_not_longer_than_the_account_may_send(
    house: House,
) -> None:
    await house.attach(SMSH, max_parts=1)
    text = "x" * 158
    await house.one(SMSH, text=text)
    message = await house.one(SMSH, text=text)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.DUPLICATE)
    assert (house.requests(SMSH), message.parts) == (2, 1)


@pytest.mark.parametrize(("asked", "fallback"), [(1, None), (None, 1)])
async def test_a_repeat_at_a_fallback_is_not_longer_than_either_account_allows(
    house: House, asked: int | None, fallback: int | None
) -> None:
    await house.attach(SMSH, max_parts=fallback)
    await house.attach(KEY, settings=WRONG, fallback=(SMSH,), max_parts=asked)
    text = "x" * 158
    await house.one(SMSH, text=text)
    message = await house.one(KEY, text=text)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)
    assert len(house.accepted(SMSH)) == 1


@pytest.mark.parametrize(("limit", "requests"), [(2, 2), (3, 3)])
async def test_a_repeat_that_takes_one_more_part_must_be_within_the_daily_limit(
    house: House, limit: int, requests: int
) -> None:
    await house.attach(SMSH, daily_limit=limit)
    text = "x" * 158
    await house.one(SMSH, text=text)
    message = await house.one(SMSH, text=text)
    is_sent = limit == 3
    assert (message.error is None) is is_sent
    assert house.messenger.spent_today(SMSH).parts == (3 if is_sent else 1)
    assert house.requests(SMSH) == requests


async def test_a_repeat_that_is_refused_again_has_the_parts_of_its_own_text(
    house: House, session: aiohttp.ClientSession
) -> None:
    client = ListeningClient(session, ErrorKind.DUPLICATE)
    await house.messenger.attach(replace(house.account(SMSH), client=client))
    message = await house.one(SMSH, text="x" * 158)
    assert [len(one.text) for one in client.given] == [158, 164]
    assert (message.status, message.parts) == (Status.FAILED, 1)


async def test_a_text_too_long_for_a_fallbacks_own_option_does_not_go_there(
    house: House,
) -> None:
    await house.attach(SMSH, max_parts=1)
    await house.attach(KEY, settings=WRONG, fallback=(SMSH,))
    message = await house.one(KEY, text="x" * 161)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.AUTH)
    assert not house.requests(SMSH)


# Faults of ours


def breaking_once() -> Callable[[str], str | None]:
    """Return a callback URL that cannot be told the first time that it is looked up."""
    broken = [True]

    def callback_url(reference: str) -> str | None:
        if not reference and broken:
            broken.clear()
            raise RuntimeError(TEXT)
        return None

    return callback_url


async def test_a_fault_in_one_request_leaves_no_other_without_its_outcome(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    key = "transactionale"
    await house.attach(KEY)
    house.simulator.set_credit(key, "0.06")
    await house.attach(key, fallback=(KEY,), callback_url=breaking_once())
    messages = await house.send(key, *numbers(3))
    assert {one.stage for one in messages} == {Stage.TAKEN}
    assert [one.carrier for one in messages].count(KEY) == 2
    assert len(house.accepted(key)) == 1
    assert TEXT not in caplog.text
    assert "RuntimeError" in caplog.text
