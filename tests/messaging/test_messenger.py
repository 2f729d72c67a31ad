"""The messenger as a whole: orders in, messages out, nothing left behind."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
import sqlite3
import sys
import threading
import time

import pytest

from custom_components.sms_italia.messaging import messenger
from custom_components.sms_italia.messaging.book import (
    CreditTold,
    MessagesChanged,
    TotalsChanged,
)
from custom_components.sms_italia.messaging.errors import OrderRefusedError, Refusal
from custom_components.sms_italia.messaging.ledger import (
    LedgerClosedError,
    LedgerTrouble,
)
from custom_components.sms_italia.messaging.model import (
    BadTarget,
    DayTotal,
    Message,
    Stage,
    Target,
)
from custom_components.sms_italia.messaging.numbers import NumberProblem, PhoneNumber
from custom_components.sms_italia.messaging.text import TextEncoding
from custom_components.sms_italia.providers.model import Encoding, ErrorKind, Status
from custom_components.sms_italia.providers.registry import PROVIDERS
from simulator import Fault

from .helpers import (
    NUMBER,
    OTHER,
    PACE,
    STILL,
    TEXT,
    THIRD,
    House,
    copy_as_after_a_crash,
    numbers,
    until,
)

KEY = "smsviainternet"
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
def _still(house: House) -> None:
    """Let nothing come by itself."""
    house.use(pace=STILL)


# An order and its messages


@pytest.mark.parametrize("key", PROVIDERS)
async def test_an_order_becomes_messages_that_are_on_record(
    house: House, key: str
) -> None:
    await house.attach(key)
    message = await house.one(key)
    assert message.status in TAKEN
    assert (message.number, message.dispatch.text) == (NUMBER, TEXT)
    assert message.carrier == message.dispatch.account == key
    assert message.parts == 1
    (arrived,) = house.accepted(key)
    assert arrived.provider_id == message.provider_id
    assert arrived.sender == "Casa"
    assert await house.found() == (message,)
    assert house.messenger.open_messages(key) == [message]
    assert house.messenger.open_messages("altro") == []


async def test_messages_come_back_in_the_order_of_their_numbers_bad_ones_last(
    house: House,
) -> None:
    await house.attach(KEY)
    bad = BadTarget(given="zia", problem=NumberProblem.INVALID)
    messages = await house.send(KEY, OTHER, bad, FRENCH_TARGET, NUMBER)
    assert [one.number for one in messages] == [OTHER, NUMBER, "zia", FRENCH.e164]
    assert [one.status for one in messages[2:]] == [Status.FAILED] * 2
    assert [one.error for one in messages[2:]] == [ErrorKind.RECIPIENT] * 2
    assert [one.detail for one in messages[2:]] == [
        Refusal.INVALID_NUMBER,
        Refusal.COUNTRY_NOT_ALLOWED,
    ]
    assert {to for to, _ in house.arrived(KEY)} == {OTHER, NUMBER}
    assert await house.found() == messages


FRENCH_TARGET = Target(number=FRENCH)


async def test_a_number_that_may_be_sent_to_is_not_refused_as_well(
    house: House,
) -> None:
    await house.attach(KEY)
    recipient = Target(number=FRENCH, recipient="zia")
    messages = await house.send(KEY, FRENCH_TARGET, recipient)
    assert [(one.number, one.recipient) for one in messages] == [(FRENCH.e164, "zia")]
    assert messages[0].status in TAKEN


async def test_the_recipient_of_a_message_is_kept(house: House) -> None:
    await house.attach(KEY)
    target = Target(number=PhoneNumber(NUMBER, "IT"), recipient="mamma")
    (message,) = await house.send(KEY, target, NUMBER)
    assert message.recipient == "mamma"
    assert (await house.latest(message)).recipient == "mamma"


@pytest.mark.parametrize(
    ("option", "ordered", "text", "encoding"),
    [
        (TextEncoding.SMART, None, "E' 21 C", Encoding.GSM7),
        (TextEncoding.UNICODE, None, "È 21 °C", Encoding.UCS2),
        (TextEncoding.UNICODE, TextEncoding.GSM7, "E' 21 C", Encoding.GSM7),
    ],
)
async def test_the_text_is_prepared_as_the_order_says_else_as_the_account_does(
    house: House,
    option: TextEncoding,
    ordered: TextEncoding | None,
    text: str,
    encoding: Encoding,
) -> None:
    await house.attach(KEY, encoding=option)
    (message,) = await house.send(KEY, NUMBER, text="È 21 °C", encoding=ordered)
    assert (message.dispatch.text, message.dispatch.encoding) == (text, encoding)
    assert house.arrived(KEY) == [(NUMBER, text)]


async def test_neither_number_nor_text_is_in_the_repr_or_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    house.simulator.inject(KEY, Fault.CUT_AFTER_ACCEPT)
    await house.attach(KEY)
    message = await house.one(KEY)
    await house.one(KEY, OTHER)
    ours = "".join(
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components")
    )
    for secret in (NUMBER, NUMBER[1:], TEXT):
        assert secret not in repr(message)
        assert secret not in ours


async def test_a_caller_that_goes_away_does_not_stop_the_sending(
    house: House,
) -> None:
    house.line.hold_answers()
    await house.attach(KEY, url=house.line.url(KEY))
    caller = asyncio.create_task(house.one(KEY))
    await until(lambda: house.requests(KEY))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    house.line.release_answers()
    (message,) = await house.found()
    await house.until_kept(message, stage=Stage.TAKEN)
    assert len(house.accepted(KEY)) == 1


async def test_a_caller_that_goes_away_at_once_does_not_stop_the_sending_either(
    house: House,
) -> None:
    await house.attach(KEY, daily_limit=1)
    caller = asyncio.create_task(house.one(KEY))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(OrderRefusedError, match=Refusal.DAILY_LIMIT):
        await house.one(KEY, OTHER)
    await until(lambda: house.accepted(KEY))


async def test_a_long_text_to_many_numbers_is_counted_part_by_part(
    house: House,
) -> None:
    house.simulator.set_price(KEY, "0.05")
    await house.attach(KEY)
    await house.send(KEY, *numbers(3), text="x" * 161)
    assert house.messenger.spent_today(KEY) == DayTotal(parts=6, cost=Decimal("0.3"))
    assert house.messenger.spent_today("altro") == DayTotal()


# Accounts come and go


async def test_an_account_that_was_let_go_sends_no_more(house: House) -> None:
    await house.attach(KEY)
    await house.attach("smshosting")
    await house.messenger.detach(KEY)
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await house.one(KEY)
    assert (await house.one("smshosting")).status in TAKEN


async def test_an_account_that_comes_with_new_options_has_them(house: House) -> None:
    await house.attach(KEY)
    await house.attach(KEY, max_parts=1)
    with pytest.raises(OrderRefusedError, match=Refusal.TOO_MANY_PARTS):
        await house.one(KEY, text="x" * 161)


async def test_a_fallback_that_was_let_go_is_not_asked(house: House) -> None:
    await house.attach("smshosting")
    await house.attach(KEY, settings={"api_token": "wrong"}, fallback=("smshosting",))
    await house.messenger.detach("smshosting")
    message = await house.one(KEY)
    assert message.error is ErrorKind.AUTH
    assert not house.simulator.requests.of("smshosting")


async def test_a_message_on_the_wire_gets_its_outcome_when_its_account_goes(
    house: House,
) -> None:
    house.line.hold_answers()
    await house.attach("smshosting")
    await house.attach(KEY, url=house.line.url(KEY))
    send = asyncio.create_task(house.one(KEY))
    await until(lambda: house.requests(KEY))
    await house.messenger.detach(KEY)
    house.line.release_answers()
    message = await send
    assert message.status in TAKEN
    assert await house.latest(message) == message


async def test_messages_not_on_the_wire_yet_wait_when_their_account_goes(
    house: House,
) -> None:
    key = "transactionale"
    house.line.hold_answers()
    await house.attach(KEY)
    await house.attach(key, url=house.line.url(key))
    send = asyncio.create_task(house.send(key, *numbers(34)))
    await until(lambda: house.requests(key) == 32)
    await house.messenger.detach(key)
    house.line.release_answers()
    messages = await send
    assert [one.stage for one in messages[32:]] == [Stage.WAITING] * 2
    assert house.requests(key) == 32
    await house.attach(key)
    await until(lambda: len(house.accepted(key)) == 34)
    assert house.requests(key) == 34


async def test_whoever_has_the_answer_finds_that_listeners_know_of_it(
    house: House,
) -> None:
    """What becomes of a message is shown by the time that its action ends."""
    await house.attach(KEY)
    message = await house.one(KEY)
    assert house.statuses[message.id][-1] is message.status
    kinds = {type(event) for event in house.events}
    assert {MessagesChanged, TotalsChanged, CreditTold} <= kinds


@pytest.mark.parametrize("others", [("smshosting",), ()], ids=["one-of-two", "last"])
async def test_an_order_in_the_moment_its_account_goes_is_sent_all_the_same(
    house: House, others: tuple[str, ...]
) -> None:
    for key in (*others, KEY):
        await house.attach(key)
    sending, _ = await asyncio.gather(
        house.one(KEY), house.messenger.detach(KEY), return_exceptions=True
    )
    assert isinstance(sending, Message)
    assert sending.status in TAKEN
    await house.attach(KEY)
    await house.until_kept(sending, stage=Stage.TAKEN)
    assert len(house.accepted(KEY)) == 1


@pytest.mark.parametrize("turns", range(8))
async def test_messages_keep_their_order_whenever_their_account_is_loaded_again(
    house: House, turns: int
) -> None:
    """Also in the midst of a round of the outbox, before or after a message's turn."""
    key, texts = "transactionale", ["primo", "secondo", "terzo"]
    await house.attach(key, url=house.line.url(key), retry_for=10 * HOUR)
    house.line.down()
    for text in texts:
        await house.send(key, NUMBER, OTHER, text=text)
    await house.line.up()
    house.time.pass_by(HOUR)
    # With each account that is loaded, a round begins.
    await house.attach("smshosting")
    for _ in range(turns):
        await asyncio.sleep(0)
    await house.messenger.detach(key)
    await house.attach(key, url=house.line.url(key), retry_for=10 * HOUR)
    await until(lambda: len(house.accepted(key)) == 2 * len(texts))
    for number in (NUMBER, OTHER):
        arrived = [text for to, text in house.arrived(key) if to == number]
        assert arrived == texts


