"""A storm of messages to one number: few texts, and nothing lost."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, override

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.sms_italia.messaging import (
    Account,
    AccountOptions,
    Clock,
    Dispatch,
    Message,
    MessagesChanged,
    Query,
    Refusal,
    RequestRefusedError,
    SendOptions,
    Stage,
    Timing,
)
from custom_components.sms_italia.messaging.account import Accounts
from custom_components.sms_italia.messaging.alarm import Tasks
from custom_components.sms_italia.messaging.delivery import Outbox, StormBrake
from custom_components.sms_italia.messaging.ledger import Ledger
from custom_components.sms_italia.messaging.state import Events, OpenMessages
from custom_components.sms_italia.providers import (
    Channel,
    Encoding,
    ErrorKind,
    Mode,
    Picture,
    Status,
)

from ..fake import MANY, PLAIN, REFERENCE
from ..helpers import (
    NUMBER,
    OTHER,
    STILL,
    TEXT,
    Harness,
    Time,
    a_dispatch,
    a_message,
    until,
)
from .context import a_context

KEY = MANY
WINDOW = 60
HOLD = 30
HOUR = 3600
PNG = Picture(content=b"\x89PNG", filename="a.png", content_type="image/png")


class Standing(Time):
    """A time that stands until a test moves it."""

    @override
    def now(self) -> float:
        """Return the seconds since the epoch."""
        return 1_794_657_600.0 + self.shift


class Gathering(Outbox):
    """An outbox that a test empties; nothing is sent by itself."""

    def __init__(self, open_messages: OpenMessages) -> None:
        """Leave all messages where they are."""
        self._messages = open_messages

    @override
    def deliver(self, messages: Sequence[Message]) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._messages.record(messages))


@dataclass(slots=True, kw_only=True)
class Brake:
    """A storm brake between the sends of a test and an outbox that a test empties."""

    account: Account
    time: Standing = field(default_factory=Standing)
    accounts: Accounts = field(default_factory=lambda: Accounts(lambda _: False))
    clock: Clock = field(init=False)
    ledger: Ledger = field(init=False)
    tasks: Tasks = field(init=False)
    events: Events = field(init=False)
    open_messages: OpenMessages = field(init=False)
    storm_brake: StormBrake = field(init=False)
    withdrawn: set[int] = field(init=False)
    gone: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with the account attached and a ledger that is not open yet."""
        self.clock = Clock(wall=self.time.now, steady=self.time.now)
        self.ledger = Ledger(Path(":memory:"), lambda _: None, self.clock)
        self.accounts.attach(self.account)
        self.begin()

    def begin(self, *held: Message) -> None:
        """Begin with what is held, as after a restart."""
        context = a_context(
            self.accounts, self.ledger, self.clock, Timing(storm=WINDOW, hold=HOLD)
        )
        self.tasks, self.events = context.tasks, context.events
        self.open_messages = context.open_messages
        self.withdrawn = context.withdrawn
        self.storm_brake = StormBrake(context, Gathering(self.open_messages))
        self.open_messages.load(held)

    def restart(self) -> None:
        """Begin again a moment later, with what the ledger would hold open."""
        self.storm_brake.stop()
        self.time.pass_by(1)
        self.begin(*self.open_messages)

    def set_options(self, **options: Any) -> None:  # noqa: ANN401 - options of several types
        """Let the account have these options."""
        self.account = replace(self.account, options=AccountOptions(**options))
        self.accounts.attach(self.account)

    async def send(
        self,
        text: str = TEXT,
        to: str = NUMBER,
        *,
        expires: float = HOUR,
        run: int | None = None,
        **options: Any,  # noqa: ANN401 - fields of the options
    ) -> Message:
        """Do what a send does; return the message as it was entered."""
        ids = self.open_messages.ids
        first, second = next(ids), next(ids)
        now = self.time.now()
        message = Message(
            id=second,
            dispatch=Dispatch(
                id=first,
                account=KEY,
                text=text,
                encoding=Encoding.GSM7,
                parts=1,
                created=now,
                due=now,
                expires=now + expires,
                route=(KEY,),
                options=SendOptions(**options),
                run=run,
            ),
            number=to,
            recipient=None,
            status=Status.QUEUED,
            stage=Stage.WAITING,
            updated=now,
            changed_at=now,
            parts=1,
            attempt_at=now,
        )
        (message,) = self.storm_brake.hold(self.account, [message])
        self.open_messages.add([message])
        await self.open_messages.record([message])
        return message

    async def storm(self, *texts: str) -> list[Message]:
        """Send texts to one number."""
        return [await self.send(text) for text in texts]

    async def go(self) -> list[Message]:
        """Let all that waits in the outbox be delivered; return what went."""
        went = list(self.open_messages.waiting)
        await self.open_messages.change(
            [
                replace(
                    one,
                    status=Status.DELIVERED,
                    stage=Stage.CLOSED,
                    last_account=KEY,
                    provider_id=str(one.id),
                    cost=Decimal("0.05"),
                )
                for one in went
            ]
        )
        self.gone += went
        return went

    async def after(self, seconds: float) -> list[str]:
        """Let time go by; return the texts that go out then."""
        self.time.pass_by(seconds)
        await self.storm_brake.push()
        await self.tasks.end(1)
        return [one.dispatch.text for one in await self.go()]

    async def kept(self) -> dict[int, Message]:
        """Return all messages as the ledger has them, oldest first."""
        found = await self.ledger.find(Query(limit=10_000))
        return {one.id: one for one in found.messages[::-1]}


