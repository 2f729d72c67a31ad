"""What others are notified of about runs."""

from dataclasses import replace
from itertools import count

from custom_components.sms_italia.messaging import Member, Plan, Run, RunEvent, RunNews
from custom_components.sms_italia.messaging.clock import Moment
from custom_components.sms_italia.messaging.escalation.model import (
    Acknowledgement,
    Availability,
    Way,
)
from custom_components.sms_italia.messaging.escalation.news import (
    RunListeners,
    news_of,
)
from custom_components.sms_italia.messaging.escalation.transitions import (
    abandoned,
    acknowledged,
    advanced,
    begun,
    merged,
)

PLAN = Plan(
    id="notte",
    account="casa",
    name="Notte",
    members=(Member(account="casa", recipient="anna"),),
    wait=300,
)
BY = Acknowledgement(way=Way.BUTTON, who="Anna", read_until=0)


def stages() -> tuple[Run, Run, Run, Run]:
    """Return a run that began, that called, that was acknowledged, and exhausted."""
    new = begun(PLAN, ["Allarme"], 1, Moment(steady=0, wall=0))
    called = advanced(
        new, 0, lambda *_: Availability.READY, lambda *_: [(0,)], count(1)
    )
    nobody = advanced(new, 0, lambda *_: Availability.GONE, lambda *_: [(0,)], count(1))
    return new, called, acknowledged(called, BY, 1, count(2)), nobody


def events(before: Run | None, after: Run) -> list[RunEvent]:
    """Return what a change means."""
    return [news.event for news in news_of(before, after)]


def test_each_change_that_others_see_is_news() -> None:
    new, called, ended, nobody = stages()
    assert events(None, new) == [RunEvent.BEGAN]
    assert events(None, called) == [RunEvent.BEGAN, RunEvent.CALLED]
    assert events(new, called) == [RunEvent.CALLED]
    assert events(called, ended) == [RunEvent.ACKNOWLEDGED]
    assert events(new, nobody) == [RunEvent.EXHAUSTED]


def test_other_changes_are_none() -> None:
    _, called, ended, _ = stages()
    assert events(called, replace(called, waits_since=1)) == []
    assert events(ended, replace(ended, repeats=1)) == []
    assert events(called, abandoned(called, 1)) == []


def test_the_calls_of_a_run_that_is_merged_are_none() -> None:
    new, called, _, _ = stages()
    both = merged(called, replace(new, id=2), count(3))
    assert events(replace(new, id=2), both) == []


def test_what_nobody_listened_to_is_replayed_once() -> None:
    listeners, seen, all_seen = RunListeners(), list[RunNews](), list[RunNews]()
    listeners.listen_to_all(all_seen.append)
    news = news_of(None, stages()[1])
    for one in news:
        listeners.notify(one)
    assert listeners.replay_missed("giorno") == ()
    assert listeners.replay_missed("notte") == tuple(news)
    assert listeners.replay_missed("notte") == ()

    stop = listeners.listen("notte", seen.append)
    listeners.notify(news[0])
    stop()
    listeners.notify(news[1])
    assert seen == news[:1]
    assert listeners.replay_missed("notte") == (news[1],)
    assert all_seen == [*news, *news]


def test_what_nobody_listened_to_is_kept_for_a_while_only() -> None:
    listeners, (new, *_) = RunListeners(), stages()
    (news,) = news_of(None, new)
    for _ in range(1000):
        listeners.notify(news)
    assert len(listeners.replay_missed("notte")) == 20
    listeners.notify(news)
    listeners.forget_missed("notte")
    assert listeners.replay_missed("notte") == ()