async def test_a_clock_that_is_set_back_after_a_reload_keeps_no_message_waiting(
    house: House,
) -> None:
    key = "transactionale"
    await house.attach(key)
    await house.messenger.detach(key)
    await house.attach(key)
    house.time.set_forward(-600)
    (message,) = await house.send(key, send_at=house.time.now() + 0.2)
    assert message.stage is Stage.WAITING
    await until(lambda: house.accepted(key))
    await house.until_kept(message, stage=Stage.TAKEN)


async def test_one_account_that_goes_breaks_no_other_accounts_waiting_messages(
    house: House,
) -> None:
    keys = (KEY, "transactionale")
    for key in keys:
        await house.attach(key, url=house.line.url(key), retry_for=10 * HOUR)
    house.line.down()
    await house.one("transactionale", OTHER)
    await house.one(KEY, NUMBER, "primo")
    await house.one("transactionale", NUMBER, "secondo")
    house.line.hold_answers()
    await house.line.up()
    house.time.pass_by(2 * HOUR)
    await house.attach("smshosting")
    await until(lambda: house.requests(KEY) and house.requests("transactionale"))
    # The second text waits behind the first one when its account goes.
    await house.messenger.detach("transactionale")
    house.line.release_answers()
    await until(lambda: not house.messenger.open_messages("nessuno"))
    await until(lambda: len(house.simulator.messages) == 2)
    for message in await house.found():
        if message.dispatch.text == "secondo":
            assert message.stage is Stage.WAITING
        else:
            await house.until_kept(message, stage=Stage.TAKEN)