@asynccontextmanager
async def a_brake(**options: Any) -> AsyncGenerator[Brake]:  # noqa: ANN401 - options of several types
    """Return a brake for one account."""
    account = replace(
        Harness.build(Path()).account(KEY, name=KEY, **options),
        bundle_heading="{} messaggi:".format,
    )
    brake = Brake(account=account)
    await brake.ledger.open(brake.clock.today())
    yield brake
    brake.storm_brake.stop()
    brake.events.flush()
    await brake.ledger.close()


@pytest.fixture
async def brake() -> AsyncGenerator[Brake]:
    """Return a brake that joins what comes after two messages."""
    async with a_brake(bundle_after=2) as brake:
        yield brake


# What is held


async def test_what_comes_beyond_the_limit_within_a_minute_is_held(
    brake: Brake,
) -> None:
    sent = await brake.storm("a", "b", "c", "d")
    assert [one.stage for one in sent] == [Stage.WAITING] * 2 + [Stage.HELD] * 2
    assert {one.status for one in sent} == {Status.QUEUED}
    due = brake.time.now() + HOLD
    assert [one.attempt_at for one in sent[2:]] == [due, due]
    assert [one.dispatch.text for one in await brake.go()] == ["a", "b"]


async def test_few_messages_in_a_minute_are_no_storm(brake: Brake) -> None:
    for text in "abcdef":
        assert (await brake.send(text)).stage is Stage.WAITING
        brake.time.pass_by(WINDOW / 2)


async def test_each_number_has_a_storm_of_its_own(brake: Brake) -> None:
    await brake.storm("a", "b", "c")
    assert (await brake.send("d", OTHER)).stage is Stage.WAITING


async def test_nothing_is_held_unless_the_option_is_on(brake: Brake) -> None:
    brake.set_options(bundle_after=0)
    sent = await brake.storm(*"abcdef")
    assert {one.stage for one in sent} == {Stage.WAITING}


@pytest.mark.parametrize(
    "options",
    [
        {"send_at": 1_794_661_200.0},
        {"channel": Channel.PUSH},
        {"channel": Channel.PUSH_THEN_SMS},
        {"mode": Mode.TEST},
        {"groups": ("7",)},
        {"reference": "caldaia-7"},
        {"picture": PNG},
    ],
    ids=["moment", "push", "push-then-sms", "test", "group", "reference", "picture"],
)
async def test_what_is_meant_to_go_out_itself_is_neither_held_nor_counted(
    brake: Brake, options: dict[str, Any]
) -> None:
    for text in "abcd":
        assert (await brake.send(text, **options)).stage is Stage.WAITING
    assert (await brake.send("e")).stage is Stage.WAITING


