"""What the rooms are notified of about runs."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..state import call_guarded
from .model import Run

_MISSED = 20
"""News of an escalation that are kept for a listener that is not there yet.

A run goes on before the entities of its account are added, and while that is reloaded.
"""


class RunEvent(StrEnum):
    """What happened to a run."""

    BEGAN = "began"
    CALLED = "called"
    """The member of `Run.current` is called."""
    RESUMED = "resumed"
    """It goes on after a start."""
    ACKNOWLEDGED = "acknowledged"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNews:
    """What happened to a run, and the run as it is then."""

    event: RunEvent
    run: Run


type RunListener = Callable[[RunNews], None]


class RunListeners:
    """Notifies the listeners of an escalation, and those of all."""

    def __init__(self) -> None:
        """Start without listeners."""
        self._of_all: list[RunListener] = []
        self._listeners: dict[str, list[RunListener]] = {}
        self._missed: dict[str, deque[RunNews]] = {}

    def listen_to_all(self, listener: RunListener) -> None:
        """Notify `listener` of all runs from now on."""
        self._of_all.append(listener)

    def listen(self, escalation: str, listener: RunListener) -> Callable[[], None]:
        """Notify `listener` of an escalation's runs; return how to stop it."""
        listeners = self._listeners.setdefault(escalation, [])
        listeners.append(listener)

        def stop() -> None:
            listeners.remove(listener)

        return stop

    def replay_missed(self, escalation: str) -> tuple[RunNews, ...]:
        """Return what happened while an escalation had no listener at all."""
        return tuple(self._missed.pop(escalation, ()))

    def forget_missed(self, escalation: str) -> None:
        """Forget what happened while an escalation had no listener: it is gone."""
        self._missed.pop(escalation, None)

    def notify(self, news: RunNews) -> None:
        """Notify all that listen."""
        escalation = news.run.plan.id
        listeners = self._listeners.get(escalation)
        if not listeners:
            self._missed.setdefault(escalation, deque(maxlen=_MISSED)).append(news)
        for listener in (*self._of_all, *(listeners or ())):
            call_guarded(listener, news)


def news_of(before: Run | None, after: Run) -> list[RunNews]:
    """Return what a change of a run means to others."""
    events: list[RunEvent] = []
    if before is None and after.is_calling:
        events.append(RunEvent.BEGAN)
    # The calls of a run that was merged into it were news before.
    is_merged = before is not None and before.merged != after.merged
    has_called = len(after.calls) > (len(before.calls) if before else 0)
    if has_called and after.is_calling and not is_merged:
        events.append(RunEvent.CALLED)
    if before is None or before.state is not after.state:
        events += [one for one in _ENDS if one.value == after.state.value]
    return [RunNews(event=event, run=after) for event in events]


_ENDS = (RunEvent.ACKNOWLEDGED, RunEvent.EXHAUSTED)
