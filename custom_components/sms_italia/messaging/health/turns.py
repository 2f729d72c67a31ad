"""Whose turn it is: the order in which requests to one account are made."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import IntEnum
import heapq
from itertools import count, takewhile

from ..clock import Clock
from .timing import Timing

REQUESTS_AT_ONCE = 32
"""Requests on the wire to one account; more would only queue at the provider."""

_FASTER = 0.98
"""What the pause between two requests of a bulk shrinks to with each that is accepted.

After some 35 of them it is half as long.
"""


_IDLE = 10
"""Seconds without a request of a bulk after which the next one begins a new count."""


class Rank(IntEnum):
    """What goes first: an alarm does not wait for a newsletter."""

    SMALL = 0
    BULK = 1


class Turn:
    """The place of one request in the queue of an account.

    `news` is set when the turn is granted, or when the account is to be looked at.
    """

    def __init__(self, place: int, rank: Rank, lines: Collection[str]) -> None:
        """Queue behind what came before in any of the lines."""
        self.place = place
        self.rank = rank
        self.lines = lines
        self.blocks = 0
        """The lines in which another request is before this one."""
        self.is_granted = False
        self.came_at_once = True
        """Whether nothing was waited for before the request."""
        self.is_over = False
        self.news = asyncio.Event()
        self.hanging: asyncio.TimerHandle | None = None

    async def next_news(self) -> None:
        """Wait until the account is to be looked at."""
        self.came_at_once = False
        self.news.clear()
        await self.news.wait()


class Pace:
    """The rate at which a provider accepts a bulk, known once it asked to wait."""

    def __init__(self, clock: Clock) -> None:
        """Start without a bound."""
        self._clock = clock
        self._interval = 0.0
        self._since: float | None = None
        self._accepted = 0
        self._next = 0.0

    @property
    def pause(self) -> float:
        """The seconds until the next request of a bulk may be made."""
        return self._next - self._clock.now()

    def begin(self) -> None:
        """Note that a request of a bulk is made.

        After a while without any, what was accepted before says nothing of the rate.
        """
        now = self._clock.now()
        if self._since is None or now > max(self._next, self._since) + _IDLE:
            self._since, self._accepted = now, 0
        self._next = now + self._interval

    def accepted(self) -> None:
        """Count a request; go a little faster if the rate is bound.

        What is answered before the wait is over was requested before it began.
        """
        if not self._is_over():
            return
        self._accepted += 1
        self._interval *= _FASTER

    def throttled(self, until: float) -> None:
        """Take the rate from what was accepted in the time until this moment.

        A refusal never makes a bulk faster.
        """
        if self._accepted and self._since is not None:
            interval = (until - self._since) / self._accepted
            self._interval = max(self._interval, interval)
        self._since, self._accepted = until, 0

    def _is_over(self) -> bool:
        """Return whether the wait is over that the provider asked for last."""
        return self._since is None or self._clock.now() >= self._since


class Turns:
    """The queue of one account: a bounded number of requests, each in its order.

    Requests that stand in the same line, such as those to one number, are made one
    after another, in the order in which they came. Else those of small calls go before
    those of bulks. One that is not answered for `Timing.unanswered` seconds holds up
    nobody any more.
    """

    def __init__(self, clock: Clock, timing: Timing) -> None:
        """Start empty."""
        self._unanswered = timing.unanswered
        self.pace = Pace(clock)
        self._places = count()
        self._ready: list[tuple[Rank, int, Turn]] = []
        self._waiting: set[Turn] = set()
        self._on_wire: set[Turn] = set()
        self._by_line: dict[str, dict[Turn, None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def join(self, rank: Rank, lines: Collection[str]) -> Iterator[Turn]:
        """Queue a request in some lines; it leaves them, and the wire, in the end."""
        turn = Turn(next(self._places), rank, lines)
        self._waiting.add(turn)
        for line in lines:
            before = self._by_line.setdefault(line, {})
            turn.blocks += bool(before)
            if before and rank is Rank.SMALL:
                self._promote(tuple(before))
            before[turn] = None
        self._make_ready(turn)
        self._grant()
        try:
            yield turn
        finally:
            self._leave(turn)

    def begin(self, turn: Turn) -> None:
        """Note that the request is made now."""
        if turn.hanging is not None:
            turn.hanging.cancel()
        loop = asyncio.get_running_loop()
        turn.hanging = loop.call_later(self._unanswered, self._leave, turn)

    def wake(self) -> None:
        """Let all that wait look whether the account is still to be asked."""
        for turn in (*self._waiting, *self._on_wire):
            turn.news.set()

    def stop(self) -> None:
        """Grant nothing more by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _promote(self, turns: Collection[Turn]) -> None:
        """Let requests go before bulks, because one of a small call is behind them."""
        for turn in turns:
            if turn.rank is Rank.BULK:
                turn.rank = Rank.SMALL
                self._make_ready(turn)
                for line in turn.lines:
                    self._promote(tuple(self._before(turn, line)))

    def _before(self, turn: Turn, line: str) -> Iterator[Turn]:
        """Go over the requests of a line that are made before this one."""
        return takewhile(lambda one: one is not turn, self._by_line[line])

    def _make_ready(self, turn: Turn) -> None:
        if not turn.blocks and not turn.is_granted:
            heapq.heappush(self._ready, (turn.rank, turn.place, turn))

    def _grant(self) -> None:
        """Grant the turns that have come."""
        while self._ready and len(self._on_wire) < REQUESTS_AT_ONCE:
            rank, _, turn = self._ready[0]
            if not turn.is_over and not turn.is_granted:
                if rank is Rank.BULK and self.pace.pause > 0:
                    self._grant_later()
                    return
                self._grant_one(turn, rank)
            heapq.heappop(self._ready)

    def _grant_one(self, turn: Turn, rank: Rank) -> None:
        turn.is_granted = True
        self._waiting.discard(turn)
        self._on_wire.add(turn)
        turn.news.set()
        if rank is Rank.BULK:
            self.pace.begin()

    def _grant_later(self) -> None:
        """Grant the next turn of a bulk when the pace allows it."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.pace.pause, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        self._grant()

    def _leave(self, turn: Turn) -> None:
        """Let others go on; a request that hangs has left before it ends."""
        if turn.is_over:
            return
        turn.is_over = True
        if turn.hanging is not None:
            turn.hanging.cancel()
        self._waiting.discard(turn)
        self._on_wire.discard(turn)
        for line in turn.lines:
            self._leave_line(line, turn)
        self._grant()

    def _leave_line(self, line: str, turn: Turn) -> None:
        same = self._by_line[line]
        was_first = next(iter(same)) is turn
        del same[turn]
        if not same:
            del self._by_line[line]
        elif was_first:
            following = next(iter(same))
            following.blocks -= 1
            self._make_ready(following)