async def test_what_an_account_sends_as_push_is_not_held(brake: Brake) -> None:
    brake.account = replace(brake.account, channel=Channel.PUSH_THEN_SMS)
    sent = await brake.storm(*"abcd")
    assert {one.stage for one in sent} == {Stage.WAITING}
    sms = [await brake.send(text, channel=Channel.SMS) for text in "efg"]
    assert sms[-1].stage is Stage.HELD


# When it goes out


async def test_half_a_minute_later_what_was_held_goes_out_as_one_text(
    brake: Brake,
) -> None:
    await brake.storm("a", "b", "c", "d", "e")
    await brake.go()
    assert await brake.after(HOLD - 1) == []
    assert await brake.after(1) == ["3 messaggi:\nc\nd\ne"]
    assert not tuple(brake.open_messages)


async def test_what_comes_while_a_text_is_due_is_joined_in_it(brake: Brake) -> None:
    await brake.storm("a", "b", "c")
    await brake.go()
    brake.time.pass_by(HOLD - 1)
    # By now it would be no storm any more.
    late = await brake.send("d")
    assert late.stage is Stage.HELD
    assert late.attempt_at == brake.time.now() + 1
    assert await brake.after(1) == ["2 messaggi:\nc\nd"]


async def test_what_was_joined_counts_for_the_next_minute(brake: Brake) -> None:
    await brake.storm("a", "b", "c")
    await brake.go()
    brake.time.pass_by(HOLD - 1)
    await brake.storm("d", "e")
    assert await brake.after(1) == ["3 messaggi:\nc\nd\ne"]
    assert (await brake.send("f")).stage is Stage.HELD


async def test_messages_of_the_same_moment_go_out_together(brake: Brake) -> None:
    await brake.storm("a", "b")
    await brake.go()
    # Both are found to be too much before either is on record.
    together = []
    for index, text in enumerate("cd"):
        dispatch = a_dispatch(index, account=KEY, text=text, expires=2e9)
        message = a_message(dispatch)
        together += brake.storm_brake.hold(brake.account, [message])
        brake.time.pass_by(1)
    for message in together:
        brake.open_messages.add([message])
    assert await brake.after(HOLD - 2) == ["2 messaggi:\nc\nd"]


async def test_while_the_storm_lasts_a_text_goes_out_each_half_minute(
    brake: Brake,
) -> None:
    texts: list[str] = []
    for _ in range(30):
        await brake.send("x")
        texts += [one.dispatch.text for one in await brake.go()]
        texts += await brake.after(10)
    assert [text.partition("\n")[0] for text in texts] == [
        "x",
        "x",
        *["3 messaggi:"] * 9,
    ]
    # And when it is over, a message goes out at once again.
    await brake.after(2 * WINDOW)
    assert (await brake.send("y")).stage is Stage.WAITING


async def test_a_message_that_was_held_alone_goes_out_as_it_is(brake: Brake) -> None:
    *_, held = await brake.storm("a", "b", "c")
    await brake.go()
    assert await brake.after(HOLD) == ["c"]
    kept = (await brake.kept())[held.id]
    assert (kept.status, kept.parts) == (Status.DELIVERED, 1)
    assert kept.joined_in is None


async def test_what_is_taken_out_of_a_storm_is_not_in_its_text(brake: Brake) -> None:
    *_, first, second = await brake.storm("a", "b", "c", "d")
    await brake.go()
    await brake.open_messages.change(
        [
            replace(
                first,
                status=Status.FAILED,
                stage=Stage.CLOSED,
                error=ErrorKind.CANCELLED,
            )
        ]
    )
    assert await brake.after(HOLD) == ["d"]
    assert (await brake.kept())[second.id].status is Status.DELIVERED


async def test_what_was_held_before_a_restart_goes_out_after_it(brake: Brake) -> None:
    await brake.storm("a", "b", "c", "d")
    await brake.go()
    brake.restart()
    # It is joined by what comes then, though nothing was counted before.
    await brake.send("e")
    assert await brake.after(HOLD) == ["3 messaggi:\nc\nd\ne"]


