"""One account is offered messages: its requests, and the outcome of each message."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from custom_components.sms_italia.messaging import (
    Account,
    CredentialsRefused,
    CreditChanged,
    DayTotal,
    Dispatch,
    Message,
    Stage,
)
from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.delivery.context import Pending
from custom_components.sms_italia.messaging.delivery.retry_rules import Choice
from custom_components.sms_italia.messaging.delivery.submitter import Submitter
from custom_components.sms_italia.messaging.health import Rank
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.providers import (
    Accepted,
    Cause,
    Channel,
    Encoding,
    ErrorKind,
    MessageType,
    Mode,
    NotSent,
    Picture,
    Status,
    Submission,
)

from ..fake import (
    MANY,
    ONE,
    PLAIN,
    PRESETS,
    REFERENCE,
    THROTTLED,
    FakeClient,
    Lost,
)
from ..helpers import (
    NUMBER,
    OTHER,
    SENDER,
    STILL,
    TEXT,
    TIMING,
    Harness,
    a_dispatch,
    a_message,
    copy_as_after_a_crash,
    numbers,
    until,
)
from .context import a_context

KEY = MANY
SMSH = REFERENCE
TAKEN = {Status.QUEUED, Status.SENT}
PICTURE = Picture(
    content=b"\x89PNG\r\n\x1a\n", filename="cortile.png", content_type="image/png"
)


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let no second attempt and no status question come by itself."""
    harness.use(timing=STILL)


# Options


async def test_every_option_that_a_provider_knows_is_passed_on(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE, max_parts=3, callback_url="https://casa/{}".format)
    due = datetime(2035, 12, 25, 8, tzinfo=UTC)
    await harness.send(
        REFERENCE,
        NUMBER,
        sender="Cantina",
        send_at=due.timestamp(),
        channel=Channel.PUSH_THEN_SMS,
        mode=Mode.TEST,
        reference="allarme-7",
        picture=PICTURE,
    )
    assert harness.client(REFERENCE).submissions == [
        Submission(
            reference="allarme-7",
            recipients=(NUMBER,),
            text=TEXT,
            encoding=Encoding.GSM7,
            sender="Cantina",
            callback_url="https://casa/allarme-7",
            send_at=due,
            channel=Channel.PUSH_THEN_SMS,
            picture=PICTURE,
            mode=Mode.TEST,
            max_parts=3,
        )
    ]


@pytest.mark.parametrize("most", [2, None])
async def test_the_most_parts_are_those_of_the_account_that_was_asked(
    harness: Harness, most: int | None
) -> None:
    await harness.attach(MANY, max_parts=5)
    await harness.attach(
        REFERENCE, max_parts=most, refusing=ErrorKind.AUTH, fallback=(MANY,)
    )
    await harness.one(REFERENCE)
    assert [one.max_parts for one in harness.client(MANY).submissions] == [most]


async def test_a_time_that_was_past_is_left_out(harness: Harness) -> None:
    await harness.attach(SMSH)
    (message,) = await harness.send(SMSH, NUMBER, send_at=harness.time.now() - 60)
    assert message.stage is Stage.ACCEPTED
    (submission,) = harness.client(SMSH).submissions
    assert submission.send_at is None


# References


def references(harness: Harness) -> list[str]:
    """Return the reference of each request to send, oldest first."""
    return [one.reference for one in harness.client(SMSH).submissions]


