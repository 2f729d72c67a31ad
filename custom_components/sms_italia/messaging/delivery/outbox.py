"""The outbox: messages that no account could accept wait for their next attempt."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import batched, groupby

from ..alarm import Alarm
from ..health import Admission
from ..model import Dispatch, Message, Stage
from ..state import Change
from ..state.transitions import expired
from .context import DeliveryContext, Pending
from .retry_rules import Choice
from .route import Route

_AT_ONCE = frozenset({Admission.SEND})
_NOW = _AT_ONCE | {Admission.PROBE}

_PIECE = 1000
"""Messages that are sent in one turn of the event loop, which they hold for 20 ms."""


@dataclass(slots=True)
class _Gathered:
    """New messages of one turn of the event loop that leave together.

    `end` is done when their turn is over.
    """

    dispatch: Dispatch
    room: int
    end: asyncio.Future[None]
    messages: list[Message] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)

    def add(self, messages: Sequence[Message]) -> None:
        """Let messages leave with the others."""
        self.messages += messages
        self.numbers.update(one.number for one in messages)

    def takes(self, messages: Sequence[Message]) -> bool:
        """Return whether new messages say the same, to other numbers."""
        dispatch, other = self.dispatch, messages[0].dispatch
        return (
            _wishes(dispatch) == _wishes(other)
            and len(self.messages) + len(messages) <= self.room
            and self.numbers.isdisjoint(one.number for one in messages)
        )


def _wishes(dispatch: Dispatch) -> tuple[object, ...]:
    """Return what is the same of a dispatch when the same is asked for again."""
    return (
        dispatch.text,
        dispatch.route,
        dispatch.options,
        dispatch.encoding,
        dispatch.parts,
        dispatch.user,
        dispatch.is_bulk,
        dispatch.run,
    )


class Outbox:
    """Delivers new messages, tries waiting ones again, and lets them expire on time.

    A waiting message is tried at its own moment, and when an account of its route is
    healthy again. Each goes its own way: nobody waits for another one's attempt, but
    for the order in the queue of an account (`Turns`).

    Calls that ask for the same in the same turn of the event loop, such as one action
    for several recipients, make one dispatch where the provider takes many numbers.
    """

    def __init__(self, context: DeliveryContext) -> None:
        """Start idle."""
        self._context = context
        self._accounts = context.accounts
        self._open = context.open_messages
        self._clock = context.clock
        self._alarm = Alarm(context.clock, self._ring)
        self._gathered: dict[str, _Gathered] = {}
        context.open_messages.subscribe(self._on_waiting, Stage.WAITING)
        context.health.subscribe(self._on_health)

    def join(self, messages: list[Message]) -> list[Message]:
        """Return new messages of a dispatch, in that of others that say the same.

        They are to be added to the open messages and delivered at once.
        """
        gathered = self._gathered.get(messages[0].dispatch.account)
        if gathered is None or not gathered.takes(messages):
            return messages
        return [replace(one, dispatch=gathered.dispatch) for one in messages]

    def deliver(self, messages: Sequence[Message]) -> asyncio.Future[None]:
        """Send new messages of a dispatch; return what is done when their turn is over.

        What can be joined leaves at the end of this turn of the event loop, or before
        the next message of the account that is not joined with it.
        """
        dispatch = messages[0].dispatch
        gathered = self._gathered.get(dispatch.account)
        if gathered is None or gathered.dispatch.id != dispatch.id:
            if gathered is not None:
                self._leave(gathered)
            room = self._room(messages)
            if room == 1:
                return self._deliver(messages)
            loop = asyncio.get_running_loop()
            gathered = _Gathered(dispatch, room, loop.create_future())
            self._gathered[dispatch.account] = gathered
            loop.call_soon(self._leave, gathered)
        gathered.add(messages)
        return gathered.end

    def _room(self, messages: Sequence[Message]) -> int:
        """Return how many messages may leave together with those of a dispatch.

        What has a name of its own, or stands on disk already, leaves alone: as a
        repeat of another message, or as a call of an escalation.
        """
        dispatch = messages[0].dispatch
        account = self._accounts.get(dispatch.account)
        is_alone = dispatch.options.groups or dispatch.options.reference
        if account is None or is_alone or not self._open.stands_nowhere(messages):
            return 1
        return account.provider.capabilities.recipients_per_submission

    def _leave(self, gathered: _Gathered) -> None:
        """Deliver what was gathered, once."""
        account_id = gathered.dispatch.account
        if self._gathered.get(account_id) is not gathered:
            return
        del self._gathered[account_id]
        task = self._deliver(gathered.messages)
        task.add_done_callback(partial(_pass_on, gathered.end))

    def _deliver(self, messages: Sequence[Message]) -> asyncio.Task[None]:
        """Send new messages of a dispatch; return the task that ends with their turn.

        What is held, or waits for its account, is recorded.
        """
        if len(messages) > _PIECE and not messages[0].dispatch.options.groups:
            pieces = self._deliver_in_pieces(messages)
            return self._context.tasks.spawn(pieces, "send")
        known = (self._open.get(message.id) for message in messages)
        ready = [one for one in known if one and self._is_idle(one)]
        if not ready or messages[0].dispatch.account not in self._accounts:
            record = self._open.record(messages)
            return self._context.tasks.spawn(record, "send", eager=True)
        if older := self._older(ready):
            self._start(older)
        return self._send(ready)

    async def _deliver_in_pieces(self, messages: Sequence[Message]) -> None:
        """Deliver very many messages; before each piece others run."""
        tasks: list[asyncio.Task[None]] = []
        for piece in batched(messages, _PIECE, strict=False):
            await asyncio.sleep(0)
            tasks.append(self._deliver(piece))
        await asyncio.gather(*tasks)

    def attached(self, account_id: str) -> None:
        """Try what waited for an account that is there now."""
        now = self._clock.now()
        self._start(
            one
            for one in self._ready()
            if one.dispatch.due <= now
            and account_id in {one.dispatch.account, *one.dispatch.route}
        )
        self._ring()

    def stop(self) -> None:
        """Try nothing more by itself; waiting messages stay in the ledger."""
        self._alarm.stop()

    def _is_idle(self, message: Message) -> bool:
        """Return whether a message waits, and neither leaves now nor is on its way."""
        gathered = self._gathered.get(message.dispatch.account)
        return (
            message.stage is Stage.WAITING
            and message.id not in self._context.in_progress
            and (gathered is None or gathered.dispatch.id != message.dispatch.id)
        )

    def _older(self, messages: Sequence[Message]) -> list[Message]:
        """Return what was asked of the same account before, and was never tried.

        To the numbers of these messages, which must not overtake it.
        """
        dispatch = messages[0].dispatch
        return [
            one
            for message in messages
            for one in self._open.waiting_for(message.number)
            if one.attempts == 0
            and one.dispatch.id != dispatch.id
            and one.dispatch.account == dispatch.account
            and one.dispatch.due <= dispatch.due
            and self._is_idle(one)
        ]

    def _ready(self) -> list[Message]:
        """Return what can be sent along its route, and is not on its way."""
        now = self._clock.now()
        return [
            one
            for one in self._open.waiting
            if now < one.expires
            and one.dispatch.account in self._accounts
            and self._is_idle(one)
        ]

    def _start(
        self, messages: Iterable[Message], account_id: str | None = None
    ) -> None:
        """Send messages that an account is asked to accept now, in their order.

        With an `account_id`, only what this account accepts at once.
        """
        ordered = sorted(messages, key=lambda one: (one.dispatch.due, one.id))
        for _, dispatched in groupby(ordered, lambda one: one.dispatch.id):
            together = list(dispatched)
            if account_id is None:
                asked, wanted = together[0].dispatch.route, _NOW
            else:
                asked, wanted = (account_id,), _AT_ONCE
            if not self._admissions(together, asked) & wanted:
                continue
            if len(together) > _PIECE:
                self._deliver(together)
            else:
                self._send(together)

    def _admissions(
        self, messages: Sequence[Message], route: Collection[str]
    ) -> set[Admission]:
        """Return what the accounts would do with messages of a dispatch."""
        choice = Choice(self._context, messages)
        pending = [Pending(message) for message in messages]
        return {choice.admission(account_id, pending) for account_id in route}

    def _send(self, messages: Sequence[Message]) -> asyncio.Task[None]:
        """Send messages of a dispatch along their route; return the task that does."""
        if messages[0].dispatch.is_bulk:
            # Until then it may wait for its turn.
            self._alarm.set(messages[0].expires)
        route = Route(self._context, messages)
        task = self._context.tasks.spawn(route.run(), "send", eager=True)
        task.add_done_callback(lambda _: self._after(route))
        return task

    def _after(self, route: Route) -> None:
        """Look when the messages are due that were on their way along a route.

        An account may have recovered while the last of it was recorded.
        """
        for message in route.messages:
            known = self._open.get(message.id)
            if known is not None and known.stage is Stage.WAITING:
                self._alarm.set(self._next_look(known))
        for account_id in route.recovered():
            self._on_health(account_id)

    def _on_waiting(self, changes: Sequence[Change]) -> None:
        """Look at messages when they are due; new ones are delivered at once."""
        for change in changes:
            if change.before is not None and self._is_idle(change.after):
                self._alarm.set(self._next_look(change.after))

    def _on_health(self, account_id: str) -> None:
        """Send what waits for an account, if its health lets it go."""
        if account_id in self._accounts:
            now = self._clock.now()
            self._start(
                (
                    one
                    for one in self._ready()
                    if one.dispatch.due <= now and account_id in one.dispatch.route
                ),
                account_id,
            )

    def _ring(self) -> None:
        """Let expire what has expired, and send what is due."""
        # Otherwise what is for later could leave by a clock that was just set.
        self._context.watch.look()
        self._expire()
        now = self._clock.now()
        self._start(
            one
            for one in self._ready()
            if (one.attempt_at or 0) <= now or self._last_chance(one) <= now
        )
        self._set_alarm()

    def _last_chance(self, message: Message) -> float:
        """Return when a message is tried that never was: before it expires."""
        if message.attempts:
            return message.expires
        return message.expires - self._context.timing.last_chance

    def _next_look(self, message: Message) -> float:
        """Return when a waiting message is to be looked at."""
        moment, last_chance = message.attempt_at or 0, self._last_chance(message)
        if self._clock.now() < last_chance < moment:
            return last_chance
        return min(moment, message.expires)

    def _expire(self) -> None:
        """Close what waited for too long; what waits for its turn looks itself."""
        now = self._clock.moment()
        late = [one for one in self._open.waiting if now.steady >= one.expires]
        idle = [expired(one, now) for one in late if self._is_idle(one)]
        if idle:
            self._context.tasks.spawn(self._open.change(idle), "expiry", eager=True)
        if len(idle) < len(late):
            for account_id in {id_ for one in late for id_ in one.dispatch.route}:
                self._context.wake(account_id)

    def _set_alarm(self) -> None:
        """Look again when the next message is due.

        What is due already waits for better news of an account.
        """
        now = self._clock.now()
        moments = [
            moment
            for one in self._open.waiting
            for moment in (self._next_look(one), one.expires)
            if moment > now
        ]
        if moments:
            self._alarm.set(min(moments))


def _pass_on(end: asyncio.Future[None], task: asyncio.Task[None]) -> None:
    """End with a task as it ended; its error is that of each caller who waits."""
    if task.cancelled():
        end.cancel()
    elif (error := task.exception()) is not None:
        end.set_exception(error)
    else:
        end.set_result(None)