async def test_when_the_last_account_goes_nothing_of_ours_is_left(
    house: House,
) -> None:
    await house.attach(KEY, url=house.line.url(KEY))
    await house.attach("smshosting")
    await house.one(KEY)
    house.line.down()
    await house.one(KEY, OTHER)
    assert ours()
    await house.messenger.detach(KEY)
    await house.messenger.detach("smshosting")
    assert ours() == []
    # A clean end leaves one file.
    assert [path.name for path in house.ledger.parent.iterdir()] == [house.ledger.name]
    with pytest.raises(LedgerClosedError):
        await house.found()
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await house.one(KEY)


async def test_an_account_that_works_again_while_all_goes_leaves_nothing_behind(
    house: House,
) -> None:
    await house.attach(KEY, url=house.line.url(KEY), retry_for=10 * HOUR)
    house.line.down()
    waiting = await house.one(KEY, NUMBER)
    await house.line.up()
    house.time.pass_by(2 * HOUR)
    house.line.hold_answers()
    send = asyncio.create_task(house.one(KEY, OTHER))
    await until(lambda: house.requests(KEY))
    gone = asyncio.create_task(house.messenger.detach(KEY))
    await asyncio.sleep(0)
    house.line.release_answers()
    message = await send
    await gone
    assert message.stage is Stage.TAKEN
    assert ours() == []
    await house.attach(KEY)
    await house.until_kept(waiting, stage=Stage.TAKEN)