async def test_what_is_held_goes_out_in_time_to_be_sent_before_it_expires(
    brake: Brake,
) -> None:
    await brake.storm("a", "b")
    await brake.go()
    first = await brake.send("c", expires=30)
    await brake.send("d", expires=HOUR)
    assert first.attempt_at == brake.time.now() + 15
    assert await brake.after(15) == ["2 messaggi:\nc\nd"]
    # Nothing of it is sent later than it may be.
    assert brake.gone[-1].dispatch.expires == first.dispatch.expires


async def test_what_is_held_expires_while_its_account_is_away(brake: Brake) -> None:
    *_, held = await brake.storm("a", "b", "c")
    await brake.go()
    brake.accounts.detach(KEY)
    assert await brake.after(HOLD) == []
    assert await brake.after(HOUR) == []
    kept = (await brake.kept())[held.id]
    assert (kept.status, kept.stage) == (Status.EXPIRED, Stage.CLOSED)
    assert kept.error is ErrorKind.UNAVAILABLE


async def test_what_is_held_goes_out_when_its_account_comes_back(brake: Brake) -> None:
    await brake.storm("a", "b", "c", "d")
    await brake.go()
    brake.accounts.detach(KEY)
    assert await brake.after(10 * HOLD) == []
    brake.accounts.attach(brake.account)
    brake.storm_brake.attach(KEY)
    assert await brake.after(0) == ["2 messaggi:\nc\nd"]


# What is joined


async def test_joined_messages_keep_their_texts_and_share_the_fate_of_their_bundle(
    brake: Brake,
) -> None:
    *_, first, second = await brake.storm("a", "b", "c", "d")
    await brake.go()
    events: list[object] = []
    brake.events.listen(KEY, events.append)
    brake.time.pass_by(HOLD)
    await brake.storm_brake.push()
    (bundle,) = brake.open_messages.waiting
    for joined in (first, second):
        kept = (await brake.kept())[joined.id]
        assert (kept.stage, kept.joined_in) == (Stage.JOINED, bundle.id)
        assert (kept.status, kept.parts) == (Status.QUEUED, 0)
    last = events.pop()
    assert isinstance(last, MessagesChanged)
    assert last.status_changed == (bundle,)
    for status, stage in (
        (Status.QUEUED, Stage.SUBMITTING),
        (Status.UNCERTAIN, Stage.IN_DOUBT),
        (Status.QUEUED, Stage.WAITING),
        (Status.QUEUED, Stage.SUBMITTING),
        (Status.SENT, Stage.ACCEPTED),
        (Status.FAILED, Stage.CLOSED),
    ):
        brake.time.pass_by(1)
        bundle = replace(
            bundle,
            status=status,
            stage=stage,
            last_account="riserva",
            provider_id="7" if stage in {Stage.ACCEPTED, Stage.CLOSED} else None,
            cost=Decimal("0.05") if stage is Stage.ACCEPTED else None,
            error=ErrorKind.REFUSED if status is Status.FAILED else None,
            detail=stage,
            updated=brake.time.now(),
        )
        await brake.open_messages.change([bundle])
        for joined in (first, second):
            kept = (await brake.kept())[joined.id]
            assert kept.status is status
            assert kept.last_account == "riserva"
            assert (kept.error, kept.detail) == (bundle.error, stage)
            assert kept.joined_in == bundle.id
            assert (kept.parts, kept.cost, kept.provider_id) == (0, None, None)
            assert kept.dispatch.text == joined.dispatch.text
    assert not tuple(brake.open_messages)
    turned = [
        one.id
        for event in events
        if isinstance(event, MessagesChanged)
        for one in event.status_changed
    ]
    assert turned.count(first.id) == turned.count(bundle.id) == 4
    assert brake.open_messages.committed_parts("riserva") == 1


async def test_a_restart_does_not_part_joined_messages_from_their_bundle(
    brake: Brake,
) -> None:
    *_, first, second = await brake.storm("a", "b", "c", "d")
    await brake.go()
    brake.time.pass_by(HOLD)
    await brake.storm_brake.push()
    brake.restart()
    await brake.go()
    for joined in (first, second):
        assert (await brake.kept())[joined.id].status is Status.DELIVERED


