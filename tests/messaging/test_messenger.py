"""The messenger as a whole: requests in, messages out, nothing left behind."""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from pathlib import Path
import shutil
import sqlite3
import threading

import pytest

from custom_components.sms_italia.messaging import (
    AccountOptions,
    BadTarget,
    CreditReported,
    DayTotal,
    LedgerTrouble,
    Message,
    MessagesChanged,
    NumberProblem,
    PhoneNumber,
    Refusal,
    RequestRefusedError,
    Stage,
    Target,
    TextEncoding,
    Timing,
    TotalsChanged,
    UndeliveredChanged,
    account as account_module,
    messenger,
)
from custom_components.sms_italia.messaging.ledger import Entry, LedgerClosedError
from custom_components.sms_italia.providers import Encoding, ErrorKind, Status

from .fake import MANY, ONE, PLAIN, REFERENCE, Late, Lost, Reply
from .helpers import (
    NUMBER,
    OTHER,
    STILL,
    TEXT,
    THIRD,
    TIMING,
    Harness,
    a_dispatch,
    a_message,
    copy_as_a_backup,
    copy_as_after_a_crash,
    mark_of,
    numbers,
    python,
    tidied_up,
    until,
)
from .virtual import run

KEY = MANY
HOUR = 3600
DAYS = 86_400
TAKEN = {Status.QUEUED, Status.SENT}
FRENCH = PhoneNumber("+33612345678", "FR")


def ours() -> list[str]:
    """Return what runs of ours: tasks, timers' owners aside, and threads."""
    tasks = [task.get_name() for task in asyncio.all_tasks()]
    threads = [thread.name for thread in threading.enumerate()]
    return [name for name in tasks + threads if "sms_italia" in name]


@pytest.fixture(autouse=True)
def _still(harness: Harness) -> None:
    """Let nothing come by itself."""
    harness.use(timing=STILL)


# A request and its messages


async def test_a_request_becomes_messages_that_are_on_record(harness: Harness) -> None:
    await harness.attach(KEY)
    message = await harness.one(KEY)
    assert message.status in TAKEN
    assert (message.number, message.dispatch.text) == (NUMBER, TEXT)
    assert message.last_account == message.dispatch.account == KEY
    assert message.parts == 1
    (arrived,) = harness.accepted(KEY)
    assert arrived.id == message.provider_id
    assert arrived.sender == "Casa"
    assert await harness.found() == (message,)
    assert harness.messenger.open_messages(KEY) == [message]
    assert harness.messenger.open_messages("altro") == []


