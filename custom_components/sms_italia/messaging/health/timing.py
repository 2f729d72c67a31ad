"""How long everything waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds between attempts and between status requests.

    A request that is `unanswered` for so long makes its account suspect. A probe that
    a new message waits for takes `first_probe` at most; else there is one every
    `probe` while messages wait, and every `idle_probe` while none does. A message that
    was never submitted is sent all the same `send_anyway` after it was asked for, and
    `last_chance` before it expires, even if the provider asked to wait. After
    two doubts within `doubts` an account stays behind the others for `first_behind`,
    doubling up to `doubts`; as long count its probes for nothing after two messages in
    a row that a probe let go and that did not reach the provider.

    A message that waits is tried again `first_pause` later, ever more rarely up to
    `longest_pause`; without credit, after `no_credit`. A provider that asks to wait is
    left alone for `first_pause`, doubling up to `longest_pause`, or for as long as it
    asks, but for `longest_wait` at most, and for `shortest_wait`, doubling as well, at
    least. An action is answered after `answer` at the
    latest, and what is on the wire gets `stop` to end when everything stops.

    A status request comes after `first_poll`, then whenever half a message's age has
    passed again, at least every `longest_poll`, until `give_up`. A submission in doubt
    is looked up every `longest_look_up` at least, as long as its provider does not
    answer; rarer after half an hour. One that a provider does not know `never_came`
    seconds after it ended (`never_came_bulk` for a large one) never arrived. What is
    still uncertain after `report_doubt` is reported to the user. Messages to one number
    within `storm` are counted together; what is too much is held for `hold`.

    SMS that came in are searched for `first_receive` after a start, then every
    `receive`, while an answer is awaited every `receive_awaited`; a hint is followed
    `hint` after the last search at the earliest. What was accepted `read` before an
    answer is taken to have been read by who wrote it.
    """

    unanswered: float = 5
    first_probe: float = 3
    probe: float = 15
    idle_probe: float = 60
    send_anyway: float = 60
    last_chance: float = 10
    doubts: float = 3600
    first_behind: float = 300
    first_pause: float = 15
    longest_pause: float = 300
    no_credit: float = 300
    longest_wait: float = 300
    shortest_wait: float = 1
    answer: float = 10
    stop: float = 5
    first_poll: float = 3
    first_poll_if_pushed: float = 60
    longest_poll: float = 3600
    longest_look_up: float = 15
    never_came: float = 120
    never_came_bulk: float = 1800
    report_doubt: float = 60
    give_up: float = 72 * 3600
    storm: float = 60
    hold: float = 30
    first_receive: float = 2
    receive: float = 300
    receive_awaited: float = 15
    hint: float = 5
    read: float = 20

    def next_poll(self, age: float, *, is_pushed: bool = False) -> float:
        """Return the seconds to wait before asking about a message of this age.

        `is_pushed` says that the provider reports by itself: polling is the safety net.
        """
        first = self.first_poll_if_pushed if is_pushed else self.first_poll
        return min(max(age / 2, first), self.longest_poll)

    def next_look_up(self, age: float) -> float:
        """Return the seconds to wait before looking up a doubt of this age."""
        longest = max(self.longest_look_up, age / 120)
        return min(max(age / 2, self.first_poll), longest, self.longest_poll)

    def next_attempt(self, age: float) -> float:
        """Return the seconds until a message of this age is tried again."""
        return min(max(age / 2, self.first_pause), self.longest_pause)
