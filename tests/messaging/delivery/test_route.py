"""Which account takes a message, and that no text goes out twice by our doing."""

import asyncio
from decimal import Decimal

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging import (
    Account,
    CredentialsRefused,
    CreditChanged,
    CreditProved,
    CreditReported,
    Refusal,
    RequestRefusedError,
    SendAccepted,
    Stage,
    Timing,
)
from custom_components.sms_italia.providers import (
    Accepted,
    ErrorKind,
    NotSent,
    Status,
    Uncertain,
)

from ..fake import (
    LANDLINE,
    MANY,
    ONE,
    PLAIN,
    REFERENCE,
    THROTTLED,
    THROTTLED_FOR_7_SECONDS,
    Lost,
    Reply,
)
from ..helpers import NUMBER, OTHER, STILL, TEXT, THIRD, Harness, numbers, until
from ..virtual import run

DOUBTFUL = (Lost.REQUEST, Lost.ANSWER, Uncertain(detail="http_500"))
"""After these nobody can know whether the text left."""

UNAVAILABLE = NotSent(kind=ErrorKind.UNAVAILABLE)
REFUSING = (THROTTLED, UNAVAILABLE)
"""These prove that nothing was accepted, and say that time may cure it."""

TAKEN = {Status.QUEUED, Status.SENT}


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let no second attempt and no status question come by itself."""
    harness.use(timing=STILL)


# Batches


@pytest.mark.parametrize(
    ("key", "count", "requests"), [(MANY, 100, 1), (MANY, 101, 2), (ONE, 3, 3)]
)
async def test_many_numbers_cost_one_request_for_each_batch_the_provider_takes(
    harness: Harness, key: str, count: int, requests: int
) -> None:
    await harness.attach(key, daily_limit=0)
    messages = await harness.send(key, *numbers(count))
    assert harness.requests(key) == requests
    assert len(messages) == len(harness.accepted(key)) == count
    assert {one.status for one in messages} <= TAKEN
    assert len({one.submission for one in messages}) == requests


@pytest.mark.parametrize("key", [MANY, ONE])
async def test_one_bad_number_does_not_stop_the_others(
    harness: Harness, key: str
) -> None:
    await harness.attach(key)
    first, bad, last = await harness.send(key, NUMBER, LANDLINE, OTHER)
    assert (bad.status, bad.error) == (Status.FAILED, ErrorKind.RECIPIENT)
    assert {first.status, last.status} <= TAKEN
    assert sorted(harness.arrived(key)) == [(NUMBER, TEXT), (OTHER, TEXT)]


async def test_numbers_of_which_none_is_good_each_fail_for_themselves(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).refuse(ErrorKind.RECIPIENT)
    await harness.attach(REFERENCE)
    messages = await harness.send(REFERENCE, LANDLINE, "+390212345678", "+39055123456")
    assert {one.error for one in messages} == {ErrorKind.RECIPIENT}
    assert {one.status for one in messages} == {Status.FAILED}


@pytest.mark.parametrize("place", [0, 3, 9])
async def test_one_bad_number_that_gets_all_refused_is_found(
    harness: Harness, place: int
) -> None:
    await harness.attach(MANY)
    client = harness.client(MANY)
    bad = NotSent(kind=ErrorKind.RECIPIENT)
    client.always(lambda one: bad if LANDLINE in one.recipients else None)
    to = numbers(9)
    to.insert(place, LANDLINE)
    messages = await harness.send(MANY, *to)
    assert [one.number for one in messages if one.status is Status.FAILED] == [LANDLINE]
    assert sorted(to for to, _ in harness.arrived(MANY)) == numbers(9)
    # Halves of halves, not one by one.
    assert harness.requests(MANY) <= 9


async def test_a_number_given_twice_gets_one_message(harness: Harness) -> None:
    await harness.attach(MANY)
    messages = await harness.send(MANY, NUMBER, OTHER, NUMBER)
    assert [one.number for one in messages] == [NUMBER, OTHER]
    assert len(harness.accepted(MANY)) == 2


# Refusals


OF_A_PROVIDER = [kind for kind in ErrorKind if kind is not ErrorKind.CANCELLED]
"""The reasons for which a provider refuses a message."""


async def refuse(harness: Harness, kind: ErrorKind) -> Account:
    """Attach an account whose messages are refused for this reason."""
    return await harness.attach(
        REFERENCE, refusing=kind, fallback=(MANY,), repeat_marker=False
    )


@pytest.mark.parametrize("kind", OF_A_PROVIDER)
async def test_what_an_account_refuses_fails_for_that_reason_or_waits(
    harness: Harness, kind: ErrorKind
) -> None:
    account = await refuse(harness, kind)
    message = await harness.one(account.id)
    assert [one.account for one in harness.calls] == [account.id]
    waits = kind in {
        ErrorKind.AUTH,
        ErrorKind.CREDIT,
        ErrorKind.THROTTLED,
        ErrorKind.UNAVAILABLE,
    }
    assert message.status is (Status.QUEUED if waits else Status.FAILED)
    assert message.error is kind
    assert await harness.latest(message) == message


@pytest.mark.parametrize("kind", [ErrorKind.THROTTLED, ErrorKind.UNAVAILABLE])
async def test_an_account_that_does_not_retry_fails_at_once(
    harness: Harness, kind: ErrorKind
) -> None:
    await harness.attach(MANY, refusing=kind, retry_for=0)
    message = await harness.one(MANY)
    assert (message.status, message.error) == (Status.FAILED, kind)


@pytest.mark.parametrize("kind", OF_A_PROVIDER)
async def test_whatever_was_certainly_not_sent_goes_on_to_another_account(
    harness: Harness, kind: ErrorKind
) -> None:
    await harness.attach(MANY)
    account = await refuse(harness, kind)
    message = await harness.one(account.id)
    assert message.status in TAKEN
    assert message.last_account == MANY
    assert message.error is None
    assert message.dispatch.account == account.id
    assert harness.arrived(MANY) == [(NUMBER, TEXT)]


async def test_fallbacks_are_tried_in_their_order_until_one_takes_it(
    harness: Harness,
) -> None:
    for key in (MANY, REFERENCE):
        await harness.attach(key, refusing=ErrorKind.AUTH)
    await harness.attach(PLAIN)
    await harness.attach(
        ONE,
        refusing=ErrorKind.AUTH,
        fallback=(REFERENCE, MANY, PLAIN),
    )
    message = await harness.one(ONE)
    assert message.last_account == PLAIN
    assert [one.account for one in harness.calls] == [
        ONE,
        REFERENCE,
        MANY,
        PLAIN,
    ]


async def test_a_number_that_one_account_does_not_reach_may_be_reached_by_the_next(
    harness: Harness,
) -> None:
    harness.client(PLAIN).blocked.clear()
    await harness.attach(PLAIN)
    await harness.attach(REFERENCE, fallback=(PLAIN,))
    bad, good = await harness.send(REFERENCE, LANDLINE, NUMBER)
    assert (good.status in TAKEN, good.last_account) == (True, REFERENCE)
    assert (bad.status in TAKEN, bad.last_account) == (True, PLAIN)
    assert harness.arrived(PLAIN) == [(LANDLINE, TEXT)]


@pytest.mark.parametrize("fallback", [(), ("altro",), (MANY,)])
async def test_a_fallback_that_is_not_there_is_passed_over(
    harness: Harness, fallback: tuple[str, ...]
) -> None:
    await harness.attach(MANY, refusing=ErrorKind.SENDER, fallback=fallback)
    message = await harness.one(MANY)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.SENDER)
    assert harness.requests(MANY) == 1


async def test_a_text_too_long_for_a_fallback_does_not_go_there(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN)
    await harness.attach(MANY, refusing=ErrorKind.SENDER, fallback=(PLAIN,))
    message = await harness.one(MANY, text="x" * 153 * 5)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.SENDER)
    assert not harness.client(PLAIN).calls


async def test_a_fallback_over_its_own_daily_limit_is_passed_over(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE, daily_limit=2)
    await harness.attach(PLAIN)
    await harness.attach(
        MANY,
        refusing=ErrorKind.AUTH,
        fallback=(REFERENCE, PLAIN),
    )
    await harness.send(REFERENCE, OTHER, THIRD)
    message = await harness.one(MANY)
    assert message.last_account == PLAIN
    assert len(harness.accepted(REFERENCE)) == 2


async def test_many_messages_at_once_do_not_push_a_fallback_over_its_daily_limit(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE, daily_limit=5)
    await harness.attach(MANY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,))
    messages = await asyncio.gather(*(harness.one(MANY, to) for to in numbers(12)))
    taken = [one for one in messages if one.last_account == REFERENCE and not one.error]
    assert len(harness.accepted(REFERENCE)) == len(taken) == 5


async def test_a_repeat_at_a_fallback_counts_once_for_its_daily_limit(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE, daily_limit=2)
    await harness.attach(MANY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,))
    await harness.one(REFERENCE)
    message = await harness.one(MANY)
    assert message.last_account == REFERENCE
    assert message.status in TAKEN
    assert harness.messenger.totals.spent_today(REFERENCE).parts == 2


@pytest.mark.parametrize(
    ("wanted", "used"), [("Città", "Casa"), ("Ufficio", "Ufficio"), (None, "Casa")]
)
async def test_a_fallback_uses_its_own_sender_where_the_wanted_one_is_not_allowed(
    harness: Harness, wanted: str | None, used: str
) -> None:
    await harness.attach(PLAIN)
    await harness.attach(MANY, refusing=ErrorKind.AUTH, fallback=(PLAIN,))
    await harness.send(MANY, NUMBER, sender=wanted)
    assert [one.sender for one in harness.accepted(PLAIN)] == [used]


async def test_parts_and_cost_are_the_providers_where_it_reports_them(
    harness: Harness,
) -> None:
    taken = Accepted(provider_id="7", parts=2, cost=Decimal("0.082"))
    harness.client(MANY).reply(taken)
    await harness.attach(MANY)
    message = await harness.one(MANY)
    assert (message.parts, message.cost) == (2, Decimal("0.082"))
    assert harness.messenger.totals.spent_today(MANY).parts == 2


# What an answer says of the account


async def test_refused_credentials_are_reported(harness: Harness) -> None:
    await harness.attach(MANY, refusing=ErrorKind.AUTH)
    await harness.one(MANY)
    assert CredentialsRefused(account=MANY) in harness.events


async def test_an_accepted_message_is_reported_of_the_account_that_took_it(
    harness: Harness,
) -> None:
    await harness.attach(MANY)
    await harness.attach(REFERENCE, refusing=ErrorKind.AUTH, fallback=(MANY,))
    await harness.one(REFERENCE)
    assert SendAccepted(account=MANY) in harness.events
    assert SendAccepted(account=REFERENCE) not in harness.events


async def test_the_credit_in_an_answer_is_reported(harness: Harness) -> None:
    await harness.attach(MANY)
    await harness.one(MANY)
    (reported,) = [one for one in harness.events if isinstance(one, CreditReported)]
    assert reported.balance == harness.client(MANY).balance
    assert CreditChanged(account=MANY) in harness.events


async def test_nothing_is_reported_of_credit_when_nothing_was_taken(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).reply(THROTTLED_FOR_7_SECONDS)
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    assert CreditChanged(account=REFERENCE) not in harness.events


async def test_a_refusal_for_want_of_credit_says_that_the_credit_is_another(
    harness: Harness,
) -> None:
    harness.client(REFERENCE).refuse(ErrorKind.CREDIT)
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    assert CreditChanged(account=REFERENCE) in harness.events
    assert CreditProved(account=REFERENCE, is_enough=False) in harness.events


async def test_an_accepted_sms_proves_that_the_credit_is_enough(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    assert CreditProved(account=REFERENCE, is_enough=True) in harness.events


# Doubt


@pytest.mark.parametrize("doubt", DOUBTFUL)
async def test_after_a_doubt_nothing_is_sent_again_anywhere(
    harness: Harness, doubt: Reply
) -> None:
    harness.client(MANY).reply(doubt)
    await harness.attach(REFERENCE)
    await harness.attach(MANY, fallback=(REFERENCE,))
    message = await harness.one(MANY)
    assert message.status is Status.UNCERTAIN
    assert message.error is None
    assert message.detail
    assert harness.requests(MANY) == 1
    assert not harness.client(REFERENCE).calls
    assert await harness.latest(message) == message


@pytest.mark.parametrize("doubt", DOUBTFUL)
async def test_rather_twice_than_never_sends_once_more_through_the_fallback(
    harness: Harness, doubt: Reply
) -> None:
    harness.client(MANY).reply(doubt)
    await harness.attach(REFERENCE)
    await harness.attach(
        MANY,
        fallback=(REFERENCE,),
        resend_uncertain=True,
    )
    message = await harness.one(MANY)
    assert message.status in TAKEN
    assert message.last_account == REFERENCE
    assert harness.requests(MANY) == 1
    assert harness.arrived(REFERENCE) == [(NUMBER, TEXT)]


async def test_a_doubt_stays_one_if_no_other_account_takes_the_message(
    harness: Harness,
) -> None:
    harness.client(MANY).reply(Lost.ANSWER)
    harness.client(REFERENCE).refuse(ErrorKind.CREDIT)
    await harness.attach(REFERENCE)
    await harness.attach(MANY, fallback=(REFERENCE,), resend_uncertain=True)
    message = await harness.one(MANY)
    assert message.status is Status.UNCERTAIN
    assert message.last_account == MANY
    assert await harness.latest(message) == message
    assert not harness.messenger.open_messages(MANY)


async def test_what_one_account_may_have_taken_is_not_put_on_anothers_bill(
    harness: Harness,
) -> None:
    # The submission was taken, but which of its numbers were is not reported.
    doubt = Uncertain(detail="not_listed", provider_id="7")
    harness.client(MANY).reply({NUMBER: doubt, OTHER: doubt})
    harness.client(REFERENCE).refuse(ErrorKind.CREDIT)
    await harness.attach(REFERENCE)
    await harness.attach(MANY, fallback=(REFERENCE,), resend_uncertain=True)
    first, second = await harness.send(MANY, NUMBER, OTHER)
    assert {first.status, second.status} == {Status.UNCERTAIN}
    assert {first.last_account, second.last_account} == {MANY}
    assert harness.messenger.totals.spent_today(REFERENCE).parts == 0


async def test_a_message_in_doubt_does_not_hold_back_the_others_of_its_dispatch(
    harness: Harness,
) -> None:
    harness.client(ONE).reply(Lost.ANSWER)
    await harness.attach(ONE)
    messages = await harness.send(ONE, *numbers(4))
    statuses = sorted(one.status for one in messages)
    # The account is paused after the cut, but what was on the wire already arrives.
    assert statuses.count(Status.UNCERTAIN) == 1
    assert len(harness.accepted(ONE)) == 4


@pytest.mark.parametrize("reply", [{}, RuntimeError("segreto")])
async def test_a_fault_of_ours_while_sending_leaves_a_doubt_and_no_text_in_the_log(
    harness: Harness, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    await harness.attach(MANY)
    harness.client(MANY).reply(reply)
    message = await harness.one(MANY, text="segreto")
    assert message.status is Status.UNCERTAIN
    assert "segreto" not in caplog.text
    assert NUMBER not in caplog.text


async def test_a_sending_that_is_cancelled_leaves_a_doubt(harness: Harness) -> None:
    harness.line.hold_answers()
    await harness.attach(MANY, line=harness.line)
    send = asyncio.create_task(harness.one(MANY))
    await until(lambda: harness.requests(MANY))
    (work,) = [
        task for task in asyncio.all_tasks() if task.get_name() == "sms_italia send"
    ]
    work.cancel()
    message = await send
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    assert await harness.latest(message) == message


# Rest


async def test_an_account_that_rests_is_not_asked(harness: Harness) -> None:
    harness.client(MANY).reply(THROTTLED)
    await harness.attach(MANY)
    messages = [await harness.one(MANY, to) for to in numbers(10)]
    assert {one.status for one in messages} == {Status.QUEUED}
    assert harness.requests(MANY) == 1


async def test_while_an_account_rests_its_fallback_is_asked_at_once(
    harness: Harness,
) -> None:
    harness.client(MANY).reply(Lost.REQUEST)
    await harness.attach(REFERENCE)
    await harness.attach(MANY, fallback=(REFERENCE,))
    await harness.one(MANY)
    messages = [await harness.one(MANY, to) for to in numbers(10)]
    assert {one.last_account for one in messages} == {REFERENCE}
    assert harness.requests(MANY) == 1
    assert len(harness.accepted(REFERENCE)) == 10


async def test_in_a_storm_few_requests_find_out_that_an_account_is_down(
    harness: Harness,
) -> None:
    harness.client(MANY).reply(THROTTLED, times=1000)
    await harness.attach(REFERENCE, daily_limit=0)
    await harness.attach(MANY, fallback=(REFERENCE,), daily_limit=0)
    messages = await asyncio.gather(*(harness.one(MANY, to) for to in numbers(100)))
    assert {one.last_account for one in messages} == {REFERENCE}
    assert len(harness.accepted(REFERENCE)) == 100
    assert harness.requests(MANY) <= 32


async def test_a_refusal_of_one_message_lets_no_account_rest(harness: Harness) -> None:
    await harness.attach(PLAIN)
    await harness.one(PLAIN, LANDLINE)
    message = await harness.one(PLAIN)
    assert message.status in TAKEN


# The daily limit


async def test_the_daily_limit_refuses_before_any_request(harness: Harness) -> None:
    await harness.attach(MANY, daily_limit=3)
    await harness.send(MANY, NUMBER, OTHER)
    with pytest.raises(RequestRefusedError) as caught:
        await harness.send(MANY, NUMBER, OTHER)
    assert caught.value.reason is Refusal.DAILY_LIMIT
    assert caught.value.placeholders["spent"] == "2"
    assert harness.requests(MANY) == 1
    await harness.one(MANY, THIRD)
    assert len(harness.accepted(MANY)) == 3


@pytest.mark.parametrize("limits", [(1, 2), (1, 0), (1, 3)])
async def test_a_message_goes_on_where_the_account_that_was_asked_is_full(
    harness: Harness, limits: tuple[int, int]
) -> None:
    asked, fallback = limits
    await harness.attach(REFERENCE, daily_limit=fallback)
    await harness.attach(MANY, daily_limit=asked, fallback=(REFERENCE,))
    first, second, third = [await harness.one(MANY, to) for to in numbers(3)]
    assert first.last_account == MANY
    assert second.last_account == third.last_account == REFERENCE
    assert second.status in TAKEN
    assert second.dispatch.account == MANY
    assert harness.messenger.totals.spent_today(MANY).parts == 1


async def test_where_all_accounts_are_full_the_request_is_refused(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE, daily_limit=1)
    await harness.attach(MANY, daily_limit=1, fallback=(REFERENCE, "altro"))
    await asyncio.gather(*(harness.one(MANY, to) for to in numbers(2)))
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT) as caught:
        await harness.one(MANY, THIRD)
    assert caught.value.placeholders["account"] == "Many"
    assert harness.requests(MANY) == harness.requests(REFERENCE) == 1


async def test_a_fallback_that_may_not_send_the_text_does_not_widen_the_limit(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN, max_parts=1)
    await harness.attach(MANY, daily_limit=1, fallback=(PLAIN,))
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.one(MANY, text="x" * 161)


async def test_a_group_goes_to_no_fallback_where_its_own_account_is_full(
    harness: Harness,
) -> None:
    await harness.attach(MANY)
    await harness.attach(REFERENCE, daily_limit=1, fallback=(MANY,))
    harness.client(REFERENCE).groups["7"] = (NUMBER,)
    await harness.one(REFERENCE)
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.send(REFERENCE, groups=("7",))


@pytest.mark.parametrize("key", [MANY, ONE])
async def test_many_sends_at_once_do_not_pass_the_daily_limit(
    harness: Harness, key: str
) -> None:
    await harness.attach(key, daily_limit=5)
    results = await asyncio.gather(
        *(harness.one(key, to) for to in numbers(50)), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, RequestRefusedError)]
    assert {one.reason for one in refused} == {Refusal.DAILY_LIMIT}
    assert len(refused) == 45
    assert len(harness.accepted(key)) == 5


async def test_messages_that_wait_count_for_the_daily_limit(harness: Harness) -> None:
    harness.line.down()
    await harness.attach(MANY, line=harness.line, daily_limit=2)
    await harness.send(MANY, NUMBER, OTHER)
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.one(MANY, THIRD)


async def test_messages_that_failed_do_not_count_for_the_daily_limit(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN, daily_limit=1)
    for _ in range(3):
        await harness.one(PLAIN, LANDLINE)
    assert (await harness.one(PLAIN)).status in TAKEN


async def test_the_day_after_the_daily_limit_is_new(harness: Harness) -> None:
    await harness.attach(MANY, daily_limit=1)
    await harness.one(MANY)
    harness.time.pass_by(86_400)
    assert (await harness.one(MANY)).status in TAKEN


# Repeats


async def test_an_alarm_that_repeats_goes_out_again_with_the_time_behind_it(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE)
    message = await harness.one(REFERENCE)
    assert message.status in TAKEN
    assert await harness.latest(message) == message
    (_, first), (_, second) = harness.arrived(REFERENCE)
    assert first == TEXT
    assert second.startswith(f"{TEXT} ")
    assert len(second) == len(TEXT) + len(" 14:05:09")


async def test_a_repeat_is_marked_once_and_goes_on_with_the_marked_text(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN)
    await harness.attach(
        REFERENCE, refusing=ErrorKind.DUPLICATE, fallback=(MANY, PLAIN)
    )
    await harness.attach(MANY, refusing=ErrorKind.DUPLICATE)
    message = await harness.one(REFERENCE)
    texts = [one.text for one in harness.client(REFERENCE).submissions]
    assert texts == [TEXT, message.text]
    assert [one.text for one in harness.client(MANY).submissions] == [message.text]
    assert harness.arrived(PLAIN) == [(NUMBER, message.text)]
    assert (await harness.latest(message)).text == message.text != TEXT


async def test_only_the_repeats_of_a_dispatch_get_the_time_behind_them(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    await harness.one(REFERENCE, NUMBER)
    await harness.send(REFERENCE, NUMBER, OTHER)
    texts = dict(harness.arrived(REFERENCE)[1:])
    assert texts[OTHER] == TEXT
    assert texts[NUMBER] != TEXT
    assert harness.requests(REFERENCE) == 3


async def test_a_repeat_that_would_be_too_long_with_the_time_fails(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    text = "x" * 153 * 7
    await harness.one(REFERENCE, text=text)
    message = await harness.one(REFERENCE, text=text)
    assert (message.status, message.error) == (Status.FAILED, ErrorKind.DUPLICATE)
    assert harness.requests(REFERENCE) == 2


async def test_a_repeat_that_takes_one_more_part_is_counted_as_such(
    harness: Harness,
) -> None:
    await harness.attach(REFERENCE)
    text = "x" * 158
    await harness.one(REFERENCE, text=text)
    message = await harness.one(REFERENCE, text=text)
    assert message.parts == 2
    assert harness.messenger.totals.spent_today(REFERENCE).parts == 3


# Whatever goes wrong

KEYS = (MANY, REFERENCE, ONE)
REPLIES = st.lists(
    st.sampled_from([None, *DOUBTFUL, *REFUSING, *REFUSING]), min_size=1, max_size=5
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(replies=st.fixed_dictionaries(dict.fromkeys(KEYS, REPLIES)))
def test_whatever_goes_wrong_no_text_is_taken_twice_or_sent_after_a_doubt(
    tmp_path_factory: pytest.TempPathFactory, replies: dict[str, list[Reply]]
) -> None:
    async def scenario(harness: Harness) -> None:
        await _go_through(harness, replies)

    run(tmp_path_factory.mktemp("ledger"), scenario)


async def _go_through(harness: Harness, replies: dict[str, list[Reply]]) -> None:
    """Send some texts while everything breaks, wait for all, and look back."""
    # No doubt is ever settled here, after which a text may be sent again.
    harness.use(timing=Timing(never_came=10**6, never_came_bulk=10**6))
    for key, fallback in ((MANY, (REFERENCE, ONE)), (REFERENCE, (ONE,)), (ONE, ())):
        await harness.attach(key, fallback=fallback)
        harness.client(key).reply(*replies[key])
    texts = [f"Allarme {index}" for index in range(5)]
    for index, text in enumerate(texts):
        await harness.one(KEYS[index % 2], numbers(2)[index % 2], text=text)
    await asyncio.sleep(3600)
    for message in await harness.found():
        assert message.stage not in {Stage.WAITING, Stage.SUBMITTING}
    await harness.messenger.close()
    taken = [text for key in KEYS for _, text in harness.arrived(key)]
    for text in texts:
        assert taken.count(text) <= 1
        sends = [one for one in harness.calls if one.text == text]
        assert sends
        assert not any(one.reply in DOUBTFUL for one in sends[:-1])