async def test_messages_come_back_in_the_order_of_their_numbers_bad_ones_last(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    bad = BadTarget(given="zia", problem=NumberProblem.INVALID)
    messages = await harness.send(KEY, OTHER, bad, FRENCH_TARGET, NUMBER)
    assert [one.number for one in messages] == [OTHER, NUMBER, "zia", FRENCH.e164]
    assert [one.status for one in messages[2:]] == [Status.FAILED] * 2
    assert [one.error for one in messages[2:]] == [ErrorKind.RECIPIENT] * 2
    assert [one.detail for one in messages[2:]] == [
        Refusal.INVALID_NUMBER,
        Refusal.COUNTRY_NOT_ALLOWED,
    ]
    assert {to for to, _ in harness.arrived(KEY)} == {OTHER, NUMBER}
    assert await harness.found() == messages


FRENCH_TARGET = Target(number=FRENCH)


async def test_a_number_that_may_be_sent_to_is_not_refused_as_well(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    recipient = Target(number=FRENCH, recipient="zia")
    messages = await harness.send(KEY, FRENCH_TARGET, recipient)
    assert [(one.number, one.recipient) for one in messages] == [(FRENCH.e164, "zia")]
    assert messages[0].status in TAKEN


async def test_the_recipient_of_a_message_is_kept(harness: Harness) -> None:
    await harness.attach(KEY)
    target = Target(number=PhoneNumber(NUMBER, "IT"), recipient="mamma")
    (message,) = await harness.send(KEY, target, NUMBER)
    assert message.recipient == "mamma"
    assert (await harness.latest(message)).recipient == "mamma"


@pytest.mark.parametrize(
    ("option", "ordered", "text", "encoding"),
    [
        (TextEncoding.SMART, None, "E' 21 C", Encoding.GSM7),
        (TextEncoding.UNICODE, None, "È 21 °C", Encoding.UCS2),
        (TextEncoding.UNICODE, TextEncoding.GSM7, "E' 21 C", Encoding.GSM7),
    ],
)
async def test_the_text_is_prepared_as_the_request_says_else_as_the_account_does(
    harness: Harness,
    option: TextEncoding,
    ordered: TextEncoding | None,
    text: str,
    encoding: Encoding,
) -> None:
    await harness.attach(KEY, encoding=option)
    (message,) = await harness.send(KEY, NUMBER, text="È 21 °C", encoding=ordered)
    assert (message.dispatch.text, message.dispatch.encoding) == (text, encoding)
    assert harness.arrived(KEY) == [(NUMBER, text)]


async def test_neither_number_nor_text_is_in_the_repr_or_the_log(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    harness.client(KEY).reply(Lost.ANSWER)
    await harness.attach(KEY)
    message = await harness.one(KEY)
    await harness.one(KEY, OTHER)
    ours = "".join(
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components")
    )
    for secret in (NUMBER, NUMBER[1:], TEXT):
        assert secret not in repr(message)
        assert secret not in ours


async def test_a_caller_that_goes_away_does_not_stop_the_sending(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(KEY, line=harness.line)
    caller = asyncio.create_task(harness.one(KEY))
    await until(lambda: harness.requests(KEY))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    harness.line.release_answers()
    (message,) = await harness.found()
    await harness.until_kept(message, stage=Stage.ACCEPTED)
    assert len(harness.accepted(KEY)) == 1


async def test_a_caller_that_goes_away_at_once_does_not_stop_the_sending_either(
    harness: Harness,
) -> None:
    await harness.attach(KEY, daily_limit=1)
    caller = asyncio.create_task(harness.one(KEY))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.one(KEY, OTHER)
    await until(lambda: harness.accepted(KEY))


async def test_a_long_text_to_many_numbers_is_counted_part_by_part(
    harness: Harness,
) -> None:
    harness.client(KEY).price = Decimal("0.05")
    await harness.attach(KEY)
    await harness.send(KEY, *numbers(3), text="x" * 161)
    assert harness.messenger.totals.spent_today(KEY) == DayTotal(
        parts=6, cost=Decimal("0.3")
    )
    assert harness.messenger.totals.spent_today("altro") == DayTotal()


# Accounts come and go


async def test_an_account_that_was_let_go_sends_no_more(harness: Harness) -> None:
    await harness.attach(KEY)
    await harness.attach(REFERENCE)
    await harness.messenger.detach(KEY)
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await harness.one(KEY)
    assert (await harness.one(REFERENCE)).status in TAKEN


async def test_an_account_that_comes_with_new_options_has_them(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.attach(KEY, max_parts=1)
    with pytest.raises(RequestRefusedError, match=Refusal.TOO_MANY_PARTS):
        await harness.one(KEY, text="x" * 161)


async def test_a_fallback_that_was_let_go_is_not_asked(harness: Harness) -> None:
    await harness.attach(REFERENCE)
    await harness.attach(KEY, refusing=ErrorKind.AUTH, fallback=(REFERENCE,))
    await harness.messenger.detach(REFERENCE)
    message = await harness.one(KEY)
    assert message.error is ErrorKind.AUTH
    assert not harness.client(REFERENCE).calls


async def test_a_message_on_the_wire_gets_its_outcome_when_its_account_goes(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(REFERENCE)
    await harness.attach(KEY, line=harness.line)
    send = asyncio.create_task(harness.one(KEY))
    await until(lambda: harness.requests(KEY))
    await harness.messenger.detach(KEY)
    harness.line.release_answers()
    message = await send
    assert message.status in TAKEN
    assert await harness.latest(message) == message


async def test_messages_not_on_the_wire_yet_wait_when_their_account_goes(
    harness: Harness,
) -> None:
    key = ONE
    harness.line.hold_answers()
    await harness.attach(KEY)
    await harness.attach(key, line=harness.line)
    send = asyncio.create_task(harness.send(key, *numbers(34)))
    await until(lambda: harness.requests(key) == 32)
    await harness.messenger.detach(key)
    harness.line.release_answers()
    messages = await send
    assert [one.stage for one in messages[32:]] == [Stage.WAITING] * 2
    assert harness.requests(key) == 32
    await harness.attach(key)
    await until(lambda: len(harness.accepted(key)) == 34)
    assert harness.requests(key) == 34


async def test_whoever_has_the_answer_finds_that_listeners_know_of_it(
    harness: Harness,
) -> None:
    """The status of a message is shown by the time that its action ends."""
    await harness.attach(KEY)
    message = await harness.one(KEY)
    assert harness.statuses[message.id][-1] is message.status
    kinds = {type(event) for event in harness.events}
    assert {MessagesChanged, TotalsChanged, CreditReported} <= kinds


@pytest.mark.parametrize("others", [(REFERENCE,), ()], ids=["one-of-two", "last"])
async def test_a_request_in_the_moment_its_account_goes_is_sent_all_the_same(
    harness: Harness, others: tuple[str, ...]
) -> None:
    for key in (*others, KEY):
        await harness.attach(key)
    sending, _ = await asyncio.gather(
        harness.one(KEY), harness.messenger.detach(KEY), return_exceptions=True
    )
    assert isinstance(sending, Message)
    assert sending.status in TAKEN
    await harness.attach(KEY)
    await harness.until_kept(sending, stage=Stage.ACCEPTED)
    assert len(harness.accepted(KEY)) == 1


@pytest.mark.parametrize("turns", range(8))
async def test_messages_arrive_once_whenever_their_account_is_loaded_again(
    harness: Harness, turns: int
) -> None:
    """Also while the outbox sends them, before or after a message's turn."""
    key, texts = ONE, ["primo", "secondo", "terzo"]
    await harness.attach(key, line=harness.line, retry_for=10 * HOUR)
    harness.line.down()
    for text in texts:
        await harness.send(key, NUMBER, OTHER, text=text)
    harness.line.up()
    harness.time.pass_by(HOUR)
    # With each account that is loaded, the outbox looks what is due.
    await harness.attach(REFERENCE)
    for _ in range(turns):
        await asyncio.sleep(0)
    await harness.messenger.detach(key)
    await harness.attach(key, line=harness.line, retry_for=10 * HOUR)
    await until(lambda: len(harness.accepted(key)) == 2 * len(texts))
    for number in (NUMBER, OTHER):
        arrived = [text for to, text in harness.arrived(key) if to == number]
        assert sorted(arrived) == sorted(texts)


async def test_a_clock_that_is_set_back_after_a_reload_keeps_no_message_waiting(
    harness: Harness,
) -> None:
    key = ONE
    await harness.attach(key)
    await harness.messenger.detach(key)
    await harness.attach(key)
    harness.time.set_forward(-600)
    (message,) = await harness.send(key, send_at=harness.time.now() + 0.2)
    assert message.stage is Stage.WAITING
    await until(lambda: harness.accepted(key))
    await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_one_account_that_goes_breaks_no_other_accounts_waiting_messages(
    harness: Harness,
) -> None:
    keys = (KEY, ONE)
    for key in keys:
        await harness.attach(key, line=harness.line, retry_for=10 * HOUR)
    harness.line.down()
    await harness.one(ONE, OTHER)
    await harness.one(KEY, NUMBER, "primo")
    await harness.one(ONE, NUMBER, "secondo")
    harness.line.hold_answers()
    harness.line.up()
    harness.time.pass_by(2 * HOUR)
    await harness.attach(REFERENCE)
    await until(lambda: harness.requests(KEY) and harness.requests(ONE))
    # The second text waits behind the first one when its account goes.
    await harness.messenger.detach(ONE)
    harness.line.release_answers()
    await until(lambda: not harness.messenger.open_messages("nessuno"))
    await until(lambda: harness.accepted(KEY) and harness.accepted(ONE))
    assert sum(len(harness.accepted(key)) for key in keys) == 2
    for message in await harness.found():
        if message.dispatch.text == "secondo":
            assert message.stage is Stage.WAITING
        else:
            await harness.until_kept(message, stage=Stage.ACCEPTED)


async def test_when_the_last_account_goes_nothing_of_ours_is_left(
    harness: Harness,
) -> None:
    await harness.attach(KEY, line=harness.line)
    await harness.attach(REFERENCE)
    await harness.one(KEY)
    harness.line.down()
    await harness.one(KEY, OTHER)
    assert ours()
    await harness.messenger.detach(KEY)
    await harness.messenger.detach(REFERENCE)
    assert ours() == []
    # A clean end leaves the file with its journal and its mark.
    left = {path.name for path in harness.ledger.parent.iterdir()}
    assert left == {harness.ledger.name, "sms.journal", "sms.mark"}
    with pytest.raises(LedgerClosedError):
        await harness.found()
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await harness.one(KEY)


async def test_an_account_that_works_again_while_all_goes_leaves_nothing_behind(
    harness: Harness,
) -> None:
    await harness.attach(KEY, line=harness.line, retry_for=10 * HOUR)
    harness.line.down()
    waiting = await harness.one(KEY, NUMBER)
    harness.line.up()
    harness.time.pass_by(2 * HOUR)
    harness.line.hold_answers()
    send = asyncio.create_task(harness.one(KEY, OTHER))
    await until(lambda: harness.requests(KEY))
    gone = asyncio.create_task(harness.messenger.detach(KEY))
    await asyncio.sleep(0)
    harness.line.release_answers()
    message = await send
    await gone
    assert message.stage is Stage.ACCEPTED
    assert ours() == []
    await harness.attach(KEY)
    await harness.until_kept(waiting, stage=Stage.ACCEPTED)


async def test_everything_on_the_wire_ends_before_all_is_closed(
    harness: Harness,
) -> None:
    harness.line.hold_answers()
    await harness.attach(KEY, line=harness.line)
    sends = [asyncio.create_task(harness.one(KEY, to, to)) for to in numbers(5)]
    await until(lambda: harness.requests(KEY) == 5)
    closing = asyncio.create_task(harness.messenger.close())
    await asyncio.sleep(0)
    harness.line.release_answers()
    messages = await asyncio.gather(*sends)
    await closing
    assert {one.stage for one in messages} == {Stage.ACCEPTED}
    assert ours() == []


async def test_what_does_not_end_in_time_is_left_in_doubt(harness: Harness) -> None:
    harness.use(timing=replace(STILL, stop=0.05))
    harness.line.hold_answers()
    await harness.attach(KEY, line=harness.line)
    send = asyncio.create_task(harness.one(KEY))
    await until(lambda: harness.requests(KEY))
    await harness.messenger.close()
    message = await send
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    assert ours() == []
    harness.use()
    await harness.attach(KEY)
    assert await harness.latest(message) == message


async def test_a_request_that_is_stopped_before_its_turn_is_sent_after_the_restart(
    harness: Harness,
) -> None:
    """It waited for one of the requests on the wire to end."""
    harness.use(timing=replace(STILL, stop=0.01))
    harness.line.hold_answers()
    await harness.attach(ONE, line=harness.line)
    crowd = asyncio.create_task(harness.send(ONE, *numbers(32)))
    await until(lambda: harness.requests(ONE) == 32)
    send = asyncio.create_task(harness.one(ONE, OTHER))
    await asyncio.sleep(0)
    await harness.messenger.close()
    message = await send
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    assert {one.status for one in await crowd} == {Status.UNCERTAIN}
    harness.line.release_answers()
    harness.use()
    await harness.attach(ONE)
    await until(lambda: (OTHER, TEXT) in harness.arrived(ONE))
    assert harness.requests(ONE) == 33


async def test_all_of_a_request_that_is_stopped_is_on_record(harness: Harness) -> None:
    """What was on the wire, and what had not left yet."""
    harness.use(timing=replace(STILL, stop=0.01))
    harness.line.hold_answers()
    await harness.attach(ONE, line=harness.line)
    send = asyncio.create_task(harness.send(ONE, *numbers(40)))
    await until(lambda: harness.requests(ONE) == 32)
    await harness.messenger.close()
    messages = await send
    harness.line.release_answers()
    harness.use()
    await harness.attach(KEY)
    recorded = [await harness.messenger.message(one.id) for one in messages]
    assert [one and one.stage for one in recorded].count(Stage.WAITING) == 8
    assert None not in recorded


async def test_a_message_refused_elsewhere_is_in_no_doubt_when_it_is_stopped(
    harness: Harness,
) -> None:
    """It waited for its turn at the fallback."""
    harness.use(timing=replace(STILL, stop=0.01))
    harness.line.hold_answers()
    await harness.attach(ONE, line=harness.line)
    await harness.attach(KEY, fallback=(ONE,), refusing=ErrorKind.AUTH)
    crowd = asyncio.create_task(harness.send(ONE, *numbers(32)))
    await until(lambda: harness.requests(ONE) == 32)
    send = asyncio.create_task(harness.one(KEY, OTHER))
    await until(lambda: harness.requests(KEY))
    await harness.messenger.close()
    message = await send
    assert (message.status, message.stage) == (Status.QUEUED, Stage.WAITING)
    await crowd
    harness.line.release_answers()


async def test_an_account_that_is_attached_while_all_is_closed_sends_nothing(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.attach(KEY)
    ledger = harness.messenger.ledger
    may_go_on = asyncio.Event()
    trim = ledger.trim

    async def slow(account_id: str, before: float) -> None:
        await may_go_on.wait()
        await trim(account_id, before)

    monkeypatch.setattr(ledger, "trim", slow)
    # One is being attached, and the other waits for its turn.
    attaching = [asyncio.create_task(harness.attach(key)) for key in (PLAIN, ONE)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(harness.messenger.close())
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(*attaching, closing)
    with pytest.raises(RequestRefusedError):
        await harness.one(ONE)
    assert not harness.requests(ONE)


async def test_a_part_of_ours_that_fails_keeps_no_message_from_the_record(
    harness: Harness,
) -> None:
    """One that is called when a message changes."""

    def breaking(reference: str) -> str | None:
        if not reference:
            raise RuntimeError(TEXT)
        return None

    await harness.attach(KEY, callback_url=breaking)
    message = await harness.one(KEY)
    await harness.messenger.ledger.flush()
    assert (await harness.latest(message)).stage is Stage.ACCEPTED


async def test_closing_twice_or_before_anything_was_there_does_no_harm(
    harness: Harness,
) -> None:
    await harness.messenger.close()
    await harness.messenger.detach("nobody")
    await harness.messenger.ledger.hold()
    await harness.messenger.ledger.release()
    assert not harness.ledger.exists()
    await harness.attach(KEY)
    await harness.messenger.close()
    await harness.messenger.close()


async def test_after_the_last_account_went_another_one_may_come(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    first = await harness.one(KEY)
    await harness.messenger.detach(KEY)
    await harness.attach(KEY)
    second = await harness.one(KEY, OTHER)
    assert [one.id for one in await harness.found()] == [first.id, second.id]
    assert harness.messenger.totals.spent_today(KEY).parts == 2


# An account that is replaced


async def test_an_account_that_is_replaced_sends_meanwhile(harness: Harness) -> None:
    """And with its new options from then on."""
    account = await harness.attach(KEY)
    changed = replace(account, options=AccountOptions(max_parts=1))
    replacing = asyncio.create_task(harness.messenger.attach(changed))
    assert (await harness.one(KEY)).stage is Stage.ACCEPTED
    await replacing
    with pytest.raises(RequestRefusedError, match=Refusal.TOO_MANY_PARTS):
        await harness.one(KEY, text="x" * 200)


# An account that is being loaded again


async def test_a_request_to_an_account_that_is_being_loaded_waits_for_it(
    harness: Harness,
) -> None:
    """And goes out with the options that it comes with."""
    await harness.attach(KEY)
    harness.expected.add(KEY)
    await harness.messenger.detach(KEY)
    orders = [asyncio.create_task(harness.one(KEY, to)) for to in (NUMBER, OTHER)]
    too_long = asyncio.create_task(harness.one(KEY, text="x" * 200))
    await asyncio.sleep(0.05)
    assert not any(order.done() for order in orders)
    await harness.attach(KEY, max_parts=1)
    messages = await asyncio.gather(*orders)
    assert {one.stage for one in messages} == {Stage.ACCEPTED}
    with pytest.raises(RequestRefusedError, match=Refusal.TOO_MANY_PARTS):
        await too_long
    assert len(harness.accepted(KEY)) == 2


async def test_a_request_may_come_before_its_account_has_ever_been_there(
    harness: Harness,
) -> None:
    harness.expected.add(KEY)
    order = asyncio.create_task(harness.one(KEY))
    await asyncio.sleep(0)
    await harness.attach(KEY)
    assert (await order).stage is Stage.ACCEPTED


async def test_a_request_waits_for_its_account_until_it_is_to_be_answered(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.use(timing=replace(STILL, answer=0.05))
    monkeypatch.setattr(account_module, "_LOOK_AGAIN", 0.01)
    harness.expected.add(KEY)
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await harness.one(KEY)


def test_waiting_for_an_account_delays_no_answer(tmp_path: Path) -> None:
    """What waited is sent all the same."""

    async def scenario(harness: Harness) -> None:
        harness.line.hold_answers()
        harness.expected.add(KEY)
        order = asyncio.create_task(harness.one(KEY))
        await asyncio.sleep(7)
        await harness.attach(KEY, line=harness.line)
        message = await order
        assert message.stage is Stage.SUBMITTING
        assert harness.time.steady() == pytest.approx(Timing().answer, abs=0.1)
        harness.line.release_answers()
        await harness.until_kept(message, stage=Stage.ACCEPTED)

    run(tmp_path, scenario)


async def test_a_request_waits_no_more_when_its_account_will_not_come(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_module, "_LOOK_AGAIN", 0.01)
    harness.expected.add(KEY)
    order = asyncio.create_task(harness.one(KEY))
    await asyncio.sleep(0.05)
    assert not order.done()
    harness.expected.clear()
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await order


async def test_a_request_that_waits_does_not_hold_up_the_end(harness: Harness) -> None:
    harness.expected.add(KEY)
    order = asyncio.create_task(harness.one(KEY))
    await asyncio.sleep(0)
    await harness.messenger.close()
    with pytest.raises(RequestRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await order


async def test_what_the_last_account_has_on_the_wire_ends_while_it_is_away(
    harness: Harness,
) -> None:
    """Letting it go does not wait for that, nor does it cancel anything."""
    harness.use(timing=replace(STILL, stop=0))
    harness.expected.add(KEY)
    harness.line.hold_answers()
    await harness.attach(KEY, line=harness.line)
    send = asyncio.create_task(harness.one(KEY))
    await until(lambda: harness.requests(KEY))
    await harness.messenger.detach(KEY)
    assert not send.done()
    harness.line.release_answers()
    message = await send
    assert message.stage is Stage.ACCEPTED
    await harness.attach(KEY)
    assert await harness.latest(message) == message
    assert len(harness.accepted(KEY)) == 1


async def test_all_stays_open_for_an_account_that_comes_straight_back(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_CLOSE_DELAY", 0.05)
    harness.expected.add(KEY)
    await harness.attach(KEY)
    for _ in range(2):
        await harness.messenger.detach(KEY)
        assert not await harness.found()
        await harness.attach(KEY)
    await asyncio.sleep(0.1)
    assert (await harness.one(KEY)).stage is Stage.ACCEPTED


async def test_all_is_closed_when_the_last_account_does_not_come_back(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_CLOSE_DELAY", 0.01)
    harness.expected.add(KEY)
    await harness.attach(KEY, line=harness.line)
    harness.line.down()
    await harness.one(KEY)
    await harness.messenger.detach(KEY)
    await until(lambda: not ours())
    with pytest.raises(LedgerClosedError):
        await harness.found()


async def test_all_is_closed_at_once_when_the_last_account_is_removed(
    harness: Harness,
) -> None:
    harness.expected.add(KEY)
    await harness.attach(KEY)
    await harness.messenger.detach(KEY)
    await harness.messenger.forget(KEY, ())
    assert ours() == []


# Restarts and crashes


async def test_what_was_spent_today_is_known_after_a_restart(harness: Harness) -> None:
    await harness.attach(KEY, daily_limit=3)
    await harness.send(KEY, NUMBER, OTHER)
    await harness.messenger.close()
    harness.use()
    await harness.attach(KEY, daily_limit=3)
    assert harness.messenger.totals.spent_today(KEY).parts == 2
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.send(KEY, *numbers(2))


async def test_parts_that_wait_are_committed_after_a_restart(harness: Harness) -> None:
    harness.line.down()
    await harness.attach(KEY, line=harness.line, daily_limit=3)
    await harness.send(KEY, NUMBER, OTHER)
    await harness.messenger.close()
    harness.use()
    await harness.attach(KEY, line=harness.line, daily_limit=3)
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.send(KEY, *numbers(2))


@pytest.mark.parametrize("key", [MANY, REFERENCE])
async def test_a_crash_between_request_and_outcome_is_a_doubt_and_no_second_send(
    harness: Harness, key: str
) -> None:
    harness.line.hold_answers()
    await harness.attach(key, line=harness.line)
    send = asyncio.create_task(harness.one(key))
    await until(lambda: harness.requests(key))
    left = harness.folder / "left.db"
    copy_as_after_a_crash(harness.ledger, left)
    harness.line.release_answers()
    await send
    await harness.messenger.close()
    harness.use(ledger=left)
    await harness.attach(key)
    (message,) = await harness.found()
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    await harness.one(key, OTHER)
    await harness.messenger.detach(key)
    assert [to for to, _ in harness.arrived(key)] == [NUMBER, OTHER]


_SENDER = """
import asyncio, sys
from pathlib import Path

from tests.messaging.helpers import STILL, Harness

ledger = Path(sys.argv[1])

async def main():
    harness = Harness.build(ledger.parent)
    harness.use(timing=STILL, ledger=ledger)
    harness.line.hold_answers()
    await harness.attach("many", line=harness.line)
    send = asyncio.create_task(harness.one("many"))
    while not harness.accepted("many"):
        await asyncio.sleep(0.001)
    print("on the wire", flush=True)
    await send

asyncio.run(main())
"""


async def test_a_process_killed_while_it_sends_leaves_a_doubt_and_no_second_send(
    harness: Harness,
) -> None:
    sender = await asyncio.create_subprocess_exec(
        *python(_SENDER, harness.ledger), stdout=asyncio.subprocess.PIPE
    )
    assert sender.stdout is not None
    assert await sender.stdout.readline() == b"on the wire\n"
    sender.kill()
    await sender.wait()
    await harness.attach(KEY)
    (message,) = await harness.found()
    assert (message.number, message.dispatch.text) == (NUMBER, TEXT)
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    await harness.one(KEY, OTHER)
    # What the killed process sent is not in this process's list.
    assert [to for to, _ in harness.arrived(KEY)] == [OTHER]
    assert not harness.troubles


# A backup that is restored


async def restore(harness: Harness, folder: Path) -> None:
    """Go on with a copy of the ledger in which two messages wait, one held."""
    await harness.attach(KEY, line=harness.line, bundle_after=1)
    harness.line.down()
    await harness.one(KEY)
    held = await harness.one(KEY, text="Secondo")
    assert held.stage is Stage.HELD
    copied = folder / "restored" / "sms.db"
    copy_as_a_backup(harness.ledger, copied)
    harness.line.up()
    await harness.messenger.close()
    harness.client(KEY).accepted.clear()
    harness.use(ledger=copied, timing=replace(STILL, report_doubt=0.02))
    await harness.attach(KEY)


async def test_what_waits_in_a_restored_backup_is_uncertain_and_not_sent(
    harness: Harness, tmp_path: Path
) -> None:
    await restore(harness, tmp_path)
    for _ in range(2):
        found = await harness.found()
        assert {(one.status, one.detail) for one in found} == {
            (Status.UNCERTAIN, "restored")
        }
        assert len(found) == 2
        # Nor after another start.
        await harness.messenger.close()
        harness.use()
        await harness.attach(KEY)
    assert harness.troubles == []
    assert harness.arrived(KEY) == []


async def test_what_waited_in_a_restored_backup_is_undelivered_and_can_be_sent(
    harness: Harness, tmp_path: Path
) -> None:
    await restore(harness, tmp_path)
    undelivered = harness.messenger.undelivered

    changed = UndeliveredChanged(account=KEY)
    await until(lambda: changed in harness.events)
    listed = (await undelivered.of(KEY)).messages
    assert len(listed) == 2
    for message in listed:
        await harness.messenger.resend(message.id)
    assert {text for _, text in harness.arrived(KEY)} == {TEXT, "Secondo"}
    assert (await undelivered.of(KEY)).total == 0


def test_what_was_sent_after_a_backup_is_not_sent_again_although_its_mark_came_late(
    tmp_path: Path,
) -> None:
    """Nothing else is written after the disk has recovered."""

    async def scenario(harness: Harness) -> None:
        await harness.attach(KEY, line=harness.line)
        harness.line.down()
        message = await harness.one(KEY)
        await harness.messenger.ledger.hold()
        copied = tmp_path / "copy" / harness.ledger.name
        copy_as_a_backup(harness.ledger, copied)
        mark = mark_of(harness.ledger)
        in_the_way = mark.with_name(f"new_{mark.name}")
        in_the_way.mkdir()
        await harness.messenger.ledger.release()
        harness.line.up()
        await harness.until_kept(message, stage=Stage.ACCEPTED)
        in_the_way.rmdir()
        await asyncio.sleep(20)
        await harness.messenger.close()
        shutil.copytree(copied.parent, harness.ledger.parent, dirs_exist_ok=True)
        harness.use()
        await harness.attach(KEY)
        await asyncio.sleep(HOUR)
        assert (await harness.latest(message)).detail == "restored"
        assert harness.arrived(KEY) == [(NUMBER, TEXT)]

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("reply", "reported"),
    [
        (Lost.REQUEST, None),
        (Late(5, Lost.REQUEST), None),
        (Lost.ANSWER, Status.FAILED),
        (None, Status.FAILED),
    ],
    ids=["doubt", "submitting", "doubt, failed later", "accepted, failed later"],
)
def test_what_was_submitted_before_a_backup_is_not_sent_again_after_it_is_restored(
    tmp_path: Path, reply: Reply, reported: Status | None
) -> None:
    async def scenario(harness: Harness) -> None:
        async def attach() -> None:
            await harness.attach(ONE)
            await harness.attach(
                REFERENCE, fallback=(ONE,), failover_on_failed_delivery=True
            )

        harness.client(REFERENCE).reply(reply)
        await attach()
        sending = asyncio.create_task(harness.one(REFERENCE))
        await asyncio.sleep(1)
        copied = tmp_path / "restored" / "sms.db"
        copy_as_a_backup(harness.ledger, copied)
        await sending
        await harness.messenger.close()
        for one in harness.accepted(REFERENCE):
            one.status = reported or one.status
        for _ in range(2):
            # The second start finds a ledger that is its own.
            harness.use(ledger=copied)
            await attach()
            await asyncio.sleep(10)
            await harness.messenger.close()
        harness.use()
        await attach()
        await asyncio.sleep(HOUR)
        (found,) = await harness.found()
        assert (found.status, found.detail) == (Status.UNCERTAIN, "restored")
        assert (harness.requests(REFERENCE), harness.requests(ONE)) == (1, 0)

    run(tmp_path, scenario)


# The ledger in trouble


async def test_a_damaged_ledger_does_not_stop_the_sending(harness: Harness) -> None:
    harness.ledger.parent.mkdir()
    harness.ledger.write_bytes(b"rubbish" * 1000)
    await harness.attach(KEY)
    assert harness.troubles == [LedgerTrouble.SET_ASIDE]
    message = await harness.one(KEY)
    assert message.status in TAKEN
    assert await harness.found() == (message,)


async def test_damage_in_old_messages_does_not_keep_an_account_away(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.messenger.detach(KEY)
    with closing(sqlite3.connect(harness.ledger)) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'dispatches'"
        ).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(harness.ledger.read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    harness.ledger.write_bytes(content)
    await harness.attach(KEY)
    message = await harness.one(KEY)
    assert message.status in TAKEN
    assert harness.arrived(KEY) == [(NUMBER, TEXT)]
    assert harness.troubles == [LedgerTrouble.SET_ASIDE]


async def test_without_a_place_for_the_ledger_messages_are_sent_all_the_same(
    harness: Harness,
) -> None:
    harness.ledger.parent.write_text("in the way")
    await harness.attach(KEY)
    assert harness.troubles == [LedgerTrouble.IN_MEMORY]
    message = await harness.one(KEY)
    assert message.status in TAKEN
    assert await harness.found() == (message,)


async def test_what_the_ledger_cannot_hold_is_sent_and_reported(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    bad = BadTarget(given="\ud83d", problem=NumberProblem.INVALID)
    good, refused = await harness.send(KEY, NUMBER, bad)
    assert good.status in TAKEN
    assert refused.status is Status.FAILED
    assert harness.arrived(KEY) == [(NUMBER, TEXT)]
    message = await harness.one(KEY, OTHER)
    assert await harness.latest(message) == message


async def test_sending_goes_on_while_the_ledger_is_being_backed_up(
    harness: Harness,
) -> None:
    await harness.attach(KEY)
    await harness.one(KEY, NUMBER)
    await harness.messenger.ledger.hold()
    held = harness.ledger.read_bytes()
    message = await harness.one(KEY, OTHER)
    assert message.status in TAKEN
    assert harness.ledger.read_bytes() == held
    await harness.messenger.ledger.release()
    assert (await harness.one(KEY, THIRD)).status in TAKEN
    assert len(await harness.found()) == 3


# Tidying up


async def test_messages_older_than_the_history_are_forgotten(harness: Harness) -> None:
    account = await harness.attach(KEY, history_days=10)
    old = await harness.one(KEY, NUMBER)
    harness.time.pass_by(4 * DAYS)
    await harness.messenger.attach(account)
    kept = await harness.latest(old)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    harness.time.pass_by(5 * DAYS)
    new = await harness.one(KEY, OTHER)
    harness.time.pass_by(2 * DAYS)
    await harness.messenger.attach(account)
    await tidied_up()
    assert [one.id for one in await harness.found()] == [new.id]


async def test_no_account_waits_until_old_messages_are_forgotten(
    harness: Harness,
) -> None:
    account = await harness.attach(KEY, history_days=10)
    old = [
        a_message(a_dispatch(index, account=KEY, due=0.0), stage=Stage.CLOSED)
        for index in range(1, 301)
    ]
    await harness.messenger.ledger.record(Entry(messages=old))
    await harness.messenger.attach(account)
    assert any("tidying up" in name for name in ours())
    assert (await harness.one(KEY)).status in TAKEN
    await tidied_up()
    assert len(await harness.found()) == 1


async def test_what_is_young_enough_for_a_report_stays_open(harness: Harness) -> None:
    account = await harness.attach(KEY)
    message = await harness.one(KEY)
    harness.time.pass_by(2 * DAYS)
    await harness.messenger.attach(account)
    assert harness.messenger.open_messages(KEY) == [message]


# What is shown


async def test_the_latest_messages_are_those_of_the_newest_dispatch(
    harness: Harness,
) -> None:
    mamma = Target(number=PhoneNumber(NUMBER, "IT"), recipient="mamma")
    await harness.attach(KEY)
    await harness.attach(REFERENCE)
    assert await harness.messenger.ledger.latest(KEY, None, inf) == ()
    first = await harness.send(KEY, mamma, OTHER)
    second = await harness.send(KEY, OTHER, THIRD)
    await harness.one(REFERENCE)
    assert await harness.messenger.ledger.latest(KEY, None, inf) == second
    assert await harness.messenger.ledger.latest(KEY, "mamma", inf) == first[:1]
    assert await harness.messenger.ledger.latest(KEY, "zia", inf) == ()


async def test_what_changes_while_nobody_listens_is_replayed_to_the_next_who_does(
    harness: Harness,
) -> None:
    harness.use(timing=TIMING)
    await harness.attach(ONE)
    await harness.attach(REFERENCE, fallback=(ONE,))
    harness.client(REFERENCE).refuse(ErrorKind.AUTH)
    assert harness.messenger.events.replay_missed(REFERENCE) == ()
    message = await harness.one(REFERENCE)
    assert message.last_account == ONE
    await harness.messenger.detach(REFERENCE)
    harness.client(ONE).deliver()
    await harness.until_kept(message, status=Status.DELIVERED)
    await harness.attach(REFERENCE)
    (turned,) = harness.messenger.events.replay_missed(REFERENCE)
    assert (turned.id, turned.status) == (message.id, Status.DELIVERED)
    assert harness.messenger.events.replay_missed(REFERENCE) == ()


# The forecast


async def test_the_cost_of_a_day_is_the_average_since_the_first_cost(
    harness: Harness,
) -> None:
    harness.client(KEY).price = Decimal("0.06")
    assert await harness.messenger.totals.average_daily_cost(KEY) is None
    await harness.attach(KEY)
    assert await harness.messenger.totals.average_daily_cost(KEY) is None
    await harness.send(KEY, NUMBER, OTHER)
    # Today is not over yet.
    assert await harness.messenger.totals.average_daily_cost(KEY) is None
    harness.time.pass_by(DAYS)
    assert await harness.messenger.totals.average_daily_cost(KEY) == Decimal("0.12")
    harness.time.pass_by(3 * DAYS)
    assert await harness.messenger.totals.average_daily_cost(KEY) == Decimal("0.03")
    harness.time.pass_by(40 * DAYS)
    assert await harness.messenger.totals.average_daily_cost(KEY) is None


async def test_an_account_that_seldom_pays_has_thirty_days_to_share_it(
    harness: Harness,
) -> None:
    harness.client(KEY).price = Decimal("0.06")
    await harness.attach(KEY)
    await harness.one(KEY)
    harness.time.pass_by(60 * DAYS)
    await harness.one(KEY)
    harness.time.pass_by(DAYS)
    assert (
        await harness.messenger.totals.average_daily_cost(KEY) == Decimal("0.06") / 30
    )


async def test_days_before_the_first_cost_do_not_count(harness: Harness) -> None:
    await harness.attach(KEY)
    harness.client(KEY).price = Decimal(0)
    await harness.one(KEY)
    harness.time.pass_by(10 * DAYS)
    harness.client(KEY).price = Decimal("0.06")
    await harness.one(KEY)
    harness.time.pass_by(2 * DAYS)
    assert await harness.messenger.totals.average_daily_cost(KEY) == Decimal("0.03")


async def test_what_was_spent_this_month_is_today_and_the_days_before(
    harness: Harness,
) -> None:
    the_day_before_the_last = datetime(2031, 5, 30, 12, tzinfo=UTC).timestamp()
    harness.time.pass_by(the_day_before_the_last - harness.time.now())
    harness.client(KEY).price = Decimal("0.06")
    assert await harness.messenger.totals.spent_this_month(KEY) is None
    await harness.attach(KEY)
    assert await harness.messenger.totals.spent_this_month(KEY) == 0
    await harness.one(KEY)
    assert await harness.messenger.totals.spent_this_month(KEY) == Decimal("0.06")
    harness.time.pass_by(DAYS)
    await harness.one(KEY)
    assert await harness.messenger.totals.spent_this_month(KEY) == Decimal("0.12")
    assert await harness.messenger.totals.spent_this_month("altro") == 0
    harness.time.pass_by(DAYS)
    assert await harness.messenger.totals.spent_this_month(KEY) == Decimal(0)
    await harness.one(KEY)
    assert await harness.messenger.totals.spent_this_month(KEY) == Decimal("0.06")


# Many at once


async def test_many_sends_at_once_all_arrive_once(harness: Harness) -> None:
    await harness.attach(ONE, daily_limit=0)
    messages = await asyncio.gather(*(harness.one(ONE, to) for to in numbers(100)))
    assert {one.status for one in messages} <= TAKEN
    assert len({one.id for one in messages}) == 100
    assert sorted(to for to, _ in harness.arrived(ONE)) == numbers(100)
    assert len(await harness.found()) == 100