async def test_the_newest_sender_counts_and_what_one_insists_on_holds_for_all(
    brake: Brake,
) -> None:
    await brake.storm("a", "b")
    await brake.send("c", sender="Casa", channel=Channel.SMS)
    await brake.send("d", sender="Caldaia", mode=Mode.LIVE)
    await brake.after(HOLD)
    options = brake.gone[-1].dispatch.options
    assert options == SendOptions(sender="Caldaia", channel=Channel.SMS, mode=Mode.LIVE)


async def test_joined_messages_take_no_more_of_the_day_than_they_would_have(
    brake: Brake,
) -> None:
    await brake.storm("a", "b")
    await brake.go()
    await brake.storm("c" * 150, "d" * 150, "e" * 6)
    assert brake.open_messages.committed_parts(KEY) == 5
    brake.time.pass_by(HOLD)
    await brake.storm_brake.push()
    assert brake.open_messages.committed_parts(KEY) == 5
    await brake.go()
    assert brake.gone[-1].parts == 3
    today = brake.clock.today()
    spent = (await brake.ledger.totals_between(KEY, today, today))[today]
    assert (spent.parts, spent.cost) == (5, Decimal("0.15"))


async def test_what_two_runs_of_escalations_say_is_not_joined(brake: Brake) -> None:
    await brake.storm("a", "b")
    await brake.go()
    for run, text in zip((7, 7, 8, 8, None, None), "cdefgh", strict=True):
        await brake.send(text, run=run)
    assert await brake.after(HOLD) == [
        "2 messaggi:\nc\nd",
        "2 messaggi:\ne\nf",
        "2 messaggi:\ng\nh",
    ]
    assert [one.dispatch.run for one in brake.gone[-3:]] == [7, 8, None]


async def test_what_was_withdrawn_is_not_joined(brake: Brake) -> None:
    _, _, _, withdrawn, _ = await brake.storm("a", "b", "c", "d", "e")
    await brake.go()
    brake.withdrawn.add(withdrawn.dispatch.id)
    assert await brake.after(HOLD) == ["2 messaggi:\nc\ne"]
    assert [one.id for one in brake.open_messages] == [withdrawn.id]


# Whatever happens


@dataclass(frozen=True, slots=True)
class Sending:
    """A text to a number."""

    to: str