async def test_everything_on_the_wire_ends_before_all_is_closed(house: House) -> None:
    house.line.hold_answers()
    await house.attach(KEY, url=house.line.url(KEY))
    sends = [asyncio.create_task(house.one(KEY, to)) for to in numbers(5)]
    await until(lambda: house.requests(KEY) == 5)
    closing = asyncio.create_task(house.messenger.close())
    await asyncio.sleep(0)
    house.line.release_answers()
    messages = await asyncio.gather(*sends)
    await closing
    assert {one.stage for one in messages} == {Stage.TAKEN}
    assert ours() == []


async def test_what_does_not_end_in_time_is_left_in_doubt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_GRACE", 0.05)
    house.line.hold_answers()
    await house.attach(KEY, url=house.line.url(KEY))
    send = asyncio.create_task(house.one(KEY))
    await until(lambda: house.requests(KEY))
    await house.messenger.close()
    message = await send
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    assert ours() == []
    house.use()
    await house.attach(KEY)
    assert await house.latest(message) == message


async def test_an_order_that_is_stopped_before_it_is_on_record_is_refused(
    house: House,
) -> None:
    """It waited for one of the requests on the wire to end."""
    key = "transactionale"
    house.line.hold_answers()
    await house.attach(key, url=house.line.url(key), daily_limit=33)
    crowd = asyncio.create_task(house.send(key, *numbers(32)))
    await until(lambda: house.requests(key) == 32)
    before = asyncio.all_tasks()
    send = asyncio.create_task(house.one(key, OTHER))
    await asyncio.sleep(0)
    (work,) = asyncio.all_tasks() - before - {send}
    work.cancel()
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await send
    house.line.release_answers()
    await crowd
    assert len(await house.found()) == 32
    # What it would have spent is free again.
    assert (await house.one(key, OTHER)).status in TAKEN


async def test_closing_twice_or_before_anything_was_there_does_no_harm(
    house: House,
) -> None:
    await house.messenger.close()
    await house.messenger.detach("nobody")
    await house.messenger.hold_ledger()
    await house.messenger.release_ledger()
    await house.messenger.tidy_up("nobody")
    assert not house.ledger.exists()
    await house.attach(KEY)
    await house.messenger.close()
    await house.messenger.close()


async def test_after_the_last_account_went_another_one_may_come(house: House) -> None:
    await house.attach(KEY)
    first = await house.one(KEY)
    await house.messenger.detach(KEY)
    await house.attach(KEY)
    second = await house.one(KEY, OTHER)
    assert [one.id for one in await house.found()] == [first.id, second.id]
    assert house.messenger.spent_today(KEY).parts == 2


