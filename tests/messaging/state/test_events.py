"""What listeners are notified of, when, and what waits for one that is not there."""

import asyncio
from decimal import Decimal

import pytest

from custom_components.sms_italia.messaging.model import Message
from custom_components.sms_italia.messaging.state import (
    CreditChanged,
    CreditReported,
    Event,
    Events,
    MessagesChanged,
    TotalsChanged,
)

from ..helpers import NUMBER, a_dispatch, a_message, until

CREDIT = CreditChanged(account="casa")


class Listening:
    """Events with a listener of the account `casa`."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.events = Events()
        self.got: list[Event] = []
        self.stop = self.events.listen("casa", self.got.append)


@pytest.fixture
async def listening() -> Listening:
    """Return what needs a running event loop."""
    return Listening()


async def two_rounds() -> None:
    """Wait until listeners are notified: after what is recorded has set out."""
    for _ in range(3):
        await asyncio.sleep(0)


def a_change(*indexes: int, account: str = "casa") -> MessagesChanged:
    """Return the event of new messages, each of a dispatch of its own."""
    messages = tuple(a_message(a_dispatch(index)) for index in indexes)
    return MessagesChanged(account=account, messages=messages, status_changed=messages)


def missed(events: Events) -> tuple[Message, ...]:
    """Return what was kept, and let nothing be kept any more."""
    events.flush()
    return events.replay_missed("casa")


# When


async def test_what_is_recorded_in_the_same_round_sets_out_first(
    listening: Listening,
) -> None:
    listening.events.publish(CREDIT)
    assert not listening.got
    recorded: list[bool] = []
    asyncio.get_running_loop().call_soon(
        lambda: recorded.append(CREDIT not in listening.got)
    )
    await two_rounds()
    assert recorded == [True]
    assert listening.got == [CREDIT]


async def test_what_comes_with_the_next_event_is_notified_of_together_with_it(
    listening: Listening,
) -> None:
    first, second = a_change(1), a_change(2)
    listening.events.publish_with_next(first)
    await two_rounds()
    assert not listening.got
    listening.events.publish(second)
    await two_rounds()
    assert listening.got == [a_change(1, 2)]
    # Nothing comes twice when the moment is over.
    await asyncio.sleep(0.02)
    assert len(listening.got) == 1


async def test_what_comes_with_the_next_event_comes_alone_in_a_moment(
    listening: Listening,
) -> None:
    listening.events.publish_with_next(a_change(1))
    listening.events.publish_with_next(a_change(2))
    await until(lambda: listening.got == [a_change(1, 2)])


async def test_all_that_is_pending_can_be_notified_of_at_once(
    listening: Listening,
) -> None:
    listening.events.publish_with_next(a_change(1))
    listening.events.publish(CREDIT)
    listening.events.flush()
    assert listening.got == [a_change(1), CREDIT]
    await asyncio.sleep(0.02)
    assert len(listening.got) == 2


async def test_events_of_one_kind_about_an_account_are_one(
    listening: Listening,
) -> None:
    """Messages in the order in which they changed; of the rest the last counts."""
    elsewhere: list[Event] = []
    listening.events.listen("mare", elsewhere.append)
    for event in (
        a_change(1),
        CreditReported(account="casa", balance=Decimal(2)),
        a_change(2, account="mare"),
        a_change(3, 1),
        CreditReported(account="casa", balance=Decimal(1)),
    ):
        listening.events.publish(event)
    await two_rounds()
    assert listening.got == [
        a_change(1, 3, 1),
        CreditReported(account="casa", balance=Decimal(1)),
    ]
    assert elsewhere == [a_change(2, account="mare")]


# Who


async def test_listeners_are_notified_of_their_own_account_alone(
    listening: Listening,
) -> None:
    listening.events.publish(TotalsChanged(account="riserva"))
    await two_rounds()
    assert not listening.got


async def test_a_listener_to_all_is_notified_of_every_account(
    listening: Listening,
) -> None:
    got: list[Event] = []
    listening.events.listen_to_all(got.append)
    listening.events.publish(TotalsChanged(account="riserva"))
    listening.events.publish(CREDIT)
    await two_rounds()
    assert got == [TotalsChanged(account="riserva"), CREDIT]


async def test_a_listener_that_stopped_is_notified_no_more(
    listening: Listening,
) -> None:
    listening.events.publish(CREDIT)
    await two_rounds()
    listening.stop()
    listening.events.publish(CREDIT)
    await two_rounds()
    assert listening.got == [CREDIT]


async def test_a_listener_may_stop_while_it_is_notified(listening: Listening) -> None:
    notified: list[str] = []

    def first(_: Event) -> None:
        notified.append("first")
        stop()

    stop = listening.events.listen("casa", first)
    listening.events.listen("casa", lambda _: notified.append("second"))
    for _ in range(2):
        listening.events.publish(CREDIT)
        await two_rounds()
    assert notified == ["first", "second", "second"]


async def test_a_listener_that_fails_stops_no_other_and_gives_nothing_away(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    notified: list[Event] = []

    def fail(_: Event) -> None:
        raise RuntimeError(NUMBER)

    listening.events.listen("casa", fail)
    listening.events.listen("casa", notified.append)
    listening.events.publish(CREDIT)
    await two_rounds()
    assert notified == [CREDIT]
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text


async def test_an_event_that_a_listener_publishes_comes_afterwards(
    listening: Listening,
) -> None:
    def answer(event: Event) -> None:
        if event == CREDIT:
            listening.events.publish(TotalsChanged(account="casa"))

    listening.events.listen("casa", answer)
    listening.events.publish(CREDIT)
    await two_rounds()
    assert listening.got == [CREDIT]
    await two_rounds()
    assert listening.got == [CREDIT, TotalsChanged(account="casa")]


# Who is not there


async def test_what_an_account_missed_before_it_was_attached_is_replayed_once(
    listening: Listening,
) -> None:
    changed = a_change(1, 2)
    (first, second) = changed.messages
    listening.events.publish(
        MessagesChanged(
            account="casa", messages=(first, second), status_changed=(second,)
        )
    )
    assert missed(listening.events) == (second,)
    listening.events.publish(changed)
    assert missed(listening.events) == ()


async def test_what_is_missed_is_kept_again_when_the_account_is_detached(
    listening: Listening,
) -> None:
    missed(listening.events)
    listening.events.keep_missed("casa")
    listening.events.publish(a_change(1))
    listening.events.publish(a_change(2, account="mare"))
    assert missed(listening.events) == a_change(1).messages


async def test_of_what_an_account_missed_the_newest_thousand_are_kept(
    listening: Listening,
) -> None:
    listening.events.publish(a_change(*range(1, 601)))
    listening.events.flush()
    listening.events.publish(a_change(*range(601, 1101)))
    kept = missed(listening.events)
    assert [one.dispatch.id // 10_000 for one in kept] == list(range(101, 1101))


async def test_what_a_forgotten_account_missed_is_forgotten(
    listening: Listening,
) -> None:
    listening.events.publish(a_change(1))
    listening.events.flush()
    listening.events.forget("casa")
    assert missed(listening.events) == ()