@dataclass(frozen=True, slots=True)
class Passing:
    """So many seconds go by."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Emptying:
    """The outbox can be emptied."""


@dataclass(frozen=True, slots=True)
class Restarting:
    """Home Assistant starts again."""


type Step = Sending | Passing | Emptying | Restarting

STEPS = st.lists(
    st.one_of(
        st.builds(Sending, st.sampled_from([NUMBER, NUMBER, OTHER])),
        st.builds(Passing, st.integers(1, 70)),
        st.just(Emptying()),
        st.just(Restarting()),
    ),
    max_size=40,
)


async def _go_through(steps: list[Step], most: int) -> None:
    async with a_brake(bundle_after=most) as brake:
        sent: dict[int, Message] = {}
        for step in steps:
            match step:
                case Sending(to=to):
                    message = await brake.send(f"testo {len(sent)}", to)
                    sent[message.id] = message
                case Passing(seconds=seconds):
                    brake.time.pass_by(seconds)
                    await brake.storm_brake.push()
                case Emptying():
                    await brake.go()
                case Restarting():
                    brake.restart()
        await brake.after(HOLD)
        assert not tuple(brake.open_messages)
        _check(brake, sent, await brake.kept())


def _check(brake: Brake, sent: dict[int, Message], kept: dict[int, Message]) -> None:
    """Compare what was sent, what went out and what the ledger says of it."""
    gone = {one.id: one for one in brake.gone}
    assert len(gone) == len(brake.gone)
    assert kept.keys() == sent.keys() | gone.keys()
    texts: list[str] = []
    for message in gone.values():
        if message.id in sent:
            assert message.dispatch.text == sent[message.id].dispatch.text
            texts.append(message.dispatch.text)
            continue
        inside = [one for one in kept.values() if one.joined_in == message.id]
        assert len(inside) > 1
        assert {one.number for one in inside} == {message.number}
        texts += [one.dispatch.text for one in inside]
        heading, *lines = message.dispatch.text.split("\n")
        assert heading == f"{len(inside)} messaggi:"
        assert lines == [one.dispatch.text for one in inside]
    assert sorted(texts) == sorted(one.dispatch.text for one in sent.values())
    for message in kept.values():
        assert message.status is Status.DELIVERED
        assert (message.joined_in is None) == (message.id in gone)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, most=st.integers(1, 3))
def test_every_text_goes_out_once_by_itself_or_within_one_other(
    steps: list[Step], most: int
) -> None:
    with asyncio.Runner() as runner:
        runner.run(_go_through(steps, most))


# With a provider


async def let_the_hold_pass(harness: Harness) -> None:
    """Let the time of the hold pass, and the messenger notice it at once."""
    harness.time.pass_by(HOLD + 1)
    await harness.attach(PLAIN)


async def storm(harness: Harness, *texts: str) -> list[Message]:
    """Send texts to one number."""
    return [await harness.one(KEY, text=text) for text in texts]


async def test_a_storm_costs_few_requests_and_every_message_is_on_record(
    harness: Harness,
) -> None:
    harness.client(KEY).price = Decimal("0.05")
    await harness.attach(KEY, bundle_after=2)
    sent = await storm(harness, "a", "b", "c", "d", "e")
    assert harness.arrived(KEY) == [(NUMBER, "a"), (NUMBER, "b")]
    assert {one.status for one in sent} == {Status.QUEUED}
    await let_the_hold_pass(harness)
    await until(lambda: len(harness.accepted(KEY)) == 3)
    assert harness.arrived(KEY)[-1] == (NUMBER, "3\nc\nd\ne")
    harness.client(KEY).deliver()
    for message in sent:
        kept = await harness.until_kept(message, status=Status.DELIVERED)
        assert kept.dispatch.text == message.dispatch.text
    assert harness.messenger.totals.spent_today(KEY).parts == 3
    assert harness.messenger.totals.spent_today(KEY).cost == Decimal("0.15")
    assert len(await harness.found()) == 6


async def test_what_does_not_fit_goes_into_further_texts_in_its_order(
    harness: Harness,
) -> None:
    await harness.attach(KEY, bundle_after=1, max_parts=2)
    texts = ["1" * 140, "2" * 140, "3" * 305, "4", "5"]
    _, *held = await storm(harness, "a", *texts)
    await let_the_hold_pass(harness)
    await until(lambda: len(harness.accepted(KEY)) == 4)
    assert [text for _, text in harness.arrived(KEY)[1:]] == [
        f"2\n{texts[0]}\n{texts[1]}",
        texts[2],
        "2\n4\n5",
    ]
    first, second, alone, fourth, fifth = [
        (await harness.until_not(one, Stage.HELD)).joined_in for one in held
    ]
    assert first == second
    assert fourth == fifth
    assert alone is None
    assert len({first, fourth, None}) == 3


async def test_texts_are_joined_so_that_a_fallback_takes_them_too(
    harness: Harness,
) -> None:
    await harness.attach(PLAIN, max_parts=2)
    await harness.attach(
        KEY, bundle_after=1, fallback=(PLAIN,), refusing=ErrorKind.AUTH
    )
    texts = [str(index) * 140 for index in range(6)]
    await storm(harness, "a", *texts)
    harness.time.pass_by(HOLD + 1)
    await harness.attach(REFERENCE)
    await until(lambda: len(harness.accepted(PLAIN)) == 4)
    joined = "\n".join(text for _, text in harness.arrived(PLAIN))
    assert all(text in joined for text in texts)


async def test_what_is_held_goes_out_by_itself_in_the_end(harness: Harness) -> None:
    harness.use(timing=Timing(hold=0.2))
    await harness.attach(KEY, bundle_after=1)
    for to in (NUMBER, OTHER):
        await asyncio.gather(*(harness.one(KEY, to, text) for text in "abc"))
    await until(lambda: len(harness.accepted(KEY)) == 4)
    joined = {(to, "2\nb\nc") for to in (NUMBER, OTHER)}
    assert set(harness.arrived(KEY)) == {(NUMBER, "a"), (OTHER, "a"), *joined}


async def test_a_heading_that_breaks_loses_no_message_and_is_not_tried_all_the_time(
    harness: Harness,
) -> None:
    harness.use(timing=Timing(hold=0.1))
    calls: list[int] = []

    def heading(count: int) -> str:
        calls.append(count)
        if len(calls) == 1:
            raise KeyError(TEXT)
        return "Due"

    account = harness.account(KEY, bundle_after=1)
    await harness.messenger.attach(replace(account, bundle_heading=heading))
    messages = [await harness.one(KEY, text=f"{TEXT} {n}") for n in range(3)]
    await until(lambda: len(harness.accepted(KEY)) == 2)
    assert calls == [2, 2]
    assert harness.arrived(KEY)[-1][1].count(TEXT) == 2
    await harness.until_kept(messages[-1], last_account=KEY)


async def test_a_storm_to_one_number_does_not_hold_the_others_of_a_dispatch(
    harness: Harness,
) -> None:
    await harness.attach(KEY, bundle_after=1)
    await harness.one(KEY)
    held, free = await harness.send(KEY, NUMBER, OTHER, text="b")
    assert (held.stage, free.stage) == (Stage.HELD, Stage.ACCEPTED)
    assert harness.arrived(KEY) == [(NUMBER, TEXT), (OTHER, "b")]


async def test_what_is_held_survives_the_end_and_the_next_start(
    harness: Harness,
) -> None:
    await harness.attach(KEY, bundle_after=1)
    sent = await storm(harness, "a", "b", "c")
    await harness.messenger.close()
    harness.use()
    harness.time.pass_by(HOLD + 1)
    await harness.attach(KEY, bundle_after=1)
    await until(lambda: harness.arrived(KEY)[1:] == [(NUMBER, "2\nb\nc")])
    for message in sent[1:]:
        assert (await harness.until_not(message, Stage.HELD)).joined_in is not None


async def test_held_messages_count_for_the_limit_of_the_day_and_are_not_refused_later(
    harness: Harness,
) -> None:
    await harness.attach(KEY, bundle_after=1, daily_limit=3)
    await storm(harness, "a", "b", "c")
    with pytest.raises(RequestRefusedError, match=Refusal.DAILY_LIMIT):
        await harness.one(KEY, OTHER)
    await let_the_hold_pass(harness)
    await until(lambda: harness.arrived(KEY)[1:] == [(NUMBER, "2\nb\nc")])


async def test_a_message_of_a_storm_can_be_cancelled_until_it_is_joined(
    harness: Harness,
) -> None:
    harness.use(timing=STILL)
    await harness.attach(KEY, line=harness.line, bundle_after=1)
    _, first, second, third = await storm(harness, "a", "b", "c", "d")
    cancelled = await harness.messenger.cancel(first.id)
    assert (cancelled.status, cancelled.error) == (
        Status.FAILED,
        ErrorKind.CANCELLED,
    )
    harness.line.down()
    await let_the_hold_pass(harness)
    waiting = await harness.until_kept(second, error=ErrorKind.UNAVAILABLE)
    with pytest.raises(RequestRefusedError, match=Refusal.TOO_LATE_TO_CANCEL):
        await harness.messenger.cancel(second.id)
    # The text that carries them waits itself, and can be.
    assert waiting.joined_in is not None
    await harness.messenger.cancel(waiting.joined_in)
    for message in (second, third):
        kept = await harness.until_kept(message, stage=Stage.CLOSED)
        assert (kept.status, kept.error) == (Status.FAILED, ErrorKind.CANCELLED)
    assert harness.arrived(KEY) == [(NUMBER, "a")]


async def test_joined_messages_wait_with_their_bundle_and_expire_with_it(
    harness: Harness,
) -> None:
    await harness.attach(KEY, line=harness.line, bundle_after=1)
    sent = await storm(harness, "a", "b", "c")
    harness.line.down()
    await let_the_hold_pass(harness)
    for message in sent[1:]:
        waiting = await harness.until_kept(message, error=ErrorKind.UNAVAILABLE)
        assert waiting.status is Status.QUEUED
    harness.time.pass_by(HOUR)
    for message in sent[1:]:
        expired = await harness.until_kept(message, status=Status.EXPIRED)
        assert expired.stage is Stage.CLOSED
    assert len(harness.accepted(KEY)) == 1