# An account that is being loaded again


async def test_an_order_to_an_account_that_is_being_loaded_waits_for_it(
    house: House,
) -> None:
    """And goes out with the options that it comes with."""
    await house.attach(KEY)
    house.expected.add(KEY)
    await house.messenger.detach(KEY)
    orders = [asyncio.create_task(house.one(KEY, to)) for to in (NUMBER, OTHER)]
    too_long = asyncio.create_task(house.one(KEY, text="x" * 200))
    await asyncio.sleep(0.05)
    assert not any(order.done() for order in orders)
    await house.attach(KEY, max_parts=1)
    messages = await asyncio.gather(*orders)
    assert {one.stage for one in messages} == {Stage.TAKEN}
    with pytest.raises(OrderRefusedError, match=Refusal.TOO_MANY_PARTS):
        await too_long
    assert len(house.accepted(KEY)) == 2


async def test_an_order_may_come_before_its_account_has_ever_been_there(
    house: House,
) -> None:
    house.expected.add(KEY)
    order = asyncio.create_task(house.one(KEY))
    await asyncio.sleep(0)
    await house.attach(KEY)
    assert (await order).stage is Stage.TAKEN


async def test_an_order_does_not_wait_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_ABSENCE", 0.05)
    monkeypatch.setattr(messenger, "_LOOK_AGAIN", 0.01)
    house.expected.add(KEY)
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await house.one(KEY)