async def test_the_users_reference_names_the_first_submission_only(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    (first,) = await harness.send(SMSH, NUMBER, reference="allarme")
    (second,) = await harness.send(SMSH, OTHER, reference="allarme")
    assert first.submission == "allarme"
    assert second.submission is not None
    name, _, mark = second.submission.partition("-")
    assert name == "allarme"
    assert len(bytes.fromhex(mark)) == 6
    assert references(harness) == [
        first.submission,
        second.submission,
    ]


async def test_a_reference_is_known_after_a_restart(harness: Harness) -> None:
    await harness.attach(SMSH)
    await harness.send(SMSH, NUMBER, reference="allarme")
    await harness.messenger.close()
    harness.use()
    await harness.attach(SMSH)
    (again,) = await harness.send(SMSH, OTHER, reference="allarme")
    assert again.submission not in {None, "allarme"}


async def test_many_submissions_at_once_each_have_their_own_reference(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    await asyncio.gather(
        *(harness.send(SMSH, to, reference="allarme") for to in numbers(20))
    )
    sent = references(harness)
    assert len(set(sent)) == len(sent) == 20
    assert sent.count("allarme") == 1


async def test_a_second_request_of_a_dispatch_does_not_have_its_reference_again(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    await harness.one(SMSH)
    await harness.send(SMSH, NUMBER, reference="allarme")
    _, refused, repeated = references(harness)
    assert refused == "allarme"
    assert repeated.startswith("allarme-")


async def test_a_long_reference_is_cut_so_that_its_end_still_tells_it_apart(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    for to in (NUMBER, OTHER):
        await harness.send(SMSH, to, reference="x" * 60)
    first, second = references(harness)
    assert first == "x" * 60
    assert len(second) == 60
    assert second.startswith("x" * 47 + "-")


async def test_a_provider_that_shows_no_reference_gets_none_of_the_users(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.attach(
        SMSH,
        refusing=ErrorKind.AUTH,
        fallback=(KEY,),
        callback_url=lambda reference: f"https://casa.example/{reference}",
    )
    (message,) = await harness.send(SMSH, NUMBER, reference="allarme")
    assert message.last_account == KEY
    assert "allarme" not in str(message.submission)


# Tests


@pytest.mark.parametrize(
    ("key", "by_default", "mode"),
    [
        (SMSH, Mode.LIVE, Mode.TEST),
        (SMSH, Mode.TEST, None),
        (KEY, Mode.LIVE, Mode.TEST),
    ],
)
async def test_what_is_only_tried_out_counts_nowhere_and_is_asked_about_by_nobody(
    harness: Harness, key: str, by_default: Mode, mode: Mode | None
) -> None:
    await harness.attach(key)
    harness.client(key).mode = by_default
    messages = await harness.send(key, NUMBER, OTHER, mode=mode)
    for one in messages:
        assert (one.status, one.stage) == (Status.QUEUED, Stage.CLOSED)
        assert (one.parts, one.cost, one.error) == (0, None, None)
        assert await harness.latest(one) == one
    assert harness.requests(key) == 1
    assert not harness.accepted(key)
    assert harness.messenger.totals.spent_today(key) == DayTotal()
    assert CreditChanged(account=key) not in harness.events


async def test_a_test_without_an_answer_is_not_looked_for(harness: Harness) -> None:
    harness.client(SMSH).reply(Lost.REQUEST)
    await harness.attach(SMSH)
    (message,) = await harness.send(SMSH, NUMBER, mode=Mode.TEST)
    assert (message.status, message.stage) == (Status.UNCERTAIN, Stage.CLOSED)


async def test_a_fallback_without_a_test_mode_sends_nothing(harness: Harness) -> None:
    await harness.attach(PLAIN)
    await harness.attach(SMSH, refusing=ErrorKind.SENDER, fallback=(PLAIN,))
    (message,) = await harness.send(SMSH, NUMBER, mode=Mode.TEST)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.SENDER)
    assert not harness.requests(PLAIN)


# Push


async def test_how_a_message_went_out_is_known_and_a_push_has_no_parts(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    harness.client(SMSH).push_phones.add(NUMBER)
    first, second = await harness.send(
        SMSH, NUMBER, OTHER, channel=Channel.PUSH_THEN_SMS
    )
    assert (first.type, first.parts) == (MessageType.PUSH, 0)
    assert (second.type, second.parts) == (MessageType.SMS, 1)
    assert await harness.latest(first) == first
    assert harness.messenger.totals.spent_today(SMSH).parts == 1


async def test_a_fallback_without_push_sends_the_text_without_the_picture(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.attach(
        SMSH,
        refusing=ErrorKind.AUTH,
        fallback=(KEY,),
        channel=Channel.PUSH_THEN_SMS,
    )
    (message,) = await harness.send(SMSH, NUMBER, picture=PICTURE)
    assert (message.last_account, message.type) == (KEY, MessageType.SMS)
    assert harness.arrived(KEY) == [(NUMBER, TEXT)]


async def test_a_push_alone_goes_past_a_fallback_that_has_none(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.attach(SMSH, fallback=(KEY,))
    no_plan = NotSent(kind=ErrorKind.REFUSED, cause=Cause.NO_PUSH_PLAN)
    harness.client(SMSH).reply(no_plan)
    (message,) = await harness.send(SMSH, NUMBER, channel=Channel.PUSH)
    assert (message.status, message.last_account) == (Status.FAILED, SMSH)
    assert (message.error, message.detail) == (ErrorKind.REFUSED, "no_push_plan")
    assert not harness.requests(KEY)


async def test_a_number_without_the_app_says_so(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    harness.client(SMSH).push_phones.add(NUMBER)
    first, second = await harness.send(SMSH, NUMBER, OTHER, channel=Channel.PUSH)
    assert first.stage is Stage.ACCEPTED
    assert (second.error, second.detail) == (ErrorKind.RECIPIENT, "no_push_app")


# Accepted without an ID


async def test_what_a_provider_accepts_without_an_id_counts(harness: Harness) -> None:
    harness.client(SMSH).reply(Accepted(provider_id=None))
    await harness.attach(SMSH, daily_limit=31)
    messages = await harness.send(SMSH, *numbers(30))
    assert {(one.stage, one.status) for one in messages} == {
        (Stage.ACCEPTED, Status.QUEUED)
    }
    assert {one.provider_id for one in messages} == {None}
    assert len({one.submission for one in messages}) == 1
    assert harness.messenger.totals.spent_today(SMSH).parts == 30


# Doubts that were settled


@pytest.fixture
def _believing(harness: Harness) -> None:
    """Believe a provider that a request in doubt never came, as soon as it answers."""
    harness.use(
        timing=replace(
            TIMING,
            first_poll=120,
            longest_look_up=120,
            never_came=0,
        )
    )


async def doubt(harness: Harness, **options: object) -> tuple[Account, Message]:
    """Attach an account and send; the request does not arrive in time."""
    harness.client(SMSH).reply(Lost.REQUEST)
    account = await harness.attach(SMSH, **options)
    message = await harness.one(SMSH)
    assert message.stage is Stage.IN_DOUBT
    return account, message


def settle(harness: Harness) -> None:
    """Let the provider answer a probe, then what it knows of the doubt: nothing."""
    harness.time.pass_by(harness.timing.longest_look_up)


async def arrive_late(account: Account) -> None:
    """Let a request arrive after all, which the provider's search does not find."""
    await account.client.send(
        Submission(
            reference="in-ritardo",
            recipients=(NUMBER,),
            text=TEXT,
            encoding=Encoding.GSM7,
            sender=SENDER,
        )
    )


@pytest.mark.usefixtures("_believing")
async def test_a_duplicate_of_a_request_in_doubt_is_not_sent_with_the_time_behind_it(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    account, message = await doubt(harness, fallback=(KEY,))
    await arrive_late(account)
    settle(harness)
    kept = await harness.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.detail) == (Status.SENT, "duplicate_of_doubt")
    assert kept.error is None
    assert [text for _, text in harness.arrived(SMSH)] == [TEXT]
    assert not harness.requests(KEY)


@pytest.mark.usefixtures("_believing")
async def test_a_doubt_is_remembered_through_a_restart_and_a_refusal(
    harness: Harness,
) -> None:
    account, message = await doubt(harness)
    await arrive_late(account)
    await harness.messenger.close()
    harness.use()
    harness.client(SMSH).reply(THROTTLED)
    await harness.attach(SMSH)
    settle(harness)
    kept = await harness.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.detail) == (Status.SENT, "duplicate_of_doubt")
    assert [text for _, text in harness.arrived(SMSH)] == [TEXT]
    assert harness.requests(SMSH) == 4


@pytest.mark.usefixtures("_believing")
async def test_a_request_that_a_crash_cut_off_may_have_come_as_well(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    account = await harness.attach(SMSH, line=harness.line)
    send = asyncio.create_task(harness.one(SMSH))
    await until(lambda: harness.accepted(SMSH))
    crashed = harness.folder / "crashed.db"
    copy_as_after_a_crash(harness.ledger, crashed)
    harness.line.release_answers()
    message = await send
    await harness.messenger.close()
    # The provider's search does not find what came so late.
    (known,) = harness.accepted(SMSH)
    harness.client(SMSH).forget()
    await arrive_late(account)
    harness.use(ledger=crashed)
    await harness.attach(SMSH)
    settle(harness)
    kept = await harness.until_kept(message, stage=Stage.CLOSED)
    assert (kept.status, kept.detail) == (Status.SENT, "duplicate_of_doubt")
    assert [text for _, text in harness.arrived(SMSH)] == [known.text]


@pytest.mark.usefixtures("_believing")
async def test_an_alarm_that_repeats_is_repeated_after_a_doubt_too(
    harness: Harness,
) -> None:
    # The text is there from the first alarm: the second can only have been refused.
    await harness.attach(SMSH)
    await harness.one(SMSH)
    _, second = await doubt(harness)
    settle(harness)
    taken = await harness.until_kept(second, stage=Stage.ACCEPTED)
    assert taken.error is None
    (_, text), (_, again) = harness.arrived(SMSH)
    assert text == TEXT
    assert again.startswith(f"{TEXT} ")


@pytest.mark.usefixtures("_believing")
async def test_an_alarm_of_another_sender_is_no_reason_for_a_duplicate(
    harness: Harness,
) -> None:
    await harness.attach(SMSH)
    await harness.send(SMSH, NUMBER, sender="Cantina")
    account, second = await doubt(harness)
    await arrive_late(account)
    settle(harness)
    kept = await harness.until_kept(second, stage=Stage.CLOSED)
    assert kept.detail == "duplicate_of_doubt"


@pytest.mark.usefixtures("_believing")
async def test_a_doubt_about_a_repeat_says_nothing_of_its_plain_text(
    harness: Harness,
) -> None:
    # The plain text came by another way, and what was lost is the one with the time.
    account = await harness.attach(SMSH, line=harness.line)
    await arrive_late(account)
    harness.line.hold_answers()
    send = asyncio.create_task(harness.one(SMSH))
    await until(lambda: harness.requests(SMSH) == 2)
    harness.client(SMSH).reply(Lost.REQUEST)
    harness.line.release_answers()
    message = await send
    assert (message.stage, harness.requests(SMSH)) == (Stage.IN_DOUBT, 3)
    settle(harness)
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    (_, text), (_, again) = harness.arrived(SMSH)
    assert text == TEXT
    assert again.startswith(f"{TEXT} ")


# Repeats and the limits


async def test_a_repeat_is_not_longer_than_the_account_may_send(
    harness: Harness,
) -> None:
    await harness.attach(SMSH, max_parts=1)
    text = "x" * 158
    await harness.one(SMSH, text=text)
    message = await harness.one(SMSH, text=text)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.DUPLICATE)
    assert (harness.requests(SMSH), message.parts) == (2, 1)


@pytest.mark.parametrize(("asked", "fallback"), [(1, None), (None, 1)])
async def test_a_repeat_at_a_fallback_is_not_longer_than_either_account_allows(
    harness: Harness, asked: int | None, fallback: int | None
) -> None:
    await harness.attach(SMSH, max_parts=fallback)
    await harness.attach(
        KEY, refusing=ErrorKind.SENDER, fallback=(SMSH,), max_parts=asked
    )
    text = "x" * 158
    await harness.one(SMSH, text=text)
    message = await harness.one(KEY, text=text)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.SENDER)
    assert len(harness.accepted(SMSH)) == 1


@pytest.mark.parametrize(("limit", "requests"), [(2, 2), (3, 3)])
async def test_a_repeat_that_takes_one_more_part_must_be_within_the_daily_limit(
    harness: Harness, limit: int, requests: int
) -> None:
    await harness.attach(SMSH, daily_limit=limit)
    text = "x" * 158
    await harness.one(SMSH, text=text)
    message = await harness.one(SMSH, text=text)
    is_sent = limit == 3
    assert (message.error is None) is is_sent
    assert harness.messenger.totals.spent_today(SMSH).parts == (3 if is_sent else 1)
    assert harness.requests(SMSH) == requests


async def test_a_repeat_that_is_refused_again_has_the_parts_of_its_marked_text(
    harness: Harness,
) -> None:
    await harness.attach(SMSH, refusing=ErrorKind.DUPLICATE)
    message = await harness.one(SMSH, text="x" * 158)
    assert [len(one.text) for one in harness.client(SMSH).submissions] == [158, 167]
    assert (message.status, message.parts) == (Status.FAILED, 2)
    assert message.error is ErrorKind.DUPLICATE


async def test_a_text_too_long_for_a_fallbacks_own_option_does_not_go_there(
    harness: Harness,
) -> None:
    await harness.attach(SMSH, max_parts=1)
    await harness.attach(KEY, refusing=ErrorKind.SENDER, fallback=(SMSH,))
    message = await harness.one(KEY, text="x" * 161)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.SENDER)
    assert not harness.requests(SMSH)


# Faults of ours


def breaking_once() -> Callable[[str], str | None]:
    """Return a callback URL that breaks the first time that it is looked up."""
    broken = [True]

    def callback_url(reference: str) -> str | None:
        if not reference and broken:
            broken.clear()
            raise RuntimeError(TEXT)
        return None

    return callback_url


async def test_a_fault_in_one_request_leaves_no_other_without_its_outcome(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    key = ONE
    await harness.attach(KEY)
    no_credit = NotSent(kind=ErrorKind.CREDIT)
    harness.client(key).reply(None, no_credit, no_credit)
    await harness.attach(key, fallback=(KEY,), callback_url=breaking_once())
    messages = await harness.send(key, *numbers(3))
    assert {one.stage for one in messages} == {Stage.ACCEPTED}
    assert [one.last_account for one in messages].count(KEY) == 2
    assert len(harness.accepted(key)) == 1
    assert TEXT not in caplog.text
    assert "RuntimeError" in caplog.text


class Breaking:
    """The ledger, which breaks when it is asked for a reference some time."""

    def __init__(self, ledger: Ledger, at: int) -> None:
        """Break at the question of this place, counted from one."""
        self._known = ledger.knows_reference
        self._left = at

    async def __call__(self, reference: str, waiting: Dispatch) -> bool:
        """Answer as the ledger does, or break."""
        self._left -= 1
        if not self._left:
            raise RuntimeError(TEXT)
        return await self._known(reference, waiting)


@pytest.mark.parametrize("at", [1, 2])
async def test_a_message_that_a_fault_stops_before_its_request_waits_and_is_sent_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Be it at the account that was asked or at the one after it."""
    harness.use(timing=TIMING)
    await harness.attach(
        REFERENCE, name="first", refusing=ErrorKind.AUTH, fallback=("second",)
    )
    await harness.attach(REFERENCE, name="second")
    ledger = harness.messenger.ledger
    monkeypatch.setattr(ledger, "knows_reference", Breaking(ledger, at))
    (message,) = await harness.send("first", reference="allarme")
    assert message.stage in {Stage.WAITING, Stage.ACCEPTED}
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert len(harness.accepted("second")) == 1


async def test_a_fault_between_two_requests_leaves_no_message_alone(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness.use(timing=TIMING)
    await harness.attach(KEY)
    batches = Submitter.batches
    faults = [RuntimeError(TEXT)]

    def breaking(
        submitter: Submitter, pending: Sequence[Pending]
    ) -> list[tuple[Pending, ...]]:
        if faults:
            raise faults.pop()
        return batches(submitter, pending)

    monkeypatch.setattr(Submitter, "batches", breaking)
    message = await harness.one(KEY)
    assert message.status is Status.QUEUED
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert len(harness.accepted(KEY)) == 1
    assert TEXT not in caplog.text


async def test_what_changed_while_it_waited_for_a_slot_is_not_in_the_request(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(KEY, line=harness.line)
    sends = [asyncio.create_task(harness.one(KEY, to, to)) for to in numbers(33)]
    await until(lambda: harness.requests(KEY) == 32)
    (last,) = (
        one
        for one in harness.messenger.open_messages(KEY)
        if one.stage is Stage.WAITING
    )
    await harness.messenger.cancel(last.id)
    harness.line.release_answers()
    messages = await asyncio.gather(*sends)
    assert messages[-1].error is ErrorKind.CANCELLED
    assert harness.requests(KEY) == 32


async def test_what_is_late_is_left_out_of_a_request_that_others_need(
    harness: Harness,
) -> None:
    """One that failed over has an hour more than the others of its dispatch."""
    clock, accounts = harness.time.clock(), Accounts(lambda _: False)
    account = harness.account(KEY)
    accounts.attach(account)
    ledger = Ledger(harness.ledger, harness.troubles.append, clock)
    await ledger.open(clock.today())
    context = a_context(accounts, ledger, clock, STILL)
    dispatch = a_dispatch(
        account=KEY, route=(KEY,), due=clock.now(), expires=clock.now() + 3600
    )
    messages = [
        a_message(dispatch, 1, number=NUMBER, failed_over_from="before"),
        a_message(dispatch, 2, number=OTHER),
    ]
    context.open_messages.add(messages)
    submitter = Submitter(
        context,
        Choice(context, messages),
        account,
        numbers=frozenset({NUMBER, OTHER}),
        rank=Rank.SMALL,
    )
    pending = [Pending(message) for message in messages]
    harness.time.pass_by(3601)
    await submitter.submit(pending)
    context.stop()
    await ledger.close()
    assert harness.arrived(KEY) == [(NUMBER, TEXT)]
    assert pending[1].refusal == NotSent(kind=ErrorKind.UNAVAILABLE, detail="no_turn")


# Other credentials meanwhile


def other_client(harness: Harness) -> FakeClient:
    """Return what sends with other credentials."""
    return PRESETS[KEY]("other", harness.calls)


async def test_what_waited_for_a_slot_leaves_with_the_credentials_of_then(
    harness: Harness,
) -> None:
    account = await harness.attach(KEY, line=harness.line)
    harness.line.hold_answers()
    sends = [asyncio.create_task(harness.one(KEY, to, to)) for to in numbers(33)]
    await until(lambda: harness.requests(KEY) == 32)
    other = other_client(harness)
    await harness.messenger.attach(replace(account, client=other))
    harness.line.release_answers()
    await asyncio.gather(*sends)
    assert (harness.requests(KEY), len(other.accepted)) == (32, 1)


async def test_a_refusal_of_credentials_that_are_gone_says_nothing_of_the_new_ones(
    harness: Harness,
) -> None:
    """The message is tried with them at once, and nobody is asked to sign in again."""
    account = await harness.attach(KEY, line=harness.line, refusing=ErrorKind.AUTH)
    harness.line.hold_answers()
    sending = asyncio.create_task(harness.one(KEY))
    await until(lambda: harness.requests(KEY) == 1)
    other = other_client(harness)
    await harness.messenger.attach(replace(account, client=other))
    harness.line.release_answers()
    message = await sending
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert len(other.accepted) == 1
    assert not any(isinstance(event, CredentialsRefused) for event in harness.events)