async def test_an_order_waits_no_more_when_its_account_will_not_come(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_LOOK_AGAIN", 0.01)
    house.expected.add(KEY)
    order = asyncio.create_task(house.one(KEY))
    await asyncio.sleep(0.05)
    assert not order.done()
    house.expected.clear()
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await order


async def test_an_order_that_waits_does_not_hold_up_the_end(house: House) -> None:
    house.expected.add(KEY)
    order = asyncio.create_task(house.one(KEY))
    await asyncio.sleep(0)
    await house.messenger.close()
    with pytest.raises(OrderRefusedError, match=Refusal.ACCOUNT_NOT_LOADED):
        await order


async def test_what_the_last_account_has_on_the_wire_ends_while_it_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letting it go does not wait for that, nor does it cancel anything."""
    monkeypatch.setattr(messenger, "_GRACE", 0)
    house.expected.add(KEY)
    house.line.hold_answers()
    await house.attach(KEY, url=house.line.url(KEY))
    send = asyncio.create_task(house.one(KEY))
    await until(lambda: house.requests(KEY))
    await house.messenger.detach(KEY)
    assert not send.done()
    house.line.release_answers()
    message = await send
    assert message.stage is Stage.TAKEN
    await house.attach(KEY)
    assert await house.latest(message) == message
    assert len(house.accepted(KEY)) == 1


async def test_all_stays_open_for_an_account_that_comes_straight_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_LINGER", 0.1)
    house.expected.add(KEY)
    await house.attach(KEY)
    for _ in range(2):
        await house.messenger.detach(KEY)
        assert not await house.found()
        await house.attach(KEY)
    await asyncio.sleep(0.2)
    assert (await house.one(KEY)).stage is Stage.TAKEN


async def test_all_is_closed_when_the_last_account_does_not_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messenger, "_LINGER", 0.01)
    house.expected.add(KEY)
    await house.attach(KEY, url=house.line.url(KEY))
    house.line.down()
    await house.one(KEY)
    await house.messenger.detach(KEY)
    await until(lambda: not ours())
    with pytest.raises(LedgerClosedError):
        await house.found()


async def test_all_is_closed_at_once_when_the_last_account_is_removed(
    house: House,
) -> None:
    house.expected.add(KEY)
    await house.attach(KEY)
    await house.messenger.detach(KEY)
    await house.messenger.forget(KEY)
    assert ours() == []


# Restarts and crashes


async def test_what_was_spent_today_is_known_after_a_restart(house: House) -> None:
    await house.attach(KEY, daily_limit=3)
    await house.send(KEY, NUMBER, OTHER)
    await house.messenger.close()
    house.use()
    await house.attach(KEY, daily_limit=3)
    assert house.messenger.spent_today(KEY).parts == 2
    with pytest.raises(OrderRefusedError, match=Refusal.DAILY_LIMIT):
        await house.send(KEY, *numbers(2))


async def test_parts_that_wait_are_committed_after_a_restart(house: House) -> None:
    house.line.down()
    await house.attach(KEY, url=house.line.url(KEY), daily_limit=3)
    await house.send(KEY, NUMBER, OTHER)
    await house.messenger.close()
    house.use()
    await house.attach(KEY, url=house.line.url(KEY), daily_limit=3)
    with pytest.raises(OrderRefusedError, match=Refusal.DAILY_LIMIT):
        await house.send(KEY, *numbers(2))


@pytest.mark.parametrize("key", PROVIDERS)
async def test_a_crash_between_request_and_outcome_is_a_doubt_and_no_second_send(
    house: House, key: str
) -> None:
    house.line.hold_answers()
    await house.attach(key, url=house.line.url(key))
    send = asyncio.create_task(house.one(key))
    await until(lambda: house.requests(key))
    left = house.folder / "left.db"
    copy_as_after_a_crash(house.ledger, left)
    house.line.release_answers()
    await send
    await house.messenger.close()
    house.use(ledger=left)
    await house.attach(key)
    (message,) = await house.found()
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    await house.one(key, OTHER)
    await house.messenger.detach(key)
    assert [to for to, _ in house.arrived(key)] == [NUMBER, OTHER]


_SENDER = """
import asyncio, sys, types

root, ledger, url, token = sys.argv[1:]
sys.path.insert(0, root)
# The integration's own package would load the whole of Home Assistant.
package = types.ModuleType("custom_components.sms_italia")
package.__path__ = [f"{root}/custom_components/sms_italia"]
sys.modules[package.__name__] = package

from pathlib import Path

import aiohttp

from custom_components.sms_italia.messaging.account import Account, AccountOptions
from custom_components.sms_italia.messaging.clock import Clock
from custom_components.sms_italia.messaging.messenger import Messenger
from custom_components.sms_italia.messaging.model import Order, Target
from custom_components.sms_italia.messaging.numbers import PhoneNumber
from custom_components.sms_italia.messaging.pacing import Pace
from custom_components.sms_italia.providers.registry import PROVIDERS
from custom_components.sms_italia.providers.transport import Timeouts

async def main():
    provider = PROVIDERS["smsviainternet"]
    messenger = Messenger(Path(ledger), Clock(), Pace(), print)
    async with aiohttp.ClientSession() as session:
        client = provider.create(session, {"api_token": token, "url": url}, Timeouts())
        await messenger.attach(Account(
            id="smsviainternet", name="Casa", provider=provider, client=client,
            sender=None, options=AccountOptions(), recipients={},
        ))
        target = Target(number=PhoneNumber("+393331234567", "IT"))
        await messenger.send(
            Order(account="smsviainternet", targets=(target,), text="Allarme")
        )

asyncio.run(main())
"""


async def test_a_process_killed_while_it_sends_leaves_a_doubt_and_no_second_send(
    house: House,
) -> None:
    house.simulator.inject(KEY, Fault.HANG_AFTER_ACCEPT)
    root = Path(__file__).parents[2]
    sender = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SENDER,
        str(root),
        str(house.ledger),
        house.simulator.url(KEY),
        house.simulator.credentials(KEY)["api_token"],
    )
    await until(lambda: house.accepted(KEY) or sender.returncode is not None)
    sender.kill()
    await sender.wait()
    await house.attach(KEY)
    (message,) = await house.found()
    assert (message.status, message.detail) == (Status.UNCERTAIN, "interrupted")
    await house.one(KEY, OTHER)
    assert [to for to, _ in house.arrived(KEY)] == [NUMBER, OTHER]
    assert not house.troubles


# The ledger in trouble


async def test_a_damaged_ledger_does_not_stop_the_sending(house: House) -> None:
    house.ledger.parent.mkdir()
    house.ledger.write_bytes(b"rubbish" * 1000)
    await house.attach(KEY)
    assert house.troubles == [LedgerTrouble.SET_ASIDE]
    message = await house.one(KEY)
    assert message.status in TAKEN
    assert await house.found() == (message,)


async def test_damage_in_old_messages_does_not_keep_an_account_away(
    house: House,
) -> None:
    await house.attach(KEY)
    await house.messenger.detach(KEY)
    with closing(sqlite3.connect(house.ledger)) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'dispatches'"
        ).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(house.ledger.read_bytes())
    content[(page - 1) * size : page * size] = b"\xa5" * size
    house.ledger.write_bytes(content)
    await house.attach(KEY)
    message = await house.one(KEY)
    assert message.status in TAKEN
    assert house.arrived(KEY) == [(NUMBER, TEXT)]
    assert house.troubles == [LedgerTrouble.SET_ASIDE]


async def test_without_a_place_for_the_ledger_messages_are_sent_all_the_same(
    house: House,
) -> None:
    house.ledger.parent.write_text("in the way")
    await house.attach(KEY)
    assert house.troubles == [LedgerTrouble.IN_MEMORY]
    message = await house.one(KEY)
    assert message.status in TAKEN
    assert await house.found() == (message,)


async def test_what_the_ledger_cannot_hold_is_sent_and_told(house: House) -> None:
    await house.attach(KEY)
    bad = BadTarget(given="\ud83d", problem=NumberProblem.INVALID)
    good, refused = await house.send(KEY, NUMBER, bad)
    assert good.status in TAKEN
    assert refused.status is Status.FAILED
    assert house.arrived(KEY) == [(NUMBER, TEXT)]
    message = await house.one(KEY, OTHER)
    assert await house.latest(message) == message


async def test_sending_goes_on_while_the_ledger_is_being_backed_up(
    house: House,
) -> None:
    await house.attach(KEY)
    await house.one(KEY, NUMBER)
    await house.messenger.hold_ledger()
    held = house.ledger.read_bytes()
    message = await house.one(KEY, OTHER)
    assert message.status in TAKEN
    assert house.ledger.read_bytes() == held
    await house.messenger.release_ledger()
    assert (await house.one(KEY, THIRD)).status in TAKEN
    assert len(await house.found()) == 3


# Tidying up


async def test_messages_older_than_the_history_are_forgotten(house: House) -> None:
    await house.attach(KEY, history_days=10)
    old = await house.one(KEY, NUMBER)
    house.time.pass_by(4 * DAYS)
    await house.messenger.tidy_up(KEY)
    kept = await house.latest(old)
    assert (kept.status, kept.stage) == (Status.UNCERTAIN, Stage.CLOSED)
    house.time.pass_by(5 * DAYS)
    new = await house.one(KEY, OTHER)
    house.time.pass_by(2 * DAYS)
    await house.messenger.tidy_up(KEY)
    assert [one.id for one in await house.found()] == [new.id]


async def test_what_is_young_enough_for_a_report_stays_open(house: House) -> None:
    await house.attach(KEY)
    message = await house.one(KEY)
    house.time.pass_by(2 * DAYS)
    await house.messenger.tidy_up(KEY)
    assert house.messenger.open_messages(KEY) == [message]


# What is shown


async def test_the_latest_messages_are_those_of_the_newest_order(
    house: House,
) -> None:
    mamma = Target(number=PhoneNumber(NUMBER, "IT"), recipient="mamma")
    await house.attach(KEY)
    await house.attach("smshosting")
    assert await house.messenger.latest(KEY) == ()
    first = await house.send(KEY, mamma, OTHER)
    second = await house.send(KEY, OTHER, THIRD)
    await house.one("smshosting")
    assert await house.messenger.latest(KEY) == second
    assert await house.messenger.latest(KEY, "mamma") == first[:1]
    assert await house.messenger.latest(KEY, "zia") == ()


async def test_what_turns_while_nobody_attends_is_told_to_the_next_who_does(
    house: House,
) -> None:
    house.use(pace=PACE)
    await house.attach("transactionale")
    await house.attach("smshosting", fallback=("transactionale",))
    house.simulator.set_credentials("smshosting", auth_key="another")
    assert house.messenger.attend("smshosting") == ()
    message = await house.one("smshosting")
    assert message.carrier == "transactionale"
    await house.messenger.detach("smshosting")
    for arrived in house.accepted("transactionale"):
        house.simulator.move(arrived.id, "delivered")
    await house.until_kept(message, status=Status.DELIVERED)
    await house.attach("smshosting")
    (turned,) = house.messenger.attend("smshosting")
    assert (turned.id, turned.status) == (message.id, Status.DELIVERED)
    assert house.messenger.attend("smshosting") == ()


# The forecast


async def test_the_cost_of_a_day_is_the_average_since_the_first_cost(
    house: House,
) -> None:
    house.simulator.set_price(KEY, "0.06")
    assert await house.messenger.daily_cost(KEY) is None
    await house.attach(KEY)
    assert await house.messenger.daily_cost(KEY) is None
    await house.send(KEY, NUMBER, OTHER)
    # Today is not over yet.
    assert await house.messenger.daily_cost(KEY) is None
    house.time.pass_by(DAYS)
    assert await house.messenger.daily_cost(KEY) == Decimal("0.12")
    house.time.pass_by(3 * DAYS)
    assert await house.messenger.daily_cost(KEY) == Decimal("0.03")
    house.time.pass_by(40 * DAYS)
    assert await house.messenger.daily_cost(KEY) is None


async def test_an_account_that_seldom_pays_has_thirty_days_to_share_it(
    house: House,
) -> None:
    house.simulator.set_price(KEY, "0.06")
    await house.attach(KEY)
    await house.one(KEY)
    house.time.pass_by(60 * DAYS)
    await house.one(KEY)
    house.time.pass_by(DAYS)
    assert await house.messenger.daily_cost(KEY) == Decimal("0.06") / 30


async def test_days_before_the_first_cost_do_not_count(house: House) -> None:
    await house.attach(KEY)
    house.simulator.set_price(KEY, "0")
    await house.one(KEY)
    house.time.pass_by(10 * DAYS)
    house.simulator.set_price(KEY, "0.06")
    await house.one(KEY)
    house.time.pass_by(2 * DAYS)
    assert await house.messenger.daily_cost(KEY) == Decimal("0.03")


async def test_what_was_spent_this_month_is_today_and_the_days_before(
    house: House,
) -> None:
    house.time.shift = datetime(2031, 5, 30, 12, tzinfo=UTC).timestamp() - time.time()
    house.simulator.set_price(KEY, "0.06")
    assert await house.messenger.spent_month(KEY) is None
    await house.attach(KEY)
    assert await house.messenger.spent_month(KEY) is None
    await house.one(KEY)
    assert await house.messenger.spent_month(KEY) == Decimal("0.06")
    house.time.pass_by(DAYS)
    await house.one(KEY)
    assert await house.messenger.spent_month(KEY) == Decimal("0.12")
    assert await house.messenger.spent_month("altro") is None
    house.time.pass_by(DAYS)
    assert await house.messenger.spent_month(KEY) == Decimal(0)
    await house.one(KEY)
    assert await house.messenger.spent_month(KEY) == Decimal("0.06")


# Many at once


async def test_many_orders_at_once_all_arrive_once(house: House) -> None:
    await house.attach("transactionale", daily_limit=0)
    messages = await asyncio.gather(
        *(house.one("transactionale", to) for to in numbers(100))
    )
    assert {one.status for one in messages} <= TAKEN
    assert len({one.id for one in messages}) == 100
    assert sorted(to for to, _ in house.arrived("transactionale")) == numbers(100)
    assert len(await house.found()) == 100
